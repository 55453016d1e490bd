//! EST over the wire and the rules of enrolment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod attributes;
mod binding;
mod client;
mod documentation;
mod renewal;
mod rules;
mod wire;

const CSR: &[u8] = include_bytes!("rfc7030/csr.b64");
const ENROLL_RESPONSE: &[u8] = include_bytes!("rfc7030/enroll_response.b64");
