//! Every command and flag, each defined once.

pub mod fleet;
pub mod import;
pub mod update;
pub mod vulnerability;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use std::{net::SocketAddr, path::PathBuf};

/// Device passports: identity, history, verdict.
#[derive(Debug, Parser)]
#[command(name = "tegata", version, about, long_about = None, propagate_version = true)]
#[command(arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    /// Print JSON: one document, or one object per line for lists
    #[arg(long, global = true)]
    pub json: bool,
    /// Language of texts for people
    #[arg(long, global = true, env = "TEGATA_LANGUAGE", value_enum, default_value_t = Language::En)]
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
    Serve(ServeArgs),
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
    /// The verifiable log: checkpoint, proofs, audit
    #[command(subcommand)]
    Log(LogCommand),
    /// Updates by The Update Framework: keys, releases, signatures; works without a server
    #[command(subcommand)]
    Update(update::UpdateCommand),
    /// Run an independent witness that refuses a forked log
    Witness(WitnessArgs),
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

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// How many genuine devices to play, attackers not counted
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    pub devices: u32,
    /// Where to keep the data; a temporary folder otherwise
    #[arg(long, value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
    /// Leave the server running for a look, until Ctrl-C
    #[arg(long)]
    pub stay: bool,
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

#[derive(Debug, Args)]
pub struct InitArgs {
    /// Data directory to make
    #[arg(long, env = "TEGATA_DIR", default_value = "tegata-data", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    #[command(flatten)]
    pub unlock: UnlockArgs,
    /// Folder for the sealed root key and its certificate: take it offline afterwards
    #[arg(long, value_hint = ValueHint::DirPath)]
    pub root: PathBuf,
    /// Passphrase file for the root key, which must not open with the server's key
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub root_passphrase_file: PathBuf,
    /// Name of this installation, in the log's origin and certificates
    #[arg(long, default_value = "tegata.local")]
    pub name: String,
    /// DNS names and addresses of the server, for its certificate
    #[arg(long = "host", default_values = ["localhost", "127.0.0.1"])]
    pub hosts: Vec<String>,
    /// Algorithm of the root and issuing CAs
    #[arg(long, default_value = "p256")]
    pub algorithm: crypto::KeyAlgorithm,
    /// Where to write the first administrator's credential (certificate chain and key, PEM)
    #[arg(long, default_value = "admin.pem", value_hint = ValueHint::FilePath)]
    pub admin: PathBuf,
    /// vkey of a witness whose cosignature every checkpoint needs (repeat for more)
    #[arg(long = "witness-key")]
    pub witness_keys: Vec<String>,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Data directory
    #[arg(long, env = "TEGATA_DIR", default_value = "tegata-data", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    #[command(flatten)]
    pub unlock: UnlockArgs,
    /// Address for TLS: REST, EST, log
    #[arg(long, env = "TEGATA_LISTEN", default_value = "127.0.0.1:8443")]
    pub listen: SocketAddr,
    /// Address for plain HTTP: signed public data only (OCSP, CRLs, CA certificates, log)
    #[arg(long, env = "TEGATA_LISTEN_PUBLIC", default_value = "127.0.0.1:8080")]
    pub listen_public: SocketAddr,
    /// Address of the console for people; `off` for none. Plain HTTP on loopback, TLS elsewhere
    #[arg(long, env = "TEGATA_CONSOLE", default_value = "127.0.0.1:8081")]
    pub console: ConsoleAddress,
    /// URL that people type for the console; its host becomes part of every passkey
    #[arg(long, env = "TEGATA_CONSOLE_URL", value_hint = ValueHint::Url)]
    pub console_url: Option<String>,
    /// Certificate chain in PEM that browsers trust, for the console
    #[arg(long, env = "TEGATA_CONSOLE_CERTIFICATE", requires = "console_key", value_hint = ValueHint::FilePath)]
    pub console_certificate: Option<PathBuf>,
    /// Private key in PEM of that certificate
    #[arg(long, env = "TEGATA_CONSOLE_KEY", requires = "console_certificate", value_hint = ValueHint::FilePath)]
    pub console_key: Option<PathBuf>,
    /// Minutes without a request after which a person's session ends, 1 to 60
    #[arg(long, env = "TEGATA_SESSION_IDLE", default_value_t = 15, value_parser = clap::value_parser!(i64).range(1..=60))]
    pub session_idle: i64,
    /// DNS names and addresses in the server's certificate
    #[arg(long = "host", default_values = ["localhost", "127.0.0.1"])]
    pub hosts: Vec<String>,
    /// URL under which devices reach the public address, as certificates carry it
    #[arg(long)]
    pub public_url: Option<String>,
    /// URL of a witness (repeat for more)
    #[arg(long = "witness")]
    pub witnesses: Vec<String>,
    /// Stop when standard input is closed: for a program that starts a server of its own, whose end
    /// the server must not outlive however it comes
    #[arg(long)]
    pub stop_with_stdin: bool,
    /// Table of networks and their places, for the public page: CSV of network,latitude,longitude
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub public_places: Option<PathBuf>,
    /// Network of a proxy in front of the public page whose headers are believed (repeat for more)
    #[arg(long = "trusted-proxy")]
    pub trusted_proxies: Vec<String>,
    /// Requests a second from one address (an IPv6 /64 network), twice as many at once: more where
    /// many devices share one, behind a gateway or in a load test
    #[arg(long, env = "TEGATA_REQUESTS_PER_SOURCE", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub requests_per_source: u32,
    /// How long the export of a passport waits for witnesses, in milliseconds
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u64).range(0..=20_000))]
    pub cosignature_wait_ms: u64,
    /// Hand out passports that too few witnesses cosigned, instead of refusing
    #[arg(long)]
    pub passports_unwitnessed: bool,
    /// hwType of IDevIDs (RFC 4108): an object identifier below your enterprise number, such as
    /// 1.3.6.1.4.1.NUMBER.1.1
    #[arg(long, env = "TEGATA_HARDWARE_TYPE")]
    pub hardware_type: Option<HardwareType>,
}

