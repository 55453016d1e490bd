//! Commands about an organisation's policies for the doors (docs/policies.md).

use super::ServerArgs;
use clap::{Subcommand, ValueEnum, ValueHint};
use device::DeviceId;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Put a version in: a draft, which is in force nowhere
    Put {
        #[command(flatten)]
        server: ServerArgs,
        /// Policies in Cedar
        #[arg(value_hint = ValueHint::FilePath)]
        policies: PathBuf,
        /// Cases in YAML or JSON
        #[arg(value_hint = ValueHint::FilePath)]
        cases: PathBuf,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Try the cases: of two files, without a server; or of a version on a server. Exit code 2: some do
    /// not come out as expected
    Test {
        #[command(flatten)]
        server: ServerArgs,
        /// Policies in Cedar
        #[arg(value_hint = ValueHint::FilePath, requires = "cases", required_unless_present = "version", conflicts_with = "version")]
        policies: Option<PathBuf>,
        /// Cases in YAML or JSON
        #[arg(value_hint = ValueHint::FilePath)]
        cases: Option<PathBuf>,
        /// Version on the server
        #[arg(long)]
        version: Option<u64>,
    },
    /// Put a tested version in force at every door, or an older one again
    Activate {
        #[command(flatten)]
        server: ServerArgs,
        /// Version
        #[arg(required_unless_present = "none", conflicts_with = "none")]
        version: Option<u64>,
        /// None: each device has its own space and nothing else
        #[arg(long)]
        none: bool,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Versions, newest first
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// What was put in force when, by whom and why
    History {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// A version: its policies, cases, and what comes of them
    Show {
        #[command(flatten)]
        server: ServerArgs,
        /// Version
        version: u64,
        /// Nothing but one of its texts, as it was put in
        #[arg(long, value_enum)]
        only: Option<PolicyText>,
    },
    /// Whether a device may do something at a door, and which policies say so
    Explain {
        #[command(flatten)]
        server: ServerArgs,
        /// Device
        device: DeviceId,
        /// What it wants to do
        #[arg(value_enum)]
        action: PolicyAct,
        /// With which topic, or filter where it subscribes; it may say `me`
        topic: String,
        /// By this version; without: by what is in force
        #[arg(long)]
        version: Option<u64>,
    },
    /// Print the schema: what policies can speak of
    Schema,
}

/// A text of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PolicyText {
    /// The policies
    Policies,
    /// The cases
    Cases,
}

/// What a device does at a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PolicyAct {
    /// Send a message
    Publish,
    /// Ask to be sent messages
    Subscribe,
    /// Be sent a message
    Receive,
}
