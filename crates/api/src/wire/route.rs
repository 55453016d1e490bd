use super::scalar::{Base64, DeviceRef, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// What becomes of a message when a queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WhenFull {
    /// Doors refuse it; a device of QoS 1 keeps it and sends it again.
    #[default]
    Refuse,
    /// The oldest goes.
    DropOldest,
}

/// Which messages a route takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteRule {
    /// Those of one product line only, `MAKER/PRODUCT`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 200, example = "acme/gate-3")]
    pub product: Option<String>,
    /// Those of some topics only: an MQTT topic filter below the device's space.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 1024, example = "up/+/temperature")]
    pub topic: Option<String>,
    /// Those of which this selects something: JSONPath (RFC 9535) over the envelope.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 1024, example = "$[?@.celsius > 30]")]
    pub condition: Option<String>,
}

/// A route as somebody wants it (docs/routes.md).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRoute {
    /// Those of one product line only, `MAKER/PRODUCT`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 200, example = "acme/gate-3")]
    pub product: Option<String>,
    /// Those of some topics only: an MQTT topic filter below the device's space.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 1024, example = "up/+/temperature")]
    pub topic: Option<String>,
    /// Those of which this selects something: JSONPath (RFC 9535) over the envelope.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 1024, example = "$[?@.celsius > 30]")]
    pub condition: Option<String>,
    /// Those of one purpose of the product line only, where it stands (docs/consent.md).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 64, example = "better-routes")]
    pub purpose: Option<String>,
    /// `https://HOST/PATH`, `nats://HOST/STREAM/SUBJECT`, `amqps://HOST/VHOST/QUEUE[/EXCHANGE/KEY]`,
    /// `table`, `file` or `topic:DEVICE/down/…`.
    #[schema(min_length = 4, max_length = 1400)]
    pub target: String,
    /// CA certificates of the receiver, in PEM; those that the platform's machine trusts otherwise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 65_536)]
    pub roots: Option<String>,
    /// Key of a web hook, `whsec_…`; without it the one that is there stays, or one is made. Or how the
    /// platform logs in at a broker: `USER:PASSWORD`, PEM of a client certificate and its key, for NATS
    /// also a token, the seed of a key (`SU…`) or a file of credentials; without it the one that is
    /// there stays, as long as host, port and CAs do. It is never shown.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 16_384)]
    pub secret: Option<String>,
    /// When the queue is full.
    #[serde(default)]
    pub when_full: WhenFull,
    /// Most messages in the queue, or rows in the table.
    #[serde(default = "queue_messages")]
    #[schema(minimum = 1, maximum = 1_000_000, default = 100_000)]
    pub queue_messages: u64,
    /// Most bytes in them.
    #[serde(default = "queue_bytes")]
    #[schema(minimum = 1024, maximum = 1_073_741_824, default = 67_108_864)]
    pub queue_bytes: u64,
    /// Attempts before a message is dead.
    #[serde(default = "attempts")]
    #[schema(minimum = 1, maximum = 100, default = 50)]
    pub attempts: u32,
    /// Days that rows of a table stay.
    #[serde(default = "days")]
    #[schema(minimum = 1, maximum = 3650, default = 30)]
    pub retention_days: u32,
}

fn queue_messages() -> u64 {
    100_000
}

fn queue_bytes() -> u64 {
    64 * 1024 * 1024
}

fn attempts() -> u32 {
    50
}

fn days() -> u32 {
    30
}

/// A route and how it stands.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// Product line, `MAKER/PRODUCT`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub product: Option<String>,
    /// Topic filter.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub topic: Option<String>,
    /// Condition.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub condition: Option<String>,
    /// Purpose of the product line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub purpose: Option<String>,
    /// Where messages go.
    pub target: String,
    /// CA certificates of the receiver, in PEM.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub roots: Option<String>,
    /// Nothing is sent for now; messages wait.
    pub paused: bool,
    /// When the queue is full.
    pub when_full: WhenFull,
    /// Most messages in the queue or table.
    pub queue_messages: u64,
    /// Most bytes in them.
    pub queue_bytes: u64,
    /// Attempts before a message is dead.
    pub attempts: u32,
    /// Days that rows of a table stay.
    pub retention_days: u32,
    /// Since when there is the route.
    pub created: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When it was changed last.
    pub changed: Timestamp,
    /// By whom.
    pub changed_by: String,
    /// Messages that wait.
    pub waiting: u64,
    /// Messages that the receiver did not take.
    pub dead: u64,
    /// Rows of the table.
    pub rows: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Messages that were delivered, or became rows.
    pub delivered: u64,
    /// Messages that went because the queue was full.
    pub dropped: u64,
    /// Messages that were not sent because consent was withdrawn.
    #[serde(default)]
    pub withheld: u64,
    /// When messages were delivered last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub delivered_at: Option<Timestamp>,
    /// Since when delivery fails.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failing_since: Option<Timestamp>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
}

