//! The first administrator of an organisation: invited by the platform, since nobody is there yet.

use super::{PersonState, PersonView};
use crate::{
    Service, ServiceError,
    store::{organisation as organisations, person as store},
};
use device::OrganisationId;
use policy::{Action, Caller, Resource};

/// How far an organisation has come to manage itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirstAdministrator {
    /// nobody is there: the platform invites one
    Wanted,
    /// invited by the platform, and not there yet
    Invited(PersonView),
    /// it manages itself; the platform learns no more
    There,
}

impl Service {
    /// Whether an organisation has its first administrator. For administrators of the platform,
    /// who learn no more than what an invitation would be answered.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn first_administrator(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<FirstAdministrator, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::CreateOrganisation, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        let (people, members) = self.read(|connection| {
            let people = store::people(connection, row, 0, 2)?;
            Ok((people, organisations::has_members(connection, row)?))
        })?;
        let [only] = people.as_slice() else {
            let none = people.is_empty() && !members;
            return Ok(if none { FirstAdministrator::Wanted } else { FirstAdministrator::There });
        };
        let view = self.person_view(only)?;
        let waits = !members && matches!(view.state, PersonState::Invited { .. });
        Ok(if waits { FirstAdministrator::Invited(view) } else { FirstAdministrator::There })
    }
}
