//! What makers say that devices connect to (MUD, RFC 8520), for anybody's programs: no sign-in, no
//! cookies, no page. docs/mud.md.

use super::ANSWER_TIME;
use crate::{Console, Failure, Source};
use axum::{
    Extension, Router,
    body::Body,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::net::{IpAddr, Ipv4Addr};
use tokio::time::{Instant, sleep_until};

/// Media types: RFC 8520 section 17.4, and RFC 8551 section 3.2 as section 13.1 asks for it.
const MUD: &str = "application/mud+json";
const SIGNATURE: &str = "application/pkcs7-signature";

/// Beside the pages: nothing is found out about who asks.
pub(crate) fn router() -> Router<Console> {
    Router::new().route("/mud/{maker}/{file}", get(file))
}

async fn file(
    State(console): State<Console>,
    source: Option<Extension<Source>>,
    headers: HeaderMap,
    Path((maker, file)): Path<(String, String)>,
) -> Response {
    let done = Instant::now() + ANSWER_TIME;
    // Without a source all visitors are one: the limit holds all the more.
    let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let address = source.map_or(unknown, |Extension(Source(came))| came.address);
    let (product, signed) = match (file.strip_suffix(".json"), file.strip_suffix(".p7s")) {
        (Some(product), _) => (product, false),
        (_, Some(product)) => (product, true),
        // Nobody's: it costs as much as a line that is not there.
        _ => ("", false),
    };
    let found = console.service.public_mud((&maker, product), address).await;
    sleep_until(done).await;
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            let wait = error.retry_after_s();
            let mut response = Failure::from(error).plain();
            if let Some(seconds) = wait {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            return response;
        }
    };
    let Some(found) = found else { return Failure::not_found().plain() };
    let (media_type, digest, bytes) = match (signed, &found.signature) {
        (false, _) => (MUD, found.digest, &found.file),
        (true, Some(signature)) => (SIGNATURE, crypto::sha256(signature), signature),
        (true, None) => return Failure::not_found().plain(),
    };
    // Whoever keeps it asks first whether it is still so: a file and its signature that were kept apart
    // would not fit. For how long who has read the file may go by it, the file says (RFC 8520 section 3.5).
    let tag = format!("\"{digest}\"");
    let mut fresh = HeaderMap::new();
    let Ok(value) = HeaderValue::from_str(&tag) else { return Failure::internal().plain() };
    fresh.insert(header::ETAG, value);
    fresh.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, no-cache"));
    let known =
        headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let same = known.flat_map(|value| value.split(',')).any(|given| {
        let given = given.trim();
        given == "*" || given.trim_start_matches("W/") == tag
    });
    if same {
        return (StatusCode::NOT_MODIFIED, fresh).into_response();
    }
    fresh.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    (fresh, Body::from(bytes.clone())).into_response()
}
