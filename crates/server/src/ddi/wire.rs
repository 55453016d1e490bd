//! The documents of the DDI API v1, as hawkBit describes it and its clients read it. What clients send
//! is read in `update::ddi`.

use serde::Serialize;
use service::Assignment;
use std::collections::BTreeMap;

/// A link.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) href: String,
}

/// The base that a controller polls.
#[derive(Debug, Serialize)]
pub(super) struct Base {
    pub(super) config: Config,
    #[serde(rename = "_links")]
    pub(super) links: BTreeMap<&'static str, Link>,
}

#[derive(Debug, Serialize)]
pub(super) struct Config {
    pub(super) polling: Polling,
}

#[derive(Debug, Serialize)]
pub(super) struct Polling {
    /// `HH:MM:SS`
    pub(super) sleep: String,
}

impl Polling {
    /// An interval of so many seconds; the form ends below 24 hours.
    pub(super) fn every(seconds: u32) -> Self {
        let seconds = seconds.clamp(1, 86_399);
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        Self { sleep: format!("{hours:02}:{minutes:02}:{:02}", seconds % 60) }
    }
}

/// `deploymentBase/{actionId}`.
#[derive(Debug, Serialize)]
pub(super) struct DeploymentBase {
    pub(super) id: String,
    pub(super) deployment: Deployment,
}

/// `confirmationBase/{actionId}`.
#[derive(Debug, Serialize)]
pub(super) struct ConfirmationBase {
    pub(super) id: String,
    pub(super) confirmation: Deployment,
}

#[derive(Debug, Serialize)]
pub(super) struct Deployment {
    pub(super) download: &'static str,
    pub(super) update: &'static str,
    pub(super) chunks: Vec<Chunk>,
}

#[derive(Debug, Serialize)]
pub(super) struct Chunk {
    pub(super) part: &'static str,
    pub(super) version: String,
    pub(super) name: String,
    pub(super) artifacts: Vec<Artifact>,
}

#[derive(Debug, Serialize)]
pub(super) struct Artifact {
    pub(super) filename: String,
    pub(super) hashes: Hashes,
    pub(super) size: u64,
    #[serde(rename = "_links")]
    pub(super) links: BTreeMap<&'static str, Link>,
}

/// SHA-1 is there as a name that SWUpdate compares; nothing rests on it. MD5 is not computed at all.
#[derive(Debug, Serialize)]
pub(super) struct Hashes {
    pub(super) sha1: String,
    pub(super) sha256: String,
}

impl Deployment {
    /// What an assignment asks for, with its files behind `artifact(name)`.
    pub(super) fn of(assignment: &Assignment, artifact: impl Fn(&str) -> String) -> Self {
        let handling = if assignment.force { "forced" } else { "attempt" };
        let artifacts = assignment
            .artifacts
            .iter()
            .map(|file| Artifact {
                filename: file.name.clone(),
                hashes: Hashes { sha1: hex::encode(file.sha1), sha256: file.sha256.to_string() },
                size: file.length,
                links: BTreeMap::from([("download", Link { href: artifact(&file.name) })]),
            })
            .collect();
        Self {
            download: handling,
            update: handling,
            chunks: vec![Chunk {
                part: "os",
                version: assignment.version.clone(),
                name: assignment.release.to_string(),
                artifacts,
            }],
        }
    }
}

/// `cancelAction/{actionId}`.
#[derive(Debug, Serialize)]
pub(super) struct Cancel {
    pub(super) id: String,
    #[serde(rename = "cancelAction")]
    pub(super) cancel_action: Stop,
}

#[derive(Debug, Serialize)]
pub(super) struct Stop {
    #[serde(rename = "stopId")]
    pub(super) stop_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_two_digits_each_and_stay_below_a_day() {
        for (seconds, text) in [
            (0, "00:00:01"),
            (30, "00:00:30"),
            (300, "00:05:00"),
            (86_399, "23:59:59"),
            (u32::MAX, "23:59:59"),
        ] {
            assert_eq!(Polling::every(seconds).sleep, text);
        }
    }
}
