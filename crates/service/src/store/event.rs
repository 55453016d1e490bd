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

/// Every so many events an index knows where a history can be entered (`event_milestone`).
const MILESTONE: u64 = 64;

/// A device's events from sequence number `from` on. Where the chain of its events is broken, only
/// those after the break.
pub(crate) fn events(
    connection: &Connection,
    device: i64,
    from: u64,
    limit: usize,
) -> Result<Vec<EventRow>, ServiceError> {
    let end = from.saturating_add(u64::try_from(limit).unwrap_or(u64::MAX));
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {EVENT}, previous FROM event LEFT JOIN leaf ON leaf.idx = event.leaf
         WHERE event.leaf = ?1 AND device = ?2"
    ))?;
    let mut events = Vec::new();
    let mut next = entry(connection, device, end)?;
    while let Some(leaf) = next {
        let row = statement
            .query_row(params![to_i64(leaf), device], |row| {
                Ok((event_row(row)?, previous(row, 10)?))
            })
            .optional()?;
        let Some((event, before)) = row else { break };
        if event.sequence < from {
            break;
        }
        if event.sequence < end && events.len() < limit {
            events.push(event);
        }
        // Whatever was written there by others: it comes to an end.
        next = before.filter(|before| *before < leaf);
    }
    events.reverse();
    Ok(events)
}

/// Leaf of an event from which one comes to every event before `end` by going back: of the newest
/// one, or of one in the middle that is nearer.
fn entry(connection: &Connection, device: i64, end: u64) -> Result<Option<u64>, ServiceError> {
    let newest = connection
        .prepare_cached("SELECT last_leaf, sequence FROM device WHERE id = ?1")?
        .query_row([device], |row| Ok((previous(row, 0)?, row.get::<_, i64>(1)?.unsigned_abs())))
        .optional()?;
    let Some((newest, count)) = newest else { return Ok(None) };
    if end.saturating_add(MILESTONE) >= count {
        return Ok(newest);
    }
    let nearer = connection
        .prepare_cached(
            "SELECT leaf FROM event WHERE device = ?1 AND sequence >= ?2 AND sequence % 64 = 63
             ORDER BY sequence LIMIT 1",
        )?
        .query_row(params![device, to_i64(end.saturating_sub(1))], |row| previous(row, 0))
        .optional()?;
    Ok(nearer.flatten().or(newest))
}

fn previous(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(i64::unsigned_abs))
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
    /// leaf of the device's event before
    pub(crate) previous: Option<u64>,
    pub(crate) kind: u8,
    pub(crate) at: UnixTime,
    pub(crate) recorded_at: UnixTime,
    pub(crate) reporter: i64,
    pub(crate) salt: &'a [u8; 32],
    pub(crate) cose: &'a [u8],
}

pub(crate) fn insert_event(tx: &Tx<'_>, new: &NewEvent<'_>) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO event
            (leaf, device, sequence, previous, kind, at, recorded_at, reporter, salt, cose)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        to_i64(new.leaf),
        new.device,
        to_i64(new.sequence),
        new.previous.map(to_i64),
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
    let mut statement = connection.prepare_cached(
        "SELECT sequence, kind, recorded_at, previous FROM event WHERE leaf = ?1 AND device = ?2",
    )?;
    let (mut since, mut next) = (None, entry(connection, device, sequence)?);
    while let Some(leaf) = next {
        let row = statement
            .query_row(params![to_i64(leaf), device], |row| {
                let (at, kind): (u64, u8) = (row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?);
                Ok((at, kind, UnixTime(row.get(2)?), previous(row, 3)?))
            })
            .optional()?;
        let Some((at, kind, recorded_at, before)) = row else { break };
        if at < sequence {
            if kind == Kind::Released.code() {
                break;
            }
            if kind == Kind::Suspended.code() {
                since = Some(recorded_at);
            }
        }
        next = before.filter(|before| *before < leaf);
    }
    Ok(since)
}

