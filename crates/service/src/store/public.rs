//! What the public page shows of products, and look-ups of printed numbers.

use super::{Tx, organisation::limit_of};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

#[derive(Debug, Clone, Default)]
pub(crate) struct PublicRow {
    pub(crate) gtin: Option<String>,
    pub(crate) name_ja: Option<String>,
    pub(crate) name_en: Option<String>,
    pub(crate) contact_url: Option<String>,
    pub(crate) firmware: Option<String>,
    pub(crate) firmware_digest: Option<Sha256>,
    pub(crate) labels: Vec<LabelRow>,
}

#[derive(Debug, Clone)]
pub(crate) struct LabelRow {
    pub(crate) scheme: u8,
    pub(crate) level: Option<String>,
    pub(crate) number: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) valid_until: Option<UnixTime>,
}

/// What a product line tells buyers; empty where its maker said nothing.
pub(crate) fn product_public(
    connection: &Connection,
    product: i64,
) -> Result<PublicRow, ServiceError> {
    let row = connection
        .prepare_cached(
            "SELECT gtin, name_ja, name_en, contact_url, firmware, firmware_digest
             FROM product_public WHERE product = ?1",
        )?
        .query_row([product], |row| {
            Ok(PublicRow {
                gtin: row.get(0)?,
                name_ja: row.get(1)?,
                name_en: row.get(2)?,
                contact_url: row.get(3)?,
                firmware: row.get(4)?,
                firmware_digest: row.get::<_, Option<[u8; 32]>>(5)?.map(Sha256),
                labels: Vec::new(),
            })
        })
        .optional()?;
    let Some(mut row) = row else { return Ok(PublicRow::default()) };
    let mut statement = connection.prepare_cached(
        "SELECT scheme, level, number, url, valid_until FROM product_label
         WHERE product = ?1 ORDER BY place LIMIT 16",
    )?;
    let labels = statement.query_map([product], |row| {
        Ok(LabelRow {
            scheme: row.get(0)?,
            level: row.get(1)?,
            number: row.get(2)?,
            url: row.get(3)?,
            valid_until: row.get::<_, Option<i64>>(4)?.map(UnixTime),
        })
    })?;
    row.labels = labels.collect::<Result<_, _>>()?;
    Ok(row)
}

/// Replaces it.
pub(crate) fn set_product_public(
    tx: &Tx<'_>,
    product: i64,
    row: &PublicRow,
    at: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO product_public
            (product, gtin, name_ja, name_en, contact_url, firmware, firmware_digest, changed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (product) DO UPDATE SET
            gtin = excluded.gtin, name_ja = excluded.name_ja, name_en = excluded.name_en,
            contact_url = excluded.contact_url, firmware = excluded.firmware,
            firmware_digest = excluded.firmware_digest, changed_at = excluded.changed_at",
    )?
    .execute(params![
        product,
        row.gtin,
        row.name_ja,
        row.name_en,
        row.contact_url,
        row.firmware,
        row.firmware_digest.map(|digest| digest.0),
        at.0
    ])?;
    tx.prepare_cached("DELETE FROM product_label WHERE product = ?1")?.execute([product])?;
    for (place, label) in row.labels.iter().enumerate() {
        tx.prepare_cached(
            "INSERT INTO product_label (product, place, scheme, level, number, url, valid_until)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            product,
            i64::try_from(place).unwrap_or(i64::MAX),
            label.scheme,
            label.level,
            label.number,
            label.url,
            label.valid_until.map(|time| time.0)
        ])?;
    }
    Ok(())
}

pub(crate) fn set_support_end(
    tx: &Tx<'_>,
    product: i64,
    support_end: Option<UnixTime>,
) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE product SET support_end = ?2 WHERE id = ?1")?
        .execute(params![product, support_end.map(|time| time.0)])?;
    Ok(())
}

/// One look-up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScanRow {
    pub(crate) at: UnixTime,
    pub(crate) epoch: i64,
    pub(crate) network: i64,
    pub(crate) place: Option<(i64, i64)>,
}

