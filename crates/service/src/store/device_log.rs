//! The logs of devices: stretches, entries, and how many security events they made.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use admission::device_log::{Began, EntryRead, KnownRun, LogId, LogPlace};
use crypto::{Sha256, UnixTime};
use rusqlite::{Connection, OptionalExtension as _, Row, params, types::Type};

/// A stretch on record.
#[derive(Debug, Clone)]
pub(crate) struct RunRow {
    pub(crate) id: i64,
    pub(crate) owner: i64,
    pub(crate) known: KnownRun,
    pub(crate) missing: u64,
    pub(crate) declared: u64,
    pub(crate) received_at: UnixTime,
}

const RUN: &str = "id, owner, log, began, before, before_hash, before_time, last, last_hash, \
                   last_time, missing, declared, received_at";

fn unsigned(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(index)?.unsigned_abs())
}

fn hash(row: &Row<'_>, index: usize) -> rusqlite::Result<Sha256> {
    let bytes: [u8; 32] = row.get(index)?;
    let damaged = || rusqlite::Error::InvalidColumnType(index, "hash".into(), Type::Blob);
    Sha256::from_slice(&bytes).ok_or_else(damaged)
}

fn run(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    let place = |at: usize| {
        Ok::<_, rusqlite::Error>(LogPlace {
            sequence: unsigned(row, at)?,
            hash: hash(row, at + 1)?,
            time: row.get(at + 2)?,
        })
    };
    let began: u8 = row.get(3)?;
    let damaged = rusqlite::Error::InvalidColumnType(3, "began".into(), Type::Integer);
    Ok(RunRow {
        id: row.get(0)?,
        owner: row.get(1)?,
        known: KnownRun {
            log: LogId(row.get(2)?),
            began: Began::from_code(began).ok_or(damaged)?,
            before: place(4)?,
            last: place(7)?,
        },
        missing: unsigned(row, 10)?,
        declared: unsigned(row, 11)?,
        received_at: UnixTime(row.get(12)?),
    })
}

/// Stretches of a device, the newest first.
pub(crate) fn runs(
    connection: &Connection,
    device: i64,
    limit: usize,
) -> Result<Vec<RunRow>, ServiceError> {
    let sql =
        format!("SELECT {RUN} FROM device_log_run WHERE device = ?1 ORDER BY id DESC LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![device, limit_of(limit)], run)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The hash of an entry of a stretch; `None` where it is kept no more.
pub(crate) fn hash_of(
    connection: &Connection,
    run: i64,
    sequence: u64,
) -> Result<Option<Sha256>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT hash FROM device_log_entry WHERE run = ?1 AND sequence = ?2")?
        .query_row(params![run, to_i64(sequence)], |row| hash(row, 0))
        .optional()?)
}

/// A stretch that begins.
pub(crate) fn begin(
    tx: &Tx<'_>,
    (device, owner): (i64, i64),
    known: &KnownRun,
    (missing, declared): (u64, u64),
    now: UnixTime,
) -> Result<i64, ServiceError> {
    Ok(tx
        .prepare_cached(
            "INSERT INTO device_log_run (device, owner, log, began, before, before_hash,
                 before_time, last, last_hash, last_time, missing, declared, received_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?5, ?6, ?7, ?8, ?9, ?10) RETURNING id",
        )?
        .query_row(
            params![
                device,
                owner,
                known.log.0,
                known.began.code(),
                to_i64(known.before.sequence),
                known.before.hash.as_bytes(),
                known.before.time,
                to_i64(missing),
                to_i64(declared),
                now.0
            ],
            |row| row.get(0),
        )?)
}

/// Puts down that a stretch goes on to a place.
pub(crate) fn set_last(tx: &Tx<'_>, run: i64, last: &LogPlace) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "UPDATE device_log_run SET last = ?2, last_hash = ?3, last_time = ?4 WHERE id = ?1",
    )?
    .execute(params![run, to_i64(last.sequence), last.hash.as_bytes(), last.time])?;
    Ok(())
}

/// Keeps an entry.
pub(crate) fn insert(
    tx: &Tx<'_>,
    (device, owner): (i64, i64),
    run: i64,
    read: &EntryRead,
    (door, audit): (u8, Option<u64>),
    now: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO device_log_entry (run, device, owner, sequence, time, entry, hash,
             received_at, door, audit)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        run,
        device,
        owner,
        to_i64(read.place.sequence),
        read.place.time,
        read.bytes,
        read.place.hash.as_bytes(),
        now.0,
        door,
        audit.map(to_i64)
    ])?;
    Ok(())
}

/// The stretch to which an entry was put last.
pub(crate) fn newest(connection: &Connection, device: i64) -> Result<Option<i64>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT run FROM device_log_entry WHERE device = ?1 ORDER BY id DESC LIMIT 1",
        )?
        .query_row([device], |row| row.get(0))
        .optional()?)
}

/// How many entries are kept, and what came in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) owner: i64,
    pub(crate) kept: i64,
    pub(crate) hour: i64,
    /// security events
    pub(crate) told: i64,
    /// that had none of their own
    pub(crate) silent: i64,
    /// entries
    pub(crate) came: i64,
    /// stretches
    pub(crate) begun: i64,
}

