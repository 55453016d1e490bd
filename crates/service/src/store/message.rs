//! Messages of devices, what is kept of a topic, and what was refused.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use admission::ReplayWindow;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// What a door must know of a device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SenderRow {
    pub(crate) id: i64,
    pub(crate) owner: i64,
    pub(crate) maker: i64,
    pub(crate) product: Option<i64>,
    pub(crate) phase: u8,
    pub(crate) standing: u8,
}

pub(crate) fn sender(
    connection: &Connection,
    device: &[u8; 16],
) -> Result<Option<SenderRow>, ServiceError> {
    const SQL: &str =
        "SELECT id, owner, maker, product, phase, standing FROM device WHERE device_id = ?1";
    let read = |row: &Row<'_>| {
        Ok(SenderRow {
            id: row.get(0)?,
            owner: row.get(1)?,
            maker: row.get(2)?,
            product: row.get(3)?,
            phase: row.get(4)?,
            standing: row.get(5)?,
        })
    };
    Ok(connection.prepare_cached(SQL)?.query_row([device], read).optional()?)
}

/// A message to be kept.
#[derive(Debug, Clone)]
pub(crate) struct NewMessage {
    pub(crate) device: i64,
    pub(crate) owner: i64,
    pub(crate) door: u8,
    /// the device in whose space it is, where that is another's
    pub(crate) space: Option<i64>,
    /// below that space
    pub(crate) topic: String,
    pub(crate) media_type: Option<String>,
    pub(crate) payload: std::sync::Arc<[u8]>,
    pub(crate) received_at: UnixTime,
    /// when it is of no use any more, to those who hear of it later
    pub(crate) expires_at: Option<UnixTime>,
    /// SHA-256 of the certificate by whose key the device signed it
    pub(crate) signed: Option<[u8; 32]>,
    /// the device that carried it, where that is another
    pub(crate) carrier: Option<i64>,
    /// the key of its owner for which it was encrypted
    pub(crate) encrypted: Option<i64>,
}

/// How much is kept of one device's messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) count: i64,
    pub(crate) bytes: i64,
}

/// What a row counts for, in SQL: payload, topic, and 128 bytes for the rest.
const WEIGHT: &str = "length(payload) + length(CAST(topic AS BLOB)) + 128";

/// Puts a message in; [`Tx::message_insert`] keeps it at hand.
pub(super) const INSERT: &str = "INSERT INTO message
     (id, device, owner, door, topic, media_type, payload, received_at, space, signed, carrier,
      encrypted)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

/// Keeps a message: it is appended, and nothing else. [`settle`] does the rest, of many at once.
pub(crate) fn insert(tx: &mut Tx<'_>, message: &NewMessage) -> Result<(), ServiceError> {
    // Numbers go on also where all that had one is gone.
    const NEXT: &str = "SELECT 1 + max(up_to, coming, (SELECT coalesce(max(id), 0) FROM message))
         FROM message_settled";
    let id = tx.next_message(|connection| {
        Ok(connection.prepare_cached(NEXT)?.query_row([], |row| row.get(0))?)
    })?;
    tx.message_insert()?.execute(params![
        id,
        message.device,
        message.owner,
        message.door,
        message.topic,
        message.media_type,
        &*message.payload,
        message.received_at.0,
        message.space,
        message.signed,
        message.carrier,
        message.encrypted
    ])?;
    Ok(())
}

/// How far it is written down where messages of devices are, and how much is kept of each device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settled {
    /// of all devices, up to this message
    up_to: i64,
    /// of those devices whose row is not above `done`, up to this one
    coming: i64,
    done: i64,
}

fn settled(connection: &Connection) -> Result<Settled, ServiceError> {
    const SQL: &str = "SELECT up_to, coming, done FROM message_settled";
    let read =
        |row: &Row<'_>| Ok(Settled { up_to: row.get(0)?, coming: row.get(1)?, done: row.get(2)? });
    Ok(connection.prepare_cached(SQL)?.query_row([], read)?)
}

