//! Commands about diagnoses on a server (docs/assessment.md).

use super::{ServerArgs, assessment::OscalModel};
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

/// Forms of a diagnosis as a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FileForm {
    /// The canonical file
    Yaml,
    /// A workbook
    Xlsx,
    /// OSCAL 1.2 in JSON
    Oscal,
}

#[derive(Debug, Subcommand)]
pub enum DiagnosisCommand {
    /// Open a diagnosis of a product against the check sheet of now
    Open {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Product line
        #[arg(long)]
        product: String,
        /// Which version of it is looked at
        #[arg(long)]
        subject: String,
        /// Take the answers of this diagnosis over; evidence only where the subject is the same
        #[arg(long)]
        from: Option<String>,
    },
    /// Diagnoses of an organisation, newest first
    List {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Only of this product line
        #[arg(long)]
        product: Option<String>,
    },
    /// A diagnosis, counted by layer, phase and catalogue
    Show {
        #[command(flatten)]
        server: ServerArgs,
        /// Diagnosis
        diagnosis: String,
    },
    /// Items as they stand
    Items(ItemsArgs),
    /// What stands under an item, a clause or a feature
    Topic {
        #[command(flatten)]
        server: ServerArgs,
        /// Diagnosis
        diagnosis: String,
        /// Item, clause or feature, as in DEV-SWD-01
        topic: String,
    },
    /// Answer an item or a clause, or say that a feature is absent
    Answer(AnswerArgs),
    /// What is to be done, the heaviest first
    Gaps {
        #[command(flatten)]
        server: ServerArgs,
        /// Diagnosis
        diagnosis: String,
    },
    /// The clauses of a catalogue, judged
    Coverage {
        #[command(flatten)]
        server: ServerArgs,
        /// Diagnosis
        diagnosis: String,
        /// Short name of the catalogue
        catalogue: String,
    },
    /// Who changed what, newest first
    History {
        #[command(flatten)]
        server: ServerArgs,
        /// Diagnosis
        diagnosis: String,
        /// Only this item, clause or feature
        #[arg(long)]
        topic: Option<String>,
    },
    /// What changed since another diagnosis of the product
    Compare {
        #[command(flatten)]
        server: ServerArgs,
        /// The later one
        diagnosis: String,
        /// The earlier one; the last that was signed otherwise
        #[arg(long)]
        with: Option<String>,
    },
    /// Write the diagnosis as a file: YAML, a workbook (.xlsx) or OSCAL in JSON (.json)
    Export {
        #[command(flatten)]
        server: ServerArgs,
        /// Diagnosis
        diagnosis: String,
        /// The form of the file, where its name does not say it
        #[arg(long, value_enum)]
        format: Option<FileForm>,
        /// Which model of OSCAL; results of all catalogues can be imported again
        #[arg(long, value_enum)]
        model: Option<OscalModel>,
        /// Only this catalogue; a profile is of one
        #[arg(long)]
        catalogue: Option<String>,
        /// The file; it must not exist yet
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: PathBuf,
    },
    /// Write what the diagnosis says, to be printed
    Report {
        #[command(flatten)]
        server: ServerArgs,
        /// Diagnosis
        diagnosis: String,
        /// Whom it is for: two pages, or every item with its evidence
        #[arg(long, value_enum, default_value_t = ReportFor::Managers)]
        audience: ReportFor,
        /// One page of HTML that needs nothing else, or PDF on A4
        #[arg(long, value_enum, default_value_t = ReportAs::Html)]
        format: ReportAs,
        /// The file; it must not exist yet
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: PathBuf,
    },
    /// Show what the answers of a file would change; with --apply, change it
    Import {
        #[command(flatten)]
        server: ServerArgs,
        /// Diagnosis
        diagnosis: String,
        /// YAML, a workbook (.xlsx), or OSCAL assessment results in JSON (.json)
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// The form of the file, where its name does not say it
        #[arg(long, value_enum)]
        format: Option<FileForm>,
        /// Take away what the file does not answer
        #[arg(long)]
        replace: bool,
        /// Make the changes, where the diagnosis is still at this version
        #[arg(long, value_name = "VERSION")]
        apply: Option<u64>,
    },
    /// Go on against the check sheet of now
    AdoptSheet {
        #[command(flatten)]
        server: ServerArgs,
        /// Diagnosis
        diagnosis: String,
    },
    /// Sign a diagnosis; another administrator has to approve it
    Sign {
        #[command(flatten)]
        server: ServerArgs,
        /// Diagnosis
        diagnosis: String,
        /// Digest of the answers that you read, as `tegata diagnosis show` prints it
        #[arg(long)]
        content: String,
    },
    /// Check that the log holds a signed diagnosis
    Proof {
        #[command(flatten)]
        server: ServerArgs,
        /// Diagnosis
        diagnosis: String,
    },
    /// Discard a diagnosis that is not signed
    Discard {
        #[command(flatten)]
        server: ServerArgs,
        /// Diagnosis
        diagnosis: String,
    },
}

#[derive(Debug, Args)]
pub struct ItemsArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Diagnosis
    pub diagnosis: String,
    /// Only this layer: service, platform, network, device
    #[arg(long)]
    pub layer: Option<String>,
    /// Only this phase, as in software-design
    #[arg(long)]
    pub phase: Option<String>,
    /// Only those that stand so: met, claimed, expired, partly, not-met, open, not-applicable
    #[arg(long)]
    pub state: Option<String>,
    /// Only those that this person sees to
    #[arg(long)]
    pub owner: Option<String>,
    /// Only those that hold all of these words
    #[arg(long)]
    pub text: Option<String>,
}

#[derive(Debug, Args)]
pub struct AnswerArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Diagnosis
    pub diagnosis: String,
    /// Item, clause or feature, as in DEV-SWD-01
    pub topic: String,
    /// met, partly, not-met, not-applicable; absent for a feature that the product does not have;
    /// nothing to take the answer away
    #[arg(long = "as", value_name = "ANSWER")]
    pub answer: Option<String>,
    /// Why it is not applicable, or absent
    #[arg(long)]
    pub reason: Option<String>,
    /// Who sees to what is missing
    #[arg(long)]
    pub owner: Option<String>,
    /// Until when (YYYY-MM-DD)
    #[arg(long)]
    pub due: Option<String>,
    /// Anything else
    #[arg(long)]
    pub comment: Option<String>,
    /// What supports the answer; what supported it before goes on to count
    #[arg(long, requires = "on")]
    pub evidence: Option<String>,
    /// File whose SHA-256 goes with the evidence
    #[arg(long, requires = "evidence", value_hint = ValueHint::FilePath)]
    pub document: Option<PathBuf>,
    /// Day of the evidence (YYYY-MM-DD)
    #[arg(long, requires = "evidence")]
    pub on: Option<String>,
    /// Last day on which the evidence counts (YYYY-MM-DD)
    #[arg(long, requires = "evidence")]
    pub until: Option<String>,
    /// Version of the topic that you read; without it, that of now
    #[arg(long)]
    pub version: Option<u64>,
}

/// Whom a report is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFor {
    /// verdict, scores, heaviest gaps, deadlines
    Managers,
    /// every item with its evidence
    Engineers,
}

/// Form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportAs {
    /// HTML
    Html,
    /// PDF
    Pdf,
}
