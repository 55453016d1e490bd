//! Proofs of a log: complete, sound, and equal to the definition of RFC 6962.

use crate::support::{Disk, NOW, ORIGIN, defined_root, leaf, leaves};
use ledger::{
    InclusionProof, LedgerError, LogKey, SignedCheckpoint, TlogProof, commit, verify_consistency,
    verify_inclusion,
};
use proptest::prelude::*;

#[test]
fn roots_are_those_of_the_definition() {
    let disk = Disk::new();
    let log = disk.open().unwrap();
    assert_eq!(log.latest().claimed().root, defined_root(&[]));
    let all = leaves(0..600);
    // Every size up to 600: partial, just full and just begun tiles of two levels.
    for (place, one) in all.iter().enumerate() {
        disk.source.append(&[*one]);
        let signed = log.integrate(NOW).unwrap();
        assert_eq!(signed.claimed().root, defined_root(&all[..=place]), "{} leaves", place + 1);
    }
}

#[test]
fn proofs_are_complete_across_tiles_of_three_levels() {
    let size = 256 * 256 + 300;
    let (_, log) = Disk::with(size, 40_000);
    let head = log.latest().claimed().clone();
    assert_eq!(head.root, defined_root(&leaves(0..size)));
    let edges = [0, 1, 255, 256, 257, 32_767, 40_000, 65_535, 65_536, 65_791, 65_792, size - 1];
    for index in edges {
        let proof = log.inclusion_proof(index, size).unwrap();
        verify_inclusion(&leaf(index), &proof, &head.root).unwrap();
        let wrong = verify_inclusion(&leaf(index + 1), &proof, &head.root);
        assert_eq!(wrong, Err(LedgerError::ProofInvalid("inclusion")));
        // In every older tree that holds it, too.
        for older in edges.into_iter().filter(|older| *older > index) {
            let root = defined_root(&leaves(0..older));
            let proof = log.inclusion_proof(index, older).unwrap();
            verify_inclusion(&leaf(index), &proof, &root).unwrap();
            let proof = log.consistency_proof(older, size).unwrap();
            verify_consistency(&proof, &root, &head.root).unwrap();
        }
    }
}

#[test]
fn proofs_are_given_while_the_log_grows() {
    let (disk, log) = Disk::with(100, 100);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 1..100 {
                disk.source.append(&leaves(turn * 100..turn * 100 + 100));
                log.integrate(NOW).unwrap();
            }
        });
        for turn in 0..2000 {
            let head = log.latest().claimed().clone();
            let index = turn * 7919 % head.size;
            let proof = log.inclusion_proof(index, head.size).unwrap();
            verify_inclusion(&leaf(index), &proof, &head.root).unwrap();
            log.consistency_proof(1 + index, head.size).unwrap();
        }
    });
    assert_eq!(log.check(&mut |_| ()).unwrap().difference, None);
}

