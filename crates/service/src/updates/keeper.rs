//! The keeper of files: verifies what was uploaded, removes what nobody has. One thread does both,
//! so that nothing is removed that is about to be put in its place.

use super::{blobs, disk::Disk};
use crate::{
    Service, ServiceError, fault,
    live::Live,
    service::Inner,
    store::blob::{self as store, UploadRow, UploadStep},
};
use crypto::UnixTime;
use std::{
    collections::HashSet,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

/// How often somebody looks whether there is something to do that nobody told.
const REST: Duration = Duration::from_secs(60);
/// How often somebody looks for what is to be removed, in seconds.
const SWEEP_S: i64 = 600;
/// A file that no release names is removed after so long, in seconds.
const UNUSED_S: i64 = 7 * 86_400;
/// Rows per transaction.
const BATCH: usize = 500;

/// Memory of uploads and files beside the store.
pub(crate) struct State {
    pub(super) disk: Disk,
    /// uploads that somebody writes to
    writing: Arc<Mutex<HashSet<i64>>>,
    /// only one at a time changes which files there are
    keeping: Mutex<()>,
    work: Arc<AtomicBool>,
    /// counts what the keeper has finished
    pub(super) rounds: watch::Sender<u64>,
    /// which upload is being verified, and how far
    pub(super) compared: Mutex<Option<(i64, u64)>>,
}

/// The turn to write to an upload, until it is dropped.
pub(crate) struct Turn {
    writing: Arc<Mutex<HashSet<i64>>>,
    id: i64,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl State {
    pub(crate) fn open(data: &Path) -> Result<Self, ServiceError> {
        Ok(Self {
            disk: Disk::open(data)?,
            writing: Arc::default(),
            keeping: Mutex::new(()),
            work: Arc::new(AtomicBool::new(true)),
            rounds: watch::Sender::new(0),
            compared: Mutex::new(None),
        })
    }

    /// The turn to write to an upload; `None` where somebody else has it.
    pub(super) fn take_turn(&self, id: i64) -> Option<Turn> {
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        writing.insert(id).then(|| Turn { writing: self.writing.clone(), id })
    }

    pub(super) fn there_is_work(&self, live: &Live) {
        self.work.store(true, Ordering::SeqCst);
        live.ring();
    }
}

/// Keeps files until the service ends.
pub(crate) fn keep_blobs(weak: &Weak<Inner>, live: &Live) {
    let mut swept = None;
    loop {
        let Some(service) = Service::upgrade(weak) else { return };
        let work = service.updates.work.clone();
        work.store(false, Ordering::SeqCst);
        if let Err(error) = service.verify_uploads() {
            tracing::warn!(%error, "an upload could not be verified; it is tried again");
        }
        service.updates.rounds.send_modify(|rounds| *rounds = rounds.wrapping_add(1));
        let now = service.now();
        let due = |last: UnixTime| !(last..last.plus(SWEEP_S)).contains(&now);
        if swept.is_none_or(due) {
            match service.sweep() {
                Ok(()) => swept = Some(now),
                Err(error) => tracing::warn!(%error, "files could not be swept; it is tried again"),
            }
        }
        drop(service);
        if live.rest_unless(REST, &work) {
            return;
        }
    }
}

impl Service {
    /// Verifies every upload that waits for it, the shortest first. One that cannot be read keeps no
    /// other waiting.
    fn verify_uploads(&self) -> Result<(), ServiceError> {
        let (mut failed, mut outcome) = (HashSet::new(), Ok(()));
        loop {
            let waiting = self.read(store::to_verify)?;
            let Some(row) = waiting.into_iter().find(|row| !failed.contains(&row.id)) else {
                return outcome;
            };
            let verified = self.verify_upload(&row);
            *self.updates.compared.lock().unwrap_or_else(PoisonError::into_inner) = None;
            self.updates.rounds.send_modify(|rounds| *rounds = rounds.wrapping_add(1));
            if let Err(error) = verified {
                if self.live.wanted().stop {
                    return Err(error);
                }
                failed.insert(row.id);
                outcome = outcome.and(Err(error));
            }
        }
    }

    fn verify_upload(&self, row: &UploadRow) -> Result<(), ServiceError> {
        let state = &self.updates;
        let mut went_on = |bytes: u64| {
            *state.compared.lock().unwrap_or_else(PoisonError::into_inner) = Some((row.id, bytes));
            !self.live.wanted().stop
        };
        // Reading takes as long as the file is long; nothing is held meanwhile.
        let measured = state.disk.measure(&row.reference, &row.sha256, &mut went_on)?;
        let right = measured.filter(|m| m.sha256 == row.sha256 && m.length == row.length);
        let now = self.now();
        let (id, until) = (row.id, now.plus(blobs::OUTCOME_S));
        let organisation = self.organisation_id(row.organisation)?;
        let event = |outcome| {
            audit::SecurityEvent::new(now, audit::Kind::ConfigurationChange, outcome)
                .organisation(organisation.as_str())
                .subject(&row.sha256.to_string())
        };
        let _keeping = state.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(measured) = right else {
            let event = event(audit::Outcome::Failure).detail("what", "upload-mismatch");
            self.store.writer.run_blocking(move |tx| {
                store::set_step(tx, id, UploadStep::Verifying, UploadStep::Mismatch, until)?;
                tx.audit(&event).map(|_| ())
            })?;
            return state.disk.remove_upload(&row.reference);
        };
        self.faults.point(fault::BEFORE_PLACE)?;
        if !measured.in_place {
            state.disk.put_in_place(&row.reference, &row.sha256)?;
        }
        self.faults.point(fault::BEFORE_HELD)?;
        let event = event(audit::Outcome::Success).detail("what", "upload-complete");
        let (of, sha256) = (row.organisation, row.sha256);
        self.store.writer.run_blocking(move |tx| {
            store::hold(tx, of, &sha256, &measured.sha1, measured.length, now)?;
            store::set_step(tx, id, UploadStep::Verifying, UploadStep::Complete, until)?;
            tx.audit(&event).map(|_| ())
        })
    }

    /// Removes what nobody has: uploads whose time is over, files that no release names, and what a
    /// crash left on the disk. Part of the service's schedule; for tests.
    ///
    /// # Errors
    /// Those of store and disk.
    #[doc(hidden)]
    pub fn sweep(&self) -> Result<(), ServiceError> {
        let keeping = self.updates.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        self.sweep_uploads()?;
        let before = self.now().plus(-UNUSED_S);
        self.store.writer.run_blocking(move |tx| store::release_unused(tx, before))?;
        loop {
            let orphans = self.store.writer.run_blocking(|tx| store::take_orphans(tx, BATCH))?;
            self.faults.point(fault::BEFORE_REMOVAL)?;
            for sha256 in &orphans {
                self.updates.disk.remove(sha256)?;
            }
            if orphans.len() < BATCH {
                break;
            }
        }
        let disk = &self.updates.disk;
        disk.each(
            &mut |reference| match self.read(|c| store::upload(c, &reference))? {
                Some(row) if row.step != UploadStep::Mismatch => Ok(()),
                _ => disk.remove_upload(&reference),
            },
            &mut |sha256| match self.read(|c| store::blob(c, &sha256))? {
                Some(_) => Ok(()),
                // One that was put in its place and not on record is verified again from there.
                None if self.read(store::to_verify)?.iter().any(|row| row.sha256 == sha256) => {
                    Ok(())
                }
                None => disk.remove(&sha256),
            },
        )?;
        drop(keeping);
        Ok(())
    }

    /// Removes uploads whose time is over.
    fn sweep_uploads(&self) -> Result<(), ServiceError> {
        loop {
            let now = self.now();
            let expired = self.read(|connection| store::expired_uploads(connection, now, BATCH))?;
            let mut removed = 0;
            for row in &expired {
                // Whoever writes to it makes it younger.
                let Some(_turn) = self.updates.take_turn(row.id) else { continue };
                let id = row.id;
                self.store.writer.run_blocking(move |tx| store::delete_upload(tx, id))?;
                self.updates.disk.remove_upload(&row.reference)?;
                removed += 1;
            }
            if removed < BATCH {
                return Ok(());
            }
        }
    }
}
