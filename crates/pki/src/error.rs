use crate::strict::DerError;

/// Why bytes are not a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Longer than the limit.
    #[error(
        "certificate of {length} bytes is too large; at most {} are read",
        crate::CERTIFICATE_BYTES_MAX
    )]
    TooLarge {
        /// bytes at hand
        length: usize,
    },
    /// Not DER, or not what RFC 5280 says at this place.
    #[error("certificate is malformed: {field} {reason}; ask its issuer for a new one")]
    Malformed {
        /// which part of the certificate
        field: &'static str,
        /// what is wrong with it
        reason: &'static str,
    },
    /// signatureAlgorithm and tbsCertificate.signature differ (RFC 5280 section 4.1.1.2).
    #[error(
        "certificate names two different signature algorithms, inside and outside its signed part; it has been altered or was badly made"
    )]
    AlgorithmsDiffer,
    /// The same extension occurs twice (RFC 5280 section 4.2).
    #[error("certificate has extension {0} twice; ask its issuer for a new one")]
    DuplicateExtension(const_oid::ObjectIdentifier),
    /// No PEM block of the wanted kind.
    #[error("no certificate found; expected PEM with -----BEGIN CERTIFICATE-----")]
    NoPem,
    /// A PEM block is broken.
    #[error("PEM block {number} is malformed: {reason}")]
    Pem {
        /// which block, counted from 1
        number: usize,
        /// what is wrong with it
        reason: &'static str,
    },
    /// More certificates than the caller allows.
    #[error("more than {0} certificates in one file; split it")]
    TooMany(usize),
}

/// Names the field in which a [`DerError`] was found.
pub(crate) trait In<T> {
    fn in_field(self, field: &'static str) -> Result<T, CertificateError>;
}

impl<T> In<T> for Result<T, DerError> {
    fn in_field(self, field: &'static str) -> Result<T, CertificateError> {
        self.map_err(|DerError(reason)| CertificateError::Malformed { field, reason })
    }
}
