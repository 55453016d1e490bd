//! Use cases about issued certificates: find, revoke, suspend, release (KM-4).

use crate::{
    Page, Paged, Service, ServiceError,
    approvals::{Intent, Slip},
    live::{HOLD, found},
    names::same_name,
    people::Administrators,
    record,
    store::{
        certificate::{self as store, CertificateFilter, CertificateRow, Status},
        device as devices, organisation as organisations,
    },
};
use crypto::{Sha256, UnixTime};
use device::{Cause, DeviceId, EventKind, OrganisationId};
use pki::{Certificate, Profile, Serial, crl::RevocationReason};
use policy::{Act, Action, Caller, Resource, Role, Roles};
use std::sync::Arc;

/// Which certificate: its CA's name and its serial number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateId {
    /// name of the CA
    pub ca: String,
    /// serial number
    pub serial: Serial,
}

/// Where a certificate is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateStatus {
    /// works, while its dates allow
    Good,
    /// for the time being it does not
    Suspended,
    /// never again
    Revoked,
}

impl CertificateStatus {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
    }
}

/// An issued certificate.
#[derive(Debug, Clone)]
pub struct CertificateView {
    /// which
    pub id: CertificateId,
    /// what it is for
    pub profile: Profile,
    /// whose
    pub organisation: OrganisationId,
    /// the device that it was issued to
    pub device: Option<DeviceId>,
    /// where in its life it is
    pub status: CertificateStatus,
    /// since when and why it does not work
    pub revoked: Option<(UnixTime, RevocationReason)>,
    /// the certificate
    pub certificate: Certificate,
}

/// Which certificates are wanted.
#[derive(Debug, Clone, Default)]
pub struct CertificateQuery {
    /// of one device
    pub device: Option<DeviceId>,
    /// in one condition
    pub status: Option<CertificateStatus>,
}

