//! The page behind a printed number: what it says, to whom, how often, and what it keeps.

use crate::world::{World, id, product};
use crypto::{UnixTime, sha256};
use device::{
    Cause, DeviceKind, EventKind, ManagementNumber, Outcome, Proof, SignedProof, scan::Place,
};
use service::{
    ErrorKind, Finding, Firmware, LabelScheme, Page, ProductChange, PublicPhase, PublicVisitor,
    PublicWarning, SecurityLabel, Sureness, UpdateState, VerifyRequest,
};

const GTIN: &str = "09506000134352";

fn visitor(address: &str) -> PublicVisitor {
    PublicVisitor { address: address.parse().unwrap(), place: None, counts: true }
}

fn change() -> ProductChange {
    ProductChange {
        support_end: Some(Some(UnixTime(1_900_000_000))),
        gtin: Some(Some(GTIN.parse().unwrap())),
        name_ja: Some(Some("ドアセンサー".into())),
        name_en: Some(Some("Door sensor".into())),
        contact_url: Some(Some("https://maker.example/support".into())),
        firmware: Some(Some(Firmware { version: "2.4.1".into(), digest: Some(sha256(b"2.4.1")) })),
        labels: Some(vec![SecurityLabel {
            scheme: LabelScheme::JcStar,
            level: Some("★1".into()),
            number: Some("12345".into()),
            url: Some("https://labels.example/12345".into()),
            valid_until: Some(UnixTime(1_850_000_000)),
        }]),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_learns_what_is_public_and_nothing_else() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("secret-owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let device = working.thing.id;
    let number = world.service.device(&owner.admin, &device).await.unwrap().management_number;
    world
        .service
        .change_product(&maker.admin, &maker.id, &product("gate"), change())
        .await
        .unwrap();

    let look = async || {
        world.service.public_passport(&number, None, &visitor("192.0.2.1")).await.unwrap().unwrap()
    };
    let page = look().await;
    assert_eq!((page.finding, page.sureness), (Finding::Genuine, Sureness::Fair), "{page:?}");
    assert_eq!(page.maker, "maker");
    assert_eq!(page.public.name_ja.as_deref(), Some("ドアセンサー"));
    assert_eq!(page.support_end, Some(UnixTime(1_900_000_000)));
    assert_eq!(page.phase, Some(PublicPhase::InUse));
    assert_eq!(page.update, UpdateState::Unknown, "it never reported");
    let shown = format!("{page:?}");
    for secret in ["secret-owner", working.thing.serial.as_str(), "Taro", &device.to_string()] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }

    // The device reports its firmware with its proof: an old one, then the newest.
    for (counter, firmware, expected) in
        [(1, b"2.4.0".as_slice(), UpdateState::Other), (2, b"2.4.1", UpdateState::Newest)]
    {
        let challenge = world.service.challenge(&device).await.unwrap();
        let proof = Proof::answer(&challenge, counter, None, Some(sha256(firmware)));
        let proof = SignedProof::sign(&working.local_key, &proof).unwrap().as_bytes().to_vec();
        let request = VerifyRequest { proof: Some(proof), ..VerifyRequest::default() };
        let verdict = world.service.verify_device(&owner.admin, &device, request).await.unwrap();
        assert_eq!(verdict.outcome, Outcome::Genuine, "{verdict:?}");
        world.clock.advance(60);
        assert_eq!(look().await.update, expected);
    }
    world.clock.advance(91 * 86_400);
    assert_eq!(look().await.update, UpdateState::Unknown, "an old report says nothing of today");
    world.clock.advance(-91 * 86_400);

    // Stolen: seen by the very next look-up, although answers are kept for a while.
    assert_eq!(look().await.finding, Finding::Genuine);
    world.service.suspend_device(&owner.admin, &device, Cause::Lost).await.unwrap();
    let page = look().await;
    assert_eq!(page.finding, Finding::CannotTell);
    assert_eq!(page.warnings, [PublicWarning::LostOrStolen]);
    world.service.release_device(&owner.admin, &device).await.unwrap();
    world.clock.advance(60);
    assert_eq!(look().await.finding, Finding::Genuine);

    world.report(&owner, &device, EventKind::Retired { cause: Cause::EndOfUse }).await.unwrap();
    world.clock.advance(60);
    assert_eq!(look().await.warnings, [PublicWarning::Retired]);
    world.report(&owner, &device, EventKind::Disposed { erasure_proof: None }).await.unwrap();
    world.clock.advance(60);
    let page = look().await;
    assert_eq!((page.finding, page.sureness), (Finding::NotGenuine, Sureness::Firm), "{page:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_not_found_looks_alike_and_costs() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    world
        .service
        .change_product(&maker.admin, &maker.id, &product("gate"), change())
        .await
        .unwrap();
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let number = world.service.device(&maker.admin, &thing.id).await.unwrap().management_number;
    let new = service::NewDevice { id: None, serial_number: "SN-unborn".into() };
    let unborn = world
        .service
        .register_devices(&maker.station, &maker.id, &product("gate"), vec![new])
        .await
        .unwrap()
        .remove(0)
        .unwrap()
        .management_number;
    let stranger = ManagementNumber::from_random([9; 13]);
    let service = &world.service;
    let gtin = |text: &str| Some(text.parse().unwrap());
    let found = service.public_passport(&number, gtin(GTIN), &visitor("192.0.2.1")).await.unwrap();
    assert_eq!(found.unwrap().number, number);
    for (number, gtin) in
        [(stranger, None), (unborn, None), (number, gtin("4912345678904")), (stranger, gtin(GTIN))]
    {
        let answer = service.public_passport(&number, gtin, &visitor("192.0.2.9")).await.unwrap();
        assert_eq!(answer, None);
    }
    let mut tried = 0;
    let refused = loop {
        match service.public_passport(&stranger, None, &visitor("198.51.100.7")).await {
            Ok(None) => tried += 1,
            other => break other.unwrap_err(),
        }
        assert!(tried < 100);
    };
    assert_eq!((tried, refused.kind()), (6, ErrorKind::TooMany), "{refused}");
    assert_eq!(refused.code(), "too-many-lookups");
    // Others are not held up by it.
    let other = service.public_passport(&number, None, &visitor("198.51.100.8")).await.unwrap();
    assert!(other.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn look_ups_from_afar_lower_confidence_for_a_while_and_owners_hear_of_it() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let other = world.maker("other", "lamp", DeviceKind::Device).await;
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let number = world.service.device(&maker.admin, &thing.id).await.unwrap().management_number;
    let service = &world.service;
    let look = async |address: &str, place: (f64, f64), counts: bool| {
        let place = Place::from_degrees(place.0, place.1);
        let visitor = PublicVisitor { place, counts, ..visitor(address) };
        service.public_passport(&number, None, &visitor).await.unwrap().unwrap()
    };
    let (tokyo, london, lima) = ((35.7, 139.8), (51.5, -0.1), (-12.0, -77.0));
    look("192.0.2.1", tokyo, true).await;
    // A browser that only guesses, or a look at the header, is no sighting.
    look("198.51.100.1", london, false).await;
    world.clock.advance(1200);
    look("203.0.113.1", london, true).await;
    world.clock.advance(1200);
    assert_eq!(look("192.0.2.1", tokyo, false).await.sureness, Sureness::Fair, "one journey");
    look("198.51.100.9", lima, true).await;
    world.clock.advance(60);
    // The writer is told without waiting; a command that waits comes after it.
    service.change_product(&maker.admin, &maker.id, &product("gate"), change()).await.unwrap();
    let page = look("192.0.2.1", tokyo, false).await;
    assert_eq!((page.finding, page.sureness), (Finding::Genuine, Sureness::Weak), "{page:?}");

    let view = service.scans(&maker.admin, &thing.id).await.unwrap();
    assert_eq!((view.report.sightings, view.report.networks), (3, 3));
    assert_eq!(view.concern.unwrap().0, page.concern.unwrap());
    let alarms = service.scan_alarms(&maker.admin, &maker.id, &Page::default()).await.unwrap();
    assert_eq!(alarms.items.len(), 1);
    assert_eq!((alarms.items[0].device, alarms.items[0].number), (thing.id, number));
    // Nobody else hears.
    let stranger = service.scans(&other.admin, &thing.id).await.unwrap_err();
    assert_eq!(stranger.kind(), ErrorKind::NotFound);
    let own = service.scan_alarms(&other.admin, &other.id, &Page::default()).await.unwrap();
    assert!(own.items.is_empty());
    let foreign = service.scan_alarms(&other.admin, &maker.id, &Page::default()).await.unwrap_err();
    assert_eq!(foreign.kind(), ErrorKind::NotFound);

    // What is stored leads to no network, and no address stands anywhere in the database.
    let path = world.path().join("tegata.db");
    let reader = rusqlite::Connection::open(&path).unwrap();
    let rows: i64 = reader.query_row("SELECT count(*) FROM scan", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 3);
    let columns: String = reader
        .query_row("SELECT group_concat(name) FROM pragma_table_info('scan')", [], |row| row.get(0))
        .unwrap();
    assert_eq!(columns, "id,device,at,epoch,network,latitude,longitude");

    // It decays after a week, and is deleted after thirty days.
    world.clock.advance(8 * 86_400);
    assert_eq!(look("192.0.2.1", tokyo, false).await.sureness, Sureness::Fair);
    let alarms = service.scan_alarms(&maker.admin, &maker.id, &Page::default()).await.unwrap();
    assert!(alarms.items.is_empty());
    world.clock.advance(23 * 86_400);
    let dir = world.path().to_owned();
    let clock = world.clock.clone();
    world.service.close();
    // Opening begins with housekeeping.
    let again = crate::world::open(&dir, crate::world::config(), &clock);
    let gone = |table: &str| -> bool {
        let sql = format!("SELECT count(*) FROM {table}");
        reader.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap() == 0
    };
    for _ in 0..500 {
        if gone("scan") && gone("scan_concern") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(gone("scan") && gone("scan_concern"));
    again.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_maker_says_what_buyers_read() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let intruder = world.maker("intruder", "gate", DeviceKind::Device).await;
    let gate = product("gate");
    let service = &world.service;
    let refused = async |caller: &service::Caller, change: ProductChange| {
        service.change_product(caller, &maker.id, &gate, change).await.unwrap_err()
    };
    assert_eq!(refused(&intruder.admin, change()).await.kind(), ErrorKind::NotFound);
    assert_eq!(refused(&maker.reader, change()).await.kind(), ErrorKind::Forbidden);
    let none = refused(&maker.admin, ProductChange::default()).await;
    assert_eq!(none.code(), "nothing-to-change");
    let url = |url: &str| ProductChange {
        contact_url: Some(Some(url.into())),
        ..ProductChange::default()
    };
    assert_eq!(refused(&maker.admin, url("javascript:alert(1)")).await.code(), "url");
    let (view, public) =
        service.change_product(&maker.admin, &maker.id, &gate, change()).await.unwrap();
    assert_eq!(view.support_end, Some(UnixTime(1_900_000_000)));
    assert_eq!(public, service.product_public(&maker.reader, &maker.id, &gate).await.unwrap());
    assert_eq!(public.labels.len(), 1);
    // What is not named stays; what is null goes.
    let partly = ProductChange { name_ja: Some(None), ..ProductChange::default() };
    let (_, public) = service.change_product(&maker.admin, &maker.id, &gate, partly).await.unwrap();
    assert_eq!((public.name_ja, public.name_en.as_deref()), (None, Some("Door sensor")));
    let audit = service
        .audit(&maker.admin, Some(&id("maker")), None, &Page { after: None, limit: 100 })
        .await;
    let text = format!("{audit:?}");
    assert!(text.contains("product-changed"), "{text}");
    assert!(text.contains(GTIN), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_believed_only_from_the_operators_own_proxies() {
    let places = service::Places {
        table: Some(std::sync::Arc::new(
            service::PlaceTable::parse("203.0.113.0/24,35.7,139.8").unwrap(),
        )),
        proxies: vec!["192.0.2.0/24".parse().unwrap()],
    };
    let config = service::Config { places, ..crate::world::config() };
    let world = World::with(config).await;
    let visitor = |peer: &str, forwarded: &[&str], place: &[&str]| {
        let came = world.service.came_from(
            peer.parse().unwrap(),
            forwarded.iter().map(|line| line.as_bytes()),
            place.iter().map(|line| line.as_bytes()),
        );
        let visitor = world.service.visitor(&came, true);
        (visitor.address.to_string(), visitor.place)
    };
    let (tokyo, lima) = (Place::from_degrees(35.7, 139.8), Place::from_degrees(-12.0, -77.0));
    for (peer, forwarded, place, expected) in [
        ("203.0.113.5", &["198.51.100.1"][..], &["-12,-77"][..], ("203.0.113.5", tokyo)),
        ("192.0.2.1", &["203.0.113.5"], &[], ("203.0.113.5", tokyo)),
        ("192.0.2.1", &["203.0.113.5"], &["-12, -77"], ("203.0.113.5", lima)),
        // What a visitor wrote itself stands before what our proxies added: in the same line,
        ("192.0.2.1", &["10.9.9.9, 198.51.100.1, 192.0.2.7"], &[], ("198.51.100.1", None)),
        // or in a line of its own, as HAProxy's `option forwardfor` adds one.
        ("192.0.2.1", &["10.9.9.9", "198.51.100.1"], &[], ("198.51.100.1", None)),
        ("192.0.2.1", &["10.9.9.9", "198.51.100.1", "192.0.2.7"], &[], ("198.51.100.1", None)),
        ("192.0.2.1", &["203.0.113.5"], &["1,1", "-12,-77"], ("203.0.113.5", lima)),
        ("192.0.2.1", &["203.0.113.5"], &["-12,-77", "x"], ("203.0.113.5", tokyo)),
        ("192.0.2.1", &["\u{ff}, [2001:db8::5]:443"], &[], ("2001:db8::5", None)),
        ("::ffff:192.0.2.1", &["::ffff:203.0.113.5"], &[], ("203.0.113.5", tokyo)),
        ("192.0.2.1", &["not an address"], &["x"], ("192.0.2.1", None)),
        ("192.0.2.1", &["203.0.113.5", "not an address"], &[], ("192.0.2.1", None)),
        ("192.0.2.1", &[], &["99,0"], ("192.0.2.1", None)),
    ] {
        let (address, place) = visitor(peer, forwarded, place);
        assert_eq!((address.as_str(), place), expected, "{peer} {forwarded:?}");
    }
}
