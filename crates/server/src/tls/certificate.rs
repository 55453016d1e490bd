use crypto::{KeyAlgorithm, Signer as _, SoftwareKey, UnixTime, tls::signing_key};
use pki::{AlternativeName, Certificate, CsrBuilder, Subject};
use policy::Caller;
use rustls::{
    SignatureScheme,
    client::ResolvesClientCert,
    pki_types::CertificateDer,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use service::{Service, ServiceError};
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

/// How often it is looked whether the certificate should be renewed.
pub(crate) const RENEWAL_CHECK: Duration = Duration::from_secs(600);

/// Why the server has no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OwnError {
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error("the server's key cannot be made: {0}")]
    Key(#[from] crypto::SignError),
    #[error("the server's request cannot be made: {0}")]
    Csr(String),
}

/// The server's own certificate and key.
///
/// The key is made at each start and at each renewal, and never stored: what is not on the disk
/// cannot be taken from it, and nothing outside needs to know it again, since clients trust the CA.
#[derive(Debug)]
pub(crate) struct OwnCertificate {
    names: Vec<AlternativeName>,
    current: RwLock<Current>,
}

#[derive(Debug)]
struct Current {
    key: Arc<CertifiedKey>,
    /// two thirds of the validity are over from here on
    renew_at: UnixTime,
}

impl OwnCertificate {
    /// Has the platform's CA issue a certificate for these host names and addresses.
    pub(crate) async fn load(service: &Service, names: &[String]) -> Result<Self, OwnError> {
        let names: Vec<_> = names.iter().map(|name| alternative(name)).collect();
        let current = RwLock::new(issue(service, &names).await?);
        Ok(Self { names, current })
    }

    /// The certificate in use, with its key.
    pub(crate) fn current(&self) -> Arc<CertifiedKey> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).key.clone()
    }

    /// The same certificate for connections that the server opens.
    pub(crate) fn as_client(self: &Arc<Self>) -> Arc<dyn ResolvesClientCert> {
        Arc::new(AsClient(self.clone()))
    }

    /// Renews it where its time has come; otherwise, and on errors, the one in use stays.
    pub(crate) async fn renew(&self, service: &Service) -> Result<(), OwnError> {
        let due = self.current.read().unwrap_or_else(PoisonError::into_inner).renew_at;
        if service.now() < due {
            return Ok(());
        }
        let new = issue(service, &self.names).await?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }
}

/// A host name or an address, as it stands in certificates.
pub(crate) fn alternative(name: &str) -> AlternativeName {
    match name.parse() {
        Ok(address) => AlternativeName::Ip(address),
        Err(_) => AlternativeName::Dns(name.to_owned()),
    }
}

async fn issue(service: &Service, names: &[AlternativeName]) -> Result<Current, OwnError> {
    let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256)?;
    let csr = CsrBuilder { subject: Subject::named("tegata"), ..CsrBuilder::default() };
    let csr = csr.build(&key).map_err(|error| OwnError::Csr(error.to_string()))?;
    let platform = service.trust_store().await?.platform;
    let caller = Caller::Platform { task: "server certificate" };
    let chain = service.issue_service_certificate(&caller, &platform, &csr, names.to_vec()).await?;
    let renew_at = chain.first().map_or(UnixTime(0), |leaf| {
        let lifetime = leaf.not_after().since(leaf.not_before());
        leaf.not_before().plus(lifetime / 3 * 2)
    });
    // The root is the client's to have, not ours to send.
    let sent = chain
        .iter()
        .filter(|certificate| !certificate.is_self_issued())
        .map(|certificate: &Certificate| CertificateDer::from(certificate.der().to_vec()))
        .collect();
    debug_assert_eq!(chain.first().map(Certificate::spki_der), Some(key.public_key().spki()));
    Ok(Current { key: Arc::new(CertifiedKey::new(sent, signing_key(Arc::new(key)))), renew_at })
}

/// Shows the server's certificate where the server is a client: it is for both.
#[derive(Debug)]
struct AsClient(Arc<OwnCertificate>);

impl ResolvesClientCert for AsClient {
    fn resolve(&self, _roots: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let key = self.0.current();
        key.key.choose_scheme(schemes).map(|_| key)
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ResolvesServerCert for OwnCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}
