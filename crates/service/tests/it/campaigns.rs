//! Campaigns through the use cases: who gets what, and what is on record of it.

use crate::{
    releases::{code, draft},
    world::{Org, World, config, id, open, product},
};
use device::{DeviceId, DeviceKind};
use policy::{Role, Roles};
use service::{
    Caller, CampaignDeviceFilter, CampaignId, CampaignView, Clock as _, Config, DeviceRelation,
    DeviceSearch, DeviceSoftware, ErrorKind, Execution, Feedback, Gate, NewCampaign, Page, Poll,
    ReleaseView, Service, ServiceError, UpdateDecision, VerifyRequest, fault,
};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};
use update::campaign::{
    AssignmentError, LogTrust, Outcome, PauseCause, Plan, Reason, Stage, State, verify_assignment,
};

/// A release of the product `gate` that is published.
pub(crate) async fn published(
    service: &Service,
    maker: &Org,
    version: &str,
    security: u64,
) -> ReleaseView {
    let release = draft(service, &maker.admin, version, security).await;
    service.publish_release(&maker.admin, &release.id, None).await.unwrap()
}

pub(crate) fn plan(stages: &[(u16, u8, u8)]) -> Plan {
    let stages = stages.iter().map(|(share, success, error)| Stage {
        share: *share,
        success_percent: *success,
        error_percent: *error,
        soak_s: 0,
    });
    let mut plan = Plan::new(stages.collect()).unwrap();
    plan.deadline_s = 3600;
    plan
}

pub(crate) fn new(organisation: &str, release: &ReleaseView, plan: Plan) -> NewCampaign {
    NewCampaign {
        organisation: id(organisation),
        name: "November update".into(),
        release: release.id,
        roll_back_to: None,
        search: DeviceSearch::default(),
        plan,
    }
}

pub(crate) fn runs(release: &ReleaseView) -> DeviceSoftware {
    DeviceSoftware {
        hardware_id: Some("gate-bg1".into()),
        version: Some(release.version.clone()),
        release_counter: Some(release.release_counter),
        security_version: Some(release.security_version),
        digest: None,
        confirmed: true,
    }
}

pub(crate) fn says(execution: Execution) -> Feedback {
    Feedback { execution, progress: Some(50), detail: Some("at\nwork".into()), installed: None }
}

fn confirmed(release: &ReleaseView) -> Feedback {
    Feedback { installed: Some(runs(release)), ..says(Execution::Confirmed) }
}

pub(crate) fn action(poll: &Poll) -> u64 {
    match &poll.decision {
        UpdateDecision::Install(assignment) => assignment.action,
        other => panic!("{other:?}"),
    }
}

/// A device of the maker's own, with its caller.
pub(crate) async fn device(world: &World, maker: &Org) -> (DeviceId, Caller) {
    let thing = world.made(maker, "gate", Vec::new()).await;
    let idevid = world.idevid(maker, "gate", &thing).await;
    let caller = world.service.identify_certificate(&idevid.certificate).await.unwrap();
    (thing.id, caller)
}

pub(crate) async fn devices(world: &World, maker: &Org, count: usize) -> Vec<(DeviceId, Caller)> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(device(world, maker).await);
    }
    all
}

async fn started(service: &Service, caller: &Caller, new: NewCampaign) -> CampaignView {
    let campaign = service.create_campaign(caller, new).await.unwrap();
    assert_eq!(campaign.state, State::Draft);
    service.start_campaign(caller, &campaign.id).await.unwrap()
}

async fn view(service: &Service, caller: &Caller, id: &CampaignId) -> CampaignView {
    service.campaign(caller, id).await.unwrap()
}

