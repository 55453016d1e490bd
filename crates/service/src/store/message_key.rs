//! Keys that messages are encrypted for.

use super::{Tx, certificate as certificates, key as keys};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// Lines that are looked at of one organisation.
const LISTED_MAX: usize = 1000;
/// revocation reason superseded (RFC 5280 section 5.3.1)
const SUPERSEDED: u8 = 4;

#[derive(Debug, Clone)]
pub(crate) struct MessageKeyRow {
    pub(crate) id: i64,
    pub(crate) organisation: i64,
    pub(crate) key: i64,
    pub(crate) fingerprint: Sha256,
    pub(crate) ca: i64,
    pub(crate) certificate: Vec<u8>,
    pub(crate) made_at: UnixTime,
    pub(crate) made_by: String,
    pub(crate) reason: String,
    /// `None` of the present one
    pub(crate) accepted_until: Option<UnixTime>,
    pub(crate) destroyed_at: Option<UnixTime>,
}

const COLUMNS: &str = "id, organisation, key, fingerprint, ca, certificate, made_at, made_by, reason, \
                       accepted_until, destroyed_at";

fn row(row: &Row<'_>) -> rusqlite::Result<MessageKeyRow> {
    Ok(MessageKeyRow {
        id: row.get(0)?,
        organisation: row.get(1)?,
        key: row.get(2)?,
        fingerprint: Sha256(row.get(3)?),
        ca: row.get(4)?,
        certificate: row.get(5)?,
        made_at: UnixTime(row.get(6)?),
        made_by: row.get(7)?,
        reason: row.get(8)?,
        accepted_until: row.get::<_, Option<i64>>(9)?.map(UnixTime),
        destroyed_at: row.get::<_, Option<i64>>(10)?.map(UnixTime),
    })
}

/// Every key of an organisation, the newest first.
pub(crate) fn of(
    connection: &Connection,
    organisation: i64,
) -> Result<Vec<MessageKeyRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM message_key WHERE organisation = ?1 ORDER BY id DESC LIMIT {LISTED_MAX}"
    ))?;
    let rows = statement.query_map([organisation], row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The one that devices of an organisation encrypt for.
pub(crate) fn present(
    connection: &Connection,
    organisation: i64,
) -> Result<Option<MessageKeyRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM message_key WHERE organisation = ?1 AND accepted_until IS NULL"
        ))?
        .query_row([organisation], row)
        .optional()?)
}

/// Every one that devices encrypt for.
pub(crate) fn all_present(connection: &Connection) -> Result<Vec<MessageKeyRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM message_key WHERE accepted_until IS NULL ORDER BY id"
    ))?;
    let rows = statement.query_map([], row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Former ones of an organisation, or of all, that are not destroyed.
pub(crate) fn former(
    connection: &Connection,
    organisation: Option<i64>,
) -> Result<Vec<MessageKeyRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM message_key
         WHERE accepted_until IS NOT NULL AND destroyed_at IS NULL
             AND (?1 IS NULL OR organisation = ?1) ORDER BY id"
    ))?;
    let rows = statement.query_map([organisation], row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The key of an organisation that has this name, where it is accepted at present.
pub(crate) fn accepted(
    connection: &Connection,
    organisation: i64,
    fingerprint: &Sha256,
    now: UnixTime,
) -> Result<Option<MessageKeyRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM message_key WHERE fingerprint = ?2 AND organisation = ?1
             AND destroyed_at IS NULL AND (accepted_until IS NULL OR accepted_until > ?3)"
        ))?
        .query_row(params![organisation, fingerprint.as_bytes(), now.0], row)
        .optional()?)
}

/// The key of an organisation that has this name, destroyed or not.
pub(crate) fn named(
    connection: &Connection,
    organisation: i64,
    fingerprint: &Sha256,
) -> Result<Option<MessageKeyRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM message_key WHERE fingerprint = ?2 AND organisation = ?1"
        ))?
        .query_row(params![organisation, fingerprint.as_bytes()], row)
        .optional()?)
}

/// Rows of keys that are destroyed.
pub(crate) fn destroyed(connection: &Connection) -> Result<Vec<i64>, ServiceError> {
    let mut statement =
        connection.prepare_cached("SELECT key FROM message_key WHERE destroyed_at IS NOT NULL")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Keeps a new present one; the one before must be a former one already.
pub(crate) fn insert(tx: &Tx<'_>, new: &MessageKeyRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO message_key
             (organisation, key, fingerprint, ca, certificate, made_at, made_by, reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        new.organisation,
        new.key,
        new.fingerprint.as_bytes(),
        new.ca,
        new.certificate,
        new.made_at.0,
        new.made_by,
        new.reason
    ])?;
    Ok(())
}

/// Until when what is encrypted for a former one is taken.
pub(crate) fn accept_until(tx: &Tx<'_>, id: i64, until: UnixTime) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE message_key SET accepted_until = ?2 WHERE id = ?1")?
        .execute(params![id, until.0])?;
    Ok(())
}

/// Destroys one, also the present one: what was encrypted for it and was not taken nobody reads any more. Its
/// certificate is revoked, and whether it was, or was suspended, is no matter.
pub(crate) fn destroy(
    tx: &mut Tx<'_>,
    row: &MessageKeyRow,
    at: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "UPDATE message_key SET destroyed_at = ?2,
             accepted_until = min(coalesce(accepted_until, ?2), ?2) WHERE id = ?1",
    )?
    .execute(params![row.id, at.0])?;
    keys::destroy_key(tx, row.key, at)?;
    let certificate = crypto::sha256(&row.certificate);
    if let Some(certificate) = certificates::certificate_by_fingerprint(tx, &certificate)?
        && matches!(
            certificate.status,
            certificates::Status::Good | certificates::Status::Suspended
        )
        && certificate.not_after > at
    {
        certificates::revoke(tx, &certificate, certificates::Status::Revoked, SUPERSEDED, at)?;
    }
    Ok(())
}
