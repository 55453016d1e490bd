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
            assert_eq!(value["category_uid"].as_u64(), Some(class / 1000));
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
