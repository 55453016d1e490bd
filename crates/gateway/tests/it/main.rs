//! The doors over the real service: raw bytes of a client in, the server's packets out.
//! docs/mqtt-conformance.md says which test shows which statement of the standard.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod broken;
mod client;
mod coap;
mod cut;
mod flows;
mod malformed;
mod sessions;
mod world;
