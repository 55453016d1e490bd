//! Devices, their parts and the counters of their keys.

use super::{Tx, to_i64};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use device::{Phase, StandingKind};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

#[derive(Debug, Clone)]
pub(crate) struct DeviceRow {
    pub(crate) id: i64,
    pub(crate) device_id: [u8; 16],
    pub(crate) management: String,
    pub(crate) product: Option<i64>,
    pub(crate) serial_number: String,
    pub(crate) kind: u8,
    pub(crate) maker: i64,
    pub(crate) owner: i64,
    pub(crate) phase: u8,
    pub(crate) standing: u8,
    /// `None` until the history begins
    pub(crate) state: Option<Vec<u8>>,
    /// number of events
    pub(crate) events: u64,
    pub(crate) head: Option<[u8; 32]>,
    /// leaf of the newest event
    pub(crate) last_leaf: Option<u64>,
    pub(crate) created_at: UnixTime,
}

const DEVICE: &str = "device.id, device_id, management, product, serial_number, kind, maker, \
                      owner, phase, standing, state, sequence, head, last_leaf, created_at";

fn device_row(row: &Row<'_>) -> rusqlite::Result<DeviceRow> {
    Ok(DeviceRow {
        id: row.get(0)?,
        device_id: row.get(1)?,
        management: row.get(2)?,
        product: row.get(3)?,
        serial_number: row.get(4)?,
        kind: row.get(5)?,
        maker: row.get(6)?,
        owner: row.get(7)?,
        phase: row.get(8)?,
        standing: row.get(9)?,
        state: row.get(10)?,
        events: row.get::<_, i64>(11)?.unsigned_abs(),
        head: row.get(12)?,
        last_leaf: row.get::<_, Option<i64>>(13)?.map(i64::unsigned_abs),
        created_at: UnixTime(row.get(14)?),
    })
}

pub(crate) fn device(
    connection: &Connection,
    device_id: &[u8; 16],
) -> Result<Option<DeviceRow>, ServiceError> {
    const SQL: &str = "SELECT device.id, device_id, management, product, serial_number, kind, \
        maker, owner, phase, standing, state, sequence, head, last_leaf, created_at \
        FROM device WHERE device_id = ?1";
    Ok(connection.prepare_cached(SQL)?.query_row([device_id], device_row).optional()?)
}

pub(crate) fn device_by_row(
    connection: &Connection,
    id: i64,
) -> Result<Option<DeviceRow>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT device.id, device_id, management, product, serial_number, kind, \
             maker, owner, phase, standing, state, sequence, head, last_leaf, created_at \
             FROM device WHERE id = ?1",
        )?
        .query_row([id], device_row)
        .optional()?)
}

/// Whether a device is as it was. Whoever changes the owner or the state does so by an event, which
/// changes the last commitment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) owner: i64,
    pub(crate) head: Option<[u8; 32]>,
}

impl Place {
    /// Whether the history ends with this commitment.
    pub(crate) fn ends_with(&self, head: &ledger::Commitment) -> bool {
        self.head.as_ref() == Some(head.as_bytes())
    }
}

/// Owner and last commitment of a device.
pub(crate) fn place(connection: &Connection, id: i64) -> Result<Option<Place>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT owner, head FROM device WHERE id = ?1")?
        .query_row([id], |row| Ok(Place { owner: row.get(0)?, head: row.get(1)? }))
        .optional()?)
}

pub(crate) fn device_by_management(
    connection: &Connection,
    number: &str,
) -> Result<Option<DeviceRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {DEVICE} FROM device WHERE management = ?1"))?
        .query_row([number], device_row)
        .optional()?)
}

pub(crate) fn device_by_serial(
    connection: &Connection,
    product: i64,
    serial_number: &str,
) -> Result<Option<DeviceRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {DEVICE} FROM device WHERE product = ?1 AND serial_number = ?2"
        ))?
        .query_row(params![product, serial_number], device_row)
        .optional()?)
}

