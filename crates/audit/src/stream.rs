//! Events on their way to a receiver, numbered within their stream, and the proof of what came there.
//!
//! A stream is the whole log, or the part of one organisation, from some place on. Its events are
//! numbered from 1 without gaps, so that a receiver sees what is missing, and an event that is sent
//! again has the number that it had before.

use crate::{SecurityEvent, ocsf};
use crypto::{Sha256, sha256};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Longest line that is looked at when what was received is read, in bytes.
pub const LINE_BYTES_MAX: usize = 256 * 1024;
/// Where in an OCSF object the place in the stream stands, below `unmapped`.
const MEMBER: &str = "tegata_stream";
/// Deepest nesting of a received object that is looked at; ours have five levels.
const DEPTH_MAX: u8 = 32;

/// The place of an event in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// name of the stream
    pub stream: &'a str,
    /// number within the stream, from 1
    pub number: u64,
    /// number within the chain of all events
    pub sequence: u64,
    /// hash of the chain up to the event
    pub hash: Sha256,
}

impl Record<'_> {
    /// The event as an OCSF object with its place: `unmapped.tegata_stream` has `name`, `number`,
    /// `sequence` and `hash`.
    pub fn object(&self, event: &SecurityEvent, version: &str) -> Value {
        let mut object = ocsf::event(event, self.sequence, version);
        if let Some(unmapped) = object.get_mut("unmapped").and_then(Value::as_object_mut) {
            unmapped.insert(
                MEMBER.to_owned(),
                json!({
                    "name": self.stream,
                    "number": self.number,
                    "sequence": self.sequence,
                    "hash": self.hash.to_string(),
                }),
            );
        }
        object
    }

    /// The same on one line.
    pub fn json(&self, event: &SecurityEvent, version: &str) -> String {
        self.object(event, version).to_string()
    }
}

/// What the log says that a receiver must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// number within the stream
    pub number: u64,
    /// digest of the object, from [`digest`]
    pub digest: Sha256,
}

/// Numbers from one to another, both included.
pub type Range = (u64, u64);

/// What came of holding what was received against the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciliation {
    /// events of the stream that were received, each counted once
    pub received: u64,
    /// events that the log says were delivered
    pub expected: u64,
    /// events that came more than once, the same each time
    pub repeated: u64,
    /// numbers that never came
    pub missing: Vec<Range>,
    /// numbers whose contents are not those of the log
    pub altered: Vec<u64>,
    /// numbers that the log does not have
    pub foreign: Vec<u64>,
    /// lines in which no event of the stream was found
    pub other_lines: u64,
}

impl Reconciliation {
    /// Whether everything came as it was sent.
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.altered.is_empty() && self.foreign.is_empty()
    }
}

/// Collects what a receiver has.
#[derive(Debug, Default)]
pub struct Received {
    stream: String,
    /// by number: digest, and whether another content came under the same number
    events: BTreeMap<u64, (Sha256, bool)>,
    repeated: u64,
    other_lines: u64,
}

impl Received {
    /// Nothing yet of the stream of this name.
    pub fn new(stream: &str) -> Self {
        Self { stream: stream.to_owned(), ..Self::default() }
    }

    /// Takes a line of what a receiver wrote: the object alone, or a syslog line that ends with it,
    /// whatever header the receiver put before it.
    pub fn line(&mut self, line: &[u8]) {
        match self.event(line) {
            None => self.other_lines += u64::from(!line.iter().all(u8::is_ascii_whitespace)),
            Some((number, digest)) => match self.events.get_mut(&number) {
                None => {
                    self.events.insert(number, (digest, false));
                }
                Some((known, differs)) => {
                    *differs |= *known != digest;
                    self.repeated += 1;
                }
            },
        }
    }

