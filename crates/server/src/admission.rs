//! The pipeline that every request of every door passes: rate, concurrency, time, count.

use crate::{
    app::App,
    body::{discard, discard_rest, lend},
    limit::{Permit, Refusal},
    metrics::{Door, Turned},
    peer::Peer,
    rest::problem::{Fault, render},
};
use api::problem::{Code, language_of};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use device::Language;
use http::{HeaderValue, header};
use http_body::Body as _;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};

/// How long a caller should wait when the server is busy.
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// Lets a request in, or turns it away with 429 or 503; gives every refusal its document.
pub(crate) async fn admit(State(app): State<App>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let door = door_of(request.uri().path());
    let language = language_of(request.headers());
    let Some(peer) = request.extensions().get::<Arc<Peer>>().cloned() else {
        return render(&Fault::new(Code::Internal), language);
    };
    let response = inner(&app, door, &peer, request, next).await;
    let mut response = response.unwrap_or_else(|fault| render(&fault, language));
    leave(&app, door, &peer, start, language, &mut response);
    response
}

/// Counts a request in: by its source's rate, and among those that are worked on.
///
/// # Errors
/// The refusal; it is counted.
pub(crate) fn enter(app: &App, door: Door, peer: &Peer, now: Instant) -> Result<Permit, Fault> {
    if let Err(wait) = app.by_source.take_at(peer.source, now) {
        app.turn_away(Turned::RateSource, peer, door, "");
        return Err(too_many(wait));
    }
    app.requests.admit(peer.source).map_err(|refusal| match refusal {
        Refusal::Full => {
            app.turn_away(Turned::Busy, peer, door, "");
            Fault::new(Code::Unavailable)
                .detail("the server works on as many requests as it may")
                .retry_after(BUSY_WAIT)
        }
        Refusal::SourceFull => {
            app.turn_away(Turned::RateSource, peer, door, "requests at once");
            too_many(BUSY_WAIT).detail("this source has as many open requests as it may have")
        }
    })
}

/// Counts an answer out, and gives it what every answer has.
pub(crate) fn leave(
    app: &App,
    door: Door,
    peer: &Peer,
    start: Instant,
    language: Language,
    response: &mut Response,
) {
    // Doors with forms of their own (EST, OCSP) have rendered their refusals already.
    if let Some(turned) = response.extensions_mut().remove::<Turned>() {
        app.turn_away(turned, peer, door, response.status().as_str());
    }
    if let Some(fault) = response.extensions_mut().remove::<Fault>() {
        count(app, door, peer, &fault);
        *response = render(&fault, language);
    }
    let fields = response.headers_mut();
    fields.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    fields.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    app.metrics.answered(door, response.status(), start.elapsed());
}

pub(crate) async fn inner(
    app: &App,
    door: Door,
    peer: &Arc<Peer>,
    request: Request,
    next: Next,
) -> Result<Response, Fault> {
    let _permit = match enter(app, door, peer, Instant::now()) {
        Ok(permit) => permit,
        Err(fault) => {
            discard(request.into_body()).await;
            return Err(fault);
        }
    };
    let (parts, body) = request.into_parts();
    let (body, rest) = match body.is_end_stream() {
        true => (body, None),
        false => {
            let (body, rest) = lend(body);
            (body, Some(rest))
        }
    };
    let request = Request::from_parts(parts, body);
    let time = app.limits.body_time + app.limits.answer_time;
    let answer = timeout(time, next.run(request)).await;
    if let Some(rest) = rest {
        discard_rest(rest).await;
    }
    answer.map_err(|_| {
        app.turn_away(Turned::Busy, peer, door, "no answer in time");
        Fault::new(Code::Unavailable)
            .detail("no answer could be made in time; a change may still take place")
            .hint("look at the present state before trying again")
            .retry_after(BUSY_WAIT)
    })
}

/// A refusal for too high a rate.
pub(crate) fn too_many(wait: Duration) -> Fault {
    Fault::new(Code::TooManyRequests).hint("wait as Retry-After says").retry_after(wait)
}

fn count(app: &App, door: Door, peer: &Peer, fault: &Fault) {
    let what = match fault.code() {
        Code::Malformed | Code::InvalidParameter | Code::UnsupportedMediaType => Turned::Malformed,
        Code::TooLarge => Turned::TooLarge,
        Code::TooSlow => Turned::Slow,
        Code::Unauthenticated
        | Code::CredentialRevoked
        | Code::CredentialExpired
        | Code::TokenInvalid
        | Code::CodeInvalid => Turned::Unauthenticated,
        Code::Forbidden => Turned::Forbidden,
        _ => return,
    };
    app.turn_away(what, peer, door, fault.code().as_str());
}

fn door_of(path: &str) -> Door {
    let under = |prefix: &str| {
        path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if path.contains("/.well-known/est/") {
        Door::Est
    } else if under("/v1") {
        Door::Rest
    } else if under("/ocsp") {
        Door::Ocsp
    } else {
        Door::Public
    }
}
