//! Whom devices of a product line connect to, as far as usage descriptions are suggested of it.

use super::{Tx, organisation::limit_of};
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, params};

/// Devices of an owner's product line that are looked at.
const DEVICES_MAX: i64 = 256;
/// Doors of a device that are kept.
const DOORS_MAX: usize = 64;
/// Days after which what was not seen again does not count any more, begins anew, and makes room, as a silent
/// device does.
const DAYS_KEPT: i64 = 30;
/// Places of those doors for what is new: somewhere else to connect to comes with an update, and what came
/// before it has more days.
const NEW_MAX: usize = 16;
/// For how many days a door is new.
const DAYS_NEW: i64 = 7;
const DAY_S: i64 = 86_400;

/// A door, and how it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeenRow {
    pub(crate) door: String,
    pub(crate) devices: u32,
    /// devices that showed it on so many days
    pub(crate) long: u32,
    /// of the device that showed it on most
    pub(crate) days: u32,
    pub(crate) first_at: UnixTime,
    pub(crate) last_at: UnixTime,
}

fn day_of(at: UnixTime) -> i64 {
    at.0.div_euclid(DAY_S)
}

/// Notes that a device connected to a door. A day counts once, when it came in; a device fills and pushes out
/// no rows but its own.
pub(crate) fn note(
    tx: &Tx<'_>,
    (device, owner, product): (i64, i64, i64),
    door: &str,
    at: UnixTime,
) -> Result<(), ServiceError> {
    let day = day_of(at);
    if !is_at_work(tx, device)? || !is_looked_at(tx, (device, owner, product), day)? {
        return Ok(());
    }
    let known: Option<i64> = tx
        .prepare_cached("SELECT last_day FROM mud_seen WHERE device = ?1 AND door = ?2")?
        .query_row(params![device, door], |row| row.get(0))
        .optional()?;
    match known {
        // A clock that was set back a little counts no day twice.
        Some(last) if last == day || last == day.saturating_add(1) => Ok(()),
        Some(last) if last < day && day.saturating_sub(last) <= DAYS_KEPT => {
            tx.prepare_cached(
                "UPDATE mud_seen SET days = days + 1, last_day = ?3, last_at = ?4
                 WHERE device = ?1 AND door = ?2",
            )?
            .execute(params![device, door, day, at.0])?;
            Ok(())
        }
        // Too long ago, or by a clock that was far ahead.
        Some(_) => {
            tx.prepare_cached(
                "UPDATE mud_seen SET days = 1, last_day = ?3, first_at = ?4, last_at = ?4
                 WHERE device = ?1 AND door = ?2",
            )?
            .execute(params![device, door, day, at.0])?;
            Ok(())
        }
        None => {
            tx.prepare_cached(
                "INSERT INTO mud_seen (device, door, days, last_day, first_at, last_at)
                 VALUES (?1, ?2, 1, ?3, ?4, ?4)",
            )?
            .execute(params![device, door, day, at.0])?;
            trim(tx, device, day)
        }
    }
}

/// Whether a device is in good standing, on its way to somebody or at work: what one does that was taken over is no
/// evidence.
fn is_at_work(tx: &Tx<'_>, device: i64) -> Result<bool, ServiceError> {
    let at_work = "SELECT 1 FROM device WHERE id = ?1 AND standing = 1 AND phase NOT IN (8, 9)";
    Ok(tx.prepare_cached(at_work)?.exists([device])?)
}

/// Keeps of a device some of what is new, then what still counts, of that what it showed on most days, of those what
/// it showed that day or the one before, names before addresses, of which a name may have many, and what came first:
/// what is new does not drive out what is about to be seen again.
fn trim(tx: &Tx<'_>, device: i64, day: i64) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "WITH mine AS (
             SELECT door, days, last_day, first_at,
                 door LIKE '[%' OR door NOT GLOB '*[a-z-]*:*' AS address,
                 last_day > ?2 - ?3 AND last_day <= ?2 + 1 AS counts
             FROM mud_seen WHERE device = ?1),
         new AS (
             SELECT door FROM mine WHERE counts AND first_at >= (?2 - ?4) * ?5
             ORDER BY address, first_at, door LIMIT ?6)
         DELETE FROM mud_seen WHERE device = ?1 AND door IN
             (SELECT door FROM mine
              ORDER BY door IN new DESC, counts DESC, days DESC, last_day >= ?2 - 1 DESC, address,
                  first_at, door
              LIMIT -1 OFFSET ?7)",
    )?
    .execute(params![
        device,
        day,
        DAYS_KEPT,
        DAYS_NEW,
        DAY_S,
        limit_of(NEW_MAX),
        limit_of(DOORS_MAX)
    ])?;
    Ok(())
}

