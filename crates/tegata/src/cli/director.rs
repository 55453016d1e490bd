//! Commands about an organisation's director (docs/director.md).

use super::ServerArgs;
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum DirectorCommand {
    /// Begin it: the server makes the keys that sign for devices
    Begin(DirectorArgs),
    /// Show it; exit status 2 where its root is missing or ends soon
    Show(DirectorArgs),
    /// Make new online keys, for the next root
    Keys(DirectorArgs),
    /// Choose for how long what it signs for a device is good
    Life {
        #[command(flatten)]
        which: DirectorArgs,
        /// Hours
        #[arg(value_parser = clap::value_parser!(i64).range(1..=336))]
        hours: i64,
    },
    /// Draft the first root, or the next one with the newest online keys, to be signed offline
    DraftRoot {
        #[command(flatten)]
        which: DirectorArgs,
        /// Public key that signs roots, none of the image repository's; may be repeated. Those of the
        /// present root otherwise
        #[arg(long = "root-key", value_hint = ValueHint::FilePath)]
        root_keys: Vec<PathBuf>,
        /// How many of them must sign; more than half of them otherwise
        #[arg(long, requires = "root_keys")]
        threshold: Option<usize>,
        /// For how many days it is to be good
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=1098))]
        days: u32,
        /// File to write
        #[arg(long, default_value = "director-root.json", value_hint = ValueHint::FilePath)]
        out: PathBuf,
    },
    /// Hand in a root that is signed
    Push {
        #[command(flatten)]
        which: DirectorArgs,
        /// The root
        #[arg(value_hint = ValueHint::FilePath)]
        root: PathBuf,
        /// It does not follow the present root, whose keys were stolen or lost: signed by new keys
        /// alone; devices need it by the way the first one came
        #[arg(long)]
        anew: bool,
    },
    /// Get a root: the first is what devices are made with
    Root {
        #[command(flatten)]
        which: DirectorArgs,
        /// Its version; the newest otherwise
        #[arg(long)]
        version: Option<u64>,
        /// File to write
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct DirectorArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Organisation
    pub organisation: String,
}
