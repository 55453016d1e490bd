use crate::{Accepted, Aspect, BehaviourError, Histogram, topic::is_ordinary_topic, upper_of};
use alert::Prefix;
use crypto::UnixTime;
use std::{collections::BTreeMap, ops::RangeInclusive};

/// For how long is learned, in seconds.
pub const LEARN_S: RangeInclusive<u32> = 60..=90 * 86_400;
/// For how long is learned where nobody says otherwise, in seconds.
pub const DEFAULT_LEARN_S: u32 = 7 * 86_400;
/// Devices that must have shown something before it is ordinary for the product, at most.
pub const DEVICES_MIN_MAX: u32 = 1_000;
/// How many times what is learned is ordinary still, at most, in hundredths.
pub const FACTOR_MAX: u32 = 10_000;
/// Entries that people accepted, at most.
pub const ACCEPTED_MAX: usize = 128;
/// Messages in an hour, and bytes of a message, that are ordinary in any case.
const RATE_FLOOR: u32 = 60;
const SIZE_FLOOR: u32 = 256;

/// Where a profile stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// nothing is learned, nothing deviates
    Off,
    /// what comes is learned, until a time
    Learning {
        /// then it watches by itself, once anything was learned
        until: UnixTime,
    },
    /// what was not learned deviates; devices that are new learn of their own
    Watching,
    /// as watching, and devices that are new learn nothing of their own
    Frozen,
}

impl Phase {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Learning { .. } => "learning",
            Self::Watching => "watching",
            Self::Frozen => "frozen",
        }
    }
}

/// What people choose about a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// for how long is learned, in seconds: [`LEARN_S`]
    pub learn_s: u32,
    /// how many times what was learned of rates and sizes is ordinary still, in hundredths
    pub factor_percent: u32,
    /// how many devices must have shown something before it is ordinary for the product
    pub devices_min: u32,
    /// networks of IPv4 and of IPv6, in bits
    pub place_bits: (u8, u8),
    /// what does not deviate
    pub off: Vec<Aspect>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            learn_s: DEFAULT_LEARN_S,
            factor_percent: 300,
            devices_min: 3,
            place_bits: (24, 48),
            off: Vec::new(),
        }
    }
}

impl Settings {
    /// Checks them.
    ///
    /// # Errors
    /// [`BehaviourError::Settings`].
    pub fn checked(mut self) -> Result<Self, BehaviourError> {
        let say = |good: bool, why| good.then_some(()).ok_or(BehaviourError::Settings(why));
        say(
            LEARN_S.contains(&self.learn_s),
            "a profile learns for 60 to 7776000 seconds (90 days)",
        )?;
        say(
            (100..=FACTOR_MAX).contains(&self.factor_percent),
            "the factor is 100 to 10000 hundredths",
        )?;
        say(
            (1..=DEVICES_MIN_MAX).contains(&self.devices_min),
            "1 to 1000 devices show what is ordinary",
        )?;
        let (v4, v6) = self.place_bits;
        say((8..=32).contains(&v4), "networks of IPv4 have 8 to 32 bits")?;
        say((16..=128).contains(&v6), "networks of IPv6 have 16 to 128 bits")?;
        self.off.sort_unstable();
        self.off.dedup();
        Ok(self)
    }
}

/// Who showed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Support {
    /// how many devices
    pub devices: u32,
    /// when the first of them did
    pub first_at: UnixTime,
}

/// What is ordinary for the devices of a product line of one owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductProfile {
    /// where it stands
    pub(crate) phase: Phase,
    /// since when it stands there
    pub(crate) since: UnixTime,
    /// how often it was begun anew: what devices learned before counts no more
    pub(crate) epoch: u32,
    /// from when on, and until when, it learned
    pub(crate) learned: (UnixTime, Option<UnixTime>),
    pub(crate) settings: Settings,
    /// devices that it learned of
    pub(crate) devices: u32,
    pub(crate) features: BTreeMap<(Aspect, String), Support>,
    /// what there was no room for
    pub(crate) overflow: u32,
    pub(crate) accepted: BTreeMap<(Aspect, String), Accepted>,
    /// devices by the magnitude of what they send in an hour, and of their messages
    pub(crate) rates: Histogram,
    pub(crate) sizes: Histogram,
    /// messages by the hour of the day, UTC
    pub(crate) by_hour: [u64; 24],
}

