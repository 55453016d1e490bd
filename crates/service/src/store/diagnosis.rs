//! Diagnoses of products, what stands in them, and who changed it.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// Where a diagnosis is. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum State {
    Open = 0,
    Signed = 1,
    Discarded = 2,
}

impl State {
    fn from_number(number: u8) -> Option<Self> {
        [Self::Open, Self::Signed, Self::Discarded].into_iter().find(|one| *one as u8 == number)
    }
}

/// A diagnosis without its entries.
#[derive(Debug, Clone)]
pub(crate) struct DiagnosisRow {
    pub(crate) id: i64,
    pub(crate) reference: [u8; 16],
    pub(crate) organisation: i64,
    pub(crate) product: i64,
    pub(crate) subject: String,
    pub(crate) sheet: Sha256,
    pub(crate) state: State,
    pub(crate) version: u64,
    pub(crate) opened_by: String,
    pub(crate) opened_at: UnixTime,
    pub(crate) changed_at: UnixTime,
    pub(crate) signed_by: Option<String>,
    pub(crate) approved_by: Option<String>,
    pub(crate) signed_at: Option<UnixTime>,
    pub(crate) content: Option<Sha256>,
    pub(crate) leaf: Option<u64>,
}

const DIAGNOSIS: &str = "id, reference, organisation, product, subject, sheet, state, version, opened_by, opened_at, \
     changed_at, signed_by, approved_by, signed_at, content, leaf FROM diagnosis";

fn diagnosis_row(row: &Row<'_>) -> rusqlite::Result<DiagnosisRow> {
    let state: u8 = row.get(6)?;
    Ok(DiagnosisRow {
        id: row.get(0)?,
        reference: row.get(1)?,
        organisation: row.get(2)?,
        product: row.get(3)?,
        subject: row.get(4)?,
        sheet: Sha256(row.get(5)?),
        state: State::from_number(state)
            .ok_or(rusqlite::Error::IntegralValueOutOfRange(6, state.into()))?,
        version: row.get::<_, i64>(7)?.unsigned_abs(),
        opened_by: row.get(8)?,
        opened_at: UnixTime(row.get(9)?),
        changed_at: UnixTime(row.get(10)?),
        signed_by: row.get(11)?,
        approved_by: row.get(12)?,
        signed_at: row.get::<_, Option<i64>>(13)?.map(UnixTime),
        content: row.get::<_, Option<[u8; 32]>>(14)?.map(Sha256),
        leaf: row.get::<_, Option<i64>>(15)?.map(i64::unsigned_abs),
    })
}

pub(crate) fn insert(tx: &Tx<'_>, new: &DiagnosisRow) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO diagnosis (reference, organisation, product, subject, sheet, state, version,
                                opened_by, opened_at, changed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        new.reference,
        new.organisation,
        new.product,
        new.subject,
        new.sheet.as_bytes(),
        to_i64(new.version),
        new.opened_by,
        new.opened_at.0,
        new.changed_at.0
    ])?;
    Ok(tx.last_insert_rowid())
}

pub(crate) fn diagnosis(
    connection: &Connection,
    reference: &[u8; 16],
) -> Result<Option<DiagnosisRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {DIAGNOSIS} WHERE reference = ?1 AND state < 2"))?
        .query_row([reference], diagnosis_row)
        .optional()?)
}

pub(crate) fn by_row(
    connection: &Connection,
    id: i64,
) -> Result<Option<DiagnosisRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {DIAGNOSIS} WHERE id = ?1 AND state < 2"))?
        .query_row([id], diagnosis_row)
        .optional()?)
}

