//! What other programs of the device put into its log: local logins, accounts, clocks. Each leaves a file;
//! the agent takes it into the log, and removes it after that (LG-5). docs/agent.md.

use crate::{
    Config, Failure, clock,
    files::{self, Mode, STATE},
    log,
    store::Store,
};
use admission::device_log::{LogEntry, LogKind, LogOutcome, LogSeverity};
use crypto::random;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const FOLDER: &str = "notes";
/// Longest file, in bytes: what does not fit into an entry is cut.
const BYTES_MAX: u64 = 8 * 1024;
/// Notes that are taken at once, and that may wait before no more are left.
const AT_ONCE_MAX: usize = 64;
const WAITING_MAX: usize = 1000;

/// An entry that somebody left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    pub(crate) kind: String,
    pub(crate) severity: String,
    pub(crate) outcome: String,
    #[serde(default)]
    pub(crate) actor: Option<String>,
    #[serde(default)]
    pub(crate) subject: Option<String>,
    #[serde(default)]
    pub(crate) details: BTreeMap<String, String>,
    /// when it was left, by the device's clock
    #[serde(default)]
    pub(crate) at: i64,
}

impl Note {
    /// The entry; `None` where it is none.
    fn entry(self) -> Option<LogEntry> {
        let mut entry = LogEntry::new(
            self.at,
            LogKind::from_name(&self.kind)?,
            LogSeverity::from_name(&self.severity)?,
            LogOutcome::from_name(&self.outcome)?,
        );
        (entry.actor, entry.subject, entry.details) = (self.actor, self.subject, self.details);
        Some(entry)
    }

    /// Leaves it for the agent. Once this returns it is on disk.
    ///
    /// # Errors
    /// `note` where it is none, or too many wait; `state-write`, `disk-full`.
    pub(crate) fn leave(self, config: &Config) -> Result<(), Failure> {
        let wrong = |why: &str| Failure::malformed("note", why.to_owned());
        if config.device_log.is_none() {
            return Err(wrong("the configuration has no [device_log]"));
        }
        let note = Self { at: clock::wall().0, ..self };
        let body = serde_json::to_vec(&note).map_err(|error| wrong(&error.to_string()))?;
        if u64::try_from(body.len()).unwrap_or(u64::MAX) > BYTES_MAX {
            return Err(wrong("it is longer than 8 KiB"));
        }
        let at = note.at;
        if note.entry().is_none() {
            return Err(wrong("docs/device-log.md lists kinds, severities and outcomes"));
        }
        let store = Store::look(&config.state);
        files::folder(&store.path(FOLDER))?;
        if names(&store).len() >= WAITING_MAX {
            let why = "1,000 notes wait; is the agent running?";
            return Err(Failure::unavailable("note", why.to_owned()));
        }
        let name = format!("{FOLDER}/{at:012}-{}", hex::encode(random::bytes::<8>()));
        files::replace(&store.path(&name), &body, Mode::Private, STATE)
    }
}

/// Names of the notes that wait, the oldest first.
fn names(store: &Store) -> BTreeSet<String> {
    let Ok(folder) = std::fs::read_dir(store.path(FOLDER)) else { return BTreeSet::new() };
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        let own = |c: char| c.is_ascii_hexdigit() || c == '-';
        // What is being written has another name.
        (name.chars().all(own) && !name.is_empty()).then_some(name)
    };
    folder.filter_map(name).collect()
}

/// Notes to be taken now, by name; what is none is gone at once.
pub(crate) fn waiting(store: &Store) -> BTreeMap<String, LogEntry> {
    let mut found = BTreeMap::new();
    for name in names(store).into_iter().take(AT_ONCE_MAX) {
        let path = store.path(&format!("{FOLDER}/{name}"));
        let bytes = files::read(&path, BYTES_MAX).ok().flatten();
        let note = bytes.and_then(|bytes| serde_json::from_slice::<Note>(&bytes).ok());
        match note.and_then(Note::entry) {
            Some(entry) => _ = found.insert(name, entry),
            None => {
                log::warning("note", &format!("{name} is none"));
                let _ = files::remove(&path);
            }
        }
    }
    found
}

/// Removes notes that are in the log.
pub(crate) fn taken<'a>(store: &Store, names: impl IntoIterator<Item = &'a String>) {
    for name in names {
        if let Err(failure) = files::remove(&store.path(&format!("{FOLDER}/{name}"))) {
            log::warning(failure.code, &failure.detail);
        }
    }
}
