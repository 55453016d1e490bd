//! Routes (GW-5): what goes into their queues, what becomes of it there, and who may change them.

use crate::{
    people::code,
    world::{NOW, Org, Working, World},
};
use admission::{TopicFilter, TopicName};
use crypto::{Secret, UnixTime};
use device::DeviceKind;
use policy::Caller;
use service::{
    DoorSender, IncomingMessage, LaneFailure, LaneOutcome, MessageDoor, MessageRefused, NewRoute,
    Page, RouteRowQuery, Sample, read_rule,
};
use std::collections::HashSet;

const DELIVERER: Caller = Caller::Platform { task: "route" };

fn to(target: &str) -> NewRoute {
    NewRoute {
        product: None,
        filter: None,
        condition: None,
        purpose: None,
        target: target.into(),
        roots: None,
        secret: None,
        drops: false,
        count_max: 100,
        bytes_max: 1_000_000,
        attempts_max: 3,
        retention_days: 30,
    }
}

struct Stage {
    world: World,
    owner: Org,
    device: Working,
    sender: DoorSender,
}

async fn at_door(world: &World, device: &Working) -> DoorSender {
    let certificate = &device.ldevid.certificate;
    let caller = world.service.identify_certificate(certificate).await.unwrap();
    world.service.door_sender(&caller, certificate).unwrap()
}

impl Stage {
    async fn new() -> Self {
        let world = World::new().await;
        let maker = world.maker("maker", "gate", DeviceKind::Device).await;
        let owner = world.owner("owner").await;
        let device = world.working(&maker, "gate", &owner).await;
        let sender = at_door(&world, &device).await;
        Self { world, owner, device, sender }
    }

    async fn says(&self, topic: &str, payload: &str) -> Result<(), &'static str> {
        self.says_at(topic, payload, None, true).await
    }

    async fn says_at(
        &self,
        topic: &str,
        payload: &str,
        counter: Option<u64>,
        acknowledged: bool,
    ) -> Result<(), &'static str> {
        let topic = TopicName::new(format!("me/{topic}")).unwrap();
        let message = IncomingMessage {
            door: MessageDoor::Mqtt,
            topic: self.sender.space().absolute(topic).unwrap(),
            payload: payload.as_bytes().into(),
            media_type: None,
            made_at: None,
            counter,
            retain: None,
            expires_s: None,
            acknowledged,
        };
        let taken = self.world.service.take_message(&self.sender, &message).await;
        taken.map(|_| ()).map_err(|error| match error {
            MessageRefused::Refused(refusal) | MessageRefused::Enclosed(refusal) => refusal.code(),
            MessageRefused::Failed(error) => panic!("{error}"),
        })
    }

    async fn put(&self, name: &str, new: NewRoute) {
        self.world.service.put_route(&self.owner.admin, &self.owner.id, name, new).await.unwrap();
    }

    async fn view(&self, name: &str) -> service::RouteView {
        self.world.service.route(&self.owner.admin, &self.owner.id, name).await.unwrap()
    }

    fn lanes(&self) -> Vec<(i64, service::Lane)> {
        let service = &self.world.service;
        let live = service.live_routes(&DELIVERER).unwrap();
        let mut all = Vec::new();
        for (route, _) in live {
            let lanes = service.due_lanes(&DELIVERER, route, &HashSet::new(), 16).unwrap();
            all.extend(lanes.into_iter().map(|lane| (route, lane)));
        }
        all
    }

    async fn settle(&self, route: i64, lane: &service::Lane, outcome: LaneOutcome) {
        let lane = (lane.device, lane.attempts);
        self.world.service.settle_lane(&DELIVERER, route, lane, outcome).await.unwrap();
    }
}

fn failed(lane: &service::Lane, pause_s: u32) -> LaneOutcome {
    let message = lane.messages[0].id;
    let failure = LaneFailure { message, pause_s, why: "the receiver answered 500".into() };
    LaneOutcome { failed: Some(failure), ..LaneOutcome::default() }
}

