//! A client for HTTP over TLS: mutual authentication, own trust roots, connections kept alive,
//! time and size limits. The typed REST client and the EST client are built on it.

mod connection;
mod error;
mod est;
mod pool;
mod tls;

pub use connection::{Connection, Session};
pub use error::ClientError;
pub use est::{Est, EstConnection};
pub use tls::Identity;

/// Header of a passport file: how many witnesses cosigned its log, and how many readers should ask
/// for, as `HAVE/NEED`.
pub const WITNESSES: &str = "tegata-witnesses";

use crate::problem::{self, Problem};
use bytes::Bytes;
use connection::Unsent;
use device::Language;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use pool::Pool;
use rustls_pki_types::ServerName;
use serde::{Serialize, de::DeserializeOwned};
use std::{sync::Arc, time::Duration};
use zeroize::Zeroizing;

/// How a client behaves. Sizes in bytes.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Time for a connection and its TLS handshake.
    pub connect_time: Duration,
    /// Time from sending a call to the end of its answer.
    pub answer_time: Duration,
    /// Longest answer body taken.
    pub answer_bytes_max: usize,
    /// Longest answer header taken.
    pub header_bytes_max: u32,
    /// Idle connections kept open.
    pub idle_connections_max: usize,
    /// Many calls over one connection (HTTP/2) instead of one connection per call at a time.
    pub http2: bool,
    /// Language of explanations.
    pub language: Language,
    /// TLS 1.2 only, to test a server with it.
    pub tls12_only: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_time: Duration::from_secs(10),
            answer_time: Duration::from_secs(60),
            answer_bytes_max: 64 * 1024 * 1024,
            header_bytes_max: 64 * 1024,
            idle_connections_max: 32,
            http2: false,
            language: Language::En,
            tls12_only: false,
        }
    }
}

/// One request to be sent.
#[derive(Debug, Clone)]
pub struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) content_type: Option<HeaderValue>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
}

impl Call {
    /// A call of `method` on `path`, which begins with a slash and may have a query.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            content_type: None,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// A `GET`.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// A `POST` of `body`.
    pub fn post(
        path: impl Into<String>,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Self {
        Self::new(Method::POST, path).body(content_type, body)
    }

    /// Carries `body`.
    #[must_use]
    pub fn body(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.content_type = Some(HeaderValue::from_static(content_type));
        self.body = body.into();
        self
    }

    /// Carries `value` as JSON.
    ///
    /// # Errors
    /// [`ClientError::Malformed`] where it has no JSON form.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, ClientError> {
        let bytes =
            serde_json::to_vec(value).map_err(|error| ClientError::Malformed(error.to_string()))?;
        Ok(self.body("application/json", bytes))
    }

    /// Carries a header field.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Header.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl Answer {
    /// The media type without its parameters, in lower case.
    pub fn media_type(&self) -> Option<String> {
        let value = self.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
    }

    /// The answer itself where it is a success.
    ///
    /// # Errors
    /// [`ClientError::Refused`] or [`ClientError::Status`].
    pub fn success(self) -> Result<Self, ClientError> {
        if self.status.is_success() {
            return Ok(self);
        }
        if self.media_type().as_deref() == Some(problem::MEDIA_TYPE)
            && let Ok(problem) = serde_json::from_slice::<Problem>(&self.body)
        {
            return Err(ClientError::Refused(Box::new(problem)));
        }
        let text = String::from_utf8_lossy(&self.body).chars().take(300).collect();
        Err(ClientError::Status { status: self.status.as_u16(), text })
    }

    /// The body as `T`.
    ///
    /// # Errors
    /// As [`Self::success`], and [`ClientError::Malformed`].
    pub fn json<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        let answer = self.success()?;
        serde_json::from_slice(&answer.body)
            .map_err(|error| ClientError::Malformed(error.to_string()))
    }
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    secure: bool,
    host: String,
    port: u16,
}

impl Endpoint {
    fn parse(base: &str) -> Result<Self, ClientError> {
        let bad = || ClientError::Address(base.to_owned());
        let uri: http::Uri = base.parse().map_err(|_| bad())?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad()),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(bad());
        }
        let authority = uri.authority().ok_or_else(bad)?;
        if authority.as_str().contains('@') {
            return Err(bad());
        }
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Ok(Self { secure, host: authority.host().to_owned(), port })
    }

    /// For the `Host` field.
    fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// For the resolver: an IPv6 address without its brackets.
    fn connect_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    fn server_name(&self) -> Result<ServerName<'static>, ClientError> {
        ServerName::try_from(self.connect_host().to_owned())
            .map_err(|_| ClientError::Address(self.host.clone()))
    }
}

