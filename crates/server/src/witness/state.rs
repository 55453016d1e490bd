//! What a witness must never lose or take back: the newest tree head of each log.
//!
//! One text file, a line per log: origin, size, root in hexadecimal, separated by tabs. It is
//! replaced as a whole and durably before a cosignature leaves.

use crypto::Sha256;
use ledger::witness::Latest;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Logs in one file.
const LOGS_MAX: usize = 10_000;
/// Refused checkpoints kept as evidence.
const EVIDENCE_MAX: usize = 1_000;

pub(super) struct State {
    file: PathBuf,
    latest: BTreeMap<String, Latest>,
    evidence: usize,
}

impl State {
    /// Reads the file; none is an empty state.
    pub(super) fn open(file: &Path) -> io::Result<Self> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let mut latest = BTreeMap::new();
        for (at, line) in text.lines().enumerate() {
            let entry = parse(line).filter(|_| at < LOGS_MAX).ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!(
                        "line {} of {} is damaged; restore the file from a backup that is not \
                         older than the newest cosignature",
                        at + 1,
                        file.display()
                    ),
                )
            })?;
            latest.insert(entry.origin.clone(), entry);
        }
        Ok(Self { file: file.to_owned(), latest, evidence: 0 })
    }

    pub(super) fn latest(&self, origin: &str) -> Option<&Latest> {
        self.latest.get(origin)
    }

    /// Takes a new tree head over, durably.
    pub(super) fn store(&mut self, new: Latest) -> io::Result<()> {
        let mut all = self.latest.clone();
        all.insert(new.origin.clone(), new);
        let mut text = String::new();
        for entry in all.values() {
            text.push_str(&format!("{}\t{}\t{}\n", entry.origin, entry.size, entry.root));
        }
        replace(&self.file, text.as_bytes())?;
        self.latest = all;
        Ok(())
    }

    /// Keeps a checkpoint that the log has signed and that cannot be true beside what it signed
    /// before. Best effort: the refusal does not depend on it.
    pub(super) fn keep_evidence(&mut self, checkpoint: &[u8]) -> io::Result<()> {
        if self.evidence >= EVIDENCE_MAX {
            return Ok(());
        }
        let mut folder = self.file.clone().into_os_string();
        folder.push(".evidence");
        let folder = PathBuf::from(folder);
        fs::create_dir_all(&folder)?;
        let name = folder.join(crypto::sha256(checkpoint).to_string());
        if !name.exists() {
            replace(&name, checkpoint)?;
            self.evidence += 1;
        }
        Ok(())
    }
}

fn parse(line: &str) -> Option<Latest> {
    let mut fields = line.split('\t');
    let (origin, size, root) = (fields.next()?, fields.next()?, fields.next()?);
    if origin.is_empty() || fields.next().is_some() {
        return None;
    }
    Some(Latest {
        origin: origin.to_owned(),
        size: size.parse().ok()?,
        root: Sha256::from_hex(root)?,
    })
}

/// Writes beside, syncs, renames, syncs the folder: after a crash the file is the old or the new.
fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = file.to_owned().into_os_string();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut out = File::create(&beside)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    fs::rename(&beside, file)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_is_there_after_opening_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state");
        let head = |origin: &str, size| Latest {
            origin: origin.to_owned(),
            size,
            root: crypto::sha256(&[size as u8]),
        };
        let mut state = State::open(&file).unwrap();
        assert_eq!(state.latest("a"), None);
        state.store(head("a", 1)).unwrap();
        state.store(head("b", 7)).unwrap();
        state.store(head("a", 2)).unwrap();
        let again = State::open(&file).unwrap();
        assert_eq!(again.latest("a"), Some(&head("a", 2)));
        assert_eq!(again.latest("b"), Some(&head("b", 7)));
        for damaged in ["a\t1", "a\tx\t00", "\t1\t00", "a\t1\tzz\n"] {
            fs::write(&file, damaged).unwrap();
            assert!(State::open(&file).is_err(), "{damaged:?}");
        }
    }

    #[test]
    fn a_state_that_cannot_be_stored_is_not_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("away/state");
        let mut state = State::open(&file).unwrap();
        let head = Latest { origin: "a".into(), size: 1, root: crypto::sha256(b"") };
        assert!(state.store(head).is_err());
        assert_eq!(state.latest("a"), None);
    }
}
