//! Threat models: offline commands on files.

use assessment::{Day, threat::Theme};
use clap::{ArgGroup, Args, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum ThreatCommand {
    /// Read a model and say what it does not: what is judged by assumption, decisions without a threat
    Check(ModelArgs),
    /// Open threats, the greatest residual risk first; with --json, one object per line
    List {
        #[command(flatten)]
        model: ModelArgs,
        /// Treated, accepted and dismissed ones, too
        #[arg(long)]
        all: bool,
    },
    /// A threat in full, with what would silence it and the requirements behind
    Show {
        #[command(flatten)]
        model: ModelArgs,
        /// Id, as in T-0123456789abcdef
        id: String,
    },
    /// Risk matrix, security levels of zones, vulnerabilities, forms
    Risk(ModelArgs),
    /// The model drawn, as SVG
    Diagram {
        #[command(flatten)]
        model: ModelArgs,
        /// Colours: light, dark
        #[arg(long, default_value = "light", value_parser = theme)]
        theme: Theme,
    },
    /// What leads to a threat, or to the harm of an asset, as SVG
    #[command(group = ArgGroup::new("root").required(true))]
    Tree {
        #[command(flatten)]
        model: ModelArgs,
        /// Id of the threat
        #[arg(long, group = "root")]
        threat: Option<String>,
        /// Id of the asset
        #[arg(long, group = "root")]
        asset: Option<String>,
        /// Colours: light, dark
        #[arg(long, default_value = "light", value_parser = theme)]
        theme: Theme,
    },
    /// Print a model of Open Threat Model, Threat Dragon 2 or Threagile as ours; what is lost goes to stderr
    Import {
        /// The file of the other tool
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// All threats for other tools
    Export {
        #[command(flatten)]
        model: ModelArgs,
        /// Form of the file
        #[arg(long)]
        format: ThreatFormat,
    },
    /// Rules, or one of them in full
    Rules {
        /// Name of a rule
        rule: Option<String>,
        /// The measures that rules and models name
        #[arg(long, conflicts_with = "rule")]
        measures: bool,
    },
    /// Questions of impact assessments that concern a model, with its answers
    Forms(ModelArgs),
    /// Print the JSON Schema of model files
    Schema,
    #[command(flatten)]
    Kept(super::threat_kept::KeptThreatCommand),
}

impl ThreatCommand {
    /// Whether it is about a model that a server keeps.
    pub fn needs_server(&self) -> bool {
        matches!(self, Self::Kept(_))
    }
}

#[derive(Debug, Args)]
pub struct ModelArgs {
    /// The model
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Judge as of this day (YYYY-MM-DD), not today
    #[arg(long, value_parser = super::assessment::day)]
    pub at: Option<Day>,
}

/// What threats are exported as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ThreatFormat {
    /// SARIF 2.1.0
    Sarif,
    /// Comma-separated values
    Csv,
}

fn theme(text: &str) -> Result<Theme, String> {
    Theme::of_word(text).ok_or_else(|| "a theme is light or dark".to_owned())
}
