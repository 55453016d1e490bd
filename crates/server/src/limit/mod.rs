//! Limits at every door: sizes, times, counts, rates. Each has its unit in its name.

mod bucket;
mod counted;
mod source;

pub(crate) use bucket::Buckets;
pub use bucket::Rate;
pub(crate) use counted::{Counted, Permit, Refusal};
pub use source::Source;

use std::time::Duration;

/// What one server accepts. The defaults suit a small installation on two cores; a platform with
/// gateways in front (one address, many devices) raises the figures per source.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Counted open at once, over all sources and both doors.
    pub connections_max: usize,
    /// Counted open at once from one source (an IPv4 address or an IPv6 /64 network).
    pub connections_per_source_max: usize,
    /// Requests being worked on at once.
    pub requests_max: usize,
    /// Requests of one source being worked on at once.
    pub requests_per_source_max: usize,
    /// Requests from one source.
    pub rate_per_source: Rate,
    /// Requests with one credential (client certificate).
    pub rate_per_credential: Rate,
    /// Attempts with a one-time code or a token that fail, from one source: guessing is slow.
    pub rate_failed_authentication: Rate,
    /// Security events recorded by the doors about all sources together.
    pub rate_security_events_all: Rate,
    /// Security events recorded about one source for one reason: a flood of refusals does not
    /// become a flood of writes.
    pub rate_security_events: Rate,
    /// Time for a TLS handshake.
    pub handshake_time: Duration,
    /// Time for a request's header, from its first awaited byte.
    pub header_time: Duration,
    /// Time for a request's body.
    pub body_time: Duration,
    /// Time for an answer to be made.
    pub answer_time: Duration,
    /// Time in which a peer that should read or write does neither.
    pub idle_time: Duration,
    /// Age after which a connection is asked to close once its requests are answered.
    pub connection_age: Duration,
    /// Bytes of a request's header.
    pub header_bytes_max: u32,
    /// Header fields of a request.
    pub header_fields_max: usize,
    /// Streams of one HTTP/2 connection.
    pub streams_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            connections_per_source_max: 512,
            requests_max: 1024,
            requests_per_source_max: 256,
            rate_per_source: Rate::new(2_000, 4_000),
            rate_per_credential: Rate::new(500, 1_000),
            rate_failed_authentication: Rate::new(1, 20),
            rate_security_events_all: Rate::new(20, 200),
            rate_security_events: Rate::new(1, 10),
            handshake_time: Duration::from_secs(10),
            header_time: Duration::from_secs(10),
            body_time: Duration::from_secs(20),
            answer_time: Duration::from_secs(30),
            idle_time: Duration::from_secs(60),
            connection_age: Duration::from_secs(600),
            header_bytes_max: 16 * 1024,
            header_fields_max: 64,
            streams_max: 64,
        }
    }
}

/// Bytes of request bodies, by what they carry.
pub(crate) mod body {
    /// A JSON document that names things.
    pub(crate) const SMALL: usize = 16 * 1024;
    /// One signed event (64 KiB at most) in JSON or CBOR, with base64 around it.
    pub(crate) const EVENT: usize = 128 * 1024;
    /// A batch of events, purchase lines or certificate requests.
    pub(crate) const BATCH: usize = 4 * 1024 * 1024;
    /// A certificate or a request in JSON: ML-DSA-87 with its signature stays below 12 KiB.
    pub(crate) const CSR: usize = 64 * 1024;
    /// A proof of possession with the certificates that the device showed.
    pub(crate) const PROOF: usize = 512 * 1024;
    /// Advisories and VEX documents: the largest that is read, and a little around it.
    pub(crate) const ADVISORIES: usize = 33 * 1024 * 1024;
    /// A bill of materials.
    pub(crate) const SBOM: usize = 64 * 1024 * 1024;
    /// An OCSP request: up to a few dozen certificate ids.
    pub(crate) const OCSP: usize = 8 * 1024;
}
