//! The machine's clock, read in one place.

use crypto::UnixTime;

/// The present time.
#[expect(clippy::disallowed_methods, reason = "a binary reads the machine's clock, here only")]
pub fn now() -> UnixTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UnixTime(since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX)))
}

/// A moment, to measure time by.
#[expect(clippy::disallowed_methods, reason = "a binary measures time")]
pub fn instant() -> std::time::Instant {
    std::time::Instant::now()
}

/// The machine's clock, for the service.
pub struct SystemClock;

impl service::Clock for SystemClock {
    fn now(&self) -> UnixTime {
        now()
    }
}
