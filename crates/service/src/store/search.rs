//! Search over devices: candidates where few fit, else a walk in the order of the list that ends
//! when the page is full or enough rows were looked at. docs/fleet.md says what each filter costs.

use super::{access, organisation::limit_of};
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, Params, params};

/// Most candidates that are gathered before a search walks instead.
pub(crate) const CANDIDATES_MAX: usize = 4_000;
/// Most rows that one page looks at.
pub(crate) const EXAMINED_MAX: usize = 6_000;
/// Most rows of an index that are read to gather candidates.
pub(super) const GATHERED_MAX: usize = 20_000;
/// Rows that a walk takes at a time.
const WINDOW: usize = 512;
/// Phases as the store numbers them: 0 before the history begins, then those of the domain.
const PHASES: std::ops::RangeInclusive<u8> = 0..=9;
/// Onboarded and operation.
const IN_USE: std::ops::RangeInclusive<u8> = 5..=6;
/// Retired and disposed.
const ENDED: std::ops::RangeInclusive<u8> = 8..=9;
/// Stands for "no product line" in the order by serial number: last.
pub(crate) const NO_PRODUCT: i64 = i64::MAX;

/// In which capacity an organisation asks for devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Relation {
    #[default]
    Owner,
    Maker,
    Shared,
    /// ownership is offered to it
    Offered,
}

/// What was made of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TextFilter {
    /// it names these devices
    Devices(Vec<i64>),
    /// the serial number begins so, or it is one of these
    Prefix(String, Vec<i64>),
    /// the serial number has it somewhere, in lower case
    Contains(String),
}

/// Which verdict was last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Last {
    Outcome(u8),
    /// suspect or rejected
    Bad,
    Never,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) organisation: i64,
    pub(crate) relation: Relation,
    pub(crate) product: Option<i64>,
    pub(crate) phase: Option<u8>,
    pub(crate) standing: Option<u8>,
    pub(crate) last: Option<Last>,
    pub(crate) owner: Option<i64>,
    pub(crate) text: Option<TextFilter>,
    /// a working certificate ends before this
    pub(crate) expiring: Option<UnixTime>,
    /// neither judged nor heard of since this
    pub(crate) stale: Option<UnixTime>,
    pub(crate) alarm: bool,
    /// look-ups were a concern since this
    pub(crate) scans: Option<UnixTime>,
    /// in the field, and the product's support ends at or before this
    pub(crate) support: Option<UnixTime>,
    /// said last that it runs one of these; empty: whatever it runs
    pub(crate) runs: Vec<String>,
    pub(crate) now: UnixTime,
}

/// Order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Order {
    /// newest first
    #[default]
    Newest,
    /// by product line, then serial number
    Serial,
}

/// Where in a list something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Row(i64),
    Serial(i64, String),
}

/// Part of a list, in the order of reading: for a page backwards the last comes first.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) hits: Vec<(i64, Place)>,
    /// there is at least one more
    pub(crate) more: bool,
    /// how far it looked, where it stopped before the end and before the page was full
    pub(crate) stopped: Option<Place>,
}

/// What filters ask of a device.
pub(super) struct Slim {
    product: Option<i64>,
    serial: String,
    maker: i64,
    owner: i64,
    phase: u8,
    standing: u8,
}

fn slim(connection: &Connection, id: i64) -> Result<Option<Slim>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT product, serial_number, maker, owner, phase, standing
             FROM device WHERE id = ?1",
        )?
        .query_row([id], |row| {
            Ok(Slim {
                product: row.get(0)?,
                serial: row.get(1)?,
                maker: row.get(2)?,
                owner: row.get(3)?,
                phase: row.get(4)?,
                standing: row.get(5)?,
            })
        })
        .optional()?)
}

/// Reads a page of what is wanted: up to `limit` devices beyond `from`, forwards or backwards.
pub(crate) fn search(
    connection: &Connection,
    wanted: &Wanted,
    order: Order,
    from: Option<&Place>,
    back: bool,
    limit: usize,
) -> Result<Found, ServiceError> {
    if let Some(few) = candidates(connection, wanted, order)? {
        return sorted(connection, wanted, order, from, back, limit, few);
    }
    match order {
        Order::Newest => newest(connection, wanted, from, back, limit),
        Order::Serial => by_serial(connection, wanted, from, back, limit),
    }
}

