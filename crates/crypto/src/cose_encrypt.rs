//! COSE_Encrypt (RFC 9052 section 5.1) for one recipient, with a deterministic encoding (RFC 8949 section 4.2).
//!
//! ECDH-ES on P-256 with HKDF-SHA-256, whose result is the content key itself (RFC 9053 section 6.3.1);
//! content by A256GCM. Protected header of the message: `alg` (1), `content type` (3), `IV` (5). Of the
//! recipient: `alg` (1), `kid` (4, SHA-256 of the SubjectPublicKeyInfo of the recipient's key), ephemeral key
//! (-1). Both unprotected headers are empty: all of the recipient's header goes into the COSE_KDF_Context, so
//! that nothing can be written in another way, not even the sign of a point. Any other form is refused.

use crate::{
    Sha256,
    agreement::{AgreementError, AgreementKey, AgreementPublic, Curve},
    random,
};
use aws_lc_rs::aead::{Aad, Nonce};
use coset::{
    AsCborValue as _, CborSerializable as _, CoseEncrypt, CoseKdfContextBuilder, CoseKeyBuilder,
    CoseRecipient, EncryptionContext, Header, HeaderBuilder, Label, ProtectedHeader, SuppPubInfo,
    TaggedCborSerializable as _, cbor::Value, enc_structure_data, iana,
};

/// Largest COSE_Encrypt read, in bytes.
pub const ENCRYPT_BYTES_MAX: usize = 64 * 1024;
/// How a COSE_Encrypt begins: tag 96.
pub const ENCRYPT_TAG: [u8; 2] = [0xd8, 96];
/// Length of a coordinate on P-256, in bytes.
const COORDINATE_BYTES: usize = 32;
const IV_BYTES: usize = 12;
/// Length of the content key, in bits.
const KEY_BITS: u64 = 256;

/// Why a COSE_Encrypt is not accepted or was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncryptError {
    /// Not a tagged COSE_Encrypt of the form above.
    #[error("not an acceptable COSE_Encrypt: {0}")]
    Malformed(&'static str),
    /// Encrypted for another key, for another use, or altered: these look alike on purpose.
    #[error("it does not decrypt: encrypted for another key or use, or altered")]
    Locked,
    /// The recipient's key is none to encrypt for.
    #[error("the recipient's key is not one on P-256")]
    Recipient,
    /// The back end failed.
    #[error("encryption failed")]
    Backend,
}

/// A COSE_Encrypt that was parsed, not decrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encrypted {
    content_type: String,
    iv: [u8; IV_BYTES],
    ciphertext: Vec<u8>,
    recipient: Sha256,
    /// uncompressed point
    ephemeral: Vec<u8>,
}

