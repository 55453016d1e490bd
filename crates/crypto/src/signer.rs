use crate::{KeyAlgorithm, KeyError, PublicKey, Secret, SignatureScheme};
use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature as lc,
    signature::KeyPair as _,
};
use der::Decode as _;

/// Why a key could not be made, read or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The key cannot sign by this scheme.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Keys of this kind are not generated.
    #[error("cannot generate a key of kind {0}")]
    Generate(KeyAlgorithm),
    /// Not a private key in PKCS#8.
    #[error("private key is not valid PKCS#8: {0}")]
    Malformed(&'static str),
    /// The back end failed.
    #[error("signing failed in the key's back end")]
    Backend,
}

/// A private key that can sign, wherever it lives.
///
/// Object safe: software, PKCS#11 and TPM keys stand behind the same `Arc<dyn Signer>`.
pub trait Signer: Send + Sync {
    /// The public half.
    fn public_key(&self) -> &PublicKey;

    /// Signs `message` by `scheme`. ECDSA signatures are in ASN.1 form, as X.509 carries them.
    ///
    /// # Errors
    /// [`SignError::Key`] where the scheme does not fit the key, [`SignError::Backend`] where the
    /// back end fails.
    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

enum Pair {
    Ecdsa(lc::EcdsaKeyPair),
    Ed25519(lc::Ed25519KeyPair),
    Rsa(Box<lc::RsaKeyPair>),
    MlDsa(lc::PqdsaKeyPair),
}

/// A private key in this process's memory. AWS-LC wipes it when dropped.
pub struct SoftwareKey {
    pair: Pair,
    public: PublicKey,
}

impl SoftwareKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`SignError::Generate`] for RSA of another length than 2048, 3072 or 4096.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, SignError> {
        use KeyAlgorithm as K;
        let failed = |_| SignError::Generate(algorithm);
        let pair = match algorithm {
            K::EcdsaP256 => Pair::Ecdsa(
                lc::EcdsaKeyPair::generate(&lc::ECDSA_P256_SHA256_ASN1_SIGNING).map_err(failed)?,
            ),
            K::EcdsaP384 => Pair::Ecdsa(
                lc::EcdsaKeyPair::generate(&lc::ECDSA_P384_SHA384_ASN1_SIGNING).map_err(failed)?,
            ),
            K::Ed25519 => Pair::Ed25519(lc::Ed25519KeyPair::generate().map_err(failed)?),
            K::Rsa(bits) => {
                let size = match bits {
                    2048 => KeySize::Rsa2048,
                    3072 => KeySize::Rsa3072,
                    4096 => KeySize::Rsa4096,
                    _ => return Err(SignError::Generate(algorithm)),
                };
                Pair::Rsa(Box::new(lc::RsaKeyPair::generate(size).map_err(failed)?))
            }
            K::MlDsa44 => {
                Pair::MlDsa(lc::PqdsaKeyPair::generate(&lc::ML_DSA_44_SIGNING).map_err(failed)?)
            }
            K::MlDsa65 => {
                Pair::MlDsa(lc::PqdsaKeyPair::generate(&lc::ML_DSA_65_SIGNING).map_err(failed)?)
            }
            K::MlDsa87 => {
                Pair::MlDsa(lc::PqdsaKeyPair::generate(&lc::ML_DSA_87_SIGNING).map_err(failed)?)
            }
        };
        Self::from_pair(pair)
    }

    /// Reads a private key in PKCS#8 DER (RFC 5958).
    ///
    /// # Errors
    /// [`SignError::Malformed`], or the [`KeyError`] of its public half.
    pub fn from_pkcs8(pkcs8: &Secret) -> Result<Self, SignError> {
        let der = pkcs8.expose();
        let info = pkcs8::PrivateKeyInfo::from_der(der)
            .map_err(|_| SignError::Malformed("not a PrivateKeyInfo in DER"))?;
        let rejected = |_| SignError::Malformed("key does not fit its algorithm");
        let oid = info.algorithm.oid.to_string();
        let pair = match oid.as_str() {
            "1.2.840.10045.2.1" => {
                let curve = info
                    .algorithm
                    .parameters_oid()
                    .map_err(|_| SignError::Malformed("elliptic-curve key without its curve"))?;
                let signing = match curve.to_string().as_str() {
                    "1.2.840.10045.3.1.7" => &lc::ECDSA_P256_SHA256_ASN1_SIGNING,
                    "1.3.132.0.34" => &lc::ECDSA_P384_SHA384_ASN1_SIGNING,
                    other => {
                        return Err(KeyError::Unsupported(format!("ECDSA on curve {other}")).into());
                    }
                };
                Pair::Ecdsa(lc::EcdsaKeyPair::from_pkcs8(signing, der).map_err(rejected)?)
            }
            "1.3.101.112" => Pair::Ed25519(
                lc::Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(rejected)?,
            ),
            "1.2.840.113549.1.1.1" => {
                Pair::Rsa(Box::new(lc::RsaKeyPair::from_pkcs8(der).map_err(rejected)?))
            }
            "2.16.840.1.101.3.4.3.17" => Pair::MlDsa(
                lc::PqdsaKeyPair::from_pkcs8(&lc::ML_DSA_44_SIGNING, der).map_err(rejected)?,
            ),
            "2.16.840.1.101.3.4.3.18" => Pair::MlDsa(
                lc::PqdsaKeyPair::from_pkcs8(&lc::ML_DSA_65_SIGNING, der).map_err(rejected)?,
            ),
            "2.16.840.1.101.3.4.3.19" => Pair::MlDsa(
                lc::PqdsaKeyPair::from_pkcs8(&lc::ML_DSA_87_SIGNING, der).map_err(rejected)?,
            ),
            _ => return Err(KeyError::Unsupported(oid).into()),
        };
        Self::from_pair(pair)
    }

    /// Reads a private key in PEM (`BEGIN PRIVATE KEY`).
    ///
    /// # Errors
    /// As [`Self::from_pkcs8`].
    pub fn from_pem(pem: &str) -> Result<Self, SignError> {
        let (label, document) =
            der::SecretDocument::from_pem(pem).map_err(|_| SignError::Malformed("not PEM"))?;
        if label != "PRIVATE KEY" {
            return Err(SignError::Malformed("PEM is not labelled PRIVATE KEY (PKCS#8)"));
        }
        Self::from_pkcs8(&Secret::new(document.as_bytes().to_vec()))
    }

    /// The private key in PEM (`BEGIN PRIVATE KEY`), for the owner of the key only.
    ///
    /// # Errors
    /// [`SignError::Backend`].
    pub fn to_pem(&self) -> Result<String, SignError> {
        let pkcs8 = self.to_pkcs8()?;
        der::pem::encode_string("PRIVATE KEY", der::pem::LineEnding::LF, pkcs8.expose())
            .map_err(|_| SignError::Backend)
    }

    /// The private key in PKCS#8 DER, to be sealed or handed to the device that owns it.
    ///
    /// # Errors
    /// [`SignError::Backend`].
    pub fn to_pkcs8(&self) -> Result<Secret, SignError> {
        let backend = |_| SignError::Backend;
        let document = match &self.pair {
            Pair::Ecdsa(pair) => pair.to_pkcs8v1().map_err(backend)?.as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.to_pkcs8v1().map_err(backend)?.as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().map_err(backend)?;
                der.as_ref().to_vec()
            }
            Pair::MlDsa(pair) => pair.to_pkcs8v1().map_err(backend)?.as_ref().to_vec(),
        };
        Ok(Secret::new(document))
    }

    fn from_pair(pair: Pair) -> Result<Self, SignError> {
        fn spki(key: &impl AsX509) -> Result<Vec<u8>, SignError> {
            key.x509().ok_or(SignError::Backend)
        }
        let der = match &pair {
            Pair::Ecdsa(pair) => spki(pair.public_key())?,
            Pair::Ed25519(pair) => spki(pair.public_key())?,
            Pair::Rsa(pair) => spki(pair.public_key())?,
            Pair::MlDsa(pair) => spki(pair.public_key())?,
        };
        let public = PublicKey::from_spki(&der)?;
        Ok(Self { pair, public })
    }
}