/// Whether a round of settling is due: one has begun, `most` messages wait for one, or the first of them
/// has waited for `wait_s` seconds. The more of a device's messages come together, the less each costs.
pub(crate) fn is_due(
    connection: &Connection,
    now: UnixTime,
    (most, wait_s): (i64, i64),
) -> Result<bool, ServiceError> {
    let at = settled(connection)?;
    if at.coming > at.up_to {
        return Ok(true);
    }
    const SQL: &str = "SELECT id, received_at, (SELECT max(id) FROM message)
         FROM message WHERE id > ?1 ORDER BY id LIMIT 1";
    let first: Option<(i64, i64, i64)> = connection
        .prepare_cached(SQL)?
        .query_row([at.up_to], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    Ok(first.is_some_and(|(first, received_at, last)| {
        // A clock that was put back is no reason to wait for it.
        let waited = now.0.saturating_sub(received_at);
        last.saturating_sub(first) >= most || !(0..wait_s).contains(&waited)
    }))
}

/// Messages of some devices that are settled in one commit.
#[derive(Debug)]
pub(crate) struct Part {
    /// how far it must be before, and is after
    steps: (Settled, Settled),
    /// device, message, weight, in this order
    rows: Vec<(i64, i64, i64)>,
}

/// Most parts of a round, but for devices that fit into none: however long a commit takes, a round ends.
const PARTS_MAX: usize = 64;

/// What is to be settled next, oldest first: at most `limit` messages, or what is left of a round that has
/// begun. In parts of `(devices, messages)` at most, or more where there are very many; a device is in one
/// part, however much it has. Nothing where all is settled.
pub(crate) fn round(
    connection: &Connection,
    limit: usize,
    most: (usize, usize),
) -> Result<Vec<Part>, ServiceError> {
    let at = settled(connection)?;
    let to: Option<i64> = match at.coming > at.up_to {
        true => Some(at.coming),
        false => connection
            .prepare_cached(
                "SELECT max(id) FROM (SELECT id FROM message WHERE id > ?1 ORDER BY id LIMIT ?2)",
            )?
            .query_row(params![at.up_to, limit_of(limit)], |row| row.get(0))?,
    };
    let Some(to) = to else { return Ok(Vec::new()) };
    let mut rows: Vec<(i64, i64, i64)> = connection
        .prepare_cached(&format!(
            "SELECT device, id, {WEIGHT} FROM message WHERE id > ?1 AND id <= ?2 AND device > ?3"
        ))?
        .query_map([at.up_to, to, at.done], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    rows.sort_unstable();
    let all = rows.chunk_by(|one, next| one.0 == next.0).count();
    let most = (most.0.max(all.div_ceil(PARTS_MAX)), most.1.max(rows.len().div_ceil(PARTS_MAX)));
    let mut parts = Vec::new();
    let (mut before, mut own, mut devices) = (at, Vec::<(i64, i64, i64)>::new(), 0_usize);
    for of in rows.chunk_by(|one, next| one.0 == next.0) {
        let full = devices >= most.0 || own.len().saturating_add(of.len()) > most.1;
        if full && let Some((done, ..)) = own.last() {
            let after = Settled { coming: to, done: *done, ..before };
            parts.push(Part { steps: (before, after), rows: std::mem::take(&mut own) });
            (before, devices) = (after, 0);
        }
        own.extend_from_slice(of);
        devices = devices.saturating_add(1);
    }
    // Also where no message is left: with this the round is over.
    let after = Settled { up_to: to, coming: to, done: 0 };
    parts.push(Part { steps: (before, after), rows: own });
    Ok(parts)
}

/// Writes down where some devices' messages are, and how much is kept of each. Where a device has more than
/// there is room for, its oldest go. False where somebody else has settled meanwhile: then nothing is done.
pub(crate) fn settle(tx: &Tx<'_>, part: &Part, room: Room) -> Result<bool, ServiceError> {
    let (before, after) = part.steps;
    if settled(tx)? != before {
        return Ok(false);
    }
    let mut place = tx.prepare_cached("INSERT INTO message_place VALUES (?1, ?2)")?;
    let mut keep = tx.prepare_cached(
        "INSERT INTO message_kept VALUES (?1, ?2, ?3)
         ON CONFLICT (device) DO UPDATE SET
             count = count + excluded.count, bytes = bytes + excluded.bytes
         RETURNING count, bytes",
    )?;
    for of in part.rows.chunk_by(|one, next| one.0 == next.0) {
        let Some((device, ..)) = of.first() else { continue };
        let mut bytes = 0_i64;
        for (_, id, weight) in of {
            place.execute([*device, *id])?;
            bytes = bytes.saturating_add(*weight);
        }
        let count = i64::try_from(of.len()).unwrap_or(i64::MAX);
        let kept: (i64, i64) =
            keep.query_row([*device, count, bytes], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if kept.0 > room.count || kept.1 > room.bytes {
            trim(tx, *device, kept, room)?;
        }
    }
    tx.prepare_cached("UPDATE message_settled SET up_to = ?1, coming = ?2, done = ?3")?
        .execute([after.up_to, after.coming, after.done])?;
    Ok(true)
}

/// Lets the oldest messages of a device go until the others have room.
fn trim(
    tx: &Tx<'_>,
    device: i64,
    (mut count, mut bytes): (i64, i64),
    room: Room,
) -> Result<(), ServiceError> {
    let mut last = None;
    {
        let mut oldest = tx.prepare_cached(&format!(
            "SELECT message.id, {WEIGHT} FROM message_place AS place
             CROSS JOIN message ON message.id = place.id
             WHERE place.device = ?1 ORDER BY place.id"
        ))?;
        let mut rows = oldest.query([device])?;
        while count > room.count || bytes > room.bytes {
            let Some(row) = rows.next()? else { break };
            last = Some(row.get::<_, i64>(0)?);
            count = count.saturating_sub(1);
            bytes = bytes.saturating_sub(row.get::<_, i64>(1)?);
        }
    }
    tx.prepare_cached(
        "DELETE FROM message WHERE id IN
         (SELECT id FROM message_place WHERE device = ?1 AND id <= ?2)",
    )?
    .execute(params![device, last])?;
    tx.prepare_cached("DELETE FROM message_place WHERE device = ?1 AND id <= ?2")?
        .execute(params![device, last])?;
    tx.prepare_cached("UPDATE message_kept SET count = ?2, bytes = ?3 WHERE device = ?1")?
        .execute([device, count, bytes])?;
    Ok(())
}

/// Whether there are messages whose retention has ended.
pub(crate) fn is_stale(connection: &Connection, before: UnixTime) -> Result<bool, ServiceError> {
    // Ids follow time closely enough: what is old is at the beginning.
    let oldest: Option<i64> = connection
        .prepare_cached("SELECT received_at FROM message ORDER BY id LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(oldest.is_some_and(|oldest| oldest < before.0))
}

/// Ends the retention of messages: at most `limit` that were received before a time. How many.
pub(crate) fn expire(tx: &Tx<'_>, before: UnixTime, limit: usize) -> Result<usize, ServiceError> {
    let mut gone: std::collections::BTreeMap<i64, (i64, i64)> = Default::default();
    let mut count = 0_usize;
    {
        // What is not settled was not counted either.
        let mut delete = tx.prepare_cached(&format!(
            "DELETE FROM message WHERE id IN
             (SELECT id FROM message WHERE id <= (SELECT up_to FROM message_settled)
              ORDER BY id LIMIT ?2) AND received_at < ?1
             RETURNING device, id, {WEIGHT}"
        ))?;
        let mut place =
            tx.prepare_cached("DELETE FROM message_place WHERE device = ?1 AND id = ?2")?;
        let mut rows = delete.query(params![before.0, limit_of(limit)])?;
        while let Some(row) = rows.next()? {
            let device: i64 = row.get(0)?;
            place.execute([device, row.get(1)?])?;
            let of = gone.entry(device).or_default();
            of.0 = of.0.saturating_add(1);
            of.1 = of.1.saturating_add(row.get(2)?);
            count = count.saturating_add(1);
        }
    }
    for (device, (messages, bytes)) in gone {
        tx.prepare_cached(
            "UPDATE message_kept SET count = max(0, count - ?2), bytes = max(0, bytes - ?3)
             WHERE device = ?1",
        )?
        .execute([device, messages, bytes])?;
    }
    Ok(count)
}

/// How a sender stands, asked in the transaction that keeps its message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StandingRow {
    pub(crate) owner: i64,
    pub(crate) phase: u8,
    pub(crate) standing: u8,
    /// of its certificate
    pub(crate) status: u8,
}

/// `None`: there is no such device, or no such certificate of it.
pub(crate) fn standing(
    connection: &Connection,
    device: i64,
    ca: i64,
    serial: &[u8],
) -> Result<Option<StandingRow>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT device.owner, device.phase, device.standing, certificate.status
             FROM certificate CROSS JOIN device ON device.id = certificate.device
             WHERE certificate.ca = ?2 AND certificate.serial = ?3 AND device.id = ?1",
        )?
        .query_row(params![device, ca, serial], |row| {
            Ok(StandingRow {
                owner: row.get(0)?,
                phase: row.get(1)?,
                standing: row.get(2)?,
                status: row.get(3)?,
            })
        })
        .optional()?)
}

