//! What hits come to: alerts that count on, new ones, quarantine; within one transaction.

use super::{ACTS_MAX, AT_WORK_MAX, KEPT_MAX, event_of, follow::Rows, rules::QUARANTINE_PER_HOUR};
use crate::{
    Service, ServiceError,
    fleet::Doing,
    service::Platform,
    store::{
        Tx,
        alert::{self as store, ActRow, AlertRow, State},
        alert_receiver, alert_rule, device as devices,
    },
};
use alert::{About, EVIDENCE_MAX, Hit, Own, Rule};
use crypto::UnixTime;
use device::{DeviceId, OrganisationId, StandingKind};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Who does what happens by itself.
const BY_ITSELF: &str = "platform alerts";
/// Closed alerts that go at a time.
const FORGOTTEN: usize = 100;
/// Within which limits of quarantine hold, in seconds.
const HOUR_S: i64 = 3600;

/// Hits of one rule about one.
pub(super) struct Counted {
    pub(super) rule: Rule,
    pub(super) hits: Vec<Hit>,
}

/// What one round found: by organisation, rule and whom it is about.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) counted: BTreeMap<(String, String, String), Counted>,
    /// events that were not counted for want of room, by organisation
    pub(super) overflow: BTreeMap<String, u64>,
}

impl Batch {
    pub(super) fn prepare(self, service: &Service) -> Result<Work, ServiceError> {
        let mut organisations = Rows::new();
        let names = self.counted.keys().map(|(organisation, ..)| organisation);
        for name in names.chain(self.overflow.keys()) {
            if !organisations.contains_key(name) {
                let row = match service.organisation_row(name) {
                    Ok(row) => row.id,
                    Err(error) if error.kind() == crate::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                };
                organisations.insert(name.clone(), row);
            }
        }
        Ok(Work {
            batch: self,
            organisations,
            platform: Arc::clone(&service.platform),
            now: service.now(),
            counts: HashMap::new(),
        })
    }
}

/// A batch on its way to the writer.
pub(super) struct Work {
    batch: Batch,
    organisations: Rows,
    platform: Arc<Platform>,
    now: UnixTime,
    /// of each organisation: alerts at work and in all, as far as they were counted
    counts: HashMap<i64, (u64, u64)>,
}

/// Whose alert.
type Whose<'a> = (&'a str, i64);

impl Work {
    pub(super) fn apply(mut self, tx: &mut Tx<'_>) -> Result<(), ServiceError> {
        let batch = std::mem::take(&mut self.batch);
        for ((organisation, _, about), counted) in &batch.counted {
            let Some(row) = self.organisations.get(organisation).copied() else { continue };
            self.count((organisation, row), about, counted, tx)?;
        }
        for (organisation, missed) in &batch.overflow {
            let Some(row) = self.organisations.get(organisation).copied() else { continue };
            self.own(Own::Overflow, (organisation, row), *missed, tx)?;
        }
        Ok(())
    }

    fn count(
        &mut self,
        whose: Whose<'_>,
        about: &str,
        counted: &Counted,
        tx: &mut Tx<'_>,
    ) -> Result<(), ServiceError> {
        let Counted { rule, hits } = counted;
        let mut work = store::at_work(tx, whose.1, &rule.name, about)?;
        let closed = match work {
            Some(_) => None,
            None => store::closed_at(tx, whose.1, &rule.name, about)?,
        };
        let cool = i64::from(rule.cooldown_s);
        let mut more = More::default();
        for hit in hits {
            if let Some(alert) = &mut work {
                more.add(hit);
                // One that was held back is tried again once there is room: else a few devices that are
                // spent for it would keep all others safe.
                let untried = match alert.quarantine {
                    0 => true,
                    2 => self.may_quarantine(whose, tx)?,
                    _ => false,
                };
                if untried && hit.quarantines(closed) {
                    alert.quarantine = self.quarantine(whose, alert, hit, tx)?;
                }
                continue;
            }
            let rests = closed.is_some_and(|at| hit.at < at.plus(cool));
            if rests || !hit.is_reached_since(closed) {
                continue;
            }
            if !self.has_room(whose, tx)? {
                self.own(Own::Overflow, whose, 1, tx)?;
                return Ok(());
            }
            let parts = hit.parts_since(closed);
            let mut alert = AlertRow {
                id: 0,
                organisation: whose.1,
                rule: rule.name.clone(),
                title: rule.title.clone(),
                title_ja: rule.title_ja.clone(),
                severity: rule.severity.number(),
                suggest: rule.suggest.code().to_owned(),
                about: about.to_owned(),
                state: State::Open,
                count: hit.count_since(closed).into(),
                first_at: parts.first().map_or(hit.at, |(at, _)| *at),
                last_at: hit.at,
                raised_at: self.now,
                closed_at: None,
                quarantine: 0,
                evidence: listed(&hit.evidence),
            };
            self.raise(whose, &mut alert, tx)?;
            for (at, count) in parts {
                store::add_count(tx, alert.id, at, count.into())?;
            }
            if hit.quarantines(closed) {
                alert.quarantine = self.quarantine(whose, &alert, hit, tx)?;
            }
            work = Some(alert);
        }
        if let Some(alert) = work {
            more.write(tx, &alert)?;
        }
        Ok(())
    }

