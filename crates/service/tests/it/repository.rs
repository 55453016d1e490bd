//! Image repositories: what is published, by whose signatures, for how long, and what is refused.

use crate::{
    releases::{code, draft},
    world::{Org, World, config, id, open},
};
use crypto::{KeyAlgorithm, Signer as _, SoftwareKey, UnixTime};
use device::DeviceKind;
use policy::DeviceCredential;
use service::{
    BlobReader, Caller, Config, ErrorKind, RepositoryView, Service, ServiceError, SignedMetadata,
    fault,
};
use std::{
    io::Read as _,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};
use update::{
    Authority, Key, Limits, Paths, RoleName, Root, Signed, Signers, TargetPath, Targets, TopRole,
    client::{Answer, Client, Settings, Stored},
    repository::{sign_as, successor},
};

/// The keys that stay with the organisation.
pub(crate) struct Offline {
    pub(crate) root: SoftwareKey,
    targets: SoftwareKey,
}

fn ed25519() -> SoftwareKey {
    SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap()
}

impl Offline {
    pub(crate) fn new() -> Self {
        Self { root: ed25519(), targets: ed25519() }
    }

    fn first_root(&self, view: &RepositoryView, until: UnixTime) -> Vec<u8> {
        let online = |role: &str| {
            let key = view.keys.iter().rfind(|key| key.role == role).unwrap();
            Key::from_file(key.public.as_bytes()).unwrap()
        };
        let root = Root::new(until, |role| Signers {
            keys: vec![match role {
                TopRole::Root => Key::from_public(self.root.public_key()).unwrap(),
                TopRole::Targets => Key::from_public(self.targets.public_key()).unwrap(),
                TopRole::Snapshot => online("snapshot"),
                TopRole::Timestamp => online("timestamp"),
            }],
            threshold: 1,
        });
        self.sign_root(root.unwrap())
    }

    fn sign_root(&self, root: Root) -> Vec<u8> {
        let mut signed = Signed::draft(root);
        let authority = signed.own_authority();
        sign_as(&mut signed, &authority, &self.root).unwrap();
        signed.to_bytes().unwrap()
    }

    fn sign_targets(&self, root: &[u8], draft: &[u8]) -> Vec<u8> {
        let root = Signed::<Root>::parse(root, &Limits::DEFAULT).unwrap().trust_first().unwrap();
        let mut signed = Signed::<Targets>::parse(draft, &Limits::DEFAULT).unwrap();
        let authority = Authority::of_top_role(&root, TopRole::Targets);
        sign_as(&mut signed, &authority, &self.targets).unwrap();
        signed.to_bytes().unwrap()
    }
}

fn targets(file: Vec<u8>) -> SignedMetadata {
    SignedMetadata { root: None, targets: vec![("targets".into(), file)] }
}

async fn world(config: Config) -> (World, Org) {
    let world = World::with(config).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    (world, maker)
}

/// A repository with its first root, whose root ends in a year.
pub(crate) async fn begun(world: &World, maker: &Org, offline: &Offline) -> Vec<u8> {
    let (service, admin, of) = (&world.service, &maker.admin, id("maker"));
    let view = service.begin_repository(admin, &of).await.unwrap();
    let root = offline.first_root(&view, service.now().plus(365 * 86_400));
    let draft = service.draft_targets(admin, &of, "targets", None).await.unwrap();
    let file = offline.sign_targets(&root, &draft);
    let first =
        SignedMetadata { root: Some(root.clone()), targets: vec![("targets".into(), file)] };
    let view = service.push_metadata(admin, &of, first).await.unwrap();
    assert!(view.keys.iter().all(|key| key.named) && view.roles.len() == 4);
    root
}

/// Publishes a release and has its files signed.
pub(crate) async fn published(
    world: &World,
    maker: &Org,
    offline: &Offline,
    root: &[u8],
    version: &str,
) {
    let (service, admin, of) = (&world.service, &maker.admin, id("maker"));
    let release = draft(service, admin, version, 1).await;
    service.publish_release(admin, &release.id, None).await.unwrap();
    let draft = service.draft_targets(admin, &of, "targets", None).await.unwrap();
    service.push_metadata(admin, &of, targets(offline.sign_targets(root, &draft))).await.unwrap();
}

