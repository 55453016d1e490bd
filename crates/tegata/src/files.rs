//! How many files this process may open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises how many files may be open; how many that is.
pub fn raise(wanted: u64) -> u64 {
    let now = getrlimit(Resource::Nofile);
    let (current, most) = (now.current.unwrap_or(u64::MAX), now.maximum.unwrap_or(u64::MAX));
    let new = wanted.max(current).min(most);
    let limit = Rlimit { current: Some(new), maximum: now.maximum };
    match setrlimit(Resource::Nofile, limit) {
        Ok(()) => new,
        Err(_) => current,
    }
}
