//! [`Signer`]s as TLS authentication keys (RFC 8446 section 4.4.3, RFC 5246 section 7.4.8).

use crate::{KeyAlgorithm, SignatureScheme as Scheme, Signer};
use rustls::{Error, SignatureAlgorithm, SignatureScheme, pki_types::SubjectPublicKeyInfoDer};
use std::sync::Arc;

/// Lets rustls sign handshakes with `signer`, wherever its key lives.
pub fn signing_key(signer: Arc<dyn Signer>) -> Arc<dyn rustls::sign::SigningKey> {
    Arc::new(TlsKey(signer))
}

struct TlsKey(Arc<dyn Signer>);

impl std::fmt::Debug for TlsKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TlsKey({:?})", self.0.public_key())
    }
}

impl rustls::sign::SigningKey for TlsKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn rustls::sign::Signer>> {
        let (scheme, tls) = schemes(self.0.public_key().algorithm())
            .iter()
            .copied()
            .find(|(_, tls)| offered.contains(tls))?;
        Some(Box::new(TlsSigner { signer: self.0.clone(), scheme, tls }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.0.public_key().algorithm() {
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 => SignatureAlgorithm::ECDSA,
            KeyAlgorithm::Ed25519 => SignatureAlgorithm::ED25519,
            KeyAlgorithm::Rsa(_) => SignatureAlgorithm::RSA,
            KeyAlgorithm::MlDsa44 | KeyAlgorithm::MlDsa65 | KeyAlgorithm::MlDsa87 => {
                // TLS 1.3 only; the 1.2 registry has no number for it.
                SignatureAlgorithm::Unknown(9)
            }
        }
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.0.public_key().spki()))
    }
}

/// The scheme that TLS calls `tls`, where Tegata supports it.
pub fn scheme_of(tls: SignatureScheme) -> Option<Scheme> {
    ALL.iter().find(|(_, known)| *known == tls).map(|(scheme, _)| *scheme)
}

/// Whose handshake is signed. The two versions mean different things by the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeVersion {
    /// TLS 1.2 (RFC 5246, RFC 8422)
    Tls12,
    /// TLS 1.3 (RFC 8446)
    Tls13,
}

/// The scheme that a peer may sign a handshake with and call `tls`, where its certified key is of
/// `algorithm`; `None` for everything that is not allowed, whether or not the signature holds.
///
/// TLS 1.3 binds the hash to the curve and leaves PKCS#1 v1.5 to certificates (RFC 8446 section
/// 4.2.3). In TLS 1.2 the number of an ECDSA scheme names the hash alone (RFC 8422 section 5.1.3),
/// and ML-DSA does not exist.
pub fn handshake_scheme(
    version: HandshakeVersion,
    algorithm: KeyAlgorithm,
    tls: SignatureScheme,
) -> Option<Scheme> {
    use KeyAlgorithm as K;
    use Scheme as S;
    let scheme = scheme_of(tls)?;
    let own = schemes(algorithm).iter().any(|(of_key, _)| *of_key == scheme);
    let allowed = match version {
        HandshakeVersion::Tls13 => {
            own && !matches!(scheme, S::RsaPkcs1Sha256 | S::RsaPkcs1Sha384 | S::RsaPkcs1Sha512)
        }
        HandshakeVersion::Tls12 => match (algorithm, scheme) {
            (K::EcdsaP256 | K::EcdsaP384, S::EcdsaSha256 | S::EcdsaSha384) => true,
            (K::MlDsa44 | K::MlDsa65 | K::MlDsa87, _) => false,
            _ => own,
        },
    };
    allowed.then_some(scheme)
}

const ALL: &[(Scheme, SignatureScheme)] = &[
    (Scheme::EcdsaSha256, SignatureScheme::ECDSA_NISTP256_SHA256),
    (Scheme::EcdsaSha384, SignatureScheme::ECDSA_NISTP384_SHA384),
    (Scheme::Ed25519, SignatureScheme::ED25519),
    (Scheme::RsaPssSha256, SignatureScheme::RSA_PSS_SHA256),
    (Scheme::RsaPssSha384, SignatureScheme::RSA_PSS_SHA384),
    (Scheme::RsaPssSha512, SignatureScheme::RSA_PSS_SHA512),
    (Scheme::RsaPkcs1Sha256, SignatureScheme::RSA_PKCS1_SHA256),
    (Scheme::RsaPkcs1Sha384, SignatureScheme::RSA_PKCS1_SHA384),
    (Scheme::RsaPkcs1Sha512, SignatureScheme::RSA_PKCS1_SHA512),
    (Scheme::MlDsa44, SignatureScheme::ML_DSA_44),
    (Scheme::MlDsa65, SignatureScheme::ML_DSA_65),
    (Scheme::MlDsa87, SignatureScheme::ML_DSA_87),
];

