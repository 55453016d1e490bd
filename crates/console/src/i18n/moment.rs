use super::{Language, Locale};
use askama::filters::HtmlSafe;
use crypto::UnixTime;
use std::fmt;
use time::{Date, format_description::well_known::Iso8601};

/// A time zone: minutes east of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zone(i16);

impl Zone {
    /// Universal time.
    pub const UTC: Self = Self(0);
    /// Japan.
    pub const JST: Self = Self(9 * 60);
    /// What can be chosen: whole hours, and the halves and quarters in use.
    pub const MINUTES: [i16; 37] = [
        -720, -660, -600, -570, -540, -480, -420, -360, -300, -240, -210, -180, -120, -60, 0, 60,
        120, 180, 210, 240, 270, 300, 330, 345, 360, 390, 420, 480, 525, 540, 570, 600, 630, 660,
        720, 780, 840,
    ];

    /// What readers of a language expect where they have not chosen.
    pub const fn usual(language: Language) -> Self {
        match language {
            Language::En => Self::UTC,
            Language::Ja => Self::JST,
        }
    }

    /// From minutes east of UTC, where it is a zone that is in use.
    pub fn parse(minutes: &str) -> Option<Self> {
        let minutes = minutes.parse().ok()?;
        Self::MINUTES.contains(&minutes).then_some(Self(minutes))
    }

    /// Minutes east of UTC.
    pub const fn minutes(self) -> i16 {
        self.0
    }

    /// The first second of a day here, as date fields send it: `2026-11-21`.
    pub fn midnight(self, day: &str) -> Option<UnixTime> {
        // Nothing else that ISO 8601 knows.
        let date = Date::parse(day, &Iso8601::DATE).ok().filter(|_| day.len() == 10)?;
        let utc = date.midnight().assume_utc().unix_timestamp();
        Some(UnixTime(utc.checked_sub(i64::from(self.0).checked_mul(60)?)?))
    }

