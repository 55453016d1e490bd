//! Durable issuance against what the cores could sign if nothing else were to be done.

use super::{
    Bench,
    figure::Figure,
    load, machine,
    world::{Certified, Chip, World},
};
use crypto::KeyAlgorithm;
use service::{ChipRequest, EnrolRequest};
use std::time::Duration;

const BENCH: &str = "issue";
/// Chips in one call.
const BATCH: usize = 200;
/// Calls under way at once.
const CALLS: usize = 16;
/// Single enrolments under way at once.
const SINGLES: usize = 256;

pub async fn run(bench: &Bench) -> anyhow::Result<()> {
    let count = bench.count(20_000);
    let machine::Limit { per_second: crypto, cpu_us: crypto_us } =
        machine::csr_check_and_sign(KeyAlgorithm::EcdsaP256)?;
    let sync = machine::fdatasync_rate(bench.dir())?;
    let crypto_is = "P-256 CSR check and signature, nothing else, all cores";
    let sync_is = "fdatasync of 4 KiB on the same disk";

    let world = World::create(bench.dir()).await?;
    let chips = world.make_chips(count, &bench.progress(count, "making chips")).await?;
    let show = |what: &str, done: u64, taken: Taken| {
        let rate = machine::per_second(done, taken.elapsed);
        bench.show(&Figure::new(BENCH, what, rate, "1/s", crypto, crypto_is))?;
        bench.show(&Figure::new(BENCH, what, rate, "1/s", sync, sync_is))?;
        let cpu = 1e6 / machine::per_second(done.max(1), Duration::from_secs_f64(taken.cpu_s));
        let what = format!("CPU time of one of {what}, all threads");
        let is = "CPU time of a P-256 CSR check and signature; target: a ratio of 2 at most";
        bench.show(&Figure::new(BENCH, what, cpu, "us", crypto_us, is))
    };
    let (certified, taken) =
        certify(&world, chips, &bench.progress(count, "certifying chips")).await?;
    show("chip certificates, in calls of many", certified.len() as u64, taken)?;

    let singles: Vec<Certified> = certified.into_iter().take(count / 2 + 1).collect();
    let (done, taken) = enrol(&world, singles).await?;
    show("IDevIDs, one request each, many at once", done, taken)?;
    world.close().await
}

/// What some work took of the clock and, in this process, of the cores.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    /// by the clock
    pub elapsed: Duration,
    /// CPU time of all threads, in seconds
    pub cpu_s: f64,
}

/// Chip certificates for chips on record; only what was acknowledged is returned.
pub async fn certify(
    world: &World,
    chips: Vec<Chip>,
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<(Vec<Certified>, Taken)> {
    bar.reset();
    let requests = load::prepare(chips.len(), &indicatif::ProgressBar::hidden(), |n| {
        let chip: &Chip = chips.get(n).ok_or_else(|| anyhow::anyhow!("no such chip"))?;
        let csr = crate::csr::for_device(&chip.device.to_string(), None, &chip.key)?;
        Ok(ChipRequest { made: None, device: chip.device, csr })
    })?;
    let work: Vec<_> = chips.into_iter().zip(requests).collect();
    let (service, maker, progress) = (world.service().clone(), world.maker().clone(), bar.clone());
    let cpu_s = machine::cpu_seconds(std::process::id())?;
    let (certified, elapsed) = load::drive(load::pieces(work, BATCH), CALLS, move |piece| {
        let (service, maker, progress) = (service.clone(), maker.clone(), progress.clone());
        async move {
            let (chips, requests): (Vec<_>, Vec<_>) = piece.into_iter().unzip();
            let outcomes = service.issue_chip_certificates(&maker.caller, requests).await?;
            progress.inc(outcomes.len() as u64);
            chips
                .into_iter()
                .zip(outcomes)
                .map(|(chip, outcome)| {
                    let enrolled = outcome?;
                    let mut chain = vec![enrolled.certificate];
                    chain.extend(enrolled.chain);
                    Ok(Certified { chip, chain })
                })
                .collect::<anyhow::Result<Vec<_>>>()
        }
    })
    .await?;
    let cpu_s = machine::cpu_seconds(std::process::id())? - cpu_s;
    bar.finish_and_clear();
    Ok((certified.into_iter().flatten().collect(), Taken { elapsed, cpu_s }))
}

/// An IDevID for each chip that shows its certificate, each in a request of its own.
async fn enrol(world: &World, chips: Vec<Certified>) -> anyhow::Result<(u64, Taken)> {
    let requests = load::prepare(chips.len(), &indicatif::ProgressBar::hidden(), |n| {
        let chip: &Certified = chips.get(n).ok_or_else(|| anyhow::anyhow!("no such chip"))?;
        let csr = crate::csr::for_device(&chip.chip.device.to_string(), None, &chip.chip.key)?;
        Ok(EnrolRequest { label: None, csr })
    })?;
    let leaves = chips.into_iter().filter_map(|chip| chip.chain.into_iter().next());
    let work: Vec<_> = leaves.zip(requests).collect();
    let service = world.service().clone();
    let cpu_s = machine::cpu_seconds(std::process::id())?;
    let (done, elapsed) = load::drive(work, SINGLES, move |(leaf, request)| {
        let service = service.clone();
        async move {
            let caller = service.identify_certificate(&leaf).await?;
            service.enrol_device(&caller, &request, None).await?;
            Ok(())
        }
    })
    .await?;
    let cpu_s = machine::cpu_seconds(std::process::id())? - cpu_s;
    Ok((done.len() as u64, Taken { elapsed, cpu_s }))
}
