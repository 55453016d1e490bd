use crate::{Commitment, LedgerError};
use crypto::Sha256;
use tlog_tiles::Hash;

/// Largest tree that is read or written, in leaves. Beyond it tiles would need an eighth level,
/// which no log in sight reaches, and the arithmetic of sizes could overflow.
pub const TREE_SIZE_MAX: u64 = (1 << 56) - 1;

/// Longest proof accepted, in hashes: a tree of 2^56 leaves needs no more than 57.
pub const PROOF_HASHES_MAX: usize = 63;

/// Root of the tree without leaves: SHA-256 of nothing (RFC 6962 section 2.1).
pub const EMPTY_ROOT: Sha256 = Sha256(tlog_tiles::EMPTY_HASH.0);

/// Shows that the tree of `size` leaves holds a certain leaf at `index` (RFC 6962 section 2.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// index of the leaf, from 0
    pub index: u64,
    /// size of the tree, in leaves
    pub size: u64,
    /// hashes from the leaf's sibling up to the root's child
    pub hashes: Vec<Sha256>,
}

/// Shows that the tree of `new_size` leaves begins with all leaves of the tree of `old_size`
/// (RFC 6962 section 2.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// size of the older tree, in leaves
    pub old_size: u64,
    /// size of the newer tree, in leaves
    pub new_size: u64,
    /// hashes in the order of RFC 6962
    pub hashes: Vec<Sha256>,
}

/// Checks that `commitment` is the leaf at the proof's index of the tree with this `root`.
///
/// # Errors
/// [`LedgerError::ProofInvalid`].
pub fn verify_inclusion(
    commitment: &Commitment,
    proof: &InclusionProof,
    root: &Sha256,
) -> Result<(), LedgerError> {
    verify_leaf_hash(&commitment.leaf_hash(), proof, root)
}

/// As [`verify_inclusion`], for a leaf whose RFC 6962 leaf hash is known.
///
/// # Errors
/// [`LedgerError::ProofInvalid`].
pub fn verify_leaf_hash(
    leaf_hash: &Sha256,
    proof: &InclusionProof,
    root: &Sha256,
) -> Result<(), LedgerError> {
    let invalid = || LedgerError::ProofInvalid("inclusion");
    if proof.index >= proof.size
        || proof.size > TREE_SIZE_MAX
        || proof.hashes.len() > PROOF_HASHES_MAX
    {
        return Err(invalid());
    }
    let hashes = to_tlog(&proof.hashes);
    tlog_tiles::check_record(&hashes, proof.size, Hash(root.0), proof.index, Hash(leaf_hash.0))
        .map_err(|_| invalid())
}

/// Checks that the tree with `new_root` extends the tree with `old_root`. The tree without leaves
/// is not a starting point: everything extends it, so a proof from it would say nothing.
///
/// # Errors
/// [`LedgerError::ProofInvalid`].
pub fn verify_consistency(
    proof: &ConsistencyProof,
    old_root: &Sha256,
    new_root: &Sha256,
) -> Result<(), LedgerError> {
    let invalid = || LedgerError::ProofInvalid("consistency");
    if proof.old_size == 0
        || proof.old_size > proof.new_size
        || proof.new_size > TREE_SIZE_MAX
        || proof.hashes.len() > PROOF_HASHES_MAX
    {
        return Err(invalid());
    }
    let hashes = to_tlog(&proof.hashes);
    let (new, old) = (Hash(new_root.0), Hash(old_root.0));
    tlog_tiles::check_tree(&hashes, proof.new_size, new, proof.old_size, old).map_err(|_| invalid())
}

fn to_tlog(hashes: &[Sha256]) -> Vec<Hash> {
    hashes.iter().map(|hash| Hash(hash.0)).collect()
}

pub(crate) fn from_tlog(hashes: Vec<Hash>) -> Vec<Sha256> {
    hashes.into_iter().map(|hash| Sha256(hash.0)).collect()
}
