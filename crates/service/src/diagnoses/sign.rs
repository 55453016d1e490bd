//! Use case: two people stand for a diagnosis, and the log commits to it.

use super::{
    DiagnosisId, DiagnosisView,
    answers::with_sheet,
    check_sheet,
    open::{is_open, still_open},
    stored::load,
};
use crate::{
    ReleaseProof, Service, ServiceError,
    approvals::{Intent, Slip},
    store::{approval, diagnosis as store, release},
};
use assessment::DiagnosisStatement;
use crypto::{Sha256, random};
use policy::{Act, Action, Caller};

impl Service {
    /// Signs a diagnosis as it is: `content` is the digest of the answers that the caller read. It
    /// always takes a second person, and the log commits to what both stand for.
    ///
    /// # Errors
    /// `needs-second-person`, `diagnosis-changed`, `sheet-changed`, `diagnosis-signed`,
    /// `reauthenticate`, `not-found`, `role`.
    pub async fn sign_diagnosis(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
        content: Sha256,
    ) -> Result<DiagnosisView, ServiceError> {
        let row = self.diagnosis_for(caller, Action::SignDiagnosis, id)?;
        let product = self.diagnosed_product(&row)?;
        let loaded = self.read(|connection| {
            is_open(&row)?;
            with_sheet(&row)?;
            load(connection, &row, &product)
        })?;
        same_content(&loaded.diagnosis.content(), &content)?;
        let organisation = self.organisation_id(row.organisation)?;
        let intent = Intent::SignDiagnosis {
            diagnosis: id.to_string(),
            product,
            subject: row.subject.clone(),
            content: content.to_string(),
        };
        let slip = self.second_person(caller, &organisation, Act::SignDiagnosis, &intent).await?;
        self.perform_sign_diagnosis(caller, id, content, slip).await
    }

    pub(crate) async fn perform_sign_diagnosis(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
        content: Sha256,
        slip: Slip,
    ) -> Result<DiagnosisView, ServiceError> {
        let row = self.diagnosis_for(caller, Action::SignDiagnosis, id)?;
        let (organisation, slug) = self.product_names(row.product)?;
        let product = format!("{organisation}/{slug}");
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(&id.to_string())
            .severity(audit::Severity::Medium)
            .detail("what", "diagnosis-signed")
            .detail("content", &content.to_string());
        let (now, by, id_text) = (self.now(), caller.to_string(), id.to_string());
        let salt: [u8; 32] = random::bytes();
        self.commit(move |tx| {
            let row = still_open(tx, row.id)?;
            with_sheet(&row)?;
            let diagnosis = load(tx, &row, &product)?.diagnosis;
            same_content(&diagnosis.content(), &content)?;
            // One alone never signs, whichever way the caller came.
            let Slip::Approved(approval) = &slip else {
                return Err(ServiceError::refused(
                    "needs-second-person",
                    "a diagnosis is signed by two people; sign it over REST or in the console",
                ));
            };
            let approved_by = approval::approval_by_row(tx, *approval)?
                .and_then(|row| row.decided_by)
                .ok_or_else(super::damaged)?;
            slip.consume(tx, now)?;
            let statement = DiagnosisStatement {
                diagnosis: id_text,
                organisation: organisation.to_string(),
                product: slug.to_string(),
                subject: row.subject.clone(),
                sheet: check_sheet()?.digest(),
                content,
                at: now,
            }
            .to_bytes();
            let file = diagnosis.to_yaml();
            let leaf = tx.append_leaf(&::ledger::commit(&salt, &statement))?;
            release::insert_statement(tx, leaf, release::SIGNED_DIAGNOSIS, &salt, &statement)?;
            let signed = store::SignOff {
                by: &by,
                approved_by: &approved_by,
                at: now,
                content: &content,
                file: file.as_bytes(),
                leaf,
            };
            if !store::sign(tx, row.id, &signed)? {
                return Err(super::damaged());
            }
            let kept = u64::try_from(file.len()).unwrap_or(u64::MAX);
            let growth = store::Growth { entries: 0, kept };
            store::charge(tx, (row.id, row.organisation), growth)?;
            tx.audit(&event.detail("approved-by", &approved_by)).map(|_| ())
        })
        .await?;
        self.diagnosis(caller, id).await
    }

    /// That the log holds a signed diagnosis.
    ///
    /// # Errors
    /// `diagnosis-unsigned`, `not-found` also where the log has not taken it up yet, `role`.
    pub async fn diagnosis_proof(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
    ) -> Result<ReleaseProof, ServiceError> {
        let row = self.diagnosis_for(caller, Action::ReadDiagnosis, id)?;
        let Some(leaf) = row.leaf else {
            return Err(ServiceError::conflict(
                "diagnosis-unsigned",
                "the log commits to signed diagnoses; sign it first",
            ));
        };
        self.proof_of_statement(leaf).await
    }
}

fn same_content(found: &Sha256, wanted: &Sha256) -> Result<(), ServiceError> {
    if found == wanted {
        return Ok(());
    }
    Err(super::changed_meanwhile("the answers are not those that you read"))
}
