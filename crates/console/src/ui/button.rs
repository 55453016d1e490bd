use super::{Icon, component};
use askama::Template;

/// How much a button matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ButtonKind {
    /// the one thing to do on this page
    Primary,
    /// something else that can be done
    Secondary,
    /// leads to something that cannot be undone; the page that follows warns
    Grave,
    /// something that cannot be undone or cuts off
    Danger,
    /// hardly more than a link
    Quiet,
}

impl ButtonKind {
    /// Its word in class names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
            Self::Grave => "secondary grave",
            Self::Danger => "danger",
            Self::Quiet => "quiet",
        }
    }
}

/// What sends a form; with [`Button::link`], a link that looks the same.
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = r#"{% if let Some(href) = href %}<a class="button {{ kind.name() }}" href="{{ href }}">{% if let Some(icon) = icon %}{{ icon }}{% endif %}<span>{{ label }}</span></a>{% else %}<button class="button {{ kind.name() }}" type="submit"{% if let Some((name, value)) = value %} name="{{ name }}" value="{{ value }}"{% endif %}>{% if let Some(icon) = icon %}{{ icon }}{% endif %}<span>{{ label }}</span></button>{% endif %}"#
)]
pub struct Button {
    kind: ButtonKind,
    label: String,
    icon: Option<Icon>,
    href: Option<String>,
    value: Option<(String, String)>,
}

impl Button {
    /// A button that sends the form around it.
    pub fn new(kind: ButtonKind, label: impl Into<String>) -> Self {
        Self { kind, label: label.into(), icon: None, href: None, value: None }
    }

    /// A link instead.
    #[must_use]
    pub fn link(mut self, href: impl Into<String>) -> Self {
        self.href = Some(href.into());
        self
    }

    /// With an icon before the word.
    #[must_use]
    pub fn icon(mut self, icon: Icon) -> Self {
        self.icon = Some(icon);
        self
    }

    /// With a field that is sent only when this button is used.
    #[must_use]
    pub fn value(mut self, name: &str, value: &str) -> Self {
        self.value = Some((name.to_owned(), value.to_owned()));
        self
    }
}

component!(Button);
