//! What is in force, and what it decides.

use crate::{
    DoorSender, Service, ServiceError,
    store::{message as messages, policy_set as store},
};
use admission::{Decision, Direction, OwnSpaceOnly, PolicyAnswer, Says, decide};
use device::{DeviceId, ProductId};
use permission::{Bound, DeviceFacts, Policies, Said, Verdict};
use std::sync::Arc;

/// Policies of an organisation, as the doors ask them.
#[derive(Debug)]
pub(crate) enum InForce {
    /// none: a device has its own space
    Nothing,
    /// these
    Set(u64, Box<Policies>),
    /// some that cannot be read: a device has its own space
    Broken(u64),
}

/// A device, as policies know it, with its rows and its owner's.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) row: i64,
    pub(crate) owner: i64,
    pub(crate) facts: DeviceFacts,
}

/// What a decision was made for: device, its owner, and what it wants. The version is not part of it,
/// because all are dropped with it; the owner is, because a session may outlive a transfer by a moment.
pub(crate) type DecisionKey = (i64, i64, Direction, Box<str>);

impl Service {
    /// What is in force of an organisation, by its row. From memory, but for the first time.
    pub(crate) fn policies_in_force(&self, owner: i64) -> Result<Arc<InForce>, ServiceError> {
        self.live.policies.get_or_load(owner, || {
            let found = self.read(|connection| {
                let Some(version) = store::in_force(connection, owner)? else { return Ok(None) };
                Ok(Some((version, store::texts(connection, owner, version)?)))
            })?;
            let Some((version, texts)) = found else { return Ok(Arc::new(InForce::Nothing)) };
            let read = texts
                .ok_or_else(|| "the version is missing".to_owned())
                .and_then(|(text, cases, digest)| {
                    let same = *digest_of(&text, &cases).as_bytes() == digest;
                    same.then_some(text).ok_or_else(|| "the text is not what was put in".to_owned())
                })
                .and_then(|text| Policies::parse(&text).map_err(|it| it.to_string()));
            Ok(Arc::new(match read {
                Ok(policies) => InForce::Set(version, Box::new(policies)),
                Err(why) => {
                    self.cannot_read(owner, version, &why);
                    InForce::Broken(version)
                }
            }))
        })
    }

    /// Says loudly that policies are in force that cannot be read.
    fn cannot_read(&self, owner: i64, version: u64, why: &str) {
        let organisation = self.organisation_id(owner);
        let organisation = organisation.map_or_else(|_| owner.to_string(), |it| it.to_string());
        tracing::error!(
            organisation,
            version,
            why,
            "the policies in force cannot be read; devices have their own spaces and nothing else; \
             activate another version"
        );
        let event = audit::SecurityEvent::new(
            self.now(),
            audit::Kind::ConfigurationChange,
            audit::Outcome::Failure,
        )
        .organisation(&organisation)
        .severity(audit::Severity::High)
        .detail("what", "policies-broken")
        .detail("version", &version.to_string());
        self.note(event);
    }

    /// Whether a device may do that with a topic or filter, and what decided.
    pub(crate) fn decide_topic(
        &self,
        sender: &DoorSender,
        direction: Direction,
        topic: &str,
    ) -> Decision {
        let space = sender.space();
        match self.policy_answer(sender, direction, topic) {
            None => decide(space, &OwnSpaceOnly, direction, topic),
            Some(answer) => decide(space, &Said(answer), direction, topic),
        }
    }

    /// Whether there are policies to ask on behalf of a device.
    pub(crate) fn has_policies(&self, sender: &DoorSender) -> bool {
        let owner = sender.rows().1;
        let any = |it: &Arc<InForce>| matches!(**it, InForce::Set(..));
        let known = self.live.policies.ask(&owner, any);
        known.unwrap_or_else(|| self.policies_in_force(owner).map_or(true, |it| any(&it)))
    }

