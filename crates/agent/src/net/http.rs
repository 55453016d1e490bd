//! The head of an answer (RFC 9112), read by `httparse`.

use crate::Failure;
use crypto::UnixTime;

/// Longest head, in bytes.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most header fields.
const FIELDS_MAX: usize = 64;

/// How long the body is (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// so many bytes
    Length(u64),
    /// in chunks
    Chunked,
    /// until the connection ends
    Rest,
}

/// What stands before the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// status code
    pub status: u16,
    /// names in lower case
    fields: Vec<(String, String)>,
    /// how long the body is
    pub framing: Framing,
    /// whether the connection may be used again
    pub keep: bool,
    /// bytes that the head takes
    pub bytes: usize,
}

impl Head {
    /// Reads a head from the beginning of `bytes`; `None` where more is needed.
    ///
    /// # Errors
    /// `http` for what is not HTTP/1.1, or whose length two parties could read in two ways.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, Failure> {
        let bad = |why: &str| Failure::unavailable("http", format!("the answer {why}"));
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut response = httparse::Response::new(&mut fields);
        let length = match response.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES_MAX => return Ok(None),
            Ok(httparse::Status::Partial) => return Err(bad("has a head of more than 16 KiB")),
            Err(error) => return Err(bad(&format!("is not HTTP/1.1: {error}"))),
        };
        if length > HEAD_BYTES_MAX {
            return Err(bad("has a head of more than 16 KiB"));
        }
        let status = response.code.unwrap_or(0);
        let mut fields = Vec::new();
        for field in response.headers.iter() {
            let value = std::str::from_utf8(field.value).map_err(|_| bad("has an odd header"))?;
            fields.push((field.name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let all =
            |name: &'static str| fields.iter().filter(move |(n, _)| n == name).map(|(_, v)| v);
        let mut lengths = all("content-length");
        let coded: Vec<&String> = all("transfer-encoding").collect();
        let framing = match (lengths.next(), coded.as_slice()) {
            _ if matches!(status, 100..200 | 204 | 304) => Framing::Length(0),
            (None, []) => Framing::Rest,
            (None, [one]) if one.eq_ignore_ascii_case("chunked") => Framing::Chunked,
            (Some(length), []) => {
                // All the same, and digits only: else it could be read in two ways.
                let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
                if !digits || lengths.any(|other| other != length) {
                    return Err(bad("has no clear Content-Length"));
                }
                Framing::Length(length.parse().map_err(|_| bad("has no clear Content-Length"))?)
            }
            _ => return Err(bad("has both or odd Content-Length and Transfer-Encoding")),
        };
        let closes = all("connection").any(|value| value.to_ascii_lowercase().contains("close"));
        let keep = response.version == Some(1) && !closes && framing != Framing::Rest;
        Ok(Some(Self { status, fields, framing, keep, bytes: length }))
    }

    /// A header field, the first of its name; `name` in lower case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// First byte and whole length of what a 206 brings (RFC 9110 section 14.4).
    pub fn content_range(&self) -> Option<(u64, u64)> {
        let (range, whole) =
            self.field("content-range")?.strip_prefix("bytes ")?.split_once('/')?;
        let (first, _) = range.split_once('-')?;
        Some((first.parse().ok()?, whole.parse().ok()?))
    }

    /// When it was answered, by the server's clock (RFC 9110 section 6.6.1).
    pub fn date(&self) -> Option<UnixTime> {
        super::date::parse(self.field("date")?)
    }

    /// Seconds of Retry-After.
    pub fn retry_after(&self) -> Option<u64> {
        self.field("retry-after")?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Option<Head>, Failure> {
        Head::parse(text.as_bytes())
    }

    #[test]
    fn lengths_are_clear_or_refused() {
        let head = read(
            "HTTP/1.1 206 x\r\nContent-Length: 5\r\nContent-Range: bytes 7-11/12\r\n\r\nhello",
        )
        .unwrap()
        .unwrap();
        assert_eq!((head.status, head.framing, head.keep), (206, Framing::Length(5), true));
        assert_eq!(head.content_range(), Some((7, 12)));
        let head =
            read("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nConnection: Close\r\n\r\n");
        let head = head.unwrap().unwrap();
        assert_eq!((head.framing, head.keep), (Framing::Chunked, false));
        assert_eq!(read("HTTP/1.0 200 OK\r\n\r\n").unwrap().unwrap().framing, Framing::Rest);
        assert_eq!(read("HTTP/1.1 204 OK\r\n\r\n").unwrap().unwrap().framing, Framing::Length(0));
        assert_eq!(read("HTTP/1.1 200 OK\r\nConte").unwrap(), None);
        for bad in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "SSH-2.0-OpenSSH\r\n\r\n",
        ] {
            assert_eq!(read(bad).unwrap_err().code, "http", "{bad}");
        }
        let long = format!("HTTP/1.1 200 OK\r\nx: {}", "a".repeat(HEAD_BYTES_MAX));
        assert_eq!(read(&long).unwrap_err().code, "http");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Head::parse(&bytes);
            let _ = Head::parse(&[b"HTTP/1.1 200 OK\r\n".as_slice(), &bytes, b"\r\n\r\n"].concat());
        }
    }
}
