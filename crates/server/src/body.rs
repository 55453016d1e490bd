//! Request bodies, read within a size and a time.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use std::time::Duration;
use tokio::time::timeout;

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// more bytes than the route takes
    TooLarge(usize),
    /// not in time
    Slow,
    /// the connection broke, or the framing is wrong
    Broken,
}

/// Reads a body of `most` bytes at most within `time`.
pub(crate) async fn read(body: Body, most: usize, time: Duration) -> Result<Bytes, BodyError> {
    // A declared length is believed where it is too large: nothing needs to be read.
    if http_body::Body::size_hint(&body).lower() > most as u64 {
        return Err(BodyError::TooLarge(most));
    }
    match timeout(time, Limited::new(body, most).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if is_length(&*error) => Err(BodyError::TooLarge(most)),
        Ok(Err(_)) => Err(BodyError::Broken),
        Err(_) => Err(BodyError::Slow),
    }
}

fn is_length(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<LengthLimitError>().is_some() || error.source().is_some_and(is_length)
}

/// The media type of a body without parameters, in lower case; empty where none is given.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(|kind| kind.trim().to_ascii_lowercase())
        .unwrap_or_default()
}
