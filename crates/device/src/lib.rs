//! Devices: identity, life events, state, passport and verdict. The heart of Tegata, and pure: no
//! I/O, no clock, no randomness.
//!
//! - Identifiers: [`DeviceId`], [`OrganisationId`], [`ProductId`], [`ManagementNumber`].
//! - [`event`]: what happened to a device, signed by the organisation that reports it
//!   (docs/event.md).
//! - [`State`]: what a history adds up to; a state machine that refuses illegal moves.
//! - [`proof`]: proof that the device holds its private key, with a counter.
//! - [`Passport`] and [`judge`]: the facts, and the verdict with its reasons (docs/verdict.md).
//! - [`PassportFile`]: all of it in one file that anyone can judge offline (docs/passport.md).
//! - [`gs1`]: GTIN and GS1 Digital Link; [`scan`]: what look-ups of a printed number tell
//!   (docs/public-page.md).
//!
//! Deliberately absent: storage, issuance, the log itself, wire types in JSON.
//!
//! ```
//! use crypto::{KeyAlgorithm, Signer as _, SoftwareKey, UnixTime, sha256};
//! use device::{
//!     Build, Context, DeviceId, Event, EventKind, History, JudgePolicy, Outcome, Passport, Roles,
//!     RootOfTrust, SignedEvent, State, judge,
//! };
//!
//! let now = UnixTime(1_795_000_000);
//! let maker = SoftwareKey::generate(KeyAlgorithm::EcdsaP256)?;
//! let chip = DeviceId::from_bytes([7; 16]);
//! let event = Event {
//!     device: chip,
//!     sequence: 0,
//!     previous: None,
//!     kind: EventKind::ChipMade {
//!         build: Build::MassProduction,
//!         product: None,
//!         root_of_trust: RootOfTrust::Puf,
//!         key: sha256(b"its SubjectPublicKeyInfo"),
//!     },
//!     at: now,
//!     reporter: "kairo".parse()?,
//!     actor: None,
//!     place: None,
//!     evidence: Vec::new(),
//!     on_behalf: None,
//!     reason: None,
//! };
//! let signed = SignedEvent::sign(&maker, &event)?;
//!
//! // The platform: check the signature, draw a salt, apply the event.
//! let event = SignedEvent::parse(signed.as_bytes())?.verify(maker.public_key())?;
//! let commitment = signed.commitment(&[0x5a; 32]);
//! let state = State::start(&event, commitment, &Context::new(now, Roles::MAKER))?;
//!
//! let passport = Passport::new(chip, History::Known(Box::new(state)), now);
//! let verdict = judge(&passport, &JudgePolicy::default(), now);
//! assert_eq!(verdict.outcome, Outcome::Genuine);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cbor;
pub mod event;
pub mod file;
pub mod gs1;
mod id;
mod judge;
mod language;
mod named;
pub mod passport;
pub mod proof;
mod reason;
pub mod scan;
pub mod state;
mod verdict;

pub use cbor::CborError;
pub use event::{
    Build, Cause, Credential, CredentialProfile, Event, EventError, EventKind, EvidenceDigest,
    Kind, NamedRelease, OnBehalf, Part, REASON_BYTES_MAX, SignedEvent, UpdateResult,
};
pub use file::{PassportFile, Statement, TrustAnchors, VerifyOptions};
pub use gs1::{DigitalLink, Gs1Error, Gtin};
pub use id::{
    DeviceId, DeviceKind, IdError, ManagementNumber, OrganisationId, ProductId, RootOfTrust,
    Strength,
};
pub use judge::{JudgePolicy, Purpose, judge};
pub use language::{Language, Text};
pub use passport::{
    CertificateFact, Chain, EventPlace, History, PartFact, Passport, ProofFact, ProofRefusal,
    ReleaseFact, Revocation,
};
pub use proof::{Challenge, Proof, ProofError, SignedProof};
pub use reason::{Layer, ReasonCode, Severity};
pub use state::{
    Alarms, Context, EndedAccess, IllegalMove, IllegalMoveCode, ON_BEHALF, Party, Phase, Repair,
    Roles, RunningSoftware, Standing, StandingKind, State,
};
pub use verdict::{Evidence, Moment, Outcome, Reason, Verdict};
