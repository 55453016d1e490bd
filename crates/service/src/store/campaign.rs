//! Campaigns, their members and what devices make of them.

use super::{
    Tx,
    damaged::{At, json},
    organisation::limit_of,
    to_i64,
};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use update::campaign::{
    Action, Campaign, Counts, Outcome, PauseCause, Purpose, Reason, Record, Software, State, Step,
};

/// A campaign on record.
#[derive(Debug, Clone)]
pub(crate) struct CampaignRow {
    pub(crate) id: i64,
    pub(crate) reference: [u8; 16],
    pub(crate) organisation: i64,
    pub(crate) product: i64,
    pub(crate) release: i64,
    pub(crate) back: Option<i64>,
    pub(crate) name: String,
    pub(crate) terms: String,
    pub(crate) members: u64,
    pub(crate) root: Sha256,
    pub(crate) seed: [u8; 32],
    pub(crate) created_at: UnixTime,
    pub(crate) created_by: String,
    pub(crate) started_at: Option<UnixTime>,
    pub(crate) started_by: Option<String>,
    pub(crate) over_at: Option<UnixTime>,
    /// how far the search for members that never asked has come: a row of `campaign_slice`
    pub(crate) swept: i64,
    /// where it stands, without its counts
    pub(crate) stands: Campaign,
}

const CAMPAIGN: &str = "id, reference, organisation, product, release, back, name, terms, members, \
                        root, seed, created_at, created_by, started_at, started_by, over_at, swept, \
                        state, paused, stage, reached_at, minute, starts";

fn bad(at: usize, value: u8) -> rusqlite::Error {
    rusqlite::Error::IntegralValueOutOfRange(at, value.into())
}

fn campaign_row(row: &Row<'_>) -> rusqlite::Result<CampaignRow> {
    let time = |at| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.map(UnixTime));
    let state: u8 = row.get(17)?;
    let paused: Option<u8> = row.get(18)?;
    Ok(CampaignRow {
        id: row.get(0)?,
        reference: row.get(1)?,
        organisation: row.get(2)?,
        product: row.get(3)?,
        release: row.get(4)?,
        back: row.get(5)?,
        name: row.get(6)?,
        terms: row.get(7)?,
        members: row.get::<_, i64>(8)?.unsigned_abs(),
        root: Sha256(row.get(9)?),
        seed: row.get(10)?,
        created_at: UnixTime(row.get(11)?),
        created_by: row.get(12)?,
        started_at: time(13)?,
        started_by: row.get(14)?,
        over_at: time(15)?,
        swept: row.get(16)?,
        stands: Campaign {
            state: State::from_code(state).ok_or(bad(17, state))?,
            paused: paused
                .map(|code| PauseCause::from_code(code).ok_or(bad(18, code)))
                .transpose()?,
            stage: row.get(19)?,
            reached_at: time(20)?,
            minute: row.get(21)?,
            starts: row.get(22)?,
            counts: Vec::new(),
        },
    })
}

/// Puts a draft down, with its stages.
pub(crate) fn insert_campaign(tx: &Tx<'_>, new: &CampaignRow) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO campaign (reference, organisation, product, release, back, name, terms, state,
                               stage, minute, starts, members, root, seed, created_at, created_by,
                               swept)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, 0, ?9, ?10, ?11, ?12, ?13, 0)",
    )?
    .execute(params![
        new.reference,
        new.organisation,
        new.product,
        new.release,
        new.back,
        new.name,
        new.terms,
        new.stands.state.code(),
        to_i64(new.members),
        new.root.as_bytes(),
        new.seed,
        new.created_at.0,
        new.created_by
    ])?;
    let id = tx.last_insert_rowid();
    for (stage, counts) in new.stands.counts.iter().enumerate() {
        tx.prepare_cached(
            "INSERT INTO campaign_stage VALUES (?1, ?2, ?3, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL)",
        )?
        .execute(params![id, limit_of(stage), to_i64(counts.total)])?;
    }
    Ok(id)
}

