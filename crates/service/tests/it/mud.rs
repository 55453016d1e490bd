//! What makers say that devices connect to (MUD, RFC 8520; LG-4): kept in versions, read by everybody, and
//! what leaves it is told once and raises an alert.

use crate::world::{NOW, Org, Working, World, config, id, product};
use admission::{
    TopicName,
    device_log::{LogEntry, LogId, LogKind, LogOutcome, LogPlace, LogSeverity, encode_segment},
};
use audit::{Kind, SecurityEvent};
use behaviour::mud::{Door, Flow, Mud, Needed, Suggested, suggest};
use crypto::{KeyAlgorithm, Signer as _, SoftwareKey, UnixTime, random, sha256};
use device::{Cause, DeviceId, DeviceKind, OrganisationId, StandingKind};
use pki::{
    Certificate, IssuerInfo, KeyPolicy, Locations, Profile, Request, Serial, Subject, prepare,
    signed_data::sign_detached,
};
use policy::Caller;
use service::{
    AlertQuery, AlertView, Config, ErrorKind, HowToSuggest, IncomingMessage, MessageDoor, MudView,
    NamedSigner, NewMud, OutsideNow, OutsideSource, Page, Service, ServiceError,
};

const DAY: i64 = 86_400;
const CONSOLE: &str = "https://console.example";

/// A file that allows these, and says where its signature is.
fn file(doors: &[(&str, u16)], signature: Option<&str>) -> Vec<u8> {
    let text = suggest(&Suggested {
        url: "https://maker.example/gate.json".into(),
        at: "2026-11-22T09:00:00Z".into(),
        systeminfo: "Gate".into(),
        made: ("maker".into(), "gate".into()),
        doors: doors.iter().map(|(name, port)| Door::named(*name, 6, *port).into()).collect(),
    });
    let Some(at) = signature else { return text.into_bytes() };
    let named = format!("\"mud-version\": 1, \"mud-signature\": \"{at}\"");
    text.replace("\"mud-version\": 1", &named).into_bytes()
}

fn plain(doors: &[(&str, u16)]) -> NewMud {
    NewMud { file: file(doors, None), signature: None, anchors: None, reason: "a test".into() }
}

struct Stage {
    world: World,
    maker: Org,
    owner: Org,
    other: Org,
    devices: Vec<Working>,
}

impl Stage {
    async fn new() -> Self {
        let config = Config { console_url: Some(CONSOLE.into()), ..config() };
        let world = World::with(config).await;
        let maker = world.maker("maker", "gate", DeviceKind::Device).await;
        let owner = world.owner("owner").await;
        let other = world.owner("other").await;
        let mut devices = Vec::new();
        for owner in [&owner, &owner, &other] {
            devices.push(world.working(&maker, "gate", owner).await);
        }
        Self { world, maker, owner, other, devices }
    }

    fn service(&self) -> &Service {
        &self.world.service
    }

    fn id(&self, device: usize) -> DeviceId {
        self.devices[device].thing.id
    }

    async fn put(&self, new: NewMud) -> Result<MudView, ServiceError> {
        let of = (&self.maker.id, &product("gate"));
        self.service().put_mud(&self.maker.admin, of, new).await
    }

    fn flow(&self, device: usize, to: &str) -> Flow {
        Flow::new(self.id(device), Some(to), None, None).unwrap()
    }

    async fn report(&self, flows: Vec<Flow>) -> Result<service::FlowsJudged, ServiceError> {
        self.service().report_flows(&self.owner.admin, &self.owner.id, flows).await
    }

    async fn events(&self, org: &Org, kind: Kind) -> Vec<SecurityEvent> {
        let page = Page { after: None, limit: 1000 };
        let found = self.service().audit(&org.admin, Some(&org.id), Some(kind), &page).await;
        found.unwrap().items.into_iter().map(|it| it.event).collect()
    }

    async fn told(&self, org: &Org) -> Vec<String> {
        let all = self.events(org, Kind::Deviation).await;
        let outside = all.iter().filter(|it| said(it, "what").as_deref() == Some("outside-mud"));
        outside.filter_map(|it| said(it, "seen")).collect()
    }

    /// A device begins a log, and tells of a connection in it.
    async fn tell(&self, device: usize, log: u8, details: &[(&str, &str)]) {
        self.tell_so(device, log, details, |_| {}).await;
    }

    async fn tell_so(
        &self,
        device: usize,
        log: u8,
        details: &[(&str, &str)],
        change: impl FnOnce(&mut LogEntry),
    ) {
        let certificate = &self.devices[device].ldevid.certificate;
        let caller = self.service().identify_certificate(certificate).await.unwrap();
        let sender = self.service().door_sender(&caller, certificate).unwrap();
        let (kind, outcome) = (LogKind::Connection, LogOutcome::Success);
        let mut entry = LogEntry::new(NOW, kind, LogSeverity::Low, outcome);
        for (key, value) in details {
            entry.details.insert((*key).to_owned(), (*value).to_owned());
        }
        change(&mut entry);
        let id = LogId([log; 8]);
        let start = LogPlace::start(&id);
        let (_, bytes) = start.append(&entry).unwrap();
        let message = IncomingMessage {
            door: MessageDoor::Mqtt,
            topic: TopicName::new(format!("d/{}/up/log", sender.device())).unwrap(),
            payload: encode_segment(&id, &start, 0, &[bytes]).into(),
            media_type: Some("application/cbor".into()),
            made_at: None,
            counter: None,
            retain: None,
            expires_s: None,
            acknowledged: true,
        };
        self.service().take_message(&sender, &message).await.unwrap();
    }

