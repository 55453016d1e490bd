//! Commands and settings of devices.

use super::{
    Tx,
    damaged::{At, json_text},
    organisation::limit_of,
    to_i64,
};
use crate::ServiceError;
use crypto::UnixTime;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// How far a command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Waiting = 1,
    Sent = 2,
    Accepted = 3,
    Done = 4,
    Failed = 5,
    Rejected = 6,
    Cancelled = 7,
}

impl State {
    const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Sent,
        Self::Accepted,
        Self::Done,
        Self::Failed,
        Self::Rejected,
        Self::Cancelled,
    ];

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as u8 == code)
    }

    /// Whether the device has said all that it has to say.
    pub(crate) fn is_answered(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Rejected)
    }
}

/// A command on record.
#[derive(Debug, Clone)]
pub(crate) struct CommandRow {
    pub(crate) id: i64,
    pub(crate) reference: [u8; 16],
    pub(crate) name: String,
    pub(crate) parameters: String,
    pub(crate) reason: String,
    pub(crate) issued_by: String,
    pub(crate) issued_at: UnixTime,
    pub(crate) expires_at: UnixTime,
    pub(crate) state: State,
    pub(crate) sent_at: Option<UnixTime>,
    pub(crate) answered_at: Option<UnixTime>,
    pub(crate) detail: Option<String>,
    pub(crate) proof: Option<Vec<u8>>,
}

const COLUMNS: &str = "id, reference, name, parameters, reason, issued_by, issued_at, \
                       expires_at, state, sent_at, answered_at, detail, proof";

fn read(row: &Row<'_>) -> rusqlite::Result<CommandRow> {
    let at = |index| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(index)?.map(UnixTime));
    let state: u8 = row.get(8)?;
    let id: i64 = row.get(0)?;
    let parameters = At { table: "command", row: &id, column: "parameters", index: 3 };
    Ok(CommandRow {
        id,
        reference: row.get(1)?,
        name: row.get(2)?,
        parameters: json_text(row, &parameters)?,
        reason: row.get(4)?,
        issued_by: row.get(5)?,
        issued_at: UnixTime(row.get(6)?),
        expires_at: UnixTime(row.get(7)?),
        state: State::from_code(state)
            .ok_or(rusqlite::Error::IntegralValueOutOfRange(8, state.into()))?,
        sent_at: at(9)?,
        answered_at: at(10)?,
        detail: row.get(11)?,
        proof: row.get(12)?,
    })
}

/// A command to be kept.
#[derive(Debug, Clone)]
pub(crate) struct NewCommand {
    pub(crate) reference: [u8; 16],
    pub(crate) device: i64,
    pub(crate) owner: i64,
    pub(crate) name: String,
    pub(crate) parameters: String,
    pub(crate) reason: String,
    pub(crate) issued_by: String,
    pub(crate) issued_at: UnixTime,
    pub(crate) expires_at: UnixTime,
}

/// Commands of a device under one owner that are open at a time: neither answered, cancelled nor
/// over.
pub(crate) fn open_count(
    connection: &Connection,
    device: i64,
    owner: i64,
    now: UnixTime,
) -> Result<i64, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT count(*) FROM command
             WHERE device = ?1 AND owner = ?2 AND state <= 3 AND expires_at > ?3",
        )?
        .query_row(params![device, owner, now.0], |row| row.get(0))?)
}

/// Keeps a command; of those that are over, the `keep` newest stay.
pub(crate) fn insert(
    tx: &Tx<'_>,
    command: &NewCommand,
    keep: usize,
    now: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO command (reference, device, owner, name, parameters, reason, issued_by,
             issued_at, expires_at, state)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1)",
    )?
    .execute(params![
        command.reference,
        command.device,
        command.owner,
        command.name,
        command.parameters,
        command.reason,
        command.issued_by,
        command.issued_at.0,
        command.expires_at.0
    ])?;
    tx.prepare_cached(
        // Proofs are evidence, and stay.
        "DELETE FROM command WHERE device = ?1 AND (state > 3 OR expires_at <= ?3)
             AND proof IS NULL AND id NOT IN
             (SELECT id FROM command WHERE device = ?1 ORDER BY id DESC LIMIT ?2)",
    )?
    .execute(params![command.device, limit_of(keep), now.0])?;
    Ok(())
}

/// Commands of a device under one owner, the newest first.
pub(crate) fn commands(
    connection: &Connection,
    (device, owner): (i64, i64),
    before: i64,
    limit: usize,
) -> Result<Vec<CommandRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM command WHERE device = ?1 AND owner = ?2 AND id < ?3
         ORDER BY id DESC LIMIT ?4"
    ))?;
    let rows = statement.query_map(params![device, owner, before, limit_of(limit)], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One of them.
pub(crate) fn command(
    connection: &Connection,
    (device, owner): (i64, i64),
    reference: &[u8; 16],
) -> Result<Option<CommandRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM command WHERE reference = ?1 AND device = ?2 AND owner = ?3"
        ))?
        .query_row(params![reference, device, owner], read)
        .optional()?)
}

