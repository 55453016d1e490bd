//! Attacks by members, by strangers, and by whoever can write the database: each was possible once.

use crate::world::{World, config, csr, fingerprint, id, key, open, product};
use crypto::{KeyAlgorithm, Signer, SoftwareKey, sha256};
use device::{
    Cause, Challenge, Context, DeviceId, DeviceKind, Event, EventKind, Outcome, PassportFile,
    Proof, ReasonCode, SignedEvent, SignedProof, StandingKind, State, VerifyOptions,
};
use pki::{AlternativeName, Certificate, crl::RevocationReason};
use policy::{Role, Roles};
use rusqlite::{Connection, params};
use service::{
    CertificateQuery, CertificateStanding, Clock as _, ErrorKind, NewDevice, NewMember,
    NewOrganisation, Page, VerifyRequest,
};

fn answer(challenge: &Challenge, key: &SoftwareKey, counter: u64) -> Vec<u8> {
    let proof = Proof::answer(challenge, counter, None, None);
    SignedProof::sign(key, &proof).unwrap().as_bytes().to_vec()
}

async fn prove(
    world: &World,
    device: &DeviceId,
    key: &SoftwareKey,
    presented: Vec<Certificate>,
) -> device::Verdict {
    let challenge = world.service.challenge(device).await.unwrap();
    let proof = Some(answer(&challenge, key, 1));
    let request = VerifyRequest { proof, presented, ..VerifyRequest::default() };
    world.service.prove(device, request).await.unwrap()
}

fn database(world: &World) -> Connection {
    Connection::open(world.path().join("tegata.db")).unwrap()
}

fn count(world: &World, sql: &str) -> i64 {
    database(world).query_row(sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn the_platforms_signature_lends_no_rights() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let authority = world.org("authority", device::Roles::AUTHORITY).await;
    let working = world.working(&maker, "gate", &owner).await;
    let device = &working.thing.id;
    let service = &world.service;
    let standing = async || world.service.device(&owner.admin, device).await.unwrap().standing;

    // The authority suspends, by its own signature or on its behalf: the owner cannot end it,
    // neither at once nor by making the suspension its own.
    let suspended = EventKind::Suspended { cause: Cause::Recall };
    world.report(&authority, device, suspended).await.unwrap();
    for _ in 0..2 {
        let released = service.release_device(&owner.admin, device).await.unwrap_err();
        assert_eq!((released.kind(), released.code()), (ErrorKind::Forbidden, "not-entitled"));
        let own = service.suspend_device(&owner.admin, device, Cause::Lost).await.unwrap_err();
        assert_eq!(own.code(), "standing-forbids");
        assert_eq!(standing().await, StandingKind::Suspended);
        service.release_device(&authority.admin, device).await.unwrap();
        service.suspend_device(&authority.admin, device, Cause::Recall).await.unwrap();
    }
    service.release_device(&authority.admin, device).await.unwrap();

    // What the maker suspended is not the owner's to release; its own is.
    service.suspend_device(&maker.admin, device, Cause::Vulnerability).await.unwrap();
    let other = service.release_device(&owner.admin, device).await.unwrap_err();
    assert_eq!(other.code(), "not-entitled");
    service.release_device(&maker.admin, device).await.unwrap();
    service.suspend_device(&owner.admin, device, Cause::Lost).await.unwrap();
    service.release_device(&owner.admin, device).await.unwrap();
    assert_eq!(standing().await, StandingKind::Good);
}

#[tokio::test]
async fn releasing_a_device_leaves_certificates_that_were_suspended_before() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let authority = world.org("authority", device::Roles::AUTHORITY).await;
    let working = world.working(&maker, "gate", &owner).await;
    let (service, device) = (&world.service, &working.thing.id);
    let standing = |enrolled: &service::Enrolled| service.standing_of(&enrolled.certificate);
    let print = working.ldevid.certificate.fingerprint();
    let id = service.certificate_by_fingerprint(&owner.admin, &print).await.unwrap().id;
    // Once with it, once without.
    service.suspend_device(&owner.admin, device, Cause::Anomaly).await.unwrap();
    world.clock.advance(10);
    service.release_device(&owner.admin, device).await.unwrap();
    assert_eq!(standing(&working.ldevid), CertificateStanding::Good);
    service.suspend_certificate(&owner.admin, &id).await.unwrap();
    world.clock.advance(10);
    service.suspend_device(&owner.admin, device, Cause::Anomaly).await.unwrap();
    world.clock.advance(10);
    // An authority takes the suspension over; it is still the one that began before.
    service.suspend_device(&authority.admin, device, Cause::Recall).await.unwrap();
    world.clock.advance(10);
    service.release_device(&authority.admin, device).await.unwrap();
    assert_eq!(standing(&working.idevid), CertificateStanding::Good);
    assert!(matches!(standing(&working.ldevid), CertificateStanding::Suspended { .. }));
    service.release_certificate(&owner.admin, &id).await.unwrap();
    assert_eq!(standing(&working.ldevid), CertificateStanding::Good);
}

