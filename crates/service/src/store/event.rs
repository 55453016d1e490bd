//! Life events and the leaves that commit to them.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use device::Kind;
use ledger::Commitment;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

#[derive(Debug, Clone)]
pub(crate) struct EventRow {
    pub(crate) leaf: u64,
    pub(crate) sequence: u64,
    pub(crate) kind: u8,
    pub(crate) at: UnixTime,
    pub(crate) recorded_at: UnixTime,
    pub(crate) reporter: i64,
    /// salt and message; `None` once erased
    pub(crate) contents: Option<([u8; 32], Vec<u8>)>,
    /// once erased: the encoded state after the event
    pub(crate) state_after: Option<Vec<u8>>,
    /// what the ledger's sequence holds at `leaf`
    pub(crate) commitment: Option<Commitment>,
}

const EVENT: &str = "event.leaf, sequence, kind, at, recorded_at, reporter, salt, cose, \
                     state_after, leaf.commitment";

fn event_row(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    let salt: Option<[u8; 32]> = row.get(6)?;
    let cose: Option<Vec<u8>> = row.get(7)?;
    Ok(EventRow {
        leaf: row.get::<_, i64>(0)?.unsigned_abs(),
        sequence: row.get::<_, i64>(1)?.unsigned_abs(),
        kind: row.get(2)?,
        at: UnixTime(row.get(3)?),
        recorded_at: UnixTime(row.get(4)?),
        reporter: row.get(5)?,
        contents: salt.zip(cose),
        state_after: row.get(8)?,
        commitment: row.get::<_, Option<[u8; 32]>>(9)?.map(|hash| Commitment(Sha256(hash))),
    })
}

/// A device's events from sequence number `from` on.
pub(crate) fn events(
    connection: &Connection,
    device: i64,
    from: u64,
    limit: usize,
) -> Result<Vec<EventRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {EVENT} FROM event LEFT JOIN leaf ON leaf.idx = event.leaf
         WHERE device = ?1 AND sequence >= ?2 ORDER BY sequence LIMIT ?3"
    ))?;
    let rows = statement.query_map(params![device, to_i64(from), limit_of(limit)], event_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Events by their leaf, from leaf `from` on: for the check of the whole log.
pub(crate) fn events_by_leaf(
    connection: &Connection,
    from: u64,
    limit: usize,
) -> Result<Vec<EventRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {EVENT} FROM event LEFT JOIN leaf ON leaf.idx = event.leaf
         WHERE event.leaf >= ?1 ORDER BY event.leaf LIMIT ?2"
    ))?;
    let rows = statement.query_map(params![to_i64(from), limit_of(limit)], event_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) struct NewEvent<'a> {
    pub(crate) leaf: u64,
    pub(crate) device: i64,
    pub(crate) sequence: u64,
    pub(crate) kind: u8,
    pub(crate) at: UnixTime,
    pub(crate) recorded_at: UnixTime,
    pub(crate) reporter: i64,
    pub(crate) salt: &'a [u8; 32],
    pub(crate) cose: &'a [u8],
}

pub(crate) fn insert_event(tx: &Tx<'_>, new: &NewEvent<'_>) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO event (leaf, device, sequence, kind, at, recorded_at, reporter, salt, cose)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        to_i64(new.leaf),
        new.device,
        to_i64(new.sequence),
        new.kind,
        new.at.0,
        new.recorded_at.0,
        new.reporter,
        new.salt,
        new.cose
    ])?;
    Ok(())
}

/// When the suspension of a device began that an event at `sequence` ends: others may have renewed
/// it since.
pub(crate) fn suspended_since(
    connection: &Connection,
    device: i64,
    sequence: u64,
) -> Result<Option<UnixTime>, ServiceError> {
    let since: Option<i64> = connection
        .prepare_cached(
            "SELECT min(recorded_at) FROM event
             WHERE device = ?1 AND kind = ?2 AND sequence < ?4 AND sequence > coalesce(
                (SELECT max(sequence) FROM event
                 WHERE device = ?1 AND kind = ?3 AND sequence < ?4), -1)",
        )?
        .query_row(
            params![device, Kind::Suspended.code(), Kind::Released.code(), to_i64(sequence)],
            |row| row.get(0),
        )?;
    Ok(since.map(UnixTime))
}

/// Destroys salt and contents of an event; false where it had none any more.
pub(crate) fn erase_event(
    tx: &Tx<'_>,
    device: i64,
    sequence: u64,
    state_after: &[u8],
) -> Result<bool, ServiceError> {
    let erased = tx
        .prepare_cached(
            "UPDATE event SET salt = NULL, cose = NULL, state_after = ?3
             WHERE device = ?1 AND sequence = ?2 AND cose IS NOT NULL",
        )?
        .execute(params![device, to_i64(sequence), state_after])?;
    Ok(erased == 1)
}

pub(crate) fn leaf_count(connection: &Connection) -> Result<u64, ServiceError> {
    let last: Option<i64> =
        connection.prepare_cached("SELECT max(idx) FROM leaf")?.query_row([], |row| row.get(0))?;
    Ok(last.map_or(0, |last| last.unsigned_abs().saturating_add(1)))
}

/// Leaves from index `from` on; their indexes must follow one another without a gap.
pub(crate) fn leaves(
    connection: &Connection,
    from: u64,
    limit: usize,
) -> Result<Vec<Commitment>, ServiceError> {
    let mut statement = connection
        .prepare_cached("SELECT idx, commitment FROM leaf WHERE idx >= ?1 ORDER BY idx LIMIT ?2")?;
    let rows = statement.query_map(params![to_i64(from), limit_of(limit)], |row| {
        Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, [u8; 32]>(1)?))
    })?;
    let mut leaves = Vec::new();
    for (expected, row) in (from..).zip(rows) {
        let (index, commitment) = row?;
        if index != expected {
            return Err(ServiceError::fatal(
                "leaf-missing",
                format!("leaf {expected} is missing from the store; restore a backup"),
            ));
        }
        leaves.push(Commitment(Sha256(commitment)));
    }
    Ok(leaves)
}

pub(crate) fn leaf(
    connection: &Connection,
    index: u64,
) -> Result<Option<Commitment>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT commitment FROM leaf WHERE idx = ?1")?
        .query_row([to_i64(index)], |row| row.get::<_, [u8; 32]>(0))
        .optional()?
        .map(|hash| Commitment(Sha256(hash))))
}

pub(crate) fn event_count(connection: &Connection) -> Result<u64, ServiceError> {
    let count: i64 =
        connection.prepare_cached("SELECT count(*) FROM event")?.query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}
