//! What makers say that devices connect to (MUD, RFC 8520; LG-4): the maker's page, the public page, and the
//! door for programs.

use crate::{
    site::ask,
    stage::{Stage, is_sound},
};
use axum::body::Body;
use behaviour::mud::{Door, Suggested, suggest};
use device::Language;
use http::{Method, StatusCode, header};

fn file(port: u16) -> String {
    suggest(&Suggested {
        url: "https://maker.example/gate.json".into(),
        at: "2026-11-22T09:00:00Z".into(),
        systeminfo: "Gate".into(),
        made: ("maker".into(), "gate".into()),
        doors: vec![Door::named("gate.example", 6, port).into()],
    })
}

#[tokio::test]
async fn a_maker_puts_a_file_in_force_that_everybody_reads() {
    let stage = Stage::new().await;
    let at = "/products/maker/gate/mud";
    for language in Language::ALL.iter().copied() {
        let page = stage.get_in("maker-admin", language, at).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        is_sound(&page, at);
        assert!(!page.html.contains(">mud-"), "{}", page.html);
    }
    let token = stage.token("maker-admin").await;
    let csrf = ("csrf", "", token.as_bytes());
    let (good, reason) = (file(8883), ("reason", "", "<b>first</b>".as_bytes()));
    for (parts, told) in [
        (vec![csrf, reason], "Choose the file"),
        (vec![csrf, ("file", "a.json", b"{}".as_slice()), reason], "No MUD file"),
        (vec![csrf, ("file", "a.json", good.as_bytes())], "Say why"),
        (
            vec![csrf, ("file", "a.json", good.as_bytes()), ("signature", "a.p7s", b"x"), reason],
            "does not say where its signature is",
        ),
    ] {
        let page = stage.upload("maker-admin", at, &parts).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.html);
        assert!(page.html.contains(told), "{told}: {}", page.html);
        is_sound(&page, at);
    }
    let parts = [csrf, ("file", "a.json", good.as_bytes()), reason];
    let done = stage.upload("maker-admin", at, &parts).await;
    assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, at));
    for (language, told) in
        [(Language::En, "may send to gate.example"), (Language::Ja, "へ送信できます")]
    {
        let page = stage.get_in("maker-admin", language, at).await;
        is_sound(&page, at);
        assert!(page.html.contains(told) && !page.html.contains("<b>first"), "{}", page.html);
    }
    // Whoever may not, sends nothing; whoever is a stranger, sees nothing.
    let mine = stage.token("maker-reader").await;
    let parts = [("csrf", "", mine.as_bytes()), ("file", "a.json", good.as_bytes())];
    let refused = stage.upload("maker-reader", at, &parts).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(stage.get("stranger", at).await.status, StatusCode::NOT_FOUND);
    let bytes = stage.get_bytes("maker-admin", &format!("{at}/file?version=1")).await;
    assert_eq!(bytes, good.as_bytes());

    // Programs read it, under any host name, without a cookie, and with what a cache needs.
    let fetch = async |method: Method, path: &str, tag: &str| {
        let request = ask(method, path).header(header::IF_NONE_MATCH, tag);
        stage.send(request.body(Body::empty()).unwrap()).await
    };
    let found = fetch(Method::GET, "/mud/maker/gate.json", "\"x\"").await;
    assert_eq!((found.status, found.html.as_str()), (StatusCode::OK, good.as_str()));
    assert_eq!(found.header("content-type"), "application/mud+json");
    assert_eq!(found.header("cache-control"), "public, no-cache");
    assert_eq!(found.header("x-content-type-options"), "nosniff");
    assert!(found.headers.get(header::SET_COOKIE).is_none());
    assert!(found.headers.get(header::VARY).is_none(), "shared caches keep one copy");
    let tag = found.header("etag").to_owned();
    let same = fetch(Method::GET, "/mud/maker/gate.json", &tag).await;
    assert_eq!((same.status, same.html.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(same.header("etag"), tag);
    let head = fetch(Method::HEAD, "/mud/maker/gate.json", "\"x\"").await;
    assert_eq!((head.status, head.html.as_str()), (StatusCode::OK, ""));
    assert_eq!(head.header("content-length"), good.len().to_string());
    for missing in ["gate.p7s", "gate.xml", "gate", "other.json", ".json"] {
        let none = fetch(Method::GET, &format!("/mud/maker/{missing}"), "\"x\"").await;
        assert_eq!(none.status, StatusCode::NOT_FOUND, "{missing}");
        assert_ne!(none.header("cache-control"), "public, no-cache");
    }
    let post = fetch(Method::POST, "/mud/maker/gate.json", "\"x\"").await;
    assert_ne!(post.status, StatusCode::OK);

    // The page behind a printed code says it in plain words.
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await.thing.id;
    let view = stage.world.service.device(&stage.maker.admin, &device).await.unwrap();
    let path = format!("/p/{}", view.management_number);
    for (language, told) in
        [(Language::En, "What it may connect to"), (Language::Ja, "この製品に必要な通信")]
    {
        let page =
            stage.get_in("nobody", language, &format!("{path}?lang={}", language.name())).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        assert!(page.html.contains(told) && page.html.contains("gate.example"), "{}", page.html);
        assert!(page.html.contains("href=\"/mud/maker/gate.json\""), "{}", page.html);
        is_sound(&page, &path);
    }

    // Withdrawn.
    let at_withdraw = format!("{at}/withdraw");
    is_sound(&stage.get("maker-admin", &at_withdraw).await, &at_withdraw);
    let why = serde_html_form::to_string([("reason", "")]).unwrap();
    let refused = stage.post("maker-admin", &at_withdraw, &why).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.html);
    let why = serde_html_form::to_string([("reason", "an error")]).unwrap();
    let done = stage.post("maker-admin", &at_withdraw, &why).await;
    assert_eq!(done.header("location"), at, "{}", done.html);
    let gone = fetch(Method::GET, "/mud/maker/gate.json", &tag).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    let page = stage.get("maker-admin", at).await;
    assert!(page.html.contains("withdrawn") && page.html.contains("an error"), "{}", page.html);
    is_sound(&page, at);
}

