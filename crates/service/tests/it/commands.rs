//! Commands and settings of devices (GW-8, EN-5): who gives them, who hears of them, what becomes of
//! them.

use crate::{
    people::{person, with_console},
    world::{NOW, Working, World},
};
use admission::{CommandId, TopicName};
use crypto::UnixTime;
use device::DeviceKind;
use policy::{Act, Role};
use service::{
    COMMANDS_OPEN_MAX, CommandState, DoorSender, Downlink, ErrorKind, IncomingMessage, MessageDoor,
    MessageRefused, NewCommand, NewConfiguration, Page,
};

fn restart() -> NewCommand {
    NewCommand {
        name: "restart".into(),
        parameters: r#"{"delay_s": 5}"#.into(),
        reason: "firmware hangs".into(),
        lifetime_s: 3600,
    }
}

fn settings(text: &str, replaces: Option<u64>) -> NewConfiguration {
    NewConfiguration { settings: text.into(), reason: "night tariff".into(), replaces }
}

async fn at_door(world: &World, device: &Working) -> DoorSender {
    let certificate = &device.ldevid.certificate;
    let caller = world.service.identify_certificate(certificate).await.unwrap();
    world.service.door_sender(&caller, certificate).unwrap()
}

async fn says(world: &World, from: &DoorSender, topic: &str, payload: &str) -> Result<(), String> {
    let message = IncomingMessage {
        door: MessageDoor::Mqtt,
        topic: from.space().absolute(TopicName::new(topic).unwrap()).unwrap(),
        payload: payload.as_bytes().into(),
        media_type: None,
        made_at: None,
        counter: None,
        retain: None,
        expires_s: None,
        acknowledged: true,
    };
    world.service.take_message(from, &message).await.map(|_| ()).map_err(|error| match error {
        MessageRefused::Refused(refusal) | MessageRefused::Enclosed(refusal) => {
            refusal.code().to_owned()
        }
        MessageRefused::Failed(error) => error.to_string(),
    })
}

fn heard(downlink: &Downlink) -> serde_json::Value {
    serde_json::from_slice(&downlink.payload).unwrap()
}

