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
