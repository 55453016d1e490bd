//! What may be published, and what may not.

use crate::world::{
    DAY, FIRMWARE, NOW, World, authority, changed, claimed, key, public, role, signed, target_file,
};
use update::{
    MetadataError, Paths, RoleName, Signed, Targets, TopRole, Version,
    repository::{
        Online, Replacement, Repository, RepositoryError, Staged, describe, notices, recover,
        renew_timestamp, sign_as, successor,
    },
};

fn targets(bytes: Vec<u8>) -> Staged {
    Staged { root: None, targets: [(role("targets"), bytes)].into() }
}

#[test]
fn a_first_publication_needs_everything() {
    let world = World::unpublished();
    assert_eq!(
        world.try_publish(&Staged::default()),
        Err(RepositoryError::Missing("staged/root.json".into()))
    );
    let root = signed(world.first_root(), &world.root_keys());
    let staged = Staged { root: Some(root), ..Staged::default() };
    assert_eq!(world.try_publish(&staged), Err(RepositoryError::Unpublished(role("targets"))));
    let staged = Staged {
        targets: [(role("targets"), signed(world.first_targets(), &world.targets_keys()))].into(),
        ..staged
    };
    assert_eq!(world.try_publish(&staged), Err(RepositoryError::Unpublished(role("kairo"))));
}

#[test]
fn signatures_are_collected_until_the_threshold_is_met() {
    let mut world = World::new();
    let present = world.repository();
    let old = &present.targets(&role("targets")).unwrap().content;
    let mut draft = Signed::draft(successor(&**old, &role("targets"), NOW.plus(DAY)).unwrap());
    let by = authority(&world, TopRole::Targets);

    // Each on a machine of its own: only bytes travel.
    let must_sign = |found| RepositoryError::MustSign {
        role: role("targets"),
        error: MetadataError::Threshold { role: role("targets"), found, needed: 2 },
    };
    assert_eq!(world.try_publish(&targets(draft.to_bytes().unwrap())), Err(must_sign(0)));
    sign_as(&mut draft, &by, &world.targets[0]).unwrap();
    let travelling = draft.to_bytes().unwrap();
    assert_eq!(world.try_publish(&targets(travelling.clone())), Err(must_sign(1)));
    let mut draft = Signed::<Targets>::parse(&travelling, &update::Limits::DEFAULT).unwrap();
    // Signing again changes nothing, and strangers' keys do not sign.
    sign_as(&mut draft, &by, &world.targets[0]).unwrap();
    assert_eq!(draft.to_bytes().unwrap(), travelling);
    assert!(matches!(
        sign_as(&mut draft, &by, &world.supplier),
        Err(RepositoryError::WrongSigner { .. })
    ));
    sign_as(&mut draft, &by, &world.targets[1]).unwrap();
    world.publish(&targets(draft.to_bytes().unwrap())).unwrap();
    assert!(world.device().refresh(&world.files, NOW).is_ok());
}

#[test]
fn a_publication_writes_what_changes_and_the_timestamp_last() {
    let mut world = World::new();
    let before = world.files.clone();
    let next = world.next_targets(|targets| drop(targets.targets.remove("gate/fw.img")));
    let publication = world.try_publish(&targets(next.clone())).unwrap();
    let names: Vec<_> = publication.files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["2.targets.json", "2.snapshot.json", "timestamp.json"]);
    assert_eq!(publication.versions[&role("timestamp")], Version::new(2).unwrap());
    world.publish(&targets(next)).unwrap();
    let changed = changed(&before, &world.files);
    assert_eq!(changed.len(), 3, "earlier files stay for clients on the way");
}

#[test]
fn versions_follow_without_a_gap() {
    let world = World::new();
    let wrong = |number: u64| {
        let next = world.next_targets(|targets| {
            targets.targets.insert("new".into(), target_file(b"new"));
            targets.header.version = Version::new(number).unwrap();
        });
        world.try_publish(&targets(next))
    };
    assert!(wrong(2).is_ok());
    for number in [1, 3, 9_000] {
        let expected = RepositoryError::WrongVersion {
            role: role("targets"),
            found: Version::new(number).unwrap(),
            expected: Version::new(2).unwrap(),
        };
        assert_eq!(wrong(number), Err(expected));
    }
}

#[test]
fn expired_and_stray_drafts_are_refused() {
    let world = World::new();
    let next = world.next_targets(|targets| targets.header.expires = NOW);
    assert!(matches!(
        world.try_publish(&targets(next)),
        Err(RepositoryError::Expired { expires: NOW, .. })
    ));
    let staged = Staged {
        targets: [(role("stranger"), signed(Targets::new(NOW.plus(DAY)), &[&key(9)]))].into(),
        ..Staged::default()
    };
    assert_eq!(world.try_publish(&staged), Err(RepositoryError::Stray(role("stranger"))));
}