trait AsX509 {
    fn x509(&self) -> Option<Vec<u8>>;
}

impl<K> AsX509 for K
where
    K: aws_lc_rs::encoding::AsDer<PublicKeyX509Der<'static>>,
{
    fn x509(&self) -> Option<Vec<u8>> {
        self.as_der().ok().map(|der| der.as_ref().to_vec())
    }
}

impl Signer for SoftwareKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SignError> {
        use SignatureScheme as S;
        let backend = |_| SignError::Backend;
        let mismatch = || {
            SignError::Key(KeyError::Mismatch {
                scheme: scheme.name(),
                key: self.public.algorithm(),
            })
        };
        match &self.pair {
            Pair::Ecdsa(pair) => {
                // The hash belongs to the key pair's algorithm in AWS-LC: the curve's own.
                if scheme != self.public.default_scheme() {
                    return Err(mismatch());
                }
                let signature = pair.sign(&SystemRandom::new(), message).map_err(backend)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Ed25519(pair) if scheme == S::Ed25519 => {
                Ok(pair.try_sign(message).map_err(backend)?.as_ref().to_vec())
            }
            Pair::Rsa(pair) => {
                let padding: &'static dyn lc::RsaEncoding = match scheme {
                    S::RsaPkcs1Sha256 => &lc::RSA_PKCS1_SHA256,
                    S::RsaPkcs1Sha384 => &lc::RSA_PKCS1_SHA384,
                    S::RsaPkcs1Sha512 => &lc::RSA_PKCS1_SHA512,
                    S::RsaPssSha256 => &lc::RSA_PSS_SHA256,
                    S::RsaPssSha384 => &lc::RSA_PSS_SHA384,
                    S::RsaPssSha512 => &lc::RSA_PSS_SHA512,
                    _ => return Err(mismatch()),
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &SystemRandom::new(), message, &mut signature)
                    .map_err(backend)?;
                Ok(signature)
            }
            Pair::MlDsa(pair) if scheme == self.public.default_scheme() => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                let length = pair.sign(message, &mut signature).map_err(backend)?;
                signature.truncate(length);
                Ok(signature)
            }
            Pair::Ed25519(_) | Pair::MlDsa(_) => Err(mismatch()),
        }
    }
}

