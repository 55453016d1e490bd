//! Events: recorded, refused, many at once; ownership and parts.

use crate::world::{World, id, product};
use device::{Cause, DeviceId, DeviceKind, EventKind, Part, Phase, StandingKind};
use service::{CertificateStanding, ErrorKind, Page};

#[tokio::test]
async fn a_life_from_the_line_to_disposal() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let recycler = world.org("recycler", device::Roles::RECYCLER).await;
    let working = world.working(&maker, "gate", &owner).await;
    let device = &working.thing.id;
    let view = world.service.device(&owner.admin, device).await.unwrap();
    assert_eq!((view.phase, view.standing), (Some(Phase::Operation), StandingKind::Good));
    assert_eq!(view.owner, owner.id);

    let retired = EventKind::Retired { cause: Cause::EndOfUse };
    world.report(&owner, device, retired).await.unwrap();
    // The owner's credential ended in the same commit, the maker's did not.
    let standing = |enrolled: &service::Enrolled| world.service.standing_of(&enrolled.certificate);
    assert!(matches!(standing(&working.ldevid), CertificateStanding::Revoked { .. }));
    assert_eq!(standing(&working.idevid), CertificateStanding::Good);
    let shipped = EventKind::Shipped { to: recycler.id.clone() };
    world.report(&owner, device, shipped).await.unwrap();
    let received = EventKind::Received { from: owner.id.clone() };
    world.report(&recycler, device, received).await.unwrap();
    let disposed = EventKind::Disposed { erasure_proof: None };
    world.report(&recycler, device, disposed).await.unwrap();
    assert!(matches!(standing(&working.idevid), CertificateStanding::Revoked { .. }));

    let more = world.report(&owner, device, EventKind::OperationStarted).await.unwrap_err();
    assert_eq!((more.kind(), more.code()), (ErrorKind::Refused, "history-closed"));
    assert!(more.message_ja().is_some());
    let history =
        world.service.history(&owner.admin, device, &Page::default()).await.unwrap().items;
    assert_eq!(
        history.len() as u64,
        world.service.device(&owner.admin, device).await.unwrap().events
    );
    for (at, event) in history.iter().enumerate() {
        assert_eq!(event.sequence, at as u64);
        let commitment = ledger::commit(&event.salt.unwrap(), event.cose.as_ref().unwrap());
        assert_eq!(event.commitment, Some(commitment));
    }
}

#[tokio::test]
async fn refusals_name_their_reason_and_leave_nothing() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let other = world.maker("other", "gate", DeviceKind::Device).await;
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let before = world.service.device(&maker.admin, &thing.id).await.unwrap();

    let illegal = world.report(&maker, &thing.id, EventKind::OperationStarted).await.unwrap_err();
    assert_eq!(illegal.code(), "phase-forbids");
    // Signed for a place in the history that is taken.
    let stale =
        world.sign(&maker, &thing.id, EventKind::Tested { passed: true, standard: None }).await;
    world.service.record_event(&maker.station, stale.clone()).await.unwrap();
    let again = world.service.record_event(&maker.station, stale.clone()).await.unwrap_err();
    assert_eq!((again.kind(), again.code()), (ErrorKind::Conflict, "wrong-sequence"));
    // Reported by an organisation that has nothing to do with the device.
    let tested = EventKind::Tested { passed: true, standard: None };
    let stranger = world.report(&other, &thing.id, tested.clone()).await.unwrap_err();
    assert_eq!(stranger.kind(), ErrorKind::NotFound);
    // In another organisation's name.
    let foreign = world.sign(&maker, &thing.id, tested.clone()).await;
    let forged = world.service.record_event(&other.station, foreign.clone()).await.unwrap_err();
    assert_eq!(forged.code(), "other-reporter");
    // With a role that does not reach.
    let reader = world.service.record_event(&maker.reader, foreign.clone()).await.unwrap_err();
    assert_eq!(reader.kind(), ErrorKind::Forbidden);
    // Altered.
    let mut altered = foreign.clone();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    let altered = world.service.record_event(&maker.station, altered).await.unwrap_err();
    assert_eq!(altered.code(), "event-signature");
    let garbage = world.service.record_event(&maker.station, vec![0xff; 9]).await.unwrap_err();
    assert_eq!(garbage.kind(), ErrorKind::Malformed);
    // By a retired key.
    let key = crypto::Signer::public_key(&maker.signer).fingerprint();
    world.service.retire_signer(&maker.admin, &maker.id, &key).await.unwrap();
    let retired = world.service.record_event(&maker.station, foreign).await.unwrap_err();
    assert_eq!(retired.code(), "signer-unknown");

    let after = world.service.device(&maker.admin, &thing.id).await.unwrap();
    assert_eq!(after.events, before.events + 1);
    let illegal = world
        .service
        .audit(&maker.admin, Some(&maker.id), Some(audit::Kind::IllegalMove), &Page::default())
        .await
        .unwrap();
    assert_eq!(illegal.items.len(), 2, "illegal moves are logged");
}

