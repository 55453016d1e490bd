//! Keys that devices encrypt messages for (docs/cose.md).

use super::{Rest, Result};
use crate::wire;
use device::OrganisationId;

impl Rest {
    /// Keys that devices of an organisation encrypt messages for, the newest first, with former ones.
    ///
    /// # Errors
    /// As every method.
    pub async fn message_keys(
        &self,
        organisation: &OrganisationId,
    ) -> Result<Vec<wire::MessageKey>> {
        self.get(&format!("/v1/organisations/{organisation}/message-keys")).await
    }

    /// Makes the key that they encrypt for from now on.
    ///
    /// # Errors
    /// As every method.
    pub async fn replace_message_key(
        &self,
        organisation: &OrganisationId,
        new: &wire::NewMessageKey,
    ) -> Result<wire::MessageKey> {
        self.post(&format!("/v1/organisations/{organisation}/message-keys"), new).await
    }
    /// Destroys one.
    ///
    /// # Errors
    /// As every method.
    pub async fn destroy_message_key(
        &self,
        organisation: &OrganisationId,
        key: &wire::scalar::Digest,
        why: &wire::OrganisationReason,
    ) -> Result<wire::MessageKey> {
        let path = format!("/v1/organisations/{organisation}/message-keys/{key}/destruction");
        self.post(&path, why).await
    }
}
