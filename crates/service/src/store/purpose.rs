//! What data of devices is for, in versions, and what owners decided.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use admission::{Basis, ConsentDecision, DataPurpose, Decided};
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// A version of a purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PurposeRow {
    pub(crate) purpose: i64,
    pub(crate) product: i64,
    pub(crate) name: String,
    pub(crate) version: u64,
    pub(crate) says: DataPurpose,
    pub(crate) ended: bool,
    pub(crate) made_by: String,
    pub(crate) made_at: UnixTime,
    /// when its first version was declared
    pub(crate) begun_at: UnixTime,
}

const SELECT: &str = "SELECT one.id, one.product, one.name, it.version, it.title_en, it.title_ja,
    it.explanation_en, it.explanation_ja, it.topics, it.legal_basis, it.recipients,
    it.retention_days, it.ended, it.made_by, it.made_at,
    (SELECT min(made_at) FROM purpose_version AS first WHERE first.purpose = one.id AND first.version = 1)
    FROM purpose AS one CROSS JOIN purpose_version AS it ON it.purpose = one.id";
const NEWEST: &str =
    "it.version = (SELECT max(version) FROM purpose_version AS last WHERE last.purpose = one.id)";

fn read(row: &Row<'_>) -> rusqlite::Result<PurposeRow> {
    let lines = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let basis: Option<String> = row.get(9)?;
    Ok(PurposeRow {
        purpose: row.get(0)?,
        product: row.get(1)?,
        name: row.get(2)?,
        version: row.get::<_, i64>(3)?.unsigned_abs(),
        says: DataPurpose {
            title_en: row.get(4)?,
            title_ja: row.get(5)?,
            explanation_en: row.get(6)?,
            explanation_ja: row.get(7)?,
            topics: lines(row.get(8)?),
            basis: basis.map_or(Basis::Consent, Basis::Necessary),
            recipients: lines(row.get(10)?),
            retention_days: row.get(11)?,
        },
        ended: row.get(12)?,
        made_by: row.get(13)?,
        made_at: UnixTime(row.get(14)?),
        begun_at: UnixTime(row.get(15)?),
    })
}

/// Of each purpose of a product line the newest version, in the order in which they were declared.
pub(crate) fn of_product(
    connection: &Connection,
    product: i64,
) -> Result<Vec<PurposeRow>, ServiceError> {
    let mut statement = connection
        .prepare_cached(&format!("{SELECT} WHERE one.product = ?1 AND {NEWEST} ORDER BY one.id"))?;
    let rows = statement.query_map([product], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The newest version of a purpose.
pub(crate) fn newest(
    connection: &Connection,
    product: i64,
    name: &str,
) -> Result<Option<PurposeRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("{SELECT} WHERE one.product = ?1 AND one.name = ?2 AND {NEWEST}"))?
        .query_row(params![product, name], read)
        .optional()?)
}

/// Versions of a purpose below one, the newest first.
pub(crate) fn versions(
    connection: &Connection,
    purpose: i64,
    before: i64,
    limit: usize,
) -> Result<Vec<PurposeRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} WHERE one.id = ?1 AND it.version < ?2 ORDER BY it.version DESC LIMIT ?3"
    ))?;
    let rows = statement.query_map(params![purpose, before, limit_of(limit)], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many versions of a purpose were declared after a time.
pub(crate) fn versions_since(
    connection: &Connection,
    purpose: i64,
    after: UnixTime,
) -> Result<u64, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT count(*) FROM purpose_version WHERE purpose = ?1 AND made_at > ?2")?
        .query_row([purpose, after.0], |row| row.get::<_, i64>(0))?
        .unsigned_abs())
}

/// Who owns devices of a product line, by their slugs: some.
pub(crate) fn owners_of(
    connection: &Connection,
    product: i64,
    limit: usize,
) -> Result<Vec<String>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT slug FROM organisation AS it WHERE EXISTS
             (SELECT 1 FROM device WHERE device.owner = it.id AND device.product = ?1)
         ORDER BY it.id LIMIT ?2",
    )?;
    let rows = statement.query_map(params![product, limit_of(limit)], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Adds a version under the next number, and the purpose where there is none of that name.
pub(crate) fn insert(
    tx: &Tx<'_>,
    (product, name): (i64, &str),
    says: &DataPurpose,
    ended: bool,
    (by, at): (&str, UnixTime),
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO purpose (product, name) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
    )?
    .execute(params![product, name])?;
    let basis = match &says.basis {
        Basis::Consent => None,
        Basis::Necessary(basis) => Some(basis),
    };
    tx.prepare_cached(
        "INSERT INTO purpose_version
         SELECT one.id, 1 + (SELECT coalesce(max(version), 0) FROM purpose_version
                             WHERE purpose = one.id),
             ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13
         FROM purpose AS one WHERE one.product = ?1 AND one.name = ?2",
    )?
    .execute(params![
        product,
        name,
        says.title_en,
        says.title_ja,
        says.explanation_en,
        says.explanation_ja,
        says.topics.join("\n"),
        basis,
        says.recipients.join("\n"),
        says.retention_days,
        ended,
        by,
        at.0
    ])?;
    Ok(())
}

