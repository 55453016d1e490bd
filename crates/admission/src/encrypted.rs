//! Signed messages that only their device's owner reads (GW-4), whoever carries them. docs/cose.md.

use crate::signed::{SIGNED_BYTES_MAX, SignedError, SignedMessage};
use crypto::{
    Sha256, UnixTime,
    agreement::{AgreementKey, AgreementPublic},
    cose_encrypt::{ENCRYPT_TAG, EncryptError, Encrypted},
};
use pki::{
    Certificate, KeyUsage,
    validate::{Anchors, Options, PathError, validate},
};

/// Largest encrypted message, in bytes: the largest signed one, and what is around it.
pub const ENCRYPTED_BYTES_MAX: usize = SIGNED_BYTES_MAX + 512;
/// The content type that the protected header says: what is encrypted is a signed message.
pub const ENCRYPTED_CONTENT_TYPE: &str = "application/cose; cose-type=\"cose-sign1\"";
/// Authenticated with what is encrypted, so that it serves for nothing else.
const BOUND: &[u8] = b"tegata/message/encrypted/v1";

/// Why an encrypted message is none, or none is made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncryptedError {
    /// it cannot be read, or is not for this key
    #[error(transparent)]
    Cose(#[from] EncryptError),
    /// its content type is another
    #[error("its content type is another")]
    ContentType,
    /// it is too long
    #[error("it has more than 57,856 bytes")]
    TooLong,
    /// what is to be encrypted is no signed message
    #[error(transparent)]
    Signed(#[from] SignedError),
}

/// Why a certificate is not that of a key to encrypt for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    /// there is none
    #[error("there is no certificate")]
    Missing,
    /// it does not lead to a trusted root, is over, or is not for agreeing on keys
    #[error("the recipient's certificate: {0}")]
    Path(#[from] PathError),
    /// it may be used for something else as well
    #[error("the recipient's certificate is not one to encrypt for: its keyUsage is {0}")]
    Usage(String),
    /// it is another organisation's
    #[error("the recipient's certificate is {found}'s, not {expected}'s")]
    Organisation {
        /// as it says
        found: String,
        /// who it has to be
        expected: String,
    },
    /// its key is not on P-256
    #[error("the recipient's key is not one on P-256")]
    Key,
}

/// Who messages are encrypted for: the owner of the device that encrypts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    key: AgreementPublic,
    name: Sha256,
    not_after: UnixTime,
}

impl Recipient {
    /// The key of an organisation's certificate that leads to a root that the device trusts; those above it may
    /// follow it. Whoever brings the certificate cannot put another in its place: it would be none of the profile
    /// `message-recipient`, another organisation's, or under another root.
    ///
    /// # Errors
    /// [`RecipientError`].
    pub fn of(
        chain: &[Certificate],
        anchors: &Anchors,
        organisation: &str,
        now: UnixTime,
    ) -> Result<Self, RecipientError> {
        let (own, above) = chain.split_first().ok_or(RecipientError::Missing)?;
        let options = Options {
            key_usage: KeyUsage::KEY_AGREEMENT,
            allow_ca_leaf: false,
            ..Options::any(now)
        };
        validate(own, above, anchors, &options)?;
        // A key that signs as well could be anybody's.
        match own.extensions().key_usage() {
            Some(KeyUsage::KEY_AGREEMENT) => {}
            usage => {
                return Err(RecipientError::Usage(
                    usage.map(|it| it.to_string()).unwrap_or_default(),
                ));
            }
        }
        let found = own.organization().unwrap_or_default();
        // Two that name nobody are not the same.
        if found != organisation || organisation.is_empty() {
            let expected = organisation.to_owned();
            return Err(RecipientError::Organisation { found, expected });
        }
        let key = own.public_key().map_err(|_| RecipientError::Key)?;
        let (name, not_after) = (key.fingerprint(), own.not_after());
        let key = AgreementPublic::of_certified(key).map_err(|_| RecipientError::Key)?;
        Ok(Self { key, name, not_after })
    }

    /// The key's name: SHA-256 of its SubjectPublicKeyInfo.
    pub fn name(&self) -> Sha256 {
        self.name
    }

