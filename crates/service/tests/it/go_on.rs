//! Going on with what another person approved: that and nothing else, once, by who asked.

use crate::{
    jobs::over,
    people::{Human, code, new, person, with_console},
    world::{Org, Thing, World, product},
};
use device::{Cause, DeviceKind, StandingKind};
use policy::{Act, Role};
use service::{
    ApprovalId, ApprovalState, BulkAct, Caller, Continued, DeviceAct, DeviceSearch, JobState,
    NewDevice, Selection, ServiceError,
};

const REVOKE: BulkAct = BulkAct::Device(DeviceAct::Revoke { cause: Cause::Recall });

fn waiting<T: std::fmt::Debug>(outcome: Result<T, ServiceError>) -> ApprovalId {
    let error = outcome.unwrap_err();
    assert_eq!(error.code(), "needs-second-person", "{error}");
    error.approval().unwrap()
}

fn everything() -> Selection {
    Selection::Search(Box::default())
}

/// A maker with two people who administer it, and devices.
async fn scene(world: &World, count: usize) -> (Org, Human, Human, Vec<Thing>) {
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let hanako = person(world, &maker.id, "hanako", Role::Administrator.into()).await;
    let jiro = person(world, &maker.id, "jiro", Role::Administrator.into()).await;
    let mut things = Vec::new();
    for _ in 0..count {
        things.push(world.made(&maker, "gate", Vec::new()).await);
    }
    (maker, hanako, jiro, things)
}

async fn guard(world: &World, org: &Org, act: Act) {
    let local = world.service.local_administrator();
    world.service.set_approval_policy(&local, &org.id, act, true).await.unwrap();
}

#[tokio::test]
async fn an_approved_revocation_goes_on_with_the_devices_that_were_approved() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let (maker, hanako, jiro, things) = scene(&world, 4).await;
    guard(&world, &maker, Act::BulkRevoke).await;
    let ask = async || {
        service.start_bulk(&hanako.caller, &maker.id, &REVOKE, &everything(), "lot 7").await
    };
    let request = waiting(ask().await);
    let go_on = async |who: &Human| service.continue_request(&who.caller, &request).await;
    assert_eq!(code(go_on(&hanako).await), "not-approved");
    // Nobody else's, whoever looks at it; and there is no way to tell.
    assert_eq!(code(go_on(&jiro).await), "not-found");
    let stranger = world.maker("other", "gate", DeviceKind::Device).await;
    let foreign = service.continue_request(&stranger.admin, &request).await;
    assert_eq!(code(foreign), "not-found");
    let foreign = service.preview_continuation(&stranger.admin, &request).await;
    assert_eq!(code(foreign), "not-found");
    assert!(!service.approval(&hanako.caller, &request).await.unwrap().can_continue);
    service.approve(&jiro.caller, &request).await.unwrap();
    assert!(service.approval(&hanako.caller, &request).await.unwrap().can_continue);
    assert!(!service.approval(&jiro.caller, &request).await.unwrap().can_continue);
    assert_eq!(code(go_on(&jiro).await), "not-found", "who approved does not carry it out");

    // Meanwhile one more device is there, one is revoked, and one is its buyer's, who wants to be
    // asked: the search would find others now.
    let late = world.made(&maker, "gate", Vec::new()).await;
    service.revoke_device(&hanako.caller, &things[0].id, Cause::Lost).await.unwrap();
    let buyer = world.owner("buyer").await;
    guard(&world, &buyer, Act::RevokeDevice).await;
    world.sell(&maker, &buyer, &things[1].id).await;
    let found = service.preview_continuation(&hanako.caller, &request).await.unwrap();
    assert_eq!((found.devices, found.tried, found.allowed), (4, 4, 2));
    let mut refused: Vec<_> = found.refused.iter().map(|(id, why)| (*id, why.code)).collect();
    refused.sort_unstable();
    let mut expected =
        vec![(things[0].id, "standing-forbids"), (things[1].id, "needs-second-person")];
    expected.sort_unstable();
    assert_eq!(refused, expected);

    world.clock.advance(301);
    assert_eq!(code(go_on(&hanako).await), "reauthenticate");
    world.clock.advance(-301);
    let Continued::Job(job) = go_on(&hanako).await.unwrap() else { panic!("no job") };
    assert_eq!((job.total, job.reason.as_str()), (4, "lot 7"));
    let job = over(service, &maker.admin, &job).await;
    assert_eq!((job.state, job.done, job.failed), (JobState::Done, 4, 2), "{job:?}");
    for (thing, expected) in [
        (&things[0], StandingKind::Revoked),
        (&things[1], StandingKind::Good),
        (&things[2], StandingKind::Revoked),
        (&things[3], StandingKind::Revoked),
        (&late, StandingKind::Good),
    ] {
        let device = service.device(&maker.admin, &thing.id).await.unwrap();
        assert_eq!(device.standing, expected, "{}", thing.serial);
    }

    // Once.
    assert_eq!(code(go_on(&hanako).await), "approval-used");
    let view = service.approval(&hanako.caller, &request).await.unwrap();
    assert_eq!((view.state, view.can_continue), (ApprovalState::Done, false));
    assert_ne!(waiting(ask().await), request, "the same again is another request");
}

