//! Every command and flag, each defined once.

pub mod alert;
pub mod assessment;
pub mod behaviour;
pub mod bundle;
mod ca;
pub mod campaign;
mod device;
pub mod diagnosis;
pub mod director;
pub mod fleet;
pub mod import;
mod log;
pub mod message;
pub mod mud;
pub mod operation;
mod org;
mod passport;
mod person;
mod platform;
pub mod policy;
mod product;
pub mod purpose;
pub mod release;
pub mod release_sealed;
pub mod route;
pub mod schema;
pub mod sealed;
mod server;
pub mod sim;
pub mod threat;
pub mod threat_impact;
pub mod threat_kept;
mod trial;
pub mod trust_bundle;
pub mod update;
pub mod update_token;
pub mod vulnerabilities;
pub mod vulnerability;

pub use ca::CaCommand;
pub use device::{DeviceCommand, EstArgs};
pub use log::{LogCommand, WitnessArgs, WitnessCommand};
pub use org::OrgCommand;
pub use passport::{EventCommand, PassportCommand, VerifyArgs};
pub use person::{ApprovalCommand, PersonCommand, TokenCommand};
pub use platform::{AuditCommand, OwnKeyArg, PlatformCommand, StreamCommand};
pub use product::{ChangeArgs, LabelArgs, ProductCommand, SheetArgs};
pub use server::{InitArgs, ServeArgs};
pub use trial::{BenchArgs, BenchWhat, DemoArgs};

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

/// Device passports: identity, history, verdict.
#[derive(Debug, Parser)]
#[command(name = "tegata", version, about, long_about = None)]
#[command(arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    /// Print JSON: one document, or one object per line for lists
    #[arg(long, global = true)]
    pub json: bool,
    /// Language of texts for people
    #[arg(long, visible_alias = "lang", global = true, env = "TEGATA_LANGUAGE", value_enum, default_value_t = Language::En)]
    pub language: Language,
    #[command(subcommand)]
    pub command: Command,
}

