//! Who calls: members, tokens, removal; setting up and locking.

use crate::world::{World, config, csr, id, key, key_file};
use crypto::{Secret, sealed::Unlock};
use policy::{Role, Roles};
use service::{Caller, ErrorKind, NewMember, NewOrganisation, Page, Service, Setup};

#[tokio::test]
async fn a_token_is_bound_to_its_certificate_and_ends() {
    let world = World::new().await;
    let org = world.org("org", device::Roles::NONE).await;
    let both = Roles::of(&[Role::Administrator, Role::Reader]);
    let (alice, certificate) = world.member(&org.id, "alice", both).await;
    let (_, other) = world.member(&org.id, "bob", both).await;
    let service = &world.service;
    let more = service.issue_token(&alice, Roles::ALL, 60).await.unwrap_err();
    assert_eq!(more.code(), "token-refused");
    let issued = service.issue_token(&alice, Role::Reader.into(), 60).await.unwrap();
    let text = issued.token.expose();
    let caller = service.identify_token(text, &certificate).await.unwrap();
    assert!(
        matches!(&caller, Caller::Member { roles, token: Some(_), .. } if *roles == Role::Reader.into())
    );
    let stolen = service.identify_token(text, &other).await.unwrap_err();
    assert_eq!(stolen.kind(), ErrorKind::Unauthenticated);
    let grown = service.issue_token(&caller, Role::Reader.into(), 60).await.unwrap_err();
    assert_eq!(grown.code(), "token-refused");
    assert_eq!(service.tokens(&alice, &org.id, &Page::default()).await.unwrap().items.len(), 1);
    let epoch = service.revocation_epoch();
    service.revoke_token(&alice, &issued.id).await.unwrap();
    assert_ne!(service.revocation_epoch(), epoch);
    assert!(service.identify_token(text, &certificate).await.is_err());
    let second = service.issue_token(&alice, Role::Reader.into(), 60).await.unwrap();
    world.clock.advance(60);
    let expired = service.identify_token(second.token.expose(), &certificate).await.unwrap_err();
    assert!(expired.to_string().contains("expired"), "{expired}");
}

#[tokio::test]
async fn a_removed_member_is_out_at_once() {
    let world = World::new().await;
    let org = world.org("org", device::Roles::NONE).await;
    let (alice, certificate) = world.member(&org.id, "alice", Role::Reader.into()).await;
    let service = &world.service;
    let token = service.issue_token(&alice, Role::Reader.into(), 900).await.unwrap();
    let fingerprint = certificate.fingerprint();
    service.remove_member(&org.admin, &org.id, &fingerprint).await.unwrap();
    let out = service.identify_certificate(&certificate).await.unwrap_err();
    assert_eq!(out.code(), "certificate-revoked");
    assert!(service.identify_token(token.token.expose(), &certificate).await.is_err());
    let again = service.remove_member(&org.admin, &org.id, &fingerprint).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict);
    let failures = service
        .audit(&world.platform_admin, None, Some(audit::Kind::Authentication), &Page::default())
        .await;
    assert!(!failures.unwrap().items.is_empty());
}

#[tokio::test]
async fn roles_reach_as_far_as_the_table_says() {
    let world = World::new().await;
    let org = world.org("org", device::Roles::NONE).await;
    let service = &world.service;
    let new = |name: &str| NewMember {
        organisation: org.id.clone(),
        name: name.into(),
        roles: Role::Reader.into(),
        csr: csr(&key(), ""),
    };
    service.add_member(&org.admin, new("carol")).await.unwrap();
    let denied = service.add_member(&org.reader, new("dave")).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Forbidden);
    let anonymous = service.add_member(&Caller::Anonymous, new("eve")).await.unwrap_err();
    assert_eq!(anonymous.kind(), ErrorKind::Unauthenticated);
    let organisation =
        NewOrganisation { id: id("org"), name: "Again".into(), roles: device::Roles::NONE };
    let taken = service.create_organisation(&world.platform_admin, organisation.clone()).await;
    assert_eq!(taken.unwrap_err().code(), "organisation-exists");
    let denied = service.create_organisation(&org.admin, organisation.clone()).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Forbidden);
    let platform =
        NewOrganisation { roles: device::Roles::PLATFORM, id: id("fake"), ..organisation };
    let refused = service.create_organisation(&world.platform_admin, platform).await.unwrap_err();
    assert_eq!(refused.code(), "platform-role");
    // A key that has a certificate gets no second one.
    let shared = key();
    let first = NewMember { csr: csr(&shared, ""), ..new("frank") };
    let second = NewMember { csr: csr(&shared, ""), ..new("grace") };
    service.add_member(&org.admin, first).await.unwrap();
    assert_eq!(service.add_member(&org.admin, second).await.unwrap_err().code(), "key-in-use");
}

#[tokio::test]
async fn a_certificate_of_elsewhere_is_nobodys() {
    let (here, there) = (World::new().await, World::new().await);
    let (_, foreign) = there.member(&id("platform"), "stranger", Roles::ALL).await;
    let error = here.service.identify_certificate(&foreign).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unauthenticated, "certificate-unknown"));
}

#[tokio::test]
async fn the_servers_credential_is_kept_and_renewed() {
    let world = World::new().await;
    let names = ["tegata.example".to_owned(), "127.0.0.1".to_owned()];
    let service = &world.service;
    let first = service.server_credential(&names).await.unwrap();
    assert_eq!(first.key.public_key(), first.chain[0].public_key().unwrap());
    let same = service.server_credential(&names).await.unwrap();
    assert_eq!(first.chain[0], same.chain[0]);
    let renamed = service.server_credential(&names[..1]).await.unwrap();
    assert_ne!(first.chain[0], renamed.chain[0]);
    world.clock.advance(300 * 86_400);
    let renewed = service.server_credential(&names[..1]).await.unwrap();
    assert_ne!(renewed.chain[0], renamed.chain[0]);
}

#[tokio::test]
async fn data_directories_are_locked_and_sealed() {
    let world = World::new().await;
    let open = |secret: &Secret| {
        let unlock = Unlock::KeyFile(secret);
        Service::open(world.path(), &unlock, config(), world.clock.clone())
    };
    assert_eq!(open(&key_file()).unwrap_err().code(), "in-use");
    world.service.close();
    let wrong = open(&Secret::new(vec![1; 32])).unwrap_err();
    assert_eq!((wrong.kind(), wrong.code()), (ErrorKind::Unauthenticated, "locked"));
    let setup = Setup {
        origin: "other.example/log".into(),
        platform: id("platform"),
        platform_name: "Other".into(),
        witness_keys: Vec::new(),
        quorum: 0,
    };
    let file = key_file();
    let again =
        Service::create(world.path(), &Unlock::KeyFile(&file), &setup, world.clock.as_ref());
    assert_eq!(again.unwrap_err().code(), "store-exists");
    let late = world.service.integrate_now().await.unwrap_err();
    assert_eq!(late.code(), "stopped");
}
