use crate::problem::Problem;

/// Why a call did not give its answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address cannot be used.
    #[error("not an address of a server: {0}; give https://host:port or http://host:port")]
    Address(String),
    /// The credential cannot be used.
    #[error("the client's credential cannot be used: {0}")]
    Credential(String),
    /// No connection.
    #[error("cannot connect to {address}: {cause}; check that the server runs and is reachable")]
    Connect {
        /// host and port
        address: String,
        /// what the operating system says
        cause: std::io::Error,
    },
    /// No TLS session: often an untrusted server, or a server that does not trust us.
    #[error("no TLS session with {address}: {cause}")]
    Tls {
        /// host and port
        address: String,
        /// what TLS says
        cause: String,
    },
    /// The connection broke or did not speak HTTP.
    #[error("the connection failed: {0}")]
    Http(String),
    /// No answer in time.
    #[error("no answer in {0} s")]
    Timeout(u64),
    /// More bytes than this client takes.
    #[error("the answer is longer than {0} bytes")]
    TooLarge(usize),
    /// The server refused, and said why.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// The server refused without a problem document.
    #[error("the server answered with status {status}: {text}")]
    Status {
        /// HTTP status
        status: u16,
        /// the beginning of the body, where it is text
        text: String,
    },
    /// The answer is not what the interface promises.
    #[error("the answer cannot be read: {0}")]
    Malformed(String),
}

impl ClientError {
    /// The problem document, where the server sent one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            _ => None,
        }
    }

    /// The status, where there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(problem) => Some(problem.status),
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}
