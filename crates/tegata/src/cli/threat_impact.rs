//! Impact assessments of products on a server.

use super::ServerArgs;
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum ImpactCommand {
    /// Questions, answers, and what they come to: S-CIA, duties, threats
    Show {
        #[command(flatten)]
        of: ImpactArgs,
    },
    /// Answer questions, or take answers back
    Answer {
        #[command(flatten)]
        of: ImpactArgs,
        /// QUESTION=ANSWER; choices are words, several joined by commas
        answers: Vec<String>,
        /// A question whose answer is taken back; may be repeated
        #[arg(long)]
        take_back: Vec<String>,
    },
    /// Conclude a form for the version that was read: nothing may be open
    Conclude {
        #[command(flatten)]
        of: ImpactArgs,
        /// The version that was read, as `show` prints it
        #[arg(long)]
        read: u64,
    },
    /// Answers, newest first
    History {
        #[command(flatten)]
        of: ImpactArgs,
    },
}

/// Which form of which product.
#[derive(Debug, Args)]
pub struct ImpactArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Organisation
    pub organisation: String,
    /// Product line
    pub product: String,
    /// The form: safety, privacy, framework
    pub form: String,
}
