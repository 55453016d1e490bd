//! Directors: what is signed for a device when it asks, and what is written for it.

use crate::{
    campaigns::{action, device, new, plan, published, runs},
    releases::code,
    repository::{Offline, begun},
    world::{Org, World, config, id, open},
};
use crypto::{KeyAlgorithm, Signer as _, SoftwareKey, Verified};
use device::DeviceKind;
use policy::DeviceCredential;
use service::{Caller, DirectorView, Execution, Feedback, Service, SignedMetadata};
use std::collections::BTreeMap;
use update::{
    Key, Limits, Metadata as _, Root, Signed, Signers, Targets,
    client::{Answer, Client, Settings, Stored},
    director::{Addressee, Directed, RootKeys, directed, draft_root},
    repository::sign_as,
};

const DAY: i64 = 86_400;

/// The key that signs roots of the director, which the platform does not have.
pub(crate) struct Owner {
    root: SoftwareKey,
}

impl Owner {
    pub(crate) fn new() -> Self {
        Self { root: SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap() }
    }

    /// The next root, with the newest online keys.
    fn draft(&self, view: &DirectorView, before: Option<&[u8]>, service: &Service) -> Root {
        let online = |role: &str| {
            let key = view.keys.iter().rfind(|key| key.role == role).unwrap();
            Key::from_file(key.public.as_bytes()).unwrap()
        };
        let keys = RootKeys {
            root: before.is_none().then(|| Signers {
                keys: vec![Key::from_public(self.root.public_key()).unwrap()],
                threshold: 1,
            }),
            targets: online("targets"),
            snapshot: online("snapshot"),
            timestamp: online("timestamp"),
        };
        let before = before.map(|bytes| Signed::<Root>::parse(bytes, &Limits::DEFAULT).unwrap());
        let before = before.as_ref().map(Signed::unverified);
        draft_root(before, &keys, service.now().plus(365 * DAY)).unwrap()
    }

    fn sign(&self, root: Root) -> Vec<u8> {
        let mut signed = Signed::draft(root);
        let authority = signed.own_authority();
        sign_as(&mut signed, &authority, &self.root).unwrap();
        signed.to_bytes().unwrap()
    }
}

/// The maker's director, with its first root.
pub(crate) async fn directing(world: &World, maker: &Org, owner: &Owner) -> Vec<u8> {
    let (service, of) = (&world.service, maker.id.clone());
    let view = service.begin_director(&maker.admin, &of).await.unwrap();
    let root = owner.sign(owner.draft(&view, None, service));
    let view = service.push_director_root(&maker.admin, &of, root.clone()).await.unwrap();
    assert!(view.keys.iter().all(|key| key.named) && view.keys.len() == 3);
    assert_eq!(view.root.map(|root| (root.version, root.ends_soon)), Some((1, false)));
    root
}

/// A device's side: what it keeps.
struct Reader {
    stored: Stored,
    caller: Caller,
    me: Addressee,
}

impl Reader {
    fn new(root: &[u8], caller: &Caller, key: crypto::Sha256) -> Self {
        let Caller::Device { device, .. } = caller else { panic!("a device") };
        let me = Addressee { director: id("maker"), device: *device, key };
        let stored = Stored { root: root.to_vec(), ..Stored::default() };
        Self { stored, caller: caller.clone(), me }
    }

    /// Refreshes; the version, and what it is to run.
    async fn read(&mut self, service: &Service) -> Result<(u64, Option<Directed>), String> {
        let mut client =
            Client::begin(self.stored.clone(), Settings::default(), service.now()).unwrap();
        while let Some(wanted) = client.wanted() {
            let file =
                service.director_metadata(&self.caller, &self.me.director, &wanted.file).await;
            let answer = match file {
                Ok(file) => Answer::File(file),
                Err(error) if error.code() == "not-found" => Answer::Absent,
                Err(error) => return Err(error.code().to_owned()),
            };
            for kept in client.answer(answer).map_err(|refusal| refusal.code().to_owned())? {
                if let update::client::Keep::Put(role, bytes) = kept {
                    match role.as_str() {
                        "root" => self.stored.root = bytes,
                        "timestamp" => self.stored.timestamp = Some(bytes),
                        "snapshot" => self.stored.snapshot = Some(bytes),
                        _ => drop(self.stored.targets.insert(role, bytes)),
                    }
                }
            }
        }
        let targets: &Verified<Targets> = client.targets().unwrap();
        let version = targets.header().version.number();
        let run = directed(targets, &self.me, "gate-bg1").map_err(|e| e.code().to_owned())?;
        Ok((version, run.map(Verified::into_inner)))
    }
}

