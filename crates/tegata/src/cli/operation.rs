//! Commands about the gate of operation and live evidence on a server, and the gate of a build
//! pipeline (docs/assessment.md).

use super::ServerArgs;
use assessment::Day;
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum OperationCommand {
    /// Whether a product line is in operation, and what stands in the way
    Show {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Product line
        product: String,
    },
    /// Let a product line enter operation; the refusal names what is open
    Enter {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Product line
        product: String,
        /// Although items are open, for this reason; another administrator has to approve it
        #[arg(long, value_name = "REASON", requires = "until")]
        overrule: Option<String>,
        /// End of the exception, such as 2026-12-31T00:00:00Z, within a year
        #[arg(long, requires = "overrule")]
        until: Option<String>,
    },
    /// Take a product line out of operation
    Leave {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Product line
        product: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// What an organisation asks of its product lines; with options, change it
    Policy {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Ask for anything at all
        #[arg(long)]
        required: Option<bool>,
        /// Items of this weight or more, 1 to 5; 6 for none by weight
        #[arg(long)]
        weight: Option<u8>,
        /// A further item; may be repeated. The items named replace those of before
        #[arg(long = "item")]
        items: Vec<String>,
        /// Of a diagnosis that two people signed
        #[arg(long)]
        signed: Option<bool>,
    },
    /// What became of operation, newest first
    History {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
    },
    /// Evidence of a product line that counts now
    Evidence {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Product line
        product: String,
        /// Look at the running platform first
        #[arg(long)]
        collect: bool,
    },
    /// Hand in a document of a build
    Add {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Product line
        product: String,
        /// What it is
        kind: EvidenceKind,
        /// The document
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Which version of the product it is about
        #[arg(long)]
        subject: String,
        /// Which of several of its kind
        #[arg(long, default_value = "default")]
        name: String,
    },
    /// Approved components; with a file of package URLs, one per line, replace the list
    Approve {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Package URLs, one per line; lines that begin with # do not count
        #[arg(value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
}

/// Documents of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EvidenceKind {
    /// JUnit XML
    Tests,
    /// lcov or Cobertura
    Coverage,
    /// SARIF 2.1
    Findings,
    /// CycloneDX or SPDX
    Components,
    /// In-toto statements
    Provenance,
}

/// The gate of a build pipeline.
#[derive(Debug, Args)]
pub struct GateArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// What the version must have
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub policy: PathBuf,
    /// Product line on the server, as organisation/product; its newest diagnosis and its evidence are
    /// taken where no file is given
    #[arg(long, value_name = "ORGANISATION/PRODUCT")]
    pub product: Option<String>,
    /// Diagnosis as a file
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub diagnosis: Option<PathBuf>,
    /// Test results; may be repeated
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub tests: Vec<PathBuf>,
    /// Coverage; may be repeated
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub coverage: Vec<PathBuf>,
    /// Scanner reports; may be repeated
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub findings: Vec<PathBuf>,
    /// Bills of materials; may be repeated
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub sbom: Vec<PathBuf>,
    /// Provenance; may be repeated
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub provenance: Vec<PathBuf>,
    /// Files of the version, which provenance must be about; may be repeated
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub artifact: Vec<PathBuf>,
    /// What is printed; --json is json
    #[arg(long, value_enum, default_value = "table")]
    pub format: GateFormat,
    /// Judge evidence as of this day (YYYY-MM-DD), not today
    #[arg(long, value_parser = super::assessment::day)]
    pub at: Option<Day>,
}

/// Forms of the gate's findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GateFormat {
    /// What is open, for people
    Table,
    /// One object
    Json,
    /// SARIF 2.1, for code hosts
    Sarif,
}
