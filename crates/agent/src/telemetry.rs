//! Telemetry: what configured sources say, published to the device's own topics (GW-8). Kept on disk
//! until the platform has taken it; where there is no room the oldest go, and are counted.
//! docs/agent.md.

use crate::{
    Agent, Failure, clock,
    commands::{Line, Saying, Taken},
    config::{Source, SourceKind},
    fault, files, hooks, log,
    store::Store,
};
use crypto::UnixTime;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{collections::VecDeque, path::Path};

const RECORD: &str = "telemetry";
/// The record of counters of what was signed: apart from what waits, which is longer, and which a former
/// program reads that does not sign.
const NUMBERED: &str = "numbered";
/// Longest value, in characters.
const VALUE_CHARS_MAX: usize = 1000;
/// Longest file of a source, in bytes.
const FILE_BYTES_MAX: u64 = 4096;
/// Messages in one go: what else waits must not wait for all of them.
const GO_MAX: usize = 200;
/// How far behind the newest that was answered a counter is used again: the platform knows 128.
const BEHIND_MAX: u64 = 64;

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    counter: u64,
    source: String,
    at: i64,
    value: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// counter of the next message: one that was used is never used again
    next: u64,
    /// messages that gave way, ever
    dropped: u64,
    waiting: VecDeque<Sample>,
}

/// What was signed. Further members are for later versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Numbered {
    /// above every counter that was used
    next: u64,
    /// the highest counter that the platform answered to
    answered: u64,
    /// the sample that was signed last, by its own number, and the counter that it was signed with: said again
    /// because its answer was lost, it is the same message. Those before it are over.
    sample: Option<(u64, u64)>,
}

/// What waits, and when each source is to be asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Telemetry {
    kept: Kept,
    numbered: Numbered,
    /// by source: when it was asked, in seconds since the machine started
    asked_s: Vec<Option<u64>>,
}

impl Telemetry {
    /// Reads what waits.
    ///
    /// # Errors
    /// `state-damaged`.
    pub(crate) fn open(store: &Store, now: UnixTime) -> Result<Self, Failure> {
        let kept: Option<Kept> = store.record(RECORD)?;
        // A device that lost its state must not count from the beginning again: the platform would
        // take everything for a replay.
        let next = u64::try_from(now.0).unwrap_or(1);
        let mut kept = kept.unwrap_or(Kept { next, ..Kept::default() });
        let numbered: Numbered = store.record(NUMBERED)?.unwrap_or_default();
        if let Some((signed, _)) = numbered.sample {
            kept.waiting.retain(|one| one.counter >= signed);
        }
        Ok(Self { kept, numbered, asked_s: Vec::new() })
    }

    /// Above every counter that was used: samples and what is signed count in one row.
    fn next(&self) -> u64 {
        self.kept.next.max(self.numbered.next)
    }

    /// The counter of a signed message: the next of the row, or the one that a sample was signed with before.
    ///
    /// # Errors
    /// `state-write`, `disk-full`.
    pub(crate) fn number(&mut self, store: &Store, sample: Option<u64>) -> Result<u64, Failure> {
        let mut numbered = self.numbered;
        if let Some((known, counter)) = numbered.sample
            && sample == Some(known)
            && numbered.answered.saturating_sub(counter) <= BEHIND_MAX
        {
            return Ok(counter);
        }
        let counter = self.next();
        numbered.next = counter.saturating_add(1);
        if let Some(sample) = sample {
            numbered.sample = Some((sample, counter));
        }
        store.keep(NUMBERED, &numbered)?;
        self.numbered = numbered;
        Ok(counter)
    }

    /// The platform answered to a counter. That is kept with the next one.
    pub(crate) fn answered(&mut self, counter: u64) {
        self.numbered.answered = self.numbered.answered.max(counter);
    }

    fn due(&self, index: usize, every_s: u64, now_s: u64) -> u64 {
        let asked = self.asked_s.get(index).copied().flatten();
        asked.map_or(0, |asked| asked.saturating_add(every_s).saturating_sub(now_s))
    }

