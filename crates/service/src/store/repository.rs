//! Image repositories: their keys and their signed metadata.

use super::Tx;
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
pub(crate) struct RepositoryRow {
    pub(crate) organisation: i64,
    pub(crate) open: bool,
    pub(crate) created_at: UnixTime,
    pub(crate) problem: Option<String>,
}

pub(crate) fn repository(
    connection: &Connection,
    organisation: i64,
) -> Result<Option<RepositoryRow>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT organisation, open, created_at, problem FROM repository
             WHERE organisation = ?1",
        )?
        .query_row([organisation], |row| {
            Ok(RepositoryRow {
                organisation: row.get(0)?,
                open: row.get(1)?,
                created_at: UnixTime(row.get(2)?),
                problem: row.get(3)?,
            })
        })
        .optional()?)
}

/// Organisations that have a repository.
pub(crate) fn organisations(connection: &Connection) -> Result<Vec<i64>, ServiceError> {
    let mut statement =
        connection.prepare_cached("SELECT organisation FROM repository ORDER BY organisation")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn insert_repository(
    tx: &mut Tx<'_>,
    organisation: i64,
    now: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO repository (organisation, open, created_at) VALUES (?1, 0, ?2)",
    )?
    .execute(params![organisation, now.0])?;
    Ok(())
}

pub(crate) fn set_open(tx: &mut Tx<'_>, organisation: i64, open: bool) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE repository SET open = ?2 WHERE organisation = ?1")?
        .execute(params![organisation, open])?;
    Ok(())
}

pub(crate) fn set_problem(
    tx: &mut Tx<'_>,
    organisation: i64,
    problem: Option<&str>,
) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE repository SET problem = ?2 WHERE organisation = ?1")?
        .execute(params![organisation, problem])?;
    Ok(())
}

/// A key that works online.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyOfRole {
    pub(crate) key: i64,
    pub(crate) role: u8,
}

/// An organisation's keys, oldest first; destroyed ones are none.
pub(crate) fn keys(
    connection: &Connection,
    organisation: i64,
) -> Result<Vec<KeyOfRole>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT repository_key.key, role FROM repository_key
         JOIN key ON key.id = repository_key.key
         WHERE organisation = ?1 AND sealed IS NOT NULL ORDER BY repository_key.key",
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
        "INSERT INTO repository_key (key, organisation, role, created_at) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![key, organisation, role, now.0])?;
    Ok(())
}

/// The metadata that count now: those that nothing has replaced.
pub(crate) fn files(
    connection: &Connection,
    organisation: i64,
) -> Result<BTreeMap<String, Vec<u8>>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT name, contents FROM repository_file
         WHERE organisation = ?1 AND replaced_at IS NULL",
    )?;
    let rows = statement.query_map([organisation], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One file, replaced or not.
pub(crate) fn file(
    connection: &Connection,
    organisation: i64,
    name: &str,
) -> Result<Option<Vec<u8>>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT contents FROM repository_file WHERE organisation = ?1 AND name = ?2",
        )?
        .query_row(params![organisation, name], |row| row.get(0))
        .optional()?)
}

/// Puts a file down, in place of one of this name.
pub(crate) fn put_file(
    tx: &mut Tx<'_>,
    organisation: i64,
    name: &str,
    contents: &[u8],
    now: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO repository_file (organisation, name, contents, published_at)
         VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (organisation, name) DO UPDATE SET contents = excluded.contents,
            published_at = excluded.published_at, replaced_at = NULL",
    )?
    .execute(params![organisation, name, contents, now.0])?;
    Ok(())
}

/// A newer version has replaced a file.
pub(crate) fn replace_file(
    tx: &mut Tx<'_>,
    organisation: i64,
    name: &str,
    now: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "UPDATE repository_file SET replaced_at = ?3 WHERE organisation = ?1 AND name = ?2",
    )?
    .execute(params![organisation, name, now.0])?;
    Ok(())
}

/// Forgets files that were replaced before a time.
pub(crate) fn forget_replaced(tx: &mut Tx<'_>, before: UnixTime) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM repository_file WHERE replaced_at < ?1")?.execute([before.0])?;
    Ok(())
}