/// A decision on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DecisionRow {
    pub(crate) id: i64,
    pub(crate) product: i64,
    pub(crate) purpose: String,
    pub(crate) device: Option<[u8; 16]>,
    pub(crate) version: u64,
    pub(crate) decision: ConsentDecision,
    pub(crate) reason: Option<String>,
    pub(crate) by: String,
    pub(crate) at: UnixTime,
}

/// What somebody decides.
#[derive(Debug, Clone)]
pub(crate) struct NewDecision {
    pub(crate) organisation: i64,
    pub(crate) device: Option<i64>,
    pub(crate) purpose: i64,
    pub(crate) version: u64,
    pub(crate) decision: ConsentDecision,
    pub(crate) reason: Option<String>,
    pub(crate) by: String,
    pub(crate) at: UnixTime,
}

fn code_of(decision: ConsentDecision) -> u8 {
    match decision {
        ConsentDecision::Given => 1,
        ConsentDecision::Withdrawn => 2,
        ConsentDecision::AsOrganisation => 3,
    }
}

/// What is not known withholds.
fn decision_of(code: u8) -> ConsentDecision {
    let known = ConsentDecision::ALL.into_iter().find(|it| code_of(*it) == code);
    known.unwrap_or(ConsentDecision::Withdrawn)
}

/// Puts a decision on record.
pub(crate) fn decide(tx: &Tx<'_>, new: &NewDecision) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO purpose_decision
         (organisation, device, purpose, version, decision, reason, decided_by, decided_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        new.organisation,
        new.device,
        new.purpose,
        to_i64(new.version),
        code_of(new.decision),
        new.reason,
        new.by,
        new.at.0
    ])?;
    Ok(())
}

/// The newest decision of an organisation about a purpose: for all of its devices, or for one.
pub(crate) fn decided(
    connection: &Connection,
    (organisation, purpose): (i64, i64),
    device: Option<i64>,
) -> Result<Option<Decided>, ServiceError> {
    Ok(decided_last(connection, (organisation, purpose), device, 1)?.pop())
}

/// As [`decided`], the newest ones.
pub(crate) fn decided_last(
    connection: &Connection,
    (organisation, purpose): (i64, i64),
    device: Option<i64>,
    limit: usize,
) -> Result<Vec<Decided>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, version, decision, decided_at FROM purpose_decision
         WHERE organisation = ?1 AND purpose = ?2 AND device IS ?3 ORDER BY id DESC LIMIT ?4",
    )?;
    let rows =
        statement.query_map(params![organisation, purpose, device, limit_of(limit)], |row| {
            Ok(Decided {
                order: row.get(0)?,
                version: row.get::<_, i64>(1)?.unsigned_abs(),
                decision: decision_of(row.get(2)?),
                at: UnixTime(row.get(3)?),
            })
        })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether a decision would change nothing: the newest of its kind is the same, and none of the other kind
/// that came after it has ended what it says.
pub(crate) fn is_decided(tx: &Tx<'_>, new: &NewDecision) -> Result<bool, ServiceError> {
    let of = (new.organisation, new.purpose);
    let Some(last) = decided(tx, of, new.device)? else { return Ok(false) };
    if last.decision != new.decision || last.version != new.version {
        return Ok(false);
    }
    match (new.decision, new.device) {
        // What was given for a device behind a withdrawal for all ends with the next.
        (ConsentDecision::Withdrawn, None) => Ok(!tx
            .prepare_cached(
                "SELECT 1 FROM purpose_decision WHERE organisation = ?1 AND purpose = ?2 AND id > ?3",
            )?
            .exists([new.organisation, new.purpose, last.order])?),
        (ConsentDecision::Given, Some(_)) => {
            let all = decided(tx, of, None)?;
            Ok(!all.is_some_and(|all| {
                all.decision == ConsentDecision::Withdrawn && all.order > last.order
            }))
        }
        _ => Ok(true),
    }
}

/// How many devices of an organisation have a decision of their own about a purpose: how many in which it
/// is given to this version, and how many in which it is withdrawn. Counted up to some.
pub(crate) fn exceptions(
    connection: &Connection,
    (organisation, purpose, version): (i64, i64, u64),
    limit: usize,
) -> Result<(u64, u64), ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT coalesce(sum(decision = 1 AND version = ?3), 0), coalesce(sum(decision = 2), 0)
             FROM (SELECT max(id), decision, version FROM purpose_decision
                   WHERE organisation = ?1 AND purpose = ?2 AND device IS NOT NULL
                       AND EXISTS (SELECT 1 FROM device AS it WHERE it.id = device AND it.owner = ?1)
                   GROUP BY device LIMIT ?4)",
        )?
        .query_row(params![organisation, purpose, to_i64(version), limit_of(limit)], |row| {
            Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs()))
        })?)
}

