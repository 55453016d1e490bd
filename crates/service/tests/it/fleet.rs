//! The fleet as operators see it: search, pages, views.

use crate::world::{Org, World, config, product};
use device::{Cause, DeviceId, DeviceKind, EventKind, Outcome, Phase, StandingKind};
use proptest::prelude::*;
use service::{
    Attention, Config, DeviceList, DeviceOrder, DeviceRelation, DeviceSearch, NewDevice, Page,
    Service, VerdictFilter, VerifyRequest,
};
use std::{collections::BTreeSet, time::Duration};

async fn list(service: &Service, org: &Org, wanted: &DeviceSearch, page: &Page) -> DeviceList {
    service.search_devices(&org.admin, &org.id, wanted, page).await.unwrap()
}

/// Every device that a search gives, page by page.
async fn all(service: &Service, org: &Org, wanted: &DeviceSearch) -> Vec<String> {
    let mut page = Page { after: None, limit: 7 };
    let mut found = Vec::new();
    loop {
        let list = list(service, org, wanted, &page).await;
        found.extend(list.items.iter().map(|line| line.device.serial_number.clone()));
        match list.next {
            Some(next) => page.after = Some(next),
            None => return found,
        }
    }
}

async fn register(world: &World, maker: &Org, line: &str, serials: &[String]) -> Vec<DeviceId> {
    let new = serials.iter().map(|serial| NewDevice { id: None, serial_number: serial.clone() });
    let registered = world
        .service
        .register_devices(&maker.station, &maker.id, &product(line), new.collect())
        .await
        .unwrap();
    registered.into_iter().map(|device| device.unwrap().id).collect()
}

fn numbered(from: usize, count: usize) -> Vec<String> {
    (from..from + count).map(|n| format!("SN-{n:06}")).collect()
}

