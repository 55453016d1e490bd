//! The logs of devices (LG-5): what is told becomes security events that say who told it, what is
//! missing or changed shows, and no device floods the audit log.

use crate::world::{NOW, Working, World, csr, key};
use admission::{
    TopicName,
    device_log::{
        Began, LogEntry, LogId, LogKind, LogOutcome, LogPlace, LogSeverity, encode_segment,
    },
};
use audit::{Door, Kind, Outcome, SecurityEvent, Severity};
use device::{DeviceKind, EventKind};
use service::{
    AuditQuery, Caller, DeviceLogStretchView, DoorSender, EnrolRequest, ErrorKind, IncomingMessage,
    MessageDoor, MessageRefused, Page,
};

/// A device's side.
#[derive(Clone)]
struct Log {
    id: LogId,
    places: Vec<LogPlace>,
    bytes: Vec<Vec<u8>>,
}

impl Log {
    fn new(id: u8) -> Self {
        let id = LogId([id; 8]);
        Self { id, places: vec![LogPlace::start(&id)], bytes: Vec::new() }
    }

    fn write(&mut self, entry: &LogEntry) {
        let (place, bytes) = self.places.last().unwrap().append(entry).unwrap();
        self.places.push(place);
        self.bytes.push(bytes);
    }

    fn logins(&mut self, count: usize) {
        for _ in 0..count {
            let time = self.places.last().unwrap().time + 1;
            let entry =
                LogEntry::new(time, LogKind::LocalLogin, LogSeverity::Low, LogOutcome::Failure);
            self.write(&entry);
        }
    }

    fn segment(&self, from: usize, to: usize) -> Vec<u8> {
        encode_segment(&self.id, &self.places[from - 1], 0, &self.bytes[from - 1..to])
    }
}

async fn at_door(world: &World, certificate: &pki::Certificate) -> DoorSender {
    let caller = world.service.identify_certificate(certificate).await.unwrap();
    world.service.door_sender(&caller, certificate).unwrap()
}

async fn tells(world: &World, from: &DoorSender, payload: &[u8]) -> Result<(), String> {
    let message = IncomingMessage {
        door: MessageDoor::Mqtt,
        topic: from.space().absolute(TopicName::new("me/up/log").unwrap()).unwrap(),
        payload: payload.into(),
        media_type: Some("application/cbor".into()),
        made_at: None,
        counter: None,
        retain: None,
        expires_s: None,
        acknowledged: false,
    };
    world.service.take_message(from, &message).await.map(|_| ()).map_err(|error| match error {
        MessageRefused::Refused(refusal) | MessageRefused::Enclosed(refusal) => {
            refusal.code().to_owned()
        }
        MessageRefused::Failed(error) => error.to_string(),
    })
}

/// Security events of a kind, the oldest first.
async fn events(world: &World, caller: &Caller, whose: &str, kind: Kind) -> Vec<SecurityEvent> {
    let query = AuditQuery {
        organisation: Some(crate::world::id(whose)),
        kind: Some(kind),
        ..AuditQuery::default()
    };
    let page = Page { after: None, limit: 1000 };
    let found = world.service.audit_trail(caller, &query, &page).await.unwrap();
    found.items.into_iter().rev().map(|it| it.event).collect()
}

fn detail<'a>(event: &'a SecurityEvent, key: &str) -> &'a str {
    event.details().find_map(|(name, value)| (name == key).then_some(value)).unwrap_or("")
}

fn shape(stretches: &[DeviceLogStretchView]) -> Vec<(Began, u64, u64, u64, u64)> {
    let each = stretches.iter().rev().map(|it| {
        assert_eq!(it.broken_at, None);
        (it.because, it.before.sequence + 1, it.last.sequence, it.missing, it.kept)
    });
    each.collect()
}

async fn world() -> (World, crate::world::Org, Working, DoorSender) {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let device = world.working(&maker, "gate", &owner).await;
    let sender = at_door(&world, &device.ldevid.certificate).await;
    (world, owner, device, sender)
}

