//! Commands about signed and encrypted messages, on files (docs/cose.md).

use clap::{Args, Subcommand, ValueHint};
use device::DeviceId;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum MessageCommand {
    /// Sign a message as its device, for whoever carries it to `me/up/signed` or `d/DEVICE/up/signed`
    Sign(SignArgs),
    /// Encrypt a signed message for the device's owner, so that whoever carries it cannot read it
    Encrypt {
        /// The signed message
        #[arg(value_hint = ValueHint::FilePath)]
        message: PathBuf,
        #[command(flatten)]
        recipient: RecipientArgs,
        /// The device's owner, as its certificate names it
        #[arg(long)]
        organisation: device::OrganisationId,
        /// Where the encrypted message goes
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: PathBuf,
    },
    /// Read a signed message and verify who signed it, without a server. Exit code 2: it does not hold
    Verify {
        /// The message
        #[arg(value_hint = ValueHint::FilePath)]
        message: PathBuf,
        /// Certificate of the device, in PEM; its issuers may follow it
        #[arg(long, value_hint = ValueHint::FilePath)]
        certificate: PathBuf,
        /// Root certificate, in PEM, to which the certificate has to lead; without: it is taken as it is
        #[arg(long, value_hint = ValueHint::FilePath)]
        anchor: Option<PathBuf>,
    },
}

/// Who is encrypted for.
#[derive(Debug, Args)]
pub struct RecipientArgs {
    /// Certificate of the owner's key, and its CA's, in PEM: `tegata org message-key --out`
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub recipient: PathBuf,
    /// Root certificate, in PEM, that the device trusts
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub anchor: PathBuf,
}

#[derive(Debug, Args)]
pub struct SignArgs {
    /// What the message says
    #[arg(value_hint = ValueHint::FilePath)]
    pub payload: PathBuf,
    /// Credential of the device: certificate and key, in PEM
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub identity: PathBuf,
    /// The device
    #[arg(long)]
    pub device: DeviceId,
    /// Topic below the device's space, such as up/meter
    #[arg(long)]
    pub topic: String,
    /// Counts the device's messages; the next is higher
    #[arg(long)]
    pub counter: u64,
    /// When it was made; now otherwise
    #[arg(long)]
    pub time: Option<api::wire::scalar::Timestamp>,
    /// Media type of the payload
    #[arg(long)]
    pub media_type: Option<String>,
    /// Where the signed message goes
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub out: PathBuf,
    /// Encrypt it, too: certificate of the owner's key, and its CA's, in PEM
    #[arg(long, value_hint = ValueHint::FilePath, requires = "anchor")]
    pub recipient: Option<PathBuf>,
    /// Root certificate, in PEM, that the device trusts, to encrypt
    #[arg(long, value_hint = ValueHint::FilePath, requires = "recipient")]
    pub anchor: Option<PathBuf>,
}
