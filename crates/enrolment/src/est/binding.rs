use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::constant_time_eq;

/// Label of the exporter (RFC 9266 section 4.1); the context is empty.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// Length of the exported value, in bytes.
pub const EXPORTER_LENGTH: usize = 32;

/// Version of the connection's TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2
    Tls12,
    /// 1.3
    Tls13,
}

/// What the server knows of the connection that a request came over.
#[derive(Debug, Clone, Copy)]
pub struct ChannelBinding<'a> {
    /// version of TLS
    pub version: TlsVersion,
    /// `tls-exporter` (RFC 9266): always in TLS 1.3, in TLS 1.2 only with extended master secret
    pub exporter: Option<&'a [u8]>,
    /// `tls-unique` (RFC 5929), only in TLS 1.2 and only where the TLS library shows it
    pub unique: Option<&'a [u8]>,
}

/// How a request is bound to its connection (RFC 7030 section 3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// not at all: the client sent no challengePassword
    None,
    /// by `tls-exporter`
    Exporter,
    /// by `tls-unique`
    Unique,
}

/// Why a request does not belong to the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// None, where one is wanted.
    #[error(
        "put the channel binding in the request's challengePassword: base64 of the TLS exporter EXPORTER-Channel-Binding, 32 bytes (RFC 9266)"
    )]
    Missing,
    /// The client used `tls-unique`, or a wrong value, and the server cannot tell which.
    #[error(
        "tls-unique cannot be checked here; use TLS 1.3 and base64 of the TLS exporter EXPORTER-Channel-Binding (RFC 9266), or send no challengePassword"
    )]
    NotKnown,
    /// A value of another connection.
    #[error(
        "the challengePassword is not the channel binding of this connection; make the request anew on the connection that carries it"
    )]
    Mismatch,
}

impl ChannelBinding<'_> {
    /// Holds the request's challengePassword against the connection, in constant time. A client
    /// that sends one must be right, also where none is required: a request with the binding of
    /// another connection was stolen or relayed.
    ///
    /// # Errors
    /// [`BindingError`].
    pub fn check(
        &self,
        challenge_password: Option<&str>,
        required: bool,
    ) -> Result<Binding, BindingError> {
        let Some(password) = challenge_password else {
            return if required { Err(BindingError::Missing) } else { Ok(Binding::None) };
        };
        let is = |value: Option<&[u8]>| {
            value.is_some_and(|value| {
                !value.is_empty()
                    && constant_time_eq(STANDARD.encode(value).as_bytes(), password.as_bytes())
            })
        };
        if is(self.exporter) {
            return Ok(Binding::Exporter);
        }
        if self.version == TlsVersion::Tls12 && is(self.unique) {
            return Ok(Binding::Unique);
        }
        let all_known = match self.version {
            TlsVersion::Tls12 => self.unique.is_some(),
            TlsVersion::Tls13 => self.exporter.is_some(),
        };
        Err(if all_known { BindingError::Mismatch } else { BindingError::NotKnown })
    }
}

/// The challengePassword that a client sends for the exporter's value.
pub(crate) fn challenge_password(exporter: &[u8; EXPORTER_LENGTH]) -> String {
    STANDARD.encode(exporter)
}
