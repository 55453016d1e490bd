//! The real program against a platform of our own making, on a machine that boots one of two slots.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod campaign;
mod commands;
mod device_log;
mod directed;
mod director;
mod engine;
mod enrolment;
mod freeze;
mod kill;
mod memory;
mod peer;
mod platform;
mod protected;
mod real;
mod sealed;
mod sealed_campaign;
mod site;
mod stored;
mod told;
mod update;
mod world;
