//! Alerts and their rules (docs/alerts.md).

use super::ServerArgs;
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use device::{DeviceId, OrganisationId};
use std::path::PathBuf;

/// How an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AlertStateArg {
    /// Nobody looked yet
    Open,
    /// Somebody looks
    Acknowledged,
    /// It is over
    Closed,
}

impl AlertStateArg {
    /// As it stands in a query.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
        }
    }
}

/// How grave it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AlertSeverityArg {
    /// To be known
    Informational,
    /// No action needed
    Low,
    /// Somebody should look
    Medium,
    /// Somebody should act
    High,
    /// Act at once
    Critical,
}

impl AlertSeverityArg {
    /// As it stands in a query.
    pub fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// Whose.
#[derive(Debug, Args, Clone)]
pub struct WhoseArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Organisation
    #[arg(long)]
    pub organisation: OrganisationId,
}

/// Which alert.
#[derive(Debug, Args, Clone)]
pub struct AlertArgs {
    #[command(flatten)]
    pub whose: WhoseArgs,
    /// Number of the alert
    pub alert: u64,
}

/// Which alert, and what is said about it.
#[derive(Debug, Args, Clone)]
pub struct AlertActArgs {
    #[command(flatten)]
    pub which: AlertArgs,
    /// What was found, or why
    #[arg(long)]
    pub note: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum AlertCommand {
    /// List an organisation's alerts, newest first: those that are not closed, unless asked otherwise
    List {
        #[command(flatten)]
        whose: WhoseArgs,
        /// Alerts in this state only
        #[arg(long, value_enum)]
        state: Option<AlertStateArg>,
        /// Closed ones too
        #[arg(long, conflicts_with = "state")]
        all: bool,
        /// Alerts at least so grave
        #[arg(long, value_enum)]
        severity: Option<AlertSeverityArg>,
        /// Alerts of one rule only
        #[arg(long)]
        rule: Option<String>,
        /// Alerts about one device only
        #[arg(long)]
        device: Option<DeviceId>,
        /// Most alerts
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Show an alert with what it rests on, and who did what
    Show {
        #[command(flatten)]
        which: AlertArgs,
    },
    /// Say that somebody looks at it
    Acknowledge {
        #[command(flatten)]
        act: AlertActArgs,
    },
    /// Close it; the same counts from nothing then
    Close {
        #[command(flatten)]
        act: AlertActArgs,
    },
    /// Put its device into quarantine: certificates do not work, sessions end
    Quarantine {
        #[command(flatten)]
        act: AlertActArgs,
    },
    /// Release its device from quarantine
    Release {
        #[command(flatten)]
        act: AlertActArgs,
    },
    /// Rules: what raises alerts
    #[command(subcommand)]
    Rules(AlertRulesCommand),
    /// Where alerts go: web hooks, mail
    #[command(subcommand)]
    Receiver(AlertReceiverCommand),
    /// How many devices may go into quarantine by themselves within an hour
    Limit {
        #[command(flatten)]
        whose: WhoseArgs,
        /// Another number, 0 to 1,000; without it the present one is shown
        #[arg(long)]
        set: Option<u32>,
    },
}

#[derive(Debug, Subcommand)]
pub enum AlertRulesCommand {
    /// List the rules that hold, and those that are off
    List {
        #[command(flatten)]
        whose: WhoseArgs,
    },
    /// Print a rule in JSON, as `put` reads it
    Show {
        #[command(flatten)]
        whose: WhoseArgs,
        /// Name of the rule
        name: String,
    },
    /// Put a rule in from a file: a changed copy of one that is built in, or a new one
    Put {
        #[command(flatten)]
        whose: WhoseArgs,
        /// The rule in JSON; `-` for standard input
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Switch a rule off
    Off {
        #[command(flatten)]
        whose: WhoseArgs,
        /// Name of the rule
        name: String,
    },
    /// Switch a rule on
    On {
        #[command(flatten)]
        whose: WhoseArgs,
        /// Name of the rule
        name: String,
    },
    /// Let a rule put devices into quarantine by itself, or not any more
    Automatic {
        #[command(flatten)]
        whose: WhoseArgs,
        /// Name of the rule
        name: String,
        /// Not any more
        #[arg(long)]
        none: bool,
    },
    /// Take back what was changed of a built-in rule, or remove one of the organisation's own
    Reset {
        #[command(flatten)]
        whose: WhoseArgs,
        /// Name of the rule
        name: String,
    },
}

/// In which language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AlertLanguageArg {
    /// English
    En,
    /// 日本語
    Ja,
}

#[derive(Debug, Subcommand)]
pub enum AlertReceiverCommand {
    /// List where alerts go, and how each stands
    List {
        #[command(flatten)]
        whose: WhoseArgs,
    },
    /// Make a receiver, or change it
    Put {
        #[command(flatten)]
        whose: WhoseArgs,
        /// Name of the receiver
        name: String,
        /// https://HOST/PATH, smtp://HOST (STARTTLS) or smtps://HOST
        #[arg(long)]
        to: String,
        /// Who mail is from
        #[arg(long)]
        mail_from: Option<String>,
        /// Who mail goes to; may be given more than once
        #[arg(long)]
        mail_to: Vec<String>,
        /// Language of mail
        #[arg(long, value_enum, default_value = "en")]
        mail_language: AlertLanguageArg,
        /// Alerts at least so grave
        #[arg(long, value_enum, default_value = "medium")]
        severity: AlertSeverityArg,
        /// CA certificates of the receiver, in PEM; those that the platform's machine trusts otherwise
        #[arg(long, value_hint = ValueHint::FilePath)]
        receiver_ca: Option<PathBuf>,
        /// File with the key of a web hook (`whsec_…`), or with `USER:PASSWORD` of the mail server
        #[arg(long, value_hint = ValueHint::FilePath)]
        secret: Option<PathBuf>,
        /// Send nothing for now; alerts wait
        #[arg(long)]
        paused: bool,
    },
    /// End a receiver; what waits for it goes with it
    End {
        #[command(flatten)]
        whose: WhoseArgs,
        /// Name of the receiver
        name: String,
    },
    /// Have wait again what a receiver did not take
    Retry {
        #[command(flatten)]
        whose: WhoseArgs,
        /// Name of the receiver
        name: String,
    },
}
