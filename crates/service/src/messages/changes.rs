//! What changed that may end a session at a door: which devices, which certificates, or the directory
//! (organisations and CAs); and which devices there is something new to tell. A door asks what is new and looks at those sessions alone; with many
//! thousand of them open, looking at all of them whenever anybody was revoked would be the outage.

use super::DoorSender;
use crate::Service;
use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Changes that are remembered; a door that missed more looks at all of its sessions.
const REMEMBERED_MAX: usize = 16_384;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// a device's standing, phase or owner, by its row
    Device(i64),
    /// a device, by its row, has another certificate in place of the one that it had
    Recertified(i64),
    /// a certificate was revoked, suspended or released: CA and serial number
    Certificate(i64, Box<[u8]>),
    /// organisations, products or CAs
    Directory,
    /// there is something new to tell a device, by its row
    Downlink(i64),
    /// other policies are in force of an organisation, by its row, or it agreed to something else
    Policies(i64),
    /// what data is for is another
    Purposes,
}

/// The newest of them, numbered.
#[derive(Debug, Default)]
pub(crate) struct Changes(Mutex<Ring>);

#[derive(Debug, Default)]
struct Ring {
    /// of all that there were
    count: u64,
    newest: VecDeque<Change>,
}

impl Changes {
    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, change: Change) {
        let mut ring = self.lock();
        ring.count = ring.count.wrapping_add(1);
        ring.newest.push_back(change);
        if ring.newest.len() > REMEMBERED_MAX {
            ring.newest.pop_front();
        }
    }

    fn count(&self) -> u64 {
        self.lock().count
    }

    fn since(&self, seen: u64) -> StandingChanges {
        let ring = self.lock();
        let new = usize::try_from(ring.count.wrapping_sub(seen)).unwrap_or(usize::MAX);
        let mut changes = StandingChanges { count: ring.count, ..StandingChanges::default() };
        changes.unknown = new > ring.newest.len();
        for change in ring.newest.iter().rev().take(new) {
            match change {
                Change::Device(row) => {
                    changes.devices.insert(*row);
                }
                Change::Recertified(row) => {
                    changes.recertified.insert(*row);
                }
                Change::Certificate(ca, serial) => {
                    changes.certificates.insert((*ca, serial.clone()));
                }
                Change::Directory => changes.directory = true,
                Change::Downlink(row) => {
                    changes.downlinks.insert(*row);
                }
                Change::Purposes => changes.purposes = true,
                Change::Policies(organisation) => {
                    changes.policies.insert(*organisation);
                }
            }
        }
        changes
    }
}

/// What changed since a door last asked.
#[derive(Debug, Clone, Default)]
pub struct StandingChanges {
    count: u64,
    devices: HashSet<i64>,
    recertified: HashSet<i64>,
    certificates: HashSet<(i64, Box<[u8]>)>,
    directory: bool,
    downlinks: HashSet<i64>,
    policies: HashSet<i64>,
    purposes: bool,
    /// more than is remembered
    unknown: bool,
}

impl StandingChanges {
    /// Whether there are none that may end a session.
    pub fn is_empty(&self) -> bool {
        !self.unknown
            && !self.directory
            && self.devices.is_empty()
            && self.recertified.is_empty()
            && self.certificates.is_empty()
    }

    /// Whether there is nothing new to tell anybody.
    pub fn tells_nothing(&self) -> bool {
        !self.unknown && self.downlinks.is_empty()
    }

    /// Whether no other policies are in force than before, and nobody agreed to anything else.
    pub fn changes_no_policies(&self) -> bool {
        !self.unknown && !self.purposes && self.policies.is_empty()
    }

    /// Whether other policies are in force for a sender.
    pub fn changes_policies_of(&self, sender: &DoorSender) -> bool {
        self.unknown || self.purposes || self.policies.contains(&sender.owner)
    }

    /// Whether there is something new to tell a device, by its row.
    pub(crate) fn tells(&self, row: i64) -> bool {
        self.unknown || self.downlinks.contains(&row)
    }

    /// What to ask with the next time.
    pub fn count(&self) -> u64 {
        self.count
    }
}

impl Service {
    /// How many changes there were: what to ask [`Self::standing_changes`] with at first.
    pub fn standing_count(&self) -> u64 {
        self.live.changes.count()
    }

    /// What changed since `seen`, which is [`StandingChanges::count`] of the last answer; zero at
    /// first. From memory.
    pub fn standing_changes(&self, seen: u64) -> StandingChanges {
        self.live.changes.since(seen)
    }

    /// Whether changes may concern a sender, so that it has to be looked at again. From memory.
    pub fn concerns(&self, changes: &StandingChanges, sender: &DoorSender) -> bool {
        let (ca, serial) = &sender.certificate;
        changes.unknown
            || changes.devices.contains(&sender.row)
            // What was shown as a certificate is one still; a key may mean another one now.
            || (sender.by_key && changes.recertified.contains(&sender.row))
            || changes.certificates.contains(&(*ca, serial.clone()))
            || (changes.directory && !self.directory_holds(sender))
    }

    /// Whether the sender's organisation works and its CA is known still.
    fn directory_holds(&self, sender: &DoorSender) -> bool {
        let works =
            self.organisation_of(sender.owner).is_ok_and(|owner| owner.suspended_at.is_none());
        works == sender.sender.organisation_works
            && self.ca_index().is_ok_and(|index| index.by_id(sender.certificate.0).is_some())
    }

    /// Whether a sender's certificate works, by the set in memory: asked for each message.
    pub(super) fn certificate_works(&self, sender: &DoorSender) -> bool {
        self.live.revoked_key(&sender.certificate).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_told_once_and_what_was_missed_is_known_to_be() {
        let changes = Changes::default();
        assert!(changes.since(0).is_empty());
        changes.add(Change::Device(7));
        changes.add(Change::Certificate(1, [2, 3].into()));
        let first = changes.since(0);
        assert!(first.devices.contains(&7) && first.certificates.contains(&(1, [2, 3].into())));
        assert!(!first.directory && !first.unknown);
        assert!(changes.since(first.count()).is_empty());
        changes.add(Change::Recertified(8));
        let renewed = changes.since(first.count());
        assert!(!renewed.is_empty() && renewed.devices.is_empty());
        changes.add(Change::Directory);
        let second = changes.since(renewed.count());
        assert!(second.directory && second.devices.is_empty());
        for row in 0..20_000 {
            changes.add(Change::Device(row));
        }
        assert!(changes.since(second.count()).unknown);
        let late = changes.since(changes.since(0).count() - 5);
        assert!(!late.unknown && late.devices.len() == 5);
    }
}