#[tokio::test]
async fn a_command_waits_is_handed_over_and_answered() {
    let world = World::new().await;
    let (maker, owner) =
        (world.maker("maker", "gate", DeviceKind::Device).await, world.owner("owner").await);
    let device = world.working(&maker, "gate", &owner).await;
    let (service, id) = (&world.service, device.thing.id);
    let given = service.give_command(&owner.admin, &id, restart()).await.unwrap();
    assert_eq!((given.state, given.sent_at), (CommandState::Waiting, None));
    assert_eq!(given.parameters, r#"{"delay_s":5}"#);
    let sender = at_door(&world, &device).await;
    let told = service.downlinks(&sender, false).unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].topic.as_str(), format!("d/{id}/down/commands/{}", given.id));
    assert_eq!(told[0].expires_s, Some(3600));
    let wanted = serde_json::json!({
        "id": given.id.to_string(), "name": "restart", "parameters": {"delay_s": 5},
        "issued": NOW, "expires": NOW + 3600,
    });
    assert_eq!(heard(&told[0]), wanted);
    service.handed_over(&told);
    // Who listens all the time hears it once; who comes to listen hears it until it has answered.
    let state = || async { service.command(&owner.admin, &id, &given.id).await.unwrap() };
    while state().await.state == CommandState::Waiting {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(state().await.sent_at, Some(UnixTime(NOW)));
    assert!(service.downlinks(&sender, false).unwrap().is_empty());
    assert_eq!(service.downlinks(&sender, true).unwrap().len(), 1);
    let topic = format!("me/up/commands/{}", given.id);
    says(&world, &sender, &topic, r#"{"state":"accepted"}"#).await.unwrap();
    assert!(service.downlinks(&sender, true).unwrap().is_empty());
    world.clock.advance(10);
    says(&world, &sender, &topic, r#"{"state":"done","detail":"up again"}"#).await.unwrap();
    let done = state().await;
    assert_eq!((done.state, done.detail.as_deref()), (CommandState::Done, Some("up again")));
    assert_eq!(done.answered_at, Some(UnixTime(NOW + 10)));
    // A result is a result; what is said after it is a message like any other.
    says(&world, &sender, &topic, r#"{"state":"failed"}"#).await.unwrap();
    assert_eq!(state().await, done);
    let kept = service.messages(&owner.admin, &id, &Page::default()).await.unwrap();
    assert_eq!(kept.items.len(), 3);
    // What is no answer is refused, and an answer to what nobody gave changes nothing.
    let wrong = says(&world, &sender, &topic, r#"{"state":"maybe"}"#).await;
    assert_eq!(wrong, Err("schema".into()));
    let other = format!("me/up/commands/{}", CommandId([7; 16]));
    says(&world, &sender, &other, r#"{"state":"done"}"#).await.unwrap();
    let all = service.commands(&owner.admin, &id, &Page::default()).await.unwrap();
    assert_eq!(all.items, [done]);
}

#[tokio::test]
async fn a_command_ends_with_its_time_or_when_it_is_taken_back() {
    let world = World::new().await;
    let (maker, owner) =
        (world.maker("maker", "gate", DeviceKind::Device).await, world.owner("owner").await);
    let device = world.working(&maker, "gate", &owner).await;
    let (service, id) = (&world.service, device.thing.id);
    let first = service.give_command(&owner.admin, &id, restart()).await.unwrap();
    let second = service.give_command(&owner.admin, &id, restart()).await.unwrap();
    let sender = at_door(&world, &device).await;
    let cancelled = service.cancel_command(&owner.admin, &id, &first.id).await.unwrap();
    assert_eq!(cancelled.state, CommandState::Cancelled);
    let again = service.cancel_command(&owner.admin, &id, &first.id).await.unwrap_err();
    assert_eq!((again.code(), again.kind()), ("command-over", ErrorKind::Conflict));
    let told = service.downlinks(&sender, true).unwrap();
    assert_eq!(told.len(), 1, "what was taken back is not told");
    assert!(told[0].topic.as_str().ends_with(&second.id.to_string()));
    // The device had it already, and did it: that is what is on record.
    let topic = format!("me/up/commands/{}", first.id);
    says(&world, &sender, &topic, r#"{"state":"accepted"}"#).await.unwrap();
    let state = service.command(&owner.admin, &id, &first.id).await.unwrap().state;
    assert_eq!(state, CommandState::Cancelled);
    says(&world, &sender, &topic, r#"{"state":"done"}"#).await.unwrap();
    let state = service.command(&owner.admin, &id, &first.id).await.unwrap().state;
    assert_eq!(state, CommandState::Done);
    world.clock.advance(3600);
    assert!(service.downlinks(&sender, true).unwrap().is_empty());
    let state = service.command(&owner.admin, &id, &second.id).await.unwrap().state;
    assert_eq!(state, CommandState::Expired);
    let late = service.cancel_command(&owner.admin, &id, &second.id).await.unwrap_err();
    assert_eq!(late.code(), "command-over");
}

#[tokio::test]
async fn only_so_many_wait_and_nonsense_is_refused() {
    let world = World::new().await;
    let (maker, owner) =
        (world.maker("maker", "gate", DeviceKind::Device).await, world.owner("owner").await);
    let device = world.working(&maker, "gate", &owner).await;
    let (service, id) = (&world.service, device.thing.id);
    for _ in 0..COMMANDS_OPEN_MAX {
        service.give_command(&owner.admin, &id, restart()).await.unwrap();
    }
    let code = |new: NewCommand| async {
        service.give_command(&owner.admin, &id, new).await.unwrap_err().code()
    };
    assert_eq!(code(restart()).await, "too-many-commands");
    assert_eq!(code(NewCommand { name: "Re start".into(), ..restart() }).await, "command");
    assert_eq!(code(NewCommand { reason: " ".into(), ..restart() }).await, "reason");
    for parameters in ["[]", "", r#"{"a":1,"a":2}"#, &format!(r#"{{"a":"{}"}}"#, "x".repeat(9000))]
    {
        let new = NewCommand { parameters: parameters.into(), ..restart() };
        assert_eq!(code(new).await, "command-parameters");
    }
    for lifetime_s in [0, 59, 30 * 86_400 + 1] {
        assert_eq!(code(NewCommand { lifetime_s, ..restart() }).await, "command-lifetime");
    }
    // Those that are over make room.
    world.clock.advance(3600);
    service.give_command(&owner.admin, &id, restart()).await.unwrap();
    service.revoke_device(&owner.admin, &id, device::Cause::Lost).await.unwrap();
    assert_eq!(code(restart()).await, "device-gone");
}

#[tokio::test]
async fn what_cannot_be_undone_takes_an_administrator_and_where_wanted_two() {
    let world = World::with(with_console()).await;
    let (maker, owner) =
        (world.maker("maker", "gate", DeviceKind::Device).await, world.owner("owner").await);
    let device = world.working(&maker, "gate", &owner).await;
    let (service, id) = (&world.service, device.thing.id);
    let erase = || NewCommand { name: "erase-keys".into(), parameters: "{}".into(), ..restart() };
    let operator = world.member(&owner.id, "operator", Role::Operator.into()).await.0;
    service.give_command(&operator, &id, restart()).await.unwrap();
    let denied = service.give_command(&operator, &id, erase()).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Forbidden);
    let denied = service.give_command(&owner.reader, &id, restart()).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Forbidden);
    service.give_command(&owner.admin, &id, erase()).await.unwrap();
    let hanako = person(&world, &owner.id, "hanako", Role::Administrator.into()).await;
    service.set_approval_policy(&hanako.caller, &owner.id, Act::ResetDevice, true).await.unwrap();
    let asked = service.give_command(&owner.admin, &id, erase()).await.unwrap_err();
    assert_eq!(asked.code(), "needs-second-person");
    let approval = asked.approval().unwrap();
    let view = service.approval(&hanako.caller, &approval).await.unwrap();
    assert!(view.summary.contains("erase-keys") && view.summary_ja.contains("erase-keys"));
    service.approve(&hanako.caller, &approval).await.unwrap();
    let given = service.give_command(&owner.admin, &id, erase()).await.unwrap();
    assert_eq!(given.name, "erase-keys");
    // Once, and for that very command.
    let again = service.give_command(&owner.admin, &id, erase()).await.unwrap_err();
    assert_eq!(again.code(), "needs-second-person");
}

#[tokio::test]
async fn commands_and_settings_end_with_the_ownership() {
    let world = World::new().await;
    let (maker, owner) =
        (world.maker("maker", "gate", DeviceKind::Device).await, world.owner("owner").await);
    let buyer = world.owner("buyer").await;
    let device = world.working(&maker, "gate", &owner).await;
    let (service, id) = (&world.service, device.thing.id);
    let given = service.give_command(&owner.admin, &id, restart()).await.unwrap();
    let secret = settings(r#"{"wifi": "secret"}"#, Some(0));
    service.configure_device(&owner.admin, &id, secret).await.unwrap();
    let sender = at_door(&world, &device).await;
    says(&world, &sender, "me/up/configuration", r#"{"version":1,"settings":{"wifi":"secret"}}"#)
        .await
        .unwrap();
    assert!(service.configuration(&owner.admin, &id).await.unwrap().settled);
    // Neither maker nor stranger sees or gives anything.
    for stranger in [&maker.admin, &buyer.admin] {
        let seen = service.commands(stranger, &id, &Page::default()).await.unwrap_err();
        assert!(matches!(seen.kind(), ErrorKind::NotFound | ErrorKind::Forbidden));
        let told = service.give_command(stranger, &id, restart()).await.unwrap_err();
        assert!(matches!(told.kind(), ErrorKind::NotFound | ErrorKind::Forbidden));
        let wanted = settings("{}", None);
        let told = service.configure_device(stranger, &id, wanted).await.unwrap_err();
        assert!(matches!(told.kind(), ErrorKind::NotFound | ErrorKind::Forbidden));
        assert!(service.configuration(stranger, &id).await.is_err());
        assert!(service.cancel_command(stranger, &id, &given.id).await.is_err());
    }
    world.sell(&owner, &buyer, &id).await;
    assert!(service.give_command(&owner.admin, &id, restart()).await.is_err());
    let seen = service.commands(&buyer.admin, &id, &Page::default()).await.unwrap();
    assert!(seen.items.is_empty());
    assert!(service.command(&buyer.admin, &id, &given.id).await.is_err());
    let seen = service.configuration(&buyer.admin, &id).await.unwrap();
    assert_eq!((seen.wanted, seen.reported, seen.settled), (None, None, true));
    let seen = service.configuration_versions(&buyer.admin, &id, &Page::default()).await.unwrap();
    assert!(seen.items.is_empty());
    // The device as the buyer's hears nothing of the former owner, and numbers never come twice.
    let set = service.configure_device(&buyer.admin, &id, settings("{}", Some(0))).await.unwrap();
    assert_eq!(set.version, 2);
}

#[tokio::test]
async fn settings_are_versioned_and_the_device_says_which_it_runs_with() {
    let world = World::new().await;
    let (maker, owner) =
        (world.maker("maker", "gate", DeviceKind::Device).await, world.owner("owner").await);
    let device = world.working(&maker, "gate", &owner).await;
    let (service, id) = (&world.service, device.thing.id);
    let admin = &owner.admin;
    let want = |text: &'static str, replaces| async move {
        service.configure_device(admin, &id, settings(text, replaces)).await
    };
    let sender = at_door(&world, &device).await;
    assert!(service.downlinks(&sender, true).unwrap().is_empty());
    assert_eq!(want(r#"{"b":1,"a":2}"#, Some(0)).await.unwrap().settings, r#"{"a":2,"b":1}"#);
    let told = service.downlinks(&sender, false).unwrap();
    assert_eq!(told[0].topic.as_str(), format!("d/{id}/down/configuration"));
    assert_eq!(heard(&told[0]), serde_json::json!({"version": 1, "settings": {"a": 2, "b": 1}}));
    let late = want("{}", Some(0)).await.unwrap_err();
    assert_eq!((late.code(), late.kind()), ("configuration-moved", ErrorKind::Conflict));
    assert_eq!(want(r#"{"a":3}"#, Some(1)).await.unwrap().version, 2);
    let says = |text: &'static str| says(&world, &sender, "me/up/configuration", text);
    says(r#"{"version":2,"settings":{"a":2}}"#).await.unwrap();
    let seen = service.configuration(&owner.admin, &id).await.unwrap();
    assert!(!seen.settled, "the number alone is not enough");
    says(r#"{"version":2,"settings":{"a":3}}"#).await.unwrap();
    assert!(service.configuration(&owner.admin, &id).await.unwrap().settled);
    assert!(service.downlinks(&sender, false).unwrap().is_empty(), "it has what is wanted");
    assert_eq!(service.downlinks(&sender, true).unwrap().len(), 1, "it has just come to listen");
    assert_eq!(says("[]").await, Err("schema".into()));
    let versions = service.configuration_versions(&owner.admin, &id, &Page::default()).await;
    let versions: Vec<u64> = versions.unwrap().items.iter().map(|it| it.version).collect();
    assert_eq!(versions, [2, 1]);
    for wrong in ["[]", "", "{\"a\":1,\"a\":2}"] {
        assert_eq!(want(wrong, None).await.unwrap_err().code(), "settings");
    }
}

/// What a row holds as JSON is never shown as nothing where it is damaged: the fault says where to look.
#[tokio::test]
async fn damaged_rows_are_a_fault_that_names_them() {
    let world = World::new().await;
    let (maker, owner) =
        (world.maker("maker", "gate", DeviceKind::Device).await, world.owner("owner").await);
    let device = world.working(&maker, "gate", &owner).await;
    let id = device.thing.id;
    let service = &world.service;
    let given = service.give_command(&owner.admin, &id, restart()).await.unwrap();
    let wanted = settings(r#"{"interval_s": 60}"#, None);
    service.configure_device(&owner.admin, &id, wanted).await.unwrap();
    service.close();
    let connection = rusqlite::Connection::open(world.path().join("tegata.db")).unwrap();
    connection.execute("UPDATE command SET parameters = '{\"delay_s\": '", []).unwrap();
    connection.execute("UPDATE configuration_version SET settings = 'gone'", []).unwrap();
    drop(connection);
    let service = crate::world::open(world.path(), crate::world::config(), &world.clock);
    let admin = &owner.admin;
    let damage = [
        service.command(admin, &id, &given.id).await.map(drop).unwrap_err(),
        service.commands(admin, &id, &Page::default()).await.map(drop).unwrap_err(),
        service.configuration(admin, &id).await.map(drop).unwrap_err(),
    ];
    for (error, table) in damage.into_iter().zip(["command", "command", "configuration_version"]) {
        assert_eq!((error.kind(), error.code()), (ErrorKind::Fatal, "store-damaged"), "{error}");
        let said = error.to_string();
        assert!(said.contains(&format!("table {table}, row ")), "{said}");
        assert!(said.contains("restore a backup"), "{said}");
    }
    service.close();
}