/// A route that was put.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RoutePut {
    /// As it is now.
    pub route: Route,
    /// The key of a web hook that was made for it; it is not shown again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub secret: Option<String>,
}

/// Whether a route stands still.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutePause {
    /// Nothing is sent until it goes on; messages wait.
    pub paused: bool,
}

/// What becomes of what a route keeps when it ends.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RouteEndQuery {
    /// Messages that wait, dead ones and rows go with it.
    #[param(default = false)]
    pub discard: Option<bool>,
}

/// A message that a rule is tried on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteSample {
    /// Who would send it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<DeviceRef>,
    /// Of which product line, `MAKER/PRODUCT`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 200)]
    pub product: Option<String>,
    /// Topic below the device's space.
    #[schema(min_length = 1, max_length = 1024, example = "up/temperature")]
    pub topic: String,
    /// Its media type.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 128)]
    pub media_type: Option<String>,
    /// What it would say.
    pub payload: Base64,
}

/// A rule to be tried.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteTrial {
    /// The rule.
    #[serde(default)]
    pub rule: RouteRule,
    /// On these; on messages that were kept where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[schema(max_items = 200)]
    pub samples: Vec<RouteSample>,
    /// On so many of the newest messages of the organisation's devices.
    #[serde(default = "last")]
    #[schema(minimum = 1, maximum = 200, default = 20)]
    pub last: u32,
}

fn last() -> u32 {
    20
}

/// What a rule did with a message.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RouteTried {
    /// Who sent it.
    pub device: DeviceRef,
    /// Topic below the device's space.
    pub topic: String,
    /// When it came.
    pub received: Timestamp,
    /// Whether the route would take it.
    pub takes: bool,
    /// What the receiver would get, beside `id` and `route`.
    #[schema(value_type = Object)]
    pub sent: Value,
}

/// A message that a receiver did not take.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeadLetter {
    /// Its number.
    pub id: u64,
    /// What the receiver knows it by (`webhook-id`).
    pub delivery: String,
    /// Who sent it.
    pub device: DeviceRef,
    /// Topic below the device's space.
    pub topic: String,
    /// Its media type.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub media_type: Option<String>,
    /// What it says.
    pub payload: Base64,
    /// When it came.
    pub received: Timestamp,
    /// Since when it is dead.
    pub dead: Timestamp,
    /// Why.
    pub why: String,
}

/// Which dead messages.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadLetterChoice {
    /// This one; all where none is named.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(maximum = 4_611_686_018_427_387_903_u64)]
    pub message: Option<u64>,
}

/// How many messages something was done with.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RouteCount {
    /// How many.
    pub count: u64,
}

/// A row of a table.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RouteRow {
    /// Its number.
    pub id: u64,
    /// Who sent it.
    pub device: DeviceRef,
    /// Topic below the device's space.
    pub topic: String,
    /// When it came.
    pub received: Timestamp,
    /// The envelope.
    #[schema(value_type = Object)]
    pub envelope: Value,
}

/// Which rows of a table.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RouteRowQuery {
    /// Of this device.
    pub device: Option<DeviceRef>,
    /// Of topics that this filter matches, below the device's space.
    #[param(max_length = 1024)]
    pub topic: Option<String>,
    /// That came at this time or later.
    pub from: Option<Timestamp>,
    /// That came before this time.
    pub until: Option<Timestamp>,
    /// The `next` of the page before.
    #[param(pattern = "^[0-9]{1,19}-[0-9]{1,19}$")]
    pub after: Option<String>,
    /// Most rows wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}
