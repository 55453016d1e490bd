use super::state::State;
use crate::{
    body::{self, BodyError},
    idle::Idle,
    limit::{Counted, Limits, Source},
};
use axum::body::Body;
use crypto::{Signer, UnixTime};
use gateway::told_to_stop;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use ledger::{
    LedgerError, LogKey,
    witness::{ADD_CHECKPOINT_BYTES_MAX, Refusal, Witness},
};
use service::Clock;
use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    path::PathBuf,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

type Answer = Response<Full<bytes::Bytes>>;

/// An independent witness.
pub struct WitnessConfig {
    /// Where it listens, over plain HTTP: what comes and goes is signed. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Its name, as in its verifier key.
    pub name: String,
    /// Its Ed25519 key.
    pub signer: Arc<dyn Signer>,
    /// Verifier keys of the logs it knows.
    pub logs: Vec<LogKey>,
    /// File of its state. Its folder exists.
    pub state: PathBuf,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
    /// Limits.
    pub limits: Limits,
}

/// Why a witness does not start.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// Name or key cannot be a witness's.
    #[error(transparent)]
    Key(#[from] LedgerError),
    /// The state cannot be read.
    #[error("the witness's state cannot be read: {0}")]
    State(io::Error),
    /// The address cannot be listened at.
    #[error("cannot listen: {0}; stop what listens there or choose another port")]
    Listen(io::Error),
}

/// A witness that runs. Dropping it stops it without waiting.
pub struct WitnessServer {
    address: SocketAddr,
    key: String,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

struct Shared {
    witness: Witness,
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
    limits: Limits,
}

impl WitnessServer {
    /// Listens and serves in the background.
    ///
    /// # Errors
    /// [`WitnessError`].
    pub async fn start(config: WitnessConfig) -> Result<Self, WitnessError> {
        let witness = Witness::new(&config.name, config.signer, config.logs)?;
        let key = witness.key().to_string();
        let state = State::open(&config.state).map_err(WitnessError::State)?;
        let socket = TcpListener::bind(config.listen).await.map_err(WitnessError::Listen)?;
        let address = socket.local_addr().map_err(WitnessError::Listen)?;
        let shared = Arc::new(Shared {
            witness,
            state: Mutex::new(state),
            clock: config.clock,
            limits: config.limits,
        });
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(serve(socket, shared, stopped));
        Ok(Self { address, key, stop, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its verifier key (C2SP signed-note).
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Stops it and waits for open requests.
    pub async fn shutdown(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

async fn serve(socket: TcpListener, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let limits = &shared.limits;
    let open = Counted::new(limits.connections_max, limits.connections_per_source_max);
    let mut connections = JoinSet::new();
    let for_connections = stop.clone();
    loop {
        tokio::select! {
            () = told_to_stop(&mut stop) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = socket.accept() => {
                let Ok((stream, peer)) = accepted else {
                    sleep(std::time::Duration::from_millis(50)).await;
                    continue;
                };
                let Ok(permit) = open.admit(Source::from(peer.ip())) else { continue };
                let (shared, mut stop) = (shared.clone(), for_connections.clone());
                connections.spawn(async move {
                    let _permit = permit;
                    let stream = TokioIo::new(Idle::new(stream, shared.limits.idle_time));
                    let header_time = shared.limits.header_time;
                    let age = shared.limits.connection_age;
                    let service = service_fn(move |request| {
                        let shared = shared.clone();
                        async move { Ok::<_, Infallible>(answer(shared, request).await) }
                    });
                    let mut builder = http1::Builder::new();
                    builder.timer(TokioTimer::new()).header_read_timeout(header_time);
                    builder.max_buf_size(16 * 1024);
                    let mut connection = pin!(builder.serve_connection(stream, service));
                    tokio::select! {
                        _ = connection.as_mut() => return,
                        () = told_to_stop(&mut stop) => {}
                        () = sleep(age) => {}
                    }
                    connection.as_mut().graceful_shutdown();
                    let _ = timeout(header_time, connection).await;
                });
            }
        }
    }
    while connections.join_next().await.is_some() {}
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Answer {
    let path = request.uri().path();
    if path != "/add-checkpoint" {
        return plain(StatusCode::NOT_FOUND, "there is /add-checkpoint only\n");
    }
    if request.method() != Method::POST {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "send a POST\n");
    }
    let body = Body::new(request.into_body());
    let body = match body::read(body, ADD_CHECKPOINT_BYTES_MAX, shared.limits.body_time).await {
        Ok(body) => body,
        Err(BodyError::TooLarge(_)) => {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large\n");
        }
        Err(_) => return plain(StatusCode::BAD_REQUEST, "the body did not arrive whole\n"),
    };
    let now = shared.clock.now();
    // Signing and the disk: not on a thread that others wait for.
    let decided = tokio::task::spawn_blocking(move || decide(&shared, &body, now)).await;
    match decided {
        Ok(Ok(cosignature)) => plain(StatusCode::OK, cosignature),
        Ok(Err(refusal)) => {
            let status =
                StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            with_type(status, refusal.content_type(), refusal.body())
        }
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the witness failed\n"),
    }
}

/// One at a time: between looking up the newest tree head and storing the next nothing else may be
/// cosigned.
fn decide(shared: &Shared, body: &[u8], now: UnixTime) -> Result<String, Refusal> {
    let request = shared.witness.receive(body)?;
    let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
    let checkpoint = request.checkpoint().bytes().to_vec();
    let latest = state.latest(request.origin()).cloned();
    let accepted = match request.decide(latest.as_ref(), now) {
        Ok(accepted) => accepted,
        Err(refusal) => {
            if refusal.is_evidence() {
                tracing::error!(%refusal, "a log contradicts itself");
                if let Err(error) = state.keep_evidence(&checkpoint) {
                    tracing::error!(%error, "the evidence could not be kept");
                }
            }
            return Err(refusal);
        }
    };
    // INVARIANT: the state is durable before the cosignature leaves.
    state
        .store(accepted.latest().clone())
        .map_err(|error| Refusal::Internal(format!("the state could not be stored: {error}")))?;
    Ok(accepted.persisted().line().to_owned())
}

fn plain(status: StatusCode, text: impl Into<String>) -> Answer {
    with_type(status, "text/plain; charset=utf-8", text.into())
}

fn with_type(status: StatusCode, kind: &'static str, text: String) -> Answer {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
