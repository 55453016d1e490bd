//! Consent per purpose (PR-2): what is declared, what is agreed to, and what no door takes without it.

use crate::world::{Org, Working, World};
use admission::{
    Basis,
    ConsentDecision::{self, AsOrganisation, Given, Withdrawn},
    DataPurpose, TopicFilter, TopicName,
};
use device::{DeviceId, DeviceKind};
use policy::{Caller, Role, Roles};
use service::{
    DoorSender, IncomingMessage, LaneFailure, LaneOutcome, MessageDoor, MessageRefused,
    NewConsentDecision, NewRoute, Page, PurposeView, Service, ServiceError,
};
use std::collections::HashSet;

fn purpose(topics: &[&str]) -> DataPurpose {
    DataPurpose {
        title_en: "Better routes".into(),
        title_ja: "経路の改善".into(),
        explanation_en: "Where the vehicle was.".into(),
        explanation_ja: "車両の位置です。".into(),
        topics: topics.iter().map(|&it| it.to_owned()).collect(),
        basis: Basis::Consent,
        recipients: vec!["Maker A".into()],
        retention_days: 30,
    }
}

fn necessary(topics: &[&str]) -> DataPurpose {
    DataPurpose { basis: Basis::Necessary("GDPR article 6(1)(b)".into()), ..purpose(topics) }
}

struct Stage {
    world: World,
    maker: Org,
    owner: Org,
    device: Working,
    sender: DoorSender,
}

impl Stage {
    async fn new() -> Self {
        let world = World::new().await;
        let maker = world.maker("maker", "gate", DeviceKind::Device).await;
        let owner = world.owner("owner").await;
        let device = world.working(&maker, "gate", &owner).await;
        let sender = at_door(&world.service, &device).await;
        Self { world, maker, owner, device, sender }
    }

    async fn declare(&self, name: &str, says: DataPurpose) -> Result<PurposeView, ServiceError> {
        let line = "gate".parse().unwrap();
        let of = (&self.maker.id, &line);
        self.world.service.declare_purpose(&self.maker.admin, of, name, says).await
    }

    fn decision(
        &self,
        name: &str,
        version: u64,
        device: Option<DeviceId>,
        decision: ConsentDecision,
    ) -> NewConsentDecision {
        NewConsentDecision {
            maker: self.maker.id.clone(),
            product: "gate".parse().unwrap(),
            purpose: name.into(),
            version,
            device,
            decision,
        }
    }

    async fn decide(
        &self,
        name: &str,
        version: u64,
        device: Option<DeviceId>,
        decision: ConsentDecision,
    ) -> Result<(), &'static str> {
        let new = self.decision(name, version, device, decision);
        let decided = self.world.service.decide_consent(&self.owner.admin, &self.owner.id, new);
        decided.await.map_err(|error| error.code())
    }

    async fn says(&self, topic: &str) -> Result<(), &'static str> {
        says(&self.world.service, &self.sender, topic, None).await
    }

    fn id(&self) -> Option<DeviceId> {
        Some(self.sender.device())
    }
}

async fn at_door(service: &Service, device: &Working) -> DoorSender {
    let certificate = &device.ldevid.certificate;
    let caller = service.identify_certificate(certificate).await.unwrap();
    service.door_sender(&caller, certificate).unwrap()
}

