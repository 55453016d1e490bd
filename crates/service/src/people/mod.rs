//! People who sign in (AU-5): accounts, one-time links, passkeys, sessions.
//!
//! Nothing here can be guessed or preset: a person comes in through a one-time link, registers a
//! passkey (WebAuthn Level 3, user verification required), and from then on shows it. There is no
//! user name to try and no account to lock: passkeys are discoverable, and limits are per source.

mod accounts;
mod ceremony;
mod first;
mod limits;
mod links;
mod recovery;
mod sessions;
mod sign_in;

pub(crate) use accounts::Administrators;
pub use accounts::{Invited, NewPerson};
pub use ceremony::Ceremony;
pub use first::FirstAdministrator;
pub use links::{Link, LinkPurpose, LinkView, Opened};
pub(crate) use sessions::{NO_SESSION, still_stands};
pub use sessions::{Resumed, SessionView};
pub use sign_in::{PasskeyView, SignedIn};

use crate::{Service, ServiceError, config::PeopleConfig, store::person as store};
use crypto::{Sha256, UnixTime};
use device::{Language, OrganisationId};
use policy::{BearerKind, BearerText, Caller, PersonId, Roles};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, OnceLock},
};
use webauthn_rs::prelude::{Url, Webauthn, WebauthnBuilder};

/// Longest label of a browser kept, in characters.
const LABEL_CHARS_MAX: usize = 80;
/// Longest handle, in characters.
const HANDLE_CHARS_MAX: usize = 32;

/// Who is at the door, as far as the door sees it.
#[derive(Debug, Clone, Default)]
pub struct Visitor {
    /// address of the caller
    pub source: Option<IpAddr>,
    /// what its browser says it is, for the list of sessions: `Firefox on Linux`
    pub label: String,
}

impl Visitor {
    /// The network that the caller is in: what limits count and lists of sessions show. A whole
    /// address would say more about a person than either needs.
    pub fn network(&self) -> String {
        match self.source.map(|source| source.to_canonical()) {
            None => "local".to_owned(),
            Some(IpAddr::V4(address)) => {
                let [a, b, c, _] = address.octets();
                format!("{a}.{b}.{c}.0/24")
            }
            Some(IpAddr::V6(address)) => {
                let [a, b, c, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}::/48")
            }
        }
    }

    fn label(&self) -> String {
        self.label.chars().filter(|c| !c.is_control()).take(LABEL_CHARS_MAX).collect()
    }
}

/// Colours that a person chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// dark on light
    Light,
    /// light on dark
    Dark,
}

impl Theme {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Light, Self::Dark].into_iter().find(|theme| theme.name() == name)
    }
}

/// How an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonState {
    /// has not registered a passkey yet; the link works until then, where there is one that works
    Invited {
        /// end of the open link
        until: Option<UnixTime>,
    },
    /// can sign in
    Active,
    /// lost every passkey; a recovery link may be open
    Recovering {
        /// end of the open link
        until: Option<UnixTime>,
    },
    /// is no member of its organisation any more
    Removed {
        /// since when
        at: UnixTime,
    },
}

impl PersonState {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invited { .. } => "invited",
            Self::Active => "active",
            Self::Recovering { .. } => "recovering",
            Self::Removed { .. } => "removed",
        }
    }
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonView {
    /// its id
    pub id: PersonId,
    /// its organisation
    pub organisation: OrganisationId,
    /// name within it, by which the audit log knows it; never given to another
    pub handle: String,
    /// its name for people
    pub display_name: String,
    /// what it may be
    pub roles: Roles,
    /// how the account stands
    pub state: PersonState,
    /// how many passkeys it has
    pub passkeys: usize,
    /// the language that it chose
    pub language: Option<Language>,
    /// the colours that it chose
    pub theme: Option<Theme>,
    /// since when it is on record
    pub added_at: UnixTime,
    /// when it first registered a passkey
    pub registered_at: Option<UnixTime>,
}

/// What is kept in memory between two steps; nothing of it is missed after a restart.
pub(crate) struct State {
    webauthn: OnceLock<Webauthn>,
    ceremonies: Mutex<ceremony::Pending>,
    limits: Mutex<limits::Limits>,
    seen: Mutex<HashMap<Sha256, sessions::Seen>>,
}

impl State {
    /// Checks the settings and prepares for ceremonies.
    pub(crate) fn new(
        console_url: Option<&str>,
        people: &PeopleConfig,
    ) -> Result<Self, ServiceError> {
        people.check()?;
        let known = console_url.map(webauthn).transpose()?;
        Ok(Self {
            webauthn: known.map(OnceLock::from).unwrap_or_default(),
            ceremonies: Mutex::default(),
            limits: Mutex::default(),
            seen: Mutex::default(),
        })
    }
}

fn webauthn(console_url: &str) -> Result<Webauthn, ServiceError> {
    let bad = || {
        ServiceError::malformed(
            "console-url",
            "the console's address must be an https origin with a host name (http only for \
             localhost), such as https://console.example; passkeys are bound to that name",
        )
    };
    let url = Url::parse(console_url).map_err(|_| bad())?;
    let host = url.domain().ok_or_else(bad)?.to_owned();
    let local = host == "localhost" || host.ends_with(".localhost");
    let secure = url.scheme() == "https" || (url.scheme() == "http" && local);
    let origin_only = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !secure || !origin_only {
        return Err(bad());
    }
    WebauthnBuilder::new(&host, &url)
        .and_then(|builder| builder.rp_name("Tegata").timeout(ceremony::LIFETIME).build())
        .map_err(|_| bad())
}

