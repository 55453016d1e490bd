//! Lines of JSON in a `POST` each; a receiver acknowledges by a 2xx status, and not before it has
//! them safe.

use super::{TAKE, tls};
use bytes::Bytes;
use crypto::Secret;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use service::{StreamPlace, StreamedEvent};
use std::sync::Arc;
use tokio::time::timeout;

/// Longest answer that is read, in bytes; it is not looked at.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

pub(super) struct Https {
    host: String,
    port: u16,
    path: String,
    tls: Arc<ClientConfig>,
    authorization: Option<HeaderValue>,
    connection: Option<SendRequest<Full<Bytes>>>,
    /// events at a time: fewer where the receiver found a body too large
    at_once: usize,
}

impl Https {
    pub(super) fn new(
        host: &str,
        port: u16,
        path: &str,
        tls: Arc<ClientConfig>,
        authorization: Option<&Secret>,
    ) -> Result<Self, String> {
        let authorization = authorization
            .map(|secret| {
                let mut value = HeaderValue::from_bytes(secret.expose())
                    .map_err(|_| "the Authorization field cannot be sent".to_owned())?;
                value.set_sensitive(true);
                Ok::<_, String>(value)
            })
            .transpose()?;
        let (host, path) = (host.to_owned(), path.to_owned());
        Ok(Self { host, port, path, tls, authorization, connection: None, at_once: usize::MAX })
    }

    pub(super) async fn send(
        &mut self,
        stream: &str,
        events: &[StreamedEvent],
    ) -> Result<Option<StreamPlace>, String> {
        let mut taken = None;
        let mut rest = events;
        while let Some(chunk) = rest.get(..rest.len().min(self.at_once)).filter(|c| !c.is_empty()) {
            let mut body = String::new();
            for event in chunk {
                body.push_str(&event.json(stream));
                body.push('\n');
            }
            match timeout(TAKE, self.post(body)).await.map_err(|_| self.slow())?? {
                status if status.is_success() => {
                    taken = chunk.last().map(StreamedEvent::place);
                    rest = rest.get(chunk.len()..).unwrap_or_default();
                }
                StatusCode::PAYLOAD_TOO_LARGE if chunk.len() > 1 => {
                    self.at_once = chunk.len() / 2;
                }
                status => {
                    // What was taken before is noted first; this is tried again.
                    if taken.is_some() {
                        return Ok(taken);
                    }
                    return Err(format!("the receiver answered {}", status.as_u16()));
                }
            }
        }
        Ok(taken)
    }

    fn slow(&self) -> String {
        format!("{}:{} does not answer a request", self.host, self.port)
    }

    async fn post(&mut self, body: String) -> Result<StatusCode, String> {
        let broke = |error: hyper::Error| format!("the connection broke: {error}");
        let mut connection = match self.connection.take().filter(|kept| !kept.is_closed()) {
            Some(kept) => kept,
            None => {
                let socket = tls::connect(&self.host, self.port, &self.tls).await?;
                let (connection, driver) = handshake(TokioIo::new(socket)).await.map_err(broke)?;
                tokio::spawn(async move { drop(driver.await) });
                connection
            }
        };
        let host = match (self.host.contains(':'), self.port) {
            (true, port) => format!("[{}]:{port}", self.host),
            (false, 443) => self.host.clone(),
            (false, port) => format!("{}:{port}", self.host),
        };
        let mut request = Request::post(&self.path)
            .header(header::HOST, host)
            .header(header::CONTENT_TYPE, "application/x-ndjson")
            .header(header::USER_AGENT, concat!("tegata/", env!("CARGO_PKG_VERSION")));
        if let Some(value) = &self.authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        let request =
            request.body(Full::new(Bytes::from(body))).map_err(|error| error.to_string())?;
        let answer = connection.send_request(request).await.map_err(broke)?;
        let status = answer.status();
        // A connection whose answer was read to its end is used again.
        if Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.is_ok() {
            self.connection = Some(connection);
        }
        Ok(status)
    }
}
