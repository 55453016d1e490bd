use super::{Answer, Call, ClientError, Endpoint, Settings};
use bytes::Bytes;
use http::{HeaderValue, Request, Version, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::sync::Arc;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

/// What the TLS session of a connection is.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// The protocol's version, for TLS.
    pub tls: Option<rustls::ProtocolVersion>,
    /// Cipher suite, in the registry's words.
    pub suite: Option<String>,
    /// Key exchange group, in the registry's words.
    pub group: Option<String>,
    /// Channel binding (RFC 9266, tls-exporter), where the version is TLS 1.3.
    pub exporter: Option<[u8; 32]>,
    /// The server's certificates in DER, leaf first.
    pub server: Vec<Vec<u8>>,
}

enum Sender {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

/// One open connection to a server.
pub struct Connection {
    sender: Sender,
    session: Session,
    host: HeaderValue,
    settings: Arc<Settings>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({:?})", self.session.tls)
    }
}

/// A call that was not sent; it can be sent over another connection.
pub(super) struct Unsent(pub(super) Call);

impl Connection {
    pub(super) async fn open(
        endpoint: &Endpoint,
        tls: Option<&Arc<rustls::ClientConfig>>,
        settings: &Arc<Settings>,
    ) -> Result<Self, ClientError> {
        timeout(settings.connect_time, Self::open_now(endpoint, tls, settings))
            .await
            .map_err(|_| ClientError::Timeout(settings.connect_time.as_secs()))?
    }

    async fn open_now(
        endpoint: &Endpoint,
        tls: Option<&Arc<rustls::ClientConfig>>,
        settings: &Arc<Settings>,
    ) -> Result<Self, ClientError> {
        let address = endpoint.address();
        let stream = TcpStream::connect((endpoint.connect_host(), endpoint.port))
            .await
            .map_err(|cause| ClientError::Connect { address: address.clone(), cause })?;
        // Small requests: waiting to fill a packet would only cost time.
        let _ = stream.set_nodelay(true);
        let host =
            HeaderValue::from_str(&address).map_err(|_| ClientError::Address(address.clone()))?;
        let Some(tls) = tls else {
            let (sender, connection) = http1_builder(settings)
                .handshake(TokioIo::new(stream))
                .await
                .map_err(|error| http_error(&error))?;
            tokio::spawn(connection);
            let session = Session::default();
            return Ok(Self {
                sender: Sender::One(sender),
                session,
                host,
                settings: settings.clone(),
            });
        };
        let stream = TlsConnector::from(tls.clone())
            .connect(endpoint.server_name()?, stream)
            .await
            .map_err(|error| ClientError::Tls { address, cause: tls_cause(&error) })?;
        let (session, two) = session_of(stream.get_ref().1);
        let io = TokioIo::new(stream);
        let sender = if two {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_header_list_size(settings.header_bytes_max)
                .handshake(io)
                .await
                .map_err(|error| http_error(&error))?;
            tokio::spawn(connection);
            Sender::Two(sender)
        } else {
            let (sender, connection) =
                http1_builder(settings).handshake(io).await.map_err(|error| http_error(&error))?;
            tokio::spawn(connection);
            Sender::One(sender)
        };
        Ok(Self { sender, session, host, settings: settings.clone() })
    }

    /// The TLS session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// A second handle to the connection, where it carries several requests at once (HTTP/2).
    pub(super) fn share(&self) -> Option<Self> {
        match &self.sender {
            Sender::One(_) => None,
            Sender::Two(sender) => Some(Self {
                sender: Sender::Two(sender.clone()),
                session: self.session.clone(),
                host: self.host.clone(),
                settings: self.settings.clone(),
            }),
        }
    }

    /// Whether another request may be sent.
    pub fn is_open(&self) -> bool {
        match &self.sender {
            Sender::One(sender) => !sender.is_closed(),
            Sender::Two(sender) => !sender.is_closed(),
        }
    }

    /// Sends one call and reads its answer, whatever its status.
    ///
    /// # Errors
    /// [`ClientError::Http`], [`ClientError::Timeout`], [`ClientError::TooLarge`].
    pub async fn send(&mut self, call: Call) -> Result<Answer, ClientError> {
        self.try_send(call)
            .await?
            .map_err(|_| ClientError::Http("the server closed the connection".to_owned()))
    }

