//! Feeds the ledger: leaves from the store become tiles and checkpoints, witnesses cosign.
//!
//! Two threads. The integrator ticks every few hundred milliseconds, or at once when somebody
//! waits; the cosigner asks witnesses, who may be slow, and never holds up the integrator.

use crate::{
    Service, ServiceError, WitnessClient,
    fault::{self, Faults},
    keys::Use,
    store::{Store, event as store, key, log},
};
use crypto::{Signer, UnixTime, random};
use ledger::{
    CheckpointStore, Commitment, FileCheckpoints, FileStore, LeafSource, LedgerError, Log,
    ObjectStore, SignedCheckpoint, WitnessKey,
    witness::{AddCheckpoint, Answer},
};
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, Weak},
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::watch;

/// Folder of tiles and entry bundles in the data directory.
pub(crate) const TILES: &str = "log";
/// File of the newest checkpoint: apart from database and tiles, so that an old backup of either
/// shows (a log that goes back in time forks).
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// Times that a witness is asked again after a conflict before the next checkpoint is tried.
const CONFLICTS_MAX: usize = 3;

pub(crate) type LedgerLog = Log<Leaves, Objects, Checkpoints>;

/// How far the published log has come.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Published {
    pub(crate) size: u64,
    /// failures since the last success
    pub(crate) failed: Option<ServiceError>,
    /// counts the rounds, failed or not
    pub(crate) round: u64,
}

/// The leaves as the ledger wants them.
pub(crate) struct Leaves(pub(crate) Arc<Store>);

impl LeafSource for Leaves {
    fn size(&self) -> Result<u64, LedgerError> {
        self.0.readers.read(store::leaf_count).map_err(|error| unavailable(&error))
    }

    fn leaves(&self, from: u64, most: usize) -> Result<Vec<Commitment>, LedgerError> {
        self.0.readers.read(|c| store::leaves(c, from, most)).map_err(|error| match error.kind() {
            crate::ErrorKind::Fatal => LedgerError::InDoubt(error.to_string()),
            _ => unavailable(&error),
        })
    }
}

fn unavailable(error: &ServiceError) -> LedgerError {
    LedgerError::Unavailable(error.to_string())
}

/// Tiles in files, with the fault point before they are written.
pub(crate) struct Objects {
    files: FileStore,
    faults: Faults,
}

impl ObjectStore for Objects {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        self.files.read(path)
    }

    fn write_durable(&self, path: &str, bytes: &[u8]) -> Result<(), LedgerError> {
        self.faults.point(fault::BEFORE_TILES).map_err(|error| unavailable(&error))?;
        self.files.write_durable(path, bytes)
    }

    fn write_all_durable(&self, objects: &[(String, Vec<u8>)]) -> Result<(), LedgerError> {
        self.faults.point(fault::BEFORE_TILES).map_err(|error| unavailable(&error))?;
        self.files.write_all_durable(objects)
    }

    fn drop_partials(&self, path: &str) {
        self.files.drop_partials(path);
    }
}

/// The checkpoint in its file, with the fault points around its change.
pub(crate) struct Checkpoints {
    file: CheckpointFile,
    faults: Faults,
}

/// Given up when the service is closed, so that another may open the directory while handles on
/// this one are still about.
pub(crate) type CheckpointFile = Arc<Mutex<Option<FileCheckpoints>>>;

impl Checkpoints {
    fn with<T>(
        &self,
        work: impl FnOnce(&FileCheckpoints) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        match &*self.file.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(file) => work(file),
            None => Err(LedgerError::Unavailable("the service is closed".into())),
        }
    }
}

impl CheckpointStore for Checkpoints {
    fn load(&self) -> Result<Option<Vec<u8>>, LedgerError> {
        self.with(FileCheckpoints::load)
    }

    fn compare_and_swap(&self, old: Option<&[u8]>, new: &[u8]) -> Result<(), LedgerError> {
        self.faults.point(fault::BEFORE_CHECKPOINT).map_err(|error| unavailable(&error))?;
        self.with(|file| file.compare_and_swap(old, new))?;
        self.faults.point(fault::AFTER_CHECKPOINT).map_err(|error| unavailable(&error))
    }

