//! What the findings about components add up to: the status of a vulnerability in a version of a
//! product's software, and in all of a maker's. A judgement that rested on something else than what
//! is known now is reopened, never dropped.

use super::record::{Record, SaidFact};
use crate::{
    ServiceError,
    store::{
        Tx,
        exposure::{self as store, ComponentRow, ExposureRow, SumRow},
        running,
    },
};
use crypto::UnixTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Where a vulnerability stands in a version of a product's software. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ExposureStatus {
    /// something should be done
    Affected = 1,
    /// not yet known, or to be looked at again
    UnderInvestigation = 2,
    /// it has the fix
    Fixed = 3,
    /// nothing needs to be done
    NotAffected = 4,
}

impl ExposureStatus {
    /// Every status, the gravest first.
    pub const ALL: [Self; 4] =
        [Self::Affected, Self::UnderInvestigation, Self::Fixed, Self::NotAffected];

    /// Stable name, as OpenVEX writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Affected => "affected",
            Self::UnderInvestigation => "under_investigation",
            Self::Fixed => "fixed",
            Self::NotAffected => "not_affected",
        }
    }

    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    pub(crate) fn from_number(number: u8) -> Self {
        // What is not known is to be looked at.
        Self::ALL
            .into_iter()
            .find(|status| *status as u8 == number)
            .unwrap_or(Self::UnderInvestigation)
    }

    /// Whether something is to be done or found out.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Affected | Self::UnderInvestigation)
    }

    fn of(record: &Record) -> Self {
        let said = record.said.first().and_then(|said| Self::from_name(&said.status));
        match (said, record.silenced) {
            (Some(said), true) => said,
            (Some(Self::Affected), _) => Self::Affected,
            (Some(Self::UnderInvestigation), _) => Self::UnderInvestigation,
            // A statement that silences only a part of what was found.
            _ if record.affected => Self::Affected,
            _ => Self::UnderInvestigation,
        }
    }
}

/// What is shown of an exposure, kept as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub(crate) struct Facts {
    pub(crate) ids: BTreeSet<String>,
    pub(crate) summary: String,
    pub(crate) vector: Option<String>,
    pub(crate) exploited: Option<super::ExploitedFact>,
    pub(crate) fixed: Vec<String>,
    pub(crate) remedy: Option<String>,
    pub(crate) published: Option<i64>,
    pub(crate) said: Vec<SaidFact>,
}

/// Puts the findings about a component in the place of those before.
pub(super) fn put(
    tx: &mut Tx<'_>,
    (software, organisation): (i64, i64),
    sbom: i64,
    judged: &super::evaluate::Judged,
    now: UnixTime,
) -> Result<(), ServiceError> {
    let mut touched: BTreeSet<i64> =
        store::clear_component(tx, sbom, judged.component)?.into_iter().collect();
    for (name, record) in &judged.records {
        let exposure = ensure(tx, software, organisation, name, record, now)?;
        let row = ComponentRow {
            sbom,
            component: i64::try_from(judged.component).unwrap_or(i64::MAX),
            label: judged.label.clone(),
            finding: json(record)?,
        };
        store::insert_component(tx, exposure, &row)?;
        touched.insert(exposure);
    }
    for exposure in touched {
        settle(tx, exposure, now)?;
    }
    Ok(())
}

/// The exposure of this name. A new one that is known under an id of another goes on where that
/// one was: an advisory that was first known without a CVE id gets one later.
fn ensure(
    tx: &Tx<'_>,
    software: i64,
    organisation: i64,
    name: &str,
    record: &Record,
    now: UnixTime,
) -> Result<i64, ServiceError> {
    if let Some(row) = store::exposure(tx, software, name)? {
        return Ok(row.id);
    }
    let mut new = ExposureRow {
        id: 0,
        software,
        organisation,
        name: name.to_owned(),
        status: ExposureStatus::UnderInvestigation as u8,
        judged: false,
        verdict: 1,
        tenths: None,
        exploited: false,
        private: record.private,
        facts: json(&Facts::default())?,
        basis: [0; 32],
        judgement: None,
        judged_basis: None,
        reopened_at: None,
        reopened_why: None,
        first_seen: now,
        changed_at: now,
        closed_at: None,
    };
    for id in &record.ids {
        if let Some(before) = store::exposure_by_id(tx, software, id)? {
            new.first_seen = new.first_seen.min(before.first_seen);
            if before.judgement.is_some() && new.judgement.is_none() {
                new.status = before.status;
                new.judged = before.judged;
                new.judgement = before.judgement;
                new.judged_basis = before.judged_basis;
                new.reopened_at = before.reopened_at;
                new.reopened_why = before.reopened_why;
            }
        }
    }
    let id = store::insert_exposure(tx, &new)?;
    store::note(tx, id, now, "found", "")?;
    Ok(id)
}

