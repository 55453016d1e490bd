//! The door for people: the console's pages within the server's limits.

use crate::{
    ConsoleDoor, StartError,
    admission::inner,
    app::App,
    listener::Tls,
    metrics::Door,
    peer::Peer,
    tls::{ClientTrust, OwnCertificate, PemCertificate, console_config},
};
use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use console::{Origin, Sessions, Setup, Source, refusal};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use service::{CameFrom, Service};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::Instant;

/// What the door runs with.
pub(crate) struct Opened {
    pub(crate) tls: Option<Tls>,
    pub(crate) router: Router,
    /// Certificates to be renewed, where we have them from somewhere.
    pub(crate) own: Option<Arc<OwnCertificate>>,
    pub(crate) pem: Option<Arc<PemCertificate>>,
}

/// The address people type: the one configured, or `http://localhost` with the port that was taken.
///
/// # Errors
/// Where people would come over plain HTTP from elsewhere, or nobody says under which name.
pub(crate) fn origin(door: &ConsoleDoor, taken: SocketAddr) -> Result<Origin, StartError> {
    let local = taken.ip().is_loopback();
    let origin = match &door.url {
        Some(origin) => origin.clone(),
        None if local && door.certificate.is_none() => {
            Origin::parse(&format!("http://localhost:{}", taken.port()))
                .map_err(|error| StartError::Console(error.to_string()))?
        }
        None => {
            return Err(StartError::Console(
                "say under which URL people reach it, such as https://console.example; its host \
                 becomes part of every passkey"
                    .to_owned(),
            ));
        }
    };
    if !origin.is_tls() && (!local || door.certificate.is_some()) {
        return Err(StartError::Console(format!(
            "{origin} is plain HTTP, which is for loopback without a certificate; use https"
        )));
    }
    Ok(origin)
}

/// Makes certificate and pages ready.
pub(crate) async fn open(
    door: &ConsoleDoor,
    origin: Origin,
    app: &App,
    service: &Service,
    sessions: Arc<dyn Sessions>,
) -> Result<Opened, StartError> {
    let mut opened = Opened { tls: None, router: Router::new(), own: None, pem: None };
    if origin.is_tls() {
        // Nobody is asked for a client certificate: people have passkeys.
        let trust = Arc::new(ClientTrust::new(service.clone()));
        let config = match &door.certificate {
            Some(files) => {
                let pem = Arc::new(PemCertificate::load(files).map_err(StartError::Certificate)?);
                opened.pem = Some(pem.clone());
                console_config(pem)?
            }
            None => {
                let names = [origin.host().to_owned()];
                let own = OwnCertificate::load(service, &names)
                    .await
                    .map_err(|error| StartError::Certificate(error.to_string()))?;
                let own = Arc::new(own);
                opened.own = Some(own.clone());
                console_config(own)?
            }
        };
        opened.tls = Some(Tls { config: Arc::new(config), trust });
    }
    let pages = console::router(Setup { service: service.clone(), origin, sessions });
    opened.router = pages.layer(from_fn_with_state(app.clone(), admit));
    Ok(opened)
}

/// Lets a request in or turns it away with a page. Here, and only here, it is found out where the
/// request comes from: limits, audit events and pages all go by that.
async fn admit(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let start = Instant::now();
    let Some(peer) = request.extensions().get::<Arc<Peer>>().cloned() else {
        return refusal(StatusCode::INTERNAL_SERVER_ERROR, None);
    };
    let came = came_from(&app, &peer, request.headers());
    let peer = match came.address == peer.address.ip().to_canonical() {
        true => peer,
        // The other end is a proxy; nobody shows a client certificate at this door.
        false => Arc::new(Peer::new(SocketAddr::new(came.address, 0), None)),
    };
    request.extensions_mut().insert(peer.clone());
    request.extensions_mut().insert(Source(came));
    let response = match inner(&app, Door::Console, &peer, request, next).await {
        Ok(response) => response,
        Err(fault) => {
            let wait = fault.retry_after_s().map(Duration::from_secs);
            refusal(fault.status(), wait)
        }
    };
    app.metrics.answered(Door::Console, response.status(), start.elapsed());
    response
}

fn came_from(app: &App, peer: &Peer, headers: &HeaderMap) -> CameFrom {
    let lines = |name: HeaderName| headers.get_all(name).into_iter().map(HeaderValue::as_bytes);
    let forwarded = HeaderName::from_static("x-forwarded-for");
    let place = HeaderName::from_static("tegata-place");
    app.service.came_from(peer.address.ip(), lines(forwarded), lines(place))
}
