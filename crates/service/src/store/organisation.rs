//! Organisations, their members, their signing keys and their product lines.

use super::Tx;
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

#[derive(Debug, Clone)]
pub(crate) struct OrganisationRow {
    pub(crate) id: i64,
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) roles: u8,
    pub(crate) created_at: UnixTime,
    /// roles that it will have once they are confirmed
    pub(crate) proposed: u8,
    /// since when nobody of it may do anything
    pub(crate) suspended_at: Option<UnixTime>,
}

const ORGANISATION: &str = "id, slug, name, roles, created_at, proposed, suspended_at";

fn organisation_row(row: &Row<'_>) -> rusqlite::Result<OrganisationRow> {
    Ok(OrganisationRow {
        id: row.get(0)?,
        slug: row.get(1)?,
        name: row.get(2)?,
        roles: row.get(3)?,
        created_at: UnixTime(row.get(4)?),
        proposed: row.get(5)?,
        suspended_at: row.get::<_, Option<i64>>(6)?.map(UnixTime),
    })
}

/// Who registered an organisation that is to become an authority.
#[derive(Debug, Clone)]
pub(crate) struct ProposalRow {
    /// the member, person or command in words
    pub(crate) by: String,
    /// the name of a member or person: one human's passkey and certificates bear the same
    pub(crate) name: Option<String>,
    /// SHA-256 of the certificate that it came with
    pub(crate) certificate: Option<Sha256>,
    pub(crate) at: UnixTime,
}

pub(crate) fn proposal(
    connection: &Connection,
    organisation: i64,
) -> Result<Option<ProposalRow>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT by, name, certificate, at FROM authority_proposal WHERE organisation = ?1",
        )?
        .query_row([organisation], |row| {
            Ok(ProposalRow {
                by: row.get(0)?,
                name: row.get(1)?,
                certificate: row.get::<_, Option<[u8; 32]>>(2)?.map(Sha256),
                at: UnixTime(row.get(3)?),
            })
        })
        .optional()?)
}

/// Roles that an organisation gets once somebody else confirms them.
pub(crate) fn propose_roles(
    tx: &mut Tx<'_>,
    organisation: i64,
    roles: u8,
    new: &ProposalRow,
) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE organisation SET proposed = ?2 WHERE id = ?1")?
        .execute(params![organisation, roles])?;
    tx.prepare_cached(
        "INSERT INTO authority_proposal (organisation, by, name, certificate, at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        organisation,
        new.by,
        new.name,
        new.certificate.as_ref().map(Sha256::as_bytes),
        new.at.0
    ])?;
    Ok(())
}

/// The proposed roles become an organisation's own.
pub(crate) fn confirm_roles(tx: &mut Tx<'_>, organisation: i64) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "UPDATE organisation SET roles = roles | proposed, proposed = 0 WHERE id = ?1",
    )?
    .execute([organisation])?;
    tx.prepare_cached("DELETE FROM authority_proposal WHERE organisation = ?1")?
        .execute([organisation])?;
    Ok(())
}

pub(crate) fn organisation(
    connection: &Connection,
    slug: &str,
) -> Result<Option<OrganisationRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {ORGANISATION} FROM organisation WHERE slug = ?1"))?
        .query_row([slug], organisation_row)
        .optional()?)
}

pub(crate) fn organisation_by_id(
    connection: &Connection,
    id: i64,
) -> Result<Option<OrganisationRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {ORGANISATION} FROM organisation WHERE id = ?1"))?
        .query_row([id], organisation_row)
        .optional()?)
}

pub(crate) fn organisations(
    connection: &Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<OrganisationRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ORGANISATION} FROM organisation WHERE id > ?1 ORDER BY id LIMIT ?2"
    ))?;
    let rows = statement.query_map(params![after, limit_of(limit)], organisation_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn insert_organisation(
    tx: &mut Tx<'_>,
    slug: &str,
    name: &str,
    roles: u8,
    at: UnixTime,
) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO organisation (slug, name, roles, created_at) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![slug, name, roles, at.0])?;
    Ok(tx.last_insert_rowid())
}

pub(crate) fn set_suspended(
    tx: &mut Tx<'_>,
    organisation: i64,
    at: Option<UnixTime>,
) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE organisation SET suspended_at = ?2 WHERE id = ?1")?
        .execute(params![organisation, at.map(|at| at.0)])?;
    Ok(())
}

