//! A segment comes in.

use crate::{
    Service, ServiceError,
    commands::Speaker,
    messages::MessageDoor,
    store::{
        Tx,
        device_log::{self as store, Counts, RunRow},
        organisation as organisations,
    },
};
use admission::device_log::{
    Began, Continuity, EntryRead, KnownRun, LogEntry, LogOutcome, LogSegment, LogSeverity, Part,
    continuity,
};
use audit::{Door, Kind, Outcome, SecurityEvent, Severity};
use crypto::UnixTime;
use device::DeviceId;
use rusqlite::Connection;

/// Entries of one device that are kept; the oldest go.
const KEPT: usize = 10_000;
/// So many more before they go, so that not every segment pays for it.
const KEPT_MORE: i64 = 1_000;
/// Stretches of one device that are kept; the oldest go with their entries.
const RUNS: usize = 64;
/// Most stretches before they go, so that not every new one pays for it.
pub(super) const RUNS_MOST: usize = RUNS + 16;
/// Entries of one device that are taken in an hour: who has taken it over cannot push out in a moment
/// what it said before.
const CAME_MAX: i64 = 2_000;
/// Once so many stretches began in an hour, nothing is taken that begins another, for the same reason.
const BEGUN_MAX: i64 = 8;
/// Security events that the log of one device makes in an hour. Severe ones, and breaks, still find
/// room where the others have taken theirs.
const TOLD_MAX: i64 = 120;
const TOLD_SEVERE_MAX: i64 = 180;
const TOLD_BROKEN_MAX: i64 = 200;
/// Devices whose silent entries are put on record in one commit.
const SILENT_BATCH: usize = 100;

/// What is known of a device's log, and what a segment adds.
struct Judged {
    /// the newest first
    runs: Vec<RunRow>,
    parts: Vec<Part>,
}

fn judge(
    connection: &Connection,
    device: i64,
    segment: &LogSegment,
) -> Result<Judged, ServiceError> {
    let runs = store::runs(connection, device, RUNS_MOST)?;
    let known: Vec<KnownRun> = runs.iter().map(|row| row.known).collect();
    let newest = store::newest(connection, device)?;
    let newest = runs.iter().position(|row| Some(row.id) == newest).unwrap_or(0);
    let parts = continuity(segment, &known, newest, |run, sequence| {
        let row = runs.get(run).map_or(0, |row| row.id);
        store::hash_of(connection, row, sequence)
    })?;
    Ok(Judged { runs, parts })
}

/// Whether a device has told so much of its log in this hour that no more is taken. What was heard
/// before, and changes nothing, is never too much.
pub(crate) fn is_too_much(
    connection: &Connection,
    (device, owner): (i64, i64),
    segment: &LogSegment,
    now: UnixTime,
) -> Result<bool, ServiceError> {
    let counts = store::counts(connection, device)?
        .filter(|it| (it.hour, it.owner) == (hour(now), owner))
        .unwrap_or(Counts::fresh(owner, hour(now)));
    let most = counts.came.saturating_add(number(segment.entries.len()));
    if most <= CAME_MAX && counts.begun < BEGUN_MAX {
        return Ok(false);
    }
    let Judged { runs, parts } = judge(connection, device, segment)?;
    let came: i64 = parts.iter().map(|part| number(part.to.saturating_sub(part.from))).sum();
    let begins = parts.iter().any(|part| goes_on(part, &runs, owner).is_none());
    let full = came > 0 && counts.came.saturating_add(came) > CAME_MAX;
    Ok(full || begins && counts.begun >= BEGUN_MAX)
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The stretch that a part goes on. That of a former owner goes on in one of its own.
fn goes_on<'a>(part: &Part, runs: &'a [RunRow], owner: i64) -> Option<&'a RunRow> {
    let Continuity::Append { run } = part.goes else { return None };
    runs.get(run).filter(|row| row.owner == owner)
}

