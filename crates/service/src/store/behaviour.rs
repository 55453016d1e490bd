//! Profiles of what devices usually do.

use super::{Tx, organisation::limit_of};
use crate::ServiceError;
use behaviour::{
    DeviceProfile, Phase, ProductProfile, read_device, read_product, write_device, write_product,
};
use crypto::UnixTime;
use device::{Phase as Life, StandingKind};
use rusqlite::{Connection, OptionalExtension as _, params};

/// A device whose profile is kept.
#[derive(Debug, Clone)]
pub(crate) struct DeviceRow {
    pub(crate) device: i64,
    pub(crate) organisation: i64,
    pub(crate) line: String,
    pub(crate) profile: DeviceProfile,
}

fn damaged(error: &behaviour::BehaviourError) -> ServiceError {
    ServiceError::fatal("store-damaged", format!("a profile of behaviour is damaged: {error}"))
}

/// The profile of a product line of an owner.
pub(crate) fn product(
    connection: &Connection,
    organisation: i64,
    line: &str,
) -> Result<Option<ProductProfile>, ServiceError> {
    let body: Option<String> = connection
        .prepare_cached("SELECT body FROM behaviour_product WHERE organisation = ?1 AND line = ?2")?
        .query_row(params![organisation, line], |row| row.get(0))
        .optional()?;
    body.map(|body| read_product(&body).map_err(|error| damaged(&error))).transpose()
}

/// The profiles of an owner, by line, after one.
pub(crate) fn products(
    connection: &Connection,
    organisation: i64,
    after: &str,
    limit: usize,
) -> Result<Vec<(String, ProductProfile)>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT line, body FROM behaviour_product
         WHERE organisation = ?1 AND line > ?2 ORDER BY line LIMIT ?3",
    )?;
    let rows = statement.query_map(params![organisation, after, limit_of(limit)], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    })?;
    rows.map(|row| {
        let (line, body) = row?;
        Ok((line, read_product(&body).map_err(|error| damaged(&error))?))
    })
    .collect()
}

/// Profiles that end learning by themselves by a time: owner and line.
pub(crate) fn ending(
    connection: &Connection,
    now: UnixTime,
    limit: usize,
) -> Result<Vec<(i64, String)>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT organisation, line FROM behaviour_product
         WHERE ends_at <= ?1 ORDER BY ends_at LIMIT ?2",
    )?;
    let rows =
        statement.query_map([now.0, limit_of(limit)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Keeps the profile of a product line.
pub(crate) fn put_product(
    tx: &Tx<'_>,
    (organisation, line): (i64, &str),
    profile: &ProductProfile,
) -> Result<(), ServiceError> {
    let ends_at = match profile.phase() {
        // One that learned nothing goes on.
        Phase::Learning { until } if profile.devices() > 0 => Some(until.0),
        _ => None,
    };
    tx.prepare_cached(
        "INSERT INTO behaviour_product (organisation, line, body, ends_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (organisation, line) DO UPDATE SET body = ?3, ends_at = ?4",
    )?
    .execute(params![organisation, line, write_product(profile), ends_at])?;
    Ok(())
}

/// The profile of a device, whoever's it was.
pub(crate) fn device(
    connection: &Connection,
    device: i64,
) -> Result<Option<DeviceRow>, ServiceError> {
    let found = connection
        .prepare_cached("SELECT organisation, line, body FROM behaviour_device WHERE device = ?1")?
        .query_row([device], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?)))
        .optional()?;
    let Some((organisation, line, body)) = found else { return Ok(None) };
    let profile = read_device(&body).map_err(|error| damaged(&error))?;
    Ok(Some(DeviceRow { device, organisation, line, profile }))
}

/// Keeps the profile of a device.
pub(crate) fn put_device(tx: &Tx<'_>, row: &DeviceRow, hourly: bool) -> Result<(), ServiceError> {
    let deviated = row.profile.deviations().map(|it| it.last_at.0).max();
    tx.prepare_cached(
        "INSERT INTO behaviour_device
            (device, organisation, line, body, last_at, hourly, deviated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (device) DO UPDATE SET organisation = ?2, line = ?3, body = ?4, last_at = ?5,
            hourly = ?6, deviated_at = ?7",
    )?
    .execute(params![
        row.device,
        row.organisation,
        row.line,
        write_device(&row.profile),
        row.profile.seen().1.0,
        hourly,
        deviated
    ])?;
    Ok(())
}

/// Devices of a product line of an owner, after a row: device id and profile.
pub(crate) fn devices(
    connection: &Connection,
    (organisation, line): (i64, &str),
    after: i64,
    limit: usize,
) -> Result<Vec<([u8; 16], DeviceRow)>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT d.device_id, b.device, b.body FROM behaviour_device b JOIN device d ON d.id = b.device
         WHERE b.organisation = ?1 AND b.line = ?2 AND b.device > ?3 AND d.owner = ?1
         ORDER BY b.device LIMIT ?4",
    )?;
    let rows = statement.query_map(params![organisation, line, after, limit_of(limit)], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?))
    })?;
    rows.map(|row| {
        let (id, device, body) = row?;
        let profile = read_device(&body).map_err(|error| damaged(&error))?;
        Ok((id, DeviceRow { device, organisation, line: line.to_owned(), profile }))
    })
    .collect()
}

/// Devices that something comes of each hour, and of which nothing came since a time; those that stand
/// well, and are still the owner's; after a time and row, by both. Device id, row, and time.
pub(crate) fn gone(
    connection: &Connection,
    (after, row): (i64, i64),
    before: UnixTime,
    limit: usize,
) -> Result<Vec<([u8; 16], i64, i64)>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT d.device_id, b.device, b.last_at
         FROM behaviour_device b JOIN device d ON d.id = b.device
         WHERE b.hourly = 1 AND b.last_at < ?1 AND (b.last_at, b.device) > (?2, ?3)
           AND d.owner = b.organisation AND d.standing = ?4 AND d.phase NOT IN (?5, ?6)
         ORDER BY b.last_at, b.device LIMIT ?7",
    )?;
    let good = StandingKind::Good.code();
    let (retired, disposed) = (Life::Retired.code(), Life::Disposed.code());
    let all = params![before.0, after, row, good, retired, disposed, limit_of(limit)];
    let rows = statement.query_map(all, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When anything came last of any.
pub(crate) fn newest(connection: &Connection) -> Result<Option<UnixTime>, ServiceError> {
    let newest = connection
        .prepare_cached("SELECT last_at FROM behaviour_device ORDER BY last_at DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(newest.map(UnixTime))
}

/// Whether there is any that nothing came of since a time.
pub(crate) fn is_stale(connection: &Connection, before: UnixTime) -> Result<bool, ServiceError> {
    let oldest: Option<i64> = connection
        .prepare_cached("SELECT last_at FROM behaviour_device ORDER BY last_at LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(oldest.is_some_and(|oldest| oldest < before.0))
}

/// Forgets devices that nothing came of since a time.
pub(crate) fn forget(tx: &Tx<'_>, before: UnixTime, limit: usize) -> Result<usize, ServiceError> {
    Ok(tx
        .prepare_cached(
            "DELETE FROM behaviour_device WHERE device IN
             (SELECT device FROM behaviour_device WHERE last_at < ?1 ORDER BY last_at LIMIT ?2)",
        )?
        .execute(params![before.0, limit_of(limit)])?)
}