    pub(super) async fn try_send(
        &mut self,
        call: Call,
    ) -> Result<Result<Answer, Unsent>, ClientError> {
        let time = self.settings.answer_time;
        timeout(time, self.try_send_now(call))
            .await
            .map_err(|_| ClientError::Timeout(time.as_secs()))?
    }

    async fn try_send_now(&mut self, call: Call) -> Result<Result<Answer, Unsent>, ClientError> {
        let ready = match &mut self.sender {
            Sender::One(sender) => sender.ready().await,
            Sender::Two(sender) => sender.ready().await,
        };
        if ready.is_err() {
            return Ok(Err(Unsent(call)));
        }
        let request = self.request(&call)?;
        let response = match &mut self.sender {
            Sender::One(sender) => match sender.try_send_request(request).await {
                Ok(response) => response,
                Err(mut error) => match error.take_message() {
                    Some(_) => return Ok(Err(Unsent(call))),
                    None => return Err(http_error(error.error())),
                },
            },
            Sender::Two(sender) => match sender.try_send_request(request).await {
                Ok(response) => response,
                Err(mut error) => match error.take_message() {
                    Some(_) => return Ok(Err(Unsent(call))),
                    None => return Err(http_error(error.error())),
                },
            },
        };
        let (head, body) = response.into_parts();
        let most = self.settings.answer_bytes_max;
        let body = Limited::new(body, most).collect().await.map_err(|error| {
            if error.downcast_ref::<LengthLimitError>().is_some() {
                ClientError::TooLarge(most)
            } else {
                ClientError::Http(error.to_string())
            }
        })?;
        Ok(Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() }))
    }

    fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>, ClientError> {
        let bad = |error: http::Error| ClientError::Address(error.to_string());
        let mut builder = Request::builder().method(call.method.clone());
        builder = match &self.sender {
            Sender::One(_) => {
                builder.uri(call.path.as_str()).header(header::HOST, self.host.clone())
            }
            Sender::Two(_) => {
                let authority = self.host.to_str().unwrap_or_default();
                builder.version(Version::HTTP_2).uri(format!("https://{authority}{}", call.path))
            }
        };
        if let Some(kind) = &call.content_type {
            builder = builder.header(header::CONTENT_TYPE, kind);
        }
        for (name, value) in &call.headers {
            builder = builder.header(name, value);
        }
        builder = builder.header(header::ACCEPT_LANGUAGE, self.settings.language.to_string());
        builder.body(Full::new(call.body.clone())).map_err(bad)
    }
}

/// What is wrong with the session, in the words of our own validator where it refused.
fn tls_cause(error: &std::io::Error) -> String {
    use rustls::{CertificateError, Error, OtherError};
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(CertificateError::Other(OtherError(refusal)))) => {
            refusal.to_string()
        }
        _ => error.to_string(),
    }
}

fn http1_builder(settings: &Settings) -> http1::Builder {
    let mut builder = http1::Builder::new();
    let most = usize::try_from(settings.header_bytes_max).unwrap_or(usize::MAX);
    builder.max_buf_size(most.max(8192));
    builder
}

fn http_error(error: &hyper::Error) -> ClientError {
    use std::error::Error as _;
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    ClientError::Http(text)
}

fn session_of(tls: &rustls::ClientConnection) -> (Session, bool) {
    let version = tls.protocol_version();
    let exporter = (version == Some(rustls::ProtocolVersion::TLSv1_3))
        .then(|| {
            crate::tls::channel_binding(|out, label| {
                tls.export_keying_material(out, label, Some(&[])).is_ok()
            })
        })
        .flatten();
    let session = Session {
        tls: version,
        suite: tls.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite())),
        group: tls.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name())),
        exporter,
        server: tls
            .peer_certificates()
            .unwrap_or_default()
            .iter()
            .map(|certificate| certificate.to_vec())
            .collect(),
    };
    (session, tls.alpn_protocol() == Some(b"h2"))
}
