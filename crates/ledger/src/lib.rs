//! The verifiable log: an append-only Merkle tree of commitments that nobody can change unnoticed.
//!
//! Specifications: C2SP [tlog-tiles](https://c2sp.org/tlog-tiles) (0.1),
//! [tlog-checkpoint](https://c2sp.org/tlog-checkpoint) (1.0),
//! [signed-note](https://c2sp.org/signed-note) (1.0),
//! [tlog-cosignature](https://c2sp.org/tlog-cosignature) v1 (Ed25519),
//! [tlog-witness](https://c2sp.org/tlog-witness) (1.0) and the draft
//! [tlog-proof](https://c2sp.org/tlog-proof); the tree is that of RFC 6962 section 2.1. Merkle
//! arithmetic and notes come from the crates `tlog_tiles` and `signed_note`.
//!
//! - [`Log`] turns an ordered [`LeafSource`] into tiles and signed checkpoints, and makes proofs.
//!   Tiles are derived: they can be made again from the leaves, byte for byte. Recovery after a
//!   crash is the ordinary way of opening.
//! - [`SignedCheckpoint`], [`verify_inclusion`], [`verify_consistency`] and [`TlogProof`] are what
//!   everybody needs who wants to check, offline.
//! - [`witness`] is the independent party that refuses to vouch for a log that forks.
//!
//! No clock, no randomness, no network. Files are reached only in [`FileStore`] and
//! [`FileCheckpoints`], behind the traits [`ObjectStore`] and [`CheckpointStore`].
//!
//! Deliberately absent: pruning of old entries, ML-DSA cosignatures, HTTP.
//!
//! Where this is narrower than the specifications allow:
//! - A log's key bears the log's origin as its name (tlog-checkpoint: SHOULD); several keys of one
//!   log bear the same.
//! - Log and witness keys are Ed25519; signatures of other types are ignored as of unknown keys.
//! - Trees have at most 2^56 - 1 leaves, proofs at most 63 hashes, checkpoints at most 128 KiB,
//!   proof files at most 64 KiB of extra data.
//! - One wrong signature in the name of a known key spoils a checkpoint (signed-note: SHOULD), for
//!   witnesses too: they answer 403.
//! - Partial tiles disappear when their full tile is signed (tlog-tiles: MAY).
//! - Our own entries are commitments of 32 bytes; entries of other logs can be read.
//!
//! ```
//! use crypto::{KeyAlgorithm, SoftwareKey, UnixTime};
//! use ledger::{Log, LogKey, commit, memory::*, verify_inclusion};
//! use std::sync::Arc;
//!
//! let key = Arc::new(SoftwareKey::generate(KeyAlgorithm::Ed25519)?);
//! let (leaves, tiles, checkpoints) =
//!     (Arc::new(MemoryLeaves::default()), MemoryObjects::default(), MemoryCheckpoints::default());
//! let log = Log::open(Arc::clone(&leaves), tiles, checkpoints, "log.example/one", key)?;
//! let leaf = commit(&[7; 32], b"device made");
//! leaves.append(&[leaf]);
//! let signed = log.integrate(UnixTime(1_790_000_000))?;
//!
//! // Somebody else, who trusts nothing but the key string:
//! let trusted: LogKey = log.key().to_string().parse()?;
//! let checkpoint = signed.verify(&trusted, &[], 0)?;
//! verify_inclusion(&leaf, &log.inclusion_proof(0, checkpoint.size)?, &checkpoint.root)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod checkpoint;
mod commitment;
mod edge;
mod error;
mod files;
mod key;
mod log;
pub mod memory;
mod nodes;
mod proof;
mod proof_file;
mod store;
pub mod tile;
pub mod witness;

pub use check::{Difference, Progress, Report, check};
pub use checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint, Cosignature, SignedCheckpoint, TreeHead};
pub use commitment::{Commitment, commit};
pub use error::LedgerError;
pub use files::{FileCheckpoints, FileStore};
pub use key::{LogKey, NAME_BYTES_MAX, NoteKey, WitnessKey};
pub use log::{LEAVES_PER_INTEGRATION_MAX, Log};
pub use proof::{
    ConsistencyProof, EMPTY_ROOT, InclusionProof, PROOF_HASHES_MAX, TREE_SIZE_MAX,
    verify_consistency, verify_inclusion, verify_leaf_hash,
};
pub use proof_file::{PROOF_BYTES_MAX, TlogProof};
pub use store::{CheckpointStore, LeafSource, ObjectStore};
pub use tile::{TILE_WIDTH, TileKind, TilePath};
