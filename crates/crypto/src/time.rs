use std::fmt;

/// Seconds since 1970-01-01T00:00:00Z, without leap seconds. Time is a parameter everywhere: only
/// binaries and the server's clock make one from the machine's clock (invariant 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixTime(pub i64);

impl UnixTime {
    /// 99991231235959Z: "no well-defined expiration" (RFC 5280 section 4.1.2.5, IEEE 802.1AR).
    pub const NEVER: Self = Self(253_402_300_799);

    /// This time plus `seconds`, saturating.
    pub fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` to this time, negative where it is later.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Year, month, day, hour, minute, second in UTC; `None` outside the years 0 to 9999.
    pub fn civil(self) -> Option<(u16, u8, u8, u8, u8, u8)> {
        let days = self.0.div_euclid(86_400);
        let rest = self.0.rem_euclid(86_400);
        // Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
        let z = days.checked_add(719_468)?;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + i64::from(month <= 2);
        let year = u16::try_from(year).ok().filter(|year| *year <= 9999)?;
        let small = |value: i64| u8::try_from(value).ok();
        Some((
            year,
            small(month)?,
            small(day)?,
            small(rest / 3600)?,
            small(rest / 60 % 60)?,
            small(rest % 60)?,
        ))
    }
}

impl fmt::Display for UnixTime {
    /// RFC 3339, UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.civil() {
            Some((year, month, day, hour, minute, second)) => {
                write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
            }
            None => write!(f, "{} s since 1970", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_known_times() {
        let check = |seconds, text: &str| assert_eq!(UnixTime(seconds).to_string(), text);
        check(0, "1970-01-01T00:00:00Z");
        check(951_782_400, "2000-02-29T00:00:00Z");
        check(-1, "1969-12-31T23:59:59Z");
        check(UnixTime::NEVER.0, "9999-12-31T23:59:59Z");
    }
}
