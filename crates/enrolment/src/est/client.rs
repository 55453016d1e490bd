//! The client's side: requests to send and answers to read. The caller brings HTTP and TLS.

use super::{
    AttributesError, BasicCredential, CsrAttributes, Method, MultipartError, Operation, Route,
    ServerKey, binding,
    body::{self, BodyError},
};
use crypto::Secret;
use device::ProductId;
use pki::{Certificate, cms::CmsError};

/// Longest explanation of a refusal that is kept, in characters.
const EXPLANATION_MAX: usize = 500;

/// A request to send.
#[derive(Debug)]
pub struct Request {
    /// HTTP method
    pub method: Method,
    /// path of the URL
    pub path: String,
    /// value of Content-Type, where there is a body
    pub content_type: Option<&'static str>,
    /// value of Authorization, where a one-time code is used
    pub authorization: Option<Secret>,
    /// body, empty for GET
    pub body: Vec<u8>,
    operation: Operation,
}

/// Why an answer is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The server refused.
    #[error("the server refused with HTTP status {status}: {explanation}")]
    Refused {
        /// HTTP status
        status: u16,
        /// the server's words, cut and cleaned
        explanation: String,
    },
    /// A body that cannot be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// No certificates.
    #[error(transparent)]
    Certificates(#[from] CmsError),
    /// No multipart answer.
    #[error(transparent)]
    Multipart(#[from] MultipartError),
    /// No CSR attributes.
    #[error(transparent)]
    Attributes(#[from] AttributesError),
    /// Certificates were asked for, none came.
    #[error("the answer holds no certificate")]
    Empty,
}

/// An answer.
#[derive(Debug)]
pub enum Answer {
    /// certificates: all CA certificates, or first the issued one
    Certificates(Vec<Certificate>),
    /// what a request should contain
    Attributes(CsrAttributes),
    /// a private key that the server generated, and its certificate
    ServerKey {
        /// PKCS#8 in DER
        private_key: Secret,
        /// the certificates of the answer
        certificates: Vec<Certificate>,
    },
    /// ask again after so many seconds (RFC 7030 section 4.2.3)
    Later(u32),
}

impl Request {
    /// A GET of CA certificates or CSR attributes.
    pub fn get(operation: Operation, product: Option<ProductId>) -> Self {
        Self::new(operation, product, None, Vec::new())
    }

    /// A POST of a certification request, authenticated by the TLS client certificate or, where
    /// given, by a one-time code.
    pub fn post(
        operation: Operation,
        product: Option<ProductId>,
        csr: &[u8],
        code: Option<&BasicCredential>,
    ) -> Self {
        Self::new(operation, product, code, body::encode(csr))
    }

    fn new(
        operation: Operation,
        product: Option<ProductId>,
        code: Option<&BasicCredential>,
        body: Vec<u8>,
    ) -> Self {
        Self {
            method: operation.method(),
            path: Route { product, operation }.path(),
            content_type: operation.request_type(),
            authorization: code.map(BasicCredential::header),
            body,
            operation,
        }
    }

    /// Reads the server's answer to this request.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn answer(
        &self,
        status: u16,
        content_type: Option<&str>,
        retry_after: Option<&str>,
        body: &[u8],
    ) -> Result<Answer, ClientError> {
        match (status, self.operation) {
            (200, Operation::CsrAttrs) => {
                body::check_type(content_type, body::CSR_ATTRIBUTES)?;
                Ok(Answer::Attributes(CsrAttributes::parse(&body::decode(body)?)?))
            }
            // No attributes are wanted (RFC 7030 section 4.5.2).
            (204 | 404, Operation::CsrAttrs) => Ok(Answer::Attributes(CsrAttributes::default())),
            (200, Operation::ServerKeygen) => {
                let answer = ServerKey::parse(content_type.unwrap_or_default(), body)?;
                let certificates = certificates(&answer.certs_only)?;
                Ok(Answer::ServerKey { private_key: answer.private_key, certificates })
            }
            (200, _) => {
                body::check_type(content_type, body::CERTS_ONLY)?;
                let der = body::decode_at_most(body, body::RESPONSE_BYTES_MAX)?;
                Ok(Answer::Certificates(certificates(&der)?))
            }
            (202, _) => {
                let seconds = retry_after.and_then(|text| text.trim().parse().ok());
                Ok(Answer::Later(seconds.unwrap_or(60)))
            }
            _ => Err(ClientError::Refused { status, explanation: explanation(body) }),
        }
    }
}

/// The challengePassword that binds a request to the connection (RFC 7030 section 3.5, RFC 9266).
pub fn challenge_password(exporter: &[u8; super::EXPORTER_LENGTH]) -> String {
    binding::challenge_password(exporter)
}

fn certificates(certs_only: &[u8]) -> Result<Vec<Certificate>, ClientError> {
    let certificates = pki::cms::parse_certs_only(certs_only)?;
    if certificates.is_empty() { Err(ClientError::Empty) } else { Ok(certificates) }
}

fn explanation(body: &[u8]) -> String {
    let start = body.get(..EXPLANATION_MAX.min(body.len())).unwrap_or_default();
    String::from_utf8_lossy(start)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>()
        .trim()
        .to_owned()
}