/// Puts down a segment, in the transaction that keeps its message. What was heard before changes
/// nothing.
pub(crate) fn take(
    tx: &mut Tx<'_>,
    mine: (i64, i64),
    segment: &LogSegment,
    speaker: &Speaker,
    now: UnixTime,
) -> Result<(), ServiceError> {
    let Judged { runs, parts } = judge(tx, mine.0, segment)?;
    if parts.is_empty() {
        return Ok(());
    }
    let mut budget = Budget::open(tx, mine, speaker, now)?;
    // The first that a new owner hears is no break: it was another's before.
    let sold = runs.first().is_some_and(|row| row.owner != mine.1);
    let mut begun = 0_usize;
    for part in &parts {
        let run = match goes_on(part, &runs, mine.1) {
            Some(row) => row.id,
            None => {
                begun = begun.saturating_add(1);
                let (because, missing) = match part.goes {
                    Continuity::Append { .. } => (Began::Owner, 0),
                    // What is missing of its own log is for it to know; not how far another's went.
                    Continuity::Begin { because: Began::Restart, missing } if sold => {
                        (Began::Owner, missing)
                    }
                    Continuity::Begin { because: Began::Gap | Began::Late, .. } if sold => {
                        (Began::Owner, 0)
                    }
                    Continuity::Begin { because, missing } => (because, missing),
                };
                let before = segment.place(part.from);
                let run = KnownRun { log: segment.log, began: because, before, last: before };
                let id = store::begin(tx, mine, &run, (missing, segment.dropped), now)?;
                let heard = runs.iter().find(|row| row.owner == mine.1);
                if let Some(event) = broken(&run, missing, segment, heard, speaker, now) {
                    budget.tell(tx, TOLD_BROKEN_MAX, &event)?;
                }
                id
            }
        };
        for read in segment.entries.get(part.from..part.to).unwrap_or_default() {
            let most = match read.entry.severity {
                LogSeverity::High | LogSeverity::Critical => TOLD_SEVERE_MAX,
                _ => TOLD_MAX,
            };
            let audit = budget.tell(tx, most, &told(read, segment, speaker, now))?;
            store::insert(tx, mine, run, read, (speaker.door, audit), now)?;
            if let Some(watched) = &speaker.watched {
                let device = (mine.0, speaker.device.as_str());
                let owner = (mine.1, speaker.organisation.as_str());
                watched.look_at(tx, (device, owner), &read.entry, now)?;
            }
        }
        let came = number(part.to.saturating_sub(part.from));
        budget.counts.kept = budget.counts.kept.saturating_add(came);
        budget.counts.came = budget.counts.came.saturating_add(came);
        store::set_last(tx, run, &segment.place(part.to))?;
    }
    budget.counts.begun = budget.counts.begun.saturating_add(number(begun));
    let (all, keep) = (runs.len().saturating_add(begun), number(KEPT));
    let mut trimmed = false;
    if begun > 0 && all > RUNS_MOST {
        // The newest stay; of those that were there before, as many as there is room for.
        for row in runs.iter().skip(RUNS.saturating_sub(begun)) {
            store::drop_run(tx, row.id)?;
        }
        trimmed = true;
    }
    if budget.counts.kept > keep.saturating_add(KEPT_MORE) {
        store::trim(tx, mine.0, KEPT)?;
        trimmed = true;
    }
    if trimmed {
        budget.counts.kept = store::kept(tx, mine.0)?;
    }
    store::set_counts(tx, mine.0, &budget.counts)
}

impl Counts {
    fn fresh(owner: i64, hour: i64) -> Self {
        Self { owner, kept: 0, hour, told: 0, silent: 0, came: 0, begun: 0 }
    }
}

/// How many security events the log of a device may still make.
struct Budget<'a> {
    counts: Counts,
    speaker: &'a Speaker,
    now: UnixTime,
}

impl<'a> Budget<'a> {
    fn open(
        tx: &mut Tx<'_>,
        mine: (i64, i64),
        speaker: &'a Speaker,
        now: UnixTime,
    ) -> Result<Self, ServiceError> {
        let hour = hour(now);
        let before = store::counts(tx, mine.0)?;
        let fresh = Counts::fresh(mine.1, hour);
        let counts = match before {
            Some(counts) if (counts.hour, counts.owner) == (hour, mine.1) => counts,
            Some(counts) => {
                sum_up(tx, (mine.0, &speaker.device), &counts, now)?;
                Counts { kept: counts.kept, ..fresh }
            }
            None => fresh,
        };
        Ok(Self { counts, speaker, now })
    }

    /// Puts an event on record where there is room for it; its number.
    fn tell(
        &mut self,
        tx: &mut Tx<'_>,
        most: i64,
        event: &SecurityEvent,
    ) -> Result<Option<u64>, ServiceError> {
        if self.counts.told < most {
            self.counts.told = self.counts.told.saturating_add(1);
            return Ok(Some(tx.audit(event)?.sequence));
        }
        if self.counts.silent == 0 {
            let event = SecurityEvent::new(self.now, Kind::RateLimit, Outcome::Failure)
                .organisation(&self.speaker.organisation)
                .actor(&format!("device {}", self.speaker.device))
                .subject(&self.speaker.device)
                .detail("reason", "device-log")
                .detail("told", &self.counts.told.to_string());
            tx.audit(&event)?;
        }
        self.counts.silent = self.counts.silent.saturating_add(1);
        Ok(None)
    }
}

fn hour(now: UnixTime) -> i64 {
    now.0.div_euclid(3600)
}

