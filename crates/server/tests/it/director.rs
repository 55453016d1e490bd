//! Directors through the doors: begun and rooted over REST, read by each device for itself.

use crate::world::{World, id, problem, refused};
use api::client::{Answer, Call};
use crypto::{KeyAlgorithm, Signer as _, SoftwareKey};
use http::{HeaderValue, StatusCode, header};
use update::{
    Key, Limits, Root, Signed, Signers, Targets,
    director::{RootKeys, draft_root},
    repository::sign_as,
};

const TIMESTAMP: &str = "/tuf/director/maker/metadata/timestamp.json";
const TARGETS: &str = "/tuf/director/maker/metadata/1.targets.json";

fn field(answer: &Answer, name: header::HeaderName) -> String {
    answer.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// The maker's director with a root that was signed offline.
async fn directing(world: &World, rest: &api::Rest) -> Vec<u8> {
    let view = rest.begin_director(&id("maker")).await.unwrap();
    assert!(view.root.is_none());
    let online = |role: &str| {
        let key = view.keys.iter().find(|key| key.role == role).unwrap();
        Key::from_file(&serde_json::to_vec(&key.public).unwrap()).unwrap()
    };
    let offline = SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap();
    let public = Key::from_public(offline.public_key()).unwrap();
    let keys = RootKeys {
        root: Some(Signers { keys: vec![public], threshold: 1 }),
        targets: online("targets"),
        snapshot: online("snapshot"),
        timestamp: online("timestamp"),
    };
    let root: Root = draft_root(None, &keys, world.service.now().plus(365 * 86_400)).unwrap();
    let mut signed = Signed::draft(root);
    let unsigned = signed.to_bytes().unwrap();
    let wrong = rest.push_director_root(&id("maker"), unsigned).await.unwrap_err();
    assert_eq!(wrong.problem().unwrap().code, "director-refused");
    let authority = signed.own_authority();
    sign_as(&mut signed, &authority, &offline).unwrap();
    let root = signed.to_bytes().unwrap();
    let view = rest.push_director_root(&id("maker"), root.clone()).await.unwrap();
    assert_eq!(view.root.unwrap().version, 1);
    assert_eq!(rest.director_root(&id("maker"), 1).await.unwrap(), root);
    root
}

#[tokio::test(flavor = "multi_thread")]
async fn each_device_reads_what_is_for_it_and_nobody_else_reads_anything() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate").await;
    let other = world.maker("other", "lamp").await;
    let rest = world.rest(&maker.admin);
    let (one, two) = (world.made(&maker, "gate").await, world.made(&maker, "gate").await);
    let mine = world.client(Some(&world.idevid(&maker, "gate", &one).await));
    let yours = world.client(Some(&world.idevid(&maker, "gate", &two).await));
    // There is none before its root.
    assert_eq!(refused(&mine, Call::get(TIMESTAMP)).await.0, 404);
    rest.begin_director(&id("other")).await.unwrap_err();
    let root = directing(&world, &rest).await;

    let answer = mine.send(Call::get(TIMESTAMP)).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(field(&answer, header::CACHE_CONTROL), "private, no-cache");
    assert_eq!(field(&answer, header::CONTENT_TYPE), "application/json");
    let etag = field(&answer, header::ETAG);
    let known =
        Call::get(TIMESTAMP).header(header::IF_NONE_MATCH, HeaderValue::from_str(&etag).unwrap());
    assert_eq!(mine.send(known).await.unwrap().status, StatusCode::NOT_MODIFIED);
    let first = mine.send(Call::get("/tuf/director/maker/metadata/1.root.json")).await.unwrap();
    assert_eq!(first.body, root);
    // The same address says to each device what is for it.
    let read = async |client: &api::Client| {
        let answer = client.send(Call::get(TARGETS)).await.unwrap();
        let parsed = Signed::<Targets>::parse(&answer.body, &Limits::DEFAULT).unwrap();
        assert!(parsed.unverified().targets.is_empty());
        String::from_utf8(answer.body.to_vec()).unwrap()
    };
    yours.send(Call::get(TIMESTAMP)).await.unwrap();
    let (said, told) = (read(&mine).await, read(&yours).await);
    assert!(said.contains(&one.id.to_string()) && !said.contains(&two.id.to_string()));
    assert!(told.contains(&two.id.to_string()) && !told.contains(&one.id.to_string()));
    assert!(said.contains(&one.key.public_key().fingerprint().to_string()));

    // Members, a device of somebody else, nobody; not over plain HTTP.
    let members = world.client(Some(&maker.admin.identity));
    assert!(matches!(refused(&members, Call::get(TIMESTAMP)).await.0, 403 | 404));
    let lamp = world.made(&other, "lamp").await;
    let stranger = world.client(Some(&world.idevid(&other, "lamp", &lamp).await));
    assert_eq!(refused(&stranger, Call::get(TIMESTAMP)).await.0, 404);
    let nobody = world.client(None).send(Call::get(TIMESTAMP)).await.unwrap();
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    problem(&nobody);
    assert_eq!(
        world.plain().send(Call::get(TIMESTAMP)).await.unwrap().status,
        StatusCode::NOT_FOUND
    );
    for path in [
        "/tuf/director/nobody/metadata/timestamp.json",
        "/tuf/director/MAKER/metadata/timestamp.json",
        "/tuf/director/maker/metadata/2.targets.json",
        "/tuf/director/maker/metadata/%2e%2e%2f1.root.json",
        "/tuf/director/maker/targets/gate/fw.img",
    ] {
        assert_eq!(
            mine.send(Call::get(path)).await.unwrap().status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    let long = format!("/tuf/director/maker/metadata/{}.json", "1".repeat(500));
    assert_eq!(mine.send(Call::get(long)).await.unwrap().status, StatusCode::NOT_FOUND);

    // Managed by administrators, within bounds.
    let set = rest.set_director_life(&id("maker"), 7200).await.unwrap();
    assert_eq!(set.life_s, 7200);
    let wrong = rest.set_director_life(&id("maker"), 1).await.unwrap_err();
    assert_eq!(wrong.problem().unwrap().code, "director-life");
    let wrong = world.rest(&maker.reader).rotate_director_keys(&id("maker")).await.unwrap_err();
    assert_eq!(wrong.problem().unwrap().status, 403);
    let view = rest.rotate_director_keys(&id("maker")).await.unwrap();
    assert_eq!(view.keys.iter().filter(|key| key.named).count(), 3);
    assert_eq!(view.keys.len(), 6);
    // Another tenant sees nothing of it.
    let foreign = world.rest(&other.admin).director(&id("maker")).await.unwrap_err();
    assert!(matches!(foreign.problem().unwrap().status, 403 | 404));
}