impl ProductProfile {
    /// A profile that begins to learn.
    pub fn new(now: UnixTime) -> Self {
        let settings = Settings::default();
        Self {
            phase: Phase::Learning { until: now.plus(settings.learn_s.into()) },
            since: now,
            epoch: 0,
            learned: (now, None),
            settings,
            devices: 0,
            features: BTreeMap::new(),
            overflow: 0,
            accepted: BTreeMap::new(),
            rates: Histogram::default(),
            sizes: Histogram::default(),
            by_hour: [0; 24],
        }
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Since when it stands there.
    pub fn since(&self) -> UnixTime {
        self.since
    }

    /// From when on, and until when, it learned.
    pub fn learned(&self) -> (UnixTime, Option<UnixTime>) {
        self.learned
    }

    /// What people chose.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Devices that it learned of.
    pub fn devices(&self) -> u32 {
        self.devices
    }

    /// What was shown of an aspect, and by how many devices.
    pub fn shown(&self, aspect: Aspect) -> impl Iterator<Item = (&str, Support)> + '_ {
        let of = self.features.iter().filter(move |((it, _), _)| *it == aspect);
        of.map(|((_, value), support)| (value.as_str(), *support))
    }

    /// What people accepted.
    pub fn accepted(&self) -> impl Iterator<Item = (Aspect, &str, &Accepted)> + '_ {
        self.accepted.iter().map(|((aspect, value), how)| (*aspect, value.as_str(), how))
    }

    /// What there was no room for, how often.
    pub fn overflow(&self) -> u32 {
        self.overflow
    }

    /// Messages by the hour of the day, UTC.
    pub fn by_hour(&self) -> &[u64; 24] {
        &self.by_hour
    }

    /// Goes into another phase. Learning anew forgets what was learned, not what people accepted.
    pub fn enter(&mut self, phase: Phase, now: UnixTime) {
        if let Phase::Learning { .. } = phase {
            self.epoch = self.epoch.wrapping_add(1);
            self.learned = (now, None);
            self.devices = 0;
            self.features.clear();
            self.overflow = 0;
            self.rates = Histogram::default();
            self.sizes = Histogram::default();
            self.by_hour = [0; 24];
        } else if self.is_learning() {
            self.learned.1 = Some(now);
        }
        (self.phase, self.since) = (phase, now);
    }

    /// Ends learning where its time is over and anything was learned. Whether it did.
    pub fn end_learning(&mut self, now: UnixTime) -> bool {
        let over = matches!(self.phase, Phase::Learning { until } if now >= until);
        let ends = over && self.devices > 0;
        if ends {
            self.enter(Phase::Watching, now);
        }
        ends
    }

    /// Whether it learns.
    pub fn is_learning(&self) -> bool {
        matches!(self.phase, Phase::Learning { .. })
    }

    /// Chooses settings. A learning period that goes on ends by the new length.
    pub fn choose(&mut self, settings: Settings) {
        if let Phase::Learning { until } = &mut self.phase {
            *until = self.learned.0.plus(settings.learn_s.into());
        }
        self.settings = settings;
    }

    /// Accepts something for all devices of the product.
    ///
    /// # Errors
    /// [`BehaviourError::Value`], [`BehaviourError::Full`].
    pub fn accept(
        &mut self,
        aspect: Aspect,
        value: &str,
        how: Accepted,
    ) -> Result<String, BehaviourError> {
        accept(&mut self.accepted, aspect, value, how)
    }

    /// Takes back what was accepted. Whether it was.
    pub fn take_back(&mut self, aspect: Aspect, value: &str) -> bool {
        self.accepted.remove(&(aspect, value.to_owned())).is_some()
    }

    /// Whether enough devices showed anything of an aspect that it says what is ordinary.
    pub(crate) fn is_established(&self, aspect: Aspect) -> bool {
        match aspect {
            Aspect::Rate => self.bound(aspect).is_some(),
            Aspect::Size => self.bound(aspect).is_some(),
            // Each device has its own place; a product has none that says anything about a new one.
            Aspect::Place | Aspect::Silence => false,
            // What had no room may be as ordinary as what had.
            _ => {
                self.shown(aspect).count() < aspect.entries_max().1
                    && self.shown(aspect).any(|(_, support)| self.suffices(support))
            }
        }
    }

    fn suffices(&self, support: Support) -> bool {
        support.devices >= self.settings.devices_min
    }

    /// What is ordinary of an aspect for all devices, as values.
    pub fn ordinary(&self, aspect: Aspect) -> Vec<&str> {
        let shown = self.shown(aspect).filter(|(_, support)| self.suffices(*support));
        let accepted = self.accepted().filter(|(it, ..)| *it == aspect).map(|(_, value, _)| value);
        let mut all: Vec<_> = shown.map(|(value, _)| value).chain(accepted).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Whether a value is ordinary for all devices.
    pub(crate) fn is_ordinary(&self, aspect: Aspect, value: &str) -> bool {
        let has = |value: &str| {
            let key = (aspect, value.to_owned());
            self.accepted.contains_key(&key)
                || self.features.get(&key).is_some_and(|support| self.suffices(*support))
        };
        holds(aspect, value, &has) || accepted_place(&self.accepted, aspect, value)
    }

    /// How much is ordinary for all devices of a rate or size: what `devices_min` of them reach, times
    /// the factor; or what people accepted.
    pub fn bound(&self, aspect: Aspect) -> Option<u32> {
        let of = if aspect == Aspect::Rate { &self.rates } else { &self.sizes };
        let learned = of.reached_by(self.settings.devices_min);
        let learned = learned.map(|bucket| self.times_factor(aspect, bucket));
        learned.max(accepted_bound(&self.accepted, aspect))
    }

    pub(crate) fn times_factor(&self, aspect: Aspect, bucket: u8) -> u32 {
        let floor = if aspect == Aspect::Rate { RATE_FLOOR } else { SIZE_FLOOR };
        let bound = u64::from(upper_of(bucket)).saturating_mul(self.settings.factor_percent.into());
        u32::try_from(bound / 100).unwrap_or(u32::MAX).max(floor)
    }

    /// That one more device shows something. Where there is no room, the oldest of what one device alone
    /// showed goes: few devices that write much keep nothing out that many write.
    pub(crate) fn support(&mut self, aspect: Aspect, value: &str, now: UnixTime) {
        let key = (aspect, value.to_owned());
        if let Some(support) = self.features.get_mut(&key) {
            support.devices = support.devices.saturating_add(1);
            support.first_at = support.first_at.min(now);
            return;
        }
        if self.shown(aspect).count() >= aspect.entries_max().1 {
            self.overflow = self.overflow.saturating_add(1);
            let of = self.features.iter().filter(|((it, _), by)| *it == aspect && by.devices <= 1);
            let oldest = of.min_by_key(|(_, by)| by.first_at).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { return };
            self.features.remove(&oldest);
        }
        self.features.insert(key, Support { devices: 1, first_at: now });
    }

    /// That a device shows something no more, that it showed at a time, since it learned anew.
    pub(crate) fn withdraw(&mut self, aspect: Aspect, value: &str, at: UnixTime) {
        let key = (aspect, value.to_owned());
        // There was no room for it when the device showed it: the device is not counted.
        let counted = |support: &&mut Support| support.first_at <= at;
        if let Some(support) = self.features.get_mut(&key).filter(counted) {
            support.devices = support.devices.saturating_sub(1);
            if support.devices == 0 {
                self.features.remove(&key);
            }
        }
    }
}

