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
    net::{TcpSocket, TcpStream},
};

const BENCH: &str = "ocsp";
/// Clients at once. Each has an address of its own on the loopback network, as real clients have,
/// since the server limits what one address may ask for.
const CLIENTS: u8 = 40;
const LOAD: Duration = Duration::from_secs(5);
/// Longest start of a responder, and longest answer.
const START_MAX: Duration = Duration::from_secs(20);
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// Ports tried for openssl.
const PORTS_MAX: usize = 10;
const ANSWER_BYTES_MAX: usize = 64 * 1024;

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

    let server = ServerProcess::start(world.dir())?;
    let (at, pid) = (server.public, server.id());
    let ours = measure(bench, "asking tegata", at, pid, &ids, Connections::Fresh).await?;
    let kept = measure(bench, "asking tegata", at, pid, &ids, Connections::Kept).await?;
    drop(server);
    let serials: Vec<Serial> = ids.iter().map(|id| id.serial).collect();
    let what = "answers per CPU-second of the server's process, connections kept";
    let fresh = "answers per CPU-second of the server's process, a connection each";
    match Openssl::start(bench.dir(), &serials)? {
        None => {
            eprintln!("SKIPPED: openssl is not installed; the comparison with it is not made");
            let is = "not measured";
            bench.show(&Figure::new(BENCH, what, kept.per_cpu_second, "1/s", 0.0, is))?;
            bench.show(&Figure::new(BENCH, fresh, ours.per_cpu_second, "1/s", 0.0, is))
        }
        Some((openssl, ids)) => {
            let (at, pid) = (openssl.address, openssl.child.id());
            let theirs = measure(bench, "asking openssl", at, pid, &ids, Connections::Kept).await?;
            let limit = theirs.per_cpu_second;
            let is = "openssl ocsp per CPU-second, same load; it keeps no connections; target: \
                      a ratio of 4 at least";
            bench.show(&Figure::new(BENCH, what, kept.per_cpu_second, "1/s", limit, is))?;
            bench.show(&Figure::new(BENCH, fresh, ours.per_cpu_second, "1/s", limit, is))?;
            let what = "answers per second of wall clock, a connection each";
            let is = "openssl ocsp (one thread) under the same load";
            bench.show(&Figure::new(BENCH, what, ours.per_second, "1/s", theirs.per_second, is))
        }
    }
}

/// What a client does with a connection that the responder would keep (RFC 9112 section 9.3).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Connections {
    /// closes it
    Fresh,
    /// uses it again
    Kept,
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
    connections: Connections,
) -> anyhow::Result<Measured> {
    let requests: Arc<Vec<Vec<u8>>> = Arc::new(
        ids.iter().map(|id| OcspRequest { ids: vec![*id], nonce: None }.to_der()).collect(),
    );
    if let Some(request) = requests.first() {
        wait_for(address, request).await?;
    }
    let bar = bench.progress(ids.len(), what);
    for (id, request) in ids.iter().zip(requests.iter()) {
        let answer = Asker::new(address, 1, Connections::Fresh).ask(request).await?;
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
            let mut asker = Asker::new(address, client, connections);
            while machine::clock() < stop {
                at = (at + 1) % requests.len();
                let request = requests.get(at).context("there are no certificates")?;
                let answer = asker.ask(request).await?;
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
    while let Err(error) = Asker::new(address, 1, Connections::Fresh).ask(request).await {
        anyhow::ensure!(start.elapsed() < START_MAX, "a responder does not start: {error:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// One client.
struct Asker {
    address: SocketAddr,
    client: u8,
    connections: Connections,
    open: Option<TcpStream>,
}

impl Asker {
    fn new(address: SocketAddr, client: u8, connections: Connections) -> Self {
        Self { address, client, connections, open: None }
    }

    /// Posts one request (RFC 6960 appendix A.1) and returns the body of the answer.
    async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Vec<u8>> {
        tokio::time::timeout(ANSWER_MAX, self.ask_now(request))
            .await
            .context("a responder does not answer")?
    }

    async fn ask_now(&mut self, request: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut stream = match self.open.take() {
            Some(stream) => stream,
            None => {
                let socket = TcpSocket::new_v4()?;
                socket.bind((Ipv4Addr::new(127, 0, 1, self.client), 0).into())?;
                socket.connect(self.address).await.context("a responder takes no connection")?
            }
        };
        let close =
            if self.connections == Connections::Fresh { "Connection: close\r\n" } else { "" };
        let head = format!(
            "POST /ocsp HTTP/1.1\r\nHost: {}\r\n{close}\
             Content-Type: application/ocsp-request\r\nContent-Length: {}\r\n\r\n",
            self.address,
            request.len()
        );
        stream.write_all(&[head.as_bytes(), request].concat()).await?;
        let mut answer = Vec::with_capacity(2048);
        let (head, body) = loop {
            anyhow::ensure!(answer.len() < ANSWER_BYTES_MAX, "a responder's answer is too long");
            let more = stream.read_buf(&mut answer).await?;
            if let Some((head, body)) = complete(&answer)? {
                break (head, body);
            }
            anyhow::ensure!(more > 0, "a responder hung up in the middle of an answer");
        };
        // Whoever says HTTP/1.0 closes.
        if self.connections == Connections::Kept && head.starts_with("HTTP/1.1") {
            self.open = Some(stream);
        }
        anyhow::ensure!(head.get(9..12) == Some("200"), "a responder answered {head}");
        Ok(body)
    }
}

/// First line and body of an answer, once it has come completely.
fn complete(answer: &[u8]) -> anyhow::Result<Option<(String, Vec<u8>)>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let (head, body) = answer.split_at(end + 4);
    let head = String::from_utf8_lossy(head);
    let length: usize = head
        .lines()
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        })
        .context("a responder's answer has no Content-Length")?;
    let first = head.lines().next().unwrap_or_default().to_owned();
    Ok(body.get(..length).map(|body| (first, body.to_vec())))
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
        // A port that was free may be in use a moment later: thousands of clients have just left.
        for _ in 0..PORTS_MAX {
            let address = free_port()?;
            let mut child = Command::new("openssl")
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
            std::thread::sleep(Duration::from_millis(500));
            if child.try_wait()?.is_none() {
                return Ok(Some((Self { child, address }, ids)));
            }
        }
        anyhow::bail!("openssl ocsp does not stay; run it by hand to see why")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_when_they_are_complete() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";
        for end in 0..answer.len() {
            assert!(complete(&answer[..end]).unwrap().is_none(), "{end}");
        }
        let (head, body) = complete(answer).unwrap().unwrap();
        assert_eq!((head.as_str(), body.as_slice()), ("HTTP/1.1 200 OK", &b"abc"[..]));
        assert!(complete(b"HTTP/1.0 200 OK\r\n\r\n").is_err());
    }
}
