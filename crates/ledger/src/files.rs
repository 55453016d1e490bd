use crate::{CheckpointStore, LedgerError, ObjectStore, SignedCheckpoint, TilePath};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

/// Threads that flush files at once: a journalling file system commits them together, so that a
/// batch costs little more than one file.
const FLUSHERS_MAX: usize = 16;

/// Where files are prepared, below the root.
const TEMPORARY: &str = ".tmp";

/// Tiles and bundles as files, laid out as tlog-tiles serves them: temporary file, flush, rename,
/// flush of the directories.
#[derive(Debug)]
pub struct FileStore {
    root: PathBuf,
    /// number of the next temporary file
    temporary: AtomicU64,
    /// whether this process has begun to write
    ready: Mutex<bool>,
}

impl FileStore {
    /// The store in this folder, which need not exist yet. Nothing is touched before the first
    /// writing, so that an audit may read beside a running log; only one process may write.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), temporary: AtomicU64::new(0), ready: Mutex::new(false) }
    }

    /// Removes temporary files that a crash left, once.
    fn make_ready(&self) -> Result<(), LedgerError> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if *ready {
            return Ok(());
        }
        let temporary = self.root.join(TEMPORARY);
        match fs::remove_dir_all(&temporary) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(unavailable(&temporary)(error));
            }
            _ => {}
        }
        fs::create_dir_all(&temporary).map_err(unavailable(&temporary))?;
        flush_directory(&self.root)?;
        *ready = true;
        Ok(())
    }

    /// Where an object lies. Only paths that [`TilePath`] accepts name a file.
    fn place(&self, path: &str) -> Result<PathBuf, LedgerError> {
        Ok(self.root.join(path.parse::<TilePath>()?.to_string()))
    }

    fn prepare(&self, place: PathBuf, bytes: &[u8]) -> Result<Prepared, LedgerError> {
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = self.root.join(TEMPORARY).join(number.to_string());
        let file = File::create(&temporary).map_err(unavailable(&temporary))?;
        let mut prepared = Prepared { place, temporary, file, renamed: false };
        prepared.file.write_all(bytes).map_err(unavailable(&prepared.temporary))?;
        Ok(prepared)
    }
}

/// A file that is written, but not in its place yet.
struct Prepared {
    place: PathBuf,
    temporary: PathBuf,
    file: File,
    renamed: bool,
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if !self.renamed {
            // After a failure; what remains is swept up at the next start.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

impl ObjectStore for FileStore {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        let path = self.place(path)?;
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unavailable(&path)(error)),
        }
    }

    fn write_durable(&self, path: &str, bytes: &[u8]) -> Result<(), LedgerError> {
        self.write_all_durable(&[(path.to_owned(), bytes.to_vec())])
    }

    fn write_all_durable(&self, objects: &[(String, Vec<u8>)]) -> Result<(), LedgerError> {
        self.make_ready()?;
        let mut prepared = Vec::new();
        for (path, bytes) in objects {
            prepared.push(self.prepare(self.place(path)?, bytes)?);
        }
        let each = prepared.len().div_ceil(FLUSHERS_MAX).max(1);
        thread::scope(|scope| {
            let flushers: Vec<_> = prepared
                .chunks(each)
                .map(|chunk| {
                    scope.spawn(|| {
                        chunk.iter().try_for_each(|prepared| {
                            prepared.file.sync_all().map_err(unavailable(&prepared.place))
                        })
                    })
                })
                .collect();
            flushers.into_iter().try_for_each(|flusher| {
                flusher.join().unwrap_or_else(|_| {
                    Err(LedgerError::Unavailable("a thread that flushes files has died".into()))
                })
            })
        })?;
        let mut changed = BTreeSet::new();
        for prepared in &mut prepared {
            let parent = prepared.place.parent().unwrap_or(&self.root);
            if !changed.contains(parent) {
                fs::create_dir_all(parent).map_err(unavailable(parent))?;
            }
            fs::rename(&prepared.temporary, &prepared.place)
                .map_err(unavailable(&prepared.place))?;
            prepared.renamed = true;
            // Directories above may be new as well.
            let above = parent.ancestors().take_while(|above| above.starts_with(&self.root));
            changed.extend(above.map(Path::to_owned));
        }
        changed.iter().try_for_each(|directory| flush_directory(directory))
    }

    fn drop_partials(&self, path: &str) {
        if let Ok(place) = self.place(path) {
            let mut partials = place.into_os_string();
            partials.push(".p");
            // They only take up room: what remains is harmless.
            let _ = fs::remove_dir_all(partials);
        }
    }
}

/// The newest checkpoint in a file of its own. The first change locks it for this process, so that
/// two cannot both sequence the log.
#[derive(Debug)]
pub struct FileCheckpoints {
    path: PathBuf,
    /// held from the first change on
    lock: Mutex<Option<File>>,
}

impl FileCheckpoints {
    /// The checkpoint at `path`, which need not exist yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), lock: Mutex::new(None) }
    }

    fn lock(&self, held: &mut Option<File>) -> Result<(), LedgerError> {
        if held.is_some() {
            return Ok(());
        }
        let parent = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(unavailable(parent))?;
        let path = self.path.with_extension("lock");
        let lock = File::create(&path).map_err(unavailable(&path))?;
        match lock.try_lock() {
            Ok(()) => *held = Some(lock),
            Err(fs::TryLockError::WouldBlock) => return Err(LedgerError::Conflict),
            Err(fs::TryLockError::Error(error)) => return Err(unavailable(&path)(error)),
        }
        Ok(())
    }
}

impl CheckpointStore for FileCheckpoints {
    fn load(&self) -> Result<Option<Vec<u8>>, LedgerError> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unavailable(&self.path)(error)),
        }
    }

    fn compare_and_swap(&self, old: Option<&[u8]>, new: &[u8]) -> Result<(), LedgerError> {
        SignedCheckpoint::parse(new)?;
        let mut held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.lock(&mut held)?;
        if self.load()?.as_deref() != old {
            return Err(LedgerError::Conflict);
        }
        let temporary = self.path.with_extension("new");
        let mut file = File::create(&temporary).map_err(unavailable(&temporary))?;
        file.write_all(new).map_err(unavailable(&temporary))?;
        file.sync_all().map_err(unavailable(&temporary))?;
        fs::rename(&temporary, &self.path).map_err(unavailable(&self.path))?;
        flush_directory(self.path.parent().unwrap_or(Path::new(".")))
    }
}

fn flush_directory(path: &Path) -> Result<(), LedgerError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(unavailable(path))
}

fn unavailable(path: &Path) -> impl FnOnce(std::io::Error) -> LedgerError {
    move |error| LedgerError::Unavailable(format!("{}: {error}", path.display()))
}
