//! Forms that were sent to us.

use crate::{Console, Failure, Visit, security};
use axum::{
    extract::{FromRequest, FromRequestParts as _, Request},
    response::Response,
};
use http::{HeaderValue, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

/// Most bytes of a form: the longest list of ids that a page shows, with room.
pub const FORM_BYTES_MAX: usize = 64 * 1024;

/// A form that really came from a page of ours: [`security`] has looked at where it comes from, and
/// here its token is compared with the session's. Fields that a type does not name are ignored,
/// repeated ones make a `Vec`.
///
/// ```text
/// #[derive(serde::Deserialize)]
/// struct Rename { name: String }
/// async fn rename(member: Member, Posted(form): Posted<Rename>) -> Result<Response, Failure> { … }
/// ```
#[derive(Debug, Clone)]
pub struct Posted<F>(pub F);

impl<F: DeserializeOwned> FromRequest<Console> for Posted<F> {
    type Rejection = Failure;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Failure> {
        let fields = Fields::from_request(request, console).await?;
        serde_html_form::from_bytes(&fields.bytes).map(Self).map_err(|error| {
            tracing::debug!(%error, "a form does not have the fields it should");
            Failure::bad_request()
        })
    }
}

/// A form as it came, after the same checks.
#[derive(Debug, Clone)]
pub struct Fields {
    pairs: Vec<(String, String)>,
    bytes: Vec<u8>,
}

impl Fields {
    /// The value of a field; the first of several; empty where it is not there.
    pub fn get(&self, name: &str) -> &str {
        let found = self.pairs.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    /// Every field with its value, in their order.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// All values of a field.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl FromRequest<Console> for Fields {
    type Rejection = Failure;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, console).await?;
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(media_type);
        if kind.as_deref() != Some("application/x-www-form-urlencoded") {
            return Err(Failure::bad_request());
        }
        let body = Limited::new(body, FORM_BYTES_MAX).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Failure::too_large()
            } else {
                Failure::bad_request()
            }
        })?;
        let bytes = body.to_bytes().to_vec();
        let pairs: Vec<(String, String)> =
            serde_html_form::from_bytes(&bytes).map_err(|_| Failure::bad_request())?;
        let fields = Self { pairs, bytes };
        match &visit.secret {
            Some(secret) if !security::token_is(secret, fields.get("csrf")) => {
                Err(Failure::foreign_form())
            }
            _ => Ok(fields),
        }
    }
}

fn media_type(value: &HeaderValue) -> Option<String> {
    let kind = value.to_str().ok()?.split(';').next()?;
    Some(kind.trim().to_ascii_lowercase())
}

/// What a handler of a form gives.
pub type Answer = Result<Response, Failure>;

/// The query of a page, such as filters and the place in a list. Fields that a type does not name are
/// ignored, repeated ones make a `Vec`.
#[derive(Debug, Clone)]
pub struct Asked<Q>(pub Q);

impl<Q: DeserializeOwned, S: Sync> axum::extract::FromRequestParts<S> for Asked<Q> {
    type Rejection = Failure;

    async fn from_request_parts(
        parts: &mut http::request::Parts,
        _state: &S,
    ) -> Result<Self, Failure> {
        let query = parts.uri.query().unwrap_or_default();
        serde_html_form::from_str(query).map(Self).map_err(|_| Failure::bad_request())
    }
}