/// Language of texts for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// English
    En,
    /// 日本語
    Ja,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Play the whole life of a fleet through a real server on loopback, attackers included
    Demo(DemoArgs),
    /// Make a data directory: root ceremony, issuing CAs, log key, first administrator
    Init(InitArgs),
    /// Serve REST, EST, OCSP, CRLs and the log
    Serve(Box<ServeArgs>),
    /// Root ceremony and issuing CAs
    #[command(subcommand)]
    Ca(CaCommand),
    /// Organisations, their members and their signing keys
    #[command(subcommand)]
    Org(OrgCommand),
    /// Product lines
    #[command(subcommand)]
    Product(ProductCommand),
    /// Devices: register, enrol, prove, judge, suspend, revoke, share
    #[command(subcommand)]
    Device(DeviceCommand),
    /// Searches that you named
    #[command(subcommand)]
    View(fleet::ViewCommand),
    /// One act on many devices
    #[command(subcommand)]
    Job(fleet::JobCommand),
    /// Updates of many devices, stage by stage
    #[command(subcommand)]
    Campaign(campaign::CampaignCommand),
    /// The fleet at a glance
    Overview(fleet::OverviewArgs),
    /// Life events: make, sign, report, list
    #[command(subcommand)]
    Event(EventCommand),
    /// Passport files
    #[command(subcommand)]
    Passport(PassportCommand),
    /// Judge a passport file offline, with nothing but trusted roots and log keys
    Verify(VerifyArgs),
    /// Software bills of materials: what a release is made of, and what of it is vulnerable
    #[command(subcommand)]
    Sbom(vulnerability::SbomCommand),
    /// Advisories (OSV, CSAF, KEV): what they say, and which SBOMs they affect
    #[command(subcommand)]
    Advisory(vulnerability::AdvisoryCommand),
    /// Statements about exploitability (OpenVEX, CycloneDX, CSAF)
    #[command(subcommand)]
    Vex(vulnerability::VexCommand),
    /// Vulnerabilities of an organisation's products: advisories in, what they mean, statements
    #[command(subcommand)]
    Vulnerability(vulnerabilities::VulnerabilityCommand),
    /// Catalogues of requirements: records, relations, what a diagnosis covers; works without a server
    #[command(subcommand)]
    Catalogue(assessment::CatalogueCommand),
    /// The check sheet and diagnoses of products by it; works without a server
    #[command(subcommand)]
    Checksheet(assessment::ChecksheetCommand),
    /// Diagnoses of products on a server: answers, figures, sign-off by two people
    #[command(subcommand)]
    Diagnosis(diagnosis::DiagnosisCommand),
    /// Threat models: what threatens a product, with risk, drawings and trees; on files, or kept by a server
    #[command(subcommand)]
    Threat(threat::ThreatCommand),
    /// Whether product lines may be in operation, live evidence, approved components
    #[command(subcommand)]
    Operation(operation::OperationCommand),
    /// The gate of a build pipeline: what a version must have, from files or a server; exit code 2: closed
    Gate(operation::GateArgs),
    /// Policies for the doors: what devices may publish and hear beyond their own space; `test` works on
    /// files, too
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Schemas for payloads: what devices may say on a topic, in JSON Schema, CDDL or Protobuf; `test`
    /// works on files, too
    #[command(subcommand)]
    Schema(schema::SchemaCommand),
    /// Messages that their device signed: sign and verify, on files
    #[command(subcommand)]
    Message(message::MessageCommand),
    /// What data of a product line's devices is for, in the words of its maker
    #[command(subcommand)]
    Purpose(purpose::PurposeCommand),
    /// What an owner agrees to: consent to purposes of its devices' data, given and withdrawn
    #[command(subcommand)]
    Consent(purpose::ConsentCommand),
    /// Trust between devices without the platform: what the owner chooses, the bundles that devices are given
    #[command(subcommand)]
    TrustBundle(trust_bundle::TrustBundleCommand),
    /// The verifiable log: checkpoint, proofs, audit
    #[command(subcommand)]
    Log(LogCommand),
    /// Updates by The Update Framework: keys, releases, signatures; works without a server
    #[command(subcommand)]
    Update(update::UpdateCommand),
    /// Releases on a server: files, gate, publication, image repository
    #[command(subcommand)]
    Release(release::ReleaseCommand),
    /// Run an independent witness that refuses a forked log
    Witness(WitnessArgs),
    /// Messages of an organisation's devices at each door, in spans of five minutes
    Traffic(route::TrafficArgs),
    /// Routes: rules that send messages of devices on
    #[command(subcommand)]
    Route(route::RouteCommand),
    /// Alerts: what left what is expected, what to do about it, and their rules
    #[command(subcommand)]
    Alert(alert::AlertCommand),
    /// Profiles: what devices usually do, learned of them; what leaves it raises alerts
    #[command(subcommand)]
    Profile(behaviour::ProfileCommand),
    /// Manufacturers' usage descriptions (RFC 8520): which connections a maker says its devices need
    #[command(subcommand)]
    Mud(mud::MudCommand),
    /// Security events of the platform
    #[command(subcommand)]
    Audit(AuditCommand),
    /// People who sign in to the console: invite, change, remove, recover
    #[command(subcommand)]
    Person(PersonCommand),
    /// What waits for a second person, and which acts need one
    #[command(subcommand)]
    Approval(ApprovalCommand),
    /// Short-lived tokens bound to a client certificate
    #[command(subcommand)]
    Token(TokenCommand),
    /// The platform's own keys
    #[command(subcommand)]
    Platform(PlatformCommand),
    /// Measure against the limits of this machine
    Bench(BenchArgs),
    /// Play fleets of devices, attackers included, against a server
    #[command(subcommand)]
    Sim(sim::SimCommand),
    /// Explain a term of IoT security, or list them all
    Glossary {
        /// Term, or a part of its explanation
        term: Option<String>,
    },
    /// Print a completion script for a shell
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
    /// Write man pages
    Man {
        /// Folder
        #[arg(value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
}

/// How sealed keys open.
#[derive(Debug, Args, Clone)]
#[group(multiple = false)]
pub struct UnlockArgs {
    /// File that holds the passphrase (its last line break does not count)
    #[arg(long, env = "TEGATA_PASSPHRASE_FILE", value_hint = ValueHint::FilePath)]
    pub passphrase_file: Option<PathBuf>,
    /// Key file of at least 32 random bytes; `<DIR>/seal.key` is used and made if neither is given
    #[arg(long, env = "TEGATA_KEY_FILE", value_hint = ValueHint::FilePath)]
    pub key_file: Option<PathBuf>,
}

/// Which server to talk to, and as whom.
#[derive(Debug, Args, Clone)]
pub struct ServerArgs {
    /// Address of the server
    #[arg(long, env = "TEGATA_SERVER", default_value = "https://localhost:8443", value_hint = ValueHint::Url)]
    pub server: String,
    /// Credential: certificate chain and private key in one PEM file
    #[arg(long, env = "TEGATA_CREDENTIAL", default_value = "admin.pem", value_hint = ValueHint::FilePath)]
    pub credential: PathBuf,
    /// Trusted root certificates in PEM
    #[arg(long, env = "TEGATA_ROOTS", default_value = "root.pem", value_hint = ValueHint::FilePath)]
    pub roots: PathBuf,
}

/// The data directory, worked on without a server.
#[derive(Debug, Args, Clone)]
pub struct LocalArgs {
    /// Data directory; no server may run on it
    #[arg(long, env = "TEGATA_DIR", default_value = "tegata-data", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    #[command(flatten)]
    pub unlock: UnlockArgs,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    /// What clap finds only when a command is used: names and options that collide.
    #[test]
    fn every_command_is_well_formed() {
        let mut cli = Cli::command();
        cli.build();
        cli.debug_assert();
    }
}
