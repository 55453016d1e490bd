//! What people see of alerts.

use crate::{
    AuditView, Page, Paged, Service, ServiceError,
    store::{
        alert::{self as store, AlertFilter, AlertRow, State},
        device as devices, log,
    },
};
use alert::{About, Suggestion};
use audit::{SecurityEvent, Severity};
use crypto::UnixTime;
use device::{DeviceId, OrganisationId, StandingKind};
use policy::{Action, Caller, Resource};

/// How an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertState {
    /// nobody looked yet
    Open,
    /// somebody looks
    Acknowledged,
    /// it is over
    Closed,
}

impl AlertState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Open, Self::Acknowledged, Self::Closed];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
        }
    }

    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What became of quarantine by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutomaticQuarantine {
    /// the rule did not ask for it, or there is not enough that the device's own key speaks for
    NotAsked,
    /// the device went into quarantine
    Done,
    /// the limit of the hour held it back
    HeldBack,
    /// the device is another's by now, or does not stand as it would have to
    Impossible,
}

impl AutomaticQuarantine {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotAsked => "not-asked",
            Self::Done => "done",
            Self::HeldBack => "held-back",
            Self::Impossible => "impossible",
        }
    }
}

/// Which alerts are wanted; all conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertQuery {
    /// in this state
    pub state: Option<AlertState>,
    /// those that are not closed
    pub at_work: bool,
    /// at least so grave
    pub severity: Option<Severity>,
    /// of one rule
    pub rule: Option<String>,
    /// about one device
    pub device: Option<DeviceId>,
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertView {
    /// its number
    pub id: u64,
    /// whose
    pub organisation: OrganisationId,
    /// the rule that raised it
    pub rule: String,
    /// what it says, in English
    pub title: String,
    /// what it says, in Japanese
    pub title_ja: String,
    /// how grave it is
    pub severity: Severity,
    /// what somebody should do
    pub suggest: Suggestion,
    /// whom it is about
    pub about: About,
    /// how it stands
    pub state: AlertState,
    /// how much of it came
    pub count: u64,
    /// when it began, as closely as the rule's window tells
    pub first_at: UnixTime,
    /// when it came last
    pub last_at: UnixTime,
    /// when it was raised
    pub raised_at: UnixTime,
    /// when it was closed
    pub closed_at: Option<UnixTime>,
    /// what became of quarantine by itself
    pub quarantine: AutomaticQuarantine,
}

/// Something that somebody did about an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertNote {
    /// when
    pub at: UnixTime,
    /// who
    pub who: String,
    /// what: `acknowledged`, `closed`, `noted`, `quarantined`, `released`, …
    pub what: String,
    /// in whose words
    pub note: Option<String>,
}

/// The device that an alert is about, as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertDevice {
    /// which
    pub device: DeviceId,
    /// its serial number
    pub serial_number: String,
    /// whether it may be here
    pub standing: StandingKind,
}

/// A security event that an alert rests on.
pub type AlertEvidence = AuditView;

/// An alert with what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertDetail {
    /// the alert
    pub view: AlertView,
    /// the device, where it is about one that is still the organisation's
    pub device: Option<AlertDevice>,
    /// security events, oldest first: what it began with, and the newest
    pub evidence: Vec<AlertEvidence>,
    /// how much came when: parts of five minutes, oldest first, empty ones left out
    pub counts: Vec<(UnixTime, u64)>,
    /// who did what, oldest first
    pub notes: Vec<AlertNote>,
}

