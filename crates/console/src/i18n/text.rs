use super::{Argument, Locale, area::TEXTS};
use askama::filters::HtmlSafe;
use fluent_bundle::{FluentArgs, FluentValue};
use std::{borrow::Cow, fmt};

/// A message that is formatted where it is shown. Templates escape it like any text.
#[derive(Debug, Clone)]
pub struct Text<'k> {
    locale: Locale,
    key: Cow<'k, str>,
    arguments: Vec<(&'k str, FluentValue<'static>)>,
}

impl<'k> Text<'k> {
    pub(super) fn new(locale: Locale, key: &'k str) -> Self {
        Self { locale, key: Cow::Borrowed(key), arguments: Vec::new() }
    }

    pub(super) fn owned(locale: Locale, key: String) -> Self {
        Self { locale, key: Cow::Owned(key), arguments: Vec::new() }
    }

    /// With an argument: `$name` in the message.
    #[must_use]
    pub fn arg(mut self, name: &'k str, value: impl Argument) -> Self {
        self.arguments.push((name, value.value()));
        self
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bundle = TEXTS.bundle(self.locale.language);
        let Some(pattern) = bundle.get_message(&self.key).and_then(|message| message.value())
        else {
            tracing::error!(key = %self.key, "a text is missing");
            return f.write_str(&self.key);
        };
        let arguments: FluentArgs<'_> =
            self.arguments.iter().map(|(name, value)| (*name, value.clone())).collect();
        let mut errors = Vec::new();
        bundle.write_pattern(f, pattern, Some(&arguments), &mut errors)?;
        if !errors.is_empty() {
            tracing::error!(key = %self.key, ?errors, "a text lacks an argument");
        }
        Ok(())
    }
}

impl From<Text<'_>> for String {
    fn from(text: Text<'_>) -> Self {
        text.to_string()
    }
}

/// A message with markup of our own, such as `<strong>` or `<a href="{ $href }">`. Arguments are
/// escaped when they are given, the message itself is not.
#[derive(Debug, Clone)]
pub struct Markup<'k>(pub(super) Text<'k>);

impl<'k> Markup<'k> {
    /// With an argument.
    #[must_use]
    pub fn arg(self, name: &'k str, value: impl Argument) -> Self {
        let value = match value.value() {
            FluentValue::String(text) => FluentValue::from(escape(&text)),
            other => other,
        };
        let mut text = self.0;
        text.arguments.push((name, value));
        Self(text)
    }
}

impl fmt::Display for Markup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl HtmlSafe for Markup<'_> {}

/// Text as it may stand in HTML, attributes included.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Numbers in texts have their digits grouped, as [`Locale::number`] does it.
pub(super) fn format_number<M>(value: &FluentValue<'_>, _memory: &M) -> Option<String> {
    match value {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "only whole numbers are given to texts"
        )]
        FluentValue::Number(number) if number.value.fract() == 0.0 => {
            Some(grouped(number.value as i128))
        }
        _ => None,
    }
}

/// 1,234,567: the same in both languages.
pub(super) fn grouped(number: i128) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('−');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Language;

    #[test]
    fn digits_are_grouped() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (-1000, "−1,000")]
        {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn markup_escapes_its_arguments_only() {
        let t = Locale::new(Language::En);
        let shown = t.markup("frame-signed-in-as").arg("name", "<b>\"a\"&'").to_string();
        assert!(shown.contains("&lt;b&gt;&quot;a&quot;&amp;&#39;"), "{shown}");
        assert!(shown.contains("<strong>"), "{shown}");
    }

    #[test]
    fn a_missing_key_shows_itself() {
        assert_eq!(Locale::new(Language::Ja).text("no-such-key").to_string(), "no-such-key");
    }
}
