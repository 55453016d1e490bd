//! What was seen of a device, against what is ordinary.

use crate::{Aspect, DeviceProfile, Phase, ProductProfile, device::HOURLY_PERCENT, topic_feature};
use alert::Prefix;
use core::net::IpAddr;
use crypto::UnixTime;

/// Values that are told apart of a device at a time.
pub const OBSERVED_MAX: usize = 64;
/// Ordinary values that a deviation names.
const NAMED: usize = 6;
/// After how many seconds without anything a device is silent that comes each hour.
const SILENT_S: i64 = 3 * 3600;

/// What was seen of a device, since the last time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    at: UnixTime,
    messages: u32,
    /// bytes of the messages: magnitude by doublings, and how many
    sizes: Vec<(u32, u32)>,
    size_max: u32,
    values: Vec<(Aspect, String)>,
}

impl Observed {
    /// Nothing yet, at a time.
    pub fn at(at: UnixTime) -> Self {
        Self { at, messages: 0, sizes: Vec::new(), size_max: 0, values: Vec::new() }
    }

    /// Messages came.
    pub fn messages(&mut self, count: u32) {
        self.messages = self.messages.saturating_add(count);
    }

    /// Some of them had so many bytes, about; the greatest of them had `most`.
    pub fn sizes(&mut self, bytes: u32, times: u32, most: u32) {
        self.sizes.push((bytes, times));
        self.size_max = self.size_max.max(most);
    }

    /// A value was seen.
    pub fn add(&mut self, aspect: Aspect, value: &str) {
        let of = || self.values.iter().filter(|(it, _)| *it == aspect);
        if !of().any(|(_, known)| known == value) && of().count() < aspect.observed_max() {
            self.values.push((aspect, value.to_owned()));
        }
    }

    /// A connection came from an address.
    pub fn place(&mut self, address: IpAddr, (v4, v6): (u8, u8)) {
        let bits = if address.to_canonical().is_ipv4() { v4 } else { v6 };
        self.add(Aspect::Place, &Prefix::of(address, bits).to_string());
    }
}

/// That something is not as it used to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// what of
    pub aspect: Aspect,
    /// what was seen
    pub seen: String,
    /// what is ordinary, for people; empty where nothing is
    pub ordinary: String,
    /// since when that is known
    pub since: UnixTime,
}

/// Adds what was seen of a device to its profile and its product's, as far as they learn; and says what
/// is not ordinary.
pub fn observe(
    product: &mut ProductProfile,
    device: &mut DeviceProfile,
    observed: &Observed,
) -> Vec<Deviation> {
    let now = observed.at;
    if device.epoch != product.epoch {
        // What came before learning ended, and is looked at after it, is that of a new device.
        let from = product.learned.1.map_or(now, |end| now.max(end.plus(1)));
        device.begin(product, from);
    }
    // Who began after the product had ended learns of its own what the product says nothing about.
    let late = product.learned.1.is_some_and(|end| device.learned_from > end);
    let own = product.phase == Phase::Watching && late && now < device.learns_until;
    next_hour(product, device, now);
    device.seen.1 = device.seen.1.max(now);
    if observed.messages > 0 {
        device.silent_told = false;
    }
    count(product, device, observed);
    if product.phase == Phase::Off {
        return Vec::new();
    }
    learn_amounts(product, device, observed, own);
    let mut values = observed.values.clone();
    if observed.messages > 0 {
        let hour = device.hour.rem_euclid(24);
        values.push((Aspect::Hour, format!("{hour:02}")));
    }
    let mut found = Vec::new();
    for (aspect, value) in values {
        let value = match aspect {
            // As the device tells its topics apart by now.
            Aspect::Topic if device.depth < crate::DEPTH_MAX => topic_feature(&value, device.depth),
            _ => value,
        };
        if product.is_learning() || (own && !product.is_established(aspect)) {
            learn(product, device, (aspect, value), now);
        } else if !is_quiet(product, device, aspect)
            && !device.is_ordinary(aspect, &value)
            && !product.is_ordinary(aspect, &value)
        {
            found.push((aspect, value));
        }
    }
    if !product.is_learning() {
        for (aspect, amount) in
            [(Aspect::Rate, device.hour_count), (Aspect::Size, observed.size_max)]
        {
            let learns = own && !product.is_established(aspect);
            let bound = device.bound(product, aspect).filter(|_| !learns);
            if bound.is_some_and(|bound| amount > bound) && !is_quiet(product, device, aspect) {
                found.push((aspect, amount.to_string()));
            }
        }
    }
    let since = device.ordinary_since(product);
    found
        .into_iter()
        .filter_map(|(aspect, seen)| {
            let ordinary = ordinary(product, device, aspect);
            let deviation = Deviation { aspect, seen, ordinary, since };
            device.note(&deviation, now).then_some(deviation)
        })
        .collect()
}

