//! Organisations suspended, resumed and renamed: what that means at each door.

use crate::{
    people::{code, first, new, person, sign_in, with_console},
    world::{World, csr, id, key, product},
};
use device::{Cause, DeviceKind, EventKind, StandingKind};
use policy::{Act, Role, Roles};
use service::{
    ApprovalState, DeviceSearch, EnrolRequest, NewDevice, NewMember, Page, VerifyRequest,
};

#[tokio::test]
async fn nobody_of_a_suspended_organisation_does_anything() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let platform = first(service).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let other = world.maker("other", "gate", DeviceKind::Device).await;
    let mut hanako = person(&world, &maker.id, "hanako", Roles::ALL).await;
    let buyer = world.owner("buyer").await;
    let working = world.working(&maker, "gate", &buyer).await.thing;
    let own = world.made(&maker, "gate", Vec::new()).await;
    let registered = NewDevice { id: None, serial_number: "CODE-1".into() };
    let line = product("gate");
    let registered =
        service.register_devices(&maker.station, &maker.id, &line, vec![registered]).await;
    let coded = registered.unwrap().remove(0).unwrap().id;
    let codes = service.release_codes(&maker.admin, vec![coded], 3600).await.unwrap();
    let text = codes[0].as_ref().unwrap().code.expose().to_owned();
    let event =
        world.sign(&maker, &own.id, EventKind::Tested { passed: true, standard: None }).await;

    // Only the platform's administrators, and not of the platform itself.
    for caller in [&maker.admin, &other.admin, &hanako.caller] {
        let refused = service.suspend_organisation(caller, &maker.id, "why").await;
        assert_eq!(code(refused), "role");
    }
    for (org, reason, expected) in [
        (id("maker"), " ", "reason"),
        (id("nobody"), "why", "not-found"),
        (id("platform"), "why", "platform-organisation"),
    ] {
        let refused = service.suspend_organisation(&platform.caller, &org, reason).await;
        assert_eq!(code(refused), expected);
    }
    let resumed = service.resume_organisation(&platform.caller, &maker.id, "why").await;
    assert_eq!(code(resumed), "organisation-works");
    let done = service.suspend_organisation(&platform.caller, &maker.id, "keys stolen").await;
    assert!(done.unwrap().suspended_at.is_some());
    let again = service.suspend_organisation(&platform.caller, &maker.id, "why").await;
    assert_eq!(code(again), "organisation-suspended");

    // Members, stations, people: at every use case.
    let refused = "organisation-suspended";
    let page = Page::default();
    for caller in [&maker.admin, &maker.station, &hanako.caller] {
        assert_eq!(code(service.device(caller, &own.id).await), refused);
        assert_eq!(code(service.organisation(caller, &maker.id).await), refused);
        let found =
            service.search_devices(caller, &maker.id, &DeviceSearch::default(), &page).await;
        assert_eq!(code(found), refused);
        let judged = service.verify_device(caller, &own.id, VerifyRequest::default()).await;
        assert_eq!(code(judged), refused);
    }
    assert_eq!(code(service.record_event(&maker.station, event.clone()).await), refused);
    let member = NewMember {
        organisation: maker.id.clone(),
        name: "mole".into(),
        roles: Roles::ALL,
        csr: csr(&key(), ""),
    };
    assert_eq!(code(service.add_member(&maker.admin, member).await.map(drop)), refused);
    let invited = service.invite_person(&hanako.caller, new(&maker.id, "mole", Roles::ALL)).await;
    assert_eq!(code(invited.map(drop)), refused);
    // Sessions, and signing in again.
    assert!(service.resume_session(&hanako.cookie).await.is_err());
    let signed = sign_in(service, &mut hanako.key).await;
    assert_eq!(code(signed.map(drop)), refused);
    // Enrolment by code.
    let new_key = key();
    let wanted = EnrolRequest { label: None, csr: csr(&new_key, "CODE-1") };
    let coded_caller = service.identify_code(&coded.to_string(), &text).await.unwrap();
    assert_eq!(code(service.enrol_device(&coded_caller, &wanted, None).await.map(drop)), refused);

    // What belongs to others goes on: its devices in their hands, their verdicts, themselves.
    let verdict =
        service.verify_device(&buyer.admin, &working.id, VerifyRequest::default()).await.unwrap();
    assert_eq!(verdict.outcome, device::Outcome::Genuine, "{verdict:?}");
    service.suspend_device(&buyer.admin, &working.id, Cause::Lost).await.unwrap();
    service.device(&other.admin, &world.made(&other, "gate", Vec::new()).await.id).await.unwrap();

    let back = service.resume_organisation(&platform.caller, &maker.id, "keys replaced").await;
    assert!(back.unwrap().suspended_at.is_none());
    service.record_event(&maker.station, event).await.unwrap();
    service.resume_session(&hanako.cookie).await.unwrap();
    service.identify_code(&coded.to_string(), &text).await.unwrap();

    // All of it is in the audit log, with why and by whom.
    let local = service.local_administrator();
    let events = service
        .audit(&local, None, Some(audit::Kind::AccountChange), &Page { after: None, limit: 1000 })
        .await
        .unwrap();
    for (what, why) in
        [("organisation-suspend", "keys stolen"), ("organisation-resume", "keys replaced")]
    {
        let found = events.items.iter().any(|view| {
            let details: Vec<_> = view.event.details().collect();
            details.contains(&("what", what)) && details.contains(&("reason", why))
        });
        assert!(found, "{what}");
    }
}

