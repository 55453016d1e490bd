//! The binary as people and programs use it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod assessment;
mod demo;
mod kill;
mod kill_campaign;
mod orphans;
mod pipeline;
mod quickstart;
mod sealed;
mod second_person;
mod sim;
mod threat;
mod update;