#[tokio::test]
async fn many_at_once_each_alone() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let mut events = Vec::new();
    let mut devices = Vec::new();
    for n in 0..200 {
        let device = DeviceId::from_bytes([u8::try_from(n).unwrap(); 16]);
        let kind = EventKind::Assembled {
            kind: DeviceKind::Device,
            build: device::Build::MassProduction,
            product: product(if n % 10 == 3 { "no-such-line" } else { "gate" }),
            root_of_trust: None,
            key: None,
            parts: Vec::new(),
        };
        events.push(world.sign(&maker, &device, kind).await);
        devices.push(device);
    }
    let outcomes = world.service.record_events(&maker.station, events).await.unwrap();
    let good: Vec<u64> = outcomes.iter().flatten().map(|recorded| recorded.leaf).collect();
    assert_eq!(good.len(), 180);
    assert!(good.windows(2).all(|pair| pair[1] == pair[0] + 1), "leaves have no gap: {good:?}");
    for (n, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Err(error) => assert_eq!((n % 10, error.code()), (3, "no-product")),
            Ok(recorded) => assert_eq!(recorded.device, devices[n]),
        }
    }
    let too_many = vec![Vec::new(); 10_001];
    let error = world.service.record_events(&maker.station, too_many).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooMany);
}

#[tokio::test]
async fn a_transfer_ends_the_old_owners_access_in_the_same_commit() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let (old, new) = (world.owner("old-owner").await, world.owner("new-owner").await);
    let friend = world.org("friend", device::Roles::NONE).await;
    let working = world.working(&maker, "gate", &old).await;
    let device = &working.thing.id;
    world.service.set_share(&old.admin, device, &friend.id, None).await.unwrap();
    world.service.release_codes(&old.admin, vec![*device], 3600).await.unwrap();
    assert!(world.service.device(&friend.reader, device).await.is_ok());
    let ldevid = &working.ldevid.certificate;
    assert!(world.service.identify_certificate(ldevid).await.is_ok());

    let offer = EventKind::TransferOffered { to: new.id.clone() };
    world.report(&old, device, offer).await.unwrap();
    // Offered is not sold.
    assert!(world.service.identify_certificate(ldevid).await.is_ok());
    let epoch = world.service.revocation_epoch();
    let accept = EventKind::TransferAccepted { from: old.id.clone() };
    world.report(&new, device, accept).await.unwrap();

    assert_ne!(world.service.revocation_epoch(), epoch);
    let ended = world.service.identify_certificate(ldevid).await.unwrap_err();
    assert_eq!(ended.code(), "certificate-revoked");
    assert_eq!(world.service.device(&friend.reader, device).await.unwrap_err().code(), "not-found");
    let code = world.service.code(&new.admin, device).await.unwrap_err();
    assert_eq!(code.code(), "not-found");
    let denied = world.service.suspend_device(&old.admin, device, Cause::Lost).await.unwrap_err();
    assert_eq!(denied.code(), "not-found");
    assert_eq!(world.service.device(&new.admin, device).await.unwrap().owner, new.id);
    // The maker keeps its relation, the device its maker's certificate.
    assert!(world.service.device(&maker.admin, device).await.is_ok());
    assert_eq!(world.service.standing_of(&working.idevid.certificate), CertificateStanding::Good);
}

#[tokio::test]
async fn suspension_and_release_reach_the_certificates() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let device = &working.thing.id;
    let standing = || world.service.standing_of(&working.ldevid.certificate);
    world.service.suspend_device(&owner.admin, device, Cause::Anomaly).await.unwrap();
    assert!(matches!(standing(), CertificateStanding::Suspended { .. }));
    world.service.release_device(&owner.admin, device).await.unwrap();
    assert_eq!(standing(), CertificateStanding::Good);
    world.service.revoke_device(&owner.admin, device, Cause::KeyCompromise).await.unwrap();
    assert!(matches!(standing(), CertificateStanding::Revoked { .. }));
    let again = world.service.release_device(&owner.admin, device).await.unwrap_err();
    assert_eq!(again.code(), "standing-forbids");
}

