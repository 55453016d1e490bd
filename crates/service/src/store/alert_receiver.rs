//! Where alerts go, and what waits for it.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// What waits for a receiver, and what it did not take, at most; the oldest goes.
pub(crate) const NOTICES_MAX: u64 = 1_000;

/// A receiver as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReceiverRow {
    pub(crate) id: i64,
    pub(crate) organisation: i64,
    pub(crate) name: String,
    pub(crate) target: String,
    pub(crate) mail_from: Option<String>,
    pub(crate) mail_to: String,
    pub(crate) japanese: bool,
    pub(crate) severity: u8,
    pub(crate) roots: Option<String>,
    pub(crate) secret: Option<Vec<u8>>,
    pub(crate) paused: bool,
    pub(crate) revision: u64,
    pub(crate) changed_at: UnixTime,
    pub(crate) changed_by: String,
    pub(crate) delivered: u64,
    pub(crate) dropped: u64,
    pub(crate) delivered_at: Option<UnixTime>,
    pub(crate) failing_since: Option<UnixTime>,
    pub(crate) failure: Option<String>,
    pub(crate) waiting: u64,
    pub(crate) dead: u64,
}

const SELECT: &str =
    "SELECT id, organisation, name, target, mail_from, mail_to, japanese, severity,
    roots, secret, paused, revision, changed_at, changed_by, delivered, dropped, delivered_at,
    failing_since, failure,
    (SELECT count(*) FROM alert_notice WHERE receiver = alert_receiver.id AND dead_at IS NULL),
    (SELECT count(*) FROM alert_notice WHERE receiver = alert_receiver.id AND dead_at IS NOT NULL)
    FROM alert_receiver";

fn row(row: &Row<'_>) -> rusqlite::Result<ReceiverRow> {
    let unsigned = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
    let time = |column| row.get::<_, Option<i64>>(column).map(|at| at.map(UnixTime));
    Ok(ReceiverRow {
        id: row.get(0)?,
        organisation: row.get(1)?,
        name: row.get(2)?,
        target: row.get(3)?,
        mail_from: row.get(4)?,
        mail_to: row.get(5)?,
        japanese: row.get(6)?,
        severity: row.get(7)?,
        roots: row.get(8)?,
        secret: row.get(9)?,
        paused: row.get(10)?,
        revision: unsigned(11)?,
        changed_at: UnixTime(row.get(12)?),
        changed_by: row.get(13)?,
        delivered: unsigned(14)?,
        dropped: unsigned(15)?,
        delivered_at: time(16)?,
        failing_since: time(17)?,
        failure: row.get(18)?,
        waiting: unsigned(19)?,
        dead: unsigned(20)?,
    })
}

/// All of an organisation; there are few.
pub(crate) fn receivers(
    connection: &Connection,
    organisation: i64,
) -> Result<Vec<ReceiverRow>, ServiceError> {
    let sql = format!("{SELECT} WHERE organisation = ?1 ORDER BY name");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([organisation], row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn receiver(
    connection: &Connection,
    organisation: i64,
    name: &str,
) -> Result<Option<ReceiverRow>, ServiceError> {
    let sql = format!("{SELECT} WHERE organisation = ?1 AND name = ?2");
    let found = connection.prepare_cached(&sql)?.query_row(params![organisation, name], row);
    Ok(found.optional()?)
}

pub(crate) fn receiver_of_id(
    connection: &Connection,
    id: i64,
) -> Result<Option<ReceiverRow>, ServiceError> {
    let sql = format!("{SELECT} WHERE id = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([id], row).optional()?)
}

/// Those that deliver: id and revision.
pub(crate) fn live(connection: &Connection) -> Result<Vec<(i64, u64)>, ServiceError> {
    let mut statement =
        connection.prepare_cached("SELECT id, revision FROM alert_receiver WHERE paused = 0")?;
    let rows =
        statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many there are: of everybody, of an organisation.
pub(crate) fn count(
    connection: &Connection,
    organisation: i64,
) -> Result<(usize, usize), ServiceError> {
    let read = |row: &Row<'_>| {
        let count = |at| row.get::<_, i64>(at).map(|it| usize::try_from(it).unwrap_or(usize::MAX));
        Ok((count(0)?, count(1)?))
    };
    let sql = "SELECT count(*), coalesce(sum(organisation = ?1), 0) FROM alert_receiver";
    Ok(connection.prepare_cached(sql)?.query_row([organisation], read)?)
}

/// Makes a receiver, or changes it.
pub(crate) fn put(tx: &Tx<'_>, row: &ReceiverRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO alert_receiver (organisation, name, target, mail_from, mail_to, japanese,
            severity, roots, secret, paused, revision, changed_at, changed_by, delivered, dropped)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, ?11, ?12, 0, 0)
         ON CONFLICT (organisation, name) DO UPDATE SET target = excluded.target,
            mail_from = excluded.mail_from, mail_to = excluded.mail_to,
            japanese = excluded.japanese, severity = excluded.severity, roots = excluded.roots,
            secret = excluded.secret, paused = excluded.paused, revision = revision + 1,
            changed_at = excluded.changed_at, changed_by = excluded.changed_by,
            failing_since = NULL, failure = NULL",
    )?
    .execute(params![
        row.organisation,
        row.name,
        row.target,
        row.mail_from,
        row.mail_to,
        row.japanese,
        row.severity,
        row.roots,
        row.secret,
        row.paused,
        row.changed_at.0,
        row.changed_by,
    ])?;
    tx.prepare_cached(
        "UPDATE alert_notice SET due_at = 0 WHERE dead_at IS NULL AND receiver =
            (SELECT id FROM alert_receiver WHERE organisation = ?1 AND name = ?2)",
    )?
    .execute(params![row.organisation, row.name])?;
    Ok(())
}

