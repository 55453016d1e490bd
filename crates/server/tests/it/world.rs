//! A real server on free ports over a new installation: root, platform, a maker, an owner.

use api::{
    Client, Identity, Rest, Settings,
    client::{Answer, Call},
};
use crypto::{KeyAlgorithm, Secret, Signer, SoftwareKey, UnixTime, random, sealed::Unlock};
use device::{
    Build, DeviceId, DeviceKind, Event, EventKind, OrganisationId, ProductId, RootOfTrust,
    SignedEvent,
};
use pki::{Certificate, CsrBuilder, Locations, Subject};
use policy::{Caller, Role, Roles};
use serde_json::Value;
use server::{Limits, RunningServer, Server, SystemClock};
use service::{
    CaKind, CaSpec, Clock, EnrolRequest, NewDevice, NewMember, NewOrganisation, NewProduct,
    NewSigner, Service, Setup,
    ceremony::{Root, RootSpec},
    signer_proof,
};
use std::{net::SocketAddr, sync::Arc};

/// A member of an organisation with all that it needs to connect.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) identity: Identity,
    pub(crate) caller: Caller,
}

impl Member {
    pub(crate) fn certificate(&self) -> &Certificate {
        &self.identity.chain[0]
    }
}

pub(crate) struct Org {
    pub(crate) id: OrganisationId,
    pub(crate) admin: Member,
    pub(crate) station: Member,
    pub(crate) reader: Member,
    pub(crate) signer: SoftwareKey,
}

pub(crate) struct World {
    dir: tempfile::TempDir,
    pub(crate) service: Service,
    pub(crate) root: Root,
    pub(crate) platform: Member,
    pub(crate) running: Option<RunningServer>,
    pub(crate) tls: SocketAddr,
    pub(crate) public: SocketAddr,
}

pub(crate) fn id(text: &str) -> OrganisationId {
    OrganisationId::new(text).unwrap()
}

pub(crate) fn product(text: &str) -> ProductId {
    ProductId::new(text).unwrap()
}

pub(crate) fn key() -> SoftwareKey {
    SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap()
}

pub(crate) fn csr(key: &SoftwareKey, serial: &str) -> Vec<u8> {
    let subject = Subject { serial_number: serial.into(), ..Subject::named("any") };
    CsrBuilder { subject, ..CsrBuilder::default() }.build(key).unwrap()
}

/// Generous enough that one test does not meet them by accident.
pub(crate) fn limits() -> Limits {
    Limits::default()
}

