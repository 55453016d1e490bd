//! The platform's own signers: renewed before they end, replaced on demand; what they signed stays.

use crate::{
    verdict::trust,
    world::{Org, Working, World, config, id, open},
};
use crypto::UnixTime;
use device::{Cause, DeviceKind, PassportFile, ReasonCode, TrustAnchors, VerifyOptions};
use policy::Role;
use service::{Clock as _, Config, ErrorKind, OwnKeyKind, Page, Service, VerifyRequest};
use std::time::Duration;

const DAY: i64 = 86_400;
const UNTRUSTED: [ReasonCode; 5] = [
    ReasonCode::HistoryAltered,
    ReasonCode::HistoryIncomplete,
    ReasonCode::ReporterUntrusted,
    ReasonCode::StatementUntrusted,
    ReasonCode::IllegalState,
];

/// A device whose history holds events that the platform signed.
async fn scene(world: &World) -> (Org, Working) {
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    suspend_and_release(&world.service, &owner, &working).await;
    (owner, working)
}

async fn suspend_and_release(service: &Service, owner: &Org, working: &Working) {
    let device = &working.thing.id;
    service.suspend_device(&owner.admin, device, Cause::Anomaly).await.unwrap();
    service.release_device(&owner.admin, device).await.unwrap();
}

async fn believed(service: &Service, working: &Working) {
    let verdict = service.prove(&working.thing.id, VerifyRequest::default()).await.unwrap();
    for code in UNTRUSTED {
        assert!(!verdict.has(code), "{:?}", verdict.reasons);
    }
}

async fn exported(service: &Service, owner: &Org, working: &Working) -> Vec<u8> {
    service.export_passport(&owner.admin, &working.thing.id).await.unwrap()
}

fn believed_offline(file: &[u8], anchors: &TrustAnchors, now: UnixTime) {
    let file = PassportFile::parse(file).unwrap();
    let verdict = file.verify(anchors, &VerifyOptions::default(), now);
    for code in UNTRUSTED {
        assert!(!verdict.has(code), "{:?}", verdict.reasons);
    }
}

/// Until when the platform's newest event signer is certified.
async fn certified_until(service: &Service) -> UnixTime {
    let local = service.local_administrator();
    let signers = service.signers(&local, &id("platform")).await.unwrap();
    signers.iter().filter(|signer| signer.retired_at.is_none()).map(|s| s.not_after).max().unwrap()
}

