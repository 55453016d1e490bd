//! The one place where errors become OCSP answers (RFC 6960 section 2.3).

use crate::metrics::Turned;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use service::{ErrorKind, ServiceError};

/// Why there is no signed answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// not an OCSP request
    Malformed,
    /// too many bytes
    TooLarge,
    /// not in time
    Slow,
    /// another media type
    MediaType,
    /// no answer now
    Later,
    /// a fault of ours
    Internal,
}

impl From<ServiceError> for Refusal {
    fn from(error: ServiceError) -> Self {
        match error.kind() {
            ErrorKind::Malformed | ErrorKind::Refused => Self::Malformed,
            ErrorKind::Unavailable | ErrorKind::TooMany | ErrorKind::Conflict => Self::Later,
            _ => {
                tracing::error!(%error, "no OCSP answer could be made");
                Self::Internal
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        // OCSPResponse { responseStatus } without responseBytes; RFC 6960 section 4.2.1. Clients
        // read it whatever the status, and RFC 5019 section 6 wants 200 for it.
        let (status, code) = match self {
            Self::Malformed => (StatusCode::OK, 1),
            Self::Internal => (StatusCode::OK, 2),
            Self::Later => (StatusCode::OK, 3),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, 1),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, 1),
            Self::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, 1),
        };
        let mut response = (status, vec![0x30, 0x03, 0x0a, 0x01, code]).into_response();
        match self {
            Self::Malformed | Self::MediaType => {
                response.extensions_mut().insert(Turned::Malformed);
            }
            Self::TooLarge => {
                response.extensions_mut().insert(Turned::TooLarge);
            }
            Self::Slow => {
                response.extensions_mut().insert(Turned::Slow);
            }
            Self::Later | Self::Internal => {}
        }
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/ocsp-response"));
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
