//! What the agent tests of itself before it does anything (AT-2): its own program, the algorithms
//! that it relies on, configuration and state, the clock. A finding says whether the agent stops,
//! or waits until it is mended.

use crate::{
    Config, Failure,
    clock::BUILT_AFTER,
    config::SelfTest,
    files,
    slots::{Slots, hash},
    store::Store,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::{
    Digester, HashAlgorithm, KeyAlgorithm, PublicKey, Secret, SignatureScheme, Signer as _,
    SoftwareKey, UnixTime, random,
    sealed::{SealingKey, Unlock},
};
use serde::{Deserialize, Serialize};
use std::{fs::File, io::Seek as _, path::Path};

/// Largest program, in bytes.
const PROGRAM_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Longest list of hashes, signature and key, in bytes.
const MANIFEST_BYTES_MAX: u64 = 64 * 1024;
/// How far the clock may have gone back since it was last seen, in seconds.
const BACK_MAX: i64 = 300;

/// What a finding means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consequence {
    /// nothing
    Pass,
    /// the agent goes on, and says so
    Warn,
    /// the agent waits until it is mended by itself
    Wait,
    /// the agent ends: starting again would not help
    Stop,
}

/// The outcome of one test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// which test
    pub test: &'static str,
    /// what follows
    pub consequence: Consequence,
    /// stable code
    pub code: &'static str,
    /// in words
    pub detail: String,
}

impl Finding {
    fn pass(test: &'static str, detail: impl Into<String>) -> Self {
        Self { test, consequence: Consequence::Pass, code: "pass", detail: detail.into() }
    }

    fn new(
        test: &'static str,
        consequence: Consequence,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self { test, consequence, code, detail: detail.into() }
    }

    fn failure(test: &'static str, failure: Failure) -> Self {
        let consequence = if failure.passes() { Consequence::Wait } else { Consequence::Stop };
        Self::new(test, consequence, failure.code, failure.detail)
    }
}

/// All tests, in order.
#[must_use]
pub fn run(config: &Config, store: &Store, now: UnixTime) -> Vec<Finding> {
    vec![
        program(config, store),
        algorithms(),
        configuration(config),
        state(store),
        clock(store, now),
    ]
}

/// The worst consequence of some findings.
pub fn worst(findings: &[Finding]) -> Consequence {
    let rank = |consequence: &Consequence| match consequence {
        Consequence::Pass => 0,
        Consequence::Warn => 1,
        Consequence::Wait => 2,
        Consequence::Stop => 3,
    };
    findings.iter().map(|one| one.consequence).max_by_key(rank).unwrap_or(Consequence::Pass)
}

/// The program that runs is the one that was signed for, or that was there at the first start.
fn program(config: &Config, store: &Store) -> Finding {
    const TEST: &str = "program";
    let found = match own_hash() {
        Ok(found) => found,
        Err(failure) => return Finding::failure(TEST, failure),
    };
    let SelfTest::Manifest { list, signature, key } = &config.self_test else {
        let (place, image) = place_of_record(config, store);
        return match store.record::<Recorded>(&place) {
            Ok(Some(recorded)) if recorded.program == found => {
                Finding::pass(TEST, format!("{found}, as at the first start"))
            }
            // Another image came into the slot; it was verified before it did.
            Ok(Some(recorded)) if image.is_some() && image != recorded.image => Finding::new(
                TEST,
                Consequence::Warn,
                RECORDED,
                format!("{found} came with the image that was installed"),
            ),
            Ok(Some(recorded)) => Finding::new(
                TEST,
                Consequence::Stop,
                "program-changed",
                format!(
                    "the program hashes to {found}, and to {} at the first start; after an update \
                     of the program alone run: tegata-agent self-test --accept-program",
                    recorded.program
                ),
            ),
            Ok(None) => Finding::new(
                TEST,
                Consequence::Warn,
                RECORDED,
                format!("{found} is taken as right: nothing to compare it with yet"),
            ),
            Err(failure) => Finding::failure(TEST, failure),
        };
    };
    match listed(list, signature, key, &found) {
        Ok(()) => Finding::pass(TEST, format!("{found}, as was signed")),
        Err(failure) => Finding::failure(TEST, failure),
    }
}

