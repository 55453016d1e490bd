//! Images that only named devices can read (UP-2; docs/sealed.md). An image is enciphered once, by
//! [`Sealer`]; its content key is then wrapped for each device or group, as a [`Ticket`]. A device's
//! encryption key is bound to its identity by a [`KeyStatement`] that its LDevID key signed.
//!
//! Secrecy only: who made an image is said by the metadata that names its hash. What is read from a
//! sealed image is authenticated chunk by chunk, and is whole only when [`Opener::finish`] says so.

mod image;
mod statement;
mod ticket;

pub use image::{
    CHUNK_BYTES, CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, HEADER_BYTES, Header, MAGIC, Opener, Plain,
    Sealer,
};
pub use statement::{Holder, KeyStatement, STATEMENT_BYTES_MAX};
pub use ticket::{TICKET_BYTES_MAX, Ticket};

use crypto::{UnixTime, agreement::AgreementError, cose::CoseError, stream::StreamError};

/// Why something is not sealed or not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealedError {
    /// Not the form.
    #[error("not {what}: {reason}")]
    Malformed {
        /// what it should be
        what: &'static str,
        /// what is wrong with it
        reason: &'static str,
    },
    /// Other contents than were announced when sealing began.
    #[error("the image changed while it was sealed; seal it again")]
    Changed,
    /// Fewer or more bytes than the header says.
    #[error("the sealed image was cut or has bytes after its end")]
    Length,
    /// What came out is not what the header says.
    #[error("the opened image has another hash than its header says")]
    Hash,
    /// Wrong key, or altered.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The ticket is not for this key or not for this image.
    #[error(transparent)]
    Agreement(#[from] AgreementError),
    /// The ticket names another key or image.
    #[error("the ticket is for another {0}")]
    Other(&'static str),
    /// A statement that was not signed by whom it should be.
    #[error("the statement about an encryption key does not hold: {0}")]
    Statement(#[from] CoseError),
    /// A statement past its end, or before its beginning.
    #[error("the encryption key is stated from {from} to {to} only")]
    NotNow {
        /// first second
        from: UnixTime,
        /// last second
        to: UnixTime,
    },
}

pub(crate) fn malformed(what: &'static str, reason: &'static str) -> SealedError {
    SealedError::Malformed { what, reason }
}
