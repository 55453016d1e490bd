//! The device's own log (LG-5): what happened to it, chained, on disk before it is told, in the compact
//! form of docs/device-log.md. Where there is no room the oldest entries go, and are counted.
//!
//! What is recorded is found by looking at what is on disk anyway: the state of updates, the journal of
//! commands, inputs, settings, certificate. Entry and what was looked at are one record, so that neither
//! a crash nor a second look makes two entries of one event, or none.

use crate::{
    Agent, Failure, clock,
    commands::{Line, Saying, Taken},
    engine::{Execution, Report},
    fault,
    identity::Credential,
    log, notes,
    self_test::{Consequence, Finding},
    store::Store,
};
use admission::device_log::{
    LogEntry, LogId, LogKind, LogOutcome, LogPlace, LogSeverity, SEGMENT_BYTES_MAX,
    SEGMENT_ENTRIES_MAX, encode_segment, read_entry,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::{Sha256, random, sha256};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const RECORD: &str = "device-log";
/// Longest of a segment beside its entries, in bytes.
const AROUND_BYTES_MAX: usize = 80;
/// Segments in one go: what else waits must not wait for all of them.
const GO_MAX: usize = 50;

/// A place in the chain, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct At {
    sequence: u64,
    hash: String,
    time: i64,
}

impl From<LogPlace> for At {
    fn from(place: LogPlace) -> Self {
        Self { sequence: place.sequence, hash: place.hash.to_string(), time: place.time }
    }
}

impl At {
    fn place(&self) -> Result<LogPlace, Failure> {
        let hash = Sha256::from_hex(&self.hash).ok_or_else(damaged)?;
        Ok(LogPlace { sequence: self.sequence, hash, time: self.time })
    }
}

fn damaged() -> Failure {
    Failure::fatal("state-damaged", "device-log holds no log; docs/agent.md: Recovery")
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    log: String,
    /// the entry before the first that waits
    before: At,
    /// the newest entry
    last: At,
    /// entries right before the first that waits which gave way
    dropped: u64,
    /// base64 of entries that the platform has not taken
    waiting: VecDeque<String>,
    /// starts of the machine that were seen
    starts: u32,
    /// what was looked at, and what it was
    marks: BTreeMap<String, String>,
}

/// The log; nothing where the configuration wants none.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeviceLog {
    kept: Option<Kept>,
    /// the service has just begun
    pub(crate) began: bool,
}

impl DeviceLog {
    /// Reads the log, or begins one.
    ///
    /// # Errors
    /// `state-damaged`.
    pub(crate) fn open(store: &Store) -> Result<Self, Failure> {
        let kept = match store.record(RECORD)? {
            Some(kept) => kept,
            None => {
                let log = LogId(random::bytes());
                let start = At::from(LogPlace::start(&log));
                Kept {
                    log: log.to_string(),
                    before: start.clone(),
                    last: start,
                    dropped: 0,
                    waiting: VecDeque::new(),
                    starts: 0,
                    marks: BTreeMap::new(),
                }
            }
        };
        Ok(Self { kept: Some(kept), began: false })
    }
}

impl Kept {
    /// An entry of now.
    fn entry(&self, kind: LogKind, severity: LogSeverity, outcome: LogOutcome) -> LogEntry {
        let now = clock::wall();
        let mut entry = LogEntry::new(now.0, kind, severity, outcome);
        if now < clock::BUILT_AFTER {
            entry.boot = Some(self.starts);
            entry.time = i64::try_from(clock::uptime_s()).unwrap_or(i64::MAX);
        }
        entry
    }

    fn push(&mut self, entry: LogEntry, room: usize) -> Result<(), Failure> {
        let wrong = |error| Failure::fatal("device-log", format!("{error}"));
        let (last, bytes) = self.last.place()?.append(&entry.fitted()).map_err(wrong)?;
        self.last = last.into();
        self.waiting.push_back(STANDARD.encode(bytes));
        while self.waiting.len() > room {
            self.let_go(1)?;
            self.dropped = self.dropped.saturating_add(1);
        }
        Ok(())
    }

