//! Times as documents write them.

use crypto::UnixTime;
use time::{Date, Month, OffsetDateTime, Time, format_description::well_known::Rfc3339};

/// RFC 3339, or a date alone, which means its first second in UTC.
pub(crate) fn parse(text: &str) -> Option<UnixTime> {
    let text = text.trim();
    if let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some(UnixTime(time.unix_timestamp()));
    }
    // Some producers leave the zone out (SPDX tools, CycloneDX plug-ins): it is then UTC.
    if let Ok(time) = OffsetDateTime::parse(&format!("{text}Z"), &Rfc3339) {
        return Some(UnixTime(time.unix_timestamp()));
    }
    let mut parts = text.splitn(3, '-');
    let year = parts.next().filter(|year| year.len() == 4)?.parse().ok()?;
    let month = Month::try_from(parts.next()?.parse::<u8>().ok()?).ok()?;
    let day = parts.next()?.parse().ok()?;
    let date = Date::from_calendar_date(year, month, day).ok()?;
    Some(UnixTime(date.with_time(Time::MIDNIGHT).assume_utc().unix_timestamp()))
}

/// The same moment some calendar months later, on the last day of the month where the day does not
/// exist there.
pub(crate) fn plus_months(time: UnixTime, months: u32) -> Option<UnixTime> {
    let at = OffsetDateTime::from_unix_timestamp(time.0).ok()?;
    let count = u32::from(u8::from(at.month()) - 1).checked_add(months)?;
    let year = at.year().checked_add(i32::try_from(count / 12).ok()?)?;
    let month = Month::try_from(u8::try_from(count % 12 + 1).ok()?).ok()?;
    let day = at.day().min(month.length(year));
    let date = Date::from_calendar_date(year, month, day).ok()?;
    Some(UnixTime(date.with_time(at.time()).assume_utc().unix_timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let check = |text: &str, to: &str| {
            assert_eq!(parse(text).map(|time| time.to_string()).as_deref(), Some(to), "{text}");
        };
        check("2026-11-21T05:36:00Z", "2026-11-21T05:36:00Z");
        check("2026-11-21T05:36:00.25+09:00", "2026-11-20T20:36:00Z");
        check("2026-11-21T05:36:00", "2026-11-21T05:36:00Z");
        check("2024-02-29", "2024-02-29T00:00:00Z");
        for wrong in ["", "yesterday", "2025-02-29", "2025-13-01", "99999-01-01", "-1-1-1"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn months_end_where_the_calendar_does() {
        let check = |from: &str, months, to: &str| {
            let sum = plus_months(parse(from).unwrap(), months).unwrap();
            assert_eq!(sum.to_string(), to);
        };
        check("2027-01-31T10:00:00Z", 1, "2027-02-28T10:00:00Z");
        check("2028-01-31T10:00:00Z", 1, "2028-02-29T10:00:00Z");
        check("2026-12-15T23:59:59Z", 1, "2027-01-15T23:59:59Z");
        check("2026-10-31T00:00:00Z", 13, "2027-11-30T00:00:00Z");
        assert_eq!(plus_months(UnixTime(i64::MAX), 1), None);
    }
}