const COUNTS: &str = "log.owner, log.kept, log.hour, log.told, log.silent, log.came, log.begun";

fn read_counts(row: &Row<'_>) -> rusqlite::Result<Counts> {
    Ok(Counts {
        owner: row.get(0)?,
        kept: row.get(1)?,
        hour: row.get(2)?,
        told: row.get(3)?,
        silent: row.get(4)?,
        came: row.get(5)?,
        begun: row.get(6)?,
    })
}

pub(crate) fn counts(connection: &Connection, device: i64) -> Result<Option<Counts>, ServiceError> {
    let sql = format!("SELECT {COUNTS} FROM device_log AS log WHERE device = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([device], read_counts).optional()?)
}

pub(crate) fn set_counts(tx: &Tx<'_>, device: i64, counts: &Counts) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO device_log (device, owner, kept, hour, told, silent, came, begun)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (device) DO UPDATE SET owner = excluded.owner, kept = excluded.kept,
             hour = excluded.hour, told = excluded.told, silent = excluded.silent,
             came = excluded.came, begun = excluded.begun",
    )?
    .execute(params![
        device,
        counts.owner,
        counts.kept,
        counts.hour,
        counts.told,
        counts.silent,
        counts.came,
        counts.begun
    ])?;
    Ok(())
}

/// Lets the oldest entries of a device go until `keep` are left.
pub(crate) fn trim(tx: &Tx<'_>, device: i64, keep: usize) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "DELETE FROM device_log_entry WHERE device = ?1 AND
             id <= (SELECT id FROM device_log_entry WHERE device = ?1
                    ORDER BY id DESC LIMIT 1 OFFSET ?2)",
    )?
    .execute(params![device, limit_of(keep)])?;
    Ok(())
}

/// Lets a stretch go with its entries.
pub(crate) fn drop_run(tx: &Tx<'_>, run: i64) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM device_log_entry WHERE run = ?1")?.execute([run])?;
    tx.prepare_cached("DELETE FROM device_log_run WHERE id = ?1")?.execute([run])?;
    Ok(())
}

/// How many entries of a device are kept.
pub(crate) fn kept(connection: &Connection, device: i64) -> Result<i64, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT count(*) FROM device_log_entry WHERE device = ?1")?
        .query_row([device], |row| row.get(0))?)
}

/// Devices, by row and id, of whose log something stayed silent in an hour that is over.
pub(crate) fn silent(
    connection: &Connection,
    hour: i64,
    limit: usize,
) -> Result<Vec<(i64, [u8; 16], Counts)>, ServiceError> {
    let sql = format!(
        "SELECT {COUNTS}, log.device, device.device_id
         FROM device_log AS log JOIN device ON device.id = log.device
         WHERE log.silent > 0 AND log.hour < ?1 ORDER BY log.hour LIMIT ?2"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![hour, limit_of(limit)], |row| {
        Ok((row.get(7)?, row.get(8)?, read_counts(row)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether there are such devices.
pub(crate) fn is_silent(connection: &Connection, hour: i64) -> Result<bool, ServiceError> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM device_log WHERE silent > 0 AND hour < ?1)";
    Ok(connection.prepare_cached(SQL)?.query_row([hour], |row| row.get(0))?)
}

/// An entry on record.
#[derive(Debug, Clone)]
pub(crate) struct EntryRow {
    pub(crate) id: i64,
    pub(crate) run: i64,
    pub(crate) sequence: u64,
    pub(crate) time: i64,
    pub(crate) entry: Vec<u8>,
    pub(crate) hash: Sha256,
    pub(crate) received_at: UnixTime,
    pub(crate) door: u8,
    pub(crate) audit: Option<u64>,
}

/// An entry with the security event that tells of it.
pub(crate) type ToldEntry = (EntryRow, Option<Vec<u8>>);

/// Entries of a device under one owner, the newest first.
pub(crate) fn entries(
    connection: &Connection,
    (device, owner): (i64, i64),
    before: i64,
    limit: usize,
) -> Result<Vec<EntryRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, run, sequence, time, entry, hash, received_at, door, audit
         FROM device_log_entry WHERE device = ?1 AND owner = ?2 AND id < ?3
         ORDER BY id DESC LIMIT ?4",
    )?;
    let rows = statement.query_map(params![device, owner, before, limit_of(limit)], entry)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The entries of a stretch in their order, each with the security event that tells of it.
pub(crate) fn entries_of(
    connection: &Connection,
    run: i64,
) -> Result<Vec<ToldEntry>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT entry.id, run, sequence, time, entry.entry, entry.hash, received_at, door,
             entry.audit, audit.event
         FROM device_log_entry AS entry LEFT JOIN audit ON audit.seq = entry.audit
         WHERE run = ?1 ORDER BY sequence",
    )?;
    let rows = statement.query_map([run], |row| Ok((entry(row)?, row.get(9)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<EntryRow> {
    Ok(EntryRow {
        id: row.get(0)?,
        run: row.get(1)?,
        sequence: unsigned(row, 2)?,
        time: row.get(3)?,
        entry: row.get(4)?,
        hash: hash(row, 5)?,
        received_at: UnixTime(row.get(6)?),
        door: row.get(7)?,
        audit: row.get::<_, Option<i64>>(8)?.map(i64::unsigned_abs),
    })
}
