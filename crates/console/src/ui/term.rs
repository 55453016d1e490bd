use super::component;
use askama::Template;

/// A word that the glossary explains: a link to its entry, with the short explanation as a tip that
/// opens on hover and on focus.
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = r#"<a class="term" href="/glossary/{{ id }}"><dfn>{{ word }}</dfn>{% if !tip.is_empty() %}<span class="tip" role="note">{{ tip }}</span>{% endif %}</a>"#
)]
pub struct Term {
    id: String,
    word: String,
    tip: String,
}

impl Term {
    /// The entry `id`, shown as `word`, explained by `tip`.
    pub fn new(id: &str, word: impl Into<String>, tip: impl Into<String>) -> Self {
        Self { id: id.to_owned(), word: word.into(), tip: tip.into() }
    }
}

component!(Term);
