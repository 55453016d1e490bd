//! Schemas of payloads (GW-2, GW-7): versions, what is in force, what it refuses, and what breaks.

use crate::world::{Org, Working, World, config, id, open};
use admission::TopicName;
use device::DeviceKind;
use policy::{Role, Roles};
use schema::{Definition, Kind};
use service::{
    DoorSender, ErrorKind, IncomingMessage, MessageDoor, MessageRefused, NewSchema, Page,
    PolicySetState, SchemaMode, Service,
};

const READING: &str = r#"{"type": "object", "required": ["celsius"],
    "properties": {"celsius": {"type": "number", "maximum": 125}}}"#;
const CASES: &str = r#"{"cases": [
    {"name": "warm", "text": "{\"celsius\": 21}", "expect": "accepted"},
    {"name": "hot", "text": "{\"celsius\": 900}", "expect": "refused", "at": "/celsius"}]}"#;

fn new(name: &str, text: &str, topic: &str, product: Option<&str>) -> NewSchema {
    NewSchema {
        name: name.into(),
        definition: Definition::new(Kind::JsonSchema, text.as_bytes().to_vec()),
        topic: topic.into(),
        product: product.map(str::to_owned),
        cases: CASES.into(),
        reason: "for a test".into(),
    }
}

async fn in_force(service: &Service, org: &Org, new: NewSchema, mode: SchemaMode) -> u64 {
    let name = new.name.clone();
    let made = service.put_schema(&org.admin, new).await.unwrap();
    assert_eq!(made.state, PolicySetState::Draft);
    let tested = service.test_schema(&org.admin, &name, made.version).await.unwrap();
    assert_eq!(tested.view.state, PolicySetState::Tested, "{:?}", tested.report);
    let wanted = Some(made.version);
    service.activate_schema(&org.admin, &name, wanted, mode, "test").await.unwrap();
    made.version
}

async fn at_door(service: &Service, device: &Working) -> DoorSender {
    let certificate = &device.ldevid.certificate;
    let caller = service.identify_certificate(certificate).await.unwrap();
    service.door_sender(&caller, certificate).unwrap()
}

async fn send(
    service: &Service,
    from: &DoorSender,
    topic: &str,
    media_type: Option<&str>,
    payload: &str,
) -> Result<(), &'static str> {
    let topic = match topic.strip_prefix("me/") {
        Some(path) => format!("d/{}/{path}", from.device()),
        None => topic.to_owned(),
    };
    let message = IncomingMessage {
        door: MessageDoor::Mqtt,
        topic: TopicName::new(topic).unwrap(),
        payload: payload.as_bytes().into(),
        media_type: media_type.map(str::to_owned),
        made_at: None,
        counter: None,
        retain: None,
        expires_s: None,
        acknowledged: true,
    };
    match service.take_message(from, &message).await {
        Ok(_) => Ok(()),
        Err(MessageRefused::Refused(refusal) | MessageRefused::Enclosed(refusal)) => {
            Err(refusal.code())
        }
        Err(MessageRefused::Failed(error)) => panic!("{error}"),
    }
}

async fn says(
    service: &Service,
    from: &DoorSender,
    topic: &str,
    payload: &str,
) -> Result<(), &'static str> {
    send(service, from, topic, None, payload).await
}