    /// Lets the oldest entries go.
    fn let_go(&mut self, count: usize) -> Result<(), Failure> {
        let mut place = self.before.place()?;
        for _ in 0..count {
            let Some(text) = self.waiting.pop_front() else { break };
            let bytes = STANDARD.decode(text).map_err(|_| damaged())?;
            let entry = read_entry(&bytes, place.time).map_err(|_| damaged())?;
            place = place.next(&bytes, entry.time).map_err(|_| damaged())?;
        }
        self.before = place.into();
        Ok(())
    }

    /// As many of the oldest as one segment takes, and that.
    fn segment(&self) -> Result<(usize, Vec<u8>), Failure> {
        let mut left = SEGMENT_BYTES_MAX.saturating_sub(AROUND_BYTES_MAX);
        let mut entries: Vec<Vec<u8>> = Vec::new();
        for text in self.waiting.iter().take(SEGMENT_ENTRIES_MAX) {
            let bytes = STANDARD.decode(text).map_err(|_| damaged())?;
            let Some(after) = left.checked_sub(bytes.len()) else { break };
            left = after;
            entries.push(bytes);
        }
        let log: LogId = self.log.parse().map_err(|_| damaged())?;
        let segment = encode_segment(&log, &self.before.place()?, self.dropped, &entries);
        Ok((entries.len(), segment))
    }

    /// Whether what is looked at is another than it was, which is remembered.
    fn is_news(&mut self, mark: &str, value: &str) -> bool {
        if self.marks.get(mark).is_some_and(|known| known == value) {
            return false;
        }
        self.marks.insert(mark.to_owned(), value.to_owned());
        true
    }

    /// What is new in a set, and what is gone from it.
    fn changes(&mut self, mark: &str, now: &BTreeSet<String>) -> (Vec<String>, Vec<String>) {
        let known = self.marks.get(mark).cloned().unwrap_or_default();
        let known: BTreeSet<String> =
            known.split(' ').filter(|it| !it.is_empty()).map(str::to_owned).collect();
        let line: Vec<&str> = now.iter().map(String::as_str).collect();
        self.marks.insert(mark.to_owned(), line.join(" "));
        (now.difference(&known).cloned().collect(), known.difference(now).cloned().collect())
    }
}

fn with(mut entry: LogEntry, subject: &str, details: &[(&str, &str)]) -> LogEntry {
    entry.subject = Some(subject.to_owned());
    let details = details.iter().filter(|(_, value)| !value.is_empty());
    entry.details = details.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    entry
}

/// How an update ended, where it has.
fn update(kept: &Kept, last: &Report) -> LogEntry {
    let (severity, outcome) = match last.execution {
        Execution::Success | Execution::Cancelled => (LogSeverity::Low, LogOutcome::Success),
        Execution::Failure | Execution::Rejected | Execution::HeldUp => {
            (LogSeverity::High, LogOutcome::Failure)
        }
        _ => (LogSeverity::Medium, LogOutcome::Failure),
    };
    let entry = kept.entry(LogKind::Update, severity, outcome);
    let runs = last.running.as_ref().and_then(|image| image.version.as_deref());
    let details = [
        ("result", last.execution.name()),
        ("code", last.code.as_deref().unwrap_or_default()),
        ("runs", runs.unwrap_or_default()),
    ];
    with(entry, last.action.as_deref().unwrap_or("followed"), &details)
}

/// What a self-test found and does not get over.
fn unfit(findings: &[Finding]) -> BTreeSet<String> {
    findings
        .iter()
        .filter(|one| !matches!(one.consequence, Consequence::Pass | Consequence::Warn))
        .filter(|one| one.test != crate::tamper::TEST)
        .map(|one| format!("{}:{}", one.test, one.code))
        .collect()
}

impl Agent {
    /// Looks at what has become of the device, and puts down what is new. A disk that takes nothing is
    /// no reason to stop: it is looked at again.
    pub(crate) fn observe(&mut self, shown: Option<&Credential>) {
        if let Err(failure) = self.try_observe(shown) {
            log::warning(failure.code, &failure.detail);
        }
    }

