//! What routes keep: messages that wait for a receiver, dead ones, rows of tables.

use super::{Tx, message::NewMessage, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// Where a message of a route is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// it waits for the receiver
    Waiting = 1,
    /// the receiver will not have it, unless somebody tries again
    Dead = 2,
    /// it is a row of a table
    Row = 3,
}

/// A message that a route keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueuedRow {
    pub(crate) id: i64,
    pub(crate) device: [u8; 16],
    pub(crate) product: Option<String>,
    pub(crate) topic: String,
    pub(crate) door: u8,
    pub(crate) media_type: Option<String>,
    pub(crate) payload: Vec<u8>,
    pub(crate) received_at: UnixTime,
    pub(crate) dead_at: Option<UnixTime>,
    pub(crate) why: Option<String>,
}

const SELECT: &str =
    "SELECT route_message.id, device.device_id, route_message.product, topic, door,
    media_type, payload, received_at, dead_at, why
    FROM route_message CROSS JOIN device ON device.id = route_message.device";

/// What a row counts for, in SQL; as [`weight`].
const WEIGHT: &str = "length(payload) + length(CAST(topic AS BLOB)) + 128";

fn queued(row: &Row<'_>) -> rusqlite::Result<QueuedRow> {
    Ok(QueuedRow {
        id: row.get(0)?,
        device: row.get(1)?,
        product: row.get(2)?,
        topic: row.get(3)?,
        door: row.get(4)?,
        media_type: row.get(5)?,
        payload: row.get(6)?,
        received_at: UnixTime(row.get(7)?),
        dead_at: row.get::<_, Option<i64>>(8)?.map(UnixTime),
        why: row.get(9)?,
    })
}

fn weight(message: &NewMessage) -> i64 {
    let length = |bytes: &[u8]| i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    length(&message.payload).saturating_add(length(message.topic.as_bytes())).saturating_add(128)
}

/// A route that a message goes by.
#[derive(Debug, Clone)]
pub(crate) struct Going {
    pub(crate) route: i64,
    pub(crate) table: bool,
    pub(crate) drops: bool,
}

