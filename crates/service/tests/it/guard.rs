//! Ways around the second person, and around those who are to be asked.

use crate::{
    people::{code, first, new, person, with_console},
    world::{Org, World, csr, id, key, open},
};
use device::{Cause, DeviceKind, EventKind, StandingKind};
use pki::crl::RevocationReason;
use policy::{Act, Role, Roles};
use service::{
    ApprovalId, ApprovalQuery, ApprovalState, BulkAct, Caller, Config, DeviceAct, DeviceRelation,
    DeviceSearch, JobState, JobView, NewMember, NewOrganisation, Page, Selection, Service,
    ServiceError, fault,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

fn member_of(organisation: &str, name: &str) -> NewMember {
    NewMember {
        organisation: id(organisation),
        name: name.into(),
        roles: Role::Administrator.into(),
        csr: csr(&key(), ""),
    }
}

async fn over(service: &Service, caller: &Caller, job: &JobView) -> JobView {
    for _ in 0..600 {
        let job = service.job(caller, &job.id).await.unwrap();
        if job.state.is_over() {
            return job;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the job does not end");
}

/// The result of a job: what became of the devices.
async fn refusals(service: &Service, caller: &Caller, job: &JobView) -> String {
    let mut result = service.job_result(caller, &job.id, false).await.unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = result.next().await {
        bytes.extend(piece.unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn the_platform_joins_no_organisation_that_has_people() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let platform = first(service).await;
    let new_org =
        NewOrganisation { id: id("club"), name: "Club".into(), roles: device::Roles::NONE };
    service.create_organisation(&platform.caller, new_org).await.unwrap();
    // Nobody is there yet: the platform adds the first, with a passkey shown just now.
    world.clock.advance(301);
    let stale = service.add_member(&platform.caller, member_of("club", "mole")).await.map(drop);
    assert_eq!(code(stale), "reauthenticate");
    world.clock.advance(-301);
    person(&world, &id("club"), "boss", Role::Administrator.into()).await;
    for caller in [&platform.caller, &world.platform_admin] {
        let mole = service.add_member(caller, member_of("club", "mole")).await.map(drop);
        assert_eq!(code(mole), "not-first-administrator", "its people have passkeys only");
    }
    // Not even where the invitation is not taken up yet.
    let new_org =
        NewOrganisation { id: id("guild"), name: "Guild".into(), roles: device::Roles::NONE };
    service.create_organisation(&platform.caller, new_org).await.unwrap();
    let boss = new(&id("guild"), "boss", Role::Administrator.into());
    service.invite_person(&platform.caller, boss).await.unwrap();
    let mole = service.add_member(&platform.caller, member_of("guild", "mole")).await.map(drop);
    assert_eq!(code(mole), "not-first-administrator");
}

#[tokio::test]
async fn nobody_is_its_own_second_person() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let org = world.org("maker", device::Roles::MAKER).await.id;
    let admin: Roles = Role::Administrator.into();
    // One administrator alone can want no second person, and makes the second one alone.
    let local = service.local_administrator();
    let members = service.members(&local, &org, &Page::default()).await.unwrap().items;
    let only = members.iter().find(|member| member.name == "admin").unwrap();
    let alone = service.identify_certificate(&only.certificate).await.unwrap();
    let wanted = service.set_approval_policy(&alone, &org, Act::RevokeDevice, true).await;
    assert_eq!(code(wanted), "no-second-administrator");
    service.invite_person(&alone, new(&org, "early", admin)).await.unwrap();
    // From the second one on, one alone makes no more, by whichever way.
    let hanako = person(&world, &org, "hanako", admin).await;
    let puppet = service.invite_person(&hanako.caller, new(&org, "puppet", admin)).await;
    assert_eq!(code(puppet), "needs-second-person");
    let puppet = service.add_member(&hanako.caller, member_of("maker", "puppet")).await.map(drop);
    assert_eq!(code(puppet), "needs-second-person");
    let reader = person(&world, &org, "reader", Role::Reader.into()).await;
    let raised = service.change_roles(&hanako.caller, &org, &reader.id, admin).await;
    assert_eq!(code(raised), "needs-second-person");
    let off = service.set_approval_policy(&hanako.caller, &org, Act::ChangeRoles, false).await;
    assert_eq!(code(off), "roles-guard-the-rest");
    // Where one is left but something is guarded, it is the machine that lets the next one in.
    service.set_approval_policy(&hanako.caller, &org, Act::Erase, true).await.unwrap();
    service.remove_person(&local, &org, &hanako.id).await.unwrap();
    let puppet = service.invite_person(&alone, new(&org, "puppet", admin)).await;
    assert_eq!(code(puppet), "needs-second-person");
    let off = service.set_approval_policy(&alone, &org, Act::Erase, false).await;
    assert_eq!(code(off), "needs-second-person");
    person(&world, &org, "jiro", admin).await;
}

#[tokio::test]
async fn a_job_is_no_way_around_the_second_person_of_one_revocation() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let hanako = person(&world, &maker.id, "hanako", Role::Administrator.into()).await;
    let thing = world.made(&maker, "gate", Vec::new()).await;
    service.set_approval_policy(&hanako.caller, &maker.id, Act::RevokeDevice, true).await.unwrap();
    let act = BulkAct::Device(DeviceAct::Revoke { cause: Cause::Recall });
    let one = Selection::Devices(vec![thing.id]);
    let job = service.start_bulk(&maker.admin, &maker.id, &act, &one, "x").await;
    assert_eq!(code(job), "needs-second-person");
    let standing = service.device(&maker.admin, &thing.id).await.unwrap().standing;
    assert_eq!(standing, StandingKind::Good);
}

#[tokio::test]
async fn signed_events_that_revoke_many_are_a_bulk() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let hanako = person(&world, &maker.id, "hanako", Role::Administrator.into()).await;
    service.set_approval_policy(&hanako.caller, &maker.id, Act::BulkRevoke, true).await.unwrap();
    let revoked = EventKind::Revoked { cause: Cause::Recall };
    let mut events = Vec::new();
    for _ in 0..2 {
        let thing = world.made(&maker, "gate", Vec::new()).await;
        events.push(world.sign(&maker, &thing.id, revoked.clone()).await);
    }
    let outcomes = service.record_events(&maker.admin, events.clone()).await.unwrap();
    for outcome in outcomes {
        assert_eq!(code(outcome), "needs-second-person");
    }
    let one = service.record_events(&maker.admin, events.split_off(1)).await.unwrap();
    assert!(one[0].is_ok(), "{one:?}");
}

/// A device that the maker made and still holds, while another organisation owns it.
async fn held(world: &World, maker: &Org, owner: &Org) -> device::DeviceId {
    let thing = world.made(maker, "gate", Vec::new()).await;
    world.sell(maker, owner, &thing.id).await;
    thing.id
}

#[tokio::test]
async fn a_job_asks_its_own_organisation_and_so_leaves_others_devices_alone() {
    for wanted in [Act::RevokeDevice, Act::BulkRevoke] {
        let world = World::with(with_console()).await;
        let service = &world.service;
        let maker = world.maker("maker", "gate", DeviceKind::Device).await;
        let owner = world.owner("owner").await;
        let hanako = person(&world, &owner.id, "hanako", Role::Administrator.into()).await;
        let police = world.org("police", device::Roles::AUTHORITY).await;
        let guarded = held(&world, &maker, &owner).await;
        let free = world.made(&maker, "gate", Vec::new()).await.id;
        service.set_approval_policy(&hanako.caller, &owner.id, wanted, true).await.unwrap();
        let act = BulkAct::Device(DeviceAct::Revoke { cause: Cause::Order });
        let both = Selection::Devices(vec![guarded, free]);
        let preview = service.preview_bulk(&police.admin, &police.id, &act, &both).await.unwrap();
        assert_eq!(preview.allowed, 1, "{preview:?}");
        assert_eq!(preview.refusals[0].0.code, "needs-second-person");
        let job = service.start_bulk(&police.admin, &police.id, &act, &both, "x").await.unwrap();
        let job = over(service, &police.admin, &job).await;
        assert_eq!((job.state, job.done, job.failed), (JobState::Done, 2, 1), "{job:?}");
        let text = refusals(service, &police.admin, &job).await;
        assert!(text.contains(&format!("{guarded}")) && text.contains("needs-second-person"));
        let device = service.device(&owner.admin, &guarded).await.unwrap();
        assert_eq!(device.standing, StandingKind::Good, "{wanted}");
        let device = service.device(&maker.admin, &free).await.unwrap();
        assert_eq!(device.standing, StandingKind::Revoked);
    }
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let maker = world.org("maker", device::Roles::MAKER).await;
    let (hanako, certificate) = world.member(&maker.id, "Hanako", Role::Administrator.into()).await;
    let local = service.local_administrator();
    let print = certificate.fingerprint();
    let own = service.certificate_by_fingerprint(&maker.admin, &print);
    let own = own.await.unwrap().id;
    // Two names are two administrators; a suspended certificate is none.
    let line = async |act: Act| {
        let lines = service.approval_policy(&maker.admin, &maker.id).await.unwrap();
        lines.into_iter().find(|line| line.act == act).unwrap()
    };
    assert!(line(Act::ChangeRoles).await.required);
    service.suspend_certificate(&hanako, &own).await.unwrap();
    assert!(!line(Act::ChangeRoles).await.required, "only one of them can act");
    let only = service.members(&maker.admin, &maker.id, &Page::default()).await.unwrap();
    let only = only.items.into_iter().find(|member| member.name == "admin").unwrap();
    let removed = service.remove_member(&maker.admin, &maker.id, &only.fingerprint).await;
    assert_eq!(code(removed), "last-administrator");
    let print = only.certificate.fingerprint();
    let last = service.certificate_by_fingerprint(&maker.admin, &print).await.unwrap().id;
    let suspended = service.suspend_certificate(&maker.admin, &last).await.map(drop);
    assert_eq!(code(suspended), "last-administrator");
    let reason = RevocationReason::KeyCompromise;
    let revoked = service.revoke_certificate(&maker.admin, &last, reason).await.map(drop);
    assert_eq!(code(revoked), "last-administrator");
    service.identify_certificate(&only.certificate).await.unwrap();
    // The same human by another door is not another administrator.
    let twin = person(&world, &maker.id, "admin", Role::Administrator.into()).await;
    assert!(!line(Act::ChangeRoles).await.required, "one human");
    service.remove_person(&twin.caller, &maker.id, &twin.id).await.unwrap();
    // In the wrong hands it is taken away all the same: by the machine.
    service.revoke_certificate(&local, &last, reason).await.unwrap();
    assert!(service.identify_certificate(&only.certificate).await.is_err());
}

fn waiting<T: std::fmt::Debug>(outcome: Result<T, ServiceError>) -> ApprovalId {
    let error = outcome.unwrap_err();
    assert_eq!(error.code(), "needs-second-person", "{error}");
    error.approval().unwrap()
}

async fn texts(service: &Service, caller: &Caller, approval: &ApprovalId) -> [String; 2] {
    let view = service.approval(caller, approval).await.unwrap();
    [view.summary, view.summary_ja]
}

#[tokio::test]
async fn who_approves_sees_what() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let org = &maker.id;
    let hanako = person(&world, org, "hanako", Role::Administrator.into()).await;
    let reader = person(&world, org, "saburo", Role::Reader.into()).await;
    let local = service.local_administrator();
    for act in [Act::BulkRevoke, Act::Erase, Act::Export] {
        service.set_approval_policy(&local, org, act, true).await.unwrap();
    }
    let mut devices = Vec::new();
    for _ in 0..3 {
        devices.push(world.made(&maker, "gate", Vec::new()).await.id);
    }
    let says = async |approval: &ApprovalId, parts: &[&str]| {
        for text in texts(service, &hanako.caller, approval).await {
            for part in parts {
                assert!(text.contains(part), "{part} in {text}");
            }
        }
    };
    // How many, which, why.
    let act = BulkAct::Device(DeviceAct::Revoke { cause: Cause::Recall });
    let all = DeviceSearch { relation: DeviceRelation::Maker, ..DeviceSearch::default() };
    let start = |selection: Selection| {
        let (admin, act) = (&maker.admin, &act);
        async move { service.start_bulk(admin, org, act, &selection, "stolen lorry").await }
    };
    let search = Selection::Search(Box::new(all));
    let job = waiting(start(search.clone()).await);
    says(&job, &["3", "recall", "stolen lorry", "relation=maker"]).await;
    let view = service.approval(&hanako.caller, &job).await.unwrap();
    assert_eq!(view.devices, 3);
    let page = Page { after: None, limit: 2 };
    let first = service.approval_devices(&hanako.caller, &job, &page).await.unwrap();
    let page = Page { after: first.next, limit: 2 };
    let rest = service.approval_devices(&hanako.caller, &job, &page).await.unwrap();
    let mut listed: Vec<_> =
        first.items.iter().chain(&rest.items).map(|device| device.id).collect();
    listed.sort_unstable();
    devices.sort_unstable();
    assert_eq!((listed, rest.next), (devices.clone(), None));
    let mut file = service.approval_devices_file(&hanako.caller, &job, false).await.unwrap();
    let text = String::from_utf8(file.next().await.unwrap().unwrap()).unwrap();
    assert!(file.next().await.is_none());
    assert!(devices.iter().all(|id| text.contains(&id.to_string())) && text.lines().count() == 4);
    service.approve(&hanako.caller, &job).await.unwrap();
    let started = start(search).await.unwrap();
    over(service, &maker.admin, &started).await;
    assert_eq!(service.approval(&hanako.caller, &job).await.unwrap().devices, 0, "it is done");
    // Whose roles, and which.
    let auditor: Roles = Role::Auditor.into();
    let roles = service.change_roles(&maker.admin, org, &reader.id, auditor).await;
    says(&waiting(roles), &["saburo of maker", "reader", "auditor"]).await;
    let removed = service.members(&maker.admin, org, &Page::default()).await.unwrap().items;
    let own = removed.iter().find(|member| member.name == "admin").unwrap().fingerprint;
    let removed = service.remove_member(&hanako.caller, org, &own).await;
    for text in texts(service, &hanako.caller, &waiting(removed)).await {
        assert!(text.contains("admin") && text.contains(&own.to_string()), "{text}");
    }
    // Which devices leave.
    let filter = DeviceSearch { text: Some("SN\u{202e}".into()), ..DeviceSearch::default() };
    let export = service.export_devices(&maker.admin, org, &filter, false).await.map(drop);
    says(&waiting(export), &["relation=owner", "text=\"SN\\u202e\""]).await;
    // Whose traces: known to who decides, as long as it is open, and nowhere for good.
    let erased = service.erase_person(&maker.admin, org, "Taro Yamada").await;
    let erased = waiting(erased.map(drop));
    says(&erased, &["Taro Yamada"]).await;
    service.reject(&hanako.caller, &erased).await.unwrap();
    for text in texts(service, &hanako.caller, &erased).await {
        assert!(!text.contains("Taro"), "{text}");
    }
    let page = Page { after: None, limit: 1000 };
    let log = service.audit(&local, Some(org), Some(audit::Kind::Approval), &page).await.unwrap();
    assert!(log.items.len() > 5);
    assert!(log.items.iter().all(|view| !format!("{view:?}").contains("Taro")));
}

#[tokio::test]
async fn what_was_recorded_after_the_approval_is_not_erased() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let hanako = person(&world, &maker.id, "hanako", Role::Administrator.into()).await;
    let local = service.local_administrator();
    service.set_approval_policy(&local, &maker.id, Act::Erase, true).await.unwrap();
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let erase = || service.erase_device(&maker.admin, &thing.id);
    let asked = waiting(erase().await);
    let later = EventKind::Suspended { cause: Cause::Lost };
    world.report(&maker, &thing.id, later).await.unwrap();
    assert_eq!(waiting(erase().await), asked, "the same question");
    service.approve(&hanako.caller, &asked).await.unwrap();
    world.report(&maker, &thing.id, EventKind::Released).await.unwrap();
    erase().await.unwrap();
    let history = service.history(&maker.admin, &thing.id, &Page::default()).await.unwrap();
    let left: Vec<bool> = history.items.iter().map(|event| event.cose.is_some()).collect();
    assert_eq!(left, [false, true, true, true], "the second person was asked about the first");
}