/// The code of a program that is to be recorded.
pub(crate) const RECORDED: &str = "program-recorded";

/// What a program is compared with where there is no signed list.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    /// SHA-256 of the image that it came with, where that is known
    image: Option<String>,
    /// SHA-256 of the program
    program: String,
}

/// Each slot has its own program: an update brings another one, and going back the one before.
fn place_of_record(config: &Config, store: &Store) -> (String, Option<String>) {
    let slots = config.slots.clone().map(Slots::new);
    let Some(running) = slots.and_then(|slots| slots.running().ok()) else {
        return ("program".to_owned(), None);
    };
    let state = store.state().ok();
    let image = state.and_then(|state| Some(state.image(running)?.sha256.clone()));
    (format!("program-{running}"), image)
}

/// Takes the running program for right.
///
/// # Errors
/// `state-write`, `program-unreadable`.
pub(crate) fn record(config: &Config, store: &Store) -> Result<(), Failure> {
    let (place, image) = place_of_record(config, store);
    store.keep(&place, &Recorded { image, program: own_hash()? })
}

/// SHA-256 of the running program, read from the file that the kernel started.
fn own_hash() -> Result<String, Failure> {
    let failed = |error: std::io::Error| {
        Failure::fatal("program-unreadable", format!("cannot read the program: {error}"))
    };
    let mut file = File::open("/proc/self/exe").map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    if length > PROGRAM_BYTES_MAX {
        return Err(Failure::fatal("program-unreadable", "the program has more than 256 MiB"));
    }
    file.rewind().map_err(failed)?;
    let digest = hash(&mut file, length).map_err(failed)?;
    digest.map(hex::encode).ok_or_else(|| failed(std::io::ErrorKind::UnexpectedEof.into()))
}

/// Whether a signed list names the hash. The list is what `sha256sum` writes; the signature is what
/// `openssl dgst -sha256 -sign` writes, or base64 of it.
fn listed(list: &Path, signature: &Path, key: &Path, found: &str) -> Result<(), Failure> {
    let bad = |why: String| Failure::fatal("program-manifest", why);
    let read = |path: &Path| {
        files::read(path, MANIFEST_BYTES_MAX)?
            .ok_or_else(|| bad(format!("{} is missing", path.display())))
    };
    let (list, signature, key) = (read(list)?, read(signature)?, read(key)?);
    let key = public_key(&String::from_utf8_lossy(&key))
        .ok_or_else(|| bad("the key of the manifest is not a PUBLIC KEY in PEM".to_owned()))?;
    let signature = match std::str::from_utf8(&signature) {
        Ok(text) => STANDARD.decode(text.trim()).unwrap_or_else(|_| signature.clone()),
        Err(_) => signature,
    };
    key.verify(key.default_scheme(), &list, &signature)
        .map_err(|_| bad("the manifest is not signed by its key".to_owned()))?;
    let list = String::from_utf8_lossy(&list);
    let named = list.lines().any(|line| {
        line.split_ascii_whitespace().next().is_some_and(|hash| hash.eq_ignore_ascii_case(found))
    });
    if named {
        return Ok(());
    }
    Err(Failure::fatal(
        "program-changed",
        format!("the program hashes to {found}, which the signed manifest does not name"),
    ))
}

fn public_key(pem: &str) -> Option<PublicKey> {
    let (_, rest) = pem.split_once("-----BEGIN PUBLIC KEY-----")?;
    let (body, _) = rest.split_once("-----END PUBLIC KEY-----")?;
    let text: String = body.split_ascii_whitespace().collect();
    PublicKey::from_spki(&STANDARD.decode(text).ok()?).ok()
}

