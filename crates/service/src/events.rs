//! Use cases about the history: report events, read them, know where the next one goes.

use crate::{
    DeviceAct, Page, Paged, Recorded, Service, ServiceError,
    approvals::{Intent, Question, Slip},
    live::found,
    record::{self, VerifiedEvent},
    store::{
        Tx, access,
        device::{self as devices, DeviceRow},
        event::{self as store, EventRow},
    },
};
use crypto::UnixTime;
use device::{Cause, DeviceId, EventKind, Kind, OrganisationId, SignedEvent, State};
use ledger::Commitment;
use policy::{Act, Action, Caller, Resource};
use std::sync::Arc;

/// Events that one thread verifies at a time.
const CHUNK: usize = 64;

/// Sequence number from which no further tests are recorded: a verdict replays at most
/// [`crate::verdict::EVENTS_MAX`] events.
const TESTS_UNTIL: u64 = 8_000;

/// Where a device's next event goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// sequence number of the next event
    pub next_sequence: u64,
    /// commitment that it must name; `None` for the first
    pub previous: Option<Commitment>,
}

/// A recorded event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventView {
    /// place in the device's history
    pub sequence: u64,
    /// index of its leaf in the ledger
    pub leaf: u64,
    /// what the ledger holds there
    pub commitment: Option<Commitment>,
    /// what happened
    pub kind: Kind,
    /// when, by the reporter's account
    pub at: UnixTime,
    /// when it was recorded
    pub recorded_at: UnixTime,
    /// who reported it
    pub reporter: OrganisationId,
    /// COSE_Sign1 as received; `None` once erased
    pub cose: Option<Vec<u8>>,
    /// salt of the commitment; `None` once erased
    pub salt: Option<[u8; 32]>,
}

impl Service {
    /// Records a life event that the caller's organisation has signed. Answers when it is durable.
    ///
    /// # Errors
    /// Malformed bytes, an unknown or retired signer, a reporter that is not the caller's
    /// organisation; the state machine's refusals by their codes (`phase-forbids`,
    /// `wrong-previous`, …).
    pub async fn record_event(
        &self,
        caller: &Caller,
        cose: Vec<u8>,
    ) -> Result<Recorded, ServiceError> {
        let verified = self.verify_event(caller, &cose)?;
        let slip = self.event_slip(caller, &verified, &[]).await?;
        let (platform, now) = (Arc::clone(&self.platform), self.now());
        let by = caller.clone();
        self.commit(move |tx| {
            tx.on_refusal(illegal_move(&by, &verified, now));
            slip.consume(tx, now)?;
            record::apply(tx, &platform, &verified, now).map(|applied| applied.recorded)
        })
        .await
    }

    /// A device is revoked by two where its owner wants that, whoever signs the event. `others`:
    /// what the call as a whole is besides.
    async fn event_slip(
        &self,
        caller: &Caller,
        verified: &VerifiedEvent,
        others: &[Act],
    ) -> Result<Slip, ServiceError> {
        if verified.event.kind.kind() != Kind::Revoked {
            return Ok(Slip::NotNeeded);
        }
        let device = verified.event.device;
        let row = self.read(|connection| devices::device(connection, device.as_bytes()))?;
        // What does not exist is refused where every event is.
        let Some(row) = row else { return Ok(Slip::NotNeeded) };
        let owner = self.organisation_id(row.owner)?;
        let cause = match &verified.event.kind {
            EventKind::Revoked { cause } => cause.name(),
            _ => "",
        };
        let intent = Intent::RevokeByEvent {
            device: device.to_string(),
            cause: cause.to_owned(),
            event: crypto::sha256(&verified.bytes).to_string(),
        };
        let asked = Question { others, ..Question::new(Act::RevokeDevice, &intent) };
        self.second_person_for(caller, &owner, &asked).await
    }

