//! What devices usually do (LG-4): it is learned, what leaves it is told once, people accept it, and
//! nobody else learns of it.

use crate::world::{Org, Working, World, config, open};
use admission::TopicName;
use audit::{Kind, Outcome};
use behaviour::{Aspect, Settings};
use device::{DeviceKind, StandingKind};
use service::{
    AlertQuery, AlertView, AutomaticQuarantine, DoorSender, IncomingMessage, MessageDoor, Page,
    ProfileChange, Service,
};

const LINE: &str = "maker/gate";
const DAY: i64 = 86_400;

struct Stage {
    world: World,
    maker: Org,
    owner: Org,
    devices: Vec<Working>,
}

impl Stage {
    async fn new() -> Self {
        let world = World::with(config()).await;
        let maker = world.maker("maker", "gate", DeviceKind::Device).await;
        let owner = world.owner("owner").await;
        let mut devices = Vec::new();
        for _ in 0..4 {
            devices.push(world.working(&maker, "gate", &owner).await);
        }
        let stage = Self { world, maker, owner, devices };
        stage.round().await;
        stage
    }

    fn service(&self) -> &Service {
        &self.world.service
    }

    async fn round(&self) {
        self.service().settle_messages().await.unwrap();
        while self.service().follow_alerts().await.unwrap() {}
    }

    async fn sender(&self, device: usize) -> DoorSender {
        let certificate = &self.devices[device].ldevid.certificate;
        let caller = self.service().identify_certificate(certificate).await.unwrap();
        self.service().door_sender(&caller, certificate).unwrap()
    }

    async fn send(&self, device: usize, door: MessageDoor, topic: &str, bytes: usize) {
        let sender = self.sender(device).await;
        let id = sender.device();
        let message = IncomingMessage {
            door,
            topic: TopicName::new(format!("d/{id}/{topic}")).unwrap(),
            payload: vec![b'x'; bytes].into(),
            media_type: None,
            made_at: None,
            counter: None,
            retain: None,
            expires_s: None,
            acknowledged: true,
        };
        self.service().take_message(&sender, &message).await.unwrap();
    }

    async fn come(&self, device: usize, address: [u8; 4]) {
        let sender = self.sender(device).await;
        drop(self.service().device_connected(&sender, address.into(), "a"));
    }

    /// Four devices send a little from their own networks.
    async fn learn(&self) {
        for device in 0..4 {
            self.come(device, [192, 0, device as u8, 1]).await;
            for _ in 0..5 {
                self.send(device, MessageDoor::Mqtt, "up/t", 20).await;
            }
        }
        self.round().await;
    }

    async fn change(&self, change: ProfileChange) {
        let (admin, org) = (&self.owner.admin, &self.owner.id);
        self.service().change_behaviour(admin, org, LINE, change).await.unwrap();
    }

    async fn alerts(&self) -> Vec<AlertView> {
        let (admin, org) = (&self.owner.admin, &self.owner.id);
        let all = AlertQuery::default();
        let mut found =
            self.service().alerts(admin, org, &all, &Page::default()).await.unwrap().items;
        found.reverse();
        found
    }

    async fn rules(&self) -> Vec<String> {
        self.alerts().await.into_iter().map(|alert| alert.rule).collect()
    }
}

#[tokio::test]
async fn what_leaves_a_learned_profile_raises_an_alert_that_says_why() {
    let stage = Stage::new().await;
    let (service, admin) = (stage.service(), &stage.owner.admin);
    stage.learn().await;
    assert!(stage.alerts().await.is_empty(), "a profile that learns tells nothing");
    let learning = service.behaviour_profile(admin, &stage.owner.id, LINE).await.unwrap();
    assert!(learning.profile.is_learning() && learning.profile.devices() == 4);
    stage.change(ProfileChange::Watch).await;
    stage.learn().await;
    assert!(stage.alerts().await.is_empty(), "what is usual tells nothing");

    stage.come(0, [198, 51, 100, 7]).await;
    stage.send(0, MessageDoor::Coap, "up/shell", 20_000).await;
    stage.round().await;
    let rules = stage.rules().await;
    assert_eq!(
        rules.iter().filter(|rule| *rule != "changing-places").collect::<Vec<_>>(),
        ["unexpected-door", "unexpected-place", "unexpected-size", "unexpected-topic"]
            .iter()
            .collect::<Vec<_>>(),
        "in the order of their names: they came at once"
    );
    let alerts = stage.alerts().await;
    let place = alerts.iter().find(|it| it.rule == "unexpected-place").unwrap();
    assert_eq!(place.suggest.code(), "check-profile");
    assert_eq!(place.about.device(), Some(&stage.devices[0].thing.id));
    let detail = service.alert(admin, &stage.owner.id, place.id).await.unwrap();
    let event = &detail.evidence[0].event;
    assert_eq!(event.kind(), Kind::Deviation);
    assert_eq!(event.source_of(), Some([198, 51, 100, 7].into()));
    let said = |key: &str| {
        let mut all = event.details();
        all.find(|(it, _)| *it == key).map(|(_, value)| value.to_owned()).unwrap()
    };
    assert_eq!(said("seen"), "198.51.100.0/24");
    assert_eq!(said("ordinary"), "192.0.0.0/24");
    assert!(said("explanation").contains("198.51.100.0/24; ordinary since 20"));
    // The same again in this hour is told no more.
    stage.send(0, MessageDoor::Coap, "up/shell", 20_000).await;
    stage.round().await;
    assert_eq!(stage.rules().await, rules);
    // Its own page says all of it, once counts are written.
    service.keep_behaviour().await.unwrap();
    let own = service.device_behaviour(admin, &stage.devices[0].thing.id).await.unwrap();
    assert_eq!(own.profile.deviations().count(), 4);
    assert_eq!(own.learned.rate, Some(60));
    assert_eq!(own.profile.recent().sum::<u32>(), 12);
}

