//! Use cases: one-time links, and the registration of a passkey that they allow.
//!
//! A link is the only secret that ever stands in a URL. The page behind it exchanges it at once
//! ([`Service::open_link`]) for a ticket that the browser keeps in a cookie; the link itself is used
//! up when a passkey is registered, so that a preview of a mail program does not burn it.

use super::{
    PersonView, Visitor, bearer,
    ceremony::{self, Ceremony, Kind},
    check_handle, sessions,
    sign_in::{self, SignedIn},
};
use crate::{
    Service, ServiceError,
    approvals::required,
    live::found,
    organisations::check_name,
    store::{
        Effect, Tx,
        person::{self as store, LinkRow, PersonRow},
    },
};
use crypto::{Sha256, UnixTime, random};
use device::OrganisationId;
use policy::{
    Act, Action, BearerKind, BearerText, Caller, PersonId, Resource, Role, Roles, bearer_digest,
};
use webauthn_rs::prelude::{RegisterPublicKeyCredential, Uuid};

/// How long a browser may take to register once it has opened a link, in seconds.
const TICKET_S: i64 = 900;

/// What a link is for. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum LinkPurpose {
    /// the first administrator of the platform, who chooses a handle and a name
    First = 1,
    /// a person whom an administrator invited
    Invitation = 2,
    /// a person who lost every passkey
    Recovery = 3,
}

impl LinkPurpose {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Invitation => "invitation",
            Self::Recovery => "recovery",
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        [Self::First, Self::Invitation, Self::Recovery]
            .into_iter()
            .find(|purpose| *purpose as u8 == number)
    }
}

/// A one-time link, shown once.
#[derive(Debug)]
pub struct Link {
    /// the secret
    pub secret: BearerText,
    /// what it is for
    pub purpose: LinkPurpose,
    /// until when it works
    pub expires_at: UnixTime,
}

impl Link {
    /// The address to give to its person, below the console's origin.
    pub fn url(&self, console_url: &str) -> String {
        format!("{}/invitation/{}", console_url.trim_end_matches('/'), self.secret.expose())
    }
}

/// What a link offers, for the page that it opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkView {
    /// what it is for
    pub purpose: LinkPurpose,
    /// the organisation that its person joins
    pub organisation: OrganisationId,
    /// its name
    pub organisation_name: String,
    /// who is invited; `None`: the first administrator, who chooses handle and name
    pub person: Option<PersonView>,
    /// what the person may be
    pub roles: Roles,
    /// until when it works
    pub expires_at: UnixTime,
}

/// A link that was opened in a browser.
#[derive(Debug)]
pub struct Opened {
    /// for a cookie: what the browser goes on with, for a quarter of an hour
    pub ticket: BearerText,
    /// what the link offers
    pub link: LinkView,
}

impl Service {
    /// The link for the first administrator: a new one at each call, as long as nobody of the
    /// platform's organisation has registered; `None` afterwards. The one before stops working.
    ///
    /// # Errors
    /// `role`; `no-console`.
    pub async fn first_link(&self, caller: &Caller) -> Result<Option<Link>, ServiceError> {
        let platform = self.platform.id.clone();
        let resource = Resource::organisation(&platform);
        let _permit = self.authorize(caller, Action::CreateOrganisation, &resource)?;
        self.webauthn()?;
        let organisation = self.platform.organisation.id;
        if self.read(|connection| store::has_registered(connection, organisation))? {
            return Ok(None);
        }
        let (secret, row) = self.new_link(
            caller,
            LinkPurpose::First,
            organisation,
            None,
            self.config.people.first_link_s,
        )?;
        let event = self
            .event(caller, audit::Kind::CredentialChange, audit::Outcome::Success)
            .organisation(platform.as_str())
            .severity(audit::Severity::High)
            .detail("what", "first-link");
        let expires_at = row.expires_at;
        let made = self
            .commit(move |tx| {
                if store::has_registered(tx, organisation)? {
                    return Ok(false);
                }
                let first = LinkPurpose::First as u8;
                store::end_links_for(tx, organisation, first, row.created_at)?;
                store::insert_link(tx, &row)?;
                tx.audit(&event)?;
                Ok(true)
            })
            .await?;
        Ok(made.then_some(Link { secret, purpose: LinkPurpose::First, expires_at }))
    }

    /// The link that a start of the server makes by itself: as [`Self::first_link`], but none where
    /// making an administrator takes two. There one of the administrators, who have certificates,
    /// invites the first person, or the machine's own command does.
    ///
    /// # Errors
    /// As [`Self::first_link`].
    pub async fn first_link_of_a_start(
        &self,
        caller: &Caller,
    ) -> Result<Option<Link>, ServiceError> {
        let (row, now) = (self.platform.organisation.id, self.now());
        if self.read(|c| required(c, row, true, Act::ChangeRoles, now))? {
            return Ok(None);
        }
        self.first_link(caller).await
    }

