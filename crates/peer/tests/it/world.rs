//! A root, the platform's signer, an owner with devices of two makers, another owner.

use crypto::{KeyAlgorithm, Signer as _, SoftwareKey, UnixTime, sha256};
use device::{DeviceId, OrganisationId, ProductId, file::PASSPORT_SIGNER_COMMON_NAME};
use peer::{Authority, AuthorityKind, Contents, Line, Statement, TrustBundle, assemble};
use pki::{
    Certificate, HardwareModuleName, IssuerInfo, Locations, ObjectIdentifier, Profile, Request,
    Serial, Subject, prepare,
};

pub(crate) const NOW: UnixTime = UnixTime(1_795_000_000);
pub(crate) const DAY: i64 = 86_400;
pub(crate) const POLICIES: &str = r#"
@id("gates-open")
permit(principal in Product::"maker-a/gate", action == Action::"peer",
    resource in Product::"maker-b/lock") when { context.operation == "open" };
@id("guests-greet")
permit(principal in Organisation::"guest", action == Action::"peer-foreign", resource)
when { context.operation == "greet" };
@id("lamps-greet")
permit(principal in Product::"maker-b/lamp", action == Action::"peer-foreign", resource)
when { context.operation == "greet" };
@id("lamps-dim")
permit(principal in Product::"maker-b/lamp", action == Action::"peer", resource)
when { context.operation == "dim" };
@id("anybody-rings")
permit(principal, action == Action::"peer", resource) when { context.operation == "ring" };
@id("never-erase")
forbid(principal, action, resource) when { context has operation && context.operation == "erase" };
"#;

pub(crate) fn org(name: &str) -> OrganisationId {
    OrganisationId::new(name).unwrap()
}

pub(crate) fn line(maker: &str, product: &str) -> (OrganisationId, ProductId) {
    (org(maker), product.parse().unwrap())
}

pub(crate) fn id(number: u8) -> DeviceId {
    DeviceId::from_bytes([number; 16])
}

/// A CA with its key.
pub(crate) struct Ca {
    pub(crate) certificate: Certificate,
    key: SoftwareKey,
}

impl Ca {
    fn root() -> Self {
        let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let subject = Subject::named("root");
        let life = (NOW.plus(-9 * DAY), UnixTime::NEVER);
        let info = IssuerInfo::self_signed(&subject, key.public_key(), life.0, life.1).unwrap();
        let request = Request::new(serial(1), subject, key.public_key().clone(), life);
        let certificate = prepare(Profile::Root, &info, &request).unwrap().sign(&key).unwrap();
        Self { certificate, key }
    }

    fn below(root: &Self, name: &str, number: u8) -> Self {
        let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let life = (NOW.plus(-9 * DAY), UnixTime::NEVER);
        let request =
            Request::new(serial(number), Subject::named(name), key.public_key().clone(), life);
        let certificate = root.sign(Profile::IssuingCa, &request);
        Self { certificate, key }
    }

    fn sign(&self, profile: Profile, request: &Request) -> Certificate {
        let info = IssuerInfo::from_certificate(&self.certificate, Locations::default()).unwrap();
        prepare(profile, &info, request).unwrap().sign(&self.key).unwrap()
    }

    /// A certificate with a key that nobody keeps.
    pub(crate) fn leaf(&self, profile: Profile, of: &str, name: &str, number: u8) -> Certificate {
        let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        self.leaf_of(&key, profile, of, name, number)
    }

    pub(crate) fn leaf_of(
        &self,
        key: &SoftwareKey,
        profile: Profile,
        of: &str,
        name: &str,
        number: u8,
    ) -> Certificate {
        let device = matches!(profile, Profile::Ldevid | Profile::Idevid);
        let subject = Subject {
            organisation: of.into(),
            serial_number: if device { format!("SN-{number}") } else { String::new() },
            ..Subject::named(name)
        };
        let end = if profile == Profile::Idevid { UnixTime::NEVER } else { NOW.plus(30 * DAY) };
        let life = (NOW.plus(-DAY), end);
        let mut request = Request::new(serial(number), subject, key.public_key().clone(), life);
        request.hardware_module = (profile == Profile::Idevid).then(|| HardwareModuleName {
            hw_type: ObjectIdentifier::new_unwrap("1.3.6.1.4.1.99999.1"),
            hw_serial_num: vec![number],
        });
        if profile == Profile::Service {
            request.alternative_names = vec![pki::AlternativeName::Dns("lock.example".to_owned())];
        }
        self.sign(profile, &request)
    }
}

