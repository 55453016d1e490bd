//! Versions of timestamps that are given out, and devices that see older ones.

use super::{Tx, to_i64};
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, params};

/// Versions of a repository's timestamps that are remembered: years, as each lives for half a day.
const KEPT: i64 = 4_096;

/// Notes that a version of an image repository's timestamp is given out from now on.
pub(crate) fn serve(
    tx: &mut Tx<'_>,
    organisation: i64,
    version: u64,
    now: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO timestamp_served (organisation, version, since) VALUES (?1, ?2, ?3)",
    )?
    .execute(params![organisation, to_i64(version), now.0])?;
    tx.prepare_cached("DELETE FROM timestamp_served WHERE organisation = ?1 AND version <= ?2")?
        .execute(params![organisation, to_i64(version).saturating_sub(KEPT)])?;
    Ok(())
}

/// Since when there is something newer than a version: the version after it and its time.
pub(crate) fn served_after(
    connection: &Connection,
    organisation: i64,
    version: u64,
) -> Result<Option<UnixTime>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT since FROM timestamp_served WHERE organisation = ?1 AND version > ?2
             ORDER BY version LIMIT 1",
        )?
        .query_row(params![organisation, to_i64(version)], |row| row.get(0).map(UnixTime))
        .optional()?)
}

/// The newest version that is given out since before `by`.
pub(crate) fn served_by(
    connection: &Connection,
    organisation: i64,
    by: UnixTime,
) -> Result<Option<u64>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT version FROM timestamp_served WHERE organisation = ?1 AND since <= ?2
             ORDER BY version DESC LIMIT 1",
        )?
        .query_row(params![organisation, by.0], |row| row.get(0).map(i64::unsigned_abs))
        .optional()?)
}

/// A device that is fed older metadata than are given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrozenRow {
    pub(crate) organisation: i64,
    pub(crate) director: bool,
    /// who owned it then
    pub(crate) owner: i64,
    pub(crate) version: u64,
    pub(crate) newest: u64,
    pub(crate) behind_since: UnixTime,
    pub(crate) noted_at: UnixTime,
}

pub(crate) fn frozen(connection: &Connection, device: i64) -> Result<Vec<FrozenRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT organisation, director, owner, version, newest, behind_since, noted_at
         FROM device_frozen WHERE device = ?1",
    )?;
    let rows = statement.query_map([device], |row| {
        Ok(FrozenRow {
            organisation: row.get(0)?,
            director: row.get(1)?,
            owner: row.get(2)?,
            version: row.get::<_, i64>(3)?.unsigned_abs(),
            newest: row.get::<_, i64>(4)?.unsigned_abs(),
            behind_since: UnixTime(row.get(5)?),
            noted_at: UnixTime(row.get(6)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn set_frozen(
    tx: &mut Tx<'_>,
    device: i64,
    row: &FrozenRow,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO device_frozen
             (device, organisation, director, owner, version, newest, behind_since, noted_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        device,
        row.organisation,
        row.director,
        row.owner,
        to_i64(row.version),
        to_i64(row.newest),
        row.behind_since.0,
        row.noted_at.0
    ])?;
    Ok(())
}

pub(crate) fn forget_frozen(
    tx: &mut Tx<'_>,
    device: i64,
    organisation: i64,
    director: bool,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "DELETE FROM device_frozen WHERE device = ?1 AND organisation = ?2 AND director = ?3",
    )?
    .execute(params![device, organisation, director])?;
    Ok(())
}
