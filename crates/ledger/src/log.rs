mod recovery;

pub(crate) use recovery::leaves;

use crate::{
    CheckpointStore, ConsistencyProof, Cosignature, InclusionProof, LeafSource, LedgerError,
    LogKey, ObjectStore, Progress, Report, SignedCheckpoint, TreeHead,
    edge::Edge,
    nodes::{Cache, Cached, Nodes, Tiles, TreeReader, nodes_of},
    proof::{self, from_tlog},
    verify_consistency, verify_leaf_hash,
};
use crypto::{Sha256, Signer, UnixTime};
use recovery::own_checkpoint;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tlog_tiles::{prove_record, prove_tree, stored_hash_index};

/// Most leaves taken up by one [`Log::integrate`]: it bounds its memory (about 5 MiB) and time.
pub const LEAVES_PER_INTEGRATION_MAX: u64 = 65_536;

/// A log with its one sequencer. Proofs can be asked for from any thread meanwhile.
///
/// Every step of [`Self::integrate`] may be cut short by a crash: leaves are durable before,
/// tiles are derived from them and written again alike, and only the compare-and-swap of the
/// checkpoint makes a new tree the log's.
pub struct Log<S, O, C> {
    source: S,
    objects: O,
    checkpoints: C,
    key: LogKey,
    signer: Arc<dyn Signer>,
    writer: Mutex<Writer>,
    published: RwLock<Arc<Published>>,
    cosigned: RwLock<Option<SignedCheckpoint>>,
    cache: Cache,
}

/// What the sequencer knows of the stores.
enum Writer {
    Ready(Box<Edge>),
    /// A write failed: it may have happened or not. Look before going on.
    Unsure,
    /// Nothing more is signed until the process has been restarted.
    InDoubt(String),
}

struct Published {
    signed: SignedCheckpoint,
    partials: Vec<Arc<Nodes>>,
    integrated_at: Option<UnixTime>,
}

impl<S: LeafSource, O: ObjectStore, C: CheckpointStore> Log<S, O, C> {
    /// Opens the log, or begins it: then the checkpoint of the empty tree is signed. Missing tiles
    /// are made again from the leaves.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] where `origin` or key cannot be a log's,
    /// [`LedgerError::InDoubt`] where checkpoint, tiles and leaves do not agree,
    /// [`LedgerError::Unavailable`] where a store fails.
    pub fn open(
        source: S,
        objects: O,
        checkpoints: C,
        origin: &str,
        signer: Arc<dyn Signer>,
    ) -> Result<Self, LedgerError> {
        let key = LogKey::new(origin, signer.public_key())?;
        let signed = match checkpoints.load()? {
            Some(bytes) => own_checkpoint(&bytes, &key)?,
            None => {
                let empty =
                    TreeHead { origin: origin.to_owned(), size: 0, root: proof::EMPTY_ROOT };
                let signed = SignedCheckpoint::sign(&empty, &key, &signer)?;
                checkpoints.compare_and_swap(None, signed.bytes())?;
                signed
            }
        };
        let log = Self {
            source,
            objects,
            checkpoints,
            key,
            signer,
            writer: Mutex::new(Writer::Unsure),
            published: RwLock::new(Arc::new(Published {
                signed,
                partials: Vec::new(),
                integrated_at: None,
            })),
            cosigned: RwLock::new(None),
            cache: Cache::default(),
        };
        let edge = log.recover()?;
        *log.writer.lock().unwrap_or_else(PoisonError::into_inner) = Writer::Ready(Box::new(edge));
        Ok(log)
    }

    /// The log's public key; its [`ToString`] is the key string to publish.
    pub fn key(&self) -> &LogKey {
        &self.key
    }

    /// The newest checkpoint.
    pub fn latest(&self) -> SignedCheckpoint {
        self.published().signed.clone()
    }

