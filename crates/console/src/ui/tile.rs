use super::{Tone, component};
use crate::chart::Spark;
use askama::Template;

/// One figure with its name.
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = r#"<div class="tile{% if let Some(tone) = tone %} tone-{{ tone.name() }}{% endif %}"><div class="tile-name">{% if let Some(tone) = tone %}{{ tone.icon() }}{% endif %}{% if let Some(href) = href %}<a href="{{ href }}">{{ name }}</a>{% else %}<span>{{ name }}</span>{% endif %}</div><div class="tile-value">{{ value }}</div>{% if let Some(spark) = spark %}{{ spark }}{% endif %}{% if let Some(note) = note %}<div class="tile-note">{{ note }}</div>{% endif %}</div>"#
)]
pub struct Tile {
    name: String,
    value: String,
    tone: Option<Tone>,
    href: Option<String>,
    note: Option<String>,
    spark: Option<Spark>,
}

impl Tile {
    /// Name and figure.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        Self { name, value, tone: None, href: None, note: None, spark: None }
    }

    /// As a state.
    #[must_use]
    pub fn tone(mut self, tone: Tone) -> Self {
        self.tone = Some(tone);
        self
    }

    /// Where its entries are.
    #[must_use]
    pub fn link(mut self, href: impl Into<String>) -> Self {
        self.href = Some(href.into());
        self
    }

    /// A line below it.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// How it went lately.
    #[must_use]
    pub fn spark(mut self, spark: Spark) -> Self {
        self.spark = Some(spark);
        self
    }
}

component!(Tile);
