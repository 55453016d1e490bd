//! OCSP answers per CPU-second against `openssl ocsp`, under the same load.

use super::{
    Bench, child::ServerProcess, figure::Figure, issue::certify, load, machine, world::World,
};
use anyhow::Context as _;
use pki::{
    Certificate, Serial,
    ocsp::{CertId, CertStatus, IssuerHash, OcspRequest, OcspResponse},
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpSocket,
};

const BENCH: &str = "ocsp";
/// Clients at once. Each has an address of its own on the loopback network, as real clients have,
/// since the server limits what one address may ask for.
const CLIENTS: u8 = 16;
const LOAD: Duration = Duration::from_secs(5);
/// Longest start of a responder, and longest answer.
const START_MAX: Duration = Duration::from_secs(20);
const ANSWER_MAX: Duration = Duration::from_secs(20);
const TARGET: f64 = 4.0;
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

pub async fn run(bench: &Bench) -> anyhow::Result<()> {
    let count = bench.count(1_000);
    let world = World::create(bench.dir()).await?;
    let chips = world.make_chips(count, &bench.progress(count, "making chips")).await?;
    let (certified, _) = certify(&world, chips, &bench.progress(count, "certifying chips")).await?;
    let mut ids = Vec::with_capacity(count);
    for certified in &certified {
        let [leaf, issuer, ..] = certified.chain.as_slice() else {
            anyhow::bail!("a certificate came without its issuer's");
        };
        ids.push(CertId::of(leaf, issuer)?);
    }
    world.close().await?;

    let ours = {
        let server = ServerProcess::start(world.dir())?;
        measure(bench, "asking tegata", server.public, server.id(), &ids).await?
    };
    let serials: Vec<Serial> = ids.iter().map(|id| id.serial).collect();
    let what = "answers per CPU-second of the server's process, a connection each";
    match Openssl::start(bench.dir(), &serials)? {
        None => {
            eprintln!("SKIPPED: openssl is not installed; the comparison with it is not made");
            bench.show(&Figure::new(BENCH, what, ours.per_cpu_second, "1/s", 0.0, "not measured"))
        }
        Some((openssl, ids)) => {
            let theirs =
                measure(bench, "asking openssl", openssl.address, openssl.child.id(), &ids).await?;
            let is = "openssl ocsp per CPU-second, same load";
            let theirs_per_cpu = theirs.per_cpu_second;
            bench.show(&Figure::new(
                BENCH,
                what,
                ours.per_cpu_second,
                "1/s",
                theirs_per_cpu,
                is,
            ))?;
            let is = "target: 4 times openssl ocsp per CPU-second";
            let target = theirs_per_cpu * TARGET;
            bench.show(&Figure::new(BENCH, what, ours.per_cpu_second, "1/s", target, is))?;
            let what = "answers per second of wall clock, a connection each";
            let is = "openssl ocsp (one thread) under the same load";
            bench.show(&Figure::new(BENCH, what, ours.per_second, "1/s", theirs.per_second, is))
        }
    }
}

struct Measured {
    per_second: f64,
    per_cpu_second: f64,
}

