//! What people see of profiles.

use crate::{
    Page, Paged, Service, ServiceError,
    live::found,
    store::behaviour::{self as store, DeviceRow},
};
use ::behaviour::{DeviceProfile, LearnedDevice, ProductProfile};
use device::{DeviceId, OrganisationId};
use policy::{Action, Caller, Resource};

/// The profile of a product line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BehaviourProfile {
    /// the owner of the devices
    pub organisation: OrganisationId,
    /// the product line, `MAKER/PRODUCT`; `-` for devices of none
    pub line: String,
    /// what is ordinary
    pub profile: ProductProfile,
}

/// The profile of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BehaviourDevice {
    /// which
    pub device: DeviceId,
    /// of its product line
    pub product: BehaviourProfile,
    /// what is ordinary for it, and what came lately
    pub profile: DeviceProfile,
    /// what both together say
    pub learned: LearnedDevice,
}

impl BehaviourDevice {
    fn new(device: DeviceId, product: BehaviourProfile, row: DeviceRow) -> Self {
        let learned = row.profile.learned(&product.profile);
        Self { device, product, profile: row.profile, learned }
    }
}

impl Service {
    /// The profiles of an organisation's devices, by product line.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub async fn behaviour_profiles(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        page: &Page,
    ) -> Result<Paged<BehaviourProfile>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadAlerts, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let after = page.after.clone().unwrap_or_default();
        let limit = page.count(self.config.limits.page);
        let rows = self.read(|connection| {
            store::products(connection, owner, &after, limit.saturating_add(1))
        })?;
        Paged::cut(rows, limit, |(line, _)| line.clone()).try_map(|(line, profile)| {
            Ok(BehaviourProfile { organisation: organisation.clone(), line, profile })
        })
    }

    /// The profile of one product line.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub async fn behaviour_profile(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        line: &str,
    ) -> Result<BehaviourProfile, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadAlerts, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let row = self.read(|connection| store::product(connection, owner, line))?;
        let profile = found(row, "profile")?;
        Ok(BehaviourProfile { organisation: organisation.clone(), line: line.to_owned(), profile })
    }

    /// The devices that a profile knows, in the order in which they came.
    ///
    /// # Errors
    /// `role`, `not-found`, `page`.
    pub async fn behaviour_devices(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        line: &str,
        page: &Page,
    ) -> Result<Paged<BehaviourDevice>, ServiceError> {
        let product = self.behaviour_profile(caller, organisation, line).await?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let (after, limit) = page.rows(self.config.limits.page)?;
        let rows = self.read(|connection| {
            store::devices(connection, (owner, line), after, limit.saturating_add(1))
        })?;
        Paged::cut(rows, limit, |(_, row)| row.device.to_string()).try_map(|(id, row)| {
            Ok(BehaviourDevice::new(DeviceId::from_bytes(id), product.clone(), row))
        })
    }

    /// The profile of a device, as its present owner's platform learned it.
    ///
    /// # Errors
    /// `role`, `not-found`: also where nothing came of the device yet.
    pub async fn device_behaviour(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<BehaviourDevice, ServiceError> {
        let known = self.device_for(caller, Action::ReadAlerts, device)?.row;
        let (row, line) = self.behaviour_rows(known.id, known.owner)?;
        let organisation = self.organisation_id(known.owner)?;
        let profile = self.read(|connection| store::product(connection, known.owner, &line))?;
        let profile = found(profile, "profile")?;
        let product = BehaviourProfile { organisation, line, profile };
        Ok(BehaviourDevice::new(*device, product, row))
    }

    /// The profile of a device that its owner's platform learned, and its product line.
    pub(super) fn behaviour_rows(
        &self,
        device: i64,
        owner: i64,
    ) -> Result<(DeviceRow, String), ServiceError> {
        let row = self.read(|connection| store::device(connection, device))?;
        let row = found(row.filter(|row| row.organisation == owner), "profile")?;
        let line = row.line.clone();
        Ok((row, line))
    }
}