/// What a client that knows the first root finds.
async fn client(
    service: &Service,
    caller: &Caller,
    root: &[u8],
    path: &str,
) -> Result<Vec<u8>, String> {
    let stored = Stored { root: root.to_vec(), ..Stored::default() };
    let mut client = Client::begin(stored, Settings::default(), service.now()).unwrap();
    let path = TargetPath::new(path).unwrap();
    loop {
        while let Some(wanted) = client.wanted() {
            let file = service.repository_metadata(caller, &id("maker"), &wanted.file).await;
            let answer = match file {
                Ok(file) => Answer::File(file),
                Err(error) if error.kind() == ErrorKind::NotFound => Answer::Absent,
                Err(error) => return Err(error.code().to_owned()),
            };
            client.answer(answer).map_err(|refusal| refusal.code().to_owned())?;
        }
        match client.find(&path).map_err(|refusal| refusal.code().to_owned())? {
            update::client::Found::Target(found) => {
                let address = found.file_name();
                let reader = service.repository_target(caller, &id("maker"), &address).await;
                return Ok(read(reader.map_err(|error| error.code().to_owned())?));
            }
            update::client::Found::Wants(_) => {}
        }
    }
}

fn read(mut reader: BlobReader) -> Vec<u8> {
    let mut bytes = Vec::new();
    reader.file.read_to_end(&mut bytes).unwrap();
    bytes
}

fn device(thing: &crate::world::Thing, organisation: &str) -> Caller {
    Caller::Device {
        device: thing.id,
        organisation: id(organisation),
        credential: DeviceCredential::Idevid,
        certificate: crypto::sha256(b"a certificate"),
    }
}

#[tokio::test]
async fn a_release_reaches_clients_when_its_targets_are_signed() {
    let (world, maker) = world(config()).await;
    let (service, admin, of) = (&world.service, &maker.admin, id("maker"));
    let offline = Offline::new();
    let root = begun(&world, &maker, &offline).await;
    let again = service.begin_repository(admin, &of).await;
    assert_eq!(code(again), "repository-exists");
    let release = draft(service, admin, "1.0", 1).await;
    // A draft is in no draft.
    let empty = service.draft_targets(admin, &of, "targets", None).await.unwrap();
    assert!(!String::from_utf8_lossy(&empty).contains("fw.img"));
    service.publish_release(admin, &release.id, None).await.unwrap();
    let view = service.repository(&maker.reader, &of).await.unwrap();
    assert_eq!(view.unsigned, ["gate/1.0/fw.img"]);
    let missing = client(service, &maker.reader, &root, "gate/1.0/fw.img").await;
    assert_eq!(missing.unwrap_err(), "unknown-target");
    let draft_file = service.draft_targets(&maker.reader, &of, "targets", None).await.unwrap();
    let file = offline.sign_targets(&root, &draft_file);
    assert_eq!(
        code(service.push_metadata(&maker.reader, &of, targets(file.clone())).await),
        "role"
    );
    let view = service.push_metadata(&maker.station, &of, targets(file)).await.unwrap();
    assert_eq!((view.targets, view.unsigned.len()), (1, 0));
    let found = client(service, &maker.reader, &root, "gate/1.0/fw.img").await.unwrap();
    assert_eq!(found, b"image 1.0");
    // Withdrawn: not served any more, and told until the next targets are signed.
    service.withdraw_release(admin, &release.id, "it burns").await.unwrap();
    let view = service.repository(admin, &of).await.unwrap();
    assert_eq!(view.withdrawn, ["gate/1.0/fw.img"]);
    let gone = client(service, &maker.reader, &root, "gate/1.0/fw.img").await;
    assert_eq!(gone.unwrap_err(), "not-found");
    let next = service.draft_targets(admin, &of, "targets", None).await.unwrap();
    let view = service
        .push_metadata(admin, &of, targets(offline.sign_targets(&root, &next)))
        .await
        .unwrap();
    assert_eq!((view.targets, view.withdrawn.len()), (0, 0));
}

