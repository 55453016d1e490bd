//! Messages that their device signed (GW-4): carried by others, and nothing else than what was signed.

use crate::world::{Org, Working, World};
use admission::{Basis, DataPurpose, SignedMessage, Space, TopicName};
use device::{Cause, DeviceId, DeviceKind, EventKind, StandingKind};
use policy::{Role, Roles};
use service::{
    AlertQuery, AutomaticQuarantine, DoorSender, IncomingMessage, MessageDoor, MessageRefused,
    NewPolicySet, Page, Service,
};

pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) maker: Org,
    pub(crate) owner: Org,
    pub(crate) meter: Working,
    pub(crate) gateway: DoorSender,
}

pub(crate) async fn at_door(service: &Service, device: &Working) -> DoorSender {
    let certificate = &device.ldevid.certificate;
    let caller = service.identify_certificate(certificate).await.unwrap();
    service.door_sender(&caller, certificate).unwrap()
}

pub(crate) async fn allow(service: &Service, org: &Org, gateway: &DeviceId) {
    let policies = format!(
        "@id(\"carries\") permit(principal == Device::\"{gateway}\", action == Action::\"publish\", \
         resource) when {{ resource.path == \"up/signed\" }};"
    );
    let cases = format!(
        "organisation: {}\ndevices:\n  gateway: {{ id: {gateway} }}\n  meter: {{}}\ncases:\n  \
         - {{ name: carries, by: gateway, does: publish, topic: d/meter/up/signed, expect: allowed }}\n",
        org.id
    );
    let new = NewPolicySet { policies, cases, reason: "for a test".into() };
    let made = service.put_policy_set(&org.admin, new).await.unwrap();
    let tested = service.test_policy_set(&org.admin, made.version).await.unwrap();
    assert!(tested.report.passed(), "{:?}", tested.report);
    service.activate_policy_set(&org.admin, Some(made.version), "test").await.unwrap();
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let world = World::new().await;
        let maker = world.maker("maker", "gate", DeviceKind::Device).await;
        let owner = world.owner("owner").await;
        let meter = world.working(&maker, "gate", &owner).await;
        let gateway = world.working(&maker, "gate", &owner).await;
        let gateway = at_door(&world.service, &gateway).await;
        allow(&world.service, &owner, &gateway.device()).await;
        Self { world, maker, owner, meter, gateway }
    }

    pub(crate) fn says(&self, counter: u64, topic: &str) -> SignedMessage {
        SignedMessage {
            device: self.meter.thing.id,
            certificate: self.meter.ldevid.certificate.fingerprint(),
            counter,
            made_at: None,
            topic: TopicName::new(topic).unwrap(),
            media_type: Some("application/json".into()),
            payload: b"{\"kwh\":7}".to_vec(),
        }
    }

    pub(crate) fn signed(&self, counter: u64, topic: &str) -> Vec<u8> {
        self.says(counter, topic).sign(&self.meter.local_key).unwrap()
    }

    pub(crate) async fn carry(&self, payload: &[u8]) -> Result<(), &'static str> {
        carry(&self.world.service, &self.gateway, &self.meter.thing.id, payload).await
    }
}

pub(crate) async fn carry(
    service: &Service,
    by: &DoorSender,
    of: &DeviceId,
    payload: &[u8],
) -> Result<(), &'static str> {
    send(service, by, &format!("{}/up/signed", Space::of(of).root()), payload).await
}

pub(crate) async fn send(
    service: &Service,
    by: &DoorSender,
    topic: &str,
    payload: &[u8],
) -> Result<(), &'static str> {
    let message = IncomingMessage {
        door: MessageDoor::Mqtt,
        topic: TopicName::new(topic).unwrap(),
        payload: payload.into(),
        media_type: None,
        made_at: None,
        counter: None,
        retain: Some(1),
        expires_s: None,
        acknowledged: true,
    };
    match service.take_message(by, &message).await {
        Ok(taken) => {
            let is_signed = topic.ends_with("/up/signed");
            assert_eq!(taken.is_some(), is_signed);
            assert!(taken.is_none_or(|it| it.message.retain.is_none()));
            Ok(())
        }
        Err(MessageRefused::Refused(refusal) | MessageRefused::Enclosed(refusal)) => {
            Err(refusal.code())
        }
        Err(MessageRefused::Failed(error)) => panic!("{error}"),
    }
}

