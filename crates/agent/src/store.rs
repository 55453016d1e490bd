//! The agent's own folder. One agent at a time; every record is replaced as a whole and carries a
//! version and a hash: what another version wrote, or what a medium lost, is not guessed at.
//!
//! ```text
//! lock              held while an agent runs
//! state             updates: slots, phase, reports that wait (engine::State)
//! device-log        entries that wait, and what was looked at (device_log)
//! notes/            what other programs left for that log (notes)
//! telemetry         samples that wait (telemetry)
//! numbered          counters of what was signed (telemetry)
//! clock             the last time that was seen
//! program-a, -b     hash of the program at its first start in each slot
//! identity/ldevid   certificate chain and sealed key; idevid, pending likewise
//! trust/            the trust bundle, its number, the time that was seen (peer)
//! tuf/ORGANISATION/ newest verified metadata; seen: version of the newest timestamp, when it was asked for
//! ```

use crate::{
    Failure,
    engine::State,
    fault,
    files::{self, Mode, STATE},
};
use crypto::{UnixTime, sha256};
use rustix::fs::{FlockOperation, flock};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// Longest record, in bytes.
const BYTES_MAX: u64 = 1024 * 1024;
const VERSION: u32 = 1;

/// The folder, held by this process.
pub struct Store {
    folder: PathBuf,
    /// released by the kernel with the process, however that ends
    _lock: Option<File>,
}

impl Store {
    /// Takes the folder; makes it where it is missing.
    ///
    /// # Errors
    /// `busy` where another agent has it, `state-write`.
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        files::folder(folder)?;
        let path = folder.join("lock");
        let failed = |error: std::io::Error| files::write_failed(&path, &error);
        let lock = File::options().create(true).append(true).open(&path).map_err(failed)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            let detail = format!("another agent works in {}; stop it first", folder.display());
            Failure::unavailable("busy", detail)
        })?;
        Ok(Self { folder: folder.to_owned(), _lock: Some(lock) })
    }

    /// Looks at the folder without taking it: for what changes nothing.
    pub fn look(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), _lock: None }
    }

    /// A place in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What is kept about updates; the empty state at the first start.
    ///
    /// # Errors
    /// `state-damaged`, `state-version`.
    pub fn state(&self) -> Result<State, Failure> {
        Ok(self.record("state")?.unwrap_or_default())
    }

    /// Keeps it.
    ///
    /// # Errors
    /// `state-write`, `disk-full`.
    pub fn keep_state(&self, state: &State) -> Result<(), Failure> {
        fault::point("before-state-write");
        self.keep("state", state)?;
        fault::point("after-state-write");
        Ok(())
    }

    /// The last time that was seen.
    ///
    /// # Errors
    /// As [`Self::state`].
    pub fn last_seen(&self) -> Result<Option<UnixTime>, Failure> {
        Ok(self.record::<i64>("clock")?.map(UnixTime))
    }

    /// Keeps the time.
    ///
    /// # Errors
    /// As [`Self::keep_state`].
    pub fn keep_last_seen(&self, now: UnixTime) -> Result<(), Failure> {
        self.keep("clock", &now.0)
    }

    /// A record by its name.
    ///
    /// # Errors
    /// `state-damaged`, `state-version`, `state-read`.
    pub(crate) fn record<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Failure> {
        let path = self.path(name);
        let Some(bytes) = files::read(&path, BYTES_MAX)? else { return Ok(None) };
        read(&bytes).map(Some).map_err(|(code, why)| {
            Failure::fatal(code, format!("{} {why}; docs/agent.md: Recovery", path.display()))
        })
    }

    /// Keeps a record.
    ///
    /// # Errors
    /// `state-write`, `disk-full`.
    pub(crate) fn keep<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Failure> {
        let body = serde_json::to_string(value)
            .map_err(|error| Failure::fatal("state-write", error.to_string()))?;
        let mut text = format!("tegata-agent {VERSION} {}\n", sha256(body.as_bytes()));
        text.push_str(&body);
        text.push('\n');
        files::replace(&self.path(name), text.as_bytes(), Mode::Private, STATE)
    }
}

/// Reads a record: a line with version and hash, a line of JSON.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, (&'static str, String)> {
    let damaged = || ("state-damaged", "is damaged".to_owned());
    let text = std::str::from_utf8(bytes).map_err(|_| damaged())?;
    let (first, body) = text.split_once('\n').ok_or_else(damaged)?;
    let mut words = first.split(' ');
    let (name, version, hash) = (words.next(), words.next(), words.next());
    if name != Some("tegata-agent") {
        return Err(damaged());
    }
    let version: u32 = version.and_then(|text| text.parse().ok()).ok_or_else(damaged)?;
    if version != VERSION {
        return Err((
            "state-version",
            format!("has version {version}, and this program {VERSION}"),
        ));
    }
    let body = body.strip_suffix('\n').ok_or_else(damaged)?;
    if hash != Some(sha256(body.as_bytes()).to_string().as_str()) {
        return Err(damaged());
    }
    serde_json::from_str(body).map_err(|_| damaged())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_agent_and_no_guesses() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("state");
        let store = Store::open(&folder).unwrap();
        assert_eq!(Store::open(&folder).err().unwrap().code, "busy");
        assert_eq!(store.state().unwrap(), State::default());
        let state = State { release_counter: 7, ..State::default() };
        store.keep_state(&state).unwrap();
        assert_eq!(Store::look(&folder).state().unwrap(), state);
        drop(store);
        let store = Store::open(&folder).unwrap();
        let path = folder.join("state");
        let good = std::fs::read_to_string(&path).unwrap();
        let check = |text: String, code: &str| {
            std::fs::write(&path, text).unwrap();
            assert_eq!(store.state().unwrap_err().code, code);
        };
        check(good.replacen("tegata-agent 1", "tegata-agent 2", 1), "state-version");
        check(good.replacen("\"release_counter\":7", "\"release_counter\":6", 1), "state-damaged");
        check(good.chars().take(good.len() / 2).collect(), "state-damaged");
        check(String::new(), "state-damaged");
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(read::<State>(&bytes).is_err());
        }
    }
}
