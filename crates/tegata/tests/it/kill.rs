//! A server that is killed by SIGKILL while devices enrol and events come in: at every named step,
//! and at random moments. What was acknowledged is there after the restart, nothing is half there,
//! log and store agree, and the log never goes back behind a checkpoint that anybody has seen.
//!
//! One data directory lives through all rounds. `TEGATA_KILL_SEED` repeats a run.

use api::{
    Client, Identity, Settings,
    client::{Call, Est},
    wire,
};
use crypto::{
    KeyAlgorithm, Sha256, Signer as _, SoftwareKey, UnixTime, cose::Sign1, random, sealed::Unlock,
};
use device::{
    Build, DeviceId, DeviceKind, Event, EventKind, Kind, OrganisationId, ProductId, RootOfTrust,
    SignedEvent,
};
use ledger::{Commitment, SignedCheckpoint, TreeHead, verify_consistency};
use pki::{Certificate, Subject, csr::CsrBuilder};
use policy::{Caller, Role, Roles};
use service::{
    CaKind, CertificateQuery, CertificateStatus, Config, NewMember, NewOrganisation, NewProduct,
    NewSigner, Page, SIGNER_PROOF_CONTENT_TYPE, Service, Setup,
    ceremony::{CaSpec, Root, RootSpec},
    fault,
};
use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

const ROUNDS: usize = 50;
/// Rounds that die at each named step.
const ROUNDS_PER_POINT: usize = 4;
/// Devices whose histories grow, and devices that enrol, at the same time.
const REPORTERS: usize = 3;
const ENROLLERS: usize = 3;
/// Events of one history.
const HISTORY: u64 = 6;
/// A step that is not reached in this time is not reached: the round is killed from outside.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const SIGKILL: i32 = 9;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_is_half_there() {
    let seed = std::env::var("TEGATA_KILL_SEED").ok().and_then(|text| text.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| u64::from_be_bytes(random::bytes()) | 1);
    println!("TEGATA_KILL_SEED={seed}");
    let mut dice = Dice(seed | 1);
    let dir = tempfile::tempdir().unwrap();
    let factory = Arc::new(Factory::build(dir.path()).await);
    let mut plan: Vec<Death> = fault::POINTS
        .into_iter()
        .flat_map(|point| [point; ROUNDS_PER_POINT])
        .map(|point| Death::At { point, time: dice.below(16) + 1 })
        .collect();
    while plan.len() < ROUNDS {
        plan.push(Death::After(Duration::from_millis(dice.below(300) + 1)));
    }
    dice.shuffle(&mut plan);

    let mut seen = Seen::default();
    let (mut events, mut certificates) = (0, 0);
    let mut reached: HashMap<&str, usize> = HashMap::new();
    for (round, death) in plan.iter().enumerate() {
        let acknowledged = Arc::new(Mutex::new(Acknowledged::default()));
        let died_at_point = live_and_die(&factory, death, &acknowledged).await;
        if let (Death::At { point, .. }, true) = (death, died_at_point) {
            *reached.entry(point).or_default() += 1;
        }
        let acknowledged = Arc::try_unwrap(acknowledged).unwrap().into_inner().unwrap();
        events += acknowledged.events.len();
        certificates += acknowledged.certificates.len();
        seen.check(&factory, acknowledged)
            .await
            .unwrap_or_else(|error| panic!("seed {seed}, round {round}, {death:?}: {error}"));
    }
    println!("{events} events and {certificates} certificates acknowledged, {reached:?}");
    assert!(events > ROUNDS && certificates > ROUNDS, "the load was too light to mean anything");
    for point in fault::POINTS {
        assert!(reached.contains_key(point), "no round died at {point}");
    }
    let check = Command::new(env!("CARGO_BIN_EXE_tegata"))
        .args(["log", "check", "--json", "--dir"])
        .arg(&factory.data)
        .output()
        .unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}

