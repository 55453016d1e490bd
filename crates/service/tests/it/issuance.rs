//! What happens between a certificate's intent and its completion, and what remains of both.

use crate::world::{Org, World, config, csr, product};
use device::{DeviceKind, EventKind};
use service::{Config, EnrolRequest, fault};
use std::sync::{Arc, Mutex};

type Meanwhile = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// A world in which something can happen once, when an intent is committed and nothing is signed.
async fn interrupted() -> (Arc<World>, Meanwhile) {
    let meanwhile = Meanwhile::default();
    let trigger = meanwhile.clone();
    let faults = fault::Faults::injected(move |name| {
        if name == fault::BEFORE_SIGNATURE
            && let Some(act) = trigger.lock().unwrap().take()
        {
            // A thread of its own: this one belongs to the request that is interrupted.
            std::thread::spawn(act).join().unwrap();
        }
        false
    });
    let world = World::with(Config { faults: Some(faults), ..config() }).await;
    (Arc::new(world), meanwhile)
}

fn at_once<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn count(world: &World, sql: &str) -> i64 {
    let connection = rusqlite::Connection::open(world.path().join("tegata.db")).unwrap();
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

async fn whole(world: &World) {
    let local = world.service.local_administrator();
    world.service.integrate_now().await.unwrap();
    let check = world.service.check_log(&local).await.unwrap();
    assert!(check.problems.is_empty(), "{:?}", check.problems);
    assert_eq!(world.service.audit_verify(&local).await.unwrap().broken, None);
    assert_eq!(count(world, "SELECT count(*) FROM intent"), 0);
    // Each use of a CA's key is on record, and so is each of the platform's event key.
    let unaccounted = "SELECT count(*) FROM certificate WHERE NOT EXISTS
        (SELECT 1 FROM key_use WHERE what = 1 AND subject = certificate.serial)";
    assert_eq!(count(world, unaccounted), 0);
    let events = "SELECT count(*) FROM event JOIN organisation ON organisation.id = reporter
        WHERE organisation.slug = 'platform'";
    let counted = "SELECT coalesce(sum(count), 0) FROM key_count WHERE what = 5";
    assert!(count(world, counted) >= count(world, events));
}

fn request(thing: &crate::world::Thing) -> EnrolRequest {
    EnrolRequest { label: Some(product("gate")), csr: csr(&thing.key, &thing.serial) }
}

#[tokio::test]
async fn an_event_that_comes_between_goes_first() {
    let (world, meanwhile) = interrupted().await;
    let maker: Arc<Org> = Arc::new(world.maker("maker", "gate", DeviceKind::Device).await);
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let (there, who, which) = (world.clone(), maker.clone(), thing.id);
    *meanwhile.lock().unwrap() = Some(Box::new(move || {
        let tested = EventKind::Tested { passed: true, standard: None };
        assert_eq!(at_once(there.report(&who, &which, tested)).unwrap().sequence, 1);
    }));
    let enrolled =
        world.service.enrol_device(&maker.station, &request(&thing), None).await.unwrap();
    assert!(meanwhile.lock().unwrap().is_none(), "it happened");
    assert_eq!(enrolled.recorded.sequence, 2);
    assert_eq!(world.service.device(&maker.station, &thing.id).await.unwrap().events, 3);
    world.service.identify_certificate(&enrolled.certificate).await.unwrap();
    let serial = enrolled.certificate.serial();
    let logged =
        format!("SELECT count(*) FROM audit WHERE instr(event, CAST('{serial}' AS BLOB)) > 0");
    assert_eq!(count(&world, &logged), 1, "one security event");
    whole(&world).await;
}

#[tokio::test]
async fn a_key_whose_certificate_is_under_way_is_in_use() {
    let (world, meanwhile) = interrupted().await;
    let maker: Arc<Org> = Arc::new(world.maker("maker", "gate", DeviceKind::Device).await);
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let (there, who, theirs) = (world.clone(), maker.clone(), request(&thing).csr);
    let names = vec![pki::AlternativeName::Dns("gate.example".to_owned())];
    *meanwhile.lock().unwrap() = Some(Box::new(move || {
        assert_eq!(count(&there, "SELECT count(*) FROM intent"), 1);
        assert_eq!(count(&there, "SELECT count(*) FROM certificate WHERE device IS NOT NULL"), 0);
        let organisation = device::OrganisationId::new("maker").unwrap();
        let other =
            there.service.issue_service_certificate(&who.admin, &organisation, &theirs, names);
        assert_eq!(at_once(other).unwrap_err().code(), "key-in-use");
    }));
    world.service.enrol_device(&maker.station, &request(&thing), None).await.unwrap();
    assert!(meanwhile.lock().unwrap().is_none(), "it happened");
    whole(&world).await;
}

#[tokio::test]
async fn who_sold_the_device_meanwhile_gets_nothing() {
    let (world, meanwhile) = interrupted().await;
    let maker: Arc<Org> = Arc::new(world.maker("maker", "gate", DeviceKind::Device).await);
    let buyer: Arc<Org> = Arc::new(world.owner("buyer").await);
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let (there, from, to, which) = (world.clone(), maker.clone(), buyer, thing.id);
    *meanwhile.lock().unwrap() = Some(Box::new(move || at_once(there.sell(&from, &to, &which))));
    let refused =
        world.service.enrol_device(&maker.station, &request(&thing), None).await.unwrap_err();
    assert_eq!(refused.code(), "owner-changed");
    // Its serial number is burned.
    assert_eq!(count(&world, "SELECT count(*) FROM certificate WHERE status = 4"), 1);
    let burned = "SELECT count(*) FROM certificate JOIN revocation USING (ca, serial)
        WHERE status = 4";
    assert_eq!(count(&world, burned), 1);
    whole(&world).await;
}
