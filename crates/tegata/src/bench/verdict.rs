//! Verdicts, start-up, memory and the cost of each operation with many devices registered.

use super::{
    Bench,
    child::ServerProcess,
    figure::{Figure, percentile},
    issue::certify,
    ledger::{Fleet, random_below},
    machine,
    world::{Certified, World, fleet_id},
};
use api::{Client, Settings, client::Call, wire::VerificationRequest};
use device::DeviceId;
use std::{collections::BTreeSet, time::Duration};

const BENCH: &str = "verdict";
const VERDICT_TARGET_MS: f64 = 1.0;
const START_TARGET_S: f64 = 5.0;
const MEMORY_TARGET_MIB: f64 = 1024.0;
const GROWTH_TARGET: f64 = 1.5;
/// The fleet that a large one is compared with.
const SMALL: usize = 10_000;
/// Chips with certificates among them, made at each size; verdicts are asked for these.
const CERTIFIED: usize = 5_000;
/// Verdicts measured.
const VERDICTS: usize = 10_000;
/// Events appended to measure their cost: as many at each size, enough for a few checkpoints of the
/// store's write-ahead log.
const EVENTS: usize = 40_000;
/// Rounds in which they are appended at most, one event a device and round: histories stay short.
const ROUNDS_MAX: usize = 20;
/// Verdicts asked for over REST before memory is looked at.
const REST_VERDICTS: usize = 2_000;

pub async fn run(bench: &Bench) -> anyhow::Result<()> {
    let count = bench.count(1_000_000);
    let small = SMALL.min(count);
    let mut world = World::create(bench.dir()).await?;
    let mut fleet = Fleet::default();
    let mut certified = Vec::new();

    let before = costs(bench, &world, &mut fleet, &mut certified, small).await?;
    let start = machine::clock();
    let after = costs(bench, &world, &mut fleet, &mut certified, count).await?;
    eprintln!("{count} devices are registered after {:.0} s", start.elapsed().as_secs_f64());
    let is = format!("the same with {small} devices; target: a ratio of {GROWTH_TARGET} at most");
    for (what, small, large) in [
        ("event append", before.append_us, after.append_us),
        ("event append, CPU time of all threads", before.append_cpu_us, after.append_cpu_us),
        ("verdict", before.verdict_us, after.verdict_us),
        ("issuance", before.issue_us, after.issue_us),
    ] {
        let name = format!("cost with {count} devices: {what}");
        bench.show(&Figure::new(BENCH, name, large, "us", small, is.as_str()))?;
    }
    let name = format!("bytes written for an event with {count} devices");
    let (small, large) = (before.append_bytes, after.append_bytes);
    bench.show(&Figure::new(BENCH, name, large, "B", small, is.as_str()))?;

    world.close().await?;
    let start = machine::clock();
    world.reopen()?;
    let time = start.elapsed().as_secs_f64();
    let what = format!("start-up with {count} devices: opening the service");
    bench.show(&Figure::new(BENCH, what, time, "s", START_TARGET_S, "target"))?;
    let devices: Vec<DeviceId> = certified.iter().map(|chip| chip.chip.device).collect();
    let mut times = verdicts(&world, &devices).await?;
    for (share, name) in [(0.5, "p50"), (0.99, "p99")] {
        let what =
            format!("verdict {name} with {count} devices: chain, history, inclusion in the log");
        let time = percentile(&mut times, share);
        bench.show(&Figure::new(BENCH, what, time, "ms", VERDICT_TARGET_MS, "target"))?;
    }
    world.close().await?;
    server(bench, &world, &devices, count).await
}

/// What one operation costs, in microseconds, with calls under way at once.
struct Costs {
    append_us: f64,
    append_cpu_us: f64,
    append_bytes: f64,
    verdict_us: f64,
    issue_us: f64,
}