#[tokio::test]
async fn what_a_device_signed_is_taken_as_its_own_from_whoever_carries_it() {
    let stage = Stage::new().await;
    let (service, admin) = (&stage.world.service, &stage.owner.admin);
    assert_eq!(stage.carry(&stage.signed(1, "up/meter")).await, Ok(()));
    let page = Page::default();
    let meter = stage.meter.thing.id;
    let kept = service.messages(admin, &meter, &page).await.unwrap().items;
    assert_eq!((kept.len(), kept[0].topic.as_str(), kept[0].space), (1, "up/meter", None));
    assert_eq!(kept[0].payload, b"{\"kwh\":7}");
    assert_eq!(kept[0].media_type.as_deref(), Some("application/json"));
    assert_eq!(kept[0].signed_by, Some(stage.meter.ldevid.certificate.fingerprint()));
    assert_eq!(kept[0].carrier, Some(stage.gateway.device()));
    let carried = service.messages(admin, &stage.gateway.device(), &page).await.unwrap().items;
    assert_eq!(carried, []);
    // The device itself brings one, too.
    let own = at_door(service, &stage.meter).await;
    assert_eq!(carry(service, &own, &meter, &stage.signed(2, "up/meter")).await, Ok(()));
    let kept = service.messages(admin, &meter, &page).await.unwrap().items;
    assert_eq!((kept[0].carrier, kept[0].signed_by.is_some()), (None, true));
    // Twice is once, whoever brings it; and what comes late within the window is not lost.
    assert_eq!(stage.carry(&stage.signed(2, "up/meter")).await, Err("replayed"));
    assert_eq!(carry(service, &own, &meter, &stage.signed(1, "up/x")).await, Err("replayed"));
    assert_eq!(stage.carry(&stage.signed(9, "up/meter")).await, Ok(()));
    assert_eq!(stage.carry(&stage.signed(5, "up/meter")).await, Ok(()));
}

#[tokio::test]
async fn what_is_altered_moved_or_another_ones_does_not_hold() {
    let stage = Stage::new().await;
    let service = &stage.world.service;
    let good = stage.signed(1, "up/meter");
    for at in (0..good.len()).step_by(7) {
        let mut altered = good.clone();
        altered[at] ^= 1;
        assert_eq!(stage.carry(&altered).await, Err("protection"), "byte {at}");
    }
    for broken in [&b""[..], b"\xd2\x84\x40\xa0\xf6\x40", &good[..good.len() - 1]] {
        assert_eq!(stage.carry(broken).await, Err("protection"));
    }
    // Another device's space, another key, a certificate of somebody else's.
    let other = stage.world.working(&stage.maker, "gate", &stage.owner).await;
    let moved = carry(service, &stage.gateway, &other.thing.id, &good).await;
    assert_eq!(moved, Err("protection"));
    let forged = stage.says(1, "up/meter").sign(&other.local_key).unwrap();
    assert_eq!(stage.carry(&forged).await, Err("protection"));
    let borrowed = SignedMessage {
        certificate: other.ldevid.certificate.fingerprint(),
        ..stage.says(1, "up/meter")
    };
    let borrowed = borrowed.sign(&other.local_key).unwrap();
    assert_eq!(stage.carry(&borrowed).await, Err("protection"));
    // Where the device may not speak, its signature opens nothing.
    let outside = stage.signed(2, "down/commands/x");
    assert_eq!(stage.carry(&outside).await, Err("topic"));
    // That was the device's own word, and is judged once.
    assert_eq!(stage.carry(&outside).await, Err("replayed"));
    // Nothing of all that did not hold was heard: the message itself is taken.
    assert_eq!(stage.carry(&good).await, Ok(()));
    // Without a policy nobody carries, and in the device's name a carrier says nothing itself.
    let stranger = at_door(service, &other).await;
    let meter = stage.meter.thing.id;
    let refused = carry(service, &stranger, &meter, &stage.signed(3, "up/meter")).await;
    assert_eq!(refused, Err("topic"));
    let plain = send(service, &stage.gateway, &format!("d/{meter}/up/meter"), b"7").await;
    assert_eq!(plain, Err("topic"));
    service.settle_messages().await.unwrap();
    let refused = service.refused_messages(&stage.owner.admin, &stage.gateway.device()).await;
    let why = refused.unwrap().into_iter().find(|line| line.reason.code() == "protection").unwrap();
    assert!(why.last_detail.is_some(), "{why:?}");
}

