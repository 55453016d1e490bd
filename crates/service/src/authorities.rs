//! Use cases about CAs and roots: request, install, list, and what outsiders trust.

use crate::{
    CaKind, Service, ServiceError,
    approvals::{Intent, Slip},
    ceremony::{CaRequest, CaSpec, end},
    keys::{Purpose, Use},
    live::found,
    organisations::check_name,
    store::{
        Effect,
        key::{self as store, CaRow},
        meta, organisation as organisations,
    },
};
use crypto::UnixTime;
use device::OrganisationId;
use pki::{
    Certificate, Csr, CsrBuilder, Subject,
    validate::{Options, validate},
};
use policy::{Act, Action, Caller, Resource};

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
    /// since when it issues nothing more
    pub retired_at: Option<UnixTime>,
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
        check_name(&spec.name)?;
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
        let request = CaRequest::new(slug.clone(), spec.years, csr);
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
            let id = store::insert_ca(
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
            store::insert_ca_csr(tx, id, &der)?;
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
    /// it; `needs-second-person` where a product line's CA begins to issue.
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
        // From here on a product line can make devices: production is approved.
        let slip = if row.kind == CaKind::Device as u8 {
            let intent = Intent::InstallCa {
                ca: row.slug.clone(),
                certificate: certificate.fingerprint().to_string(),
            };
            self.second_person(caller, &organisation, Act::ApproveProduction, &intent).await?
        } else {
            Slip::NotNeeded
        };
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .subject(&row.slug)
            .detail("what", "ca-installed");
        let (id, der) = (row.id, certificate.der().to_vec());
        self.commit(move |tx| {
            slip.consume(tx, now)?;
            store::install_ca(tx, id, &der)?;
            tx.effect(Effect::Directory);
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.renew_ocsp_signer(caller, &row.slug).await?;
        if row.kind == CaKind::Platform as u8 {
            self.certify_own_keys(caller).await?;
        }
        self.ca_view(&row.slug)
    }

    /// Retires an issuing CA for good: it certifies nothing more. What it issued goes on working, and
    /// its revocation status goes on being answered.
    ///
    /// # Errors
    /// `not-found`, `role`, `ca-retired`, `needs-second-person`, `reauthenticate`.
    pub async fn retire_ca(&self, caller: &Caller, ca: &str) -> Result<CaView, ServiceError> {
        let organisation = self.ca_to_retire(caller, ca)?;
        let intent = Intent::RetireCa { ca: ca.to_owned() };
        let slip = self.second_person(caller, &organisation, Act::RetireCa, &intent).await?;
        self.perform_retire_ca(caller, ca, slip).await
    }

    pub(crate) async fn perform_retire_ca(
        &self,
        caller: &Caller,
        ca: &str,
        slip: Slip,
    ) -> Result<CaView, ServiceError> {
        let organisation = self.ca_to_retire(caller, ca)?;
        let event = self
            .event(caller, audit::Kind::KeyLifecycle, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(ca)
            .detail("purpose", "ca")
            .detail("what", "retired");
        let (now, slug) = (self.now(), ca.to_owned());
        self.commit(move |tx| {
            let row = found(store::ca(tx, &slug)?, "CA")?;
            slip.consume(tx, now)?;
            if !store::retire_ca(tx, row.id, now)? {
                return Err(ServiceError::conflict("ca-retired", "the CA is retired already"));
            }
            tx.effect(Effect::Directory);
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.ca_view(ca)
    }

    fn ca_to_retire(&self, caller: &Caller, ca: &str) -> Result<OrganisationId, ServiceError> {
        let row = self.ca_for(caller, Action::RetireIssuingCa, ca)?;
        self.organisation_id(row.organisation)
    }

    /// A CA that the caller may do something with.
    fn ca_for(&self, caller: &Caller, action: Action, ca: &str) -> Result<CaRow, ServiceError> {
        let Some(row) = self.read(|connection| store::ca(connection, ca))? else {
            let _permit = self.authorize(caller, action, &Resource::unknown())?;
            return Err(ServiceError::not_found("CA"));
        };
        let organisation = self.organisation_id(row.organisation)?;
        let _permit = self.authorize(caller, action, &Resource::organisation(&organisation))?;
        Ok(row)
    }

    /// One CA.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn ca(&self, caller: &Caller, ca: &str) -> Result<CaView, ServiceError> {
        self.view_of_ca(self.ca_for(caller, Action::ReadOrganisation, ca)?)
    }

    /// The request of a CA that still waits for the ceremony, as [`Self::request_ca`] gave it: for
    /// when the file was lost.
    ///
    /// # Errors
    /// `not-found`, `role`; `ca-certified` once the certificate is there.
    pub async fn ca_request(&self, caller: &Caller, ca: &str) -> Result<CaRequest, ServiceError> {
        let row = self.ca_for(caller, Action::CreateIssuingCa, ca)?;
        if row.certificate.is_some() {
            return Err(ServiceError::conflict(
                "ca-certified",
                "the CA has its certificate; its request is over",
            ));
        }
        let csr = found(self.read(|connection| store::ca_csr(connection, row.id))?, "CA request")?;
        let csr = Csr::parse(&csr)
            .map_err(|_| ServiceError::fatal("ca-damaged", "a CA in the store is damaged"))?;
        Ok(CaRequest::new(row.slug, row.years, csr))
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
            retired_at: self.read(|connection| store::ca_retired(connection, row.id))?,
        })
    }
}
