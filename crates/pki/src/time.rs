//! Times of X.509 (RFC 5280 sections 4.1.2.5.1 and 4.1.2.5.2).

use crate::strict::{DerError, Reader, Result, tag};
use crypto::UnixTime;

/// First second of 2050: from here on GeneralizedTime, before it UTCTime.
pub(crate) const YEAR_2050: UnixTime = UnixTime(2_524_608_000);

/// A time, and whether its form is the one that RFC 5280 requires for its year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time {
    pub(crate) at: UnixTime,
    pub(crate) conforming: bool,
}

/// Reads a `Time`: UTCTime or GeneralizedTime, with seconds, in UTC, without fractions.
pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Time> {
    let tlv = reader.any()?;
    match tlv.tag {
        tag::UTC_TIME => {
            let (year, rest) = digits(tlv.value, 2)?;
            let year = if year >= 50 { 1900 + year } else { 2000 + year };
            Ok(Time { at: moment(year, rest)?, conforming: true })
        }
        tag::GENERALIZED_TIME => {
            let at = generalized(tlv.value)?;
            Ok(Time { at, conforming: at >= YEAR_2050 })
        }
        _ => Err(DerError("has a time that is neither UTCTime nor GeneralizedTime")),
    }
}

/// Contents of a GeneralizedTime: `YYYYMMDDHHMMSSZ`.
pub(crate) fn generalized(contents: &[u8]) -> Result<UnixTime> {
    let (year, rest) = digits(contents, 4)?;
    moment(year, rest)
}

const MALFORMED: DerError = DerError("has a time that is not in the form YYMMDDHHMMSSZ");

fn digits(bytes: &[u8], count: usize) -> Result<(i64, &[u8])> {
    let (number, rest) = bytes.split_at_checked(count).ok_or(MALFORMED)?;
    let mut sum = 0;
    for byte in number {
        if !byte.is_ascii_digit() {
            return Err(MALFORMED);
        }
        sum = sum * 10 + i64::from(byte - b'0');
    }
    Ok((sum, rest))
}

/// The moment `year` with `MMDDHHMMSSZ`.
fn moment(year: i64, rest: &[u8]) -> Result<UnixTime> {
    let (month, rest) = digits(rest, 2)?;
    let (day, rest) = digits(rest, 2)?;
    let (hour, rest) = digits(rest, 2)?;
    let (minute, rest) = digits(rest, 2)?;
    let (second, rest) = digits(rest, 2)?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    if rest != b"Z" || !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return Err(MALFORMED);
    }
    // Howard Hinnant, "chrono-compatible low-level date algorithms", days_from_civil.
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = (month + 9) % 12;
    let doy = (153 * mp + 2) / 5 + day - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    let days = era * 146_097 + doe - 719_468;
    Ok(UnixTime(days * 86_400 + hour * 3_600 + minute * 60 + second))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(tag: u8, text: &str) -> Result<Time> {
        let mut der = vec![tag, u8::try_from(text.len()).unwrap()];
        der.extend(text.bytes());
        read(&mut Reader::new(&der))
    }

    #[test]
    fn known_times() {
        let check = |tag, text: &str, want: &str, conforming| {
            let time = parse(tag, text).unwrap();
            assert_eq!((time.at.to_string().as_str(), time.conforming), (want, conforming));
        };
        check(tag::UTC_TIME, "491231235959Z", "2049-12-31T23:59:59Z", true);
        check(tag::UTC_TIME, "500101000000Z", "1950-01-01T00:00:00Z", true);
        check(tag::UTC_TIME, "000229120000Z", "2000-02-29T12:00:00Z", true);
        check(tag::GENERALIZED_TIME, "20500101000000Z", "2050-01-01T00:00:00Z", true);
        check(tag::GENERALIZED_TIME, "20491231235959Z", "2049-12-31T23:59:59Z", false);
        check(tag::GENERALIZED_TIME, "99991231235959Z", "9999-12-31T23:59:59Z", true);
        assert_eq!(generalized(b"99991231235959Z"), Ok(UnixTime::NEVER));
    }

    #[test]
    fn other_forms_are_refused() {
        for text in ["4912312359Z", "491231235959+0000", "491232235959Z", "490229000000Z", "49"] {
            assert!(parse(tag::UTC_TIME, text).is_err(), "{text}");
        }
        for text in ["20500101000000.5Z", "20500101000000", "20501301000000Z", "20500101240000Z"] {
            assert!(parse(tag::GENERALIZED_TIME, text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_second_survives(seconds in -62_167_219_200..=253_402_300_799_i64) {
            let (year, month, day, hour, minute, second) = UnixTime(seconds).civil().unwrap();
            let text = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
            proptest::prop_assert_eq!(generalized(text.as_bytes()), Ok(UnixTime(seconds)));
        }
    }
}
