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
    Began, Continuity, EntryRead, KnownRun, LogEntry, LogOutcome, LogSegment, LogSeverity,
    continuity,
};
use audit::{Door, Kind, Outcome, SecurityEvent, Severity};
use crypto::UnixTime;
use device::DeviceId;

/// Entries of one device that are kept; the oldest go.
const KEPT: usize = 10_000;
/// So many more before they go, so that not every segment pays for it.
const KEPT_MORE: i64 = 1_000;
/// Stretches of one device that are kept; the oldest go with their entries.
pub(super) const RUNS: usize = 64;
/// Security events that the log of one device makes in an hour. Severe ones, and breaks, still find
/// room where the others have taken theirs.
const TOLD_MAX: i64 = 120;
const TOLD_SEVERE_MAX: i64 = 180;
const TOLD_BROKEN_MAX: i64 = 200;
/// Devices whose silent entries are put on record in one commit.
const SILENT_BATCH: usize = 100;

/// Puts down a segment, in the transaction that keeps its message. What was heard before changes
/// nothing.
pub(crate) fn take(
    tx: &mut Tx<'_>,
    mine: (i64, i64),
    segment: &LogSegment,
    speaker: &Speaker,
    now: UnixTime,
) -> Result<(), ServiceError> {
    let runs = store::runs(tx, mine.0, RUNS)?;
    let known: Vec<KnownRun> = runs.iter().map(|row| row.known).collect();
    let judged = continuity(segment, &known, |run, sequence| {
        let row = runs.get(run).map_or(0, |row| row.id);
        store::hash_of(tx, row, sequence)
    })?;
    let (run, because, skip, missing) = match judged {
        Continuity::Known => return Ok(()),
        Continuity::Append { run, skip } => {
            let row = runs.get(run).filter(|row| row.owner == mine.1);
            (row, Began::Owner, skip, 0)
        }
        Continuity::Begin { because, skip, missing } => (None, because, skip, missing),
    };
    let mut budget = Budget::open(tx, mine, speaker, now)?;
    let run = match run {
        Some(row) => row.id,
        None => {
            let before = segment.place(skip);
            let begun = KnownRun { log: segment.log, began: because, before, last: before };
            let id = store::begin(tx, mine, &begun, (missing, segment.dropped), now)?;
            if let Some(event) = broken(&begun, missing, segment, &runs, speaker, now) {
                budget.tell(tx, TOLD_BROKEN_MAX, &event)?;
            }
            id
        }
    };
    for read in segment.entries.iter().skip(skip) {
        let most = match read.entry.severity {
            LogSeverity::High | LogSeverity::Critical => TOLD_SEVERE_MAX,
            _ => TOLD_MAX,
        };
        let audit = budget.tell(tx, most, &told(read, segment, speaker, now))?;
        store::insert(tx, mine, run, read, (speaker.door, audit), now)?;
        budget.counts.kept = budget.counts.kept.saturating_add(1);
    }
    store::set_last(tx, run, &segment.place(segment.entries.len()))?;
    let keep = i64::try_from(KEPT).unwrap_or(i64::MAX);
    if runs.len() >= RUNS || budget.counts.kept > keep.saturating_add(KEPT_MORE) {
        store::trim(tx, mine.0, KEPT, RUNS)?;
        budget.counts.kept = store::kept(tx, mine.0)?;
    }
    store::set_counts(tx, mine.0, &budget.counts)
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
        let fresh = Counts { kept: 0, hour, told: 0, silent: 0, owner: mine.1 };
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
    if let Some(newest) = store::runs(tx, row, 1)?.first() {
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
    runs: &[RunRow],
    speaker: &Speaker,
    now: UnixTime,
) -> Option<SecurityEvent> {
    let (reason, outcome) = match begun.began {
        Began::First if missing > 0 => (Began::Gap, Outcome::Failure),
        Began::First | Began::Owner => return None,
        Began::Late => (Began::Late, Outcome::Success),
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
    if let Some(newest) = runs.first() {
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
