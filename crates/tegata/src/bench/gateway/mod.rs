//! The door for messages: what a message costs beside mosquitto, a hijacked part of a fleet, all clients
//! back at once, how soon who may not be here is gone, and connections that do nothing.

mod broker;
mod client;
mod devices;
mod doors;

use super::{
    Bench,
    child::ServerProcess,
    figure::{Figure, percentile},
    load, machine,
    world::World,
};
use crate::{files, mqtt::Said};
use broker::Broker;
use client::{Mqtt, Thing};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

const BENCH: &str = "gateway";
const SHARE_TARGET: f64 = 0.7;
const IDLE_TARGET_KIB: f64 = 24.0;
const HIJACK_TARGET: f64 = 1.5;
/// Connections of one device that do nothing.
const IDLE_EACH: usize = 4;
/// Devices beside those that send, for the connections that do nothing: five times as many.
const IDLE_DEVICES: usize = 5;
/// Handshakes under way at once.
const HANDSHAKES: usize = 64;
const WARM: Duration = Duration::from_secs(2);
const LOAD: Duration = Duration::from_secs(10);
/// How often those send that are not hijacked: well below what one may.
const PACE: Duration = Duration::from_millis(250);
/// How often a client sends where rates are measured: below the 20 a second that a device may send, so
/// that what is measured is what is admitted.
const RATE_PACE: Duration = Duration::from_millis(60);
/// Messages that a hijacked device has under way.
const FLOOD: usize = 30;
/// One in so many is hijacked.
const HIJACKED: usize = 5;
/// How often what is compared is measured, in turns: one late sync of the disk is half of a p99.
const TURNS: usize = 5;
/// File descriptors beside the connections.
const FILES: u64 = 512;
const PAYLOAD: &[u8] = b"{\"temperature\":21.5}";

pub async fn run(bench: &Bench) -> anyhow::Result<()> {
    let count = bench.count(1000);
    let idle = count.saturating_mul(IDLE_DEVICES).saturating_mul(IDLE_EACH);
    // Ours and the server's, which inherits it.
    let most_files = files::raise(u64::try_from(idle.saturating_add(count))?.saturating_add(FILES));
    let world = World::create(bench.dir()).await?;
    let all = count.saturating_mul(IDLE_DEVICES);
    let things = devices::make(&world, all, &bench.progress(all, "making devices")).await?;
    let broker = Broker::start(&world, bench.dir()).await?;
    world.close().await?;
    let connections = idle.saturating_add(count).saturating_add(64).to_string();
    let server = tokio::task::block_in_place(|| {
        ServerProcess::start_with(world.dir(), &["--connections", &connections], true)
    })?;
    let to = server.doors()?.mqtt;
    let (sending, _) = things.split_at(count.min(things.len()));

    rates(bench, sending, (server.id(), to), broker.as_ref()).await?;
    drop(broker);
    hijacked(bench, sending, to).await?;
    reconnect(bench, sending, to).await?;
    doors::cut_off(bench, &world, &server, sending).await?;
    let most = usize::try_from(most_files.saturating_sub(FILES)).unwrap_or(usize::MAX).min(idle);
    if most < idle {
        eprintln!("only {most} connections of {idle}: raise the limit of open files (ulimit -n)");
    }
    do_nothing(bench, &things, server.id(), to, most).await
}

/// Connects them all; how long it took.
async fn connect(
    things: &[Thing],
    to: SocketAddr,
    name: usize,
) -> anyhow::Result<(Vec<(Thing, Mqtt)>, Duration)> {
    load::drive(things.to_vec(), HANDSHAKES, move |thing| async move {
        let mqtt = thing.connect(to, name).await?;
        Ok((thing, mqtt))
    })
    .await
}

fn topic(thing: &Thing) -> String {
    format!("d/{}/up/t", thing.id)
}

/// What a run of messages came to.
struct Sent {
    per_second: f64,
    per_cpu_second: f64,
    p99_ms: f64,
    refused: u64,
}