#[tokio::test]
async fn a_campaign_from_proposal_to_confirmed_boots() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let (one, two) =
        (published(service, &maker, "1.0", 1).await, published(service, &maker, "2.0", 1).await);
    let fleet = devices(&world, &maker, 3).await;
    let admin = &maker.admin;
    // Nobody is asked anything, and nothing is given, before it starts.
    let draft = service.create_campaign(admin, new("maker", &two, plan(&[(10_000, 60, 60)]))).await;
    let draft = draft.unwrap();
    assert_eq!((draft.members, draft.state), (3, State::Draft));
    let quiet = service.poll_update(&fleet[0].1, &runs(&one)).await.unwrap();
    assert_eq!(quiet.decision, UpdateDecision::Nothing);
    let campaign = service.start_campaign(admin, &draft.id).await.unwrap();
    assert_eq!(campaign.state, State::Running);
    assert_eq!(code(service.start_campaign(admin, &draft.id).await), "campaign-state");
    // The same action however often a device asks.
    let first = service.poll_update(&fleet[0].1, &runs(&one)).await.unwrap();
    let again = service.poll_update(&fleet[0].1, &runs(&one)).await.unwrap();
    assert_eq!(first, again);
    let UpdateDecision::Install(assignment) = &first.decision else { panic!("{first:?}") };
    assert_eq!((assignment.campaign, assignment.release), (campaign.id, two.id));
    assert_eq!(assignment.artifacts.len(), 1);
    assert_eq!(assignment.artifacts[0].sha256, two.artifacts[0].sha256);
    // Nobody speaks for another.
    let foreign = service.update_feedback(&fleet[1].1, assignment.action, &confirmed(&two)).await;
    assert_eq!(foreign.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(
        code(service.update_feedback(admin, assignment.action, &confirmed(&two)).await),
        "not-found"
    );
    let odd = Feedback { progress: Some(101), ..says(Execution::Downloading) };
    assert_eq!(
        code(service.update_feedback(&fleet[0].1, assignment.action, &odd).await),
        "feedback"
    );
    for execution in [Execution::Downloading, Execution::Installing, Execution::Installed] {
        service.update_feedback(&fleet[0].1, assignment.action, &says(execution)).await.unwrap();
        let seen = view(service, admin, &campaign.id).await;
        assert_eq!((seen.counts[0].open, seen.counts[0].succeeded), (1, 0));
    }
    service.update_feedback(&fleet[0].1, assignment.action, &confirmed(&two)).await.unwrap();
    // Said again, it changes nothing.
    service.update_feedback(&fleet[0].1, assignment.action, &confirmed(&two)).await.unwrap();
    service
        .update_feedback(&fleet[0].1, assignment.action, &says(Execution::Failed))
        .await
        .unwrap();
    let seen = view(service, admin, &campaign.id).await;
    assert_eq!((seen.counts[0].open, seen.counts[0].succeeded), (0, 1));
    let done = service.poll_update(&fleet[0].1, &runs(&two)).await.unwrap();
    assert_eq!(done.decision, UpdateDecision::Nothing);
    // The second one's message is lost; what it runs shows at its next poll.
    service.poll_update(&fleet[1].1, &runs(&one)).await.unwrap();
    service.poll_update(&fleet[1].1, &runs(&two)).await.unwrap();
    // The third one runs it already.
    service.poll_update(&fleet[2].1, &runs(&two)).await.unwrap();
    let over = view(service, admin, &campaign.id).await;
    assert_eq!(over.state, State::Finished);
    assert_eq!((over.counts[0].succeeded, over.counts[0].skipped), (2, 1));
    let lines = service
        .campaign_devices(admin, &campaign.id, CampaignDeviceFilter::All, &Page::default())
        .await
        .unwrap()
        .items;
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0].result.map(|result| result.0), Some(Outcome::Succeeded));
    assert_eq!(lines[0].detail.as_deref(), Some("at work"));
    let skipped = CampaignDeviceFilter::Outcome(Outcome::Skipped);
    let lines =
        service.campaign_devices(admin, &campaign.id, skipped, &Page::default()).await.unwrap();
    assert_eq!(lines.items.len(), 1);
    assert_eq!(lines.items[0].result.map(|result| result.1), Some(Reason::Current));
}

