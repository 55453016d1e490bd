//! Schemas as their authors and senders meet them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

mod budget;
mod cases;
mod cddl;
mod json;
mod protobuf;
mod suite;

use schema::{Broken, Definition, Kind, STEPS_MAX, Schema, Steps};

fn compile(kind: Kind, source: &[u8]) -> Schema {
    Schema::compile(&Definition::new(kind, source.to_vec())).unwrap()
}

/// What is wrong with a schema, in words.
fn wrong(kind: Kind, source: &[u8]) -> String {
    Schema::compile(&Definition::new(kind, source.to_vec())).unwrap_err().to_string()
}

fn check(schema: &Schema, payload: &[u8]) -> Result<(), Broken> {
    schema.check(payload, &mut Steps::new(STEPS_MAX))
}

/// Where a payload breaks which rule; `None` where it does not.
fn broken(schema: &Schema, payload: &[u8]) -> Option<(String, String)> {
    match check(schema, payload) {
        Ok(()) => None,
        Err(Broken::Violation(found)) => Some((found.place, found.rule)),
        Err(other) => panic!("{payload:02x?}: {other}"),
    }
}
