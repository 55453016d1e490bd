//! What is counted of devices, in memory, while their messages go by: a few additions under a lock that
//! few devices share. Who they are judged by comes later, once a second ([`super::settle`]).

use crate::{DoorSender, MessageDoor, Service};
use ::behaviour::{Aspect, Observed, topic_prefix};
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
/// Devices that are counted at a time, and of these those of one owner; what others do is not learned
/// until one of those is quiet.
const LIVE_MAX: usize = 200_000;
const OWNER_MAX: usize = 100_000;
/// For how long a quiet device is remembered, in seconds.
const IDLE_S: i64 = 2 * 3600;
/// How often counts are written down where nothing else is to be, in seconds.
const FLUSH_S: i64 = 60;
/// Devices that are looked at in one round: those of [`OWNER_MAX`] within a minute.
const ROUND_MAX: usize = 2_000;
/// Hours of a device that wait to be looked at, before the present one.
const CLOSED_MAX: usize = 2;
/// Networks, before anything is known of a profile.
const PLACE_BITS: (u8, u8) = (24, 48);
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
    place_bits: (u8, u8),
    generation: u32,
    /// what was handed over since the hour or the profile changed; the last bits say the aspect
    known: Vec<u64>,
    /// whether anything was not ordinary: it is told again in the next hour
    deviates: bool,
    waits: bool,
    used: i64,
    /// of the present hour, and of those before it
    pending: Pending,
    closed: Vec<Pending>,
}

/// What came in one hour and was not looked at yet.
#[derive(Debug, Default)]
struct Pending {
    /// when the last of it came
    at: i64,
    messages: u32,
    sizes: [u32; SIZES],
    size_max: u32,
    values: Vec<(Aspect, String)>,
    places: Vec<IpAddr>,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.messages == 0 && self.size_max == 0 && self.values.is_empty() && self.places.is_empty()
    }
}

/// What is taken of a device to be looked at.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) who: Who,
    pending: Pending,
}

impl Taken {
    /// When it came: what is of another hour is no part of it.
    pub(super) fn at(&self) -> UnixTime {
        UnixTime(self.pending.at)
    }

    /// As profiles take it.
    pub(super) fn observed(&self, bits: (u8, u8)) -> Observed {
        let mut observed = Observed::at(self.at());
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
    pub(super) place_bits: (u8, u8),
    pub(super) deviates: bool,
}

#[derive(Debug, Default)]
struct Shard {
    live: HashMap<i64, Live>,
    /// those that are to be looked at at once
    urgent: Vec<i64>,
    /// how many of them are whose
    owners: HashMap<i64, usize>,
    /// messages of devices that there was no room for, by owner
    uncounted: HashMap<i64, u64>,
}

impl Shard {
    fn take(&mut self, row: i64, taken: &mut Vec<Taken>) -> bool {
        let Some(entry) = self.live.get_mut(&row).filter(|entry| entry.waits) else {
            return false;
        };
        entry.waits = false;
        let present = std::mem::take(&mut entry.pending);
        let all = std::mem::take(&mut entry.closed).into_iter().chain([present]);
        let who = &entry.who;
        taken.extend(
            all.filter(|it| !it.is_empty()).map(|pending| Taken { who: who.clone(), pending }),
        );
        true
    }

    /// Takes what is to be looked at at once, of so many devices at most.
    fn take_urgent(&mut self, room: usize, taken: &mut Vec<Taken>) -> usize {
        let (mut count, mut seen) = (0_usize, 0_usize);
        let urgent = std::mem::take(&mut self.urgent);
        for row in &urgent {
            if count >= room {
                break;
            }
            seen = seen.saturating_add(1);
            count = count.saturating_add(usize::from(self.take(*row, taken)));
        }
        self.urgent = urgent.get(seen..).unwrap_or_default().to_vec();
        count
    }