#[tokio::test]
async fn a_device_that_is_sold_leaves_at_once() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let (one, two) =
        (published(service, &maker, "1.0", 1).await, published(service, &maker, "2.0", 1).await);
    let fleet = devices(&world, &maker, 3).await;
    let campaign =
        started(service, &maker.admin, new("maker", &two, plan(&[(10_000, 100, 100)]))).await;
    let begun = action(&service.poll_update(&fleet[0].1, &runs(&one)).await.unwrap());
    service.update_feedback(&fleet[0].1, begun, &says(Execution::Downloading)).await.unwrap();
    world.sell(&maker, &owner, &fleet[0].0).await;
    world.sell(&maker, &owner, &fleet[1].0).await;
    let told = service.poll_update(&fleet[0].1, &runs(&one)).await.unwrap();
    assert_eq!(told.decision, UpdateDecision::Cancel { action: begun });
    for (id, caller) in &fleet[..2] {
        let told = service.poll_update(caller, &runs(&one)).await.unwrap();
        assert_eq!(told.decision, UpdateDecision::Nothing, "{id}");
    }
    assert_eq!(view(service, &maker.admin, &campaign.id).await.counts[0].skipped, 1);
    // The new owner's own campaign reaches them, with the maker's release.
    let refused =
        service.create_campaign(&owner.reader, new("owner", &two, plan(&[(10_000, 100, 100)])));
    assert_eq!(code(refused.await), "role");
    started(service, &owner.admin, new("owner", &two, plan(&[(10_000, 100, 100)]))).await;
    action(&service.poll_update(&fleet[1].1, &runs(&one)).await.unwrap());
    // A maker's campaign reaches sold devices only where the owner consents, and as long as it does.
    let three = published(service, &maker, "3.0", 1).await;
    let wanted = NewCampaign {
        search: DeviceSearch { relation: DeviceRelation::Maker, ..DeviceSearch::default() },
        ..new("maker", &three, plan(&[(10_000, 100, 100)]))
    };
    let without = service.create_campaign(&maker.admin, wanted.clone()).await.unwrap();
    assert_eq!(without.members, 1);
    let gate = product("gate");
    let consent =
        |given| service.set_update_consent(&owner.admin, &owner.id, &maker.id, &gate, given);
    assert_eq!(
        code(
            service
                .set_update_consent(&maker.admin, &owner.id, &maker.id, &product("gate"), true)
                .await
        ),
        "not-found"
    );
    consent(true).await.unwrap();
    let with = started(service, &maker.admin, wanted).await;
    assert_eq!(with.members, 3);
    // Its owner's campaign has nothing for it any more: it runs that release already.
    service.poll_update(&fleet[0].1, &runs(&two)).await.unwrap();
    let late = action(&service.poll_update(&fleet[0].1, &runs(&two)).await.unwrap());
    consent(false).await.unwrap();
    let told = service.poll_update(&fleet[0].1, &runs(&two)).await.unwrap();
    assert_eq!(told.decision, UpdateDecision::Cancel { action: late });
    let told = service.poll_update(&fleet[0].1, &runs(&two)).await.unwrap();
    assert_ne!(told.decision, UpdateDecision::Cancel { action: late });
}

#[tokio::test]
async fn two_people_start_a_campaign_over_many() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let two = published(service, &maker, "2.0", 1).await;
    let fleet = devices(&world, &maker, 11).await;
    let (other, _) = world.member(&maker.id, "second", Roles::of(&[Role::Administrator])).await;
    let many = service
        .create_campaign(&maker.station, new("maker", &two, plan(&[(10_000, 100, 100)])))
        .await
        .unwrap();
    assert_eq!(code(service.start_campaign(&maker.station, &many.id).await), "role");
    let asked = service.start_campaign(&maker.admin, &many.id).await.unwrap_err();
    assert_eq!(asked.code(), "needs-second-person");
    let request = asked.approval().unwrap();
    assert_eq!(code(service.approve(&maker.admin, &request).await), "own-request");
    let quiet = service.poll_update(&fleet[0].1, &runs(&two)).await.unwrap();
    assert_eq!(quiet.decision, UpdateDecision::Nothing);
    let approval = service.approve(&other, &request).await.unwrap();
    assert_eq!(approval.outcome.as_deref(), Some("done"));
    assert!(approval.summary.contains("11 devices"), "{}", approval.summary);
    let campaign = view(service, &maker.admin, &many.id).await;
    assert_eq!(campaign.state, State::Running);
    // The log was told, and what it holds is what the store has.
    service.integrate_now().await.unwrap();
    let check = service.check_log(&service.local_administrator()).await.unwrap();
    assert_eq!(check.problems, Vec::<String>::new());
    // Over few devices one person is enough.
    let few = NewCampaign {
        search: DeviceSearch { text: Some(fleet[0].0.to_string()), ..DeviceSearch::default() },
        ..new("maker", &two, plan(&[(10_000, 100, 100)]))
    };
    assert_eq!(started(service, &maker.admin, few).await.members, 1);
}

