//! Threat models of products, decisions about threats, the trace (docs/threat-model.md).

use super::{Rest, Result, of_page, query};
use crate::{
    client::{Call, percent_encode},
    wire::{self, Page, PageQuery},
};
use bytes::Bytes;
use device::{OrganisationId, ProductId};
use http::Method;

impl Rest {
    /// The file of a product's threat model: the newest version, or another one.
    ///
    /// # Errors
    /// As every method.
    pub async fn threat_model(
        &self,
        of: &OrganisationId,
        product: &ProductId,
        version: Option<u64>,
    ) -> Result<Bytes> {
        let version = version.map(|version| version.to_string());
        let path = of_product(of, product, "threat-model");
        let path = query(&path, &[("version", version.as_deref())]);
        Ok(self.client.call(Call::get(path)).await?.body)
    }

    /// Keeps a threat model, or says what it would change.
    ///
    /// # Errors
    /// As every method.
    pub async fn put_threat_model(
        &self,
        of: &OrganisationId,
        product: &ProductId,
        how: &wire::ThreatModelQuery,
        file: Vec<u8>,
    ) -> Result<wire::ThreatChanges> {
        let apply = how.apply.map(|version| version.to_string());
        let parameters = [("apply", apply.as_deref()), ("note", how.note.as_deref())];
        let path = query(&of_product(of, product, "threat-model"), &parameters);
        let call = Call::new(Method::PUT, path).body("application/yaml", file);
        self.client.call(call).await?.json()
    }

    /// Versions of a product's threat model, newest first.
    ///
    /// # Errors
    /// As every method.
    pub async fn threat_model_history(
        &self,
        of: &OrganisationId,
        product: &ProductId,
        page: &PageQuery,
    ) -> Result<Page<wire::ThreatModelVersion>> {
        self.get(&query(&of_product(of, product, "threat-model/history"), &of_page(page))).await
    }

    /// Threats to a product.
    ///
    /// # Errors
    /// As every method.
    pub async fn threats(
        &self,
        of: &OrganisationId,
        product: &ProductId,
        which: &wire::ThreatQuery,
    ) -> Result<Page<wire::ProductThreat>> {
        let limit = which.limit.map(|limit| limit.to_string());
        let parameters = [
            ("state", which.state.as_deref()),
            ("band", which.band.as_deref()),
            ("after", which.after.as_deref()),
            ("limit", limit.as_deref()),
        ];
        self.get(&query(&of_product(of, product, "threats"), &parameters)).await
    }

    /// One threat.
    ///
    /// # Errors
    /// As every method.
    pub async fn threat(
        &self,
        of: &OrganisationId,
        product: &ProductId,
        threat: &str,
    ) -> Result<wire::ProductThreat> {
        self.get(&of_threat(of, product, threat, "")).await
    }

    /// Decides about a threat, or takes a decision back.
    ///
    /// # Errors
    /// As every method.
    pub async fn decide_threat(
        &self,
        of: &OrganisationId,
        product: &ProductId,
        threat: &str,
        decision: &wire::DecideThreat,
    ) -> Result<wire::ThreatDecision> {
        self.send(Method::PUT, &of_threat(of, product, threat, "/decision"), decision).await
    }

    /// Decisions about threats, newest first.
    ///
    /// # Errors
    /// As every method.
    pub async fn threat_decisions(
        &self,
        of: &OrganisationId,
        product: &ProductId,
        which: &wire::ThreatDecisionQuery,
    ) -> Result<Page<wire::ThreatDecision>> {
        let limit = which.limit.map(|limit| limit.to_string());
        let parameters = [
            ("threat", which.threat.as_deref()),
            ("after", which.after.as_deref()),
            ("limit", limit.as_deref()),
        ];
        self.get(&query(&of_product(of, product, "threat-decisions"), &parameters)).await
    }

    /// A drawing of the model, of an attack tree, or of the trace of a threat: SVG.
    ///
    /// # Errors
    /// As every method.
    pub async fn threat_drawing(
        &self,
        of: &OrganisationId,
        product: &ProductId,
        which: &wire::DrawingQuery,
    ) -> Result<Bytes> {
        let parameters = [
            ("what", which.what.as_deref()),
            ("threat", which.threat.as_deref()),
            ("asset", which.asset.as_deref()),
            ("theme", which.theme.as_deref()),
        ];
        let path = query(&of_product(of, product, "threat-drawing"), &parameters);
        Ok(self.client.call(Call::get(path)).await?.body)
    }

    /// From the threats of a product to verdicts.
    ///
    /// # Errors
    /// As every method.
    pub async fn trace(
        &self,
        of: &OrganisationId,
        product: &ProductId,
    ) -> Result<wire::ProductTrace> {
        self.get(&of_product(of, product, "trace")).await
    }
}

fn of_product(of: &OrganisationId, product: &ProductId, rest: &str) -> String {
    format!("/v1/organisations/{of}/products/{product}/{rest}")
}

fn of_threat(of: &OrganisationId, product: &ProductId, threat: &str, rest: &str) -> String {
    of_product(of, product, &format!("threats/{}{rest}", percent_encode(threat)))
}