/// A row of members.
pub(crate) struct NewSlice {
    pub(crate) first: i64,
    pub(crate) members: Vec<u8>,
    pub(crate) root: Sha256,
}

pub(crate) fn insert_slices(
    tx: &Tx<'_>,
    campaign: i64,
    slices: &[NewSlice],
) -> Result<(), ServiceError> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO campaign_slice (campaign, first, slice, members, root)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (number, slice) in slices.iter().enumerate() {
        let number = limit_of(number);
        let root = slice.root.as_bytes();
        statement.execute(params![campaign, slice.first, number, slice.members, root])?;
    }
    Ok(())
}

/// The members among which a device is, where it is one, with the number of the slice.
pub(crate) fn slice_of(
    connection: &Connection,
    campaign: i64,
    device: i64,
) -> Result<Option<(u64, Vec<u8>)>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT slice, members FROM campaign_slice WHERE campaign = ?1 AND first <= ?2
             ORDER BY first DESC LIMIT 1",
        )?
        .query_row([campaign, device], |row| {
            Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?))
        })
        .optional()?)
}

/// The next slices of a campaign after the row `after`, for whoever looks through all members.
pub(crate) fn slices_after(
    connection: &Connection,
    campaign: i64,
    after: i64,
    limit: usize,
) -> Result<Vec<(i64, Vec<u8>)>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT first, members FROM campaign_slice WHERE campaign = ?1 AND first > ?2
         ORDER BY first LIMIT ?3",
    )?;
    let rows = statement.query_map(params![campaign, after, limit_of(limit)], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The roots of a campaign's slices, in order.
pub(crate) fn slice_roots(
    connection: &Connection,
    campaign: i64,
) -> Result<Vec<Sha256>, ServiceError> {
    let mut statement = connection
        .prepare_cached("SELECT root FROM campaign_slice WHERE campaign = ?1 ORDER BY first")?;
    let rows = statement.query_map([campaign], |row| Ok(Sha256(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Devices of an organisation and a product line in a few phases, by row number: row and id. The
/// quick way for searches that ask for nothing else.
pub(crate) fn plain_members(
    connection: &Connection,
    column: Side,
    organisation: i64,
    product: i64,
    each: &mut dyn FnMut(i64, [u8; 16]) -> Result<(), ServiceError>,
) -> Result<(), ServiceError> {
    let sql = match column {
        Side::Owner => {
            "SELECT id, device_id FROM device WHERE owner = ?1 AND product = ?2 AND phase < 8
             ORDER BY id"
        }
        Side::Maker => {
            "SELECT id, device_id FROM device WHERE maker = ?1 AND product = ?2 AND phase < 8
               AND (owner = ?1 OR EXISTS (SELECT 1 FROM update_consent
                    WHERE update_consent.owner = device.owner AND update_consent.product = ?2))
             ORDER BY id"
        }
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([organisation, product])?;
    while let Some(row) = rows.next()? {
        each(row.get(0)?, row.get(1)?)?;
    }
    Ok(())
}

/// As whose an organisation has devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Owner,
    Maker,
}

/// A campaign with its counts.
pub(crate) fn campaign(
    connection: &Connection,
    id: i64,
) -> Result<Option<CampaignRow>, ServiceError> {
    let row = connection
        .prepare_cached(&format!("SELECT {CAMPAIGN} FROM campaign WHERE id = ?1"))?
        .query_row([id], campaign_row)
        .optional()?;
    row.map(|row| counted(connection, row)).transpose()
}

pub(crate) fn campaign_by_reference(
    connection: &Connection,
    reference: &[u8; 16],
) -> Result<Option<CampaignRow>, ServiceError> {
    let row = connection
        .prepare_cached(&format!("SELECT {CAMPAIGN} FROM campaign WHERE reference = ?1"))?
        .query_row([reference], campaign_row)
        .optional()?;
    row.map(|row| counted(connection, row)).transpose()
}

/// An organisation's campaigns, newest first, older than `before`.
pub(crate) fn campaigns(
    connection: &Connection,
    organisation: i64,
    before: i64,
    limit: usize,
) -> Result<Vec<CampaignRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {CAMPAIGN} FROM campaign WHERE organisation = ?1 AND id < ?2
         ORDER BY id DESC LIMIT ?3"
    ))?;
    let rows = statement.query_map(params![organisation, before, limit_of(limit)], campaign_row)?;
    let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
    rows.into_iter().map(|row| counted(connection, row)).collect()
}

/// Drafts of an organisation.
pub(crate) fn count_drafts(
    connection: &Connection,
    organisation: i64,
) -> Result<u64, ServiceError> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM campaign WHERE organisation = ?1 AND state = 1")?
        .query_row([organisation], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// An organisation's campaigns that are under way, oldest first: rows and products.
pub(crate) fn under_way(
    connection: &Connection,
    organisation: i64,
) -> Result<Vec<(i64, i64)>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, product FROM campaign WHERE organisation = ?1 AND state IN (2, 3, 4)
         ORDER BY id",
    )?;
    let rows = statement.query_map([organisation], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Campaigns to releases of a product that are under way, whoever runs them.
pub(crate) fn under_way_of_product(
    connection: &Connection,
    product: i64,
) -> Result<Vec<i64>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM campaign WHERE product = ?1 AND state IN (2, 3, 4) ORDER BY id",
    )?;
    let rows = statement.query_map([product], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many members an organisation's small campaigns over a product have that started since a time.
pub(crate) fn trial_members(
    connection: &Connection,
    organisation: i64,
    product: i64,
    most: u64,
    since: UnixTime,
) -> Result<u64, ServiceError> {
    let sum: i64 = connection
        .prepare_cached(
            "SELECT coalesce(sum(members), 0) FROM campaign
             WHERE organisation = ?1 AND product = ?2 AND members <= ?3 AND started_at > ?4",
        )?
        .query_row(params![organisation, product, to_i64(most), since.0], |row| row.get(0))?;
    Ok(sum.unsigned_abs())
}

/// All campaigns that are under way.
pub(crate) fn all_under_way(connection: &Connection) -> Result<Vec<i64>, ServiceError> {
    let mut statement = connection
        .prepare_cached("SELECT id FROM campaign WHERE state IN (2, 3, 4) ORDER BY id")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn counted(connection: &Connection, mut row: CampaignRow) -> Result<CampaignRow, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT total, open, succeeded, failed, skipped, cancelled, rolling_back, rolled_back,
                stranded, waived, opened_at
         FROM campaign_stage WHERE campaign = ?1 ORDER BY stage",
    )?;
    let counts = statement.query_map([row.id], |row| {
        let number = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
        Ok(Counts {
            total: number(0)?,
            open: number(1)?,
            succeeded: number(2)?,
            failed: number(3)?,
            skipped: number(4)?,
            cancelled: number(5)?,
            rolling_back: number(6)?,
            rolled_back: number(7)?,
            stranded: number(8)?,
            waived: number(9)?,
            opened_at: row.get::<_, Option<i64>>(10)?.map(UnixTime),
        })
    })?;
    row.stands.counts = counts.collect::<Result<_, _>>()?;
    Ok(row)
}

/// Writes where a campaign stands, as far as it has moved.
pub(crate) fn update_campaign(
    tx: &Tx<'_>,
    id: i64,
    before: &Campaign,
    now: &Campaign,
    at: UnixTime,
) -> Result<(), ServiceError> {
    let head = |campaign: &Campaign| {
        let Campaign { state, paused, stage, reached_at, minute, starts, counts: _ } = campaign;
        (*state, *paused, *stage, *reached_at, *minute, *starts)
    };
    if head(before) != head(now) {
        tx.prepare_cached(
            "UPDATE campaign SET state = ?2, paused = ?3, stage = ?4, reached_at = ?5, minute = ?6,
                starts = ?7, over_at = ?8 WHERE id = ?1",
        )?
        .execute(params![
            id,
            now.state.code(),
            now.paused.map(PauseCause::code),
            now.stage,
            now.reached_at.map(|time| time.0),
            now.minute,
            now.starts,
            now.state.is_over().then_some(at.0)
        ])?;
    }
    super::curve::take(tx, id, before, now, at)?;
    for (stage, counts) in now.counts.iter().enumerate() {
        if before.counts.get(stage) == Some(counts) {
            continue;
        }
        tx.prepare_cached(
            "UPDATE campaign_stage SET open = ?3, succeeded = ?4, failed = ?5, skipped = ?6,
                cancelled = ?7, rolling_back = ?8, rolled_back = ?9, stranded = ?10, waived = ?11,
                opened_at = ?12
             WHERE campaign = ?1 AND stage = ?2",
        )?
        .execute(params![
            id,
            limit_of(stage),
            to_i64(counts.open),
            to_i64(counts.succeeded),
            to_i64(counts.failed),
            to_i64(counts.skipped),
            to_i64(counts.cancelled),
            to_i64(counts.rolling_back),
            to_i64(counts.rolled_back),
            to_i64(counts.stranded),
            to_i64(counts.waived),
            counts.opened_at.map(|time| time.0)
        ])?;
    }
    Ok(())
}

pub(crate) fn set_started(
    tx: &Tx<'_>,
    id: i64,
    by: &str,
    at: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE campaign SET started_at = ?2, started_by = ?3 WHERE id = ?1")?
        .execute(params![id, at.0, by])?;
    Ok(())
}

pub(crate) fn set_swept(tx: &Tx<'_>, id: i64, swept: i64) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE campaign SET swept = ?2 WHERE id = ?1")?.execute([id, swept])?;
    Ok(())
}

/// Removes a draft.
pub(crate) fn forget_draft(tx: &Tx<'_>, id: i64) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM campaign_slice WHERE campaign = ?1")?.execute([id])?;
    Ok(())
}

/// Notes a statement in the log; returns its number, from 1.
pub(crate) fn insert_statement(
    tx: &Tx<'_>,
    campaign: i64,
    number: u64,
    leaf: u64,
    release: Option<i64>,
) -> Result<(), ServiceError> {
    tx.prepare_cached("INSERT INTO campaign_statement VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![campaign, to_i64(number), to_i64(leaf), release])?;
    Ok(())
}

/// The next number of a campaign's statements.
pub(crate) fn next_statement(connection: &Connection, campaign: i64) -> Result<u64, ServiceError> {
    let last: Option<i64> = connection
        .prepare_cached("SELECT max(number) FROM campaign_statement WHERE campaign = ?1")?
        .query_row([campaign], |row| row.get(0))?;
    Ok(last.unwrap_or(0).unsigned_abs().saturating_add(1))
}

/// The leaf of the newest statement that sends the members to a release.
pub(crate) fn statement_for(
    connection: &Connection,
    campaign: i64,
    release: i64,
) -> Result<Option<u64>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT leaf FROM campaign_statement WHERE campaign = ?1 AND release = ?2
             ORDER BY number DESC LIMIT 1",
        )?
        .query_row([campaign, release], |row| row.get::<_, i64>(0))
        .optional()?
        .map(i64::unsigned_abs))
}

