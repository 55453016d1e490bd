//! Organisations see only what is theirs: every use case, called across.

use crate::world::{World, csr, id, key, product};
use crypto::Sha256;
use device::{Cause, DeviceKind};
use pki::crl::RevocationReason;
use service::{
    CertificateId, CertificateQuery, ChipRequest, DeviceQuery, ErrorKind, NewDevice, NewMember,
    NewProduct, NewSigner, Page, Purchase, ServiceError,
};

fn check<T>(what: &str, outcome: Result<T, ServiceError>) {
    match outcome {
        Ok(_) => panic!("{what} crossed the border"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{what}: {error}"),
    }
}

#[tokio::test]
async fn nothing_crosses_between_organisations() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let stranger = world.maker("stranger", "lamp", DeviceKind::Device).await;
    let working = world.working(&maker, "gate", &owner).await;
    let (device, service) = (&working.thing.id, &world.service);
    let page = Page::default();
    let certificate =
        CertificateId { ca: "owner".into(), serial: *working.ldevid.certificate.serial() };
    for caller in [&stranger.admin, &stranger.station, &stranger.reader] {
        check("device", service.device(caller, device).await);
        check("head", service.head(caller, device).await);
        check("history", service.history(caller, device, &page).await);
        check("renewal", service.renewal_info(caller, device).await);
        check("passport", service.export_passport(caller, device).await);
        check("shares", service.shares(caller, device).await);
        check("share", service.set_share(caller, device, &stranger.id, None).await);
        check("end share", service.end_share(caller, device, &stranger.id).await);
        check("suspend", service.suspend_device(caller, device, Cause::Lost).await);
        check("release", service.release_device(caller, device).await);
        check("revoke", service.revoke_device(caller, device, Cause::Lost).await);
        check("erase", service.erase_device(caller, device).await);
        check("code", service.code(caller, device).await);
        check("withdraw", service.withdraw_code(caller, device).await);
        let codes = service.release_codes(caller, vec![*device], 60).await.unwrap();
        codes.into_iter().for_each(|code| check("release code", code));
        let reason = RevocationReason::KeyCompromise;
        check("certificate", service.certificate(caller, &certificate).await);
        check("revoke one", service.revoke_certificate(caller, &certificate, reason).await);
        check("suspend one", service.suspend_certificate(caller, &certificate).await);
        check("release one", service.release_certificate(caller, &certificate).await);
        for org in [&maker.id, &owner.id] {
            check("organisation", service.organisation(caller, org).await);
            check("members", service.members(caller, org, &page).await);
            check("signers", service.signers(caller, org).await);
            check("products", service.products(caller, org, &page).await);
            check("cas", service.cas(caller, Some(org)).await);
            check("tokens", service.tokens(caller, org, &page).await);
            check("audit", service.audit(caller, Some(org), None, &page).await);
            let query = DeviceQuery::default();
            check("devices", service.devices(caller, org, &query, &page).await);
            let query = CertificateQuery::default();
            check("certificates", service.certificates(caller, org, &query, &page).await);
            check("expiry", service.expiry_report(caller, org, 99, &page).await);
            check("remove member", service.remove_member(caller, org, &Sha256([0; 32])).await);
            check("retire signer", service.retire_signer(caller, org, &Sha256([0; 32])).await);
            let new = NewMember {
                organisation: org.clone(),
                name: "mole".into(),
                roles: policy::Roles::ALL,
                csr: csr(&key(), ""),
            };
            check("add member", service.add_member(caller, new).await);
            let proof = Vec::new();
            let new = NewSigner { organisation: org.clone(), spki: Vec::new(), proof };
            check("register signer", service.register_signer(caller, new).await);
            let new = NewProduct {
                organisation: org.clone(),
                id: product("fake"),
                name: "Fake".into(),
                model: "F".into(),
                kind: DeviceKind::Device,
                root_of_trust: device::RootOfTrust::Software,
                support_end: None,
                ldevid_validity_s: None,
            };
            check("create product", service.create_product(caller, new).await);
            let lines = Vec::<Purchase>::new();
            check("purchase list", service.import_purchase_list(caller, org, lines).await);
            let csr = csr(&key(), "");
            let names = Vec::new();
            check(
                "service certificate",
                service.issue_service_certificate(caller, org, &csr, names).await,
            );
        }
        let new = vec![NewDevice { id: None, serial_number: "SN-1".into() }];
        check("register", service.register_devices(caller, &maker.id, &product("gate"), new).await);
        let request = ChipRequest { made: None, device: *device, csr: csr(&key(), "") };
        let chips = service.issue_chip_certificates(caller, vec![request]).await.unwrap();
        chips.into_iter().for_each(|chip| check("chip", chip));
    }
    // The stranger's own things are there as ever, and what belongs to the platform is forbidden.
    assert!(service.products(&stranger.reader, &stranger.id, &page).await.is_ok());
    let forbidden = service.organisations(&stranger.admin, &page).await.unwrap_err();
    assert_eq!(forbidden.kind(), ErrorKind::Forbidden);
    let forbidden = service.key_accounts(&stranger.admin, &page).await.unwrap_err();
    assert_eq!(forbidden.kind(), ErrorKind::Forbidden);
    // The platform's administrators run it; they see nobody's devices.
    check("platform", service.device(&world.platform_admin, device).await);
    check("platform", service.history(&world.platform_admin, device, &page).await);
    let attempts = service
        .audit(
            &stranger.admin,
            Some(&stranger.id),
            Some(audit::Kind::Authorisation),
            &Page { after: None, limit: 1000 },
        )
        .await
        .unwrap();
    assert!(attempts.items.len() > 100, "attempts are on record: {}", attempts.items.len());
    assert_eq!(service.organisation(&owner.reader, &owner.id).await.unwrap().id, id("owner"));
}

#[tokio::test]
async fn a_share_opens_reading_and_nothing_else_until_it_ends() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let friend = world.org("friend", device::Roles::NONE).await;
    let working = world.working(&maker, "gate", &owner).await;
    let (device, service) = (&working.thing.id, &world.service);
    let until = crypto::UnixTime(crate::world::NOW + 100);
    service.set_share(&owner.admin, device, &friend.id, Some(until)).await.unwrap();
    assert!(service.device(&friend.reader, device).await.is_ok());
    assert!(service.history(&friend.admin, device, &Page::default()).await.is_ok());
    let query = DeviceQuery { relation: service::DeviceRelation::Shared, ..DeviceQuery::default() };
    let shared = service.devices(&friend.reader, &friend.id, &query, &Page::default()).await;
    assert_eq!(shared.unwrap().items.len(), 1);
    let denied = service.suspend_device(&friend.admin, device, Cause::Lost).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Forbidden);
    let denied = service.set_share(&friend.admin, device, &maker.id, None).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Forbidden);
    world.clock.advance(101);
    check("after its end", service.device(&friend.reader, device).await);
    service.set_share(&owner.admin, device, &friend.id, None).await.unwrap();
    service.end_share(&owner.admin, device, &friend.id).await.unwrap();
    check("after the owner ended it", service.device(&friend.reader, device).await);
}
