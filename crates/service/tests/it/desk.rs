//! What people say and see at their desk: reasons, what needs attention, the audit log by time and
//! kind, a CA's lost request, the first administrator.

use crate::world::{World, id, product};
use device::{Cause, DeviceKind, StandingKind};
use policy::{Act, Role, Roles};
use service::{
    ApprovalState, Attention, AuditQuery, CaKind, CaRequest, CaSpec, DeviceAct, DeviceRelation,
    DeviceSearch, ErrorKind, FirstAdministrator, NewOrganisation, Page, ProductChange,
    REASON_CHARS_MAX,
};

const WORDS: &str = "stolen from Hanako Sato's car";

fn all() -> Page {
    Page { after: None, limit: 1000 }
}

#[tokio::test]
async fn a_reason_stands_in_the_event_and_goes_with_its_contents() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let service = &world.service;
    let suspend = DeviceAct::Suspend { cause: Cause::ALL[0] };
    for wrong in ["a".repeat(REASON_CHARS_MAX + 1), "a\nb".into(), "a\u{202e}b".into()] {
        let error = service
            .perform_act_because(&maker.admin, &thing.id, &suspend, Some(&wrong))
            .await
            .unwrap_err();
        assert_eq!((error.code(), error.kind()), ("reason", ErrorKind::Malformed));
    }
    // Who may not act learns nothing of how it would be said.
    let reader = service.perform_act_because(&maker.reader, &thing.id, &suspend, Some("\n")).await;
    assert_eq!(reader.unwrap_err().code(), "role");
    let said = service.perform_act_because(&maker.admin, &thing.id, &suspend, Some(WORDS)).await;
    let sequence = said.unwrap().sequence;
    let reason = async |sequence: u64| {
        let life = service.timeline(&maker.admin, &thing.id, &all()).await.unwrap();
        let entry = life.items.into_iter().find(|entry| entry.sequence == sequence).unwrap();
        entry.event.map(|event| event.reason)
    };
    assert_eq!(reason(sequence).await, Some(Some(WORDS.to_owned())));
    let without =
        service.perform_act_because(&maker.admin, &thing.id, &DeviceAct::Release, Some(" "));
    let without = without.await.unwrap().sequence;
    assert_eq!(reason(without).await, Some(None), "an empty reason is none");

    service.erase_device(&maker.admin, &thing.id).await.unwrap();
    assert_eq!(reason(sequence).await, None);
    nowhere(&world, WORDS);
}

#[tokio::test]
async fn a_reason_that_a_second_person_reads_is_gone_when_the_request_is_over() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let service = &world.service;
    let (second, _) = world.member(&maker.id, "second", Roles::ALL).await;
    let machine = service.local_administrator();
    service.set_approval_policy(&machine, &maker.id, Act::RevokeDevice, true).await.unwrap();
    let revoke = DeviceAct::Revoke { cause: Cause::ALL[0] };
    let ask = async || {
        let thing = world.made(&maker, "gate", Vec::new()).await;
        let asked =
            service.perform_act_because(&maker.admin, &thing.id, &revoke, Some(WORDS)).await;
        (thing, asked.unwrap_err().approval().unwrap())
    };
    let (thing, approval) = ask().await;
    let view = service.approval(&second, &approval).await.unwrap();
    assert_eq!(view.reason.as_deref(), Some(WORDS));
    assert!(!view.summary.contains(WORDS), "summaries go into the audit log");
    let done = service.approve(&second, &approval).await.unwrap();
    assert_eq!((done.state, done.reason), (ApprovalState::Done, None));
    let view = service.device(&maker.admin, &thing.id).await.unwrap();
    assert_eq!(view.standing, StandingKind::Revoked);
    let life = service.timeline(&maker.admin, &thing.id, &all()).await.unwrap();
    assert_eq!(life.items[0].event.as_ref().unwrap().reason.as_deref(), Some(WORDS));
    service.erase_device(&maker.admin, &thing.id).await.unwrap();

    let (_, rejected) = ask().await;
    assert_eq!(service.reject(&second, &rejected).await.unwrap().reason, None);
    let (_, withdrawn) = ask().await;
    assert_eq!(service.withdraw_request(&maker.admin, &withdrawn).await.unwrap().reason, None);
    // One that nobody decided goes with the next that is asked for.
    let (_, late) = ask().await;
    world.clock.advance(30 * 86_400);
    let (_, next) = ask().await;
    assert_eq!(service.approval(&second, &late).await.unwrap().reason, None);
    assert_eq!(service.approval(&second, &next).await.unwrap().reason.as_deref(), Some(WORDS));
    service.reject(&second, &next).await.unwrap();
    nowhere(&world, WORDS);
}