#[test]
fn a_supplier_that_has_ended_takes_nobody_else_down() {
    let mut world = World::new();
    // The supplier's file ends first.
    let third = successor(&world.first_kairo(), &role("kairo"), NOW.plus(DAY)).unwrap();
    let kairo = |bytes| Staged { targets: [(role("kairo"), bytes)].into(), ..Staged::default() };
    world.publish(&kairo(signed(third, &[&world.supplier]))).unwrap();
    world.now = NOW.plus(2 * DAY);
    // Snapshots are renewed, and the owner's own releases go on.
    world.publish(&Staged::default()).unwrap();
    world.release(b"new firmware");
    let mut device = world.device();
    device.find(&world.files, world.now, "gate/fw.img").unwrap();
    let refused = device.find(&world.files, world.now, "kairo/motor.img").unwrap_err();
    assert_eq!(refused.code(), "expired");
    // What is handed in must be good all the same.
    let ended = successor(
        &*world.repository().targets(&role("kairo")).unwrap().content,
        &role("kairo"),
        world.now,
    );
    let ended = kairo(signed(ended.unwrap(), &[&world.supplier]));
    assert!(matches!(world.try_publish(&ended), Err(RepositoryError::Expired { .. })));
}

#[test]
fn new_keys_need_new_signatures() {
    let mut world = World::new();
    let change = Replacement {
        role: TopRole::Targets,
        remove: vec![public(&world.targets[0]).computed_id()],
        add: vec![public(&key(13))],
        threshold: None,
    };
    let root = recover(world.repository().root(), &[change], false, NOW.plus(365 * DAY)).unwrap();
    let root = signed(root, &world.root_keys());
    let staged = Staged { root: Some(root.clone()), ..Staged::default() };
    let expected = RepositoryError::MustSign {
        role: role("targets"),
        error: MetadataError::Threshold { role: role("targets"), found: 1, needed: 2 },
    };
    assert_eq!(world.try_publish(&staged), Err(expected));
    world.targets[0] = key(13);
    let staged = Staged { targets: targets(world.next_targets(|_| {})).targets, root: Some(root) };
    let mut device = world.device();
    device.refresh(&world.files, NOW).unwrap();
    world.publish(&staged).unwrap();
    device.refresh(&world.files, NOW).unwrap();
}

#[test]
fn a_root_is_rotated_by_both_thresholds() {
    let mut world = World::new();
    let mut device = world.device();
    device.refresh(&world.files, NOW).unwrap();
    let old = world.root;
    world.root = vec![key(4), key(5)];
    let change = Replacement {
        role: TopRole::Root,
        remove: old.iter().map(|key| public(key).computed_id()).collect(),
        add: world.root.iter().map(public).collect(),
        threshold: Some(2),
    };
    let root = recover(world.repository().root(), &[change], true, NOW.plus(365 * DAY)).unwrap();
    let check = |keys: &[&crypto::SoftwareKey]| {
        let staged = Staged { root: Some(signed(root.clone(), keys)), ..Staged::default() };
        world.try_publish(&staged).err()
    };
    let [new_a, new_b] = [&world.root[0], &world.root[1]];
    assert!(matches!(check(&[new_a, new_b]), Some(RepositoryError::MustSign { .. })));
    assert!(matches!(check(&[&old[0], &old[1]]), Some(RepositoryError::MustSign { .. })));
    assert!(matches!(check(&[&old[0], new_a, new_b]), Some(RepositoryError::MustSign { .. })));
    let keys = [&old[0], &old[2], new_a, new_b];
    assert_eq!(check(&keys), None);
    let staged = Staged { root: Some(signed(root, &keys)), ..Staged::default() };
    world.publish(&staged).unwrap();
    // A device that knows the old root, and one that was switched off all the time.
    for mut device in [device, world.device()] {
        device.update(&world.files, NOW, "gate/fw.img", FIRMWARE).unwrap();
        assert_eq!(device.stored.root, world.root_bytes(2));
    }
}

#[test]
fn an_interrupted_publication_is_repeated() {
    // After any number of files the power fails.
    let mut world = World::new();
    let mut device = world.device();
    device.refresh(&world.files, NOW).unwrap();
    let lost = std::mem::replace(&mut world.timestamp, vec![key(32)]);
    let change = Replacement {
        role: TopRole::Timestamp,
        remove: vec![public(&lost[0]).computed_id()],
        add: vec![public(&world.timestamp[0])],
        threshold: None,
    };
    let root = recover(world.repository().root(), &[change], true, NOW.plus(365 * DAY)).unwrap();
    let next = world.next_targets(|targets| {
        targets.targets.insert("new".into(), target_file(b"new"));
    });
    let staged = Staged { root: Some(signed(root, &world.root_keys())), ..targets(next) };
    let publication = world.try_publish(&staged).unwrap();
    for written in 0..publication.files.len() {
        let mut again = World { files: world.files.clone(), ..World::unpublished() };
        again.timestamp = vec![key(32)];
        again.files.extend(publication.files[..written].iter().cloned());
        assert!(Repository::open(&again.files).unwrap().is_some());
        again.publish(&staged).unwrap();
        let found = device.clone().find(&again.files, NOW, "new");
        assert!(found.is_ok(), "after {written} files: {found:?}");
    }
}

