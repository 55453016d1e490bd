//! Versions of products' software, their bills of materials, and the components to be judged.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// Where an SBOM is. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum SbomState {
    /// its components are being put in
    Filling = 0,
    Complete = 1,
    /// a newer one of its name counts; what was found in this one stands until that one is judged
    Replaced = 2,
    /// nothing is left of it but the document
    Swept = 3,
}

/// One version of a product's software.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SoftwareRow {
    pub(crate) id: i64,
    pub(crate) product: i64,
    /// whose product it is
    pub(crate) organisation: i64,
    pub(crate) version: String,
    pub(crate) added_at: UnixTime,
}

const SOFTWARE: &str = "s.id, s.product, p.organisation, s.version, s.added_at FROM software s JOIN product p ON \
     p.id = s.product";

fn software_row(row: &Row<'_>) -> rusqlite::Result<SoftwareRow> {
    Ok(SoftwareRow {
        id: row.get(0)?,
        product: row.get(1)?,
        organisation: row.get(2)?,
        version: row.get(3)?,
        added_at: UnixTime(row.get(4)?),
    })
}

pub(crate) fn software(
    connection: &Connection,
    product: i64,
    version: &str,
) -> Result<Option<SoftwareRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {SOFTWARE} WHERE s.product = ?1 AND s.version = ?2"))?
        .query_row(params![product, version], software_row)
        .optional()?)
}

pub(crate) fn software_by_id(
    connection: &Connection,
    id: i64,
) -> Result<Option<SoftwareRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {SOFTWARE} WHERE s.id = ?1"))?
        .query_row([id], software_row)
        .optional()?)
}

pub(crate) fn software_of_product(
    connection: &Connection,
    product: i64,
    after: i64,
    limit: usize,
) -> Result<Vec<SoftwareRow>, ServiceError> {
    let sql =
        format!("SELECT {SOFTWARE} WHERE s.product = ?1 AND s.id > ?2 ORDER BY s.id LIMIT ?3");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![product, after, limit_of(limit)], software_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The row of a version; made where it is new.
pub(crate) fn ensure_software(
    tx: &Tx<'_>,
    product: i64,
    version: &str,
    now: UnixTime,
) -> Result<i64, ServiceError> {
    if let Some(row) = software(tx, product, version)? {
        return Ok(row.id);
    }
    tx.prepare_cached("INSERT INTO software (product, version, added_at) VALUES (?1, ?2, ?3)")?
        .execute(params![product, version, now.0])?;
    Ok(tx.last_insert_rowid())
}

/// Bytes of an organisation's SBOMs, advisories and VEX documents; each counts as 1 KiB at least.
pub(crate) fn document_bytes(
    connection: &Connection,
    organisation: i64,
) -> Result<u64, ServiceError> {
    let mut sum: u64 = 0;
    for sql in [
        "SELECT coalesce(sum(max(length, 1024)), 0) FROM advisory_document
         WHERE organisation = ?1 AND bytes IS NOT NULL",
        "SELECT coalesce(sum(max(length(b.bytes), 1024)), 0) FROM product p
         JOIN software s ON s.product = p.id JOIN sbom b ON b.software = s.id
         WHERE p.organisation = ?1",
        "SELECT coalesce(sum(max(length(bytes), 1024)), 0) FROM vex_document
         WHERE organisation = ?1",
    ] {
        let part: i64 =
            connection.prepare_cached(sql)?.query_row([organisation], |row| row.get(0))?;
        sum = sum.saturating_add(part.unsigned_abs());
    }
    Ok(sum)
}

/// An SBOM without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SbomRow {
    pub(crate) id: i64,
    pub(crate) software: i64,
    pub(crate) name: String,
    pub(crate) digest: Sha256,
    pub(crate) form: String,
    pub(crate) components: u64,
    /// components that no advisory can name
    pub(crate) nameless: u64,
    pub(crate) versionless: u64,
    pub(crate) remarks: u64,
    pub(crate) indexed: u64,
    pub(crate) added_by: String,
    pub(crate) added_at: UnixTime,
}

const SBOM: &str = "id, software, name, digest, form, components, nameless, versionless, remarks, \
                    indexed, added_by, added_at";

