//! From a vulnerability to a campaign; previews; how a campaign went over time.

use crate::{
    campaigns::{action, device, devices, new, plan, published, runs},
    releases::code,
    vulnerabilities::{attach, bom, import_for_all, judged, osv},
    world::{Org, World, id, product},
};
use device::DeviceKind;
use service::{
    Caller, CampaignDraft, DeviceRelation, DeviceSearch, DeviceSoftware, ErrorKind, Execution,
    ExposureStatus, Feedback, FixTarget, FleetSide, Gate, Service, VulnerabilityCampaign,
};

fn says(version: &str) -> DeviceSoftware {
    DeviceSoftware {
        hardware_id: None,
        version: Some(version.to_owned()),
        release_counter: None,
        security_version: None,
        digest: None,
        confirmed: true,
    }
}

async fn drafts(service: &Service, org: &Org, side: FleetSide) -> Vec<CampaignDraft> {
    service.campaign_drafts(&org.admin, &org.id, side, "CVE-2026-1").await.unwrap()
}

fn wanted(organisation: &str, side: FleetSide) -> VulnerabilityCampaign {
    VulnerabilityCampaign {
        organisation: id(organisation),
        side,
        vulnerability: "CVE-2026-1".into(),
        product: (id("maker"), product("gate")),
        name: None,
        plan: None,
    }
}

async fn say(service: &Service, devices: &[(device::DeviceId, Caller)], version: &str) {
    for (_, caller) in devices {
        service.poll_update(caller, &says(version)).await.unwrap();
    }
}

#[tokio::test]
async fn a_draft_goes_to_the_newest_release_that_is_known_to_be_free_of_it() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    import_for_all(&world, &osv("CVE-2026-1", "serde", "1.0.1", 100)).await;
    let unknown =
        service.campaign_drafts(&maker.admin, &maker.id, FleetSide::Maker, "CVE-2026-1").await;
    assert_eq!(unknown.unwrap_err().kind(), ErrorKind::NotFound, "it is in nothing here");
    // 1.0 runs without ever having been a release here.
    attach(&world, &maker, "gate", "1.0", "os", &bom(&[("serde", "1.0.0")])).await;
    judged(service, &maker).await;
    assert_eq!(drafts(service, &maker, FleetSide::Maker).await, [], "no device runs it");
    let fleet = devices(&world, &maker, 3).await;
    say(service, &fleet, "1.0").await;
    let draft = &drafts(service, &maker, FleetSide::Maker).await[0];
    assert_eq!(draft.target, FixTarget::NoRelease);
    assert_eq!(draft.versions, [("1.0".to_owned(), ExposureStatus::Affected, 3)]);
    let refused =
        service.propose_from_vulnerability(&maker.admin, wanted("maker", FleetSide::Maker)).await;
    assert_eq!(code(refused), "no-fixed-release");
    // The newest has it too.
    let one = published(service, &maker, "1.1", 1).await;
    attach(&world, &maker, "gate", "1.1", "more", &bom(&[("serde", "1.0.0")])).await;
    judged(service, &maker).await;
    let draft = &drafts(service, &maker, FleetSide::Maker).await[0];
    assert_eq!(draft.target, FixTarget::Affected("1.1".into()));
    // One that is free of it: the helper's bill names another package.
    let two = published(service, &maker, "2.0", 1).await;
    judged(service, &maker).await;
    let draft = &drafts(service, &maker, FleetSide::Maker).await[0];
    let FixTarget::Fixed { release, .. } = &draft.target else { panic!("{draft:?}") };
    assert_eq!(*release, two.id);
    // A newer one of which nothing is known is no reason to leave a known one.
    let gate = Gate { sbom: false, ..Gate::default() };
    service.set_release_gate(&maker.admin, &maker.id, &product("gate"), gate).await.unwrap();
    let bare = crate::releases::draft(service, &maker.admin, "3.0", 1).await;
    service
        .detach(&maker.admin, &bare.id, service::AttachmentKind::Sbom, "sbom.file")
        .await
        .unwrap();
    service.publish_release(&maker.admin, &bare.id, None).await.unwrap();
    let draft = &drafts(service, &maker, FleetSide::Maker).await[0];
    assert_eq!(draft.target.version(), Some("2.0"), "{draft:?}");
    // What is below the floor of the product cannot be given out.
    let gate = Gate { sbom: false, security_floor: 2, ..Gate::default() };
    service.set_release_gate(&maker.admin, &maker.id, &product("gate"), gate).await.unwrap();
    let draft = &drafts(service, &maker, FleetSide::Maker).await[0];
    assert_eq!(draft.target, FixTarget::NoRelease);
    service
        .set_release_gate(&maker.admin, &maker.id, &product("gate"), Gate::default())
        .await
        .unwrap();
    // Exactly those that run an affected version, of whatever version each is.
    say(service, &fleet[..1], "1.1").await;
    say(service, &fleet[2..], "2.0").await;
    let campaign =
        service.propose_from_vulnerability(&maker.admin, wanted("maker", FleetSide::Maker)).await;
    let campaign = campaign.unwrap();
    assert_eq!((campaign.members, campaign.release), (2, two.id));
    assert!(campaign.search.contains("runs=\"1.0\" runs=\"1.1\""), "{}", campaign.search);
    assert_eq!(campaign.name, "CVE-2026-1: gate 2.0");
    service.start_campaign(&maker.admin, &campaign.id).await.unwrap();
    for ((_, caller), runs) in fleet.iter().zip(["1.1", "1.0", "2.0"]) {
        let poll = service.poll_update(caller, &says(runs)).await.unwrap();
        let told = matches!(poll.decision, service::UpdateDecision::Install(_));
        assert_eq!(told, runs != "2.0", "{runs}");
    }
    // What was withdrawn is nobody's way out; what runs and is newer is left out.
    service.withdraw_release(&maker.admin, &two.id, "bad").await.unwrap();
    let draft = &drafts(service, &maker, FleetSide::Maker).await[0];
    assert_eq!(draft.target, FixTarget::Unknown("3.0".into()), "{draft:?}");
    attach(&world, &maker, "gate", "3.0", "os", &bom(&[("serde", "1.0.0")])).await;
    judged(service, &maker).await;
    let draft = &drafts(service, &maker, FleetSide::Maker).await[0];
    assert_eq!(draft.target, FixTarget::Affected("3.0".into()), "{draft:?}");
    assert_eq!(one.release_counter + 1, two.release_counter);
}

