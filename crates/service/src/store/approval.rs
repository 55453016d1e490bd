//! What waits, or waited, for a second person, and which acts need one.

use super::{
    Effect, Tx,
    organisation::{self, limit_of},
    person,
};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

#[derive(Debug, Clone)]
pub(crate) struct ApprovalRow {
    pub(crate) id: i64,
    pub(crate) approval_id: [u8; 16],
    pub(crate) organisation: i64,
    pub(crate) act: String,
    pub(crate) arguments: String,
    pub(crate) digest: Sha256,
    pub(crate) summary: String,
    /// name of the requester within its organisation
    pub(crate) requester: String,
    pub(crate) requester_of: i64,
    /// the requester's id, where it is a person
    pub(crate) person: Option<[u8; 16]>,
    /// the requester's client certificate, where it is a member
    pub(crate) certificate: Option<Sha256>,
    pub(crate) requested_at: UnixTime,
    pub(crate) expires_at: UnixTime,
    pub(crate) decision: Option<u8>,
    pub(crate) decided_by: Option<String>,
    pub(crate) decided_at: Option<UnixTime>,
    /// the decider's id, where it is a person
    pub(crate) decider: Option<[u8; 16]>,
    /// the decider's client certificate, where it is a member
    pub(crate) decider_certificate: Option<Sha256>,
    /// whether approval itself carries the act out
    pub(crate) carried_out: bool,
    pub(crate) finished_at: Option<UnixTime>,
    pub(crate) outcome: Option<String>,
}

const APPROVAL: &str = "id, approval_id, organisation, act, arguments, digest, summary, \
                        requester, requester_of, person, certificate, requested_at, expires_at, \
                        decision, decided_by, decided_at, finished_at, outcome, decider, \
                        decider_certificate, carried_out";

fn approval_row(row: &Row<'_>) -> rusqlite::Result<ApprovalRow> {
    let time = |index| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(index)?.map(UnixTime));
    Ok(ApprovalRow {
        id: row.get(0)?,
        approval_id: row.get(1)?,
        organisation: row.get(2)?,
        act: row.get(3)?,
        arguments: row.get(4)?,
        digest: Sha256(row.get(5)?),
        summary: row.get(6)?,
        requester: row.get(7)?,
        requester_of: row.get(8)?,
        person: row.get(9)?,
        certificate: row.get::<_, Option<[u8; 32]>>(10)?.map(Sha256),
        requested_at: UnixTime(row.get(11)?),
        expires_at: UnixTime(row.get(12)?),
        decision: row.get(13)?,
        decided_by: row.get(14)?,
        decided_at: time(15)?,
        finished_at: time(16)?,
        outcome: row.get(17)?,
        decider: row.get(18)?,
        decider_certificate: row.get::<_, Option<[u8; 32]>>(19)?.map(Sha256),
        carried_out: row.get(20)?,
    })
}

pub(crate) fn approval(
    connection: &Connection,
    approval_id: &[u8; 16],
) -> Result<Option<ApprovalRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {APPROVAL} FROM approval WHERE approval_id = ?1"))?
        .query_row([approval_id], approval_row)
        .optional()?)
}

pub(crate) fn approval_by_row(
    connection: &Connection,
    id: i64,
) -> Result<Option<ApprovalRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {APPROVAL} FROM approval WHERE id = ?1"))?
        .query_row([id], approval_row)
        .optional()?)
}

/// Requests for the same thing that are not finished, rejected or withdrawn, newest first.
pub(crate) fn open_approvals(
    connection: &Connection,
    organisation: i64,
    digest: &Sha256,
    now: UnixTime,
) -> Result<Vec<ApprovalRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {APPROVAL} FROM approval
         WHERE finished_at IS NULL AND digest = ?1 AND organisation = ?2 AND expires_at > ?3
           AND coalesce(decision, 1) = 1
         ORDER BY id DESC LIMIT 100"
    ))?;
    let rows =
        statement.query_map(params![digest.as_bytes(), organisation, now.0], approval_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Approved, not finished, and carried out by the approval itself; after the row `after`.
pub(crate) fn approved(
    connection: &Connection,
    now: UnixTime,
    after: i64,
    limit: usize,
) -> Result<Vec<ApprovalRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {APPROVAL} FROM approval
         WHERE finished_at IS NULL AND decision = 1 AND carried_out = 1 AND expires_at > ?1
           AND id > ?2
         ORDER BY id LIMIT ?3"
    ))?;
    let rows = statement.query_map(params![now.0, after, limit_of(limit)], approval_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Requests of an organisation, newest first, before the row `before`.
pub(crate) fn approvals(
    connection: &Connection,
    organisation: i64,
    only_open: Option<UnixTime>,
    before: i64,
    limit: usize,
) -> Result<Vec<ApprovalRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {APPROVAL} FROM approval
         WHERE organisation = ?1 AND id < ?2
           AND (?3 IS NULL OR (finished_at IS NULL AND coalesce(decision, 1) = 1
                               AND expires_at > ?3))
         ORDER BY id DESC LIMIT ?4"
    ))?;
    let rows = statement.query_map(
        params![organisation, before, only_open.map(|time| time.0), limit_of(limit)],
        approval_row,
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many requests of an organisation wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// of this requester: a name is one within its own organisation
    pub(crate) own: i64,
    /// of everybody in the requester's organisation
    pub(crate) organisation: i64,
    /// of everybody outside the organisation that is asked
    pub(crate) outsiders: i64,
}

