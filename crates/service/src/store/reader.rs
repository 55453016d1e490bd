//! Read-only connections, shared by whoever reads.

use super::connect;
use crate::ServiceError;
use rusqlite::Connection;
use std::{
    cell::Cell,
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, PoisonError},
};

/// A few read-only connections, each with its page cache and its prepared statements.
pub(crate) struct Readers {
    /// those that nobody reads with; the last used is the first to be used again: a connection forgets
    /// its pages whenever somebody has committed, so that the fewer are in use, the less is read again
    free: Mutex<Vec<Connection>>,
    freed: Condvar,
    /// kept at most
    count: usize,
    path: PathBuf,
    cache_kib: i64,
}

thread_local! {
    /// Connections that this thread reads with.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

impl Readers {
    pub(super) fn open(path: &Path, count: usize, cache_kib: i64) -> Result<Self, ServiceError> {
        let count = count.max(1);
        let free = (0..count).map(|_| connect(path, true, cache_kib)).collect::<Result<_, _>>()?;
        let (free, path) = (Mutex::new(free), path.to_owned());
        Ok(Self { free, freed: Condvar::new(), count, path, cache_kib })
    }

    /// Runs `work` on a snapshot of the last commit. For point queries and pages: it holds a
    /// connection and blocks its thread meanwhile. Work that reads again gets a snapshot of its own.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let lease = self.lease()?;
        let connection = lease.connection()?;
        connection.prepare_cached("BEGIN DEFERRED")?.execute([])?;
        work(connection)
    }

    fn lease(&self) -> Result<Lease<'_>, ServiceError> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = loop {
            match free.pop() {
                Some(connection) => break connection,
                // Whoever holds one already must not wait for others who may do the same: one more is
                // opened for as long as it takes.
                None if HELD.get() > 0 => {
                    drop(free);
                    break connect(&self.path, true, self.cache_kib)?;
                }
                // The first that anybody gives back.
                None => free = self.freed.wait(free).unwrap_or_else(PoisonError::into_inner),
            }
        };
        HELD.set(HELD.get().saturating_add(1));
        Ok(Lease { readers: self, connection: Some(connection) })
    }
}

/// A connection, until it is dropped.
struct Lease<'a> {
    readers: &'a Readers,
    /// there, until it is dropped
    connection: Option<Connection>,
}

impl Lease<'_> {
    fn connection(&self) -> Result<&Connection, ServiceError> {
        self.connection.as_ref().ok_or_else(ServiceError::stopped)
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        HELD.set(HELD.get().saturating_sub(1));
        let Some(connection) = self.connection.take() else { return };
        // Ends the snapshot whatever happened, a panic included, or the log could never be reused.
        let ended = connection.is_autocommit()
            || connection.prepare_cached("ROLLBACK").and_then(|mut end| end.execute([])).is_ok();
        let fresh = if ended { Some(connection) } else { None };
        // One that cannot be ended is closed, and another one is opened in its place.
        let fresh =
            fresh.or_else(|| connect(&self.readers.path, true, self.readers.cache_kib).ok());
        let mut free = self.readers.free.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = fresh.filter(|_| free.len() < self.readers.count) {
            free.push(connection);
        }
        drop(free);
        self.readers.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::mpsc, time::Duration};

    fn readers(folder: &tempfile::TempDir, count: usize) -> Readers {
        let path = folder.path().join("store");
        let made = connect(&path, false, 100).unwrap();
        made.execute_batch("CREATE TABLE one (a INTEGER); INSERT INTO one VALUES (7)").unwrap();
        Readers::open(&path, count, 100).unwrap()
    }

    fn one(readers: &Readers) -> i64 {
        let seven = |connection: &Connection| {
            Ok(connection.query_row("SELECT a FROM one", [], |row| row.get(0))?)
        };
        readers.read(seven).unwrap()
    }

    /// Everybody who reads while it reads would wait for everybody else.
    #[test]
    fn who_reads_while_it_reads_waits_for_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let readers = readers(&folder, 1);
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let found = readers.read(|_| Ok(readers.read(|_| Ok(one(&readers)))? + one(&readers)));
            let _ = sender.send((found.unwrap(), readers.free.lock().unwrap().len()));
        });
        // It never comes where it waits for itself.
        assert_eq!(receiver.recv_timeout(Duration::from_secs(120)).unwrap(), (14, 1));
    }

    #[test]
    fn a_panic_while_reading_leaves_the_connection_usable() {
        let folder = tempfile::tempdir().unwrap();
        let readers = readers(&folder, 1);
        for _ in 0..2 {
            let work = std::panic::AssertUnwindSafe(|| {
                readers.read::<()>(|connection| {
                    connection.query_row("SELECT a FROM one", [], |_| Ok(())).unwrap();
                    panic!("on purpose")
                })
            });
            assert!(std::panic::catch_unwind(work).is_err());
        }
        assert_eq!(one(&readers), 7);
    }

    #[test]
    fn who_waits_gets_the_first_that_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let readers = std::sync::Arc::new(readers(&folder, 2));
        let (first, second) = (readers.lease().unwrap(), readers.lease().unwrap());
        let waits: Vec<_> = (0..4)
            .map(|_| {
                let readers = readers.clone();
                std::thread::spawn(move || one(&readers))
            })
            .collect();
        // One of the two is enough for all of them.
        drop(second);
        for waiting in waits {
            assert_eq!(waiting.join().unwrap(), 7);
        }
        drop(first);
    }
}
