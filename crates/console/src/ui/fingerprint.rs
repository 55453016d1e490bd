use super::{Icon, component};
use crate::i18n::Locale;
use askama::Template;

/// A hash, key or certificate fingerprint in groups of four, so that people can compare it; copied
/// as one word.
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = r#"<span class="fingerprint"><code>{% for group in groups %}<span>{{ group }}</span>{% endfor %}</code><button class="copy" type="button" data-copy="{{ whole }}" data-copied="{{ t.text("ui-copied") }}" aria-label="{{ t.text("ui-copy") }}" hidden>{{ Icon::Copy }}</button></span>"#
)]
pub struct Fingerprint {
    t: Locale,
    whole: String,
    groups: Vec<String>,
}

impl Fingerprint {
    /// Of a hash as text.
    pub fn new(t: Locale, whole: &(impl std::fmt::Display + ?Sized)) -> Self {
        let whole = whole.to_string();
        let characters: Vec<char> = whole.chars().collect();
        let groups = characters.chunks(4).map(|group| group.iter().collect()).collect();
        Self { t, whole, groups }
    }
}

component!(Fingerprint);
