use super::{
    body::Body,
    http::{HEAD_BYTES_MAX, Head},
    origin::Origin,
};
use crate::{Failure, clock};
use enrolment::est::{EXPORTER_LABEL, EXPORTER_LENGTH};
use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};
use std::{
    io::{Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    sync::Arc,
    time::Duration,
};
use update::client::Pace;

/// For a connection to be made.
const CONNECT: Duration = Duration::from_secs(20);
/// For the next bytes to come or go.
const SILENCE: Duration = Duration::from_secs(60);

/// Slowest answer that is read as a whole, in bytes per second, after so many seconds: metadata of a
/// mirror that drips would hold up everything else.
const BYTES_PER_S_MIN: u64 = 128;
const GRACE_S: u64 = 30;

/// A request.
#[derive(Clone, Debug, Default)]
pub struct Call<'a> {
    /// GET or POST
    pub method: &'a str,
    /// path and query
    pub path: &'a str,
    /// further header fields
    pub fields: Vec<(&'a str, String)>,
    /// body; none for a GET
    pub body: Option<&'a [u8]>,
}

impl<'a> Call<'a> {
    /// A GET.
    pub fn get(path: &'a str) -> Self {
        Self { method: "GET", path, ..Self::default() }
    }

    /// A POST.
    pub fn post(path: &'a str, media_type: &str, body: &'a [u8]) -> Self {
        let fields = vec![("Content-Type", media_type.to_owned())];
        Self { method: "POST", path, fields, body: Some(body) }
    }

    /// With another header field.
    #[must_use]
    pub fn with(mut self, name: &'a str, value: String) -> Self {
        self.fields.push((name, value));
        self
    }
}

/// A server, as it is spoken to by somebody.
#[derive(Clone)]
pub struct Client {
    origin: Origin,
    config: Arc<ClientConfig>,
}

impl Client {
    /// Speaks to `origin` by this configuration.
    pub fn new(origin: Origin, config: Arc<ClientConfig>) -> Self {
        Self { origin, config }
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// `connection` where nobody answers, `tls` where it is not who it should be.
    pub fn connect(&self) -> Result<Connection, Failure> {
        let Origin { host, port } = &self.origin;
        let failed = |error: std::io::Error| {
            let server = self.origin.authority();
            Failure::unavailable("connection", format!("{server} does not answer: {error}"))
        };
        let mut last = std::io::Error::other("its name has no address");
        for address in (host.as_str(), *port).to_socket_addrs().map_err(failed)? {
            match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(stream) => return self.secure(stream),
                Err(error) => last = error,
            }
        }
        Err(failed(last))
    }

    fn secure(&self, stream: TcpStream) -> Result<Connection, Failure> {
        let io = |error: std::io::Error| Failure::unavailable("connection", error.to_string());
        stream.set_read_timeout(Some(SILENCE)).map_err(io)?;
        stream.set_write_timeout(Some(SILENCE)).map_err(io)?;
        stream.set_nodelay(true).map_err(io)?;
        let name = ServerName::try_from(self.origin.host.clone())
            .map_err(|error| Failure::malformed("configuration", error.to_string()))?;
        let tls = ClientConnection::new(self.config.clone(), name)
            .map_err(|error| Failure::malformed("credential", error.to_string()))?;
        let mut stream = StreamOwned::new(tls, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(|error| {
                let is_tls = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
                let code = if is_tls { "tls" } else { "connection" };
                Failure::unavailable(code, error.to_string())
            })?;
        }
        Ok(Connection { stream, authority: self.origin.authority() })
    }
}

/// One TLS connection.
pub struct Connection {
    stream: StreamOwned<ClientConnection, TcpStream>,
    authority: String,
}

impl Connection {
    /// What a certificate request puts into its challengePassword to be bound to this connection
    /// (RFC 9266).
    pub fn challenge_password(&self) -> Option<String> {
        let out = [0; EXPORTER_LENGTH];
        let exporter =
            self.stream.conn.export_keying_material(out, EXPORTER_LABEL, Some(&[])).ok()?;
        Some(enrolment::est::client::challenge_password(&exporter))
    }

    /// Sends a request and reads the head of the answer.
    ///
    /// # Errors
    /// `connection`, `http`.
    pub fn send(&mut self, call: &Call<'_>) -> Result<Reply<'_>, Failure> {
        let io = |error: std::io::Error| Failure::unavailable("connection", error.to_string());
        if !call.path.starts_with('/') || !call.path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::malformed("http", "a path has odd characters"));
        }
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: tegata-agent/{}\r\nAccept-Encoding: identity\r\n",
            call.method,
            call.path,
            self.authority,
            env!("CARGO_PKG_VERSION"),
        );
        for (name, value) in &call.fields {
            // INVARIANT: no value begins a line of its own.
            if value.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
                return Err(Failure::malformed("http", format!("{name} has odd characters")));
            }
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = call.body {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut wire = head.into_bytes();
        wire.extend_from_slice(call.body.unwrap_or_default());
        self.stream.write_all(&wire).and_then(|()| self.stream.flush()).map_err(io)?;

        let mut bytes = Vec::new();
        loop {
            let mut buffer = [0; 4096];
            let read = self.stream.read(&mut buffer).map_err(io)?;
            if read == 0 {
                let detail = "the connection ended before the answer";
                return Err(Failure::unavailable("connection", detail));
            }
            bytes.extend_from_slice(buffer.get(..read).unwrap_or_default());
            while let Some(head) = Head::parse(&bytes)? {
                let ahead = bytes.split_off(head.bytes);
                if (100..200).contains(&head.status) {
                    // Something on the way to the answer (RFC 9110 section 15.2).
                    bytes = ahead;
                    continue;
                }
                let body = Body::new(head.framing, ahead);
                return Ok(Reply { head, body, connection: self });
            }
            if bytes.len() > 2 * HEAD_BYTES_MAX {
                return Err(Failure::unavailable("http", "the answer has no end of its head"));
            }
        }
    }
}

/// An answer whose body is still to be read.
pub struct Reply<'a> {
    /// what stands before the body
    pub head: Head,
    body: Body,
    connection: &'a mut Connection,
}

impl Reply<'_> {
    /// The next bytes of the body; 0 at its end.
    ///
    /// # Errors
    /// `connection`, `http`.
    pub fn read(&mut self, into: &mut [u8]) -> Result<usize, Failure> {
        self.body.read(&mut self.connection.stream, into)
    }

    /// The body, or as much of it as `most` bytes and one: whoever asked sees that there is more.
    ///
    /// # Errors
    /// As [`Self::read`]; `slow-retrieval` where it comes more slowly than any line.
    pub fn all(&mut self, most: u64) -> Result<Vec<u8>, Failure> {
        let pace = Pace::new(clock::wall(), BYTES_PER_S_MIN, GRACE_S);
        let most = usize::try_from(most).unwrap_or(usize::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        let mut buffer = [0; 16 * 1024];
        while bytes.len() < most {
            let room = most.saturating_sub(bytes.len()).min(buffer.len());
            let read = self.read(buffer.get_mut(..room).unwrap_or_default())?;
            if read == 0 {
                break;
            }
            bytes.extend_from_slice(buffer.get(..read).unwrap_or_default());
            pace.check(u64::try_from(bytes.len()).unwrap_or(u64::MAX), clock::wall())?;
        }
        Ok(bytes)
    }

    /// Whether the connection may carry another request.
    pub fn reusable(&self) -> bool {
        self.head.keep && self.body.done()
    }
}
