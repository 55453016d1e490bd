//! Updates: devices that ask and hear nothing new, campaigns over a whole fleet, their progress.

use super::{
    Bench,
    figure::{Figure, percentile},
    issue::certify,
    ledger::Fleet,
    load, machine, polls as http,
    world::{World, fleet_id},
};
use crypto::{Sha256, sha256};
use policy::{Caller, DeviceCredential};
use service::{
    CampaignDeviceFilter, CampaignId, DeviceSearch, DeviceSoftware, Execution, Feedback, Gate,
    NewArtifact, NewCampaign, NewRelease, NewUpload, Page, ReleaseId, UpdateDecision,
};
use std::sync::Arc;
use update::campaign::{Plan, Stage};

const BENCH: &str = "update";
const POLLS_TARGET: f64 = 10_000.0;
const START_TARGET_S: f64 = 5.0;
const PROGRESS_TARGET_MS: f64 = 50.0;
/// Devices that ask, all over the fleet.
const POLLERS: usize = 20_000;
/// How often each of them asks.
const ROUNDS: usize = 5;
/// Polls under way at once.
const AT_ONCE: usize = 64;
/// How often progress is asked for.
const QUERIES: usize = 200;
/// Kind of hardware of the whole fleet.
const HARDWARE: &str = "chip-a1";
/// Share of the first stage in ten thousandths: of those who ask some are told to install.
const FIRST_SHARE: u16 = 100;

pub async fn run(bench: &Bench) -> anyhow::Result<()> {
    let count = bench.count(1_000_000);
    let world = World::create(bench.dir()).await?;
    // Some of the devices come over HTTP later, with certificates of their own.
    let with_keys = http::DEVICES.min(count / 2).max(1);
    let chips = world.make_chips(with_keys, &bench.progress(with_keys, "making chips")).await?;
    let bar = bench.progress(with_keys, "certifying chips");
    let (certified, _) = certify(&world, chips, &bar).await?;
    let mut fleet = Fleet::default();
    let bar = bench.progress(count, "registering devices");
    fleet.grow(&world, count.saturating_sub(with_keys), &bar).await?;
    bar.finish_and_clear();
    let count = fleet.len().saturating_add(with_keys);
    let (old, new) = (release(&world, 1).await?, release(&world, 2).await?);
    let pollers = Arc::new(pollers(&world, fleet.len()));

    // The first time it is taken down what they run.
    polls(&world, &pollers, 1, &old).await?;
    let what = format!("polls without change, no campaign, {count} devices");
    show_polls(bench, &what, &polls(&world, &pollers, ROUNDS, &old).await?)?;

    let start = machine::clock();
    let campaign = propose(&world, &new.id).await?;
    let proposed = start.elapsed().as_secs_f64();
    let caller = &world.maker().caller;
    let view = world.service().start_campaign(caller, &campaign).await?;
    let started = start.elapsed().as_secs_f64();
    anyhow::ensure!(view.members == count as u64, "{} members of {count}", view.members);
    let what = format!("campaign over {count} devices, from proposal to start");
    bench.show(&Figure::new(BENCH, what, started, "s", START_TARGET_S, "target"))?;
    let what = format!("of it the start of a campaign over {count} devices that was proposed");
    bench.show(&Figure::new(BENCH, what, started - proposed, "s", START_TARGET_S, "target"))?;

    // Those whose turn it is are told now, and once more the same.
    let told = polls(&world, &pollers, 1, &old).await?.told;
    anyhow::ensure!(!told.is_empty(), "nobody is told to install anything");
    let what = format!("polls without change, a campaign under way, {count} devices");
    let polled = polls(&world, &pollers, ROUNDS, &old).await?;
    show_polls(bench, &what, &polled)?;

    results(&world, &pollers, told, &new).await?;
    progress(bench, &world, &campaign, count).await?;
    super::director::run(bench, &world).await?;
    world.close().await?;
    let (by_use_case, goosebit) = (polled.per_cpu_second(), bench.goosebit());
    http::run(bench, &world, &certified, &old.said(), by_use_case, goosebit).await
}

