//! COSE_Sign1 (RFC 9052 section 4.2) with a deterministic encoding (RFC 8949 section 4.2).
//!
//! Protected header: `alg` (1), `content type` (3), `kid` (4, the signer key's SHA-256
//! fingerprint), nothing else; the unprotected header is empty; the payload is attached; the
//! message is tagged (18). Any other form is refused, so that one message has one encoding.

use crate::{
    KeyAlgorithm, KeyError, PublicKey, Sha256, SignError, SignatureScheme, Signer, Verified,
};
use coset::{CoseSign1, CoseSign1Builder, HeaderBuilder, TaggedCborSerializable as _, iana};
use der::{Decode as _, Encode as _, asn1::UintRef};

/// Largest COSE_Sign1 read, in bytes.
pub const SIGN1_BYTES_MAX: usize = 64 * 1024;

/// Why a COSE_Sign1 is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoseError {
    /// Not a tagged COSE_Sign1 of the form above.
    #[error("not an acceptable COSE_Sign1: {0}")]
    Malformed(&'static str),
    /// The key id names another key than the one that should have signed.
    #[error("signed by key {found}, expected {expected}")]
    OtherKey {
        /// fingerprint in the message
        found: Sha256,
        /// fingerprint of the expected key
        expected: Sha256,
    },
    /// Signature wrong, or scheme unfit for the key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Signing failed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// A COSE_Sign1 that was parsed, not verified.
#[derive(Debug, Clone)]
pub struct Sign1 {
    bytes: Vec<u8>,
    message: CoseSign1,
    key_id: Sha256,
    content_type: String,
}

impl Sign1 {
    /// Signs `payload`; `external_aad` is authenticated and not carried.
    ///
    /// # Errors
    /// [`CoseError::Sign`].
    pub fn sign(
        signer: &dyn Signer,
        content_type: &str,
        payload: &[u8],
        external_aad: &[u8],
    ) -> Result<Vec<u8>, CoseError> {
        Self::make(signer, content_type, payload, external_aad).map(|message| message.bytes)
    }

    /// As [`Self::sign`], for whoever goes on with the message: it need not be parsed again.
    ///
    /// # Errors
    /// [`CoseError::Sign`]; [`CoseError::Malformed`] where it would be longer than
    /// [`SIGN1_BYTES_MAX`].
    pub fn make(
        signer: &dyn Signer,
        content_type: &str,
        payload: &[u8],
        external_aad: &[u8],
    ) -> Result<Self, CoseError> {
        let key = signer.public_key();
        let key_id = key.fingerprint();
        let protected = HeaderBuilder::new()
            .algorithm(algorithm_of(key)?)
            .content_type(content_type.to_owned())
            .key_id(key_id.0.to_vec())
            .build();
        let message = CoseSign1Builder::new()
            .protected(protected)
            .payload(payload.to_vec())
            .try_create_signature(external_aad, |data| -> Result<Vec<u8>, CoseError> {
                let signature = signer.sign(key.default_scheme(), data)?;
                to_fixed(key.algorithm(), signature)
            })?
            .build();
        let bytes = message
            .clone()
            .to_tagged_vec()
            .map_err(|_| CoseError::Malformed("cannot be encoded"))?;
        if bytes.len() > SIGN1_BYTES_MAX {
            return Err(CoseError::Malformed("longer than 64 KiB"));
        }
        Ok(Self { bytes, message, key_id, content_type: content_type.to_owned() })
    }

    /// Reads a message and keeps its bytes as received (invariant 9).
    ///
    /// # Errors
    /// [`CoseError::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CoseError> {
        if bytes.len() > SIGN1_BYTES_MAX {
            return Err(CoseError::Malformed("longer than 64 KiB"));
        }
        let message = CoseSign1::from_tagged_slice(bytes)
            .map_err(|_| CoseError::Malformed("not a tagged COSE_Sign1 in CBOR"))?;
        let reencoded = message
            .clone()
            .to_tagged_vec()
            .map_err(|_| CoseError::Malformed("cannot be encoded"))?;
        if reencoded != bytes {
            return Err(CoseError::Malformed("encoding is not deterministic"));
        }
        if !message.unprotected.is_empty() {
            return Err(CoseError::Malformed("unprotected header is not empty"));
        }
        let header = &message.protected.header;
        let key_id = Sha256::from_slice(&header.key_id)
            .ok_or(CoseError::Malformed("key id is not a SHA-256 fingerprint"))?;
        let Some(coset::ContentType::Text(content_type)) = header.content_type.clone() else {
            return Err(CoseError::Malformed("content type is missing"));
        };
        let only_ours = coset::Header {
            alg: header.alg.clone(),
            content_type: header.content_type.clone(),
            key_id: header.key_id.clone(),
            ..Default::default()
        };
        if *header != only_ours || header.alg.is_none() {
            return Err(CoseError::Malformed(
                "protected header has other fields than alg, content type and kid",
            ));
        }
        // The protected header is carried as bytes: those must be deterministic as well.
        let again = coset::CborSerializable::to_vec(only_ours)
            .map_err(|_| CoseError::Malformed("cannot be encoded"))?;
        if message.protected.original_data.as_ref().is_some_and(|original| *original != again) {
            return Err(CoseError::Malformed("protected header is not deterministic"));
        }
        if message.payload.is_none() {
            return Err(CoseError::Malformed("payload is detached"));
        }
        Ok(Self { bytes: bytes.to_vec(), message, key_id, content_type })
    }

    /// Fingerprint of the key that claims to have signed. Unverified.
    pub fn key_id(&self) -> Sha256 {
        self.key_id
    }

    /// Content type. Unverified.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// Payload. Unverified: for finding the right key only.
    pub fn unverified_payload(&self) -> &[u8] {
        self.message.payload.as_deref().unwrap_or_default()
    }

    /// The bytes as received.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Verifies the signature by `key` and returns the payload.
    ///
    /// # Errors
    /// [`CoseError::OtherKey`] where `kid` names another key, [`CoseError::Key`] where the
    /// signature is wrong.
    pub fn verify(
        &self,
        key: &PublicKey,
        external_aad: &[u8],
    ) -> Result<Verified<&[u8]>, CoseError> {
        if key.fingerprint() != self.key_id {
            return Err(CoseError::OtherKey { found: self.key_id, expected: key.fingerprint() });
        }
        if self.message.protected.header.alg
            != Some(coset::RegisteredLabelWithPrivate::Assigned(algorithm_of(key)?))
        {
            return Err(CoseError::Malformed("algorithm does not fit the key"));
        }
        self.message.verify_signature(external_aad, |signature, data| {
            key.verify_fixed(scheme_of(key), data, signature)
        })?;
        Ok(Verified::assertion(self.unverified_payload()))
    }
}