/// A client of one server. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    endpoint: Endpoint,
    tls: Option<Arc<rustls::ClientConfig>>,
    settings: Arc<Settings>,
    token: Option<Zeroizing<String>>,
    pool: Pool,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.inner.endpoint.address())
    }
}

impl Client {
    /// A client of the server at `base` (`https://host:port`), which must show a certificate for
    /// that host under one of `roots`. `identity` is shown to it.
    ///
    /// # Errors
    /// [`ClientError::Address`], [`ClientError::Credential`].
    pub fn new(
        base: &str,
        roots: &[pki::Certificate],
        identity: Option<&Identity>,
        settings: Settings,
    ) -> Result<Self, ClientError> {
        let endpoint = Endpoint::parse(base)?;
        if !endpoint.secure {
            return Err(ClientError::Address(format!("{base} is not https")));
        }
        let tls = tls::client_config(roots, identity, &settings)?;
        Ok(Self::from_parts(endpoint, Some(Arc::new(tls)), settings))
    }

    /// A client of a server of signed public data over plain HTTP (`http://host:port`): OCSP, CRLs,
    /// tiles, witnesses. What comes back proves itself; nothing secret is ever sent.
    ///
    /// # Errors
    /// [`ClientError::Address`].
    pub fn public(base: &str, settings: Settings) -> Result<Self, ClientError> {
        let endpoint = Endpoint::parse(base)?;
        if endpoint.secure {
            return Err(ClientError::Address(format!("{base} is not http")));
        }
        Ok(Self::from_parts(endpoint, None, settings))
    }

    fn from_parts(
        endpoint: Endpoint,
        tls: Option<Arc<rustls::ClientConfig>>,
        settings: Settings,
    ) -> Self {
        let pool = Pool::new(settings.idle_connections_max);
        let settings = Arc::new(settings);
        Self { inner: Arc::new(Inner { endpoint, tls, settings, token: None, pool }) }
    }

    /// The same client with a bearer token, which its certificate must be bound to.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        let inner = &self.inner;
        Self {
            inner: Arc::new(Inner {
                endpoint: inner.endpoint.clone(),
                tls: inner.tls.clone(),
                settings: inner.settings.clone(),
                token: Some(Zeroizing::new(token.to_owned())),
                pool: Pool::new(inner.settings.idle_connections_max),
            }),
        }
    }

    /// A connection of its own, outside the pool.
    ///
    /// # Errors
    /// [`ClientError::Connect`], [`ClientError::Tls`], [`ClientError::Timeout`].
    pub async fn connect(&self) -> Result<Connection, ClientError> {
        Connection::open(&self.inner.endpoint, self.inner.tls.as_ref(), &self.inner.settings).await
    }

    /// Sends a call over a kept or a new connection and reads its answer, whatever its status. A
    /// call that a closing connection did not take is sent once more over a new one.
    ///
    /// # Errors
    /// Every [`ClientError`] but the refusals.
    pub async fn send(&self, call: Call) -> Result<Answer, ClientError> {
        let mut call = self.authorise(call)?;
        if let Some(mut connection) = self.inner.pool.take() {
            match connection.try_send(call).await? {
                Ok(answer) => {
                    self.inner.pool.give_back(connection);
                    return Ok(answer);
                }
                Err(Unsent(unsent)) => call = unsent,
            }
        }
        let mut connection = self.connect().await?;
        if let Some(shared) = connection.share() {
            self.inner.pool.give_back(shared);
            return connection.send(call).await;
        }
        let answer = connection.send(call).await?;
        self.inner.pool.give_back(connection);
        Ok(answer)
    }

    /// As [`Self::send`], where only success is an answer.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn call(&self, call: Call) -> Result<Answer, ClientError> {
        self.send(call).await?.success()
    }

    fn authorise(&self, mut call: Call) -> Result<Call, ClientError> {
        if let Some(token) = &self.inner.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.as_str()))
                .map_err(|_| ClientError::Credential("the token has odd characters".into()))?;
            value.set_sensitive(true);
            call.headers.push((header::AUTHORIZATION, value));
        }
        Ok(call)
    }
}

/// `text` as one segment of a path, or as a value in a query (RFC 3986 section 2.1).
pub fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_or_refused() {
        let endpoint = Endpoint::parse("https://tegata.example").unwrap();
        assert_eq!(endpoint.address(), "tegata.example:443");
        let endpoint = Endpoint::parse("http://[::1]:8080/").unwrap();
        assert_eq!((endpoint.connect_host(), endpoint.port), ("::1", 8080));
        for bad in ["tegata.example", "ftp://x", "https://u:p@x", "https://x/path", "https://x?q"] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn reserved_characters_are_escaped() {
        assert_eq!(percent_encode("a/b c+é"), "a%2Fb%20c%2B%C3%A9");
    }
}