/// Whether a device is among those that are looked at, or comes among them now.
fn is_looked_at(
    tx: &Tx<'_>,
    (device, owner, product): (i64, i64, i64),
    day: i64,
) -> Result<bool, ServiceError> {
    let known: Option<i64> = tx
        .prepare_cached("SELECT last_day FROM mud_seen_device WHERE device = ?1")?
        .query_row([device], |row| row.get(0))
        .optional()?;
    if let Some(last) = known {
        if last < day || last > day.saturating_add(1) {
            tx.prepare_cached("UPDATE mud_seen_device SET last_day = ?2 WHERE device = ?1")?
                .execute([device, day])?;
        }
        return Ok(true);
    }
    // A day that is yet to come is none on which anybody spoke.
    let (count, oldest): (i64, Option<i64>) = tx
        .prepare_cached(
            "SELECT count(*), min(iif(last_day > ?3, 0, last_day)) FROM mud_seen_device
             WHERE owner = ?1 AND product = ?2",
        )?
        .query_row([owner, product, day.saturating_add(1)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if count >= DEVICES_MAX {
        if oldest.is_none_or(|oldest| day.saturating_sub(oldest) <= DAYS_KEPT) {
            return Ok(false);
        }
        let silent: i64 = tx
            .prepare_cached(
                "SELECT device FROM mud_seen_device WHERE owner = ?1 AND product = ?2
                 ORDER BY iif(last_day > ?3, 0, last_day), device LIMIT 1",
            )?
            .query_row([owner, product, day.saturating_add(1)], |row| row.get(0))?;
        forget(tx, silent)?;
    }
    tx.prepare_cached(
        "INSERT INTO mud_seen_device (device, owner, product, last_day) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute([device, owner, product, day])?;
    Ok(true)
}

/// Forgets what was seen of a device.
pub(crate) fn forget(tx: &Tx<'_>, device: i64) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM mud_seen WHERE device = ?1")?.execute([device])?;
    tx.prepare_cached("DELETE FROM mud_seen_device WHERE device = ?1")?.execute([device])?;
    Ok(())
}

/// How many devices of an owner's product line told of connections within the days that count.
pub(crate) fn devices(
    connection: &Connection,
    (owner, product): (i64, i64),
    at: UnixTime,
) -> Result<u32, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT count(*) FROM mud_seen_device
             WHERE owner = ?1 AND product = ?2 AND last_day > ?3 AND last_day <= ?4",
        )?
        .query_row(params![owner, product, first(at), last(at)], |row| row.get(0))?)
}

/// The day before the first that counts.
fn first(at: UnixTime) -> i64 {
    day_of(at).saturating_sub(DAYS_KEPT)
}

/// The last day that counts: what came from a clock that was far ahead does not.
fn last(at: UnixTime) -> i64 {
    day_of(at).saturating_add(1)
}

/// Doors that devices of an owner's product line showed within the days that count: those that most of them
/// showed on at least so many days come first.
pub(crate) fn doors(
    connection: &Connection,
    (owner, product): (i64, i64),
    days: u32,
    at: UnixTime,
    limit: usize,
) -> Result<Vec<SeenRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT door, count(*), count(*) FILTER (WHERE days >= ?4) AS long, max(days),
                min(first_at), max(last_at)
         FROM mud_seen_device AS seen CROSS JOIN mud_seen ON mud_seen.device = seen.device
         WHERE seen.owner = ?1 AND seen.product = ?2
             AND mud_seen.last_day > ?3 AND mud_seen.last_day <= ?6
         GROUP BY door ORDER BY long DESC, count(*) DESC, door LIMIT ?5",
    )?;
    let (since, until, limit) = (first(at), last(at), limit_of(limit));
    let rows = statement.query_map(params![owner, product, since, days, limit, until], |row| {
        Ok(SeenRow {
            door: row.get(0)?,
            devices: row.get(1)?,
            long: row.get(2)?,
            days: row.get(3)?,
            first_at: UnixTime(row.get(4)?),
            last_at: UnixTime(row.get(5)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
