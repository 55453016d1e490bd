//! Commands about releases on a server (docs/release.md).

use super::ServerArgs;
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum ReleaseCommand {
    /// Begin the draft of a release
    Create(CreateArgs),
    /// Upload a file; repeated after an interruption, it goes on where it was
    Upload {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// File
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Upload a file and add it to a draft
    Add {
        #[command(flatten)]
        server: ServerArgs,
        /// Release
        release: String,
        /// File
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Its name within the release; the file's own otherwise
        #[arg(long)]
        name: Option<String>,
        /// Kind of hardware that it is for, where not all of the release's; may be repeated
        #[arg(long = "hardware-id")]
        hardware_ids: Vec<String>,
        /// Seal it, and hand its content key to the platform
        #[arg(long)]
        seal: bool,
    },
    /// Make what leads from the image of an earlier release to that of a draft, and add it
    Delta(super::release_sealed::DeltaArgs),
    /// Hand the content key of a sealed file to the platform, which wraps it for assigned devices
    ContentKey(super::release_sealed::ContentKeyArgs),
    /// Bring tickets for a sealed file whose content key stays here
    Tickets(super::release_sealed::TicketsArgs),
    /// Upload an SBOM, test results or provenance and attach it to a draft
    Attach {
        #[command(flatten)]
        server: ServerArgs,
        /// Release
        release: String,
        /// What it is
        kind: AttachmentArg,
        /// File
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Its name among those of its kind; the file's own otherwise
        #[arg(long)]
        name: Option<String>,
    },
    /// Take a file out of a draft
    Remove {
        #[command(flatten)]
        server: ServerArgs,
        /// Release
        release: String,
        /// The file's name within the release
        name: String,
    },
    /// Take an attachment off a draft
    Detach {
        #[command(flatten)]
        server: ServerArgs,
        /// Release
        release: String,
        /// What it is
        kind: AttachmentArg,
        /// Its name
        name: String,
    },
    /// List releases, newest first
    List {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Of one product line
        #[arg(long)]
        product: Option<String>,
        /// draft, published or withdrawn
        #[arg(long)]
        state: Option<String>,
    },
    /// Show a release
    Show {
        #[command(flatten)]
        server: ServerArgs,
        /// Release
        release: String,
    },
    /// Say what the gate of its product says of a release (exit status 2 where something is open)
    Check {
        #[command(flatten)]
        server: ServerArgs,
        /// Release
        release: String,
    },
    /// Publish a draft that passes its gate
    Publish {
        #[command(flatten)]
        server: ServerArgs,
        /// Release
        release: String,
        /// Why open items of the gate are no obstacle
        #[arg(long)]
        overrule: Option<String>,
    },
    /// Withdraw a published release: it is not to be installed any more
    Withdraw {
        #[command(flatten)]
        server: ServerArgs,
        /// Release
        release: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Discard a draft
    Discard {
        #[command(flatten)]
        server: ServerArgs,
        /// Release
        release: String,
    },
    /// Get the proof that the log holds a published release, and check it
    Proof {
        #[command(flatten)]
        server: ServerArgs,
        /// Release
        release: String,
        /// Write the statement that the log commits to
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: Option<PathBuf>,
    },
    /// Show or change what a product's releases must have
    Gate(GateArgs),
    /// Draft the targets metadata that name every file of published releases, to be signed offline
    DraftTargets {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Folder of `tegata update`: the draft goes to its `staged`
        #[arg(long, default_value = "updates", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
        /// targets, or a delegated role
        #[arg(long, default_value = "targets")]
        role: String,
        /// For how many days they are to be good
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=366))]
        days: u32,
    },
    /// Metadata that were signed offline
    #[command(subcommand)]
    Metadata(MetadataCommand),
    /// The organisation's image repository
    #[command(subcommand)]
    Repository(RepositoryCommand),
    /// The organisation's director: what signs for each device what it shall run
    #[command(subcommand)]
    Director(super::director::DirectorCommand),
}

/// What an attachment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AttachmentArg {
    /// Software bill of materials: CycloneDX, SPDX
    Sbom,
    /// Test results: JUnit XML
    Tests,
    /// Where files come from: in-toto statements, SLSA provenance
    Provenance,
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Organisation
    pub organisation: String,
    /// Product line
    pub product: String,
    /// Version for people
    pub version: String,
    /// Grows only when a release mends a vulnerability
    #[arg(long)]
    pub security_version: u64,
    /// Grows with every release; the next one otherwise
    #[arg(long)]
    pub release_counter: Option<u64>,
    /// Kind of hardware that it is for; may be repeated
    #[arg(long = "hardware-id", required = true)]
    pub hardware_ids: Vec<String>,
    /// File with what is new, for people
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub notes_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct GateArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Organisation
    pub organisation: String,
    /// Product line
    pub product: String,
    /// Want an SBOM that describes the product in this version
    #[arg(long)]
    pub sbom: Option<bool>,
    /// Want test results
    #[arg(long)]
    pub tests: Option<bool>,
    /// Want provenance of every file
    #[arg(long)]
    pub provenance: Option<bool>,
    /// Want no vulnerability that is known to be exploited
    #[arg(long)]
    pub not_exploited: Option<bool>,
    /// Least security version
    #[arg(long)]
    pub security_floor: Option<u64>,
    /// Name of the component that the SBOM describes; an empty one takes it back
    #[arg(long)]
    pub component: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum MetadataCommand {
    /// Publish the drafts of a folder that are signed; what is published comes back into the folder
    Push {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Folder of `tegata update`
        #[arg(long, default_value = "updates", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
    /// Get what is published into a folder, so that a signing machine sees it
    Pull {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Folder of `tegata update`
        #[arg(long, default_value = "updates", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub enum RepositoryCommand {
    /// Begin it: the server makes the keys of snapshot and timestamp
    Begin(RepositoryArgs),
    /// Show it, and what ends soon (exit status 2)
    Show(RepositoryArgs),
    /// Write the public keys of snapshot and timestamp, for the root to name
    Keys {
        #[command(flatten)]
        which: RepositoryArgs,
        /// Make new ones first, for the next root
        #[arg(long)]
        new: bool,
        /// Folder to write `snapshot.json` and `timestamp.json` to
        #[arg(long, default_value = "keys", value_hint = ValueHint::DirPath)]
        out: PathBuf,
    },
    /// Let everybody read metadata and images, over plain HTTP too
    Open(RepositoryArgs),
    /// Let only devices and members read metadata and images, by certificate
    Close(RepositoryArgs),
}

#[derive(Debug, Args)]
pub struct RepositoryArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Organisation
    pub organisation: String,
}