/// Waits until verdicts are written down.
async fn written(service: &Service, org: &Org, device: &DeviceId) -> DeviceList {
    let wanted = DeviceSearch { text: Some(device.to_string()), ..DeviceSearch::default() };
    for _ in 0..100 {
        let list = list(service, org, &wanted, &Page::default()).await;
        if list.items.first().is_some_and(|line| line.verdict.is_some()) {
            return list;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no verdict was written down");
}

fn text(text: &str) -> DeviceSearch {
    DeviceSearch { text: Some(text.into()), ..DeviceSearch::default() }
}

#[tokio::test]
async fn a_text_is_recognised_for_what_it_is() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let other = world.maker("other", "gate", DeviceKind::Device).await;
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let idevid = world.idevid(&maker, "gate", &thing).await;
    world.made(&maker, "gate", Vec::new()).await;
    let view = world.service.device(&maker.admin, &thing.id).await.unwrap();
    let number = view.management_number.to_string();
    let spaced = format!("{} {}-{}", &number[..4], &number[4..12], &number[12..]).to_lowercase();
    let id = thing.id.to_string();
    let colons = |text: String| {
        let pairs: Vec<&str> =
            text.as_bytes().chunks(2).map(|c| std::str::from_utf8(c).unwrap()).collect();
        pairs.join(":").to_uppercase()
    };
    let fingerprint = idevid.certificate.fingerprint().to_string();
    let texts = [
        number,
        spaced,
        id.clone(),
        id.to_uppercase(),
        id[..6].to_owned(),
        thing.serial.clone(),
        thing.serial[..9].to_owned(),
        thing.serial[4..].to_uppercase(),
        fingerprint.clone(),
        colons(fingerprint),
        crate::world::fingerprint(&thing.key).to_string(),
        hex::encode(idevid.certificate.serial().as_bytes()),
        colons(hex::encode(idevid.certificate.serial().as_bytes())),
    ];
    for wanted in texts {
        let found = all(&world.service, &maker, &text(&wanted)).await;
        assert_eq!(found, std::slice::from_ref(&thing.serial), "{wanted}");
        // Nobody finds what is another's by knowing its numbers.
        for relation in [
            DeviceRelation::Owner,
            DeviceRelation::Maker,
            DeviceRelation::Shared,
            DeviceRelation::Offered,
        ] {
            let wanted = DeviceSearch { relation, ..text(&wanted) };
            assert!(all(&world.service, &other, &wanted).await.is_empty());
        }
    }
    for nothing in ["TG", "no such", "%", "_", "*", "ffffffffffffffffffffffffffffffff"] {
        let found = all(&world.service, &maker, &text(nothing)).await;
        assert!(found.is_empty(), "{nothing}: {found:?}");
    }
    for bad in ["a\u{0}b".to_owned(), "x".repeat(201)] {
        let error = world
            .service
            .search_devices(&maker.admin, &maker.id, &text(&bad), &Page::default())
            .await
            .unwrap_err();
        assert_eq!(error.code(), "text");
    }
    let foreign = world
        .service
        .search_devices(&other.admin, &maker.id, &DeviceSearch::default(), &Page::default())
        .await;
    assert_eq!(foreign.unwrap_err().code(), "not-found");
}

#[tokio::test]
async fn each_filter_finds_what_it_says() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let plain = world.made(&maker, "gate", Vec::new()).await;
    let held = world.made(&maker, "gate", Vec::new()).await;
    world.service.suspend_device(&maker.admin, &held.id, Cause::Lost).await.unwrap();
    let offered = world.made(&maker, "gate", Vec::new()).await;
    let offer = EventKind::TransferOffered { to: owner.id.clone() };
    world.report(&maker, &offered.id, offer).await.unwrap();
    register(&world, &maker, "gate", &["bare".to_owned()]).await;
    let search = DeviceSearch::default;
    let made = || DeviceSearch { relation: DeviceRelation::Maker, ..search() };
    let names = async |org: &Org, wanted: DeviceSearch| -> BTreeSet<String> {
        all(&world.service, org, &wanted).await.into_iter().collect()
    };
    let set = |serials: &[&String]| serials.iter().map(|serial| (*serial).clone()).collect();
    let bare = "bare".to_owned();
    let sold = &working.thing.serial;

    let of_maker: BTreeSet<String> = set(&[&plain.serial, &held.serial, &offered.serial, &bare]);
    assert_eq!(names(&maker, search()).await, of_maker);
    assert_eq!(names(&owner, search()).await, set(&[sold]));
    assert_eq!(names(&maker, made()).await.len(), 5);
    let offered_to = DeviceSearch { relation: DeviceRelation::Offered, ..search() };
    assert_eq!(names(&owner, offered_to).await, set(&[&offered.serial]));
    let by_owner = DeviceSearch { owner: Some(owner.id.clone()), ..made() };
    assert_eq!(names(&maker, by_owner).await, set(&[sold]));
    let phase = DeviceSearch { phase: Some(Phase::Operation), ..made() };
    assert_eq!(names(&maker, phase).await, set(&[sold]));
    let gate = DeviceSearch { product: Some((maker.id.clone(), product("gate"))), ..search() };
    assert_eq!(names(&owner, gate).await, set(&[sold]));
    for standing in [
        DeviceSearch { standing: Some(StandingKind::Suspended), ..search() },
        DeviceSearch { attention: Some(Attention::Suspended), ..search() },
    ] {
        assert_eq!(names(&maker, standing).await, set(&[&held.serial]));
    }
    let good = DeviceSearch { standing: Some(StandingKind::Good), ..search() };
    assert_eq!(names(&maker, good).await.len(), 3);

    // The LDevID is valid for 90 days, the IDevID for ever.
    let expiring =
        |days| DeviceSearch { attention: Some(Attention::Expiring { days }), ..search() };
    assert_eq!(names(&owner, expiring(30)).await, set(&[]));
    assert_eq!(names(&owner, expiring(91)).await, set(&[sold]));

    let stale = DeviceSearch { attention: Some(Attention::Stale { days: 7 }), ..search() };
    assert_eq!(names(&owner, stale.clone()).await, set(&[sold]));
    let never = DeviceSearch { verdict: Some(VerdictFilter::Never), ..search() };
    assert_eq!(names(&owner, never.clone()).await, set(&[sold]));
    let verify = async |device: &DeviceId| {
        let request = VerifyRequest::default();
        world.service.verify_device(&owner.admin, device, request).await.unwrap()
    };
    let verdict = verify(&working.thing.id).await;
    let list = written(&world.service, &owner, &working.thing.id).await;
    let last = list.items[0].verdict.clone().unwrap();
    assert_eq!((last.outcome, last.expires), (verdict.outcome, verdict.expires));
    assert_eq!(last.reasons, verdict.reasons.iter().map(|r| r.code).collect::<Vec<_>>());
    assert_eq!(names(&owner, stale.clone()).await, set(&[]));
    assert_eq!(names(&owner, never).await, set(&[]));
    let outcome =
        |outcome| DeviceSearch { verdict: Some(VerdictFilter::Outcome(outcome)), ..search() };
    assert_eq!(names(&owner, outcome(verdict.outcome)).await, set(&[sold]));
    assert_eq!(names(&owner, outcome(Outcome::Rejected)).await, set(&[]));
    world.clock.advance(8 * 86_400);
    assert_eq!(names(&owner, stale).await, set(&[sold]));

    // What is revoked is judged so, and found so by owner and maker.
    world.service.revoke_device(&owner.admin, &working.thing.id, Cause::Lost).await.unwrap();
    assert_eq!(verify(&working.thing.id).await.outcome, Outcome::Rejected);
    world.service.close();
    let service = crate::world::open(world.path(), config(), &world.clock);
    let suspect = DeviceSearch { attention: Some(Attention::Suspect), ..search() };
    assert_eq!(all(&service, &owner, &suspect).await, std::slice::from_ref(sold));
    let suspect = DeviceSearch { relation: DeviceRelation::Maker, ..suspect };
    assert_eq!(all(&service, &maker, &suspect).await, std::slice::from_ref(sold));
    let never = DeviceSearch { standing: Some(StandingKind::Good), ..suspect };
    assert!(all(&service, &maker, &never).await.is_empty());
    service.close();
}

