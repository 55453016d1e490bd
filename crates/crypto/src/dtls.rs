//! Associations of DTLS 1.2 (RFC 6347) by `dimpl`, whose keys stay where they are.

use crate::{KeyAlgorithm, Signer, sha256, tls::signing_key};
use dimpl::{
    Config, CryptoError, CryptoOperation, Dtls, DtlsCertificate, RawPublicKey,
    crypto::{Buf, Dtls12CipherSuite, HashAlgorithm, KeyProvider, SignatureAlgorithm, SigningKey},
};
use rustls::{
    SignatureScheme,
    sign::{CertifiedKey, SigningKey as TlsKey},
};
use std::{cell::RefCell, panic::AssertUnwindSafe, sync::Arc, time::Instant};

/// Forward secrecy and AEAD, and nothing else.
pub const SUITES: [Dtls12CipherSuite; 3] = [
    Dtls12CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256,
    Dtls12CipherSuite::ECDHE_ECDSA_AES256_GCM_SHA384,
    Dtls12CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256,
];

/// Keys by what stands for them.
type Shown = Vec<(Vec<u8>, Arc<dyn TlsKey>)>;

thread_local! {
    /// What the association may show that is being made on this thread.
    static SHOWN: RefCell<Shown> = const { RefCell::new(Vec::new()) };
}

/// Keys wherever they live: a configuration has to have them as its `key_provider`.
#[derive(Debug, Clone, Copy)]
pub struct Keys;

/// An ECDSA key on P-256 that is shown by itself (RFC 7250).
#[derive(Clone)]
pub struct RawKey {
    spki: Vec<u8>,
    key: Arc<dyn TlsKey>,
}

impl RawKey {
    /// `None` where it is a key of another kind.
    pub fn new(signer: Arc<dyn Signer>) -> Option<Self> {
        let public = signer.public_key();
        let spki = public.spki().to_vec();
        (public.algorithm() == KeyAlgorithm::EcdsaP256)
            .then(|| Self { spki, key: signing_key(signer) })
    }

    /// What a configuration has to say where associations may show it.
    pub fn to_configure(&self) -> RawPublicKey {
        RawPublicKey { public_key: self.spki.clone(), private_key: self.spki.clone() }
    }
}

impl std::fmt::Debug for RawKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawKey").field("key", &sha256(&self.spki)).finish_non_exhaustive()
    }
}

/// An association that shows a certificate of an ECDSA key on P-256, as a server until it is told
/// otherwise, or the key of its configuration where the other side would rather have that; `None` where
/// there is no certificate, or where `raw` is not the configured key. `config` has [`Keys`].
pub fn associate(
    config: Arc<Config>,
    key: &CertifiedKey,
    raw: Option<&RawKey>,
    now: Instant,
) -> Option<Dtls> {
    let certificate = key.cert.first()?.to_vec();
    let wanted = config.raw_public_key().map(|raw| &raw.private_key);
    let mut shown = vec![(certificate.clone(), key.key.clone())];
    if wanted != raw.map(|raw| &raw.spki) {
        return None;
    }
    shown.extend(raw.map(|raw| (raw.spki.clone(), raw.key.clone())));
    SHOWN.set(shown);
    // `dimpl` is given what is shown in place of the key's bytes, and asks for the key here and now.
    let handle = DtlsCertificate { private_key: certificate.clone(), certificate };
    let dtls = Dtls::new_12(config, handle, now);
    SHOWN.take();
    Some(dtls)
}

impl KeyProvider for Keys {
    fn load_private_key(&self, handle: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        let of = |shown: &Shown| {
            shown.iter().find(|(known, _)| known == handle).map(|(_, key)| key.clone())
        };
        let key = SHOWN.with_borrow(of).ok_or(CryptoError::InvalidPrivateKey)?;
        Ok(Box::new(Key(AssertUnwindSafe(key))))
    }
}

#[derive(Debug)]
struct Key(AssertUnwindSafe<Arc<dyn TlsKey>>);

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
