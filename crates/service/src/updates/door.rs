//! The hawkBit DDI door as far as it is the service's: how an organisation's devices come through it,
//! tokens for those that have no certificate, and the file of an assignment. docs/ddi.md.
//!
//! A token is weaker than a certificate: it can be copied, and says nothing about the device that shows
//! it. So there are none unless the organisation switches them on; each is for one device, or for a
//! gateway with a list of devices; it is made here and nowhere else, ends, is kept as a digest, and
//! opens nothing but the two use cases of updates.

use super::{DeviceSoftware, UpdateDecision, blobs::BlobReader};
use crate::{
    Page, Paged, Service, ServiceError,
    live::found,
    store::{
        device as devices,
        update_token::{self as store, DoorRow, TokenRow},
    },
};
use crypto::{Sha256, UnixTime, random};
use device::{DeviceId, ManagementNumber, OrganisationId, StandingKind};
use policy::{Action, BearerKind, BearerText, Caller, DeviceCredential, Resource, bearer_digest};

/// Longest life of a token, in days.
pub const UPDATE_TOKEN_DAYS_MAX: u16 = 366;
/// Most devices that one gateway speaks for.
pub const GATEWAY_DEVICES_MAX: usize = 1000;
/// Most tokens of an organisation.
const TOKENS_MAX: u64 = 100_000;
/// Bounds of the poll interval that an organisation may ask for, in seconds.
const POLL_S: std::ops::RangeInclusive<u32> = 10..=86_399;
/// Longest name of a gateway, in bytes.
const NAME_BYTES_MAX: usize = 64;
const DAY_S: i64 = 86_400;

/// How devices of an organisation come through the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpdateDoor {
    /// tokens are accepted beside certificates
    pub tokens: bool,
    /// "closed with success" says that the new software was booted and is kept, as SWUpdate says it
    /// after its restart. Where it does not, which is what is assumed of updaters that nobody has
    /// vouched for, a device must name its software afterwards.
    pub closed_confirms: bool,
    /// seconds between polls where there is nothing to do
    pub poll_s: u32,
}

impl Default for UpdateDoor {
    fn default() -> Self {
        Self { tokens: false, closed_confirms: false, poll_s: 300 }
    }
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateTokenKind {
    /// one device (`TargetToken`)
    Target,
    /// a gateway that speaks for a list of devices (`GatewayToken`)
    Gateway,
}

impl UpdateTokenKind {
    fn code(self) -> u8 {
        match self {
            Self::Target => 1,
            Self::Gateway => 2,
        }
    }

    fn bearer(self) -> BearerKind {
        match self {
            Self::Target => BearerKind::UpdateTarget,
            Self::Gateway => BearerKind::UpdateGateway,
        }
    }

    fn credential(self) -> DeviceCredential {
        match self {
            Self::Target => DeviceCredential::TargetToken,
            Self::Gateway => DeviceCredential::GatewayToken,
        }
    }
}

/// A token on record, without the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateTokenView {
    /// its name, for ending it
    pub id: Sha256,
    /// whose devices
    pub organisation: OrganisationId,
    /// what it is for
    pub kind: UpdateTokenKind,
    /// name of the gateway; empty for a device's
    pub name: String,
    /// the devices that it speaks for
    pub devices: Vec<DeviceId>,
    /// since when
    pub granted_at: UnixTime,
    /// who made it
    pub granted_by: String,
    /// until when, exclusive
    pub expires_at: UnixTime,
}

/// A token that was made; its text is shown once.
#[derive(Debug)]
pub struct IssuedUpdateToken {
    /// the token
    pub token: BearerText,
    /// its record
    pub view: UpdateTokenView,
}

