//! What handlers take from requests: parameters and bodies, each refusal a problem.

use super::problem::Fault;
use crate::{app::App, body};
use api::{problem::Code, wire};
use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use device::Language;
use http::{HeaderValue, StatusCode, header, request::Parts};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::convert::Infallible;

/// Parameters of the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        axum::extract::Path::from_request_parts(parts, app)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|rejection| Fault::parameter("path", rejection.body_text()))
    }
}

/// Parameters of the query.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Query<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        axum::extract::Query::from_request_parts(parts, app)
            .await
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|rejection| Fault::parameter("query", rejection.body_text()))
    }
}

/// The language that the caller asks for.
pub(crate) struct Lang(pub(crate) Language);

impl FromRequestParts<App> for Lang {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Infallible> {
        Ok(Self(api::problem::language_of(&parts.headers)))
    }
}

/// A body of `MOST` bytes at most, with its media type.
pub(crate) struct Raw<const MOST: usize> {
    pub(crate) media_type: String,
    pub(crate) bytes: Bytes,
}

impl<const MOST: usize> FromRequest<App> for Raw<MOST> {
    type Rejection = Fault;

    async fn from_request(request: Request, app: &App) -> Result<Self, Fault> {
        let media_type = body::media_type(request.headers());
        let bytes = body::read(request.into_body(), MOST, app.limits.body_time).await?;
        Ok(Self { media_type, bytes })
    }
}

/// A JSON body of `MOST` bytes at most.
pub(crate) struct JsonBody<T, const MOST: usize>(pub(crate) T);

impl<T: DeserializeOwned + Serialize, const MOST: usize> FromRequest<App> for JsonBody<T, MOST> {
    type Rejection = Fault;

    async fn from_request(request: Request, app: &App) -> Result<Self, Fault> {
        let raw = Raw::<MOST>::from_request(request, app).await?;
        if raw.media_type != "application/json" {
            return Err(
                Fault::new(Code::UnsupportedMediaType).hint("send Content-Type: application/json")
            );
        }
        from_json(&raw.bytes).map(Self)
    }
}

/// Reads a JSON object; the refusal says where it is wrong.
///
/// serde reads an array of its fields' values as an object, too, which no description promises and
/// which other readers of the same bytes would understand otherwise: it is refused, at any depth.
pub(crate) fn from_json<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, Fault> {
    let malformed =
        |error: serde_json::Error| Fault::new(Code::Malformed).detail(error.to_string());
    let read: T = serde_json::from_slice(bytes).map_err(malformed)?;
    let sent: Value = serde_json::from_slice(bytes).map_err(malformed)?;
    let understood = serde_json::to_value(&read).map_err(malformed)?;
    match array_for_object(&sent, &understood) {
        None => Ok(read),
        Some(place) => {
            let place = if place.is_empty() { "the body".to_owned() } else { place };
            Err(Fault::new(Code::Malformed)
                .detail(format!("{place} is an array where a JSON object is expected")))
        }
    }
}

/// Where an array was sent that was understood as an object: its place as a JSON pointer (RFC 6901).
fn array_for_object(sent: &Value, understood: &Value) -> Option<String> {
    let below = |name: &str, inner: Option<String>| {
        inner.map(|rest| format!("/{}{rest}", name.replace('~', "~0").replace('/', "~1")))
    };
    match (sent, understood) {
        (Value::Array(_), Value::Object(_)) => Some(String::new()),
        (Value::Array(sent), Value::Array(understood)) => sent
            .iter()
            .zip(understood)
            .enumerate()
            .find_map(|(at, (s, u))| below(&at.to_string(), array_for_object(s, u))),
        (Value::Object(sent), Value::Object(understood)) => sent
            .iter()
            .find_map(|(name, s)| below(name, array_for_object(s, understood.get(name)?))),
        _ => None,
    }
}

/// A JSON answer.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => {
                let mut response = bytes.into_response();
                response
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                response
            }
            Err(error) => {
                tracing::error!(%error, "an answer has no JSON form");
                Fault::new(Code::Internal).into_response()
            }
        }
    }
}

/// A JSON answer of status 201.
pub(crate) struct Created<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.0).into_response();
        if response.status() == StatusCode::OK {
            *response.status_mut() = StatusCode::CREATED;
        }
        response
    }
}

/// The page that is asked for.
pub(crate) fn page(after: Option<String>, limit: Option<u32>) -> Result<service::Page, Fault> {
    let limit = limit.unwrap_or(100);
    if !(1..=wire::ITEMS_MAX).contains(&limit) {
        return Err(Fault::parameter("limit", format!("from 1 to {}", wire::ITEMS_MAX)));
    }
    if after.as_ref().is_some_and(|after| after.is_empty() || after.len() > 200) {
        return Err(Fault::parameter("after", "not the next of a page"));
    }
    Ok(service::Page { after, limit })
}

/// A parameter of the query as what it stands for.
pub(crate) fn parsed<T>(name: &str, value: Option<String>) -> Result<Option<T>, Fault>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    value.map(|value| value.parse().map_err(|error| Fault::parameter(name, error))).transpose()
}

/// Whether a list in a body has as many items as it may have.
pub(crate) fn counted(name: &str, found: usize) -> Result<(), Fault> {
    let most = usize::try_from(wire::ITEMS_MAX).unwrap_or(usize::MAX);
    if (1..=most).contains(&found) {
        return Ok(());
    }
    Err(Fault::field(name, format!("from 1 to {most} items, and there are {found}")))
}

/// Whether a text in a body is as long as it may be.
pub(crate) fn line(name: &str, text: &str, most: usize) -> Result<(), Fault> {
    let found = text.chars().count();
    if (1..=most).contains(&found) && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Fault::field(name, format!("from 1 to {most} characters without control characters")))
}