/// Diagnoses of an organisation that are not discarded, newest first, older than `before`.
pub(crate) fn diagnoses(
    connection: &Connection,
    organisation: i64,
    before: i64,
    limit: usize,
) -> Result<Vec<DiagnosisRow>, ServiceError> {
    let sql = format!(
        "SELECT {DIAGNOSIS} WHERE organisation = ?1 AND id < ?2 AND state < 2
         ORDER BY id DESC LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows =
        statement.query_map(params![organisation, before, limit_of(limit)], diagnosis_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The same of one product.
pub(crate) fn of_product(
    connection: &Connection,
    product: i64,
    before: i64,
    limit: usize,
) -> Result<Vec<DiagnosisRow>, ServiceError> {
    let sql = format!(
        "SELECT {DIAGNOSIS} WHERE product = ?1 AND id < ?2 AND state < 2 ORDER BY id DESC LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![product, before, limit_of(limit)], diagnosis_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Open diagnoses of an organisation.
pub(crate) fn count_open(connection: &Connection, organisation: i64) -> Result<u64, ServiceError> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM diagnosis WHERE organisation = ?1 AND state = 0")?
        .query_row([organisation], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// What stands under a topic.
#[derive(Debug, Clone)]
pub(crate) struct EntryRow {
    pub(crate) topic: String,
    pub(crate) version: u64,
    pub(crate) outcome: Option<String>,
    pub(crate) counts_until: Option<String>,
    pub(crate) entry: Option<String>,
    pub(crate) changed_by: String,
    pub(crate) changed_at: UnixTime,
}

fn entry_row(row: &Row<'_>) -> rusqlite::Result<EntryRow> {
    Ok(EntryRow {
        topic: row.get(0)?,
        version: row.get::<_, i64>(1)?.unsigned_abs(),
        outcome: row.get(2)?,
        counts_until: row.get(3)?,
        entry: row.get(4)?,
        changed_by: row.get(5)?,
        changed_at: UnixTime(row.get(6)?),
    })
}

/// Every topic that was ever answered, those taken away included.
pub(crate) fn entries(
    connection: &Connection,
    diagnosis: i64,
) -> Result<Vec<EntryRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT topic, version, outcome, counts_until, entry, changed_by, changed_at
         FROM diagnosis_entry WHERE diagnosis = ?1",
    )?;
    let rows = statement.query_map([diagnosis], entry_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What stands under one topic.
pub(crate) fn entry(
    connection: &Connection,
    diagnosis: i64,
    topic: &str,
) -> Result<Option<EntryRow>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT topic, version, outcome, counts_until, entry, changed_by, changed_at
             FROM diagnosis_entry WHERE diagnosis = ?1 AND topic = ?2",
        )?
        .query_row(params![diagnosis, topic], entry_row)
        .optional()?)
}

/// Enough to count: topic, outcome, and until when evidence counts.
pub(crate) fn each_outcome(
    connection: &Connection,
    diagnosis: i64,
    mut each: impl FnMut(&str, &str, Option<&str>),
) -> Result<(), ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT topic, outcome, counts_until FROM diagnosis_entry
         WHERE diagnosis = ?1 AND outcome IS NOT NULL",
    )?;
    let mut rows = statement.query([diagnosis])?;
    while let Some(row) = rows.next()? {
        let text = |at| row.get_ref(at)?.as_str_or_null().map_err(rusqlite::Error::from);
        each(text(0)?.unwrap_or_default(), text(1)?.unwrap_or_default(), text(2)?);
    }
    Ok(())
}

pub(crate) fn put_entry(tx: &Tx<'_>, diagnosis: i64, entry: &EntryRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO diagnosis_entry (diagnosis, topic, version, outcome, counts_until, entry,
                                      changed_by, changed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (diagnosis, topic) DO UPDATE SET version = ?3, outcome = ?4,
             counts_until = ?5, entry = ?6, changed_by = ?7, changed_at = ?8",
    )?
    .execute(params![
        diagnosis,
        entry.topic,
        to_i64(entry.version),
        entry.outcome,
        entry.counts_until,
        entry.entry,
        entry.changed_by,
        entry.changed_at.0
    ])?;
    Ok(())
}

/// A change on record.
#[derive(Debug, Clone)]
pub(crate) struct ChangeRow {
    pub(crate) id: i64,
    pub(crate) version: u64,
    pub(crate) topic: String,
    pub(crate) how: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) by: String,
    pub(crate) at: UnixTime,
}

pub(crate) fn insert_change(
    tx: &Tx<'_>,
    diagnosis: i64,
    change: &ChangeRow,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO diagnosis_change (diagnosis, version, topic, how, before, after, by, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        diagnosis,
        to_i64(change.version),
        change.topic,
        change.how,
        change.before,
        change.after,
        change.by,
        change.at.0
    ])?;
    Ok(())
}

/// How much more is kept because of a change, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Growth {
    /// what the entries of the diagnosis grow by
    pub(crate) entries: i64,
    /// what is added to what is kept of the organisation's diagnoses
    pub(crate) kept: u64,
}

