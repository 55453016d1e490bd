//! Many devices at once, for benches: through the same verification, state machine, ledger and
//! commits as any other event, only in large calls.

use crate::{Service, ServiceError};
use crypto::{Signer, UnixTime, random};
use device::{
    Build, DeviceId, DeviceKind, Event, EventKind, OrganisationId, ProductId, SignedEvent,
};
use policy::Caller;
use std::sync::Arc;

/// Events per call.
const PER_CALL: usize = 5_000;
/// Events that one thread signs at a time.
const CHUNK: usize = 250;

impl Service {
    /// Registers `count` devices of a product line by signing and recording an event *assembled*
    /// for each with the maker's key, which must be registered. Returns their ids.
    ///
    /// # Errors
    /// As [`Self::record_events`]; the first refusal ends it.
    pub async fn bulk_register(
        &self,
        caller: &Caller,
        signer: Arc<dyn Signer>,
        maker: &OrganisationId,
        product: &ProductId,
        count: usize,
    ) -> Result<Vec<DeviceId>, ServiceError> {
        let mut devices = Vec::with_capacity(count);
        while devices.len() < count {
            let most = PER_CALL.min(self.config.limits.events_per_call);
            let mut left = most.min(count - devices.len());
            let mut chunks = Vec::new();
            while left > 0 {
                let size = left.min(CHUNK);
                left -= size;
                let (signer, now) = (Arc::clone(&signer), self.now());
                let (maker, product) = (maker.clone(), product.clone());
                chunks.push(self.pool.begin(move || {
                    (0..size)
                        .map(|_| assembled(signer.as_ref(), &maker, &product, now))
                        .collect::<Result<Vec<_>, ServiceError>>()
                }));
            }
            let mut events = Vec::new();
            for chunk in chunks {
                events.extend(chunk.outcome().await??);
            }
            for outcome in self.record_events(caller, events).await? {
                devices.push(outcome?.device);
            }
        }
        Ok(devices)
    }
}

fn assembled(
    signer: &dyn Signer,
    maker: &OrganisationId,
    product: &ProductId,
    now: UnixTime,
) -> Result<Vec<u8>, ServiceError> {
    let event = Event {
        device: DeviceId::from_bytes(random::bytes()),
        sequence: 0,
        previous: None,
        kind: EventKind::Assembled {
            kind: DeviceKind::Device,
            build: Build::MassProduction,
            product: product.clone(),
            root_of_trust: None,
            key: None,
            parts: Vec::new(),
        },
        at: now,
        reporter: maker.clone(),
        actor: None,
        place: None,
        evidence: Vec::new(),
        on_behalf: None,
        reason: None,
    };
    let signed = SignedEvent::sign(signer, &event)
        .map_err(|error| ServiceError::refused("signing-failed", error.to_string()))?;
    Ok(signed.as_bytes().to_vec())
}
