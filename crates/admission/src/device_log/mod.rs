//! The log of a device, in the compact form in which it is handed over (LG-5): segments of
//! deterministic CBOR on `me/up/log`, whose entries are chained. docs/device-log.md, docs/device-log.cddl.
//!
//! Pure: bytes in, values out. [`LogPlace`] is the chain, [`LogSegment`] the form on the wire,
//! [`continuity`] where a segment belongs among what was heard before, [`follow`] the check of what is
//! kept. Nothing here is a proof against the device itself: it says what it says.

mod codec;
mod continuity;
mod place;

pub use codec::{EntryRead, LogSegment, encode_segment, entry_of, read_entry};
pub use continuity::{Began, Continuity, KnownRun, Part, continuity};
pub use place::{KeptEntry, LogPlace, follow};

use std::{collections::BTreeMap, fmt, str::FromStr};

/// Where segments go, below the device's space.
pub const DEVICE_LOG_UP: &str = "up/log";
/// Most bytes of a segment.
pub const SEGMENT_BYTES_MAX: usize = 8 * 1024;
/// Most entries of a segment.
pub const SEGMENT_ENTRIES_MAX: usize = 64;
/// Longest text in an entry, in bytes.
pub const LOG_TEXT_MAX: usize = 64;
/// Longest name of a detail, in bytes.
pub const LOG_KEY_MAX: usize = 16;
/// Most details of an entry.
pub const LOG_DETAILS_MAX: usize = 4;
/// Highest number of an entry: every reader of JSON can count so far (RFC 7493 section 2.2).
pub const LOG_SEQUENCE_MAX: u64 = (1 << 53) - 1;
/// Latest time, in seconds: the end of the year 9999.
pub const LOG_TIME_MAX: i64 = 253_402_300_799;

/// Why bytes are no segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a segment of a device's log: {0} (docs/device-log.md)")]
pub struct DeviceLogError(pub(crate) &'static str);

/// Which log of a device: drawn at random when the device begins one, so that a log that was lost
/// and begun again is not taken for a changed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogId(pub [u8; 8]);

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for LogId {
    type Err = DeviceLogError;

    fn from_str(text: &str) -> Result<Self, DeviceLogError> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = u64::from_str_radix(text, 16).ok().filter(|_| digits && text.len() == 16);
        number
            .map(|number| Self(number.to_be_bytes()))
            .ok_or(DeviceLogError("a log's id has 16 hexadecimal digits"))
    }
}

macro_rules! numbered {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $number:literal, $text:literal;)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant = $number,)+ }

        impl $name {
            /// Every one, by its number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its number on the wire.
            pub fn number(self) -> u8 {
                self as u8
            }

            /// Reads the number.
            pub fn from_number(number: u8) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.number() == number)
            }

            /// Stable name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Reads a stable name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }
    };
}

numbered! {
    /// What happened: the kinds of LG-1, and what a device has besides.
    LogKind {
        /// the device started
        Boot = 0, "boot";
        /// it tested itself
        SelfTest = 1, "self-test";
        /// somebody asked for a connection
        Connection = 2, "connection";
        /// somebody proved, or failed to prove, who it is
        Authentication = 3, "authentication";
        /// a right was refused: privilege abuse or escalation attempt
        Privilege = 4, "privilege";
        /// a message that does not parse
        MalformedMessage = 5, "malformed-message";
        /// an update
        Update = 6, "update";
        /// a login at the device itself
        LocalLogin = 7, "local-login";
        /// settings changed
        ConfigurationChange = 8, "configuration-change";
        /// an account of the device changed
        AccountChange = 9, "account-change";
        /// protected memory was touched
        ProtectedMemory = 10, "protected-memory";
        /// the device was opened or changed
        Physical = 11, "physical";
        /// certificates and keys of the device
        Credential = 12, "credential";
        /// a command of the owner
        Command = 13, "command";
        /// the clock was set
        Clock = 14, "clock";
        /// the log itself
        Log = 15, "log";
    }
}

