//! Use cases: erase contents of the history (PR-4). Salt and contents are destroyed, the fact is
//! recorded, commitments and states stay, so that every other proof holds.

use crate::{
    Recorded, Service, ServiceError,
    live::found,
    record,
    store::{Effect, Tx, device as devices, event as store, organisation as organisations},
    verdict::EVENTS_MAX,
};
use crypto::UnixTime;
use device::{Context, DeviceId, EventKind, Kind, OrganisationId, Roles, SignedEvent, State};
use policy::{Action, Caller, Resource};
use std::{collections::BTreeMap, sync::Arc};

/// Sequence numbers that one event of erasure names.
const SEQUENCES_MAX: usize = 1024;
/// Events looked at per read when a person's are searched.
const STEP: usize = 4096;

/// What the erasure of a person's data did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonErased {
    /// devices whose histories had such events, and how many were erased
    pub erased: Vec<(DeviceId, usize)>,
    /// devices of others, where the caller must ask the owner
    pub elsewhere: usize,
}

impl Service {
    /// Erases the contents of all events so far of a device.
    ///
    /// # Errors
    /// `not-found`, `role`, `nothing-to-erase`.
    pub async fn erase_device(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<Recorded, ServiceError> {
        self.erase(caller, device, None).await
    }

    /// Erases the contents of some events of a device.
    ///
    /// # Errors
    /// `not-found`, `role`, `nothing-to-erase`, `too-many-events`.
    pub async fn erase_events(
        &self,
        caller: &Caller,
        device: &DeviceId,
        sequences: Vec<u64>,
    ) -> Result<Recorded, ServiceError> {
        self.erase(caller, device, Some(sequences)).await
    }

    /// Erases the contents of every event that names `actor` of the reporting organisation, as far
    /// as the caller may: on the devices that its organisation owns.
    ///
    /// # Errors
    /// `role`; where the store fails.
    pub async fn erase_person(
        &self,
        caller: &Caller,
        reporter: &OrganisationId,
        actor: &str,
    ) -> Result<PersonErased, ServiceError> {
        let resource = Resource::organisation(reporter);
        let _permit = self.authorize(caller, Action::ReadOrganisation, &resource)?;
        let row = self.organisation_row(reporter.as_str())?.id;
        let (service, wanted, slug) = (self.clone(), actor.to_owned(), reporter.clone());
        let found = self
            .pool
            .begin(move || service.events_naming(row, slug.as_str(), &wanted))
            .outcome()
            .await??;
        let mut done = PersonErased::default();
        for (device, sequences) in found {
            let count = sequences.len();
            match self.erase(caller, &device, Some(sequences)).await {
                Ok(_) => done.erased.push((device, count)),
                Err(error) if error.kind() == crate::ErrorKind::Fatal => return Err(error),
                Err(_) => done.elsewhere += 1,
            }
        }
        Ok(done)
    }

    async fn erase(
        &self,
        caller: &Caller,
        device: &DeviceId,
        sequences: Option<Vec<u64>>,
    ) -> Result<Recorded, ServiceError> {
        self.device_for(caller, Action::EraseDevice, device)?.begun()?;
        let (platform, now, device) = (Arc::clone(&self.platform), self.now(), *device);
        let event = self
            .event(caller, audit::Kind::Erasure, audit::Outcome::Success)
            .subject(&device.to_string());
        self.commit(move |tx| {
            let row = found(devices::device(tx, device.as_bytes())?, "device")?;
            let states = states(tx, row.id, now)?;
            let mut wanted: Vec<u64> = match sequences {
                Some(wanted) => wanted,
                None => states.iter().map(|(sequence, _)| *sequence).collect(),
            };
            wanted.sort_unstable();
            wanted.dedup();
            wanted.retain(|wanted| states.iter().any(|(sequence, _)| sequence == wanted));
            if wanted.is_empty() {
                return Err(ServiceError::refused(
                    "nothing-to-erase",
                    "none of these events has contents any more",
                ));
            }
            if wanted.len() > SEQUENCES_MAX {
                return Err(ServiceError::too_many(
                    "too-many-events",
                    format!("at most {SEQUENCES_MAX} events are erased at a time; name fewer"),
                ));
            }
            for (sequence, state) in states.iter().filter(|(at, _)| wanted.contains(at)) {
                store::erase_event(tx, row.id, *sequence, &state.encode())?;
            }
            let kind = EventKind::Erased { sequences: wanted };
            // Names nobody: this event is never erased itself.
            let applied = record::apply_platform(tx, &platform, &device, &kind, None, now)?;
            tx.effect(Effect::Scrub);
            tx.audit(&event)?;
            Ok(applied.recorded)
        })
        .await
    }

    fn events_naming(
        &self,
        reporter: i64,
        slug: &str,
        actor: &str,
    ) -> Result<BTreeMap<DeviceId, Vec<u64>>, ServiceError> {
        let platform = self.platform.organisation.id;
        let mut found: BTreeMap<DeviceId, Vec<u64>> = BTreeMap::new();
        let mut from = 0;
        loop {
            let rows = self.read(|connection| store::events_by_leaf(connection, from, STEP))?;
            let Some(last) = rows.last() else { return Ok(found) };
            from = last.leaf.saturating_add(1);
            for row in rows.iter().filter(|row| [reporter, platform].contains(&row.reporter)) {
                let Some((_, cose)) = &row.contents else { continue };
                let Ok(signed) = SignedEvent::parse(cose) else { continue };
                let event = signed.unverified();
                // The platform signs for members as well, and names them as callers are named.
                let named = match &event.on_behalf {
                    None => row.reporter == reporter && event.actor.as_deref() == Some(actor),
                    Some(behalf) => {
                        behalf.organisation.as_str() == slug
                            && event.actor.as_deref().is_some_and(|named| {
                                named == actor || named.ends_with(&format!(" {slug}/{actor}"))
                            })
                    }
                };
                if named {
                    found.entry(event.device).or_default().push(event.sequence);
                }
            }
        }
    }
}

/// The state after each event that still has contents.
fn states(tx: &Tx<'_>, device: i64, now: UnixTime) -> Result<Vec<(u64, State)>, ServiceError> {
    let damaged = |_| ServiceError::fatal("history-altered", "the device's history is damaged");
    let mut states = Vec::new();
    let mut state: Option<State> = None;
    for row in store::events(tx, device, 0, EVENTS_MAX)? {
        match (&row.contents, &row.state_after) {
            (Some((_, cose)), _) => {
                let signed = SignedEvent::parse(cose).map_err(|_| damaged(()))?;
                let event = signed.unverified();
                let reporter = organisations::organisation_by_id(tx, row.reporter)?;
                let roles = reporter.and_then(|reporter| Roles::from_bits(reporter.roles.into()));
                let context = Context::new(now, roles.unwrap_or(Roles::NONE));
                let commitment = row.commitment.ok_or_else(|| damaged(()))?;
                let next = match &state {
                    None => State::start(event, commitment, &context),
                    Some(state) => state.apply(event, commitment, &context),
                };
                let next = next.map_err(|_| damaged(()))?;
                // The mark of an erasure stays: it explains what is gone.
                if row.kind != Kind::Erased.code() {
                    states.push((row.sequence, next.clone()));
                }
                state = Some(next);
            }
            (None, Some(after)) => state = Some(State::decode(after).map_err(|_| damaged(()))?),
            (None, None) => return Err(damaged(())),
        }
    }
    Ok(states)
}
