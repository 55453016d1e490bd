use crypto::{KeyAlgorithm, Sha256, SignatureScheme, Signer, SoftwareKey, UnixTime, sha256};
use ledger::{
    Commitment, Log, SignedCheckpoint, commit,
    memory::{Faults, MemoryCheckpoints, MemoryLeaves, MemoryObjects},
};
use std::{path::PathBuf, sync::Arc};

pub(crate) const NOW: UnixTime = UnixTime(1_790_000_000);
pub(crate) const ORIGIN: &str = "ledger.example/test";

/// The folder of vectors by other authors, `None` (and a loud word) where it is absent.
pub(crate) fn testdata(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("TEGATA_TESTDATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/testdata")),
        PathBuf::from,
    );
    let path = root.join(folder);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("SKIPPED: no test vectors at {}; set TEGATA_TESTDATA", path.display());
    None
}

pub(crate) fn key() -> Arc<dyn Signer> {
    Arc::new(SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap())
}

pub(crate) fn leaf(number: u64) -> Commitment {
    commit(sha256(b"salt").as_bytes(), &number.to_be_bytes())
}

pub(crate) fn leaves(range: std::ops::Range<u64>) -> Vec<Commitment> {
    range.map(leaf).collect()
}

/// Stores that outlive the log, as a disk outlives a process.
#[derive(Clone)]
pub(crate) struct Disk {
    pub(crate) source: Arc<MemoryLeaves>,
    pub(crate) objects: Arc<MemoryObjects>,
    pub(crate) checkpoints: Arc<MemoryCheckpoints>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) key: Arc<dyn Signer>,
}

pub(crate) type MemoryLog = Log<Arc<MemoryLeaves>, Arc<MemoryObjects>, Arc<MemoryCheckpoints>>;

impl Disk {
    pub(crate) fn new() -> Self {
        let faults = Arc::new(Faults::default());
        Self {
            source: Arc::default(),
            objects: Arc::new(MemoryObjects::failing(Arc::clone(&faults))),
            checkpoints: Arc::new(MemoryCheckpoints::failing(Arc::clone(&faults))),
            faults,
            key: key(),
        }
    }

    /// A disk with a log of `size` leaves, integrated in steps of `step`.
    pub(crate) fn with(size: u64, step: u64) -> (Self, MemoryLog) {
        let disk = Self::new();
        let log = disk.open().unwrap();
        let mut at = 0;
        while at < size {
            let next = size.min(at + step);
            disk.source.append(&leaves(at..next));
            while log.integrate(NOW).unwrap().claimed().size < next {}
            at = next;
        }
        (disk, log)
    }

    /// Another disk with the same contents and key.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self { key: Arc::clone(&self.key), ..Self::new() };
        self.source.with(|all| copy.source.append(all));
        self.objects.with(|from| copy.objects.with(|to| to.clone_from(from)));
        self.checkpoints.with(|from| copy.checkpoints.with(|to| to.clone_from(from)));
        copy
    }

    pub(crate) fn open(&self) -> Result<MemoryLog, ledger::LedgerError> {
        Log::open(
            Arc::clone(&self.source),
            Arc::clone(&self.objects),
            Arc::clone(&self.checkpoints),
            ORIGIN,
            Arc::clone(&self.key),
        )
    }
}

/// Root of a tree by the definition of RFC 6962 section 2.1, word for word.
pub(crate) fn defined_root(leaves: &[Commitment]) -> Sha256 {
    match leaves {
        [] => sha256(b""),
        [leaf] => sha256(&[&[0], leaf.as_bytes().as_slice()].concat()),
        _ => {
            let k = (leaves.len() - 1).ilog2();
            let (left, right) = leaves.split_at(1 << k);
            let (left, right) = (defined_root(left), defined_root(right));
            sha256(&[&[1], left.as_ref(), right.as_ref()].concat())
        }
    }
}

/// A checkpoint with any contents, signed by any key: what a dishonest log can make.
pub(crate) fn forge(
    origin: &str,
    size: u64,
    root: Sha256,
    signer: &Arc<dyn Signer>,
) -> SignedCheckpoint {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let text = format!("{origin}\n{size}\n{}\n", BASE64_STANDARD.encode(root));
    let id = ledger::LogKey::new(origin, signer.public_key()).unwrap().id();
    let signature = signer.sign(SignatureScheme::Ed25519, text.as_bytes()).unwrap();
    let line = BASE64_STANDARD.encode([&id.to_be_bytes(), signature.as_slice()].concat());
    SignedCheckpoint::parse(format!("{text}\n\u{2014} {origin} {line}\n").as_bytes()).unwrap()
}