/// Whether a queue that does not drop anything has no room for a message. A route that has ended
/// meanwhile refuses nothing.
pub(crate) fn is_full(
    connection: &Connection,
    going: &[Going],
    message: &NewMessage,
) -> Result<bool, ServiceError> {
    for one in going.iter().filter(|one| !one.table && !one.drops) {
        let full: Option<bool> = connection
            .prepare_cached(
                "SELECT count >= count_max OR bytes + ?2 > bytes_max
                 FROM route_state CROSS JOIN route ON route.id = route_state.route
                 WHERE route_state.route = ?1",
            )?
            .query_row([one.route, weight(message)], |row| row.get(0))
            .optional()?;
        if full == Some(true) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What an overflowing queue lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Overflow {
    pub(crate) route: i64,
    /// all that it has lost so far; somebody has to be told
    pub(crate) dropped: u64,
}

/// Puts a message into the queue of a route, or makes it a row of its table.
pub(crate) fn put(
    tx: &Tx<'_>,
    going: &Going,
    message: &NewMessage,
    product: Option<&str>,
) -> Result<Option<Overflow>, ServiceError> {
    let weight = weight(message);
    // Whether it is a table is asked here: it may have become one since it was looked up.
    let now: Option<(bool, i64, i64)> = tx
        .prepare_cached("SELECT target = 'table', count_max, bytes_max FROM route WHERE id = ?1")?
        .query_row([going.route], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((table, count_max, bytes_max)) = now else { return Ok(None) };
    let going = &Going { table, ..going.clone() };
    let state: Option<(i64, i64)> = tx
        .prepare_cached(
            "UPDATE route_state SET count = count + 1, bytes = bytes + ?2,
                delivered = delivered + ?3, delivered_at = iif(?3, ?4, delivered_at)
             WHERE route = ?1 RETURNING count, bytes",
        )?
        .query_row(params![going.route, weight, going.table, message.received_at.0], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    // It has ended since it was looked up.
    let Some((count, bytes)) = state else { return Ok(None) };
    let place = if going.table { Place::Row } else { Place::Waiting };
    tx.prepare_cached(
        "INSERT INTO route_message
            (route, place, device, product, topic, door, media_type, payload, received_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        going.route,
        place as u8,
        message.device,
        product,
        message.topic,
        message.door,
        message.media_type,
        &*message.payload,
        message.received_at.0
    ])?;
    if !going.table {
        tx.prepare_cached("INSERT INTO route_lane VALUES (?1, ?2, 0, 0) ON CONFLICT DO NOTHING")?
            .execute([going.route, message.device])?;
    }
    if count <= count_max && bytes <= bytes_max {
        return Ok(None);
    }
    let excess = (count.saturating_sub(count_max), bytes.saturating_sub(bytes_max));
    let gone = drop_oldest(tx, going, excess)?;
    if gone == 0 || going.table {
        return Ok(None);
    }
    // Told once a minute, with how many it has been.
    let dropped: Option<i64> = tx
        .prepare_cached(
            "UPDATE route_state SET drop_told_at = ?2 WHERE route = ?1
             AND (drop_told_at IS NULL OR drop_told_at + 60 <= ?2) RETURNING dropped",
        )?
        .query_row(params![going.route, message.received_at.0], |row| row.get(0))
        .optional()?;
    Ok(dropped.map(|dropped| Overflow { route: going.route, dropped: dropped.unsigned_abs() }))
}

/// Most rows that go for one message, which everybody's next commit waits for.
const DROPPED_AT_ONCE: i64 = 1000;

/// Makes room: the dead go first, then what waits longest. How many went.
fn drop_oldest(
    tx: &Tx<'_>,
    going: &Going,
    (mut count, mut bytes): (i64, i64),
) -> Result<usize, ServiceError> {
    let places = if going.table { [Place::Row, Place::Row] } else { [Place::Dead, Place::Waiting] };
    let mut gone = 0_usize;
    for place in places {
        let mut last = None;
        let mut of_place = (0_i64, 0_i64);
        {
            let mut oldest = tx.prepare_cached(&format!(
                "SELECT id, {WEIGHT} FROM route_message WHERE route = ?1 AND place = ?2 ORDER BY id"
            ))?;
            let mut rows = oldest.query(params![going.route, place as u8])?;
            // Where a bound was lowered, the rest goes with the messages that follow.
            while (count > 0 || bytes > 0) && of_place.0 < DROPPED_AT_ONCE {
                let Some(row) = rows.next()? else { break };
                let weight: i64 = row.get(1)?;
                last = Some(row.get::<_, i64>(0)?);
                count = count.saturating_sub(1);
                bytes = bytes.saturating_sub(weight);
                of_place = (of_place.0.saturating_add(1), of_place.1.saturating_add(weight));
            }
        }
        let Some(last) = last else { continue };
        tx.prepare_cached(
            "DELETE FROM route_message WHERE route = ?1 AND place = ?2 AND id <= ?3",
        )?
        .execute(params![going.route, place as u8, last])?;
        let dropped = if going.table { 0 } else { of_place.0 };
        let dead = if place == Place::Dead { of_place.0 } else { 0 };
        tx.prepare_cached(
            "UPDATE route_state SET count = count - ?2, bytes = bytes - ?3, dropped = dropped + ?4,
                dead = dead - ?5 WHERE route = ?1",
        )?
        .execute([going.route, of_place.0, of_place.1, dropped, dead])?;
        gone = gone.saturating_add(usize::try_from(of_place.0).unwrap_or(0));
    }
    Ok(gone)
}

/// Ends the retention of rows of a table that came before a time: at most so many.
pub(crate) fn expire_rows(
    tx: &Tx<'_>,
    route: i64,
    before: i64,
    limit: usize,
) -> Result<(), ServiceError> {
    let mut gone = (0_i64, 0_i64);
    {
        let mut delete = tx.prepare_cached(&format!(
            "DELETE FROM route_message WHERE id IN (SELECT id FROM route_message
             WHERE route = ?1 AND place = 3 AND received_at < ?2
             ORDER BY received_at, id LIMIT ?3) RETURNING {WEIGHT}"
        ))?;
        let mut rows = delete.query([route, before, limit_of(limit)])?;
        while let Some(row) = rows.next()? {
            gone = (gone.0.saturating_add(1), gone.1.saturating_add(row.get(0)?));
        }
    }
    shrink(tx, route, gone, 0)
}

fn shrink(
    tx: &Tx<'_>,
    route: i64,
    (count, bytes): (i64, i64),
    dead: i64,
) -> Result<(), ServiceError> {
    if count == 0 {
        return Ok(());
    }
    tx.prepare_cached(
        "UPDATE route_state SET count = count - ?2, bytes = bytes - ?3, dead = dead - ?4
         WHERE route = ?1",
    )?
    .execute([route, count, bytes, dead])?;
    Ok(())
}

/// Devices whose first message may be sent now, those that wait longest first: with how often it was
/// tried.
pub(crate) fn due(
    connection: &Connection,
    route: i64,
    now: UnixTime,
    limit: usize,
) -> Result<Vec<(i64, u32)>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT device, attempts FROM route_lane WHERE route = ?1 AND due_at <= ?2
         ORDER BY due_at LIMIT ?3",
    )?;
    let rows = statement
        .query_map(params![route, now.0, limit_of(limit)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What waits of a device, in its order; some bytes at most, one message at least.
pub(crate) fn waiting(
    connection: &Connection,
    (route, device): (i64, i64),
    limit: usize,
    bytes_max: usize,
) -> Result<Vec<QueuedRow>, ServiceError> {
    let sql = format!(
        "{SELECT} WHERE route = ?1 AND route_message.device = ?2 AND place = 1
         ORDER BY route_message.id LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![route, device, limit_of(limit)])?;
    let (mut found, mut bytes) = (Vec::new(), 0_usize);
    while let Some(row) = rows.next()? {
        let row = queued(row)?;
        bytes = bytes.saturating_add(row.payload.len());
        if bytes > bytes_max && !found.is_empty() {
            break;
        }
        found.push(row);
    }
    Ok(found)
}

/// Messages of a receiver that it has now. How many there were still.
pub(crate) fn delivered(
    tx: &Tx<'_>,
    route: i64,
    ids: &[i64],
    now: UnixTime,
) -> Result<u64, ServiceError> {
    let count = taken_away(tx, route, ids)?;
    if count > 0 {
        tx.prepare_cached(
            "UPDATE route_state SET delivered = delivered + ?2, delivered_at = ?3 WHERE route = ?1",
        )?
        .execute([route, count, now.0])?;
    }
    Ok(count.unsigned_abs())
}

/// Messages that may not be sent any more: they go, and are counted.
pub(crate) fn withhold(tx: &Tx<'_>, route: i64, ids: &[i64]) -> Result<(), ServiceError> {
    let count = taken_away(tx, route, ids)?;
    if count > 0 {
        tx.prepare_cached("UPDATE route_state SET withheld = withheld + ?2 WHERE route = ?1")?
            .execute([route, count])?;
    }
    Ok(())
}

/// Takes messages that wait out of a queue. How many there were still.
fn taken_away(tx: &Tx<'_>, route: i64, ids: &[i64]) -> Result<i64, ServiceError> {
    let mut gone = (0_i64, 0_i64);
    for id in ids {
        let weight: Option<i64> = tx
            .prepare_cached(&format!(
                "DELETE FROM route_message WHERE id = ?1 AND route = ?2 AND place = 1
                 RETURNING {WEIGHT}"
            ))?
            .query_row([*id, route], |row| row.get(0))
            .optional()?;
        if let Some(weight) = weight {
            gone = (gone.0.saturating_add(1), gone.1.saturating_add(weight));
        }
    }
    shrink(tx, route, gone, 0)?;
    Ok(gone.0)
}

/// A message that the receiver will not have. Whether it is the first of those that nobody has looked
/// after.
pub(crate) fn bury(
    tx: &Tx<'_>,
    route: i64,
    id: i64,
    why: &str,
    now: UnixTime,
) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached(
            "UPDATE route_message SET place = 2, dead_at = ?3, why = ?4
             WHERE id = ?2 AND route = ?1 AND place = 1",
        )?
        .execute(params![route, id, now.0, why])?;
    if changed == 0 {
        return Ok(false);
    }
    let dead: Option<i64> = tx
        .prepare_cached("UPDATE route_state SET dead = dead + 1 WHERE route = ?1 RETURNING dead")?
        .query_row([route], |row| row.get(0))
        .optional()?;
    Ok(dead == Some(1))
}

/// When a device's next message is sent: `None` where it is not known to have failed.
pub(crate) fn go_on(
    tx: &Tx<'_>,
    (route, device): (i64, i64),
    failed: Option<(UnixTime, u32)>,
    now: UnixTime,
) -> Result<(), ServiceError> {
    let more: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM route_message
             WHERE route = ?1 AND device = ?2 AND place = 1)",
        )?
        .query_row([route, device], |row| row.get(0))?;
    if !more {
        tx.prepare_cached("DELETE FROM route_lane WHERE route = ?1 AND device = ?2")?
            .execute([route, device])?;
        return Ok(());
    }
    let (due, attempts) = failed.unwrap_or((now, 0));
    tx.prepare_cached(
        "UPDATE route_lane SET due_at = ?3, attempts = ?4 WHERE route = ?1 AND device = ?2",
    )?
    .execute(params![route, device, due.0, attempts])?;
    Ok(())
}

/// Notes that a receiver takes nothing; whether it did until now. Since when stays.
pub(crate) fn fail(
    tx: &Tx<'_>,
    route: i64,
    why: &str,
    now: UnixTime,
) -> Result<bool, ServiceError> {
    let before: Option<Option<i64>> = tx
        .prepare_cached("SELECT failing_since FROM route_state WHERE route = ?1")?
        .query_row([route], |row| row.get(0))
        .optional()?;
    tx.prepare_cached(
        "UPDATE route_state SET failure = ?2, failing_since = coalesce(failing_since, ?3)
         WHERE route = ?1",
    )?
    .execute(params![route, why, now.0])?;
    Ok(before == Some(None))
}

/// Notes that a receiver takes everything again, where no device's message has failed; whether it
/// did not until now.
pub(crate) fn recover(tx: &Tx<'_>, route: i64) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached(
            "UPDATE route_state SET failing_since = NULL, failure = NULL
             WHERE route = ?1 AND failing_since IS NOT NULL AND NOT EXISTS
                (SELECT 1 FROM route_lane WHERE route = ?1 AND attempts > 0)",
        )?
        .execute([route])?;
    Ok(changed == 1)
}

