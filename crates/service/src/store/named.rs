//! What a text names among the devices that a search may find at all: by number, id, key,
//! certificate, or by what their serial number begins with.
//!
//! INVARIANT: devices that the search may not find decide nothing, neither what is found nor how a
//! text is read, or a text would tell whether a stranger has such a device. They cost time, which
//! is bounded; where the bound is met, the text is looked for in the search's own list.

use super::search::{
    CANDIDATES_MAX, GATHERED_MAX, NO_PRODUCT, Relation, TextFilter, Wanted, after, fits,
    next_product,
};
use crate::ServiceError;
use crypto::Sha256;
use rusqlite::{Connection, Params, params};

/// What a look at a row by itself costs, in rows of an index.
const LOOK: usize = 4;

/// What a text may name: devices by number, id, key, certificate; else a part of a serial number.
pub(crate) struct Recognised {
    pub(crate) management: Option<String>,
    /// first and last device id of a range
    pub(crate) device_ids: Option<([u8; 16], [u8; 16])>,
    pub(crate) fingerprint: Option<Sha256>,
    pub(crate) certificate_serial: Option<Vec<u8>>,
    pub(crate) serial: String,
}

/// Devices whose serial number begins as wanted.
enum Begun {
    /// these and no others
    These(Vec<i64>),
    /// some, more than are gathered
    Many,
    /// none was met before enough was looked at
    Unknown,
}

/// A device of a small list.
struct Own {
    id: i64,
    device: [u8; 16],
    serial: String,
}

/// Finds what a text names, where `wanted` has everything but the text.
pub(crate) fn named(
    connection: &Connection,
    text: &Recognised,
    wanted: &Wanted,
) -> Result<TextFilter, ServiceError> {
    let mut found = by_number(connection, text, wanted)?;
    let part = text.serial.to_ascii_lowercase();
    let begun = match few_own(connection, wanted)? {
        // All that could be meant is at hand: nothing else is looked at.
        Some(own) => {
            if let Some((first, last)) = &text.device_ids {
                let within = own.iter().filter(|own| (first..=last).contains(&&own.device));
                found.extend(among(connection, wanted, within)?);
            }
            let begins = own.iter().filter(|own| own.serial.starts_with(&text.serial));
            let begins = among(connection, wanted, begins)?;
            if found.is_empty() && begins.is_empty() {
                let has = own.iter().filter(|own| own.serial.to_ascii_lowercase().contains(&part));
                return Ok(TextFilter::Devices(among(connection, wanted, has)?));
            }
            Begun::These(begins)
        }
        None => {
            if let Some(range) = &text.device_ids {
                found.extend(by_id(connection, wanted, range)?);
            }
            by_prefix(connection, &text.serial, wanted)?
        }
    };
    Ok(match begun {
        Begun::These(more) if found.is_empty() && more.is_empty() => TextFilter::Contains(part),
        Begun::These(more) => {
            found.extend(more);
            TextFilter::Devices(found)
        }
        // Everything that begins so has it somewhere, too.
        Begun::Unknown if found.is_empty() => TextFilter::Contains(part),
        Begun::Many | Begun::Unknown => TextFilter::Prefix(text.serial.clone(), found),
    })
}

/// By management number, key, certificate.
fn by_number(
    connection: &Connection,
    text: &Recognised,
    wanted: &Wanted,
) -> Result<Vec<i64>, ServiceError> {
    let mut named: Vec<i64> = Vec::new();
    if let Some(number) = &text.management {
        named.extend(rows(connection, "SELECT id FROM device WHERE management = ?1", [number])?);
    }
    if let Some(fingerprint) = &text.fingerprint {
        let short = super::certificate::short_key(fingerprint);
        for column in ["fingerprint", "subject_key"] {
            let sql = format!(
                "SELECT device FROM certificate WHERE {column} = ?1 AND {column} IS NOT NULL
                   AND device IS NOT NULL AND status != 4 LIMIT 1000"
            );
            named.extend(rows(connection, &sql, [short])?);
        }
    }
    if let Some(serial) = &text.certificate_serial {
        let sql = "SELECT device FROM ca CROSS JOIN certificate
                     WHERE certificate.ca = ca.id AND certificate.serial = ?1 AND device IS NOT NULL
                     AND certificate.status != 4 LIMIT 1000";
        named.extend(rows(connection, sql, [serial])?);
    }
    let mut found = Vec::new();
    for id in named {
        if fits(connection, wanted, id)?.is_some() {
            found.push(id);
        }
    }
    Ok(found)
}

