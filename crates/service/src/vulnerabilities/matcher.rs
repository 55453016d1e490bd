//! The thread that judges: components of new SBOMs, and those that something new concerns. What it
//! has to do is in the store, and what it finds commits together with the end of the work, so that
//! a crash repeats at most what it was at.

use super::{
    evaluate::{self, Kept},
    settle, statements,
};
use crate::{
    Service, ServiceError, fault,
    live::Live,
    service::Inner,
    store::{exposure, sbom as store, sbom::SbomState, vex},
};
use advisory::MatchKey;
use crypto::UnixTime;
use std::{sync::Weak, time::Duration};

/// How often somebody looks for work.
const IDLE: Duration = Duration::from_millis(200);
/// Pause after a commit, so that others have their turn.
const PAUSE: Duration = Duration::from_millis(2);
/// After a failure.
const TROUBLE: Duration = Duration::from_secs(2);
/// Components that are put in per commit.
const FILL: usize = 2_000;
/// Components that are judged per commit.
const BATCH: usize = 100;
/// How often deadlines are looked at, however much there is to be judged, in seconds.
const REMIND_S: i64 = 30;
/// Statements that are looked at per commit because of their time.
const DUE: usize = 100;

/// Judges until the service ends.
pub(crate) fn run(weak: &Weak<Inner>, live: &Live) {
    let (mut kept, mut pause, mut last) = (Kept::default(), Duration::ZERO, 0);
    let mut reminded: Option<UnixTime> = None;
    loop {
        if live.rest(pause) {
            return;
        }
        let Some(service) = Service::upgrade(weak) else { return };
        // Deadlines do not wait until everything is judged.
        let now = service.now();
        if reminded.is_none_or(|at| !(at..at.plus(REMIND_S)).contains(&now)) {
            reminded = Some(now);
            if let Err(error) = service.remind() {
                tracing::error!(%error, "nobody was reminded of what must be reported");
            }
        }
        pause = match service.match_step(&mut kept, &mut last) {
            Ok(true) => PAUSE,
            Ok(false) => IDLE,
            Err(error) => {
                tracing::warn!(%error, "vulnerabilities are not matched; it is tried again");
                kept = Kept::default();
                TROUBLE
            }
        };
    }
}

impl Service {
    /// Does the next piece of work; false where there is none.
    fn match_step(&self, kept: &mut Kept, last: &mut i64) -> Result<bool, ServiceError> {
        if self.statements_by_time()? || self.fill_sbom(kept)? {
            return Ok(true);
        }
        if let Some((sbom, work)) = self.read(|c| store::next_work(c, *last, BATCH))? {
            // In turn: a large SBOM does not keep the others waiting.
            *last = sbom;
            return self.judge_some(kept, sbom, work).map(|()| true);
        }
        Ok(self.sweep_sbom()? || self.remind()? || self.count_fleet()?)
    }

    /// Puts the next components of a new SBOM in.
    fn fill_sbom(&self, kept: &mut Kept) -> Result<bool, ServiceError> {
        let Some(row) = self.read(store::unfinished)? else { return Ok(false) };
        let sbom = self.read(|connection| kept.sbom(connection, &row))?;
        let from = usize::try_from(row.indexed).unwrap_or(usize::MAX);
        let to = from.saturating_add(FILL).min(sbom.components.len());
        let rows: Vec<(usize, Vec<MatchKey>)> = sbom
            .components
            .iter()
            .enumerate()
            .take(to)
            .skip(from)
            .map(|(index, component)| (index, MatchKey::of_component(component)))
            .collect();
        let all = to >= sbom.components.len();
        self.faults.point(fault::BEFORE_COMPONENTS)?;
        self.store.writer.run_blocking(move |tx| {
            // Replaced meanwhile: nothing of it is put in.
            if store::sbom(tx, row.id)?.is_none() {
                return Ok(());
            }
            for (component, keys) in &rows {
                store::insert_component(tx, row.id, *component, keys.iter().map(MatchKey::as_str))?;
            }
            store::set_indexed(tx, row.id, to, all)
        })?;
        Ok(true)
    }

    /// Judges components of one SBOM.
    fn judge_some(
        &self,
        kept: &mut Kept,
        sbom: i64,
        work: Vec<(usize, i64)>,
    ) -> Result<(), ServiceError> {
        let now = self.now();
        let components: Vec<usize> = work.iter().map(|(component, _)| *component).collect();
        let platform = self.platform.organisation.id;
        let found = self.read(|connection| {
            let Some(row) = store::sbom(connection, sbom)? else { return Ok(None) };
            let Some(software) = store::software_by_id(connection, row.software)? else {
                return Ok(None);
            };
            let of = (&row, &software);
            let news = store::news(connection, software.organisation)?;
            let judged = evaluate::judge(connection, kept, platform, of, &components, now)?;
            Ok(Some((software, judged, news)))
        })?;
        let Some((software, judged, news)) = found else {
            return self.store.writer.run_blocking(move |tx| store::drop_work(tx, sbom));
        };
        self.faults.point(fault::BEFORE_JUDGEMENT)?;
        self.store.writer.run_blocking(move |tx| {
            if store::sbom(tx, sbom)?.is_none() {
                return store::drop_work(tx, sbom);
            }
            // News that came meanwhile did not find what is only now put on record.
            if store::news(tx, software.organisation)? != news {
                return Ok(());
            }
            for judged in &judged {
                settle::put(tx, (software.id, software.organisation), sbom, judged, now)?;
            }
            for (component, round) in &work {
                store::finish_work(tx, sbom, *component, *round)?;
            }
            Ok(())
        })
    }

    /// Takes away what was found in an SBOM whose successor is judged.
    fn sweep_sbom(&self) -> Result<bool, ServiceError> {
        let Some(sbom) = self.read(store::to_sweep)? else { return Ok(false) };
        let now = self.now();
        self.store.writer.run_blocking(move |tx| {
            // Work that came since goes first.
            if store::to_sweep(tx)? != Some(sbom) {
                return Ok(());
            }
            for exposure in exposure::clear_sbom(tx, sbom)? {
                settle::settle(tx, exposure, now)?;
            }
            store::set_state(tx, sbom, SbomState::Swept)
        })?;
        Ok(true)
    }

    /// Has judged what statements concern that begin or cease to hold.
    fn statements_by_time(&self) -> Result<bool, ServiceError> {
        let now = self.now();
        let due = self.read(|connection| vex::due(connection, now, DUE))?;
        if due.is_empty() {
            return Ok(false);
        }
        let mut reaches = Vec::with_capacity(due.len());
        for row in due {
            let next = statements::due(row.expires, row.said_at, now);
            let reach = self.read(|connection| statements::reach(connection, &row))?;
            reaches.push((row.id, next, reach));
        }
        self.store.writer.run_blocking(move |tx| {
            let mut due = Vec::with_capacity(reaches.len());
            for (row, next, reach) in reaches {
                vex::set_due(tx, row, next)?;
                due.push(reach);
            }
            statements::judge_all(tx, due)
        })?;
        Ok(true)
    }
}
