//! What the console's lists and figures cost with many devices: search, pages, overview.

use super::{
    Bench,
    figure::{Figure, percentile},
    ledger::{Fleet, random_below},
    machine,
    world::{World, fleet_id},
};
use device::{Cause, Outcome, Phase, StandingKind};
use service::{
    Attention, DeviceAct, DeviceOrder, DeviceRelation, DeviceSearch, Page, VerdictFilter,
    VerifyRequest,
};

const BENCH: &str = "console";
const PAGE_TARGET_MS: f64 = 50.0;
const OVERVIEW_TARGET_MS: f64 = 1000.0;
const MEMORY_TARGET_MIB: f64 = 1024.0;
/// Queries of each kind.
const QUERIES: usize = 200;
/// Devices that are judged, retired and suspended, so that there is something to look for.
const JUDGED: usize = 20_000;
const RETIRED: usize = 3_000;
const SUSPENDED: usize = 300;
/// Lines on a page.
const LIMIT: u32 = 50;

pub async fn run(bench: &Bench) -> anyhow::Result<()> {
    let count = bench.count(1_000_000);
    let world = World::create(bench.dir()).await?;
    let mut fleet = Fleet::default();
    let bar = bench.progress(count, "registering devices");
    fleet.grow(&world, count, &bar).await?;
    bar.finish_and_clear();
    variety(bench, &world, count).await?;
    world.service().integrate_now().await?;
    let maker = world.maker();
    let start = machine::clock();
    let overview = world.service().overview(&maker.caller, &maker.organisation).await?;
    let first = start.elapsed().as_secs_f64() * 1000.0;
    anyhow::ensure!(overview.devices >= count as u64, "devices are missing from the overview");
    let what = format!("overview with {count} devices, first time");
    bench.show(&Figure::new(BENCH, what, first, "ms", OVERVIEW_TARGET_MS, "target"))?;
    let mut times = Vec::new();
    for _ in 0..QUERIES {
        let start = machine::clock();
        world.service().overview(&maker.caller, &maker.organisation).await?;
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    show(bench, "overview, counts kept", &mut times)?;

    for (what, search) in searches(&world) {
        measure(bench, &world, what, &search).await?;
    }
    texts(bench, &world, count).await?;
    for (what, mut times) in super::pages::times(bench, &world, &super::pages::fleet()).await? {
        show(bench, what, &mut times)?;
    }
    let memory = machine::resident_mib(std::process::id())?;
    let what = format!("resident memory with {count} devices, bench included");
    bench.show(&Figure::new(BENCH, what, memory, "MiB", MEMORY_TARGET_MIB, "target"))?;
    world.close().await
}

/// Not all devices are alike.
async fn variety(bench: &Bench, world: &World, count: usize) -> anyhow::Result<()> {
    let (service, caller) = (world.service(), &world.maker().caller);
    let bar = bench.progress(JUDGED, "judging devices");
    for n in 0..JUDGED.min(count) {
        let device = fleet_id(n.saturating_mul(count / JUDGED.min(count)));
        let act = if n % (JUDGED / SUSPENDED) == 1 {
            Some(DeviceAct::Suspend { cause: Cause::Lost })
        } else if n % (JUDGED / RETIRED) == 2 {
            Some(DeviceAct::Retire { cause: Cause::EndOfLife })
        } else {
            None
        };
        if let Some(act) = act {
            service.perform_act(caller, &device, &act).await?;
        }
        service.verify_device(caller, &device, VerifyRequest::default()).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    // Verdicts are written down behind.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    Ok(())
}

fn searches(world: &World) -> Vec<(&'static str, DeviceSearch)> {
    let any = DeviceSearch::default;
    let maker = world.maker();
    let product = Some((maker.organisation.clone(), maker.product.clone()));
    let retired = Some(Phase::Retired);
    let suspended = Some(StandingKind::Suspended);
    let outcome = |outcome| Some(VerdictFilter::Outcome(outcome));
    vec![
        ("all, newest first", any()),
        ("all, by serial number", DeviceSearch { order: DeviceOrder::Serial, ..any() }),
        ("those made", DeviceSearch { relation: DeviceRelation::Maker, ..any() }),
        ("of a product", DeviceSearch { product: product.clone(), ..any() }),
        ("of a phase that most have", DeviceSearch { phase: Some(Phase::MassProduction), ..any() }),
        ("of a phase that few have", DeviceSearch { phase: retired, ..any() }),
        (
            "of a standing that most have",
            DeviceSearch { standing: Some(StandingKind::Good), ..any() },
        ),
        ("suspended", DeviceSearch { standing: suspended, ..any() }),
        ("last verdict genuine", DeviceSearch { verdict: outcome(Outcome::Genuine), ..any() }),
        ("last verdict suspect", DeviceSearch { verdict: outcome(Outcome::Suspect), ..any() }),
        ("last verdict rejected", DeviceSearch { verdict: outcome(Outcome::Rejected), ..any() }),
        ("never judged", DeviceSearch { verdict: Some(VerdictFilter::Never), ..any() }),
        ("attention: suspect", DeviceSearch { attention: Some(Attention::Suspect), ..any() }),
        ("attention: alarm", DeviceSearch { attention: Some(Attention::Alarm), ..any() }),
        (
            "attention: expiring",
            DeviceSearch { attention: Some(Attention::Expiring { days: 30 }), ..any() },
        ),
        (
            "attention: stale",
            DeviceSearch { attention: Some(Attention::Stale { days: 30 }), ..any() },
        ),
        (
            "product, phase, standing and verdict at once",
            DeviceSearch { product, phase: retired, verdict: outcome(Outcome::Rejected), ..any() },
        ),
        (
            "three filters that nothing fits",
            DeviceSearch {
                phase: Some(Phase::MassProduction),
                standing: Some(StandingKind::Good),
                verdict: outcome(Outcome::Rejected),
                ..any()
            },
        ),
        ("offered", DeviceSearch { relation: DeviceRelation::Offered, ..any() }),
        ("shared", DeviceSearch { relation: DeviceRelation::Shared, ..any() }),
    ]
}

/// Pages onwards and backwards, from the first to the 200th.
async fn measure(
    bench: &Bench,
    world: &World,
    what: &str,
    search: &DeviceSearch,
) -> anyhow::Result<()> {
    let (service, maker) = (world.service(), world.maker());
    let mut page = Page { after: None, limit: LIMIT };
    let mut times = Vec::with_capacity(QUERIES);
    for n in 0..QUERIES {
        let start = machine::clock();
        let list =
            service.search_devices(&maker.caller, &maker.organisation, search, &page).await?;
        times.push(start.elapsed().as_secs_f64() * 1000.0);
        // Two steps on, one back.
        page.after = if n % 3 == 2 { list.previous.or(list.next) } else { list.next };
    }
    show(bench, &format!("page of {LIMIT}: {what}"), &mut times)
}

/// What people type.
async fn texts(bench: &Bench, world: &World, count: usize) -> anyhow::Result<()> {
    let (service, maker) = (world.service(), world.maker());
    let page = Page { after: None, limit: LIMIT };
    for what in [
        "device id",
        "device id, first 6",
        "management number",
        "serial number, first 8",
        "part of a serial number",
        "nothing known",
    ] {
        let mut times = Vec::with_capacity(QUERIES);
        for _ in 0..QUERIES {
            let device = fleet_id(usize::try_from(random_below(count as u64))?);
            let id = device.to_string();
            let text = match what {
                "device id" => id,
                "device id, first 6" => id.chars().take(6).collect(),
                "management number" => {
                    service.device(&maker.caller, &device).await?.management_number.to_string()
                }
                "serial number, first 8" => id.chars().take(8).collect(),
                "part of a serial number" => {
                    format!("{}z", id.chars().skip(8).take(8).collect::<String>())
                }
                _ => "zz-no-such".to_owned(),
            };
            let search = DeviceSearch { text: Some(text), ..DeviceSearch::default() };
            let start = machine::clock();
            let list =
                service.search_devices(&maker.caller, &maker.organisation, &search, &page).await?;
            times.push(start.elapsed().as_secs_f64() * 1000.0);
            std::hint::black_box(list);
        }
        show(bench, &format!("text: {what}"), &mut times)?;
    }
    Ok(())
}

fn show(bench: &Bench, what: &str, times: &mut [f64]) -> anyhow::Result<()> {
    for (share, name) in [(0.5, "p50"), (0.95, "p95")] {
        let time = percentile(times, share);
        let figure =
            Figure::new(BENCH, format!("{what}, {name}"), time, "ms", PAGE_TARGET_MS, "target");
        bench.show(&figure)?;
    }
    Ok(())
}
