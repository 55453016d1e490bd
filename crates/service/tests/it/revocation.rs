//! OCSP, CRLs, revocation of single certificates.

use crate::world::World;
use crypto::UnixTime;
use device::{Cause, DeviceKind};
use pki::{
    Certificate, Crl, Serial,
    crl::RevocationReason,
    ocsp::{CertId, CertStatus, IssuerHash, OcspRequest, OcspResponse},
};
use service::{CertificateId, CertificateQuery, Clock as _, ErrorKind, Page, ROOT_CA};

async fn status(world: &World, ca: &Certificate, id: CertId, nonce: Option<Vec<u8>>) -> CertStatus {
    let request = OcspRequest { ids: vec![id], nonce: nonce.clone() };
    let answer = world.service.ocsp_answer(&request.to_der()).await.unwrap();
    let response = OcspResponse::parse(&answer.der).unwrap();
    response.verify(ca, world.clock.now()).unwrap();
    assert_eq!(response.nonce(), nonce.as_deref());
    let found = *response.answer(&id).unwrap();
    assert_eq!(answer.caching().is_some(), nonce.is_none() && found.status != CertStatus::Unknown);
    found.status
}

#[tokio::test]
async fn ocsp_tells_good_revoked_suspended_and_unknown() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let certificate = &working.ldevid.certificate;
    let ca = world.service.ca_certificate("owner").await.unwrap();
    let key = ca.public_key().unwrap();
    for issuer in IssuerHash::both(ca.subject_der(), key) {
        let id = CertId { issuer, serial: *certificate.serial() };
        assert_eq!(status(&world, &ca, id, None).await, CertStatus::Good);
        assert_eq!(status(&world, &ca, id, Some(vec![7; 16])).await, CertStatus::Good);
        let unknown = CertId { issuer, serial: Serial::from_random([5; 16]) };
        assert_eq!(status(&world, &ca, unknown, None).await, CertStatus::Unknown);
    }
    let id = CertId::of(certificate, &ca).unwrap();
    world.service.suspend_device(&owner.admin, &working.thing.id, Cause::Lost).await.unwrap();
    let now = world.clock.now();
    let held = CertStatus::Revoked { at: now, reason: RevocationReason::CertificateHold };
    assert_eq!(status(&world, &ca, id, None).await, held, "visible with the commit");
    world.service.release_device(&owner.admin, &working.thing.id).await.unwrap();
    assert_eq!(status(&world, &ca, id, None).await, CertStatus::Good);
    let name = CertificateId { ca: "owner".into(), serial: *certificate.serial() };
    world
        .service
        .revoke_certificate(&owner.admin, &name, RevocationReason::KeyCompromise)
        .await
        .unwrap();
    let revoked = CertStatus::Revoked { at: now, reason: RevocationReason::KeyCompromise };
    assert_eq!(status(&world, &ca, id, None).await, revoked);
    // The history says so as well.
    let history = world.service.history(&owner.admin, &working.thing.id, &Page::default()).await;
    let last = history.unwrap().items.pop().unwrap();
    assert_eq!(last.kind, device::Kind::CredentialRevoked);
    // An issuer that is not here, and no request at all.
    let foreign = CertId {
        issuer: IssuerHash::Sha1 { name: [1; 20], key: [2; 20] },
        serial: *certificate.serial(),
    };
    let request = OcspRequest { ids: vec![foreign], nonce: None };
    let answer = world.service.ocsp_answer(&request.to_der()).await.unwrap();
    assert!(OcspResponse::parse(&answer.der).is_err());
    let answer = world.service.ocsp_answer(b"garbage").await.unwrap();
    assert!(OcspResponse::parse(&answer.der).is_err());
}

#[tokio::test]
async fn answers_are_signed_once_and_again_when_they_are_old() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let idevid = world.idevid(&maker, "gate", &thing).await;
    let ca = world.service.ca_certificate("maker.gate").await.unwrap();
    let id = CertId::of(&idevid.certificate, &ca).unwrap();
    let request = OcspRequest { ids: vec![id], nonce: None }.to_der();
    let first = world.service.ocsp_answer(&request).await.unwrap();
    let second = world.service.ocsp_answer(&request).await.unwrap();
    assert!(std::sync::Arc::ptr_eq(&first.der, &second.der));
    world.clock.advance(4000);
    let third = world.service.ocsp_answer(&request).await.unwrap();
    assert_ne!(first.der, third.der);
    OcspResponse::parse(&third.der).unwrap().verify(&ca, world.clock.now()).unwrap();
}