    /// The newest checkpoint that cosignatures were added to since the log was opened.
    pub fn latest_cosigned(&self) -> Option<SignedCheckpoint> {
        self.cosigned.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When [`Self::integrate`] last succeeded, new leaves or none; `None` before the first time.
    pub fn integrated_at(&self) -> Option<UnixTime> {
        self.published().integrated_at
    }

    /// Takes up new leaves, at most [`LEAVES_PER_INTEGRATION_MAX`], writes their tiles and signs
    /// the new checkpoint; returns the newest. Call it again while `claimed().size` is smaller
    /// than the source.
    ///
    /// Before anything is signed, the tiles are read back and hashed again, compared with the
    /// leaves, and proven to extend the tree that was signed last.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`] or [`LedgerError::Conflict`]: try again, nothing is lost.
    /// [`LedgerError::InDoubt`]: this log signs nothing more until it is opened again.
    pub fn integrate(&self, now: UnixTime) -> Result<SignedCheckpoint, LedgerError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let result = match std::mem::replace(&mut *writer, Writer::Unsure) {
            Writer::InDoubt(why) => Err(LedgerError::InDoubt(why)),
            Writer::Unsure => self.recover().and_then(|edge| self.advance(edge, now)),
            Writer::Ready(edge) => self.advance(*edge, now),
        };
        match result {
            Ok((edge, signed)) => {
                *writer = Writer::Ready(Box::new(edge));
                Ok(signed)
            }
            Err(LedgerError::InDoubt(why)) => {
                *writer = Writer::InDoubt(why.clone());
                Err(LedgerError::InDoubt(why))
            }
            Err(error) => Err(error),
        }
    }