/// A device of the maker, as a reader of the maker's director.
async fn reader(world: &World, maker: &Org, root: &[u8]) -> Reader {
    let thing = world.made(maker, "gate", Vec::new()).await;
    let idevid = world.idevid(maker, "gate", &thing).await;
    let caller = world.service.identify_certificate(&idevid.certificate).await.unwrap();
    Reader::new(root, &caller, thing.key.public_key().fingerprint())
}

fn says(execution: Execution) -> Feedback {
    Feedback { execution, progress: None, detail: None, installed: None }
}

#[tokio::test]
async fn a_device_is_told_what_it_shall_run_and_one_version_is_used_for_one_word() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = Owner::new();
    let root = directing(&world, &maker, &owner).await;
    let (one, two) =
        (published(service, &maker, "1.0", 1).await, published(service, &maker, "2.0", 1).await);
    let mut mine = reader(&world, &maker, &root).await;
    let mut other = reader(&world, &maker, &root).await;
    // Nothing to do is said too, and costs one version however often it is asked.
    for _ in 0..3 {
        assert_eq!(mine.read(service).await, Ok((1, None)));
    }
    let campaign = new("maker", &two, plan(&[(10_000, 100, 100)]));
    let campaign = service.create_campaign(&maker.admin, campaign).await.unwrap();
    service.start_campaign(&maker.admin, &campaign.id).await.unwrap();
    // An offer is made by a poll, not by looking.
    assert_eq!(mine.read(service).await, Ok((1, None)));
    let poll = service.poll_update(&mine.caller, &runs(&one)).await.unwrap();
    let service::UpdateDecision::Install(assignment) = &poll.decision else { panic!("{poll:?}") };
    assert_eq!(assignment.director, Some(id("maker")));
    let (version, run) = mine.read(service).await.unwrap();
    let run = run.unwrap();
    assert_eq!((version, run.release_counter), (2, two.release_counter));
    assert_eq!(
        (run.path.as_str(), run.sha256),
        (two.artifacts[0].path.as_str(), two.artifacts[0].sha256)
    );
    assert_eq!(run.assignment.action, action(&poll));
    assert_eq!(hex(&run.assignment.release), two.id.to_string());
    assert_eq!(hex(&run.assignment.campaign), campaign.id.to_string());
    // As it goes on, the word is the same; the other device's is its own.
    service
        .update_feedback(&mine.caller, action(&poll), &says(Execution::Downloading))
        .await
        .unwrap();
    assert_eq!(mine.read(service).await, Ok((2, Some(run))));
    assert_eq!(other.read(service).await, Ok((1, None)));
    // What was for one is nothing to the other.
    std::mem::swap(&mut mine.me, &mut other.me);
    assert_eq!(mine.read(service).await, Err("director-device".into()));
    std::mem::swap(&mut mine.me, &mut other.me);
    // Over: nothing again, under the next version.
    service.update_feedback(&mine.caller, action(&poll), &says(Execution::Failed)).await.unwrap();
    assert_eq!(mine.read(service).await, Ok((3, None)));
}

#[tokio::test]
async fn versions_are_durable_and_end() {
    let mut world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = Owner::new();
    let root = directing(&world, &maker, &owner).await;
    let mut mine = reader(&world, &maker, &root).await;
    assert_eq!(mine.read(&world.service).await, Ok((1, None)));
    let all = async |service: &Service, version: u64| {
        let mut files = BTreeMap::new();
        for name in [
            "timestamp.json".to_owned(),
            format!("{version}.snapshot.json"),
            format!("{version}.targets.json"),
        ] {
            let file = service.director_metadata(&mine.caller, &id("maker"), &name).await.unwrap();
            files.insert(name, file);
        }
        files
    };
    let before = all(&world.service, 1).await;
    // A server that starts anew signs the same bytes, and not another first version.
    let dir = world.path().to_owned();
    world.service.close();
    world.service = open(&dir, config(), &world.clock);
    assert_eq!(all(&world.service, 1).await, before);
    // Half a life later it is signed anew; a device that holds back the old one is noticed.
    world.clock.advance(DAY / 2 - 10);
    assert_eq!(mine.read(&world.service).await, Ok((1, None)));
    world.clock.advance(20);
    assert_eq!(mine.read(&world.service).await, Ok((2, None)));
    // In the middle: the files of the version before are still there.
    let old = world.service.director_metadata(&mine.caller, &id("maker"), "1.targets.json").await;
    assert_eq!(old.unwrap(), before["1.targets.json"]);
    // Another life.
    for (bad, life) in [(true, 3599), (true, 15 * DAY), (false, 3600)] {
        let set = world.service.set_director_life(&maker.admin, &id("maker"), life).await;
        assert_eq!(set.is_err(), bad, "{life}");
    }
    assert_eq!(mine.read(&world.service).await, Ok((3, None)));
    world.clock.advance(1801);
    assert_eq!(mine.read(&world.service).await, Ok((4, None)));
    // A clock that was far ahead once leaves nothing that is good for ever.
    world.clock.advance(300 * DAY);
    assert_eq!(mine.read(&world.service).await, Ok((5, None)));
    world.clock.advance(-300 * DAY);
    assert_eq!(mine.read(&world.service).await, Ok((6, None)));
    // A root that ends is told in time, and one that has ended ends everything.
    let warned = async || {
        let overview = world.service.overview(&maker.admin, &maker.id).await.unwrap();
        overview.director.into_iter().map(|root| (root.role, root.version)).collect::<Vec<_>>()
    };
    assert_eq!(warned().await, []);
    world.clock.advance(310 * DAY);
    assert_eq!(warned().await, [("root".to_owned(), 1)]);
    world.clock.advance(56 * DAY);
    assert_eq!(warned().await, [("root".to_owned(), 1)]);
    assert_eq!(mine.read(&world.service).await, Err("expired".into()));
}

