//! The use cases, through the public interface.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

mod alerts;
mod approvals;
mod authorities;
mod behaviour;
mod callers;
mod campaigns;
mod commands;
mod consents;
mod crash;
mod desk;
mod device_log;
mod diagnoses;
mod director;
mod drafts;
mod encrypted;
mod enrolment;
mod erasure;
mod fleet;
mod freshness;
mod go_on;
mod guard;
mod history;
mod impact;
mod issuance;
mod jobs;
mod ledger;
mod limits;
mod mldsa;
mod mud;
mod operation;
mod own_keys;
mod parts;
mod passkey;
mod peers;
mod people;
mod policies;
mod public;
mod raw_keys;
mod recall;
mod releases;
mod repository;
mod revocation;
mod routes;
mod schemas;
mod sealed;
mod security;
mod signed;
mod standing;
mod streams;
mod tampering;
mod tenants;
mod threats;
mod verdict;
mod vulnerabilities;
mod world;
