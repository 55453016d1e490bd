//! What a campaign was proposed with, as the store keeps it.

use crate::ServiceError;
use serde::{Deserialize, Serialize};
use update::campaign::{OnFailure, Plan, Stage, Window};

/// Plan and search of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Terms {
    stages: Vec<StoredStage>,
    window: Option<StoredWindow>,
    starts_per_minute: Option<u32>,
    deadline_s: i64,
    attempts_max: u16,
    roll_back: bool,
    force: bool,
    confirm: bool,
    /// in the words of addresses
    pub(super) search: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredStage {
    share: u16,
    success: u8,
    error: u8,
    soak_s: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredWindow {
    zone: String,
    days: u8,
    from: u16,
    to: u16,
}

impl Terms {
    pub(super) fn of(plan: &Plan, search: String) -> Self {
        let stages = plan.stages().iter().map(|stage| StoredStage {
            share: stage.share,
            success: stage.success_percent,
            error: stage.error_percent,
            soak_s: stage.soak_s,
        });
        Self {
            stages: stages.collect(),
            window: plan.window.as_ref().map(|window| StoredWindow {
                zone: window.zone().to_owned(),
                days: window.days(),
                from: window.from(),
                to: window.to(),
            }),
            starts_per_minute: plan.starts_per_minute,
            deadline_s: plan.deadline_s,
            attempts_max: plan.attempts_max,
            roll_back: plan.on_failure == OnFailure::RollBack,
            force: plan.force,
            confirm: plan.confirm,
            search,
        }
    }

    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn read(text: &str) -> Result<(Plan, Self), ServiceError> {
        let damaged = || ServiceError::fatal("store-damaged", "a campaign's row is damaged");
        let terms: Self = serde_json::from_str(text).map_err(|_| damaged())?;
        let stages = terms.stages.iter().map(|stage| Stage {
            share: stage.share,
            success_percent: stage.success,
            error_percent: stage.error,
            soak_s: stage.soak_s,
        });
        let mut plan = Plan::new(stages.collect()).map_err(|_| damaged())?;
        plan.window = terms
            .window
            .as_ref()
            .map(|window| Window::new(&window.zone, window.days, window.from, window.to))
            .transpose()
            .map_err(|_| damaged())?;
        plan.starts_per_minute = terms.starts_per_minute;
        plan.deadline_s = terms.deadline_s;
        plan.attempts_max = terms.attempts_max;
        plan.on_failure = if terms.roll_back { OnFailure::RollBack } else { OnFailure::Pause };
        plan.force = terms.force;
        plan.confirm = terms.confirm;
        plan.check().map_err(|_| damaged())?;
        Ok((plan, terms))
    }
}
