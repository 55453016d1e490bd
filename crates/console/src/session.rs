//! Who is signed in.

use crate::Theme;
use crypto::UnixTime;
use device::{Language, OrganisationId};
use policy::Caller;
use service::Service;
use std::{future::Future, pin::Pin};

/// A person who signed in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// what use cases are called as
    pub caller: Caller,
    /// the person's organisation
    pub organisation: OrganisationId,
    /// its name
    pub organisation_name: String,
    /// the person's name
    pub name: String,
    /// the language that the person chose
    pub language: Option<Language>,
    /// the theme that the person chose
    pub theme: Option<Theme>,
    /// when the person last showed a passkey
    pub authenticated_at: UnixTime,
}

/// A future of a session.
pub type Resuming<'a> = Pin<Box<dyn Future<Output = Option<SignedIn>> + Send + 'a>>;

/// Finds the session of a cookie. The service does it; tests have people of their own.
pub trait Sessions: Send + Sync {
    /// The person whose session has this secret, where it goes on still. Counts as a sign of life.
    fn resume<'a>(&'a self, secret: &'a str) -> Resuming<'a>;
}

/// The service's sessions.
#[derive(Debug, Clone)]
pub struct ServiceSessions(pub Service);

impl Sessions for ServiceSessions {
    fn resume<'a>(&'a self, secret: &'a str) -> Resuming<'a> {
        Box::pin(async move {
            let resumed = self.0.resume_session(secret).await.ok()?;
            let theme = resumed.person.theme.and_then(|theme| Theme::parse(theme.name()));
            Some(SignedIn {
                caller: resumed.caller,
                organisation: resumed.person.organisation,
                organisation_name: resumed.organisation_name,
                name: resumed.person.display_name,
                language: resumed.person.language,
                theme,
                authenticated_at: resumed.authenticated_at,
            })
        })
    }
}

/// Nobody is signed in.
#[derive(Debug, Clone, Copy)]
pub struct NoSessions;

impl Sessions for NoSessions {
    fn resume<'a>(&'a self, _secret: &'a str) -> Resuming<'a> {
        Box::pin(std::future::ready(None))
    }
}