fn sbom_row(row: &Row<'_>) -> rusqlite::Result<SbomRow> {
    let number = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
    Ok(SbomRow {
        id: row.get(0)?,
        software: row.get(1)?,
        name: row.get(2)?,
        digest: Sha256(row.get(3)?),
        form: row.get(4)?,
        components: number(5)?,
        nameless: number(6)?,
        versionless: number(7)?,
        remarks: number(8)?,
        indexed: number(9)?,
        added_by: row.get(10)?,
        added_at: UnixTime(row.get(11)?),
    })
}

pub(crate) fn insert_sbom(tx: &Tx<'_>, new: &SbomRow, bytes: &[u8]) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO sbom (software, name, digest, form, bytes, components, nameless, versionless,
                           remarks, indexed, state, added_by, added_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, 0, ?10, ?11)",
    )?
    .execute(params![
        new.software,
        new.name,
        new.digest.as_bytes(),
        new.form,
        bytes,
        to_i64(new.components),
        to_i64(new.nameless),
        to_i64(new.versionless),
        to_i64(new.remarks),
        new.added_by,
        new.added_at.0
    ])?;
    Ok(tx.last_insert_rowid())
}

/// The SBOMs of a version that count.
pub(crate) fn sboms(connection: &Connection, software: i64) -> Result<Vec<SbomRow>, ServiceError> {
    let sql = format!("SELECT {SBOM} FROM sbom WHERE software = ?1 AND state < 2 ORDER BY id");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([software], sbom_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// An SBOM that counts.
pub(crate) fn sbom(connection: &Connection, id: i64) -> Result<Option<SbomRow>, ServiceError> {
    let sql = format!("SELECT {SBOM} FROM sbom WHERE id = ?1 AND state < 2");
    Ok(connection.prepare_cached(&sql)?.query_row([id], sbom_row).optional()?)
}

/// The newest SBOM whose components are not all in.
pub(crate) fn unfinished(connection: &Connection) -> Result<Option<SbomRow>, ServiceError> {
    let sql = format!("SELECT {SBOM} FROM sbom WHERE state = 0 ORDER BY id LIMIT 1");
    Ok(connection.prepare_cached(&sql)?.query_row([], sbom_row).optional()?)
}

pub(crate) fn sbom_bytes(
    connection: &Connection,
    id: i64,
) -> Result<Option<Vec<u8>>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT bytes FROM sbom WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?)
}

/// Takes an SBOM out of use: nothing finds its components any more.
pub(crate) fn replace_sbom(tx: &Tx<'_>, id: i64) -> Result<(), ServiceError> {
    set_state(tx, id, SbomState::Replaced)?;
    drop_work(tx, id)?;
    tx.prepare_cached("DELETE FROM component_key WHERE sbom = ?1")?.execute([id])?;
    Ok(())
}

pub(crate) fn set_state(tx: &Tx<'_>, id: i64, state: SbomState) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE sbom SET state = ?2 WHERE id = ?1")?
        .execute(params![id, state as u8])?;
    Ok(())
}

/// Forgets what is to be judged of an SBOM.
pub(crate) fn drop_work(tx: &Tx<'_>, id: i64) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM match_work WHERE sbom = ?1")?.execute([id])?;
    Ok(())
}

/// A replaced SBOM whose successors are judged to their end.
pub(crate) fn to_sweep(connection: &Connection) -> Result<Option<i64>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT o.id FROM sbom o WHERE o.state = 2 AND NOT EXISTS (
                 SELECT 1 FROM sbom b WHERE b.software = o.software AND b.state < 2
                 AND (b.state = 0 OR EXISTS (SELECT 1 FROM match_work w WHERE w.sbom = b.id)))
             ORDER BY o.id LIMIT 1",
        )?
        .query_row([], |row| row.get(0))
        .optional()?)
}

/// Puts a component in: its keys, and itself among those to be judged.
pub(crate) fn insert_component<'a>(
    tx: &Tx<'_>,
    sbom: i64,
    component: usize,
    keys: impl IntoIterator<Item = &'a str>,
) -> Result<(), ServiceError> {
    let component = limit_of(component);
    for key in keys {
        tx.prepare_cached("INSERT OR IGNORE INTO component_key VALUES (?1, ?2, ?3)")?
            .execute(params![key, sbom, component])?;
    }
    tx.prepare_cached(
        "INSERT INTO match_work VALUES (?1, ?2, 1)
         ON CONFLICT (sbom, component) DO UPDATE SET round = round + 1",
    )?
    .execute(params![sbom, component])?;
    Ok(())
}

