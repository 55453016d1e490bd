//! Usage descriptions of product lines, in versions, and connections that leave them.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// A version, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MudRow {
    pub(crate) version: u64,
    /// of the file; without: withdrawn
    pub(crate) digest: Option<Sha256>,
    /// bytes of the file, where they are kept
    pub(crate) length: Option<u64>,
    /// whose signature, and until when its certificates hold
    pub(crate) signer: Option<(String, UnixTime)>,
    pub(crate) reason: String,
    pub(crate) made_by: String,
    pub(crate) made_at: UnixTime,
}

/// The bytes of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MudBytes {
    pub(crate) file: Vec<u8>,
    pub(crate) signature: Option<Vec<u8>>,
    pub(crate) anchors: Option<String>,
}

const SELECT: &str =
    "SELECT version, digest, length(file), signer, signer_until, reason, made_by, made_at
    FROM mud_version";

fn read(row: &Row<'_>) -> rusqlite::Result<MudRow> {
    let (signer, until): (Option<String>, Option<i64>) = (row.get(3)?, row.get(4)?);
    Ok(MudRow {
        version: row.get::<_, i64>(0)?.unsigned_abs(),
        digest: row.get::<_, Option<[u8; 32]>>(1)?.map(Sha256),
        length: row.get::<_, Option<i64>>(2)?.map(i64::unsigned_abs),
        signer: signer.zip(until.map(UnixTime)),
        reason: row.get(5)?,
        made_by: row.get(6)?,
        made_at: UnixTime(row.get(7)?),
    })
}

/// The newest version of a product line.
pub(crate) fn newest(
    connection: &Connection,
    product: i64,
) -> Result<Option<MudRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("{SELECT} WHERE product = ?1 ORDER BY version DESC LIMIT 1"))?
        .query_row([product], read)
        .optional()?)
}

/// A version of a product line.
pub(crate) fn version(
    connection: &Connection,
    product: i64,
    version: u64,
) -> Result<Option<MudRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("{SELECT} WHERE product = ?1 AND version = ?2"))?
        .query_row([product, to_i64(version)], read)
        .optional()?)
}

/// Versions of a product line below one, the newest first.
pub(crate) fn versions(
    connection: &Connection,
    product: i64,
    before: i64,
    limit: usize,
) -> Result<Vec<MudRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} WHERE product = ?1 AND version < ?2 ORDER BY version DESC LIMIT ?3"
    ))?;
    let rows = statement.query_map([product, before, limit_of(limit)], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many versions of a product line were made after a time.
pub(crate) fn versions_since(
    connection: &Connection,
    product: i64,
    after: UnixTime,
) -> Result<u64, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT count(*) FROM mud_version WHERE product = ?1 AND made_at > ?2")?
        .query_row([product, after.0], |row| row.get::<_, i64>(0))?
        .unsigned_abs())
}

/// The bytes of a version, where they are kept.
pub(crate) fn bytes(
    connection: &Connection,
    product: i64,
    version: u64,
) -> Result<Option<MudBytes>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT file, signature, anchors FROM mud_version
             WHERE product = ?1 AND version = ?2 AND file IS NOT NULL",
        )?
        .query_row([product, to_i64(version)], |row| {
            Ok(MudBytes { file: row.get(0)?, signature: row.get(1)?, anchors: row.get(2)? })
        })
        .optional()?)
}

/// A version to be added.
#[derive(Debug, Clone)]
pub(crate) struct NewMudRow {
    /// its bytes and the SHA-256 of the file; without: the maker withdraws what was there
    pub(crate) kept: Option<(Sha256, MudBytes)>,
    pub(crate) signer: Option<(String, UnixTime)>,
    pub(crate) reason: String,
    pub(crate) made_by: String,
    pub(crate) made_at: UnixTime,
}

/// Adds a version under the next number; of all but the `keep` newest the bytes go.
pub(crate) fn insert(
    tx: &Tx<'_>,
    product: i64,
    new: &NewMudRow,
    keep: u64,
) -> Result<u64, ServiceError> {
    let version: i64 = tx
        .prepare_cached("SELECT 1 + coalesce(max(version), 0) FROM mud_version WHERE product = ?1")?
        .query_row([product], |row| row.get(0))?;
    let (digest, bytes) = match &new.kept {
        Some((digest, bytes)) => (Some(digest.as_bytes()), Some(bytes)),
        None => (None, None),
    };
    tx.prepare_cached(
        "INSERT INTO mud_version (product, version, digest, file, signature, anchors, signer,
             signer_until, reason, made_by, made_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        product,
        version,
        digest,
        bytes.map(|it| &it.file),
        bytes.and_then(|it| it.signature.as_ref()),
        bytes.and_then(|it| it.anchors.as_ref()),
        new.signer.as_ref().map(|(signer, _)| signer),
        new.signer.as_ref().map(|(_, until)| until.0),
        new.reason,
        new.made_by,
        new.made_at.0
    ])?;
    tx.prepare_cached(
        "UPDATE mud_version SET file = NULL, signature = NULL, anchors = NULL
         WHERE product = ?1 AND version <= ?2 AND file IS NOT NULL",
    )?
    .execute([product, version.saturating_sub(to_i64(keep))])?;
    Ok(version.unsigned_abs())
}

/// Forgets what was found of a device, whose owner changes, and notes when.
pub(crate) fn forget_device(tx: &Tx<'_>, device: i64, at: UnixTime) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM mud_outside WHERE device = ?1")?.execute([device])?;
    tx.prepare_cached("DELETE FROM mud_told WHERE device = ?1")?.execute([device])?;
    super::mud_seen::forget(tx, device)?;
    tx.prepare_cached(
        "INSERT INTO mud_owned (device, since) VALUES (?1, ?2)
         ON CONFLICT (device) DO UPDATE SET since = excluded.since",
    )?
    .execute([device, at.0])?;
    Ok(())
}

/// Since when a device is its owner's, where that changed.
pub(crate) fn owned_since(
    connection: &Connection,
    device: i64,
) -> Result<Option<UnixTime>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT since FROM mud_owned WHERE device = ?1")?
        .query_row([device], |row| row.get(0).map(UnixTime))
        .optional()?)
}

/// What IDevIDs of a product line say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReferenceRow {
    pub(crate) url: String,
    /// name of who signs the file, in DER
    pub(crate) signer: Option<Vec<u8>>,
    pub(crate) set_by: String,
    pub(crate) set_at: UnixTime,
}

pub(crate) fn reference(
    connection: &Connection,
    product: i64,
) -> Result<Option<ReferenceRow>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT url, signer, set_by, set_at FROM product_mud WHERE product = ?1")?
        .query_row([product], |row| {
            Ok(ReferenceRow {
                url: row.get(0)?,
                signer: row.get(1)?,
                set_by: row.get(2)?,
                set_at: UnixTime(row.get(3)?),
            })
        })
        .optional()?)
}

pub(crate) fn set_reference(
    tx: &Tx<'_>,
    product: i64,
    new: &ReferenceRow,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO product_mud (product, url, signer, set_by, set_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (product) DO UPDATE SET url = excluded.url, signer = excluded.signer,
            set_by = excluded.set_by, set_at = excluded.set_at",
    )?
    .execute(params![product, new.url, new.signer, new.set_by, new.set_at.0])?;
    Ok(())
}

/// False where there was nothing.
pub(crate) fn end_reference(tx: &Tx<'_>, product: i64) -> Result<bool, ServiceError> {
    let gone =
        tx.prepare_cached("DELETE FROM product_mud WHERE product = ?1")?.execute([product])?;
    Ok(gone > 0)
}
