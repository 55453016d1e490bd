use crate::{
    LedgerError, LogKey, TREE_SIZE_MAX, WitnessKey,
    key::{NoteSigner, split_timestamp},
};
use crypto::{Sha256, Signer, UnixTime, Verified, sha256};
use signed_note::{Note, NoteError, Signature, VerifierList};
use std::{fmt, sync::Arc};
use tlog_tiles::Hash;

/// Largest signed checkpoint read, in bytes: 16 signatures of the largest kind in use fit.
pub const CHECKPOINT_BYTES_MAX: usize = 128 * 1024;

const WHAT: &str = "checkpoint";

/// What a checkpoint says of its log: so many entries, under this root (tlog-checkpoint, "Note
/// text").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeHead {
    /// the log's name
    pub origin: String,
    /// number of leaves
    pub size: u64,
    /// root of the Merkle tree over them
    pub root: Sha256,
}

/// A checkpoint whose log signature and quorum of cosignatures have been verified; only
/// [`SignedCheckpoint::verify`] makes it [`Verified`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// the log's name
    pub origin: String,
    /// number of leaves
    pub size: u64,
    /// root of the Merkle tree over them
    pub root: Sha256,
    /// names of the trusted witnesses that cosigned, and when. Whether that is recent enough is
    /// for the caller to decide.
    pub cosigned_at: Vec<(String, UnixTime)>,
}

impl Checkpoint {
    /// The time by which at least `quorum` trusted witnesses had seen this tree as the log's
    /// newest; `None` where there are fewer, or where `quorum` is 0.
    pub fn witnessed_at(&self, quorum: usize) -> Option<UnixTime> {
        let mut times: Vec<UnixTime> = self.cosigned_at.iter().map(|(_, time)| *time).collect();
        times.sort_unstable_by(|a, b| b.cmp(a));
        times.get(quorum.checked_sub(1)?).copied()
    }
}

/// A checkpoint as published, with its signatures as received. Well formed; not verified.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    bytes: Arc<[u8]>,
    claimed: TreeHead,
}