/// A release that devices can run.
struct Release {
    id: ReleaseId,
    software: DeviceSoftware,
}

impl Release {
    /// What a device that runs it says over HTTP.
    fn said(&self) -> api::wire::DeviceSoftware {
        let DeviceSoftware { hardware_id, version, release_counter, security_version, .. } =
            self.software.clone();
        api::wire::DeviceSoftware {
            hardware_id,
            version,
            release_counter,
            security_version,
            digest: None,
            confirmed: true,
            self_test: None,
            metadata: Vec::new(),
        }
    }
}

async fn release(world: &World, number: u64) -> anyhow::Result<Release> {
    let (service, maker) = (world.service(), world.maker());
    let (caller, organisation) = (&maker.caller, &maker.organisation);
    let gate = Gate { sbom: false, ..Gate::default() };
    service.set_release_gate(caller, organisation, &maker.product, gate).await?;
    let version = format!("{number}.0");
    let release = NewRelease {
        organisation: organisation.clone(),
        product: maker.product.clone(),
        version: version.clone(),
        security_version: 1,
        release_counter: None,
        hardware_ids: vec![HARDWARE.to_owned()],
        notes: String::new(),
    };
    let id = service.create_release(caller, release).await?.id;
    let image = format!("image {number}").into_bytes();
    let (sha256, length) = (sha256(&image), image.len() as u64);
    let upload = NewUpload { organisation: organisation.clone(), sha256, length };
    let upload = service.begin_blob(caller, upload).await?.id;
    let mut writer = service.append_blob(caller, &upload, 0).await?;
    writer.write(image).await?;
    writer.close().await?;
    service.finish_blob(caller, &upload).await?;
    let image = NewArtifact { name: "image.bin".to_owned(), sha256, hardware_ids: Vec::new() };
    service.add_artifact(caller, &id, image).await?;
    let release = service.publish_release(caller, &id, None).await?;
    let software = DeviceSoftware {
        hardware_id: Some(HARDWARE.to_owned()),
        version: Some(version),
        release_counter: Some(release.release_counter),
        security_version: Some(release.security_version),
        digest: None,
        confirmed: true,
    };
    Ok(Release { id, software })
}

/// Devices all over the fleet, as doors know them.
fn pollers(world: &World, count: usize) -> Vec<Caller> {
    let some = POLLERS.min(count);
    let caller = |n: usize| Caller::Device {
        device: fleet_id(n.saturating_mul(count / some)),
        organisation: world.maker().organisation.clone(),
        credential: DeviceCredential::Idevid,
        certificate: Sha256([0; 32]),
    };
    (0..some).map(caller).collect()
}

/// What came of polls.
struct Polled {
    count: usize,
    elapsed_s: f64,
    cpu_s: f64,
    /// who was told to install something, and under which number
    told: Vec<(usize, u64)>,
}

impl Polled {
    fn per_cpu_second(&self) -> f64 {
        machine::count_f64(self.count as u64) / self.cpu_s.max(0.01)
    }
}

async fn polls(
    world: &World,
    pollers: &Arc<Vec<Caller>>,
    rounds: usize,
    runs: &Release,
) -> anyhow::Result<Polled> {
    let work: Vec<usize> = (0..rounds).flat_map(|_| 0..pollers.len()).collect();
    let count = work.len();
    let (service, pollers) = (world.service().clone(), Arc::clone(pollers));
    let software = Arc::new(runs.software.clone());
    let cpu_s = machine::cpu_seconds(std::process::id())?;
    let (answers, elapsed) = load::drive(work, AT_ONCE, move |n| {
        let (service, pollers) = (service.clone(), Arc::clone(&pollers));
        let software = Arc::clone(&software);
        async move {
            let caller = pollers.get(n).ok_or_else(|| anyhow::anyhow!("no such device"))?;
            let poll = service.poll_update(caller, &software).await?;
            Ok(match poll.decision {
                UpdateDecision::Install(assignment) => Some((n, assignment.action)),
                _ => None,
            })
        }
    })
    .await?;
    let cpu_s = machine::cpu_seconds(std::process::id())? - cpu_s;
    let told = answers.into_iter().flatten().collect();
    Ok(Polled { count, elapsed_s: elapsed.as_secs_f64(), cpu_s, told })
}

