use crate::{Commitment, LedgerError};
use std::sync::Arc;

/// Where leaves come from: durable, ordered, never changed. The outbox of the store is one.
pub trait LeafSource: Send + Sync {
    /// Number of leaves that are durable. It never falls.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    fn size(&self) -> Result<u64, LedgerError>;

    /// Leaves from index `from` on: `most` of them, or fewer where the source ends.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    fn leaves(&self, from: u64, most: usize) -> Result<Vec<Commitment>, LedgerError>;
}

/// Where tiles and entry bundles lie. Paths are those of [`crate::TilePath`]; an object never
/// changes once it is written. What it holds can be made again from the leaves.
pub trait ObjectStore: Send + Sync {
    /// The object, or `None` where there is none.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, LedgerError>;

    /// Writes an object; when this returns, it survives a loss of power. After an error it may or
    /// may not be there, but never half.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    fn write_durable(&self, path: &str, bytes: &[u8]) -> Result<(), LedgerError>;

    /// Writes several objects, in any order; when this returns, all are durable.
    ///
    /// # Errors
    /// As [`Self::write_durable`]; any of them may then be there.
    fn write_all_durable(&self, objects: &[(String, Vec<u8>)]) -> Result<(), LedgerError> {
        objects.iter().try_for_each(|(path, bytes)| self.write_durable(path, bytes))
    }

    /// Drops the partial tiles that the full tile at `path` has replaced (tlog-tiles, "Partial
    /// Tiles"). Only tidies: failure does no harm.
    fn drop_partials(&self, path: &str) {
        let _ = path;
    }
}

/// Where the newest checkpoint lies: apart from the tiles, so that restoring an old backup of one
/// of them cannot take both back in time.
pub trait CheckpointStore: Send + Sync {
    /// The newest checkpoint, as signed.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    fn load(&self) -> Result<Option<Vec<u8>>, LedgerError>;

    /// Replaces the newest checkpoint, durably, if it still is `old`.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] where it is another, [`LedgerError::Unavailable`] where it is not
    /// known whether it was replaced.
    fn compare_and_swap(&self, old: Option<&[u8]>, new: &[u8]) -> Result<(), LedgerError>;

    /// Checkpoints that are kept, of more than `size` leaves, smallest first, at most `most`. The
    /// audit holds each against the tree. By default only the newest is kept.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    fn kept(&self, size: Option<u64>, most: usize) -> Result<Vec<Vec<u8>>, LedgerError> {
        let _ = most;
        let newest = self.load()?.into_iter();
        Ok(newest
            .filter(|bytes| match (size, crate::SignedCheckpoint::parse(bytes)) {
                (Some(size), Ok(checkpoint)) => checkpoint.claimed().size > size,
                _ => true,
            })
            .collect())
    }
}

impl<T: LeafSource + ?Sized> LeafSource for Arc<T> {
    fn size(&self) -> Result<u64, LedgerError> {
        (**self).size()
    }
    fn leaves(&self, from: u64, most: usize) -> Result<Vec<Commitment>, LedgerError> {
        (**self).leaves(from, most)
    }
}

impl<T: ObjectStore + ?Sized> ObjectStore for Arc<T> {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        (**self).read(path)
    }
    fn write_durable(&self, path: &str, bytes: &[u8]) -> Result<(), LedgerError> {
        (**self).write_durable(path, bytes)
    }
    fn write_all_durable(&self, objects: &[(String, Vec<u8>)]) -> Result<(), LedgerError> {
        (**self).write_all_durable(objects)
    }
    fn drop_partials(&self, path: &str) {
        (**self).drop_partials(path);
    }
}

impl<T: CheckpointStore + ?Sized> CheckpointStore for Arc<T> {
    fn load(&self) -> Result<Option<Vec<u8>>, LedgerError> {
        (**self).load()
    }
    fn compare_and_swap(&self, old: Option<&[u8]>, new: &[u8]) -> Result<(), LedgerError> {
        (**self).compare_and_swap(old, new)
    }
    fn kept(&self, size: Option<u64>, most: usize) -> Result<Vec<Vec<u8>>, LedgerError> {
        (**self).kept(size, most)
    }
}