#[tokio::test]
async fn far_more_in_an_hour_goes_into_quarantine_where_the_rule_says_so_and_a_person_releases() {
    let stage = Stage::new().await;
    let (service, admin, org) = (stage.service(), &stage.owner.admin, &stage.owner.id);
    stage.learn().await;
    stage.change(ProfileChange::Watch).await;
    let view = service.alert_rule(admin, org, "unexpected-rate").await.unwrap();
    let rule = alert::Rule { automatic: alert::Automatic::Quarantine, ..view.rule };
    service.put_alert_rule(admin, org, &rule.name, &rule.json()).await.unwrap();
    for count in 0..70 {
        stage.send(1, MessageDoor::Mqtt, "up/t", 20).await;
        if count == 10 {
            // The bounds reach the counters with the first look.
            stage.round().await;
        }
    }
    stage.round().await;
    assert_eq!(stage.rules().await, ["unexpected-rate"]);
    let alert = stage.alerts().await.remove(0);
    assert_eq!(alert.quarantine, AutomaticQuarantine::Done);
    let id = &stage.devices[1].thing.id;
    assert_eq!(service.device(admin, id).await.unwrap().standing, StandingKind::Suspended);
    stage.world.clock.advance(30 * DAY);
    stage.round().await;
    assert_eq!(service.device(admin, id).await.unwrap().standing, StandingKind::Suspended);
    service.release_for_alert(admin, org, alert.id, Some("a test")).await.unwrap();
    assert_eq!(service.device(admin, id).await.unwrap().standing, StandingKind::Good);
}

#[tokio::test]
async fn people_accept_and_change_and_it_is_on_record() {
    let stage = Stage::new().await;
    let (service, admin, org) = (stage.service(), &stage.owner.admin, &stage.owner.id);
    let none = service.change_behaviour(admin, org, LINE, ProfileChange::Learn(None)).await;
    assert_eq!(none.unwrap_err().code(), "not-found", "nothing came yet");
    stage.learn().await;
    stage.change(ProfileChange::Learn(Some(600))).await;
    let empty = service.change_behaviour(admin, org, LINE, ProfileChange::Watch).await;
    assert_eq!(empty.unwrap_err().code(), "profile-empty", "it forgot what it had learned");
    stage.learn().await;
    stage.change(ProfileChange::Freeze).await;
    let id = &stage.devices[0].thing.id;
    let topic = (Aspect::Topic, "up/shell");
    service.accept_device_behaviour(admin, id, topic, true).await.unwrap();
    let place = (Aspect::Place, "198.51.0.0/16");
    service.accept_behaviour(admin, (org, LINE), place, true).await.unwrap();
    stage.send(0, MessageDoor::Mqtt, "up/shell", 20).await;
    stage.come(1, [198, 51, 100, 7]).await;
    stage.round().await;
    assert!(!stage.rules().await.iter().any(|rule| rule.starts_with("unexpected")));
    // What one device may is nothing that another may.
    stage.send(1, MessageDoor::Mqtt, "up/shell", 20).await;
    stage.round().await;
    assert!(stage.rules().await.contains(&"unexpected-topic".to_owned()));
    service.accept_device_behaviour(admin, id, topic, false).await.unwrap();
    let again = service.accept_device_behaviour(admin, id, topic, false).await;
    assert_eq!(again.unwrap_err().code(), "not-found");
    let wrong = service.accept_device_behaviour(admin, id, (Aspect::Hour, "25"), true).await;
    assert_eq!(wrong.unwrap_err().code(), "behaviour-value");
    let wrong = Settings { learn_s: 1, ..Settings::default() };
    let wrong = service.set_behaviour(admin, org, LINE, wrong).await;
    assert_eq!(wrong.unwrap_err().code(), "behaviour-settings");
    let off = Settings { off: vec![Aspect::Topic], ..Settings::default() };
    service.set_behaviour(admin, org, LINE, off).await.unwrap();
    service.relearn_device_behaviour(admin, id).await.unwrap();
    let page = Page { after: None, limit: 500 };
    let log = service.audit(admin, Some(org), Some(Kind::ConfigurationChange), &page).await;
    let log = log.unwrap().items;
    let changes: Vec<_> = log
        .iter()
        .filter(|it| it.event.details().any(|(_, value)| value == "behaviour-profile"))
        .map(|it| {
            assert_eq!(it.event.outcome(), Outcome::Success);
            let mut all = it.event.details();
            all.find(|(key, _)| *key == "change").map(|(_, value)| value.to_owned()).unwrap()
        })
        .collect();
    for wanted in ["frozen", "accepted", "taken-back", "settings", "relearn"] {
        assert!(changes.iter().any(|it| it == wanted), "{wanted}: {changes:?}");
    }
}

