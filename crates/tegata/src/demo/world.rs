//! The installation that the demo plays on: a real server on loopback, a witness of its own beside
//! it, and everybody who takes part.

use crate::{
    clock,
    commands::{
        init::{Made, Plan, prepare},
        passport::TRUST_PATH,
        serve::urls,
        verify::anchors_of,
        write_private,
    },
    demo::people::{self, Organisation, Who, client},
    remote::{Remote, read_identity},
};
use anyhow::Context as _;
use api::{
    Client, Settings,
    wire::{Integrated, TrustBundle},
};
use console::Origin;
use crypto::{KeyAlgorithm, Secret, Signer as _, SoftwareKey, sealed::Unlock};
use device::{OrganisationId, TrustAnchors};
use ledger::{LogKey, WitnessKey};
use pki::Certificate;
use policy::Roles;
use server::{
    ConsoleDoor, Limits, Rate, RunningServer, Server, SystemClock,
    witness::{HttpWitness, WitnessConfig, WitnessServer},
};
use service::{Config, NewPerson, Service, WitnessClient};
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Ports looked at for a free one.
const PORTS_TRIED_MAX: usize = 100;

/// Where things are, and how to reach them.
pub(super) struct Site {
    pub(super) tls_url: String,
    pub(super) public_url: String,
    pub(super) witness_url: String,
    pub(super) roots: Vec<Certificate>,
    pub(super) language: device::Language,
    /// folder of everything
    pub(super) dir: PathBuf,
    /// folder of credentials
    pub(super) credentials: PathBuf,
}

impl Site {
    /// A client of the door for signed public data.
    pub(super) fn public(&self) -> anyhow::Result<Remote> {
        Ok(Remote::new(Client::public(&self.public_url, Settings::default())?))
    }

    /// A client of the witness.
    pub(super) fn witness(&self) -> anyhow::Result<Client> {
        Ok(Client::public(&self.witness_url, Settings::default())?)
    }
}

/// Everything that the demo plays with.
pub(super) struct World {
    pub(super) site: Site,
    /// administrator of the platform
    pub(super) platform: Remote,
    /// a log that the witness knows and that is going to misbehave
    pub(super) shady_log: ShadyLog,
    pub(super) trust: TrustBundle,
    organisations: Vec<(Who, Organisation)>,
    issuers: Vec<Certificate>,
}

/// Another log, whose operator holds its key and will sign two histories.
pub(super) struct ShadyLog {
    pub(super) origin: &'static str,
    pub(super) signer: Arc<SoftwareKey>,
}

/// What runs and must be stopped.
pub(super) struct Running {
    server: RunningServer,
    witness: WitnessServer,
    service: Service,
}

impl World {
    /// An organisation.
    pub(super) fn of(&self, who: Who) -> anyhow::Result<&Organisation> {
        self.organisations
            .iter()
            .find(|(known, _)| *known == who)
            .map(|(_, organisation)| organisation)
            .with_context(|| format!("{} has not joined", who.slug()))
    }

    /// A certificate with the issuing CA above it, as a device shows it.
    pub(super) fn chain(&self, leaf: Certificate) -> anyhow::Result<Vec<Certificate>> {
        let issuer = self.issuer(&leaf)?.clone();
        Ok(vec![leaf, issuer])
    }

    /// The CA that issued a certificate.
    pub(super) fn issuer(&self, leaf: &Certificate) -> anyhow::Result<&Certificate> {
        self.issuers
            .iter()
            .find(|issuer| issuer.subject_der() == leaf.issuer_der())
            .with_context(|| format!("nobody here issued {}", leaf.subject()))
    }

    /// What a verifier trusts before it sees a passport file.
    pub(super) fn anchors(&self) -> anyhow::Result<TrustAnchors> {
        anchors_of(&self.trust)
    }

    /// Waits until everything recorded so far is in a published checkpoint.
    pub(super) async fn integrate(&self) -> anyhow::Result<u64> {
        let done: Integrated = self.platform.post_empty("/v1/log/integration").await?;
        Ok(done.tree_size)
    }
}

impl Running {
    /// Where the console is, and one-time links into it: the platform's first administrator, and a
    /// person of each organisation that shows most.
    pub(super) async fn links(&self) -> anyhow::Result<Vec<(String, String)>> {
        let origin = self.server.console_origin().context("the demo has a console")?.as_str();
        let local = self.service.local_administrator();
        let mut links = Vec::new();
        for (who, handle, name) in
            [(Who::Kawa, "hanako", "川村 花子"), (Who::Yamato, "akira", "大和 彰")]
        {
            let new = NewPerson {
                organisation: OrganisationId::new(who.slug())?,
                handle: handle.to_owned(),
                display_name: name.to_owned(),
                roles: Roles::ALL,
            };
            let invited = self.service.invite_person(&local, new).await?;
            links.push((who.slug().to_owned(), invited.link.url(origin)));
        }
        if let Some(link) = self.service.first_link(&local).await? {
            links.push((policy::PLATFORM.to_owned(), link.url(origin)));
        }
        Ok(links)
    }

    /// Stops server, witness and service, in this order.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        let Self { server, witness, service } = self;
        server.shutdown().await;
        tokio::task::spawn_blocking(move || service.close()).await?;
        witness.shutdown().await;
        Ok(())
    }
}