    fn event(&self, line: &[u8]) -> Option<(u64, Sha256)> {
        if line.len() > LINE_BYTES_MAX {
            return None;
        }
        let text = std::str::from_utf8(line).ok()?;
        // Structured data has no braces of ours, headers of receivers hardly: each is tried.
        text.match_indices('{').take(8).find_map(|(at, _)| {
            let rest = text.get(at..)?;
            let object =
                serde_json::Deserializer::from_str(rest).into_iter::<Value>().next()?.ok()?;
            let place = object.get("unmapped")?.get(MEMBER)?;
            let ours = place.get("name")?.as_str()? == self.stream;
            let number = place.get("number")?.as_u64()?;
            ours.then(|| (number, digest(&object)))
        })
    }

    /// Holds it against what the log says was delivered: all of it, in the order of its numbers.
    pub fn reconcile(mut self, log: impl IntoIterator<Item = Expected>) -> Reconciliation {
        let mut out = Reconciliation {
            received: u64::try_from(self.events.len()).unwrap_or(u64::MAX),
            repeated: self.repeated,
            other_lines: self.other_lines,
            ..Reconciliation::default()
        };
        for expected in log {
            out.expected += 1;
            match self.events.remove(&expected.number) {
                Some((digest, false)) if digest == expected.digest => {}
                Some(_) => out.altered.push(expected.number),
                None => match out.missing.last_mut() {
                    Some((_, last)) if last.checked_add(1) == Some(expected.number) => {
                        *last = expected.number;
                    }
                    _ => out.missing.push((expected.number, expected.number)),
                },
            }
        }
        out.foreign = self.events.into_keys().collect();
        out
    }
}

/// Digest of an OCSF object that does not depend on the order of members or on spaces, since receivers
/// write objects anew, nor on the version of the program that sent it.
pub fn digest(object: &Value) -> Sha256 {
    let mut object = object.clone();
    if let Some(product) = object.pointer_mut("/metadata/product").and_then(Value::as_object_mut) {
        product.remove("version");
    }
    let mut bytes = Vec::new();
    canonical(&object, 0, &mut bytes);
    sha256(&bytes)
}

