//! What came of payloads, gathered in memory and written now and then.

use super::ask::{Asked, Outcome};
use crate::{DoorSender, IncomingMessage, Service, ServiceError, store::payload_schema as store};
use admission::{PayloadAnswer, Refusal};
use crypto::UnixTime;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Outcomes that are gathered before more are left out.
const FOUND_MAX: usize = 10_000;
/// Rules of one version of which it is kept what came of them.
const RULES_MAX: u64 = 500;

/// By schema, version and rule.
#[derive(Debug, Default)]
pub(crate) struct Found(Mutex<HashMap<(i64, u64, String), Count>>);

#[derive(Debug)]
struct Count {
    count: u64,
    at: UnixTime,
    place: String,
    topic: String,
    device: i64,
}

impl Service {
    /// Counts what the schemas said of a message that was judged: not where it was refused for another
    /// reason.
    pub(crate) fn count_schemas(
        &self,
        sender: &DoorSender,
        message: &IncomingMessage,
        asked: &Asked,
        judged: Result<(), Refusal>,
    ) {
        let counts = match judged {
            Ok(()) => true,
            Err(refusal) => asked.answer == PayloadAnswer::Refused(refusal),
        };
        if asked.found.is_empty() || !counts {
            return;
        }
        let now = self.now();
        let mut all = self.schema_found.0.lock().unwrap_or_else(PoisonError::into_inner);
        for Outcome { schema, version, rule, place } in &asked.found {
            let key = (*schema, *version, rule.clone());
            let topic = message.topic.as_str();
            if let Some(known) = all.get_mut(&key) {
                known.count = known.count.saturating_add(1);
                known.at = now;
                // An outcome that is most frequent is not written out each time.
                if !rule.is_empty() {
                    known.place.clone_from(place);
                    topic.clone_into(&mut known.topic);
                    known.device = sender.rows().0;
                }
            } else if all.len() < FOUND_MAX {
                let device = sender.rows().0;
                let (place, topic) = (place.clone(), topic.to_owned());
                all.insert(key, Count { count: 1, at: now, place, topic, device });
            }
        }
    }

    /// Writes what was gathered.
    pub(crate) async fn settle_schemas(&self) -> Result<(), ServiceError> {
        let gathered = std::mem::take(
            &mut *self.schema_found.0.lock().unwrap_or_else(PoisonError::into_inner),
        );
        if gathered.is_empty() {
            return Ok(());
        }
        self.commit(move |tx| {
            for ((schema, version, rule), count) in &gathered {
                let row = store::FoundRow {
                    schema: *schema,
                    version: *version,
                    rule: rule.clone(),
                    count: count.count,
                    last_at: count.at,
                    last_place: count.place.clone(),
                    last_topic: count.topic.clone(),
                    last_device: count.device,
                };
                store::add_found(tx, &row, RULES_MAX)?;
            }
            Ok(())
        })
        .await
    }
}
