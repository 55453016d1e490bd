//! OCSP over HTTP (RFC 6960 appendix A, RFC 5019 sections 5 and 6).
//!
//! `POST /ocsp` with `application/ocsp-request`, and `GET /ocsp/{base64 of the request}`. Answers
//! without a nonce carry the caching headers of RFC 5019, so that caches take most of the load.

mod problem;

use crate::{
    app::App,
    body::{self, BodyError},
    limit::body::OCSP,
    public::matches,
};
use axum::{
    Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use pki::ocsp::{Caching, OcspRequest};
use problem::Refusal;
use service::OcspAnswer;

const REQUEST: &str = "application/ocsp-request";
const RESPONSE: &str = "application/ocsp-response";
/// Caches ask again at least this often, in seconds: a revocation is to be seen soon.
const CACHED_MAX_S: u32 = 300;

pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/ocsp", post(by_post))
        .route("/ocsp/", post(by_post))
        .route("/ocsp/{*request}", get(by_get))
}

async fn by_post(State(app): State<App>, request: Request<Body>) -> Result<Response, Refusal> {
    if body::media_type(request.headers()) != REQUEST {
        return Err(Refusal::MediaType);
    }
    let bytes = body::read(request.into_body(), OCSP, app.limits.body_time).await?;
    let answer = app.service.ocsp_answer(&bytes).await?;
    // POST answers are not cached (RFC 9110 section 9.3.3).
    Ok(respond(&answer, None))
}

async fn by_get(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Result<Response, Refusal> {
    // The raw path: a decoded one would have lost which slash belongs to the base64.
    let text = uri.path().strip_prefix("/ocsp/").unwrap_or_default();
    let asked = OcspRequest::from_get_path(text).map_err(|_| Refusal::Malformed)?;
    let answer = app.service.ocsp_answer(&asked.to_der()).await?;
    Ok(respond(&answer, Some(&headers)))
}

fn respond(answer: &OcspAnswer, asked: Option<&HeaderMap>) -> Response {
    let Some((request, caching)) = asked.zip(answer.caching.as_ref()) else {
        return with(answer.der.to_vec().into_response(), &[(header::CACHE_CONTROL, "no-store")]);
    };
    let response = if matches(request, &caching.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        answer.der.to_vec().into_response()
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
