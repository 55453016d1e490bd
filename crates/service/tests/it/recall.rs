//! What stops a campaign, or a device's part in it, from outside; and what may not be done alone.

use crate::{
    campaigns::{action, devices, new, plan, published, runs},
    releases::code,
    repository::{Offline, begun},
    world::{World, product},
};
use device::{DeviceKind, ProductId};
use policy::{Role, Roles};
use service::{
    Caller, CampaignDeviceFilter, DeviceSearch, DeviceSoftware, Execution, Feedback, Gate,
    NewCampaign, Page, UpdateDecision,
};
use update::campaign::{OnFailure, Outcome, PauseCause, Reason, State};

fn says(execution: Execution) -> Feedback {
    Feedback { execution, progress: None, detail: None, installed: None }
}

#[tokio::test]
async fn a_withdrawn_release_is_taken_back_from_who_has_begun() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let admin = &maker.admin;
    let (one, two) =
        (published(service, &maker, "1.0", 1).await, published(service, &maker, "2.0", 1).await);
    let fleet = devices(&world, &maker, 4).await;
    let wanted =
        NewCampaign { roll_back_to: Some(one.id), ..new("maker", &two, plan(&[(10_000, 90, 90)])) };
    let campaign = service.create_campaign(admin, wanted).await.unwrap();
    service.start_campaign(admin, &campaign.id).await.unwrap();
    let mut actions = Vec::new();
    for (_, caller) in &fleet[..3] {
        actions.push(action(&service.poll_update(caller, &runs(&one)).await.unwrap()));
    }
    let done = Feedback { installed: Some(runs(&two)), ..says(Execution::Confirmed) };
    service.update_feedback(&fleet[0].1, actions[0], &done).await.unwrap();
    service.update_feedback(&fleet[1].1, actions[1], &says(Execution::Downloading)).await.unwrap();
    service.withdraw_release(admin, &two.id, "it bricks devices").await.unwrap();
    let seen = service.campaign(admin, &campaign.id).await.unwrap();
    assert_eq!((seen.state, seen.paused), (State::Paused, Some(PauseCause::Release)));
    // Who has begun is told to stop until it says so; who was only told forgets it.
    for _ in 0..2 {
        let told = service.poll_update(&fleet[1].1, &runs(&one)).await.unwrap();
        assert_eq!(told.decision, UpdateDecision::Cancel { action: actions[1] });
    }
    service.update_feedback(&fleet[1].1, actions[1], &says(Execution::Cancelled)).await.unwrap();
    let told = service.poll_update(&fleet[2].1, &runs(&one)).await.unwrap();
    assert_eq!(told.decision, UpdateDecision::Cancel { action: actions[2] });
    for (_, caller) in &fleet[1..] {
        let told = service.poll_update(caller, &runs(&one)).await.unwrap();
        assert_eq!(told.decision, UpdateDecision::Nothing);
    }
    let seen = service.campaign(admin, &campaign.id).await.unwrap();
    assert_eq!((seen.counts[0].cancelled, seen.counts[0].failed), (2, 0));
    assert_eq!(code(service.resume_campaign(admin, &campaign.id).await), "release-state");
    // Who runs it is brought back, unless the release before is withdrawn, too.
    service.roll_back_campaign(admin, &campaign.id).await.unwrap();
    let told = service.poll_update(&fleet[0].1, &runs(&two)).await.unwrap();
    let UpdateDecision::Install(back) = &told.decision else { panic!("{told:?}") };
    assert_eq!(back.release, one.id);
    service.withdraw_release(admin, &one.id, "no better").await.unwrap();
    let told = service.poll_update(&fleet[0].1, &runs(&two)).await.unwrap();
    assert_eq!(told.decision, UpdateDecision::Cancel { action: back.action });
    let seen = service.campaign(admin, &campaign.id).await.unwrap();
    assert_eq!(seen.state, State::Cancelled);
    service.integrate_now().await.unwrap();
    let check = service.check_log(&service.local_administrator()).await.unwrap();
    assert_eq!(check.problems, Vec::<String>::new());
}

