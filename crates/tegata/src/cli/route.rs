//! Routes of messages (docs/routes.md).

use super::ServerArgs;
use api::wire::scalar::Timestamp;
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use device::{DeviceId, OrganisationId};
use std::path::PathBuf;

/// What a full queue does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WhenFullArg {
    /// Doors refuse; devices of QoS 1 keep their messages and send them again
    Refuse,
    /// The oldest messages go
    DropOldest,
}

/// Which route of which organisation.
#[derive(Debug, Args, Clone)]
pub struct RouteArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Name of the route
    pub name: String,
    /// Organisation
    #[arg(long)]
    pub organisation: OrganisationId,
}

/// Over which time.
#[derive(Debug, Args, Clone)]
pub struct TrafficArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Organisation
    #[arg(long)]
    pub organisation: OrganisationId,
    /// The last hours
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=336))]
    pub hours: u32,
}

/// Which messages.
#[derive(Debug, Args, Clone)]
pub struct RuleArgs {
    /// Messages of one product line only, MAKER/PRODUCT
    #[arg(long)]
    pub product: Option<String>,
    /// Messages of some topics only: MQTT filter below the device's space, such as up/+/temperature
    #[arg(long)]
    pub topic: Option<String>,
    /// Messages of which this selects something: JSONPath (RFC 9535) over the envelope
    #[arg(long)]
    pub condition: Option<String>,
}

/// Which dead messages.
#[derive(Debug, Args, Clone)]
#[group(required = true, multiple = false)]
pub struct DeadArgs {
    /// This one, by its number
    #[arg(long)]
    pub message: Option<u64>,
    /// All of them
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Subcommand)]
pub enum RouteCommand {
    /// Make a route, or change it
    Put {
        #[command(flatten)]
        route: RouteArgs,
        #[command(flatten)]
        rule: RuleArgs,
        /// Messages of one purpose of the product line only, where it stands
        #[arg(long, requires = "product")]
        purpose: Option<String>,
        /// https://HOST/PATH, nats://HOST/STREAM/SUBJECT, amqps://HOST/VHOST/QUEUE[/EXCHANGE/KEY], table,
        /// file, or topic:DEVICE/down/…
        #[arg(long)]
        to: String,
        /// CA certificates of the receiver, in PEM; those that the platform's machine trusts otherwise
        #[arg(long, value_hint = ValueHint::FilePath)]
        receiver_ca: Option<PathBuf>,
        /// File with the key of a web hook (`whsec_…`; one is made and shown once otherwise), or with how
        /// the platform logs in at a broker: USER:PASSWORD, PEM of a client certificate and its key, or
        /// what NATS has
        #[arg(long, value_hint = ValueHint::FilePath)]
        secret: Option<PathBuf>,
        /// When the queue is full
        #[arg(long, value_enum, default_value = "refuse")]
        when_full: WhenFullArg,
        /// Most messages in the queue, or rows in the table
        #[arg(long, default_value_t = 100_000)]
        queue_messages: u64,
        /// Most bytes in them
        #[arg(long, default_value_t = 67_108_864)]
        queue_bytes: u64,
        /// Attempts before a message is dead
        #[arg(long, default_value_t = 50)]
        attempts: u32,
        /// Days that rows of a table stay
        #[arg(long, default_value_t = 30)]
        retention_days: u32,
    },
    /// List an organisation's routes, and how each stands
    List {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        #[arg(long)]
        organisation: OrganisationId,
    },
    /// Show a route
    Show {
        #[command(flatten)]
        route: RouteArgs,
    },
    /// Try a rule before it is used: on a file of samples without a server, or on kept messages
    Test {
        #[command(flatten)]
        rule: RuleArgs,
        /// Samples, a line of JSON each: {"topic": …, "payload": …} with what the device would send;
        /// `-` for standard input; no server is asked
        #[arg(long, value_hint = ValueHint::FilePath, conflicts_with = "organisation")]
        samples: Option<PathBuf>,
        #[command(flatten)]
        server: ServerArgs,
        /// On the newest messages of this organisation's devices
        #[arg(long, required_unless_present = "samples")]
        organisation: Option<OrganisationId>,
        /// On so many of them
        #[arg(long, default_value_t = 20)]
        last: u32,
    },
    /// Send nothing until it is resumed; messages wait
    Pause {
        #[command(flatten)]
        route: RouteArgs,
    },
    /// Go on from where it stood
    Resume {
        #[command(flatten)]
        route: RouteArgs,
    },
    /// End a route
    End {
        #[command(flatten)]
        route: RouteArgs,
        /// Messages that wait, dead ones and rows go with it
        #[arg(long)]
        discard: bool,
    },
    /// List messages that the receiver did not take, and why
    Dead {
        #[command(flatten)]
        route: RouteArgs,
        /// Most messages
        #[arg(long, default_value_t = 1000)]
        limit: usize,
    },
    /// Have messages wait again that the receiver did not take
    Retry {
        #[command(flatten)]
        route: RouteArgs,
        #[command(flatten)]
        which: DeadArgs,
    },
    /// Discard messages for good that the receiver did not take
    Discard {
        #[command(flatten)]
        route: RouteArgs,
        #[command(flatten)]
        which: DeadArgs,
    },
    /// List rows of a route whose target is a table, newest first
    Rows {
        #[command(flatten)]
        route: RouteArgs,
        /// Of this device
        #[arg(long)]
        device: Option<DeviceId>,
        /// Of topics that this filter matches
        #[arg(long)]
        topic: Option<String>,
        /// That came at this time or later (RFC 3339)
        #[arg(long)]
        from: Option<Timestamp>,
        /// That came before this time (RFC 3339)
        #[arg(long)]
        until: Option<Timestamp>,
        /// Most rows
        #[arg(long, default_value_t = 1000)]
        limit: usize,
    },
}
