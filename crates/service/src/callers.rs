//! Who calls: client certificates, tokens bound to them, one-time codes (AU-1).

use crate::{
    Page, Paged, Service, ServiceError,
    ca::CaKind,
    live::{HOLD, found},
    store::{
        Effect, access, certificate as certificates,
        certificate::Status,
        device as devices, key,
        organisation::{self as organisations, MemberRow},
    },
};
use crypto::{Sha256, UnixTime, random};
use device::OrganisationId;
use pki::{Certificate, validate::Anchors};
use policy::{
    Action, Caller, CodeCheck, CodeRecord, DeviceCredential, EnrolmentSubject, PresentedCode,
    PresentedToken, Resource, Roles, TokenRecord, TokenText,
};
use std::sync::Arc;

/// Whether a certificate of ours works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateStanding {
    /// nothing is held against it
    Good,
    /// for the time being
    Suspended {
        /// since when
        at: UnixTime,
    },
    /// for ever
    Revoked {
        /// since when
        at: UnixTime,
    },
    /// not issued by a CA of this installation
    Unknown,
}

/// A token that was granted. The text is shown once.
#[derive(Debug)]
pub struct IssuedToken {
    /// the token
    pub token: TokenText,
    /// its name, for ending it
    pub id: Sha256,
    /// until when it works
    pub expires_at: UnixTime,
}

/// A token on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenView {
    /// its name, for ending it
    pub id: Sha256,
    /// organisation of its holder
    pub organisation: OrganisationId,
    /// member that holds it
    pub member: String,
    /// client certificate that it is bound to
    pub certificate: Sha256,
    /// what it may do at most
    pub roles: Roles,
    /// since when it works
    pub granted_at: UnixTime,
    /// until when it works
    pub expires_at: UnixTime,
}

