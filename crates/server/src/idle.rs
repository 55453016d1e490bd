//! A byte stream whose peer must not stall (slow readers and silent peers are cut off).

use std::{
    future::Future as _,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// Ends with [`io::ErrorKind::TimedOut`] where a read or a write waits longer than the limit.
///
/// The wait for the first byte is not its affair: handshakes and headers have times of their own,
/// which begin with the connection. So most short connections come and go without a timer here.
#[derive(Debug)]
pub(crate) struct Idle<S> {
    stream: S,
    begun: bool,
    read: Watch,
    write: Watch,
}

#[derive(Debug)]
struct Watch {
    limit: Duration,
    /// made when it is first needed, and set anew only when it goes off too early
    sleep: Option<Pin<Box<Sleep>>>,
    /// since when the peer is waited for
    since: Option<Instant>,
}

impl Watch {
    fn new(limit: Duration) -> Self {
        Self { limit, sleep: None, since: None }
    }

    /// `poll` of the inner stream gave `result`: either it moved, or its time runs.
    fn after<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.since = None;
            return result;
        }
        let deadline = *self.since.get_or_insert_with(Instant::now) + self.limit;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= deadline {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

impl<S> Idle<S> {
    pub(crate) fn new(stream: S, limit: Duration) -> Self {
        Self { stream, begun: false, read: Watch::new(limit), write: Watch::new(limit) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Idle<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        if !self.begun {
            self.begun = result.is_ready();
            return result;
        }
        self.read.after(cx, result)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Idle<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.write.after(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.write.after(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        self.write.after(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.write.after(cx, result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_and_a_slow_reader_time_out() {
        let (near, mut far) = tokio::io::duplex(16);
        let mut near = Idle::new(near, Duration::from_secs(5));
        // Others watch over the first byte.
        let first = tokio::time::timeout(Duration::from_secs(60), near.read_u8()).await;
        assert!(first.is_err());
        far.write_all(b"x").await.unwrap();
        assert_eq!(near.read_u8().await.unwrap(), b'x');
        for _ in 0..2 {
            let start = Instant::now();
            assert_eq!(near.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert_eq!(start.elapsed().as_secs(), 5);
            far.write_all(b"x").await.unwrap();
            assert_eq!(near.read_u8().await.unwrap(), b'x');
        }

        let start = Instant::now();
        assert_eq!(near.write_all(&[0; 64]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_moves_is_left_alone() {
        let (near, mut far) = tokio::io::duplex(16);
        let mut near = Idle::new(near, Duration::from_secs(5));
        let writer = tokio::spawn(async move {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_secs(4)).await;
                far.write_all(b"x").await.unwrap();
            }
            far
        });
        for _ in 0..10 {
            near.read_u8().await.unwrap();
        }
        writer.await.unwrap();
    }
}
