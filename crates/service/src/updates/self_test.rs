//! What a device found when it tested itself (AT-2): kept, shown to who reads the device, and a security
//! event where it failed. docs/agent.md.

use crate::{
    Service, ServiceError,
    store::{
        device::DeviceRow,
        form::{self as store, SelfTestRow},
    },
};
use crypto::UnixTime;
use device::{DeviceId, Evidence, Layer, Reason, ReasonCode};
use policy::{Action, Caller};
use serde::{Deserialize, Serialize};

/// Most tests of a device.
pub const SELF_TESTS_MAX: usize = 16;
/// Longest name of a test and code, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// Longest detail, in characters.
const DETAIL_CHARS_MAX: usize = 500;
/// How old the last word may be before the same is written anew, in seconds.
const HEARD_S: i64 = 86_400;

/// Security events about self-tests of one device in [`TOLD_S`]: the log is its owner's, and for ever.
const TOLD_MAX: u32 = 6;
/// An hour, in seconds.
const TOLD_S: i64 = 3_600;

/// What follows from one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SelfTestOutcome {
    /// it passed
    Pass,
    /// the device goes on, and says so
    Warn,
    /// the device waits until it is mended
    Wait,
    /// the device does nothing any more
    Stop,
}

impl SelfTestOutcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Pass, Self::Warn, Self::Wait, Self::Stop];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Wait => "wait",
            Self::Stop => "stop",
        }
    }

    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// Whether the device cannot do its work.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Wait | Self::Stop)
    }
}

/// One test of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfTestFinding {
    /// which test: `program`, `algorithms`, `configuration`, `state`, `clock` of our agent
    pub test: String,
    /// what follows
    pub outcome: SelfTestOutcome,
    /// stable code of the device's program
    pub code: String,
    /// in words
    pub detail: String,
}

/// What a device said last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfTestView {
    /// no test failed
    pub passed: bool,
    /// when the device said so; the same said again is taken down once a day
    pub heard_at: UnixTime,
    /// each test
    pub findings: Vec<SelfTestFinding>,
}

impl Service {
    /// A device says what it found when it tested itself; whether no test failed. A device that fails is
    /// given nothing to install.
    ///
    /// # Errors
    /// `self-test`, `not-found`, `role`.
    pub async fn hear_self_test(
        &self,
        caller: &Caller,
        findings: Vec<SelfTestFinding>,
    ) -> Result<bool, ServiceError> {
        let device = self.updating_device(caller)?;
        let Caller::Device { device: id, .. } = caller else {
            return Err(ServiceError::not_found("device"));
        };
        let findings = check(findings)?;
        let passed = !findings.iter().any(|one| one.outcome.is_failure());
        let now = self.now();
        let before = self.read(|connection| store::self_test(connection, device.id))?;
        let owner = device.owner;
        let first = Heard::of(before, owner, &findings, now)?;
        if !first.news && !first.old && !first.tells {
            return Ok(passed);
        }
        let outcome = if passed { audit::Outcome::Success } else { audit::Outcome::Failure };
        let codes: Vec<String> = findings
            .iter()
            .filter(|one| one.outcome.is_failure())
            .map(|one| format!("{}: {}", one.test, one.code))
            .collect();
        let mut event = self
            .event(caller, audit::Kind::DeviceStanding, outcome)
            .subject(&id.to_string())
            .detail("what", if passed { "self-test-passed" } else { "self-test-failed" })
            .organisation(self.organisation_id(owner)?.as_str());
        if !passed {
            event = event.severity(audit::Severity::High).detail("tests", &codes.join(", "));
        }
        let text = serde_json::to_string(&findings).unwrap_or_default();
        self.commit(move |tx| {
            // Looked at again: a device may say many things at once.
            let heard = Heard::of(store::self_test(tx, device.id)?, owner, &findings, now)?;
            let told = heard.told.saturating_add(u32::from(heard.tells));
            let row = SelfTestRow {
                owner,
                passed,
                findings: text,
                heard_at: now,
                told_from: heard.told_from,
                told,
                untold: heard.to_tell && !heard.tells,
            };
            store::set_self_test(tx, device.id, &row)?;
            if heard.tells {
                tx.audit(&event)?;
            }
            Ok(())
        })
        .await?;
        Ok(passed)
    }

