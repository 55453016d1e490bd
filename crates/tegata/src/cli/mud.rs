//! Manufacturers' usage descriptions, RFC 8520 (docs/mud.md).

use super::{ServerArgs, purpose::LineArg};
use clap::{Args, Subcommand, ValueHint};
use device::{DeviceId, OrganisationId};
use std::path::PathBuf;

/// A file and whom it must let the device reach.
#[derive(Debug, Args)]
pub struct MudCheckArgs {
    /// The description, JSON
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// A door that the device connects to: HOST:PORT by TCP, HOST:PORT/udp; repeat it
    #[arg(long, required = true, value_name = "HOST:PORT")]
    pub to: Vec<String>,
}

/// What a description is made of.
#[derive(Debug, Args)]
pub struct MudSuggestArgs {
    /// Where it will be found: https://…
    #[arg(long)]
    pub url: String,
    /// Who makes the device
    #[arg(long)]
    pub maker: String,
    /// Its model
    #[arg(long)]
    pub model: String,
    /// What the device is, in a few words
    #[arg(long)]
    pub systeminfo: String,
    /// A door that the device connects to: HOST:PORT by TCP, HOST:PORT/udp; repeat it
    #[arg(long, required = true, value_name = "HOST:PORT")]
    pub to: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum MudCommand {
    /// Read a description and say in plain words which connections it allows
    Show {
        /// The description, JSON
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Check that a description lets the device reach its doors; ends with 1 where it does not
    Check(MudCheckArgs),
    /// Make a description that allows the doors that are named, name resolution and time
    Suggest(MudSuggestArgs),
    #[command(flatten)]
    Kept(MudKeptCommand),
}

#[derive(Debug, Subcommand)]
pub enum MudKeptCommand {
    /// Keep a description of a product line on the platform, where everybody reads it
    Put {
        #[command(flatten)]
        server: ServerArgs,
        /// Product line, MAKER/PRODUCT
        line: LineArg,
        /// The description, JSON
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Its signature: detached CMS in DER
        #[arg(long, value_name = "FILE.p7s", requires = "anchors", value_hint = ValueHint::FilePath)]
        signature: Option<PathBuf>,
        /// Certificates in PEM that the signature is checked against; repeat it
        #[arg(long = "anchor", value_name = "FILE.pem", value_hint = ValueHint::FilePath)]
        anchors: Vec<PathBuf>,
        /// Why; owners of the devices are told of a change
        #[arg(long)]
        reason: String,
    },
    /// Show what is kept of a product line: the version in force, or another
    Kept {
        #[command(flatten)]
        server: ServerArgs,
        /// Product line, MAKER/PRODUCT
        line: LineArg,
        /// Which version; one of the 32 newest
        #[arg(long)]
        version: Option<u64>,
        /// Write the description, as it came, into this file
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: Option<PathBuf>,
        /// Write its signature, as it came, into this file
        #[arg(long, value_hint = ValueHint::FilePath)]
        signature_out: Option<PathBuf>,
    },
    /// Versions of what is kept of a product line, newest first
    History {
        #[command(flatten)]
        server: ServerArgs,
        /// Product line, MAKER/PRODUCT
        line: LineArg,
    },
    /// Withdraw what is kept of a product line: nobody reads it any more; versions stay
    Withdraw {
        #[command(flatten)]
        server: ServerArgs,
        /// Product line, MAKER/PRODUCT
        line: LineArg,
        /// Why; owners of the devices are told
        #[arg(long)]
        reason: String,
    },
    /// Hand in connections that devices were seen to have; ends with 1 where some are not allowed
    Observe {
        #[command(flatten)]
        server: ServerArgs,
        /// Flows: JSON, one on each line, such as {"device": "…", "to": "gate.example:8883/tcp"}
        #[arg(value_hint = ValueHint::FilePath)]
        flows: PathBuf,
        /// Organisation that has the devices
        #[arg(long)]
        organisation: OrganisationId,
    },
    /// Connections of a device, or of an organisation's devices, that makers' descriptions do not allow
    Outside {
        #[command(flatten)]
        server: ServerArgs,
        /// Device
        #[arg(required_unless_present = "organisation")]
        device: Option<DeviceId>,
        /// Organisation that has the devices
        #[arg(long, conflicts_with = "device")]
        organisation: Option<OrganisationId>,
        /// Product line, MAKER/PRODUCT; without: all
        #[arg(long, requires = "organisation")]
        line: Option<LineArg>,
        /// How often on each of the last so many days, 1 to 30
        #[arg(long, requires = "organisation", value_parser = clap::value_parser!(u8).range(1..=30))]
        days: Option<u8>,
    },
}
