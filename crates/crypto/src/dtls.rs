//! Associations of DTLS 1.2 (RFC 6347) by `dimpl`, whose keys stay where they are.

use dimpl::{
    Config, CryptoError, CryptoOperation, Dtls, DtlsCertificate,
    crypto::{Buf, Dtls12CipherSuite, HashAlgorithm, KeyProvider, SignatureAlgorithm, SigningKey},
};
use rustls::{SignatureScheme, sign::CertifiedKey};
use std::{cell::RefCell, panic::AssertUnwindSafe, sync::Arc, time::Instant};

/// Forward secrecy and AEAD, and nothing else.
pub const SUITES: [Dtls12CipherSuite; 3] = [
    Dtls12CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256,
    Dtls12CipherSuite::ECDHE_ECDSA_AES256_GCM_SHA384,
    Dtls12CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256,
];

thread_local! {
    /// What the association shows that is being made on this thread.
    static SHOWN: RefCell<Option<Arc<CertifiedKey>>> = const { RefCell::new(None) };
}

/// Keys wherever they live: a configuration has to have them as its `key_provider`.
#[derive(Debug, Clone, Copy)]
pub struct Keys;

/// An association that shows a certificate of an ECDSA key on P-256, as a server until it is told
/// otherwise; `None` where there is no certificate. `config` has [`Keys`].
pub fn associate(config: Arc<Config>, key: Arc<CertifiedKey>, now: Instant) -> Option<Dtls> {
    let certificate = key.cert.first()?.to_vec();
    SHOWN.set(Some(key));
    // `dimpl` is given the certificate in place of the key's bytes, and asks for the key here and now.
    let handle = DtlsCertificate { private_key: certificate.clone(), certificate };
    let dtls = Dtls::new_12(config, handle, now);
    SHOWN.set(None);
    Some(dtls)
}

impl KeyProvider for Keys {
    fn load_private_key(&self, handle: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        let shown = SHOWN.with_borrow(Clone::clone);
        let key = shown.filter(|key| key.cert.first().is_some_and(|it| **it == *handle));
        let key = key.ok_or(CryptoError::InvalidPrivateKey)?;
        Ok(Box::new(Key(AssertUnwindSafe(key.key.clone()))))
    }
}

#[derive(Debug)]
struct Key(AssertUnwindSafe<Arc<dyn rustls::sign::SigningKey>>);

impl SigningKey for Key {
    fn sign(&mut self, data: &[u8], hash: HashAlgorithm, out: &mut Buf) -> Result<(), CryptoError> {
        let failed = CryptoError::OperationFailed(CryptoOperation::Sign);
        if hash != HashAlgorithm::SHA256 {
            return Err(failed);
        }
        let signer = self.0.choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256]);
        let signature = signer.and_then(|signer| signer.sign(data).ok()).ok_or(failed)?;
        out.clear();
        out.extend_from_slice(&signature);
        Ok(())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }

    fn supported_hash_algorithms(&self) -> &[HashAlgorithm] {
        &[HashAlgorithm::SHA256]
    }
}