#[tokio::test]
async fn a_message_waits_in_the_queue_of_each_route_that_takes_it() {
    let stage = Stage::new().await;
    stage.put("all", to("file")).await;
    let hot = NewRoute {
        product: Some("maker/gate".into()),
        filter: Some("up/+".into()),
        condition: Some("$[?@.celsius > 30]".into()),
        ..to("https://hooks.example/in")
    };
    stage.put("hot", hot).await;
    stage.put("none", NewRoute { product: Some("maker/other".into()), ..to("file") }).await;
    stage.says("up/t", r#"{"celsius": 31}"#).await.unwrap();
    stage.says("up/t", r#"{"celsius": 3}"#).await.unwrap();
    stage.says("up/deep/t", r#"{"celsius": 31}"#).await.unwrap();
    let waiting = async |name| stage.view(name).await.waiting;
    assert_eq!((waiting("all").await, waiting("hot").await, waiting("none").await), (3, 1, 0));
    for (route, lane) in stage.lanes() {
        let outcome = LaneOutcome {
            delivered: lane.messages.iter().map(|message| message.id).collect(),
            ..LaneOutcome::default()
        };
        stage.settle(route, &lane, outcome).await;
    }
    let all = stage.view("all").await;
    assert_eq!((all.waiting, all.delivered, all.bytes), (0, 3, 0));
    assert_eq!(all.delivered_at, Some(UnixTime(NOW)));
    assert!(stage.lanes().is_empty());
}

/// What is refused for want of room was not heard: its counter may come again, and nothing is kept.
#[tokio::test]
async fn a_full_queue_refuses_or_drops_its_oldest_as_was_chosen() {
    let stage = Stage::new().await;
    stage.put("small", NewRoute { count_max: 2, ..to("file") }).await;
    for number in 1..=2 {
        stage.says_at("up/x", "1", Some(number), true).await.unwrap();
    }
    assert_eq!(stage.says_at("up/x", "3", Some(3), true).await, Err("no-route"));
    assert_eq!(stage.says_at("up/x", "3", None, false).await, Err("no-route"));
    let service = &stage.world.service;
    let kept = async || {
        let page = Page::default();
        service.messages(&stage.owner.admin, &stage.device.thing.id, &page).await.unwrap().items
    };
    assert_eq!(kept().await.len(), 2);
    stage.put("small", NewRoute { count_max: 2, drops: true, ..to("file") }).await;
    stage.says_at("up/x", "3", Some(3), true).await.unwrap();
    let view = stage.view("small").await;
    assert_eq!((view.waiting, view.dropped), (2, 1));
    let (_, lane) = stage.lanes().remove(0);
    assert_eq!(
        lane.messages.iter().map(|it| it.payload.as_slice()).collect::<Vec<_>>(),
        [b"1", b"3"]
    );
    // Bytes count as messages do.
    stage.put("small", NewRoute { bytes_max: 1024, ..to("file") }).await;
    assert_eq!(stage.says("up/x", &"x".repeat(1000)).await, Err("no-route"));
    // A pause keeps everything; a route that has ended refuses nothing.
    service.pause_route(&stage.owner.admin, &stage.owner.id, "small", true).await.unwrap();
    assert!(service.live_routes(&DELIVERER).unwrap().is_empty());
    let end = service.end_route(&stage.owner.admin, &stage.owner.id, "small", false).await;
    assert_eq!(code(end), "route-not-empty");
    service.end_route(&stage.owner.admin, &stage.owner.id, "small", true).await.unwrap();
    stage.says("up/x", &"x".repeat(1000)).await.unwrap();
    service.settle_messages().await.unwrap();
}

#[tokio::test]
async fn what_fails_waits_longer_and_is_dead_after_its_attempts() {
    let stage = Stage::new().await;
    stage.put("hook", to("https://hooks.example/in")).await;
    for number in 0..3 {
        stage.says("up/x", &number.to_string()).await.unwrap();
    }
    let (route, lane) = stage.lanes().remove(0);
    let first = lane.messages[0].delivery();
    assert_eq!(lane.messages.len(), 3);
    stage.settle(route, &lane, failed(&lane, 2)).await;
    assert!(stage.lanes().is_empty(), "not before its time");
    let view = stage.view("hook").await;
    assert_eq!(view.failure.as_deref(), Some("the receiver answered 500"));
    assert_eq!(view.failing_since, Some(UnixTime(NOW)));
    stage.world.clock.advance(2);
    let (_, lane) = stage.lanes().remove(0);
    assert_eq!((lane.attempts, lane.messages[0].delivery()), (1, first));
    stage.settle(route, &lane, failed(&lane, 2)).await;
    stage.world.clock.advance(2);
    let (_, lane) = stage.lanes().remove(0);
    stage.settle(route, &lane, failed(&lane, 2)).await;
    // The third time it is dead, and what follows goes on.
    let view = stage.view("hook").await;
    assert_eq!((view.waiting, view.dead), (2, 1));
    let (_, lane) = stage.lanes().remove(0);
    assert_eq!((lane.attempts, lane.messages[0].payload.as_slice()), (0, b"1".as_slice()));
    let outcome = LaneOutcome {
        delivered: vec![lane.messages[0].id],
        dead: vec![(lane.messages[1].id, "the receiver answered 410\u{1b}[1m".into())],
        withheld: Vec::new(),
        failed: None,
    };
    stage.settle(route, &lane, outcome).await;
    let view = stage.view("hook").await;
    assert_eq!((view.waiting, view.dead, view.delivered, view.failure), (0, 2, 1, None));
    let (service, admin, id) = (&stage.world.service, &stage.owner.admin, &stage.owner.id);
    let dead = service.dead_messages(admin, id, "hook", &Page::default()).await.unwrap().items;
    let why: Vec<_> = dead.iter().map(|it| it.why.as_str()).collect();
    assert_eq!(why, ["the receiver answered 410[1m", "3 attempts: the receiver answered 500"]);
    // Tried again it is the same delivery; what is discarded is gone.
    let one = dead[1].message.id;
    assert_eq!(service.retry_dead(admin, id, "hook", Some(one)).await.unwrap(), 1);
    let (_, lane) = stage.lanes().remove(0);
    assert_eq!(lane.messages[0].id, one);
    assert_eq!(service.discard_dead(admin, id, "hook", None).await.unwrap(), 1);
    assert_eq!(code(service.discard_dead(admin, id, "hook", Some(one)).await), "not-found");
    let view = stage.view("hook").await;
    assert_eq!((view.waiting, view.dead), (1, 0));
    let kinds = |wanted: &str| {
        let wanted = wanted.to_owned();
        async move {
            let query = service::AuditQuery::default();
            let local = service.local_administrator();
            let page = Page { after: None, limit: 1000 };
            let found = service.audit_trail(&local, &query, &page).await.unwrap();
            let told = found.items.iter().filter(|it| format!("{:?}", it.event).contains(&wanted));
            told.count()
        }
    };
    assert_eq!(kinds("a message is dead").await, 1, "once, until somebody looks after them");
    assert_eq!(kinds("dead messages retried").await, 1);
    assert_eq!(kinds("dead messages discarded").await, 1);
}

#[tokio::test]
async fn a_table_keeps_its_rows_for_as_long_as_was_chosen() {
    let stage = Stage::new().await;
    stage.put("rows", NewRoute { count_max: 3, retention_days: 2, ..to("table") }).await;
    for number in 0..4 {
        stage.says(&format!("up/{number}"), &number.to_string()).await.unwrap();
        stage.world.clock.advance(10);
    }
    let (service, admin, id) = (&stage.world.service, &stage.owner.admin, &stage.owner.id);
    let rows = async |query: RouteRowQuery| {
        let found = service.route_rows(admin, id, "rows", query, &Page::default()).await.unwrap();
        found.items.iter().map(|row| row.message.topic.clone()).collect::<Vec<_>>()
    };
    assert_eq!(rows(RouteRowQuery::default()).await, ["up/3", "up/2", "up/1"]);
    let of_topic = RouteRowQuery {
        filter: Some(TopicFilter::new("+/2").unwrap()),
        ..RouteRowQuery::default()
    };
    assert_eq!(rows(of_topic).await, ["up/2"]);
    let of_time = RouteRowQuery {
        from: Some(UnixTime(NOW + 10)),
        until: Some(UnixTime(NOW + 30)),
        ..RouteRowQuery::default()
    };
    assert_eq!(rows(of_time).await, ["up/2", "up/1"]);
    // Page by page it is the same.
    let (mut after, mut topics) = (None, Vec::new());
    loop {
        let page = Page { after, limit: 1 };
        let query = RouteRowQuery::default();
        let found = service.route_rows(admin, id, "rows", query, &page).await.unwrap();
        topics.extend(found.items.into_iter().map(|row| row.message.topic));
        after = found.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(topics, ["up/3", "up/2", "up/1"]);
    let wrong = Page { after: Some("x".into()), limit: 1 };
    let query = RouteRowQuery::default();
    assert_eq!(code(service.route_rows(admin, id, "rows", query, &wrong).await), "page");
    let view = stage.view("rows").await;
    assert_eq!((view.rows, view.waiting, view.dropped, view.delivered), (3, 0, 0, 4));
    stage.world.clock.advance(2 * 86_400 - 19);
    service.settle_messages().await.unwrap();
    assert_eq!(rows(RouteRowQuery::default()).await, ["up/3"]);
    assert_eq!(stage.view("rows").await.rows, 1);
    let changed = service.put_route(admin, id, "rows", to("file")).await;
    assert_eq!(code(changed.map(|_| ())), "route-kind");
}

#[tokio::test]
async fn routes_are_the_administrators_and_wrong_ones_are_refused() {
    let stage = Stage::new().await;
    let (service, admin, id) = (&stage.world.service, &stage.owner.admin, &stage.owner.id);
    let other = stage.world.owner("other").await;
    let put = async |caller: &Caller, name: &str, new: NewRoute| {
        code(service.put_route(caller, id, name, new).await.map(|_| ()))
    };
    assert_eq!(put(&other.admin, "hook", to("table")).await, "not-found");
    for (new, refused) in [
        (to("http://a.example/"), "route-target"),
        (to("topic:00000000000000000000000000000001/down/x"), "route-device"),
        (NewRoute { condition: Some("$[".into()), ..to("table") }, "route-condition"),
        (NewRoute { condition: Some("$..a..b".into()), ..to("table") }, "route-condition"),
        (NewRoute { filter: Some("up/#/x".into()), ..to("table") }, "route-filter"),
        (NewRoute { product: Some("gate".into()), ..to("table") }, "route-product"),
        (NewRoute { count_max: 0, ..to("table") }, "route-limits"),
        (NewRoute { attempts_max: 101, ..to("table") }, "route-limits"),
        (
            NewRoute { secret: Some(Secret::new(b"whsec_x".to_vec())), ..to("table") },
            "route-secret",
        ),
        (
            NewRoute { secret: Some(Secret::new(b"x".to_vec())), ..to("https://a.example/") },
            "route-secret",
        ),
        (NewRoute { roots: Some("x".into()), ..to("https://a.example/") }, "stream-roots"),
    ] {
        let told = format!("{new:?}");
        assert_eq!(put(admin, "hook", new).await, refused, "{told}");
    }
    assert_eq!(put(admin, "Hook", to("table")).await, "stream-name");
    // A key is made once and stays; it is nowhere in what is shown.
    let made = service.put_route(admin, id, "hook", to("https://a.example/")).await.unwrap();
    let key = made.secret.unwrap();
    assert!(key.expose().starts_with(b"whsec_"));
    let again = service.put_route(admin, id, "hook", to("https://b.example/")).await.unwrap();
    assert!(again.secret.is_none());
    let live = service.live_routes(&DELIVERER).unwrap();
    let opened = service.open_route(&DELIVERER, live[0].0).unwrap();
    assert_eq!(opened.secret.unwrap().expose().len(), 32);
    for number in 1..16 {
        stage.put(&format!("r{number}"), to("table")).await;
    }
    assert_eq!(put(admin, "r16", to("table")).await, "too-many-routes");
}

#[tokio::test]
async fn a_rule_is_tried_on_samples_and_on_what_was_kept() {
    let stage = Stage::new().await;
    stage.says("up/t", r#"{"celsius": 31}"#).await.unwrap();
    stage.says("up/t", "on").await.unwrap();
    let (service, admin, id) = (&stage.world.service, &stage.owner.admin, &stage.owner.id);
    let rule = || read_rule(Some("maker/gate"), Some("up/#"), Some("$[?@.celsius > 30]")).unwrap();
    let tried = service.try_route(admin, id, rule(), Vec::new(), 10).await.unwrap();
    assert_eq!(tried.iter().map(|it| it.takes).collect::<Vec<_>>(), [false, true]);
    assert!(tried[1].sent.contains(r#""payload":{"celsius":31}"#), "{}", tried[1].sent);
    let sample = |product: Option<&str>| Sample {
        device: None,
        product: product.map(str::to_owned),
        topic: "up/x".into(),
        media_type: None,
        payload: br#"{"celsius": 99}"#.to_vec(),
    };
    let samples = vec![sample(Some("maker/gate")), sample(None)];
    let tried = service.try_route(admin, id, rule(), samples, 10).await.unwrap();
    assert_eq!(tried.iter().map(|it| it.takes).collect::<Vec<_>>(), [true, false]);
    let wrong = vec![Sample { topic: "+".into(), ..sample(None) }];
    assert_eq!(code(service.try_route(admin, id, rule(), wrong, 1).await), "route-samples");
    assert_eq!(code(service.try_route(admin, id, rule(), vec![], 201).await), "route-samples");
}

#[tokio::test]
async fn the_secret_of_a_broker_is_sent_to_that_broker_alone() {
    let stage = Stage::new().await;
    let (service, admin, id) = (&stage.world.service, &stage.owner.admin, &stage.owner.id);
    let given = |target: &str, secret: &str| NewRoute {
        secret: Some(Secret::new(secret.as_bytes().to_vec())),
        ..to(target)
    };
    let put = async |name: &str, new: NewRoute| {
        service.put_route(admin, id, name, new).await.map(|put| put.secret.is_some())
    };
    let known = |name: &str| {
        let live = service.live_routes(&DELIVERER).unwrap();
        let opened = live.iter().map(|it| service.open_route(&DELIVERER, it.0).unwrap());
        let secret = opened.into_iter().find(|it| it.name == name).unwrap().secret;
        secret.map(|secret| String::from_utf8_lossy(secret.expose()).into_owned())
    };
    let (here, elsewhere) = ("amqps://r.example/%2F/q", "amqps://evil.example/%2F/q");
    for (new, refused) in [
        (to(here), "route-secret"),
        (given(here, "token"), "route-secret"),
        (given("nats://n.example/S/x", "a:b\nc:d"), "route-secret"),
        (to("nats://n.example/S/a.>"), "route-target"),
        (to("nats://a:b@n.example/S/a"), "route-target"),
        (to("amqp://r.example/%2F/q"), "route-target"),
    ] {
        assert_eq!(code(put("r", new).await.map(|_| ())), refused);
    }
    // Nothing is made, and nothing is shown.
    assert!(!put("r", given(here, "ann:pw")).await.unwrap());
    assert_eq!(known("r").as_deref(), Some("ann:pw"));
    assert!(!format!("{:?}", stage.view("r").await).contains("ann:pw"));
    // It stays within the broker, and goes nowhere else: not to another host or port, not to one under
    // other CAs, not by another protocol, not by way of a web hook.
    put("r", to("amqps://r.example/%2F/other/e/k.{topic}")).await.unwrap();
    assert_eq!(known("r").as_deref(), Some("ann:pw"));
    let ca = service.trust_store().await.unwrap().roots[0].to_pem();
    for new in [
        to(elsewhere),
        to("amqps://r.example:99/%2F/q"),
        to("nats://r.example:5671/S/x"),
        NewRoute { roots: Some(ca), ..to(here) },
    ] {
        assert_eq!(code(put("r", new).await.map(|_| ())), "route-secret");
    }
    assert!(put("r", to("https://hooks.example/")).await.unwrap());
    assert_ne!(known("r").as_deref(), Some("ann:pw"));
    assert_eq!(code(put("r", to(elsewhere)).await.map(|_| ())), "route-secret");
    // Another organisation's route of the same name has nothing of it.
    let other = stage.world.owner("other").await;
    let made = service.put_route(&other.admin, &other.id, "r", to(here)).await;
    assert_eq!(code(made.map(|_| ())), "route-secret");
    put("n", to("nats://n.example/S/x")).await.unwrap();
    assert_eq!(known("n"), None);
}
