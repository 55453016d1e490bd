//! Files of an assignment: with ranges, as slowly as they are read, from the disk without a copy in
//! memory.

use crate::range::{Wanted, wanted};
use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use service::BlobReader;
use std::{
    io::SeekFrom,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncSeekExt as _},
    sync::mpsc,
};

/// What is read at once, in bytes.
const PIECE_BYTES: usize = 64 * 1024;

struct Pieces(mpsc::Receiver<Result<Bytes, std::io::Error>>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(http_body::Frame::data)))
    }
}

/// Whether an answer to this begins a file, rather than going on with it.
pub(super) fn begins(headers: &HeaderMap, blob: &BlobReader) -> bool {
    match wanted(headers, blob.length, &tag(blob)) {
        Wanted::Whole | Wanted::Part(0, _) => true,
        Wanted::Part(..) | Wanted::None => false,
    }
}

fn tag(blob: &BlobReader) -> String {
    format!("\"{}\"", blob.sha256)
}

/// The answer to a request for a file; `done` is called when its last byte was handed over.
pub(super) fn answer(
    headers: &HeaderMap,
    head_only: bool,
    blob: BlobReader,
    done: impl FnOnce() + Send + 'static,
) -> Response {
    let (length, tag) = (blob.length, tag(&blob));
    let (status, first, count) = match wanted(headers, length, &tag) {
        Wanted::Whole => (StatusCode::OK, 0, length),
        Wanted::Part(first, last) => {
            (StatusCode::PARTIAL_CONTENT, first, last.saturating_sub(first).saturating_add(1))
        }
        Wanted::None => (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0),
    };
    let body = if head_only || count == 0 {
        Body::empty()
    } else {
        let (sender, receiver) = mpsc::channel(1);
        let ends = first.saturating_add(count) == length;
        let file = tokio::fs::File::from_std(blob.file);
        tokio::spawn(async move {
            if send(file, first, count, &sender).await && ends {
                done();
            }
        });
        Body::new(Pieces(receiver))
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let fields = response.headers_mut();
    let mut put = |name, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            fields.insert(name, value);
        }
    };
    put(header::CONTENT_TYPE, "application/octet-stream".into());
    put(header::ACCEPT_RANGES, "bytes".into());
    put(header::ETAG, tag);
    put(header::CONTENT_LENGTH, count.to_string());
    match status {
        StatusCode::PARTIAL_CONTENT => {
            let last = first.saturating_add(count).saturating_sub(1);
            put(header::CONTENT_RANGE, format!("bytes {first}-{last}/{length}"));
        }
        StatusCode::RANGE_NOT_SATISFIABLE => {
            put(header::CONTENT_RANGE, format!("bytes */{length}"));
        }
        _ => {}
    }
    response
}

/// Sends so many bytes; false where it broke off.
async fn send(
    mut file: tokio::fs::File,
    first: u64,
    mut count: u64,
    to: &mpsc::Sender<Result<Bytes, std::io::Error>>,
) -> bool {
    if let Err(error) = file.seek(SeekFrom::Start(first)).await {
        let _gone = to.send(Err(error)).await;
        return false;
    }
    while count > 0 {
        let wanted = usize::try_from(count).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
        let mut piece = vec![0; wanted];
        let read = match file.read(&mut piece).await {
            // Shorter than it was when it was taken in: nothing good can follow.
            Ok(0) => Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)),
            other => other,
        };
        match read {
            Ok(read) => {
                piece.truncate(read);
                count = count.saturating_sub(read as u64);
                if to.send(Ok(Bytes::from(piece))).await.is_err() {
                    return false;
                }
            }
            Err(error) => {
                let _gone = to.send(Err(error)).await;
                return false;
            }
        }
    }
    true
}
