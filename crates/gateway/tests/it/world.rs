//! An installation with one organisation that makes devices and keeps them, and a gateway before it,
//! without sockets and TLS: a client is the other end of a pipe.

use crypto::{KeyAlgorithm, Secret, Signer as _, SoftwareKey, UnixTime, sealed::Unlock};
use device::{
    Build, DeviceId, DeviceKind, Event, EventKind, OrganisationId, ProductId, RootOfTrust,
    SignedEvent,
};
use gateway::{Gateway, GatewayLimits};
use pki::{Certificate, CsrBuilder, Locations, Subject};
use policy::{Caller, Role, Roles};
use service::{
    CaKind, CaSpec, Clock, Config, EnrolRequest, MessageDoor, NewDevice, NewMember,
    NewOrganisation, NewProduct, NewSigner, Service, Setup,
    ceremony::{Root, RootSpec},
    signer_proof,
};
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::{
    io::{DuplexStream, duplex},
    sync::watch,
};

const NOW: UnixTime = UnixTime(1_800_000_000);

/// It is always the same second.
struct Still;

impl Clock for Still {
    fn now(&self) -> UnixTime {
        NOW
    }
}

/// A device as the doors see it.
#[derive(Clone)]
pub(crate) struct Thing {
    pub(crate) id: DeviceId,
    pub(crate) certificate: Certificate,
    pub(crate) key: Arc<SoftwareKey>,
}

pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    service: Service,
    admin: Caller,
    station: Caller,
    signer: SoftwareKey,
    pub(crate) gateway: Gateway,
    stop: watch::Sender<bool>,
    made: AtomicU32,
}

fn organisation() -> OrganisationId {
    OrganisationId::new("maker").unwrap()
}

fn product() -> ProductId {
    ProductId::new("gate").unwrap()
}

fn key() -> SoftwareKey {
    SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap()
}

fn csr(key: &SoftwareKey, serial_number: &str) -> Vec<u8> {
    let subject = Subject { serial_number: serial_number.into(), ..Subject::named("any") };
    CsrBuilder { subject, ..CsrBuilder::default() }.build(key).unwrap()
}

async fn authority(service: &Service, root: &Root, spec: (&str, Option<ProductId>, CaKind)) {
    let (of, product, kind) = spec;
    let spec = CaSpec {
        organisation: OrganisationId::new(of).unwrap(),
        product,
        kind,
        name: format!("{of} {} CA", kind.name()),
        algorithm: KeyAlgorithm::EcdsaP256,
        years: 0,
    };
    let local = service.local_administrator();
    let request = service.request_ca(&local, spec).await.unwrap();
    let certificate = root.sign_ca(&request, Locations::default(), NOW).unwrap();
    service.install_ca(&local, certificate).await.unwrap();
}