impl Service {
    /// The roots that are trusted now, with the issuing CAs validated below them. From memory:
    /// cheap enough for every handshake.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn anchors(&self) -> Result<Arc<Anchors>, ServiceError> {
        self.live.roots.get_or_load((), || {
            let damaged =
                |_| ServiceError::fatal("store-damaged", "a root in the store is damaged");
            let mut anchors = Anchors::default();
            for der in self.read(key::roots)? {
                anchors.add(Certificate::from_der(&der).map_err(damaged)?);
            }
            for row in self.read(key::cas)? {
                let Some(der) = row.certificate else { continue };
                let certificate = Certificate::from_der(&der).map_err(damaged)?;
                let options = pki::validate::Options::any(self.now());
                // One that does not validate now is no reason not to open: its leaves will fail.
                let _ = anchors.add_intermediate_validated(&certificate, &[], &options);
            }
            Ok(Arc::new(anchors))
        })
    }

    /// Whether a certificate works, from memory: for handshakes, and per request.
    pub fn standing_of(&self, certificate: &Certificate) -> CertificateStanding {
        let Ok(index) = self.ca_index() else { return CertificateStanding::Unknown };
        let Some(ca) = index.issuer_of(certificate) else { return CertificateStanding::Unknown };
        match self.live.revoked(ca.id, certificate.serial().as_bytes()) {
            None => CertificateStanding::Good,
            Some(revoked) if revoked.reason == HOLD => {
                CertificateStanding::Suspended { at: revoked.at }
            }
            Some(revoked) => CertificateStanding::Revoked { at: revoked.at },
        }
    }

    /// Changes whenever something was revoked, suspended or released, or members changed: live
    /// sessions compare it and look again only then.
    pub fn revocation_epoch(&self) -> u64 {
        self.live.epoch()
    }

    /// Who presents this certificate, whose chain the TLS layer has validated: a member, or a
    /// device.
    ///
    /// # Errors
    /// `certificate-unknown`, `certificate-revoked`, `certificate-expired`.
    pub async fn identify_certificate(
        &self,
        certificate: &Certificate,
    ) -> Result<Caller, ServiceError> {
        let now = self.now();
        let outcome = self.identify(certificate, now);
        // What the store could not say is nobody's failure to prove it.
        if let Err(error) = &outcome
            && !error.is_no_answer()
        {
            self.note(
                audit::SecurityEvent::new(
                    now,
                    audit::Kind::Authentication,
                    audit::Outcome::Failure,
                )
                .subject(&certificate.fingerprint().to_string())
                .detail("reason", error.code()),
            );
        }
        outcome
    }

    /// As [`Self::identify_certificate`], where a failure is put on record otherwise.
    pub(crate) fn identify(
        &self,
        certificate: &Certificate,
        now: UnixTime,
    ) -> Result<Caller, ServiceError> {
        if !certificate.is_valid_at(now) {
            return Err(ServiceError::unauthenticated(
                "certificate-expired",
                "the client certificate is not valid now; renew it, and check the clock",
            ));
        }
        match self.standing_of(certificate) {
            CertificateStanding::Good => {}
            CertificateStanding::Unknown => return Err(unknown()),
            CertificateStanding::Suspended { .. } | CertificateStanding::Revoked { .. } => {
                return Err(ServiceError::unauthenticated(
                    "certificate-revoked",
                    "the client certificate was revoked or suspended; ask your administrator",
                ));
            }
        }
        let fingerprint = certificate.fingerprint();
        let index = self.ca_index()?;
        let ca = index.issuer_of(certificate).ok_or_else(unknown)?;
        // Members have their certificates from the platform's CA and from no other, so that a
        // device's needs no look for a member.
        if ca.kind == CaKind::Platform
            && let Some(member) = self.member_row(&fingerprint)?
        {
            return self.member_caller(&member, fingerprint);
        }
        self.read(|connection| {
            let serial = certificate.serial().as_bytes();
            let row = certificates::holder(connection, ca.id, serial, certificate.der())?
                .filter(|row| row.status == Status::Good)
                .ok_or_else(unknown)?;
            let credential = match pki::Profile::ALL.into_iter().find(|p| *p as u8 == row.profile) {
                Some(pki::Profile::Chip) => DeviceCredential::Chip,
                Some(pki::Profile::Idevid) => DeviceCredential::Idevid,
                Some(pki::Profile::Ldevid) => DeviceCredential::Ldevid,
                _ => return Err(unknown()),
            };
            Ok(Caller::Device {
                device: device::DeviceId::from_bytes(row.device),
                organisation: self.organisation_id(row.organisation)?,
                credential,
                certificate: fingerprint,
            })
        })
    }

    /// Who presents this token over a connection with this client certificate.
    ///
    /// # Errors
    /// `token` with the reason.
    pub async fn identify_token(
        &self,
        token: &str,
        certificate: &Certificate,
    ) -> Result<Caller, ServiceError> {
        let refused = |refusal: policy::TokenRefusal| {
            ServiceError::unauthenticated("token", refusal.to_string())
        };
        let presented = PresentedToken::parse(token).map_err(refused)?;
        let now = self.now();
        let fingerprint = certificate.fingerprint();
        // The certificate must work by itself, too.
        let caller = self.identify(certificate, now)?;
        let record = self
            .read(|connection| access::token(connection, &presented.digest()))?
            .ok_or_else(|| refused(policy::TokenRefusal::Unknown))?;
        let roles = match caller {
            Caller::Member { roles, .. } => roles,
            _ => Roles::NONE,
        };
        record.check(&presented, Some(&fingerprint), roles, now).map_err(refused)
    }

    /// Who presents a one-time enrolment code: `user` is a device id or a management number. The
    /// code is used up when the enrolment commits, not here.
    ///
    /// # Errors
    /// `code` with the reason, the same for a wrong code and for no such device.
    pub async fn identify_code(&self, user: &str, code: &str) -> Result<Caller, ServiceError> {
        let refused = |refusal: policy::CodeRefusal| {
            ServiceError::unauthenticated("code", refusal.to_string())
        };
        let presented = PresentedCode::parse(code).map_err(refused)?;
        let wrong = || refused(policy::CodeRefusal::Wrong);
        let now = self.now();
        let (row, record) = self
            .read(|connection| {
                let row = match user.parse::<device::DeviceId>() {
                    Ok(id) => devices::device(connection, id.as_bytes())?,
                    Err(_) => match device::ManagementNumber::from_typed(user) {
                        Ok(number) => {
                            devices::device_by_management(connection, &number.to_string())?
                        }
                        Err(_) => None,
                    },
                };
                let Some(row) = row else { return Ok(None) };
                let id = device::DeviceId::from_bytes(row.device_id);
                let record = access::code(connection, row.id, id)?;
                Ok(record.map(|record| (row, record)))
            })?
            .ok_or_else(wrong)?;
        if let CodeCheck::Accepted { caller, .. } = check(&record, &presented, now) {
            return Ok(caller);
        }
        let id = device::DeviceId::from_bytes(row.device_id);
        let event =
            audit::SecurityEvent::new(now, audit::Kind::Authentication, audit::Outcome::Failure)
                .subject(&id.to_string())
                .detail("reason", "code");
        // Once more where nobody else changes it: the code may have been used, withdrawn or
        // replaced since it was read, and each of several wrong ones at a time counts.
        self.commit(move |tx| {
            let Some(record) = access::code(tx, row.id, id)? else {
                tx.audit(&event)?;
                return Ok(Err(policy::CodeRefusal::Wrong));
            };
            match check(&record, &presented, now) {
                CodeCheck::Accepted { caller, .. } => Ok(Ok(caller)),
                CodeCheck::Refused { record, refusal } => {
                    if let Some(record) = record {
                        access::set_code(tx, row.id, &record)?;
                    }
                    tx.audit(&event)?;
                    Ok(Err(refusal))
                }
            }
        })
        .await?
        .map_err(refused)
    }

    /// Grants the caller a token bound to its client certificate.
    ///
    /// # Errors
    /// `token-refused` with the reason.
    pub async fn issue_token(
        &self,
        caller: &Caller,
        roles: Roles,
        lifetime_s: i64,
    ) -> Result<IssuedToken, ServiceError> {
        let resource = match caller.organisation() {
            Some(organisation) => Resource::organisation(organisation),
            None => Resource::unknown(),
        };
        let _permit = self.authorize(caller, Action::ManageOwnTokens, &resource)?;
        let now = self.now();
        let (token, record) =
            TokenRecord::grant(random::bytes(), caller, roles, lifetime_s, now)
                .map_err(|error| ServiceError::refused("token-refused", error.to_string()))?;
        let issued = IssuedToken { token, id: record.digest, expires_at: record.expires_at };
        let event = self
            .event(caller, audit::Kind::CredentialChange, audit::Outcome::Success)
            .subject(&record.digest.to_string())
            .detail("what", "token-granted");
        self.commit(move |tx| {
            access::insert_token(tx, &record)?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        Ok(issued)
    }

    /// Ends a token: one's own, or as an administrator another member's.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn revoke_token(&self, caller: &Caller, id: &Sha256) -> Result<(), ServiceError> {
        let record = self.read(|connection| access::token(connection, id))?;
        let Some(record) = record else {
            let _permit = self.authorize(caller, Action::RevokeToken, &Resource::unknown())?;
            return Err(ServiceError::not_found("token"));
        };
        let own = matches!(caller, Caller::Member { certificate, .. }
            if *certificate == record.certificate);
        let action = if own { Action::ManageOwnTokens } else { Action::RevokeToken };
        let resource = Resource::organisation(&record.organisation);
        let _permit = self.authorize(caller, action, &resource)?;
        let event = self
            .event(caller, audit::Kind::CredentialChange, audit::Outcome::Success)
            .subject(&id.to_string())
            .detail("what", "token-ended");
        let id = *id;
        self.commit(move |tx| {
            access::delete_token(tx, &id)?;
            tx.effect(Effect::Directory);
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// Tokens of an organisation that have not expired.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn tokens(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        page: &Page,
    ) -> Result<Paged<TokenView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::RevokeToken, &resource)?;
        let after = page
            .after
            .as_deref()
            .map(|text| Sha256::from_hex(text).ok_or_else(|| page.misplaced()))
            .transpose()?
            .unwrap_or_default();
        let limit = page.count(self.config.limits.page);
        let now = self.now();
        let records = self
            .read(|connection| access::tokens(connection, organisation, &after, now, limit + 1))?;
        Paged::cut(records, limit, |record| record.digest.to_string()).try_map(|record| {
            Ok(TokenView {
                id: record.digest,
                organisation: record.organisation,
                member: record.member,
                certificate: record.certificate,
                roles: record.roles,
                granted_at: record.granted_at,
                expires_at: record.expires_at,
            })
        })
    }

    /// Takes a door's security event into the audit chain (LG-1): connections, authentication,
    /// malformed messages. Does not wait; where the queue is full the door must refuse work anyway.
    pub fn note_security_event(&self, event: audit::SecurityEvent) {
        self.note(event);
    }

    fn member_row(&self, fingerprint: &Sha256) -> Result<Option<Arc<MemberRow>>, ServiceError> {
        self.live.members.get_or_load(*fingerprint, || {
            let row = self.read(|connection| organisations::member(connection, fingerprint))?;
            Ok(row.filter(|row| row.removed_at.is_none()).map(Arc::new))
        })
    }

    fn member_caller(
        &self,
        member: &MemberRow,
        fingerprint: Sha256,
    ) -> Result<Caller, ServiceError> {
        let damaged = |_| ServiceError::fatal("store-damaged", "a member's row is damaged");
        let organisation = self.organisation_id(member.organisation)?;
        let roles: Roles = member.roles.parse().map_err(damaged)?;
        Ok(Caller::member(organisation, &member.name, roles, fingerprint))
    }

    /// The device that a code is for.
    pub(crate) fn subject_of(
        &self,
        subject: &EnrolmentSubject,
    ) -> Result<device::DeviceId, ServiceError> {
        match subject {
            EnrolmentSubject::Device(device) => Ok(*device),
            EnrolmentSubject::Serial(_) => found(None, "device"),
        }
    }
}

/// The device is the one that the code was found by; its product line is the address's to know.
fn check(record: &CodeRecord, presented: &PresentedCode, now: UnixTime) -> CodeCheck {
    record.check(presented, std::slice::from_ref(&record.subject), &record.product, now)
}

fn unknown() -> ServiceError {
    ServiceError::unauthenticated(
        "certificate-unknown",
        "the client certificate is nobody's here; use one that this platform issued",
    )
}
