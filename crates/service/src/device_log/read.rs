//! What a device's owner sees of its log.

use super::take::RUNS_MOST;
use crate::{
    Page, Paged, Service, ServiceError,
    messages::MessageDoor,
    store::device_log::{self as store, EntryRow, RunRow, ToldEntry},
};
use admission::device_log::{Began, KeptEntry, LogEntry, LogId, LogPlace, entry_of, follow};
use audit::SecurityEvent;
use crypto::{Sha256, UnixTime};
use device::DeviceId;
use policy::{Action, Caller};

/// An entry on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceLogEntryView {
    /// its number on the platform; one that came later has a higher one
    pub id: u64,
    /// the stretch that it is in
    pub stretch: u64,
    /// its number in the device's log
    pub sequence: u64,
    /// its hash
    pub hash: Sha256,
    /// what it says
    pub entry: LogEntry,
    /// its bytes
    pub bytes: Vec<u8>,
    /// when it came, by the platform's clock
    pub received_at: UnixTime,
    /// through which door
    pub door: &'static str,
    /// the security event that says so, where it has one of its own
    pub audit: Option<u64>,
}

/// A stretch of a log without a break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceLogStretchView {
    /// its number; a later one has a higher one
    pub id: u64,
    /// of which log of the device
    pub log: LogId,
    /// why it began
    pub because: Began,
    /// the entry before its first
    pub before: LogPlace,
    /// its last entry
    pub last: LogPlace,
    /// entries right before it that were not heard
    pub missing: u64,
    /// as many the device says that it dropped
    pub declared: u64,
    /// when its first entry came
    pub began_at: UnixTime,
    /// entries of it that are kept
    pub kept: u64,
    /// the first entry that does not follow from those before it, or is not what the audit log says
    pub broken_at: Option<u64>,
}

fn entry(row: EntryRow) -> Result<DeviceLogEntryView, ServiceError> {
    let damaged = |_| ServiceError::fatal("store-damaged", "an entry of a device's log");
    Ok(DeviceLogEntryView {
        id: row.id.unsigned_abs(),
        stretch: row.run.unsigned_abs(),
        sequence: row.sequence,
        hash: row.hash,
        entry: entry_of(&row.entry, row.time).map_err(damaged)?,
        bytes: row.entry,
        received_at: row.received_at,
        door: MessageDoor::from_code(row.door).map_or("unknown", MessageDoor::name),
        audit: row.audit,
    })
}

/// A stretch, held against its entries and the security events that tell of them.
fn stretch(row: &RunRow, entries: &[ToldEntry]) -> DeviceLogStretchView {
    let known = row.known;
    let whole = entries
        .first()
        .is_some_and(|(it, _)| it.sequence == known.before.sequence.saturating_add(1));
    let kept = entries.iter().map(|(it, _)| KeptEntry {
        sequence: it.sequence,
        hash: &it.hash,
        time: it.time,
        bytes: &it.entry,
    });
    let chain = match follow(whole.then_some(known.before), kept) {
        Err(sequence) => Some(sequence),
        // What the stretch says of its end must be true as well.
        Ok(Some(last)) if last != known.last => Some(known.last.sequence),
        Ok(_) => None,
    };
    let told = entries.iter().find(|(it, event)| {
        let says = |event: &Vec<u8>| {
            let event = SecurityEvent::decode(event).ok();
            let hash = it.hash.to_string();
            event.is_some_and(|event| {
                event.details().any(|(key, said)| key == "hash" && said == hash)
            })
        };
        it.audit.is_some() && !event.as_ref().is_some_and(says)
    });
    let told = told.map(|(it, _)| it.sequence);
    DeviceLogStretchView {
        id: row.id.unsigned_abs(),
        log: known.log,
        because: known.began,
        before: known.before,
        last: known.last,
        missing: row.missing,
        declared: row.declared,
        began_at: row.received_at,
        kept: u64::try_from(entries.len()).unwrap_or(u64::MAX),
        broken_at: [chain, told].into_iter().flatten().min(),
    }
}

impl Service {
    /// The log of a device as it told its present owner, what came last first.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn device_log(
        &self,
        caller: &Caller,
        device: &DeviceId,
        page: &Page,
    ) -> Result<Paged<DeviceLogEntryView>, ServiceError> {
        let row = self.device_for(caller, Action::ReadMessages, device)?.row;
        let (place, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_some() { place } else { i64::MAX };
        let rows = self.read(|connection| {
            store::entries(connection, (row.id, row.owner), before, limit.saturating_add(1))
        })?;
        Paged::cut(rows, limit, |row| row.id.to_string()).try_map(entry)
    }

    /// The stretches of that log, the newest first, each held against its entries and the audit log.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn device_log_stretches(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<Vec<DeviceLogStretchView>, ServiceError> {
        let row = self.device_for(caller, Action::ReadMessages, device)?.row;
        let service = self.clone();
        let read = self.pool.begin(move || {
            service.read(|connection| {
                let mut stretches = Vec::new();
                for run in store::runs(connection, row.id, RUNS_MOST)? {
                    if run.owner == row.owner {
                        let entries = store::entries_of(connection, run.id)?;
                        stretches.push(stretch(&run, &entries));
                    }
                }
                Ok(stretches)
            })
        });
        read.outcome().await?
    }
}
