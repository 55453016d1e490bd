use crate::Refusal;
use device::Language;
use serde::Deserialize;

/// Longest text of one field, in characters: half a printed page.
pub const TEXT_CHARACTERS_MAX: usize = 4_000;

/// A text in both languages, as catalogues hold it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bilingual {
    /// English
    pub en: String,
    /// 日本語
    pub ja: String,
}

impl Bilingual {
    /// The text in `language`.
    pub fn of(&self, language: Language) -> &str {
        match language {
            Language::En => &self.en,
            Language::Ja => &self.ja,
        }
    }

    /// What is wrong with it, if anything: empty, too long, or characters that do not print.
    pub(crate) fn fault(&self) -> Option<String> {
        if !self.ja.chars().any(is_japanese) {
            return Some("the text under `ja` is not in Japanese".to_owned());
        }
        if self.en.chars().any(is_japanese) {
            return Some("the text under `en` is not in English".to_owned());
        }
        fault(&self.en).or_else(|| fault(&self.ja))
    }
}

/// What is wrong with a text that people typed, if anything.
pub(crate) fn fault(text: &str) -> Option<String> {
    refusal(text).map(|refusal| refusal.to_string())
}

/// The same, in both languages.
pub(crate) fn refusal(text: &str) -> Option<Refusal> {
    if text.trim().is_empty() {
        return Some(Refusal::EmptyText);
    }
    if text.chars().count() > TEXT_CHARACTERS_MAX {
        return Some(Refusal::LongText);
    }
    let bad = text.chars().find(|c| !prints(*c))?;
    Some(Refusal::HiddenCharacter(u32::from(bad)))
}

/// Whether a terminal and a page show `c` as what it is: no controls, and nothing that turns the
/// direction of writing or hides.
pub(crate) fn prints(c: char) -> bool {
    match c {
        '\n' => true,
        '\u{200B}'..='\u{200F}'
        | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}'
        | '\u{FEFF}' => false,
        _ => !c.is_control(),
    }
}

fn is_japanese(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{30FF}' | '\u{4E00}'..='\u{9FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(en: &str, ja: &str) -> Bilingual {
        Bilingual { en: en.to_owned(), ja: ja.to_owned() }
    }

    #[test]
    fn both_languages_are_asked_for_and_told_apart() {
        assert_eq!(both("Keys are unique", "鍵は機器ごとに固有である").fault(), None);
        assert!(both("Keys are unique", "Keys are unique").fault().is_some());
        assert!(both("鍵は固有である", "鍵は固有である").fault().is_some());
        assert!(both("", "鍵は固有である").fault().is_some());
    }

    #[test]
    fn what_does_not_print_is_refused() {
        assert!(fault("a\u{1b}[2J").is_some());
        assert!(fault("a\u{202e}b").is_some());
        assert_eq!(fault("two\nlines"), None);
        assert!(fault(&"x".repeat(TEXT_CHARACTERS_MAX + 1)).is_some());
        assert_eq!(fault(&"x".repeat(TEXT_CHARACTERS_MAX)), None);
    }
}
