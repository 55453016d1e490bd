//! A director: what it says reaches the device it is for, and nobody else's word passes for it.

use crate::world::{DAY, Device, FIRMWARE, NOW, World, claimed, key, path, public, role, signed};
use crypto::{Sha256, Signer, SoftwareKey, UnixTime, Verified, sha256};
use device::{DeviceId, OrganisationId};
use proptest::prelude::*;
use std::sync::Arc;
use update::{
    Hashes, Limits, Metadata, Paths, ReleaseStatement, Root, Signed, Signers, Snapshot,
    StatedArtifact, TargetFile, Targets, Timestamp, Version,
    campaign::{AssignmentProof, CampaignStatement, LogTrust, Told, verify_assignment},
    client::{Client, Refusal},
    director::{
        Addressee, AssignmentId, Directed, DirectorError, Issued, Order, RootKeys, SigningKeys,
        directed, draft_root, issue, require_image, require_logged,
    },
    repository::Files,
};

const HOUR: i64 = 3600;

fn me() -> Addressee {
    Addressee {
        director: OrganisationId::new("maker").unwrap(),
        device: DeviceId::from_bytes([7; 16]),
        key: sha256(b"the key of its certificate"),
    }
}

fn run() -> Directed {
    Directed {
        path: path("gate/fw.img"),
        length: FIRMWARE.len() as u64,
        sha256: sha256(FIRMWARE),
        hardware_id: "gate-bg1".into(),
        version: "2.4.1".into(),
        security_version: 7,
        release_counter: 41,
        assignment: AssignmentId { action: 17, campaign: [2; 16], release: [3; 16] },
    }
}

fn order(run: Option<Directed>) -> Order {
    Order { to: me(), run }
}

/// The organisation's side.
struct Director {
    offline: SoftwareKey,
    online: [u8; 3],
    files: Files,
    root: Verified<Root>,
}

impl Director {
    fn new() -> Self {
        let (offline, online) = (key(101), [111, 112, 113]);
        let first = Signers { keys: vec![public(&offline)], threshold: 1 };
        let root = draft_root(None, &root_keys(online, Some(first)), NOW.plus(365 * DAY)).unwrap();
        let bytes = signed(root, &[&offline]);
        let root = Signed::<Root>::parse(&bytes, &Limits::DEFAULT).unwrap().trust_first().unwrap();
        let files = [("1.root.json".to_owned(), bytes)].into();
        Self { offline, online, files, root }
    }

    /// The next root, with other keys online.
    fn rotate(&mut self, online: [u8; 3]) {
        let next = draft_root(Some(&self.root), &root_keys(online, None), NOW.plus(400 * DAY));
        let bytes = signed(next.unwrap(), &[&self.offline]);
        let next = Signed::<Root>::parse(&bytes, &Limits::DEFAULT).unwrap();
        self.root = next.follow(&self.root).unwrap();
        self.online = online;
        self.files.insert(format!("{}.root.json", self.root.header.version), bytes);
    }

    fn keys(&self) -> SigningKeys {
        let signers = self.online.map(|seed| Arc::new(key(seed)) as Arc<dyn Signer>);
        SigningKeys::new(&self.root, &signers).unwrap()
    }

    fn issue(&self, order: &Order, version: u64) -> Issued {
        let version = Version::new(version).unwrap();
        issue(order, version, NOW.plus(24 * HOUR), &self.keys()).unwrap()
    }

    /// What is served to the device that the order is for.
    fn serves(&self, order: &Order, version: u64) -> Files {
        let mut files = self.files.clone();
        put(&mut files, &self.issue(order, version));
        files
    }

    fn device(&self) -> Device {
        Device::new(self.files["1.root.json"].clone())
    }