#[tokio::test]
async fn an_abandoned_request_does_not_hide_a_suspended_certificate() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let service = &world.service;
    let print = working.ldevid.certificate.fingerprint();
    let id = service.certificate_by_fingerprint(&owner.admin, &print).await.unwrap().id;
    service.suspend_certificate(&owner.admin, &id).await.unwrap();
    let serial = id.serial.as_bytes();
    let copied = database(&world)
        .execute(
            "INSERT INTO certificate (ca, serial, status, profile, organisation, device,
                                      subject_key, not_before, not_after, der)
             SELECT ca, x'01020304', 4, profile, organisation, device,
                    7, not_before, not_after, der FROM certificate WHERE serial = ?1",
            [serial],
        )
        .unwrap();
    assert_eq!(copied, 1);
    let caller = service.identify_certificate(&working.idevid.certificate).await.unwrap();
    let request = service::EnrolRequest { label: None, csr: csr(&key(), &working.thing.serial) };
    let refused = service.enrol_device(&caller, &request, None).await.unwrap_err();
    assert_eq!(refused.code(), "certificate-suspended");
}

#[tokio::test]
async fn who_only_holds_a_device_cannot_condemn_it() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let carrier = world.org("carrier", device::Roles::NONE).await;
    let buyer = world.org("buyer", device::Roles::NONE).await;
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let shipped = EventKind::Shipped { to: carrier.id.clone() };
    world.report(&maker, &thing.id, shipped).await.unwrap();
    let offered = EventKind::TransferOffered { to: buyer.id.clone() };
    world.report(&maker, &thing.id, offered).await.unwrap();
    let try_both = async |org: &crate::world::Org| {
        let suspend = world.service.suspend_device(&org.admin, &thing.id, Cause::Anomaly).await;
        let revoke = world.service.revoke_device(&org.admin, &thing.id, Cause::Anomaly).await;
        for error in [suspend.unwrap_err(), revoke.unwrap_err()] {
            assert_eq!((error.kind(), error.code()), (ErrorKind::Forbidden, "not-entitled"));
        }
    };
    try_both(&carrier).await;
    try_both(&buyer).await;
    let received = EventKind::Received { from: maker.id.clone() };
    world.report(&carrier, &thing.id, received).await.unwrap();
    try_both(&carrier).await;
    let view = world.service.device(&maker.admin, &thing.id).await.unwrap();
    assert_eq!(view.standing, StandingKind::Good);
}