#[tokio::test]
async fn silence_stops_a_campaign_and_people_decide() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let (one, two) =
        (published(service, &maker, "1.0", 1).await, published(service, &maker, "2.0", 1).await);
    let fleet = devices(&world, &maker, 6).await;
    let admin = &maker.admin;
    let back = NewCampaign {
        roll_back_to: Some(one.id),
        ..new("maker", &two, plan(&[(10_000, 100, 34)]))
    };
    let campaign = started(service, admin, back).await;
    let good = action(&service.poll_update(&fleet[0].1, &runs(&one)).await.unwrap());
    service.update_feedback(&fleet[0].1, good, &confirmed(&two)).await.unwrap();
    let begun = action(&service.poll_update(&fleet[1].1, &runs(&one)).await.unwrap());
    service.update_feedback(&fleet[1].1, begun, &says(Execution::Installing)).await.unwrap();
    service.poll_update(&fleet[2].1, &runs(&one)).await.unwrap();
    world.clock.advance(3599);
    service.tend_campaigns_now().unwrap();
    assert_eq!(view(service, admin, &campaign.id).await.state, State::Running);
    world.clock.advance(1);
    service.tend_campaigns_now().unwrap();
    let paused = view(service, admin, &campaign.id).await;
    assert_eq!((paused.state, paused.paused), (State::Paused, Some(PauseCause::Errors)));
    let failed = CampaignDeviceFilter::Outcome(Outcome::Failed);
    let lines = service.campaign_devices(admin, &campaign.id, failed, &Page::default()).await;
    let reasons: Vec<Reason> =
        lines.unwrap().items.iter().filter_map(|line| line.result.map(|result| result.1)).collect();
    assert_eq!(reasons[..2], [Reason::Stuck, Reason::Silent]);
    // Paused: nobody begins.
    let told = service.poll_update(&fleet[3].1, &runs(&one)).await.unwrap();
    assert_eq!(told.decision, UpdateDecision::Nothing);
    // Whoever runs it goes back.
    service.roll_back_campaign(admin, &campaign.id).await.unwrap();
    let told = service.poll_update(&fleet[0].1, &runs(&two)).await.unwrap();
    let UpdateDecision::Install(assignment) = &told.decision else { panic!("{told:?}") };
    assert_eq!((assignment.release, assignment.version.as_str()), (one.id, "1.0"));
    service.update_feedback(&fleet[0].1, assignment.action, &confirmed(&one)).await.unwrap();
    let over = view(service, admin, &campaign.id).await;
    assert_eq!((over.state, over.counts[0].rolled_back), (State::RolledBack, 1));
    // What was mended stays mended.
    let safer = published(service, &maker, "3.0", 2).await;
    let unsafe_back = NewCampaign {
        roll_back_to: Some(two.id),
        ..new("maker", &safer, plan(&[(10_000, 90, 10)]))
    };
    assert_eq!(code(service.create_campaign(admin, unsafe_back).await), "not-a-rollback");
}

#[tokio::test]
async fn cancelled_devices_are_told_and_a_withdrawn_release_is_not_given_out() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let (one, two) =
        (published(service, &maker, "1.0", 1).await, published(service, &maker, "2.0", 1).await);
    let fleet = devices(&world, &maker, 3).await;
    let admin = &maker.admin;
    let campaign = started(service, admin, new("maker", &two, plan(&[(10_000, 100, 100)]))).await;
    let begun = action(&service.poll_update(&fleet[0].1, &runs(&one)).await.unwrap());
    service.update_feedback(&fleet[0].1, begun, &says(Execution::Downloading)).await.unwrap();
    let offered = action(&service.poll_update(&fleet[1].1, &runs(&one)).await.unwrap());
    service.pause_campaign(admin, &campaign.id).await.unwrap();
    // Who has begun goes on; who has not is taken back, and gets a new number when it goes on.
    assert_eq!(action(&service.poll_update(&fleet[0].1, &runs(&one)).await.unwrap()), begun);
    let told = service.poll_update(&fleet[1].1, &runs(&one)).await.unwrap();
    assert_eq!(told.decision, UpdateDecision::Cancel { action: offered });
    service.resume_campaign(admin, &campaign.id).await.unwrap();
    assert_ne!(action(&service.poll_update(&fleet[1].1, &runs(&one)).await.unwrap()), offered);
    service.withdraw_release(admin, &two.id, "bad").await.unwrap();
    let told = service.poll_update(&fleet[2].1, &runs(&one)).await.unwrap();
    assert_eq!(told.decision, UpdateDecision::Nothing);
    service.cancel_campaign(admin, &campaign.id).await.unwrap();
    for _ in 0..2 {
        let told = service.poll_update(&fleet[0].1, &runs(&one)).await.unwrap();
        assert_eq!(told.decision, UpdateDecision::Cancel { action: begun });
    }
    service.update_feedback(&fleet[0].1, begun, &says(Execution::Cancelled)).await.unwrap();
    let told = service.poll_update(&fleet[0].1, &runs(&one)).await.unwrap();
    assert_eq!(told.decision, UpdateDecision::Nothing);
    let over = view(service, admin, &campaign.id).await;
    assert_eq!((over.state, over.counts[0].cancelled), (State::Cancelled, 1));
    assert_eq!(code(service.resume_campaign(admin, &campaign.id).await), "campaign-state");
}

