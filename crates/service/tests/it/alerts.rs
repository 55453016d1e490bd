//! Alerts (LG-4): what raises them, that none is lost or raised twice, who may do what, and that nobody
//! cuts off another's devices.

use crate::{
    people::code,
    world::{NOW, Org, Working, World, config, open},
};
use admission::TopicName;
use audit::{Kind, Outcome, SecurityEvent};
use crypto::UnixTime;
use device::{Cause, DeviceId, DeviceKind, Language, StandingKind};
use policy::Caller;
use service::{
    AlertQuery, AlertSettings, AlertState, AlertTarget, AlertTold, AlertView, AutomaticQuarantine,
    Config, DoorSender, IncomingMessage, MessageDoor, NewAlertReceiver, Page, Service, fault,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

async fn follow(service: &Service) {
    service.settle_messages().await.unwrap();
    while service.follow_alerts().await.unwrap() {}
}

async fn alerts_of(service: &Service, org: &Org) -> Vec<AlertView> {
    let all = AlertQuery::default();
    service.alerts(&org.admin, &org.id, &all, &Page::default()).await.unwrap().items
}

async fn sender(service: &Service, device: &Working) -> DoorSender {
    let certificate = &device.ldevid.certificate;
    let caller = service.identify_certificate(certificate).await.unwrap();
    service.door_sender(&caller, certificate).unwrap()
}

/// The device tries topics that are not its own.
async fn probe(service: &Service, device: &Working, times: usize) {
    let sender = sender(service, device).await;
    for n in 0..times {
        let message = IncomingMessage {
            door: MessageDoor::Mqtt,
            topic: TopicName::new(format!("d/{}/up/{n}", DeviceId::from_bytes([9; 16]))).unwrap(),
            payload: b"x".as_slice().into(),
            media_type: None,
            made_at: None,
            counter: None,
            retain: None,
            expires_s: None,
            acknowledged: true,
        };
        service.take_message(&sender, &message).await.unwrap_err();
    }
}

struct Stage {
    world: World,
    maker: Org,
    owner: Org,
    device: Working,
}

impl Stage {
    async fn new() -> Self {
        Self::with(config()).await
    }

    async fn with(config: Config) -> Self {
        let world = World::with(config).await;
        let maker = world.maker("maker", "gate", DeviceKind::Device).await;
        let owner = world.owner("owner").await;
        let device = world.working(&maker, "gate", &owner).await;
        follow(&world.service).await;
        Self { world, maker, owner, device }
    }

    async fn automatic(&self, rule: &str) {
        let service = &self.world.service;
        let view = service.alert_rule(&self.owner.admin, &self.owner.id, rule).await.unwrap();
        let rule = alert::Rule { automatic: alert::Automatic::Quarantine, ..view.rule };
        let json = rule.json();
        let (admin, org) = (&self.owner.admin, &self.owner.id);
        service.put_alert_rule(admin, org, &rule.name, &json).await.unwrap();
    }

    async fn standing(&self, device: &Working) -> StandingKind {
        let service = &self.world.service;
        service.device(&self.owner.admin, &device.thing.id).await.unwrap().standing
    }
}

#[tokio::test]
async fn one_alert_counts_on_and_is_another_tenants_business_never() {
    let stage = Stage::new().await;
    let service = &stage.world.service;
    assert!(alerts_of(service, &stage.owner).await.is_empty(), "what is usual raises none");
    probe(service, &stage.device, 9).await;
    follow(service).await;
    assert!(alerts_of(service, &stage.owner).await.is_empty());
    probe(service, &stage.device, 1).await;
    follow(service).await;
    probe(service, &stage.device, 20).await;
    follow(service).await;
    let all = alerts_of(service, &stage.owner).await;
    assert_eq!(all.len(), 1);
    let alert = &all[0];
    assert_eq!((alert.rule.as_str(), alert.count), ("topic-probing", 30));
    assert_eq!(alert.about.device(), Some(&stage.device.thing.id));
    assert_eq!(alert.suggest.code(), "quarantine");
    assert_eq!(alert.quarantine, AutomaticQuarantine::NotAsked);
    let detail = service.alert(&stage.owner.admin, &stage.owner.id, alert.id).await.unwrap();
    assert!(detail.evidence.iter().all(|it| it.event.kind() == Kind::Authorisation));
    assert_eq!(detail.evidence.len(), 3);
    assert_eq!(detail.counts.iter().map(|(_, count)| count).sum::<u64>(), 30);
    // The maker sees neither the alert nor its evidence; a reader of the owner's neither.
    assert!(alerts_of(service, &stage.maker).await.is_empty());
    let strange = service.alert(&stage.maker.admin, &stage.owner.id, alert.id).await;
    assert_eq!(strange.unwrap_err().code(), "not-found");
    let own = service.alert(&stage.maker.admin, &stage.maker.id, alert.id).await;
    assert_eq!(own.unwrap_err().code(), "not-found");
    let reader = service.alert(&stage.owner.reader, &stage.owner.id, alert.id).await;
    assert_eq!(reader.unwrap_err().code(), "role");
    // It is in the log, as a finding of its own.
    let admin = &stage.owner.admin;
    let log =
        service.audit(admin, Some(&stage.owner.id), Some(Kind::Alert), &Page::default()).await;
    let log = log.unwrap().items;
    assert_eq!(log.len(), 1);
    let finding = audit::ocsf::event(&log[0].event, log[0].sequence, "0");
    assert_eq!(finding["class_uid"], 2004);
    assert_eq!(finding["finding_info"]["uid"], format!("alert-{}", alert.id));
}

#[tokio::test]
async fn who_closes_an_alert_hears_of_the_next_one() {
    let stage = Stage::new().await;
    let (service, admin, org) = (&stage.world.service, &stage.owner.admin, &stage.owner.id);
    probe(service, &stage.device, 20).await;
    follow(service).await;
    let id = alerts_of(service, &stage.owner).await[0].id;
    let seen = service.acknowledge_alert(admin, org, id, Some("looking")).await.unwrap();
    assert_eq!(seen.view.state, AlertState::Acknowledged);
    let closed = service.close_alert(admin, org, id, None).await.unwrap();
    assert_eq!(closed.view.closed_at, Some(UnixTime(NOW)));
    assert_eq!(closed.notes.len(), 2);
    assert_eq!(code(service.close_alert(admin, org, id, None).await), "alert-closed");
    assert_eq!(
        code(service.acknowledge_alert(admin, org, id, Some(&"x".repeat(1001))).await),
        "alert-note"
    );
    // Within its time of rest nothing is raised, after it what came since.
    probe(service, &stage.device, 20).await;
    follow(service).await;
    assert_eq!(alerts_of(service, &stage.owner).await.len(), 1);
    stage.world.clock.advance(3_600);
    probe(service, &stage.device, 9).await;
    follow(service).await;
    assert_eq!(alerts_of(service, &stage.owner).await.len(), 1);
    probe(service, &stage.device, 3).await;
    follow(service).await;
    let all = alerts_of(service, &stage.owner).await;
    assert_eq!((all.len(), all[0].state, all[0].count), (2, AlertState::Open, 12));
}

#[tokio::test]
async fn quarantine_by_itself_wants_the_devices_own_key_and_has_a_limit() {
    let stage = Stage::new().await;
    let (service, admin, org) = (&stage.world.service, &stage.owner.admin, &stage.owner.id);
    stage.automatic("topic-probing").await;
    // Somebody who only names the device raises an alert, and cuts nobody off.
    for _ in 0..20 {
        service.note_security_event(
            SecurityEvent::new(service.now(), Kind::Authorisation, Outcome::Failure)
                .organisation(org.as_str())
                .actor("anonymous")
                .subject(&stage.device.thing.id.to_string())
                .detail("reason", "topic"),
        );
    }
    // What is written after them is written.
    stage.automatic("replay").await;
    follow(service).await;
    let alert = alerts_of(service, &stage.owner).await.remove(0);
    assert_eq!(alert.quarantine, AutomaticQuarantine::NotAsked);
    assert_eq!(stage.standing(&stage.device).await, StandingKind::Good);
    // Its own key speaks against it: the alert that is there does it.
    probe(service, &stage.device, 15).await;
    follow(service).await;
    let alert = alerts_of(service, &stage.owner).await.remove(0);
    assert_eq!(alert.quarantine, AutomaticQuarantine::Done);
    assert_eq!(stage.standing(&stage.device).await, StandingKind::Suspended);
    let certificate = &stage.device.ldevid.certificate;
    assert_eq!(code(service.identify_certificate(certificate).await), "certificate-revoked");
    // Only a person who may releases it, and it is written down who did.
    let release = service.release_for_alert(&stage.owner.reader, org, alert.id, None).await;
    assert_eq!(release.unwrap_err().code(), "role");
    service.release_for_alert(admin, org, alert.id, Some("a wrong map")).await.unwrap();
    assert_eq!(stage.standing(&stage.device).await, StandingKind::Good);
    let detail = service.alert(admin, org, alert.id).await.unwrap();
    let acts: Vec<_> = detail.notes.iter().map(|it| (it.what.as_str(), it.who.as_str())).collect();
    assert_eq!(acts[0], ("quarantined", "platform alerts"));
    assert_eq!(acts[1].0, "released");
    assert_eq!(detail.notes[1].note.as_deref(), Some("a wrong map"));

    // At most so many within an hour; then somebody has to look.
    let settings = AlertSettings { quarantine_per_hour: 2 };
    service.set_alert_settings(admin, org, settings).await.unwrap();
    let mut more = Vec::new();
    for _ in 0..3 {
        more.push(stage.world.working(&stage.maker, "gate", &stage.owner).await);
    }
    for device in &more {
        probe(service, device, 15).await;
        follow(service).await;
    }
    let mut stands = Vec::new();
    for device in &more {
        stands.push(stage.standing(device).await);
    }
    assert_eq!(stands, [StandingKind::Suspended, StandingKind::Good, StandingKind::Good]);
    let all = alerts_of(service, &stage.owner).await;
    let limit = all.iter().find(|it| it.rule == "quarantine-limit").unwrap();
    assert_eq!((limit.severity, limit.count), (audit::Severity::Critical, 2));
    let held = all.iter().filter(|it| it.quarantine == AutomaticQuarantine::HeldBack).count();
    assert_eq!(held, 2);
    // After that hour there is room again.
    stage.world.clock.advance(3_700);
    let late = stage.world.working(&stage.maker, "gate", &stage.owner).await;
    probe(service, &late, 15).await;
    follow(service).await;
    assert_eq!(stage.standing(&late).await, StandingKind::Suspended);
}

#[tokio::test]
async fn rules_are_the_organisations_own() {
    let stage = Stage::new().await;
    let (service, admin, org) = (&stage.world.service, &stage.owner.admin, &stage.owner.id);
    let builtin = service.alert_rule(admin, org, "topic-probing").await.unwrap();
    assert_eq!((builtin.origin.name(), builtin.revision), ("builtin", 0));
    let rule = builtin.rule;
    let put = async |rule: &alert::Rule| {
        service.put_alert_rule(admin, org, &rule.name, &rule.json()).await
    };
    put(&alert::Rule { off: true, ..rule.clone() }).await.unwrap();
    probe(service, &stage.device, 50).await;
    follow(service).await;
    assert!(alerts_of(service, &stage.owner).await.is_empty(), "it is off");
    // What was counted by the old rule says nothing about the new one.
    let strict = alert::Rule { threshold: 3, ..rule.clone() };
    let view = put(&strict).await.unwrap();
    assert_eq!((view.origin.name(), view.revision), ("changed", 2));
    follow(service).await;
    probe(service, &stage.device, 2).await;
    follow(service).await;
    assert!(alerts_of(service, &stage.owner).await.is_empty());
    probe(service, &stage.device, 1).await;
    follow(service).await;
    assert_eq!(alerts_of(service, &stage.owner).await.len(), 1);
    service.reset_alert_rule(admin, org, "topic-probing").await.unwrap();
    let back = service.alert_rule(admin, org, "topic-probing").await.unwrap();
    assert_eq!(back.rule, rule);
    assert_eq!(code(service.reset_alert_rule(admin, org, "topic-probing").await), "not-found");
    // Names, bounds, rights, tenants.
    let wrong = service.put_alert_rule(admin, org, "other", &rule.json()).await;
    assert_eq!(code(wrong), "alert-rule");
    let own = alert::Rule { name: "quarantine-limit".into(), ..rule.clone() };
    assert_eq!(code(put(&own).await), "alert-rule");
    let maker = &stage.maker.admin;
    let strange = service.put_alert_rule(maker, org, &rule.name, &rule.json()).await;
    assert_eq!(code(strange), "not-found");
    assert_eq!(code(service.alert_rules(maker, org).await), "not-found");
    for n in 0..alert::RULES_MAX - alert::builtin().len() {
        put(&alert::Rule { name: format!("own-{n}"), ..rule.clone() }).await.unwrap();
    }
    let more = alert::Rule { name: "own-more".into(), ..rule };
    assert_eq!(code(put(&more).await), "too-many-rules");
}

/// Whether the process dies before or after the commit that raises an alert: there is one, with all that
/// was counted.
#[tokio::test]
async fn no_alert_is_lost_or_raised_twice_by_a_crash() {
    for point in [fault::BEFORE_COMMIT, fault::AFTER_COMMIT] {
        let armed = Arc::new(AtomicBool::new(false));
        let trigger = armed.clone();
        let faults =
            fault::Faults::injected(move |name| name == point && trigger.load(Ordering::SeqCst));
        let stage = Stage::with(Config { faults: Some(faults), ..config() }).await;
        stage.automatic("topic-probing").await;
        probe(&stage.world.service, &stage.device, 9).await;
        follow(&stage.world.service).await;
        probe(&stage.world.service, &stage.device, 9).await;
        stage.world.service.settle_messages().await.unwrap();
        armed.store(true, Ordering::SeqCst);
        assert!(stage.world.service.follow_alerts().await.is_err(), "{point}");
        stage.world.service.close();

        let service = open(stage.world.path(), config(), &stage.world.clock);
        follow(&service).await;
        follow(&service).await;
        let all = alerts_of(&service, &stage.owner).await;
        assert_eq!(all.len(), 1, "{point}");
        assert_eq!((all[0].count, all[0].quarantine), (18, AutomaticQuarantine::Done), "{point}");
        let admin = &stage.owner.admin;
        let (page, kind) = (Page::default(), Some(Kind::Alert));
        let log = service.audit(admin, Some(&stage.owner.id), kind, &page).await;
        let log = log.unwrap().items;
        let raised = log.iter().filter(|it| it.event.details().any(|it| it == ("what", "raised")));
        assert_eq!(raised.count(), 1, "{point}");
        // What was counted before the start counts with what comes after it.
        service.release_device(admin, &stage.device.thing.id).await.unwrap();
        service.close();
    }
}

/// Half of it before a start, half after: too much all the same.
#[tokio::test]
async fn what_was_counted_before_a_start_still_counts() {
    let stage = Stage::new().await;
    probe(&stage.world.service, &stage.device, 6).await;
    follow(&stage.world.service).await;
    stage.world.service.close();
    let service = open(stage.world.path(), config(), &stage.world.clock);
    probe(&service, &stage.device, 6).await;
    follow(&service).await;
    let all = alerts_of(&service, &stage.owner).await;
    assert_eq!((all.len(), all[0].count), (1, 12));
}

#[tokio::test]
async fn a_certificate_in_two_networks_at_once_raises_the_alarm() {
    let stage = Stage::new().await;
    let service = &stage.world.service;
    let sender = sender(service, &stage.device).await;
    let home = service.device_connected(&sender, [192, 0, 2, 1].into(), "a");
    let away = service.device_connected(&sender, [198, 51, 100, 7].into(), "b");
    follow(service).await;
    let alert = alerts_of(service, &stage.owner).await.remove(0);
    assert_eq!(alert.rule, "stolen-certificate");
    assert_eq!(alert.suggest.code(), "revoke-and-reissue");
    let detail = service.alert(&stage.owner.admin, &stage.owner.id, alert.id).await.unwrap();
    let event = &detail.evidence[0].event;
    assert_eq!(event.source_of(), Some([198, 51, 100, 7].into()));
    drop((home, away));
    // A device that is another's by now is not cut off for what it did before.
    let act = service.quarantine_for_alert(&stage.owner.admin, &stage.owner.id, alert.id, None);
    act.await.unwrap();
    let again = service.suspend_device(&stage.owner.admin, &stage.device.thing.id, Cause::Anomaly);
    drop(again.await);
    assert_eq!(stage.standing(&stage.device).await, StandingKind::Suspended);
}

fn hook(target: &str) -> NewAlertReceiver {
    NewAlertReceiver {
        target: target.into(),
        mail_from: None,
        mail_to: Vec::new(),
        language: Language::En,
        severity: audit::Severity::Medium,
        roots: None,
        secret: None,
        paused: false,
    }
}

#[tokio::test]
async fn what_is_raised_waits_for_its_receivers_until_they_take_it() {
    const DELIVERER: Caller = Caller::Platform { task: "alerts" };
    let stage = Stage::new().await;
    let (service, admin, org) = (&stage.world.service, &stage.owner.admin, &stage.owner.id);
    let put = service.put_alert_receiver(admin, org, "desk", hook("https://hooks.example/x")).await;
    assert!(put.unwrap().secret.unwrap().expose().starts_with(b"whsec_"));
    let quiet =
        NewAlertReceiver { severity: audit::Severity::Critical, ..hook("https://a.example") };
    service.put_alert_receiver(admin, org, "critical", quiet).await.unwrap();
    let mail = NewAlertReceiver {
        mail_from: Some("tegata@example.org".into()),
        mail_to: vec!["ops@example.org".into()],
        secret: Some(crypto::Secret::new(b"user:word".to_vec())),
        ..hook("smtps://mail.example")
    };
    service.put_alert_receiver(admin, org, "mail", mail).await.unwrap();
    probe(service, &stage.device, 20).await;
    follow(service).await;
    let waiting = async || {
        let all = service.alert_receivers(admin, org).await.unwrap();
        all.into_iter().map(|it| (it.name, it.waiting, it.dead)).collect::<Vec<_>>()
    };
    let of = |name: &str, waiting, dead| (name.to_owned(), waiting, dead);
    assert_eq!(waiting().await, [of("critical", 0, 0), of("desk", 1, 0), of("mail", 1, 0)]);
    // Whoever delivers gets it in order, with the same number each time, and with the secrets.
    let live = service.live_alert_receivers(&DELIVERER).unwrap();
    let desk = live.iter().map(|(id, _)| *id).find(|id| {
        let opened = service.open_alert_receiver(&DELIVERER, *id).unwrap();
        matches!(opened.target, AlertTarget::Https { host, .. } if host == "hooks.example")
    });
    let desk = desk.unwrap();
    let next = || service.next_alert_notice(&DELIVERER, desk).unwrap();
    let notice = next().unwrap();
    assert_eq!((notice.what.as_str(), notice.alert.rule.as_str()), ("raised", "topic-probing"));
    let later = AlertTold::Later("answered 500".into(), 30);
    service.alert_told(&DELIVERER, desk, &notice, later).await.unwrap();
    assert!(next().is_none(), "not before its time");
    stage.world.clock.advance(30);
    assert_eq!(next().unwrap().id, notice.id);
    let never = AlertTold::Never("answered 410".into());
    service.alert_told(&DELIVERER, desk, &notice, never).await.unwrap();
    assert_eq!(waiting().await[1], of("desk", 0, 1));
    assert_eq!(service.retry_alert_receiver(admin, org, "desk").await.unwrap(), 1);
    service.alert_told(&DELIVERER, desk, &next().unwrap(), AlertTold::Taken).await.unwrap();
    assert_eq!(waiting().await[1], of("desk", 0, 0));
    // What is done about it is told too.
    let id = alerts_of(service, &stage.owner).await[0].id;
    service.close_alert(admin, org, id, None).await.unwrap();
    assert_eq!(next().unwrap().what, "closed");
    service.end_alert_receiver(admin, org, "desk").await.unwrap();
    // Addresses that would be something else, kinds that do not fit, rights, tenants.
    for (target, wanted) in [
        ("http://a.example/", "alert-target"),
        ("smtp://mail.example/x", "alert-target"),
        ("smtp://mail.example", "alert-mail"),
    ] {
        let refused = service.put_alert_receiver(admin, org, "x", hook(target)).await;
        assert_eq!(code(refused), wanted, "{target}");
    }
    let strange =
        service.put_alert_receiver(&stage.maker.admin, org, "x", hook("https://a/")).await;
    assert_eq!(code(strange), "not-found");
    let reader = service.alert_receivers(&stage.owner.reader, org).await;
    assert_eq!(code(reader), "role");
}

#[tokio::test]
async fn the_login_of_a_mail_server_is_sent_to_that_server_alone() {
    let stage = Stage::new().await;
    let (service, admin, org) = (&stage.world.service, &stage.owner.admin, &stage.owner.id);
    let mail = |target: &str, secret: Option<&str>, roots: Option<&str>| NewAlertReceiver {
        mail_from: Some("tegata@example.org".into()),
        mail_to: vec!["ops@example.org".into()],
        secret: secret.map(|text| crypto::Secret::new(text.as_bytes().to_vec())),
        roots: roots.map(str::to_owned),
        ..hook(target)
    };
    let put = async |new: NewAlertReceiver| {
        service.put_alert_receiver(admin, org, "mail", new).await.map(|_| ())
    };
    let ca = service.trust_store().await.unwrap().roots[0].to_pem();
    put(mail("smtps://mail.example", Some("user:word"), None)).await.unwrap();
    put(mail("smtps://mail.example:465", None, None)).await.unwrap();
    for elsewhere in [
        mail("smtps://evil.example", None, None),
        mail("smtp://mail.example", None, None),
        mail("smtps://mail.example:99", None, None),
        mail("smtps://mail.example", None, Some(&ca)),
    ] {
        assert_eq!(code(put(elsewhere).await), "alert-login");
    }
    put(mail("smtps://evil.example", Some("other:word"), Some(&ca))).await.unwrap();
    let view = service.alert_receivers(admin, org).await.unwrap().remove(0);
    assert_eq!(view.roots.as_deref().map(str::trim), Some(ca.trim()));
}
