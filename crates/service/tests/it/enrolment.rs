//! First certificates, renewals, codes, purchase lists, chips; many at once.

use crate::world::{World, csr, fingerprint, key, product};
use crypto::Signer as _;
use device::{DeviceId, DeviceKind, EventKind, Part};
use service::{ChipRequest, EnrolRequest, ErrorKind, Page, Purchase};
use std::sync::Arc;

fn request(key: &crypto::SoftwareKey, serial: &str) -> EnrolRequest {
    EnrolRequest { label: None, csr: csr(key, serial) }
}

#[tokio::test]
async fn from_the_chip_to_the_owner() {
    let world = World::new().await;
    let chips = world.maker("chip-maker", "chip", DeviceKind::Chip).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let chip_key = key();
    let chip = DeviceId::from_bytes([7; 16]);
    let made = EventKind::ChipMade {
        build: device::Build::MassProduction,
        product: Some(product("chip")),
        root_of_trust: device::RootOfTrust::SecureElement,
        key: fingerprint(&chip_key),
    };
    let made = world.sign(&chips, &chip, made).await;
    let serial = chip.to_string();
    let wrong = ChipRequest { made: None, device: chip, csr: csr(&key(), &serial) };
    let right = ChipRequest { made: Some(made), device: chip, csr: csr(&chip_key, &serial) };
    let not_begun =
        world.service.issue_chip_certificates(&chips.station, vec![wrong.clone()]).await.unwrap();
    assert_eq!(not_begun[0].as_ref().unwrap_err().kind(), ErrorKind::NotFound);
    let issued =
        world.service.issue_chip_certificates(&chips.station, vec![right, wrong]).await.unwrap();
    let enrolled = issued[0].as_ref().unwrap();
    assert_eq!(issued[1].as_ref().unwrap_err().code(), "other-key");
    assert_eq!(enrolled.recorded.sequence, 1);

    let part = Part { device: chip, kind: DeviceKind::Chip };
    let thing = world.made(&maker, "gate", vec![part]).await;
    let caller = world.service.identify_certificate(&enrolled.certificate).await.unwrap();
    // The chip vouches for the device that it sits in; the device may not pose as another.
    let posing = request(&thing.key, "SN-other");
    let posing = world.service.enrol_device(&caller, &posing, None).await.unwrap_err();
    assert_eq!(posing.code(), "enrolment-refused");
    let idevid = world
        .service
        .enrol_device(&caller, &request(&thing.key, &thing.serial), None)
        .await
        .unwrap();
    assert_eq!(idevid.device, thing.id);
    assert_eq!(idevid.certificate.organization().as_deref(), Some("maker"));
    assert_eq!(idevid.certificate.not_after(), crypto::UnixTime::NEVER);
    assert!(idevid.certificate.hardware_module_name().is_some());
}

#[tokio::test]
async fn nobody_joins_an_owner_without_a_voucher() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let idevid = world.idevid(&maker, "gate", &thing).await;
    world.sell(&maker, &owner, &thing.id).await;
    let caller = world.service.identify_certificate(&idevid.certificate).await.unwrap();
    let local = key();
    let first = request(&local, &thing.serial);
    let refused = world.service.enrol_device(&caller, &first, None).await.unwrap_err();
    assert_eq!(refused.code(), "not-vouched");
    // A line of the owner's purchase list vouches.
    let line = Purchase {
        maker: maker.id.clone(),
        product: product("gate"),
        serial_number: thing.serial.clone(),
    };
    let lines =
        world.service.import_purchase_list(&owner.admin, &owner.id, vec![line]).await.unwrap();
    assert!(lines.iter().all(Result::is_ok));
    let ldevid = world.service.enrol_device(&caller, &first, None).await.unwrap();
    assert_eq!(ldevid.certificate.organization().as_deref(), Some("owner"));
}

