//! Schemas of payloads (docs/schemas.md).

use super::{Rest, Result};
use crate::{
    client::{Call, percent_encode},
    wire,
};
use http::Method;

fn of(name: &str) -> String {
    format!("/v1/schemas/{}", percent_encode(name))
}

impl Rest {
    /// Puts a version of a schema in.
    ///
    /// # Errors
    /// As every method.
    pub async fn put_schema(
        &self,
        name: &str,
        new: &wire::NewSchema,
    ) -> Result<wire::SchemaVersion> {
        self.post(&format!("{}/versions", of(name)), new).await
    }

    /// Tries the cases of a version.
    ///
    /// # Errors
    /// As every method.
    pub async fn test_schema(&self, name: &str, version: u64) -> Result<wire::SchemaTest> {
        let path = format!("{}/versions/{version}/test", of(name));
        self.client.call(Call::new(Method::POST, &path)).await?.json()
    }

    /// A version with its texts, and what came of payloads.
    ///
    /// # Errors
    /// As every method.
    pub async fn schema(&self, name: &str, version: u64) -> Result<wire::SchemaDetail> {
        self.get(&format!("{}/versions/{version}", of(name))).await
    }

    /// Of each schema the version in force, or the newest.
    ///
    /// # Errors
    /// As every method.
    pub async fn schemas(&self) -> Result<Vec<wire::SchemaVersion>> {
        self.get("/v1/schemas").await
    }

    /// Puts a version in force, or none.
    ///
    /// # Errors
    /// As every method.
    pub async fn activate_schema(
        &self,
        name: &str,
        wanted: &wire::ActivateSchema,
    ) -> Result<wire::SchemaActivation> {
        self.post(&format!("{}/activations", of(name)), wanted).await
    }

    /// Product lines of which only topics with a schema are taken.
    ///
    /// # Errors
    /// As every method.
    pub async fn schema_strictness(&self) -> Result<Vec<wire::Strictness>> {
        self.get("/v1/schema-strictness").await
    }

    /// Says of a product line whether only topics with a schema are taken.
    ///
    /// # Errors
    /// As every method.
    pub async fn set_schema_strictness(
        &self,
        wanted: &wire::SetStrictness,
    ) -> Result<Vec<wire::Strictness>> {
        self.post("/v1/schema-strictness", wanted).await
    }
}
