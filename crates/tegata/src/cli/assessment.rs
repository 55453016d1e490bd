//! Catalogues, check sheet and diagnoses: offline commands on files.

use assessment::{Day, Layer, Phase};
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum CatalogueCommand {
    /// The catalogues; with a name, its records; with --json, one object per record
    List {
        /// Short name of a catalogue
        catalogue: Option<String>,
    },
    /// A record in full, with what it relates to and the items that verify it
    Show {
        /// Reference, as in etsi-en-303-645:5.1-1
        reference: String,
    },
    /// What meeting the first catalogue says about each record of the second
    Diff {
        /// Short name of the catalogue that is met
        from: String,
        /// Short name of the catalogue that is asked about
        to: String,
    },
    /// Print a catalogue as OSCAL 1.2
    Oscal {
        /// Short name of the catalogue
        catalogue: String,
        /// The day that the document bears (YYYY-MM-DD); today otherwise
        #[arg(long, value_parser = day)]
        at: Option<Day>,
    },
    /// What a diagnosis covers in each catalogue, and what is missing
    Coverage(CoverageArgs),
}

#[derive(Debug, Args)]
pub struct CoverageArgs {
    /// The diagnosis
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Only this catalogue, clause by clause
    #[arg(long)]
    pub catalogue: Option<String>,
    /// Only clauses that are neither met nor out of question
    #[arg(long)]
    pub missing: bool,
    /// Judge evidence as of this day (YYYY-MM-DD), not today
    #[arg(long, value_parser = day)]
    pub at: Option<Day>,
}

#[derive(Debug, Subcommand)]
pub enum ChecksheetCommand {
    /// Items of the check sheet; with --json, one object per item
    Items {
        /// Only this layer: service, platform, network, device
        #[arg(long, value_parser = layer)]
        layer: Option<Layer>,
        /// Only this phase, as in software-design
        #[arg(long, value_parser = phase)]
        phase: Option<Phase>,
    },
    /// An item in full
    Show {
        /// Id, as in DEV-SWD-01
        item: String,
    },
    /// Print an empty diagnosis to fill in, with every item as a comment
    New {
        /// The product
        #[arg(long)]
        product: String,
        /// Which version of it is looked at
        #[arg(long)]
        subject: String,
        /// Day of the diagnosis (YYYY-MM-DD); today otherwise
        #[arg(long, value_parser = day)]
        on: Option<Day>,
    },
    /// Fulfilled, claimed and answered, by layer and phase, and how far the sign-off is
    Score(DiagnosisArgs),
    /// What is to be done, the heaviest first
    Gaps(DiagnosisArgs),
    /// Print a Markdown page of a diagnosis, for documentation
    Page(DiagnosisArgs),
    /// What changed between two diagnoses of a product, first what got worse
    Compare {
        /// The earlier one
        #[arg(value_hint = ValueHint::FilePath)]
        before: PathBuf,
        /// The later one
        #[arg(value_hint = ValueHint::FilePath)]
        after: PathBuf,
    },
    /// Write a diagnosis as an XLSX workbook, for people who fill check sheets in with Excel
    Export {
        /// The diagnosis
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// The workbook; it must not exist yet
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: PathBuf,
    },
    /// Print the diagnosis that a workbook holds; what is wrong with it is told by sheet and row
    Import {
        /// The workbook
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Print a diagnosis as OSCAL 1.2
    Oscal {
        #[command(flatten)]
        diagnosis: DiagnosisArgs,
        /// Which model of OSCAL
        #[arg(long)]
        model: OscalModel,
        /// Only this catalogue (repeat for more); a profile is of exactly one
        #[arg(long)]
        catalogue: Vec<String>,
    },
    /// Print the diagnosis that OSCAL assessment results hold; what is not understood goes to stderr
    FromOscal {
        /// The document
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Stand for a diagnosis as it is; two different people are needed. Rewrites the file
    Sign {
        /// The diagnosis
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Your name
        #[arg(long = "as", value_name = "NAME")]
        name: String,
    },
}

/// Models of OSCAL that a diagnosis becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OscalModel {
    /// What was found
    Results,
    /// What is to be done
    Poam,
    /// What the product does for controls
    Component,
    /// The controls that concern the product
    Profile,
}

#[derive(Debug, Args)]
pub struct DiagnosisArgs {
    /// The diagnosis
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Judge evidence as of this day (YYYY-MM-DD), not today
    #[arg(long, value_parser = day)]
    pub at: Option<Day>,
}

pub(super) fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| "a day is YYYY-MM-DD".to_owned())
}

fn layer(text: &str) -> Result<Layer, String> {
    let all: Vec<&str> = Layer::ALL.iter().map(|one| one.word()).collect();
    Layer::of_word(text).ok_or_else(|| format!("a layer is one of {}", all.join(", ")))
}

fn phase(text: &str) -> Result<Phase, String> {
    let all: Vec<&str> = Phase::ALL.iter().map(|one| one.word()).collect();
    Phase::of_word(text).ok_or_else(|| format!("a phase is one of {}", all.join(", ")))
}
