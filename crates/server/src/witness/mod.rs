//! Witnesses (C2SP tlog-witness): the side that asks ([`HttpWitness`]) and the small server of an
//! independent witness process ([`WitnessServer`]).

mod client;
mod server;
mod state;

pub use client::HttpWitness;
pub use server::{WitnessConfig, WitnessError, WitnessServer};
