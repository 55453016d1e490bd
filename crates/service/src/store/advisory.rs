//! Advisories, catalogues of what is exploited, and the files that they came in.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use rusqlite::{Connection, OptionalExtension as _, params};

/// A document that is to be kept.
#[derive(Debug, Clone)]
pub(crate) struct NewDocument {
    pub(crate) organisation: i64,
    pub(crate) digest: Sha256,
    pub(crate) form: &'static str,
    pub(crate) source: String,
    pub(crate) added_by: String,
    pub(crate) added_at: UnixTime,
}

/// The document of these bytes whose contents count.
pub(crate) fn document(
    connection: &Connection,
    organisation: i64,
    digest: &Sha256,
) -> Result<Option<(i64, bool)>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT id, bytes IS NOT NULL FROM advisory_document
             WHERE organisation = ?1 AND digest = ?2",
        )?
        .query_row(params![organisation, digest.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

/// Keeps a document; one that was replaced and comes back gets its bytes again.
pub(crate) fn insert_document(
    tx: &Tx<'_>,
    new: &NewDocument,
    bytes: &[u8],
) -> Result<i64, ServiceError> {
    let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    tx.prepare_cached(
        "INSERT INTO advisory_document
             (organisation, digest, form, length, bytes, source, added_by, added_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (organisation, digest) DO UPDATE SET bytes = excluded.bytes",
    )?
    .execute(params![
        new.organisation,
        new.digest.as_bytes(),
        new.form,
        length,
        bytes,
        new.source,
        new.added_by,
        new.added_at.0
    ])?;
    let kept = document(tx, new.organisation, &new.digest)?;
    kept.map(|(id, _)| id)
        .ok_or_else(|| ServiceError::fatal("store-damaged", "a document is missing"))
}

/// Lets go of the bytes of a document in which nothing counts any more.
pub(crate) fn retire_document(tx: &Tx<'_>, id: i64) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "UPDATE advisory_document SET bytes = NULL WHERE id = ?1
         AND NOT EXISTS (SELECT 1 FROM advisory WHERE document = ?1)
         AND NOT EXISTS (SELECT 1 FROM exploited_catalogue WHERE document = ?1)",
    )?
    .execute([id])?;
    Ok(())
}

pub(crate) fn document_bytes(
    connection: &Connection,
    id: i64,
) -> Result<Option<Vec<u8>>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT bytes FROM advisory_document WHERE id = ?1")?
        .query_row([id], |row| row.get::<_, Option<Vec<u8>>>(0))
        .optional()?
        .flatten())
}

/// Where an advisory is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AdvisoryRow {
    pub(crate) id: i64,
    pub(crate) organisation: i64,
    pub(crate) document: i64,
    pub(crate) part: usize,
    pub(crate) modified: Option<UnixTime>,
}

fn advisory_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<AdvisoryRow> {
    Ok(AdvisoryRow {
        id: row.get(0)?,
        organisation: row.get(1)?,
        document: row.get(2)?,
        part: usize::try_from(row.get::<_, i64>(3)?).unwrap_or(usize::MAX),
        modified: row.get::<_, Option<i64>>(4)?.map(UnixTime),
    })
}

pub(crate) fn advisory(
    connection: &Connection,
    organisation: i64,
    name: &str,
    tracking: &str,
) -> Result<Option<AdvisoryRow>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT id, organisation, document, part, modified FROM advisory
             WHERE organisation = ?1 AND name = ?2 AND tracking = ?3",
        )?
        .query_row(params![organisation, name, tracking], advisory_row)
        .optional()?)
}