/// Adds up what the components of an exposure say.
pub(super) fn settle(tx: &mut Tx<'_>, exposure: i64, now: UnixTime) -> Result<(), ServiceError> {
    let Some(before) = store::exposure_by_row(tx, exposure)? else { return Ok(()) };
    let rows = store::components(tx, exposure)?;
    let mut after = before.clone();
    if rows.is_empty() {
        if before.closed_at.is_none() {
            after.closed_at = Some(now);
            after.changed_at = now;
            store::update_exposure(tx, &after)?;
            store::note(tx, exposure, now, "gone", "")?;
            sum(tx, &after, now)?;
        }
        return Ok(());
    }
    let mut records = Vec::with_capacity(rows.len());
    for row in &rows {
        records.push((row.label.as_str(), read::<Record>(&row.finding)?));
    }
    let added = Added::up(&records)?;
    after.closed_at = None;
    after.verdict = if added.affected { 2 } else { 1 };
    after.tenths = added.tenths;
    after.exploited = added.facts.exploited.is_some();
    after.private = added.private;
    after.judged = added.judged;
    after.basis = added.basis;
    after.facts = json(&added.facts)?;
    after.status = added.status as u8;
    reopen(&before, &mut after, &added, now);
    if before.closed_at.is_some() {
        store::note(tx, exposure, now, "found-again", "")?;
    }
    if after != before {
        after.changed_at = now;
        store::set_ids(tx, exposure, added.facts.ids.iter().map(String::as_str))?;
        store::update_exposure(tx, &after)?;
        note_changes(tx, &before, &after, now)?;
    }
    if is_duty(&after) && !is_duty(&before) {
        super::cases::on_exploited(tx, &after, &added.facts.ids, &added.facts.summary, now)?;
    }
    sum(tx, &after, now)
}

/// Whether its maker must report it: it is exploited, and nobody says that it is harmless.
fn is_duty(row: &ExposureRow) -> bool {
    row.exploited && row.closed_at.is_none() && ExposureStatus::from_number(row.status).is_open()
}

/// Findings about components, added up.
struct Added {
    status: ExposureStatus,
    affected: bool,
    judged: bool,
    private: bool,
    tenths: Option<u8>,
    facts: Facts,
    /// digest of what it rests on
    basis: [u8; 32],
    /// digest of what was said; `None` where nobody silences it
    judgement: Option<[u8; 32]>,
}

impl Added {
    fn up(records: &[(&str, Record)]) -> Result<Self, ServiceError> {
        let mut facts = Facts::default();
        let (mut basis, mut said) = (BTreeSet::new(), BTreeSet::new());
        let mut worst: Option<(u8, Option<String>)> = None;
        let mut status = ExposureStatus::NotAffected;
        for (label, record) in records {
            status = status.min(ExposureStatus::of(record));
            facts.ids.extend(record.ids.iter().cloned());
            if facts.summary.is_empty() {
                facts.summary.clone_from(&record.summary);
            }
            if let Some(tenths) = record.tenths
                && worst.as_ref().is_none_or(|(most, _)| *most < tenths)
            {
                worst = Some((tenths, record.vector.clone()));
            }
            if facts.exploited.is_none() {
                facts.exploited.clone_from(&record.exploited);
            }
            for fix in &record.fixed {
                if !facts.fixed.contains(fix) && facts.fixed.len() < 64 {
                    facts.fixed.push(fix.clone());
                }
            }
            facts.remedy = facts.remedy.take().or_else(|| record.remedy.clone());
            facts.published = match (facts.published, record.published) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            said.extend(record.said.iter().cloned());
            for (advisory, code, detail) in &record.reasons {
                basis.insert(format!("{label}|{advisory}|{code}|{detail}"));
            }
            basis.extend(record.ids.iter().filter(|id| id.starts_with("CVE-")).cloned());
            basis.extend(record.exploited.as_ref().map(|_| "exploited".to_owned()));
            basis.extend(record.tenths.map(|tenths| format!("score {tenths}")));
        }
        facts.said = said.into_iter().collect();
        let (tenths, vector) =
            worst.map_or((None, None), |(tenths, vector)| (Some(tenths), vector));
        facts.vector = vector;
        let judgement = if status.is_open() { None } else { Some(digest(&facts.said)?) };
        Ok(Self {
            status,
            affected: records.iter().any(|(_, record)| record.affected),
            judged: records.iter().all(|(_, record)| {
                record.said.first().is_some_and(|said| {
                    record.silenced
                        || ExposureStatus::from_name(&said.status)
                            .is_some_and(ExposureStatus::is_open)
                })
            }),
            private: records.iter().all(|(_, record)| record.private),
            tenths,
            facts,
            basis: digest(&basis)?,
            judgement,
        })
    }
}

