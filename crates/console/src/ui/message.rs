use super::{Tone, component};
use askama::Template;

/// Something that the reader must know, with its icon; said to screen readers at once where it is
/// wrong or needs attention.
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = r#"<div class="message tone-{{ tone.name() }}" role="{% if tone == Tone::Bad || tone == Tone::Warn %}alert{% else %}status{% endif %}">{{ tone.icon() }}<div>{% if let Some(title) = title %}<strong>{{ title }}</strong> {% endif %}<p>{{ text }}</p></div></div>"#
)]
pub struct Message {
    tone: Tone,
    title: Option<String>,
    text: String,
}

impl Message {
    /// A message.
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, title: None, text: text.into() }
    }

    /// With a title.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }
}

component!(Message);