    /// What the policies say of that; `None` where there are none, which costs a look-up and nothing
    /// else.
    pub(crate) fn policy_answer(
        &self,
        sender: &DoorSender,
        direction: Direction,
        topic: &str,
    ) -> Option<PolicyAnswer> {
        let (row, owner) = sender.rows();
        let in_force = match self.policies_in_force(owner) {
            Ok(in_force) => in_force,
            Err(error) => {
                tracing::error!(%error, "policies could not be looked up: nothing is allowed");
                return Some(unavailable());
            }
        };
        let InForce::Set(version, _) = &*in_force else { return None };
        let key = (row, owner, direction, Box::from(topic));
        // Looked up anew: what is decided with an older set must not stay beside a newer one, and the
        // cache sees to that for what it loads itself.
        let answer = self.live.decisions.get_or_load(key, || {
            let in_force = self.policies_in_force(owner)?;
            let InForce::Set(_, policies) = &*in_force else { return Ok(PolicyAnswer::default()) };
            let verdict = self.ask(policies, sender.facts(), direction, topic);
            for failed in &verdict.failed {
                tracing::error!(version, failed, "a policy failed; no policy permits what it asks");
            }
            Ok(verdict.answer)
        });
        match answer {
            Ok(answer) => Some(answer),
            Err(error) => {
                tracing::error!(%error, "a policy could not be asked: nothing is allowed");
                Some(unavailable())
            }
        }
    }

    /// What a set says, in the light of what the store knows of devices.
    pub(crate) fn ask(
        &self,
        policies: &Policies,
        by: &DeviceFacts,
        direction: Direction,
        topic: &str,
    ) -> Verdict {
        let known = |device: &DeviceId| self.facts_within(device, by);
        Bound { policies, by, known }.ask(direction, topic)
    }

    /// What is known of a device of the same organisation as another; nothing of a stranger's.
    pub(crate) fn facts_within(&self, device: &DeviceId, by: &DeviceFacts) -> Option<DeviceFacts> {
        match self.device_facts(device) {
            Ok(found) => found.map(|it| it.facts.clone()).filter(|it| it.owner == by.owner),
            Err(error) => {
                tracing::error!(%error, "a device could not be looked up for a policy");
                None
            }
        }
    }

    /// A device, as policies know it.
    pub(crate) fn device_facts(
        &self,
        device: &DeviceId,
    ) -> Result<Option<Arc<Facts>>, ServiceError> {
        let found = self.live.device_facts.get_or_load(*device, || {
            let row = self.read(|connection| messages::sender(connection, device.as_bytes()))?;
            // An error is not kept: the device may be registered next.
            let row = row.ok_or_else(|| ServiceError::not_found("device"))?;
            let facts = DeviceFacts {
                device: *device,
                owner: self.organisation_id(row.owner)?,
                product: self.line_of(row.maker, row.product)?,
            };
            Ok(Arc::new(Facts { row: row.id, owner: row.owner, facts }))
        });
        match found {
            Err(error) if error.kind() == crate::ErrorKind::NotFound => Ok(None),
            found => found.map(Some),
        }
    }

    /// The product line of a row, with its maker.
    pub(crate) fn line_of(
        &self,
        maker: i64,
        product: Option<i64>,
    ) -> Result<Option<(device::OrganisationId, ProductId)>, ServiceError> {
        let Some(product) = product else { return Ok(None) };
        let found = self.live.products_by_id.get_or_load(product, || {
            let row = self.read(|connection| {
                crate::store::organisation::product_by_id(connection, product)
            })?;
            Ok(row.map(Arc::new))
        })?;
        let product = found.and_then(|row| row.slug.parse::<ProductId>().ok());
        product.map(|product| self.organisation_id(maker).map(|it| (it, product))).transpose()
    }
}

/// The answer where nobody can be asked: a policy may forbid what is asked for.
fn unavailable() -> PolicyAnswer {
    PolicyAnswer { says: Says::Forbid, because: Vec::new() }
}

/// Under what the texts of a version are kept.
pub(super) fn digest_of(policies: &str, cases: &str) -> crypto::Sha256 {
    let mut bytes =
        Vec::with_capacity(policies.len().saturating_add(cases.len()).saturating_add(8));
    let length = u64::try_from(policies.len()).unwrap_or(u64::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(policies.as_bytes());
    bytes.extend_from_slice(cases.as_bytes());
    crypto::sha256(&bytes)
}
