//! Erasure destroys contents and leaves every other proof valid.

use crate::{
    jobs::{over, result},
    verdict::trust,
    world::{World, config, open},
};
use device::{DeviceKind, PassportFile, ReasonCode, VerifyOptions};
use ledger::{SignedCheckpoint, verify_inclusion};
use service::{Clock as _, ErrorKind, JobState, Page, VerifyRequest};

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
    let job = world.service.erase_person(&maker.admin, &maker.id, "Taro Yamada").await.unwrap();
    assert_eq!((job.act.as_str(), &job.organisation), ("erase-person", &maker.id));
    // Asked twice, it is done once.
    let again = world.service.erase_person(&maker.admin, &maker.id, "Taro Yamada").await.unwrap();
    let first = world.service.job(&maker.admin, &job.id).await.unwrap();
    assert!(again.id == job.id || first.state.is_over());
    let job = over(&world.service, &maker.admin, &job).await;
    over(&world.service, &maker.admin, &again).await;
    // What it reported itself in that name, whoever owns the device now, and nothing else.
    let lines = result(&world.service, &maker.admin, &job).await;
    let mut erased: Vec<_> = lines[1..].iter().map(String::as_str).collect();
    erased.sort_unstable();
    let mut expected = [kept.id, working.thing.id].map(|device| format!("{device},,,done,done,"));
    expected.sort_unstable();
    assert_eq!((erased.as_slice(), job.failed), (&expected.each_ref().map(String::as_str)[..], 0));
    assert!(!format!("{job:?}").contains("Taro"));
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
async fn what_the_platform_signed_for_a_member_is_forgotten_as_well() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let other = world.maker("other", "gate", DeviceKind::Device).await;
    let (mine, theirs) = (
        world.made(&maker, "gate", Vec::new()).await,
        world.made(&other, "gate", Vec::new()).await,
    );
    let service = &world.service;
    service.suspend_device(&maker.admin, &mine.id, device::Cause::Lost).await.unwrap();
    service.suspend_device(&other.admin, &theirs.id, device::Cause::Lost).await.unwrap();
    let job = service.erase_person(&maker.admin, &maker.id, "admin").await.unwrap();
    let job = over(service, &maker.admin, &job).await;
    assert_eq!((job.state, job.total, job.done), (JobState::Done, 1, 1));
    let history = service.history(&maker.admin, &mine.id, &Page::default()).await.unwrap();
    for event in &history.items {
        assert_eq!(event.cose.is_none(), event.kind == device::Kind::Suspended, "{event:?}");
    }
    let history = service.history(&other.admin, &theirs.id, &Page::default()).await.unwrap();
    assert!(history.items.iter().all(|event| event.cose.is_some()));
}

#[tokio::test]
async fn an_erasure_goes_on_after_a_restart_and_forgets_whom_it_was_about() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let roles = policy::Roles::of(&[policy::Role::Administrator]);
    let (second, certificate) = world.member(&maker.id, "second", roles).await;
    for _ in 0..30 {
        world.made(&maker, "gate", Vec::new()).await;
    }
    let job = world.service.erase_person(&maker.admin, &maker.id, "Taro Yamada").await.unwrap();
    world.service.close();
    let service = open(world.path(), config(), &world.clock);
    let job = over(&service, &maker.admin, &job).await;
    assert_eq!((job.state, job.total, job.done, job.failed), (JobState::Done, 30, 30, 0));
    service.integrate_now().await.unwrap();
    let check = service.check_log(&service.local_administrator()).await.unwrap();
    assert_eq!((check.problems.as_slice(), check.events_erased), ([].as_slice(), 30));
    // A person can be asked for again: nothing is left.
    let again = service.erase_person(&maker.admin, &maker.id, "Taro Yamada").await.unwrap();
    let again = over(&service, &maker.admin, &again).await;
    assert_eq!((again.state, again.total), (JobState::Done, 0));
    // One who may not any more ends it.
    let job = service.erase_person(&second, &maker.id, "Hanako Suzuki").await.unwrap();
    let local = service.local_administrator();
    service.remove_member(&local, &maker.id, &certificate.fingerprint()).await.unwrap();
    let job = over(&service, &maker.admin, &job).await;
    assert!(matches!(job.state, JobState::Failed | JobState::Done), "{job:?}");
    service.close();
    for entry in std::fs::read_dir(world.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            for name in [&b"Taro Yamada"[..], b"Hanako Suzuki"] {
                let found = bytes.windows(name.len()).any(|window| window == name);
                assert!(!found, "a name is left in {}", path.display());
            }
        }
    }
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
