//! Which version of a product's software has which vulnerability, and what became of it.

use super::{Tx, organisation::limit_of};
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// A vulnerability in one version of a product's software.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExposureRow {
    pub(crate) id: i64,
    pub(crate) software: i64,
    /// whose product it is
    pub(crate) organisation: i64,
    pub(crate) name: String,
    pub(crate) status: u8,
    /// whether somebody said so
    pub(crate) judged: bool,
    pub(crate) verdict: u8,
    pub(crate) tenths: Option<u8>,
    pub(crate) exploited: bool,
    /// known from the maker's own advisories only
    pub(crate) private: bool,
    /// what is shown, as JSON
    pub(crate) facts: String,
    pub(crate) basis: [u8; 32],
    pub(crate) judgement: Option<[u8; 32]>,
    pub(crate) judged_basis: Option<[u8; 32]>,
    pub(crate) reopened_at: Option<UnixTime>,
    pub(crate) reopened_why: Option<String>,
    pub(crate) first_seen: UnixTime,
    pub(crate) changed_at: UnixTime,
    pub(crate) closed_at: Option<UnixTime>,
}

const EXPOSURE: &str = "e.id, e.software, e.organisation, e.name, e.status, e.judged, e.verdict, e.tenths, \
     e.exploited, e.private, e.facts, e.basis, e.judgement, e.judged_basis, e.reopened_at, \
     e.reopened_why, e.first_seen, e.changed_at, e.closed_at FROM exposure e";

fn exposure_row(row: &Row<'_>) -> rusqlite::Result<ExposureRow> {
    let time = |at| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.map(UnixTime));
    Ok(ExposureRow {
        id: row.get(0)?,
        software: row.get(1)?,
        organisation: row.get(2)?,
        name: row.get(3)?,
        status: row.get(4)?,
        judged: row.get(5)?,
        verdict: row.get(6)?,
        tenths: row.get(7)?,
        exploited: row.get(8)?,
        private: row.get(9)?,
        facts: row.get(10)?,
        basis: row.get(11)?,
        judgement: row.get(12)?,
        judged_basis: row.get(13)?,
        reopened_at: time(14)?,
        reopened_why: row.get(15)?,
        first_seen: UnixTime(row.get(16)?),
        changed_at: UnixTime(row.get(17)?),
        closed_at: time(18)?,
    })
}

pub(crate) fn exposure(
    connection: &Connection,
    software: i64,
    name: &str,
) -> Result<Option<ExposureRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {EXPOSURE} WHERE e.software = ?1 AND e.name = ?2"))?
        .query_row(params![software, name], exposure_row)
        .optional()?)
}

/// An exposure of the same software that is known under an id, whatever it is called.
pub(crate) fn exposure_by_id(
    connection: &Connection,
    software: i64,
    id: &str,
) -> Result<Option<ExposureRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {EXPOSURE} JOIN exposure_id i ON i.exposure = e.id
             WHERE i.id = ?2 AND e.software = ?1 ORDER BY e.closed_at NOTNULL, e.id LIMIT 1"
        ))?
        .query_row(params![software, id], exposure_row)
        .optional()?)
}

