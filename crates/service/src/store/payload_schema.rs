//! Schemas of payloads, by organisation and version, what is in force, and what came of payloads.

use super::{Tx, organisation::limit_of, policy_set::ActivationRow, to_i64};
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// A version, without its texts.
#[derive(Debug, Clone)]
pub(crate) struct VersionRow {
    pub(crate) schema: i64,
    pub(crate) name: String,
    pub(crate) version: u64,
    pub(crate) kind: u8,
    pub(crate) root: Option<String>,
    pub(crate) unknown_fields: bool,
    pub(crate) topic: String,
    pub(crate) product: Option<String>,
    pub(crate) reason: String,
    pub(crate) made_by: String,
    pub(crate) made_at: UnixTime,
    pub(crate) case_count: u64,
    pub(crate) tested_by: Option<String>,
    pub(crate) tested_at: Option<UnixTime>,
    pub(crate) failures: Option<u64>,
    /// whether it is or was in force
    pub(crate) was: bool,
    /// what is in force of its schema, and how
    pub(crate) in_force: Option<(u64, u8)>,
}

const COLUMNS: &str = "it.schema, one.name, it.version, it.kind, it.root, it.unknown_fields,
    it.topic, it.product, it.reason, it.made_by, it.made_at, it.case_count, it.tested_by,
    it.tested_at, it.failures,
    EXISTS (SELECT 1 FROM payload_schema_activation AS was
            WHERE was.schema = it.schema AND was.version = it.version),
    now.version, now.mode";
const TABLES: &str = "payload_schema AS one
    JOIN payload_schema_version AS it ON it.schema = one.id
    LEFT JOIN payload_schema_activation AS now ON now.id =
        (SELECT max(id) FROM payload_schema_activation AS newest WHERE newest.schema = one.id)";

fn read(row: &Row<'_>) -> rusqlite::Result<VersionRow> {
    let now = row.get::<_, Option<i64>>(16)?.map(i64::unsigned_abs);
    let mode = row.get::<_, Option<u8>>(17)?;
    Ok(VersionRow {
        schema: row.get(0)?,
        name: row.get(1)?,
        version: row.get::<_, i64>(2)?.unsigned_abs(),
        kind: row.get(3)?,
        root: row.get(4)?,
        unknown_fields: row.get(5)?,
        topic: row.get(6)?,
        product: row.get(7)?,
        reason: row.get(8)?,
        made_by: row.get(9)?,
        made_at: UnixTime(row.get(10)?),
        case_count: row.get::<_, i64>(11)?.unsigned_abs(),
        tested_by: row.get(12)?,
        tested_at: row.get::<_, Option<i64>>(13)?.map(UnixTime),
        failures: row.get::<_, Option<i64>>(14)?.map(i64::unsigned_abs),
        was: row.get(15)?,
        in_force: now.zip(mode),
    })
}

/// A version to be kept.
#[derive(Debug)]
pub(crate) struct NewVersion {
    pub(crate) organisation: i64,
    pub(crate) name: String,
    pub(crate) kind: u8,
    pub(crate) source: Vec<u8>,
    pub(crate) root: Option<String>,
    pub(crate) unknown_fields: bool,
    pub(crate) topic: String,
    pub(crate) product: Option<String>,
    pub(crate) cases: String,
    pub(crate) digest: [u8; 32],
    pub(crate) reason: String,
    pub(crate) made_by: String,
    pub(crate) made_at: UnixTime,
    pub(crate) case_count: u64,
}

/// The row of a name.
pub(crate) fn named(
    connection: &Connection,
    organisation: i64,
    name: &str,
) -> Result<Option<i64>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT id FROM payload_schema WHERE organisation = ?1 AND name = ?2")?
        .query_row(params![organisation, name], |row| row.get(0))
        .optional()?)
}

/// The row of a name, which is given one where it has none; `None` where there is no room for more.
pub(crate) fn name(
    tx: &Tx<'_>,
    organisation: i64,
    name: &str,
    most: u64,
) -> Result<Option<i64>, ServiceError> {
    if let Some(known) = named(tx, organisation, name)? {
        return Ok(Some(known));
    }
    let count: i64 = tx
        .prepare_cached("SELECT count(*) FROM payload_schema WHERE organisation = ?1")?
        .query_row([organisation], |row| row.get(0))?;
    if count.unsigned_abs() >= most {
        return Ok(None);
    }
    tx.prepare_cached("INSERT INTO payload_schema (organisation, name) VALUES (?1, ?2)")?
        .execute(params![organisation, name])?;
    Ok(Some(tx.last_insert_rowid()))
}

