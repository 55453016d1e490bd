//! Manufacturers' usage descriptions, RFC 8520 (docs/mud.md).

use clap::{Args, Subcommand, ValueHint};
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
}
