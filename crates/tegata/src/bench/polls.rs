//! Polls over HTTP: a server in a process of its own, devices with a connection each that they keep,
//! mutual TLS; and beside it, where it is installed, goosebit, a server of the hawkBit DDI API in
//! Python, with as many connections over plain HTTP.

use super::{
    Bench,
    child::ServerProcess,
    figure::{Figure, percentile},
    load, machine,
    world::{Certified, World},
};
use anyhow::Context as _;
use api::{
    Client, Identity, Settings,
    client::{Call, Connection},
    wire::{DeviceSoftware, UpdatePoll},
};
use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

const BENCH: &str = "update";
/// Devices that have a certificate and a connection. No more than a server takes from one address.
pub const DEVICES: usize = 128;
const LOAD: Duration = Duration::from_secs(8);
/// Before that, so that what is kept in memory is.
const WARM: Duration = Duration::from_secs(2);
const POLLS_TARGET: f64 = 10_000.0;
/// Longest start of the other server.
const START_MAX: Duration = Duration::from_secs(60);
/// How often a port is looked for.
const PORTS_MAX: usize = 10;

/// What was measured of one server.
pub struct Polled {
    /// polls per CPU second of its process
    pub per_cpu_second: f64,
    /// by the clock
    pub per_second: f64,
    /// longest answer of 99 in 100, in milliseconds
    pub p99_ms: f64,
}

/// Measures `tegata serve` on the data of a world that is closed. `by_use_case`: what the use case
/// alone does per CPU second.
pub async fn run(
    bench: &Bench,
    world: &World,
    certified: &[Certified],
    software: &DeviceSoftware,
    by_use_case: f64,
    goosebit: Option<&Path>,
) -> anyhow::Result<()> {
    let server = tokio::task::block_in_place(|| ServerProcess::start(world.dir()))?;
    let base = format!("https://localhost:{}", server.tls.port());
    let mut connections = Vec::new();
    for device in certified {
        let identity = Identity { chain: device.chain.clone(), key: device.chip.key.clone() };
        let root = std::slice::from_ref(world.root());
        let client = Client::new(&base, root, Some(&identity), settings())?;
        connections.push(client.connect().await?);
    }
    let call = Call::new(http::Method::POST, "/v1/update/poll").json(software)?;
    let ours = measure(server.id(), connections, call, |body| {
        let _poll: UpdatePoll = serde_json::from_slice(body)?;
        Ok(())
    })
    .await?;
    let memory = machine::resident_mib(server.id())?;
    drop(server);
    let what = format!("polls without change over HTTP, mutual TLS, {DEVICES} connections kept");
    let per_core = format!("{what}, per CPU second of the server's process");
    let rate = ours.per_cpu_second;
    bench.show(&Figure::new(BENCH, &per_core, rate, "1/s", POLLS_TARGET, "target"))?;
    let is = "the use case alone, without TLS and HTTP";
    bench.show(&Figure::new(BENCH, &per_core, rate, "1/s", by_use_case, is))?;
    let clock = format!("{what}, by the clock, clients on the same cores");
    bench.show(&Figure::new(
        BENCH,
        clock,
        ours.per_second,
        "1/s",
        POLLS_TARGET,
        "target of one core",
    ))?;
    let p99 = format!("{what}, p99 under that load");
    bench.show(&Figure::new(BENCH, p99, ours.p99_ms, "ms", 0.0, "no target"))?;
    let is = "no target";
    bench.show(&Figure::new(
        BENCH,
        "resident memory of the server then",
        memory,
        "MiB",
        0.0,
        is,
    ))?;
    let Some(venv) = goosebit else {
        eprintln!(
            "SKIPPED: goosebit is not measured; give its virtual environment with --goosebit"
        );
        return Ok(());
    };
    let theirs = beside(bench, venv).await?;
    let is = "goosebit over plain HTTP, as many connections, per CPU second of its process";
    bench.show(&Figure::new(BENCH, per_core, rate, "1/s", theirs.per_cpu_second, is))?;
    let is = "not ours";
    let what = "goosebit: polls without change by the clock";
    bench.show(&Figure::new(BENCH, what, theirs.per_second, "1/s", 0.0, is))?;
    let what = "goosebit: p99 under that load";
    bench.show(&Figure::new(BENCH, what, theirs.p99_ms, "ms", 0.0, is))
}

fn settings() -> Settings {
    Settings { http2: false, ..Settings::default() }
}

