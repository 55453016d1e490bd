use super::{EVENT_BYTES_MAX, Event, EventError};
use crate::cbor::CborError;
use crypto::{PublicKey, Sha256, Signer, Verified, cose::Sign1};
use ledger::Commitment;

/// Content type in the protected header of a signed event.
pub const EVENT_CONTENT_TYPE: &str = "application/vnd.tegata.event+cbor";

/// An event in its COSE_Sign1 envelope, with the bytes as received (invariant 9). Parsed; the
/// signature is checked by [`Self::verify`].
#[derive(Debug, Clone)]
pub struct SignedEvent {
    envelope: Sign1,
    event: Event,
}

impl SignedEvent {
    /// Signs `event` with a key of the reporting organisation.
    ///
    /// # Errors
    /// [`EventError::Payload`] where a text is empty, too long or has control characters, or a list
    /// is too long or out of order; [`EventError::Cose`] where signing fails.
    pub fn sign(signer: &dyn Signer, event: &Event) -> Result<Self, EventError> {
        let payload = event.encode();
        if payload.len() > EVENT_BYTES_MAX {
            return Err(CborError::TooLong(EVENT_BYTES_MAX).into());
        }
        // What is signed can be read back, and what is read back is what is gone on with.
        let event = Event::decode(&payload)?;
        let envelope = Sign1::make(signer, EVENT_CONTENT_TYPE, &payload, b"")?;
        Ok(Self { envelope, event })
    }

    /// Reads a signed event.
    ///
    /// # Errors
    /// [`EventError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EventError> {
        let envelope = Sign1::parse(bytes)?;
        if envelope.content_type() != EVENT_CONTENT_TYPE {
            return Err(EventError::ContentType(
                envelope.content_type().chars().take(80).collect(),
            ));
        }
        let event = Event::decode(envelope.unverified_payload())?;
        Ok(Self { envelope, event })
    }

    /// Verifies the signature by `key`. That `key` belongs to the reporter is the caller's to know.
    ///
    /// # Errors
    /// [`EventError::Cose`].
    pub fn verify(&self, key: &PublicKey) -> Result<Verified<Event>, EventError> {
        self.envelope.verify(key, b"")?;
        Ok(Verified::assertion(self.event.clone()))
    }

    /// The event. Unverified: for finding the device and the reporter's key only.
    pub fn unverified(&self) -> &Event {
        &self.event
    }

    /// Fingerprint of the key that claims to have signed. Unverified.
    pub fn key_id(&self) -> Sha256 {
        self.envelope.key_id()
    }

    /// The bytes as received: the contents of the ledger's leaf.
    pub fn as_bytes(&self) -> &[u8] {
        self.envelope.as_bytes()
    }

    /// The commitment that the ledger holds and the next event names.
    pub fn commitment(&self, salt: &[u8; 32]) -> Commitment {
        ledger::commit(salt, self.as_bytes())
    }
}
