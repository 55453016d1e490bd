//! What the platform and the device say to each other about updates (docs/rest.md): `POST
//! /v1/update/poll` and `/v1/update/feedback`, JSON. The answer decides when and which target the
//! device asks its repositories for, and nothing about what may be trusted.

use crate::{
    Failure,
    engine::{Execution, Image, Report},
    net::{Call, Client},
    self_test::{Consequence, Finding},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// Longest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 256 * 1024;
/// Most files of an assignment.
const FILES_MAX: usize = 256;
/// Most repositories that an answer speaks of.
const KNOWN_MAX: usize = 64;
/// Longest pause that the platform may ask for, in seconds.
const PAUSE_S_MAX: u64 = 86_400;

/// Longest detail that the platform takes, in characters.
const DETAIL_CHARS_MAX: usize = 500;

/// Most tickets of a file, and longest ticket in base64.
const TICKETS_MAX: usize = 32;
const TICKET_CHARS_MAX: usize = 700;

const JSON: &str = "application/json";

/// What runs here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct Software<'a> {
    hardware_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release_counter: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    security_version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a str>,
    confirmed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    self_test: Vec<Tested<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    metadata: &'a [Seen],
}

/// The newest timestamp of a repository that was verified here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Seen {
    /// whose repository
    pub(crate) organisation: String,
    /// of its director, else of its image repository
    pub(crate) director: bool,
    /// version of the timestamp
    pub(crate) timestamp: u64,
    /// how long ago the newest one was asked for, in seconds
    pub(crate) asked_s: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Tested<'a> {
    test: &'a str,
    outcome: Consequence,
    code: &'a str,
    detail: String,
}

#[derive(Serialize)]
struct Stated {
    statement: String,
}

#[derive(Serialize)]
struct Said<'a> {
    action: u64,
    execution: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    installed: Option<Software<'a>>,
}

// Further members are for later versions of the platform: they are not looked at.
#[derive(Deserialize)]
struct RawAnswer {
    install: Option<RawInstall>,
    cancel: Option<u64>,
    next_poll_s: u64,
    #[serde(default)]
    metadata: Vec<Known>,
}

/// A version of a repository's timestamp that there is for certain.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Known {
    /// whose repository
    pub organisation: String,
    /// of its director, else of its image repository
    #[serde(default)]
    pub director: bool,
    /// version of the timestamp
    pub timestamp: u64,
}

#[derive(Deserialize)]
struct RawInstall {
    action: u64,
    purpose: String,
    #[serde(default)]
    artifacts: Vec<RawFile>,
    confirm_needed: bool,
    #[serde(default)]
    encryption_key_wanted: bool,
}

#[derive(Deserialize)]
struct RawFile {
    path: String,
    sha256: String,
    #[serde(default)]
    hardware_ids: Vec<String>,
    sealed: Option<RawSealing>,
    delta: Option<RawDelta>,
}

#[derive(Deserialize)]
struct RawSealing {
    #[serde(default)]
    tickets: Vec<String>,
}

#[derive(Deserialize)]
struct RawDelta {
    path: String,
    sha256: String,
    sealed: Option<RawSealing>,
}

/// The answer to a poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// what to do
    pub wanted: Wanted,
    /// seconds until the next one
    pub next_poll_s: u64,
    /// which timestamps there are: older ones are withheld from this device
    pub known: Vec<Known>,
}

/// What the platform wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// nothing
    Nothing,
    /// this action
    Install {
        /// its number
        action: String,
        /// path of the target and its SHA-256; `None` where nothing of it is for this hardware
        file: Option<(String, String)>,
        /// whether it leads back to the release before
        back: bool,
        /// whether somebody at the device must agree
        confirm_needed: bool,
        /// how the bytes may travel
        offered: Offered,
    },
    /// no more of this action
    Cancel {
        /// its number
        action: String,
    },
}

/// What comes with a file. Nothing of it is believed: tickets open or do not, and a delta must be signed
/// for like the file itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// base64 of tickets for the file
    pub tickets: Vec<String>,
    /// path and SHA-256 of a delta that makes it from what runs, and base64 of tickets for that
    pub delta: Option<(String, String, Vec<String>)>,
    /// the platform has no key of this device to seal for
    pub key_wanted: bool,
}

/// Asks what to do.
///
/// # Errors
/// `connection`, `tls`, `http`, `platform-refused`, `platform-answer`.
pub(crate) fn poll(
    client: &Client,
    hardware_id: &str,
    running: Option<&Image>,
    confirmed: bool,
    findings: &[Finding],
    seen: &[Seen],
) -> Result<Poll, Failure> {
    let said = Software {
        self_test: tested(findings),
        metadata: seen,
        ..software(hardware_id, running, confirmed)
    };
    let body = encode(&said)?;
    let answer = exchange(client, "/v1/update/poll", &body)?;
    read(&answer, hardware_id)
}

