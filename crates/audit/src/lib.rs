//! Security events: what is recorded (LG-1), how it is chained so that nobody alters or drops one
//! unnoticed (LG-2), and how a SIEM reads it (OCSF 1.8, part of LG-3).
//!
//! Bytes and rules are in `docs/audit.md`. An event is made of bounded, cleaned text, so recording
//! never fails because of what a caller sent, and a log line cannot be forged through one. Secrets
//! (keys, codes, tokens, passphrases, request bodies) and personal data beyond a member's name in
//! the organisation's own register never go into an event: write an identifier or a digest.
//!
//! Events on their way to a SIEM are in [`stream`]; what came there is held against the log by
//! [`stream::Reconciliation`].
//!
//! Deliberately absent: storage, sockets, anomaly rules.
//!
//! ```
//! use audit::{Chain, Door, Kind, Outcome, SecurityEvent};
//! use crypto::UnixTime;
//! let event = SecurityEvent::new(UnixTime(1_795_000_000), Kind::Authentication, Outcome::Failure)
//!     .door(Door::Est)
//!     .organisation("maker-a")
//!     .actor("anonymous")
//!     .detail("reason", "code-wrong");
//! let bytes = event.encode();
//! assert_eq!(SecurityEvent::decode(&bytes)?, event);
//! let head = Chain::start("log.example/tegata").append(&bytes);
//! assert_eq!(head.sequence, 1);
//! # Ok::<(), audit::AuditError>(())
//! ```

mod chain;
mod error;
mod event;
mod kind;
pub mod ocsf;
pub mod stream;
pub mod syslog;
mod text;

pub use chain::{Broken, BrokenBecause, Chain, ChainVerifier};
pub use error::AuditError;
pub use event::{DETAILS_MAX, Door, EVENT_BYTES_MAX, Outcome, SecurityEvent};
pub use kind::{Kind, Severity};
pub use text::{KEY_BYTES_MAX, Key, TEXT_BYTES_MAX, Text};
