//! The procedures of docs/update-trust.md after the loss of each role's keys. In each: a thief with
//! the keys misleads a device as far as the keys reach, the owner follows the procedure, the device
//! is well again, and the thief's keys are worth nothing.

use crate::world::{
    DAY, Device, FIRMWARE, NOW, World, claimed, key, public, role, signed, target_file,
};
use crypto::SoftwareKey;
use update::{
    MetaFile, Paths, Snapshot, Targets, Timestamp, TopRole, Version,
    repository::{Files, Replacement, RepositoryError, Staged, recover, successor},
};

const FAR: u64 = 1_000_000;

fn far() -> Version {
    Version::new(FAR).unwrap()
}

/// What a thief serves: whatever is signed by the keys at hand.
struct Thief<'a> {
    files: Files,
    snapshot: &'a SoftwareKey,
    timestamp: &'a SoftwareKey,
}

impl Thief<'_> {
    fn serve_timestamp(&mut self, snapshot: MetaFile) {
        let mut timestamp: Timestamp = claimed(&self.files["timestamp.json"]);
        timestamp.header.version = far();
        timestamp.snapshot = snapshot;
        self.files.insert("timestamp.json".into(), signed(timestamp, &[self.timestamp]));
    }

    fn serve_snapshot(&mut self, change: impl FnOnce(&mut Snapshot)) {
        let name = self.files.keys().find(|name| name.ends_with(".snapshot.json")).unwrap();
        let mut snapshot: Snapshot = claimed(&self.files[name]);
        snapshot.header.version = far();
        change(&mut snapshot);
        let bytes = signed(snapshot, &[self.snapshot]);
        self.serve_timestamp(MetaFile::of(far(), &bytes));
        self.files.insert(format!("{FAR}.snapshot.json"), bytes);
    }

    /// A targets file of the thief's making, at a version far ahead.
    fn serve_targets(&mut self, name: &str, path: &str, keys: &[&SoftwareKey]) {
        let mut targets: Targets = claimed(&self.files[&format!("1.{name}.json")]);
        targets.header.version = far();
        targets.targets.insert(path.into(), target_file(b"malware"));
        let bytes = signed(targets, keys);
        let file = format!("{name}.json");
        self.files.insert(format!("{FAR}.{file}"), bytes.clone());
        self.serve_snapshot(|snapshot| {
            snapshot.meta.insert(file, MetaFile::of(far(), &bytes));
        });
    }
}

fn replace(role: TopRole, lost: &[SoftwareKey], new: &[SoftwareKey]) -> Replacement {
    Replacement {
        role,
        remove: lost.iter().map(|key| public(key).computed_id()).collect(),
        add: new.iter().map(public).collect(),
        threshold: None,
    }
}

fn device(world: &World) -> Device {
    let mut device = world.device();
    device.update(&world.files, NOW, "gate/fw.img", FIRMWARE).unwrap();
    device
}

/// After the procedure: the misled device and a fresh one take the owner's software, and the thief
/// misleads neither of them again.
fn well(world: &World, thief: &Files, misled: Device) {
    for mut device in [misled, world.device()] {
        device.update(&world.files, NOW, "gate/fw.img", FIRMWARE).unwrap();
        let mut mirror = thief.clone();
        mirror.extend(
            world
                .files
                .iter()
                .filter(|(name, _)| name.contains(".root."))
                .map(|(name, bytes)| (name.clone(), bytes.clone())),
        );
        let refused = device.refresh(&mirror, NOW).unwrap_err();
        assert_eq!(refused.code(), "wrong-keys", "{refused}");
    }
}

#[test]
fn timestamp_keys() {
    let mut world = World::new();
    let mut misled = device(&world);
    let lost = std::mem::replace(&mut world.timestamp, vec![key(32)]);
    let thief = {
        let snapshot = MetaFile::of(Version::FIRST, &world.files["1.snapshot.json"]);
        let mut thief =
            Thief { files: world.files.clone(), snapshot: &key(0), timestamp: &lost[0] };
        thief.serve_timestamp(snapshot);
        thief.files
    };
    misled.refresh(&thief, NOW).unwrap();

    let change = replace(TopRole::Timestamp, &lost, &world.timestamp);
    let root = recover(world.repository().root(), &[change], true, NOW.plus(365 * DAY)).unwrap();
    let root = signed(root, &world.root_keys());
    world.publish(&Staged { root: Some(root), ..Staged::default() }).unwrap();
    well(&world, &thief, misled);
}