pub(crate) fn insert_device(tx: &mut Tx<'_>, new: &DeviceRow) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO device (device_id, management, product, serial_number, kind, maker, owner,
                             phase, standing, state, sequence, head, last_leaf, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .execute(params![
        new.device_id,
        new.management,
        new.product,
        new.serial_number,
        new.kind,
        new.maker,
        new.owner,
        new.phase,
        new.standing,
        new.state,
        to_i64(new.events),
        new.head,
        new.last_leaf.map(to_i64),
        new.created_at.0
    ])?;
    Ok(tx.last_insert_rowid())
}

/// What an event changes of a device.
pub(crate) struct DeviceChange<'a> {
    pub(crate) id: i64,
    /// whether phase or standing are others than before: then the device moves in indexes
    pub(crate) moved: bool,
    pub(crate) phase: u8,
    pub(crate) standing: u8,
    pub(crate) state: &'a [u8],
    pub(crate) events: u64,
    pub(crate) head: &'a [u8; 32],
    pub(crate) last_leaf: u64,
}

pub(crate) fn update_device(tx: &Tx<'_>, change: &DeviceChange<'_>) -> Result<(), ServiceError> {
    let (events, last) = (to_i64(change.events), to_i64(change.last_leaf));
    tx.prepare_cached(
        "UPDATE device SET state = ?2, sequence = ?3, head = ?4, last_leaf = ?5 WHERE id = ?1",
    )?
    .execute(params![change.id, change.state, events, change.head, last])?;
    if change.moved {
        tx.prepare_cached("UPDATE device SET phase = ?2, standing = ?3 WHERE id = ?1")?
            .execute(params![change.id, change.phase, change.standing])?;
        let at_work = change.standing == StandingKind::Good as u8
            && ![Phase::Retired as u8, Phase::Disposed as u8].contains(&change.phase);
        if !at_work {
            super::mud_seen::forget(tx, change.id)?;
        }
    }
    Ok(())
}

/// Apart from [`update_device`], because it also moves the device in an index.
pub(crate) fn set_owner(
    tx: &Tx<'_>,
    device: i64,
    owner: i64,
    at: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE device SET owner = ?2 WHERE id = ?1")?
        .execute(params![device, owner])?;
    // What was found under the former owner is the new one's to ask for again.
    tx.prepare_cached("DELETE FROM last_verdict WHERE device = ?1")?.execute([device])?;
    // What it had kept of its topics is the former owner's.
    tx.prepare_cached("DELETE FROM message_retained WHERE device = ?1")?.execute([device])?;
    // Nor what the former owner's platform learned of it.
    tx.prepare_cached("DELETE FROM behaviour_device WHERE device = ?1")?.execute([device])?;
    super::mud::forget_device(tx, device, at)
}

/// Marks a device that has an alarm, or takes the mark away.
pub(crate) fn set_alarm(tx: &Tx<'_>, device: i64, alarm: bool) -> Result<(), ServiceError> {
    let sql = if alarm {
        "INSERT INTO alarm (device) VALUES (?1) ON CONFLICT DO NOTHING"
    } else {
        "DELETE FROM alarm WHERE device = ?1"
    };
    tx.prepare_cached(sql)?.execute([device])?;
    Ok(())
}

/// Notes to whom a device is offered; `None` for nobody any more.
pub(crate) fn set_offer(tx: &Tx<'_>, device: i64, to: Option<i64>) -> Result<(), ServiceError> {
    match to {
        Some(organisation) => tx
            .prepare_cached("INSERT OR REPLACE INTO offer (device, organisation) VALUES (?1, ?2)")?
            .execute(params![device, organisation])?,
        None => tx.prepare_cached("DELETE FROM offer WHERE device = ?1")?.execute([device])?,
    };
    Ok(())
}

