//! Bulk jobs and their items.

use super::{Effect, Tx, organisation::limit_of, search_person, to_i64};
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// Where a job is. The numbers are stored; from 3 on it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum State {
    /// its items are being filled in
    Preparing = 0,
    Waiting = 1,
    Running = 2,
    Done = 3,
    Cancelled = 4,
    Failed = 5,
}

impl State {
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        use State as S;
        [S::Preparing, S::Waiting, S::Running, S::Done, S::Cancelled, S::Failed]
            .into_iter()
            .find(|state| *state as u8 == number)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct JobRow {
    pub(crate) id: i64,
    pub(crate) reference: [u8; 16],
    pub(crate) organisation: i64,
    pub(crate) act: String,
    pub(crate) terms: String,
    pub(crate) reason: String,
    pub(crate) caller: String,
    pub(crate) state: State,
    pub(crate) total: u64,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) created_at: UnixTime,
    pub(crate) started_at: Option<UnixTime>,
    pub(crate) finished_at: Option<UnixTime>,
    pub(crate) note: Option<String>,
}

const JOB: &str = "id, reference, organisation, act, terms, reason, caller, state, total, done, \
                   failed, created_at, started_at, finished_at, note";

fn job_row(row: &Row<'_>) -> rusqlite::Result<JobRow> {
    let state: u8 = row.get(7)?;
    let number = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
    Ok(JobRow {
        id: row.get(0)?,
        reference: row.get(1)?,
        organisation: row.get(2)?,
        act: row.get(3)?,
        terms: row.get(4)?,
        reason: row.get(5)?,
        caller: row.get(6)?,
        state: State::from_number(state)
            .ok_or(rusqlite::Error::IntegralValueOutOfRange(7, state.into()))?,
        total: number(8)?,
        done: number(9)?,
        failed: number(10)?,
        created_at: UnixTime(row.get(11)?),
        started_at: row.get::<_, Option<i64>>(12)?.map(UnixTime),
        finished_at: row.get::<_, Option<i64>>(13)?.map(UnixTime),
        note: row.get(14)?,
    })
}

pub(crate) fn insert_job(tx: &Tx<'_>, new: &JobRow) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO job (reference, organisation, act, terms, reason, caller, state, total, done,
                          failed, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, ?9)",
    )?
    .execute(params![
        new.reference,
        new.organisation,
        new.act,
        new.terms,
        new.reason,
        new.caller,
        new.state as u8,
        to_i64(new.total),
        new.created_at.0
    ])?;
    Ok(tx.last_insert_rowid())
}

/// Puts down the devices of a job, to become items one after the other.
pub(crate) fn insert_selection(tx: &Tx<'_>, job: i64, devices: &[i64]) -> Result<(), ServiceError> {
    let bytes: Vec<u8> = devices.iter().flat_map(|device| device.to_be_bytes()).collect();
    tx.prepare_cached("INSERT INTO job_selection (job, devices) VALUES (?1, ?2)")?
        .execute(params![job, bytes])?;
    Ok(())
}

/// Makes items of the next devices of a selection.
pub(crate) fn fill(tx: &Tx<'_>, job: i64, most: usize) -> Result<Filled, ServiceError> {
    const EACH: i64 = size_of::<i64>() as i64;
    let from: i64 = tx
        .prepare_cached("SELECT coalesce(max(item) + 1, 0) FROM job_item WHERE job = ?1")?
        .query_row([job], |row| row.get(0))?;
    let sql = "SELECT substr(devices, ?2, ?3) FROM job_selection WHERE job = ?1";
    let range = params![job, from.saturating_mul(EACH) + 1, limit_of(most).saturating_mul(EACH)];
    let next: Option<Vec<u8>> =
        tx.prepare_cached(sql)?.query_row(range, |row| row.get(0)).optional()?;
    let Some(next) = next else { return Ok(Filled::Nothing) };
    let (devices, _) = next.as_chunks::<8>();
    for (item, device) in (from.unsigned_abs()..).zip(devices) {
        insert_item(tx, job, item, i64::from_be_bytes(*device))?;
    }
    if devices.len() >= most {
        return Ok(Filled::More);
    }
    forget_selection(tx, job)?;
    Ok(Filled::All)
}

/// How far a job is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filled {
    /// there may be more
    More,
    /// every device is an item
    All,
    /// it has no selection
    Nothing,
}

fn forget_selection(tx: &Tx<'_>, job: i64) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM job_selection WHERE job = ?1")?.execute([job])?;
    Ok(())
}

pub(crate) fn insert_item(
    tx: &Tx<'_>,
    job: i64,
    item: u64,
    device: i64,
) -> Result<(), ServiceError> {
    tx.prepare_cached("INSERT INTO job_item (job, item, device) VALUES (?1, ?2, ?3)")?
        .execute(params![job, to_i64(item), device])?;
    Ok(())
}

/// Unfinished jobs of an organisation.
pub(crate) fn unfinished_of(
    connection: &Connection,
    organisation: i64,
) -> Result<u64, ServiceError> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM job WHERE state < 3 AND organisation = ?1")?
        .query_row([organisation], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// The filled job may run.
pub(crate) fn make_ready(tx: &Tx<'_>, job: i64) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE job SET state = 1 WHERE id = ?1 AND state = 0")?.execute([job])?;
    Ok(())
}

pub(crate) fn job(connection: &Connection, id: i64) -> Result<Option<JobRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {JOB} FROM job WHERE id = ?1"))?
        .query_row([id], job_row)
        .optional()?)
}