#[tokio::test]
async fn nobody_reads_what_is_for_another() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let buyer = world.owner("owner").await;
    let stranger = world.maker("stranger", "lamp", DeviceKind::Device).await;
    let (keys, other) = (Owner::new(), Owner::new());
    let root = directing(&world, &maker, &keys).await;
    let timestamp = async |caller: &Caller, of: &str| {
        code(service.director_metadata(caller, &id(of), "timestamp.json").await)
    };
    for caller in [&maker.admin, &maker.reader, &Caller::Anonymous] {
        let refused = service.director_metadata(caller, &id("maker"), "timestamp.json").await;
        assert!(refused.is_err(), "{caller}");
    }
    // A device of another maker; a director that is nobody's.
    let lamp = world.made(&stranger, "lamp", Vec::new()).await;
    let lamp = world.idevid(&stranger, "lamp", &lamp).await;
    let theirs = service.identify_certificate(&lamp.certificate).await.unwrap();
    assert_eq!(timestamp(&theirs, "maker").await, "not-found");
    let (_, mine) = device(&world, &maker).await;
    for of in ["owner", "stranger", "nobody"] {
        assert_eq!(timestamp(&mine, of).await, "not-found");
    }
    for name in [
        "root.json",
        "01.root.json",
        "0.root.json",
        "2.root.json",
        "targets.json",
        "2.targets.json",
        "1.timestamp.json",
        "snapshot.json",
        "../1.root.json",
        "",
    ] {
        let refused = service.director_metadata(&mine, &id("maker"), name).await;
        assert_eq!(code(refused), "not-found", "{name}");
    }
    assert_eq!(service.director_metadata(&mine, &id("maker"), "1.root.json").await.unwrap(), root);
    // A token has no key that could be spoken to.
    let Caller::Device { device: of, organisation, certificate, .. } = mine.clone() else {
        panic!()
    };
    for credential in [DeviceCredential::TargetToken, DeviceCredential::GatewayToken] {
        let token = Caller::Device {
            device: of,
            organisation: organisation.clone(),
            credential,
            certificate,
        };
        assert_eq!(timestamp(&token, "maker").await, "not-found");
    }
    // Sold: the maker's director still speaks to it, and so does its owner's, once there is one.
    let working = world.working(&maker, "gate", &buyer).await;
    let caller = service.identify_certificate(&working.ldevid.certificate).await.unwrap();
    let key = working.local_key.public_key().fingerprint();
    let mut sold = Reader::new(&root, &caller, key);
    assert_eq!(sold.read(service).await, Ok((1, None)));
    let view = service.begin_director(&buyer.admin, &buyer.id).await.unwrap();
    let first = other.sign(other.draft(&view, None, service));
    service.push_director_root(&buyer.admin, &buyer.id, first.clone()).await.unwrap();
    let mut owned = Reader::new(&first, &caller, key);
    owned.me.director = id("owner");
    assert_eq!(owned.read(service).await, Ok((1, None)));
    // And neither passes for the other.
    owned.me.director = id("maker");
    assert_eq!(owned.read(service).await, Err("wrong-keys".into()));
    // Another key of the same device: another word. The key before is not spoken to any more.
    let idevid = service.identify_certificate(&working.idevid.certificate).await.unwrap();
    let mut by_idevid = Reader::new(&root, &idevid, working.thing.key.public_key().fingerprint());
    assert_eq!(by_idevid.read(service).await, Ok((2, None)));
    assert_eq!(sold.read(service).await, Ok((3, None)));
    sold.me.key = working.thing.key.public_key().fingerprint();
    assert_eq!(sold.read(service).await, Err("director-key".into()));
}