impl Service {
    /// Says where the console is, for a door that knows its address only when it is open. Passkeys
    /// are bound to its host. The first word counts, that of [`crate::Config::console_url`] before
    /// all.
    ///
    /// # Errors
    /// `console-url`.
    pub fn open_console(&self, console_url: &str) -> Result<(), ServiceError> {
        let known = webauthn(console_url)?;
        self.people.webauthn.get_or_init(|| known);
        Ok(())
    }

    /// The address of a link in the console, to give to its person.
    pub fn link_url(&self, link: &Link) -> String {
        let origin = self.people.webauthn.get().and_then(|it| it.get_allowed_origins().first());
        link.url(origin.map_or("", Url::as_str))
    }

    pub(crate) fn webauthn(&self) -> Result<&Webauthn, ServiceError> {
        self.people.webauthn.get().ok_or_else(|| {
            ServiceError::refused(
                "no-console",
                "the console is not set up: start the server with the address that people type",
            )
        })
    }

    /// Sensitive acts want a person who has just shown its passkey: whoever finds an unlocked
    /// screen has none.
    pub(crate) fn fresh(&self, caller: &Caller) -> Result<(), ServiceError> {
        let Caller::Person { authenticated_at, .. } = caller else { return Ok(()) };
        let age = self.now().since(*authenticated_at);
        if (0..=self.config.people.fresh_s).contains(&age) {
            return Ok(());
        }
        Err(ServiceError::forbidden(
            "reauthenticate",
            "show your passkey again: this act wants one that was shown within the last minutes",
        )
        .in_japanese("この操作には直前の本人確認が必要です。もう一度パスキーで確認してください"))
    }

    /// The person of this id in this organisation.
    pub(crate) fn person_row(
        &self,
        organisation: &OrganisationId,
        person: &PersonId,
    ) -> Result<store::PersonRow, ServiceError> {
        let organisation = self.organisation_row(organisation.as_str())?;
        let row = self.read(|connection| store::person(connection, person.as_bytes()))?;
        crate::live::found(row.filter(|row| row.organisation == organisation.id), "person")
    }

    pub(crate) fn person_view(&self, row: &store::PersonRow) -> Result<PersonView, ServiceError> {
        let now = self.now();
        let (passkeys, link) = self.read(|connection| {
            let passkeys = store::passkeys(connection, row.id)?.len();
            Ok((passkeys, store::link_of(connection, row.id, now)?))
        })?;
        let until = link.map(|link| link.expires_at);
        let state = match (row.removed_at, row.registered_at) {
            (Some(at), _) => PersonState::Removed { at },
            (None, None) => PersonState::Invited { until },
            (None, Some(_)) if passkeys == 0 => PersonState::Recovering { until },
            (None, Some(_)) => PersonState::Active,
        };
        Ok(PersonView {
            id: PersonId::from_bytes(row.person_id),
            organisation: self.organisation_id(row.organisation)?,
            handle: row.handle.clone(),
            display_name: row.display_name.clone(),
            roles: roles_of(row)?,
            state,
            passkeys,
            language: row.language.as_deref().and_then(language),
            theme: row.theme.as_deref().and_then(Theme::from_name),
            added_at: row.added_at,
            registered_at: row.registered_at,
        })
    }
}

/// A person for a second person to look at.
pub(crate) fn who(row: &store::PersonRow) -> crate::approvals::Who {
    crate::approvals::Who {
        id: PersonId::from_bytes(row.person_id).to_string(),
        handle: row.handle.clone(),
        name: row.display_name.clone(),
    }
}

/// What the row of a person says it may be.
pub(crate) fn roles_of(row: &store::PersonRow) -> Result<Roles, ServiceError> {
    row.roles.parse().map_err(|_| ServiceError::fatal("store-damaged", "a person's row is damaged"))
}

fn language(name: &str) -> Option<Language> {
    match name {
        "ja" => Some(Language::Ja),
        "en" => Some(Language::En),
        _ => None,
    }
}

fn language_name(language: Language) -> &'static str {
    match language {
        Language::Ja => "ja",
        Language::En => "en",
    }
}

/// Fresh random bytes as a bearer secret.
fn bearer(kind: BearerKind) -> Result<(BearerText, Sha256), ServiceError> {
    BearerText::make(kind, crypto::random::bytes()).ok_or_else(|| {
        ServiceError::unavailable(
            "random",
            "the random generator gave no random bytes; nothing was granted",
        )
    })
}

/// A handle: what the audit log calls a person.
fn check_handle(handle: &str) -> Result<(), ServiceError> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
    let begins = handle.starts_with(|c: char| c.is_ascii_lowercase());
    if !begins || handle.len() > HANDLE_CHARS_MAX || !handle.chars().all(fits) {
        return Err(ServiceError::malformed(
            "handle",
            "a handle has 1 to 32 of the characters a-z 0-9 . - _ and begins with a letter",
        )
        .in_japanese("ハンドルは英小文字で始まる1〜32文字で、a-z 0-9 . - _ が使えます"));
    }
    if handle.parse::<device::DeviceId>().is_ok() {
        return Err(ServiceError::malformed(
            "handle",
            "this is the form of a device's id; choose another handle",
        ));
    }
    Ok(())
}
