//! Certificate requests: proof of possession, keys that are nobody else's, and the use case that
//! certifies servers and applications.

use crate::{Service, ServiceError, issue::Order, store::Tx};
use crypto::{Sha256, Verified};
use device::OrganisationId;
use pki::{AlternativeName, Certificate, Csr, Profile, Subject};
use policy::{Action, Caller, Resource};

impl Service {
    /// Issues a certificate for a server or application of an organisation (TR-7).
    ///
    /// # Errors
    /// `csr`, `no-platform-ca`, `certificate-refused`, `role`.
    pub async fn issue_service_certificate(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        csr: &[u8],
        names: Vec<AlternativeName>,
    ) -> Result<Vec<Certificate>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::IssueServiceCertificate, &resource)?;
        let csr = verified_csr(csr)?;
        let row = self.organisation_row(organisation.as_str())?;
        let ca = self.platform_ca()?;
        let chain = ca.chain();
        let first = names.iter().find_map(|name| match name {
            AlternativeName::Dns(name) => Some(name.chars().take(64).collect::<String>()),
            _ => None,
        });
        let order = Order {
            ca,
            profile: Profile::Service,
            subject: Subject {
                organisation: organisation.to_string(),
                ..Subject::named(first.unwrap_or_else(|| "service".into()))
            },
            public_key: csr.public_key().clone(),
            not_after: self.now().plus(self.config.member_validity_s),
            alternative_names: names,
            hardware_module: None,
            mud: None,
            organisation: row.id,
            device: None,
        };
        let key = csr.public_key().fingerprint();
        let (certificate, ()) =
            self.issue(caller, order, move |tx| unused_key(tx, &key), |_, _, ()| Ok(())).await?;
        Ok(std::iter::once(certificate).chain(chain).collect())
    }
}

/// A CSR whose proof of possession holds.
pub(crate) fn verified_csr(der: &[u8]) -> Result<Verified<Csr>, ServiceError> {
    Csr::parse(der).and_then(Csr::verify).map_err(|error| match error {
        pki::csr::CsrError::NotProved
        | pki::csr::CsrError::Key(_)
        | pki::csr::CsrError::Scheme(_) => ServiceError::refused("csr", error.to_string()),
        _ => ServiceError::malformed("csr-malformed", error.to_string()),
    })
}

/// A person's or service's key must not be anybody else's (invariant 10).
pub(crate) fn unused_key(tx: &Tx<'_>, key: &Sha256) -> Result<(), ServiceError> {
    let holders = crate::store::certificate::holders_of_key(tx, key)?;
    if holders.is_empty() { Ok(()) } else { Err(key_in_use()) }
}

pub(crate) fn key_in_use() -> ServiceError {
    ServiceError::refused(
        "key-in-use",
        "this public key has a certificate already; every holder needs a key of its own: make a \
         new key pair",
    )
}
