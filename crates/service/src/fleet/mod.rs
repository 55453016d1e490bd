//! The fleet as operators see it: search, figures, saved views, acts on behalf, bulk jobs, export.
//! docs/fleet.md describes each with its limits and costs.

mod acts;
mod asker;
mod bulk;
pub(crate) mod csv;
mod desk;
mod export;
mod forget;
mod overview;
mod passport;
mod reason;
mod report;
mod result;
mod resume;
mod runner;
mod search;
mod text;
mod verdicts;
mod views;

pub(crate) use acts::Doing;
pub(crate) use asker::Asker;
pub(crate) use desk::{Asked, Desk};
pub(crate) use overview::Overviews;
pub(crate) use runner::run as run_jobs;
pub(crate) use verdicts::Verdicts;

use crate::{Service, live::Live, service::Inner};
use std::{sync::Weak, time::Duration};

pub use acts::{ActPreview, Consequence, DeviceAct};
pub use bulk::{
    BulkAct, BulkPreview, JOB_DEVICES_MAX, JobId, JobState, JobView, SELECTED_MAX, Selection,
};
pub use export::DeviceExport;
pub use overview::{
    ATTENTION_DAYS, Counted, DAYS as OVERVIEW_DAYS, DayOfVerdicts, LogHealth, NewestEvent,
    Overview, SUPPORT_DAYS, SUPPORT_SHOWN_MAX, SupportWatch, WitnessHealth,
};
pub use passport::{
    OwnerSince, PARTS_DEPTH_MAX, PARTS_SHOWN_MAX, PartNode, ProofState, TimelineEntry,
};
pub use reason::REASON_CHARS_MAX;
pub(crate) use reason::read as reason;
pub use report::{DeviceReport, REPORT_CERTIFICATES_MAX, REPORT_EVENTS_MAX, ReportLog};
pub use result::JobResult;
pub use search::{Attention, DeviceLine, DeviceList, DeviceOrder, DeviceSearch, VerdictFilter};
pub use verdicts::LastVerdict;
pub use views::{SavedView, VIEWS_MAX};

/// How often what waits is written.
const INTERVAL: Duration = Duration::from_secs(1);

/// What is done beside the requests, until the service ends.
pub(crate) fn tend(weak: &Weak<Inner>, live: &Live) {
    let mut rounds = 0u32;
    loop {
        // Nothing is held while it sleeps, so that a service that nobody uses can go away.
        let stop = live.rest(INTERVAL);
        let Some(service) = Service::upgrade(weak) else { return };
        service.flush_verdicts();
        if stop {
            return;
        }
        rounds = rounds.wrapping_add(1);
        if u64::from(rounds).is_multiple_of(overview::REFRESH.as_secs()) {
            service.refresh_overviews();
        }
    }
}
