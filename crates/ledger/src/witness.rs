//! The witness: an independent party that vouches for a log only as long as it grows from what it
//! was, and is the same for everybody (C2SP tlog-witness and tlog-cosignature v1).
//!
//! Sans-IO. The witness's process receives a request body, [`Witness::receive`]s it, looks up the
//! [`Latest`] tree head it keeps for the log, lets [`Request::decide`], stores the new one durably
//! and atomically, and only then gets the cosignature from [`Accepted::persisted`]:
//!
//! ```
//! # use ledger::{LedgerError, witness::*}; use crypto::UnixTime;
//! fn add_checkpoint(
//!     witness: &Witness, body: &[u8], store: &mut Option<Latest>, now: UnixTime,
//! ) -> Result<String, Refusal> {
//!     let request = witness.receive(body)?;
//!     let accepted = request.decide(store.as_ref(), now)?;
//!     *store = Some(accepted.latest().clone()); // durably, if it still was the one read above
//!     Ok(accepted.persisted().line().to_owned())
//! }
//! ```

mod request;

pub use request::{ADD_CHECKPOINT_BYTES_MAX, AddCheckpoint, Answer, RESPONSE_BYTES_MAX};

use crate::{
    ConsistencyProof, Cosignature, EMPTY_ROOT, LedgerError, LogKey, SignedCheckpoint, TreeHead,
    WitnessKey, verify_consistency,
};
use crypto::{Sha256, Signer, UnixTime};
use std::sync::Arc;

/// The newest tree head of a log that the witness has cosigned: all the state that it keeps for
/// the log, and must never lose or take back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latest {
    /// the log
    pub origin: String,
    /// size of its tree
    pub size: u64,
    /// root of its tree
    pub root: Sha256,
}

/// A witness with its key and the logs it knows.
pub struct Witness {
    key: WitnessKey,
    signer: Arc<dyn Signer>,
    logs: Vec<LogKey>,
}

impl Witness {
    /// A witness called `name` for these logs. Several keys of one log bear the same name.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] where name or key cannot be a witness's.
    pub fn new(
        name: &str,
        signer: Arc<dyn Signer>,
        logs: Vec<LogKey>,
    ) -> Result<Self, LedgerError> {
        let key = WitnessKey::new(name, signer.public_key())?;
        Ok(Self { key, signer, logs })
    }

    /// The witness's public key.
    pub fn key(&self) -> &WitnessKey {
        &self.key
    }

    /// Reads the body of an `add-checkpoint` request: its form, that the log is known, and that
    /// the log has signed.
    ///
    /// # Errors
    /// [`Refusal::Malformed`], [`Refusal::UnknownLog`] or [`Refusal::NotSigned`].
    pub fn receive(&self, body: &[u8]) -> Result<Request<'_>, Refusal> {
        let request = AddCheckpoint::parse(body).map_err(Refusal::Malformed)?;
        match request.checkpoint.verify_log(&self.logs) {
            Ok(head) => Ok(Request { witness: self, request, head: head.into_inner() }),
            Err(LedgerError::WrongOrigin { found, .. }) => Err(Refusal::UnknownLog(found)),
            Err(error @ LedgerError::Malformed { .. }) => Err(Refusal::Malformed(error)),
            Err(error) => Err(Refusal::NotSigned(error)),
        }
    }
}

/// A request that the log has signed, not decided yet.
pub struct Request<'a> {
    witness: &'a Witness,
    request: AddCheckpoint,
    head: TreeHead,
}

