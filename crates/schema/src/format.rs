//! The formats of JSON Schema that are looked at (2020-12 validation, section 7.3).

use core::net::{Ipv4Addr, Ipv6Addr};

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    DateTime,
    Date,
    Time,
    Email,
    Hostname,
    Ipv4,
    Ipv6,
    Uri,
    Uuid,
}

impl Format {
    pub(crate) const ALL: [Self; 9] = [
        Self::DateTime,
        Self::Date,
        Self::Time,
        Self::Email,
        Self::Hostname,
        Self::Ipv4,
        Self::Ipv6,
        Self::Uri,
        Self::Uuid,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DateTime => "date-time",
            Self::Date => "date",
            Self::Time => "time",
            Self::Email => "email",
            Self::Hostname => "hostname",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Uri => "uri",
            Self::Uuid => "uuid",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    pub(crate) fn holds(self, text: &str) -> bool {
        match self {
            Self::DateTime => text
                .split_once(['T', 't'])
                .is_some_and(|(day, time)| date(day) && time_of_day(time)),
            Self::Date => date(text),
            Self::Time => time_of_day(text),
            Self::Email => text.rsplit_once('@').is_some_and(|(local, domain)| {
                let atom =
                    |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
                let dots =
                    !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
                !local.is_empty()
                    && local.len() <= 64
                    && dots
                    && local.chars().all(atom)
                    && hostname(domain)
            }),
            Self::Hostname => hostname(text),
            Self::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Self::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Self::Uri => uri(text),
            Self::Uuid => {
                text.len() == 36
                    && text.char_indices().all(|(at, c)| match at {
                        8 | 13 | 18 | 23 => c == '-',
                        _ => c.is_ascii_hexdigit(),
                    })
            }
        }
    }
}

/// Figures and nothing else, that many.
fn figures(text: &str, count: usize) -> Option<u32> {
    let all = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

/// RFC 3339 `full-date`.
fn date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let (Some(year), Some(month), Some(day)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let (Some(year), Some(month), Some(day)) =
        (figures(year, 4), figures(month, 2), figures(day, 2))
    else {
        return false;
    };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let most = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=most).contains(&day)
}

/// RFC 3339 `full-time`; a 60th second where the day ends in UTC.
fn time_of_day(text: &str) -> bool {
    let (clock, away) = match text.strip_suffix(['Z', 'z']) {
        Some(clock) => (clock, 0_i32),
        None => {
            let Some(at) = text.rfind(['+', '-']) else { return false };
            let Some((clock, zone)) = text.split_at_checked(at) else { return false };
            let minutes = zone.get(1..).and_then(hours_minutes);
            let Some(minutes) = minutes else { return false };
            (clock, if zone.starts_with('+') { minutes } else { minutes.saturating_neg() })
        }
    };
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (clock, None),
    };
    if fraction.is_some_and(|it| it.is_empty() || !it.bytes().all(|byte| byte.is_ascii_digit())) {
        return false;
    }
    let Some((clock, seconds)) = clock.rsplit_once(':') else { return false };
    let (Some(minutes), Some(seconds)) = (hours_minutes(clock), figures(seconds, 2)) else {
        return false;
    };
    let in_utc = minutes.saturating_sub(away).rem_euclid(24 * 60);
    seconds < 60 || (seconds == 60 && in_utc == 23 * 60 + 59)
}

fn hours_minutes(text: &str) -> Option<i32> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes) = (figures(hours, 2)?, figures(minutes, 2)?);
    let all = hours.checked_mul(60)?.checked_add(minutes)?;
    if hours < 24 && minutes < 60 { i32::try_from(all).ok() } else { None }
}

/// RFC 1123.
fn hostname(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    !text.is_empty() && text.len() <= 253 && text.split('.').all(label)
}

/// RFC 3986: a scheme, and characters that a URI may have.
fn uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let starts = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let named = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let mut left = rest.bytes();
    let mut good = true;
    while let Some(byte) = left.next() {
        good &= match byte {
            b'%' => {
                let hex = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit());
                hex(left.next()) && hex(left.next())
            }
            _ => byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&byte),
        };
    }
    starts && named && good && rest.matches('#').count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_hold_what_they_are_and_nothing_else() {
        let table: [(Format, &[&str], &[&str]); 9] = [
            (
                Format::DateTime,
                &["2026-11-22T10:00:00Z", "1998-12-31T23:59:60Z", "1998-12-31T15:59:60.1-08:00"],
                &["2026-02-30T10:00:00Z", "2026-11-22 10:00:00Z", "1998-12-31T22:59:60Z", "T", ""],
            ),
            (Format::Date, &["2024-02-29"], &["2023-02-29", "2024-2-9", "24-02-09", "2024-13-01"]),
            (
                Format::Time,
                &["08:30:06.28Z", "08:30:06+09:00"],
                &["08:30:06", "24:00:00Z", "8:30:06Z", "08:30:06.Z"],
            ),
            (Format::Email, &["a.b+c@example.org"], &["a", "@b", "a@", ".a@b", "a..b@c", "a b@c"]),
            (Format::Hostname, &["a", "a-b.example"], &["", "-a", "a_b", "a..b", "a."]),
            (Format::Ipv4, &["192.0.2.1"], &["192.0.2", "256.0.0.1", "192.0.2.01"]),
            (Format::Ipv6, &["2001:db8::1", "::"], &["2001:db8", "::1%eth0", "12345::"]),
            (
                Format::Uri,
                &["http://a/b?c#d", "urn:x:y"],
                &["a", "//a", "http://a b", "x:%zz", "1a:b"],
            ),
            (
                Format::Uuid,
                &["2eb8aa08-aa98-11ea-b4aa-73b441d16380"],
                &["2eb8aa08aa9811eab4aa73b441d16380", ""],
            ),
        ];
        for (format, good, bad) in table {
            assert!(good.iter().all(|text| format.holds(text)), "{format:?}");
            for text in bad {
                assert!(!format.holds(text), "{format:?} {text}");
            }
        }
    }
}
