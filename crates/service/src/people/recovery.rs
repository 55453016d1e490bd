//! Use case: let a person in again who lost every passkey.
//!
//! Whoever recovers an account could use it, so nobody can alone: one administrator asks, another
//! approves, the first asks again and gets the link. On the machine itself, where no second
//! administrator is left, `tegata person recover` does it by itself, and says so loudly in the log.

use super::{Invited, Link, LinkPurpose};
use crate::{
    Service, ServiceError,
    approvals::Intent,
    live::found,
    store::{Effect, person as store},
};
use device::OrganisationId;
use policy::{Act, Action, Caller, PersonId, Resource};

impl Service {
    /// Lets a person in again: its passkeys and sessions are gone, and a one-time link lets it
    /// register a new passkey. Asked for once it makes the request that another administrator must
    /// approve; asked for again after that it gives the link.
    ///
    /// # Errors
    /// `needs-second-person`, `own-account`, `not-registered`, `not-found`, `role`,
    /// `reauthenticate`, `no-console`.
    pub async fn request_recovery(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        person: &PersonId,
    ) -> Result<Invited, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::RecoverPerson, &resource)?;
        self.webauthn()?;
        let row = self.person_row(organisation, person)?;
        let own = matches!(caller, Caller::Person { person: own, .. } if own == person);
        if own {
            return Err(ServiceError::refused(
                "own-account",
                "you are signed in; add a passkey to your own account instead",
            ));
        }
        if row.registered_at.is_none() || row.removed_at.is_some() {
            return Err(ServiceError::refused(
                "not-registered",
                "only somebody who has registered can be recovered; invite the person instead",
            ));
        }
        let intent = Intent::Recover { person: super::who(&row), roles: row.roles.clone() };
        let slip = self.second_person(caller, organisation, Act::RecoverPerson, &intent).await?;
        let (secret, link) = self.new_link(
            caller,
            LinkPurpose::Recovery,
            row.organisation,
            Some(row.id),
            self.config.people.recovery_s,
        )?;
        let event = self
            .event(caller, audit::Kind::AccountChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(&row.handle)
            .severity(audit::Severity::High)
            .detail("what", "person-recovered");
        let event = match caller {
            Caller::Platform { .. } => event
                .door(audit::Door::Command)
                .severity(audit::Severity::Critical)
                .detail("by", "one person alone, on the machine itself"),
            _ => event,
        };
        let (id, now, expires_at) = (row.id, self.now(), link.expires_at);
        let caller = caller.clone();
        let row = self
            .commit(move |tx| {
                super::sessions::still_stands(tx, &caller)?;
                let row = found(store::person_by_row(tx, id)?, "person")?;
                found(row.removed_at.is_none().then_some(()), "person")?;
                slip.consume(tx, now)?;
                store::end_access(tx, id, now)?;
                store::insert_link(tx, &link)?;
                tx.effect(Effect::Directory);
                tx.audit(&event)?;
                Ok(row)
            })
            .await?;
        Ok(Invited {
            person: self.person_view(&row)?,
            link: Link { secret, purpose: LinkPurpose::Recovery, expires_at },
        })
    }
}
