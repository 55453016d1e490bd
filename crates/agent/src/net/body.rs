//! The body of an answer, however long it says it is.

use super::http::Framing;
use crate::Failure;
use std::io::Read;

/// Longest line of a chunk's size, and all trailers, in bytes.
const LINE_MAX: usize = 1024;

/// Bytes that come after a head, the first of which may have been read already.
pub(super) struct Body {
    framing: Framing,
    /// bytes left of this body or chunk
    left: u64,
    /// where chunks stand
    chunk: Chunk,
    /// read, not yet handed out
    ahead: Vec<u8>,
    at: usize,
    done: bool,
}

enum Chunk {
    Size,
    Data,
    End,
    Trailers,
}

impl Body {
    pub(super) fn new(framing: Framing, ahead: Vec<u8>) -> Self {
        let left = match framing {
            Framing::Length(length) => length,
            _ => 0,
        };
        let done = framing == Framing::Length(0);
        Self { framing, left, chunk: Chunk::Size, ahead, at: 0, done }
    }

    /// Whether all of it was handed out.
    pub(super) fn done(&self) -> bool {
        self.done && self.at >= self.ahead.len()
    }

    /// The next bytes; 0 at the end.
    pub(super) fn read(&mut self, from: &mut impl Read, into: &mut [u8]) -> Result<usize, Failure> {
        loop {
            if self.done || into.is_empty() {
                return Ok(0);
            }
            match self.framing {
                Framing::Rest => {
                    let read = self.raw(from, into)?;
                    self.done = read == 0;
                    return Ok(read);
                }
                Framing::Length(_) => return self.counted(from, into),
                Framing::Chunked => match self.chunk {
                    Chunk::Data => return self.counted(from, into),
                    _ => self.between(from)?,
                },
            }
        }
    }

    /// At most what is left of the body or chunk.
    fn counted(&mut self, from: &mut impl Read, into: &mut [u8]) -> Result<usize, Failure> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        let read = self.raw(from, into.get_mut(..most).unwrap_or_default())?;
        if read == 0 {
            return Err(cut_off());
        }
        self.left = self.left.saturating_sub(u64::try_from(read).unwrap_or(self.left));
        if self.left == 0 {
            match self.framing {
                Framing::Chunked => self.chunk = Chunk::End,
                _ => self.done = true,
            }
        }
        Ok(read)
    }

    /// What stands between chunks (RFC 9112 section 7.1).
    fn between(&mut self, from: &mut impl Read) -> Result<(), Failure> {
        let line = self.line(from)?;
        match self.chunk {
            Chunk::Size => {
                let digits = line.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
                let text = std::str::from_utf8(digits).unwrap_or_default();
                let hex = !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
                let size = u64::from_str_radix(text, 16).ok().filter(|_| hex).ok_or_else(odd)?;
                self.left = size;
                self.chunk = if size == 0 { Chunk::Trailers } else { Chunk::Data };
            }
            Chunk::End if line.is_empty() => self.chunk = Chunk::Size,
            Chunk::End => return Err(odd()),
            Chunk::Trailers => self.done = line.is_empty(),
            Chunk::Data => {}
        }
        Ok(())
    }

    fn line(&mut self, from: &mut impl Read) -> Result<Vec<u8>, Failure> {
        let mut line = Vec::new();
        loop {
            let mut byte = [0];
            if self.raw(from, &mut byte)? == 0 {
                return Err(cut_off());
            }
            match byte {
                [b'\n'] => {
                    return match line.pop() {
                        Some(b'\r') => Ok(line),
                        _ => Err(odd()),
                    };
                }
                [byte] => line.push(byte),
            }
            if line.len() > LINE_MAX {
                return Err(odd());
            }
        }
    }

    fn raw(&mut self, from: &mut impl Read, into: &mut [u8]) -> Result<usize, Failure> {
        let ahead = self.ahead.get(self.at..).unwrap_or_default();
        if !ahead.is_empty() {
            let read = ahead.len().min(into.len());
            for (to, from) in into.iter_mut().zip(ahead) {
                *to = *from;
            }
            self.at += read;
            return Ok(read);
        }
        match from.read(into) {
            Ok(read) => Ok(read),
            // A server that ends without saying so in TLS: whether that is an end is for the length.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(cut_off()),
            Err(error) => Err(Failure::unavailable("connection", error.to_string())),
        }
    }
}

fn cut_off() -> Failure {
    Failure::unavailable("connection", "the connection ended in the middle of an answer")
}

fn odd() -> Failure {
    Failure::unavailable("http", "the chunks of the answer cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(framing: Framing, ahead: &[u8], rest: &[u8]) -> Result<Vec<u8>, Failure> {
        let (mut body, mut rest, mut out) = (Body::new(framing, ahead.to_vec()), rest, Vec::new());
        loop {
            let mut buffer = [0; 3];
            match body.read(&mut rest, &mut buffer)? {
                0 => return Ok(out),
                read => out.extend_from_slice(&buffer[..read]),
            }
        }
    }

    #[test]
    fn bodies_end_where_they_say() {
        assert_eq!(all(Framing::Length(5), b"he", b"lloGET").unwrap(), b"hello");
        assert_eq!(all(Framing::Rest, b"he", b"llo").unwrap(), b"hello");
        let chunks = b"5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nTrailer: x\r\n\r\nHTTP";
        for cut in 0..chunks.len() {
            let (ahead, rest) = chunks.split_at(cut);
            assert_eq!(all(Framing::Chunked, ahead, rest).unwrap(), b"hello!");
        }
        assert_eq!(all(Framing::Length(5), b"he", b"l").unwrap_err().code, "connection");
        for bad in
            ["5\r\nhello", "x\r\n", "+5\r\nhello\r\n0\r\n\r\n", "5\nhello", "5\r\nhelloX\r\n"]
        {
            assert!(all(Framing::Chunked, b"", bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_chunks_end(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = all(Framing::Chunked, b"", &bytes);
        }

        #[test]
        fn chunks_in_any_pieces(pieces in proptest::collection::vec("[a-z]{1,20}", 0..6), cut in any::<prop::sample::Index>()) {
            let mut wire = String::new();
            for piece in &pieces {
                wire.push_str(&format!("{:X}\r\n{piece}\r\n", piece.len()));
            }
            wire.push_str("0\r\n\r\n");
            let (ahead, rest) = wire.as_bytes().split_at(cut.index(wire.len()));
            prop_assert_eq!(all(Framing::Chunked, ahead, rest).unwrap(), pieces.concat().into_bytes());
        }
    }
}
