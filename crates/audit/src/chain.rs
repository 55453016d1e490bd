use crate::{AuditError, SecurityEvent};
use crypto::{Sha256, sha256_of};

const LINK: &[u8] = b"tegata/audit/v1\0";
const START: &[u8] = b"tegata/audit-start/v1\0";

/// The head of a chain: how many events it has and the hash that commits to all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chain {
    /// Number of the last event; the first has 1, an empty chain 0.
    pub sequence: u64,
    /// `SHA-256("tegata/audit/v1\0" ‖ previous hash ‖ length (8 bytes, big-endian) ‖ event)`.
    pub hash: Sha256,
}

impl Chain {
    /// The empty chain of the log with this origin. Chains of two logs never mix.
    pub fn start(origin: &str) -> Self {
        Self { sequence: 0, hash: sha256_of(&[START, origin.as_bytes()]) }
    }

    /// The head after one more event.
    #[must_use]
    pub fn append(&self, event: &[u8]) -> Self {
        let length = (event.len() as u64).to_be_bytes();
        Self {
            sequence: self.sequence.saturating_add(1),
            hash: sha256_of(&[LINK, &self.hash.0, &length, event]),
        }
    }

    /// Contents of the ledger's leaf that anchors this head: three lines of text.
    pub fn anchor(&self) -> Vec<u8> {
        format!("tegata/audit-head/v1\n{}\n{}\n", self.sequence, self.hash).into_bytes()
    }

    /// Reads exactly what [`Chain::anchor`] writes.
    ///
    /// # Errors
    /// [`AuditError::Malformed`].
    pub fn from_anchor(contents: &[u8]) -> Result<Self, AuditError> {
        let bad = AuditError::Malformed("not an audit head");
        let text = std::str::from_utf8(contents).map_err(|_| bad.clone())?;
        let mut lines = text.lines().skip(1);
        let sequence = lines.next().and_then(|line| line.parse().ok());
        let hash = lines.next().and_then(Sha256::from_hex);
        match (sequence, hash) {
            (Some(sequence), Some(hash)) => Some(Self { sequence, hash }),
            _ => None,
        }
        .filter(|chain| chain.anchor() == contents)
        .ok_or(bad)
    }
}

/// The first place where a chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audit log is broken at event {sequence}: {because}")]
pub struct Broken {
    /// number of the first event that is not as it was
    pub sequence: u64,
    /// what is wrong there
    pub because: BrokenBecause,
}

/// How a chain fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokenBecause {
    /// A number is missing or comes twice.
    #[error("its number is {found}; events are missing, added or out of order")]
    Number {
        /// number found
        found: u64,
    },
    /// The stored hash is not the hash of the event and its past.
    #[error("event or hash was altered")]
    Altered,
    /// The bytes are no event.
    #[error(transparent)]
    Event(AuditError),
    /// The ledger holds another head for this number: the chain was rewritten.
    #[error("the ledger holds another head: the log was rewritten from here or before")]
    Rewritten,
    /// The chain ends before a head that is known to have existed.
    #[error("events up to number {known} are known to have existed: the end was cut off")]
    CutOff {
        /// number of the known head
        known: u64,
    },
}

/// Walks a chain from its start, or from a head that was checked before, and finds the first
/// broken link. Heads found in the ledger are held against it, so that a chain that was rewritten
/// consistently is caught too. Times are not judged: a corrected clock may go back.
#[derive(Debug, Clone)]
pub struct ChainVerifier {
    head: Chain,
    anchors: Vec<Chain>,
}

impl ChainVerifier {
    /// Starts after `head`; `anchors` are heads from verified ledger leaves, in any order.
    pub fn new(head: Chain, mut anchors: Vec<Chain>) -> Self {
        anchors.retain(|anchor| anchor.sequence >= head.sequence);
        anchors.sort_by_key(|anchor| std::cmp::Reverse(anchor.sequence));
        Self { head, anchors }
    }

    /// Takes the next row: its number, event and stored hash.
    ///
    /// # Errors
    /// [`Broken`]: stop there, what follows says nothing.
    pub fn next(
        &mut self,
        sequence: u64,
        event: &[u8],
        stored: &Sha256,
    ) -> Result<SecurityEvent, Broken> {
        self.check_anchors()?;
        let here = self.head.sequence.saturating_add(1);
        let broken = |because| Broken { sequence: here, because };
        if sequence != here {
            return Err(broken(BrokenBecause::Number { found: sequence }));
        }
        let next = self.head.append(event);
        if next.hash != *stored {
            return Err(broken(BrokenBecause::Altered));
        }
        let event =
            SecurityEvent::decode(event).map_err(|error| broken(BrokenBecause::Event(error)))?;
        self.head = next;
        self.check_anchors()?;
        Ok(event)
    }

    /// The end of the rows: no known head may be left.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn finish(mut self) -> Result<Chain, Broken> {
        self.check_anchors()?;
        match self.anchors.first() {
            Some(known) => Err(Broken {
                sequence: self.head.sequence.saturating_add(1),
                because: BrokenBecause::CutOff { known: known.sequence },
            }),
            None => Ok(self.head),
        }
    }

    /// The head so far.
    pub fn head(&self) -> Chain {
        self.head
    }

    fn check_anchors(&mut self) -> Result<(), Broken> {
        while let Some(anchor) = self.anchors.last() {
            if anchor.sequence != self.head.sequence {
                break;
            }
            if anchor.hash != self.head.hash {
                return Err(Broken {
                    sequence: self.head.sequence,
                    because: BrokenBecause::Rewritten,
                });
            }
            self.anchors.pop();
        }
        Ok(())
    }
}