#[tokio::test]
async fn an_approval_is_for_the_human_and_not_for_the_handle() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let org = world.org("maker", device::Roles::MAKER).await;
    let hanako = person(&world, &org.id, "hanako", Role::Administrator.into()).await;
    let invite = |name: &str, roles: Roles| {
        let new = service::NewPerson { display_name: name.into(), ..new(&org.id, "saburo", roles) };
        service.invite_person(&hanako.caller, new)
    };
    let reader: Roles = Role::Reader.into();
    let honest = invite("Saburo", reader).await.unwrap().person;
    let raised = service.change_roles(&hanako.caller, &org.id, &honest.id, Roles::ALL).await;
    let raised = waiting(raised);
    // Nobody took it up: the handle is free, and somebody else gets it.
    service.remove_person(&hanako.caller, &org.id, &honest.id).await.unwrap();
    let puppet = invite("Saburo", reader).await.unwrap().person;
    let view = service.approve(&org.admin, &raised).await.unwrap();
    assert_eq!((view.state, view.outcome.as_deref()), (ApprovalState::Failed, Some("not-found")));
    let now = service.person(&hanako.caller, &org.id, &puppet.id).await.unwrap();
    assert_eq!(now.roles, reader);
    // Nor does an invitation that was approved for one name serve for another.
    service.remove_person(&hanako.caller, &org.id, &puppet.id).await.unwrap();
    let asked = waiting(invite("Saburo", Roles::ALL).await);
    service.approve(&org.admin, &asked).await.unwrap();
    assert_ne!(waiting(invite("Mallory", Roles::ALL).await), asked);
    invite("Saburo", Roles::ALL).await.unwrap();
    // What changed since it was asked for is not what was approved.
    let other = person(&world, &org.id, "jiro", reader).await;
    let auditor: Roles = Role::Auditor.into();
    let asked = service.change_roles(&hanako.caller, &org.id, &other.id, auditor).await;
    let asked = waiting(asked);
    let local = service.local_administrator();
    service.change_roles(&local, &org.id, &other.id, Role::Operator.into()).await.unwrap();
    let view = service.approve(&org.admin, &asked).await.unwrap();
    assert_eq!(view.outcome.as_deref(), Some("person-changed"));
}