/// Nothing of a test waits long, or begins by itself.
pub(crate) fn config() -> service::Config {
    // What a test writes is small: it needs no gigabyte that stays free.
    let limits = service::Limits { disk_reserve_bytes: 0, ..service::Limits::default() };
    service::Config {
        integrate_ms: 20,
        readers: 2,
        evidence_s: 0,
        limits,
        ..service::Config::default()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(limits()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        Self::behind(limits, Vec::new()).await
    }

    /// One whose operator has named proxies.
    pub(crate) async fn behind(limits: Limits, proxies: Vec<service::Network>) -> Self {
        let places = service::Places { table: None, proxies };
        Self::set_up(limits, service::Config { places, ..config() }).await
    }

    /// One that is configured so.
    pub(crate) async fn set_up(limits: Limits, config: service::Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock);
        let secret = Secret::new((0..32).collect());
        let setup = Setup {
            origin: "test.example/log".into(),
            platform: id("platform"),
            platform_name: "Test platform".into(),
            witness_keys: Vec::new(),
            quorum: 0,
        };
        let unlock = Unlock::KeyFile(&secret);
        Service::create(dir.path(), &unlock, &setup, clock.as_ref()).unwrap();
        let service = Service::open(dir.path(), &unlock, config, clock).unwrap();
        let spec = RootSpec {
            common_name: "Test root".into(),
            organisation: "Test".into(),
            algorithm: KeyAlgorithm::EcdsaP384,
            years: 0,
        };
        let root = Root::create(&spec, SystemClock.now()).unwrap();
        let local = service.local_administrator();
        service.import_root(&local, root.certificate().clone()).await.unwrap();
        authority(&service, &root, "platform", None, CaKind::Platform).await;
        let platform = member(&service, "platform", "root admin", Roles::ALL).await;
        let config = server::Config {
            tls: ([127, 0, 0, 1], 0).into(),
            public: ([127, 0, 0, 1], 0).into(),
            coap: Some(([127, 0, 0, 1], 0).into()),
            coap_raw_keys: true,
            limits,
            ..server::Config::default()
        };
        let running = Server::start(config, service.clone()).await.unwrap();
        let (tls, public) = (running.tls_address(), running.public_address());
        Self { dir, service, root, platform, running: Some(running), tls, public }
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.dir.path()
    }

    pub(crate) fn client_with(&self, member: Option<&Identity>, settings: Settings) -> Client {
        let roots = [self.root.certificate().clone()];
        Client::new(&format!("https://{}", self.tls), &roots, member, settings).unwrap()
    }

    pub(crate) fn client(&self, member: Option<&Identity>) -> Client {
        self.client_with(member, Settings::default())
    }

    pub(crate) fn rest(&self, member: &Member) -> Rest {
        Rest::new(self.client(Some(&member.identity)))
    }

    pub(crate) fn plain(&self) -> Client {
        Client::public(&format!("http://{}", self.public), Settings::default()).unwrap()
    }

    pub(crate) async fn org(&self, name: &str, roles: device::Roles) -> Org {
        let new = NewOrganisation { id: id(name), name: name.into(), roles };
        self.service.create_organisation(&self.platform.caller, new).await.unwrap();
        let administrator = Roles::of(&[Role::Administrator, Role::Operator, Role::Auditor]);
        let admin = member(&self.service, name, "admin", administrator).await;
        let station = Roles::of(&[Role::Station, Role::Operator]);
        let station = member(&self.service, name, "station", station).await;
        let reader = member(&self.service, name, "reader", Role::Reader.into()).await;
        let signer = SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap();
        let new = NewSigner {
            organisation: id(name),
            spki: signer.public_key().spki().to_vec(),
            proof: signer_proof(&signer, &id(name)).unwrap(),
        };
        self.service.register_signer(&admin.caller, new).await.unwrap();
        Org { id: id(name), admin, station, reader, signer }
    }

    pub(crate) async fn maker(&self, name: &str, line: &str) -> Org {
        let org = self.org(name, device::Roles::MAKER).await;
        let new = NewProduct {
            organisation: org.id.clone(),
            id: product(line),
            name: "Gate".into(),
            model: "G4".into(),
            kind: DeviceKind::Device,
            root_of_trust: RootOfTrust::SecureElement,
            support_end: None,
            ldevid_validity_s: None,
        };
        self.service.create_product(&org.admin.caller, new).await.unwrap();
        authority(&self.service, &self.root, name, Some(product(line)), CaKind::Device).await;
        org
    }

    pub(crate) async fn owner(&self, name: &str) -> Org {
        let org = self.org(name, device::Roles::NONE).await;
        authority(&self.service, &self.root, name, None, CaKind::Owner).await;
        org
    }

    /// A device on record whose history has begun.
    pub(crate) async fn made(&self, maker: &Org, line: &str) -> Thing {
        let serial = format!("SN-{}", hex::encode(random::bytes::<6>()));
        let new = NewDevice { id: None, serial_number: serial.clone() };
        let views = self
            .service
            .register_devices(&maker.station.caller, &maker.id, &product(line), vec![new])
            .await
            .unwrap();
        let view = views.into_iter().next().unwrap().unwrap();
        let key = key();
        let kind = EventKind::Assembled {
            kind: view.kind,
            build: Build::MassProduction,
            product: product(line),
            root_of_trust: Some(RootOfTrust::SecureElement),
            key: Some(key.public_key().fingerprint()),
            parts: Vec::new(),
        };
        let thing = Thing { id: view.id, serial, key };
        self.report(maker, &thing.id, kind).await;
        thing
    }

    /// The next event of a device, signed by `org`.
    pub(crate) async fn signed(&self, org: &Org, device: &DeviceId, kind: EventKind) -> Vec<u8> {
        let head = self.service.head(&org.station.caller, device).await.unwrap();
        let event = Event {
            device: *device,
            sequence: head.next_sequence,
            previous: head.previous,
            kind,
            at: SystemClock.now(),
            reporter: org.id.clone(),
            actor: Some("Taro Yamada".into()),
            place: None,
            evidence: Vec::new(),
            on_behalf: None,
            reason: None,
        };
        SignedEvent::sign(&org.signer, &event).unwrap().as_bytes().to_vec()
    }

    pub(crate) async fn report(&self, org: &Org, device: &DeviceId, kind: EventKind) {
        let cose = self.signed(org, device, kind).await;
        self.service.record_event(&org.station.caller, cose).await.unwrap();
    }

    pub(crate) async fn idevid(&self, maker: &Org, line: &str, thing: &Thing) -> Identity {
        let request =
            EnrolRequest { label: Some(product(line)), csr: csr(&thing.key, &thing.serial) };
        let enrolled =
            self.service.enrol_device(&maker.station.caller, &request, None).await.unwrap();
        let mut chain = vec![enrolled.certificate];
        chain.extend(enrolled.chain);
        Identity { chain, key: Arc::new(copy(&thing.key)) }
    }

    pub(crate) async fn sell(&self, from: &Org, to: &Org, device: &DeviceId) {
        self.report(from, device, EventKind::TransferOffered { to: to.id.clone() }).await;
        self.report(to, device, EventKind::TransferAccepted { from: from.id.clone() }).await;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.running.take();
        self.service.close();
    }
}