    /// Adds cosignatures to a checkpoint of this log, and publishes them where it still is the
    /// newest.
    ///
    /// # Errors
    /// As [`Self::integrate`].
    pub fn add_cosignatures(
        &self,
        checkpoint: &SignedCheckpoint,
        cosignatures: &[Cosignature],
    ) -> Result<SignedCheckpoint, LedgerError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let published = self.published();
        let newest = published.signed.claimed() == checkpoint.claimed();
        let kept = self.latest_cosigned().filter(|kept| kept.claimed() == checkpoint.claimed());
        // Witnesses answer one after the other, and the log goes on meanwhile: what others said of
        // this checkpoint stays with it.
        let base = if newest { &published.signed } else { kept.as_ref().unwrap_or(checkpoint) };
        let merged = base.with_cosignatures(cosignatures)?;
        let ready = matches!(*writer, Writer::Ready(_));
        if newest && ready && merged.bytes() != base.bytes() {
            let swap = self.checkpoints.compare_and_swap(Some(base.bytes()), merged.bytes());
            if let Err(error) = swap {
                *writer = Writer::Unsure;
                return Err(error);
            }
            self.publish(Published {
                signed: merged.clone(),
                partials: published.partials.clone(),
                integrated_at: published.integrated_at,
            });
        }
        let mut cosigned = self.cosigned.write().unwrap_or_else(PoisonError::into_inner);
        if cosigned.as_ref().is_none_or(|old| old.claimed().size <= merged.claimed().size) {
            *cosigned = Some(merged.clone());
        }
        Ok(merged)
    }

    /// Shows that the leaf at `index` is in the tree of `size` leaves, which may be older than the
    /// newest.
    ///
    /// # Errors
    /// [`LedgerError::OutOfRange`]; [`LedgerError::InDoubt`] where the tiles do not lead to the
    /// signed root; [`LedgerError::Unavailable`].
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<InclusionProof, LedgerError> {
        self.prove(size, |reader, root| {
            if index >= size {
                return Err(LedgerError::OutOfRange { what: "entry", asked: index, size });
            }
            let leaf = reader.run(|reader| {
                tlog_tiles::HashReader::read_hashes(reader, &[stored_hash_index(0, index)])
            })?;
            let leaf = leaf.first().map(|hash| Sha256(hash.0)).unwrap_or_default();
            let hashes = from_tlog(reader.run(|reader| prove_record(size, index, reader))?);
            let proof = InclusionProof { index, size, hashes };
            verify_leaf_hash(&leaf, &proof, root)?;
            Ok(proof)
        })
    }

    /// Shows that the tree of `new_size` leaves extends that of `old_size`.
    ///
    /// # Errors
    /// As [`Self::inclusion_proof`].
    pub fn consistency_proof(
        &self,
        old_size: u64,
        new_size: u64,
    ) -> Result<ConsistencyProof, LedgerError> {
        self.prove(new_size, |reader, root| {
            if old_size == 0 || old_size > new_size {
                return Err(LedgerError::OutOfRange {
                    what: "tree of size",
                    asked: old_size,
                    size: new_size,
                });
            }
            let hashes = from_tlog(reader.run(|reader| prove_tree(new_size, old_size, reader))?);
            let proof = ConsistencyProof { old_size, new_size, hashes };
            verify_consistency(&proof, &reader.root(old_size)?, root)?;
            Ok(proof)
        })
    }

    /// Makes tiles and bundles again from the leaves, where some were lost. Those that are there
    /// must be what the leaves say.
    ///
    /// # Errors
    /// As [`Self::integrate`].
    pub fn rebuild_tiles(&self) -> Result<(), LedgerError> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let head = self.published().signed.claimed().clone();
        match self.rebuild(head.size)?.root() == head.root {
            true => Ok(()),
            false => Err(LedgerError::doubt("the leaves do not lead to the root that was signed")),
        }
    }

    /// Audits the whole log, as [`crate::check`] does.
    ///
    /// # Errors
    /// As there.
    pub fn check(&self, progress: &mut dyn FnMut(Progress)) -> Result<Report, LedgerError> {
        crate::check(&self.source, &self.objects, &self.checkpoints, &self.key, progress)
    }

    /// Makes a proof in the tree of `size` leaves. What it gets is checked against the signed
    /// root, so that damaged tiles never become a proof; the cache is given up once before that.
    fn prove<P>(
        &self,
        size: u64,
        make: impl Fn(&TreeReader<'_, Cached<'_, O>>, &Sha256) -> Result<P, LedgerError>,
    ) -> Result<P, LedgerError> {
        let published = self.published();
        let head = published.signed.claimed();
        if size > head.size {
            let (what, asked) = ("tree of size", size);
            return Err(LedgerError::OutOfRange { what, asked, size: head.size });
        }
        let attempt = || {
            let (objects, cache) = (&self.objects, &self.cache);
            let tiles = Cached { objects, cache, partials: &published.partials };
            let reader = TreeReader::new(head.size, &tiles);
            let root = match size {
                0 => proof::EMPTY_ROOT,
                _ if size == head.size => head.root,
                _ => older_root(&reader, head, size)?,
            };
            make(&reader, &root)
        };
        match attempt() {
            Err(LedgerError::ProofInvalid(_) | LedgerError::InDoubt(_)) => {
                self.cache.clear();
                attempt().map_err(|error| match error {
                    LedgerError::ProofInvalid(_) => LedgerError::doubt(format!(
                        "the tiles do not lead to the root of the signed tree of {} leaves",
                        head.size
                    )),
                    other => other,
                })
            }
            result => result,
        }
    }

    fn published(&self) -> Arc<Published> {
        Arc::clone(&self.published.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn publish(&self, published: Published) {
        *self.published.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(published);
    }

    fn advance(
        &self,
        mut edge: Edge,
        now: UnixTime,
    ) -> Result<(Edge, SignedCheckpoint), LedgerError> {
        let published = self.published();
        let old = published.signed.claimed();
        let available = self.source.size()?;
        if available < old.size {
            return Err(LedgerError::doubt(format!(
                "{} leaves are signed, but only {available} are left",
                old.size
            )));
        }
        let (signed, partials, full) = if available == old.size {
            (published.signed.clone(), published.partials.clone(), Vec::new())
        } else {
            let upto = available.min(old.size + LEAVES_PER_INTEGRATION_MAX);
            let mut objects = Vec::new();
            self.append(&mut edge, upto, &mut objects)?;
            let full: Vec<String> = objects.iter().map(|(path, _)| path.clone()).collect();
            objects.extend(edge.partials(old.size)?);
            self.write_missing(objects)?;
            let head = TreeHead { origin: old.origin.clone(), size: upto, root: edge.root() };
            self.read_back(old, &head)?;
            let signed = SignedCheckpoint::sign(&head, &self.key, &self.signer)?;
            if *signed.claimed() != head || signed.verify(&self.key, &[], 0).is_err() {
                return Err(LedgerError::doubt("the log's key made a signature that is wrong"));
            }
            self.checkpoints.compare_and_swap(Some(published.signed.bytes()), signed.bytes())?;
            (signed, nodes_of(&edge), full)
        };
        self.publish(Published { signed: signed.clone(), partials, integrated_at: Some(now) });
        full.iter().for_each(|path| self.objects.drop_partials(path));
        Ok((edge, signed))
    }
}

/// Root of the first `size` leaves of the tree `head`, proven to be its beginning.
fn older_root<T: Tiles>(
    reader: &TreeReader<'_, T>,
    head: &TreeHead,
    size: u64,
) -> Result<Sha256, LedgerError> {
    let root = reader.root(size)?;
    let hashes = from_tlog(reader.run(|reader| prove_tree(head.size, size, reader))?);
    let proof = ConsistencyProof { old_size: size, new_size: head.size, hashes };
    verify_consistency(&proof, &root, &head.root)?;
    Ok(root)
}
