//! Commands of secure update (docs/update-trust.md).

use super::{
    UnlockArgs,
    bundle::BundleCommand,
    sealed::{DeltaArgs, EncryptionKeyArgs, PatchArgs, SealArgs, TicketArgs, UnsealArgs},
};
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;
use update::{TargetPath, TopRole};

#[derive(Debug, Subcommand)]
pub enum UpdateCommand {
    /// Keys that sign for the roles of a repository
    #[command(subcommand)]
    Key(KeyCommand),
    /// Make a repository: drafts of a first root and of an empty targets file, to be signed
    Init(InitArgs),
    /// Sign a draft where the key is, after a look at what it says
    Sign(SignArgs),
    /// Put a target file into the draft of a targets role
    AddTarget(AddTargetArgs),
    /// Take a target file out of the draft of a targets role
    RemoveTarget {
        #[command(flatten)]
        draft: DraftArgs,
        /// Its path in the repository
        path: TargetPath,
        /// Role that speaks about it
        #[arg(long, default_value = "targets")]
        role: String,
    },
    /// Let another role, such as a supplier, speak about some targets; or end that
    Delegate(DelegateArgs),
    /// Change who signs for root, targets, snapshot or timestamp
    Rotate(RotateArgs),
    /// Draft the next version of a role's file as it is, for a later end
    Renew {
        #[command(flatten)]
        draft: DraftArgs,
        /// root, targets or a delegated role
        role: String,
    },
    /// Publish what is drafted and signed, under a new snapshot and timestamp
    Publish(PublishArgs),
    /// Sign a new snapshot and timestamp over what is published, and leave drafts alone
    Snapshot(PublishArgs),
    /// Sign a new timestamp over the present snapshot
    Timestamp(TimestampArgs),
    /// Check what is published as clients do, and say what ends soon (exit status 2)
    Check {
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Show a repository, or one file of it, in words
    Show {
        #[command(flatten)]
        dir: DirArgs,
        /// One metadata file
        #[arg(value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
    /// Pack and sign images for SWUpdate and RAUC
    #[command(subcommand)]
    Bundle(BundleCommand),
    /// Make a key that images can be sealed for, stated by an enrolled identity
    EncryptionKey(EncryptionKeyArgs),
    /// Seal an image, so that only those with a ticket can read it
    Seal(SealArgs),
    /// Wrap the content key of a sealed image for a device or a group
    Ticket(TicketArgs),
    /// Open a sealed image with a ticket
    Unseal(UnsealArgs),
    /// Make what turns the present image into the next
    Delta(DeltaArgs),
    /// Make the next image from the present one and a delta, both verified
    Patch(PatchArgs),
    /// Find and check a target as a device does: 0 if it may be installed, 3 if it is refused
    Verify(VerifyArgs),
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key: sealed in NAME.sealed, its public half in NAME.json
    New {
        /// Folder and name, without an ending
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: PathBuf,
        /// ed25519, p256, p384, rsa-2048, rsa-3072 or rsa-4096
        #[arg(long, default_value = "ed25519")]
        algorithm: crypto::KeyAlgorithm,
        #[command(flatten)]
        unlock: UnlockArgs,
    },
    /// Show the id of a public key, and the key as metadata name it
    Show {
        /// NAME.json, or PEM as other tools write it
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
}

/// Which repository.
#[derive(Debug, Args, Clone)]
pub struct DirArgs {
    /// Folder of the repository; devices are served its `metadata` and `targets`
    #[arg(long, env = "TEGATA_UPDATE_DIR", default_value = "updates", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
}

/// A change to a draft.
#[derive(Debug, Args, Clone)]
pub struct DraftArgs {
    #[command(flatten)]
    pub dir: DirArgs,
    /// Days until the drafted file ends; 365 for root, 90 for targets and delegated roles otherwise
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub days: Option<u16>,
}

#[derive(Debug, Args)]
pub struct InitArgs {
    #[command(flatten)]
    pub draft: DraftArgs,
    /// Public key that signs for root (repeat for more)
    #[arg(long = "root-key", required = true, value_hint = ValueHint::FilePath)]
    pub root_keys: Vec<PathBuf>,
    /// How many root keys must sign
    #[arg(long, default_value_t = 2)]
    pub root_threshold: usize,
    /// Public key that signs for targets (repeat for more)
    #[arg(long = "targets-key", required = true, value_hint = ValueHint::FilePath)]
    pub targets_keys: Vec<PathBuf>,
    /// How many targets keys must sign
    #[arg(long, default_value_t = 1)]
    pub targets_threshold: usize,
    /// Public key that signs snapshots, online (repeat for more; each must sign)
    #[arg(long = "snapshot-key", required = true, value_hint = ValueHint::FilePath)]
    pub snapshot_keys: Vec<PathBuf>,
    /// Public key that signs timestamps, online (repeat for more; each must sign)
    #[arg(long = "timestamp-key", required = true, value_hint = ValueHint::FilePath)]
    pub timestamp_keys: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct SignArgs {
    /// The draft: DIR/staged/ROLE.json
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Sealed key
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub key: PathBuf,
    #[command(flatten)]
    pub unlock: UnlockArgs,
    /// Refuse another role than this
    #[arg(long)]
    pub role: Option<String>,
    /// Refuse another version than this; needed where the published file is not at hand
    #[arg(long)]
    pub expect_version: Option<u64>,
    /// Folder of the repository; the one that the draft lies in otherwise
    #[arg(long, value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
    /// Metadata file that says who may sign, where the repository is not at hand: the root, or the
    /// targets file that delegates
    #[arg(long, conflicts_with = "dir", value_hint = ValueHint::FilePath)]
    pub by: Option<PathBuf>,
    /// Sign although the file lives longer than is usual for its role
    #[arg(long)]
    pub long: bool,
    /// Do not ask whether what it says is right
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct AddTargetArgs {
    #[command(flatten)]
    pub draft: DraftArgs,
    /// The file
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Its path in the repository, such as gate/bg1/firmware.img
    #[arg(long)]
    pub path: TargetPath,
    /// Role that speaks about it
    #[arg(long, default_value = "targets")]
    pub role: String,
    /// Kind of hardware that it is for (repeat for more)
    #[arg(long = "hardware-id")]
    pub hardware_ids: Vec<String>,
    /// Version for people
    #[arg(long)]
    pub release: Option<String>,
    /// Grows when a vulnerability is mended
    #[arg(long)]
    pub security_version: Option<u64>,
    /// Grows with every release
    #[arg(long)]
    pub release_counter: Option<u64>,
}

#[derive(Debug, Args)]
pub struct DelegateArgs {
    #[command(flatten)]
    pub draft: DraftArgs,
    /// The role: a-z 0-9 - _ .
    pub name: String,
    /// Role that delegates
    #[arg(long, default_value = "targets")]
    pub by: String,
    /// Public key that signs for it (repeat for more)
    #[arg(long = "key", required_unless_present = "end", value_hint = ValueHint::FilePath)]
    pub keys: Vec<PathBuf>,
    /// How many of them must sign
    #[arg(long, default_value_t = 1)]
    pub threshold: usize,
    /// Paths that it may speak about, such as motor/* (repeat for more)
    #[arg(long = "paths", required_unless_present_any = ["end", "hash_prefixes"])]
    pub paths: Vec<String>,
    /// Beginnings of the SHA-256 of paths that it may speak about, in hexadecimal
    #[arg(long = "hash-prefix", conflicts_with = "paths")]
    pub hash_prefixes: Vec<String>,
    /// Ask nobody after it about these paths
    #[arg(long)]
    pub terminating: bool,
    /// End the delegation
    #[arg(long, conflicts_with_all = ["keys", "paths", "hash_prefixes", "terminating"])]
    pub end: bool,
}

#[derive(Debug, Args)]
pub struct RotateArgs {
    #[command(flatten)]
    pub draft: DraftArgs,
    /// Key that may no longer sign, as ROLE=KEYID or ROLE=FILE (repeat for more)
    #[arg(long = "remove")]
    pub remove: Vec<RoleValue>,
    /// Public key that may sign from now on, as ROLE=FILE (repeat for more)
    #[arg(long = "add")]
    pub add: Vec<RoleValue>,
    /// How many must sign, as ROLE=NUMBER (repeat for more)
    #[arg(long = "threshold")]
    pub thresholds: Vec<RoleValue>,
    /// The removed keys were in others' hands: refuse a change that leaves devices misled
    #[arg(long)]
    pub stolen: bool,
}

/// `ROLE=VALUE`.
#[derive(Debug, Clone)]
pub struct RoleValue {
    /// one of the four top roles
    pub role: TopRole,
    /// what belongs to it
    pub value: String,
}

impl std::str::FromStr for RoleValue {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (role, value) =
            text.split_once('=').ok_or("write it as ROLE=VALUE, such as targets=new.json")?;
        let role = role.parse().map_err(|_| {
            format!("{role:?} is not root, targets, snapshot or timestamp; delegated roles: tegata update delegate")
        })?;
        Ok(Self { role, value: value.to_owned() })
    }
}

/// The keys that work online.
#[derive(Debug, Args)]
pub struct PublishArgs {
    #[command(flatten)]
    pub dir: DirArgs,
    /// Sealed key of the snapshot role (repeat for more)
    #[arg(long = "snapshot-key", required = true, value_hint = ValueHint::FilePath)]
    pub snapshot_keys: Vec<PathBuf>,
    /// Sealed key of the timestamp role (repeat for more)
    #[arg(long = "timestamp-key", required = true, value_hint = ValueHint::FilePath)]
    pub timestamp_keys: Vec<PathBuf>,
    #[command(flatten)]
    pub unlock: UnlockArgs,
    /// Days until the snapshot ends
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=90))]
    pub snapshot_days: u16,
    /// Hours until the timestamp ends
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=720))]
    pub timestamp_hours: u16,
}

