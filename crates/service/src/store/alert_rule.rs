//! Rules of organisations that are not as they are built in, how far the log was looked at, and what
//! organisations chose.

use super::{Tx, to_i64};
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// A rule as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AlertRuleRow {
    pub(crate) name: String,
    pub(crate) rule: String,
    pub(crate) revision: u64,
    pub(crate) changed_at: UnixTime,
    pub(crate) changed_by: String,
}

fn row(row: &Row<'_>) -> rusqlite::Result<AlertRuleRow> {
    Ok(AlertRuleRow {
        name: row.get(0)?,
        rule: row.get(1)?,
        revision: row.get::<_, i64>(2)?.unsigned_abs(),
        changed_at: UnixTime(row.get(3)?),
        changed_by: row.get(4)?,
    })
}

/// All of an organisation; there are few.
pub(crate) fn rules(
    connection: &Connection,
    organisation: i64,
) -> Result<Vec<AlertRuleRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT name, rule, revision, changed_at, changed_by FROM alert_rule
         WHERE organisation = ?1 ORDER BY name",
    )?;
    let rows = statement.query_map([organisation], row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Puts a rule in; its revision is one more than before.
pub(crate) fn put_rule(
    tx: &Tx<'_>,
    organisation: i64,
    row: &AlertRuleRow,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO alert_rule (organisation, name, rule, revision, changed_at, changed_by)
         VALUES (?1, ?2, ?3, 1, ?4, ?5)
         ON CONFLICT (organisation, name) DO UPDATE SET rule = excluded.rule,
            revision = revision + 1, changed_at = excluded.changed_at,
            changed_by = excluded.changed_by",
    )?
    .execute(params![organisation, row.name, row.rule, row.changed_at.0, row.changed_by])?;
    Ok(())
}

/// Whether there was one of this name.
pub(crate) fn delete_rule(
    tx: &Tx<'_>,
    organisation: i64,
    name: &str,
) -> Result<bool, ServiceError> {
    let sql = "DELETE FROM alert_rule WHERE organisation = ?1 AND name = ?2";
    Ok(tx.prepare_cached(sql)?.execute(params![organisation, name])? == 1)
}

/// How many devices of an organisation may go into quarantine by themselves within an hour, where it
/// chose.
pub(crate) fn quarantine_per_hour(
    connection: &Connection,
    organisation: i64,
) -> Result<Option<u32>, ServiceError> {
    let sql = "SELECT quarantine_per_hour FROM alert_setting WHERE organisation = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([organisation], |row| row.get(0)).optional()?)
}

pub(crate) fn set_quarantine_per_hour(
    tx: &Tx<'_>,
    organisation: i64,
    most: u32,
    (at, by): (UnixTime, &str),
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO alert_setting (organisation, quarantine_per_hour, changed_at, changed_by)
         VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (organisation) DO UPDATE SET quarantine_per_hour = excluded.quarantine_per_hour,
            changed_at = excluded.changed_at, changed_by = excluded.changed_by",
    )?
    .execute(params![organisation, most, at.0, by])?;
    Ok(())
}

/// Up to which security event rules have been held against the log.
pub(crate) fn cursor(connection: &Connection) -> Result<u64, ServiceError> {
    let seq: i64 = connection
        .prepare_cached("SELECT seq FROM alert_cursor")?
        .query_row([], |row| row.get(0))?;
    Ok(seq.unsigned_abs())
}

/// Moves it on, where it still stands where it stood.
pub(crate) fn move_cursor(tx: &Tx<'_>, from: u64, to: u64) -> Result<bool, ServiceError> {
    let sql = "UPDATE alert_cursor SET seq = ?2 WHERE seq = ?1";
    Ok(tx.prepare_cached(sql)?.execute(params![to_i64(from), to_i64(to)])? == 1)
}

/// The place before the first security event since a time, and not before another place.
pub(crate) fn place_before(
    connection: &Connection,
    since: UnixTime,
    not_before: u64,
) -> Result<u64, ServiceError> {
    let first: Option<i64> = connection
        .prepare_cached("SELECT min(seq) FROM audit INDEXED BY audit_by_time WHERE at >= ?1")?
        .query_row([since.0], |row| row.get(0))?;
    Ok(first.map_or(not_before, |first| first.unsigned_abs().saturating_sub(1)).max(not_before))
}
