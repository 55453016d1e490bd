//! `tegata device log`: what a device told of itself, checked here.

use crate::{output::Output, remote::Remote};
use admission::device_log::{KeptEntry, LogPlace, LogSegment, follow};
use anyhow::{Context as _, bail};
use api::wire::{DeviceLogEntry, DeviceLogStretch};
use audit::Text;
use device::DeviceId;
use serde::Serialize;
use std::{collections::BTreeMap, path::PathBuf};

/// Longest list of details in a table, in characters.
const SHOWN: usize = 60;

/// How often a log is asked for again that went on meanwhile.
const AGAIN_MAX: u32 = 4;

/// A log with what was found in it.
#[derive(Serialize)]
struct Checked<'a> {
    /// what came last first
    entries: &'a [DeviceLogEntry],
    /// the newest first
    stretches: &'a [DeviceLogStretch],
    /// whether every entry that is kept follows from those before it
    intact: bool,
    /// numbers that were not heard, of each log
    missing: Vec<Missing>,
}

/// Entries that were not heard.
#[derive(Serialize, PartialEq, Eq, Debug)]
struct Missing {
    log: String,
    from: u64,
    to: u64,
}

/// Runs `tegata device log`.
pub async fn list(remote: &Remote, device: DeviceId, output: Output) -> anyhow::Result<()> {
    let base = format!("/v1/devices/{device}/log");
    let mut again = AGAIN_MAX;
    let (entries, stretches) = loop {
        let entries: Vec<DeviceLogEntry> = remote.all(&format!("{base}?limit=1000")).await?;
        // Asked for afterwards: of every entry the stretch is known.
        let stretches: Vec<DeviceLogStretch> = remote.get(&format!("{base}/stretches")).await?;
        if again == 0 || !grew(&stretches, &entries) {
            break (entries, stretches);
        }
        again = again.saturating_sub(1);
    };
    let broken: Vec<String> =
        stretches.iter().filter_map(|stretch| broken(stretch, &entries)).collect();
    let checked = Checked {
        entries: &entries,
        stretches: &stretches,
        intact: broken.is_empty(),
        missing: missing(&stretches),
    };
    if output.json {
        output.line(&serde_json::to_string(&checked)?)?;
    } else {
        output.list(
            &entries,
            &["number", "device time", "what", "how", "outcome", "who", "more"],
            row,
        )?;
    }
    for stretch in stretches.iter().rev() {
        if let Some(text) = mark(stretch) {
            eprintln!("{text}");
        }
    }
    for gap in &checked.missing {
        eprintln!("missing: entries {} to {} of log {}", gap.from, gap.to, gap.log);
    }
    if !checked.intact {
        bail!(
            "the log is not what it was when it came: {}; compare with the audit log: tegata audit \
             list",
            broken.join("; ")
        );
    }
    eprintln!("{} entries, each follows from the one before it", entries.len());
    Ok(())
}

/// A segment as a file has it.
#[derive(Serialize)]
struct Segment {
    file: String,
    /// whether it is one
    read: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<u64>,
    /// entries right before the first that the device gave up
    dropped: u64,
    /// hash of the last entry
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    bytes: usize,
    entries: Vec<Told>,
}

/// An entry as a file has it.
#[derive(Serialize)]
struct Told {
    time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    boot: Option<u32>,
    kind: &'static str,
    severity: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    details: BTreeMap<String, String>,
}

/// Runs `tegata device read-log`: for who writes the device's side.
pub fn read(files: &[PathBuf], output: Output) -> anyhow::Result<()> {
    let mut segments = Vec::new();
    for file in files {
        let bytes =
            std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        segments.push(segment(file.display().to_string(), &bytes));
    }
    let head = ["file", "bytes", "log", "first", "entries", "dropped", "hash or what is wrong"];
    output.list(&segments, &head, |it| {
        vec![
            it.file.clone(),
            it.bytes.to_string(),
            it.log.clone().unwrap_or_default(),
            it.first.map(|first| first.to_string()).unwrap_or_default(),
            it.entries.len().to_string(),
            it.dropped.to_string(),
            it.hash.clone().or_else(|| it.problem.clone()).unwrap_or_default(),
        ]
    })?;
    let wrong = segments.iter().filter(|it| !it.read).count();
    if wrong > 0 {
        bail!(
            "{wrong} of {} files hold no segment; docs/device-log.md says what one is",
            files.len()
        );
    }
    Ok(())
}

fn segment(file: String, bytes: &[u8]) -> Segment {
    let nothing = Segment {
        file,
        read: false,
        problem: None,
        log: None,
        first: None,
        dropped: 0,
        hash: None,
        bytes: bytes.len(),
        entries: Vec::new(),
    };
    match LogSegment::decode(bytes) {
        Err(error) => Segment { problem: Some(error.to_string()), ..nothing },
        Ok(read) => Segment {
            read: true,
            log: Some(read.log.to_string()),
            first: Some(read.before.sequence.saturating_add(1)),
            dropped: read.dropped,
            hash: Some(read.place(read.entries.len()).hash.to_string()),
            entries: read
                .entries
                .into_iter()
                .map(|it| Told {
                    time: it.entry.time,
                    boot: it.entry.boot,
                    kind: it.entry.kind.name(),
                    severity: it.entry.severity.name(),
                    outcome: it.entry.outcome.name(),
                    actor: it.entry.actor,
                    subject: it.entry.subject,
                    details: it.entry.details,
                })
                .collect(),
            ..nothing
        },
    }
}

/// Whether a stretch went on after its entries were read.
fn grew(stretches: &[DeviceLogStretch], entries: &[DeviceLogEntry]) -> bool {
    stretches.iter().any(|stretch| {
        let own = entries.iter().filter(|entry| entry.stretch == stretch.id);
        stretch.kept > 0 && own.map(|entry| entry.sequence).max() < Some(stretch.last)
    })
}

