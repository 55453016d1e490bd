//! Commands about many devices.

use super::ServerArgs;
use clap::{Args, Subcommand, ValueHint};
use device::{Cause, DeviceId, OrganisationId};
use std::path::PathBuf;

/// Which devices; all conditions must hold.
#[derive(Debug, Args, Clone, Default)]
pub struct SearchArgs {
    /// How the organisation stands to them: owner, maker, shared, offered
    #[arg(long)]
    pub relation: Option<String>,
    /// Of this product line
    #[arg(long)]
    pub product: Option<String>,
    /// The maker of that product line; your own organisation otherwise
    #[arg(long)]
    pub maker: Option<String>,
    /// In this phase of life
    #[arg(long)]
    pub phase: Option<String>,
    /// Of this standing: good, suspended, revoked
    #[arg(long)]
    pub standing: Option<String>,
    /// By the last verdict: genuine, suspect, rejected, never
    #[arg(long)]
    pub verdict: Option<String>,
    /// Owned by this organisation
    #[arg(long)]
    pub owner: Option<String>,
    /// That need attention: expiring, suspect, stale, suspended, alarm, scans, support
    #[arg(long)]
    pub attention: Option<String>,
    /// Days of expiring, stale and support (0: has ended)
    #[arg(long)]
    pub days: Option<u32>,
    /// Number on the label, device id, fingerprint, certificate serial, or serial number
    #[arg(long)]
    pub text: Option<String>,
}

/// What is done to a device on your organisation's behalf.
#[derive(Debug, Args, Clone)]
pub struct ActArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Device id
    pub device: DeviceId,
    /// suspend, release, revoke, offer-transfer, accept-transfer, cancel-transfer, retire, dispose
    pub act: String,
    /// Why: for suspend, revoke and retire (`tegata device causes`)
    #[arg(long)]
    pub cause: Option<Cause>,
    /// To whom: for offer-transfer
    #[arg(long)]
    pub to: Option<OrganisationId>,
    /// Why, in words: at most 300 characters; erased with the event's contents
    #[arg(long)]
    pub reason: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum ViewCommand {
    /// List your views
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Save a search under a name, in place of one of the same name
    Save {
        #[command(flatten)]
        server: ServerArgs,
        /// Name
        name: String,
        /// The search as a query: `phase=operation&attention=expiring`
        query: String,
    },
    /// Delete a view
    Delete {
        #[command(flatten)]
        server: ServerArgs,
        /// Name
        name: String,
    },
}

/// One act on many devices.
#[derive(Debug, Args, Clone)]
pub struct JobArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// suspend, release, retire, revoke, release-codes
    pub act: String,
    /// Why: for suspend, revoke and retire (`tegata device causes`)
    #[arg(long)]
    pub cause: Option<Cause>,
    /// Lifetime of each code in seconds: for release-codes
    #[arg(long)]
    pub lifetime_s: Option<i64>,
    /// These devices (repeat for more), instead of a search
    #[arg(long = "device")]
    pub devices: Vec<DeviceId>,
    /// Devices that this search finds: `phase=operation&product=gate`
    #[arg(long, conflicts_with = "devices")]
    pub search: Option<String>,
    /// Reason, in your own words
    #[arg(long, default_value = "")]
    pub reason: String,
}

#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// Say how many devices a job would take and what would become of the first of them
    Preview(JobArgs),
    /// Start a job
    Start(JobArgs),
    /// List jobs, newest first
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Show a job
    Show {
        #[command(flatten)]
        server: ServerArgs,
        /// Job id
        job: String,
    },
    /// Cancel a job; devices that are not done stay as they are
    Cancel {
        #[command(flatten)]
        server: ServerArgs,
        /// Job id
        job: String,
    },
    /// Fetch what came of each device, as CSV
    Result {
        #[command(flatten)]
        server: ServerArgs,
        /// Job id
        job: String,
        #[command(flatten)]
        csv: CsvArgs,
    },
}

/// Where a CSV file goes.
#[derive(Debug, Args, Clone)]
pub struct CsvArgs {
    /// File to write; standard output otherwise
    #[arg(long, short, value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,
    /// Begin with a byte order mark, which Excel needs to read UTF-8
    #[arg(long)]
    pub bom: bool,
}

/// Whose fleet.
#[derive(Debug, Args, Clone)]
pub struct OverviewArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Organisation; your own otherwise
    #[arg(long)]
    pub organisation: Option<OrganisationId>,
}