#[tokio::test]
async fn a_signature_does_not_get_round_the_gate() {
    let (world, maker) = world(config()).await;
    let (service, admin, of) = (&world.service, &maker.admin, id("maker"));
    let offline = Offline::new();
    let root = begun(&world, &maker, &offline).await;
    let release = draft(service, admin, "1.0", 1).await;
    let push = async |change: &dyn Fn(&mut Targets)| -> Result<RepositoryView, ServiceError> {
        let bytes = service.draft_targets(admin, &of, "targets", None).await.unwrap();
        let signed = Signed::<Targets>::parse(&bytes, &Limits::DEFAULT).unwrap();
        let mut next = signed.unverified().clone();
        change(&mut next);
        let bytes = Signed::draft(next).to_bytes().unwrap();
        service.push_metadata(admin, &of, targets(offline.sign_targets(&root, &bytes))).await
    };
    let custom = update::Custom {
        hardware_ids: release.hardware_ids.clone(),
        version: Some("1.0".into()),
        security_version: Some(1),
        release_counter: Some(1),
        ..update::Custom::default()
    };
    let artifact = release.artifacts[0].clone();
    let file = |custom: &update::Custom, length: u64| {
        let hashes = update::Hashes::of_sha256(artifact.sha256);
        update::TargetFile::new(length, hashes, custom)
    };
    let good = file(&custom, artifact.length);
    // A draft that failed, or never saw, its gate.
    let early = push(&|next| {
        next.targets.insert(artifact.path.clone(), good.clone());
    })
    .await;
    assert_eq!(code(early), "target-unknown");
    service.publish_release(admin, &release.id, None).await.unwrap();
    // Another's words about a file that is published.
    for bad in [
        file(&custom, artifact.length + 1),
        file(&update::Custom { security_version: Some(9), ..custom.clone() }, artifact.length),
        file(&update::Custom { release_counter: None, ..custom.clone() }, artifact.length),
        file(
            &update::Custom { hardware_ids: vec!["other".into()], ..custom.clone() },
            artifact.length,
        ),
    ] {
        let lie = push(&|next| {
            next.targets.insert(artifact.path.clone(), bad.clone());
        })
        .await;
        assert_eq!(code(lie), "target-unknown");
    }
    let elsewhere = push(&|next| {
        next.targets.insert("gate/9.9/fw.img".into(), good.clone());
    })
    .await;
    assert_eq!(code(elsewhere), "target-unknown");
    push(&|_| {}).await.unwrap();
    // What the specification, or a client, refuses.
    let skipped = push(&|next| next.header.version = update::Version::new(9).unwrap()).await;
    assert_eq!(code(skipped), "repository-refused");
    let ended = push(&|next| next.header.expires = UnixTime(1_700_000_000)).await;
    assert_eq!(code(ended), "repository-refused");
    let bytes = service.draft_targets(admin, &of, "targets", None).await.unwrap();
    let unsigned = service.push_metadata(admin, &of, targets(bytes.clone())).await;
    assert_eq!(code(unsigned), "repository-refused");
    let stranger = Offline { root: ed25519(), targets: ed25519() };
    let mut signed = Signed::<Targets>::parse(&bytes, &Limits::DEFAULT).unwrap();
    let own = Signed::<Root>::parse(&root, &Limits::DEFAULT).unwrap().trust_first().unwrap();
    let authority = Authority::of_top_role(&own, TopRole::Targets);
    assert!(sign_as(&mut signed, &authority, &stranger.targets).is_err());
    for bad in [&b""[..], b"{}", b"\xff", &[b'['; 5000]] {
        let refused = service.push_metadata(admin, &of, targets(bad.to_vec())).await;
        assert_eq!(code(refused), "repository-refused");
    }
    // A second first root.
    let other = Offline::new();
    let view = service.repository(admin, &of).await.unwrap();
    let usurper = other.first_root(&view, service.now().plus(86_400));
    let usurper = SignedMetadata { root: Some(usurper), targets: Vec::new() };
    assert_eq!(code(service.push_metadata(admin, &of, usurper).await), "repository-refused");
    // Who is no administrator hands in no root.
    let by_operator = SignedMetadata { root: Some(root.clone()), targets: Vec::new() };
    assert_eq!(code(service.push_metadata(&maker.station, &of, by_operator).await), "role");
    let still = client(service, admin, &root, "gate/1.0/fw.img").await.unwrap();
    assert_eq!(still, b"image 1.0");
}

