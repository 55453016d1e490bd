//! A revocation of many devices that another person approved, begun from the approval: of these
//! devices and no others, without selecting them again.

use super::{
    acts::DeviceAct,
    bulk::{BulkAct, BulkPreview, JobView, digest_of, starter},
};
use crate::{
    Problem, Service, ServiceError,
    approvals::{Intent, Slip},
    store::approval as store,
};
use device::{DeviceId, OrganisationId};
use policy::Caller;

/// Rows read at a time.
const STEP: usize = 10_000;

/// What was approved, in the store's terms.
struct Approved {
    act: BulkAct,
    rows: Vec<i64>,
    reason: String,
}

impl Service {
    /// What would become of the devices of an approved request now, and which of them do not
    /// qualify any more.
    pub(crate) async fn preview_approved(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        request: i64,
        intent: &Intent,
    ) -> Result<(BulkPreview, Vec<(DeviceId, Problem)>), ServiceError> {
        let approved = self.approved_devices(caller, organisation, request, intent)?;
        let own = self.organisation_row(organisation.as_str())?.id;
        self.preview_rows(caller, own, &approved.act, approved.rows).await
    }

    /// Starts the job of an approved request. The slip is spent in the commit that begins it.
    pub(crate) async fn begin_approved(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        request: i64,
        intent: &Intent,
    ) -> Result<JobView, ServiceError> {
        self.fresh(caller)?;
        let Approved { act, rows, reason } =
            self.approved_devices(caller, organisation, request, intent)?;
        let (starter, slip) = (starter(caller)?, Slip::Approved(request));
        self.begin_bulk(caller, organisation, &act, &starter, (rows, reason), slip).await
    }

    fn approved_devices(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        request: i64,
        intent: &Intent,
    ) -> Result<Approved, ServiceError> {
        let damaged = || ServiceError::refused("approval-damaged", "the request cannot be read");
        let Intent::RevokeMany { count, devices, cause, reason, .. } = intent else {
            return Err(damaged());
        };
        let cause = cause.parse().map_err(|_| damaged())?;
        let act = BulkAct::Device(DeviceAct::Revoke { cause });
        self.may_bulk(caller, organisation, &act)?;
        let mut rows = Vec::with_capacity((*count).min(super::JOB_DEVICES_MAX));
        loop {
            let more = self.read(|c| store::attached_devices(c, request, rows.len(), STEP))?;
            let end = more.len() < STEP;
            rows.extend(more);
            if end {
                break;
            }
        }
        // The list lies beside the request; that it is the one that was looked at is held against
        // what was approved.
        if rows.len() != *count || digest_of(&rows) != *devices {
            return Err(damaged());
        }
        Ok(Approved { act, rows, reason: reason.clone() })
    }
}
