//! Profiles as they are kept: JSON, read again by nobody but this. What is damaged is refused, not mended.

use crate::{
    Accepted, Aspect, BehaviourError, DeviceProfile, Histogram, NotedDeviation, Phase,
    ProductProfile, Settings, Support,
};
use crypto::UnixTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Longest profile that is read, in bytes.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// Aspect, value, time, by whom.
type AcceptedForm = Vec<(String, String, i64, String)>;
type HistogramForm = Vec<(u8, u32)>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProductForm {
    phase: String,
    until: i64,
    since: i64,
    epoch: u32,
    learned: (i64, Option<i64>),
    learn_s: u32,
    factor: u32,
    devices_min: u32,
    place_bits: (u8, u8),
    off: Vec<String>,
    devices: u32,
    /// aspect, value, devices, time of the first
    features: Vec<(String, String, u32, i64)>,
    overflow: u32,
    accepted: AcceptedForm,
    rates: HistogramForm,
    sizes: HistogramForm,
    by_hour: [u64; 24],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceForm {
    epoch: u32,
    seen: (i64, i64),
    learned: (i64, i64),
    counted: bool,
    features: Vec<(String, String, i64)>,
    accepted: AcceptedForm,
    rates: HistogramForm,
    sizes: HistogramForm,
    counted_under: (Option<u8>, Option<u8>),
    hour: (i64, u32, u32),
    told: Vec<(String, String)>,
    depth: u8,
    recent: Vec<u32>,
    silent_told: bool,
    /// aspect, seen, ordinary, first, last, count
    deviations: Vec<(String, String, String, i64, i64, u32)>,
}

/// A product's profile as it is kept.
pub fn write_product(of: &ProductProfile) -> String {
    let until = match of.phase {
        Phase::Learning { until } => until.0,
        _ => 0,
    };
    let form = ProductForm {
        phase: of.phase.name().to_owned(),
        until,
        since: of.since.0,
        epoch: of.epoch,
        learned: (of.learned.0.0, of.learned.1.map(|at| at.0)),
        learn_s: of.settings.learn_s,
        factor: of.settings.factor_percent,
        devices_min: of.settings.devices_min,
        place_bits: of.settings.place_bits,
        off: of.settings.off.iter().map(|aspect| aspect.name().to_owned()).collect(),
        devices: of.devices,
        features: of
            .features
            .iter()
            .map(|((aspect, value), support)| {
                let name = aspect.name().to_owned();
                (name, value.clone(), support.devices, support.first_at.0)
            })
            .collect(),
        overflow: of.overflow,
        accepted: accepted_form(&of.accepted),
        rates: of.rates.0.iter().map(|(bucket, count)| (*bucket, *count)).collect(),
        sizes: of.sizes.0.iter().map(|(bucket, count)| (*bucket, *count)).collect(),
        by_hour: of.by_hour,
    };
    serde_json::to_string(&form).unwrap_or_default()
}

/// Reads a product's profile.
///
/// # Errors
/// [`BehaviourError::Damaged`].
pub fn read_product(text: &str) -> Result<ProductProfile, BehaviourError> {
    let form: ProductForm = parsed(text)?;
    let phase = match form.phase.as_str() {
        "off" => Phase::Off,
        "learning" => Phase::Learning { until: UnixTime(form.until) },
        "watching" => Phase::Watching,
        "frozen" => Phase::Frozen,
        other => return Err(BehaviourError::Damaged(format!("phase {other}"))),
    };
    let settings = Settings {
        learn_s: form.learn_s,
        factor_percent: form.factor,
        devices_min: form.devices_min,
        place_bits: form.place_bits,
        off: form.off.iter().map(|name| aspect(name)).collect::<Result<_, _>>()?,
    };
    let features = form.features.into_iter().map(|(name, value, devices, at)| {
        let support = Support { devices, first_at: UnixTime(at) };
        Ok(((aspect(&name)?, value), support))
    });
    Ok(ProductProfile {
        phase,
        since: UnixTime(form.since),
        epoch: form.epoch,
        learned: (UnixTime(form.learned.0), form.learned.1.map(UnixTime)),
        settings: settings.checked()?,
        devices: form.devices,
        features: features.collect::<Result<_, BehaviourError>>()?,
        overflow: form.overflow,
        accepted: accepted(form.accepted)?,
        rates: histogram(form.rates)?,
        sizes: histogram(form.sizes)?,
        by_hour: form.by_hour,
    })
}

/// A device's profile as it is kept.
pub fn write_device(of: &DeviceProfile) -> String {
    let form = DeviceForm {
        epoch: of.epoch,
        seen: (of.seen.0.0, of.seen.1.0),
        learned: (of.learned_from.0, of.learns_until.0),
        counted: of.counted,
        features: of
            .features
            .iter()
            .map(|((aspect, value), at)| (aspect.name().to_owned(), value.clone(), at.0))
            .collect(),
        accepted: accepted_form(&of.accepted),
        rates: of.rates.0.iter().map(|(bucket, count)| (*bucket, *count)).collect(),
        sizes: of.sizes.0.iter().map(|(bucket, count)| (*bucket, *count)).collect(),
        counted_under: of.counted_under,
        hour: (of.hour, of.hour_count, of.hour_learned),
        told: of
            .told
            .iter()
            .map(|(aspect, value)| (aspect.name().to_owned(), value.clone()))
            .collect(),
        depth: of.depth,
        recent: of.recent.iter().copied().collect(),
        silent_told: of.silent_told,
        deviations: of
            .deviations
            .iter()
            .map(|it| {
                let (seen, ordinary) = (it.seen.clone(), it.ordinary.clone());
                (it.aspect.name().to_owned(), seen, ordinary, it.first_at.0, it.last_at.0, it.count)
            })
            .collect(),
    };
    serde_json::to_string(&form).unwrap_or_default()
}

/// Reads a device's profile.
///
/// # Errors
/// [`BehaviourError::Damaged`].
pub fn read_device(text: &str) -> Result<DeviceProfile, BehaviourError> {
    let form: DeviceForm = parsed(text)?;
    let long = form.recent.len() > crate::RECENT_HOURS
        || form.told.len() > crate::OBSERVED_MAX
        || form.deviations.len() > crate::DEVIATIONS_MAX
        || form.recent.is_empty()
        || form.depth > crate::DEPTH_MAX;
    if long {
        return Err(BehaviourError::Damaged("more than is kept".to_owned()));
    }
    let features = form
        .features
        .into_iter()
        .map(|(name, value, at)| Ok(((aspect(&name)?, value), UnixTime(at))));
    let told = form.told.into_iter().map(|(name, value)| Ok((aspect(&name)?, value)));
    let deviations =
        form.deviations.into_iter().map(|(name, seen, ordinary, first, last, count)| {
            let (first_at, last_at) = (UnixTime(first), UnixTime(last));
            Ok(NotedDeviation { aspect: aspect(&name)?, seen, ordinary, first_at, last_at, count })
        });
    Ok(DeviceProfile {
        epoch: form.epoch,
        seen: (UnixTime(form.seen.0), UnixTime(form.seen.1)),
        learned_from: UnixTime(form.learned.0),
        learns_until: UnixTime(form.learned.1),
        counted: form.counted,
        features: features.collect::<Result<_, BehaviourError>>()?,
        accepted: accepted(form.accepted)?,
        rates: histogram(form.rates)?,
        sizes: histogram(form.sizes)?,
        counted_under: form.counted_under,
        hour: form.hour.0,
        hour_count: form.hour.1,
        hour_learned: form.hour.2,
        told: told.collect::<Result<_, BehaviourError>>()?,
        depth: form.depth,
        recent: form.recent.into(),
        silent_told: form.silent_told,
        deviations: deviations.collect::<Result<_, BehaviourError>>()?,
    })
}

fn parsed<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, BehaviourError> {
    if text.len() > BODY_BYTES_MAX {
        return Err(BehaviourError::Damaged("it is too long".to_owned()));
    }
    serde_json::from_str(text).map_err(|error| BehaviourError::Damaged(error.to_string()))
}

fn aspect(name: &str) -> Result<Aspect, BehaviourError> {
    Aspect::from_name(name).ok_or_else(|| BehaviourError::Damaged(format!("aspect {name}")))
}

fn histogram(form: HistogramForm) -> Result<Histogram, BehaviourError> {
    if form.iter().any(|(bucket, _)| *bucket > 128) {
        return Err(BehaviourError::Damaged("a magnitude beyond 128".to_owned()));
    }
    Ok(Histogram(form.into_iter().collect()))
}

fn accepted_form(of: &BTreeMap<(Aspect, String), Accepted>) -> AcceptedForm {
    let of = of.iter();
    of.map(|((aspect, value), how)| {
        (aspect.name().to_owned(), value.clone(), how.at.0, how.by.clone())
    })
    .collect()
}

fn accepted(form: AcceptedForm) -> Result<BTreeMap<(Aspect, String), Accepted>, BehaviourError> {
    if form.len() > crate::ACCEPTED_MAX {
        return Err(BehaviourError::Full);
    }
    let of = form.into_iter().map(|(name, value, at, by)| {
        Ok(((aspect(&name)?, value), Accepted { at: UnixTime(at), by }))
    });
    of.collect()
}
