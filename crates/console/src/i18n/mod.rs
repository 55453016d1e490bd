//! What people read, in Japanese and English (OP-4): Project Fluent messages, dates and numbers.
//!
//! A template asks [`Locale`] and never fails: `{{ t.text("devices-title") }}`, with arguments
//! `{{ t.text("devices-count").arg("count", n) }}`. Texts stand in `locales/{en,ja}/AREA.ftl`. Tests
//! (`tests/it/texts.rs`) find keys that are missing, unknown, unused or differ in their arguments.

mod area;
mod argument;
mod families;
mod moment;
mod text;

pub use area::{AREAS, Area};
pub use argument::Argument;
pub use device::Language;
pub use families::{FAMILIES, family_has};
pub use moment::{Moment, Zone};
pub(crate) use text::escape;
pub use text::{Markup, Text};

use area::TEXTS;
use crypto::UnixTime;

/// Who reads: language and time zone. Cheap to copy; called `t` in templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locale {
    /// language of all texts
    pub language: Language,
    /// zone in which times are shown
    pub zone: Zone,
}

impl Locale {
    /// In this language, with its usual time zone.
    pub const fn new(language: Language) -> Self {
        Self { language, zone: Zone::usual(language) }
    }

    /// BCP 47 tag, for `lang`.
    pub fn tag(self) -> &'static str {
        self.language.name()
    }

    /// The message of this key. Give arguments with [`Text::arg`].
    pub fn text<'k>(self, key: &'k str) -> Text<'k> {
        Text::new(self, key)
    }

    /// The message of a value that belongs to a family: `t.word("standing", "active")` is the
    /// message `standing-active`. Families are listed in [`FAMILIES`].
    pub fn word(self, family: &str, value: &str) -> Text<'static> {
        Text::owned(self, format!("{family}-{value}"))
    }

    /// A message that holds markup of ours; its arguments are escaped.
    pub fn markup<'k>(self, key: &'k str) -> Markup<'k> {
        Markup(Text::new(self, key))
    }

    /// Whether there is such a message.
    pub fn has(self, key: &str) -> bool {
        TEXTS.bundle(self.language).has_message(key)
    }

    /// Of a text in both languages, the one to read.
    pub fn of(self, text: device::Text) -> &'static str {
        text.of(self.language)
    }

    /// A number with its digits grouped.
    pub fn number(self, number: impl Into<i128>) -> String {
        text::grouped(number.into())
    }

    /// `part` of `whole` in per cent, without decimals; "–" of nothing.
    pub fn percent(self, part: u64, whole: u64) -> String {
        match u128::from(part).checked_mul(100).and_then(|p| p.checked_div(u128::from(whole))) {
            Some(0) if part > 0 => "<1%".to_owned(),
            Some(percent) => format!("{percent}%"),
            None => "–".to_owned(),
        }
    }

    /// Date and time with the zone, as a `<time>` element.
    pub fn time(self, time: UnixTime) -> Moment {
        Moment::time(self, time)
    }

    /// The date alone, as a `<time>` element.
    pub fn date(self, time: UnixTime) -> Moment {
        Moment::date(self, time)
    }

    /// Month and day, for axes.
    pub fn day(self, time: UnixTime) -> String {
        moment::day(self, time)
    }

    /// Hour and minute, for axes.
    pub fn clock(self, time: UnixTime) -> String {
        moment::clock(self, time)
    }

    /// How long ago or ahead, roughly; as a `<time>` element whose title is the exact time.
    pub fn ago(self, time: UnixTime, now: UnixTime) -> Moment {
        Moment::ago(self, time, now)
    }
}

/// Loads every text, so that the first page does not wait for it.
pub(crate) fn load() {
    std::sync::LazyLock::force(&TEXTS);
}

/// Of two values, the one of the language.
pub(crate) fn choose<T>(language: Language, en: T, ja: T) -> T {
    match language {
        Language::En => en,
        Language::Ja => ja,
    }
}

/// Name of a language in itself.
pub fn own_name(language: Language) -> &'static str {
    match language {
        Language::En => "English",
        Language::Ja => "日本語",
    }
}