    fn try_observe(&mut self, shown: Option<&Credential>) -> Result<(), Failure> {
        let Some(config) = &self.config.device_log else { return Ok(()) };
        let room = config.kept;
        let Some(mut kept) = self.device_log.kept.clone() else { return Ok(()) };
        let (info, success) = (LogSeverity::Informational, LogOutcome::Success);
        let mut found: Vec<LogEntry> = Vec::new();
        let version = env!("CARGO_PKG_VERSION");

        let machine = kept.is_news("start", &self.now().boot_id);
        if machine {
            kept.starts = kept.starts.saturating_add(1);
        }
        if machine || self.device_log.began {
            let what = if machine { "machine" } else { "agent" };
            found.push(with(kept.entry(LogKind::Boot, info, success), what, &[("agent", version)]));
        }
        if !self.findings.is_empty() {
            let now = unfit(&self.findings);
            let (new, gone) = kept.changes("self-test", &now);
            for one in &new {
                let (test, code) = one.split_once(':').unwrap_or((one, ""));
                let entry = kept.entry(LogKind::SelfTest, LogSeverity::High, LogOutcome::Failure);
                found.push(with(entry, test, &[("code", code)]));
            }
            if now.is_empty() && !gone.is_empty() {
                found.push(with(kept.entry(LogKind::SelfTest, info, success), "passed", &[]));
            }
        }
        let seen: BTreeSet<String> = self.tamper.names().map(str::to_owned).collect();
        let (new, gone) = kept.changes("tamper", &seen);
        for name in &new {
            let entry = kept.entry(LogKind::Physical, LogSeverity::Critical, success);
            found.push(with(entry, name, &[("what", "tamper")]));
        }
        for name in &gone {
            let entry = kept.entry(LogKind::Physical, LogSeverity::Low, success);
            found.push(with(entry, name, &[("what", "looked-at")]));
        }
        if let Some(last) = &self.state.last
            && kept.is_news("update", &last.number.to_string())
        {
            found.push(update(&kept, last));
        }
        if let Some(settings) = self.settings.version() {
            let settings = settings.to_string();
            if kept.is_news("settings", &settings) {
                let entry = kept.entry(LogKind::ConfigurationChange, LogSeverity::Low, success);
                found.push(with(entry, "settings", &[("version", &settings)]));
            }
        }
        let over: BTreeSet<String> = self.journal.ended().map(|(id, ..)| id.to_owned()).collect();
        let (new, _) = kept.changes("commands", &over);
        for (id, name, done, detail) in self.journal.ended() {
            if new.iter().any(|it| it == id) {
                let (severity, outcome) = match done {
                    true => (LogSeverity::Low, success),
                    false => (LogSeverity::Medium, LogOutcome::Failure),
                };
                let entry = kept.entry(LogKind::Command, severity, outcome);
                found.push(with(entry, name, &[("command", id), ("detail", detail)]));
            }
        }
        if let Some(leaf) = shown.and_then(|shown| shown.chain.first()) {
            let first = !kept.marks.contains_key("credential");
            let digest = sha256(leaf.der()).to_string();
            if kept.is_news("credential", &digest) {
                let what = if first { "enrolled" } else { "renewed" };
                let entry = kept.entry(LogKind::Credential, LogSeverity::Low, success);
                found.push(with(entry, "ldevid", &[("what", what), ("certificate", &digest)]));
            }
        }
        let left = notes::waiting(&self.store);
        let (new, _) = kept.changes("notes", &left.keys().cloned().collect());
        for (name, mut entry) in left.iter().map(|(name, entry)| (name, entry.clone())) {
            if !new.contains(name) {
                continue;
            }
            if entry.time < clock::BUILT_AFTER.0 {
                // Left while the clock was not set: when it was taken says more.
                let now = kept.entry(entry.kind, entry.severity, entry.outcome);
                (entry.time, entry.boot) = (now.time, now.boot);
            }
            found.push(entry);
        }
        for entry in found {
            kept.push(entry, room)?;
        }
        // INVARIANT: an entry is on disk, with what it was made from, before anybody hears it.
        if self.device_log.kept.as_ref() != Some(&kept) {
            self.store.keep(RECORD, &kept)?;
            fault::point("device-log-written");
            self.device_log.kept = Some(kept);
        }
        // What is in the log may go: a second look would know its name.
        notes::taken(&self.store, left.keys());
        self.device_log.began = false;
        Ok(())
    }

