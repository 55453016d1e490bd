//! Commands about the vulnerabilities of what is in the field, with a server.

use super::ServerArgs;
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum VulnerabilityCommand {
    /// List the vulnerabilities of an organisation's products, the gravest first
    List(VulnerabilityListArgs),
    /// Show one vulnerability: which software has it, why, and what was said about it
    Show {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Any of its ids, such as CVE-2026-12345
        id: String,
    },
    /// Send advisories (OSV, CSAF, KEV): files, and folders with all JSON files in them
    Import(VulnerabilityImportArgs),
    /// How much is known, and how much is to be judged
    Status {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
    },
    /// Files of the server's watched folder that could not be taken
    Troubles {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Attach an SBOM to a version of a product's software
    Attach(AttachArgs),
    /// List the versions of a product's software and their SBOMs
    Software {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Product line
        product: String,
    },
    /// Whether a version may be released: exit 0 yes, 2 no
    Gate {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Product line
        product: String,
        /// Version
        version: String,
    },
    /// Make a statement about a vulnerability in a product (VEX)
    Say(SayArgs),
    /// List statements, the newest first
    Statements {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
    },
    /// Withdraw a statement: what it silenced stands again
    Withdraw {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Statement
        statement: String,
    },
    /// Take a VEX document, or write what was said as one
    Vex(VexArgs),
}

#[derive(Debug, Args)]
pub struct VulnerabilityListArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Organisation
    pub organisation: String,
    /// open, reopened, settled, all
    #[arg(long, default_value = "open")]
    pub state: String,
    /// Only those known to be exploited
    #[arg(long)]
    pub exploited: bool,
    /// Rated like this or worse, or not rated: low, medium, high, critical
    #[arg(long)]
    pub rating: Option<String>,
    /// In this product line
    #[arg(long)]
    pub product: Option<String>,
    /// Most lines
    #[arg(long, default_value_t = 100)]
    pub most: usize,
}

#[derive(Debug, Args)]
pub struct VulnerabilityImportArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Organisation: the platform's own for everybody's products
    pub organisation: String,
    /// Files and folders
    #[arg(required = true, value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// Where they come from, in your own words
    #[arg(long, default_value = "tegata vulnerability import")]
    pub source: String,
}

#[derive(Debug, Args)]
pub struct AttachArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Organisation
    pub organisation: String,
    /// Product line
    pub product: String,
    /// Version of its software
    pub version: String,
    /// CycloneDX 1.3-1.7 (JSON, XML), SPDX 2.2-2.3 (JSON, tag-value) or SPDX 3.0 (JSON-LD)
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Which part of the software it is about; of one name the newest counts
    #[arg(long, default_value = "software")]
    pub name: String,
}

#[derive(Debug, Args)]
pub struct SayArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Organisation
    pub organisation: String,
    /// Product line
    pub product: String,
    /// Vulnerability, such as CVE-2026-12345
    pub vulnerability: String,
    /// not_affected, affected, fixed, under_investigation
    #[arg(long)]
    pub status: String,
    /// Version of the product's software; every one otherwise, those to come included
    #[arg(long)]
    pub version: Option<String>,
    /// Only in this component: a package URL
    #[arg(long)]
    pub component: Option<String>,
    /// Why it is not affected, as one of OpenVEX's words
    #[arg(long)]
    pub justification: Option<String>,
    /// Why it is not affected, in words
    #[arg(long)]
    pub impact: Option<String>,
    /// What to do where it is affected
    #[arg(long)]
    pub action: Option<String>,
    /// Until when it holds (RFC 3339)
    #[arg(long)]
    pub expires: Option<api::wire::scalar::Timestamp>,
}

#[derive(Debug, Args)]
pub struct VexArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Organisation
    pub organisation: String,
    /// Product line
    pub product: String,
    /// Version of its software; every one otherwise
    #[arg(long)]
    pub version: Option<String>,
    /// Take this document (OpenVEX, CycloneDX, CSAF)
    #[arg(long, value_hint = ValueHint::FilePath, conflicts_with_all = ["format", "out"])]
    pub import: Option<PathBuf>,
    /// The document is the organisation's own word, not a supplier's
    #[arg(long, requires = "import")]
    pub own: bool,
    /// Form that is written: openvex, cyclonedx, csaf
    #[arg(long, default_value = "openvex")]
    pub format: String,
    /// Where to write it; standard output otherwise
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,
}