pub(crate) fn job_by_reference(
    connection: &Connection,
    reference: &[u8; 16],
) -> Result<Option<JobRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {JOB} FROM job WHERE reference = ?1"))?
        .query_row([reference], job_row)
        .optional()?)
}

/// An organisation's jobs, newest first, older than `before`.
pub(crate) fn jobs(
    connection: &Connection,
    organisation: i64,
    before: i64,
    limit: usize,
) -> Result<Vec<JobRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {JOB} FROM job WHERE organisation = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
    ))?;
    let rows = statement.query_map(params![organisation, before, limit_of(limit)], job_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Jobs in one of the unfinished states, oldest first.
pub(crate) fn jobs_in(connection: &Connection, state: State) -> Result<Vec<JobRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {JOB} FROM job WHERE state = ?1 AND state < 3 ORDER BY id LIMIT 1000"
    ))?;
    let rows = statement.query_map([state as u8], job_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Ends or moves a job that is not over; false where it is.
pub(crate) fn set_state(
    tx: &mut Tx<'_>,
    job: i64,
    state: State,
    note: Option<&str>,
    now: UnixTime,
) -> Result<bool, ServiceError> {
    let over = (state as u8 >= 3).then_some(now.0);
    let begun = (state == State::Running).then_some(now.0);
    let changed = tx
        .prepare_cached(
            "UPDATE job SET state = ?2, note = coalesce(?3, note), finished_at = ?4,
                started_at = coalesce(started_at, ?5)
             WHERE id = ?1 AND state < 3",
        )?
        .execute(params![job, state as u8, note, over, begun])?;
    if over.is_some() {
        forget_selection(tx, job)?;
        if search_person::forget(tx, job)? {
            tx.effect(Effect::Scrub);
        }
    }
    Ok(changed == 1)
}

/// The next items that have no outcome, with their devices.
pub(crate) fn open_items(
    connection: &Connection,
    job: i64,
    from: u64,
    limit: usize,
) -> Result<Vec<(u64, i64)>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT item, device FROM job_item
         WHERE job = ?1 AND item >= ?2 AND outcome IS NULL ORDER BY item LIMIT ?3",
    )?;
    let rows = statement.query_map(params![job, to_i64(from), limit_of(limit)], |row| {
        Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What came of an item.
pub(crate) struct ItemOutcome<'a> {
    pub(crate) done: bool,
    pub(crate) code: &'a str,
    pub(crate) text: &'a str,
    pub(crate) secret: Option<&'a [u8]>,
    pub(crate) at: UnixTime,
}

/// Puts down what came of an item; false where it has an outcome already.
pub(crate) fn finish_item(
    tx: &Tx<'_>,
    job: i64,
    item: u64,
    outcome: &ItemOutcome<'_>,
) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached(
            "UPDATE job_item SET outcome = ?3, code = ?4, text = ?5, secret = ?6, at = ?7
             WHERE job = ?1 AND item = ?2 AND outcome IS NULL",
        )?
        .execute(params![
            job,
            to_i64(item),
            u8::from(outcome.done),
            outcome.code,
            outcome.text,
            outcome.secret,
            outcome.at.0
        ])?;
    if changed == 1 {
        tx.prepare_cached("UPDATE job SET done = done + 1, failed = failed + ?2 WHERE id = ?1")?
            .execute(params![job, u8::from(!outcome.done)])?;
    }
    Ok(changed == 1)
}

/// Whether an item has no outcome yet.
pub(crate) fn is_open(connection: &Connection, job: i64, item: u64) -> Result<bool, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM job_item WHERE job = ?1 AND item = ?2 AND outcome IS NULL")?
        .exists(params![job, to_i64(item)])?)
}

/// A line of the result.
pub(crate) struct ItemRow {
    pub(crate) item: u64,
    pub(crate) device: [u8; 16],
    pub(crate) management: String,
    pub(crate) serial_number: String,
    pub(crate) done: Option<bool>,
    pub(crate) code: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) secret: Option<Vec<u8>>,
}

pub(crate) fn items(
    connection: &Connection,
    job: i64,
    from: u64,
    limit: usize,
) -> Result<Vec<ItemRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT item, device_id, management, serial_number, outcome, code, text, secret
         FROM job_item CROSS JOIN device ON device.id = job_item.device
         WHERE job = ?1 AND item >= ?2 ORDER BY item LIMIT ?3",
    )?;
    let rows = statement.query_map(params![job, to_i64(from), limit_of(limit)], |row| {
        Ok(ItemRow {
            item: row.get::<_, i64>(0)?.unsigned_abs(),
            device: row.get(1)?,
            management: row.get(2)?,
            serial_number: row.get(3)?,
            done: row.get(4)?,
            code: row.get(5)?,
            text: row.get(6)?,
            secret: row.get(7)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Destroys the codes of jobs that were over before a time.
pub(crate) fn forget_secrets(tx: &Tx<'_>, before: UnixTime) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "UPDATE job_item SET secret = NULL WHERE secret IS NOT NULL AND job IN
            (SELECT id FROM job WHERE act = 'release-codes' AND finished_at < ?1)",
    )?
    .execute([before.0])?;
    Ok(())
}
