//! Directors (docs/director.md).

use super::{Rest, Result};
use crate::{client::Call, wire};
use bytes::Bytes;
use device::OrganisationId;
use http::Method;
use wire::scalar::Base64;

impl Rest {
    /// An organisation's director.
    ///
    /// # Errors
    /// As every method.
    pub async fn director(&self, of: &OrganisationId) -> Result<wire::Director> {
        self.get(&of_director(of, "")).await
    }

    /// Begins a director.
    ///
    /// # Errors
    /// As every method.
    pub async fn begin_director(&self, of: &OrganisationId) -> Result<wire::Director> {
        self.client.call(Call::new(Method::POST, of_director(of, ""))).await?.json()
    }

    /// Chooses for how long what a director signs is good, in seconds.
    ///
    /// # Errors
    /// As every method.
    pub async fn set_director_life(
        &self,
        of: &OrganisationId,
        life_s: i64,
    ) -> Result<wire::Director> {
        self.send(Method::PUT, &of_director(of, "/life"), &wire::DirectorLife { life_s }).await
    }

    /// New keys that work online, for the next root.
    ///
    /// # Errors
    /// As every method.
    pub async fn rotate_director_keys(&self, of: &OrganisationId) -> Result<wire::Director> {
        self.client.call(Call::new(Method::POST, of_director(of, "/keys"))).await?.json()
    }

    /// Hands in a root that was signed offline.
    ///
    /// # Errors
    /// As every method.
    pub async fn push_director_root(
        &self,
        of: &OrganisationId,
        root: Vec<u8>,
    ) -> Result<wire::Director> {
        let root = wire::DirectorRoot { root: Base64(root), anew: false };
        self.post(&of_director(of, "/roots"), &root).await
    }

    /// Hands in a root that does not follow the one before, whose keys were stolen or lost.
    ///
    /// # Errors
    /// As every method.
    pub async fn begin_director_anew(
        &self,
        of: &OrganisationId,
        root: Vec<u8>,
    ) -> Result<wire::Director> {
        let root = wire::DirectorRoot { root: Base64(root), anew: true };
        self.post(&of_director(of, "/roots"), &root).await
    }

    /// A root of a director, as it was signed.
    ///
    /// # Errors
    /// As every method.
    pub async fn director_root(&self, of: &OrganisationId, version: u64) -> Result<Bytes> {
        let path = of_director(of, &format!("/roots/{version}"));
        Ok(self.client.call(Call::get(path)).await?.body)
    }
}

fn of_director(of: &OrganisationId, rest: &str) -> String {
    format!("/v1/organisations/{of}/director{rest}")
}