/// How a round ends.
#[derive(Debug, Clone, Copy)]
enum Death {
    /// by its own hand, when it passes a named step for the so-many-th time
    At { point: &'static str, time: u64 },
    /// by ours, so long after it began to serve
    After(Duration),
}

/// What the server has confirmed in one round.
#[derive(Debug, Default)]
struct Acknowledged {
    events: Vec<wire::Recorded>,
    certificates: Vec<(DeviceId, Certificate)>,
    /// every device that anything was asked for, confirmed or not
    touched: Vec<DeviceId>,
    /// newest checkpoint that was served
    checkpoint: Option<TreeHead>,
}

/// Starts a server that dies by its own hand when it passes a step for the so-many-th time; returns it
/// with the port of its TLS door, unless it died before that opened.
pub(crate) fn serve(data: &Path, point: Option<(&str, u64)>) -> (Killed, Option<u16>) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_tegata"));
    server
        .args(["serve", "--listen", "127.0.0.1:0", "--listen-public", "127.0.0.1:0"])
        .args(["--console", "off", "--dir"])
        .arg(data)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .env_remove(fault::VARIABLE);
    if let Some((point, time)) = point {
        server.env(fault::VARIABLE, format!("{point}:{time}"));
    }
    let mut server = Killed(server.spawn().unwrap());
    let mut lines = BufReader::new(server.0.stderr.take().unwrap()).lines();
    let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let rest = line.strip_prefix("serving https://")?;
        let (address, _) = rest.split_once(" and ")?;
        Some(address.parse::<std::net::SocketAddr>().unwrap().port())
    });
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    (server, port)
}

