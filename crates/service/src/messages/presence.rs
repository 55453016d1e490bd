//! From where devices come: networks, in memory. A certificate that is used in two networks at once, or
//! that goes to and fro between them, may be in two hands; that becomes a security event, for rules of
//! alerts to watch. Nothing else is known of a device's place.

use super::DoorSender;
use crate::Service;
use alert::Prefix;
use audit::{Kind, Outcome, SecurityEvent};
use crypto::UnixTime;
use device::DeviceId;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Devices of which it is known from where they came last.
const DEVICES_MAX: usize = 200_000;
/// Connections of a device whose networks are remembered.
const LIVE_MAX: usize = 16;
/// How long a network counts as the one before, in seconds.
const BEFORE_S: i64 = 900;
/// Facts that wait to be written.
const FACTS_MAX: usize = 10_000;

/// What is known of it.
#[derive(Debug, Default)]
pub(crate) struct Presence(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    devices: HashMap<DeviceId, Places>,
    facts: HashMap<FactKey, Fact>,
}

#[derive(Debug, Default)]
struct Places {
    last: Option<(Prefix, UnixTime)>,
    /// connections that are open: number, network, who the client says it is
    live: Vec<(u64, Prefix, String)>,
    next: u64,
}

/// Device, owner's name, what.
type FactKey = (DeviceId, String, &'static str);

/// How often, and the newest of it.
#[derive(Debug, Clone)]
struct Fact {
    count: u64,
    from: Prefix,
    to: Prefix,
    source: IpAddr,
}

/// A device is connected from somewhere; dropped, it is not any more.
#[derive(Debug)]
pub struct DeviceHere {
    known: Arc<Mutex<Known>>,
    device: DeviceId,
    number: u64,
}

impl Drop for DeviceHere {
    fn drop(&mut self) {
        let mut known = lock(&self.known);
        if let Some(places) = known.devices.get_mut(&self.device) {
            places.live.retain(|(number, ..)| *number != self.number);
        }
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Known {
    /// Forgets those that are not connected and were long not heard of.
    fn make_room(&mut self, now: UnixTime) {
        if self.devices.len() < DEVICES_MAX {
            return;
        }
        let recent = |places: &Places| places.last.is_some_and(|(_, at)| now.since(at) < BEFORE_S);
        self.devices.retain(|_, places| !places.live.is_empty() || recent(places));
        if self.devices.len() >= DEVICES_MAX {
            self.devices.retain(|_, places| !places.live.is_empty());
        }
    }

    fn fact(&mut self, key: FactKey, (from, to, source): (Prefix, Prefix, IpAddr)) {
        if let Some(fact) = self.facts.get_mut(&key) {
            *fact = Fact { count: fact.count.saturating_add(1), from, to, source };
        } else if self.facts.len() < FACTS_MAX {
            self.facts.insert(key, Fact { count: 1, from, to, source });
        }
    }

    /// A device came from somewhere, with a connection of a client or with one request. The number of
    /// the connection.
    fn came(
        &mut self,
        (device, owner): (DeviceId, &str),
        source: IpAddr,
        client: Option<&str>,
        now: UnixTime,
    ) -> Option<u64> {
        self.make_room(now);
        let here = Prefix::network(source);
        let places = self.devices.entry(device).or_default();
        // A client that comes again has moved; another one of the same device is somewhere else.
        let other = client.and_then(|client| {
            let elsewhere =
                |(_, place, name): &&(u64, Prefix, String)| *place != here && name != client;
            places.live.iter().find(elsewhere).map(|(_, place, _)| *place)
        });
        let before = places
            .last
            .filter(|(place, at)| *place != here && now.since(*at) < BEFORE_S)
            .map(|(place, _)| place);
        places.last = Some((here, now));
        let number = client.filter(|_| places.live.len() < LIVE_MAX).map(|client| {
            places.next = places.next.wrapping_add(1);
            places.live.push((places.next, here, client.to_owned()));
            places.next
        });
        if let Some(place) = other {
            self.fact((device, owner.to_owned(), "two-places"), (place, here, source));
        }
        if let Some(place) = before {
            self.fact((device, owner.to_owned(), "place-changed"), (place, here, source));
        }
        number
    }
}

impl Service {
    /// A device opened a session from somewhere. What is returned is kept as long as the session is.
    pub fn device_connected(
        &self,
        sender: &DoorSender,
        source: IpAddr,
        client: &str,
    ) -> Option<DeviceHere> {
        let (device, now) = (sender.device(), self.now());
        self.observe_place(sender, source, now);
        let known = &self.presence.0;
        let came = (device, sender.owner().as_str());
        let number = lock(known).came(came, source, Some(client), now)?;
        Some(DeviceHere { known: Arc::clone(known), device, number })
    }

    /// A device asked something from somewhere, without a session.
    pub fn device_asked(&self, sender: &DoorSender, source: IpAddr) {
        let (came, now) = ((sender.device(), sender.owner().as_str()), self.now());
        lock(&self.presence.0).came(came, source, None, now);
        self.observe_place(sender, source, now);
    }

    /// What is to be written down of it.
    pub(super) fn take_places(&self, now: UnixTime) -> Vec<SecurityEvent> {
        let facts = std::mem::take(&mut lock(&self.presence.0).facts);
        facts
            .into_iter()
            .map(|((device, owner, what), fact)| {
                SecurityEvent::new(now, Kind::Deviation, Outcome::Failure)
                    .organisation(&owner)
                    .actor(&format!("device {device}"))
                    .subject(&device.to_string())
                    .source(fact.source)
                    .detail("what", what)
                    .detail("from", &fact.from.to_string())
                    .detail("to", &fact.to.to_string())
                    .detail("count", &fact.count.to_string())
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const NEAR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 200));
    const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

    fn device() -> DeviceId {
        DeviceId::from_bytes([1; 16])
    }

    fn facts(known: &mut Known) -> Vec<(&'static str, u64)> {
        let mut all: Vec<_> =
            known.facts.drain().map(|((_, _, what), fact)| (what, fact.count)).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn a_certificate_in_two_networks_at_once_is_told() {
        let mut known = Known::default();
        let came = |known: &mut Known, from, client, at| {
            known.came((device(), "acme"), from, client, UnixTime(at))
        };
        came(&mut known, HOME, Some("a"), 0);
        // The same network, or the same client that moved, is no second place.
        came(&mut known, NEAR, Some("b"), 10);
        assert!(facts(&mut known).is_empty());
        let number = came(&mut known, AWAY, Some("c"), 20).unwrap();
        assert_eq!(facts(&mut known), [("place-changed", 1), ("two-places", 1)]);
        // What has gone is nowhere.
        known.devices.get_mut(&device()).unwrap().live.retain(|(it, ..)| *it == number);
        came(&mut known, AWAY, Some("d"), 30);
        assert!(facts(&mut known).is_empty());
    }

    #[test]
    fn a_device_that_moves_changes_its_place_once() {
        let mut known = Known::default();
        let came = |known: &mut Known, from, at| {
            known.came((device(), "acme"), from, Some("a"), UnixTime(at));
        };
        came(&mut known, HOME, 0);
        came(&mut known, AWAY, 100);
        assert_eq!(facts(&mut known), [("place-changed", 1)]);
        came(&mut known, AWAY, 200);
        // Long after, where it was before says nothing.
        came(&mut known, HOME, 200 + BEFORE_S);
        assert!(facts(&mut known).is_empty());
        for at in 0..6 {
            came(&mut known, if at % 2 == 0 { AWAY } else { HOME }, 2_000 + at);
        }
        // The first of them follows on what was too long ago.
        assert_eq!(facts(&mut known), [("place-changed", 5)]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut known = Known::default();
        for n in 0..DEVICES_MAX as u32 + 5 {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&n.to_be_bytes());
            known.came((DeviceId::from_bytes(id), "acme"), HOME, None, UnixTime(0));
        }
        assert!(known.devices.len() <= DEVICES_MAX);
        for _ in 0..100 {
            known.came((device(), "acme"), HOME, Some("a"), UnixTime(0));
        }
        assert_eq!(known.devices[&device()].live.len(), LIVE_MAX);
    }
}
