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
    /// Streams of security events to a SIEM: syslog over TLS, HTTPS, a file
    #[command(subcommand)]
    Stream(StreamCommand),
    /// Hold what a receiver has against what it was sent: nothing missing, nothing changed
    Reconcile {
        #[command(flatten)]
        server: ServerArgs,
        /// Name of the stream
        #[arg(long)]
        stream: String,
        /// What the receiver wrote, a line for each event; `-` for standard input
        #[arg(required = true)]
        files: Vec<std::path::PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub enum StreamCommand {
    /// Begin a stream to a receiver
    Begin {
        #[command(flatten)]
        server: ServerArgs,
        /// Its name
        name: String,
        /// syslog-tls://HOST:PORT, https://HOST/PATH, or file
        #[arg(long)]
        to: String,
        /// Events of this organisation only
        #[arg(long)]
        organisation: Option<device::OrganisationId>,
        /// CA certificates of the receiver, in PEM
        #[arg(long)]
        receiver_ca: Option<std::path::PathBuf>,
        /// File with the Authorization field for https, such as `Bearer TOKEN`
        #[arg(long)]
        authorization: Option<std::path::PathBuf>,
        /// From the first event of the log on, instead of from now on
        #[arg(long)]
        from_beginning: bool,
    },
    /// List streams, and how far their receivers have come
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Show a stream
    Show {
        #[command(flatten)]
        server: ServerArgs,
        /// Its name
        name: String,
    },
    /// Send nothing until it is resumed
    Pause {
        #[command(flatten)]
        server: ServerArgs,
        /// Its name
        name: String,
    },
    /// Go on from where it stood
    Resume {
        #[command(flatten)]
        server: ServerArgs,
        /// Its name
        name: String,
    },
    /// End a stream
    End {
        #[command(flatten)]
        server: ServerArgs,
        /// Its name
        name: String,
    },
}

#[derive(Debug, Subcommand)]
#[expect(clippy::enum_variant_names, reason = "commands as they are typed")]
pub enum PlatformCommand {
    /// Replace a key with which the platform signs, and destroy the old one
    RotateKey {
        #[command(flatten)]
        server: ServerArgs,
        /// Which key
        #[arg(value_enum)]
        key: OwnKeyArg,
    },
    /// Write the public key that the server shows to devices that take no certificate (CoAP with raw public
    /// keys), to be given to them
    ServerKey {
        #[command(flatten)]
        server: ServerArgs,
        /// File, PEM; standard output otherwise
        #[arg(long, value_hint = clap::ValueHint::FilePath)]
        out: Option<std::path::PathBuf>,
    },
    /// Replace that key at once, where it was stolen: every device that knows the old one has to be given the
    /// new one
    RotateServerKey {
        #[command(flatten)]
        server: ServerArgs,
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
