//! Challenge and response, and the reasons that a verdict tells apart; passport files.

use crate::world::{Working, World, key, product};
use crypto::{Signer, SoftwareKey};
use device::{
    Cause, Challenge, DeviceId, DeviceKind, EventKind, Outcome, PassportFile, Proof, ReasonCode,
    SignedProof, TrustAnchors, Verdict, VerifyOptions,
};
use service::{Clock as _, Page, VerifyRequest};

fn answer(challenge: &Challenge, key: &SoftwareKey, counter: u64) -> Vec<u8> {
    let proof = Proof::answer(challenge, counter, None, None);
    SignedProof::sign(key, &proof).unwrap().as_bytes().to_vec()
}

async fn ask(world: &World, working: &Working, key: &SoftwareKey, counter: u64) -> Verdict {
    let device = &working.thing.id;
    let challenge = world.service.challenge(device).await.unwrap();
    let proof = Some(answer(&challenge, key, counter));
    verdict(world, working, VerifyRequest { proof, ..VerifyRequest::default() }).await
}

async fn verdict(world: &World, working: &Working, request: VerifyRequest) -> Verdict {
    let owner = world.service.local_administrator();
    let _ = owner;
    let device = &working.thing.id;
    world.service.prove(device, request).await.unwrap()
}

#[tokio::test]
async fn genuine_then_replayed_then_copied() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let device = &working.thing.id;

    let genuine = ask(&world, &working, &working.local_key, 1).await;
    assert_eq!(genuine.outcome, Outcome::Genuine, "{:?}", genuine.reasons);
    // The same answer again.
    let challenge = world.service.challenge(device).await.unwrap();
    let proof = Some(answer(&challenge, &working.local_key, 2));
    let request = VerifyRequest { proof, ..VerifyRequest::default() };
    let first = verdict(&world, &working, request.clone()).await;
    assert_eq!(first.outcome, Outcome::Genuine);
    let replayed = verdict(&world, &working, request).await;
    assert_eq!(replayed.outcome, Outcome::Rejected);
    // The certificate without the key.
    let copied = ask(&world, &working, &key(), 3).await;
    assert_eq!(copied.outcome, Outcome::Rejected);
    // Too late.
    let challenge = world.service.challenge(device).await.unwrap();
    world.clock.advance(61);
    let proof = Some(answer(&challenge, &working.local_key, 4));
    let late = verdict(&world, &working, VerifyRequest { proof, ..VerifyRequest::default() }).await;
    assert_ne!(late.outcome, Outcome::Genuine);
    // Two holders of one key: the second counter falls behind, which enters the history.
    let ahead = ask(&world, &working, &working.local_key, 10).await;
    assert_eq!(ahead.outcome, Outcome::Genuine);
    let forked = ask(&world, &working, &working.local_key, 7).await;
    assert!(forked.has(ReasonCode::KeyCopied), "{:?}", forked.reasons);
    let history = world.service.history(&owner.admin, device, &Page::default()).await.unwrap();
    assert_eq!(history.items.last().unwrap().kind, device::Kind::ProofRefused);
    // It stays so, whatever the counters say from now on.
    let after = ask(&world, &working, &working.local_key, 20).await;
    assert!(after.has(ReasonCode::KeyCopied), "{:?}", after.reasons);
}

#[tokio::test]
async fn two_answers_at_once_are_judged_one_after_the_other() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let verdicts = tokio::join!(
        ask(&world, &working, &working.local_key, 5),
        ask(&world, &working, &working.local_key, 5),
    );
    let copied = [verdicts.0, verdicts.1].iter().filter(|v| v.has(ReasonCode::KeyCopied)).count();
    assert!(copied >= 1, "one of two equal counters is a copy");
}

