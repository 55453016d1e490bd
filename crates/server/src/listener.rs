//! Accepts connections, shakes hands, and lets hyper serve them within the limits.

use crate::{
    app::App,
    idle::Idle,
    limit::{Limits, Permit, Source},
    metrics::{Door, Turned},
    ocsp,
    peer::{Peer, Session},
    single::Single,
    tls::ClientTrust,
};
use axum::{Router, body::Body, response::Response};
use gateway::told_to_stop;
use http::{HeaderValue, Request, header};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use service::MessageDoor;
use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower::ServiceExt as _;

/// One listening door: plain, or TLS.
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) tls: Option<Tls>,
    pub(crate) router: Router,
    /// whether OCSP is one of its routes, which then is answered without the router
    pub(crate) ocsp: bool,
    /// whether the operator's proxies may stand before it
    pub(crate) proxied: bool,
    pub(crate) app: App,
    /// what is spoken is MQTT, and this answers
    pub(crate) gateway: Option<Messages>,
}

/// How devices' messages are taken at a door.
#[derive(Clone)]
pub(crate) enum Messages {
    /// MQTT alone
    Mqtt(gateway::Gateway),
    /// MQTT over WebSocket
    Websocket(gateway::Gateway, Arc<gateway::Origins>),
}

/// How TLS is spoken.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) config: Arc<rustls::ServerConfig>,
    pub(crate) trust: Arc<ClientTrust>,
}

/// HTTP/2 windows in bytes: a request body fits in a few of them.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// Bytes that hyper gathers of one HTTP/1 connection.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Streams that a peer may reset before anybody looked at them (CVE-2023-44487, "rapid reset").
const RESET_STREAMS_MAX: usize = 20;

