//! The attacks of section 1.5.2 of the specification, one by one, each with the code that tells it
//! apart.

use crate::world::{DAY, Device, FIRMWARE, NOW, World, claimed, key, role, signed};
use update::{
    Snapshot, Targets, Timestamp, Version,
    client::{Answer, Client, Pace, Refusal, Settings, Shown},
    repository::{Files, Staged, recover},
};

fn code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> &'static str {
    result.unwrap_err().code()
}

/// A device that has seen everything the world has published.
fn up_to_date(world: &World) -> Device {
    let mut device = world.device();
    device.update(&world.files, world.now, "gate/fw.img", FIRMWARE).unwrap();
    device
}

#[test]
fn arbitrary_software() {
    let world = World::new();
    let mut device = up_to_date(&world);
    let mut evil = FIRMWARE.to_vec();
    evil[3] ^= 1;
    let update = device.update(&world.files, NOW, "gate/fw.img", &evil);
    assert_eq!(update.unwrap_err(), Refusal::WrongSoftware("gate/fw.img".into()));
    // Cut short, and an empty file.
    let cut = &FIRMWARE[..FIRMWARE.len() - 1];
    assert_eq!(code(device.update(&world.files, NOW, "gate/fw.img", cut)), "wrong-software");
    assert_eq!(code(device.update(&world.files, NOW, "gate/fw.img", b"")), "wrong-software");

    // The attacker signs metadata of each role with keys of its own.
    let attacker = key(66);
    let check = |name: &str, forged: Vec<u8>, expected: &str| {
        let mut mirror = world.files.clone();
        mirror.insert(name.to_owned(), forged);
        let refused = code(world.device().find(&mirror, NOW, "kairo/motor.img"));
        assert_eq!(refused, expected, "{name}");
    };
    let timestamp: Timestamp = claimed(&world.files["timestamp.json"]);
    check("timestamp.json", signed(timestamp, &[&attacker]), "wrong-keys");
    let root = claimed::<update::Root>(&world.root_bytes(1));
    let next = recover(&root, &[], false, NOW.plus(DAY)).unwrap();
    check("2.root.json", signed(next.clone(), &[&attacker]), "wrong-keys");
    check("2.root.json", signed(next, &[&world.root[0]]), "wrong-keys");
    // What the timestamp and the snapshot pin by hash does not get as far as its signatures.
    let snapshot: Snapshot = claimed(&world.files["1.snapshot.json"]);
    check("1.snapshot.json", signed(snapshot, &[&attacker]), "altered-metadata");
    for name in ["1.targets.json", "1.kairo.json"] {
        let targets: Targets = claimed(&world.files[name]);
        check(name, signed(targets, &[&attacker]), "altered-metadata");
    }
    // Metadata of another role, signed by the right keys of that one.
    check("timestamp.json", world.files["1.snapshot.json"].clone(), "malformed-metadata");
    check("2.root.json", world.files["1.targets.json"].clone(), "malformed-metadata");
    check("timestamp.json", b"<html>404</html>".to_vec(), "malformed-metadata");
}

#[test]
fn arbitrary_software_where_hashes_are_not_pinned() {
    // Others' repositories need not pin hashes: then the signatures alone must hold.
    let world = World::new();
    let mut timestamp: Timestamp = claimed(&world.files["timestamp.json"]);
    timestamp.snapshot.hashes = None;
    timestamp.snapshot.length = None;
    let mut snapshot: Snapshot = claimed(&world.files["1.snapshot.json"]);
    for meta in snapshot.meta.values_mut() {
        meta.hashes = None;
        meta.length = None;
    }
    let mut mirror = world.files.clone();
    mirror.insert("timestamp.json".into(), signed(timestamp, &[&world.timestamp[0]]));
    mirror.insert("1.snapshot.json".into(), signed(snapshot.clone(), &[&world.snapshot[0]]));
    assert!(world.device().find(&mirror, NOW, "kairo/motor.img").is_ok());
    let check = |name: &str, forged: Vec<u8>| {
        let mut mirror = mirror.clone();
        mirror.insert(name.to_owned(), forged);
        assert_eq!(code(world.device().find(&mirror, NOW, "kairo/motor.img")), "wrong-keys");
    };
    let attacker = key(66);
    check("1.snapshot.json", signed(snapshot, &[&attacker]));
    let targets: Targets = claimed(&world.files["1.targets.json"]);
    check("1.targets.json", signed(targets.clone(), &[&attacker]));
    // One of two, and the keys of other roles.
    check("1.targets.json", signed(targets.clone(), &[&world.targets[0]]));
    check("1.targets.json", signed(targets, &[&world.targets[0], &world.supplier, &world.root[0]]));
    let kairo: Targets = claimed(&world.files["1.kairo.json"]);
    check("1.kairo.json", signed(kairo, &[&world.targets[0], &world.targets[1]]));
}