/// Lets every connection ask again as soon as it is answered.
async fn measure(
    pid: u32,
    connections: Vec<Connection>,
    call: Call,
    check: impl Fn(&[u8]) -> anyhow::Result<()> + Send + Sync + 'static,
) -> anyhow::Result<Polled> {
    let check = Arc::new(check);
    let times: Arc<Mutex<Vec<f64>>> = Arc::default();
    let start = machine::clock();
    let (warm, stop) = (start + WARM, start + WARM + LOAD);
    let counted = Arc::clone(&times);
    let pace = tokio::spawn(async move {
        tokio::time::sleep(WARM).await;
        machine::cpu_seconds(pid)
    });
    load::drive(connections, DEVICES, move |mut connection| {
        let (call, check, times) = (call.clone(), Arc::clone(&check), Arc::clone(&counted));
        async move {
            let mut own = Vec::new();
            loop {
                let asked = machine::clock();
                if asked >= stop {
                    break;
                }
                let answer = connection.send(call.clone()).await?.success()?;
                check(&answer.body)?;
                if asked >= warm {
                    own.push(asked.elapsed().as_secs_f64() * 1000.0);
                }
            }
            times.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
            Ok(())
        }
    })
    .await?;
    let before = pace.await??;
    let used = (machine::cpu_seconds(pid)? - before).max(0.01);
    let mut times = std::mem::take(&mut *times.lock().unwrap_or_else(PoisonError::into_inner));
    let count = times.len() as u64;
    anyhow::ensure!(count > 0, "nobody was answered");
    Ok(Polled {
        per_cpu_second: machine::per_second(count, Duration::from_secs_f64(used)),
        per_second: machine::per_second(count, LOAD),
        p99_ms: percentile(&mut times, 0.99),
    })
}

/// goosebit with as many registered devices, on a SQLite database of its own.
async fn beside(bench: &Bench, venv: &Path) -> anyhow::Result<Polled> {
    let server =
        tokio::task::block_in_place(|| Goosebit::start(venv, &bench.dir().join("goosebit")))?;
    let base = format!("http://127.0.0.1:{}", server.port);
    let client = Client::public(&base, settings())?;
    let ask = |device: usize| Call::get(format!("/DEFAULT/controller/v1/bench-{device}"));
    let start = machine::clock();
    while let Err(error) = client.call(ask(0)).await {
        anyhow::ensure!(start.elapsed() < START_MAX, "goosebit does not start: {error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let data = serde_json::json!({"data": {
        "hw_boardname": "chip-a1", "hw_revision": "1.0", "sw_version": "1.0.0"}});
    let mut connections = Vec::new();
    for device in 0..DEVICES {
        let mut connection = client.connect().await?;
        connection.send(ask(device)).await?.success()?;
        let path = format!("/DEFAULT/controller/v1/bench-{device}/configData");
        let known = Call::new(http::Method::PUT, path).json(&data)?;
        connection.send(known).await?.success()?;
        connections.push(connection);
    }
    measure(server.child.id(), connections, ask(1), |body| {
        let said: serde_json::Value = serde_json::from_slice(body)?;
        let links = said.get("_links").and_then(serde_json::Value::as_object);
        anyhow::ensure!(
            links.is_some_and(serde_json::Map::is_empty),
            "goosebit wants something: {said}"
        );
        Ok(())
    })
    .await
}

/// A running goosebit, which ends with this.
struct Goosebit {
    child: Child,
    port: u16,
}

/// Makes its tables.
const TABLES: &str = "
import asyncio
from tortoise import Tortoise
from goosebit.db.config import TORTOISE_CONF
async def make():
    await Tortoise.init(config=TORTOISE_CONF)
    await Tortoise.generate_schemas()
    await Tortoise.close_connections()
asyncio.run(make())
";

impl Goosebit {
    fn start(venv: &Path, dir: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let python = venv.join("bin/python");
        let program = || {
            let mut program = Command::new(&python);
            program
                .env("GOOSEBIT_DB_URI", format!("sqlite://{}", dir.join("db.sqlite3").display()))
                .env("GOOSEBIT_ARTIFACTS_DIR", dir.join("artifacts"))
                .current_dir(dir)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            program
        };
        let made = program().args(["-c", TABLES]).status().with_context(|| {
            format!("{} does not run; give a virtual environment with goosebit", python.display())
        })?;
        anyhow::ensure!(
            made.success(),
            "goosebit is not in {}; pip install it there",
            venv.display()
        );
        for _ in 0..PORTS_MAX {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            let mut child = program()
                .args(["-m", "uvicorn", "goosebit:app", "--host", "127.0.0.1"])
                .args(["--log-level", "warning", "--no-access-log", "--port", &port.to_string()])
                .spawn()?;
            std::thread::sleep(Duration::from_millis(1500));
            if child.try_wait()?.is_none() {
                return Ok(Self { child, port });
            }
        }
        anyhow::bail!("goosebit does not stay; run it by hand to see why")
    }
}

impl Drop for Goosebit {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
