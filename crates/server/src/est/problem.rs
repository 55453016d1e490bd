//! The one place where errors become EST answers: a status and plain words (RFC 7030 section
//! 4.2.3).

use crate::{body::BodyError, metrics::Turned, rest::problem::Fault};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use service::{ErrorKind, ServiceError};
use std::time::Duration;

/// A refusal on its way out.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    text: String,
    retry_after_s: Option<u64>,
    allow: Option<&'static str>,
}

impl Refusal {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), retry_after_s: None, allow: None }
    }

    pub(super) fn not_found(text: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    pub(super) fn not_offered(text: &str) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, text)
    }

    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed")
    }

    pub(super) fn method(get: bool) -> Self {
        let allow = if get { "GET" } else { "POST" };
        let mut refusal =
            Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("this operation is a {allow}"));
        refusal.allow = Some(allow);
        refusal
    }

    /// Asks for a one-time code, or a better one.
    pub(super) fn basic(text: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, text)
    }

    pub(super) fn too_many(wait: Duration) -> Self {
        let mut refusal =
            Self::new(StatusCode::TOO_MANY_REQUESTS, "too many failed attempts; wait");
        refusal.retry_after_s = Some(wait.as_secs().saturating_add(1));
        refusal
    }

    fn turned(&self) -> Option<Turned> {
        Some(match self.status {
            StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE => Turned::Malformed,
            StatusCode::UNAUTHORIZED => Turned::Unauthenticated,
            StatusCode::FORBIDDEN => Turned::Forbidden,
            StatusCode::PAYLOAD_TOO_LARGE => Turned::TooLarge,
            StatusCode::REQUEST_TIMEOUT => Turned::Slow,
            StatusCode::TOO_MANY_REQUESTS => Turned::RateSource,
            _ => return None,
        })
    }
}

impl From<ServiceError> for Refusal {
    fn from(error: ServiceError) -> Self {
        let status = match error.kind() {
            ErrorKind::Malformed => StatusCode::BAD_REQUEST,
            // The request itself is at fault, whoever sent it.
            ErrorKind::Refused if error.code() == "csr" => StatusCode::BAD_REQUEST,
            ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
            ErrorKind::Forbidden | ErrorKind::Refused => StatusCode::FORBIDDEN,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::TooMany => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Fatal => {
                tracing::error!(%error, "an enrolment failed");
                return Self::internal();
            }
        };
        let mut refusal = Self::new(status, format!("{error} ({})", error.code()));
        refusal.retry_after_s = error.retry_after_s();
        refusal
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let problem = fault.problem(device::Language::En);
        let mut refusal = Self::new(fault.status(), problem.to_string());
        refusal.retry_after_s = fault.retry_after_s();
        refusal
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        Fault::from(error).into()
    }
}

impl From<enrolment::est::body::BodyError> for Refusal {
    fn from(error: enrolment::est::body::BodyError) -> Self {
        use enrolment::est::body::BodyError as E;
        let status = match error {
            E::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            E::MediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let turned = self.turned();
        let mut response = (self.status, format!("{}\n", self.text)).into_response();
        if let Some(turned) = turned {
            response.extensions_mut().insert(turned);
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"enrolment\", charset=\"UTF-8\""),
            );
        }
        response
    }
}