/// Known answers of everything that decides about identity and updates.
fn algorithms() -> Finding {
    const TEST: &str = "algorithms";
    let mut wrong = Vec::new();
    let mut check = |name: &'static str, holds: bool| {
        if !holds {
            wrong.push(name);
        }
    };
    check("SHA-256", digest_is(HashAlgorithm::Sha256, SHA256_ABC));
    check("SHA-512", digest_is(HashAlgorithm::Sha512, SHA512_ABC));
    check("ECDSA P-256", ecdsa() == Some(true));
    check("Ed25519", ed25519() == Some(true));
    check("AES-256-GCM with HKDF-SHA-256", sealing() == Some(true));
    check("ECDSA P-256 signing", pairwise() == Some(true));
    let [a, b] = [random::bytes::<32>(), random::bytes::<32>()];
    check("random numbers", a != b && a != [0; 32]);
    if wrong.is_empty() {
        return Finding::pass(TEST, "known answers hold");
    }
    let detail = format!("wrong answers: {}", wrong.join(", "));
    Finding::new(TEST, Consequence::Stop, "algorithm-wrong", detail)
}

// FIPS 180-4, "abc".
const SHA256_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const SHA512_ABC: &str = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
     2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

fn digest_is(algorithm: HashAlgorithm, expected: &str) -> bool {
    let mut digester = Digester::new(algorithm);
    digester.update(b"abc");
    hex::encode(digester.finish()) == expected
}

/// RFC 6979 appendix A.2.5, SHA-256, "sample"; and the same for another message.
fn ecdsa() -> Option<bool> {
    let spki = hex::decode(
        "3059301306072a8648ce3d020106082a8648ce3d03010703420004\
         60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
         7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
    );
    let signature = hex::decode(
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
         f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    );
    let (key, signature) = (PublicKey::from_spki(&spki.ok()?).ok()?, signature.ok()?);
    let scheme = SignatureScheme::EcdsaSha256;
    Some(
        key.verify_fixed(scheme, b"sample", &signature).is_ok()
            && key.verify_fixed(scheme, b"simple", &signature).is_err(),
    )
}

/// RFC 8032 section 7.1, test 2.
fn ed25519() -> Option<bool> {
    let spki = hex::decode(
        "302a300506032b65700321003d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    );
    let signature = hex::decode(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    );
    let (key, signature) = (PublicKey::from_spki(&spki.ok()?).ok()?, signature.ok()?);
    let scheme = SignatureScheme::Ed25519;
    Some(
        key.verify(scheme, &[0x72], &signature).is_ok()
            && key.verify(scheme, &[0x73], &signature).is_err(),
    )
}

/// What this program sealed once, under a key file of 32 bytes 7 (docs/agent.md).
const SEALED: &str = include_str!("../testdata/sealed.hex");

fn sealing() -> Option<bool> {
    let mut sealed = hex::decode(SEALED.trim()).ok()?;
    let file = Secret::new(vec![7; 32]);
    let key = SealingKey::of(&sealed, &Unlock::KeyFile(&file)).ok()?;
    let opened = key.open("known answer", &sealed).ok()?;
    let right = opened.expose() == b"tegata-agent";
    *sealed.last_mut()? ^= 1;
    Some(right && key.open("known answer", &sealed).is_err())
}

fn pairwise() -> Option<bool> {
    let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).ok()?;
    let scheme = key.public_key().default_scheme();
    let signature = key.sign(scheme, b"pairwise").ok()?;
    Some(key.public_key().verify(scheme, b"pairwise", &signature).is_ok())
}