fn scan_row(row: &Row<'_>) -> rusqlite::Result<ScanRow> {
    let latitude: Option<i64> = row.get(3)?;
    let longitude: Option<i64> = row.get(4)?;
    Ok(ScanRow {
        at: UnixTime(row.get(0)?),
        epoch: row.get(1)?,
        network: row.get(2)?,
        place: latitude.zip(longitude),
    })
}

/// The newest look-ups of a device.
pub(crate) fn scans(
    connection: &Connection,
    device: i64,
    limit: usize,
) -> Result<Vec<ScanRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT at, epoch, network, latitude, longitude FROM scan
         WHERE device = ?1 ORDER BY at DESC, id DESC LIMIT ?2",
    )?;
    let rows = statement.query_map(params![device, limit_of(limit)], scan_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Adds a look-up and drops the oldest beyond `most`.
pub(crate) fn insert_scan(
    tx: &Tx<'_>,
    device: i64,
    scan: &ScanRow,
    most: usize,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO scan (device, at, epoch, network, latitude, longitude)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        device,
        scan.at.0,
        scan.epoch,
        scan.network,
        scan.place.map(|place| place.0),
        scan.place.map(|place| place.1)
    ])?;
    tx.prepare_cached(
        "DELETE FROM scan WHERE device = ?1 AND id NOT IN
            (SELECT id FROM scan WHERE device = ?1 ORDER BY at DESC, id DESC LIMIT ?2)",
    )?
    .execute(params![device, limit_of(most)])?;
    Ok(())
}

/// Forgets look-ups from before `before`, at most `limit` at a time, and concerns last raised
/// before `concerns_before`.
pub(crate) fn delete_scans(
    tx: &Tx<'_>,
    before: UnixTime,
    concerns_before: UnixTime,
    limit: usize,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "DELETE FROM scan WHERE id IN (SELECT id FROM scan WHERE at < ?1 ORDER BY at LIMIT ?2)",
    )?
    .execute(params![before.0, limit_of(limit)])?;
    tx.prepare_cached("DELETE FROM scan_concern WHERE last < ?1")?.execute([concerns_before.0])?;
    Ok(())
}

/// A concern on record: what, since when, when last.
pub(crate) type ConcernRow = (String, UnixTime, UnixTime);

pub(crate) fn concern(
    connection: &Connection,
    device: i64,
) -> Result<Option<ConcernRow>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT concern, since, last FROM scan_concern WHERE device = ?1")?
        .query_row([device], |row| Ok((row.get(0)?, UnixTime(row.get(1)?), UnixTime(row.get(2)?))))
        .optional()?)
}

/// Raises or renews a concern; true where there was none before.
pub(crate) fn raise_concern(
    tx: &Tx<'_>,
    device: i64,
    what: &str,
    at: UnixTime,
) -> Result<bool, ServiceError> {
    let known = concern(tx, device)?.is_some();
    tx.prepare_cached(
        "INSERT INTO scan_concern (device, concern, since, last) VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT (device) DO UPDATE SET concern = excluded.concern, last = excluded.last",
    )?
    .execute(params![device, what, at.0])?;
    Ok(!known)
}

/// A device with its concern: row, id, management number, concern.
pub(crate) type AlarmRow = (i64, [u8; 16], String, ConcernRow);

/// Devices of an owner whose look-ups are a concern, by row.
pub(crate) fn concerns_of_owner(
    connection: &Connection,
    owner: i64,
    since: UnixTime,
    after: i64,
    limit: usize,
) -> Result<Vec<AlarmRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT device.id, device.device_id, device.management, concern, since, last
         FROM scan_concern JOIN device ON device.id = scan_concern.device
         WHERE device.owner = ?1 AND last >= ?2 AND device.id > ?3
         ORDER BY device.id LIMIT ?4",
    )?;
    let rows = statement.query_map(params![owner, since.0, after, limit_of(limit)], |row| {
        let concern = (row.get(3)?, UnixTime(row.get(4)?), UnixTime(row.get(5)?));
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, concern))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