/// Advisories of a CSAF document, by their names.
pub(crate) fn advisories_of(
    connection: &Connection,
    organisation: i64,
    tracking: &str,
) -> Result<Vec<(String, AdvisoryRow)>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, organisation, document, part, modified, name FROM advisory
         WHERE organisation = ?1 AND tracking = ?2 AND tracking <> ''",
    )?;
    let rows = statement
        .query_map(params![organisation, tracking], |row| Ok((row.get(5)?, advisory_row(row)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What is kept of an advisory beside its document.
#[derive(Debug, Clone)]
pub(crate) struct NewAdvisory<'a> {
    pub(crate) organisation: i64,
    pub(crate) name: &'a str,
    pub(crate) tracking: &'a str,
    pub(crate) document: i64,
    pub(crate) part: usize,
    pub(crate) modified: Option<UnixTime>,
    pub(crate) withdrawn: Option<UnixTime>,
    pub(crate) summary: &'a str,
    pub(crate) remarks: usize,
}

pub(crate) fn set_advisory(tx: &Tx<'_>, new: &NewAdvisory<'_>) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO advisory
             (organisation, name, tracking, document, part, modified, withdrawn, summary, remarks)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (organisation, name, tracking) DO UPDATE SET document = excluded.document,
             part = excluded.part, modified = excluded.modified, withdrawn = excluded.withdrawn,
             summary = excluded.summary, remarks = excluded.remarks",
    )?
    .execute(params![
        new.organisation,
        new.name,
        new.tracking,
        new.document,
        limit_of(new.part),
        new.modified.map(|at| at.0),
        new.withdrawn.map(|at| at.0),
        new.summary,
        limit_of(new.remarks)
    ])?;
    advisory(tx, new.organisation, new.name, new.tracking)?
        .map(|row| row.id)
        .ok_or_else(|| ServiceError::fatal("store-damaged", "an advisory is missing"))
}

pub(crate) fn delete_advisory(tx: &Tx<'_>, id: i64) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM advisory_key WHERE advisory = ?1")?.execute([id])?;
    tx.prepare_cached("DELETE FROM advisory WHERE id = ?1")?.execute([id])?;
    Ok(())
}

pub(crate) fn keys_of(connection: &Connection, advisory: i64) -> Result<Vec<String>, ServiceError> {
    let mut statement =
        connection.prepare_cached("SELECT key FROM advisory_key WHERE advisory = ?1")?;
    let rows = statement.query_map([advisory], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn set_keys<'a>(
    tx: &Tx<'_>,
    advisory: i64,
    keys: impl IntoIterator<Item = &'a str>,
) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM advisory_key WHERE advisory = ?1")?.execute([advisory])?;
    for key in keys {
        tx.prepare_cached("INSERT OR IGNORE INTO advisory_key VALUES (?1, ?2)")?
            .execute(params![key, advisory])?;
    }
    Ok(())
}

/// Advisories of either organisation that have a key: those of `first` before those of `second`.
pub(crate) fn by_key(
    connection: &Connection,
    key: &str,
    first: i64,
    second: i64,
) -> Result<Vec<AdvisoryRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT a.id, a.organisation, a.document, a.part, a.modified
         FROM advisory_key k JOIN advisory a ON a.id = k.advisory
         WHERE k.key = ?1 AND a.organisation IN (?2, ?3) AND a.withdrawn IS NULL
         ORDER BY a.organisation = ?3, a.id",
    )?;
    let rows = statement.query_map(params![key, first, second], advisory_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What a catalogue says of a vulnerability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExploitedRow {
    pub(crate) since: Option<UnixTime>,
    pub(crate) due: Option<UnixTime>,
    pub(crate) ransomware: bool,
}

pub(crate) fn exploited(
    connection: &Connection,
    name: &str,
    first: i64,
    second: i64,
) -> Result<Option<ExploitedRow>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT since, due, ransomware FROM exploited
             WHERE organisation IN (?2, ?3) AND name = ?1 ORDER BY organisation = ?2 LIMIT 1",
        )?
        .query_row(params![name, first, second], |row| {
            Ok(ExploitedRow {
                since: row.get::<_, Option<i64>>(0)?.map(UnixTime),
                due: row.get::<_, Option<i64>>(1)?.map(UnixTime),
                ransomware: row.get(2)?,
            })
        })
        .optional()?)
}

/// The catalogue that counts: its document, and when it was released.
pub(crate) fn catalogue(
    connection: &Connection,
    organisation: i64,
) -> Result<Option<(i64, Option<UnixTime>)>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT document, released FROM exploited_catalogue WHERE organisation = ?1",
        )?
        .query_row([organisation], |row| {
            Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?.map(UnixTime)))
        })
        .optional()?)
}

pub(crate) fn set_catalogue(
    tx: &Tx<'_>,
    organisation: i64,
    document: i64,
    released: Option<UnixTime>,
) -> Result<(), ServiceError> {
    tx.prepare_cached("INSERT OR REPLACE INTO exploited_catalogue VALUES (?1, ?2, ?3)")?
        .execute(params![organisation, document, released.map(|at| at.0)])?;
    Ok(())
}

