//! Cases that must be reported: exploited vulnerabilities, severe incidents.

use super::{Tx, organisation::limit_of};
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// A case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CaseRow {
    pub(crate) id: i64,
    pub(crate) reference: [u8; 16],
    pub(crate) organisation: i64,
    pub(crate) kind: String,
    /// the vulnerability that it is about
    pub(crate) name: Option<String>,
    pub(crate) title: String,
    pub(crate) aware_at: UnixTime,
    pub(crate) corrected_at: Option<UnixTime>,
    /// when each report was submitted, in the order in which they are due
    pub(crate) submitted: [Option<UnixTime>; 3],
    /// when somebody is to be reminded next
    pub(crate) remind_at: Option<UnixTime>,
    pub(crate) opened_by: String,
    pub(crate) opened_at: UnixTime,
    pub(crate) closed_at: Option<UnixTime>,
    pub(crate) closed_why: Option<String>,
}

const CASE: &str = "id, reference, organisation, kind, name, title, aware_at, corrected_at, \
                    warned_at, notified_at, reported_at, remind_at, opened_by, opened_at, \
                    closed_at, closed_why FROM cra_case";

fn case_row(row: &Row<'_>) -> rusqlite::Result<CaseRow> {
    let time = |at| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.map(UnixTime));
    Ok(CaseRow {
        id: row.get(0)?,
        reference: row.get(1)?,
        organisation: row.get(2)?,
        kind: row.get(3)?,
        name: row.get(4)?,
        title: row.get(5)?,
        aware_at: UnixTime(row.get(6)?),
        corrected_at: time(7)?,
        submitted: [time(8)?, time(9)?, time(10)?],
        remind_at: time(11)?,
        opened_by: row.get(12)?,
        opened_at: UnixTime(row.get(13)?),
        closed_at: time(14)?,
        closed_why: row.get(15)?,
    })
}

pub(crate) fn insert_case(tx: &Tx<'_>, new: &CaseRow) -> Result<i64, ServiceError> {
    let [warned, notified, reported] = new.submitted.map(|at| at.map(|at| at.0));
    tx.prepare_cached(
        "INSERT INTO cra_case (reference, organisation, kind, name, title, aware_at, corrected_at,
             warned_at, notified_at, reported_at, remind_at, opened_by, opened_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?
    .execute(params![
        new.reference,
        new.organisation,
        new.kind,
        new.name,
        new.title,
        new.aware_at.0,
        new.corrected_at.map(|at| at.0),
        warned,
        notified,
        reported,
        new.remind_at.map(|at| at.0),
        new.opened_by,
        new.opened_at.0
    ])?;
    Ok(tx.last_insert_rowid())
}

pub(crate) fn update_case(tx: &Tx<'_>, row: &CaseRow) -> Result<(), ServiceError> {
    let [warned, notified, reported] = row.submitted.map(|at| at.map(|at| at.0));
    tx.prepare_cached(
        "UPDATE cra_case SET title = ?2, aware_at = ?3, corrected_at = ?4, warned_at = ?5,
             notified_at = ?6, reported_at = ?7, remind_at = ?8, closed_at = ?9, closed_why = ?10
         WHERE id = ?1",
    )?
    .execute(params![
        row.id,
        row.title,
        row.aware_at.0,
        row.corrected_at.map(|at| at.0),
        warned,
        notified,
        reported,
        row.remind_at.map(|at| at.0),
        row.closed_at.map(|at| at.0),
        row.closed_why
    ])?;
    Ok(())
}

pub(crate) fn case(
    connection: &Connection,
    reference: &[u8; 16],
) -> Result<Option<CaseRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {CASE} WHERE reference = ?1"))?
        .query_row([reference], case_row)
        .optional()?)
}

/// The open case of an organisation about a vulnerability of this name.
pub(crate) fn open_about(
    connection: &Connection,
    organisation: i64,
    name: &str,
) -> Result<Option<CaseRow>, ServiceError> {
    let sql = format!("SELECT {CASE} WHERE organisation = ?1 AND name = ?2 AND closed_at IS NULL");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row(params![organisation, name], case_row)
        .optional()?)
}

/// Cases of an organisation, the newest first, before a row; with `open` only those.
pub(crate) fn cases(
    connection: &Connection,
    organisation: i64,
    open: bool,
    before: i64,
    limit: usize,
) -> Result<Vec<CaseRow>, ServiceError> {
    let sql = format!(
        "SELECT {CASE} WHERE organisation = ?1 AND id < ?2 AND (?3 = 0 OR closed_at IS NULL)
         ORDER BY id DESC LIMIT ?4"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows =
        statement.query_map(params![organisation, before, open, limit_of(limit)], case_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Cases of which somebody is to be reminded by now.
pub(crate) fn to_remind(
    connection: &Connection,
    now: UnixTime,
    most: usize,
) -> Result<Vec<CaseRow>, ServiceError> {
    let sql = format!(
        "SELECT {CASE} WHERE remind_at <= ?1 AND closed_at IS NULL ORDER BY remind_at LIMIT ?2"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![now.0, limit_of(most)], case_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What somebody wrote for a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ItemRow {
    pub(crate) item: String,
    pub(crate) language: String,
    pub(crate) text: String,
    pub(crate) by: String,
    pub(crate) at: UnixTime,
}

pub(crate) fn items(connection: &Connection, case: i64) -> Result<Vec<ItemRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT item, language, text, by, at FROM cra_item WHERE cra_case = ?1
         ORDER BY item, language",
    )?;
    let rows = statement.query_map([case], |row| {
        Ok(ItemRow {
            item: row.get(0)?,
            language: row.get(1)?,
            text: row.get(2)?,
            by: row.get(3)?,
            at: UnixTime(row.get(4)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn set_item(tx: &Tx<'_>, case: i64, row: &ItemRow) -> Result<(), ServiceError> {
    if row.text.is_empty() {
        tx.prepare_cached(
            "DELETE FROM cra_item WHERE cra_case = ?1 AND item = ?2 AND language = ?3",
        )?
        .execute(params![case, row.item, row.language])?;
        return Ok(());
    }
    tx.prepare_cached("INSERT OR REPLACE INTO cra_item VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![case, row.item, row.language, row.text, row.by, row.at.0])?;
    Ok(())
}

/// Something that was done in a case; only appended to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ActRow {
    pub(crate) at: UnixTime,
    pub(crate) by: String,
    pub(crate) what: String,
    pub(crate) detail: String,
}

pub(crate) fn note(tx: &Tx<'_>, case: i64, act: &ActRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO cra_log (cra_case, at, by, what, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![case, act.at.0, act.by, act.what, act.detail])?;
    Ok(())
}

/// What was done in a case, in order.
pub(crate) fn acts(
    connection: &Connection,
    case: i64,
    most: usize,
) -> Result<Vec<ActRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT at, by, what, detail FROM cra_log WHERE cra_case = ?1 ORDER BY id LIMIT ?2",
    )?;
    let rows = statement.query_map(params![case, limit_of(most)], |row| {
        Ok(ActRow {
            at: UnixTime(row.get(0)?),
            by: row.get(1)?,
            what: row.get(2)?,
            detail: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
