use crate::named::named;

named! {
    /// A language that texts are written in.
    pub enum Language: "language" {
        /// 日本語
        Ja = 1 "ja",
        /// English
        En = 2 "en",
    }
}

/// A text in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// 日本語
    pub ja: &'static str,
    /// English
    pub en: &'static str,
}

impl Text {
    /// The text in `language`.
    pub fn of(self, language: Language) -> &'static str {
        match language {
            Language::Ja => self.ja,
            Language::En => self.en,
        }
    }
}

pub(crate) const fn text(ja: &'static str, en: &'static str) -> Text {
    Text { ja, en }
}
