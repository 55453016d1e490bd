//! Commands about organisations, their members and signing keys.

use super::ServerArgs;
use clap::{Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

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
    /// Suspend an organisation: nobody of it can do anything until it is resumed
    Suspend {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: device::OrganisationId,
        /// Why, for the audit log
        #[arg(long)]
        reason: String,
    },
    /// End a suspension
    Resume {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: device::OrganisationId,
        /// Why, for the audit log
        #[arg(long)]
        reason: String,
    },
    /// Change what an organisation is called; its identifier stays
    Rename {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: device::OrganisationId,
        /// Name, as people write it
        #[arg(long)]
        name: String,
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
    /// Show the keys that an organisation's devices encrypt messages for, make the next one or destroy one
    MessageKey {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: device::OrganisationId,
        /// Make the key that devices encrypt for from now on
        #[arg(long, requires = "reason", group = "change")]
        new: bool,
        /// Destroy this key (SHA-256), at once and without another in its place
        #[arg(long, value_name = "KEY", requires = "reason", group = "change")]
        destroy: Option<api::wire::scalar::Digest>,
        /// Why, for the audit log
        #[arg(long, requires = "change")]
        reason: Option<String>,
        /// For how many days what is encrypted for former keys is still taken, at most; then they are
        /// destroyed. 0: at once
        #[arg(long, requires = "new", default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=366))]
        accept_former_days: u32,
        /// Where to write the certificate of the key that devices encrypt for, and its CA's, in PEM
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: Option<PathBuf>,
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
