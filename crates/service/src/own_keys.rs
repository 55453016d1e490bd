//! What the platform issues to itself: OCSP signers, and the certificates of the keys that sign its
//! events and passports.

use crate::{
    Service, ServiceError,
    issue::Order,
    keys::Purpose,
    live::found,
    store::{
        Effect, Tx, key as store, meta,
        organisation::{self as organisations, SignerRow},
    },
};
use crypto::{KeyAlgorithm, Sha256, Signer, UnixTime};
use device::state::CLOCK_TOLERANCE_SECONDS;
use pki::{Certificate, Profile, Subject};
use policy::{Action, Caller, Resource};
use std::sync::{Arc, PoisonError, RwLock};

/// Key in `meta`: certificate of the passport signer.
pub(crate) const PASSPORT_CERTIFICATE: &str = "passport-certificate";

/// Validity of an OCSP signer, in seconds: what the key policy allows.
const OCSP_SIGNER_S: i64 = 89 * 86_400;

/// Validity of the platform's own signers, in seconds: what the key policy allows.
const PLATFORM_SIGNER_S: i64 = 3 * 365 * 86_400;

/// A key with which the platform speaks for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnKeyKind {
    /// signs life events that the platform reports
    Events,
    /// signs the statements in passport files
    Passports,
}

impl OwnKeyKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Events, Self::Passports];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Passports => "passports",
        }
    }

    fn purpose(self) -> Purpose {
        match self {
            Self::Events => Purpose::Events,
            Self::Passports => Purpose::Passports,
        }
    }

    /// commonName of its certificate.
    fn common_name(self) -> &'static str {
        match self {
            Self::Events => "event signer",
            Self::Passports => device::file::PASSPORT_SIGNER_COMMON_NAME,
        }
    }
}

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotatedKey {
    /// which key
    pub kind: OwnKeyKind,
    /// the key that signs from now on
    pub key: Sha256,
    /// its certificate
    pub certificate: Certificate,
    /// the key that signed until now; its private half is destroyed
    pub retired: Sha256,
}

/// A key that is open, and its row.
#[derive(Clone)]
pub(crate) struct OwnKey {
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) row: i64,
}

impl std::fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OwnKey({})", self.row)
    }
}

impl PartialEq for OwnKey {
    fn eq(&self, other: &Self) -> bool {
        self.row == other.row
    }
}

impl Eq for OwnKey {}

/// The keys that sign in the platform's name at present.
#[derive(Debug)]
pub(crate) struct OwnKeys {
    events: RwLock<OwnKey>,
    passports: RwLock<OwnKey>,
}

impl OwnKeys {
    pub(crate) fn new(events: (Arc<dyn Signer>, i64), passports: (Arc<dyn Signer>, i64)) -> Self {
        let own = |(signer, row)| RwLock::new(OwnKey { signer, row });
        Self { events: own(events), passports: own(passports) }
    }

    pub(crate) fn events(&self) -> OwnKey {
        self.of(OwnKeyKind::Events)
    }

    pub(crate) fn passports(&self) -> OwnKey {
        self.of(OwnKeyKind::Passports)
    }

