//! The door for people: where it opens, over what, and what it turns away.

use crate::world::World;
use api::{Client, Settings, client::Call};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use console::Origin;
use crypto::{KeyAlgorithm, Signer as _, SoftwareKey};
use http::StatusCode;
use pki::Certificate;
use server::{ConsoleCertificate, ConsoleDoor, Limits, Rate, RunningServer, Server, StartError};
use std::net::SocketAddr;

fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

fn door(address: SocketAddr) -> ConsoleDoor {
    ConsoleDoor { address, url: None, certificate: None }
}

async fn start(world: &World, door: ConsoleDoor) -> Result<RunningServer, StartError> {
    start_with(world, door, Limits::default()).await
}

async fn start_with(
    world: &World,
    door: ConsoleDoor,
    limits: Limits,
) -> Result<RunningServer, StartError> {
    let config = server::Config {
        tls: loopback(),
        public: loopback(),
        console: Some(door),
        limits,
        ..server::Config::default()
    };
    Server::start(config, world.service.clone()).await
}

fn plain(server: &RunningServer) -> Client {
    let port = server.console_address().unwrap().port();
    Client::public(&format!("http://localhost:{port}"), Settings::default()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_loopback_it_speaks_plain_http_under_localhost() {
    let world = World::new().await;
    let server = start(&world, door(loopback())).await.unwrap();
    let port = server.console_address().unwrap().port();
    assert_eq!(server.console_origin().unwrap().as_str(), format!("http://localhost:{port}"));
    let answer = plain(&server).send(Call::get("/guide")).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.media_type().as_deref(), Some("text/html"));
    // The interface for programs is not here, and the console is not at the other doors.
    let other = plain(&server).send(Call::get("/v1/health")).await.unwrap();
    assert_eq!(other.status, StatusCode::NOT_FOUND);
    assert_eq!(other.media_type().as_deref(), Some("text/html"));
    let wrong = world.plain().send(Call::get("/guide")).await.unwrap();
    assert_eq!(wrong.status, StatusCode::NOT_FOUND);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_it_asks_for_no_client_certificate() {
    let world = World::new().await;
    let url = Some(Origin::parse("https://localhost").unwrap());
    let server = start(&world, ConsoleDoor { url, ..door(loopback()) }).await.unwrap();
    let at = format!("https://localhost:{}", server.console_address().unwrap().port());
    let roots = [world.root.certificate().clone()];
    let client = Client::new(&at, &roots, None, Settings::default()).unwrap();
    let answer = client.send(Call::get("/p/nothing")).await.unwrap();
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.headers["strict-transport-security"], "max-age=31536000");
    // Another port than the URL's is another host name to a browser.
    let elsewhere = client.send(Call::get("/guide")).await.unwrap();
    assert_eq!(elsewhere.status, StatusCode::MISDIRECTED_REQUEST);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configured_certificate_is_shown_and_must_fit_its_key() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    let (issued, its_key) = issued(&world).await;
    std::fs::write(&chain, issued.iter().map(Certificate::to_pem).collect::<String>()).unwrap();
    std::fs::write(&key, pem(&its_key)).unwrap();
    let url = || Some(Origin::parse("https://localhost").unwrap());
    let files = || Some(ConsoleCertificate { chain: chain.clone(), key: key.clone() });
    let with = || ConsoleDoor { url: url(), certificate: files(), ..door(loopback()) };

    let server = start(&world, with()).await.unwrap();
    let at = format!("https://localhost:{}", server.console_address().unwrap().port());
    let roots = [world.root.certificate().clone()];
    let client = Client::new(&at, &roots, None, Settings::default()).unwrap();
    assert_eq!(client.send(Call::get("/p/nothing")).await.unwrap().status, StatusCode::BAD_REQUEST);
    server.shutdown().await;

    let other = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    assert_ne!(other.public_key(), its_key.public_key());
    std::fs::write(&key, pem(&other)).unwrap();
    let refused = start(&world, with()).await.unwrap_err().to_string();
    assert!(refused.contains("key.pem"), "{refused}");
    std::fs::write(&chain, "nothing").unwrap();
    let refused = start(&world, with()).await.unwrap_err().to_string();
    assert!(refused.contains("holds no certificate in PEM"), "{refused}");
    std::fs::remove_file(&key).unwrap();
    assert!(start(&world, with()).await.is_err());
}

fn pem(key: &SoftwareKey) -> String {
    let body = BASE64_STANDARD.encode(key.to_pkcs8().unwrap().expose());
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
}

/// A certificate for `localhost` by the platform's CA, with its key.
async fn issued(world: &World) -> (Vec<Certificate>, SoftwareKey) {
    let key = crate::world::key();
    let caller = policy::Caller::Platform { task: "test" };
    let names = vec![pki::AlternativeName::Dns("localhost".to_owned())];
    let chain = world
        .service
        .issue_service_certificate(
            &caller,
            &crate::world::id("platform"),
            &crate::world::csr(&key, ""),
            names,
        )
        .await
        .unwrap();
    (chain.into_iter().filter(|certificate| !certificate.is_self_issued()).collect(), key)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_not_open_where_passkeys_or_cookies_would_not_be_safe() {
    let world = World::new().await;
    let everywhere: SocketAddr = ([0, 0, 0, 0], 0).into();
    let origin = |text: &str| Some(Origin::parse(text).unwrap());
    for (door, why) in [
        (door(everywhere), "say under which URL"),
        (ConsoleDoor { url: origin("http://localhost:1"), ..door(everywhere) }, "plain HTTP"),
        (
            ConsoleDoor {
                certificate: Some(ConsoleCertificate { chain: "c".into(), key: "k".into() }),
                ..door(loopback())
            },
            "say under which URL",
        ),
    ] {
        let refused = start(&world, door).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_here_too_and_answer_with_a_page() {
    let world = World::new().await;
    let limits = Limits { rate_per_source: Rate::new(1, 3), ..Limits::default() };
    let server = start_with(&world, door(loopback()), limits).await.unwrap();
    let client = plain(&server);
    let mut last = None;
    for _ in 0..8 {
        last = Some(client.send(Call::get("/guide")).await.unwrap());
    }
    let last = last.unwrap();
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(last.media_type().as_deref(), Some("text/html"));
    assert!(last.headers.contains_key("retry-after"));
    assert!(last.headers["content-security-policy"].to_str().unwrap().contains("'none'"));
    server.shutdown().await;
}
