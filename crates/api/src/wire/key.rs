use super::scalar::{CertificatePem, Digest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A key with which the platform speaks for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OwnKey {
    /// signs life events that the platform reports
    Events,
    /// signs the statements in passport files
    Passports,
}

/// Which key is to be replaced.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRotation {
    /// The key.
    pub key: OwnKey,
}

/// A key that was replaced.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RotatedKey {
    /// SHA-256 of the public key that signs from now on.
    pub key: Digest,
    /// Its certificate.
    pub certificate: CertificatePem,
    /// SHA-256 of the public key that signed until now; its private half is destroyed.
    pub retired: Digest,
}

/// The key that the server shows, in place of a certificate, to devices that know it by itself (RFC 7250).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ServerKey {
    /// SHA-256 of the public key.
    pub key: Digest,
    /// The public key: a SubjectPublicKeyInfo in PEM.
    pub public_key: String,
}
