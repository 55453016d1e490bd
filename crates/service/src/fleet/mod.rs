//! The fleet as operators see it: search, figures, saved views, acts on behalf, bulk jobs, export.
//! docs/fleet.md describes each with its limits and costs.

mod acts;
mod search;
mod text;
mod verdicts;
mod views;

pub(crate) use verdicts::Verdicts;

use crate::{Service, live::Live, service::Inner};
use std::{sync::Weak, time::Duration};

pub use acts::{ActPreview, Consequence, DeviceAct};
pub use search::{Attention, DeviceLine, DeviceList, DeviceOrder, DeviceSearch, VerdictFilter};
pub use verdicts::LastVerdict;
pub use views::{SavedView, VIEWS_MAX};

/// How often what waits is written.
const INTERVAL: Duration = Duration::from_secs(1);

/// What is done beside the requests, until the service ends.
pub(crate) fn tend(weak: &Weak<Inner>, live: &Live) {
    loop {
        // Nothing is held while it sleeps, so that a service that nobody uses can go away.
        let stop = live.rest(INTERVAL);
        let Some(service) = Service::upgrade(weak) else { return };
        service.flush_verdicts();
        if stop {
            return;
        }
    }
}
