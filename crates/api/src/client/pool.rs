use super::Connection;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long a connection waits for its next call. Shorter than servers wait for the next request,
/// so that the two do not cross.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// Connections that wait for the next call.
pub(super) struct Pool {
    idle: Mutex<Vec<(Connection, Instant)>>,
    most: usize,
}

impl Pool {
    pub(super) fn new(most: usize) -> Self {
        Self { idle: Mutex::new(Vec::new()), most }
    }

    /// The connection used last, since it is the least likely to have been closed; a handle to it
    /// where it can be shared.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((connection, since)) = idle.pop() {
            if !connection.is_open() {
                continue;
            }
            if let Some(shared) = connection.share() {
                idle.push((connection, since));
                return Some(shared);
            }
            if since.elapsed() < IDLE_MAX {
                return Some(connection);
            }
        }
        None
    }

    pub(super) fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = connection.share().is_some();
        if connection.is_open() && idle.len() < self.most && (!shared || idle.is_empty()) {
            idle.push((connection, Instant::now()));
        }
    }
}