#[tokio::test]
async fn a_raised_floor_and_a_suspension_stop_campaigns() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let admin = &maker.admin;
    let (one, two) =
        (published(service, &maker, "1.0", 1).await, published(service, &maker, "2.0", 1).await);
    let fleet = devices(&world, &maker, 2).await;
    let start = async |release| {
        let wanted = new("maker", release, plan(&[(10_000, 90, 90)]));
        let campaign = service.create_campaign(admin, wanted).await.unwrap();
        service.start_campaign(admin, &campaign.id).await.unwrap().id
    };
    let first = start(&two).await;
    let begun = action(&service.poll_update(&fleet[0].1, &runs(&one)).await.unwrap());
    service.update_feedback(&fleet[0].1, begun, &says(Execution::Installing)).await.unwrap();
    let local = service.local_administrator();
    service.suspend_organisation(&local, &maker.id, "its key was stolen").await.unwrap();
    let told = service.poll_update(&fleet[1].1, &runs(&one)).await.unwrap();
    assert_eq!(told.decision, UpdateDecision::Nothing);
    // Who has begun goes on: half an update helps nobody.
    action(&service.poll_update(&fleet[0].1, &runs(&one)).await.unwrap());
    service.resume_organisation(&local, &maker.id, "all is well").await.unwrap();
    let seen = service.campaign(admin, &first).await.unwrap();
    assert_eq!((seen.state, seen.paused), (State::Paused, Some(PauseCause::Suspended)));
    service.resume_campaign(admin, &first).await.unwrap();
    action(&service.poll_update(&fleet[1].1, &runs(&one)).await.unwrap());
    let gate = Gate { security_floor: 2, ..Gate::default() };
    service.set_release_gate(admin, &maker.id, &product("gate"), gate).await.unwrap();
    let seen = service.campaign(admin, &first).await.unwrap();
    assert_eq!((seen.state, seen.paused), (State::Paused, Some(PauseCause::Release)));
    let told = service.poll_update(&fleet[0].1, &runs(&one)).await.unwrap();
    assert_eq!(told.decision, UpdateDecision::Cancel { action: begun });
    assert_eq!(code(service.resume_campaign(admin, &first).await), "release-state");
}

#[tokio::test]
async fn a_campaign_learns_nothing_of_a_device_that_was_sold() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let admin = &maker.admin;
    let (one, two) =
        (published(service, &maker, "1.0", 1).await, published(service, &maker, "2.0", 1).await);
    let fleet = devices(&world, &maker, 1).await;
    let wanted = new("maker", &two, plan(&[(10_000, 90, 90)]));
    let campaign = service.create_campaign(admin, wanted).await.unwrap();
    service.start_campaign(admin, &campaign.id).await.unwrap();
    let begun = action(&service.poll_update(&fleet[0].1, &runs(&one)).await.unwrap());
    world.sell(&maker, &owner, &fleet[0].0).await;
    // It does not ask before it reports.
    let words = Feedback { detail: Some("in Osaka".into()), ..says(Execution::Confirmed) };
    service.update_feedback(&fleet[0].1, begun, &words).await.unwrap();
    let all = CampaignDeviceFilter::All;
    let lines = service.campaign_devices(admin, &campaign.id, all, &Page::default()).await.unwrap();
    let (outcome, reason, _) = lines.items[0].result.unwrap();
    assert_eq!((outcome, reason), (Outcome::Skipped, Reason::Left));
    assert_eq!(lines.items[0].detail, None);
    service.update_feedback(&fleet[0].1, begun, &words).await.unwrap();
    let seen = service.campaign(admin, &campaign.id).await.unwrap();
    assert_eq!((seen.counts[0].succeeded, seen.counts[0].skipped), (0, 1));
}

#[tokio::test]
async fn a_member_counts_once_however_many_of_its_actions_it_confirms() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let admin = &maker.admin;
    let (one, two) =
        (published(service, &maker, "1.0", 1).await, published(service, &maker, "2.0", 1).await);
    let fleet = devices(&world, &maker, 3).await;
    let wanted = new("maker", &two, plan(&[(10_000, 90, 90)]));
    let campaign = service.create_campaign(admin, wanted).await.unwrap();
    service.start_campaign(admin, &campaign.id).await.unwrap();
    let mut actions = Vec::new();
    for _ in 0..3 {
        actions.push(action(&service.poll_update(&fleet[0].1, &runs(&one)).await.unwrap()));
        service.pause_campaign(admin, &campaign.id).await.unwrap();
        // Taken back, and offered anew under another number.
        service.poll_update(&fleet[0].1, &runs(&one)).await.unwrap();
        service.resume_campaign(admin, &campaign.id).await.unwrap();
    }
    for action in &actions {
        service.update_feedback(&fleet[0].1, *action, &says(Execution::Confirmed)).await.unwrap();
    }
    let seen = service.campaign(admin, &campaign.id).await.unwrap();
    assert_eq!((seen.counts[0].succeeded, seen.counts[0].waiting()), (1, 2));
    assert_eq!(seen.state, State::Running);
}

