//! The doors: REST, EST, OCSP, public data, the console, and the HTTP side of a witness.
//!
//! A door parses, calls one use case of [`service`], and renders; it decides nothing itself. Two
//! listeners: TLS for everything, plain HTTP for signed public data only ([`Config`]).
//!
//! - TLS 1.3 and 1.2 (RFC 8446, RFC 5246 with ECDHE only), ML-KEM hybrids; client certificates are
//!   validated by `pki::validate`, and revocation is looked at for each request.
//! - REST under `/v1` (docs/rest.md), OpenAPI 3.1 at `/v1/openapi.json`, refusals as problem
//!   documents (RFC 9457).
//! - MQTT over TLS, also over WebSocket, and CoAP over DTLS 1.2, for the messages of devices
//!   (docs/gateway.md, docs/coap.md); what they say is the crate `gateway`'s affair.
//! - EST under `/.well-known/est` (RFC 7030, RFC 8951; docs/est.md).
//! - OCSP at `/ocsp` (RFC 6960, RFC 5019; docs/ocsp.md), CRLs, CA certificates, tiles (C2SP
//!   tlog-tiles).
//!
//! Limits on sizes, times, counts and rates stand at every door ([`Limits`]). `X-Forwarded-For` is
//! read at the door for people alone, from proxies that the operator named
//! ([`service::Service::came_from`]). Deliberately absent: the `PROXY` protocol, and headers of
//! anybody else, since whoever may set them may be anybody.

mod admission;
mod alerts;
mod app;
mod authenticated;
mod body;
mod clock;
mod config;
mod console_door;
mod datagrams;
mod ddi;
mod director;
mod download;
mod est;
mod idle;
mod limit;
mod listener;
mod metrics;
mod ocsp;
mod outward;
mod peer;
mod public;
mod range;
mod rest;
mod routes;
mod single;
mod start;
mod streams;
mod tls;
mod tuf;
pub mod witness;

pub use clock::SystemClock;
pub use config::{Config, ConsoleCertificate, ConsoleDoor};
pub use gateway::GatewayLimits;
pub use limit::{Limits, Rate, Source};
pub use start::{RunningServer, Server, StartError};
