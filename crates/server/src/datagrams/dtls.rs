//! DTLS 1.2 (RFC 6347) by `dimpl`: our certificate and key, ECDHE with AEAD only, a certificate of every
//! client, and cookies that hold for one address.

use crate::tls::OwnCertificate;
use crypto::{Secret, hmac_sha256};
use dimpl::{
    Config, CryptoError, CryptoOperation, Dtls, DtlsCertificate, Output,
    crypto::{
        Buf, CryptoProvider, Dtls12CipherSuite, HashAlgorithm, HmacProvider, KeyProvider,
        SignatureAlgorithm, SigningKey, aws_lc_rs::default_provider,
    },
};
use gateway::{Hello, asks_for_cookie};
use rustls::{SignatureScheme, sign::CertifiedKey};
use std::{
    cell::Cell,
    net::{IpAddr, SocketAddr},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Seconds that a cookie holds at least; at most it is twice as many.
const COOKIE_S: u64 = 30;
/// Room for one datagram that is sent.
pub(super) const DATAGRAM: usize = 2048;

const SUITES: [Dtls12CipherSuite; 3] = [
    Dtls12CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256,
    Dtls12CipherSuite::ECDHE_ECDSA_AES256_GCM_SHA384,
    Dtls12CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256,
];

thread_local! {
    /// For whom a cookie is being made or checked on this thread, and in which span of time.
    static FOR: Cell<Option<(SocketAddr, u64)>> = const { Cell::new(None) };
}

/// What came of a first word.
pub(super) enum Greeted {
    /// nothing is kept; this is sent back, or nothing at all
    Stranger(Option<Vec<u8>>),
    /// the sender is where it says it is: the handshake goes on, and this is sent
    Known(Box<Dtls>, Vec<Vec<u8>>),
}

/// Makes associations.
pub(super) struct Associations {
    own: Arc<OwnCertificate>,
    keys: &'static Keys,
    config: Arc<Config>,
    began: Instant,
}

impl Associations {
    /// # Errors
    /// As a sentence, where the cryptography does not pass its tests.
    pub(super) fn new(own: Arc<OwnCertificate>) -> Result<Self, String> {
        // `dimpl` wants them for ever; there is one for each door that is opened.
        let keys: &'static Keys = Box::leak(Box::default());
        let cookies: &'static Cookies =
            Box::leak(Box::new(Cookies { secret: crypto::random::secret::<32>() }));
        let provider =
            CryptoProvider { key_provider: keys, hmac_provider: cookies, ..default_provider() };
        let config = Config::builder()
            .with_crypto_provider(provider)
            .dtls12_cipher_suites(&SUITES)
            .require_client_certificate(true)
            .use_server_cookie(true)
            .handshake_timeout(HANDSHAKE)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { own, keys, config: Arc::new(config), began: Instant::now() })
    }

    fn fresh(&self, now: Instant) -> Option<Dtls> {
        let certificate = self.keys.show(self.own.current())?;
        let mut dtls = Dtls::new_12(self.config.clone(), certificate, now.into_std());
        dtls.handle_timeout(now.into_std()).ok()?;
        Some(dtls)
    }

    /// Hears a ClientHello of somebody who is not known. Whoever cannot be reached where it says it is
    /// leaves nothing behind.
    pub(super) fn greet(&self, from: SocketAddr, hello: &Hello<'_>, bytes: &[u8]) -> Greeted {
        let span = Instant::now().duration_since(self.began).as_secs() / COOKIE_S;
        let question = |sent: Vec<Vec<u8>>| {
            Greeted::Stranger(sent.into_iter().next().filter(|it| asks_for_cookie(it)))
        };
        let nothing = Greeted::Stranger(None);
        if !hello.has_cookie() {
            return self.hear(from, span, &[bytes]).map_or(nothing, |(_, sent)| question(sent));
        }
        // Its state is that of one who has sent the first hello, too: that one was forgotten.
        let Some(first) = hello.first() else { return nothing };
        for span in [Some(span), span.checked_sub(1)].into_iter().flatten() {
            let Some((dtls, sent)) = self.hear(from, span, &[&first, bytes]) else {
                return nothing;
            };
            if !sent.first().is_some_and(|it| asks_for_cookie(it)) {
                return Greeted::Known(Box::new(dtls), sent);
            }
        }
        // A cookie that does not hold is like none (RFC 6347 section 4.2.1).
        self.hear(from, span, &[&first]).map_or(nothing, |(_, sent)| question(sent))
    }

    /// An association that has heard these datagrams, and what it sends after the last of them; `None`
    /// where it refuses one.
    fn hear(&self, from: SocketAddr, span: u64, hellos: &[&[u8]]) -> Option<(Dtls, Vec<Vec<u8>>)> {
        let mut dtls = self.fresh(Instant::now())?;
        let mut buffer = vec![0; DATAGRAM];
        let mut sent = Vec::new();
        for hello in hellos {
            sent.clear();
            FOR.set(Some((from, span)));
            let heard = dtls.handle_packet(hello);
            FOR.set(None);
            heard.ok()?;
            loop {
                match dtls.poll_output(&mut buffer) {
                    Output::Packet(packet) => sent.push(packet.to_vec()),
                    Output::Timeout(_) => break,
                    Output::BufferTooSmall { needed } => buffer.resize(needed, 0),
                    _ => {}
                }
            }
        }
        Some((dtls, sent))
    }
}

/// The server's key, wherever it lives: `dimpl` is given the certificate in place of the key's bytes.
#[derive(Debug, Default)]
struct Keys {
    shown: Mutex<Option<Arc<CertifiedKey>>>,
}

impl Keys {
    /// The certificate that the next association shows.
    fn show(&self, key: Arc<CertifiedKey>) -> Option<DtlsCertificate> {
        let certificate = key.cert.first()?.to_vec();
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
        Some(DtlsCertificate { private_key: certificate.clone(), certificate })
    }
}

impl KeyProvider for Keys {
    fn load_private_key(&self, handle: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let key = shown.as_ref().filter(|key| key.cert.first().is_some_and(|it| **it == *handle));
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

/// Cookies that hold for one address and for a short time, and need no memory. `dimpl` makes a cookie of
/// the client's random and a secret of the association; here the association is forgotten, and the secret
/// is the door's.
struct Cookies {
    secret: Secret,
}

impl std::fmt::Debug for Cookies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cookies")
    }
}

impl HmacProvider for Cookies {
    fn hmac_sha256(&self, key: &[u8], data: &[u8]) -> Result<[u8; 32], CryptoError> {
        let Some((from, span)) = FOR.get() else {
            let mut out = [0; 32];
            self.hmac(HashAlgorithm::SHA256, key, data, &mut out)?;
            return Ok(out);
        };
        let address = match from.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        let (port, span) = (from.port().to_be_bytes(), span.to_be_bytes());
        Ok(hmac_sha256(&self.secret, &[b"cookie", &address, &port, &span, data]))
    }

    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        data: &[u8],
        out: &mut [u8],
    ) -> Result<usize, CryptoError> {
        default_provider().hmac_provider.hmac(hash, key, data, out)
    }
}
