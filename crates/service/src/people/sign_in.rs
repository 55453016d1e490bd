//! Use cases: sign in, show the passkey again, and look after one's own passkeys.

use super::{
    PersonView, Visitor, bearer,
    ceremony::{self, Ceremony, Kind, not_accepted},
    links::user_handle,
    sessions,
};
use crate::{
    Service, ServiceError,
    live::found,
    organisations::check_name,
    store::{
        Tx,
        person::{self as store, PasskeyRow, PersonRow, SessionRow},
    },
};
use crypto::UnixTime;
use policy::{BearerKind, BearerText, Caller};
use webauthn_rs::prelude::{
    AuthenticationResult, CreationChallengeResponse, DiscoverableKey, Passkey, PasskeyRegistration,
    PublicKeyCredential, RegisterPublicKeyCredential, Webauthn, WebauthnError,
};

/// Most passkeys of a person.
const PASSKEYS_MAX: usize = 20;

/// Somebody signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// the value of the session's cookie, shown once
    pub cookie: BearerText,
    /// what use cases are called as
    pub caller: Caller,
    /// who it is
    pub person: PersonView,
    /// when the session ends whatever is done
    pub expires_at: UnixTime,
}

/// A passkey in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyView {
    /// its name for the program: the SHA-256 of its credential id
    pub id: crypto::Sha256,
    /// what its person calls it
    pub name: String,
    /// since when
    pub added_at: UnixTime,
    /// when it was last shown
    pub last_used_at: Option<UnixTime>,
}

impl Service {
    /// Begins to sign in by a discoverable passkey: no name is asked for, so that none can be tried.
    ///
    /// # Errors
    /// `too-many-attempts`, `no-console`.
    pub async fn begin_sign_in(&self, visitor: &Visitor) -> Result<Ceremony, ServiceError> {
        self.admit(visitor)?;
        let (mut options, state) =
            self.webauthn()?.start_discoverable_authentication().map_err(|error| fault(&error))?;
        // The page asks when a button is pressed; it does not wait for a form to be filled in.
        options.mediation = None;
        self.begin(visitor, Kind::SignIn(state), &options)
    }

    /// Checks a browser's answer and opens a session.
    ///
    /// # Errors
    /// `passkey-refused` without saying why, `ceremony-over`, `passkey-response`,
    /// `too-many-attempts`.
    pub async fn finish_sign_in(
        &self,
        visitor: &Visitor,
        ceremony: &str,
        response: &str,
    ) -> Result<SignedIn, ServiceError> {
        self.may_answer(visitor)?;
        let outcome = self.try_sign_in(visitor, ceremony, response).await;
        outcome.map_err(|refusal| {
            let Refusal { error, reason, subject } = refusal;
            self.failed(visitor, "sign-in", &reason, subject.as_deref());
            error
        })
    }

