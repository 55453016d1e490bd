//! The audit finds the first difference, wherever it is.

use crate::support::{Disk, NOW, ORIGIN, forge, leaf, leaves};
use ledger::{Difference, Progress, Report};

const SIZE: u64 = 65_536 + 700;

fn audited(disk: &Disk) -> Report {
    let key = ledger::LogKey::new(ORIGIN, disk.key.public_key()).unwrap();
    ledger::check(&disk.source, &disk.objects, &disk.checkpoints, &key, &mut |_| ()).unwrap()
}

fn finds(disk: &Disk, index: u64, what: &str) {
    let Some(Difference { index: at, what: found }) = audited(disk).difference else {
        panic!("nothing found where {what:?} was expected");
    };
    assert!(found.contains(what), "{found}");
    assert_eq!(at, index, "{found}");
}

#[test]
fn a_sound_log_is_found_sound() {
    let (disk, log) = Disk::with(SIZE, 10_000);
    disk.source.append(&leaves(SIZE..SIZE + 5));
    let mut seen: Vec<Progress> = Vec::new();
    let report = log.check(&mut |progress| seen.push(progress)).unwrap();
    assert_eq!(report.difference, None);
    assert_eq!((report.leaves, report.pending, report.checkpoints), (SIZE, 5, 8));
    // 258 full tiles and bundles, the level above and its rest, and the three or four partial ones.
    assert_eq!(report.objects, 258 * 2 + 1 + 2 + 2);
    assert!(seen.len() >= 16 && seen.windows(2).all(|pair| pair[0].leaves <= pair[1].leaves));
    assert_eq!(seen.last(), Some(&Progress { leaves: SIZE, of: SIZE }));
    assert_eq!(audited(&Disk::new()), Report::default());
}

#[test]
fn every_kind_of_difference_is_found_at_its_index() {
    let (base, _) = Disk::with(SIZE, SIZE.div_ceil(2));
    let flip = |path: &str, byte: usize| {
        let disk = base.copy();
        disk.objects.with(|objects| objects.get_mut(path).unwrap()[byte] ^= 1);
        disk
    };
    finds(&flip("tile/entries/001", 34 * 5 + 2), 261, "tile/entries/001 differs");
    finds(&flip("tile/entries/001", 34 * 5), 261, "tile/entries/001 is damaged");
    finds(&flip("tile/0/002", 32 * 7 + 31), 519, "tile/0/002 differs");
    finds(&flip("tile/1/000", 32 * 3), 768, "tile/1/000 differs");
    finds(&flip("tile/2/000.p/1", 3), 0, "tile/2/000.p/1 differs");
    finds(
        &flip("tile/entries/258.p/188", 34 * 187 + 9),
        SIZE - 1,
        "tile/entries/258.p/188 differs",
    );

    let disk = base.copy();
    disk.objects.with(|objects| objects.remove("tile/entries/100").unwrap());
    finds(&disk, 25_600, "tile/entries/100 is missing");

    let disk = base.copy();
    disk.objects.with(|objects| objects.get_mut("tile/0/002").unwrap().truncate(100));
    finds(&disk, 515, "tile/0/002 is damaged");

    let disk = base.copy();
    disk.source.with(|all| all[70] = leaf(0));
    finds(&disk, 70, "tile/entries/000 differs");

    let disk = base.copy();
    disk.source.with(|all| all.truncate(99));
    finds(&disk, 99, "the source has only 99");
}

#[test]
fn history_rewritten_together_with_its_tiles_is_found_by_old_checkpoints() {
    // Somebody with the key and all stores writes another history of the same length.
    let (disk, _) = Disk::with(900, 300);
    let forged = Disk { key: disk.key.clone(), ..Disk::new() };
    forged.source.append(&leaves(0..300));
    let log = forged.open().unwrap();
    log.integrate(NOW).unwrap();
    forged.source.append(&[leaf(1234)]);
    forged.source.append(&leaves(301..900));
    let newest = log.integrate(NOW).unwrap();
    assert_eq!(audited(&forged).difference, None);
    // The kept checkpoint of 600 leaves was seen by others, and cannot be taken back.
    forged.checkpoints.with(|kept| {
        *kept = disk.checkpoints.with(|kept| kept.clone());
        kept.pop();
        kept.push(newest.bytes().to_vec());
    });
    finds(&forged, 600, "the kept checkpoint of 600 leaves has another root");
}

#[test]
fn wrong_checkpoints_are_found() {
    let (disk, log) = Disk::with(900, 300);
    let root = log.latest().claimed().root;
    disk.checkpoints.with(|kept| {
        kept.insert(2, forge(ORIGIN, 500, root, &disk.key).bytes().to_vec());
    });
    finds(&disk, 500, "the kept checkpoint of 500 leaves has another root");
    let (disk, log) = Disk::with(900, 300);
    let root = log.latest().claimed().root;
    disk.checkpoints.with(|kept| {
        kept.insert(2, forge(ORIGIN, 500, root, &crate::support::key()).bytes().to_vec());
    });
    finds(&disk, 500, "is not signed by");
    disk.checkpoints.with(|kept| kept[2] = b"junk".to_vec());
    finds(&disk, 300, "a kept checkpoint: checkpoint is malformed");
    let (disk, _) = Disk::with(900, 300);
    disk.checkpoints.with(|kept| kept.push(b"junk".to_vec()));
    finds(&disk, 0, "the newest checkpoint: checkpoint is malformed");
    let (disk, _) = Disk::with(900, 300);
    disk.checkpoints.with(|kept| kept.swap(1, 2));
    finds(&disk, 300, "does not give checkpoints by size");
}