/// Destroys salt and contents of an event; false where it had none any more.
pub(crate) fn erase_event(
    tx: &Tx<'_>,
    device: i64,
    leaf: u64,
    state_after: &[u8],
) -> Result<bool, ServiceError> {
    let erased = tx
        .prepare_cached(
            "UPDATE event SET salt = NULL, cose = NULL, state_after = ?3
             WHERE leaf = ?2 AND device = ?1 AND cose IS NOT NULL",
        )?
        .execute(params![device, to_i64(leaf), state_after])?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::migrate;

    /// A device with so many events, among those of another.
    fn history(count: u64) -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate::migrate(&mut connection).unwrap();
        connection.execute_batch("PRAGMA foreign_keys = OFF; BEGIN").unwrap();
        for device in [1_u8, 2] {
            let id = [device; 16];
            connection
                .execute(
                    "INSERT INTO device (id, device_id, management, serial_number, kind, maker,
                        owner, phase, standing, sequence, created_at)
                     VALUES (?1, ?2, ?1, ?1, 1, 1, 1, 1, 1, 0, 0)",
                    params![device, id],
                )
                .unwrap();
        }
        for sequence in 0..count {
            for device in [1_u64, 2] {
                let leaf = to_i64(sequence * 2 + device);
                // Every 50th suspends, every 100th releases.
                let kind = match sequence % 100 {
                    50 => Kind::Suspended,
                    99 => Kind::Released,
                    _ => Kind::Tested,
                };
                connection
                    .execute(
                        "INSERT INTO event (leaf, device, sequence, previous, kind, at, recorded_at,
                                            reporter, salt, cose)
                         VALUES (?1, ?2, ?3, (SELECT last_leaf FROM device WHERE id = ?2), ?4, 0, ?3,
                                 1, zeroblob(32), x'01')",
                        params![leaf, to_i64(device), to_i64(sequence), kind.code()],
                    )
                    .unwrap();
                connection
                    .execute(
                        "UPDATE device SET last_leaf = ?1, sequence = ?3 + 1 WHERE id = ?2",
                        params![leaf, to_i64(device), to_i64(sequence)],
                    )
                    .unwrap();
            }
        }
        connection.execute_batch("COMMIT").unwrap();
        connection
    }

    #[test]
    fn any_part_of_a_history_is_found_from_its_end() {
        for count in [0, 1, 63, 64, 65, 300] {
            let connection = history(count);
            for (from, limit) in
                [(0, 1), (0, 1000), (1, 62), (63, 2), (100, 30), (299, 5), (900, 9)]
            {
                let found = events(&connection, 1, from, limit).unwrap();
                let sequences: Vec<u64> = found.iter().map(|event| event.sequence).collect();
                let end = count.min(from + limit as u64);
                assert_eq!(sequences, (from..end).collect::<Vec<_>>(), "{count} {from} {limit}");
                assert!(found.iter().all(|event| event.leaf == event.sequence * 2 + 1));
            }
        }
        assert!(events(&history(3), 9, 0, 10).unwrap().is_empty());
    }

    #[test]
    fn a_long_history_is_entered_where_it_is_read() {
        let connection = history(1000);
        for (end, nearest) in [(0, 63), (64, 63), (65, 127), (100, 127), (900, 959), (960, 999)] {
            let entry = entry(&connection, 1, end).unwrap().unwrap();
            assert_eq!((entry - 1) / 2, nearest, "{end}");
        }
    }

    #[test]
    fn the_suspension_that_ends_is_the_one_since_the_last_release() {
        let connection = history(260);
        for (sequence, since) in
            [(50, None), (51, Some(50)), (99, Some(50)), (100, None), (260, Some(250))]
        {
            let found = suspended_since(&connection, 1, sequence).unwrap();
            assert_eq!(found, since.map(UnixTime), "{sequence}");
        }
    }

    #[test]
    fn contents_are_destroyed_once_and_of_the_device_alone() {
        let connection = history(3);
        let tx = Tx::new(&connection, "test/log");
        assert!(!erase_event(&tx, 2, 3, b"after").unwrap(), "another device's");
        assert!(erase_event(&tx, 1, 3, b"after").unwrap());
        assert!(!erase_event(&tx, 1, 3, b"after").unwrap());
        let rows = events(&connection, 1, 0, 9).unwrap();
        assert_eq!(rows.iter().filter(|row| row.contents.is_none()).count(), 1);
    }
}
