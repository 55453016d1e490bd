//! Erasure destroys contents and leaves every other proof valid.

use crate::{verdict::trust, world::World};
use device::{DeviceKind, PassportFile, ReasonCode, VerifyOptions};
use ledger::{SignedCheckpoint, verify_inclusion};
use service::{Clock as _, ErrorKind, Page, VerifyRequest};

#[tokio::test]
async fn contents_go_and_proofs_stay() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let neighbour = world.working(&maker, "gate", &owner).await;
    let device = &working.thing.id;
    let history = || async {
        world.service.history(&owner.admin, device, &Page::default()).await.unwrap().items
    };
    let before = history().await;
    let secret = before[6].cose.clone().unwrap();

    let denied = world.service.erase_device(&owner.reader, device).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Forbidden);
    let recorded = world.service.erase_events(&owner.admin, device, vec![3, 6, 99]).await.unwrap();
    let again = world.service.erase_events(&owner.admin, device, vec![3, 6]).await.unwrap_err();
    assert_eq!(again.code(), "nothing-to-erase");
    let after = history().await;
    assert_eq!(after.len(), before.len() + 1);
    assert_eq!(after.last().unwrap().kind, device::Kind::Erased);
    for (old, new) in before.iter().zip(&after) {
        assert_eq!(old.commitment, new.commitment);
        assert_eq!(new.cose.is_none() && new.salt.is_none(), [3, 6].contains(&new.sequence));
    }
    // Every leaf is still proven, the erased ones too.
    world.service.integrate_now().await.unwrap();
    for event in &after {
        let (proof, checkpoint) = world.service.inclusion(event.leaf).await.unwrap();
        let head = SignedCheckpoint::parse(&checkpoint).unwrap();
        verify_inclusion(&event.commitment.unwrap(), &proof, &head.claimed().root).unwrap();
    }
    let admin = &world.platform_admin;
    let check = world.service.check_log(admin).await.unwrap();
    assert_eq!((check.problems.as_slice(), check.events_erased), ([].as_slice(), 2));
    // Neither verdict nor passport file takes it for tampering, here and next door.
    let verdict =
        world.service.verify_device(&owner.admin, device, VerifyRequest::default()).await.unwrap();
    assert!(!verdict.has(ReasonCode::HistoryAltered), "{:?}", verdict.reasons);
    let anchors = trust(&world).await;
    for thing in [device, &neighbour.thing.id] {
        let bytes = world.service.export_passport(&owner.admin, thing).await.unwrap();
        let file = PassportFile::parse(&bytes).unwrap();
        let verdict = file.verify(&anchors, &VerifyOptions::default(), world.clock.now());
        for code in
            [ReasonCode::HistoryAltered, ReasonCode::HistoryIncomplete, ReasonCode::IllegalState]
        {
            assert!(!verdict.has(code), "{:?}", verdict.reasons);
        }
    }
    assert!(recorded.leaf > before.last().unwrap().leaf);

    // The bytes are gone from the files as well.
    world.service.close();
    for entry in std::fs::read_dir(world.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(48).any(|window| *window == secret[60..108]);
            assert!(!found, "erased contents are in {}", path.display());
        }
    }
}

#[tokio::test]
async fn a_person_is_forgotten_where_the_caller_may() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let kept = world.made(&maker, "gate", Vec::new()).await;
    let stranger = world.service.erase_person(&owner.admin, &maker.id, "Taro Yamada").await;
    assert_eq!(stranger.unwrap_err().kind(), ErrorKind::NotFound);
    let done = world.service.erase_person(&maker.admin, &maker.id, "Taro Yamada").await.unwrap();
    // What it reported itself in that name, whoever owns the device now, and nothing else.
    let mut erased: Vec<_> = done.erased.iter().map(|(device, _)| *device).collect();
    erased.sort_unstable();
    let mut expected = [kept.id, working.thing.id];
    expected.sort_unstable();
    assert_eq!((erased.as_slice(), done.failed), (&expected[..], 0));
    let history = world.service.history(&maker.admin, &kept.id, &Page::default()).await.unwrap();
    assert!(history.items[0].cose.is_none());
    let sold = &working.thing.id;
    let history = world.service.history(&owner.admin, sold, &Page::default()).await.unwrap();
    for event in &history.items {
        assert_eq!(event.cose.is_none(), event.reporter == maker.id, "{:?}", event.kind);
    }
    let verdict =
        world.service.verify_device(&owner.admin, sold, VerifyRequest::default()).await.unwrap();
    assert!(!verdict.has(ReasonCode::HistoryAltered), "{:?}", verdict.reasons);
    // Not everybody of the organisation may.
    let denied = world.service.erase_person(&maker.reader, &maker.id, "Taro Yamada").await;
    assert_eq!(denied.unwrap_err().kind(), ErrorKind::Forbidden);
}

