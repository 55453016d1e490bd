//! What one alone cannot do, and what happens when two do it at once, too late, or in a crash.

use crate::{
    passkey::Authenticator,
    people::{Human, code, first, human, new, person, with_console},
    world::{World, csr, id, key, open, product},
};
use device::{Cause, DeviceKind};
use policy::{Act, Role, Roles};
use service::{
    ApprovalId, ApprovalQuery, ApprovalState, CaKind, CaSpec, Config, Decision, ErrorKind,
    NewMember, Page, ServiceError, fault,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

fn waiting<T: std::fmt::Debug>(outcome: Result<T, ServiceError>) -> ApprovalId {
    let error = outcome.unwrap_err();
    assert_eq!(error.code(), "needs-second-person", "{error}");
    error.approval().unwrap()
}

/// The platform with two administrators who signed in, besides the member with its certificate.
async fn two(world: &World) -> (Human, Human) {
    let one = first(&world.service).await;
    let other = person(world, &id("platform"), "jiro", Role::Administrator.into()).await;
    (one, other)
}

#[tokio::test]
async fn roles_of_the_platform_need_two() {
    let world = World::with(with_console()).await;
    let (hanako, jiro) = two(&world).await;
    let (service, org) = (&world.service, id("platform"));
    let saburo = person(&world, &org, "saburo", Role::Reader.into()).await;
    let make = || service.change_roles(&hanako.caller, &org, &saburo.id, Roles::ALL);
    let approval = waiting(make().await);
    assert_eq!(waiting(make().await), approval);
    let view = service.approval(&jiro.caller, &approval).await.unwrap();
    assert_eq!((view.state, view.can_approve), (ApprovalState::Waiting, true));
    assert_eq!(view.requester, "hanako");
    assert!(view.summary.contains("saburo") && !view.summary_ja.is_ascii());
    assert!(!service.approval(&hanako.caller, &approval).await.unwrap().can_approve);
    assert_eq!(code(service.approve(&saburo.caller, &approval).await), "role");
    assert_eq!(code(service.approve(&hanako.caller, &approval).await), "own-request");
    assert_eq!(code(service.reject(&hanako.caller, &approval).await), "own-request");
    let done = service.approve(&jiro.caller, &approval).await.unwrap();
    assert_eq!((done.state, done.decision), (ApprovalState::Done, Some(Decision::Approved)));
    assert_eq!(done.decided_by.as_deref(), Some("person platform/jiro"));
    let view = service.person(&hanako.caller, &org, &saburo.id).await.unwrap();
    assert_eq!(view.roles, Roles::ALL);
    assert_eq!(code(service.approve(&jiro.caller, &approval).await), "approval-decided");
    // The same again is another request.
    assert_ne!(waiting(make().await), approval);
    // The audit log tells it all, in order.
    let local = service.local_administrator();
    let page = Page { after: None, limit: 1000 };
    let events =
        service.audit(&local, Some(&org), Some(audit::Kind::Approval), &page).await.unwrap();
    let words: Vec<String> = events
        .items
        .iter()
        .filter(|view| view.event.subject_of() == Some(approval.to_string().as_str()))
        .filter_map(|view| {
            let what = view.event.details().find(|(key, _)| *key == "what");
            what.map(|(_, what)| what.to_owned())
        })
        .collect();
    for word in ["requested", "own-request", "approved"] {
        assert!(words.iter().any(|found| found == word), "{word} in {words:?}");
    }
}

#[tokio::test]
async fn no_back_door_to_a_second_administrator() {
    let world = World::with(with_console()).await;
    let (hanako, jiro) = two(&world).await;
    let (service, org) = (&world.service, id("platform"));
    // A sock puppet by passkey, or by certificate.
    let puppet = new(&org, "puppet", Role::Administrator.into());
    let invited = waiting(service.invite_person(&hanako.caller, puppet.clone()).await);
    let member = NewMember {
        organisation: org.clone(),
        name: "puppet".into(),
        roles: Roles::ALL,
        csr: csr(&key(), ""),
    };
    let added = waiting(service.add_member(&hanako.caller, member.clone()).await);
    // A certificate with the same name is the same human.
    let (own, _) = world.member(&org, "Hanako", Roles::ALL).await;
    assert_eq!(code(service.approve(&own, &added).await), "own-request");
    // To weaken the policy, or to remove who could object.
    let off = service.set_approval_policy(&hanako.caller, &org, Act::ChangeRoles, false).await;
    assert_eq!(code(off), "roles-guard-the-rest", "not even two switch it off");
    waiting(service.set_approval_policy(&hanako.caller, &org, Act::RetireCa, false).await);
    waiting(service.remove_person(&hanako.caller, &org, &jiro.id).await);
    let reader: Roles = Role::Reader.into();
    waiting(service.change_roles(&hanako.caller, &org, &jiro.id, reader).await);
    let members = service.members(&hanako.caller, &org, &Page::default()).await.unwrap();
    let admin = members.items.iter().find(|member| member.name == "root admin").unwrap();
    waiting(service.remove_member(&hanako.caller, &org, &admin.fingerprint).await);
    // By certificate it is the same.
    waiting(service.remove_person(&world.platform_admin, &org, &jiro.id).await);
    // What gives the requester something waits for it.
    let approved = service.approve(&jiro.caller, &invited).await.unwrap();
    assert_eq!(approved.state, ApprovalState::Approved);
    assert!(approved.requester_continues);
    let link = service.invite_person(&hanako.caller, puppet.clone()).await.unwrap().link;
    human(service, link.secret.expose(), None).await;
    service.approve(&jiro.caller, &added).await.unwrap();
    let other_key = NewMember { csr: csr(&key(), ""), ..member.clone() };
    waiting(service.add_member(&hanako.caller, other_key).await);
    service.add_member(&hanako.caller, member.clone()).await.unwrap();
    assert_eq!(service.approval(&hanako.caller, &added).await.unwrap().state, ApprovalState::Done);
    // Who is no administrator comes in without.
    service.invite_person(&hanako.caller, new(&org, "reader", reader)).await.unwrap();
}

#[tokio::test]
async fn rejected_withdrawn_and_late_requests_do_nothing() {
    let world = World::with(with_console()).await;
    let (hanako, jiro) = two(&world).await;
    let (service, org) = (&world.service, id("platform"));
    let mut key = Authenticator::new();
    let saburo = person(&world, &org, "saburo", Role::Reader.into()).await;
    let ask = |roles: Roles| {
        let (caller, saburo) = (&hanako.caller, &saburo.id);
        let org = &org;
        async move { waiting(service.change_roles(caller, org, saburo, roles).await) }
    };
    let rejected = ask(Role::Operator.into()).await;
    let view = service.reject(&jiro.caller, &rejected).await.unwrap();
    assert_eq!(view.state, ApprovalState::Rejected);
    assert_eq!(code(service.approve(&jiro.caller, &rejected).await), "approval-decided");
    let withdrawn = ask(Role::Operator.into()).await;
    assert_ne!(withdrawn, rejected, "it can be asked again");
    assert_eq!(code(service.withdraw_request(&jiro.caller, &withdrawn).await), "not-found");
    service.withdraw_request(&hanako.caller, &withdrawn).await.unwrap();
    assert_eq!(code(service.approve(&jiro.caller, &withdrawn).await), "approval-decided");
    let late = ask(Role::Operator.into()).await;
    let open = ApprovalQuery { open: true };
    let list = service.approvals(&jiro.caller, &org, &open, &Page::default()).await.unwrap();
    assert_eq!(list.items.len(), 1);
    world.clock.advance(72 * 3600);
    let member = &world.platform_admin;
    assert_eq!(code(service.approve(member, &late).await), "approval-expired");
    let view = service.approval(member, &late).await.unwrap();
    assert_eq!(view.state, ApprovalState::Expired);
    let list = service.approvals(member, &org, &open, &Page::default()).await.unwrap();
    assert!(list.items.is_empty());
    let page = Page { after: None, limit: 2 };
    let list = service.approvals(member, &org, &ApprovalQuery::default(), &page).await.unwrap();
    assert_eq!((list.items.len(), list.next.is_some()), (2, true));
    let rest = Page { after: list.next, limit: 2 };
    let list = service.approvals(member, &org, &ApprovalQuery::default(), &rest).await.unwrap();
    assert_eq!(list.items.len(), 1);
    let view = service.person(member, &org, &saburo.id).await.unwrap();
    assert_eq!(view.roles, Role::Reader.into());
    // An approved request that its requester does not use ends too.
    key.counter = 0;
    let puppet = new(&org, "goro", Role::Administrator.into());
    let invited = waiting(service.invite_person(member, puppet.clone()).await);
    let mut jiro = jiro;
    let signed_in = crate::people::sign_in(service, &mut jiro.key).await.unwrap();
    service.approve(&signed_in.caller, &invited).await.unwrap();
    world.clock.advance(24 * 3600);
    assert_ne!(waiting(service.invite_person(member, puppet).await), invited);
}

#[tokio::test]
async fn two_who_approve_at_once_do_it_once() {
    let world = World::with(with_console()).await;
    let (hanako, jiro) = two(&world).await;
    let (service, org) = (&world.service, id("platform"));
    for round in 0..8 {
        let saburo = person(&world, &org, &format!("s{round}"), Role::Reader.into()).await;
        let operator: Roles = Role::Operator.into();
        let asked = service.change_roles(&hanako.caller, &org, &saburo.id, operator).await;
        let approval = waiting(asked);
        let (one, two, three) = tokio::join!(
            service.approve(&jiro.caller, &approval),
            service.approve(&world.platform_admin, &approval),
            service.reject(&world.platform_admin, &approval),
        );
        // One approves; one that is approved and not done can still be rejected.
        assert!(!(one.is_ok() && two.is_ok()), "approved twice");
        assert!(one.is_ok() || two.is_ok() || three.is_ok());
        let roles = service.person(&hanako.caller, &org, &saburo.id).await.unwrap().roles;
        assert_eq!(roles == operator, three.is_err(), "{three:?}");
        let state = service.approval(&jiro.caller, &approval).await.unwrap().state;
        assert_eq!(state == ApprovalState::Done, three.is_err(), "{state:?}");
    }
    let local = service.local_administrator();
    let page = Page { after: None, limit: 1000 };
    let changes =
        service.audit(&local, Some(&org), Some(audit::Kind::AccountChange), &page).await.unwrap();
    let changed = changes.items.iter().filter(|view| {
        view.event.details().any(|(key, value)| (key, value) == ("what", "roles-changed"))
    });
    let approved = service
        .approvals(&jiro.caller, &org, &ApprovalQuery::default(), &page)
        .await
        .unwrap()
        .items
        .into_iter()
        .filter(|view| view.state == ApprovalState::Done);
    assert_eq!(changed.count(), approved.count(), "each approval once");
}

#[tokio::test]
async fn what_was_approved_is_done_after_a_crash_and_only_once() {
    let armed = Arc::new(AtomicBool::new(false));
    let trigger = armed.clone();
    let faults = fault::Faults::injected(move |name| {
        name == fault::BEFORE_ACT && trigger.load(Ordering::SeqCst)
    });
    let world = World::with(Config { faults: Some(faults), ..with_console() }).await;
    let (hanako, jiro) = two(&world).await;
    let org = id("platform");
    let saburo = person(&world, &org, "saburo", Role::Reader.into()).await;
    let operator: Roles = Role::Operator.into();
    let service = &world.service;
    let asked = service.change_roles(&hanako.caller, &org, &saburo.id, operator).await;
    let approval = waiting(asked);
    armed.store(true, Ordering::SeqCst);
    assert_eq!(code(service.approve(&jiro.caller, &approval).await), "injected-fault");
    let view = service.person(&hanako.caller, &org, &saburo.id).await.unwrap();
    assert_eq!(view.roles, Role::Reader.into(), "the process died in between");
    world.service.close();
    for _ in 0..2 {
        let service = open(world.path(), with_console(), &world.clock);
        let local = service.local_administrator();
        let mut done = false;
        for _ in 0..200 {
            service.integrate_now().await.unwrap();
            done = service.approval(&local, &approval).await.unwrap().state == ApprovalState::Done;
            if done {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert!(done, "the next start carries it out");
        assert_eq!(service.person(&local, &org, &saburo.id).await.unwrap().roles, operator);
        let page = Page { after: None, limit: 1000 };
        let changes = service
            .audit(&local, Some(&org), Some(audit::Kind::AccountChange), &page)
            .await
            .unwrap();
        let changed = changes.items.iter().filter(|view| {
            view.event.details().any(|(key, value)| (key, value) == ("what", "roles-changed"))
        });
        assert_eq!(changed.count(), 1);
        assert_eq!(service.audit_verify(&local).await.unwrap().broken, None);
        service.close();
    }
}

#[tokio::test]
async fn a_requester_who_lost_its_right_has_nothing_done() {
    let world = World::with(with_console()).await;
    let (hanako, jiro) = two(&world).await;
    let (service, org) = (&world.service, id("platform"));
    let saburo = person(&world, &org, "saburo", Role::Reader.into()).await;
    let asked = service.change_roles(&hanako.caller, &org, &saburo.id, Roles::ALL).await;
    let approval = waiting(asked);
    let local = service.local_administrator();
    service.change_roles(&local, &org, &hanako.id, Role::Auditor.into()).await.unwrap();
    let view = service.approve(&jiro.caller, &approval).await.unwrap();
    assert_eq!((view.state, view.outcome.as_deref()), (ApprovalState::Failed, Some("role")));
    let view = service.person(&local, &org, &saburo.id).await.unwrap();
    assert_eq!(view.roles, Role::Reader.into());
    // And who is gone altogether.
    let asked = service.change_roles(&jiro.caller, &org, &saburo.id, Roles::ALL).await;
    let approval = waiting(asked);
    service.remove_person(&local, &org, &jiro.id).await.unwrap();
    let admin = &world.platform_admin;
    let view = service.approve(admin, &approval).await.unwrap();
    assert_eq!(view.outcome.as_deref(), Some("requester-gone"));
    // Who was removed approves nothing either, though its request was under way. By default one
    // administrator alone needs no second; here the organisation has chosen.
    service.set_approval_policy(&local, &org, Act::ChangeRoles, true).await.unwrap();
    let asked = service.change_roles(admin, &org, &saburo.id, Roles::ALL).await;
    let approval = waiting(asked);
    assert_eq!(code(service.approve(&jiro.caller, &approval).await), "session-ended");
}

#[tokio::test]
async fn organisations_choose_and_cannot_unchoose_alone() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let hanako = person(&world, &maker.id, "hanako", Role::Administrator.into()).await;
    let line = |lines: Vec<service::PolicyLine>, act: Act| {
        lines.into_iter().find(|line| line.act == act).unwrap()
    };
    let policy = service.approval_policy(&hanako.caller, &maker.id).await.unwrap();
    assert_eq!(policy.len(), Act::ALL.len());
    // Two administrators guard each other: one alone makes no third one.
    let roles = line(policy.clone(), Act::ChangeRoles);
    assert!(roles.required && !roles.changeable && !roles.chosen);
    assert!(!line(policy.clone(), Act::RevokeDevice).required, "a tenant chooses");
    assert!(line(policy.clone(), Act::RecoverPerson).required);
    assert!(!line(policy, Act::ChangePolicy).required);
    let fixed = service.set_approval_policy(&hanako.caller, &maker.id, Act::RecoverPerson, false);
    assert_eq!(code(fixed.await), "not-chosen");
    let set = |act: Act, required: bool| {
        service.set_approval_policy(&hanako.caller, &maker.id, act, required)
    };
    set(Act::RevokeDevice, true).await.unwrap();
    let policy = service.approval_policy(&hanako.caller, &maker.id).await.unwrap();
    assert!(line(policy, Act::ChangePolicy).required);
    let off = waiting(set(Act::RevokeDevice, false).await);
    waiting(set(Act::Erase, true).await);
    // A device is revoked by two, whoever begins: here by the REST caller's certificate.
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let revoke = || service.revoke_device(&maker.admin, &thing.id, Cause::KeyCompromise);
    let approval = waiting(revoke().await);
    let denied = service.approve(&maker.reader, &approval).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Forbidden);
    let done = service.approve(&hanako.caller, &approval).await.unwrap();
    assert_eq!(done.state, ApprovalState::Done);
    let device = service.device(&maker.admin, &thing.id).await.unwrap();
    assert_eq!(device.standing, device::StandingKind::Revoked);
    assert_eq!(code(revoke().await), "needs-second-person");
    // So is a history erased, where the organisation wants it: the requester asks again.
    let erase = waiting(set(Act::Erase, true).await);
    service.approve(&maker.admin, &erase).await.unwrap();
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let asked = waiting(service.erase_device(&maker.admin, &thing.id).await);
    let some = waiting(service.erase_events(&maker.admin, &thing.id, vec![0]).await);
    assert_ne!(asked, some);
    waiting(service.erase_person(&maker.admin, &maker.id, "Taro Yamada").await.map(|_| ()));
    service.approve(&hanako.caller, &asked).await.unwrap();
    service.erase_device(&maker.admin, &thing.id).await.unwrap();
    waiting(service.erase_device(&maker.admin, &thing.id).await);
    // With two it is switched off.
    service.approve(&maker.admin, &off).await.unwrap();
    let policy = service.approval_policy(&hanako.caller, &maker.id).await.unwrap();
    assert!(!line(policy, Act::RevokeDevice).required);
}

#[tokio::test]
async fn a_ca_is_retired_and_production_approved_by_two() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let hanako = person(&world, &maker.id, "hanako", Role::Administrator.into()).await;
    for act in [Act::RetireCa, Act::ApproveProduction] {
        let local = service.local_administrator();
        service.set_approval_policy(&local, &maker.id, act, true).await.unwrap();
    }
    let thing = world.made(&maker, "gate", Vec::new()).await;
    world.idevid(&maker, "gate", &thing).await;
    let approval = waiting(service.retire_ca(&maker.admin, "maker.gate").await);
    let stranger = world.org("stranger", device::Roles::MAKER).await;
    let crossed = service.retire_ca(&stranger.admin, "maker.gate").await.unwrap_err();
    assert_eq!(crossed.kind(), ErrorKind::NotFound);
    let absent = service.retire_ca(&stranger.admin, "nothing").await.unwrap_err();
    assert_eq!(absent.to_string(), {
        let policy = policy::authorize(
            &stranger.admin,
            policy::Action::RetireIssuingCa,
            &policy::Resource::unknown(),
        );
        assert!(policy.is_err());
        crossed.to_string()
    });
    let done = service.approve(&hanako.caller, &approval).await.unwrap();
    assert_eq!(done.state, ApprovalState::Done);
    let cas = service.cas(&maker.admin, Some(&maker.id)).await.unwrap();
    assert!(cas.iter().all(|ca| ca.retired_at.is_some()));
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let request =
        service::EnrolRequest { label: Some(product("gate")), csr: csr(&thing.key, &thing.serial) };
    let refused = service.enrol_device(&maker.station, &request, None).await;
    assert_eq!(refused.map(drop).unwrap_err().code(), "ca-retired");
    // Another product line may make devices only when two say so.
    let line = service::NewProduct {
        organisation: maker.id.clone(),
        id: product("lamp"),
        name: "Lamp".into(),
        model: "L1".into(),
        kind: DeviceKind::Device,
        root_of_trust: device::RootOfTrust::SecureElement,
        support_end: None,
        ldevid_validity_s: None,
    };
    service.create_product(&maker.admin, line).await.unwrap();
    let spec = CaSpec {
        organisation: maker.id.clone(),
        product: Some(product("lamp")),
        kind: CaKind::Device,
        name: "Lamp CA".into(),
        algorithm: crypto::KeyAlgorithm::EcdsaP256,
        years: 0,
    };
    let request = service.request_ca(&maker.admin, spec).await.unwrap();
    let now = service::Clock::now(world.clock.as_ref());
    let certificate = world.root.sign_ca(&request, pki::Locations::default(), now).unwrap();
    let install = || service.install_ca(&maker.admin, certificate.clone());
    let approval = waiting(install().await);
    service.approve(&hanako.caller, &approval).await.unwrap();
    install().await.unwrap();
    let view = service.approval(&hanako.caller, &approval).await.unwrap();
    assert_eq!(view.state, ApprovalState::Done);
}
