//! Moves what is committed from the write-ahead log into the database while the writer goes on.
//!
//! SQLite would do it on the writer's thread as soon as the log has grown, and whoever waits for a
//! commit would wait for thousands of pages, scattered over a large database, and two fsyncs. A
//! thread of its own does the bulk of it; the writer does what came in meanwhile, since a log can be
//! begun anew only when nothing in it is outstanding. No acknowledgement rests on any of this: what
//! is committed is durable in the log.

use super::connect;
use crate::ServiceError;
use rusqlite::Connection;
use std::{
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

/// Changed rows after which the log is worth a round: some 40 MiB of pages. Seldom enough to merge
/// writes to one page, often enough to keep the log short.
const ROWS: u64 = 16 * 1024;
/// Changed rows during a round after which the writer waits for its end: the log has a bound also
/// where the disk is slower than the writer.
const ROWS_MAX: u64 = 64 * 1024;
/// Pages of the log so few that the writer may as well move them itself.
const LEFT: i64 = 512;
/// Passes of one round: each finds less than the one before.
const PASSES_MAX: usize = 3;
/// Page cache of the connection, in KiB: a checkpoint reads past it.
const CACHE_KIB: i64 = 256;

/// The writer's side.
pub(super) struct Checkpoints {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// rows changed since the last round began
    rows: u64,
}

#[derive(Default)]
struct Shared {
    phase: Mutex<Phase>,
    moved: Condvar,
}

/// Where a round is. The writer alone begins and ends rounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Idle,
    /// the thread is to begin
    Wanted,
    /// the thread is at it
    Running,
    /// the thread has done its part
    Done,
    /// the thread is to end
    Stop,
    /// the thread has ended
    Gone,
}

impl Checkpoints {
    /// Starts the thread, with a connection of its own.
    pub(super) fn start(path: &Path) -> Result<Self, ServiceError> {
        let connection = connect(path, false, CACHE_KIB)?;
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("tegata-checkpoint".into())
            .spawn(move || {
                // Also when it panics: nobody may wait for a round that never ends.
                let _gone = Gone(&theirs);
                rounds(&connection, &theirs);
            })
            .map_err(|_| ServiceError::fatal("no-thread", "no thread can be started"))?;
        Ok(Self { shared, thread: Some(thread), rows: 0 })
    }

    /// Follows a commit that changed so many rows, on the writer's thread and connection. Begins a
    /// round where it is time, and ends one whose bulk is done.
    pub(super) fn committed(&mut self, writer: &Connection, rows: u64) {
        self.rows = self.rows.saturating_add(rows);
        let mut phase = self.shared.lock();
        if self.rows >= ROWS_MAX {
            phase = self.shared.wait(phase);
        }
        match *phase {
            Phase::Idle if self.rows >= ROWS => {
                *phase = Phase::Wanted;
                self.rows = 0;
                self.shared.moved.notify_all();
            }
            Phase::Done => {
                *phase = Phase::Idle;
                drop(phase);
                report(pass(writer));
            }
            Phase::Gone if self.rows >= ROWS => {
                drop(phase);
                self.rows = 0;
                report(pass(writer));
            }
            _ => {}
        }
    }

    /// Waits for the end of a round, so that the writer has the log for itself until its next
    /// commit.
    pub(super) fn quiet(&mut self) {
        let mut phase = self.shared.wait(self.shared.lock());
        if *phase == Phase::Done {
            *phase = Phase::Idle;
        }
        self.rows = 0;
    }

    /// Ends the thread.
    pub(super) fn stop(&mut self) {
        self.quiet();
        if let Some(thread) = self.thread.take() {
            *self.shared.lock() = Phase::Stop;
            self.shared.moved.notify_all();
            let _ = thread.join();
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while a round is wanted or under way.
    fn wait<'a>(&self, phase: MutexGuard<'a, Phase>) -> MutexGuard<'a, Phase> {
        let busy = |phase: &mut Phase| matches!(phase, Phase::Wanted | Phase::Running);
        self.moved.wait_while(phase, busy).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that the thread has ended.
struct Gone<'a>(&'a Shared);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        *self.0.lock() = Phase::Gone;
        self.0.moved.notify_all();
    }
}