pub(crate) fn count_waiting(
    connection: &Connection,
    organisation: i64,
    (requester_of, requester): (i64, &str),
    now: UnixTime,
) -> Result<Waiting, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE requester_of = ?2 AND requester = ?3),
                    count(*) FILTER (WHERE requester_of = ?2),
                    count(*) FILTER (WHERE requester_of <> ?1)
             FROM approval
             WHERE finished_at IS NULL AND decision IS NULL AND organisation = ?1
               AND expires_at > ?4",
        )?
        .query_row(params![organisation, requester_of, requester, now.0], |row| {
            Ok(Waiting { own: row.get(0)?, organisation: row.get(1)?, outsiders: row.get(2)? })
        })?)
}

pub(crate) fn insert_approval(tx: &mut Tx<'_>, new: &ApprovalRow) -> Result<i64, ServiceError> {
    // What was said in a request that is over is nobody's any more; that of decided ones went then.
    tx.prepare_cached(
        "UPDATE approval SET arguments = json_remove(arguments, '$[1].reason'),
             digest = zeroblob(32)
         WHERE organisation = ?1 AND finished_at IS NULL AND expires_at <= ?2
             AND act = 'revoke-device' AND json_extract(arguments, '$[1].reason') IS NOT NULL",
    )?
    .execute(params![new.organisation, new.requested_at.0])?;
    tx.prepare_cached(
        "INSERT INTO approval (approval_id, organisation, act, arguments, digest, summary,
             requester, requester_of, person, certificate, requested_at, expires_at, carried_out)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?
    .execute(params![
        new.approval_id,
        new.organisation,
        new.act,
        new.arguments,
        new.digest.as_bytes(),
        new.summary,
        new.requester,
        new.requester_of,
        new.person,
        new.certificate.map(|digest| digest.as_bytes().to_vec()),
        new.requested_at.0,
        new.expires_at.0,
        new.carried_out
    ])?;
    Ok(tx.last_insert_rowid())
}

/// What the other person sees of an open request besides its arguments.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attached {
    /// rows of devices
    pub(crate) devices: Vec<i64>,
    /// the person whose traces are to be erased: kept no longer than needed
    pub(crate) name: Option<String>,
}

pub(crate) fn attach(tx: &mut Tx<'_>, id: i64, attached: &Attached) -> Result<(), ServiceError> {
    let devices: Vec<u8> = attached.devices.iter().flat_map(|row| row.to_be_bytes()).collect();
    tx.prepare_cached(
        "INSERT INTO approval_attachment (approval, devices, name) VALUES (?1, ?2, ?3)",
    )?
    .execute(params![id, devices, attached.name])?;
    Ok(())
}

/// How many devices a request is about, and the name of the person.
pub(crate) fn attached(
    connection: &Connection,
    id: i64,
) -> Result<(u64, Option<String>), ServiceError> {
    let found = connection
        .prepare_cached(
            "SELECT length(devices) / 8, name FROM approval_attachment WHERE approval = ?1",
        )?
        .query_row([id], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?)))
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Rows of a request's devices, from the place `from` on.
pub(crate) fn attached_devices(
    connection: &Connection,
    id: i64,
    from: usize,
    limit: usize,
) -> Result<Vec<i64>, ServiceError> {
    let first = i64::try_from(from.saturating_mul(8).saturating_add(1)).unwrap_or(i64::MAX);
    let bytes: Option<Vec<u8>> = connection
        .prepare_cached(
            "SELECT substr(devices, ?2, ?3) FROM approval_attachment WHERE approval = ?1",
        )?
        .query_row(params![id, first, limit_of(limit.saturating_mul(8))], |row| row.get(0))
        .optional()?;
    let (rows, _rest) = bytes.as_deref().unwrap_or_default().as_chunks::<8>();
    Ok(rows.iter().map(|row| i64::from_be_bytes(*row)).collect())
}

/// Forgets what was attached to a request that has ended.
fn detach(tx: &mut Tx<'_>, id: i64) -> Result<(), ServiceError> {
    let gone =
        tx.prepare_cached("DELETE FROM approval_attachment WHERE approval = ?1")?.execute([id])?;
    if gone > 0 {
        tx.effect(Effect::Scrub);
    }
    Ok(())
}

