//! What the console's lists and figures rest on: verdicts given, offers, alarms, views.

use super::{Tx, organisation::limit_of, to_i64};
use crate::{SavedView, ServiceError};
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// A verdict on record.
#[derive(Debug, Clone)]
pub(crate) struct VerdictRow {
    pub(crate) outcome: u8,
    /// codes, separated by spaces
    pub(crate) reasons: String,
    pub(crate) at: UnixTime,
    pub(crate) expires: UnixTime,
}

#[derive(Debug, Clone)]
pub(crate) struct NewVerdict {
    pub(crate) device: i64,
    pub(crate) owner: i64,
    pub(crate) maker: i64,
    pub(crate) row: VerdictRow,
}

fn verdict_row(row: &Row<'_>) -> rusqlite::Result<VerdictRow> {
    Ok(VerdictRow {
        outcome: row.get(0)?,
        reasons: row.get(1)?,
        at: UnixTime(row.get(2)?),
        expires: UnixTime(row.get(3)?),
    })
}

pub(crate) fn last_verdict(
    connection: &Connection,
    device: i64,
) -> Result<Option<VerdictRow>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT outcome, reasons, at, expires FROM last_verdict WHERE device = ?1")?
        .query_row([device], verdict_row)
        .optional()?)
}

/// What a list shows of a device beside its own row.
pub(crate) struct LineRow {
    pub(crate) verdict: Option<VerdictRow>,
    pub(crate) offered_to: Option<i64>,
    pub(crate) alarm: bool,
}

pub(crate) fn line(connection: &Connection, device: i64) -> Result<LineRow, ServiceError> {
    Ok(LineRow {
        verdict: last_verdict(connection, device)?,
        offered_to: connection
            .prepare_cached("SELECT organisation FROM offer WHERE device = ?1")?
            .query_row([device], |row| row.get(0))
            .optional()?,
        alarm: connection
            .prepare_cached("SELECT 1 FROM alarm WHERE device = ?1")?
            .exists([device])?,
    })
}

/// Keeps the verdict of a device, unless the device was sold since: then it concerns nobody.
pub(crate) fn set_verdict(tx: &Tx<'_>, new: &NewVerdict) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO last_verdict (device, owner, maker, outcome, reasons, at, expires)
         SELECT id, owner, maker, ?3, ?4, ?5, ?6 FROM device
         WHERE id = ?1 AND owner = ?2 AND maker = ?7
         ON CONFLICT (device) DO UPDATE SET owner = excluded.owner, outcome = excluded.outcome,
             reasons = excluded.reasons, at = excluded.at, expires = excluded.expires",
    )?
    .execute(params![
        new.device,
        new.owner,
        new.row.outcome,
        new.row.reasons,
        new.row.at.0,
        new.row.expires.0,
        new.maker
    ])?;
    Ok(())
}

pub(crate) fn count_verdicts(
    tx: &Tx<'_>,
    organisation: i64,
    hour: i64,
    outcome: u8,
    count: u64,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO verdict_count (organisation, hour, outcome, count) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (organisation, hour, outcome) DO UPDATE SET count = count + excluded.count",
    )?
    .execute(params![organisation, hour, outcome, to_i64(count)])?;
    Ok(())
}