/// Whether a device that sends each hour sends no more: told once, until it sends again.
pub fn silent(
    product: &ProductProfile,
    device: &mut DeviceProfile,
    (now, watched_from): (UnixTime, UnixTime),
) -> Option<Deviation> {
    let last = device.seen.1;
    let watches = matches!(product.phase, Phase::Watching | Phase::Frozen);
    // What nobody could hear is no silence.
    let gone = now.since(last.max(watched_from).max(product.since)) >= SILENT_S;
    let quiet = product.settings.off.contains(&Aspect::Silence)
        || device.is_ordinary(Aspect::Silence, "any")
        || product.is_ordinary(Aspect::Silence, "any");
    if !watches || !gone || quiet || device.silent_told || device.epoch != product.epoch {
        return None;
    }
    let percent = device.hourly_percent(product).filter(|percent| *percent >= HOURLY_PERCENT)?;
    device.silent_told = true;
    let deviation = Deviation {
        aspect: Aspect::Silence,
        seen: time_of(last),
        ordinary: percent.to_string(),
        since: device.ordinary_since(product),
    };
    device.told.retain(|(aspect, _)| *aspect != Aspect::Silence);
    device.note(&deviation, now).then_some(deviation)
}

/// A time as people read it, in UTC, to the minute.
pub(crate) fn time_of(at: UnixTime) -> String {
    at.civil().map_or_else(
        || at.0.to_string(),
        |(year, month, day, hour, minute, _)| {
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
        },
    )
}

/// Ends the hours that went by since the last time.
fn next_hour(product: &mut ProductProfile, device: &mut DeviceProfile, now: UnixTime) {
    let hour = now.0.div_euclid(3600);
    let gone = hour.saturating_sub(device.hour);
    if gone < -1 {
        // The clock was ahead and was set back: what was counted since is of no one hour.
        (device.hour, device.hour_count, device.hour_learned) = (hour, 0, 0);
        device.seen = (device.seen.0.min(now), now);
        device.told.clear();
        return;
    }
    if gone <= 0 {
        return;
    }
    if device.hour_learned > 0 {
        device.rates.add(device.hour_learned, 1);
        device.hour_learned = 0;
        recount(product, device);
    }
    let empty = usize::try_from(gone).unwrap_or(usize::MAX).min(crate::RECENT_HOURS);
    for _ in 0..empty {
        if device.recent.len() >= crate::RECENT_HOURS {
            device.recent.pop_front();
        }
        device.recent.push_back(0);
    }
    (device.hour, device.hour_count) = (hour, 0);
    device.told.clear();
}

fn count(product: &mut ProductProfile, device: &mut DeviceProfile, observed: &Observed) {
    device.hour_count = device.hour_count.saturating_add(observed.messages);
    if let Some(last) = device.recent.back_mut() {
        *last = device.hour_count;
    }
    let hour = usize::try_from(device.hour.rem_euclid(24)).unwrap_or(0);
    if let Some(count) = product.by_hour.get_mut(hour) {
        *count = count.saturating_add(observed.messages.into());
    }
}

fn learn_amounts(
    product: &mut ProductProfile,
    device: &mut DeviceProfile,
    observed: &Observed,
    own: bool,
) {
    let learning = product.is_learning();
    if learning && !device.counted {
        device.counted = true;
        product.devices = product.devices.saturating_add(1);
    }
    if learning || (own && !product.is_established(Aspect::Rate)) {
        device.hour_learned = device.hour_learned.saturating_add(observed.messages);
    }
    if learning || (own && !product.is_established(Aspect::Size)) {
        for (bytes, times) in &observed.sizes {
            device.sizes.add(*bytes, *times);
        }
    }
    if learning && observed.messages > 0 {
        recount(product, device);
    }
}

