//! What is said to message brokers (GW-5, docs/routes.md): publishing to a JetStream of NATS and to a
//! queue of RabbitMQ, each message acknowledged by the broker, without I/O.
//!
//! A [`Publisher`] is fed the bytes that came, and gives bytes to be sent and [`Event`]s. Connections,
//! TLS, time and patience are whoever drives it. A broker is somebody else's, named by a tenant: what it
//! may have us keep in memory is bounded, and it leads nowhere else ([`nats`] reads over the addresses
//! of other servers).
//!
//! Deliberately absent: subscribing and consuming.

pub mod amqp;
mod login;
pub mod nats;
mod nkey;
mod template;

pub use login::{Identity, LOGIN_BYTES_MAX, Login, LoginError, Speaks};
pub use template::{Placed, Template, TemplateError, TooLong};

use crypto::UnixTime;

/// A message on its way to a broker.
#[derive(Debug, Clone, Copy)]
pub struct Publication<'a> {
    /// subject, or routing key
    pub place: &'a str,
    /// by which the broker, or who consumes, tells that it came twice: visible ASCII
    pub id: &'a str,
    /// when the platform got it
    pub at: UnixTime,
    /// JSON
    pub body: &'a [u8],
}

/// What a broker says of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// it has it, and keeps it
    Taken,
    /// not as things are: somebody may mend them
    Refused(String),
    /// it never takes this message
    Never(String),
}

/// What came of the bytes of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// messages may be published from now on
    Ready,
    /// what became of the message of this number
    Answer(u64, Verdict),
}

/// Why a connection has ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// what came is not what a broker says
    #[error("the broker does not speak its protocol: {0}")]
    Broken(&'static str),
    /// the broker does not let us in, or ends the connection
    #[error("{0}")]
    Refused(String),
    /// it ends the connection for one of the messages on their way
    #[error("{0}")]
    Message(String),
    /// it ends the connection for one of the messages on their way, which somebody may permit
    #[error("{0}")]
    NotPermitted(String),
}

/// One connection to a broker.
pub trait Publisher: Send {
    /// Takes bytes that came.
    ///
    /// # Errors
    /// Where the connection is over.
    fn receive(&mut self, bytes: &[u8]) -> Result<(), Fault>;

    /// What happened, in its order.
    fn event(&mut self) -> Option<Event>;

    /// Bytes to be sent.
    fn output(&mut self) -> Vec<u8>;

    /// Publishes, once it is ready; the number comes back with the answer.
    fn publish(&mut self, number: u64, message: &Publication<'_>);

    /// Shows the broker that somebody is there. To be called every 20 seconds.
    fn beat(&mut self);

    /// Whether a message of this length is one that the broker may end the connection for.
    fn is_doubtful(&self, length: usize) -> bool;

    /// What keeps the broker from acknowledging, where it said so.
    fn held_up(&self) -> Option<String>;
}

/// What a broker says, as a part of a sentence: printable, and not long.
fn told(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