pub(crate) fn views(
    connection: &Connection,
    organisation: i64,
    whose: &str,
) -> Result<Vec<SavedView>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT name, query, saved_at FROM saved_view
         WHERE organisation = ?1 AND whose = ?2 ORDER BY name LIMIT 1000",
    )?;
    let rows = statement.query_map(params![organisation, whose], |row| {
        Ok(SavedView { name: row.get(0)?, query: row.get(1)?, saved_at: UnixTime(row.get(2)?) })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn save_view(
    tx: &Tx<'_>,
    organisation: i64,
    whose: &str,
    view: &SavedView,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO saved_view (organisation, whose, name, query, saved_at)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (organisation, whose, name) DO UPDATE
         SET query = excluded.query, saved_at = excluded.saved_at",
    )?
    .execute(params![organisation, whose, view.name, view.query, view.saved_at.0])?;
    Ok(())
}

/// Deletes a view; false where there is none.
pub(crate) fn delete_view(
    tx: &Tx<'_>,
    organisation: i64,
    whose: &str,
    name: &str,
) -> Result<bool, ServiceError> {
    let deleted = tx
        .prepare_cached(
            "DELETE FROM saved_view WHERE organisation = ?1 AND whose = ?2 AND name = ?3",
        )?
        .execute(params![organisation, whose, name])?;
    Ok(deleted == 1)
}

/// Devices of an owner by phase, or all.
pub(crate) fn count_phases(
    connection: &Connection,
    owner: Option<i64>,
) -> Result<Vec<(u8, u64)>, ServiceError> {
    match owner {
        Some(owner) => pairs(
            connection,
            "SELECT phase, count(*) FROM device WHERE owner = ?1 GROUP BY phase",
            [owner],
        ),
        None => pairs(connection, "SELECT phase, count(*) FROM device GROUP BY phase", []),
    }
}

/// Those that are suspended or revoked, by standing.
pub(crate) fn count_not_good(
    connection: &Connection,
    owner: Option<i64>,
) -> Result<Vec<(u8, u64)>, ServiceError> {
    match owner {
        Some(owner) => pairs(
            connection,
            "SELECT standing, count(*) FROM device WHERE owner = ?1 AND standing <> 1
             GROUP BY standing",
            [owner],
        ),
        None => pairs(
            connection,
            "SELECT standing, count(*) FROM device WHERE standing <> 1 GROUP BY standing",
            [],
        ),
    }
}

/// Devices by the last verdict.
pub(crate) fn count_outcomes(
    connection: &Connection,
    owner: Option<i64>,
) -> Result<Vec<(u8, u64)>, ServiceError> {
    match owner {
        Some(owner) => pairs(
            connection,
            "SELECT outcome, count(*) FROM last_verdict WHERE owner = ?1 GROUP BY outcome",
            [owner],
        ),
        None => {
            pairs(connection, "SELECT outcome, count(*) FROM last_verdict GROUP BY outcome", [])
        }
    }
}

fn pairs(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<(u8, u64)>, ServiceError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement
        .query_map(values, |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Verdicts by day since 1970 and outcome, from a day on.
pub(crate) fn count_days(
    connection: &Connection,
    organisation: Option<i64>,
    first: i64,
) -> Result<Vec<(i64, u8, u64)>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT hour / 24, outcome, sum(count) FROM verdict_count
         WHERE organisation BETWEEN ?1 AND ?2 AND hour >= ?3 GROUP BY hour / 24, outcome",
    )?;
    let (from, to) = organisation.map_or((i64::MIN, i64::MAX), |one| (one, one));
    let rows = statement.query_map(params![from, to, first.saturating_mul(24)], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs()))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// An event in a list of the newest.
pub(crate) struct NewestRow {
    pub(crate) device: [u8; 16],
    pub(crate) sequence: u64,
    pub(crate) kind: u8,
    pub(crate) at: UnixTime,
    pub(crate) reporter: i64,
    pub(crate) cose: Option<Vec<u8>>,
}

/// The newest events of an owner's devices, among the `looked_at` newest of all.
pub(crate) fn newest(
    connection: &Connection,
    owner: i64,
    looked_at: usize,
    most: usize,
) -> Result<Vec<NewestRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT device.device_id, event.sequence, event.kind, event.at, event.reporter, event.cose
         FROM event CROSS JOIN device ON device.id = event.device
         WHERE event.leaf > (SELECT coalesce(max(leaf), 0) FROM event) - ?2
           AND device.owner = ?1
         ORDER BY event.leaf DESC LIMIT ?3",
    )?;
    let values = params![owner, limit_of(looked_at), limit_of(most)];
    let rows = statement.query_map(values, |row| {
        Ok(NewestRow {
            device: row.get(0)?,
            sequence: row.get::<_, i64>(1)?.unsigned_abs(),
            kind: row.get(2)?,
            at: UnixTime(row.get(3)?),
            reporter: row.get(4)?,
            cose: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
