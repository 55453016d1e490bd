//! Use cases about organisations themselves.

use crate::{
    Page, Paged, Service, ServiceError,
    store::{
        Effect,
        organisation::{self as store, OrganisationRow},
    },
};
use crypto::UnixTime;
use device::OrganisationId;
use policy::{Action, Caller, Resource};

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
}

fn organisation_view(row: OrganisationRow) -> Result<OrganisationView, ServiceError> {
    Ok(OrganisationView {
        id: crate::service::slug(&row.slug)?,
        name: row.name,
        roles: device::Roles::from_bits(row.roles.into()).unwrap_or(device::Roles::NONE),
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
