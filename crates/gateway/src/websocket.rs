//! MQTT over WebSocket (MQTT 5 section 6, RFC 6455): the same sessions, over a stream of bytes whose
//! limits fall where they like in binary messages.
//!
//! The request that opens it is judged before it is answered. A browser shows its user's certificate
//! to whoever's page asks it to connect: a request that names an origin is turned away unless the
//! origin is this door's own, where there are no pages, or one that the operator named (RFC 6455
//! section 10.2).

use admission::{Allowance, Meter, Ticks};
use bytes::{Buf as _, Bytes};
use futures_util::{Sink as _, Stream as _};
use http::{HeaderValue, header};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    time::{Instant, timeout},
};
use tokio_websockets::{Limits, Message, ServerBuilder, WebSocketStream};

/// Most bytes of the request that opens it, and most of its header fields.
const HEAD_BYTES_MAX: usize = 8 * 1024;
const FIELDS_MAX: usize = 48;
/// Bytes written as one message.
const PIECE_BYTES: usize = 16 * 1024;
/// Pings and empty messages a second: each costs an answer or a turn, and carries nothing.
const EMPTY: (u32, u32) = (50, 100);
/// Where it is.
const PATH: &str = "/mqtt";
/// What is spoken (\[MQTT-6.0.0-3\], \[MQTT-6.0.0-4\]).
const PROTOCOL: &str = "mqtt";
/// How long an answer that refuses may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Whose pages may open a WebSocket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    /// host names and addresses of the door itself; its own origin is as good as none
    pub own: Vec<String>,
    /// others, as browsers write them: scheme, host, and port where it is not the scheme's own
    pub others: Vec<String>,
}

impl Origins {
    /// Whether a page of that origin may, where the request was sent to `host`.
    fn allow(&self, origin: &str, host: &str) -> bool {
        let own = |name: &String| {
            let bare = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
            let bare = bare.map_or(host, |(bare, _)| bare);
            bare.trim_matches(['[', ']']).eq_ignore_ascii_case(name)
        };
        let same = origin.strip_prefix("https://").is_some_and(|it| it.eq_ignore_ascii_case(host));
        (same && self.own.iter().any(own)) || self.others.iter().any(|other| other == origin)
    }
}

/// Why no WebSocket was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unopened {
    /// the stream broke off, or its request did not come in time
    Gone(&'static str),
    /// it was answered: HTTP's status, and why in words for the log
    Refused(u16, &'static str),
}

impl Unopened {
    pub(crate) fn why(self) -> &'static str {
        match self {
            Self::Gone(why) | Self::Refused(_, why) => why,
        }
    }
}

/// Opens a WebSocket for MQTT over a stream; `message_bytes` is the most that one message may have.
///
/// # Errors
/// [`Unopened`]; what there was to answer was answered.
pub(crate) async fn open<S>(
    mut stream: S,
    origins: &Origins,
    message_bytes: usize,
    patience: Duration,
) -> Result<Bytewise<S>, Unopened>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let head = timeout(patience, head(&mut stream)).await;
    let judged = match head {
        Err(_) => return Err(Unopened::Gone("the request for a WebSocket took too long")),
        Ok(Err(_)) => return Err(Unopened::Gone("the stream ended before a request")),
        Ok(Ok(None)) => Err(Unopened::Refused(431, "a request without end")),
        Ok(Ok(Some(head))) => judge(&head, origins).map(|()| head),
    };
    let head = match judged {
        Ok(head) => head,
        Err(refused) => {
            if let Unopened::Refused(status, _) = refused {
                let _too_late = timeout(FAREWELL, turn_away(&mut stream, status)).await;
            }
            return Err(refused);
        }
    };
    let builder = ServerBuilder::new()
        .limits(Limits::default().max_payload_len(Some(message_bytes)))
        .add_header(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL))
        .map_err(|_| Unopened::Gone("no answer could be made"))?;
    // The handshake reads the same bytes once more.
    let stream = Again { head: head.into(), stream };
    let opened = async {
        let accepted = builder.accept(stream).await;
        let (_, mut socket) = accepted.map_err(|_| Unopened::Gone("no request for a WebSocket"))?;
        // The answer is written, and may be no further than TLS.
        let sent = socket.get_mut().flush().await;
        sent.map_err(|_| Unopened::Gone("the stream ended before the answer"))?;
        Ok(socket)
    };
    let socket = timeout(patience, opened)
        .await
        .map_err(|_| Unopened::Gone("the answer was not taken in time"))??;
    Ok(Bytewise { socket, unread: Bytes::new(), began: Instant::now(), empty: Meter::default() })
}