fn show_polls(bench: &Bench, what: &str, polled: &Polled) -> anyhow::Result<()> {
    let count = machine::count_f64(polled.count as u64);
    let (per_core, all) = (polled.per_cpu_second(), count / polled.elapsed_s);
    let of_cpu = format!("{what}, per CPU second, by the use case without TLS and HTTP");
    bench.show(&Figure::new(BENCH, of_cpu, per_core, "1/s", POLLS_TARGET, "target"))?;
    let (what, is) = (format!("{what}, all cores by the clock"), "target of one core");
    bench.show(&Figure::new(BENCH, what, all, "1/s", POLLS_TARGET, is))
}

/// A campaign over the whole product line.
async fn propose(world: &World, release: &ReleaseId) -> anyhow::Result<CampaignId> {
    let maker = world.maker();
    let stage = |share| Stage { share, success_percent: 90, error_percent: 50, soak_s: 0 };
    let campaign = NewCampaign {
        organisation: maker.organisation.clone(),
        name: "bench".to_owned(),
        release: *release,
        roll_back_to: None,
        search: DeviceSearch::default(),
        plan: Plan::new(vec![stage(FIRST_SHARE), stage(10_000 - FIRST_SHARE)])?,
    };
    Ok(world.service().create_campaign(&maker.caller, campaign).await?.id)
}

/// Half of those who were told say that they run it now: there is progress to look at.
async fn results(
    world: &World,
    pollers: &Arc<Vec<Caller>>,
    told: Vec<(usize, u64)>,
    new: &Release,
) -> anyhow::Result<()> {
    let half = told.len() / 2 + 1;
    for (n, action) in told.into_iter().take(half) {
        let caller = pollers.get(n).ok_or_else(|| anyhow::anyhow!("no such device"))?;
        let feedback = Feedback {
            execution: Execution::Confirmed,
            progress: None,
            detail: None,
            installed: Some(new.software.clone()),
        };
        world.service().update_feedback(caller, action, &feedback).await?;
    }
    Ok(())
}

async fn progress(
    bench: &Bench,
    world: &World,
    campaign: &CampaignId,
    count: usize,
) -> anyhow::Result<()> {
    let (service, caller) = (world.service(), &world.maker().caller);
    let (mut whole, mut devices) = (Vec::new(), Vec::new());
    for _ in 0..QUERIES {
        let start = machine::clock();
        let view = service.campaign(caller, campaign).await?;
        whole.push(start.elapsed().as_secs_f64() * 1000.0);
        let done: u64 = view.counts.iter().map(|counts| counts.succeeded).sum();
        anyhow::ensure!(done > 0, "no result is on record");
        let start = machine::clock();
        let (filter, page) = (CampaignDeviceFilter::All, Page::default());
        std::hint::black_box(service.campaign_devices(caller, campaign, filter, &page).await?);
        devices.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    for (what, times) in [("progress", &mut whole), ("first page of devices", &mut devices)] {
        for (share, name) in [(0.5, "p50"), (0.95, "p95")] {
            let what = format!("{what} of a campaign over {count} devices, {name}");
            let time = percentile(times, share);
            bench.show(&Figure::new(BENCH, what, time, "ms", PROGRESS_TARGET_MS, "target"))?;
        }
    }
    Ok(())
}
