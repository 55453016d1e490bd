//! Names and words that people choose and other people judge by: nothing in them is invisible, turns
//! the direction of reading, or passes for a space.

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory, Ideographic, WhiteSpace},
};

/// Longest name of an organisation, member or product, in characters.
const NAME_CHARS_MAX: usize = 64;
/// Space of Japanese typography, between family name and given name.
const IDEOGRAPHIC_SPACE: char = '\u{3000}';
/// Looks like a space and is a letter.
const BRAILLE_BLANK: char = '\u{2800}';

/// Whether two names within an organisation mean the same human.
pub(crate) fn same_name(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Whether a text can be a name.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.chars().count())
        && name.trim() == name
        && shows_what_it_is(name)
        && !name.chars().zip(name.chars().skip(1)).any(|(one, two)| is_space(one) && is_space(two))
}

/// Whether all of a text can be seen as what it is: no control, format or private characters, none
/// that are commonly not shown, and no spaces but the two usual ones. Variants of ideographs
/// (Unicode section 23.4), which Japanese names need, may follow an ideograph.
pub(crate) fn shows_what_it_is(text: &str) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new();
    let hidden = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let white = CodePointSetData::new::<WhiteSpace>();
    let ideographs = CodePointSetData::new::<Ideographic>();
    let mut before = None;
    text.chars().all(|character| {
        let variant = is_variation_selector(character)
            && before.is_some_and(|before| ideographs.contains(before));
        before = Some(character);
        let bad = matches!(
            category.get(character),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
                | GeneralCategory::Surrogate
        ) || (hidden.contains(character) && !variant)
            || (white.contains(character) && !is_space(character))
            || character == BRAILLE_BLANK;
        !bad
    })
}

fn is_space(character: char) -> bool {
    [' ', IDEOGRAPHIC_SPACE].contains(&character)
}

fn is_variation_selector(character: char) -> bool {
    matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_people_pass_and_disguises_do_not() {
        for good in ["山田 花子", "山田　花子", "O'Neill", "Łukasz", "葛\u{e0100}城", "مريم", "a"]
        {
            assert!(is_name(good), "{good}");
        }
        for bad in [
            "",
            " a",
            "a ",
            "a  b",
            "a\nb",
            "admin\u{202e}txt",  // right-to-left override
            "\u{2066}a\u{2069}", // isolates
            "a\u{200b}b",        // zero-width space
            "a\u{200d}b",        // zero-width joiner
            "a\u{ad}b",          // soft hyphen
            "a\u{a0}b",          // no-break space
            "a\u{2003}b",        // em space
            "a\u{2028}b",        // line separator
            "a\u{3164}b",        // Hangul filler
            "a\u{34f}b",         // combining grapheme joiner
            "a\u{2800}b",        // Braille blank
            "a\u{fe0f}",         // variation selector behind a Latin letter
            "a\u{e0041}",        // tag
            "\u{feff}a",
        ] {
            assert!(!is_name(bad), "{bad:?}");
        }
        assert!(is_name(&"字".repeat(64)) && !is_name(&"字".repeat(65)));
    }

    proptest! {
        #[test]
        fn what_passes_has_no_hidden_character(text in "\\PC{0,70}|[\\u{2000}-\\u{206f} a]{0,8}") {
            if is_name(&text) {
                prop_assert!(!text.chars().any(char::is_control));
                let hidden = |c| matches!(c, '\u{200b}'..='\u{200f}'
                    | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
                prop_assert!(!text.chars().any(hidden));
                prop_assert_eq!(text.trim(), text.as_str());
            }
        }
    }
}