    fn push(&mut self, source: &str, value: Value, now: UnixTime, room: usize) {
        let counter = self.next();
        self.kept.next = counter.saturating_add(1);
        let sample = Sample { counter, source: source.to_owned(), at: now.0, value };
        self.kept.waiting.push_back(sample);
        while self.kept.waiting.len() > room {
            self.kept.waiting.pop_front();
            self.kept.dropped = self.kept.dropped.saturating_add(1);
        }
    }
}

impl Agent {
    /// Asks every source whose time has come, and keeps what it says.
    ///
    /// # Errors
    /// `state-write`, `disk-full`.
    pub(crate) fn sample(&mut self) -> Result<(), Failure> {
        let Some(config) = self.config.telemetry.clone() else { return Ok(()) };
        let mut telemetry = self.telemetry.clone();
        telemetry.asked_s.resize(config.sources.len(), None);
        for (index, source) in config.sources.iter().enumerate() {
            let now_s = clock::uptime_s();
            if telemetry.due(index, source.every_s, now_s) > 0 {
                continue;
            }
            if let Some(asked) = telemetry.asked_s.get_mut(index) {
                *asked = Some(now_s);
            }
            match read(source) {
                Ok(value) => telemetry.push(&source.name, value, clock::wall(), config.kept),
                Err(failure) => {
                    let detail = format!("source {}: {}", source.name, failure.detail);
                    log::warning(failure.code, &detail);
                }
            }
        }
        if telemetry.kept != self.telemetry.kept {
            // INVARIANT: a counter is on disk before anybody hears it.
            self.store.keep(RECORD, &telemetry.kept)?;
        }
        self.telemetry = telemetry;
        Ok(())
    }

    /// Seconds until a source is to be asked.
    pub(crate) fn next_sample_s(&self) -> Option<u64> {
        let config = self.config.telemetry.as_ref()?;
        let now_s = clock::uptime_s();
        let left = |(index, source): (usize, &Source)| {
            self.telemetry.due(index, source.every_s, now_s).max(1)
        };
        config.sources.iter().enumerate().map(left).min()
    }

    /// Tells the platform what waits, the oldest first.
    pub(crate) fn tell_telemetry(&mut self, line: &mut Line<'_>) -> Result<(), Failure> {
        if self.config.telemetry.is_none() {
            return Ok(());
        }
        let (mut gone, mut outcome) = (false, Ok(()));
        for _ in 0..GO_MAX {
            let kept = &self.telemetry.kept;
            let Some(sample) = kept.waiting.front().cloned() else { break };
            let payload = json!({
                "sequence": sample.counter,
                "at": sample.at,
                "value": sample.value,
                "dropped": kept.dropped,
            });
            let (topic, payload) = (format!("up/telemetry/{}", sample.source), payload.to_string());
            let saying = Saying {
                topic: &topic,
                media_type: "application/json",
                payload: payload.as_bytes(),
                sample: Some((sample.counter, UnixTime(sample.at))),
            };
            fault::point("before-telemetry");
            match self.say(line, &saying) {
                Ok(Taken::Kept) => {}
                // Heard before: the answer was lost. Or too old for what its owner set: gone.
                Ok(Taken::Never(why)) => log::warning("platform-unknown", &why),
                Err(failure) => {
                    outcome = Err(failure);
                    break;
                }
            }
            fault::point("after-telemetry");
            // Kept at the end: until then it is over by its own counter, or as one before what was signed last.
            self.telemetry.kept.waiting.pop_front();
            gone = true;
        }
        if gone {
            // What was signed counts for a program, too, that does not know of that record.
            self.telemetry.kept.next = self.telemetry.next();
            self.store.keep(RECORD, &self.telemetry.kept)?;
        }
        outcome
    }
}

fn read(source: &Source) -> Result<Value, Failure> {
    let text = match &source.kind {
        SourceKind::File(path) => file(path)?,
        SourceKind::Command(words, timeout_s) => {
            String::from_utf8_lossy(&hooks::call(words, &[], *timeout_s)?).into_owned()
        }
        SourceKind::Uptime => clock::uptime_s().to_string(),
        SourceKind::Load => {
            let text = file(Path::new("/proc/loadavg"))?;
            text.split(' ').next().unwrap_or_default().to_owned()
        }
        SourceKind::MemoryAvailable => {
            let text = file(Path::new("/proc/meminfo"))?;
            let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
            line.unwrap_or_default().trim().trim_end_matches(" kB").to_owned()
        }
    };
    Ok(value(&text))
}