#[test]
fn rollback() {
    let mut world = World::new();
    let old = world.files.clone();
    world.release(b"a newer firmware");
    let mut device = world.device();
    device.update(&world.files, NOW, "gate/fw.img", b"a newer firmware").unwrap();

    // The mirror goes back to what it had, all of it properly signed.
    let refused = device.clone().refresh(&old, NOW).unwrap_err();
    let expected =
        Refusal::Rollback { role: role("timestamp"), found: shown(1), trusted: version(2) };
    assert_eq!(refused, expected);

    // With the timestamp's key: a newer timestamp that names the older snapshot.
    let mut timestamp: Timestamp = claimed(&old["timestamp.json"]);
    timestamp.header.version = version(9);
    let mut mirror = world.files.clone();
    mirror.insert("timestamp.json".into(), signed(timestamp, &[&world.timestamp[0]]));
    let refused = device.clone().refresh(&mirror, NOW).unwrap_err();
    let expected =
        Refusal::Rollback { role: role("snapshot"), found: shown(1), trusted: version(2) };
    assert_eq!(refused, expected);

    // With both online keys: a newer snapshot that names older targets, or none of kairo's.
    let check = |change: &dyn Fn(&mut Snapshot), expected: Refusal| {
        let mut snapshot: Snapshot = claimed(&world.files["2.snapshot.json"]);
        snapshot.header.version = version(9);
        change(&mut snapshot);
        let snapshot = signed(snapshot, &[&world.snapshot[0]]);
        let mut timestamp: Timestamp = claimed(&world.files["timestamp.json"]);
        timestamp.header.version = version(9);
        timestamp.snapshot = update::MetaFile::of(version(9), &snapshot);
        let mut mirror = world.files.clone();
        mirror.insert("9.snapshot.json".into(), snapshot);
        mirror.insert("timestamp.json".into(), signed(timestamp, &[&world.timestamp[0]]));
        assert_eq!(device.clone().refresh(&mirror, NOW).unwrap_err(), expected);
    };
    let older = claimed::<Snapshot>(&old["1.snapshot.json"]).meta["targets.json"].clone();
    check(
        &|snapshot| drop(snapshot.meta.insert("targets.json".into(), older.clone())),
        Refusal::Rollback { role: role("targets"), found: shown(1), trusted: version(2) },
    );
    check(
        &|snapshot| drop(snapshot.meta.remove("kairo.json")),
        Refusal::Rollback { role: role("kairo"), found: Shown(None), trusted: version(1) },
    );

    // An older root under the name of the next one, from a device that knows root 2.
    let mut world = World::new();
    let root = recover(world.repository().root(), &[], false, NOW.plus(365 * DAY)).unwrap();
    let staged = Staged { root: Some(signed(root, &world.root_keys())), ..Staged::default() };
    world.publish(&staged).unwrap();
    let mut device = up_to_date(&world);
    let mut mirror = world.files.clone();
    mirror.insert("3.root.json".into(), world.root_bytes(1));
    let expected = Refusal::Rollback { role: role("root"), found: shown(1), trusted: version(2) };
    assert_eq!(device.refresh(&mirror, NOW).unwrap_err(), expected);
}