/// The bytes up to the empty line, and what came with them; `None` where there are too many.
async fn head<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::with_capacity(1024);
    loop {
        let before = head.len();
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // The end may lie across two pieces.
        let new = head.get(before.saturating_sub(3)..).unwrap_or_default();
        if new.windows(4).any(|end| end == b"\r\n\r\n") {
            return Ok((head.len() <= HEAD_BYTES_MAX).then_some(head));
        }
        if head.len() > HEAD_BYTES_MAX {
            return Ok(None);
        }
    }
}

async fn turn_away<S: AsyncWrite + Unpin>(stream: &mut S, status: u16) -> io::Result<()> {
    let reason = match status {
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        431 => "Request Header Fields Too Large",
        _ => "Bad Request",
    };
    let answer =
        format!("HTTP/1.1 {status} {reason}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// Whether a request is for this door, and by nobody else's page.
fn judge(head: &[u8], origins: &Origins) -> Result<(), Unopened> {
    let refuse = |status, why| Err(Unopened::Refused(status, why));
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) | Err(_) => return refuse(400, "no request of HTTP"),
    }
    if request.method != Some("GET") {
        return refuse(405, "another method than GET");
    }
    let path = request.path.unwrap_or_default();
    if path.split('?').next() != Some(PATH) {
        return refuse(404, "another path than /mqtt");
    }
    let all = |name: &str| {
        let named = |field: &&httparse::Header<'_>| field.name.eq_ignore_ascii_case(name);
        request.headers.iter().filter(named).map(|field| field.value).collect::<Vec<_>>()
    };
    // Whoever reads these next must read the same ones.
    for once in ["host", "upgrade", "origin", "sec-websocket-key", "sec-websocket-version"] {
        if all(once).len() > 1 {
            return refuse(400, "a header field that stands twice");
        }
    }
    if !all("content-length").is_empty() || !all("transfer-encoding").is_empty() {
        return refuse(400, "a request with a body");
    }
    let offered = all("sec-websocket-protocol");
    let mut offered = offered.iter().flat_map(|value| value.split(|byte| *byte == b','));
    if !offered.any(|name| name.trim_ascii() == PROTOCOL.as_bytes()) {
        return refuse(400, "another protocol than mqtt");
    }
    let text = |value: &&[u8]| std::str::from_utf8(value).ok().map(str::to_owned);
    let Some(origin) = all("origin").first().map(text) else { return Ok(()) };
    let host = all("host").first().and_then(text).unwrap_or_default();
    // An origin that is not text names nobody.
    let allowed = origin.is_some_and(|origin| origins.allow(&origin, &host));
    if allowed { Ok(()) } else { refuse(403, "a page of another origin") }
}