/// Serves, takes load, dies. True: by its own hand.
async fn live_and_die(
    factory: &Arc<Factory>,
    death: &Death,
    acknowledged: &Arc<Mutex<Acknowledged>>,
) -> bool {
    let point = match death {
        Death::At { point, time } => Some((*point, *time)),
        Death::After(_) => None,
    };
    let (mut server, address) = serve(&factory.data, point);
    let mut tasks = tokio::task::JoinSet::new();
    // Some steps are passed before the doors open; then nobody was promised anything.
    if let Some(port) = address {
        let base = format!("https://localhost:{port}");
        let client = Client::new(
            &base,
            std::slice::from_ref(&factory.root),
            Some(&factory.station),
            Settings::default(),
        )
        .unwrap();
        for _ in 0..REPORTERS {
            tasks.spawn(report(factory.clone(), client.clone(), acknowledged.clone()));
        }
        for _ in 0..ENROLLERS {
            tasks.spawn(enrol(factory.clone(), client.clone(), acknowledged.clone()));
        }
        tasks.spawn(watch(client, acknowledged.clone()));
    }
    let start = Instant::now();
    let wait = match death {
        Death::At { .. } => PATIENCE,
        Death::After(time) => *time,
    };
    let by_itself = loop {
        if let Some(status) = server.0.try_wait().unwrap() {
            assert_eq!(status.signal(), Some(SIGKILL), "the server ended in another way: {status}");
            break true;
        }
        if start.elapsed() >= wait {
            server.0.kill().unwrap();
            server.0.wait().unwrap();
            break false;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    // Every client ends at its first error.
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    by_itself && matches!(death, Death::At { .. })
}

/// Histories, one event after the other.
async fn report(factory: Arc<Factory>, client: Client, acknowledged: Arc<Mutex<Acknowledged>>) {
    loop {
        let device = DeviceId::from_bytes(random::bytes());
        acknowledged.lock().unwrap().touched.push(device);
        let mut event = factory.chip_made(device, Sha256(random::bytes()));
        for sequence in 1..=HISTORY {
            let Some(recorded) = submit(&client, event).await else { return };
            assert_eq!(recorded.sequence + 1, sequence);
            event = factory.tested(device, sequence, Commitment(recorded.commitment.0));
            acknowledged.lock().unwrap().events.push(recorded);
        }
    }
}

/// Chips that are made and get their certificates over EST from the factory's station.
async fn enrol(factory: Arc<Factory>, client: Client, acknowledged: Arc<Mutex<Acknowledged>>) {
    let est = Est::new(client.clone(), Some(factory.product.as_str()));
    loop {
        let device = DeviceId::from_bytes(random::bytes());
        acknowledged.lock().unwrap().touched.push(device);
        let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let event = factory.chip_made(device, key.public_key().fingerprint());
        let Some(recorded) = submit(&client, event).await else { return };
        acknowledged.lock().unwrap().events.push(recorded);
        let subject = Subject { serial_number: device.to_string(), ..Subject::default() };
        let csr = CsrBuilder { subject, ..CsrBuilder::default() }.build(&key).unwrap();
        match est.enrol(&csr, None).await {
            Ok(certificate) => {
                acknowledged.lock().unwrap().certificates.push((device, certificate));
            }
            Err(error) => return gone(&error),
        }
    }
}

/// Somebody who follows the log.
async fn watch(client: Client, acknowledged: Arc<Mutex<Acknowledged>>) {
    loop {
        match client.call(Call::get("/log/checkpoint")).await {
            Ok(answer) => {
                let head = SignedCheckpoint::parse(&answer.body).unwrap().claimed().clone();
                acknowledged.lock().unwrap().checkpoint = Some(head);
            }
            Err(error) => return gone(&error),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// One event; `None` when the server is gone.
async fn submit(client: &Client, event: Vec<u8>) -> Option<wire::Recorded> {
    match client.call(Call::post("/v1/events", "application/cose", event)).await {
        Ok(answer) => Some(answer.json().unwrap()),
        Err(error) => {
            gone(&error);
            None
        }
    }
}

/// A dying server breaks connections; it refuses nothing that is right.
pub(crate) fn gone(error: &api::ClientError) {
    use api::ClientError as E;
    assert!(
        matches!(error, E::Connect { .. } | E::Tls { .. } | E::Http(_) | E::Timeout(_)),
        "the server answered instead of dying: {error}"
    );
}

/// What is known from all rounds so far.
#[derive(Default)]
struct Seen {
    checkpoint: Option<TreeHead>,
    /// confirmed once, looked at again in later rounds
    events: Vec<wire::Recorded>,
    certificates: Vec<(DeviceId, Certificate)>,
}

impl Seen {
    /// Opens what the dead server left behind and looks at it.
    async fn check(&mut self, factory: &Factory, new: Acknowledged) -> Result<(), String> {
        let service = factory.open();
        let found = self.check_open(factory, &service, new).await;
        tokio::task::spawn_blocking(move || service.close()).await.unwrap();
        found
    }

    async fn check_open(
        &mut self,
        factory: &Factory,
        service: &Service,
        new: Acknowledged,
    ) -> Result<(), String> {
        service.integrate_now().await.map_err(|error| error.to_string())?;
        let check = service.check_log(&service.local_administrator()).await.unwrap();
        if !check.problems.is_empty() {
            return Err(format!("log and store do not agree: {:?}", check.problems));
        }
        let head = SignedCheckpoint::parse(&service.checkpoint()).unwrap().claimed().clone();
        for old in [self.checkpoint.take(), new.checkpoint].into_iter().flatten() {
            extends(service, &old, &head).await?;
        }
        self.checkpoint = Some(head);

        for recorded in &new.events {
            present(service, &factory.caller, recorded).await?;
        }
        for (device, certificate) in &new.certificates {
            good(service, factory, *device, certificate).await?;
        }
        for device in &new.touched {
            whole(service, factory, *device).await?;
        }
        // And what earlier rounds were promised: a sample.
        for recorded in self.events.iter().rev().step_by(self.events.len() / 20 + 1) {
            present(service, &factory.caller, recorded).await?;
        }
        for (device, certificate) in
            self.certificates.iter().rev().step_by(self.certificates.len() / 20 + 1)
        {
            good(service, factory, *device, certificate).await?;
        }
        self.events.extend(new.events);
        self.certificates.extend(new.certificates);
        Ok(())
    }
}

/// The published log only grew.
async fn extends(service: &Service, old: &TreeHead, new: &TreeHead) -> Result<(), String> {
    if old.size > new.size || old.origin != new.origin {
        return Err(format!("the log went back from {old:?} to {new:?}"));
    }
    if old.size == 0 {
        return Ok(());
    }
    let proof = service.consistency(old.size, new.size).await.map_err(|error| error.to_string())?;
    verify_consistency(&proof, &old.root, &new.root)
        .map_err(|_| format!("the log forked between {old:?} and {new:?}"))
}

async fn history(service: &Service, caller: &Caller, device: DeviceId) -> Vec<service::EventView> {
    match service.history(caller, &device, &Page::default()).await {
        Ok(page) => page.items,
        Err(error) if error.code() == "not-found" => Vec::new(),
        Err(error) => panic!("{error}"),
    }
}

/// An acknowledged event is where it was said to be.
async fn present(
    service: &Service,
    caller: &Caller,
    recorded: &wire::Recorded,
) -> Result<(), String> {
    let events = history(service, caller, recorded.device.0).await;
    let found = events.iter().any(|event| {
        event.sequence == recorded.sequence
            && event.leaf == recorded.leaf
            && event.commitment == Some(Commitment(recorded.commitment.0))
    });
    if found { Ok(()) } else { Err(format!("an acknowledged event is lost: {recorded:?}")) }
}

async fn certificates(
    service: &Service,
    factory: &Factory,
    device: DeviceId,
) -> Vec<service::CertificateView> {
    let query = CertificateQuery { device: Some(device), status: None };
    let page = Page::default();
    match service.certificates(&factory.caller, &factory.organisation, &query, &page).await {
        Ok(page) => page.items,
        Err(error) if error.code() == "not-found" => Vec::new(),
        Err(error) => panic!("{error}"),
    }
}

/// An acknowledged certificate is on record, and works.
async fn good(
    service: &Service,
    factory: &Factory,
    device: DeviceId,
    certificate: &Certificate,
) -> Result<(), String> {
    let found = certificates(service, factory, device).await.iter().any(|view| {
        view.certificate.der() == certificate.der() && view.status == CertificateStatus::Good
    });
    if found { Ok(()) } else { Err(format!("an acknowledged certificate of {device} is lost")) }
}

/// Whatever was being done when the server died was done or not done: every certificate is in the
/// device's history, and no history tells of a certificate that is not there.
async fn whole(service: &Service, factory: &Factory, device: DeviceId) -> Result<(), String> {
    let events = history(service, &factory.caller, device).await;
    if !(0..).zip(&events).all(|(sequence, event)| event.sequence == sequence) {
        return Err(format!("the history of {device} has a gap"));
    }
    let issued = events.iter().filter(|event| event.kind == Kind::CredentialIssued).count();
    let certificates = certificates(service, factory, device).await;
    if certificates.len() == issued {
        return Ok(());
    }
    Err(format!("{device} has {} certificates, and {issued} in its history", certificates.len()))
}

/// An installation with a maker, its station, its product line and the line's CA.
pub(crate) struct Factory {
    pub(crate) data: std::path::PathBuf,
    unlock: crypto::Secret,
    pub(crate) root: Certificate,
    pub(crate) organisation: OrganisationId,
    pub(crate) product: ProductId,
    signer: SoftwareKey,
    pub(crate) station: Identity,
    pub(crate) caller: Caller,
}

impl Factory {
    pub(crate) async fn build(dir: &Path) -> Self {
        let data = dir.join("data");
        std::fs::create_dir(&data).unwrap();
        let unlock = random::secret::<32>();
        std::fs::write(data.join("seal.key"), unlock.expose()).unwrap();
        let spec = RootSpec {
            common_name: "root".to_owned(),
            organisation: "test".to_owned(),
            algorithm: KeyAlgorithm::EcdsaP256,
            years: 0,
        };
        let root = Root::create(&spec, now()).unwrap();
        let platform = OrganisationId::new(policy::PLATFORM).unwrap();
        let setup = Setup {
            origin: "test.tegata.local/log".to_owned(),
            platform: platform.clone(),
            platform_name: "test".to_owned(),
            witness_keys: Vec::new(),
            quorum: 0,
        };
        Service::create(&data, &Unlock::KeyFile(&unlock), &setup, &Now).unwrap();
        let service = open(&data, &unlock);
        let local = service.local_administrator();
        service.import_root(&local, root.certificate().clone()).await.unwrap();
        let organisation = OrganisationId::new("maker").unwrap();
        let product = ProductId::new("chip-a").unwrap();
        let install = async |organisation, product, kind| {
            let spec = CaSpec {
                organisation,
                product,
                kind,
                name: "CA".to_owned(),
                algorithm: KeyAlgorithm::EcdsaP256,
                years: 10,
            };
            let request = service.request_ca(&local, spec).await.unwrap();
            let ca = root.sign_ca(&request, pki::Locations::default(), now()).unwrap();
            service.install_ca(&local, ca).await.unwrap();
        };
        install(platform, None, CaKind::Platform).await;
        let new = NewOrganisation {
            id: organisation.clone(),
            name: "Maker".to_owned(),
            roles: device::Roles::MAKER,
        };
        service.create_organisation(&local, new).await.unwrap();
        let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let subject = Subject::named("station");
        let member = NewMember {
            organisation: organisation.clone(),
            name: "station".to_owned(),
            roles: Roles::of(&[Role::Administrator, Role::Operator, Role::Station]),
            csr: CsrBuilder { subject, ..CsrBuilder::default() }.build(&key).unwrap(),
        };
        let member = service.add_member(&local, member).await.unwrap();
        let caller = service.identify_certificate(&member.certificate).await.unwrap();
        let chain = std::iter::once(member.certificate).chain(member.chain).collect();
        let new = NewProduct {
            organisation: organisation.clone(),
            id: product.clone(),
            name: "Chip A".to_owned(),
            model: "A1".to_owned(),
            kind: DeviceKind::Chip,
            root_of_trust: RootOfTrust::SecureElement,
            support_end: None,
            ldevid_validity_s: None,
        };
        service.create_product(&caller, new).await.unwrap();
        install(organisation.clone(), Some(product.clone()), CaKind::Device).await;
        let signer = SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap();
        let id = organisation.as_str().as_bytes();
        let new = NewSigner {
            organisation: organisation.clone(),
            spki: signer.public_key().spki().to_vec(),
            proof: Sign1::sign(&signer, SIGNER_PROOF_CONTENT_TYPE, id, b"").unwrap(),
        };
        service.register_signer(&local, new).await.unwrap();
        tokio::task::spawn_blocking(move || service.close()).await.unwrap();
        Self {
            data,
            unlock,
            root: root.certificate().clone(),
            organisation,
            product,
            signer,
            station: Identity { chain, key: Arc::new(key) },
            caller,
        }
    }

    pub(crate) fn open(&self) -> Service {
        open(&self.data, &self.unlock)
    }

    pub(crate) fn chip_made(&self, device: DeviceId, key: Sha256) -> Vec<u8> {
        let kind = EventKind::ChipMade {
            build: Build::MassProduction,
            product: Some(self.product.clone()),
            root_of_trust: RootOfTrust::SecureElement,
            key,
        };
        self.sign(device, 0, None, kind)
    }

    fn tested(&self, device: DeviceId, sequence: u64, previous: Commitment) -> Vec<u8> {
        let kind = EventKind::Tested { passed: true, standard: None };
        self.sign(device, sequence, Some(previous), kind)
    }

    fn sign(
        &self,
        device: DeviceId,
        sequence: u64,
        previous: Option<Commitment>,
        kind: EventKind,
    ) -> Vec<u8> {
        let event = Event {
            device,
            sequence,
            previous,
            kind,
            at: now(),
            reporter: self.organisation.clone(),
            actor: None,
            place: None,
            evidence: Vec::new(),
            on_behalf: None,
            reason: None,
        };
        SignedEvent::sign(&self.signer, &event).unwrap().as_bytes().to_vec()
    }
}

fn open(data: &Path, unlock: &crypto::Secret) -> Service {
    Service::open(data, &Unlock::KeyFile(unlock), Config::default(), Arc::new(Now)).unwrap()
}

struct Now;

impl service::Clock for Now {
    fn now(&self) -> UnixTime {
        now()
    }
}

fn now() -> UnixTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    UnixTime(since.as_secs().try_into().unwrap())
}

/// A child that does not outlive the test.
pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Xorshift (Marsaglia 2003): a seed repeats a run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            let other = usize::try_from(self.below(at as u64 + 1)).unwrap();
            list.swap(at, other);
        }
    }
}