/// Devices per phase.
pub(crate) fn count_by_phase(connection: &Connection) -> Result<Vec<(u8, u64)>, ServiceError> {
    let mut statement =
        connection.prepare_cached("SELECT phase, count(*) FROM device GROUP BY phase")?;
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, u8>(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Highest counter that `key` of a device proved possession with.
pub(crate) fn proof_counter(
    connection: &Connection,
    device: i64,
    key: &Sha256,
) -> Result<Option<u64>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT counter FROM proof_counter WHERE device = ?1 AND key = ?2")?
        .query_row(params![device, key.as_bytes()], |row| row.get::<_, i64>(0))
        .optional()?
        .map(i64::cast_unsigned))
}

/// What is remembered of one key's proofs.
#[derive(Debug, Clone)]
pub(crate) struct ProofRow {
    pub(crate) key: Sha256,
    pub(crate) counter: u64,
    pub(crate) at: UnixTime,
    pub(crate) proof: Vec<u8>,
}

/// The last accepted proof of each key of a device, by key.
pub(crate) fn proofs_of(
    connection: &Connection,
    device: i64,
) -> Result<Vec<ProofRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT key, counter, at, proof FROM proof_counter WHERE device = ?1 ORDER BY key LIMIT 64",
    )?;
    let rows = statement.query_map([device], |row| {
        Ok(ProofRow {
            key: Sha256(row.get(0)?),
            counter: row.get::<_, i64>(1)?.cast_unsigned(),
            at: UnixTime(row.get(2)?),
            proof: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn set_proof_counter(
    tx: &Tx<'_>,
    device: i64,
    key: &Sha256,
    counter: u64,
    at: UnixTime,
    proof: &[u8],
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO proof_counter (device, key, counter, at, proof) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (device, key) DO UPDATE
         SET counter = excluded.counter, at = excluded.at, proof = excluded.proof",
    )?
    .execute(params![device, key.as_bytes(), counter.cast_signed(), at.0, proof])?;
    Ok(())
}

/// A device that claims a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// row of the device
    pub(crate) whole: i64,
    pub(crate) device: [u8; 16],
    /// whether whoever made the claim had the part in its hands, as the part's own history says
    pub(crate) vouched: bool,
}

/// Devices that claim a part, those with evidence first.
pub(crate) fn claims_on(
    connection: &Connection,
    part: &[u8; 16],
) -> Result<Vec<Claim>, ServiceError> {
    // Most devices are nobody's part, and an order costs a table of its own even where it is empty.
    if !connection.prepare_cached("SELECT 1 FROM part WHERE part = ?1 LIMIT 1")?.exists([part])? {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare_cached(
        "SELECT device.id, device.device_id, part.vouched
         FROM part JOIN device ON device.id = part.whole
         WHERE part.part = ?1 ORDER BY part.vouched DESC, part.since LIMIT 64",
    )?;
    let rows = statement.query_map([part], |row| {
        Ok(Claim { whole: row.get(0)?, device: row.get(1)?, vouched: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Devices that a part sits in, as far as claims can be believed: row and device id. A claim
/// without evidence counts only where there is none with.
pub(crate) fn wholes_of(
    connection: &Connection,
    part: &[u8; 16],
) -> Result<Vec<(i64, [u8; 16])>, ServiceError> {
    let claims = claims_on(connection, part)?;
    let vouched = claims.iter().any(|claim| claim.vouched);
    let believed = claims.into_iter().filter(|claim| claim.vouched || !vouched);
    Ok(believed.map(|claim| (claim.whole, claim.device)).collect())
}

pub(crate) fn insert_part(
    tx: &Tx<'_>,
    part: &[u8; 16],
    whole: i64,
    leaf: u64,
    vouched: bool,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO part (part, whole, since, vouched) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO NOTHING",
    )?
    .execute(params![part, whole, to_i64(leaf), vouched])?;
    Ok(())
}

pub(crate) fn delete_part(tx: &Tx<'_>, part: &[u8; 16], whole: i64) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM part WHERE part = ?1 AND whole = ?2")?
        .execute(params![part, whole])?;
    Ok(())
}
