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
    /// below the device's space
    pub(crate) topic: String,
    pub(crate) media_type: Option<String>,
    pub(crate) payload: std::sync::Arc<[u8]>,
    pub(crate) received_at: UnixTime,
}

/// Keeps a message; at most `kept` of a device's, the oldest go.
pub(crate) fn insert(tx: &Tx<'_>, message: &NewMessage, kept: u32) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO message (device, owner, door, topic, media_type, payload, received_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        message.device,
        message.owner,
        message.door,
        message.topic,
        message.media_type,
        &*message.payload,
        message.received_at.0
    ])?;
    let id = tx.last_insert_rowid();
    // One in, one out: found by the index, in constant time.
    tx.prepare_cached(
        "DELETE FROM message WHERE id IN (SELECT id FROM message WHERE device = ?1
         ORDER BY id DESC LIMIT 2 OFFSET ?2)",
    )?
    .execute(params![message.device, kept])?;
    Ok(id)
}

/// Ends the retention of messages: at most `limit` that were received before a time. How many.
pub(crate) fn expire(tx: &Tx<'_>, before: UnixTime, limit: usize) -> Result<usize, ServiceError> {
    // Ids follow time closely enough: what is old is at the beginning.
    Ok(tx
        .prepare_cached(
            "DELETE FROM message WHERE id IN
             (SELECT id FROM message ORDER BY id LIMIT ?2) AND received_at < ?1",
        )?
        .execute(params![before.0, limit_of(limit)])?)
}

/// A message on record.
#[derive(Debug, Clone)]
pub(crate) struct MessageRow {
    pub(crate) id: i64,
    pub(crate) door: u8,
    pub(crate) topic: String,
    pub(crate) media_type: Option<String>,
    pub(crate) payload: Vec<u8>,
    pub(crate) received_at: UnixTime,
}

/// Messages of a device under one owner, the newest first.
pub(crate) fn messages(
    connection: &Connection,
    device: i64,
    owner: i64,
    before: i64,
    limit: usize,
) -> Result<Vec<MessageRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, door, topic, media_type, payload, received_at FROM message
         WHERE device = ?1 AND id < ?3 AND owner = ?2 ORDER BY id DESC LIMIT ?4",
    )?;
    let rows = statement.query_map(params![device, owner, before, limit_of(limit)], |row| {
        Ok(MessageRow {
            id: row.get(0)?,
            door: row.get(1)?,
            topic: row.get(2)?,
            media_type: row.get(3)?,
            payload: row.get(4)?,
            received_at: UnixTime(row.get(5)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
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
}

/// Keeps the newest message of a topic, or forgets it where it is empty; false where a device keeps
/// `most` topics already.
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
    let known =
        tx.prepare_cached("SELECT 1 FROM message_retained WHERE topic = ?1")?.exists([topic])?;
    if !known {
        let count: i64 = tx
            .prepare_cached("SELECT count(*) FROM message_retained WHERE device = ?1")?
            .query_row([message.device], |row| row.get(0))?;
        if count >= i64::from(most) {
            return Ok(false);
        }
    }
    tx.prepare_cached(
        "INSERT INTO message_retained VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (topic) DO UPDATE SET device = excluded.device, qos = excluded.qos,
             media_type = excluded.media_type, payload = excluded.payload,
             received_at = excluded.received_at",
    )?
    .execute(params![
        topic,
        message.device,
        qos,
        message.media_type,
        &*message.payload,
        message.received_at.0
    ])?;
    Ok(true)
}

/// What is kept of the topics from `from` up to `to`, exclusive.
pub(crate) fn retained(
    connection: &Connection,
    from: &str,
    to: &str,
    limit: usize,
) -> Result<Vec<RetainedRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT topic, qos, media_type, payload FROM message_retained
         WHERE topic >= ?1 AND topic < ?2 ORDER BY topic LIMIT ?3",
    )?;
    let rows = statement.query_map(params![from, to, limit_of(limit)], |row| {
        Ok(RetainedRow {
            topic: row.get(0)?,
            qos: row.get(1)?,
            media_type: row.get(2)?,
            payload: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
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
}

pub(crate) fn add_refused(tx: &Tx<'_>, row: &RefusedRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO message_refused VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (device, owner, reason, door) DO UPDATE SET
             count = count + excluded.count, last_at = excluded.last_at,
             last_topic = excluded.last_topic",
    )?
    .execute(params![
        row.device,
        row.owner,
        row.reason,
        row.door,
        to_i64(row.count),
        row.last_at.0,
        row.last_topic
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
        "SELECT device, owner, reason, door, count, last_at, last_topic FROM message_refused
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
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
