use crate::{
    CHECKPOINT_BYTES_MAX, Checkpoint, Commitment, InclusionProof, LedgerError, LogKey,
    PROOF_HASHES_MAX, SignedCheckpoint, WitnessKey, verify_inclusion,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use crypto::{Sha256, Verified};
use std::fmt;

/// Largest proof file read, in bytes.
pub const PROOF_BYTES_MAX: usize = CHECKPOINT_BYTES_MAX + EXTRA_BYTES_MAX * 2 + 8 * 1024;

/// Most extra data, in bytes.
const EXTRA_BYTES_MAX: usize = 64 * 1024;

const WHAT: &str = "proof file";
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// A proof of inclusion that needs nothing else but the trusted keys: index, Merkle proof and
/// checkpoint in one file (draft C2SP tlog-proof v1, `.tlog-proof`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// index of the entry
    pub index: u64,
    /// hashes of the inclusion proof
    pub hashes: Vec<Sha256>,
    /// the checkpoint whose tree holds the entry
    pub checkpoint: SignedCheckpoint,
    /// further data, which nothing authenticates
    pub extra: Option<Vec<u8>>,
}

impl TlogProof {
    /// Puts proof and checkpoint together.
    ///
    /// # Errors
    /// [`LedgerError::ProofInvalid`] where they are of trees of different size.
    pub fn new(proof: InclusionProof, checkpoint: SignedCheckpoint) -> Result<Self, LedgerError> {
        if proof.size != checkpoint.claimed().size {
            return Err(LedgerError::ProofInvalid("inclusion"));
        }
        Ok(Self { index: proof.index, hashes: proof.hashes, checkpoint, extra: None })
    }

    /// Reads a proof file.
    ///
    /// # Errors
    /// [`LedgerError::TooLarge`] or [`LedgerError::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LedgerError> {
        let bad = |why: &str| LedgerError::malformed(WHAT, why);
        if bytes.len() > PROOF_BYTES_MAX {
            let limit = PROOF_BYTES_MAX as u64;
            return Err(LedgerError::TooLarge { what: WHAT, limit, unit: "bytes" });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| bad("it is not text"))?;
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or_else(|| bad("no empty line stands before the checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(bad("its first line must be c2sp.org/tlog-proof@v1"));
        }
        let extra = match lines.peek().and_then(|line| line.strip_prefix("extra ")) {
            Some(extra) => {
                lines.next();
                let extra = BASE64_STANDARD
                    .decode(extra)
                    .map_err(|_| bad("its extra data is not base64"))?;
                if extra.len() > EXTRA_BYTES_MAX {
                    let limit = EXTRA_BYTES_MAX as u64;
                    return Err(LedgerError::TooLarge { what: "extra data", limit, unit: "bytes" });
                }
                Some(extra)
            }
            None => None,
        };
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .and_then(decimal)
            .ok_or_else(|| bad("a line with the index must follow, without leading zeroes"))?;
        let hashes = parse_hash_lines(lines, WHAT)?;
        let checkpoint = SignedCheckpoint::parse(checkpoint.as_bytes())?;
        Ok(Self { index, hashes, checkpoint, extra })
    }

    /// The Merkle proof.
    pub fn inclusion(&self) -> InclusionProof {
        let size = self.checkpoint.claimed().size;
        InclusionProof { index: self.index, size, hashes: self.hashes.clone() }
    }

    /// Verifies checkpoint and proof: `commitment` is in the log.
    ///
    /// # Errors
    /// Those of [`SignedCheckpoint::verify`], and [`LedgerError::ProofInvalid`].
    pub fn verify(
        &self,
        commitment: &Commitment,
        log: &LogKey,
        witnesses: &[WitnessKey],
        quorum: usize,
    ) -> Result<Verified<Checkpoint>, LedgerError> {
        let checkpoint = self.checkpoint.verify(log, witnesses, quorum)?;
        verify_inclusion(commitment, &self.inclusion(), &checkpoint.root)?;
        Ok(checkpoint)
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", BASE64_STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", BASE64_STANDARD.encode(hash))?;
        }
        // A checkpoint is UTF-8: signed-note demands it, and parsing has checked it.
        write!(f, "\n{}", String::from_utf8_lossy(self.checkpoint.bytes()))
    }
}

/// A number in decimal without sign or leading zeroes.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    text.parse::<u64>().ok().filter(|number| number.to_string() == text)
}

/// Hashes in base64, one a line.
pub(crate) fn parse_hash_lines<'a>(
    lines: impl Iterator<Item = &'a str>,
    what: &'static str,
) -> Result<Vec<Sha256>, LedgerError> {
    let mut hashes = Vec::new();
    for line in lines {
        if hashes.len() == PROOF_HASHES_MAX {
            let limit = PROOF_HASHES_MAX as u64;
            return Err(LedgerError::TooLarge { what: "proof", limit, unit: "hashes" });
        }
        let hash = tlog_tiles::Hash::parse_hash(line).map_err(|_| {
            LedgerError::malformed(what, "a line of its proof is not a base64 SHA-256 hash")
        })?;
        hashes.push(Sha256(hash.0));
    }
    Ok(hashes)
}
