//! Stores in memory, for tests and trials. They can be told to fail at any step, with the write
//! done or not done: the two outcomes that a real store leaves open.

use crate::{CheckpointStore, Commitment, LeafSource, LedgerError, ObjectStore, SignedCheckpoint};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

/// When the stores that share this fail.
#[derive(Debug, Default)]
pub struct Faults {
    steps: AtomicU64,
    /// step that fails: positive with the write done, negative not done, 0 none
    fails_at: AtomicI64,
}

impl Faults {
    /// Lets the write after the next `steps` writes fail, having been `applied` or not.
    pub fn fail_after(&self, steps: u32, applied: bool) {
        self.steps.store(0, Ordering::SeqCst);
        let at = i64::from(steps) + 1;
        self.fails_at.store(if applied { at } else { -at }, Ordering::SeqCst);
    }

    /// Lets nothing fail, and counts from 0 again.
    pub fn clear(&self) {
        self.steps.store(0, Ordering::SeqCst);
        self.fails_at.store(0, Ordering::SeqCst);
    }

    /// Writes since the last reset.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::SeqCst)
    }

    fn step(&self, apply: impl FnOnce() -> Result<(), LedgerError>) -> Result<(), LedgerError> {
        let step = self.steps.fetch_add(1, Ordering::SeqCst) + 1;
        let at = self.fails_at.load(Ordering::SeqCst);
        if at.unsigned_abs() != step {
            return apply();
        }
        if at > 0 {
            apply()?;
        }
        Err(LedgerError::Unavailable("injected fault".into()))
    }
}

/// Leaves in memory.
#[derive(Debug, Default)]
pub struct MemoryLeaves(Mutex<Vec<Commitment>>);

impl MemoryLeaves {
    /// Adds leaves at the end.
    pub fn append(&self, leaves: &[Commitment]) {
        self.with(|all| all.extend_from_slice(leaves));
    }

    /// Changes the leaves in ways that no leaf source may, for tests.
    pub fn with<R>(&self, change: impl FnOnce(&mut Vec<Commitment>) -> R) -> R {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl LeafSource for MemoryLeaves {
    fn size(&self) -> Result<u64, LedgerError> {
        Ok(self.with(|all| all.len() as u64))
    }

    fn leaves(&self, from: u64, most: usize) -> Result<Vec<Commitment>, LedgerError> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        Ok(self.with(|all| all.iter().skip(from).take(most).copied().collect()))
    }
}

/// Objects in memory.
#[derive(Debug, Default)]
pub struct MemoryObjects {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    faults: Arc<Faults>,
}

impl MemoryObjects {
    /// A store that fails when `faults` says so.
    pub fn failing(faults: Arc<Faults>) -> Self {
        Self { objects: Mutex::default(), faults }
    }

    /// Looks at, or tampers with, the objects.
    pub fn with<R>(&self, change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) -> R) -> R {
        change(&mut self.objects.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ObjectStore for MemoryObjects {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.with(|objects| objects.get(path).cloned()))
    }

    fn write_durable(&self, path: &str, bytes: &[u8]) -> Result<(), LedgerError> {
        self.faults.step(|| {
            self.with(|objects| objects.insert(path.to_owned(), bytes.to_vec()));
            Ok(())
        })
    }

    fn drop_partials(&self, path: &str) {
        let prefix = format!("{path}.p/");
        self.with(|objects| objects.retain(|path, _| !path.starts_with(&prefix)));
    }
}

/// Checkpoints in memory; all are kept.
#[derive(Debug, Default)]
pub struct MemoryCheckpoints {
    kept: Mutex<Vec<Vec<u8>>>,
    faults: Arc<Faults>,
}

impl MemoryCheckpoints {
    /// A store that fails when `faults` says so.
    pub fn failing(faults: Arc<Faults>) -> Self {
        Self { kept: Mutex::default(), faults }
    }

    /// Looks at, or tampers with, the checkpoints, oldest first.
    pub fn with<R>(&self, change: impl FnOnce(&mut Vec<Vec<u8>>) -> R) -> R {
        change(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl CheckpointStore for MemoryCheckpoints {
    fn load(&self) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.with(|kept| kept.last().cloned()))
    }

    fn compare_and_swap(&self, old: Option<&[u8]>, new: &[u8]) -> Result<(), LedgerError> {
        self.faults.step(|| {
            self.with(|kept| {
                if kept.last().map(Vec::as_slice) != old {
                    return Err(LedgerError::Conflict);
                }
                kept.push(new.to_vec());
                Ok(())
            })
        })
    }

    fn kept(&self, size: Option<u64>, most: usize) -> Result<Vec<Vec<u8>>, LedgerError> {
        let larger = |bytes: &&Vec<u8>| match (size, SignedCheckpoint::parse(bytes)) {
            (Some(size), Ok(checkpoint)) => checkpoint.claimed().size > size,
            _ => true,
        };
        Ok(self.with(|kept| kept.iter().filter(larger).take(most).cloned().collect()))
    }
}
