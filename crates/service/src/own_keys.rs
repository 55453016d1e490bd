//! What the platform issues to itself: OCSP signers, and the certificates of the keys that sign its
//! events and passports.

use crate::{
    Service, ServiceError,
    ca::CaEntry,
    issue::Order,
    keys::Purpose,
    store::{
        Effect, key as store, meta,
        organisation::{self as organisations, SignerRow},
    },
};
use crypto::Signer;
use pki::{Certificate, Profile, Subject};
use policy::{Action, Caller, Resource};
use std::sync::Arc;

/// Key in `meta`: certificate of the passport signer.
pub(crate) const PASSPORT_CERTIFICATE: &str = "passport-certificate";

/// Validity of an OCSP signer, in seconds: what the key policy allows.
const OCSP_SIGNER_S: i64 = 89 * 86_400;

/// Validity of the platform's own signers, in seconds: what the key policy allows.
const PLATFORM_SIGNER_S: i64 = 3 * 365 * 86_400;

impl Service {
    /// Gives a CA a new OCSP signer.
    ///
    /// # Errors
    /// As issuance.
    pub async fn renew_ocsp_signer(&self, caller: &Caller, ca: &str) -> Result<(), ServiceError> {
        let entry = self.ca_by_slug(ca)?;
        let organisation = self.organisation_id(entry.organisation)?;
        let resource = Resource::organisation(&organisation);
        let _permit = self.authorize(caller, Action::CreateIssuingCa, &resource)?;
        let now = self.now();
        // The key policy of OCSP signers (KM-4) allows 90 days.
        let not_after = now.plus(self.config.member_validity_s.min(OCSP_SIGNER_S));
        let algorithm = entry.issuer.public_key().algorithm();
        let (signer, key) = self.keys.generate(Purpose::Ocsp, algorithm, now, not_after)?;
        let order = Order {
            ca: Arc::clone(&entry),
            profile: Profile::OcspSigner,
            subject: Subject {
                organisation: organisation.to_string(),
                ..Subject::named(format!("{ca} OCSP"))
            },
            public_key: signer.public_key().clone(),
            not_after,
            alternative_names: Vec::new(),
            hardware_module: None,
            organisation: entry.organisation,
            device: None,
        };
        let id = entry.id;
        self.issue(
            caller,
            order,
            |_| Ok(()),
            move |tx, certificate, ()| {
                let key = store::insert_key(tx, &key)?;
                store::set_ocsp_signer(tx, id, key, certificate.der())?;
                tx.effect(Effect::Directory);
                Ok(())
            },
        )
        .await
        .map(|_| ())
    }

    /// Renews what the platform issues to itself, when two thirds of its life are over: OCSP
    /// signers, and the certificates of its signing keys.
    pub(crate) async fn renew_own_certificates(&self) -> Result<(), ServiceError> {
        let caller = Caller::Platform { task: "renewal" };
        let now = self.now();
        let due = |certificate: &Certificate| {
            let (from, to) = (certificate.not_before(), certificate.not_after());
            now > from.plus(to.since(from) / 3 * 2)
        };
        let index = self.ca_index()?;
        for ca in index.all() {
            if ca.ocsp.as_ref().is_none_or(|(_, certificate)| due(certificate)) {
                self.renew_ocsp_signer(&caller, &ca.slug).await?;
            }
        }
        let der = self.read(|connection| meta::value(connection, PASSPORT_CERTIFICATE))?;
        let passport = der.and_then(|der| Certificate::from_der(&der).ok());
        if passport.is_some_and(|certificate| due(&certificate)) {
            self.certify_platform_keys(&caller).await?;
        }
        Ok(())
    }

    /// Certifies the platform's own signing keys: what it says can then be verified by anybody who
    /// trusts the root.
    pub(crate) async fn certify_platform_keys(&self, caller: &Caller) -> Result<(), ServiceError> {
        let platform = Arc::clone(&self.platform);
        let order = |name: &str, signer: &Arc<dyn Signer>, ca: Arc<CaEntry>| Order {
            not_after: self.now().plus(PLATFORM_SIGNER_S),
            ca,
            profile: Profile::OrganisationSigner,
            subject: Subject { organisation: platform.id.to_string(), ..Subject::named(name) },
            public_key: signer.public_key().clone(),
            alternative_names: Vec::new(),
            hardware_module: None,
            organisation: platform.organisation.id,
            device: None,
        };
        let events = order("event signer", &platform.events, self.platform_ca()?);
        let (organisation, spki) =
            (platform.organisation.id, platform.events.public_key().spki().to_vec());
        let fingerprint = platform.events.public_key().fingerprint();
        self.issue(
            caller,
            events,
            |_| Ok(()),
            move |tx, certificate, ()| {
                let row = SignerRow {
                    id: 0,
                    organisation,
                    fingerprint,
                    spki,
                    certificate: certificate.der().to_vec(),
                    not_before: certificate.not_before(),
                    not_after: certificate.not_after(),
                    retired_at: None,
                };
                organisations::insert_signer(tx, &row)?;
                tx.effect(Effect::Directory);
                Ok(())
            },
        )
        .await?;
        let passports = order(
            device::file::PASSPORT_SIGNER_COMMON_NAME,
            &platform.passports,
            self.platform_ca()?,
        );
        self.issue(
            caller,
            passports,
            |_| Ok(()),
            |tx, certificate, ()| meta::set(tx, PASSPORT_CERTIFICATE, certificate.der()),
        )
        .await?;
        Ok(())
    }
}
