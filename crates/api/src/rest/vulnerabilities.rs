//! Vulnerabilities (docs/vulnerability.md).

use super::{Rest, Result, of_page, query};
use crate::{
    client::{Call, percent_encode},
    wire::{self, Page, PageQuery},
};
use device::{OrganisationId, ProductId};
use http::Method;

impl Rest {
    /// Sends advisories as a JSON text sequence; `source` says where they come from.
    ///
    /// # Errors
    /// As every method.
    pub async fn import_advisories<'a>(
        &self,
        id: &OrganisationId,
        source: &str,
        documents: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<wire::ImportedDocuments> {
        let mut body = Vec::new();
        for document in documents {
            body.push(0x1e);
            body.extend_from_slice(document);
            body.push(b'\n');
        }
        let path = format!("/v1/organisations/{id}/advisories?source={}", percent_encode(source));
        let call = Call::new(Method::POST, path).body("application/json-seq", body);
        self.client.call(call).await?.json()
    }

    /// How much is known, and how much is to be judged.
    ///
    /// # Errors
    /// As every method.
    pub async fn advisory_knowledge(&self, id: &OrganisationId) -> Result<wire::AdvisoryKnowledge> {
        self.get(&format!("/v1/organisations/{id}/advisories")).await
    }

    /// Files of the watched folder that could not be taken.
    ///
    /// # Errors
    /// As every method.
    pub async fn advisory_files(&self, page: &PageQuery) -> Result<Page<wire::TroubledFile>> {
        self.get(&query("/v1/advisory-files", &of_page(page))).await
    }

    /// Versions of a product's software with their SBOMs.
    ///
    /// # Errors
    /// As every method.
    pub async fn software(
        &self,
        id: &OrganisationId,
        product: &ProductId,
        page: &PageQuery,
    ) -> Result<Page<wire::Software>> {
        let path = format!("/v1/organisations/{id}/products/{product}/software");
        self.get(&query(&path, &of_page(page))).await
    }

    /// Attaches an SBOM to a version of a product's software.
    ///
    /// # Errors
    /// As every method.
    pub async fn attach_sbom(
        &self,
        id: &OrganisationId,
        product: &ProductId,
        version: &str,
        name: &str,
        sbom: Vec<u8>,
    ) -> Result<wire::Software> {
        let path = format!(
            "/v1/organisations/{id}/products/{product}/software/{}/sbom?name={}",
            percent_encode(version),
            percent_encode(name)
        );
        let call = Call::new(Method::PUT, path).body("application/octet-stream", sbom);
        self.client.call(call).await?.json()
    }

    /// What stands in the way of a version, as far as vulnerabilities go.
    ///
    /// # Errors
    /// As every method.
    pub async fn vulnerability_gate(
        &self,
        id: &OrganisationId,
        product: &ProductId,
        version: &str,
    ) -> Result<wire::VulnerabilityGate> {
        let version = percent_encode(version);
        self.get(&format!("/v1/organisations/{id}/products/{product}/software/{version}/gate"))
            .await
    }

    /// Vulnerabilities of an organisation's products that are open, the gravest first.
    ///
    /// # Errors
    /// As every method.
    pub async fn vulnerabilities(
        &self,
        id: &OrganisationId,
        page: &PageQuery,
    ) -> Result<Page<wire::Vulnerability>> {
        self.get(&query(&format!("/v1/organisations/{id}/vulnerabilities"), &of_page(page))).await
    }

    /// One vulnerability, by any of its ids.
    ///
    /// # Errors
    /// As every method.
    pub async fn vulnerability(
        &self,
        id: &OrganisationId,
        vulnerability: &str,
    ) -> Result<wire::VulnerabilityDetail> {
        self.get(&about(id, vulnerability, "")).await
    }

    /// How many of the devices that the organisation made run which version.
    ///
    /// # Errors
    /// As every method.
    pub async fn running_versions(
        &self,
        id: &OrganisationId,
        vulnerability: &str,
    ) -> Result<Vec<wire::RunningVersion>> {
        self.get(&about(id, vulnerability, "/versions")).await
    }

    /// The devices that the organisation made and that run an affected version.
    ///
    /// # Errors
    /// As every method.
    pub async fn vulnerable_devices(
        &self,
        id: &OrganisationId,
        vulnerability: &str,
        page: &PageQuery,
    ) -> Result<Page<wire::VulnerableDevice>> {
        self.get(&query(&about(id, vulnerability, "/devices"), &of_page(page))).await
    }

    /// Time to fix, and the share of devices that are mended, day by day.
    ///
    /// # Errors
    /// As every method.
    pub async fn fix_history(
        &self,
        id: &OrganisationId,
        vulnerability: &str,
    ) -> Result<wire::FixHistory> {
        self.get(&about(id, vulnerability, "/history")).await
    }