/// A part of what a route keeps, and after which time and number the next begins.
pub(crate) type Listed = (Vec<QueuedRow>, Option<(i64, i64)>);

/// Which messages of a route are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) place: Place,
    pub(crate) device: Option<&'a [u8; 16]>,
    pub(crate) from: Option<UnixTime>,
    pub(crate) until: Option<UnixTime>,
    /// the next before this one
    pub(crate) before: Option<(i64, i64)>,
}

/// Messages of a route that `fits` likes, newest first; and where to go on, where there may be more.
/// It looks at `looked` at most, so that a filter that likes nothing does not read everything.
pub(crate) fn list(
    connection: &Connection,
    route: i64,
    wanted: &Wanted<'_>,
    (limit, looked): (usize, usize),
    mut fits: impl FnMut(&QueuedRow) -> bool,
) -> Result<Listed, ServiceError> {
    // Rows of a table are found by time; the dead are few, and in the order of their messages.
    let (at, id) = wanted.before.unwrap_or((i64::MAX, i64::MAX));
    let sql = match wanted.place {
        Place::Row => format!(
            "{SELECT} WHERE route = ?1 AND place = 3 AND (received_at, route_message.id) < (?2, ?3)
             AND received_at >= ?4 AND received_at < ?5
             AND (?6 IS NULL OR device.device_id = ?6)
             ORDER BY received_at DESC, route_message.id DESC LIMIT ?7"
        ),
        Place::Dead | Place::Waiting => format!(
            "{SELECT} WHERE route = ?1 AND place = {} AND ?2 = ?2 AND route_message.id < ?3
             AND received_at >= ?4 AND received_at < ?5
             AND (?6 IS NULL OR device.device_id = ?6)
             ORDER BY route_message.id DESC LIMIT ?7",
            wanted.place as u8
        ),
    };
    let from = wanted.from.map_or(i64::MIN, |at| at.0);
    let until = wanted.until.map_or(i64::MAX, |at| at.0);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows =
        statement.query(params![route, at, id, from, until, wanted.device, limit_of(looked)])?;
    let (mut found, mut seen, mut last) = (Vec::new(), 0_usize, None);
    while let Some(row) = rows.next()? {
        let row = queued(row)?;
        seen = seen.saturating_add(1);
        last = Some((row.received_at.0, row.id));
        if fits(&row) {
            found.push(row);
        }
        if found.len() >= limit {
            return Ok((found, last));
        }
    }
    Ok((found, last.filter(|_| seen >= looked)))
}