/// The whole list that is searched, where it is small.
fn few_own(connection: &Connection, wanted: &Wanted) -> Result<Option<Vec<Own>>, ServiceError> {
    let from = match wanted.relation {
        Relation::Owner => "device WHERE owner = ?1",
        Relation::Maker => "device WHERE maker = ?1",
        Relation::Shared => {
            "share CROSS JOIN device ON device.id = share.device WHERE share.organisation = ?1"
        }
        Relation::Offered => {
            "offer CROSS JOIN device ON device.id = offer.device WHERE offer.organisation = ?1"
        }
    };
    let sql = format!("SELECT device.id, device.device_id, device.serial_number FROM {from}");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([wanted.organisation])?;
    let mut own = Vec::new();
    while let Some(row) = rows.next()? {
        if own.len() >= CANDIDATES_MAX {
            return Ok(None);
        }
        own.push(Own { id: row.get(0)?, device: row.get(1)?, serial: row.get(2)? });
    }
    Ok(Some(own))
}

fn among<'a>(
    connection: &Connection,
    wanted: &Wanted,
    some: impl Iterator<Item = &'a Own>,
) -> Result<Vec<i64>, ServiceError> {
    let mut found = Vec::new();
    for own in some {
        if fits(connection, wanted, own.id)?.is_some() {
            found.push(own.id);
        }
    }
    Ok(found)
}

fn by_id(
    connection: &Connection,
    wanted: &Wanted,
    (first, last): &([u8; 16], [u8; 16]),
) -> Result<Vec<i64>, ServiceError> {
    let sql = "SELECT id FROM device WHERE device_id BETWEEN ?1 AND ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![first, last])?;
    let (mut found, mut looked) = (Vec::new(), 0);
    while let Some(row) = rows.next()?
        && looked < GATHERED_MAX
        && found.len() < CANDIDATES_MAX
    {
        looked += LOOK;
        let id = row.get(0)?;
        if fits(connection, wanted, id)?.is_some() {
            found.push(id);
        }
    }
    Ok(found)
}

/// Devices whose serial number begins so, product line by product line.
fn by_prefix(
    connection: &Connection,
    prefix: &str,
    wanted: &Wanted,
) -> Result<Begun, ServiceError> {
    let last = format!("{prefix}\u{10ffff}");
    let mut found = Vec::new();
    let (mut place, mut looked) = (i64::MIN, 0);
    let enough = |found: &[i64]| if found.is_empty() { Begun::Unknown } else { Begun::Many };
    while let Some(product) = next_product(connection, wanted, place, false)? {
        let which =
            if product == NO_PRODUCT { "product IS NULL AND ?1 = ?1" } else { "product = ?1" };
        let sql = format!(
            "SELECT id, owner, maker FROM device
             WHERE {which} AND serial_number >= ?2 AND serial_number < ?3"
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![product, prefix, last])?;
        looked += LOOK;
        while let Some(row) = rows.next()? {
            looked += 1;
            let whose: Option<i64> = match wanted.relation {
                Relation::Owner => Some(row.get(1)?),
                Relation::Maker => Some(row.get(2)?),
                Relation::Shared | Relation::Offered => None,
            };
            if whose.is_none_or(|whose| whose == wanted.organisation) {
                looked += LOOK;
                let id = row.get(0)?;
                if fits(connection, wanted, id)?.is_some() {
                    found.push(id);
                }
            }
            if found.len() > CANDIDATES_MAX || looked > GATHERED_MAX {
                return Ok(enough(&found));
            }
        }
        if looked > GATHERED_MAX {
            return Ok(enough(&found));
        }
        match after(product, false) {
            Some(next) => place = next,
            None => break,
        }
    }
    Ok(Begun::These(found))
}

fn rows(connection: &Connection, sql: &str, values: impl Params) -> Result<Vec<i64>, ServiceError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(values, |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
