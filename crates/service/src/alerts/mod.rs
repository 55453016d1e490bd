//! Use cases: alerts (LG-4). Rules over security events, what came of them, and what somebody did.
//! docs/alerts.md.
//!
//! A follower reads the audit log behind the commits. Alerts, what they do by themselves, and how far the
//! log was looked at are one transaction: an alert is neither lost nor raised twice by a crash. What is
//! counted is in memory, and counted again from the log after a start.

mod follow;
mod handle;
mod raise;
mod read;
mod receivers;
mod rules;

pub(crate) use follow::Following;
pub use read::{
    AlertDetail, AlertDevice, AlertEvidence, AlertNote, AlertQuery, AlertState, AlertView,
    AutomaticQuarantine,
};
pub use receivers::{
    ALERT_RECEIVERS_MAX, AlertNotice, AlertReceiverView, AlertTarget, AlertTold, MAIL_TO_MAX,
    NewAlertReceiver, OpenedAlertReceiver, PutAlertReceiver,
};
pub use rules::{
    AlertRuleOrigin, AlertRuleView, AlertSettings, QUARANTINE_PER_HOUR, QUARANTINE_PER_HOUR_MAX,
};

use crate::{Service, ServiceError, live::found, store::alert::AlertRow};
use audit::{Kind, Outcome, SecurityEvent};
use device::OrganisationId;
use policy::{Action, Caller, Resource};

/// Alerts of an organisation that are at work; beyond, they are counted as one.
pub(crate) const AT_WORK_MAX: u64 = 2_000;
/// Alerts of an organisation; beyond, the oldest closed ones go.
pub(crate) const KEPT_MAX: u64 = 10_000;
/// Acts that are kept of an alert.
pub(crate) const ACTS_MAX: u64 = 200;
/// Longest note, in characters.
pub const ALERT_NOTE_CHARS_MAX: u32 = 1_000;

impl Service {
    /// An alert of an organisation, for who may do that with it.
    fn alert_for(
        &self,
        caller: &Caller,
        action: Action,
        (organisation, id): (&OrganisationId, u64),
    ) -> Result<AlertRow, ServiceError> {
        let _permit = self.authorize(caller, action, &Resource::organisation(organisation))?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let id = crate::store::to_i64(id);
        found(self.read(|connection| crate::store::alert::alert(connection, owner, id))?, "alert")
    }
}

/// A security event about an alert.
fn event_of(
    alert: &AlertRow,
    organisation: &str,
    what: &str,
    now: crypto::UnixTime,
) -> SecurityEvent {
    let severity = audit::Severity::from_number(alert.severity).unwrap_or(audit::Severity::Medium);
    let event = SecurityEvent::new(now, Kind::Alert, Outcome::Success)
        .severity(severity)
        .organisation(organisation)
        .detail("what", what)
        .detail("alert", &alert.id.to_string())
        .detail("rule", &alert.rule)
        .detail("title", &alert.title)
        .detail("about", &alert.about)
        .detail("suggest", &alert.suggest);
    match alert.about.split_once(' ') {
        Some(("device", device)) => event.subject(device),
        _ => event,
    }
}