/// An action on record.
#[derive(Debug, Clone)]
pub(crate) struct ActionRow {
    pub(crate) id: i64,
    pub(crate) campaign: i64,
    pub(crate) device: i64,
    pub(crate) stage: u8,
    pub(crate) action: Action,
    pub(crate) heard_at: Option<UnixTime>,
    pub(crate) progress: Option<u8>,
    pub(crate) detail: Option<String>,
    pub(crate) over: Option<(Outcome, Reason, UnixTime)>,
    pub(crate) leaf: Option<u64>,
}

impl ActionRow {
    /// What the campaign knows of the device by it.
    pub(crate) fn record(&self) -> Record {
        match self.over {
            None => Record::Open(self.action),
            Some((outcome, reason, _)) => {
                Record::Over { purpose: self.action.purpose, outcome, reason }
            }
        }
    }
}

const ACTION: &str = "id, campaign, device, stage, purpose, step, offered_at, deadline, downloads, \
                      installs, heard_at, progress, detail, outcome, reason, over_at, leaf";

fn action_row(row: &Row<'_>) -> rusqlite::Result<ActionRow> {
    let time = |at| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.map(UnixTime));
    let (purpose, step): (u8, u8) = (row.get(4)?, row.get(5)?);
    let (outcome, reason): (Option<u8>, Option<u8>) = (row.get(13)?, row.get(14)?);
    let over = match (outcome, reason, time(15)?) {
        (Some(outcome), Some(reason), Some(at)) => Some((
            Outcome::from_code(outcome).ok_or(bad(13, outcome))?,
            Reason::from_code(reason).ok_or(bad(14, reason))?,
            at,
        )),
        _ => None,
    };
    Ok(ActionRow {
        id: row.get(0)?,
        campaign: row.get(1)?,
        device: row.get(2)?,
        stage: row.get(3)?,
        action: Action {
            purpose: Purpose::from_code(purpose).ok_or(bad(4, purpose))?,
            step: Step::from_code(step).ok_or(bad(5, step))?,
            offered_at: UnixTime(row.get(6)?),
            deadline: UnixTime(row.get(7)?),
            downloads: row.get(8)?,
            installs: row.get(9)?,
        },
        heard_at: time(10)?,
        progress: row.get(11)?,
        detail: row.get(12)?,
        over,
        leaf: row.get::<_, Option<i64>>(16)?.map(i64::unsigned_abs),
    })
}

