use crate::{Sha256, SignatureScheme, sha1_for_identifiers, sha256};
use aws_lc_rs::signature as lc;
use der::{
    Decode as _, Encode as _,
    asn1::{AnyRef, ObjectIdentifier, UintRef},
};
use spki::SubjectPublicKeyInfoRef;
use std::{fmt, str::FromStr, sync::Arc};

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ML_DSA_44: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17");
const ML_DSA_65: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18");
const ML_DSA_87: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19");

/// Largest SubjectPublicKeyInfo read, in bytes: RSA-8192 and ML-DSA-87 stay well below.
const SPKI_BYTES_MAX: usize = 4096;

/// What kind of key it is (TR-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// ECDSA on P-256
    EcdsaP256,
    /// ECDSA on P-384
    EcdsaP384,
    /// Ed25519
    Ed25519,
    /// RSA with the length of its modulus in bits, 2048 to 8192
    Rsa(u32),
    /// ML-DSA-44 (FIPS 204)
    MlDsa44,
    /// ML-DSA-65
    MlDsa65,
    /// ML-DSA-87
    MlDsa87,
}

impl KeyAlgorithm {
    /// The algorithms that keys are generated for.
    pub const GENERATED: [Self; 9] = [
        Self::EcdsaP256,
        Self::EcdsaP384,
        Self::Ed25519,
        Self::Rsa(2048),
        Self::Rsa(3072),
        Self::Rsa(4096),
        Self::MlDsa44,
        Self::MlDsa65,
        Self::MlDsa87,
    ];

    /// Security strength in bits (SP 800-57 part 1 table 2; FIPS 204 categories 2, 3, 5).
    pub fn strength_bits(self) -> u32 {
        match self {
            Self::EcdsaP256 | Self::Ed25519 | Self::MlDsa44 => 128,
            Self::EcdsaP384 | Self::MlDsa65 => 192,
            Self::MlDsa87 => 256,
            Self::Rsa(bits) if bits >= 7680 => 192,
            Self::Rsa(bits) if bits >= 3072 => 128,
            Self::Rsa(_) => 112,
        }
    }

    /// Whether it resists a quantum computer.
    pub fn is_post_quantum(self) -> bool {
        matches!(self, Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87)
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EcdsaP256 => f.write_str("p256"),
            Self::EcdsaP384 => f.write_str("p384"),
            Self::Ed25519 => f.write_str("ed25519"),
            Self::Rsa(bits) => write!(f, "rsa-{bits}"),
            Self::MlDsa44 => f.write_str("ml-dsa-44"),
            Self::MlDsa65 => f.write_str("ml-dsa-65"),
            Self::MlDsa87 => f.write_str("ml-dsa-87"),
        }
    }
}

impl FromStr for KeyAlgorithm {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::GENERATED
            .into_iter()
            .find(|algorithm| algorithm.to_string() == text)
            .ok_or_else(|| KeyError::UnknownName(text.chars().take(40).collect()))
    }
}

/// Why a public key is not accepted, or does not verify.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a SubjectPublicKeyInfo, or its contents do not fit its algorithm.
    #[error("public key is malformed: {0}")]
    Malformed(&'static str),
    /// Too weak.
    #[error("public key is refused: {0}")]
    Weak(String),
    /// Algorithm or curve that is not supported.
    #[error(
        "public key algorithm {0} is not supported; use P-256, P-384, Ed25519, RSA of at least 2048 bits, or ML-DSA"
    )]
    Unsupported(String),
    /// No such name of an algorithm.
    #[error(
        "no key algorithm is called {0:?}; choose p256, p384, ed25519, rsa-2048, rsa-3072, rsa-4096, ml-dsa-44, ml-dsa-65 or ml-dsa-87"
    )]
    UnknownName(String),
    /// The scheme is for another kind of key.
    #[error("a signature by {scheme} cannot come from a {key} key")]
    Mismatch {
        /// scheme asked for
        scheme: &'static str,
        /// kind of the key at hand
        key: KeyAlgorithm,
    },
    /// The signature is wrong.
    #[error("signature does not verify")]
    BadSignature,
}