    /// Until when it may be encrypted for.
    pub fn not_after(&self) -> UnixTime {
        self.not_after
    }

    /// Encrypts a signed message.
    ///
    /// # Errors
    /// [`EncryptedError`].
    pub fn encrypt(&self, signed: &[u8]) -> Result<Vec<u8>, EncryptedError> {
        SignedMessage::claimed(signed)?;
        let bytes = Encrypted::seal(&self.key, ENCRYPTED_CONTENT_TYPE, signed, BOUND)?;
        if bytes.len() > ENCRYPTED_BYTES_MAX {
            return Err(EncryptedError::TooLong);
        }
        Ok(bytes)
    }
}

/// A message that was parsed, not decrypted.
#[derive(Debug, Clone)]
pub struct EncryptedMessage(Encrypted);

impl EncryptedMessage {
    /// Whether bytes are to be read as one: they begin with the tag of COSE_Encrypt.
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(&ENCRYPT_TAG)
    }

    /// Reads what is around the signed message.
    ///
    /// # Errors
    /// [`EncryptedError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EncryptedError> {
        if bytes.len() > ENCRYPTED_BYTES_MAX {
            return Err(EncryptedError::TooLong);
        }
        let message = Encrypted::parse(bytes)?;
        if message.content_type() != ENCRYPTED_CONTENT_TYPE {
            return Err(EncryptedError::ContentType);
        }
        Ok(Self(message))
    }

    /// Which key it is for: SHA-256 of its SubjectPublicKeyInfo.
    pub fn recipient(&self) -> Sha256 {
        self.0.recipient()
    }

    /// The signed message, of which nothing is known yet: anybody can encrypt for a public key.
    ///
    /// # Errors
    /// [`EncryptedError`].
    pub fn open(&self, key: &AgreementKey) -> Result<Vec<u8>, EncryptedError> {
        Ok(self.0.open(key, BOUND)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SIGNED_PAYLOAD_MAX, TopicName};
    use crypto::{KeyAlgorithm, PublicKey, Signer, SoftwareKey, agreement::Curve};
    use device::DeviceId;
    use pki::{IssuerInfo, Locations, Profile, Request, Serial, Subject, prepare};
    use proptest::prelude::*;

    const NOW: UnixTime = UnixTime(1_795_000_000);

    struct Authority {
        key: SoftwareKey,
        certificate: Certificate,
        info: IssuerInfo,
    }

    fn authority() -> Authority {
        let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let name = Subject::named("root");
        let validity = (NOW.plus(-1000), NOW.plus(86_400 * 1000));
        let info =
            IssuerInfo::self_signed(&name, key.public_key(), validity.0, validity.1).unwrap();
        let serial = Serial::from_random([7; 16]);
        let request = Request::new(serial, name, key.public_key().clone(), validity);
        let certificate = prepare(Profile::Root, &info, &request).unwrap().sign(&key).unwrap();
        let info = IssuerInfo::from_certificate(&certificate, Locations::default()).unwrap();
        Authority { key, certificate, info }
    }

    fn certified(
        by: &Authority,
        profile: Profile,
        organisation: &str,
        key: &PublicKey,
    ) -> Certificate {
        let subject = Subject { organisation: organisation.into(), ..Subject::named("messages") };
        let validity = (NOW.plus(-300), NOW.plus(86_400 * 300));
        let serial = Serial::from_random([9; 16]);
        let request = Request::new(serial, subject, key.clone(), validity);
        prepare(profile, &by.info, &request).unwrap().sign(&by.key).unwrap()
    }

    fn message(payload: Vec<u8>) -> Vec<u8> {
        let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let message = SignedMessage {
            device: DeviceId::from_bytes([7; 16]),
            certificate: crypto::sha256(b"certificate"),
            counter: 42,
            made_at: None,
            topic: TopicName::new("up/meter").unwrap(),
            media_type: None,
            payload,
        };
        message.sign(&key).unwrap()
    }

    fn recipient() -> (AgreementKey, Recipient) {
        let key = AgreementKey::generate(Curve::P256).unwrap();
        let root = authority();
        let public = key.public().to_certify().unwrap();
        let own = certified(&root, Profile::MessageRecipient, "owner", &public);
        let anchors: Anchors = [root.certificate].into_iter().collect();
        let recipient = Recipient::of(&[own], &anchors, "owner", NOW).unwrap();
        (key, recipient)
    }

    #[test]
    fn only_an_organisations_own_certificate_says_who_is_encrypted_for() {
        let (root, other) = (authority(), authority());
        let key = AgreementKey::generate(Curve::P256).unwrap();
        let public = key.public().to_certify().unwrap();
        let anchors: Anchors = [root.certificate.clone()].into_iter().collect();
        let of = |certificate: Certificate, now| {
            Recipient::of(&[certificate], &anchors, "owner", now).map(|it| it.name())
        };
        let own = |by, profile, organisation| certified(by, profile, organisation, &public);
        let good = own(&root, Profile::MessageRecipient, "owner");
        assert_eq!(of(good.clone(), NOW), Ok(public.fingerprint()));
        let over = of(good, NOW.plus(86_400 * 301));
        assert!(matches!(over, Err(RecipientError::Path(_))), "{over:?}");
        let foreign = of(own(&root, Profile::MessageRecipient, "gateway"), NOW);
        assert!(matches!(foreign, Err(RecipientError::Organisation { .. })), "{foreign:?}");
        let strange = of(own(&other, Profile::MessageRecipient, "owner"), NOW);
        assert!(matches!(strange, Err(RecipientError::Path(_))), "{strange:?}");
        // A certificate that the owner's gateway has for something else.
        for profile in [Profile::Ldevid, Profile::Operator, Profile::OrganisationSigner] {
            let borrowed = of(own(&root, profile, "owner"), NOW);
            assert!(matches!(borrowed, Err(RecipientError::Path(_))), "{borrowed:?}");
        }
        assert_eq!(Recipient::of(&[], &anchors, "owner", NOW), Err(RecipientError::Missing));
    }

    #[test]
    fn what_is_encrypted_is_a_signed_message_and_nothing_else() {
        let (key, recipient) = recipient();
        let signed = message(b"7".to_vec());
        let bytes = recipient.encrypt(&signed).unwrap();
        assert!(EncryptedMessage::is_one(&bytes) && !EncryptedMessage::is_one(&signed));
        let read = EncryptedMessage::parse(&bytes).unwrap();
        assert_eq!((read.recipient(), read.open(&key)), (recipient.name(), Ok(signed.clone())));
        assert!(recipient.encrypt(b"plain").is_err());
        assert!(recipient.encrypt(&bytes).is_err(), "encrypted within encrypted");
        // Another thing that was encrypted for the same key is no message.
        let public = key.public();
        let other = Encrypted::seal(public, "application/x", &signed, BOUND).unwrap();
        assert_eq!(EncryptedMessage::parse(&other).unwrap_err(), EncryptedError::ContentType);
        let unbound = Encrypted::seal(public, ENCRYPTED_CONTENT_TYPE, &signed, b"").unwrap();
        assert!(EncryptedMessage::parse(&unbound).unwrap().open(&key).is_err());
        let largest = recipient.encrypt(&message(vec![0; SIGNED_PAYLOAD_MAX])).unwrap();
        assert!(EncryptedMessage::parse(&largest).unwrap().open(&key).is_ok());
        let long = vec![0xd8; ENCRYPTED_BYTES_MAX + 1];
        assert_eq!(EncryptedMessage::parse(&long).unwrap_err(), EncryptedError::TooLong);
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_surprise(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = EncryptedMessage::parse(&bytes);
        }

        #[test]
        fn every_altered_byte_is_noticed(at in any::<prop::sample::Index>(), flip in 1_u8..) {
            let (key, recipient) = recipient();
            let mut bytes = recipient.encrypt(&message(b"7".to_vec())).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let opened = EncryptedMessage::parse(&bytes).and_then(|it| it.open(&key));
            prop_assert!(opened.is_err());
        }
    }
}
