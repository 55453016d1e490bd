//! What a device believes, and in which order: bundles of a platform of its own.

use super::*;
use ::peer::{Contents, Statement, assemble};
use crypto::{KeyAlgorithm, Signer as _, SoftwareKey, sha256};
use device::file::PASSPORT_SIGNER_COMMON_NAME;
use pki::{IssuerInfo, Locations, Profile, Request, Serial, Subject, prepare};

const HOUR: i64 = 3600;

struct World {
    roots: Vec<Certificate>,
    signer: (SoftwareKey, Certificate),
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let life = (clock::wall().plus(-24 * HOUR), clock::wall().plus(365 * 24 * HOUR));
        let key = || SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let serial = |number: u8| Serial::from_be_bytes(&[0x10, number]).unwrap();
        let (root_key, platform_key, signer_key) = (key(), key(), key());
        let named = Subject::named("root");
        let info = IssuerInfo::self_signed(&named, root_key.public_key(), life.0, life.1).unwrap();
        let request = Request::new(serial(1), named, root_key.public_key().clone(), life);
        let root = prepare(Profile::Root, &info, &request).unwrap().sign(&root_key).unwrap();
        let subject = Subject {
            organisation: "tegata".into(),
            ..Subject::named(PASSPORT_SIGNER_COMMON_NAME)
        };
        let below = |of: &Certificate, by: &SoftwareKey, profile, request: &Request| {
            let info = IssuerInfo::from_certificate(of, Locations::default()).unwrap();
            prepare(profile, &info, request).unwrap().sign(by).unwrap()
        };
        let named = Subject::named("platform CA");
        let request = Request::new(serial(2), named, platform_key.public_key().clone(), life);
        let platform = below(&root, &root_key, Profile::IssuingCa, &request);
        let request = Request::new(serial(3), subject, signer_key.public_key().clone(), life);
        let signer = below(&platform, &platform_key, Profile::OrganisationSigner, &request);
        let roots = vec![root, platform];
        Self { roots, signer: (signer_key, signer), folder: tempfile::tempdir().unwrap() }
    }

    fn store(&self) -> Store {
        Store::look(self.folder.path())
    }

    fn bundle(&self, owner: &str, number: u64) -> Vec<u8> {
        self.ending(owner, number, clock::wall().plus(HOUR))
    }

    fn ending(&self, owner: &str, number: u64, expires: UnixTime) -> Vec<u8> {
        let contents = Contents::default().encode().unwrap();
        let statement = Statement {
            platform: "tegata".parse().unwrap(),
            device: DeviceId::from_bytes([1; 16]),
            owner: owner.parse().unwrap(),
            number,
            issued_at: expires.plus(-HOUR),
            expires,
            contents: sha256(&contents),
        };
        let signed = statement.sign(&self.signer.0).unwrap();
        let certificates = [self.signer.1.clone(), self.roots[1].clone()];
        assemble(&signed, &contents, &certificates).unwrap()
    }

    fn take(&self, owner: &str, bytes: &[u8]) -> Result<Taken, &'static str> {
        take(&self.store(), &self.roots[..1], &own(owner), bytes).map_err(|failure| failure.code)
    }

    fn load(&self, owner: &str) -> Result<u64, &'static str> {
        let loaded = load(&self.store(), &self.roots[..1], &own(owner));
        loaded.map(|it| it.statement().number).map_err(|failure| failure.code)
    }
}

fn own(owner: &str) -> Own {
    Own { device: DeviceId::from_bytes([1; 16]), owner: owner.to_owned() }
}

#[test]
fn what_a_former_owner_chose_decides_nothing() {
    let world = World::new();
    let theirs = world.bundle("seller", 4);
    assert_eq!(world.take("seller", &theirs), Ok(Taken::Kept(4)));
    assert_eq!(world.load("seller"), Ok(4));
    // Sold, and enrolled with the next owner.
    assert_eq!(world.load("buyer"), Err("trust-bundle-other"));
    assert_eq!(world.take("buyer", &theirs), Err("trust-bundle-other"));
    assert_eq!(world.take("buyer", &world.bundle("seller", 5)), Err("trust-bundle-other"));
    // Numbers go on, whoever owns it.
    assert_eq!(world.take("buyer", &world.bundle("buyer", 3)), Err("trust-bundle-older"));
    assert_eq!(world.take("buyer", &world.bundle("buyer", 5)), Ok(Taken::Kept(5)));
    assert_eq!(world.load("buyer"), Ok(5));
}

