use crate::{
    Aspect, BehaviourError, Deviation, Histogram, ProductProfile,
    product::{accept, accepted_bound, accepted_place, holds},
};
use crypto::UnixTime;
use std::collections::{BTreeMap, VecDeque};

/// Hours whose messages are kept one by one.
pub const RECENT_HOURS: usize = 168;
/// Deviations that are kept of a device; the oldest go.
pub const DEVIATIONS_MAX: usize = 32;
/// Hours that say enough of a device's rate that no other device's counts for it.
const OWN_HOURS: u64 = 24;
/// Hours that it must have been watched for before hours of the day and silence say anything.
pub(crate) const DAY_HOURS: i64 = 24;
/// In how many of 100 hours something came, where something is expected each hour.
pub(crate) const HOURLY_PERCENT: u64 = 95;
/// Values of an aspect that are told in an hour, at most.
const TOLD_MAX: usize = 8;
/// Share of hours whose rate is ordinary, of 1,000; and of messages, whose size is.
const RATE_SHARE: u32 = 990;
const SIZE_SHARE: u32 = 999;

/// That a person said that something is ordinary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// when
    pub at: UnixTime,
    /// who
    pub by: String,
}

/// A deviation of a device, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedDeviation {
    /// what it was
    pub aspect: Aspect,
    /// the value that was seen
    pub seen: String,
    /// what was ordinary then
    pub ordinary: String,
    /// when it was seen first and last, and how often
    pub first_at: UnixTime,
    /// when it was seen last
    pub last_at: UnixTime,
    /// how often it was told
    pub count: u32,
}

/// What is ordinary for one device, and what came of it lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceProfile {
    /// the product's learning that it belongs to
    pub(crate) epoch: u32,
    /// when it was seen first and last
    pub(crate) seen: (UnixTime, UnixTime),
    /// from when on it learned, and until when it does of its own
    pub(crate) learned_from: UnixTime,
    pub(crate) learns_until: UnixTime,
    /// whether the product counts it
    pub(crate) counted: bool,
    pub(crate) features: BTreeMap<(Aspect, String), UnixTime>,
    pub(crate) accepted: BTreeMap<(Aspect, String), Accepted>,
    /// messages in an hour, of hours in which it learned; bytes of messages
    pub(crate) rates: Histogram,
    pub(crate) sizes: Histogram,
    /// the magnitudes that the product counts it under
    pub(crate) counted_under: (Option<u8>, Option<u8>),
    /// the hour that is counted at present (since 1970), its messages, and those that were learned of
    pub(crate) hour: i64,
    pub(crate) hour_count: u32,
    pub(crate) hour_learned: u32,
    /// deviations of rate, size and hour that were told in this hour
    pub(crate) told: Vec<(Aspect, String)>,
    /// levels by which it tells topics apart
    pub(crate) depth: u8,
    /// messages in the hours up to the present one, newest last
    pub(crate) recent: VecDeque<u32>,
    pub(crate) silent_told: bool,
    pub(crate) deviations: VecDeque<NotedDeviation>,
}

/// What a device's profile says, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LearnedDevice {
    /// values of the aspect that the device itself showed, with the time of the first
    pub shown: Vec<(Aspect, String, UnixTime)>,
    /// what is ordinary in an hour
    pub rate: Option<u32>,
    /// what is ordinary of a message, in bytes
    pub size: Option<u32>,
    /// hours that it learned the rate of
    pub hours: u64,
    /// whether something is expected of it each hour
    pub hourly: bool,
}

impl DeviceProfile {
    /// A device that was not seen before.
    pub fn new(now: UnixTime) -> Self {
        Self {
            epoch: u32::MAX,
            seen: (now, now),
            learned_from: now,
            learns_until: now,
            counted: false,
            features: BTreeMap::new(),
            accepted: BTreeMap::new(),
            rates: Histogram::default(),
            sizes: Histogram::default(),
            counted_under: (None, None),
            hour: now.0.div_euclid(3600),
            hour_count: 0,
            hour_learned: 0,
            told: Vec::new(),
            depth: crate::DEPTH_MAX,
            recent: VecDeque::from([0]),
            silent_told: false,
            deviations: VecDeque::new(),
        }
    }