/// Keeps a version under the next number. Of those that never were in force, as many are kept as
/// `most` says, the newest.
pub(crate) fn insert(
    tx: &Tx<'_>,
    schema: i64,
    new: &NewVersion,
    most: usize,
) -> Result<u64, ServiceError> {
    let version: i64 = tx
        .prepare_cached(
            "SELECT coalesce(max(version), 0) + 1 FROM payload_schema_version WHERE schema = ?1",
        )?
        .query_row([schema], |row| row.get(0))?;
    tx.prepare_cached(
        "INSERT INTO payload_schema_version
         (schema, version, kind, source, root, unknown_fields, topic, product, cases, digest,
          reason, made_by, made_at, case_count)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .execute(params![
        schema,
        version,
        new.kind,
        new.source,
        new.root,
        new.unknown_fields,
        new.topic,
        new.product,
        new.cases,
        new.digest,
        new.reason,
        new.made_by,
        new.made_at.0,
        to_i64(new.case_count)
    ])?;
    tx.prepare_cached(
        "DELETE FROM payload_schema_version WHERE schema = ?1 AND version IN
         (SELECT version FROM payload_schema_version AS old WHERE old.schema = ?1 AND NOT EXISTS
              (SELECT 1 FROM payload_schema_activation AS was
               WHERE was.schema = ?1 AND was.version = old.version)
          ORDER BY version DESC LIMIT -1 OFFSET ?2)",
    )?
    .execute(params![schema, limit_of(most)])?;
    Ok(version.unsigned_abs())
}

/// Of each name of an organisation the version in force, or the newest where none is.
pub(crate) fn all(
    connection: &Connection,
    organisation: i64,
    limit: usize,
) -> Result<Vec<VersionRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM {TABLES} WHERE one.organisation = ?1 AND it.version =
             coalesce(now.version, (SELECT max(version) FROM payload_schema_version AS last
                                    WHERE last.schema = one.id))
         ORDER BY one.name LIMIT ?2"
    ))?;
    let rows = statement.query_map(params![organisation, limit_of(limit)], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Versions of a name below one, the newest first.
pub(crate) fn versions(
    connection: &Connection,
    schema: i64,
    before: i64,
    limit: usize,
) -> Result<Vec<VersionRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM {TABLES} WHERE it.schema = ?1 AND it.version < ?2
         ORDER BY it.version DESC LIMIT ?3"
    ))?;
    let rows = statement.query_map(params![schema, before, limit_of(limit)], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One of them.
pub(crate) fn version(
    connection: &Connection,
    schema: i64,
    version: u64,
) -> Result<Option<VersionRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM {TABLES} WHERE it.schema = ?1 AND it.version = ?2"
        ))?
        .query_row(params![schema, to_i64(version)], read)
        .optional()?)
}

/// Source and cases of a version, and the digest under which they were kept.
pub(crate) type Texts = (Vec<u8>, String, [u8; 32]);

pub(crate) fn texts(
    connection: &Connection,
    schema: i64,
    version: u64,
) -> Result<Option<Texts>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT source, cases, digest FROM payload_schema_version
             WHERE schema = ?1 AND version = ?2",
        )?
        .query_row(params![schema, to_i64(version)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?)
}

/// Puts down that a version was tested; false where there is none.
pub(crate) fn set_tested(
    tx: &Tx<'_>,
    (schema, version): (i64, u64),
    (by, at): (&str, UnixTime),
    failures: u64,
) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached(
            "UPDATE payload_schema_version SET tested_by = ?3, tested_at = ?4, failures = ?5
             WHERE schema = ?1 AND version = ?2",
        )?
        .execute(params![schema, to_i64(version), by, at.0, to_i64(failures)])?;
    Ok(changed > 0)
}

/// How many schemas of an organisation are in force but for one, and how many bytes they have.
pub(crate) fn weight(
    connection: &Connection,
    organisation: i64,
    but: i64,
) -> Result<(u64, u64), ServiceError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT count(*), coalesce(sum(length(it.source)), 0) FROM {TABLES}
             WHERE one.organisation = ?1 AND one.id != ?2 AND it.version = now.version"
        ))?
        .query_row(params![organisation, but], |row| {
            Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs()))
        })?)
}

pub(crate) fn activate(
    tx: &Tx<'_>,
    (schema, version, mode): (i64, Option<u64>, u8),
    (by, at): (&str, UnixTime),
    reason: &str,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO payload_schema_activation
         (schema, version, mode, reason, activated_by, activated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![schema, version.map(to_i64), mode, reason, by, at.0])?;
    Ok(())
}

