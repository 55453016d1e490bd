//! The passport file (`.tegata`): everything that anyone needs to repeat the verdict offline, with
//! nothing but the trusted roots and log keys. docs/passport.md documents the format.

mod certificates;
mod history;
mod statement;
mod verify;

pub use certificates::Sources;
pub use statement::{
    STATEMENT_CONTENT_TYPE, SignedStatement, StatedCertificate, StatedProof, Statement,
};
pub use verify::{PASSPORT_SIGNER_COMMON_NAME, TrustAnchors, VerifyOptions};

use crate::{
    DeviceId, SignedEvent, SignedProof, State,
    cbor::{CborError, Fields, Map, Value, bytes_item},
    event::details as d,
};
use crypto::{Sha256, cose::CoseError};
use ledger::{CHECKPOINT_BYTES_MAX, Commitment, LedgerError, SignedCheckpoint};
use pki::{Certificate, CertificateError, Crl, crl::CrlError};

/// Largest passport file read, in bytes.
pub const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most events in a passport file.
pub const EVENTS_MAX: u64 = 16_384;
/// Most certificates in a passport file.
pub const CERTIFICATES_MAX: u64 = 256;
/// Most revocation lists in a passport file.
pub const CRLS_MAX: u64 = 32;
/// Suffix of the file's name.
pub const FILE_SUFFIX: &str = "tegata";
const MAGIC: &str = "tegata passport";
const VERSION: u64 = 1;

/// Why a file cannot be read as a passport at all. Whether it is to be believed is
/// [`PassportFile::verify`]'s to say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Not a passport file.
    #[error("not a tegata passport file; export one with `tegata passport export`")]
    NotAPassport,
    /// Damaged, or made by another version.
    #[error("passport file: {0}")]
    Cbor(#[from] CborError),
    /// The statement's envelope is damaged.
    #[error("passport file, statement: {0}")]
    Statement(#[from] CoseError),
    /// The statement's envelope carries something else.
    #[error("passport file, statement: its content type is not that of a passport statement")]
    ContentType,
    /// The checkpoint is damaged.
    #[error("passport file, checkpoint: {0}")]
    Checkpoint(#[from] LedgerError),
    /// A certificate is damaged.
    #[error("passport file, certificate {0}: {1}")]
    Certificate(usize, CertificateError),
    /// A revocation list is damaged.
    #[error("passport file, revocation list {0}: {1}")]
    Crl(usize, CrlError),
}

/// One event of the history as the file carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventEntry {
    /// leaf index in the ledger
    pub index: u64,
    /// hashes of the inclusion proof in the statement's tree
    pub proof: Vec<Sha256>,
    /// the event, or what is left of it
    pub contents: EventContents,
}

/// An event, or what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventContents {
    /// the signed event and the salt of its commitment
    Present {
        /// COSE_Sign1 as received
        bytes: Vec<u8>,
        /// salt of the commitment
        salt: [u8; 32],
    },
    /// erased (PR-4): the commitment remains
    Erased {
        /// commitment in the ledger
        commitment: Commitment,
        /// encoded state after it; only on the last of consecutive erased events
        state_after: Option<Vec<u8>>,
    },
}

impl EventEntry {
    /// Commitment of the event.
    pub fn commitment(&self) -> Commitment {
        match &self.contents {
            EventContents::Present { bytes, salt } => ledger::commit(salt, bytes),
            EventContents::Erased { commitment, .. } => *commitment,
        }
    }
}

/// A passport file: parsed, nothing verified.
#[derive(Clone, Debug)]
pub struct PassportFile {
    statement: SignedStatement,
    events: Vec<EventEntry>,
    checkpoint: SignedCheckpoint,
    certificates: Vec<Certificate>,
    crls: Vec<Crl>,
    proof: Option<Vec<u8>>,
}

impl PassportFile {
    /// Puts a file together.
    ///
    /// `certificates`: those of the device, the signers of the events, the passport signer, and
    /// all in between; in any order, without the trusted roots. `proof`: the last accepted proof
    /// of possession, as the statement names it.
    pub fn new(
        statement: SignedStatement,
        events: Vec<EventEntry>,
        checkpoint: SignedCheckpoint,
        certificates: Vec<Certificate>,
        proof: Option<&SignedProof>,
    ) -> Self {
        let proof = proof.map(|proof| proof.as_bytes().to_vec());
        Self { statement, events, checkpoint, certificates, crls: Vec::new(), proof }
    }

    /// Adds revocation lists, so that a verifier need not take the platform's word alone.
    #[must_use]
    pub fn with_crls(self, crls: Vec<Crl>) -> Self {
        Self { crls, ..self }
    }

    /// The device that the file claims to be about. Unverified.
    pub fn device(&self) -> DeviceId {
        self.statement.unverified().state.device()
    }

    /// The platform's statement. Unverified.
    pub fn statement(&self) -> &SignedStatement {
        &self.statement
    }

