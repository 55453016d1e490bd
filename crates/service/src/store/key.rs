//! The platform's private keys (sealed), what they were used for, and the CAs that have them.

use super::{Effect, Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

#[derive(Debug, Clone)]
pub(crate) struct KeyRow {
    pub(crate) id: i64,
    pub(crate) purpose: u8,
    pub(crate) fingerprint: Sha256,
    pub(crate) algorithm: String,
    pub(crate) sealed: Option<Vec<u8>>,
    pub(crate) created_at: UnixTime,
    pub(crate) not_after: UnixTime,
    pub(crate) retired_at: Option<UnixTime>,
    pub(crate) destroyed_at: Option<UnixTime>,
}

const KEY: &str =
    "id, purpose, fingerprint, algorithm, sealed, created_at, not_after, retired_at, destroyed_at";

fn key_row(row: &Row<'_>) -> rusqlite::Result<KeyRow> {
    Ok(KeyRow {
        id: row.get(0)?,
        purpose: row.get(1)?,
        fingerprint: Sha256(row.get(2)?),
        algorithm: row.get(3)?,
        sealed: row.get(4)?,
        created_at: UnixTime(row.get(5)?),
        not_after: UnixTime(row.get(6)?),
        retired_at: row.get::<_, Option<i64>>(7)?.map(UnixTime),
        destroyed_at: row.get::<_, Option<i64>>(8)?.map(UnixTime),
    })
}

pub(crate) fn key(connection: &Connection, id: i64) -> Result<Option<KeyRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {KEY} FROM key WHERE id = ?1"))?
        .query_row([id], key_row)
        .optional()?)
}

/// The newest key of a purpose that is in use.
pub(crate) fn key_for(
    connection: &Connection,
    purpose: u8,
) -> Result<Option<KeyRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {KEY} FROM key WHERE purpose = ?1 AND retired_at IS NULL
             AND sealed IS NOT NULL ORDER BY id DESC LIMIT 1"
        ))?
        .query_row([purpose], key_row)
        .optional()?)
}

pub(crate) fn keys(
    connection: &Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<KeyRow>, ServiceError> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {KEY} FROM key WHERE id > ?1 ORDER BY id LIMIT ?2"))?;
    let rows = statement.query_map(params![after, limit_of(limit)], key_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn insert_key(tx: &mut Tx<'_>, new: &KeyRow) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO key (purpose, fingerprint, algorithm, sealed, created_at, not_after)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        new.purpose,
        new.fingerprint.as_bytes(),
        new.algorithm,
        new.sealed,
        new.created_at.0,
        new.not_after.0
    ])?;
    Ok(tx.last_insert_rowid())
}

/// Ends a key: it signs nothing more, and its sealed private half goes.
pub(crate) fn destroy_key(tx: &mut Tx<'_>, id: i64, at: UnixTime) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "UPDATE key SET sealed = NULL, retired_at = ?2, destroyed_at = ?2 WHERE id = ?1",
    )?
    .execute(params![id, at.0])?;
    // Its old page must go from the write-ahead log as well.
    tx.effect(Effect::Scrub);
    tx.effect(Effect::KeyDestroyed(id));
    Ok(())
}

#[derive(Debug, Clone)]
pub(crate) struct KeyUseRow {
    pub(crate) id: i64,
    pub(crate) key: i64,
    pub(crate) at: UnixTime,
    pub(crate) what: u8,
    pub(crate) subject: Vec<u8>,
    pub(crate) by: String,
}

pub(crate) fn insert_key_use(
    tx: &mut Tx<'_>,
    key: i64,
    at: UnixTime,
    what: u8,
    subject: &[u8],
    by: &str,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO key_use (key, at, what, subject, by) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![key, at.0, what, subject, by])?;
    Ok(())
}

pub(crate) fn count_key_use(
    tx: &mut Tx<'_>,
    key: i64,
    what: u8,
    at: UnixTime,
    count: u64,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO key_count (key, what, hour, count) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (key, what, hour) DO UPDATE SET count = count + excluded.count",
    )?
    .execute(params![key, what, at.0.div_euclid(3600), to_i64(count)])?;
    Ok(())
}