/// A stream of which the first bytes were read already.
pub(crate) struct Again<S> {
    head: Bytes,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Again<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.head.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        give(&mut self.head, buffer);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Again<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// As much as there is room for.
fn give(from: &mut Bytes, buffer: &mut ReadBuf<'_>) {
    let count = from.len().min(buffer.remaining());
    buffer.put_slice(from.get(..count).unwrap_or_default());
    from.advance(count);
    if from.is_empty() {
        // Nothing holds what was read once it is read.
        *from = Bytes::new();
    }
}

/// A WebSocket as a stream of bytes. Text ends it (\[MQTT-6.0.0-1\]).
pub(crate) struct Bytewise<S> {
    socket: WebSocketStream<Again<S>>,
    unread: Bytes,
    began: Instant,
    /// frames that carry nothing
    empty: Meter,
}

fn failed(error: tokio_websockets::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl<S> Bytewise<S> {
    /// Counts a frame that carries nothing.
    fn pass_empty(&mut self) -> io::Result<()> {
        let since = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let (per_second, burst) = EMPTY;
        let pass = self.empty.pass(Allowance::new(per_second, burst), Ticks(since));
        pass.then_some(()).ok_or(io::ErrorKind::InvalidData.into())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Bytewise<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.unread.is_empty() {
            // Answers to pings queue up: who does not read them is not read from.
            ready!(Pin::new(&mut self.socket).poll_ready(context)).map_err(failed)?;
            let message = match ready!(Pin::new(&mut self.socket).poll_next(context)) {
                None => return Poll::Ready(Ok(())),
                Some(message) => message.map_err(failed)?,
            };
            if message.is_close() {
                return Poll::Ready(Ok(()));
            }
            if message.is_text() {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            if message.is_binary() {
                self.unread = message.into_payload().into();
            }
            if self.unread.is_empty() {
                self.pass_empty()?;
            }
        }
        give(&mut self.unread, buffer);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Bytewise<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let piece = bytes.get(..bytes.len().min(PIECE_BYTES)).unwrap_or_default();
        ready!(Pin::new(&mut self.socket).poll_ready(context)).map_err(failed)?;
        let message = Message::binary(Bytes::copy_from_slice(piece));
        Pin::new(&mut self.socket).start_send(message).map_err(failed)?;
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context).map_err(failed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(context).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    const SOON: Duration = Duration::from_secs(20);

    fn request(path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
        let mut text = format!("GET {path} HTTP/1.1\r\n");
        for (name, value) in fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.into_bytes()
    }

    fn origins() -> Origins {
        Origins {
            own: vec!["gate.example".into(), "::1".into()],
            others: vec!["https://maps.example".into()],
        }
    }

    #[test]
    fn only_our_own_and_named_pages_and_those_who_are_none_open_it() {
        let ask = |path: &str, fields: &[(&str, &str)]| judge(&request(path, fields), &origins());
        let mqtt = ("sec-websocket-protocol", "mqtt");
        let host = ("host", "gate.example:8884");
        assert_eq!(ask("/mqtt", &[mqtt, host]), Ok(()));
        assert_eq!(ask("/mqtt?x=1", &[("Sec-WebSocket-Protocol", "x, mqtt"), host]), Ok(()));
        for mine in ["https://gate.example:8884", "https://maps.example"] {
            assert_eq!(ask("/mqtt", &[mqtt, host, ("Origin", mine)]), Ok(()), "{mine}");
        }
        let v6 = [mqtt, ("host", "[::1]:8884"), ("origin", "https://[::1]:8884")];
        assert_eq!(ask("/mqtt", &v6), Ok(()));
        let forbidden = Err(Unopened::Refused(403, "a page of another origin"));
        for other in [
            "https://evil.example",
            "http://gate.example:8884",
            "https://gate.example",
            "https://gate.example:8884.evil.example",
            "https://gate.example:8884/",
            "https://maps.example:444",
            "http://maps.example",
            "null",
            "",
            "\u{80}",
        ] {
            assert_eq!(ask("/mqtt", &[mqtt, host, ("origin", other)]), forbidden, "{other:?}");
        }
        // A name that was bent to our address is not ours (DNS rebinding).
        let bent = [mqtt, ("host", "evil.example"), ("origin", "https://evil.example")];
        assert_eq!(ask("/mqtt", &bent), forbidden);
        assert_eq!(ask("/mqtt", &[mqtt, ("origin", "https://")]), forbidden);
    }

    #[test]
    fn requests_that_two_readers_may_read_in_two_ways_are_refused() {
        let mqtt = ("sec-websocket-protocol", "mqtt");
        let host = ("host", "gate.example");
        let status = |head: &[u8]| match judge(head, &origins()) {
            Err(Unopened::Refused(status, _)) => status,
            other => panic!("{other:?}"),
        };
        let own = ("origin", "https://gate.example");
        let evil = ("origin", "https://evil.example");
        for (fields, expected) in [
            (vec![mqtt, host, evil, own], 400),
            (vec![mqtt, host, own, evil], 400),
            (vec![mqtt, host, ("Host", "evil.example")], 400),
            (vec![mqtt, host, ("content-length", "5")], 400),
            (vec![mqtt, host, ("transfer-encoding", "chunked")], 400),
            (vec![host], 400),
            (vec![("sec-websocket-protocol", "mqttv3.1"), host], 400),
            (vec![("sec-websocket-protocol", "MQTT"), host], 400),
        ] {
            assert_eq!(status(&request("/mqtt", &fields)), expected, "{fields:?}");
        }
        assert_eq!(status(&request("/other", &[mqtt, host])), 404);
        assert_eq!(status(b"POST /mqtt HTTP/1.1\r\n\r\n"), 405);
        assert_eq!(status(b"\x10\x0c\0\x04MQTT\r\n\r\n"), 400);
        let many: Vec<_> = (0..FIELDS_MAX).map(|_| ("x", "y")).chain([mqtt]).collect();
        assert_eq!(status(&request("/mqtt", &many)), 400);
    }

    /// What a client gets that sends this and waits.
    async fn answer(sent: Vec<u8>) -> (Result<(), Unopened>, String) {
        let (near, mut far) = duplex(64 * 1024);
        let opening =
            tokio::spawn(async move { open(near, &origins(), 1024, SOON).await.map(drop) });
        far.write_all(&sent).await.unwrap();
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        (opening.await.unwrap(), String::from_utf8_lossy(&got).into_owned())
    }

    const UPGRADE: [(&str, &str); 6] = [
        ("host", "gate.example"),
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "mqtt"),
    ];

    #[tokio::test]
    async fn the_answer_goes_out_by_itself() {
        let (near, mut far) = duplex(64 * 1024);
        // As TLS does where the socket takes nothing at that moment: it keeps what is written until it is flushed.
        let near = tokio::io::BufStream::new(near);
        let opening = tokio::spawn(async move { open(near, &origins(), 1024, SOON).await });
        far.write_all(&request("/mqtt", &UPGRADE)).await.unwrap();
        let opened = opening.await.unwrap().ok().unwrap();
        let mut got = [0; 12];
        tokio::time::timeout(SOON, far.read_exact(&mut got)).await.unwrap().unwrap();
        assert_eq!(&got, b"HTTP/1.1 101");
        drop(opened);
    }

    #[tokio::test]
    async fn it_is_judged_before_it_is_answered() {
        let (opened, text) = answer(request("/mqtt", &UPGRADE)).await;
        assert_eq!(opened, Ok(()));
        // The accept value of RFC 6455 section 1.3.
        assert!(text.starts_with("HTTP/1.1 101 ") && text.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert!(text.to_ascii_lowercase().contains("sec-websocket-protocol: mqtt\r\n"), "{text}");
        let mut evil = UPGRADE.to_vec();
        evil.push(("origin", "https://evil.example"));
        let (opened, text) = answer(request("/mqtt", &evil)).await;
        assert!(matches!(opened, Err(Unopened::Refused(403, _))));
        assert!(text.starts_with("HTTP/1.1 403 ") && !text.contains("101"), "{text}");
        let (opened, text) = answer(vec![b'a'; HEAD_BYTES_MAX + 1]).await;
        assert!(matches!(opened, Err(Unopened::Refused(431, _))) && text.contains(" 431 "));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_trickles_in_is_given_up() {
        let (near, mut far) = duplex(64);
        let opening =
            tokio::spawn(async move { open(near, &origins(), 1024, SOON).await.map(drop) });
        // A byte every second, for ever: the time runs from the beginning.
        let trickle = async {
            loop {
                if far.write_all(b"a").await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        trickle.await;
        assert!(matches!(opening.await.unwrap(), Err(Unopened::Gone(_))));
    }

    /// A frame as a client sends it (RFC 6455 section 5.2), masked with zeroes.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            short @ 0..=125 => bytes.push(0x80 | u8::try_from(short).unwrap()),
            long => {
                bytes.push(0x80 | 126);
                bytes.extend(u16::try_from(long).unwrap().to_be_bytes());
            }
        }
        bytes.extend([0; 4]);
        bytes.extend(payload);
        bytes
    }

    /// What is read of a WebSocket to which a client sends these bytes.
    async fn read(sent: Vec<u8>) -> io::Result<Vec<u8>> {
        let (near, mut far) = duplex(1 << 20);
        far.write_all(&[request("/mqtt", &UPGRADE), sent].concat()).await?;
        far.shutdown().await?;
        let mut socket =
            open(near, &origins(), 1024, SOON).await.map_err(|why| io::Error::other(why.why()))?;
        let mut got = Vec::new();
        // In small pieces: a message is not a read.
        let mut piece = [0; 7];
        loop {
            match socket.read(&mut piece).await? {
                0 => return Ok(got),
                count => got.extend_from_slice(&piece[..count]),
            }
        }
    }

    #[tokio::test]
    async fn binary_messages_are_one_stream_of_bytes_however_they_are_cut() {
        let parts = [
            frame(0x82, b"abc"),
            frame(0x02, b"de"),
            frame(0x89, b"are you there"),
            frame(0x00, b""),
            frame(0x80, b"f"),
            frame(0x82, b""),
            frame(0x82, &[b'g'; 1024]),
            frame(0x88, b""),
            frame(0x82, b"after the end"),
        ];
        let got = read(parts.concat()).await.unwrap();
        assert_eq!(got, [b"abcdef".to_vec(), vec![b'g'; 1024]].concat());
    }

    #[tokio::test]
    async fn text_and_messages_that_are_too_long_or_malformed_end_it() {
        let long = [frame(0x02, &[1; 1000]), frame(0x80, &[1; 25])].concat();
        for (name, sent) in [
            ("text", frame(0x81, b"abc")),
            ("fragmented text", [frame(0x01, b"abc"), frame(0x80, b"d")].concat()),
            ("one frame too long", frame(0x82, &[1; 1025])),
            ("fragments too long together", long),
            ("a reserved opcode", frame(0x83, b"")),
            ("a reserved bit", frame(0xc2, b"abc")),
            ("a continuation of nothing", frame(0x80, b"abc")),
            ("unmasked", vec![0x82, 1, b'a']),
            ("a fragmented ping", frame(0x09, b"")),
            ("a storm of pings", frame(0x89, b"").repeat(EMPTY.1 as usize + 10)),
            ("a storm of nothing", frame(0x82, b"").repeat(EMPTY.1 as usize + 10)),
        ] {
            assert!(read(sent).await.is_err(), "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_pings_and_does_not_read_is_not_read_from() {
        let (near, mut far) = duplex(256);
        let opening =
            tokio::spawn(async move { open(near, &origins(), 1024, SOON).await.ok().unwrap() });
        far.write_all(&request("/mqtt", &UPGRADE)).await.unwrap();
        let mut socket = opening.await.unwrap();
        let reading = tokio::spawn(async move {
            let _ended = socket.read(&mut [0; 16]).await;
        });
        let ping = frame(0x89, &[7; 125]);
        let mut sent = 0;
        while let Ok(Ok(())) = timeout(SOON, far.write_all(&ping)).await {
            sent += 1;
            // Slowly: it is not their number that stops it.
            tokio::time::sleep(Duration::from_millis(100)).await;
            // As many as 8 KiB of answers, and what the pipe and a buffer hold.
            assert!(sent < 150, "it went on reading");
        }
        reading.abort();
    }
}
