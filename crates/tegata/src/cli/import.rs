//! Registering many devices from a file.

use super::ServerArgs;
use clap::{Args, ValueHint};
use device::RootOfTrust;
use std::path::PathBuf;

/// A file of serial numbers, and where the answers go.
#[derive(Debug, Args, Clone)]
pub struct ImportArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// The maker: your own organisation
    pub organisation: String,
    /// Product line
    pub product: String,
    /// CSV with the columns serial_number and, where you choose it, device; `-` for standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// File to write what came of each line to, as CSV; standard output otherwise
    #[arg(long, short, value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,
    /// Begin each history too, with *assembled*, signed with this key of your organisation
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub key: Option<PathBuf>,
    /// Root of trust said in *assembled*; the product line's otherwise
    #[arg(long, requires = "key")]
    pub root_of_trust: Option<RootOfTrust>,
    /// Person, station or program named in *assembled*
    #[arg(long, requires = "key")]
    pub actor: Option<String>,
}
