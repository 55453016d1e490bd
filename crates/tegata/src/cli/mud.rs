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

/// What a description is made of: a product line whose devices were seen, or doors that are named.
#[derive(Debug, Args)]
pub struct MudSuggestArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Product line, MAKER/PRODUCT: by what devices of it were seen to do
    #[arg(conflicts_with_all = ["maker", "model", "systeminfo", "to"])]
    pub line: Option<LineArg>,
    /// Organisation that has the devices; without: the maker
    #[arg(long, requires = "line")]
    pub organisation: Option<OrganisationId>,
    /// Devices that have to have shown a connection, 2 to 64; and of more than 30 a tenth [default: 3]
    #[arg(long, requires = "line", value_parser = clap::value_parser!(u32).range(2..=64))]
    pub devices: Option<u32>,
    /// On so many days each, 1 to 30 [default: 3]
    #[arg(long, requires = "line", value_parser = clap::value_parser!(u32).range(1..=30))]
    pub days: Option<u32>,
    /// Where it will be found: https://…; with a product line: where the platform serves it, if left out
    #[arg(long, required_unless_present = "line")]
    pub url: Option<String>,
    /// Who makes the device
    #[arg(long, required_unless_present = "line")]
    pub maker: Option<String>,
    /// Its model
    #[arg(long, required_unless_present = "line")]
    pub model: Option<String>,
    /// What the device is, in a few words
    #[arg(long, required_unless_present = "line")]
    pub systeminfo: Option<String>,
    /// A door that the device connects to: HOST:PORT by TCP, HOST:PORT/udp; repeat it
    #[arg(long, required_unless_present = "line", value_name = "HOST:PORT")]
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
    /// Make a description that allows what devices of a product line were seen to do, or the doors that are
    /// named, and name resolution and time
    Suggest(Box<MudSuggestArgs>),
    /// Show what a device's certificate says of its usage description, whoever issued it
    Certificate {
        /// The certificate, PEM or DER; of a chain in PEM the first
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    #[command(flatten)]
    Kept(MudKeptCommand),
}

impl MudCommand {
    /// Whether it asks the server.
    pub fn needs_server(&self) -> bool {
        match self {
            Self::Show { .. } | Self::Check(_) | Self::Certificate { .. } => false,
            Self::Suggest(args) => args.line.is_some(),
            Self::Kept(_) => true,
        }
    }
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
    /// What IDevIDs of a product line that are issued from now on say of its description: where it is
    Url {
        #[command(flatten)]
        server: ServerArgs,
        /// Product line, MAKER/PRODUCT
        line: LineArg,
        /// Where it is: https://…; without: show what they say
        #[arg(long, conflicts_with = "off")]
        set: Option<String>,
        /// Certificate in PEM of who signs it
        #[arg(long, requires = "set", value_name = "FILE.pem", value_hint = ValueHint::FilePath)]
        signer: Option<PathBuf>,
        /// They say nothing from now on
        #[arg(long)]
        off: bool,
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