    /// When it was seen first and last.
    pub fn seen(&self) -> (UnixTime, UnixTime) {
        self.seen
    }

    /// Until when it learns of its own.
    pub fn learns_until(&self) -> UnixTime {
        self.learns_until
    }

    /// From when on it learned.
    pub fn learned_from(&self) -> UnixTime {
        self.learned_from
    }

    /// Levels by which it tells topics apart.
    pub fn depth(&self) -> u8 {
        self.depth
    }

    /// Messages in the hours up to the one of [`Self::hour`], newest last.
    pub fn recent(&self) -> impl Iterator<Item = u32> + '_ {
        self.recent.iter().copied()
    }

    /// The hour that is counted at present, since 1970, and its messages.
    pub fn hour(&self) -> (i64, u32) {
        (self.hour, self.hour_count)
    }

    /// What left what is ordinary, newest last.
    pub fn deviations(&self) -> impl Iterator<Item = &NotedDeviation> + '_ {
        self.deviations.iter()
    }

    /// What people accepted of this device.
    pub fn accepted(&self) -> impl Iterator<Item = (Aspect, &str, &Accepted)> + '_ {
        self.accepted.iter().map(|((aspect, value), how)| (*aspect, value.as_str(), how))
    }

    /// What it says, with its product's.
    pub fn learned(&self, product: &ProductProfile) -> LearnedDevice {
        let shown = self.features.iter();
        LearnedDevice {
            shown: shown.map(|((aspect, value), at)| (*aspect, value.clone(), *at)).collect(),
            rate: self.bound(product, Aspect::Rate),
            size: self.bound(product, Aspect::Size),
            hours: self.rates.count(),
            hourly: self.is_hourly(product),
        }
    }

    /// Accepts something for this device alone.
    ///
    /// # Errors
    /// [`BehaviourError::Value`], [`BehaviourError::Full`].
    pub fn accept(
        &mut self,
        aspect: Aspect,
        value: &str,
        how: Accepted,
    ) -> Result<String, BehaviourError> {
        let value = accept(&mut self.accepted, aspect, value, how)?;
        self.told.clear();
        Ok(value)
    }

    /// Takes back what was accepted. Whether it was.
    pub fn take_back(&mut self, aspect: Aspect, value: &str) -> bool {
        self.accepted.remove(&(aspect, value.to_owned())).is_some()
    }

    /// Forgets what this device learned, in the product too, and learns anew of its own.
    pub fn relearn(&mut self, product: &mut ProductProfile, now: UnixTime) {
        if self.epoch == product.epoch {
            for ((aspect, value), at) in &self.features {
                product.withdraw(*aspect, value, *at);
            }
            product.rates.shift(self.counted_under.0, None);
            product.sizes.shift(self.counted_under.1, None);
            if self.counted {
                product.devices = product.devices.saturating_sub(1);
            }
        }
        self.begin(product, now);
    }

    /// Belongs to what the product learns now.
    pub(crate) fn begin(&mut self, product: &ProductProfile, now: UnixTime) {
        self.epoch = product.epoch;
        self.learned_from = now;
        self.learns_until = now.plus(product.settings.learn_s.into());
        self.counted = false;
        self.features.clear();
        self.rates = Histogram::default();
        self.sizes = Histogram::default();
        self.counted_under = (None, None);
        self.hour_learned = 0;
        self.told.clear();
        self.depth = crate::DEPTH_MAX;
    }

    /// Since when what is ordinary for it is known.
    pub(crate) fn ordinary_since(&self, product: &ProductProfile) -> UnixTime {
        self.learned_from.min(product.learned.0)
    }

    /// Whether a value is ordinary for this device.
    pub(crate) fn is_ordinary(&self, aspect: Aspect, value: &str) -> bool {
        let has = |value: &str| {
            let key = (aspect, value.to_owned());
            self.features.contains_key(&key) || self.accepted.contains_key(&key)
        };
        holds(aspect, value, &has) || accepted_place(&self.accepted, aspect, value)
    }

    /// The magnitude of what it sends in an hour, or of its messages, as far as it was learned.
    pub(crate) fn magnitude(&self, aspect: Aspect) -> Option<u8> {
        match aspect {
            Aspect::Rate => {
                let now = (self.hour_learned > 0).then_some(self.hour_learned);
                self.rates.quantile(RATE_SHARE, now)
            }
            _ => self.sizes.quantile(SIZE_SHARE, None),
        }
    }

    /// How much is ordinary for this device of a rate or size: its own, where enough is known of it;
    /// the product's, or the greater of both, where not.
    pub fn bound(&self, product: &ProductProfile, aspect: Aspect) -> Option<u32> {
        let own = self.magnitude(aspect).map(|bucket| product.times_factor(aspect, bucket));
        let accepted = accepted_bound(&self.accepted, aspect);
        let by_product = match aspect == Aspect::Rate && self.rates.count() >= OWN_HOURS {
            true => accepted_bound(&product.accepted, aspect),
            false => product.bound(aspect),
        };
        own.max(accepted).max(by_product)
    }

    /// Whether it learned for a whole day, so that hours and silence say something.
    pub(crate) fn knows_a_day(&self, until: UnixTime) -> bool {
        until.since(self.learned_from) >= DAY_HOURS.saturating_mul(3600)
    }

    /// Whether something is expected of it each hour.
    pub(crate) fn is_hourly(&self, product: &ProductProfile) -> bool {
        self.hourly_percent(product).is_some_and(|percent| percent >= HOURLY_PERCENT)
    }

    /// In how many of 100 hours of learning something came.
    pub(crate) fn hourly_percent(&self, product: &ProductProfile) -> Option<u64> {
        let until = match product.learned.1 {
            Some(end) if end > self.learned_from => end,
            Some(_) => self.learns_until.min(self.seen.1),
            None => self.seen.1,
        };
        let hours = u64::try_from(until.since(self.learned_from) / 3600).ok()?;
        let hours = Some(hours).filter(|_| self.knows_a_day(until))?;
        self.rates.count().saturating_mul(100).checked_div(hours).map(|percent| percent.min(100))
    }

    /// Notes a deviation; whether it is to be told. Each value is told once an hour.
    pub(crate) fn note(&mut self, deviation: &Deviation, at: UnixTime) -> bool {
        let key = (deviation.aspect, deviation.seen.clone());
        let same_hour = match deviation.aspect {
            // They grow: once an hour is enough, whatever the number.
            Aspect::Rate | Aspect::Size => self.told.iter().any(|(it, _)| *it == deviation.aspect),
            _ => self.told.contains(&key),
        };
        // One aspect leaves room for the others: many topics must not hide a network.
        let of_aspect = self.told.iter().filter(|(it, _)| *it == deviation.aspect).count();
        if same_hour || of_aspect >= TOLD_MAX.min(deviation.aspect.observed_max()) {
            return false;
        }
        self.told.push(key);
        let known = self
            .deviations
            .iter()
            .position(|it| it.aspect == deviation.aspect && it.seen == deviation.seen)
            .and_then(|at| self.deviations.remove(at));
        let noted = known.map_or(
            NotedDeviation {
                aspect: deviation.aspect,
                seen: deviation.seen.clone(),
                ordinary: deviation.ordinary.clone(),
                first_at: at,
                last_at: at,
                count: 1,
            },
            |it| NotedDeviation {
                last_at: at,
                count: it.count.saturating_add(1),
                ordinary: deviation.ordinary.clone(),
                ..it
            },
        );
        if self.deviations.len() >= DEVIATIONS_MAX {
            self.deviations.pop_front();
        }
        self.deviations.push_back(noted);
        true
    }
}