/// No row of the store has these words, in any table.
fn nowhere(world: &World, words: &str) {
    let reader = rusqlite::Connection::open(world.path().join("tegata.db")).unwrap();
    let tables: Vec<String> = reader
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(tables.len() > 20);
    for table in tables {
        let mut statement = reader.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                use rusqlite::types::ValueRef;
                let bytes = match row.get_ref(column).unwrap() {
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
                    _ => continue,
                };
                let found = bytes.windows(words.len()).any(|window| window == words.as_bytes());
                assert!(!found, "{table} still has it");
            }
        }
    }
}

#[tokio::test]
async fn the_end_of_support_is_seen_ahead_by_maker_and_owner() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let service = &world.service;
    let sold = world.made(&maker, "gate", Vec::new()).await;
    let kept = world.made(&maker, "gate", Vec::new()).await;
    world.sell(&maker, &owner, &sold.id).await;
    let ends_in = async |days: i64| {
        let end = service.now().plus(days * 86_400);
        let change = ProductChange { support_end: Some(Some(end)), ..ProductChange::default() };
        service.change_product(&maker.admin, &maker.id, &product("gate"), change).await.unwrap();
    };
    let found = async |caller, organisation, relation, days| {
        let search = DeviceSearch {
            relation,
            attention: Some(Attention::Support { days }),
            ..DeviceSearch::default()
        };
        let list = service.search_devices(caller, organisation, &search, &all()).await.unwrap();
        list.items.len()
    };
    for (left, days, expected) in [
        (200, 180, 0),
        (170, 180, 2),
        (170, 90, 0),
        (80, 90, 2),
        (10, 30, 2),
        (10, 0, 0),
        (-1, 0, 2),
    ] {
        ends_in(left).await;
        let made = found(&maker.admin, &maker.id, DeviceRelation::Maker, days).await;
        assert_eq!(made, expected, "{left} days left, within {days}");
        let owned = found(&owner.admin, &owner.id, DeviceRelation::Owner, days).await;
        assert_eq!(owned, expected / 2);
    }
    let overview = service.overview(&maker.admin, &maker.id).await.unwrap();
    let [line] = overview.support.as_slice() else { panic!("{:?}", overview.support) };
    assert_eq!((line.product.as_str(), line.devices.count), ("gate", 2));
    let of = |overview: &service::Overview, name| {
        let found = overview.attention.iter().find(|(kind, _)| kind.name() == name);
        found.unwrap().1.count
    };
    assert_eq!(of(&overview, "support"), 1, "the one that it still owns");
    let theirs = service.overview(&owner.admin, &owner.id).await.unwrap();
    assert!(theirs.support.is_empty(), "product lines are their maker's");
    assert_eq!((of(&theirs, "support"), of(&theirs, "scans")), (1, 0));
    // What is out of use is in the field no more.
    let retire = DeviceAct::Retire { cause: Cause::ALL[0] };
    service.perform_act(&maker.admin, &kept.id, &retire).await.unwrap();
    assert_eq!(found(&maker.admin, &maker.id, DeviceRelation::Maker, 180).await, 1);
}

