//! Use cases: invite people, change their roles, remove them; what a person prefers.

use super::{
    Link, LinkPurpose, PersonView, Theme, check_handle, language_name, links::handle_taken,
    roles_of, who,
};
use crate::{
    Page, Paged, Service, ServiceError,
    approvals::{Intent, Slip},
    live::found,
    organisations::check_name,
    store::{
        Effect, Tx, organisation as organisations,
        person::{self as store, PersonRow},
    },
};
use crypto::{UnixTime, random};
use device::{Language, OrganisationId};
use policy::{Act, Action, Caller, PersonId, Resource, Role, Roles};

/// A person to be invited.
#[derive(Debug, Clone)]
pub struct NewPerson {
    /// its organisation
    pub organisation: OrganisationId,
    /// name within it, by which the audit log knows it: a-z 0-9 . - _, and never given again. A
    /// human who has a certificate as well gets the certificate's name.
    pub handle: String,
    /// its name for people
    pub display_name: String,
    /// what it may be
    pub roles: Roles,
}

/// An invitation. The link is shown once.
#[derive(Debug)]
pub struct Invited {
    /// who
    pub person: PersonView,
    /// the link
    pub link: Link,
}

impl Service {
    /// Invites a person. The link is for that person alone, and works once.
    ///
    /// # Errors
    /// `handle`, `handle-taken`, `name`, `no-role`, `role`, `reauthenticate`;
    /// `needs-second-person` where an administrator is made; `not-first-administrator` where a
    /// member of the platform invites more than the first of another organisation.
    pub async fn invite_person(
        &self,
        caller: &Caller,
        new: NewPerson,
    ) -> Result<Invited, ServiceError> {
        let resource = Resource::organisation(&new.organisation);
        let first = caller.is_platform_member() && caller.organisation() != Some(&new.organisation);
        let action = if first { Action::CreateOrganisation } else { Action::InvitePerson };
        let _permit = self.authorize(caller, action, &resource)?;
        self.fresh(caller)?;
        self.webauthn()?;
        check_handle(&new.handle)?;
        check_name(&new.display_name)?;
        if new.roles.is_empty() {
            return Err(ServiceError::refused("no-role", "name at least one role of the person"));
        }
        if first && !new.roles.contains(Role::Administrator) {
            return Err(not_first());
        }
        let organisation = self.organisation_row(new.organisation.as_str())?.id;
        if self.read(|c| store::person_by_handle(c, organisation, &new.handle))?.is_some() {
            return Err(handle_taken());
        }
        let intent = Intent::Invite {
            handle: new.handle.clone(),
            name: new.display_name.clone(),
            roles: new.roles.to_string(),
        };
        let slip = if first || !new.roles.contains(Role::Administrator) {
            Slip::NotNeeded
        } else {
            self.second_person(caller, &new.organisation, Act::ChangeRoles, &intent).await?
        };
        let (secret, mut link) = self.new_link(
            caller,
            LinkPurpose::Invitation,
            organisation,
            None,
            self.config.people.invitation_s,
        )?;
        let now = self.now();
        let row = PersonRow {
            id: 0,
            person_id: random::bytes(),
            organisation,
            handle: new.handle.clone(),
            display_name: new.display_name,
            roles: new.roles.to_string(),
            language: None,
            theme: None,
            administrator_since: new.roles.contains(Role::Administrator).then_some(now),
            added_at: now,
            registered_at: None,
            removed_at: None,
        };
        let event = self
            .event(caller, audit::Kind::AccountChange, audit::Outcome::Success)
            .organisation(new.organisation.as_str())
            .subject(&new.handle)
            .detail("what", "person-invited")
            .detail("roles", &new.roles.to_string());
        let event = match caller {
            // On the machine itself nobody else was asked.
            Caller::Platform { .. } => {
                event.door(audit::Door::Command).severity(audit::Severity::High)
            }
            _ => event,
        };
        let (expires_at, person_id) = (link.expires_at, row.person_id);
        let caller = caller.clone();
        self.commit(move |tx| {
            super::sessions::still_stands(tx, &caller)?;
            if first
                && (store::has_people(tx, organisation)?
                    || organisations::has_members(tx, organisation)?)
            {
                return Err(not_first());
            }
            if store::person_by_handle(tx, organisation, &row.handle)?.is_some() {
                return Err(handle_taken());
            }
            slip.consume(tx, now)?;
            link.person = Some(store::insert_person(tx, &row)?);
            store::insert_link(tx, &link)?;
            tx.effect(Effect::Directory);
            tx.audit(&event).map(|_| ())
        })
        .await?;
        let row = self.read(|connection| store::person(connection, &person_id))?;
        Ok(Invited {
            person: self.person_view(&found(row, "person")?)?,
            link: Link { secret, purpose: LinkPurpose::Invitation, expires_at },
        })
    }

