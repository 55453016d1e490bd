//! Request bodies, read within a size and a time.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{sync::oneshot, time::timeout};

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

/// Bytes of an unread body that are read all the same and thrown away: a client that is sending
/// reads the answer only then, and would see a broken connection otherwise; HTTP/2 clients such as
/// curl 7.88 take an answer before the end of their request for a broken stream.
const DISCARDED_MAX: usize = 1024 * 1024;
/// Time for that.
const DISCARD_TIME: Duration = Duration::from_secs(1);

/// Reads a body of `most` bytes at most within `time`.
pub(crate) async fn read<B>(body: B, most: usize, time: Duration) -> Result<Bytes, BodyError>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    timeout(time, read_now(body, most)).await.unwrap_or(Err(BodyError::Slow))
}

async fn read_now<B>(mut body: B, most: usize) -> Result<Bytes, BodyError>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    // A declared length is believed where it is too large.
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if declared > most {
        return Err(BodyError::TooLarge(most));
    }
    let mut kept = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if kept.len().saturating_add(data.len()) > most {
            return Err(BodyError::TooLarge(most));
        }
        if kept.is_empty() {
            // Most bodies come in one piece, which need not be copied.
            if body.is_end_stream() {
                return Ok(data);
            }
            kept.reserve(declared);
        }
        kept.extend_from_slice(&data);
    }
    Ok(kept.freeze())
}

/// A body that comes back when whoever reads it lets go of it.
struct Lent {
    body: Option<Body>,
    back: Option<oneshot::Sender<Body>>,
}

/// Lends a body: what is not read of it comes back.
pub(crate) fn lend(body: Body) -> (Body, oneshot::Receiver<Body>) {
    let (back, returned) = oneshot::channel();
    (Body::new(Lent { body: Some(body), back: Some(back) }), returned)
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(http_body::Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take()) {
            // Nobody waits for it where the connection is gone.
            let _ = back.send(body);
        }
    }
}

/// Reads the rest of a body that was lent, within bounds, and throws it away.
pub(crate) async fn discard_rest(mut returned: oneshot::Receiver<Body>) {
    if let Ok(body) = returned.try_recv() {
        discard(body).await;
    }
}

/// Reads what is left of a body, within bounds, and throws it away.
pub(crate) async fn discard<B>(mut body: B)
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    if body.is_end_stream() {
        return;
    }
    let discard = async {
        let mut found: usize = 0;
        while let Some(Ok(frame)) = body.frame().await {
            found = found.saturating_add(frame.data_ref().map_or(0, Bytes::len));
            if found > DISCARDED_MAX {
                return;
            }
        }
    };
    // Whoever is slower sees a broken connection.
    drop(timeout(DISCARD_TIME, discard).await);
}

/// The media type of a body without parameters, in lower case; empty where none is given.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    declared_type(headers).to_ascii_lowercase()
}

/// Whether a body is of the media type `kind`, given in lower case.
pub(crate) fn is_media_type(headers: &HeaderMap, kind: &str) -> bool {
    declared_type(headers).eq_ignore_ascii_case(kind)
}

fn declared_type(headers: &HeaderMap) -> &str {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(str::trim)
        .unwrap_or_default()
}
