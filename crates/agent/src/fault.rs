//! Named points at which tests make the process die by SIGKILL, so that recovery is tested at every
//! step. They exist in debug builds only: in a release build [`point`] is nothing.
//!
//! `TEGATA_AGENT_KILL_AT=name[:n]` dies at the `n`-th passing of the point, at the first where `n`
//! is absent.

/// The name of the environment variable.
pub const VARIABLE: &str = "TEGATA_AGENT_KILL_AT";

/// Every point that an update which succeeds passes, in order.
pub const POINTS: [&str; 17] = [
    "before-state-write",
    "state-written-not-renamed",
    "after-state-write",
    "assignment-accepted",
    "slot-opened",
    "piece-written",
    "download-complete",
    "before-read-back",
    "after-read-back",
    "before-boot-record",
    "boot-record-not-renamed",
    "after-boot-record",
    "before-reboot",
    "before-health",
    "after-health",
    "before-confirm-hook",
    "between-confirmation-and-result",
];

/// Points of a device that is told what to do and says what came of it.
pub const POINTS_TOLD: [&str; 2] = ["before-report", "after-report"];

/// Points of a command, in order.
pub const POINTS_COMMAND: [&str; 5] = [
    "command-begun",
    "command-done",
    "command-result-kept",
    "before-command-answer",
    "after-command-answer",
];

/// Points of settings that are taken up.
pub const POINTS_SETTINGS: [&str; 3] = ["settings-written", "settings-taken-up", "settings-told"];

/// Points of the erasure of all keys, after `command-begun`.
pub const POINTS_ERASURE: [&str; 5] = [
    "erasure-recorded",
    "key-destroyed",
    "erasure-kept",
    "before-command-answer",
    "after-command-answer",
];

/// Points of telemetry on its way.
pub const POINTS_TELEMETRY: [&str; 2] = ["before-telemetry", "after-telemetry"];

/// Points of the device's own log.
pub const POINTS_DEVICE_LOG: [&str; 3] =
    ["device-log-written", "before-device-log", "after-device-log"];

/// Points of a trust bundle that is taken.
pub const POINTS_TRUST: [&str; 2] = ["state-written-not-renamed", "trust-bundle-written"];

/// Points of an update by a delta, beside the others.
pub const POINTS_DELTA: [&str; 3] = ["delta-fetched", "delta-piece-written", "delta-applied"];

/// Points on the way back to the old image.
pub const POINTS_BACK: [&str; 2] = ["before-rollback", "after-rollback-record"];

/// Passes a point.
#[cfg(not(debug_assertions))]
pub fn point(_name: &'static str) {}

/// Passes a point: dies there where the environment says so.
#[cfg(debug_assertions)]
pub fn point(name: &'static str) {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    };
    static WANTED: OnceLock<Option<(String, AtomicU64)>> = OnceLock::new();
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var(VARIABLE).ok()?;
        let (name, count) = match text.rsplit_once(':') {
            Some((name, count)) => (name.to_owned(), count.parse().ok()?),
            None => (text, 1),
        };
        Some((name, AtomicU64::new(count)))
    });
    if let Some((point, remaining)) = wanted
        && point == name
        && remaining.fetch_sub(1, Ordering::SeqCst) == 1
    {
        use rustix::process::{Signal, getpid, kill_process};
        let _ = kill_process(getpid(), Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}