#[test]
fn what_is_not_in_the_log_is_not_proven() {
    let (disk, log) = Disk::with(10, 10);
    disk.source.append(&leaves(10..20));
    let none = |what, asked, size| Err(LedgerError::OutOfRange { what, asked, size });
    assert_eq!(log.inclusion_proof(10, 10), none("entry", 10, 10));
    assert_eq!(log.inclusion_proof(3, 11), none("tree of size", 11, 10));
    assert_eq!(log.inclusion_proof(0, 0), none("entry", 0, 0));
    let consistency = |old, new| log.consistency_proof(old, new).unwrap_err();
    assert_eq!(Err(consistency(0, 10)), none("tree of size", 0, 10));
    assert_eq!(Err(consistency(9, 8)), none("tree of size", 9, 8));
    assert_eq!(Err(consistency(3, 11)), none("tree of size", 11, 10));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any log, grown in any steps, proves every leaf and every older tree; reopening changes
    /// nothing.
    #[test]
    fn proofs_are_complete(steps in prop::collection::vec(1_u64..400, 1..8), at in any::<u64>()) {
        let disk = Disk::new();
        let mut log = disk.open().unwrap();
        let (mut size, mut heads) = (0, Vec::new());
        for (turn, step) in steps.into_iter().enumerate() {
            disk.source.append(&leaves(size..size + step));
            size += step;
            if turn % 2 == 1 {
                log = disk.open().unwrap();
            }
            heads.push(log.integrate(NOW).unwrap().claimed().clone());
        }
        let newest = heads.last().unwrap().clone();
        prop_assert_eq!(newest.root, defined_root(&leaves(0..size)));
        for head in &heads {
            let index = at % head.size;
            let proof = log.inclusion_proof(index, head.size).unwrap();
            prop_assert_eq!(verify_inclusion(&leaf(index), &proof, &head.root), Ok(()));
            let proof = log.consistency_proof(head.size, newest.size).unwrap();
            prop_assert_eq!(verify_consistency(&proof, &head.root, &newest.root), Ok(()));
        }
    }

    /// One changed bit anywhere in proof, root, index, size or leaf, and it does not verify.
    #[test]
    fn altered_inclusion_proofs_fail(size in 2_u64..700, at in any::<u64>(), bit in any::<usize>()) {
        let (_, log) = Disk::with(size, size);
        let root = log.latest().claimed().root;
        let index = at % size;
        let good = log.inclusion_proof(index, size).unwrap();
        let bits = good.hashes.len() * 256;
        let mut bad = good.clone();
        let bit = bit % bits;
        bad.hashes[bit / 256].0[bit % 256 / 8] ^= 1 << (bit % 8);
        prop_assert!(verify_inclusion(&leaf(index), &bad, &root).is_err());
        for hashes in [good.hashes[1..].to_vec(), [&good.hashes[..], &good.hashes[..1]].concat()] {
            let bad = InclusionProof { hashes, ..good };
            prop_assert!(verify_inclusion(&leaf(index), &bad, &root).is_err());
        }
        let other = (index + 1 + bit as u64 % (size - 1)) % size;
        let bad = InclusionProof { index: other, ..good.clone() };
        prop_assert!(verify_inclusion(&leaf(index), &bad, &root).is_err());
        let mut bad = root;
        bad.0[bit % 32] ^= 1;
        prop_assert!(verify_inclusion(&leaf(index), &good, &bad).is_err());
        prop_assert!(verify_inclusion(&commit(&[0; 32], b"forged"), &good, &root).is_err());
    }

    #[test]
    fn altered_consistency_proofs_fail(
        new in 3_u64..700, old in any::<u64>(), bit in any::<usize>(),
    ) {
        let (_, log) = Disk::with(new, new);
        let old = 1 + old % (new - 1);
        let (before, after) = (defined_root(&leaves(0..old)), log.latest().claimed().root);
        let good = log.consistency_proof(old, new).unwrap();
        let bit = bit % (good.hashes.len() * 256);
        let mut bad = good.clone();
        bad.hashes[bit / 256].0[bit % 256 / 8] ^= 1 << (bit % 8);
        prop_assert!(verify_consistency(&bad, &before, &after).is_err());
        let mut root = before;
        root.0[bit % 32] ^= 1 << (bit % 8);
        prop_assert!(verify_consistency(&good, &root, &after).is_err());
        let mut root = after;
        root.0[bit % 32] ^= 1 << (bit % 8);
        prop_assert!(verify_consistency(&good, &before, &root).is_err());
    }

    /// Any altered byte of a proof file either makes it unreadable or makes it fail.
    #[test]
    fn altered_proof_files_fail(place in any::<usize>(), to in any::<u8>()) {
        let (_, log) = Disk::with(300, 300);
        let file = TlogProof::new(log.inclusion_proof(77, 300).unwrap(), log.latest()).unwrap();
        file.verify(&leaf(77), log.key(), &[], 0).unwrap();
        let mut bytes = file.to_string().into_bytes();
        let place = place % bytes.len();
        prop_assume!(bytes[place] != to);
        bytes[place] = to;
        let verified = TlogProof::parse(&bytes)
            .and_then(|file| file.verify(&leaf(77), log.key(), &[], 0));
        prop_assert!(verified.is_err(), "byte {} of {}", place, String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn parsing_anything_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = SignedCheckpoint::parse(&bytes);
        let _ = TlogProof::parse(&bytes);
        let _ = ledger::witness::AddCheckpoint::parse(&bytes);
        let _ = ledger::tile::parse_bundle(&bytes, bytes.len() as u64 % 300);
        let _ = ledger::tile::parse_hashes(&bytes, bytes.len() as u64 % 300);
        let text = String::from_utf8_lossy(&bytes);
        let _ = text.parse::<ledger::TilePath>();
        let _ = text.parse::<LogKey>();
    }
}

#[test]
fn a_proof_file_reads_as_the_draft_says() {
    let (_, log) = Disk::with(3, 3);
    let mut file = TlogProof::new(log.inclusion_proof(1, 3).unwrap(), log.latest()).unwrap();
    file.extra = Some(b"hello".to_vec());
    let text = file.to_string();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("c2sp.org/tlog-proof@v1"));
    assert_eq!(lines.next(), Some("extra aGVsbG8="));
    assert_eq!(lines.next(), Some("index 1"));
    assert_eq!(lines.next().map(str::len), Some(44));
    assert_eq!(lines.next().map(str::len), Some(44));
    assert_eq!(lines.next(), Some(""));
    assert_eq!(lines.next(), Some(ORIGIN));
    assert_eq!(lines.next(), Some("3"));
    assert_eq!(TlogProof::parse(text.as_bytes()), Ok(file));
    for (what, to) in [
        ("tlog-proof@v1", "tlog-proof@v2"),
        ("index 1", "index 01"),
        ("index 1", "index +1"),
        ("index 1", "index"),
        ("extra aGVsbG8=", "extra aGVsbG8"),
        ("\n\n", "\n"),
        ("\nindex", "\n\nindex"),
    ] {
        assert!(TlogProof::parse(text.replacen(what, to, 1).as_bytes()).is_err(), "{to:?}");
    }
}
