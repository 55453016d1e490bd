//! A device that obeys a director: what the platform, the director or a mirror alone cannot make it
//! do, each told apart and told to the platform.

use crate::{
    site::{DAY, Site, TARGET, custom, now},
    world::{Machine, image},
};
use crypto::{KeyAlgorithm, Sha256, Signer as _, SoftwareKey, UnixTime, Verified, sha256};
use device::{DeviceId, OrganisationId};
use serde_json::json;
use std::sync::Arc;
use update::{
    Key, Limits, Root, Signed, Signers, TargetPath, TopRole, Version,
    director::{
        Addressee, AssignmentId, Directed, Issued, Order, RootKeys, SigningKeys, draft_root, issue,
    },
    repository::{Files, sign_as},
};

const DEVICE: &str = "00112233445566778899aabbccddeeff";
const TABLE: &str = "[director]\norganisation = \"kairo\"\nroot = \"AT/director.json\"\n";

fn ed25519() -> Arc<SoftwareKey> {
    Arc::new(SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap())
}

/// The director's side.
struct Director {
    offline: Arc<SoftwareKey>,
    online: [Arc<SoftwareKey>; 3],
    root: Verified<Root>,
    files: Files,
}

impl Director {
    fn new() -> Self {
        Self::with(ed25519())
    }

    fn with(offline: Arc<SoftwareKey>) -> Self {
        let online = [ed25519(), ed25519(), ed25519()];
        let key = |key: &SoftwareKey| Key::from_public(key.public_key()).unwrap();
        let keys = RootKeys {
            root: Some(Signers { keys: vec![key(&offline)], threshold: 1 }),
            targets: key(&online[0]),
            snapshot: key(&online[1]),
            timestamp: key(&online[2]),
        };
        let root = draft_root(None, &keys, now().plus(365 * DAY)).unwrap();
        let mut signed = Signed::draft(root);
        let authority = signed.own_authority();
        sign_as(&mut signed, &authority, offline.as_ref()).unwrap();
        let bytes = signed.to_bytes().unwrap();
        let root = Signed::<Root>::parse(&bytes, &Limits::DEFAULT).unwrap().trust_first().unwrap();
        Self { offline, online, root, files: [("1.root.json".to_owned(), bytes)].into() }
    }

    fn issue(&self, order: &Order, version: u64, expires: UnixTime) -> Issued {
        let signers = self.online.clone().map(|key| key as Arc<dyn crypto::Signer>);
        let keys = SigningKeys::new(&self.root, &signers).unwrap();
        issue(order, Version::new(version).unwrap(), expires, &keys).unwrap()
    }

    /// Serves an order.
    fn serve(&self, site: &Site, order: &Order, version: u64) {
        self.serve_until(site, order, version, now().plus(DAY));
    }

    fn serve_until(&self, site: &Site, order: &Order, version: u64, expires: UnixTime) {
        let issued = self.issue(order, version, expires);
        let mut files = self.files.clone();
        put(&mut files, &issued);
        site.behaviour().director = files;
    }
}

fn put(files: &mut Files, issued: &Issued) {
    let version = issued.version;
    files.insert("timestamp.json".into(), issued.timestamp.clone());
    files.insert(format!("{version}.snapshot.json"), issued.snapshot.clone());
    files.insert(format!("{version}.targets.json"), issued.targets.clone());
}

fn me(site: &Site) -> Addressee {
    let certificate = site.behaviour().issued.last().unwrap().clone();
    Addressee {
        director: OrganisationId::new("kairo").unwrap(),
        device: DEVICE.parse().unwrap(),
        key: certificate.public_key().unwrap().fingerprint(),
    }
}

/// What the platform's action `action` is, by the director's word.
fn run(action: u64, counter: u64, bytes: &[u8]) -> Directed {
    Directed {
        path: TargetPath::new(TARGET).unwrap(),
        length: bytes.len() as u64,
        sha256: sha256(bytes),
        hardware_id: "gate-bg1".into(),
        version: format!("{counter}.0"),
        security_version: counter,
        release_counter: counter,
        assignment: AssignmentId { action, campaign: [1; 16], release: [2; 16] },
    }
}

fn order(site: &Site, run: Option<Directed>) -> Order {
    Order { to: me(site), run }
}

/// An enrolled device that runs release 1 by action 1.
fn ready(site: &Site, director: &Director) -> Machine {
    let mut machine = Machine::with(site, &image(0, 1000), "", &[("told", "true")]);
    machine.write("director.json", &director.files["1.root.json"]);
    let at = machine.path("").display().to_string();
    let table = TABLE.replace("AT", at.trim_end_matches('/'));
    let text = String::from_utf8(machine.read("agent.toml")).unwrap();
    machine.write("agent.toml", text.replace("[slots]", &format!("{table}[slots]")).as_bytes());
    machine.enrol();
    site.release(&image(1, 1000), &custom(1));
    site.assign(1, &image(1, 1000));
    director.serve(site, &order(site, Some(run(1, 1, &image(1, 1000)))), 1);
    machine.settle(&mut |_| {});
    assert_eq!(site.heard(1).last().unwrap(), "confirmed");
    assert_eq!(machine.image(), image(1, 1000));
    machine
}

