//! Threat models that a server keeps, decisions about threats, the trace to verdicts.

use super::ServerArgs;
use assessment::Day;
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum KeptThreatCommand {
    /// Keep a product's threat model on the server; says which threats appear, vanish and move
    Put {
        #[command(flatten)]
        of: ProductArgs,
        /// The model
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Only say what would change
        #[arg(long)]
        preview: bool,
        /// The version that was edited; a newer one is not overwritten. The newest without it
        #[arg(long, conflicts_with = "preview")]
        after: Option<u64>,
        /// What the change is about
        #[arg(long, conflicts_with = "preview")]
        note: Option<String>,
    },
    /// Print a product's threat model as the server keeps it
    Get {
        #[command(flatten)]
        of: ProductArgs,
        /// Another version than the newest
        #[arg(long = "model-version")]
        version: Option<u64>,
    },
    /// Versions of a product's threat model, newest first
    History {
        #[command(flatten)]
        of: ProductArgs,
    },
    /// Open threats to a product by the model on the server, with what was decided
    Product {
        #[command(flatten)]
        of: ProductArgs,
        /// Treated, accepted and dismissed ones, too
        #[arg(long)]
        all: bool,
    },
    /// Decide about a threat, or take a decision back
    Decide(DecideArgs),
    /// What was decided about threats, newest first
    Decisions {
        #[command(flatten)]
        of: ProductArgs,
        /// About this threat
        #[arg(long)]
        threat: Option<String>,
    },
    /// Impact assessments: safety, privacy, the six items of NISC
    #[command(subcommand)]
    Impact(super::threat_impact::ImpactCommand),
    /// From threats over requirements, controls, checks and evidence to verdicts
    Trace {
        #[command(flatten)]
        of: ProductArgs,
        /// Only what has no next link
        #[arg(long)]
        gaps: bool,
        /// The way of this threat, drawn as SVG
        #[arg(long, conflicts_with = "gaps")]
        draw: Option<String>,
    },
}

/// Whose product.
#[derive(Debug, Args)]
pub struct ProductArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Organisation
    pub organisation: String,
    /// Product line
    pub product: String,
}

/// A decision.
#[derive(Debug, Args)]
pub struct DecideArgs {
    #[command(flatten)]
    pub of: ProductArgs,
    /// Id of the threat, as in T-0123456789abcdef
    pub threat: String,
    /// What is decided
    #[arg(value_enum)]
    pub verdict: ThreatVerdict,
    /// Why
    #[arg(long)]
    pub reason: String,
    /// Last day on which it counts (YYYY-MM-DD); needed for accepted and transferred
    #[arg(long, value_parser = super::assessment::day)]
    pub until: Option<Day>,
    /// A measure that is decided, with `measures`; may be repeated
    #[arg(long = "measure")]
    pub measures: Vec<String>,
    /// Likelihood as people see it, 1 to 5
    #[arg(long)]
    pub likelihood: Option<u8>,
    /// Impact as people see it, 1 to 5; never below safety
    #[arg(long)]
    pub impact: Option<u8>,
}

/// What can be decided about a threat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ThreatVerdict {
    /// It stays, until a day
    Accepted,
    /// Somebody else bears it, until a day
    Transferred,
    /// These measures are decided
    Measures,
    /// Treated by something that no measure names
    Handled,
    /// It does not exist here
    Dismissed,
    /// Only rated anew
    Rated,
    /// Takes the decision of before back
    TakenBack,
}
