//! Shares, tokens, enrolment codes and purchase lists: what lets somebody in.

use super::{Tx, organisation::limit_of};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use device::{DeviceId, OrganisationId, ProductId};
use policy::{CodeRecord, EnrolmentSubject, ReleasedBy, TokenRecord};
use rusqlite::{Connection, OptionalExtension as _, params};

pub(crate) fn set_share(
    tx: &Tx<'_>,
    device: i64,
    organisation: i64,
    until: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO share (device, organisation, until) VALUES (?1, ?2, ?3)
         ON CONFLICT (device, organisation) DO UPDATE SET until = excluded.until",
    )?
    .execute(params![device, organisation, until.0])?;
    Ok(())
}

/// Ends one share; false where there was none.
pub(crate) fn end_share(tx: &Tx<'_>, device: i64, organisation: i64) -> Result<bool, ServiceError> {
    let ended = tx
        .prepare_cached("DELETE FROM share WHERE device = ?1 AND organisation = ?2")?
        .execute(params![device, organisation])?;
    Ok(ended > 0)
}

/// Ends everything that a former owner let in: shares, codes, tokens of updates. Its own tokens reach only what it
/// owns or is shared with it, so they end with these.
pub(crate) fn end_access(tx: &Tx<'_>, device: i64) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM share WHERE device = ?1")?.execute([device])?;
    tx.prepare_cached("DELETE FROM enrolment_code WHERE device = ?1")?.execute([device])?;
    super::update_token::delete_for_device(tx, device)?;
    super::update_token::leave_gateways(tx, device)
}

pub(crate) fn shares(
    connection: &Connection,
    device: i64,
) -> Result<Vec<(i64, UnixTime)>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT organisation, until FROM share WHERE device = ?1 ORDER BY organisation LIMIT 1000",
    )?;
    let rows = statement.query_map([device], |row| Ok((row.get(0)?, UnixTime(row.get(1)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn is_shared(
    connection: &Connection,
    device: i64,
    organisation: i64,
    now: UnixTime,
) -> Result<bool, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT 1 FROM share WHERE device = ?1 AND organisation = ?2 AND until > ?3",
        )?
        .exists(params![device, organisation, now.0])?)
}

pub(crate) fn token(
    connection: &Connection,
    digest: &Sha256,
) -> Result<Option<TokenRecord>, ServiceError> {
    type Row = (String, String, [u8; 32], String, i64, i64);
    let row: Option<Row> = connection
        .prepare_cached(
            "SELECT organisation, member, certificate, roles, granted_at, expires_at
             FROM token WHERE digest = ?1",
        )?
        .query_row([digest.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        })
        .optional()?;
    let Some((organisation, member, certificate, roles, granted_at, expires_at)) = row else {
        return Ok(None);
    };
    Ok(Some(TokenRecord {
        digest: *digest,
        organisation: crate::service::slug(&organisation)?,
        member,
        certificate: Sha256(certificate),
        roles: roles.parse().map_err(|_| damaged())?,
        granted_at: UnixTime(granted_at),
        expires_at: UnixTime(expires_at),
    }))
}

/// Tokens of an organisation that still work, after `after`.
pub(crate) fn tokens(
    connection: &Connection,
    organisation: &OrganisationId,
    after: &Sha256,
    now: UnixTime,
    limit: usize,
) -> Result<Vec<TokenRecord>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT digest FROM token
         WHERE digest > ?1 AND organisation = ?2 AND expires_at > ?3 ORDER BY digest LIMIT ?4",
    )?;
    let digests = statement.query_map(
        params![after.as_bytes(), organisation.as_str(), now.0, limit_of(limit)],
        |row| Ok(Sha256(row.get(0)?)),
    )?;
    let mut tokens = Vec::new();
    for digest in digests {
        tokens.extend(token(connection, &digest?)?);
    }
    Ok(tokens)
}

pub(crate) fn insert_token(tx: &Tx<'_>, new: &TokenRecord) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO token (digest, organisation, member, certificate, roles, granted_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        new.digest.as_bytes(),
        new.organisation.as_str(),
        new.member,
        new.certificate.as_bytes(),
        new.roles.to_string(),
        new.granted_at.0,
        new.expires_at.0
    ])?;
    Ok(())
}

