//! Streams of security events to receivers outside, and how far each has come.

use super::{Tx, log::AuditRow, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// A stream as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamRow {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) organisation: Option<String>,
    pub(crate) target: String,
    pub(crate) roots: Option<String>,
    pub(crate) authorization: Option<Vec<u8>>,
    pub(crate) paused: bool,
    pub(crate) revision: u64,
    pub(crate) created_at: UnixTime,
    pub(crate) created_by: String,
    pub(crate) starts_after: u64,
    pub(crate) at: Reached,
    pub(crate) delivered_at: Option<UnixTime>,
    pub(crate) failing_since: Option<UnixTime>,
    pub(crate) failure: Option<String>,
}

/// The last event that a receiver has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) sequence: u64,
    pub(crate) number: u64,
}

const COLUMNS: &str = "id, name, organisation, target, roots, authorization, paused, revision,
    created_at, created_by, starts_after, sequence, number, delivered_at, failing_since, failure";

fn row(row: &Row<'_>) -> rusqlite::Result<StreamRow> {
    let unsigned = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
    Ok(StreamRow {
        id: row.get(0)?,
        name: row.get(1)?,
        organisation: row.get(2)?,
        target: row.get(3)?,
        roots: row.get(4)?,
        authorization: row.get(5)?,
        paused: row.get(6)?,
        revision: unsigned(7)?,
        created_at: UnixTime(row.get(8)?),
        created_by: row.get(9)?,
        starts_after: unsigned(10)?,
        at: Reached { sequence: unsigned(11)?, number: unsigned(12)? },
        delivered_at: row.get::<_, Option<i64>>(13)?.map(UnixTime),
        failing_since: row.get::<_, Option<i64>>(14)?.map(UnixTime),
        failure: row.get(15)?,
    })
}

/// All of them; there are few.
pub(crate) fn streams(connection: &Connection) -> Result<Vec<StreamRow>, ServiceError> {
    let sql = format!("SELECT {COLUMNS} FROM audit_stream ORDER BY name");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn stream(
    connection: &Connection,
    name: &str,
) -> Result<Option<StreamRow>, ServiceError> {
    let sql = format!("SELECT {COLUMNS} FROM audit_stream WHERE name = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([name], row).optional()?)
}

pub(crate) fn stream_of_id(
    connection: &Connection,
    id: i64,
) -> Result<Option<StreamRow>, ServiceError> {
    let sql = format!("SELECT {COLUMNS} FROM audit_stream WHERE id = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([id], row).optional()?)
}

/// Adds a stream; its id is given.
pub(crate) fn insert(tx: &Tx<'_>, row: &StreamRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO audit_stream (name, organisation, target, roots, authorization, paused,
            revision, created_at, created_by, starts_after, sequence, number)
         VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, ?6, ?7, ?8, ?8, 0)",
    )?
    .execute(params![
        row.name,
        row.organisation,
        row.target,
        row.roots,
        row.authorization,
        row.created_at.0,
        row.created_by,
        to_i64(row.starts_after),
    ])?;
    Ok(())
}

/// Whether there was one of this name.
pub(crate) fn pause(tx: &Tx<'_>, name: &str, paused: bool) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached(
            "UPDATE audit_stream SET paused = ?2, revision = revision + 1,
                failing_since = NULL, failure = NULL WHERE name = ?1",
        )?
        .execute(params![name, paused])?;
    Ok(changed == 1)
}

/// Whether there was one of this name.
pub(crate) fn delete(tx: &Tx<'_>, name: &str) -> Result<bool, ServiceError> {
    Ok(tx.prepare_cached("DELETE FROM audit_stream WHERE name = ?1")?.execute([name])? == 1)
}

/// Moves a stream on, where it still stands where it stood.
pub(crate) fn reach(
    tx: &Tx<'_>,
    id: i64,
    from: Reached,
    to: Reached,
    at: UnixTime,
) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached(
            "UPDATE audit_stream SET sequence = ?3, number = ?4, delivered_at = ?5,
                failing_since = NULL, failure = NULL WHERE id = ?1 AND number = ?2",
        )?
        .execute(params![id, to_i64(from.number), to_i64(to.sequence), to_i64(to.number), at.0])?;
    Ok(changed == 1)
}

/// Notes why a receiver has nothing; since when stays. Whether there is such a stream.
pub(crate) fn fail(tx: &Tx<'_>, id: i64, why: &str, at: UnixTime) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached(
            "UPDATE audit_stream SET failure = ?2, failing_since = coalesce(failing_since, ?3)
             WHERE id = ?1",
        )?
        .execute(params![id, why, at.0])?;
    Ok(changed == 1)
}

/// Events after `after`, of all organisations or of one; at most so many.
pub(crate) fn events(
    connection: &Connection,
    organisation: Option<&str>,
    after: u64,
    limit: usize,
) -> Result<Vec<AuditRow>, ServiceError> {
    super::log::audit_rows(connection, organisation, None, after, limit)
}

/// How many events of a stream lie between two places; counting ends at `most`.
pub(crate) fn between(
    connection: &Connection,
    organisation: Option<&str>,
    after: u64,
    until: u64,
    most: u64,
) -> Result<u64, ServiceError> {
    let Some(organisation) = organisation else {
        return Ok(until.saturating_sub(after).min(most));
    };
    let most = limit_of(usize::try_from(most).unwrap_or(usize::MAX));
    let count: i64 = connection
        .prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM audit
             WHERE organisation = ?1 AND seq > ?2 AND seq <= ?3 LIMIT ?4)",
        )?
        .query_row(params![organisation, to_i64(after), to_i64(until), most], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}
