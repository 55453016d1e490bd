//! How far the search for a person's traces has come, and what it reads.

use super::{Tx, job::JobRow, organisation::limit_of, to_i64};
use crate::ServiceError;
use rusqlite::{Connection, OptionalExtension as _, params};

/// Name of the act in the table of jobs.
pub(crate) const ACT: &str = "erase-person";

/// Where a search is: among the events of `reporter`, from leaf `next` on, before leaf `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) reporter: i64,
    pub(crate) next: u64,
    pub(crate) until: u64,
}

/// An event that may name somebody.
pub(crate) struct Told {
    pub(crate) leaf: u64,
    /// row of the device
    pub(crate) device: i64,
    pub(crate) cose: Vec<u8>,
}

/// Begins a search among all events so far, with those of `reporter`.
pub(crate) fn begin(tx: &Tx<'_>, job: i64, reporter: i64) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO job_search (job, reporter, next, until)
         SELECT ?1, ?2, 0, coalesce(max(leaf) + 1, 0) FROM event",
    )?
    .execute(params![job, reporter])?;
    Ok(())
}

pub(crate) fn place(connection: &Connection, job: i64) -> Result<Option<Place>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT reporter, next, until FROM job_search WHERE job = ?1")?
        .query_row([job], |row| {
            let leaf = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
            Ok(Place { reporter: row.get(0)?, next: leaf(1)?, until: leaf(2)? })
        })
        .optional()?)
}

pub(crate) fn go_on(tx: &Tx<'_>, job: i64, place: &Place) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE job_search SET reporter = ?2, next = ?3 WHERE job = ?1")?
        .execute(params![job, place.reporter, to_i64(place.next)])?;
    Ok(())
}

pub(crate) fn end(tx: &Tx<'_>, job: i64) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM job_search WHERE job = ?1")?.execute([job])?;
    Ok(())
}

/// The next events that still have contents.
pub(crate) fn events(
    connection: &Connection,
    place: &Place,
    limit: usize,
) -> Result<Vec<Told>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT leaf, device, cose FROM event INDEXED BY event_by_reporter
         WHERE reporter = ?1 AND leaf >= ?2 AND leaf < ?3 AND cose IS NOT NULL
         ORDER BY leaf LIMIT ?4",
    )?;
    let range = params![place.reporter, to_i64(place.next), to_i64(place.until), limit_of(limit)];
    let rows = statement.query_map(range, |row| {
        let leaf: i64 = row.get(0)?;
        Ok(Told { leaf: leaf.unsigned_abs(), device: row.get(1)?, cose: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Makes a device one of the job's, once: its row is the number of the item.
pub(crate) fn insert_device(tx: &Tx<'_>, job: i64, device: i64) -> Result<(), ServiceError> {
    let new = tx
        .prepare_cached("INSERT OR IGNORE INTO job_item (job, item, device) VALUES (?1, ?2, ?2)")?
        .execute(params![job, device])?;
    if new == 1 {
        tx.prepare_cached("UPDATE job SET total = total + 1 WHERE id = ?1")?.execute([job])?;
    }
    Ok(())
}

/// An unfinished job of an organisation for the same person.
pub(crate) fn unfinished(
    connection: &Connection,
    organisation: i64,
    terms: &str,
) -> Result<Option<JobRow>, ServiceError> {
    let id: Option<i64> = connection
        .prepare_cached(
            "SELECT id FROM job WHERE state < 3 AND organisation = ?1 AND act = ?2 AND terms = ?3",
        )?
        .query_row(params![organisation, ACT, terms], |row| row.get(0))
        .optional()?;
    id.map_or(Ok(None), |id| super::job::job(connection, id))
}

/// Forgets whom a job was about.
pub(crate) fn forget(tx: &Tx<'_>, job: i64) -> Result<bool, ServiceError> {
    end(tx, job)?;
    let changed = tx
        .prepare_cached("UPDATE job SET terms = '{}' WHERE id = ?1 AND act = ?2")?
        .execute(params![job, ACT])?;
    Ok(changed == 1)
}
