//! The follower: reads the audit log, counts, and commits what came of it with how far it came.

use super::raise::{Batch, Counted};
use crate::{
    Service, ServiceError,
    store::{
        alert_rule as rules,
        log::{self, AuditRow},
    },
};
use alert::{Rule, WINDOW_S, Watching};
use audit::{Kind, SecurityEvent};
use crypto::UnixTime;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Events in one round.
const BATCH: usize = 1_000;
/// Events that are counted again after a start, at most.
const AGAIN_MAX: u64 = 200_000;
/// How far the place on record may lie behind where nothing came of the events.
const BEHIND_MAX: u64 = 1_000;

/// What is counted, and up to where.
#[derive(Default)]
pub(crate) struct Following {
    /// how far the log was looked at, in memory and on record; `None` until it was read
    place: Option<(u64, u64)>,
    watching: Watching,
    /// by which rules what is counted was counted
    rules: BTreeMap<String, Arc<Vec<Rule>>>,
}

impl Service {
    /// Holds the next security events against the rules. Whether there may be more at once. Called again
    /// and again; nothing is written where nothing is to be.
    ///
    /// # Errors
    /// Where the store fails; the next call begins again from what is on record.
    pub async fn follow_alerts(&self) -> Result<bool, ServiceError> {
        let mut following = self.following.lock().await;
        let state = std::mem::take(&mut *following);
        let service = self.clone();
        // What fails on the way is forgotten, and counted again from the place on record.
        let (mut state, round) =
            self.pool.begin(move || service.count_next(state)).outcome().await??;
        let Some(Round { from, to, more, batch }) = round else {
            *following = state;
            return Ok(false);
        };
        let nothing = batch.counted.is_empty() && batch.overflow.is_empty();
        if !nothing || to.saturating_sub(from) >= BEHIND_MAX {
            let work = batch.prepare(self)?;
            let moved = self
                .commit(move |tx| {
                    if !rules::move_cursor(tx, from, to)? {
                        return Ok(false);
                    }
                    work.apply(tx).map(|()| true)
                })
                .await?;
            if !moved {
                return Ok(true);
            }
            state.place = Some((to, to));
        } else {
            state.place = Some((to, from));
        }
        *following = state;
        Ok(more)
    }

    fn count_next(&self, mut state: Following) -> Result<(Following, Option<Round>), ServiceError> {
        let (at, on_record) = match state.place {
            Some(place) => place,
            None => {
                let cursor = self.read(rules::cursor)?;
                self.count_again(&mut state, cursor)?;
                (cursor, cursor)
            }
        };
        state.place = Some((at, on_record));
        let rows = self.read(|connection| log::audit_rows(connection, None, None, at, BATCH))?;
        let Some(last) = rows.last().map(|row| row.sequence) else { return Ok((state, None)) };
        let more = rows.len() == BATCH;
        let mut batch = Batch::default();
        for row in &rows {
            self.watch_event(&mut state, row, Some(&mut batch))?;
        }
        for (organisation, missed) in state.watching.overflow() {
            batch.overflow.insert(organisation, missed);
        }
        Ok((state, Some(Round { from: on_record, to: last, more, batch })))
    }

    /// Counts again what the longest window holds, after a start: nothing is raised by it.
    fn count_again(&self, state: &mut Following, cursor: u64) -> Result<(), ServiceError> {
        let since = UnixTime(self.now().0.saturating_sub(i64::from(*WINDOW_S.end())));
        let not_before = cursor.saturating_sub(AGAIN_MAX);
        let mut at = self.read(|connection| rules::place_before(connection, since, not_before))?;
        while at < cursor {
            let rows =
                self.read(|connection| log::audit_rows(connection, None, None, at, BATCH))?;
            let Some(last) = rows.last() else { break };
            at = last.sequence;
            for row in rows.iter().filter(|row| row.sequence <= cursor) {
                self.watch_event(state, row, None)?;
            }
        }
        state.watching.overflow();
        Ok(())
    }

    fn watch_event(
        &self,
        state: &mut Following,
        row: &AuditRow,
        batch: Option<&mut Batch>,
    ) -> Result<(), ServiceError> {
        // One that somebody damaged must not end the watch over those that follow; a check of the log
        // finds it, and raises its own alert.
        let Ok(event) = SecurityEvent::decode(&row.event) else {
            tracing::error!(sequence = row.sequence, "a security event is damaged; verify the log");
            return Ok(());
        };
        if event.kind() == Kind::Alert {
            return Ok(());
        }
        let organisation = event.organisation_of().unwrap_or(policy::PLATFORM);
        let present = self.live_alert_rules(organisation)?;
        let known = state.rules.get(organisation);
        if known.is_none_or(|known| !Arc::ptr_eq(known, &present)) {
            // What was counted by another rule of this name says nothing about this one.
            for old in known.iter().flat_map(|known| known.iter()) {
                if !present.contains(old) {
                    state.watching.forget(organisation, &old.name);
                }
            }
            state.rules.insert(organisation.to_owned(), Arc::clone(&present));
        }
        let product = |device: &device::DeviceId| {
            let facts = self.device_facts(device).ok().flatten()?;
            let product = facts.facts.product.as_ref();
            product.map(|(maker, product)| format!("{maker}/{product}"))
        };
        let hits = state.watching.observe(organisation, &present, row.sequence, &event, &product);
        let Some(batch) = batch else { return Ok(()) };
        for hit in hits {
            let key = (hit.organisation.clone(), hit.rule.clone(), hit.about.to_string());
            let rule = present.iter().find(|rule| rule.name == hit.rule);
            let Some(rule) = rule else { continue };
            let counted = batch
                .counted
                .entry(key)
                .or_insert_with(|| Counted { rule: rule.clone(), hits: Vec::new() });
            counted.hits.push(hit);
        }
        Ok(())
    }
}

/// What one round found.
struct Round {
    /// the place on record, and the new one
    from: u64,
    to: u64,
    more: bool,
    batch: Batch,
}

/// Organisations by their names.
pub(super) type Rows = HashMap<String, i64>;