/// Whether a device is wanted: the one place where filters and tenants are looked at.
pub(super) fn fits(
    connection: &Connection,
    wanted: &Wanted,
    id: i64,
) -> Result<Option<Slim>, ServiceError> {
    let Some(row) = slim(connection, id)? else { return Ok(None) };
    let plain = wanted.product.is_none_or(|product| row.product == Some(product))
        && wanted.phase.is_none_or(|phase| row.phase == phase)
        && wanted.standing.is_none_or(|standing| row.standing == standing)
        && wanted.owner.is_none_or(|owner| row.owner == owner)
        && match &wanted.text {
            None | Some(TextFilter::Devices(_)) => true,
            Some(TextFilter::Prefix(prefix, others)) => {
                row.serial.starts_with(prefix) || others.contains(&id)
            }
            Some(TextFilter::Contains(part)) => row.serial.to_ascii_lowercase().contains(part),
        };
    let fits = plain
        && match wanted.relation {
            Relation::Owner => row.owner == wanted.organisation,
            Relation::Maker => row.maker == wanted.organisation,
            Relation::Shared => access::is_shared(connection, id, wanted.organisation, wanted.now)?,
            Relation::Offered => exists(
                connection,
                "SELECT 1 FROM offer WHERE device = ?1 AND organisation = ?2",
                params![id, wanted.organisation],
            )?,
        }
        // Only what is in use is expected to be heard of.
        && (wanted.stale.is_none() || IN_USE.contains(&row.phase))
        && (!wanted.alarm
            || exists(connection, "SELECT 1 FROM alarm WHERE device = ?1", params![id])?)
        && match wanted.scans {
            None => true,
            Some(since) => exists(
                connection,
                "SELECT 1 FROM scan_concern WHERE device = ?1 AND last >= ?2",
                params![id, since.0],
            )?,
        }
        && match wanted.support {
            None => true,
            Some(_) if ENDED.contains(&row.phase) => false,
            Some(by) => exists(
                connection,
                "SELECT 1 FROM product WHERE id = ?1 AND support_end <= ?2",
                params![row.product, by.0],
            )?,
        }
        && (wanted.runs.is_empty() || runs_one_of(connection, &wanted.runs, id)?)
        && last_fits(connection, wanted, id)?
        && match wanted.expiring {
            None => true,
            Some(before) => exists(
                connection,
                "SELECT 1 FROM certificate WHERE device = ?1 AND status = 1 AND not_after < ?2
                   AND not_after >= ?3 AND NOT EXISTS
                    (SELECT 1 FROM certificate AS newer WHERE newer.device = ?1
                      AND newer.profile = certificate.profile AND newer.id > certificate.id
                      AND newer.status = 1)",
                params![id, before.0, wanted.now.0],
            )?,
        };
    Ok(fits.then_some(row))
}

fn runs_one_of(
    connection: &Connection,
    versions: &[String],
    id: i64,
) -> Result<bool, ServiceError> {
    let runs: Option<Option<String>> = connection
        .prepare_cached("SELECT version FROM device_software WHERE device = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    Ok(runs.flatten().is_some_and(|runs| versions.contains(&runs)))
}

fn last_fits(connection: &Connection, wanted: &Wanted, id: i64) -> Result<bool, ServiceError> {
    if wanted.last.is_none() && wanted.stale.is_none() {
        return Ok(true);
    }
    let last: Option<(u8, i64)> = connection
        .prepare_cached("SELECT outcome, at FROM last_verdict WHERE device = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let fits = match wanted.last {
        None => true,
        Some(Last::Never) => last.is_none(),
        Some(Last::Outcome(outcome)) => last.is_some_and(|(last, _)| last == outcome),
        Some(Last::Bad) => last.is_some_and(|(last, _)| last != 1),
    };
    if !fits {
        return Ok(false);
    }
    let Some(since) = wanted.stale else { return Ok(true) };
    let heard = last.is_some_and(|(_, at)| at >= since.0)
        || exists(
            connection,
            "SELECT 1 FROM proof_counter WHERE device = ?1 AND at >= ?2",
            params![id, since.0],
        )?;
    Ok(!heard)
}

fn exists(connection: &Connection, sql: &str, values: impl Params) -> Result<bool, ServiceError> {
    Ok(connection.prepare_cached(sql)?.exists(values)?)
}

/// Row numbers that a query gives; `None` where they are more than a candidate set may have.
fn few(
    connection: &Connection,
    sql: &str,
    values: impl Params,
) -> Result<Option<Vec<i64>>, ServiceError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(values, |row| row.get(0))?;
    let mut found = Vec::new();
    for row in rows {
        if found.len() >= CANDIDATES_MAX {
            return Ok(None);
        }
        found.push(row?);
    }
    Ok(Some(found))
}

