//! Commands about life events and passport files.

use super::ServerArgs;
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum EventCommand {
    /// Sign and report an event; kind and details as JSON, see docs/event.md
    Report {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// Kind of event: operation-started, shipped, repair-started, …
        kind: String,
        /// Detail as name=value (repeat for more): to=ORG, from=ORG, owner=ORG, cause=CAUSE, …
        #[arg(long = "detail", value_name = "NAME=VALUE")]
        details: Vec<String>,
        /// Reporting organisation
        #[arg(long)]
        reporter: String,
        /// Its signing key (PKCS#8 PEM)
        #[arg(long, value_hint = ValueHint::FilePath)]
        key: PathBuf,
        /// Person, station or program that did it
        #[arg(long)]
        actor: Option<String>,
        /// Where it happened
        #[arg(long)]
        place: Option<String>,
    },
    /// Report an event that is signed already
    Submit {
        #[command(flatten)]
        server: ServerArgs,
        /// COSE_Sign1 file; - for standard input
        file: PathBuf,
    },
    /// Show a device's history
    List {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
    },
}

#[derive(Debug, Subcommand)]
pub enum PassportCommand {
    /// Write a device's passport to a file that anyone can verify offline
    Export {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// File; DEVICE.tegata otherwise
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: Option<PathBuf>,
    },
    /// Write all that a device's passport says as a page to be printed (HTML)
    Report {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// File; DEVICE.html otherwise
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: Option<PathBuf>,
    },
    /// Write what a verifier trusts (roots, log key, witness keys) to a file
    Trust {
        #[command(flatten)]
        server: ServerArgs,
        /// File
        #[arg(long, default_value = "trust.json", value_hint = ValueHint::FilePath)]
        out: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Passport file
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// What to trust, as `tegata passport trust` writes it
    #[arg(long, env = "TEGATA_TRUST", default_value = "trust.json", value_hint = ValueHint::FilePath)]
    pub trust: PathBuf,
    /// Judge as of this time (RFC 3339); now otherwise
    #[arg(long)]
    pub at: Option<api::wire::scalar::Timestamp>,
    /// Whether the device may work, not only whether it is genuine
    #[arg(long)]
    pub operate: bool,
}