/// Exposures of one version that stand.
pub(crate) fn exposures_of(
    connection: &Connection,
    software: i64,
) -> Result<Vec<ExposureRow>, ServiceError> {
    let sql =
        format!("SELECT {EXPOSURE} WHERE e.software = ?1 AND e.closed_at IS NULL ORDER BY e.name");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([software], exposure_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A maker's exposures of one name.
pub(crate) fn exposures_named(
    connection: &Connection,
    organisation: i64,
    name: &str,
) -> Result<Vec<ExposureRow>, ServiceError> {
    let sql =
        format!("SELECT {EXPOSURE} WHERE e.organisation = ?1 AND e.name = ?2 ORDER BY e.software");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![organisation, name], exposure_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Names under which a maker has exposures that are known by an id.
pub(crate) fn names_of_id(
    connection: &Connection,
    organisation: i64,
    id: &str,
) -> Result<Vec<String>, ServiceError> {
    let mut statement = connection.prepare_cached(
        // From the id: there are far fewer of it than of the maker's exposures.
        "SELECT DISTINCT e.name FROM exposure_id i CROSS JOIN exposure e ON e.id = i.exposure
         WHERE i.id = ?2 AND e.organisation = ?1 AND e.closed_at IS NULL ORDER BY e.name",
    )?;
    let rows = statement.query_map(params![organisation, id], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn insert_exposure(tx: &Tx<'_>, new: &ExposureRow) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO exposure
             (software, organisation, name, status, judged, verdict, tenths, exploited, private,
              facts, basis, judgement, judged_basis, reopened_at, reopened_why, first_seen,
              changed_at, closed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
    )?
    .execute(params![
        new.software,
        new.organisation,
        new.name,
        new.status,
        new.judged,
        new.verdict,
        new.tenths,
        new.exploited,
        new.private,
        new.facts,
        new.basis,
        new.judgement,
        new.judged_basis,
        new.reopened_at.map(|at| at.0),
        new.reopened_why,
        new.first_seen.0,
        new.changed_at.0,
        new.closed_at.map(|at| at.0)
    ])?;
    Ok(tx.last_insert_rowid())
}

pub(crate) fn update_exposure(tx: &Tx<'_>, row: &ExposureRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "UPDATE exposure SET status = ?2, judged = ?3, verdict = ?4, tenths = ?5, exploited = ?6,
             private = ?7, facts = ?8, basis = ?9, judgement = ?10, judged_basis = ?11,
             reopened_at = ?12, reopened_why = ?13, changed_at = ?14, closed_at = ?15
         WHERE id = ?1",
    )?
    .execute(params![
        row.id,
        row.status,
        row.judged,
        row.verdict,
        row.tenths,
        row.exploited,
        row.private,
        row.facts,
        row.basis,
        row.judgement,
        row.judged_basis,
        row.reopened_at.map(|at| at.0),
        row.reopened_why,
        row.changed_at.0,
        row.closed_at.map(|at| at.0)
    ])?;
    Ok(())
}

/// The ids under which an exposure is known.
pub(crate) fn set_ids<'a>(
    tx: &Tx<'_>,
    exposure: i64,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM exposure_id WHERE exposure = ?1")?.execute([exposure])?;
    for id in ids {
        tx.prepare_cached("INSERT OR IGNORE INTO exposure_id VALUES (?1, ?2)")?
            .execute(params![id, exposure])?;
    }
    Ok(())
}

/// A component that brings an exposure in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ComponentRow {
    pub(crate) sbom: i64,
    pub(crate) component: i64,
    pub(crate) label: String,
    /// what was found, as JSON
    pub(crate) finding: String,
}

pub(crate) fn components(
    connection: &Connection,
    exposure: i64,
) -> Result<Vec<ComponentRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT sbom, component, label, finding FROM exposure_component WHERE exposure = ?1
         ORDER BY sbom, component",
    )?;
    let rows = statement.query_map([exposure], |row| {
        Ok(ComponentRow {
            sbom: row.get(0)?,
            component: row.get(1)?,
            label: row.get(2)?,
            finding: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Takes a component out of every exposure; which ones those were.
pub(crate) fn clear_component(
    tx: &Tx<'_>,
    sbom: i64,
    component: usize,
) -> Result<Vec<i64>, ServiceError> {
    let mut statement = tx.prepare_cached(
        "DELETE FROM exposure_component WHERE sbom = ?1 AND component = ?2 RETURNING exposure",
    )?;
    let rows = statement.query_map(params![sbom, limit_of(component)], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Takes all components of an SBOM out; which exposures that touched.
pub(crate) fn clear_sbom(tx: &Tx<'_>, sbom: i64) -> Result<Vec<i64>, ServiceError> {
    let mut statement =
        tx.prepare_cached("DELETE FROM exposure_component WHERE sbom = ?1 RETURNING exposure")?;
    let rows = statement.query_map([sbom], |row| row.get(0))?;
    let mut touched: Vec<i64> = rows.collect::<Result<_, _>>()?;
    touched.sort_unstable();
    touched.dedup();
    Ok(touched)
}

pub(crate) fn insert_component(
    tx: &Tx<'_>,
    exposure: i64,
    row: &ComponentRow,
) -> Result<(), ServiceError> {
    tx.prepare_cached("INSERT OR REPLACE INTO exposure_component VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![exposure, row.sbom, row.component, row.label, row.finding])?;
    Ok(())
}

pub(crate) fn exposure_by_row(
    connection: &Connection,
    id: i64,
) -> Result<Option<ExposureRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {EXPOSURE} WHERE e.id = ?1"))?
        .query_row([id], exposure_row)
        .optional()?)
}

/// Something that happened to an exposure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogRow {
    pub(crate) at: UnixTime,
    pub(crate) what: String,
    pub(crate) detail: String,
}

pub(crate) fn note(
    tx: &Tx<'_>,
    exposure: i64,
    at: UnixTime,
    what: &str,
    detail: &str,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO exposure_log (exposure, at, what, detail) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![exposure, at.0, what, detail])?;
    Ok(())
}

/// The newest notes of an exposure, the newest first.
pub(crate) fn notes(
    connection: &Connection,
    exposure: i64,
    most: usize,
) -> Result<Vec<LogRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT at, what, detail FROM exposure_log WHERE exposure = ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let rows = statement.query_map(params![exposure, limit_of(most)], |row| {
        Ok(LogRow { at: UnixTime(row.get(0)?), what: row.get(1)?, detail: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A vulnerability in a maker's software as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SumRow {
    pub(crate) organisation: i64,
    pub(crate) name: String,
    pub(crate) rank: i64,
    /// exposures that are affected or under investigation
    pub(crate) open: u64,
    pub(crate) exposures: u64,
    pub(crate) reopened: u64,
    pub(crate) first_seen: UnixTime,
    /// since when none is open
    pub(crate) settled_at: Option<UnixTime>,
}

fn sum_row(row: &Row<'_>) -> rusqlite::Result<SumRow> {
    let number = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
    Ok(SumRow {
        organisation: row.get(0)?,
        name: row.get(1)?,
        rank: row.get(2)?,
        open: number(3)?,
        exposures: number(4)?,
        reopened: number(5)?,
        first_seen: UnixTime(row.get(6)?),
        settled_at: row.get::<_, Option<i64>>(7)?.map(UnixTime),
    })
}

const SUM: &str = "organisation, name, rank, open, exposures, reopened, first_seen, settled_at \
                   FROM vulnerability";

pub(crate) fn sum(
    connection: &Connection,
    organisation: i64,
    name: &str,
) -> Result<Option<SumRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {SUM} WHERE organisation = ?1 AND name = ?2"))?
        .query_row(params![organisation, name], sum_row)
        .optional()?)
}

pub(crate) fn set_sum(tx: &Tx<'_>, row: &SumRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO vulnerability VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (organisation, name) DO UPDATE SET rank = excluded.rank, open = excluded.open,
             exposures = excluded.exposures, reopened = excluded.reopened,
             first_seen = excluded.first_seen, settled_at = excluded.settled_at",
    )?
    .execute(params![
        row.organisation,
        row.name,
        row.rank,
        limit_of(usize::try_from(row.open).unwrap_or(usize::MAX)),
        limit_of(usize::try_from(row.exposures).unwrap_or(usize::MAX)),
        limit_of(usize::try_from(row.reopened).unwrap_or(usize::MAX)),
        row.first_seen.0,
        row.settled_at.map(|at| at.0)
    ])?;
    Ok(())
}

/// A maker's vulnerabilities, the gravest first, after a rank and name.
pub(crate) fn sums(
    connection: &Connection,
    organisation: i64,
    after: Option<(i64, &str)>,
    limit: usize,
) -> Result<Vec<SumRow>, ServiceError> {
    let (rank, name) = after.unwrap_or((i64::MAX, ""));
    let sql = format!(
        "SELECT {SUM} WHERE organisation = ?1 AND exposures > 0
         AND rank <= ?2 AND (rank < ?2 OR name > ?3)
         ORDER BY rank DESC, name LIMIT ?4"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![organisation, rank, name, limit_of(limit)], sum_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How long a maker's vulnerabilities that nothing of is open took since they were found: how many
/// within each of some numbers of seconds and more than the one before, and the rest.
pub(crate) fn times_to_fix(
    connection: &Connection,
    organisation: i64,
    within: &[i64],
) -> Result<Vec<u64>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT settled_at - first_seen FROM vulnerability
         WHERE organisation = ?1 AND settled_at NOTNULL AND exposures > 0",
    )?;
    let mut counts = vec![0_u64; within.len().saturating_add(1)];
    let mut rows = statement.query([organisation])?;
    while let Some(row) = rows.next()? {
        let seconds: i64 = row.get(0)?;
        let at = within.partition_point(|most| *most < seconds);
        if let Some(count) = counts.get_mut(at) {
            *count += 1;
        }
    }
    Ok(counts)
}

/// Names of the vulnerabilities that a product's software has or had; with `public` only those that
/// everybody may know of.
pub(crate) fn names_of_product(
    connection: &Connection,
    product: i64,
    public: bool,
) -> Result<Vec<String>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT e.name FROM software s JOIN exposure e ON e.software = s.id
         WHERE s.product = ?1 AND (?2 = 0 OR e.private = 0)",
    )?;
    let rows = statement.query_map(params![product, public], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Exposures of a product's software to a vulnerability, under any of its ids, that everybody may
/// know of.
pub(crate) fn public_of_product(
    connection: &Connection,
    product: i64,
    id: &str,
) -> Result<Vec<ExposureRow>, ServiceError> {
    let sql = format!(
        "SELECT {EXPOSURE} JOIN exposure_id i ON i.exposure = e.id
         JOIN software s ON s.id = e.software
         WHERE i.id = ?2 AND s.product = ?1 AND e.private = 0 ORDER BY e.id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![product, id], exposure_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}
