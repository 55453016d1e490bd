//! OCSF 1.8 form of security events (schema.ocsf.io), a pure function to JSON.
//!
//! OCSF has no class for rate limits or refused rights: they are API activity that failed. Illegal life
//! events, verdicts and a failed log check are detection findings. Firmware, physical tampering, logs of
//! devices and malformed messages are classes of the extension in `docs/ocsf-extension`. What has no
//! field is under `unmapped`, with our own stable names.

use crate::{Door, Kind, Outcome, SecurityEvent};
use serde_json::{Map, Value, json};

/// Version of the OCSF schema written.
pub const VERSION: &str = "1.8.0";

/// The extension of docs/ocsf-extension: name, number and version. The number is the one that OCSF's
/// registry has for development; nobody else has this name.
pub const EXTENSION: (&str, u64, &str) = ("tegata", 999, "1.0.0");

/// A class of OCSF and the activity within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Class {
    category: (u64, &'static str),
    class: (u64, &'static str),
    activity: (u64, &'static str),
}

impl Class {
    fn is_extension(&self) -> bool {
        self.class.0 >= EXTENSION.1 * 100_000
    }
}

/// A class of the extension (OCSF: extension × 100,000 + category × 1,000 + class).
const fn own(category: (u64, &'static str), class: u64, name: &'static str) -> (u64, &'static str) {
    (EXTENSION.1 * 100_000 + category.0 * 1_000 + class, name)
}

const SYSTEM: (u64, &str) = (1, "System Activity");
const FINDINGS: (u64, &str) = (2, "Findings");
const IDENTITY: (u64, &str) = (3, "Identity & Access Management");
const NETWORK: (u64, &str) = (4, "Network Activity");
const DISCOVERY: (u64, &str) = (5, "Discovery");
const APPLICATION: (u64, &str) = (6, "Application Activity");

const ENTITY: (u64, &str) = (3004, "Entity Management");
const API: (u64, &str) = (6003, "API Activity");
const FINDING: (u64, &str) = (2004, "Detection Finding");
const LIFECYCLE: (u64, &str) = (6002, "Application Lifecycle");

const FIRMWARE: (u64, &str) = own(SYSTEM, 1, "Firmware Activity");
const TAMPERING: (u64, &str) = own(SYSTEM, 2, "Physical Tampering");
const DEVICE_LOG: (u64, &str) = own(SYSTEM, 3, "Device Log Activity");
const MALFORMED: (u64, &str) = own(APPLICATION, 1, "Malformed Message");

const OTHER: (u64, &str) = (99, "Other");

/// What a device says happened to it.
fn told_class(event: &SecurityEvent) -> Class {
    let class = |category, class, activity| Class { category, class, activity };
    match detail(event, "what").unwrap_or_default() {
        "boot" => class(SYSTEM, FIRMWARE, (1, "Start")),
        "update" => class(SYSTEM, FIRMWARE, (2, "Update")),
        "self-test" => class(SYSTEM, FIRMWARE, (3, "Self-Test")),
        "physical" => class(SYSTEM, TAMPERING, (1, "Modification")),
        "protected-memory" => class(SYSTEM, TAMPERING, (2, "Protected Memory Access")),
        "malformed-message" => class(APPLICATION, MALFORMED, (1, "Refuse")),
        "authentication" | "local-login" => class(IDENTITY, (3002, "Authentication"), (1, "Logon")),
        "account-change" => class(IDENTITY, (3001, "Account Change"), OTHER),
        "configuration-change" => {
            class(DISCOVERY, (5019, "Device Config State Change"), (1, "Log"))
        }
        _ => class(SYSTEM, DEVICE_LOG, (1, "Entry")),
    }
}

fn detail<'a>(event: &'a SecurityEvent, key: &str) -> Option<&'a str> {
    event.details().find_map(|(name, value)| (name == key).then_some(value))
}

fn class_of(event: &SecurityEvent) -> Class {
    let (kind, outcome) = (event.kind(), event.outcome());
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
        Kind::Authorisation | Kind::RateLimit => class(APPLICATION, API, OTHER),
        Kind::MalformedMessage => class(APPLICATION, MALFORMED, (1, "Refuse")),
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
        // A finding has a life: what is done about it follows on what raised it.
        Kind::Alert => {
            let activity = match detail(event, "what") {
                Some("closed") => (3, "Close"),
                None | Some("raised") => (1, "Create"),
                Some(_) => (2, "Update"),
            };
            class(FINDINGS, FINDING, activity)
        }
        Kind::IllegalMove | Kind::Verdict | Kind::Deviation => {
            class(FINDINGS, FINDING, (1, "Create"))
        }
        // A log that checks is log activity; one that does not is a finding.
        Kind::LogCheck if outcome == Outcome::Success => {
            class(SYSTEM, (1008, "Event Log Activity"), OTHER)
        }
        Kind::LogCheck => class(FINDINGS, FINDING, (1, "Create")),
        Kind::Delivery if outcome == Outcome::Success => {
            class(SYSTEM, (1008, "Event Log Activity"), (6, "Start"))
        }
        Kind::Delivery => class(SYSTEM, (1008, "Event Log Activity"), (7, "Stop")),
        Kind::DeviceLog => told_class(event),
        Kind::DeviceLogBroken => {
            let activity = match detail(event, "reason") {
                Some("fork") => (3, "Fork"),
                Some("restart") => (4, "Restart"),
                Some("late") => (5, "Fill"),
                _ => (2, "Gap"),
            };
            class(SYSTEM, DEVICE_LOG, activity)
        }
        Kind::Start => class(APPLICATION, LIFECYCLE, (3, "Start")),
        Kind::Stop => class(APPLICATION, LIFECYCLE, (4, "Stop")),
    }
}