impl Encrypted {
    /// Encrypts for the holder of a key; `external_aad` is authenticated and not carried.
    ///
    /// # Errors
    /// [`EncryptError::Recipient`], [`EncryptError::Backend`].
    pub fn seal(
        recipient: &AgreementPublic,
        content_type: &str,
        plaintext: &[u8],
        external_aad: &[u8],
    ) -> Result<Vec<u8>, EncryptError> {
        let name = recipient.to_certify().map_err(|_| EncryptError::Recipient)?.fingerprint();
        let backend = |_| EncryptError::Backend;
        let own = AgreementKey::generate(Curve::P256).map_err(backend)?;
        let mut sealed = Self {
            content_type: content_type.to_owned(),
            iv: random::bytes(),
            ciphertext: plaintext.to_vec(),
            recipient: name,
            ephemeral: own.public().bytes().to_vec(),
        };
        let key = own.content_key(recipient.bytes(), &sealed.kdf_context()?).map_err(backend)?;
        let aad = Aad::from(sealed.authenticated(external_aad));
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(sealed.iv),
            aad,
            &mut sealed.ciphertext,
        )
        .map_err(|_| EncryptError::Backend)?;
        sealed.encode()
    }

    /// Parses the one form there is.
    ///
    /// # Errors
    /// [`EncryptError::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EncryptError> {
        let wrong = EncryptError::Malformed;
        if bytes.len() > ENCRYPT_BYTES_MAX {
            return Err(wrong("longer than 64 KiB"));
        }
        let message = CoseEncrypt::from_tagged_slice(bytes)
            .map_err(|_| wrong("not a tagged COSE_Encrypt in CBOR"))?;
        let header = &message.protected.header;
        let Some(coset::ContentType::Text(content_type)) = header.content_type.clone() else {
            return Err(wrong("content type is missing"));
        };
        let iv = header.iv.as_slice().try_into().map_err(|_| wrong("IV is not of 12 bytes"))?;
        let [recipient] = message.recipients.as_slice() else {
            return Err(wrong("it is not for exactly one recipient"));
        };
        let of = &recipient.protected.header;
        let parsed = Self {
            content_type,
            iv,
            ciphertext: message.ciphertext.ok_or(wrong("ciphertext is detached"))?,
            recipient: Sha256::from_slice(&of.key_id)
                .ok_or(wrong("the recipient's kid is not a SHA-256 fingerprint"))?,
            ephemeral: point(of).ok_or(wrong("ephemeral key is not a point on P-256"))?,
        };
        // Algorithms, further parameters, unprotected headers, the order and length of everything: what is
        // not written as it would be written here is another form.
        if parsed.encode()? != bytes {
            return Err(wrong("it has another algorithm, parameter or encoding"));
        }
        Ok(parsed)
    }

    /// Which key it is for: SHA-256 of its SubjectPublicKeyInfo.
    pub fn recipient(&self) -> Sha256 {
        self.recipient
    }

    /// Content type of what is encrypted.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// What was encrypted for this key with the same `external_aad`.
    ///
    /// # Errors
    /// [`EncryptError::Locked`].
    pub fn open(&self, key: &AgreementKey, external_aad: &[u8]) -> Result<Vec<u8>, EncryptError> {
        let name = key.public().to_certify().map_err(|_| EncryptError::Recipient)?.fingerprint();
        if name != self.recipient {
            return Err(EncryptError::Locked);
        }
        let locked = |_: AgreementError| EncryptError::Locked;
        let key = key.content_key(&self.ephemeral, &self.kdf_context()?).map_err(locked)?;
        let mut buffer = self.ciphertext.clone();
        let aad = Aad::from(self.authenticated(external_aad));
        let nonce = Nonce::assume_unique_for_key(self.iv);
        let length =
            key.open_in_place(nonce, aad, &mut buffer).map_err(|_| EncryptError::Locked)?.len();
        buffer.truncate(length);
        Ok(buffer)
    }

    /// Protected header of the message.
    fn protected(&self) -> ProtectedHeader {
        let header = HeaderBuilder::new()
            .algorithm(iana::Algorithm::A256GCM)
            .content_type(self.content_type.clone())
            .iv(self.iv.to_vec())
            .build();
        ProtectedHeader { original_data: None, header }
    }

    /// Protected header of the recipient.
    fn recipient_protected(&self) -> Result<ProtectedHeader, EncryptError> {
        let (x, y) = self
            .ephemeral
            .get(1..)
            .and_then(|point| point.split_at_checked(COORDINATE_BYTES))
            .ok_or(EncryptError::Backend)?;
        let curve = iana::EllipticCurve::P_256;
        let key = CoseKeyBuilder::new_ec2_pub_key(curve, x.to_vec(), y.to_vec()).build();
        let key = key.to_cbor_value().map_err(|_| EncryptError::Backend)?;
        let header = HeaderBuilder::new()
            .algorithm(iana::Algorithm::ECDH_ES_HKDF_256)
            .key_id(self.recipient.as_bytes().to_vec())
            .value(EPHEMERAL_KEY, key)
            .build();
        Ok(ProtectedHeader { original_data: None, header })
    }

    /// COSE_KDF_Context (RFC 9053 section 5.2): nobody is named but by the header, which is in it.
    fn kdf_context(&self) -> Result<Vec<u8>, EncryptError> {
        let public = SuppPubInfo {
            key_data_length: KEY_BITS,
            protected: self.recipient_protected()?,
            other: None,
        };
        CoseKdfContextBuilder::new()
            .algorithm(iana::Algorithm::A256GCM)
            .supp_pub_info(public)
            .build()
            .to_vec()
            .map_err(|_| EncryptError::Backend)
    }

    /// Enc_structure (RFC 9052 section 5.3).
    fn authenticated(&self, external_aad: &[u8]) -> Vec<u8> {
        enc_structure_data(EncryptionContext::CoseEncrypt, self.protected(), external_aad)
    }

    fn encode(&self) -> Result<Vec<u8>, EncryptError> {
        let recipient = CoseRecipient {
            protected: self.recipient_protected()?,
            ciphertext: Some(Vec::new()),
            ..CoseRecipient::default()
        };
        let message = CoseEncrypt {
            protected: self.protected(),
            ciphertext: Some(self.ciphertext.clone()),
            recipients: vec![recipient],
            ..CoseEncrypt::default()
        };
        message.to_tagged_vec().map_err(|_| EncryptError::Backend)
    }
}

