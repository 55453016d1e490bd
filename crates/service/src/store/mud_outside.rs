//! Connections of devices that leave the usage descriptions of their product lines.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// Days of which it is kept how often there were such connections.
pub(crate) const DAYS_KEPT: i64 = 30;

/// A connection of a device that its file does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutsideRow {
    pub(crate) id: i64,
    pub(crate) connection: String,
    /// 1 the device itself, 2 its owner
    pub(crate) told_by: u8,
    pub(crate) times: u64,
    pub(crate) first_at: UnixTime,
    pub(crate) last_at: UnixTime,
    /// when a security event last said so
    pub(crate) told_at: Option<UnixTime>,
    /// which version of the file did not allow it when it was told of last
    pub(crate) version: Option<u64>,
    /// the device's product line
    pub(crate) product: Option<i64>,
}

/// The same with its device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutsideOfRow {
    pub(crate) row: OutsideRow,
    pub(crate) device_id: [u8; 16],
    pub(crate) serial_number: String,
}

/// A connection to be counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewOutside<'a> {
    pub(crate) device: i64,
    pub(crate) owner: i64,
    pub(crate) product: i64,
    pub(crate) connection: &'a str,
    pub(crate) times: u32,
    pub(crate) told_by: u8,
    pub(crate) version: u64,
}

/// What of an owner's devices of a product line was told of on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DayRow {
    /// days since 1970, UTC
    pub(crate) day: i64,
    pub(crate) told_by: u8,
    pub(crate) times: u64,
}

const COLUMNS: &str = "mud_outside.id, connection, told_by, times, first_at, last_at, told_at,
    version, mud_outside.product";

fn read(row: &Row<'_>) -> rusqlite::Result<OutsideRow> {
    Ok(OutsideRow {
        id: row.get(0)?,
        connection: row.get(1)?,
        told_by: row.get(2)?,
        times: row.get::<_, i64>(3)?.unsigned_abs(),
        first_at: UnixTime(row.get(4)?),
        last_at: UnixTime(row.get(5)?),
        told_at: row.get::<_, Option<i64>>(6)?.map(UnixTime),
        version: row.get::<_, Option<i64>>(7)?.map(i64::unsigned_abs),
        product: row.get(8)?,
    })
}