fn rounds(connection: &Connection, shared: &Shared) {
    loop {
        let waiting = |phase: &mut Phase| matches!(phase, Phase::Idle | Phase::Done);
        let mut phase =
            shared.moved.wait_while(shared.lock(), waiting).unwrap_or_else(PoisonError::into_inner);
        if *phase == Phase::Stop {
            return;
        }
        *phase = Phase::Running;
        drop(phase);
        for _ in 0..PASSES_MAX {
            let left = pass(connection);
            let enough = !matches!(left, Ok(left) if left > LEFT);
            report(left);
            if enough {
                break;
            }
        }
        *shared.lock() = Phase::Done;
        shared.moved.notify_all();
    }
}

/// Moves what no reader holds; returns how many pages of the log are outstanding. Holds up nobody.
fn pass(connection: &Connection) -> Result<i64, ServiceError> {
    let (all, moved) = connection
        .prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?
        .query_row([], |row| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))?;
    Ok(all.saturating_sub(moved))
}

/// The log stays as it is and grows; the next round tries again.
fn report(outcome: Result<i64, ServiceError>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "the write-ahead log could not be moved into the database");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(dir: &Path) -> (Connection, std::path::PathBuf) {
        let path = dir.join("test.db");
        let connection = connect(&path, false, 1024).unwrap();
        connection.execute_batch("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)").unwrap();
        (connection, path)
    }

    fn insert(connection: &Connection, rows: u64) {
        connection.execute_batch("BEGIN").unwrap();
        for _ in 0..rows {
            let mut insert =
                connection.prepare_cached("INSERT INTO t (b) VALUES (zeroblob(300))").unwrap();
            insert.execute([]).unwrap();
        }
        connection.execute_batch("COMMIT").unwrap();
    }

    fn log_bytes(path: &Path) -> u64 {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        std::fs::metadata(log).map_or(0, |log| log.len())
    }

    #[test]
    fn the_log_is_begun_anew_while_the_writer_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let (connection, path) = database(dir.path());
        let mut checkpoints = Checkpoints::start(&path).unwrap();
        let mut longest = 0;
        // Four times what the log may hold before a writer has to wait.
        let (rows, commits) = (2048, 4 * ROWS_MAX / 2048);
        for _ in 0..commits {
            insert(&connection, rows);
            checkpoints.committed(&connection, rows);
            longest = longest.max(log_bytes(&path));
        }
        let written = commits * rows * 300;
        assert!(longest < written / 2, "the log has {longest} bytes of {written}");
        checkpoints.stop();
        // Everything arrived, seen past the log.
        assert_eq!(pass(&connection).unwrap(), 0);
        let count: i64 =
            connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(count.unsigned_abs(), commits * rows);
    }

    #[test]
    fn without_its_thread_the_writer_does_it_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (connection, path) = database(dir.path());
        let mut checkpoints = Checkpoints::start(&path).unwrap();
        checkpoints.stop();
        checkpoints.stop();
        insert(&connection, 100);
        checkpoints.committed(&connection, ROWS_MAX);
        assert_eq!(pass(&connection).unwrap(), 0, "nothing was moved");
        checkpoints.quiet();
    }

    #[test]
    fn who_needs_the_log_for_himself_gets_it() {
        let dir = tempfile::tempdir().unwrap();
        let (connection, path) = database(dir.path());
        let mut checkpoints = Checkpoints::start(&path).unwrap();
        for _ in 0..20 {
            insert(&connection, 500);
            checkpoints.committed(&connection, ROWS);
            checkpoints.quiet();
            let truncated: i64 = connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
                .unwrap();
            assert_eq!(truncated, 0, "somebody was in the way");
            assert_eq!(log_bytes(&path), 0);
        }
    }
}