#[test]
fn snapshot_and_timestamp_keys() {
    let mut world = World::new();
    let mut misled = device(&world);
    let lost_snapshot = std::mem::replace(&mut world.snapshot, vec![key(22)]);
    let lost_timestamp = std::mem::replace(&mut world.timestamp, vec![key(32)]);
    let thief = {
        let mut thief = Thief {
            files: world.files.clone(),
            snapshot: &lost_snapshot[0],
            timestamp: &lost_timestamp[0],
        };
        // A supplier's file is announced in a version that does not exist: nobody can install it.
        thief.serve_snapshot(|snapshot| {
            snapshot.meta.get_mut("kairo.json").unwrap().version = far();
        });
        thief.files
    };
    misled.refresh(&thief, NOW).unwrap();
    let refused = misled.find(&thief, NOW, "kairo/motor.img").unwrap_err();
    assert_eq!(refused.code(), "missing-metadata");

    let changes = [
        replace(TopRole::Snapshot, &lost_snapshot, &world.snapshot),
        replace(TopRole::Timestamp, &lost_timestamp, &world.timestamp),
    ];
    let root = recover(world.repository().root(), &changes, true, NOW.plus(365 * DAY)).unwrap();
    let root = signed(root, &world.root_keys());
    world.publish(&Staged { root: Some(root), ..Staged::default() }).unwrap();
    misled.find(&world.files, NOW, "kairo/motor.img").unwrap();
    well(&world, &thief, misled);
}

#[test]
fn targets_keys() {
    let mut world = World::new();
    let mut misled = device(&world);
    let lost = std::mem::replace(&mut world.targets, vec![key(13), key(14)]);
    let lost_snapshot = std::mem::replace(&mut world.snapshot, vec![key(22)]);
    let lost_timestamp = std::mem::replace(&mut world.timestamp, vec![key(32)]);
    let thief = {
        let mut thief = Thief {
            files: world.files.clone(),
            snapshot: &lost_snapshot[0],
            timestamp: &lost_timestamp[0],
        };
        thief.serve_targets("targets", "gate/fw.img", &[&lost[0], &lost[1]]);
        thief.files
    };
    misled.update(&thief, NOW, "gate/fw.img", b"malware").unwrap();

    // The targets' keys alone are not enough: devices remember the thief's version.
    let only = [replace(TopRole::Targets, &lost, &world.targets)];
    let present = world.repository();
    assert_eq!(
        recover(present.root(), &only, true, NOW.plus(DAY)),
        Err(RepositoryError::RotateToo(TopRole::Snapshot))
    );
    let changes = [
        replace(TopRole::Targets, &lost, &world.targets),
        replace(TopRole::Snapshot, &lost_snapshot, &world.snapshot),
        replace(TopRole::Timestamp, &lost_timestamp, &world.timestamp),
    ];
    let root = recover(present.root(), &changes, true, NOW.plus(365 * DAY)).unwrap();
    let next = world.next_targets(|_| {});
    let staged = Staged {
        root: Some(signed(root, &world.root_keys())),
        targets: [(role("targets"), next)].into(),
    };
    world.publish(&staged).unwrap();
    well(&world, &thief, misled);
}

#[test]
fn keys_of_a_delegated_role() {
    let mut world = World::new();
    let mut misled = device(&world);
    let lost = std::mem::replace(&mut world.supplier, key(42));
    let lost_snapshot = std::mem::replace(&mut world.snapshot, vec![key(22)]);
    let lost_timestamp = std::mem::replace(&mut world.timestamp, vec![key(32)]);
    let thief = {
        let mut thief = Thief {
            files: world.files.clone(),
            snapshot: &lost_snapshot[0],
            timestamp: &lost_timestamp[0],
        };
        // What it may speak about, and no more.
        thief.serve_targets("kairo", "kairo/motor.img", &[&lost]);
        thief.files
    };
    misled.update(&thief, NOW, "kairo/motor.img", b"malware").unwrap();
    misled.update(&thief, NOW, "gate/fw.img", FIRMWARE).unwrap();

    let supplier = public(&world.supplier);
    let next = world.next_targets(|targets| {
        let paths = Paths::Patterns(vec!["kairo/*".into()]);
        targets.delegate(role("kairo"), &[supplier], 1, paths, true).unwrap();
    });
    let kairo = successor(&world.first_kairo(), &role("kairo"), NOW.plus(90 * DAY)).unwrap();
    let changes = [
        replace(TopRole::Snapshot, &lost_snapshot, &world.snapshot),
        replace(TopRole::Timestamp, &lost_timestamp, &world.timestamp),
    ];
    let root = recover(world.repository().root(), &changes, true, NOW.plus(365 * DAY)).unwrap();
    let staged = Staged {
        root: Some(signed(root, &world.root_keys())),
        targets: [(role("targets"), next), (role("kairo"), signed(kairo, &[&world.supplier]))]
            .into(),
    };
    world.publish(&staged).unwrap();
    misled.update(&world.files, NOW, "kairo/motor.img", b"a motor's firmware").unwrap();
    well(&world, &thief, misled);
}

