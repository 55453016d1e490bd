//! Reading and verifying single files.

use crate::world::{NOW, World, authority, claimed, key, public, role, signed};
use proptest::prelude::*;
use update::{
    Authority, KeyId, Limits, MetadataError, Root, Signed, Snapshot, Targets, Timestamp, TopRole,
    json::{Object, Value, file_form, parse},
};

fn object(bytes: &[u8]) -> Object {
    let Value::Object(object) = parse(bytes).unwrap() else { panic!("an object") };
    object
}

/// The file with its signed part changed.
fn edited(bytes: &[u8], edit: impl FnOnce(&mut Object)) -> Vec<u8> {
    let mut envelope = object(bytes);
    let Some(Value::Object(mut inner)) = envelope.remove("signed") else { panic!("signed") };
    edit(&mut inner);
    envelope.insert("signed", inner);
    file_form(&envelope.into())
}

fn member(object: &mut Object, name: &str) -> Object {
    match object.remove(name) {
        Some(Value::Object(member)) => member,
        other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn thresholds_count_distinct_keys() {
    let world = World::new();
    let content: Targets = claimed(&world.files["1.targets.json"]);
    let by = authority(&world, TopRole::Targets);
    let check = |bytes: &[u8], found: usize| {
        let signed = Signed::<Targets>::parse(bytes, &Limits::DEFAULT).unwrap();
        assert_eq!(signed.signed_by(&by).len(), found);
        match signed.verify(&by) {
            Ok(_) => assert!(found >= 2),
            Err(error) => {
                assert_eq!(
                    error,
                    MetadataError::Threshold { role: role("targets"), found, needed: 2 }
                );
            }
        }
    };
    let [a, b] = [&world.targets[0], &world.targets[1]];
    check(&signed(content.clone(), &[a, b]), 2);
    check(&signed(content.clone(), &[a]), 1);
    check(&signed(content.clone(), &[a, &world.supplier, &world.root[1]]), 1);
    check(&signed(content.clone(), &[]), 0);
    // A signature under the other key's name.
    let mut swapped = Signed::draft(content.clone());
    swapped.sign(&public(b).computed_id(), &public(a), a).unwrap();
    check(&swapped.to_bytes().unwrap(), 0);
    // A good signature of the same key twice: not even read.
    let one = signed(content, &[a]);
    let mut envelope = object(&one);
    let Some(Value::Array(mut signatures)) = envelope.remove("signatures") else { panic!() };
    signatures.push(signatures[0].clone());
    envelope.insert("signatures", signatures);
    let twice = file_form(&envelope.into());
    assert!(matches!(
        Signed::<Targets>::parse(&twice, &Limits::DEFAULT),
        Err(MetadataError::Malformed { .. })
    ));
}

#[test]
fn one_key_under_two_names_counts_once() {
    // A root that lists one public key under two ids (CVE-2021-41131 and its relatives).
    let world = World::new();
    let alias = KeyId::new("alias").unwrap();
    let mut root: Root = claimed(&world.root_bytes(1));
    let stolen = public(&world.targets[0]);
    let aliased = {
        let bytes = signed(root.clone(), &[]);
        let bytes = edited(&bytes, |inner| {
            let mut keys = member(inner, "keys");
            keys.insert("alias", stolen.to_json());
            inner.insert("keys", keys);
            let mut roles = member(inner, "roles");
            let mut targets = member(&mut roles, "targets");
            let ids = vec![Value::from("alias"), stolen.computed_id().as_str().into()];
            targets.insert("keyids", ids);
            roles.insert("targets", targets);
            inner.insert("roles", roles);
        });
        claimed::<Root>(&bytes)
    };
    root = aliased;
    let root = signed(root, &world.root_keys());
    let root = Signed::<Root>::parse(&root, &Limits::DEFAULT).unwrap().trust_first().unwrap();
    let by = Authority::of_top_role(&root, TopRole::Targets);
    let mut file = Signed::draft(claimed::<Targets>(&world.files["1.targets.json"]));
    file.sign(&stolen.computed_id(), &stolen, &world.targets[0]).unwrap();
    file.sign(&alias, &stolen, &world.targets[0]).unwrap();
    assert_eq!(file.signed_by(&by).len(), 1);
    assert!(matches!(file.verify(&by), Err(MetadataError::Threshold { found: 1, .. })));
}

#[test]
fn unknown_fields_are_preserved_and_signed() {
    let world = World::new();
    let names = ["1.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"];
    for name in names {
        let bytes = edited(&world.files[name], |inner| {
            inner.insert("x-later", vec![Value::Integer(1), Value::Null]);
            if let Some(Value::Object(mut delegations)) = inner.remove("delegations") {
                delegations.insert("x-inner", "kept");
                inner.insert("delegations", delegations);
            }
            for nested in ["roles", "meta", "targets"] {
                if let Some(Value::Object(mut object)) = inner.remove(nested) {
                    let first = object.iter().next().map(|(name, _)| name.to_owned()).unwrap();
                    if let Some(Value::Object(mut one)) = object.remove(&first) {
                        one.insert("x-inner", "kept");
                        object.insert(&first, one);
                    }
                    inner.insert(nested, object);
                }
            }
        });
        let again = match name {
            "1.root.json" => signed(claimed::<Root>(&bytes), &[]),
            "timestamp.json" => signed(claimed::<Timestamp>(&bytes), &[]),
            "1.snapshot.json" => signed(claimed::<Snapshot>(&bytes), &[]),
            _ => signed(claimed::<Targets>(&bytes), &[]),
        };
        assert_eq!(object(&again).get("signed"), object(&bytes).get("signed"), "{name}");
        let text = String::from_utf8(again).unwrap();
        assert!(text.contains("x-later"), "{name}");
    }
}

#[test]
fn malformed_files_are_named_by_field() {
    let world = World::new();
    fn check<R: update::Metadata + std::fmt::Debug>(
        bytes: &[u8],
        edit: &dyn Fn(&mut Object),
        why: &str,
    ) {
        let error = Signed::<R>::parse(&edited(bytes, edit), &Limits::DEFAULT).unwrap_err();
        assert!(error.to_string().contains(why), "{error} lacks {why:?}");
    }
    let targets = &world.files["1.targets.json"];
    let root = &world.files["1.root.json"];
    let timestamp = &world.files["timestamp.json"];
    let snapshot = &world.files["1.snapshot.json"];
    let put = |name: &'static str, value: Value| {
        move |inner: &mut Object| drop(inner.insert(name, value.clone()))
    };
    check::<Targets>(targets, &put("version", Value::Integer(0)), "version must be at least 1");
    check::<Targets>(targets, &put("version", Value::Integer(-1)), "negative");
    check::<Targets>(targets, &put("version", "1".into()), "a string, not a number");
    check::<Targets>(targets, &put("expires", "2030-01-01".into()), "no time");
    check::<Targets>(targets, &put("spec_version", "2.0".into()), "spec_version");
    check::<Targets>(targets, &put("_type", "root".into()), "type \"root\"");
    check::<Targets>(targets, &put("targets", Value::Null), "null, not an object");
    check::<Targets>(targets, &|inner| drop(inner.remove("targets")), "is missing");
    check::<Timestamp>(timestamp, &put("meta", Object::new().into()), "snapshot.json is missing");
    check::<Snapshot>(snapshot, &put("meta", Object::new().into()), "targets.json");
    let delegations = |edit: fn(&mut Object)| {
        move |inner: &mut Object| {
            let mut delegations = member(inner, "delegations");
            edit(&mut delegations);
            inner.insert("delegations", delegations);
        }
    };
    let first = |edit: fn(&mut Object)| {
        move |inner: &mut Object| {
            let mut delegations = member(inner, "delegations");
            let Some(Value::Array(mut roles)) = delegations.remove("roles") else { panic!() };
            let Value::Object(role) = &mut roles[0] else { panic!() };
            edit(role);
            delegations.insert("roles", roles);
            inner.insert("delegations", delegations);
        }
    };
    let bins = delegations(|inner| drop(inner.insert("succinct_roles", Object::new())));
    check::<Targets>(targets, &bins, "succinct_roles");
    let twice = delegations(|inner| {
        let Some(Value::Array(mut roles)) = inner.remove("roles") else { panic!() };
        roles.push(roles[0].clone());
        inner.insert("roles", roles);
    });
    check::<Targets>(targets, &twice, "twice");
    check::<Targets>(targets, &first(|role| drop(role.insert("name", "root"))), "top roles");
    check::<Targets>(targets, &first(|role| drop(role.insert("name", ""))), "128 bytes");
    check::<Targets>(
        targets,
        &first(|r| drop(r.insert("threshold", Value::Integer(0)))),
        "at least 1",
    );
    let both = first(|role| drop(role.insert("path_hash_prefixes", vec!["00".into()])));
    check::<Targets>(targets, &both, "both");
    let prefix = first(|role| {
        role.remove("paths");
        role.insert("path_hash_prefixes", vec!["0G".into()]);
    });
    check::<Targets>(targets, &prefix, "hexadecimal");
    let duplicate = first(|role| {
        let Some(Value::Array(mut ids)) = role.remove("keyids") else { panic!() };
        ids.push(ids[0].clone());
        role.insert("keyids", ids);
    });
    check::<Targets>(targets, &duplicate, "names a key twice");
    let roles = |edit: fn(&mut Object)| {
        move |inner: &mut Object| {
            let mut roles = member(inner, "roles");
            edit(&mut roles);
            inner.insert("roles", roles);
        }
    };
    check::<Root>(root, &roles(|roles| drop(roles.remove("snapshot"))), "snapshot is missing");
    check::<Root>(root, &roles(|roles| drop(roles.insert("root", "x"))), "not an object");
}

#[test]
fn limits_hold() {
    let world = World::new();
    let too_large = vec![b' '; 16_385];
    assert_eq!(
        Signed::<Timestamp>::parse(&too_large, &Limits::DEFAULT),
        Err(MetadataError::TooLarge { what: "timestamp", length: 16_385, max: 16_384 })
    );
    let sixty_five = |count: usize| {
        let mut envelope = object(&world.files["timestamp.json"]);
        let signature = |at: usize| {
            let mut one = Object::new();
            one.insert("keyid", format!("k{at}"));
            one.insert("sig", "");
            Value::Object(one)
        };
        envelope.insert("signatures", (0..count).map(signature).collect::<Vec<_>>());
        Signed::<Timestamp>::parse(&file_form(&envelope.into()), &Limits::DEFAULT)
    };
    assert!(sixty_five(64).is_ok());
    assert!(matches!(sixty_five(65), Err(MetadataError::Malformed { .. })));
    let keys: Vec<_> = (0..65).map(|seed| public(&key(100 + seed))).collect();
    let signers = |_| update::Signers { keys: keys.clone(), threshold: 1 };
    assert!(Root::new(NOW, signers).is_err());
}

#[test]
fn a_root_keeps_keys_apart() {
    let world = World::new();
    let mut root = world.first_root();
    let taken = public(&world.timestamp[0]);
    assert!(root.add_key(TopRole::Snapshot, &taken).is_err(), "one key for two roles");
    assert!(root.remove_key(TopRole::Snapshot, &taken.computed_id()).is_err());
    assert!(root.set_threshold(TopRole::Root, 4).is_err());
    assert!(root.set_threshold(TopRole::Root, 0).is_err());
    root.remove_key(TopRole::Timestamp, &taken.computed_id()).unwrap();
    assert!(root.require_reachable().is_err());
    assert!(!root.keys.contains_key(&taken.computed_id()));
    let same = |_| update::Signers { keys: vec![taken.clone()], threshold: 1 };
    assert!(Root::new(NOW, same).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_an_error_of_every_role(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Signed::<Root>::parse(&bytes, &Limits::DEFAULT).is_err());
        prop_assert!(Signed::<Targets>::parse(&bytes, &Limits::DEFAULT).is_err());
        prop_assert!(Signed::<Snapshot>::parse(&bytes, &Limits::DEFAULT).is_err());
        prop_assert!(Signed::<Timestamp>::parse(&bytes, &Limits::DEFAULT).is_err());
    }
}