#[tokio::test]
async fn a_delegated_role_speaks_for_its_paths() {
    let (world, maker) = world(config()).await;
    let (service, admin, of) = (&world.service, &maker.admin, id("maker"));
    let offline = Offline::new();
    let root = begun(&world, &maker, &offline).await;
    let supplier = ed25519();
    let name = RoleName::for_delegation("line-2").unwrap();
    assert_eq!(code(service.draft_targets(admin, &of, "line-2", None).await), "repository-role");
    assert_eq!(code(service.draft_targets(admin, &of, "root", None).await), "repository-role");
    let bytes = service.draft_targets(admin, &of, "targets", None).await.unwrap();
    let parsed = Signed::<Targets>::parse(&bytes, &Limits::DEFAULT).unwrap();
    let mut next = parsed.unverified().clone();
    let keys = [Key::from_public(supplier.public_key()).unwrap()];
    let paths = Paths::Patterns(vec!["gate/2.*/*".into()]);
    next.delegate(name.clone(), &keys, 1, paths, false).unwrap();
    let draft_of_targets = Signed::draft(next);
    let authority = draft_of_targets.draft_authority_of(&name).unwrap();
    let top = offline.sign_targets(&root, &draft_of_targets.to_bytes().unwrap());
    let mut empty = Signed::draft(Targets::new(service.now().plus(30 * 86_400)));
    sign_as(&mut empty, &authority, &supplier).unwrap();
    let both = SignedMetadata {
        root: None,
        targets: vec![
            ("targets".into(), top.clone()),
            ("line-2".into(), empty.to_bytes().unwrap()),
        ],
    };
    let alone = targets(top);
    assert_eq!(code(service.push_metadata(admin, &of, alone).await), "repository-refused");
    service.push_metadata(admin, &of, both).await.unwrap();
    for version in ["1.0", "2.0"] {
        let release = draft(service, admin, version, 1).await;
        service.publish_release(admin, &release.id, None).await.unwrap();
    }
    let own = service.draft_targets(admin, &of, "targets", None).await.unwrap();
    let theirs = service.draft_targets(admin, &of, "line-2", Some(7 * 86_400)).await.unwrap();
    let names = |bytes: &[u8], path: &str| String::from_utf8_lossy(bytes).contains(path);
    assert!(names(&own, "gate/1.0/fw.img") && !names(&own, "gate/2.0/fw.img"));
    assert!(!names(&theirs, "gate/1.0/fw.img") && names(&theirs, "gate/2.0/fw.img"));
    let mut theirs = Signed::<Targets>::parse(&theirs, &Limits::DEFAULT).unwrap();
    sign_as(&mut theirs, &authority, &supplier).unwrap();
    let both = SignedMetadata {
        root: None,
        targets: vec![
            ("targets".into(), offline.sign_targets(&root, &own)),
            ("line-2".into(), theirs.to_bytes().unwrap()),
        ],
    };
    let view = service.push_metadata(admin, &of, both).await.unwrap();
    assert_eq!((view.targets, view.unsigned.len()), (2, 0));
    // Its end comes into sight before that of the others.
    assert!(view.roles.iter().any(|role| role.role == "line-2" && role.ends_soon));
    for (path, image) in [("gate/1.0/fw.img", "image 1.0"), ("gate/2.0/fw.img", "image 2.0")] {
        assert_eq!(client(service, admin, &root, path).await.unwrap(), image.as_bytes());
    }
}

#[tokio::test]
async fn what_ends_is_renewed_in_time_and_old_files_go() {
    let (world, maker) = world(config()).await;
    let (service, admin, of) = (&world.service, &maker.admin, id("maker"));
    let offline = Offline::new();
    let root = begun(&world, &maker, &offline).await;
    published(&world, &maker, &offline, &root, "1.0").await;
    let version = async |role: &str| {
        let view = service.repository(admin, &of).await.unwrap();
        view.roles.iter().find(|one| one.role == role).unwrap().version
    };
    let (snapshot, timestamp) = (version("snapshot").await, version("timestamp").await);
    service.renew_repositories().unwrap();
    assert_eq!(version("timestamp").await, timestamp, "nothing is due");
    world.clock.advance(13 * 3600);
    service.renew_repositories().unwrap();
    assert_eq!(version("timestamp").await, timestamp + 1);
    assert_eq!(version("snapshot").await, snapshot);
    // Clients go on for as long as the offline signatures are good.
    for _ in 0..14 {
        world.clock.advance(10 * 3600 + 86_400 / 24);
        service.renew_repositories().unwrap();
        client(service, admin, &root, "gate/1.0/fw.img").await.unwrap();
    }
    assert!(version("snapshot").await > snapshot);
    let old = format!("{snapshot}.snapshot.json");
    assert_eq!(code(service.repository_metadata(admin, &of, &old).await), "not-found");
    let metadata = service.repository_metadata(admin, &of, "1.root.json").await.unwrap();
    assert_eq!(metadata, root);
    // The targets' own end is people's to see to: it is told, and stays told once it is past.
    world.clock.advance(77 * 86_400);
    let overview = service.overview(admin, &of).await.unwrap();
    assert!(overview.repository.iter().any(|role| role.role == "targets"), "{overview:?}");
    world.clock.advance(14 * 86_400);
    let failed = service.renew_repositories().unwrap_err();
    assert_eq!(failed.code(), "repository-refused");
    let problem = service.repository(admin, &of).await.unwrap().problem.unwrap();
    assert!(problem.contains("targets"), "{problem}");
    let expired = client(service, admin, &root, "gate/1.0/fw.img").await.unwrap_err();
    assert_eq!(expired, "expired");
    // Signed again, all is well.
    let next = service.draft_targets(admin, &of, "targets", None).await.unwrap();
    let view = service
        .push_metadata(admin, &of, targets(offline.sign_targets(&root, &next)))
        .await
        .unwrap();
    assert_eq!(view.problem, None);
    client(service, admin, &root, "gate/1.0/fw.img").await.unwrap();
}