    /// Serves targets that say something else, under a snapshot and a timestamp over them.
    fn serves_targets(&self, targets: Targets) -> Files {
        let [targets_key, snapshot_key, timestamp_key] = self.online.map(key);
        let version = targets.header.version;
        let expires = targets.header.expires;
        let bytes = signed(targets, &[&targets_key]);
        let issued = self.issue(&order(None), version.number());
        let mut snapshot: Snapshot = claimed(&issued.snapshot);
        snapshot.meta.insert("targets.json".into(), update::MetaFile::of(version, &bytes));
        let snapshot = signed(snapshot, &[&snapshot_key]);
        let mut timestamp: Timestamp = claimed(&issued.timestamp);
        timestamp.snapshot = update::MetaFile::of(version, &snapshot);
        let timestamp = signed(timestamp, &[&timestamp_key]);
        let mut files = self.files.clone();
        put(&mut files, &Issued { version, expires, timestamp, snapshot, targets: bytes });
        files
    }
}

fn root_keys(online: [u8; 3], root: Option<Signers>) -> RootKeys {
    let [targets, snapshot, timestamp] = online.map(|seed| public(&key(seed)));
    RootKeys { root, targets, snapshot, timestamp }
}

fn put(files: &mut Files, issued: &Issued) {
    let version = issued.version;
    files.insert("timestamp.json".into(), issued.timestamp.clone());
    files.insert(format!("{version}.snapshot.json"), issued.snapshot.clone());
    files.insert(format!("{version}.targets.json"), issued.targets.clone());
}

fn read(client: &Client, to: &Addressee) -> Result<Option<Directed>, DirectorError> {
    let found = directed(client.targets().unwrap(), to, "gate-bg1")?;
    Ok(found.map(Verified::into_inner))
}

fn refused(refusal: Result<Client, Refusal>) -> &'static str {
    refusal.unwrap_err().code()
}

#[test]
fn an_order_reaches_its_device_and_holds_until_it_changes() {
    let director = Director::new();
    let mut device = director.device();
    let client = device.refresh(&director.serves(&order(Some(run())), 1), NOW).unwrap();
    assert_eq!(read(&client, &me()), Ok(Some(run())));
    // The same again, from what was kept.
    let client = device.refresh(&director.serves(&order(Some(run())), 1), NOW).unwrap();
    assert_eq!(read(&client, &me()), Ok(Some(run())));
    // Nothing to do is said as well, and signed as well.
    let client = device.refresh(&director.serves(&order(None), 2), NOW).unwrap();
    assert_eq!(read(&client, &me()), Ok(None));
    // What is signed twice is the same twice: a server that forgot it signs it again.
    assert_eq!(director.issue(&order(None), 2), director.issue(&order(None), 2));
    let issued = director.issue(&order(Some(run())), 3);
    let length = issued.timestamp.len() + issued.snapshot.len() + issued.targets.len();
    assert!(length < 3000, "{length} bytes");
}

#[test]
fn rollback_freeze_and_mix_and_match() {
    let director = Director::new();
    let old = director.serves(&order(Some(run())), 1);
    let mut device = director.device();
    device.refresh(&director.serves(&order(None), 2), NOW).unwrap();
    // An older order, properly signed.
    assert_eq!(refused(device.clone().refresh(&old, NOW)), "rollback");
    // Two orders of one version: the first one counts.
    let second = director.serves(&order(Some(run())), 2);
    let client = device.clone().refresh(&second, NOW).unwrap();
    assert_eq!(read(&client, &me()), Ok(None));
    // Nothing new for ever: it ends within hours.
    let frozen = director.serves(&order(None), 2);
    assert!(device.clone().refresh(&frozen, NOW.plus(24 * HOUR - 1)).is_ok());
    assert_eq!(refused(device.clone().refresh(&frozen, NOW.plus(24 * HOUR))), "expired");
    // Parts of two orders.
    let mut mixed = director.serves(&order(Some(run())), 3);
    mixed.insert("3.targets.json".into(), old["1.targets.json"].clone());
    assert_eq!(refused(device.clone().refresh(&mixed, NOW)), "mix-and-match");
    let mut mixed = director.serves(&order(Some(run())), 3);
    let other = director.issue(&order(None), 3);
    mixed.insert("3.targets.json".into(), other.targets);
    assert_eq!(refused(device.clone().refresh(&mixed, NOW)), "altered-metadata");
    let mut cut = director.serves(&order(Some(run())), 3);
    cut.remove("3.targets.json");
    assert_eq!(refused(device.refresh(&cut, NOW)), "missing-metadata");
}

