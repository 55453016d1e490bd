//! Any single changed byte in any metadata file is refused, and no bytes make the client panic.

use crate::world::{DAY, Device, NOW, World, signed};
use proptest::prelude::*;
use std::sync::LazyLock;
use update::{
    Limits, Root, Signed, Snapshot, Targets, Timestamp,
    client::{Answer, Client, Settings},
    repository::{Files, Staged, recover},
};

/// Two roots, so that one is fetched; each signed by as many keys as must, since one signature more
/// than that may be damaged without harm.
static WORLD: LazyLock<(Files, Vec<u8>)> = LazyLock::new(|| {
    let mut world = World::new();
    let root = recover(world.repository().root(), &[], false, NOW.plus(365 * DAY)).unwrap();
    let root = signed(root, &[&world.root[0], &world.root[2]]);
    world.publish(&Staged { root: Some(root), ..Staged::default() }).unwrap();
    let first = world.root_bytes(1);
    (world.files, first)
});

const NAMES: [&str; 5] =
    ["2.root.json", "timestamp.json", "2.snapshot.json", "1.targets.json", "1.kairo.json"];

fn device() -> Device {
    Device::new(WORLD.1.clone())
}

#[test]
fn the_untouched_files_are_accepted() {
    assert!(device().find(&WORLD.0, NOW, "kairo/motor.img").is_ok());
}

#[test]
fn every_bit_of_the_timestamp_counts() {
    let length = WORLD.0["timestamp.json"].len();
    for at in 0..length {
        for bit in 0..8 {
            let mut mirror = WORLD.0.clone();
            mirror.get_mut("timestamp.json").unwrap()[at] ^= 1 << bit;
            let refused = device().refresh(&mirror, NOW);
            assert!(refused.is_err(), "bit {bit} of byte {at} does not count");
        }
    }
}

proptest! {
    #[test]
    fn any_changed_byte_is_refused(name in 0..NAMES.len(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let name = NAMES[name];
        let mut mirror = WORLD.0.clone();
        let bytes = mirror.get_mut(name).unwrap();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        prop_assert!(device().find(&mirror, NOW, "kairo/motor.img").is_err(), "{name} {at}");
    }

    #[test]
    fn any_cut_is_refused(name in 0..NAMES.len(), at in any::<prop::sample::Index>()) {
        let name = NAMES[name];
        let mut mirror = WORLD.0.clone();
        let bytes = mirror.get_mut(name).unwrap();
        bytes.truncate(at.index(bytes.len()));
        prop_assert!(device().find(&mirror, NOW, "kairo/motor.img").is_err(), "{name} {at:?}");
    }

    #[test]
    fn any_answers_are_refused_or_absent(
        answers in proptest::collection::vec(
            proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200)), 1..6),
    ) {
        let mut client = Client::begin(device().stored, Settings::default(), NOW).unwrap();
        for answer in answers {
            let answer = answer.map_or(Answer::Absent, Answer::File);
            let _ = client.answer(answer);
        }
        prop_assert!(client.targets().is_none());
    }

    #[test]
    fn what_is_read_is_written_and_read_again(name in 0..NAMES.len()) {
        fn check<R: update::Metadata + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
            let read = Signed::<R>::parse(bytes, &Limits::DEFAULT).unwrap();
            let written = read.to_bytes().unwrap();
            assert_eq!(written, bytes, "our files are in canonical form");
            let drafted = Signed::draft(read.unverified().clone());
            let again = Signed::<R>::parse(&drafted.to_bytes().unwrap(), &Limits::DEFAULT).unwrap();
            assert_eq!(again.unverified(), read.unverified());
        }
        let bytes = &WORLD.0[NAMES[name]];
        match name {
            0 => check::<Root>(bytes),
            1 => check::<Timestamp>(bytes),
            2 => check::<Snapshot>(bytes),
            _ => check::<Targets>(bytes),
        }
    }
}
