//! Trust between devices: what owners chose, which bundle a device was given last, and what goes into one.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// What an owner chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SettingsRow {
    pub(crate) life_s: i64,
    pub(crate) makers: Vec<String>,
    pub(crate) organisations: Vec<String>,
    pub(crate) products: Vec<String>,
    pub(crate) set_by: String,
    pub(crate) set_at: UnixTime,
}

pub(crate) fn settings(
    connection: &Connection,
    organisation: i64,
) -> Result<Option<SettingsRow>, ServiceError> {
    let lines = |text: String| text.lines().map(str::to_owned).collect();
    Ok(connection
        .prepare_cached(
            "SELECT life_s, makers, organisations, products, set_by, set_at FROM peer_trust
             WHERE organisation = ?1",
        )?
        .query_row([organisation], |row| {
            Ok(SettingsRow {
                life_s: row.get(0)?,
                makers: lines(row.get(1)?),
                organisations: lines(row.get(2)?),
                products: lines(row.get(3)?),
                set_by: row.get(4)?,
                set_at: UnixTime(row.get(5)?),
            })
        })
        .optional()?)
}

pub(crate) fn set(tx: &Tx<'_>, organisation: i64, new: &SettingsRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO peer_trust
         (organisation, life_s, makers, organisations, products, set_by, set_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (organisation) DO UPDATE SET life_s = excluded.life_s,
            makers = excluded.makers, organisations = excluded.organisations,
            products = excluded.products, set_by = excluded.set_by, set_at = excluded.set_at",
    )?
    .execute(params![
        organisation,
        new.life_s,
        new.makers.join("\n"),
        new.organisations.join("\n"),
        new.products.join("\n"),
        new.set_by,
        new.set_at.0
    ])?;
    Ok(())
}

/// Ends it; false where there was nothing.
pub(crate) fn end(tx: &Tx<'_>, organisation: i64) -> Result<bool, ServiceError> {
    let gone = tx
        .prepare_cached("DELETE FROM peer_trust WHERE organisation = ?1")?
        .execute([organisation])?;
    Ok(gone > 0)
}

/// The newest bundle of a device that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BundleRow {
    pub(crate) device: i64,
    pub(crate) device_id: [u8; 16],
    pub(crate) number: u64,
    pub(crate) owner: i64,
    pub(crate) issued_at: UnixTime,
    pub(crate) expires: UnixTime,
    pub(crate) contents: [u8; 32],
    pub(crate) statement: Vec<u8>,
    /// certificate of who signed
    pub(crate) signer: Vec<u8>,
    /// when the device fetched it
    pub(crate) fetched_at: Option<UnixTime>,
}

const BUNDLE: &str = "SELECT trust_bundle.device, device_id, signed, trust_bundle.owner, issued_at,
    expires, contents, statement, signer, fetched_at
    FROM trust_bundle CROSS JOIN device ON device.id = trust_bundle.device";

fn bundle_row(row: &Row<'_>) -> rusqlite::Result<BundleRow> {
    Ok(BundleRow {
        device: row.get(0)?,
        device_id: row.get(1)?,
        number: row.get::<_, i64>(2)?.unsigned_abs(),
        owner: row.get(3)?,
        issued_at: UnixTime(row.get(4)?),
        expires: UnixTime(row.get(5)?),
        contents: row.get(6)?,
        statement: row.get(7)?,
        signer: row.get(8)?,
        fetched_at: row.get::<_, Option<i64>>(9)?.map(UnixTime),
    })
}

pub(crate) fn bundle(
    connection: &Connection,
    device: i64,
) -> Result<Option<BundleRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("{BUNDLE} WHERE trust_bundle.device = ?1 AND signed IS NOT NULL"))?
        .query_row([device], bundle_row)
        .optional()?)
}

