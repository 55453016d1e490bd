//! Files of any size, whole or in part: ranges, validators, conditions (RFC 9110 sections 13, 14).
//! A piece of a file is in memory at a time, however long the file is.

use crate::{
    public::matches,
    range::{Wanted, wanted},
    rest::problem::Fault,
};
use api::problem::Code;
use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::{Frame, SizeHint};
use service::BlobReader;
use std::{
    io::SeekFrom,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead as _, AsyncSeek as _, ReadBuf};

/// Bytes that are read at a time.
const PIECE: usize = 128 * 1024;

/// Answers with a file: all of it, or the one range that is asked for.
pub(crate) fn answer(
    reader: BlobReader,
    headers: &HeaderMap,
    keep: &'static str,
) -> Result<Response, Fault> {
    let etag = format!("\"{}\"", reader.sha256);
    let whole = reader.length;
    let mut response = if matches(headers, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match wanted(headers, whole, &etag) {
            Wanted::Whole => {
                let mut response = Body::new(Piece::new(reader, 0, whole)).into_response();
                set(&mut response, header::CONTENT_LENGTH, &whole.to_string());
                response
            }
            Wanted::Part(from, to) => {
                let length = to.saturating_sub(from).saturating_add(1);
                let mut response = Body::new(Piece::new(reader, from, length)).into_response();
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                set(&mut response, header::CONTENT_LENGTH, &length.to_string());
                let range = format!("bytes {from}-{to}/{whole}");
                set(&mut response, header::CONTENT_RANGE, &range);
                response
            }
            Wanted::None => {
                let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
                set(&mut response, header::CONTENT_RANGE, &format!("bytes */{whole}"));
                response
            }
        }
    };
    let fields = response.headers_mut();
    let kind = HeaderValue::from_static("application/octet-stream");
    fields.insert(header::CONTENT_TYPE, kind);
    fields.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    let etag = HeaderValue::from_str(&etag).map_err(|_| Fault::new(Code::Internal))?;
    fields.insert(header::ETAG, etag);
    Ok(response)
}

fn set(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// A part of a file, as it is sent.
struct Piece {
    file: tokio::fs::File,
    /// where to begin, until that is done
    seek: Option<(u64, bool)>,
    left: u64,
    buffer: Vec<u8>,
}

impl Piece {
    fn new(reader: BlobReader, from: u64, length: u64) -> Self {
        let seek = (from > 0).then_some((from, false));
        let file = tokio::fs::File::from_std(reader.file);
        Self { file, seek, left: length, buffer: Vec::new() }
    }
}

impl http_body::Body for Piece {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let this = &mut *self;
        if this.left == 0 {
            return Poll::Ready(None);
        }
        if let Some((from, begun)) = &mut this.seek {
            if !*begun {
                Pin::new(&mut this.file).start_seek(SeekFrom::Start(*from))?;
                *begun = true;
            }
            match Pin::new(&mut this.file).poll_complete(cx)? {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(_) => this.seek = None,
            }
        }
        let most = usize::try_from(this.left).unwrap_or(usize::MAX).min(PIECE);
        this.buffer.resize(most, 0);
        let mut buffer = ReadBuf::new(&mut this.buffer);
        match Pin::new(&mut this.file).poll_read(cx, &mut buffer)? {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                let read = Bytes::copy_from_slice(buffer.filled());
                if read.is_empty() {
                    // Shorter than it was: the client must not take it for whole.
                    let cut = std::io::ErrorKind::UnexpectedEof;
                    return Poll::Ready(Some(Err(cut.into())));
                }
                let count = u64::try_from(read.len()).unwrap_or(u64::MAX);
                this.left = this.left.saturating_sub(count);
                Poll::Ready(Some(Ok(Frame::data(read))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
