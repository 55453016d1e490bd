use super::{Icon, component};
use crate::i18n::Locale;
use askama::Template;

/// One of several values.
#[derive(Debug, Clone)]
pub struct Choice {
    /// what is sent
    pub value: String,
    /// what is shown
    pub label: String,
}

impl Choice {
    /// A value and its name.
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Input(&'static str),
    Area,
    Select,
    Checkbox,
    Checkboxes,
    Radios,
}

/// A field of a form: label, control, hint, error, joined for screen readers.
#[derive(Debug, Clone, Template)]
#[template(path = "ui/field.html")]
pub struct Field {
    t: Locale,
    kind: Kind,
    name: String,
    label: String,
    hint: Option<String>,
    error: Option<String>,
    values: Vec<String>,
    choices: Vec<Choice>,
    required: bool,
    optional: bool,
    autocomplete: Option<&'static str>,
    most: Option<u32>,
    focus: bool,
    grow: bool,
}

impl Field {
    fn new(t: Locale, kind: Kind, name: &str, label: impl Into<String>) -> Self {
        Self {
            t,
            kind,
            name: name.to_owned(),
            label: label.into(),
            hint: None,
            error: None,
            values: Vec::new(),
            choices: Vec::new(),
            required: false,
            optional: false,
            autocomplete: None,
            most: None,
            focus: false,
            grow: false,
        }
    }

    /// A line of text.
    pub fn text(t: Locale, name: &str, label: impl Into<String>) -> Self {
        Self::new(t, Kind::Input("text"), name, label)
    }

    /// A line to search with.
    pub fn search(t: Locale, name: &str, label: impl Into<String>) -> Self {
        Self::new(t, Kind::Input("search"), name, label)
    }

    /// A whole number.
    pub fn number(t: Locale, name: &str, label: impl Into<String>) -> Self {
        Self::new(t, Kind::Input("number"), name, label)
    }

    /// A date, as `2026-11-21`.
    pub fn date(t: Locale, name: &str, label: impl Into<String>) -> Self {
        Self::new(t, Kind::Input("date"), name, label)
    }

    /// Several lines.
    pub fn area(t: Locale, name: &str, label: impl Into<String>) -> Self {
        Self::new(t, Kind::Area, name, label)
    }

    /// One of several, in a list that opens.
    pub fn select(t: Locale, name: &str, label: impl Into<String>, choices: Vec<Choice>) -> Self {
        Self { choices, ..Self::new(t, Kind::Select, name, label) }
    }

    /// One of a few, all shown.
    pub fn radios(t: Locale, name: &str, label: impl Into<String>, choices: Vec<Choice>) -> Self {
        Self { choices, ..Self::new(t, Kind::Radios, name, label) }
    }

    /// Any of a few, all shown.
    pub fn checkboxes(
        t: Locale,
        name: &str,
        label: impl Into<String>,
        choices: Vec<Choice>,
    ) -> Self {
        Self { choices, ..Self::new(t, Kind::Checkboxes, name, label) }
    }

    /// Yes or no; sends `yes`.
    pub fn checkbox(t: Locale, name: &str, label: impl Into<String>) -> Self {
        Self::new(t, Kind::Checkbox, name, label)
    }

    /// What it holds. Repeat for several checkboxes.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.values.push(value.into());
        self
    }

    /// What to write there.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What is wrong with what was sent.
    #[must_use]
    pub fn error(mut self, error: Option<String>) -> Self {
        self.error = error;
        self
    }

    /// It must be filled in.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// It says that it may stay empty.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// What browsers may fill in (HTML section 4.10.18.7).
    #[must_use]
    pub fn autocomplete(mut self, what: &'static str) -> Self {
        self.autocomplete = Some(what);
        self
    }

    /// Most characters.
    #[must_use]
    pub fn most(mut self, characters: u32) -> Self {
        self.most = Some(characters);
        self
    }

    /// Where the cursor stands when the page opens: for the one field of a page.
    #[must_use]
    pub fn focus(mut self) -> Self {
        self.focus = true;
        self
    }

    /// What it is called in the form.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Says what is wrong with what was sent.
    pub(crate) fn mark(&mut self, error: String) {
        self.error = Some(error);
    }

    /// It takes the room that its neighbours leave.
    #[must_use]
    pub fn grow(mut self) -> Self {
        self.grow = true;
        self
    }

    fn holds(&self, value: &str) -> bool {
        self.values.iter().any(|held| held == value)
    }

    fn first(&self) -> &str {
        self.values.first().map_or("", String::as_str)
    }

    /// Ids of hint and error, for `aria-describedby`.
    fn described(&self) -> Option<String> {
        let hint = self.hint.as_ref().map(|_| format!("{}-hint", self.name));
        let error = self.error.as_ref().map(|_| format!("{}-error", self.name));
        let ids: Vec<String> = [hint, error].into_iter().flatten().collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }
}

component!(Field);
