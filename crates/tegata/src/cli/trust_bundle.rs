//! Commands about trust between devices (docs/device-to-device.md).

use super::{ServerArgs, purpose::LineArg};
use clap::{Args, Subcommand, ValueHint};
use device::{DeviceId, OrganisationId};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum TrustBundleCommand {
    /// What the organisation chose
    Settings {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Choose which devices the organisation's own trust without the platform, and for how long
    Set(Box<SetArgs>),
    /// Give devices no trust bundles any more; those that they have are good until their end
    Off {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// What the next bundle of each of the organisation's devices holds, and how many have which
    Contents {
        #[command(flatten)]
        server: ServerArgs,
        /// Nothing but the policies in it
        #[arg(long)]
        policies: bool,
    },
    /// Which bundles the organisation's devices were given last
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Make the bundle of a device, to be carried there: tegata-agent peer take FILE
    Make {
        #[command(flatten)]
        server: ServerArgs,
        /// Device
        device: DeviceId,
        /// File to write
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: PathBuf,
    },
    /// Show what a bundle holds, and whether the platform signed it; works without a server
    Show {
        /// Bundle
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Trusted root certificates in PEM
        #[arg(long, env = "TEGATA_ROOTS", default_value = "root.pem", value_hint = ValueHint::FilePath)]
        roots: PathBuf,
        /// Nothing but the policies in it
        #[arg(long)]
        policies: bool,
    },
}

#[derive(Debug, Args)]
pub struct SetArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// For how many hours a decision may rest on a bundle: 1 to 2160 (90 days)
    #[arg(long)]
    pub hours: u32,
    /// A maker whose devices are known by their makers' certificates, too; may be given again
    #[arg(long = "maker")]
    pub makers: Vec<OrganisationId>,
    /// Another organisation whose devices are known; may be given again
    #[arg(long = "organisation")]
    pub organisations: Vec<OrganisationId>,
    /// A product line, MAKER/PRODUCT, of which own devices are known; may be given again; without: all
    #[arg(long = "product")]
    pub products: Vec<LineArg>,
}