#[tokio::test]
async fn results_are_part_of_a_devices_life_and_of_the_verdict() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let one = published(service, &maker, "1.0", 1).await;
    let two = published(service, &maker, "2.0", 1).await;
    let working = world.working(&maker, "gate", &owner).await;
    let caller = service.identify_certificate(&working.ldevid.certificate).await.unwrap();
    let device = working.thing.id;
    let campaign =
        started(service, &owner.admin, new("owner", &two, plan(&[(10_000, 100, 100)]))).await;
    let number = action(&service.poll_update(&caller, &runs(&one)).await.unwrap());
    // What it shall install can be proven to have been told to the log.
    service.integrate_now().await.unwrap();
    let proof = service.assignment_proof(&caller, number).await.unwrap();
    let log = service.trust_store().await.unwrap().log_key.parse().unwrap();
    let trust = LogTrust { logs: vec![log], witnesses: Vec::new(), quorum: 0 };
    let file = (two.artifacts[0].path.as_str(), &two.artifacts[0].sha256);
    let told = verify_assignment(&proof, &trust, &device, file).unwrap();
    assert_eq!((told.0.organisation.as_str(), told.0.members), ("owner", 1));
    assert_eq!(told.1.version, "2.0");
    let code_of = |outcome: Result<_, AssignmentError>| {
        outcome.map(|_: crypto::Verified<_>| ()).unwrap_err().code()
    };
    let other = DeviceId::from_bytes([9; 16]);
    let wrong = verify_assignment(&proof, &trust, &other, file);
    assert_eq!(code_of(wrong), "assignment-not-a-member");
    let wrong = verify_assignment(&proof, &trust, &device, (file.0, &one.artifacts[0].sha256));
    assert_eq!(code_of(wrong), "assignment-other-file");
    let mut forged = proof.clone();
    let text = String::from_utf8(forged.campaign.statement.clone()).unwrap();
    forged.campaign.statement = text.replace("owner", "other").into_bytes();
    let wrong = verify_assignment(&forged, &trust, &device, file);
    assert_eq!(code_of(wrong), "assignment-not-logged");
    let mut mixed = proof.clone();
    mixed.release = mixed.campaign.clone();
    assert_eq!(code_of(verify_assignment(&mixed, &trust, &device, file)), "assignment-malformed");
    let stranger = LogTrust { logs: Vec::new(), ..trust.clone() };
    let wrong = verify_assignment(&proof, &stranger, &device, file);
    assert_eq!(code_of(wrong), "assignment-not-logged");
    assert_eq!(code(service.assignment_proof(&caller, number + 1).await), "not-found");
    assert_eq!(code(service.assignment_proof(&owner.admin, number).await), "not-found");

    let judge = || service.verify_device(&owner.admin, &device, VerifyRequest::default());
    let reasons = |verdict: &device::Verdict| -> Vec<&'static str> {
        let firmware = |reason: &&device::Reason| reason.layer == device::Layer::Firmware;
        verdict.reasons.iter().filter(firmware).map(|reason| reason.code.name()).collect()
    };
    assert_eq!(reasons(&judge().await.unwrap()), Vec::<&str>::new(), "nothing is known yet");
    service.update_feedback(&caller, number, &confirmed(&two)).await.unwrap();
    let history = service.history(&owner.admin, &device, &Page::default()).await.unwrap();
    let last = history.items.last().unwrap();
    assert_eq!(last.kind, device::Kind::Updated);
    let line = service
        .campaign_devices(&owner.admin, &campaign.id, CampaignDeviceFilter::All, &Page::default())
        .await
        .unwrap();
    assert_eq!(line.items[0].leaf, Some(last.leaf));
    assert_eq!(reasons(&judge().await.unwrap()), Vec::<&str>::new());
    // A newer one, then a floor above what runs; the passport file says the same offline.
    let three = published(service, &maker, "3.0", 3).await;
    assert_eq!(reasons(&judge().await.unwrap()), ["software-outdated"]);
    let gate = Gate { security_floor: 2, ..Gate::default() };
    service.set_release_gate(&maker.admin, &maker.id, &product("gate"), gate).await.unwrap();
    let verdict = judge().await.unwrap();
    assert_eq!(reasons(&verdict), ["below-security-floor"]);
    assert_eq!(verdict.outcome, device::Outcome::Suspect);
    let file = service.export_passport(&owner.admin, &device).await.unwrap();
    let file = device::PassportFile::parse(&file).unwrap();
    let mut anchors = device::TrustAnchors::default();
    anchors.logs.push(service.trust_store().await.unwrap().log_key.parse().unwrap());
    anchors.roots.add(world.root.certificate().clone());
    let offline = file.verify(&anchors, &Default::default(), world.clock.now());
    assert_eq!(reasons(&offline), ["below-security-floor"]);
    let too_low = new("owner", &two, plan(&[(10_000, 100, 100)]));
    assert_eq!(code(service.create_campaign(&owner.admin, too_low).await), "below-floor");
    // A failure counts until something better is known.
    started(service, &owner.admin, new("owner", &three, plan(&[(10_000, 100, 100)]))).await;
    let number = action(&service.poll_update(&caller, &runs(&two)).await.unwrap());
    service.update_feedback(&caller, number, &says(Execution::Failed)).await.unwrap();
    assert_eq!(reasons(&judge().await.unwrap()), ["below-security-floor", "update-failed"]);
}

