//! Threat models of products, and what people decided about threats.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// One version of a model.
#[derive(Debug, Clone)]
pub(crate) struct ModelRow {
    pub(crate) organisation: i64,
    pub(crate) product: i64,
    pub(crate) version: u64,
    pub(crate) digest: Sha256,
    pub(crate) text: Option<String>,
    pub(crate) note: Option<String>,
    pub(crate) by: String,
    pub(crate) at: UnixTime,
}

const MODEL: &str = "organisation, product, version, digest, text, note, by, at";
/// The same without the text, for lists.
const MODEL_LINE: &str = "organisation, product, version, digest, NULL, note, by, at";

fn model_row(row: &Row<'_>) -> rusqlite::Result<ModelRow> {
    Ok(ModelRow {
        organisation: row.get(0)?,
        product: row.get(1)?,
        version: row.get::<_, i64>(2)?.unsigned_abs(),
        digest: Sha256(row.get(3)?),
        text: row.get(4)?,
        note: row.get(5)?,
        by: row.get(6)?,
        at: UnixTime(row.get(7)?),
    })
}

/// The newest version of a product's model.
pub(crate) fn newest(
    connection: &Connection,
    product: i64,
) -> Result<Option<ModelRow>, ServiceError> {
    let sql = format!(
        "SELECT {MODEL} FROM threat_model WHERE product = ?1 ORDER BY version DESC LIMIT 1"
    );
    Ok(connection.prepare_cached(&sql)?.query_row([product], model_row).optional()?)
}

/// One version of a product's model.
pub(crate) fn version(
    connection: &Connection,
    product: i64,
    version: u64,
) -> Result<Option<ModelRow>, ServiceError> {
    let sql = format!("SELECT {MODEL} FROM threat_model WHERE product = ?1 AND version = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row(params![product, to_i64(version)], model_row).optional()?)
}

/// Versions of a product's model without their texts, newest first, older than `before`.
pub(crate) fn versions(
    connection: &Connection,
    product: i64,
    before: i64,
    limit: usize,
) -> Result<Vec<ModelRow>, ServiceError> {
    let sql = format!(
        "SELECT {MODEL_LINE} FROM threat_model WHERE product = ?1 AND version < ?2
         ORDER BY version DESC LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![product, before, limit_of(limit)], model_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Puts a version on record; the texts of all but the newest `kept` are dropped.
pub(crate) fn insert(tx: &Tx<'_>, new: &ModelRow, kept: u64) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO threat_model (organisation, product, version, digest, text, note, by, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        new.organisation,
        new.product,
        to_i64(new.version),
        new.digest.as_bytes(),
        new.text,
        new.note,
        new.by,
        new.at.0
    ])?;
    // One version falls out with each that comes in.
    tx.prepare_cached("UPDATE threat_model SET text = NULL WHERE product = ?1 AND version = ?2")?
        .execute(params![new.product, to_i64(new.version.saturating_sub(kept))])?;
    Ok(())
}

/// A decision about a threat.
#[derive(Debug, Clone)]
pub(crate) struct DecisionRow {
    pub(crate) id: i64,
    pub(crate) organisation: i64,
    pub(crate) product: i64,
    pub(crate) threat: String,
    pub(crate) version: u64,
    /// `None`: the one before was taken back
    pub(crate) verdict: Option<String>,
    pub(crate) reason: String,
    pub(crate) until: Option<String>,
    pub(crate) likelihood: Option<u8>,
    pub(crate) impact: Option<u8>,
    /// JSON
    pub(crate) measures: String,
    pub(crate) by: String,
    pub(crate) at: UnixTime,
}

const DECISION: &str = "id, organisation, product, threat, version, verdict, reason, until, likelihood, impact, \
     measures, by, at FROM threat_decision";

fn decision_row(row: &Row<'_>) -> rusqlite::Result<DecisionRow> {
    Ok(DecisionRow {
        id: row.get(0)?,
        organisation: row.get(1)?,
        product: row.get(2)?,
        threat: row.get(3)?,
        version: row.get::<_, i64>(4)?.unsigned_abs(),
        verdict: row.get(5)?,
        reason: row.get(6)?,
        until: row.get(7)?,
        likelihood: row.get(8)?,
        impact: row.get(9)?,
        measures: row.get(10)?,
        by: row.get(11)?,
        at: UnixTime(row.get(12)?),
    })
}

/// The newest decision about each threat of a product, those that were taken back included.
pub(crate) fn decisions(
    connection: &Connection,
    product: i64,
) -> Result<Vec<DecisionRow>, ServiceError> {
    let sql = format!("SELECT {DECISION} WHERE product = ?1 AND replaced = 0 ORDER BY threat");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([product], decision_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The newest decision about one threat.
pub(crate) fn decision(
    connection: &Connection,
    product: i64,
    threat: &str,
) -> Result<Option<DecisionRow>, ServiceError> {
    let sql = format!(
        "SELECT {DECISION} WHERE product = ?1 AND threat = ?2 ORDER BY version DESC LIMIT 1"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row(params![product, threat], decision_row).optional()?)
}

/// Decisions of a product, or about one threat of it, newest first, older than `before`.
pub(crate) fn decided(
    connection: &Connection,
    product: i64,
    threat: Option<&str>,
    before: i64,
    limit: usize,
) -> Result<Vec<DecisionRow>, ServiceError> {
    let sql = format!(
        "SELECT {DECISION} WHERE product = ?1 AND (?2 IS NULL OR threat = ?2) AND id < ?3
         ORDER BY id DESC LIMIT ?4"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows =
        statement.query_map(params![product, threat, before, limit_of(limit)], decision_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many threats of a product somebody decided about.
pub(crate) fn count_decided(connection: &Connection, product: i64) -> Result<u64, ServiceError> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM threat_decision WHERE product = ?1 AND replaced = 0")?
        .query_row([product], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Puts a decision on record; the one before about the same threat counts no more.
pub(crate) fn decide(tx: &Tx<'_>, new: &DecisionRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "UPDATE threat_decision SET replaced = 1 WHERE product = ?1 AND threat = ?2 AND replaced = 0",
    )?
    .execute(params![new.product, new.threat])?;
    tx.prepare_cached(
        "INSERT INTO threat_decision (organisation, product, threat, version, verdict, reason, until,
                                      likelihood, impact, measures, by, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        new.organisation,
        new.product,
        new.threat,
        to_i64(new.version),
        new.verdict,
        new.reason,
        new.until,
        new.likelihood,
        new.impact,
        new.measures,
        new.by,
        new.at.0
    ])?;
    Ok(())
}
