//! Who sends, as a door must know it.

use crate::{Service, ServiceError, live::found, store::message as store};
use admission::{Identity, Refusal, Sender, Space};
use device::{Phase, ProductId, StandingKind};
use policy::{Action, Caller, DeviceCredential, Resource};

/// A device at a door.
#[derive(Debug, Clone)]
pub struct DoorSender {
    pub(super) sender: Sender,
    pub(super) row: i64,
    pub(super) owner: i64,
    space: Space,
}

impl DoorSender {
    /// The device's topics.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// Which device.
    pub fn device(&self) -> device::DeviceId {
        self.sender.device
    }

    /// Whether it may be here at all.
    ///
    /// # Errors
    /// The refusals that end a connection.
    pub fn stands(&self) -> Result<(), Refusal> {
        self.sender.stands()
    }
}

impl Service {
    /// A device at a door, as it stands now. Cheap enough to ask whenever something may have changed.
    ///
    /// # Errors
    /// `not-found` where the caller is no device on record, `role`.
    pub fn door_sender(&self, caller: &Caller) -> Result<DoorSender, ServiceError> {
        let Caller::Device { device, organisation, credential, .. } = caller else {
            let _permit = self.authorize(caller, Action::PublishMessages, &Resource::unknown())?;
            return Err(ServiceError::not_found("device"));
        };
        let row = self.read(|connection| store::sender(connection, device.as_bytes()))?;
        let row = found(row, "device")?;
        let owner = self.organisation_of(row.owner)?;
        let owner_id = self.organisation_id(row.owner)?;
        let resource = Resource::device(*device, &owner_id);
        let _permit = self.authorize(caller, Action::PublishMessages, &resource)?;
        let damaged = || ServiceError::fatal("store-damaged", "a device's row is damaged");
        let product = match row.product {
            Some(product) => self
                .live
                .products_by_id
                .get_or_load(product, || {
                    let row = self.read(|connection| {
                        crate::store::organisation::product_by_id(connection, product)
                    })?;
                    Ok(row.map(std::sync::Arc::new))
                })?
                .and_then(|row| row.slug.parse::<ProductId>().ok()),
            None => None,
        };
        let sender = Sender {
            device: *device,
            identity: match credential {
                DeviceCredential::Ldevid => Identity::Operational,
                DeviceCredential::Idevid => Identity::Initial,
                _ => Identity::Other,
            },
            owner: owner_id,
            issuer: organisation.clone(),
            product: product
                .map(|product| self.organisation_id(row.maker).map(|it| (it, product)))
                .transpose()?,
            phase: Phase::from_code(row.phase.into()).ok_or_else(damaged)?,
            standing: StandingKind::from_code(row.standing.into()).ok_or_else(damaged)?,
            quarantined: false,
            organisation_works: owner.suspended_at.is_none(),
        };
        let space = Space::of(device);
        Ok(DoorSender { sender, row: row.id, owner: row.owner, space })
    }
}
