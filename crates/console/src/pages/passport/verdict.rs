//! The verdict with its reasons and what they rest on.

use super::words;
use crate::{
    i18n::{Locale, Moment},
    ui::Badge,
};
use crypto::UnixTime;
use device::{Evidence, Reason, Verdict};

/// The panel at the top of the page.
pub(super) struct Panel {
    pub(super) tone: &'static str,
    pub(super) outcome: Badge,
    pub(super) headline: String,
    pub(super) reasons: Vec<ReasonRow>,
    pub(super) judged_at: Moment,
    pub(super) expires: Moment,
}

pub(super) struct ReasonRow {
    pub(super) weight: Badge,
    pub(super) text: &'static str,
    pub(super) layer: &'static str,
    pub(super) code: &'static str,
    pub(super) evidence: Vec<String>,
}

impl Panel {
    pub(super) fn new(t: Locale, verdict: &Verdict, now: UnixTime) -> Self {
        let tone = words::tone_of(verdict.outcome);
        Self {
            tone: tone.name(),
            outcome: words::outcome(t, verdict.outcome),
            headline: t.word("verdict-means", verdict.outcome.name()).to_string(),
            reasons: verdict.reasons.iter().map(|reason| row(t, reason)).collect(),
            judged_at: t.time(verdict.judged_at),
            expires: t.ago(verdict.expires, now),
        }
    }
}

fn row(t: Locale, reason: &Reason) -> ReasonRow {
    ReasonRow {
        weight: words::severity(t, reason.severity),
        text: reason.text(t.language),
        layer: t.of(reason.layer.text()),
        code: reason.code.name(),
        evidence: reason.evidence.iter().map(|one| evidence(t, one)).collect(),
    }
}

/// A fact, in words.
fn evidence(t: Locale, evidence: &Evidence) -> String {
    match evidence {
        Evidence::Event { sequence, index: Some(index), .. } => {
            t.text("evidence-event-at").arg("sequence", *sequence).arg("leaf", *index).to_string()
        }
        Evidence::Event { sequence, .. } => {
            t.text("evidence-event").arg("sequence", *sequence).to_string()
        }
        Evidence::Certificate { serial, .. } => {
            t.text("evidence-certificate").arg("serial", hex::encode(serial)).to_string()
        }
        Evidence::Key(key) => t.text("evidence-key").arg("key", key.to_string()).to_string(),
        Evidence::Counters { highest, presented } => t
            .text("evidence-counters")
            .arg("highest", *highest)
            .arg("presented", *presented)
            .to_string(),
        Evidence::Time { moment, at } => {
            let what = t.word("evidence-moment", moment.name());
            format!("{what} {}", t.time(*at).plain())
        }
        Evidence::Device(device) => {
            t.text("evidence-device").arg("device", device.to_string()).to_string()
        }
        Evidence::Organisations { found, expected } => differ(t, found.as_str(), expected.as_str()),
        Evidence::Count { found, expected } => differ(t, &t.number(*found), &t.number(*expected)),
        Evidence::Digests { found, expected } => {
            differ(t, &found.to_string(), &expected.to_string())
        }
        Evidence::Detail(detail) => detail.clone(),
    }
}

fn differ(t: Locale, found: &str, expected: &str) -> String {
    t.text("evidence-differ").arg("found", found).arg("expected", expected).to_string()
}