#[tokio::test]
async fn what_a_device_tells_is_on_record_as_told_by_it_and_once() {
    let (world, owner, device, sender) = world().await;
    let (service, id) = (&world.service, device.thing.id);
    let mut log = Log::new(1);
    log.write(&LogEntry::new(
        NOW - 60,
        LogKind::Boot,
        LogSeverity::Informational,
        LogOutcome::Success,
    ));
    let mut login =
        LogEntry::new(NOW - 5, LogKind::LocalLogin, LogSeverity::High, LogOutcome::Failure);
    login.actor = Some("root\u{202e}\n".into());
    login.details.insert("hash".into(), "forged".into());
    log.write(&login);
    let mut opened =
        LogEntry::new(17, LogKind::Physical, LogSeverity::Critical, LogOutcome::Success);
    opened.boot = Some(7);
    log.write(&opened);
    tells(&world, &sender, &log.segment(1, 2)).await.unwrap();
    for _ in 0..3 {
        tells(&world, &sender, &log.segment(1, 3)).await.unwrap();
    }
    let told = events(&world, &owner.admin, "owner", Kind::DeviceLog).await;
    assert_eq!(told.len(), 3, "each once");
    for event in &told {
        assert_eq!(event.door_of(), Door::Device);
        assert_eq!(event.actor_of(), Some(format!("device {id}").as_str()));
        assert_eq!(event.at().0, NOW, "by the platform's clock");
        assert_eq!(detail(event, "door"), "mqtt");
    }
    assert_eq!(detail(&told[0], "what"), "boot");
    assert_eq!((told[1].outcome(), told[1].severity_of()), (Outcome::Failure, Severity::High));
    assert_eq!(detail(&told[1], "d_hash"), "forged");
    assert_eq!(detail(&told[1], "hash"), log.places[2].hash.to_string());
    assert_eq!(detail(&told[1], "device_actor"), "root\u{fffd}\u{fffd}");
    assert_eq!(detail(&told[2], "device_time"), "start 7 + 17 s");
    assert!(events(&world, &owner.admin, "owner", Kind::DeviceLogBroken).await.is_empty());

    let page =
        service.device_log(&owner.admin, &id, &Page { after: None, limit: 2 }).await.unwrap();
    let numbers: Vec<u64> = page.items.iter().map(|it| it.sequence).collect();
    assert_eq!((numbers, page.next.is_some()), (vec![3, 2], true));
    assert_eq!(page.items[0].entry, opened);
    let next = Page { after: page.next, limit: 2 };
    let rest = service.device_log(&owner.admin, &id, &next).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
    let stretches = service.device_log_stretches(&owner.admin, &id).await.unwrap();
    assert_eq!(shape(&stretches), [(Began::First, 1, 3, 0, 3)]);
    // What is no segment is refused, and nobody else reads it.
    assert_eq!(tells(&world, &sender, b"\xa0").await, Err("schema".into()));
    let stranger = world.owner("stranger").await;
    for who in [&stranger.admin, &world.maker("maker-b", "lamp", DeviceKind::Device).await.admin] {
        let refused = service.device_log(who, &id, &Page::default()).await.unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::NotFound | ErrorKind::Forbidden));
        assert!(service.device_log_stretches(who, &id).await.is_err());
    }
}

