//! Trust between devices (docs/device-to-device.md).

use super::{Rest, Result};
use crate::{client::Call, wire};
use device::DeviceId;
use http::Method;

const SETTINGS: &str = "/v1/peer-trust";

impl Rest {
    /// What the caller's organisation chose.
    ///
    /// # Errors
    /// As every method.
    pub async fn peer_trust(&self) -> Result<wire::PeerTrust> {
        self.get(SETTINGS).await
    }

    /// Chooses.
    ///
    /// # Errors
    /// As every method.
    pub async fn set_peer_trust(&self, new: &wire::NewPeerTrust) -> Result<wire::PeerTrust> {
        self.send(Method::PUT, SETTINGS, new).await
    }

    /// Gives devices no trust bundles any more.
    ///
    /// # Errors
    /// As every method.
    pub async fn end_peer_trust(&self) -> Result<()> {
        self.act(Call::new(Method::DELETE, SETTINGS)).await
    }

    /// What the next trust bundle of each of the organisation's devices holds, and how they stand.
    ///
    /// # Errors
    /// As every method.
    pub async fn peer_trust_contents(&self) -> Result<wire::PeerTrustContents> {
        self.get("/v1/peer-trust/contents").await
    }

    /// The trust bundle of a device.
    ///
    /// # Errors
    /// As every method.
    pub async fn trust_bundle(&self, device: &DeviceId) -> Result<Vec<u8>> {
        let path = format!("/v1/devices/{device}/trust-bundle");
        Ok(self.client.call(Call::get(path)).await?.body.to_vec())
    }
}
