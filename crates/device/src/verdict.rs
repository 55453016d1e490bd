//! The answer: genuine, suspect or rejected, with reasons and evidence (TR-4).

use crate::{
    DeviceId, OrganisationId,
    language::{Language, Text, text},
    named::named,
    reason::{Layer, ReasonCode, Severity},
};
use crypto::{Sha256, UnixTime};
use ledger::Commitment;
use std::fmt;

named! {
    /// The verdict in a word; later variants are worse.
    pub enum Outcome: "outcome" {
        /// genuine, and fit to be trusted now
        Genuine = 1 "genuine",
        /// may not be what it should be
        Suspect = 2 "suspect",
        /// not genuine, or not to be trusted now
        Rejected = 3 "rejected",
    }
}

impl Outcome {
    /// The outcome for people.
    pub fn text(self) -> Text {
        match self {
            Self::Genuine => text("真正", "genuine"),
            Self::Suspect => text("要確認", "suspect"),
            Self::Rejected => text("拒否", "rejected"),
        }
    }
}

impl From<Severity> for Outcome {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Note => Self::Genuine,
            Severity::Suspect => Self::Suspect,
            Severity::Reject => Self::Rejected,
        }
    }
}

named! {
    /// What a time in evidence is.
    pub enum Moment: "moment" {
        /// end of a certificate's validity
        NotAfter = 1 "not-after",
        /// start of a certificate's validity
        NotBefore = 2 "not-before",
        /// when a certificate was revoked
        RevokedAt = 3 "revoked-at",
        /// the device's own clock
        DeviceClock = 4 "device-clock",
        /// when the proof was received
        ReceivedAt = 5 "received-at",
        /// when the evidence was gathered
        AsOf = 6 "as-of",
        /// until when the evidence may be used
        FreshUntil = 7 "fresh-until",
        /// when the witnesses or the log signed the checkpoint
        CosignedAt = 8 "cosigned-at",
        /// the verifier's clock
        VerifierClock = 9 "verifier-clock",
    }
}

/// A fact that anyone can check, on which a reason rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// an event of the device's history
    Event {
        /// sequence number
        sequence: u64,
        /// leaf index in the ledger, where known
        index: Option<u64>,
        /// commitment in the ledger, where known
        commitment: Option<Commitment>,
    },
    /// a certificate
    Certificate {
        /// SHA-256 of its DER
        fingerprint: Sha256,
        /// serial number, big endian
        serial: Vec<u8>,
    },
    /// a public key, by SHA-256 of its SubjectPublicKeyInfo
    Key(Sha256),
    /// counters of proofs of possession
    Counters {
        /// highest counter seen before
        highest: u64,
        /// counter in the proof at hand
        presented: u64,
    },
    /// a time
    Time {
        /// what it is
        moment: Moment,
        /// when
        at: UnixTime,
    },
    /// another device: a part, a host, a stranger
    Device(DeviceId),
    /// organisations that should be one
    Organisations {
        /// the one found
        found: OrganisationId,
        /// the one on record
        expected: OrganisationId,
    },
    /// numbers that should be one
    Count {
        /// the number found
        found: u64,
        /// the number on record
        expected: u64,
    },
    /// digests that should be one
    Digests {
        /// the digest found
        found: Sha256,
        /// the digest on record
        expected: Sha256,
    },
    /// a refusal or finding in words (English), for the curious
    Detail(String),
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event { sequence, index, commitment } => {
                write!(f, "event {sequence}")?;
                if let Some(index) = index {
                    write!(f, " at leaf {index}")?;
                }
                if let Some(commitment) = commitment {
                    write!(f, " commitment {}", commitment.0)?;
                }
                Ok(())
            }
            Self::Certificate { fingerprint, serial } => {
                write!(f, "certificate {fingerprint} serial {}", hex::encode(serial))
            }
            Self::Key(key) => write!(f, "key {key}"),
            Self::Counters { highest, presented } => {
                write!(f, "counter {presented} presented, {highest} seen before")
            }
            Self::Time { moment, at } => write!(f, "{moment} {at}"),
            Self::Device(device) => write!(f, "device {device}"),
            Self::Organisations { found, expected } => {
                write!(f, "organisation {found}, on record {expected}")
            }
            Self::Count { found, expected } => write!(f, "{found}, on record {expected}"),
            Self::Digests { found, expected } => write!(f, "{found}, on record {expected}"),
            Self::Detail(detail) => f.write_str(detail),
        }
    }
}

/// One reason with its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// why
    pub code: ReasonCode,
    /// what it is about
    pub layer: Layer,
    /// how much it weighs here
    pub severity: Severity,
    /// what it rests on
    pub evidence: Vec<Evidence>,
}

impl Reason {
    /// A reason of its code's own severity.
    pub fn new(code: ReasonCode, layer: Layer, evidence: Vec<Evidence>) -> Self {
        Self { code, layer, severity: code.severity(), evidence }
    }

    /// The same reason, weighing at least `severity`.
    #[must_use]
    pub fn at_least(mut self, severity: Severity) -> Self {
        self.severity = self.severity.max(severity);
        self
    }

    /// The text of the code in `language`.
    pub fn text(&self, language: Language) -> &'static str {
        self.code.text().of(language)
    }
}

/// The verdict on a device at a time.
///
/// Shape for storage and wire: `device`, `outcome`, `judged_at`, `expires`, and per reason `code`,
/// `layer`, `severity`, `evidence`; texts follow from the codes (docs/verdict.md).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// the device
    pub device: DeviceId,
    /// the verdict in a word
    pub outcome: Outcome,
    /// why, heaviest first
    pub reasons: Vec<Reason>,
    /// when it was judged
    pub judged_at: UnixTime,
    /// not to be relied upon from this time on
    pub expires: UnixTime,
}

impl Verdict {
    /// Sorts the reasons and draws the conclusion.
    pub fn conclude(
        device: DeviceId,
        mut reasons: Vec<Reason>,
        judged_at: UnixTime,
        expires: UnixTime,
    ) -> Self {
        reasons.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.code.cmp(&b.code)));
        let outcome = worst(reasons.iter());
        Self { device, outcome, reasons, judged_at, expires: expires.max(judged_at) }
    }

    /// Whether a reason of `code` is among the reasons.
    pub fn has(&self, code: ReasonCode) -> bool {
        self.reasons.iter().any(|reason| reason.code == code)
    }

    /// The heaviest reason, where there is one that changes the outcome.
    pub fn main_reason(&self) -> Option<&Reason> {
        self.reasons.first().filter(|reason| reason.severity > Severity::Note)
    }

    /// The outcome of one layer (TR-4).
    pub fn of_layer(&self, layer: Layer) -> Outcome {
        worst(self.reasons.iter().filter(|reason| reason.layer == layer))
    }

    /// Whether it may still be relied upon.
    pub fn is_fresh(&self, now: UnixTime) -> bool {
        now < self.expires
    }
}

fn worst<'a>(reasons: impl Iterator<Item = &'a Reason>) -> Outcome {
    reasons.map(|reason| Outcome::from(reason.severity)).max().unwrap_or(Outcome::Genuine)
}
