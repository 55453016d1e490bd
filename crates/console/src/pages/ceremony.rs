//! Answers to the script that runs a ceremony (`assets/passkey.js`).

use crate::{Answer, Failure};
use axum::response::IntoResponse as _;
use http::{HeaderValue, header};
use serde_json::{Value, json};
use service::Ceremony;

/// What the authenticator is to be asked.
pub(super) fn begun(ceremony: &Ceremony) -> Answer {
    let options: Value =
        serde_json::from_str(&ceremony.options).map_err(|_| Failure::internal())?;
    document(&json!({ "id": ceremony.id, "options": options }))
}

/// Where to go now.
pub(super) fn done(to: &str) -> Answer {
    document(&json!({ "to": to }))
}

fn document(value: &Value) -> Answer {
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((headers, value.to_string()).into_response())
}