impl Service {
    /// How devices of an organisation come through the door.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn update_door(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<UpdateDoor, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageUpdateTokens, &resource)?;
        self.door_of(self.organisation_row(organisation.as_str())?.id)
    }

    /// The same for the door itself, which has authenticated the device and asks for its owner.
    ///
    /// # Errors
    /// `not-found`.
    pub fn update_door_of(
        &self,
        organisation: &OrganisationId,
    ) -> Result<UpdateDoor, ServiceError> {
        self.door_of(self.organisation_row(organisation.as_str())?.id)
    }

    fn door_of(&self, organisation: i64) -> Result<UpdateDoor, ServiceError> {
        let row = self.read(|connection| store::door(connection, organisation))?;
        Ok(row.map_or_else(UpdateDoor::default, |row| UpdateDoor {
            tokens: row.tokens,
            closed_confirms: row.closed_confirms,
            poll_s: row.poll_s,
        }))
    }

    /// Sets how devices of an organisation come through the door. Switching tokens off ends them all.
    ///
    /// # Errors
    /// `not-found`, `role`, `poll-interval`.
    pub async fn set_update_door(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        door: UpdateDoor,
    ) -> Result<(), ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageUpdateTokens, &resource)?;
        if !POLL_S.contains(&door.poll_s) {
            return Err(ServiceError::malformed(
                "poll-interval",
                "devices ask every 10 to 86399 seconds",
            ));
        }
        let row = self.organisation_row(organisation.as_str())?.id;
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .detail("what", "update-door")
            .detail("tokens", if door.tokens { "on" } else { "off" })
            .detail("closed_confirms", if door.closed_confirms { "yes" } else { "no" })
            .detail("poll_s", &door.poll_s.to_string());
        let UpdateDoor { tokens, closed_confirms, poll_s } = door;
        self.commit(move |tx| {
            store::set_door(tx, row, &DoorRow { tokens, closed_confirms, poll_s })?;
            if !tokens {
                store::delete_all(tx, row)?;
            }
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// Makes a token for one device; an older one of the device ends.
    ///
    /// # Errors
    /// `not-found`, `role`, `update-tokens-off`, `token-days`, `too-many-tokens`.
    pub async fn issue_target_token(
        &self,
        caller: &Caller,
        device: &DeviceId,
        days: u16,
    ) -> Result<IssuedUpdateToken, ServiceError> {
        let known = self.device_for(caller, Action::ManageUpdateTokens, device)?;
        let owner = self.organisation_id(known.row.owner)?;
        let resource = Resource::device(*device, &owner).related(caller.organisation());
        let _permit = self.authorize(caller, Action::ManageUpdateTokens, &resource)?;
        let kind = UpdateTokenKind::Target;
        self.issue_update_token(caller, &owner, kind, "", &[(*device, known.row.id)], days).await
    }

    /// Makes a token for a gateway that speaks for these devices of an organisation.
    ///
    /// # Errors
    /// As [`Self::issue_target_token`], and `gateway` for a name or a list that is not acceptable.
    pub async fn issue_gateway_token(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        name: &str,
        devices: &[DeviceId],
        days: u16,
    ) -> Result<IssuedUpdateToken, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageUpdateTokens, &resource)?;
        let plain = !name.is_empty()
            && name.len() <= NAME_BYTES_MAX
            && name.trim() == name
            && !name.chars().any(char::is_control);
        if !plain || devices.is_empty() || devices.len() > GATEWAY_DEVICES_MAX {
            return Err(ServiceError::malformed(
                "gateway",
                "a gateway has a name of 1 to 64 bytes and speaks for 1 to 1000 devices",
            ));
        }
        let owner = self.organisation_row(organisation.as_str())?.id;
        let mut rows: Vec<(DeviceId, i64)> = Vec::new();
        for id in devices {
            let row = self.read(|connection| devices::device(connection, id.as_bytes()))?;
            let row = found(row.filter(|row| row.owner == owner), "device")?;
            rows.push((*id, row.id));
        }
        rows.sort_unstable_by_key(|(_, row)| *row);
        rows.dedup();
        let kind = UpdateTokenKind::Gateway;
        self.issue_update_token(caller, organisation, kind, name, &rows, days).await
    }

    async fn issue_update_token(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        kind: UpdateTokenKind,
        name: &str,
        of: &[(DeviceId, i64)],
        days: u16,
    ) -> Result<IssuedUpdateToken, ServiceError> {
        if !(1..=UPDATE_TOKEN_DAYS_MAX).contains(&days) {
            return Err(ServiceError::malformed("token-days", "a token lives 1 to 366 days"));
        }
        let (token, digest) = BearerText::make(kind.bearer(), random::bytes())
            .ok_or_else(|| ServiceError::fatal("random", "no random bytes; nothing was made"))?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let now = self.now();
        let row = TokenRow {
            digest,
            organisation: owner,
            kind: kind.code(),
            name: name.to_owned(),
            granted_at: now,
            granted_by: caller.to_string(),
            expires_at: now.plus(i64::from(days) * DAY_S),
        };
        let event = self
            .event(caller, audit::Kind::CredentialChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(&digest.to_string())
            .detail("what", "update-token-granted")
            .detail("devices", &of.len().to_string());
        let view = UpdateTokenView {
            id: digest,
            organisation: organisation.clone(),
            kind,
            name: row.name.clone(),
            devices: of.iter().map(|(id, _)| *id).collect(),
            granted_at: row.granted_at,
            granted_by: row.granted_by.clone(),
            expires_at: row.expires_at,
        };
        let rows: Vec<i64> = of.iter().map(|(_, row)| *row).collect();
        self.commit(move |tx| {
            // Looked at where nobody else changes it.
            if !store::door(tx, owner)?.is_some_and(|door| door.tokens) {
                return Err(off());
            }
            for id in &rows {
                let known = found(devices::device_by_row(tx, *id)?, "device")?;
                found((known.owner == owner).then_some(()), "device")?;
            }
            if kind == UpdateTokenKind::Target
                && let Some(device) = rows.first()
            {
                store::delete_for_device(tx, *device)?;
            }
            store::delete_ended(tx, owner, now)?;
            if store::count(tx, owner)? >= TOKENS_MAX {
                return Err(ServiceError::too_many(
                    "too-many-tokens",
                    "an organisation has at most 100000 tokens; end some, or use certificates",
                ));
            }
            store::insert(tx, &row, &rows)?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        Ok(IssuedUpdateToken { token, view })
    }

    /// Tokens of an organisation that have not ended.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn update_tokens(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        page: &Page,
    ) -> Result<Paged<UpdateTokenView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageUpdateTokens, &resource)?;
        let after = page
            .after
            .as_deref()
            .map(|text| Sha256::from_hex(text).ok_or_else(|| page.misplaced()))
            .transpose()?
            .unwrap_or_default();
        let limit = page.count(self.config.limits.page);
        let (owner, now) = (self.organisation_row(organisation.as_str())?.id, self.now());
        let rows =
            self.read(|connection| store::tokens(connection, owner, &after, now, limit + 1))?;
        Paged::cut(rows, limit, |row| row.digest.to_string()).try_map(|row| self.token_view(row))
    }

    fn token_view(&self, row: TokenRow) -> Result<UpdateTokenView, ServiceError> {
        let devices = self.read(|connection| store::devices(connection, &row.digest))?;
        Ok(UpdateTokenView {
            id: row.digest,
            organisation: self.organisation_id(row.organisation)?,
            kind: kind_of(&row)?,
            name: row.name,
            devices: devices.into_iter().map(DeviceId::from_bytes).collect(),
            granted_at: row.granted_at,
            granted_by: row.granted_by,
            expires_at: row.expires_at,
        })
    }

    /// Ends a token, at once.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn revoke_update_token(
        &self,
        caller: &Caller,
        id: &Sha256,
    ) -> Result<(), ServiceError> {
        let Some(row) = self.read(|connection| store::token(connection, id))? else {
            let _permit =
                self.authorize(caller, Action::ManageUpdateTokens, &Resource::unknown())?;
            return Err(ServiceError::not_found("token"));
        };
        let organisation = self.organisation_id(row.organisation)?;
        let resource = Resource::organisation(&organisation);
        let _permit = self.authorize(caller, Action::ManageUpdateTokens, &resource)?;
        let event = self
            .event(caller, audit::Kind::CredentialChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(&id.to_string())
            .detail("what", "update-token-ended");
        let id = *id;
        self.commit(move |tx| {
            store::delete(tx, &id)?;
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// The device that a controller's id names: its id, or its management number.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn controller(&self, id: &str) -> Result<Option<(DeviceId, OrganisationId)>, ServiceError> {
        let row = self.read(|connection| match id.parse::<DeviceId>() {
            Ok(id) => devices::device(connection, id.as_bytes()),
            Err(_) => match ManagementNumber::from_typed(id) {
                Ok(number) => devices::device_by_management(connection, &number.to_string()),
                Err(_) => Ok(None),
            },
        })?;
        row.map(|row| Ok((DeviceId::from_bytes(row.device_id), self.organisation_id(row.owner)?)))
            .transpose()
    }

    /// Who presents a token in the name of a controller. Everything that is wrong is one answer.
    ///
    /// # Errors
    /// `update-token`.
    pub async fn identify_update_token(
        &self,
        kind: UpdateTokenKind,
        presented: &str,
        controller: &str,
    ) -> Result<(Caller, Sha256), ServiceError> {
        let outcome = self.token_caller(kind, presented, controller);
        if let Err(error) = &outcome {
            let event = audit::SecurityEvent::new(
                self.now(),
                audit::Kind::Authentication,
                audit::Outcome::Failure,
            );
            // The controller is what a stranger wrote.
            let subject: String =
                controller.chars().filter(char::is_ascii_graphic).take(64).collect();
            self.note(event.subject(&subject).detail("reason", error.code()));
        }
        outcome
    }

    fn token_caller(
        &self,
        kind: UpdateTokenKind,
        presented: &str,
        controller: &str,
    ) -> Result<(Caller, Sha256), ServiceError> {
        let digest = bearer_digest(kind.bearer(), presented).ok_or_else(refused)?;
        let row = self.read(|connection| store::token(connection, &digest))?.ok_or_else(refused)?;
        if row.kind != kind.code() || row.expires_at <= self.now() {
            return Err(refused());
        }
        if !self.door_of(row.organisation)?.tokens {
            return Err(refused());
        }
        let (device, owner) = self.controller(controller)?.ok_or_else(refused)?;
        let speaks = self.read(|connection| {
            let known = devices::device(connection, device.as_bytes())?;
            // A device that changed hands leaves its former owner's tokens behind; one that is suspended
            // or revoked must not do by token what its certificate cannot.
            let known = known.filter(|known| {
                known.owner == row.organisation && known.standing == StandingKind::Good.code()
            });
            known.map_or(Ok(false), |known| store::covers(connection, &digest, known.id))
        })?;
        if !speaks {
            return Err(refused());
        }
        let credential = kind.credential();
        let caller =
            Caller::Device { device, organisation: owner, credential, certificate: digest };
        Ok((caller, digest))
    }

    /// Opens a file of what a device shall install now.
    ///
    /// # Errors
    /// `not-found` where the action is not the device's present one, or has no such file; `role`.
    pub async fn assigned_file(
        &self,
        caller: &Caller,
        action: u64,
        name: &str,
    ) -> Result<BlobReader, ServiceError> {
        let poll = self.poll_update(caller, &DeviceSoftware::default()).await?;
        let UpdateDecision::Install(assignment) = poll.decision else {
            return Err(ServiceError::not_found("file"));
        };
        let file = assignment.artifacts.iter().find(|file| file.name == name);
        let file = found(file.filter(|_| assignment.action == action), "file")?;
        // It belongs to who made the release; that this device may have it, its assignment says.
        let release = self.read(|connection| {
            crate::store::release::release(connection, assignment.release.as_bytes())
        })?;
        let maker = self.organisation_id(found(release, "release")?.organisation)?;
        self.blob_of(&maker, &file.sha256)
    }
}

fn kind_of(row: &TokenRow) -> Result<UpdateTokenKind, ServiceError> {
    match row.kind {
        1 => Ok(UpdateTokenKind::Target),
        2 => Ok(UpdateTokenKind::Gateway),
        _ => Err(ServiceError::fatal("store-damaged", "a token in the store is damaged")),
    }
}

fn off() -> ServiceError {
    ServiceError::refused(
        "update-tokens-off",
        "the organisation does not accept tokens from devices; prefer certificates, or switch tokens on",
    )
}

fn refused() -> ServiceError {
    ServiceError::unauthenticated(
        "update-token",
        "this token does not speak for this device: it is unknown, has ended, or tokens are off",
    )
}