    async fn try_sign_in(
        &self,
        visitor: &Visitor,
        ceremony: &str,
        response: &str,
    ) -> Result<SignedIn, Refusal> {
        let Kind::SignIn(state) = self.take(ceremony)? else {
            return Err(Refusal::of("other-ceremony"));
        };
        let answer: PublicKeyCredential = ceremony::response(response)?;
        let webauthn = self.webauthn()?;
        let (user, credential) = webauthn
            .identify_discoverable_authentication(&answer)
            .map_err(|error| Refusal::of(&ceremony::reason(&error)))?;
        let (passkey, person) = self
            .read(|connection| {
                let Some(passkey) = store::passkey(connection, credential)? else {
                    return Ok(None);
                };
                Ok(store::person_by_row(connection, passkey.person)?.map(|row| (passkey, row)))
            })?
            .ok_or_else(|| Refusal::of("unknown-passkey"))?;
        let about =
            |reason: &str| Refusal { subject: Some(person.handle.clone()), ..Refusal::of(reason) };
        if user != user_handle(&person.person_id) || person.removed_at.is_some() {
            return Err(about("other-person"));
        }
        let key: DiscoverableKey = stored(&passkey)?.into();
        let result = webauthn.finish_discoverable_authentication_v2(&answer, state, &key).map_err(
            |error| {
                self.counter_alarm(visitor, &error, &person);
                about(&ceremony::reason(&error))
            },
        )?;
        let (cookie, session) = self.new_session(visitor, person.id)?;
        let event = self
            .door_event(visitor, audit::Kind::Authentication, audit::Outcome::Success)
            .organisation(self.organisation_id(person.organisation)?.as_str())
            .actor(&format!(
                "person {}/{}",
                self.organisation_id(person.organisation)?,
                person.handle
            ))
            .subject(&person.handle)
            .detail("what", "sign-in")
            .detail("session", &session.digest.to_string());
        let now = self.now();
        let row = session.clone();
        self.commit(move |tx| {
            let person = store::person_by_row(tx, session.person)?;
            if person.is_none_or(|person| person.removed_at.is_some()) {
                return Err(not_accepted());
            }
            shown(tx, &passkey.credential, &result, now)?;
            sessions::insert(tx, &session)?;
            tx.audit(&event).map(|_| ())
        })
        .await
        .map_err(|error| match error.code() {
            "passkey-refused" => {
                self.counter_alarm(visitor, &WebauthnError::CredentialPossibleCompromise, &person);
                about("counter-in-transaction")
            }
            _ => error.into(),
        })?;
        Ok(self.signed_in(&person, cookie, &row)?)
    }

    /// Begins to show the passkey again, for a sensitive act.
    ///
    /// # Errors
    /// `role` where the caller is no person; `too-many-attempts`, `no-console`.
    pub async fn begin_reauthentication(
        &self,
        visitor: &Visitor,
        caller: &Caller,
    ) -> Result<Ceremony, ServiceError> {
        self.admit(visitor)?;
        let person = self.own_row(caller)?;
        let Caller::Person { session, .. } = caller else { return Err(self.no_person(caller)) };
        let rows = self.read(|connection| store::passkeys(connection, person.id))?;
        let keys = rows.iter().map(stored).collect::<Result<Vec<_>, _>>()?;
        let (options, state) =
            self.webauthn()?.start_passkey_authentication(&keys).map_err(|error| fault(&error))?;
        self.begin(visitor, Kind::Again { state, session: *session }, &options)
    }

    /// Checks the answer. The session goes on under a new secret: what was stolen before is worth
    /// nothing now.
    ///
    /// # Errors
    /// `passkey-refused`, `ceremony-over`, `session-ended`.
    pub async fn finish_reauthentication(
        &self,
        visitor: &Visitor,
        caller: &Caller,
        ceremony: &str,
        response: &str,
    ) -> Result<SignedIn, ServiceError> {
        self.may_answer(visitor)?;
        let person = self.own_row(caller)?;
        let outcome = self.try_again(visitor, caller, &person, ceremony, response).await;
        outcome.map_err(|refusal| {
            self.failed(visitor, "reauthentication", &refusal.reason, Some(&person.handle));
            refusal.error
        })
    }

    async fn try_again(
        &self,
        visitor: &Visitor,
        caller: &Caller,
        person: &PersonRow,
        ceremony: &str,
        response: &str,
    ) -> Result<SignedIn, Refusal> {
        let Caller::Person { session: own, .. } = caller else {
            return Err(self.no_person(caller).into());
        };
        let own = *own;
        let (state, session) = match self.take(ceremony)? {
            Kind::Again { state, session } if session == own => (state, session),
            _ => return Err(Refusal::of("other-ceremony")),
        };
        let answer: PublicKeyCredential = ceremony::response(response)?;
        let result =
            self.webauthn()?.finish_passkey_authentication(&answer, &state).map_err(|error| {
                self.counter_alarm(visitor, &error, person);
                Refusal::of(&ceremony::reason(&error))
            })?;
        let credential: Vec<u8> = answer.get_credential_id().to_vec();
        let (cookie, digest) = bearer(BearerKind::Session)?;
        let event = self
            .event(caller, audit::Kind::Authentication, audit::Outcome::Success)
            .door(audit::Door::Console)
            .subject(&person.handle)
            .detail("what", "reauthentication")
            .detail("session", &digest.to_string());
        let (now, id) = (self.now(), person.id);
        let session = self
            .commit(move |tx| {
                let key = store::passkey(tx, &credential)?.filter(|key| key.person == id);
                found(key, "passkey")?;
                shown(tx, &credential, &result, now)?;
                if !store::renew_session(tx, &session, &digest, now)? {
                    return Err(not_accepted());
                }
                tx.audit(&event)?;
                found(store::session(tx, &digest)?, "session")
            })
            .await?;
        Ok(self.signed_in(person, cookie, &session)?)
    }