    async fn alerts(&self) -> Vec<AlertView> {
        while self.service().follow_alerts().await.unwrap() {}
        let (admin, org) = (&self.owner.admin, &self.owner.id);
        let all = AlertQuery::default();
        self.service().alerts(admin, org, &all, &Page::default()).await.unwrap().items
    }
}

fn said(event: &SecurityEvent, key: &str) -> Option<String> {
    let mut all = event.details();
    all.find(|(it, _)| *it == key).map(|(_, value)| value.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maker_keeps_versions_that_everybody_reads_and_owners_are_told_of() {
    let stage = Stage::new().await;
    let (service, gate) = (stage.service(), product("gate"));
    let of = (&stage.maker.id, &gate);
    let anybody = "192.0.2.1".parse().unwrap();
    assert_eq!(service.public_mud(("maker", "gate"), anybody).await, Ok(None));
    let first = stage.put(plain(&[("gate.example", 8883)])).await.unwrap();
    assert_eq!((first.version, first.signer.is_none()), (1, true));
    // The same again is the same.
    assert_eq!(stage.put(plain(&[("gate.example", 8883)])).await.unwrap(), first);
    let found = service.public_mud(("maker", "gate"), anybody).await.unwrap().unwrap();
    assert_eq!(found.file, file(&[("gate.example", 8883)], None));
    assert_eq!((found.digest, found.cache_validity_h), (sha256(&found.file), 48));
    for stranger in [("maker", "other"), ("owner", "gate"), ("", ""), ("../x", "gate")] {
        assert_eq!(service.public_mud(stranger, anybody).await, Ok(None));
    }
    let second = stage.put(plain(&[("cloud.example", 443)])).await.unwrap();
    assert_eq!(second.version, 2);
    let found = service.mud_file(&stage.maker.admin, of, None).await.unwrap();
    let here = format!("{CONSOLE}/mud/maker/gate.json");
    assert_eq!(found.urls.map(|urls| urls.0), Some(here));
    let older = service.mud_file(&stage.maker.admin, of, Some(1)).await.unwrap();
    assert_eq!(older.file, file(&[("gate.example", 8883)], None));
    // Owners hear what is new and what is gone, each in its own log; the maker's reason is its own.
    for org in [&stage.owner, &stage.other] {
        let told: Vec<_> = stage
            .events(org, Kind::ConfigurationChange)
            .await
            .into_iter()
            .filter(|it| said(it, "what").as_deref() == Some("mud"))
            .collect();
        assert_eq!(told.len(), 2);
        let newest = told.iter().find(|it| said(it, "gone").is_some()).unwrap();
        assert!(said(newest, "new").unwrap().contains("cloud.example"));
        assert!(said(newest, "gone").unwrap().contains("gate.example"));
        assert_eq!(said(newest, "product").as_deref(), Some("maker/gate"));
        assert_eq!(said(newest, "reason"), None);
    }
    // Withdrawn: nobody reads it, twice is once, and the versions stay.
    for _ in 0..2 {
        let gone = service.withdraw_mud(&stage.maker.admin, of, "an error").await.unwrap();
        assert_eq!((gone.version, gone.digest), (3, None));
    }
    assert_eq!(service.public_mud(("maker", "gate"), anybody).await, Ok(None));
    let page = Page::default();
    let all = service.mud_versions(&stage.maker.admin, of, &page).await.unwrap().items;
    assert_eq!(all.iter().map(|it| it.version).collect::<Vec<_>>(), [3, 2, 1]);
    let none = service.mud_file(&stage.maker.admin, of, None).await.unwrap_err();
    assert_eq!(none.kind(), ErrorKind::NotFound);
    // 24 versions in a day.
    for version in 4..=24 {
        let port = 1000 + version;
        stage.put(plain(&[("gate.example", port)])).await.unwrap();
    }
    let much = stage.put(plain(&[("gate.example", 1)])).await.unwrap_err();
    assert_eq!(much.code(), "too-many-mud-versions");
    // What is wrong can be withdrawn all the same.
    let gone = service.withdraw_mud(&stage.maker.admin, of, "wrong").await.unwrap();
    assert_eq!((gone.version, gone.digest), (25, None));
    for day in 0..2 {
        stage.world.clock.advance(DAY + 1);
        for version in 0..12 {
            stage.put(plain(&[("gate.example", 2000 + 20 * day + version)])).await.unwrap();
        }
    }
    // Of older ones the bytes are gone, who and why is not.
    let gone = service.mud_file(&stage.maker.admin, of, Some(1)).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    let all = service.mud_versions(&stage.maker.admin, of, &page).await.unwrap().items;
    assert_eq!(all.iter().filter(|it| it.length.is_some()).count(), 31, "and one withdrawal");
    assert_eq!(all.last().unwrap().digest, first.digest);
    // What anybody may ask for has its limit.
    let mut refused = None;
    for _ in 0..200 {
        let asked = service.public_mud(("maker", "gate"), "198.51.100.1".parse().unwrap()).await;
        refused = refused.or(asked.err());
    }
    assert_eq!(refused.unwrap().code(), "too-many-lookups");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_says_what_a_makers_devices_need() {
    let stage = Stage::new().await;
    let (service, gate) = (stage.service(), product("gate"));
    let of = (&stage.maker.id, &gate);
    for (caller, kind) in [
        (&stage.owner.admin, ErrorKind::NotFound),
        (&stage.maker.reader, ErrorKind::Forbidden),
        (&stage.maker.station, ErrorKind::Forbidden),
    ] {
        let put = service.put_mud(caller, of, plain(&[])).await.unwrap_err();
        let gone = service.withdraw_mud(caller, of, "x").await.unwrap_err();
        assert_eq!((put.kind(), gone.kind()), (kind, kind));
    }
    let page = Page::default();
    let read = service.mud_versions(&stage.owner.admin, of, &page).await.unwrap_err();
    assert_eq!(read.kind(), ErrorKind::NotFound);
    for (new, code) in [
        (NewMud { reason: " ".into(), ..plain(&[]) }, "reason"),
        (NewMud { file: b"{}".to_vec(), ..plain(&[]) }, "mud-file"),
        (NewMud { signature: Some(vec![0x30]), ..plain(&[]) }, "mud-signature"),
    ] {
        assert_eq!(stage.put(new).await.unwrap_err().code(), code);
    }
}

/// A CA, and what signs below it.
struct Signer {
    root: Certificate,
    key: SoftwareKey,
    chain: Vec<Certificate>,
}

impl Signer {
    fn new() -> Self {
        let now = UnixTime(NOW);
        let root_key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let usual = |profile, issuer: Option<&IssuerInfo>| {
            KeyPolicy::default().usual_validity(profile, KeyAlgorithm::EcdsaP256, issuer, now)
        };
        let serial = || Serial::from_random(random::bytes());
        let subject = Subject::named("Maker CA");
        let validity = usual(Profile::Root, None);
        let own = IssuerInfo::self_signed(&subject, root_key.public_key(), validity.0, validity.1);
        let own = own.unwrap();
        let request = Request::new(serial(), subject, root_key.public_key().clone(), validity);
        let root = prepare(Profile::Root, &own, &request).unwrap().sign(&root_key).unwrap();
        let issuer = IssuerInfo::from_certificate(&root, Locations::default()).unwrap();
        let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let validity = usual(Profile::SoftwareSigner, Some(&issuer));
        let subject = Subject {
            country: "JP".into(),
            organisation: "Maker".into(),
            ..Subject::named("Maker MUD")
        };
        let request = Request::new(serial(), subject, key.public_key().clone(), validity);
        let certificate = prepare(Profile::SoftwareSigner, &issuer, &request).unwrap();
        let chain = vec![certificate.sign(&root_key).unwrap()];
        Self { root, key, chain }
    }

    fn sign(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let at = UnixTime(NOW);
        Some(sign_detached(&sha256(bytes), at, &self.key, &self.chain).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_is_checked_against_what_the_maker_names_and_served_beside_the_file() {
    let stage = Stage::new().await;
    let (signer, stranger) = (Signer::new(), Signer::new());
    let at = format!("{CONSOLE}/mud/maker/gate.p7s");
    let file = file(&[("gate.example", 8883)], Some(&at));
    let new = |signature, anchors: Option<String>| NewMud {
        file: file.clone(),
        signature,
        anchors,
        reason: "signed".into(),
    };
    let ca = Some(signer.root.to_pem());
    for (new, code) in [
        (new(None, None), "mud-signature"),
        (new(signer.sign(&file), None), "mud-anchors"),
        (new(signer.sign(&file), Some("no PEM".into())), "mud-anchors"),
        (new(signer.sign(&file), Some(stranger.root.to_pem())), "mud-signature"),
        (new(stranger.sign(&file), ca.clone()), "mud-signature"),
        (new(signer.sign(b"{}"), ca.clone()), "mud-signature"),
    ] {
        assert_eq!(stage.put(new).await.unwrap_err().code(), code);
    }
    // Certificates that nothing is checked against are nobody's to keep, nor is what stands beside them.
    let idle = NewMud { anchors: ca.clone(), ..plain(&[("gate.example", 8883)]) };
    assert_eq!(stage.put(idle).await.unwrap_err().code(), "mud-anchors");
    let noted = ca.clone().map(|pem| format!("a note\n{pem}another\n"));
    stage.put(new(signer.sign(&file), noted)).await.unwrap();
    let of = (&stage.maker.id, &product("gate"));
    let found = stage.service().mud_file(&stage.maker.admin, of, None).await.unwrap();
    assert_eq!(found.anchors, ca);
    let made = stage.put(new(signer.sign(&file), ca.clone())).await.unwrap();
    let (name, until) = made.signer.unwrap();
    assert!(name.contains("Maker MUD") && until.0 > NOW, "{name} {until}");
    let anybody = "192.0.2.1".parse().unwrap();
    let found = stage.service().public_mud(("maker", "gate"), anybody).await.unwrap().unwrap();
    let signature = found.signature.clone().unwrap();
    let anchors = [signer.root.clone()].into_iter().collect();
    let now = UnixTime(NOW);
    pki::signed_data::verify_detached(&found.file, &signature, &anchors, &[], now).unwrap();
    // Signed anew: another version, of which owners hear nothing, since nothing changes for them.
    let before = stage.events(&stage.owner, Kind::ConfigurationChange).await.len();
    let again = stage.put(new(signer.sign(&file), ca)).await.unwrap();
    assert_eq!(again.version, made.version + 1);
    let after = stage.events(&stage.owner, Kind::ConfigurationChange).await.len();
    assert_eq!(before, after);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_owner_sees_is_held_against_the_file_and_told_once_a_day() {
    let stage = Stage::new().await;
    let none = stage.report(vec![stage.flow(0, "spy.example:443")]).await.unwrap();
    assert_eq!((none.without, none.outside.len()), (1, 0));
    stage.put(plain(&[("gate.example", 8883)])).await.unwrap();
    let flows = || {
        vec![
            stage.flow(0, "gate.example:8883"),
            stage.flow(0, "192.0.2.7:8883"),
            stage.flow(0, "spy.example:443"),
            stage.flow(0, "SPY.example.:443/tcp"),
            stage.flow(1, "gate.example:23"),
        ]
    };
    let found = stage.report(flows()).await.unwrap();
    assert_eq!((found.allowed, found.unknown, found.without), (1, 1, 0));
    assert_eq!(found.outside.len(), 2);
    stage.report(flows()).await.unwrap();
    let mut told = stage.told(&stage.owner).await;
    told.sort();
    assert_eq!(told, ["to gate.example:23/tcp", "to spy.example:443/tcp"], "once");
    let rows = stage.service().outside_mud(&stage.owner.admin, &stage.id(0)).await.unwrap();
    assert_eq!((rows.len(), rows[0].times, rows[0].told_by), (1, 4, OutsideSource::Owner));
    stage.world.clock.advance(DAY + 1);
    stage.report(flows()).await.unwrap();
    assert_eq!(stage.told(&stage.owner).await.len(), 4, "the next day again");
    // It is an alert that says what to do.
    let alerts = stage.alerts().await;
    let outside: Vec<_> = alerts.iter().filter(|it| it.rule == "outside-mud").collect();
    assert_eq!(outside.len(), 2, "one for each device");
    assert_eq!(outside[0].suggest.code(), "quarantine");
    // Nobody else's devices, not even together with one's own; nobody else's alerts.
    let foreign = vec![stage.flow(0, "other.example:1"), stage.flow(2, "other.example:1")];
    assert_eq!(stage.report(foreign).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!stage.told(&stage.owner).await.contains(&"to other.example:1/tcp".to_owned()));
    assert!(stage.told(&stage.other).await.is_empty());
    let service = stage.service();
    let flows = || vec![stage.flow(0, "other.example:1")];
    for (caller, org, kind) in [
        (&stage.other.admin, &stage.other.id, ErrorKind::NotFound),
        (&stage.other.admin, &stage.owner.id, ErrorKind::NotFound),
        (&stage.maker.admin, &stage.owner.id, ErrorKind::NotFound),
        (&stage.owner.reader, &stage.owner.id, ErrorKind::Forbidden),
    ] {
        let refused = service.report_flows(caller, org, flows()).await.unwrap_err();
        assert_eq!(refused.kind(), kind);
    }
    let read = service.outside_mud(&stage.other.admin, &stage.id(0)).await.unwrap_err();
    assert_eq!(read.kind(), ErrorKind::NotFound);
    for wrong in [Vec::new(), vec![stage.flow(0, "a.example:1"); 1001]] {
        assert_eq!(stage.report(wrong).await.unwrap_err().code(), "flows");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_device_does_not_flood_and_a_new_owner_begins_anew() {
    let stage = Stage::new().await;
    stage.put(plain(&[("gate.example", 8883)])).await.unwrap();
    let many = |from: u16| (from..from + 200).map(|port| format!("spy.example:{port}"));
    for from in [1000, 2000] {
        let flows = many(from).map(|to| stage.flow(0, &to)).collect();
        assert_eq!(stage.report(flows).await.unwrap().outside.len(), 200);
    }
    assert_eq!(stage.told(&stage.owner).await.len(), 20);
    let limits = stage.events(&stage.owner, Kind::RateLimit).await;
    let mud = limits.iter().filter(|it| said(it, "reason").as_deref() == Some("outside-mud"));
    assert_eq!(mud.count(), 1);
    let (service, id) = (stage.service(), stage.id(0));
    assert_eq!(service.outside_mud(&stage.owner.admin, &id).await.unwrap().len(), 64);
    // Another device is told of all the same.
    stage.report(vec![stage.flow(1, "spy.example:1")]).await.unwrap();
    assert_eq!(stage.told(&stage.owner).await.len(), 21);
    // So is what this one says of itself: neither's word silences or pushes out the other's.
    stage.tell(0, 1, &[("to", "spy.example:2000/tcp")]).await;
    assert_eq!(stage.told(&stage.owner).await.len(), 22);
    assert_eq!(service.outside_mud(&stage.owner.admin, &id).await.unwrap().len(), 65);
    stage.world.sell(&stage.owner, &stage.other, &id).await;
    assert!(service.outside_mud(&stage.other.admin, &id).await.unwrap().is_empty());
    let gone = stage.report(vec![stage.flow(0, "spy.example:1")]).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
}

/// An owner's rule that puts devices into quarantine by itself.
async fn automatic(service: &Service, admin: &Caller, org: &OrganisationId) {
    let view = service.alert_rule(admin, org, "outside-mud").await.unwrap();
    let rule = alert::Rule { automatic: alert::Automatic::Quarantine, ..view.rule };
    service.put_alert_rule(admin, org, &rule.name, &rule.json()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_rule_says_so_a_device_goes_into_quarantine() {
    let stage = Stage::new().await;
    stage.put(plain(&[("gate.example", 8883)])).await.unwrap();
    automatic(stage.service(), &stage.owner.admin, &stage.owner.id).await;
    // By the word of its owner's people.
    stage.report(vec![stage.flow(0, "spy.example:443")]).await.unwrap();
    stage.alerts().await;
    let standing = async |device: usize| {
        let view = stage.service().device(&stage.owner.admin, &stage.id(device)).await.unwrap();
        view.standing
    };
    assert_eq!(standing(0).await, StandingKind::Suspended);
    // By its own, in its log; what the file allows is nothing.
    assert_eq!(standing(1).await, StandingKind::Good);
    stage.tell(1, 1, &[("to", "gate.example:8883/tcp"), ("port", "eth0")]).await;
    stage.alerts().await;
    assert_eq!(standing(1).await, StandingKind::Good);
    // A stranger knocks: what the device refuses is nothing, and what comes through is an alert alone.
    let from = [("from", "192.0.2.66:23/tcp")];
    stage.tell_so(1, 2, &from, |entry| entry.outcome = LogOutcome::Failure).await;
    assert_eq!(stage.told(&stage.owner).await.len(), 1);
    stage.tell(1, 3, &from).await;
    let flow = Flow::new(stage.id(1), None, Some("192.0.2.66:22/tcp"), None).unwrap();
    assert_eq!(stage.report(vec![flow]).await.unwrap().outside.len(), 1);
    let alerts = stage.alerts().await;
    let about = alert::About::Device(stage.id(1));
    assert!(alerts.iter().any(|it| it.rule == "outside-mud" && it.about == about));
    assert_eq!(stage.told(&stage.owner).await.len(), 3);
    assert_eq!(standing(1).await, StandingKind::Good);
    // What was before the file, or at a time that is not known, is held against nothing.
    let to = [("to", "spy.example:443/tcp")];
    stage.tell_so(1, 4, &to, |entry| entry.time -= 1).await;
    stage.tell_so(1, 5, &to, |entry| entry.boot = Some(1)).await;
    stage.alerts().await;
    assert_eq!(stage.told(&stage.owner).await.len(), 3);
    assert_eq!(standing(1).await, StandingKind::Good);
    stage.tell(1, 6, &to).await;
    stage.alerts().await;
    assert_eq!(stage.told(&stage.owner).await.len(), 4);
    assert_eq!(standing(1).await, StandingKind::Suspended);
    let rows = stage.service().outside_mud(&stage.owner.admin, &stage.id(1)).await.unwrap();
    let by_device = rows.iter().filter(|it| it.told_by == OutsideSource::Device).count();
    assert_eq!((rows.len(), by_device), (3, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_hear_of_another_address_family() {
    let stage = Stage::new().await;
    stage.put(plain(&[("gate.example", 8883)])).await.unwrap();
    let whole = String::from_utf8(file(&[("gate.example", 8883)], None)).unwrap();
    let told = async || {
        let all = stage.events(&stage.owner, Kind::ConfigurationChange).await;
        all.iter().filter(|it| said(it, "what").as_deref() == Some("mud")).count()
    };
    let before = told().await;
    // The same words, by IPv4 alone.
    let mut one: serde_json::Value = serde_json::from_str(&whole).unwrap();
    let lists = &mut one["ietf-mud:mud"]["from-device-policy"]["access-lists"]["access-list"];
    lists.as_array_mut().unwrap().pop();
    stage.put(NewMud { file: one.to_string().into(), ..plain(&[]) }).await.unwrap();
    assert_eq!(told().await, before + 1);
    // Other names of entries say nothing.
    let named = one.to_string().replace("cl0-frdev", "first");
    assert_ne!(named, one.to_string());
    stage.put(NewMud { file: named.into(), ..plain(&[]) }).await.unwrap();
    assert_eq!(told().await, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_looks_at_all_of_its_devices_and_at_nobody_elses() {
    let stage = Stage::new().await;
    stage.put(plain(&[("gate.example", 8883)])).await.unwrap();
    stage.put(plain(&[("cloud.example", 443)])).await.unwrap();
    let (service, gate) = (stage.service(), product("gate"));
    let (admin, own) = (&stage.owner.admin, &stage.owner.id);
    stage
        .report(vec![
            stage.flow(0, "gate.example:8883"),
            stage.flow(0, "spy.example:443"),
            stage.flow(1, "late.example:1"),
        ])
        .await
        .unwrap();
    let others = vec![stage.flow(2, "secret.example:1")];
    service.report_flows(&stage.other.admin, &stage.other.id, others).await.unwrap();
    stage.tell(1, 1, &[("to", "spy.example:22/tcp")]).await;
    // Page by page, what was found last first, each once.
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = Page { after, limit: 3 };
        let some = service.outside_mud_of(admin, own, None, &page).await.unwrap();
        found.extend(some.items);
        after = some.next;
        if after.is_none() {
            break;
        }
    }
    let shown: Vec<_> = found.iter().map(|it| it.outside.connection.as_str()).collect();
    assert_eq!(shown[0], "to spy.example:22/tcp");
    assert_eq!(shown.len(), 4);
    assert!(!shown.iter().any(|it| it.contains("secret")), "{shown:?}");
    assert!(found.iter().all(|it| it.line.as_deref() == Some("maker/gate")));
    assert!(found.iter().all(|it| it.outside.version == Some(2)));
    assert!(found.iter().all(|it| it.outside.now == OutsideNow::Denied));
    // Of one device: which of the versions before allowed it.
    let rows = service.outside_mud(admin, &stage.id(0)).await.unwrap();
    let of = |to: &str| rows.iter().find(|it| it.connection.contains(to)).unwrap();
    assert_eq!((of("gate").allowed_by, of("spy").allowed_by), (Some(1), None));
    // Whose word it was, day by day; a day later is another day.
    let sums = async |line: Option<&(OrganisationId, device::ProductId)>| {
        let days = service.outside_mud_days(admin, own, line, 3).await.unwrap();
        days.iter().map(|it| (it.by_owner, it.by_devices)).collect::<Vec<_>>()
    };
    assert_eq!(sums(None).await, [(0, 0), (0, 0), (3, 1)]);
    stage.world.clock.advance(DAY);
    stage.report(vec![stage.flow(0, "spy.example:443")]).await.unwrap();
    assert_eq!(sums(None).await, [(0, 0), (3, 1), (1, 0)]);
    // Of a product line; of one that there is not, nothing.
    let line = (stage.maker.id.clone(), gate.clone());
    assert_eq!(sums(Some(&line)).await, sums(None).await);
    let (of, page) = ((&stage.maker.id, &gate), Page::default());
    let some = service.outside_mud_of(admin, own, Some(&line), &page).await.unwrap();
    assert_eq!(some.items.len(), 4);
    for (maker, product_of) in [(id("nobody"), gate.clone()), (id("maker"), product("none"))] {
        let none = (maker, product_of);
        let some = service.outside_mud_of(admin, own, Some(&none), &page).await.unwrap();
        assert!(some.items.is_empty());
        assert_eq!(sums(Some(&none)).await, [(0, 0); 3]);
    }
    assert_eq!(service.outside_mud_lines(admin, own).await.unwrap(), ["maker/gate"]);
    // The maker withdraws it: what was found stays, and nothing stands against it.
    service.withdraw_mud(&stage.maker.admin, of, "wrong").await.unwrap();
    let some = service.outside_mud_of(admin, own, None, &page).await.unwrap();
    assert!(some.items.iter().all(|it| it.outside.now == OutsideNow::NoFile));
    // Neither the maker nor another owner, nor who may not read alerts.
    for (caller, kind) in [
        (&stage.other.admin, ErrorKind::NotFound),
        (&stage.maker.admin, ErrorKind::NotFound),
        (&stage.owner.reader, ErrorKind::Forbidden),
    ] {
        let all = service.outside_mud_of(caller, own, None, &page).await.unwrap_err();
        let days = service.outside_mud_days(caller, own, None, 3).await.unwrap_err();
        let lines = service.outside_mud_lines(caller, own).await.unwrap_err();
        assert_eq!([all.kind(), days.kind(), lines.kind()], [kind; 3]);
    }
    // A device that is sold takes nothing with it, and its new owner sees nothing of before.
    stage.world.sell(&stage.owner, &stage.other, &stage.id(0)).await;
    let some = service.outside_mud_of(admin, own, None, &page).await.unwrap();
    assert!(some.items.iter().all(|it| it.device == stage.id(1)));
    let (admin, other) = (&stage.other.admin, &stage.other.id);
    let some = service.outside_mud_of(admin, other, None, &page).await.unwrap();
    assert!(some.items.iter().all(|it| it.device == stage.id(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_suggested_of_what_several_devices_did_on_several_days() {
    let mut stage = Stage::new().await;
    for _ in 0..2 {
        let more = stage.world.working(&stage.maker, "gate", &stage.owner).await;
        stage.devices.push(more);
    }
    let (own, gate) = ((stage.owner.admin.clone(), stage.owner.id.clone()), product("gate"));
    let line = (stage.maker.id.clone(), gate.clone());
    let service = stage.service().clone();
    let how =
        |devices: u32, days: u32| HowToSuggest { needed: Needed { devices, days }, url: None };
    let asked = async |devices: u32, days: u32| {
        let of = (&line.0, &line.1);
        service.suggest_mud(&own.0, &own.1, of, &how(devices, days)).await
    };
    let none = asked(3, 3).await.unwrap_err();
    assert_eq!((none.code(), none.kind()), ("too-little-seen", ErrorKind::Conflict));
    assert!(none.to_string().contains("mud observe"), "{none}");
    // Three devices on three days, one of them by its own log; and one that somebody took over.
    let mine = [0, 1, 3, 4];
    for day in 0..3_u8 {
        for device in mine {
            let seen = |to: &str| stage.flow(device, to);
            let mut flows = vec![
                seen("cloud.example:443"),
                seen(&format!("10.0.{device}.{day}:1883")),
                seen("192.168.1.1:53/udp"),
                seen("203.0.113.9:5684/udp"),
                Flow::new(stage.id(device), None, Some("198.51.100.66:23"), None).unwrap(),
            ];
            if device == 0 {
                flows.extend((0..100).map(|at| seen(&format!("evil{at}.example:443"))));
                flows.extend(std::iter::repeat_n(seen("evil.example:443"), 9));
            }
            if device != 4 {
                flows.push(seen("few.example:80"));
            }
            stage.report(flows).await.unwrap();
        }
        let (log, twice) = (10 + day, 20 + day);
        for log in [log, twice] {
            stage.tell(4, log, &[("to", "few.example:80/tcp")]).await;
        }
        stage.world.clock.advance(DAY);
    }
    // The one that shows more than is kept of it pushes out what it showed itself, and nothing of others.
    let (file, found) = asked(3, 3).await.unwrap();
    assert_eq!((found.devices, found.needed, found.days), (4, 3, 3));
    let mud = Mud::parse(&file).unwrap();
    let english = mud.english().join("\n");
    for told in ["cloud.example", "few.example", "203.0.113.9 ", "local networks"] {
        assert!(english.contains(told), "{told}: {english}");
    }
    let text = String::from_utf8(file.clone()).unwrap();
    for absent in ["evil", "198.51.100.66", "10.0.", "192.168."] {
        assert!(!text.contains(absent), "{absent}");
    }
    assert!(text.contains("4 devices, 3 days"), "{text}");
    assert!(text.contains("\"mud-url\": \"https://console.example/mud/maker/gate.json\""));
    // The same again is the same; a stricter question has no answer, and a looser one no other entry.
    assert_eq!(asked(3, 3).await.unwrap().0, file);
    assert!(asked(4, 3).await.is_ok());
    assert_eq!(asked(4, 4).await.unwrap_err().code(), "too-little-seen");
    assert_eq!(asked(5, 3).await.unwrap_err().code(), "too-little-seen");
    let loose = asked(2, 1).await.unwrap();
    assert!(!String::from_utf8(loose.0).unwrap().contains("evil"));
    for (devices, days) in [(1, 3), (65, 3), (3, 0), (3, 31)] {
        assert_eq!(asked(devices, days).await.unwrap_err().code(), "mud-suggestion");
    }
    // Of what one device showed no more is kept than it may have.
    let evil = found.seen.iter().filter(|(it, _)| it.door.to_string().contains("evil")).count();
    assert!((1..=63).contains(&evil), "{evil}");
    // What is suggested is kept, and holds for what was seen.
    let new = NewMud { file, signature: None, anchors: None, reason: "as suggested".into() };
    stage.put(new).await.unwrap();
    let flows = vec![stage.flow(0, "cloud.example:443"), stage.flow(0, "evil.example:443")];
    let judged = stage.report(flows).await.unwrap();
    assert_eq!((judged.allowed, judged.outside.len()), (1, 1));
    // Nobody sees what another's devices do: not the maker, nor another owner of the same product line.
    let of = (&line.0, &line.1);
    for (caller, organisation, kind) in [
        (&stage.maker.admin, &stage.owner.id, ErrorKind::NotFound),
        (&stage.other.admin, &stage.owner.id, ErrorKind::NotFound),
        (&stage.owner.reader, &stage.owner.id, ErrorKind::Forbidden),
        (&stage.maker.admin, &stage.maker.id, ErrorKind::Conflict),
        (&stage.other.admin, &stage.other.id, ErrorKind::Conflict),
    ] {
        let refused = service.suggest_mud(caller, organisation, of, &how(2, 1)).await.unwrap_err();
        assert_eq!(refused.kind(), kind);
    }
    for line in [(id("nobody"), gate.clone()), (id("maker"), product("none"))] {
        let of = (&line.0, &line.1);
        let refused = service.suggest_mud(&own.0, &own.1, of, &how(2, 1)).await.unwrap_err();
        assert_eq!(refused.code(), "too-little-seen");
    }
    // A device that is sold takes what it showed with it, and a month later nothing counts.
    stage.world.sell(&stage.owner, &stage.other, &stage.id(1)).await;
    assert_eq!(asked(4, 3).await.unwrap_err().code(), "too-little-seen");
    assert_eq!(asked(3, 3).await.unwrap().1.devices, 3);
    stage.world.clock.advance(31 * DAY);
    assert_eq!(asked(2, 1).await.unwrap_err().code(), "too-little-seen");
}

#[tokio::test(flavor = "multi_thread")]
async fn idevids_name_the_file_that_their_maker_says() {
    let stage = Stage::new().await;
    let (service, gate, signer) = (stage.service(), product("gate"), Signer::new());
    let of = (&stage.maker.id, &gate);
    let admin = &stage.maker.admin;
    let says = |working: &Working| {
        let both = [&working.idevid.certificate, &working.ldevid.certificate];
        both.map(|it| it.extensions().mud().map(|mud| mud.unwrap()))
    };
    assert_eq!(says(&stage.devices[0]), [None, None]);
    assert_eq!(service.mud_reference(admin, of).await, Ok(None));
    let url = "https://maker.example/gate.json";
    let pem = signer.chain[0].to_pem();
    let set =
        service.set_mud_reference(admin, of, url, NamedSigner::Certificate(&pem)).await.unwrap();
    assert!(set.signer.unwrap().contains("Maker MUD"));
    let made = stage.world.working(&stage.maker, "gate", &stage.owner).await;
    let [Some(idevid), None] = says(&made) else { panic!("the IDevID alone says so") };
    assert_eq!(idevid.url(), url);
    assert_eq!(idevid.signer_der(), Some(signer.chain[0].subject_der()));
    // Another address counts at once, with the signer who was named; then none. What was issued stays.
    let other = "https://other.example/";
    let before = NamedSigner::AsBefore;
    let set = service.set_mud_reference(admin, of, other, before).await.unwrap();
    assert!(set.url == other && set.signer.unwrap().contains("Maker MUD"));
    service.set_mud_reference(admin, of, other, NamedSigner::Nobody).await.unwrap();
    let set = service.set_mud_reference(admin, of, other, before).await.unwrap();
    assert_eq!(set.signer, None);
    let made = stage.world.working(&stage.maker, "gate", &stage.owner).await;
    assert_eq!(says(&made)[0].as_ref().unwrap().signer_der(), None);
    service.end_mud_reference(admin, of).await.unwrap();
    let gone = service.end_mud_reference(admin, of).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    let made = stage.world.working(&stage.maker, "gate", &stage.owner).await;
    assert_eq!(says(&made), [None, None]);
    for (url, signer, code) in [
        ("http://maker.example/", NamedSigner::Nobody, "mud-url"),
        ("https://", NamedSigner::Nobody, "mud-url"),
        ("https://maker.example/ x", before, "mud-url"),
        (url, NamedSigner::Certificate("no PEM"), "mud-signer"),
        (url, NamedSigner::Certificate(&"x".repeat(65_537)), "mud-signer"),
    ] {
        let refused = service.set_mud_reference(admin, of, url, signer).await.unwrap_err();
        assert_eq!(refused.code(), code);
    }
    // It is the maker's administrators' to say.
    for (caller, kind) in [
        (&stage.owner.admin, ErrorKind::NotFound),
        (&stage.maker.reader, ErrorKind::Forbidden),
        (&stage.maker.station, ErrorKind::Forbidden),
    ] {
        let set = service.set_mud_reference(caller, of, url, before).await.unwrap_err();
        let ended = service.end_mud_reference(caller, of).await.unwrap_err();
        assert_eq!((set.kind(), ended.kind()), (kind, kind));
    }
    let read = service.mud_reference(&stage.owner.admin, of).await.unwrap_err();
    assert_eq!(read.kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_counts_has_room_and_what_was_taken_over_does_not_count() {
    let mut stage = Stage::new().await;
    let more = stage.world.working(&stage.maker, "gate", &stage.owner).await;
    stage.devices.push(more);
    let (maker, gate) = (stage.maker.id.clone(), product("gate"));
    let service = stage.service().clone();
    let asked = async || {
        let needed = Needed { devices: 3, days: 3 };
        let how = HowToSuggest { needed, url: None };
        let (admin, own) = (&stage.owner.admin, &stage.owner.id);
        let made = service.suggest_mud(admin, own, (&maker, &gate), &how).await;
        made.map(|(file, _)| String::from_utf8(file).unwrap())
    };
    let three_days = async |doors: &[String]| {
        for _ in 0..3 {
            for device in [0, 1, 3] {
                let flows = doors.iter().map(|door| stage.flow(device, door)).collect();
                stage.report(flows).await.unwrap();
            }
            stage.world.clock.advance(DAY);
        }
    };
    // More addresses than a device has room for, as a name in the DNS has them; the name stays.
    let mut doors: Vec<String> = (1..=80).map(|it| format!("198.51.100.{it}:443")).collect();
    doors.push("cloud.example:8883".into());
    three_days(&doors).await;
    let file = asked().await.unwrap();
    assert!(file.contains("cloud.example") && file.contains("198.51.100."), "{file}");
    // Half a year later all of that is over, and fills no room of what is new.
    stage.world.clock.advance(180 * DAY);
    assert_eq!(asked().await.unwrap_err().code(), "too-little-seen");
    three_days(&["new.example:443".into(), "cloud.example:8883".into()]).await;
    let file = asked().await.unwrap();
    assert!(file.contains("new.example") && !file.contains("198.51.100."));
    // Seen again after so long it begins anew: no days of before are counted.
    assert!(file.contains("3 devices, 3 days") && !file.contains(", 6 days"), "{file}");
    // One of them was taken over: what it did says nothing, nor what is seen of it as long as it is suspended.
    let (admin, id) = (&stage.owner.admin, stage.id(0));
    service.suspend_device(admin, &id, Cause::Anomaly).await.unwrap();
    assert_eq!(asked().await.unwrap_err().code(), "too-little-seen");
    three_days(&["new.example:443".into()]).await;
    service.release_device(admin, &id).await.unwrap();
    assert_eq!(asked().await.unwrap_err().code(), "too-little-seen");
    three_days(&["new.example:443".into()]).await;
    assert!(asked().await.is_ok());
    // Where there is no room left, a name that is new has some, though all else has more days.
    let mut doors: Vec<String> = (1..=64).map(|it| format!("198.51.100.{it}:443")).collect();
    three_days(&doors).await;
    doors.push("update.example:443".into());
    three_days(&doors).await;
    assert!(asked().await.unwrap().contains("update.example"));
    // A clock that was a year ahead for a moment leaves nothing that counts until then.
    stage.world.clock.advance(365 * DAY);
    three_days(&["later.example:443".into()]).await;
    stage.world.clock.advance(-365 * DAY);
    assert!(asked().await.is_err_and(|error| error.code() == "too-little-seen"));
    three_days(&["later.example:443".into()]).await;
    let file = asked().await.unwrap();
    assert!(file.contains("later.example") && file.contains("3 devices, 3 days"));
}