    /// The events as carried. Unverified.
    pub fn events(&self) -> &[EventEntry] {
        &self.events
    }

    /// The signed events that are readable, in the file's order. Unverified.
    pub fn readable_events(&self) -> impl Iterator<Item = SignedEvent> + '_ {
        self.events.iter().filter_map(|entry| match &entry.contents {
            EventContents::Present { bytes, .. } => SignedEvent::parse(bytes).ok(),
            EventContents::Erased { .. } => None,
        })
    }

    /// The checkpoint. Unverified.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// All certificates. Unverified.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        Map::new()
            .text(1, MAGIC)
            .uint(2, VERSION)
            .bytes(3, self.statement.as_bytes())
            .array(4, self.events.iter().map(entry_item))
            .bytes(5, self.checkpoint.bytes())
            .array(6, self.certificates.iter().map(|certificate| bytes_item(certificate.der())))
            .with((!self.crls.is_empty()).then_some(&self.crls), |map, crls| {
                map.array(7, crls.iter().map(|crl| bytes_item(crl.der())))
            })
            .with(self.proof.as_ref(), |map, proof| map.bytes(8, proof))
            .finish()
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`FileError`] where it is damaged so that nothing can be judged. Events are not looked
    /// into: an altered event is a finding, not an unreadable file.
    pub fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        if bytes.len() > FILE_BYTES_MAX {
            return Err(CborError::TooLong(FILE_BYTES_MAX).into());
        }
        let mut f = Fields::read(bytes).map_err(|_| FileError::NotAPassport)?;
        if f.need(1).and_then(|magic| magic.text(MAGIC.len())) != Ok(MAGIC) {
            return Err(FileError::NotAPassport);
        }
        let version = f.need(2)?.uint()?;
        if version != VERSION {
            return Err(CborError::Version(version).into());
        }
        let statement = SignedStatement::parse(f.need(3)?.bytes(FILE_BYTES_MAX)?)?;
        let events: Vec<EventEntry> =
            f.need(4)?.items(EVENTS_MAX)?.into_iter().map(entry).collect::<Result<_, _>>()?;
        let checkpoint = SignedCheckpoint::parse(f.need(5)?.bytes(CHECKPOINT_BYTES_MAX)?)?;
        let mut certificates = Vec::new();
        for (at, item) in f.need(6)?.items(CERTIFICATES_MAX)?.into_iter().enumerate() {
            let der = item.bytes(pki::CERTIFICATE_BYTES_MAX)?;
            let certificate =
                Certificate::from_der(der).map_err(|error| FileError::Certificate(at, error))?;
            certificates.push(certificate);
        }
        let mut crls = Vec::new();
        if let Some(list) = f.take(7) {
            for (at, item) in list.items(CRLS_MAX)?.into_iter().enumerate() {
                let crl = Crl::parse(item.bytes(FILE_BYTES_MAX)?);
                crls.push(crl.map_err(|error| FileError::Crl(at, error))?);
            }
        }
        let proof = match f.take(8) {
            Some(value) => Some(value.bytes(crypto::cose::SIGN1_BYTES_MAX)?.to_vec()),
            None => None,
        };
        f.finish()?;
        let file = Self { statement, events, checkpoint, certificates, crls, proof };
        if file.encode() != bytes {
            return Err(CborError::NotDeterministic.into());
        }
        Ok(file)
    }
}

fn entry_item(entry: &EventEntry) -> Vec<u8> {
    let map = Map::new()
        .uint(1, entry.index)
        .array(2, entry.proof.iter().map(|hash| bytes_item(hash.as_ref())));
    match &entry.contents {
        EventContents::Present { bytes, salt } => map.bytes(3, bytes).bytes(4, salt),
        EventContents::Erased { commitment, state_after } => map
            .bytes(5, commitment.as_bytes())
            .with(state_after.as_ref(), |map, state| map.bytes(6, state)),
    }
    .finish()
}

fn entry(item: Value<'_>) -> Result<EventEntry, CborError> {
    let mut f = item.fields()?;
    let index = f.need(1)?.uint()?;
    let hashes = f.need(2)?.items(ledger::PROOF_HASHES_MAX as u64)?;
    let proof = hashes.into_iter().map(d::digest).collect::<Result<_, _>>()?;
    let contents = match f.take(3) {
        Some(bytes) => EventContents::Present {
            bytes: bytes.bytes(crypto::cose::SIGN1_BYTES_MAX)?.to_vec(),
            salt: f.need(4)?.array_of()?,
        },
        None => EventContents::Erased {
            commitment: Commitment(d::digest(f.need(5)?)?),
            state_after: match f.take(6) {
                Some(state) => Some(state.bytes(crypto::cose::SIGN1_BYTES_MAX)?.to_vec()),
                None => None,
            },
        },
    };
    f.finish()?;
    Ok(EventEntry { index, proof, contents })
}

/// The digest by which a statement names the state after a run of erased events.
pub fn state_digest(state: &State) -> Sha256 {
    crypto::sha256(&state.encode())
}
