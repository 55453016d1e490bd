//! What is counted of messages, in memory: rates, and what was refused since it was last written.

use super::take::MessageDoor;
use crate::store::{message::RefusedRow, traffic::TrafficRow};
use admission::{Meter, OrganisationTraffic, Quotas, Refusal, Ticks, Traffic};
use crypto::UnixTime;
use device::{DeviceId, OrganisationId};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::time::Instant;

/// Meters of devices that are kept before the idle ones are dropped.
const METERS_MAX: usize = 200_000;
/// Refusals that are gathered before more are only counted under the reasons that are there.
const REFUSED_MAX: usize = 10_000;

/// All of it; one lock, held for as long as a few additions take.
pub(crate) struct TrafficState {
    began: Instant,
    counts: Mutex<Counts>,
}

/// Which part another device had in what is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside {
    /// it carried it
    Carrier,
    /// it signed it
    Signer,
}

impl Beside {
    /// As events name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Carrier => "carrier",
            Self::Signer => "signer",
        }
    }
}

/// Device, owner, why, at which door, and whether another device had part in it.
type RefusedKey = (i64, i64, Refusal, u8, bool);
/// What exactly refused a message.
#[derive(Debug, Default)]
pub(super) struct Why {
    /// the policies, where policies did
    pub(super) policies: Vec<String>,
    /// the schema, the place in the payload and the rule, where a schema did
    pub(super) detail: Option<String>,
    /// the other device, where it took two
    pub(super) beside: Option<(Beside, DeviceId)>,
}

/// How often, when last, the first topic, and what refused it.
type RefusedCount = (u64, UnixTime, String, Why);
/// Longest list of policies that is kept with a refusal, in bytes.
const POLICIES_BYTES_MAX: usize = 300;

pub(super) struct Counts {
    pub(super) devices: HashMap<DeviceId, Meter>,
    pub(super) organisations: HashMap<OrganisationId, OrganisationTraffic>,
    pub(super) platform: Traffic,
    refused: HashMap<RefusedKey, RefusedCount>,
    dropped: u64,
    /// admitted and refused since they were last written, by owner and door
    counted: HashMap<(i64, u8), (u64, u64)>,
}

impl TrafficState {
    pub(crate) fn new(quotas: &Quotas) -> Self {
        let counts = Counts {
            devices: HashMap::new(),
            organisations: HashMap::new(),
            platform: Traffic::new(quotas),
            refused: HashMap::new(),
            dropped: 0,
            counted: HashMap::new(),
        };
        Self { began: Instant::now(), counts: Mutex::new(counts) }
    }

    /// The meters' time.
    pub(super) fn ticks(&self) -> Ticks {
        Ticks(u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    pub(super) fn tidy(&mut self, now: Ticks) {
        if self.devices.len() > METERS_MAX {
            self.devices.retain(|_, meter| !meter.is_idle(now));
        }
    }

    pub(super) fn refuse(
        &mut self,
        ((device, owner), reason, door): ((i64, i64), Refusal, MessageDoor),
        now: UnixTime,
        topic: &str,
        why: Why,
    ) {
        let of_door = self.counted.entry((owner, door.code())).or_default();
        of_door.1 = of_door.1.saturating_add(1);
        let key = (device, owner, reason, door.code(), why.beside.is_some());
        if let Some(entry) = self.refused.get_mut(&key) {
            entry.0 = entry.0.saturating_add(1);
            entry.1 = now;
        } else if self.refused.len() < REFUSED_MAX {
            self.refused.insert(key, (1, now, topic.to_owned(), why));
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// Counts a message that was admitted.
    pub(super) fn admitted(&mut self, owner: i64, door: MessageDoor) {
        let of_door = self.counted.entry((owner, door.code())).or_default();
        of_door.0 = of_door.0.saturating_add(1);
    }

    /// What was counted since the last time, to be written for a span of time.
    pub(super) fn take_counted(&mut self, at: UnixTime) -> Vec<TrafficRow> {
        let counted = std::mem::take(&mut self.counted).into_iter();
        let rows = counted.map(|((organisation, door), (admitted, refused))| TrafficRow {
            organisation,
            at,
            door,
            admitted,
            refused,
        });
        rows.filter(|row| row.admitted > 0 || row.refused > 0).collect()
    }

    /// What was refused since the last time, to be written.
    pub(super) fn take_refused(&mut self) -> (Vec<(Refusal, RefusedRow)>, u64) {
        let rows = std::mem::take(&mut self.refused)
            .into_iter()
            .map(|((device, owner, reason, door, _), (count, last_at, last_topic, why))| {
                let text = reason.code().to_owned();
                (
                    reason,
                    RefusedRow {
                        device,
                        owner,
                        reason: text,
                        door,
                        count,
                        last_at,
                        last_topic,
                        last_policies: joined(&why.policies),
                        last_detail: why.detail,
                        beside: why.beside,
                    },
                )
            })
            .collect();
        (rows, std::mem::take(&mut self.dropped))
    }
}

/// Ids of policies as text; those that there is no room for are left out.
fn joined(policies: &[String]) -> Option<String> {
    let mut text = String::new();
    for id in policies {
        if text.len().saturating_add(id.len()).saturating_add(2) > POLICIES_BYTES_MAX {
            break;
        }
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(id);
    }
    (!text.is_empty()).then_some(text)
}
