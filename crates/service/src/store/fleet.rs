//! What the console's lists and figures rest on: verdicts given, offers, alarms, views.

use super::{Tx, to_i64};
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
