use crate::{
    CHECKPOINT_BYTES_MAX, ConsistencyProof, Cosignature, LedgerError, PROOF_HASHES_MAX,
    SignedCheckpoint, WitnessKey,
    proof_file::{decimal, parse_hash_lines},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use crypto::Sha256;
use std::fmt;

/// Largest body of an `add-checkpoint` request that is read, in bytes: old size, 63 hashes and a
/// checkpoint.
pub const ADD_CHECKPOINT_BYTES_MAX: usize = CHECKPOINT_BYTES_MAX + 64 * 45;

/// Largest answer of a witness that is read, in bytes.
pub const RESPONSE_BYTES_MAX: usize = 64 * 1024;

const WHAT: &str = "add-checkpoint request";

/// Body of an `add-checkpoint` request (tlog-witness): a checkpoint, with the proof that it
/// extends the one of `old_size` leaves. Its [`ToString`] is what to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// size of the newest checkpoint that the witness has cosigned, as the sender believes
    pub old_size: u64,
    /// consistency proof; empty where `old_size` is 0
    pub proof: Vec<Sha256>,
    /// the new checkpoint
    pub checkpoint: SignedCheckpoint,
}

/// What a witness answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Cosigned. The lines are verified, and merged into the checkpoint.
    Cosigned {
        /// the checkpoint with the new cosignatures
        checkpoint: SignedCheckpoint,
        /// the cosignatures
        cosignatures: Vec<Cosignature>,
    },
    /// The witness has cosigned another size; send the proof from there.
    Conflict {
        /// size of its newest checkpoint
        size: u64,
    },
    /// Refused for good. A log that hears this about its own checkpoint has to look into it.
    Refused {
        /// HTTP status
        status: u16,
        /// what the witness said, shortened
        message: String,
    },
}

impl AddCheckpoint {
    /// A request to cosign `checkpoint`: the first for this log, which also brings to light, by a
    /// [`Answer::Conflict`], what the witness has cosigned already.
    pub fn first(checkpoint: SignedCheckpoint) -> Self {
        Self { old_size: 0, proof: Vec::new(), checkpoint }
    }

    /// A request to cosign `checkpoint`, which extends what the witness has cosigned.
    ///
    /// # Errors
    /// [`LedgerError::ProofInvalid`] where the proof is not for this checkpoint.
    pub fn new(proof: ConsistencyProof, checkpoint: SignedCheckpoint) -> Result<Self, LedgerError> {
        if proof.new_size != checkpoint.claimed().size || proof.hashes.len() > PROOF_HASHES_MAX {
            return Err(LedgerError::ProofInvalid("consistency"));
        }
        Ok(Self { old_size: proof.old_size, proof: proof.hashes, checkpoint })
    }

    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`LedgerError::TooLarge`] or [`LedgerError::Malformed`].
    pub fn parse(body: &[u8]) -> Result<Self, LedgerError> {
        let bad = |why: &str| LedgerError::malformed(WHAT, why);
        if body.len() > ADD_CHECKPOINT_BYTES_MAX {
            let limit = ADD_CHECKPOINT_BYTES_MAX as u64;
            return Err(LedgerError::TooLarge { what: WHAT, limit, unit: "bytes" });
        }
        let text = std::str::from_utf8(body).map_err(|_| bad("it is not text"))?;
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or_else(|| bad("no empty line stands before the checkpoint"))?;
        let mut lines = head.split('\n');
        let old_size = lines
            .next()
            .and_then(|line| line.strip_prefix("old "))
            .and_then(decimal)
            .ok_or_else(|| bad("its first line must be `old` and a size"))?;
        let proof = parse_hash_lines(lines, WHAT)?;
        let checkpoint = SignedCheckpoint::parse(checkpoint.as_bytes())?;
        Ok(Self { old_size, proof, checkpoint })
    }

    /// Reads the witness's answer. Cosignatures by other keys than `witnesses` are ignored.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] or [`LedgerError::TooLarge`] where it is no answer of a witness,
    /// [`LedgerError::BadSignature`] where a cosignature is wrong, [`LedgerError::Quorum`] where
    /// none is by one of the `witnesses`.
    pub fn answer(
        &self,
        status: u16,
        body: &[u8],
        witnesses: &[WitnessKey],
    ) -> Result<Answer, LedgerError> {
        if body.len() > RESPONSE_BYTES_MAX {
            let limit = RESPONSE_BYTES_MAX as u64;
            return Err(LedgerError::TooLarge { what: "witness's answer", limit, unit: "bytes" });
        }
        match status {
            200 => {
                let cosignatures = Cosignature::parse_lines(body, &self.checkpoint, witnesses)?;
                if cosignatures.is_empty() {
                    return Err(LedgerError::Quorum { have: 0, need: 1 });
                }
                let checkpoint = self.checkpoint.with_cosignatures(&cosignatures)?;
                Ok(Answer::Cosigned { checkpoint, cosignatures })
            }
            409 => {
                let size = std::str::from_utf8(body)
                    .ok()
                    .and_then(|text| text.strip_suffix('\n'))
                    .and_then(decimal)
                    .ok_or_else(|| {
                        LedgerError::malformed("witness's answer", "no size in a 409")
                    })?;
                // The same size again can only mean that it knows another root for it.
                if size == self.old_size && size == self.checkpoint.claimed().size {
                    let message = format!("the witness has cosigned another tree of {size} leaves");
                    return Ok(Answer::Refused { status, message });
                }
                Ok(Answer::Conflict { size })
            }
            _ => {
                let text = String::from_utf8_lossy(body);
                let message = text.chars().filter(|c| !c.is_control()).take(200).collect();
                Ok(Answer::Refused { status, message })
            }
        }
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        for hash in &self.proof {
            writeln!(f, "{}", BASE64_STANDARD.encode(hash))?;
        }
        // A checkpoint is UTF-8: signed-note demands it, and parsing has checked it.
        write!(f, "\n{}", String::from_utf8_lossy(self.checkpoint.bytes()))
    }
}
