//! The console, asked like a browser asks it, without sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

mod components;
mod doors;
mod public;
mod site;
mod texts;