#[tokio::test]
async fn a_person_or_server_is_no_device_whatever_its_name() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let mallory = world.org("mallory", device::Roles::NONE).await;
    let working = world.working(&maker, "gate", &owner).await;
    let device = &working.thing.id;
    let attacker = key();
    let new = NewMember {
        organisation: mallory.id.clone(),
        name: device.to_string(),
        roles: Role::Reader.into(),
        csr: csr(&attacker, ""),
    };
    let error = world.service.add_member(&mallory.admin, new).await.unwrap_err();
    assert_eq!(error.code(), "name");
    // A server may be called so.
    let names = vec![AlternativeName::Dns(device.to_string())];
    let chain = world
        .service
        .issue_service_certificate(&mallory.admin, &mallory.id, &csr(&attacker, ""), names)
        .await
        .unwrap();
    assert_eq!(chain[0].common_name(), Some(device.to_string()));
    let verdict = prove(&world, device, &attacker, chain).await;
    assert_eq!(verdict.outcome, Outcome::Rejected, "{:?}", verdict.reasons);
    assert!(verdict.has(ReasonCode::CredentialUnlisted), "{:?}", verdict.reasons);
    // Neither is another device.
    let other = world.working(&maker, "gate", &owner).await;
    let chain = vec![other.idevid.certificate.clone()];
    let verdict = prove(&world, device, &other.thing.key, chain).await;
    assert_eq!(verdict.outcome, Outcome::Rejected, "{:?}", verdict.reasons);
    assert_eq!(count(&world, "SELECT count(*) FROM proof_counter"), 0);
}

#[tokio::test]
async fn keys_that_nobody_vouches_for_leave_no_trace() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let device = &working.thing.id;
    let genuine = prove(&world, device, &working.local_key, Vec::new()).await;
    assert_eq!(genuine.outcome, Outcome::Genuine, "{:?}", genuine.reasons);
    // A certificate in the device's name, of a maker that nobody here knows.
    let stranger = World::new().await;
    let theirs = stranger.maker("maker", "gate", DeviceKind::Device).await;
    let serial = "SN-forged".to_owned();
    let new = NewDevice { id: Some(*device), serial_number: serial.clone() };
    let line = product("gate");
    let made =
        stranger.service.register_devices(&theirs.station, &theirs.id, &line, vec![new]).await;
    made.unwrap().pop().unwrap().unwrap();
    let forged = key();
    let kind = EventKind::Assembled {
        kind: DeviceKind::Device,
        build: device::Build::MassProduction,
        product: product("gate"),
        root_of_trust: Some(device::RootOfTrust::SecureElement),
        key: Some(fingerprint(&forged)),
        parts: Vec::new(),
    };
    stranger.report(&theirs, device, kind).await.unwrap();
    let request = service::EnrolRequest { label: Some(line), csr: csr(&forged, &serial) };
    let idevid = stranger.service.enrol_device(&theirs.station, &request, None).await.unwrap();
    assert_eq!(idevid.certificate.common_name(), Some(device.to_string()));
    world.clock.advance(10);
    let verdict = prove(&world, device, &forged, vec![idevid.certificate.clone()]).await;
    assert_eq!(verdict.outcome, Outcome::Rejected, "{:?}", verdict.reasons);
    assert_eq!(count(&world, "SELECT count(*) FROM proof_counter"), 1);
    // The device's own proof is the one that its file shows.
    let bytes = world.service.export_passport(&owner.admin, device).await.unwrap();
    let anchors = crate::verdict::trust(&world).await;
    let offline = PassportFile::parse(&bytes).unwrap().verify(
        &anchors,
        &VerifyOptions::default(),
        world.clock.now(),
    );
    assert_eq!(offline.outcome, Outcome::Genuine, "{:?}", offline.reasons);
    // Nor does it bring a retired device back.
    world.report(&owner, device, EventKind::Retired { cause: Cause::EndOfUse }).await.unwrap();
    prove(&world, device, &forged, vec![idevid.certificate]).await;
    let history = world.service.history(&owner.admin, device, &Page::default()).await.unwrap();
    assert!(history.items.iter().all(|event| event.kind != device::Kind::Reappeared));
}

