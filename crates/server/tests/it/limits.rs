//! Slow, oversized and too many: cut off, counted, and told so.

use crate::world::{World, limits, problem};
use api::{Settings, client::Call};
use http::{Method, StatusCode, header};
use server::{Limits, Rate};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

/// Reads until the server closes; what came, and after how long.
async fn until_closed(mut stream: TcpStream) -> (String, Duration) {
    let start = Instant::now();
    let mut all = Vec::new();
    let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut all)).await;
    assert!(read.is_ok(), "the server does not close");
    (String::from_utf8_lossy(&all).into_owned(), start.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_cut_off() {
    // Short against the ordinary limits (10 s and 20 s), which is what the times below tell apart:
    // a machine under load delays both sides by seconds.
    let limits = Limits {
        handshake_time: Duration::from_secs(1),
        header_time: Duration::from_secs(1),
        body_time: Duration::from_secs(1),
        ..limits()
    };
    let late = Duration::from_secs(9);
    let world = World::with(limits).await;
    // A handshake that does not begin.
    let stream = TcpStream::connect(world.tls).await.unwrap();
    let (_, time) = until_closed(stream).await;
    assert!(time < late, "{time:?}");

    // A header that comes byte by byte.
    let mut stream = TcpStream::connect(world.public).await.unwrap();
    let start = Instant::now();
    let mut closed = false;
    for byte in b"GET /log/checkpoint HTTP/1.1\r\nHost: x\r\nX-Slow: ".iter().cycle() {
        if stream.write_all(&[*byte]).await.is_err() || start.elapsed() > late {
            closed = start.elapsed() < late;
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(closed, "a slow header is borne for ever");

    // A header that does not begin, on a new connection and on one that was of use.
    let stream = TcpStream::connect(world.public).await.unwrap();
    let (text, time) = until_closed(stream).await;
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 408"), "{text}");
    assert!(time < Duration::from_secs(2), "{time:?}");
    let mut stream = TcpStream::connect(world.public).await.unwrap();
    stream.write_all(b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let (text, time) = until_closed(stream).await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(time < Duration::from_secs(3), "{time:?}");

    // A body that does not come.
    let mut stream = TcpStream::connect(world.public).await.unwrap();
    let head = "POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Type: application/ocsp-request\r\n\
                Content-Length: 100\r\n\r\n0";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (text, time) = until_closed(stream).await;
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    assert!(time < late, "{time:?}");

    // The limits hold for the test's own handshake too.
    let rest = world.rest(&world.platform);
    let mut metrics = rest.metrics().await;
    for _ in 0..20 {
        if metrics.is_ok() {
            break;
        }
        metrics = rest.metrics().await;
    }
    let text = metrics.unwrap();
    for reason in ["tls_handshake", "slow"] {
        let line = format!("tegata_turned_away_total{{reason=\"{reason}\"}} ");
        let count: u64 =
            text.lines().find_map(|l| l.strip_prefix(line.as_str())).unwrap().parse().unwrap();
        assert!(count >= 1, "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oversized_requests_are_refused() {
    let world = World::new().await;
    let client = world.client(Some(&world.platform.identity));
    let call = Call::post("/v1/organisations", "application/json", vec![b' '; 20_000]);
    let answer = client.send(call).await.unwrap();
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(problem(&answer)["code"], "body-too-large");
    let call = Call::post("/v1/events", "application/cose", vec![0; 200_000]);
    assert_eq!(client.send(call).await.unwrap().status, StatusCode::PAYLOAD_TOO_LARGE);
    let call = Call::post("/ocsp", "application/ocsp-request", vec![0x30; 20_000]);
    assert_eq!(world.plain().send(call).await.unwrap().status, StatusCode::PAYLOAD_TOO_LARGE);
    // Chunked, so that no length is declared.
    let mut stream = TcpStream::connect(world.public).await.unwrap();
    stream
        .write_all(
            b"POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Type: application/ocsp-request\r\n\
              Transfer-Encoding: chunked\r\n\r\n",
        )
        .await
        .unwrap();
    for _ in 0..20 {
        let chunk = format!("400\r\n{}\r\n", "0".repeat(0x400));
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            break;
        }
    }
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 413");

    for header in [
        format!("X: {}\r\n", "a".repeat(20_000)),
        "X: a\r\n".repeat(100),
        format!("Cookie: {}\r\n", "b".repeat(17_000)),
    ] {
        let mut stream = TcpStream::connect(world.public).await.unwrap();
        let head = format!("GET /log/checkpoint HTTP/1.1\r\nHost: x\r\n{header}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let (text, _) = until_closed(stream).await;
        assert!(text.starts_with("HTTP/1.1 431"), "{}", text.lines().next().unwrap_or_default());
    }
    let long = Call::get(format!("/log/tile/{}", "1".repeat(15_000)));
    assert_eq!(world.plain().send(long).await.unwrap().status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_are_kept_per_source_and_per_credential() {
    // So slow that nothing comes back while the test runs, however slow the machine is.
    let limits = Limits { rate_per_credential: Rate::one_in(600, 5), ..limits() };
    let world = World::with(limits).await;
    let maker = world.maker("maker", "gate").await;
    let client = world.client(Some(&maker.admin.identity));
    let mut passed = 0;
    let refused = loop {
        let answer = client.send(Call::get("/v1/whoami")).await.unwrap();
        if answer.status != StatusCode::OK {
            break answer;
        }
        passed += 1;
        assert!(passed < 50, "no limit");
    };
    assert_eq!(passed, 5);
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(problem(&refused)["code"], "too-many-requests");
    let wait: u64 = refused.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=600).contains(&wait));
    // Others are not held up.
    let other = world.client(Some(&maker.reader.identity));
    assert_eq!(other.send(Call::get("/v1/whoami")).await.unwrap().status, StatusCode::OK);

    let limits = Limits { rate_per_source: Rate::one_in(600, 5), ..crate::world::limits() };
    let world = World::with(limits).await;
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(world.plain().send(Call::get("/v1/health")).await.unwrap().status);
    }
    assert!(statuses.contains(&StatusCode::TOO_MANY_REQUESTS), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_counted_per_source() {
    let limits = Limits { connections_per_source_max: 4, ..limits() };
    let world = World::with(limits).await;
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(TcpStream::connect(world.public).await.unwrap());
    }
    // Connections are accepted in their order; one that is borne would be cut off after the
    // header's time, which is 10 s.
    let (text, time) = until_closed(TcpStream::connect(world.public).await.unwrap()).await;
    assert_eq!(text, "");
    assert!(time < Duration::from_secs(9), "{time:?}");
    open.clear();
    // The server hears of their end when it hears of it.
    let begun = Instant::now();
    let answer = loop {
        match world.plain().send(Call::get("/v1/health")).await {
            Ok(answer) => break answer,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(30), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_cannot_be_guessed_fast() {
    let limits = Limits { rate_failed_authentication: Rate::one_in(600, 3), ..limits() };
    let world = World::with(limits).await;
    let client = world.client_with(None, Settings::default());
    let guess = |code: &str| {
        use base64::{Engine as _, prelude::BASE64_STANDARD};
        let user = "00112233445566778899aabbccddeeff";
        let basic = BASE64_STANDARD.encode(format!("{user}:{code}"));
        Call::new(Method::POST, "/.well-known/est/simpleenroll")
            .body("application/pkcs10", "MAA=")
            .header(header::AUTHORIZATION, format!("Basic {basic}").parse().unwrap())
    };
    let mut statuses = Vec::new();
    for at in 0..6 {
        let code = format!("{at}AAAA-AAAAA-AAAAA-AAAAA-AAAAA");
        statuses.push(client.send(guess(&code)).await.unwrap().status.as_u16());
    }
    assert_eq!(statuses[..3], [401, 401, 401], "{statuses:?}");
    assert_eq!(statuses[3..], [429, 429, 429], "{statuses:?}");
}

/// Whoever is still sending is told so nevertheless: an answer before the end of a request is a
/// broken stream to some clients (curl 7.88 over HTTP/2).
#[tokio::test(flavor = "multi_thread")]
async fn refusals_reach_clients_that_are_still_sending() {
    let big = || vec![b' '; 300_000];
    for http2 in [false, true] {
        let limits = Limits { rate_per_credential: Rate::new(1, 8), ..limits() };
        let world = World::with(limits).await;
        let settings = Settings { http2, ..Settings::default() };
        let client = world.client_with(Some(&world.platform.identity), settings.clone());
        let stranger = world.client_with(None, settings);
        for (client, path, expected) in [
            (&client, "/v1/organisations/0/members", 400),
            (&client, "/v1/nowhere", 404),
            (&client, "/v1/devices/x/suspend", 400),
            (&client, "/v1/organisations", 413),
            (&stranger, "/v1/organisations", 401),
            (&stranger, "/v1/health", 405),
        ] {
            let call = Call::post(path, "application/json", big());
            let answer = client.send(call).await.unwrap();
            assert_eq!(answer.status.as_u16(), expected, "{path}, HTTP/2: {http2}");
            problem(&answer);
        }
        // Also where a rate has run out.
        let mut refused = 0;
        for _ in 0..12 {
            let call = Call::post("/v1/organisations", "application/json", big());
            let answer = client.send(call).await.unwrap();
            refused += u32::from(answer.status == StatusCode::TOO_MANY_REQUESTS);
        }
        assert!(refused > 0, "no limit");
    }

    let limits = Limits { rate_per_source: Rate::new(1, 2), ..limits() };
    let world = World::with(limits).await;
    for http2 in [false, true] {
        let settings = Settings { http2, ..Settings::default() };
        let client = world.client_with(Some(&world.platform.identity), settings);
        let mut refused = 0;
        for path in ["/v1/organisations", "/ocsp", "/v1/nowhere", "/ocsp", "/v1/events"] {
            let call = Call::post(path, "application/ocsp-request", big());
            let answer = client.send(call).await.unwrap();
            refused += u32::from(answer.status == StatusCode::TOO_MANY_REQUESTS);
        }
        assert!(refused > 1, "no limit");
    }
}

/// The shortest way to an OCSP answer has the limits of every other.
#[tokio::test(flavor = "multi_thread")]
async fn ocsp_has_the_limits_of_every_door() {
    let post = || Call::post("/ocsp", "application/ocsp-request", vec![0x30; 10]);
    let get = || Call::get("/ocsp/MAA=");
    let limits = Limits { rate_per_source: Rate::new(1, 5), ..limits() };
    let world = World::with(limits).await;
    let mut statuses = Vec::new();
    for turn in 0..12 {
        let call = if turn % 2 == 0 { post() } else { get() };
        statuses.push(world.plain().send(call).await.unwrap().status.as_u16());
    }
    assert_eq!(statuses[..3], [200, 200, 200], "{statuses:?}");
    assert!(statuses[3..].contains(&429), "{statuses:?}");

    // Requests that are being worked on count, wherever they came in.
    let limits = Limits {
        requests_per_source_max: 2,
        body_time: Duration::from_secs(3),
        ..crate::world::limits()
    };
    let world = World::with(limits).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(world.public).await.unwrap();
        let head = "POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Type: application/ocsp-request\r\n\
                    Content-Length: 100\r\n\r\n0";
        stream.write_all(head.as_bytes()).await.unwrap();
        open.push(stream);
    }
    let start = Instant::now();
    let refused = loop {
        let answer = world.plain().send(post()).await.unwrap();
        if answer.status != StatusCode::OK || start.elapsed() > Duration::from_secs(2) {
            break answer.status;
        }
    };
    assert_eq!(refused, StatusCode::TOO_MANY_REQUESTS);
    for stream in open {
        let (text, _) = until_closed(stream).await;
        assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    }
    let answer = world.plain().send(post()).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    for field in ["cache-control", "x-content-type-options"] {
        assert!(answer.headers.contains_key(field), "{field}");
    }

    let text = world.rest(&world.platform).metrics().await.unwrap();
    let count = |line: &str| -> u64 {
        text.lines().find_map(|l| l.strip_prefix(line)).unwrap().trim().parse().unwrap()
    };
    assert!(count("tegata_requests_total{door=\"ocsp\",status=\"2xx\"}") >= 1);
    assert!(count("tegata_requests_total{door=\"ocsp\",status=\"4xx\"}") >= 3);
    assert!(count("tegata_turned_away_total{reason=\"slow\"}") >= 2);
}

/// A connection that is older than it may be is closed with its next answer; a server that stops
/// waits for nobody beyond its grace.
#[tokio::test(flavor = "multi_thread")]
async fn connections_end() {
    let limits = Limits { connection_age: Duration::from_millis(300), ..limits() };
    let mut world = World::with(limits).await;
    let ask = b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut stream = TcpStream::connect(world.public).await.unwrap();
    stream.write_all(ask).await.unwrap();
    let mut some = [0; 4096];
    let read = stream.read(&mut some).await.unwrap();
    let first = String::from_utf8_lossy(&some[..read]).to_ascii_lowercase();
    assert!(first.starts_with("http/1.1 200") && !first.contains("connection: close"), "{first}");
    tokio::time::sleep(Duration::from_millis(400)).await;
    stream.write_all(ask).await.unwrap();
    let (text, _) = until_closed(stream).await;
    assert!(text.to_ascii_lowercase().contains("connection: close"), "{text}");

    // One that says nothing, one in the middle of a request.
    let mute = TcpStream::connect(world.tls).await.unwrap();
    let mut busy = TcpStream::connect(world.public).await.unwrap();
    let head = "POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Type: application/ocsp-request\r\n\
                Content-Length: 100\r\n\r\n0";
    busy.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let start = Instant::now();
    world.running.take().unwrap().shutdown().await;
    let took = start.elapsed();
    assert!(took < server::Config::default().grace + Duration::from_secs(3), "{took:?}");
    for stream in [mute, busy] {
        until_closed(stream).await;
    }
}