    fn kept(&self, size: Option<u64>, most: usize) -> Result<Vec<Vec<u8>>, LedgerError> {
        self.with(|file| file.kept(size, most))
    }
}

/// Opens the log of a data directory.
pub(crate) fn open_log(
    dir: &Path,
    store: &Arc<Store>,
    origin: &str,
    signer: Arc<dyn Signer>,
    faults: &Faults,
) -> Result<(LedgerLog, CheckpointFile), ServiceError> {
    let objects = Objects { files: FileStore::new(&dir.join(TILES)), faults: faults.clone() };
    let file = Arc::new(Mutex::new(Some(FileCheckpoints::new(&dir.join(CHECKPOINT)))));
    let checkpoints = Checkpoints { file: Arc::clone(&file), faults: faults.clone() };
    let leaves = Leaves(Arc::clone(store));
    let available = leaves.size().map_err(ledger)?;
    let log = Log::open(leaves, objects, checkpoints, origin, signer).map_err(ledger)?;
    // Before anything is written: new leaves in the place of lost ones would be a fork.
    let signed = log.latest().claimed().size;
    if available < signed {
        return Err(ServiceError::fatal(
            "log-in-doubt",
            format!(
                "the store has {available} leaves, the log has signed {signed}: the store is an \
                 old copy; restore the newest backup of the whole directory"
            ),
        ));
    }
    Ok((log, file))
}

/// The ledger's errors as ours.
#[expect(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
pub(crate) fn ledger(error: LedgerError) -> ServiceError {
    match error {
        LedgerError::OutOfRange { .. } => ServiceError::not_found("entry of the log yet"),
        LedgerError::Malformed { .. } | LedgerError::TooLarge { .. } => {
            ServiceError::malformed("log-request", error.to_string())
        }
        LedgerError::InDoubt(_) => ServiceError::fatal("log-in-doubt", error.to_string()),
        _ => ServiceError::unavailable("log-unavailable", error.to_string()),
    }
}

/// The threads.
#[derive(Default)]
pub(crate) struct Threads(Mutex<Vec<JoinHandle<()>>>);

