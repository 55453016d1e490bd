//! Commands about the log and its witnesses.

use super::{LocalArgs, ServerArgs, UnlockArgs};
use clap::{Args, Subcommand, ValueHint};
use std::{net::SocketAddr, path::PathBuf};

#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Print the newest checkpoint
    Checkpoint {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Prove that an entry is in the log
    Proof {
        #[command(flatten)]
        server: ServerArgs,
        /// Index of the entry
        leaf: u64,
    },
    /// Prove that the log only grew
    Consistency {
        #[command(flatten)]
        server: ServerArgs,
        /// Size of the earlier tree
        old: u64,
        /// Size of the later tree
        new: u64,
    },
    /// Audit the whole log: on a data directory, against the store
    Check {
        #[command(flatten)]
        local: LocalArgs,
    },
}

#[derive(Debug, Subcommand)]
pub enum WitnessCommand {
    /// Make a witness's key and print its vkey
    Init {
        /// Folder for key and state
        #[arg(long, value_hint = ValueHint::DirPath)]
        dir: PathBuf,
        #[command(flatten)]
        unlock: UnlockArgs,
        /// Name of the witness, in its vkey
        #[arg(long)]
        name: String,
    },
    /// Answer add-checkpoint requests
    Serve {
        /// Folder with key and state
        #[arg(long, value_hint = ValueHint::DirPath)]
        dir: PathBuf,
        #[command(flatten)]
        unlock: UnlockArgs,
        /// vkey of a log that it witnesses (repeat for more)
        #[arg(long = "log", required = true)]
        logs: Vec<String>,
        /// Address
        #[arg(long, default_value = "127.0.0.1:8090")]
        listen: SocketAddr,
    },
}

#[derive(Debug, Args)]
pub struct WitnessArgs {
    #[command(subcommand)]
    pub command: WitnessCommand,
}
