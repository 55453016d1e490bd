//! Files by their contents, who has them, and files on their way.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// Contents that are on disk whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlobRow {
    pub(crate) id: i64,
    pub(crate) sha256: Sha256,
    pub(crate) sha1: [u8; 20],
    pub(crate) length: u64,
}

fn blob_row(row: &Row<'_>) -> rusqlite::Result<BlobRow> {
    Ok(BlobRow {
        id: row.get(0)?,
        sha256: Sha256(row.get(1)?),
        sha1: row.get(2)?,
        length: row.get::<_, i64>(3)?.unsigned_abs(),
    })
}

const BLOB: &str = "blob.id, blob.sha256, blob.sha1, blob.length";

pub(crate) fn blob(
    connection: &Connection,
    sha256: &Sha256,
) -> Result<Option<BlobRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {BLOB} FROM blob WHERE sha256 = ?1"))?
        .query_row([sha256.as_bytes()], blob_row)
        .optional()?)
}

/// The contents, where the organisation has them.
pub(crate) fn held(
    connection: &Connection,
    organisation: i64,
    sha256: &Sha256,
) -> Result<Option<BlobRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {BLOB} FROM blob JOIN blob_held ON blob_held.blob = blob.id
             WHERE organisation = ?1 AND sha256 = ?2"
        ))?
        .query_row(params![organisation, sha256.as_bytes()], blob_row)
        .optional()?)
}

/// Puts down contents that lie on disk, and that an organisation has them.
pub(crate) fn hold(
    tx: &mut Tx<'_>,
    organisation: i64,
    sha256: &Sha256,
    sha1: &[u8; 20],
    length: u64,
    now: UnixTime,
) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO blob (sha256, sha1, length, created_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (sha256) DO NOTHING",
    )?
    .execute(params![sha256.as_bytes(), sha1, to_i64(length), now.0])?;
    let id: i64 = tx
        .prepare_cached("SELECT id FROM blob WHERE sha256 = ?1")?
        .query_row([sha256.as_bytes()], |row| row.get(0))?;
    tx.prepare_cached(
        "INSERT INTO blob_held (organisation, blob, since) VALUES (?1, ?2, ?3)
         ON CONFLICT (organisation, blob) DO UPDATE SET since = excluded.since",
    )?
    .execute(params![organisation, id, now.0])?;
    Ok(id)
}

/// Where a file on its way is. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum UploadStep {
    Receiving = 0,
    Verifying = 1,
    Complete = 2,
    Mismatch = 3,
}

impl UploadStep {
    fn from_number(number: u8) -> Option<Self> {
        use UploadStep as S;
        [S::Receiving, S::Verifying, S::Complete, S::Mismatch]
            .into_iter()
            .find(|step| *step as u8 == number)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct UploadRow {
    pub(crate) id: i64,
    pub(crate) reference: [u8; 16],
    pub(crate) organisation: i64,
    pub(crate) sha256: Sha256,
    pub(crate) length: u64,
    pub(crate) received: u64,
    pub(crate) step: UploadStep,
    pub(crate) created_at: UnixTime,
    pub(crate) expires_at: UnixTime,
}

const UPLOAD: &str =
    "id, reference, organisation, sha256, length, received, state, created_at, expires_at";

fn upload_row(row: &Row<'_>) -> rusqlite::Result<UploadRow> {
    let step: u8 = row.get(6)?;
    Ok(UploadRow {
        id: row.get(0)?,
        reference: row.get(1)?,
        organisation: row.get(2)?,
        sha256: Sha256(row.get(3)?),
        length: row.get::<_, i64>(4)?.unsigned_abs(),
        received: row.get::<_, i64>(5)?.unsigned_abs(),
        step: UploadStep::from_number(step)
            .ok_or(rusqlite::Error::IntegralValueOutOfRange(6, step.into()))?,
        created_at: UnixTime(row.get(7)?),
        expires_at: UnixTime(row.get(8)?),
    })
}

pub(crate) fn insert_upload(tx: &mut Tx<'_>, new: &UploadRow) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO upload (reference, organisation, sha256, length, received, state, created_at,
                             expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        new.reference,
        new.organisation,
        new.sha256.as_bytes(),
        to_i64(new.length),
        to_i64(new.received),
        new.step as u8,
        new.created_at.0,
        new.expires_at.0
    ])?;
    Ok(tx.last_insert_rowid())
}

pub(crate) fn upload(
    connection: &Connection,
    reference: &[u8; 16],
) -> Result<Option<UploadRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {UPLOAD} FROM upload WHERE reference = ?1"))?
        .query_row([reference], upload_row)
        .optional()?)
}

pub(crate) fn upload_by_row(
    connection: &Connection,
    id: i64,
) -> Result<Option<UploadRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {UPLOAD} FROM upload WHERE id = ?1"))?
        .query_row([id], upload_row)
        .optional()?)
}

/// The newest upload of an organisation for these contents.
pub(crate) fn upload_for(
    connection: &Connection,
    organisation: i64,
    sha256: &Sha256,
) -> Result<Option<UploadRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {UPLOAD} FROM upload WHERE organisation = ?1 AND sha256 = ?2
             ORDER BY id DESC LIMIT 1"
        ))?
        .query_row(params![organisation, sha256.as_bytes()], upload_row)
        .optional()?)
}

