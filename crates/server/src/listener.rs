//! Accepts connections, shakes hands, and lets hyper serve them within the limits.

use crate::{
    app::App,
    idle::Idle,
    limit::{Limits, Permit, Source},
    metrics::{Door, Turned},
    peer::{Peer, Session},
    tls::ClientTrust,
};
use axum::{Router, body::Body};
use http::Request;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

/// One listening door: plain, or TLS.
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) tls: Option<Tls>,
    pub(crate) router: Router,
    pub(crate) app: App,
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
    pub(crate) async fn serve(self, mut stop: watch::Receiver<bool>, grace: Duration) {
        let Self { socket, tls, router, app } = self;
        let mut connections = JoinSet::new();
        let for_connections = stop.clone();
        loop {
            tokio::select! {
                () = told_to_stop(&mut stop) => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                accepted = socket.accept() => match accepted {
                    Ok((stream, address)) => {
                        let peer = Peer::new(address, None);
                        match app.connections.admit(Source::from(address.ip())) {
                            Ok(permit) => {
                                let task = one(
                                    stream, address, permit, tls.clone(),
                                    router.clone(), app.clone(), for_connections.clone(),
                                );
                                connections.spawn(task);
                            }
                            // Closing is the answer: a handshake would cost what we lack.
                            Err(refusal) => {
                                app.turn_away(refusal.into(), &peer, Door::Public, "");
                            }
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "no connection could be accepted");
                        sleep(Duration::from_millis(50)).await;
                    }
                },
            }
        }
        drop(socket);
        let ended = async { while connections.join_next().await.is_some() {} };
        if timeout(grace, ended).await.is_err() {
            connections.abort_all();
        }
    }
}

/// Returns once the server stops, or whoever could say so is gone.
pub(crate) async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn one(
    stream: TcpStream,
    address: SocketAddr,
    permit: Permit,
    tls: Option<Tls>,
    router: Router,
    app: App,
    stop: watch::Receiver<bool>,
) {
    let _permit = permit;
    app.metrics.connected();
    let _ = stream.set_nodelay(true);
    let stream = Idle::new(stream, app.limits.idle_time);
    let Some(tls) = tls else {
        let peer = Arc::new(Peer::new(address, None));
        return http(stream, false, peer, router, &app.limits, stop).await;
    };
    let refuse = |detail: &str| {
        let peer = Peer::new(address, None);
        app.turn_away(Turned::Handshake, &peer, Door::Public, detail);
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
    let peer = Arc::new(Peer::new(address, Some(Session { chain, exporter })));
    http(stream, two, peer, router, &app.limits, stop).await;
}

async fn http<S>(
    stream: S,
    two: bool,
    peer: Arc<Peer>,
    router: Router,
    limits: &Limits,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        let router = router.clone();
        async move { router.oneshot(request.map(Body::new)).await as Result<_, Infallible> }
    });
    let io = TokioIo::new(stream);
    let last_call = limits.header_time + limits.body_time + limits.answer_time;
    let ending = async {
        tokio::select! {
            () = told_to_stop(&mut stop) => {}
            () = sleep(limits.connection_age) => {}
        }
    };
    // Whatever ends a connection is the peer's affair: there is nobody left to tell.
    if two {
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
        let mut connection = pin!(builder.serve_connection(io, service));
        tokio::select! {
            _ = connection.as_mut() => return,
            () = ending => connection.as_mut().graceful_shutdown(),
        }
        let _ = timeout(last_call, connection).await;
    } else {
        let mut builder = http1::Builder::new();
        let header_bytes = usize::try_from(limits.header_bytes_max).unwrap_or(usize::MAX);
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_time)
            .max_header_size(header_bytes)
            .max_headers(limits.header_fields_max)
            .max_buf_size(BUFFER_BYTES_MAX);
        let mut connection = pin!(builder.serve_connection(io, service));
        tokio::select! {
            _ = connection.as_mut() => return,
            () = ending => connection.as_mut().graceful_shutdown(),
        }
        let _ = timeout(last_call, connection).await;
    }
}
