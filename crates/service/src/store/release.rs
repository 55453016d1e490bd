//! Releases, their files and attachments, gates, and what the log commits to about them.

use super::{Tx, blob, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use ledger::Commitment;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// Where a release is. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum State {
    Draft = 0,
    Published = 1,
    Withdrawn = 2,
    Discarded = 3,
}

impl State {
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        use State as S;
        [S::Draft, S::Published, S::Withdrawn, S::Discarded]
            .into_iter()
            .find(|state| *state as u8 == number)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct ReleaseRow {
    pub(crate) id: i64,
    pub(crate) reference: [u8; 16],
    pub(crate) organisation: i64,
    pub(crate) product: i64,
    pub(crate) version: String,
    pub(crate) security_version: u64,
    pub(crate) counter: u64,
    pub(crate) hardware_ids: String,
    pub(crate) notes: String,
    pub(crate) state: State,
    pub(crate) created_at: UnixTime,
    pub(crate) created_by: String,
    pub(crate) published_at: Option<UnixTime>,
    pub(crate) published_by: Option<String>,
    pub(crate) withdrawn_at: Option<UnixTime>,
    pub(crate) withdrawn_reason: Option<String>,
    pub(crate) overruled: Option<String>,
    pub(crate) overruled_reason: Option<String>,
    pub(crate) leaf: Option<u64>,
}

const RELEASE: &str = "id, reference, organisation, product, version, security_version, counter, \
                       hardware_ids, notes, state, created_at, created_by, published_at, \
                       published_by, withdrawn_at, withdrawn_reason, overruled, overruled_reason, \
                       leaf";

fn release_row(row: &Row<'_>) -> rusqlite::Result<ReleaseRow> {
    let state: u8 = row.get(9)?;
    let time = |at: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.map(UnixTime));
    Ok(ReleaseRow {
        id: row.get(0)?,
        reference: row.get(1)?,
        organisation: row.get(2)?,
        product: row.get(3)?,
        version: row.get(4)?,
        security_version: row.get::<_, i64>(5)?.unsigned_abs(),
        counter: row.get::<_, i64>(6)?.unsigned_abs(),
        hardware_ids: row.get(7)?,
        notes: row.get(8)?,
        state: State::from_number(state)
            .ok_or(rusqlite::Error::IntegralValueOutOfRange(9, state.into()))?,
        created_at: UnixTime(row.get(10)?),
        created_by: row.get(11)?,
        published_at: time(12)?,
        published_by: row.get(13)?,
        withdrawn_at: time(14)?,
        withdrawn_reason: row.get(15)?,
        overruled: row.get(16)?,
        overruled_reason: row.get(17)?,
        leaf: row.get::<_, Option<i64>>(18)?.map(i64::unsigned_abs),
    })
}

pub(crate) fn insert_release(tx: &mut Tx<'_>, new: &ReleaseRow) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO release (reference, organisation, product, version, security_version, counter,
                              hardware_ids, notes, state, created_at, created_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        new.reference,
        new.organisation,
        new.product,
        new.version,
        to_i64(new.security_version),
        to_i64(new.counter),
        new.hardware_ids,
        new.notes,
        new.state as u8,
        new.created_at.0,
        new.created_by
    ])?;
    Ok(tx.last_insert_rowid())
}

pub(crate) fn release(
    connection: &Connection,
    reference: &[u8; 16],
) -> Result<Option<ReleaseRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {RELEASE} FROM release WHERE reference = ?1"))?
        .query_row([reference], release_row)
        .optional()?)
}

pub(crate) fn release_by_row(
    connection: &Connection,
    id: i64,
) -> Result<Option<ReleaseRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {RELEASE} FROM release WHERE id = ?1"))?
        .query_row([id], release_row)
        .optional()?)
}

/// A product's published releases, the highest counter first.
pub(crate) fn published(
    connection: &Connection,
    product: i64,
    limit: usize,
) -> Result<Vec<ReleaseRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {RELEASE} FROM release WHERE product = ?1 AND state < 3 AND state = 1
         ORDER BY counter DESC LIMIT ?2"
    ))?;
    let rows = statement.query_map(params![product, limit_of(limit)], release_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether a version is one of a product's published releases.
pub(crate) fn is_published(
    connection: &Connection,
    product: i64,
    version: &str,
) -> Result<bool, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM release WHERE product = ?1 AND version = ?2 AND state = 1")?
        .exists(params![product, version])?)
}

