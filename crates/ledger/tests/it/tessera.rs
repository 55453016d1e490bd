//! A log made by another implementation: Tessera's sample.

use crate::support::testdata;
use crypto::sha256;
use ledger::{
    ConsistencyProof, LedgerError, LogKey, SignedCheckpoint, TilePath, TlogProof, tile,
    verify_consistency, verify_leaf_hash,
};
use std::path::PathBuf;

struct Sample {
    folder: PathBuf,
    key: LogKey,
}

impl Sample {
    fn open() -> Option<Self> {
        let root = testdata("tlog/testdata")?;
        let script = std::fs::read_to_string(root.join("build_log.sh")).unwrap();
        let line = script.lines().find_map(|l| l.strip_prefix("export LOG_PUBLIC_KEY=")).unwrap();
        Some(Self { folder: root.join("log"), key: line.trim_matches('"').parse().unwrap() })
    }

    fn checkpoint(&self, size: u64) -> SignedCheckpoint {
        let bytes = std::fs::read(self.folder.join(format!("checkpoint.{size}"))).unwrap();
        SignedCheckpoint::parse(&bytes).unwrap()
    }

    fn object(&self, path: &str) -> Vec<u8> {
        let path: TilePath = path.parse().unwrap();
        std::fs::read(self.folder.join(path.to_string())).unwrap()
    }
}

/// Root of the tree over leaf hashes by the definition of RFC 6962.
fn root(hashes: &[crypto::Sha256]) -> crypto::Sha256 {
    match hashes {
        [] => sha256(b""),
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(1 << (hashes.len() - 1).ilog2());
            sha256(&[&[1], root(left).as_ref(), root(right).as_ref()].concat())
        }
    }
}

#[test]
fn every_checkpoint_tile_and_entry_agrees() {
    let Some(sample) = Sample::open() else { return };
    let words = [
        "one", "two", "three", "four", "five", "six", "seven", "eit", "nain", "ten", "ileven",
        "twelf", "threeten", "fourten", "fivten",
    ];
    for size in 0..=15_u64 {
        let signed = sample.checkpoint(size);
        let verified = signed.verify(&sample.key, &[], 0).unwrap();
        assert_eq!((verified.size, verified.origin.as_str()), (size, sample.key.name()));
        if size == 0 {
            assert_eq!(verified.root, ledger::EMPTY_ROOT);
            continue;
        }
        let hashes =
            tile::parse_hashes(&sample.object(&format!("tile/0/000.p/{size}")), size).unwrap();
        let bundle = sample.object(&format!("tile/entries/000.p/{size}"));
        let entries = tile::parse_bundle(&bundle, size).unwrap();
        for (place, entry) in entries.iter().enumerate() {
            assert_eq!(*entry, words[place].as_bytes());
            assert_eq!(hashes[place], sha256(&[&[0], *entry].concat()));
        }
        assert_eq!(verified.root, root(&hashes));
        assert_eq!(tile::encode_hashes(&hashes), sample.object(&format!("tile/0/000.p/{size}")));
    }
    let newest = std::fs::read(sample.folder.join("checkpoint")).unwrap();
    assert_eq!(newest, sample.checkpoint(15).bytes());
}

#[test]
fn proofs_hold_between_all_sizes_and_for_all_entries() {
    let Some(sample) = Sample::open() else { return };
    let all = tile::parse_hashes(&sample.object("tile/0/000.p/15"), 15).unwrap();
    for new_size in 1..=15_u64 {
        let checkpoint = sample.checkpoint(new_size);
        let new = checkpoint.verify(&sample.key, &[], 0).unwrap();
        for old_size in 1..=new_size {
            let old = sample.checkpoint(old_size).verify(&sample.key, &[], 0).unwrap();
            let hashes = consistency(&all[..new_size as usize], old_size as usize, true);
            let proof = ConsistencyProof { old_size, new_size, hashes };
            verify_consistency(&proof, &old.root, &new.root).unwrap();
            if old_size < new_size {
                let turned = verify_consistency(&proof, &new.root, &old.root);
                assert_eq!(turned, Err(LedgerError::ProofInvalid("consistency")));
            }
        }
        for index in 0..new_size {
            let hashes = inclusion(&all[..new_size as usize], index as usize);
            let proof = ledger::InclusionProof { index, size: new_size, hashes };
            verify_leaf_hash(&all[index as usize], &proof, &new.root).unwrap();
            let file = TlogProof::new(proof, checkpoint.clone()).unwrap();
            assert_eq!(TlogProof::parse(file.to_string().as_bytes()), Ok(file));
        }
    }
}

/// PATH of RFC 6962 section 2.1.1.
fn inclusion(leaves: &[crypto::Sha256], index: usize) -> Vec<crypto::Sha256> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = 1 << (leaves.len() - 1).ilog2();
    let (left, right) = leaves.split_at(k);
    let (mut path, other) = if index < k {
        (inclusion(left, index), right)
    } else {
        (inclusion(right, index - k), left)
    };
    path.push(root(other));
    path
}

/// SUBPROOF of RFC 6962 section 2.1.2.
fn consistency(leaves: &[crypto::Sha256], old: usize, whole: bool) -> Vec<crypto::Sha256> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![root(leaves)] };
    }
    let k = 1 << (leaves.len() - 1).ilog2();
    let (left, right) = leaves.split_at(k);
    let (mut proof, other) = match old <= k {
        true => (consistency(left, old, whole), right),
        false => (consistency(right, old - k, false), left),
    };
    proof.push(root(other));
    proof
}

#[test]
fn altered_checkpoints_are_refused() {
    let Some(sample) = Sample::open() else { return };
    let bytes = sample.checkpoint(15).bytes().to_vec();
    for place in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[place] ^= 1;
        let verified =
            SignedCheckpoint::parse(&altered).and_then(|c| c.verify(&sample.key, &[], 0));
        assert!(verified.is_err(), "byte {place}");
    }
}