#[tokio::test]
async fn what_runs_and_is_newer_than_the_mended_release_is_left_out() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    import_for_all(&world, &osv("CVE-2026-1", "serde", "1.0.1", 100)).await;
    let clean = published(service, &maker, "1.0", 1).await;
    let _worse = published(service, &maker, "2.0", 1).await;
    for version in ["0.9", "2.0"] {
        attach(&world, &maker, "gate", version, "more", &bom(&[("serde", "1.0.0")])).await;
    }
    judged(service, &maker).await;
    let fleet = devices(&world, &maker, 3).await;
    say(service, &fleet, "2.0").await;
    let draft = &drafts(service, &maker, FleetSide::Maker).await[0];
    assert_eq!(draft.target, FixTarget::Older("1.0".into()), "{draft:?}");
    say(service, &fleet[..1], "0.9").await;
    let draft = &drafts(service, &maker, FleetSide::Maker).await[0];
    let FixTarget::Fixed { release, .. } = &draft.target else { panic!("{draft:?}") };
    assert_eq!((*release, draft.devices), (clean.id, 1));
    assert_eq!(draft.newer, [("2.0".to_owned(), 2)]);
}

#[tokio::test]
async fn an_owner_drafts_over_its_own_devices_and_strangers_find_nothing() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    import_for_all(&world, &osv("CVE-2026-1", "serde", "1.0.1", 100)).await;
    attach(&world, &maker, "gate", "1.0", "os", &bom(&[("serde", "1.0.0")])).await;
    let two = published(service, &maker, "2.0", 1).await;
    judged(service, &maker).await;
    let fleet = devices(&world, &maker, 2).await;
    say(service, &fleet, "1.0").await;
    world.sell(&maker, &owner, &fleet[0].0).await;
    // The maker counts what it made; it may update only what it owns or is let.
    assert_eq!(drafts(service, &maker, FleetSide::Maker).await[0].devices, 2);
    let campaign =
        service.propose_from_vulnerability(&maker.admin, wanted("maker", FleetSide::Maker)).await;
    assert_eq!(campaign.unwrap().members, 1, "the other's owner has not consented");
    assert_eq!(drafts(service, &owner, FleetSide::Owner).await[0].devices, 1);
    let campaign =
        service.propose_from_vulnerability(&owner.admin, wanted("owner", FleetSide::Owner)).await;
    let campaign = campaign.unwrap();
    assert_eq!((campaign.members, campaign.release), (1, two.id));
    for (caller, organisation) in [(&owner.admin, "maker"), (&maker.admin, "owner")] {
        for side in [FleetSide::Maker, FleetSide::Owner] {
            let asked =
                service.campaign_drafts(caller, &id(organisation), side, "CVE-2026-1").await;
            assert_eq!(asked.unwrap_err().kind(), ErrorKind::NotFound, "{organisation}");
            let wanted = wanted(organisation, side);
            let proposed = service.propose_from_vulnerability(caller, wanted).await;
            assert_eq!(proposed.unwrap_err().kind(), ErrorKind::NotFound, "{organisation}");
        }
        let history = service.campaign_history(caller, &campaign.id).await;
        assert_eq!(history.is_ok(), organisation == "maker" && caller == &owner.admin);
    }
    // Who reads may look at a draft, and proposes nothing.
    let (reader, _) =
        world.member(&maker.id, "reader", policy::Roles::of(&[policy::Role::Reader])).await;
    let seen = service.campaign_drafts(&reader, &maker.id, FleetSide::Maker, "CVE-2026-1").await;
    assert_eq!(seen.unwrap().len(), 1);
    let refused =
        service.propose_from_vulnerability(&reader, wanted("maker", FleetSide::Maker)).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Forbidden);
}