#[tokio::test]
async fn a_part_in_two_devices_is_an_alarm_in_both() {
    let world = World::new().await;
    let chips = world.maker("chip-maker", "chip", DeviceKind::Chip).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let chip = DeviceId::from_bytes([9; 16]);
    let kind = EventKind::ChipMade {
        build: device::Build::MassProduction,
        product: Some(product("chip")),
        root_of_trust: device::RootOfTrust::SecureElement,
        key: crypto::sha256(b"key"),
    };
    world.report(&chips, &chip, kind).await.unwrap();
    let part = Part { device: chip, kind: DeviceKind::Chip };
    let first = world.made(&maker, "gate", vec![part]).await;
    assert_eq!(world.service.device(&maker.admin, &first.id).await.unwrap().events, 1);
    let second = world.made(&maker, "gate", vec![part]).await;
    for thing in [&first, &second] {
        let history =
            world.service.history(&maker.admin, &thing.id, &Page::default()).await.unwrap();
        assert_eq!(history.items.last().unwrap().kind, device::Kind::PartSeenElsewhere);
        assert_eq!(history.items.last().unwrap().reporter, id("platform"));
    }
}

#[tokio::test]
async fn bulk_registration_is_like_any_other() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let signer =
        std::sync::Arc::new(crypto::SoftwareKey::generate(crypto::KeyAlgorithm::Ed25519).unwrap());
    let unknown = world
        .service
        .bulk_register(&maker.station, signer.clone(), &maker.id, &product("gate"), 10)
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), "signer-unknown");
    let new = service::NewSigner {
        organisation: maker.id.clone(),
        spki: crypto::Signer::public_key(signer.as_ref()).spki().to_vec(),
        proof: service::signer_proof(signer.as_ref(), &maker.id).unwrap(),
    };
    world.service.register_signer(&maker.admin, new).await.unwrap();
    let devices = world
        .service
        .bulk_register(&maker.station, signer, &maker.id, &product("gate"), 600)
        .await
        .unwrap();
    assert_eq!(devices.len(), 600);
    let query = service::DeviceQuery::default();
    let mut page = Page { after: None, limit: 250 };
    let mut seen = 0;
    loop {
        let found = world.service.devices(&maker.admin, &maker.id, &query, &page).await.unwrap();
        seen += found.items.len();
        match found.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, 600);
}

#[tokio::test]
async fn the_platforms_signature_lends_nobody_rights() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let carrier = world.org("carrier", device::Roles::NONE).await;
    let police = world.org("police", device::Roles::AUTHORITY).await;
    let working = world.working(&maker, "gate", &owner).await;
    let device = &working.thing.id;
    let shipped = EventKind::Shipped { to: carrier.id.clone() };
    let thing = world.made(&maker, "gate", Vec::new()).await;
    world.report(&maker, &thing.id, shipped).await.unwrap();
    let received = EventKind::Received { from: maker.id.clone() };
    world.report(&carrier, &thing.id, received).await.unwrap();
    for outcome in [
        world.service.suspend_device(&carrier.admin, &thing.id, Cause::Lost).await,
        world.service.revoke_device(&carrier.admin, &thing.id, Cause::Lost).await,
    ] {
        let error = outcome.unwrap_err();
        assert!([ErrorKind::Forbidden, ErrorKind::Refused].contains(&error.kind()), "{error}");
    }
    assert_eq!(
        world.service.device(&maker.admin, &thing.id).await.unwrap().standing,
        StandingKind::Good
    );
    // What an authority has ordered the owner does not undo; what the owner asked for it does.
    world.report(&police, device, EventKind::Suspended { cause: Cause::Order }).await.unwrap();
    let undone = world.service.release_device(&owner.admin, device).await.unwrap_err();
    assert!([ErrorKind::Forbidden, ErrorKind::Refused].contains(&undone.kind()), "{undone}");
    world.report(&police, device, EventKind::Released).await.unwrap();
    world.service.suspend_device(&owner.admin, device, Cause::Anomaly).await.unwrap();
    let maker_says = world.service.release_device(&maker.admin, device).await;
    assert!(maker_says.is_err(), "the owner suspended it");
    world.service.release_device(&owner.admin, device).await.unwrap();
}

#[tokio::test]
async fn nobody_speaks_as_the_platform() {
    let world = World::new().await;
    let signer = crypto::SoftwareKey::generate(crypto::KeyAlgorithm::Ed25519).unwrap();
    let new = service::NewSigner {
        organisation: id("platform"),
        spki: crypto::Signer::public_key(&signer).spki().to_vec(),
        proof: service::signer_proof(&signer, &id("platform")).unwrap(),
    };
    for caller in [&world.platform_admin, &world.service.local_administrator()] {
        let refused = world.service.register_signer(caller, new.clone()).await.unwrap_err();
        assert_eq!(refused.code(), "platform-signer");
    }
}
