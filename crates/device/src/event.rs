//! Life events (LC-2): who did what to which device, when, where, with what evidence. The format
//! is documented byte for byte in docs/event.md.

pub(crate) mod details;
mod kind;
mod signed;

pub use kind::{
    Build, Cause, Credential, CredentialProfile, EventKind, Kind, NamedRelease, Part, UpdateResult,
};
pub use signed::{EVENT_CONTENT_TYPE, SignedEvent};

use crate::{
    DeviceId, OrganisationId, Roles,
    cbor::{CborError, Fields, Map, array, bytes_item, text_item, uint_item},
};
use crypto::{Sha256, UnixTime, cose::CoseError};
use ledger::Commitment;

/// Largest payload of an event, in bytes: 256 parts need 6 KiB.
pub const EVENT_BYTES_MAX: usize = 16 * 1024;
/// Most digests of evidence in one event.
pub const EVIDENCE_MAX: usize = 16;
/// Longest actor, place and label of evidence, in bytes.
pub const LINE_BYTES_MAX: usize = details::TEXT_MAX;
/// Longest reason, in bytes: 300 characters of any script.
pub const REASON_BYTES_MAX: usize = details::REASON_MAX;
const VERSION: u64 = 1;

/// Why an event is not accepted as an event. Whether it is a legal move is another question:
/// [`crate::IllegalMove`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The payload is not an event.
    #[error("event: {0}")]
    Payload(#[from] CborError),
    /// The envelope is not an acceptable COSE_Sign1, or its signature is wrong.
    #[error("event: {0}")]
    Cose(#[from] CoseError),
    /// The envelope carries something else.
    #[error("content type is {0:?}, expected application/vnd.tegata.event+cbor")]
    ContentType(String),
}

/// A document that proves what an event says, by its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceDigest {
    /// what it is, for people
    pub label: String,
    /// SHA-256 of the document
    pub sha256: Sha256,
}

/// For whom the platform signs: somebody who may report the event, and asked it to, without a
/// signing key at hand. The platform vouches for the asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnBehalf {
    /// whose act it is
    pub organisation: OrganisationId,
    /// its roles at the time; never that of the platform
    pub roles: Roles,
}

/// A life event: the payload that the reporting organisation signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// the device that it happened to
    pub device: DeviceId,
    /// place in the device's history, from 0
    pub sequence: u64,
    /// commitment to the event before; absent at 0
    pub previous: Option<Commitment>,
    /// what happened
    pub kind: EventKind,
    /// when it happened
    pub at: UnixTime,
    /// the organisation that reports and signs
    pub reporter: OrganisationId,
    /// for whom the platform reports it, where it does
    pub on_behalf: Option<OnBehalf>,
    /// person, station or program that did it
    pub actor: Option<String>,
    /// where it happened
    pub place: Option<String>,
    /// evidence
    pub evidence: Vec<EvidenceDigest>,
    /// why, in the words of who did it
    pub reason: Option<String>,
}

impl Event {
    /// Whose act it is: of the organisation that the platform signs for, else of the reporter.
    pub fn principal(&self) -> &OrganisationId {
        self.on_behalf.as_ref().map_or(&self.reporter, |behalf| &behalf.organisation)
    }

    /// The one encoding of the event.
    ///
    /// Lengths are not checked here: [`SignedEvent::sign`] refuses what [`Self::decode`] would not
    /// read back.
    pub fn encode(&self) -> Vec<u8> {
        let evidence = (!self.evidence.is_empty()).then_some(&self.evidence);
        Map::new()
            .uint(1, VERSION)
            .bytes(2, self.device.as_bytes())
            .uint(3, self.sequence)
            .with(self.previous.as_ref(), |map, previous| map.bytes(4, previous.0.as_ref()))
            .uint(5, self.kind.kind().code().into())
            .raw(6, &details::encode(&self.kind))
            .int(7, self.at.0)
            .text(8, self.reporter.as_str())
            .with(self.actor.as_ref(), |map, actor| map.text(9, actor))
            .with(self.place.as_ref(), |map, place| map.text(10, place))
            .with(evidence, |map, evidence| {
                map.array(
                    11,
                    evidence.iter().map(|document| {
                        array([text_item(&document.label), bytes_item(document.sha256.as_ref())])
                    }),
                )
            })
            .with(self.on_behalf.as_ref(), |map, behalf| {
                let roles = uint_item(behalf.roles.bits().into());
                map.array(12, [text_item(behalf.organisation.as_str()), roles])
            })
            .with(self.reason.as_ref(), |map, reason| map.text(13, reason))
            .finish()
    }

    /// Reads an event from its one encoding.
    ///
    /// # Errors
    /// [`CborError`]: too long, not deterministic, unknown or missing fields, values out of range.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        if bytes.len() > EVENT_BYTES_MAX {
            return Err(CborError::TooLong(EVENT_BYTES_MAX));
        }
        let mut f = Fields::read(bytes)?;
        let version = f.need(1)?.uint()?;
        if version != VERSION {
            return Err(CborError::Version(version));
        }
        let device = details::device(f.need(2)?)?;
        let sequence = f.need(3)?.uint()?;
        let previous = f.take(4).map(details::digest).transpose()?.map(Commitment);
        let code = f.need(5)?;
        let kind = Kind::from_code(code.uint()?).ok_or(code.bad("a kind of event"))?;
        let event = Self {
            device,
            sequence,
            previous,
            kind: details::decode(kind, f.need(6)?)?,
            at: UnixTime(f.need(7)?.int()?),
            reporter: details::organisation(f.need(8)?)?,
            actor: f.take(9).map(details::line).transpose()?,
            place: f.take(10).map(details::line).transpose()?,
            evidence: match f.take(11) {
                Some(value) => evidence(value)?,
                None => Vec::new(),
            },
            on_behalf: f.take(12).map(on_behalf).transpose()?,
            reason: f.take(13).map(details::reason_given).transpose()?,
        };
        f.finish()?;
        if event.previous.is_some() != (event.sequence > 0) {
            return Err(CborError::Value {
                field: 4,
                what: "present exactly when the sequence number is above 0",
            });
        }
        if event.encode() != bytes {
            return Err(CborError::NotDeterministic);
        }
        Ok(event)
    }
}

fn on_behalf(value: crate::cbor::Value<'_>) -> Result<OnBehalf, CborError> {
    const WHAT: &str = "an array of organisation id and its roles, not that of the platform";
    let [organisation, roles] = value.items(2)?.try_into().map_err(|_| value.bad(WHAT))?;
    Ok(OnBehalf {
        organisation: details::organisation(organisation)?,
        roles: Roles::from_bits(roles.uint()?)
            .filter(|roles| !roles.has(Roles::PLATFORM))
            .ok_or(roles.bad(WHAT))?,
    })
}

fn evidence(value: crate::cbor::Value<'_>) -> Result<Vec<EvidenceDigest>, CborError> {
    value
        .items(EVIDENCE_MAX as u64)?
        .into_iter()
        .map(|item| {
            let [label, digest] = item
                .items(2)?
                .try_into()
                .map_err(|_| item.bad("an array of label and SHA-256 digest"))?;
            Ok(EvidenceDigest { label: details::line(label)?, sha256: details::digest(digest)? })
        })
        .collect()
}
