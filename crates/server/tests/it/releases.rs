//! Files, releases and image repositories through the doors.

use crate::world::{World, id, problem, product};
use api::{
    client::{Answer, Call},
    wire,
};
use crypto::{KeyAlgorithm, Signer as _, SoftwareKey, sha256};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::json;
use update::{
    Authority, Key, Limits, Root, Signed, Signers, Targets, TopRole, repository::sign_as,
};
use wire::scalar::{Base64, Digest};

fn with(call: Call, name: HeaderName, value: &str) -> Call {
    call.header(name, HeaderValue::from_str(value).unwrap())
}

fn field(answer: &Answer, name: HeaderName) -> String {
    answer.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

async fn upload(rest: &api::Rest, bytes: &[u8]) -> wire::Upload {
    let length = u64::try_from(bytes.len()).unwrap();
    let new = wire::NewUpload { sha256: Digest(sha256(bytes)), length };
    let begun = rest.begin_upload(&id("maker"), &new).await.unwrap();
    rest.send_piece(&begun.id, begun.received, bytes.to_vec()).await.unwrap();
    rest.finish_upload(&begun.id).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_up_in_pieces_and_comes_down_in_parts() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate").await;
    let rest = world.rest(&maker.admin);
    let bytes: Vec<u8> = (0..700_000_u32).flat_map(u32::to_be_bytes).collect();
    let (digest, length) = (sha256(&bytes), u64::try_from(bytes.len()).unwrap());
    let new = wire::NewUpload { sha256: Digest(digest), length };
    let begun = rest.begin_upload(&id("maker"), &new).await.unwrap();
    let after = rest.send_piece(&begun.id, 0, bytes[..1_000_000].to_vec()).await.unwrap();
    assert_eq!((after.received, after.state.as_str()), (1_000_000, "receiving"));
    // Somewhere else, too much, of another kind: nothing of it is taken.
    let wrong = rest.send_piece(&begun.id, 5, b"x".to_vec()).await.unwrap_err();
    assert_eq!(wrong.problem().unwrap().code, "upload-offset");
    let too_much = [&bytes[1_000_000..], &[0; 1000]].concat();
    let much = rest.send_piece(&begun.id, 1_000_000, too_much).await.unwrap_err();
    assert_eq!(much.problem().unwrap().code, "upload-length");
    let path = format!("/v1/uploads/{}/bytes?offset={}", begun.id, 1_000_000 + 1_048_576);
    let kind = Call::new(Method::PUT, path).body("text/plain", "x");
    let now = rest.upload(&begun.id).await.unwrap().received;
    assert!((1_000_000..length).contains(&now), "{now}");
    if now == 1_000_000 + 1_048_576 {
        let answer = rest.client().send(kind).await.unwrap();
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let from = usize::try_from(now).unwrap();
    let after = rest.send_piece(&begun.id, now, bytes[from..].to_vec()).await.unwrap();
    assert_eq!(after.received, length);
    assert_eq!(rest.finish_upload(&begun.id).await.unwrap().state, "complete");
    assert_eq!(rest.file(&id("maker"), &digest).await.unwrap(), bytes);

    let path = format!("/v1/organisations/maker/files/{digest}");
    let get = async |range: &str| {
        let call = with(Call::get(path.clone()), header::RANGE, range);
        rest.client().send(call).await.unwrap()
    };
    for (range, part) in [
        ("bytes=0-0", &bytes[..1]),
        ("bytes=1000000-1999999", &bytes[1_000_000..2_000_000]),
        ("bytes=-3", &bytes[bytes.len() - 3..]),
        ("bytes=2799999-", &bytes[2_799_999..]),
    ] {
        let answer = get(range).await;
        assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT, "{range}");
        assert!(answer.body == part, "{range}");
        assert!(field(&answer, header::CONTENT_RANGE).ends_with("/2800000"));
    }
    let beyond = get("bytes=2800000-").await;
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(field(&beyond, header::CONTENT_RANGE), "bytes */2800000");
    let whole = rest.client().send(Call::get(path.clone())).await.unwrap();
    let etag = field(&whole, header::ETAG);
    assert_eq!(etag, format!("\"{digest}\""));
    let known = with(Call::get(path.clone()), header::IF_NONE_MATCH, &etag);
    assert_eq!(rest.client().send(known).await.unwrap().status, StatusCode::NOT_MODIFIED);
    let call = with(Call::get(path.clone()), header::RANGE, "bytes=0-1");
    let other = with(call, header::IF_RANGE, "\"other\"");
    assert_eq!(rest.client().send(other).await.unwrap().status, StatusCode::OK);
    // Only one's own.
    let stranger = world.maker("stranger", "lamp").await;
    let strange = world.rest(&stranger.admin).client().send(Call::get(path)).await.unwrap();
    assert_eq!(strange.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_goes_through_the_doors() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate").await;
    let rest = world.rest(&maker.admin);
    let (of, line) = (id("maker"), product("gate"));
    let gate = rest.release_gate(&of, &line).await.unwrap();
    assert!(gate.sbom && !gate.tests);
    let gate = wire::ReleaseGate { sbom: false, ..gate };
    assert_eq!(rest.set_release_gate(&of, &line, &gate).await.unwrap(), gate);
    let new = wire::NewRelease {
        product: "gate".parse().unwrap(),
        version: "1.0".into(),
        security_version: 1,
        release_counter: None,
        hardware_ids: vec!["gate-bg1".into()],
        notes: "first".into(),
    };
    let draft = rest.create_release(&of, &new).await.unwrap();
    let refused = rest.publish_release(&draft.id, &wire::Publish::default()).await.unwrap_err();
    let told = refused.problem().unwrap();
    assert_eq!((told.status, told.code.as_str()), (422, "gate"));
    assert!(told.detail.as_ref().unwrap().contains("artifacts:"), "{told:?}");
    let open = rest.check_release(&draft.id).await.unwrap();
    assert!(open.iter().any(|item| item.code == "artifacts" && !item.met && !item.overrulable));
    let image = upload(&rest, b"image").await;
    let artifact =
        wire::NewArtifact { name: "fw.img".into(), sha256: image.sha256, hardware_ids: Vec::new() };
    let with_file = rest.add_artifact(&draft.id, &artifact).await.unwrap();
    assert_eq!(with_file.artifacts[0].path, "gate/1.0/fw.img");
    let tests = upload(&rest, b"<testsuite><testcase name='a'/></testsuite>").await;
    let attachment = wire::NewAttachment {
        kind: wire::AttachmentKindName::Tests,
        name: "unit".into(),
        sha256: tests.sha256,
    };
    let attached = rest.attach(&draft.id, &attachment).await.unwrap();
    assert_eq!(attached.summary["tests"], 1);
    rest.detach(&draft.id, "tests", "unit").await.unwrap();
    rest.attach(&draft.id, &attachment).await.unwrap();
    let done = rest.publish_release(&draft.id, &wire::Publish::default()).await.unwrap();
    assert_eq!(done.state, "published");
    world.service.integrate_now().await.unwrap();
    let proof = rest.release_proof(&draft.id).await.unwrap();
    let statement = update::ReleaseStatement::parse(&proof.statement.0).unwrap();
    assert_eq!(statement.version, "1.0");
    let query = wire::ReleaseQuery { state: Some("published".into()), ..Default::default() };
    assert_eq!(rest.releases(&of, &query).await.unwrap().items.len(), 1);
    let why = wire::Withdraw { reason: "it burns".into() };
    assert_eq!(rest.withdraw_release(&draft.id, &why).await.unwrap().state, "withdrawn");
    let bad = Call::get("/v1/releases/not-an-id");
    let answer = rest.client().send(bad).await.unwrap();
    assert_eq!(
        (answer.status, problem(&answer)["code"] == json!("invalid-parameter")),
        (StatusCode::BAD_REQUEST, true)
    );
    let other = wire::NewRelease { version: "1.1".into(), ..new };
    let other = rest.create_release(&of, &other).await.unwrap();
    rest.discard_release(&other.id).await.unwrap();
    assert_eq!(rest.release(&other.id).await.unwrap_err().status(), Some(404));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_repository_is_served_to_those_who_may_read_it() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate").await;
    let other = world.maker("other", "lamp").await;
    let (rest, of) = (world.rest(&maker.admin), id("maker"));
    let gate = wire::ReleaseGate {
        sbom: false,
        tests: false,
        provenance: false,
        not_exploited: false,
        security_floor: 0,
        component: None,
    };
    rest.set_release_gate(&of, &product("gate"), &gate).await.unwrap();
    let view = rest.begin_repository(&of).await.unwrap();
    let key = |role: &str| {
        let key = view.keys.iter().find(|key| key.role == role).unwrap();
        Key::from_file(key.public.to_string().as_bytes()).unwrap()
    };
    let [root_key, targets_key] =
        [(); 2].map(|()| SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap());
    let until = world.service.now().plus(365 * 86_400);
    let root = Root::new(until, |role| Signers {
        keys: vec![match role {
            TopRole::Root => Key::from_public(root_key.public_key()).unwrap(),
            TopRole::Targets => Key::from_public(targets_key.public_key()).unwrap(),
            role => key(role.name()),
        }],
        threshold: 1,
    });
    let mut root = Signed::draft(root.unwrap());
    let authority = root.own_authority();
    sign_as(&mut root, &authority, &root_key).unwrap();
    let trusted = root.clone().trust_first().unwrap();
    let sign = async || {
        let draft = rest.draft_targets(&of, &wire::DraftQuery::default()).await.unwrap();
        let mut draft = Signed::<Targets>::parse(&draft, &Limits::DEFAULT).unwrap();
        let authority = Authority::of_top_role(&trusted, TopRole::Targets);
        sign_as(&mut draft, &authority, &targets_key).unwrap();
        wire::SignedTargets { role: "targets".into(), file: Base64(draft.to_bytes().unwrap()) }
    };
    let first = wire::SignedMetadata {
        root: Some(Base64(root.to_bytes().unwrap())),
        targets: vec![sign().await],
    };
    rest.push_metadata(&of, &first).await.unwrap();
    let image = upload(&rest, b"0123456789").await;
    let new = wire::NewRelease {
        product: "gate".parse().unwrap(),
        version: "1.0".into(),
        security_version: 1,
        release_counter: None,
        hardware_ids: vec!["gate-bg1".into()],
        notes: String::new(),
    };
    let draft = rest.create_release(&of, &new).await.unwrap();
    let artifact =
        wire::NewArtifact { name: "fw.img".into(), sha256: image.sha256, hardware_ids: Vec::new() };
    rest.add_artifact(&draft.id, &artifact).await.unwrap();
    rest.publish_release(&draft.id, &wire::Publish::default()).await.unwrap();
    let signed = wire::SignedMetadata { root: None, targets: vec![sign().await] };
    rest.push_metadata(&of, &signed).await.unwrap();

    let thing = world.made(&maker, "gate").await;
    let mine = world.client(Some(&world.idevid(&maker, "gate", &thing).await));
    let thing = world.made(&other, "lamp").await;
    let strange = world.client(Some(&world.idevid(&other, "lamp", &thing).await));
    let (nobody, plain) = (world.client(None), world.plain());
    let target = format!("/tuf/maker/targets/gate/1.0/{}.fw.img", sha256(b"0123456789"));
    let paths =
        ["/tuf/maker/metadata/timestamp.json", "/tuf/maker/metadata/2.targets.json", &target];
    for path in paths {
        let good = mine.send(Call::get(path)).await.unwrap();
        assert_eq!(good.status, StatusCode::OK, "{path}");
        let etag = field(&good, header::ETAG);
        let known = with(Call::get(path), header::IF_NONE_MATCH, &etag);
        assert_eq!(mine.send(known).await.unwrap().status, StatusCode::NOT_MODIFIED);
        for (client, expected) in [
            (&strange, StatusCode::NOT_FOUND),
            (&nobody, StatusCode::UNAUTHORIZED),
            (&plain, StatusCode::UNAUTHORIZED),
        ] {
            let answer = client.send(Call::get(path)).await.unwrap();
            assert_eq!(answer.status, expected, "{path}");
            problem(&answer);
            assert!(field(&answer, header::CACHE_CONTROL).contains("no-store"));
        }
    }
    let news = mine.send(Call::get(paths[0])).await.unwrap();
    assert_eq!(field(&news, header::CACHE_CONTROL), "no-cache");
    let kept = mine.send(Call::get(paths[1])).await.unwrap();
    assert!(field(&kept, header::CACHE_CONTROL).starts_with("private"));
    let part = with(Call::get(target.as_str()), header::RANGE, "bytes=2-4");
    let part = mine.send(part).await.unwrap();
    assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &b"234"[..]));
    for missing in [
        "/tuf/maker/metadata/9.root.json",
        "/tuf/maker/metadata/..%2f..%2ftegata.db",
        "/tuf/maker/metadata/timestamp",
        "/tuf/maker/targets/gate/1.0/fw.img",
        "/tuf/Maker/metadata/timestamp.json",
        "/tuf/nobody-here/metadata/timestamp.json",
    ] {
        let answer = mine.send(Call::get(missing)).await.unwrap();
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{missing}");
    }
    // Opened, everybody reads it, over plain HTTP too: all of it is signed.
    rest.open_repository(&of, true).await.unwrap();
    for path in paths {
        for client in [&mine, &strange, &nobody, &plain] {
            assert_eq!(client.send(Call::get(path)).await.unwrap().status, StatusCode::OK);
        }
    }
    rest.open_repository(&of, false).await.unwrap();
    let closed = plain.send(Call::get(paths[0])).await.unwrap();
    assert_eq!(closed.status, StatusCode::UNAUTHORIZED);
}