    fn raise(
        &mut self,
        (organisation, row): Whose<'_>,
        alert: &mut AlertRow,
        tx: &mut Tx<'_>,
    ) -> Result<(), ServiceError> {
        alert.id = store::insert(tx, alert)?;
        if let Some((at_work, all)) = self.counts.get_mut(&row) {
            (*at_work, *all) = (at_work.saturating_add(1), all.saturating_add(1));
        }
        let event = event_of(alert, organisation, "raised", self.now)
            .actor(BY_ITSELF)
            .detail("count", &alert.count.to_string());
        alert_receiver::tell(tx, (row, alert.id), alert.severity, "raised", self.now)?;
        tx.audit(&event).map(|_| ())
    }

    /// Whether another alert of an organisation has room; the oldest closed ones go for it.
    fn has_room(&mut self, whose: Whose<'_>, tx: &mut Tx<'_>) -> Result<bool, ServiceError> {
        let (at_work, all) = match self.counts.get(&whose.1) {
            Some(counts) => *counts,
            None => store::counted(tx, whose.1)?,
        };
        let gone = match all >= KEPT_MAX {
            true => store::forget_closed(tx, whose.1, FORGOTTEN)?,
            false => 0,
        };
        let all = all.saturating_sub(u64::try_from(gone).unwrap_or(0));
        self.counts.insert(whose.1, (at_work, all));
        Ok(at_work < AT_WORK_MAX)
    }

    /// Raises what the platform raises without a rule, or counts it on.
    fn own(
        &mut self,
        own: Own,
        whose: Whose<'_>,
        count: u64,
        tx: &mut Tx<'_>,
    ) -> Result<(), ServiceError> {
        let about = About::Organisation.to_string();
        if let Some(alert) = store::at_work(tx, whose.1, own.name(), &about)? {
            store::count_on(tx, alert.id, count, self.now, &alert.evidence)?;
            return store::add_count(tx, alert.id, self.now, count);
        }
        let (title, title_ja) = own.titles();
        let mut alert = AlertRow {
            id: 0,
            organisation: whose.1,
            rule: own.name().to_owned(),
            title: title.to_owned(),
            title_ja: title_ja.to_owned(),
            severity: own.severity().number(),
            suggest: alert::Suggestion::CheckDevices.code().to_owned(),
            about,
            state: State::Open,
            count,
            first_at: self.now,
            last_at: self.now,
            raised_at: self.now,
            closed_at: None,
            quarantine: 0,
            evidence: listed(&[]),
        };
        self.raise(whose, &mut alert, tx)?;
        store::add_count(tx, alert.id, self.now, count)
    }

    /// Puts a device into quarantine in the name of its owner, whose rule that is. What became of it.
    fn quarantine(
        &mut self,
        whose: Whose<'_>,
        alert: &AlertRow,
        hit: &Hit,
        tx: &mut Tx<'_>,
    ) -> Result<u8, ServiceError> {
        let Some(device) = hit.about.device() else { return Ok(0) };
        let outcome = self.try_quarantine(whose, alert, device, tx)?;
        store::set_quarantine(tx, alert.id, outcome)?;
        let what = match outcome {
            1 => "quarantined",
            2 => "quarantine-held-back",
            _ => "quarantine-impossible",
        };
        note(tx, alert.id, self.now, BY_ITSELF, what, None)?;
        alert_receiver::tell(tx, (whose.1, alert.id), alert.severity, what, self.now)?;
        tx.audit(&event_of(alert, whose.0, what, self.now).actor(BY_ITSELF))?;
        Ok(outcome)
    }