#[tokio::test]
async fn many_trials_are_no_way_around_the_second_person() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let two = published(service, &maker, "2.0", 1).await;
    let fleet = devices(&world, &maker, 11).await;
    let (other, _) = world.member(&maker.id, "second", Roles::of(&[Role::Administrator])).await;
    let mut asked = None;
    for (number, (device, _)) in fleet.iter().enumerate() {
        let search = DeviceSearch { text: Some(device.to_string()), ..DeviceSearch::default() };
        let wanted = NewCampaign { search, ..new("maker", &two, plan(&[(10_000, 100, 100)])) };
        let campaign = service.create_campaign(&maker.admin, wanted).await.unwrap();
        match service.start_campaign(&maker.admin, &campaign.id).await {
            Ok(_) => assert!(number < 10, "the eleventh device, by nobody but one"),
            Err(error) => {
                assert_eq!((number, error.code()), (10, "needs-second-person"));
                asked = error.approval();
            }
        }
    }
    let approval = service.approve(&other, &asked.unwrap()).await.unwrap();
    assert_eq!(approval.outcome.as_deref(), Some("done"));
    // A week later it is a trial again.
    world.clock.advance(7 * 86_400 + 1);
    let search = DeviceSearch { text: Some(fleet[0].0.to_string()), ..DeviceSearch::default() };
    let wanted = NewCampaign { search, ..new("maker", &two, plan(&[(10_000, 100, 100)])) };
    let campaign = service.create_campaign(&maker.admin, wanted).await.unwrap();
    service.start_campaign(&maker.admin, &campaign.id).await.unwrap();
}

#[tokio::test]
async fn consent_tells_nobody_which_product_lines_others_have() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let stranger = world.owner("stranger").await;
    let thing = devices(&world, &maker, 1).await.remove(0).0;
    world.sell(&maker, &owner, &thing).await;
    let consent = async |by: &crate::world::Org, line: &str| {
        let line = ProductId::new(line).unwrap();
        service.set_update_consent(&by.admin, &by.id, &maker.id, &line, true).await
    };
    let (real, none) = (consent(&stranger, "gate").await, consent(&stranger, "nothing").await);
    assert_eq!(real.unwrap_err(), none.unwrap_err());
    consent(&owner, "gate").await.unwrap();
}

#[tokio::test]
async fn a_device_that_does_not_know_what_it_runs_is_not_believed_to_be_mended() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let two = published(service, &maker, "2.0", 1).await;
    let fleet = devices(&world, &maker, 2).await;
    for (_, caller) in &fleet {
        service.poll_update(caller, &runs(&two)).await.unwrap();
    }
    // The first one lost what it knew of its slots.
    let unknown = DeviceSoftware { version: None, release_counter: None, ..runs(&two) };
    let unknown = DeviceSoftware { security_version: None, ..unknown };
    service.poll_update(&fleet[0].1, &unknown).await.unwrap();
    let wanted = new("maker", &two, plan(&[(10_000, 90, 90)]));
    let campaign = service.create_campaign(&maker.admin, wanted).await.unwrap();
    service.start_campaign(&maker.admin, &campaign.id).await.unwrap();
    action(&service.poll_update(&fleet[0].1, &unknown).await.unwrap());
    let silent = DeviceSoftware::default();
    let told = service.poll_update(&fleet[1].1, &silent).await.unwrap();
    assert_eq!(told.decision, UpdateDecision::Nothing);
}