pub(crate) fn delete(tx: &Tx<'_>, id: i64) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM alert_notice WHERE receiver = ?1")?.execute([id])?;
    tx.prepare_cached("DELETE FROM alert_receiver WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// Something about an alert, for every receiver of its organisation that wants to know.
pub(crate) fn tell(
    tx: &Tx<'_>,
    (organisation, alert): (i64, i64),
    severity: u8,
    what: &str,
    now: UnixTime,
) -> Result<(), ServiceError> {
    let mut statement = tx.prepare_cached(
        "SELECT id FROM alert_receiver WHERE organisation = ?1 AND severity <= ?2",
    )?;
    let receivers: Vec<i64> = statement
        .query_map(params![organisation, severity], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for receiver in receivers {
        tx.prepare_cached(
            "INSERT INTO alert_notice (receiver, alert, what, at, attempts, due_at)
             VALUES (?1, ?2, ?3, ?4, 0, 0)",
        )?
        .execute(params![receiver, alert, what, now.0])?;
        let gone = tx
            .prepare_cached(
                "DELETE FROM alert_notice WHERE receiver = ?1 AND id <= (
                    SELECT id FROM alert_notice WHERE receiver = ?1
                    ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            )?
            .execute(params![receiver, to_i64(NOTICES_MAX)])?;
        if gone > 0 {
            tx.prepare_cached("UPDATE alert_receiver SET dropped = dropped + ?2 WHERE id = ?1")?
                .execute(params![receiver, limit_of(gone)])?;
        }
    }
    Ok(())
}

/// What a receiver is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoticeRow {
    pub(crate) id: i64,
    pub(crate) alert: i64,
    pub(crate) what: String,
    pub(crate) at: UnixTime,
    pub(crate) attempts: u32,
}

/// The oldest that waits, where it is due: a receiver is told in order.
pub(crate) fn next(
    connection: &Connection,
    receiver: i64,
    now: UnixTime,
) -> Result<Option<NoticeRow>, ServiceError> {
    let found = connection
        .prepare_cached(
            "SELECT id, alert, what, at, attempts, due_at FROM alert_notice
             WHERE receiver = ?1 AND dead_at IS NULL ORDER BY id LIMIT 1",
        )?
        .query_row([receiver], |row| {
            let due: i64 = row.get(5)?;
            let notice = NoticeRow {
                id: row.get(0)?,
                alert: row.get(1)?,
                what: row.get(2)?,
                at: UnixTime(row.get(3)?),
                attempts: row.get(4)?,
            };
            Ok((notice, due))
        })
        .optional()?;
    Ok(found.filter(|(_, due)| *due <= now.0).map(|(notice, _)| notice))
}

/// It was taken.
pub(crate) fn taken(
    tx: &Tx<'_>,
    receiver: i64,
    notice: i64,
    now: UnixTime,
) -> Result<(), ServiceError> {
    let gone = tx
        .prepare_cached("DELETE FROM alert_notice WHERE id = ?1 AND receiver = ?2")?
        .execute([notice, receiver])?;
    if gone == 1 {
        tx.prepare_cached(
            "UPDATE alert_receiver SET delivered = delivered + 1, delivered_at = ?2,
                failing_since = NULL, failure = NULL WHERE id = ?1",
        )?
        .execute([receiver, now.0])?;
    }
    Ok(())
}

/// It was not; it is tried again at `due_at`, or never.
pub(crate) fn failed(
    tx: &Tx<'_>,
    (receiver, notice): (i64, i64),
    due_at: Option<UnixTime>,
    why: &str,
    now: UnixTime,
) -> Result<(), ServiceError> {
    let dead = due_at.is_none().then_some(now.0);
    tx.prepare_cached(
        "UPDATE alert_notice SET attempts = attempts + 1, due_at = coalesce(?3, due_at),
            dead_at = ?4 WHERE id = ?1 AND receiver = ?2",
    )?
    .execute(params![notice, receiver, due_at.map(|at| at.0), dead])?;
    tx.prepare_cached(
        "UPDATE alert_receiver SET failure = ?2, failing_since = coalesce(failing_since, ?3)
         WHERE id = ?1",
    )?
    .execute(params![receiver, why, now.0])?;
    Ok(())
}

/// Has what was not taken wait again; how many there are.
pub(crate) fn retry(tx: &Tx<'_>, receiver: i64) -> Result<u64, ServiceError> {
    let changed = tx
        .prepare_cached(
            "UPDATE alert_notice SET dead_at = NULL, attempts = 0, due_at = 0
             WHERE receiver = ?1 AND dead_at IS NOT NULL",
        )?
        .execute([receiver])?;
    Ok(u64::try_from(changed).unwrap_or(u64::MAX))
}