/// Devices among which all that is wanted must be, where some filter leaves few.
fn candidates(
    connection: &Connection,
    wanted: &Wanted,
    order: Order,
) -> Result<Option<Vec<i64>>, ServiceError> {
    if let Some(TextFilter::Devices(devices)) = &wanted.text {
        return Ok(Some(devices.clone()));
    }
    let who = wanted.organisation;
    if wanted.relation == Relation::Offered {
        let offered = "SELECT device FROM offer WHERE organisation = ?1";
        if let Some(found) = few(connection, offered, [who])? {
            return Ok(Some(found));
        }
    }
    let column = match wanted.relation {
        Relation::Owner => Some("owner"),
        Relation::Maker => Some("maker"),
        Relation::Shared | Relation::Offered => None,
    };
    if let (Some(column), Some(standing)) = (column, wanted.standing.filter(|kind| *kind != 1)) {
        let sql = format!(
            "SELECT id FROM device WHERE {column} = ?1 AND standing = ?2 AND standing <> 1"
        );
        if let Some(found) = few(connection, &sql, params![who, standing])? {
            return Ok(Some(found));
        }
    }
    if wanted.alarm {
        let sql = "SELECT device FROM alarm";
        if let Some(found) = few(connection, sql, [])? {
            return Ok(Some(found));
        }
    }
    if let Some(since) = wanted.scans {
        let sql = "SELECT device FROM scan_concern WHERE last >= ?1";
        if let Some(found) = few(connection, sql, [since.0])? {
            return Ok(Some(found));
        }
    }
    if let Some(by) = wanted.support {
        let sql = "SELECT device.id FROM product JOIN device ON device.product = product.id
             WHERE product.support_end <= ?1";
        if let Some(found) = few(connection, sql, [by.0])? {
            return Ok(Some(found));
        }
    }
    if let (Some(column), Some(last)) = (column, wanted.last) {
        let outcomes: &[u8] = match last {
            Last::Bad => &[2, 3],
            Last::Outcome(2) => &[2],
            Last::Outcome(3) => &[3],
            Last::Outcome(_) | Last::Never => &[],
        };
        let mut all = Some(Vec::new()).filter(|_| !outcomes.is_empty());
        for outcome in outcomes {
            let sql = format!(
                "SELECT device FROM last_verdict
                 WHERE {column} = ?1 AND outcome = ?2 AND outcome <> 1"
            );
            let more = few(connection, &sql, params![who, outcome])?;
            all = all.zip(more).map(|(mut all, more)| {
                all.extend(more);
                all
            });
        }
        if let Some(found) = all {
            return Ok(Some(found));
        }
    }
    if let Some(before) = wanted.expiring
        && let Some(found) = expiring(connection, wanted.now, before)?
    {
        return Ok(Some(found));
    }
    if let (Relation::Maker | Relation::Shared, Some(owner)) = (wanted.relation, wanted.owner)
        && let Some(found) = few(connection, "SELECT id FROM device WHERE owner = ?1", [owner])?
    {
        return Ok(Some(found));
    }
    if let Some(product) = wanted.product
        && order == Order::Newest
        && let Some(found) = few(connection, "SELECT id FROM device WHERE product = ?1", [product])?
    {
        return Ok(Some(found));
    }
    if let (Some(column), Some(phase)) = (column, wanted.phase) {
        let sql = format!("SELECT id FROM device WHERE {column} = ?1 AND phase = ?2");
        if order == Order::Serial
            && let Some(found) = few(connection, &sql, params![who, phase])?
        {
            return Ok(Some(found));
        }
    }
    if order == Order::Serial && (wanted.product.is_none() || wanted.relation != Relation::Maker) {
        let sql = match wanted.relation {
            Relation::Owner => "SELECT id FROM device WHERE owner = ?1",
            Relation::Maker => "SELECT id FROM device WHERE maker = ?1",
            Relation::Shared => "SELECT device FROM share WHERE organisation = ?1",
            Relation::Offered => "SELECT device FROM offer WHERE organisation = ?1",
        };
        return few(connection, sql, [who]);
    }
    Ok(None)
}

/// Devices with a certificate that ends soon; `None` where too many do.
fn expiring(
    connection: &Connection,
    now: UnixTime,
    before: UnixTime,
) -> Result<Option<Vec<i64>>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT device, status FROM certificate INDEXED BY certificate_by_expiry
         WHERE not_after < 253402300799 AND not_after >= ?1 AND not_after < ?2
         ORDER BY not_after LIMIT ?3",
    )?;
    let rows = statement.query_map(params![now.0, before.0, limit_of(GATHERED_MAX)], |row| {
        Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, u8>(1)?))
    })?;
    let mut found = Vec::new();
    for (at, row) in rows.enumerate() {
        if let (Some(device), 1) = row? {
            found.push(device);
        }
        if at.saturating_add(1) >= GATHERED_MAX || found.len() > CANDIDATES_MAX {
            return Ok(None);
        }
    }
    Ok(Some(found))
}