    fn tidy(&mut self, now: UnixTime) {
        self.live.retain(|_, it| now.0.saturating_sub(it.used) < IDLE_S || it.waits);
        self.owners.clear();
        for entry in self.live.values() {
            let count = self.owners.entry(entry.who.owner).or_default();
            *count = count.saturating_add(1);
        }
    }
}

/// What is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope<'a> {
    /// what is new; all of it where it is time
    New,
    /// all of it
    All,
    /// all of an owner's product line
    Line(i64, &'a str),
    /// all of a device
    Device(i64),
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
    /// where the next round begins: every part has its turn
    start: usize,
    /// of owners whose devices had no room: the hour in which it was said, and messages since
    uncounted: HashMap<i64, (Option<i64>, u64)>,
    /// up to which row it was asked who is gone
    pub(super) gone_after: (i64, i64),
}

impl Turn {
    /// Owners of devices that there was no room for, and their messages; each once an hour.
    pub(super) fn uncounted(&mut self, now: UnixTime) -> Vec<(i64, u64)> {
        let hour = now.0.div_euclid(3600);
        self.uncounted.retain(|_, (said, count)| *count > 0 || *said == Some(hour));
        let mut all = Vec::new();
        for (owner, (said, count)) in &mut self.uncounted {
            if *said != Some(hour) && *count > 0 {
                *said = Some(hour);
                all.push((*owner, std::mem::take(count)));
            }
        }
        all
    }
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
        let Shard { live, urgent, owners, uncounted } = &mut *shard;
        let mine = owners.get(&owner).copied().unwrap_or(0);
        let room = live.len() < LIVE_MAX / SHARDS && mine < OWNER_MAX / SHARDS;
        let entry = match live.entry(row) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(_) if !room => {
                let count = uncounted.entry(owner).or_default();
                *count = count.saturating_add(1);
                return;
            }
            std::collections::hash_map::Entry::Vacant(entry) => {
                owners.insert(owner, mine.saturating_add(1));
                entry.insert(Live::new(who(), now, generation))
            }
        };
        if entry.who.owner != owner {
            // Another owner learns nothing of what the device did before.
            let line = entry.who.line.clone();
            if let Some(count) = owners.get_mut(&entry.who.owner) {
                *count = count.saturating_sub(1);
            }
            owners.insert(owner, mine.saturating_add(1));
            *entry = Live::new(Who { owner, line, ..entry.who.clone() }, now, generation);
        }
        let hour = now.0.div_euclid(3600);
        let waited = entry.waits;
        if entry.hour != hour || entry.generation != generation {
            if entry.hour != hour {
                (entry.hour, entry.count) = (hour, 0);
                entry.close();
            }
            if entry.deviates || entry.generation != generation || entry.is_full() {
                entry.known.clear();
                entry.deviates = false;
            }
            entry.generation = generation;
        }
        (entry.used, entry.pending.at) = (now.0, now.0);
        work(entry, &self.hashes);
        if entry.waits && !waited {
            urgent.push(row);
        }
    }

    /// Takes all that there is of some devices, up to a round's worth.
    fn take_of(&self, of: impl Fn(&Who) -> bool) -> Vec<Taken> {
        let (mut taken, mut count) = (Vec::new(), 0_usize);
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let room = ROUND_MAX.saturating_sub(count);
            let live = shard.live.values_mut().filter(|it| it.has_pending() && of(&it.who));
            let rows: Vec<i64> = live
                .take(room)
                .map(|it| {
                    it.waits = true;
                    it.who.row
                })
                .collect();
            for row in rows {
                count = count.saturating_add(usize::from(shard.take(row, &mut taken)));
            }
        }
        taken
    }

    /// Takes what is to be looked at: what is new at once, all of it where it is time or it is wanted.
    pub(super) fn take(&self, turn: &mut Turn, now: UnixTime, scope: Scope<'_>) -> Vec<Taken> {
        match scope {
            Scope::Line(owner, line) => {
                return self.take_of(|who| who.owner == owner && who.line == line);
            }
            Scope::Device(row) => return self.take_of(|who| who.row == row),
            Scope::New | Scope::All => {}
        }
        let hour = |at: UnixTime| at.0.div_euclid(3600);
        let due = turn.flushed.is_none_or(|at| now.since(at) >= FLUSH_S || hour(at) != hour(now));
        if due {
            turn.flushed = Some(now);
        }
        let (mut taken, mut count, mut behind) = (Vec::new(), 0_usize, 0_usize);
        let start = turn.start % SHARDS;
        turn.start = start.saturating_add(1);
        // Each part its share, then whoever has more.
        for share in [ROUND_MAX / SHARDS, ROUND_MAX] {
            let first = share < ROUND_MAX;
            behind = 0;
            for shard in self.shards.iter().cycle().skip(start).take(SHARDS) {
                let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
                if first {
                    for (owner, more) in std::mem::take(&mut shard.uncounted) {
                        let (_, known) = turn.uncounted.entry(owner).or_default();
                        *known = known.saturating_add(more);
                    }
                }
                if first && due {
                    shard.tidy(now);
                }
                if first && (due || scope == Scope::All) {
                    let Shard { live, urgent, .. } = &mut *shard;
                    let waiting = |it: &&mut Live| !it.waits && it.has_pending();
                    for entry in live.values_mut().filter(waiting) {
                        entry.waits = true;
                        urgent.push(entry.who.row);
                    }
                }
                let room = ROUND_MAX.saturating_sub(count).min(share);
                count = count.saturating_add(shard.take_urgent(room, &mut taken));
                behind = behind.saturating_add(shard.urgent.len());
            }
        }
        if due && behind > ROUND_MAX.saturating_mul(usize::try_from(FLUSH_S).unwrap_or(1)) {
            tracing::warn!(behind, "devices wait for longer than a minute to be looked at");
        }
        taken
    }

    /// What a look at devices left.
    pub(super) fn put(&self, looked: &[Looked]) {
        for one in looked {
            if let Some(entry) = self.shard(one.row).live.get_mut(&one.row) {
                (entry.bounds, entry.depth) = (one.bounds, one.depth);
                entry.place_bits = one.place_bits;
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
            place_bits: PLACE_BITS,
            generation,
            known: Vec::new(),
            deviates: false,
            waits: false,
            used: now.0,
            pending: Pending::default(),
            closed: Vec::new(),
        }
    }

    fn has_pending(&self) -> bool {
        !self.pending.is_empty() || !self.closed.is_empty()
    }

    /// Ends the hour that was counted: it is handed over by itself, at once.
    fn close(&mut self) {
        let ended = std::mem::take(&mut self.pending);
        if !ended.is_empty() {
            if self.closed.len() >= CLOSED_MAX {
                self.closed.remove(0);
            }
            self.closed.push(ended);
            self.waits = true;
        }
    }

    /// Whether something was not handed over yet; from now on it was. Each aspect has its own room.
    fn is_new(&mut self, aspect: Aspect, hash: u64) -> bool {
        let hash = (hash & !ASPECT_BITS) | tag(aspect);
        if self.known.contains(&hash) || self.count_of(aspect) >= aspect.observed_max() {
            return false;
        }
        self.known.push(hash);
        true
    }

    fn count_of(&self, aspect: Aspect) -> usize {
        self.known.iter().filter(|hash| **hash & ASPECT_BITS == tag(aspect)).count()
    }

    /// Whether there is an aspect of which nothing more is handed over.
    fn is_full(&self) -> bool {
        let all = [Aspect::Topic, Aspect::Place, Aspect::Firmware];
        all.into_iter().any(|aspect| self.count_of(aspect) >= aspect.observed_max())
    }

    fn add(&mut self, aspect: Aspect, value: String) {
        let of = self.pending.values.iter().filter(|(it, _)| *it == aspect);
        if of.count() < aspect.observed_max() {
            self.pending.values.push((aspect, value));
            self.waits = true;
        }
    }
}

