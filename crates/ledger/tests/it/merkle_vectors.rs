//! The vectors of transparency-dev/merkle, and a second verifier by other authors.
//!
//! What does not apply: *subtree* proofs (of leaves `start..end`) are of a newer draft
//! (Merkle tree certificates); the log neither makes nor takes them. Where such a subtree begins
//! at leaf 0, or is itself a tree with its leaves counted from its start, the same arithmetic must
//! hold, and these vectors are run as well; the others are counted and named below.

use crate::support::testdata;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use crypto::{Sha256, sha256};
use ledger::{ConsistencyProof, InclusionProof, verify_consistency, verify_leaf_hash};
use serde::Deserialize;
use sigstore_types::Sha256Hash;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inclusion {
    leaf_idx: u64,
    /// trees
    tree_size: Option<u64>,
    /// subtrees
    start: Option<u64>,
    end: Option<u64>,
    root: String,
    leaf_hash: String,
    proof: Option<Vec<String>>,
    want_err: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Consistency {
    /// trees
    size1: Option<u64>,
    size2: Option<u64>,
    /// subtrees
    start: Option<u64>,
    end: Option<u64>,
    size: Option<u64>,
    root1: String,
    root2: String,
    proof: Option<Vec<String>>,
    want_err: bool,
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => out.extend(files(&path)),
            false => out.push(path),
        }
    }
    out.sort();
    out
}

/// `None` where a vector gives something that is no hash: such input never gets past parsing.
fn hash(text: &str) -> Option<Sha256> {
    Sha256::from_slice(&BASE64_STANDARD.decode(text).ok()?)
}

fn hashes(texts: Option<Vec<String>>) -> Option<Vec<Sha256>> {
    texts.unwrap_or_default().iter().map(|text| hash(text)).collect()
}

/// Runs every vector of a folder; returns how many held, were refused, and did not apply.
fn run<V: for<'a> Deserialize<'a>>(
    folder: &str,
    check: impl Fn(V) -> Option<(bool, bool)>,
) -> Option<(usize, usize, Vec<String>)> {
    let folder = testdata("merkle/testdata")?.join(folder);
    let (mut good, mut bad, mut not_applied) = (0, 0, Vec::new());
    for path in files(&folder) {
        let vector = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        match check(vector) {
            None => {
                let name = path.strip_prefix(&folder).unwrap().to_string_lossy().into_owned();
                not_applied.push(name);
            }
            Some((holds, wanted)) => {
                assert_eq!(holds, wanted, "{}", path.display());
                if holds { good += 1 } else { bad += 1 }
            }
        }
    }
    Some((good, bad, not_applied))
}

fn second(hash: &Sha256) -> Sha256Hash {
    Sha256Hash::new(hash.0)
}

fn inclusion_holds(leaf: &Sha256, proof: &InclusionProof, root: &Sha256) -> bool {
    let holds = verify_leaf_hash(leaf, proof, root).is_ok();
    let hashes: Vec<_> = proof.hashes.iter().map(second).collect();
    let other = sigstore_merkle::verify_inclusion_proof(
        &second(leaf),
        proof.index,
        proof.size,
        &hashes,
        &second(root),
    );
    assert_eq!(holds, other.is_ok(), "the second verifier disagrees: {proof:?}");
    holds
}

fn consistency_holds(proof: &ConsistencyProof, old: &Sha256, new: &Sha256) -> bool {
    let holds = verify_consistency(proof, old, new).is_ok();
    // The second verifier takes a proof from the empty tree, and looks at no root then.
    if proof.old_size > 0 {
        let hashes: Vec<_> = proof.hashes.iter().map(second).collect();
        let (old_size, new_size) = (proof.old_size, proof.new_size);
        let other = sigstore_merkle::verify_consistency_proof(
            old_size,
            new_size,
            &hashes,
            &second(old),
            &second(new),
        );
        assert_eq!(holds, other.is_ok(), "the second verifier disagrees: {proof:?}");
    }
    holds
}

fn inclusion(vector: Inclusion, index: u64, size: u64) -> (bool, bool) {
    let holds = || {
        let proof = InclusionProof { index, size, hashes: hashes(vector.proof)? };
        Some(inclusion_holds(&hash(&vector.leaf_hash)?, &proof, &hash(&vector.root)?))
    };
    (holds().unwrap_or(false), !vector.want_err)
}

fn consistency(vector: Consistency, old_size: u64, new_size: u64) -> (bool, bool) {
    let holds = || {
        let proof = ConsistencyProof { old_size, new_size, hashes: hashes(vector.proof)? };
        // Where no hashing happens, some vectors give other bytes for the roots.
        let root = |text: &str| hash(text).unwrap_or_else(|| sha256(text.as_bytes()));
        Some(consistency_holds(&proof, &root(&vector.root1), &root(&vector.root2)))
    };
    (holds().unwrap_or(false), !vector.want_err)
}

#[test]
fn inclusion_vectors() {
    let Some((good, bad, none)) = run("inclusion", |vector: Inclusion| {
        let (index, size) = (vector.leaf_idx, vector.tree_size.unwrap());
        Some(inclusion(vector, index, size))
    }) else {
        return;
    };
    assert_eq!((good, bad, none.len()), (6, 92, 0));
}

#[test]
fn consistency_vectors() {
    let Some((good, bad, none)) = run("consistency", |vector: Consistency| {
        let (old, new) = (vector.size1.unwrap(), vector.size2.unwrap());
        Some(consistency(vector, old, new))
    }) else {
        return;
    };
    assert_eq!((good, bad, none.len()), (6, 92, 0));
}

#[test]
fn subtree_inclusion_vectors_are_proofs_in_a_tree_of_their_own() {
    let Some((good, bad, none)) = run("subtreeinclusion", |vector: Inclusion| {
        let (start, end) = (vector.start.unwrap(), vector.end.unwrap());
        // Which leaves may form a subtree is a rule of the draft, not of the arithmetic.
        let tree = || {
            let size = end.checked_sub(start).filter(|size| *size > 0)?;
            let aligned = start % size.checked_next_power_of_two()? == 0;
            Some((vector.leaf_idx.checked_sub(start).filter(|_| aligned)?, size))
        };
        let Some((index, size)) = tree() else {
            assert!(vector.want_err, "a good vector that does not apply");
            return None;
        };
        Some(inclusion(vector, index, size))
    }) else {
        return;
    };
    println!("not applicable, for `start..end` is no subtree: {none:?}");
    assert_eq!((good, bad, none.len()), (12, 172, 20));
}

#[test]
fn subtree_consistency_vectors_from_the_first_leaf_are_ordinary_ones() {
    let Some((good, bad, none)) = run("subtreeconsistency", |vector: Consistency| {
        let (start, end) = (vector.start.unwrap(), vector.end.unwrap());
        let size = vector.size.unwrap();
        if start != 0 || end == 0 {
            return None;
        }
        Some(consistency(vector, end, size))
    }) else {
        return;
    };
    println!("not applicable, for the subtree is empty or begins later: {none:?}");
    assert_eq!(good + bad + none.len(), 118);
    assert!(good >= 5 && bad >= 80, "{good} good, {bad} bad, not applicable: {none:?}");
}