/// Header parameter of ECDH-ES (RFC 9053 table 14).
const EPHEMERAL_KEY: i64 = iana::HeaderAlgorithmParameter::EphemeralKey as i64;

/// The uncompressed point of the ephemeral key. That it is on the curve is found where it is used.
fn point(header: &Header) -> Option<Vec<u8>> {
    let (_, key) = header.rest.iter().find(|(label, _)| *label == Label::Int(EPHEMERAL_KEY))?;
    let coordinate = |label: iana::Ec2KeyParameter| {
        let label = Value::from(label as i64);
        let (_, value) = key.as_map()?.iter().find(|(found, _)| *found == label)?;
        value.as_bytes().filter(|bytes| bytes.len() == COORDINATE_BYTES)
    };
    let (x, y) = (coordinate(iana::Ec2KeyParameter::X)?, coordinate(iana::Ec2KeyParameter::Y)?);
    Some([&[4], x.as_slice(), y.as_slice()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TYPE: &str = "application/test";
    const BOUND: &[u8] = b"a use";

    fn sealed(key: &AgreementKey) -> Vec<u8> {
        Encrypted::seal(key.public(), TYPE, b"meter reads 7", BOUND).unwrap()
    }

    #[test]
    fn only_the_recipient_reads_it_and_only_for_the_same_use() {
        let key = AgreementKey::generate(Curve::P256).unwrap();
        let bytes = sealed(&key);
        assert_eq!(bytes[..2], ENCRYPT_TAG);
        let message = Encrypted::parse(&bytes).unwrap();
        assert_eq!(message.recipient(), key.public().to_certify().unwrap().fingerprint());
        assert_eq!(message.content_type(), TYPE);
        assert_eq!(message.open(&key, BOUND).unwrap(), b"meter reads 7");
        assert_eq!(message.open(&key, b"another use"), Err(EncryptError::Locked));
        let other = AgreementKey::generate(Curve::P256).unwrap();
        assert_eq!(message.open(&other, BOUND), Err(EncryptError::Locked));
        // Who names another recipient does not make it that one's.
        let renamed = Encrypted {
            recipient: other.public().to_certify().unwrap().fingerprint(),
            ..message.clone()
        };
        assert_eq!(renamed.open(&other, BOUND), Err(EncryptError::Locked));
        // The other point with the same x makes the same secret, and yet another key.
        let mut negated = message.clone();
        let p = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
        let p = hex::decode(p).unwrap();
        let mut borrow = 0_i16;
        for (at, of) in p.iter().enumerate().rev() {
            let left = i16::from(*of) - i16::from(negated.ephemeral[33 + at]) - borrow;
            borrow = i16::from(left < 0);
            negated.ephemeral[33 + at] = u8::try_from(left.rem_euclid(256)).unwrap();
        }
        assert!(AgreementPublic::new(Curve::P256, &negated.ephemeral).is_ok());
        assert_eq!(negated.open(&key, BOUND), Err(EncryptError::Locked));
        assert_ne!(sealed(&key), bytes, "every message has a key of its own");
        let wrong = AgreementKey::generate(Curve::X25519).unwrap();
        assert_eq!(Encrypted::seal(wrong.public(), TYPE, b"", BOUND), Err(EncryptError::Recipient));
        assert_eq!(message.open(&wrong, BOUND), Err(EncryptError::Recipient));
    }

    /// What a cautious reader is offered by those who are not.
    #[test]
    fn other_forms_are_refused() {
        let key = AgreementKey::generate(Curve::P256).unwrap();
        let bytes = sealed(&key);
        let refused = |change: &dyn Fn(&mut CoseEncrypt)| {
            let mut message = CoseEncrypt::from_tagged_slice(&bytes).unwrap();
            message.protected.original_data = None;
            message.recipients[0].protected.original_data = None;
            change(&mut message);
            let changed = message.to_tagged_vec().unwrap();
            assert!(matches!(Encrypted::parse(&changed), Err(EncryptError::Malformed(_))));
        };
        let algorithm = |it| Some(coset::RegisteredLabelWithPrivate::Assigned(it));
        refused(&|it| it.protected.header.alg = algorithm(iana::Algorithm::A128GCM));
        refused(&|it| it.protected.header.alg = None);
        refused(&|it| it.protected.header.iv = vec![0; 7]);
        refused(&|it| it.protected.header.content_type = None);
        refused(&|it| it.protected.header.key_id = vec![1]);
        refused(&|it| it.protected.header.rest.push((Label::Int(-70_001), Value::Null)));
        refused(&|it| it.unprotected.iv = vec![0; 12]);
        refused(&|it| it.ciphertext = None);
        refused(&|it| it.recipients.clear());
        refused(&|it| it.recipients.push(it.recipients[0].clone()));
        refused(&|it| it.recipients[0].unprotected.key_id = vec![0; 32]);
        refused(&|it| it.recipients[0].ciphertext = Some(vec![0; 40]));
        refused(&|it| it.recipients[0].ciphertext = None);
        refused(&|it| {
            let inner = it.recipients[0].clone();
            it.recipients[0].recipients.push(inner);
        });
        for other in [
            iana::Algorithm::Direct,
            iana::Algorithm::ECDH_SS_HKDF_256,
            iana::Algorithm::ECDH_ES_HKDF_512,
            iana::Algorithm::ECDH_ES_A256KW,
        ] {
            refused(&|it| it.recipients[0].protected.header.alg = algorithm(other));
        }
        let salt = (Label::Int(-20), Value::Bytes(vec![0; 32]));
        refused(&|it| it.recipients[0].protected.header.rest.push(salt.clone()));
        refused(&|it| it.recipients[0].protected.header.rest.clear());
        assert!(Encrypted::parse(&bytes[2..]).is_err(), "without its tag");
        assert!(Encrypted::parse(&[&bytes[..], &[0]].concat()).is_err());
        assert!(Encrypted::parse(&[]).is_err());
    }

    #[test]
    fn every_altered_bit_is_noticed() {
        let key = AgreementKey::generate(Curve::P256).unwrap();
        let bytes = sealed(&key);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut altered = bytes.clone();
                altered[at] ^= 1 << bit;
                let opened = Encrypted::parse(&altered).and_then(|it| it.open(&key, BOUND));
                assert!(opened.is_err(), "bit {bit} of byte {at} is not protected");
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_surprise(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Encrypted::parse(&bytes);
        }

        #[test]
        fn what_is_sealed_is_opened(plain in proptest::collection::vec(any::<u8>(), 0..300)) {
            let key = AgreementKey::generate(Curve::P256).unwrap();
            let bytes = Encrypted::seal(key.public(), TYPE, &plain, BOUND).unwrap();
            let message = Encrypted::parse(&bytes).unwrap();
            prop_assert_eq!(message.open(&key, BOUND).unwrap(), plain);
        }
    }
}