/// The open action of a device.
pub(crate) fn open_action(
    connection: &Connection,
    device: i64,
) -> Result<Option<ActionRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {ACTION} FROM action WHERE device = ?1 AND outcome IS NULL"
        ))?
        .query_row([device], action_row)
        .optional()?)
}

/// An action by its number.
pub(crate) fn action(connection: &Connection, id: i64) -> Result<Option<ActionRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {ACTION} FROM action WHERE id = ?1"))?
        .query_row([id], action_row)
        .optional()?)
}

/// The newest action of a member.
pub(crate) fn newest_action(
    connection: &Connection,
    campaign: i64,
    device: i64,
) -> Result<Option<ActionRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {ACTION} FROM action WHERE campaign = ?1 AND device = ?2
             ORDER BY id DESC LIMIT 1"
        ))?
        .query_row([campaign, device], action_row)
        .optional()?)
}

/// Open actions whose time is up, the longest first.
pub(crate) fn due_actions(
    connection: &Connection,
    now: UnixTime,
    limit: usize,
) -> Result<Vec<ActionRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ACTION} FROM action WHERE outcome IS NULL AND deadline <= ?1
         ORDER BY deadline LIMIT ?2"
    ))?;
    let rows = statement.query_map(params![now.0, limit_of(limit)], action_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Actions of a campaign after action `after`, with one outcome, or open ones, or all.
pub(crate) fn actions(
    connection: &Connection,
    campaign: i64,
    wanted: Option<Option<Outcome>>,
    after: i64,
    limit: usize,
) -> Result<Vec<ActionRow>, ServiceError> {
    let (which, code) = match wanted {
        None => ("AND ?3 IS NULL", None),
        Some(None) => ("AND outcome IS NULL AND ?3 IS NULL", None),
        Some(Some(outcome)) => ("AND outcome = ?3", Some(outcome.code())),
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ACTION} FROM action WHERE campaign = ?1 AND id > ?2 {which} ORDER BY id LIMIT ?4"
    ))?;
    let rows = statement.query_map(params![campaign, after, code, limit_of(limit)], action_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Puts an action down, open or over at once.
pub(crate) fn insert_action(
    tx: &Tx<'_>,
    campaign: i64,
    device: i64,
    stage: u8,
    record: &Record,
    now: UnixTime,
) -> Result<i64, ServiceError> {
    let (action, over) = match record {
        Record::Open(action) => (*action, None),
        Record::Over { purpose, outcome, reason } => {
            let none = Action {
                purpose: *purpose,
                step: Step::Offered,
                offered_at: now,
                deadline: now,
                downloads: 0,
                installs: 0,
            };
            (none, Some((outcome.code(), reason.code())))
        }
    };
    tx.prepare_cached(
        "INSERT INTO action (campaign, device, stage, purpose, step, offered_at, deadline, downloads,
                             installs, outcome, reason, over_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0, ?8, ?9, ?10)",
    )?
    .execute(params![
        campaign,
        device,
        stage,
        action.purpose.code(),
        action.step.code(),
        action.offered_at.0,
        action.deadline.0,
        over.map(|(outcome, _)| outcome),
        over.map(|(_, reason)| reason),
        over.map(|_| now.0)
    ])?;
    Ok(tx.last_insert_rowid())
}

