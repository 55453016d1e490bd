//! Trying the platform out: the demo, the benches.

use clap::{Args, ValueEnum, ValueHint};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// How many genuine devices to play, attackers not counted
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    pub devices: u32,
    /// Where to keep the data; a temporary folder otherwise
    #[arg(long, value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
    /// Leave the server running for a look, until Ctrl-C
    #[arg(long)]
    pub stay: bool,
}

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// What to measure
    #[arg(value_enum)]
    pub what: BenchWhat,
    /// Devices registered, for verdict; operations, for the others
    #[arg(long)]
    pub devices: Option<u32>,
    /// Where to keep the data; a temporary folder otherwise
    #[arg(long, value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
    /// For update: a Python virtual environment with goosebit, to be measured beside it
    #[arg(long, value_name = "VENV", value_hint = ValueHint::DirPath)]
    pub goosebit: Option<PathBuf>,
}

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchWhat {
    /// Durable issuance against CSR check and signature
    Issue,
    /// EST over fresh mTLS connections against bare handshakes
    Est,
    /// OCSP answers per CPU-second against `openssl ocsp`
    Ocsp,
    /// Signed, durable events against signature checks
    Ledger,
    /// Verdicts with many devices registered
    Verdict,
    /// The console's lists and figures with many devices registered
    Console,
    /// Diagnoses, threat models, traces with many products: --devices says how many
    Assessment,
    /// Polls and campaigns with many devices registered
    Update,
    /// Messages per CPU second against mosquitto, floods, reconnection, revocation, idle connections
    Gateway,
}
