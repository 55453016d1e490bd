//! An installation for a test: root, platform, a chip maker, a device maker, owners.

use crypto::{KeyAlgorithm, Secret, Sha256, Signer, SoftwareKey, UnixTime, random, sealed::Unlock};
use device::{
    Build, DeviceId, DeviceKind, Event, EventKind, OrganisationId, Part, ProductId, RootOfTrust,
    SignedEvent,
};
use pki::{Certificate, CsrBuilder, Locations, Subject};
use policy::{Role, Roles};
use service::{
    CaKind, CaSpec, Caller, Clock, Config, EnrolRequest, Enrolled, NewDevice, NewMember,
    NewOrganisation, NewProduct, NewSigner, Recorded, Service, ServiceError, Setup,
    ceremony::{Root, RootSpec},
    signer_proof,
};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

pub(crate) const NOW: i64 = 1_800_000_000;

/// A clock that tests set.
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(NOW)))
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        UnixTime(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) fn key_file() -> Secret {
    Secret::new((0..32).collect())
}

pub(crate) fn config() -> Config {
    // What a test writes is small: it needs no gigabyte that stays free.
    let limits = service::Limits { disk_reserve_bytes: 0, ..service::Limits::default() };
    Config { integrate_ms: 20, readers: 2, evidence_s: 0, limits, ..Config::default() }
}

pub(crate) fn open(dir: &Path, config: Config, clock: &Arc<TestClock>) -> Service {
    Service::open(dir, &Unlock::KeyFile(&key_file()), config, clock.clone()).unwrap()
}

pub(crate) fn setup() -> Setup {
    Setup {
        origin: "test.example/log".into(),
        platform: id("platform"),
        platform_name: "Test platform".into(),
        witness_keys: Vec::new(),
        quorum: 0,
    }
}

fn root(clock: &TestClock) -> Root {
    let spec = RootSpec {
        common_name: "Test root".into(),
        organisation: "Test".into(),
        algorithm: KeyAlgorithm::EcdsaP384,
        years: 0,
    };
    Root::create(&spec, clock.now()).unwrap()
}

/// An organisation with everything that it needs.
pub(crate) struct Org {
    pub(crate) id: OrganisationId,
    pub(crate) admin: Caller,
    pub(crate) station: Caller,
    pub(crate) reader: Caller,
    pub(crate) signer: SoftwareKey,
}

pub(crate) struct World {
    dir: PathBuf,
    _temporary: Option<tempfile::TempDir>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) service: Service,
    pub(crate) root: Root,
    pub(crate) platform_admin: Caller,
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

pub(crate) fn csr(key: &SoftwareKey, serial_number: &str) -> Vec<u8> {
    let subject = Subject { serial_number: serial_number.into(), ..Subject::named("any") };
    CsrBuilder { subject, ..CsrBuilder::default() }.build(key).unwrap()
}

