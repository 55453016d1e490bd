//! The client's side of EST (RFC 7030): `enrolment::est` over this crate's connections.

use super::{Answer, Call, Client, ClientError, Connection};
use crypto::Secret;
use enrolment::est::{
    BasicCredential, CsrAttributes, Method, Operation,
    client::{Answer as EstAnswer, Request},
};
use http::{HeaderValue, header};
use pki::Certificate;

/// EST at one server, for one label.
#[derive(Debug, Clone)]
pub struct Est {
    client: Client,
    label: Option<String>,
}

/// One connection, to which a request can be bound: its challengePassword is the connection's
/// channel binding ([`Self::challenge_password`]).
#[derive(Debug)]
pub struct EstConnection {
    connection: Connection,
    label: Option<String>,
}

impl Est {
    /// EST over `client`. The label names a CA: `ORGANISATION` or `ORGANISATION.PRODUCT`.
    pub fn new(client: Client, label: Option<&str>) -> Self {
        Self { client, label: label.map(str::to_owned) }
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// [`ClientError::Connect`], [`ClientError::Tls`], [`ClientError::Timeout`].
    pub async fn connect(&self) -> Result<EstConnection, ClientError> {
        Ok(EstConnection { connection: self.client.connect().await?, label: self.label.clone() })
    }

    /// CA certificates.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn ca_certificates(&self) -> Result<Vec<Certificate>, ClientError> {
        let request = Request::get(Operation::CaCerts, None);
        certificates(self.ask(&request).await?)
    }

    /// What a request should contain.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn csr_attributes(&self) -> Result<CsrAttributes, ClientError> {
        match self.ask(&Request::get(Operation::CsrAttrs, None)).await? {
            EstAnswer::Attributes(attributes) => Ok(attributes),
            _ => Err(unexpected()),
        }
    }

    /// A first certificate, over a kept connection and not bound to it.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn enrol(
        &self,
        csr: &[u8],
        code: Option<&BasicCredential>,
    ) -> Result<Certificate, ClientError> {
        let request = Request::post(Operation::SimpleEnroll, None, csr, code);
        issued(self.ask(&request).await?)
    }

    /// A renewed certificate, over a kept connection and not bound to it.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn reenrol(&self, csr: &[u8]) -> Result<Certificate, ClientError> {
        let request = Request::post(Operation::SimpleReenroll, None, csr, None);
        issued(self.ask(&request).await?)
    }

    async fn ask(&self, request: &Request) -> Result<EstAnswer, ClientError> {
        let answer = self.client.send(call(request, self.label.as_deref())?).await?;
        read(request, &answer)
    }
}

impl EstConnection {
    /// What a request puts into its challengePassword to be bound to this connection; nothing in
    /// TLS 1.2.
    pub fn challenge_password(&self) -> Option<String> {
        self.connection.session().exporter.as_ref().map(enrolment::est::client::challenge_password)
    }

    /// The TLS session.
    pub fn session(&self) -> &super::Session {
        self.connection.session()
    }

    /// A first certificate.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn enrol(
        &mut self,
        csr: &[u8],
        code: Option<&BasicCredential>,
    ) -> Result<Certificate, ClientError> {
        issued(self.ask(&Request::post(Operation::SimpleEnroll, None, csr, code)).await?)
    }

    /// A renewed certificate.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn reenrol(&mut self, csr: &[u8]) -> Result<Certificate, ClientError> {
        issued(self.ask(&Request::post(Operation::SimpleReenroll, None, csr, None)).await?)
    }

    /// A certificate for a key that the server generates; the request's own key only signs the
    /// request.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn server_keygen(
        &mut self,
        csr: &[u8],
        code: Option<&BasicCredential>,
    ) -> Result<(Secret, Certificate), ClientError> {
        match self.ask(&Request::post(Operation::ServerKeygen, None, csr, code)).await? {
            EstAnswer::ServerKey { private_key, certificates } => {
                let leaf = certificates.into_iter().next().ok_or_else(unexpected)?;
                Ok((private_key, leaf))
            }
            EstAnswer::Later(seconds) => Err(later(seconds)),
            _ => Err(unexpected()),
        }
    }

    async fn ask(&mut self, request: &Request) -> Result<EstAnswer, ClientError> {
        let answer = self.connection.send(call(request, self.label.as_deref())?).await?;
        read(request, &answer)
    }
}

fn call(request: &Request, label: Option<&str>) -> Result<Call, ClientError> {
    // The label stands before the operation, the last segment of the path.
    let path = match (label, request.path.rsplit_once('/')) {
        (Some(label), Some((before, operation))) => format!("{before}/{label}/{operation}"),
        _ => request.path.clone(),
    };
    let mut call = match request.method {
        Method::Get => Call::get(path),
        Method::Post => {
            Call::post(path, request.content_type.unwrap_or_default(), request.body.clone())
        }
    };
    if let Some(authorization) = &request.authorization {
        let mut value = HeaderValue::from_bytes(authorization.expose())
            .map_err(|_| ClientError::Credential("the code has odd characters".into()))?;
        value.set_sensitive(true);
        call = call.header(header::AUTHORIZATION, value);
    }
    Ok(call)
}

fn read(request: &Request, answer: &Answer) -> Result<EstAnswer, ClientError> {
    use enrolment::est::client::ClientError as E;
    let text = |name| answer.headers.get(name).and_then(|value| value.to_str().ok());
    request
        .answer(
            answer.status.as_u16(),
            text(header::CONTENT_TYPE),
            text(header::RETRY_AFTER),
            &answer.body,
        )
        .map_err(|error| match error {
            E::Refused { status, explanation } => ClientError::Status { status, text: explanation },
            other => ClientError::Malformed(other.to_string()),
        })
}

fn certificates(answer: EstAnswer) -> Result<Vec<Certificate>, ClientError> {
    match answer {
        EstAnswer::Certificates(certificates) => Ok(certificates),
        EstAnswer::Later(seconds) => Err(later(seconds)),
        _ => Err(unexpected()),
    }
}

fn issued(answer: EstAnswer) -> Result<Certificate, ClientError> {
    certificates(answer)?.into_iter().next().ok_or_else(unexpected)
}

fn later(seconds: u32) -> ClientError {
    ClientError::Status {
        status: 202,
        text: format!("not decided yet; ask again in {seconds} seconds"),
    }
}

fn unexpected() -> ClientError {
    ClientError::Malformed("another kind of EST answer than was asked for".to_owned())
}
