use super::{Header, SealedError, malformed};
use crypto::{
    Secret, Sha256,
    agreement::{AgreementKey, AgreementPublic, Wrapped},
};
use minicbor::{Decode, Encode};

/// Largest ticket read, in bytes.
pub const TICKET_BYTES_MAX: usize = 512;
const WHAT: &str = "a ticket";

/// The content key of one image, wrapped for one device or group.
///
/// CBOR: `[1, image (32 bytes), recipient (32 bytes), ephemeral point, wrapped key (40 bytes)]`, with
/// the SHA-256 of the sealed image's header and of the recipient's key. Both go into the key that
/// wraps: a ticket opens nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// which image: [`Header::id`]
    pub image: Sha256,
    /// for whom: the fingerprint of the encryption key
    pub recipient: Sha256,
    wrapped: Wrapped,
}

#[derive(Encode, Decode)]
struct Wire {
    #[n(0)]
    version: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    image: [u8; 32],
    #[cbor(n(2), with = "minicbor::bytes")]
    recipient: [u8; 32],
    #[cbor(n(3), with = "minicbor::bytes")]
    ephemeral: Vec<u8>,
    #[cbor(n(4), with = "minicbor::bytes")]
    key: [u8; 40],
}

impl Ticket {
    /// Wraps the content key of an image for a recipient, whose key must be known to be its own: see
    /// [`KeyStatement`](super::KeyStatement).
    ///
    /// # Errors
    /// [`SealedError::Agreement`]
    pub fn wrap(
        content_key: &Secret,
        image: &Header,
        recipient: &AgreementPublic,
    ) -> Result<Self, SealedError> {
        let image = image.id();
        let wrapped = recipient.wrap(content_key, image.as_bytes())?;
        Ok(Self { image, recipient: recipient.fingerprint(), wrapped })
    }

    /// The content key of this image.
    ///
    /// # Errors
    /// [`SealedError::Other`] where the ticket is for another image or key, [`SealedError::Agreement`]
    /// where it was altered.
    pub fn unwrap_for(&self, image: &Header, key: &AgreementKey) -> Result<Secret, SealedError> {
        let id = image.id();
        if self.image != id {
            return Err(SealedError::Other("image"));
        }
        if self.recipient != key.public().fingerprint() {
            return Err(SealedError::Other("device or group"));
        }
        Ok(key.unwrap_key(&self.wrapped, id.as_bytes())?)
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let wire = Wire {
            version: 1,
            image: self.image.0,
            recipient: self.recipient.0,
            ephemeral: self.wrapped.ephemeral.clone(),
            key: self.wrapped.key,
        };
        // Writing into a vector cannot fail.
        minicbor::to_vec(wire).unwrap_or_default()
    }

    /// Reads a ticket. One ticket has one encoding.
    ///
    /// # Errors
    /// [`SealedError::Malformed`]
    pub fn parse(bytes: &[u8]) -> Result<Self, SealedError> {
        if bytes.len() > TICKET_BYTES_MAX {
            return Err(malformed(WHAT, "it is longer than 512 bytes"));
        }
        let wire: Wire =
            minicbor::decode(bytes).map_err(|_| malformed(WHAT, "it is not the form in CBOR"))?;
        if wire.version != 1 {
            return Err(malformed(WHAT, "it was made by a newer version"));
        }
        let ticket = Self {
            image: Sha256(wire.image),
            recipient: Sha256(wire.recipient),
            wrapped: Wrapped { ephemeral: wire.ephemeral, key: wire.key },
        };
        if ticket.to_bytes() != bytes {
            return Err(malformed(WHAT, "its encoding is not deterministic"));
        }
        Ok(ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Plain, *};
    use crypto::agreement::{AgreementError, Curve};
    use proptest::prelude::*;

    fn header(salt: u8) -> Header {
        let plain = Plain { length: 3, sha256: Sha256([1; 32]) };
        Header { chunk_bytes: 1024, plain, salt: [salt; 32] }
    }

    #[test]
    fn a_ticket_opens_one_image_for_one_key() {
        let content = Secret::new(vec![3; 32]);
        let key = AgreementKey::generate(Curve::P256).unwrap();
        let ticket = Ticket::wrap(&content, &header(1), key.public()).unwrap();
        let again = Ticket::parse(&ticket.to_bytes()).unwrap();
        assert_eq!(again, ticket);
        assert_eq!(again.unwrap_for(&header(1), &key).unwrap().expose(), content.expose());
        assert_eq!(again.unwrap_for(&header(2), &key).unwrap_err(), SealedError::Other("image"));
        let other = AgreementKey::generate(Curve::P256).unwrap();
        assert_eq!(
            again.unwrap_for(&header(1), &other).unwrap_err(),
            SealedError::Other("device or group")
        );
        // Who rewrites the names gains nothing: they are in the key that wraps.
        let locked = SealedError::Agreement(AgreementError::Locked);
        let renamed = Ticket { image: header(2).id(), ..ticket.clone() };
        assert_eq!(renamed.unwrap_for(&header(2), &key).unwrap_err(), locked);
        let renamed = Ticket { recipient: other.public().fingerprint(), ..ticket };
        assert_eq!(renamed.unwrap_for(&header(1), &other).unwrap_err(), locked);
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_error_or_read_back(bytes: Vec<u8>) {
            if let Ok(ticket) = Ticket::parse(&bytes) {
                prop_assert_eq!(ticket.to_bytes(), bytes);
            }
        }

        #[test]
        fn no_damage_goes_unnoticed(at in 0usize..170, bit in 0u8..8) {
            let content = Secret::new(vec![3; 32]);
            let key = AgreementKey::generate(Curve::X25519).unwrap();
            let ticket = Ticket::wrap(&content, &header(1), key.public()).unwrap();
            let mut bytes = ticket.to_bytes();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            let opened =
                Ticket::parse(&bytes).and_then(|ticket| ticket.unwrap_for(&header(1), &key));
            prop_assert!(opened.is_err());
        }
    }
}