#[tokio::test]
async fn two_who_go_on_at_once_start_one_job() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let (maker, hanako, jiro, _) = scene(&world, 2).await;
    guard(&world, &maker, Act::BulkRevoke).await;
    let asked =
        service.start_bulk(&hanako.caller, &maker.id, &REVOKE, &everything(), "lot 7").await;
    let request = waiting(asked);
    service.approve(&jiro.caller, &request).await.unwrap();
    let go_on = || service.continue_request(&hanako.caller, &request);
    let (one, other) = tokio::join!(go_on(), go_on());
    let started = [&one, &other].into_iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(started, 1, "{one:?} {other:?}");
    let refused = if one.is_ok() { code(other) } else { code(one) };
    assert_eq!(refused, "approval-used");
    let jobs = service.jobs(&maker.admin, &maker.id, &service::Page::default()).await.unwrap();
    assert_eq!(jobs.items.len(), 1);
}

#[tokio::test]
async fn what_was_approved_too_long_ago_or_taken_back_or_by_somebody_who_left_is_not_done() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let (maker, hanako, jiro, things) = scene(&world, 2).await;
    guard(&world, &maker, Act::BulkRevoke).await;
    let asked = async |reason: &str| {
        let job =
            service.start_bulk(&hanako.caller, &maker.id, &REVOKE, &everything(), reason).await;
        let request = waiting(job);
        service.approve(&jiro.caller, &request).await.unwrap();
        request
    };
    let go_on = async |request| code(service.continue_request(&hanako.caller, request).await);
    let taken_back = asked("one").await;
    service.withdraw_request(&hanako.caller, &taken_back).await.unwrap();
    assert_eq!(go_on(&taken_back).await, "approval-decided");
    let rejected = asked("two").await;
    service.reject(&jiro.caller, &rejected).await.unwrap();
    assert_eq!(go_on(&rejected).await, "approval-decided");
    let old = asked("three").await;
    world.clock.advance(24 * 3600 + 1);
    assert_eq!(go_on(&old).await, "approval-expired");
    world.clock.advance(-24 * 3600 - 1);
    let request = asked("four").await;
    let local = service.local_administrator();
    service.remove_person(&local, &maker.id, &jiro.id).await.unwrap();
    assert_eq!(go_on(&request).await, "approver-gone");
    for thing in &things {
        let device = service.device(&maker.admin, &thing.id).await.unwrap();
        assert_eq!(device.standing, StandingKind::Good);
    }
}

#[tokio::test]
async fn who_lost_the_right_does_not_go_on() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let (maker, hanako, jiro, things) = scene(&world, 2).await;
    guard(&world, &maker, Act::BulkRevoke).await;
    let asked =
        service.start_bulk(&hanako.caller, &maker.id, &REVOKE, &everything(), "lot 7").await;
    let request = waiting(asked);
    service.approve(&jiro.caller, &request).await.unwrap();
    let local = service.local_administrator();
    service.change_roles(&local, &maker.id, &hanako.id, Role::Operator.into()).await.unwrap();
    // As the door finds it at its next request.
    let mut caller = hanako.caller.clone();
    let Caller::Person { roles, .. } = &mut caller else { panic!("no person") };
    *roles = Role::Operator.into();
    assert_eq!(code(service.preview_continuation(&caller, &request).await), "role");
    assert_eq!(code(service.continue_request(&caller, &request).await), "role");
    for thing in &things {
        let device = service.device(&maker.admin, &thing.id).await.unwrap();
        assert_eq!(device.standing, StandingKind::Good);
    }
}