/// Makes the installation in `dir`, starts it, and lets everybody join.
pub(super) async fn build(
    dir: &Path,
    language: device::Language,
) -> anyhow::Result<(World, Running)> {
    let data = dir.join("server");
    anyhow::ensure!(
        !data.exists(),
        "{} holds an installation already; give an empty folder",
        dir.display()
    );
    let credentials = dir.join("credentials");
    std::fs::create_dir_all(&data)
        .with_context(|| format!("cannot make the folder {}", data.display()))?;
    // The witness comes first: the installation is told whose cosignature its checkpoints need.
    let witness_key = Arc::new(SoftwareKey::generate(KeyAlgorithm::Ed25519)?);
    let witness_name = "witness.tegata.local";
    let witness_vkey = WitnessKey::new(witness_name, witness_key.public_key())?.to_string();

    let (made, seal) = found(dir, &data, &witness_vkey).await?;
    let admin_path = credentials.join("platform-administrator.pem");
    write_private(&admin_path, made.admin_pem.expose())?;
    std::fs::write(dir.join("root.pem"), made.root.certificate().to_pem())?;

    let shady_log = ShadyLog {
        origin: "kage.example/log",
        signer: Arc::new(SoftwareKey::generate(KeyAlgorithm::Ed25519)?),
    };
    let shady_key = LogKey::new(shady_log.origin, shady_log.signer.public_key())?;
    let witness_dir = dir.join("witness");
    std::fs::create_dir_all(&witness_dir)?;
    let witness = WitnessServer::start(WitnessConfig {
        listen: loopback(0),
        name: witness_name.to_owned(),
        signer: witness_key,
        logs: vec![made.log_key.parse()?, shady_key],
        state: witness_dir.join("witness.state"),
        clock: Arc::new(SystemClock),
        limits: Limits::default(),
    })
    .await?;
    let witness_url = format!("http://{}", witness.address());

    // The address of the public door goes into certificates, so it is chosen before it opens.
    let public = free_port()?;
    let public_url = format!("http://{public}");
    let console = free_port()?;
    let console_url = Origin::parse(&format!("http://localhost:{}", console.port()))?;
    let asked = HttpWitness::new(&witness_vkey, &witness_url)?;
    let config = Config {
        witnesses: vec![Arc::new(asked) as Arc<dyn WitnessClient>],
        urls: urls(&public_url),
        console_url: Some(console_url.to_string()),
        ..Config::default()
    };
    let service =
        Service::open(&data, &Unlock::KeyFile(&seal), config, Arc::new(clock::SystemClock))?;
    let config = server::Config {
        tls: loopback(0),
        public,
        console: Some(ConsoleDoor { address: console, url: Some(console_url), certificate: None }),
        limits: one_host_plays_many(),
        ..server::Config::default()
    };
    let server = Server::start(config, service.clone()).await?;

    let site = Site {
        tls_url: format!("https://{}", server.tls_address()),
        public_url: format!("http://{}", server.public_address()),
        witness_url,
        roots: vec![made.root.certificate().clone()],
        language,
        dir: dir.to_owned(),
        credentials,
    };
    let identity = read_identity(&admin_path)?;
    let platform = Remote::new(client(&site, Some(&identity))?);
    let trust: TrustBundle = platform.get(TRUST_PATH).await?;
    std::fs::write(dir.join("trust.json"), serde_json::to_vec_pretty(&trust)?)?;
    let (mut organisations, mut issuers) = (Vec::new(), Vec::new());
    for who in Who::ALL {
        let (organisation, its) = people::join(&site, &platform, &made.root, who).await?;
        organisations.push((who, organisation));
        issuers.extend(its);
    }
    let world = World { site, platform, shady_log, trust, organisations, issuers };
    Ok((world, Running { server, witness, service }))
}

/// Root ceremony and a new data directory; returns what opens its keys, too.
async fn found(dir: &Path, data: &Path, witness_vkey: &str) -> anyhow::Result<(Made, Secret)> {
    let seal = crypto::random::secret::<32>();
    write_private(&data.join("seal.key"), seal.expose())?;
    let phrase = crypto::Sha256(crypto::random::bytes());
    let phrase = Secret::new(phrase.to_string().into_bytes());
    let root_dir = dir.join("root");
    write_private(&root_dir.join("passphrase"), phrase.expose())?;
    let plan = Plan {
        name: "tegata.local",
        root_dir: &root_dir,
        root_unlock: Unlock::Passphrase(&phrase),
        algorithm: KeyAlgorithm::EcdsaP256,
        witness_keys: &[witness_vkey.to_owned()],
    };
    let made = prepare(data, &Unlock::KeyFile(&seal), &plan).await?;
    Ok((made, seal))
}

/// Limits that let one host be a whole fleet. What they protect from comes from elsewhere.
fn one_host_plays_many() -> Limits {
    let free = Rate::new(1_000_000, 1_000_000);
    let usual = Limits::default();
    Limits {
        connections_per_source_max: usual.connections_max,
        requests_per_source_max: usual.requests_max,
        rate_per_source: free,
        rate_per_credential: free,
        ..usual
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// An address that nobody listens at now, below the ports that the system hands out by itself
/// (32768 and up on Linux): until the door opens, no connection of anybody's takes it.
fn free_port() -> anyhow::Result<SocketAddr> {
    let tries = std::iter::repeat_with(|| {
        let [high, low] = crypto::random::bytes();
        TcpListener::bind(loopback(10_000 + u16::from_be_bytes([high, low]) % 20_000))
    });
    match tries.take(PORTS_TRIED_MAX).find_map(Result::ok) {
        Some(listener) => Ok(listener.local_addr()?),
        None => anyhow::bail!("no port between 10000 and 30000 is free on loopback"),
    }
}
