//! Mirrors that stand still: noticed by the device and by the platform, before anything expires.

use crate::{
    campaigns::{device, devices},
    releases::code,
    repository::{Offline, begun, published},
    world::{Org, World, id},
};
use device::{DeviceKind, ReasonCode};
use service::{Caller, ErrorKind, FREEZE_TOLERANCE_S, Page, SeenMetadata, Service, VerifyRequest};
use std::collections::BTreeMap;
use update::{
    Version,
    client::{Answer, Client, Keep, Settings, Stored},
};

/// Stands between a device and the platform, and may keep to what it once fetched.
struct Mirror {
    caller: Caller,
    director: bool,
    fetched: BTreeMap<String, Vec<u8>>,
    frozen: bool,
}

impl Mirror {
    fn new(caller: &Caller, director: bool) -> Self {
        Self { caller: caller.clone(), director, fetched: BTreeMap::new(), frozen: false }
    }

    async fn get(&mut self, service: &Service, name: &str) -> Answer {
        if self.frozen {
            return self.fetched.get(name).cloned().map_or(Answer::Absent, Answer::File);
        }
        let of = id("maker");
        let file = match self.director {
            true => service.director_metadata(&self.caller, &of, name).await,
            false => service.repository_metadata(&self.caller, &of, name).await,
        };
        match file {
            Ok(file) => {
                self.fetched.insert(name.to_owned(), file.clone());
                Answer::File(file)
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound);
                Answer::Absent
            }
        }
    }
}

/// What a device keeps of a repository.
struct Reader(Stored);

impl Reader {
    /// Refreshes through a mirror; the version of the timestamp, or why not.
    async fn refresh(
        &mut self,
        service: &Service,
        mirror: &mut Mirror,
        known: Option<u64>,
    ) -> Result<u64, &'static str> {
        let timestamp_known = known.and_then(Version::new);
        let settings = Settings { timestamp_known, ..Settings::default() };
        let mut client = Client::begin(self.0.clone(), settings, service.now()).unwrap();
        while let Some(wanted) = client.wanted() {
            let answer = mirror.get(service, &wanted.file).await;
            for kept in client.answer(answer).map_err(|refusal| refusal.code())? {
                if let Keep::Put(role, bytes) = kept {
                    match role.as_str() {
                        "root" => self.0.root = bytes,
                        "timestamp" => self.0.timestamp = Some(bytes),
                        "snapshot" => self.0.snapshot = Some(bytes),
                        _ => drop(self.0.targets.insert(role, bytes)),
                    }
                }
            }
        }
        Ok(self.version())
    }

    fn version(&self) -> u64 {
        let bytes = self.0.timestamp.as_ref().unwrap();
        let limits = update::Limits::DEFAULT;
        let kept = update::Signed::<update::Timestamp>::parse(bytes, &limits).unwrap();
        kept.unverified().header.version.number()
    }
}

async fn hear(
    service: &Service,
    caller: &Caller,
    director: bool,
    version: u64,
    asked_s: u64,
) -> Vec<u64> {
    let seen = SeenMetadata { organisation: id("maker"), director, version, asked_s };
    let known = service.hear_metadata(caller, &[seen]).await.unwrap();
    assert!(known.iter().all(|one| one.organisation == id("maker") && one.director == director));
    known.into_iter().map(|one| one.version).collect()
}

/// Whether the verdict speaks of it, and what the audit log was told.
async fn told(world: &World, maker: &Org, device: &device::DeviceId) -> (bool, Vec<String>) {
    let service = &world.service;
    let verdict =
        service.verify_device(&maker.admin, device, VerifyRequest::default()).await.unwrap();
    let page = Page::default();
    let kind = Some(audit::Kind::Update);
    let events = service.audit(&maker.admin, Some(&maker.id), kind, &page).await.unwrap().items;
    let said = events.iter().filter_map(|view| {
        let mut what = view.event.details().map(|(_, what)| what);
        what.find(|what| what.starts_with("metadata-")).map(str::to_owned)
    });
    (verdict.has(ReasonCode::MetadataFrozen), said.collect())
}

