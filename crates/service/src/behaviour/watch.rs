//! What is counted of devices, in memory, while their messages go by: a few additions under a lock that
//! few devices share. Who they are judged by comes later, once a second ([`super::settle`]).

use crate::{DoorSender, MessageDoor, Service};
use ::behaviour::{Aspect, OBSERVED_MAX, Observed, topic_prefix};
use crypto::UnixTime;
use device::DeviceId;
use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

/// Devices are spread over so many locks.
const SHARDS: usize = 16;
/// Devices that are counted at a time; what others do is not learned until one of those is quiet.
const LIVE_MAX: usize = 100_000;
/// For how long a quiet device is remembered, in seconds.
const IDLE_S: i64 = 2 * 3600;
/// How often counts are written down where nothing else is to be, in seconds.
const FLUSH_S: i64 = 60;
/// Devices that are looked at in one round.
const ROUND_MAX: usize = 500;
/// Values of a device that are handed over in an hour: so many while topics are among the newest, then
/// networks, doors and versions; the last room is that of rates and sizes. Nobody hides one by another.
const TOPICS_MAX: usize = 36;
const PLACES_MAX: usize = 52;
const OTHERS_MAX: usize = 60;
/// Sizes by doublings of bytes.
const SIZES: usize = 24;

/// Devices of no product line.
pub(super) const NO_LINE: &str = "-";

/// A device, as it is counted.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(super) device: DeviceId,
    pub(super) row: i64,
    pub(super) owner: i64,
    pub(super) line: String,
}

#[derive(Debug)]
struct Live {
    who: Who,
    hour: i64,
    count: u32,
    /// how much of a rate and of a size is ordinary
    bounds: (u32, u32),
    depth: u8,
    generation: u32,
    /// what was handed over since the hour or the profile changed
    known: Vec<u64>,
    /// whether anything was not ordinary: it is told again in the next hour
    deviates: bool,
    waits: bool,
    used: i64,
    pending: Pending,
}

/// What was not looked at yet.
#[derive(Debug, Default)]
struct Pending {
    messages: u32,
    sizes: [u32; SIZES],
    size_max: u32,
    values: Vec<(Aspect, String)>,
    places: Vec<IpAddr>,
}

/// What is taken of a device to be looked at.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) who: Who,
    pending: Pending,
}

impl Taken {
    /// As profiles take it.
    pub(super) fn observed(&self, at: UnixTime, bits: (u8, u8)) -> Observed {
        let mut observed = Observed::at(at);
        observed.messages(self.pending.messages);
        for (part, times) in self.pending.sizes.iter().enumerate().filter(|(_, times)| **times > 0)
        {
            let part = u32::try_from(part).unwrap_or(0);
            let bytes = 1_u32.checked_shl(part).unwrap_or(u32::MAX).saturating_sub(1);
            observed.sizes(bytes.min(self.pending.size_max), *times, self.pending.size_max);
        }
        for (aspect, value) in &self.pending.values {
            observed.add(*aspect, value);
        }
        for place in &self.pending.places {
            observed.place(*place, bits);
        }
        observed
    }

    /// The address that a network was seen by.
    pub(super) fn source(&self, place: &str) -> Option<IpAddr> {
        let place: alert::Prefix = place.parse().ok()?;
        self.pending.places.iter().copied().find(|address| place.contains(*address))
    }
}

/// What a look at a device leaves for the next messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Looked {
    pub(super) row: i64,
    pub(super) bounds: (u32, u32),
    pub(super) depth: u8,
    pub(super) deviates: bool,
}

#[derive(Debug, Default)]
struct Shard {
    live: HashMap<i64, Live>,
    /// those that are to be looked at at once
    urgent: Vec<i64>,
    /// messages of devices that there was no room for
    uncounted: u64,
}

/// All of it.
pub(crate) struct Behaviour {
    shards: [Mutex<Shard>; SHARDS],
    hashes: RandomState,
    /// grows whenever what is ordinary changed, so that everything is handed over again
    generation: AtomicU32,
    /// one round or act at a time; when counts were written last, since when the platform listens
    pub(super) turn: tokio::sync::Mutex<Turn>,
}

/// What rounds remember.
#[derive(Debug, Default)]
pub(super) struct Turn {
    pub(super) flushed: Option<UnixTime>,
    pub(super) began: Option<UnixTime>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            shards: Default::default(),
            hashes: RandomState::new(),
            generation: AtomicU32::new(0),
            turn: tokio::sync::Mutex::default(),
        }
    }
}

