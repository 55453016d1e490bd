//! Key ceremonies: the root key, which stays offline, and the CAs that it signs (TR-2, KM-2).
//!
//! No server takes part. A CA's own key is made and sealed where it works; only a request and a
//! certificate travel:
//!
//! 1. [`Root::create`] and [`Root::save`], on the offline machine.
//! 2. [`Service::request_ca`] on the platform gives a [`CaRequest`].
//! 3. [`Root::sign_ca`], offline, in front of witnesses who compare [`CaRequest::summary`].
//! 4. [`Service::import_root`] once, then [`Service::install_ca`].

use crate::{
    CaKind, Service, ServiceError,
    ca::CaEntry,
    issue::{Order, refused},
    keys::{Purpose, Use, seal},
    live::found,
    store::{
        Effect,
        key::{self as store, CaRow},
        meta,
        organisation::{self as organisations, SignerRow},
    },
};
use crypto::{
    KeyAlgorithm, Secret, Signer, SoftwareKey, UnixTime, random,
    sealed::{Cost, SealingKey, Unlock},
};
use device::{OrganisationId, ProductId};
use pki::{
    Certificate, Crl, Csr, CsrBuilder, IssuerInfo, Locations, Profile, Request, Serial, Subject,
    crl::{CrlRequest, RevokedEntry},
    validate::{Options, validate},
};
use policy::{Action, Caller, Resource};
use std::{io::Write as _, path::Path, sync::Arc};

/// File of the root certificate.
pub const ROOT_CERTIFICATE: &str = "root.pem";
/// File of the sealed root key.
pub const ROOT_KEY: &str = "root.sealed";
/// File that accounts for every use of the root key.
pub const ROOT_USES: &str = "root.uses";
const ROOT_LABEL: &str = "tegata/root";
const REQUEST_MAGIC: &str = "tegata CA request v1";
/// Longest CA request read, in bytes.
const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// Key in `meta`: certificate of the passport signer.
pub(crate) const PASSPORT_CERTIFICATE: &str = "passport-certificate";
const YEAR_S: i64 = 31_556_952;
/// Validity of an OCSP signer, in seconds: what the key policy allows.
const OCSP_SIGNER_S: i64 = 89 * 86_400;
/// Validity of the platform's own signers, in seconds: what the key policy allows.
const PLATFORM_SIGNER_S: i64 = 3 * 365 * 86_400;

/// What the root is called.
#[derive(Clone, Debug)]
pub struct RootSpec {
    /// commonName
    pub common_name: String,
    /// organizationName
    pub organisation: String,
    /// kind of key
    pub algorithm: KeyAlgorithm,
    /// years of validity; 0: no well-defined end, as IDevIDs need it
    pub years: u16,
}

/// A root with its key unlocked.
pub struct Root {
    certificate: Certificate,
    key: SoftwareKey,
    uses: Option<std::path::PathBuf>,
}

impl Root {
    /// Makes a root.
    ///
    /// # Errors
    /// `certificate-refused` where names or times break a rule.
    pub fn create(spec: &RootSpec, now: UnixTime) -> Result<Self, ServiceError> {
        let key = SoftwareKey::generate(spec.algorithm)
            .map_err(|error| ServiceError::refused("key-generation", error.to_string()))?;
        let subject = Subject {
            organisation: spec.organisation.clone(),
            ..Subject::named(spec.common_name.clone())
        };
        let not_after = end(now, spec.years);
        let issuer = IssuerInfo::self_signed(&subject, key.public_key(), now, not_after)
            .map_err(|error| refused(&error))?;
        let serial = Serial::from_random(random::bytes());
        let request = Request::new(serial, subject, key.public_key().clone(), (now, not_after));
        let certificate = pki::prepare(Profile::Root, &issuer, &request)
            .and_then(|prepared| prepared.sign(&key))
            .map_err(|error| refused(&error))?;
        Ok(Self { certificate, key, uses: None })
    }

    /// Writes `root.pem` and `root.sealed` into `dir`, which must not hold a root yet.
    ///
    /// # Errors
    /// `root-exists`, `data-directory`, `locked`.
    pub fn save(&mut self, dir: &Path, unlock: &Unlock<'_>) -> Result<(), ServiceError> {
        let sealing = SealingKey::new(unlock, Cost::default()).map_err(|error| seal(&error))?;
        let backend = |_| ServiceError::fatal("key-generation", "the root key cannot be written");
        let sealed = sealing
            .seal(ROOT_LABEL, &self.key.to_pkcs8().map_err(backend)?)
            .map_err(|error| seal(&error))?;
        std::fs::create_dir_all(dir).map_err(|error| io(dir, &error))?;
        write_new(&dir.join(ROOT_KEY), &sealed)?;
        write_new(&dir.join(ROOT_CERTIFICATE), self.certificate.to_pem().as_bytes())?;
        self.uses = Some(dir.join(ROOT_USES));
        self.account(self.certificate.not_before(), "root", self.certificate.serial())
    }

