//! Alerts, how much of them came when, and who did what about them.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter, types::Value};

/// Length of a part in which counts are kept, in seconds.
pub(crate) const COUNT_S: i64 = 300;
/// Parts that are kept of an alert: a week of them.
const COUNTS_MAX: i64 = 7 * 86_400 / COUNT_S;

/// How an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Open = 1,
    Acknowledged = 2,
    Closed = 3,
}

impl State {
    fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Open,
            2 => Self::Acknowledged,
            _ => Self::Closed,
        }
    }
}

/// An alert as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AlertRow {
    pub(crate) id: i64,
    pub(crate) organisation: i64,
    pub(crate) rule: String,
    pub(crate) title: String,
    pub(crate) title_ja: String,
    pub(crate) severity: u8,
    pub(crate) suggest: String,
    pub(crate) about: String,
    pub(crate) state: State,
    pub(crate) count: u64,
    pub(crate) first_at: UnixTime,
    pub(crate) last_at: UnixTime,
    pub(crate) raised_at: UnixTime,
    pub(crate) closed_at: Option<UnixTime>,
    pub(crate) quarantine: u8,
    pub(crate) evidence: String,
}

const SELECT: &str = "SELECT id, organisation, rule, title, title_ja, severity, suggest, about,
    state, count, first_at, last_at, raised_at, closed_at, quarantine, evidence FROM alert";

fn row(row: &Row<'_>) -> rusqlite::Result<AlertRow> {
    Ok(AlertRow {
        id: row.get(0)?,
        organisation: row.get(1)?,
        rule: row.get(2)?,
        title: row.get(3)?,
        title_ja: row.get(4)?,
        severity: row.get(5)?,
        suggest: row.get(6)?,
        about: row.get(7)?,
        state: State::from_code(row.get(8)?),
        count: row.get::<_, i64>(9)?.unsigned_abs(),
        first_at: UnixTime(row.get(10)?),
        last_at: UnixTime(row.get(11)?),
        raised_at: UnixTime(row.get(12)?),
        closed_at: row.get::<_, Option<i64>>(13)?.map(UnixTime),
        quarantine: row.get(14)?,
        evidence: row.get(15)?,
    })
}

/// The one that is at work about somebody by a rule.
pub(crate) fn at_work(
    connection: &Connection,
    organisation: i64,
    rule: &str,
    about: &str,
) -> Result<Option<AlertRow>, ServiceError> {
    let sql =
        format!("{SELECT} WHERE organisation = ?1 AND rule = ?2 AND about = ?3 AND state <> 3");
    let found = connection.prepare_cached(&sql)?.query_row(params![organisation, rule, about], row);
    Ok(found.optional()?)
}

/// When the last one about somebody by a rule was closed.
pub(crate) fn closed_at(
    connection: &Connection,
    organisation: i64,
    rule: &str,
    about: &str,
) -> Result<Option<UnixTime>, ServiceError> {
    let at: Option<i64> = connection
        .prepare_cached(
            "SELECT max(closed_at) FROM alert
             WHERE organisation = ?1 AND rule = ?2 AND about = ?3 AND state = 3",
        )?
        .query_row(params![organisation, rule, about], |row| row.get(0))?;
    Ok(at.map(UnixTime))
}

pub(crate) fn alert(
    connection: &Connection,
    organisation: i64,
    id: i64,
) -> Result<Option<AlertRow>, ServiceError> {
    let sql = format!("{SELECT} WHERE organisation = ?1 AND id = ?2");
    Ok(connection.prepare_cached(&sql)?.query_row(params![organisation, id], row).optional()?)
}

/// Which alerts are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct AlertFilter {
    /// closed ones, or those that are not
    pub(crate) closed: Option<bool>,
    /// of one state
    pub(crate) state: Option<u8>,
    /// at least so grave
    pub(crate) severity: Option<u8>,
    pub(crate) rule: Option<String>,
    pub(crate) about: Option<String>,
}

/// Newest first, before a place.
pub(crate) fn alerts(
    connection: &Connection,
    organisation: i64,
    filter: &AlertFilter,
    before: i64,
    limit: usize,
) -> Result<Vec<AlertRow>, ServiceError> {
    let mut values = vec![Value::Integer(organisation), Value::Integer(before)];
    let mut sql = format!("{SELECT} WHERE organisation = ?1 AND id < ?2");
    let number = |number: u8| Value::Integer(number.into());
    let conditions = [
        ("state =", filter.state.map(number)),
        ("severity >=", filter.severity.map(number)),
        ("rule =", filter.rule.clone().map(Value::Text)),
        ("about =", filter.about.clone().map(Value::Text)),
    ];
    for (condition, value) in conditions {
        if let Some(value) = value {
            values.push(value);
            sql.push_str(&format!(" AND {condition} ?{}", values.len()));
        }
    }
    match filter.closed {
        Some(true) => sql.push_str(" AND state = 3"),
        Some(false) => sql.push_str(" AND state <> 3"),
        None => {}
    }
    values.push(Value::Integer(limit_of(limit)));
    sql.push_str(&format!(" ORDER BY id DESC LIMIT ?{}", values.len()));
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many of an organisation there are: at work, and in all.
pub(crate) fn counted(
    connection: &Connection,
    organisation: i64,
) -> Result<(u64, u64), ServiceError> {
    let sql = "SELECT coalesce(sum(state <> 3), 0), count(*) FROM alert WHERE organisation = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([organisation], |row| {
        Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs()))
    })?)
}