/// What a device said with a step.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    pub(crate) progress: Option<u8>,
    pub(crate) detail: Option<String>,
}

/// Writes the new record of an action, and what the device said, where it did.
pub(crate) fn update_action(
    tx: &Tx<'_>,
    id: i64,
    record: &Record,
    heard: Option<&Heard>,
    now: UnixTime,
) -> Result<(), ServiceError> {
    if let Some(heard) = heard {
        tx.prepare_cached(
            "UPDATE action SET heard_at = ?2, progress = coalesce(?3, progress),
                detail = coalesce(?4, detail) WHERE id = ?1",
        )?
        .execute(params![id, now.0, heard.progress, heard.detail])?;
    }
    match record {
        Record::Open(action) => tx
            .prepare_cached(
                "UPDATE action SET step = ?2, downloads = ?3, installs = ?4 WHERE id = ?1",
            )?
            .execute(params![id, action.step.code(), action.downloads, action.installs])?,
        Record::Over { outcome, reason, .. } => tx
            .prepare_cached(
                "UPDATE action SET outcome = ?2, reason = ?3, over_at = ?4 WHERE id = ?1",
            )?
            .execute(params![id, outcome.code(), reason.code(), now.0])?,
    };
    Ok(())
}

/// Notes the leaf of the life event that tells an action's result.
pub(crate) fn set_leaf(tx: &Tx<'_>, id: i64, leaf: u64) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE action SET leaf = ?2 WHERE id = ?1")?
        .execute(params![id, to_i64(leaf)])?;
    Ok(())
}