#[tokio::test]
async fn names_are_what_they_look_like() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let platform = first(service).await;
    let org = world.org("maker", device::Roles::MAKER).await;
    for name in ["gnp.\u{202e}txt", "a\u{200b}", "a\u{a0}b", "\u{2066}a", "a\u{3164}"] {
        let named = service::NewPerson {
            display_name: name.into(),
            ..new(&org.id, "saburo", Role::Reader.into())
        };
        assert_eq!(code(service.invite_person(&org.admin, named).await), "name", "{name:?}");
        let member = NewMember { name: name.into(), ..member_of("maker", "x") };
        assert_eq!(code(service.add_member(&org.admin, member).await.map(drop)), "name");
        let club =
            NewOrganisation { id: id("club"), name: name.into(), roles: device::Roles::NONE };
        assert_eq!(code(service.create_organisation(&platform.caller, club).await), "name");
        assert_eq!(code(service.set_display_name(&platform.caller, name).await), "name");
        let act = BulkAct::Device(DeviceAct::Release);
        let all = Selection::Search(Box::default());
        let job = service.start_bulk(&org.admin, &org.id, &act, &all, &format!("x{name}")).await;
        assert_eq!(code(job), "reason");
    }
    service.set_display_name(&platform.caller, "葛\u{e0100}城　花子").await.unwrap();
}

