use crate::example;
use audit::{Kind, Outcome, SecurityEvent, ocsf};
use crypto::UnixTime;

#[test]
fn the_example_is_an_authentication() {
    let value = ocsf::event(&example(), 7, "0.1.0");
    assert_eq!(value["class_uid"], 3002);
    assert_eq!(value["type_uid"], 300_201);
    assert_eq!(value["status"], "Failure");
    assert_eq!(value["time"], 1_795_000_000_000_i64);
    assert_eq!(value["user"]["name"], "SN-0001");
    assert_eq!(value["actor"]["user"]["name"], "anonymous");
    assert_eq!(value["src_endpoint"]["ip"], "192.0.2.7");
    assert_eq!(value["metadata"]["sequence"], 7);
    assert_eq!(value["metadata"]["tenant_uid"], "maker-a");
    assert_eq!(value["unmapped"]["details"]["reason"], "code-wrong");
}

/// What OCSF 1.8 requires of every class used here, beyond the base event.
fn required(class: u64) -> &'static [&'static str] {
    match class {
        1008 => &["actor"],
        2004 => &["finding_info"],
        3001 | 3002 => &["user"],
        3004 => &["entity"],
        4001 => &["src_endpoint", "dst_endpoint"],
        5019 => &["device"],
        6002 => &["app"],
        6003 => &["actor", "api", "src_endpoint"],
        99_901_001..=99_901_003 => &["actor", "device"],
        99_906_001 => &["actor"],
        other => panic!("class {other} is not in the table"),
    }
}

#[test]
fn every_kind_has_its_class_and_what_the_class_requires() {
    for kind in Kind::ALL {
        for outcome in Outcome::ALL {
            let event = SecurityEvent::new(UnixTime(1), kind, outcome);
            let value = ocsf::event(&event, 1, "0.1.0");
            let class = value["class_uid"].as_u64().unwrap();
            assert_eq!(value["category_uid"].as_u64(), Some(class % 100_000 / 1000));
            let type_uid = class * 100 + value["activity_id"].as_u64().unwrap();
            assert_eq!(value["type_uid"].as_u64(), Some(type_uid));
            for field in ["severity_id", "status_id", "time", "metadata", "message"] {
                assert!(!value[field].is_null(), "{kind:?}: {field}");
            }
            for field in required(class) {
                assert!(value[*field].is_object(), "{kind:?}: {field}");
            }
            // Read by a script that holds it against py-ocsf-models.
            println!("{value}");
        }
    }
}

mod extension {
    use super::{Kind, Outcome, SecurityEvent, UnixTime, ocsf};
    use audit::Door;
    use serde_json::{Map, Value};
    use std::{collections::BTreeSet, path::PathBuf};

    /// Attributes of every class (base event, OCSF 1.8), as far as we write them.
    const BASE: [&str; 15] = [
        "activity_id",
        "activity_name",
        "category_name",
        "category_uid",
        "class_name",
        "class_uid",
        "message",
        "metadata",
        "severity",
        "severity_id",
        "status",
        "status_code",
        "status_id",
        "time",
        "type_uid",
    ];
    const BASE_TOO: [&str; 2] = ["type_name", "unmapped"];
    /// Categories of OCSF that classes of ours stand in, with what their generic class requires.
    const PARENTS: [(&str, u64, &[&str]); 2] =
        [("system", 1, &["actor", "device"]), ("application", 6, &[])];
    /// Attributes of OCSF's own dictionary that classes of ours name.
    const CORE: [&str; 3] = ["activity_id", "actor", "src_endpoint"];

