//! The facts about a device that the verdict rests on. The platform fills them from its store, a
//! verifier from a passport file; [`crate::judge`] does not know the difference.

use crate::{
    DeviceId, Layer, OrganisationId, Phase, ProofError, Reason, StandingKind, State,
    event::{CredentialProfile, NamedRelease, Part},
};
use crypto::{KeyAlgorithm, Sha256, UnixTime};
use ledger::Commitment;

/// Everything known about a device at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passport {
    /// the device
    pub device: DeviceId,
    /// what its history adds up to
    pub history: History,
    /// where events stand in the ledger, ascending by sequence; may be incomplete
    pub events: Vec<EventPlace>,
    /// certificates that the device presents, or that are on record for it
    pub certificates: Vec<CertificateFact>,
    /// proof of possession
    pub proof: ProofFact,
    /// its parts
    pub parts: Vec<PartFact>,
    /// devices that list this one as a part
    pub hosts: Vec<DeviceId>,
    /// what its maker has published for its product, where that is known
    pub newest_release: Option<ReleaseFact>,
    /// the organisation in whose domain the device is presented, where one is known
    pub presented_by: Option<OrganisationId>,
    /// what was found wrong while the facts were established
    pub findings: Vec<Reason>,
    /// when the facts were gathered
    pub as_of: UnixTime,
    /// until when they may be used, where somebody promised
    pub fresh_until: Option<UnixTime>,
}

impl Passport {
    /// A passport without any fact but the history.
    pub fn new(device: DeviceId, history: History, as_of: UnixTime) -> Self {
        Self {
            device,
            history,
            events: Vec::new(),
            certificates: Vec::new(),
            proof: ProofFact::NotAsked,
            parts: Vec::new(),
            hosts: Vec::new(),
            newest_release: None,
            presented_by: None,
            findings: Vec::new(),
            as_of,
            fresh_until: None,
        }
    }

    /// The state, where the device is known.
    pub fn state(&self) -> Option<&State> {
        match &self.history {
            History::Known(state) => Some(state),
            History::Unknown | History::Unusable => None,
        }
    }
}

/// What a maker has published for a product line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseFact {
    /// the newest release
    pub newest: NamedRelease,
    /// lowest security version that is not suspect
    pub security_floor: u64,
}

/// What is known of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum History {
    /// no such device
    Unknown,
    /// there is one, and it cannot be relied upon; the findings say why
    Unusable,
    /// it adds up to a state
    Known(Box<State>),
}

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPlace {
    /// sequence number in the device's history
    pub sequence: u64,
    /// leaf index in the ledger
    pub index: u64,
    /// commitment in the ledger
    pub commitment: Commitment,
}

/// A certificate and what was found about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFact {
    /// which of the device's certificates; `None` for one of the service
    pub profile: Option<CredentialProfile>,
    /// what it vouches for
    pub layer: Layer,
    /// SHA-256 of the DER
    pub fingerprint: Sha256,
    /// serial number, big endian
    pub serial: Vec<u8>,
    /// SHA-256 of the SubjectPublicKeyInfo
    pub key: Sha256,
    /// kind of key
    pub algorithm: KeyAlgorithm,
    /// start of validity
    pub not_before: UnixTime,
    /// end of validity
    pub not_after: UnixTime,
    /// organisation in the subject, where it is one of ours
    pub organisation: Option<OrganisationId>,
    /// whether it leads to a trusted root
    pub chain: Chain,
    /// whether it was revoked
    pub revocation: Revocation,
}

/// Whether a certificate leads to a trusted root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chain {
    /// it does
    Trusted,
    /// its issuer is nobody that is trusted
    UnknownIssuer,
    /// something on the way is wrong
    Broken(String),
    /// something on the way is too weak
    Weak(String),
}

/// Whether a certificate was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// it was not
    Good {
        /// as of when
        as_of: UnixTime,
    },
    /// for ever
    Revoked {
        /// since when
        at: UnixTime,
    },
    /// for the time being (certificateHold)
    Suspended {
        /// since when
        at: UnixTime,
    },
    /// nobody knows
    Unknown,
}

/// What is known of the possession of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProofFact {
    /// nobody asked
    NotAsked,
    /// asked, and failed
    Refused {
        /// why
        cause: ProofRefusal,
        /// the key that was to be proven, where known
        key: Option<Sha256>,
    },
    /// answered rightly
    Valid {
        /// the key that answered
        key: Sha256,
        /// counter in the answer
        counter: u64,
        /// highest counter by this key before; `None` for its first proof
        highest: Option<u64>,
        /// the device's clock, where it gave it
        device_time: Option<UnixTime>,
        /// when the answer came
        received_at: UnixTime,
    },
}

/// Why a proof of possession failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofRefusal {
    /// no answer
    Silent,
    /// signed by another key, or not rightly signed
    WrongKey,
    /// an old answer
    Replayed,
    /// answered too late
    Late,
    /// not an answer at all, or for another device
    Unreadable,
}

impl From<&ProofError> for ProofRefusal {
    fn from(error: &ProofError) -> Self {
        match error {
            ProofError::Cose(_) => Self::WrongKey,
            ProofError::OtherChallenge => Self::Replayed,
            ProofError::Expired(_) => Self::Late,
            ProofError::Payload(_)
            | ProofError::ContentType(_)
            | ProofError::OtherDevice { .. } => Self::Unreadable,
        }
    }
}

/// A part and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartFact {
    /// the part
    pub part: Part,
    /// its own phase and standing; `None` where it has no history
    pub status: Option<(Phase, StandingKind)>,
    /// other devices that list it as their part
    pub elsewhere: Vec<DeviceId>,
}