    /// What a device said last about itself, to its present owner and whoever else reads the device.
    ///
    /// # Errors
    /// `not-found` also where it said nothing, `role`.
    pub async fn self_test(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<SelfTestView, ServiceError> {
        let known = self.device_for(caller, Action::ReadDevice, device)?;
        let row = self.read(|connection| store::self_test(connection, known.row.id))?;
        // What it said to another owner is not this one's.
        let row = crate::live::found(row.filter(|row| row.owner == known.row.owner), "self-test")?;
        Ok(SelfTestView {
            passed: row.passed,
            heard_at: row.heard_at,
            findings: read(&row.findings)?,
        })
    }
}

impl Service {
    /// What counts in a verdict of what a device said of itself, under its present owner: that it found
    /// itself unfit, that it is fed old metadata.
    pub(crate) fn said_of_itself(&self, device: &DeviceRow) -> Result<Vec<Reason>, ServiceError> {
        let mut reasons = Vec::new();
        let row = self.read(|connection| store::self_test(connection, device.id))?;
        if let Some(row) = row.filter(|row| row.owner == device.owner && !row.passed) {
            let failed: Vec<SelfTestFinding> = read(&row.findings)?
                .into_iter()
                .filter(|finding| finding.outcome.is_failure())
                .collect();
            let words = failed.iter().map(|one| {
                Evidence::Detail(format!("{} ({}): {}", one.test, one.code, one.detail))
            });
            let evidence = words.collect();
            reasons.push(Reason::new(ReasonCode::SelfTestFailed, Layer::Firmware, evidence));
        }
        for frozen in self.frozen_of(device.id, device.owner)? {
            let role = if frozen.director { "director" } else { "image repository" };
            let words = format!(
                "{role} of {}: it sees version {} of the timestamp, though there is a newer one since \
                 {} (Unix time)",
                frozen.organisation, frozen.version, frozen.behind_since.0
            );
            let count = Evidence::Count { found: frozen.version, expected: frozen.newest };
            let evidence = vec![count, Evidence::Detail(words)];
            reasons.push(Reason::new(ReasonCode::MetadataFrozen, Layer::Firmware, evidence));
        }
        Ok(reasons)
    }
}

/// What is new in what a device says of itself.
struct Heard {
    /// it said something else before
    news: bool,
    /// the same was taken down long ago
    old: bool,
    /// an event should say so
    to_tell: bool,
    /// an event says so
    tells: bool,
    told_from: UnixTime,
    told: u32,
}

impl Heard {
    fn of(
        before: Option<SelfTestRow>,
        owner: i64,
        findings: &[SelfTestFinding],
        now: UnixTime,
    ) -> Result<Self, ServiceError> {
        // Events are counted by the device, whoever owns it.
        let (told_from, told) = match &before {
            Some(row) if (0..TOLD_S).contains(&now.since(row.told_from)) => {
                (row.told_from, row.told)
            }
            _ => (now, 0),
        };
        let before = before.filter(|row| row.owner == owner);
        let gist = |findings: &[SelfTestFinding]| -> Vec<(String, SelfTestOutcome, String)> {
            findings.iter().map(|one| (one.test.clone(), one.outcome, one.code.clone())).collect()
        };
        let known = before.as_ref().map(|row| read(&row.findings)).transpose()?;
        let news = known.as_ref().is_none_or(|known| gist(known) != gist(findings));
        let old = before.as_ref().is_none_or(|row| now.since(row.heard_at) >= HEARD_S);
        let failed = findings.iter().any(|one| one.outcome.is_failure());
        let failed_before = before.as_ref().is_some_and(|row| !row.passed);
        let untold = before.as_ref().is_some_and(|row| row.untold);
        // Only what changes is told: a device that stays broken is one event.
        let to_tell = untold || (news && (failed || failed_before));
        Ok(Self { news, old, to_tell, tells: to_tell && told < TOLD_MAX, told_from, told })
    }
}

fn check(findings: Vec<SelfTestFinding>) -> Result<Vec<SelfTestFinding>, ServiceError> {
    let name = |text: &str| {
        (1..=NAME_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let mut names: Vec<&str> = findings.iter().map(|one| one.test.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let good = (1..=SELF_TESTS_MAX).contains(&findings.len())
        && names.len() == findings.len()
        && findings.iter().all(|one| name(&one.test) && name(&one.code));
    if !good {
        return Err(ServiceError::malformed(
            "self-test",
            "a device reports 1 to 16 tests, each once; names and codes have 1 to 64 small letters, \
             digits and -",
        ));
    }
    let plain = |text: String| -> String {
        let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        shown.take(DETAIL_CHARS_MAX).collect()
    };
    Ok(findings
        .into_iter()
        .map(|one| SelfTestFinding { detail: plain(one.detail), ..one })
        .collect())
}

fn read(text: &str) -> Result<Vec<SelfTestFinding>, ServiceError> {
    serde_json::from_str(text)
        .map_err(|_| ServiceError::fatal("store-damaged", "a self-test's row is damaged"))
}