#[tokio::test]
async fn a_root_is_taken_in_only_as_the_chain_of_trust_has_it() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let (admin, of) = (&maker.admin, id("maker"));
    let offline = Offline::new();
    begun(&world, &maker, &offline).await;
    let owner = Owner::new();
    assert_eq!(code(service.director(admin, &of).await), "not-found");
    assert_eq!(code(service.push_director_root(admin, &of, Vec::new()).await), "not-found");
    let view = service.begin_director(admin, &of).await.unwrap();
    assert_eq!(code(service.begin_director(admin, &of).await), "director-exists");
    assert_eq!(code(service.begin_director(&maker.reader, &of).await), "role");
    assert_eq!(view.root, None);
    let push = async |bytes: Vec<u8>| service.push_director_root(admin, &of, bytes).await;
    let good = owner.draft(&view, None, service);
    // No root, none that is signed, one that has ended, a second one first, keys of somebody else.
    assert_eq!(code(push(b"{}".to_vec()).await), "director-refused");
    assert_eq!(
        code(push(Signed::draft(good.clone()).to_bytes().unwrap()).await),
        "director-refused"
    );
    let mut bad = good.clone();
    bad.header.expires = service.now();
    assert_eq!(code(push(owner.sign(bad)).await), "director-refused");
    let mut bad = good.clone();
    bad.header.version = bad.header.version.next().unwrap();
    assert_eq!(code(push(owner.sign(bad)).await), "director-refused");
    let mut foreign = view.clone();
    for key in &mut foreign.keys {
        let other = SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap();
        let public = Key::from_public(other.public_key()).unwrap();
        key.public = String::from_utf8(update::json::file_form(&public.to_json())).unwrap();
    }
    let bad = owner.draft(&foreign, None, service);
    assert_eq!(code(push(owner.sign(bad)).await), "director-refused");
    // The image repository's root key signs no director.
    let crossed = Owner { root: offline.root };
    let bad = crossed.sign(crossed.draft(&view, None, service));
    let refused = push(bad).await.unwrap_err();
    assert!(refused.to_string().contains("image repository"), "{refused}");

    let first = owner.sign(good);
    push(first.clone()).await.unwrap();
    assert_eq!(code(push(first.clone()).await), "director-refused");
    assert_eq!(service.director_root(admin, &of, 1).await.unwrap(), first);
    assert_eq!(code(service.director_root(admin, &of, 2).await), "not-found");
    // Nor does the director's key sign image repositories.
    let images = SignedMetadata { root: Some(first.clone()), targets: Vec::new() };
    let refused = service.push_metadata(admin, &of, images).await.unwrap_err();
    assert_eq!(refused.code(), "repository-refused");
    assert!(refused.to_string().contains("the director's root names too"), "{refused}");
    // A second root that only its own key signed.
    let thief = Owner::new();
    let view = service.director(admin, &of).await.unwrap();
    let mut second = thief.draft(&view, None, service);
    second.header.version = second.header.version.next().unwrap();
    assert_eq!(code(push(thief.sign(second)).await), "director-refused");

    // New keys: the next root names them, and the old ones are destroyed with it.
    let mut mine = reader(&world, &maker, &first).await;
    assert_eq!(mine.read(service).await, Ok((1, None)));
    let old: Vec<String> = view.keys.iter().map(|key| key.id.clone()).collect();
    let view = service.rotate_director_keys(admin, &of).await.unwrap();
    assert_eq!(view.keys.iter().filter(|key| key.named).count(), 3);
    assert_eq!(mine.read(service).await, Ok((1, None)), "nothing changes before the root");
    let second = owner.sign(owner.draft(&view, Some(&first), service));
    let view = push(second).await.unwrap();
    assert_eq!(view.keys.len(), 3);
    assert!(view.keys.iter().all(|key| key.named && !old.contains(&key.id)));
    assert_eq!(mine.read(service).await, Ok((2, None)));
    for _ in 0..7 {
        service.rotate_director_keys(admin, &of).await.unwrap();
    }
    assert_eq!(code(service.rotate_director_keys(admin, &of).await), "director-keys");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