impl SignedCheckpoint {
    /// Reads a checkpoint in the form of C2SP tlog-checkpoint and signed-note. Extension lines
    /// are kept and covered by the signatures, but mean nothing here.
    ///
    /// # Errors
    /// [`LedgerError::TooLarge`] or [`LedgerError::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LedgerError> {
        let note = note(bytes)?;
        let body = tlog_tiles::Checkpoint::from_bytes(note.text()).map_err(|_| {
            LedgerError::malformed(
                WHAT,
                "its text must be origin, size and base64 root, a line each",
            )
        })?;
        if body.size() > TREE_SIZE_MAX {
            return Err(LedgerError::TooLarge { what: WHAT, limit: TREE_SIZE_MAX, unit: "leaves" });
        }
        let claimed = TreeHead {
            origin: body.origin().to_owned(),
            size: body.size(),
            root: Sha256(body.hash().0),
        };
        Ok(Self { bytes: bytes.into(), claimed })
    }

    /// Makes a log's checkpoint.
    pub(crate) fn sign(
        head: &TreeHead,
        key: &LogKey,
        signer: &Arc<dyn Signer>,
    ) -> Result<Self, LedgerError> {
        let body = tlog_tiles::Checkpoint::new(&head.origin, head.size, Hash(head.root.0), "")
            .map_err(|_| LedgerError::malformed(WHAT, "its origin is empty"))?;
        let signer = NoteSigner { key: key.clone(), signer: Arc::clone(signer), time: UnixTime(0) };
        let mut note = Note::new(&body.to_bytes(), &[])
            .map_err(|_| LedgerError::malformed(WHAT, "its origin is not a line of text"))?;
        note.add_sigs(&[&signer]).map_err(|_| LedgerError::Sign(crypto::SignError::Backend))?;
        Self::parse(&note.to_bytes())
    }

    /// The checkpoint as received.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the checkpoint claims. Believe it only when it is your own log's, or use
    /// [`Self::verify`].
    pub fn claimed(&self) -> &TreeHead {
        &self.claimed
    }

    /// Verifies the log's signature, and that at least `quorum` of the `witnesses` have cosigned.
    /// Signatures of unknown keys are ignored; a wrong signature in the name of a known key spoils
    /// the checkpoint (signed-note, "Signatures"). A witness counts once, however many names or
    /// lines it has, and not at all where its key is the log's own.
    ///
    /// # Errors
    /// [`LedgerError::WrongOrigin`], [`LedgerError::NoLogSignature`],
    /// [`LedgerError::BadSignature`] or [`LedgerError::Quorum`].
    pub fn verify(
        &self,
        log: &LogKey,
        witnesses: &[WitnessKey],
        quorum: usize,
    ) -> Result<Verified<Checkpoint>, LedgerError> {
        let head = self.verify_log(std::slice::from_ref(log))?;
        let cosignatures = self.verify_witnesses(witnesses)?;
        let mut seen = vec![log.public_key()];
        let mut cosigned_at = Vec::new();
        for (key, time) in cosignatures {
            if !seen.contains(&key.public_key()) {
                seen.push(key.public_key());
                cosigned_at.push((key.name().to_owned(), time));
            }
        }
        if cosigned_at.len() < quorum {
            return Err(LedgerError::Quorum { have: cosigned_at.len(), need: quorum });
        }
        let TreeHead { origin, size, root } = head.into_inner();
        Ok(Verified::assertion(Checkpoint { origin, size, root, cosigned_at }))
    }

    /// Verifies the signature of one of a log's `keys`, which all bear the log's name.
    pub(crate) fn verify_log(&self, keys: &[LogKey]) -> Result<Verified<TreeHead>, LedgerError> {
        let named: Vec<&LogKey> =
            keys.iter().filter(|key| key.name() == self.claimed.origin).collect();
        if named.is_empty() {
            return Err(LedgerError::WrongOrigin {
                expected: keys.first().map(|key| key.name().to_owned()).unwrap_or_default(),
                found: self.claimed.origin.clone(),
            });
        }
        match verified_signatures(&note(&self.bytes)?, named.into_iter().cloned())?.is_empty() {
            false => Ok(Verified::assertion(self.claimed.clone())),
            true => Err(LedgerError::NoLogSignature(self.claimed.origin.clone())),
        }
    }

    fn verify_witnesses<'a>(
        &self,
        witnesses: &'a [WitnessKey],
    ) -> Result<Vec<(&'a WitnessKey, UnixTime)>, LedgerError> {
        let signatures = verified_signatures(&note(&self.bytes)?, witnesses.iter().cloned())?;
        Ok(signatures
            .iter()
            .filter_map(|signature| {
                let key = witnesses
                    .iter()
                    .find(|key| key.name() == signature.name() && key.id() == signature.id())?;
                Some((key, split_timestamp(signature.signature())?.0))
            })
            .collect())
    }

    /// This checkpoint with cosignatures, which take the place of older ones by the same keys: a
    /// log that stands still is cosigned again and again.
    ///
    /// # Errors
    /// [`LedgerError::BadSignature`] where a cosignature is of another checkpoint;
    /// [`LedgerError::TooLarge`] or [`LedgerError::Malformed`] where there are too many.
    pub fn with_cosignatures(&self, cosignatures: &[Cosignature]) -> Result<Self, LedgerError> {
        let note = note(&self.bytes)?;
        let text = sha256(note.text());
        if let Some(stray) = cosignatures.iter().find(|cosignature| cosignature.text != text) {
            return Err(LedgerError::BadSignature(stray.name.clone()));
        }
        let by = |signature: &Signature| (signature.name().to_owned(), signature.id());
        let replaced: Vec<_> =
            cosignatures.iter().filter_map(|c| line_signature(&c.line)).map(|s| by(&s)).collect();
        let mut bytes = [note.text(), b"\n"].concat();
        let (_, lines) = self.bytes.split_at_checked(bytes.len()).unwrap_or_default();
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let signature = std::str::from_utf8(line).ok().and_then(line_signature);
            if !signature.is_some_and(|signature| replaced.contains(&by(&signature))) {
                bytes.extend(line);
            }
        }
        bytes.extend(cosignatures.iter().flat_map(|cosignature| cosignature.line.bytes()));
        Self::parse(&bytes)
    }
}

fn line_signature(line: &str) -> Option<Signature> {
    Signature::from_bytes(line.strip_suffix('\n')?.as_bytes()).ok()
}

