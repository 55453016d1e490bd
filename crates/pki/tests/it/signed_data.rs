//! Detached signatures: what we sign and what openssl signs is believed, and nothing else is.

use crate::{
    openssl,
    world::{self, NOW},
};
use crypto::{KeyAlgorithm, UnixTime, sha256};
use pki::{
    Certificate, Profile,
    signed_data::{DetachedError, SIGNATURE_BYTES_MAX, sign_detached, verify_detached},
    validate::{Anchors, PathError},
};
use proptest::prelude::*;
use std::{fs, sync::OnceLock};

const CONTENT: &[u8] = b"{\"ietf-mud:mud\": {}}";

struct Signed {
    signature: Vec<u8>,
    anchors: Anchors,
}

fn signed() -> &'static Signed {
    static ONE: OnceLock<Signed> = OnceLock::new();
    ONE.get_or_init(|| {
        let root = world::root(KeyAlgorithm::EcdsaP256, true);
        let ca = world::issuing_ca(&root, KeyAlgorithm::EcdsaP256, world::locations("gates"));
        let key = world::key(KeyAlgorithm::EcdsaP256);
        let request = world::request(Profile::SoftwareSigner, &key, &ca.info);
        let own = world::issue(&ca, Profile::SoftwareSigner, &request);
        let chain = [own, ca.certificate.clone()];
        let signature = sign_detached(&sha256(CONTENT), NOW, &key, &chain).unwrap();
        Signed { signature, anchors: [root.certificate].into_iter().collect() }
    })
}

fn check(signature: &[u8], anchors: &Anchors, at: UnixTime) -> Result<(), DetachedError> {
    verify_detached(CONTENT, signature, anchors, &[], at).map(|_| ())
}

#[test]
fn what_we_sign_is_believed_below_its_own_root_at_its_own_time() {
    let Signed { signature, anchors } = signed();
    let found = verify_detached(CONTENT, signature, anchors, &[], NOW).unwrap();
    assert_eq!(found.path.certificates().len(), 3);
    assert_eq!(found.signed_at, Some(NOW));
    let other = verify_detached(b"{}", signature, anchors, &[], NOW);
    assert_eq!(other.unwrap_err(), DetachedError::OtherContent);
    let stranger = [world::root(KeyAlgorithm::EcdsaP256, true).certificate].into_iter().collect();
    assert!(matches!(check(signature, &stranger, NOW), Err(DetachedError::Path(_))));
    let late = check(signature, anchors, UnixTime(NOW.0 + 40 * 366 * 86_400));
    assert!(matches!(late, Err(DetachedError::Path(PathError::Expired { .. }))), "{late:?}");
    let mut long = signature.clone();
    long.resize(SIGNATURE_BYTES_MAX + 1, 0);
    assert!(matches!(check(&long, anchors, NOW), Err(DetachedError::Malformed { .. })));
}

/// Where attributes stand in another order, a verifier that sorts them before it looks (OpenSSL does)
/// hears something else than one that takes them as they come.
#[test]
fn attributes_stand_in_the_order_of_der() {
    const CONTENT_TYPE: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3];
    let Signed { signature, anchors } = signed();
    let first = signature.windows(11).position(|it| it == CONTENT_TYPE).unwrap() - 2;
    let whole = |at: usize| 2 + usize::from(signature[at + 1]);
    let second = first + whole(first);
    let end = second + whole(second);
    assert_eq!((signature[first], signature[second]), (0x30, 0x30));
    let swapped = [
        &signature[..first],
        &signature[second..end],
        &signature[first..second],
        &signature[end..],
    ]
    .concat();
    let refused = check(&swapped, anchors, NOW).unwrap_err();
    let reason = "do not stand in the order of DER";
    assert_eq!(refused, DetachedError::Malformed { field: "signedAttrs", reason });
}