/// The counter of the release of a product with this version.
pub(crate) fn counter_of(
    connection: &Connection,
    product: i64,
    version: &str,
) -> Result<Option<u64>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT counter FROM release WHERE product = ?1 AND version = ?2 AND state < 3",
        )?
        .query_row(params![product, version], |row| row.get::<_, i64>(0))
        .optional()?
        .map(i64::unsigned_abs))
}

/// An organisation's releases that are not discarded, newest first, older than `before`.
pub(crate) fn releases(
    connection: &Connection,
    organisation: i64,
    product: Option<i64>,
    state: Option<State>,
    before: i64,
    limit: usize,
) -> Result<Vec<ReleaseRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {RELEASE} FROM release WHERE organisation = ?1 AND id < ?2 AND state < 3
         AND (?3 IS NULL OR product = ?3) AND (?4 IS NULL OR state = ?4)
         ORDER BY id DESC LIMIT ?5"
    ))?;
    let state = state.map(|state| state as u8);
    let values = params![organisation, before, product, state, limit_of(limit)];
    let rows = statement.query_map(values, release_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The release of a product with this version or this counter that is not discarded.
pub(crate) fn same_release(
    connection: &Connection,
    product: i64,
    version: &str,
    counter: u64,
) -> Result<Option<ReleaseRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {RELEASE} FROM release
             WHERE product = ?1 AND state < 3 AND (version = ?2 OR counter = ?3) LIMIT 1"
        ))?
        .query_row(params![product, version, to_i64(counter)], release_row)
        .optional()?)
}

/// The highest counter of a product's releases, drafts included.
pub(crate) fn highest_counter(connection: &Connection, product: i64) -> Result<u64, ServiceError> {
    let highest: Option<i64> = connection
        .prepare_cached("SELECT max(counter) FROM release WHERE product = ?1 AND state < 3")?
        .query_row([product], |row| row.get(0))?;
    Ok(highest.unwrap_or(0).unsigned_abs())
}

/// The published release of a product with the highest counter. Withdrawn ones count: devices may
/// have them.
pub(crate) fn last_published(
    connection: &Connection,
    product: i64,
) -> Result<Option<ReleaseRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {RELEASE} FROM release WHERE product = ?1 AND state IN (1, 2)
             ORDER BY counter DESC LIMIT 1"
        ))?
        .query_row([product], release_row)
        .optional()?)
}

/// The highest security version that was ever published of a product.
pub(crate) fn highest_security_version(
    connection: &Connection,
    product: i64,
) -> Result<Option<u64>, ServiceError> {
    let highest: Option<i64> = connection
        .prepare_cached(
            "SELECT max(security_version) FROM release WHERE product = ?1 AND state IN (1, 2)",
        )?
        .query_row([product], |row| row.get(0))?;
    Ok(highest.map(i64::unsigned_abs))
}

/// Drafts of an organisation.
pub(crate) fn count_drafts(
    connection: &Connection,
    organisation: i64,
) -> Result<u64, ServiceError> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM release WHERE organisation = ?1 AND state = 0")?
        .query_row([organisation], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// What publication adds to a release.
pub(crate) struct Publication<'a> {
    pub(crate) at: UnixTime,
    pub(crate) by: &'a str,
    pub(crate) overruled: Option<(&'a str, &'a str)>,
    pub(crate) leaf: u64,
}

/// Publishes a draft; false where it is none.
pub(crate) fn publish(
    tx: &mut Tx<'_>,
    id: i64,
    publication: &Publication<'_>,
) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached(
            "UPDATE release SET state = 1, published_at = ?2, published_by = ?3, overruled = ?4,
                                overruled_reason = ?5, leaf = ?6
             WHERE id = ?1 AND state = 0",
        )?
        .execute(params![
            id,
            publication.at.0,
            publication.by,
            publication.overruled.map(|(items, _)| items),
            publication.overruled.map(|(_, reason)| reason),
            to_i64(publication.leaf)
        ])?;
    Ok(changed == 1)
}

/// Withdraws a published release; false where it is none.
pub(crate) fn withdraw(
    tx: &mut Tx<'_>,
    id: i64,
    reason: &str,
    at: UnixTime,
) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached(
            "UPDATE release SET state = 2, withdrawn_at = ?2, withdrawn_reason = ?3
             WHERE id = ?1 AND state = 1",
        )?
        .execute(params![id, at.0, reason])?;
    Ok(changed == 1)
}

/// Discards a draft with what it names; false where it is none.
pub(crate) fn discard(tx: &mut Tx<'_>, id: i64) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached("UPDATE release SET state = 3 WHERE id = ?1 AND state = 0")?
        .execute([id])?;
    if changed == 1 {
        tx.prepare_cached("DELETE FROM artifact WHERE release = ?1")?.execute([id])?;
        tx.prepare_cached("DELETE FROM attachment WHERE release = ?1")?.execute([id])?;
    }
    Ok(changed == 1)
}