#[tokio::test]
async fn what_is_approved_can_be_taken_back_and_is_worth_its_approver() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let org = world.org("maker", device::Roles::MAKER).await;
    let admin: Roles = Role::Administrator.into();
    let hanako = person(&world, &org.id, "hanako", admin).await;
    let jiro = person(&world, &org.id, "jiro", admin).await;
    let invite = || service.invite_person(&hanako.caller, new(&org.id, "puppet", admin));
    // Its approver thinks better of it; so does any other administrator, and the requester.
    for by in [&jiro.caller, &org.admin] {
        let asked = waiting(invite().await);
        service.approve(&jiro.caller, &asked).await.unwrap();
        let view = service.approval(by, &asked).await.unwrap();
        assert!(view.can_reject && !view.can_approve && !view.can_withdraw);
        assert_eq!(service.reject(by, &asked).await.unwrap().state, ApprovalState::Rejected);
        assert_eq!(code(service.approve(&jiro.caller, &asked).await), "approval-decided");
    }
    let asked = waiting(invite().await);
    service.approve(&jiro.caller, &asked).await.unwrap();
    assert!(service.approval(&hanako.caller, &asked).await.unwrap().can_withdraw);
    let view = service.withdraw_request(&hanako.caller, &asked).await.unwrap();
    assert_eq!(view.state, ApprovalState::Withdrawn);
    // Who approved is removed: so is what it approved.
    let asked = waiting(invite().await);
    service.approve(&jiro.caller, &asked).await.unwrap();
    let local = service.local_administrator();
    service.remove_person(&local, &org.id, &jiro.id).await.unwrap();
    let again = waiting(invite().await);
    assert_ne!(again, asked);
    let view = service.approval(&org.admin, &asked).await.unwrap();
    assert_eq!(
        (view.state, view.outcome.as_deref()),
        (ApprovalState::Failed, Some("approver-gone"))
    );
    // The same where the approver's certificate is taken away.
    let (third, certificate) = world.member(&org.id, "third", admin).await;
    service.approve(&third, &again).await.unwrap();
    let print = certificate.fingerprint();
    let own = service.certificate_by_fingerprint(&third, &print).await.unwrap().id;
    service.suspend_certificate(&third, &own).await.unwrap();
    assert_ne!(waiting(invite().await), again);
    // What is done stays done.
    let (open, page) = (ApprovalQuery { open: true }, Page::default());
    let asked = service.approvals(&org.admin, &org.id, &open, &page).await.unwrap().items[0].id;
    service.approve(&org.admin, &asked).await.unwrap();
    invite().await.unwrap();
    assert_eq!(code(service.reject(&org.admin, &asked).await), "approval-decided");
    assert_eq!(code(service.withdraw_request(&hanako.caller, &asked).await), "approval-decided");
}

