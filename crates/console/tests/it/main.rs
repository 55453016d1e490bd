//! The console, asked like a browser asks it, without sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

mod alerts;
mod behaviour;
mod components;
mod consents;
mod device_log;
mod devices;
mod diagnoses;
mod doors;
mod forms;
mod impact;
mod messages;
mod mud;
mod peers;
mod people;
mod policies;
mod public;
mod records;
mod reports;
mod routes;
mod schemas;
mod site;
mod stage;
mod texts;
mod threats;
mod traffic;
mod updates;
#[allow(dead_code, reason = "the world of the service's tests, of which these need a part")]
#[path = "../../../service/tests/it/world.rs"]
mod world;
