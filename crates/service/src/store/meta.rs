//! Single values of the installation.

use crate::ServiceError;
use rusqlite::{Connection, OptionalExtension as _, params};

/// Origin of the log (C2SP tlog-checkpoint).
pub(crate) const ORIGIN: &str = "origin";
/// A sealed value that tells a wrong passphrase before anything else is tried.
pub(crate) const CANARY: &str = "canary";
/// Witnesses' verification keys, one per line.
pub(crate) const WITNESSES: &str = "witnesses";
/// How many witnesses must cosign a checkpoint.
pub(crate) const QUORUM: &str = "quorum";

pub(crate) fn value(connection: &Connection, key: &str) -> Result<Option<Vec<u8>>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?)
}

pub(crate) fn text(connection: &Connection, key: &str) -> Result<Option<String>, ServiceError> {
    let damaged = |_| ServiceError::fatal("store-damaged", "a setting in the store is not text");
    value(connection, key)?.map(|bytes| String::from_utf8(bytes).map_err(damaged)).transpose()
}

pub(crate) fn set(connection: &Connection, key: &str, value: &[u8]) -> Result<(), ServiceError> {
    connection
        .prepare_cached(
            "INSERT INTO meta (key, value) VALUES (?1, ?2)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )?
        .execute(params![key, value])?;
    Ok(())
}
