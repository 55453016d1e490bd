//! A ledger in doubt stops: nothing is signed over a difference, and the reason is told.

use crate::support::{Disk, MemoryLog, NOW, ORIGIN, forge, key, leaf, leaves};
use ledger::{
    CheckpointStore as _, Commitment, LeafSource, LedgerError, Log, ObjectStore, commit,
    memory::MemoryLeaves,
};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

fn in_doubt(error: &LedgerError, why: &str) {
    assert!(error.is_fatal(), "{error}");
    assert!(error.to_string().contains(why), "{error}");
}

/// Integration stops for this reason, and stays stopped; no checkpoint was signed.
fn stops(disk: &Disk, log: &MemoryLog, why: &str) {
    let before = disk.checkpoints.with(|kept| kept.clone());
    in_doubt(&log.integrate(NOW).unwrap_err(), why);
    in_doubt(&log.integrate(NOW).unwrap_err(), why);
    assert_eq!(disk.checkpoints.with(|kept| kept.clone()), before);
}

#[test]
fn a_tile_that_exists_with_other_contents_stops_the_ledger() {
    let (disk, log) = Disk::with(10, 10);
    disk.source.append(&leaves(10..20));
    disk.objects.with(|objects| objects.insert("tile/0/000.p/20".into(), vec![0; 640]));
    stops(&disk, &log, "tile/0/000.p/20 exists and differs");
}

#[test]
fn lost_or_changed_leaves_stop_the_ledger() {
    let (disk, log) = Disk::with(10, 10);
    disk.source.with(|all| all.truncate(9));
    stops(&disk, &log, "10 leaves are signed, but only 9 are left");
    in_doubt(&disk.open().err().unwrap(), "10 leaves are signed, but only 9 are left");

    let (disk, log) = Disk::with(10, 10);
    disk.source.with(|all| all[3] = leaf(99));
    in_doubt(&disk.open().err().unwrap(), "differ from their hashes in the tiles");
    // The running process has read them already; what it writes next is compared with them.
    disk.source.append(&leaves(10..20));
    stops(&disk, &log, "the entries of tile/entries/000.p/20 changed before signing");
}

#[test]
fn damaged_tiles_stop_the_ledger() {
    // One bit of a full tile under the new tree.
    let (disk, log) = Disk::with(512, 256);
    disk.objects.with(|objects| objects.get_mut("tile/0/001").unwrap()[0] ^= 1);
    in_doubt(&log.inclusion_proof(300, 512).unwrap_err(), "do not lead to the root");
    // One bit of a partial tile: seen when opened.
    let (disk, _) = Disk::with(300, 300);
    disk.objects.with(|objects| objects.get_mut("tile/1/000.p/1").unwrap()[5] ^= 4);
    in_doubt(&disk.open().err().unwrap(), "has not the root that was signed");
    disk.objects.with(|objects| objects.get_mut("tile/1/000.p/1").unwrap().truncate(31));
    in_doubt(&disk.open().err().unwrap(), "32 bytes for each hash");
}

#[test]
fn a_checkpoint_of_another_key_or_time_stops_the_ledger() {
    let (disk, log) = Disk::with(20, 10);
    let root = log.latest().claimed().root;
    let replace = |bytes: Vec<u8>| disk.checkpoints.with(|kept| kept.push(bytes));
    replace(forge(ORIGIN, 20, root, &key()).bytes().to_vec());
    in_doubt(&disk.open().err().unwrap(), "is not signed by");
    replace(b"nonsense".to_vec());
    in_doubt(&disk.open().err().unwrap(), "checkpoint is malformed");
    replace(forge("other.example", 20, root, &disk.key).bytes().to_vec());
    in_doubt(&disk.open().err().unwrap(), "is of log \"other.example\"");
    // A root that the leaves do not lead to, signed by the right key: a fork by somebody else.
    replace(forge(ORIGIN, 20, leaf(1).0, &disk.key).bytes().to_vec());
    in_doubt(&disk.open().err().unwrap(), "has not the root that was signed");
    // More leaves signed than there are.
    replace(forge(ORIGIN, 21, root, &disk.key).bytes().to_vec());
    in_doubt(&disk.open().err().unwrap(), "21 leaves are signed, but only 20 are left");
}

#[test]
fn a_checkpoint_store_that_goes_back_in_time_is_noticed() {
    let (disk, log) = Disk::with(20, 10);
    disk.checkpoints.with(|kept| kept.truncate(2));
    disk.source.append(&leaves(20..30));
    assert_eq!(log.integrate(NOW), Err(LedgerError::Conflict));
    stops(&disk, &log, "the stored checkpoint of 10 leaves does not follow that of 20");

    let (disk, log) = Disk::with(20, 10);
    disk.checkpoints.with(|kept| kept.clear());
    disk.source.append(&leaves(20..30));
    assert_eq!(log.integrate(NOW), Err(LedgerError::Conflict));
    stops(&disk, &log, "has vanished");
}