/// Decisions of an organisation before one, the newest first; of one device where it is named.
pub(crate) fn decisions(
    connection: &Connection,
    organisation: i64,
    device: Option<i64>,
    before: i64,
    limit: usize,
) -> Result<Vec<DecisionRow>, ServiceError> {
    let of_device = if device.is_some() { "AND it.device = ?2" } else { "AND ?2 IS NULL" };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT it.id, one.product, one.name, device.device_id, it.version, it.decision, it.reason,
             it.decided_by, it.decided_at
         FROM purpose_decision AS it CROSS JOIN purpose AS one ON one.id = it.purpose
         LEFT JOIN device ON device.id = it.device
         WHERE it.organisation = ?1 {of_device} AND it.id < ?3 ORDER BY it.id DESC LIMIT ?4"
    ))?;
    let of = params![organisation, device, before, limit_of(limit)];
    let rows = statement.query_map(of, |row| {
        Ok(DecisionRow {
            id: row.get(0)?,
            product: row.get(1)?,
            purpose: row.get(2)?,
            device: row.get(3)?,
            version: row.get::<_, i64>(4)?.unsigned_abs(),
            decision: decision_of(row.get(5)?),
            reason: row.get(6)?,
            by: row.get(7)?,
            at: UnixTime(row.get(8)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Ends what was given for a device, whose owner changes: the former owner's word is no longer asked for,
/// and holds for nothing should the device come back.
pub(crate) fn end_device(tx: &Tx<'_>, device: i64, at: UnixTime) -> Result<u64, ServiceError> {
    let ended = tx
        .prepare_cached(
            "INSERT INTO purpose_decision
             (organisation, device, purpose, version, decision, reason, decided_by, decided_at)
             SELECT organisation, device, purpose, version, 2, 'the owner changed', 'platform', ?2
             FROM purpose_decision WHERE device = ?1 AND decision = 1 AND id IN
                 (SELECT max(id) FROM purpose_decision WHERE device = ?1
                  GROUP BY organisation, purpose)",
        )?
        .execute(params![device, at.0])?;
    Ok(u64::try_from(ended).unwrap_or(u64::MAX))
}

/// Product lines of which an organisation has devices: some.
pub(crate) fn products_of_owner(
    connection: &Connection,
    owner: i64,
    limit: usize,
) -> Result<Vec<i64>, ServiceError> {
    let mut next = connection
        .prepare_cached("SELECT min(product) FROM device WHERE owner = ?1 AND product > ?2")?;
    let (mut found, mut after) = (Vec::new(), 0_i64);
    while found.len() < limit {
        let Some(product) = next.query_row([owner, after], |row| row.get::<_, Option<i64>>(0))?
        else {
            break;
        };
        found.push(product);
        after = product;
    }
    Ok(found)
}

/// Owner and product line of a device.
pub(crate) fn owner_and_product(
    connection: &Connection,
    device: i64,
) -> Result<Option<(i64, Option<i64>)>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT owner, product FROM device WHERE id = ?1")?
        .query_row([device], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

/// Topics on which a product line's devices must sign, those on which they must encrypt besides, by whom that
/// was said, and when.
pub(crate) type SignedTopicsRow = (Vec<String>, Vec<String>, String, UnixTime);

pub(crate) fn signed_topics(
    connection: &Connection,
    product: i64,
) -> Result<Option<SignedTopicsRow>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT topics, encrypted, set_by, set_at FROM signed_topics WHERE product = ?1",
        )?
        .query_row([product], |row| {
            let lines = |at: usize| -> rusqlite::Result<Vec<String>> {
                let topics: String = row.get(at)?;
                Ok(topics.lines().map(str::to_owned).collect())
            };
            Ok((lines(0)?, lines(1)?, row.get(2)?, UnixTime(row.get(3)?)))
        })
        .optional()?)
}

pub(crate) fn set_signed_topics(
    tx: &Tx<'_>,
    product: i64,
    (topics, encrypted): (&[String], &[String]),
    (by, at): (&str, UnixTime),
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO signed_topics (product, topics, encrypted, set_by, set_at)
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (product) DO UPDATE SET topics = excluded.topics,
             encrypted = excluded.encrypted, set_by = excluded.set_by, set_at = excluded.set_at",
    )?
    .execute(params![product, topics.join("\n"), encrypted.join("\n"), by, at.0])?;
    Ok(())
}