#[tokio::test]
async fn a_maker_says_which_file_certificates_name() {
    let stage = Stage::new().await;
    let service = &stage.world.service;
    let (at, set, end) = (
        "/products/maker/gate/mud",
        "/products/maker/gate/mud/url",
        "/products/maker/gate/mud/url/end",
    );
    let gate = device::ProductId::new("gate").unwrap();
    let line = (&stage.maker.id, &gate);
    for language in Language::ALL.iter().copied() {
        let page = stage.get_in("maker-admin", language, set).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        is_sound(&page, set);
        assert!(!page.html.contains(">mud-"), "{}", page.html);
    }
    assert_eq!(stage.get("maker-admin", end).await.status, StatusCode::NOT_FOUND);
    let fields = |url: &str, signer: &str| {
        serde_html_form::to_string([("url", url), ("signer", signer)]).unwrap()
    };
    let root = service::ceremony::RootSpec {
        common_name: "Files of Maker".into(),
        organisation: "Maker".into(),
        algorithm: crypto::KeyAlgorithm::EcdsaP256,
        years: 0,
    };
    let root = service::ceremony::Root::create(&root, crypto::UnixTime(crate::world::NOW)).unwrap();
    let pem = root.certificate().to_pem();
    let good = fields(" https://maker.example/gate.json ", &pem);
    for (who, status) in [
        ("maker-reader", StatusCode::FORBIDDEN),
        ("owner-admin", StatusCode::FORBIDDEN),
        ("stranger", StatusCode::FORBIDDEN),
    ] {
        for path in [set, end] {
            assert_eq!(stage.get(who, path).await.status, status, "{who} {path}");
            assert_eq!(stage.post(who, path, &good).await.status, status, "{who} {path}");
        }
    }
    let both = fields("https://maker.example/gate.json", &pem) + "&nobody=yes";
    for (wrong, told, place) in [
        (fields("http://maker.example/gate.json", ""), "does not begin with https:", "url"),
        (fields("", ""), "last for", "url"),
        (fields("https://maker.example/gate.json", "no PEM"), "certificate of the file", "signer"),
        (both, "", "signer"),
    ] {
        let page = stage.post("maker-admin", set, &wrong).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {}", page.html);
        assert!(page.html.contains(told) && page.html.contains("Nothing was saved"), "{wrong}");
        let at = format!("id=\"{place}-error\"");
        assert!(page.html.contains(&at), "{wrong}: {}", page.html);
        is_sound(&page, set);
    }
    let caller = &stage.maker.admin;
    assert!(service.mud_reference(caller, line).await.unwrap().is_none());
    let done = stage.post("maker-admin", set, &good).await;
    assert_eq!(
        (done.status, done.header("location")),
        (StatusCode::SEE_OTHER, at),
        "{}",
        done.html
    );
    let stands = service.mud_reference(caller, line).await.unwrap().unwrap();
    assert_eq!(stands.url, "https://maker.example/gate.json");
    assert!(stands.signer.as_ref().unwrap().contains("Files of Maker"));
    for language in Language::ALL.iter().copied() {
        let page = stage.get_in("maker-admin", language, at).await;
        is_sound(&page, at);
        assert!(!page.html.contains(">mud-"), "{}", page.html);
        let told = ["https://maker.example/gate.json", "Files of Maker", set, end];
        assert!(told.iter().all(|it| page.html.contains(it)), "{}", page.html);
        is_sound(&stage.get_in("maker-admin", language, end).await, end);
    }
    let page = stage.get("maker-admin", set).await;
    assert!([&*stands.url, "Files of Maker"].iter().all(|it| page.html.contains(it)));
    // Another place, and whoever is named stays named until somebody says otherwise.
    let other = fields("https://other.example/gate.json", "");
    assert_eq!(stage.post("maker-admin", set, &other).await.status, StatusCode::SEE_OTHER);
    let moved = service.mud_reference(caller, line).await.unwrap().unwrap();
    assert_eq!((&*moved.url, &moved.signer), ("https://other.example/gate.json", &stands.signer));
    let both = format!("{good}&nobody=yes");
    let page = stage.post("maker-admin", set, &both).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.html.contains("id=\"signer-error\""), "{}", page.html);
    is_sound(&page, set);
    let nobody = fields("https://other.example/gate.json", "") + "&nobody=yes";
    assert_eq!(stage.post("maker-admin", set, &nobody).await.status, StatusCode::SEE_OTHER);
    assert_eq!(service.mud_reference(caller, line).await.unwrap().unwrap().signer, None);
    assert_eq!(stage.post("maker-admin", set, &good).await.status, StatusCode::SEE_OTHER);
    let reader = stage.get("maker-reader", at).await;
    assert!(reader.html.contains(&stands.url) && !reader.html.contains(set), "{}", reader.html);
    let ended = stage.post("maker-admin", end, "").await;
    assert_eq!((ended.status, ended.header("location")), (StatusCode::SEE_OTHER, at));
    assert!(service.mud_reference(caller, line).await.unwrap().is_none());
}
