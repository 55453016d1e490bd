//! Use cases about organisations: themselves, their members, their signing keys, their products.

use crate::{
    Page, Paged, Service, ServiceError,
    issue::Order,
    live::found,
    store::{
        Effect, Tx, access,
        organisation::{
            self as store, MemberRow, NewMemberRow, OrganisationRow, ProductRow, SignerRow,
        },
    },
};
use crypto::{PublicKey, Sha256, Signer, UnixTime, Verified, cose::Sign1};
use device::{DeviceId, DeviceKind, OrganisationId, ProductId, RootOfTrust};
use pki::{AlternativeName, Certificate, Csr, Profile, Subject};
use policy::{Action, Caller, Resource, Role, Roles};

/// Content type of the proof that an organisation holds its signing key: a COSE_Sign1 by that key
/// whose payload is the organisation's id.
pub const SIGNER_PROOF_CONTENT_TYPE: &str = "application/vnd.tegata.signer-proof";
/// Longest name of an organisation, member or product, in characters.
const NAME_CHARS_MAX: usize = 64;

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganisationView {
    /// its id
    pub id: OrganisationId,
    /// its name
    pub name: String,
    /// what it is registered as
    pub roles: device::Roles,
    /// since when
    pub created_at: UnixTime,
}

/// An organisation to be created, with its first administrator.
#[derive(Debug, Clone)]
pub struct NewOrganisation {
    /// its id
    pub id: OrganisationId,
    /// its name
    pub name: String,
    /// what it is registered as: maker, recycler, authority
    pub roles: device::Roles,
}

/// A member.
#[derive(Debug, Clone)]
pub struct MemberView {
    /// its organisation
    pub organisation: OrganisationId,
    /// name within it
    pub name: String,
    /// what it may do
    pub roles: Roles,
    /// SHA-256 of its client certificate
    pub fingerprint: Sha256,
    /// its client certificate
    pub certificate: Certificate,
    /// certificates up to the root
    pub chain: Vec<Certificate>,
    /// since when
    pub added_at: UnixTime,
    /// until when it was a member
    pub removed_at: Option<UnixTime>,
}

/// A member to be added: the platform's CA certifies the key of its CSR.
#[derive(Debug, Clone)]
pub struct NewMember {
    /// its organisation
    pub organisation: OrganisationId,
    /// name within it
    pub name: String,
    /// what it may do
    pub roles: Roles,
    /// PKCS#10 in DER
    pub csr: Vec<u8>,
}

/// A key that signs life events.
#[derive(Debug, Clone)]
pub struct SignerView {
    /// whose
    pub organisation: OrganisationId,
    /// the key
    pub key: PublicKey,
    /// its certificate, which outsiders verify by
    pub certificate: Certificate,
    /// since when
    pub not_before: UnixTime,
    /// until when
    pub not_after: UnixTime,
    /// since when it is retired
    pub retired_at: Option<UnixTime>,
}

/// A signing key to be registered.
#[derive(Debug, Clone)]
pub struct NewSigner {
    /// whose
    pub organisation: OrganisationId,
    /// SubjectPublicKeyInfo in DER
    pub spki: Vec<u8>,
    /// COSE_Sign1 by that key over the organisation's id, [`SIGNER_PROOF_CONTENT_TYPE`]
    pub proof: Vec<u8>,
}

/// A product line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductView {
    /// its maker
    pub organisation: OrganisationId,
    /// its id
    pub id: ProductId,
    /// its name
    pub name: String,
    /// model designation
    pub model: String,
    /// chip, module, board or device
    pub kind: DeviceKind,
    /// what keeps the keys
    pub root_of_trust: RootOfTrust,
    /// end of support, where promised
    pub support_end: Option<UnixTime>,
    /// validity of its devices' LDevIDs in seconds, where it is not the installation's
    pub ldevid_validity_s: Option<u32>,
    /// since when
    pub created_at: UnixTime,
}

