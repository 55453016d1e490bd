//! Policies for the doors (docs/policies.md).

use super::{Rest, Result, query};
use crate::{client::Call, wire};
use http::Method;

impl Rest {
    /// Puts a version of the policies in.
    ///
    /// # Errors
    /// As every method.
    pub async fn put_policies(&self, new: &wire::NewPolicySet) -> Result<wire::PolicySet> {
        self.post("/v1/policies/versions", new).await
    }

    /// Tries the cases of a version.
    ///
    /// # Errors
    /// As every method.
    pub async fn test_policies(&self, version: u64) -> Result<wire::PolicySetTest> {
        let path = format!("/v1/policies/versions/{version}/test");
        self.client.call(Call::new(Method::POST, &path)).await?.json()
    }

    /// A version with its texts.
    ///
    /// # Errors
    /// As every method.
    pub async fn policies(&self, version: u64) -> Result<wire::PolicySetDetail> {
        self.get(&format!("/v1/policies/versions/{version}")).await
    }

    /// Puts a version in force.
    ///
    /// # Errors
    /// As every method.
    pub async fn activate_policies(
        &self,
        wanted: &wire::ActivatePolicies,
    ) -> Result<wire::PolicyActivation> {
        self.post("/v1/policies/activations", wanted).await
    }

    /// Explains a decision.
    ///
    /// # Errors
    /// As every method.
    pub async fn explain_policy(
        &self,
        question: &wire::PolicyQuestion,
    ) -> Result<wire::PolicyDecision> {
        let action = serde_json::to_value(&question.action).unwrap_or_default();
        let asked = [
            ("device", Some(question.device.0.to_string())),
            ("action", action.as_str().map(str::to_owned)),
            ("topic", Some(question.topic.clone())),
            ("version", question.version.map(|version| version.to_string())),
        ];
        self.get(&query("/v1/policies/decision", &asked)).await
    }
}
