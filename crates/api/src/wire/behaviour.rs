use super::scalar::{DeviceRef, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that a profile knows of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BehaviourAspect {
    /// Messages in an hour of the clock, UTC.
    Rate,
    /// Bytes of a message's payload.
    Size,
    /// Hours of the day, UTC.
    Hour,
    /// Networks that connections come from.
    Place,
    /// Doors that messages come through.
    Door,
    /// Topics that messages go to, by their first levels.
    Topic,
    /// Versions that the device says it runs.
    Firmware,
    /// That something comes each hour.
    Silence,
}

/// Where a profile stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BehaviourPhase {
    /// Nothing is learned, nothing deviates.
    Off,
    /// What comes is learned; nothing deviates.
    Learning,
    /// What was not learned deviates; new devices learn of their own what the product says nothing about.
    Watching,
    /// As watching; new devices learn nothing of their own.
    Frozen,
}

/// Where a profile is to go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BehaviourChange {
    /// The phase. Learning forgets what was learned, and keeps what people accepted.
    pub phase: BehaviourPhase,
    /// For how many seconds it learns from now on; as before where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60, maximum = 7_776_000)]
    pub seconds: Option<u32>,
}

/// How a profile learns, and what it watches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BehaviourSettings {
    /// For how long is learned, in seconds.
    #[schema(minimum = 60, maximum = 7_776_000)]
    pub learn_s: u32,
    /// How many times what was learned of rates and sizes is ordinary still, in hundredths.
    #[schema(minimum = 100, maximum = 10_000)]
    pub factor_percent: u32,
    /// How many devices must have shown something before it is ordinary for the product.
    #[schema(minimum = 1, maximum = 1000)]
    pub devices_min: u32,
    /// Length of networks of IPv4, in bits.
    #[schema(minimum = 8, maximum = 32)]
    pub place_bits_v4: u8,
    /// Length of networks of IPv6, in bits.
    #[schema(minimum = 16, maximum = 128)]
    pub place_bits_v6: u8,
    /// What is not watched.
    #[serde(default)]
    #[schema(max_items = 8)]
    pub off: Vec<BehaviourAspect>,
}

/// What is ordinary of an aspect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BehaviourOrdinary {
    /// Of which.
    pub aspect: BehaviourAspect,
    /// The values that are ordinary; empty for a rate or size.
    pub values: Vec<String>,
    /// How much is ordinary of a rate or size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<u32>,
}

/// A value that devices showed while they learned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BehaviourShown {
    /// Of which aspect.
    pub aspect: BehaviourAspect,
    /// The value.
    #[schema(example = "192.0.2.0/24")]
    pub value: String,
    /// How many devices showed it.
    pub devices: u32,
    /// When the first did.
    pub first: Timestamp,
}

/// A value that a person said is ordinary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BehaviourAccepted {
    /// Of which aspect.
    pub aspect: BehaviourAspect,
    /// The value.
    pub value: String,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
}

/// A value to be accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BehaviourValue {
    /// Of which aspect.
    pub aspect: BehaviourAspect,
    /// The value: a bound for a rate or size, `any` for silence.
    #[schema(example = "192.0.2.0/24", max_length = 200)]
    pub value: String,
}

/// What is ordinary for the devices of a product line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BehaviourProfile {
    /// The product line, `MAKER/PRODUCT`; `-` for devices of none.
    #[schema(example = "acme/gate-3")]
    pub line: String,
    /// Where it stands.
    pub phase: BehaviourPhase,
    /// Since when.
    pub since: Timestamp,
    /// When learning ends by itself, once anything was learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// From when on it learned.
    pub learned_from: Timestamp,
    /// Until when it learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learned_until: Option<Timestamp>,
    /// Devices that it learned of.
    pub devices: u32,
    /// How it learns, and what it watches.
    pub settings: BehaviourSettings,
    /// What is ordinary for all of its devices.
    pub ordinary: Vec<BehaviourOrdinary>,
    /// What devices showed.
    pub shown: Vec<BehaviourShown>,
    /// What people accepted.
    pub accepted: Vec<BehaviourAccepted>,
    /// How often there was no room for what a device showed.
    pub overflow: u32,
    /// Messages by the hour of the day, UTC, since it began to learn.
    #[schema(min_items = 24, max_items = 24)]
    pub by_hour: Vec<u64>,
}

/// A value that a device showed while it learned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BehaviourOwn {
    /// Of which aspect.
    pub aspect: BehaviourAspect,
    /// The value.
    pub value: String,
    /// When it was shown first.
    pub first: Timestamp,
}

/// Something that left what is ordinary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BehaviourDeviation {
    /// Of which aspect.
    pub aspect: BehaviourAspect,
    /// What was seen.
    pub seen: String,
    /// What was ordinary.
    pub ordinary: String,
    /// When it was seen first.
    pub first: Timestamp,
    /// When it was seen last.
    pub last: Timestamp,
    /// In how many hours.
    pub count: u32,
    /// What that means, in the language that was asked for.
    pub explanation: String,
}

/// What is ordinary for one device, and what came of it lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BehaviourDevice {
    /// Which.
    pub device: DeviceRef,
    /// Its product line.
    pub line: String,
    /// Where the product's profile stands.
    pub phase: BehaviourPhase,
    /// When it was seen first.
    pub first_seen: Timestamp,
    /// When it was seen last.
    pub last_seen: Timestamp,
    /// From when on it learned.
    pub learned_from: Timestamp,
    /// Messages that are ordinary in an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// Bytes that are ordinary of a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    /// Hours that its own rate was learned of.
    pub hours: u64,
    /// Whether something is expected of it each hour.
    pub hourly: bool,
    /// When the last of the hours of `recent` began.
    pub hour: Timestamp,
    /// Messages in each of the last hours, 168 at most, the newest last.
    pub recent: Vec<u32>,
    /// What it showed while it learned.
    pub shown: Vec<BehaviourOwn>,
    /// What people accepted of it alone.
    pub accepted: Vec<BehaviourAccepted>,
    /// What left what is ordinary, newest first.
    pub deviations: Vec<BehaviourDeviation>,
}