impl Threads {
    pub(crate) fn start(&self, service: &Service) -> Result<(), ServiceError> {
        let mut threads = Vec::new();
        let failed =
            |_| ServiceError::fatal("no-thread", "the integrator's thread cannot be started");
        let weak = service.downgrade();
        let interval = Duration::from_millis(service.config.integrate_ms.max(1));
        let integrate = move || integrate(&weak, interval);
        threads.push(
            std::thread::Builder::new()
                .name("tegata-integrator".into())
                .spawn(integrate)
                .map_err(failed)?,
        );
        if !service.config.witnesses.is_empty() {
            let weak = service.downgrade();
            threads.push(
                std::thread::Builder::new()
                    .name("tegata-cosigner".into())
                    .spawn(move || cosign(&weak, interval))
                    .map_err(failed)?,
            );
        }
        let (weak, live) = (service.downgrade(), service.live.clone());
        threads.push(
            std::thread::Builder::new()
                .name("tegata-jobs".into())
                .spawn(move || crate::fleet::run_jobs(&weak, &live))
                .map_err(failed)?,
        );
        let (weak, live) = (service.downgrade(), service.live.clone());
        threads.push(
            std::thread::Builder::new()
                .name("tegata-fleet".into())
                .spawn(move || crate::fleet::tend(&weak, &live))
                .map_err(failed)?,
        );
        let (weak, live) = (service.downgrade(), service.live.clone());
        threads.push(
            std::thread::Builder::new()
                .name("tegata-blobs".into())
                .spawn(move || crate::updates::keep_blobs(&weak, &live))
                .map_err(failed)?,
        );
        let (weak, live) = (service.downgrade(), service.live.clone());
        threads.push(
            std::thread::Builder::new()
                .name("tegata-campaigns".into())
                .spawn(move || crate::updates::tend_campaigns(&weak, &live))
                .map_err(failed)?,
        );
        let (weak, live) = (service.downgrade(), service.live.clone());
        threads.push(
            std::thread::Builder::new()
                .name("tegata-matcher".into())
                .spawn(move || crate::vulnerabilities::run_matcher(&weak, &live))
                .map_err(failed)?,
        );
        if let Some(folder) = service.config.advisories.clone() {
            let (weak, live) = (service.downgrade(), service.live.clone());
            let pause = Duration::from_millis(service.config.advisories_ms.max(1));
            threads.push(
                std::thread::Builder::new()
                    .name("tegata-advisories".into())
                    .spawn(move || crate::vulnerabilities::run_watch(&weak, &live, &folder, pause))
                    .map_err(failed)?,
            );
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = threads;
        Ok(())
    }

    pub(crate) fn join(&self) {
        let threads = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // The last handle on the service may be dropped by one of its own threads.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

fn integrate(weak: &Weak<crate::service::Inner>, interval: Duration) {
    let mut housekeeping = 0u32;
    loop {
        let Some(service) = Service::upgrade(weak) else { return };
        let wanted = service.live.sleep(interval);
        let outcome = service.integrate_once();
        if let Err(error) = &outcome {
            tracing::warn!(%error, "integration failed; it is tried again");
        }
        service.published.send_modify(|published| {
            published.round = published.round.wrapping_add(1);
            match outcome {
                Ok(size) => {
                    published.size = size;
                    published.failed = None;
                }
                Err(error) => published.failed = Some(error),
            }
        });
        housekeeping = housekeeping.wrapping_add(1);
        if housekeeping == 1 || housekeeping.is_multiple_of(1024) {
            service.tidy();
        }
        if wanted.stop {
            return;
        }
    }
}

impl Service {
    /// Anchors the audit chain where it moved, then brings the log up to date; returns its size.
    fn integrate_once(&self) -> Result<u64, ServiceError> {
        self.anchor_audit()?;
        let waiting = self.live.wanted().leaves;
        let before = self.log.latest().claimed().size;
        if waiting > 0 && waiting <= before {
            return Ok(before);
        }
        let mut size = before;
        let mut signatures = 0;
        loop {
            let next = self.log.integrate(self.now()).map_err(ledger)?.claimed().size;
            if next == size {
                break;
            }
            signatures += 1;
            size = next;
        }
        if signatures > 0 {
            let (key, now) = (self.log_key_row, self.now());
            // Accounted for after the fact: a crash in between loses a count, not a leaf.
            self.store.writer.run_blocking(move |tx| {
                key::count_key_use(tx, key, Use::Checkpoint as u8, now, signatures)
            })?;
        }
        Ok(size)
    }

    /// Puts the head of the audit chain into the ledger, where it moved since the last time.
    fn anchor_audit(&self) -> Result<(), ServiceError> {
        let moved = |connection: &rusqlite::Connection| {
            let head = crate::store::audit_head(connection)?;
            let anchored = log::anchored(connection)?;
            Ok(head.filter(|head| head.sequence > anchored))
        };
        if self.store.readers.read(moved)?.is_none() {
            return Ok(());
        }
        let salt = random::bytes();
        self.store.writer.run_blocking(move |tx| {
            if let Some(head) = moved(tx)? {
                let leaf = tx.append_leaf(&::ledger::commit(&salt, &head.anchor()))?;
                log::insert_audit_leaf(tx, leaf, head.sequence, &salt)?;
            }
            Ok(())
        })
    }

    /// Waits until every leaf that is committed now is in a published checkpoint; returns the size
    /// of the tree.
    ///
    /// # Errors
    /// Those of the integration.
    pub async fn integrate_now(&self) -> Result<u64, ServiceError> {
        let target = self.store.readers.read(store::leaf_count)?;
        let mut watch = self.published.subscribe();
        let first = watch.borrow_and_update().round;
        loop {
            if self.live.wanted().stop {
                return Err(ServiceError::stopped());
            }
            self.live.want(|wanted| wanted.at_once = true);
            watch.changed().await.map_err(|_| ServiceError::stopped())?;
            let published = watch.borrow_and_update().clone();
            if published.size >= target {
                return Ok(published.size);
            }
            // Give a failing integration three rounds: some failures mend themselves.
            if let Some(error) = published.failed
                && published.round.wrapping_sub(first) >= 3
            {
                return Err(error);
            }
        }
    }
}

/// What is remembered of a witness.
struct WitnessState {
    client: Arc<dyn WitnessClient>,
    key: Option<WitnessKey>,
    size: Option<u64>,
}

fn cosign(weak: &Weak<crate::service::Inner>, interval: Duration) {
    let Some(service) = Service::upgrade(weak) else { return };
    let mut witnesses: Vec<WitnessState> = service
        .config
        .witnesses
        .iter()
        .map(|client| WitnessState {
            client: Arc::clone(client),
            key: client.key().parse().ok(),
            size: None,
        })
        .collect();
    drop(service);
    let mut done: Option<u64> = None;
    loop {
        let Some(service) = Service::upgrade(weak) else { return };
        if service.live.wanted().stop {
            return;
        }
        let checkpoint = service.log.latest();
        let size = checkpoint.claimed().size;
        if size > 0 && done != Some(size) {
            let mut all = true;
            for witness in &mut witnesses {
                all &= ask(&service, witness, &checkpoint);
            }
            if all {
                done = Some(size);
            }
        }
        drop(service);
        std::thread::sleep(interval);
    }
}

/// Asks one witness to cosign; false: try again later.
fn ask(service: &Service, witness: &mut WitnessState, checkpoint: &SignedCheckpoint) -> bool {
    let Some(key) = &witness.key else { return true };
    for _ in 0..CONFLICTS_MAX {
        let size = checkpoint.claimed().size;
        let request = match witness.size {
            None | Some(0) => Ok(AddCheckpoint::first(checkpoint.clone())),
            Some(old) if old > size => return false,
            Some(old) => service
                .log
                .consistency_proof(old, size)
                .and_then(|proof| AddCheckpoint::new(proof, checkpoint.clone())),
        };
        let answer = request.map_err(|error| error.to_string()).and_then(|request| {
            let (status, body) = witness.client.add_checkpoint(request.to_string().as_bytes())?;
            request
                .answer(status, &body, std::slice::from_ref(key))
                .map_err(|error| error.to_string())
        });
        match answer {
            Ok(Answer::Cosigned { cosignatures, .. }) => {
                witness.size = Some(size);
                service.overviews.note_cosignature(key.name(), service.now(), size);
                match service.log.add_cosignatures(checkpoint, &cosignatures) {
                    Ok(cosigned) => {
                        if let Err(error) = service.note_witnessed(&cosigned) {
                            tracing::warn!(%error, "a quorum of witnesses could not be noted");
                        }
                    }
                    Err(error) => tracing::warn!(%error, "cosignatures could not be published"),
                }
                return true;
            }
            Ok(Answer::Conflict { size }) => witness.size = Some(size),
            Ok(Answer::Refused { status, message }) => {
                tracing::error!(witness = key.name(), status, message, "the witness refuses");
                service.note_witness_refusal(key.name(), &message);
                return true;
            }
            Err(error) => {
                tracing::warn!(witness = key.name(), error, "the witness cannot be asked");
                return false;
            }
        }
    }
    false
}

impl Service {
    /// A refusal by a witness means that somebody believes the log forked: it is recorded.
    fn note_witness_refusal(&self, name: &str, message: &str) {
        let event =
            audit::SecurityEvent::new(self.now(), audit::Kind::LogCheck, audit::Outcome::Failure)
                .subject(name)
                .detail("witness-says", message);
        let noted = self.store.writer.run_blocking(move |tx| tx.audit(&event).map(|_| ()));
        if let Err(error) = noted {
            tracing::warn!(%error, "the witness's refusal could not be recorded");
        }
    }
}

/// A channel that tells how far the log has come.
pub(crate) fn published(size: u64) -> watch::Sender<Published> {
    watch::Sender::new(Published { size, ..Published::default() })
}

/// The time of the newest leaf's integration, for health.
pub(crate) fn integrated_at(log: &LedgerLog) -> Option<UnixTime> {
    log.integrated_at()
}
