use super::{Button, ButtonKind, Icon, component};
use crate::{Frame, i18n::Locale};
use askama::Template;

/// What will happen, said before it happens, and the button that makes it happen.
#[derive(Debug, Clone, Template)]
#[template(path = "ui/confirm.html")]
pub struct Confirm {
    t: Locale,
    token: String,
    action: String,
    title: String,
    effects: Vec<String>,
    fields: Vec<super::Field>,
    hidden: Vec<(String, String)>,
    button: Button,
    cancel: String,
    danger: bool,
}

impl Confirm {
    /// A panel whose form goes to `action`; `cancel` is where one goes instead. Without effects it
    /// says nothing: name each with [`Confirm::effect`].
    pub fn new(frame: &Frame, action: &str, title: impl Into<String>, cancel: &str) -> Self {
        let t = frame.t;
        Self {
            t,
            token: frame.token().to_string(),
            action: action.to_owned(),
            title: title.into(),
            effects: Vec::new(),
            fields: Vec::new(),
            hidden: Vec::new(),
            button: Button::new(ButtonKind::Primary, t.text("ui-confirm")),
            cancel: cancel.to_owned(),
            danger: false,
        }
    }

    /// One thing that will happen, as a sentence.
    #[must_use]
    pub fn effect(mut self, effect: impl Into<String>) -> Self {
        self.effects.push(effect.into());
        self
    }

    /// Something to fill in first.
    #[must_use]
    pub fn field(mut self, field: super::Field) -> Self {
        self.fields.push(field);
        self
    }

    /// Something that the form carries along.
    #[must_use]
    pub fn hidden(mut self, name: &str, value: &str) -> Self {
        self.hidden.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The word on the button: what it does.
    #[must_use]
    pub fn button(mut self, kind: ButtonKind, label: impl Into<String>) -> Self {
        self.danger = kind == ButtonKind::Danger;
        self.button = Button::new(kind, label);
        self
    }
}

component!(Confirm);
