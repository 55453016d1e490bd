//! Behaviour that leaves what is expected (LG-4): rules over security events, the windows in which they
//! count, and what somebody should do about it. `docs/alerts.md` is the reference.
//!
//! A [`Rule`] is data: which events it watches, how many within which time are too many, of whom they are
//! counted, how grave that is, what is suggested and what happens by itself. [`Watching`] counts: bounded
//! memory, time as an argument, the same events in the same order always give the same [`Hit`]s. Whoever
//! keeps alerts decides what a hit comes to.
//!
//! Only what a device proved with its own key speaks against that device: [`Hit::is_authentic`] counts those
//! events apart, and an automatic measure rests on them alone.
//!
//! Deliberately absent: storage, clocks, the measures themselves, and every way out (web hooks, mail).
//!
//! ```
//! use alert::{Watching, builtin};
//! use audit::{Kind, Outcome, SecurityEvent};
//! use crypto::UnixTime;
//! let mut watching = Watching::default();
//! let probe = SecurityEvent::new(UnixTime(1_795_000_000), Kind::Authorisation, Outcome::Failure)
//!     .organisation("acme")
//!     .actor("device 00112233445566778899aabbccddeeff")
//!     .detail("reason", "topic")
//!     .detail("count", "40");
//! let hits = watching.observe("acme", builtin(), 7, &probe, &|_| None);
//! assert_eq!(hits[0].rule, "topic-probing");
//! assert!(hits[0].is_reached() && hits[0].is_authentic());
//! ```

mod error;
mod group;
mod prefix;
mod rule;
mod suggestion;
mod watch;
mod watching;
mod window;

pub use error::AlertError;
pub use group::{About, Group};
pub use prefix::Prefix;
pub use rule::{
    Automatic, COOLDOWN_S_MAX, Own, RULE_BYTES_MAX, RULES_MAX, Rule, THRESHOLD_MAX,
    TITLE_CHARS_MAX, WINDOW_S, Weigh, builtin,
};
pub use suggestion::Suggestion;
pub use watch::{HOURS, PATTERNS_MAX, Watch};
pub use watching::{EVIDENCE_MAX, Hit, KEYS_MAX, KEYS_OF_ONE_MAX, Watching};
pub use window::{BUCKETS, Window};