/// So many of its components are in; `all`: that is all of them.
pub(crate) fn set_indexed(
    tx: &Tx<'_>,
    sbom: i64,
    indexed: usize,
    all: bool,
) -> Result<(), ServiceError> {
    let state = if all { SbomState::Complete } else { SbomState::Filling };
    tx.prepare_cached("UPDATE sbom SET indexed = ?2, state = ?3 WHERE id = ?1 AND state = 0")?
        .execute(params![sbom, limit_of(indexed), state as u8])?;
    Ok(())
}

/// Has the components judged that have a key. `maker`: only those of this organisation's products.
pub(crate) fn judge_key(tx: &Tx<'_>, key: &str, maker: Option<i64>) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO match_work
         SELECT k.sbom, k.component, 1 FROM component_key k
         WHERE k.key = ?1 AND (?2 IS NULL OR EXISTS (
             SELECT 1 FROM sbom b JOIN software s ON s.id = b.software
             JOIN product p ON p.id = s.product
             WHERE b.id = k.sbom AND p.organisation = ?2))
         ON CONFLICT (sbom, component) DO UPDATE SET round = round + 1",
    )?
    .execute(params![key, maker])?;
    Ok(())
}

/// Has the components of a product, or of one version of it, judged that have a key; without a key,
/// all that are in.
pub(crate) fn judge_product(
    tx: &Tx<'_>,
    product: i64,
    software: Option<i64>,
    key: Option<&str>,
) -> Result<(), ServiceError> {
    let sboms: Vec<(i64, i64)> = {
        let mut statement = tx.prepare_cached(
            "SELECT b.id, b.indexed FROM software s JOIN sbom b ON b.software = s.id
             WHERE s.product = ?1 AND (?2 IS NULL OR s.id = ?2) AND b.state < 2",
        )?;
        let rows = statement
            .query_map(params![product, software], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<Result<_, _>>()?
    };
    for (sbom, indexed) in sboms {
        match key {
            Some(key) => tx
                .prepare_cached(
                    "INSERT INTO match_work
                     SELECT sbom, component, 1 FROM component_key WHERE key = ?2 AND sbom = ?1
                     ON CONFLICT (sbom, component) DO UPDATE SET round = round + 1",
                )?
                .execute(params![sbom, key])?,
            None => tx
                .prepare_cached(
                    "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n
                                              WHERE i + 1 < ?2)
                     INSERT INTO match_work SELECT ?1, i, 1 FROM n WHERE i < ?2
                     ON CONFLICT (sbom, component) DO UPDATE SET round = round + 1",
                )?
                .execute(params![sbom, indexed])?,
        };
    }
    Ok(())
}

/// Whom news concerns that concerns everybody: no organisation has this row.
const EVERYBODY: i64 = 0;

/// Has the components judged that bring in a vulnerability, under any of its ids. `maker`, `product`
/// and `software` narrow it.
pub(crate) fn judge_id(
    tx: &Tx<'_>,
    id: &str,
    maker: Option<i64>,
    product: Option<i64>,
    software: Option<i64>,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO match_work
         SELECT DISTINCT c.sbom, c.component, 1
         FROM exposure_id i JOIN exposure e ON e.id = i.exposure
         JOIN software s ON s.id = e.software
         JOIN exposure_component c ON c.exposure = e.id
         WHERE i.id = ?1 AND (?2 IS NULL OR e.organisation = ?2)
           AND (?3 IS NULL OR s.product = ?3) AND (?4 IS NULL OR s.id = ?4)
         ON CONFLICT (sbom, component) DO UPDATE SET round = round + 1",
    )?
    .execute(params![id, maker, product, software])?;
    tx.prepare_cached(
        "INSERT INTO match_news VALUES (?1, 1)
         ON CONFLICT (organisation) DO UPDATE SET count = count + 1",
    )?
    .execute([maker.unwrap_or(EVERYBODY)])?;
    Ok(())
}