#[tokio::test]
async fn a_schema_is_tested_before_it_is_in_force_and_refuses_from_then_on() {
    let world = World::new().await;
    let (maker, owner) =
        (world.maker("maker", "gate", DeviceKind::Device).await, world.owner("owner").await);
    let service = &world.service;
    let one = at_door(service, &world.working(&maker, "gate", &owner).await).await;
    let (cold, hot) = (r#"{"celsius": 4}"#, r#"{"celsius": 900}"#);
    assert_eq!(says(service, &one, "me/up/telemetry/a", hot).await, Ok(()));
    let reading = || new("reading", READING, "me/up/telemetry/+", None);
    let made = service.put_schema(&owner.admin, reading()).await.unwrap();
    assert_eq!((made.version, made.cases, made.topic.as_str()), (1, 2, "up/telemetry/+"));
    let enforce = SchemaMode::Enforce;
    let untested = service.activate_schema(&owner.admin, "reading", Some(1), enforce, "x").await;
    assert_eq!(untested.unwrap_err().code(), "schema-untested");
    assert_eq!(says(service, &one, "me/up/telemetry/a", hot).await, Ok(()));
    service.test_schema(&owner.admin, "reading", 1).await.unwrap();
    service.activate_schema(&owner.admin, "reading", Some(1), enforce, "x").await.unwrap();
    assert_eq!(says(service, &one, "me/up/telemetry/a", cold).await, Ok(()));
    assert_eq!(says(service, &one, "me/up/telemetry/a", hot).await, Err("schema"));
    assert_eq!(says(service, &one, "me/up/telemetry/a", "{").await, Err("malformed"));
    let twice = r#"{"celsius": 4, "celsius": 5}"#;
    assert_eq!(says(service, &one, "me/up/telemetry/a", twice).await, Err("malformed"));
    assert_eq!(says(service, &one, "me/up/telemetry/a/b", hot).await, Ok(()));
    assert_eq!(says(service, &one, "me/up/other", hot).await, Ok(()));
    // A media type that is named is the schema's; one that is not is taken at the schema's word.
    let json = Some("application/json");
    assert_eq!(send(service, &one, "me/up/telemetry/a", json, cold).await, Ok(()));
    let cbor = Some("application/cbor");
    assert_eq!(send(service, &one, "me/up/telemetry/a", cbor, cold).await, Err("schema"));
    // The owner sees why, and how often; the device heard no more than a code.
    service.settle_messages().await.unwrap();
    let refused = service.refused_messages(&owner.admin, &one.device()).await.unwrap();
    let schema = refused.iter().find(|line| line.reason.code() == "schema").unwrap();
    assert_eq!(schema.count, 2);
    let why = schema.last_detail.as_deref();
    assert_eq!(why, Some("reading v1: /celsius: /properties/celsius/maximum"));
    let shown = service.schema_version(&owner.admin, "reading", 1).await.unwrap();
    let count = |rule: Option<&str>| {
        shown.found.iter().find(|row| row.rule.as_deref() == rule).map(|row| row.count)
    };
    assert_eq!(count(None), Some(2));
    assert_eq!(count(Some("/properties/celsius/maximum")), Some(1));
    assert_eq!(count(Some("media-type")), Some(1));
    assert_eq!((count(Some("malformed")), count(Some("duplicate"))), (Some(1), Some(1)));
    let hot_row = shown.found.iter().find(|row| row.place == "/celsius").unwrap();
    assert_eq!(hot_row.device, one.device());
    assert!(shown.report.unwrap().passed());
    // A narrower version, and the older one again.
    let narrow = NewSchema {
        definition: Definition::new(Kind::JsonSchema, READING.replace("125", "22").into_bytes()),
        ..reading()
    };
    assert_eq!(in_force(service, &owner, narrow, enforce).await, 2);
    assert_eq!(says(service, &one, "me/up/telemetry/a", r#"{"celsius": 23}"#).await, Err("schema"));
    service.activate_schema(&owner.admin, "reading", Some(1), enforce, "back").await.unwrap();
    assert_eq!(says(service, &one, "me/up/telemetry/a", r#"{"celsius": 23}"#).await, Ok(()));
    service.activate_schema(&owner.admin, "reading", None, enforce, "retired").await.unwrap();
    assert_eq!(says(service, &one, "me/up/telemetry/a", hot).await, Ok(()));
    let page = Page::default();
    let history = service.schema_activations(&owner.admin, "reading", &page).await.unwrap().items;
    let versions: Vec<_> = history.iter().map(|done| done.version).collect();
    assert_eq!(versions, [None, Some(1), Some(2), Some(1)]);
    let all = service.schemas(&owner.admin).await.unwrap();
    assert_eq!((all.len(), all[0].version, all[0].state), (1, 2, PolicySetState::Former));
}

#[tokio::test]
async fn what_is_observed_is_counted_and_taken_and_what_is_strict_needs_a_schema() {
    let world = World::new().await;
    let (maker, owner) =
        (world.maker("maker", "gate", DeviceKind::Device).await, world.owner("owner").await);
    let service = &world.service;
    let one = at_door(service, &world.working(&maker, "gate", &owner).await).await;
    let hot = r#"{"celsius": 900}"#;
    let other_line = new("other", READING, "up/#", Some("maker/other"));
    in_force(service, &owner, other_line, SchemaMode::Enforce).await;
    assert_eq!(says(service, &one, "me/up/t", hot).await, Ok(()), "of another product line");
    let reading = new("reading", READING, "up/t", Some("maker/gate"));
    in_force(service, &owner, reading, SchemaMode::Observe).await;
    assert_eq!(says(service, &one, "me/up/t", hot).await, Ok(()));
    assert_eq!(send(service, &one, "me/up/t", Some("text/plain"), "x").await, Ok(()));
    service.settle_messages().await.unwrap();
    let shown = service.schema_version(&owner.admin, "reading", 1).await.unwrap();
    assert_eq!(shown.view.mode, Some(SchemaMode::Observe));
    assert_eq!(shown.found.iter().map(|row| row.count).sum::<u64>(), 2);
    assert!(shown.found.iter().all(|row| row.rule.is_some()), "{:?}", shown.found);
    // Strict: topics without a schema are refused, those that go to the platform itself are not.
    let line = Some("maker/gate");
    service.set_schema_strictness(&owner.admin, line, true, "test").await.unwrap();
    assert_eq!(says(service, &one, "me/up/else", "1").await, Err("schema"));
    assert_eq!(says(service, &one, "me/up/t", hot).await, Ok(()), "observed, and not refused");
    let report = r#"{"version":0,"settings":{}}"#;
    let platforms = says(service, &one, "me/up/configuration", report).await;
    assert_ne!(platforms, Err("schema"));
    let set = service.schema_strictness(&owner.admin).await.unwrap();
    assert_eq!(set[0].product.as_deref(), line);
    service.set_schema_strictness(&owner.admin, line, false, "test").await.unwrap();
    assert_eq!(says(service, &one, "me/up/else", "1").await, Ok(()));
    service.set_schema_strictness(&owner.admin, None, true, "test").await.unwrap();
    assert_eq!(says(service, &one, "me/up/else", "1").await, Err("schema"));
}

#[tokio::test]
async fn what_takes_long_is_refused_and_holds_nobody_up() {
    let world = World::new().await;
    let (maker, owner) =
        (world.maker("maker", "gate", DeviceKind::Device).await, world.owner("owner").await);
    let service = &world.service;
    let one = at_door(service, &world.working(&maker, "gate", &owner).await).await;
    let forks = r##"{"anyOf": [{"type": "array", "items": {"$ref": "#"}},
        {"type": "array", "items": {"$ref": "#"}}, {"const": 7}]}"##;
    let cases =
        "cases: [{name: a, text: '7', expect: accepted}, {name: b, text: '8', expect: refused}]";
    let new = NewSchema { cases: cases.into(), ..new("forks", forks, "up/t", None) };
    in_force(service, &owner, new, SchemaMode::Enforce).await;
    assert_eq!(says(service, &one, "me/up/t", "[[7],7]").await, Ok(()));
    // More than is done at once, and less than what is refused: it waits for a thread.
    let some = format!("{}8{}", "[".repeat(9), "]".repeat(9));
    assert_eq!(says(service, &one, "me/up/t", &some).await, Err("schema"));
    let deep = format!("{}8{}", "[".repeat(30), "]".repeat(30));
    assert_eq!(says(service, &one, "me/up/t", &deep).await, Err("too-complex"));
    let deeper = format!("{}8{}", "[".repeat(40), "]".repeat(40));
    assert_eq!(says(service, &one, "me/up/t", &deeper).await, Err("too-complex"));
}

#[tokio::test]
async fn schemas_are_an_organisations_own() {
    let world = World::new().await;
    let (maker, owner) =
        (world.maker("maker", "gate", DeviceKind::Device).await, world.owner("owner").await);
    let buyer = world.owner("buyer").await;
    let service = &world.service;
    let device = world.working(&maker, "gate", &owner).await;
    let (one, other) = (
        at_door(service, &device).await,
        at_door(service, &world.working(&maker, "gate", &buyer).await).await,
    );
    let reading = || new("reading", READING, "up/t", None);
    in_force(service, &owner, reading(), SchemaMode::Enforce).await;
    service.set_schema_strictness(&owner.admin, None, true, "test").await.unwrap();
    let hot = r#"{"celsius": 900}"#;
    assert_eq!(says(service, &one, "me/up/t", hot).await, Err("schema"));
    assert_eq!(says(service, &other, "me/up/t", hot).await, Ok(()));
    assert_eq!(says(service, &other, "me/up/x", "1").await, Ok(()));
    // Neither does the buyer see, test or activate the owner's.
    let (stranger, page) = (&buyer.admin, Page::default());
    assert!(service.schemas(stranger).await.unwrap().is_empty());
    assert!(service.schema_strictness(stranger).await.unwrap().is_empty());
    for refused in [
        service.schema_version(stranger, "reading", 1).await.map(drop),
        service.schema_versions(stranger, "reading", &page).await.map(drop),
        service.schema_activations(stranger, "reading", &page).await.map(drop),
        service.test_schema(stranger, "reading", 1).await.map(drop),
        service
            .activate_schema(stranger, "reading", None, SchemaMode::Enforce, "mine")
            .await
            .map(drop),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
    }
    // A name is no bridge either: the buyer's schema of the same name is its own first version.
    assert_eq!(service.put_schema(stranger, reading()).await.unwrap().version, 1);
    // With the ownership goes what is asked of the device.
    world.sell(&owner, &buyer, &one.device()).await;
    assert_ne!(says(service, &one, "me/up/t", hot).await, Err("schema"));
    // Operators prepare, administrators activate, readers neither.
    let (operator, _) = world.member(&id("owner"), "op", Roles::of(&[Role::Operator])).await;
    service.put_schema(&operator, reading()).await.unwrap();
    service.test_schema(&operator, "reading", 2).await.unwrap();
    let enforce = SchemaMode::Enforce;
    for refused in [
        service.activate_schema(&operator, "reading", Some(2), enforce, "x").await.map(drop),
        service.set_schema_strictness(&operator, None, false, "x").await.map(drop),
        service.put_schema(&owner.reader, reading()).await.map(drop),
        service.schema_version(&owner.reader, "reading", 1).await.map(drop),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Forbidden);
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_told_and_what_is_broken_takes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::at(dir.path(), config()).await;
    let (maker, owner) =
        (world.maker("maker", "gate", DeviceKind::Device).await, world.owner("owner").await);
    let device = world.working(&maker, "gate", &owner).await;
    let service = &world.service;
    for (wrong, code) in [
        (new("a b", READING, "up/t", None), "schema-name"),
        (new("a", "{\"type\": \"float\"}", "up/t", None), "schema"),
        (new("a", READING, "d/x/up", None), "topic"),
        (new("a", READING, "up/#/x", None), "topic"),
        (new("a", READING, "up/t", Some("maker")), "product"),
        (
            NewSchema { cases: "cases: []".into(), ..new("a", READING, "up/t", None) },
            "schema-cases",
        ),
        (NewSchema { reason: " ".into(), ..new("a", READING, "up/t", None) }, "reason"),
    ] {
        assert_eq!(service.put_schema(&owner.admin, wrong).await.unwrap_err().code(), code);
    }
    let failing = NewSchema { cases: CASES.replace("900", "9"), ..new("b", READING, "up/t", None) };
    service.put_schema(&owner.admin, failing).await.unwrap();
    service.test_schema(&owner.admin, "b", 1).await.unwrap();
    let enforce = SchemaMode::Enforce;
    let failed = service.activate_schema(&owner.admin, "b", Some(1), enforce, "x").await;
    assert_eq!(failed.unwrap_err().code(), "schema-failed");
    in_force(service, &owner, new("reading", READING, "up/t", None), enforce).await;
    world.service.close();
    let cold = r#"{"celsius": 4}"#;
    let again = open(dir.path(), config(), &world.clock);
    let one = at_door(&again, &device).await;
    assert_eq!(says(&again, &one, "me/up/t", cold).await, Ok(()));
    assert_eq!(says(&again, &one, "me/up/t", "{}").await, Err("schema"));
    again.close();
    // Somebody changed the schema behind our back; it is still valid, and wider.
    let store = rusqlite::Connection::open(dir.path().join("tegata.db")).unwrap();
    store.execute("UPDATE payload_schema_version SET source = x'7b7d'", []).unwrap();
    drop(store);
    let again = open(dir.path(), config(), &world.clock);
    let one = at_door(&again, &device).await;
    assert_eq!(says(&again, &one, "me/up/t", cold).await, Err("schema"));
    assert_eq!(says(&again, &one, "me/up/x", cold).await, Ok(()));
    again.close();
}