/// It is held up by `code`, says so, and runs what it ran.
fn held_up(site: &Site, machine: &Machine, action: u64, code: &str) {
    machine.refused(&["once"], code);
    let behaviour = site.behaviour();
    let last = behaviour.feedback.last().unwrap();
    assert_eq!((&last["action"], &last["execution"]), (&json!(action), &json!("proceeding")));
    let detail = last["detail"].as_str().unwrap();
    assert!(detail.starts_with(&format!("[{code}]")), "{detail}, not {code}");
    drop(behaviour);
    assert_eq!(machine.image(), image(1, 1000));
}

#[test]
fn it_runs_what_director_and_image_repository_both_name() {
    let (site, director) = (Site::new(), Director::new());
    let mut machine = ready(&site, &director);
    let two = image(2, 1000);
    site.release(&two, &custom(2));
    site.assign(2, &two);
    // The platform wants it, and the director does not.
    held_up(&site, &machine, 2, "director-other");
    director.serve(&site, &order(&site, None), 2);
    held_up(&site, &machine, 2, "director-nothing");
    // The director wants what the platform does not say.
    director.serve(&site, &order(&site, Some(run(3, 2, &two))), 3);
    held_up(&site, &machine, 2, "director-other");
    director.serve(&site, &order(&site, Some(run(2, 2, &image(9, 1000)))), 4);
    held_up(&site, &machine, 2, "director-other");
    // At last both.
    director.serve(&site, &order(&site, Some(run(2, 2, &two))), 5);
    machine.settle(&mut |_| {});
    assert_eq!(machine.image(), two);
    assert_eq!(site.heard(2).last().unwrap(), "confirmed");
}

#[test]
fn an_order_for_another_is_not_obeyed() {
    let (site, director) = (Site::new(), Director::new());
    let machine = ready(&site, &director);
    let two = image(2, 1000);
    site.release(&two, &custom(2));
    site.assign(2, &two);
    let mine = order(&site, Some(run(2, 2, &two)));
    let check = |version: u64, change: &dyn Fn(&mut Order), code: &str| {
        let mut other = mine.clone();
        change(&mut other);
        director.serve(&site, &other, version);
        held_up(&site, &machine, 2, code);
    };
    check(2, &|order| order.to.device = DeviceId::from_bytes([9; 16]), "director-device");
    check(3, &|order| order.to.key = Sha256([9; 32]), "director-key");
    let other = OrganisationId::new("other").unwrap();
    check(4, &|order| order.to.director = other.clone(), "director-organisation");
    let hardware = |order: &mut Order| {
        order.run.as_mut().unwrap().hardware_id = "gate-bg2".into();
    };
    check(5, &hardware, "director-hardware");
}

#[test]
fn attacks_on_the_directors_metadata_are_told_apart() {
    let (site, director) = (Site::new(), Director::new());
    let machine = ready(&site, &director);
    let two = image(2, 1000);
    site.release(&two, &custom(2));
    site.assign(2, &two);
    let good = order(&site, Some(run(2, 2, &two)));
    // Arbitrary software: whoever has not the director's keys.
    let thief = Director::new();
    thief.serve(&site, &good, 2);
    site.behaviour().director.remove("1.root.json");
    held_up(&site, &machine, 2, "wrong-keys");
    // Nor does another root follow the trusted one.
    let mut forged = Signed::draft((*thief.root).clone());
    let mut next = forged.unverified().clone();
    next.header.version = Version::new(2).unwrap();
    forged = Signed::draft(next);
    let authority = forged.own_authority();
    sign_as(&mut forged, &authority, thief.offline.as_ref()).unwrap();
    director.serve(&site, &good, 2);
    site.behaviour().director.insert("2.root.json".into(), forged.to_bytes().unwrap());
    held_up(&site, &machine, 2, "wrong-keys");
    // Freeze: what it says has ended, also where the platform wants nothing.
    director.serve_until(&site, &good, 2, now().plus(-1));
    held_up(&site, &machine, 2, "expired");
    // Rollback.
    director.serve(&site, &order(&site, None), 7);
    held_up(&site, &machine, 2, "director-nothing");
    director.serve(&site, &good, 6);
    held_up(&site, &machine, 2, "rollback");
    // The same version with another word: the first one counts.
    director.serve(&site, &good, 7);
    held_up(&site, &machine, 2, "director-nothing");
    // Mix and match.
    director.serve(&site, &good, 8);
    let older = director.issue(&good, 6, now().plus(DAY));
    site.behaviour().director.insert("8.targets.json".into(), older.targets);
    held_up(&site, &machine, 2, "mix-and-match");
    // Endless data, and nothing at all.
    director.serve(&site, &good, 8);
    site.behaviour().director.insert("8.targets.json".into(), vec![b' '; 100_000]);
    let said = machine.run(&["once"]);
    assert!(!said.status.success());
    assert_eq!(machine.image(), image(1, 1000));
    director.serve(&site, &good, 8);
    site.behaviour().director.remove("8.targets.json");
    held_up(&site, &machine, 2, "missing-metadata");
    site.behaviour().director.insert("8.targets.json".into(), b"<html>".to_vec());
    held_up(&site, &machine, 2, "altered-metadata");
}