#[tokio::test]
async fn the_platform_adds_the_first_administrator_and_nobody_else() {
    let world = World::new().await;
    let service = &world.service;
    let tenant = world.org("tenant", device::Roles::NONE).await;
    let member = |organisation: &str, roles: Roles| NewMember {
        organisation: id(organisation),
        name: "spy".into(),
        roles,
        csr: csr(&key(), ""),
    };
    let platform = &world.platform_admin;
    let administrator: Roles = Role::Administrator.into();
    let refused = service.add_member(platform, member("tenant", administrator)).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Forbidden, "not-first-administrator"));
    let members = service.members(&tenant.admin, &tenant.id, &Page::default()).await.unwrap();
    assert!(members.items.iter().all(|member| member.name != "spy"));

    let new = NewOrganisation { id: id("young"), name: "Young".into(), roles: device::Roles::NONE };
    service.create_organisation(platform, new).await.unwrap();
    let reader = service.add_member(platform, member("young", Role::Reader.into())).await;
    assert_eq!(reader.unwrap_err().code(), "not-first-administrator");
    // Of two at the same time one is first.
    let (one, two) = tokio::join!(
        service.add_member(platform, member("young", administrator)),
        service.add_member(platform, member("young", administrator)),
    );
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);
    // That all have left does not open it again.
    let first = one.or(two).unwrap();
    let admin = service.identify_certificate(&first.certificate).await.unwrap();
    let last = service.remove_member(&admin, &id("young"), &first.fingerprint).await;
    assert_eq!(last.unwrap_err().code(), "last-administrator");
    let last = service.certificate_by_fingerprint(&admin, &first.fingerprint).await.unwrap().id;
    let reason = RevocationReason::PrivilegeWithdrawn;
    service.revoke_certificate(platform, &last, reason).await.unwrap();
    let again = service.add_member(platform, member("young", administrator)).await.unwrap_err();
    assert_eq!(again.code(), "not-first-administrator");
    // Its own organisation it manages as any administrator does.
    service.add_member(platform, member("platform", Role::Auditor.into())).await.unwrap();
}

#[tokio::test]
async fn wrong_codes_all_count_and_bring_no_code_back() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let service = &world.service;
    let release = async || {
        let mut codes = service.release_codes(&maker.admin, vec![thing.id], 3600).await.unwrap();
        codes.pop().unwrap().unwrap().code.expose().to_owned()
    };
    let wrong = release().await;
    let right = release().await;
    assert_ne!(wrong, right, "a newer code replaces the older");
    let user = thing.id.to_string();
    let guess = || service.identify_code(&user, &wrong);
    let guesses = tokio::join!(guess(), guess(), guess(), guess());
    for error in [guesses.0, guesses.1, guesses.2, guesses.3] {
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Unauthenticated);
    }
    assert_eq!(count(&world, "SELECT attempts FROM enrolment_code"), 4);
    service.identify_code(&user, &right).await.unwrap();
    // A wrong one beside a withdrawal, in either order.
    let (withdrawn, _) = tokio::join!(service.withdraw_code(&maker.admin, &thing.id), guess());
    withdrawn.unwrap();
    assert!(service.code(&maker.admin, &thing.id).await.unwrap().withdrawn_at.is_some());
    let _ = release().await;
    let (_, withdrawn) = tokio::join!(guess(), service.withdraw_code(&maker.admin, &thing.id));
    withdrawn.unwrap();
    assert!(service.code(&maker.admin, &thing.id).await.unwrap().withdrawn_at.is_some());
}

#[tokio::test]
async fn a_certificate_that_cannot_be_examined_is_not_passed_over() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    let genuine = &working.idevid.certificate;
    // A point that is not on the curve.
    let spki = genuine.spki_der();
    let mut der = genuine.der().to_vec();
    let at = der.windows(spki.len()).position(|window| window == spki).unwrap() + spki.len() - 1;
    der[at] ^= 1;
    let forged = Certificate::from_der(&der).unwrap();
    assert!(forged.public_key().is_err());
    let request = VerifyRequest { presented: vec![forged], ..VerifyRequest::default() };
    let verdict = world.service.prove(&working.thing.id, request).await.unwrap();
    assert_eq!(verdict.outcome, Outcome::Rejected, "{:?}", verdict.reasons);
    assert!(verdict.has(ReasonCode::WeakAlgorithm), "{:?}", verdict.reasons);
}