/// Has the product count the device under the magnitudes that it has now.
fn recount(product: &mut ProductProfile, device: &mut DeviceProfile) {
    if !device.counted {
        return;
    }
    let (rate, size) = (device.magnitude(Aspect::Rate), device.magnitude(Aspect::Size));
    product.rates.shift(device.counted_under.0, rate);
    product.sizes.shift(device.counted_under.1, size);
    device.counted_under = (rate, size);
}

fn learn(
    product: &mut ProductProfile,
    device: &mut DeviceProfile,
    (aspect, value): (Aspect, String),
    now: UnixTime,
) {
    let known = |device: &DeviceProfile, value: &str| match aspect {
        Aspect::Topic => device.is_ordinary(aspect, value),
        _ => device.features.contains_key(&(aspect, value.to_owned())),
    };
    if known(device, &value) {
        return;
    }
    let count = device.features.keys().filter(|(it, _)| *it == aspect).count();
    let mut new = vec![value];
    if count >= aspect.entries_max().0 {
        if aspect != Aspect::Topic || device.depth <= 1 {
            product.overflow = product.overflow.saturating_add(1);
            return;
        }
        // It writes numbers into its topics: fewer levels tell them apart.
        device.depth = device.depth.saturating_sub(1);
        let of = |(it, _): &(Aspect, String)| *it == aspect;
        let fine = device.features.iter().filter(|(key, _)| of(key));
        let fine: Vec<_> = fine.map(|(key, at)| (key.clone(), *at)).collect();
        for (key, at) in fine {
            let coarse = topic_feature(&key.1, device.depth);
            if coarse != key.1 {
                device.features.remove(&key);
                if product.is_learning() {
                    product.withdraw(aspect, &key.1, at);
                }
                new.push(coarse);
            }
        }
    }
    for value in new {
        let value = match aspect {
            Aspect::Topic => topic_feature(&value, device.depth),
            _ => value,
        };
        let count = device.features.keys().filter(|(it, _)| *it == aspect).count();
        if count >= aspect.entries_max().0 {
            product.overflow = product.overflow.saturating_add(1);
        } else if !known(device, &value) {
            device.features.insert((aspect, value.clone()), now);
            if product.is_learning() {
                product.support(aspect, &value, now);
            }
        }
    }
}

/// Whether an aspect is not watched: nobody wants it, or too little is known.
fn is_quiet(product: &ProductProfile, device: &DeviceProfile, aspect: Aspect) -> bool {
    if product.settings.off.contains(&aspect) {
        return true;
    }
    let until = product.learned.1.unwrap_or(product.since);
    let long = until.since(product.learned.0) >= crate::device::DAY_HOURS.saturating_mul(3600);
    match aspect {
        Aspect::Hour => !long && !device.knows_a_day(until),
        // Nothing is known of what nobody ever said.
        Aspect::Firmware | Aspect::Place | Aspect::Topic | Aspect::Door => {
            product.shown(aspect).next().is_none()
                && !device.features.keys().any(|(it, _)| *it == aspect)
        }
        _ => false,
    }
}

fn ordinary(product: &ProductProfile, device: &DeviceProfile, aspect: Aspect) -> String {
    if !aspect.has_values() {
        return device.bound(product, aspect).map(|bound| bound.to_string()).unwrap_or_default();
    }
    let own = device.features.keys().chain(device.accepted.keys());
    let own = own.filter(|(it, _)| *it == aspect).map(|(_, value)| value.as_str());
    let mut all: Vec<_> = own.chain(product.ordinary(aspect)).collect();
    all.sort_unstable();
    all.dedup();
    let mut text = String::new();
    for value in all.iter().take(NAMED) {
        if text.len().saturating_add(value.len()) > 200 {
            break;
        }
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(value);
    }
    if all.len() > NAMED {
        text.push_str(", …");
    }
    text
}

#[cfg(test)]
mod tests;
