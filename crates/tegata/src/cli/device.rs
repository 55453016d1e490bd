//! Commands about single devices.

use super::{LabelArgs, ServerArgs, fleet, import, update_token::UpdateTokenCommand};
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// Tokens of devices that have no certificate, for updates through the hawkBit DDI door
    #[command(subcommand)]
    UpdateToken(UpdateTokenCommand),
    /// Write the code of a device as a picture
    Label(LabelArgs),
    /// Show what a device found when it last tested itself
    SelfTest {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
    },
    /// Show what look-ups of a device's number add up to
    Scans {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
    },
    /// Search devices by state, verdict, attention or whatever is printed on them
    Search {
        #[command(flatten)]
        server: ServerArgs,
        #[command(flatten)]
        search: fleet::SearchArgs,
        /// By product line and serial number instead of newest first
        #[arg(long)]
        by_serial: bool,
        /// Most lines
        #[arg(long, default_value_t = 100)]
        most: usize,
    },
    /// Export devices as CSV
    Export {
        #[command(flatten)]
        server: ServerArgs,
        #[command(flatten)]
        search: fleet::SearchArgs,
        #[command(flatten)]
        csv: fleet::CsvArgs,
    },
    /// Show a device's parts and theirs, each with its standing
    Parts {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
    },
    /// List a device's life, newest first, with how far the proof of each event has come
    Timeline {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
    },
    /// List who owned a device, oldest first
    Owners {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
    },
    /// Show where a device stands now, as its history says: holder, repair, alarms
    State {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
    },
    /// List the messages of a device, newest first
    Messages {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
    },
    /// List what was refused of a device at the doors for messages, and why
    RefusedMessages {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
    },
    /// Show the log that a device handed over, and check that nothing in it is missing or changed
    Log {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
    },
    /// Read segments of a device's log from files and say what is in them
    ReadLog {
        /// Files, a segment each
        #[arg(required = true)]
        files: Vec<std::path::PathBuf>,
    },
    /// Give a device a command: restart, self-test, factory-reset, erase-keys, or what else it knows
    Command {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// What to do
        name: String,
        /// With what: a JSON object
        #[arg(long, default_value = "{}")]
        parameters: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// In how many seconds the device must have begun
        #[arg(long, default_value_t = 86_400)]
        #[arg(value_parser = clap::value_parser!(u32).range(60..=2_592_000))]
        seconds: u32,
    },
    /// List the commands that a device was given, newest first
    Commands {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
    },
    /// Take a command back
    CancelCommand {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// The command's id
        command: admission::CommandId,
    },
    /// Hand in a device's proof that it has erased its keys, where it could not send it itself
    HandInErasure {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// The command's id
        command: admission::CommandId,
        /// Base64 of the proof, as `tegata-agent status` shows it; - is standard input
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Want settings of a device: all of them, from a JSON file
    Configure {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// JSON object; - is standard input
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Why
        #[arg(long)]
        reason: String,
        /// Only if this version is wanted now; 0: only if none is
        #[arg(long)]
        replaces: Option<u64>,
    },
    /// Show what is wanted of a device's settings, and what it says that it runs with
    Configuration {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// List the versions that were wanted so far instead
        #[arg(long)]
        versions: bool,
    },
    /// Do something to a device on your organisation's behalf; the platform signs
    Act(fleet::ActArgs),
    /// Say what an act would bring about, or why it would be refused
    Preview(fleet::ActArgs),
    /// List devices
    List {
        #[command(flatten)]
        server: ServerArgs,
        /// Of this product line
        #[arg(long)]
        product: Option<String>,
        /// In this phase of life
        #[arg(long)]
        phase: Option<String>,
        /// Whose serial number, management number or id begins so
        #[arg(long)]
        text: Option<String>,
    },
    /// Show one device
    Show {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
    },
    /// Register a device before its first enrolment
    Register {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Product line
        product: String,
        /// Its maker's serial number
        serial_number: String,
    },
    /// Register many devices from a file, and say what came of each
    Import(import::ImportArgs),
    /// Release a one-time code with which one device may enrol
    Code {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// Seconds until it ends
        #[arg(long, default_value_t = 86_400)]
        seconds: u32,
    },
    /// Enrol over EST: make a key, get a certificate
    Enrol {
        #[command(flatten)]
        est: EstArgs,
        /// Where to write certificate chain and private key, readable by you only
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: PathBuf,
        /// Serial number in the certificate
        #[arg(long)]
        serial_number: String,
        /// Algorithm
        #[arg(long, default_value = "p256")]
        algorithm: crypto::KeyAlgorithm,
    },
    /// Ask for a verdict
    Verify {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// Prove possession with this device credential, over a fresh challenge
        #[arg(long, value_hint = ValueHint::FilePath)]
        prove_with: Option<PathBuf>,
        /// Counter of the proof: more than in any proof before
        #[arg(long, requires = "prove_with")]
        counter: Option<u64>,
    },
    /// Not to be trusted for the time being
    Suspend {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// Cause, see `tegata device causes`
        #[arg(long)]
        cause: device::Cause,
        /// Why, in words: at most 300 characters; erased with the event's contents
        #[arg(long)]
        reason: Option<String>,
    },
    /// End a suspension
    Release {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
    },
    /// Not to be trusted any more, for ever
    Revoke {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// Cause, see `tegata device causes`
        #[arg(long)]
        cause: device::Cause,
        /// Why, in words: at most 300 characters; erased with the event's contents
        #[arg(long)]
        reason: Option<String>,
    },
    /// List causes of suspension, revocation and retirement
    Causes,
    /// Let another organisation read the device's passport
    Share {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// With whom
        organisation: String,
        /// Until when (RFC 3339); until it is ended otherwise
        #[arg(long)]
        until: Option<api::wire::scalar::Timestamp>,
    },
    /// End a share
    Unshare {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// With whom
        organisation: String,
    },
    /// Destroy the contents of events; their places and commitments stay
    Erase {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// Sequence number of an event (repeat for more); all where absent
        #[arg(long = "sequence")]
        sequences: Vec<u64>,
    },
}

/// An EST server and how to authenticate there.
#[derive(Debug, Args, Clone)]
pub struct EstArgs {
    /// Address of the server
    #[arg(long, env = "TEGATA_SERVER", default_value = "https://localhost:8443", value_hint = ValueHint::Url)]
    pub server: String,
    /// Trusted root certificates in PEM
    #[arg(long, env = "TEGATA_ROOTS", default_value = "root.pem", value_hint = ValueHint::FilePath)]
    pub roots: PathBuf,
    /// Label of the product line or owner in the EST path
    #[arg(long)]
    pub label: Option<String>,
    /// Chip, IDevID or present LDevID credential (certificate chain and key, PEM)
    #[arg(long, value_hint = ValueHint::FilePath, conflicts_with = "code")]
    pub credential: Option<PathBuf>,
    /// One-time code
    #[arg(long, requires = "device")]
    pub code: Option<String>,
    /// Device id that the code was released for
    #[arg(long)]
    pub device: Option<String>,
    /// Renew (simplereenroll) instead of first enrolment
    #[arg(long, requires = "credential")]
    pub renew: bool,
}