fn serial(number: u8) -> Serial {
    Serial::from_be_bytes(&[0x10, number]).unwrap()
}

pub(crate) fn serial_bytes(number: u8) -> Box<[u8]> {
    Box::from([0x10, number])
}

pub(crate) struct World {
    pub(crate) root: Ca,
    pub(crate) plant: Ca,
    pub(crate) guest: Ca,
    pub(crate) lamp: Ca,
    pub(crate) stranger: Ca,
    pub(crate) signer: (SoftwareKey, Certificate),
    pub(crate) platform: Ca,
}

impl World {
    pub(crate) fn new() -> Self {
        let root = Ca::root();
        let platform = Ca::below(&root, "platform CA", 2);
        let key = SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap();
        let of = Profile::OrganisationSigner;
        let name = PASSPORT_SIGNER_COMMON_NAME;
        let certificate = platform.leaf_of(&key, of, "tegata", name, 9);
        Self {
            plant: Ca::below(&root, "plant CA", 3),
            guest: Ca::below(&root, "guest CA", 4),
            lamp: Ca::below(&root, "lamp CA", 5),
            stranger: Ca::below(&root, "stranger CA", 6),
            signer: (key, certificate),
            platform,
            root,
        }
    }

    /// Device 1 is a lock of maker-b, 2 a gate of maker-a, 3 a lock, 4 a lamp: all of them plant's.
    pub(crate) fn contents(&self) -> Contents {
        let owner = |ca: &Ca, name: &str| Authority {
            kind: AuthorityKind::Owner,
            organisation: org(name),
            product: None,
            certificate: ca.certificate.clone(),
            revoked: Vec::new(),
            suspended: Vec::new(),
        };
        let lamp = Authority {
            kind: AuthorityKind::Maker,
            product: Some(line("maker-b", "lamp").1),
            ..owner(&self.lamp, "maker-b")
        };
        Contents {
            authorities: vec![owner(&self.plant, "plant"), owner(&self.guest, "guest"), lamp],
            lines: vec![
                Line { product: Some(line("maker-a", "gate")), devices: vec![id(2)] },
                Line { product: Some(line("maker-b", "lamp")), devices: vec![id(4)] },
                Line { product: Some(line("maker-b", "lock")), devices: vec![id(1), id(3)] },
            ],
            version: 7,
            policies: permission::Policies::parse(POLICIES).unwrap().for_peers().to_owned(),
        }
    }

    pub(crate) fn statement(&self, contents: &[u8]) -> Statement {
        Statement {
            platform: org("tegata"),
            device: id(1),
            owner: org("plant"),
            number: 5,
            issued_at: NOW.plus(-60),
            expires: NOW.plus(7 * DAY),
            contents: sha256(contents),
        }
    }

    /// The bundle of device 1.
    pub(crate) fn bundle(&self, contents: &Contents) -> TrustBundle {
        let bytes = self.file(contents);
        let roots = [self.root.certificate.clone()].into_iter().collect();
        TrustBundle::verify(&bytes, &roots).unwrap().into_inner()
    }

    pub(crate) fn file(&self, contents: &Contents) -> Vec<u8> {
        let contents = contents.encode().unwrap();
        let statement = self.statement(&contents).sign(&self.signer.0).unwrap();
        assemble(&statement, &contents, &self.certificates()).unwrap()
    }

    pub(crate) fn certificates(&self) -> Vec<Certificate> {
        vec![self.signer.1.clone(), self.platform.certificate.clone()]
    }
}
