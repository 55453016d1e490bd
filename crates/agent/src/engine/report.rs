use super::{Image, Plan, Slot, State};
use crate::Moment;
use serde::{Deserialize, Serialize};

/// Most reports that wait. Older ones of work in progress give way; results never do before that.
pub const OUTBOX_MAX: usize = 64;

/// Longest detail that is kept, in characters.
const DETAIL_MAX: usize = 500;

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Execution {
    /// accepted, the download goes on
    Downloading,
    /// all of it is there and intact
    Downloaded,
    /// the next start will try it
    Activated,
    /// it runs, and is being looked at
    Trying,
    /// what the device is shown is not trusted; it asks again
    HeldUp,
    /// it runs and was confirmed
    Success,
    /// the old image runs
    Failure,
    /// the device does not install it
    Rejected,
    /// the old image runs, as was asked
    Cancelled,
    /// too late to cancel
    CancelRejected,
}

impl Execution {
    /// Whether nothing follows it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failure | Self::Rejected | Self::Cancelled)
    }

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Downloading => "downloading",
            Self::Downloaded => "downloaded",
            Self::Activated => "activated",
            Self::Trying => "trying",
            Self::HeldUp => "held-up",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::CancelRejected => "cancel-rejected",
        }
    }
}

/// What the device has to say about an action. Kept until somebody has acknowledged it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// counts up on this device
    pub number: u64,
    /// the platform's number; none where nobody waits for it
    pub action: Option<String>,
    /// what became of it
    pub execution: Execution,
    /// stable code of a failure or refusal
    pub code: Option<String>,
    /// words about it
    pub detail: String,
    /// what runs, as far as it is known
    pub running: Option<Image>,
    /// seconds since 1970 by the device's clock
    pub at: i64,
}

/// Puts a report behind those that wait. Of one action only the newest report in progress stays.
fn enqueue(outbox: &mut Vec<Report>, report: Report) {
    outbox.retain(|old| old.action != report.action || old.execution.is_final());
    outbox.push(report);
    while outbox.len() > OUTBOX_MAX {
        let victim = outbox.iter().position(|old| !old.execution.is_final()).unwrap_or(0);
        outbox.remove(victim);
    }
}

impl State {
    /// Says the last result once more, where it is about this action.
    pub fn repeat(&mut self, action: &str, now: &Moment) -> bool {
        let about = |report: &Report| report.action.as_deref() == Some(action);
        let Some(last) = self.last.clone().filter(about) else { return false };
        if !self.outbox.iter().any(|waits| about(waits) && waits.execution.is_final()) {
            let number = self.next_report;
            self.next_report = number.saturating_add(1);
            enqueue(&mut self.outbox, Report { number, at: now.wall.0, ..last });
        }
        true
    }

    pub(super) fn progress(
        &mut self,
        plan: &Plan,
        execution: Execution,
        running: Slot,
        now: &Moment,
    ) {
        let detail = format!("{} of {}", plan.image.target, plan.organisation);
        self.report(plan.action.clone(), execution, None, &detail, Some(running), now);
    }

    pub(super) fn report(
        &mut self,
        action: Option<String>,
        execution: Execution,
        code: Option<String>,
        detail: &str,
        running: Option<Slot>,
        now: &Moment,
    ) {
        let report = Report {
            number: self.next_report,
            action,
            execution,
            code,
            detail: cut(detail),
            running: running.and_then(|slot| self.image(slot)).cloned(),
            at: now.wall.0,
        };
        self.next_report = self.next_report.saturating_add(1);
        if execution.is_final() {
            self.last = Some(report.clone());
        }
        if report.action.is_some() {
            enqueue(&mut self.outbox, report);
        }
    }
}

/// One line of at most so many characters.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(DETAIL_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
