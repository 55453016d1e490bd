//! Evidence that collectors found, and lists of approved components.

use super::{Tx, organisation::limit_of};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

#[derive(Debug, Clone)]
pub(crate) struct EvidenceRow {
    pub(crate) id: i64,
    pub(crate) organisation: i64,
    pub(crate) product: i64,
    pub(crate) collector: String,
    pub(crate) name: String,
    pub(crate) subject: String,
    pub(crate) verdict: String,
    /// JSON
    pub(crate) figures: String,
    pub(crate) digest: Sha256,
    pub(crate) collected_by: String,
    pub(crate) collected_at: UnixTime,
    pub(crate) expires_at: UnixTime,
    pub(crate) replaced_at: Option<UnixTime>,
    /// of provenance: the release's files that it was held against
    pub(crate) files: Option<Sha256>,
}

const EVIDENCE: &str = "id, organisation, product, collector, name, subject, verdict, figures, digest, collected_by, \
     collected_at, expires_at, replaced_at, files FROM evidence";

fn evidence_row(row: &Row<'_>) -> rusqlite::Result<EvidenceRow> {
    Ok(EvidenceRow {
        id: row.get(0)?,
        organisation: row.get(1)?,
        product: row.get(2)?,
        collector: row.get(3)?,
        name: row.get(4)?,
        subject: row.get(5)?,
        verdict: row.get(6)?,
        figures: row.get(7)?,
        digest: Sha256(row.get(8)?),
        collected_by: row.get(9)?,
        collected_at: UnixTime(row.get(10)?),
        expires_at: UnixTime(row.get(11)?),
        replaced_at: row.get::<_, Option<i64>>(12)?.map(UnixTime),
        files: row.get::<_, Option<[u8; 32]>>(13)?.map(Sha256),
    })
}

/// Puts evidence on record; what was there of the same collector, name and subject counts no more.
pub(crate) fn put(tx: &Tx<'_>, new: &EvidenceRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "UPDATE evidence SET replaced_at = ?5
         WHERE product = ?1 AND collector = ?2 AND name = ?3 AND subject = ?4
           AND replaced_at IS NULL",
    )?
    .execute(params![
        new.product,
        new.collector,
        new.name,
        new.subject,
        new.collected_at.0
    ])?;
    tx.prepare_cached(
        "INSERT INTO evidence (organisation, product, collector, name, subject, verdict, figures,
                               digest, collected_by, collected_at, expires_at, files)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        new.organisation,
        new.product,
        new.collector,
        new.name,
        new.subject,
        new.verdict,
        new.figures,
        new.digest.as_bytes(),
        new.collected_by,
        new.collected_at.0,
        new.expires_at.0,
        new.files.as_ref().map(|files| files.0)
    ])?;
    Ok(())
}

/// What counts of a product now.
pub(crate) fn current(
    connection: &Connection,
    product: i64,
) -> Result<Vec<EvidenceRow>, ServiceError> {
    let sql = format!(
        "SELECT {EVIDENCE} WHERE product = ?1 AND replaced_at IS NULL
         ORDER BY collector, name, subject"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([product], evidence_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Evidence as diagnoses count it.
#[derive(Debug, Clone)]
pub(crate) struct CountingRow {
    pub(crate) collector: String,
    pub(crate) subject: String,
    pub(crate) verdict: String,
    pub(crate) expires_at: UnixTime,
    pub(crate) files: Option<Sha256>,
}

/// What counts of a version of a product: what is about it, and what is about the platform.
pub(crate) fn counting(
    connection: &Connection,
    product: i64,
    subject: &str,
) -> Result<Vec<CountingRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT collector, subject, verdict, expires_at, files FROM evidence
         WHERE product = ?1 AND subject IN ('', ?2) AND replaced_at IS NULL
         ORDER BY collector, name, subject",
    )?;
    let rows = statement.query_map(params![product, subject], |row| {
        Ok(CountingRow {
            collector: row.get(0)?,
            subject: row.get(1)?,
            verdict: row.get(2)?,
            expires_at: UnixTime(row.get(3)?),
            files: row.get::<_, Option<[u8; 32]>>(4)?.map(Sha256),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Lets the oldest evidence of another version count no more; false where there is none that may go. A
/// failure stays as long as a diagnosis of its version is open.
pub(crate) fn replace_oldest(
    tx: &Tx<'_>,
    product: i64,
    subject: &str,
    at: UnixTime,
) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached(
            "UPDATE evidence SET replaced_at = ?3 WHERE id = (
                SELECT e.id FROM evidence e
                WHERE e.product = ?1 AND e.replaced_at IS NULL AND e.subject NOT IN ('', ?2)
                  AND NOT (e.verdict = 'fail' AND EXISTS (
                    SELECT 1 FROM diagnosis d
                    WHERE d.product = ?1 AND d.subject = e.subject AND d.state = 0))
                ORDER BY e.collected_at, e.id LIMIT 1)",
        )?
        .execute(params![product, subject, at.0])?;
    Ok(changed == 1)
}

/// How much counts of a product now.
pub(crate) fn count_current(connection: &Connection, product: i64) -> Result<u64, ServiceError> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM evidence WHERE product = ?1 AND replaced_at IS NULL")?
        .query_row([product], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// All evidence of a product, newest first, before a row.
pub(crate) fn all(
    connection: &Connection,
    product: i64,
    before: i64,
    limit: usize,
) -> Result<Vec<EvidenceRow>, ServiceError> {
    let sql = format!("SELECT {EVIDENCE} WHERE product = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![product, before, limit_of(limit)], evidence_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Product lines with a diagnosis at which nobody looked since `before`: their rows.
pub(crate) fn stale(
    connection: &Connection,
    before: UnixTime,
    limit: usize,
) -> Result<Vec<i64>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT p.id FROM product p
         WHERE EXISTS (SELECT 1 FROM diagnosis d WHERE d.product = p.id AND d.state < 2)
           AND NOT EXISTS (SELECT 1 FROM evidence e WHERE e.product = p.id AND e.subject = ''
                           AND e.name = '' AND e.replaced_at IS NULL AND e.collected_at > ?1)
         LIMIT ?2",
    )?;
    let rows = statement.query_map(params![before.0, limit_of(limit)], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// An organisation's list of approved components as JSON, who changed it, when.
pub(crate) fn approved(
    connection: &Connection,
    organisation: i64,
) -> Result<Option<(String, String, UnixTime)>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT list, changed_by, changed_at FROM approved_components WHERE organisation = ?1",
        )?
        .query_row([organisation], |row| Ok((row.get(0)?, row.get(1)?, UnixTime(row.get(2)?))))
        .optional()?)
}

pub(crate) fn set_approved(
    tx: &Tx<'_>,
    organisation: i64,
    list: &str,
    by: &str,
    at: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached("INSERT OR REPLACE INTO approved_components VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![organisation, list, by, at.0])?;
    Ok(())
}