/// One event for all that had none of its own in an hour. It names the newest entry, whose hash
/// commits to them.
fn sum_up(
    tx: &mut Tx<'_>,
    (row, device): (i64, &str),
    counts: &Counts,
    now: UnixTime,
) -> Result<(), ServiceError> {
    if counts.silent == 0 {
        return Ok(());
    }
    let Some(owner) = organisations::organisation_by_id(tx, counts.owner)? else { return Ok(()) };
    let mut event = SecurityEvent::new(now, Kind::RateLimit, Outcome::Failure)
        .organisation(&owner.slug)
        .actor(&format!("device {device}"))
        .subject(device)
        .detail("reason", "device-log-summary")
        .detail("count", &counts.silent.to_string())
        .detail("hour", &UnixTime(counts.hour.saturating_mul(3600)).to_string());
    let newest = store::runs(tx, row, 1)?.into_iter().next();
    if let Some(newest) = newest.filter(|it| it.owner == counts.owner) {
        event = event
            .detail("log", &newest.known.log.to_string())
            .detail("sequence", &newest.known.last.sequence.to_string())
            .detail("hash", &newest.known.last.hash.to_string());
    }
    tx.audit(&event).map(|_| ())
}

/// What an entry says, as a security event: told by the device, not seen by the platform.
fn told(read: &EntryRead, segment: &LogSegment, speaker: &Speaker, now: UnixTime) -> SecurityEvent {
    let entry = &read.entry;
    let outcome = match entry.outcome {
        LogOutcome::Success => Outcome::Success,
        LogOutcome::Failure => Outcome::Failure,
        LogOutcome::Error => Outcome::Error,
    };
    let severity = Severity::from_number(entry.severity.number()).unwrap_or(Severity::Medium);
    let door = MessageDoor::from_code(speaker.door).map_or("", MessageDoor::name);
    let mut event = SecurityEvent::new(now, Kind::DeviceLog, outcome)
        .severity(severity)
        .door(Door::Device)
        .organisation(&speaker.organisation)
        .actor(&format!("device {}", speaker.device))
        .subject(&speaker.device)
        .detail("what", entry.kind.name())
        .detail("door", door)
        .detail("log", &segment.log.to_string())
        .detail("sequence", &read.place.sequence.to_string())
        .detail("hash", &read.place.hash.to_string())
        .detail("device_time", &device_time(entry));
    for (key, text) in [("device_actor", &entry.actor), ("device_subject", &entry.subject)] {
        if let Some(text) = text {
            event = event.detail(key, text);
        }
    }
    // What the device calls by names of its own cannot pass for ours.
    entry.details.iter().fold(event, |event, (key, value)| event.detail(&format!("d_{key}"), value))
}

/// The device's own time in words.
fn device_time(entry: &LogEntry) -> String {
    match entry.boot {
        None => UnixTime(entry.time).to_string(),
        Some(boot) => format!("start {boot} + {} s", entry.time),
    }
}

/// That something is wrong with a log, where a new stretch says so.
fn broken(
    begun: &KnownRun,
    missing: u64,
    segment: &LogSegment,
    heard: Option<&RunRow>,
    speaker: &Speaker,
    now: UnixTime,
) -> Option<SecurityEvent> {
    let (reason, outcome) = match begun.began {
        Began::First if missing > 0 => (Began::Gap, Outcome::Failure),
        Began::First | Began::Owner => return None,
        Began::Late if missing == 0 => (Began::Late, Outcome::Success),
        reason => (reason, Outcome::Failure),
    };
    let mut event = SecurityEvent::new(now, Kind::DeviceLogBroken, outcome)
        .organisation(&speaker.organisation)
        .subject(&speaker.device)
        .detail("reason", reason.name())
        .detail("log", &begun.log.to_string())
        .detail("sequence", &begun.before.sequence.saturating_add(1).to_string())
        .detail("missing", &missing.to_string());
    if segment.dropped > 0 {
        event = event.detail("declared", &segment.dropped.to_string());
    }
    if let Some(newest) = heard {
        event = event
            .detail("heard_log", &newest.known.log.to_string())
            .detail("heard_sequence", &newest.known.last.sequence.to_string())
            .detail("heard_hash", &newest.known.last.hash.to_string());
    }
    Some(event)
}

impl Service {
    /// Puts on record what stayed silent in hours that are over. Nothing is written where nothing is
    /// to be.
    ///
    /// # Errors
    /// Where the store fails.
    pub(crate) async fn settle_device_logs(&self) -> Result<(), ServiceError> {
        let now = self.now();
        if !self.read(|connection| store::is_silent(connection, hour(now)))? {
            return Ok(());
        }
        self.commit(move |tx| {
            for (row, id, counts) in store::silent(tx, hour(now), SILENT_BATCH)? {
                sum_up(tx, (row, &DeviceId::from_bytes(id).to_string()), &counts, now)?;
                store::set_counts(tx, row, &Counts { silent: 0, ..counts })?;
            }
            Ok(())
        })
        .await
    }
}
