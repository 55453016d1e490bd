//! Signed public data: CRLs, CA certificates, the log's checkpoint and tiles.
//!
//! They are served over plain HTTP too. Whoever reads them checks their signatures anyway, so that
//! TLS would add nothing; and a client that needs a CRL or an OCSP answer in order to trust a TLS
//! certificate must not need TLS to get it (RFC 5280 section 8, RFC 6960 appendix A.1).

use crate::{app::App, rest::problem::Fault};
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use service::ErrorKind;

/// A full tile never changes (C2SP tlog-tiles).
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// A partial tile may be replaced by a wider one, not changed.
const A_WHILE: &str = "public, max-age=3600";
/// A checkpoint is news.
const NEWS: &str = "public, max-age=1, must-revalidate";
/// Caches ask for a CRL again at least this often, in seconds.
const CRL_CACHED_MAX_S: u32 = 300;
/// Longest tile path: `tile/entries/x001/x234/067.p/255` and a few digits more.
const TILE_PATH_BYTES_MAX: usize = 80;

/// Routes of signed public data; also of the door that speaks plain HTTP.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/log/checkpoint", get(checkpoint))
        .route("/log/tile/{*path}", get(tile))
        .route("/crl/{file}", get(crl))
        .route("/ca/{file}", get(authority))
}

async fn checkpoint(State(app): State<App>) -> Response {
    answer("text/plain; charset=utf-8", NEWS, app.service.checkpoint().to_vec())
}

async fn tile(State(app): State<App>, Path(path): Path<String>) -> Result<Response, Fault> {
    if path.len() > TILE_PATH_BYTES_MAX {
        return Err(Fault::not_found());
    }
    let bytes = match app.service.tile(&format!("tile/{path}")).await {
        Ok(bytes) => bytes,
        // A path that is no tile's is a resource that does not exist.
        Err(error) if error.kind() == ErrorKind::Malformed => return Err(Fault::not_found()),
        Err(error) => return Err(error.into()),
    };
    let keep = if path.contains(".p/") { A_WHILE } else { FOR_EVER };
    Ok(answer("application/octet-stream", keep, bytes))
}

async fn crl(
    State(app): State<App>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let ca = file.strip_suffix(".crl").ok_or_else(Fault::not_found)?;
    let crl = app.service.crl(ca).await?;
    let caching = crl.caching(app.service.now());
    let seconds = caching.max_age_s.min(CRL_CACHED_MAX_S);
    let keep = format!("public, max-age={seconds}, must-revalidate");
    let etag = caching.etag;
    let mut response = if matches(&headers, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        answer("application/pkix-crl", "", crl.der.clone())
    };
    let fields = response.headers_mut();
    for (name, value) in [(header::CACHE_CONTROL, keep), (header::ETAG, etag)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            fields.insert(name, value);
        }
    }
    Ok(response)
}

/// RFC 5280 section 4.2.2.1: one certificate in DER.
async fn authority(State(app): State<App>, Path(file): Path<String>) -> Result<Response, Fault> {
    let ca = file.strip_suffix(".der").ok_or_else(Fault::not_found)?;
    let certificate = app.service.ca_certificate(ca).await?;
    Ok(answer("application/pkix-cert", A_WHILE, certificate.der().to_vec()))
}

fn answer(kind: &'static str, keep: &'static str, body: Vec<u8>) -> Response {
    let mut response = body.into_response();
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if !keep.is_empty() {
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    }
    // Browsers of any origin may check the log.
    fields.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// If-None-Match (RFC 9110 section 13.1.2).
pub(crate) fn matches(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| {
            let tag = tag.trim();
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
        })
}
