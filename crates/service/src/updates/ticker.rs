//! What time brings about in campaigns: deadlines, stages that were watched long enough, members
//! that never asked.

use super::steps::{Around, Member, Moving};
use crate::{
    Service, ServiceError,
    live::Live,
    service::Inner,
    store::campaign::{self as store, Polled},
};
use std::{sync::Weak, time::Duration};
use update::campaign::{Outcome, Purpose, Record};

/// How often somebody looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// Actions per commit.
const DUE: usize = 100;
/// Slices per commit while members that never asked are looked for.
const SWEEP: usize = 16;
/// Most commits of one round, so that a round ends.
const ROUNDS_MAX: usize = 1_000;

/// Looks after campaigns until the service ends.
pub(crate) fn tend_campaigns(weak: &Weak<Inner>, live: &Live) {
    loop {
        if live.rest(INTERVAL) {
            return;
        }
        let Some(service) = Service::upgrade(weak) else { return };
        if let Err(error) = service.tend_campaigns_now() {
            tracing::warn!(%error, "campaigns were not looked after; they are tried again");
        }
    }
}

impl Service {
    /// Brings about what is due by now. On a thread of its own, once a second.
    ///
    /// # Errors
    /// Where the store fails.
    #[doc(hidden)]
    pub fn tend_campaigns_now(&self) -> Result<(), ServiceError> {
        for _ in 0..ROUNDS_MAX {
            let now = self.now();
            let due = self.read(|connection| store::due_actions(connection, now, DUE))?;
            if due.is_empty() {
                break;
            }
            let around = Around { service: self.clone(), now };
            let rows: Vec<i64> = due.iter().map(|row| row.id).collect();
            let together = around.clone();
            let done = self
                .store
                .writer
                .run_blocking(move |tx| rows.iter().try_for_each(|id| expire(tx, &together, *id)));
            if let Err(error) = done {
                // One that cannot be ended must not keep the others open.
                tracing::warn!(%error, "deadlines are looked after one by one");
                let mut ended = 0;
                for row in &due {
                    let (around, id) = (around.clone(), row.id);
                    match self.store.writer.run_blocking(move |tx| expire(tx, &around, id)) {
                        Ok(()) => ended += 1,
                        Err(error) => tracing::error!(%error, action = id, "not ended"),
                    }
                }
                if ended == 0 {
                    break;
                }
            }
        }
        let mut failed = Ok(());
        for campaign in self.read(store::all_under_way)? {
            if let Err(error) = self.tend_campaign(campaign) {
                tracing::error!(%error, campaign, "a campaign was not looked after");
                failed = failed.and(Err(error));
            }
        }
        failed
    }

    fn tend_campaign(&self, campaign: i64) -> Result<(), ServiceError> {
        for _ in 0..ROUNDS_MAX {
            let now = self.now();
            let mut moving = self.read(|connection| Moving::load(connection, campaign))?;
            let around = Around { service: self.clone(), now };
            let Some(stage) = moving.row.stands.overdue(&moving.plan, now) else {
                let before = moving.row.stands.clone();
                moving.row.stands.settle(&moving.plan, now);
                if moving.row.stands != before {
                    self.store
                        .writer
                        .run_blocking(move |tx| Moving::load(tx, campaign)?.settle(tx, &around))?;
                }
                return Ok(());
            };
            self.store.writer.run_blocking(move |tx| sweep(tx, &around, campaign, stage))?;
        }
        Ok(())
    }
}

/// Ends an action whose deadline has passed, unless it is over by now.
fn expire(tx: &mut crate::store::Tx<'_>, around: &Around, id: i64) -> Result<(), ServiceError> {
    let Some(row) = store::action(tx, id)?.filter(|row| row.over.is_none()) else { return Ok(()) };
    let mut moving = Moving::load(tx, row.campaign)?;
    let Some(device) = store::polled_by_row(tx, row.device)? else { return Ok(()) };
    let (stage, now) = (row.stage, around.now);
    let Some(record) = moving.row.stands.expire(stage, &row.action, now) else { return Ok(()) };
    moving.record(tx, around, &device, stage, Some(&row), &record, None, now)?;
    moving.settle(tx, around)
}

/// Looks through the next members for those of a stage that never asked.
fn sweep(
    tx: &mut crate::store::Tx<'_>,
    around: &Around,
    campaign: i64,
    stage: u8,
) -> Result<(), ServiceError> {
    let mut moving = Moving::load(tx, campaign)?;
    // Something else happened meanwhile.
    if moving.row.stands.overdue(&moving.plan, around.now) != Some(stage) {
        return Ok(());
    }
    let since = moving
        .row
        .stands
        .counts
        .get(usize::from(stage))
        .and_then(|counts| counts.opened_at)
        .unwrap_or(around.now);
    let slices = store::slices_after(tx, campaign, moving.row.swept, SWEEP)?;
    let Some((last, _)) = slices.last() else {
        // Those who are left were heard of and wait for their turn: they get as long again.
        if let Some(counts) = moving.row.stands.counts.get_mut(usize::from(stage)) {
            counts.opened_at = Some(around.now);
        }
        store::set_swept(tx, campaign, 0)?;
        return moving.settle(tx, around);
    };
    store::set_swept(tx, campaign, *last)?;
    for (_, members) in &slices {
        for member in Member::read_all(members).filter(|member| member.stage == stage) {
            let newest = store::newest_action(tx, campaign, member.row)?;
            let waits = newest.as_ref().is_none_or(|row| {
                matches!(
                    row.record(),
                    Record::Over { purpose: Purpose::Update, outcome: Outcome::Withdrawn, .. }
                )
            });
            let heard =
                store::software(tx, member.row)?.is_some_and(|software| software.seen_at >= since);
            if !waits || heard {
                continue;
            }
            let Some(device): Option<Polled> = store::polled_by_row(tx, member.row)? else {
                continue;
            };
            let record = moving.row.stands.never_asked(stage);
            moving.record(tx, around, &device, stage, None, &record, None, around.now)?;
        }
    }
    moving.settle(tx, around)
}
