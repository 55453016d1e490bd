use super::scalar::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Over which time messages are counted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TrafficQuery {
    /// The last hours.
    #[param(minimum = 1, maximum = 336, default = 24)]
    pub hours: Option<u32>,
}

/// Messages of an organisation's devices at a door in five minutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DoorTraffic {
    /// When the five minutes began.
    pub at: Timestamp,
    /// Which door.
    #[schema(example = "mqtt")]
    pub door: String,
    /// Messages that were admitted.
    pub admitted: u64,
    /// Messages that were refused, for whatever reason.
    pub refused: u64,
}