#[test]
fn a_platform_that_says_nothing_for_ever_is_noticed() {
    let (site, director) = (Site::new(), Director::new());
    let machine = ready(&site, &director);
    site.behaviour().poll = json!({"next_poll_s": 30});
    director.serve(&site, &order(&site, None), 2);
    machine.ok(&["once"]);
    director.serve_until(&site, &order(&site, None), 3, now().plus(-1));
    machine.refused(&["once"], "expired");
    site.behaviour().director.clear();
    machine.refused(&["once"], "missing-metadata");
}

#[test]
fn a_director_alone_installs_nothing() {
    let (site, director) = (Site::new(), Director::new());
    let machine = ready(&site, &director);
    // All keys of director and platform are stolen: what the maker's offline keys did not sign does
    // not run.
    let evil = image(66, 1000);
    site.assign(2, &evil);
    director.serve(&site, &order(&site, Some(run(2, 2, &evil))), 2);
    machine.ok(&["once"]);
    assert_eq!(site.heard(2), ["rejected"]);
    assert!(
        site.behaviour().feedback.last().unwrap()["detail"]
            .as_str()
            .unwrap()
            .contains("[other-file]")
    );
    // Neither does what the maker says otherwise.
    let two = image(2, 1000);
    site.release(&two, &custom(2));
    site.assign(3, &two);
    let check = |version: u64, change: &dyn Fn(&mut Directed)| {
        let mut what = run(3, 2, &two);
        change(&mut what);
        director.serve(&site, &order(&site, Some(what)), version);
        held_up(&site, &machine, 3, "director-image");
    };
    check(3, &|what| what.release_counter = 9);
    check(4, &|what| what.security_version = 9);
    check(5, &|what| what.length = 9);
    check(6, &|what| what.version = "9".into());
}

#[test]
fn one_key_for_both_repositories_is_none() {
    let site = Site::new();
    // A director whose root is signed by the key that signs the image repository's.
    let root_key = SoftwareKey::from_pkcs8(&site.key(TopRole::Root).to_pkcs8().unwrap()).unwrap();
    let director = Director::with(Arc::new(root_key));
    let machine = Machine::with(&site, &image(1, 1000), "", &[("told", "true")]);
    machine.write("director.json", &director.files["1.root.json"]);
    let at = machine.path("").display().to_string();
    let table = TABLE.replace("AT", at.trim_end_matches('/'));
    let text = String::from_utf8(machine.read("agent.toml")).unwrap();
    machine.write("agent.toml", text.replace("[slots]", &format!("{table}[slots]")).as_bytes());
    machine.enrol();
    let two = image(2, 1000);
    site.release(&two, &custom(2));
    site.assign(2, &two);
    director.serve(&site, &order(&site, Some(run(2, 2, &two))), 1);
    held_up(&site, &machine, 2, "director-shared-key");
}

#[test]
fn an_assignment_without_proof_is_not_obeyed() {
    let (site, director) = (Site::new(), Director::new());
    let machine = ready(&site, &director);
    let key = SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap();
    let log = ledger::LogKey::new("test.example/log", key.public_key()).unwrap();
    let text = String::from_utf8(machine.read("agent.toml")).unwrap();
    let table = format!("[log]\nkeys = [\"{log}\"]\n");
    machine.write("agent.toml", text.replace("[slots]", &format!("{table}[slots]")).as_bytes());
    let two = image(2, 1000);
    site.release(&two, &custom(2));
    site.assign(2, &two);
    director.serve(&site, &order(&site, Some(run(2, 2, &two))), 2);
    // The log is behind: that is nobody's fault. It asks again, and installs nothing meanwhile.
    site.behaviour().proof_pending = true;
    let told = site.behaviour().feedback.len();
    let before = site.behaviour().log.len();
    for _ in 0..3 {
        let output = machine.run(&["once"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("[proof-pending]"), "{said}");
    }
    assert_eq!((site.behaviour().feedback.len(), machine.image()), (told, image(1, 1000)));
    let asked = site.behaviour().log.split_off(before);
    assert_eq!(asked.iter().filter(|line| line.contains("/actions/2/proof")).count(), 3);
    assert!(!asked.iter().any(|line| line.contains("/targets/")), "{asked:?}");
    site.behaviour().proof_pending = false;
    held_up(&site, &machine, 2, "assignment-not-logged");
    site.behaviour().proof = Some(b"{}".to_vec());
    held_up(&site, &machine, 2, "assignment-malformed");
    let sha = "ab".repeat(32);
    let salt = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let one = json!({"statement": "e30=", "salt": salt, "leaf": 0, "path": [], "checkpoint": "x"});
    let proof = json!({"campaign": one, "release": one, "salt": sha, "index": 0, "path": []});
    site.behaviour().proof = Some(proof.to_string().into_bytes());
    held_up(&site, &machine, 2, "assignment-not-logged");
}