#[tokio::test]
async fn reasons_are_told_apart() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let thief = world.owner("thief").await;
    let check = async |working: &Working, request: VerifyRequest, code: ReasonCode| {
        let verdict =
            world.service.verify_device(&owner.admin, &working.thing.id, request).await.unwrap();
        assert!(verdict.has(code), "{code:?}: {:?}", verdict.reasons);
        let reason = verdict.reasons.iter().find(|reason| reason.code == code).unwrap();
        assert!(!reason.evidence.is_empty(), "{code:?} has evidence");
        verdict
    };
    let plain = VerifyRequest::default;
    let working = world.working(&maker, "gate", &owner).await;
    let presented_by = Some(thief.id.clone());
    let request = VerifyRequest { presented_by, ..plain() };
    check(&working, request, ReasonCode::WrongOwner).await;
    world.service.suspend_device(&owner.admin, &working.thing.id, Cause::Lost).await.unwrap();
    check(&working, plain(), ReasonCode::Suspended).await;
    world.service.release_device(&owner.admin, &working.thing.id).await.unwrap();
    world.clock.advance(91 * 86_400);
    check(&working, plain(), ReasonCode::Expired).await;

    let ended = world.working(&maker, "gate", &owner).await;
    let retired = EventKind::Retired { cause: Cause::EndOfLife };
    world.report(&owner, &ended.thing.id, retired).await.unwrap();
    check(&ended, plain(), ReasonCode::Retired).await;
    let challenge = world.service.challenge(&ended.thing.id).await.unwrap();
    let proof = Some(answer(&challenge, &ended.thing.key, 1));
    let back =
        check(&ended, VerifyRequest { proof, ..plain() }, ReasonCode::RetiredReappeared).await;
    assert_eq!(back.outcome, Outcome::Rejected);
    let history = world.service.history(&owner.admin, &ended.thing.id, &Page::default()).await;
    let last = history.unwrap().items.pop().unwrap();
    assert_eq!(last.kind, device::Kind::Reappeared);

    let revoked = world.working(&maker, "gate", &owner).await;
    let cause = Cause::KeyCompromise;
    world.service.revoke_device(&owner.admin, &revoked.thing.id, cause).await.unwrap();
    let verdict = check(&revoked, plain(), ReasonCode::Revoked).await;
    assert_eq!(verdict.outcome, Outcome::Rejected);

    // A certificate of a maker that nobody here knows.
    let stranger = World::new().await;
    let theirs = stranger.maker("maker", "gate", DeviceKind::Device).await;
    let thing = stranger.made(&theirs, "gate", Vec::new()).await;
    let foreign = stranger.idevid(&theirs, "gate", &thing).await.certificate;
    let working = world.working(&maker, "gate", &owner).await;
    let request = VerifyRequest { presented: vec![foreign], ..plain() };
    let verdict = check(&working, request, ReasonCode::UnknownMaker).await;
    assert_eq!(verdict.outcome, Outcome::Rejected);
    let nobody = DeviceId::from_bytes([3; 16]);
    let verdict = world.service.verify_device(&owner.admin, &nobody, plain()).await.unwrap();
    assert!(verdict.has(ReasonCode::UnknownDevice));
}

#[tokio::test]
async fn a_stranger_gets_the_verdict_and_no_evidence() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let buyer = world.org("buyer", device::Roles::NONE).await;
    let working = world.working(&maker, "gate", &owner).await;
    world.service.suspend_device(&owner.admin, &working.thing.id, Cause::Lost).await.unwrap();
    let verdict = world
        .service
        .verify_device(&buyer.reader, &working.thing.id, VerifyRequest::default())
        .await
        .unwrap();
    assert!(verdict.has(ReasonCode::Suspended));
    assert!(verdict.reasons.iter().all(|reason| reason.evidence.is_empty()));
    let denied = world.service.export_passport(&buyer.admin, &working.thing.id).await.unwrap_err();
    assert_eq!(denied.code(), "not-found");
}

pub(crate) async fn trust(world: &World) -> TrustAnchors {
    let store = world.service.trust_store().await.unwrap();
    let mut anchors = TrustAnchors::default();
    for root in store.roots {
        anchors.roots.add(root);
    }
    anchors.logs.push(store.log_key.parse().unwrap());
    anchors.platform = Some(store.platform);
    anchors
}