/// Junk that a stranger shows in a device's name is not its last verdict.
#[tokio::test]
async fn strangers_do_not_blacken_a_device() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let stranger = world.owner("stranger").await;
    let thing = world.made(&maker, "gate", Vec::new()).await;
    world.idevid(&maker, "gate", &thing).await;
    let junk = VerifyRequest { proof: Some(vec![0; 64]), ..VerifyRequest::default() };
    let refused = world.service.prove(&thing.id, junk.clone()).await.unwrap();
    assert_ne!(refused.outcome, Outcome::Genuine);
    world.service.verify_device(&stranger.admin, &thing.id, junk).await.unwrap();
    let elsewhere =
        VerifyRequest { presented_by: Some(stranger.id.clone()), ..VerifyRequest::default() };
    world.service.verify_device(&stranger.admin, &thing.id, elsewhere).await.unwrap();
    let plain = VerifyRequest::default();
    let verdict = world.service.verify_device(&maker.admin, &thing.id, plain).await.unwrap();
    let list = written(&world.service, &maker, &thing.id).await;
    assert_eq!(list.items[0].verdict.as_ref().unwrap().outcome, verdict.outcome);
}

#[tokio::test]
async fn rare_devices_among_many_are_found_in_steps() {
    let world = World::with(Config { readers: 2, ..config() }).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    for at in 0..2 {
        register(&world, &maker, "gate", &numbered(at * 10_000, 10_000)).await;
    }
    // In the middle of the list, and nothing leads to it but looking.
    let mut page = Page { after: None, limit: 10 };
    let wanted = text("N-000003");
    let mut pages = 0;
    let found = loop {
        let list = list(&world.service, &maker, &wanted, &page).await;
        pages += 1;
        assert!(list.partial != list.next.is_none(), "a full page of one device there is none");
        if let Some(line) = list.items.first() {
            break line.device.serial_number.clone();
        }
        page.after = Some(list.next.expect("somewhere"));
    };
    assert_eq!((found.as_str(), pages), ("SN-000003", 4));
    let backwards = Page { after: Some("p0".into()), limit: 10 };
    let list = list(&world.service, &maker, &wanted, &backwards).await;
    assert_eq!(list.items.len(), 1);
    assert!(list.partial && list.previous.is_some() && list.next.is_some());
}

/// A device with a serial number and, where wanted, an id of its own.
async fn one(world: &World, maker: &Org, id: Option<DeviceId>, serial: &str) -> DeviceId {
    let new = NewDevice { id, serial_number: serial.into() };
    let made = world
        .service
        .register_devices(&maker.station, &maker.id, &product("gate"), vec![new])
        .await
        .unwrap();
    made.into_iter().next().unwrap().unwrap().id
}

#[tokio::test]
async fn devices_of_strangers_do_not_decide_how_a_text_is_read() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let other = world.maker("other", "gate", DeviceKind::Device).await;
    let service = &world.service;
    // Serial numbers, ids and management numbers of a stranger's that an own serial number holds.
    let foreign = one(&world, &other, None, "0042-A").await;
    let number = service.device(&other.admin, &foreign).await.unwrap().management_number;
    let short = foreign.to_string()[..8].to_owned();
    for serial in ["GATE-0042".to_owned(), format!("GATE-{short}"), format!("GATE-{number}")] {
        one(&world, &maker, None, &serial).await;
    }
    for (wanted, serial) in [
        ("0042".to_owned(), "GATE-0042".to_owned()),
        (short.clone(), format!("GATE-{short}")),
        (number.to_string(), format!("GATE-{number}")),
    ] {
        for relation in [DeviceRelation::Owner, DeviceRelation::Maker] {
            let wanted = DeviceSearch { relation, ..text(&wanted) };
            assert_eq!(all(service, &maker, &wanted).await, [serial.as_str()], "{wanted:?}");
        }
    }
    assert_eq!(all(service, &other, &text("0042")).await, ["0042-A"]);
    // Of one's own, another filter decides as well: what begins so elsewhere hides nothing.
    one(&world, &maker, None, "0042-B").await;
    assert_eq!(all(service, &maker, &text("0042")).await, ["0042-B"]);
    let suspended = DeviceSearch { standing: Some(StandingKind::Suspended), ..text("0042") };
    assert!(all(service, &maker, &suspended).await.is_empty());
}

