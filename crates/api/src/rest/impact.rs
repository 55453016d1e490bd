//! Impact assessments of products (docs/threat-model.md).

use super::{Rest, Result, of_page, query};
use crate::{
    client::percent_encode,
    wire::{self, Page, PageQuery},
};
use device::{OrganisationId, ProductId};
use http::Method;

impl Rest {
    /// An impact assessment of a product: `safety`, `privacy` or `framework`.
    ///
    /// # Errors
    /// As every method.
    pub async fn impact(
        &self,
        of: &OrganisationId,
        product: &ProductId,
        form: &str,
    ) -> Result<wire::ImpactAssessment> {
        self.get(&of_form(of, product, form, "")).await
    }

    /// Answers questions of a form.
    ///
    /// # Errors
    /// As every method.
    pub async fn answer_impact(
        &self,
        of: &OrganisationId,
        product: &ProductId,
        form: &str,
        answers: &wire::AnswerImpact,
    ) -> Result<wire::ImpactAnswered> {
        self.send(Method::PUT, &of_form(of, product, form, ""), answers).await
    }

    /// Concludes a form.
    ///
    /// # Errors
    /// As every method.
    pub async fn conclude_impact(
        &self,
        of: &OrganisationId,
        product: &ProductId,
        form: &str,
        version: &wire::ConcludeImpact,
    ) -> Result<wire::ImpactAssessment> {
        self.send(Method::PUT, &of_form(of, product, form, "/conclusion"), version).await
    }

    /// Answers of a form, newest first.
    ///
    /// # Errors
    /// As every method.
    pub async fn impact_history(
        &self,
        of: &OrganisationId,
        product: &ProductId,
        form: &str,
        page: &PageQuery,
    ) -> Result<Page<wire::ImpactAnswer>> {
        self.get(&query(&of_form(of, product, form, "/history"), &of_page(page))).await
    }
}

fn of_form(of: &OrganisationId, product: &ProductId, form: &str, rest: &str) -> String {
    format!("/v1/organisations/{of}/products/{product}/impact/{}{rest}", percent_encode(form))
}
