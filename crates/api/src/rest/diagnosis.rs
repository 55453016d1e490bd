//! Diagnoses of products (docs/assessment.md).

use super::{Rest, Result, query};
use crate::{
    client::{Call, percent_encode},
    wire::{self, Page},
};
use bytes::Bytes;
use crypto::Sha256;
use device::OrganisationId;
use http::Method;

impl Rest {
    /// Diagnoses of an organisation, newest first.
    ///
    /// # Errors
    /// As every method.
    pub async fn diagnoses(
        &self,
        of: &OrganisationId,
        which: &wire::DiagnosisQuery,
    ) -> Result<Page<wire::Diagnosis>> {
        let limit = which.limit.map(|limit| limit.to_string());
        let product = which.product.as_ref().map(ToString::to_string);
        let parameters = [
            ("product", product.as_deref()),
            ("after", which.after.as_deref()),
            ("limit", limit.as_deref()),
        ];
        self.get(&query(&format!("/v1/organisations/{of}/diagnoses"), &parameters)).await
    }

    /// Opens a diagnosis.
    ///
    /// # Errors
    /// As every method.
    pub async fn open_diagnosis(
        &self,
        of: &OrganisationId,
        new: &wire::NewDiagnosis,
    ) -> Result<wire::Diagnosis> {
        self.post(&format!("/v1/organisations/{of}/diagnoses"), new).await
    }

    /// A diagnosis, counted.
    ///
    /// # Errors
    /// As every method.
    pub async fn diagnosis(&self, id: &str) -> Result<wire::DiagnosisFigures> {
        self.get(&of_diagnosis(id, "")).await
    }

    /// Discards a diagnosis that is not signed.
    ///
    /// # Errors
    /// As every method.
    pub async fn discard_diagnosis(&self, id: &str) -> Result<()> {
        self.act(Call::new(Method::DELETE, of_diagnosis(id, ""))).await
    }

    /// Items of the check sheet as they stand.
    ///
    /// # Errors
    /// As every method.
    pub async fn diagnosed_items(
        &self,
        id: &str,
        which: &wire::DiagnosedItemQuery,
    ) -> Result<Page<wire::DiagnosedItem>> {
        let limit = which.limit.map(|limit| limit.to_string());
        let parameters = [
            ("layer", which.layer.as_deref()),
            ("phase", which.phase.as_deref()),
            ("state", which.state.as_deref()),
            ("owner", which.owner.as_deref()),
            ("text", which.text.as_deref()),
            ("after", which.after.as_deref()),
            ("limit", limit.as_deref()),
        ];
        self.get(&query(&of_diagnosis(id, "/items"), &parameters)).await
    }

    /// What stands under an item, a clause or a feature.
    ///
    /// # Errors
    /// As every method.
    pub async fn diagnosed(&self, id: &str, topic: &str) -> Result<wire::DiagnosedTopic> {
        self.get(&of_topic(id, topic)).await
    }

    /// Changes what stands there.
    ///
    /// # Errors
    /// As every method.
    pub async fn answer_diagnosis(
        &self,
        id: &str,
        topic: &str,
        change: &wire::ChangeAnswer,
    ) -> Result<wire::DiagnosedTopic> {
        self.send(Method::PUT, &of_topic(id, topic), change).await
    }

    /// What somebody has to see to.
    ///
    /// # Errors
    /// As every method.
    pub async fn diagnosis_gaps(&self, id: &str) -> Result<Vec<wire::DiagnosisGap>> {
        self.get(&of_diagnosis(id, "/gaps")).await
    }

    /// The clauses of a catalogue, judged.
    ///
    /// # Errors
    /// As every method.
    pub async fn diagnosis_coverage(
        &self,
        id: &str,
        catalogue: &str,
    ) -> Result<Vec<wire::JudgedClause>> {
        self.get(&of_diagnosis(id, &format!("/coverage/{}", percent_encode(catalogue)))).await
    }