impl Service {
    /// A page of an organisation's certificates.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn certificates(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        query: &CertificateQuery,
        page: &Page,
    ) -> Result<Paged<CertificateView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadCertificate, &resource)?;
        let row = self.organisation_row(organisation.as_str())?;
        let (after, limit) = page.rows(self.config.limits.page)?;
        let device = match &query.device {
            Some(device) => {
                match self.read(|connection| devices::device(connection, device.as_bytes()))? {
                    Some(row) => Some(row.id),
                    // As for a device that has no certificate of this organisation.
                    None => return Ok(Paged { items: Vec::new(), next: None }),
                }
            }
            None => None,
        };
        let filter = CertificateFilter {
            organisation: Some(row.id),
            device,
            status: query.status.map(|status| match status {
                CertificateStatus::Good => Status::Good,
                CertificateStatus::Suspended => Status::Suspended,
                CertificateStatus::Revoked => Status::Revoked,
            }),
            expires_before: None,
        };
        let rows = self.read(|c| store::certificates(c, &filter, after, limit + 1))?;
        let page = Paged::cut(rows, limit, |row| row.id.to_string());
        let items = page
            .items
            .into_iter()
            .filter(|row| row.status != Status::Abandoned)
            .map(|row| self.certificate_view(&row))
            .collect::<Result<_, _>>()?;
        Ok(Paged { items, next: page.next })
    }

    /// One certificate.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn certificate(
        &self,
        caller: &Caller,
        id: &CertificateId,
    ) -> Result<CertificateView, ServiceError> {
        let row = self.certificate_for(caller, id, Action::ReadCertificate)?;
        self.certificate_view(&row)
    }

    /// One certificate by the SHA-256 of its DER.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn certificate_by_fingerprint(
        &self,
        caller: &Caller,
        fingerprint: &Sha256,
    ) -> Result<CertificateView, ServiceError> {
        let row = self.read(|c| store::certificate_by_fingerprint(c, fingerprint))?;
        let index = self.ca_index()?;
        let ca = row.as_ref().and_then(|row| index.by_id(row.ca));
        match row.as_ref().zip(ca) {
            Some((row, ca)) => {
                let serial = crate::ocsp::serial(&row.serial)?;
                self.certificate(caller, &CertificateId { ca: ca.slug.clone(), serial }).await
            }
            None => {
                let unknown = Resource::unknown();
                let _permit = self.authorize(caller, Action::ReadCertificate, &unknown)?;
                Err(ServiceError::not_found("certificate"))
            }
        }
    }

    /// Revokes a certificate for ever. A device's history records it.
    ///
    /// # Errors
    /// `not-found`, `role`, `certificate-revoked`, `reason`; for an administrator's
    /// `last-administrator`, `needs-second-person`, `reauthenticate`.
    pub async fn revoke_certificate(
        &self,
        caller: &Caller,
        id: &CertificateId,
        reason: RevocationReason,
    ) -> Result<CertificateView, ServiceError> {
        if matches!(reason, RevocationReason::CertificateHold | RevocationReason::RemoveFromCrl) {
            return Err(ServiceError::refused(
                "reason",
                "this reason is for suspension; suspend the certificate, or choose another reason",
            ));
        }
        self.change(caller, id, Change::Revoke(reason)).await
    }

    /// Suspends a certificate.
    ///
    /// # Errors
    /// `not-found`, `role`, `certificate-revoked`; for an administrator's `last-administrator`,
    /// `needs-second-person`, `reauthenticate`.
    pub async fn suspend_certificate(
        &self,
        caller: &Caller,
        id: &CertificateId,
    ) -> Result<CertificateView, ServiceError> {
        self.change(caller, id, Change::Suspend).await
    }

    /// Ends a certificate's suspension.
    ///
    /// # Errors
    /// `not-found`, `role`, `certificate-not-suspended`.
    pub async fn release_certificate(
        &self,
        caller: &Caller,
        id: &CertificateId,
    ) -> Result<CertificateView, ServiceError> {
        self.change(caller, id, Change::Release).await
    }

    async fn change(
        &self,
        caller: &Caller,
        id: &CertificateId,
        change: Change,
    ) -> Result<CertificateView, ServiceError> {
        let row = self.certificate_for(caller, id, Action::RevokeCertificate)?;
        let slip = self.certificate_slip(caller, &row, change).await?;
        let event = self
            .event(caller, audit::Kind::CertificateRevoked, audit::Outcome::Success)
            .subject(&id.serial.to_string())
            .detail("ca", &id.ca)
            .detail("what", change.name());
        let (platform, now) = (Arc::clone(&self.platform), self.now());
        let (ca, serial, actor) = (row.ca, row.serial.clone(), caller.to_string());
        let by = caller.organisation().cloned();
        self.commit(move |tx| {
            let row = found(store::certificate(tx, ca, &serial)?, "certificate")?;
            slip.consume(tx, now)?;
            // An organisation keeps its last administrator. A certificate in wrong hands the
            // platform, or the machine itself, takes away all the same.
            let owner = organisations::organisation_by_id(tx, row.organisation)?;
            let own =
                owner.is_some_and(|owner| by.as_ref().is_some_and(|by| by.as_str() == owner.slug));
            let guard = (own && row.device.is_none())
                .then(|| Administrators::before(tx, row.organisation, now))
                .transpose()?;
            match (change, row.status) {
                (Change::Suspend, Status::Good) => {
                    store::revoke(tx, &row, Status::Suspended, HOLD, now)?;
                }
                (Change::Release, Status::Suspended) => {
                    let held = row.device.map(|id| devices::device_by_row(tx, id)).transpose()?;
                    let held = held.flatten().is_some_and(|device| {
                        device.standing == device::StandingKind::Suspended.code()
                    });
                    if held {
                        return Err(ServiceError::refused(
                            "device-suspended",
                            "the device itself is suspended; release the device",
                        ));
                    }
                    store::release(tx, &row)?;
                }
                (Change::Revoke(reason), Status::Good | Status::Suspended) => {
                    store::revoke(tx, &row, Status::Revoked, reason.code(), now)?;
                    note_in_history(tx, &platform, &row, reason, &actor, now)?;
                }
                (Change::Release, _) => {
                    return Err(ServiceError::conflict(
                        "certificate-not-suspended",
                        "the certificate is not suspended",
                    ));
                }
                (Change::Suspend, Status::Suspended) => {
                    return Err(ServiceError::conflict(
                        "certificate-suspended",
                        "the certificate is suspended already",
                    ));
                }
                _ => {
                    return Err(ServiceError::conflict(
                        "certificate-revoked",
                        "the certificate is revoked already",
                    ));
                }
            }
            if let Some(guard) = guard {
                guard.some_left(tx)?;
            }
            tx.audit(&event).map(|_| ())
        })
        .await?;
        let row = self.read(|c| store::certificate(c, row.ca, &row.serial))?;
        self.certificate_view(&found(row, "certificate")?)
    }

    /// Whoever revokes an administrator's certificate removes an administrator.
    async fn certificate_slip(
        &self,
        caller: &Caller,
        row: &CertificateRow,
        change: Change,
    ) -> Result<Slip, ServiceError> {
        let fingerprint = crypto::sha256(&row.der);
        let member = match (row.device, change) {
            (None, Change::Revoke(_) | Change::Suspend) => {
                self.read(|connection| organisations::member(connection, &fingerprint))?
            }
            _ => None,
        };
        let administrator = |member: &organisations::MemberRow| {
            let roles: Roles = member.roles.parse().unwrap_or(Roles::ALL);
            member.removed_at.is_none() && roles.contains(Role::Administrator)
        };
        let Some(member) = member.filter(administrator) else { return Ok(Slip::NotNeeded) };
        let owner = self.organisation_id(member.organisation)?;
        // One's own certificate, by whichever door: giving it up makes nobody stronger.
        let own = caller.name().is_some_and(|name| same_name(name, &member.name));
        if own && caller.organisation() == Some(&owner) {
            self.fresh(caller)?;
            return Ok(Slip::NotNeeded);
        }
        let intent = Intent::ChangeCertificate {
            change: change.verb().to_owned(),
            name: member.name,
            certificate: fingerprint.to_string(),
        };
        self.second_person(caller, &owner, Act::ChangeRoles, &intent).await
    }

    fn certificate_for(
        &self,
        caller: &Caller,
        id: &CertificateId,
        action: Action,
    ) -> Result<CertificateRow, ServiceError> {
        let row = match self.ca_index()?.by_slug(&id.ca) {
            Some(ca) => self.read(|c| store::certificate(c, ca.id, id.serial.as_bytes()))?,
            None => None,
        };
        let row = row.filter(|row| row.status != Status::Abandoned);
        match row {
            Some(row) => {
                let owner = self.organisation_id(row.organisation)?;
                let resource = Resource::organisation(&owner);
                let _permit = self.authorize(caller, action, &resource)?;
                // Who runs devices does not lock out the people, signers and servers.
                if action == Action::RevokeCertificate && row.device.is_none() {
                    let more = Action::RevokeMemberCertificate;
                    let _permit = self.authorize(caller, more, &resource)?;
                }
                Ok(row)
            }
            None => {
                let _permit = self.authorize(caller, action, &Resource::unknown())?;
                Err(ServiceError::not_found("certificate"))
            }
        }
    }

    pub(crate) fn certificate_view(
        &self,
        row: &CertificateRow,
    ) -> Result<CertificateView, ServiceError> {
        let damaged = || ServiceError::fatal("store-damaged", "a certificate's row is damaged");
        let index = self.ca_index()?;
        let ca = index.by_id(row.ca).ok_or_else(damaged)?;
        let device = match row.device {
            Some(id) => self.read(|c| devices::device_by_row(c, id))?,
            None => None,
        };
        let revoked = self
            .live
            .revoked(row.ca, &row.serial)
            .map(|revoked| (revoked.at, crate::ocsp::reason(revoked.reason)));
        Ok(CertificateView {
            id: CertificateId { ca: ca.slug.clone(), serial: crate::ocsp::serial(&row.serial)? },
            profile: Profile::ALL
                .into_iter()
                .find(|profile| *profile as u8 == row.profile)
                .ok_or_else(damaged)?,
            organisation: self.organisation_id(row.organisation)?,
            device: device.map(|device| DeviceId::from_bytes(device.device_id)),
            status: match row.status {
                Status::Good => CertificateStatus::Good,
                Status::Suspended => CertificateStatus::Suspended,
                Status::Revoked | Status::Abandoned => CertificateStatus::Revoked,
            },
            revoked,
            certificate: Certificate::from_der(&row.der).map_err(|_| damaged())?,
        })
    }
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Revoke(RevocationReason),
    Suspend,
    Release,
}