#[tokio::test]
async fn another_organisation_carries_nothing_and_revoked_keys_say_nothing() {
    let stage = Stage::new().await;
    let service = &stage.world.service;
    let foreign = stage.world.owner("foreign").await;
    let theirs = stage.world.working(&stage.maker, "gate", &foreign).await;
    let theirs = at_door(service, &theirs).await;
    allow(service, &foreign, &theirs.device()).await;
    let meter = stage.meter.thing.id;
    let refused = carry(service, &theirs, &meter, &stage.signed(1, "up/meter")).await;
    assert_eq!(refused, Err("topic"));
    // A suspended device's words are refused, and the carrier keeps its connection.
    let suspend = EventKind::Suspended { cause: Cause::Lost };
    stage.world.report(&stage.owner, &meter, suspend).await.unwrap();
    assert_eq!(stage.carry(&stage.signed(1, "up/meter")).await, Err("protection"));
    stage.world.report(&stage.owner, &meter, EventKind::Released).await.unwrap();
    assert_eq!(stage.carry(&stage.signed(1, "up/meter")).await, Ok(()));
    // With another owner the former one's certificate opens nothing, also not what it signed.
    let buyer = stage.world.owner("buyer").await;
    stage.world.sell(&stage.owner, &buyer, &meter).await;
    assert_ne!(stage.carry(&stage.signed(2, "up/meter")).await, Ok(()));
}

#[tokio::test]
async fn where_signatures_are_wanted_nothing_else_is_taken_and_consent_counts() {
    let stage = Stage::new().await;
    let service = &stage.world.service;
    let (line, admin) = ("gate".parse().unwrap(), &stage.maker.admin);
    let own = at_door(service, &stage.meter).await;
    let meter = Space::of(&stage.meter.thing.id).root().to_owned();
    assert_eq!(send(service, &own, &format!("{meter}/up/meter/a"), b"7").await, Ok(()));
    let of = (&stage.maker.id, &line);
    let set =
        service.set_signed_topics(admin, of, (vec!["me/up/meter/#".into()], None)).await.unwrap();
    assert_eq!(set.topics, ["up/meter/#"]);
    assert_eq!(send(service, &own, &format!("{meter}/up/meter/a"), b"7").await, Err("protection"));
    assert_eq!(send(service, &own, &format!("{meter}/up/x"), b"7").await, Ok(()));
    assert_eq!(stage.carry(&stage.signed(1, "up/meter/a")).await, Ok(()));
    // What is signed goes through the device's own pipeline.
    let says = DataPurpose {
        title_en: "a".into(),
        title_ja: "b".into(),
        explanation_en: "a".into(),
        explanation_ja: "b".into(),
        topics: vec!["up/meter/a".into()],
        basis: Basis::Consent,
        recipients: vec!["a".into()],
        retention_days: 1,
    };
    service.declare_purpose(admin, of, "profile", says).await.unwrap();
    assert_eq!(stage.carry(&stage.signed(2, "up/meter/a")).await, Err("consent"));
    assert_eq!(stage.carry(&stage.signed(2, "up/meter/b")).await, Err("replayed"));
    assert_eq!(stage.carry(&stage.signed(3, "up/meter/b")).await, Ok(()));
    let wrong = service.set_signed_topics(admin, of, (vec!["#".into()], None)).await;
    assert_eq!(wrong.unwrap_err().code(), "signed-topics");
    let foreign = service.set_signed_topics(&stage.owner.admin, of, Default::default()).await;
    assert_eq!(foreign.unwrap_err().code(), "not-found");
    let (reader, _) =
        stage.world.member(&stage.maker.id, "eve", Roles::of(&[Role::Operator])).await;
    let refused = service.set_signed_topics(&reader, of, Default::default()).await;
    assert_eq!(refused.unwrap_err().code(), "role");
    service.set_signed_topics(admin, of, Default::default()).await.unwrap();
    assert_eq!(send(service, &own, &format!("{meter}/up/meter/b"), b"7").await, Ok(()));
}

