//! Playing fleets of devices, and those who attack them.

use super::ServerArgs;
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum SimCommand {
    /// Print a scenario with comments, to begin from
    Example,
    /// Read a scenario and say what it would do; asks no server
    Check {
        /// Scenario in TOML; `-` for standard input
        #[arg(value_hint = ValueHint::FilePath)]
        scenario: PathBuf,
        /// Connections at once
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        connections: u32,
    },
    /// Enrol the devices that a scenario needs, and play it; exit code 2: what it expects did not come
    Run(SimRunArgs),
    /// Retire the devices of a state folder, and remove what it holds of them
    Clean(SimCleanArgs),
}

/// What is played, where, and with how much.
#[derive(Debug, Args, Clone)]
pub struct SimRunArgs {
    /// Scenario in TOML; `-` for standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub scenario: PathBuf,
    #[command(flatten)]
    pub server: ServerArgs,
    /// Folder of the devices' keys and certificates; a second run enrols only what lacks
    #[arg(long, default_value = "tegata-sim", value_hint = ValueHint::DirPath)]
    pub state: PathBuf,
    /// Signing key of your organisation, for the first event of new devices (`tegata org add-signer`)
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub key: Option<PathBuf>,
    /// Port of the MQTT door, at the server's host
    #[arg(long, default_value_t = 8883)]
    pub mqtt_port: u16,
    /// Port of the door for MQTT over WebSocket, at the server's host
    #[arg(long, default_value_t = 8884)]
    pub websocket_port: u16,
    /// Port of the CoAP door, at the server's host
    #[arg(long, default_value_t = 5684)]
    pub coap_port: u16,
    /// Connections at once; where there are more devices, they take turns
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub connections: u32,
    /// Handshakes at once
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub handshakes: u32,
    /// Seed instead of the scenario's
    #[arg(long)]
    pub seed: Option<u64>,
    /// Enrol the devices and play nothing
    #[arg(long)]
    pub enrol_only: bool,
    /// Host of the server, where it is not this machine and the scenario attacks it: you say that you may
    #[arg(long, value_name = "HOSTNAME")]
    pub yes_attack: Option<String>,
}

/// Whose devices are retired.
#[derive(Debug, Args, Clone)]
pub struct SimCleanArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Folder of the devices' keys and certificates
    #[arg(long, default_value = "tegata-sim", value_hint = ValueHint::DirPath)]
    pub state: PathBuf,
}