    /// Records many events, of one or many devices, in the order given. Each stands alone: one
    /// that is refused does not hold up the others.
    ///
    /// # Errors
    /// `too-many-events` where there are more than the limit; else one outcome per event.
    pub async fn record_events(
        &self,
        caller: &Caller,
        events: Vec<Vec<u8>>,
    ) -> Result<Vec<Result<Recorded, ServiceError>>, ServiceError> {
        let limit = self.config.limits.events_per_call;
        if events.len() > limit {
            return Err(ServiceError::too_many(
                "too-many-events",
                format!("at most {limit} events are taken in one call; send the rest in another"),
            ));
        }
        let mut verified = Vec::with_capacity(events.len());
        let events = self.verify_events(caller, events).await?;
        let revokes = |event: &&VerifiedEvent| event.event.kind.kind() == Kind::Revoked;
        let others: &[Act] = match events.iter().flatten().filter(revokes).count() {
            0 | 1 => &[],
            _ => &[Act::BulkRevoke],
        };
        for event in events {
            verified.push(match event {
                Ok(event) => {
                    self.event_slip(caller, &event, others).await.map(|slip| (event, slip))
                }
                Err(error) => Err(error),
            });
        }
        let (platform, now) = (Arc::clone(&self.platform), self.now());
        let by = caller.clone();
        // Each event is refused by itself; together they never are.
        let recording = move |tx: &mut Tx<'_>| {
            let mut outcomes = Vec::with_capacity(verified.len());
            for verified in verified {
                outcomes.push(match verified {
                    Ok((verified, slip)) => one_of_many(tx, &by, &platform, &verified, slip, now)?,
                    Err(error) => Err(error),
                });
            }
            Ok(outcomes)
        };
        self.store.writer.run_checked(recording).await
    }

    /// Where the device's next event goes.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn head(&self, caller: &Caller, device: &DeviceId) -> Result<Head, ServiceError> {
        let row = self.device_for(caller, Action::ReadDevice, device)?.row;
        Ok(Head {
            next_sequence: row.events,
            previous: row.head.map(|head| Commitment(crypto::Sha256(head))),
        })
    }

    /// A page of a device's events, by sequence number.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn history(
        &self,
        caller: &Caller,
        device: &DeviceId,
        page: &Page,
    ) -> Result<Paged<EventView>, ServiceError> {
        let row = self.device_for(caller, Action::ReadHistory, device)?.row;
        let (from, limit) = page.numbered(self.config.limits.page)?;
        let rows = self
            .read(|connection| store::events(connection, row.id, from, limit.saturating_add(1)))?;
        let items = rows
            .into_iter()
            .map(|row| self.event_view(row))
            .collect::<Result<Vec<_>, ServiceError>>()?;
        Ok(Paged::cut(items, limit, |last| last.sequence.saturating_add(1).to_string()))
    }

    /// Suspends a device on the caller's behalf; the platform signs the event.
    ///
    /// # Errors
    /// As [`Self::record_event`].
    pub async fn suspend_device(
        &self,
        caller: &Caller,
        device: &DeviceId,
        cause: Cause,
    ) -> Result<Recorded, ServiceError> {
        self.perform_act(caller, device, &DeviceAct::Suspend { cause }).await
    }

    /// Ends a suspension on the caller's behalf.
    ///
    /// # Errors
    /// As [`Self::record_event`].
    pub async fn release_device(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<Recorded, ServiceError> {
        self.perform_act(caller, device, &DeviceAct::Release).await
    }

    /// Revokes a device for good on the caller's behalf, with all its certificates.
    ///
    /// # Errors
    /// As [`Self::record_event`].
    pub async fn revoke_device(
        &self,
        caller: &Caller,
        device: &DeviceId,
        cause: Cause,
    ) -> Result<Recorded, ServiceError> {
        self.perform_act(caller, device, &DeviceAct::Revoke { cause }).await
    }

    async fn verify_events(
        &self,
        caller: &Caller,
        events: Vec<Vec<u8>>,
    ) -> Result<Vec<Result<VerifiedEvent, ServiceError>>, ServiceError> {
        if events.len() < CHUNK {
            return Ok(events.iter().map(|cose| self.verify_event(caller, cose)).collect());
        }
        let mut chunks = Vec::new();
        let mut events = events.into_iter();
        loop {
            let chunk: Vec<Vec<u8>> = events.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                break;
            }
            let (service, caller) = (self.clone(), caller.clone());
            chunks.push(self.pool.begin(move || {
                chunk.iter().map(|cose| service.verify_event(&caller, cose)).collect::<Vec<_>>()
            }));
        }
        let mut verified = Vec::new();
        for chunk in chunks {
            verified.extend(chunk.outcome().await?);
        }
        Ok(verified)
    }

    /// Parses an event and checks who signed it, before it comes near the queue.
    fn verify_event(&self, caller: &Caller, cose: &[u8]) -> Result<VerifiedEvent, ServiceError> {
        let signed = SignedEvent::parse(cose)
            .map_err(|error| ServiceError::malformed("event-malformed", error.to_string()))?;
        let event = signed.unverified();
        let unknown = || {
            ServiceError::refused(
                "signer-unknown",
                "the event is not signed by a key that its reporter registered and that is valid; \
                 register the signing key first",
            )
        };
        let entry = self.signer_entry(&signed.key_id())?.ok_or_else(unknown)?;
        let now = self.now();
        let revoked =
            entry.issued.as_ref().and_then(|(ca, serial)| self.live.revoked(*ca, serial)).is_some();
        let valid = entry.row.retired_at.is_none()
            && entry.certified
            && !revoked
            && entry.row.not_before <= now
            && now <= entry.row.not_after
            && entry.organisation.slug == event.reporter.as_str();
        if !valid {
            return Err(unknown());
        }
        // The reporter's own rights come first: a stranger learns nothing about signers' keys.
        let resource = Resource::organisation(&event.reporter).related([&event.reporter]);
        if caller.organisation() != Some(&event.reporter) {
            return Err(ServiceError::forbidden(
                "other-reporter",
                "the event is reported by another organisation than yours",
            ));
        }
        let _permit = self.authorize(caller, Action::for_event(event.kind.kind()), &resource)?;
        if event.reporter == self.platform.id {
            return Err(ServiceError::forbidden(
                "platform-signer",
                "the platform reports its events by itself",
            ));
        }
        if event.kind.kind() == Kind::Tested && event.sequence >= TESTS_UNTIL {
            return Err(ServiceError::too_many(
                "history-long",
                "the history is long already; it takes no further tests, to leave room for what \
                 must be recorded",
            ));
        }
        signed
            .verify(&entry.key)
            .map_err(|error| ServiceError::refused("event-signature", error.to_string()))?;
        Ok(VerifiedEvent::new(&signed, entry.organisation.clone()))
    }

    pub(crate) fn event_view(&self, row: EventRow) -> Result<EventView, ServiceError> {
        let damaged = || ServiceError::fatal("store-damaged", "an event's row is damaged");
        let (salt, cose) = row.contents.unzip();
        Ok(EventView {
            sequence: row.sequence,
            leaf: row.leaf,
            commitment: row.commitment,
            kind: Kind::from_code(row.kind.into()).ok_or_else(damaged)?,
            at: row.at,
            recorded_at: row.recorded_at,
            reporter: self.organisation_id(row.reporter)?,
            cose,
            salt,
        })
    }

    /// A device that the caller may do `action` with. Who has nothing to do with it learns nothing.
    pub(crate) fn device_for(
        &self,
        caller: &Caller,
        action: Action,
        device: &DeviceId,
    ) -> Result<KnownDevice, ServiceError> {
        let row = self.read(|connection| devices::device(connection, device.as_bytes()))?;
        self.permitted(caller, action, row)
    }

    /// As [`Self::device_for`], where the row was looked up already.
    pub(crate) fn permitted(
        &self,
        caller: &Caller,
        action: Action,
        row: Option<DeviceRow>,
    ) -> Result<KnownDevice, ServiceError> {
        let Some(row) = row else {
            let _permit = self.authorize(caller, action, &Resource::unknown())?;
            return Err(ServiceError::not_found("device"));
        };
        let state = record::state_of(&row)?;
        self.stand(caller, &row, state.as_ref(), |resource| {
            self.authorize(caller, action, resource).map(|_permit| ())
        })??;
        Ok(KnownDevice { row, state })
    }

    /// Gathers how the caller stands to a device, for the gate.
    pub(crate) fn stand<T>(
        &self,
        caller: &Caller,
        row: &DeviceRow,
        state: Option<&State>,
        decide: impl FnOnce(&Resource<'_>) -> T,
    ) -> Result<T, ServiceError> {
        let owner = self.organisation_id(row.owner)?;
        let maker = self.organisation_id(row.maker)?;
        let device = DeviceId::from_bytes(row.device_id);
        let mut resource = Resource::device(device, &owner).serial_number(&row.serial_number);
        if let Some(organisation) = caller.organisation() {
            if *organisation == maker || state.is_some_and(|state| state.concerns(organisation)) {
                resource = resource.related([organisation]);
            }
            let caller_row = self.organisation_row(organisation.as_str())?;
            let now = self.now();
            // Sharing gives no more than owning does, and nothing to a device (policy's tests).
            let matters = *organisation != owner
                && !matches!(caller, Caller::Device { .. } | Caller::Code { .. });
            let shared = matters
                && self
                    .read(|connection| access::is_shared(connection, row.id, caller_row.id, now))?;
            if shared {
                resource = resource.shared_with([organisation]);
            }
            let authority = device::Roles::from_bits(caller_row.roles.into())
                .is_some_and(|roles| roles.has(device::Roles::AUTHORITY));
            if authority {
                resource = resource.authorities([organisation]);
            }
        }
        Ok(decide(&resource))
    }
}

