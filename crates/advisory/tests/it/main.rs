//! SBOMs, advisories, statements and versions, from outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "tests"
)]

mod check;
mod csaf;
mod documentation;
mod malformed;
mod sbom;
mod versions;
mod vex;
mod world;