/// A product line to be created.
#[derive(Debug, Clone)]
pub struct NewProduct {
    /// its maker
    pub organisation: OrganisationId,
    /// its id
    pub id: ProductId,
    /// its name
    pub name: String,
    /// model designation
    pub model: String,
    /// chip, module, board or device
    pub kind: DeviceKind,
    /// what keeps the keys
    pub root_of_trust: RootOfTrust,
    /// end of support, where promised
    pub support_end: Option<UnixTime>,
    /// validity of its devices' LDevIDs in seconds, where it is not the installation's
    pub ldevid_validity_s: Option<u32>,
}

impl Service {
    /// Creates an organisation.
    ///
    /// # Errors
    /// `organisation-exists`, `name`, `role`.
    pub async fn create_organisation(
        &self,
        caller: &Caller,
        new: NewOrganisation,
    ) -> Result<OrganisationView, ServiceError> {
        let _permit = self.authorize(caller, Action::CreateOrganisation, &Resource::platform())?;
        check_name(&new.name)?;
        if new.roles.has(device::Roles::PLATFORM) {
            return Err(ServiceError::refused(
                "platform-role",
                "only the platform's own organisation has the role of platform",
            ));
        }
        let event = self
            .event(caller, audit::Kind::AccountChange, audit::Outcome::Success)
            .subject(new.id.as_str())
            .detail("what", "organisation-created")
            .detail("roles", &new.roles.bits().to_string());
        let now = self.now();
        let view = OrganisationView {
            id: new.id.clone(),
            name: new.name.clone(),
            roles: new.roles,
            created_at: now,
        };
        self.commit(move |tx| {
            if store::organisation(tx, new.id.as_str())?.is_some() {
                return Err(ServiceError::conflict(
                    "organisation-exists",
                    format!("an organisation is called {} already; choose another id", new.id),
                ));
            }
            store::insert_organisation(tx, new.id.as_str(), &new.name, new.roles.bits(), now)?;
            tx.effect(Effect::Directory);
            tx.audit(&event).map(|_| ())
        })
        .await?;
        Ok(view)
    }

