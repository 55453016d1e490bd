//! Messages that their device signed (GW-4): whoever carries them, nobody alters them, moves them to
//! another topic or device, or sends them twice. docs/cose.md.

use crate::topic::{TopicError, TopicName};
use crypto::{
    PublicKey, Sha256, Signer, UnixTime, Verified,
    cose::{CoseError, Sign1},
};
use device::DeviceId;
use minicbor::{Decode, Encode};

/// Where signed messages go, below the space of the device that signed them.
pub const SIGNED_UP: &str = "up/signed";
/// Largest signed message, in bytes: a payload of 48 KiB and all around it, with the largest signature.
pub const SIGNED_BYTES_MAX: usize = 56 * 1024;
/// Largest payload within one.
pub const SIGNED_PAYLOAD_MAX: usize = 48 * 1024;
/// The content type that the protected header says.
pub const SIGNED_CONTENT_TYPE: &str = "application/vnd.tegata.message+cbor";
/// Authenticated with the signature, so that it serves for nothing else.
const BOUND: &[u8] = b"tegata/message/v1";
const MEDIA_TYPE_MAX: usize = 128;

/// Why a signed message is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignedError {
    /// it cannot be read
    #[error("not a signed message: {0}")]
    Malformed(&'static str),
    /// its signature does not hold
    #[error(transparent)]
    Cose(#[from] CoseError),
    /// its topic is none
    #[error(transparent)]
    Topic(#[from] TopicError),
}

/// A message, as its device signs it.
///
/// COSE_Sign1 ([`crypto::cose`]) over CBOR `[1, device, certificate, counter, time or null, topic,
/// media type or null, payload]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedMessage {
    /// which device says it
    pub device: DeviceId,
    /// SHA-256 of the certificate whose key signs
    pub certificate: Sha256,
    /// counts the device's messages: what was heard is not heard again
    pub counter: u64,
    /// when it was made, by the device's clock
    pub made_at: Option<UnixTime>,
    /// below the device's space
    pub topic: TopicName,
    /// its media type
    pub media_type: Option<String>,
    /// what it says
    pub payload: Vec<u8>,
}

#[derive(Encode, Decode)]
struct Wire {
    #[n(0)]
    version: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    device: Vec<u8>,
    #[cbor(n(2), with = "minicbor::bytes")]
    certificate: Vec<u8>,
    #[n(3)]
    counter: u64,
    #[n(4)]
    made_at: Option<i64>,
    #[n(5)]
    topic: String,
    #[n(6)]
    media_type: Option<String>,
    #[cbor(n(7), with = "minicbor::bytes")]
    payload: Vec<u8>,
}

impl SignedMessage {
    /// Signs with the key of the certificate that is named.
    ///
    /// # Errors
    /// [`SignedError`], also where it could not be read again.
    pub fn sign(&self, key: &dyn Signer) -> Result<Vec<u8>, SignedError> {
        let wire = Wire {
            version: 1,
            device: self.device.as_bytes().to_vec(),
            certificate: self.certificate.as_bytes().to_vec(),
            counter: self.counter,
            made_at: self.made_at.map(|at| at.0),
            topic: self.topic.as_str().to_owned(),
            media_type: self.media_type.clone(),
            payload: self.payload.clone(),
        };
        let bytes = minicbor::to_vec(wire).unwrap_or_default();
        read(&bytes)?;
        let signed = Sign1::sign(key, SIGNED_CONTENT_TYPE, &bytes, BOUND)?;
        let fits = signed.len() <= SIGNED_BYTES_MAX;
        fits.then_some(signed).ok_or(SignedError::Malformed("it is too long"))
    }

    /// What a message says, without looking at who signed it: to find the certificate by.
    ///
    /// # Errors
    /// [`SignedError`].
    pub fn claimed(bytes: &[u8]) -> Result<Self, SignedError> {
        read(parse(bytes)?.unverified_payload())
    }

    /// Reads a message signed by the key of the certificate that it names, which the caller has found and
    /// knows to be the device's.
    ///
    /// # Errors
    /// [`SignedError`].
    pub fn verify(bytes: &[u8], key: &PublicKey) -> Result<Verified<Self>, SignedError> {
        let message = parse(bytes)?;
        let payload = message.verify(key, BOUND)?;
        Ok(Verified::assertion(read(&payload)?))
    }
}

fn parse(bytes: &[u8]) -> Result<Sign1, SignedError> {
    if bytes.len() > SIGNED_BYTES_MAX {
        return Err(SignedError::Malformed("it has more than 57,344 bytes"));
    }
    let message = Sign1::parse(bytes)?;
    if message.content_type() != SIGNED_CONTENT_TYPE {
        return Err(SignedError::Malformed("its content type is another"));
    }
    Ok(message)
}

fn read(bytes: &[u8]) -> Result<SignedMessage, SignedError> {
    let wrong = SignedError::Malformed;
    let wire: Wire = minicbor::decode(bytes).map_err(|_| wrong("its content has another form"))?;
    // One message has one encoding: no item twice, nothing behind it.
    if minicbor::to_vec(&wire).ok().as_deref() != Some(bytes) {
        return Err(wrong("its encoding is not deterministic"));
    }
    if wire.version != 1 {
        return Err(wrong("its version is not 1"));
    }
    if wire.payload.len() > SIGNED_PAYLOAD_MAX {
        return Err(wrong("its payload has more than 49,152 bytes"));
    }
    if wire.media_type.as_ref().is_some_and(|it| it.is_empty() || it.len() > MEDIA_TYPE_MAX) {
        return Err(wrong("its media type has no or more than 128 bytes"));
    }
    let device = <[u8; 16]>::try_from(wire.device).map_err(|_| wrong("no device's id"))?;
    let certificate = Sha256::from_slice(&wire.certificate);
    let topic = TopicName::new(wire.topic)?;
    // A signed message within a signed message would be carried on by itself.
    if topic.as_str() == SIGNED_UP || topic.as_str().starts_with("me/") {
        return Err(wrong(
            "its topic is below the device's space, and not that of signed messages",
        ));
    }
    Ok(SignedMessage {
        device: DeviceId::from_bytes(device),
        certificate: certificate.ok_or(wrong("no certificate's fingerprint"))?,
        counter: wire.counter,
        made_at: wire.made_at.map(UnixTime),
        topic,
        media_type: wire.media_type,
        payload: wire.payload,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::{KeyAlgorithm, SoftwareKey};
    use proptest::prelude::*;

    fn message() -> SignedMessage {
        SignedMessage {
            device: DeviceId::from_bytes([7; 16]),
            certificate: crypto::sha256(b"certificate"),
            counter: 42,
            made_at: Some(UnixTime(1_795_000_000)),
            topic: TopicName::new("up/meter").unwrap(),
            media_type: Some("application/json".into()),
            payload: b"{\"kwh\":7}".to_vec(),
        }
    }

    #[test]
    fn what_is_signed_is_read_and_nothing_else_is() {
        let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let bytes = message().sign(&key).unwrap();
        assert_eq!(SignedMessage::claimed(&bytes), Ok(message()));
        assert_eq!(*SignedMessage::verify(&bytes, key.public_key()).unwrap(), message());
        let stranger = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        assert!(SignedMessage::verify(&bytes, stranger.public_key()).is_err());
        // Another thing that the same key signed is no message.
        let other = Sign1::sign(&key, "application/x", b"\x80", BOUND).unwrap();
        assert!(SignedMessage::verify(&other, key.public_key()).is_err());
        let wire = parse(&bytes).unwrap().unverified_payload().to_vec();
        let unbound = Sign1::sign(&key, SIGNED_CONTENT_TYPE, &wire, b"").unwrap();
        assert!(SignedMessage::claimed(&unbound).is_ok());
        assert!(SignedMessage::verify(&unbound, key.public_key()).is_err());
        let again = |change: fn(&mut SignedMessage)| {
            let mut message = message();
            change(&mut message);
            message.sign(&key)
        };
        assert!(again(|it| it.topic = TopicName::new(SIGNED_UP).unwrap()).is_err());
        assert!(again(|it| it.payload = vec![0; SIGNED_PAYLOAD_MAX + 1]).is_err());
        assert!(again(|it| it.payload = vec![0; SIGNED_PAYLOAD_MAX]).is_ok());
        assert!(again(|it| it.media_type = Some(String::new())).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_surprise(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = SignedMessage::claimed(&bytes);
            let _ = read(&bytes);
        }

        #[test]
        fn every_altered_byte_is_noticed(at in 0_usize..400, flip in 1_u8..) {
            let key = SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap();
            let mut bytes = message().sign(&key).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= flip;
            prop_assert!(SignedMessage::verify(&bytes, key.public_key()).is_err());
        }

        #[test]
        fn what_is_written_is_read(
            counter in any::<u64>(), at in proptest::option::of(any::<i64>()),
            payload in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let key = SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap();
            let it = SignedMessage { counter, made_at: at.map(UnixTime), payload, ..message() };
            let bytes = it.sign(&key).unwrap();
            prop_assert_eq!(&*SignedMessage::verify(&bytes, key.public_key()).unwrap(), &it);
        }
    }
}