pub(crate) fn delete_token(tx: &Tx<'_>, digest: &Sha256) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM token WHERE digest = ?1")?.execute([digest.as_bytes()])?;
    Ok(())
}

/// Ends every token that is bound to a certificate.
pub(crate) fn delete_tokens_of(tx: &Tx<'_>, certificate: &Sha256) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM token WHERE certificate = ?1")?
        .execute([certificate.as_bytes()])?;
    Ok(())
}

/// Deletes some expired tokens, so that the table stays small.
pub(crate) fn delete_expired_tokens(tx: &Tx<'_>, now: UnixTime) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "DELETE FROM token
         WHERE digest IN (SELECT digest FROM token WHERE expires_at <= ?1 LIMIT 100)",
    )?
    .execute([now.0])?;
    Ok(())
}

fn damaged() -> ServiceError {
    ServiceError::fatal("store-damaged", "a token or code in the store is damaged")
}

/// The newest code of a device, in whatever condition.
pub(crate) fn code(
    connection: &Connection,
    device: i64,
    device_id: DeviceId,
) -> Result<Option<CodeRecord>, ServiceError> {
    type Row = (String, String, String, CodeTimes);
    type CodeTimes = ([u8; 16], [u8; 32], i64, i64, u8, Option<i64>, Option<i64>);
    let row: Option<Row> = connection
        .prepare_cached(
            "SELECT organisation, product, released_by, salt, hash, released_at, expires_at,
                    attempts, used_at, withdrawn_at
             FROM enrolment_code WHERE device = ?1",
        )?
        .query_row([device], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                (
                    row.get(3)?,
                    row.get(4)?,
                    row.get(5)?,
                    row.get(6)?,
                    row.get(7)?,
                    row.get(8)?,
                    row.get(9)?,
                ),
            ))
        })
        .optional()?;
    let Some((organisation, product, released_by, rest)) = row else { return Ok(None) };
    let (salt, hash, released_at, expires_at, attempts, used_at, withdrawn_at) = rest;
    let released_by = match released_by.split_once(' ') {
        Some(("member", name)) => ReleasedBy::Member(name.to_owned()),
        Some(("purchase-list", name)) => ReleasedBy::PurchaseList(name.to_owned()),
        _ => return Err(damaged()),
    };
    Ok(Some(CodeRecord {
        organisation: crate::service::slug(&organisation)?,
        subject: EnrolmentSubject::Device(device_id),
        product: ProductId::new(&product).map_err(|_| damaged())?,
        salt,
        hash: Sha256(hash),
        released_by,
        released_at: UnixTime(released_at),
        expires_at: UnixTime(expires_at),
        attempts,
        used_at: used_at.map(UnixTime),
        withdrawn_at: withdrawn_at.map(UnixTime),
    }))
}

/// A device has one code at a time: a newer one replaces it.
pub(crate) fn set_code(tx: &Tx<'_>, device: i64, code: &CodeRecord) -> Result<(), ServiceError> {
    let released_by = match &code.released_by {
        ReleasedBy::Member(name) => format!("member {name}"),
        ReleasedBy::PurchaseList(name) => format!("purchase-list {name}"),
    };
    tx.prepare_cached(
        "INSERT OR REPLACE INTO enrolment_code
            (device, organisation, product, salt, hash, released_by, released_at, expires_at,
             attempts, used_at, withdrawn_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        device,
        code.organisation.as_str(),
        code.product.as_str(),
        code.salt,
        code.hash.as_bytes(),
        released_by,
        code.released_at.0,
        code.expires_at.0,
        code.attempts,
        code.used_at.map(|time| time.0),
        code.withdrawn_at.map(|time| time.0)
    ])?;
    Ok(())
}

pub(crate) fn set_purchase(
    tx: &Tx<'_>,
    product: i64,
    serial_number: &str,
    owner: i64,
    at: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO purchase (product, serial_number, owner, at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO NOTHING",
    )?
    .execute(params![product, serial_number, owner, at.0])?;
    Ok(())
}

/// Whether an organisation said that it bought a device. What others say does not matter.
pub(crate) fn is_purchase(
    connection: &Connection,
    product: i64,
    serial_number: &str,
    owner: i64,
) -> Result<bool, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT 1 FROM purchase WHERE product = ?1 AND serial_number = ?2 AND owner = ?3",
        )?
        .exists(params![product, serial_number, owner])?)
}