#[tokio::test]
async fn online_keys_change_with_a_root_that_names_others() {
    let (world, maker) = world(config()).await;
    let (service, admin, of) = (&world.service, &maker.admin, id("maker"));
    let offline = Offline::new();
    let root = begun(&world, &maker, &offline).await;
    published(&world, &maker, &offline, &root, "1.0").await;
    let before = service.repository(admin, &of).await.unwrap();
    let view = service.rotate_repository_keys(admin, &of).await.unwrap();
    assert_eq!(view.keys.len(), 4);
    assert_eq!(view.keys.iter().filter(|key| key.named).count(), 2);
    let old = Signed::<Root>::parse(&root, &Limits::DEFAULT).unwrap().trust_first().unwrap();
    let expires = service.now().plus(365 * 86_400);
    let mut next = successor(&*old, &TopRole::Root.into(), expires).unwrap();
    for key in &view.keys {
        let public = Key::from_file(key.public.as_bytes()).unwrap();
        let role = TopRole::from_name(key.role).unwrap();
        match key.named {
            false => drop(next.add_key(role, &public).unwrap()),
            true => next.remove_key(role, &public.computed_id()).unwrap(),
        }
    }
    let second = offline.sign_root(next);
    let new_root = SignedMetadata { root: Some(second), targets: Vec::new() };
    let view = service.push_metadata(admin, &of, new_root).await.unwrap();
    // The old halves are destroyed, the new ones sign.
    assert_eq!(view.keys.len(), 2);
    assert!(view.keys.iter().all(|key| key.named));
    assert!(view.keys.iter().all(|key| before.keys.iter().all(|old| old.id != key.id)));
    client(service, admin, &root, "gate/1.0/fw.img").await.unwrap();
    world.clock.advance(13 * 3600);
    service.renew_repositories().unwrap();
    client(service, admin, &root, "gate/1.0/fw.img").await.unwrap();
}