/// Adds an alert; its id.
pub(crate) fn insert(tx: &Tx<'_>, row: &AlertRow) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO alert (organisation, rule, title, title_ja, severity, suggest, about, state,
            count, first_at, last_at, raised_at, quarantine, evidence)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .execute(params![
        row.organisation,
        row.rule,
        row.title,
        row.title_ja,
        row.severity,
        row.suggest,
        row.about,
        row.state as u8,
        to_i64(row.count),
        row.first_at.0,
        row.last_at.0,
        row.raised_at.0,
        row.quarantine,
        row.evidence,
    ])?;
    Ok(tx.last_insert_rowid())
}

/// It counts on.
pub(crate) fn count_on(
    tx: &Tx<'_>,
    id: i64,
    count: u64,
    last_at: UnixTime,
    evidence: &str,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "UPDATE alert SET count = count + ?2, last_at = max(last_at, ?3), evidence = ?4
         WHERE id = ?1",
    )?
    .execute(params![id, to_i64(count), last_at.0, evidence])?;
    Ok(())
}

/// Notes how much came when.
pub(crate) fn add_count(
    tx: &Tx<'_>,
    id: i64,
    at: UnixTime,
    count: u64,
) -> Result<(), ServiceError> {
    let part = at.0.div_euclid(COUNT_S).saturating_mul(COUNT_S);
    tx.prepare_cached(
        "INSERT INTO alert_count (alert, at, count) VALUES (?1, ?2, ?3)
         ON CONFLICT (alert, at) DO UPDATE SET count = count + excluded.count",
    )?
    .execute(params![id, part, to_i64(count)])?;
    let oldest = part.saturating_sub(COUNTS_MAX.saturating_mul(COUNT_S));
    tx.prepare_cached("DELETE FROM alert_count WHERE alert = ?1 AND at < ?2")?
        .execute(params![id, oldest])?;
    Ok(())
}

/// How much came when, oldest first.
pub(crate) fn counts(
    connection: &Connection,
    id: i64,
) -> Result<Vec<(UnixTime, u64)>, ServiceError> {
    let mut statement = connection
        .prepare_cached("SELECT at, count FROM alert_count WHERE alert = ?1 ORDER BY at")?;
    let rows = statement
        .query_map([id], |row| Ok((UnixTime(row.get(0)?), row.get::<_, i64>(1)?.unsigned_abs())))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn set_state(
    tx: &Tx<'_>,
    id: i64,
    state: State,
    now: UnixTime,
) -> Result<(), ServiceError> {
    let closed = (state == State::Closed).then_some(now.0);
    tx.prepare_cached("UPDATE alert SET state = ?2, closed_at = ?3 WHERE id = ?1")?
        .execute(params![id, state as u8, closed])?;
    Ok(())
}

pub(crate) fn set_quarantine(tx: &Tx<'_>, id: i64, quarantine: u8) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE alert SET quarantine = ?2 WHERE id = ?1")?
        .execute(params![id, quarantine])?;
    Ok(())
}

/// Somebody did something about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ActRow {
    pub(crate) at: UnixTime,
    pub(crate) who: String,
    pub(crate) what: String,
    pub(crate) note: Option<String>,
}

/// Whether there was room: so many acts are kept of an alert.
pub(crate) fn add_act(tx: &Tx<'_>, id: i64, act: &ActRow, most: u64) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached(
            "INSERT INTO alert_act (alert, number, at, who, what, note)
             SELECT ?1, count(*) + 1, ?2, ?3, ?4, ?5 FROM alert_act WHERE alert = ?1
             HAVING count(*) < ?6",
        )?
        .execute(params![id, act.at.0, act.who, act.what, act.note, to_i64(most)])?;
    Ok(changed == 1)
}

pub(crate) fn acts(connection: &Connection, id: i64) -> Result<Vec<ActRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT at, who, what, note FROM alert_act WHERE alert = ?1 ORDER BY number",
    )?;
    let rows = statement.query_map([id], |row| {
        Ok(ActRow {
            at: UnixTime(row.get(0)?),
            who: row.get(1)?,
            what: row.get(2)?,
            note: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes that a device of an organisation went into quarantine by itself.
pub(crate) fn add_quarantine(
    tx: &Tx<'_>,
    organisation: i64,
    now: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM alert_quarantine WHERE organisation = ?1 AND at < ?2")?
        .execute(params![organisation, now.0.saturating_sub(86_400)])?;
    tx.prepare_cached("INSERT INTO alert_quarantine (organisation, at) VALUES (?1, ?2)")?
        .execute(params![organisation, now.0])?;
    Ok(())
}

/// How many did since a time. A clock that was set back does not make them fewer.
pub(crate) fn quarantined_since(
    connection: &Connection,
    organisation: i64,
    since: UnixTime,
) -> Result<u32, ServiceError> {
    let sql = "SELECT count(*) FROM alert_quarantine WHERE organisation = ?1 AND at > ?2";
    let read = |row: &Row<'_>| row.get(0);
    Ok(connection.prepare_cached(sql)?.query_row(params![organisation, since.0], read)?)
}

/// Removes the oldest closed alerts of an organisation, as many; how many there were.
pub(crate) fn forget_closed(
    tx: &Tx<'_>,
    organisation: i64,
    limit: usize,
) -> Result<usize, ServiceError> {
    const OLDEST: &str = "SELECT id FROM alert WHERE organisation = ?1 AND state = 3
        ORDER BY id LIMIT ?2";
    let limit = limit_of(limit);
    for table in ["alert_count", "alert_act", "alert_notice"] {
        tx.prepare_cached(&format!("DELETE FROM {table} WHERE alert IN ({OLDEST})"))?
            .execute(params![organisation, limit])?;
    }
    let sql = format!("DELETE FROM alert WHERE id IN ({OLDEST})");
    Ok(tx.prepare_cached(&sql)?.execute(params![organisation, limit])?)
}