/// Each client sends one message after the other, at the same pace, to whichever server.
async fn send(things: &[Thing], (pid, to): (u32, SocketAddr)) -> anyhow::Result<Sent> {
    let (clients, _) = connect(things, to, 0).await?;
    let start = machine::clock();
    let (warm, stop) = (start + WARM, start + WARM + LOAD);
    let refused = Arc::new(AtomicU64::new(0));
    let counted = refused.clone();
    // Neither how they come nor how they go.
    let taken = tokio::spawn(async move {
        tokio::time::sleep_until(warm.into()).await;
        let before = machine::cpu_seconds(pid)?;
        tokio::time::sleep_until(stop.into()).await;
        Ok::<_, anyhow::Error>(machine::cpu_seconds(pid)? - before)
    });
    let at_once = clients.len();
    let (times, _) = load::drive(clients, at_once, move |(thing, mut mqtt)| {
        let refused = counted.clone();
        async move {
            let (topic, mut own) = (topic(&thing), Vec::new());
            // Not all at the same moment.
            let share = u32::try_from(thing.number % 100).unwrap_or(0);
            tokio::time::sleep(RATE_PACE * share / 100).await;
            loop {
                let asked = machine::clock();
                if asked >= stop {
                    return Ok(own);
                }
                mqtt.send(&topic, PAYLOAD).await?;
                match mqtt.acknowledged().await? {
                    Said::Acknowledged if asked >= warm => own.push(milliseconds(asked)),
                    Said::Acknowledged => {}
                    Said::Refused(_) => {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
                tokio::time::sleep(RATE_PACE.saturating_sub(asked.elapsed())).await;
            }
        }
    })
    .await?;
    let cpu = taken.await??;
    let mut times: Vec<f64> = times.into_iter().flatten().collect();
    let count = machine::count_f64(u64::try_from(times.len())?);
    Ok(Sent {
        per_second: count / LOAD.as_secs_f64(),
        per_cpu_second: count / cpu.max(0.01),
        p99_ms: percentile(&mut times, 0.99),
        refused: refused.load(Ordering::Relaxed),
    })
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

async fn rates(
    bench: &Bench,
    things: &[Thing],
    server: (u32, SocketAddr),
    broker: Option<&Broker>,
) -> anyhow::Result<()> {
    // In turns, next to each other, the one and the other first: what else the machine does is much of what
    // one turn shows.
    let (mut ours, mut theirs, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..TURNS {
        let theirs_first = turn % 2 == 1;
        let before = if theirs_first { beside(things, broker).await? } else { None };
        let sent = send(things, server).await?;
        let after = if theirs_first { None } else { beside(things, broker).await? };
        if let Some(beside) = before.or(after) {
            shares.push(sent.per_cpu_second / beside.per_cpu_second.max(f64::EPSILON));
            theirs.push(beside);
        }
        ours.push(sent);
    }
    let median = |of: &[Sent], figure: fn(&Sent) -> f64| {
        percentile(&mut of.iter().map(figure).collect::<Vec<_>>(), 0.5)
    };
    let (by_clock, p99) = (median(&ours, |it| it.per_second), median(&ours, |it| it.p99_ms));
    let what = format!("messages of QoS 1, {} clients, on disk", things.len());
    let target = "no target";
    let what_by_clock = format!("{what}, by the clock, clients on the same cores");
    bench.show(&Figure::new(BENCH, what_by_clock, by_clock, "1/s", 0.0, target))?;
    bench.show(&Figure::new(BENCH, format!("{what}, p99"), p99, "ms", 0.0, target))?;
    let refused = machine::count_f64(ours.iter().map(|it| it.refused).sum());
    let what_refused = format!("{what}: refused, being too many, in {TURNS} turns");
    bench.show(&Figure::new(BENCH, what_refused, refused, "", 0.0, target))?;
    let per_cpu = format!("{what}, per CPU second of the server's process");
    let rate = median(&ours, |it| it.per_cpu_second);
    if theirs.is_empty() {
        eprintln!(
            "SKIPPED: there is no mosquitto to be measured beside; apt-get install mosquitto"
        );
        return bench.show(&Figure::new(BENCH, per_cpu, rate, "1/s", 0.0, target));
    }
    let is = "mosquitto with TLS and access list, in memory, per CPU second of its process";
    let beside = median(&theirs, |it| it.per_cpu_second);
    bench.show(&Figure::new(BENCH, per_cpu, rate, "1/s", beside, is))?;
    let what = "the same as a share of mosquitto's";
    let share = percentile(&mut shares, 0.5);
    bench.show(&Figure::new(BENCH, what, share, "×", SHARE_TARGET, "target"))?;
    for (which, rank) in [("least", 0.0), ("most", 1.0)] {
        let share = percentile(&mut shares, rank);
        let what = format!("{what}, the {which} of {TURNS} turns");
        bench.show(&Figure::new(BENCH, what, share, "×", 0.0, target))?;
    }
    let what = "mosquitto: messages of QoS 1 by the clock";
    let theirs = median(&theirs, |it| it.per_second);
    bench.show(&Figure::new(BENCH, what, theirs, "1/s", 0.0, "not ours"))
}

/// The same of mosquitto, where there is one.
async fn beside(things: &[Thing], broker: Option<&Broker>) -> anyhow::Result<Option<Sent>> {
    let Some(broker) = broker else { return Ok(None) };
    let sent = send(things, (broker.id(), broker.address)).await?;
    anyhow::ensure!(sent.refused == 0, "mosquitto refused {} messages", sent.refused);
    Ok(Some(sent))
}

/// What the others notice of a part of the fleet that sends as much as it can.
async fn hijacked(bench: &Bench, things: &[Thing], to: SocketAddr) -> anyhow::Result<()> {
    let (mut calm, mut flooded) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        calm.push(others(things, to, false).await?);
        flooded.push(others(things, to, true).await?);
    }
    let (calm, flooded) = (percentile(&mut calm, 0.5), percentile(&mut flooded, 0.5));
    let what = "p99 of devices that send four times a second, one in five of the fleet hijacked";
    let is = "the same without";
    bench.show(&Figure::new(BENCH, what, flooded, "ms", calm, is))?;
    let what = "growth of that p99";
    let growth = flooded / calm.max(f64::EPSILON);
    bench.show(&Figure::new(BENCH, what, growth, "×", HIJACK_TARGET, "target"))
}

/// p99 of those who keep to their pace, in milliseconds.
async fn others(things: &[Thing], to: SocketAddr, hijack: bool) -> anyhow::Result<f64> {
    let (clients, _) = connect(things, to, 0).await?;
    let start = machine::clock();
    let (warm, stop) = (start + WARM, start + WARM + LOAD);
    let at_once = clients.len();
    let (times, _) = load::drive(clients, at_once, move |(thing, mut mqtt)| async move {
        let bad = thing.number % HIJACKED == 0;
        let (topic, mut own) = (topic(&thing), Vec::new());
        if bad && hijack {
            // It may be cut off for what it does, and comes no more: that is what is wanted.
            let _ended = flood(&mut mqtt, &topic, stop).await;
            return Ok(own);
        }
        // Not all at the same moment.
        let share = u32::try_from(thing.number % 100).unwrap_or(0);
        tokio::time::sleep(PACE * share / 100).await;
        loop {
            let asked = machine::clock();
            if asked >= stop {
                return Ok(own);
            }
            mqtt.send(&topic, PAYLOAD).await?;
            let said = mqtt.acknowledged().await?;
            anyhow::ensure!(said == Said::Acknowledged, "one that keeps to its pace: {said:?}");
            if asked >= warm && !bad {
                own.push(milliseconds(asked));
            }
            tokio::time::sleep(PACE.saturating_sub(asked.elapsed())).await;
        }
    })
    .await?;
    let mut times: Vec<f64> = times.into_iter().flatten().collect();
    Ok(percentile(&mut times, 0.99))
}

/// Sends as fast as the protocol lets it.
async fn flood(mqtt: &mut Mqtt, topic: &str, stop: Instant) -> anyhow::Result<()> {
    for _ in 0..FLOOD {
        mqtt.send(topic, PAYLOAD).await?;
    }
    while machine::clock() < stop {
        let _said = mqtt.acknowledged().await?;
        mqtt.send(topic, PAYLOAD).await?;
    }
    Ok(())
}

async fn reconnect(bench: &Bench, things: &[Thing], to: SocketAddr) -> anyhow::Result<()> {
    let (clients, first) = connect(things, to, 0).await?;
    drop(clients);
    let (clients, again) = connect(things, to, 0).await?;
    let what =
        format!("all {} clients back after they all broke off, full handshakes", clients.len());
    let is = "the first time";
    bench.show(&Figure::new(BENCH, what, again.as_secs_f64(), "s", first.as_secs_f64(), is))
}

async fn do_nothing(
    bench: &Bench,
    things: &[Thing],
    pid: u32,
    to: SocketAddr,
    most: usize,
) -> anyhow::Result<()> {
    let before = machine::resident_mib(pid)?;
    let mut open = Vec::new();
    // The first ones were suspended, some of them.
    let fresh = things.get(things.len() / IDLE_DEVICES..).unwrap_or_default();
    for name in 1..=IDLE_EACH {
        let room = most.saturating_sub(open.len()).min(fresh.len());
        let (clients, _) = connect(fresh.get(..room).unwrap_or_default(), to, name).await?;
        open.extend(clients);
    }
    tokio::time::sleep(WARM).await;
    let grown = (machine::resident_mib(pid)? - before) * 1024.0;
    let count = machine::count_f64(u64::try_from(open.len())?).max(1.0);
    let what =
        format!("memory of a connection that does nothing, {} of them, TLS and all", open.len());
    bench.show(&Figure::new(
        BENCH,
        what,
        grown / count,
        "KiB",
        IDLE_TARGET_KIB,
        "target beside TLS",
    ))
}
