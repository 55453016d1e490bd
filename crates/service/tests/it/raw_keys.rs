//! What a public key means that is shown without a certificate, and the server's own.

use crate::world::{World, config, csr, id, key, open};
use admission::{Refusal, TopicName};
use crypto::{Signer, SoftwareKey};
use device::{DeviceKind, Roles};
use pki::crl::RevocationReason;
use service::{
    CertificateId, DoorSender, EnrolRequest, IncomingMessage, MessageDoor, MessageRefused,
    NewOrganisation, Service,
};
use std::sync::Arc;
use tokio::sync::watch::Receiver;

fn code(service: &Service, key: &SoftwareKey) -> &'static str {
    service.certificate_of_key(key.public_key().spki()).unwrap_err().code()
}

fn means(service: &Service, key: &SoftwareKey) -> pki::Certificate {
    service.certificate_of_key(key.public_key().spki()).unwrap()
}

fn edit(world: &World, sql: &str) {
    let connection = rusqlite::Connection::open(world.path().join("tegata.db")).unwrap();
    connection.execute_batch(sql).unwrap();
}

/// A message of a device.
async fn send(service: &Service, sender: &DoorSender) -> Result<(), MessageRefused> {
    let message = IncomingMessage {
        door: MessageDoor::Coap,
        topic: TopicName::new(format!("d/{}/up/t", sender.device())).unwrap(),
        payload: b"1"[..].into(),
        media_type: None,
        made_at: None,
        counter: None,
        retain: None,
        expires_s: None,
        acknowledged: true,
    };
    service.take_message(sender, &message).await.map(drop)
}

#[tokio::test]
async fn a_key_means_the_current_certificate_of_one_device() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let first = world.working(&maker, "gate", &owner).await;
    let second = world.working(&maker, "gate", &owner).await;
    for one in [&first, &second] {
        assert_eq!(means(service, &one.local_key).der(), one.ldevid.certificate.der());
        // The key that it was made with means the identity that its maker gave it.
        assert_eq!(means(service, &one.thing.key).der(), one.idevid.certificate.der());
    }
    assert_eq!(code(service, &key()), "raw-key-unknown");
    for wrong in [&[][..], &[0x30, 0], &[0; 91], first.ldevid.certificate.der()] {
        let refused = service.certificate_of_key(wrong).unwrap_err();
        assert_eq!(refused.code(), "raw-key-unknown");
        assert!(refused.problem().message_ja.is_some());
    }
    // One byte behind the key, and it is another one.
    let mut longer = first.local_key.public_key().spki().to_vec();
    longer.push(0);
    assert_eq!(service.certificate_of_key(&longer).unwrap_err().code(), "raw-key-unknown");
}

#[tokio::test]
async fn the_key_of_a_certificate_that_was_renewed_for_another_means_nothing() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let caller = service.identify_certificate(&working.ldevid.certificate).await.unwrap();
    let renew = async |key: &SoftwareKey| {
        let subject = pki::Subject::from_name(&working.ldevid.certificate.subject());
        let csr = pki::CsrBuilder { subject, ..Default::default() }.build(key).unwrap();
        let request = EnrolRequest { label: None, csr };
        service.reenrol_device(&caller, &request, None).await.unwrap()
    };
    let certificate = &working.ldevid.certificate;
    let by_key = service.door_sender_by_key(&caller, certificate).unwrap();
    let certified = service.door_sender(&caller, certificate).unwrap();
    let seen = service.standing_count();
    let concerned = |sender: &DoorSender| {
        let changes = service.standing_changes(seen);
        !changes.is_empty() && service.concerns(&changes, sender)
    };
    assert!(!concerned(&by_key));
    let newer = key();
    let renewed = renew(&newer).await;
    // Whoever is here by the key is looked at again, and told to go. What the certificate says, it says still.
    assert!(concerned(&by_key));
    assert!(!concerned(&certified));
    assert_eq!(means(service, &newer).der(), renewed.certificate.der());
    assert_eq!(code(service, &working.local_key), "raw-key-former");
    let refused = service.certificate_of_key(working.local_key.public_key().spki()).unwrap_err();
    assert!(refused.to_string().contains(&working.thing.id.to_string()), "{refused}");
    // The maker's identity is not the owner's, and goes on meaning itself.
    assert_eq!(means(service, &working.thing.key).der(), working.idevid.certificate.der());
}

