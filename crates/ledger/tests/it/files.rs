//! Tiles and checkpoints as files.

use crate::support::{NOW, ORIGIN, key, leaf, leaves};
use ledger::{
    CheckpointStore as _, FileCheckpoints, FileStore, LedgerError, Log, ObjectStore as _,
    memory::MemoryLeaves, verify_inclusion,
};
use std::{fs, sync::Arc};

#[test]
fn a_log_in_files_survives_and_is_laid_out_as_specified() {
    let folder = tempfile::tempdir().unwrap();
    let (tiles, checkpoint) = (folder.path().join("log"), folder.path().join("state/checkpoint"));
    let (source, key) = (Arc::new(MemoryLeaves::default()), key());
    let open = || {
        Log::open(
            Arc::clone(&source),
            FileStore::new(&tiles),
            FileCheckpoints::new(&checkpoint),
            ORIGIN,
            Arc::clone(&key),
        )
    };
    for size in [100, 300, 700] {
        let log = open().unwrap();
        let before = log.latest().claimed().size;
        source.append(&leaves(before..size));
        log.integrate(NOW).unwrap();
    }
    let log = open().unwrap();
    let head = log.latest().claimed().clone();
    assert_eq!(head.size, 700);
    for index in [0, 255, 256, 699] {
        let proof = log.inclusion_proof(index, 700).unwrap();
        verify_inclusion(&leaf(index), &proof, &head.root).unwrap();
    }
    assert_eq!(log.check(&mut |_| ()).unwrap().difference, None);
    for path in ["0/000", "0/001", "0/002.p/188", "1/000.p/2", "entries/000", "entries/002.p/188"] {
        assert!(tiles.join("tile").join(path).is_file(), "{path}");
    }
    assert!(!tiles.join("tile/0/000.p").exists(), "full tiles replace partial ones");
    assert_eq!(fs::read_dir(tiles.join(".tmp")).unwrap().count(), 0);
    assert_eq!(fs::metadata(tiles.join("tile/0/000")).unwrap().len(), 8192);
}

#[test]
fn paths_that_are_no_tiles_reach_no_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), b"x").unwrap();
    let store = FileStore::new(&folder.path().join("log"));
    for path in ["../secret", "tile/../../secret", "tile/0/../../../secret", "/etc/passwd", "", "."]
    {
        let error = |result: Result<(), LedgerError>| {
            assert!(matches!(result, Err(LedgerError::Malformed { .. })), "{path}: {result:?}");
        };
        error(store.read(path).map(drop));
        error(store.write_durable(path, b"y"));
        store.drop_partials(path);
    }
    assert_eq!(fs::read(folder.path().join("secret")).unwrap(), b"x");
    assert_eq!(store.read("tile/0/000"), Ok(None));
}

#[test]
fn what_a_crash_left_behind_is_swept_up_and_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join(".tmp")).unwrap();
    fs::write(folder.path().join(".tmp/0"), b"half").unwrap();
    let store = FileStore::new(folder.path());
    // Reading touches nothing: an audit may run beside the log.
    assert_eq!(store.read("tile/0/000.p/1"), Ok(None));
    assert!(folder.path().join(".tmp/0").exists());
    store.write_durable("tile/0/000.p/1", &[7; 32]).unwrap();
    assert_eq!(store.read("tile/0/000.p/1"), Ok(Some(vec![7; 32])));
    assert_eq!(fs::read_dir(folder.path().join(".tmp")).unwrap().count(), 0);
    // Nor does a failure leave anything: here a folder stands where the file must go.
    fs::create_dir_all(folder.path().join("tile/0/001/in-the-way")).unwrap();
    let failed = store.write_all_durable(&[
        ("tile/0/000".into(), vec![1; 8192]),
        ("tile/0/001".into(), vec![2; 8192]),
        ("tile/0/002".into(), vec![3; 8192]),
    ]);
    assert!(matches!(failed, Err(LedgerError::Unavailable(_))), "{failed:?}");
    assert_eq!(fs::read_dir(folder.path().join(".tmp")).unwrap().count(), 0);
}

#[test]
fn a_folder_that_cannot_be_written_is_an_unavailable_store() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let store = FileStore::new(&file);
    assert!(matches!(store.write_durable("tile/0/000", b""), Err(LedgerError::Unavailable(_))));
    let checkpoints = FileCheckpoints::new(&file.join("checkpoint"));
    assert!(matches!(checkpoints.load(), Err(LedgerError::Unavailable(_))));
}

#[test]
fn the_checkpoint_file_is_swapped_only_from_what_it_is_and_by_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let key = key();
    let signed = |size| crate::support::forge(ORIGIN, size, leaf(size).0, &key);
    let (one, two) = (signed(1), signed(2));
    let first = FileCheckpoints::new(&path);
    assert_eq!(first.load(), Ok(None));
    assert_eq!(first.compare_and_swap(Some(one.bytes()), two.bytes()), Err(LedgerError::Conflict));
    first.compare_and_swap(None, one.bytes()).unwrap();
    assert_eq!(first.compare_and_swap(None, two.bytes()), Err(LedgerError::Conflict));
    let second = FileCheckpoints::new(&path);
    assert_eq!(second.load().unwrap().as_deref(), Some(one.bytes()));
    assert_eq!(second.compare_and_swap(Some(one.bytes()), two.bytes()), Err(LedgerError::Conflict));
    drop(first);
    second.compare_and_swap(Some(one.bytes()), two.bytes()).unwrap();
    assert!(second.compare_and_swap(Some(two.bytes()), b"junk").is_err());
    assert_eq!(second.load().unwrap().as_deref(), Some(two.bytes()));
    assert_eq!(second.kept(None, 9).unwrap(), [two.bytes().to_vec()]);
    assert!(second.kept(Some(2), 9).unwrap().is_empty());
}
