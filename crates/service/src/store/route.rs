//! Routes, and how each stands.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// A route as it is kept, with its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RouteRow {
    pub(crate) id: i64,
    pub(crate) organisation: i64,
    pub(crate) name: String,
    pub(crate) product: Option<String>,
    pub(crate) filter: Option<String>,
    pub(crate) condition: Option<String>,
    pub(crate) purpose: Option<String>,
    pub(crate) target: String,
    pub(crate) roots: Option<String>,
    pub(crate) secret: Option<Vec<u8>>,
    pub(crate) paused: bool,
    pub(crate) drops: bool,
    pub(crate) count_max: u64,
    pub(crate) bytes_max: u64,
    pub(crate) attempts_max: u32,
    pub(crate) retention_days: u32,
    pub(crate) revision: u64,
    pub(crate) created_at: UnixTime,
    pub(crate) created_by: String,
    pub(crate) changed_at: UnixTime,
    pub(crate) changed_by: String,
    pub(crate) state: StateRow,
}

/// What is known of a route without counting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StateRow {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
    pub(crate) dead: u64,
    pub(crate) delivered: u64,
    pub(crate) dropped: u64,
    pub(crate) withheld: u64,
    pub(crate) delivered_at: Option<UnixTime>,
    pub(crate) failing_since: Option<UnixTime>,
    pub(crate) failure: Option<String>,
}

const SELECT: &str =
    "SELECT id, organisation, name, product, filter, condition, target, roots, secret,
    paused, drops, count_max, bytes_max, attempts_max, retention_days, revision, created_at,
    created_by, changed_at, changed_by, count, bytes, dead, delivered, dropped, delivered_at,
    failing_since, failure, purpose, withheld FROM route CROSS JOIN route_state ON route_state.route = route.id";

fn row(row: &Row<'_>) -> rusqlite::Result<RouteRow> {
    let unsigned = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
    let time = |column| row.get::<_, Option<i64>>(column).map(|at| at.map(UnixTime));
    Ok(RouteRow {
        id: row.get(0)?,
        organisation: row.get(1)?,
        name: row.get(2)?,
        product: row.get(3)?,
        filter: row.get(4)?,
        condition: row.get(5)?,
        purpose: row.get(28)?,
        target: row.get(6)?,
        roots: row.get(7)?,
        secret: row.get(8)?,
        paused: row.get(9)?,
        drops: row.get(10)?,
        count_max: unsigned(11)?,
        bytes_max: unsigned(12)?,
        attempts_max: row.get(13)?,
        retention_days: row.get(14)?,
        revision: unsigned(15)?,
        created_at: UnixTime(row.get(16)?),
        created_by: row.get(17)?,
        changed_at: UnixTime(row.get(18)?),
        changed_by: row.get(19)?,
        state: StateRow {
            count: unsigned(20)?,
            bytes: unsigned(21)?,
            dead: unsigned(22)?,
            delivered: unsigned(23)?,
            dropped: unsigned(24)?,
            withheld: unsigned(29)?,
            delivered_at: time(25)?,
            failing_since: time(26)?,
            failure: row.get(27)?,
        },
    })
}

/// All of an organisation; there are few.
pub(crate) fn routes(
    connection: &Connection,
    organisation: i64,
) -> Result<Vec<RouteRow>, ServiceError> {
    let sql = format!("{SELECT} WHERE organisation = ?1 ORDER BY name");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([organisation], row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn route(
    connection: &Connection,
    organisation: i64,
    name: &str,
) -> Result<Option<RouteRow>, ServiceError> {
    let sql = format!("{SELECT} WHERE organisation = ?1 AND name = ?2");
    let found = connection.prepare_cached(&sql)?.query_row(params![organisation, name], row);
    Ok(found.optional()?)
}

pub(crate) fn route_of_id(
    connection: &Connection,
    id: i64,
) -> Result<Option<RouteRow>, ServiceError> {
    let sql = format!("{SELECT} WHERE id = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([id], row).optional()?)
}

/// Those that deliver: id and revision. A table needs nobody who does.
pub(crate) fn live(connection: &Connection) -> Result<Vec<(i64, u64)>, ServiceError> {
    let mut statement = connection
        .prepare_cached("SELECT id, revision FROM route WHERE paused = 0 AND target <> 'table'")?;
    let rows =
        statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many there are: of everybody, of an organisation.
pub(crate) fn count(
    connection: &Connection,
    organisation: i64,
) -> Result<(usize, usize), ServiceError> {
    let read = |row: &Row<'_>| {
        let count = |at| row.get::<_, i64>(at).map(|it| usize::try_from(it).unwrap_or(usize::MAX));
        Ok((count(0)?, count(1)?))
    };
    let sql = "SELECT count(*), coalesce(sum(organisation = ?1), 0) FROM route";
    Ok(connection.prepare_cached(sql)?.query_row([organisation], read)?)
}

/// Adds a route; its id is given.
pub(crate) fn insert(tx: &Tx<'_>, row: &RouteRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO route (organisation, name, product, filter, condition, target, roots, secret,
            paused, drops, count_max, bytes_max, attempts_max, retention_days, revision, created_at,
            created_by, changed_at, changed_by, purpose)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, ?11, ?12, ?13, 0, ?14, ?15, ?14, ?15, ?16)",
    )?
    .execute(params![
        row.organisation,
        row.name,
        row.product,
        row.filter,
        row.condition,
        row.target,
        row.roots,
        row.secret,
        row.drops,
        to_i64(row.count_max),
        to_i64(row.bytes_max),
        row.attempts_max,
        row.retention_days,
        row.created_at.0,
        row.created_by,
        row.purpose,
    ])?;
    let id = tx.last_insert_rowid();
    tx.prepare_cached(
        "INSERT INTO route_state (route, count, bytes, dead, delivered, dropped)
         VALUES (?1, 0, 0, 0, 0, 0)",
    )?
    .execute([id])?;
    Ok(())
}

