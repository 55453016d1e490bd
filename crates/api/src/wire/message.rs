use super::scalar::{Base64, DeviceRef, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Where a message goes, and its marks.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MessageQuery {
    /// Topic, below `me/`, the device's own space; or below `d/{device}/`, where a policy opens it.
    #[param(min_length = 1, max_length = 1024, example = "me/up/temperature")]
    pub topic: String,
    /// When the device made it, where it says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub time: Option<Timestamp>,
    /// Its counter: heard once, a second message with it is a replay.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub counter: Option<u64>,
    /// Whether it stays as the newest of its topic.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retain: Option<bool>,
}

/// A message of a device.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeviceMessage {
    /// Its number; a later message has a higher one.
    pub id: u64,
    /// The door through which it came.
    #[schema(example = "mqtt")]
    pub door: String,
    /// Topic below the space that it is in.
    #[schema(example = "up/temperature")]
    pub topic: String,
    /// The device in whose space it is, where that is another's (docs/policies.md).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub space: Option<DeviceRef>,
    /// Media type, where the device named one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub media_type: Option<String>,
    /// What it says.
    pub payload: Base64,
    /// When it came, by the platform's clock.
    pub received: Timestamp,
    /// SHA-256 of the certificate by whose key the device signed it, where it did (docs/cose.md).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signed_by: Option<String>,
    /// The device that carried it, where that is another.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub carrier: Option<DeviceRef>,
    /// Whether it came encrypted for the device's owner.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub encrypted: bool,
}

/// What was refused of a device for one reason at one door.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RefusedMessages {
    /// Why, as a stable code: docs/gateway.md lists them.
    #[schema(example = "topic")]
    pub reason: String,
    /// The same in words, in the language that was asked for.
    pub text: String,
    /// The door.
    #[schema(example = "mqtt")]
    pub door: String,
    /// How often.
    pub count: u64,
    /// When last.
    pub last: Timestamp,
    /// A topic of that time, absolute; empty where a connection was refused.
    pub topic: String,
    /// Ids of the policies that refused it, where policies did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub policies: Option<String>,
    /// The schema, where in the payload, and which rule, where a schema refused it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = "telemetry v3: /celsius: /properties/celsius/maximum")]
    pub detail: Option<String>,
}