#[tokio::test]
async fn in_a_long_list_a_text_is_read_the_same_way() {
    let world = World::with(Config { readers: 2, ..config() }).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let other = world.maker("other", "gate", DeviceKind::Device).await;
    let service = &world.service;
    let many: Vec<String> = (0..4_100).map(|n| format!("abcdef-{n:04}")).collect();
    register(&world, &maker, "gate", &many).await;
    one(&world, &maker, None, "GATE-42Z").await;
    let mut id = [0; 16];
    id[..3].copy_from_slice(&[0xab, 0xcd, 0xef]);
    one(&world, &maker, Some(DeviceId::from_bytes(id)), "BY-ID").await;
    one(&world, &other, None, "42Z-A").await;
    id[15] = 1;
    one(&world, &other, Some(DeviceId::from_bytes(id)), "NOT-YOURS").await;
    for relation in [DeviceRelation::Owner, DeviceRelation::Maker] {
        let of = |wanted: &str| DeviceSearch { relation, ..text(wanted) };
        assert_eq!(all(service, &maker, &of("42Z")).await, ["GATE-42Z"]);
        assert_eq!(all(service, &maker, &of("abcdef-0007")).await, ["abcdef-0007"]);
        // More begin so than are gathered, and one is meant by its id.
        let page = Page { after: None, limit: 500 };
        let first = list(service, &maker, &of("abcdef"), &page).await;
        assert_eq!(first.items[0].device.serial_number, "BY-ID");
        assert_eq!(
            (first.items.len(), first.items[1].device.serial_number.as_str()),
            (500, "abcdef-4099")
        );
        let by_id = of(&hex::encode(id)[..31]);
        assert_eq!(all(service, &maker, &by_id).await, ["BY-ID"]);
    }
    // A stranger has more of them than anybody looks through, and still hides none.
    for at in 0..3 {
        let many: Vec<String> =
            (0..10_000).map(|n| format!("EDGE-{:05}", at * 10_000 + n)).collect();
        register(&world, &other, "gate", &many).await;
    }
    let edge = one(&world, &maker, None, "EDGE-99999").await;
    assert_eq!(all(service, &maker, &text("EDGE-")).await, ["EDGE-99999"]);
    assert_eq!(all(service, &maker, &text(&edge.to_string())).await, ["EDGE-99999"]);
}

#[tokio::test]
async fn pages_are_refused_that_no_list_gave() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    for order in [DeviceOrder::Newest, DeviceOrder::Serial] {
        for bad in
            ["", "1", "x1", "n", "n-1", "n1.zz", "p1.ff", "n1.", "né", "n99999999999999999999"]
        {
            let page = Page { after: Some(bad.into()), limit: 10 };
            let wanted = DeviceSearch { order, ..DeviceSearch::default() };
            let outcome =
                world.service.search_devices(&maker.admin, &maker.id, &wanted, &page).await;
            let serial = (order, bad) == (DeviceOrder::Serial, "n1.");
            assert_eq!(
                outcome.map_err(|error| error.code()).err(),
                (!serial).then_some("page"),
                "{bad}"
            );
        }
    }
}

