//! Directors as devices read them (docs/director.md): `/tuf/director/{organisation}/metadata/…`, over
//! TLS with the device's own certificate. Each device is given what was signed for it, and there is
//! no address at which it could ask for another's.

use crate::{app::App, authenticated::Authenticated, public::matches, rest::problem::Fault};
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
    routing::get,
};
use device::OrganisationId;
use http::{HeaderMap, HeaderValue, StatusCode, header};

/// Longest name of a metadata file, in bytes: a version of 19 digits and `.timestamp.json`.
const NAME_BYTES_MAX: usize = 64;
/// What is served under one name differs by who asks.
const OWN: &str = "private, no-cache";

/// Routes of directors; not of the door that speaks plain HTTP.
pub(crate) fn router() -> Router<App> {
    Router::new().route("/tuf/director/{organisation}/metadata/{name}", get(metadata))
}

async fn metadata(
    State(app): State<App>,
    caller: Authenticated,
    Path((of, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let of = OrganisationId::new(&of).map_err(|_| Fault::not_found())?;
    if name.len() > NAME_BYTES_MAX {
        return Err(Fault::not_found());
    }
    let bytes = app.service.director_metadata(&caller, &of, &name).await?;
    let etag = format!("\"{}\"", crypto::sha256(&bytes));
    let mut response = match matches(&headers, &etag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => bytes.into_response(),
    };
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(OWN));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        fields.insert(header::ETAG, etag);
    }
    Ok(response)
}
