//! Bytes in and out of one stream, whichever goes: a client that does not read is written to no
//! further, and read from no further, and nothing waits for it but its own connection.

use std::{future::poll_fn, io, mem::MaybeUninit, pin::Pin, task::Poll, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

/// Room that an empty buffer keeps.
const ROOM: usize = 4096;
/// Bytes read at a time.
const READ_BYTES: usize = 4096;

/// What is on its way to the client.
#[derive(Default)]
pub(super) struct Out {
    bytes: Vec<u8>,
    sent: usize,
    /// what was written may still be in the stream's own buffer
    unflushed: bool,
    /// when it was first seen to stand still since it last went on
    still: Option<Instant>,
}

/// What happened.
pub(super) enum Moved {
    /// some of it was written
    Written,
    /// these bytes were read; none is the end
    Read(Box<[u8]>),
}

impl Out {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if !self.waits() {
            self.still = None;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// How much is on its way.
    pub(super) fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.sent)
    }

    pub(super) fn waits(&self) -> bool {
        self.len() > 0 || self.unflushed
    }

    /// When the client has taken nothing for too long. Asked again after each attempt to go on.
    pub(super) fn stuck_at(&mut self, now: Instant, patience: Duration) -> Option<Instant> {
        self.waits().then(|| *self.still.get_or_insert(now) + patience)
    }

    /// Forgets what was not written yet; false where that would cut a packet in two.
    pub(super) fn forget(&mut self) -> bool {
        let whole = self.sent == 0;
        self.bytes.clear();
        self.sent = 0;
        whole
    }

    fn advance(&mut self, count: usize) {
        self.sent = self.sent.saturating_add(count);
        if self.sent >= self.bytes.len() {
            self.sent = 0;
            self.bytes.clear();
            self.bytes.shrink_to(ROOM);
        }
        self.unflushed = true;
        self.still = None;
    }
}

/// Writes what waits, and reads what comes where `read` says so: then it returns with what it read, or
/// where not all could be written at once. Nothing is lost where this is dropped.
pub(super) async fn exchange<S>(stream: &mut S, out: &mut Out, read: bool) -> io::Result<Moved>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(|context| {
        let mut moved = false;
        while out.len() > 0 {
            let pending = out.bytes.get(out.sent..).unwrap_or_default();
            match Pin::new(&mut *stream).poll_write(context, pending) {
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                Poll::Ready(Ok(count)) => {
                    out.advance(count);
                    moved = true;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => break,
            }
        }
        if out.len() == 0 && out.unflushed {
            match Pin::new(&mut *stream).poll_flush(context) {
                Poll::Ready(Ok(())) => {
                    out.unflushed = false;
                    moved = true;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
        }
        // Who is read from and was told all waits for what comes next, and need not ask again.
        if moved && (!read || out.waits()) {
            return Poll::Ready(Ok(Moved::Written));
        }
        if read {
            // Of this thread: a buffer of its own would be cold memory with each packet, and most of them are
            // small.
            let mut bytes = [MaybeUninit::uninit(); READ_BYTES];
            let mut buffer = ReadBuf::uninit(&mut bytes);
            match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) => {
                    return Poll::Ready(Ok(Moved::Read(buffer.filled().into())));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
        }
        Poll::Pending
    })
    .await
}

/// Writes all that waits.
pub(super) async fn drain<S>(stream: &mut S, out: &mut Out) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while out.waits() {
        exchange(stream, out, false).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    #[tokio::test]
    async fn what_is_pushed_arrives_whole_and_in_order_through_a_small_hole() {
        let (mut near, mut far) = tokio::io::duplex(7);
        let mut out = Out::default();
        let sent: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        for part in sent.chunks(999) {
            out.push(part);
        }
        let now = Instant::now();
        assert!(out.waits() && out.stuck_at(now, Duration::ZERO) == Some(now));
        let reader = tokio::spawn(async move {
            let mut got = vec![0; 10_000];
            far.read_exact(&mut got).await.unwrap();
            got
        });
        drain(&mut near, &mut out).await.unwrap();
        assert!(!out.waits() && out.stuck_at(now, Duration::ZERO).is_none());
        assert_eq!(reader.await.unwrap(), sent);
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_not_read_from_either_and_can_be_forgotten() {
        let (mut near, mut far) = tokio::io::duplex(4);
        let mut out = Out::default();
        out.push(b"abcdefgh");
        tokio::io::AsyncWriteExt::write_all(&mut far, b"xy").await.unwrap();
        // What fits is written; then only reading goes, and only where it is wanted.
        let first = exchange(&mut near, &mut out, false).await.unwrap();
        assert!(matches!(first, Moved::Written));
        assert_eq!(out.len(), 4);
        let short = Duration::from_millis(20);
        let stuck = tokio::time::timeout(short, exchange(&mut near, &mut out, false));
        assert!(stuck.await.is_err());
        let read = exchange(&mut near, &mut out, true).await.unwrap();
        assert!(matches!(read, Moved::Read(bytes) if *bytes == *b"xy"));
        assert!(!out.forget(), "it began to be written");
        assert_eq!(out.len(), 0);
    }
}