#[tokio::test]
async fn a_passport_file_gives_the_same_verdict_offline() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    assert_eq!(ask(&world, &working, &working.local_key, 1).await.outcome, Outcome::Genuine);
    let bytes = world.service.export_passport(&owner.admin, &working.thing.id).await.unwrap();
    let file = PassportFile::parse(&bytes).unwrap();
    assert_eq!(file.device(), working.thing.id);
    let anchors = trust(&world).await;
    let options = VerifyOptions::default();
    let verdict = file.verify(&anchors, &options, world.clock.now());
    assert_eq!(verdict.outcome, Outcome::Genuine, "{:?}", verdict.reasons);
    // Under other roots nothing of it is believed.
    let other = World::new().await;
    let verdict = file.verify(&trust(&other).await, &options, world.clock.now());
    assert_eq!(verdict.outcome, Outcome::Rejected);
    // After a day it is stale.
    world.clock.advance(2 * 86_400);
    let stale = file.verify(&anchors, &options, world.clock.now());
    assert!(stale.has(ReasonCode::StaleEvidence), "{:?}", stale.reasons);
    // A suspended device's file says so.
    world.service.suspend_device(&owner.admin, &working.thing.id, Cause::Lost).await.unwrap();
    let bytes = world.service.export_passport(&owner.admin, &working.thing.id).await.unwrap();
    let verdict =
        PassportFile::parse(&bytes).unwrap().verify(&anchors, &options, world.clock.now());
    assert!(verdict.has(ReasonCode::Suspended), "{:?}", verdict.reasons);
    let _ = (product("gate"), working.local_key.public_key());
}

/// A certificate that anybody can make: self-signed, in the name of the device.
fn self_made(key: &SoftwareKey, device: &DeviceId, now: crypto::UnixTime) -> pki::Certificate {
    let subject = pki::Subject::named(device.to_string());
    let until = now.plus(86_400);
    let issuer = pki::IssuerInfo::self_signed(&subject, key.public_key(), now, until).unwrap();
    let serial = pki::Serial::from_random([1; 16]);
    let request = pki::Request::new(serial, subject, key.public_key().clone(), (now, until));
    pki::prepare(pki::Profile::Root, &issuer, &request).unwrap().sign(key).unwrap()
}

#[tokio::test]
async fn keys_that_nobody_vouches_for_leave_no_trace() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let device = &working.thing.id;
    assert_eq!(ask(&world, &working, &working.local_key, 1).await.outcome, Outcome::Genuine);
    let attacker = key();
    let presented = vec![self_made(&attacker, device, world.clock.now())];
    let challenge = world.service.challenge(device).await.unwrap();
    let proof = Some(answer(&challenge, &attacker, 9));
    let request = VerifyRequest { proof, presented, ..VerifyRequest::default() };
    let verdict = verdict(&world, &working, request).await;
    assert_eq!(verdict.outcome, Outcome::Rejected, "{:?}", verdict.reasons);
    let connection = rusqlite::Connection::open(world.path().join("tegata.db")).unwrap();
    let kept: i64 =
        connection.query_row("SELECT count(*) FROM proof_counter", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 1, "the device's own proof alone");
    // The exported file still proves possession.
    let bytes = world.service.export_passport(&owner.admin, device).await.unwrap();
    let file = PassportFile::parse(&bytes).unwrap();
    let verdict = file.verify(&trust(&world).await, &VerifyOptions::default(), world.clock.now());
    assert_eq!(verdict.outcome, Outcome::Genuine, "{:?}", verdict.reasons);
}

#[tokio::test]
async fn another_devices_and_a_members_certificate_are_not_the_devices() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let victim = world.working(&maker, "gate", &owner).await;
    let other = world.working(&maker, "gate", &owner).await;
    let challenge = world.service.challenge(&victim.thing.id).await.unwrap();
    let proof = Some(answer(&challenge, &other.local_key, 1));
    let presented = vec![other.ldevid.certificate.clone()];
    let request = VerifyRequest { proof, presented, ..VerifyRequest::default() };
    let posing = verdict(&world, &victim, request).await;
    assert_eq!(posing.outcome, Outcome::Rejected);
    assert!(posing.has(ReasonCode::CredentialUnlisted), "{:?}", posing.reasons);
    let (_, member) = world.member(&owner.id, "somebody", policy::Role::Administrator.into()).await;
    let request = VerifyRequest { presented: vec![member], ..VerifyRequest::default() };
    let posing = verdict(&world, &victim, request).await;
    assert_eq!(posing.outcome, Outcome::Rejected, "{:?}", posing.reasons);
}
