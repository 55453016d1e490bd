use super::{Icon, component};
use crate::i18n::Locale;
use askama::Template;

/// An identifier or a hash, to be copied; what does not fit is cut where it is shown, not where it is
/// read or copied.
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = r#"<span class="id{% if short %} short{% endif %}"><code{% if short %} title="{{ whole }}"{% endif %}>{{ whole }}</code><button class="copy" type="button" data-copy="{{ whole }}" data-copied="{{ t.text("ui-copied") }}" aria-label="{{ t.text("ui-copy-this").arg("what", whole.as_str()) }}" hidden>{{ Icon::Copy }}</button></span>"#
)]
pub struct Id {
    t: Locale,
    whole: String,
    short: bool,
}

impl Id {
    /// As long as it is.
    pub fn new(t: Locale, whole: &(impl std::fmt::Display + ?Sized)) -> Self {
        Self { t, whole: whole.to_string(), short: false }
    }

    /// Cut, for tables.
    pub fn short(t: Locale, whole: &(impl std::fmt::Display + ?Sized)) -> Self {
        Self { short: true, ..Self::new(t, whole) }
    }
}

component!(Id);