/// Whether something holds a value, by the aspect's way of comparing.
pub(crate) fn holds(aspect: Aspect, value: &str, has: &dyn Fn(&str) -> bool) -> bool {
    match aspect {
        Aspect::Topic => is_ordinary_topic(value, has),
        // A clock that is a little wrong, or summer time, makes no deviation.
        Aspect::Hour => value.parse::<u8>().is_ok_and(|hour| {
            let near = [hour, (hour.saturating_add(1)) % 24, (hour.saturating_add(23)) % 24];
            near.iter().any(|hour| has(&format!("{hour:02}")))
        }),
        _ => has(value),
    }
}

/// Whether a network lies in one that people accepted.
pub(crate) fn accepted_place(
    accepted: &BTreeMap<(Aspect, String), Accepted>,
    aspect: Aspect,
    value: &str,
) -> bool {
    let Some(place) = (aspect == Aspect::Place).then(|| value.parse::<Prefix>().ok()).flatten()
    else {
        return false;
    };
    accepted.keys().filter(|(it, _)| *it == Aspect::Place).any(|(_, wide)| {
        let wide: Result<Prefix, ()> = wide.parse();
        wide.is_ok_and(|wide| wide.covers(&place))
    })
}

/// The greatest bound that people accepted.
pub(crate) fn accepted_bound(
    accepted: &BTreeMap<(Aspect, String), Accepted>,
    aspect: Aspect,
) -> Option<u32> {
    let of = accepted.keys().filter(|(it, _)| *it == aspect);
    of.filter_map(|(_, value)| value.parse().ok()).max()
}

pub(crate) fn accept(
    accepted: &mut BTreeMap<(Aspect, String), Accepted>,
    aspect: Aspect,
    value: &str,
    how: Accepted,
) -> Result<String, BehaviourError> {
    let value = aspect.value(value)?;
    let key = (aspect, value.clone());
    if !accepted.contains_key(&key) && accepted.len() >= ACCEPTED_MAX {
        return Err(BehaviourError::Full);
    }
    accepted.insert(key, how);
    Ok(value)
}