#[test]
fn fast_forward_is_recovered_from() {
    // tests/it/recovery.rs has the whole procedure. Here: what an attacker with the timestamp's key
    // made a device remember is forgotten with the key.
    let mut world = World::new();
    let mut device = up_to_date(&world);
    let mut timestamp: Timestamp = claimed(&world.files["timestamp.json"]);
    timestamp.header.version = Version::LAST;
    let mut mirror = world.files.clone();
    mirror.insert("timestamp.json".into(), signed(timestamp, &[&world.timestamp[0]]));
    device.refresh(&mirror, NOW).unwrap();
    world.renew();
    assert_eq!(code(device.refresh(&world.files, NOW)), "rollback");
    let lost = std::mem::replace(&mut world.timestamp, vec![key(32)]);
    let change = update::repository::Replacement {
        role: update::TopRole::Timestamp,
        remove: vec![crate::world::public(&lost[0]).computed_id()],
        add: vec![crate::world::public(&world.timestamp[0])],
        threshold: None,
    };
    let root = recover(world.repository().root(), &[change], true, NOW.plus(365 * DAY)).unwrap();
    let staged = Staged { root: Some(signed(root, &world.root_keys())), ..Staged::default() };
    world.publish(&staged).unwrap();
    device.refresh(&world.files, NOW).unwrap();
    // The attacker's key is worth nothing any more.
    mirror.insert("2.root.json".into(), world.root_bytes(2));
    assert_eq!(code(device.refresh(&mirror, NOW)), "wrong-keys");
}

#[test]
fn indefinite_freeze() {
    let mut world = World::new();
    let frozen = world.files.clone();
    let mut device = up_to_date(&world);
    world.now = NOW.plus(DAY / 2);
    world.release(b"mends a hole");

    // Within the life of the timestamp nobody can tell without another source …
    assert!(device.clone().refresh(&frozen, world.now).is_ok());
    // … with one, it shows at once …
    let known = claimed::<Timestamp>(&world.files["timestamp.json"]).header.version;
    device.settings = Settings { timestamp_known: Some(known), ..Settings::default() };
    let expected =
        Refusal::Frozen { role: role("timestamp"), found: version(1), newest: version(2) };
    assert_eq!(device.clone().refresh(&frozen, world.now).unwrap_err(), expected);
    assert!(device.clone().refresh(&world.files, world.now).is_ok());
    // … and without one, when the timestamp ends: at that second, not after it.
    device.settings = Settings::default();
    let end = NOW.plus(DAY);
    assert!(device.clone().refresh(&frozen, end.plus(-1)).is_ok());
    let expected = Refusal::Expired { role: role("timestamp"), version: version(1), expires: end };
    assert_eq!(device.clone().refresh(&frozen, end).unwrap_err(), expected);
    assert_eq!(code(world.device().refresh(&frozen, end)), "expired");
}

#[test]
fn an_expired_repository_is_told_apart() {
    let mut world = World::new();
    let mut device = up_to_date(&world);
    let check = |world: &World, days: i64, expected: &str| {
        let refused = world.device().find(&world.files, NOW.plus(days * DAY), "kairo/motor.img");
        match refused.unwrap_err() {
            Refusal::Expired { role, .. } => assert_eq!(role.as_str(), expected, "day {days}"),
            other => panic!("{other}"),
        }
    };
    check(&world, 1, "timestamp");
    check(&world, 365, "root");
    // The online keys work on, and the offline ones sleep.
    world.now = NOW.plus(89 * DAY);
    world.renew();
    check(&world, 90, "timestamp");
    let at = |days: i64| NOW.plus(days * DAY);
    assert!(device.refresh(&world.files, at(89)).is_ok());
    // A snapshot that ends while its timestamp lives on.
    let mut snapshot: Snapshot = claimed(&world.files["2.snapshot.json"]);
    snapshot.header.expires = NOW.plus(DAY);
    snapshot.header.version = version(3);
    serve_snapshot(&mut world, snapshot);
    check(&world, 89, "snapshot");
    // Targets that end while all above them lives on.
    let mut snapshot: Snapshot = claimed(&world.files["2.snapshot.json"]);
    snapshot.header.expires = at(400);
    snapshot.header.version = version(4);
    serve_snapshot(&mut world, snapshot);
    check(&world, 90, "targets");
}

/// Serves a snapshot, with a timestamp over it that lives long.
fn serve_snapshot(world: &mut World, snapshot: Snapshot) {
    let version = snapshot.header.version;
    let bytes = signed(snapshot, &[&world.snapshot[0]]);
    let mut timestamp: Timestamp = claimed(&world.files["timestamp.json"]);
    timestamp.header.version = timestamp.header.version.next().unwrap();
    timestamp.header.expires = NOW.plus(400 * DAY);
    timestamp.snapshot = update::MetaFile::of(version, &bytes);
    world.files.insert(format!("{version}.snapshot.json"), bytes);
    world.files.insert("timestamp.json".into(), signed(timestamp, &[&world.timestamp[0]]));
}

