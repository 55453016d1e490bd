//! DTLS 1.2 (RFC 6347) by `dimpl`: our certificate and key, ECDHE with AEAD only, a certificate of every
//! client, and cookies that hold for one address.
//!
//! `dimpl` keeps an association from the first hello on, and makes its cookie of a secret of that
//! association: every stranger would cost memory. So the cookie is made and looked at here, and an
//! association begins with the second hello: it is told the first one again, and that the cookie is right.

use crate::tls::OwnCertificate;
use crypto::{
    Secret, Signer,
    dtls::{Keys, RawKey, SUITES, associate},
    hmac_sha256,
};
use dimpl::{
    Config, CryptoError, Dtls, Output,
    crypto::{CryptoProvider, HashAlgorithm, HmacProvider, aws_lc_rs::default_provider},
};
use gateway::Hello;
use std::{
    cell::Cell,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Seconds that a cookie holds at least; at most it is twice as many.
const COOKIE_S: u64 = 30;
/// Room for one datagram that is sent.
pub(super) const DATAGRAM: usize = 2048;
/// Datagrams that an association keeps until those before them have come.
const WAITING: usize = 16;

thread_local! {
    /// The cookie that is right, while an association is told hellos on this thread.
    static RIGHT: Cell<Option<[u8; 32]>> = const { Cell::new(None) };
}

/// What a ClientHello of somebody who is not known is worth.
pub(super) enum Greeted {
    /// nothing is kept; this is asked
    Stranger(Vec<u8>),
    /// it is where it says it is, and this is its cookie
    There([u8; 32]),
}

/// What becomes of a second hello.
pub(super) enum Begun {
    /// an association
    Association(Box<Dtls>),
    /// nothing, and why; with what is still to be said
    Refused(String, Option<Vec<u8>>),
}

/// The key that is shown to who takes no certificate, as it is replaced.
pub(crate) type ShownKeys = watch::Receiver<Option<Arc<dyn Signer>>>;

/// Makes associations.
pub(super) struct Associations {
    own: Arc<OwnCertificate>,
    manner: Mutex<Manner>,
    secret: Secret,
    began: Instant,
}

impl Associations {
    /// With `raw` clients may show public keys by themselves and ask for that one (RFC 7250).
    ///
    /// # Errors
    /// As a sentence, where the cryptography does not pass its tests.
    pub(super) fn new(own: Arc<OwnCertificate>, raw: Option<ShownKeys>) -> Result<Self, String> {
        let manner = Mutex::new(Manner::new(raw)?);
        Ok(Self { own, manner, secret: crypto::random::secret::<32>(), began: Instant::now() })
    }

    /// Looks at a ClientHello of somebody who is not known. It costs two hashes.
    pub(super) fn greet(&self, from: SocketAddr, hello: &Hello<'_>) -> Greeted {
        let span = Instant::now().duration_since(self.began).as_secs() / COOKIE_S;
        let right = self.cookie(from, span, hello);
        let former = span.checked_sub(1).map(|span| self.cookie(from, span, hello));
        for cookie in [Some(right), former].into_iter().flatten() {
            if crypto::constant_time_eq(&cookie, hello.cookie()) {
                return Greeted::There(cookie);
            }
        }
        // A cookie that does not hold is like none (RFC 6347 section 4.2.1).
        Greeted::Stranger(hello.question(&right))
    }

    fn cookie(&self, from: SocketAddr, span: u64, hello: &Hello<'_>) -> [u8; 32] {
        let address = match from.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        let (port, span) = (from.port().to_be_bytes(), span.to_be_bytes());
        hmac_sha256(&self.secret, &[b"cookie", &address, &port, &span, &hello.random])
    }

    /// An association with somebody who is there, which has heard its second hello; `None` where that
    /// is none.
    pub(super) fn begin(&self, second: &[u8], cookie: [u8; 32]) -> Option<Begun> {
        let first = Hello::read(second)?.first()?;
        let now = Instant::now().into_std();
        let manner = self.manner.lock().unwrap_or_else(PoisonError::into_inner).now();
        let failed = |error: &String| tracing::error!(error, "no handshake by DTLS");
        let (config, raw) = manner.inspect_err(failed).ok()?;
        let mut dtls = Box::new(associate(config, &self.own.current(), raw.as_ref(), now)?);
        dtls.handle_timeout(now).ok()?;
        RIGHT.set(Some(cookie));
        let heard = dtls.handle_packet(&first).and_then(|()| {
            // What it asks was asked and answered before.
            let mut buffer = vec![0; DATAGRAM];
            while !matches!(dtls.poll_output(&mut buffer), Output::Timeout(_)) {}
            dtls.handle_packet(second)
        });
        RIGHT.set(None);
        let Err(error) = heard else { return Some(Begun::Association(dtls)) };
        let mut buffer = vec![0; DATAGRAM];
        let alert = match dtls.poll_output(&mut buffer) {
            Output::Packet(alert) => Some(alert.to_vec()),
            _ => None,
        };
        Some(Begun::Refused(error.to_string(), alert))
    }
}

/// How associations are made, as long as the key for who takes no certificate is the same.
struct Manner {
    keys: Option<ShownKeys>,
    raw: Option<RawKey>,
    config: Arc<Config>,
}

impl Manner {
    fn new(mut keys: Option<ShownKeys>) -> Result<Self, String> {
        if let Some(keys) = &mut keys {
            keys.mark_unchanged();
        }
        let raw = keys.as_ref().map(shown).transpose()?.flatten();
        let config = configured(raw.as_ref())?;
        Ok(Self { keys, raw, config })
    }

    /// With the key that is to be shown now; an error where that cannot be: the former one is nobody's to
    /// trust any more.
    fn now(&mut self) -> Result<(Arc<Config>, Option<RawKey>), String> {
        if let Some(keys) = &mut self.keys
            && keys.has_changed().unwrap_or(false)
        {
            keys.mark_unchanged();
            let raw = shown(keys).inspect_err(|_| keys.mark_changed())?;
            let config = configured(raw.as_ref()).inspect_err(|_| keys.mark_changed())?;
            (self.config, self.raw) = (config, raw);
        }
        Ok((self.config.clone(), self.raw.clone()))
    }
}

fn shown(keys: &ShownKeys) -> Result<Option<RawKey>, String> {
    let Some(key) = keys.borrow().clone() else { return Ok(None) };
    let raw = RawKey::new(key).ok_or("the server's key is of another kind than ECDSA on P-256")?;
    Ok(Some(raw))
}

fn configured(raw: Option<&RawKey>) -> Result<Arc<Config>, String> {
    let provider =
        CryptoProvider { key_provider: &Keys, hmac_provider: &Cookies, ..default_provider() };
    let config = Config::builder()
        .with_crypto_provider(provider)
        .dtls12_cipher_suites(&SUITES)
        .require_client_certificate(true)
        .use_server_cookie(true)
        .handshake_timeout(HANDSHAKE)
        .max_queue_rx(WAITING)
        .accept_raw_public_keys(raw.is_some());
    let config = match raw {
        Some(raw) => config.with_raw_public_key(raw.to_configure()),
        None => config,
    };
    config.build().map(Arc::new).map_err(|error| error.to_string())
}

/// Where `dimpl` makes a cookie to compare the client's with, this is the one that was found to be right.
#[derive(Debug)]
struct Cookies;

impl HmacProvider for Cookies {
    fn hmac_sha256(&self, key: &[u8], data: &[u8]) -> Result<[u8; 32], CryptoError> {
        if let Some(right) = RIGHT.get() {
            return Ok(right);
        }
        let mut out = [0; 32];
        self.hmac(HashAlgorithm::SHA256, key, data, &mut out)?;
        Ok(out)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::{KeyAlgorithm, SoftwareKey};

    fn key(algorithm: KeyAlgorithm) -> Arc<dyn Signer> {
        Arc::new(SoftwareKey::generate(algorithm).unwrap())
    }

    /// The key that is shown, by its configuration and beside it.
    fn said(manner: &mut Manner) -> Option<Vec<u8>> {
        let (config, raw) = manner.now().unwrap();
        let configured = config.raw_public_key().map(|it| it.public_key.clone());
        assert_eq!(raw.map(|raw| raw.to_configure().public_key), configured);
        configured
    }

    #[test]
    fn the_key_that_is_shown_is_the_one_that_is_kept_now() {
        let (first, second) = (key(KeyAlgorithm::EcdsaP256), key(KeyAlgorithm::EcdsaP256));
        let of = |key: &Arc<dyn Signer>| Some(key.public_key().spki().to_vec());
        let keys = watch::Sender::new(Some(first.clone()));
        let mut manner = Manner::new(Some(keys.subscribe())).unwrap();
        assert_eq!(said(&mut manner), of(&first));
        keys.send_replace(Some(second.clone()));
        assert_eq!(said(&mut manner), of(&second));
        assert_eq!(said(&mut manner), of(&second));
        // One that cannot be shown: nobody trusts the former one any more, and nobody is shown it.
        keys.send_replace(Some(key(KeyAlgorithm::EcdsaP384)));
        assert!(manner.now().is_err() && manner.now().is_err());
        keys.send_replace(None);
        assert_eq!(said(&mut manner), None);
        keys.send_replace(Some(first.clone()));
        assert_eq!(said(&mut manner), of(&first));
        let without = Manner::new(None).unwrap().now().unwrap();
        assert!(without.1.is_none() && without.0.raw_public_key().is_none());
    }
}