/// A file of a release.
#[derive(Debug, Clone)]
pub(crate) struct ArtifactRow {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) blob: blob::BlobRow,
    pub(crate) hardware_ids: String,
    pub(crate) form: super::form::Form,
}

const ARTIFACT: &str = "artifact.name, artifact.path, artifact.hardware_ids, blob.id, blob.sha256, \
                        blob.sha1, blob.length, artifact.id, artifact_form.header, \
                        artifact_form.delta";
const ARTIFACTS: &str = "artifact JOIN blob ON blob.id = artifact.blob \
                         LEFT JOIN artifact_form ON artifact_form.artifact = artifact.id";

fn artifact_row(row: &Row<'_>) -> rusqlite::Result<ArtifactRow> {
    Ok(ArtifactRow {
        name: row.get(0)?,
        path: row.get(1)?,
        hardware_ids: row.get(2)?,
        blob: blob::BlobRow {
            id: row.get(3)?,
            sha256: Sha256(row.get(4)?),
            sha1: row.get(5)?,
            length: row.get::<_, i64>(6)?.unsigned_abs(),
        },
        id: row.get(7)?,
        form: super::form::form_columns(row, 8)?,
    })
}

/// A release's files, by name.
pub(crate) fn artifacts(
    connection: &Connection,
    release: i64,
) -> Result<Vec<ArtifactRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ARTIFACT} FROM {ARTIFACTS}
         WHERE release = ?1 ORDER BY name"
    ))?;
    let rows = statement.query_map([release], artifact_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn insert_artifact(
    tx: &mut Tx<'_>,
    release: i64,
    name: &str,
    path: &str,
    blob: i64,
    hardware_ids: &str,
) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO artifact (release, name, path, blob, hardware_ids)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![release, name, path, blob, hardware_ids])?;
    Ok(tx.last_insert_rowid())
}

/// The file of a published release of an organisation with this path and these contents.
pub(crate) fn published_artifact(
    connection: &Connection,
    organisation: i64,
    path: &str,
    sha256: &Sha256,
) -> Result<Option<(ReleaseRow, ArtifactRow)>, ServiceError> {
    let found: Option<(i64, ArtifactRow)> = connection
        .prepare_cached(&format!(
            "SELECT {ARTIFACT}, artifact.release FROM {ARTIFACTS}
             JOIN release ON release.id = artifact.release
             WHERE blob.sha256 = ?1 AND path = ?2 AND organisation = ?3 AND state = 1 LIMIT 1"
        ))?
        .query_row(params![sha256.as_bytes(), path, organisation], |row| {
            Ok((row.get(10)?, artifact_row(row)?))
        })
        .optional()?;
    let Some((release, artifact)) = found else { return Ok(None) };
    Ok(release_by_row(connection, release)?.map(|release| (release, artifact)))
}

/// Every file of an organisation's published releases, with its release, by path.
pub(crate) fn published_artifacts(
    connection: &Connection,
    organisation: i64,
) -> Result<Vec<(ReleaseRow, ArtifactRow)>, ServiceError> {
    let releases = {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {RELEASE} FROM release WHERE organisation = ?1 AND state = 1 ORDER BY id"
        ))?;
        let rows = statement.query_map([organisation], release_row)?;
        rows.collect::<Result<Vec<_>, _>>()?
    };
    let mut found = Vec::new();
    for release in releases {
        for artifact in artifacts(connection, release.id)? {
            found.push((release.clone(), artifact));
        }
    }
    Ok(found)
}

/// Takes a file out of a release; false where there is none of this name.
pub(crate) fn delete_artifact(
    tx: &mut Tx<'_>,
    release: i64,
    name: &str,
) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached("DELETE FROM artifact WHERE release = ?1 AND name = ?2")?
        .execute(params![release, name])?;
    Ok(changed == 1)
}

/// An attachment of a release.
#[derive(Debug, Clone)]
pub(crate) struct AttachmentRow {
    pub(crate) kind: u8,
    pub(crate) name: String,
    pub(crate) summary: String,
    pub(crate) blob: blob::BlobRow,
}