/// What a device's connections left its file by, as long as it is this owner's: the newest first.
pub(crate) fn outside(
    connection: &Connection,
    (device, owner): (i64, i64),
    limit: usize,
) -> Result<Vec<OutsideRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM mud_outside WHERE device = ?1 AND owner = ?2
         ORDER BY last_at DESC, id DESC LIMIT ?3"
    ))?;
    let rows = statement.query_map([device, owner, limit_of(limit)], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The same of all devices of an owner, or of those of one product line, below a row: what was found last
/// comes first.
pub(crate) fn outside_of(
    connection: &Connection,
    owner: i64,
    product: Option<i64>,
    before: i64,
    limit: usize,
) -> Result<Vec<OutsideOfRow>, ServiceError> {
    // Two statements, so that each goes by its index.
    let line = if product.is_some() { "AND mud_outside.product = ?4" } else { "AND ?4 IS NULL" };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS}, device_id, serial_number FROM mud_outside
         CROSS JOIN device ON device.id = mud_outside.device
         WHERE mud_outside.owner = ?1 AND mud_outside.id < ?2 {line}
         ORDER BY mud_outside.id DESC LIMIT ?3"
    ))?;
    let rows = statement.query_map(params![owner, before, limit_of(limit), product], |row| {
        Ok(OutsideOfRow { row: read(row)?, device_id: row.get(9)?, serial_number: row.get(10)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Product lines of which such connections of an owner's devices were told of within the days that are kept.
pub(crate) fn lines_of(
    connection: &Connection,
    owner: i64,
    limit: usize,
) -> Result<Vec<(String, String)>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT organisation.slug, product.slug FROM mud_outside_day
         JOIN product ON product.id = mud_outside_day.product
         JOIN organisation ON organisation.id = product.organisation
         WHERE mud_outside_day.owner = ?1 ORDER BY 1, 2 LIMIT ?2",
    )?;
    let rows = statement
        .query_map(params![owner, limit_of(limit)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How often, by day and by whose word, from a day on; of all product lines, or of one.
pub(crate) fn days(
    connection: &Connection,
    owner: i64,
    product: Option<i64>,
    from: i64,
) -> Result<Vec<DayRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT day, told_by, sum(times) FROM mud_outside_day
         WHERE owner = ?1 AND day >= ?2 AND (?3 IS NULL OR product = ?3)
         GROUP BY day, told_by ORDER BY day, told_by",
    )?;
    let rows = statement.query_map(params![owner, from, product], |row| {
        let times = row.get::<_, i64>(2)?.unsigned_abs();
        Ok(DayRow { day: row.get(0)?, told_by: row.get(1)?, times })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Counts a connection; the row as it was counted.
pub(crate) fn count(
    tx: &Tx<'_>,
    new: &NewOutside<'_>,
    at: UnixTime,
) -> Result<OutsideRow, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO mud_outside
             (device, owner, product, connection, told_by, times, first_at, last_at, version)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8)
         ON CONFLICT (device, connection, told_by) DO UPDATE SET times = times + excluded.times,
             last_at = excluded.last_at, product = excluded.product, version = excluded.version",
    )?
    .execute(params![
        new.device,
        new.owner,
        new.product,
        new.connection,
        new.told_by,
        new.times,
        at.0,
        to_i64(new.version)
    ])?;
    let day = at.0.div_euclid(86_400);
    tx.prepare_cached(
        "INSERT INTO mud_outside_day (owner, product, told_by, day, times)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (owner, product, told_by, day) DO UPDATE SET times = times + excluded.times",
    )?
    .execute(params![new.owner, new.product, new.told_by, day, new.times])?;
    tx.prepare_cached(
        "DELETE FROM mud_outside_day WHERE owner = ?1 AND product = ?2 AND told_by = ?3 AND day <= ?4",
    )?
    .execute(params![new.owner, new.product, new.told_by, day.saturating_sub(DAYS_KEPT)])?;
    Ok(tx
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM mud_outside
             WHERE device = ?1 AND connection = ?2 AND told_by = ?3"
        ))?
        .query_row(params![new.device, new.connection, new.told_by], read)?)
}

/// Notes that a security event said so.
pub(crate) fn set_told(tx: &Tx<'_>, id: i64, at: UnixTime) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE mud_outside SET told_at = ?2 WHERE id = ?1")?.execute([id, at.0])?;
    Ok(())
}

/// Keeps the newest rows of a device by somebody's word.
pub(crate) fn trim_outside(
    tx: &Tx<'_>,
    (device, told_by): (i64, u8),
    keep: usize,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "DELETE FROM mud_outside WHERE device = ?1 AND told_by = ?2 AND id NOT IN
             (SELECT id FROM mud_outside WHERE device = ?1 AND told_by = ?2
              ORDER BY last_at DESC, id DESC LIMIT ?3)",
    )?
    .execute(params![device, told_by, limit_of(keep)])?;
    Ok(())
}

/// How many security events a device's connections made in an hour, by somebody's word.
pub(crate) fn told_in(
    connection: &Connection,
    (device, told_by): (i64, u8),
    hour: i64,
) -> Result<u32, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT told FROM mud_told WHERE device = ?1 AND told_by = ?2 AND hour = ?3",
        )?
        .query_row(params![device, told_by, hour], |row| row.get(0))
        .optional()?
        .unwrap_or(0))
}

pub(crate) fn set_told_in(
    tx: &Tx<'_>,
    (device, told_by): (i64, u8),
    hour: i64,
    told: u32,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO mud_told (device, told_by, hour, told) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (device, told_by) DO UPDATE SET hour = excluded.hour, told = excluded.told",
    )?
    .execute(params![device, told_by, hour, told])?;
    Ok(())
}
