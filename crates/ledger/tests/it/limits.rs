//! Input beyond the limits is refused before it costs anything.

use crate::support::{Disk, ORIGIN, forge, key, leaf};
use ledger::{
    CHECKPOINT_BYTES_MAX, ConsistencyProof, InclusionProof, LedgerError, PROOF_BYTES_MAX,
    PROOF_HASHES_MAX, SignedCheckpoint, TREE_SIZE_MAX, TlogProof, tile, verify_consistency,
    verify_leaf_hash,
    witness::{ADD_CHECKPOINT_BYTES_MAX, AddCheckpoint, RESPONSE_BYTES_MAX},
};

fn too_large<T: std::fmt::Debug>(result: Result<T, LedgerError>, limit: usize) {
    match result {
        Err(LedgerError::TooLarge { limit: found, .. }) => assert_eq!(found, limit as u64),
        other => panic!("{other:?}"),
    }
}

#[test]
fn oversized_documents() {
    let blank = |length: usize| vec![b'x'; length + 1];
    too_large(SignedCheckpoint::parse(&blank(CHECKPOINT_BYTES_MAX)), CHECKPOINT_BYTES_MAX);
    too_large(TlogProof::parse(&blank(PROOF_BYTES_MAX)), PROOF_BYTES_MAX);
    too_large(AddCheckpoint::parse(&blank(ADD_CHECKPOINT_BYTES_MAX)), ADD_CHECKPOINT_BYTES_MAX);
    let bundle = 256 * 65_537;
    too_large(tile::parse_bundle(&vec![0; bundle + 1], 256), bundle);
    let (_, log) = Disk::with(1, 1);
    let request = AddCheckpoint::first(log.latest());
    too_large(request.answer(200, &blank(RESPONSE_BYTES_MAX), &[]), RESPONSE_BYTES_MAX);
    // The largest bundle is read.
    let entry = [&[0xff, 0xff][..], &[1; 65_535]].concat();
    assert_eq!(tile::parse_bundle(&entry.repeat(256), 256).unwrap().len(), 256);
    assert!(tile::parse_bundle(&[0; 514], 257).is_err());
}

#[test]
fn too_many_hashes_and_signatures() {
    let (_, log) = Disk::with(2, 2);
    let text =
        TlogProof::new(log.inclusion_proof(1, 2).unwrap(), log.latest()).unwrap().to_string();
    let line = text.lines().nth(2).unwrap();
    let many = |count: usize| text.replacen(line, &vec![line; count].join("\n"), 1);
    assert!(TlogProof::parse(many(PROOF_HASHES_MAX).as_bytes()).is_ok());
    too_large(TlogProof::parse(many(PROOF_HASHES_MAX + 1).as_bytes()), PROOF_HASHES_MAX);

    let request = AddCheckpoint {
        old_size: 1,
        proof: vec![leaf(0).0; PROOF_HASHES_MAX + 1],
        checkpoint: log.latest(),
    };
    too_large(AddCheckpoint::parse(request.to_string().as_bytes()), PROOF_HASHES_MAX);

    let checkpoint = String::from_utf8(log.latest().bytes().to_vec()).unwrap();
    let line = checkpoint.lines().last().unwrap();
    let many = |count: usize| format!("{checkpoint}{}", format!("{line}\n").repeat(count - 1));
    // signed-note asks for at least 16.
    assert!(SignedCheckpoint::parse(many(16).as_bytes()).is_ok());
    assert!(SignedCheckpoint::parse(many(101).as_bytes()).is_err());

    let hashes = vec![leaf(0).0; PROOF_HASHES_MAX + 1];
    let inclusion = InclusionProof { index: 0, size: TREE_SIZE_MAX, hashes: hashes.clone() };
    assert!(verify_leaf_hash(&leaf(0).0, &inclusion, &leaf(0).0).is_err());
    let consistency = ConsistencyProof { old_size: 1, new_size: TREE_SIZE_MAX, hashes };
    assert!(verify_consistency(&consistency, &leaf(0).0, &leaf(0).0).is_err());
}

#[test]
fn trees_too_large_for_the_arithmetic() {
    let key = key();
    let text = |size: u64| {
        let small = forge(ORIGIN, 7, leaf(0).0, &key);
        let text = String::from_utf8(small.bytes().to_vec()).unwrap();
        text.replacen("\n7\n", &format!("\n{size}\n"), 1)
    };
    assert!(SignedCheckpoint::parse(text(TREE_SIZE_MAX).as_bytes()).is_ok());
    for size in [TREE_SIZE_MAX + 1, 1 << 63, u64::MAX] {
        let limit = usize::try_from(TREE_SIZE_MAX).unwrap();
        too_large(SignedCheckpoint::parse(text(size).as_bytes()), limit);
        let hashes = vec![leaf(0).0; 40];
        let inclusion = InclusionProof { index: size - 1, size, hashes: hashes.clone() };
        assert!(verify_leaf_hash(&leaf(0).0, &inclusion, &leaf(0).0).is_err());
        let consistency = ConsistencyProof { old_size: size - 1, new_size: size, hashes };
        assert!(verify_consistency(&consistency, &leaf(0).0, &leaf(0).0).is_err());
    }
    // The largest one does not make the arithmetic overflow.
    let hashes = vec![leaf(0).0; 56];
    let inclusion = InclusionProof { index: TREE_SIZE_MAX - 1, size: TREE_SIZE_MAX, hashes };
    assert!(verify_leaf_hash(&leaf(0).0, &inclusion, &leaf(0).0).is_err());
}

#[test]
fn checkpoints_have_one_form() {
    let good = String::from_utf8(forge(ORIGIN, 7, leaf(0).0, &key()).bytes().to_vec()).unwrap();
    assert!(SignedCheckpoint::parse(good.as_bytes()).is_ok());
    for (what, to) in [
        ("\n7\n", "\n07\n"),
        ("\n7\n", "\n+7\n"),
        ("\n7\n", "\n-7\n"),
        ("\n7\n", "\n7 \n"),
        ("\n7\n", "\n7\r\n"),
        ("\n7\n", "\n18446744073709551616\n"),
        ("\n7\n", "\n\n"),
        (ORIGIN, ""),
        ("=\n\n", "\n\n"),
        ("=\n\n", "=\n\n\n"),
        ("=\n\n", "=\n"),
        ("\u{2014} ", "- "),
        ("\u{2014} ", "\u{2014}"),
    ] {
        let bad = good.replacen(what, to, 1);
        assert!(SignedCheckpoint::parse(bad.as_bytes()).is_err(), "{what:?} as {to:?}: {bad}");
    }
    assert!(SignedCheckpoint::parse(good.trim_end().as_bytes()).is_err());
    assert!(SignedCheckpoint::parse(b"\xff\xfe").is_err());
}
