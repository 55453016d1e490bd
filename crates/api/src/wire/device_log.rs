use super::scalar::{Base64, Digest, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// An entry of a device's own log. All but `id`, `stretch`, `received`, `door` and `audit` is what the
/// device says of itself.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeviceLogEntry {
    /// Its number on the platform; one that came later has a higher one.
    pub id: u64,
    /// The stretch that it is in.
    pub stretch: u64,
    /// Its number in the device's log.
    pub sequence: u64,
    /// Its hash, which commits to it and to all before it.
    pub hash: Digest,
    /// When, by the device's clock, where it had one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at: Option<Timestamp>,
    /// Where it had no clock: which of its starts `time` is counted from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub boot: Option<u32>,
    /// Seconds since 1970, or since that start.
    pub time: i64,
    /// What: docs/device-log.md lists the kinds.
    #[schema(example = "local-login")]
    pub kind: String,
    /// How much it matters.
    #[schema(example = "medium")]
    pub severity: String,
    /// How it ended.
    #[schema(example = "failure")]
    pub outcome: String,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub actor: Option<String>,
    /// What it was done to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<String>,
    /// More, by names of the device's.
    pub details: BTreeMap<String, String>,
    /// Its bytes, which the hash commits to.
    pub entry: Base64,
    /// When it came, by the platform's clock.
    pub received: Timestamp,
    /// The door through which it came.
    #[schema(example = "mqtt")]
    pub door: String,
    /// The security event that says so, where it has one of its own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub audit: Option<u64>,
}

/// A stretch of a device's log without a break.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeviceLogStretch {
    /// Its number; a later one has a higher one.
    pub id: u64,
    /// Which log of the device: it may have lost one and begun another.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    pub log: String,
    /// Why it began: `first`, `restart`, `gap`, `fork`, `late` or `owner`.
    #[schema(example = "gap")]
    pub because: String,
    /// Number of its first entry.
    pub first: u64,
    /// Hash of the entry before that.
    pub hash_before: Digest,
    /// Time of the entry before that.
    pub time_before: i64,
    /// Number of its last entry.
    pub last: u64,
    /// Hash of that.
    pub hash: Digest,
    /// Entries right before it that were not heard when it began.
    pub missing: u64,
    /// As many the device says that it dropped for want of room.
    pub declared: u64,
    /// When its first entry came.
    pub began: Timestamp,
    /// Entries of it that are kept.
    pub kept: u64,
    /// The first entry that does not follow from those before it, or is not what the audit log says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub broken_at: Option<u64>,
}