numbered! {
    /// How much the device thinks that it matters; the numbers are those of OCSF `severity_id`.
    LogSeverity {
        /// to be known
        Informational = 1, "informational";
        /// no action needed
        Low = 2, "low";
        /// somebody should look
        Medium = 3, "medium";
        /// somebody should act
        High = 4, "high";
        /// act at once
        Critical = 5, "critical";
    }
}

numbered! {
    /// How it ended.
    LogOutcome {
        /// done
        Success = 0, "success";
        /// refused, or wrong
        Failure = 1, "failure";
        /// the device could not
        Error = 2, "error";
    }
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// seconds since 1970, UTC; of a device without a clock since the start that `boot` counts
    pub time: i64,
    /// the device had no clock: which of its starts `time` counts from
    pub boot: Option<u32>,
    /// what
    pub kind: LogKind,
    /// how much it matters, as the device says
    pub severity: LogSeverity,
    /// how it ended
    pub outcome: LogOutcome,
    /// who did it, as the device says
    pub actor: Option<String>,
    /// what it was done to
    pub subject: Option<String>,
    /// more
    pub details: BTreeMap<String, String>,
}

impl LogEntry {
    /// An entry with nothing but what each has.
    pub fn new(time: i64, kind: LogKind, severity: LogSeverity, outcome: LogOutcome) -> Self {
        let (boot, actor, subject, details) = (None, None, None, BTreeMap::new());
        Self { time, boot, kind, severity, outcome, actor, subject, details }
    }

    /// Cuts what is too long or too much, so that recording never fails because of what somebody
    /// else said.
    #[must_use]
    pub fn fitted(mut self) -> Self {
        self.time = self.time.clamp(0, LOG_TIME_MAX);
        self.actor = self.actor.as_deref().and_then(|text| fit(text, LOG_TEXT_MAX));
        self.subject = self.subject.as_deref().and_then(|text| fit(text, LOG_TEXT_MAX));
        let fitted = self
            .details
            .iter()
            .filter_map(|(key, value)| Some((fit(key, LOG_KEY_MAX)?, fit(value, LOG_TEXT_MAX)?)));
        let fitted: BTreeMap<String, String> = fitted.collect();
        self.details = fitted.into_iter().take(LOG_DETAILS_MAX).collect();
        self
    }
}

/// As much of a text as there is room for; `None` where it is empty.
fn fit(text: &str, most: usize) -> Option<String> {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_come_back() {
        for (at, kind) in LogKind::ALL.iter().enumerate() {
            assert_eq!(usize::from(kind.number()), at);
            assert_eq!(LogKind::from_number(kind.number()), Some(*kind));
            assert_eq!(LogKind::from_name(kind.name()), Some(*kind));
        }
        assert_eq!(LogKind::from_number(16), None);
        assert_eq!(LogSeverity::from_number(0), None);
        assert_eq!(LogOutcome::from_number(3), None);
        let id: LogId = "00112233445566ff".parse().unwrap();
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "+0112233445566ff", "00112233445566FF", "00112233445566"] {
            assert!(wrong.parse::<LogId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        let mut entry =
            LogEntry::new(-5, LogKind::LocalLogin, LogSeverity::Low, LogOutcome::Failure);
        entry.actor = Some("é".repeat(40));
        entry.subject = Some(String::new());
        for number in 0..6 {
            entry.details.insert(format!("a_name_that_is_too_long_{number}"), "x".repeat(100));
            entry.details.insert(format!("k{number}"), "v".into());
        }
        let fitted = entry.fitted();
        assert_eq!((fitted.time, fitted.actor.as_ref().unwrap().len()), (0, 64));
        assert_eq!((fitted.subject.as_ref(), fitted.details.len()), (None, 4));
        assert!(fitted.details.iter().all(|(key, value)| key.len() <= 16 && value.len() <= 64));
    }
}