/// Those that the device is to hear of: waiting, or sent (`again`) and not answered; in the order in
/// which they were given.
pub(crate) fn to_hear(
    connection: &Connection,
    (device, owner): (i64, i64),
    again: bool,
    now: UnixTime,
    limit: usize,
) -> Result<Vec<CommandRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM command
         WHERE device = ?1 AND owner = ?2 AND state <= ?3 AND expires_at > ?4 ORDER BY id LIMIT ?5"
    ))?;
    let most = if again { State::Sent as u8 } else { State::Waiting as u8 };
    let rows = statement.query_map(params![device, owner, most, now.0, limit_of(limit)], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Puts down that a door gave it to the device.
pub(crate) fn sent(tx: &Tx<'_>, id: i64, now: UnixTime) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE command SET state = 2, sent_at = ?2 WHERE id = ?1 AND state = 1")?
        .execute(params![id, now.0])?;
    Ok(())
}

/// Puts down what became of it.
pub(crate) fn set_state(
    tx: &Tx<'_>,
    id: i64,
    state: State,
    detail: Option<&str>,
    now: UnixTime,
) -> Result<(), ServiceError> {
    let (column, detail) = match state {
        State::Cancelled => ("cancelled_at", None),
        _ => ("answered_at", detail),
    };
    tx.prepare_cached(&format!(
        "UPDATE command SET state = ?2, {column} = ?3, detail = coalesce(?4, detail) WHERE id = ?1"
    ))?
    .execute(params![id, state as u8, now.0, detail])?;
    Ok(())
}

/// Keeps what proves that a command was done.
pub(crate) fn set_proof(tx: &Tx<'_>, id: i64, proof: &[u8]) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE command SET proof = ?2 WHERE id = ?1")?
        .execute(params![id, proof])?;
    Ok(())
}

/// Settings that were wanted of a device at some time.
#[derive(Debug, Clone)]
pub(crate) struct VersionRow {
    pub(crate) version: u64,
    pub(crate) settings: String,
    pub(crate) reason: String,
    pub(crate) set_by: String,
    pub(crate) set_at: UnixTime,
}

/// What a device said last that it runs with.
#[derive(Debug, Clone)]
pub(crate) struct ReportedRow {
    pub(crate) version: u64,
    pub(crate) settings: String,
    pub(crate) at: UnixTime,
}

/// The newest version that anybody wanted of a device, and who owned it then.
pub(crate) fn newest(
    connection: &Connection,
    device: i64,
) -> Result<Option<(u64, i64)>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT version, owner FROM configuration WHERE device = ?1")?
        .query_row([device], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?)))
        .optional()?)
}

/// Puts a version down as what is wanted; of the older ones, `keep` stay.
pub(crate) fn want(
    tx: &Tx<'_>,
    (device, owner): (i64, i64),
    wanted: &VersionRow,
    keep: u64,
) -> Result<(), ServiceError> {
    let version = to_i64(wanted.version);
    tx.prepare_cached(
        "INSERT INTO configuration (device, owner, version) VALUES (?1, ?2, ?3)
         ON CONFLICT (device) DO UPDATE SET owner = excluded.owner, version = excluded.version",
    )?
    .execute([device, owner, version])?;
    tx.prepare_cached("INSERT INTO configuration_version VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![
            device,
            version,
            owner,
            wanted.settings,
            wanted.reason,
            wanted.set_by,
            wanted.set_at.0
        ])?;
    tx.prepare_cached("DELETE FROM configuration_version WHERE device = ?1 AND version <= ?2")?
        .execute([device, version.saturating_sub(to_i64(keep))])?;
    Ok(())
}

/// Versions that one owner wanted, the newest first, below `before`.
pub(crate) fn versions(
    connection: &Connection,
    (device, owner): (i64, i64),
    before: i64,
    limit: usize,
) -> Result<Vec<VersionRow>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT version, settings, reason, set_by, set_at FROM configuration_version
         WHERE device = ?1 AND owner = ?2 AND version < ?3 ORDER BY version DESC LIMIT ?4",
    )?;
    let rows = statement.query_map(params![device, owner, before, limit_of(limit)], |row| {
        let version = row.get::<_, i64>(0)?.unsigned_abs();
        let place = format!("device {device}, version {version}");
        let at = At { table: "configuration_version", row: &place, column: "settings", index: 1 };
        Ok(VersionRow {
            version,
            settings: json_text(row, &at)?,
            reason: row.get(2)?,
            set_by: row.get(3)?,
            set_at: UnixTime(row.get(4)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What the device said under this owner.
pub(crate) fn reported(
    connection: &Connection,
    (device, owner): (i64, i64),
) -> Result<Option<ReportedRow>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT reported_version, reported, reported_at FROM configuration
             WHERE device = ?1 AND reported_owner = ?2",
        )?
        .query_row([device, owner], |row| {
            let place = format!("device {device}");
            let at = At { table: "configuration", row: &place, column: "reported", index: 1 };
            Ok(ReportedRow {
                version: row.get::<_, i64>(0)?.unsigned_abs(),
                settings: json_text(row, &at)?,
                at: UnixTime(row.get(2)?),
            })
        })
        .optional()?)
}

/// Puts down what the device says it runs with.
pub(crate) fn report(
    tx: &Tx<'_>,
    (device, owner): (i64, i64),
    said: &ReportedRow,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO configuration (device, owner, version, reported_version, reported,
             reported_at, reported_owner)
         VALUES (?1, ?2, 0, ?3, ?4, ?5, ?2)
         ON CONFLICT (device) DO UPDATE SET reported_version = excluded.reported_version,
             reported = excluded.reported, reported_at = excluded.reported_at,
             reported_owner = excluded.reported_owner",
    )?
    .execute(params![device, owner, to_i64(said.version), said.settings, said.at.0])?;
    Ok(())
}