/// A page from a set of candidates.
fn sorted(
    connection: &Connection,
    wanted: &Wanted,
    order: Order,
    from: Option<&Place>,
    back: bool,
    limit: usize,
    mut few: Vec<i64>,
) -> Result<Found, ServiceError> {
    few.sort_unstable_by(|a, b| b.cmp(a));
    few.dedup();
    let mut found = Found::default();
    match order {
        Order::Newest => {
            let place = match from {
                Some(Place::Row(row)) => Some(*row),
                _ => None,
            };
            let beyond = |id: &&i64| match place {
                None => true,
                Some(place) => {
                    if back {
                        **id > place
                    } else {
                        **id < place
                    }
                }
            };
            let walk: Box<dyn Iterator<Item = &i64>> =
                if back { Box::new(few.iter().rev()) } else { Box::new(few.iter()) };
            for id in walk.filter(beyond) {
                if fits(connection, wanted, *id)?.is_some() {
                    if found.hits.len() >= limit {
                        found.more = true;
                        break;
                    }
                    found.hits.push((*id, Place::Row(*id)));
                }
            }
        }
        Order::Serial => {
            let mut all = Vec::new();
            for id in few {
                if let Some(row) = fits(connection, wanted, id)? {
                    all.push((row.product.unwrap_or(NO_PRODUCT), row.serial, id));
                }
            }
            all.sort_unstable();
            if back {
                all.reverse();
            }
            let place = match from {
                Some(Place::Serial(product, serial)) => Some((*product, serial.as_str())),
                _ => None,
            };
            let beyond = |(product, serial, _): &(i64, String, i64)| match place {
                None => true,
                Some(place) => {
                    let this = (*product, serial.as_str());
                    if back { this < place } else { this > place }
                }
            };
            let mut beyond = all.into_iter().filter(beyond);
            for (product, serial, id) in beyond.by_ref().take(limit) {
                found.hits.push((id, Place::Serial(product, serial)));
            }
            found.more = beyond.next().is_some();
        }
    }
    Ok(found)
}

/// Walks by row number.
fn newest(
    connection: &Connection,
    wanted: &Wanted,
    from: Option<&Place>,
    back: bool,
    limit: usize,
) -> Result<Found, ServiceError> {
    let mut place = match from {
        Some(Place::Row(row)) => *row,
        _ if back => 0,
        _ => i64::MAX,
    };
    let mut found = Found::default();
    let mut examined = 0;
    // Most lists need no more than a page; a rare filter soon takes larger steps.
    let mut window = limit.saturating_add(1).min(WINDOW);
    while examined < EXAMINED_MAX {
        let ids = next_rows(connection, wanted, place, back, window)?;
        for id in &ids {
            place = *id;
            examined += 1;
            if fits(connection, wanted, *id)?.is_some() {
                if found.hits.len() >= limit {
                    found.more = true;
                    return Ok(found);
                }
                found.hits.push((*id, Place::Row(*id)));
            }
        }
        if ids.len() < window {
            return Ok(found);
        }
        window = WINDOW;
    }
    found.stopped = Some(Place::Row(place));
    Ok(found)
}