#[tokio::test]
async fn campaigns_are_their_organisations() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let stranger = world.maker("stranger", "lamp", DeviceKind::Device).await;
    let two = published(service, &maker, "2.0", 1).await;
    devices(&world, &maker, 1).await;
    let wanted = new("maker", &two, plan(&[(10_000, 100, 100)]));
    let campaign = service.create_campaign(&maker.admin, wanted.clone()).await.unwrap();
    let not_found = |outcome: Result<(), ServiceError>| {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::NotFound);
    };
    for caller in [&stranger.admin, &stranger.station, &stranger.reader, &world.platform_admin] {
        let (page, id) = (Page::default(), &campaign.id);
        not_found(service.create_campaign(caller, wanted.clone()).await.map(drop));
        not_found(service.campaign(caller, id).await.map(drop));
        not_found(service.campaigns(caller, &maker.id, &page).await.map(drop));
        not_found(service.start_campaign(caller, id).await.map(drop));
        not_found(service.pause_campaign(caller, id).await.map(drop));
        not_found(service.resume_campaign(caller, id).await.map(drop));
        not_found(service.cancel_campaign(caller, id).await.map(drop));
        not_found(service.roll_back_campaign(caller, id).await.map(drop));
        let all = CampaignDeviceFilter::All;
        not_found(service.campaign_devices(caller, id, all, &page).await.map(drop));
        not_found(service.update_consents(caller, &maker.id).await.map(drop));
        let said = DeviceSoftware::default();
        not_found(service.poll_update(caller, &said).await.map(drop));
    }
    // Another's release is not found either, whatever product it is of.
    let theirs = new("stranger", &two, plan(&[(10_000, 100, 100)]));
    not_found(service.create_campaign(&stranger.admin, theirs).await.map(drop));
}