    /// Opens a link: what it offers, and a ticket with which the browser goes on, so that the
    /// secret leaves the address bar. The link works until somebody has registered.
    ///
    /// # Errors
    /// `link` where it is none, has expired or was used; `too-many-attempts`.
    pub async fn open_link(&self, visitor: &Visitor, link: &str) -> Result<Opened, ServiceError> {
        self.admit_link(visitor)?;
        let view = bearer_digest(BearerKind::Link, link)
            .ok_or_else(bad_link)
            .and_then(|digest| Ok((digest, self.link_row(&digest)?)))
            .and_then(|(digest, row)| Ok((digest, self.link_view(&row)?)));
        let (digest, view) = view.inspect_err(|error| {
            self.failed_link(visitor, error.code());
        })?;
        let (ticket, id) = bearer(BearerKind::Ticket)?;
        self.hold(*id.as_bytes(), visitor, Kind::Ticket { link: digest }, TICKET_S);
        Ok(Opened { ticket, link: view })
    }

    /// What the link behind a ticket offers.
    ///
    /// # Errors
    /// `link` where the ticket or the link has expired or was used.
    pub async fn opened_link(&self, ticket: &str) -> Result<LinkView, ServiceError> {
        let digest = self.ticket_link(ticket)?;
        self.link_view(&self.link_row(&digest)?)
    }

    /// Begins to register a passkey by a ticket. The first administrator says its handle and its
    /// name; others have theirs.
    ///
    /// # Errors
    /// `link`, `handle`, `name`, `handle-taken`, `too-many-attempts`, `no-console`.
    pub async fn begin_registration(
        &self,
        visitor: &Visitor,
        ticket: &str,
        first: Option<(&str, &str)>,
    ) -> Result<Ceremony, ServiceError> {
        self.admit(visitor)?;
        let link = self.ticket_link(ticket)?;
        let row = self.link_row(&link)?;
        let person = self.person_of_link(&row)?;
        let (person_id, handle, name, first) = match (&person, first) {
            (Some(person), _) => {
                (person.person_id, person.handle.clone(), person.display_name.clone(), None)
            }
            (None, Some((handle, name))) => {
                check_handle(handle)?;
                check_name(name)?;
                let organisation = row.organisation;
                if self.read(|c| store::person_by_handle(c, organisation, handle))?.is_some() {
                    return Err(handle_taken());
                }
                let chosen = Some((handle.to_owned(), name.to_owned()));
                (random::bytes(), handle.to_owned(), name.to_owned(), chosen)
            }
            (None, None) => {
                return Err(ServiceError::malformed(
                    "handle",
                    "choose a handle and a name for the first administrator",
                ));
            }
        };
        let known = match &person {
            Some(person) => self.read(|connection| store::passkeys(connection, person.id))?,
            None => Vec::new(),
        };
        let organisation = self.organisation_id(row.organisation)?;
        let user = format!("{handle} ({organisation})");
        let (options, state) =
            sign_in::registration(self.webauthn()?, &person_id, &user, &name, &known)?;
        self.begin(visitor, Kind::Register { state, link, person_id, first }, &options)
    }

    /// Registers the passkey of a browser's answer, uses the link up, and signs the person in.
    ///
    /// # Errors
    /// `ceremony-over`, `passkey-refused`, `passkey-response`, `not-discoverable`, `link`,
    /// `handle-taken`, `name`, `too-many-attempts`.
    pub async fn finish_registration(
        &self,
        visitor: &Visitor,
        ceremony: &str,
        passkey_name: &str,
        response: &str,
    ) -> Result<SignedIn, ServiceError> {
        self.may_answer(visitor)?;
        check_name(passkey_name)?;
        let kind = self.take(ceremony);
        let Kind::Register { state, link, person_id, first } =
            kind.inspect_err(|error| self.failed(visitor, "registration", error.code(), None))?
        else {
            self.failed(visitor, "registration", "other-ceremony", None);
            return Err(ceremony::not_accepted());
        };
        let answer: RegisterPublicKeyCredential =
            ceremony::response(response).inspect_err(|error| {
                self.failed(visitor, "registration", error.code(), None);
            })?;
        let mut passkey =
            sign_in::registered(self.webauthn()?, &answer, &state, passkey_name, self.now())
                .inspect_err(|error| self.failed(visitor, "registration", error.code(), None))?;
        let now = self.now();
        let (cookie, mut session) = self.new_session(visitor, 0)?;
        let event = self
            .door_event(visitor, audit::Kind::AccountChange, audit::Outcome::Success)
            .detail("what", "passkey-registered");
        let platform = self.platform.organisation.id;
        let person = self
            .commit(move |tx| {
                let row = open_link_in(tx, &link, now)?;
                let person = match (row.person, first) {
                    (Some(id), _) => found(store::person_by_row(tx, id)?, "person")?,
                    (None, Some((handle, name))) => {
                        // Somebody else was first, by another link or this one.
                        if row.organisation != platform || store::has_registered(tx, platform)? {
                            return Err(bad_link());
                        }
                        if store::person_by_handle(tx, row.organisation, &handle)?.is_some() {
                            return Err(handle_taken());
                        }
                        let roles = Roles::from(Role::Administrator);
                        let id = store::insert_person(
                            tx,
                            &PersonRow {
                                id: 0,
                                person_id,
                                organisation: row.organisation,
                                handle,
                                display_name: name,
                                roles: roles.to_string(),
                                language: None,
                                theme: None,
                                administrator_since: Some(now),
                                added_at: now,
                                registered_at: None,
                                removed_at: None,
                            },
                        )?;
                        found(store::person_by_row(tx, id)?, "person")?
                    }
                    (None, None) => return Err(bad_link()),
                };
                if person.removed_at.is_some() || person.person_id != person_id {
                    return Err(bad_link());
                }
                passkey.person = person.id;
                session.person = person.id;
                sign_in::insert(tx, &passkey)?;
                store::set_registered(tx, person.id, now)?;
                store::end_link(tx, row.id, now)?;
                store::end_links_of(tx, person.id, now)?;
                sessions::insert(tx, &session)?;
                let slug = crate::store::organisation::organisation_by_id(tx, row.organisation)?;
                let slug = slug.map(|row| row.slug).unwrap_or_default();
                let by = LinkPurpose::from_number(row.purpose).map_or("link", LinkPurpose::name);
                tx.audit(
                    &event
                        .organisation(&slug)
                        .actor(&format!("person {slug}/{}", person.handle))
                        .subject(&person.handle)
                        .detail("by", by)
                        .detail("session", &session.digest.to_string()),
                )?;
                tx.effect(Effect::Directory);
                let person = found(store::person_by_row(tx, person.id)?, "person")?;
                Ok((person, session))
            })
            .await
            .inspect_err(|error| self.failed(visitor, "registration", error.code(), None))?;
        let (person, session) = person;
        self.signed_in(&person, cookie, &session)
    }

