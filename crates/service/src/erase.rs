//! Use cases: erase contents of the history (PR-4). Salt and contents are destroyed, the fact is
//! recorded, commitments and states stay, so that every other proof holds.
//!
//! Who may erase what (docs/event.md):
//!
//! - The owner of a device erases what its organisation reported, and what others reported while
//!   it owned the device, but neither what an authority reported nor the platform's alarms. What
//!   was before, such as its making, is not its to destroy: others rely on it.
//! - An organisation erases what it reported in the name of a person, whoever owns the device now:
//!   it brought the name there, and it is who the person asks.
//! - The platform's operator, on the machine itself, erases what it must by law.

use crate::{
    Recorded, Service, ServiceError,
    approvals::{Intent, Slip},
    live::found,
    record,
    service::Platform,
    store::{Effect, Tx, device as devices, event as store, organisation as organisations},
    verdict::EVENTS_MAX,
};
use crypto::UnixTime;
use device::{
    Context, DeviceId, Event, EventKind, Kind, OrganisationId, Roles, SignedEvent, State,
};
use policy::{Act, Action, Caller};
use rusqlite::Connection;
use std::sync::Arc;

/// Sequence numbers that one event of erasure names.
const SEQUENCES_MAX: usize = 1024;

/// An event that still has contents.
struct Standing {
    sequence: u64,
    leaf: u64,
    /// who reported it, or whom the platform reported it for
    reporter: OrganisationId,
    /// reported in the name of the person in question
    person: bool,
    /// who owned the device when it happened
    owner: OrganisationId,
    /// nobody's to erase but the operator's: an authority's word, an alarm
    kept: bool,
    /// the state after it
    after: State,
}

/// Who erases, and with what right.
enum Right {
    /// the owner of the device
    Owner(OrganisationId),
    /// the operator
    Operator,
}

impl Right {
    fn covers(&self, event: &Standing) -> bool {
        match self {
            Self::Operator => true,
            Self::Owner(own) => event.reporter == *own || (event.owner == *own && !event.kept),
        }
    }
}