    /// Reads what [`Self::save`] wrote.
    ///
    /// # Errors
    /// `data-directory`, `locked`, `key-damaged`.
    pub fn load(dir: &Path, unlock: &Unlock<'_>) -> Result<Self, ServiceError> {
        let read = |name: &str| {
            let path = dir.join(name);
            std::fs::read(&path).map_err(|error| io(&path, &error))
        };
        let damaged = || ServiceError::fatal("key-damaged", "the root's files are damaged");
        let sealed = read(ROOT_KEY)?;
        let pem = String::from_utf8(read(ROOT_CERTIFICATE)?).map_err(|_| damaged())?;
        let certificate = Certificate::from_pem(&pem).map_err(|_| damaged())?;
        let secret: Secret = SealingKey::of(&sealed, unlock)
            .and_then(|sealing| sealing.open(ROOT_LABEL, &sealed))
            .map_err(|error| seal(&error))?;
        let key = SoftwareKey::from_pkcs8(&secret).map_err(|_| damaged())?;
        if certificate.public_key().ok() != Some(key.public_key()) {
            return Err(damaged());
        }
        Ok(Self { certificate, key, uses: Some(dir.join(ROOT_USES)) })
    }

    /// The root certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Certifies the CA of a request. `locations` say where the root's own CRL is found.
    ///
    /// # Errors
    /// `certificate-refused`.
    pub fn sign_ca(
        &self,
        request: &CaRequest,
        locations: Locations,
        now: UnixTime,
    ) -> Result<Certificate, ServiceError> {
        let issuer = IssuerInfo::from_certificate(&self.certificate, locations)
            .map_err(|error| refused(&error))?;
        let serial = Serial::from_random(random::bytes());
        let not_before = now.max(issuer.not_before());
        let not_after = end(now, request.years).min(issuer.not_after());
        let subject = Subject::from_name(&request.csr.subject());
        let mut certificate = Request::new(
            serial,
            subject,
            request.csr.public_key().clone(),
            (not_before, not_after),
        );
        certificate.path_length = Some(0);
        let prepared = pki::prepare(Profile::IssuingCa, &issuer, &certificate)
            .map_err(|error| refused(&error))?;
        // Accounted for before it happens, like every use of a CA's key (KM-1).
        self.account(now, &request.slug, &serial)?;
        prepared.sign(&self.key).map_err(|error| refused(&error))
    }

    /// The root's CRL: which issuing CAs are revoked.
    ///
    /// # Errors
    /// `crl-refused`.
    pub fn crl(
        &self,
        number: u64,
        revoked: Vec<RevokedEntry>,
        now: UnixTime,
        validity_s: i64,
    ) -> Result<Crl, ServiceError> {
        let issuer = IssuerInfo::from_certificate(&self.certificate, Locations::default())
            .map_err(|error| refused(&error))?;
        let request = CrlRequest {
            number,
            this_update: now,
            next_update: now.plus(validity_s),
            entries: revoked,
            shard: None,
            only_user_certificates: false,
            base_number: None,
        };
        self.account(now, "crl", self.certificate.serial())?;
        Crl::prepare(&issuer, &request)
            .and_then(|prepared| prepared.sign(&self.key))
            .map_err(|error| ServiceError::refused("crl-refused", error.to_string()))
    }

    fn account(&self, now: UnixTime, what: &str, serial: &Serial) -> Result<(), ServiceError> {
        let Some(path) = &self.uses else { return Ok(()) };
        let write = || {
            let mut file = std::fs::File::options().create(true).append(true).open(path)?;
            writeln!(file, "{now} {what} {serial}")?;
            file.sync_all()
        };
        write().map_err(|error| io(path, &error))
    }
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Root({})", self.certificate.subject())
    }
}

/// Which CA is wanted.
#[derive(Clone, Debug)]
pub struct CaSpec {
    /// whose
    pub organisation: OrganisationId,
    /// product line, for [`CaKind::Device`]
    pub product: Option<ProductId>,
    /// what it issues
    pub kind: CaKind,
    /// commonName
    pub name: String,
    /// kind of key
    pub algorithm: KeyAlgorithm,
    /// years of validity; 0: as long as the root
    pub years: u16,
}

