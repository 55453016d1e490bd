use super::scalar::{Base64, Digest, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A command to a device.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDeviceCommand {
    /// What to do: `restart`, `self-test`, `factory-reset`, `erase-keys`, or what else the device knows.
    #[schema(pattern = "^[a-z][a-z0-9-]{0,63}$", example = "restart")]
    pub name: String,
    /// With what: at most 8 KiB, 16 levels deep.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub parameters: Map<String, Value>,
    /// Why. Stays with the command.
    #[schema(min_length = 1, max_length = 300)]
    pub reason: String,
    /// In how many seconds the device must have begun.
    #[serde(default = "day")]
    #[schema(minimum = 60, maximum = 2_592_000, default = 86_400)]
    pub lifetime_s: u32,
}

fn day() -> u32 {
    86_400
}

/// A command that a device was given.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeviceCommand {
    /// Its id.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    pub id: String,
    /// What to do.
    #[schema(example = "restart")]
    pub name: String,
    /// With what.
    #[schema(value_type = Object)]
    pub parameters: Value,
    /// Why.
    pub reason: String,
    /// Who gave it.
    pub issued_by: String,
    /// When.
    pub issued: Timestamp,
    /// Until when the device must have begun.
    pub expires: Timestamp,
    /// `waiting`, `sent`, `accepted`, `done`, `failed`, `rejected`, `cancelled` or `expired`.
    #[schema(example = "done")]
    pub state: String,
    /// When a door first gave it to the device.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sent: Option<Timestamp>,
    /// When the device last said something to it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answered: Option<Timestamp>,
    /// What it said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
    /// Its proof that its keys are erased, verified against its certificate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub erasure: Option<ErasureProof>,
}

/// A device's proof that its keys are erased (docs/command.md).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ErasureProof {
    /// SHA-256 of the proof: what the event of the device's disposal names.
    pub digest: Digest,
    /// SHA-256 of the certificate whose key signed it, and is erased.
    pub certificate: Digest,
    /// When, by the device's clock.
    pub at: Timestamp,
    /// Counts the device's commands.
    pub counter: u64,
    /// Names of the keys that are erased.
    pub erased: Vec<String>,
    /// Names of the secrets that the device could not erase.
    pub kept: Vec<String>,
    /// The proof: COSE_Sign1.
    pub statement: Base64,
}

/// A device's proof that its keys are erased, handed in by somebody else.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandedInErasure {
    /// The proof: COSE_Sign1.
    pub statement: Base64,
}

/// Settings that are wanted of a device.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDeviceConfiguration {
    /// All of them: at most 32 KiB, 16 levels deep.
    #[schema(value_type = Object)]
    pub settings: Map<String, Value>,
    /// Why. Stays with the version.
    #[schema(min_length = 1, max_length = 300)]
    pub reason: String,
    /// The version that they are to replace; 0 where there must be none. Another one is a conflict.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replaces: Option<u64>,
}

/// Settings that were wanted of a device at some time.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationVersion {
    /// Grows with each change.
    pub version: u64,
    /// All of them.
    #[schema(value_type = Object)]
    pub settings: Value,
    /// Why.
    pub reason: String,
    /// Who wanted them.
    pub set_by: String,
    /// When.
    pub set: Timestamp,
}

/// What a device says that it runs with.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReportedConfiguration {
    /// The version that it took up.
    pub version: u64,
    /// All of them.
    #[schema(value_type = Object)]
    pub settings: Value,
    /// When it said so.
    pub at: Timestamp,
}

/// What is wanted of a device's settings, and what it says.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeviceConfiguration {
    /// What its owner wants.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub wanted: Option<ConfigurationVersion>,
    /// What it says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reported: Option<ReportedConfiguration>,
    /// Whether it says that it runs with what is wanted.
    pub settled: bool,
}

/// Something that a device is told.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Downlink {
    /// As at the MQTT door.
    #[schema(example = "me/down/configuration")]
    pub topic: String,
    /// The payload (docs/command.md).
    #[schema(value_type = Object)]
    pub payload: Value,
}