/// A device that the caller may see.
pub(crate) struct KnownDevice {
    pub(crate) row: DeviceRow,
    pub(crate) state: Option<State>,
}

impl KnownDevice {
    pub(crate) fn begun(self) -> Result<(DeviceRow, State), ServiceError> {
        let state = found(self.state, "device").map_err(|_| record::not_begun())?;
        Ok((self.row, state))
    }
}

/// One event of a call with many: a refusal is its own, a failing store is everybody's.
fn one_of_many(
    tx: &mut Tx<'_>,
    caller: &Caller,
    platform: &Arc<crate::service::Platform>,
    verified: &VerifiedEvent,
    slip: Slip,
    now: UnixTime,
) -> Result<Result<Recorded, ServiceError>, ServiceError> {
    let outcome = match slip {
        Slip::NotNeeded => record::apply_alone(tx, platform, verified, now)?,
        slip => tx.attempt(|tx: &mut Tx<'_>| {
            slip.consume(tx, now)?;
            record::apply(tx, platform, verified, now)
        }),
    };
    match outcome {
        Ok(applied) => Ok(Ok(applied.recorded)),
        Err(error) if error.is_store_lost() => Err(error),
        Err(error) => {
            tx.audit(&illegal_move(caller, verified, now).detail("code", error.code()))?;
            Ok(Err(error))
        }
    }
}

fn illegal_move(caller: &Caller, verified: &VerifiedEvent, now: UnixTime) -> audit::SecurityEvent {
    audit::SecurityEvent::new(now, audit::Kind::IllegalMove, audit::Outcome::Failure)
        .organisation(verified.event.reporter.as_str())
        .actor(&caller.to_string())
        .subject(&verified.event.device.to_string())
        .detail("event", verified.event.kind.kind().name())
}
