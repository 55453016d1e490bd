//! Catalogues, check sheet and diagnoses, from outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::needless_pass_by_value,
    reason = "tests"
)]

mod catalogues;
mod checksheet;
mod coverage;
mod diagnosis;
mod impact;
mod malformed;
mod oscal;
mod threat_model;
mod threat_outside;
mod threat_rules;
mod trace;
mod workbook;
mod world;
