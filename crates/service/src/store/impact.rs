//! Impact assessments of products: where their forms stand, and answers.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// Where a form stands.
#[derive(Debug, Clone)]
pub(crate) struct FormRow {
    pub(crate) form: String,
    pub(crate) version: u64,
    pub(crate) by: String,
    pub(crate) at: UnixTime,
    /// by whom, when, for which answers
    pub(crate) concluded: Option<(String, UnixTime, Sha256)>,
}

const FORM: &str =
    "form, version, by, at, concluded_by, concluded_at, concluded_digest FROM impact_form";

fn form_row(row: &Row<'_>) -> rusqlite::Result<FormRow> {
    let (by, at, digest): (Option<String>, Option<i64>, Option<[u8; 32]>) =
        (row.get(4)?, row.get(5)?, row.get(6)?);
    Ok(FormRow {
        form: row.get(0)?,
        version: row.get::<_, i64>(1)?.unsigned_abs(),
        by: row.get(2)?,
        at: UnixTime(row.get(3)?),
        concluded: match (by, at, digest) {
            (Some(by), Some(at), Some(digest)) => Some((by, UnixTime(at), Sha256(digest))),
            _ => None,
        },
    })
}

/// The forms of a product that somebody touched.
pub(crate) fn forms(connection: &Connection, product: i64) -> Result<Vec<FormRow>, ServiceError> {
    let sql = format!("SELECT {FORM} WHERE product = ?1 ORDER BY form");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([product], form_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One form of a product.
pub(crate) fn form(
    connection: &Connection,
    product: i64,
    form: &str,
) -> Result<Option<FormRow>, ServiceError> {
    let sql = format!("SELECT {FORM} WHERE product = ?1 AND form = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row(params![product, form], form_row).optional()?)
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct AnswerRow {
    pub(crate) id: i64,
    pub(crate) form: String,
    pub(crate) question: String,
    pub(crate) version: u64,
    /// `None`: the one before was taken back
    pub(crate) answer: Option<String>,
    pub(crate) by: String,
    pub(crate) at: UnixTime,
}

const ANSWER: &str = "id, form, question, version, answer, by, at FROM impact_answer";

fn answer_row(row: &Row<'_>) -> rusqlite::Result<AnswerRow> {
    Ok(AnswerRow {
        id: row.get(0)?,
        form: row.get(1)?,
        question: row.get(2)?,
        version: row.get::<_, i64>(3)?.unsigned_abs(),
        answer: row.get(4)?,
        by: row.get(5)?,
        at: UnixTime(row.get(6)?),
    })
}

/// The newest answer to each question of all forms of a product, those that were taken back included.
pub(crate) fn answers(
    connection: &Connection,
    product: i64,
) -> Result<Vec<AnswerRow>, ServiceError> {
    let sql =
        format!("SELECT {ANSWER} WHERE product = ?1 AND replaced = 0 ORDER BY form, question");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([product], answer_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Answers of a form, newest first, older than `before`.
pub(crate) fn answered(
    connection: &Connection,
    product: i64,
    form: &str,
    before: i64,
    limit: usize,
) -> Result<Vec<AnswerRow>, ServiceError> {
    let sql = format!(
        "SELECT {ANSWER} WHERE product = ?1 AND form = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![product, form, before, limit_of(limit)], answer_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whose product a row is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Of {
    pub(crate) organisation: i64,
    pub(crate) product: i64,
}

/// Puts answers on record at the form's next version; a conclusion before counts no more where answers
/// differ. Of those replaced, the newest `kept` versions stay.
pub(crate) fn answer(
    tx: &Tx<'_>,
    of: Of,
    form: &FormRow,
    answers: &[(String, Option<String>)],
    kept: u64,
) -> Result<(), ServiceError> {
    set(tx, of, form)?;
    for (question, answer) in answers {
        tx.prepare_cached(
            "UPDATE impact_answer SET replaced = 1
             WHERE product = ?1 AND form = ?2 AND question = ?3 AND replaced = 0",
        )?
        .execute(params![of.product, form.form, question])?;
        tx.prepare_cached(
            "INSERT INTO impact_answer (organisation, product, form, question, version, answer, by, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            of.organisation,
            of.product,
            form.form,
            question,
            to_i64(form.version),
            answer,
            form.by,
            form.at.0
        ])?;
    }
    tx.prepare_cached(
        "DELETE FROM impact_answer
         WHERE product = ?1 AND form = ?2 AND replaced = 1 AND version <= ?3",
    )?
    .execute(params![of.product, form.form, to_i64(form.version.saturating_sub(kept))])?;
    Ok(())
}

/// Puts on record where a form stands.
pub(crate) fn set(tx: &Tx<'_>, of: Of, form: &FormRow) -> Result<(), ServiceError> {
    let concluded = form.concluded.as_ref();
    tx.prepare_cached(
        "INSERT INTO impact_form (organisation, product, form, version, by, at,
                                  concluded_by, concluded_at, concluded_digest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (product, form) DO UPDATE SET version = ?4, by = ?5, at = ?6,
            concluded_by = ?7, concluded_at = ?8, concluded_digest = ?9",
    )?
    .execute(params![
        of.organisation,
        of.product,
        form.form,
        to_i64(form.version),
        form.by,
        form.at.0,
        concluded.map(|(by, _, _)| by),
        concluded.map(|(_, at, _)| at.0),
        concluded.map(|(_, _, digest)| digest.as_bytes().to_vec()),
    ])?;
    Ok(())
}