#[tokio::test]
async fn a_code_works_once_for_its_device() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let thing = world.made(&maker, "gate", Vec::new()).await;
    world.idevid(&maker, "gate", &thing).await;
    world.sell(&maker, &owner, &thing.id).await;
    let denied = world.service.release_codes(&owner.reader, vec![thing.id], 600).await.unwrap();
    assert_eq!(denied[0].as_ref().unwrap_err().kind(), ErrorKind::Forbidden);
    let mut released =
        world.service.release_codes(&owner.admin, vec![thing.id], 600).await.unwrap();
    let code = released.remove(0).unwrap().code;
    let user = thing.id.to_string();
    let view = world.service.device(&owner.admin, &thing.id).await.unwrap();
    let number = view.management_number.to_string();
    let wrong = world.service.identify_code(&user, "AAAAA-AAAAA-AAAAA-AAAAA-AAAAA").await;
    assert_eq!(wrong.unwrap_err().kind(), ErrorKind::Unauthenticated);
    let nobody = world
        .service
        .identify_code(&DeviceId::from_bytes([1; 16]).to_string(), code.expose())
        .await;
    assert_eq!(nobody.unwrap_err().kind(), ErrorKind::Unauthenticated);
    let caller = world.service.identify_code(&number, code.expose()).await.unwrap();
    // Two at the same time: the code is good for one.
    let (a, b) = (key(), key());
    let (first, second) = (request(&a, &thing.serial), request(&b, &thing.serial));
    let (first, second) = tokio::join!(
        world.service.enrol_device(&caller, &first, None),
        world.service.enrol_device(&caller, &second, None),
    );
    let outcomes = [first, second];
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let lost = outcomes.iter().find_map(|outcome| outcome.as_ref().err()).unwrap();
    assert_eq!(lost.code(), "code-used");
    let used = world.service.identify_code(&user, code.expose()).await.unwrap_err();
    assert!(used.to_string().contains("has been used"), "{used}");
    assert!(world.service.code(&owner.admin, &thing.id).await.unwrap().used_at.is_some());
}

#[tokio::test]
async fn no_two_devices_have_one_key() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let first = world.working(&maker, "gate", &owner).await;
    let second = world.working(&maker, "gate", &owner).await;
    let caller = world.service.identify_certificate(&second.idevid.certificate).await.unwrap();
    let shared = request(&first.local_key, &second.thing.serial);
    let refused = world.service.enrol_device(&caller, &shared, None).await.unwrap_err();
    assert_eq!(refused.code(), "key-in-use");
    let own = request(&second.local_key, &second.thing.serial);
    world.service.enrol_device(&caller, &own, None).await.unwrap();
}

#[tokio::test]
async fn renewal_follows_the_rules() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let old = &working.ldevid.certificate;
    let window = world.service.renewal_info(&owner.reader, &working.thing.id).await.unwrap();
    assert!(window.from > old.not_before() && window.until < old.not_after());
    let subject = pki::Subject::from_name(&old.subject());
    let renewal = |key: &crypto::SoftwareKey| {
        let der = pki::CsrBuilder { subject: subject.clone(), ..Default::default() }.build(key);
        EnrolRequest { label: None, csr: der.unwrap() }
    };
    let caller = world.service.identify_certificate(old).await.unwrap();
    let new_key = key();
    let renewed = world.service.reenrol_device(&caller, &renewal(&new_key), None).await.unwrap();
    assert_eq!(renewed.device, working.thing.id);
    // Another subject than that of the certificate.
    let changed = request(&key(), &working.thing.serial);
    let newest = world.service.identify_certificate(&renewed.certificate).await.unwrap();
    let changed = world.service.reenrol_device(&newest, &changed, None).await.unwrap_err();
    assert!(changed.to_string().contains("RFC 7030"), "{changed}");
    // Through the IDevID only after the end, and only within the grace period.
    let idevid = world.service.identify_certificate(&working.idevid.certificate).await.unwrap();
    let early = world.service.reenrol_device(&idevid, &renewal(&key()), None).await.unwrap_err();
    assert!(early.to_string().contains("still valid"), "{early}");
    world.clock.advance(91 * 86_400);
    let expired = world.service.identify_certificate(&renewed.certificate).await.unwrap_err();
    assert_eq!(expired.code(), "certificate-expired");
    let back = world.service.reenrol_device(&idevid, &renewal(&key()), None).await.unwrap();
    assert_eq!(back.device, working.thing.id);
    world.clock.advance(200 * 86_400);
    let late = world.service.reenrol_device(&idevid, &renewal(&key()), None).await.unwrap_err();
    assert!(late.to_string().contains("too long ago"), "{late}");
}