impl Stage {
    /// Every rule that can put a device into quarantine by itself does.
    async fn automatic(&self) {
        let (service, admin, org) = (&self.world.service, &self.owner.admin, &self.owner.id);
        for rule in ["replay", "topic-probing", "malformed-storm"] {
            let view = service.alert_rule(admin, org, rule).await.unwrap();
            let automatic = alert::Automatic::Quarantine;
            let rule = alert::Rule { automatic, threshold: 3, ..view.rule };
            service.put_alert_rule(admin, org, &rule.name, &rule.json()).await.unwrap();
        }
        self.follow().await;
    }

    async fn follow(&self) {
        self.world.service.settle_messages().await.unwrap();
        while self.world.service.follow_alerts().await.unwrap() {}
    }

    async fn refused(&self, device: &DeviceId) -> Vec<(&'static str, u64)> {
        self.world.service.settle_messages().await.unwrap();
        let refused = self.world.service.refused_messages(&self.owner.admin, device).await;
        let mut all: Vec<_> =
            refused.unwrap().into_iter().map(|line| (line.reason.code(), line.count)).collect();
        all.sort_unstable();
        all
    }
}

#[tokio::test]
async fn neither_carrier_nor_signer_has_the_other_one_cut_off() {
    let stage = Stage::new().await;
    let (service, admin) = (&stage.world.service, &stage.owner.admin);
    stage.automatic().await;
    let meter = stage.meter.thing.id;
    let good = stage.signed(1, "up/meter");
    assert_eq!(stage.carry(&good).await, Ok(()));
    for n in 0..6 {
        // What the carrier does to the device, and the device to the carrier.
        assert_eq!(stage.carry(&good).await, Err("replayed"));
        assert_eq!(stage.carry(b"no envelope").await, Err("protection"));
        assert_eq!(stage.carry(&stage.signed(2 + n, "down/x")).await, Err("topic"));
    }
    stage.follow().await;
    let (query, page) = (AlertQuery::default(), Page::default());
    let all = service.alerts(admin, &stage.owner.id, &query, &page).await.unwrap().items;
    let raised = |rule: &str, device: DeviceId| {
        all.iter().any(|it| it.rule == rule && it.about.device() == Some(&device))
    };
    let gateway = stage.gateway.device();
    assert!(raised("replay", gateway) && raised("malformed-storm", gateway), "{all:?}");
    assert!(raised("topic-probing", meter) && !raised("replay", meter), "{all:?}");
    assert!(all.iter().all(|it| it.quarantine == AutomaticQuarantine::NotAsked), "{all:?}");
    for device in [meter, gateway] {
        let seen = service.device(admin, &device).await.unwrap();
        assert_eq!(seen.standing, StandingKind::Good);
    }
    // What each does by its own key still counts.
    for n in 0..6 {
        let topic = format!("d/{}/up/{n}", DeviceId::from_bytes([9; 16]));
        assert_eq!(send(service, &stage.gateway, &topic, b"x").await, Err("topic"));
    }
    stage.follow().await;
    let seen = service.device(admin, &gateway).await.unwrap();
    assert_eq!(seen.standing, StandingKind::Suspended);
}

#[tokio::test]
async fn what_is_brought_again_uses_nothing_up_of_who_signed_it() {
    let stage = Stage::new().await;
    let service = &stage.world.service;
    let meter = stage.meter.thing.id;
    let good = stage.signed(1, "up/meter");
    assert_eq!(stage.carry(&good).await, Ok(()));
    let mut replays = 0;
    while stage.carry(&good).await == Err("replayed") {
        replays += 1;
    }
    // The carrier alone has sent more than it may.
    assert_eq!(stage.refused(&meter).await, []);
    let gateway = stage.refused(&stage.gateway.device()).await;
    assert_eq!(gateway, [("device-rate", 1), ("replayed", replays)]);
    let own = at_door(service, &stage.meter).await;
    let topic = format!("{}/up/x", Space::of(&meter).root());
    assert_eq!(send(service, &own, &topic, b"7").await, Ok(()));
}

#[tokio::test]
async fn what_is_carried_leaves_its_doors_and_hours_with_the_carrier() {
    let stage = Stage::new().await;
    let (service, admin) = (&stage.world.service, &stage.owner.admin);
    for counter in 1..=3 {
        assert_eq!(stage.carry(&stage.signed(counter, "up/meter")).await, Ok(()));
    }
    service.keep_behaviour().await.unwrap();
    let count = async |device: &DeviceId| {
        service.device_behaviour(admin, device).await.unwrap().profile.hour().1
    };
    assert_eq!(count(&stage.meter.thing.id).await, 0);
    assert_eq!(count(&stage.gateway.device()).await, 3);
}