pub(super) fn view(
    row: AlertRow,
    organisation: &OrganisationId,
) -> Result<AlertView, ServiceError> {
    let damaged = || ServiceError::fatal("store-damaged", "an alert's row is damaged");
    Ok(AlertView {
        id: row.id.unsigned_abs(),
        organisation: organisation.clone(),
        rule: row.rule,
        title: row.title,
        title_ja: row.title_ja,
        severity: Severity::from_number(row.severity).ok_or_else(damaged)?,
        suggest: Suggestion::from_code(&row.suggest).ok_or_else(damaged)?,
        about: About::parse(&row.about).ok_or_else(damaged)?,
        state: match row.state {
            State::Open => AlertState::Open,
            State::Acknowledged => AlertState::Acknowledged,
            State::Closed => AlertState::Closed,
        },
        count: row.count,
        first_at: row.first_at,
        last_at: row.last_at,
        raised_at: row.raised_at,
        closed_at: row.closed_at,
        quarantine: match row.quarantine {
            0 => AutomaticQuarantine::NotAsked,
            1 => AutomaticQuarantine::Done,
            2 => AutomaticQuarantine::HeldBack,
            _ => AutomaticQuarantine::Impossible,
        },
    })
}

impl Service {
    /// A page of an organisation's alerts, newest first.
    ///
    /// # Errors
    /// `role`, `not-found`, `page`.
    pub async fn alerts(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        query: &AlertQuery,
        page: &Page,
    ) -> Result<Paged<AlertView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadAlerts, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let (before, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_some() { before } else { i64::MAX };
        let filter = AlertFilter {
            closed: query.at_work.then_some(false),
            state: query.state.map(|state| match state {
                AlertState::Open => State::Open as u8,
                AlertState::Acknowledged => State::Acknowledged as u8,
                AlertState::Closed => State::Closed as u8,
            }),
            severity: query.severity.map(Severity::number),
            rule: query.rule.clone(),
            about: query.device.map(|device| About::Device(device).to_string()),
        };
        let rows = self.read(|connection| {
            store::alerts(connection, owner, &filter, before, limit.saturating_add(1))
        })?;
        Paged::cut(rows, limit, |row| row.id.to_string()).try_map(|row| view(row, organisation))
    }

    /// How many alerts of an organisation are not closed.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub fn alerts_at_work(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<u64, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadAlerts, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        Ok(self.read(|connection| store::counted(connection, owner))?.0)
    }

    /// One alert, with what it rests on.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub async fn alert(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        id: u64,
    ) -> Result<AlertDetail, ServiceError> {
        let row = self.alert_for(caller, Action::ReadAlerts, (organisation, id))?;
        let (alert, owner) = (row.id, row.organisation);
        let places: Vec<u64> = serde_json::from_str(&row.evidence).unwrap_or_default();
        let view = view(row, organisation)?;
        let mut evidence = Vec::new();
        for place in places {
            let read = |connection: &rusqlite::Connection| {
                log::audit_rows(connection, None, None, place.saturating_sub(1), 1)
            };
            let Some(row) = self.read(read)?.into_iter().find(|row| row.sequence == place) else {
                continue;
            };
            let damaged =
                |_| ServiceError::fatal("audit-damaged", "a security event is damaged; verify");
            let event = SecurityEvent::decode(&row.event).map_err(damaged)?;
            // Nobody sees another's events, whatever a row says.
            let whose = event.organisation_of().unwrap_or(policy::PLATFORM);
            if whose == organisation.as_str() {
                evidence.push(AuditView { sequence: row.sequence, event, hash: row.hash });
            }
        }
        let device = match view.about.device() {
            Some(device) => self
                .read(|connection| devices::device(connection, device.as_bytes()))?
                .filter(|row| row.owner == owner)
                .map(|row| {
                    let damaged =
                        || ServiceError::fatal("store-damaged", "a device's row is damaged");
                    Ok::<_, ServiceError>(AlertDevice {
                        device: *device,
                        serial_number: row.serial_number,
                        standing: StandingKind::from_code(row.standing.into())
                            .ok_or_else(damaged)?,
                    })
                })
                .transpose()?,
            None => None,
        };
        let (counts, acts) = self.read(|connection| {
            Ok((store::counts(connection, alert)?, store::acts(connection, alert)?))
        })?;
        let notes = acts
            .into_iter()
            .map(|act| AlertNote { at: act.at, who: act.who, what: act.what, note: act.note })
            .collect();
        Ok(AlertDetail { view, device, evidence, counts, notes })
    }
}
