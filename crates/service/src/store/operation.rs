//! What organisations ask of product lines before operation, which are in operation, and what became
//! of it.

use super::{Tx, organisation::limit_of};
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, params};

/// What an organisation asks for.
#[derive(Debug, Clone)]
pub(crate) struct PolicyRow {
    pub(crate) required: bool,
    pub(crate) weight: u8,
    /// JSON
    pub(crate) items: String,
    pub(crate) signed: bool,
    pub(crate) changed_by: String,
    pub(crate) changed_at: UnixTime,
}

pub(crate) fn policy(
    connection: &Connection,
    organisation: i64,
) -> Result<Option<PolicyRow>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT required, weight, items, signed, changed_by, changed_at
             FROM operation_policy WHERE organisation = ?1",
        )?
        .query_row([organisation], |row| {
            Ok(PolicyRow {
                required: row.get(0)?,
                weight: row.get(1)?,
                items: row.get(2)?,
                signed: row.get(3)?,
                changed_by: row.get(4)?,
                changed_at: UnixTime(row.get(5)?),
            })
        })
        .optional()?)
}

pub(crate) fn set_policy(
    tx: &Tx<'_>,
    organisation: i64,
    policy: &PolicyRow,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO operation_policy (organisation, required, weight, items, signed, changed_by,
                                       changed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (organisation) DO UPDATE SET required = ?2, weight = ?3, items = ?4,
             signed = ?5, changed_by = ?6, changed_at = ?7",
    )?
    .execute(params![
        organisation,
        policy.required,
        policy.weight,
        policy.items,
        policy.signed,
        policy.changed_by,
        policy.changed_at.0
    ])?;
    Ok(())
}

/// A product line in operation.
#[derive(Debug, Clone)]
pub(crate) struct OperationRow {
    pub(crate) since: UnixTime,
    pub(crate) until: Option<UnixTime>,
    pub(crate) diagnosis: Option<i64>,
    /// JSON
    pub(crate) open: String,
    pub(crate) reason: Option<String>,
    pub(crate) by: String,
    pub(crate) approved_by: Option<String>,
}

pub(crate) fn operation(
    connection: &Connection,
    product: i64,
) -> Result<Option<OperationRow>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT since, until, diagnosis, open, reason, by, approved_by FROM operation
             WHERE product = ?1",
        )?
        .query_row([product], |row| {
            Ok(OperationRow {
                since: UnixTime(row.get(0)?),
                until: row.get::<_, Option<i64>>(1)?.map(UnixTime),
                diagnosis: row.get(2)?,
                open: row.get(3)?,
                reason: row.get(4)?,
                by: row.get(5)?,
                approved_by: row.get(6)?,
            })
        })
        .optional()?)
}

pub(crate) fn enter(tx: &Tx<'_>, product: i64, row: &OperationRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO operation (product, since, until, diagnosis, open, reason, by,
                                           approved_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        product,
        row.since.0,
        row.until.map(|until| until.0),
        row.diagnosis,
        row.open,
        row.reason,
        row.by,
        row.approved_by
    ])?;
    Ok(())
}

/// Takes a product line out of operation; false where it is in none.
pub(crate) fn leave(tx: &Tx<'_>, product: i64) -> Result<bool, ServiceError> {
    Ok(tx.prepare_cached("DELETE FROM operation WHERE product = ?1")?.execute([product])? > 0)
}

/// A line of the history.
#[derive(Debug, Clone)]
pub(crate) struct LogRow {
    pub(crate) id: i64,
    pub(crate) product: Option<i64>,
    pub(crate) at: UnixTime,
    pub(crate) by: String,
    pub(crate) what: String,
    pub(crate) detail: String,
}

pub(crate) fn log(tx: &Tx<'_>, organisation: i64, line: &LogRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO operation_log (organisation, product, at, by, what, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        organisation,
        line.product,
        line.at.0,
        line.by,
        line.what,
        line.detail
    ])?;
    Ok(())
}

/// The history of an organisation, newest first, before a row.
pub(crate) fn history(
    connection: &Connection,
    organisation: i64,
    before: i64,
    limit: usize,
) -> Result<Vec<LogRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, product, at, by, what, detail FROM operation_log
         WHERE organisation = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
    )?;
    let rows = statement.query_map(params![organisation, before, limit_of(limit)], |row| {
        Ok(LogRow {
            id: row.get(0)?,
            product: row.get(1)?,
            at: UnixTime(row.get(2)?),
            by: row.get(3)?,
            what: row.get(4)?,
            detail: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