impl Service {
    /// Erases the contents of all events so far of a device that the caller may erase: what others
    /// reported before its organisation owned the device stays.
    ///
    /// # Errors
    /// `not-found`, `role`, `nothing-to-erase`.
    pub async fn erase_device(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<Recorded, ServiceError> {
        let (row, state) = self.device_for(caller, Action::EraseDevice, device)?.begun()?;
        let right = right(caller, &state);
        let wanted = self.wants_second_person(caller, state.owner(), &[Act::Erase])?;
        if wanted.is_none() {
            let intent = all_of(device, Vec::new());
            let slip = self.second_person(caller, state.owner(), Act::Erase, &intent).await?;
            return self.erase(caller, device, None, right, slip).await;
        }
        // What is there now is what the other person is asked about; what comes later stays.
        let now = self.now();
        let intent = self.read(|connection| {
            let standing = standing(connection, row.id, now, None)?;
            let covered = standing.iter().filter(|event| right.covers(event));
            Ok(all_of(device, covered.map(|event| event.sequence).collect()))
        })?;
        let slip = self.second_person(caller, state.owner(), Act::Erase, &intent).await?;
        let approved = self.approved_intent(&slip)?.unwrap_or(intent);
        let Intent::EraseEvents { sequences, .. } = approved else {
            return Err(ServiceError::refused("approval-damaged", "the request cannot be read"));
        };
        self.erase(caller, device, Some(sequences), right, slip).await
    }

    /// Erases the contents of some events of a device.
    ///
    /// # Errors
    /// `not-found`, `role`, `nothing-to-erase`, `too-many-events`; `not-yours-to-erase` where one
    /// of them was reported by others before the caller's organisation owned the device.
    pub async fn erase_events(
        &self,
        caller: &Caller,
        device: &DeviceId,
        sequences: Vec<u64>,
    ) -> Result<Recorded, ServiceError> {
        let (_, state) = self.device_for(caller, Action::EraseDevice, device)?.begun()?;
        let mut sorted = sequences.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let intent =
            Intent::EraseEvents { device: device.to_string(), all: false, sequences: sorted };
        let slip = self.second_person(caller, state.owner(), Act::Erase, &intent).await?;
        self.erase(caller, device, Some(sequences), right(caller, &state), slip).await
    }

    /// What a job does to one device to erase a person's traces.
    pub(crate) fn forgetting(
        &self,
        caller: &Caller,
        device: &DeviceId,
        reporter: &OrganisationId,
        actor: &str,
    ) -> Forgetting {
        Forgetting {
            platform: Arc::clone(&self.platform),
            device: *device,
            reporter: reporter.clone(),
            actor: actor.to_owned(),
            event: self
                .event(caller, audit::Kind::Erasure, audit::Outcome::Success)
                .subject(&device.to_string()),
            now: self.now(),
        }
    }

    async fn erase(
        &self,
        caller: &Caller,
        device: &DeviceId,
        sequences: Option<Vec<u64>>,
        right: Right,
        slip: Slip,
    ) -> Result<Recorded, ServiceError> {
        let (platform, now, device) = (Arc::clone(&self.platform), self.now(), *device);
        let event = self
            .event(caller, audit::Kind::Erasure, audit::Outcome::Success)
            .subject(&device.to_string());
        self.commit(move |tx| {
            let row = found(devices::device(tx, device.as_bytes())?, "device")?;
            let standing = standing(tx, row.id, now, None)?;
            // Decided with what is on record now: the device may have been sold meanwhile.
            let state = record::state_of(&row)?.ok_or_else(record::not_begun)?;
            if let Right::Owner(own) = &right
                && state.owner() != own
            {
                return Err(ServiceError::not_found("device"));
            }
            let mut wanted: Vec<u64> = match sequences {
                Some(wanted) => wanted,
                None => {
                    let own = standing.iter().filter(|event| right.covers(event));
                    own.map(|event| event.sequence).collect()
                }
            };
            wanted.sort_unstable();
            wanted.dedup();
            wanted.retain(|wanted| standing.iter().any(|event| event.sequence == *wanted));
            let other = standing
                .iter()
                .find(|event| wanted.contains(&event.sequence) && !right.covers(event));
            if let Some(other) = other {
                return Err(ServiceError::forbidden(
                    "not-yours-to-erase",
                    format!(
                        "event {} was reported by {} when the device was not yours, or is an \
                         alarm or an authority's; it stays",
                        other.sequence, other.reporter
                    ),
                ));
            }
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
            slip.consume(tx, now)?;
            destroy(tx, &platform, &device, row.id, &standing, wanted, &event, now)
        })
        .await
    }
}

/// The erasure of a person's traces in one history.
pub(crate) struct Forgetting {
    platform: Arc<Platform>,
    device: DeviceId,
    /// whose reports
    reporter: OrganisationId,
    /// in whose name
    actor: String,
    event: audit::SecurityEvent,
    now: UnixTime,
}

/// How much of a history was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forgot {
    /// as much as one event of erasure names; there is more
    Some,
    /// all that there was
    All,
}

impl Forgetting {
    /// Erases, in the transaction of the job's item. Whoever owns the device now: the organisation
    /// brought the name there.
    pub(crate) fn perform(&self, tx: &mut Tx<'_>) -> Result<Forgot, ServiceError> {
        let row = found(devices::device(tx, self.device.as_bytes())?, "device")?;
        let person = Some((self.reporter.as_str(), self.actor.as_str()));
        let standing = standing(tx, row.id, self.now, person)?;
        let mut wanted: Vec<u64> =
            standing.iter().filter(|event| event.person).map(|event| event.sequence).collect();
        if wanted.is_empty() {
            return Ok(Forgot::All);
        }
        let forgot = if wanted.len() > SEQUENCES_MAX { Forgot::Some } else { Forgot::All };
        wanted.truncate(SEQUENCES_MAX);
        let (platform, event) = (&self.platform, &self.event);
        destroy(tx, platform, &self.device, row.id, &standing, wanted, event, self.now)?;
        Ok(forgot)
    }
}

/// Whether an event was reported by an organisation in a person's name. The platform signs for
/// members as well, and names them as callers are named.
pub(crate) fn names(event: &Event, reporter: &str, actor: &str) -> bool {
    let as_caller = |named: &str| {
        event.on_behalf.is_some()
            && named
                .strip_suffix(actor)
                .and_then(|rest| rest.strip_suffix('/'))
                .and_then(|rest| rest.strip_suffix(reporter))
                .is_some_and(|rest| rest.ends_with(' '))
    };
    let named = event.actor.as_deref();
    event.principal().as_str() == reporter
        && named.is_some_and(|named| named == actor || as_caller(named))
}