    /// Makes the row of a link with its secret.
    pub(super) fn new_link(
        &self,
        caller: &Caller,
        purpose: LinkPurpose,
        organisation: i64,
        person: Option<i64>,
        lifetime_s: i64,
    ) -> Result<(BearerText, LinkRow), ServiceError> {
        let (secret, digest) = bearer(BearerKind::Link)?;
        let now = self.now();
        let row = LinkRow {
            id: 0,
            digest,
            purpose: purpose as u8,
            organisation,
            person,
            created_by: caller.to_string(),
            created_at: now,
            expires_at: now.plus(lifetime_s),
            ended_at: None,
        };
        Ok((secret, row))
    }

    fn ticket_link(&self, ticket: &str) -> Result<Sha256, ServiceError> {
        bearer_digest(BearerKind::Ticket, ticket)
            .and_then(|ticket| self.held_link(&ticket))
            .ok_or_else(bad_link)
    }

    fn link_row(&self, digest: &Sha256) -> Result<LinkRow, ServiceError> {
        let now = self.now();
        let row = self.read(|connection| store::link(connection, digest))?;
        row.filter(|row| row.ended_at.is_none() && now < row.expires_at).ok_or_else(bad_link)
    }

    fn person_of_link(&self, row: &LinkRow) -> Result<Option<PersonRow>, ServiceError> {
        let Some(id) = row.person else { return Ok(None) };
        let person = self.read(|connection| store::person_by_row(connection, id))?;
        let person = person.filter(|person| person.removed_at.is_none());
        person.map(Some).ok_or_else(bad_link)
    }

    fn link_view(&self, row: &LinkRow) -> Result<LinkView, ServiceError> {
        let person =
            self.person_of_link(row)?.map(|person| self.person_view(&person)).transpose()?;
        Ok(LinkView {
            purpose: LinkPurpose::from_number(row.purpose).ok_or_else(bad_link)?,
            organisation: self.organisation_id(row.organisation)?,
            organisation_name: self.organisation_of(row.organisation)?.name,
            roles: person.as_ref().map_or(Roles::from(Role::Administrator), |person| person.roles),
            person,
            expires_at: row.expires_at,
        })
    }
}

/// The link, where it still works, in the transaction that uses it up.
fn open_link_in(tx: &Tx<'_>, digest: &Sha256, now: UnixTime) -> Result<LinkRow, ServiceError> {
    store::link(tx, digest)?
        .filter(|row| row.ended_at.is_none() && now < row.expires_at)
        .ok_or_else(bad_link)
}

pub(super) fn handle_taken() -> ServiceError {
    ServiceError::conflict(
        "handle-taken",
        "somebody has, or had, this handle; handles are never given again: choose another",
    )
    .in_japanese("このハンドルは使われている（または過去に使われた）ため選べません。別のものを選んでください")
}

/// One answer for a link that never was, has expired or was used: nothing to learn from it.
fn bad_link() -> ServiceError {
    ServiceError::unauthenticated(
        "link",
        "this link does not work: it has expired or was used already; ask for a new one",
    )
    .in_japanese(
        "このリンクは使えません。期限切れか、すでに使用済みです。新しいリンクを依頼してください",
    )
}

/// The id as WebAuthn's user handle.
pub(super) fn user_handle(person_id: &[u8; 16]) -> Uuid {
    Uuid::from_bytes(*PersonId::from_bytes(*person_id).as_bytes())
}
