//! OCSP over HTTP (RFC 6960 appendix A, RFC 5019 sections 5 and 6).
//!
//! `POST /ocsp` with `application/ocsp-request`, and `GET /ocsp/{base64 of the request}`. Answers
//! without a nonce carry the caching headers of RFC 5019, so that caches take most of the load.

mod problem;

use crate::{
    admission::{enter, leave},
    app::App,
    body::{self, BodyError},
    limit::body::OCSP,
    metrics::{Door, Turned},
    peer::Peer,
    public::matches,
    rest::problem::render,
};
use api::problem::language_of;
use axum::{
    Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use pki::ocsp::{Caching, OcspRequest};
use problem::Refusal;
use service::OcspAnswer;
use tokio::time::{Instant, timeout};

const REQUEST: &str = "application/ocsp-request";
const RESPONSE: &str = "application/ocsp-response";
/// Caches ask again at least this often, in seconds: a revocation is to be seen soon.
const CACHED_MAX_S: u32 = 300;

/// Where the door is, for what [`direct`] leaves alone (HEAD, methods that there are not).
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/ocsp", post(by_post))
        .route("/ocsp/", post(by_post))
        .route("/ocsp/{*request}", get(by_get))
}

/// Whether [`direct`] answers a request.
pub(crate) fn is_direct<B>(request: &Request<B>) -> bool {
    let path = request.uri().path();
    match *request.method() {
        Method::POST => matches!(path, "/ocsp" | "/ocsp/"),
        Method::GET => path.strip_prefix("/ocsp/").is_some_and(|rest| !rest.is_empty()),
        _ => false,
    }
}

/// Answers a request without a way through the router: next to an answer that lies ready, routing
/// and layers cost too much. Every limit of the way through the router holds here, too.
pub(crate) async fn direct<B>(app: &App, peer: &Peer, request: Request<B>) -> Response
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let start = Instant::now();
    let (head, mut body) = request.into_parts();
    let language = language_of(&head.headers);
    let mut response = match enter(app, Door::Ocsp, peer, start) {
        Err(fault) => render(&fault, language),
        Ok(_permit) => {
            let time = app.limits.body_time + app.limits.answer_time;
            let answer = async {
                match head.method {
                    Method::POST => posted(app, &head.headers, &mut body).await,
                    _ => asked(app, &head.uri, &head.headers).await,
                }
            };
            let answer = timeout(time, answer).await.unwrap_or_else(|_| {
                app.turn_away(Turned::Busy, peer, Door::Ocsp, "no answer in time");
                Err(Refusal::Later)
            });
            answer.unwrap_or_else(IntoResponse::into_response)
        }
    };
    body::discard(body).await;
    leave(app, Door::Ocsp, peer, start, language, &mut response);
    response
}

async fn by_post(State(app): State<App>, request: Request<Body>) -> Result<Response, Refusal> {
    let (head, body) = request.into_parts();
    posted(&app, &head.headers, body).await
}

async fn by_get(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Result<Response, Refusal> {
    asked(&app, &uri, &headers).await
}

async fn posted<B>(app: &App, headers: &HeaderMap, body: B) -> Result<Response, Refusal>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    if !body::is_media_type(headers, REQUEST) {
        return Err(Refusal::MediaType);
    }
    let bytes = body::read(body, OCSP, app.limits.body_time).await?;
    let answer = app.service.ocsp_answer(&bytes).await?;
    // POST answers are not cached (RFC 9110 section 9.3.3).
    Ok(respond(answer, None))
}

async fn asked(app: &App, uri: &Uri, headers: &HeaderMap) -> Result<Response, Refusal> {
    // The raw path: a decoded one would have lost which slash belongs to the base64.
    let text = uri.path().strip_prefix("/ocsp/").unwrap_or_default();
    let asked = OcspRequest::from_get_path(text).map_err(|_| Refusal::Malformed)?;
    let answer = app.service.ocsp_answer(&asked.to_der()).await?;
    Ok(respond(answer, Some(headers)))
}

fn respond(answer: OcspAnswer, asked: Option<&HeaderMap>) -> Response {
    let caching = asked.and_then(|request| Some((request, answer.caching()?)));
    let Some((request, caching)) = caching else {
        let mut response = Response::new(whole(answer));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(RESPONSE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return response;
    };
    let response = if matches(request, &caching.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(whole(answer))
    };
    // A revocation is to be seen soon, by those too who believe caches.
    let max_age_s = caching.max_age_s.min(CACHED_MAX_S);
    let keep = Caching { max_age_s, ..caching.clone() }.cache_control();
    with(
        response,
        &[
            (header::CACHE_CONTROL, keep.as_str()),
            (header::ETAG, caching.etag.as_str()),
            (header::LAST_MODIFIED, caching.last_modified().as_str()),
            (header::EXPIRES, caching.expires().as_str()),
        ],
    )
}

/// The bytes of an answer, not copied.
fn whole(answer: OcspAnswer) -> Body {
    Body::from(Bytes::from_owner(answer.der))
}

fn with(mut response: Response, fields: &[(header::HeaderName, &str)]) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(RESPONSE));
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name.clone(), value);
        }
    }
    response
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(_) => Self::TooLarge,
            BodyError::Slow => Self::Slow,
            BodyError::Broken => Self::Malformed,
        }
    }
}