#[tokio::test]
async fn a_preview_counts_what_would_be_and_proposes_nothing() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let one = published(service, &maker, "1.0", 1).await;
    let two = published(service, &maker, "2.0", 1).await;
    let fleet = devices(&world, &maker, 11).await;
    for (_, caller) in &fleet[..4] {
        service.poll_update(caller, &runs(&one)).await.unwrap();
    }
    let stages = [(1_000, 90, 10), (3_000, 90, 10), (6_000, 90, 10)];
    let all = new("maker", &two, plan(&stages));
    let preview = service.preview_campaign(&maker.admin, &all).await.unwrap();
    assert_eq!((preview.members, preview.per_stage.as_slice()), (11, &[1, 3, 7][..]));
    let search = DeviceSearch { runs: vec!["1.0".into()], ..DeviceSearch::default() };
    let some = service::NewCampaign { search: search.clone(), ..all.clone() };
    let preview = service.preview_campaign(&maker.admin, &some).await.unwrap();
    assert_eq!((preview.members, preview.per_stage.iter().sum::<u64>()), (4, 4));
    assert!(!preview.second_person, "a trial");
    // With other conditions beside it, the same devices are found by looking at each.
    let both = DeviceSearch { text: Some(fleet[0].0.to_string()), ..search.clone() };
    let narrow = new("maker", &two, plan(&[(10_000, 90, 10)]));
    let narrow = service::NewCampaign { search: both, ..narrow };
    assert_eq!(service.preview_campaign(&maker.admin, &narrow).await.unwrap().members, 1);
    let found = service
        .search_devices(&maker.admin, &maker.id, &search, &service::Page::default())
        .await
        .unwrap();
    assert_eq!(found.items.len(), 4);
    let many = DeviceSearch { runs: vec!["x".into(); 1_001], ..DeviceSearch::default() };
    let many = service::NewCampaign { search: many, ..all.clone() };
    assert_eq!(code(service.preview_campaign(&maker.admin, &many).await), "search");
    let none = service::NewCampaign {
        search: DeviceSearch { relation: DeviceRelation::Shared, ..DeviceSearch::default() },
        ..all
    };
    assert_eq!(code(service.preview_campaign(&maker.admin, &none).await), "campaign-plan");
    let listed = service.campaigns(&maker.admin, &maker.id, &service::Page::default()).await;
    assert_eq!(listed.unwrap().items, []);
}

#[tokio::test]
async fn how_a_campaign_went_is_kept_and_grows_slowly() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let one = published(service, &maker, "1.0", 1).await;
    let two = published(service, &maker, "2.0", 1).await;
    let (_, caller) = device(&world, &maker).await;
    let _idle = device(&world, &maker).await;
    let campaign = service
        .create_campaign(&maker.admin, new("maker", &two, plan(&[(10_000, 100, 100)])))
        .await
        .unwrap();
    let history = async || service.campaign_history(&maker.admin, &campaign.id).await.unwrap();
    assert_eq!(history().await, [], "it was not started");
    service.start_campaign(&maker.admin, &campaign.id).await.unwrap();
    let started = service.now();
    world.clock.advance(60);
    let poll = service.poll_update(&caller, &runs(&one)).await.unwrap();
    let feedback =
        |execution| Feedback { execution, progress: None, detail: None, installed: None };
    let moments = history().await;
    let all: Vec<_> =
        moments.iter().map(|moment| (moment.at.since(started), moment.counts.open)).collect();
    assert_eq!(all, [(0, 0), (60, 1)]);
    assert!(moments.iter().all(|moment| moment.counts.total == 2));
    // What comes within ten seconds is seen as what is now, and kept with the next.
    world.clock.advance(5);
    let failed = feedback(Execution::Failed);
    service.update_feedback(&caller, action(&poll), &failed).await.unwrap();
    let last = *history().await.last().unwrap();
    assert_eq!((last.counts.open, last.counts.failed, last.counts.waiting()), (0, 1, 1));
    world.clock.advance(100);
    let last = *history().await.last().unwrap();
    assert_eq!((last.at, last.counts.failed), (service.now(), 1));
    service.cancel_campaign(&maker.admin, &campaign.id).await.unwrap();
    world.clock.advance(1_000);
    let over = history().await;
    assert_eq!(over.last().unwrap().at.since(started), 165, "it ends when the campaign does");
    assert!(over.windows(2).all(|pair| pair[0].at < pair[1].at), "{over:?}");
}