async fn until_certified_beyond(service: &Service, end: UnixTime) {
    for _ in 0..3000 {
        if certified_until(service).await > end {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the platform's signers were not renewed");
}

#[tokio::test]
async fn signers_are_renewed_at_start_and_while_running() {
    let world = World::new().await;
    let anchors = trust(&world).await;
    let (owner, working) = scene(&world).await;
    let before = exported(&world.service, &owner, &working).await;
    let made_at = world.clock.now();
    let first = certified_until(&world.service).await;
    world.service.close();

    // At the start, with a year to go.
    world.clock.advance(2 * 366 * DAY);
    let service = open(world.path(), Config { integrate_ms: 1, ..config() }, &world.clock);
    until_certified_beyond(&service, first).await;
    let second = certified_until(&service).await;
    believed(&service, &working).await;
    suspend_and_release(&service, &owner, &working).await;
    believed(&service, &working).await;
    let file = exported(&service, &owner, &working).await;
    believed_offline(&file, &anchors, world.clock.now());

    // While it runs.
    world.clock.advance(2 * 366 * DAY);
    until_certified_beyond(&service, second).await;
    suspend_and_release(&service, &owner, &working).await;
    believed(&service, &working).await;
    let file = exported(&service, &owner, &working).await;
    believed_offline(&file, &anchors, world.clock.now());
    // A file of long ago is as good as it was then.
    believed_offline(&before, &anchors, made_at);
    service.close();
}

#[tokio::test]
async fn a_platform_that_slept_beyond_the_end_recovers() {
    let world = World::new().await;
    let anchors = trust(&world).await;
    let (owner, working) = scene(&world).await;
    let first = certified_until(&world.service).await;
    world.service.close();
    world.clock.advance(5 * 366 * DAY);
    let service = open(world.path(), config(), &world.clock);
    until_certified_beyond(&service, first).await;
    suspend_and_release(&service, &owner, &working).await;
    believed(&service, &working).await;
    let file = exported(&service, &owner, &working).await;
    believed_offline(&file, &anchors, world.clock.now());
    service.close();
}

#[tokio::test]
async fn a_key_is_replaced_and_what_it_signed_stays_valid() {
    let world = World::new().await;
    let anchors = trust(&world).await;
    let (owner, working) = scene(&world).await;
    let service = &world.service;
    let before = exported(service, &owner, &working).await;
    let (auditor, _) = world.member(&id("platform"), "auditor", Role::Auditor.into()).await;
    for (caller, kind) in [(&auditor, OwnKeyKind::Events), (&owner.admin, OwnKeyKind::Passports)] {
        let refused = service.rotate_own_key(caller, kind).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Forbidden);
    }
    let mut gone = Vec::new();
    for round in 0..3 {
        for kind in OwnKeyKind::ALL {
            let rotated = service.rotate_own_key(&world.platform_admin, kind).await.unwrap();
            assert_ne!(rotated.key, rotated.retired);
            assert!(!gone.contains(&rotated.key), "a key came back");
            gone.push(rotated.retired);
        }
        suspend_and_release(service, &owner, &working).await;
        believed(service, &working).await;
        let file = exported(service, &owner, &working).await;
        believed_offline(&file, &anchors, world.clock.now());
        believed_offline(&before, &anchors, world.clock.now());
        world.clock.advance(DAY * round);
    }
    // The old private keys are nowhere any more, and the accounts say so.
    let page = Page { after: None, limit: 1000 };
    let accounts = service.key_accounts(&world.platform_admin, &page).await.unwrap().items;
    for key in &gone {
        let account = accounts.iter().find(|account| account.key == *key).unwrap();
        assert!(account.retired_at.is_some() && account.destroyed_at.is_some());
    }
    let database = rusqlite::Connection::open(world.path().join("tegata.db")).unwrap();
    let sealed: i64 = database
        .query_row(
            "SELECT count(*) FROM key WHERE destroyed_at IS NOT NULL AND sealed IS NOT NULL",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(sealed, 0);
    drop(database);
    // The new keys are the ones after a restart, too.
    world.service.close();
    let service = open(world.path(), config(), &world.clock);
    suspend_and_release(&service, &owner, &working).await;
    believed(&service, &working).await;
    let file = exported(&service, &owner, &working).await;
    believed_offline(&file, &anchors, world.clock.now());
    let check = service.check_log(&service.local_administrator()).await.unwrap();
    assert!(check.problems.is_empty(), "{:?}", check.problems);
    service.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_replaced_under_load() {
    let world = std::sync::Arc::new(World::new().await);
    let anchors = trust(&world).await;
    let (owner, working) = scene(&world).await;
    let (owner, working) = (std::sync::Arc::new(owner), std::sync::Arc::new(working));
    let load = {
        let (world, owner, working) = (world.clone(), owner.clone(), working.clone());
        tokio::spawn(async move {
            for _ in 0..20 {
                suspend_and_release(&world.service, &owner, &working).await;
            }
        })
    };
    let rotate = |kind| {
        let world = world.clone();
        async move { world.service.rotate_own_key(&world.platform_admin, kind).await.unwrap() }
    };
    // Two at a time: each replaces the key of the one before it.
    for _ in 0..3 {
        let (one, two) = tokio::join!(rotate(OwnKeyKind::Events), rotate(OwnKeyKind::Events));
        assert!(one.key == two.retired || two.key == one.retired);
        rotate(OwnKeyKind::Passports).await;
    }
    load.await.unwrap();
    believed(&world.service, &working).await;
    let file = exported(&world.service, &owner, &working).await;
    believed_offline(&file, &anchors, world.clock.now());
}