/// The entry of a stretch that does not follow, by our own reckoning or by the platform's.
fn broken(stretch: &DeviceLogStretch, entries: &[DeviceLogEntry]) -> Option<String> {
    let mut own: Vec<&DeviceLogEntry> = entries
        .iter()
        .filter(|entry| entry.stretch == stretch.id && entry.sequence <= stretch.last)
        .collect();
    own.sort_by_key(|entry| entry.sequence);
    let before = LogPlace {
        sequence: stretch.first.saturating_sub(1),
        hash: stretch.hash_before.0,
        time: stretch.time_before,
    };
    let whole = own.first().is_some_and(|entry| entry.sequence == stretch.first);
    let kept = own.iter().map(|entry| KeptEntry {
        sequence: entry.sequence,
        hash: &entry.hash.0,
        time: entry.time,
        bytes: &entry.entry.0,
    });
    let at = match follow(whole.then_some(before), kept) {
        Err(at) => Some(at),
        Ok(Some(last)) if last.hash != stretch.hash.0 => Some(stretch.last),
        Ok(_) => stretch.broken_at,
    };
    at.map(|at| format!("entry {at} of log {}", stretch.log))
}

/// What the beginning of a stretch says.
fn mark(stretch: &DeviceLogStretch) -> Option<String> {
    let (first, log) = (stretch.first, &stretch.log);
    match stretch.because.as_str() {
        "fork" => Some(format!("changed: other entries than before from {first} on, log {log}")),
        "restart" => Some(format!("restart: the device began another log, {log}")),
        "gap" | "first" if stretch.missing > 0 => Some(format!(
            "gap: {} entries before {first} were not heard when it came; the device says that it dropped \
             {}",
            stretch.missing, stretch.declared
        )),
        _ => None,
    }
}

/// What is missing still: what came late is not.
fn missing(stretches: &[DeviceLogStretch]) -> Vec<Missing> {
    let mut logs: Vec<&str> = stretches.iter().map(|it| it.log.as_str()).collect();
    logs.sort_unstable();
    logs.dedup();
    let mut missing = Vec::new();
    for log in logs {
        let mut own: Vec<_> = stretches.iter().filter(|it| it.log == log).collect();
        own.sort_by_key(|it| it.first);
        // Under a former owner the log may have begun earlier.
        let begins = own.first().map_or(1, |it| match it.because.as_str() {
            "owner" => it.first,
            _ => it.first.saturating_sub(it.missing),
        });
        let mut next = begins;
        for stretch in own {
            if stretch.first > next {
                let (from, to) = (next, stretch.first.saturating_sub(1));
                missing.push(Missing { log: log.to_owned(), from, to });
            }
            next = next.max(stretch.last.saturating_add(1));
        }
    }
    missing
}

/// What a device says must neither write on the terminal nor turn its direction.
fn clean(text: &str) -> String {
    Text::new(text).as_str().to_owned()
}

fn row(entry: &DeviceLogEntry) -> Vec<String> {
    let time = match (&entry.at, entry.boot) {
        (Some(at), _) => at.to_string(),
        (None, boot) => format!("start {} + {} s", boot.unwrap_or(0), entry.time),
    };
    let who = [entry.actor.as_deref(), entry.subject.as_deref()];
    let more: Vec<String> =
        entry.details.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let clean = |text: &str| clean(&text.chars().take(SHOWN).collect::<String>());
    vec![
        entry.sequence.to_string(),
        time,
        entry.kind.clone(),
        entry.severity.clone(),
        entry.outcome.clone(),
        clean(&who.iter().flatten().copied().collect::<Vec<_>>().join(" → ")),
        clean(&more.join(", ")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::wire::scalar::{Digest, Timestamp};

    fn stretch(log: &str, because: &str, first: u64, last: u64, missing: u64) -> DeviceLogStretch {
        let hash = Digest(crypto::sha256(b"x"));
        DeviceLogStretch {
            id: first,
            log: log.into(),
            because: because.into(),
            first,
            hash_before: hash,
            time_before: 0,
            last,
            hash,
            missing,
            declared: 0,
            began: Timestamp(crypto::UnixTime(0)),
            kept: 0,
            broken_at: None,
        }
    }

    #[test]
    fn a_log_that_went_on_meanwhile_is_asked_for_again() {
        let one = stretch("a", "first", 1, 2, 0);
        assert!(!grew(std::slice::from_ref(&one), &[]), "what is kept no more does not come");
        assert!(grew(&[DeviceLogStretch { kept: 2, ..one }], &[]));
    }

    #[test]
    fn what_a_device_says_does_not_turn_the_direction() {
        assert_eq!(clean("a\u{202e}b\u{2066}\u{1b}"), "a\u{fffd}b\u{fffd}\u{fffd}");
    }

    #[test]
    fn what_came_late_is_not_missing() {
        let check = |stretches: &[DeviceLogStretch], expected: &[(u64, u64)]| {
            let found: Vec<_> = missing(stretches).iter().map(|it| (it.from, it.to)).collect();
            assert_eq!(found, expected);
        };
        let (first, gap) = (stretch("a", "first", 3, 9, 2), stretch("a", "gap", 20, 30, 10));
        check(&[gap.clone(), first.clone()], &[(1, 2), (10, 19)]);
        let late = stretch("a", "late", 12, 19, 2);
        check(&[late, gap, first], &[(1, 2), (10, 11)]);
        check(&[stretch("a", "owner", 7, 9, 0), stretch("b", "restart", 1, 2, 0)], &[]);
        check(&[stretch("a", "fork", 5, 8, 0), stretch("a", "first", 1, 6, 0)], &[]);
    }
}