fn file(path: &Path) -> Result<String, Failure> {
    let none = || Failure::unavailable("missing-file", format!("there is no {}", path.display()));
    let bytes = files::read(path, FILE_BYTES_MAX)?.ok_or_else(none)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A number where it is one, else a line of text.
fn value(text: &str) -> Value {
    let text = text.trim();
    if let Ok(number) = text.parse::<i64>() {
        return number.into();
    }
    if let Some(number) = text.parse::<f64>().ok().and_then(serde_json::Number::from_f64) {
        return Value::Number(number);
    }
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    Value::String(clean.take(VALUE_CHARS_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_on_disk_before_it_is_given_and_only_the_same_sample_has_it_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state")).unwrap();
        let open = || Telemetry::open(&store, UnixTime(1000)).unwrap();
        let mut telemetry = open();
        telemetry.push("x", 7.into(), UnixTime(1000), 3);
        assert_eq!(telemetry.number(&store, None), Ok(1001));
        assert_eq!(open().number(&store, None), Ok(1002), "a crash gives none twice");
        let mut telemetry = open();
        assert_eq!(telemetry.number(&store, Some(1000)), Ok(1003));
        assert_eq!(open().number(&store, Some(1000)), Ok(1003), "the answer was lost");
        assert_eq!(open().number(&store, Some(1001)), Ok(1004), "another sample");
        let mut telemetry = open();
        for more in 0..=BEHIND_MAX {
            telemetry.push("x", 7.into(), UnixTime(1000), 100);
            assert_eq!(telemetry.number(&store, None), Ok(1006 + 2 * more));
        }
        assert_eq!(telemetry.number(&store, Some(1001)), Ok(1004), "nobody heard those between");
        telemetry.answered(1004 + BEHIND_MAX);
        assert_eq!(telemetry.number(&store, Some(1001)), Ok(1004));
        telemetry.answered(1005 + BEHIND_MAX);
        let late = telemetry.number(&store, Some(1001)).unwrap();
        assert_eq!(late, 1007 + 2 * BEHIND_MAX, "the platform would not take the one that it had");
    }

    #[test]
    fn a_former_program_reads_what_waits_and_what_is_over_is_not_said_again() {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Former {
            next: u64,
            dropped: u64,
            waiting: VecDeque<Sample>,
        }
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state")).unwrap();
        let mut telemetry = Telemetry::open(&store, UnixTime(1000)).unwrap();
        for _ in 0..3 {
            telemetry.push("x", 7.into(), UnixTime(1000), 9);
        }
        store.keep(RECORD, &telemetry.kept).unwrap();
        for sample in 1000..1002 {
            telemetry.number(&store, Some(sample)).unwrap();
        }
        let former: Former = store.record(RECORD).unwrap().unwrap();
        assert_eq!((former.next, former.dropped, former.waiting.len()), (1003, 0, 3));
        // The first was over when the second was signed; then the program died.
        let mut telemetry = Telemetry::open(&store, UnixTime(1000)).unwrap();
        let waiting: Vec<_> = telemetry.kept.waiting.iter().map(|one| one.counter).collect();
        assert_eq!(waiting, [1001, 1002]);
        assert_eq!(telemetry.number(&store, Some(1001)), Ok(1004), "its answer was lost");
        telemetry.push("x", 7.into(), UnixTime(1000), 9);
        assert_eq!(telemetry.kept.next, 1006, "in one row with what was signed");
    }

    #[test]
    fn numbers_are_numbers_and_the_oldest_give_way() {
        assert_eq!(value(" 42\n"), json!(42));
        assert_eq!(value("-0.5"), json!(-0.5));
        assert_eq!(value("NaN"), json!("NaN"));
        assert_eq!(value("two\nlines"), json!("two lines"));
        let mut telemetry = Telemetry::default();
        for number in 0..7 {
            telemetry.push("x", number.into(), UnixTime(number), 3);
        }
        let values: Vec<_> = telemetry.kept.waiting.iter().map(|one| one.value.clone()).collect();
        assert_eq!((values, telemetry.kept.dropped), (vec![json!(4), json!(5), json!(6)], 4));
        assert_eq!(telemetry.kept.next, 7);
    }
}
