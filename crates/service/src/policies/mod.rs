//! Use cases: an organisation's policies for the doors (GW-2, AU-6): versions with cases, tested before
//! they are in force, and what they decide. docs/policies.md.
//!
//! What is in force is one version, or none. It is kept parsed in memory, and every door asks it
//! there; activating another drops it and what it decided in the moment of the commit. A version that
//! cannot be read permits nothing: what is left is each device's own space.

mod explain;
mod force;
mod versions;

pub use explain::{ExplainedDecision, PolicyQuestion};
pub(crate) use force::{DecisionKey, Facts, InForce};
pub(crate) use versions::needed;
pub use versions::{
    NewPolicySet, POLICY_DRAFTS_MAX, PolicyActivation, PolicyEffect, PolicySetState,
    PolicySetTested, PolicySetTexts, PolicySetView,
};