/// The files that the configuration names are there, and what is secret is for the agent alone.
fn configuration(config: &Config) -> Finding {
    const TEST: &str = "configuration";
    let mut problems = Vec::new();
    if let Err(failure) = crate::identity::roots(config) {
        problems.push(failure.to_string());
    }
    if let Err(failure) = files::require_private(&config.identity.sealing_key) {
        problems.push(failure.to_string());
    }
    for (organisation, repository) in &config.repositories {
        if !repository.root.is_file() {
            problems.push(format!("{organisation}: no {}", repository.root.display()));
        }
    }
    if problems.is_empty() {
        return Finding::pass(TEST, "complete");
    }
    Finding::new(TEST, Consequence::Stop, "configuration", problems.join("; "))
}

fn state(store: &Store) -> Finding {
    const TEST: &str = "state";
    match store.state() {
        Ok(state) => Finding::pass(TEST, format!("{} reports wait", state.outbox.len())),
        Err(failure) => Finding::failure(TEST, failure),
    }
}

/// A clock before the program was made, or before it was last seen, judges no expiry.
fn clock(store: &Store, now: UnixTime) -> Finding {
    const TEST: &str = "clock";
    if now < BUILT_AFTER {
        let detail = format!("the clock says {now}, before this program was made; waiting for it");
        return Finding::new(TEST, Consequence::Wait, "clock-not-set", detail);
    }
    match store.last_seen() {
        Err(failure) => Finding::failure(TEST, failure),
        Ok(Some(seen)) if now < seen.plus(-BACK_MAX) => {
            let detail = format!(
                "the clock says {now} and was {seen} before; where it was wrong then, run: \
                 tegata-agent self-test --accept-clock"
            );
            Finding::new(TEST, Consequence::Wait, "clock-back", detail)
        }
        Ok(_) => Finding::pass(TEST, format!("{now}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_hold() {
        assert_eq!(ecdsa(), Some(true));
        assert_eq!(ed25519(), Some(true));
        assert_eq!(sealing(), Some(true));
        let finding = algorithms();
        assert_eq!(finding.consequence, Consequence::Pass, "{finding:?}");
    }

    #[test]
    fn a_clock_that_cannot_be_right_waits() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let check = |now: UnixTime, code: &str| assert_eq!(clock(&store, now).code, code);
        check(UnixTime(0), "clock-not-set");
        check(BUILT_AFTER, "pass");
        store.keep_last_seen(BUILT_AFTER.plus(10_000)).unwrap();
        check(BUILT_AFTER.plus(9_900), "pass");
        check(BUILT_AFTER.plus(9_000), "clock-back");
        std::fs::write(dir.path().join("clock"), "x").unwrap();
        assert_eq!(clock(&store, BUILT_AFTER).consequence, Consequence::Stop);
    }

    #[test]
    fn the_program_is_what_was_signed() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| dir.path().join(name);
        let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let spki = STANDARD.encode(key.public_key().spki());
        std::fs::write(
            place("key"),
            format!("-----BEGIN PUBLIC KEY-----\n{spki}\n-----END PUBLIC KEY-----\n"),
        )
        .unwrap();
        let found = own_hash().unwrap();
        let sign = |list: &str| {
            std::fs::write(place("list"), list).unwrap();
            let scheme = key.public_key().default_scheme();
            std::fs::write(place("sig"), key.sign(scheme, list.as_bytes()).unwrap()).unwrap();
        };
        let judge = || listed(&place("list"), &place("sig"), &place("key"), &found);
        sign(&format!("{}  other\n{found}  tegata-agent\n", "0".repeat(64)));
        judge().unwrap();
        std::fs::write(place("list"), format!("{found}  tegata-agent \n")).unwrap();
        assert_eq!(judge().unwrap_err().code, "program-manifest");
        sign(&format!("{}  tegata-agent\n", "0".repeat(64)));
        assert_eq!(judge().unwrap_err().code, "program-changed");
        std::fs::remove_file(place("sig")).unwrap();
        assert_eq!(judge().unwrap_err().code, "program-manifest");
    }
}
