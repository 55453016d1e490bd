//! Trust between devices, and connections outside makers' files (AU-6, LG-4): what their owner looks at.

use crate::stage::{Stage, is_sound};
use behaviour::mud::{Door, Flow, Suggested, suggest};
use device::Language;
use http::{StatusCode, header};
use service::{NewMud, NewPeerTrust};

fn no_key(html: &str, prefix: &str) {
    for hit in html.split(&format!(">{prefix}")).skip(1) {
        assert!(!hit.starts_with(|c: char| c.is_ascii_lowercase()), "{prefix}{hit:.20}");
    }
}

#[tokio::test]
async fn an_owner_sees_who_trusts_whom_and_carries_a_bundle() {
    let stage = Stage::new().await;
    let service = &stage.world.service;
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await.thing.id;
    let at = "/peer-trust";
    let page = stage.get("owner-admin", at).await;
    is_sound(&page, at);
    assert!(page.html.contains("Nothing is chosen") && page.html.contains("never given one"));
    let new = NewPeerTrust {
        life_s: 7200,
        makers: vec![stage.maker.id.clone()],
        organisations: Vec::new(),
        products: Vec::new(),
    };
    service.set_peer_trust(&stage.owner.admin, new).await.unwrap();
    service.trust_bundle(&stage.owner.admin, &device, None).await.unwrap();
    for (language, told) in
        [(Language::En, "2 hours after it is made"), (Language::Ja, "作成から2時間")]
    {
        let page = stage.get_in("owner-admin", language, at).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        is_sound(&page, at);
        no_key(&page.html, "peer-");
        assert!(page.html.contains(told) && page.html.contains("maker/gate"), "{}", page.html);
        assert!(page.html.contains(&device.to_string()) && page.html.contains("<svg"));
    }
    // Who carries one there gets the file, by a form and not by a link, and the log says so.
    let path = format!("{at}/bundles/{device}");
    let linked = stage.get("owner-operator", &path).await;
    assert_eq!(linked.status, StatusCode::METHOD_NOT_ALLOWED);
    let before = stage.get("owner-admin", "/audit?kind=credential-change").await.html;
    let got = stage.post("owner-operator", &path, "").await;
    assert_eq!(got.status, StatusCode::OK, "{}", got.html);
    assert_eq!(got.header("content-type"), peer::MEDIA_TYPE);
    assert_eq!(got.header("cache-control"), "no-store");
    assert!(got.headers[header::CONTENT_DISPOSITION].to_str().unwrap().contains(".bundle"));
    let after = stage.get("owner-admin", "/audit?kind=credential-change").await.html;
    let count = |html: &str| html.matches("trust-bundle").count();
    assert!(count(&after) > count(&before));
    // Nobody else's device, and nobody who may not.
    for (who, status) in [
        ("maker-admin", StatusCode::NOT_FOUND),
        ("stranger", StatusCode::NOT_FOUND),
        ("owner-reader", StatusCode::FORBIDDEN),
    ] {
        assert_eq!(stage.post(who, &path, "").await.status, status, "{who}");
    }
    assert_eq!(stage.get("owner-reader", at).await.status, StatusCode::FORBIDDEN);
    let theirs = stage.get("stranger", at).await;
    assert!(theirs.status.is_success() && !theirs.html.contains(&device.to_string()));
}

