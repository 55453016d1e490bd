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
    let secret = before[2].cose.clone().unwrap();

    let denied = world.service.erase_device(&owner.reader, device).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Forbidden);
    let recorded = world.service.erase_events(&owner.admin, device, vec![2, 3, 99]).await.unwrap();
    let again = world.service.erase_events(&owner.admin, device, vec![2, 3]).await.unwrap_err();
    assert_eq!(again.code(), "nothing-to-erase");
    let after = history().await;
    assert_eq!(after.len(), before.len() + 1);
    assert_eq!(after.last().unwrap().kind, device::Kind::Erased);
    for (old, new) in before.iter().zip(&after) {
        assert_eq!(old.commitment, new.commitment);
        assert_eq!(new.cose.is_none() && new.salt.is_none(), [2, 3].contains(&new.sequence));
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
    assert_eq!(done.erased.len(), 1);
    assert_eq!(done.erased[0].0, kept.id);
    assert_eq!(done.elsewhere, 1, "what was sold is the owner's to erase");
    let history = world.service.history(&maker.admin, &kept.id, &Page::default()).await.unwrap();
    assert!(history.items[0].cose.is_none());
    let history =
        world.service.history(&owner.admin, &working.thing.id, &Page::default()).await.unwrap();
    assert!(history.items[0].cose.is_some());
}

#[tokio::test]
async fn erasing_again_leaves_the_mark_of_the_first() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let device = &working.thing.id;
    world.service.erase_events(&owner.admin, device, vec![1]).await.unwrap();
    world.service.erase_device(&owner.admin, device).await.unwrap();
    let history = world.service.history(&owner.admin, device, &Page::default()).await.unwrap();
    for event in &history.items {
        assert_eq!(event.cose.is_some(), event.kind == device::Kind::Erased, "{:?}", event.kind);
    }
    let nothing = world.service.erase_device(&owner.admin, device).await.unwrap_err();
    assert_eq!(nothing.code(), "nothing-to-erase");
    let bytes = world.service.export_passport(&owner.admin, device).await.unwrap();
    let file = PassportFile::parse(&bytes).unwrap();
    let now = world.clock.now();
    let verdict = file.verify(&trust(&world).await, &VerifyOptions::default(), now);
    assert!(!verdict.has(ReasonCode::HistoryAltered), "{:?}", verdict.reasons);
}