#[tokio::test]
async fn nobody_is_led_back_to_a_release_that_was_withdrawn() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let admin = &maker.admin;
    let (one, two) =
        (published(service, &maker, "1.0", 1).await, published(service, &maker, "2.0", 1).await);
    let fleet = devices(&world, &maker, 2).await;
    let mut plan = plan(&[(10_000, 100, 50)]);
    plan.on_failure = OnFailure::RollBack;
    let wanted = NewCampaign { roll_back_to: Some(one.id), ..new("maker", &two, plan) };
    let campaign = service.create_campaign(admin, wanted).await.unwrap();
    service.start_campaign(admin, &campaign.id).await.unwrap();
    let mut actions = Vec::new();
    for (_, caller) in &fleet {
        actions.push(action(&service.poll_update(caller, &runs(&one)).await.unwrap()));
    }
    service.withdraw_release(admin, &one.id, "it has a hole").await.unwrap();
    let done = Feedback { installed: Some(runs(&two)), ..says(Execution::Confirmed) };
    service.update_feedback(&fleet[0].1, actions[0], &done).await.unwrap();
    service.update_feedback(&fleet[1].1, actions[1], &says(Execution::Failed)).await.unwrap();
    // It would have rolled back; there is nothing to roll back to, and people decide.
    let seen = service.campaign(admin, &campaign.id).await.unwrap();
    assert_eq!((seen.state, seen.paused), (State::Paused, Some(PauseCause::Errors)));
    let told = service.poll_update(&fleet[0].1, &runs(&two)).await.unwrap();
    assert_eq!(told.decision, UpdateDecision::Nothing);
    // Asked to, it says why not, and stays as it is.
    let refused = service.roll_back_campaign(admin, &campaign.id).await.unwrap_err();
    assert_eq!(refused.code(), "release-state");
    assert!(refused.to_string().contains("withdrawn"), "{refused}");
    let seen = service.campaign(admin, &campaign.id).await.unwrap();
    assert_eq!(seen.state, State::Paused);
}

#[tokio::test]
async fn a_suspended_makers_images_are_for_devices_that_were_told_to_have_them() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let stranger = world.maker("stranger", "lamp", DeviceKind::Device).await;
    begun(&world, &maker, &Offline::new()).await;
    let admin = &maker.admin;
    service.open_repository(admin, &maker.id, true).await.unwrap();
    let (one, two) =
        (published(service, &maker, "1.0", 1).await, published(service, &maker, "2.0", 1).await);
    let fleet = devices(&world, &maker, 2).await;
    let campaign = new("maker", &two, plan(&[(10_000, 90, 90)]));
    let campaign = service.create_campaign(admin, campaign).await.unwrap();
    service.start_campaign(admin, &campaign.id).await.unwrap();
    let begun = action(&service.poll_update(&fleet[0].1, &runs(&one)).await.unwrap());
    service.update_feedback(&fleet[0].1, begun, &says(Execution::Downloading)).await.unwrap();
    let address = |release: &service::ReleaseView| {
        let file = &release.artifacts[0];
        let (folder, name) = file.path.rsplit_once('/').unwrap();
        format!("{folder}/{}.{name}", file.sha256)
    };
    let of = &maker.id;
    let (image, other) = (address(&two), address(&one));
    let anybody = Caller::Anonymous;
    service.repository_metadata(&anybody, of, "timestamp.json").await.unwrap();
    service.repository_target(&anybody, of, &image).await.unwrap();
    let local = service.local_administrator();
    service.suspend_organisation(&local, of, "its key was stolen").await.unwrap();
    // Nobody else gets anything, however open it was.
    for caller in [&anybody, &stranger.admin, admin] {
        let metadata = service.repository_metadata(caller, of, "timestamp.json").await;
        assert!(
            ["unauthenticated", "not-found", "role", "organisation-suspended"]
                .contains(&code(metadata))
        );
        assert!(service.repository_target(caller, of, &image).await.is_err());
    }
    // Its devices read what is signed, and the one that is in the middle gets what it was told to have.
    for (_, caller) in &fleet {
        service.repository_metadata(caller, of, "timestamp.json").await.unwrap();
        assert_eq!(code(service.repository_target(caller, of, &other).await), "not-found");
    }
    service.repository_target(&fleet[0].1, of, &image).await.unwrap();
    assert_eq!(code(service.repository_target(&fleet[1].1, of, &image).await), "not-found");
    service.resume_organisation(&local, of, "all is well").await.unwrap();
    service.repository_target(&anybody, of, &image).await.unwrap();
}