/// Appends an event to the store as the service would, signed by a key of the forger's.
fn forge(world: &World, device: &DeviceId, reporter: &str, roles: device::Roles, kind: EventKind) {
    let forger = SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap();
    let database = database(world);
    let (row, bytes): (i64, Vec<u8>) = database
        .query_row("SELECT id, state FROM device WHERE device_id = ?1", [device.as_bytes()], |r| {
            Ok((r.get(0)?, r.get(1)?))
        })
        .unwrap();
    let reporter_row: i64 = database
        .query_row("SELECT id FROM organisation WHERE slug = ?1", [reporter], |row| row.get(0))
        .unwrap();
    let state = State::decode(&bytes).unwrap();
    let now = world.clock.now();
    let event = Event {
        device: *device,
        sequence: state.events(),
        previous: Some(state.head()),
        kind,
        at: now,
        reporter: id(reporter),
        actor: None,
        place: None,
        evidence: Vec::new(),
        on_behalf: None,
        reason: None,
    };
    let signed = SignedEvent::sign(&forger, &event).unwrap();
    let salt = [9; 32];
    let commitment = signed.commitment(&salt);
    let next = state.apply(&event, commitment, &Context::new(now, roles)).unwrap();
    let leaf: i64 =
        database.query_row("SELECT max(idx) + 1 FROM leaf", [], |row| row.get(0)).unwrap();
    database
        .execute("INSERT INTO leaf VALUES (?1, ?2)", params![leaf, commitment.as_bytes()])
        .unwrap();
    database
        .execute(
            "INSERT INTO event (leaf, device, sequence, kind, at, recorded_at, reporter, salt, cose,
                                previous)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8,
                     (SELECT last_leaf FROM device WHERE id = ?2))",
            params![
                leaf,
                row,
                event.sequence.cast_signed(),
                event.kind.kind().code(),
                now.0,
                reporter_row,
                salt,
                signed.as_bytes()
            ],
        )
        .unwrap();
    database
        .execute(
            "UPDATE device SET state = ?2, sequence = ?3, head = ?4, phase = ?5, standing = ?6,
                    last_leaf = ?7
             WHERE id = ?1",
            params![
                row,
                next.encode(),
                next.events().cast_signed(),
                commitment.as_bytes(),
                next.phase().code(),
                next.standing().kind().code(),
                leaf
            ],
        )
        .unwrap();
    // And the key into the register, with a certificate that is at hand.
    database
        .execute(
            "INSERT INTO signer (organisation, fingerprint, spki, certificate, not_before, not_after)
             SELECT organisation, ?2, ?3, certificate, not_before, not_after FROM signer
             WHERE organisation = ?1",
            params![
                reporter_row,
                forger.public_key().fingerprint().as_bytes(),
                forger.public_key().spki()
            ],
        )
        .unwrap();
}

#[tokio::test]
async fn an_event_that_is_slipped_into_the_database_is_not_believed() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let authority = world.org("authority", device::Roles::AUTHORITY).await;
    let working = world.working(&maker, "gate", &owner).await;
    let device = &working.thing.id;
    let suspended = EventKind::Suspended { cause: Cause::Recall };
    world.report(&authority, device, suspended).await.unwrap();
    world.service.integrate_now().await.unwrap();
    world.service.close();
    forge(&world, device, "authority", device::Roles::AUTHORITY, EventKind::Released);
    let service = open(world.path(), config(), &world.clock);
    service.integrate_now().await.unwrap();
    // The log has signed the leaf, the record adds up; only the signature is nobody's.
    let verdict = service.prove(device, VerifyRequest::default()).await.unwrap();
    assert_eq!(verdict.outcome, Outcome::Rejected, "{:?}", verdict.reasons);
    assert!(
        verdict.has(ReasonCode::HistoryAltered) || verdict.has(ReasonCode::ReporterUntrusted),
        "{:?}",
        verdict.reasons
    );
    let refused = service.export_passport(&owner.admin, device).await.unwrap_err();
    assert_eq!(refused.code(), "history-altered");
    service.close();
}