#[tokio::test]
async fn an_approved_invitation_gives_its_link_once_to_who_asked() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let (maker, hanako, jiro, _) = scene(&world, 0).await;
    let third = new(&maker.id, "saburo", Role::Administrator.into());
    let request = waiting(service.invite_person(&hanako.caller, third).await);
    service.approve(&jiro.caller, &request).await.unwrap();
    assert_eq!(code(service.continue_request(&jiro.caller, &request).await), "not-found");
    let found = service.preview_continuation(&hanako.caller, &request).await.unwrap();
    assert_eq!(found.devices, 0);
    let done = service.continue_request(&hanako.caller, &request).await.unwrap();
    let Continued::Link(invited) = done else { panic!("no link") };
    assert_eq!(invited.person.handle, "saburo");
    assert!(invited.person.roles.contains(Role::Administrator));
    crate::people::human(service, invited.link.secret.expose(), None).await;
    assert_eq!(code(service.continue_request(&hanako.caller, &request).await), "approval-used");
}

#[tokio::test]
async fn the_result_of_a_job_is_no_way_around_the_second_person_of_an_export() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let (maker, hanako, jiro, _) = scene(&world, 1).await;
    let registered = NewDevice { id: None, serial_number: "SECRET-1".into() };
    service
        .register_devices(&maker.station, &maker.id, &product("gate"), vec![registered])
        .await
        .unwrap();
    guard(&world, &maker, Act::Export).await;
    let export =
        service.export_devices(&hanako.caller, &maker.id, &DeviceSearch::default(), false).await;
    waiting(export.map(drop));
    // A job over everything, of which nothing is done: its result would name every device.
    let act = BulkAct::Device(DeviceAct::Release);
    let job =
        service.start_bulk(&hanako.caller, &maker.id, &act, &everything(), "x").await.unwrap();
    let job = over(service, &maker.admin, &job).await;
    let read = async |who: &Caller| service.job_result(who, &job.id, false).await;
    let request = waiting(read(&hanako.caller).await.map(drop));
    assert_ne!(waiting(read(&maker.admin).await.map(drop)), request, "each asks for itself");
    assert_eq!(code(service.continue_request(&hanako.caller, &request).await), "not-approved");
    service.approve(&jiro.caller, &request).await.unwrap();
    assert_eq!(code(service.continue_request(&hanako.caller, &request).await), "repeat-the-act");
    let mut file = read(&hanako.caller).await.unwrap();
    let text = String::from_utf8(file.next().await.unwrap().unwrap()).unwrap();
    assert!(text.contains("SECRET-1"));
    assert_ne!(waiting(read(&hanako.caller).await.map(drop)), request, "once");

    // Neither is the list of a request of one's own.
    guard(&world, &maker, Act::BulkRevoke).await;
    let asked = service.start_bulk(&hanako.caller, &maker.id, &REVOKE, &everything(), "y").await;
    let request = waiting(asked);
    let own = service.approval_devices_file(&hanako.caller, &request, false).await.map(drop);
    assert_eq!(code(own), "export-guarded");
    service.approval_devices_file(&jiro.caller, &request, false).await.unwrap();
}

#[tokio::test]
async fn an_approval_of_an_export_holds_for_as_many_days_as_were_asked() {
    let world = World::with(with_console()).await;
    let service = &world.service;
    let (maker, hanako, ..) = scene(&world, 0).await;
    guard(&world, &maker, Act::Export).await;
    let mut requests = Vec::new();
    for days in [30, 3_650] {
        for kind in ["expiring", "stale", "support"] {
            let attention = service::Attention::from_name(kind, days);
            let search = DeviceSearch { attention, ..DeviceSearch::default() };
            let export = service.export_devices(&hanako.caller, &maker.id, &search, false).await;
            requests.push(waiting(export.map(drop)));
        }
    }
    requests.sort_by_key(ToString::to_string);
    requests.dedup();
    assert_eq!(requests.len(), 6);
}