/// A message on record.
#[derive(Debug, Clone)]
pub(crate) struct MessageRow {
    pub(crate) id: i64,
    pub(crate) door: u8,
    pub(crate) topic: String,
    pub(crate) space: Option<[u8; 16]>,
    pub(crate) media_type: Option<String>,
    pub(crate) payload: Vec<u8>,
    pub(crate) received_at: UnixTime,
    pub(crate) signed: Option<[u8; 32]>,
    pub(crate) carrier: Option<[u8; 16]>,
    pub(crate) encrypted: bool,
}

/// Messages of a device under one owner, the newest first.
pub(crate) fn messages(
    connection: &Connection,
    device: i64,
    owner: i64,
    before: i64,
    limit: usize,
) -> Result<Vec<MessageRow>, ServiceError> {
    // First those that no place is written down for: they are the newest.
    let mut rows = listed(
        connection,
        "SELECT id, door, topic, media_type, payload, received_at,
             (SELECT device_id FROM device AS other WHERE other.id = message.space), signed,
             (SELECT device_id FROM device AS other WHERE other.id = message.carrier),
             encrypted IS NOT NULL
         FROM message
         WHERE device = ?1 AND id < ?3 AND owner = ?2
             AND id > (SELECT iif(?1 <= done, coming, up_to) FROM message_settled)
         ORDER BY id DESC LIMIT ?4",
        params![device, owner, before, limit_of(limit)],
    )?;
    let rest = limit.saturating_sub(rows.len());
    if rest > 0 {
        rows.extend(listed(
            connection,
            "SELECT message.id, door, topic, media_type, payload, received_at,
                 (SELECT device_id FROM device AS other WHERE other.id = message.space), signed,
             (SELECT device_id FROM device AS other WHERE other.id = message.carrier),
             encrypted IS NOT NULL
             FROM message_place AS place CROSS JOIN message ON message.id = place.id
             WHERE place.device = ?1 AND place.id < ?3 AND owner = ?2
             ORDER BY place.id DESC LIMIT ?4",
            params![device, owner, before, limit_of(rest)],
        )?);
    }
    Ok(rows)
}