    /// Gives a person who has not registered yet a new link; the one before stops working.
    ///
    /// # Errors
    /// `not-found`, `registered`, `role`, `reauthenticate`; `needs-second-person` for an
    /// administrator.
    pub async fn invite_again(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        person: &PersonId,
    ) -> Result<Invited, ServiceError> {
        let resource = Resource::organisation(organisation);
        let first = caller.is_platform_member() && caller.organisation() != Some(organisation);
        let action = if first { Action::CreateOrganisation } else { Action::InvitePerson };
        let _permit = self.authorize(caller, action, &resource)?;
        self.fresh(caller)?;
        self.webauthn()?;
        let row = self.person_row(organisation, person)?;
        let administrator = roles_of(&row)?.contains(Role::Administrator);
        let slip = if first || !administrator {
            Slip::NotNeeded
        } else {
            let intent = Intent::InviteAgain { person: who(&row), roles: row.roles.clone() };
            self.second_person(caller, organisation, Act::ChangeRoles, &intent).await?
        };
        let (secret, link) = self.new_link(
            caller,
            LinkPurpose::Invitation,
            row.organisation,
            Some(row.id),
            self.config.people.invitation_s,
        )?;
        let event = self
            .event(caller, audit::Kind::AccountChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(&row.handle)
            .detail("what", "person-invited-again");
        let (id, now, expires_at) = (row.id, self.now(), link.expires_at);
        let caller = caller.clone();
        let row = self
            .commit(move |tx| {
                super::sessions::still_stands(tx, &caller)?;
                let row = found(store::person_by_row(tx, id)?, "person")?;
                if row.registered_at.is_some() || row.removed_at.is_some() {
                    return Err(ServiceError::conflict(
                        "registered",
                        "the person has registered; if every passkey is lost, ask for recovery",
                    ));
                }
                if first && has_others(tx, &row)? {
                    return Err(not_first());
                }
                slip.consume(tx, now)?;
                store::end_links_of(tx, id, now)?;
                store::insert_link(tx, &link)?;
                tx.audit(&event)?;
                Ok(row)
            })
            .await?;
        Ok(Invited {
            person: self.person_view(&row)?,
            link: Link { secret, purpose: LinkPurpose::Invitation, expires_at },
        })
    }

    /// People of an organisation, in the order in which they were invited.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn people(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        page: &Page,
    ) -> Result<Paged<PersonView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadPeople, &resource)?;
        let row = self.organisation_row(organisation.as_str())?;
        let (after, limit) = page.rows(self.config.limits.page)?;
        let rows = self.read(|connection| store::people(connection, row.id, after, limit + 1))?;
        Paged::cut(rows, limit, |row| row.id.to_string()).try_map(|row| self.person_view(&row))
    }

    /// One person: oneself, or as an administrator or auditor anybody of the organisation.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn person(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        person: &PersonId,
    ) -> Result<PersonView, ServiceError> {
        let own = matches!(caller, Caller::Person { person: own, .. } if own == person);
        let action = if own { Action::ManageOwnAccount } else { Action::ReadPeople };
        let _permit = self.authorize(caller, action, &Resource::organisation(organisation))?;
        self.person_view(&self.person_row(organisation, person)?)
    }

    /// The person of this handle.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn person_by_handle(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        handle: &str,
    ) -> Result<PersonView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadPeople, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        let person = self.read(|connection| store::person_by_handle(connection, row, handle))?;
        self.person_view(&found(person, "person")?)
    }

    /// Changes what a person may be. Its sessions end: what it may do now it learns by signing in
    /// again.
    ///
    /// # Errors
    /// `not-found`, `no-role`, `last-administrator`, `role`, `reauthenticate`,
    /// `needs-second-person`.
    pub async fn change_roles(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        person: &PersonId,
        roles: Roles,
    ) -> Result<PersonView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManagePeople, &resource)?;
        let row = self.person_row(organisation, person)?;
        if roles.is_empty() {
            return Err(ServiceError::refused(
                "no-role",
                "name at least one role, or remove the person",
            ));
        }
        let intent = Intent::ChangeRoles {
            person: who(&row),
            before: row.roles.clone(),
            roles: roles.to_string(),
        };
        let slip = self.second_person(caller, organisation, Act::ChangeRoles, &intent).await?;
        self.perform_change_roles(caller, organisation, person, (row.roles, roles), slip).await
    }

    pub(crate) async fn perform_change_roles(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        person: &PersonId,
        (before, roles): (String, Roles),
        slip: Slip,
    ) -> Result<PersonView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManagePeople, &resource)?;
        let row = self.person_row(organisation, person)?;
        let event = self
            .event(caller, audit::Kind::AccountChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(&row.handle)
            .severity(audit::Severity::Medium)
            .detail("what", "roles-changed")
            .detail("roles_before", &row.roles)
            .detail("roles", &roles.to_string());
        let (id, now, by) = (row.id, self.now(), caller.clone());
        let row = self
            .commit(move |tx| {
                super::sessions::still_stands(tx, &by)?;
                let row = found(store::person_by_row(tx, id)?, "person")?;
                if row.removed_at.is_some() {
                    return Err(removed());
                }
                if row.roles != before {
                    return Err(changed());
                }
                slip.consume(tx, now)?;
                let guard = Administrators::before(tx, row.organisation, now)?;
                let since = roles
                    .contains(Role::Administrator)
                    .then(|| row.administrator_since.unwrap_or(now));
                store::set_roles(tx, id, &roles.to_string(), since)?;
                guard.some_left(tx)?;
                store::end_sessions(tx, id, None)?;
                tx.effect(Effect::Directory);
                tx.audit(&event)?;
                found(store::person_by_row(tx, id)?, "person")
            })
            .await?;
        self.person_view(&row)
    }

    /// Removes a person: its passkeys, sessions and links are gone with the same commit. One who
    /// never registered leaves no trace but in the audit log, and its handle becomes free.
    ///
    /// # Errors
    /// `not-found`, `person-removed`, `last-administrator`, `role`, `reauthenticate`;
    /// `needs-second-person` for an administrator.
    pub async fn remove_person(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        person: &PersonId,
    ) -> Result<(), ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManagePeople, &resource)?;
        let row = self.person_row(organisation, person)?;
        let registered = row.registered_at.is_some();
        let slip = if registered && roles_of(&row)?.contains(Role::Administrator) {
            let intent = Intent::RemovePerson { person: who(&row), roles: row.roles.clone() };
            self.second_person(caller, organisation, Act::ChangeRoles, &intent).await?
        } else {
            self.fresh(caller)?;
            Slip::NotNeeded
        };
        self.perform_remove_person(caller, organisation, person, &row.roles, slip).await
    }

    pub(crate) async fn perform_remove_person(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        person: &PersonId,
        roles: &str,
        slip: Slip,
    ) -> Result<(), ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManagePeople, &resource)?;
        let row = self.person_row(organisation, person)?;
        let event = self
            .event(caller, audit::Kind::AccountChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(&row.handle)
            .detail("what", "person-removed");
        let (id, now, by) = (row.id, self.now(), caller.clone());
        let (seen, roles) = (row, roles.to_owned());
        self.commit(move |tx| {
            super::sessions::still_stands(tx, &by)?;
            let row = found(store::person_by_row(tx, id)?, "person")?;
            if row.removed_at.is_some() {
                return Err(removed());
            }
            // What was asked, and perhaps approved, is what happens: not more.
            if row.roles != roles || row.registered_at != seen.registered_at {
                return Err(changed());
            }
            slip.consume(tx, now)?;
            if row.registered_at.is_none() {
                store::delete_person(tx, id)?;
            } else {
                let guard = Administrators::before(tx, row.organisation, now)?;
                store::remove_person(tx, id, now)?;
                guard.some_left(tx)?;
            }
            tx.effect(Effect::Directory);
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// What the caller prefers: language and colours; `None`: as the browser says.
    ///
    /// # Errors
    /// `role` where the caller is no person.
    pub async fn set_preferences(
        &self,
        caller: &Caller,
        language: Option<Language>,
        theme: Option<Theme>,
    ) -> Result<(), ServiceError> {
        let row = self.own_row(caller)?;
        self.commit(move |tx| {
            let language = language.map(language_name);
            store::set_preferences(tx, row.id, language, theme.map(Theme::name))
        })
        .await
    }

    /// Changes one's own name for people. The handle stays.
    ///
    /// # Errors
    /// `name`; `role` where the caller is no person.
    pub async fn set_display_name(&self, caller: &Caller, name: &str) -> Result<(), ServiceError> {
        check_name(name)?;
        let row = self.own_row(caller)?;
        let event = self
            .event(caller, audit::Kind::AccountChange, audit::Outcome::Success)
            .subject(&row.handle)
            .detail("what", "display-name-changed");
        let name = name.to_owned();
        self.commit(move |tx| {
            store::set_display_name(tx, row.id, &name)?;
            tx.audit(&event).map(|_| ())
        })
        .await
    }
}

/// Keeps an organisation from losing its last administrator.
pub(crate) struct Administrators {
    organisation: i64,
    now: UnixTime,
    were_some: bool,
}

impl Administrators {
    /// Looks before a change.
    pub(crate) fn before(
        tx: &Tx<'_>,
        organisation: i64,
        now: UnixTime,
    ) -> Result<Self, ServiceError> {
        let were_some = !store::administrators(tx, organisation, now)?.is_empty();
        Ok(Self { organisation, now, were_some })
    }

    /// Looks after it.
    ///
    /// # Errors
    /// `last-administrator`.
    pub(crate) fn some_left(self, tx: &Tx<'_>) -> Result<(), ServiceError> {
        let left = store::administrators(tx, self.organisation, self.now)?;
        if self.were_some && left.is_empty() {
            return Err(ServiceError::refused(
                "last-administrator",
                "this is the organisation's last administrator; make somebody else one first",
            )
            .in_japanese("組織の最後の管理者です。先に別の人を管理者にしてください"));
        }
        Ok(())
    }
}

fn removed() -> ServiceError {
    ServiceError::conflict("person-removed", "the person is removed already")
}

fn changed() -> ServiceError {
    ServiceError::conflict(
        "person-changed",
        "the person's account has changed meanwhile; look again and repeat",
    )
}

fn not_first() -> ServiceError {
    ServiceError::forbidden(
        "not-first-administrator",
        "the platform invites only the first administrator of an organisation; its own \
         administrators invite the rest",
    )
}

/// Whether an organisation has more than this one person, or had a member.
fn has_others(tx: &Tx<'_>, row: &PersonRow) -> Result<bool, ServiceError> {
    let others = store::people(tx, row.organisation, 0, 2)?.len() > 1;
    Ok(others || organisations::has_members(tx, row.organisation)?)
}
