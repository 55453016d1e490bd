//! Use cases about members: the people, stations and programs of an organisation.

use crate::{
    Page, Paged, Service, ServiceError,
    approvals::{Intent, Slip},
    csr::{unused_key, verified_csr},
    issue::Order,
    live::found,
    organisations::check_name,
    people::Administrators,
    store::{
        Effect, Tx, access,
        organisation::{self as store, MemberRow, NewMemberRow},
        person,
    },
};
use crypto::{Sha256, UnixTime};
use device::{DeviceId, OrganisationId};
use pki::{Certificate, Profile, Subject};
use policy::{Act, Action, Caller, Resource, Role, Roles};

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

impl Service {
    /// Adds a member and certifies its key.
    ///
    /// # Errors
    /// `csr`, `name`, `no-platform-ca`, `role`; `not-first-administrator` where a member of the
    /// platform adds more than that; `reauthenticate`, `needs-second-person`.
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
        // Nobody approves the first administrator; who makes it must at least be at its desk.
        if first {
            self.fresh(caller)?;
        }
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
        let slip = if first || !new.roles.contains(Role::Administrator) {
            Slip::NotNeeded
        } else {
            let intent = Intent::AddMember {
                name: new.name.clone(),
                roles: new.roles.to_string(),
                key: csr.public_key().fingerprint().to_string(),
            };
            self.second_person(caller, &new.organisation, Act::ChangeRoles, &intent).await?
        };
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
            mud: None,
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
                        without_anybody(tx, organisation.id)?;
                    }
                    unused_key(tx, &key)
                },
                move |tx, certificate, ()| {
                    if first {
                        without_anybody(tx, organisation.id)?;
                    }
                    slip.consume(tx, now)?;
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
    /// `not-found`, `role`; `last-administrator`; `needs-second-person` for an administrator.
    pub async fn remove_member(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        fingerprint: &Sha256,
    ) -> Result<(), ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageMembers, &resource)?;
        let row = self.organisation_row(organisation.as_str())?;
        let issued = self.read(|connection| store::member(connection, fingerprint))?;
        let issued = found(issued.filter(|member| member.organisation == row.id), "member")?;
        let roles: Roles = issued.roles.parse().unwrap_or(Roles::ALL);
        let slip = if roles.contains(Role::Administrator) {
            let intent = Intent::RemoveMember {
                certificate: fingerprint.to_string(),
                name: issued.name,
                roles: roles.to_string(),
            };
            self.second_person(caller, organisation, Act::ChangeRoles, &intent).await?
        } else {
            Slip::NotNeeded
        };
        self.perform_remove_member(caller, organisation, fingerprint, slip).await
    }

    pub(crate) async fn perform_remove_member(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        fingerprint: &Sha256,
        slip: Slip,
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
            slip.consume(tx, now)?;
            let guard = Administrators::before(tx, member.organisation, now)?;
            store::remove_member(tx, member.id, now)?;
            access::delete_tokens_of(tx, &fingerprint)?;
            if let Some(ca) = ca
                && let Some(row) =
                    crate::store::certificate::certificate(tx, ca, certificate.serial().as_bytes())?
            {
                use crate::store::certificate::{Status, revoke};
                revoke(tx, &row, Status::Revoked, 5, now)?;
            }
            guard.some_left(tx)?;
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

/// Only where an organisation never had a member or a person does somebody else add one: an
/// organisation whose people come with passkeys alone, or were all removed, is not the platform's.
fn without_anybody(tx: &Tx<'_>, organisation: i64) -> Result<(), ServiceError> {
    if store::has_members(tx, organisation)? || person::has_people(tx, organisation)? {
        return Err(ServiceError::forbidden(
            "not-first-administrator",
            "the organisation has members or people; its own administrators add more",
        ));
    }
    Ok(())
}