#[tokio::test]
async fn nothing_is_given_twice_or_lost_at_any_point() {
    let points = fault::CAMPAIGN_POINTS
        .into_iter()
        .chain([fault::BEFORE_COMMIT, fault::AFTER_COMMIT])
        .collect::<Vec<_>>();
    for point in points {
        for step in 0..4 {
            // The step before which the fault is armed: start, poll, feedback, confirmation.
            let armed = Arc::new(AtomicBool::new(false));
            let trigger = armed.clone();
            let hit = Arc::new(Mutex::new(false));
            let seen = hit.clone();
            let faults = fault::Faults::injected(move |name| {
                let hits = name == point && trigger.load(Ordering::SeqCst);
                *seen.lock().unwrap() |= hits;
                hits
            });
            let mut world = World::with(Config { faults: Some(faults), ..config() }).await;
            let maker = world.maker("maker", "gate", DeviceKind::Device).await;
            let (one, two) = (
                published(&world.service, &maker, "1.0", 1).await,
                published(&world.service, &maker, "2.0", 1).await,
            );
            let (_, caller) = device(&world, &maker).await;
            let wanted = new("maker", &two, plan(&[(10_000, 100, 100)]));
            let campaign = world.service.create_campaign(&maker.admin, wanted).await.unwrap().id;
            let mut offered = None;
            for round in 0..4 {
                if round == step {
                    armed.store(true, Ordering::SeqCst);
                }
                let service = &world.service;
                let outcome = match round {
                    0 => service.start_campaign(&maker.admin, &campaign).await.map(drop),
                    1 => service.poll_update(&caller, &runs(&one)).await.map(|poll| {
                        offered = Some(action(&poll));
                    }),
                    2 => {
                        let said = says(Execution::Installed);
                        service.update_feedback(&caller, offered.unwrap(), &said).await
                    }
                    _ => service.update_feedback(&caller, offered.unwrap(), &confirmed(&two)).await,
                };
                if outcome.is_err() {
                    break;
                }
            }
            armed.store(false, Ordering::SeqCst);
            world.service.close();
            world.service = open(world.path(), config(), &world.clock);
            let service = &world.service;
            // The device and the people do it all again, and it comes out right.
            let _ = service.start_campaign(&maker.admin, &campaign).await;
            let poll = service.poll_update(&caller, &runs(&one)).await.unwrap();
            if let UpdateDecision::Install(assignment) = &poll.decision {
                assert!(offered.is_none_or(|before| before == assignment.action), "{point} {step}");
                for said in [says(Execution::Installed), confirmed(&two)] {
                    service.update_feedback(&caller, assignment.action, &said).await.unwrap();
                }
            }
            let over = view(service, &maker.admin, &campaign).await;
            assert_eq!(over.state, State::Finished, "{point} {step}");
            assert_eq!(over.counts[0].succeeded, 1, "{point} {step}");
            let all = CampaignDeviceFilter::All;
            let lines =
                service.campaign_devices(&maker.admin, &campaign, all, &Page::default()).await;
            assert_eq!(lines.unwrap().items.len(), 1, "two releases at {point} {step}");
            service.integrate_now().await.unwrap();
            let check = service.check_log(&service.local_administrator()).await.unwrap();
            assert!(check.problems.is_empty(), "{point} {step}: {:?}", check.problems);
        }
    }
}

#[tokio::test]
async fn every_stage_has_a_device_or_the_plan_is_refused() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let admin = &maker.admin;
    let (one, two) =
        (published(service, &maker, "1.0", 1).await, published(service, &maker, "2.0", 1).await);
    let mut fleet = devices(&world, &maker, 2).await;
    let stages = || plan(&[(100, 100, 50), (100, 100, 50), (9_800, 100, 50)]);
    let few = service.preview_campaign(admin, &new("maker", &two, stages())).await.unwrap_err();
    assert_eq!(few.code(), "campaign-stages");
    assert!(
        few.to_string().contains("3 stages needs at least as many devices, and there are 2"),
        "{few}"
    );
    assert!(few.message_ja().is_some());
    let refused = service.create_campaign(admin, new("maker", &two, stages())).await;
    assert_eq!(code(refused), "campaign-stages");
    fleet.extend(devices(&world, &maker, 1).await);
    let preview = service.preview_campaign(admin, &new("maker", &two, stages())).await.unwrap();
    assert_eq!(preview.per_stage, [1, 1, 1]);
    // Whatever the lots, one device begins, and the next stage waits for its boot.
    let campaign = started(service, admin, new("maker", &two, stages())).await;
    for stage in 0..3_usize {
        let seen = view(service, admin, &campaign.id).await;
        assert_eq!((usize::from(seen.stage), seen.counts[stage].total), (stage, 1));
        let mut told = Vec::new();
        for (_, caller) in &fleet {
            let poll = service.poll_update(caller, &runs(&one)).await.unwrap();
            if let UpdateDecision::Install(assignment) = poll.decision {
                told.push((caller.clone(), assignment.action));
            }
        }
        let [(caller, number)] = &told[..] else { panic!("{} are told", told.len()) };
        service.update_feedback(caller, *number, &confirmed(&two)).await.unwrap();
        fleet.retain(|(_, other)| other != caller);
    }
    assert_eq!(view(service, admin, &campaign.id).await.state, State::Finished);
}