#[test]
fn after_a_crash_before_the_number_an_older_one_is_refused_still() {
    let world = World::new();
    let (second, third, fourth) =
        (world.bundle("owner", 2), world.bundle("owner", 3), world.bundle("owner", 4));
    assert_eq!(world.take("owner", &second), Ok(Taken::Kept(2)));
    // The bundle was written, and its number was not.
    files::replace(&world.store().path(BUNDLE), &fourth, Mode::Private, STATE).unwrap();
    assert_eq!(world.take("owner", &third), Err("trust-bundle-older"));
    assert_eq!(world.take("owner", &fourth), Ok(Taken::Known));
    assert_eq!(numbered(&world.store()), Ok(4));
    let another = world.ending("owner", 4, clock::wall().plus(2 * HOUR));
    assert_eq!(world.take("owner", &another), Err("trust-bundle-older"));
    assert_eq!(world.take("owner", &world.bundle("owner", 5)), Ok(Taken::Kept(5)));
    assert_eq!(world.load("owner"), Ok(5));
}

#[test]
fn what_has_ended_stays_so_until_the_platform_or_a_person_says_otherwise() {
    let world = World::new();
    let store = world.store();
    let bytes = world.bundle("owner", 7);
    assert_eq!(world.take("owner", &bytes), Ok(Taken::Kept(7)));
    let bundle = load(&store, &world.roots[..1], &own("owner")).unwrap();
    let code = |bundle: &TrustBundle| now(&store, bundle).map(drop).map_err(|failure| failure.code);
    assert_eq!(code(&bundle), Ok(()));
    // Its end was seen, and the clock was set back then.
    let over = world.ending("owner", 7, clock::wall().plus(-1));
    let over = believed(&over, &world.roots[..1], &own("owner")).unwrap();
    assert_eq!(code(&over), Err("trust-bundle-ended"));
    assert_eq!(code(&bundle), Err("trust-bundle-ended"));
    confirm(&store, 6).unwrap();
    assert_eq!(code(&bundle), Err("trust-bundle-ended"));
    confirm(&store, 7).unwrap();
    assert_eq!(code(&bundle), Ok(()));
    assert_eq!(code(&over), Err("trust-bundle-ended"));
    accept_clock(&store).unwrap();
    assert_eq!(code(&bundle), Ok(()));
    // The agent's own clock, once far ahead, is not what is decided by.
    store.keep_last_seen(clock::wall().plus(1_000_000)).unwrap();
    assert_eq!(code(&bundle), Ok(()));
    // A newer bundle has not ended.
    assert_eq!(code(&over), Err("trust-bundle-ended"));
    assert_eq!(world.take("owner", &world.bundle("owner", 8)), Ok(Taken::Kept(8)));
    let next = load(&store, &world.roots[..1], &own("owner")).unwrap();
    assert_eq!(code(&next), Ok(()));
}

#[test]
fn many_write_at_once_and_what_is_kept_is_whole() {
    let world = World::new();
    let bundles: Vec<_> = (1..=6).map(|number| world.bundle("owner", number)).collect();
    std::thread::scope(|scope| {
        for bytes in &bundles {
            let world = &world;
            scope.spawn(move || {
                for _ in 0..8 {
                    accept_clock(&world.store()).unwrap();
                    see(&world.store(), clock::wall()).unwrap();
                    assert!(matches!(
                        world.take("owner", bytes),
                        Ok(Taken::Kept(_) | Taken::Known) | Err("trust-bundle-older")
                    ));
                }
            });
        }
    });
    assert_eq!(world.load("owner"), Ok(6));
}
