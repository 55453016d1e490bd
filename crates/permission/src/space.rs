//! Policies beside the rule of the own space.

use crate::{
    facts::{DeviceFacts, Question, Whose},
    set::Policies,
};
use admission::{Decision, Direction, Policy, PolicyAnswer, Space, decide};
use std::fmt;

/// A set, bound to the device that asks: what [`admission::decide`] asks.
pub struct Bound<'a, F> {
    /// the set
    pub policies: &'a Policies,
    /// who asks
    pub by: &'a DeviceFacts,
    /// what is known of another device of the same organisation; `None` of any other
    pub known: F,
}

impl<F> fmt::Debug for Bound<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound").field("by", &self.by).finish_non_exhaustive()
    }
}

impl<F: Fn(&device::DeviceId) -> Option<DeviceFacts>> Bound<'_, F> {
    /// What the set says, with what failed.
    pub fn ask(&self, direction: Direction, topic: &str) -> crate::Verdict {
        let known;
        let space = match Whose::of(topic) {
            Whose::Nobody => return crate::Verdict::default(),
            Whose::Any => None,
            Whose::Device(device) if device == self.by.device => Some(self.by),
            Whose::Device(device) => match (self.known)(&device) {
                Some(facts) => {
                    known = facts;
                    Some(&known)
                }
                None => return crate::Verdict::default(),
            },
        };
        self.policies.ask(&Question::Topic { by: self.by, direction, topic, space })
    }
}

/// An answer that is there already.
#[derive(Debug, Clone)]
pub struct Said(pub PolicyAnswer);

impl Policy for Said {
    fn decide(&self, _: Direction, _: &str) -> PolicyAnswer {
        self.0.clone()
    }
}

/// Whether a device may do that with a topic or filter, by the policies and its own space; and which
/// policies failed.
pub fn decide_topic<F: Fn(&device::DeviceId) -> Option<DeviceFacts>>(
    bound: &Bound<'_, F>,
    direction: Direction,
    topic: &str,
) -> (Decision, Vec<String>) {
    let verdict = bound.ask(direction, topic);
    let space = Space::of(&bound.by.device);
    (decide(&space, &Said(verdict.answer), direction, topic), verdict.failed)
}
