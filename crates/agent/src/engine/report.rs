use super::Image;
use serde::{Deserialize, Serialize};

/// Most reports that wait. Older ones of work in progress give way; results never do before that.
pub const OUTBOX_MAX: usize = 64;

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
pub(super) fn enqueue(outbox: &mut Vec<Report>, report: Report) {
    outbox.retain(|old| old.action != report.action || old.execution.is_final());
    outbox.push(report);
    while outbox.len() > OUTBOX_MAX {
        let victim = outbox.iter().position(|old| !old.execution.is_final()).unwrap_or(0);
        outbox.remove(victim);
    }
}
