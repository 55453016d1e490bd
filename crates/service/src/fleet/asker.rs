//! Who asked for what goes on after its request: a job, a file on its way. Its rights are looked at
//! again with every step, as they are now and as they were then.

use super::bulk::Starter;
use crate::{
    Service, ServiceError,
    people::NO_SESSION,
    store::{access, organisation as organisations, person as people},
};
use crypto::{Sha256, UnixTime};
use policy::{Action, Caller, Role, Roles};

/// Who asked for a file that is on its way.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    caller: Caller,
    at: UnixTime,
}

impl Asker {
    pub(crate) fn new(caller: &Caller, at: UnixTime) -> Self {
        Self { caller: caller.clone(), at }
    }
}

impl Service {
    /// Who asked, with the rights that it has now and had then. A session that has ended and a
    /// token that was taken back end the file, too.
    ///
    /// # Errors
    /// `starter-gone`.
    pub(crate) async fn asker_still(&self, asker: &Asker) -> Result<Caller, ServiceError> {
        match &asker.caller {
            Caller::Platform { .. } => return Ok(asker.caller.clone()),
            Caller::Member { token: Some(token), .. } => {
                let token = self.read(|connection| access::token(connection, token))?;
                token.filter(|token| token.expires_at > self.now()).ok_or_else(gone)?;
            }
            Caller::Person { session, .. } if *session != NO_SESSION => {
                self.read(|connection| people::session(connection, session))?.ok_or_else(gone)?;
            }
            _ => {}
        }
        self.starter_still(&super::bulk::starter(&asker.caller)?, asker.at).await
    }

    /// Who started something at `at`, with the rights that it has now and had then.
    ///
    /// # Errors
    /// `starter-gone`.
    pub(crate) async fn starter_still(
        &self,
        starter: &Starter,
        at: UnixTime,
    ) -> Result<Caller, ServiceError> {
        if starter.machine {
            return Ok(self.local_administrator());
        }
        let then: Roles = starter.roles.parse().map_err(|_| gone())?;
        let both = |now: Roles| {
            let both: Vec<Role> = now.iter().filter(|role| then.contains(*role)).collect();
            Roles::of(&both)
        };
        if let Some(person) = &starter.person {
            let mut id = [0; 16];
            hex::decode_to_slice(person, &mut id).map_err(|_| gone())?;
            let row = self.read(|connection| people::person(connection, &id))?;
            let row = row.filter(|row| row.removed_at.is_none()).ok_or_else(gone)?;
            let mut caller = self.person_caller(&row, NO_SESSION, at)?;
            self.organisation_works(&caller, Action::ListDevices)?;
            if let Caller::Person { roles, .. } = &mut caller {
                *roles = both(*roles);
            }
            return Ok(caller);
        }
        let mut fingerprint = [0; 32];
        let certificate = starter.certificate.as_deref().unwrap_or_default();
        hex::decode_to_slice(certificate, &mut fingerprint).map_err(|_| gone())?;
        let certificate = Sha256(fingerprint);
        let member = self.read(|connection| organisations::member(connection, &certificate))?;
        let member = member.ok_or_else(gone)?;
        let certificate = pki::Certificate::from_der(&member.certificate).map_err(|_| gone())?;
        match self.identify_certificate(&certificate).await.map_err(|_| gone())? {
            Caller::Member { organisation, name, roles, certificate, .. } => {
                let caller = Caller::member(organisation, &name, both(roles), certificate);
                self.organisation_works(&caller, Action::ListDevices)?;
                Ok(caller)
            }
            _ => Err(gone()),
        }
    }
}

pub(super) fn gone() -> ServiceError {
    ServiceError::refused("starter-gone", "whoever asked for this may not do this any more")
        .in_japanese("依頼した人は、この操作を行う権限を失っています")
}
