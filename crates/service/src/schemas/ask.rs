//! A message is held against the schemas of its topic.

use super::{
    SchemaMode,
    force::{LiveSchema, LiveSchemas},
};
use crate::{DoorSender, IncomingMessage, Service, ServiceError};
use admission::{FormatError, PayloadAnswer, Refusal, Said, TopicName};
use schema::{Broken, STEPS_AT_ONCE, STEPS_MAX, Steps};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Long checks of one organisation at a time; the threads that make them are everybody's.
const LONG_MAX: usize = 2;
/// Long checks of all organisations at a time, those that wait for a thread included.
const LONG_ALL_MAX: usize = 32;

/// What the schemas say of a message.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// for the pipeline
    pub(crate) answer: PayloadAnswer,
    /// for the owner, where it is refused: which schema, where and why
    pub(crate) detail: Option<String>,
    /// what came of each schema
    pub(super) found: Vec<Outcome>,
}

/// What came of one schema.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) schema: i64,
    pub(super) version: u64,
    /// what was broken; empty: nothing
    pub(super) rule: String,
    pub(super) place: String,
}

/// Long checks that are being made, by organisation.
#[derive(Debug, Default)]
pub(crate) struct LongChecks(Mutex<HashMap<i64, usize>>);

/// A place for one, until it is dropped.
struct LongCheck(Arc<LongChecks>, i64);

impl LongChecks {
    fn begin(self: &Arc<Self>, owner: i64) -> Result<LongCheck, Refusal> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if running.values().sum::<usize>() >= LONG_ALL_MAX {
            return Err(Refusal::PlatformRate);
        }
        let own = running.entry(owner).or_default();
        if *own >= LONG_MAX {
            return Err(Refusal::OrganisationRate);
        }
        *own = own.saturating_add(1);
        Ok(LongCheck(Arc::clone(self), owner))
    }
}

impl Drop for LongCheck {
    fn drop(&mut self) {
        let mut running = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = running.get_mut(&self.1) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                running.remove(&self.1);
            }
        }
    }
}

impl Asked {
    fn refused(refusal: Refusal, detail: impl Into<String>) -> Self {
        let answer = PayloadAnswer::Refused(refusal);
        Self { answer, detail: Some(detail.into()), found: Vec::new() }
    }
}

impl Service {
    /// What the schemas of a message's topic say of it. Who has none, which is most, pays a look-up.
    pub(crate) async fn ask_schemas(
        &self,
        sender: &DoorSender,
        message: &IncomingMessage,
    ) -> Asked {
        let owner = sender.rows().1;
        if self.live.schemas.ask(&owner, |live| live.is_empty()) == Some(true) {
            return Asked::default();
        }
        let live = match self.schemas_in_force(owner) {
            Ok(live) if live.is_empty() => return Asked::default(),
            Ok(live) => live,
            Err(error) => return unavailable(&error),
        };
        // Nobody is asked on behalf of who may not be here, or sends more than it may: what it hears is
        // the same, and asking costs.
        if sender.stands().is_err() {
            return Asked::default();
        }
        if !self.has_room(sender) {
            // A moment later it may have room again: then it has not been asked, and is refused as well.
            let answer = PayloadAnswer::Refused(Refusal::DeviceRate);
            return Asked { answer, ..Asked::default() };
        }
        let (topic, product) = match self.speaks_of(sender, &message.topic) {
            Ok(Some(found)) => found,
            Ok(None) => return Asked::default(),
            Err(error) => return unavailable(&error),
        };
        let asked = live.of(&topic, product.as_deref());
        if asked.is_empty() {
            return match live.is_strict(product.as_deref()) {
                true => Asked::refused(Refusal::Schema, "no schema speaks of the topic"),
                false => Asked::default(),
            };
        }
        let mut all = Asked { answer: PayloadAnswer::Fits, ..Asked::default() };
        // What one message may cost is the same, however many schemas speak of its topic.
        let long = STEPS_MAX / u64::try_from(asked.len()).unwrap_or(u64::MAX).max(1);
        let mut at_once = Steps::new(STEPS_AT_ONCE);
        for (number, index) in asked.into_iter().enumerate() {
            let Some(one) = live.all.get(index) else { continue };
            if number > 0 {
                // Each reads the payload anew: others have their turn between them.
                tokio::task::yield_now().await;
            }
            let work = (&mut at_once, long);
            match self.ask_schema(sender.rows().1, &live, index, message, work).await {
                Ok(broken) => all.add(one, broken),
                // Who observes refuses nothing.
                Err(refusal) if one.mode == SchemaMode::Observe => {
                    all.add(one, Some(Wrong::new("not-asked", refusal)));
                }
                Err(refusal) => {
                    let detail = format!("{}: too many long checks at a time", one.name);
                    return Asked { found: all.found, ..Asked::refused(refusal, detail) };
                }
            }
        }
        all
    }

