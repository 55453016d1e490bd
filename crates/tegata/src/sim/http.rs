//! As much of HTTP/1.1 as a device needs that posts its messages.

use anyhow::{Context as _, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// Longest header that is read.
const HEADER_MAX: u64 = 16 * 1024;
/// Longest answer that is read.
const BODY_MAX: u64 = 1024 * 1024;

/// A connection.
pub struct Http {
    stream: BufReader<TlsStream<TcpStream>>,
    host: String,
}

impl Http {
    /// Over a stream, to a host of this name.
    pub fn new(stream: TlsStream<TcpStream>, host: String) -> Self {
        Self { stream: BufReader::with_capacity(1024, stream), host }
    }

    /// Posts; the status of the answer.
    pub async fn post(&mut self, path: &str, media: &str, body: &[u8]) -> anyhow::Result<u16> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: {media}\r\nContent-Length: {}\r\n\r\n",
            self.host,
            body.len()
        );
        let mut request = head.into_bytes();
        request.extend_from_slice(body);
        self.stream.write_all(&request).await?;
        self.stream.flush().await?;
        self.answer().await
    }

    async fn answer(&mut self) -> anyhow::Result<u16> {
        let mut left = HEADER_MAX;
        let first = self.line(&mut left).await?;
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status: u16 = status.with_context(|| format!("{first:?} instead of an answer"))?;
        let mut length = 0;
        loop {
            let line = self.line(&mut left).await?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').context("a header that is none")?;
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().context("a length that is none")?;
            }
            ensure!(!name.eq_ignore_ascii_case("transfer-encoding"), "an answer in pieces");
        }
        ensure!(length <= BODY_MAX, "an answer that is too long");
        let mut body = (&mut self.stream).take(length);
        let read = tokio::io::copy(&mut body, &mut tokio::io::sink()).await?;
        ensure!(read == length, "the connection ended");
        Ok(status)
    }

    async fn line(&mut self, left: &mut u64) -> anyhow::Result<String> {
        let mut line = Vec::new();
        let read = (&mut self.stream).take(*left).read_until(b'\n', &mut line).await?;
        *left = left.saturating_sub(u64::try_from(read)?);
        if line.pop() != Some(b'\n') {
            bail!(if *left == 0 { "a header that is too long" } else { "the connection ended" });
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        String::from_utf8(line).context("a header that is no text")
    }
}
