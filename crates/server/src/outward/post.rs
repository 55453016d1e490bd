//! `POST` over HTTPS to one receiver, over connections that are used again.

use super::{reach::Reach, tls};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{task::AbortHandle, time::timeout};

/// Longest answer that is read, in bytes; it is not looked at.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Connections that are kept for the next request.
const IDLE_MAX: usize = 16;

/// One receiver.
pub(crate) struct Poster {
    host: String,
    port: u16,
    path: String,
    tls: Arc<ClientConfig>,
    reach: Reach,
    idle: Mutex<Vec<Connection>>,
}

/// A connection with the task that moves its bytes, which ends with it: a receiver that takes nothing
/// any more would keep it for ever.
struct Connection {
    request: SendRequest<Full<Bytes>>,
    driver: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What it answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    /// after how many seconds it wants to be asked again
    pub(crate) retry_after_s: Option<u32>,
}

impl Poster {
    pub(crate) fn new(
        (host, port, path): (&str, u16, &str),
        tls: Arc<ClientConfig>,
        reach: Reach,
    ) -> Self {
        let (host, path) = (host.to_owned(), path.to_owned());
        Self { host, port, path, tls, reach, idle: Mutex::new(Vec::new()) }
    }

    /// One request; redirects are answers like any other.
    pub(crate) async fn post(
        &self,
        headers: &[(HeaderName, HeaderValue)],
        body: &Bytes,
        patience: Duration,
    ) -> Result<Answered, String> {
        let slow = || format!("{}:{} does not answer a request", self.host, self.port);
        timeout(patience, self.ask(headers, body)).await.map_err(|_| slow())?
    }

    async fn ask(
        &self,
        headers: &[(HeaderName, HeaderValue)],
        body: &Bytes,
    ) -> Result<Answered, String> {
        // A connection that was kept may have been closed meanwhile: that is no failure yet.
        while let Some(kept) = self.kept() {
            if let Ok(answered) = self.ask_over(kept, headers, body).await {
                return Ok(answered);
            }
        }
        let socket = tls::connect(&self.host, self.port, &self.tls, &self.reach).await?;
        let (request, driver) =
            handshake(TokioIo::new(socket)).await.map_err(|error| broke(&error))?;
        let driver = tokio::spawn(async move { drop(driver.await) }).abort_handle();
        self.ask_over(Connection { request, driver }, headers, body).await
    }

    fn kept(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|kept| !kept.request.is_closed());
        idle.pop()
    }

    async fn ask_over(
        &self,
        mut connection: Connection,
        headers: &[(HeaderName, HeaderValue)],
        body: &Bytes,
    ) -> Result<Answered, String> {
        let host = match (self.host.contains(':'), self.port) {
            (true, port) => format!("[{}]:{port}", self.host),
            (false, 443) => self.host.clone(),
            (false, port) => format!("{}:{port}", self.host),
        };
        let mut request = Request::post(&self.path)
            .header(header::HOST, host)
            .header(header::USER_AGENT, concat!("tegata/", env!("CARGO_PKG_VERSION")));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body.clone())).map_err(|error| error.to_string())?;
        connection.request.ready().await.map_err(|error| broke(&error))?;
        let answer =
            connection.request.send_request(request).await.map_err(|error| broke(&error))?;
        let status = answer.status();
        let retry_after_s = answer.headers().get(header::RETRY_AFTER).and_then(seconds);
        // A connection whose answer was read to its end is used again.
        if Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.is_ok() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < IDLE_MAX {
                idle.push(connection);
            }
        }
        Ok(Answered { status, retry_after_s })
    }
}

fn broke(error: &hyper::Error) -> String {
    format!("the connection broke: {error}")
}

/// `Retry-After` in seconds (RFC 9110 section 10.2.3). The form with a date is read over: our own
/// pause is then as good.
fn seconds(value: &HeaderValue) -> Option<u32> {
    value.to_str().ok()?.trim().parse().ok()
}