/// Activations of a schema before one, the newest first, each with how it is in force.
pub(crate) fn activations(
    connection: &Connection,
    schema: i64,
    before: i64,
    limit: usize,
) -> Result<Vec<(ActivationRow, u8)>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, version, reason, activated_by, activated_at, mode
         FROM payload_schema_activation WHERE schema = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
    )?;
    let rows = statement.query_map(params![schema, before, limit_of(limit)], |row| {
        let activation = ActivationRow {
            id: row.get(0)?,
            version: row.get::<_, Option<i64>>(1)?.map(i64::unsigned_abs),
            reason: row.get(2)?,
            by: row.get(3)?,
            at: UnixTime(row.get(4)?),
        };
        Ok((activation, row.get(5)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Product lines of which only topics with a schema are taken; an empty one means all.
pub(crate) fn strict(
    connection: &Connection,
    organisation: i64,
) -> Result<Vec<StrictRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT product, reason, set_by, set_at FROM payload_strict WHERE organisation = ?1
         ORDER BY product",
    )?;
    let rows = statement.query_map([organisation], |row| {
        Ok(StrictRow {
            product: row.get(0)?,
            reason: row.get(1)?,
            by: row.get(2)?,
            at: UnixTime(row.get(3)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A product line of which only topics with a schema are taken.
#[derive(Debug, Clone)]
pub(crate) struct StrictRow {
    pub(crate) product: String,
    pub(crate) reason: String,
    pub(crate) by: String,
    pub(crate) at: UnixTime,
}

/// Sets that, or takes it back.
pub(crate) fn set_strict(
    tx: &Tx<'_>,
    organisation: i64,
    row: &StrictRow,
    strict: bool,
) -> Result<(), ServiceError> {
    if strict {
        tx.prepare_cached(
            "INSERT INTO payload_strict (organisation, product, reason, set_by, set_at)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (organisation, product) DO UPDATE SET
                 reason = excluded.reason, set_by = excluded.set_by, set_at = excluded.set_at",
        )?
        .execute(params![organisation, row.product, row.reason, row.by, row.at.0])?;
    } else {
        tx.prepare_cached("DELETE FROM payload_strict WHERE organisation = ?1 AND product = ?2")?
            .execute(params![organisation, row.product])?;
    }
    Ok(())
}

/// What came of payloads by one rule.
#[derive(Debug, Clone)]
pub(crate) struct FoundRow {
    pub(crate) schema: i64,
    pub(crate) version: u64,
    pub(crate) rule: String,
    pub(crate) count: u64,
    pub(crate) last_at: UnixTime,
    pub(crate) last_place: String,
    pub(crate) last_topic: String,
    pub(crate) last_device: i64,
}

/// Adds what came of payloads, where the version has room for one more rule.
pub(crate) fn add_found(tx: &Tx<'_>, row: &FoundRow, most: u64) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO payload_schema_found
         (schema, version, rule, count, last_at, last_place, last_topic, last_device)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE EXISTS
             (SELECT 1 FROM payload_schema_found WHERE schema = ?1 AND version = ?2 AND rule = ?3)
             OR (SELECT count(*) FROM payload_schema_found WHERE schema = ?1 AND version = ?2) < ?9
         ON CONFLICT (schema, version, rule) DO UPDATE SET
             count = count + excluded.count, last_at = excluded.last_at,
             last_place = excluded.last_place, last_topic = excluded.last_topic,
             last_device = excluded.last_device",
    )?
    .execute(params![
        row.schema,
        to_i64(row.version),
        row.rule,
        to_i64(row.count),
        row.last_at.0,
        row.last_place,
        row.last_topic,
        row.last_device,
        to_i64(most)
    ])?;
    Ok(())
}

/// What came of payloads of a version, the most frequent first, each with the device of the last.
pub(crate) fn found(
    connection: &Connection,
    schema: i64,
    version: u64,
) -> Result<Vec<(FoundRow, [u8; 16])>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT it.rule, it.count, it.last_at, it.last_place, it.last_topic, it.last_device,
             device.device_id
         FROM payload_schema_found AS it JOIN device ON device.id = it.last_device
         WHERE it.schema = ?1 AND it.version = ?2 ORDER BY it.count DESC",
    )?;
    let rows = statement.query_map(params![schema, to_i64(version)], |row| {
        let found = FoundRow {
            schema,
            version,
            rule: row.get(0)?,
            count: row.get::<_, i64>(1)?.unsigned_abs(),
            last_at: UnixTime(row.get(2)?),
            last_place: row.get(3)?,
            last_topic: row.get(4)?,
            last_device: row.get(5)?,
        };
        Ok((found, row.get(6)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