/// Destroys salts and contents, and records that.
#[expect(clippy::too_many_arguments, reason = "one step of two transactions")]
fn destroy(
    tx: &mut Tx<'_>,
    platform: &Arc<Platform>,
    device: &DeviceId,
    row: i64,
    standing: &[Standing],
    wanted: Vec<u64>,
    event: &audit::SecurityEvent,
    now: UnixTime,
) -> Result<Recorded, ServiceError> {
    for event in standing.iter().filter(|event| wanted.contains(&event.sequence)) {
        store::erase_event(tx, row, event.leaf, &event.after.encode())?;
    }
    let kind = EventKind::Erased { sequences: wanted };
    // Names nobody: this event is never erased itself.
    let applied = record::apply_platform(tx, platform, device, &kind, None, now)?;
    tx.effect(Effect::Scrub);
    tx.audit(event)?;
    Ok(applied.recorded)
}

fn all_of(device: &DeviceId, sequences: Vec<u64>) -> Intent {
    Intent::EraseEvents { device: device.to_string(), all: true, sequences }
}

/// With what right a caller erases contents of a device that it may erase of.
fn right(caller: &Caller, state: &State) -> Right {
    match caller {
        Caller::Platform { .. } => Right::Operator,
        _ => Right::Owner(state.owner().clone()),
    }
}

/// The events that still have contents, in their order.
/// `person`: an organisation, and a name that it may have reported in.
fn standing(
    tx: &Connection,
    device: i64,
    now: UnixTime,
    person: Option<(&str, &str)>,
) -> Result<Vec<Standing>, ServiceError> {
    let damaged = |_| ServiceError::fatal("history-altered", "the device's history is damaged");
    let mut standing = Vec::new();
    let mut state: Option<State> = None;
    let events = store::events(tx, device, 0, EVENTS_MAX)?;
    let known = devices::device_by_row(tx, device)?.map_or(0, |row| row.events);
    if usize::try_from(known).unwrap_or(usize::MAX).min(EVENTS_MAX) != events.len() {
        return Err(damaged(()));
    }
    for row in events {
        match (&row.contents, &row.state_after) {
            (Some((_, cose)), _) => {
                let signed = SignedEvent::parse(cose).map_err(|_| damaged(()))?;
                let event = signed.unverified();
                let reporter = organisations::organisation_by_id(tx, row.reporter)?;
                let roles = reporter.and_then(|reporter| Roles::from_bits(reporter.roles.into()));
                let roles = roles.unwrap_or(Roles::NONE);
                let context = Context::new(now, roles);
                let commitment = row.commitment.ok_or_else(|| damaged(()))?;
                let next = match &state {
                    None => State::start(event, commitment, &context),
                    Some(state) => state.apply(event, commitment, &context),
                };
                let next = next.map_err(|_| damaged(()))?;
                // The mark of an erasure stays: it explains what is gone.
                if row.kind != Kind::Erased.code() {
                    // A transfer is the new owner's as much as the former's.
                    let owner = match &event.kind {
                        EventKind::TransferAccepted { .. } => next.owner(),
                        _ => state.as_ref().map_or(next.owner(), State::owner),
                    };
                    let roles = event.on_behalf.as_ref().map_or(roles, |behalf| behalf.roles);
                    standing.push(Standing {
                        sequence: row.sequence,
                        leaf: row.leaf,
                        reporter: event.principal().clone(),
                        person: person.is_some_and(|(own, actor)| names(event, own, actor)),
                        owner: owner.clone(),
                        kept: roles.has(Roles::AUTHORITY) || is_alarm(&event.kind),
                        after: next.clone(),
                    });
                }
                state = Some(next);
            }
            (None, Some(after)) => state = Some(State::decode(after).map_err(|_| damaged(()))?),
            (None, None) => return Err(damaged(())),
        }
    }
    Ok(standing)
}

fn is_alarm(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::Reappeared { .. }
            | EventKind::ProofRefused { .. }
            | EventKind::PartSeenElsewhere { .. }
    )
}
