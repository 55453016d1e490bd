//! Metadata, the client and the repository, from outside.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    unreachable_pub,
    reason = "tests"
)]

mod attacks;
mod bytes;
mod campaign;
mod director;
mod find;
mod metadata;
mod recovery;
mod repository;
mod world;
