//! The door for people behind the operator's proxy: each visitor stays a source of its own.

use crate::world::World;
use api::{
    Client, Settings,
    client::{Answer, Call},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use server::{ConsoleDoor, Limits, Rate, RunningServer, Server};
use service::AuditQuery;

const GOOD: &str = "198.51.100.7";
const BAD: &str = "203.0.113.9";

/// A console that the test reaches as if it were the proxy, or as anybody.
struct Door {
    world: World,
    server: RunningServer,
    client: Client,
}

impl Door {
    async fn new(proxies: &[&str], limits: Limits) -> Self {
        let proxies = proxies.iter().map(|network| network.parse().unwrap()).collect();
        let world = World::behind(Limits::default(), proxies).await;
        let console =
            ConsoleDoor { address: ([127, 0, 0, 1], 0).into(), url: None, certificate: None };
        let config = server::Config {
            tls: ([127, 0, 0, 1], 0).into(),
            public: ([127, 0, 0, 1], 0).into(),
            console: Some(console),
            limits,
            ..server::Config::default()
        };
        let server = Server::start(config, world.service.clone()).await.unwrap();
        let origin = server.console_origin().unwrap().to_string();
        world.service.open_console(&origin).unwrap();
        let client = Client::public(&origin, Settings::default()).unwrap();
        Self { world, server, client }
    }

    async fn send(&self, mut call: Call, forwarded: &[&str]) -> Answer {
        for line in forwarded {
            let name = HeaderName::from_static("x-forwarded-for");
            call = call.header(name, HeaderValue::from_str(line).unwrap());
        }
        self.client.send(call).await.unwrap()
    }

    async fn guide(&self, forwarded: &[&str]) -> StatusCode {
        self.send(Call::get("/guide"), forwarded).await.status
    }

    async fn form(&self, path: &str, body: &'static str, forwarded: &[&str]) -> StatusCode {
        let origin = self.server.console_origin().unwrap().to_string();
        let call = Call::post(path, "application/x-www-form-urlencoded", body)
            .header(header::ORIGIN, HeaderValue::from_str(&origin).unwrap());
        self.send(call, forwarded).await.status
    }
}

/// So seldom that none comes back while the test runs.
fn three() -> Limits {
    Limits { rate_per_source: Rate::one_in(86_400, 3), ..Limits::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_visitor_does_not_use_up_what_is_the_others() {
    let door = Door::new(&["127.0.0.1"], three()).await;
    for n in 0..3 {
        // What the visitor writes itself changes nothing: in a line of its own or in the proxy's.
        let forged = format!("192.0.2.{n}");
        let lines = [[forged.as_str(), BAD].join(", "), BAD.to_owned()];
        let status = match n {
            0 => door.guide(&[&forged, BAD]).await,
            1 => door.guide(&[&lines[0]]).await,
            _ => door.guide(&[&lines[1]]).await,
        };
        assert_eq!(status, StatusCode::OK);
    }
    assert_eq!(door.guide(&["192.0.2.99", BAD]).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(door.guide(&[GOOD]).await, StatusCode::OK);
    // The proxy without the header is a source as well.
    assert_eq!(door.guide(&[]).await, StatusCode::OK);
    door.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_who_fails_to_sign_in_locks_nobody_else_out() {
    let door = Door::new(&["127.0.0.1"], Limits::default()).await;
    let mut last = StatusCode::OK;
    for n in 0..60 {
        let forged = format!("192.0.{n}.1");
        let wrong = "ceremony=00&response=%7B%7D";
        door.form("/sign-in/finish", wrong, &[&forged, BAD]).await;
        last = door.form("/sign-in/begin", "to=/", &[&forged, BAD]).await;
        if last == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(door.form("/sign-in/begin", "to=/", &[GOOD]).await, StatusCode::OK);
    // The log says who it was, and not that it was the proxy.
    let sources = sources(&door.world).await;
    assert!(sources.contains(&BAD.to_owned()), "{sources:?}");
    assert!(sources.iter().all(|source| source == BAD), "{sources:?}");
    door.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_believed() {
    let door = Door::new(&["192.0.2.1"], three()).await;
    for n in 0..3 {
        assert_eq!(door.guide(&[&format!("203.0.113.{n}")]).await, StatusCode::OK);
    }
    assert_eq!(door.guide(&["203.0.113.77"]).await, StatusCode::TOO_MANY_REQUESTS);
    door.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_may_hold_more_connections_than_one_visitor() {
    for (proxies, expected) in [(&["127.0.0.1"][..], 8), (&[], 2)] {
        // None is closed while the test runs, however long that takes.
        let hour = std::time::Duration::from_secs(3600);
        let limits = Limits {
            connections_per_source_max: 2,
            connections_max: 16,
            header_time: hour,
            idle_time: hour,
            ..Limits::default()
        };
        let door = Door::new(proxies, limits).await;
        let address = door.server.console_address().unwrap();
        let mut held = Vec::new();
        for _ in 0..10 {
            held.push(open(address).await);
        }
        assert_eq!(held.iter().flatten().count(), expected, "{proxies:?}");
        drop(held);
        door.server.shutdown().await;
    }
}

/// A connection that was answered on, or nothing where it was closed at once.
async fn open(address: std::net::SocketAddr) -> Option<tokio::net::TcpStream> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let ask = format!("GET /assets/none HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", address.port());
    stream.write_all(ask.as_bytes()).await.ok()?;
    let mut first = [0; 1];
    match stream.read(&mut first).await {
        Ok(1) => Some(stream),
        _ => None,
    }
}

/// Sources of what the door for people recorded about those who failed.
async fn sources(world: &World) -> Vec<String> {
    let local = world.service.local_administrator();
    let page = service::Page { after: None, limit: 100 };
    // Recorded behind the answer: whatever is committed after them brings them with it.
    for _ in 0..600 {
        let found = world.service.audit_trail(&local, &AuditQuery::default(), &page).await;
        let events = found.unwrap().items;
        let limited = events.iter().any(|view| view.event.kind() == audit::Kind::RateLimit);
        if limited {
            let failed = events
                .iter()
                .filter(|view| view.event.door_of() == audit::Door::Console)
                .filter_map(|view| view.event.source_of());
            return failed.map(|source| source.to_string()).collect();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("nothing was recorded");
}
