//! Statements about vulnerabilities in products, and the documents that they came in.

use super::{Tx, organisation::limit_of};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// A statement on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatementRow {
    pub(crate) id: i64,
    pub(crate) reference: [u8; 16],
    pub(crate) organisation: i64,
    pub(crate) product: i64,
    /// `None`: every version
    pub(crate) software: Option<i64>,
    /// 1 a supplier's, 2 the organisation's own
    pub(crate) origin: u8,
    /// the document that it came in, and its place there
    pub(crate) document: Option<(i64, usize)>,
    pub(crate) name: String,
    pub(crate) status: String,
    /// what one made here says, as JSON
    pub(crate) terms: String,
    pub(crate) author: String,
    pub(crate) said_by: String,
    pub(crate) said_at: UnixTime,
    pub(crate) expires: Option<UnixTime>,
    pub(crate) due: Option<UnixTime>,
    pub(crate) withdrawn_by: Option<String>,
    pub(crate) withdrawn_at: Option<UnixTime>,
}

const STATEMENT: &str = "id, reference, organisation, product, software, origin, document, part, name, status, terms, \
     author, said_by, said_at, expires, due, withdrawn_by, withdrawn_at FROM vex_statement";

fn statement_row(row: &Row<'_>) -> rusqlite::Result<StatementRow> {
    let time = |at| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.map(UnixTime));
    let (document, part): (Option<i64>, Option<i64>) = (row.get(6)?, row.get(7)?);
    Ok(StatementRow {
        id: row.get(0)?,
        reference: row.get(1)?,
        organisation: row.get(2)?,
        product: row.get(3)?,
        software: row.get(4)?,
        origin: row.get(5)?,
        document: document.zip(part.and_then(|part| usize::try_from(part).ok())),
        name: row.get(8)?,
        status: row.get(9)?,
        terms: row.get(10)?,
        author: row.get(11)?,
        said_by: row.get(12)?,
        said_at: UnixTime(row.get(13)?),
        expires: time(14)?,
        due: time(15)?,
        withdrawn_by: row.get(16)?,
        withdrawn_at: time(17)?,
    })
}

pub(crate) fn insert_statement(tx: &Tx<'_>, new: &StatementRow) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO vex_statement (reference, organisation, product, software, origin, document,
             part, name, status, terms, author, said_by, said_at, expires, due)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?
    .execute(params![
        new.reference,
        new.organisation,
        new.product,
        new.software,
        new.origin,
        new.document.map(|(document, _)| document),
        new.document.map(|(_, part)| limit_of(part)),
        new.name,
        new.status,
        new.terms,
        new.author,
        new.said_by,
        new.said_at.0,
        new.expires.map(|at| at.0),
        new.due.map(|at| at.0)
    ])?;
    Ok(tx.last_insert_rowid())
}

pub(crate) fn statement(
    connection: &Connection,
    reference: &[u8; 16],
) -> Result<Option<StatementRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {STATEMENT} WHERE reference = ?1"))?
        .query_row([reference], statement_row)
        .optional()?)
}

/// Statements of a product that were not withdrawn.
pub(crate) fn statements_of(
    connection: &Connection,
    product: i64,
) -> Result<Vec<StatementRow>, ServiceError> {
    let sql = format!("SELECT {STATEMENT} WHERE product = ?1 AND withdrawn_at IS NULL ORDER BY id");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([product], statement_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Statements of an organisation, the newest first, before a row.
pub(crate) fn statements(
    connection: &Connection,
    organisation: i64,
    before: i64,
    limit: usize,
) -> Result<Vec<StatementRow>, ServiceError> {
    let sql =
        format!("SELECT {STATEMENT} WHERE organisation = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows =
        statement.query_map(params![organisation, before, limit_of(limit)], statement_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn withdraw(tx: &Tx<'_>, id: i64, by: &str, at: UnixTime) -> Result<bool, ServiceError> {
    Ok(tx
        .prepare_cached(
            "UPDATE vex_statement SET withdrawn_by = ?2, withdrawn_at = ?3, due = NULL
             WHERE id = ?1 AND withdrawn_at IS NULL",
        )?
        .execute(params![id, by, at.0])?
        > 0)
}

/// Statements that begin or cease to hold by now.
pub(crate) fn due(
    connection: &Connection,
    now: UnixTime,
    most: usize,
) -> Result<Vec<StatementRow>, ServiceError> {
    let sql = format!("SELECT {STATEMENT} WHERE due <= ?1 ORDER BY due LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![now.0, limit_of(most)], statement_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn set_due(tx: &Tx<'_>, id: i64, due: Option<UnixTime>) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE vex_statement SET due = ?2 WHERE id = ?1")?
        .execute(params![id, due.map(|at| at.0)])?;
    Ok(())
}

/// A document to be kept; its row.
pub(crate) fn insert_document(
    tx: &Tx<'_>,
    organisation: i64,
    form: &str,
    bytes: &[u8],
    by: &str,
    at: UnixTime,
) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO vex_document (organisation, digest, form, bytes, added_by, added_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        organisation,
        crypto::sha256(bytes).as_bytes(),
        form,
        bytes,
        by,
        at.0
    ])?;
    Ok(tx.last_insert_rowid())
}

/// A document's digest and bytes.
pub(crate) fn document(
    connection: &Connection,
    id: i64,
) -> Result<Option<(Sha256, Vec<u8>)>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT digest, bytes FROM vex_document WHERE id = ?1")?
        .query_row([id], |row| Ok((Sha256(row.get(0)?), row.get(1)?)))
        .optional()?)
}