#[test]
fn whoever_has_other_keys_is_not_the_director() {
    let director = Director::new();
    let device = director.device();
    let good = director.serves(&order(Some(run())), 1);
    // The online keys of the image repository, of another director, or of the wrong role.
    for wrong in [[21, 31, 11], [112, 113, 111], [111, 112, 11], [11, 112, 113]] {
        let keys = wrong.map(key);
        let issued = director.issue(&order(Some(run())), 1);
        let targets = signed(claimed::<Targets>(&issued.targets), &[&keys[0]]);
        let mut snapshot: Snapshot = claimed(&issued.snapshot);
        snapshot.meta.insert("targets.json".into(), update::MetaFile::of(issued.version, &targets));
        let snapshot = signed(snapshot, &[&keys[1]]);
        let mut timestamp: Timestamp = claimed(&issued.timestamp);
        timestamp.snapshot = update::MetaFile::of(issued.version, &snapshot);
        let timestamp = signed(timestamp, &[&keys[2]]);
        let mut files = director.files.clone();
        put(&mut files, &Issued { timestamp, snapshot, targets, ..issued });
        assert_eq!(refused(device.clone().refresh(&files, NOW)), "wrong-keys", "{wrong:?}");
    }
    // More than is read.
    let mut endless = good;
    endless.insert("timestamp.json".into(), vec![b' '; 20_000]);
    assert_eq!(refused(device.clone().refresh(&endless, NOW)), "endless-data");
    // The root of the image repository, which others' keys sign, does not follow the director's.
    let mut crossed = director.serves(&order(None), 1);
    let mut foreign = World::new().first_root();
    foreign.header.version = Version::new(2).unwrap();
    let world = World::new();
    crossed.insert("2.root.json".into(), signed(foreign, &world.root_keys()));
    assert_eq!(refused(device.clone().refresh(&crossed, NOW)), "wrong-keys");
}

#[test]
fn a_thief_of_the_online_keys_is_undone_by_the_next_root() {
    let mut director = Director::new();
    let mut device = director.device();
    let far = Version::LAST.number();
    device.refresh(&director.serves(&order(None), far), NOW).unwrap();
    let honest = director.serves(&order(Some(run())), 5);
    assert_eq!(refused(device.clone().refresh(&honest, NOW)), "rollback");
    director.rotate([121, 122, 123]);
    let client = device.refresh(&director.serves(&order(Some(run())), 5), NOW).unwrap();
    assert_eq!(read(&client, &me()), Ok(Some(run())));
    // And the thief's keys are worth nothing from then on.
    let stolen = [111, 112, 113].map(|seed| Arc::new(key(seed)) as Arc<dyn Signer>);
    assert!(SigningKeys::new(&director.root, &stolen).is_err());
}

#[test]
fn what_is_for_somebody_else_is_not_done() {
    let director = Director::new();
    let check = |to: Addressee, run: Option<Directed>, code: &str| {
        let files = director.serves(&Order { to, run }, 1);
        let client = director.device().refresh(&files, NOW).unwrap();
        assert_eq!(read(&client, &me()).unwrap_err().code(), code);
    };
    for what in [None, Some(run())] {
        let device = DeviceId::from_bytes([8; 16]);
        check(Addressee { device, ..me() }, what.clone(), "director-device");
        let key = sha256(b"a key before");
        check(Addressee { key, ..me() }, what.clone(), "director-key");
        let other = OrganisationId::new("other").unwrap();
        check(Addressee { director: other, ..me() }, what, "director-organisation");
    }
    let other = Directed { hardware_id: "gate-bg2".into(), ..run() };
    check(me(), Some(other), "director-hardware");
}

