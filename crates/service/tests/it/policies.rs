//! Policies for the doors (GW-2, AU-6): versions, what is in force, what it decides, and what breaks.

use crate::world::{Org, Working, World, config, id, open};
use admission::{Direction, TopicFilter, TopicName};
use device::{DeviceId, DeviceKind};
use policy::{Role, Roles};
use service::{
    DoorSender, ErrorKind, IncomingMessage, MessageDoor, MessageRefused, NewPolicySet, Page,
    PolicyQuestion, PolicySetState, Service,
};

const CASES: &str = r#"{"organisation": "owner", "devices": {"one": {}},
    "cases": [{"name": "own", "by": "one", "does": "publish", "topic": "me/up/x", "expect": "allowed"}]}"#;

fn new(policies: &str) -> NewPolicySet {
    NewPolicySet { policies: policies.into(), cases: CASES.into(), reason: "for a test".into() }
}

async fn in_force(service: &Service, org: &Org, policies: &str) -> u64 {
    let made = service.put_policy_set(&org.admin, new(policies)).await.unwrap();
    let tested = service.test_policy_set(&org.admin, made.version).await.unwrap();
    assert_eq!(tested.view.state, PolicySetState::Tested);
    let done = service.activate_policy_set(&org.admin, Some(made.version), "test").await.unwrap();
    assert_eq!(done.version, Some(made.version));
    made.version
}

async fn at_door(service: &Service, device: &Working) -> DoorSender {
    let certificate = &device.ldevid.certificate;
    let caller = service.identify_certificate(certificate).await.unwrap();
    service.door_sender(&caller, certificate).unwrap()
}

fn message(topic: String, retain: bool) -> IncomingMessage {
    IncomingMessage {
        door: MessageDoor::Mqtt,
        topic: TopicName::new(topic).unwrap(),
        payload: b"1".as_slice().into(),
        media_type: None,
        made_at: None,
        counter: None,
        retain: retain.then_some(1),
        expires_s: None,
        acknowledged: true,
    }
}

async fn says(service: &Service, from: &DoorSender, topic: String) -> Result<(), &'static str> {
    match service.take_message(from, &message(topic, false)).await {
        Ok(_) => Ok(()),
        Err(MessageRefused::Refused(refusal) | MessageRefused::Enclosed(refusal)) => {
            Err(refusal.code())
        }
        Err(MessageRefused::Failed(error)) => panic!("{error}"),
    }
}

fn hears(service: &Service, by: &DoorSender, of: DeviceId, path: &str) -> bool {
    service.may_hear(by, &TopicName::new(format!("d/{of}/{path}")).unwrap())
}

fn listens(service: &Service, by: &DoorSender, filter: &str) -> bool {
    service.may_listen(by, &TopicFilter::new(filter).unwrap()).is_ok()
}

const OPEN: &str = r#"
@id("hear") permit(principal in Product::"maker/gate", action in Action::"hear", resource)
when { resource.branch == "up" };
@id("tell") permit(principal, action == Action::"publish", resource) when { resource.path like "down/set*" };
@id("no-secrets") forbid(principal, action == Action::"receive", resource)
when { resource.path like "up/secret/*" };
"#;

