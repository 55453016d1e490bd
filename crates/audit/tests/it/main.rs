//! Encoding, chain and OCSF form of security events.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod chain;
mod documentation;
mod encoding;
mod ocsf;

use audit::{Door, Kind, Outcome, SecurityEvent};
use crypto::UnixTime;

/// The example of `docs/audit.md`.
fn example() -> SecurityEvent {
    SecurityEvent::new(UnixTime(1_795_000_000), Kind::Authentication, Outcome::Failure)
        .door(Door::Est)
        .organisation("maker-a")
        .actor("anonymous")
        .subject("SN-0001")
        .source("192.0.2.7".parse().unwrap())
        .detail("reason", "code-wrong")
        .detail("attempts_left", "4")
}
