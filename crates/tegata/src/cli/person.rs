//! Commands about people, what waits for a second one of them, and tokens.

use super::{ServerArgs, UnlockArgs};
use clap::{Subcommand, ValueHint};
use std::path::PathBuf;

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
    /// Go on with one's own request that another person approved, once
    Continue {
        #[command(flatten)]
        server: ServerArgs,
        /// Its identifier
        id: String,
        /// Only say what would become of it now
        #[arg(long)]
        preview: bool,
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
