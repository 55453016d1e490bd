//! Commands about product lines and their public labels.

use super::ServerArgs;
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

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
    /// Topics on which its devices must sign what they say, and encrypt it (docs/cose.md); without --set,
    /// --set-encrypted and --none: which
    SignedTopics {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: device::OrganisationId,
        /// Product line
        id: device::ProductId,
        /// Filters below a device's space, such as up/meter/#; all of them anew
        #[arg(long = "set", conflicts_with = "none")]
        set: Vec<String>,
        /// Those on which they must encrypt for their owner besides; all of them anew
        #[arg(long, conflicts_with = "none")]
        set_encrypted: Vec<String>,
        /// Nothing needs to be signed or encrypted
        #[arg(long)]
        none: bool,
    },
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