#[tokio::test]
async fn views_are_their_owners_own() {
    let world = World::new().await;
    let (one, two) = (world.owner("one").await, world.owner("two").await);
    let service = &world.service;
    service.save_view(&one.admin, &one.id, "mine", "phase=operation").await.unwrap();
    service.save_view(&one.admin, &one.id, " mine ", "phase=repair").await.unwrap();
    let views = service.saved_views(&one.admin, &one.id).await.unwrap();
    assert_eq!(views.len(), 1);
    assert_eq!((views[0].name.as_str(), views[0].query.as_str()), ("mine", "phase=repair"));
    assert!(service.saved_views(&one.reader, &one.id).await.unwrap().is_empty());
    assert_eq!(service.saved_views(&two.admin, &one.id).await.unwrap_err().code(), "not-found");
    let gone = service.delete_view(&one.reader, &one.id, "mine").await;
    assert_eq!(gone.unwrap_err().code(), "not-found");
    for (name, query, code) in [
        ("", "a=b", "view-name"),
        ("a\nb", "a=b", "view-name"),
        ("x", "a=\"><script>", "view-query"),
        ("x", "a b", "view-query"),
    ] {
        let saved = service.save_view(&one.admin, &one.id, name, query).await;
        assert_eq!(saved.unwrap_err().code(), code);
    }
    for n in 1..service::VIEWS_MAX {
        service.save_view(&one.admin, &one.id, &format!("view {n}"), "").await.unwrap();
    }
    let more = service.save_view(&one.admin, &one.id, "one more", "").await;
    assert_eq!(more.unwrap_err().code(), "too-many-views");
    service.delete_view(&one.admin, &one.id, "mine").await.unwrap();
    assert_eq!(service.saved_views(&one.admin, &one.id).await.unwrap().len(), 49);
}

#[derive(Debug, Clone)]
enum Step {
    Forward(u32),
    Back(u32),
    Insert(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1u32..9).prop_map(Step::Forward),
        3 => (1u32..9).prop_map(Step::Back),
        2 => (1usize..5).prop_map(Step::Insert),
    ];
    proptest::collection::vec(step, 1..24)
}

/// Walks to and fro while devices are registered: each page is the piece of the list that stands
/// between where the reader was and where it goes on, without a gap and without a repetition.
#[test]
fn no_device_is_lost_or_doubled_between_pages() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (world, maker) = runtime.block_on(async {
        let world = World::new().await;
        let maker = world.maker("maker", "gate", DeviceKind::Device).await;
        register(&world, &maker, "gate", &numbered(500_000, 30)).await;
        for _ in 0..4 {
            world.made(&maker, "gate", Vec::new()).await;
        }
        (world, maker)
    });
    let next = std::cell::Cell::new(499_999);
    let config =
        ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
    let strategy = (steps(), any::<bool>(), any::<bool>());
    proptest!(config, |((steps, by_serial, narrow) in strategy)| {
        let order = if by_serial { DeviceOrder::Serial } else { DeviceOrder::Newest };
        let phase = narrow.then_some(Phase::MassProduction);
        let wanted = DeviceSearch { order, phase, ..DeviceSearch::default() };
        runtime.block_on(async {
            let whole = async || -> Vec<String> {
                let page = Page { after: None, limit: 1000 };
                let list = list(&world.service, &maker, &wanted, &page).await;
                assert!(list.next.is_none());
                list.items.into_iter().map(|line| line.device.serial_number).collect()
            };
            let mut last: Option<DeviceList> = None;
            let mut edge: Option<(String, String)> = None;
            for step in steps {
                let (limit, back) = match step {
                    // A run of very many cases still compares with a list of one page.
                    Step::Insert(_) if next.get() < 499_200 => continue,
                    Step::Insert(count) => {
                        let from = next.get() - count;
                        next.set(from);
                        register(&world, &maker, "gate", &numbered(from, count)).await;
                        continue;
                    }
                    Step::Forward(limit) => (limit, false),
                    Step::Back(limit) => (limit, true),
                };
                let place = last.as_ref().map(|l| if back { &l.previous } else { &l.next });
                let after = match place {
                    None => None,
                    Some(Some(place)) => Some(place.clone()),
                    Some(None) => continue,
                };
                let start = after.is_none();
                let page = Page { after, limit };
                let list = list(&world.service, &maker, &wanted, &page).await;
                let names: Vec<String> =
                    list.items.iter().map(|line| line.device.serial_number.clone()).collect();
                let whole = whole().await;
                // The page is one piece of the list …
                let at = match names.first() {
                    Some(first) => whole.iter().position(|name| name == first).unwrap(),
                    None => { assert!(!start || whole.is_empty()); continue; }
                };
                assert_eq!(whole[at..at + names.len()], names[..]);
                // … next to the page before.
                if start {
                    assert_eq!(at, 0);
                } else if let Some((first, end)) = &edge {
                    if back {
                        assert_eq!(whole.get(at + names.len()), Some(first));
                    } else {
                        assert_eq!(whole.get(at.wrapping_sub(1)), Some(end));
                    }
                }
                assert_eq!(list.next.is_none() && !back, at + names.len() == whole.len() && !back);
                assert!(names.len() == limit as usize || if back { at == 0 } else { list.next.is_none() });
                edge = Some((names.first().unwrap().clone(), names.last().unwrap().clone()));
                last = Some(list);
            }
        });
    });
}