    /// Tells the platform what waits, the oldest first.
    pub(crate) fn tell_log(&mut self, line: &mut Line<'_>) -> Result<(), Failure> {
        if self.config.device_log.is_none() {
            return Ok(());
        }
        for _ in 0..GO_MAX {
            let Some(mut kept) = self.device_log.kept.clone() else { break };
            let (count, segment) = kept.segment()?;
            if count == 0 {
                break;
            }
            fault::point("before-device-log");
            let saying = Saying {
                topic: "up/log",
                media_type: "application/cbor",
                payload: &segment,
                sample: None,
            };
            let taken = self.say(line, &saying)?;
            fault::point("after-device-log");
            kept.let_go(count)?;
            match taken {
                Taken::Kept => kept.dropped = 0,
                // It will never be taken: what follows is told with a gap before it.
                Taken::Never(why) => {
                    log::warning("platform-unknown", &why);
                    let lost = u64::try_from(count).unwrap_or(u64::MAX);
                    kept.dropped = kept.dropped.saturating_add(lost);
                }
            }
            self.store.keep(RECORD, &kept)?;
            self.device_log.kept = Some(kept);
        }
        Ok(())
    }
}

/// Where the log stands, for people.
///
/// # Errors
/// `state-damaged`.
pub(crate) fn shown(store: &Store) -> Result<serde_json::Value, Failure> {
    let kept: Option<Kept> = store.record(RECORD)?;
    Ok(kept.map_or(serde_json::Value::Null, |kept| {
        serde_json::json!({
            "log": kept.log,
            "entries": kept.last.sequence,
            "hash": kept.last.hash,
            "waiting": kept.waiting.len(),
            "dropped": kept.dropped,
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use admission::device_log::LogSegment;

    fn empty() -> (tempfile::TempDir, Kept) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state")).unwrap();
        let kept = DeviceLog::open(&store).unwrap().kept.unwrap();
        (dir, kept)
    }

    #[test]
    fn the_oldest_give_way_and_segments_follow_each_other() {
        let (_dir, mut kept) = empty();
        for number in 0..300 {
            let text = format!("{number:064}");
            let entry = kept.entry(LogKind::Command, LogSeverity::Low, LogOutcome::Success);
            kept.push(with(entry, &text, &[("a", &text), ("b", &text)]), 200).unwrap();
        }
        assert_eq!((kept.waiting.len(), kept.dropped, kept.last.sequence), (200, 100, 300));
        let (mut next, mut segments) = (101, 0);
        while !kept.waiting.is_empty() {
            let (count, bytes) = kept.segment().unwrap();
            let segment = LogSegment::decode(&bytes).unwrap();
            assert_eq!(segment.before.sequence + 1, next);
            assert_eq!(segment.dropped, if next == 101 { 100 } else { 0 });
            assert_eq!(segment.entries.len(), count);
            kept.let_go(count).unwrap();
            kept.dropped = 0;
            assert_eq!(segment.place(count), kept.before.place().unwrap());
            next += count as u64;
            segments += 1;
        }
        assert_eq!((next, kept.before.clone()), (301, kept.last.clone()));
        assert!(segments > 200 / SEGMENT_ENTRIES_MAX, "the bytes are what limits them here");
    }

    #[test]
    fn what_was_looked_at_is_no_news() {
        let (_dir, mut kept) = empty();
        assert!(kept.is_news("start", "a") && !kept.is_news("start", "a"));
        assert!(kept.is_news("start", "b"));
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(kept.changes("tamper", &set(&["lid"])), (vec!["lid".into()], vec![]));
        let both = kept.changes("tamper", &set(&["door"]));
        assert_eq!(both, (vec!["door".into()], vec!["lid".into()]));
        assert_eq!(kept.changes("tamper", &set(&["door"])), (vec![], vec![]));
    }
}