/// Dead messages wait again: one, or so many of all. How many.
pub(crate) fn revive(
    tx: &Tx<'_>,
    route: i64,
    one: Option<i64>,
    limit: usize,
) -> Result<u64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO route_lane SELECT DISTINCT ?1, device, 0, 0 FROM (
            SELECT device FROM route_message WHERE route = ?1 AND place = 2
            AND (?2 IS NULL OR id = ?2) ORDER BY id LIMIT ?3)
         WHERE true ON CONFLICT DO NOTHING",
    )?
    .execute(params![route, one, limit_of(limit)])?;
    let changed = tx
        .prepare_cached(
            "UPDATE route_message SET place = 1, dead_at = NULL, why = NULL WHERE id IN (
                SELECT id FROM route_message WHERE route = ?1 AND place = 2
                AND (?2 IS NULL OR id = ?2) ORDER BY id LIMIT ?3)",
        )?
        .execute(params![route, one, limit_of(limit)])?;
    let changed = u64::try_from(changed).unwrap_or(u64::MAX);
    tx.prepare_cached("UPDATE route_state SET dead = dead - ?2 WHERE route = ?1")?
        .execute([route, to_i64(changed)])?;
    Ok(changed)
}

/// Dead messages go for good: one, or so many of all. How many.
pub(crate) fn discard(
    tx: &Tx<'_>,
    route: i64,
    one: Option<i64>,
    limit: usize,
) -> Result<u64, ServiceError> {
    let mut gone = (0_i64, 0_i64);
    {
        let mut delete = tx.prepare_cached(&format!(
            "DELETE FROM route_message WHERE id IN (
                SELECT id FROM route_message WHERE route = ?1 AND place = 2
                AND (?2 IS NULL OR id = ?2) ORDER BY id LIMIT ?3) RETURNING {WEIGHT}"
        ))?;
        let mut rows = delete.query(params![route, one, limit_of(limit)])?;
        while let Some(row) = rows.next()? {
            gone = (gone.0.saturating_add(1), gone.1.saturating_add(row.get(0)?));
        }
    }
    shrink(tx, route, gone, gone.0)?;
    Ok(gone.0.unsigned_abs())
}

/// The newest kept messages of an organisation's devices, to try a rule on.
pub(crate) fn newest_messages(
    connection: &Connection,
    owner: i64,
    limit: usize,
) -> Result<Vec<QueuedRow>, ServiceError> {
    // There is no index by owner; those of others are read over, up to so many.
    const LOOKED_MAX: i64 = 100_000;
    let mut statement = connection.prepare_cached(
        "SELECT message.id, device.device_id, NULL,
            iif(message.space IS NULL, message.topic,
                'd/' || lower(hex(other.device_id)) || '/' || message.topic), message.door, message.media_type,
            message.payload, message.received_at, NULL, NULL
         FROM (SELECT * FROM message WHERE owner = ?1
            AND id > (SELECT max(id) FROM message) - ?3 ORDER BY id DESC LIMIT ?2) AS message
         CROSS JOIN device ON device.id = message.device
         LEFT JOIN device AS other ON other.id = message.space
         ORDER BY message.id DESC",
    )?;
    let rows = statement.query_map(params![owner, limit_of(limit), LOOKED_MAX], queued)?;
    Ok(rows.collect::<Result<_, _>>()?)
}