fn listed(
    connection: &Connection,
    sql: &str,
    of: &[&dyn rusqlite::ToSql],
) -> Result<Vec<MessageRow>, ServiceError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(of, |row| {
        Ok(MessageRow {
            id: row.get(0)?,
            door: row.get(1)?,
            topic: row.get(2)?,
            media_type: row.get(3)?,
            payload: row.get(4)?,
            received_at: UnixTime(row.get(5)?),
            space: row.get(6)?,
            signed: row.get(7)?,
            carrier: row.get(8)?,
            encrypted: row.get(9)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether a device belongs to an organisation.
pub(crate) fn is_of(
    connection: &Connection,
    device: i64,
    owner: i64,
) -> Result<bool, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM device WHERE id = ?1 AND owner = ?2")?
        .exists([device, owner])?)
}

pub(crate) fn window(connection: &Connection, device: i64) -> Result<ReplayWindow, ServiceError> {
    let row = connection
        .prepare_cached("SELECT highest, heard FROM message_window WHERE device = ?1")?
        .query_row([device], |row| Ok((row.get::<_, [u8; 8]>(0)?, row.get::<_, [u8; 16]>(1)?)))
        .optional()?;
    Ok(match row {
        Some((highest, heard)) => ReplayWindow::restore(Some(u64::from_be_bytes(highest)), heard),
        None => ReplayWindow::default(),
    })
}

pub(crate) fn set_window(
    tx: &Tx<'_>,
    device: i64,
    window: &ReplayWindow,
) -> Result<(), ServiceError> {
    let (Some(highest), heard) = window.parts() else { return Ok(()) };
    tx.prepare_cached(
        "INSERT INTO message_window VALUES (?1, ?2, ?3)
         ON CONFLICT (device) DO UPDATE SET highest = excluded.highest, heard = excluded.heard",
    )?
    .execute(params![device, highest.to_be_bytes(), heard])?;
    Ok(())
}

/// What is kept of a topic.
#[derive(Debug, Clone)]
pub(crate) struct RetainedRow {
    pub(crate) topic: String,
    pub(crate) qos: u8,
    pub(crate) media_type: Option<String>,
    pub(crate) payload: Vec<u8>,
    pub(crate) expires_at: Option<UnixTime>,
    pub(crate) received_at: UnixTime,
}

/// Keeps the newest message of a topic, or forgets it where it is empty; false where a device keeps
/// `most` topics already. It is kept for the device in whose space it is, and goes with it.
pub(crate) fn retain(
    tx: &Tx<'_>,
    topic: &str,
    qos: u8,
    message: &NewMessage,
    most: u32,
) -> Result<bool, ServiceError> {
    if message.payload.is_empty() {
        tx.prepare_cached("DELETE FROM message_retained WHERE topic = ?1")?.execute([topic])?;
        return Ok(true);
    }
    let space = message.space.unwrap_or(message.device);
    let known =
        tx.prepare_cached("SELECT 1 FROM message_retained WHERE topic = ?1")?.exists([topic])?;
    if !known {
        let count: i64 = tx
            .prepare_cached("SELECT count(*) FROM message_retained WHERE device = ?1")?
            .query_row([space], |row| row.get(0))?;
        if count >= i64::from(most) {
            return Ok(false);
        }
    }
    tx.prepare_cached(
        "INSERT INTO message_retained VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (topic) DO UPDATE SET device = excluded.device, qos = excluded.qos,
             media_type = excluded.media_type, payload = excluded.payload,
             received_at = excluded.received_at, expires_at = excluded.expires_at",
    )?
    .execute(params![
        topic,
        space,
        qos,
        message.media_type,
        &*message.payload,
        message.received_at.0,
        message.expires_at.map(|at| at.0)
    ])?;
    Ok(true)
}

/// Topics that are looked through for those that a filter matches.
pub(crate) const TOPICS_MAX: usize = 4096;

/// Topics from `from` up to `to`, exclusive, of which something is kept that is of use still, in the
/// spaces of an organisation's devices.
pub(crate) fn retained_topics(
    connection: &Connection,
    (from, to): (&str, &str),
    owner: i64,
    now: UnixTime,
) -> Result<Vec<String>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT topic FROM message_retained JOIN device ON device.id = message_retained.device
         WHERE topic >= ?1 AND topic < ?2 AND device.owner = ?3
             AND (expires_at IS NULL OR expires_at > ?4)
         ORDER BY topic LIMIT ?5",
    )?;
    let of = params![from, to, owner, now.0, limit_of(TOPICS_MAX)];
    let rows = statement.query_map(of, |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What is kept of topics, and of use still.
pub(crate) fn retained(
    connection: &Connection,
    topics: impl IntoIterator<Item = String>,
    now: UnixTime,
) -> Result<Vec<RetainedRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT topic, qos, media_type, payload, expires_at, received_at FROM message_retained
         WHERE topic = ?1 AND (expires_at IS NULL OR expires_at > ?2)",
    )?;
    let mut found = Vec::new();
    for topic in topics {
        let row = statement.query_row(params![topic, now.0], |row| {
            Ok(RetainedRow {
                topic: row.get(0)?,
                qos: row.get(1)?,
                media_type: row.get(2)?,
                payload: row.get(3)?,
                expires_at: row.get::<_, Option<i64>>(4)?.map(UnixTime),
                received_at: UnixTime(row.get(5)?),
            })
        });
        found.extend(row.optional()?);
    }
    Ok(found)
}