impl Request<'_> {
    /// The log: whose [`Latest`] to look up.
    pub fn origin(&self) -> &str {
        &self.head.origin
    }

    /// The checkpoint, signed by the log: evidence, should the witness refuse.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.request.checkpoint
    }

    /// Decides in view of the `latest` tree head cosigned for this log, `None` before the first.
    /// Nothing else may be cosigned for the log between reading `latest` and storing the new one.
    ///
    /// # Errors
    /// [`Refusal`], with what to answer.
    pub fn decide(self, latest: Option<&Latest>, now: UnixTime) -> Result<Accepted, Refusal> {
        let Self { witness, request, head } = self;
        if latest.is_some_and(|latest| latest.origin != head.origin) {
            return Err(Refusal::Internal("state of another log was looked up".into()));
        }
        if request.old_size > head.size {
            return Err(Refusal::Malformed(LedgerError::malformed(
                "add-checkpoint request",
                "the old size is larger than the checkpoint's",
            )));
        }
        let known_size = latest.map_or(0, |latest| latest.size);
        let known_root = latest.map_or(EMPTY_ROOT, |latest| latest.root);
        if request.old_size != known_size {
            return Err(Refusal::Conflict { size: known_size });
        }
        if head.size == known_size && head.root != known_root {
            return Err(Refusal::Forked { size: known_size });
        }
        let consistent = match (known_size, head.size == known_size) {
            (0, _) | (_, true) => request.proof.is_empty(),
            (old_size, false) => {
                let new_size = head.size;
                let proof = ConsistencyProof { old_size, new_size, hashes: request.proof };
                verify_consistency(&proof, &known_root, &head.root).is_ok()
            }
        };
        if !consistent {
            return Err(Refusal::Inconsistent);
        }
        let cosignature =
            Cosignature::sign(&request.checkpoint, &witness.key, &witness.signer, now)
                .map_err(|error| Refusal::Internal(error.to_string()))?;
        let latest = Latest { origin: head.origin, size: head.size, root: head.root };
        Ok(Accepted { latest, checkpoint: request.checkpoint, cosignature })
    }
}

/// The witness agrees. The cosignature can be had once the new state is stored.
#[must_use = "store the new state, then answer with the cosignature"]
#[derive(Debug)]
pub struct Accepted {
    latest: Latest,
    checkpoint: SignedCheckpoint,
    cosignature: Cosignature,
}

impl Accepted {
    /// The state to store, durably, in place of the one that was decided upon.
    pub fn latest(&self) -> &Latest {
        &self.latest
    }

    /// The checkpoint, to be kept as evidence of what was cosigned.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// The caller states that [`Self::latest`] is durable; now the cosignature may leave.
    pub fn persisted(self) -> Cosignature {
        self.cosignature
    }
}

/// Why a witness does not cosign, with the answer that tlog-witness prescribes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request has not the right form.
    #[error(transparent)]
    Malformed(LedgerError),
    /// The witness does not know the log.
    #[error("this witness does not know the log {0:?}; ask its operator to add the log's key")]
    UnknownLog(String),
    /// Not signed by a known key of the log.
    #[error(transparent)]
    NotSigned(LedgerError),
    /// The old size is not that of the newest cosigned checkpoint. Ask again from there. Also how
    /// a log that was rolled back learns that its newer tree has been seen.
    #[error("the newest cosigned checkpoint has {size} leaves; send a proof from there")]
    Conflict {
        /// size of the newest cosigned checkpoint
        size: u64,
    },
    /// The log has signed two trees of the same size.
    #[error("the log has forked: another tree of {size} leaves is already cosigned")]
    Forked {
        /// size of both trees
        size: u64,
    },
    /// The new tree does not extend the old one, or the proof is wrong.
    #[error("the consistency proof does not verify: the new tree does not extend the cosigned one")]
    Inconsistent,
    /// The witness failed.
    #[error("the witness failed: {0}")]
    Internal(String),
}

impl Refusal {
    /// HTTP status (tlog-witness, "add-checkpoint").
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::NotSigned(_) => 403,
            Self::UnknownLog(_) => 404,
            Self::Conflict { .. } | Self::Forked { .. } => 409,
            Self::Inconsistent => 422,
            Self::Internal(_) => 500,
        }
    }

    /// Content type of the answer.
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Conflict { .. } | Self::Forked { .. } => "text/x.tlog.size",
            _ => "text/plain; charset=utf-8",
        }
    }

    /// Body of the answer.
    pub fn body(&self) -> String {
        match self {
            Self::Conflict { size } | Self::Forked { size } => format!("{size}\n"),
            other => format!("{other}\n"),
        }
    }

    /// Whether the log has signed what may prove its misbehaviour: keep the request.
    pub fn is_evidence(&self) -> bool {
        matches!(self, Self::Forked { .. } | Self::Inconsistent)
    }
}