/// Published releases that are looked through for a kind of hardware.
const NEWEST_MAX: i64 = 50;

/// The newest published release of a product for a kind of hardware, where one is named.
pub(crate) fn newest_release(
    connection: &Connection,
    product: i64,
    hardware: Option<&str>,
) -> Result<Option<device::NamedRelease>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT version, counter, security_version, hardware_ids, id FROM release
         WHERE product = ?1 AND state = 1 ORDER BY counter DESC LIMIT ?2",
    )?;
    let mut rows = statement.query([product, NEWEST_MAX])?;
    while let Some(row) = rows.next()? {
        let ids: String = row.get(3)?;
        // An empty list is every hardware: damage must not become one.
        let row_id: i64 = row.get(4)?;
        let at = At { table: "release", row: &row_id, column: "hardware_ids", index: 3 };
        let ids: Vec<String> = json(&ids, &at)?;
        let fits = hardware.is_none_or(|id| ids.is_empty() || ids.iter().any(|other| other == id));
        if fits {
            return Ok(Some(device::NamedRelease {
                version: row.get(0)?,
                release_counter: row.get::<_, i64>(1)?.unsigned_abs(),
                security_version: row.get::<_, i64>(2)?.unsigned_abs(),
            }));
        }
    }
    Ok(None)
}

/// What a device said that it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SoftwareRow {
    pub(crate) software: Software,
    pub(crate) since: UnixTime,
    pub(crate) seen_at: UnixTime,
}

pub(crate) fn software(
    connection: &Connection,
    device: i64,
) -> Result<Option<SoftwareRow>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT hardware_id, version, release_counter, security_version, digest, confirmed,
                    since, seen_at
             FROM device_software WHERE device = ?1",
        )?
        .query_row([device], |row| {
            let number = |at| {
                Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.map(i64::unsigned_abs))
            };
            Ok(SoftwareRow {
                software: Software {
                    hardware_id: row.get(0)?,
                    version: row.get(1)?,
                    release_counter: number(2)?,
                    security_version: number(3)?,
                    digest: row.get::<_, Option<[u8; 32]>>(4)?.map(Sha256),
                    confirmed: row.get(5)?,
                },
                since: UnixTime(row.get(6)?),
                seen_at: UnixTime(row.get(7)?),
            })
        })
        .optional()?)
}