/// Where a device's history stands, for signing the next event.
pub(crate) struct Thing {
    pub(crate) id: DeviceId,
    pub(crate) serial: String,
    pub(crate) key: SoftwareKey,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(config()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut world = Self::at(dir.path(), config).await;
        world._temporary = Some(dir);
        world
    }

    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }

    /// Without a root, CAs or administrators.
    pub(crate) async fn bare(config: Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = TestClock::new();
        let setup = setup();
        Service::create(dir.path(), &Unlock::KeyFile(&key_file()), &setup, clock.as_ref()).unwrap();
        let service = open(dir.path(), config, &clock);
        let root = root(&clock);
        let platform_admin = service.local_administrator();
        let path = dir.path().to_owned();
        Self { dir: path, _temporary: Some(dir), clock, service, root, platform_admin }
    }

    /// In a directory that outlives the test's process.
    pub(crate) async fn at(dir: &Path, config: Config) -> Self {
        Self::set_up(dir, config, setup()).await
    }

    pub(crate) async fn set_up(dir: &Path, config: Config, setup: Setup) -> Self {
        let clock = TestClock::new();
        Service::create(dir, &Unlock::KeyFile(&key_file()), &setup, clock.as_ref()).unwrap();
        let service = open(dir, config, &clock);
        let root = root(&clock);
        let local = service.local_administrator();
        service.import_root(&local, root.certificate().clone()).await.unwrap();
        let (dir, _temporary) = (dir.to_owned(), None);
        let mut world = Self { dir, _temporary, clock, service, root, platform_admin: local };
        world.ca(&id("platform"), None, CaKind::Platform).await;
        let (admin, _) = world.member(&id("platform"), "root admin", Roles::ALL).await;
        world.platform_admin = admin;
        world
    }

    pub(crate) async fn ca(
        &self,
        organisation: &OrganisationId,
        product: Option<ProductId>,
        kind: CaKind,
    ) {
        let spec = CaSpec {
            organisation: organisation.clone(),
            product,
            kind,
            name: format!("{organisation} {} CA", kind.name()),
            algorithm: KeyAlgorithm::EcdsaP256,
            years: 0,
        };
        let local = self.service.local_administrator();
        let request = self.service.request_ca(&local, spec).await.unwrap();
        let request = service::CaRequest::from_text(&request.to_text()).unwrap();
        let certificate =
            self.root.sign_ca(&request, Locations::default(), self.clock.now()).unwrap();
        self.service.install_ca(&local, certificate).await.unwrap();
    }

    pub(crate) async fn member(
        &self,
        organisation: &OrganisationId,
        name: &str,
        roles: Roles,
    ) -> (Caller, Certificate) {
        let new = NewMember {
            organisation: organisation.clone(),
            name: name.into(),
            roles,
            csr: csr(&key(), ""),
        };
        let local = self.service.local_administrator();
        let member = self.service.add_member(&local, new).await.unwrap();
        let caller = self.service.identify_certificate(&member.certificate).await.unwrap();
        (caller, member.certificate)
    }

    pub(crate) async fn org(&self, name: &str, roles: device::Roles) -> Org {
        let organisation = id(name);
        let new = NewOrganisation { id: organisation.clone(), name: name.into(), roles };
        if roles.has(device::Roles::AUTHORITY) {
            let (second, _) = self.member(&id("platform"), "second admin", Roles::ALL).await;
            self.service.create_organisation(&self.platform_admin, new).await.unwrap();
            self.service.confirm_authority(&second, &organisation).await.unwrap();
        } else {
            self.service.create_organisation(&self.platform_admin, new).await.unwrap();
        }
        let administrator = Roles::of(&[Role::Administrator, Role::Operator]);
        let (admin, _) = self.member(&organisation, "admin", administrator).await;
        let station = Roles::of(&[Role::Station, Role::Operator]);
        let (station, _) = self.member(&organisation, "station", station).await;
        let (reader, _) = self.member(&organisation, "reader", Role::Reader.into()).await;
        let signer = SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap();
        let new = NewSigner {
            organisation: organisation.clone(),
            spki: signer.public_key().spki().to_vec(),
            proof: signer_proof(&signer, &organisation).unwrap(),
        };
        self.service.register_signer(&admin, new).await.unwrap();
        Org { id: organisation, admin, station, reader, signer }
    }

    pub(crate) async fn maker(&self, name: &str, line: &str, kind: DeviceKind) -> Org {
        let org = self.org(name, device::Roles::MAKER).await;
        let new = NewProduct {
            organisation: org.id.clone(),
            id: product(line),
            name: "Gate".into(),
            model: "G4".into(),
            kind,
            root_of_trust: RootOfTrust::SecureElement,
            support_end: None,
            ldevid_validity_s: None,
        };
        self.service.create_product(&org.admin, new).await.unwrap();
        self.ca(&org.id, Some(product(line)), CaKind::Device).await;
        org
    }

    pub(crate) async fn owner(&self, name: &str) -> Org {
        let org = self.org(name, device::Roles::NONE).await;
        self.ca(&org.id, None, CaKind::Owner).await;
        org
    }

    /// A device on record whose history has begun.
    pub(crate) async fn made(&self, maker: &Org, line: &str, parts: Vec<Part>) -> Thing {
        let serial = format!("SN-{}", hex::encode(random::bytes::<6>()));
        let new = NewDevice { id: None, serial_number: serial.clone() };
        let views = self
            .service
            .register_devices(&maker.station, &maker.id, &product(line), vec![new])
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
            parts,
        };
        let thing = Thing { id: view.id, serial, key };
        self.report(maker, &thing.id, kind).await.unwrap();
        thing
    }

    /// Signs and records the next event of a device in the name of `org`.
    pub(crate) async fn report(
        &self,
        org: &Org,
        device: &DeviceId,
        kind: EventKind,
    ) -> Result<Recorded, ServiceError> {
        let cose = self.sign(org, device, kind).await;
        self.service.record_event(&org.station, cose).await
    }

    pub(crate) async fn sign(&self, org: &Org, device: &DeviceId, kind: EventKind) -> Vec<u8> {
        let admin = self.service.local_administrator();
        let head = match self.service.head(&admin, device).await {
            Ok(head) => head,
            // The platform's own commands may not read devices: whoever reports looks itself.
            Err(_) => self
                .service
                .head(&org.station, device)
                .await
                .unwrap_or(service::Head { next_sequence: 0, previous: None }),
        };
        let event = Event {
            device: *device,
            sequence: head.next_sequence,
            previous: head.previous,
            kind,
            at: self.clock.now(),
            reporter: org.id.clone(),
            actor: Some("Taro Yamada".into()),
            place: None,
            evidence: Vec::new(),
            on_behalf: None,
            reason: None,
        };
        SignedEvent::sign(&org.signer, &event).unwrap().as_bytes().to_vec()
    }

    /// Gets the device its IDevID through a station of its maker.
    pub(crate) async fn idevid(&self, maker: &Org, line: &str, thing: &Thing) -> Enrolled {
        let request =
            EnrolRequest { label: Some(product(line)), csr: csr(&thing.key, &thing.serial) };
        self.service.enrol_device(&maker.station, &request, None).await.unwrap()
    }

    /// Sells the device: offer, acceptance.
    pub(crate) async fn sell(&self, from: &Org, to: &Org, device: &DeviceId) {
        let offer = EventKind::TransferOffered { to: to.id.clone() };
        self.report(from, device, offer).await.unwrap();
        let accept = EventKind::TransferAccepted { from: from.id.clone() };
        self.report(to, device, accept).await.unwrap();
    }

    /// A device in operation with its owner, its IDevID and LDevID.
    pub(crate) async fn working(&self, maker: &Org, line: &str, owner: &Org) -> Working {
        let (thing, idevid) = self.onboarded(maker, line, owner).await;
        let caller = self.service.identify_certificate(&idevid.certificate).await.unwrap();
        let local_key = key();
        let request = EnrolRequest { label: None, csr: csr(&local_key, &thing.serial) };
        let ldevid = self.service.enrol_device(&caller, &request, None).await.unwrap();
        Working { thing, idevid, ldevid, local_key }
    }

    /// In operation at its owner's, who has given it no certificate yet.
    pub(crate) async fn onboarded(
        &self,
        maker: &Org,
        line: &str,
        owner: &Org,
    ) -> (Thing, Enrolled) {
        let thing = self.made(maker, line, Vec::new()).await;
        let idevid = self.idevid(maker, line, &thing).await;
        self.report(maker, &thing.id, EventKind::Shipped { to: owner.id.clone() }).await.unwrap();
        let received = EventKind::Received { from: maker.id.clone() };
        self.report(owner, &thing.id, received).await.unwrap();
        self.sell(maker, owner, &thing.id).await;
        let onboarded = EventKind::Onboarded { owner: owner.id.clone() };
        self.report(owner, &thing.id, onboarded).await.unwrap();
        self.report(owner, &thing.id, EventKind::OperationStarted).await.unwrap();
        (thing, idevid)
    }
}

pub(crate) struct Working {
    pub(crate) thing: Thing,
    pub(crate) idevid: Enrolled,
    pub(crate) ldevid: Enrolled,
    pub(crate) local_key: SoftwareKey,
}

pub(crate) fn fingerprint(key: &SoftwareKey) -> Sha256 {
    key.public_key().fingerprint()
}

impl Drop for World {
    fn drop(&mut self) {
        self.service.close();
    }
}