fn canonical(value: &Value, depth: u8, out: &mut Vec<u8>) {
    match value {
        // Deeper than anything of ours: it cannot be equal to it.
        _ if depth > DEPTH_MAX => out.push(b'!'),
        Value::Object(members) => {
            let sorted: BTreeMap<_, _> = members.iter().collect();
            out.push(b'{');
            for (name, member) in sorted {
                out.extend_from_slice(Value::from(name.as_str()).to_string().as_bytes());
                out.push(b':');
                canonical(member, depth + 1, out);
                out.push(b',');
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for item in items {
                canonical(item, depth + 1, out);
                out.push(b',');
            }
            out.push(b']');
        }
        plain => out.extend_from_slice(plain.to_string().as_bytes()),
    }
}

/// The members of a report, for commands and doors.
impl From<&Reconciliation> for Map<String, Value> {
    fn from(of: &Reconciliation) -> Self {
        let mut map = Self::new();
        map.insert("whole".into(), of.is_whole().into());
        map.insert("expected".into(), of.expected.into());
        map.insert("received".into(), of.received.into());
        map.insert("repeated".into(), of.repeated.into());
        map.insert("missing".into(), json!(of.missing));
        map.insert("altered".into(), json!(of.altered));
        map.insert("foreign".into(), json!(of.foreign));
        map.insert("other_lines".into(), of.other_lines.into());
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, Outcome, syslog};
    use crypto::UnixTime;
    use proptest::prelude::*;

    fn event(n: u64) -> SecurityEvent {
        SecurityEvent::new(UnixTime(1_795_000_000), Kind::Authentication, Outcome::Failure)
            .organisation("maker-a")
            .actor("{\"x\"} \u{202e}")
            .detail("n", &n.to_string())
    }

    fn record(number: u64) -> Record<'static> {
        Record {
            stream: "siem",
            number,
            sequence: number + 10,
            hash: sha256(&number.to_be_bytes()),
        }
    }

    fn line(number: u64) -> String {
        record(number).json(&event(number), "0.1.0")
    }

    fn log(numbers: std::ops::RangeInclusive<u64>) -> Vec<Expected> {
        numbers
            .map(|number| Expected {
                number,
                digest: digest(&record(number).object(&event(number), "0.1.0")),
            })
            .collect()
    }

    fn syslog_line(number: u64) -> String {
        syslog::message(&event(number), &record(number), "log.example", &line(number))
    }

    #[test]
    fn a_message_has_the_form_of_rfc_5424() {
        let text = syslog_line(7);
        let head = format!(
            "<108>1 2026-11-18T09:46:40Z log.example tegata - authentication [tegata@32473 \
             stream=\"siem\" number=\"7\" sequence=\"17\" hash=\"{}\"] {{\"",
            record(7).hash
        );
        let at = event(7).at().to_string();
        assert!(text.starts_with(&head.replace("2026-11-18T09:46:40Z", &at)), "{text}");
        assert_eq!(syslog::frame("ab\u{e9}"), b"4 ab\xc3\xa9");
        assert!(!text.contains('\n'), "a frame is no line, but many receivers write lines");
    }

    #[test]
    fn what_is_missing_altered_or_foreign_is_found() {
        let mut received = Received::new("siem");
        for number in (1..=100).filter(|n| ![1, 50, 51, 52, 100].contains(n)) {
            let text = match number % 3 {
                0 => line(number),
                1 => syslog_line(number),
                _ => format!("Nov 21 20:00:00 host {{tag}} tegata: {}", line(number)),
            };
            let text = if number == 60 { text.replace("maker-a", "maker-b") } else { text };
            received.line(text.as_bytes());
        }
        received.line(line(7).as_bytes());
        received.line(line(200).as_bytes());
        received.line(b"something else");
        received.line(line(8).replace("\"siem\"", "\"other\"").as_bytes());
        let found = received.reconcile(log(1..=100));
        assert_eq!(found.missing, [(1, 1), (50, 52), (100, 100)]);
        assert_eq!((found.altered.as_slice(), found.foreign.as_slice()), (&[60][..], &[200][..]));
        assert_eq!((found.repeated, found.other_lines), (1, 2));
        assert_eq!((found.expected, found.received), (100, 96));
        assert!(!found.is_whole());
    }

    /// Whoever replaces an event and leaves the true one beside it does not hide behind it.
    #[test]
    fn two_contents_under_one_number_are_an_alteration() {
        let mut received = Received::new("siem");
        received.line(line(1).as_bytes());
        received.line(line(1).replace("failure", "success").as_bytes());
        assert_eq!(received.reconcile(log(1..=1)).altered, [1]);
    }

    #[test]
    fn receivers_may_write_objects_anew() {
        let mut received = Received::new("siem");
        received.line(record(1).json(&event(1), "0.0.9").as_bytes());
        let value: Value = serde_json::from_str(&line(1)).unwrap();
        received.line(format!("{value:#}").replace('\n', " ").as_bytes());
        assert!(received.reconcile(log(1..=1)).is_whole());
    }

    proptest! {
        #[test]
        fn no_line_panics_and_none_is_taken_for_another(bytes: Vec<u8>, text: String, at in 0_usize..400) {
            let mut received = Received::new("siem");
            received.line(&bytes);
            received.line(text.as_bytes());
            // One byte changed: another event, or none. The version of the program is not looked at.
            let whole = line(1);
            let mut changed = whole.clone().into_bytes();
            let at = at % changed.len();
            changed[at] ^= 1;
            received.line(&changed);
            let version = whole.find("0.1.0").unwrap();
            let found = received.reconcile(log(1..=1));
            prop_assert_eq!(found.is_whole(), (version..version + 5).contains(&at));
        }
    }
}
