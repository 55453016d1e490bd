//! Read-only connections, shared by whoever reads.

use super::connect;
use crate::ServiceError;
use rusqlite::Connection;
use std::{
    path::Path,
    sync::{
        Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// A few read-only connections, each with its page cache and its prepared statements.
pub(crate) struct Readers {
    connections: Vec<Mutex<Connection>>,
    /// the one to wait for where all are taken
    next: AtomicUsize,
}

impl Readers {
    pub(super) fn open(path: &Path, count: usize, cache_kib: i64) -> Result<Self, ServiceError> {
        let connections = (0..count.max(1))
            .map(|_| connect(path, true, cache_kib).map(Mutex::new))
            .collect::<Result<_, _>>()?;
        Ok(Self { connections, next: AtomicUsize::new(0) })
    }

    /// Runs `work` on a snapshot of the last commit. For point queries and pages: it holds a
    /// connection and blocks its thread meanwhile.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let connection = self.lease();
        connection.prepare_cached("BEGIN DEFERRED")?.execute([])?;
        let outcome = work(&connection);
        // Ends the snapshot whatever happened, or the log could never be reused.
        connection.prepare_cached("ROLLBACK")?.execute([])?;
        outcome
    }

    fn lease(&self) -> MutexGuard<'_, Connection> {
        // The first that is free: a connection forgets its pages whenever somebody has committed, so
        // that the fewer are in use, the less is read again.
        for connection in &self.connections {
            match connection.try_lock() {
                Ok(guard) => return guard,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        let next = self.next.fetch_add(1, Ordering::Relaxed) % self.connections.len().max(1);
        #[expect(clippy::expect_used, reason = "there is at least one connection, by open")]
        let connection = self.connections.get(next).expect("a reader");
        connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