#[tokio::test]
async fn files_break_off_and_requests_of_a_suspended_organisation_are_not_carried_out() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let platform = first(service).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let jiro = person(&world, &maker.id, "jiro", Role::Administrator.into()).await;
    let new = (0..1200).map(|n| NewDevice { id: None, serial_number: format!("SN-{n:04}") });
    let new = new.collect();
    service.register_devices(&maker.station, &maker.id, &product("gate"), new).await.unwrap();
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let wanted = DeviceSearch::default();
    let mut file = service.export_devices(&maker.admin, &maker.id, &wanted, false).await.unwrap();
    file.next().await.unwrap().unwrap();
    let local = service.local_administrator();
    service.set_approval_policy(&local, &maker.id, Act::RevokeDevice, true).await.unwrap();
    let asked = service.revoke_device(&maker.admin, &thing.id, Cause::Lost).await;
    let request = asked.unwrap_err().approval().unwrap();

    service.suspend_organisation(&platform.caller, &maker.id, "why").await.unwrap();
    // The rights of who asked are looked at with every piece, as those of a job with every step.
    assert_eq!(code(file.next().await.unwrap()), "organisation-suspended");
    assert!(file.next().await.is_none());
    assert_eq!(code(service.approve(&jiro.caller, &request).await), "organisation-suspended");
    service.resume_organisation(&platform.caller, &maker.id, "why").await.unwrap();
    let standing = service.device(&maker.admin, &thing.id).await.unwrap().standing;
    assert_eq!(standing, StandingKind::Good);
}

#[tokio::test]
async fn the_platform_wants_a_second_person_where_it_says_so() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let hanako = first(service).await;
    let jiro = person(&world, &id("platform"), "jiro", Role::Administrator.into()).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let act = Act::SuspendOrganisation;
    let local = service.local_administrator();
    service.set_approval_policy(&local, &id("platform"), act, true).await.unwrap();
    let asked = service.suspend_organisation(&hanako.caller, &maker.id, "keys stolen").await;
    let error = asked.unwrap_err();
    assert_eq!(error.code(), "needs-second-person");
    let request = error.approval().unwrap();
    let view = service.approval(&jiro.caller, &request).await.unwrap();
    for text in [&view.summary, &view.summary_ja] {
        assert!(text.contains("maker") && text.contains("keys stolen"), "{text}");
    }
    assert_eq!(code(service.approve(&hanako.caller, &request).await), "own-request");
    service.organisation(&maker.admin, &maker.id).await.unwrap();
    let done = service.approve(&jiro.caller, &request).await.unwrap();
    assert_eq!(done.state, ApprovalState::Done, "{done:?}");
    assert_eq!(code(service.organisation(&maker.admin, &maker.id).await), "organisation-suspended");
    // The machine's own administrator is asked by nobody.
    service.resume_organisation(&local, &maker.id, "mistake").await.unwrap();
    service.organisation(&maker.admin, &maker.id).await.unwrap();
}

#[tokio::test]
async fn a_name_is_changed_by_the_platform_alone() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let platform = first(service).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let number = service.device(&maker.admin, &thing.id).await.unwrap().management_number;
    // Buyers read it: who could choose it could be anybody's namesake.
    let own = service.rename_organisation(&maker.admin, &maker.id, "Famous Brand").await;
    assert_eq!(code(own), "role");
    for wrong in ["", " ", "a\u{202e}b", "double  space"] {
        let refused = service.rename_organisation(&platform.caller, &maker.id, wrong).await;
        assert_eq!(code(refused), "name", "{wrong:?}");
    }
    let done = service.rename_organisation(&platform.caller, &maker.id, "Maker K.K.").await;
    assert_eq!(done.unwrap().name, "Maker K.K.");
    let again = service.rename_organisation(&platform.caller, &maker.id, "Maker K.K.").await;
    assert_eq!(code(again), "nothing-changed");
    let seen = service.organisation(&maker.admin, &maker.id).await.unwrap();
    assert_eq!((seen.id, seen.name.as_str()), (maker.id.clone(), "Maker K.K."));
    let public = service.device_by_management_number(&number).await.unwrap();
    assert_eq!(public.maker, "Maker K.K.");
}
