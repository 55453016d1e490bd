//! Expected against given.

use crate::output::table;
use api::wire::Verdict;
use device::{Outcome, ReasonCode};
use std::collections::BTreeMap;

/// A verdict as far as it is compared.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) outcome: Outcome,
    /// codes of reasons that weigh, heaviest first
    pub(super) codes: Vec<String>,
}

impl From<&Verdict> for Given {
    fn from(verdict: &Verdict) -> Self {
        let mut codes = Vec::new();
        for reason in verdict.reasons.iter().filter(|reason| reason.outcome.0 > Outcome::Genuine) {
            if !codes.contains(&reason.code) {
                codes.push(reason.code.clone());
            }
        }
        Self { outcome: verdict.outcome.0, codes }
    }
}

impl From<&device::Verdict> for Given {
    fn from(verdict: &device::Verdict) -> Self {
        Self::from(&Verdict::from(verdict))
    }
}

impl Given {
    fn text(&self) -> String {
        if self.codes.is_empty() {
            return self.outcome.to_string();
        }
        format!("{}: {}", self.outcome, self.codes.join(", "))
    }
}

/// What a verdict should be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    pub(super) outcome: Outcome,
    /// must be among the reasons
    pub(super) code: Option<ReasonCode>,
}

impl Expected {
    pub(super) const GENUINE: Self = Self { outcome: Outcome::Genuine, code: None };

    pub(super) const fn suspect(code: ReasonCode) -> Self {
        Self { outcome: Outcome::Suspect, code: Some(code) }
    }

    pub(super) const fn rejected(code: ReasonCode) -> Self {
        Self { outcome: Outcome::Rejected, code: Some(code) }
    }

    fn met_by(self, given: &Given) -> bool {
        given.outcome == self.outcome
            && self.code.is_none_or(|code| given.codes.iter().any(|name| name == code.name()))
    }

    fn text(self) -> String {
        match self.code {
            Some(code) => format!("{}: {code}", self.outcome),
            None => self.outcome.to_string(),
        }
    }
}

/// Whose row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// a genuine device
    Fleet,
    /// somebody tries something
    Attack,
}

/// One case: what was expected, and what the platform and an offline verifier said.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) part: Part,
    pub(super) device: String,
    pub(super) story: String,
    pub(super) expected: Expected,
    pub(super) online: Option<Given>,
    pub(super) offline: Option<Given>,
}

impl Row {
    pub(super) fn attack(
        device: device::DeviceId,
        story: impl Into<String>,
        expected: Expected,
    ) -> Self {
        Self {
            part: Part::Attack,
            device: device.to_string(),
            story: story.into(),
            expected,
            online: None,
            offline: None,
        }
    }

    pub(super) fn online(mut self, verdict: &Verdict) -> Self {
        self.online = Some(verdict.into());
        self
    }

    pub(super) fn offline(mut self, given: Given) -> Self {
        self.offline = Some(given);
        self
    }

    fn given(&self) -> impl Iterator<Item = &Given> {
        self.online.iter().chain(&self.offline)
    }

    /// Judged, and every time as expected.
    pub(super) fn right(&self) -> bool {
        self.given().count() > 0 && self.given().all(|given| self.expected.met_by(given))
    }
}

/// Something that must hold beside the verdicts.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) what: String,
    pub(super) expected: String,
    pub(super) given: String,
    pub(super) holds: bool,
}

impl Check {
    pub(super) fn new(
        what: impl Into<String>,
        expected: impl Into<String>,
        given: impl Into<String>,
        holds: bool,
    ) -> Self {
        Self { what: what.into(), expected: expected.into(), given: given.into(), holds }
    }
}

/// How often each reason was given; *genuine* counts those without one.
pub(super) fn reasons(rows: &[Row]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for row in rows {
        let mut codes: Vec<&str> = Vec::new();
        for given in row.given() {
            if given.outcome == Outcome::Genuine {
                codes.push("genuine");
            }
            codes.extend(given.codes.iter().map(String::as_str));
        }
        codes.sort_unstable();
        codes.dedup();
        for code in codes {
            *counts.entry(code.to_owned()).or_insert(0) += 1;
        }
    }
    counts
}

/// The rows of one part as a table.
pub(super) fn rows_table(rows: &[Row], part: Part) -> String {
    let head = ["", "device", "what", "expected", "platform says", "offline says"];
    let of_part = rows.iter().filter(|row| row.part == part);
    table(
        &head,
        of_part.map(|row| {
            let text = |given: &Option<Given>| {
                given.as_ref().map(Given::text).unwrap_or_else(|| "-".into())
            };
            vec![
                mark(row.right()),
                row.device.get(..8).unwrap_or(&row.device).to_owned(),
                row.story.clone(),
                row.expected.text(),
                text(&row.online),
                text(&row.offline),
            ]
        }),
    )
}

/// The checks as a table.
pub(super) fn checks_table(checks: &[Check]) -> String {
    table(
        &["", "what", "expected", "found"],
        checks.iter().map(|check| {
            vec![mark(check.holds), check.what.clone(), check.expected.clone(), check.given.clone()]
        }),
    )
}

fn mark(right: bool) -> String {
    if right { "ok" } else { "WRONG" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(expected: Expected, online: Option<Given>, offline: Option<Given>) -> Row {
        let id = device::DeviceId::from_bytes([1; 16]);
        Row { online, offline, ..Row::attack(id, "story", expected) }
    }

    fn given(outcome: Outcome, codes: &[&str]) -> Option<Given> {
        Some(Given { outcome, codes: codes.iter().map(|&code| code.to_owned()).collect() })
    }

    #[test]
    fn a_row_is_right_only_where_every_verdict_is() {
        let revoked = Expected::rejected(ReasonCode::Revoked);
        let check = |expected, online, offline, right| {
            assert_eq!(row(expected, online, offline).right(), right);
        };
        check(revoked, given(Outcome::Rejected, &["revoked", "expired"]), None, true);
        check(revoked, given(Outcome::Rejected, &["expired"]), None, false);
        check(revoked, given(Outcome::Suspect, &["revoked"]), None, false);
        check(revoked, None, None, false);
        check(Expected::GENUINE, given(Outcome::Genuine, &[]), given(Outcome::Genuine, &[]), true);
        let late = given(Outcome::Suspect, &["stale-evidence"]);
        check(Expected::GENUINE, given(Outcome::Genuine, &[]), late, false);
    }

    #[test]
    fn reasons_are_counted_once_for_each_row() {
        let both = row(
            Expected::rejected(ReasonCode::Revoked),
            given(Outcome::Rejected, &["revoked"]),
            given(Outcome::Rejected, &["revoked"]),
        );
        let fine = row(Expected::GENUINE, given(Outcome::Genuine, &[]), None);
        let counts = reasons(&[both, fine.clone(), fine]);
        assert_eq!(counts.get("revoked"), Some(&1));
        assert_eq!(counts.get("genuine"), Some(&2));
    }
}