/// A public key that passed the rules of TR-6, with its SubjectPublicKeyInfo as received.
#[derive(Clone)]
pub struct PublicKey {
    algorithm: KeyAlgorithm,
    spki: Arc<[u8]>,
    /// offset of the key bits in `spki`: the contents of the BIT STRING
    bits_at: usize,
    /// the same key, ready to verify by its default scheme
    parsed: Arc<lc::ParsedPublicKey>,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo in DER (RFC 5280 section 4.1.2.7).
    ///
    /// # Errors
    /// [`KeyError`] with the reason: malformed, weak or unsupported.
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        if der.len() > SPKI_BYTES_MAX {
            return Err(KeyError::Malformed("longer than 4096 bytes"));
        }
        let spki = SubjectPublicKeyInfoRef::from_der(der)
            .map_err(|_| KeyError::Malformed("not a SubjectPublicKeyInfo in DER"))?;
        let bits = spki
            .subject_public_key
            .as_bytes()
            .ok_or(KeyError::Malformed("key bits do not fill whole bytes"))?;
        let algorithm = algorithm_of(&spki, bits)?;
        let bits_at = der.len().saturating_sub(bits.len());
        // Points off the curve and other impossible values are refused here, once.
        let parsed = verification(algorithm, default_scheme(algorithm))
            .and_then(|algorithm| lc::ParsedPublicKey::new(algorithm, bits).ok())
            .ok_or(KeyError::Malformed("key bits are not a valid key of the algorithm"))?;
        Ok(Self { algorithm, spki: der.into(), bits_at, parsed: Arc::new(parsed) })
    }

    /// The kind of key.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// SubjectPublicKeyInfo in DER, as received.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// Contents of the subjectPublicKey BIT STRING.
    pub fn bits(&self) -> &[u8] {
        self.spki.get(self.bits_at..).unwrap_or_default()
    }

    /// The key in PEM (`BEGIN PUBLIC KEY`, RFC 7468 section 13).
    pub fn to_pem(&self) -> String {
        // Longer than a key may be, and it would not be one.
        der::pem::encode_string("PUBLIC KEY", der::pem::LineEnding::LF, self.spki())
            .unwrap_or_default()
    }

    /// SHA-256 of the SubjectPublicKeyInfo: the key's name everywhere in Tegata.
    pub fn fingerprint(&self) -> Sha256 {
        sha256(&self.spki)
    }

    /// SubjectKeyIdentifier: the leftmost 160 bits of SHA-256 of the key bits (RFC 7093 section 2,
    /// method 1).
    pub fn key_identifier(&self) -> [u8; 20] {
        let digest = sha256(self.bits());
        let mut out = [0; 20];
        for (to, from) in out.iter_mut().zip(digest.as_bytes()) {
            *to = *from;
        }
        out
    }

    /// SHA-1 of the key bits, as OCSP's issuerKeyHash may ask for it (RFC 6960 section 4.1.1).
    pub fn sha1_identifier(&self) -> [u8; 20] {
        sha1_for_identifiers(self.bits())
    }

    /// The scheme that this key signs with when nobody asks for another.
    pub fn default_scheme(&self) -> SignatureScheme {
        default_scheme(self.algorithm)
    }

    /// Verifies `signature` over `message`. ECDSA signatures are in ASN.1 form, as in X.509.
    ///
    /// # Errors
    /// [`KeyError::Mismatch`] or [`KeyError::BadSignature`].
    pub fn verify(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), KeyError> {
        if scheme == self.default_scheme() {
            return self.parsed.verify_sig(message, signature).map_err(|_| KeyError::BadSignature);
        }
        lc::UnparsedPublicKey::new(self.verification(scheme)?, self.bits())
            .verify(message, signature)
            .map_err(|_| KeyError::BadSignature)
    }

    /// As [`Self::verify`], for ECDSA signatures in the fixed form r ‖ s of COSE (RFC 9053
    /// section 2.1); other algorithms have one form only.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn verify_fixed(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), KeyError> {
        let algorithm: &'static dyn lc::VerificationAlgorithm = match (self.algorithm, scheme) {
            (KeyAlgorithm::EcdsaP256, SignatureScheme::EcdsaSha256) => &lc::ECDSA_P256_SHA256_FIXED,
            (KeyAlgorithm::EcdsaP384, SignatureScheme::EcdsaSha384) => &lc::ECDSA_P384_SHA384_FIXED,
            (KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384, _) => {
                return Err(self.mismatch(scheme));
            }
            _ => return self.verify(scheme, message, signature),
        };
        lc::UnparsedPublicKey::new(algorithm, self.bits())
            .verify(message, signature)
            .map_err(|_| KeyError::BadSignature)
    }

    fn mismatch(&self, scheme: SignatureScheme) -> KeyError {
        KeyError::Mismatch { scheme: scheme.name(), key: self.algorithm }
    }

    fn verification(
        &self,
        scheme: SignatureScheme,
    ) -> Result<&'static dyn lc::VerificationAlgorithm, KeyError> {
        verification(self.algorithm, scheme).ok_or_else(|| self.mismatch(scheme))
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.algorithm, self.fingerprint())
    }
}