#[tokio::test]
async fn an_owner_chooses_whom_its_devices_trust_and_ends_it() {
    let stage = Stage::new().await;
    let service = &stage.world.service;
    let (set, end) = ("/peer-trust/settings", "/peer-trust/end");
    for language in Language::ALL.iter().copied() {
        let page = stage.get_in("owner-admin", language, set).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        is_sound(&page, set);
        no_key(&page.html, "peer-");
        assert!(page.html.contains("value=\"72\""), "{}", page.html);
    }
    // There is nothing to end yet.
    assert_eq!(stage.get("owner-admin", end).await.status, StatusCode::NOT_FOUND);
    let fields = |hours: &str, makers: &str, known: &str, products: &str| {
        serde_html_form::to_string([
            ("hours", hours),
            ("makers", makers),
            ("organisations", known),
            ("products", products),
        ])
        .unwrap()
    };
    let good = fields("2", " maker \r\n\r\n", "", "maker/gate\r\n");
    for who in ["owner-reader", "owner-operator"] {
        assert_eq!(stage.get(who, set).await.status, StatusCode::FORBIDDEN, "{who}");
        assert_eq!(stage.post(who, set, &good).await.status, StatusCode::FORBIDDEN, "{who}");
        assert_eq!(stage.post(who, end, "").await.status, StatusCode::FORBIDDEN, "{who}");
        assert!(!stage.get(who, "/peer-trust").await.html.contains(set), "{who}");
    }
    assert_eq!(stage.post_raw("owner-admin", set, &good).await.status, StatusCode::FORBIDDEN);
    // What is wrong stands at its field, and what was typed stays; what the service refuses, above.
    for (wrong, field, kept) in [
        (fields("2.5", "maker", "", ""), "hours", ">maker</textarea>"),
        (fields("9223372036854775807", "", "", ""), "hours", "value=\"9223372036854775807\""),
        (fields("0", "maker", "", ""), "hours", ">maker</textarea>"),
        (fields("2161", "", "", ""), "hours", "value=\"2161\""),
        (fields("2", "Not One", "", ""), "makers", ">Not One</textarea>"),
        (fields("2", "", "a b", ""), "organisations", ">a b</textarea>"),
        (fields("2", "", "", "gate"), "products", ">gate</textarea>"),
        (fields("2", "", "", "maker/gate/x"), "products", ">maker/gate/x</textarea>"),
    ] {
        let page = stage.post("owner-admin", set, &wrong).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        assert!(page.html.contains(&format!("id=\"{field}-error\"")), "{wrong}: {}", page.html);
        assert!(page.html.contains(kept), "{wrong}: {}", page.html);
        is_sound(&page, set);
    }
    let unknown = fields("2", "nobody-here", "", "");
    let page = stage.post("owner-admin", set, &unknown).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.html.contains("has no CA that vouches"), "{}", page.html);
    let caller = &stage.owner.admin;
    assert!(service.peer_trust(caller).await.unwrap().is_none(), "nothing was chosen by that");
    let done = stage.post("owner-admin", set, &good).await;
    assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, "/peer-trust"));
    let chosen = service.peer_trust(caller).await.unwrap().unwrap().chosen;
    let gate = (stage.maker.id.clone(), device::ProductId::new("gate").unwrap());
    let makers = vec![stage.maker.id.clone()];
    let organisations = Vec::new();
    assert_eq!(chosen, NewPeerTrust { life_s: 7200, makers, organisations, products: vec![gate] });
    // What stands is what the form begins with.
    let page = stage.get("owner-admin", set).await;
    for kept in ["value=\"2\"", ">maker</textarea>", ">maker/gate</textarea>"] {
        assert!(page.html.contains(kept), "{kept}: {}", page.html);
    }
    // A time between two hours is not rounded by somebody who only looks.
    let odd = NewPeerTrust { life_s: 5400, ..chosen };
    service.set_peer_trust(caller, odd).await.unwrap();
    let page = stage.get("owner-admin", set).await;
    assert!(page.html.contains("name=\"hours\" value=\"\""), "{}", page.html);
    let page = stage.get("owner-admin", "/peer-trust").await;
    assert!(page.html.contains(set) && page.html.contains(end), "{}", page.html);
    for language in Language::ALL.iter().copied() {
        is_sound(&stage.get_in("owner-admin", language, end).await, end);
    }
    let ended = stage.post("owner-admin", end, "").await;
    assert_eq!((ended.status, ended.header("location")), (StatusCode::SEE_OTHER, "/peer-trust"));
    assert!(service.peer_trust(caller).await.unwrap().is_none());
    assert_eq!(stage.post("owner-admin", end, "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_owner_sees_which_connections_no_file_allows() {
    let stage = Stage::new().await;
    let service = &stage.world.service;
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await.thing.id;
    let (all, one) = ("/outside-mud".to_owned(), format!("/devices/{device}/outside-mud"));
    for path in [&all, &one] {
        let page = stage.get("owner-admin", path).await;
        is_sound(&page, path);
        assert!(page.html.contains("No connection outside the file is known"), "{}", page.html);
    }
    let put = async |port: u16| {
        let text = suggest(&Suggested {
            url: "https://maker.example/gate.json".into(),
            at: "2026-11-22T09:00:00Z".into(),
            systeminfo: "Gate".into(),
            made: ("maker".into(), "gate".into()),
            doors: vec![Door::named("gate.example", 6, port).into()],
        });
        let (signature, anchors) = (None, None);
        let new = NewMud { file: text.into(), signature, anchors, reason: "a test".into() };
        let gate = device::ProductId::new("gate").unwrap();
        service.put_mud(&stage.maker.admin, (&stage.maker.id, &gate), new).await.unwrap();
    };
    put(1883).await;
    put(8883).await;
    let flows = (1..=60).map(|port| format!("spy.example:{port}"));
    let flows = flows.chain(["gate.example:1883".to_owned()]);
    let mut flows: Vec<_> =
        flows.map(|to| Flow::new(device, Some(&to), None, Some(7)).unwrap()).collect();
    flows.push(Flow::new(device, None, Some("[2001:db8::7]:23/tcp"), None).unwrap());
    service.report_flows(&stage.owner.admin, &stage.owner.id, flows).await.unwrap();
    for (language, told) in [
        (Language::En, ["does not allow it", "told by your organisation", "Version 1 allowed it"]),
        (Language::Ja, ["許可しない", "自組織の報告", "第1版では許可されていました"]),
    ] {
        for path in [&all, &one] {
            let page = stage.get_in("owner-admin", language, path).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.html);
            is_sound(&page, path);
            no_key(&page.html, "outside-");
            assert!(page.html.contains(told[0]) && page.html.contains(told[1]), "{}", page.html);
            assert!(page.html.contains("<svg"), "{path} has no picture");
            let alerts = format!("/alerts?state=all&#38;rule=outside-mud&#38;device={device}");
            assert!(page.html.contains(&alerts), "{}", page.html);
        }
        let page = stage.get_in("owner-admin", language, &one).await;
        assert!(page.html.contains(told[2]) && page.html.contains("2001:db8::7"), "{}", page.html);
    }
    // There are more than a page has; the filter stays with them.
    let line = format!("{all}?line=maker%2Fgate");
    let page = stage.get("owner-admin", &line).await;
    let from = page.html.find("line=maker%2Fgate&#38;after=").unwrap();
    let next: String = page.html[from..].chars().take_while(|c| *c != '"').collect();
    let next = stage.get("owner-admin", &format!("{all}?{}", next.replace("&#38;", "&"))).await;
    let shown = |html: &str| html.matches("spy.example</code>").count();
    assert_eq!((shown(&page.html) + shown(&next.html)), 60);
    assert_eq!(stage.get("owner-admin", &format!("{all}?line=x")).await.status, 400);
    // From the pages where an operator looks.
    for (who, path, to) in [
        ("owner-admin", "/alerts", "href=\"/outside-mud\""),
        ("owner-admin", &format!("/devices/{device}"), &*format!("href=\"{one}\"")),
        ("maker-admin", "/products/maker/gate/mud", "/outside-mud?line=maker%2Fgate"),
        ("owner-admin", "/policies", "href=\"/peer-trust\""),
    ] {
        let page = stage.get(who, path).await;
        assert!(page.html.contains(to), "{path}: {}", page.html);
    }
    // It is its owner's business: not the maker's, not a stranger's, nor who may not read alerts.
    for (who, path, status) in [
        ("maker-admin", &one, StatusCode::FORBIDDEN),
        ("stranger", &one, StatusCode::NOT_FOUND),
        ("owner-reader", &one, StatusCode::FORBIDDEN),
        ("owner-reader", &all, StatusCode::FORBIDDEN),
    ] {
        assert_eq!(stage.get(who, path).await.status, status, "{who} {path}");
    }
    for who in ["maker-admin", "stranger"] {
        let page = stage.get(who, &all).await;
        assert!(page.status.is_success() && !page.html.contains("spy.example"), "{who}");
        let page = stage.get(who, &line).await;
        assert!(page.status.is_success() && !page.html.contains("spy.example"), "{who}");
    }
}