#[test]
fn fewer_root_keys_than_the_threshold() {
    let mut world = World::new();
    let mut device = device(&world);
    // One of three is stolen, the threshold is two: nothing can be forged, and it is replaced.
    let lost = std::mem::replace(&mut world.root[0], key(4));
    let change = replace(TopRole::Root, std::slice::from_ref(&lost), &[key(4)]);
    let present = world.repository();
    let root = recover(present.root(), &[change], true, NOW.plus(365 * DAY)).unwrap();
    let keys = [&world.root[0], &world.root[1], &world.root[2]];
    let staged = Staged { root: Some(signed(root, &keys)), ..Staged::default() };
    world.publish(&staged).unwrap();
    device.update(&world.files, NOW, "gate/fw.img", FIRMWARE).unwrap();
    // The stolen key and one more that is stolen later are not a threshold.
    let forged = recover(world.repository().root(), &[], false, NOW.plus(DAY)).unwrap();
    let mut mirror = world.files.clone();
    mirror.insert("3.root.json".into(), signed(forged, &[&lost, &world.root[1]]));
    assert_eq!(device.refresh(&mirror, NOW).unwrap_err().code(), "wrong-keys");
}

#[test]
fn a_threshold_of_root_keys_needs_a_new_root_by_another_way() {
    // Nothing within the repository helps: the thief is the root. Devices get a new root by the way
    // by which they got the first one, and forget the rest.
    let world = World::new();
    let mut misled = device(&world);
    let evil = recover(world.repository().root(), &[], false, NOW.plus(3650 * DAY)).unwrap();
    let mut mirror = world.files.clone();
    mirror.insert("2.root.json".into(), signed(evil, &[&world.root[0], &world.root[1]]));
    misled.refresh(&mirror, NOW).unwrap();
    let mut anew = World::unpublished();
    anew.root = vec![key(5), key(6)];
    let staged = Staged {
        root: Some(signed(anew.first_root(), &anew.root_keys())),
        targets: [
            (role("targets"), signed(anew.first_targets(), &anew.targets_keys())),
            (role("kairo"), signed(anew.first_kairo(), &[&anew.supplier])),
        ]
        .into(),
    };
    anew.publish(&staged).unwrap();
    let mut device = Device::new(anew.root_bytes(1));
    device.update(&anew.files, NOW, "gate/fw.img", FIRMWARE).unwrap();
    mirror.remove("1.root.json");
    assert_eq!(device.refresh(&mirror, NOW).unwrap_err().code(), "wrong-keys");
}

#[test]
fn an_expired_repository_is_revived_by_its_owner() {
    let mut world = World::new();
    let mut device = device(&world);
    world.now = NOW.plus(400 * DAY);
    assert_eq!(device.refresh(&world.files, world.now).unwrap_err().code(), "expired");
    let root = recover(world.repository().root(), &[], false, world.now.plus(365 * DAY)).unwrap();
    let kairo = successor(&world.first_kairo(), &role("kairo"), world.now.plus(DAY)).unwrap();
    let staged = Staged {
        root: Some(signed(root, &world.root_keys())),
        targets: [
            (role("targets"), world.next_targets(|_| {})),
            (role("kairo"), signed(kairo, &[&world.supplier])),
        ]
        .into(),
    };
    world.publish(&staged).unwrap();
    device.update(&world.files, world.now, "gate/fw.img", FIRMWARE).unwrap();
}
