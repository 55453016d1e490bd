//! Commands about sealed files and deltas of releases (docs/sealed.md).

use super::{ServerArgs, UnlockArgs};
use clap::{Args, ValueHint};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct DeltaArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Release: a draft that has the whole image
    pub release: String,
    /// Image of an earlier release, as it lies in a slot
    #[arg(value_hint = ValueHint::FilePath)]
    pub base: PathBuf,
    /// Image of this release, likewise
    #[arg(value_hint = ValueHint::FilePath)]
    pub image: PathBuf,
    /// Its name within the release
    #[arg(long)]
    pub name: Option<String>,
    /// Kind of hardware that it is for, where not all of the release's; may be repeated
    #[arg(long = "hardware-id")]
    pub hardware_ids: Vec<String>,
    /// Zstandard's level
    #[arg(long, default_value_t = 19, value_parser = clap::value_parser!(i32).range(1..=22))]
    pub level: i32,
    /// Seal it, and hand its content key to the platform: a delta shows what changed
    #[arg(long)]
    pub seal: bool,
}

#[derive(Debug, Args)]
pub struct ContentKeyArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Release
    pub release: String,
    /// Name of the sealed file within the release
    pub name: String,
    /// Its content key, of `tegata update seal`
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub content_key: PathBuf,
    #[command(flatten)]
    pub unlock: UnlockArgs,
}

#[derive(Debug, Args)]
pub struct TicketsArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Release
    pub release: String,
    /// Name of the sealed file within the release
    pub name: String,
    /// Tickets, of `tegata update ticket`
    #[arg(required = true, value_hint = ValueHint::FilePath)]
    pub tickets: Vec<PathBuf>,
    /// They are for keys that several devices share
    #[arg(long)]
    pub groups: bool,
}