#[tokio::test]
async fn a_version_is_tested_before_it_is_in_force_and_an_older_one_can_be_again() {
    let world = World::new().await;
    let (maker, owner) =
        (world.maker("maker", "gate", DeviceKind::Device).await, world.owner("owner").await);
    let service = &world.service;
    let (one, two) = (
        at_door(service, &world.working(&maker, "gate", &owner).await).await,
        at_door(service, &world.working(&maker, "gate", &owner).await).await,
    );
    let hears_two = |path: &str| hears(service, &one, two.device(), path);
    assert!(!hears_two("up/x") && !listens(service, &one, "d/+/up/#"));
    let draft = service.put_policy_set(&owner.admin, new(OPEN)).await.unwrap();
    assert_eq!((draft.version, draft.state, draft.cases), (1, PolicySetState::Draft, 1));
    let untested = service.activate_policy_set(&owner.admin, Some(1), "too early").await;
    assert_eq!(untested.unwrap_err().code(), "policies-untested");
    assert!(!hears_two("up/x"));
    let tested = service.test_policy_set(&owner.admin, 1).await.unwrap();
    assert!(tested.report.passed() && tested.report.untried == ["hear", "tell", "no-secrets"]);
    assert!(!hears_two("up/x"), "a tested version is in force nowhere");
    service.activate_policy_set(&owner.admin, Some(1), "now").await.unwrap();
    assert!(hears_two("up/x") && !hears_two("up/secret/x") && !hears_two("down/x"));
    assert!(listens(service, &one, "d/+/up/#") && !listens(service, &one, "#"));
    // What the policy forbids, it forbids in the own space as well.
    assert!(!hears(service, &two, two.device(), "up/secret/x"));
    let why = PolicyQuestion {
        device: one.device(),
        direction: Direction::Receive,
        topic: format!("d/{}/up/secret/x", two.device()),
        version: None,
    };
    let told = service.explain_policy(&owner.admin, &why).await.unwrap();
    assert_eq!(
        (told.allowed, told.because, told.version),
        (false, vec!["no-secrets".into()], Some(1))
    );
    let two_ = in_force(service, &owner, "").await;
    assert!(!hears_two("up/x") && !listens(service, &one, "d/+/up/#"));
    assert!(hears(service, &two, two.device(), "up/secret/x"));
    // A version that nobody put in force says what it would decide.
    let told = PolicyQuestion {
        topic: format!("d/{}/up/x", two.device()),
        version: Some(1),
        ..why.clone()
    };
    let told = service.explain_policy(&owner.admin, &told).await.unwrap();
    assert_eq!((told.allowed, told.because), (true, vec!["hear".to_owned()]));
    service.activate_policy_set(&owner.admin, Some(1), "back again").await.unwrap();
    assert!(hears_two("up/x"));
    let all = service.policy_sets(&owner.admin, &Page::default()).await.unwrap().items;
    let states: Vec<_> = all.iter().map(|set| (set.version, set.state)).collect();
    assert_eq!(states, [(two_, PolicySetState::Former), (1, PolicySetState::Active)]);
    service.activate_policy_set(&owner.admin, None, "none for now").await.unwrap();
    assert!(!hears_two("up/x"));
    let history = service.policy_activations(&owner.admin, &Page::default()).await.unwrap().items;
    let versions: Vec<_> = history.iter().map(|done| done.version).collect();
    assert_eq!(versions, [None, Some(1), Some(two_), Some(1)]);
    assert!(history.iter().all(|done| !done.reason.is_empty() && done.by.contains("owner")));
    let wrong = service.put_policy_set(&owner.admin, new("permit(principal);")).await.unwrap_err();
    assert_eq!(wrong.code(), "policies");
    assert!(wrong.to_string().contains("line 1"), "{wrong}");
    let other = NewPolicySet { cases: CASES.replace("owner", "maker"), ..new("") };
    let wrong = service.put_policy_set(&owner.admin, other).await.unwrap_err();
    assert_eq!(wrong.code(), "policy-cases");
    let failing = NewPolicySet { cases: CASES.replace("allowed", "refused"), ..new("") };
    let version = service.put_policy_set(&owner.admin, failing).await.unwrap().version;
    let tested = service.test_policy_set(&owner.admin, version).await.unwrap();
    assert_eq!((tested.view.state, tested.report.failures()), (PolicySetState::Draft, 1));
    let failed = service.activate_policy_set(&owner.admin, Some(version), "x").await.unwrap_err();
    assert_eq!(failed.code(), "policies-failed");
}

