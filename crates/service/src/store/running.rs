//! Which devices run which version of their product's software, by what they said last.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, params};

/// How an organisation stands to devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stands {
    /// it owns them
    Owner(i64),
    /// it made them
    Maker(i64),
}

impl Stands {
    fn parts(self) -> (&'static str, i64) {
        match self {
            Self::Owner(organisation) => ("owner", organisation),
            Self::Maker(organisation) => ("maker", organisation),
        }
    }

    /// As it is stored.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Owner(_) => 1,
            Self::Maker(_) => 2,
        }
    }
}

/// How many devices run each version: product, version, devices. Retired and disposed ones count
/// for nothing. Kept by triggers (0010.sql), so that nobody counts devices.
pub(crate) fn versions(
    connection: &Connection,
    stands: Stands,
) -> Result<Vec<(i64, String, u64)>, ServiceError> {
    let (_, organisation) = stands.parts();
    let mut statement = connection.prepare_cached(
        "SELECT product, version, devices FROM running
         WHERE stands = ?1 AND organisation = ?2 AND devices > 0 ORDER BY product, version",
    )?;
    let rows = statement.query_map(params![stands.number(), organisation], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs()))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A device that runs a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunningRow {
    /// row of the device
    pub(crate) id: i64,
    pub(crate) device: [u8; 16],
    pub(crate) owner: i64,
    pub(crate) serial_number: String,
    pub(crate) since: UnixTime,
    pub(crate) seen_at: UnixTime,
}

/// Devices of a product that run a version, after a row.
pub(crate) fn devices(
    connection: &Connection,
    stands: Stands,
    (product, version): (i64, &str),
    phases: [u8; 2],
    after: i64,
    limit: usize,
) -> Result<Vec<RunningRow>, ServiceError> {
    let (column, organisation) = stands.parts();
    let mut statement = connection.prepare_cached(&format!(
        "SELECT d.id, d.device_id, d.owner, d.serial_number, s.since, s.seen_at
         FROM device_software s CROSS JOIN device d ON d.id = s.device
         WHERE s.version = ?1 AND s.device > ?2 AND d.product = ?3 AND d.{column} = ?4
           AND d.phase NOT IN (?5, ?6)
         ORDER BY s.device LIMIT ?7"
    ))?;
    let all = params![version, after, product, organisation, phases[0], phases[1], limit_of(limit)];
    let rows = statement.query_map(all, |row| {
        Ok(RunningRow {
            id: row.get(0)?,
            device: row.get(1)?,
            owner: row.get(2)?,
            serial_number: row.get(3)?,
            since: UnixTime(row.get(4)?),
            seen_at: UnixTime(row.get(5)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many devices of a product run a version.
pub(crate) fn count(
    connection: &Connection,
    stands: Stands,
    (product, version): (i64, &str),
) -> Result<u64, ServiceError> {
    let (_, organisation) = stands.parts();
    let count: Option<i64> = connection
        .prepare_cached(
            "SELECT devices FROM running
             WHERE stands = ?1 AND organisation = ?2 AND product = ?3 AND version = ?4",
        )?
        .query_row(params![stands.number(), organisation, product, version], |row| row.get(0))
        .optional()?;
    Ok(count.map_or(0, |count| u64::try_from(count).unwrap_or(0)))
}

/// What was counted on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DayRow {
    /// seconds since 1970, at midnight
    pub(crate) day: UnixTime,
    pub(crate) affected: u64,
    pub(crate) devices: u64,
}

pub(crate) fn set_day(
    tx: &Tx<'_>,
    stands: Stands,
    name: &str,
    row: &DayRow,
) -> Result<(), ServiceError> {
    let (_, organisation) = stands.parts();
    tx.prepare_cached("INSERT OR REPLACE INTO vulnerability_day VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![
            organisation,
            stands.number(),
            name,
            row.day.0,
            to_i64(row.affected),
            to_i64(row.devices)
        ])?;
    Ok(())
}

/// What was counted, the oldest day first.
pub(crate) fn days(
    connection: &Connection,
    stands: Stands,
    name: &str,
    from: UnixTime,
) -> Result<Vec<DayRow>, ServiceError> {
    let (_, organisation) = stands.parts();
    let mut statement = connection.prepare_cached(
        "SELECT day, affected, devices FROM vulnerability_day
         WHERE organisation = ?1 AND stands = ?2 AND name = ?3 AND day >= ?4 ORDER BY day",
    )?;
    let all = params![organisation, stands.number(), name, from.0];
    let rows = statement.query_map(all, |row| {
        Ok(DayRow {
            day: UnixTime(row.get(0)?),
            affected: row.get::<_, i64>(1)?.unsigned_abs(),
            devices: row.get::<_, i64>(2)?.unsigned_abs(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The last that was counted of a vulnerability.
pub(crate) fn last_day(
    connection: &Connection,
    stands: Stands,
    name: &str,
) -> Result<Option<DayRow>, ServiceError> {
    let (_, organisation) = stands.parts();
    Ok(connection
        .prepare_cached(
            "SELECT day, affected, devices FROM vulnerability_day
             WHERE organisation = ?1 AND stands = ?2 AND name = ?3 ORDER BY day DESC LIMIT 1",
        )?
        .query_row(params![organisation, stands.number(), name], |row| {
            Ok(DayRow {
                day: UnixTime(row.get(0)?),
                affected: row.get::<_, i64>(1)?.unsigned_abs(),
                devices: row.get::<_, i64>(2)?.unsigned_abs(),
            })
        })
        .optional()?)
}

pub(crate) fn set_counted(
    tx: &Tx<'_>,
    organisation: i64,
    at: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached("INSERT OR REPLACE INTO vulnerability_counted VALUES (?1, ?2)")?
        .execute([organisation, at.0])?;
    Ok(())
}

/// An organisation whose figures were taken before a time, or never.
pub(crate) fn to_count(
    connection: &Connection,
    before: UnixTime,
) -> Result<Option<i64>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT o.id FROM organisation o
             LEFT JOIN vulnerability_counted c ON c.organisation = o.id
             WHERE c.at IS NULL OR c.at < ?1 ORDER BY o.id LIMIT 1",
        )?
        .query_row([before.0], |row| row.get(0))
        .optional()?)
}

/// Has the figures of an organisation taken anew: something changed.
pub(crate) fn forget_counted(tx: &Tx<'_>, organisation: i64) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM vulnerability_counted WHERE organisation = ?1")?
        .execute([organisation])?;
    Ok(())
}
