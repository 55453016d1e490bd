//! Tests of the ledger through its public interface.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod audit;
mod crash;
mod doubt;
mod files;
mod limits;
mod merkle_vectors;
mod proofs;
mod support;
mod tessera;
mod witnesses;
