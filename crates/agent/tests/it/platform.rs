//! A real platform in this process: root, a maker with a product line, an owner. As the server's
//! own tests build it.

use crypto::{KeyAlgorithm, Secret, Signer as _, SoftwareKey, random, sealed::Unlock};
use device::{
    Build, DeviceId, DeviceKind, Event, EventKind, OrganisationId, ProductId, RootOfTrust,
    SignedEvent,
};
use pki::{Certificate, CsrBuilder, Locations, Subject};
use policy::{Caller, Role, Roles};
use server::{RunningServer, Server, SystemClock};
use service::{
    CaKind, CaSpec, Clock as _, EnrolRequest, NewDevice, NewMember, NewOrganisation, NewProduct,
    NewSigner, Service, Setup,
    ceremony::{Root, RootSpec},
    signer_proof,
};
use std::sync::Arc;

pub(crate) const PRODUCT: &str = "gate-4";

pub(crate) struct Platform {
    pub(crate) service: Service,
    pub(crate) root: Root,
    pub(crate) address: String,
    running: Option<RunningServer>,
    pub(crate) maker: Member,
    pub(crate) owner: Member,
    _dir: tempfile::TempDir,
}

/// An organisation with the rights of all its roles, and what signs its events.
pub(crate) struct Member {
    pub(crate) id: OrganisationId,
    pub(crate) caller: Caller,
    signer: SoftwareKey,
}

/// A device on record.
pub(crate) struct Thing {
    pub(crate) id: DeviceId,
    pub(crate) serial_number: String,
    key: SoftwareKey,
}

fn id(text: &str) -> OrganisationId {
    OrganisationId::new(text).unwrap()
}

fn key() -> SoftwareKey {
    SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap()
}

fn csr(key: &SoftwareKey, serial_number: &str) -> Vec<u8> {
    let subject = Subject { serial_number: serial_number.into(), ..Subject::named("any") };
    CsrBuilder { subject, ..CsrBuilder::default() }.build(key).unwrap()
}

impl Platform {
    /// One whose certificates for devices live so long, in seconds.
    pub(crate) async fn new(life_s: i64) -> Self {
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
        let config = service::Config {
            integrate_ms: 20,
            readers: 2,
            ldevid_validity_s: life_s,
            ..service::Config::default()
        };
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
        let config = server::Config {
            tls: ([127, 0, 0, 1], 0).into(),
            public: ([127, 0, 0, 1], 0).into(),
            ..server::Config::default()
        };
        let running = Server::start(config, service.clone()).await.unwrap();
        let address = format!("https://{}", running.tls_address());
        let admin = member(&service, "platform").await;
        let maker = organisation(&service, &admin, "maker", device::Roles::MAKER).await;
        let owner = organisation(&service, &admin, "owner", device::Roles::NONE).await;
        let product = ProductId::new(PRODUCT).unwrap();
        let new = NewProduct {
            organisation: maker.id.clone(),
            id: product.clone(),
            name: "Gate".into(),
            model: "G4".into(),
            kind: DeviceKind::Device,
            root_of_trust: RootOfTrust::SecureElement,
            support_end: None,
            ldevid_validity_s: None,
        };
        service.create_product(&maker.caller, new).await.unwrap();
        authority(&service, &root, "maker", Some(product), CaKind::Device).await;
        authority(&service, &root, "owner", None, CaKind::Owner).await;
        Self { service, root, address, running: Some(running), maker, owner, _dir: dir }
    }

    /// A device that was made and sold to the owner; its maker's certificate and key in PEM.
    pub(crate) async fn sold(&self) -> (Thing, String) {
        let product = ProductId::new(PRODUCT).unwrap();
        let serial_number = format!("SN-{}", hex::encode(random::bytes::<6>()));
        let new = NewDevice { id: None, serial_number: serial_number.clone() };
        let maker = &self.maker;
        let views = self
            .service
            .register_devices(&maker.caller, &maker.id, &product, vec![new])
            .await
            .unwrap();
        let view = views.into_iter().next().unwrap().unwrap();
        let thing = Thing { id: view.id, serial_number, key: key() };
        let kind = EventKind::Assembled {
            kind: view.kind,
            build: Build::MassProduction,
            product: product.clone(),
            root_of_trust: Some(RootOfTrust::SecureElement),
            key: Some(thing.key.public_key().fingerprint()),
            parts: Vec::new(),
        };
        self.report(maker, &thing.id, kind).await;
        let request =
            EnrolRequest { label: Some(product), csr: csr(&thing.key, &thing.serial_number) };
        let enrolled = self.service.enrol_device(&maker.caller, &request, None).await.unwrap();
        let mut pem = enrolled.certificate.to_pem();
        pem.extend(enrolled.chain.iter().map(Certificate::to_pem));
        pem.push_str(&thing.key.to_pem().unwrap());
        let to = self.owner.id.clone();
        self.report(maker, &thing.id, EventKind::TransferOffered { to }).await;
        let from = maker.id.clone();
        self.report(&self.owner, &thing.id, EventKind::TransferAccepted { from }).await;
        (thing, pem)
    }

    /// A one-time code of the owner.
    pub(crate) async fn code(&self, thing: &Thing) -> String {
        let codes = self.service.release_codes(&self.owner.caller, vec![thing.id], 600).await;
        let code = codes.unwrap().into_iter().next().unwrap().unwrap().code;
        String::from_utf8(code.expose().as_bytes().to_vec()).unwrap()
    }

    pub(crate) async fn report(&self, by: &Member, device: &DeviceId, kind: EventKind) {
        let head = self.service.head(&by.caller, device).await.unwrap();
        let event = Event {
            device: *device,
            sequence: head.next_sequence,
            previous: head.previous,
            kind,
            at: SystemClock.now(),
            reporter: by.id.clone(),
            actor: None,
            place: None,
            evidence: Vec::new(),
            on_behalf: None,
            reason: None,
        };
        let cose = SignedEvent::sign(&by.signer, &event).unwrap().as_bytes().to_vec();
        self.service.record_event(&by.caller, cose).await.unwrap();
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.running.take();
        self.service.close();
    }
}

async fn organisation(
    service: &Service,
    admin: &Caller,
    name: &str,
    roles: device::Roles,
) -> Member {
    let new = NewOrganisation { id: id(name), name: name.into(), roles };
    service.create_organisation(admin, new).await.unwrap();
    let caller = member(service, name).await;
    let signer = SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap();
    let new = NewSigner {
        organisation: id(name),
        spki: signer.public_key().spki().to_vec(),
        proof: signer_proof(&signer, &id(name)).unwrap(),
    };
    service.register_signer(&caller, new).await.unwrap();
    Member { id: id(name), caller, signer }
}

async fn member(service: &Service, of: &str) -> Caller {
    let key = key();
    let roles = if of == "platform" {
        Roles::ALL
    } else {
        Roles::of(&[Role::Administrator, Role::Operator, Role::Auditor, Role::Station])
    };
    let new = NewMember { organisation: id(of), name: "member".into(), roles, csr: csr(&key, "") };
    let view = service.add_member(&service.local_administrator(), new).await.unwrap();
    service.identify_certificate(&view.certificate).await.unwrap()
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
    let certificate = root.sign_ca(&request, Locations::default(), SystemClock.now()).unwrap();
    service.install_ca(&local, certificate).await.unwrap();
}