pub(crate) fn rename(tx: &mut Tx<'_>, organisation: i64, name: &str) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE organisation SET name = ?2 WHERE id = ?1")?
        .execute(params![organisation, name])?;
    Ok(())
}

#[derive(Debug, Clone)]
pub(crate) struct MemberRow {
    pub(crate) id: i64,
    pub(crate) organisation: i64,
    pub(crate) fingerprint: Sha256,
    pub(crate) name: String,
    pub(crate) roles: String,
    pub(crate) certificate: Vec<u8>,
    pub(crate) added_at: UnixTime,
    pub(crate) removed_at: Option<UnixTime>,
}

const MEMBER: &str =
    "id, organisation, fingerprint, name, roles, certificate, added_at, removed_at";

fn member_row(row: &Row<'_>) -> rusqlite::Result<MemberRow> {
    Ok(MemberRow {
        id: row.get(0)?,
        organisation: row.get(1)?,
        fingerprint: Sha256(row.get(2)?),
        name: row.get(3)?,
        roles: row.get(4)?,
        certificate: row.get(5)?,
        added_at: UnixTime(row.get(6)?),
        removed_at: row.get::<_, Option<i64>>(7)?.map(UnixTime),
    })
}

pub(crate) fn member(
    connection: &Connection,
    fingerprint: &Sha256,
) -> Result<Option<MemberRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {MEMBER} FROM member WHERE fingerprint = ?1"))?
        .query_row([fingerprint.as_bytes()], member_row)
        .optional()?)
}

pub(crate) fn members(
    connection: &Connection,
    organisation: i64,
    after: i64,
    limit: usize,
) -> Result<Vec<MemberRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {MEMBER} FROM member WHERE organisation = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
    ))?;
    let rows = statement.query_map(params![organisation, after, limit_of(limit)], member_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) struct NewMemberRow<'a> {
    pub(crate) organisation: i64,
    pub(crate) fingerprint: &'a Sha256,
    pub(crate) name: &'a str,
    pub(crate) roles: &'a str,
    pub(crate) certificate: &'a [u8],
    pub(crate) not_after: UnixTime,
    pub(crate) at: UnixTime,
}

/// Whether an organisation has, or ever had, a member.
pub(crate) fn has_members(
    connection: &Connection,
    organisation: i64,
) -> Result<bool, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM member WHERE organisation = ?1 LIMIT 1")?
        .exists([organisation])?)
}

pub(crate) fn insert_member(tx: &mut Tx<'_>, new: &NewMemberRow<'_>) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO member (organisation, fingerprint, name, roles, certificate, not_after, added_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        new.organisation,
        new.fingerprint.as_bytes(),
        new.name,
        new.roles,
        new.certificate,
        new.not_after.0,
        new.at.0
    ])?;
    Ok(tx.last_insert_rowid())
}

pub(crate) fn remove_member(tx: &mut Tx<'_>, id: i64, at: UnixTime) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE member SET removed_at = ?2 WHERE id = ?1")?
        .execute(params![id, at.0])?;
    Ok(())
}

#[derive(Debug, Clone)]
pub(crate) struct SignerRow {
    pub(crate) id: i64,
    pub(crate) organisation: i64,
    pub(crate) fingerprint: Sha256,
    pub(crate) spki: Vec<u8>,
    pub(crate) certificate: Vec<u8>,
    pub(crate) not_before: UnixTime,
    pub(crate) not_after: UnixTime,
    pub(crate) retired_at: Option<UnixTime>,
}

const SIGNER: &str =
    "id, organisation, fingerprint, spki, certificate, not_before, not_after, retired_at";

fn signer_row(row: &Row<'_>) -> rusqlite::Result<SignerRow> {
    Ok(SignerRow {
        id: row.get(0)?,
        organisation: row.get(1)?,
        fingerprint: Sha256(row.get(2)?),
        spki: row.get(3)?,
        certificate: row.get(4)?,
        not_before: UnixTime(row.get(5)?),
        not_after: UnixTime(row.get(6)?),
        retired_at: row.get::<_, Option<i64>>(7)?.map(UnixTime),
    })
}