    /// An organisation's record.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn organisation(
        &self,
        caller: &Caller,
        id: &OrganisationId,
    ) -> Result<OrganisationView, ServiceError> {
        let _permit =
            self.authorize(caller, Action::ReadOrganisation, &Resource::organisation(id))?;
        organisation_view(self.organisation_row(id.as_str())?)
    }

    /// All organisations.
    ///
    /// # Errors
    /// `role`.
    pub async fn organisations(
        &self,
        caller: &Caller,
        page: &Page,
    ) -> Result<Paged<OrganisationView>, ServiceError> {
        let _permit = self.authorize(caller, Action::ListOrganisations, &Resource::platform())?;
        let (after, limit) = page.rows(self.config.limits.page)?;
        let rows = self.read(|connection| store::organisations(connection, after, limit + 1))?;
        Paged::cut(rows, limit, |row| row.id.to_string()).try_map(organisation_view)
    }

    /// Adds a member and certifies its key.
    ///
    /// # Errors
    /// `csr`, `name`, `no-platform-ca`, `role`; `not-first-administrator` where a member of the
    /// platform adds more than that.
    pub async fn add_member(
        &self,
        caller: &Caller,
        new: NewMember,
    ) -> Result<MemberView, ServiceError> {
        let resource = Resource::organisation(&new.organisation);
        // The platform adds the first administrator of an organisation; who is one adds the rest.
        let first = caller.is_platform_member() && caller.organisation() != Some(&new.organisation);
        let action = if first { Action::CreateOrganisation } else { Action::ManageMembers };
        let _permit = self.authorize(caller, action, &resource)?;
        check_name(&new.name)?;
        // The name becomes the certificate's, and a device's certificate bears its id.
        if new.name.parse::<DeviceId>().is_ok() {
            return Err(ServiceError::refused(
                "name",
                "this is the form of a device's id; give the member another name",
            ));
        }
        if first && !new.roles.contains(Role::Administrator) {
            return Err(ServiceError::forbidden(
                "not-first-administrator",
                "the platform adds only the first administrator of an organisation",
            ));
        }
        if new.roles.is_empty() {
            return Err(ServiceError::refused("no-role", "name at least one role of the member"));
        }
        let csr = verified_csr(&new.csr)?;
        let organisation = self.organisation_row(new.organisation.as_str())?;
        let ca = self.platform_ca()?;
        let now = self.now();
        let order = Order {
            ca: ca.clone(),
            profile: Profile::Operator,
            subject: Subject {
                organisation: new.organisation.to_string(),
                ..Subject::named(new.name.clone())
            },
            public_key: csr.public_key().clone(),
            not_after: now.plus(self.config.member_validity_s),
            alternative_names: Vec::new(),
            hardware_module: None,
            organisation: organisation.id,
            device: None,
        };
        let event = self
            .event(caller, audit::Kind::AccountChange, audit::Outcome::Success)
            .organisation(new.organisation.as_str())
            .subject(&new.name)
            .detail("what", "member-added")
            .detail("roles", &new.roles.to_string());
        let key = csr.public_key().fingerprint();
        let (name, roles) = (new.name.clone(), new.roles);
        let (certificate, ()) = self
            .issue(
                caller,
                order,
                move |tx| {
                    if first {
                        without_members(tx, organisation.id)?;
                    }
                    unused_key(tx, &key)
                },
                move |tx, certificate, ()| {
                    if first {
                        without_members(tx, organisation.id)?;
                    }
                    store::insert_member(
                        tx,
                        &NewMemberRow {
                            organisation: organisation.id,
                            fingerprint: &certificate.fingerprint(),
                            name: &name,
                            roles: &roles.to_string(),
                            certificate: certificate.der(),
                            not_after: certificate.not_after(),
                            at: now,
                        },
                    )?;
                    tx.effect(Effect::Directory);
                    tx.audit(&event).map(|_| ())
                },
            )
            .await?;
        Ok(MemberView {
            organisation: new.organisation,
            name: new.name,
            roles: new.roles,
            fingerprint: certificate.fingerprint(),
            chain: ca.chain(),
            certificate,
            added_at: now,
            removed_at: None,
        })
    }

    /// Removes a member: its certificate is revoked and its tokens end in the same commit.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn remove_member(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        fingerprint: &Sha256,
    ) -> Result<(), ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageMembers, &resource)?;
        let row = self.organisation_row(organisation.as_str())?;
        let now = self.now();
        let issued = self.read(|connection| store::member(connection, fingerprint))?;
        let issued = found(issued.filter(|member| member.organisation == row.id), "member")?;
        let index = self.ca_index()?;
        let certificate = Certificate::from_der(&issued.certificate)
            .map_err(|_| ServiceError::fatal("store-damaged", "a member's row is damaged"))?;
        let ca = index.issuer_of(&certificate).map(|ca| ca.id);
        let event = self
            .event(caller, audit::Kind::AccountChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(&issued.name)
            .detail("what", "member-removed");
        let fingerprint = *fingerprint;
        self.commit(move |tx| {
            let member = found(store::member(tx, &fingerprint)?, "member")?;
            if member.removed_at.is_some() {
                return Err(ServiceError::conflict(
                    "member-removed",
                    "the member is removed already",
                ));
            }
            store::remove_member(tx, member.id, now)?;
            access::delete_tokens_of(tx, &fingerprint)?;
            if let Some(ca) = ca
                && let Some(row) =
                    crate::store::certificate::certificate(tx, ca, certificate.serial().as_bytes())?
            {
                use crate::store::certificate::{Status, revoke};
                revoke(tx, &row, Status::Revoked, 5, now)?;
            }
            tx.effect(Effect::Directory);
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// Members of an organisation.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn members(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        page: &Page,
    ) -> Result<Paged<MemberView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadMembers, &resource)?;
        let row = self.organisation_row(organisation.as_str())?;
        let (after, limit) = page.rows(self.config.limits.page)?;
        let rows = self.read(|connection| store::members(connection, row.id, after, limit + 1))?;
        Paged::cut(rows, limit, |row| row.id.to_string())
            .try_map(|row| self.member_view(organisation, row))
    }

    /// Registers a key with which the organisation signs life events, and certifies it.
    ///
    /// # Errors
    /// `signer-key`, `signer-proof`, `signer-exists`, `no-platform-ca`, `role`.
    pub async fn register_signer(
        &self,
        caller: &Caller,
        new: NewSigner,
    ) -> Result<SignerView, ServiceError> {
        let resource = Resource::organisation(&new.organisation);
        let _permit = self.authorize(caller, Action::RegisterSigner, &resource)?;
        // What the platform says it says by its own key, which nobody holds.
        if new.organisation == self.platform.id {
            return Err(ServiceError::forbidden(
                "platform-signer",
                "the platform signs events by itself; no other key speaks for it",
            ));
        }
        let key = PublicKey::from_spki(&new.spki)
            .map_err(|error| ServiceError::refused("signer-key", error.to_string()))?;
        let proof = Sign1::parse(&new.proof)
            .map_err(|error| ServiceError::malformed("signer-proof", error.to_string()))?;
        let proved = proof.content_type() == SIGNER_PROOF_CONTENT_TYPE
            && proof
                .verify(&key, b"")
                .is_ok_and(|payload| **payload == *new.organisation.as_str().as_bytes());
        if !proved {
            return Err(ServiceError::refused(
                "signer-proof",
                "the proof of possession is not a signature of the organisation's id by this key",
            ));
        }
        let organisation = self.organisation_row(new.organisation.as_str())?;
        let ca = self.platform_ca()?;
        let now = self.now();
        let order = Order {
            ca,
            profile: Profile::OrganisationSigner,
            subject: Subject {
                organisation: new.organisation.to_string(),
                ..Subject::named("event signer")
            },
            public_key: key.clone(),
            not_after: now.plus(self.config.member_validity_s),
            alternative_names: Vec::new(),
            hardware_module: None,
            organisation: organisation.id,
            device: None,
        };
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(new.organisation.as_str())
            .subject(&key.fingerprint().to_string())
            .detail("what", "signer-registered");
        let (fingerprint, spki) = (key.fingerprint(), new.spki);
        let (certificate, ()) = self
            .issue(
                caller,
                order,
                move |tx| {
                    match store::signer(tx, &fingerprint)? {
                        None => unused_key(tx, &fingerprint),
                        // Registering a key again renews its certificate.
                        Some(own)
                            if own.organisation == organisation.id && own.retired_at.is_none() =>
                        {
                            Ok(())
                        }
                        Some(_) => Err(ServiceError::conflict(
                            "signer-exists",
                            "this key is registered to another organisation or retired; make a \
                             new one",
                        )),
                    }
                },
                move |tx, certificate, ()| {
                    store::insert_signer(
                        tx,
                        &SignerRow {
                            id: 0,
                            organisation: organisation.id,
                            fingerprint,
                            spki,
                            certificate: certificate.der().to_vec(),
                            not_before: certificate.not_before(),
                            not_after: certificate.not_after(),
                            retired_at: None,
                        },
                    )?;
                    tx.effect(Effect::Directory);
                    tx.audit(&event).map(|_| ())
                },
            )
            .await?;
        Ok(SignerView {
            organisation: new.organisation,
            key,
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            certificate,
            retired_at: None,
        })
    }

    /// Retires a signing key: nothing that it signs is recorded from now on.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn retire_signer(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        key: &Sha256,
    ) -> Result<(), ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::RetireSigner, &resource)?;
        let row = self.organisation_row(organisation.as_str())?;
        let now = self.now();
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(&key.to_string())
            .detail("what", "signer-retired");
        let key = *key;
        self.commit(move |tx| {
            let signer = store::signer(tx, &key)?.filter(|signer| signer.organisation == row.id);
            store::retire_signer(tx, found(signer, "signer")?.id, now)?;
            tx.effect(Effect::Directory);
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// Signing keys of an organisation.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn signers(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<Vec<SignerView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadOrganisation, &resource)?;
        let row = self.organisation_row(organisation.as_str())?;
        let damaged = || ServiceError::fatal("store-damaged", "a signer's row is damaged");
        self.read(|connection| store::signers(connection, row.id))?
            .into_iter()
            .map(|row| {
                Ok(SignerView {
                    organisation: organisation.clone(),
                    key: PublicKey::from_spki(&row.spki).map_err(|_| damaged())?,
                    certificate: Certificate::from_der(&row.certificate).map_err(|_| damaged())?,
                    not_before: row.not_before,
                    not_after: row.not_after,
                    retired_at: row.retired_at,
                })
            })
            .collect()
    }

    /// Creates a product line.
    ///
    /// # Errors
    /// `not-a-maker`, `product-exists`, `name`, `role`.
    pub async fn create_product(
        &self,
        caller: &Caller,
        new: NewProduct,
    ) -> Result<ProductView, ServiceError> {
        let resource = Resource::organisation(&new.organisation);
        let _permit = self.authorize(caller, Action::CreateProduct, &resource)?;
        check_name(&new.name)?;
        check_name(&new.model)?;
        if new.ldevid_validity_s.is_some_and(|seconds| seconds < 2) {
            return Err(ServiceError::malformed(
                "ldevid-validity",
                "an LDevID must be valid for at least 2 seconds",
            ));
        }
        let organisation = self.organisation_row(new.organisation.as_str())?;
        let maker = device::Roles::from_bits(organisation.roles.into())
            .is_some_and(|roles| roles.has(device::Roles::MAKER));
        if !maker {
            return Err(ServiceError::refused(
                "not-a-maker",
                "only an organisation that is registered as a maker has product lines",
            ));
        }
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .subject(new.id.as_str())
            .detail("what", "product-created");
        let row = ProductRow {
            id: 0,
            organisation: organisation.id,
            slug: new.id.to_string(),
            name: new.name,
            model: new.model,
            kind: new.kind.code(),
            root_of_trust: new.root_of_trust.code(),
            support_end: new.support_end,
            ldevid_s: new.ldevid_validity_s,
            created_at: self.now(),
        };
        let view = product_view(new.organisation, row.clone())?;
        self.commit(move |tx| {
            if store::product(tx, row.organisation, &row.slug)?.is_some() {
                return Err(ServiceError::conflict(
                    "product-exists",
                    format!("a product line is called {} already; choose another id", row.slug),
                ));
            }
            store::insert_product(tx, &row)?;
            tx.effect(Effect::Directory);
            tx.audit(&event).map(|_| ())
        })
        .await?;
        Ok(view)
    }

    /// A product line.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn product(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
    ) -> Result<ProductView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadProduct, &resource)?;
        let row = self.product_row(organisation, product)?;
        product_view(organisation.clone(), row)
    }

    /// Product lines of an organisation.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn products(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        page: &Page,
    ) -> Result<Paged<ProductView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadProduct, &resource)?;
        let row = self.organisation_row(organisation.as_str())?;
        let (after, limit) = page.rows(self.config.limits.page)?;
        let rows = self.read(|connection| store::products(connection, row.id, after, limit + 1))?;
        Paged::cut(rows, limit, |row| row.id.to_string())
            .try_map(|row| product_view(organisation.clone(), row))
    }

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
            organisation: row.id,
            device: None,
        };
        let key = csr.public_key().fingerprint();
        let (certificate, ()) =
            self.issue(caller, order, move |tx| unused_key(tx, &key), |_, _, ()| Ok(())).await?;
        Ok(std::iter::once(certificate).chain(chain).collect())
    }

    pub(crate) fn product_row(
        &self,
        organisation: &OrganisationId,
        product: &ProductId,
    ) -> Result<ProductRow, ServiceError> {
        let row = self.organisation_row(organisation.as_str())?;
        let product =
            self.read(|connection| store::product(connection, row.id, product.as_str()))?;
        found(product, "product line")
    }

    fn member_view(
        &self,
        organisation: &OrganisationId,
        row: MemberRow,
    ) -> Result<MemberView, ServiceError> {
        let damaged = || ServiceError::fatal("store-damaged", "a member's row is damaged");
        Ok(MemberView {
            organisation: organisation.clone(),
            name: row.name,
            roles: row.roles.parse().map_err(|_| damaged())?,
            fingerprint: row.fingerprint,
            certificate: Certificate::from_der(&row.certificate).map_err(|_| damaged())?,
            chain: self.platform_ca()?.chain(),
            added_at: row.added_at,
            removed_at: row.removed_at,
        })
    }
}