/// What was refused of a device, gathered.
#[derive(Debug, Clone)]
pub(crate) struct RefusedRow {
    pub(crate) device: i64,
    pub(crate) owner: i64,
    pub(crate) reason: String,
    pub(crate) door: u8,
    pub(crate) count: u64,
    pub(crate) last_at: UnixTime,
    pub(crate) last_topic: String,
    pub(crate) last_policies: Option<String>,
    pub(crate) last_detail: Option<String>,
    /// the other device, where it took two: told, and not kept
    pub(crate) beside: Option<(crate::messages::Beside, device::DeviceId)>,
}

pub(crate) fn add_refused(tx: &Tx<'_>, row: &RefusedRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO message_refused
         (device, owner, reason, door, count, last_at, last_topic, last_policies, last_detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (device, owner, reason, door) DO UPDATE SET
             count = count + excluded.count, last_at = excluded.last_at,
             last_topic = excluded.last_topic, last_policies = excluded.last_policies,
             last_detail = excluded.last_detail",
    )?
    .execute(params![
        row.device,
        row.owner,
        row.reason,
        row.door,
        to_i64(row.count),
        row.last_at.0,
        row.last_topic,
        row.last_policies,
        row.last_detail
    ])?;
    Ok(())
}

/// What was refused of a device under one owner: as many rows as there are reasons and doors.
pub(crate) fn refused(
    connection: &Connection,
    device: i64,
    owner: i64,
) -> Result<Vec<RefusedRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT device, owner, reason, door, count, last_at, last_topic, last_policies,
             last_detail
         FROM message_refused
         WHERE device = ?1 AND owner = ?2 ORDER BY last_at DESC",
    )?;
    let rows = statement.query_map([device, owner], |row| {
        Ok(RefusedRow {
            device: row.get(0)?,
            owner: row.get(1)?,
            reason: row.get(2)?,
            door: row.get(3)?,
            count: row.get::<_, i64>(4)?.unsigned_abs(),
            last_at: UnixTime(row.get(5)?),
            last_topic: row.get(6)?,
            last_policies: row.get(7)?,
            last_detail: row.get(8)?,
            beside: None,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::{super::tx::StandingChanges, *};
    use proptest::prelude::*;

    const ROOM: Room = Room { count: 5, bytes: 1200 };

    /// What may happen to the table.
    #[derive(Debug, Clone)]
    enum Step {
        /// a device sends so many bytes
        Sent(i64, usize),
        /// at most so many are settled, so many devices at a time
        Settled(usize, usize),
        /// the same, and it ends after so many commits
        BrokenOff(usize, usize),
        /// what is older than so many steps goes, at most so many
        Expired(i64, usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (1_i64..4, 0_usize..400).prop_map(|(device, bytes)| Step::Sent(device, bytes)),
            2 => (1_usize..6, 1_usize..4).prop_map(|(limit, devices)| Step::Settled(limit, devices)),
            1 => (1_usize..9, 0_usize..3).prop_map(|(limit, parts)| Step::BrokenOff(limit, parts)),
            1 => (0_i64..30, 1_usize..6).prop_map(|(age, limit)| Step::Expired(age, limit)),
        ]
    }

    fn table() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        super::super::migrate::migrate(&mut connection).unwrap();
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        connection
    }

    fn message(device: i64, door: u8, bytes: usize, at: i64) -> NewMessage {
        NewMessage {
            device,
            owner: 1,
            door,
            space: None,
            topic: "up".to_owned(),
            media_type: None,
            payload: vec![0; bytes].into(),
            received_at: UnixTime(at),
            expires_at: None,
            signed: None,
            carrier: None,
            encrypted: None,
        }
    }

    #[test]
    fn a_round_is_due_where_many_wait_where_one_has_waited_and_where_one_has_begun() {
        let connection = table();
        let mut tx = Tx::new(&connection, "test");
        let due = |now, most| is_due(&connection, UnixTime(now), (most, 10)).unwrap();
        assert!(!due(100, 0), "nothing waits");
        for device in 1..=3 {
            insert(&mut tx, &message(device, 1, 0, 100)).unwrap();
        }
        assert!(!due(100, 3) && !due(109, 3));
        assert!(due(100, 2), "three");
        assert!(due(110, 3), "for ten seconds");
        assert!(due(99, 3), "the clock was put back");
        let parts = round(&connection, 2, (1, 9)).unwrap();
        assert_eq!(parts.len(), 2, "a device each, and the third waits");
        assert!(settle(&tx, &parts[0], ROOM).unwrap());
        assert!(due(100, 3), "one has begun");
        assert!(!settle(&tx, &parts[0], ROOM).unwrap(), "somebody has done it");
        let left = round(&connection, 9, (9, 9)).unwrap();
        assert_eq!(left.len(), 1);
        assert!(settle(&tx, &left[0], ROOM).unwrap());
        assert!(!settle(&tx, &parts[1], ROOM).unwrap(), "the same by another");
        assert!(!due(100, 3), "the third waits");
        assert_eq!(round(&connection, 9, (9, 9)).unwrap().len(), 1);
    }

    #[test]
    fn a_round_of_very_many_devices_has_few_parts_and_none_is_left_out() {
        let connection = table();
        let mut tx = Tx::new(&connection, "test");
        for device in 1..=3000 {
            insert(&mut tx, &message(device, 1, 0, 100)).unwrap();
        }
        for _ in 0..500 {
            insert(&mut tx, &message(7, 1, 0, 100)).unwrap();
        }
        let parts = round(&connection, 10_000, (2, 3)).unwrap();
        assert!((PARTS_MAX..=PARTS_MAX + 3).contains(&parts.len()), "{}", parts.len());
        assert!(
            parts.iter().filter(|part| part.rows.len() > 60).count() <= 1,
            "but for one device"
        );
        for part in &parts {
            assert!(settle(&tx, part, ROOM).unwrap());
        }
        assert!(round(&connection, 10_000, (2, 3)).unwrap().is_empty());
        let count: i64 = connection
            .query_row("SELECT count(*) FROM message_place", [], |row| row.get(0))
            .unwrap();
        assert_eq!(count, 2999 + ROOM.count);
    }

    fn numbers(connection: &Connection, device: i64, before: i64, limit: usize) -> Vec<u8> {
        let rows = messages(connection, device, 1, before, limit).unwrap();
        assert!(rows.is_sorted_by(|one, next| one.id > next.id), "newest first");
        rows.iter().map(|row| row.door).collect()
    }

    /// Rows and bytes of a device, counted, as kept, and as places.
    fn counts(connection: &Connection, device: i64) -> [(i64, i64); 2] {
        let ask = |sql: &str| {
            connection
                .query_row(sql, [device], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
                .unwrap()
                .unwrap_or_default()
        };
        [
            ask(&format!(
                "SELECT count(*), coalesce(sum({WEIGHT}), 0) FROM message_place AS place
                 JOIN message ON message.id = place.id WHERE place.device = ?1"
            )),
            ask("SELECT count, bytes FROM message_kept WHERE device = ?1"),
        ]
    }

    #[test]
    fn each_change_of_a_device_or_certificate_counts_and_what_is_undone_counts_as_well() {
        let mut connection = table();
        connection
            .execute_batch(
                "INSERT INTO device (id, device_id, management, serial_number, kind, maker, owner,
                     phase, standing, sequence, created_at)
                 VALUES (7, zeroblob(16), 'm', 's', 1, 1, 1, 6, 1, 1, 0);
                 INSERT INTO certificate (id, ca, serial, status, profile, organisation, device,
                     subject_key, not_before, not_after, der)
                 VALUES (1, 3, x'05', 1, 1, 1, 7, 1, 0, 9, x'');",
            )
            .unwrap();
        let changes = StandingChanges::follow(&mut connection).unwrap();
        let mut tx = Tx::following(&connection, "test", &changes);
        let known =
            |tx: &Tx<'_>| standing(tx, 7, 3, &[5]).unwrap().map(|it| (it.standing, it.status));
        let mut last = tx.standing_changes().unwrap();
        let mut counted = |tx: &Tx<'_>| {
            let now = tx.standing_changes().unwrap();
            std::mem::replace(&mut last, now) != now
        };
        assert_eq!(known(&tx), Some((1, 1)));
        // A message is no change, however many come.
        tx.execute("INSERT INTO message (id, device, owner, door, topic, payload, received_at) VALUES (1, 7, 1, 1, 'up', x'', 0)", [])
            .unwrap();
        tx.execute("INSERT INTO message_kept VALUES (7, 1, 1)", []).unwrap();
        assert!(!counted(&tx));
        for sql in [
            "UPDATE device SET standing = 2",
            "UPDATE device SET owner = 2 WHERE id = 7",
            "UPDATE certificate SET status = 3 WHERE serial = x'05'",
            "DELETE FROM certificate WHERE id = 1",
            "DELETE FROM device WHERE id = 7",
        ] {
            let before = known(&tx);
            let undone = tx.attempt(|tx| -> Result<(), _> {
                tx.execute(sql, []).unwrap();
                assert_ne!(tx.standing_changes(), Some(0));
                Err(ServiceError::refused("no", "not this time"))
            });
            assert!(undone.is_err() && counted(&tx), "{sql}, and undone");
            assert_eq!(known(&tx), before);
            let done = tx.attempt(|tx| {
                let before = tx.standing_changes();
                tx.execute(sql, []).unwrap();
                assert_ne!(tx.standing_changes(), before, "{sql}, within");
                Ok(())
            });
            assert!(done.is_ok() && counted(&tx), "{sql}");
        }
        assert_eq!(known(&tx), None);
    }

    proptest! {
        /// What is listed of a device is what it sent, whatever was settled meanwhile, but for the
        /// oldest: those alone go, and only as many as must.
        #[test]
        fn messages_are_listed_whether_settled_or_not(
            steps in proptest::collection::vec(step(), 0..80),
        ) {
            let connection = table();
            let mut tx = Tx::new(&connection, "test");
            // Of each device: number, weight, time.
            let mut sent: [Vec<(u8, i64, i64)>; 4] = Default::default();
            for (now, step) in (0_u8..).zip(&steps) {
                match step {
                    Step::Sent(device, bytes) => {
                        insert(&mut tx, &message(*device, now, *bytes, now.into())).unwrap();
                        let weight = i64::try_from(*bytes).unwrap() + 130;
                        sent[usize::try_from(*device).unwrap()].push((now, weight, now.into()));
                    }
                    Step::Settled(limit, devices) => {
                        for part in round(&connection, *limit, (*devices, 4)).unwrap() {
                            prop_assert!(settle(&tx, &part, ROOM).unwrap());
                        }
                        prop_assert_eq!(settled(&connection).unwrap().done, 0);
                    }
                    Step::BrokenOff(limit, commits) => {
                        let parts = round(&connection, *limit, (1, 1)).unwrap();
                        for part in parts.iter().take(*commits) {
                            prop_assert!(settle(&tx, part, ROOM).unwrap());
                            prop_assert!(!settle(&tx, part, ROOM).unwrap(), "once");
                        }
                    }
                    Step::Expired(age, limit) => {
                        let before = UnixTime(i64::from(now) - age);
                        expire(&tx, before, *limit).unwrap();
                        let left: Vec<i64> = connection
                            .prepare("SELECT received_at FROM message").unwrap()
                            .query_map([], |row| row.get(0)).unwrap()
                            .collect::<Result<_, _>>().unwrap();
                        for one in &mut sent {
                            one.retain(|(_, _, at)| *at >= before.0 || left.contains(at));
                        }
                    }
                }
                for device in 1..4 {
                    let all = &sent[usize::try_from(device).unwrap()];
                    let listed = numbers(&connection, device, i64::MAX, 1000);
                    let newest: Vec<u8> =
                        all.iter().rev().take(listed.len()).map(|it| it.0).collect();
                    prop_assert_eq!(&listed, &newest);
                    let some = numbers(&connection, device, i64::MAX, 3);
                    prop_assert_eq!(&some[..], &listed[..listed.len().min(3)]);
                    let [placed, kept] = counts(&connection, device);
                    prop_assert_eq!(placed, kept);
                }
            }
            loop {
                let parts = round(&connection, 7, (2, 5)).unwrap();
                for part in &parts {
                    prop_assert!(settle(&tx, part, ROOM).unwrap());
                }
                if parts.is_empty() {
                    break;
                }
            }
            prop_assert!(!is_due(&connection, UnixTime(1000), (0, 0)).unwrap());
            for device in 1..4 {
                let all = &sent[usize::try_from(device).unwrap()];
                let listed = numbers(&connection, device, i64::MAX, 1000);
                let [placed, kept] = counts(&connection, device);
                prop_assert_eq!(placed, kept);
                prop_assert!(kept.0 <= ROOM.count && kept.1 <= ROOM.bytes);
                let next = all.iter().rev().nth(listed.len());
                let had_to_go = next.is_none_or(|_| had_to_go(all, listed.len()));
                prop_assert!(had_to_go, "{listed:?} of {all:?}");
            }
        }
    }

    /// Whether the room was too small at some time for the newest that is missing and what followed.
    fn had_to_go(all: &[(u8, i64, i64)], kept: usize) -> bool {
        let from = all.len() - kept - 1;
        (from..all.len()).any(|end| {
            let window = all.get(from..=end).unwrap_or_default();
            window.len() > 5 || window.iter().map(|it| it.1).sum::<i64>() > ROOM.bytes
        })
    }
}
