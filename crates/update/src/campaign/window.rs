//! Hours in which devices may begin.

use crypto::UnixTime;
use jiff::{
    Timestamp,
    civil::Weekday,
    tz::{TimeZone, TimeZoneDatabase},
};

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;
/// How far the next opening is looked for: a week and a day, in minutes.
const AHEAD_MINUTES: i64 = 8 * 24 * 60;

/// Why hours are no maintenance window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// no such time zone
    #[error("{0:?} is no time zone of the IANA database, such as Asia/Tokyo")]
    Zone(String),
    /// no weekday
    #[error("a maintenance window has at least one weekday")]
    NoDay,
    /// hours out of range, or none
    #[error("a maintenance window begins and ends at different minutes of a day, 0 to 1439")]
    Hours,
}

/// A maintenance window: on these weekdays, from one minute of the day to another, in a time zone.
/// Where it ends at an earlier minute than it begins, it runs past midnight and belongs to the day on
/// which it began. In the hour that a change of clocks repeats or leaves out, the clock on the wall
/// counts.
#[derive(Clone, Debug)]
pub struct Window {
    zone: TimeZone,
    name: String,
    /// bit 0: Monday … bit 6: Sunday
    days: u8,
    from: u16,
    to: u16,
}

impl Window {
    /// A window. `days`: bit 0 for Monday to bit 6 for Sunday; `from` and `to` in minutes after
    /// midnight.
    ///
    /// # Errors
    /// [`WindowError`].
    pub fn new(zone: &str, days: u8, from: u16, to: u16) -> Result<Self, WindowError> {
        let unknown = || WindowError::Zone(zone.chars().take(64).collect());
        let found = TimeZoneDatabase::bundled().get(zone).map_err(|_| unknown())?;
        if days & 0x7f == 0 || days > 0x7f {
            return Err(WindowError::NoDay);
        }
        if from >= DAY_MINUTES || to >= DAY_MINUTES || from == to {
            return Err(WindowError::Hours);
        }
        let name = found.iana_name().unwrap_or(zone).to_owned();
        Ok(Self { zone: found, name, days, from, to })
    }

    /// Name of the time zone.
    pub fn zone(&self) -> &str {
        &self.name
    }

    /// Weekdays: bit 0 for Monday to bit 6 for Sunday.
    pub fn days(&self) -> u8 {
        self.days
    }

    /// Where it begins, in minutes after midnight.
    pub fn from(&self) -> u16 {
        self.from
    }

    /// Where it ends, in minutes after midnight.
    pub fn to(&self) -> u16 {
        self.to
    }

    /// Whether devices may begin at `now`.
    pub fn is_open(&self, now: UnixTime) -> bool {
        let Ok(at) = Timestamp::from_second(now.0) else { return false };
        let local = at.to_zoned(self.zone.clone());
        let Ok(hour) = u16::try_from(local.hour()) else { return false };
        let Ok(minute) = u16::try_from(local.minute()) else { return false };
        let minute = hour.saturating_mul(60).saturating_add(minute);
        let on = |day: Weekday| {
            let number = u32::try_from(day.to_monday_zero_offset()).unwrap_or(7);
            self.days.checked_shr(number).is_some_and(|days| days & 1 == 1)
        };
        let today = local.weekday();
        if self.from < self.to {
            on(today) && (self.from..self.to).contains(&minute)
        } else {
            (on(today) && minute >= self.from) || (on(today.previous()) && minute < self.to)
        }
    }

    /// When it opens next after `now`, to the minute; `None` where no time can be named.
    pub fn opens_after(&self, now: UnixTime) -> Option<UnixTime> {
        let minute = now.0.div_euclid(60);
        (1..=AHEAD_MINUTES)
            .map(|ahead| UnixTime(minute.saturating_add(ahead).saturating_mul(60)))
            .find(|at| self.is_open(*at))
    }
}

impl PartialEq for Window {
    fn eq(&self, other: &Self) -> bool {
        (self.name.as_str(), self.days, self.from, self.to)
            == (other.name.as_str(), other.days, other.from, other.to)
    }
}

impl Eq for Window {}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixTime {
        crate::parse_time(text).unwrap()
    }

    #[test]
    fn hours_are_those_of_the_zone() {
        // Monday to Friday, 22:00 to 4:00 in Tokyo: 13:00 to 19:00 UTC.
        let night = Window::new("Asia/Tokyo", 0b001_1111, 22 * 60, 4 * 60).unwrap();
        for (time, open) in [
            ("2026-11-20T12:59:59Z", false),
            ("2026-11-20T13:00:00Z", true),
            ("2026-11-20T18:59:59Z", true),
            ("2026-11-20T19:00:00Z", false),
            // Saturday evening is no weekday; the morning belonged to Friday.
            ("2026-11-21T13:30:00Z", false),
            // Sunday night into Monday: neither.
            ("2026-11-22T18:00:00Z", false),
            ("2026-11-23T13:00:00Z", true),
        ] {
            assert_eq!(night.is_open(at(time)), open, "{time}");
        }
        assert_eq!(night.opens_after(at("2026-11-20T19:00:00Z")), Some(at("2026-11-23T13:00:00Z")));
        // Summer time: nine in the morning is another UTC hour in July and in January.
        let berlin = Window::new("Europe/Berlin", 0x7f, 9 * 60, 10 * 60).unwrap();
        assert!(berlin.is_open(at("2026-07-01T07:30:00Z")));
        assert!(berlin.is_open(at("2026-01-01T08:30:00Z")));
        assert!(!berlin.is_open(at("2026-01-01T07:30:00Z")));
    }

    #[test]
    fn what_is_no_window_is_refused() {
        assert_eq!(
            Window::new("Tokyo/Asia", 1, 0, 60),
            Err(WindowError::Zone("Tokyo/Asia".into()))
        );
        assert_eq!(Window::new("Asia/Tokyo", 0, 0, 60), Err(WindowError::NoDay));
        assert_eq!(Window::new("Asia/Tokyo", 0x80, 0, 60), Err(WindowError::NoDay));
        assert_eq!(Window::new("Asia/Tokyo", 1, 60, 60), Err(WindowError::Hours));
        assert_eq!(Window::new("Asia/Tokyo", 1, 0, 1440), Err(WindowError::Hours));
    }
}