#[tokio::test]
async fn policies_are_an_organisations_own_and_end_with_the_ownership() {
    let world = World::new().await;
    let (maker, owner) =
        (world.maker("maker", "gate", DeviceKind::Device).await, world.owner("owner").await);
    let buyer = world.owner("buyer").await;
    let service = &world.service;
    let (first, second) =
        (world.working(&maker, "gate", &owner).await, world.working(&maker, "gate", &owner).await);
    let foreign = world.working(&maker, "gate", &buyer).await;
    let (one, two) = (at_door(service, &first).await, at_door(service, &second).await);
    let other = at_door(service, &foreign).await;
    in_force(service, &owner, OPEN).await;
    assert!(hears(service, &one, two.device(), "up/x"));
    // Another organisation's devices are out of reach in both directions, whatever the policy says.
    assert!(!hears(service, &one, other.device(), "up/x"));
    assert!(!hears(service, &other, one.device(), "up/x"));
    let topic = |of: &DoorSender, path: &str| format!("d/{}/{path}", of.device());
    assert_eq!(says(service, &one, topic(&other, "down/set")).await, Err("topic"));
    // One that is not there is no different.
    let nobody = DeviceId::from_bytes([9; 16]);
    assert_eq!(says(service, &one, format!("d/{nobody}/down/set")).await, Err("topic"));
    assert_eq!(says(service, &one, topic(&two, "down/set")).await, Ok(()));
    assert_eq!(says(service, &one, topic(&two, "down/configuration")).await, Err("topic"));
    let kept = service.messages(&owner.admin, &one.device(), &Page::default()).await.unwrap().items;
    assert_eq!((kept[0].topic.as_str(), kept[0].space), ("down/set", Some(two.device())));
    // What is retained there is the space's: who may hear it does, and it goes with the device.
    let retained = message(topic(&two, "down/set"), true);
    service.take_message(&one, &retained).await.unwrap();
    let filter = TopicFilter::new(topic(&two, "#")).unwrap();
    assert_eq!(service.retained_messages(&two, &filter).unwrap().len(), 1);
    assert!(service.retained_messages(&one, &filter).unwrap().is_empty());
    service.take_message(&two, &message(topic(&two, "up/x"), true)).await.unwrap();
    service.take_message(&other, &message(topic(&other, "up/x"), true)).await.unwrap();
    let all = TopicFilter::new("d/+/up/#").unwrap();
    let found = service.retained_messages(&one, &all).unwrap();
    assert_eq!(found.len(), 1, "of its own organisation alone: {found:?}");
    world.sell(&owner, &buyer, &two.device()).await;
    assert!(!hears(service, &one, two.device(), "up/x"));
    assert_eq!(says(service, &one, topic(&two, "down/set")).await, Err("topic"));
    assert!(service.retained_messages(&one, &all).unwrap().is_empty());
    // Neither does the buyer read, test or activate the owner's policies, nor explain its devices.
    let why = PolicyQuestion {
        device: one.device(),
        direction: Direction::Publish,
        topic: "me/up/x".into(),
        version: None,
    };
    let strange = service.explain_policy(&buyer.admin, &why).await.unwrap_err();
    assert_eq!(strange.kind(), ErrorKind::NotFound);
    assert!(service.policy_set(&buyer.admin, 1).await.is_err());
    assert!(service.policy_sets(&buyer.admin, &Page::default()).await.unwrap().items.is_empty());
    assert!(service.test_policy_set(&buyer.admin, 1).await.is_err());
    assert!(service.activate_policy_set(&buyer.admin, Some(1), "mine").await.is_err());
    // Operators prepare, administrators activate, readers neither.
    let roles = Roles::of(&[Role::Operator]);
    let (operator, _) = world.member(&id("owner"), "op", roles).await;
    let reader = &owner.reader;
    let made = service.put_policy_set(&operator, new("")).await.unwrap();
    service.test_policy_set(&operator, made.version).await.unwrap();
    let may_not =
        service.activate_policy_set(&operator, Some(made.version), "x").await.unwrap_err();
    assert_eq!(may_not.kind(), ErrorKind::Forbidden);
    for refused in [
        service.put_policy_set(reader, new("")).await.map(drop),
        service.policy_set(reader, 1).await.map(drop),
        service.explain_policy(reader, &why).await.map(drop),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Forbidden);
    }
}

#[tokio::test]
async fn what_is_in_force_outlives_a_restart_and_what_is_broken_permits_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::at(dir.path(), config()).await;
    let (maker, owner) =
        (world.maker("maker", "gate", DeviceKind::Device).await, world.owner("owner").await);
    let (first, second) =
        (world.working(&maker, "gate", &owner).await, world.working(&maker, "gate", &owner).await);
    in_force(&world.service, &owner, OPEN).await;
    world.service.close();
    let again = open(dir.path(), config(), &world.clock);
    let (one, two) = (at_door(&again, &first).await, at_door(&again, &second).await);
    assert!(hears(&again, &one, two.device(), "up/x"));
    again.close();
    // Somebody changed the text behind our back; it is still a valid set, and wider.
    let store = rusqlite::Connection::open(dir.path().join("tegata.db")).unwrap();
    let wider = "@id(\"all\") permit(principal, action, resource);";
    store.execute("UPDATE policy_set SET policies = ?1", [wider]).unwrap();
    drop(store);
    let again = open(dir.path(), config(), &world.clock);
    let (one, two) = (at_door(&again, &first).await, at_door(&again, &second).await);
    assert!(!hears(&again, &one, two.device(), "up/x") && !listens(&again, &one, "d/+/up/#"));
    assert!(
        hears(&again, &one, one.device(), "up/x")
            && listens(&again, &one, &format!("d/{}/#", one.device()))
    );
    let topic = format!("d/{}/up/x", two.device());
    let why = PolicyQuestion {
        device: one.device(),
        direction: Direction::Receive,
        topic,
        version: None,
    };
    let told = again.explain_policy(&owner.admin, &why).await.unwrap();
    assert!(told.broken && !told.allowed && told.version == Some(1));
    again.close();
}