/// A release's attachments, by kind and name.
pub(crate) fn attachments(
    connection: &Connection,
    release: i64,
) -> Result<Vec<AttachmentRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT kind, name, summary, blob.id, blob.sha256, blob.sha1, blob.length
         FROM attachment JOIN blob ON blob.id = attachment.blob
         WHERE release = ?1 ORDER BY kind, name",
    )?;
    let rows = statement.query_map([release], |row| {
        Ok(AttachmentRow {
            kind: row.get(0)?,
            name: row.get(1)?,
            summary: row.get(2)?,
            blob: blob::BlobRow {
                id: row.get(3)?,
                sha256: Sha256(row.get(4)?),
                sha1: row.get(5)?,
                length: row.get::<_, i64>(6)?.unsigned_abs(),
            },
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Attaches a file, in place of one of the same kind and name.
pub(crate) fn attach(
    tx: &mut Tx<'_>,
    release: i64,
    kind: u8,
    name: &str,
    blob: i64,
    summary: &str,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO attachment (release, kind, name, blob, summary) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (release, kind, name)
         DO UPDATE SET blob = excluded.blob, summary = excluded.summary",
    )?
    .execute(params![release, kind, name, blob, summary])?;
    Ok(())
}

/// Takes an attachment off; false where there is none.
pub(crate) fn detach(
    tx: &mut Tx<'_>,
    release: i64,
    kind: u8,
    name: &str,
) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached("DELETE FROM attachment WHERE release = ?1 AND kind = ?2 AND name = ?3")?
        .execute(params![release, kind, name])?;
    Ok(changed == 1)
}

/// What a product's releases must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GateRow {
    pub(crate) sbom: bool,
    pub(crate) tests: bool,
    pub(crate) provenance: bool,
    pub(crate) not_exploited: bool,
    pub(crate) security_floor: u64,
    pub(crate) component: Option<String>,
}

pub(crate) fn gate(connection: &Connection, product: i64) -> Result<Option<GateRow>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT sbom, tests, provenance, not_exploited, security_floor, component
             FROM release_gate WHERE product = ?1",
        )?
        .query_row([product], |row| {
            Ok(GateRow {
                sbom: row.get(0)?,
                tests: row.get(1)?,
                provenance: row.get(2)?,
                not_exploited: row.get(3)?,
                security_floor: row.get::<_, i64>(4)?.unsigned_abs(),
                component: row.get(5)?,
            })
        })
        .optional()?)
}

pub(crate) fn set_gate(tx: &mut Tx<'_>, product: i64, gate: &GateRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO release_gate (product, sbom, tests, provenance, not_exploited, security_floor,
                                   component)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (product) DO UPDATE SET sbom = excluded.sbom, tests = excluded.tests,
            provenance = excluded.provenance, not_exploited = excluded.not_exploited,
            security_floor = excluded.security_floor, component = excluded.component",
    )?
    .execute(params![
        product,
        gate.sbom,
        gate.tests,
        gate.provenance,
        gate.not_exploited,
        to_i64(gate.security_floor),
        gate.component
    ])?;
    Ok(())
}

/// What a statement that the log commits to is about. The numbers are stored.
pub(crate) const PUBLISHED_RELEASE: u8 = 1;
/// A campaign started or changed.
pub(crate) const CAMPAIGN: u8 = 2;
/// A diagnosis was signed.
pub(crate) const SIGNED_DIAGNOSIS: u8 = 3;

/// Keeps what a leaf commits to.
pub(crate) fn insert_statement(
    tx: &mut Tx<'_>,
    leaf: u64,
    kind: u8,
    salt: &[u8; 32],
    contents: &[u8],
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO statement (leaf, kind, salt, contents) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![to_i64(leaf), kind, salt, contents])?;
    Ok(())
}

/// What a leaf commits to, and what stands in its place of the log's sequence.
#[derive(Debug, Clone)]
pub(crate) struct StatementRow {
    pub(crate) leaf: u64,
    pub(crate) salt: [u8; 32],
    pub(crate) contents: Vec<u8>,
    pub(crate) commitment: Option<Commitment>,
}

/// Statements by their leaf, from leaf `from` on.
pub(crate) fn statements(
    connection: &Connection,
    from: u64,
    limit: usize,
) -> Result<Vec<StatementRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT statement.leaf, salt, contents, leaf.commitment
         FROM statement LEFT JOIN leaf ON leaf.idx = statement.leaf
         WHERE statement.leaf >= ?1 ORDER BY statement.leaf LIMIT ?2",
    )?;
    let rows = statement.query_map(params![to_i64(from), limit_of(limit)], |row| {
        Ok(StatementRow {
            leaf: row.get::<_, i64>(0)?.unsigned_abs(),
            salt: row.get(1)?,
            contents: row.get(2)?,
            commitment: row.get::<_, Option<[u8; 32]>>(3)?.map(|hash| Commitment(Sha256(hash))),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
