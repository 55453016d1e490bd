//! A crash or a failing store at every step, with the write done and not done.

use crate::support::{Disk, NOW, defined_root, leaf, leaves};
use ledger::{LedgerError, Progress, verify_consistency, verify_inclusion};

/// Grows a log by `by` leaves, failing at each of its writes in turn. `restart` decides whether
/// the process dies with the write, or lives and tries again.
fn fails_at_every_step(from: u64, by: u64, restart: bool) {
    let upto = from + by;
    let wanted = defined_root(&leaves(0..upto));
    let (base, _) = Disk::with(from, 1000);
    let mut step = 0;
    loop {
        let mut reached = false;
        for applied in [false, true] {
            let disk = base.copy();
            let mut log = disk.open().unwrap();
            let before = log.latest();
            disk.source.append(&leaves(from..upto));
            disk.faults.fail_after(step, applied);
            let result = log.integrate(NOW);
            reached |= disk.faults.steps() > u64::from(step);
            disk.faults.clear();
            match result {
                Ok(signed) => assert_eq!(signed.claimed().size, upto),
                Err(LedgerError::Unavailable(_)) => {
                    // What readers see is the old tree, whole, until the new one is known.
                    assert_eq!(log.latest(), before);
                    log.inclusion_proof(from - 1, from).unwrap();
                }
                Err(other) => panic!("step {step}, applied {applied}: {other}"),
            }
            if restart {
                drop(log);
                log = disk.open().unwrap();
            }
            let signed = log.integrate(NOW).unwrap();
            assert_eq!((signed.claimed().size, signed.claimed().root), (upto, wanted));
            let proof = log.consistency_proof(from, upto).unwrap();
            verify_consistency(&proof, &before.claimed().root, &wanted).unwrap();
            let proof = log.inclusion_proof(upto - 1, upto).unwrap();
            verify_inclusion(&leaf(upto - 1), &proof, &wanted).unwrap();
            let report = log.check(&mut |_: Progress| ()).unwrap();
            assert_eq!((report.difference, report.leaves), (None, upto));
            // One tree of each size, ever: no two checkpoints of a size differ.
            let kept = disk.checkpoints.with(|kept| kept.clone());
            let mut heads: Vec<_> = kept
                .iter()
                .map(|bytes| ledger::SignedCheckpoint::parse(bytes).unwrap().claimed().clone())
                .collect();
            heads.dedup();
            assert!(heads.windows(2).all(|pair| pair[0].size < pair[1].size), "{heads:?}");
        }
        if !reached {
            // Every write of the integration has failed once.
            assert!(step >= 3, "only {step} writes");
            return;
        }
        step += 1;
    }
}

#[test]
fn a_process_that_dies_at_any_write_goes_on_where_it_was() {
    fails_at_every_step(3, 4, true);
    fails_at_every_step(250, 10, true);
    fails_at_every_step(300, 700, true);
}

#[test]
fn a_store_that_fails_at_any_write_is_tried_again() {
    fails_at_every_step(3, 4, false);
    fails_at_every_step(255, 2, false);
    fails_at_every_step(65_530, 300, false);
}

#[test]
fn beginning_a_log_survives_a_crash() {
    for applied in [false, true] {
        let disk = Disk::new();
        disk.faults.fail_after(0, applied);
        assert!(matches!(disk.open().err(), Some(LedgerError::Unavailable(_))));
        disk.faults.clear();
        assert_eq!(disk.open().unwrap().latest().claimed().size, 0);
    }
}

#[test]
fn lost_tiles_are_made_again_alike() {
    let (disk, log) = Disk::with(1000, 100);
    let all = disk.objects.with(|objects| objects.clone());
    let latest = log.latest();
    drop(log);
    // All tiles lost, as with a restored database.
    disk.objects.with(|objects| objects.clear());
    let log = disk.open().unwrap();
    assert_eq!(log.latest(), latest);
    assert_eq!(log.check(&mut |_| ()).unwrap().difference, None);
    // Tiles out of sight of opening lost.
    disk.objects.with(|objects| objects.remove("tile/0/001").unwrap());
    let log = disk.open().unwrap();
    let missing = log.inclusion_proof(300, 1000).unwrap_err();
    assert!(missing.to_string().contains("tile/0/001 is missing"), "{missing}");
    log.rebuild_tiles().unwrap();
    log.inclusion_proof(300, 1000).unwrap();
    // Full tiles are byte for byte what they were; old partial ones need not come back.
    let again = disk.objects.with(|objects| objects.clone());
    assert!(again.iter().all(|(path, bytes)| all[path] == *bytes));
}

#[test]
fn full_tiles_take_the_place_of_partial_ones() {
    let (disk, _) = Disk::with(513, 1);
    let paths: Vec<String> = disk.objects.with(|objects| objects.keys().cloned().collect());
    let stale = |path: &&String| path.contains("000.p/") || path.contains("001.p/");
    let stale: Vec<_> =
        paths.iter().filter(stale).filter(|path| !path.contains("tile/1")).collect();
    assert!(stale.is_empty(), "{stale:?}");
    assert!(paths.iter().any(|path| path == "tile/0/002.p/1"));
    assert!(paths.iter().any(|path| path == "tile/1/000.p/2"));
}

#[test]
fn a_large_backlog_is_taken_up_in_bounded_steps() {
    let disk = Disk::new();
    let log = disk.open().unwrap();
    disk.source.append(&leaves(0..150_000));
    for size in [65_536, 131_072, 150_000, 150_000] {
        assert_eq!(log.integrate(NOW).unwrap().claimed().size, size);
    }
    assert_eq!(log.integrated_at(), Some(NOW));
}
