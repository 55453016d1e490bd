//! What went through the doors for messages, in spans of five minutes.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, params};

/// Messages at a door in one span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TrafficRow {
    pub(crate) organisation: i64,
    /// when the span began
    pub(crate) at: UnixTime,
    pub(crate) door: u8,
    pub(crate) admitted: u64,
    pub(crate) refused: u64,
}

/// Adds to what is on record.
pub(crate) fn add(tx: &Tx<'_>, row: &TrafficRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO door_traffic VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (organisation, at, door) DO UPDATE SET
             admitted = admitted + excluded.admitted, refused = refused + excluded.refused",
    )?
    .execute(params![
        row.organisation,
        row.at.0,
        row.door,
        to_i64(row.admitted),
        to_i64(row.refused)
    ])?;
    Ok(())
}

/// What was counted of an organisation's devices from a time on, oldest first.
pub(crate) fn since(
    connection: &Connection,
    organisation: i64,
    from: UnixTime,
) -> Result<Vec<TrafficRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT at, door, admitted, refused FROM door_traffic
         WHERE organisation = ?1 AND at >= ?2 ORDER BY at, door",
    )?;
    let rows = statement.query_map(params![organisation, from.0], |row| {
        Ok(TrafficRow {
            organisation,
            at: UnixTime(row.get(0)?),
            door: row.get(1)?,
            admitted: row.get::<_, i64>(2)?.unsigned_abs(),
            refused: row.get::<_, i64>(3)?.unsigned_abs(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether there is anything from before a time.
pub(crate) fn is_stale(connection: &Connection, before: UnixTime) -> Result<bool, ServiceError> {
    let oldest: Option<i64> = connection
        .prepare_cached("SELECT at FROM door_traffic ORDER BY at LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(oldest.is_some_and(|oldest| oldest < before.0))
}

/// Forgets what is from before a time: at most so many rows; whether there may be more.
pub(crate) fn purge(tx: &Tx<'_>, before: UnixTime, limit: usize) -> Result<bool, ServiceError> {
    let gone = tx
        .prepare_cached(
            "DELETE FROM door_traffic WHERE (organisation, at, door) IN
             (SELECT organisation, at, door FROM door_traffic WHERE at < ?1 ORDER BY at LIMIT ?2)",
        )?
        .execute(params![before.0, limit_of(limit)])?;
    Ok(gone >= limit)
}