/// How often something came to be known by the id of a vulnerability that may concern an organisation.
pub(crate) fn news(connection: &Connection, organisation: i64) -> Result<i64, ServiceError> {
    let sql = "SELECT coalesce(sum(count), 0) FROM match_news WHERE organisation IN (?1, ?2)";
    Ok(connection.prepare_cached(sql)?.query_row([EVERYBODY, organisation], |row| row.get(0))?)
}

/// Components that are to be judged, with their rounds.
pub(crate) type Work = Vec<(usize, i64)>;

/// The SBOM that is next, and its next components.
pub(crate) fn next_work(
    connection: &Connection,
    after: i64,
    most: usize,
) -> Result<Option<(i64, Work)>, ServiceError> {
    let sql = "SELECT sbom FROM match_work WHERE sbom > ?1 ORDER BY sbom LIMIT 1";
    let next = |after: i64| {
        connection.prepare_cached(sql)?.query_row([after], |row| row.get::<_, i64>(0)).optional()
    };
    let Some(sbom) = next(after)?.map_or_else(|| next(0), |sbom| Ok(Some(sbom)))? else {
        return Ok(None);
    };
    let sql = "SELECT component, round FROM match_work WHERE sbom = ?1 ORDER BY component LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![sbom, limit_of(most)], |row| {
        let component: i64 = row.get(0)?;
        Ok((usize::try_from(component).unwrap_or(usize::MAX), row.get(1)?))
    })?;
    Ok(Some((sbom, rows.collect::<Result<_, _>>()?)))
}

/// A component was judged, unless there came a new cause meanwhile.
pub(crate) fn finish_work(
    tx: &Tx<'_>,
    sbom: i64,
    component: usize,
    round: i64,
) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM match_work WHERE sbom = ?1 AND component = ?2 AND round = ?3")?
        .execute(params![sbom, limit_of(component), round])?;
    Ok(())
}

/// Components that wait to be judged: of one version, of one organisation, or of everybody; the
/// components that are not put in yet are counted, too.
pub(crate) fn waiting(
    connection: &Connection,
    organisation: Option<i64>,
    software: Option<i64>,
) -> Result<u64, ServiceError> {
    let sql = "SELECT coalesce(sum((SELECT count(*) FROM match_work w WHERE w.sbom = b.id)
                              + CASE b.state WHEN 0 THEN max(b.components - b.indexed, 1)
                                WHEN 2 THEN 1 ELSE 0 END), 0)
         FROM sbom b JOIN software s ON s.id = b.software JOIN product p ON p.id = s.product
         WHERE b.state < 3 AND (?1 IS NULL OR p.organisation = ?1) AND (?2 IS NULL OR s.id = ?2)";
    Ok(connection
        .prepare_cached(sql)?
        .query_row(params![organisation, software], |row| row.get::<_, i64>(0))?
        .unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fault::Faults,
        store::{Effect, Effects, Sizes, Store, create},
    };
    use std::sync::Arc;

    struct Nobody;

    impl Effects for Nobody {
        fn committed(&self, _: Vec<Effect>) {}
    }

    /// What one of them says of its own products must not keep everybody's SBOMs from being judged.
    #[test]
    fn news_of_one_organisation_is_none_for_another() {
        let dir = tempfile::tempdir().unwrap();
        create(dir.path(), "test/log", |_| Ok(())).unwrap();
        let faults = Faults::default();
        let store = Store::open(dir.path(), &Sizes::default(), faults, Arc::new(Nobody)).unwrap();
        let count = |of: i64| store.readers.read(|c| news(c, of)).unwrap();
        let hear = |maker: Option<i64>| {
            let work = move |tx: &mut Tx<'_>| judge_id(tx, "CVE-2026-1", maker, None, None);
            store.writer.run_blocking(work).unwrap();
        };
        assert_eq!((count(1), count(2)), (0, 0));
        hear(Some(1));
        hear(Some(1));
        assert_eq!((count(1), count(2)), (2, 0));
        hear(None);
        assert_eq!((count(1), count(2)), (3, 1));
        store.writer.close();
    }
}