/// Forgets what was attached to requests that have expired.
pub(crate) fn drop_expired_attachments(tx: &mut Tx<'_>, now: UnixTime) -> Result<(), ServiceError> {
    let gone = tx
        .prepare_cached(
            "DELETE FROM approval_attachment WHERE approval IN
                (SELECT approval.id FROM approval_attachment AS attached
                 JOIN approval ON approval.id = attached.approval
                 WHERE approval.expires_at <= ?1)",
        )?
        .execute([now.0])?;
    if gone > 0 {
        tx.effect(Effect::Scrub);
    }
    Ok(())
}

/// Who decides.
#[derive(Debug, Clone)]
pub(crate) struct Decider {
    /// for the log
    pub(crate) name: String,
    pub(crate) person: Option<[u8; 16]>,
    pub(crate) certificate: Option<Sha256>,
}

/// Decides a request that nobody decided yet; one that is approved and not done can still be
/// rejected or taken back. False where somebody was faster.
pub(crate) fn decide(
    tx: &mut Tx<'_>,
    id: i64,
    decision: u8,
    by: &Decider,
    at: UnixTime,
    expires_at: UnixTime,
) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached(
            "UPDATE approval SET decision = ?2, decided_by = ?3, decided_at = ?4, expires_at = ?5,
                 decider = ?6, decider_certificate = ?7,
                 arguments = iif(?2 = 1 OR act <> 'revoke-device', arguments,
                     json_remove(arguments, '$[1].reason')),
                 digest = iif(?2 = 1 OR act <> 'revoke-device', digest, zeroblob(32))
             WHERE id = ?1 AND finished_at IS NULL AND expires_at > ?4
               AND (decision IS NULL OR (decision = 1 AND ?2 <> 1))",
        )?
        .execute(params![
            id,
            decision,
            by.name,
            at.0,
            expires_at.0,
            by.person,
            by.certificate.map(|digest| digest.as_bytes().to_vec())
        ])?;
    // Only an approved request goes on.
    if changed > 0 && decision != 1 {
        detach(tx, id)?;
    }
    Ok(changed > 0)
}

/// Whether who approved a request still could: an approval is worth no more than who gave it.
pub(crate) fn approver_stands(
    connection: &Connection,
    row: &ApprovalRow,
    now: UnixTime,
) -> Result<bool, ServiceError> {
    let administers = |roles: &str| {
        let roles: policy::Roles = roles.parse().unwrap_or_default();
        roles.contains(policy::Role::Administrator)
    };
    if let Some(id) = &row.decider {
        let person = person::person(connection, id)?;
        return Ok(
            person.is_some_and(|person| person.removed_at.is_none() && administers(&person.roles))
        );
    }
    if let Some(certificate) = &row.decider_certificate {
        let member = organisation::member(connection, certificate)?;
        let stands = member.is_some_and(|member| {
            let ends = pki::Certificate::from_der(&member.certificate).map(|it| it.not_after());
            let expired = ends.is_ok_and(|end| end < now);
            member.removed_at.is_none() && !expired && administers(&member.roles)
        });
        return Ok(stands && person::works(connection, certificate)?);
    }
    // The machine itself.
    Ok(true)
}

/// Finishes an approved request, in the transaction of its act; false where it was finished, is
/// not approved, or has expired.
pub(crate) fn finish(
    tx: &mut Tx<'_>,
    id: i64,
    outcome: &str,
    at: UnixTime,
) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached(
            "UPDATE approval SET finished_at = ?2, outcome = ?3,
                 digest = iif(act = 'revoke-device', zeroblob(32), digest),
                 arguments = iif(act = 'revoke-device',
                     json_remove(arguments, '$[1].reason'), arguments)
             WHERE id = ?1 AND decision = 1 AND finished_at IS NULL AND expires_at > ?2",
        )?
        .execute(params![id, at.0, outcome])?;
    if changed > 0 {
        detach(tx, id)?;
    }
    Ok(changed > 0)
}

/// What an organisation chose for an act.
pub(crate) fn policy_of(
    connection: &Connection,
    organisation: i64,
    act: &str,
) -> Result<Option<bool>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT required FROM approval_policy WHERE organisation = ?1 AND act = ?2",
        )?
        .query_row(params![organisation, act], |row| row.get(0))
        .optional()?)
}

pub(crate) fn set_policy(
    tx: &mut Tx<'_>,
    organisation: i64,
    act: &str,
    required: bool,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO approval_policy (organisation, act, required) VALUES (?1, ?2, ?3)
         ON CONFLICT (organisation, act) DO UPDATE SET required = excluded.required",
    )?
    .execute(params![organisation, act, required])?;
    Ok(())
}
