//! Commands of images that only named devices can read, and of deltas (docs/sealed.md).

use super::UnlockArgs;
use clap::{Args, ValueHint};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct EncryptionKeyArgs {
    /// Credential of the device (key and certificates, PEM), or of an organisation's signer for a group
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub identity: PathBuf,
    /// Name of the group of devices that will share the key
    #[arg(long)]
    pub group: Option<String>,
    /// p256 or x25519
    #[arg(long, default_value = "p256")]
    pub curve: crypto::agreement::Curve,
    /// Days for which images may be sealed for it
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=1098))]
    pub days: u16,
    /// Also write the private key as it is, for devices of the group to hold (identity.group_keys)
    #[arg(long, requires = "group", value_hint = ValueHint::FilePath)]
    pub for_devices: Option<PathBuf>,
    /// Folder and name, without an ending: NAME.sealed is secret, NAME.statement is not
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub out: PathBuf,
    #[command(flatten)]
    pub unlock: UnlockArgs,
}

#[derive(Debug, Args)]
pub struct SealArgs {
    /// The image
    #[arg(value_hint = ValueHint::FilePath)]
    pub image: PathBuf,
    /// Where to write it, sealed
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub out: PathBuf,
    /// Where to write its content key, sealed by passphrase or key file: tickets are made with it
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub content_key: PathBuf,
    #[command(flatten)]
    pub unlock: UnlockArgs,
}

#[derive(Debug, Args)]
pub struct TicketArgs {
    /// The sealed image
    #[arg(value_hint = ValueHint::FilePath)]
    pub image: PathBuf,
    /// Its content key, of `tegata update seal`
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub content_key: PathBuf,
    /// Statement about the recipient's key, of `tegata update encryption-key`
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub recipient: PathBuf,
    /// Certificates of who signed the statement, PEM, its own first
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub certificate: PathBuf,
    /// Root certificate that they must lead to, PEM (repeat for more)
    #[arg(long = "anchor", required = true, value_hint = ValueHint::FilePath)]
    pub anchors: Vec<PathBuf>,
    /// Where to write the ticket
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub out: PathBuf,
    #[command(flatten)]
    pub unlock: UnlockArgs,
}

#[derive(Debug, Args)]
pub struct UnsealArgs {
    /// The sealed image
    #[arg(value_hint = ValueHint::FilePath)]
    pub image: PathBuf,
    /// The ticket for this key
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub ticket: PathBuf,
    /// The encryption key, NAME.sealed of `tegata update encryption-key`
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub key: PathBuf,
    /// Where to write the image, once it is whole
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub out: PathBuf,
    #[command(flatten)]
    pub unlock: UnlockArgs,
}

#[derive(Debug, Args)]
pub struct DeltaArgs {
    /// The image that devices have
    #[arg(value_hint = ValueHint::FilePath)]
    pub base: PathBuf,
    /// The image that they shall have
    #[arg(value_hint = ValueHint::FilePath)]
    pub image: PathBuf,
    /// Where to write the delta
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub out: PathBuf,
    /// Effort, 1 to 22
    #[arg(long, default_value_t = 19, value_parser = clap::value_parser!(i32).range(1..=22))]
    pub level: i32,
}

#[derive(Debug, Args)]
pub struct PatchArgs {
    /// The image that is there
    #[arg(value_hint = ValueHint::FilePath)]
    pub base: PathBuf,
    /// The delta
    #[arg(value_hint = ValueHint::FilePath)]
    pub delta: PathBuf,
    /// Where to write the next image, once it is verified
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub out: PathBuf,
}
