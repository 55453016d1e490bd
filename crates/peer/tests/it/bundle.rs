//! What is a bundle, and what is believed.

use crate::world::{DAY, NOW, World, id, line, org, serial_bytes};
use crypto::{KeyAlgorithm, SoftwareKey, sha256};
use peer::{
    BundleError, Contents, DEVICES_MAX, LIFE_S_MAX, LIFE_S_MIN, Line, REVOKED_MAX, Statement,
    TrustBundle, assemble,
};
use pki::{Certificate, Profile, validate::Anchors};
use proptest::prelude::*;

fn verify(world: &World, bytes: &[u8]) -> Result<(), BundleError> {
    let roots: Anchors = [world.root.certificate.clone()].into_iter().collect();
    TrustBundle::verify(bytes, &roots).map(drop)
}

#[test]
fn what_the_platform_signed_is_believed_and_nothing_else_is() {
    let world = World::new();
    let contents = world.contents();
    let good = world.file(&contents);
    verify(&world, &good).unwrap();
    let claimed = TrustBundle::claimed(&good).unwrap();
    assert_eq!((claimed.device, claimed.number), (id(1), 5));

    let bytes = contents.encode().unwrap();
    let with = |key: &SoftwareKey, certificates: &[Certificate], statement: Statement| {
        let statement = statement.sign(key).unwrap();
        assemble(&statement, &bytes, certificates).unwrap()
    };
    let signer = |error| matches!(error, Err(BundleError::Signer(_)));
    // Another root.
    let other = World::new();
    assert!(signer(verify(&other, &good)));
    // An organisation's signer, a device, and a signer of another platform.
    let own = &world.statement(&bytes);
    let key = SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap();
    for (profile, of, name) in [
        (Profile::OrganisationSigner, "plant", "event signer"),
        (Profile::OrganisationSigner, "tegata", "event signer"),
        (Profile::OrganisationSigner, "plant", "passport signer"),
        (Profile::Ldevid, "tegata", "passport signer"),
    ] {
        let certificate = world.platform.leaf_of(&key, profile, of, name, 77);
        let chain = [certificate, world.platform.certificate.clone()];
        assert!(signer(verify(&world, &with(&key, &chain, own.clone()))), "{profile} {of} {name}");
    }
    // Another key than the certificate's, and a chain without its middle.
    let chain = world.certificates();
    assert!(matches!(verify(&world, &with(&key, &chain, own.clone())), Err(BundleError::Cose(_))));
    assert!(signer(verify(&world, &with(&world.signer.0, &chain[..1], own.clone()))));
    // Contents that were exchanged.
    let mut others = contents.clone();
    others.version = 8;
    let others = others.encode().unwrap();
    let statement = own.sign(&world.signer.0).unwrap();
    assert_eq!(assemble(&statement, &others, &chain), Err(BundleError::Contents));
    // What the platform signed for something else.
    let foreign = crypto::cose::Sign1::sign(
        &world.signer.0,
        "application/vnd.tegata.trust-statement+cbor",
        crypto::cose::Sign1::parse(&statement).unwrap().unverified_payload(),
        b"",
    )
    .unwrap();
    let foreign = assemble(&foreign, &bytes, &chain).unwrap();
    assert!(matches!(verify(&world, &foreign), Err(BundleError::Cose(_))));
}

#[test]
fn the_time_of_a_bundle_is_bounded() {
    let world = World::new();
    let bytes = world.contents().encode().unwrap();
    let life = |life: i64| {
        let mut statement = world.statement(&bytes);
        statement.expires = statement.issued_at.plus(life);
        statement.sign(&world.signer.0).is_ok()
    };
    assert!(life(LIFE_S_MIN) && life(LIFE_S_MAX));
    assert!(!life(LIFE_S_MIN - 1) && !life(LIFE_S_MAX + 1) && !life(-1));
    let zero = Statement { number: 0, ..world.statement(&bytes) };
    assert!(zero.sign(&world.signer.0).is_err());
    // A signer whose certificate has ended since: what it signed is good until its own end.
    let statement = Statement {
        issued_at: NOW.plus(29 * DAY),
        expires: NOW.plus(40 * DAY),
        ..world.statement(&bytes)
    };
    let file = |statement: &Statement| {
        let signed = statement.sign(&world.signer.0).unwrap();
        assemble(&signed, &bytes, &world.certificates()).unwrap()
    };
    verify(&world, &file(&statement)).unwrap();
    // And nothing that it signed after.
    let late = Statement { issued_at: NOW.plus(31 * DAY), ..statement };
    assert!(matches!(verify(&world, &file(&late)), Err(BundleError::Signer(_))));
}