/// What a ceremony signs: who asks, for what, and the proof that the key is there.
#[derive(Clone, Debug)]
pub struct CaRequest {
    /// name of the CA on the platform
    pub slug: String,
    /// years of validity; 0: as long as the root
    pub years: u16,
    csr: Csr,
}

impl CaRequest {
    /// For people to compare on both sides.
    pub fn summary(&self) -> String {
        let key = self.csr.public_key();
        format!(
            "CA {}\nsubject {}\nkey {} {}\nyears {}",
            self.slug,
            self.csr.subject(),
            key.algorithm(),
            key.fingerprint(),
            self.years
        )
    }

    /// The request as a text file.
    pub fn to_text(&self) -> String {
        let body = hex::encode(self.csr.der());
        format!("{REQUEST_MAGIC}\n{}\n{}\n{body}\n", self.slug, self.years)
    }

    /// Reads a request and checks the proof of possession of its key.
    ///
    /// # Errors
    /// `ca-request`.
    pub fn from_text(text: &str) -> Result<Self, ServiceError> {
        let bad = |why: String| ServiceError::malformed("ca-request", why);
        let shape = || bad("not a CA request of this program; write it again".into());
        if text.len() > REQUEST_BYTES_MAX {
            return Err(shape());
        }
        let mut lines = text.lines();
        let (Some(REQUEST_MAGIC), Some(slug), Some(years), Some(body), None) =
            (lines.next(), lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(shape());
        };
        let years = years.parse().map_err(|_| shape())?;
        let der = hex::decode(body).map_err(|_| shape())?;
        let csr = Csr::parse(&der)
            .and_then(Csr::verify)
            .map_err(|error| bad(error.to_string()))?
            .into_inner();
        Ok(Self { slug: slug.to_owned(), years, csr })
    }
}

/// A CA as callers see it.
#[derive(Clone, Debug)]
pub struct CaView {
    /// its name: in URLs, and where it is a product line's or an owner's, its EST label
    pub slug: String,
    /// whose
    pub organisation: OrganisationId,
    /// what it issues
    pub kind: CaKind,
    /// commonName
    pub name: String,
    /// its certificate; `None` until the ceremony has answered
    pub certificate: Option<Certificate>,
    /// certificate of its OCSP signer
    pub ocsp_certificate: Option<Certificate>,
    /// when its key was made
    pub created_at: UnixTime,
}

/// What outsiders need to verify offline.
#[derive(Clone, Debug)]
pub struct TrustStore {
    /// the platform
    pub platform: OrganisationId,
    /// root certificates
    pub roots: Vec<Certificate>,
    /// the log's verification key (signed-note)
    pub log_key: String,
    /// witnesses' verification keys
    pub witness_keys: Vec<String>,
    /// how many of them must have cosigned
    pub quorum: u32,
}