#[tokio::test]
async fn a_key_made_here_is_handed_out_once() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let caller = world.service.identify_certificate(&working.idevid.certificate).await.unwrap();
    let asked = request(&key(), &working.thing.serial);
    let (enrolled, secret) = world.service.server_keygen(&caller, &asked, None).await.unwrap();
    let made = crypto::SoftwareKey::from_pkcs8(&secret).unwrap();
    assert_eq!(enrolled.certificate.public_key().unwrap(), made.public_key());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_at_once() {
    let world = Arc::new(World::new().await);
    let maker = Arc::new(world.maker("maker", "gate", DeviceKind::Device).await);
    let mut things = Vec::new();
    for _ in 0..100 {
        things.push(world.made(&maker, "gate", Vec::new()).await);
    }
    let before = world.service.health();
    let tasks: Vec<_> = things
        .into_iter()
        .map(|thing| {
            let (world, maker) = (world.clone(), maker.clone());
            tokio::spawn(async move { world.idevid(&maker, "gate", &thing).await })
        })
        .collect();
    let mut leaves = Vec::new();
    let mut serials = std::collections::BTreeSet::new();
    for task in tasks {
        let enrolled = task.await.unwrap();
        leaves.push(enrolled.recorded.leaf);
        assert!(serials.insert(*enrolled.certificate.serial()), "a serial number twice");
        let caller = world.service.identify_certificate(&enrolled.certificate).await.unwrap();
        assert!(
            matches!(caller, service::Caller::Device { device, .. } if device == enrolled.device)
        );
    }
    leaves.sort_unstable();
    leaves.dedup();
    assert_eq!(leaves.len(), 100);
    let after = world.service.health();
    assert!(after.commands - before.commands >= 200);
    // Two commands per certificate; the crowd shared commits.
    assert!(after.commits - before.commits < after.commands - before.commands);
    let uses = world
        .service
        .key_accounts(&world.platform_admin, &Page { after: None, limit: 1000 })
        .await
        .unwrap();
    let certificates: u64 = uses
        .items
        .iter()
        .filter(|account| account.purpose == "ca")
        .flat_map(|account| &account.uses)
        .filter(|(what, _)| *what == "certificate")
        .map(|(_, count)| *count)
        .sum();
    let statistics = world.service.statistics(&world.platform_admin).await.unwrap();
    assert_eq!(certificates, statistics.certificates, "every use of a CA key is accounted for");
}

#[tokio::test]
async fn anothers_purchase_list_changes_nothing() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let rival = world.owner("rival").await;
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let idevid = world.idevid(&maker, "gate", &thing).await;
    world.sell(&maker, &owner, &thing.id).await;
    for org in [&owner, &rival] {
        let line = Purchase {
            maker: maker.id.clone(),
            product: product("gate"),
            serial_number: thing.serial.clone(),
        };
        world.service.import_purchase_list(&org.admin, &org.id, vec![line]).await.unwrap();
    }
    let caller = world.service.identify_certificate(&idevid.certificate).await.unwrap();
    let ldevid =
        world.service.enrol_device(&caller, &request(&key(), &thing.serial), None).await.unwrap();
    assert_eq!(ldevid.certificate.organization().as_deref(), Some("owner"));
}

#[tokio::test]
async fn a_suspended_certificate_is_not_walked_around() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let name =
        service::CertificateId { ca: "owner".into(), serial: *working.ldevid.certificate.serial() };
    world.service.suspend_certificate(&owner.admin, &name).await.unwrap();
    let caller = world.service.identify_certificate(&working.idevid.certificate).await.unwrap();
    let again = request(&key(), &working.thing.serial);
    let refused = world.service.enrol_device(&caller, &again, None).await.unwrap_err();
    assert_eq!(refused.code(), "certificate-suspended");
    world.service.release_certificate(&owner.admin, &name).await.unwrap();
    world.service.enrol_device(&caller, &again, None).await.unwrap();
}
