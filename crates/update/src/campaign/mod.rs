//! Campaigns: who gets which release when. A pure state machine; docs/campaign.md.
//!
//! A [`Plan`] says in which stages the members of a campaign are updated, within which hours, how
//! many start per minute, and when too many failures stop it. A [`Campaign`] is where it stands: its
//! counts change with every step of a device and decide what comes next, in the same moment. A
//! device's own part is an [`Action`]: from the offer to a confirmed boot, or to a failure with a
//! [`Reason`]. Silence is a failure too, once the deadline has passed.
//!
//! Nothing here counts over rows: who stores a campaign stores [`Campaign`] and each device's newest
//! [`Record`], and commits both together.

mod action;
mod machine;
pub mod members;
mod plan;
mod proof;
mod window;

pub use action::{
    Action, DETAIL_CHARS_MAX, Execution, Feedback, Outcome, Purpose, Reason, Record, Software,
    Step, Target,
};
pub use machine::{Ask, Campaign, Change, Counts, MoveError, PauseCause, State, Why};
pub use members::{CampaignStatement, Told};
pub use plan::{OnFailure, Plan, PlanError, STAGES_MAX, Stage};
pub use proof::{
    AssignmentError, AssignmentProof, LogTrust, LoggedStatement, PROOF_BYTES_MAX, verify_assignment,
};
pub use window::{Window, WindowError};