/// Compares what was judged with what is known now.
fn reopen(before: &ExposureRow, after: &mut ExposureRow, added: &Added, now: UnixTime) {
    match added.judgement {
        // Nobody silences it any more: it had been judged, and the judgement ended or does not
        // reach all of it.
        None => {
            if before.judgement.is_some() && before.reopened_at.is_none() {
                after.reopened_at = Some(now);
                after.reopened_why = Some("no-longer-covered".to_owned());
            }
            if before.judgement.is_some() {
                // Until somebody judges anew: what follows is not its first judgement.
                after.judgement = before.judgement;
                after.judged_basis = before.judged_basis;
            }
            // An own word that it is affected, or looked into, is an answer.
            if added.judged
                && added.facts.said.iter().any(|said| {
                    said.own
                        && ExposureStatus::from_name(&said.status)
                            .is_some_and(ExposureStatus::is_open)
                })
            {
                after.judgement = None;
                after.judged_basis = None;
                after.reopened_at = None;
                after.reopened_why = None;
            }
        }
        Some(judgement) if before.judgement != Some(judgement) => {
            after.judgement = Some(judgement);
            after.judged_basis = Some(added.basis);
            after.reopened_at = None;
            after.reopened_why = None;
        }
        Some(_) if before.judged_basis != Some(added.basis) => {
            if before.reopened_at.is_none() {
                after.reopened_at = Some(now);
                after.reopened_why = Some("advisory-changed".to_owned());
            }
            after.status = ExposureStatus::UnderInvestigation as u8;
        }
        // The same words hold for the same facts again.
        Some(_) => {
            after.reopened_at = None;
            after.reopened_why = None;
        }
    }
}

fn note_changes(
    tx: &mut Tx<'_>,
    before: &ExposureRow,
    after: &ExposureRow,
    now: UnixTime,
) -> Result<(), ServiceError> {
    let status = |row: &ExposureRow| ExposureStatus::from_number(row.status).name();
    if before.basis == [0; 32] || status(before) != status(after) {
        store::note(tx, after.id, now, "status", status(after))?;
    }
    if !before.exploited && after.exploited {
        store::note(tx, after.id, now, "exploited", "")?;
    }
    if before.basis != [0; 32] && before.tenths != after.tenths {
        let tenths = after.tenths.map(|tenths| format!("{}.{}", tenths / 10, tenths % 10));
        store::note(tx, after.id, now, "score", &tenths.unwrap_or_default())?;
    }
    if before.reopened_at.is_none() && after.reopened_at.is_some() {
        let why = after.reopened_why.as_deref().unwrap_or_default();
        store::note(tx, after.id, now, "reopened", why)?;
        let event =
            audit::SecurityEvent::new(now, audit::Kind::Vulnerability, audit::Outcome::Success);
        let maker = crate::store::organisation::organisation_by_id(tx, after.organisation)?;
        let maker = maker.map(|maker| maker.slug).unwrap_or_default();
        tx.audit(
            &event
                .organisation(&maker)
                .subject(&after.name)
                .detail("what", "judgement-reopened")
                .detail("why", why),
        )?;
    }
    Ok(())
}

/// Adds up a maker's exposures of one name.
fn sum(tx: &mut Tx<'_>, of: &ExposureRow, now: UnixTime) -> Result<(), ServiceError> {
    let all = store::exposures_named(tx, of.organisation, &of.name)?;
    let standing: Vec<&ExposureRow> = all.iter().filter(|row| row.closed_at.is_none()).collect();
    let count = |wanted: &dyn Fn(&&&ExposureRow) -> bool| {
        u64::try_from(standing.iter().filter(wanted).count()).unwrap_or(u64::MAX)
    };
    let open = count(&|row| ExposureStatus::from_number(row.status).is_open());
    let before = store::sum(tx, of.organisation, &of.name)?;
    let settled_at = match (open, before.as_ref().and_then(|before| before.settled_at)) {
        (0, None) => Some(now),
        (0, since) => since,
        _ => None,
    };
    let exploited = standing.iter().any(|row| row.exploited);
    let affected = standing.iter().any(|row| row.status == ExposureStatus::Affected as u8);
    let tenths = standing.iter().filter_map(|row| row.tenths).max().unwrap_or(0);
    let rank = (i64::from(open > 0) << 20)
        + (i64::from(exploited) << 16)
        + (i64::from(tenths) << 4)
        + i64::from(affected);
    let row = SumRow {
        organisation: of.organisation,
        name: of.name.clone(),
        rank,
        open,
        exposures: count(&|_| true),
        reopened: count(&|row| row.reopened_at.is_some()),
        first_seen: all.iter().map(|row| row.first_seen).min().unwrap_or(now),
        settled_at,
    };
    if before.as_ref() != Some(&row) {
        store::set_sum(tx, &row)?;
        if before.is_none_or(|before| before.open != row.open) {
            running::forget_counted(tx, of.organisation)?;
        }
    }
    Ok(())
}

/// What the components of an exposure say, read.
pub(super) fn records(
    rows: Vec<ComponentRow>,
) -> Result<Vec<(ComponentRow, Record)>, ServiceError> {
    rows.into_iter().map(|row| Ok((row.clone(), read(&row.finding)?))).collect()
}

pub(super) fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, ServiceError> {
    serde_json::from_str(text)
        .map_err(|_| ServiceError::fatal("store-damaged", "a stored finding is damaged"))
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<String, ServiceError> {
    serde_json::to_string(value)
        .map_err(|_| ServiceError::fatal("no-json", "a finding has no JSON form"))
}

fn digest<T: Serialize>(value: &T) -> Result<[u8; 32], ServiceError> {
    Ok(*crypto::sha256(json(value)?.as_bytes()).as_bytes())
}