pub(crate) fn set_software(
    tx: &Tx<'_>,
    device: i64,
    said: &Software,
    now: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO device_software VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)
         ON CONFLICT (device) DO UPDATE SET hardware_id = ?2, version = ?3, release_counter = ?4,
            security_version = ?5, digest = ?6, confirmed = ?7, since = ?8, seen_at = ?8",
    )?
    .execute(params![
        device,
        said.hardware_id,
        said.version,
        said.release_counter.map(to_i64),
        said.security_version.map(to_i64),
        said.digest.map(|digest| *digest.as_bytes()),
        said.confirmed,
        now.0
    ])?;
    Ok(())
}

/// A device was heard of, and nothing changed.
pub(crate) fn set_seen(tx: &Tx<'_>, device: i64, at: UnixTime) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE device_software SET seen_at = max(seen_at, ?2) WHERE device = ?1")?
        .execute([device, at.0])?;
    Ok(())
}

/// Whether an owner lets the maker of a product line update its devices.
pub(crate) fn consents(
    connection: &Connection,
    owner: i64,
    product: i64,
) -> Result<bool, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM update_consent WHERE owner = ?1 AND product = ?2")?
        .exists([owner, product])?)
}

/// What an owner has agreed to: product lines, and since when.
pub(crate) fn consents_of(
    connection: &Connection,
    owner: i64,
) -> Result<Vec<(i64, UnixTime)>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT product, since FROM update_consent WHERE owner = ?1 ORDER BY product",
    )?;
    let rows = statement.query_map([owner], |row| Ok((row.get(0)?, UnixTime(row.get(1)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn set_consent(
    tx: &Tx<'_>,
    owner: i64,
    product: i64,
    since: Option<UnixTime>,
) -> Result<(), ServiceError> {
    match since {
        Some(since) => tx
            .prepare_cached("INSERT OR IGNORE INTO update_consent VALUES (?1, ?2, ?3)")?
            .execute(params![owner, product, since.0])?,
        None => tx
            .prepare_cached("DELETE FROM update_consent WHERE owner = ?1 AND product = ?2")?
            .execute([owner, product])?,
    };
    Ok(())
}

/// What a poll needs to know of a device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Polled {
    pub(crate) id: i64,
    pub(crate) owner: i64,
    pub(crate) maker: i64,
    pub(crate) product: Option<i64>,
    pub(crate) phase: u8,
}

pub(crate) fn polled(
    connection: &Connection,
    device: &[u8; 16],
) -> Result<Option<Polled>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT id, owner, maker, product, phase FROM device WHERE device_id = ?1")?
        .query_row([device], polled_row)
        .optional()?)
}

pub(crate) fn polled_by_row(
    connection: &Connection,
    device: i64,
) -> Result<Option<Polled>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT id, owner, maker, product, phase FROM device WHERE id = ?1")?
        .query_row([device], polled_row)
        .optional()?)
}

/// The id of a device.
pub(crate) fn device_id(
    connection: &Connection,
    device: i64,
) -> Result<Option<[u8; 16]>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT device_id FROM device WHERE id = ?1")?
        .query_row([device], |row| row.get(0))
        .optional()?)
}

/// Whether an organisation owns a device of a product line.
pub(crate) fn owns_of(
    connection: &Connection,
    owner: i64,
    product: i64,
) -> Result<bool, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM device WHERE owner = ?1 AND product = ?2 LIMIT 1")?
        .exists([owner, product])?)
}

fn polled_row(row: &Row<'_>) -> rusqlite::Result<Polled> {
    Ok(Polled {
        id: row.get(0)?,
        owner: row.get(1)?,
        maker: row.get(2)?,
        product: row.get(3)?,
        phase: row.get(4)?,
    })
}