#[tokio::test]
async fn every_certificate_of_an_owner_has_those_looked_at_who_are_here_by_a_key() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let (thing, idevid) = world.onboarded(&maker, "gate", &owner).await;
    let caller = service.identify_certificate(&idevid.certificate).await.unwrap();
    let sender = service.door_sender_by_key(&caller, &idevid.certificate).unwrap();
    let keys = [key(), key()];
    // Both may be asked for before either is there: neither knows that it is not the first.
    for key in &keys {
        let seen = service.standing_count();
        let request = EnrolRequest { label: None, csr: csr(key, &thing.serial) };
        service.enrol_device(&caller, &request, None).await.unwrap();
        assert!(service.concerns(&service.standing_changes(seen), &sender));
    }
    assert_eq!(code(service, &keys[0]), "raw-key-former");
}

#[tokio::test]
async fn what_a_former_key_sends_is_not_kept_however_late_it_is_looked() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let certificate = &working.ldevid.certificate;
    let caller = service.identify_certificate(certificate).await.unwrap();
    let by_key = service.door_sender_by_key(&caller, certificate).unwrap();
    let certified = service.door_sender(&caller, certificate).unwrap();
    let send = async |sender: &DoorSender| send(service, sender).await;
    let renew = async |by: &pki::Certificate, key: &SoftwareKey| {
        let caller = service.identify_certificate(by).await.unwrap();
        let subject = pki::Subject::from_name(&by.subject());
        let csr = pki::CsrBuilder { subject, ..Default::default() }.build(key).unwrap();
        let request = EnrolRequest { label: None, csr };
        service.reenrol_device(&caller, &request, None).await.unwrap()
    };
    send(&by_key).await.unwrap();
    send(&certified).await.unwrap();
    // A newer certificate for the same key is no reason: the key means that one.
    let same = renew(certificate, &working.local_key).await.certificate;
    assert_eq!(means(service, &working.local_key).der(), same.der());
    send(&by_key).await.unwrap();
    let renewed = renew(&same, &key()).await;
    let refused = send(&by_key).await;
    assert!(matches!(refused, Err(MessageRefused::Refused(Refusal::FormerKey))), "{refused:?}");
    send(&certified).await.unwrap();
    let caller = service.identify_certificate(&renewed.certificate).await.unwrap();
    let newer = service.door_sender_by_key(&caller, &renewed.certificate).unwrap();
    send(&newer).await.unwrap();
}

#[tokio::test]
async fn a_key_that_means_a_revoked_certificate_opens_nothing_by_an_older_one() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let certificate = &working.ldevid.certificate;
    let caller = service.identify_certificate(certificate).await.unwrap();
    let by_key = service.door_sender_by_key(&caller, certificate).unwrap();
    let subject = pki::Subject::from_name(&certificate.subject());
    let csr = pki::CsrBuilder { subject, ..Default::default() }.build(&working.local_key).unwrap();
    let request = EnrolRequest { label: None, csr };
    let same = service.reenrol_device(&caller, &request, None).await.unwrap().certificate;
    let id = CertificateId { ca: "owner".into(), serial: *same.serial() };
    let reason = RevocationReason::KeyCompromise;
    service.revoke_certificate(&owner.admin, &id, reason).await.unwrap();
    let refused = send(service, &by_key).await;
    assert!(matches!(refused, Err(MessageRefused::Refused(Refusal::Revoked))), "{refused:?}");
}

#[tokio::test]
async fn a_key_of_several_holders_means_none_of_them() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let (owner, other) = (world.owner("owner").await, world.owner("other").await);
    let first = world.working(&maker, "gate", &owner).await;
    let second = world.working(&maker, "gate", &other).await;
    assert_eq!(means(service, &first.local_key).der(), first.ldevid.certificate.der());
    // Nothing lets two devices have a key; so it is written behind the service's back.
    edit(
        &world,
        "INSERT INTO certificate (ca, serial, status, profile, organisation, device, subject_key,
                                  not_before, not_after, der, fingerprint)
         SELECT a.ca, CAST(x'01' || a.serial AS BLOB), a.status, a.profile, b.organisation, b.device,
                a.subject_key, a.not_before, a.not_after, a.der, NULL
         FROM certificate a, certificate b WHERE a.id = 
            (SELECT max(id) FROM certificate WHERE device = 1)
            AND b.id = (SELECT max(id) FROM certificate WHERE device = 2)",
    );
    assert_eq!(code(service, &first.local_key), "raw-key-ambiguous");
    assert_eq!(means(service, &second.thing.key).der(), second.idevid.certificate.der());
}

#[tokio::test]
async fn members_and_servers_are_no_devices() {
    let world = World::new().await;
    let key = key();
    let new = service::NewMember {
        organisation: crate::world::id("platform"),
        name: "anybody".into(),
        roles: policy::Roles::ALL,
        csr: csr(&key, ""),
    };
    world.service.add_member(&world.platform_admin, new).await.unwrap();
    assert_eq!(code(&world.service, &key), "raw-key-unknown");
}