#[tokio::test]
async fn strangers_use_up_nobodys_requests() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let police = world.org("police", device::Roles::AUTHORITY).await;
    let local = service.local_administrator();
    service.set_approval_policy(&local, &maker.id, Act::RevokeDevice, true).await.unwrap();
    let mut codes = Vec::new();
    for _ in 0..21 {
        let thing = world.made(&maker, "gate", Vec::new()).await;
        // An authority's administrator of the same name as the maker's: `admin`.
        let asked = service.revoke_device(&police.admin, &thing.id, Cause::Order).await;
        codes.push(asked.unwrap_err().code());
    }
    assert!(codes[..20].iter().all(|code| *code == "needs-second-person"), "{codes:?}");
    assert_eq!(codes[20], "too-many-requests-waiting");
    let thing = world.made(&maker, "gate", Vec::new()).await;
    waiting(service.revoke_device(&maker.admin, &thing.id, Cause::Recall).await);
}

#[tokio::test]
async fn who_became_an_administrator_afterwards_confirms_no_authority() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let (org, local) = (id("platform"), service.local_administrator());
    let hanako = first(service).await;
    let reader = person(&world, &org, "late", Role::Reader.into()).await;
    let mut late = reader;
    world.clock.advance(10);
    let police = NewOrganisation {
        id: id("police"),
        name: "Police".into(),
        roles: device::Roles::AUTHORITY,
    };
    service.create_organisation(&hanako.caller, police).await.unwrap();
    // The same human by its certificate, however the name is written, is not another.
    let (twin, _) = world.member(&org, "HANAKO", Roles::ALL).await;
    assert_eq!(code(service.confirm_authority(&twin, &id("police")).await), "second-person");
    world.clock.advance(10);
    service.change_roles(&local, &org, &late.id, Roles::ALL).await.unwrap();
    let signed = crate::people::sign_in(service, &mut late.key).await.unwrap();
    let confirmed = service.confirm_authority(&signed.caller, &id("police")).await;
    assert_eq!(code(confirmed), "second-person", "it was on record, but no administrator");
    world.clock.advance(301);
    let stale = service.confirm_authority(&signed.caller, &id("police")).await;
    assert_eq!(code(stale), "reauthenticate");
    service.confirm_authority(&world.platform_admin, &id("police")).await.unwrap();
}

