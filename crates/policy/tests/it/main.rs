//! The access table, tokens and one-time codes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod access;
mod code;
mod sharing;
mod token;

use crypto::{Sha256, sha256};
use device::OrganisationId;
use policy::{Caller, Roles};

fn organisation(name: &str) -> OrganisationId {
    OrganisationId::new(name).unwrap()
}

fn certificate() -> Sha256 {
    sha256(b"alice's certificate")
}

fn member(organisation_name: &str, roles: impl Into<Roles>) -> Caller {
    Caller::member(organisation(organisation_name), "alice", roles.into(), certificate())
}