impl std::fmt::Debug for SoftwareKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SoftwareKey({:?})", self.public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_signs_verifies_and_survives_pkcs8() {
        for algorithm in KeyAlgorithm::GENERATED {
            let key = SoftwareKey::generate(algorithm).unwrap();
            assert_eq!(key.public_key().algorithm(), algorithm);
            let scheme = key.public_key().default_scheme();
            let again = SoftwareKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
            let signature = again.sign(scheme, b"message").unwrap();
            key.public_key().verify(scheme, b"message", &signature).unwrap();
            assert_eq!(
                key.public_key().verify(scheme, b"massage", &signature),
                Err(KeyError::BadSignature)
            );
            assert_eq!(PublicKey::from_spki(key.public_key().spki()).unwrap(), *key.public_key());
            let name = algorithm.to_string();
            assert_eq!(name.parse(), Ok(algorithm));
        }
    }

    #[test]
    fn short_rsa_and_unknown_curves_are_refused_with_a_reason() {
        // rsaEncryption, 1024 bits (modulus all 0xff), e = 65537
        let mut inner = vec![0x30, 0x81, 0x89, 0x02, 0x81, 0x81, 0x00];
        inner.extend([0xff; 128]);
        inner.extend([0x02, 0x03, 0x01, 0x00, 0x01]);
        let mut spki = vec![0x30, 0x81, 0x9f, 0x30, 0x0d];
        spki.extend(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00");
        spki.extend([0x03, 0x81, 0x8d, 0x00]);
        spki.extend(inner);
        assert_eq!(
            PublicKey::from_spki(&spki).unwrap_err().to_string(),
            "public key is refused: RSA modulus of 1024 bits; at least 2048 are required"
        );
        // secp256k1
        let mut curve = b"\x30\x56\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x0a\x03\x42\x00\x04".to_vec();
        curve.extend([1; 64]);
        assert!(matches!(PublicKey::from_spki(&curve), Err(KeyError::Unsupported(_))));
        // a point that is not on P-256
        let mut off = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04".to_vec();
        off.extend([1; 64]);
        assert!(matches!(PublicKey::from_spki(&off), Err(KeyError::Malformed(_))));
    }
}
