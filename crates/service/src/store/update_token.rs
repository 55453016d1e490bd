//! How devices come through the hawkBit DDI door: settings and tokens.

use super::{Tx, organisation::limit_of};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// Settings of an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DoorRow {
    pub(crate) tokens: bool,
    pub(crate) closed_confirms: bool,
    /// seconds
    pub(crate) poll_s: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenRow {
    pub(crate) digest: Sha256,
    pub(crate) organisation: i64,
    pub(crate) kind: u8,
    pub(crate) name: String,
    pub(crate) granted_at: UnixTime,
    pub(crate) granted_by: String,
    pub(crate) expires_at: UnixTime,
}

pub(crate) fn door(
    connection: &Connection,
    organisation: i64,
) -> Result<Option<DoorRow>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT tokens, closed_confirms, poll_s FROM update_door WHERE organisation = ?1",
        )?
        .query_row([organisation], |row| {
            Ok(DoorRow { tokens: row.get(0)?, closed_confirms: row.get(1)?, poll_s: row.get(2)? })
        })
        .optional()?)
}

pub(crate) fn set_door(tx: &Tx<'_>, organisation: i64, row: &DoorRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO update_door (organisation, tokens, closed_confirms, poll_s)
         VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (organisation) DO UPDATE SET tokens = excluded.tokens,
            closed_confirms = excluded.closed_confirms, poll_s = excluded.poll_s",
    )?
    .execute(params![organisation, row.tokens, row.closed_confirms, row.poll_s])?;
    Ok(())
}

fn token_row(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    Ok(TokenRow {
        digest: Sha256(row.get(0)?),
        organisation: row.get(1)?,
        kind: row.get(2)?,
        name: row.get(3)?,
        granted_at: UnixTime(row.get(4)?),
        granted_by: row.get(5)?,
        expires_at: UnixTime(row.get(6)?),
    })
}

pub(crate) fn token(
    connection: &Connection,
    digest: &Sha256,
) -> Result<Option<TokenRow>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT digest, organisation, kind, name, granted_at, granted_by, expires_at
             FROM update_token WHERE digest = ?1",
        )?
        .query_row([digest.as_bytes()], token_row)
        .optional()?)
}

/// Whether a token speaks for a device.
pub(crate) fn covers(
    connection: &Connection,
    digest: &Sha256,
    device: i64,
) -> Result<bool, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM update_token_device WHERE digest = ?1 AND device = ?2")?
        .exists(params![digest.as_bytes(), device])?)
}

/// The devices that a token speaks for, by their ids.
pub(crate) fn devices(
    connection: &Connection,
    digest: &Sha256,
) -> Result<Vec<[u8; 16]>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT device.device_id FROM update_token_device
         JOIN device ON device.id = update_token_device.device
         WHERE digest = ?1 ORDER BY device.device_id",
    )?;
    let rows = statement.query_map([digest.as_bytes()], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Tokens of an organisation that have not ended, after `after`.
pub(crate) fn tokens(
    connection: &Connection,
    organisation: i64,
    after: &Sha256,
    now: UnixTime,
    limit: usize,
) -> Result<Vec<TokenRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT digest, organisation, kind, name, granted_at, granted_by, expires_at
         FROM update_token
         WHERE organisation = ?1 AND digest > ?2 AND expires_at > ?3 ORDER BY digest LIMIT ?4",
    )?;
    let rows = statement
        .query_map(params![organisation, after.as_bytes(), now.0, limit_of(limit)], token_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn count(connection: &Connection, organisation: i64) -> Result<u64, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT count(*) FROM update_token WHERE organisation = ?1")?
        .query_row([organisation], |row| row.get::<_, i64>(0))?
        .unsigned_abs())
}

pub(crate) fn insert(tx: &Tx<'_>, new: &TokenRow, devices: &[i64]) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO update_token
            (digest, organisation, kind, name, granted_at, granted_by, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        new.digest.as_bytes(),
        new.organisation,
        new.kind,
        new.name,
        new.granted_at.0,
        new.granted_by,
        new.expires_at.0
    ])?;
    let mut statement =
        tx.prepare_cached("INSERT INTO update_token_device (digest, device) VALUES (?1, ?2)")?;
    for device in devices {
        statement.execute(params![new.digest.as_bytes(), device])?;
    }
    Ok(())
}

pub(crate) fn delete(tx: &Tx<'_>, digest: &Sha256) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM update_token_device WHERE digest = ?1")?
        .execute([digest.as_bytes()])?;
    tx.prepare_cached("DELETE FROM update_token WHERE digest = ?1")?
        .execute([digest.as_bytes()])?;
    Ok(())
}

/// Ends every token of an organisation.
pub(crate) fn delete_all(tx: &Tx<'_>, organisation: i64) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "DELETE FROM update_token_device
         WHERE digest IN (SELECT digest FROM update_token WHERE organisation = ?1)",
    )?
    .execute([organisation])?;
    tx.prepare_cached("DELETE FROM update_token WHERE organisation = ?1")?
        .execute([organisation])?;
    Ok(())
}

/// No gateway speaks for a device any more: not even if it comes back to the same owner.
pub(crate) fn leave_gateways(tx: &Tx<'_>, device: i64) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM update_token_device WHERE device = ?1")?.execute([device])?;
    Ok(())
}

/// Forgets tokens of an organisation that have ended.
pub(crate) fn delete_ended(
    tx: &Tx<'_>,
    organisation: i64,
    now: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "DELETE FROM update_token_device WHERE digest IN
            (SELECT digest FROM update_token WHERE organisation = ?1 AND expires_at <= ?2)",
    )?
    .execute([organisation, now.0])?;
    tx.prepare_cached("DELETE FROM update_token WHERE organisation = ?1 AND expires_at <= ?2")?
        .execute([organisation, now.0])?;
    Ok(())
}

/// Ends the tokens of one device, as far as they are for it alone.
pub(crate) fn delete_for_device(tx: &Tx<'_>, device: i64) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "DELETE FROM update_token_device
         WHERE digest IN (SELECT t.digest FROM update_token_device AS d
                          JOIN update_token AS t ON t.digest = d.digest
                          WHERE d.device = ?1 AND t.kind = 1)",
    )?
    .execute([device])?;
    tx.prepare_cached(
        "DELETE FROM update_token
         WHERE kind = 1 AND digest NOT IN (SELECT digest FROM update_token_device)",
    )?
    .execute([])?;
    Ok(())
}