#[test]
fn what_no_director_says_is_not_done() {
    let director = Director::new();
    let good: Targets = claimed(&director.issue(&order(Some(run())), 1).targets);
    let check = |change: &dyn Fn(&mut Targets), code: &str| {
        let mut targets = good.clone();
        change(&mut targets);
        let client = director.device().refresh(&director.serves_targets(targets), NOW).unwrap();
        assert_eq!(read(&client, &me()).unwrap_err().code(), code);
    };
    check(
        &|targets| {
            let paths = Paths::Patterns(vec!["*".into()]);
            targets.delegate(role("kairo"), &[public(&key(41))], 1, paths, true).unwrap();
        },
        "director-delegates",
    );
    check(
        &|targets| {
            let file = targets.targets["gate/fw.img"].clone();
            targets.targets.insert("gate/other.img".into(), file);
        },
        "director-targets",
    );
    // A target without ECU, with another's, without its counters, for two kinds of hardware.
    let text = String::from_utf8(update::json::file_form(
        &update::json::parse(&director.issue(&order(Some(run())), 1).targets).unwrap(),
    ))
    .unwrap();
    let device = me().device.to_string();
    for (from, to, code) in [
        ("ecuIdentifiers", "ecus", "director-malformed"),
        (r#""gate-bg1"]"#, r#""gate-bg1","gate-bg2"]"#, "director-malformed"),
        (r#""release_counter":41,"#, "", "director-malformed"),
        (r#""security_version":7,"#, "", "director-malformed"),
        (r#""assignment":{"action":17,"#, r#""assignment":{"#, "director-malformed"),
        (r#""campaign":"02"#, r#""campaign":""#, "director-malformed"),
        (
            &format!(r#"{{"{device}":{{"hardwareId""#),
            r#"{"08080808080808080808080808080808":{"hardwareId""#,
            "director-device",
        ),
        (r#""director":"maker","#, "", "director-malformed"),
        (r#""key":"#, r#""cay":"#, "director-malformed"),
        ("gate/fw.img", "gate/../fw.img", "director-malformed"),
    ] {
        assert!(text.contains(from), "{from} is not in {text}");
        let changed = text.replacen(from, to, 1);
        let mut targets: Targets = claimed(changed.as_bytes());
        targets.header.version = Version::FIRST;
        let client = director.device().refresh(&director.serves_targets(targets), NOW).unwrap();
        assert_eq!(read(&client, &me()).unwrap_err().code(), code, "{from} → {to}");
    }
}

#[test]
fn a_director_alone_installs_nothing_and_neither_does_an_image_repository() {
    let director = Director::new();
    let mut world = World::new();
    let ordered = |what: Directed| {
        let files = director.serves(&order(Some(what)), 1);
        let client = director.device().refresh(&files, NOW).unwrap();
        let ordered = directed(client.targets().unwrap(), &me(), "gate-bg1").unwrap().unwrap();
        (ordered, client)
    };
    let image = |world: &World, name: &str| {
        let mut device = world.device();
        let target = device.find(&world.files, NOW, name);
        (target, device.refresh(&world.files, NOW).unwrap())
    };
    let (what, mine) = ordered(run());
    let (target, theirs) = image(&world, "gate/fw.img");
    require_image(&what, &target.unwrap(), mine.root(), theirs.root()).unwrap();
    // The director's keys are stolen: it names what the maker never signed, or says of it what the
    // maker does not say.
    let evil = Directed { path: path("gate/evil.img"), ..run() };
    assert_eq!(image(&world, evil.path.as_str()).0.unwrap_err().code(), "unknown-target");
    let check = |change: &dyn Fn(&mut Directed), what: &'static str| {
        let mut evil = run();
        change(&mut evil);
        let (evil, mine) = ordered(evil);
        let (target, theirs) = image(&world, "gate/fw.img");
        let refused = require_image(&evil, &target.unwrap(), mine.root(), theirs.root());
        assert_eq!(refused, Err(DirectorError::Image(what)));
    };
    check(&|evil| evil.sha256 = sha256(b"evil"), "SHA-256");
    check(&|evil| evil.length += 1, "length");
    check(&|evil| evil.release_counter += 1, "release counter");
    check(&|evil| evil.security_version += 1, "security version");
    check(&|evil| evil.version.push('1'), "version");
    check(&|evil| evil.path = path("gate/fw2.img"), "path");
    // The image repository's online keys are stolen: they choose nothing. What the maker signed
    // later does not run before the director says so.
    world.release(b"a newer firmware");
    let (target, theirs) = image(&world, "gate/fw.img");
    let refused = require_image(&what, &target.unwrap(), mine.root(), theirs.root());
    assert_eq!(refused, Err(DirectorError::Image("length")));
    // One repository for both checks nothing.
    let (target, theirs) = image(&World::new(), "gate/fw.img");
    let refused = require_image(&what, &target.unwrap(), theirs.root(), theirs.root());
    assert_eq!(refused, Err(DirectorError::SharedKey));
}

#[test]
fn a_root_of_a_director_keeps_its_keys_apart() {
    let first = || Some(Signers { keys: vec![public(&key(101))], threshold: 1 });
    let expires = NOW.plus(DAY);
    assert!(draft_root(None, &root_keys([111, 112, 113], None), expires).is_err(), "no keys");
    assert!(draft_root(None, &root_keys([111, 111, 113], first()), expires).is_err(), "twice");
    assert!(draft_root(None, &root_keys([101, 112, 113], first()), expires).is_err(), "the root's");
    let root = draft_root(None, &root_keys([111, 112, 113], first()), expires).unwrap();
    let next = draft_root(Some(&root), &root_keys([121, 122, 123], None), expires).unwrap();
    assert_eq!(next.header.version.number(), 2);
    assert_eq!(next.role(update::TopRole::Root), root.role(update::TopRole::Root));
    assert!(root.shares_a_key_with(&next), "the offline key stays");
    let mut end = root;
    end.header.version = Version::LAST;
    assert!(draft_root(Some(&end), &root_keys([121, 122, 123], None), expires).is_err());
}

fn logged(what: &Directed) -> (CampaignStatement, ReleaseStatement) {
    let campaign = CampaignStatement {
        campaign: what.assignment.campaign,
        number: 1,
        organisation: "owner".into(),
        told: Told::Started,
        members: 1,
        root: Sha256([0; 32]),
        release: Some(what.assignment.release),
        at: NOW,
    };
    let release = ReleaseStatement {
        release: hex(&what.assignment.release),
        organisation: "maker".into(),
        product: "gate".into(),
        version: what.version.clone(),
        security_version: what.security_version,
        release_counter: what.release_counter,
        hardware_ids: vec![what.hardware_id.clone()],
        artifacts: vec![StatedArtifact {
            path: what.path.as_str().to_owned(),
            length: what.length,
            sha256: what.sha256,
            hardware_ids: vec![what.hardware_id.clone()],
        }],
        at: NOW,
    };
    (campaign, release)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_log_was_told_the_same() {
    let director = Director::new();
    let client = director.device().refresh(&director.serves(&order(Some(run())), 1), NOW).unwrap();
    let ordered = directed(client.targets().unwrap(), &me(), "gate-bg1").unwrap().unwrap();
    // As `verify_assignment` would say it.
    let said = |change: &dyn Fn(&mut CampaignStatement, &mut ReleaseStatement)| {
        let (mut campaign, mut release) = logged(&run());
        change(&mut campaign, &mut release);
        require_logged(&ordered, &Verified::assertion((campaign, release)))
    };
    assert_eq!(said(&|_, _| {}), Ok(()));
    let differs = |what| Err(DirectorError::Logged(what));
    assert_eq!(said(&|campaign, _| campaign.campaign = [9; 16]), differs("campaign"));
    assert_eq!(said(&|campaign, _| campaign.release = None), differs("release"));
    assert_eq!(said(&|_, release| release.release = hex(&[9; 16])), differs("release"));
    assert_eq!(said(&|_, release| release.artifacts.clear()), differs("SHA-256"));
    assert_eq!(said(&|_, release| release.artifacts[0].length = 1), differs("length"));
    assert_eq!(said(&|_, release| release.release_counter = 1), differs("release counter"));
    assert_eq!(said(&|_, release| release.security_version = 1), differs("security version"));
}

#[test]
fn proofs_are_read_within_limits() {
    let sha = "ab".repeat(32);
    let salt = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let statement = format!(
        r#"{{"statement":"e30=","salt":"{salt}","leaf":3,"path":["{sha}"],"checkpoint":"x"}}"#
    );
    let text = format!(
        r#"{{"campaign":{statement},"release":{statement},"salt":"{sha}","index":5,"path":[]}}"#
    );
    let proof = AssignmentProof::parse(text.as_bytes()).unwrap();
    assert_eq!((proof.index, proof.campaign.inclusion.index), (5, 3));
    assert_eq!(proof.release.statement, b"{}");
    let trust = LogTrust { logs: Vec::new(), witnesses: Vec::new(), quorum: 0 };
    let refused = verify_assignment(&proof, &trust, &me().device, ("gate/fw.img", &run().sha256));
    assert_eq!(refused.unwrap_err().code(), "assignment-not-logged");
    for (from, to) in [
        ("e30=", "e30"),
        (salt, "AAAA"),
        (r#""index":5"#, r#""index":-5"#),
        (sha.as_str(), "AB"),
        (r#""leaf":3"#, r#""leaf":"3""#),
        (r#""checkpoint":"x""#, r#""checkpoint":7"#),
        (r#","path":[]"#, ""),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        assert!(AssignmentProof::parse(changed.as_bytes()).is_err(), "{to}");
    }
    let many = format!("[{}\"{sha}\"]", format!("\"{sha}\",").repeat(64));
    let changed = text.replacen(&format!("[\"{sha}\"]"), &many, 1);
    assert!(AssignmentProof::parse(changed.as_bytes()).is_err());
    assert!(AssignmentProof::parse(&vec![b' '; 3 << 20]).is_err());
}

prop_compose! {
    fn orders()(
        device in any::<[u8; 16]>(),
        key in any::<[u8; 32]>(),
        run in any::<bool>(),
        name in "[a-z0-9]{1,12}(/[a-zA-Z0-9._-]{1,12}x){0,3}",
        numbers in (0..=i64::MAX as u64, 0..=i64::MAX as u64, 0..=i64::MAX as u64, any::<u32>()),
        ids in any::<([u8; 16], [u8; 16], [u8; 32])>(),
        texts in ("[ -~]{1,64}", "\\PC{1,20}"),
    ) -> Order {
        let (length, release_counter, security_version, action) = numbers;
        let (campaign, release, digest) = ids;
        let assignment = AssignmentId { action: action.into(), campaign, release };
        let run = run.then(|| Directed {
            path: path(&name), length, sha256: Sha256(digest), hardware_id: texts.0, version: texts.1,
            security_version, release_counter, assignment,
        });
        let to = Addressee {
            director: OrganisationId::new("maker").unwrap(),
            device: DeviceId::from_bytes(device),
            key: Sha256(key),
        };
        Order { to, run }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_order_arrives_as_it_was_given(one in orders(), version in 1..=i64::MAX as u64) {
        let director = Director::new();
        let client = director.device().refresh(&director.serves(&one, version), NOW).unwrap();
        let hardware = one.run.as_ref().map_or("any", |run| run.hardware_id.as_str());
        let found = directed(client.targets().unwrap(), &one.to, hardware).unwrap();
        prop_assert_eq!(found.map(Verified::into_inner), one.run.clone());
        prop_assert_eq!(client.targets().unwrap().header().version.number(), version);
    }

    #[test]
    fn orders_that_differ_have_other_digests(one in orders(), other in orders()) {
        prop_assert_eq!(one.digest() == other.digest(), one == other);
        let mut changed = one.clone();
        changed.run = match &one.run { None => Some(run()), Some(_) => None };
        prop_assert_ne!(one.digest(), changed.digest());
    }

    #[test]
    fn any_bytes_are_no_proof(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(AssignmentProof::parse(&bytes).is_err());
    }
}

/// What an image repository says of a file is no order.
#[test]
fn an_image_repositorys_targets_are_no_orders() {
    let world = World::new();
    let client = world.device().refresh(&world.files, NOW).unwrap();
    let refused = directed(client.targets().unwrap(), &me(), "gate-bg1").unwrap_err();
    assert_eq!(refused.code(), "director-malformed");
    let file = TargetFile::new(1, Hashes::sha256_of(b"x"), &update::Custom::default());
    let mut plain = Targets::new(UnixTime(NOW.0 + DAY));
    plain.targets.insert("gate/fw.img".into(), file);
    let refused = directed(&Verified::assertion(plain), &me(), "gate-bg1").unwrap_err();
    assert_eq!(refused.code(), "director-malformed");
}