#[tokio::test]
async fn what_is_missing_changed_or_begun_anew_shows() {
    let (world, owner, device, sender) = world().await;
    let (service, id) = (&world.service, device.thing.id);
    let mut log = Log::new(1);
    log.logins(10);
    let mut copy = log.clone();
    log.logins(10);
    copy.write(&LogEntry::new(99, LogKind::Boot, LogSeverity::Low, LogOutcome::Success));
    tells(&world, &sender, &log.segment(3, 5)).await.unwrap();
    tells(&world, &sender, &log.segment(9, 12)).await.unwrap();
    tells(&world, &sender, &log.segment(6, 8)).await.unwrap();
    tells(&world, &sender, &copy.segment(10, 11)).await.unwrap();
    let mut anew = Log::new(2);
    anew.logins(2);
    tells(&world, &sender, &anew.segment(1, 2)).await.unwrap();
    let stretches = service.device_log_stretches(&owner.admin, &id).await.unwrap();
    let expected = [
        (Began::First, 3, 8, 2, 6),
        (Began::Gap, 9, 12, 3, 4),
        (Began::Fork, 11, 11, 0, 1),
        (Began::Restart, 1, 2, 0, 2),
    ];
    assert_eq!(shape(&stretches), expected);
    let broken = events(&world, &owner.admin, "owner", Kind::DeviceLogBroken).await;
    let reasons: Vec<_> = broken.iter().map(|it| detail(it, "reason")).collect();
    assert_eq!(reasons, ["gap", "gap", "fork", "restart"]);
    for event in &broken {
        assert!(event.severity_of() >= Severity::High);
        assert_eq!(event.door_of(), Door::Internal, "the platform saw this itself");
    }
    assert_eq!(detail(&broken[1], "missing"), "3");
    assert_eq!(detail(&broken[2], "heard_sequence"), "12");
}

#[tokio::test]
async fn rows_that_somebody_changed_are_found() {
    let (world, owner, device, sender) = world().await;
    let id = device.thing.id;
    let mut log = Log::new(1);
    log.logins(5);
    tells(&world, &sender, &log.segment(1, 5)).await.unwrap();
    // Whoever changes the last entry and makes the chain fit still has the audit log against him.
    let mut other = log.clone();
    other.bytes.pop();
    other.places.pop();
    let changed = LogEntry::new(9, LogKind::Boot, LogSeverity::Low, LogOutcome::Success);
    other.write(&changed);
    let connection = rusqlite::Connection::open(world.path().join("tegata.db")).unwrap();
    let hash = other.places[5].hash;
    connection
        .execute(
            "UPDATE device_log_entry SET entry = ?1, hash = ?2, time = 9 WHERE sequence = 5",
            rusqlite::params![other.bytes[4], hash.as_bytes()],
        )
        .unwrap();
    connection
        .execute("UPDATE device_log_run SET last_hash = ?1, last_time = 9", [hash.as_bytes()])
        .unwrap();
    let stretches = world.service.device_log_stretches(&owner.admin, &id).await.unwrap();
    assert_eq!(stretches[0].broken_at, Some(5));
    connection.execute("UPDATE device_log_entry SET time = 7 WHERE sequence = 2", []).unwrap();
    let stretches = world.service.device_log_stretches(&owner.admin, &id).await.unwrap();
    assert_eq!(stretches[0].broken_at, Some(2));
}

#[tokio::test]
async fn a_device_that_tells_too_much_is_summed_up() {
    let (world, owner, device, sender) = world().await;
    let id = device.thing.id;
    let mut log = Log::new(1);
    log.logins(180);
    let mut tamper = LogEntry::new(
        log.places[180].time,
        LogKind::Physical,
        LogSeverity::Critical,
        LogOutcome::Success,
    );
    tamper.subject = Some("case".into());
    log.write(&tamper);
    for (from, to) in [(1, 64), (65, 128), (129, 181)] {
        tells(&world, &sender, &log.segment(from, to)).await.unwrap();
    }
    let told = events(&world, &owner.admin, "owner", Kind::DeviceLog).await;
    assert_eq!(told.len(), 121, "what matters most still finds room");
    assert_eq!(detail(&told[120], "what"), "physical");
    let kept = world.service.device_log_stretches(&owner.admin, &id).await.unwrap();
    assert_eq!(shape(&kept), [(Began::First, 1, 181, 0, 181)], "all of it is kept");
    let limits = || async { events(&world, &owner.admin, "owner", Kind::RateLimit).await };
    assert_eq!(limits().await.len(), 1, "said once");
    world.service.settle_messages().await.unwrap();
    assert_eq!(limits().await.len(), 1);
    world.clock.advance(3600);
    world.service.settle_messages().await.unwrap();
    world.service.settle_messages().await.unwrap();
    let limits = limits().await;
    assert_eq!(limits.len(), 2);
    assert_eq!(detail(&limits[1], "count"), "60");
    assert_eq!(detail(&limits[1], "hash"), log.places[181].hash.to_string());
    // Another hour has room of its own.
    log.logins(1);
    tells(&world, &sender, &log.segment(182, 182)).await.unwrap();
    assert_eq!(events(&world, &owner.admin, "owner", Kind::DeviceLog).await.len(), 122);
}

