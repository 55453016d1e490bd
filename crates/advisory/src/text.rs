//! Foreign text on its way to a screen or a log.

/// One line of at most `most` characters: control characters, line separators and characters that
/// reorder a line become U+FFFD, what is too long ends with `…`.
pub(crate) fn line(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(most * 4));
    for (index, character) in text.trim().chars().enumerate() {
        if index + 1 >= most && text.trim().chars().nth(most).is_some() {
            out.push('…');
            break;
        }
        out.push(if is_forbidden(character) { char::REPLACEMENT_CHARACTER } else { character });
    }
    out
}

/// Whether text can be taken as an identifier: not empty, at most `most` bytes, nothing invisible.
pub(crate) fn is_plain(text: &str, most: usize) -> bool {
    !text.is_empty() && text.len() <= most && !text.chars().any(is_forbidden)
}

/// Whether a character is invisible or moves those beside it.
pub(crate) fn is_forbidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{061c}' | '\u{feff}'
                | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_becomes_one_line() {
        assert_eq!(line(" a\nb\u{202e}c ", 20), "a\u{fffd}b\u{fffd}c");
        assert_eq!(line("abcdef", 6), "abcdef");
        assert_eq!(line("abcdefg", 6), "abcde…");
        assert_eq!(line("", 6), "");
        assert!(
            is_plain("a b", 3)
                && !is_plain("", 3)
                && !is_plain("abcd", 3)
                && !is_plain("\u{200b}", 9)
        );
    }
}