/// The next row numbers of an organisation's devices: each phase is a range of an index, the ranges
/// are merged.
fn next_rows(
    connection: &Connection,
    wanted: &Wanted,
    place: i64,
    back: bool,
    window: usize,
) -> Result<Vec<i64>, ServiceError> {
    let (beyond, order) = if back { (">", "ASC") } else { ("<", "DESC") };
    let single = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<Vec<i64>, ServiceError> {
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map(values, |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    };
    let (who, most) = (wanted.organisation, limit_of(window));
    let column = match wanted.relation {
        Relation::Owner => "owner",
        Relation::Maker => "maker",
        Relation::Shared | Relation::Offered => {
            let table = if wanted.relation == Relation::Shared { "share" } else { "offer" };
            let sql = format!(
                "SELECT device FROM {table} WHERE organisation = ?1 AND device {beyond} ?2
                 ORDER BY device {order} LIMIT ?3"
            );
            return single(&sql, &[&who, &place, &most]);
        }
    };
    let sql = format!(
        "SELECT id FROM device WHERE {column} = ?1 AND phase = ?2 AND id {beyond} ?3
         ORDER BY id {order} LIMIT ?4"
    );
    let mut ids = Vec::new();
    let phases = match wanted.phase {
        Some(phase) => phase..=phase,
        None if wanted.stale.is_some() => IN_USE,
        None => PHASES,
    };
    for phase in phases {
        ids.extend(single(&sql, &[&who, &phase, &place, &most])?);
    }
    if back {
        ids.sort_unstable();
    } else {
        ids.sort_unstable_by(|a, b| b.cmp(a));
    }
    ids.truncate(window);
    Ok(ids)
}

/// Walks by product line and serial number.
fn by_serial(
    connection: &Connection,
    wanted: &Wanted,
    from: Option<&Place>,
    back: bool,
    limit: usize,
) -> Result<Found, ServiceError> {
    let (mut product, mut serial) = match from {
        Some(Place::Serial(product, serial)) => (*product, Some(serial.clone())),
        _ if back => (NO_PRODUCT, None),
        _ => (i64::MIN, None),
    };
    let mut found = Found::default();
    let mut examined: usize = 0;
    loop {
        if serial.is_none() {
            // A product line that the walk has not begun with: this one or the next that has devices.
            match next_product(connection, wanted, product, back)? {
                Some(next) => product = next,
                None => return Ok(found),
            }
        }
        let rows = in_product(connection, wanted, product, serial.as_deref(), back)?;
        for (id, text) in &rows {
            examined += 1;
            if fits(connection, wanted, *id)?.is_some() {
                if found.hits.len() >= limit {
                    found.more = true;
                    return Ok(found);
                }
                found.hits.push((*id, Place::Serial(product, text.clone())));
            }
            serial = Some(text.clone());
        }
        examined += 1;
        if rows.len() < WINDOW {
            match after(product, back) {
                Some(next) if wanted.product.is_none() => (product, serial) = (next, None),
                _ => return Ok(found),
            }
        }
        if examined >= EXAMINED_MAX {
            let reached = serial.unwrap_or_else(|| if back { "\u{10ffff}" } else { "" }.to_owned());
            found.stopped = Some(Place::Serial(product, reached));
            return Ok(found);
        }
    }
}

pub(super) fn after(product: i64, back: bool) -> Option<i64> {
    if back { product.checked_sub(1) } else { product.checked_add(1) }
}

/// The first product line at or beyond `place` that may have devices; [`NO_PRODUCT`] comes last.
pub(super) fn next_product(
    connection: &Connection,
    wanted: &Wanted,
    place: i64,
    back: bool,
) -> Result<Option<i64>, ServiceError> {
    if let Some(product) = wanted.product {
        let ahead = if back { product <= place } else { product >= place };
        return Ok(ahead.then_some(product));
    }
    if back && place == NO_PRODUCT {
        return Ok(Some(NO_PRODUCT));
    }
    let own = wanted.relation == Relation::Maker;
    let sql = match (own, back) {
        (true, false) => "SELECT min(id) FROM product WHERE organisation = ?2 AND id >= ?1",
        (true, true) => "SELECT max(id) FROM product WHERE organisation = ?2 AND id <= ?1",
        (false, false) => "SELECT min(product) FROM device WHERE product >= ?1 AND ?2 = ?2",
        (false, true) => "SELECT max(product) FROM device WHERE product <= ?1 AND ?2 = ?2",
    };
    let next: Option<i64> = connection
        .prepare_cached(sql)?
        .query_row(params![place, wanted.organisation], |row| row.get(0))?;
    Ok(next.or((!back).then_some(NO_PRODUCT)))
}

fn in_product(
    connection: &Connection,
    wanted: &Wanted,
    product: i64,
    serial: Option<&str>,
    back: bool,
) -> Result<Vec<(i64, String)>, ServiceError> {
    let (beyond, order) = if back { ("<", "DESC") } else { (">", "ASC") };
    let which = if product == NO_PRODUCT { "product IS NULL AND ?1 = ?1" } else { "product = ?1" };
    let start = match serial {
        Some(serial) => serial.to_owned(),
        None => if back { "\u{10ffff}" } else { "" }.to_owned(),
    };
    let sql = format!(
        "SELECT id, serial_number FROM device
         WHERE {which} AND serial_number {beyond} ?2 AND ?3 = ?3
         ORDER BY serial_number {order} LIMIT ?4"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let values = params![product, start, wanted.organisation, limit_of(WINDOW)];
    let rows = statement.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
