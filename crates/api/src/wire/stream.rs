use super::scalar::{Digest, OrganisationRef, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A stream of security events that somebody wants (docs/stream.md).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAuditStream {
    /// Its name.
    #[schema(min_length = 1, max_length = 32, pattern = "^[a-z][a-z0-9-]*$")]
    pub name: String,
    /// Whose events; everybody's where nobody is named.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub organisation: Option<OrganisationRef>,
    /// `syslog-tls://HOST:PORT`, `https://HOST/PATH` or `file`.
    #[schema(min_length = 4, max_length = 1024)]
    pub target: String,
    /// CA certificates of the receiver, in PEM; needed but for `file`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 65_536)]
    pub roots: Option<String>,
    /// `Authorization` field of the requests, for `https`; never shown again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(min_length = 1, max_length = 4096)]
    pub authorization: Option<String>,
    /// From the first event of the log on; otherwise from now on.
    #[serde(default)]
    pub from_beginning: bool,
}

/// Whether a stream stands still.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditStreamPause {
    /// Nothing is sent until it goes on, from where it stood.
    pub paused: bool,
}

/// A stream and how far its receiver has come.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditStream {
    /// Its name.
    pub name: String,
    /// Whose events; everybody's where nobody is named.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub organisation: Option<OrganisationRef>,
    /// Where they go.
    pub target: String,
    /// Nothing is sent for now.
    pub paused: bool,
    /// Since when there is the stream.
    pub created: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// Place in the log after which it begins.
    pub starts_after: u64,
    /// Place in the log of the last event that was delivered.
    pub sequence: u64,
    /// Its number within the stream, from 1.
    pub number: u64,
    /// Events that wait, counted up to a million.
    pub behind: u64,
    /// When events were delivered last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub delivered: Option<Timestamp>,
    /// Since when delivery fails.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failing_since: Option<Timestamp>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
}

/// An event that a receiver was sent.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeliveredEvent {
    /// Number within the stream.
    pub number: u64,
    /// Place in the log.
    pub sequence: u64,
    /// Digest of the object that was sent, members in order of their names.
    pub digest: Digest,
}

/// Which page of what was delivered.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeliveredQuery {
    /// The `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}-[0-9]{1,18}$")]
    pub after: Option<String>,
    /// Most events wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}
