//! Policy sets of organisations for the doors, by version, and which is in force.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// A version, without its texts.
#[derive(Debug, Clone)]
pub(crate) struct SetRow {
    pub(crate) version: u64,
    pub(crate) reason: String,
    pub(crate) made_by: String,
    pub(crate) made_at: UnixTime,
    pub(crate) case_count: u64,
    pub(crate) tested_by: Option<String>,
    pub(crate) tested_at: Option<UnixTime>,
    pub(crate) failures: Option<u64>,
}

const COLUMNS: &str =
    "version, reason, made_by, made_at, case_count, tested_by, tested_at, failures";

fn read(row: &Row<'_>) -> rusqlite::Result<SetRow> {
    Ok(SetRow {
        version: row.get::<_, i64>(0)?.unsigned_abs(),
        reason: row.get(1)?,
        made_by: row.get(2)?,
        made_at: UnixTime(row.get(3)?),
        case_count: row.get::<_, i64>(4)?.unsigned_abs(),
        tested_by: row.get(5)?,
        tested_at: row.get::<_, Option<i64>>(6)?.map(UnixTime),
        failures: row.get::<_, Option<i64>>(7)?.map(i64::unsigned_abs),
    })
}

/// A version to be kept.
#[derive(Debug)]
pub(crate) struct NewSet {
    pub(crate) organisation: i64,
    pub(crate) policies: String,
    pub(crate) cases: String,
    pub(crate) digest: [u8; 32],
    pub(crate) reason: String,
    pub(crate) made_by: String,
    pub(crate) made_at: UnixTime,
    pub(crate) case_count: u64,
}

/// Keeps a version under the next number. Of those that never were in force, as many are kept as
/// `most` says, the newest.
pub(crate) fn insert(tx: &Tx<'_>, set: &NewSet, most: usize) -> Result<u64, ServiceError> {
    let version: i64 = tx
        .prepare_cached(
            "SELECT coalesce(max(version), 0) + 1 FROM policy_set WHERE organisation = ?1",
        )?
        .query_row([set.organisation], |row| row.get(0))?;
    tx.prepare_cached(
        "INSERT INTO policy_set
         (organisation, version, policies, cases, digest, reason, made_by, made_at, case_count)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        set.organisation,
        version,
        set.policies,
        set.cases,
        set.digest,
        set.reason,
        set.made_by,
        set.made_at.0,
        to_i64(set.case_count)
    ])?;
    tx.prepare_cached(
        "DELETE FROM policy_set WHERE organisation = ?1 AND version IN
         (SELECT version FROM policy_set AS old WHERE old.organisation = ?1 AND NOT EXISTS
              (SELECT 1 FROM policy_activation AS was
               WHERE was.organisation = ?1 AND was.version = old.version)
          ORDER BY version DESC LIMIT -1 OFFSET ?2)",
    )?
    .execute(params![set.organisation, limit_of(most)])?;
    Ok(version.unsigned_abs())
}

/// Versions of an organisation below one, the newest first.
pub(crate) fn sets(
    connection: &Connection,
    organisation: i64,
    before: i64,
    limit: usize,
) -> Result<Vec<SetRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM policy_set WHERE organisation = ?1 AND version < ?2
         ORDER BY version DESC LIMIT ?3"
    ))?;
    let rows = statement.query_map(params![organisation, before, limit_of(limit)], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One of them.
pub(crate) fn set(
    connection: &Connection,
    organisation: i64,
    version: u64,
) -> Result<Option<SetRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM policy_set WHERE organisation = ?1 AND version = ?2"
        ))?
        .query_row(params![organisation, to_i64(version)], read)
        .optional()?)
}

/// Policies and cases of a version, and the digest under which they were kept.
pub(crate) fn texts(
    connection: &Connection,
    organisation: i64,
    version: u64,
) -> Result<Option<(String, String, [u8; 32])>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT policies, cases, digest FROM policy_set
             WHERE organisation = ?1 AND version = ?2",
        )?
        .query_row(params![organisation, to_i64(version)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?)
}

/// Puts down that a version was tested; false where there is none.
pub(crate) fn set_tested(
    tx: &Tx<'_>,
    (organisation, version): (i64, u64),
    (by, at): (&str, UnixTime),
    failures: u64,
) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached(
            "UPDATE policy_set SET tested_by = ?3, tested_at = ?4, failures = ?5
             WHERE organisation = ?1 AND version = ?2",
        )?
        .execute(params![organisation, to_i64(version), by, at.0, to_i64(failures)])?;
    Ok(changed > 0)
}

/// What was put in force.
#[derive(Debug, Clone)]
pub(crate) struct ActivationRow {
    pub(crate) id: i64,
    pub(crate) version: Option<u64>,
    pub(crate) reason: String,
    pub(crate) by: String,
    pub(crate) at: UnixTime,
}

/// Activations before one, the newest first.
pub(crate) fn activations(
    connection: &Connection,
    organisation: i64,
    before: i64,
    limit: usize,
) -> Result<Vec<ActivationRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, version, reason, activated_by, activated_at FROM policy_activation
         WHERE organisation = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
    )?;
    let rows = statement.query_map(params![organisation, before, limit_of(limit)], |row| {
        Ok(ActivationRow {
            id: row.get(0)?,
            version: row.get::<_, Option<i64>>(1)?.map(i64::unsigned_abs),
            reason: row.get(2)?,
            by: row.get(3)?,
            at: UnixTime(row.get(4)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The version in force; `None` where none is.
pub(crate) fn in_force(
    connection: &Connection,
    organisation: i64,
) -> Result<Option<u64>, ServiceError> {
    Ok(activations(connection, organisation, i64::MAX, 1)?.pop().and_then(|row| row.version))
}

pub(crate) fn activate(
    tx: &Tx<'_>,
    (organisation, version): (i64, Option<u64>),
    (by, at): (&str, UnixTime),
    reason: &str,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO policy_activation (organisation, version, reason, activated_by, activated_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![organisation, version.map(to_i64), reason, by, at.0])?;
    Ok(())
}

/// Versions that are or were in force.
pub(crate) fn were_in_force(
    connection: &Connection,
    organisation: i64,
) -> Result<std::collections::BTreeSet<u64>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT version FROM policy_activation
         WHERE organisation = ?1 AND version IS NOT NULL",
    )?;
    let rows = statement.query_map([organisation], |row| row.get::<_, i64>(0))?;
    let rows = rows.map(|row| row.map(i64::unsigned_abs));
    Ok(rows.collect::<Result<_, _>>()?)
}