#[test]
fn contents_that_contradict_themselves_are_none() {
    let world = World::new();
    let check = |change: &dyn Fn(&mut Contents), good: bool| {
        let mut contents = world.contents();
        change(&mut contents);
        let made = contents.encode();
        assert_eq!(made.is_ok(), good, "{made:?}");
        if let Ok(bytes) = made {
            assert_eq!(Contents::decode(&bytes), Ok(contents));
        }
    };
    check(&|_| {}, true);
    check(&|it| *it = Contents::default(), true);
    check(&|it| it.lines.reverse(), false);
    check(&|it| it.lines[2].devices.reverse(), false);
    check(&|it| it.lines[2].devices.clear(), false);
    check(&|it| it.lines[0].devices = vec![id(1)], false);
    check(&|it| it.authorities.push(it.authorities[0].clone()), false);
    check(&|it| it.authorities[0].product = Some(line("a-b", "c-d").1), false);
    check(&|it| it.authorities[2].product = None, false);
    check(&|it| it.authorities[0].certificate = world.signer.1.clone(), false);
    check(&|it| it.authorities[0].revoked = vec![serial_bytes(1), serial_bytes(2)], true);
    check(&|it| it.authorities[0].revoked = vec![serial_bytes(2), serial_bytes(1)], false);
    check(&|it| it.authorities[0].revoked = vec![serial_bytes(1), serial_bytes(1)], false);
    check(&|it| it.authorities[0].revoked = vec![Box::from([0, 1])], false);
    check(&|it| it.authorities[0].suspended = vec![Box::from([1; 21])], false);
    check(&|it| it.policies = " ".repeat(permission::TEXT_BYTES_MAX + 1), false);
    let many = |count: usize| {
        let number = |at: usize| u32::try_from(at + 1).unwrap().to_be_bytes();
        let serials = (0..count).map(|at| {
            let bytes = number(at);
            let from = bytes.iter().position(|it| *it != 0).unwrap();
            Box::<[u8]>::from(&bytes[from..])
        });
        let mut serials: Vec<_> = serials.collect();
        serials.sort();
        serials
    };
    check(&|it| it.authorities[0].revoked = many(REVOKED_MAX), true);
    check(&|it| it.authorities[0].revoked = many(REVOKED_MAX + 1), false);
    let devices = |count: usize| {
        let id = |at: usize| device::DeviceId::from_bytes((at as u128 + 1).to_be_bytes());
        vec![Line { product: None, devices: (0..count).map(id).collect() }]
    };
    check(&|it| it.lines = devices(DEVICES_MAX), true);
    check(&|it| it.lines = devices(DEVICES_MAX + 1), false);
    // Policies that cannot be read are no reason to believe the rest.
    let mut contents = world.contents();
    contents.policies = "permit(principal, action, resource)".into();
    let file = world.file(&contents);
    assert!(matches!(verify(&world, &file), Err(BundleError::Policies(_))));
    assert_eq!(org("plant").as_str(), "plant");
}

proptest! {
    #[test]
    fn no_bytes_are_a_surprise(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = TrustBundle::claimed(&bytes);
        let _ = Contents::decode(&bytes);
    }
}

#[test]
fn every_altered_byte_is_noticed() {
    let world = World::new();
    let good = world.file(&world.contents());
    let signed = TrustBundle::claimed(&good).unwrap();
    let roots: Anchors = [world.root.certificate.clone()].into_iter().collect();
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        let Ok(read) = TrustBundle::verify(&bytes, &roots) else { continue };
        // Certificates above the signer's are not signed; whatever they say, what is believed is the same.
        assert_eq!(read.statement(), &signed, "{at}");
        assert_eq!(sha256(&read.contents().encode().unwrap()), signed.contents);
    }
    for short in [0, 1, good.len() / 2, good.len() - 1] {
        assert!(TrustBundle::verify(&good[..short], &roots).is_err());
    }
    let mut long = good;
    long.push(0);
    assert!(TrustBundle::verify(&long, &roots).is_err());
}