#[test]
fn an_ended_delegation_stays_listed_and_its_versions_go_on() {
    let mut world = World::new();
    let mut device = world.device();
    device.find(&world.files, NOW, "kairo/motor.img").unwrap();
    let ended = world.next_targets(|targets| {
        targets.end_delegation(&role("kairo")).unwrap();
        assert!(targets.keys.is_empty());
    });
    world.publish(&targets(ended)).unwrap();
    assert_eq!(
        device.find(&world.files, NOW, "kairo/motor.img").unwrap_err().code(),
        "unknown-target"
    );
    // Delegated to again: version 2 follows, not version 1.
    let supplier = public(&world.supplier);
    let again = world.next_targets(|targets| {
        let paths = Paths::Patterns(vec!["kairo/*".into()]);
        targets.delegate(role("kairo"), &[supplier], 1, paths, true).unwrap();
    });
    let mut staged = targets(again);
    staged.targets.insert(role("kairo"), signed(world.first_kairo(), &[&world.supplier]));
    assert!(matches!(world.try_publish(&staged), Err(RepositoryError::WrongVersion { .. })));
    let second = successor(&world.first_kairo(), &role("kairo"), NOW.plus(DAY)).unwrap();
    staged.targets.insert(role("kairo"), signed(second, &[&world.supplier]));
    world.publish(&staged).unwrap();
    device.find(&world.files, NOW, "kairo/motor.img").unwrap();
}

#[test]
fn timestamps_are_renewed_alone() {
    let mut world = World::new();
    let online = |world: &World| -> Result<_, RepositoryError> {
        let keys = Online {
            snapshot: vec![],
            timestamp: vec![&world.timestamp[0]],
            snapshot_expires: NOW,
            timestamp_expires: world.now.plus(DAY),
        };
        renew_timestamp(&world.repository(), &keys, world.now)
    };
    world.now = NOW.plus(DAY);
    let renewed = online(&world).unwrap();
    assert_eq!(renewed.files.len(), 1);
    let mut device = world.device();
    assert_eq!(device.refresh(&world.files, world.now).unwrap_err().code(), "expired");
    world.files.extend(renewed.files);
    device.refresh(&world.files, world.now).unwrap();
    // The snapshot ends after a week: a timestamp alone does not help.
    world.now = NOW.plus(7 * DAY);
    assert!(matches!(online(&world), Err(RepositoryError::Expired { .. })));
    // A key of another role does not sign, nor does none.
    world.now = NOW.plus(DAY);
    world.timestamp = vec![key(99)];
    assert!(matches!(online(&world), Err(RepositoryError::WrongSigner { .. })));
}

#[test]
fn ends_are_announced() {
    let mut world = World::new();
    let roles = |world: &World, days: i64| -> Vec<(String, bool)> {
        notices(&world.repository(), NOW.plus(days * DAY))
            .into_iter()
            .map(|notice| (notice.role.to_string(), notice.expired))
            .collect()
    };
    assert_eq!(roles(&world, 0), []);
    assert_eq!(roles(&world, 1), [("timestamp".to_owned(), true)]);
    let near = roles(&world, 6);
    assert_eq!(near, [("timestamp".to_owned(), true), ("snapshot".to_owned(), false)]);
    world.now = NOW.plus(80 * DAY);
    world.renew();
    let near = roles(&world, 80);
    assert_eq!(near, [("kairo".to_owned(), false), ("targets".to_owned(), false)]);
}

#[test]
fn drafts_are_put_into_words() {
    let world = World::new();
    let old: Targets = claimed(&world.files["1.targets.json"]);
    let next: Targets = claimed(&world.next_targets(|targets| {
        targets.targets.remove("gate/fw.img");
        targets.targets.insert("gate/fw2.img".into(), target_file(b"two"));
        let paths = Paths::Patterns(vec!["kairo/*".into(), "motor/*".into()]);
        targets.delegate(role("kairo"), &[public(&key(42))], 1, paths, false).unwrap();
    }));
    let lines = describe(&RoleName::from(TopRole::Targets), &next, Some(&old), NOW).join("\n");
    for words in [
        "targets version 2, after version 1",
        "in 90 days",
        "adds target gate/fw2.img: 3 bytes, SHA-256",
        "for gate-bg1, version 2.4.1, security version 7, release 41",
        "removes target gate/fw.img",
        "changes the delegation to kairo: kairo/* motor/*",
        "may no longer sign for kairo",
    ] {
        assert!(lines.contains(words), "{lines}\nlacks {words}");
    }
    let root = world.first_root();
    let lines = describe(&role("root"), &root, None, NOW).join("\n");
    assert!(lines.contains("root needs 2 of 3 signatures"), "{lines}");
    let same = describe(&role("targets"), &old, Some(&old), NOW);
    assert!(same.contains(&"nothing else differs".to_owned()));
}

#[test]
fn a_version_at_the_end_is_said_to_need_recovery() {
    let mut root = World::unpublished().first_root();
    root.header.version = Version::LAST;
    let expected = RepositoryError::FastForwarded { role: role("root"), version: Version::LAST };
    assert_eq!(successor(&root, &role("root"), NOW), Err(expected));
}