impl fmt::Debug for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignedCheckpoint").field(&self.claimed).finish()
    }
}

/// A witness's signature line (tlog-cosignature): as of `time` this was the largest tree of the
/// log that it had seen, and consistent with all before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    line: String,
    name: String,
    time: UnixTime,
    /// hash of the note text that it is over
    text: Sha256,
}

impl Cosignature {
    /// Cosigns the checkpoint. Only the witness may decide to.
    pub(crate) fn sign(
        checkpoint: &SignedCheckpoint,
        key: &WitnessKey,
        signer: &Arc<dyn Signer>,
        time: UnixTime,
    ) -> Result<Self, LedgerError> {
        use signed_note::Signer as _;
        let failed = || LedgerError::Sign(crypto::SignError::Backend);
        let signer = NoteSigner { key: key.clone(), signer: Arc::clone(signer), time };
        let note = note(checkpoint.bytes())?;
        let signature = signer.sign(note.text()).map_err(|_| failed())?;
        let signature =
            Signature::new(key.name().to_owned(), key.id(), signature).map_err(|_| failed())?;
        Self::from_signature(&signature, note.text()).ok_or_else(failed)
    }

    /// Finds those of the signature lines in `text` that are cosignatures of `checkpoint` by one
    /// of the `witnesses`. Lines of unknown keys are ignored (tlog-witness, "add-checkpoint").
    ///
    /// # Errors
    /// [`LedgerError::Malformed`], or [`LedgerError::BadSignature`] where a witness's name and key
    /// id stand before a signature that it did not make.
    pub fn parse_lines(
        text: &[u8],
        checkpoint: &SignedCheckpoint,
        witnesses: &[WitnessKey],
    ) -> Result<Vec<Self>, LedgerError> {
        let body = note(checkpoint.bytes())?;
        // A note cannot be parsed without signatures, so the lines are set below the text alone.
        let bytes = [body.text(), b"\n", text].concat();
        let answered = note(&bytes)?;
        if answered.text() != body.text() {
            return Err(LedgerError::malformed("witness's answer", "it has more than signatures"));
        }
        let signatures = verified_signatures(&answered, witnesses.iter().cloned())?;
        Ok(signatures.iter().filter_map(|s| Self::from_signature(s, body.text())).collect())
    }

    /// The line, ending in a newline.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// The witness's name.
    pub fn witness(&self) -> &str {
        &self.name
    }

    /// When the witness signed.
    pub fn time(&self) -> UnixTime {
        self.time
    }

    fn from_signature(signature: &Signature, text: &[u8]) -> Option<Self> {
        Some(Self {
            line: String::from_utf8(signature.to_bytes()).ok()?,
            name: signature.name().to_owned(),
            time: split_timestamp(signature.signature())?.0,
            text: sha256(text),
        })
    }
}

fn note(bytes: &[u8]) -> Result<Note, LedgerError> {
    if bytes.len() > CHECKPOINT_BYTES_MAX {
        let limit = CHECKPOINT_BYTES_MAX as u64;
        return Err(LedgerError::TooLarge { what: WHAT, limit, unit: "bytes" });
    }
    Note::from_bytes(bytes).map_err(|_| {
        LedgerError::malformed(
            WHAT,
            "it must be text, an empty line and signature lines (signed-note)",
        )
    })
}

fn verified_signatures<K: signed_note::Verifier + 'static>(
    note: &Note,
    keys: impl Iterator<Item = K>,
) -> Result<Vec<Signature>, LedgerError> {
    let mut list: Vec<Box<dyn signed_note::Verifier>> = Vec::new();
    for key in keys {
        // The same key given twice is not ambiguous.
        if !list.iter().any(|k| k.name() == key.name() && k.key_id() == key.key_id()) {
            list.push(Box::new(key));
        }
    }
    match note.verify(&VerifierList::new(list)) {
        Ok((verified, _)) => Ok(verified),
        Err(NoteError::UnverifiedNote) => Ok(Vec::new()),
        Err(NoteError::InvalidSignature { name, .. }) => Err(LedgerError::BadSignature(name)),
        Err(_) => Err(LedgerError::malformed(WHAT, "its signatures cannot be told apart")),
    }
}
