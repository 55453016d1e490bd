//! Commands about the platform's security events and own keys.

use super::ServerArgs;
use clap::{Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List security events, newest first
    List {
        #[command(flatten)]
        server: ServerArgs,
        /// Of this kind
        #[arg(long)]
        kind: Option<String>,
        /// Of this organisation; your own otherwise
        #[arg(long, conflicts_with = "all")]
        organisation: Option<String>,
        /// Of every organisation: for the platform's administrators and auditors
        #[arg(long)]
        all: bool,
        /// From this time on (RFC 3339)
        #[arg(long)]
        from: Option<api::wire::scalar::Timestamp>,
        /// Before this time (RFC 3339)
        #[arg(long)]
        until: Option<api::wire::scalar::Timestamp>,
        /// Most events
        #[arg(long, default_value_t = 1000)]
        limit: usize,
    },
    /// Check that the chain of security events is whole
    Verify {
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Subcommand)]
pub enum PlatformCommand {
    /// Replace a key with which the platform signs, and destroy the old one
    RotateKey {
        #[command(flatten)]
        server: ServerArgs,
        /// Which key
        #[arg(value_enum)]
        key: OwnKeyArg,
    },
}

/// A key with which the platform signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OwnKeyArg {
    /// Signs life events that the platform reports
    Event,
    /// Signs the statements in passport files
    Passport,
}