    /// Vulnerabilities of what the organisation's own devices run.
    ///
    /// # Errors
    /// As every method.
    pub async fn fleet_vulnerabilities(
        &self,
        id: &OrganisationId,
        page: &PageQuery,
    ) -> Result<Page<wire::FleetVulnerability>> {
        let path = format!("/v1/organisations/{id}/fleet-vulnerabilities");
        self.get(&query(&path, &of_page(page))).await
    }

    /// Statements of an organisation, the newest first.
    ///
    /// # Errors
    /// As every method.
    pub async fn vex_statements(
        &self,
        id: &OrganisationId,
        page: &PageQuery,
    ) -> Result<Page<wire::VexStatement>> {
        self.get(&query(&format!("/v1/organisations/{id}/statements"), &of_page(page))).await
    }

    /// Makes a statement about a vulnerability in a product.
    ///
    /// # Errors
    /// As every method.
    pub async fn make_statement(
        &self,
        id: &OrganisationId,
        new: &wire::NewVexStatement,
    ) -> Result<wire::VexStatement> {
        self.post(&format!("/v1/organisations/{id}/statements"), new).await
    }

    /// Withdraws a statement.
    ///
    /// # Errors
    /// As every method.
    pub async fn withdraw_statement(
        &self,
        id: &OrganisationId,
        statement: &str,
    ) -> Result<wire::VexStatement> {
        let path = format!("/v1/organisations/{id}/statements/{}", percent_encode(statement));
        self.client.call(Call::new(Method::DELETE, path)).await?.json()
    }

    /// Campaigns that would mend a vulnerability, for each product line; `owner`: over devices that
    /// the organisation owns, not that it made.
    ///
    /// # Errors
    /// As every method.
    pub async fn vulnerability_drafts(
        &self,
        id: &OrganisationId,
        vulnerability: &str,
        owner: bool,
    ) -> Result<Vec<wire::VulnerabilityDraft>> {
        let side = Some(if owner { "owner" } else { "maker" });
        self.get(&query(&about(id, vulnerability, "/campaigns"), &[("side", side)])).await
    }

    /// Proposes a campaign over exactly the devices that run an affected version.
    ///
    /// # Errors
    /// As every method.
    pub async fn propose_from_vulnerability(
        &self,
        id: &OrganisationId,
        vulnerability: &str,
        new: &wire::NewVulnerabilityCampaign,
    ) -> Result<wire::Campaign> {
        self.post(&about(id, vulnerability, "/campaigns"), new).await
    }

    /// Cases that must be reported and are open.
    ///
    /// # Errors
    /// As every method.
    pub async fn report_cases(
        &self,
        id: &OrganisationId,
        page: &PageQuery,
    ) -> Result<Page<wire::ReportCase>> {
        self.get(&query(&format!("/v1/organisations/{id}/cases"), &of_page(page))).await
    }

    /// One case with what was done.
    ///
    /// # Errors
    /// As every method.
    pub async fn report_case(
        &self,
        id: &OrganisationId,
        case: &str,
    ) -> Result<wire::ReportCaseDetail> {
        self.get(&format!("/v1/organisations/{id}/cases/{}", percent_encode(case))).await
    }

    /// Opens a case.
    ///
    /// # Errors
    /// As every method.
    pub async fn open_case(
        &self,
        id: &OrganisationId,
        new: &wire::NewReportCase,
    ) -> Result<wire::ReportCase> {
        self.post(&format!("/v1/organisations/{id}/cases"), new).await
    }

    /// Changes a case.
    ///
    /// # Errors
    /// As every method.
    pub async fn change_case(
        &self,
        id: &OrganisationId,
        case: &str,
        change: &wire::CaseChange,
    ) -> Result<wire::ReportCase> {
        let path = format!("/v1/organisations/{id}/cases/{}", percent_encode(case));
        self.send(Method::PATCH, &path, change).await
    }

    /// A draft of a report: `early-warning`, `notification`, `final-report`.
    ///
    /// # Errors
    /// As every method.
    pub async fn case_draft(
        &self,
        id: &OrganisationId,
        case: &str,
        report: &str,
    ) -> Result<wire::ReportDraft> {
        let case = percent_encode(case);
        self.get(&format!("/v1/organisations/{id}/cases/{case}/drafts/{report}")).await
    }

    /// Duties that are open, in numbers.
    ///
    /// # Errors
    /// As every method.
    pub async fn case_watch(&self, id: &OrganisationId) -> Result<wire::CaseWatch> {
        self.get(&format!("/v1/organisations/{id}/case-watch")).await
    }
}

fn about(id: &OrganisationId, vulnerability: &str, what: &str) -> String {
    format!("/v1/organisations/{id}/vulnerabilities/{}{what}", percent_encode(vulnerability))
}
