//! Commands and settings of devices (docs/command.md).

use super::{Rest, Result, of_page, query};
use crate::{
    client::Call,
    wire::{self, Page, PageQuery},
};
use device::DeviceId;
use http::Method;

impl Rest {
    /// Gives a device a command.
    ///
    /// # Errors
    /// As every method.
    pub async fn give_command(
        &self,
        device: &DeviceId,
        new: &wire::NewDeviceCommand,
    ) -> Result<wire::DeviceCommand> {
        self.post(&format!("/v1/devices/{device}/commands"), new).await
    }

    /// Commands of a device, newest first.
    ///
    /// # Errors
    /// As every method.
    pub async fn commands(
        &self,
        device: &DeviceId,
        page: &PageQuery,
    ) -> Result<Page<wire::DeviceCommand>> {
        self.get(&query(&format!("/v1/devices/{device}/commands"), &of_page(page))).await
    }

    /// A command.
    ///
    /// # Errors
    /// As every method.
    pub async fn command(&self, device: &DeviceId, command: &str) -> Result<wire::DeviceCommand> {
        self.get(&format!("/v1/devices/{device}/commands/{command}")).await
    }

    /// Takes a command back.
    ///
    /// # Errors
    /// As every method.
    pub async fn cancel_command(
        &self,
        device: &DeviceId,
        command: &str,
    ) -> Result<wire::DeviceCommand> {
        let path = format!("/v1/devices/{device}/commands/{command}");
        self.client.call(Call::new(Method::DELETE, path)).await?.json()
    }

    /// Hands in a device's proof that its keys are erased.
    ///
    /// # Errors
    /// As every method.
    pub async fn hand_in_erasure(
        &self,
        device: &DeviceId,
        command: &str,
        proof: &wire::HandedInErasure,
    ) -> Result<wire::DeviceCommand> {
        self.send(Method::PUT, &format!("/v1/devices/{device}/commands/{command}/erasure"), proof)
            .await
    }

    /// What is wanted of a device's settings, and what it says.
    ///
    /// # Errors
    /// As every method.
    pub async fn configuration(&self, device: &DeviceId) -> Result<wire::DeviceConfiguration> {
        self.get(&format!("/v1/devices/{device}/configuration")).await
    }

    /// Wants settings of a device.
    ///
    /// # Errors
    /// As every method.
    pub async fn configure_device(
        &self,
        device: &DeviceId,
        new: &wire::NewDeviceConfiguration,
    ) -> Result<wire::ConfigurationVersion> {
        self.send(Method::PUT, &format!("/v1/devices/{device}/configuration"), new).await
    }

    /// Settings that were wanted of a device, newest first.
    ///
    /// # Errors
    /// As every method.
    pub async fn configuration_versions(
        &self,
        device: &DeviceId,
        page: &PageQuery,
    ) -> Result<Page<wire::ConfigurationVersion>> {
        let path = format!("/v1/devices/{device}/configuration/versions");
        self.get(&query(&path, &of_page(page))).await
    }

    /// What the device that asks is to hear.
    ///
    /// # Errors
    /// As every method.
    pub async fn downlinks(&self) -> Result<Vec<wire::Downlink>> {
        self.get("/v1/messages").await
    }
}
