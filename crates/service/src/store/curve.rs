//! How the members of a campaign stood over time.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, params};
use update::campaign::{Campaign, Counts};

/// Least seconds between two moments.
const APART_S: i64 = 10;
/// Moments are this part of the age apart, so that their number grows with its logarithm: some 1,200
/// in 90 days.
const PART: i64 = 120;

/// The counts of all stages together.
pub(crate) fn sum(counts: &[Counts]) -> Counts {
    counts.iter().fold(Counts::default(), |sum, one| Counts {
        total: sum.total.saturating_add(one.total),
        open: sum.open.saturating_add(one.open),
        succeeded: sum.succeeded.saturating_add(one.succeeded),
        failed: sum.failed.saturating_add(one.failed),
        skipped: sum.skipped.saturating_add(one.skipped),
        cancelled: sum.cancelled.saturating_add(one.cancelled),
        rolling_back: sum.rolling_back.saturating_add(one.rolling_back),
        rolled_back: sum.rolled_back.saturating_add(one.rolled_back),
        stranded: sum.stranded.saturating_add(one.stranded),
        waived: sum.waived.saturating_add(one.waived),
        opened_at: sum.opened_at.or(one.opened_at),
    })
}

/// Keeps how the members stand at a moment, where something changed and the last one is long enough
/// ago; the first and those at which the campaign itself changes its state always.
pub(super) fn take(
    tx: &Tx<'_>,
    campaign: i64,
    before: &Campaign,
    now: &Campaign,
    at: UnixTime,
) -> Result<(), ServiceError> {
    let turned = before.state != now.state;
    if !turned && before.counts == now.counts {
        return Ok(());
    }
    let (first, last): (Option<i64>, Option<i64>) = tx
        .prepare_cached("SELECT min(at), max(at) FROM campaign_moment WHERE campaign = ?1")?
        .query_row([campaign], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if let (Some(first), Some(last), false) = (first, last, turned) {
        let apart = at.0.saturating_sub(first).saturating_div(PART).max(APART_S);
        if at.0 < last.saturating_add(apart) {
            return Ok(());
        }
    }
    let counts = sum(&now.counts);
    tx.prepare_cached(
        "INSERT OR REPLACE INTO campaign_moment VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        campaign,
        at.0,
        to_i64(counts.open),
        to_i64(counts.succeeded),
        to_i64(counts.failed),
        to_i64(counts.skipped),
        to_i64(counts.cancelled),
        to_i64(counts.rolling_back),
        to_i64(counts.rolled_back),
        to_i64(counts.stranded)
    ])?;
    Ok(())
}

/// What was kept, the oldest first.
pub(crate) fn moments(
    connection: &Connection,
    campaign: i64,
    limit: usize,
) -> Result<Vec<(UnixTime, Counts)>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT at, open, succeeded, failed, skipped, cancelled, rolling_back, rolled_back, stranded
         FROM campaign_moment WHERE campaign = ?1 ORDER BY at LIMIT ?2",
    )?;
    let rows = statement.query_map(params![campaign, limit_of(limit)], |row| {
        let number = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
        let counts = Counts {
            open: number(1)?,
            succeeded: number(2)?,
            failed: number(3)?,
            skipped: number(4)?,
            cancelled: number(5)?,
            rolling_back: number(6)?,
            rolled_back: number(7)?,
            stranded: number(8)?,
            ..Counts::default()
        };
        Ok((UnixTime(row.get(0)?), counts))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many devices a maker may not update, for want of their owners' consent.
pub(crate) fn without_consent(
    connection: &Connection,
    maker: i64,
    product: i64,
) -> Result<bool, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT 1 FROM device WHERE maker = ?1 AND product = ?2 AND owner <> ?1 AND phase < 8
               AND NOT EXISTS (SELECT 1 FROM update_consent c
                               WHERE c.owner = device.owner AND c.product = ?2) LIMIT 1",
        )?
        .query_row([maker, product], |_| Ok(()))
        .optional()?
        .is_some())
}