#[tokio::test]
async fn other_cuts_lose_nothing_and_what_comes_late_with_gaps_is_a_break() {
    let (world, owner, device, sender) = world().await;
    let (service, id) = (&world.service, device.thing.id);
    let mut log = Log::new(1);
    log.logins(40);
    for (from, to) in [(5, 10), (1, 12), (30, 40), (20, 22)] {
        tells(&world, &sender, &log.segment(from, to)).await.unwrap();
    }
    let stretches = service.device_log_stretches(&owner.admin, &id).await.unwrap();
    let expected = [
        (Began::First, 5, 12, 4, 8),
        (Began::Late, 1, 4, 0, 4),
        (Began::Gap, 30, 40, 17, 11),
        (Began::Late, 20, 22, 7, 3),
    ];
    assert_eq!(shape(&stretches), expected);
    let broken = events(&world, &owner.admin, "owner", Kind::DeviceLogBroken).await;
    let each: Vec<_> = broken.iter().map(|it| (detail(it, "reason"), it.outcome())).collect();
    let expected = [
        ("gap", Outcome::Failure),
        ("late", Outcome::Success),
        ("gap", Outcome::Failure),
        ("late", Outcome::Failure),
    ];
    assert_eq!(each, expected);
    assert!(broken[3].severity_of() >= Severity::High);
}

#[tokio::test]
async fn a_device_that_is_taken_over_does_not_push_out_what_it_said() {
    let (world, owner, device, sender) = world().await;
    let (service, id) = (&world.service, device.thing.id);
    let mut log = Log::new(0);
    log.logins(1);
    tells(&world, &sender, &log.segment(1, 1)).await.unwrap();
    let too_much = || Err("device-rate".to_owned());
    let mut number = 0;
    for hour in 0..11 {
        // In the first hour one has begun, and two are too much.
        for begun in if hour == 0 { 1..11 } else { 0..8 } {
            number += 1;
            let mut other = Log::new(number);
            other.logins(1);
            let expected = if begun < 8 { Ok(()) } else { too_much() };
            assert_eq!(tells(&world, &sender, &other.segment(1, 1)).await, expected);
        }
        if hour == 0 {
            assert_eq!(tells(&world, &sender, &log.segment(1, 1)).await, Ok(()), "heard before");
        }
        world.clock.advance(3600);
    }
    let stretches = service.device_log_stretches(&owner.admin, &id).await.unwrap();
    assert_eq!(stretches.len(), 64 + 7, "the oldest go, not at each");
    assert!(stretches.iter().all(|it| it.kept == 1 && it.broken_at.is_none()));
    let connection = rusqlite::Connection::open(world.path().join("tegata.db")).unwrap();
    let rows = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let kept = rows("SELECT count(*) FROM device_log_entry");
    assert_eq!(usize::try_from(kept).unwrap(), stretches.len());
    assert_eq!(rows("SELECT kept FROM device_log"), kept);
}

#[tokio::test]
async fn entries_of_an_hour_have_a_bound() {
    let (world, owner, _device, sender) = world().await;
    let too_much = || Err("device-rate".to_owned());
    let mut long = Log::new(1);
    long.logins(2100);
    for at in 0..31 {
        tells(&world, &sender, &long.segment(at * 64 + 1, at * 64 + 64)).await.unwrap();
    }
    assert_eq!(tells(&world, &sender, &long.segment(1985, 2048)).await, too_much());
    assert_eq!(tells(&world, &sender, &long.segment(1953, 2000)).await, Ok(()));
    assert_eq!(tells(&world, &sender, &long.segment(2001, 2001)).await, too_much());
    assert_eq!(tells(&world, &sender, &long.segment(1985, 2000)).await, Ok(()), "heard before");
    world.service.settle_messages().await.unwrap();
    let limits = events(&world, &owner.admin, "owner", Kind::RateLimit).await;
    assert!(limits.iter().any(|it| detail(it, "reason") == "device-rate"));
    world.clock.advance(3600);
    assert_eq!(tells(&world, &sender, &long.segment(1985, 2048)).await, Ok(()));
}