    /// The topic below the space that a message goes to, and the product line of that space's device;
    /// `None` where no schema speaks of it: what goes to the platform itself has forms of its own.
    fn speaks_of(
        &self,
        sender: &DoorSender,
        topic: &TopicName,
    ) -> Result<Option<(TopicName, Option<String>)>, ServiceError> {
        let line = |product: &Option<(device::OrganisationId, device::ProductId)>| {
            product.as_ref().map(|(maker, product)| format!("{maker}/{product}"))
        };
        let own = topic.as_str().strip_prefix(sender.space().root());
        if let Some(own) = own.and_then(|rest| rest.strip_prefix('/')) {
            if !matches!(Said::read(own, b""), Ok(None)) {
                return Ok(None);
            }
            let product = line(&sender.facts().product);
            return Ok(TopicName::new(own).ok().map(|own| (own, product)));
        }
        let permission::Whose::Device(device) = permission::Whose::of(topic.as_str()) else {
            return Ok(None);
        };
        let Some(found) = self.device_facts(&device)? else { return Ok(None) };
        let path = topic.as_str().splitn(3, '/').nth(2).unwrap_or_default();
        let product = line(&found.facts.product);
        Ok(TopicName::new(path).ok().map(|path| (path, product)))
    }

    /// What one schema says: at once where that is soon done, else on a thread that has time.
    async fn ask_schema(
        &self,
        owner: i64,
        live: &Arc<LiveSchemas>,
        index: usize,
        message: &IncomingMessage,
        (at_once, long): (&mut Steps, u64),
    ) -> Result<Option<Wrong>, Refusal> {
        let Some(LiveSchema { schema: Some(schema), .. }) = live.all.get(index) else {
            return Ok(Some(Wrong::new("schema-broken", Refusal::Schema)));
        };
        if !schema.kind().takes(message.media_type.as_deref()) {
            return Ok(Some(Wrong::new("media-type", Refusal::Schema)));
        }
        let first = schema.check(&message.payload, at_once);
        if first != Err(Broken::Costly) {
            return Ok(first.err().map(Wrong::from));
        }
        let place = self.long_checks.begin(owner)?;
        let (live, payload) = (Arc::clone(live), Arc::clone(&message.payload));
        let work = move || {
            let found = live.all.get(index).and_then(|it| it.schema.as_ref());
            let found = found.map(|it| it.check(&payload, &mut Steps::new(long)));
            drop(place);
            found.unwrap_or(Err(Broken::Costly))
        };
        match self.pool.begin(work).outcome().await {
            Ok(found) => Ok(found.err().map(Wrong::from)),
            Err(error) => {
                tracing::error!(%error, "a schema could not be asked: the message is refused");
                Err(Refusal::PlatformRate)
            }
        }
    }
}

fn unavailable(error: &ServiceError) -> Asked {
    tracing::error!(%error, "schemas could not be looked up: nothing is taken");
    Asked::refused(Refusal::Route, "schemas could not be looked up")
}

/// What is wrong with a payload.
struct Wrong {
    rule: String,
    place: String,
    refusal: Refusal,
}

impl Wrong {
    fn new(rule: &str, refusal: Refusal) -> Self {
        Self { rule: rule.to_owned(), place: String::new(), refusal }
    }
}

impl From<Broken> for Wrong {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Violation(found) => {
                Self { rule: found.rule, place: found.place, refusal: Refusal::Schema }
            }
            Broken::Costly => Self::new("too-costly", Refusal::TooComplex),
            Broken::Format(FormatError::TooLarge) => Self::new("too-large", Refusal::TooLarge),
            Broken::Format(FormatError::TooDeep | FormatError::TooMany) => {
                Self::new("too-complex", Refusal::TooComplex)
            }
            Broken::Format(FormatError::Malformed) => Self::new("malformed", Refusal::Malformed),
            Broken::Format(FormatError::Duplicate) => Self::new("duplicate", Refusal::Malformed),
            Broken::Format(FormatError::Name) => Self::new("name", Refusal::Malformed),
        }
    }
}

impl Asked {
    fn add(&mut self, one: &LiveSchema, wrong: Option<Wrong>) {
        let (schema, version) = (one.row, one.version);
        let Some(Wrong { rule, place, refusal }) = wrong else {
            let (rule, place) = (String::new(), String::new());
            self.found.push(Outcome { schema, version, rule, place });
            return;
        };
        // The first schema that refuses says why.
        if one.mode == SchemaMode::Enforce && self.answer == PayloadAnswer::Fits {
            self.answer = PayloadAnswer::Refused(refusal);
            let at = if place.is_empty() { String::new() } else { format!("{place}: ") };
            self.detail = Some(format!("{} v{version}: {at}{rule}", one.name));
        }
        self.found.push(Outcome { schema, version, rule, place });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_checks_have_places_by_organisation_and_in_all() {
        let checks = Arc::new(LongChecks::default());
        let mut held = vec![checks.begin(1).unwrap(), checks.begin(1).unwrap()];
        assert_eq!(checks.begin(1).err(), Some(Refusal::OrganisationRate));
        for owner in 2..17 {
            held.push(checks.begin(owner).unwrap());
            held.push(checks.begin(owner).unwrap());
        }
        assert_eq!(checks.begin(99).err(), Some(Refusal::PlatformRate));
        drop(held);
        assert!(checks.begin(1).is_ok());
        assert!(checks.0.lock().unwrap().len() <= 1);
    }
}
