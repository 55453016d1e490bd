//! Directors: their keys, their roots, what each device was given last.

use super::{Tx, to_i64};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use rusqlite::{Connection, OptionalExtension as _, params};

#[derive(Debug, Clone, Copy)]
pub(crate) struct DirectorRow {
    pub(crate) life_s: i64,
    pub(crate) created_at: UnixTime,
}

pub(crate) fn director(
    connection: &Connection,
    organisation: i64,
) -> Result<Option<DirectorRow>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT life_s, created_at FROM director WHERE organisation = ?1")?
        .query_row([organisation], |row| {
            Ok(DirectorRow { life_s: row.get(0)?, created_at: UnixTime(row.get(1)?) })
        })
        .optional()?)
}

pub(crate) fn insert_director(
    tx: &mut Tx<'_>,
    organisation: i64,
    life_s: i64,
    now: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO director (organisation, life_s, created_at) VALUES (?1, ?2, ?3)",
    )?
    .execute(params![organisation, life_s, now.0])?;
    Ok(())
}

pub(crate) fn set_life(
    tx: &mut Tx<'_>,
    organisation: i64,
    life_s: i64,
) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE director SET life_s = ?2 WHERE organisation = ?1")?
        .execute(params![organisation, life_s])?;
    Ok(())
}

/// A key that works online.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyOfRole {
    pub(crate) key: i64,
    pub(crate) role: u8,
}

/// A director's keys, oldest first; destroyed ones are none.
pub(crate) fn keys(
    connection: &Connection,
    organisation: i64,
) -> Result<Vec<KeyOfRole>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT director_key.key, role FROM director_key
         JOIN key ON key.id = director_key.key
         WHERE organisation = ?1 AND sealed IS NOT NULL ORDER BY director_key.key",
    )?;
    let rows = statement
        .query_map([organisation], |row| Ok(KeyOfRole { key: row.get(0)?, role: row.get(1)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn insert_key(
    tx: &mut Tx<'_>,
    organisation: i64,
    key: i64,
    role: u8,
    now: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO director_key (key, organisation, role, created_at) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![key, organisation, role, now.0])?;
    Ok(())
}

/// The newest root.
pub(crate) fn newest_root(
    connection: &Connection,
    organisation: i64,
) -> Result<Option<Vec<u8>>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT contents FROM director_root WHERE organisation = ?1
             ORDER BY version DESC LIMIT 1",
        )?
        .query_row([organisation], |row| row.get(0))
        .optional()?)
}

/// A root of a version.
pub(crate) fn root(
    connection: &Connection,
    organisation: i64,
    version: u64,
) -> Result<Option<Vec<u8>>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT contents FROM director_root WHERE organisation = ?1 AND version = ?2",
        )?
        .query_row(params![organisation, to_i64(version)], |row| row.get(0))
        .optional()?)
}

pub(crate) fn insert_root(
    tx: &mut Tx<'_>,
    organisation: i64,
    version: u64,
    contents: &[u8],
    now: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO director_root (organisation, version, contents, published_at)
         VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![organisation, to_i64(version), contents, now.0])?;
    Ok(())
}

/// What a device was given last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) version: u64,
    pub(crate) digest: Sha256,
    pub(crate) expires: UnixTime,
    pub(crate) issued_at: UnixTime,
}

pub(crate) fn given(
    connection: &Connection,
    organisation: i64,
    device: i64,
) -> Result<Option<Given>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT version, digest, expires, issued_at FROM director_given
             WHERE organisation = ?1 AND device = ?2",
        )?
        .query_row([organisation, device], |row| {
            Ok(Given {
                version: row.get::<_, i64>(0)?.unsigned_abs(),
                digest: Sha256(row.get(1)?),
                expires: UnixTime(row.get(2)?),
                issued_at: UnixTime(row.get(3)?),
            })
        })
        .optional()?)
}

pub(crate) fn set_given(
    tx: &mut Tx<'_>,
    organisation: i64,
    device: i64,
    given: &Given,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO director_given (organisation, device, version, digest, expires, issued_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (organisation, device) DO UPDATE SET version = excluded.version,
            digest = excluded.digest, expires = excluded.expires, issued_at = excluded.issued_at",
    )?
    .execute(params![
        organisation,
        device,
        to_i64(given.version),
        given.digest.as_bytes(),
        given.expires.0,
        given.issued_at.0
    ])?;
    Ok(())
}
