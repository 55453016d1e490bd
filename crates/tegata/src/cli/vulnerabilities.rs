//! Commands about the vulnerabilities of what is in the field, with a server.

use super::ServerArgs;
use clap::{Args, Subcommand, ValueHint};
use device::{OrganisationId, ProductId};
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
    /// The devices that run software with a vulnerability: how many of which version, which ones, or
    /// all of them as a file
    Devices(VulnerableArgs),
    /// Campaigns that would mend a vulnerability, or why there is none; --propose proposes one
    Campaign(VulnerabilityCampaignArgs),
    /// Vulnerabilities of what the organisation's own devices run
    Fleet {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
    },
    /// Time to fix, and the share of the fleet that is mended, day by day
    History {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Any of its ids
        id: String,
        /// maker: devices that the organisation made; owner: that it owns
        #[arg(long, default_value = "maker")]
        side: String,
    },
    /// Cases that must be reported (CRA article 14), the newest first
    Cases {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Closed ones as well
        #[arg(long)]
        all: bool,
    },
    /// One such case: show, open, change, draft its reports
    #[command(subcommand)]
    Case(CaseCommand),
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
pub struct VulnerabilityCampaignArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Organisation
    pub organisation: OrganisationId,
    /// Any of its ids, such as CVE-2026-12345
    pub id: String,
    /// Over devices that the organisation owns, not those that it made
    #[arg(long)]
    pub owned: bool,
    /// Propose the campaign for this product line: nobody gets anything before it is started
    #[arg(long, value_name = "PRODUCT")]
    pub propose: Option<ProductId>,
    /// The maker of that product line; the organisation itself otherwise
    #[arg(long, requires = "propose")]
    pub maker: Option<OrganisationId>,
    /// What people call it; the vulnerability and the release otherwise
    #[arg(long, requires = "propose")]
    pub name: Option<String>,
    /// A stage as `PERCENT:SUCCESS:ERRORS[:SOAK]`, as in `tegata campaign create`
    #[arg(long = "stage", requires = "propose")]
    pub stages: Vec<String>,
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

#[derive(Debug, Args)]
pub struct VulnerableArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Organisation
    pub organisation: String,
    /// Any of its ids
    pub id: String,
    /// maker: devices that the organisation made; owner: that it owns
    #[arg(long, default_value = "maker")]
    pub side: String,
    /// Only how many run which version
    #[arg(long, conflicts_with = "out")]
    pub count: bool,
    /// Write all of them to this CSV file
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,
    /// Most lines that are printed
    #[arg(long, default_value_t = 1000)]
    pub most: usize,
}

#[derive(Debug, Subcommand)]
pub enum CaseCommand {
    /// Show a case: deadlines, texts, who did what when
    Show(CaseArgs),
    /// Open a case; its clocks run from when the organisation became aware
    Open {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// One line
        title: String,
        /// exploited-vulnerability, severe-incident
        #[arg(long)]
        kind: String,
        /// The vulnerability, where it is one
        #[arg(long)]
        vulnerability: Option<String>,
        /// When the organisation became aware (RFC 3339); now otherwise
        #[arg(long)]
        aware: Option<api::wire::scalar::Timestamp>,
    },
    /// Write what a report must say about an item (docs/advisory.md)
    Write {
        #[command(flatten)]
        case: CaseArgs,
        /// Item, such as measures-taken
        item: String,
        /// Text; empty to take it away
        text: String,
        /// Language of the text: ja, en
        #[arg(long, default_value = "en")]
        text_language: String,
    },
    /// Put on record that a report was submitted
    Submitted {
        #[command(flatten)]
        case: CaseArgs,
        /// early-warning, notification, final-report
        report: String,
        /// When (RFC 3339); now otherwise
        #[arg(long)]
        at: Option<api::wire::scalar::Timestamp>,
    },
    /// Put on record when a corrective measure became available, or when the organisation was aware
    Times {
        #[command(flatten)]
        case: CaseArgs,
        /// When a corrective or mitigating measure became available (RFC 3339)
        #[arg(long)]
        corrected: Option<api::wire::scalar::Timestamp>,
        /// When the organisation became aware (RFC 3339)
        #[arg(long)]
        aware: Option<api::wire::scalar::Timestamp>,
    },
    /// Draft a report from what is known, in the language of --language
    Draft {
        #[command(flatten)]
        case: CaseArgs,
        /// early-warning, notification, final-report
        report: String,
    },
    /// Close a case
    Close {
        #[command(flatten)]
        case: CaseArgs,
        /// Why
        why: String,
    },
}

#[derive(Debug, Args)]
pub struct CaseArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Organisation
    pub organisation: String,
    /// Case
    pub case: String,
}
