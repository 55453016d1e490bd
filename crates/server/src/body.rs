//! Request bodies, read within a size and a time.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;
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

/// Bytes of a body that is too large which are read all the same and thrown away: a client that has
/// sent them reads the answer, and would see a broken connection otherwise.
const DISCARDED_MAX: usize = 1024 * 1024;
/// Time for that.
const DISCARD_TIME: Duration = Duration::from_secs(1);

/// Reads a body of `most` bytes at most within `time`.
pub(crate) async fn read(body: Body, most: usize, time: Duration) -> Result<Bytes, BodyError> {
    timeout(time, read_now(body, most)).await.unwrap_or(Err(BodyError::Slow))
}

async fn read_now(mut body: Body, most: usize) -> Result<Bytes, BodyError> {
    // A declared length is believed where it is too large.
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut kept = BytesMut::with_capacity(declared.min(most));
    while declared <= most
        && let Some(frame) = body.frame().await
    {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if kept.len().saturating_add(data.len()) > most {
            throw_away(body).await;
            return Err(BodyError::TooLarge(most));
        }
        kept.extend_from_slice(&data);
    }
    if declared > most {
        throw_away(body).await;
        return Err(BodyError::TooLarge(most));
    }
    Ok(kept.freeze())
}

/// Reads a body that nobody wants, within limits: HTTP/2 clients such as curl 7.88 take an answer
/// that comes before the end of their request for a broken stream.
pub(crate) async fn throw_away(body: Body) {
    drop(timeout(DISCARD_TIME, discard(body)).await);
}

async fn discard(mut body: Body) {
    let mut found: usize = 0;
    while let Some(Ok(frame)) = body.frame().await {
        found = found.saturating_add(frame.data_ref().map_or(0, Bytes::len));
        if found > DISCARDED_MAX {
            return;
        }
    }
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