/// Asks for the status of every certificate once, so that whatever a responder keeps it has, then
/// loads it for a while.
async fn measure(
    bench: &Bench,
    what: &'static str,
    address: SocketAddr,
    pid: u32,
    ids: &[CertId],
) -> anyhow::Result<Measured> {
    let requests: Arc<Vec<Vec<u8>>> = Arc::new(
        ids.iter().map(|id| OcspRequest { ids: vec![*id], nonce: None }.to_der()).collect(),
    );
    if let Some(request) = requests.first() {
        wait_for(address, request).await?;
    }
    let bar = bench.progress(ids.len(), what);
    for (id, request) in ids.iter().zip(requests.iter()) {
        let answer = ask(address, 1, request).await?;
        let response = OcspResponse::parse(&answer)?;
        let good = response.answer(id).is_some_and(|answer| answer.status == CertStatus::Good);
        anyhow::ensure!(good, "a responder does not say good of a good certificate");
        bar.inc(1);
    }
    bar.finish_and_clear();

    let (answered, stop) = (Arc::new(AtomicU64::new(0)), machine::clock() + LOAD);
    let before = machine::cpu_seconds(pid)?;
    let clients: Vec<u8> = (1..=CLIENTS).collect();
    let count = answered.clone();
    let (_, elapsed) = load::drive(clients, usize::from(CLIENTS), move |client| {
        let (requests, count) = (requests.clone(), count.clone());
        async move {
            let mut at = usize::from(client) * requests.len() / usize::from(CLIENTS);
            while machine::clock() < stop {
                at = (at + 1) % requests.len();
                let request = requests.get(at).context("there are no certificates")?;
                let answer = ask(address, client, request).await?;
                // OCSPResponseStatus successful: SEQUENCE, length of two bytes, ENUMERATED 0.
                anyhow::ensure!(
                    answer.get(4..7) == Some(&[0x0a, 1, 0]),
                    "a responder answered with an error under load"
                );
                count.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        }
    })
    .await?;
    let used = machine::cpu_seconds(pid)? - before;
    let answered = answered.load(Ordering::Relaxed);
    Ok(Measured {
        per_second: machine::per_second(answered, elapsed),
        per_cpu_second: machine::per_second(answered, Duration::from_secs_f64(used.max(0.01))),
    })
}

/// Waits until a responder answers. A request and no mere connection: `openssl ocsp` (3.0) does not
/// come back from a connection that is closed without one.
async fn wait_for(address: SocketAddr, request: &[u8]) -> anyhow::Result<()> {
    let start = machine::clock();
    while let Err(error) = ask(address, 1, request).await {
        anyhow::ensure!(start.elapsed() < START_MAX, "a responder does not start: {error:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Posts one request over a connection of its own (RFC 6960 appendix A.1) and returns the body.
async fn ask(address: SocketAddr, client: u8, request: &[u8]) -> anyhow::Result<Vec<u8>> {
    tokio::time::timeout(ANSWER_MAX, ask_now(address, client, request))
        .await
        .context("a responder does not answer")?
}

async fn ask_now(address: SocketAddr, client: u8, request: &[u8]) -> anyhow::Result<Vec<u8>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::new(127, 0, 1, client), 0).into())?;
    let mut stream = socket.connect(address).await.context("a responder takes no connection")?;
    let head = format!(
        "POST /ocsp HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/ocsp-request\r\nContent-Length: {}\r\n\r\n",
        request.len()
    );
    let message = [head.as_bytes(), request].concat();
    stream.write_all(&message).await?;
    let mut answer = Vec::with_capacity(2048);
    (&mut stream).take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .context("a responder's answer has no end of its header")?;
    let (head, body) = answer.split_at(end + 4);
    let status = head.get(9..12).unwrap_or_default();
    anyhow::ensure!(
        status == b"200",
        "a responder answered {}",
        String::from_utf8_lossy(head.get(..64).unwrap_or(head))
    );
    Ok(body.to_vec())
}

/// `openssl ocsp` as a responder for as many certificates.
struct Openssl {
    child: Child,
    address: SocketAddr,
}

impl Openssl {
    /// Starts it with an index of `serials` under a CA of its own; `None` where there is no
    /// openssl. Returns what to ask it for.
    fn start(dir: &Path, serials: &[Serial]) -> anyhow::Result<Option<(Self, Vec<CertId>)>> {
        let (ca, key) = (dir.join("openssl-ca.pem"), dir.join("openssl-ca.key"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "30", "-subj", "/CN=bench", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&ca)
            .stderr(Stdio::null())
            .status();
        match made {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            made => anyhow::ensure!(made?.success(), "openssl req failed"),
        }
        let certificate = Certificate::from_pem(&std::fs::read_to_string(&ca)?)?;
        let public = certificate.public_key().map_err(Clone::clone)?;
        let issuer = IssuerHash::sha1(certificate.subject_der(), public);
        let ids = serials.iter().map(|serial| CertId { issuer, serial: *serial }).collect();
        let index = dir.join("openssl-index.txt");
        let lines: String = serials
            .iter()
            .map(|serial| {
                let hex = serial.to_string().to_uppercase();
                format!("V\t491231235959Z\t\t{hex}\tunknown\t/CN={hex}\n")
            })
            .collect();
        std::fs::write(&index, lines)?;
        let address = free_port()?;
        let child = Command::new("openssl")
            .args(["ocsp", "-ignore_err", "-nmin", "60", "-port", &address.port().to_string()])
            .arg("-index")
            .arg(&index)
            .arg("-CA")
            .arg(&ca)
            .arg("-rsigner")
            .arg(&ca)
            .arg("-rkey")
            .arg(&key)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Some((Self { child, address }, ids)))
    }
}

impl Drop for Openssl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free now: openssl cannot choose one itself.
fn free_port() -> anyhow::Result<SocketAddr> {
    Ok(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