#[tokio::test]
async fn the_audit_log_is_found_by_time_and_kind_and_is_each_ones_own() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let other = world.maker("other", "lamp", DeviceKind::Device).await;
    let service = &world.service;
    let from = service.now().plus(3600);
    world.clock.advance(3600);
    for _ in 0..5 {
        service.check_log(&maker.admin).await.unwrap();
        world.clock.advance(60);
    }
    let until = service.now();
    world.clock.advance(3600);
    service.check_log(&maker.admin).await.unwrap();
    // A clock that is set back hides nothing.
    world.clock.advance(-7200);
    service.check_log(&maker.admin).await.unwrap();
    let kind = Some(audit::Kind::LogCheck);
    let ask = async |query: AuditQuery, limit: u32| {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = Page { after, limit };
            let list = service.audit_trail(&world.platform_admin, &query, &page).await.unwrap();
            found.extend(list.items.into_iter().map(|view| (view.sequence, view.event.at())));
            after = list.next;
            if after.is_none() {
                return found;
            }
        }
    };
    let within = |from, until| AuditQuery { kind, from, until, ..AuditQuery::default() };
    assert_eq!(ask(within(None, None), 2).await.len(), 7);
    let hour = ask(within(Some(from), Some(until)), 2).await;
    assert!(hour.windows(2).all(|pair| pair[0].0 > pair[1].0), "newest first");
    assert!(hour.iter().all(|(_, at)| (from..until).contains(at)));
    let by_hand = ask(within(None, None), 1000).await;
    let expected = by_hand.iter().filter(|(_, at)| (from..until).contains(at)).count();
    assert_eq!(hour.len(), expected);
    assert!(expected >= 5);
    let none = within(Some(until.plus(86_400)), Some(until.plus(2 * 86_400)));
    assert!(ask(none, 10).await.is_empty());

    let own = AuditQuery { organisation: Some(maker.id.clone()), kind, ..AuditQuery::default() };
    assert_eq!(service.audit_trail(&maker.admin, &own, &all()).await.unwrap().items.len(), 7);
    for (caller, expected) in [
        (&other.admin, ErrorKind::NotFound),
        (&world.platform_admin, ErrorKind::NotFound),
        (&maker.reader, ErrorKind::Forbidden),
    ] {
        let error = service.audit_trail(caller, &own, &all()).await.unwrap_err();
        assert_eq!(error.kind(), expected, "{caller}");
    }
    let everything = service.audit_trail(&maker.admin, &AuditQuery::default(), &all()).await;
    assert!(everything.is_err(), "the whole log is the platform's");
}

#[tokio::test]
async fn a_lost_request_is_given_again_until_it_is_answered() {
    let world = World::new().await;
    let maker = world.org("maker", device::Roles::NONE).await;
    let other = world.org("other", device::Roles::NONE).await;
    let service = &world.service;
    let spec = CaSpec {
        organisation: maker.id.clone(),
        product: None,
        kind: CaKind::Owner,
        name: "Owner CA".into(),
        algorithm: crypto::KeyAlgorithm::EcdsaP256,
        years: 5,
    };
    let request = service.request_ca(&maker.admin, spec).await.unwrap();
    let again = service.ca_request(&maker.admin, "maker").await.unwrap();
    assert_eq!(again.to_text(), request.to_text());
    for (caller, ca, expected) in [
        (&other.admin, "maker", ErrorKind::NotFound),
        (&maker.admin, "no-such", ErrorKind::NotFound),
        (&maker.reader, "maker", ErrorKind::Forbidden),
    ] {
        assert_eq!(service.ca_request(caller, ca).await.unwrap_err().kind(), expected, "{ca}");
    }
    assert_eq!(service.ca(&other.admin, "maker").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(service.ca(&maker.reader, "maker").await.unwrap().certificate.is_none());
    let signed = CaRequest::from_text(&again.to_text()).unwrap();
    let certificate =
        world.root.sign_ca(&signed, pki::Locations::default(), service.now()).unwrap();
    service.install_ca(&maker.admin, certificate).await.unwrap();
    let over = service.ca_request(&maker.admin, "maker").await.unwrap_err();
    assert_eq!(over.code(), "ca-certified");
}

#[tokio::test]
async fn the_platform_learns_whether_anybody_is_there_and_no_more() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.org("maker", device::Roles::NONE).await;
    let new = NewOrganisation { id: id("empty"), name: "Empty".into(), roles: device::Roles::NONE };
    service.create_organisation(&world.platform_admin, new).await.unwrap();
    let ask = async |who, organisation| service.first_administrator(who, &id(organisation)).await;
    let admin = &world.platform_admin;
    assert_eq!(ask(admin, "empty").await, Ok(FirstAdministrator::Wanted));
    assert_eq!(ask(admin, "maker").await, Ok(FirstAdministrator::There));
    assert_eq!(ask(admin, "no-such").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(ask(&maker.admin, "maker").await.is_err(), "it is the platform's question");
    let (auditor, _) = world.member(&id("platform"), "auditor", Role::Auditor.into()).await;
    assert!(ask(&auditor, "empty").await.is_err());
}