    /// Who changed what.
    ///
    /// # Errors
    /// As every method.
    pub async fn diagnosis_history(
        &self,
        id: &str,
        which: &wire::DiagnosisHistoryQuery,
    ) -> Result<Page<wire::DiagnosisChange>> {
        let limit = which.limit.map(|limit| limit.to_string());
        let parameters = [
            ("topic", which.topic.as_deref()),
            ("after", which.after.as_deref()),
            ("limit", limit.as_deref()),
        ];
        self.get(&query(&of_diagnosis(id, "/history"), &parameters)).await
    }

    /// What changed since another diagnosis; without one, since the last that was signed.
    ///
    /// # Errors
    /// As every method.
    pub async fn compare_diagnoses(
        &self,
        id: &str,
        with: Option<&str>,
    ) -> Result<wire::DiagnosisComparison> {
        self.get(&query(&of_diagnosis(id, "/comparison"), &[("with", with)])).await
    }

    /// The diagnosis as a file.
    ///
    /// # Errors
    /// As every method.
    pub async fn diagnosis_file(&self, id: &str, how: &wire::DiagnosisFileQuery) -> Result<Bytes> {
        let parameters = [
            ("format", how.format.as_deref()),
            ("model", how.model.as_deref()),
            ("catalogue", how.catalogue.as_deref()),
        ];
        let path = query(&of_diagnosis(id, "/file"), &parameters);
        Ok(self.client.call(Call::get(path)).await?.body)
    }

    /// What a diagnosis says, to be printed.
    ///
    /// # Errors
    /// As every method.
    pub async fn diagnosis_report(
        &self,
        id: &str,
        how: &wire::DiagnosisReportQuery,
    ) -> Result<Bytes> {
        let parameters = [
            ("audience", how.audience.map(wire::ReportAudience::name)),
            ("lang", how.lang.map(wire::ReportLanguage::name)),
            ("format", how.format.map(wire::ReportFormat::name)),
        ];
        let path = query(&of_diagnosis(id, "/report"), &parameters);
        Ok(self.client.call(Call::get(path)).await?.body)
    }

    /// Answers from a file of this media type: what would change, or the change itself.
    ///
    /// # Errors
    /// As every method.
    pub async fn import_answers(
        &self,
        id: &str,
        how: &wire::AnswerImportQuery,
        media_type: &'static str,
        file: Vec<u8>,
    ) -> Result<wire::DiagnosisImported> {
        let replace = how.replace.map(|replace| replace.to_string());
        let apply = how.apply.map(|version| version.to_string());
        let parameters = [("replace", replace.as_deref()), ("apply", apply.as_deref())];
        let path = query(&of_diagnosis(id, "/file"), &parameters);
        self.client.call(Call::new(Method::POST, path).body(media_type, file)).await?.json()
    }

    /// Goes on against the check sheet of now.
    ///
    /// # Errors
    /// As every method.
    pub async fn adopt_sheet(&self, id: &str, version: u64) -> Result<wire::Diagnosis> {
        self.post(&of_diagnosis(id, "/sheet"), &wire::AtVersion { version }).await
    }

    /// Signs a diagnosis; it always takes a second person.
    ///
    /// # Errors
    /// As every method.
    pub async fn sign_diagnosis(&self, id: &str, content: Sha256) -> Result<wire::Diagnosis> {
        let what = wire::SignDiagnosis { content: wire::scalar::Digest(content) };
        self.post(&of_diagnosis(id, "/sign"), &what).await
    }

    /// That the log holds a signed diagnosis.
    ///
    /// # Errors
    /// As every method.
    pub async fn diagnosis_proof(&self, id: &str) -> Result<wire::ReleaseProof> {
        self.get(&of_diagnosis(id, "/proof")).await
    }
}

fn of_diagnosis(id: &str, rest: &str) -> String {
    format!("/v1/diagnoses/{}{rest}", percent_encode(id))
}

fn of_topic(id: &str, topic: &str) -> String {
    of_diagnosis(id, &format!("/topics/{}", percent_encode(topic)))
}