#[tokio::test]
async fn images_are_for_those_they_are_meant_for() {
    let (world, maker) = world(config()).await;
    let other = world.maker("other", "lamp", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    let (service, of) = (&world.service, id("maker"));
    let offline = Offline::new();
    let root = begun(&world, &maker, &offline).await;
    published(&world, &maker, &offline, &root, "1.0").await;
    let mine = world.made(&maker, "gate", Vec::new()).await;
    let strange = world.made(&other, "lamp", Vec::new()).await;
    let sold = world.working(&maker, "gate", &owner).await;
    let path = "gate/1.0/fw.img";
    for good in [device(&mine, "maker"), device(&sold.thing, "owner"), maker.reader.clone()] {
        assert_eq!(client(service, &good, &root, path).await.unwrap(), b"image 1.0", "{good}");
    }
    let address = |digest: &str| format!("gate/1.0/{digest}.fw.img");
    let digest = crypto::sha256(b"image 1.0").to_string();
    for (bad, expected) in [
        (Caller::Anonymous, "unauthenticated"),
        (device(&strange, "other"), "not-found"),
        (other.admin.clone(), "not-found"),
        (world.platform_admin.clone(), "not-found"),
    ] {
        for of in [&of, &id("nobody-at-all")] {
            let metadata = service.repository_metadata(&bad, of, "1.root.json").await;
            assert_eq!(code(metadata), expected, "{bad}");
            let target = service.repository_target(&bad, of, &address(&digest)).await;
            assert_eq!(code(target), expected, "{bad}");
        }
    }
    service.open_repository(&maker.admin, &of, true).await.unwrap();
    for any in [Caller::Anonymous, device(&strange, "other")] {
        assert_eq!(client(service, &any, &root, path).await.unwrap(), b"image 1.0", "{any}");
    }
    // Addresses that are none, and files that are none of a published release's.
    let upper = digest.to_uppercase();
    let other_digest = crypto::sha256(b"x").to_string();
    for bad in [
        "",
        "fw.img",
        "gate/1.0/fw.img",
        "../../etc/passwd",
        &address(&upper),
        &address(&other_digest),
        &format!("gate/1.0/{digest}.other.img"),
        &format!("{digest}.fw.img"),
    ] {
        let found = service.repository_target(&Caller::Anonymous, &of, bad).await;
        assert_eq!(code(found), "not-found", "{bad}");
    }
    service.open_repository(&maker.admin, &of, false).await.unwrap();
    let closed = service.repository_metadata(&Caller::Anonymous, &of, "timestamp.json").await;
    assert_eq!(code(closed), "unauthenticated");
    // Nobody of another organisation manages it.
    for caller in [&other.admin, &world.platform_admin] {
        assert_eq!(code(service.repository(caller, &of).await), "not-found");
        assert_eq!(code(service.begin_repository(caller, &of).await), "not-found");
        assert_eq!(code(service.rotate_repository_keys(caller, &of).await), "not-found");
        assert_eq!(code(service.open_repository(caller, &of, true).await), "not-found");
        assert_eq!(code(service.draft_targets(caller, &of, "targets", None).await), "not-found");
        let pushed = service.push_metadata(caller, &of, SignedMetadata::default()).await;
        assert_eq!(code(pushed), "not-found");
    }
}

/// How many files repositories have.
fn files(store: &Path) -> i64 {
    let connection = rusqlite::Connection::open(store).unwrap();
    connection.query_row("SELECT count(*) FROM repository_file", [], |row| row.get(0)).unwrap()
}

/// The process dies before or after the commit of a publication: clients find the state before or
/// the one after, whole, and it can be repeated.
#[tokio::test]
async fn a_crash_leaves_the_old_or_the_new_repository() {
    for point in [fault::BEFORE_COMMIT, fault::AFTER_COMMIT] {
        // Others commit too: after a commit, it is to be the publication's.
        let armed: Arc<OnceLock<(PathBuf, i64)>> = Arc::default();
        let trigger = armed.clone();
        let faults = fault::Faults::injected(move |name| {
            name == point
                && trigger.get().is_some_and(|(store, before)| {
                    point == fault::BEFORE_COMMIT || files(store) > *before
                })
        });
        let slow = Config { faults: Some(faults), integrate_ms: 3_600_000, ..config() };
        let (world, maker) = world(slow).await;
        let offline = Offline::new();
        let root = begun(&world, &maker, &offline).await;
        published(&world, &maker, &offline, &root, "1.0").await;
        let (admin, of) = (&maker.admin, id("maker"));
        let release = draft(&world.service, admin, "1.1", 1).await;
        world.service.publish_release(admin, &release.id, None).await.unwrap();
        let next = world.service.draft_targets(admin, &of, "targets", None).await.unwrap();
        let signed = targets(offline.sign_targets(&root, &next));
        let store = world.path().join("tegata.db");
        let before = files(&store);
        armed.set((store, before)).unwrap();
        assert!(world.service.push_metadata(admin, &of, signed.clone()).await.is_err());
        world.service.close();
        let service = open(world.path(), config(), &world.clock);
        client(&service, admin, &root, "gate/1.0/fw.img").await.unwrap();
        let there = client(&service, admin, &root, "gate/1.1/fw.img").await;
        match point {
            fault::BEFORE_COMMIT => {
                assert_eq!(there.unwrap_err(), "unknown-target");
                service.push_metadata(admin, &of, signed).await.unwrap();
                client(&service, admin, &root, "gate/1.1/fw.img").await.unwrap();
            }
            _ => assert_eq!(there.unwrap(), b"image 1.1"),
        }
        service.close();
    }
}