impl Behaviour {
    fn shard(&self, row: i64) -> MutexGuard<'_, Shard> {
        let at = usize::try_from(row.rem_euclid(16)).unwrap_or(0);
        let [first, ..] = &self.shards;
        self.shards.get(at).unwrap_or(first).lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// That what is ordinary changed.
    pub(super) fn changed(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    fn with(
        &self,
        row: i64,
        owner: i64,
        now: UnixTime,
        who: impl FnOnce() -> Who,
        work: impl FnOnce(&mut Live, &RandomState),
    ) {
        let generation = self.generation.load(Ordering::Relaxed);
        let mut shard = self.shard(row);
        let Shard { live, urgent, uncounted } = &mut *shard;
        let room = live.len() < LIVE_MAX / SHARDS;
        let entry = match live.entry(row) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(_) if !room => {
                *uncounted = uncounted.saturating_add(1);
                return;
            }
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(Live::new(who(), now, generation))
            }
        };
        if entry.who.owner != owner {
            // Another owner learns nothing of what the device did before.
            let line = entry.who.line.clone();
            *entry = Live::new(Who { owner, line, ..entry.who.clone() }, now, generation);
        }
        let hour = now.0.div_euclid(3600);
        if entry.hour != hour || entry.generation != generation {
            if entry.hour != hour {
                (entry.hour, entry.count) = (hour, 0);
            }
            if entry.deviates || entry.generation != generation || entry.known.len() >= TOPICS_MAX {
                entry.known.clear();
                entry.deviates = false;
            }
            entry.generation = generation;
        }
        entry.used = now.0;
        let waited = entry.waits;
        work(entry, &self.hashes);
        if entry.waits && !waited {
            urgent.push(row);
        }
    }

    /// Takes what is to be looked at: what is new at once, all of it where it is time or `all` is wanted.
    pub(super) fn take(&self, turn: &mut Turn, now: UnixTime, all: bool) -> Vec<Taken> {
        let hour = |at: UnixTime| at.0.div_euclid(3600);
        let due = turn.flushed.is_none_or(|at| now.since(at) >= FLUSH_S || hour(at) != hour(now));
        if due {
            turn.flushed = Some(now);
        }
        let mut taken = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let Shard { live, urgent, uncounted } = &mut *shard;
            if std::mem::take(uncounted) > 0 {
                tracing::warn!(
                    "more than {LIVE_MAX} devices send; what some of them do is not learned"
                );
            }
            if due {
                live.retain(|_, it| now.0.saturating_sub(it.used) < IDLE_S || it.waits);
            }
            if due || all {
                let came = |it: &Pending| it.messages > 0 || it.size_max > 0;
                let waiting = |it: &&mut Live| !it.waits && came(&it.pending);
                for entry in live.values_mut().filter(waiting) {
                    entry.waits = true;
                    urgent.push(entry.who.row);
                }
            }
            let room = ROUND_MAX.saturating_sub(taken.len()).min(urgent.len());
            for row in urgent.drain(..room) {
                let Some(entry) = live.get_mut(&row) else { continue };
                entry.waits = false;
                let pending = std::mem::take(&mut entry.pending);
                taken.push(Taken { who: entry.who.clone(), pending });
            }
        }
        taken
    }

    /// What a look at devices left.
    pub(super) fn put(&self, looked: &[Looked]) {
        for one in looked {
            if let Some(entry) = self.shard(one.row).live.get_mut(&one.row) {
                (entry.bounds, entry.depth) = (one.bounds, one.depth);
                entry.deviates |= one.deviates;
            }
        }
    }

    /// Forgets devices: what is known of them changed elsewhere.
    pub(super) fn forget(&self, rows: &HashSet<i64>) {
        for row in rows {
            if let Some(entry) = self.shard(*row).live.get_mut(row) {
                entry.known.clear();
                entry.bounds = (u32::MAX, u32::MAX);
            }
        }
    }
}

impl Live {
    fn new(who: Who, now: UnixTime, generation: u32) -> Self {
        Self {
            who,
            hour: now.0.div_euclid(3600),
            count: 0,
            bounds: (u32::MAX, u32::MAX),
            depth: ::behaviour::DEPTH_MAX,
            generation,
            known: Vec::new(),
            deviates: false,
            waits: false,
            used: now.0,
            pending: Pending::default(),
        }
    }