    /// The caller's passkeys.
    ///
    /// # Errors
    /// `role` where the caller is no person.
    pub async fn passkeys(&self, caller: &Caller) -> Result<Vec<PasskeyView>, ServiceError> {
        let person = self.own_row(caller)?;
        let rows = self.read(|connection| store::passkeys(connection, person.id))?;
        Ok(rows.into_iter().map(|row| passkey_view(&row)).collect())
    }

    /// Begins to add a passkey to one's own account.
    ///
    /// # Errors
    /// `reauthenticate`, `too-many-passkeys`, `role` where the caller is no person.
    pub async fn begin_add_passkey(
        &self,
        visitor: &Visitor,
        caller: &Caller,
    ) -> Result<Ceremony, ServiceError> {
        self.admit(visitor)?;
        let person = self.own_row(caller)?;
        self.fresh(caller)?;
        let Caller::Person { session, organisation, .. } = caller else {
            return Err(self.no_person(caller));
        };
        let known = self.read(|connection| store::passkeys(connection, person.id))?;
        if known.len() >= PASSKEYS_MAX {
            return Err(too_many_passkeys());
        }
        let user = format!("{} ({organisation})", person.handle);
        let (options, state) =
            registration(self.webauthn()?, &person.person_id, &user, &person.display_name, &known)?;
        self.begin(visitor, Kind::Add { state, session: *session }, &options)
    }

