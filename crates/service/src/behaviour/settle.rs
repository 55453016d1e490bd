//! A round: what was counted is held against profiles, kept, and told.

use super::watch::{Looked, Scope, Taken};
use crate::{
    Service, ServiceError,
    store::behaviour::{self as store, DeviceRow},
};
use ::behaviour::{Aspect, Deviation, DeviceProfile, Phase, ProductProfile, observe, silent};
use audit::{Kind, Outcome, SecurityEvent};
use crypto::UnixTime;
use device::DeviceId;
use std::collections::HashMap;

/// Profiles that end learning, and devices that are looked at because nothing comes, in one round.
const ENDING_MAX: usize = 50;
const GONE_MAX: usize = 500;
/// Rounds in which all is looked at that was counted, at most.
const ROUNDS_MAX: usize = 200;
/// After how many seconds the store is asked who is gone.
const GONE_S: i64 = 3 * 3600;
/// How long the profile of a device is kept that nothing comes of, in seconds.
const KEPT_S: i64 = 180 * 86_400;
const FORGET_BATCH: usize = 500;
/// Who ends learning by itself.
const BY_ITSELF: &str = "platform profiles";

/// What a round comes to.
#[derive(Default)]
struct Found {
    products: HashMap<(i64, String), (ProductProfile, bool)>,
    devices: HashMap<i64, (DeviceRow, bool)>,
    looked: Vec<Looked>,
    events: Vec<SecurityEvent>,
    ended: bool,
    gone_after: Option<(i64, i64)>,
}

/// When a round is, and what it knows.
#[derive(Clone)]
struct Moment {
    now: UnixTime,
    /// since when the platform listens
    began: UnixTime,
    slow: bool,
    uncounted: Vec<(i64, u64)>,
    gone_after: (i64, i64),
}

impl Service {
    /// Holds what was counted of devices against their profiles, and writes it down. A door calls it
    /// once a second; counts alone are written once a minute.
    pub(crate) async fn settle_behaviour(&self) -> Result<(), ServiceError> {
        self.look_around(Scope::New).await.map(|_| ())
    }

    /// Holds all of something against profiles; what comes meanwhile may wait.
    pub(super) async fn settle_scope(&self, scope: Scope<'_>) -> Result<(), ServiceError> {
        let mut next = scope;
        for _ in 0..ROUNDS_MAX {
            if !self.look_around(next).await? {
                break;
            }
            if scope == Scope::All {
                next = Scope::New;
            }
        }
        Ok(())
    }

    /// One round; whether it looked at any device.
    async fn look_around(&self, scope: Scope<'_>) -> Result<bool, ServiceError> {
        let now = self.now();
        let mut turn = self.behaviour.turn.lock().await;
        let began = *turn.began.get_or_insert(now);
        let asked = turn.flushed;
        let taken = self.behaviour.take(&mut turn, now, scope);
        let slow = turn.flushed != asked;
        if taken.is_empty() && !slow {
            return Ok(false);
        }
        let uncounted = if slow { turn.uncounted(now) } else { Vec::new() };
        let moment = Moment { now, began, slow, uncounted, gone_after: turn.gone_after };
        let (service, any) = (self.clone(), !taken.is_empty());
        let work = move || service.compare(&taken, &moment);
        let done = match self.pool.begin(work).outcome().await? {
            Ok(found) => {
                turn.gone_after = found.gone_after.unwrap_or(turn.gone_after);
                self.keep(found, slow, now).await
            }
            Err(error) => Err(error),
        };
        if done.is_err() {
            // What is not on record is handed over again.
            self.behaviour.changed();
        }
        done.map(|()| any)
    }