/// Bundles of an owner's devices after a row; of devices that are its own still.
pub(crate) fn bundles_of(
    connection: &Connection,
    owner: i64,
    after: i64,
    limit: usize,
) -> Result<Vec<BundleRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "{BUNDLE} WHERE trust_bundle.owner = ?1 AND trust_bundle.device > ?2
            AND device.owner = ?1 AND signed IS NOT NULL
         ORDER BY trust_bundle.device LIMIT ?3"
    ))?;
    let rows = statement.query_map(params![owner, after, limit_of(limit)], bundle_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How an owner's devices stand: with the newest contents and fetched, with those and not fetched, with
/// others, with what has ended, without any.
pub(crate) fn counts(
    connection: &Connection,
    owner: i64,
    newest: Option<&[u8; 32]>,
    now: UnixTime,
) -> Result<[u64; 5], ServiceError> {
    let count = |row: &Row<'_>, at: usize| row.get::<_, i64>(at).map(i64::unsigned_abs);
    let [newest, waiting, behind, ended] = connection
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE expires > ?3 AND contents IS ?2 AND fetched_at IS NOT NULL),
                count(*) FILTER (WHERE expires > ?3 AND contents IS ?2 AND fetched_at IS NULL),
                count(*) FILTER (WHERE expires > ?3 AND contents IS NOT ?2),
                count(*) FILTER (WHERE expires <= ?3)
             FROM trust_bundle CROSS JOIN device ON device.id = trust_bundle.device
             WHERE trust_bundle.owner = ?1 AND device.owner = ?1 AND signed IS NOT NULL",
        )?
        .query_row(params![owner, newest, now.0], |row| {
            Ok([count(row, 0)?, count(row, 1)?, count(row, 2)?, count(row, 3)?])
        })?;
    let without = connection
        .prepare_cached(
            "SELECT count(*) FROM device
             LEFT JOIN trust_bundle ON trust_bundle.device = device.id
                AND trust_bundle.owner = device.owner AND signed IS NOT NULL
             WHERE device.owner = ?1 AND standing = 1 AND phase NOT IN (8, 9)
                AND trust_bundle.device IS NULL",
        )?
        .query_row([owner], |row| count(row, 0))?;
    Ok([newest, waiting, behind, ended, without])
}

/// The next number of a device's bundles: nobody else is given it.
pub(crate) fn next_number(tx: &Tx<'_>, device: i64) -> Result<u64, ServiceError> {
    let number: i64 = tx
        .prepare_cached(
            "INSERT INTO trust_bundle (device, number) VALUES (?1, 1)
             ON CONFLICT (device) DO UPDATE SET number = number + 1 RETURNING number",
        )?
        .query_row([device], |row| row.get(0))?;
    Ok(number.unsigned_abs())
}

/// Keeps what was signed, unless a newer one was meanwhile.
pub(crate) fn keep(tx: &Tx<'_>, new: &BundleRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "UPDATE trust_bundle SET signed = ?2, owner = ?3, issued_at = ?4, expires = ?5,
            contents = ?6, statement = ?7, signer = ?8, fetched_at = ?9
         WHERE device = ?1 AND coalesce(signed, 0) < ?2",
    )?
    .execute(params![
        new.device,
        to_i64(new.number),
        new.owner,
        new.issued_at.0,
        new.expires.0,
        new.contents,
        new.statement,
        new.signer,
        new.fetched_at.map(|at| at.0)
    ])?;
    Ok(())
}

/// Puts down that the device fetched its bundle.
pub(crate) fn fetched(
    tx: &Tx<'_>,
    device: i64,
    number: u64,
    at: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "UPDATE trust_bundle SET fetched_at = ?3
         WHERE device = ?1 AND signed = ?2 AND fetched_at IS NULL",
    )?
    .execute(params![device, to_i64(number), at.0])?;
    Ok(())
}

/// A device of an owner with its product line.
pub(crate) struct OwnedRow {
    pub(crate) device_id: [u8; 16],
    pub(crate) product: Option<(String, String)>,
}

/// Devices of an owner that stand well and are in use: by the rule of the doors. `lines`: those of these
/// product lines alone, as a JSON list of `maker/product`.
pub(crate) fn devices_of(
    connection: &Connection,
    owner: i64,
    lines: Option<&str>,
    limit: usize,
) -> Result<Vec<OwnedRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT device_id, organisation.slug, product.slug FROM device
         LEFT JOIN product ON product.id = device.product
         LEFT JOIN organisation ON organisation.id = product.organisation
         WHERE device.owner = ?1 AND device.standing = 1 AND device.phase NOT IN (8, 9)
           AND (?3 IS NULL
                OR organisation.slug || '/' || product.slug IN (SELECT value FROM json_each(?3)))
         LIMIT ?2",
    )?;
    let rows = statement.query_map(params![owner, limit_of(limit), lines], |row| {
        let (maker, product): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
        Ok(OwnedRow { device_id: row.get(0)?, product: maker.zip(product) })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Serial numbers that a CA has revoked or suspended, and whose certificates have not ended: no more than
/// its public list has.
pub(crate) fn revoked(
    connection: &Connection,
    ca: i64,
    now: UnixTime,
    limit: usize,
) -> Result<Vec<(Vec<u8>, u8)>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT revocation.serial, revocation.reason FROM revocation
         LEFT JOIN certificate
            ON certificate.ca = revocation.ca AND certificate.serial = revocation.serial
         WHERE revocation.ca = ?1 AND coalesce(certificate.not_after, ?2) >= ?2 LIMIT ?3",
    )?;
    let rows = statement
        .query_map(params![ca, now.0, limit_of(limit)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