fn scheme_of(key: &PublicKey) -> SignatureScheme {
    key.default_scheme()
}

/// COSE algorithm of a key (RFC 9053, RFC 9864, RFC 8812; ML-DSA: IANA COSE registry).
fn algorithm_of(key: &PublicKey) -> Result<iana::Algorithm, CoseError> {
    Ok(match key.algorithm() {
        KeyAlgorithm::EcdsaP256 => iana::Algorithm::ES256,
        KeyAlgorithm::EcdsaP384 => iana::Algorithm::ES384,
        KeyAlgorithm::Ed25519 => iana::Algorithm::EdDSA,
        KeyAlgorithm::Rsa(_) => iana::Algorithm::RS256,
        KeyAlgorithm::MlDsa44 => iana::Algorithm::ML_DSA_44,
        KeyAlgorithm::MlDsa65 => iana::Algorithm::ML_DSA_65,
        KeyAlgorithm::MlDsa87 => iana::Algorithm::ML_DSA_87,
    })
}

#[derive(der::Sequence)]
struct EcdsaSignature<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// ECDSA from ASN.1 to r ‖ s (RFC 9053 section 2.1).
fn to_fixed(algorithm: KeyAlgorithm, signature: Vec<u8>) -> Result<Vec<u8>, CoseError> {
    let size: usize = match algorithm {
        KeyAlgorithm::EcdsaP256 => 32,
        KeyAlgorithm::EcdsaP384 => 48,
        _ => return Ok(signature),
    };
    let parsed = EcdsaSignature::from_der(&signature).map_err(|_| SignError::Backend)?;
    let mut out = Vec::with_capacity(size * 2);
    for part in [parsed.r, parsed.s] {
        let bytes = part.as_bytes();
        let padding = size.checked_sub(bytes.len()).ok_or(SignError::Backend)?;
        out.resize(out.len() + padding, 0);
        out.extend_from_slice(bytes);
    }
    Ok(out)
}

/// ECDSA from r ‖ s to ASN.1, for back ends that return the fixed form (PKCS#11).
///
/// # Errors
/// [`SignError::Backend`] for an odd length.
pub fn fixed_to_asn1(fixed: &[u8]) -> Result<Vec<u8>, SignError> {
    let (r, s) = fixed.split_at_checked(fixed.len() / 2).ok_or(SignError::Backend)?;
    if r.len() != s.len() || r.is_empty() {
        return Err(SignError::Backend);
    }
    let backend = |_| SignError::Backend;
    EcdsaSignature { r: UintRef::new(r).map_err(backend)?, s: UintRef::new(s).map_err(backend)? }
        .to_der()
        .map_err(backend)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SoftwareKey;

    #[test]
    fn every_algorithm_signs_and_verifies() {
        for algorithm in KeyAlgorithm::GENERATED {
            let key = SoftwareKey::generate(algorithm).unwrap();
            let bytes = Sign1::sign(&key, "application/test", b"payload", b"aad").unwrap();
            let message = Sign1::parse(&bytes).unwrap();
            let made = Sign1::make(&key, "application/test", b"payload", b"aad").unwrap();
            assert_eq!(made.verify(key.public_key(), b"aad").as_deref(), Ok(&&b"payload"[..]));
            let again = Sign1::parse(made.as_bytes()).unwrap();
            assert_eq!(again.key_id(), made.key_id());
            assert_eq!(again.content_type(), made.content_type());
            assert_eq!(again.unverified_payload(), made.unverified_payload());
            assert_eq!(message.key_id(), key.public_key().fingerprint());
            assert_eq!(message.content_type(), "application/test");
            let payload = message.verify(key.public_key(), b"aad").unwrap();
            assert_eq!(*payload, b"payload");
            assert_eq!(
                message.verify(key.public_key(), b"other").unwrap_err(),
                CoseError::Key(KeyError::BadSignature)
            );
            let stranger = SoftwareKey::generate(algorithm).unwrap();
            assert!(matches!(
                message.verify(stranger.public_key(), b"aad"),
                Err(CoseError::OtherKey { .. })
            ));
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let bytes = Sign1::sign(&key, "t", b"payload", b"").unwrap();
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            let verdict =
                Sign1::parse(&altered).and_then(|m| m.verify(key.public_key(), b"").map(|_| ()));
            assert!(verdict.is_err(), "byte {at} is not protected");
        }
        let mut longer = bytes;
        longer.push(0);
        assert!(Sign1::parse(&longer).is_err());
    }
}
