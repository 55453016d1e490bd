//! Commands that pack images for updaters that others wrote (docs/bundle.md).

use super::UnlockArgs;
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum BundleCommand {
    /// Request a certificate for a key that signs bundles; `tegata ca sign-software` issues it
    Request {
        /// Sealed key of `tegata update key new`, of kind p256 or RSA
        #[arg(long, value_hint = ValueHint::FilePath)]
        key: PathBuf,
        #[command(flatten)]
        unlock: UnlockArgs,
        /// Common name of the signer
        #[arg(long)]
        name: String,
        /// Organisation
        #[arg(long)]
        organisation: Option<String>,
        /// Where to write the request, PEM
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: PathBuf,
    },
    /// Make a key that images are enciphered with: sealed in NAME.sealed, and in NAME.aes as devices
    /// with SWUpdate read it
    ImageKey {
        /// Folder and name, without an ending
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: PathBuf,
        #[command(flatten)]
        unlock: UnlockArgs,
    },
    /// Pack and sign an image for SWUpdate
    Swupdate {
        #[command(flatten)]
        pack: PackArgs,
        /// Sealed key of `tegata update bundle image-key`, for the parts that say `encrypt = true`
        #[arg(long, value_hint = ValueHint::FilePath)]
        image_key: Option<PathBuf>,
    },
    /// Pack and sign a bundle for RAUC, of format `plain`; calls mksquashfs as `rauc bundle` does
    Rauc {
        #[command(flatten)]
        pack: PackArgs,
        /// The program that makes the file system, of Debian's squashfs-tools or as good
        #[arg(long, default_value = "mksquashfs", value_hint = ValueHint::CommandName)]
        mksquashfs: PathBuf,
    },
}

/// What is packed, and who signs.
#[derive(Debug, Args)]
pub struct PackArgs {
    /// The description, TOML; files that it names lie beside it
    #[arg(value_hint = ValueHint::FilePath)]
    pub description: PathBuf,
    /// Sealed key that signs
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub key: PathBuf,
    #[command(flatten)]
    pub unlock: UnlockArgs,
    /// Its certificate, PEM; certificates between it and the devices' anchor follow in the same file
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub certificate: PathBuf,
    /// Where to write the bundle
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub out: PathBuf,
}