/// Changes what a route says; what waits goes by the new settings.
pub(crate) fn update(tx: &Tx<'_>, row: &RouteRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "UPDATE route SET product = ?2, filter = ?3, condition = ?4, target = ?5, roots = ?6,
            secret = ?7, drops = ?8, count_max = ?9, bytes_max = ?10, attempts_max = ?11,
            retention_days = ?12, changed_at = ?13, changed_by = ?14, purpose = ?15, revision = revision + 1
         WHERE id = ?1",
    )?
    .execute(params![
        row.id,
        row.product,
        row.filter,
        row.condition,
        row.target,
        row.roots,
        row.secret,
        row.drops,
        to_i64(row.count_max),
        to_i64(row.bytes_max),
        row.attempts_max,
        row.retention_days,
        row.changed_at.0,
        row.changed_by,
        row.purpose,
    ])?;
    due_now(tx, row.id)
}

/// Pauses a route, or lets it go on.
pub(crate) fn pause(tx: &Tx<'_>, id: i64, paused: bool) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE route SET paused = ?2, revision = revision + 1 WHERE id = ?1")?
        .execute(params![id, paused])?;
    tx.prepare_cached(
        "UPDATE route_state SET failing_since = NULL, failure = NULL WHERE route = ?1",
    )?
    .execute([id])?;
    due_now(tx, id)
}

/// What failed is tried again at once: somebody has changed something.
fn due_now(tx: &Tx<'_>, id: i64) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE route_lane SET due_at = 0, attempts = 0 WHERE route = ?1")?
        .execute([id])?;
    Ok(())
}

/// Ends a route; what it kept goes by and by ([`purge`]).
pub(crate) fn delete(tx: &Tx<'_>, id: i64) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM route_lane WHERE route = ?1")?.execute([id])?;
    tx.prepare_cached("DELETE FROM route_state WHERE route = ?1")?.execute([id])?;
    tx.prepare_cached("DELETE FROM route WHERE id = ?1")?.execute([id])?;
    tx.prepare_cached("INSERT INTO route_ended VALUES (?1)")?.execute([id])?;
    Ok(())
}

/// Whether there is something of routes that have ended, or rows whose retention has.
pub(crate) fn is_stale(connection: &Connection, now: UnixTime) -> Result<bool, ServiceError> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM route_ended) OR EXISTS (
        SELECT 1 FROM route WHERE target = 'table' AND EXISTS (
            SELECT 1 FROM route_message WHERE route = route.id AND place = 3
            AND received_at < ?1 - route.retention_days * 86400))";
    Ok(connection.prepare_cached(SQL)?.query_row([now.0], |row| row.get(0))?)
}

/// Removes some of what routes left behind that have ended, and rows whose retention has.
/// Whether there may be more of it.
pub(crate) fn purge(tx: &Tx<'_>, now: UnixTime, limit: usize) -> Result<bool, ServiceError> {
    let mut more = false;
    let ended: Option<i64> = tx
        .prepare_cached("SELECT route FROM route_ended LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    if let Some(route) = ended {
        let gone = tx
            .prepare_cached(
                "DELETE FROM route_message WHERE id IN
                 (SELECT id FROM route_message WHERE route = ?1 LIMIT ?2)",
            )?
            .execute([route, limit_of(limit)])?;
        if gone < limit {
            tx.prepare_cached("DELETE FROM route_ended WHERE route = ?1")?.execute([route])?;
        }
        more = true;
    }
    let tables: Vec<(i64, i64)> = tx
        .prepare_cached("SELECT id, retention_days FROM route WHERE target = 'table'")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (route, days) in tables {
        let before = now.0.saturating_sub(days.saturating_mul(86_400));
        super::route_queue::expire_rows(tx, route, before, limit)?;
    }
    Ok(more)
}