/// An organisation's uploads after row `after`.
pub(crate) fn uploads(
    connection: &Connection,
    organisation: i64,
    after: i64,
    limit: usize,
) -> Result<Vec<UploadRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {UPLOAD} FROM upload WHERE organisation = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
    ))?;
    let rows = statement.query_map(params![organisation, after, limit_of(limit)], upload_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Uploads that wait to be verified, the shortest first: who brings a long file keeps nobody waiting
/// for a short one.
pub(crate) fn to_verify(connection: &Connection) -> Result<Vec<UploadRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {UPLOAD} FROM upload WHERE state = 1 ORDER BY length, id"
    ))?;
    let rows = statement.query_map([], upload_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// So many bytes of an upload are durable; false where it takes none any more.
pub(crate) fn set_received(
    tx: &mut Tx<'_>,
    id: i64,
    received: u64,
    expires_at: UnixTime,
) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached(
            "UPDATE upload SET received = ?2, expires_at = ?3
             WHERE id = ?1 AND state = 0 AND received <= ?2 AND ?2 <= length",
        )?
        .execute(params![id, to_i64(received), expires_at.0])?;
    Ok(changed == 1)
}

/// Moves an upload on; false where it is not at `from`.
pub(crate) fn set_step(
    tx: &mut Tx<'_>,
    id: i64,
    from: UploadStep,
    to: UploadStep,
    expires_at: UnixTime,
) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached(
            "UPDATE upload SET state = ?3, expires_at = ?4 WHERE id = ?1 AND state = ?2",
        )?
        .execute(params![id, from as u8, to as u8, expires_at.0])?;
    Ok(changed == 1)
}

pub(crate) fn delete_upload(tx: &mut Tx<'_>, id: i64) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM upload WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// What an organisation has, and has on its way, in bytes and uploads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Used {
    pub(crate) held_bytes: u64,
    pub(crate) held: u64,
    pub(crate) arriving_bytes: u64,
    pub(crate) arriving: u64,
}

pub(crate) fn used(connection: &Connection, organisation: i64) -> Result<Used, ServiceError> {
    let number = |sql: &str| -> Result<(u64, u64), ServiceError> {
        Ok(connection.prepare_cached(sql)?.query_row([organisation], |row| {
            Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs()))
        })?)
    };
    let (held_bytes, held) = number(
        "SELECT coalesce(sum(length), 0), count(*) FROM blob_held
         JOIN blob ON blob.id = blob_held.blob WHERE organisation = ?1",
    )?;
    let (arriving_bytes, arriving) = number(
        "SELECT coalesce(sum(length), 0), count(*) FROM upload
         WHERE organisation = ?1 AND state < 2",
    )?;
    Ok(Used { held_bytes, held, arriving_bytes, arriving })
}

/// Bytes that all uploads under way have announced and not brought yet, whoever sends them.
pub(crate) fn announced(connection: &Connection) -> Result<u64, ServiceError> {
    let sum: i64 = connection
        .prepare_cached("SELECT coalesce(sum(length - received), 0) FROM upload WHERE state = 0")?
        .query_row([], |row| row.get(0))?;
    Ok(sum.unsigned_abs())
}

/// Uploads whose time is over, but for those being verified.
pub(crate) fn expired_uploads(
    connection: &Connection,
    now: UnixTime,
    limit: usize,
) -> Result<Vec<UploadRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {UPLOAD} FROM upload WHERE expires_at <= ?1 AND state <> 1
         ORDER BY expires_at LIMIT ?2"
    ))?;
    let rows = statement.query_map(params![now.0, limit_of(limit)], upload_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Lets go of what no release names and what was had since before a time; returns how many.
pub(crate) fn release_unused(tx: &mut Tx<'_>, before: UnixTime) -> Result<usize, ServiceError> {
    Ok(tx
        .prepare_cached(
            "DELETE FROM blob_held WHERE since < ?1
             AND NOT EXISTS (SELECT 1 FROM artifact JOIN release ON release.id = artifact.release
                WHERE artifact.blob = blob_held.blob AND release.state < 3
                AND release.organisation = blob_held.organisation)
             AND NOT EXISTS (SELECT 1 FROM attachment
                JOIN release ON release.id = attachment.release
                WHERE attachment.blob = blob_held.blob AND release.state < 3
                AND release.organisation = blob_held.organisation)",
        )?
        .execute([before.0])?)
}

/// Takes blobs that nobody has off the record; returns what may be removed from the disk.
pub(crate) fn take_orphans(tx: &mut Tx<'_>, limit: usize) -> Result<Vec<Sha256>, ServiceError> {
    let orphans: Vec<(i64, [u8; 32])> = {
        let mut statement = tx.prepare_cached(
            "SELECT id, sha256 FROM blob
             WHERE NOT EXISTS (SELECT 1 FROM blob_held WHERE blob_held.blob = blob.id)
             ORDER BY id LIMIT ?1",
        )?;
        let rows = statement
            .query_map([limit_of(limit)], |row| Ok((row.get(0)?, row.get::<_, [u8; 32]>(1)?)))?;
        rows.collect::<Result<_, _>>()?
    };
    for (id, _) in &orphans {
        // Drafts that were discarded may still name it.
        tx.prepare_cached("DELETE FROM artifact WHERE blob = ?1")?.execute([id])?;
        tx.prepare_cached("DELETE FROM attachment WHERE blob = ?1")?.execute([id])?;
        tx.prepare_cached("DELETE FROM blob WHERE id = ?1")?.execute([id])?;
    }
    Ok(orphans.into_iter().map(|(_, sha256)| Sha256(sha256)).collect())
}
