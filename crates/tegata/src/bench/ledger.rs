//! Signed, durable events, how soon the log has them, and proofs from it.

use super::{
    Bench,
    figure::{Figure, percentile},
    load, machine,
    world::{BATCH, CALLS, World, fleet_id},
};
use crypto::{KeyAlgorithm, Sha256, random};
use ledger::Commitment;
use std::time::Duration;

const BENCH: &str = "ledger";
const EVENTS_TARGET: f64 = 15_000.0;
const PROOF_TARGET_MS: f64 = 1.0;
const PROOFS: usize = 10_000;
/// Events per device.
const ROUNDS: usize = 5;
/// Events that are signed beforehand at a time; bounds memory.
const SIGNED_AT_ONCE: usize = 50_000;

pub async fn run(bench: &Bench) -> anyhow::Result<()> {
    let devices = bench.count(50_000);
    let limit = machine::verify(KeyAlgorithm::Ed25519)?.per_second;
    let sync = machine::fdatasync_rate(bench.dir())?;
    let world = World::create(bench.dir()).await?;
    let mut fleet = Fleet::default();
    let bar = bench.progress(devices * ROUNDS, "recording events");
    let mut elapsed = fleet.grow(&world, devices, &bar).await?;
    for _ in 1..ROUNDS {
        elapsed += fleet.append(&world, (0..devices).collect(), &bar).await?;
    }
    bar.finish_and_clear();
    let events = (devices * ROUNDS) as u64;
    let rate = machine::per_second(events, elapsed);
    let what = format!("events recorded, {devices} devices, calls of {BATCH}");
    let target = Figure::new(BENCH, what.clone(), rate, "1/s", EVENTS_TARGET, "target");
    bench.show(&target)?;
    let is = "Ed25519 signature checks, nothing else, all cores";
    bench.show(&Figure::new(BENCH, what.clone(), rate, "1/s", limit, is))?;
    let is = "fdatasync of 4 KiB on the same disk";
    bench.show(&Figure::new(BENCH, what, rate, "1/s", sync, is))?;

    let start = machine::clock();
    let size = world.service().integrate_now().await?;
    let waited = start.elapsed().as_secs_f64();
    let what = "from the last acknowledgement to its checkpoint";
    bench.show(&Figure::new(BENCH, what, waited, "s", 1.0, "target"))?;
    proofs(bench, &world, size).await?;
    world.close().await
}

async fn proofs(bench: &Bench, world: &World, size: u64) -> anyhow::Result<()> {
    let mut times = Vec::with_capacity(PROOFS);
    for _ in 0..PROOFS {
        let leaf = random_below(size);
        let start = machine::clock();
        std::hint::black_box(world.service().inclusion(leaf).await?);
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    for (share, name) in [(0.5, "p50"), (0.99, "p99")] {
        let what = format!("inclusion proof {name}, random entries of {size}");
        let time = percentile(&mut times, share);
        bench.show(&Figure::new(BENCH, what, time, "ms", PROOF_TARGET_MS, "target"))?;
    }
    Ok(())
}

/// A number below `limit`.
pub fn random_below(limit: u64) -> u64 {
    u64::from_be_bytes(random::bytes()) % limit.max(1)
}

/// Devices with short histories, and where each history stands.
#[derive(Default)]
pub struct Fleet {
    heads: Vec<(u32, Commitment)>,
    cpu_s: f64,
    written: u64,
}

impl Fleet {
    /// How many devices.
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// CPU time of this process while events were recorded, in seconds.
    pub fn recording_cpu_s(&self) -> f64 {
        self.cpu_s
    }

    /// Bytes that this process wrote while events were recorded.
    pub fn recording_bytes(&self) -> u64 {
        self.written
    }

    /// Begins the histories of new devices until there are `count`. Returns the time that
    /// recording took, signing not counted.
    pub async fn grow(
        &mut self,
        world: &World,
        count: usize,
        bar: &indicatif::ProgressBar,
    ) -> anyhow::Result<Duration> {
        let mut elapsed = Duration::ZERO;
        while self.heads.len() < count {
            let from = self.heads.len();
            let to = count.min(from + SIGNED_AT_ONCE);
            let hidden = indicatif::ProgressBar::hidden();
            let events = load::prepare(to - from, &hidden, |n| {
                let device = fleet_id(from + n);
                let event = world.maker().chip_made(device, Sha256(random::bytes()))?;
                Ok((from + n, event))
            })?;
            self.heads.resize(to, (0, Commitment(Sha256([0; 32]))));
            elapsed += self.record(world, events, bar).await?;
        }
        Ok(elapsed)
    }

    /// One more event for each of the devices `which`, at most one each.
    pub async fn append(
        &mut self,
        world: &World,
        which: Vec<usize>,
        bar: &indicatif::ProgressBar,
    ) -> anyhow::Result<Duration> {
        let mut elapsed = Duration::ZERO;
        for which in load::pieces(which, SIGNED_AT_ONCE) {
            let hidden = indicatif::ProgressBar::hidden();
            let events = load::prepare(which.len(), &hidden, |n| {
                let lost = || anyhow::anyhow!("no such device");
                let n = *which.get(n).ok_or_else(lost)?;
                let (sequence, head) = *self.heads.get(n).ok_or_else(lost)?;
                Ok((n, world.maker().tested(fleet_id(n), sequence.into(), head)?))
            })?;
            elapsed += self.record(world, events, bar).await?;
        }
        Ok(elapsed)
    }

    async fn record(
        &mut self,
        world: &World,
        events: Vec<(usize, Vec<u8>)>,
        bar: &indicatif::ProgressBar,
    ) -> anyhow::Result<Duration> {
        let (service, maker, bar) = (world.service().clone(), world.maker().clone(), bar.clone());
        let cpu_s = machine::cpu_seconds(std::process::id())?;
        let written = machine::written_bytes(std::process::id())?;
        let (done, elapsed) = load::drive(load::pieces(events, BATCH), CALLS, move |piece| {
            let (service, maker, bar) = (service.clone(), maker.clone(), bar.clone());
            async move {
                let (which, events): (Vec<_>, Vec<_>) = piece.into_iter().unzip();
                let outcomes = service.record_events(&maker.caller, events).await?;
                bar.inc(outcomes.len() as u64);
                which
                    .into_iter()
                    .zip(outcomes)
                    .map(|(n, outcome)| Ok((n, outcome?)))
                    .collect::<anyhow::Result<Vec<_>>>()
            }
        })
        .await?;
        self.cpu_s += machine::cpu_seconds(std::process::id())? - cpu_s;
        self.written += machine::written_bytes(std::process::id())?.saturating_sub(written);
        for (n, recorded) in done.into_iter().flatten() {
            if let Some(head) = self.heads.get_mut(n) {
                *head = (u32::try_from(recorded.sequence)?.saturating_add(1), recorded.commitment);
            }
        }
        Ok(elapsed)
    }
}