#[tokio::test]
async fn a_log_that_gives_no_proof_is_a_finding() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let working = world.working(&maker, "gate", &owner).await;
    // The log remembers the tiles at its end: there must be others.
    let signer = std::sync::Arc::new(SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap());
    let new = service::NewSigner {
        organisation: maker.id.clone(),
        spki: signer.public_key().spki().to_vec(),
        proof: service::signer_proof(signer.as_ref(), &maker.id).unwrap(),
    };
    world.service.register_signer(&maker.admin, new).await.unwrap();
    world
        .service
        .bulk_register(&maker.station, signer, &maker.id, &product("gate"), 600)
        .await
        .unwrap();
    world.service.integrate_now().await.unwrap();
    world.service.close();
    let service = open(world.path(), config(), &world.clock);
    service.integrate_now().await.unwrap();
    std::fs::rename(world.path().join("log"), world.path().join("gone")).unwrap();
    let verdict = service.prove(&working.thing.id, VerifyRequest::default()).await.unwrap();
    assert!(verdict.has(ReasonCode::LogUnverified), "{:?}", verdict.reasons);
    assert_ne!(verdict.outcome, Outcome::Genuine);
    service.close();
}

#[tokio::test]
async fn a_search_for_certificates_does_not_tell_which_devices_exist() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let stranger = world.org("stranger", device::Roles::NONE).await;
    let working = world.working(&maker, "gate", &owner).await;
    let nobody = DeviceId::from_bytes(*sha256(b"nobody").as_bytes().first_chunk().unwrap());
    for device in [working.thing.id, nobody] {
        let query = CertificateQuery { device: Some(device), ..CertificateQuery::default() };
        let found = world
            .service
            .certificates(&stranger.reader, &stranger.id, &query, &Page::default())
            .await
            .unwrap();
        assert!(found.items.is_empty() && found.next.is_none());
    }
}

#[tokio::test]
async fn who_runs_devices_does_not_lock_out_people_and_signers() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let service = &world.service;
    let (second, admins) =
        world.member(&maker.id, "second admin", Role::Administrator.into()).await;
    let signer = service.signers(&maker.admin, &maker.id).await.unwrap().remove(0).certificate;
    let reason = RevocationReason::PrivilegeWithdrawn;
    for certificate in [&admins, &signer] {
        let print = certificate.fingerprint();
        let id = service.certificate_by_fingerprint(&maker.station, &print).await.unwrap().id;
        let denied = service.revoke_certificate(&maker.station, &id, reason).await.unwrap_err();
        assert_eq!(denied.kind(), ErrorKind::Forbidden);
        let denied = service.suspend_certificate(&maker.station, &id).await.unwrap_err();
        assert_eq!(denied.kind(), ErrorKind::Forbidden);
        if print == admins.fingerprint() {
            // Another administrator is removed by two; one's own certificate one gives up alone.
            let alone = service.revoke_certificate(&maker.admin, &id, reason).await.unwrap_err();
            assert_eq!(alone.code(), "needs-second-person");
            service.revoke_certificate(&second, &id, reason).await.unwrap();
        } else {
            service.revoke_certificate(&maker.admin, &id, reason).await.unwrap();
        }
    }
    assert!(service.identify_certificate(&admins).await.is_err());
    // A signer whose certificate was revoked signs nothing any more.
    let thing = DeviceId::from_bytes([5; 16]);
    let kind = EventKind::Assembled {
        kind: DeviceKind::Device,
        build: device::Build::MassProduction,
        product: product("gate"),
        root_of_trust: None,
        key: None,
        parts: Vec::new(),
    };
    let refused = world.report(&maker, &thing, kind).await.unwrap_err();
    assert_eq!(refused.code(), "signer-unknown");
    // A device's certificate is the operator's to revoke.
    let owner = world.owner("owner").await;
    let other = world.maker("other", "gate", DeviceKind::Device).await;
    let working = world.working(&other, "gate", &owner).await;
    let print = working.ldevid.certificate.fingerprint();
    let id = service.certificate_by_fingerprint(&owner.station, &print).await.unwrap().id;
    service.revoke_certificate(&owner.station, &id, reason).await.unwrap();
}