    fn folder() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/ocsf-extension")
    }

    fn read(path: &str) -> Value {
        let text = std::fs::read_to_string(folder().join(path)).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Every class of the extension, by its number in events.
    fn classes() -> Vec<(u64, Value)> {
        let extension = read("extension.json")["uid"].as_u64().unwrap();
        let mut classes = Vec::new();
        for parent in ["system", "application"] {
            for entry in std::fs::read_dir(folder().join("events").join(parent)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let class = read(&format!("events/{parent}/{name}"));
                assert_eq!(class["extends"], parent, "{name}");
                assert_eq!(format!("{}.json", class["name"].as_str().unwrap()), name);
                let (_, category, _) = PARENTS.into_iter().find(|it| it.0 == parent).unwrap();
                let uid = class["uid"].as_u64().unwrap();
                classes.push((extension * 100_000 + category * 1_000 + uid, class));
            }
        }
        let numbers: BTreeSet<u64> = classes.iter().map(|(uid, _)| *uid).collect();
        assert_eq!(numbers.len(), classes.len());
        classes
    }

    fn attributes(of: &Value) -> &Map<String, Value> {
        of["attributes"].as_object().unwrap()
    }

    fn required(of: &Value) -> impl Iterator<Item = &str> {
        let wanted = |(_, it): &(&String, &Value)| it["requirement"] == "required";
        attributes(of).iter().filter(wanted).map(|(name, _)| name.as_str())
    }

    /// Whether a value is of a type of the dictionary.
    fn fits(kind: &str, value: &Value) -> bool {
        match kind {
            "string_t" => value.is_string(),
            "long_t" => value.is_i64() || value.is_u64(),
            "boolean_t" => value.is_boolean(),
            "device_log" => value.is_object(),
            other => panic!("type {other}"),
        }
    }

    fn check(object: &Map<String, Value>, of: &Value, dictionary: &Value, base: &[&str]) {
        for name in required(of) {
            assert!(object.contains_key(name), "{name} is required: {object:?}");
        }
        for (name, value) in object {
            if base.contains(&name.as_str()) {
                continue;
            }
            assert!(attributes(of).contains_key(name), "{name} is not in {}", of["name"]);
            if !CORE.contains(&name.as_str()) {
                let kind = dictionary["attributes"][name]["type"].as_str().unwrap();
                assert!(fits(kind, value), "{name}: {value}");
            }
        }
    }

    /// Events as the platform makes them, and with nothing in them.
    fn events() -> Vec<SecurityEvent> {
        let new = |kind, outcome| SecurityEvent::new(UnixTime(1_795_000_000), kind, outcome);
        let mut events = Vec::new();
        for outcome in Outcome::ALL {
            for what in [
                "boot",
                "self-test",
                "connection",
                "authentication",
                "privilege",
                "malformed-message",
                "update",
                "local-login",
                "configuration-change",
                "account-change",
                "protected-memory",
                "physical",
                "credential",
                "command",
                "clock",
                "log",
                "of a later version",
            ] {
                let event = new(Kind::DeviceLog, outcome).door(Door::Device).detail("what", what);
                events.push(event.clone());
                events.push(
                    event
                        .subject("0123456789abcdef0123456789abcdef")
                        .actor("device 0123456789abcdef0123456789abcdef")
                        .detail("log", "0001020304050607")
                        .detail("sequence", "7")
                        .detail("hash", "00ff")
                        .detail("device_time", "start 7 + 17 s")
                        .detail("device_actor", "root")
                        .detail("device_subject", "case"),
                );
            }
            for reason in ["gap", "fork", "restart", "late"] {
                let event = new(Kind::DeviceLogBroken, outcome).detail("reason", reason);
                events.push(event.clone());
                let event = event.detail("log", "0001020304050607").detail("sequence", "8");
                events.push(event.detail("missing", "4").detail("declared", "3"));
            }
            events.push(new(Kind::MalformedMessage, outcome));
            let event = new(Kind::MalformedMessage, outcome).door(Door::Rest).actor("device 1");
            events.push(event.detail("reason", "schema"));
        }
        events
    }

    #[test]
    fn what_is_written_is_what_the_extension_says() {
        let (extension, dictionary) = (read("extension.json"), read("dictionary.json"));
        let (name, uid, version) = ocsf::EXTENSION;
        assert_eq!((&extension["name"], &extension["uid"]), (&name.into(), &uid.into()));
        assert_eq!(extension["version"], version);
        let (classes, object) = (classes(), read("objects/device_log.json"));
        let mut seen = BTreeSet::new();
        for event in events() {
            let value = ocsf::event(&event, 7, "0.1.0");
            let uid = value["class_uid"].as_u64().unwrap();
            // Whether it is the device that says so can be seen in every class.
            let told = event.door_of() == Door::Device;
            assert_eq!(value["unmapped"]["door"] == "device", told);
            assert_eq!(value["metadata"]["log_name"] == "device-log", told);
            assert_eq!(uid >= 100_000, value["metadata"]["extensions"].is_array(), "{value}");
            if uid < 100_000 {
                assert!(told && [3001, 3002, 5019].contains(&uid), "{value}");
                continue;
            }
            let (_, class) = classes.iter().find(|(it, _)| *it == uid).unwrap();
            assert_eq!(value["class_name"], class["caption"]);
            let activity = value["activity_id"].as_u64().unwrap();
            let known = &class["attributes"]["activity_id"]["enum"][activity.to_string()];
            assert_eq!(value["activity_name"], known["caption"], "{value}");
            assert_eq!(value["type_uid"].as_u64(), Some(uid * 100 + activity));
            let parent = class["extends"].as_str().unwrap();
            let (_, category, needs) = PARENTS.into_iter().find(|it| it.0 == parent).unwrap();
            assert_eq!(value["category_uid"], category);
            for name in needs {
                assert!(value[*name].is_object(), "{name}: {value}");
            }
            let base: Vec<&str> =
                BASE.into_iter().chain(BASE_TOO).chain(needs.iter().copied()).collect();
            check(value.as_object().unwrap(), class, &dictionary, &base);
            assert_eq!(value["is_reported_by_device"], told);
            if let Some(place) = value["device_log"].as_object() {
                check(place, &object, &dictionary, &[]);
            }
            seen.insert((uid, activity));
        }
        // Each class and each activity is one that happens.
        for (uid, class) in &classes {
            let known = class["attributes"]["activity_id"]["enum"].as_object().unwrap();
            for activity in known.keys() {
                assert!(seen.contains(&(*uid, activity.parse().unwrap())), "{uid} {activity}");
            }
        }
    }

    #[test]
    fn every_attribute_is_in_a_dictionary() {
        let dictionary = read("dictionary.json");
        let ours = attributes(&dictionary);
        let mut used = BTreeSet::new();
        let object = read("objects/device_log.json");
        let classes = classes();
        for of in classes.iter().map(|(_, class)| class).chain([&object]) {
            for (name, attribute) in attributes(of) {
                let requirement = attribute["requirement"].as_str().unwrap();
                assert!(["required", "recommended", "optional"].contains(&requirement));
                assert!(ours.contains_key(name) || CORE.contains(&name.as_str()), "{name}");
                used.insert(name.clone());
            }
        }
        for (name, attribute) in ours {
            assert!(used.contains(name), "{name} is in no class");
            for field in ["caption", "description", "type"] {
                assert!(attribute[field].is_string(), "{name}: {field}");
            }
        }
    }
}