/// States the key that images are sealed for.
///
/// # Errors
/// As [`report`]; `platform-unknown` where the platform does not take it.
pub(crate) fn state_key(client: &Client, statement: &[u8]) -> Result<(), Failure> {
    let said = Stated { statement: STANDARD.encode(statement) };
    exchange(client, "/v1/update/encryption-key", &encode(&said)?).map(|_| ())
}

fn tested(findings: &[Finding]) -> Vec<Tested<'_>> {
    let said = findings.iter().map(|one| Tested {
        test: one.test,
        outcome: one.consequence,
        code: one.code,
        detail: one.detail.chars().take(DETAIL_CHARS_MAX).collect(),
    });
    said.collect()
}

/// Says what became of an action. `Ok` where the platform took it, or will never: another number,
/// another owner.
///
/// # Errors
/// `connection`, `tls`, `http`, `platform-refused`.
pub(crate) fn report(client: &Client, hardware_id: &str, report: &Report) -> Result<(), Failure> {
    let action = report.action.as_deref().and_then(|text| text.parse().ok());
    // A number that the platform never gave.
    let Some(action) = action else { return Ok(()) };
    let detail = match &report.code {
        Some(code) => format!("[{code}] {}", report.detail),
        None => report.detail.clone(),
    };
    let detail = detail.chars().take(DETAIL_CHARS_MAX).collect();
    let confirmed = !matches!(report.execution, Execution::Trying);
    let installed = report.running.as_ref();
    let said = Said {
        action,
        execution: execution(report.execution),
        detail,
        installed: installed.map(|image| software(hardware_id, Some(image), confirmed)),
    };
    match exchange(client, "/v1/update/feedback", &encode(&said)?) {
        Ok(_) => Ok(()),
        Err(failure) if failure.code == "platform-unknown" => {
            crate::log::warning(failure.code, &failure.detail);
            Ok(())
        }
        Err(failure) => Err(failure),
    }
}

fn software<'a>(hardware_id: &'a str, image: Option<&'a Image>, confirmed: bool) -> Software<'a> {
    Software {
        hardware_id,
        version: image.and_then(|image| image.version.as_deref()),
        release_counter: image.map(|image| image.release_counter),
        security_version: image.map(|image| image.security_version),
        digest: image.map(|image| image.sha256.as_str()),
        confirmed,
        self_test: Vec::new(),
        metadata: &[],
    }
}

/// The platform's word for it. It calls a success what was confirmed after a boot, as the device
/// does.
fn execution(execution: Execution) -> &'static str {
    match execution {
        Execution::Downloading => "downloading",
        Execution::Downloaded => "downloaded",
        Execution::Activated => "installed",
        Execution::Trying | Execution::HeldUp | Execution::CancelRejected => "proceeding",
        Execution::Success => "confirmed",
        Execution::Failure => "failed",
        Execution::Rejected => "rejected",
        Execution::Cancelled => "cancelled",
    }
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|error| Failure::fatal("platform-answer", error.to_string()))
}

fn exchange(client: &Client, path: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut connection = client.connect()?;
    let call = Call::post(path, JSON, body).with("Accept", JSON.to_owned());
    let mut reply = connection.send(&call)?;
    let answer = reply.all(ANSWER_BYTES_MAX)?;
    let status = reply.head.status;
    let words = || {
        let text = String::from_utf8_lossy(&answer);
        let start: String = text.chars().take(300).collect();
        format!("{path} answers {status}: {start}")
    };
    match status {
        200..=299 => Ok(answer),
        // It was understood, and will not be taken later either.
        400 | 404 | 409 | 410 | 422 => Err(Failure::refused("platform-unknown", words())),
        429 | 500..=599 => Err(Failure::unavailable("http-status", words())),
        _ => Err(Failure::refused("platform-refused", words())),
    }
}