#[tokio::test]
async fn a_mirror_that_stands_still_is_noticed_on_both_sides_before_anything_expires() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let offline = Offline::new();
    let root = begun(&world, &maker, &offline).await;
    published(&world, &maker, &offline, &root, "1.0").await;
    let (thing, caller) = device(&world, &maker).await;
    let mut mirror = Mirror::new(&maker.admin, false);
    let mut reader = Reader(Stored { root: root.clone(), ..Stored::default() });
    let old = reader.refresh(service, &mut mirror, None).await.unwrap();
    // What came out a moment ago may be on its way yet.
    assert_eq!(hear(service, &caller, false, old, 0).await, [] as [u64; 0]);
    world.clock.advance(FREEZE_TOLERANCE_S);
    assert_eq!(hear(service, &caller, false, old, 0).await, [old]);
    // The mirror stands still while the next release comes out.
    mirror.frozen = true;
    published(&world, &maker, &offline, &root, "2.0").await;
    let new = service.repository(&maker.admin, &maker.id).await.unwrap();
    let new = new.roles.iter().find(|role| role.role == "timestamp").unwrap().version;
    assert!(new > old);
    assert_eq!(reader.refresh(service, &mut mirror, Some(old)).await, Ok(old));
    assert_eq!(hear(service, &caller, false, old, 0).await, [old]);
    world.clock.advance(FREEZE_TOLERANCE_S + 10);
    // A device that has not asked since is no sign of anything: it may have been off.
    let since = u64::try_from(FREEZE_TOLERANCE_S).unwrap() + 10;
    assert_eq!(hear(service, &caller, false, old, since).await, [new]);
    assert_eq!(hear(service, &caller, false, old, u64::MAX).await, [new]);
    assert_eq!(told(&world, &maker, &thing).await, (false, Vec::new()));
    // By itself it sees nothing wrong: nothing has expired. Told of the newer one, it does.
    assert_eq!(reader.refresh(service, &mut mirror, None).await, Ok(old));
    assert_eq!(reader.refresh(service, &mut mirror, Some(new)).await, Err("freeze"));
    // And so does the platform: it asked after the newer one was out, and got the older one.
    for _ in 0..2 {
        assert_eq!(hear(service, &caller, false, old, 5).await, [new]);
        let frozen = (true, vec!["metadata-frozen".to_owned()]);
        assert_eq!(told(&world, &maker, &thing).await, frozen, "once");
    }
    // What it says of a time before says nothing of now.
    hear(service, &caller, false, old, since + 5).await;
    assert!(told(&world, &maker, &thing).await.0);
    mirror.frozen = false;
    assert_eq!(reader.refresh(service, &mut mirror, Some(new)).await, Ok(new));
    hear(service, &caller, false, new, 0).await;
    let (frozen, mut said) = told(&world, &maker, &thing).await;
    said.sort();
    assert_eq!(
        (frozen, said),
        (false, ["metadata-fresh", "metadata-frozen"].map(str::to_owned).into())
    );
}

#[tokio::test]
async fn a_director_that_is_held_back_is_noticed_too() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let root = crate::director::directing(&world, &maker, &crate::director::Owner::new()).await;
    let (thing, caller) = device(&world, &maker).await;
    let mut mirror = Mirror::new(&caller, true);
    let mut reader = Reader(Stored { root, ..Stored::default() });
    assert_eq!(reader.refresh(service, &mut mirror, None).await, Ok(1));
    mirror.frozen = true;
    // Half a day long the same is given out, and more than that is for a mirror to catch up.
    world.clock.advance(43_200 + FREEZE_TOLERANCE_S);
    assert_eq!(reader.refresh(service, &mut mirror, None).await, Ok(1));
    assert_eq!(hear(service, &caller, true, 1, 0).await, [1]);
    assert_eq!(told(&world, &maker, &thing).await, (false, Vec::new()));
    world.clock.advance(1);
    assert_eq!(reader.refresh(service, &mut mirror, Some(1)).await, Ok(1), "nothing has expired");
    hear(service, &caller, true, 1, 0).await;
    assert_eq!(told(&world, &maker, &thing).await, (true, vec!["metadata-frozen".to_owned()]));
    mirror.frozen = false;
    assert_eq!(reader.refresh(service, &mut mirror, Some(1)).await, Ok(2));
    hear(service, &caller, true, 2, 0).await;
    assert!(!told(&world, &maker, &thing).await.0);
    // Behind by a version that was asked for by somebody else in its name.
    world.clock.advance(FREEZE_TOLERANCE_S + 1);
    assert_eq!(hear(service, &caller, true, 1, 0).await, [2]);
    assert!(told(&world, &maker, &thing).await.0);
}

#[tokio::test]
async fn what_is_not_its_own_is_passed_over_and_too_much_is_refused() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let root = begun(&world, &maker, &Offline::new()).await;
    assert!(!root.is_empty());
    let fleet = devices(&world, &maker, 1).await;
    let (_, caller) = &fleet[0];
    world.clock.advance(2 * FREEZE_TOLERANCE_S);
    let seen = |name: &str, director| SeenMetadata {
        organisation: id(name),
        director,
        version: 1,
        asked_s: 0,
    };
    // A stranger's director, one that there is not, an organisation that there is not.
    let strange = [seen("platform", true), seen("maker", true), seen("nobody", false)];
    assert_eq!(service.hear_metadata(caller, &strange).await.unwrap(), Vec::new());
    let known = service.hear_metadata(caller, &[seen("maker", false)]).await.unwrap();
    assert_eq!(known.len(), 1);
    let many = vec![seen("maker", false); 17];
    assert_eq!(code(service.hear_metadata(caller, &many).await), "metadata-seen");
    assert_eq!(code(service.hear_metadata(&maker.admin, &[]).await), "not-found");
}
