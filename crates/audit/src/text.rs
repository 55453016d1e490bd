use std::fmt;

/// Longest [`Text`], in bytes: an identifier, a name, a reason; never a document.
pub const TEXT_BYTES_MAX: usize = 256;

/// Longest [`Key`], in bytes.
pub const KEY_BYTES_MAX: usize = 32;

/// Text that is safe in a log: at most [`TEXT_BYTES_MAX`] bytes and without control characters,
/// line separators or characters that reorder the line on screen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text(String);

impl Text {
    /// Makes any text fit: replaces forbidden characters by U+FFFD, ends what is too long with
    /// `…`. Never fails: an attacker must not be able to keep an event out of the log.
    pub fn new(text: &str) -> Self {
        // Whatever is beyond this many characters cannot fit, whatever it is.
        let mut clean = String::new();
        for character in text.chars().take(TEXT_BYTES_MAX + 1) {
            clean.push(if forbidden(character) { char::REPLACEMENT_CHARACTER } else { character });
        }
        if clean.len() > TEXT_BYTES_MAX {
            let room = TEXT_BYTES_MAX - '…'.len_utf8();
            let mut short = String::with_capacity(TEXT_BYTES_MAX);
            for character in clean.chars() {
                if short.len() + character.len_utf8() > room {
                    break;
                }
                short.push(character);
            }
            short.push('…');
            clean = short;
        }
        Self(clean)
    }

    /// Takes text that fits as it is.
    pub(crate) fn exact(text: &str) -> Option<Self> {
        (text.len() <= TEXT_BYTES_MAX && !text.chars().any(forbidden))
            .then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Name of a detail: `[a-z][a-z0-9_]*`, at most [`KEY_BYTES_MAX`] bytes. Keys are written by
/// programmers, so a wrong one is mended rather than refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// Makes any name fit: lower case, `_` for what is not allowed, cut to length.
    pub fn new(name: &str) -> Self {
        let mut key: String = name
            .chars()
            .take(KEY_BYTES_MAX)
            .map(|c| c.to_ascii_lowercase())
            .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '_' })
            .collect();
        if !key.starts_with(|c: char| c.is_ascii_lowercase()) {
            key.insert(0, 'x');
            key.truncate(KEY_BYTES_MAX);
        }
        Self(key)
    }

    pub(crate) fn exact(name: &str) -> Option<Self> {
        let key = Self::new(name);
        (key.0 == name).then_some(key)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn forbidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            // line and paragraph separators; bidirectional marks, embeddings, overrides, isolates
            '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{061c}'
                | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_becomes_one_safe_line() {
        let check = |from: &str, to: &str| assert_eq!(Text::new(from).as_str(), to);
        check("maker-a/芯片", "maker-a/芯片");
        check("a\r\nforged: line", "a\u{fffd}\u{fffd}forged: line");
        check("right\u{202e}left", "right\u{fffd}left");
        assert_eq!(Text::new(&"a".repeat(256)).as_str().len(), 256);
        let cut = Text::new(&"é".repeat(200));
        assert!(cut.as_str().len() <= TEXT_BYTES_MAX && cut.as_str().ends_with('…'));
        let grown = Text::new(&"\n".repeat(100));
        assert!(grown.as_str().len() <= TEXT_BYTES_MAX && grown.as_str().ends_with('…'));
    }

    #[test]
    fn any_key_becomes_a_key() {
        let check = |from: &str, to: &str| assert_eq!(Key::new(from).as_str(), to);
        check("reason", "reason");
        check("Not After", "not_after");
        check("9lives", "x9lives");
        check("", "x");
        assert_eq!(Key::new(&"9".repeat(99)).as_str().len(), KEY_BYTES_MAX);
        assert_eq!(Key::exact("Not After"), None);
    }
}
