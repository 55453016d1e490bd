//! Use cases about organisations themselves.

use crate::{
    Page, Paged, Service, ServiceError,
    live::found,
    names::{self, same_name},
    store::{
        Effect, Tx,
        organisation::{self as store, OrganisationRow, ProposalRow},
        person,
    },
};
use crypto::UnixTime;
use device::OrganisationId;
use policy::{Action, Caller, Resource};

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganisationView {
    /// its id
    pub id: OrganisationId,
    /// its name
    pub name: String,
    /// what it is registered as
    pub roles: device::Roles,
    /// what it will be once a second administrator of the platform confirms it
    pub proposed: device::Roles,
    /// since when
    pub created_at: UnixTime,
    /// since when it is suspended
    pub suspended_at: Option<UnixTime>,
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

impl Service {
    /// Creates an organisation. An authority has power over everybody's devices: it is proposed
    /// here, and becomes one when somebody else confirms it ([`Self::confirm_authority`]).
    ///
    /// # Errors
    /// `organisation-exists`, `name`, `role`; `reauthenticate` for an authority.
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
        let proposed = new.roles.only(device::Roles::AUTHORITY);
        if proposed != device::Roles::NONE {
            self.fresh(caller)?;
        }
        let roles = new.roles.without(device::Roles::AUTHORITY);
        let mut event = self
            .event(caller, audit::Kind::AccountChange, audit::Outcome::Success)
            .subject(new.id.as_str())
            .detail("what", "organisation-created")
            .detail("roles", &roles.bits().to_string());
        if proposed != device::Roles::NONE {
            event = event.detail("proposed", &proposed.bits().to_string());
        }
        let now = self.now();
        let proposal = ProposalRow {
            by: caller.to_string(),
            name: caller.name().map(str::to_owned),
            certificate: match caller {
                Caller::Member { certificate, .. } => Some(*certificate),
                _ => None,
            },
            at: now,
        };
        let view = OrganisationView {
            id: new.id.clone(),
            name: new.name.clone(),
            roles,
            proposed,
            created_at: now,
            suspended_at: None,
        };
        self.commit(move |tx| {
            if store::organisation(tx, new.id.as_str())?.is_some() {
                return Err(ServiceError::conflict(
                    "organisation-exists",
                    format!("an organisation is called {} already; choose another id", new.id),
                ));
            }
            let row =
                store::insert_organisation(tx, new.id.as_str(), &new.name, roles.bits(), now)?;
            if proposed != device::Roles::NONE {
                store::propose_roles(tx, row, proposed.bits(), &proposal)?;
            }
            tx.effect(Effect::Directory);
            tx.audit(&event).map(|_| ())
        })
        .await?;
        Ok(view)
    }

    /// Confirms an authority that another administrator of the platform registered: from now on
    /// it is one. Who confirms must be another member or person, with another certificate and
    /// another name, and have been one when the authority was registered.
    ///
    /// # Errors
    /// `not-found`, `role`, `nothing-proposed`, `second-person`, `reauthenticate`.
    pub async fn confirm_authority(
        &self,
        caller: &Caller,
        id: &OrganisationId,
    ) -> Result<OrganisationView, ServiceError> {
        let _permit = self.authorize(caller, Action::ConfirmAuthority, &Resource::platform())?;
        self.fresh(caller)?;
        let who = caller.clone();
        let now = self.now();
        let event = self
            .event(caller, audit::Kind::AccountChange, audit::Outcome::Success)
            .subject(id.as_str())
            .detail("what", "authority-confirmed");
        let refusal = self
            .event(caller, audit::Kind::Authorisation, audit::Outcome::Failure)
            .subject(id.as_str())
            .detail("reason", "second-person");
        let slug = id.clone();
        let row = self
            .commit(move |tx| {
                let row = found(store::organisation(tx, slug.as_str())?, "organisation")?;
                let proposal = store::proposal(tx, row.id)?.ok_or_else(|| {
                    ServiceError::conflict(
                        "nothing-proposed",
                        "this organisation does not wait to be confirmed as an authority",
                    )
                })?;
                if !is_another(tx, &who, &proposal)? {
                    tx.on_refusal(refusal);
                    return Err(second_person());
                }
                store::confirm_roles(tx, row.id)?;
                tx.effect(Effect::Directory);
                let event = event
                    .detail("proposed-by", &proposal.by)
                    .detail("after-s", &now.since(proposal.at).to_string());
                tx.audit(&event)?;
                found(store::organisation(tx, slug.as_str())?, "organisation")
            })
            .await?;
        organisation_view(row)
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
}

/// Whether a caller is somebody else than who registered an authority, and was there before.
fn is_another(tx: &Tx<'_>, who: &Caller, proposal: &ProposalRow) -> Result<bool, ServiceError> {
    let since = match who {
        Caller::Member { certificate, .. } if proposal.certificate != Some(*certificate) => {
            store::member(tx, certificate)?
                .filter(|member| member.removed_at.is_none())
                .map(|member| member.added_at)
        }
        Caller::Person { person, .. } => person::person(tx, person.as_bytes())?
            .filter(|person| person.removed_at.is_none())
            // Invited is not there yet: who had the link could be anybody.
            .and_then(|person| Some(person.administrator_since?.max(person.registered_at?))),
        _ => None,
    };
    // One human's passkey and certificates bear the same name.
    let another = who
        .name()
        .zip(proposal.name.as_deref())
        .map_or_else(|| who.name().is_some(), |(name, proposer)| !same_name(name, proposer));
    Ok(another && since.is_some_and(|since| since <= proposal.at))
}

fn second_person() -> ServiceError {
    ServiceError::forbidden(
        "second-person",
        "an authority is confirmed by another administrator of the platform than the one who \
         registered it, who was one already at that time",
    )
}

pub(crate) fn organisation_view(row: OrganisationRow) -> Result<OrganisationView, ServiceError> {
    Ok(OrganisationView {
        id: crate::service::slug(&row.slug)?,
        name: row.name,
        roles: device::Roles::from_bits(row.roles.into()).unwrap_or(device::Roles::NONE),
        proposed: device::Roles::from_bits(row.proposed.into()).unwrap_or(device::Roles::NONE),
        created_at: row.created_at,
        suspended_at: row.suspended_at,
    })
}

pub(crate) fn check_name(name: &str) -> Result<(), ServiceError> {
    if names::is_name(name) {
        return Ok(());
    }
    Err(ServiceError::malformed(
        "name",
        "a name has 1 to 64 characters, none of them hidden or control characters, and no space at \
         either end or beside another",
    )
    .in_japanese(
        "名前は1〜64文字で、制御文字や見えない文字は使えません。先頭・末尾の空白や連続する空白も使えません",
    ))
}
