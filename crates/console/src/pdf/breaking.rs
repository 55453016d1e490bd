//! Where lines break: between words, between Japanese characters, and not before or after those that
//! must not begin or end a line (JIS X 4051, the usual part of it).

/// They do not begin a line.
const NOT_FIRST: &str = "、。，．・：；？！ー―…‥）」』】〕〉》”’〟々ゝゞヽヾぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ％℃,.:;?!)]}%";
/// They do not end a line.
const NOT_LAST: &str = "（「『【〔〈《“‘〝([{";

/// Whether lines may break on both sides of a character without a space.
fn is_wide(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ff60}' | '\u{20000}'..='\u{3fffd}')
}

/// Pieces that do not break, each with the spaces after it.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut before: Option<char> = None;
    for c in text.chars() {
        let breaks = match before {
            None => true,
            Some(last) => {
                let between = is_wide(last) || is_wide(c);
                c != ' '
                    && (last == ' ' || between)
                    && !NOT_FIRST.contains(c)
                    && !NOT_LAST.contains(last)
            }
        };
        match pieces.last_mut() {
            Some(piece) if !breaks => piece.push(c),
            _ => pieces.push(c.to_string()),
        }
        before = Some(c);
    }
    pieces
}

/// The lines of a text that are no wider than `width`. A piece that is wider by itself is cut.
pub(super) fn lines(text: &str, width: f32, measure: impl Fn(&str) -> f32) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for piece in pieces(paragraph) {
            let together = format!("{line}{piece}");
            if measure(together.trim_end()) <= width {
                line = together;
                continue;
            }
            if !line.is_empty() {
                lines.push(line.trim_end().to_owned());
                line = String::new();
            }
            for c in piece.chars() {
                let together = format!("{line}{c}");
                if !line.is_empty() && measure(together.trim_end()) > width {
                    lines.push(line.trim_end().to_owned());
                    line = String::new();
                }
                line.push(c);
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Each ASCII character is 1 wide, each other 2.
    fn measure(text: &str) -> f32 {
        text.chars().map(|c| if c.is_ascii() { 1.0 } else { 2.0 }).sum()
    }

    #[test]
    fn lines_break_where_they_may() {
        for (text, width, expected) in [
            ("one two three", 7.0, &["one two", "three"][..]),
            ("認証機能、暗号化", 8.0, &["認証機", "能、暗号", "化"]),
            ("鍵（秘密）を守る", 6.0, &["鍵（秘", "密）を", "守る"]),
            ("abcdefghij", 4.0, &["abcd", "efgh", "ij"]),
            ("a\nb", 9.0, &["a", "b"]),
            ("", 9.0, &[""]),
        ] {
            assert_eq!(lines(text, width, measure), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_too_wide(text in "[a-zあ-ん亜（）、。 ]{0,60}", width in 2_u8..30) {
            let width = f32::from(width);
            let found = lines(&text, width, measure);
            let plain = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(plain(&found.concat()), plain(&text));
            for line in &found {
                prop_assert!(measure(line) <= width || line.chars().count() == 1, "{line:?}");
            }
        }
    }
}