/// The proof that [`Service::register_signer`] wants: the organisation's id, signed by the key that
/// is to be registered.
///
/// # Errors
/// `signing-failed`.
pub fn signer_proof(
    signer: &dyn Signer,
    organisation: &OrganisationId,
) -> Result<Vec<u8>, ServiceError> {
    Sign1::sign(signer, SIGNER_PROOF_CONTENT_TYPE, organisation.as_str().as_bytes(), b"")
        .map_err(|error| ServiceError::unavailable("signing-failed", error.to_string()))
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

/// Only where an organisation never had a member does somebody else add one: an organisation whose
/// members were all removed is no more the platform's than before.
fn without_members(tx: &Tx<'_>, organisation: i64) -> Result<(), ServiceError> {
    if store::has_members(tx, organisation)? {
        return Err(ServiceError::forbidden(
            "not-first-administrator",
            "the organisation has members; its own administrators add more",
        ));
    }
    Ok(())
}

/// A person's or service's key must not be anybody else's (invariant 10).
pub(crate) fn unused_key(tx: &Tx<'_>, key: &Sha256) -> Result<(), ServiceError> {
    use crate::store::certificate::{Status, holders_of_key};
    let used = holders_of_key(tx, key)?.into_iter().any(|(_, row)| row.status != Status::Abandoned);
    if used { Err(key_in_use()) } else { Ok(()) }
}

pub(crate) fn key_in_use() -> ServiceError {
    ServiceError::refused(
        "key-in-use",
        "this public key has a certificate already; every holder needs a key of its own: make a \
         new key pair",
    )
}

fn organisation_view(row: OrganisationRow) -> Result<OrganisationView, ServiceError> {
    Ok(OrganisationView {
        id: crate::service::slug(&row.slug)?,
        name: row.name,
        roles: device::Roles::from_bits(row.roles.into()).unwrap_or(device::Roles::NONE),
        created_at: row.created_at,
    })
}

pub(crate) fn product_view(
    organisation: OrganisationId,
    row: ProductRow,
) -> Result<ProductView, ServiceError> {
    let damaged = || ServiceError::fatal("store-damaged", "a product's row is damaged");
    Ok(ProductView {
        organisation,
        id: ProductId::new(&row.slug).map_err(|_| damaged())?,
        name: row.name,
        model: row.model,
        kind: DeviceKind::from_code(row.kind.into()).ok_or_else(damaged)?,
        root_of_trust: RootOfTrust::from_code(row.root_of_trust.into()).ok_or_else(damaged)?,
        support_end: row.support_end,
        ldevid_validity_s: row.ldevid_s,
        created_at: row.created_at,
    })
}

pub(crate) fn check_name(name: &str) -> Result<(), ServiceError> {
    let length = name.chars().count();
    if name.trim() != name
        || !(1..=NAME_CHARS_MAX).contains(&length)
        || name.chars().any(char::is_control)
    {
        return Err(ServiceError::malformed(
            "name",
            "a name has 1 to 64 characters, none of them control characters, and no space at \
             either end",
        ));
    }
    Ok(())
}
