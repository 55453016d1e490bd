use crate::files;
use crypto::UnixTime;
use std::path::Path;

/// 2025-01-01, for builds that do not say when they were made.
const LONG_AGO: i64 = 1_735_689_600;

/// Before this moment nothing of this program existed: a clock that says so is not set. A build
/// that sets `SOURCE_DATE_EPOCH` has its own moment.
pub(crate) const BUILT_AFTER: UnixTime = UnixTime(match option_env!("SOURCE_DATE_EPOCH") {
    Some(text) => seconds(text),
    None => LONG_AGO,
});

const fn seconds(text: &str) -> i64 {
    match i64::from_str_radix(text, 10) {
        Ok(seconds) => seconds,
        Err(_) => LONG_AGO,
    }
}

/// When something happens. The clock may be wrong and may jump; what must not depend on it counts
/// the seconds since this start of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// by the machine's clock
    pub wall: UnixTime,
    /// seconds since the machine started
    pub uptime_s: u64,
    /// another one after each start of the machine
    pub boot_id: String,
}

impl Moment {
    /// Now. `boot_id` is where the kernel says which start of the machine this is.
    pub(crate) fn now(boot_id: &Path) -> Self {
        let id = files::read(boot_id, 256).ok().flatten().unwrap_or_default();
        Self {
            wall: wall(),
            uptime_s: uptime_s(),
            boot_id: String::from_utf8_lossy(&id).trim().to_owned(),
        }
    }
}

/// Seconds since the machine started: no clock that is set changes them.
pub(crate) fn uptime_s() -> u64 {
    let uptime = files::read(Path::new("/proc/uptime"), 256).ok().flatten().unwrap_or_default();
    let uptime = String::from_utf8_lossy(&uptime);
    uptime.split('.').next().and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[expect(clippy::disallowed_methods, reason = "the device's clock is read here and nowhere else")]
pub(crate) fn wall() -> UnixTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UnixTime(since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX)))
}