pub(crate) fn key_uses(
    connection: &Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<KeyUseRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, key, at, what, subject, by FROM key_use WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let rows = statement.query_map(params![after, limit_of(limit)], |row| {
        Ok(KeyUseRow {
            id: row.get(0)?,
            key: row.get(1)?,
            at: UnixTime(row.get(2)?),
            what: row.get(3)?,
            subject: row.get(4)?,
            by: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How often a key was used for each purpose: rows and counts together.
pub(crate) fn key_totals(
    connection: &Connection,
    key: i64,
) -> Result<Vec<(u8, u64)>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT what, sum(n) FROM (
            SELECT what, count(*) AS n FROM key_use WHERE key = ?1 GROUP BY what
            UNION ALL
            SELECT what, sum(count) AS n FROM key_count WHERE key = ?1 GROUP BY what
         ) GROUP BY what ORDER BY what",
    )?;
    let rows = statement
        .query_map([key], |row| Ok((row.get::<_, u8>(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[derive(Debug, Clone)]
pub(crate) struct CaRow {
    pub(crate) id: i64,
    pub(crate) slug: String,
    pub(crate) organisation: i64,
    pub(crate) product: Option<i64>,
    pub(crate) kind: u8,
    pub(crate) name: String,
    pub(crate) key: i64,
    pub(crate) years: u16,
    pub(crate) certificate: Option<Vec<u8>>,
    pub(crate) ocsp_key: Option<i64>,
    pub(crate) ocsp_certificate: Option<Vec<u8>>,
    pub(crate) created_at: UnixTime,
}

const CA: &str = "id, slug, organisation, product, kind, name, key, years, certificate, \
                  ocsp_key, ocsp_certificate, created_at";

fn ca_row(row: &Row<'_>) -> rusqlite::Result<CaRow> {
    Ok(CaRow {
        id: row.get(0)?,
        slug: row.get(1)?,
        organisation: row.get(2)?,
        product: row.get(3)?,
        kind: row.get(4)?,
        name: row.get(5)?,
        key: row.get(6)?,
        years: row.get(7)?,
        certificate: row.get(8)?,
        ocsp_key: row.get(9)?,
        ocsp_certificate: row.get(10)?,
        created_at: UnixTime(row.get(11)?),
    })
}

pub(crate) fn ca(connection: &Connection, slug: &str) -> Result<Option<CaRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {CA} FROM ca WHERE slug = ?1"))?
        .query_row([slug], ca_row)
        .optional()?)
}

/// Every CA; there are as many as organisations and product lines, not as devices.
pub(crate) fn cas(connection: &Connection) -> Result<Vec<CaRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {CA} FROM ca ORDER BY id"))?;
    let rows = statement.query_map([], ca_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn insert_ca(tx: &mut Tx<'_>, new: &CaRow) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO ca (slug, organisation, product, kind, name, key, years, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        new.slug,
        new.organisation,
        new.product,
        new.kind,
        new.name,
        new.key,
        new.years,
        new.created_at.0
    ])?;
    Ok(tx.last_insert_rowid())
}

pub(crate) fn install_ca(tx: &mut Tx<'_>, id: i64, certificate: &[u8]) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE ca SET certificate = ?2 WHERE id = ?1")?
        .execute(params![id, certificate])?;
    Ok(())
}

pub(crate) fn set_ocsp_signer(
    tx: &mut Tx<'_>,
    id: i64,
    key: i64,
    certificate: &[u8],
) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE ca SET ocsp_key = ?2, ocsp_certificate = ?3 WHERE id = ?1")?
        .execute(params![id, key, certificate])?;
    Ok(())
}

/// The number of the next CRL; numbers only grow (RFC 5280 section 5.2.3).
pub(crate) fn next_crl_number(tx: &mut Tx<'_>, ca: i64) -> Result<u64, ServiceError> {
    let number: i64 = tx
        .prepare_cached(
            "UPDATE ca SET crl_number = crl_number + 1 WHERE id = ?1 RETURNING crl_number",
        )?
        .query_row([ca], |row| row.get(0))?;
    Ok(number.unsigned_abs())
}

pub(crate) fn insert_root(
    tx: &mut Tx<'_>,
    fingerprint: &Sha256,
    certificate: &[u8],
    at: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO root (fingerprint, certificate, added_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (fingerprint) DO NOTHING",
    )?
    .execute(params![fingerprint.as_bytes(), certificate, at.0])?;
    Ok(())
}

pub(crate) fn roots(connection: &Connection) -> Result<Vec<Vec<u8>>, ServiceError> {
    let mut statement =
        connection.prepare_cached("SELECT certificate FROM root ORDER BY added_at, fingerprint")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Retires a CA; false where it is already.
pub(crate) fn retire_ca(tx: &Tx<'_>, id: i64, at: UnixTime) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached("UPDATE ca SET retired_at = ?2 WHERE id = ?1 AND retired_at IS NULL")?
        .execute(params![id, at.0])?;
    Ok(changed > 0)
}

/// Since when a CA is retired.
/// The request with which a CA's certificate is asked for.
pub(crate) fn insert_ca_csr(tx: &mut Tx<'_>, ca: i64, csr: &[u8]) -> Result<(), ServiceError> {
    tx.prepare_cached("INSERT INTO ca_request (ca, csr) VALUES (?1, ?2)")?
        .execute(params![ca, csr])?;
    Ok(())
}

/// See [`insert_ca_csr`].
pub(crate) fn ca_csr(connection: &Connection, ca: i64) -> Result<Option<Vec<u8>>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT csr FROM ca_request WHERE ca = ?1")?
        .query_row([ca], |row| row.get(0))
        .optional()?)
}

pub(crate) fn ca_retired(
    connection: &Connection,
    id: i64,
) -> Result<Option<UnixTime>, ServiceError> {
    let at: Option<i64> = connection
        .prepare_cached("SELECT retired_at FROM ca WHERE id = ?1")?
        .query_row([id], |row| row.get(0))?;
    Ok(at.map(UnixTime))
}
