//! Use cases: sessions. The cookie's secret is nowhere in the store, only its hash.

use super::{PersonView, Visitor, bearer, roles_of};
use crate::{
    Service, ServiceError,
    live::found,
    organisation_standing::suspended,
    store::{
        Tx,
        person::{self as store, PersonRow, SessionRow},
    },
};
use crypto::{Sha256, UnixTime};
use device::OrganisationId;
use policy::{Action, BearerKind, BearerText, Caller, PersonId, Resource, bearer_digest};
use std::sync::PoisonError;

/// Seconds between two writes of when a session was last seen. What is not written yet is lost in
/// a crash, and the session ends by so much sooner.
const TOUCH_S: i64 = 60;
/// Most sessions of a person; the oldest gives way.
const SESSIONS_MAX: usize = 20;

/// In place of a session: a person in whose name an approved act is carried out. No secret has this
/// hash.
pub(crate) const NO_SESSION: Sha256 = Sha256([0; 32]);

/// When a session was last seen, ahead of the store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    at: UnixTime,
    written: UnixTime,
}

/// A session that goes on.
#[derive(Debug, Clone)]
pub struct Resumed {
    /// what use cases are called as
    pub caller: Caller,
    /// who it is
    pub person: PersonView,
    /// name of its organisation
    pub organisation_name: String,
    /// when it last showed its passkey
    pub authenticated_at: UnixTime,
    /// when the session ends if nothing is done
    pub idle_end: UnixTime,
    /// when the session ends whatever is done
    pub expires_at: UnixTime,
}

/// A session in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// its name, for ending it: the hash of its secret
    pub id: Sha256,
    /// since when
    pub created_at: UnixTime,
    /// when it was last used, to about a minute
    pub last_seen: UnixTime,
    /// when the passkey was last shown
    pub authenticated_at: UnixTime,
    /// when it ends whatever is done
    pub expires_at: UnixTime,
    /// what the browser said it is
    pub label: String,
    /// network that it was opened from
    pub network: String,
    /// whether it is the caller's own
    pub current: bool,
}

impl Service {
    /// The session of a cookie, where it goes on still. Counts as a sign of life, which costs a
    /// commit at most once a minute.
    ///
    /// # Errors
    /// `session-ended` where there is none, it was ended, was idle too long, or reached its end.
    pub async fn resume_session(&self, cookie: &str) -> Result<Resumed, ServiceError> {
        let digest = bearer_digest(BearerKind::Session, cookie).ok_or_else(ended)?;
        let now = self.now();
        let (session, person) = self.read(|connection| {
            let session = store::session(connection, &digest)?.ok_or_else(ended)?;
            let person = store::person_by_row(connection, session.person)?.ok_or_else(ended)?;
            Ok((session, person))
        })?;
        let last_seen = self.last_seen(&session);
        let idle_s = self.config.people.idle_s;
        let idle = now.since(last_seen) > idle_s;
        if person.removed_at.is_some() || idle || now >= session.expires_at {
            let reason = if idle { "idle" } else { "expired" };
            self.end_over(&session, &person, reason).await?;
            return Err(ended());
        }
        // The session stays, and works again once its organisation does.
        if self.organisation_of(person.organisation)?.suspended_at.is_some() {
            return Err(ended());
        }
        self.see(&session, now);
        let caller = self.person_caller(&person, digest, session.authenticated_at)?;
        Ok(Resumed {
            caller,
            organisation_name: self.organisation_of(person.organisation)?.name,
            person: self.person_view(&person)?,
            authenticated_at: session.authenticated_at,
            idle_end: now.plus(idle_s).min(session.expires_at),
            expires_at: session.expires_at,
        })
    }