#[derive(Debug, Args)]
pub struct TimestampArgs {
    #[command(flatten)]
    pub dir: DirArgs,
    /// Sealed key of the timestamp role (repeat for more)
    #[arg(long = "timestamp-key", required = true, value_hint = ValueHint::FilePath)]
    pub timestamp_keys: Vec<PathBuf>,
    #[command(flatten)]
    pub unlock: UnlockArgs,
    /// Hours until the timestamp ends
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=720))]
    pub timestamp_hours: u16,
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Path of the target in the repository
    pub target: TargetPath,
    /// The root that is trusted from the start
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub root: PathBuf,
    /// Repository folder
    #[arg(long, required_unless_present = "url", conflicts_with = "url", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
    /// Address under which `metadata/` and `targets/` are served, plain HTTP
    #[arg(long, value_hint = ValueHint::Url)]
    pub url: Option<String>,
    /// Folder in which to remember what was seen: without it nothing tells a rollback
    #[arg(long, value_hint = ValueHint::DirPath)]
    pub state: Option<PathBuf>,
    /// Where to write the target, once it is verified
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,
    /// Version of the timestamp that is known to exist
    #[arg(long)]
    pub timestamp_known: Option<u64>,
    /// Verify as of this time (RFC 3339); now otherwise
    #[arg(long)]
    pub at: Option<api::wire::scalar::Timestamp>,
}
