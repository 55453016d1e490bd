//! A stream that writes one piece as one piece.
//!
//! TLS hands its records over as a list, which at a device's door has one of them, and the kernel takes
//! more time for a list of one than for the piece itself.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[derive(Debug)]
pub(crate) struct Single<S>(pub(crate) S);

impl<S: AsyncRead + Unpin> AsyncRead for Single<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Single<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, from)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match from {
            [one] => Pin::new(&mut self.0).poll_write(cx, one),
            _ => Pin::new(&mut self.0).poll_write_vectored(cx, from),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    /// Counts by which way it was written to: as a piece, as a list.
    struct Counted(DuplexStream, [usize; 2]);

    impl AsyncWrite for Counted {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            from: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.1[0] += 1;
            Pin::new(&mut self.0).poll_write(cx, from)
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            from: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.1[1] += 1;
            Pin::new(&mut self.0).poll_write_vectored(cx, from)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(cx)
        }
    }

    #[tokio::test]
    async fn a_list_of_one_is_written_as_a_piece() {
        let (near, _far) = tokio::io::duplex(64);
        let mut near = Single(Counted(near, [0, 0]));
        assert_eq!(near.write_vectored(&[IoSlice::new(b"one")]).await.unwrap(), 3);
        assert_eq!(near.0.1, [1, 0]);
        let two = [IoSlice::new(b"two"), IoSlice::new(b"three")];
        assert_eq!(near.write_vectored(&two).await.unwrap(), 8);
        assert_eq!(near.0.1, [1, 1]);
    }

    #[tokio::test]
    async fn lists_of_any_length_arrive_in_order() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut near = Single(near);
        for list in
            [&[&b"one"[..]][..], &[b"two", b"three"], &[b"", b"four"], &[b"five", b"", b"."]]
        {
            let slices: Vec<IoSlice<'_>> = list.iter().map(|it| IoSlice::new(it)).collect();
            let mut left = slices.iter().map(|it| it.len()).sum::<usize>();
            let whole: Vec<u8> = list.concat();
            while left > 0 {
                let from = whole.len() - left;
                // As a caller goes on after a part was taken.
                left -= match from {
                    0 => near.write_vectored(&slices).await.unwrap(),
                    _ => near.write_vectored(&[IoSlice::new(&whole[from..])]).await.unwrap(),
                };
            }
            near.flush().await.unwrap();
        }
        near.shutdown().await.unwrap();
        let mut all = String::new();
        far.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, "onetwothreefourfive.");
    }
}
