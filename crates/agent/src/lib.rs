//! The device side of Tegata for Linux: a device enrols and renews over EST, tests itself, updates
//! one of two slots, confirms or goes back, and says what became of it. The binary `tegata-agent`
//! is a thin shell around it; docs/agent.md has configuration, codes and hooks.
//!
//! - [`Config`]: the file, checked once.
//! - [`engine`]: the update as a pure state machine: what happened goes in, the next step comes
//!   out; every step may be repeated, so that a crash anywhere loses nothing.
//! - [`Agent`]: what drives it: disk, network, hooks, clock.
//! - [`peer`]: other devices, decided about without the platform.
//!
//! What can be trusted is decided by `update::client`, whose code the server and the command line
//! use too. Blocking I/O, one thread. Deliberately absent: a boot loader (a record that any boot
//! script reads, or hooks), keys in a TPM or PKCS#11 token.

mod agent;
pub mod boot;
pub mod cli;
mod clock;
mod commands;
mod config;
mod deltas;
mod device_log;
mod director;
pub mod doors;
mod download;
pub mod engine;
mod error;
pub mod fault;
mod files;
mod hooks;
mod identity;
mod log;
pub mod net;
mod notes;
pub mod peer;
mod repository;
pub mod self_test;
mod slots;
mod store;
mod tamper;
mod telemetry;

pub use agent::{Agent, Round};
pub use clock::Moment;
pub use config::{Config, Identity as IdentityConfig, Update as UpdateConfig};
pub use error::{Failure, Kind};
pub use slots::Slots;
pub use store::Store;