#[test]
fn endless_data() {
    let world = World::new();
    // Padding keeps JSON valid: only the limit can stop it.
    let check = |name: &str, length: usize, expected: &str| {
        let mut mirror = world.files.clone();
        let mut bytes = mirror.get(name).cloned().unwrap_or_else(|| world.root_bytes(1));
        bytes.resize(length, b' ');
        mirror.insert(name.to_owned(), bytes);
        assert_eq!(code(world.device().find(&mirror, NOW, "kairo/motor.img")), expected, "{name}");
    };
    check("2.root.json", 512_001, "endless-data");
    check("timestamp.json", 16_385, "endless-data");
    for name in ["1.snapshot.json", "1.targets.json", "1.kairo.json"] {
        let announced = world.files[name].len();
        check(name, announced + 1, "endless-data");
    }
    // The client asks for no more than that.
    let client = Client::begin(world.device().stored, Settings::default(), NOW).unwrap();
    assert_eq!(client.wanted().unwrap().length_max, 512_000);
    // A target: refused at the first byte too many.
    let mut device = world.device();
    let mut download = device.find(&world.files, NOW, "gate/fw.img").unwrap().download();
    download.push(FIRMWARE).unwrap();
    assert_eq!(code(download.push(b"!")), "endless-data");
}

#[test]
fn slow_retrieval() {
    let pace = Pace::new(NOW, 1024, 30);
    assert_eq!(pace.check(0, NOW.plus(30)), Ok(()));
    assert_eq!(code(pace.check(10, NOW.plus(31))), "slow-retrieval");
    assert_eq!(pace.check(1_000_000, NOW.plus(31)), Ok(()));
}

#[test]
fn mix_and_match() {
    let mut world = World::new();
    let old = world.files.clone();
    world.release(b"a newer firmware");
    let check = |name: &str, with: &[u8], expected: Refusal| {
        let mut mirror = world.files.clone();
        mirror.insert(name.to_owned(), with.to_vec());
        assert_eq!(world.device().refresh(&mirror, NOW).unwrap_err(), expected);
    };
    // Each properly signed, and of another time.
    let mixed = |name: &str| Refusal::MixAndMatch {
        role: role(name),
        found: version(1),
        expected: version(2),
    };
    check("2.snapshot.json", &old["1.snapshot.json"], mixed("snapshot"));
    check("2.targets.json", &old["1.targets.json"], mixed("targets"));
    // A root that leaves one out.
    let root = world.repository().root().clone();
    let mut root = recover(&root, &[], false, NOW.plus(DAY)).unwrap();
    root.header.version = version(3);
    check(
        "2.root.json",
        &signed(root, &world.root_keys()),
        Refusal::MixAndMatch { role: role("root"), found: version(3), expected: version(2) },
    );
}

#[test]
fn wrong_software_and_extraneous_dependencies() {
    let world = World::new();
    let mut device = world.device();
    // Asked for one target, served another that is properly signed.
    let motor = b"a motor's firmware";
    let refused = device.update(&world.files, NOW, "gate/fw.img", motor);
    assert_eq!(code(refused), "wrong-software");
    // A supplier speaks about what is not its own.
    let refused = device.find(&world.files, NOW, "gate/other.img");
    assert_eq!(refused.unwrap_err(), Refusal::UnknownTarget("gate/other.img".into()));
    assert_eq!(code(device.find(&world.files, NOW, "kairo/else.img")), "unknown-target");
    // Where a target comes from is said, so that nothing else need be taken for it.
    let target = device.find(&world.files, NOW, "kairo/motor.img").unwrap();
    assert_eq!(target.roles(), [role("targets"), role("kairo")]);
    assert!(target.custom().unwrap().is_for("gate-bg1"));
}

