//! EST over fresh mTLS connections against bare handshakes of the same kind.
//!
//! Server and clients share the cores, in both measurements alike: the ratio is what enrolment
//! adds to a handshake.

use super::{
    Bench,
    figure::Figure,
    issue::certify,
    load, machine,
    world::{Certified, World},
};
use anyhow::Context as _;
use api::{Client, Identity, Settings, client::Est};
use crypto::{Signer, tls::signing_key};
use rustls::{
    RootCertStore,
    pki_types::CertificateDer,
    server::{ServerConfig, WebPkiClientVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
};
use server::{Limits, Server};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{io::AsyncReadExt as _, net::TcpListener};
use tokio_rustls::TlsAcceptor;

const BENCH: &str = "est";
/// Connections open at once.
const AT_ONCE: usize = 64;
const HOST: &str = "localhost";

pub async fn run(bench: &Bench) -> anyhow::Result<()> {
    let count = bench.count(2_000);
    let world = World::create(bench.dir()).await?;
    let chips = world.make_chips(count, &bench.progress(count, "making chips")).await?;
    let (certified, _) = certify(&world, chips, &bench.progress(count, "certifying chips")).await?;
    let names = [HOST.to_owned()];

    // Before and after what is held against it: a machine is not the same from minute to minute.
    let first = bare(bench, &world, &names, &certified).await?;
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = server::Config {
        tls: loopback,
        public: loopback,
        names: names.to_vec(),
        // All devices are one host here, which no faster machine shall be turned away for.
        limits: Limits {
            rate_per_source: server::Rate::new(1_000_000, 1_000_000),
            ..Limits::default()
        },
        ..server::Config::default()
    };
    let running = Server::start(config, world.service().clone()).await?;
    let bar = bench.progress(count, "enrolling");
    let enrolments = enrol(&world, &certified, running.tls_address(), &bar).await?;
    bar.finish_and_clear();
    running.shutdown().await;
    let second = bare(bench, &world, &names, &certified).await?;
    let mean = |of: fn(&Rate) -> f64| f64::midpoint(of(&first), of(&second));
    bench.show(&Figure::new(
        BENCH,
        "simpleenroll, each over a fresh mTLS connection, IDevIDs durable",
        enrolments.per_second,
        "1/s",
        mean(|rate| rate.per_second),
        "bare mTLS handshakes (TLS 1.3, X25519MLKEM768, P-256), clients in the same process",
    ))?;
    bench.show(&Figure::new(
        BENCH,
        "CPU time of an enrolment, server, store and client together",
        enrolments.cpu_us,
        "us",
        mean(|rate| rate.cpu_us),
        "CPU time of a bare mTLS handshake, server and client",
    ))?;
    world.close().await
}

/// What was done per second, and the CPU time of this process for each.
struct Rate {
    per_second: f64,
    cpu_us: f64,
}

impl Rate {
    fn new(count: u64, elapsed: Duration, cpu_s: f64) -> Self {
        let cpu = Duration::from_secs_f64(cpu_s.max(0.001));
        Self {
            per_second: machine::per_second(count, elapsed),
            cpu_us: 1e6 / machine::per_second(count.max(1), cpu),
        }
    }
}

/// Bare handshakes, one with each chip.
async fn bare(
    bench: &Bench,
    world: &World,
    names: &[String],
    chips: &[Certified],
) -> anyhow::Result<Rate> {
    let bare = BareServer::start(world, names).await?;
    let clients = clients(world, chips, bare.address)?;
    let bar = bench.progress(chips.len(), "shaking hands");
    let rate = bare.measure(clients, &bar).await?;
    bar.finish_and_clear();
    Ok(rate)
}

async fn enrol(
    world: &World,
    chips: &[Certified],
    address: SocketAddr,
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<Rate> {
    let requests = load::prepare(chips.len(), &indicatif::ProgressBar::hidden(), |n| {
        let chip: &Certified = chips.get(n).context("no such chip")?;
        crate::csr::for_device(&chip.chip.device.to_string(), None, &chip.chip.key)
    })?;
    let clients = clients(world, chips, address)?;
    let work: Vec<_> = clients.into_iter().zip(requests).collect();
    let (bar, cpu) = (bar.clone(), machine::cpu_seconds(std::process::id())?);
    let (done, elapsed) = load::drive(work, AT_ONCE, move |(client, csr)| {
        let bar = bar.clone();
        async move {
            let certificate = Est::new(client, None).enrol(&csr, None).await?;
            bar.inc(1);
            std::hint::black_box(certificate);
            Ok(())
        }
    })
    .await?;
    let cpu = machine::cpu_seconds(std::process::id())? - cpu;
    Ok(Rate::new(done.len() as u64, elapsed, cpu))
}

/// A client per chip: none of them can resume another's session.
fn clients(world: &World, chips: &[Certified], address: SocketAddr) -> anyhow::Result<Vec<Client>> {
    let base = format!("https://{HOST}:{}", address.port());
    chips
        .iter()
        .map(|chip| {
            let identity = Identity {
                chain: chip.chain.clone(),
                key: chip.chip.key.clone() as Arc<dyn Signer>,
            };
            let roots = std::slice::from_ref(world.root());
            Ok(Client::new(&base, roots, Some(&identity), Settings::default())?)
        })
        .collect()
}

/// A server that shakes hands and does nothing else: rustls with its own verifier of client
/// certificates, the algorithms, the certificate and the key of the real server.
struct BareServer {
    address: SocketAddr,
    done: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl BareServer {
    async fn start(world: &World, names: &[String]) -> anyhow::Result<Self> {
        let credential = world.service().server_credential(names).await?;
        let der = |certificate: &pki::Certificate| CertificateDer::from(certificate.der().to_vec());
        let chain = credential.chain.iter().map(der).collect();
        let key = CertifiedKey::new(chain, signing_key(credential.key));
        let mut roots = RootCertStore::empty();
        roots.add(der(world.root()))?;
        let provider = api::tls::provider();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.send_tls13_tickets = 1;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let done = Arc::new(AtomicU64::new(0));
        let count = done.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, count) = (acceptor.clone(), count.clone());
                let _ = stream.set_nodelay(true);
                tokio::spawn(async move {
                    match acceptor.accept(stream).await {
                        Ok(mut stream) => {
                            count.fetch_add(1, Ordering::Relaxed);
                            // Until the client hangs up.
                            let _ = stream.read(&mut [0; 1]).await;
                        }
                        // The client hung up before it took its session ticket: the last thing
                        // that is sent, when everything has been checked.
                        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                            count.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => eprintln!("warning: a bare handshake failed: {error}"),
                    }
                });
            }
        });
        Ok(Self { address, done, task })
    }

    /// Handshakes per second, counted where both sides have finished.
    async fn measure(
        &self,
        clients: Vec<Client>,
        bar: &indicatif::ProgressBar,
    ) -> anyhow::Result<Rate> {
        let count = clients.len() as u64;
        let before = self.done.load(Ordering::Relaxed);
        let (bar, cpu) = (bar.clone(), machine::cpu_seconds(std::process::id())?);
        let start = machine::clock();
        load::drive(clients, AT_ONCE, move |client| {
            let bar = bar.clone();
            async move {
                let connection = client.connect().await?;
                bar.inc(1);
                drop(connection);
                Ok(())
            }
        })
        .await?;
        // The client's side is done before the server has checked the client's certificate.
        while self.done.load(Ordering::Relaxed) - before < count {
            anyhow::ensure!(
                start.elapsed() < Duration::from_secs(60),
                "bare handshakes failed; the limit cannot be measured"
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let cpu = machine::cpu_seconds(std::process::id())? - cpu;
        Ok(Rate::new(count, start.elapsed(), cpu))
    }
}

impl Drop for BareServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
