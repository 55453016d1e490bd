#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
//! Tests of the device crate through its public interface.

mod behalf;
mod documents;
mod event;
mod file;
mod judge;
mod proof;
mod state;
mod support;
mod world;