impl Listener {
    /// Serves until `stop` says so; then lets open requests end, for `grace` at most.
    pub(crate) async fn serve(self, stop: watch::Receiver<bool>, grace: Duration) {
        let Self { socket, tls, router, ocsp, proxied, app, gateway } = self;
        let mut connections = JoinSet::new();
        let door = Arc::new(Shared { router, ocsp, app, tls, gateway, stop: stop.clone() });
        let mut stopping = stop;
        let mut stopping = pin!(told_to_stop(&mut stopping));
        loop {
            let accepted = tokio::select! {
                biased;
                () = stopping.as_mut() => break,
                Some(_ended) = connections.join_next() => continue,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    let room = &door.app.connections;
                    let admitted = match proxied && door.app.service.is_proxy(address.ip()) {
                        true => room.admit_proxy(),
                        false => room.admit(Source::from(address.ip())),
                    };
                    match admitted {
                        Ok(permit) => {
                            let (door, peer) = (door.clone(), (stream, address));
                            // Each kind by itself: a plain connection is not to be as large as one
                            // that speaks TLS and HTTP/2.
                            if door.gateway.is_some() {
                                connections.spawn(mqtt(door, peer, permit));
                            } else if door.tls.is_some() {
                                connections.spawn(secure(door, peer, permit));
                            } else {
                                connections.spawn(plain(door, peer, permit));
                            }
                        }
                        // Closing is the answer: a handshake would cost what we lack.
                        Err(refusal) => {
                            let peer = Peer::new(address, None);
                            door.app.turn_away(refusal.into(), &peer, Door::Public, "");
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "no connection could be accepted");
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(socket);
        let all_closed = async { while connections.join_next().await.is_some() {} };
        if timeout(grace, all_closed).await.is_err() {
            connections.shutdown().await;
        }
    }
}

/// What the connections of one door share.
struct Shared {
    router: Router,
    ocsp: bool,
    app: App,
    tls: Option<Tls>,
    gateway: Option<Messages>,
    /// requests end, connections close
    stop: watch::Receiver<bool>,
}

async fn plain(door: Arc<Shared>, (stream, address): (TcpStream, SocketAddr), _permit: Permit) {
    door.app.metrics.connected();
    let stream = Idle::new(stream, door.app.limits.idle_time);
    let peer = Arc::new(Peer::new(address, None));
    http1(stream, peer, &door).await;
}

async fn secure(door: Arc<Shared>, (stream, address): (TcpStream, SocketAddr), _permit: Permit) {
    door.app.metrics.connected();
    let stream = Idle::new(stream, door.app.limits.idle_time);
    let Some((stream, two, session)) = handshake(stream, address, &door).await else { return };
    let peer = Arc::new(Peer::new(address, Some(session)));
    if two {
        http2(stream, peer, &door).await;
    } else {
        http1(stream, peer, &door).await;
    }
}

/// A device's messages. Silence is its right, for as long as its keep alive says: no `Idle` here.
async fn mqtt(door: Arc<Shared>, (stream, address): (TcpStream, SocketAddr), _permit: Permit) {
    door.app.metrics.connected();
    let Some((stream, _, session)) = handshake(Single(stream), address, &door).await else {
        return;
    };
    let Some(messages) = &door.gateway else { return };
    let Some(certificate) = session.chain.first() else {
        let peer = Peer::new(address, None);
        let why = "no client certificate was shown";
        door.app.turn_away(Turned::Unauthenticated, &peer, Door::Public, why);
        return;
    };
    let stop = door.stop.clone();
    match messages {
        Messages::Mqtt(gateway) => {
            let from = (MessageDoor::Mqtt, address.ip());
            gateway.mqtt(stream, certificate, from, stop).await;
        }
        // Apart: a connection without WebSocket is not to be as large as one with it.
        Messages::Websocket(gateway, origins) => {
            let from = (&**origins, address.ip());
            let served = gateway.websocket(stream, certificate, from, stop);
            if let Err(why) = Box::pin(served).await {
                let peer = Peer::new(address, None);
                door.app.turn_away(Turned::Handshake, &peer, Door::Public, why);
            }
        }
    }
}

/// The stream, whether HTTP/2 is spoken over it, and the session; `None` where the peer was turned
/// away.
async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    address: SocketAddr,
    door: &Shared,
) -> Option<(TlsStream<S>, bool, Session)> {
    let (app, tls) = (&door.app, door.tls.as_ref()?);
    let refuse = |detail: &str| {
        let peer = Peer::new(address, None);
        app.turn_away(Turned::Handshake, &peer, Door::Public, detail);
        None
    };
    let acceptor = TlsAcceptor::from(tls.config.clone());
    let stream = match timeout(app.limits.handshake_time, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return refuse(&error.to_string()),
        Err(_) => return refuse("the handshake took too long"),
    };
    let connection = stream.get_ref().1;
    let tls13 = connection.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3);
    let resumed = connection.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
    app.metrics.handshake(tls13, resumed);
    let two = connection.alpn_protocol() == Some(b"h2");
    // A resumed session skips the verifier, and trust may have changed since the first handshake.
    let certificates = connection.peer_certificates().unwrap_or_default();
    let chain = match tls.trust.chain(certificates, app.service.now()) {
        Ok(chain) => chain,
        Err(error) => return refuse(&error.to_string()),
    };
    let exporter = tls13
        .then(|| {
            api::tls::channel_binding(|out, label| {
                connection.export_keying_material(out, label, Some(&[])).is_ok()
            })
        })
        .flatten();
    Some((stream, two, Session { chain, exporter }))
}

/// One request, by the shortest way.
async fn answer(
    door: &Shared,
    peer: &Arc<Peer>,
    mut request: Request<Incoming>,
) -> Result<Response, Infallible> {
    if door.ocsp && ocsp::is_direct(&request) {
        return Ok(ocsp::direct(&door.app, peer, request).await);
    }
    request.extensions_mut().insert(peer.clone());
    door.router.clone().oneshot(request.map(Body::new)).await
}

async fn http1<S>(stream: S, peer: Arc<Peer>, door: &Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &door.app.limits;
    // No timer for what can be looked at with each request: without one, its header's time ends a
    // connection.
    let old_at = Instant::now() + limits.connection_age;
    let service = service_fn(|request| {
        let (door, peer) = (door.clone(), peer.clone());
        async move {
            let mut response = answer(&door, &peer, request).await?;
            if Instant::now() >= old_at {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let header_bytes = usize::try_from(limits.header_bytes_max).unwrap_or(usize::MAX);
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_header_size(header_bytes)
        .max_headers(limits.header_fields_max)
        .max_buf_size(BUFFER_BYTES_MAX);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut stop = door.stop.clone();
    // Whatever ends a connection is the peer's affair: there is nobody left to tell.
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = told_to_stop(&mut stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = timeout(last_call(limits), connection).await;
}

async fn http2<S>(stream: S, peer: Arc<Peer>, door: &Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &door.app.limits;
    let service = service_fn(|request| {
        let (door, peer) = (door.clone(), peer.clone());
        async move { answer(&door, &peer, request).await }
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(limits.header_bytes_max)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .max_local_error_reset_streams(RESET_STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .keep_alive_interval(limits.idle_time / 2)
        .keep_alive_timeout(limits.idle_time / 2);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut stop = door.stop.clone();
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = told_to_stop(&mut stop) => {}
        () = sleep(limits.connection_age) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(last_call(limits), connection).await;
}

/// How long requests may still take on a connection that is to close.
fn last_call(limits: &Limits) -> Duration {
    limits.header_time + limits.body_time + limits.answer_time
}
