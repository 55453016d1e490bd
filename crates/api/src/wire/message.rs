use super::scalar::{Base64, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A message of a device.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeviceMessage {
    /// Its number; a later message has a higher one.
    pub id: u64,
    /// The door through which it came.
    #[schema(example = "mqtt")]
    pub door: String,
    /// Topic below the device's space.
    #[schema(example = "up/temperature")]
    pub topic: String,
    /// Media type, where the device named one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub media_type: Option<String>,
    /// What it says.
    pub payload: Base64,
    /// When it came, by the platform's clock.
    pub received: Timestamp,
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
}