/// Every name in an organisation's catalogue.
pub(crate) fn exploited_names(
    connection: &Connection,
    organisation: i64,
) -> Result<Vec<String>, ServiceError> {
    let mut statement =
        connection.prepare_cached("SELECT name FROM exploited WHERE organisation = ?1")?;
    let rows = statement.query_map([organisation], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Puts an entry in; tells whether anything changed.
pub(crate) fn set_exploited(
    tx: &Tx<'_>,
    organisation: i64,
    name: &str,
    row: &ExploitedRow,
) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached(
            "INSERT INTO exploited VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (organisation, name) DO UPDATE SET since = excluded.since,
                 due = excluded.due, ransomware = excluded.ransomware
             WHERE since IS NOT excluded.since OR due IS NOT excluded.due
                OR ransomware <> excluded.ransomware",
        )?
        .execute(params![
            organisation,
            name,
            row.since.map(|at| at.0),
            row.due.map(|at| at.0),
            row.ransomware
        ])?;
    Ok(changed > 0)
}

pub(crate) fn delete_exploited(
    tx: &Tx<'_>,
    organisation: i64,
    name: &str,
) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM exploited WHERE organisation = ?1 AND name = ?2")?
        .execute(params![organisation, name])?;
    Ok(())
}

/// How much is known: documents, advisories, entries of what is exploited.
pub(crate) fn counts(connection: &Connection, organisation: i64) -> Result<[u64; 3], ServiceError> {
    let count = |sql: &str| {
        let count = connection
            .prepare_cached(sql)?
            .query_row([organisation], |row| row.get::<_, i64>(0))?;
        Ok::<_, ServiceError>(count.unsigned_abs())
    };
    Ok([
        count("SELECT count(*) FROM advisory_document WHERE organisation = ?1 AND bytes NOTNULL")?,
        count("SELECT count(*) FROM advisory WHERE organisation = ?1")?,
        count("SELECT count(*) FROM exploited WHERE organisation = ?1")?,
    ])
}

/// A file as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileRow {
    pub(crate) path: String,
    pub(crate) length: u64,
    /// nanoseconds since 1970
    pub(crate) modified: i64,
    pub(crate) trouble: Option<String>,
    pub(crate) read_at: UnixTime,
}

fn file_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<FileRow> {
    Ok(FileRow {
        path: row.get(0)?,
        length: row.get::<_, i64>(1)?.unsigned_abs(),
        modified: row.get(2)?,
        trouble: row.get(3)?,
        read_at: UnixTime(row.get(4)?),
    })
}

pub(crate) fn set_file(tx: &Tx<'_>, file: &FileRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO advisory_file (path, length, modified, trouble, read_at)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (path) DO UPDATE SET length = excluded.length,
             modified = excluded.modified, trouble = excluded.trouble,
             read_at = excluded.read_at",
    )?
    .execute(params![
        file.path,
        to_i64(file.length),
        file.modified,
        file.trouble,
        file.read_at.0
    ])?;
    Ok(())
}

/// Files that could not be taken, each with its number, in the order of these.
pub(crate) fn files_in_trouble(
    connection: &Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<(i64, FileRow)>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT path, length, modified, trouble, read_at, number FROM advisory_file
         WHERE trouble IS NOT NULL AND number > ?1 ORDER BY number LIMIT ?2",
    )?;
    let rows = statement
        .query_map(params![after, limit_of(limit)], |row| Ok((row.get(5)?, file_row(row)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Forgets files that are gone: their contents stay known.
pub(crate) fn forget_file(tx: &Tx<'_>, path: &str) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM advisory_file WHERE path = ?1")?.execute([path])?;
    Ok(())
}

/// Every file on record, in the order of their paths.
pub(crate) fn files(
    connection: &Connection,
    after: &str,
    limit: usize,
) -> Result<Vec<FileRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT path, length, modified, trouble, read_at FROM advisory_file
         WHERE path > ?1 ORDER BY path LIMIT ?2",
    )?;
    let rows = statement.query_map(params![after, limit_of(limit)], file_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many files could not be taken.
pub(crate) fn troubled(connection: &Connection) -> Result<u64, ServiceError> {
    let sql = "SELECT count(*) FROM advisory_file WHERE trouble IS NOT NULL";
    Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0))?.unsigned_abs())
}
