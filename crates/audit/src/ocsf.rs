//! OCSF 1.8 form of security events (schema.ocsf.io), a pure function to JSON.
//!
//! OCSF has no class for malformed messages, rate limits or refused rights: they are API activity
//! that failed. Illegal life events, verdicts and a failed log check are detection findings. What
//! OCSF has no field for is under `unmapped`, with our own stable names.

use crate::{Door, Kind, Outcome, SecurityEvent};
use serde_json::{Map, Value, json};

/// Version of the OCSF schema written.
pub const VERSION: &str = "1.8.0";

/// A class of OCSF and the activity within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Class {
    category: (u32, &'static str),
    class: (u32, &'static str),
    activity: (u32, &'static str),
}

const SYSTEM: (u32, &str) = (1, "System Activity");
const FINDINGS: (u32, &str) = (2, "Findings");
const IDENTITY: (u32, &str) = (3, "Identity & Access Management");
const NETWORK: (u32, &str) = (4, "Network Activity");
const DISCOVERY: (u32, &str) = (5, "Discovery");
const APPLICATION: (u32, &str) = (6, "Application Activity");

const ENTITY: (u32, &str) = (3004, "Entity Management");
const API: (u32, &str) = (6003, "API Activity");
const FINDING: (u32, &str) = (2004, "Detection Finding");
const LIFECYCLE: (u32, &str) = (6002, "Application Lifecycle");

const OTHER: (u32, &str) = (99, "Other");

fn class_of(kind: Kind, outcome: Outcome) -> Class {
    let class = |category, class, activity| Class { category, class, activity };
    let entity = |activity| class(IDENTITY, ENTITY, activity);
    match kind {
        Kind::Connection => {
            let activity = if outcome == Outcome::Success { (1, "Open") } else { (5, "Refuse") };
            class(NETWORK, (4001, "Network Activity"), activity)
        }
        Kind::Authentication => class(IDENTITY, (3002, "Authentication"), (1, "Logon")),
        Kind::AccountChange | Kind::Approval | Kind::CredentialChange => {
            class(IDENTITY, (3001, "Account Change"), OTHER)
        }
        Kind::Authorisation | Kind::MalformedMessage | Kind::RateLimit => {
            class(APPLICATION, API, OTHER)
        }
        Kind::ConfigurationChange => {
            class(DISCOVERY, (5019, "Device Config State Change"), (1, "Log"))
        }
        Kind::CertificateIssued => entity((1, "Create")),
        Kind::CertificateRevoked => entity((11, "Deactivate")),
        Kind::KeyUse => entity((2, "Read")),
        Kind::Enrolment => entity((6, "Enroll")),
        Kind::KeyLifecycle
        | Kind::DeviceStanding
        | Kind::Sharing
        | Kind::Update
        | Kind::Vulnerability => entity((3, "Update")),
        Kind::Erasure => entity((4, "Delete")),
        Kind::IllegalMove | Kind::Verdict => class(FINDINGS, FINDING, (1, "Create")),
        // A log that checks is log activity; one that does not is a finding.
        Kind::LogCheck if outcome == Outcome::Success => {
            class(SYSTEM, (1008, "Event Log Activity"), OTHER)
        }
        Kind::LogCheck => class(FINDINGS, FINDING, (1, "Create")),
        Kind::Delivery if outcome == Outcome::Success => {
            class(SYSTEM, (1008, "Event Log Activity"), (6, "Start"))
        }
        Kind::Delivery => class(SYSTEM, (1008, "Event Log Activity"), (7, "Stop")),
        Kind::DeviceLog => class(SYSTEM, (1008, "Event Log Activity"), OTHER),
        Kind::DeviceLogBroken => class(FINDINGS, FINDING, (1, "Create")),
        Kind::Start => class(APPLICATION, LIFECYCLE, (3, "Start")),
        Kind::Stop => class(APPLICATION, LIFECYCLE, (4, "Stop")),
    }
}

/// The event as an OCSF object. `sequence` is its number in the chain, `version` the product's.
pub fn event(event: &SecurityEvent, sequence: u64, version: &str) -> Value {
    let class = class_of(event.kind(), event.outcome());
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| {
        object.insert(key.to_owned(), value);
    };
    put("category_uid", class.category.0.into());
    put("category_name", class.category.1.into());
    put("class_uid", class.class.0.into());
    put("class_name", class.class.1.into());
    put("activity_id", class.activity.0.into());
    put("activity_name", class.activity.1.into());
    put("type_uid", (class.class.0 * 100 + class.activity.0).into());
    put("type_name", format!("{}: {}", class.class.1, class.activity.1).into());
    put("time", event.at().0.saturating_mul(1000).into());
    put("severity_id", event.severity_of().number().into());
    put("severity", event.severity_of().name().into());
    put("message", event.english().into());
    put(
        "metadata",
        json!({
            "version": VERSION,
            "product": { "name": "Tegata", "vendor_name": "Tegata", "version": version },
            "event_code": event.kind().name(),
            "sequence": sequence,
            "uid": sequence.to_string(),
            "tenant_uid": event.organisation_of().unwrap_or("platform"),
        }),
    );
    if class.class == FINDING {
        // Findings have a life of their own; the outcome is in `unmapped`.
        put("status_id", 1.into());
        put("status", "New".into());
        put(
            "finding_info",
            json!({
                "title": event.kind().english(),
                "uid": format!("{}-{sequence}", event.kind().name()),
                "desc": event.english(),
                "types": [event.kind().name()],
            }),
        );
    } else {
        let success = event.outcome() == Outcome::Success;
        put("status_id", if success { 1 } else { 2 }.into());
        put("status", if success { "Success" } else { "Failure" }.into());
    }
    let actor = event.actor_of().unwrap_or("platform");
    let user = json!({ "name": actor, "uid": actor });
    if class.class.0 == 4001 || event.door_of() != Door::Internal {
        put(
            "src_endpoint",
            match event.source_of() {
                Some(address) => json!({ "ip": address.to_string() }),
                None => json!({ "name": "local" }),
            },
        );
    }
    match class.class.0 {
        3001 | 3002 => {
            let subject = event.subject_of().unwrap_or(actor);
            put("user", json!({ "name": subject, "uid": subject }));
            put("actor", json!({ "user": user }));
            if class.class.0 == 3002 {
                put("service", json!({ "name": format!("tegata/{}", event.door_of().name()) }));
            }
        }
        3004 => {
            let subject = event.subject_of().unwrap_or("platform");
            put(
                "entity",
                json!({ "name": subject, "uid": subject, "type": entity_type(event.kind()) }),
            );
            put("actor", json!({ "user": user }));
        }
        4001 => put("dst_endpoint", json!({ "svc_name": event.door_of().name() })),
        5019 => {
            let subject = event.subject_of().unwrap_or("platform");
            put("device", json!({ "type_id": 1, "type": "Server", "uid": subject }));
            put("actor", json!({ "user": user }));
        }
        6002 => {
            put("app", json!({ "name": "Tegata", "vendor_name": "Tegata", "version": version }));
        }
        6003 => {
            put("actor", json!({ "user": user }));
            put("api", json!({ "operation": operation(event) }));
            if event.door_of() == Door::Internal {
                put("src_endpoint", json!({ "name": "local" }));
            }
        }
        _ => put("actor", json!({ "user": user })),
    }
    let details: Map<String, Value> =
        event.details().map(|(key, value)| (key.to_owned(), value.into())).collect();
    put(
        "unmapped",
        json!({
            "door": event.door_of().name(),
            "outcome": event.outcome().name(),
            "subject": event.subject_of(),
            "details": details,
        }),
    );
    Value::Object(object)
}

fn operation(event: &SecurityEvent) -> String {
    event
        .details()
        .find_map(|(key, value)| (key == "action").then(|| value.to_owned()))
        .unwrap_or_else(|| event.kind().name().to_owned())
}

fn entity_type(kind: Kind) -> &'static str {
    match kind {
        Kind::CertificateIssued | Kind::CertificateRevoked => "Certificate",
        Kind::KeyUse | Kind::KeyLifecycle => "Key",
        Kind::Erasure => "Record",
        _ => "Device",
    }
}
