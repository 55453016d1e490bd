//! The audit chain's rows and its anchors in the ledger.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::Sha256;
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter, types::Value};

#[derive(Debug, Clone)]
pub(crate) struct AuditRow {
    pub(crate) sequence: u64,
    pub(crate) event: Vec<u8>,
    pub(crate) hash: Sha256,
}

/// Rows after `after`, of all organisations or one, of all kinds or one.
pub(crate) fn audit_rows(
    connection: &Connection,
    organisation: Option<&str>,
    kind: Option<&str>,
    after: u64,
    limit: usize,
) -> Result<Vec<AuditRow>, ServiceError> {
    let mut values = vec![Value::Integer(to_i64(after))];
    let mut sql = "SELECT seq, event, hash FROM audit WHERE seq > ?1".to_owned();
    for (column, value) in [("organisation", organisation), ("kind", kind)] {
        if let Some(value) = value {
            values.push(Value::Text(value.to_owned()));
            sql.push_str(&format!(" AND {column} = ?{}", values.len()));
        }
    }
    values.push(Value::Integer(limit_of(limit)));
    sql.push_str(&format!(" ORDER BY seq LIMIT ?{}", values.len()));
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| {
        Ok(AuditRow {
            sequence: row.get::<_, i64>(0)?.unsigned_abs(),
            event: row.get(1)?,
            hash: Sha256(row.get(2)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What rows are wanted when the log is read backwards.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuditFilter {
    pub(crate) organisation: Option<String>,
    pub(crate) kind: Option<&'static str>,
    /// first second
    pub(crate) from: Option<i64>,
    /// first second that is too late
    pub(crate) until: Option<i64>,
}

/// Rows before `before`, newest first.
pub(crate) fn audit_rows_back(
    connection: &Connection,
    filter: &AuditFilter,
    before: u64,
    limit: usize,
) -> Result<Vec<AuditRow>, ServiceError> {
    let mut before = to_i64(before);
    if filter.from.is_some() || filter.until.is_some() {
        // Where the time begins and ends, by the index of times alone. Clocks are set back at times,
        // so that each row is looked at all the same.
        let range = (filter.from.unwrap_or(i64::MIN), filter.until.unwrap_or(i64::MAX));
        let newest: Option<i64> = connection
            .prepare_cached(
                "SELECT max(seq) FROM audit INDEXED BY audit_by_time WHERE at >= ?1 AND at < ?2",
            )?
            .query_row([range.0, range.1], |row| row.get(0))?;
        let Some(newest) = newest else { return Ok(Vec::new()) };
        before = before.min(newest.saturating_add(1));
    }
    let mut values = vec![Value::Integer(before)];
    let mut sql = "SELECT seq, event, hash FROM audit WHERE seq < ?1".to_owned();
    // One organisation's events are fewer than all of a kind: its index leads. The plus keeps the
    // planner from the other one.
    let kind = if filter.organisation.is_some() { "+kind =" } else { "kind =" };
    let conditions = [
        ("organisation =", filter.organisation.clone().map(Value::Text)),
        (kind, filter.kind.map(|kind| Value::Text(kind.to_owned()))),
        ("+at >=", filter.from.map(Value::Integer)),
        ("+at <", filter.until.map(Value::Integer)),
    ];
    for (condition, value) in conditions {
        if let Some(value) = value {
            values.push(value);
            sql.push_str(&format!(" AND {condition} ?{}", values.len()));
        }
    }
    values.push(Value::Integer(limit_of(limit)));
    sql.push_str(&format!(" ORDER BY seq DESC LIMIT ?{}", values.len()));
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| {
        Ok(AuditRow {
            sequence: row.get::<_, i64>(0)?.unsigned_abs(),
            event: row.get(1)?,
            hash: Sha256(row.get(2)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[derive(Debug, Clone)]
pub(crate) struct AuditLeafRow {
    pub(crate) leaf: u64,
    pub(crate) sequence: u64,
    pub(crate) salt: [u8; 32],
}

pub(crate) fn audit_leaves(
    connection: &Connection,
    from: u64,
    limit: usize,
) -> Result<Vec<AuditLeafRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT leaf, seq, salt FROM audit_leaf WHERE leaf >= ?1 ORDER BY leaf LIMIT ?2",
    )?;
    let rows = statement.query_map(params![to_i64(from), limit_of(limit)], |row| {
        Ok(AuditLeafRow {
            leaf: row.get::<_, i64>(0)?.unsigned_abs(),
            sequence: row.get::<_, i64>(1)?.unsigned_abs(),
            salt: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Number of the last security event that the ledger holds a head for.
pub(crate) fn anchored(connection: &Connection) -> Result<u64, ServiceError> {
    let last: Option<i64> = connection
        .prepare_cached("SELECT seq FROM audit_leaf ORDER BY leaf DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(last.unwrap_or(0).unsigned_abs())
}

pub(crate) fn insert_audit_leaf(
    tx: &Tx<'_>,
    leaf: u64,
    sequence: u64,
    salt: &[u8; 32],
) -> Result<(), ServiceError> {
    tx.prepare_cached("INSERT INTO audit_leaf (leaf, seq, salt) VALUES (?1, ?2, ?3)")?
        .execute(params![to_i64(leaf), to_i64(sequence), salt])?;
    Ok(())
}

pub(crate) fn audit_hash(
    connection: &Connection,
    sequence: u64,
) -> Result<Option<Sha256>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT hash FROM audit WHERE seq = ?1")?
        .query_row([to_i64(sequence)], |row| row.get(0))
        .optional()?
        .map(Sha256))
}
