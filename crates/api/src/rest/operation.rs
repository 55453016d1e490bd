//! The gate of operation, live evidence, approved components (docs/assessment.md).

use super::{Rest, Result, of_page, query};
use crate::{
    client::{Call, percent_encode},
    wire::{self, Page, PageQuery},
};
use device::{OrganisationId, ProductId};
use http::Method;

impl Rest {
    /// What an organisation asks of its product lines before operation.
    ///
    /// # Errors
    /// As every method.
    pub async fn operation_policy(&self, of: &OrganisationId) -> Result<wire::OperationPolicy> {
        self.get(&format!("/v1/organisations/{of}/operation-policy")).await
    }

    /// Changes that; less than before takes a second person.
    ///
    /// # Errors
    /// As every method.
    pub async fn set_operation_policy(
        &self,
        of: &OrganisationId,
        policy: &wire::OperationPolicy,
    ) -> Result<wire::OperationPolicy> {
        self.send(Method::PUT, &format!("/v1/organisations/{of}/operation-policy"), policy).await
    }

    /// What became of operation in an organisation, newest first.
    ///
    /// # Errors
    /// As every method.
    pub async fn operation_history(
        &self,
        of: &OrganisationId,
        page: &PageQuery,
    ) -> Result<Page<wire::OperationChange>> {
        let path = format!("/v1/organisations/{of}/operation-history");
        self.get(&query(&path, &of_page(page))).await
    }

    /// Whether a product line is in operation, and what stands in the way.
    ///
    /// # Errors
    /// As every method.
    pub async fn operation(
        &self,
        of: &OrganisationId,
        product: &ProductId,
    ) -> Result<wire::Operation> {
        self.get(&of_product(of, product, "operation")).await
    }

    /// Lets a product line enter operation.
    ///
    /// # Errors
    /// As every method.
    pub async fn enter_operation(
        &self,
        of: &OrganisationId,
        product: &ProductId,
        how: &wire::EnterOperation,
    ) -> Result<wire::Operation> {
        self.post(&of_product(of, product, "operation"), how).await
    }

    /// Takes a product line out of operation.
    ///
    /// # Errors
    /// As every method.
    pub async fn leave_operation(
        &self,
        of: &OrganisationId,
        product: &ProductId,
        reason: &str,
    ) -> Result<wire::Operation> {
        let why = wire::LeaveOperation { reason: reason.to_owned() };
        self.post(&of_product(of, product, "operation/leave"), &why).await
    }

    /// Evidence of a product line that counts now.
    ///
    /// # Errors
    /// As every method.
    pub async fn evidence(
        &self,
        of: &OrganisationId,
        product: &ProductId,
    ) -> Result<Vec<wire::LiveEvidence>> {
        self.get(&of_product(of, product, "evidence")).await
    }

    /// Looks at the running platform now.
    ///
    /// # Errors
    /// As every method.
    pub async fn collect_evidence(
        &self,
        of: &OrganisationId,
        product: &ProductId,
    ) -> Result<Vec<wire::LiveEvidence>> {
        let path = of_product(of, product, "evidence");
        self.client.call(Call::new(Method::POST, path)).await?.json()
    }

    /// All evidence of a product line, newest first.
    ///
    /// # Errors
    /// As every method.
    pub async fn evidence_history(
        &self,
        of: &OrganisationId,
        product: &ProductId,
        page: &PageQuery,
    ) -> Result<Page<wire::LiveEvidence>> {
        self.get(&query(&of_product(of, product, "evidence-history"), &of_page(page))).await
    }

    /// Hands in a document of a build.
    ///
    /// # Errors
    /// As every method.
    pub async fn add_evidence(
        &self,
        of: &OrganisationId,
        product: &ProductId,
        collector: &str,
        about: &wire::EvidenceQuery,
        document: Vec<u8>,
    ) -> Result<wire::LiveEvidence> {
        let path = of_product(of, product, &format!("evidence/{}", percent_encode(collector)));
        let parameters = [("subject", about.subject.as_deref()), ("name", about.name.as_deref())];
        let call = Call::new(Method::PUT, query(&path, &parameters));
        self.client.call(call.body("application/octet-stream", document)).await?.json()
    }

    /// Components that an organisation approved.
    ///
    /// # Errors
    /// As every method.
    pub async fn approved_components(
        &self,
        of: &OrganisationId,
    ) -> Result<wire::ApprovedComponents> {
        self.get(&format!("/v1/organisations/{of}/approved-components")).await
    }

    /// Approves components; the list replaces the one before.
    ///
    /// # Errors
    /// As every method.
    pub async fn approve_components(
        &self,
        of: &OrganisationId,
        list: &wire::ApprovedComponents,
    ) -> Result<wire::ApprovedComponents> {
        self.send(Method::PUT, &format!("/v1/organisations/{of}/approved-components"), list).await
    }
}

fn of_product(of: &OrganisationId, product: &ProductId, rest: &str) -> String {
    format!("/v1/organisations/{of}/products/{product}/{rest}")
}