    /// The day of a time here, as date fields take it.
    pub fn day(self, time: UnixTime) -> String {
        match time.plus(i64::from(self.0) * 60).civil() {
            Some((year, month, day, ..)) => format!("{year:04}-{month:02}-{day:02}"),
            None => String::new(),
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UTC => f.write_str("UTC"),
            Self::JST => f.write_str("JST"),
            Self(minutes) => {
                let sign = if minutes < 0 { '−' } else { '+' };
                let minutes = minutes.unsigned_abs();
                write!(f, "UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

/// A time as people read it: a `<time>` element with the exact time in it.
#[derive(Debug, Clone)]
pub struct Moment {
    time: UnixTime,
    text: String,
    title: Option<String>,
}

impl Moment {
    pub(super) fn time(locale: Locale, time: UnixTime) -> Self {
        Self { time, text: date_time(locale, time), title: Some(exact(time)) }
    }

    pub(super) fn date(locale: Locale, time: UnixTime) -> Self {
        Self { time, text: date(locale, time), title: Some(exact(time)) }
    }

    pub(super) fn ago(locale: Locale, time: UnixTime, now: UnixTime) -> Self {
        let text = distance(locale, now.since(time));
        Self { time, text, title: Some(date_time(locale, time)) }
    }

    /// The text alone, without the element.
    pub fn plain(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<time datetime=\"{}\"", self.time)?;
        if let Some(title) = &self.title {
            write!(f, " title=\"{title}\"")?;
        }
        write!(f, ">{}</time>", self.text)
    }
}

// Digits, zone names and texts of ours only.
impl HtmlSafe for Moment {}

fn exact(time: UnixTime) -> String {
    time.to_string()
}

fn local(locale: Locale, time: UnixTime) -> Option<(u16, u8, u8, u8, u8, u8)> {
    time.plus(i64::from(locale.zone.minutes()) * 60).civil()
}

fn never(locale: Locale, time: UnixTime) -> Option<String> {
    (time >= UnixTime::NEVER).then(|| locale.text("frame-time-never").to_string())
}

fn date(locale: Locale, time: UnixTime) -> String {
    if let Some(never) = never(locale, time) {
        return never;
    }
    match (local(locale, time), locale.language) {
        (Some((year, month, day, ..)), Language::En) => format!("{year:04}-{month:02}-{day:02}"),
        (Some((year, month, day, ..)), Language::Ja) => format!("{year}年{month}月{day}日"),
        (None, _) => time.to_string(),
    }
}

/// Month and day, for axes.
pub(super) fn day(locale: Locale, time: UnixTime) -> String {
    match (local(locale, time), locale.language) {
        (Some((_, month, day, ..)), Language::En) => format!("{month:02}-{day:02}"),
        (Some((_, month, day, ..)), Language::Ja) => format!("{month}/{day}"),
        (None, _) => time.to_string(),
    }
}

/// Hour and minute, for axes.
pub(super) fn clock(locale: Locale, time: UnixTime) -> String {
    match local(locale, time) {
        Some((_, _, _, hour, minute, _)) => format!("{hour:02}:{minute:02}"),
        None => time.to_string(),
    }
}

fn date_time(locale: Locale, time: UnixTime) -> String {
    if let Some(never) = never(locale, time) {
        return never;
    }
    match local(locale, time) {
        Some((_, _, _, hour, minute, _)) => {
            format!("{} {hour:02}:{minute:02} {}", date(locale, time), locale.zone)
        }
        None => time.to_string(),
    }
}

/// Roughly how long; `seconds` is positive for the past.
fn distance(locale: Locale, seconds: i64) -> String {
    let size = seconds.unsigned_abs();
    let (unit, count) = match size {
        0..60 => return locale.text("frame-time-now").to_string(),
        60..3_600 => ("minutes", size / 60),
        3_600..86_400 => ("hours", size / 3_600),
        86_400..5_184_000 => ("days", size / 86_400),
        5_184_000..63_072_000 => ("months", size / 2_592_000),
        _ => ("years", size / 31_536_000),
    };
    let tense = if seconds >= 0 { "ago" } else { "ahead" };
    let family = locale.word(tense, unit);
    family.arg("count", count).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21T05:36:00Z
    const THEN: UnixTime = UnixTime(1_795_239_360);

    #[test]
    fn times_are_shown_in_language_and_zone() {
        let en = Locale::new(Language::En);
        let ja = Locale::new(Language::Ja);
        assert_eq!(
            en.time(THEN).to_string(),
            "<time datetime=\"2026-11-21T05:36:00Z\" title=\"2026-11-21T05:36:00Z\">\
             2026-11-21 05:36 UTC</time>"
        );
        assert_eq!(ja.time(THEN).plain(), "2026年11月21日 14:36 JST");
        assert_eq!(ja.date(THEN).plain(), "2026年11月21日");
        let late = UnixTime(THEN.0 + 12 * 3600);
        assert_eq!(ja.date(late).plain(), "2026年11月22日", "the day of the reader's zone");
        let west = Locale { zone: Zone::parse("-570").unwrap(), ..en };
        assert_eq!(west.time(THEN).plain(), "2026-11-20 20:06 UTC−09:30");
        assert_eq!(en.date(UnixTime::NEVER).plain(), "no end");
        assert_eq!(ja.date(UnixTime(i64::MAX)).plain(), "無期限");
    }

    #[test]
    fn distances_read_well() {
        let en = Locale::new(Language::En);
        let ja = Locale::new(Language::Ja);
        for (seconds, english, japanese) in [
            (0, "just now", "たった今"),
            (61, "1 minute ago", "1分前"),
            (7_200, "2 hours ago", "2時間前"),
            (-86_400 * 30, "in 30 days", "30日後"),
            (86_400 * 365 * 3, "3 years ago", "3年前"),
        ] {
            let now = UnixTime(THEN.0 + seconds);
            assert_eq!(en.ago(THEN, now).plain(), english);
            assert_eq!(ja.ago(THEN, now).plain(), japanese);
        }
    }

    #[test]
    fn only_zones_in_use_are_read() {
        assert_eq!(Zone::parse("540"), Some(Zone::JST));
        for wrong in ["", "541", "99999", "abc", "-"] {
            assert_eq!(Zone::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_day_begins_at_the_readers_midnight() {
        let day = UnixTime(1_795_219_200);
        assert_eq!(Zone::UTC.midnight("2026-11-21"), Some(day));
        assert_eq!(Zone::JST.midnight("2026-11-21"), Some(day.plus(-9 * 3600)));
        for wrong in ["2026-13-01", "21.11.2026", "2026-11-21T00:00", "-", "9999999-01-01"] {
            assert_eq!(Zone::UTC.midnight(wrong), None, "{wrong}");
        }
        for zone in [Zone::UTC, Zone::JST] {
            assert_eq!(zone.midnight(&zone.day(day)).map(|at| zone.day(at)), Some(zone.day(day)));
        }
    }
}