proptest! {
    /// Each byte of it counts: whatever one is changed, it is not believed; but for what is no part of
    /// what is signed or trusted, which says nothing.
    #[test]
    fn no_damage_is_believed_and_none_panics(at in 0_usize..2_000, with in 1_u8..=255) {
        let Signed { signature, anchors } = signed();
        let mut damaged = signature.clone();
        let at = at % damaged.len();
        damaged[at] ^= with;
        if let Ok(found) = verify_detached(CONTENT, &damaged, anchors, &[], NOW) {
            let intact = verify_detached(CONTENT, signature, anchors, &[], NOW).unwrap();
            prop_assert_eq!(&found.path, &intact.path);
            prop_assert_eq!(found.signed_at, intact.signed_at);
        }
    }
}

#[test]
fn what_openssl_signs_is_believed_by_the_same_rules() {
    if !openssl::is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let (done, said) = openssl::run(folder.path(), &words);
        assert!(done, "{line}: {said}");
    };
    fs::write(folder.path().join("file"), CONTENT).unwrap();
    let usage = "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign";
    run(&format!(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 30000 -subj /CN=Root {usage}"
    ));
    let mut made = Vec::new();
    for (name, key, digest) in [
        ("p256", "ec -pkeyopt ec_paramgen_curve:P-256", "sha256"),
        ("p384", "ec -pkeyopt ec_paramgen_curve:P-384", "sha384"),
        ("rsa", "rsa:2048", "sha256"),
        ("rsa512", "rsa:2048", "sha512"),
    ] {
        run(&format!(
            "req -x509 -newkey {key} -nodes -keyout {name}.key -out {name}.pem -days 30000 -subj /CN={name} \
             -CA ca.pem -CAkey ca.key -addext basicConstraints=critical,CA:FALSE \
             -addext keyUsage=critical,digitalSignature"
        ));
        run(&format!(
            "cms -sign -signer {name}.pem -inkey {name}.key -md {digest} -in file -binary -outform DER -out {name}.p7s"
        ));
        made.push(format!("{name}.p7s"));
    }
    for (name, more) in [
        ("keyid", "-keyid"),
        ("mud", "-econtent_type 1.2.840.113549.1.9.16.1.41"),
        ("noattr", "-noattr"),
        ("nocerts", "-nocerts"),
        ("whole", "-nodetach"),
        ("two", "-signer rsa.pem -inkey rsa.key"),
    ] {
        run(&format!(
            "cms -sign -signer p256.pem -inkey p256.key {more} -in file -binary -outform DER -out {name}.p7s"
        ));
    }
    run(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ke.key -out ke.pem -days 30000 \
         -subj /CN=ke -CA ca.pem -CAkey ca.key -addext basicConstraints=critical,CA:FALSE \
         -addext keyUsage=critical,keyAgreement",
    );
    run("cms -sign -signer ke.pem -inkey ke.key -in file -binary -outform DER -out ke.p7s");
    let root = fs::read_to_string(folder.path().join("ca.pem")).unwrap();
    let root = Certificate::from_pem(&root).unwrap();
    // Made now, by openssl's clock.
    let now = UnixTime(root.not_before().0 + 3_600);
    let anchors: Anchors = [root].into_iter().collect();
    let judge = |name: &str, types: &[pki::ObjectIdentifier]| {
        let signature = fs::read(folder.path().join(name)).unwrap();
        verify_detached(CONTENT, &signature, &anchors, types, now).map(|_| ())
    };
    made.push("keyid.p7s".into());
    for name in &made {
        assert_eq!(judge(name, &[]), Ok(()), "{name}");
    }
    let mud = pki::ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.41");
    assert_eq!(judge("mud.p7s", &[mud]), Ok(()));
    assert!(matches!(judge("mud.p7s", &[]), Err(DetachedError::Malformed { .. })));
    assert_eq!(judge("nocerts.p7s", &[]), Err(DetachedError::NoSigner));
    assert_eq!(judge("ke.p7s", &[]), Err(DetachedError::KeyUsage));
    for name in ["noattr.p7s", "whole.p7s", "two.p7s"] {
        let refused = judge(name, &[]);
        assert!(matches!(refused, Err(DetachedError::Malformed { .. })), "{name}: {refused:?}");
    }
}