pub(crate) struct Thing {
    pub(crate) id: DeviceId,
    pub(crate) serial: String,
    pub(crate) key: SoftwareKey,
}

pub(crate) fn copy(key: &SoftwareKey) -> SoftwareKey {
    SoftwareKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap()
}

async fn authority(
    service: &Service,
    root: &Root,
    organisation: &str,
    product: Option<ProductId>,
    kind: CaKind,
) {
    let spec = CaSpec {
        organisation: id(organisation),
        product,
        kind,
        name: format!("{organisation} {} CA", kind.name()),
        algorithm: KeyAlgorithm::EcdsaP256,
        years: 0,
    };
    let local = service.local_administrator();
    let request = service.request_ca(&local, spec).await.unwrap();
    let certificate = root.sign_ca(&request, Locations::default(), now()).unwrap();
    service.install_ca(&local, certificate).await.unwrap();
}

pub(crate) fn now() -> UnixTime {
    SystemClock.now()
}

pub(crate) async fn member(service: &Service, of: &str, name: &str, roles: Roles) -> Member {
    let key = key();
    let new = NewMember { organisation: id(of), name: name.into(), roles, csr: csr(&key, "") };
    let view = service.add_member(&service.local_administrator(), new).await.unwrap();
    let caller = service.identify_certificate(&view.certificate).await.unwrap();
    let mut chain = vec![view.certificate];
    chain.extend(view.chain);
    Member { identity: Identity { chain, key: Arc::new(key) }, caller }
}

/// The problem document of a refusal, whose header is looked at too.
pub(crate) fn problem(answer: &Answer) -> Value {
    assert_eq!(answer.media_type().as_deref(), Some("application/problem+json"), "{answer:?}");
    let problem: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(problem["status"], answer.status.as_u16());
    let code = problem["code"].as_str().unwrap();
    assert_eq!(problem["type"], format!("urn:tegata:problem:{code}"));
    assert!(!problem["title"].as_str().unwrap().is_empty());
    problem
}

pub(crate) async fn refused(client: &Client, call: Call) -> (u16, String) {
    let answer = client.send(call).await.unwrap();
    let problem = problem(&answer);
    (answer.status.as_u16(), problem["code"].as_str().unwrap().to_owned())
}