    /// Writes down all that was counted, as a door does before it closes.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn keep_behaviour(&self) -> Result<(), ServiceError> {
        self.settle_scope(Scope::All).await
    }

    /// All of a round is one transaction: a device that a product counts knows that it does.
    async fn keep(&self, found: Found, slow: bool, now: UnixTime) -> Result<(), ServiceError> {
        let Found { products, devices, looked, events, ended, .. } = found;
        self.behaviour.put(&looked);
        let changed: Vec<_> = products
            .into_iter()
            .filter(|(_, (_, changed))| *changed)
            .map(|(key, (profile, _))| (key, profile))
            .collect();
        // By what was seen last of any device, too: a clock that jumps ahead forgets nobody.
        let newest = if slow { self.read(store::newest)? } else { None };
        let before = newest.map(|at| UnixTime(at.0.min(now.0).saturating_sub(KEPT_S)));
        let before = match before {
            Some(before) => {
                self.read(|connection| store::is_stale(connection, before))?.then_some(before)
            }
            None => None,
        };
        let stale = before.is_some();
        if stale || !changed.is_empty() || !devices.is_empty() || !events.is_empty() {
            self.commit(move |tx| {
                for ((organisation, line), profile) in &changed {
                    store::put_product(tx, (*organisation, line), profile)?;
                }
                for (row, hourly) in devices.values() {
                    store::put_device(tx, row, *hourly)?;
                }
                for event in &events {
                    tx.audit(event)?;
                }
                if let Some(before) = before {
                    store::forget(tx, before, FORGET_BATCH)?;
                }
                Ok(())
            })
            .await?;
        }
        if ended {
            self.behaviour.changed();
        }
        Ok(())
    }

    fn compare(&self, taken: &[Taken], moment: &Moment) -> Result<Found, ServiceError> {
        let now = moment.now;
        let mut found = Found::default();
        for one in taken {
            // One that is damaged keeps nobody else from being looked at.
            if let Err(error) = self.compare_one(&mut found, one, now) {
                if error.is_store_lost() {
                    return Err(error);
                }
                let device = one.who.device;
                tracing::error!(%error, %device, "a device's profile could not be looked at");
            }
        }
        for (owner, messages) in &moment.uncounted {
            let slug = self.organisation_of(*owner)?.slug;
            found.events.push(
                SecurityEvent::new(now, Kind::RateLimit, Outcome::Failure)
                    .organisation(&slug)
                    .actor(BY_ITSELF)
                    .detail("what", "behaviour-uncounted")
                    .detail("messages", &messages.to_string()),
            );
        }
        if moment.slow {
            self.end_learning(&mut found, now)?;
            self.look_for_gone(&mut found, moment)?;
        }
        Ok(found)
    }

    fn profile_of_line<'a>(
        &self,
        found: &'a mut Found,
        key: (i64, &str),
        now: UnixTime,
    ) -> Result<&'a mut (ProductProfile, bool), ServiceError> {
        let known = (key.0, key.1.to_owned());
        if !found.products.contains_key(&known) {
            let row = self.read(|connection| store::product(connection, key.0, key.1))?;
            let entry = match row {
                Some(profile) => (profile, false),
                None => (ProductProfile::new(now), true),
            };
            found.products.insert(known.clone(), entry);
        }
        let entry = found.products.entry(known);
        Ok(entry.or_insert_with(|| (ProductProfile::new(now), true)))
    }

    fn compare_one(
        &self,
        found: &mut Found,
        taken: &Taken,
        now: UnixTime,
    ) -> Result<(), ServiceError> {
        let who = &taken.who;
        let at = taken.at();
        let row = match found.devices.get(&who.row) {
            Some((row, _)) => Some(row.clone()),
            None => self.read(|connection| store::device(connection, who.row))?,
        };
        // What another owner's device did, or one of another product line, says nothing about this.
        let row = row.filter(|row| row.organisation == who.owner && row.line == who.line);
        let mut row = row.unwrap_or_else(|| DeviceRow {
            device: who.row,
            organisation: who.owner,
            line: who.line.clone(),
            profile: DeviceProfile::new(at),
        });
        let (product, changed) = self.profile_of_line(found, (who.owner, &who.line), now)?;
        let place_bits = product.settings().place_bits;
        let observed = taken.observed(place_bits);
        let deviations = observe(product, &mut row.profile, &observed);
        *changed = true;
        let bound = |aspect| row.profile.bound(product, aspect).unwrap_or(u32::MAX);
        let bounds = match product.phase() {
            Phase::Watching | Phase::Frozen => (bound(Aspect::Rate), bound(Aspect::Size)),
            _ => (u32::MAX, u32::MAX),
        };
        let hourly = row.profile.learned(product).hourly && is_watching(product);
        let (depth, deviates) = (row.profile.depth(), !deviations.is_empty());
        found.looked.push(Looked { row: who.row, bounds, depth, place_bits, deviates });
        let owner = self.organisation_of(who.owner)?.slug;
        for deviation in &deviations {
            let event = deviation_event(&owner, who.device, &who.line, deviation, now);
            let event = match deviation.aspect {
                // Anybody with an update token may say it.
                Aspect::Firmware => event,
                _ => event.actor(&format!("device {}", who.device)),
            };
            let event = match taken.source(&deviation.seen) {
                Some(source) if deviation.aspect == Aspect::Place => event.source(source),
                _ => event,
            };
            found.events.push(event);
        }
        found.devices.insert(who.row, (row, hourly));
        Ok(())
    }

    fn end_learning(&self, found: &mut Found, now: UnixTime) -> Result<(), ServiceError> {
        for (owner, line) in self.read(|connection| store::ending(connection, now, ENDING_MAX))? {
            let slug = self.organisation_of(owner)?.slug;
            let (product, changed) = self.profile_of_line(found, (owner, &line), now)?;
            if product.end_learning(now) {
                *changed = true;
                let devices = product.devices().to_string();
                let event = SecurityEvent::new(now, Kind::ConfigurationChange, Outcome::Success)
                    .organisation(&slug)
                    .actor(BY_ITSELF)
                    .detail("what", "behaviour-profile")
                    .detail("profile", &line)
                    .detail("change", "watching")
                    .detail("devices", &devices);
                found.events.push(event);
                found.ended = true;
            }
        }
        Ok(())
    }

    fn look_for_gone(&self, found: &mut Found, moment: &Moment) -> Result<(), ServiceError> {
        let now = moment.now;
        if now.since(moment.began) < GONE_S {
            return Ok(());
        }
        let before = UnixTime(now.0.saturating_sub(GONE_S));
        let after = moment.gone_after;
        let gone = self.read(|connection| store::gone(connection, after, before, GONE_MAX))?;
        // Page by page, then from the beginning again: nobody stands in the way of those behind.
        let whole = gone.len() >= GONE_MAX;
        let last = gone.last().filter(|_| whole).map(|(_, row, last_at)| (*last_at, *row));
        found.gone_after = Some(last.unwrap_or((i64::MIN, 0)));
        for (id, row, _) in gone {
            // Something came of it in this very round.
            if found.devices.contains_key(&row) {
                continue;
            }
            if let Err(error) = self.look_for_one(found, (id, row), moment) {
                if error.is_store_lost() {
                    return Err(error);
                }
                tracing::error!(%error, row, "a device's profile could not be looked at");
            }
        }
        Ok(())
    }

    fn look_for_one(
        &self,
        found: &mut Found,
        (id, row): ([u8; 16], i64),
        moment: &Moment,
    ) -> Result<(), ServiceError> {
        let (now, began) = (moment.now, moment.began);
        let Some(mut row) = self.read(|connection| store::device(connection, row))? else {
            return Ok(());
        };
        let owner = self.organisation_of(row.organisation)?.slug;
        let (product, _) = self.profile_of_line(found, (row.organisation, &row.line), now)?;
        if let Some(deviation) = silent(product, &mut row.profile, (now, began)) {
            let device = DeviceId::from_bytes(id);
            found.events.push(deviation_event(&owner, device, &row.line, &deviation, now));
        } else if is_watching(product) && now.since(product.since()) < GONE_S {
            // It may be missed yet, once the profile watched for long enough.
            return Ok(());
        }
        // Nothing more is said of it until something comes again.
        found.devices.insert(row.device, (row, false));
        Ok(())
    }
}

fn is_watching(product: &ProductProfile) -> bool {
    matches!(product.phase(), Phase::Watching | Phase::Frozen)
}

fn deviation_event(
    owner: &str,
    device: DeviceId,
    line: &str,
    deviation: &Deviation,
    now: UnixTime,
) -> SecurityEvent {
    let since = super::time_of(deviation.since);
    let Deviation { aspect, seen, ordinary, .. } = deviation;
    SecurityEvent::new(now, Kind::Deviation, Outcome::Failure)
        .organisation(owner)
        .subject(&device.to_string())
        .detail("what", aspect.what())
        .detail("seen", seen)
        .detail("ordinary", ordinary)
        .detail("since", &since)
        .detail("profile", line)
        .detail("explanation", &aspect.explained(seen, ordinary, &since))
        .detail("count", "1")
}
