//! Use case: what lists of vulnerabilities show in figures: time to fix, share of devices mended.

use super::devices::{FixedShare, FleetSide};
use crate::{
    Service, ServiceError,
    store::{exposure, running},
};
use device::OrganisationId;
use policy::{Action, Caller, Resource};
use std::collections::BTreeMap;

/// Under this name the figures of all vulnerabilities together are kept; no vulnerability is called
/// so.
pub(super) const ANY: &str = "";
/// Days within which vulnerabilities are settled: the groups of a chart.
const WITHIN_DAYS: [u32; 5] = [1, 7, 30, 90, 365];
/// Days that are shown of a curve.
const DAYS_MAX: i64 = 180;
const DAY_S: i64 = 86_400;
/// Names that are asked for at a time.
const NAMES_MAX: usize = 1_000;

/// Figures about all vulnerabilities of an organisation's products, or of its devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetFigures {
    /// vulnerabilities of the organisation's own products that were settled within so many days
    /// after they were found, each counted once; `None`: it took longer
    pub time_to_fix: Vec<(Option<u32>, u64)>,
    /// by day, the oldest first: devices that run a version in which anything is open, and devices
    pub days: Vec<FixedShare>,
}

impl FleetFigures {
    /// Vulnerabilities of which nothing is open.
    pub fn settled(&self) -> u64 {
        self.time_to_fix.iter().map(|(_, count)| *count).sum()
    }
}

impl Service {
    /// Time to fix, and the share of devices that run nothing with an open vulnerability, by day.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn fleet_figures(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        side: FleetSide,
    ) -> Result<FleetFigures, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadVulnerabilities, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        let within = WITHIN_DAYS.map(|days| i64::from(days) * DAY_S);
        let from = self.now().plus(-DAYS_MAX * DAY_S);
        let (times, days) = self.read(|connection| {
            let times = exposure::times_to_fix(connection, row, &within)?;
            Ok((times, running::days(connection, side.stands(row), ANY, from)?))
        })?;
        let bounds = WITHIN_DAYS.map(Some).into_iter().chain([None]);
        Ok(FleetFigures {
            time_to_fix: bounds.zip(times).collect(),
            days: days
                .into_iter()
                .map(|row| FixedShare {
                    day: row.day,
                    affected: row.affected,
                    devices: row.devices,
                })
                .collect(),
        })
    }

    /// Of some vulnerabilities, how many devices were affected when it was counted last; those that
    /// were never counted are left out.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn fixed_shares(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        side: FleetSide,
        names: &[String],
    ) -> Result<BTreeMap<String, FixedShare>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadVulnerabilities, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        self.read(|connection| {
            let mut shares = BTreeMap::new();
            for name in names.iter().filter(|name| *name != ANY).take(NAMES_MAX) {
                if let Some(row) = running::last_day(connection, side.stands(row), name)? {
                    let share =
                        FixedShare { day: row.day, affected: row.affected, devices: row.devices };
                    shares.insert(name.clone(), share);
                }
            }
            Ok(shares)
        })
    }
}
