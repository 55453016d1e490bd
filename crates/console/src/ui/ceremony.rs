use super::component;
use crate::i18n::Locale;
use askama::Template;

/// Attributes of a form that runs a ceremony with a passkey (`assets/passkey.js`): what the page
/// says where it does not work.
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = r#"method="post" data-cancelled="{{ t.text("passkey-cancelled") }}" data-failed="{{ t.text("passkey-failed") }}" data-known="{{ t.text("passkey-known") }}" data-unsupported="{{ t.text("passkey-unsupported") }}""#
)]
pub struct CeremonyAttributes {
    t: Locale,
}

impl CeremonyAttributes {
    /// In this language.
    pub fn new(t: Locale) -> Self {
        Self { t }
    }
}

component!(CeremonyAttributes);
