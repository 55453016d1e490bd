//! The REST interface as its callers see it.

use crate::world::{World, problem, product, refused};
use api::{
    client::Call,
    rest::question,
    wire::{self, PageQuery, scalar::*},
};
use device::{Cause, DeviceKind, EventKind, RootOfTrust, SignedProof};
use http::{Method, StatusCode, header};

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_give_problem_documents() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate").await;
    let client = world.client(Some(&maker.admin.identity));
    let json = |text: &'static str| Call::post("/v1/devices", "application/json", text);
    for (call, status, code) in [
        (Call::get("/v1/nowhere"), 404, "not-found"),
        (Call::get("/nowhere"), 404, "not-found"),
        (Call::new(Method::PUT, "/v1/devices"), 405, "method-not-allowed"),
        (Call::get("/v1/devices/xyz"), 400, "invalid-parameter"),
        (Call::get("/v1/devices/00112233445566778899AABBCCDDEEFF"), 400, "invalid-parameter"),
        (Call::get("/v1/devices?limit=0"), 400, "invalid-parameter"),
        (Call::get("/v1/devices?limit=x"), 400, "invalid-parameter"),
        (Call::get("/v1/devices?phase=nowhere"), 400, "invalid-parameter"),
        (Call::get("/v1/organisations/%00%ff"), 400, "invalid-parameter"),
        (Call::post("/v1/devices", "text/plain", "{}"), 415, "unsupported-media-type"),
        (json(""), 400, "malformed-request"),
        (json("{"), 400, "malformed-request"),
        (json("{}"), 400, "malformed-request"),
        (json("{\"product\":\"gate\",\"devices\":[]}"), 400, "malformed-request"),
        (json("{\"product\":\"gate\",\"devices\":[],\"x\":1}"), 400, "malformed-request"),
        (json("[[[[[[[[[["), 400, "malformed-request"),
        (json("[\"gate\", [{\"serial_number\": \"SN-1\"}]]"), 400, "malformed-request"),
        (Call::post("/v1/events", "application/json", "{}"), 415, "unsupported-media-type"),
    ] {
        let shown = format!("{call:?}");
        assert_eq!(refused(&client, call).await, (status, code.to_owned()), "{shown}");
    }
    let answer =
        client.send(Call::post("/v1/events", "application/cose", vec![0xd2, 0x84])).await.unwrap();
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    problem(&answer);

    // In Japanese where asked.
    let call = Call::get("/v1/devices/xyz").header(header::ACCEPT_LANGUAGE, "ja".parse().unwrap());
    let settings = api::Settings { language: device::Language::Ja, ..api::Settings::default() };
    let client = world.client_with(Some(&maker.admin.identity), settings);
    let answer = client.send(call).await.unwrap();
    assert_eq!(answer.headers[header::CONTENT_LANGUAGE], "ja");
    assert!(!problem(&answer)["title"].as_str().unwrap().is_ascii());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_from_registration_to_verdict() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate").await;
    let station = world.rest(&maker.station);
    let new = wire::NewDevices {
        product: ProductRef(product("gate")),
        devices: vec![
            wire::NewDevice { serial_number: "SN-1".into(), id: None },
            wire::NewDevice { serial_number: "SN-1".into(), id: None },
        ],
    };
    let outcomes = station.register_devices(&new).await.unwrap();
    let device = outcomes.items[0].done.as_ref().unwrap();
    let twice = outcomes.items[1].refused.as_ref().unwrap();
    assert!(twice.status >= 400 && !twice.code.is_empty(), "{twice:?}");
    assert_eq!(device.kind.0, DeviceKind::Device);
    let head = station.head(&device.id.0).await.unwrap();
    assert_eq!((head.next_sequence, head.previous), (0, None));

    let thing = world.made(&maker, "gate").await;
    let listed = world
        .rest(&maker.reader)
        .devices(&wire::DeviceQuery { limit: Some(1), ..Default::default() })
        .await
        .unwrap();
    assert_eq!(listed.items.len(), 1);
    let rest = wire::DeviceQuery { after: listed.next.clone(), ..Default::default() };
    let rest = world.rest(&maker.reader).devices(&rest).await.unwrap();
    assert_eq!(rest.items.len(), 1);
    assert_ne!(rest.items[0].id, listed.items[0].id);
    assert_eq!(rest.next, None);

    // Events: one as it is, many at once; the log proves them.
    let tested = EventKind::Tested { passed: true, standard: Some("IEC 62443".into()) };
    let cose = world.signed(&maker, &thing.id, tested).await;
    let recorded = station.record(&cose).await.unwrap();
    assert_eq!(recorded.sequence, 1);
    let again = station.record_many(&[cose.clone(), vec![0x01]]).await.unwrap();
    assert!(again.items.iter().all(|outcome| outcome.refused.is_some()));
    station.integrate().await.unwrap();
    let history = world
        .rest(&maker.admin)
        .history(&thing.id, &wire::HistoryQuery { proofs: Some(true), ..Default::default() })
        .await
        .unwrap();
    assert_eq!(history.items.len(), 2);
    let trust = world.rest(&maker.admin).trust().await.unwrap();
    let log_key: ledger::LogKey = trust.log_key.parse().unwrap();
    for event in &history.items {
        let proof = event.proof.as_ref().unwrap();
        let checkpoint = ledger::SignedCheckpoint::parse(proof.checkpoint.as_bytes())
            .unwrap()
            .verify(&log_key, &[], 0)
            .unwrap();
        let salt: [u8; 32] = event.salt.as_ref().unwrap().0.clone().try_into().unwrap();
        let commitment = ledger::commit(&salt, &event.cose.as_ref().unwrap().0);
        assert_eq!(Digest(commitment.0), event.commitment.unwrap());
        let proof = ledger::InclusionProof {
            index: proof.leaf,
            size: proof.size,
            hashes: proof.hashes.iter().map(|hash| hash.0).collect(),
        };
        ledger::verify_inclusion(&commitment, &proof, &checkpoint.root).unwrap();
    }

    // Verdict by challenge and response; the answer cannot be used twice.
    let idevid = world.idevid(&maker, "gate", &thing).await;
    let admin = world.rest(&maker.admin);
    let challenge = admin.challenge(&thing.id).await.unwrap();
    let proof = device::Proof {
        device: thing.id,
        nonce: challenge.nonce.0.clone().try_into().unwrap(),
        counter: 1,
        device_time: Some(crate::world::now()),
        firmware: None,
    };
    let proof = SignedProof::sign(&thing.key, &proof).unwrap();
    let question = question(Some(proof.as_bytes()), &idevid.chain);
    let verdict = admin.verify(&thing.id, &question).await.unwrap();
    assert_eq!(verdict.outcome.0, device::Outcome::Genuine, "{verdict:?}");
    let replayed = admin.verify(&thing.id, &question).await.unwrap();
    assert_ne!(replayed.outcome.0, device::Outcome::Genuine, "{replayed:?}");
    assert!(!replayed.reasons[0].ja.is_ascii());

    let file = admin.passport(&thing.id).await.unwrap();
    device::PassportFile::parse(&file).unwrap();

    admin.suspend_device(&thing.id, Cause::Vulnerability).await.unwrap();
    let view = admin.device(&thing.id).await.unwrap();
    assert_eq!(view.standing.0, device::StandingKind::Suspended);
    admin.release_device(&thing.id).await.unwrap();
    let error = admin.release_device(&thing.id).await.unwrap_err();
    assert!(matches!(error.status(), Some(409 | 422)), "{error}");
    assert!(error.problem().unwrap().detail.is_some());
    assert_eq!(idevid.chain.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn organisations_members_and_reports() {
    let world = World::new().await;
    let platform = world.rest(&world.platform);
    let new = wire::NewOrganisation {
        id: OrganisationRef(crate::world::id("new-maker")),
        name: "新しい製造者".into(),
        roles: vec![wire::OrganisationRole::Maker],
    };
    let made = platform.create_organisation(&new).await.unwrap();
    assert_eq!(made.name, new.name);
    assert_eq!(made.roles, new.roles);
    let error = platform.create_organisation(&new).await.unwrap_err();
    assert_eq!(error.status(), Some(409), "{error}");
    let page = PageQuery { limit: Some(1), after: None };
    let first = platform.organisations(&page).await.unwrap();
    let second = platform
        .organisations(&PageQuery { after: first.next.clone(), limit: None })
        .await
        .unwrap();
    assert!(first.items.len() == 1 && second.items.len() == 1 && second.next.is_none());

    let maker = world.maker("maker", "gate").await;
    let admin = world.rest(&maker.admin);
    let product = wire::NewProduct {
        id: ProductRef(product("line-2")),
        name: "Line".into(),
        model: "L2".into(),
        kind: KindName(DeviceKind::Board),
        root_of_trust: RootOfTrustName(RootOfTrust::Dice),
        support_end: Some("2031-01-01T00:00:00Z".parse().unwrap()),
        ldevid_validity_s: Some(3600),
    };
    let created = admin.create_product(&maker.id, &product).await.unwrap();
    assert_eq!(created.support_end, product.support_end);
    let key = crate::world::key();
    let new = wire::NewMember {
        name: "line 3".into(),
        roles: vec![RoleName(policy::Role::Station)],
        csr: CsrPem(crate::world::csr(&key, "")),
    };
    let member = admin.add_member(&maker.id, &new).await.unwrap();
    let identity = api::Identity {
        chain: member.chain.into_iter().map(|certificate| certificate.0).collect(),
        key: std::sync::Arc::new(key),
    };
    let me = api::Rest::new(world.client(Some(&identity))).whoami().await.unwrap();
    assert_eq!(me.organisation.unwrap().0, maker.id);
    assert_eq!(me.roles, [RoleName(policy::Role::Station)]);

    let text = platform.metrics().await.unwrap();
    assert!(text.contains("tegata_requests_total{door=\"rest\",status=\"2xx\"}"));
    assert_eq!(admin.metrics().await.unwrap_err().status(), Some(403));
    let audit = admin
        .audit(&wire::AuditQuery {
            organisation: Some("maker".into()),
            ..wire::AuditQuery::default()
        })
        .await
        .unwrap();
    assert!(!audit.items.is_empty());
    let check = platform.check_audit().await.unwrap();
    assert_eq!(check.broken, None);
    let check = platform.check_log().await.unwrap();
    assert!(check.problems.is_empty(), "{check:?}");
    assert!(platform.statistics().await.unwrap().certificates > 0);
    assert!(!platform.key_accounts(&PageQuery::default()).await.unwrap().items.is_empty());
    platform.key_policy(3650).await.unwrap();
    admin.expiry(&wire::ExpiryQuery { days: Some(3650), ..Default::default() }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_a_page_in_a_language_of_its_own_that_can_do_nothing() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate").await;
    let device = world.made(&maker, "gate").await.id;
    let client = world.client(Some(&maker.admin.identity));
    for (language, word) in [("en", "Device report"), ("ja", "機器レポート")] {
        let call = Call::get(format!("/v1/devices/{device}/report?lang={language}"));
        // The caller's own language is another matter.
        let own = http::HeaderValue::from_static(if language == "en" { "ja" } else { "en" });
        let call = call.header(header::ACCEPT_LANGUAGE, own);
        let answer = client.send(call).await.unwrap();
        let field = |name: &str| answer.headers.get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(field("content-type"), "text/html; charset=utf-8");
        assert_eq!(field("content-language"), language);
        assert_eq!(field("x-content-type-options"), "nosniff");
        let policy = field("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; ") && policy.ends_with("; sandbox"));
        let page = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(page.contains(word) && page.contains(&device.to_string()), "{page}");
    }
    for query in ["lang=fr", "lang=", "language=ja"] {
        let call = Call::get(format!("/v1/devices/{device}/report?{query}"));
        assert_eq!(client.send(call).await.unwrap().status, StatusCode::BAD_REQUEST, "{query}");
    }
}