    /// Ends the caller's own session.
    ///
    /// # Errors
    /// `role` where the caller is no person; where the store fails.
    pub async fn sign_out(&self, caller: &Caller) -> Result<(), ServiceError> {
        let Caller::Person { session, .. } = caller else { return Err(self.no_person(caller)) };
        match self.end_session(caller, session).await {
            Err(error) if error.kind() == crate::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    /// The caller's sessions, newest first.
    ///
    /// # Errors
    /// `role` where the caller is no person.
    pub async fn sessions(&self, caller: &Caller) -> Result<Vec<SessionView>, ServiceError> {
        let row = self.own_row(caller)?;
        self.session_views(&row, caller)
    }

    /// Ends one of the caller's sessions.
    ///
    /// # Errors
    /// `not-found`; `role` where the caller is no person.
    pub async fn end_session(&self, caller: &Caller, id: &Sha256) -> Result<(), ServiceError> {
        let row = self.own_row(caller)?;
        let event = self
            .event(caller, audit::Kind::CredentialChange, audit::Outcome::Success)
            .door(audit::Door::Console)
            .subject(&row.handle)
            .detail("what", "session-ended");
        let id = *id;
        self.commit(move |tx| {
            if !store::end_session(tx, row.id, &id)? {
                return Err(ServiceError::not_found("session"));
            }
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// Ends all of the caller's sessions but the one it calls from; how many ended.
    ///
    /// # Errors
    /// `role` where the caller is no person.
    pub async fn end_other_sessions(&self, caller: &Caller) -> Result<usize, ServiceError> {
        let row = self.own_row(caller)?;
        let Caller::Person { session, .. } = caller else { return Err(self.no_person(caller)) };
        let own = *session;
        self.end_all(caller, row, Some(own)).await
    }

    /// Sessions of a person of an organisation, for its administrators.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn person_sessions(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        person: &PersonId,
    ) -> Result<Vec<SessionView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManagePeople, &resource)?;
        let row = self.person_row(organisation, person)?;
        self.session_views(&row, caller)
    }

    /// Ends all sessions of a person, for its administrators; how many ended.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn end_person_sessions(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        person: &PersonId,
    ) -> Result<usize, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManagePeople, &resource)?;
        let row = self.person_row(organisation, person)?;
        self.end_all(caller, row, None).await
    }

    async fn end_all(
        &self,
        caller: &Caller,
        row: PersonRow,
        but: Option<Sha256>,
    ) -> Result<usize, ServiceError> {
        let event = self
            .event(caller, audit::Kind::CredentialChange, audit::Outcome::Success)
            .organisation(self.organisation_id(row.organisation)?.as_str())
            .subject(&row.handle)
            .detail("what", "sessions-ended");
        self.commit(move |tx| {
            let ended = store::end_sessions(tx, row.id, but.as_ref())?;
            tx.audit(&event.detail("sessions", &ended.to_string()))?;
            Ok(ended)
        })
        .await
    }

    /// Makes a session in the transaction that lets its person in; returns the cookie's text with
    /// what the transaction writes.
    pub(super) fn new_session(
        &self,
        visitor: &Visitor,
        person: i64,
    ) -> Result<(BearerText, SessionRow), ServiceError> {
        let who = self.read(|connection| store::person_by_row(connection, person))?;
        if let Some(who) = who
            && self.organisation_of(who.organisation)?.suspended_at.is_some()
        {
            return Err(suspended());
        }
        let (cookie, digest) = bearer(BearerKind::Session)?;
        let now = self.now();
        let row = SessionRow {
            digest,
            person,
            created_at: now,
            last_seen: now,
            authenticated_at: now,
            expires_at: now.plus(self.config.people.absolute_s),
            label: visitor.label(),
            network: visitor.network(),
        };
        Ok((cookie, row))
    }

    /// What use cases are called as by a person.
    pub(crate) fn person_caller(
        &self,
        person: &PersonRow,
        session: Sha256,
        authenticated_at: UnixTime,
    ) -> Result<Caller, ServiceError> {
        Ok(Caller::Person {
            organisation: self.organisation_id(person.organisation)?,
            person: PersonId::from_bytes(person.person_id),
            name: person.handle.clone(),
            roles: roles_of(person)?,
            session,
            authenticated_at,
        })
    }

    /// The caller's own row: the gate for what a person does with its own account.
    pub(super) fn own_row(&self, caller: &Caller) -> Result<PersonRow, ServiceError> {
        let Caller::Person { organisation, person, .. } = caller else {
            return Err(self.no_person(caller));
        };
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageOwnAccount, &resource)?;
        let row = self.read(|connection| store::person(connection, person.as_bytes()))?;
        found(row.filter(|row| row.removed_at.is_none()), "person")
    }

    pub(super) fn no_person(&self, caller: &Caller) -> ServiceError {
        // A stranger gets the table's answer; a member with a certificate is told what to do.
        let resource = match caller.organisation() {
            Some(organisation) => Resource::organisation(organisation),
            None => Resource::unknown(),
        };
        match self.authorize(caller, Action::ManageOwnAccount, &resource) {
            Err(error) => error,
            Ok(_permit) => ServiceError::forbidden(
                "no-person",
                "this is for people who signed in with a passkey",
            ),
        }
    }

    /// Forgets in memory what is over; called now and then.
    pub(crate) fn tidy_people(&self) {
        let now = self.now();
        let idle = self.config.people.idle_s;
        let lock = |pending: &std::sync::Mutex<super::ceremony::Pending>| {
            pending.lock().unwrap_or_else(PoisonError::into_inner).expire(now);
        };
        lock(&self.people.ceremonies);
        self.people
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, seen| now.since(seen.at) <= idle);
        // What was seen after the last write may be younger than the store says.
        let since = UnixTime(now.0.saturating_sub(idle + 2 * TOUCH_S));
        self.store.writer.queue_quietly(move |tx| store::delete_expired_sessions(tx, now, since));
    }

    fn session_views(
        &self,
        row: &PersonRow,
        caller: &Caller,
    ) -> Result<Vec<SessionView>, ServiceError> {
        let now = self.now();
        let rows = self.read(|connection| store::sessions(connection, row.id))?;
        let views = rows.into_iter().filter_map(|row| {
            let last_seen = self.last_seen(&row);
            let over = now >= row.expires_at || now.since(last_seen) > self.config.people.idle_s;
            let current =
                matches!(caller, Caller::Person { session, .. } if *session == row.digest);
            (!over).then_some(SessionView {
                id: row.digest,
                created_at: row.created_at,
                last_seen,
                authenticated_at: row.authenticated_at,
                expires_at: row.expires_at,
                label: row.label,
                network: row.network,
                current,
            })
        });
        Ok(views.collect())
    }

    fn last_seen(&self, session: &SessionRow) -> UnixTime {
        let seen = self.people.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&session.digest).map_or(session.last_seen, |seen| seen.at.max(session.last_seen))
    }

    fn see(&self, session: &SessionRow, now: UnixTime) {
        let due = {
            let mut seen = self.people.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let entry =
                seen.entry(session.digest).or_insert(Seen { at: now, written: session.last_seen });
            entry.at = entry.at.max(now);
            let due = now.since(entry.written) >= TOUCH_S;
            if due {
                entry.written = now;
            }
            due
        };
        if due {
            let digest = session.digest;
            self.store.writer.queue_quietly(move |tx| store::touch_session(tx, &digest, now));
        }
    }

    async fn end_over(
        &self,
        session: &SessionRow,
        person: &PersonRow,
        reason: &str,
    ) -> Result<(), ServiceError> {
        self.people.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(&session.digest);
        let mut event = audit::SecurityEvent::new(
            self.now(),
            audit::Kind::CredentialChange,
            audit::Outcome::Success,
        )
        .subject(&person.handle)
        .detail("what", "session-ended")
        .detail("reason", reason);
        if let Ok(organisation) = self.organisation_id(person.organisation) {
            event = event.organisation(organisation.as_str());
        }
        let (id, digest) = (person.id, session.digest);
        self.commit(move |tx| {
            if store::end_session(tx, id, &digest)? {
                tx.audit(&event)?;
            }
            Ok(())
        })
        .await
    }
}

/// Lets a session in, and the oldest out where there are too many.
pub(super) fn insert(tx: &mut Tx<'_>, row: &SessionRow) -> Result<(), ServiceError> {
    store::insert_session(tx, row)?;
    store::keep_newest_sessions(tx, row.person, SESSIONS_MAX)
}

/// Whether a person's session still stands, in the transaction that rests on it.
pub(crate) fn still_stands(tx: &Tx<'_>, caller: &Caller) -> Result<(), ServiceError> {
    let Caller::Person { person, session, roles, .. } = caller else { return Ok(()) };
    let row = store::person(tx, person.as_bytes())?.filter(|row| row.removed_at.is_none());
    let row = row.ok_or_else(ended)?;
    if roles_of(&row)? != *roles {
        return Err(ended());
    }
    // An approved act is carried out in its requester's name, whether or not a session is open.
    if *session == NO_SESSION {
        return Ok(());
    }
    let session = store::session(tx, session)?.filter(|session| session.person == row.id);
    session.map(|_| ()).ok_or_else(ended)
}

fn ended() -> ServiceError {
    ServiceError::unauthenticated("session-ended", "your session has ended; sign in again")
        .in_japanese("セッションは終了しました。もう一度サインインしてください")
}