/// The event as an OCSF object. `sequence` is its number in the chain, `version` the product's.
pub fn event(event: &SecurityEvent, sequence: u64, version: &str) -> Value {
    let class = class_of(event);
    let told = event.door_of() == Door::Device;
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
    put("metadata", metadata(event, sequence, version, class.is_extension()));
    if class.class == FINDING {
        // Findings have a life of their own; the outcome is in `unmapped`.
        let (status, caption) = match class.activity.0 {
            3 => (4, "Resolved"),
            2 => (2, "In Progress"),
            _ => (1, "New"),
        };
        put("status_id", status.into());
        put("status", caption.into());
        // Everything about one alert is one finding.
        let uid = match detail(event, "alert") {
            Some(alert) if event.kind() == Kind::Alert => format!("alert-{alert}"),
            _ => format!("{}-{sequence}", event.kind().name()),
        };
        put(
            "finding_info",
            json!({
                "title": detail(event, "title").unwrap_or_else(|| event.kind().english()),
                "uid": uid,
                "desc": event.english(),
                "types": [event.kind().name()],
            }),
        );
    } else {
        let success = event.outcome() == Outcome::Success;
        put("status_id", if success { 1 } else { 2 }.into());
        put("status", if success { "Success" } else { "Failure" }.into());
    }
    // Of what a device tells, who did it is in its words.
    let actor = match told {
        true => detail(event, "device_actor").unwrap_or("unknown"),
        false => event.actor_of().unwrap_or("platform"),
    };
    let user = json!({ "name": actor, "uid": actor });
    if class.class.0 == 4001 || !matches!(event.door_of(), Door::Internal | Door::Device) {
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
            let subject = match told {
                true => detail(event, "device_subject").unwrap_or(actor),
                false => event.subject_of().unwrap_or(actor),
            };
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
            match told {
                true => put("device", thing(event)),
                false => put("device", json!({ "type_id": 1, "type": "Server", "uid": subject })),
            }
            put("actor", json!({ "user": user }));
        }
        _ if class.is_extension() => {
            put("actor", json!({ "user": user }));
            if class.category == SYSTEM {
                put("device", thing(event));
            }
            put("is_reported_by_device", told.into());
            if let Some(time) = detail(event, "device_time") {
                put("device_time", time.into());
            }
            if class.class == DEVICE_LOG || told {
                put("device_log", device_log(event));
            }
            if class.class == TAMPERING
                && let Some(part) = detail(event, "device_subject")
            {
                put("tampered_part", part.into());
            }
            if class.class == MALFORMED
                && let Some(reason) = detail(event, "reason")
            {
                put("status_code", reason.into());
            }
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

fn metadata(event: &SecurityEvent, sequence: u64, version: &str, extended: bool) -> Value {
    let mut metadata = json!({
        "version": VERSION,
        "product": { "name": "Tegata", "vendor_name": "Tegata", "version": version },
        "event_code": event.kind().name(),
        "sequence": sequence,
        "uid": sequence.to_string(),
        "tenant_uid": event.organisation_of().unwrap_or("platform"),
    });
    let Value::Object(fields) = &mut metadata else { return metadata };
    if extended {
        let (name, uid, version) = EXTENSION;
        let extension = json!({ "name": name, "uid": uid.to_string(), "version": version });
        fields.insert("extensions".to_owned(), json!([extension]));
    }
    if event.door_of() == Door::Device {
        fields.insert("log_name".to_owned(), "device-log".into());
        fields.insert("log_provider".to_owned(), event.subject_of().unwrap_or("unknown").into());
        if let Some(time) = detail(event, "device_time") {
            fields.insert("original_time".to_owned(), time.into());
        }
    }
    metadata
}

/// The device that an event is about.
fn thing(event: &SecurityEvent) -> Value {
    json!({ "type_id": 7, "type": "IOT", "uid": event.subject_of().unwrap_or("unknown") })
}

/// Where an entry, or a break, stands in the device's own log.
fn device_log(event: &SecurityEvent) -> Value {
    let number = |key: &str| detail(event, key).and_then(|text| text.parse::<u64>().ok());
    let mut place = json!({
        "log_uid": detail(event, "log").unwrap_or("unknown"),
        "entry_sequence": number("sequence").unwrap_or(0),
    });
    let Value::Object(fields) = &mut place else { return place };
    for (key, name) in [("entry_hash", "hash"), ("entry_kind", "what")] {
        if let Some(text) = detail(event, name) {
            fields.insert(key.to_owned(), text.into());
        }
    }
    for (key, name) in [("missing_count", "missing"), ("dropped_count", "declared")] {
        if let Some(count) = number(name) {
            fields.insert(key.to_owned(), count.into());
        }
    }
    place
}

fn operation(event: &SecurityEvent) -> String {
    detail(event, "action").unwrap_or_else(|| event.kind().name()).to_owned()
}

fn entity_type(kind: Kind) -> &'static str {
    match kind {
        Kind::CertificateIssued | Kind::CertificateRevoked => "Certificate",
        Kind::KeyUse | Kind::KeyLifecycle => "Key",
        Kind::Erasure => "Record",
        _ => "Device",
    }
}
