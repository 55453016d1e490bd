use crypto::{Sha256, UnixTime, sha256_of};
use pki::{
    Certificate,
    validate::{Anchors, Options, PathError, validate},
};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::CertificateDer,
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use service::{CertificateStanding, Service, ServiceError};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Seconds for which a validated chain is not validated again: from the handshake's verifier to the
/// connection's start.
const REMEMBERED_S: i64 = 5;
/// Chains remembered at once.
const REMEMBERED_MAX: usize = 4096;
/// Certificates that a client may show.
const SHOWN_MAX: usize = 8;

/// Why a client's certificates are not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TrustError {
    #[error("the client's certificate cannot be read: {0}")]
    Malformed(pki::CertificateError),
    #[error("more than {SHOWN_MAX} certificates")]
    TooMany,
    #[error(transparent)]
    Path(#[from] PathError),
    #[error("the client's certificate is revoked or suspended")]
    Revoked,
    #[error("the roots cannot be read: {0}")]
    Store(#[from] ServiceError),
}

/// Decides which client certificates are believed: `pki::validate` under the service's roots, and
/// the set of revoked certificates.
pub(crate) struct ClientTrust {
    service: Service,
    remembered: Mutex<HashMap<Sha256, Remembered>>,
}

struct Remembered {
    chain: Arc<[Certificate]>,
    anchors: Arc<Anchors>,
    at: UnixTime,
}

impl ClientTrust {
    pub(crate) fn new(service: Service) -> Self {
        Self { service, remembered: Mutex::default() }
    }

    /// The validated path of what a client showed, leaf first; empty where it showed nothing.
    pub(crate) fn chain(
        &self,
        shown: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Arc<[Certificate]>, TrustError> {
        let Some((leaf, above)) = shown.split_first() else { return Ok(Arc::new([])) };
        if above.len() >= SHOWN_MAX {
            return Err(TrustError::TooMany);
        }
        let anchors = self.service.anchors()?;
        let key = sha256_of(&shown.iter().map(AsRef::as_ref).collect::<Vec<_>>());
        let chain = match self.recall(&key, &anchors, now) {
            Some(chain) => chain,
            None => {
                let read = |der: &CertificateDer<'_>| {
                    Certificate::from_der(der).map_err(TrustError::Malformed)
                };
                let leaf = read(leaf)?;
                let above = above.iter().map(read).collect::<Result<Vec<_>, _>>()?;
                let path = validate(&leaf, &above, &anchors, &Options::client(now))?;
                let chain: Arc<[Certificate]> = path.certificates().into();
                self.remember(key, &chain, anchors, now);
                chain
            }
        };
        for certificate in chain.iter() {
            if !matches_good(self.service.standing_of(certificate)) {
                return Err(TrustError::Revoked);
            }
        }
        Ok(chain)
    }

    fn recall(
        &self,
        key: &Sha256,
        anchors: &Arc<Anchors>,
        now: UnixTime,
    ) -> Option<Arc<[Certificate]>> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered
            .get(key)
            .filter(|known| {
                fresh(known.at, now)
                    && Arc::ptr_eq(&known.anchors, anchors)
                    && known.chain.iter().all(|certificate| certificate.is_valid_at(now))
            })
            .map(|known| known.chain.clone())
    }

    fn remember(
        &self,
        key: Sha256,
        chain: &Arc<[Certificate]>,
        anchors: Arc<Anchors>,
        now: UnixTime,
    ) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, known| fresh(known.at, now));
        }
        if remembered.len() < REMEMBERED_MAX {
            remembered.insert(key, Remembered { chain: chain.clone(), anchors, at: now });
        }
    }
}

fn fresh(at: UnixTime, now: UnixTime) -> bool {
    (0..=REMEMBERED_S).contains(&now.since(at))
}

fn matches_good(standing: CertificateStanding) -> bool {
    !matches!(standing, CertificateStanding::Revoked { .. } | CertificateStanding::Suspended { .. })
}

/// [`ClientTrust`] as rustls asks for it.
pub(crate) struct Verifier {
    trust: Arc<ClientTrust>,
    schemes: Vec<SignatureScheme>,
}

impl Verifier {
    pub(crate) fn new(trust: Arc<ClientTrust>) -> Self {
        Self { trust, schemes: api::tls::schemes() }
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier")
    }
}

impl ClientCertVerifier for Verifier {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// None: a list of roots would tell strangers who our tenants' makers are, and clients have
    /// one certificate anyway.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: rustls::pki_types::UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let shown: Vec<_> = std::iter::once(end_entity).chain(intermediates).cloned().collect();
        // The service's clock, not rustls's: one clock decides everything.
        let now = self.trust.service.now();
        match self.trust.chain(&shown, now) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(error) => {
                tracing::debug!(%error, "a client certificate was refused");
                Err(alert(error).into())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        api::tls::verify_tls12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        api::tls::verify_tls13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

/// The error whose alert (RFC 8446 section 6.2) tells the client what to look at.
fn alert(error: TrustError) -> CertificateError {
    match error {
        TrustError::Malformed(_) | TrustError::TooMany => CertificateError::BadEncoding,
        TrustError::Revoked | TrustError::Path(PathError::Revoked { .. }) => {
            CertificateError::Revoked
        }
        TrustError::Path(PathError::Expired { .. }) => CertificateError::Expired,
        TrustError::Path(PathError::NotYetValid { .. }) => CertificateError::NotValidYet,
        TrustError::Path(PathError::UnknownIssuer { .. }) => CertificateError::UnknownIssuer,
        TrustError::Path(PathError::BadSignature { .. }) => CertificateError::BadSignature,
        TrustError::Path(
            PathError::ExtendedKeyUsage { .. }
            | PathError::KeyUsage { .. }
            | PathError::CaAsLeaf { .. },
        ) => CertificateError::InvalidPurpose,
        TrustError::Store(error) => CertificateError::Other(OtherError(Arc::new(error))),
        TrustError::Path(other) => CertificateError::Other(OtherError(Arc::new(other))),
    }
}