impl Change {
    fn verb(self) -> &'static str {
        match self {
            Self::Revoke(_) => "revoke",
            Self::Suspend => "suspend",
            Self::Release => "release",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Revoke(_) => "revoked",
            Self::Suspend => "suspended",
            Self::Release => "released",
        }
    }
}

/// A device's history says which of its credentials ended. Where the history no longer lists the
/// certificate, or is closed, there is nothing to say.
pub(crate) fn note_in_history(
    tx: &mut crate::store::Tx<'_>,
    platform: &Arc<crate::service::Platform>,
    row: &CertificateRow,
    reason: RevocationReason,
    actor: &str,
    now: UnixTime,
) -> Result<(), ServiceError> {
    let Some(device) = row.device else { return Ok(()) };
    let device = found(devices::device_by_row(tx, device)?, "device")?;
    let Some(state) = record::state_of(&device)? else { return Ok(()) };
    let certificate = crypto::sha256(&row.der);
    // One that is over is none of its credentials any more.
    let mut credentials = state.credentials().iter().filter(|it| it.not_after >= now);
    if !credentials.any(|credential| credential.certificate == certificate) {
        return Ok(());
    }
    let cause = match reason {
        RevocationReason::KeyCompromise
        | RevocationReason::CaCompromise
        | RevocationReason::AaCompromise => Cause::KeyCompromise,
        RevocationReason::Superseded => Cause::Superseded,
        RevocationReason::CessationOfOperation | RevocationReason::AffiliationChanged => {
            Cause::EndOfUse
        }
        _ => Cause::Order,
    };
    let kind = EventKind::CredentialRevoked { certificate, cause };
    let id = DeviceId::from_bytes(device.device_id);
    record::apply_platform(tx, platform, &id, &kind, Some(actor), now).map(|_| ())
}