    fn of(&self, kind: OwnKeyKind) -> OwnKey {
        self.slot(kind).read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a key in the place of the one before.
    pub(crate) fn replace(&self, kind: OwnKeyKind, key: OwnKey) {
        *self.slot(kind).write().unwrap_or_else(PoisonError::into_inner) = key;
    }

    fn slot(&self, kind: OwnKeyKind) -> &RwLock<OwnKey> {
        match kind {
            OwnKeyKind::Events => &self.events,
            OwnKeyKind::Passports => &self.passports,
        }
    }
}

impl Service {
    /// Replaces a key of the platform's own by a new one and destroys it. What it signed stays
    /// valid, since its certificate leads to the root; from now on nobody can sign with it.
    ///
    /// # Errors
    /// `role`, `no-platform-ca`; as issuance.
    pub async fn rotate_own_key(
        &self,
        caller: &Caller,
        kind: OwnKeyKind,
    ) -> Result<RotatedKey, ServiceError> {
        let _permit = self.authorize(caller, Action::ConfigurePlatform, &Resource::platform())?;
        let now = self.now();
        let algorithm = KeyAlgorithm::Ed25519;
        let (signer, new) = self.keys.generate(kind.purpose(), algorithm, now, UnixTime::NEVER)?;
        let event = self
            .event(caller, audit::Kind::KeyLifecycle, audit::Outcome::Success)
            .subject(&new.fingerprint.to_string())
            .detail("purpose", kind.name())
            .detail("what", "rotated");
        let (service, opened) = (self.clone(), Arc::clone(&signer));
        let (certificate, retired) = self
            .issue(
                caller,
                self.own_order(kind, &signer)?,
                |_| Ok(()),
                move |tx, certificate, ()| {
                    let old = found(store::key_for(tx, kind.purpose() as u8)?, "key")?;
                    let row = store::insert_key(tx, &new)?;
                    service.keep_own_certificate(tx, kind, certificate)?;
                    let retired = old.fingerprint;
                    if let (OwnKeyKind::Events, Some(signer)) =
                        (kind, organisations::signer(tx, &retired)?)
                    {
                        // What it signed a moment ago may wait to be recorded.
                        let end = now.plus(CLOCK_TOLERANCE_SECONDS);
                        organisations::retire_signer(tx, signer.id, end)?;
                    }
                    store::destroy_key(tx, old.id, now)?;
                    tx.effect(Effect::Directory);
                    tx.effect(Effect::OwnKey(kind, OwnKey { signer: opened, row }));
                    tx.audit(&event.detail("retired", &retired.to_string()))?;
                    Ok(retired)
                },
            )
            .await?;
        Ok(RotatedKey { kind, key: signer.public_key().fingerprint(), certificate, retired })
    }

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
            mud: None,
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
    /// signers, and the certificates of its signing keys. What fails does not hold up the rest.
    pub(crate) async fn renew_own_certificates(&self) -> Result<(), ServiceError> {
        let caller = Caller::Platform { task: "renewal" };
        let now = self.now();
        let due = |certificate: &Certificate| {
            let (from, to) = (certificate.not_before(), certificate.not_after());
            now > from.plus(to.since(from) / 3 * 2)
        };
        let index = self.ca_index()?;
        let mut outcome = Ok(());
        for ca in index.all() {
            if ca.ocsp.as_ref().is_none_or(|(_, certificate)| due(certificate)) {
                outcome = outcome.and(self.renew_ocsp_signer(&caller, &ca.slug).await);
            }
        }
        // Without a CA of its own the platform has nothing to renew yet.
        if self.platform_ca().is_err() {
            return outcome;
        }
        for kind in OwnKeyKind::ALL {
            if self.own_certificate(kind)?.is_none_or(|certificate| due(&certificate)) {
                outcome = outcome.and(self.certify_own_key(&caller, kind).await);
            }
        }
        outcome
    }

    /// Certifies the platform's own signing keys: what it says can then be verified by anybody who
    /// trusts the root.
    pub(crate) async fn certify_own_keys(&self, caller: &Caller) -> Result<(), ServiceError> {
        for kind in OwnKeyKind::ALL {
            self.certify_own_key(caller, kind).await?;
        }
        Ok(())
    }

    async fn certify_own_key(&self, caller: &Caller, kind: OwnKeyKind) -> Result<(), ServiceError> {
        let key = self.platform.keys.of(kind);
        let (service, row) = (self.clone(), key.row);
        self.issue(
            caller,
            self.own_order(kind, &key.signer)?,
            |_| Ok(()),
            move |tx, certificate, ()| {
                // A rotation came in between: its key has a certificate already.
                if store::key_for(tx, kind.purpose() as u8)?.is_none_or(|key| key.id != row) {
                    return Ok(());
                }
                service.keep_own_certificate(tx, kind, certificate)
            },
        )
        .await
        .map(|_| ())
    }

    fn own_order(&self, kind: OwnKeyKind, signer: &Arc<dyn Signer>) -> Result<Order, ServiceError> {
        Ok(Order {
            not_after: self.now().plus(PLATFORM_SIGNER_S),
            ca: self.platform_ca()?,
            profile: Profile::OrganisationSigner,
            subject: Subject {
                organisation: self.platform.id.to_string(),
                ..Subject::named(kind.common_name())
            },
            public_key: signer.public_key().clone(),
            alternative_names: Vec::new(),
            hardware_module: None,
            mud: None,
            organisation: self.platform.organisation.id,
            device: None,
        })
    }

    fn keep_own_certificate(
        &self,
        tx: &mut Tx<'_>,
        kind: OwnKeyKind,
        certificate: &Certificate,
    ) -> Result<(), ServiceError> {
        if kind == OwnKeyKind::Passports {
            return meta::set(tx, PASSPORT_CERTIFICATE, certificate.der());
        }
        let key = certificate
            .public_key()
            .map_err(|error| ServiceError::fatal("certificate-refused", error.to_string()))?;
        let row = SignerRow {
            id: 0,
            organisation: self.platform.organisation.id,
            fingerprint: key.fingerprint(),
            spki: key.spki().to_vec(),
            certificate: certificate.der().to_vec(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            retired_at: None,
        };
        organisations::insert_signer(tx, &row)?;
        tx.effect(Effect::Directory);
        Ok(())
    }

    /// The certificate of a key that signs at present.
    fn own_certificate(&self, kind: OwnKeyKind) -> Result<Option<Certificate>, ServiceError> {
        let der = match kind {
            OwnKeyKind::Passports => {
                self.read(|connection| meta::value(connection, PASSPORT_CERTIFICATE))?
            }
            OwnKeyKind::Events => {
                let key = self.platform.keys.events().signer.public_key().fingerprint();
                self.read(|connection| organisations::signer(connection, &key))?
                    .map(|row| row.certificate)
            }
        };
        Ok(der.and_then(|der| Certificate::from_der(&der).ok()))
    }
}