#[tokio::test]
async fn the_servers_own_key_outlives_its_process() {
    let world = World::new().await;
    assert_eq!(world.service.shown_server_key().unwrap_err().code(), "not-found");
    let (first, again) =
        tokio::join!(world.service.raw_server_key(), world.service.raw_server_key());
    let first = first.unwrap().public_key().clone();
    assert_eq!(again.unwrap().public_key(), &first, "one key, however many ask");
    assert_eq!(world.service.shown_server_key().unwrap(), first);
    assert!(first.to_pem().starts_with("-----BEGIN PUBLIC KEY-----\n"));
    let other = world.owner("owner").await;
    let refused = world.service.rotate_raw_server_key(&other.admin).await.unwrap_err();
    assert_eq!(refused.code(), "role");
    world.service.close();
    let opened = open(world.path(), config(), &world.clock);
    assert_eq!(opened.raw_server_key().await.unwrap().public_key(), &first);
    // Another one in its place, for good.
    let caller = opened.local_administrator();
    let mut shown = opened.raw_server_keys();
    let now = |shown: &mut Receiver<Option<Arc<dyn Signer>>>| {
        shown.borrow_and_update().as_ref().unwrap().public_key().clone()
    };
    assert_eq!(now(&mut shown), first);
    let second = opened.rotate_raw_server_key(&caller).await.unwrap();
    assert_ne!(second, first);
    assert!(shown.has_changed().unwrap(), "whoever shows it hears of it");
    assert_eq!(now(&mut shown), second);
    assert_eq!(opened.raw_server_key().await.unwrap().public_key(), &second);
    assert!(!shown.has_changed().unwrap(), "it is the same");
    // Of several at once, what is shown is what is kept.
    let one = || opened.rotate_raw_server_key(&caller);
    let all = tokio::join!(one(), one(), one(), one());
    let second = opened.shown_server_key().unwrap();
    let all: [_; 4] = [all.0, all.1, all.2, all.3].map(Result::unwrap);
    assert!(all.contains(&second));
    assert_eq!(now(&mut shown), second);
    opened.close();
    let opened = open(world.path(), config(), &world.clock);
    assert_eq!(opened.shown_server_key().unwrap(), second);
    opened.close();
    let connection = rusqlite::Connection::open(world.path().join("tegata.db")).unwrap();
    let sealed: i64 = connection
        .query_row("SELECT count(*) FROM key WHERE purpose = 9 AND sealed IS NOT NULL", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(sealed, 1, "the former one is destroyed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_rotation_is_undone_is_the_one_before() {
    let world = World::new().await;
    let (service, caller) = (world.service.clone(), world.service.local_administrator());
    let first = service.raw_server_key().await.unwrap().public_key().clone();
    let shown = service.raw_server_keys();
    // While nothing can be written, what comes waits, and is one batch then: of which the last undoes all, as a
    // disk does that is full.
    let connection = rusqlite::Connection::open(world.path().join("tegata.db")).unwrap();
    let undoes = "BEGIN IMMEDIATE;
        CREATE TRIGGER undoes BEFORE INSERT ON organisation BEGIN SELECT RAISE(ROLLBACK, 'full'); END;";
    connection.execute_batch(undoes).unwrap();
    let make = |name: &str| {
        let new = NewOrganisation { id: id(name), name: name.into(), roles: Roles::MAKER };
        let (service, caller) = (service.clone(), caller.clone());
        tokio::spawn(async move { service.create_organisation(&caller, new).await.map(|_| ()) })
    };
    let soon = || tokio::time::sleep(std::time::Duration::from_millis(200));
    let one = make("one");
    soon().await;
    let (by, with) = (caller.clone(), service.clone());
    let rotated = tokio::spawn(async move { with.rotate_raw_server_key(&by).await.map(|_| ()) });
    soon().await;
    let two = make("two");
    soon().await;
    connection.execute_batch("COMMIT").unwrap();
    for undone in [one, rotated, two] {
        assert_eq!(undone.await.unwrap().unwrap_err().code(), "batch-undone");
    }
    assert!(!shown.has_changed().unwrap());
    assert_eq!(service.raw_server_key().await.unwrap().public_key(), &first);
    assert_eq!(service.shown_server_key().unwrap(), first);
    connection.execute_batch("DROP TRIGGER undoes").unwrap();
    let second = service.rotate_raw_server_key(&caller).await.unwrap();
    assert_eq!(service.raw_server_key().await.unwrap().public_key(), &second);
}