/// Counts what a change adds; the bytes of the entries of the diagnosis then, and those that are kept
/// of all diagnoses of the organisation.
pub(crate) fn charge(
    tx: &Tx<'_>,
    (diagnosis, organisation): (i64, i64),
    growth: Growth,
) -> Result<(u64, u64), ServiceError> {
    let entries: i64 = tx
        .prepare_cached(
            "UPDATE diagnosis SET entry_bytes = entry_bytes + ?2 WHERE id = ?1 RETURNING entry_bytes",
        )?
        .query_row([diagnosis, growth.entries], |row| row.get(0))?;
    let kept: i64 = tx
        .prepare_cached(
            "INSERT INTO diagnosis_usage (organisation, bytes) VALUES (?1, ?2)
             ON CONFLICT (organisation) DO UPDATE SET bytes = bytes + ?2 RETURNING bytes",
        )?
        .query_row([organisation, to_i64(growth.kept)], |row| row.get(0))?;
    Ok((entries.unsigned_abs(), kept.unsigned_abs()))
}

/// Changes of a diagnosis, or of one topic of it, newest first, older than `before`: at most `limit`,
/// and no more than fit into `bytes`, but one at least. Whether there are more.
pub(crate) fn changes(
    connection: &Connection,
    diagnosis: i64,
    topic: Option<&str>,
    before: i64,
    (limit, bytes): (usize, usize),
) -> Result<(Vec<ChangeRow>, bool), ServiceError> {
    let which = match topic {
        Some(_) => "diagnosis = ?1 AND topic = ?2",
        None => "diagnosis = ?1 AND ?2 IS NULL",
    };
    let sql = format!(
        "SELECT id, version, topic, how, before, after, by, at FROM diagnosis_change
         WHERE {which} AND id < ?3 ORDER BY id DESC LIMIT ?4"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let most = limit_of(limit.saturating_add(1));
    let mut rows = statement.query(params![diagnosis, topic, before, most])?;
    let (mut found, mut whole) = (Vec::new(), 0_usize);
    while let Some(row) = rows.next()? {
        let change = ChangeRow {
            id: row.get(0)?,
            version: row.get::<_, i64>(1)?.unsigned_abs(),
            topic: row.get(2)?,
            how: row.get(3)?,
            before: row.get(4)?,
            after: row.get(5)?,
            by: row.get(6)?,
            at: UnixTime(row.get(7)?),
        };
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        whole = whole.saturating_add(length(&change.before) + length(&change.after));
        if found.len() >= limit || (whole > bytes && !found.is_empty()) {
            return Ok((found, true));
        }
        found.push(change);
    }
    Ok((found, false))
}

/// Counts a change; the version after it.
pub(crate) fn count_change(
    tx: &Tx<'_>,
    diagnosis: i64,
    sheet: &Sha256,
    at: UnixTime,
) -> Result<u64, ServiceError> {
    let version: i64 = tx
        .prepare_cached(
            "UPDATE diagnosis SET version = version + 1, changed_at = ?2, sheet = ?3
             WHERE id = ?1 RETURNING version",
        )?
        .query_row(params![diagnosis, at.0, sheet.as_bytes()], |row| row.get(0))?;
    Ok(version.unsigned_abs())
}

/// What a sign-off adds.
pub(crate) struct SignOff<'a> {
    pub(crate) by: &'a str,
    pub(crate) approved_by: &'a str,
    pub(crate) at: UnixTime,
    pub(crate) content: &'a Sha256,
    pub(crate) file: &'a [u8],
    pub(crate) leaf: u64,
}

/// Signs an open diagnosis; false where it is none.
pub(crate) fn sign(tx: &Tx<'_>, id: i64, signed: &SignOff<'_>) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached(
            "UPDATE diagnosis SET state = 1, signed_by = ?2, approved_by = ?3, signed_at = ?4,
                                  content = ?5, file = ?6, leaf = ?7
             WHERE id = ?1 AND state = 0",
        )?
        .execute(params![
            id,
            signed.by,
            signed.approved_by,
            signed.at.0,
            signed.content.as_bytes(),
            signed.file,
            to_i64(signed.leaf)
        ])?;
    Ok(changed == 1)
}

/// The file that was signed.
pub(crate) fn signed_file(
    connection: &Connection,
    id: i64,
) -> Result<Option<Vec<u8>>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT file FROM diagnosis WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?
        .flatten())
}

/// Discards an open diagnosis; false where it is none.
pub(crate) fn discard(tx: &Tx<'_>, id: i64) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached("UPDATE diagnosis SET state = 2 WHERE id = ?1 AND state = 0")?
        .execute([id])?;
    Ok(changed == 1)
}