#[test]
fn a_malicious_mirror_does_not_stop_a_good_one() {
    let world = World::new();
    let mut client = Client::begin(world.device().stored, Settings::default(), NOW).unwrap();
    let bad: [&[u8]; 3] = [b"", b"{}", b"{\"signed\":{},\"signatures\":[]}"];
    while let Some(wanted) = client.wanted() {
        for bytes in bad {
            assert!(client.answer(Answer::File(bytes.to_vec())).is_err());
            assert_eq!(client.wanted(), Some(wanted.clone()), "a refused answer changes nothing");
        }
        let good = world.files.get(&wanted.file).cloned();
        if good.is_some() {
            // Withheld files, but for a next root that may not exist.
            assert!(wanted.file == "2.root.json" || client.answer(Answer::Absent).is_err());
        }
        client.answer(good.map_or(Answer::Absent, Answer::File)).unwrap();
    }
    assert!(client.targets().is_some());
    assert_eq!(code(client.answer(Answer::Absent)), "out-of-order");
}

#[test]
fn withheld_metadata_are_named() {
    let world = World::new();
    for name in ["timestamp.json", "1.snapshot.json", "1.targets.json", "1.kairo.json"] {
        let mut mirror = world.files.clone();
        mirror.remove(name);
        let refused = world.device().find(&mirror, NOW, "kairo/motor.img").unwrap_err();
        assert_eq!(refused, Refusal::Missing { file: name.to_owned() });
    }
}

#[test]
fn key_compromise_below_a_threshold_gains_nothing() {
    // One root key of two, one targets key of two, and everything online.
    let world = World::new();
    let root = recover(world.repository().root(), &[], false, NOW.plus(DAY)).unwrap();
    let mut mirror = world.files.clone();
    // The same signature twice under two names, and one by a stranger.
    let mut forged = update::Signed::draft(root);
    let stolen = crate::world::public(&world.root[0]);
    forged.sign(&stolen.computed_id(), &stolen, &world.root[0]).unwrap();
    let alias = update::KeyId::new("alias").unwrap();
    forged.sign(&alias, &stolen, &world.root[0]).unwrap();
    mirror.insert("2.root.json".into(), forged.to_bytes().unwrap());
    assert_eq!(code(world.device().refresh(&mirror, NOW)), "wrong-keys");
    // The online keys alone can serve what was signed offline, and nothing else.
    let evil = {
        let mut targets: Targets = claimed(&world.files["1.targets.json"]);
        targets.header.version = version(2);
        signed(targets, &[&world.targets[0]])
    };
    let mut snapshot: Snapshot = claimed(&world.files["1.snapshot.json"]);
    snapshot.header.version = version(2);
    snapshot.meta.insert("targets.json".into(), update::MetaFile::of(version(2), &evil));
    let mut world = world;
    serve_snapshot(&mut world, snapshot);
    world.files.insert("2.targets.json".into(), evil);
    assert_eq!(code(world.device().refresh(&world.files, NOW)), "wrong-keys");
}

#[test]
fn too_many_roots_are_walked_in_steps() {
    let mut world = World::new();
    for _ in 0..5 {
        let root = recover(world.repository().root(), &[], false, NOW.plus(365 * DAY)).unwrap();
        let staged = Staged { root: Some(signed(root, &world.root_keys())), ..Staged::default() };
        world.publish(&staged).unwrap();
    }
    let mut device = world.device();
    device.settings.limits.root_rotations_max = 2;
    assert_eq!(code(device.refresh(&world.files, NOW)), "too-many-roots");
    assert_eq!(code(device.refresh(&world.files, NOW)), "too-many-roots");
    device.refresh(&world.files, NOW).unwrap();
}

#[test]
fn a_refresh_sees_one_time_only() {
    // Section 5.1: what is good when the update begins is good until it is done.
    let world = World::new();
    let client = Client::begin(world.device().stored, Settings::default(), NOW.plus(DAY - 1));
    let mut client = client.unwrap();
    while let Some(wanted) = client.wanted() {
        let answer = world.files.get(&wanted.file).cloned().map_or(Answer::Absent, Answer::File);
        client.answer(answer).unwrap();
    }
}

#[test]
fn every_refusal_says_what_to_do_in_both_languages() {
    let world = World::new();
    let none = Files::new();
    let refused = world.device().refresh(&none, NOW).unwrap_err();
    assert_eq!(refused.code(), "missing-metadata");
    assert!(refused.text().en.contains("mirror") && refused.text().ja.contains("ミラー"));
    assert!(Device::new(b"{}".to_vec()).refresh(&none, NOW).unwrap_err().code() == "trusted-root");
}

fn version(number: u64) -> Version {
    Version::new(number).unwrap()
}

fn shown(number: u64) -> Shown {
    Shown(Version::new(number))
}