/// Every scheme that peers may sign with, best first.
pub fn supported() -> Vec<SignatureScheme> {
    ALL.iter().map(|(_, tls)| *tls).collect()
}

fn schemes(algorithm: KeyAlgorithm) -> &'static [(Scheme, SignatureScheme)] {
    let range = match algorithm {
        KeyAlgorithm::EcdsaP256 => 0..1,
        KeyAlgorithm::EcdsaP384 => 1..2,
        KeyAlgorithm::Ed25519 => 2..3,
        KeyAlgorithm::Rsa(_) => 3..9,
        KeyAlgorithm::MlDsa44 => 9..10,
        KeyAlgorithm::MlDsa65 => 10..11,
        KeyAlgorithm::MlDsa87 => 11..12,
    };
    ALL.get(range).unwrap_or_default()
}

struct TlsSigner {
    signer: Arc<dyn Signer>,
    scheme: Scheme,
    tls: SignatureScheme,
}

impl std::fmt::Debug for TlsSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TlsSigner({:?})", self.tls)
    }
}

impl rustls::sign::Signer for TlsSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.signer.sign(self.scheme, message).map_err(|error| Error::General(error.to_string()))
    }

    fn scheme(&self) -> SignatureScheme {
        self.tls
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use HandshakeVersion::{Tls12, Tls13};
    use KeyAlgorithm as K;
    use SignatureScheme as T;

    const KEYS: [K; 7] =
        [K::EcdsaP256, K::EcdsaP384, K::Ed25519, K::Rsa(2048), K::MlDsa44, K::MlDsa65, K::MlDsa87];

    fn allowed(version: HandshakeVersion, key: K) -> Vec<T> {
        // Every number that there is, not only those that we know.
        (0..=u16::MAX)
            .map(T::from)
            .filter(|tls| handshake_scheme(version, key, *tls).is_some())
            .collect()
    }

    #[test]
    fn each_key_signs_with_its_own_schemes_and_no_others() {
        let pss = [T::RSA_PSS_SHA256, T::RSA_PSS_SHA384, T::RSA_PSS_SHA512];
        let pkcs1 = [T::RSA_PKCS1_SHA256, T::RSA_PKCS1_SHA384, T::RSA_PKCS1_SHA512];
        let either = [T::ECDSA_NISTP256_SHA256, T::ECDSA_NISTP384_SHA384];
        let check = |key, tls13: &[T], tls12: &[T]| {
            for (version, want) in [(Tls13, tls13), (Tls12, tls12)] {
                let (mut found, mut want) = (allowed(version, key), want.to_vec());
                found.sort_by_key(|tls| u16::from(*tls));
                want.sort_by_key(|tls| u16::from(*tls));
                assert_eq!(found, want, "{version:?} {key}");
            }
        };
        check(K::EcdsaP256, &[T::ECDSA_NISTP256_SHA256], &either);
        check(K::EcdsaP384, &[T::ECDSA_NISTP384_SHA384], &either);
        check(K::Ed25519, &[T::ED25519], &[T::ED25519]);
        check(K::Rsa(3072), &pss, &[&pss[..], &pkcs1].concat());
        check(K::MlDsa44, &[T::ML_DSA_44], &[]);
        check(K::MlDsa65, &[T::ML_DSA_65], &[]);
        check(K::MlDsa87, &[T::ML_DSA_87], &[]);
    }

    #[test]
    fn what_is_allowed_is_supported_and_what_we_sign_with_is_allowed() {
        for key in KEYS {
            for version in [Tls12, Tls13] {
                assert!(allowed(version, key).iter().all(|tls| supported().contains(tls)));
            }
            let first = schemes(key).first().map(|(_, tls)| *tls).unwrap();
            assert!(handshake_scheme(Tls13, key, first).is_some(), "{key}");
        }
    }
}