impl Service {
    /// Trusts a root certificate in this installation.
    ///
    /// # Errors
    /// `root-refused` where it is not a self-signed CA that is valid now.
    pub async fn import_root(
        &self,
        caller: &Caller,
        root: Certificate,
    ) -> Result<(), ServiceError> {
        let _permit = self.authorize(caller, Action::ConfigurePlatform, &Resource::platform())?;
        let now = self.now();
        let bad = |why: String| ServiceError::refused("root-refused", why);
        if !root.is_ca() || !root.is_self_issued() || !root.is_valid_at(now) {
            return Err(
                bad("a root must be a self-signed CA certificate that is valid now".into()),
            );
        }
        let (key, scheme) =
            root.public_key().map_err(|error| bad(error.to_string())).and_then(|key| {
                let scheme = root.signature_scheme().map_err(|error| bad(error.to_string()))?;
                Ok((key, scheme))
            })?;
        key.verify(scheme, root.tbs_der(), root.signature())
            .map_err(|_| bad("the root's own signature is wrong".into()))?;
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .subject(&root.fingerprint().to_string())
            .detail("what", "root-trusted");
        self.commit(move |tx| {
            store::insert_root(tx, &root.fingerprint(), root.der(), now)?;
            tx.effect(Effect::Directory);
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// Makes a CA's key, sealed here, and the request that a ceremony signs.
    ///
    /// # Errors
    /// `ca-exists`, `ca-kind` where organisation, product and kind do not fit.
    pub async fn request_ca(
        &self,
        caller: &Caller,
        spec: CaSpec,
    ) -> Result<CaRequest, ServiceError> {
        let resource = Resource::organisation(&spec.organisation);
        let _permit = self.authorize(caller, Action::CreateIssuingCa, &resource)?;
        let organisation = self.organisation_row(spec.organisation.as_str())?;
        let product = match (spec.kind, &spec.product) {
            (CaKind::Device, Some(product)) => {
                let row = self.read(|connection| {
                    organisations::product(connection, organisation.id, product.as_str())
                })?;
                Some(found(row, "product line")?)
            }
            (CaKind::Owner, None) => None,
            (CaKind::Platform, None) if organisation.id == self.platform.organisation.id => None,
            _ => {
                return Err(ServiceError::refused(
                    "ca-kind",
                    "a device CA is of a product line, an owner CA of an organisation, the \
                     platform CA of the platform",
                ));
            }
        };
        let slug = match (&product, spec.kind) {
            (Some(product), _) => format!("{}.{}", organisation.slug, product.slug),
            (None, CaKind::Platform) => self.platform_ca_slug(),
            (None, _) => organisation.slug.clone(),
        };
        let now = self.now();
        let (signer, mut key) =
            self.keys.generate(Purpose::Ca, spec.algorithm, now, end(now, spec.years))?;
        let subject = Subject {
            organisation: organisation.slug.clone(),
            organisational_unit: product.as_ref().map(|p| p.slug.clone()).unwrap_or_default(),
            ..Subject::named(spec.name.clone())
        };
        let der = CsrBuilder { subject, ..CsrBuilder::default() }
            .build(signer.as_ref())
            .map_err(|error| ServiceError::refused("certificate-refused", error.to_string()))?;
        let csr = Csr::parse(&der)
            .map_err(|error| ServiceError::refused("certificate-refused", error.to_string()))?;
        let request = CaRequest { slug: slug.clone(), years: spec.years, csr };
        let fingerprint = key.fingerprint;
        let event = self
            .event(caller, audit::Kind::KeyLifecycle, audit::Outcome::Success)
            .subject(&fingerprint.to_string())
            .detail("purpose", "ca")
            .detail("ca", &slug)
            .detail("what", "generated");
        let by = caller.to_string();
        self.commit(move |tx| {
            if store::ca(tx, &slug)?.is_some() {
                return Err(ServiceError::conflict(
                    "ca-exists",
                    format!("the CA {slug} exists already; install its certificate, or retire it"),
                ));
            }
            key.id = store::insert_key(tx, &key)?;
            store::insert_ca(
                tx,
                &CaRow {
                    id: 0,
                    slug,
                    organisation: organisation.id,
                    product: product.map(|product| product.id),
                    kind: spec.kind as u8,
                    name: spec.name,
                    key: key.id,
                    years: spec.years,
                    certificate: None,
                    ocsp_key: None,
                    ocsp_certificate: None,
                    created_at: now,
                },
            )?;
            store::insert_key_use(
                tx,
                key.id,
                now,
                Use::CaRequest as u8,
                fingerprint.as_bytes(),
                &by,
            )?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        Ok(request)
    }

    /// Takes a CA's certificate back from the ceremony; the CA issues from then on. Its OCSP
    /// signer, and for the platform's CA the certificates of the platform's own keys, are made at
    /// once.
    ///
    /// # Errors
    /// `not-found` where no request has this key, `ca-untrusted` where no imported root leads to
    /// it.
    pub async fn install_ca(
        &self,
        caller: &Caller,
        certificate: Certificate,
    ) -> Result<CaView, ServiceError> {
        let now = self.now();
        let bad = |why: String| ServiceError::refused("ca-untrusted", why);
        let key = certificate.public_key().map_err(|error| bad(error.to_string()))?.fingerprint();
        let row = self.read(|connection| {
            for ca in store::cas(connection)? {
                if store::key(connection, ca.key)?.is_some_and(|row| row.fingerprint == key) {
                    return Ok(Some(ca));
                }
            }
            Ok(None)
        })?;
        let row = found(row, "CA request")?;
        let organisation = self.organisation_id(row.organisation)?;
        let resource = Resource::organisation(&organisation);
        let _permit = self.authorize(caller, Action::CreateIssuingCa, &resource)?;
        let mut options = Options::any(now);
        options.allow_ca_leaf = true;
        validate(&certificate, &[], self.anchors()?.as_ref(), &options)
            .map_err(|error| bad(error.to_string()))?;
        if !certificate.is_ca() {
            return Err(bad("the certificate is not a CA's".into()));
        }
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .subject(&row.slug)
            .detail("what", "ca-installed");
        let (id, der) = (row.id, certificate.der().to_vec());
        self.commit(move |tx| {
            store::install_ca(tx, id, &der)?;
            tx.effect(Effect::Directory);
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.renew_ocsp_signer(caller, &row.slug).await?;
        if row.kind == CaKind::Platform as u8 {
            self.certify_platform_keys(caller).await?;
        }
        self.ca_view(&row.slug)
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
    async fn certify_platform_keys(&self, caller: &Caller) -> Result<(), ServiceError> {
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

    /// CAs of an organisation, or all.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub async fn cas(
        &self,
        caller: &Caller,
        organisation: Option<&OrganisationId>,
    ) -> Result<Vec<CaView>, ServiceError> {
        let wanted = match organisation {
            Some(organisation) => {
                let resource = Resource::organisation(organisation);
                let _permit = self.authorize(caller, Action::ReadOrganisation, &resource)?;
                Some(self.organisation_row(organisation.as_str())?.id)
            }
            None => {
                let _permit =
                    self.authorize(caller, Action::ListOrganisations, &Resource::platform())?;
                None
            }
        };
        let rows = self.read(store::cas)?;
        rows.into_iter()
            .filter(|row| wanted.is_none_or(|wanted| wanted == row.organisation))
            .map(|row| self.view_of_ca(row))
            .collect()
    }

    /// A CA's certificate, as AIA points to it. Public.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn ca_certificate(&self, ca: &str) -> Result<Certificate, ServiceError> {
        if ca == crate::crl::ROOT {
            return found(self.anchors()?.iter().next().cloned(), "root");
        }
        Ok(self.ca_by_slug(ca)?.certificate.clone())
    }

    /// What outsiders need to verify offline. Public.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn trust_store(&self) -> Result<TrustStore, ServiceError> {
        let (witnesses, quorum) = self.read(|connection| {
            let text = |key| meta::text(connection, key).map(Option::unwrap_or_default);
            Ok((text(meta::WITNESSES)?, text(meta::QUORUM)?))
        })?;
        Ok(TrustStore {
            platform: self.platform.id.clone(),
            roots: self.anchors()?.iter().cloned().collect(),
            log_key: self.log.key().to_string(),
            witness_keys: witnesses.lines().map(str::to_owned).collect(),
            quorum: quorum.parse().unwrap_or_default(),
        })
    }

    fn ca_view(&self, slug: &str) -> Result<CaView, ServiceError> {
        let row = self.read(|connection| store::ca(connection, slug))?;
        self.view_of_ca(found(row, "CA")?)
    }

    fn view_of_ca(&self, row: CaRow) -> Result<CaView, ServiceError> {
        let read = |der: Option<Vec<u8>>| {
            der.map(|der| Certificate::from_der(&der))
                .transpose()
                .map_err(|_| ServiceError::fatal("ca-damaged", "a CA in the store is damaged"))
        };
        Ok(CaView {
            organisation: self.organisation_id(row.organisation)?,
            kind: CaKind::from_number(row.kind)
                .ok_or_else(|| ServiceError::fatal("ca-damaged", "a CA in the store is damaged"))?,
            slug: row.slug,
            name: row.name,
            certificate: read(row.certificate)?,
            ocsp_certificate: read(row.ocsp_certificate)?,
            created_at: row.created_at,
        })
    }
}

/// End of a validity of so many years; 0 means none.
fn end(now: UnixTime, years: u16) -> UnixTime {
    if years == 0 { UnixTime::NEVER } else { now.plus(i64::from(years).saturating_mul(YEAR_S)) }
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), ServiceError> {
    let write = || {
        use std::os::unix::fs::OpenOptionsExt as _;
        let mut file =
            std::fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => ServiceError::conflict(
            "root-exists",
            format!("{} exists already; choose another directory", path.display()),
        ),
        _ => io(path, &error),
    })
}

fn io(path: &Path, error: &std::io::Error) -> ServiceError {
    ServiceError::refused("data-directory", format!("{} cannot be used: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_an_error_and_not_a_panic(text in "\\PC{0,200}(\n\\PC{0,80}){0,5}") {
            prop_assert!(CaRequest::from_text(&text).is_err());
            let framed = format!("{REQUEST_MAGIC}\nmaker.gate\n10\n{text}\n");
            prop_assert!(CaRequest::from_text(&framed).is_err());
        }
    }
}
