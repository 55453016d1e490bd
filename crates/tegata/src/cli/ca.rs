//! Commands of the root ceremony and of issuing CAs.

use super::ServerArgs;
use clap::{Subcommand, ValueHint};
use std::path::PathBuf;

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
    /// Certify a key that signs software for devices (`tegata update bundle request`)
    SignSoftware {
        /// Folder with root.pem and root.sealed
        #[arg(long, value_hint = ValueHint::DirPath)]
        root: PathBuf,
        /// Passphrase file of the root key
        #[arg(long, value_hint = ValueHint::FilePath)]
        passphrase_file: PathBuf,
        /// The request, PEM
        #[arg(long, value_hint = ValueHint::FilePath)]
        request: PathBuf,
        /// Days until it expires
        #[arg(long, default_value_t = 730, value_parser = clap::value_parser!(u16).range(1..=1098))]
        days: u16,
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
