//! The time of HTTP (RFC 9110 section 5.6.7): IMF-fixdate alone, which is what servers send.

use crypto::UnixTime;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn parse(text: &str) -> Option<UnixTime> {
    let (_, text) = text.split_once(", ")?;
    let mut words = text.strip_suffix(" GMT")?.split(' ');
    let (day, month, year, clock) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let number = |text: &str, digits: usize| -> Option<i64> {
        let right = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        right.then(|| text.parse().ok()).flatten()
    };
    let month = MONTHS.into_iter().position(|name| name == month)?;
    let (day, year) = (number(day, 2)?, number(year, 4)?);
    let mut parts = clock.split(':');
    let (hour, minute, second) =
        (number(parts.next()?, 2)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let sane = (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    if words.next().is_some() || parts.next().is_some() || !sane || year < 1970 {
        return None;
    }
    // Years that begin with March, so that the leap day is the last (proleptic Gregorian calendar).
    let month = i64::try_from(month).ok()?;
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    // Days from 0000-03-01 to 1970-01-01.
    let days = days - 719_468;
    Some(UnixTime(((days * 24 + hour) * 60 + minute) * 60 + second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates_of_http() {
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(UnixTime(784_111_777)));
        assert_eq!(parse("Thu, 01 Jan 1970 00:00:00 GMT"), Some(UnixTime(0)));
        assert_eq!(parse("Tue, 29 Feb 2028 23:59:59 GMT"), Some(UnixTime(1_835_481_599)));
        for wrong in [
            "",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov +994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 x GMT",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_second_is_read_as_it_is_written(at in 0i64..7_000_000_000) {
            let (year, month, day, hour, minute, second) = UnixTime(at).civil().unwrap();
            let month = MONTHS[usize::from(month) - 1];
            let text = format!("Mon, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT");
            prop_assert_eq!(parse(&text), Some(UnixTime(at)));
        }
    }
}