/// The device's way to another owner, with a log of its own there.
async fn sold(
    world: &World,
    from: &crate::world::Org,
    device: &Working,
) -> (crate::world::Org, DoorSender) {
    let id = device.thing.id;
    let buyer = world.owner("buyer").await;
    world.sell(from, &buyer, &id).await;
    let onboarded = EventKind::Onboarded { owner: buyer.id.clone() };
    world.report(&buyer, &id, onboarded).await.unwrap();
    let caller = world.service.identify_certificate(&device.idevid.certificate).await.unwrap();
    let request = EnrolRequest { label: None, csr: csr(&key(), &device.thing.serial) };
    let ldevid = world.service.enrol_device(&caller, &request, None).await.unwrap();
    let sender = at_door(world, &ldevid.certificate).await;
    (buyer, sender)
}

#[tokio::test]
async fn a_sale_is_no_break_and_tells_nothing_of_the_former_log() {
    let (world, owner, device, sender) = world().await;
    let id = device.thing.id;
    let mut log = Log::new(1);
    log.logins(6);
    tells(&world, &sender, &log.segment(1, 4)).await.unwrap();
    let (buyer, sender) = sold(&world, &owner, &device).await;
    let (mut anew, mut third) = (Log::new(2), Log::new(3));
    anew.logins(9);
    third.logins(1);
    tells(&world, &sender, &anew.segment(3, 4)).await.unwrap();
    let stretches = world.service.device_log_stretches(&buyer.admin, &id).await.unwrap();
    assert_eq!(shape(&stretches), [(Began::Owner, 3, 4, 2, 2)]);
    assert!(events(&world, &buyer.admin, "buyer", Kind::DeviceLogBroken).await.is_empty());
    // What breaks afterwards shows, and names what the buyer heard.
    tells(&world, &sender, &anew.segment(9, 9)).await.unwrap();
    tells(&world, &sender, &third.segment(1, 1)).await.unwrap();
    let broken = events(&world, &buyer.admin, "buyer", Kind::DeviceLogBroken).await;
    let heard: Vec<_> = broken.iter().map(|it| detail(it, "heard_log")).collect();
    let own = anew.id.to_string();
    assert_eq!(heard, [own.as_str(), own.as_str()]);
    assert!(broken.iter().all(|it| it.outcome() == Outcome::Failure));
}

#[tokio::test]
async fn a_later_owner_reads_nothing_of_a_former_one() {
    let (world, owner, device, sender) = world().await;
    let id = device.thing.id;
    let mut log = Log::new(1);
    log.logins(6);
    tells(&world, &sender, &log.segment(1, 4)).await.unwrap();
    let former = sender;
    let (buyer, sender) = sold(&world, &owner, &device).await;
    // The former owner's certificate tells nobody anything any more.
    assert!(tells(&world, &former, &log.segment(5, 6)).await.is_err());
    tells(&world, &sender, &log.segment(3, 6)).await.unwrap();
    let page = world.service.device_log(&buyer.admin, &id, &Page::default()).await.unwrap();
    assert_eq!(page.items.iter().map(|it| it.sequence).collect::<Vec<_>>(), [6, 5]);
    let stretches = world.service.device_log_stretches(&buyer.admin, &id).await.unwrap();
    assert_eq!(shape(&stretches), [(Began::Owner, 5, 6, 0, 2)], "and nothing is missing");
    assert_eq!(events(&world, &buyer.admin, "buyer", Kind::DeviceLog).await.len(), 2);
    assert!(events(&world, &buyer.admin, "buyer", Kind::DeviceLogBroken).await.is_empty());
}