/// Grows the fleet to `count` devices and measures there.
async fn costs(
    bench: &Bench,
    world: &World,
    fleet: &mut Fleet,
    certified: &mut Vec<Certified>,
    count: usize,
) -> anyhow::Result<Costs> {
    let with_keys = CERTIFIED.min(count / 2);
    let bar = bench.progress(count, "registering devices");
    bar.set_position(fleet.len() as u64);
    fleet.grow(world, count.saturating_sub(with_keys), &bar).await?;
    bar.finish_and_clear();
    let chips = world.make_chips(with_keys, &bench.progress(with_keys, "making chips")).await?;
    let bar = bench.progress(with_keys, "certifying chips");
    let (new, issuing) = certify(world, chips, &bar).await?;
    let issue_us = microseconds_each(issuing.elapsed, new.len());
    certified.extend(new);

    let (mut appending, mut events, cpu) = (Duration::ZERO, 0, fleet.recording_cpu_s());
    let written = fleet.recording_bytes();
    let bar = bench.progress(EVENTS, "appending events");
    for _ in 0..ROUNDS_MAX {
        let mut which = BTreeSet::new();
        while which.len() < (EVENTS - events).min(fleet.len() / 2) {
            which.insert(usize::try_from(random_below(fleet.len() as u64))?);
        }
        // In an order of no meaning: neighbours in the fleet are neighbours in the store.
        let mut which: Vec<usize> = which.into_iter().collect();
        which.sort_by_cached_key(|n| fleet_id(*n));
        events += which.len();
        appending += fleet.append(world, which, &bar).await?;
    }
    let written = fleet.recording_bytes().saturating_sub(written);
    let appending_cpu = Duration::from_secs_f64(fleet.recording_cpu_s() - cpu);
    bar.finish_and_clear();
    world.service().integrate_now().await?;

    let devices: Vec<DeviceId> = certified.iter().map(|chip| chip.chip.device).collect();
    let mut times = verdicts(world, &devices).await?;
    Ok(Costs {
        append_us: microseconds_each(appending, events),
        append_cpu_us: microseconds_each(appending_cpu, events),
        append_bytes: machine::count_f64(written) / machine::count_f64(events.max(1) as u64),
        verdict_us: percentile(&mut times, 0.5) * 1000.0,
        issue_us,
    })
}

/// Milliseconds of verdicts over random devices, one after the other.
async fn verdicts(world: &World, devices: &[DeviceId]) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::with_capacity(VERDICTS);
    for _ in 0..VERDICTS {
        let n = usize::try_from(random_below(devices.len() as u64))?;
        let Some(device) = devices.get(n) else { break };
        let start = machine::clock();
        let verdict = world
            .service()
            .verify_device(&world.maker().caller, device, service::VerifyRequest::default())
            .await?;
        times.push(start.elapsed().as_secs_f64() * 1000.0);
        std::hint::black_box(verdict);
    }
    Ok(times)
}

/// The real server in a process of its own: how soon it serves, and how much memory it has after a
/// while of verdicts over REST.
async fn server(
    bench: &Bench,
    world: &World,
    devices: &[DeviceId],
    count: usize,
) -> anyhow::Result<()> {
    let start = machine::clock();
    let server = tokio::task::block_in_place(|| ServerProcess::start(world.dir()))?;
    let time = start.elapsed().as_secs_f64();
    let what = format!("start-up with {count} devices: `tegata serve` until it serves");
    bench.show(&Figure::new(BENCH, what, time, "s", START_TARGET_S, "target"))?;
    let client = Client::new(
        &format!("https://localhost:{}", server.tls.port()),
        std::slice::from_ref(world.root()),
        Some(&world.maker().identity),
        Settings::default(),
    )?;
    let request = VerificationRequest::default();
    let mut times = Vec::with_capacity(REST_VERDICTS);
    for _ in 0..REST_VERDICTS {
        let n = usize::try_from(random_below(devices.len() as u64))?;
        let Some(device) = devices.get(n) else { break };
        let path = format!("/v1/devices/{device}/verifications");
        let start = machine::clock();
        client.call(Call::new(http::Method::POST, path).json(&request)?).await?;
        times.push(start.elapsed().as_secs_f64() * 1000.0);
        // The server's limit of requests per credential is not what is measured here.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let what = format!("verdict p99 with {count} devices over REST, one after the other");
    let time = percentile(&mut times, 0.99);
    bench.show(&Figure::new(BENCH, what, time, "ms", VERDICT_TARGET_MS, "target without HTTP"))?;
    let memory = machine::resident_mib(server.id())?;
    let what = format!("resident memory of `tegata serve` with {count} devices");
    bench.show(&Figure::new(BENCH, what, memory, "MiB", MEMORY_TARGET_MIB, "target"))
}

#[expect(clippy::cast_precision_loss, reason = "counts of a bench stay far below 2^52")]
fn microseconds_each(elapsed: Duration, count: usize) -> f64 {
    elapsed.as_secs_f64() * 1e6 / count.max(1) as f64
}
