//! Use cases: what data of devices is for, and who agreed to it (PR-2). A maker declares purposes of a
//! product line, the owner of devices gives or withdraws consent, and every door asks. docs/consent.md.
//!
//! What stands for a device is kept in memory and dropped in the moment of the commit that changes it; a
//! message pays a look-up and a walk along its topic.

mod ask;
mod decide;
mod declare;
mod read;

pub(crate) use ask::{DevicePurposes, LinePurposes, MessageUses, Served};
pub use decide::NewConsentDecision;
pub use declare::PurposeView;
pub use read::{ConsentDecisionView, ProductConsents, PurposeConsent};
