use super::{Icon, component};
use askama::Template;

/// A list without entries: what it would hold, and what to do.
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = r#"<div class="empty">{{ icon }}<h2>{{ title }}</h2><p>{{ text }}</p>{% if let Some(action) = action %}<p>{{ action }}</p>{% endif %}</div>"#
)]
pub struct Empty {
    icon: Icon,
    title: String,
    text: String,
    action: Option<super::Button>,
}

impl Empty {
    /// What is not there, and what that means.
    pub fn new(icon: Icon, title: impl Into<String>, text: impl Into<String>) -> Self {
        Self { icon, title: title.into(), text: text.into(), action: None }
    }

    /// What to do about it.
    #[must_use]
    pub fn action(mut self, button: super::Button) -> Self {
        self.action = Some(button);
        self
    }
}

component!(Empty);