    /// Whether another device of an organisation may be put into quarantine in this hour.
    fn may_quarantine(&self, whose: Whose<'_>, tx: &Tx<'_>) -> Result<bool, ServiceError> {
        let most = alert_rule::quarantine_per_hour(tx, whose.1)?.unwrap_or(QUARANTINE_PER_HOUR);
        let since = UnixTime(self.now.0.saturating_sub(HOUR_S));
        Ok(store::quarantined_since(tx, whose.1, since)? < most)
    }

    fn try_quarantine(
        &mut self,
        whose: Whose<'_>,
        alert: &AlertRow,
        device: &DeviceId,
        tx: &mut Tx<'_>,
    ) -> Result<u8, ServiceError> {
        let row = devices::device(tx, device.as_bytes())?;
        let good = StandingKind::Good.code();
        let Some(row) = row.filter(|row| row.owner == whose.1 && row.standing == good) else {
            return Ok(3);
        };
        if !self.may_quarantine(whose, tx)? {
            self.own(Own::QuarantineLimit, whose, 1, tx)?;
            return Ok(2);
        }
        let Ok(organisation) = OrganisationId::new(whose.0) else { return Ok(3) };
        let device = DeviceId::from_bytes(row.device_id);
        let why = format!("alert {}: {}", alert.id, alert.title);
        let doing = Doing::quarantine(&self.platform, organisation, device, why, self.now);
        match tx.attempt(|tx| doing.perform(tx)) {
            Ok(_) => {
                store::add_quarantine(tx, whose.1, self.now)?;
                Ok(1)
            }
            Err(error) if error.is_store_lost() => Err(error),
            Err(error) => {
                tracing::warn!(%error, %device, "a device could not be put into quarantine");
                Ok(3)
            }
        }
    }
}

/// What an alert counts on by, in one round.
#[derive(Default)]
struct More {
    count: u64,
    last: Option<(UnixTime, Vec<u64>)>,
    parts: BTreeMap<i64, u64>,
    fresh: Vec<u64>,
}

impl More {
    fn add(&mut self, hit: &Hit) {
        let weight = u64::from(hit.weight);
        self.count = self.count.saturating_add(weight);
        let part = self.parts.entry(hit.at.0.div_euclid(store::COUNT_S)).or_default();
        *part = part.saturating_add(weight);
        self.fresh.extend(hit.evidence.last());
        let last = self.last.as_ref().map_or(hit.at, |(at, _)| hit.at.max(*at));
        self.last = Some((last, hit.evidence.clone()));
    }

    fn write(self, tx: &Tx<'_>, alert: &AlertRow) -> Result<(), ServiceError> {
        let Some((last, _)) = self.last else { return Ok(()) };
        // What it began with stays; of what comes after, the newest.
        let mut evidence: Vec<u64> = serde_json::from_str(&alert.evidence).unwrap_or_default();
        evidence.extend(self.fresh);
        if evidence.len() > EVIDENCE_MAX {
            let newest = evidence.split_off(evidence.len().saturating_sub(EVIDENCE_MAX / 2));
            evidence.truncate(EVIDENCE_MAX / 2);
            evidence.extend(newest);
        }
        store::count_on(tx, alert.id, self.count, last, &listed(&evidence))?;
        for (part, count) in self.parts {
            let at = UnixTime(part.saturating_mul(store::COUNT_S));
            store::add_count(tx, alert.id, at, count)?;
        }
        Ok(())
    }
}

fn listed(evidence: &[u64]) -> String {
    serde_json::to_string(evidence).unwrap_or_else(|_| "[]".to_owned())
}

/// Writes down who did what about an alert.
pub(super) fn note(
    tx: &Tx<'_>,
    id: i64,
    at: UnixTime,
    who: &str,
    what: &str,
    note: Option<String>,
) -> Result<bool, ServiceError> {
    let act = ActRow { at, who: who.to_owned(), what: what.to_owned(), note };
    store::add_act(tx, id, &act, ACTS_MAX)
}