#[tokio::test]
async fn a_flood_of_answers_fills_no_log_and_links_lock_nobody_out() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let mut hanako = first(service).await;
    let at = crate::people::visitor(1);
    for _ in 0..100 {
        let _ = service.open_link(&at, "tgi_x").await.unwrap_err();
    }
    crate::people::sign_in(service, &mut hanako.key).await.unwrap();
    let mut codes = Vec::new();
    for _ in 0..100 {
        codes.push(code(service.finish_sign_in(&at, "00", "{}").await));
        codes.push(code(service.finish_registration(&at, "00", "key", "{}").await));
    }
    assert_eq!(codes.iter().filter(|code| **code == "ceremony-over").count(), 30);
    assert!(codes[30..].iter().all(|code| *code == "too-many-attempts"));
    // What is only noted is written before what is committed after it.
    service.set_preferences(&hanako.caller, None, None).await.unwrap();
    let local = service.local_administrator();
    let page = Page { after: None, limit: 1000 };
    let count = async |kind: audit::Kind| {
        let log = service.audit(&local, None, Some(kind), &page).await.unwrap();
        log.items.iter().filter(|view| view.event.outcome() == audit::Outcome::Failure).count()
    };
    assert_eq!(count(audit::Kind::Authentication).await, 60, "30 links, 30 answers");
    assert_eq!(count(audit::Kind::RateLimit).await, 2);
}

