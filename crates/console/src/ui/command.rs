use super::{Icon, component};
use crate::i18n::Locale;
use askama::Template;

/// Lines for a terminal, with a button that copies them (where script runs).
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = r#"<div class="command"><pre tabindex="0" aria-label="{{ t.text("ui-command") }}"><code>{{ lines }}</code></pre><button class="copy" type="button" data-copy="{{ lines }}" data-copied="{{ t.text("ui-copied") }}" hidden>{{ Icon::Copy }}<span>{{ t.text("ui-copy") }}</span></button></div>"#
)]
pub struct Command {
    t: Locale,
    lines: String,
}

impl Command {
    /// These lines.
    pub fn new(t: Locale, lines: impl Into<String>) -> Self {
        Self { t, lines: lines.into() }
    }
}

component!(Command);
