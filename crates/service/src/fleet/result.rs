//! Use case: the result of a job as a CSV file, streamed.

use super::{
    asker::Asker,
    bulk::{BulkAct, JobId},
    csv,
};
use crate::{Service, ServiceError, approvals::Intent, store::job as store};
use policy::{Act, Caller};

/// Lines per piece of a result.
const PIECE: usize = 1_000;
/// Purpose under which released codes are sealed.
const CODE_LABEL: &str = "tegata/job-code";

/// The result of a job on its way.
#[derive(Debug)]
pub struct JobResult {
    service: Service,
    asker: Asker,
    reference: JobId,
    job: i64,
    codes: bool,
    /// devices that may be others' by now: nothing of them but their ids
    bare: bool,
    next: Option<u64>,
    bom: bool,
}

impl Service {
    /// The result of a job so far as CSV: device, management number, serial number, outcome, code,
    /// text; and the enrolment codes where it released any, for those who may release codes.
    ///
    /// It names every device of a selection, so it is a file of devices like an export, and wants a
    /// second person where exports do: whoever could start a job over a search would have an export
    /// of it otherwise, whatever became of the job.
    ///
    /// # Errors
    /// `not-found`, `role`; `needs-second-person`, `reauthenticate`.
    pub async fn job_result(
        &self,
        caller: &Caller,
        job: &JobId,
        bom: bool,
    ) -> Result<JobResult, ServiceError> {
        let (row, organisation) = self.job_for(caller, job)?;
        let act = BulkAct::of(&row)?;
        let codes = matches!(act, BulkAct::ReleaseCodes { .. });
        if codes {
            self.may_bulk(caller, &organisation, &act)?;
        }
        let intent = Intent::ExportResult { job: job.to_string() };
        let slip = self.second_person(caller, &organisation, Act::Export, &intent).await?;
        let now = self.now();
        let event = self
            .event(caller, audit::Kind::Authorisation, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(&job.to_string())
            .detail("what", "job-result-read");
        self.commit(move |tx| {
            slip.consume(tx, now)?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        Ok(JobResult {
            service: self.clone(),
            asker: Asker::new(caller, self.now()),
            reference: *job,
            job: row.id,
            codes,
            bare: matches!(act, BulkAct::ErasePerson { .. }),
            next: Some(0),
            bom,
        })
    }

    /// Seals a released code for the result.
    pub(crate) fn seal_code(&self, code: &policy::CodeText) -> Result<Vec<u8>, ServiceError> {
        self.keys.seal_text(CODE_LABEL, code.expose())
    }
}

impl JobResult {
    /// Whether who asked may still read it: codes above all.
    async fn may_go_on(&self) -> Result<(), ServiceError> {
        let caller = self.service.asker_still(&self.asker).await?;
        let (row, organisation) = self.service.job_for(&caller, &self.reference)?;
        match self.codes {
            true => self.service.may_bulk(&caller, &organisation, &BulkAct::of(&row)?),
            false => Ok(()),
        }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// Where the store fails; nothing follows an error.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>, ServiceError>> {
        let from = self.next.take()?;
        if let Err(error) = self.may_go_on().await {
            return Some(Err(error));
        }
        let mut out = String::new();
        if from == 0 {
            let head = ["device", "management_number", "serial_number", "outcome", "code", "text"];
            let mut head = head.to_vec();
            if self.codes {
                head.push("enrolment_code");
            }
            out = csv::begin(self.bom, &head);
        }
        let rows = match self.service.read(|c| store::items(c, self.job, from, PIECE)) {
            Ok(rows) => rows,
            Err(error) => return Some(Err(error)),
        };
        for row in &rows {
            let device = hex::encode(row.device);
            let outcome = match row.done {
                None => "open",
                Some(true) => "done",
                Some(false) => "refused",
            };
            let code = row.code.as_deref().unwrap_or_default();
            let text = row.text.as_deref().unwrap_or_default();
            let known = |text| if self.bare { "" } else { text };
            let (management, serial) = (known(&row.management), known(&row.serial_number));
            let mut fields = vec![device.as_str(), management, serial, outcome, code, text];
            let secret;
            if self.codes {
                secret = match &row.secret {
                    None => String::new(),
                    Some(sealed) => match self.service.keys.open_text(CODE_LABEL, sealed) {
                        Ok(code) => code,
                        Err(error) => return Some(Err(error)),
                    },
                };
                fields.push(&secret);
            }
            csv::line(&mut out, fields);
        }
        if rows.len() >= PIECE {
            self.next = rows.last().map(|row| row.item.saturating_add(1));
        }
        Some(Ok(out.into_bytes()))
    }
}