fn default_scheme(algorithm: KeyAlgorithm) -> SignatureScheme {
    match algorithm {
        KeyAlgorithm::EcdsaP256 => SignatureScheme::EcdsaSha256,
        KeyAlgorithm::EcdsaP384 => SignatureScheme::EcdsaSha384,
        KeyAlgorithm::Ed25519 => SignatureScheme::Ed25519,
        KeyAlgorithm::Rsa(_) => SignatureScheme::RsaPkcs1Sha256,
        KeyAlgorithm::MlDsa44 => SignatureScheme::MlDsa44,
        KeyAlgorithm::MlDsa65 => SignatureScheme::MlDsa65,
        KeyAlgorithm::MlDsa87 => SignatureScheme::MlDsa87,
    }
}

/// AWS-LC's name for a scheme, where it is one for this kind of key.
fn verification(
    algorithm: KeyAlgorithm,
    scheme: SignatureScheme,
) -> Option<&'static dyn lc::VerificationAlgorithm> {
    use KeyAlgorithm as K;
    use SignatureScheme as S;
    Some(match (algorithm, scheme) {
        (K::EcdsaP256, S::EcdsaSha256) => &lc::ECDSA_P256_SHA256_ASN1,
        (K::EcdsaP256, S::EcdsaSha384) => &lc::ECDSA_P256_SHA384_ASN1,
        (K::EcdsaP384, S::EcdsaSha256) => &lc::ECDSA_P384_SHA256_ASN1,
        (K::EcdsaP384, S::EcdsaSha384) => &lc::ECDSA_P384_SHA384_ASN1,
        (K::Ed25519, S::Ed25519) => &lc::ED25519,
        (K::Rsa(_), S::RsaPkcs1Sha256) => &lc::RSA_PKCS1_2048_8192_SHA256,
        (K::Rsa(_), S::RsaPkcs1Sha384) => &lc::RSA_PKCS1_2048_8192_SHA384,
        (K::Rsa(_), S::RsaPkcs1Sha512) => &lc::RSA_PKCS1_2048_8192_SHA512,
        (K::Rsa(_), S::RsaPssSha256) => &lc::RSA_PSS_2048_8192_SHA256,
        (K::Rsa(_), S::RsaPssSha384) => &lc::RSA_PSS_2048_8192_SHA384,
        (K::Rsa(_), S::RsaPssSha512) => &lc::RSA_PSS_2048_8192_SHA512,
        (K::MlDsa44, S::MlDsa44) => &lc::ML_DSA_44,
        (K::MlDsa65, S::MlDsa65) => &lc::ML_DSA_65,
        (K::MlDsa87, S::MlDsa87) => &lc::ML_DSA_87,
        _ => return None,
    })
}