#[tokio::test]
async fn who_carries_hears_that_its_part_is_done() {
    let stage = Stage::new().await;
    let service = &stage.world.service;
    let meter = stage.meter.thing.id;
    let carry = async |payload: &[u8]| {
        let message = IncomingMessage {
            door: MessageDoor::Mqtt,
            topic: TopicName::new(format!("d/{meter}/up/signed")).unwrap(),
            payload: payload.into(),
            media_type: None,
            made_at: None,
            counter: None,
            retain: None,
            expires_s: None,
            acknowledged: true,
        };
        service.take_message(&stage.gateway, &message).await
    };
    let enclosed = |taken: Result<_, MessageRefused>| match taken {
        Err(MessageRefused::Enclosed(refusal)) => refusal.code(),
        _ => "something else",
    };
    let good = stage.signed(1, "up/meter");
    assert!(carry(&good).await.is_ok());
    assert_eq!(enclosed(carry(&good).await), "replayed");
    assert_eq!(enclosed(carry(b"x").await), "protection");
    assert_eq!(enclosed(carry(&stage.signed(2, "down/x")).await), "topic");
    let suspend = EventKind::Suspended { cause: Cause::Lost };
    stage.world.report(&stage.owner, &meter, suspend).await.unwrap();
    assert_eq!(enclosed(carry(&stage.signed(3, "up/meter")).await), "protection");
    stage.world.report(&stage.owner, &meter, EventKind::Released).await.unwrap();
    assert_eq!(stage.carry(&stage.signed(3, "up/meter")).await, Ok(()));
    // A carrier that may not be here any more hears so itself, however it was known at the door.
    let suspend = EventKind::Suspended { cause: Cause::Lost };
    stage.world.report(&stage.owner, &stage.gateway.device(), suspend).await.unwrap();
    let fallen = carry(&stage.signed(4, "up/meter")).await;
    assert!(
        matches!(fallen, Err(MessageRefused::Refused(refusal)) if refusal.is_standing()),
        "{fallen:?}"
    );
}

#[tokio::test]
async fn what_a_device_said_of_itself_is_not_taken_back_by_who_carries_it() {
    let stage = Stage::new().await;
    let (service, admin) = (&stage.world.service, &stage.owner.admin);
    let meter = stage.meter.thing.id;
    let report = |counter, version| {
        let payload = format!("{{\"version\":{version},\"settings\":{{}}}}").into_bytes();
        let says = SignedMessage { payload, ..stage.says(counter, "up/configuration") };
        says.sign(&stage.meter.local_key).unwrap()
    };
    let held_back = report(1, 1);
    assert_eq!(stage.carry(&report(2, 2)).await, Ok(()));
    assert_eq!(stage.carry(&held_back).await, Err("replayed"));
    let seen = service.configuration(admin, &meter).await.unwrap();
    assert_eq!(seen.reported.map(|it| it.version), Some(2));
    assert_eq!(stage.refused(&meter).await, []);
    // What says nothing of its state may still come late.
    assert_eq!(stage.carry(&stage.signed(1, "up/meter")).await, Ok(()));
}

#[tokio::test]
async fn what_was_kept_unsigned_is_not_told_where_it_must_be_signed() {
    let stage = Stage::new().await;
    let (service, admin) = (&stage.world.service, &stage.maker.admin);
    let own = at_door(service, &stage.meter).await;
    let meter = Space::of(&stage.meter.thing.id).root().to_owned();
    for topic in ["up/meter/a", "up/x"] {
        assert_eq!(send(service, &own, &format!("{meter}/{topic}"), b"7").await, Ok(()));
    }
    let kept = || {
        let filter = admission::TopicFilter::new(format!("{meter}/up/#")).unwrap();
        let kept = service.retained_messages(&own, &filter).unwrap();
        kept.iter().map(|it| it.topic.as_str().len() - meter.len()).collect::<Vec<_>>()
    };
    assert_eq!(kept(), ["/up/meter/a".len(), "/up/x".len()]);
    let of = (&stage.maker.id, &"gate".parse().unwrap());
    service.set_signed_topics(admin, of, (vec!["up/meter/#".into()], None)).await.unwrap();
    assert_eq!(kept(), ["/up/x".len()]);
}