#[tokio::test]
async fn a_file_is_suggested_and_downloaded() {
    let stage = Stage::new().await;
    let service = &stage.world.service;
    let mut devices = Vec::new();
    for _ in 0..3 {
        devices.push(stage.world.working(&stage.maker, "gate", &stage.owner).await.thing.id);
    }
    let at = "/outside-mud/maker/gate/suggestion";
    let page = stage.get("owner-admin", at).await;
    is_sound(&page, at);
    assert!(
        page.html.contains("Nothing was seen of your devices") && !page.html.contains("download")
    );
    let (admin, own) = (&stage.owner.admin, &stage.owner.id);
    for to in ["cloud.example:443", "one.example:80"] {
        let some = if to.starts_with("one") { 1 } else { 3 };
        let flows =
            devices.iter().take(some).map(|it| Flow::new(*it, Some(to), None, None).unwrap());
        service.report_flows(admin, own, flows.collect()).await.unwrap();
    }
    let asked = format!("{at}?devices=3&days=1&url=https%3A%2F%2Fmaker.example%2Fgate.json");
    for (language, told) in [
        (Language::En, ["3 devices were looked at", "too few devices or days"]),
        (Language::Ja, ["3台を対象としました", "台数か日数が不足"]),
    ] {
        let page = stage.get_in("owner-admin", language, &asked).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        is_sound(&page, at);
        no_key(&page.html, "outside-");
        assert!(told.iter().all(|it| page.html.contains(it)), "{}", page.html);
        let file = "/suggestion/file?devices=3&#38;days=1&#38;url=https%3A%2F%2Fmaker.example";
        assert!(page.html.contains(file), "{}", page.html);
    }
    let bytes =
        stage.get_bytes("owner-admin", &asked.replace("suggestion?", "suggestion/file?")).await;
    let mud = behaviour::mud::Mud::parse(&bytes).unwrap();
    assert_eq!(mud.url, "https://maker.example/gate.json");
    assert!(mud.english().join(" ").contains("cloud.example"));
    // Too few days; a number or an address that is none is said, and nothing is handed out.
    let page = stage.get("owner-admin", at).await;
    assert!(
        page.html.contains("none of their connections") && !page.html.contains("id=\"suggested\"")
    );
    for wrong in ["devices=1", "days=31", "days=1&url=http://x.example/"] {
        let page = stage.get("owner-admin", &format!("{at}?{wrong}")).await;
        assert!(page.html.contains("tone-bad") || page.status.is_client_error(), "{wrong}");
        assert!(!page.html.contains("id=\"suggested\""), "{wrong}");
    }
    assert!(stage.get("owner-admin", &format!("{at}?devices=x")).await.status.is_client_error());
    for (who, status) in [("owner-reader", StatusCode::FORBIDDEN), ("stranger", StatusCode::OK)] {
        let page = stage.get(who, &asked).await;
        assert_eq!(page.status, status, "{who}");
        assert!(!page.html.contains("cloud.example"), "{who}");
    }
    let file = stage.get("stranger", &asked.replace("suggestion?", "suggestion/file?")).await;
    assert_eq!(file.status, StatusCode::CONFLICT);
}
