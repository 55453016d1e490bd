//! What the running platform knows of a product line, counted: what collectors read.

use super::{organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::UnixTime;
use device::{Kind, Phase, StandingKind};
use rusqlite::{Connection, params};

/// Phases of devices that have left the line and are in use somewhere.
fn used() -> (u8, u8) {
    (Phase::MassProduction.code(), Phase::Repair.code())
}

/// Phases of devices at their owner.
fn working() -> (u8, u8) {
    (Phase::Onboarded.code(), Phase::Operation.code())
}

fn pair(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<(u64, u64), ServiceError> {
    let (all, some): (i64, Option<i64>) =
        connection.prepare_cached(sql)?.query_row(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((all.unsigned_abs(), some.unwrap_or(0).unsigned_abs()))
}

/// Devices that have left the line and may be trusted, and those with a certificate that works.
pub(crate) fn credentials(
    connection: &Connection,
    product: i64,
    now: UnixTime,
) -> Result<(u64, u64), ServiceError> {
    pair(
        connection,
        "SELECT count(*), sum(EXISTS (SELECT 1 FROM certificate c
             WHERE c.device = d.id AND c.status = 1 AND c.not_after > ?2))
         FROM device d WHERE d.product = ?1 AND d.phase BETWEEN ?3 AND ?4 AND d.standing = ?5",
        params![product, now.0, used().0, used().1, StandingKind::Good.code()],
    )
}

/// Keys with which two devices of the product line or more hold working certificates.
pub(crate) fn shared_keys(connection: &Connection, product: i64) -> Result<u64, ServiceError> {
    let count: i64 = connection
        .prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM device d JOIN certificate c ON c.device = d.id
                 WHERE d.product = ?1 AND c.status = 1
                 GROUP BY c.subject_key HAVING count(DISTINCT c.device) > 1)",
        )?
        .query_row([product], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Tokens that speak for two devices of the product line or more.
pub(crate) fn shared_tokens(
    connection: &Connection,
    product: i64,
    now: UnixTime,
) -> Result<u64, ServiceError> {
    let count: i64 = connection
        .prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM device d
                 JOIN update_token_device t ON t.device = d.id
                 JOIN update_token u ON u.digest = t.digest
                 WHERE d.product = ?1 AND u.expires_at > ?2
                 GROUP BY t.digest HAVING count(*) > 1)",
        )?
        .query_row(params![product, now.0], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Working certificates of the product line's devices, the newest first, some at most.
pub(crate) fn each_certificate(
    connection: &Connection,
    product: i64,
    now: UnixTime,
    most: usize,
    mut each: impl FnMut(&[u8]),
) -> Result<(), ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT c.der FROM device d JOIN certificate c ON c.device = d.id
         WHERE d.product = ?1 AND c.status = 1 AND c.not_after > ?2 ORDER BY c.id DESC LIMIT ?3",
    )?;
    let mut rows = statement.query(params![product, now.0, limit_of(most)])?;
    while let Some(row) = rows.next()? {
        each(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?);
    }
    Ok(())
}

/// Devices at work, and those of them without a certificate that works.
pub(crate) fn ended(
    connection: &Connection,
    product: i64,
    now: UnixTime,
) -> Result<(u64, u64), ServiceError> {
    pair(
        connection,
        "SELECT count(*), sum(NOT EXISTS (SELECT 1 FROM certificate c
             WHERE c.device = d.id AND c.status = 1 AND c.not_after > ?2))
         FROM device d WHERE d.product = ?1 AND d.phase BETWEEN ?3 AND ?4 AND d.standing = ?5",
        params![product, now.0, working().0, working().1, StandingKind::Good.code()],
    )
}

/// Revoked devices whose revocation is their newest event, and the longest time from what was
/// reported to when their certificates did not work any more, in seconds.
pub(crate) fn revocations(
    connection: &Connection,
    product: i64,
) -> Result<(u64, u64), ServiceError> {
    pair(
        connection,
        "SELECT count(DISTINCT d.id), max(r.at - e.at) FROM device d
         JOIN event e ON e.leaf = d.last_leaf
         JOIN certificate c ON c.device = d.id
         JOIN revocation r ON r.ca = c.ca AND r.serial = c.serial
         WHERE d.product = ?1 AND d.standing = ?2 AND e.kind = ?3 AND r.at >= e.at",
        params![product, StandingKind::Revoked.code(), Kind::Revoked.code()],
    )
}

/// Life events of the product line's devices, and devices whose newest event, recorded before
/// `recorded`, is not in a tree of this size.
pub(crate) fn history(
    connection: &Connection,
    product: i64,
    size: u64,
    recorded: UnixTime,
) -> Result<(u64, u64), ServiceError> {
    pair(
        connection,
        "SELECT coalesce(sum(d.sequence), 0),
                sum(d.last_leaf >= ?2 AND EXISTS (SELECT 1 FROM event e
                    WHERE e.leaf = d.last_leaf AND e.recorded_at < ?3))
         FROM device d WHERE d.product = ?1",
        params![product, to_i64(size), recorded.0],
    )
}

/// Actions of campaigns on the product line's devices that ended since, by outcome.
pub(crate) fn updates(
    connection: &Connection,
    product: i64,
    since: UnixTime,
) -> Result<(u64, u64), ServiceError> {
    let (succeeded, failed) =
        (update::campaign::Outcome::Succeeded.code(), update::campaign::Outcome::Failed.code());
    let (some, worked) = pair(
        connection,
        "SELECT count(*), sum(a.outcome = ?3) FROM release r
         JOIN campaign c ON c.release = r.id JOIN action a ON a.campaign = c.id
         WHERE r.product = ?1 AND a.over_at > ?2 AND a.outcome IN (?3, ?4)",
        params![product, since.0, succeeded, failed],
    )?;
    Ok((worked, some.saturating_sub(worked)))
}

/// Devices at work that say what they run, and those at this release counter or above.
pub(crate) fn firmware(
    connection: &Connection,
    product: i64,
    counter: u64,
) -> Result<(u64, u64), ServiceError> {
    pair(
        connection,
        "SELECT count(*), sum(coalesce(s.release_counter, -1) >= ?2) FROM device d
         JOIN device_software s ON s.device = d.id
         WHERE d.product = ?1 AND d.phase BETWEEN ?3 AND ?4 AND s.version IS NOT NULL",
        params![product, to_i64(counter), working().0, working().1],
    )
}

/// The release counters of the newest two published releases, the newest first.
pub(crate) fn newest_counters(
    connection: &Connection,
    product: i64,
) -> Result<Vec<u64>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT counter FROM release WHERE product = ?1 AND state = 1
         ORDER BY counter DESC LIMIT 2",
    )?;
    let rows = statement.query_map([product], |row| row.get::<_, i64>(0))?;
    let found: Vec<i64> = rows.collect::<Result<_, _>>()?;
    Ok(found.into_iter().map(i64::unsigned_abs).collect())
}

/// Whether an event of a kind was recorded for an organisation among the last million.
pub(crate) fn was_recorded(
    connection: &Connection,
    organisation: &str,
    kind: &str,
    since: UnixTime,
) -> Result<bool, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM audit WHERE organisation = ?1 AND kind = ?2
                 AND at > ?3 AND seq > (SELECT max(seq) FROM audit) - 1000000)",
        )?
        .query_row(params![organisation, kind, since.0], |row| row.get(0))?)
}