fn algorithm_of(spki: &SubjectPublicKeyInfoRef<'_>, bits: &[u8]) -> Result<KeyAlgorithm, KeyError> {
    let parameters = spki.algorithm.parameters;
    let bare = |algorithm| match parameters {
        None => Ok(algorithm),
        Some(_) => Err(KeyError::Malformed("this algorithm takes no parameters")),
    };
    match spki.algorithm.oid {
        EC => {
            let curve = parameters
                .and_then(|p| p.decode_as::<ObjectIdentifier>().ok())
                .ok_or(KeyError::Malformed("an elliptic-curve key must name its curve"))?;
            let algorithm = match curve {
                P256 => KeyAlgorithm::EcdsaP256,
                P384 => KeyAlgorithm::EcdsaP384,
                other => return Err(KeyError::Unsupported(format!("ECDSA on curve {other}"))),
            };
            // RFC 5480 section 2.2. With the compressed form one key would have two names.
            match bits.first() {
                Some(4) => Ok(algorithm),
                _ => Err(KeyError::Malformed("an elliptic-curve point must be uncompressed")),
            }
        }
        // RFC 3279 section 2.3.1: the parameters are NULL, never absent or anything else.
        RSA if parameters != Some(AnyRef::NULL) => {
            Err(KeyError::Malformed("the parameters of an RSA key must be NULL"))
        }
        RSA => rsa_bits(bits).map(KeyAlgorithm::Rsa),
        ED25519 if is_of_small_order(bits) => {
            Err(KeyError::Weak("Ed25519 point of small order, for which everybody can sign".into()))
        }
        ED25519 => bare(KeyAlgorithm::Ed25519),
        ML_DSA_44 => bare(KeyAlgorithm::MlDsa44),
        ML_DSA_65 => bare(KeyAlgorithm::MlDsa65),
        ML_DSA_87 => bare(KeyAlgorithm::MlDsa87),
        other => Err(KeyError::Unsupported(other.to_string())),
    }
}

/// Whether an Ed25519 public key is one of the eight points whose order divides 8, in any encoding
/// that a verifier may read: signatures by them need no secret.
fn is_of_small_order(point: &[u8]) -> bool {
    // The y coordinates; both signs of x and both residues of small y count.
    const Y: [[u8; 32]; 7] = [
        // order 4: 0, and p
        small(0x00, 0x00, 0x00),
        small(0xed, 0xff, 0x7f),
        // order 1: 1, and p + 1
        small(0x01, 0x00, 0x00),
        small(0xee, 0xff, 0x7f),
        // order 2: p - 1
        small(0xec, 0xff, 0x7f),
        // order 8
        *b"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05",
        *b"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a",
    ];
    let Ok(mut y) = <[u8; 32]>::try_from(point) else { return false };
    let [.., last] = &mut y;
    *last &= 0x7f;
    Y.contains(&y)
}

/// A little-endian number of equal bytes but for the first and the last.
const fn small(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut out = [middle; 32];
    out[0] = first;
    out[31] = last;
    out
}

#[derive(der::Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

