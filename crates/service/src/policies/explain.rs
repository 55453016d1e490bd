//! Why something is allowed or refused.

use super::force::InForce;
use crate::{Service, ServiceError};
use admission::{Direction, TopicFilter, TopicName, decide};
use device::DeviceId;
use permission::{Policies, Said, Verdict};
use policy::{Action, Caller};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyQuestion {
    /// which device wants to do it
    pub device: DeviceId,
    /// what
    pub direction: Direction,
    /// with which topic or filter; it may say `me`
    pub topic: String,
    /// by which version; `None`: by what is in force
    pub version: Option<u64>,
}

/// A decision and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedDecision {
    /// whether it is allowed
    pub allowed: bool,
    /// ids of the policies that decided, or `own-space`; empty where nothing allows it
    pub because: Vec<String>,
    /// the topic or filter as it means
    pub topic: String,
    /// the version that was asked; `None`: none is in force
    pub version: Option<u64>,
    /// policies that failed, in words
    pub failed: Vec<String>,
    /// whether what is in force cannot be read
    pub broken: bool,
}

impl Service {
    /// Explains a decision about one of the organisation's devices, as the doors make it. Whether the
    /// device may be at a door at all is not part of it.
    ///
    /// # Errors
    /// `not-found` where the device is not the organisation's, or there is no such version; `role`;
    /// `topic`; `policies` where the version cannot be read.
    pub async fn explain_policy(
        &self,
        caller: &Caller,
        question: &PolicyQuestion,
    ) -> Result<ExplainedDecision, ServiceError> {
        let (own, row) = self.for_policies(caller, Action::ReadPolicies)?;
        let known = self.device_facts(&question.device)?;
        let known = known.filter(|it| it.owner == row.id && it.facts.owner == own);
        let known = known.ok_or_else(|| ServiceError::not_found("device"))?;
        let space = admission::Space::of(&question.device);
        let wrong = |error: admission::TopicError| {
            ServiceError::malformed("topic", error.to_string())
                .in_japanese("トピックの形式が正しくありません")
        };
        let topic = match question.direction {
            Direction::Subscribe => {
                let asked = TopicFilter::new(question.topic.as_str()).map_err(wrong)?;
                space.absolute_filter(asked).map_err(wrong)?.to_string()
            }
            Direction::Publish | Direction::Receive => {
                let asked = TopicName::new(question.topic.as_str()).map_err(wrong)?;
                space.absolute(asked).map_err(wrong)?.to_string()
            }
        };
        let ask = |set: &Policies| self.ask(set, &known.facts, question.direction, &topic);
        let (version, verdict, broken) = match question.version {
            None => {
                let in_force = self.policies_in_force(row.id)?;
                match &*in_force {
                    InForce::Nothing => (None, Verdict::default(), false),
                    InForce::Set(version, set) => (Some(*version), ask(set), false),
                    InForce::Broken(version) => (Some(*version), Verdict::default(), true),
                }
            }
            Some(version) => {
                let texts = self.read(|connection| {
                    crate::store::policy_set::texts(connection, row.id, version)
                })?;
                let gone = || ServiceError::not_found("version of the policies");
                let (text, _, _) = texts.ok_or_else(gone)?;
                let set = Policies::parse(&text);
                let set = set.map_err(|it| super::versions::unreadable("policies", &it))?;
                (Some(version), ask(&set), false)
            }
        };
        let decision = decide(&space, &Said(verdict.answer), question.direction, &topic);
        Ok(ExplainedDecision {
            allowed: decision.allowed,
            because: decision.because,
            topic,
            version,
            failed: verdict.failed,
            broken,
        })
    }
}
