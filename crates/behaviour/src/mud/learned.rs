//! What a description may say, by what devices of a product line were seen to do.
//!
//! One device decides nothing: it takes several, each on several days, and a tenth of those that are looked at.
//! Only what devices opened themselves is looked at; whoever reaches a device can open connections to it.

use super::{Door, DoorPeer};
use crypto::UnixTime;

/// Doors that a suggestion has at most: so many fit into a file, whatever their names.
pub const DOORS_MAX: usize = 64;
/// Devices that have to have shown a door, at least and at most.
pub const DEVICES_NEEDED: core::ops::RangeInclusive<u32> = 2..=64;
/// Days on which each of them has to have shown it, at least and at most.
pub const DAYS_NEEDED: core::ops::RangeInclusive<u32> = 1..=30;
/// And of those that are looked at, one in so many.
const SHARE: u32 = 10;

/// How much has to be seen of a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needed {
    /// devices
    pub devices: u32,
    /// days of each
    pub days: u32,
}

impl Default for Needed {
    fn default() -> Self {
        Self { devices: 3, days: 3 }
    }
}

impl Needed {
    /// How many devices it takes where so many are looked at.
    pub fn of(self, devices: u32) -> u32 {
        self.devices.max(devices.div_ceil(SHARE))
    }
}

/// A door, and how it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenDoor {
    /// which
    pub door: Door,
    /// devices that showed it
    pub devices: u32,
    /// of them, those that showed it on as many days as it takes
    pub long: u32,
    /// on how many days the one that showed it most often did
    pub days: u32,
    /// when it was seen first
    pub first_at: UnixTime,
    /// and last
    pub last_at: UnixTime,
}

/// What becomes of a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// an entry allows it
    Entry,
    /// it is allowed anyhow: name resolution and time by the owner's own servers
    Owners,
    /// too few devices showed it, or on too few days
    TooFew,
    /// there are more than fit, and more devices showed those
    TooMany,
}

impl Taken {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Owners => "owners-service",
            Self::TooFew => "too-few",
            Self::TooMany => "too-many",
        }
    }
}

/// What becomes of each of the doors that so many devices showed: those of most devices first, then by their
/// names. The same doors give the same answer in whatever order they come.
pub fn learned(mut seen: Vec<SeenDoor>, devices: u32, needed: Needed) -> Vec<(SeenDoor, Taken)> {
    let least = needed.of(devices);
    seen.sort_by(|a, b| {
        (b.long, b.devices).cmp(&(a.long, a.devices)).then_with(|| a.door.cmp(&b.door))
    });
    let mut entries = 0_usize;
    let judge = |it: SeenDoor| {
        let taken = match () {
            () if it.long < least => Taken::TooFew,
            () if it.door.is_owners_service() => Taken::Owners,
            () if entries >= DOORS_MAX => Taken::TooMany,
            () => {
                entries = entries.saturating_add(1);
                Taken::Entry
            }
        };
        (it, taken)
    };
    seen.into_iter().map(judge).collect()
}