async fn member(service: &Service, name: &str, roles: Roles) -> Caller {
    let new =
        NewMember { organisation: organisation(), name: name.into(), roles, csr: csr(&key(), "") };
    let view = service.add_member(&service.local_administrator(), new).await.unwrap();
    service.identify_certificate(&view.certificate).await.unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        let world = Self::quiet(GatewayLimits::default()).await;
        drop(tokio::spawn(world.gateway.clone().keep(world.stop.subscribe())));
        world
    }

    /// Where nobody follows changes, and ends sessions that are over.
    pub(crate) async fn quiet(limits: GatewayLimits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let secret = Secret::new((0..32).collect());
        let unlock = Unlock::KeyFile(&secret);
        let setup = Setup {
            origin: "test.example/log".into(),
            platform: OrganisationId::new("platform").unwrap(),
            platform_name: "Test platform".into(),
            witness_keys: Vec::new(),
            quorum: 0,
        };
        Service::create(dir.path(), &unlock, &setup, &Still).unwrap();
        let config = Config { integrate_ms: 20, readers: 2, evidence_s: 0, ..Config::default() };
        let service = Service::open(dir.path(), &unlock, config, Arc::new(Still)).unwrap();
        let spec = RootSpec {
            common_name: "Test root".into(),
            organisation: "Test".into(),
            algorithm: KeyAlgorithm::EcdsaP256,
            years: 0,
        };
        let root = Root::create(&spec, NOW).unwrap();
        let local = service.local_administrator();
        service.import_root(&local, root.certificate().clone()).await.unwrap();
        authority(&service, &root, ("platform", None, CaKind::Platform)).await;
        let new = NewOrganisation {
            id: organisation(),
            name: "Maker".into(),
            roles: device::Roles::MAKER,
        };
        service.create_organisation(&local, new).await.unwrap();
        let administrator = Roles::of(&[Role::Administrator, Role::Operator]);
        let admin = member(&service, "admin", administrator).await;
        let station = Roles::of(&[Role::Station, Role::Operator]);
        let station = member(&service, "station", station).await;
        let signer = SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap();
        let new = NewSigner {
            organisation: organisation(),
            spki: signer.public_key().spki().to_vec(),
            proof: signer_proof(&signer, &organisation()).unwrap(),
        };
        service.register_signer(&admin, new).await.unwrap();
        let new = NewProduct {
            organisation: organisation(),
            id: product(),
            name: "Gate".into(),
            model: "G4".into(),
            kind: DeviceKind::Device,
            root_of_trust: RootOfTrust::SecureElement,
            support_end: None,
            ldevid_validity_s: None,
        };
        service.create_product(&admin, new).await.unwrap();
        authority(&service, &root, ("maker", Some(product()), CaKind::Device)).await;
        authority(&service, &root, ("maker", None, CaKind::Owner)).await;
        let gateway = Gateway::new(service.clone(), limits);
        let stop = watch::Sender::new(false);
        Self { dir, service, admin, station, signer, gateway, stop, made: AtomicU32::new(0) }
    }

    /// A device that its maker keeps, with its certificate.
    pub(crate) async fn device(&self) -> Thing {
        let serial = format!("SN-{}", self.made.fetch_add(1, Ordering::SeqCst));
        let new = NewDevice { id: None, serial_number: serial.clone() };
        let views = self
            .service
            .register_devices(&self.station, &organisation(), &product(), vec![new])
            .await
            .unwrap();
        let view = views.into_iter().next().unwrap().unwrap();
        let key = key();
        let event = Event {
            device: view.id,
            sequence: 0,
            previous: None,
            kind: EventKind::Assembled {
                kind: view.kind,
                build: Build::MassProduction,
                product: product(),
                root_of_trust: Some(RootOfTrust::SecureElement),
                key: Some(key.public_key().fingerprint()),
                parts: Vec::new(),
            },
            at: NOW,
            reporter: organisation(),
            actor: None,
            place: None,
            evidence: Vec::new(),
            on_behalf: None,
            reason: None,
        };
        let cose = SignedEvent::sign(&self.signer, &event).unwrap().as_bytes().to_vec();
        self.service.record_event(&self.station, cose).await.unwrap();
        let request = EnrolRequest { label: Some(product()), csr: csr(&key, &serial) };
        let enrolled = self.service.enrol_device(&self.station, &request, None).await.unwrap();
        Thing { id: view.id, certificate: enrolled.certificate, key: Arc::new(key) }
    }

    /// A connection of a device: the client's end.
    pub(crate) fn connect(&self, thing: &Thing) -> DuplexStream {
        self.connect_until(thing, self.stop.subscribe())
    }

    /// As [`Self::connect`], until this says so.
    pub(crate) fn connect_until(&self, thing: &Thing, stop: watch::Receiver<bool>) -> DuplexStream {
        let (near, far) = duplex(256 * 1024);
        let (gateway, certificate) = (self.gateway.clone(), thing.certificate.clone());
        drop(tokio::spawn(async move {
            gateway
                .mqtt(near, &certificate, (MessageDoor::Mqtt, [127, 0, 0, 1].into()), stop)
                .await;
        }));
        far
    }

    /// Topics of what was kept of a device, the newest first.
    pub(crate) async fn kept(&self, thing: &Thing) -> Vec<String> {
        let page = service::Page { after: None, limit: 200 };
        let kept = self.service.messages(&self.station, &thing.id, &page).await.unwrap();
        kept.items.into_iter().map(|message| message.topic).collect()
    }

    /// A command for a device.
    pub(crate) async fn command(&self, thing: &Thing, reason: &str) {
        let new = service::NewCommand {
            name: "restart".into(),
            parameters: format!("{{\"note\":\"{reason}\"}}"),
            reason: "test".into(),
            lifetime_s: 600,
        };
        self.service.give_command(&self.station, &thing.id, new).await.unwrap();
    }

    /// Its first LDevID, for a key of its own.
    pub(crate) async fn joined(&self, thing: &Thing) -> Thing {
        let codes = self.service.release_codes(&self.station, vec![thing.id], 600).await.unwrap();
        let code = codes.into_iter().next().unwrap().unwrap().code;
        let user = thing.id.to_string();
        let caller = self.service.identify_code(&user, code.expose()).await.unwrap();
        let key = key();
        let subject = Subject::from_name(&thing.certificate.subject());
        let csr = CsrBuilder { subject, ..CsrBuilder::default() }.build(&key).unwrap();
        let request = EnrolRequest { label: None, csr };
        let enrolled = self.service.enrol_device(&caller, &request, None).await.unwrap();
        Thing { id: thing.id, certificate: enrolled.certificate, key: Arc::new(key) }
    }

    /// It has an LDevID for another key, in place of the one before.
    pub(crate) async fn renewed(&self, thing: &Thing) -> Thing {
        self.renewed_for(thing, Arc::new(key())).await
    }

    /// It has another LDevID for this key.
    pub(crate) async fn renewed_for(&self, thing: &Thing, key: Arc<SoftwareKey>) -> Thing {
        let caller = self.service.identify_certificate(&thing.certificate).await.unwrap();
        let subject = Subject::from_name(&thing.certificate.subject());
        let csr = CsrBuilder { subject, ..CsrBuilder::default() }.build(&*key).unwrap();
        let request = EnrolRequest { label: None, csr };
        let enrolled = self.service.reenrol_device(&caller, &request, None).await.unwrap();
        Thing { id: thing.id, certificate: enrolled.certificate, key }
    }

    /// Follows changes from the first poll on; for one that is [`Self::quiet`].
    pub(crate) fn follow(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.gateway.clone().keep(self.stop.subscribe()))
    }

    /// This certificate of it is revoked.
    pub(crate) async fn revoke(&self, thing: &Thing) {
        let (caller, print) = (&self.admin, thing.certificate.fingerprint());
        let id = self.service.certificate_by_fingerprint(caller, &print).await.unwrap().id;
        let reason = pki::crl::RevocationReason::Superseded;
        self.service.revoke_certificate(caller, &id, reason).await.unwrap();
    }

    /// It may be here again.
    pub(crate) async fn release(&self, thing: &Thing) {
        self.service.release_device(&self.station, &thing.id).await.unwrap();
    }

    /// It may not be here any more.
    pub(crate) async fn suspend(&self, thing: &Thing) {
        let cause = device::Cause::Anomaly;
        self.service.suspend_device(&self.station, &thing.id, cause).await.unwrap();
    }

    /// What was refused of it.
    pub(crate) async fn refused(&self, thing: &Thing) -> Vec<(&'static str, u64)> {
        self.service.settle_messages().await.unwrap();
        let lines = self.service.refused_messages(&self.station, &thing.id).await.unwrap();
        lines.into_iter().map(|line| (line.reason.code(), line.count)).collect()
    }

    /// The server stops.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop();
        self.service.close();
    }
}
