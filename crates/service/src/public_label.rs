//! What labels of devices say.

use crate::{
    Service, ServiceError,
    store::{organisation as organisations, public as store},
};
use device::{DeviceId, Gtin, ManagementNumber};
use policy::{Action, Caller};
use std::collections::HashMap;

/// What the label of a device says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelFacts {
    /// its number
    pub number: ManagementNumber,
    /// trade item number of its product
    pub gtin: Option<Gtin>,
    /// model designation
    pub model: Option<String>,
}

impl Service {
    /// What the labels of devices say, in order; for those who may read the devices.
    ///
    /// # Errors
    /// `not-found` where one of them is not there or not the caller's to see, `too-many`, `role`.
    pub async fn label_facts(
        &self,
        caller: &Caller,
        wanted: &[DeviceId],
    ) -> Result<Vec<LabelFacts>, ServiceError> {
        if wanted.len() > self.config.limits.devices_per_call {
            return Err(ServiceError::too_many("too-many", "too many devices in one call"));
        }
        let damaged = || ServiceError::fatal("store-damaged", "a device's row is damaged");
        let mut products: HashMap<i64, (Option<Gtin>, Option<String>)> = HashMap::new();
        let mut facts = Vec::with_capacity(wanted.len());
        for device in wanted {
            let row = self.device_for(caller, Action::ReadDevice, device)?.row;
            let (gtin, model) = match row.product {
                None => (None, None),
                Some(id) => match products.get(&id) {
                    Some(known) => known.clone(),
                    None => {
                        let (gtin, product) = self.read(|connection| {
                            let gtin = store::product_public(connection, id)?.gtin;
                            Ok((gtin, organisations::product_by_id(connection, id)?))
                        })?;
                        let gtin =
                            gtin.map(|gtin| gtin.parse()).transpose().map_err(|_| damaged())?;
                        let found = (gtin, product.map(|product| product.model));
                        products.insert(id, found.clone());
                        found
                    }
                },
            };
            let number = row.management.parse().map_err(|_| damaged())?;
            facts.push(LabelFacts { number, gtin, model });
        }
        Ok(facts)
    }
}