#[tokio::test]
async fn crls_list_what_is_revoked_and_only_that() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let first = world.made(&maker, "gate", Vec::new()).await;
    let second = world.made(&maker, "gate", Vec::new()).await;
    let first = world.idevid(&maker, "gate", &first).await.certificate;
    let second = world.idevid(&maker, "gate", &second).await.certificate;
    let ca = world.service.ca_certificate("maker.gate").await.unwrap();
    let read = |der: &[u8]| Crl::parse(der).unwrap();
    let empty = world.service.crl("maker.gate").await.unwrap();
    assert!(read(&empty.der).entries().is_empty());
    let again = world.service.crl("maker.gate").await.unwrap();
    assert_eq!(again.number, empty.number, "kept while nothing changes");
    let name = CertificateId { ca: "maker.gate".into(), serial: *first.serial() };
    let reason = RevocationReason::Superseded;
    world.service.revoke_certificate(&maker.admin, &name, reason).await.unwrap();
    let view = world.service.crl("maker.gate").await.unwrap();
    let crl = read(&view.der);
    crl.verify(&ca).unwrap();
    assert!(view.number > empty.number);
    assert!(crl.is_revoked(first.serial()) && !crl.is_revoked(second.serial()));
    assert_eq!(crl.entry(first.serial()).unwrap().reason, reason);
    assert_eq!(world.service.crl("nobody").await.unwrap_err().kind(), ErrorKind::NotFound);

    // The root's list comes from the ceremony.
    assert_eq!(world.service.crl(ROOT_CA).await.unwrap_err().kind(), ErrorKind::NotFound);
    let list = world.root.crl(1, Vec::new(), world.clock.now(), 86_400).unwrap();
    world.service.import_root_crl(&world.platform_admin, list.der()).await.unwrap();
    assert_eq!(world.service.crl(ROOT_CA).await.unwrap().der, list.der());
    let denied = world.service.import_root_crl(&maker.admin, list.der()).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Forbidden);
    let forged = world.service.import_root_crl(&world.platform_admin, &view.der).await;
    assert_eq!(forged.unwrap_err().code(), "crl-untrusted");
}

#[tokio::test]
async fn certificates_are_found_suspended_and_released() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let query = CertificateQuery { device: Some(working.thing.id), status: None };
    let found =
        world.service.certificates(&owner.reader, &owner.id, &query, &Page::default()).await;
    let found = found.unwrap().items;
    assert_eq!(found.len(), 1, "the owner sees its own, not the maker's");
    assert_eq!(found[0].certificate, working.ldevid.certificate);
    let fingerprint = working.ldevid.certificate.fingerprint();
    let one = world.service.certificate_by_fingerprint(&owner.reader, &fingerprint).await.unwrap();
    assert_eq!(one.id, found[0].id);
    let foreign = world.service.certificate_by_fingerprint(&maker.admin, &fingerprint).await;
    assert_eq!(foreign.unwrap_err().kind(), ErrorKind::NotFound);

    let name = &one.id;
    let denied = world.service.suspend_certificate(&owner.reader, name).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Forbidden);
    world.service.suspend_certificate(&owner.admin, name).await.unwrap();
    let refused = world.service.identify_certificate(&one.certificate).await.unwrap_err();
    assert_eq!(refused.code(), "certificate-revoked");
    let again = world.service.suspend_certificate(&owner.admin, name).await.unwrap_err();
    assert_eq!(again.code(), "certificate-suspended");
    let released = world.service.release_certificate(&owner.admin, name).await.unwrap();
    assert_eq!(released.revoked, None);
    world.service.identify_certificate(&one.certificate).await.unwrap();
    let hold = RevocationReason::CertificateHold;
    let wrong = world.service.revoke_certificate(&owner.admin, name, hold).await.unwrap_err();
    assert_eq!(wrong.code(), "reason");

    let within = 120 * 86_400;
    let soon = world
        .service
        .expiry_report(&owner.admin, &owner.id, within, &Page { after: None, limit: 1 })
        .await
        .unwrap();
    assert!(soon.items[0].certificate.not_after() < UnixTime::NEVER);
    let page = Page { after: soon.next, limit: 100 };
    let rest = world.service.expiry_report(&owner.admin, &owner.id, 500 * 86_400, &page).await;
    let rest = rest.unwrap().items;
    let times: Vec<_> =
        soon.items.iter().chain(&rest).map(|view| view.certificate.not_after()).collect();
    assert!(times.is_sorted(), "soonest first");
    assert!(soon.items.iter().chain(&rest).any(|view| view.certificate == one.certificate));
}

#[tokio::test]
async fn the_platform_renews_its_own_certificates() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let idevid = world.idevid(&maker, "gate", &thing).await;
    world.service.close();
    world.clock.advance(200 * 86_400);
    let service = crate::world::open(world.path(), crate::world::config(), &world.clock);
    let ca = service.ca_certificate("maker.gate").await.unwrap();
    let id = CertId::of(&idevid.certificate, &ca).unwrap();
    let request = OcspRequest { ids: vec![id], nonce: None }.to_der();
    // Whoever signs, the answer verifies: the CA itself while there is no valid delegate.
    let now = world.clock.now();
    let answer = service.ocsp_answer(&request).await.unwrap();
    OcspResponse::parse(&answer.der).unwrap().verify(&ca, now).unwrap();
    let admin = service.local_administrator();
    let mut renewed = false;
    for _ in 0..3000 {
        let cas = service.cas(&admin, None).await.unwrap();
        renewed = cas.iter().all(|ca| ca.ocsp_certificate.as_ref().unwrap().is_valid_at(now));
        if renewed {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(renewed, "OCSP signers are renewed by themselves");
    service.close();
}