fn rsa_bits(bits: &[u8]) -> Result<u32, KeyError> {
    let key = RsaPublicKey::from_der(bits)
        .map_err(|_| KeyError::Malformed("not an RSAPublicKey in DER"))?;
    let modulus = key.modulus.as_bytes();
    let leading = modulus.first().map_or(0, |byte| byte.leading_zeros());
    let length = u32::try_from(modulus.len())
        .map_err(|_| KeyError::Malformed("RSA modulus too long"))?
        .saturating_mul(8)
        .saturating_sub(leading);
    if length < 2048 {
        return Err(KeyError::Weak(format!(
            "RSA modulus of {length} bits; at least 2048 are required"
        )));
    }
    if length > 8192 {
        return Err(KeyError::Malformed("RSA modulus longer than 8192 bits"));
    }
    // FIPS 186-5 section 5.1: odd, between 2^16 and 2^256.
    let exponent = key.exponent.as_bytes();
    let odd = exponent.last().is_some_and(|byte| byte & 1 == 1);
    if !odd || exponent.len() < 3 || exponent.len() > 32 {
        return Err(KeyError::Weak("RSA public exponent must be odd and at least 65537".into()));
    }
    Ok(length)
}

impl TryFrom<&SubjectPublicKeyInfoRef<'_>> for PublicKey {
    type Error = KeyError;
    fn try_from(spki: &SubjectPublicKeyInfoRef<'_>) -> Result<Self, KeyError> {
        let der = spki.to_der().map_err(|_| KeyError::Malformed("cannot be encoded"))?;
        Self::from_spki(&der)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Signer as _, SoftwareKey};

    fn spki_with(algorithm: &[u8], bits: &[u8]) -> Vec<u8> {
        let mut contents = algorithm.to_vec();
        let bit_string = der::asn1::BitString::from_bytes(bits).unwrap();
        contents.extend(bit_string.to_der().unwrap());
        let mut out = Vec::new();
        der::Header::new(der::Tag::Sequence, contents.len()).unwrap().encode(&mut out).unwrap();
        out.extend(contents);
        out
    }

    /// A key's fingerprint is its name: who could write one key in two ways could have two names.
    #[test]
    fn one_key_has_one_encoding() {
        let rsa = SoftwareKey::generate(KeyAlgorithm::Rsa(2048)).unwrap();
        let oid = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
        let with = |parameters: &[u8]| {
            let mut algorithm = vec![0x30, u8::try_from(oid.len() + parameters.len()).unwrap()];
            algorithm.extend(oid);
            algorithm.extend(parameters);
            PublicKey::from_spki(&spki_with(&algorithm, rsa.public_key().bits()))
        };
        assert_eq!(with(b"\x05\x00").as_ref(), Ok(rsa.public_key()));
        for other in [&b""[..], b"\x04\x01x", b"\x30\x00"] {
            assert!(matches!(with(other), Err(KeyError::Malformed(_))), "{other:02x?}");
        }
        let curve =
            b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
        let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let point = key.public_key().bits();
        assert_eq!(PublicKey::from_spki(&spki_with(curve, point)).as_ref(), Ok(key.public_key()));
        let odd = point[64] & 1;
        let mut compressed = vec![2 + odd];
        compressed.extend(&point[1..33]);
        let mut hybrid = point.to_vec();
        hybrid[0] = 6 + odd;
        for other in [compressed, hybrid] {
            let read = PublicKey::from_spki(&spki_with(curve, &other));
            assert!(matches!(read, Err(KeyError::Malformed(_))), "{read:?}");
        }
    }

    /// Points of small order: everybody can sign for them.
    #[test]
    fn keys_without_a_secret_are_refused() {
        const ORDER_8: &str = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
        let algorithm = b"\x30\x05\x06\x03\x2b\x65\x70";
        let mut one = [0; 32];
        one[0] = 1;
        let mut minus_one = [0xff; 32];
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        let mut order_8 = [0; 32];
        hex::decode_to_slice(ORDER_8, &mut order_8).unwrap();
        for point in [[0; 32], one, minus_one, order_8] {
            for sign in [0, 0x80] {
                let mut point = point;
                point[31] |= sign;
                let read = PublicKey::from_spki(&spki_with(algorithm, &point));
                assert!(matches!(read, Err(KeyError::Weak(_))), "{}", hex::encode(point));
            }
        }
    }
}
