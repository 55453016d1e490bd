//! Ways around the second person, and around those who are to be asked.

use crate::{
    people::{code, first, new, person, with_console},
    world::{Org, World, csr, id, key},
};
use device::{Cause, DeviceKind, EventKind, StandingKind};
use pki::crl::RevocationReason;
use policy::{Act, Role, Roles};
use service::{
    BulkAct, Caller, DeviceAct, JobState, JobView, NewMember, NewOrganisation, Selection, Service,
};
use std::time::Duration;

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
    let members = service.members(&local, &org, &service::Page::default()).await.unwrap().items;
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
    let only = service.members(&maker.admin, &maker.id, &service::Page::default()).await.unwrap();
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