    /// Adds the passkey of a browser's answer to one's own account.
    ///
    /// # Errors
    /// `ceremony-over`, `passkey-refused`, `not-discoverable`, `name`, `session-ended`.
    pub async fn finish_add_passkey(
        &self,
        visitor: &Visitor,
        caller: &Caller,
        ceremony: &str,
        name: &str,
        response: &str,
    ) -> Result<PasskeyView, ServiceError> {
        self.may_answer(visitor)?;
        check_name(name)?;
        let person = self.own_row(caller)?;
        let Caller::Person { session: own, .. } = caller else {
            return Err(self.no_person(caller));
        };
        let refused = |error: ServiceError| {
            self.failed(visitor, "add-passkey", error.code(), Some(&person.handle));
            error
        };
        let state = match self.take(ceremony).map_err(refused)? {
            Kind::Add { state, session } if session == *own => state,
            _ => return Err(refused(not_accepted())),
        };
        let answer: RegisterPublicKeyCredential = ceremony::response(response).map_err(refused)?;
        let mut row =
            registered(self.webauthn()?, &answer, &state, name, self.now()).map_err(refused)?;
        row.person = person.id;
        let view = passkey_view(&row);
        let event = self
            .event(caller, audit::Kind::AccountChange, audit::Outcome::Success)
            .door(audit::Door::Console)
            .subject(&person.handle)
            .detail("what", "passkey-added")
            .detail("passkey", &view.id.to_string());
        let caller = caller.clone();
        self.commit(move |tx| {
            sessions::still_stands(tx, &caller)?;
            insert(tx, &row)?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        Ok(view)
    }

    /// Gives one of one's own passkeys another name.
    ///
    /// # Errors
    /// `not-found`, `name`.
    pub async fn rename_passkey(
        &self,
        caller: &Caller,
        id: &crypto::Sha256,
        name: &str,
    ) -> Result<(), ServiceError> {
        check_name(name)?;
        let person = self.own_row(caller)?;
        let (id, name) = (*id, name.to_owned());
        self.commit(move |tx| {
            let row = own_passkey(tx, person.id, &id)?;
            store::rename_passkey(tx, row.id, &name)
        })
        .await
    }

    /// Removes one of one's own passkeys; never the last.
    ///
    /// # Errors
    /// `not-found`, `last-passkey`, `reauthenticate`.
    pub async fn remove_passkey(
        &self,
        caller: &Caller,
        id: &crypto::Sha256,
    ) -> Result<(), ServiceError> {
        let person = self.own_row(caller)?;
        self.fresh(caller)?;
        let event = self
            .event(caller, audit::Kind::AccountChange, audit::Outcome::Success)
            .door(audit::Door::Console)
            .subject(&person.handle)
            .detail("what", "passkey-removed")
            .detail("passkey", &id.to_string());
        let (id, caller) = (*id, caller.clone());
        self.commit(move |tx| {
            sessions::still_stands(tx, &caller)?;
            let row = own_passkey(tx, person.id, &id)?;
            if store::passkeys(tx, person.id)?.len() < 2 {
                return Err(ServiceError::refused(
                    "last-passkey",
                    "this is your last passkey; add another one before you remove it",
                )
                .in_japanese(
                    "最後のパスキーは削除できません。先に別のパスキーを追加してください",
                ));
            }
            store::delete_passkey(tx, row.id)?;
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    pub(super) fn signed_in(
        &self,
        person: &PersonRow,
        cookie: BearerText,
        session: &SessionRow,
    ) -> Result<SignedIn, ServiceError> {
        Ok(SignedIn {
            cookie,
            caller: self.person_caller(person, session.digest, session.authenticated_at)?,
            person: self.person_view(person)?,
            expires_at: session.expires_at,
        })
    }

    /// A counter that went back: somebody may have copied the passkey.
    fn counter_alarm(&self, visitor: &Visitor, error: &WebauthnError, person: &PersonRow) {
        if !matches!(error, WebauthnError::CredentialPossibleCompromise) {
            return;
        }
        let mut event = self
            .door_event(visitor, audit::Kind::Authentication, audit::Outcome::Failure)
            .severity(audit::Severity::High)
            .subject(&person.handle)
            .detail("what", "passkey-counter-went-back");
        if let Ok(organisation) = self.organisation_id(person.organisation) {
            event = event.organisation(organisation.as_str());
        }
        self.note(event);
    }
}

/// Why somebody is not let in: what the caller is told, and what the log is.
struct Refusal {
    error: ServiceError,
    reason: String,
    subject: Option<String>,
}

impl Refusal {
    fn of(reason: &str) -> Self {
        Self { error: not_accepted(), reason: reason.to_owned(), subject: None }
    }
}

impl From<ServiceError> for Refusal {
    fn from(error: ServiceError) -> Self {
        Self { reason: error.code().to_owned(), error, subject: None }
    }
}

/// Begins a registration: user verification and a discoverable passkey required, no attestation.
pub(super) fn registration(
    webauthn: &Webauthn,
    person_id: &[u8; 16],
    user: &str,
    name: &str,
    known: &[PasskeyRow],
) -> Result<(CreationChallengeResponse, PasskeyRegistration), ServiceError> {
    let known = known.iter().map(|row| row.credential.clone()).collect();
    let (options, state) = webauthn
        .start_passkey_registration(user_handle(person_id), user, name, Some(known))
        .map_err(|error| fault(&error))?;
    Ok((discoverable(&options)?, state))
}

/// The library asks authenticators not to make a discoverable passkey; sign-in without a name
/// rests on one. Only the request to the browser changes, nothing that is checked.
fn discoverable(
    options: &CreationChallengeResponse,
) -> Result<CreationChallengeResponse, ServiceError> {
    let unwritable = |_| ServiceError::unavailable("ceremony", "the ceremony cannot be written");
    let mut json = serde_json::to_value(options).map_err(unwritable)?;
    if let Some(selection) = json.pointer_mut("/publicKey/authenticatorSelection") {
        *selection = serde_json::json!({
            "residentKey": "required",
            "requireResidentKey": true,
            "userVerification": "required",
        });
    }
    serde_json::from_value(json).map_err(unwritable)
}

/// Checks the answer to a registration and makes the row of the passkey.
pub(super) fn registered(
    webauthn: &Webauthn,
    answer: &RegisterPublicKeyCredential,
    state: &PasskeyRegistration,
    name: &str,
    now: UnixTime,
) -> Result<PasskeyRow, ServiceError> {
    if answer.extensions.cred_props.as_ref().is_some_and(|props| props.rk == Some(false)) {
        return Err(ServiceError::refused(
            "not-discoverable",
            "this authenticator cannot keep a passkey that is found without a name; use another, \
             such as your phone or computer itself",
        )
        .in_japanese("この認証器は必要な種類のパスキーを保存できません。スマートフォンやパソコン本体など別の認証器を使ってください"));
    }
    let passkey = webauthn.finish_passkey_registration(answer, state).map_err(|error| {
        tracing::info!(%error, "a passkey was refused at registration");
        not_accepted()
    })?;
    let json = serde_json::to_value(&passkey)
        .map_err(|_| ServiceError::unavailable("passkey", "the passkey cannot be written"))?;
    let counter = json.pointer("/cred/counter").and_then(serde_json::Value::as_i64);
    Ok(PasskeyRow {
        id: 0,
        person: 0,
        credential: passkey.cred_id().to_vec(),
        passkey: json.to_string(),
        counter: counter.ok_or_else(|| {
            ServiceError::unavailable("passkey", "the passkey's counter cannot be read")
        })?,
        name: name.to_owned(),
        added_at: now,
        last_used_at: None,
    })
}

/// Stores a passkey, which must be nobody's yet (WebAuthn section 7.1, step 26).
pub(super) fn insert(tx: &mut Tx<'_>, row: &PasskeyRow) -> Result<(), ServiceError> {
    if store::passkey(tx, &row.credential)?.is_some() {
        return Err(ServiceError::conflict(
            "passkey-known",
            "this passkey is registered already; use it to sign in",
        ));
    }
    if store::passkeys(tx, row.person)?.len() >= PASSKEYS_MAX {
        return Err(too_many_passkeys());
    }
    store::insert_passkey(tx, row).map(|_| ())
}

/// Notes that a passkey was shown. The counter is compared here again, where nobody else changes
/// it: of two answers with one counter, one is refused.
fn shown(
    tx: &mut Tx<'_>,
    credential: &[u8],
    result: &AuthenticationResult,
    now: UnixTime,
) -> Result<(), ServiceError> {
    let row = store::passkey(tx, credential)?.ok_or_else(not_accepted)?;
    let counter = i64::from(result.counter());
    if (counter > 0 || row.counter > 0) && counter <= row.counter {
        return Err(not_accepted());
    }
    let mut passkey = stored(&row)?;
    passkey.update_credential(result);
    let json = serde_json::to_string(&passkey)
        .map_err(|_| ServiceError::unavailable("passkey", "the passkey cannot be written"))?;
    store::use_passkey(tx, row.id, &json, counter, now)
}

fn own_passkey(tx: &Tx<'_>, person: i64, id: &crypto::Sha256) -> Result<PasskeyRow, ServiceError> {
    let rows = store::passkeys(tx, person)?;
    found(rows.into_iter().find(|row| crypto::sha256(&row.credential) == *id), "passkey")
}

fn stored(row: &PasskeyRow) -> Result<Passkey, ServiceError> {
    serde_json::from_str(&row.passkey)
        .map_err(|_| ServiceError::fatal("store-damaged", "a passkey's row is damaged"))
}

fn passkey_view(row: &PasskeyRow) -> PasskeyView {
    PasskeyView {
        id: crypto::sha256(&row.credential),
        name: row.name.clone(),
        added_at: row.added_at,
        last_used_at: row.last_used_at,
    }
}

fn too_many_passkeys() -> ServiceError {
    ServiceError::too_many(
        "too-many-passkeys",
        format!("a person has at most {PASSKEYS_MAX} passkeys; remove one that is not used"),
    )
}

/// The library cannot begin: its fault or the settings', not the visitor's.
fn fault(error: &WebauthnError) -> ServiceError {
    tracing::error!(%error, "a ceremony cannot begin");
    ServiceError::unavailable("ceremony", "the ceremony cannot begin; try again in a minute")
}
