//! What data of devices is for, and who agreed to it (docs/consent.md).

use super::{Rest, Result};
use crate::{
    client::{Call, percent_encode},
    wire,
};
use device::{DeviceId, OrganisationId, ProductId};
use http::Method;

fn of(organisation: &OrganisationId, product: &ProductId) -> String {
    format!("/v1/organisations/{organisation}/products/{product}/purposes")
}

impl Rest {
    /// Declares a purpose of a product line, or changes what it says.
    ///
    /// # Errors
    /// As every method.
    pub async fn declare_purpose(
        &self,
        (organisation, product): (&OrganisationId, &ProductId),
        name: &str,
        new: &wire::NewPurpose,
    ) -> Result<wire::DataPurpose> {
        let path = format!("{}/{}", of(organisation, product), percent_encode(name));
        self.client.call(Call::new(Method::PUT, &path).json(new)?).await?.json()
    }

    /// Ends a purpose.
    ///
    /// # Errors
    /// As every method.
    pub async fn end_purpose(
        &self,
        (organisation, product): (&OrganisationId, &ProductId),
        name: &str,
    ) -> Result<wire::DataPurpose> {
        let path = format!("{}/{}", of(organisation, product), percent_encode(name));
        self.client.call(Call::new(Method::DELETE, &path)).await?.json()
    }

    /// Purposes of a product line.
    ///
    /// # Errors
    /// As every method.
    pub async fn purposes(
        &self,
        organisation: &OrganisationId,
        product: &ProductId,
    ) -> Result<Vec<wire::DataPurpose>> {
        self.get(&of(organisation, product)).await
    }

    /// What an organisation has to decide, and what it decided.
    ///
    /// # Errors
    /// As every method.
    pub async fn consents(
        &self,
        organisation: &OrganisationId,
    ) -> Result<Vec<wire::ProductConsents>> {
        self.get(&format!("/v1/organisations/{organisation}/consents")).await
    }

    /// The same of one device.
    ///
    /// # Errors
    /// As every method.
    pub async fn device_consents(&self, device: &DeviceId) -> Result<Vec<wire::ProductConsents>> {
        self.get(&format!("/v1/devices/{device}/consents")).await
    }

    /// Gives or withdraws consent.
    ///
    /// # Errors
    /// As every method.
    pub async fn decide_consent(
        &self,
        organisation: &OrganisationId,
        new: &wire::NewConsent,
    ) -> Result<Vec<wire::ProductConsents>> {
        self.post(&format!("/v1/organisations/{organisation}/consents"), new).await
    }

    /// Topics on which a product line's devices must sign.
    ///
    /// # Errors
    /// As every method.
    pub async fn signed_topics(
        &self,
        organisation: &OrganisationId,
        product: &ProductId,
    ) -> Result<wire::SignedTopics> {
        let path = format!("/v1/organisations/{organisation}/products/{product}/signed-topics");
        self.get(&path).await
    }

    /// Says on which topics a product line's devices must sign.
    ///
    /// # Errors
    /// As every method.
    pub async fn set_signed_topics(
        &self,
        organisation: &OrganisationId,
        product: &ProductId,
        topics: &wire::SignedTopics,
    ) -> Result<wire::SignedTopics> {
        let path = format!("/v1/organisations/{organisation}/products/{product}/signed-topics");
        self.client.call(Call::new(Method::PUT, &path).json(topics)?).await?.json()
    }
}
