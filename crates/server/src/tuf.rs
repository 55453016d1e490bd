//! Image repositories as clients read them (docs/update-trust.md, docs/release.md):
//! `/tuf/{organisation}/metadata/…` and `/tuf/{organisation}/targets/…`.
//!
//! Everything here is signed, so that a mirror, a cache or plain HTTP takes nothing from it. Who may
//! read is another matter: an organisation's images may be confidential, and so may be the names and
//! versions in its metadata. Unless the organisation opens its repository to everybody, it takes the
//! certificate of a device that it made or owns, or of a member; and the door that speaks plain HTTP,
//! where nobody shows a certificate, gives nothing.

use crate::{
    app::App, authenticated::MaybeAuthenticated, download, public::matches, rest::problem::Fault,
};
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
    routing::get,
};
use device::OrganisationId;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use update::RoleName;

/// Longest address of a target, in bytes: 1024 and a digest.
const ADDRESS_BYTES_MAX: usize = 1200;
/// What carries its version or digest in its name never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const FOR_EVER_PRIVATE: &str = "private, max-age=31536000, immutable";
/// The timestamp is news.
const NEWS: &str = "no-cache";

/// Routes of image repositories; also of the door that speaks plain HTTP.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/tuf/{organisation}/metadata/{*name}", get(metadata))
        .route("/tuf/{organisation}/targets/{*address}", get(target))
}

fn organisation(text: &str) -> Result<OrganisationId, Fault> {
    OrganisationId::new(text).map_err(|_| Fault::not_found())
}

async fn metadata(
    State(app): State<App>,
    caller: MaybeAuthenticated,
    Path((of, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let of = organisation(&of)?;
    // Names of files are percent-encoded, and what was asked for has been decoded on its way.
    let name = name.strip_suffix(".json").ok_or_else(Fault::not_found)?;
    let name = RoleName::new(name).map_err(|_| Fault::not_found())?.file_name(None);
    let bytes = app.service.repository_metadata(&caller, &of, &name).await?;
    let etag = format!("\"{}\"", crypto::sha256(&bytes));
    let mut response = match matches(&headers, &etag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => bytes.into_response(),
    };
    let keep = match (name.as_str(), caller.is_anonymous()) {
        ("timestamp.json", _) => NEWS,
        (_, true) => FOR_EVER,
        (_, false) => FOR_EVER_PRIVATE,
    };
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        fields.insert(header::ETAG, etag);
    }
    Ok(response)
}

async fn target(
    State(app): State<App>,
    caller: MaybeAuthenticated,
    Path((of, address)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let of = organisation(&of)?;
    if address.len() > ADDRESS_BYTES_MAX {
        return Err(Fault::not_found());
    }
    let reader = app.service.repository_target(&caller, &of, &address).await?;
    let keep = if caller.is_anonymous() { FOR_EVER } else { FOR_EVER_PRIVATE };
    download::answer(reader, &headers, keep)
}