/// Reads the answer to a poll.
///
/// # Errors
/// `platform-answer`.
pub fn read(answer: &[u8], hardware_id: &str) -> Result<Poll, Failure> {
    let bad = |why: &str| Failure::unavailable("platform-answer", format!("the answer {why}"));
    if u64::try_from(answer.len()).unwrap_or(u64::MAX) > ANSWER_BYTES_MAX {
        return Err(bad("is too long"));
    }
    let raw: RawAnswer =
        serde_json::from_slice(answer).map_err(|error| bad(&format!("cannot be read: {error}")))?;
    let wanted = match (raw.install, raw.cancel) {
        (None, None) => Wanted::Nothing,
        (None, Some(action)) => Wanted::Cancel { action: action.to_string() },
        (Some(_), Some(_)) => return Err(bad("wants two things at once")),
        (Some(install), None) => {
            if install.artifacts.len() > FILES_MAX {
                return Err(bad("has too many files"));
            }
            let ours = |file: &RawFile| {
                file.hardware_ids.is_empty() || file.hardware_ids.iter().any(|id| id == hardware_id)
            };
            let mut files = install.artifacts.into_iter().filter(ours);
            let file = files.next();
            if files.next().is_some() {
                return Err(bad("has more than one file for this hardware; a slot takes one"));
            }
            let mut offered =
                Offered { key_wanted: install.encryption_key_wanted, ..Offered::default() };
            let file = match file {
                None => None,
                Some(RawFile { path, sha256, sealed, delta, .. }) => {
                    offered.tickets = tickets(sealed).ok_or_else(|| bad("has too many tickets"))?;
                    if let Some(RawDelta { path, sha256, sealed }) = delta {
                        let tickets = tickets(sealed).ok_or_else(|| bad("has too many tickets"))?;
                        offered.delta = Some((path, sha256.to_ascii_lowercase(), tickets));
                    }
                    Some((path, sha256.to_ascii_lowercase()))
                }
            };
            Wanted::Install {
                action: install.action.to_string(),
                offered,
                file,
                back: install.purpose == "roll-back",
                confirm_needed: install.confirm_needed,
            }
        }
    };
    if raw.metadata.len() > KNOWN_MAX {
        return Err(bad("speaks of too many repositories"));
    }
    let next_poll_s = raw.next_poll_s.clamp(1, PAUSE_S_MAX);
    Ok(Poll { wanted, next_poll_s, known: raw.metadata })
}

/// Tickets as they are kept with the plan; `None` where they are more or longer than they can be.
fn tickets(sealed: Option<RawSealing>) -> Option<Vec<String>> {
    let tickets = sealed.map(|sealed| sealed.tickets).unwrap_or_default();
    let fit = |ticket: &String| ticket.len() <= TICKET_CHARS_MAX;
    (tickets.len() <= TICKETS_MAX && tickets.iter().all(fit)).then_some(tickets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn answers_are_read() {
        let hash = "AB".repeat(32);
        let text = format!(
            r#"{{"install":{{"action":7,"campaign":"c","purpose":"update","release":"r","version":"2",
            "release_counter":2,"security_version":1,"artifacts":[{{"name":"f","path":"gate/f","sha256":"{hash}",
            "length":4,"hardware_ids":["gate-bg1"]}},{{"name":"g","path":"gate/g","sha256":"{hash}","length":4,
            "hardware_ids":["gate-bg2"]}}],"force":false,"confirm_needed":true,"deadline":"x"}},"next_poll_s":30}}"#
        );
        let file = Some(("gate/f".to_owned(), "ab".repeat(32)));
        let poll = read(text.as_bytes(), "gate-bg1").unwrap();
        assert_eq!(
            poll.wanted,
            Wanted::Install {
                action: "7".into(),
                file,
                back: false,
                confirm_needed: true,
                offered: Offered::default(),
            }
        );
        let none = read(text.as_bytes(), "gate-bg3").unwrap().wanted;
        assert!(matches!(none, Wanted::Install { file: None, .. }));
        let poll = read(br#"{"next_poll_s":0}"#, "x").unwrap();
        assert_eq!(poll, Poll { wanted: Wanted::Nothing, next_poll_s: 1, known: Vec::new() });
        let poll =
            read(br#"{"next_poll_s":9,"metadata":[{"organisation":"m","timestamp":7}]}"#, "x");
        let known = Known { organisation: "m".into(), director: false, timestamp: 7 };
        assert_eq!(poll.unwrap().known, [known]);
        let poll = read(br#"{"cancel":9,"next_poll_s":300,"later":[]}"#, "x").unwrap();
        assert_eq!(poll.wanted, Wanted::Cancel { action: "9".into() });
        for bad in ["", "[]", "{}", r#"{"next_poll_s":-1}"#, r#"{"cancel":"9","next_poll_s":1}"#] {
            assert_eq!(read(bad.as_bytes(), "x").unwrap_err().code, "platform-answer", "{bad}");
        }
    }

    #[test]
    fn tickets_and_deltas_are_read_within_limits() {
        let answer = |tickets: usize, length: usize| {
            let tickets = vec!["A".repeat(length); tickets];
            serde_json::json!({"next_poll_s": 1, "install": {"action": 7, "purpose": "update",
                "confirm_needed": false, "encryption_key_wanted": true, "artifacts": [{"path": "a",
                "sha256": "AB", "sealed": {"plain": {}, "tickets": tickets},
                "delta": {"path": "d", "sha256": "CD", "sealed": {"tickets": ["x"]}}}]}})
            .to_string()
        };
        let read = |tickets, length| read(answer(tickets, length).as_bytes(), "x");
        let Wanted::Install { offered, .. } = read(2, 5).unwrap().wanted else { panic!("install") };
        assert_eq!(offered.tickets, ["AAAAA", "AAAAA"]);
        assert_eq!(offered.delta, Some(("d".into(), "cd".into(), vec!["x".into()])));
        assert!(offered.key_wanted);
        for (tickets, length) in [(33, 1), (1, 701)] {
            assert_eq!(read(tickets, length).unwrap_err().code, "platform-answer");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes, "x");
        }
    }
}