#[tokio::test]
async fn a_start_makes_no_administrator_past_two() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let local = service.local_administrator();
    assert!(service.first_link_of_a_start(&local).await.unwrap().is_some());
    world.member(&id("platform"), "second", Role::Administrator.into()).await;
    assert!(service.first_link_of_a_start(&local).await.unwrap().is_none());
    // Whoever asks the machine for it gets one.
    assert!(service.first_link(&local).await.unwrap().is_some());
}

#[tokio::test]
async fn approvals_that_wait_for_their_requesters_hold_up_no_recovery() {
    let armed = Arc::new(AtomicBool::new(false));
    let trigger = armed.clone();
    let faults = fault::Faults::injected(move |name| {
        name == fault::BEFORE_ACT && trigger.load(Ordering::SeqCst)
    });
    let world = World::with(Config { faults: Some(faults), ..with_console() }).await;
    let service = &world.service;
    let org = id("platform");
    let hanako = first(service).await;
    let jiro = person(&world, &org, "jiro", Role::Administrator.into()).await;
    let saburo = person(&world, &org, "saburo", Role::Reader.into()).await;
    // More than one batch of approved links that nobody fetched.
    let admin: Roles = Role::Administrator.into();
    for n in 0..101 {
        let new = new(&org, &format!("p{n}"), admin);
        let asked = waiting(service.invite_person(&hanako.caller, new).await);
        service.approve(&jiro.caller, &asked).await.unwrap();
    }
    let operator: Roles = Role::Operator.into();
    let asked = service.change_roles(&hanako.caller, &org, &saburo.id, operator).await;
    let asked = waiting(asked);
    armed.store(true, Ordering::SeqCst);
    assert_eq!(code(service.approve(&jiro.caller, &asked).await), "injected-fault");
    world.service.close();
    let service = open(world.path(), with_console(), &world.clock);
    let local = service.local_administrator();
    let mut done = false;
    for _ in 0..600 {
        done = service.approval(&local, &asked).await.unwrap().state == ApprovalState::Done;
        if done {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(done, "the next start carries it out");
    service.close();
}
