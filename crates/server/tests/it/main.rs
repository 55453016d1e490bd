//! A real server in this process, reached through its real doors.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod administration;
mod console;
mod datagrams;
mod ddi;
mod diagnoses;
mod director;
mod est;
mod fleet;
mod handshake;
mod impact;
mod json;
mod limits;
mod proxies;
mod public;
mod raw_keys;
mod releases;
mod rest;
mod tenants;
mod threats;
mod tls;
mod witness;
mod world;