pub(crate) fn signer(
    connection: &Connection,
    fingerprint: &Sha256,
) -> Result<Option<SignerRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {SIGNER} FROM signer WHERE fingerprint = ?1"))?
        .query_row([fingerprint.as_bytes()], signer_row)
        .optional()?)
}

pub(crate) fn signers(
    connection: &Connection,
    organisation: i64,
) -> Result<Vec<SignerRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {SIGNER} FROM signer WHERE organisation = ?1 ORDER BY id LIMIT 1000"
    ))?;
    let rows = statement.query_map([organisation], signer_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Registers a key, or gives a registered one its newer certificate.
pub(crate) fn insert_signer(tx: &mut Tx<'_>, new: &SignerRow) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO signer (organisation, fingerprint, spki, certificate, not_before, not_after)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (fingerprint) DO UPDATE
         SET certificate = excluded.certificate, not_after = excluded.not_after
         WHERE organisation = excluded.organisation",
    )?
    .execute(params![
        new.organisation,
        new.fingerprint.as_bytes(),
        new.spki,
        new.certificate,
        new.not_before.0,
        new.not_after.0
    ])?;
    Ok(tx.last_insert_rowid())
}

pub(crate) fn retire_signer(tx: &mut Tx<'_>, id: i64, at: UnixTime) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE signer SET retired_at = ?2 WHERE id = ?1")?
        .execute(params![id, at.0])?;
    Ok(())
}

#[derive(Debug, Clone)]
pub(crate) struct ProductRow {
    pub(crate) id: i64,
    pub(crate) organisation: i64,
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) model: String,
    pub(crate) kind: u8,
    pub(crate) root_of_trust: u8,
    pub(crate) support_end: Option<UnixTime>,
    pub(crate) ldevid_s: Option<u32>,
    pub(crate) created_at: UnixTime,
}

const PRODUCT: &str = "id, organisation, slug, name, model, kind, root_of_trust, support_end, \
                       ldevid_s, created_at";

fn product_row(row: &Row<'_>) -> rusqlite::Result<ProductRow> {
    Ok(ProductRow {
        id: row.get(0)?,
        organisation: row.get(1)?,
        slug: row.get(2)?,
        name: row.get(3)?,
        model: row.get(4)?,
        kind: row.get(5)?,
        root_of_trust: row.get(6)?,
        support_end: row.get::<_, Option<i64>>(7)?.map(UnixTime),
        ldevid_s: row.get(8)?,
        created_at: UnixTime(row.get(9)?),
    })
}

pub(crate) fn product(
    connection: &Connection,
    organisation: i64,
    slug: &str,
) -> Result<Option<ProductRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {PRODUCT} FROM product WHERE organisation = ?1 AND slug = ?2"
        ))?
        .query_row(params![organisation, slug], product_row)
        .optional()?)
}

pub(crate) fn product_by_id(
    connection: &Connection,
    id: i64,
) -> Result<Option<ProductRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {PRODUCT} FROM product WHERE id = ?1"))?
        .query_row([id], product_row)
        .optional()?)
}

pub(crate) fn products(
    connection: &Connection,
    organisation: i64,
    after: i64,
    limit: usize,
) -> Result<Vec<ProductRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {PRODUCT} FROM product WHERE organisation = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
    ))?;
    let rows = statement.query_map(params![organisation, after, limit_of(limit)], product_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Product lines of an organisation whose support ends by then or has ended, the next first.
pub(crate) fn products_supported_until(
    connection: &Connection,
    organisation: i64,
    by: UnixTime,
    limit: usize,
) -> Result<Vec<ProductRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {PRODUCT} FROM product WHERE organisation = ?1 AND support_end <= ?2
         ORDER BY support_end DESC, id LIMIT ?3"
    ))?;
    let rows = statement.query_map(params![organisation, by.0, limit_of(limit)], product_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn insert_product(tx: &mut Tx<'_>, new: &ProductRow) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO product
            (organisation, slug, name, model, kind, root_of_trust, support_end, ldevid_s,
             created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        new.organisation,
        new.slug,
        new.name,
        new.model,
        new.kind,
        new.root_of_trust,
        new.support_end.map(|time| time.0),
        new.ldevid_s,
        new.created_at.0
    ])?;
    Ok(tx.last_insert_rowid())
}

/// Rows asked for, as SQL takes it.
pub(crate) fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