async fn says(
    service: &Service,
    from: &DoorSender,
    topic: &str,
    retain: Option<u8>,
) -> Result<(), &'static str> {
    let topic = match topic.strip_prefix("me/") {
        Some(path) => format!("d/{}/{path}", from.device()),
        None => topic.to_owned(),
    };
    let message = IncomingMessage {
        door: MessageDoor::Mqtt,
        topic: TopicName::new(topic).unwrap(),
        payload: b"1".as_slice().into(),
        media_type: None,
        made_at: None,
        counter: None,
        retain,
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

#[tokio::test]
async fn nothing_comes_in_for_an_optional_purpose_before_the_owner_agrees_to_its_text() {
    let stage = Stage::new().await;
    assert_eq!(stage.says("me/up/location/x").await, Ok(()));
    let declared = stage.declare("routes", purpose(&["up/location/#"])).await.unwrap();
    assert_eq!(declared.version, 1);
    stage.declare("care", necessary(&["up/state"])).await.unwrap();
    // Opt-in: not given is the beginning.
    assert_eq!(stage.says("me/up/location/x").await, Err("consent"));
    assert_eq!(stage.says("me/up/location").await, Err("consent"));
    assert_eq!(stage.says("me/up/state").await, Ok(()));
    assert_eq!(stage.says("me/up/other").await, Ok(()));
    stage.decide("routes", 1, None, Given).await.unwrap();
    assert_eq!(stage.says("me/up/location/x").await, Ok(()));
    stage.decide("routes", 1, None, Withdrawn).await.unwrap();
    assert_eq!(stage.says("me/up/location/x").await, Err("consent"));
    // For one device alone, and back to what holds for all.
    stage.decide("routes", 1, stage.id(), Given).await.unwrap();
    assert_eq!(stage.says("me/up/location/x").await, Ok(()));
    stage.decide("routes", 1, stage.id(), AsOrganisation).await.unwrap();
    assert_eq!(stage.says("me/up/location/x").await, Err("consent"));
    stage.decide("routes", 1, None, Given).await.unwrap();
    stage.decide("routes", 1, stage.id(), Withdrawn).await.unwrap();
    assert_eq!(stage.says("me/up/location/x").await, Err("consent"));
    stage.decide("routes", 1, stage.id(), Given).await.unwrap();
    assert_eq!(stage.says("me/up/location/x").await, Ok(()));
    // The same text again is the same version; another one needs consent anew.
    let same = stage.declare("routes", purpose(&["me/up/location/#"])).await.unwrap();
    assert_eq!(same.version, 1);
    assert_eq!(stage.says("me/up/location/x").await, Ok(()));
    let more =
        DataPurpose { recipients: vec!["Somebody else".into()], ..purpose(&["up/location/#"]) };
    assert_eq!(stage.declare("routes", more).await.unwrap().version, 2);
    assert_eq!(stage.says("me/up/location/x").await, Err("consent"));
    assert_eq!(stage.decide("routes", 1, None, Given).await, Err("purpose-changed"));
    stage.decide("routes", 2, None, Given).await.unwrap();
    assert_eq!(stage.says("me/up/location/x").await, Ok(()));
    // An end closes the topics; they do not become free.
    let line = "gate".parse().unwrap();
    let (service, of) = (&stage.world.service, (&stage.maker.id, &line));
    assert!(service.end_purpose(&stage.maker.admin, of, "routes").await.unwrap().ended);
    assert_eq!(stage.says("me/up/location/x").await, Err("consent"));
    assert_eq!(stage.decide("routes", 3, None, Given).await, Err("purpose-ended"));
    assert_eq!(stage.decide("care", 1, None, Given).await, Err("consent-not-needed"));
    // The owner sees why, and who decided what.
    service.settle_messages().await.unwrap();
    let refused = service.refused_messages(&stage.owner.admin, &stage.sender.device()).await;
    let refused = refused.unwrap();
    let line = refused.iter().find(|line| line.reason.code() == "consent").unwrap();
    assert_eq!(line.last_detail.as_deref(), Some("not agreed to: routes"));
    let page = Page::default();
    let (admin, own) = (&stage.owner.admin, &stage.owner.id);
    let history = service.consent_history(admin, own, None, &page).await.unwrap().items;
    let told: Vec<_> = history.iter().map(|it| (it.decision, it.device, it.version)).collect();
    assert_eq!(told[..2], [(Given, None, 2), (Given, stage.id(), 1)]);
    assert_eq!(told.len(), 8);
    assert_eq!(history[0].by, admin.to_string());
    let versions = service
        .purpose_versions(
            &stage.maker.admin,
            (&stage.maker.id, &"gate".parse().unwrap()),
            "routes",
            &page,
        )
        .await
        .unwrap();
    assert_eq!(versions.items.iter().map(|it| it.version).collect::<Vec<_>>(), [3, 2, 1]);
}

#[tokio::test]
async fn commands_and_the_log_of_a_device_need_no_consent() {
    let stage = Stage::new().await;
    stage.declare("all", purpose(&["up/#"])).await.unwrap();
    assert_eq!(stage.says("me/up/x").await, Err("consent"));
    // What goes to the platform itself has forms of its own, and is refused by those.
    assert_eq!(stage.says("me/up/commands/0123").await, Err("schema"));
    assert_eq!(stage.says("me/up/configuration").await, Err("schema"));
}

#[tokio::test]
async fn another_organisation_neither_sees_nor_decides() {
    let stage = Stage::new().await;
    stage.declare("routes", purpose(&["up/location"])).await.unwrap();
    let other = stage.world.owner("other").await;
    let service = &stage.world.service;
    let code = |done: Result<(), ServiceError>| done.map_err(|error| error.code());
    let decide = async |by: &Caller, of: &device::OrganisationId, device| {
        code(service.decide_consent(by, of, stage.decision("routes", 1, device, Given)).await)
    };
    // Not in the owner's name, not for its device, and not about a product line of which one has nothing.
    assert_eq!(decide(&other.admin, &stage.owner.id, None).await, Err("not-found"));
    assert_eq!(decide(&other.admin, &other.id, stage.id()).await, Err("not-found"));
    assert_eq!(decide(&other.admin, &other.id, None).await, Err("not-found"));
    assert_eq!(decide(&stage.maker.admin, &stage.owner.id, stage.id()).await, Err("not-found"));
    assert_eq!(decide(&stage.maker.admin, &stage.maker.id, stage.id()).await, Err("not-found"));
    let operator = stage.world.member(&stage.owner.id, "eve", Roles::of(&[Role::Operator])).await;
    assert_eq!(decide(&operator.0, &stage.owner.id, None).await, Err("role"));
    assert_eq!(stage.says("me/up/location").await, Err("consent"));
    // An owner's administrator does not declare, and a maker declares for its own product lines.
    let line = "gate".parse().unwrap();
    let of = (&stage.maker.id, &line);
    let foreign = service.declare_purpose(&stage.owner.admin, of, "x", purpose(&["up/x"])).await;
    assert_eq!(foreign.unwrap_err().code(), "not-found");
    let seen = service.purpose_consents(&other.admin, &stage.owner.id).await;
    assert_eq!(seen.unwrap_err().code(), "not-found");
    let seen = service.device_consents(&other.admin, &stage.sender.device()).await;
    assert_eq!(seen.unwrap_err().code(), "not-found");
    let page = Page::default();
    let seen = service.consent_history(&other.admin, &other.id, stage.id().as_ref(), &page).await;
    assert_eq!(seen.unwrap().items, []);
    assert_eq!(service.purpose_consents(&other.admin, &other.id).await.unwrap(), []);
    let own = service.purpose_consents(&stage.owner.admin, &stage.owner.id).await.unwrap();
    assert_eq!((own.len(), own[0].purposes.len(), own[0].purposes[0].stands), (1, 1, false));
    // What another owner agreed to for its devices is nothing for this one's.
    let theirs = stage.world.working(&stage.maker, "gate", &other).await;
    let theirs = at_door(service, &theirs).await;
    assert_eq!(decide(&other.admin, &other.id, None).await, Ok(()));
    assert_eq!(says(service, &theirs, "me/up/location", None).await, Ok(()));
    assert_eq!(stage.says("me/up/location").await, Err("consent"));
}

#[tokio::test]
async fn consent_ends_with_the_owner_and_what_was_kept_is_not_heard() {
    let stage = Stage::new().await;
    let service = &stage.world.service;
    stage.declare("routes", purpose(&["up/location"])).await.unwrap();
    stage.decide("routes", 1, stage.id(), Given).await.unwrap();
    says(service, &stage.sender, "me/up/location", Some(1)).await.unwrap();
    let filter = TopicFilter::new(format!("d/{}/#", stage.sender.device())).unwrap();
    let kept = || service.retained_messages(&stage.sender, &filter).unwrap().len();
    assert_eq!(kept(), 1);
    let name = TopicName::new(format!("d/{}/up/location", stage.sender.device())).unwrap();
    assert!(service.may_hear(&stage.sender, &name));
    let before = service.standing_count();
    stage.decide("routes", 1, stage.id(), Withdrawn).await.unwrap();
    assert!(service.standing_changes(before).changes_policies_of(&stage.sender));
    assert_eq!(kept(), 0);
    assert!(!service.may_hear(&stage.sender, &name));
    // What came before consent was given again is no part of it.
    stage.world.clock.advance(5);
    stage.decide("routes", 1, stage.id(), Given).await.unwrap();
    assert_eq!(kept(), 0);
    assert!(service.may_hear(&stage.sender, &name));
    says(service, &stage.sender, "me/up/location", Some(1)).await.unwrap();
    assert_eq!(kept(), 1);
    // Another owner has its own word to say, and the former one's is over should the device come back.
    let (device, next) = (stage.sender.device(), stage.world.owner("next").await);
    stage.world.sell(&stage.owner, &next, &device).await;
    let consents = service.device_consents(&next.admin, &device).await.unwrap().unwrap();
    assert_eq!((consents.purposes[0].stands, consents.purposes[0].device), (false, None));
    let page = Page::default();
    let (admin, own) = (&stage.owner.admin, &stage.owner.id);
    let history = service.consent_history(admin, own, Some(&device), &page).await.unwrap().items;
    assert_eq!((history[0].decision, history[0].by.as_str()), (Withdrawn, "platform"));
    assert_eq!(history[0].reason.as_deref(), Some("the owner changed"));
}

#[tokio::test]
async fn a_message_goes_by_the_routes_of_what_was_agreed_and_no_other() {
    let stage = Stage::new().await;
    let service = &stage.world.service;
    stage.declare("care", necessary(&["up/hours"])).await.unwrap();
    stage.declare("ads", purpose(&["up/hours", "up/taste"])).await.unwrap();
    let route = |product: Option<&str>, purpose: Option<&str>| NewRoute {
        product: product.map(str::to_owned),
        filter: None,
        condition: None,
        purpose: purpose.map(str::to_owned),
        target: "file".into(),
        roots: None,
        secret: None,
        drops: false,
        count_max: 100,
        bytes_max: 1_000_000,
        attempts_max: 3,
        retention_days: 30,
    };
    let put = async |name: &str, new: NewRoute| {
        let done = service.put_route(&stage.owner.admin, &stage.owner.id, name, new).await;
        done.map(|_| ()).map_err(|error| error.code())
    };
    let line = Some("maker/gate");
    assert_eq!(put("x", route(None, Some("ads"))).await, Err("route-purpose"));
    assert_eq!(put("x", route(line, Some("other"))).await, Err("route-purpose"));
    put("care", route(line, Some("care"))).await.unwrap();
    put("ads", route(line, Some("ads"))).await.unwrap();
    put("any", route(None, None)).await.unwrap();
    let waiting = async || {
        let mut all = Vec::new();
        for name in ["care", "ads", "any"] {
            let view = service.route(&stage.owner.admin, &stage.owner.id, name).await.unwrap();
            all.push((view.waiting, view.withheld));
        }
        all
    };
    // Without consent to advertisements the hours come in for care, and go nowhere else.
    stage.says("me/up/hours").await.unwrap();
    assert_eq!(stage.says("me/up/taste").await, Err("consent"));
    stage.says("me/up/free").await.unwrap();
    assert_eq!(waiting().await, [(1, 0), (0, 0), (1, 0)]);
    stage.decide("ads", 1, None, Given).await.unwrap();
    stage.says("me/up/hours").await.unwrap();
    stage.says("me/up/taste").await.unwrap();
    assert_eq!(waiting().await, [(2, 0), (2, 0), (3, 0)]);
    // What waits when consent is withdrawn is not sent, and counted.
    stage.decide("ads", 1, None, Withdrawn).await.unwrap();
    let deliverer = Caller::Platform { task: "route" };
    for (route, _) in service.live_routes(&deliverer).unwrap() {
        for lane in service.due_lanes(&deliverer, route, &HashSet::new(), 16).unwrap() {
            let outcome = LaneOutcome {
                delivered: lane.messages.iter().map(|message| message.id).collect(),
                withheld: lane.withheld.clone(),
                ..LaneOutcome::default()
            };
            assert!(lane.messages.iter().all(|it| it.topic != "up/taste"));
            let of = (lane.device, lane.attempts);
            service.settle_lane(&deliverer, route, of, outcome).await.unwrap();
        }
    }
    // Both hours that came for care were sent for it; of what goes anywhere, the free message alone.
    assert_eq!(waiting().await, [(0, 0), (0, 2), (0, 2)]);
}

#[tokio::test]
async fn purposes_are_few_and_well_formed() {
    let stage = Stage::new().await;
    stage.declare("routes", purpose(&["up/location"])).await.unwrap();
    for number in 0..31 {
        stage.declare(&format!("q{number}"), purpose(&["up/b"])).await.unwrap();
    }
    let full = stage.declare("one-more", purpose(&["up/c"])).await.unwrap_err();
    assert_eq!(full.code(), "too-many-purposes");
    let wrong = stage.declare("Wrong", purpose(&["up/c"])).await.unwrap_err();
    assert_eq!(wrong.code(), "purpose-name");
    let wrong = stage.declare("q1", purpose(&["down/c"])).await.unwrap_err();
    assert_eq!(wrong.code(), "purpose-topics");
    stage.decide("routes", 1, None, Given).await.unwrap();
    assert_eq!(stage.says("me/up/location").await, Ok(()));
    assert_eq!(stage.says("me/up/b").await, Err("consent"));
    let _device = &stage.device;
}

/// A route of the owner into a file.
async fn route(stage: &Stage, name: &str, served: Option<(&str, &str)>) {
    let new = NewRoute {
        product: served.map(|it| it.0.to_owned()),
        filter: None,
        condition: None,
        purpose: served.map(|it| it.1.to_owned()),
        target: "file".into(),
        roots: None,
        secret: None,
        drops: false,
        count_max: 100,
        bytes_max: 1_000_000,
        attempts_max: 3,
        retention_days: 30,
    };
    let service = &stage.world.service;
    service.put_route(&stage.owner.admin, &stage.owner.id, name, new).await.unwrap();
}

/// What the only route has for its receiver, how many messages go and how many do not.
fn due(service: &Service) -> (i64, Vec<service::Lane>, usize, usize) {
    let deliverer = Caller::Platform { task: "route" };
    let live = service.live_routes(&deliverer).unwrap();
    let [(id, _)] = *live else { panic!("one route") };
    let lanes = service.due_lanes(&deliverer, id, &HashSet::new(), 16).unwrap();
    let go = lanes.iter().map(|it| it.messages.len()).sum();
    let withheld = lanes.iter().map(|it| it.withheld.len()).sum();
    (id, lanes, go, withheld)
}

#[tokio::test]
async fn a_withdrawal_counts_for_what_was_read_from_the_queue_already() {
    let stage = Stage::new().await;
    let service = &stage.world.service;
    stage.declare("routes", purpose(&["up/location"])).await.unwrap();
    stage.decide("routes", 1, None, Given).await.unwrap();
    route(&stage, "any", None).await;
    stage.says("me/up/location").await.unwrap();
    stage.says("me/up/free").await.unwrap();
    let deliverer = Caller::Platform { task: "route" };
    let (id, lanes, ..) = due(service);
    let opened = service.open_route(&deliverer, id).unwrap();
    let may_go = || -> Vec<bool> {
        let lane = &lanes[0];
        let asked = lane.messages.iter().map(|message| {
            let message = (message.topic.as_str(), message.received_at);
            service.may_go(&opened, lane.device, message).unwrap()
        });
        asked.collect()
    };
    assert_eq!(may_go(), [true, true]);
    stage.decide("routes", 1, None, Withdrawn).await.unwrap();
    assert_eq!(may_go(), [false, true]);
    // What was withheld before it passes no attempts on to the message that failed.
    let [withheld, next] = [lanes[0].messages[0].id, lanes[0].messages[1].id];
    let failed = LaneFailure { message: next, pause_s: 0, why: "no".into() };
    let outcome =
        LaneOutcome { withheld: vec![withheld], failed: Some(failed), ..LaneOutcome::default() };
    service.settle_lane(&deliverer, id, (lanes[0].device, 2), outcome).await.unwrap();
    let view = service.route(&stage.owner.admin, &stage.owner.id, "any").await.unwrap();
    assert_eq!((view.waiting, view.dead, view.withheld), (1, 0, 1));
}

#[tokio::test]
async fn who_gives_again_what_stands_loses_nothing_that_waits() {
    let stage = Stage::new().await;
    let service = &stage.world.service;
    stage.declare("routes", purpose(&["up/location"])).await.unwrap();
    stage.decide("routes", 1, None, Given).await.unwrap();
    route(&stage, "any", None).await;
    stage.says("me/up/location").await.unwrap();
    stage.world.clock.advance(60);
    stage.decide("routes", 1, None, Given).await.unwrap();
    assert_eq!((due(service).2, due(service).3), (1, 0));
    stage.decide("routes", 1, stage.id(), Given).await.unwrap();
    assert_eq!((due(service).2, due(service).3), (1, 0));
    stage.decide("routes", 1, stage.id(), Given).await.unwrap();
    let page = Page::default();
    let (admin, own) = (&stage.owner.admin, &stage.owner.id);
    let history = service.consent_history(admin, own, None, &page).await.unwrap().items;
    assert_eq!(history.len(), 2);
    // A withdrawal for all ends the device's own, also when it is said again behind that.
    stage.decide("routes", 1, None, Withdrawn).await.unwrap();
    assert_eq!(stage.says("me/up/location").await, Err("consent"));
    stage.decide("routes", 1, stage.id(), Given).await.unwrap();
    assert_eq!(stage.says("me/up/location").await, Ok(()));
    stage.decide("routes", 1, None, Withdrawn).await.unwrap();
    assert_eq!(stage.says("me/up/location").await, Err("consent"));
    stage.world.clock.advance(60);
    stage.decide("routes", 1, stage.id(), Given).await.unwrap();
    assert_eq!(stage.says("me/up/location").await, Ok(()));
    // What came before consent was given again is no part of it.
    assert_eq!((due(service).2, due(service).3), (1, 2));
}

#[tokio::test]
async fn a_maker_does_not_empty_what_waits_of_what_was_free() {
    let stage = Stage::new().await;
    let service = &stage.world.service;
    route(&stage, "any", None).await;
    stage.says("me/up/location").await.unwrap();
    stage.world.clock.advance(60);
    stage.declare("routes", purpose(&["up/location"])).await.unwrap();
    assert_eq!(stage.says("me/up/location").await, Err("consent"));
    assert_eq!((due(service).2, due(service).3), (1, 0));
    // Its owner's word counts for what waits, too.
    stage.decide("routes", 1, None, Withdrawn).await.unwrap();
    assert_eq!((due(service).2, due(service).3), (0, 1));
    // Owners hear that a topic is open without their consent; texts do not change all the time.
    let events = async || {
        let (admin, own) = (&stage.owner.admin, &stage.owner.id);
        let page = Page { after: None, limit: 1000 };
        let kind = Some(audit::Kind::ConfigurationChange);
        let all = service.audit(admin, Some(own), kind, &page).await.unwrap();
        let opened = |event: &audit::SecurityEvent| {
            event.details().any(|(_, value)| value == "topics are open without consent")
        };
        all.items.iter().filter(|view| opened(&view.event)).count()
    };
    assert_eq!(events().await, 0);
    stage.declare("routes", purpose(&["up/location", "up/x"])).await.unwrap();
    assert_eq!(events().await, 0);
    stage.declare("routes", necessary(&["up/location"])).await.unwrap();
    assert_eq!(events().await, 1);
    for retention_days in 31..52 {
        let says = DataPurpose { retention_days, ..purpose(&["up/location"]) };
        stage.declare("routes", says).await.unwrap();
    }
    let says = DataPurpose { retention_days: 99, ..purpose(&["up/location"]) };
    let many = stage.declare("routes", says.clone()).await.unwrap_err();
    assert_eq!(many.code(), "too-many-purposes");
    stage.world.clock.advance(86_401);
    stage.declare("routes", says).await.unwrap();
}

#[tokio::test]
async fn no_device_names_another_ones_space_within_its_own() {
    let stage = Stage::new().await;
    let other = stage.world.working(&stage.maker, "gate", &stage.owner).await;
    let other = at_door(&stage.world.service, &other).await.device();
    for topic in [format!("me/d/{other}/up/x"), "me/me/up/x".to_owned()] {
        assert_eq!(stage.says(&topic).await, Err("topic"), "{topic}");
    }
}

#[tokio::test]
async fn a_purpose_of_another_product_line_is_another() {
    let stage = Stage::new().await;
    let (world, service) = (&stage.world, &stage.world.service);
    let maker = world.maker("second", "bell", DeviceKind::Device).await;
    let line = "bell".parse().unwrap();
    let of = (&maker.id, &line);
    service.declare_purpose(&maker.admin, of, "care", necessary(&["up/x"])).await.unwrap();
    stage.declare("care", necessary(&["up/x"])).await.unwrap();
    let bell = world.working(&maker, "bell", &stage.owner).await;
    let bell = at_door(service, &bell).await;
    route(&stage, "care", Some(("maker/gate", "care"))).await;
    stage.says("me/up/x").await.unwrap();
    says(service, &bell, "me/up/x", None).await.unwrap();
    assert_eq!((due(service).2, due(service).3), (1, 0));
}
