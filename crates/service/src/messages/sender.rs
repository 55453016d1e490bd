//! Who sends, as a door must know it.

use crate::{Service, ServiceError, live::found, store::message as store};
use admission::{Identity, Refusal, Sender, Space};
use crypto::UnixTime;
use device::{Phase, StandingKind};
use pki::Certificate;
use policy::{Action, Caller, DeviceCredential, Resource};
use std::{
    ops::Deref,
    sync::{Arc, atomic::AtomicU64},
};

/// A device at a door. A clone is the same device, and costs nothing.
#[derive(Debug, Clone)]
pub struct DoorSender(Arc<Known>);

impl Deref for DoorSender {
    type Target = Known;
    fn deref(&self) -> &Known {
        &self.0
    }
}

/// What is known of it.
#[derive(Debug)]
pub struct Known {
    pub(super) sender: Sender,
    pub(super) row: i64,
    pub(super) owner: i64,
    /// CA and serial number of the certificate that it came with
    pub(super) certificate: (i64, Box<[u8]>),
    /// it showed the key of that certificate alone
    pub(super) by_key: bool,
    /// the number of changes to devices and certificates at which all of it was found in order; zero
    /// where it never was
    pub(super) in_order_at: AtomicU64,
    /// until when its certificate works
    not_after: UnixTime,
    pub(super) space: Space,
    /// as policies know it
    facts: permission::DeviceFacts,
}

impl DoorSender {
    /// The device's topics.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// Who owns it.
    pub fn owner(&self) -> &device::OrganisationId {
        &self.sender.owner
    }

    /// The device, as policies know it.
    pub(crate) fn facts(&self) -> &permission::DeviceFacts {
        &self.facts
    }

    /// Which device.
    pub fn device(&self) -> device::DeviceId {
        self.sender.device
    }

    /// Whether it may be here at all, as far as was known when it was looked up.
    ///
    /// # Errors
    /// The refusals that end a connection.
    pub fn stands(&self) -> Result<(), Refusal> {
        self.sender.stands()
    }

    /// Whether its certificate is over then.
    pub(super) fn ends_before(&self, now: UnixTime) -> bool {
        now > self.not_after
    }

    /// The rows of the device and of its owner.
    pub(crate) fn rows(&self) -> (i64, i64) {
        (self.row, self.owner)
    }

    /// Whether both came with certificates of one CA.
    pub fn same_issuer(&self, other: &Self) -> bool {
        self.certificate.0 == other.certificate.0
    }

    /// Whether the same owner's device is behind both.
    pub fn same_owner(&self, other: &Self) -> bool {
        self.row == other.row && self.owner == other.owner
    }
}

impl Service {
    /// Whether a sender's certificate is over.
    pub fn is_over(&self, sender: &DoorSender) -> bool {
        sender.ends_before(self.now())
    }

    /// A device at a door, as it stands now; `certificate` is what it came with, and what `caller`
    /// was identified by.
    ///
    /// # Errors
    /// `not-found` where the caller is no device on record, `role`, `certificate-unknown`.
    pub fn door_sender(
        &self,
        caller: &Caller,
        certificate: &Certificate,
    ) -> Result<DoorSender, ServiceError> {
        self.sender_at_door(caller, (certificate, false))
    }

    /// As [`Self::door_sender`], of a device that showed the key of its certificate alone: what it says is kept as
    /// long as no newer certificate of its kind is there for another key.
    ///
    /// # Errors
    /// As [`Self::door_sender`].
    pub fn door_sender_by_key(
        &self,
        caller: &Caller,
        certificate: &Certificate,
    ) -> Result<DoorSender, ServiceError> {
        self.sender_at_door(caller, (certificate, true))
    }

    fn sender_at_door(
        &self,
        caller: &Caller,
        (certificate, by_key): (&Certificate, bool),
    ) -> Result<DoorSender, ServiceError> {
        let Caller::Device { device, organisation, credential, .. } = caller else {
            let _permit = self.authorize(caller, Action::PublishMessages, &Resource::unknown())?;
            return Err(ServiceError::not_found("device"));
        };
        let row = self.read(|connection| store::sender(connection, device.as_bytes()))?;
        let row = found(row, "device")?;
        let index = self.ca_index()?;
        let ca = found(index.issuer_of(certificate), "certificate authority")?.id;
        let owner = self.organisation_of(row.owner)?;
        let owner_id = self.organisation_id(row.owner)?;
        let resource = Resource::device(*device, &owner_id);
        let _permit = self.authorize(caller, Action::PublishMessages, &resource)?;
        let damaged = || ServiceError::fatal("store-damaged", "a device's row is damaged");
        let product = self.line_of(row.maker, row.product)?;
        let sender = Sender {
            device: *device,
            identity: match credential {
                DeviceCredential::Ldevid => Identity::Operational,
                DeviceCredential::Idevid => Identity::Initial,
                _ => Identity::Other,
            },
            owner: owner_id,
            issuer: organisation.clone(),
            product,
            phase: Phase::from_code(row.phase.into()).ok_or_else(damaged)?,
            standing: StandingKind::from_code(row.standing.into()).ok_or_else(damaged)?,
            quarantined: false,
            organisation_works: owner.suspended_at.is_none(),
        };
        let space = Space::of(device);
        let facts = permission::DeviceFacts {
            device: *device,
            owner: sender.owner.clone(),
            product: sender.product.clone(),
        };
        Ok(DoorSender(Arc::new(Known {
            sender,
            row: row.id,
            owner: row.owner,
            certificate: (ca, certificate.serial().as_bytes().into()),
            by_key,
            in_order_at: AtomicU64::new(0),
            not_after: certificate.not_after(),
            space,
            facts,
        })))
    }
}