#[test]
fn a_second_sequencer_is_noticed_and_followed() {
    let (disk, first) = Disk::with(10, 10);
    let second = disk.open().unwrap();
    disk.source.append(&leaves(10..20));
    let theirs = second.integrate(NOW).unwrap();
    disk.source.append(&leaves(20..30));
    assert_eq!(first.integrate(NOW), Err(LedgerError::Conflict));
    // Trying again takes up what the other has signed, and extends it.
    let ours = first.integrate(NOW).unwrap();
    assert_eq!((theirs.claimed().size, ours.claimed().size), (20, 30));
    assert_eq!(disk.checkpoints.load().unwrap().as_deref(), Some(ours.bytes()));
    assert_eq!(first.check(&mut |_| ()).unwrap().difference, None);
}

/// An object store that flips one bit of one object: while writing, or when it is read back.
struct Flips {
    inner: Arc<ledger::memory::MemoryObjects>,
    path: &'static str,
    on_write: bool,
}

impl ObjectStore for Flips {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        let mut bytes = self.inner.read(path)?;
        if let Some(bytes) = bytes.as_mut().filter(|_| !self.on_write && path == self.path) {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 8;
        }
        Ok(bytes)
    }

    fn write_durable(&self, path: &str, bytes: &[u8]) -> Result<(), LedgerError> {
        let mut bytes = bytes.to_vec();
        if self.on_write && path == self.path {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 8;
        }
        self.inner.write_durable(path, &bytes)
    }
}

/// A leaf source that gives a changed leaf once, as a bit that flips in memory.
struct FlipsOnce {
    inner: Arc<MemoryLeaves>,
    reads: AtomicU32,
}

impl LeafSource for FlipsOnce {
    fn size(&self) -> Result<u64, LedgerError> {
        self.inner.size()
    }

    fn leaves(&self, from: u64, most: usize) -> Result<Vec<Commitment>, LedgerError> {
        let mut leaves = self.inner.leaves(from, most)?;
        if !leaves.is_empty() && self.reads.fetch_add(1, Ordering::SeqCst) == 0 {
            leaves[0].0.0[7] ^= 16;
        }
        Ok(leaves)
    }
}

#[test]
fn a_bit_that_flips_on_disk_is_noticed_before_signing() {
    for path in ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000"] {
        for on_write in [true, false] {
            let disk = Disk::new();
            let objects = Flips { inner: Arc::clone(&disk.objects), path, on_write };
            let stores = (Arc::clone(&disk.source), Arc::clone(&disk.checkpoints));
            let log =
                Log::open(stores.0, objects, stores.1, ORIGIN, Arc::clone(&disk.key)).unwrap();
            disk.source.append(&leaves(0..300));
            in_doubt(&log.integrate(NOW).unwrap_err(), "before signing");
            assert_eq!(disk.checkpoints.with(|kept| kept.len()), 1);
        }
    }
}

#[test]
fn a_bit_that_flips_in_memory_is_noticed_before_signing() {
    let disk = Disk::new();
    let source = FlipsOnce { inner: Arc::clone(&disk.source), reads: AtomicU32::new(0) };
    let stores = (Arc::clone(&disk.objects), Arc::clone(&disk.checkpoints));
    let log = Log::open(source, stores.0, stores.1, ORIGIN, Arc::clone(&disk.key)).unwrap();
    disk.source.append(&leaves(0..5));
    in_doubt(&log.integrate(NOW).unwrap_err(), "the entries of tile/entries/000.p/5 changed");
    assert_eq!(disk.checkpoints.with(|kept| kept.len()), 1);
}

#[test]
fn a_key_that_signs_wrongly_is_noticed() {
    struct Wrong(Arc<dyn crypto::Signer>, AtomicU32);
    impl crypto::Signer for Wrong {
        fn public_key(&self) -> &crypto::PublicKey {
            self.0.public_key()
        }
        fn sign(
            &self,
            scheme: crypto::SignatureScheme,
            message: &[u8],
        ) -> Result<Vec<u8>, crypto::SignError> {
            let mut signature = self.0.sign(scheme, message)?;
            if self.1.fetch_add(1, Ordering::SeqCst) > 0 {
                signature[9] ^= 1;
            }
            Ok(signature)
        }
    }
    let disk = Disk { key: Arc::new(Wrong(key(), AtomicU32::new(0))), ..Disk::new() };
    let log = disk.open().unwrap();
    disk.source.append(&[commit(&[1; 32], b"x")]);
    stops(&disk, &log, "signature that is wrong");
}

#[test]
fn only_ed25519_keys_and_proper_names_make_a_log() {
    let rsa = crypto::SoftwareKey::generate(crypto::KeyAlgorithm::EcdsaP256).unwrap();
    let disk = Disk { key: Arc::new(rsa), ..Disk::new() };
    assert!(disk.open().err().unwrap().to_string().contains("Ed25519"));
    let disk = Disk::new();
    for name in ["", "a b", "a+b", "a\nb", "a\u{2003}b", "a\u{7}b"] {
        let stores = (Arc::clone(&disk.source), Arc::clone(&disk.objects));
        let checkpoints = Arc::clone(&disk.checkpoints);
        let log = Log::open(stores.0, stores.1, checkpoints, name, Arc::clone(&disk.key));
        assert!(matches!(log.err(), Some(LedgerError::Malformed { .. })), "{name:?}");
    }
}