impl SeenDoor {
    /// What an entry's name says of how it was seen.
    pub fn note(&self) -> String {
        let many = |count: u32| if count == 1 { "" } else { "s" };
        let (devices, days) = (self.devices, self.days);
        let place = match self.door.peer {
            DoorPeer::Address(_) => ", address",
            DoorPeer::Name(_) | DoorPeer::LocalNetworks => "",
        };
        format!("{devices} device{}, {days} day{}{place}", many(devices), many(days))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mud::{
        Answer, Connection, Direction, MUD_BYTES_MAX, Mud, Peer, Suggested, SuggestedDoor, suggest,
    };
    use proptest::prelude::*;

    fn seen(door: &str, devices: u32, long: u32) -> SeenDoor {
        let (first_at, last_at) = (UnixTime(0), UnixTime(1));
        SeenDoor { door: door.parse().unwrap(), devices, long, days: 9, first_at, last_at }
    }

    #[test]
    fn one_device_decides_nothing_and_many_need_more() {
        let of = |all: &[SeenDoor], devices: u32, needed: Needed| -> Vec<String> {
            let all = learned(all.to_vec(), devices, needed);
            all.iter().map(|(it, taken)| format!("{} {}", it.door, taken.name())).collect()
        };
        let all = [
            seen("evil.example:443", 1, 1),
            seen("cloud.example:443", 9, 9),
            seen("new.example:443", 9, 2),
            seen("10.1.2.3:53/udp", 9, 9),
        ];
        assert_eq!(
            of(&all, 9, Needed::default()),
            [
                "cloud.example:443/tcp entry",
                "local:53/udp owners-service",
                "new.example:443/tcp too-few",
                "evil.example:443/tcp too-few",
            ]
        );
        // The least that can be asked for is two.
        let least = Needed { devices: *DEVICES_NEEDED.start(), days: *DAYS_NEEDED.start() };
        assert!(of(&all[..1], 2, least)[0].ends_with("too-few"));
        // Of 100 devices ten, whatever is asked for.
        assert!(of(&all[1..2], 100, least)[0].ends_with("too-few"));
        assert!(of(&all[1..2], 90, least)[0].ends_with("entry"));
    }

    /// What is suggested of doors.
    fn file(all: Vec<SeenDoor>, devices: u32) -> (Vec<(SeenDoor, Taken)>, String) {
        let all = learned(all, devices, Needed::default());
        let doors = all.iter().filter(|(_, taken)| *taken == Taken::Entry);
        let doors =
            doors.map(|(it, _)| SuggestedDoor { door: it.door.clone(), note: Some(it.note()) });
        let text = suggest(&Suggested {
            url: "https://acme.example/gate-3.json".into(),
            at: "2026-11-22T09:00:00Z".into(),
            systeminfo: "Gate".into(),
            made: ("acme".into(), "gate-3".into()),
            doors: doors.collect(),
        });
        (all, text)
    }

    #[test]
    fn the_longest_suggestion_is_a_file() {
        let name = |at: u32| format!("{at:05}.{}", vec!["a".repeat(60); 4].join("."));
        let all = (0..200)
            .map(|at| seen(&format!("{}:65535", name(at).get(..240).unwrap()), u32::MAX, 30));
        let (all, text) = file(all.collect(), 9);
        assert_eq!(all.iter().filter(|(_, taken)| *taken == Taken::Entry).count(), DOORS_MAX);
        assert!(text.len() < MUD_BYTES_MAX, "{}", text.len());
        let mud = Mud::parse(text.as_bytes()).unwrap();
        let longest = mud.from_device.iter().map(|ace| ace.name.len()).max().unwrap();
        assert!(longest <= 64, "RFC 8519 section 4.1: {longest}");
    }

    fn any_door() -> impl Strategy<Value = String> {
        let host = prop_oneof![
            "[a-c]{1,3}\\.example",
            "192\\.0\\.2\\.[1-9]",
            "10\\.0\\.0\\.[1-9]",
            "\\[2001:db8::[1-9]\\]",
        ];
        (host, 1_u16..9, prop_oneof![Just("tcp"), Just("udp")])
            .prop_map(|(host, port, protocol)| format!("{host}:{port}/{protocol}"))
    }

    proptest! {
        #[test]
        fn a_suggestion_is_a_file_that_allows_what_was_seen_and_nothing_else(
            doors in proptest::collection::btree_map(any_door(), (1_u32..12, 0_u32..12), 0..40),
            devices in 1_u32..60,
        ) {
            let mut all: Vec<SeenDoor> = doors
                .iter()
                .map(|(door, (devices, long))| seen(door, *devices, (*long).min(*devices)))
                .collect();
            all.dedup_by(|a, b| a.door == b.door);
            let (judged, text) = file(all.clone(), devices);
            let mud = Mud::parse(text.as_bytes()).unwrap();
            let entries: Vec<&Door> = judged
                .iter()
                .filter(|(_, taken)| *taken == Taken::Entry)
                .map(|(it, _)| &it.door)
                .collect();
            for (it, _) in &judged {
                let (peer, local) = match &it.door.peer {
                    DoorPeer::Name(name) => (Peer::Name(name.clone()), false),
                    DoorPeer::Address(address) => (Peer::Address(*address), false),
                    DoorPeer::LocalNetworks => (Peer::Name("x.invalid".into()), true),
                };
                let (protocol, port) = (it.door.protocol, it.door.port);
                let asked = Connection { opened_by: Direction::FromDevice, peer, protocol, port };
                let entry = entries.contains(&&it.door);
                let answer = mud.check(&asked);
                // Where another entry speaks of that port, whose address it is decides; what local networks
                // are, a file does not know.
                prop_assert!(!entry || answer != Answer::Denied, "{}", it.door);
                prop_assert!(!matches!(answer, Answer::Allowed(_)) || entry && !local, "{}", it.door);
                let taken = judged.iter().filter(|(_, it)| *it == Taken::Entry).count();
                prop_assert_eq!(taken, entries.len());
            }
            all.reverse();
            prop_assert_eq!(file(all, devices).1, text, "another order, another file");
        }
    }
}