/// An object identifier that names a type of hardware.
#[derive(Debug, Clone, Copy)]
pub struct HardwareType(pub pki::ObjectIdentifier);

impl std::str::FromStr for HardwareType {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let oid = pki::ObjectIdentifier::new(text)
            .map_err(|_| format!("{text:?} is not an object identifier such as 1.3.6.1.4.1.X.1"))?;
        // A private enterprise arc and something below it (IANA: 1.3.6.1.4.1).
        let below = text.strip_prefix("1.3.6.1.4.1.").is_some_and(|rest| rest.contains('.'));
        if text.starts_with("1.3.6.1.4.1.") && !below {
            return Err("name something below the enterprise number, not the number itself".into());
        }
        Ok(Self(oid))
    }
}

/// Where the console listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsoleAddress(pub Option<SocketAddr>);

impl std::str::FromStr for ConsoleAddress {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self(None)),
            address => address.parse().map(|address| Self(Some(address))),
        }
    }
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

#[derive(Debug, Subcommand)]
pub enum CaCommand {
    /// Make a root key and certificate: sealed, meant to be taken offline
    Root {
        /// Folder for root.pem and root.sealed
        #[arg(long, value_hint = ValueHint::DirPath)]
        out: PathBuf,
        /// Passphrase file
        #[arg(long, value_hint = ValueHint::FilePath)]
        passphrase_file: PathBuf,
        /// Common name
        #[arg(long)]
        name: String,
        /// Organisation
        #[arg(long)]
        organisation: String,
        /// Algorithm
        #[arg(long, default_value = "p384")]
        algorithm: crypto::KeyAlgorithm,
        /// Years until it expires; 0: no well-defined end, as IDevIDs that last for ever need it
        #[arg(long, default_value_t = 0)]
        years: u16,
    },
    /// Make a key for an issuing CA, sealed at the server, and a request for the root ceremony
    Request {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation that the CA is for
        organisation: String,
        /// Product line, for a CA of chip certificates and IDevIDs; an owner's CA otherwise
        #[arg(long)]
        product: Option<String>,
        /// Common name
        #[arg(long)]
        name: String,
        /// Algorithm
        #[arg(long, default_value = "p256")]
        algorithm: crypto::KeyAlgorithm,
        /// Years until it expires; 0: as long as the root
        #[arg(long, default_value_t = 10)]
        years: u16,
        /// Where to write the request
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: PathBuf,
    },
    /// Sign a request with the root key, where that is
    Sign {
        /// Folder with root.pem and root.sealed
        #[arg(long, value_hint = ValueHint::DirPath)]
        root: PathBuf,
        /// Passphrase file of the root key
        #[arg(long, value_hint = ValueHint::FilePath)]
        passphrase_file: PathBuf,
        /// The request
        #[arg(long, value_hint = ValueHint::FilePath)]
        request: PathBuf,
        /// Where to write the certificate
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: PathBuf,
        /// Do not ask whether the summary is right
        #[arg(long)]
        yes: bool,
    },
    /// Make the root's CRL, which says which issuing CAs are revoked
    Crl {
        /// Folder with root.pem and root.sealed
        #[arg(long, value_hint = ValueHint::DirPath)]
        root: PathBuf,
        /// Passphrase file of the root key
        #[arg(long, value_hint = ValueHint::FilePath)]
        passphrase_file: PathBuf,
        /// Certificate of an issuing CA that is revoked, PEM (repeat for more)
        #[arg(long, value_hint = ValueHint::FilePath)]
        revoked: Vec<PathBuf>,
        /// Days until the next one
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=1825))]
        days: u16,
        /// Where to write the CRL, DER
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: PathBuf,
    },
    /// Put a signed issuing CA certificate to work
    Install {
        #[command(flatten)]
        server: ServerArgs,
        /// The certificate, PEM
        #[arg(long, value_hint = ValueHint::FilePath)]
        certificate: PathBuf,
    },
    /// Write the request of a CA that waits for the ceremony once more
    Again {
        #[command(flatten)]
        server: ServerArgs,
        /// The CA, as the list names it
        id: String,
        /// Where to write the request
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: PathBuf,
    },
    /// Bring the root's CRL: CAs that it names are revoked from now on
    ImportCrl {
        #[command(flatten)]
        server: ServerArgs,
        /// The CRL, DER
        #[arg(long, value_hint = ValueHint::FilePath)]
        crl: PathBuf,
    },
    /// List issuing CAs
    List {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
    },
    /// Every use of CA and other platform keys
    Uses {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// What breaks the key policy, now or soon
    Policy {
        #[command(flatten)]
        server: ServerArgs,
    },
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

#[derive(Debug, Subcommand)]
pub enum OrgCommand {
    /// Let an organisation join
    Create {
        #[command(flatten)]
        server: ServerArgs,
        /// Identifier: lower-case letters, digits, hyphens
        id: String,
        /// Name, as people write it
        #[arg(long)]
        name: String,
        /// What the registry knows about it (repeat for more)
        #[arg(long = "role", value_enum)]
        roles: Vec<OrganisationRoleArg>,
    },
    /// Say whether an organisation has its first administrator, whom the platform invites
    First {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
    },
    /// Confirm an authority that another administrator of the platform registered
    Confirm {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
    },
    /// List organisations
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Make a key that signs life events, and register it
    AddSigner {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Where to write the private key (PKCS#8 PEM), readable by you only
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: PathBuf,
        /// Algorithm
        #[arg(long, default_value = "ed25519")]
        algorithm: crypto::KeyAlgorithm,
    },
    /// List keys that sign life events
    Signers {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
    },
    /// Make a credential for a person, station or program, and register it
    AddMember {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Name of the person, station or program
        #[arg(long)]
        name: String,
        /// What it may do (repeat for more): administrator, operator, station, auditor, reader
        #[arg(long = "role", required = true)]
        roles: Vec<String>,
        /// Where to write certificate chain and private key, readable by you only
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: PathBuf,
        /// Algorithm
        #[arg(long, default_value = "p256")]
        algorithm: crypto::KeyAlgorithm,
    },
    /// List members
    Members {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
    },
    /// End a member's access
    RemoveMember {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// SHA-256 fingerprint of its certificate
        fingerprint: String,
    },
}

/// What the registry knows about an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OrganisationRoleArg {
    /// May begin histories: chip and device makers
    Maker,
    /// May dispose of devices that it holds
    Recycler,
    /// May suspend, revoke, retire
    Authority,
}

impl From<OrganisationRoleArg> for api::wire::OrganisationRole {
    fn from(role: OrganisationRoleArg) -> Self {
        match role {
            OrganisationRoleArg::Maker => Self::Maker,
            OrganisationRoleArg::Recycler => Self::Recycler,
            OrganisationRoleArg::Authority => Self::Authority,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum ProductCommand {
    /// Make a product line
    Create {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Identifier: lower-case letters, digits, hyphens
        id: String,
        /// Name
        #[arg(long)]
        name: String,
        /// Model, as printed on it
        #[arg(long)]
        model: String,
        /// chip, module, board or device
        #[arg(long, default_value = "device")]
        kind: device::DeviceKind,
        /// tpm, secure-element, dice, puf or software
        #[arg(long)]
        root_of_trust: device::RootOfTrust,
        /// Until when it is supported (RFC 3339)
        #[arg(long)]
        support_end: Option<api::wire::scalar::Timestamp>,
        /// Seconds that its LDevIDs are valid; the platform's default otherwise
        #[arg(long)]
        ldevid_validity_s: Option<u32>,
    },
    /// List product lines
    List {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
    },
    /// Show what buyers are told of a product line
    Show {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Product line
        id: String,
    },
    /// Change what buyers are told of a product line
    Change(ChangeArgs),
    /// Make sheets of labels for its devices
    Labels(SheetArgs),
}

#[derive(Debug, Args)]
pub struct ChangeArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Organisation
    pub organisation: String,
    /// Product line
    pub id: String,
    /// Until when it gets security updates (RFC 3339)
    #[arg(long)]
    pub support_end: Option<api::wire::scalar::Timestamp>,
    /// Trade item number: 8, 12, 13 or 14 digits
    #[arg(long)]
    pub gtin: Option<String>,
    /// Name for buyers in Japanese
    #[arg(long)]
    pub name_ja: Option<String>,
    /// Name for buyers in English
    #[arg(long)]
    pub name_en: Option<String>,
    /// Where buyers turn to (https)
    #[arg(long, value_hint = ValueHint::Url)]
    pub contact_url: Option<String>,
    /// Newest firmware announced: its version
    #[arg(long)]
    pub firmware: Option<String>,
    /// SHA-256 of that firmware, as devices measure it
    #[arg(long, requires = "firmware")]
    pub firmware_digest: Option<String>,
    /// Security label: SCHEME,LEVEL,NUMBER,URL,VALID-UNTIL, empty where there is none (repeat for
    /// more; replaces all)
    #[arg(long = "label")]
    pub labels: Vec<String>,
    /// Take away: support-end, gtin, name-ja, name-en, contact-url, firmware or labels
    #[arg(long)]
    pub clear: Vec<String>,
}

#[derive(Debug, Args)]
pub struct SheetArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Organisation
    pub organisation: String,
    /// Product line
    pub id: String,
    /// a4-24, a4-65, roll-62x29, roll-50x25 or roll-25x25
    #[arg(long, default_value = "a4-24")]
    pub sheet: String,
    /// pdf, or svg for a single sheet
    #[arg(long, default_value = "pdf")]
    pub format: String,
    /// qr or datamatrix
    #[arg(long, default_value = "qr")]
    pub code: String,
    /// What the code leads to: best, page or gs1
    #[arg(long, default_value = "best")]
    pub link: String,
    /// Own line on each label, in Latin letters
    #[arg(long)]
    pub text: Option<String>,
    /// Size of a module in micrometres; as large as fits otherwise
    #[arg(long)]
    pub module_um: Option<u32>,
    /// Positions of the first sheet that are used up
    #[arg(long, default_value_t = 0)]
    pub skip: u32,
    /// Only these devices (repeat for more); all of the product line otherwise
    #[arg(long = "device")]
    pub devices: Vec<device::DeviceId>,
    /// File to write
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct LabelArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Device id
    pub device: device::DeviceId,
    /// svg or png
    #[arg(long, default_value = "svg")]
    pub format: String,
    /// qr or datamatrix
    #[arg(long, default_value = "qr")]
    pub code: String,
    /// What the code leads to: best, page or gs1
    #[arg(long, default_value = "best")]
    pub link: String,
    /// Size of a module in micrometres
    #[arg(long)]
    pub module_um: Option<u32>,
    /// Pixels per module, for PNG
    #[arg(long)]
    pub pixels: Option<u32>,
    /// File to write
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub out: PathBuf,
}

#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// Write the code of a device as a picture
    Label(LabelArgs),
    /// Show what look-ups of a device's number add up to
    Scans {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
    },
    /// Search devices by state, verdict, attention or whatever is printed on them
    Search {
        #[command(flatten)]
        server: ServerArgs,
        #[command(flatten)]
        search: fleet::SearchArgs,
        /// By product line and serial number instead of newest first
        #[arg(long)]
        by_serial: bool,
        /// Most lines
        #[arg(long, default_value_t = 100)]
        most: usize,
    },
    /// Export devices as CSV
    Export {
        #[command(flatten)]
        server: ServerArgs,
        #[command(flatten)]
        search: fleet::SearchArgs,
        #[command(flatten)]
        csv: fleet::CsvArgs,
    },
    /// Show a device's parts and theirs, each with its standing
    Parts {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
    },
    /// List a device's life, newest first, with how far the proof of each event has come
    Timeline {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
    },
    /// List who owned a device, oldest first
    Owners {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
    },
    /// Show where a device stands now, as its history says: holder, repair, alarms
    State {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
    },
    /// Do something to a device on your organisation's behalf; the platform signs
    Act(fleet::ActArgs),
    /// Say what an act would bring about, or why it would be refused
    Preview(fleet::ActArgs),
    /// List devices
    List {
        #[command(flatten)]
        server: ServerArgs,
        /// Of this product line
        #[arg(long)]
        product: Option<String>,
        /// In this phase of life
        #[arg(long)]
        phase: Option<String>,
        /// Whose serial number, management number or id begins so
        #[arg(long)]
        text: Option<String>,
    },
    /// Show one device
    Show {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
    },
    /// Register a device before its first enrolment
    Register {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Product line
        product: String,
        /// Its maker's serial number
        serial_number: String,
    },
    /// Register many devices from a file, and say what came of each
    Import(import::ImportArgs),
    /// Release a one-time code with which one device may enrol
    Code {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// Seconds until it ends
        #[arg(long, default_value_t = 86_400)]
        seconds: u32,
    },
    /// Enrol over EST: make a key, get a certificate
    Enrol {
        #[command(flatten)]
        est: EstArgs,
        /// Where to write certificate chain and private key, readable by you only
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: PathBuf,
        /// Serial number in the certificate
        #[arg(long)]
        serial_number: String,
        /// Algorithm
        #[arg(long, default_value = "p256")]
        algorithm: crypto::KeyAlgorithm,
    },
    /// Ask for a verdict
    Verify {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// Prove possession with this device credential, over a fresh challenge
        #[arg(long, value_hint = ValueHint::FilePath)]
        prove_with: Option<PathBuf>,
        /// Counter of the proof: more than in any proof before
        #[arg(long, requires = "prove_with")]
        counter: Option<u64>,
    },
    /// Not to be trusted for the time being
    Suspend {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// Cause, see `tegata device causes`
        #[arg(long)]
        cause: device::Cause,
        /// Why, in words: at most 300 characters; erased with the event's contents
        #[arg(long)]
        reason: Option<String>,
    },
    /// End a suspension
    Release {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
    },
    /// Not to be trusted any more, for ever
    Revoke {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// Cause, see `tegata device causes`
        #[arg(long)]
        cause: device::Cause,
        /// Why, in words: at most 300 characters; erased with the event's contents
        #[arg(long)]
        reason: Option<String>,
    },
    /// List causes of suspension, revocation and retirement
    Causes,
    /// Let another organisation read the device's passport
    Share {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// With whom
        organisation: String,
        /// Until when (RFC 3339); until it is ended otherwise
        #[arg(long)]
        until: Option<api::wire::scalar::Timestamp>,
    },
    /// End a share
    Unshare {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// With whom
        organisation: String,
    },
    /// Destroy the contents of events; their places and commitments stay
    Erase {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// Sequence number of an event (repeat for more); all where absent
        #[arg(long = "sequence")]
        sequences: Vec<u64>,
    },
}

/// An EST server and how to authenticate there.
#[derive(Debug, Args, Clone)]
pub struct EstArgs {
    /// Address of the server
    #[arg(long, env = "TEGATA_SERVER", default_value = "https://localhost:8443", value_hint = ValueHint::Url)]
    pub server: String,
    /// Trusted root certificates in PEM
    #[arg(long, env = "TEGATA_ROOTS", default_value = "root.pem", value_hint = ValueHint::FilePath)]
    pub roots: PathBuf,
    /// Label of the product line or owner in the EST path
    #[arg(long)]
    pub label: Option<String>,
    /// Chip, IDevID or present LDevID credential (certificate chain and key, PEM)
    #[arg(long, value_hint = ValueHint::FilePath, conflicts_with = "code")]
    pub credential: Option<PathBuf>,
    /// One-time code
    #[arg(long, requires = "device")]
    pub code: Option<String>,
    /// Device id that the code was released for
    #[arg(long)]
    pub device: Option<String>,
    /// Renew (simplereenroll) instead of first enrolment
    #[arg(long, requires = "credential")]
    pub renew: bool,
}

#[derive(Debug, Subcommand)]
pub enum EventCommand {
    /// Sign and report an event; kind and details as JSON, see docs/event.md
    Report {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// Kind of event: operation-started, shipped, repair-started, …
        kind: String,
        /// Detail as name=value (repeat for more): to=ORG, from=ORG, owner=ORG, cause=CAUSE, …
        #[arg(long = "detail", value_name = "NAME=VALUE")]
        details: Vec<String>,
        /// Reporting organisation
        #[arg(long)]
        reporter: String,
        /// Its signing key (PKCS#8 PEM)
        #[arg(long, value_hint = ValueHint::FilePath)]
        key: PathBuf,
        /// Person, station or program that did it
        #[arg(long)]
        actor: Option<String>,
        /// Where it happened
        #[arg(long)]
        place: Option<String>,
    },
    /// Report an event that is signed already
    Submit {
        #[command(flatten)]
        server: ServerArgs,
        /// COSE_Sign1 file; - for standard input
        file: PathBuf,
    },
    /// Show a device's history
    List {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
    },
}

#[derive(Debug, Subcommand)]
pub enum PassportCommand {
    /// Write a device's passport to a file that anyone can verify offline
    Export {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// File; DEVICE.tegata otherwise
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: Option<PathBuf>,
    },
    /// Write what a verifier trusts (roots, log key, witness keys) to a file
    Trust {
        #[command(flatten)]
        server: ServerArgs,
        /// File
        #[arg(long, default_value = "trust.json", value_hint = ValueHint::FilePath)]
        out: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Passport file
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// What to trust, as `tegata passport trust` writes it
    #[arg(long, env = "TEGATA_TRUST", default_value = "trust.json", value_hint = ValueHint::FilePath)]
    pub trust: PathBuf,
    /// Judge as of this time (RFC 3339); now otherwise
    #[arg(long)]
    pub at: Option<api::wire::scalar::Timestamp>,
    /// Whether the device may work, not only whether it is genuine
    #[arg(long)]
    pub operate: bool,
}

#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Print the newest checkpoint
    Checkpoint {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Prove that an entry is in the log
    Proof {
        #[command(flatten)]
        server: ServerArgs,
        /// Index of the entry
        leaf: u64,
    },
    /// Prove that the log only grew
    Consistency {
        #[command(flatten)]
        server: ServerArgs,
        /// Size of the earlier tree
        old: u64,
        /// Size of the later tree
        new: u64,
    },
    /// Audit the whole log: on a data directory, against the store
    Check {
        #[command(flatten)]
        local: LocalArgs,
    },
}

#[derive(Debug, Subcommand)]
pub enum WitnessCommand {
    /// Make a witness's key and print its vkey
    Init {
        /// Folder for key and state
        #[arg(long, value_hint = ValueHint::DirPath)]
        dir: PathBuf,
        #[command(flatten)]
        unlock: UnlockArgs,
        /// Name of the witness, in its vkey
        #[arg(long)]
        name: String,
    },
    /// Answer add-checkpoint requests
    Serve {
        /// Folder with key and state
        #[arg(long, value_hint = ValueHint::DirPath)]
        dir: PathBuf,
        #[command(flatten)]
        unlock: UnlockArgs,
        /// vkey of a log that it witnesses (repeat for more)
        #[arg(long = "log", required = true)]
        logs: Vec<String>,
        /// Address
        #[arg(long, default_value = "127.0.0.1:8090")]
        listen: SocketAddr,
    },
}

#[derive(Debug, Args)]
pub struct WitnessArgs {
    #[command(subcommand)]
    pub command: WitnessCommand,
}

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List security events, newest first
    List {
        #[command(flatten)]
        server: ServerArgs,
        /// Of this kind
        #[arg(long)]
        kind: Option<String>,
        /// Of this organisation; your own otherwise
        #[arg(long, conflicts_with = "all")]
        organisation: Option<String>,
        /// Of every organisation: for the platform's administrators and auditors
        #[arg(long)]
        all: bool,
        /// From this time on (RFC 3339)
        #[arg(long)]
        from: Option<api::wire::scalar::Timestamp>,
        /// Before this time (RFC 3339)
        #[arg(long)]
        until: Option<api::wire::scalar::Timestamp>,
        /// Most events
        #[arg(long, default_value_t = 1000)]
        limit: usize,
    },
    /// Check that the chain of security events is whole
    Verify {
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Subcommand)]
pub enum PersonCommand {
    /// List people of an organisation
    List {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
    },
    /// Invite a person; prints the one-time link
    Invite {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Name within the organisation, chosen for ever: a-z 0-9 . - _
        handle: String,
        /// Name, as people write it
        #[arg(long, required_unless_present = "again")]
        name: Option<String>,
        /// What it may do (repeat for more)
        #[arg(long = "role", required_unless_present = "again")]
        roles: Vec<String>,
        /// The person was invited before and has not registered: make a new link
        #[arg(long, conflicts_with_all = ["name", "roles"])]
        again: bool,
        /// On this machine itself, with no server running: the data directory. For an organisation
        /// where nobody is left to approve a new administrator; the log says so
        #[arg(long, value_hint = ValueHint::DirPath, requires = "console_url", conflicts_with = "again")]
        data: Option<PathBuf>,
        /// Address of the console, where --data is given
        #[arg(long, value_hint = ValueHint::Url)]
        console_url: Option<String>,
        #[command(flatten)]
        unlock: UnlockArgs,
    },
    /// Change what a person may do
    Roles {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// The person's handle
        handle: String,
        /// What it may do from now on (repeat for more)
        #[arg(long = "role", required = true)]
        roles: Vec<String>,
    },
    /// Remove a person; its sessions end at once
    Remove {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// The person's handle
        handle: String,
    },
    /// Let a person in again who lost every passkey; prints the one-time link
    Recover {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// The person's handle
        handle: String,
        /// On this machine itself, with no server running: the data directory. The last resort,
        /// where no second administrator is left; the log says so
        #[arg(long, value_hint = ValueHint::DirPath, requires = "console_url")]
        data: Option<PathBuf>,
        /// Address of the console, where --data is given
        #[arg(long, value_hint = ValueHint::Url)]
        console_url: Option<String>,
        #[command(flatten)]
        unlock: UnlockArgs,
    },
    /// List a person's sessions, or end them
    Sessions {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// The person's handle
        handle: String,
        /// End all of them
        #[arg(long)]
        end: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum ApprovalCommand {
    /// List requests of an organisation, newest first
    List {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
    },
    /// Show one request
    Show {
        #[command(flatten)]
        server: ServerArgs,
        /// Its identifier
        id: String,
    },
    /// List the devices that a request is about, where it names many
    Devices {
        #[command(flatten)]
        server: ServerArgs,
        /// Its identifier
        id: String,
    },
    /// Approve another's request, and carry it out
    Approve {
        #[command(flatten)]
        server: ServerArgs,
        /// Its identifier
        id: String,
    },
    /// Say no to another's request
    Reject {
        #[command(flatten)]
        server: ServerArgs,
        /// Its identifier
        id: String,
    },
    /// Take one's own request back
    Withdraw {
        #[command(flatten)]
        server: ServerArgs,
        /// Its identifier
        id: String,
    },
    /// Show which acts need a second person, or choose
    Policy {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// An act that needs a second person from now on
        #[arg(long, conflicts_with = "waive")]
        require: Option<String>,
        /// An act that needs none any more
        #[arg(long)]
        waive: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Issue a token bound to the credential's certificate
    Create {
        #[command(flatten)]
        server: ServerArgs,
        /// What it permits (repeat for more)
        #[arg(long = "role", required = true)]
        roles: Vec<String>,
        /// Seconds of life
        #[arg(long, default_value_t = 900)]
        seconds: u32,
    },
    /// List tokens that work
    List {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
    },
    /// End a token
    Revoke {
        #[command(flatten)]
        server: ServerArgs,
        /// Its identifier
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum PlatformCommand {
    /// Replace a key with which the platform signs, and destroy the old one
    RotateKey {
        #[command(flatten)]
        server: ServerArgs,
        /// Which key
        #[arg(value_enum)]
        key: OwnKeyArg,
    },
}

/// A key with which the platform signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OwnKeyArg {
    /// Signs life events that the platform reports
    Event,
    /// Signs the statements in passport files
    Passport,
}

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// What to measure
    #[arg(value_enum)]
    pub what: BenchWhat,
    /// Devices registered, for verdict; operations, for the others
    #[arg(long)]
    pub devices: Option<u32>,
    /// Where to keep the data; a temporary folder otherwise
    #[arg(long, value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
}

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchWhat {
    /// Durable issuance against CSR check and signature
    Issue,
    /// EST over fresh mTLS connections against bare handshakes
    Est,
    /// OCSP answers per CPU-second against `openssl ocsp`
    Ocsp,
    /// Signed, durable events against signature checks
    Ledger,
    /// Verdicts with many devices registered
    Verdict,
    /// The console's lists and figures with many devices registered
    Console,
}