#[tokio::test]
async fn an_owner_does_not_erase_what_was_before_it() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let police = world.org("police", device::Roles::AUTHORITY).await;
    let working = world.working(&maker, "gate", &owner).await;
    let (device, service) = (&working.thing.id, &world.service);
    let ordered = device::EventKind::Suspended { cause: device::Cause::Order };
    world.report(&police, device, ordered).await.unwrap();
    service.release_device(&police.admin, device).await.unwrap();
    let history =
        || async { service.history(&owner.admin, device, &Page::default()).await.unwrap().items };
    let before = history().await;
    let first = before.iter().find(|event| event.kind == device::Kind::TransferAccepted).unwrap();
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for event in &before {
        let mine = event.reporter == owner.id;
        // The order itself, and its end, which the platform signed on the authority's behalf.
        let ordered = [device::Kind::Suspended, device::Kind::Released].contains(&event.kind);
        let in_its_time = event.sequence >= first.sequence && !ordered;
        if mine || in_its_time { &mut own } else { &mut others }.push(event.sequence);
    }
    assert!(own.len() > 4 && others.len() > 4, "{own:?} {others:?}");
    for sequence in &others {
        // Alone, or hidden among what may be erased.
        for wanted in [vec![*sequence], [&own[..], &[*sequence]].concat()] {
            let kept = service.erase_events(&owner.admin, device, wanted).await.unwrap_err();
            assert_eq!(kept.code(), "not-yours-to-erase", "event {sequence}");
        }
    }
    assert!(history().await.iter().all(|event| event.cose.is_some()), "nothing was erased");
    // Everything means everything that is its own.
    service.erase_device(&owner.admin, device).await.unwrap();
    for event in &history().await[..before.len()] {
        assert_eq!(event.cose.is_none(), own.contains(&event.sequence), "{:?}", event.kind);
    }
    // The maker is no owner any more; the operator of the platform obeys the law.
    let former = service.erase_events(&maker.admin, device, vec![0]).await.unwrap_err();
    assert_eq!(former.kind(), ErrorKind::Forbidden);
    let local = service.local_administrator();
    service.erase_events(&local, device, vec![0]).await.unwrap();
    let bytes = service.export_passport(&owner.admin, device).await.unwrap();
    let now = world.clock.now();
    let file = PassportFile::parse(&bytes).unwrap();
    let verdict = file.verify(&trust(&world).await, &VerifyOptions::default(), now);
    assert!(!verdict.has(ReasonCode::HistoryAltered), "{:?}", verdict.reasons);
}

#[tokio::test]
async fn erasing_again_leaves_the_mark_of_the_first() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let device = &working.thing.id;
    world.service.erase_events(&owner.admin, device, vec![6]).await.unwrap();
    world.service.erase_device(&owner.admin, device).await.unwrap();
    let history = world.service.history(&owner.admin, device, &Page::default()).await.unwrap();
    let bought = history.items.iter().find(|e| e.kind == device::Kind::TransferAccepted).unwrap();
    for event in &history.items {
        let own = event.reporter == owner.id || event.sequence >= bought.sequence;
        let kept = event.kind == device::Kind::Erased || !own;
        assert_eq!(event.cose.is_some(), kept, "{:?}", event.kind);
    }
    let nothing = world.service.erase_device(&owner.admin, device).await.unwrap_err();
    assert_eq!(nothing.code(), "nothing-to-erase");
    let bytes = world.service.export_passport(&owner.admin, device).await.unwrap();
    let file = PassportFile::parse(&bytes).unwrap();
    let now = world.clock.now();
    let verdict = file.verify(&trust(&world).await, &VerifyOptions::default(), now);
    assert!(!verdict.has(ReasonCode::HistoryAltered), "{:?}", verdict.reasons);
}
