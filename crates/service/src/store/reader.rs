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
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let count = self.connections.len();
        let rotated = self.connections.iter().cycle().skip(start % count.max(1)).take(count);
        let mut first = None;
        for connection in rotated {
            match connection.try_lock() {
                Ok(guard) => return guard,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => first = first.or(Some(connection)),
            }
        }
        #[expect(clippy::expect_used, reason = "there is at least one connection, by open")]
        first.expect("a reader").lock().unwrap_or_else(PoisonError::into_inner)
    }
}