#[tokio::test]
async fn it_is_nobody_elses_business_and_a_new_owner_begins_anew() {
    let stage = Stage::new().await;
    let (service, admin, org) = (stage.service(), &stage.owner.admin, &stage.owner.id);
    stage.learn().await;
    let id = &stage.devices[0].thing.id;
    // The maker of the devices is not their owner; a reader reads no alerts.
    let maker = &stage.maker;
    assert!(service.behaviour_profile(&maker.admin, org, LINE).await.is_err());
    assert!(service.device_behaviour(&maker.admin, id).await.is_err());
    assert!(service.relearn_device_behaviour(&maker.admin, id).await.is_err());
    let change = ProfileChange::Off;
    assert!(service.change_behaviour(&maker.admin, org, LINE, change).await.is_err());
    let none = service.behaviour_profiles(&maker.admin, &maker.id, &Page::default()).await;
    assert!(none.unwrap().items.is_empty());
    let own = service.behaviour_profile(&maker.admin, &maker.id, LINE).await;
    assert_eq!(own.unwrap_err().code(), "not-found");
    let reader = service.behaviour_profile(&stage.owner.reader, org, LINE).await;
    assert_eq!(reader.unwrap_err().code(), "role");
    let reader = service.device_behaviour(&stage.owner.reader, id).await;
    assert!(reader.is_err());
    // The device goes to somebody else, who sees nothing of what it did before.
    let next = stage.world.owner("next").await;
    stage.world.sell(&stage.owner, &next, id).await;
    assert!(service.device_behaviour(&next.admin, id).await.is_err());
    assert!(service.device_behaviour(admin, id).await.is_err());
    let devices = service.behaviour_devices(admin, org, LINE, &Page::default()).await.unwrap();
    assert_eq!(devices.items.len(), 3);
}

#[tokio::test]
async fn profiles_outlive_the_process_and_learning_ends_by_itself() {
    let stage = Stage::new().await;
    let (admin, org) = (&stage.owner.admin, &stage.owner.id);
    stage.learn().await;
    stage.service().keep_behaviour().await.unwrap();
    let before = stage.service().behaviour_profile(admin, org, LINE).await.unwrap();
    let World { clock, service, .. } = &stage.world;
    service.close();
    let service = open(stage.world.path(), config(), clock);
    let after = service.behaviour_profile(admin, org, LINE).await.unwrap();
    assert_eq!(after, before);
    assert_eq!(after.profile.devices(), 4);
    clock.advance(7 * DAY);
    service.settle_messages().await.unwrap();
    let ended = service.behaviour_profile(admin, org, LINE).await.unwrap();
    assert_eq!(ended.profile.phase().name(), "watching");
    let all = service.behaviour_devices(admin, org, LINE, &Page::default()).await.unwrap();
    assert!(all.items.iter().all(|it| it.profile.recent().sum::<u32>() == 5));
}

#[tokio::test]
async fn who_sends_each_hour_and_stops_is_missed() {
    let stage = Stage::new().await;
    let clock = &stage.world.clock;
    for _ in 0..30 {
        stage.send(2, MessageDoor::Http, "up/t", 20).await;
        clock.advance(3600);
        stage.round().await;
    }
    stage.change(ProfileChange::Watch).await;
    stage.send(2, MessageDoor::Http, "up/t", 20).await;
    clock.advance(61);
    stage.round().await;
    assert!(stage.alerts().await.is_empty());
    for _ in 0..5 {
        clock.advance(3600);
        stage.round().await;
    }
    assert_eq!(stage.rules().await, ["silent"]);
    let alert = stage.alerts().await.remove(0);
    assert_eq!(alert.count, 1);
    // It did not say so with its own key: nothing happens by itself.
    let (admin, org) = (&stage.owner.admin, &stage.owner.id);
    let detail = stage.service().alert(admin, org, alert.id).await.unwrap();
    assert_eq!(detail.evidence[0].event.actor_of(), None);
}