/// Bits of a hash that say the aspect instead: what is equal in two aspects is not one.
const ASPECT_BITS: u64 = 7;

fn tag(aspect: Aspect) -> u64 {
    Aspect::ALL.iter().position(|it| *it == aspect).map_or(0, |at| at as u64 & ASPECT_BITS)
}

fn who(sender: &DoorSender) -> Who {
    let (row, owner) = sender.rows();
    let line = sender.facts().product.as_ref();
    let line = line.map_or(NO_LINE.to_owned(), |(maker, product)| format!("{maker}/{product}"));
    Who { device: sender.device(), row, owner, line }
}

/// A topic of the device's own space, or of another's. No own one looks like another's.
fn spaced(own: bool, feature: String) -> String {
    match (own, feature.starts_with("other:")) {
        (true, false) => feature,
        (true, true) => format!("own:{feature}"),
        (false, _) => format!("other:{feature}"),
    }
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
            if (own_doing > 0 && live.count > rate && live.is_new(Aspect::Rate, 0))
                || (bytes > size && live.is_new(Aspect::Size, 0))
            {
                live.deviates = true;
                live.waits = true;
            }
            let (head, more) = topic_prefix(topic, live.depth);
            if live.is_new(Aspect::Topic, hashes.hash_one((own, head, more))) {
                let feature = ::behaviour::topic_feature(topic, live.depth);
                live.add(Aspect::Topic, spaced(own, feature));
            }
            if let Some(door) = door
                && live.is_new(Aspect::Door, u64::from(door.code()) << ASPECT_BITS.count_ones())
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
            let (v4, v6) = live.place_bits;
            let bits = if source.to_canonical().is_ipv4() { v4 } else { v6 };
            let network = hashes.hash_one(alert::Prefix::of(source, bits));
            if live.is_new(Aspect::Place, network)
                && live.pending.places.len() < Aspect::Place.observed_max()
            {
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
            if !version.is_empty() && live.is_new(Aspect::Firmware, hashes.hash_one(&version)) {
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

#[cfg(test)]
mod tests;