    /// Whether something was not handed over yet; from now on it was.
    fn is_new(&mut self, hash: u64, room: usize) -> bool {
        if self.known.contains(&hash) || self.known.len() >= room {
            return false;
        }
        self.known.push(hash);
        true
    }

    fn add(&mut self, aspect: Aspect, value: String) {
        self.pending.values.push((aspect, value));
        self.waits = true;
    }
}

fn who(sender: &DoorSender) -> Who {
    let (row, owner) = sender.rows();
    let line = sender.facts().product.as_ref();
    let line = line.map_or(NO_LINE.to_owned(), |(maker, product)| format!("{maker}/{product}"));
    Who { device: sender.device(), row, owner, line }
}

impl Service {
    /// Counts a message that was admitted. `own` is the topic below the device's own space, or below
    /// another's. No door: another device carried it, who chose when, how often and where.
    pub(crate) fn observe_message(
        &self,
        sender: &DoorSender,
        (door, topic, bytes): (Option<MessageDoor>, &str, usize),
        now: UnixTime,
    ) {
        let (row, owner) = sender.rows();
        let below = topic.strip_prefix(sender.space().root());
        let (own, topic) = match below.and_then(|rest| rest.strip_prefix('/')) {
            Some(own) => (true, own),
            None => (false, topic.splitn(3, '/').nth(2).unwrap_or(topic)),
        };
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let work = |live: &mut Live, hashes: &RandomState| {
            let own_doing = u32::from(door.is_some());
            live.count = live.count.saturating_add(own_doing);
            let pending = &mut live.pending;
            pending.messages = pending.messages.saturating_add(own_doing);
            pending.size_max = pending.size_max.max(bytes);
            let part =
                usize::try_from(u32::BITS.saturating_sub(bytes.leading_zeros())).unwrap_or(0);
            if let Some(count) = pending.sizes.get_mut(part.min(SIZES.saturating_sub(1))) {
                *count = count.saturating_add(1);
            }
            let (rate, size) = live.bounds;
            if (own_doing > 0
                && live.count > rate
                && live.is_new(hashes.hash_one(Aspect::Rate), OBSERVED_MAX))
                || (bytes > size && live.is_new(hashes.hash_one(Aspect::Size), OBSERVED_MAX))
            {
                live.deviates = true;
                live.waits = true;
            }
            let (head, more) = topic_prefix(topic, live.depth);
            if live.is_new(hashes.hash_one((own, head, more)), TOPICS_MAX) {
                let feature = ::behaviour::topic_feature(topic, live.depth);
                let feature = if own { feature } else { format!("other:{feature}") };
                live.add(Aspect::Topic, feature);
            }
            if let Some(door) = door
                && live.is_new(hashes.hash_one(door), OTHERS_MAX)
            {
                live.add(Aspect::Door, door.name().to_owned());
            }
        };
        self.behaviour.with(row, owner, now, || who(sender), work);
    }

    /// A device came from somewhere.
    pub(crate) fn observe_place(&self, sender: &DoorSender, source: IpAddr, now: UnixTime) {
        let (row, owner) = sender.rows();
        let work = |live: &mut Live, hashes: &RandomState| {
            if live.is_new(hashes.hash_one(source), PLACES_MAX) {
                live.pending.places.push(source);
                live.waits = true;
            }
        };
        self.behaviour.with(row, owner, now, || who(sender), work);
    }

    /// A device says which version it runs.
    pub(crate) fn observe_firmware(&self, who: Who, version: &str, now: UnixTime) {
        let version: String = version.chars().filter(|it| !it.is_control()).take(64).collect();
        let (row, owner) = (who.row, who.owner);
        let work = |live: &mut Live, hashes: &RandomState| {
            if !version.is_empty()
                && live.is_new(hashes.hash_one((Aspect::Firmware, &version)), OTHERS_MAX)
            {
                live.add(Aspect::Firmware, version.clone());
            }
        };
        self.behaviour.with(row, owner, now, || who, work);
    }

    /// A device by its rows, as it is counted.
    pub(crate) fn observed_device(
        &self,
        (device, row, owner): (DeviceId, i64, i64),
        (maker, product): (i64, Option<i64>),
    ) -> Result<Who, crate::ServiceError> {
        let line = self.line_of(maker, product)?;
        let line = line.map_or(NO_LINE.to_owned(), |(maker, product)| format!("{maker}/{product}"));
        Ok(Who { device, row, owner, line })
    }
}
