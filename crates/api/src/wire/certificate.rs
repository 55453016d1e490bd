use super::scalar::{CertificatePem, CsrPem, DeviceRef, Digest, OrganisationRef, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// An issued certificate.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CertificateView {
    /// SHA-256 of its DER.
    pub fingerprint: Digest,
    /// Serial number in hexadecimal.
    pub serial: String,
    /// The CA that issued it, as in the URLs of CRLs.
    pub issuer: String,
    /// Whose it is.
    pub organisation: OrganisationRef,
    /// Its profile: chip, idevid, ldevid, service, operator, …
    pub profile: String,
    /// Its device, where it is a device's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<DeviceRef>,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// Status now.
    pub status: CertificateStatus,
    /// When it was revoked or suspended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revoked_at: Option<Timestamp>,
    /// Why it was revoked or suspended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The certificate; in lists it is left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub certificate: Option<CertificatePem>,
}

/// A certificate's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateStatus {
    /// valid
    Good,
    /// not for the time being
    Suspended,
    /// not any more
    Revoked,
    /// its time is over
    Expired,
}

impl CertificateStatus {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

/// Which certificates of a list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CertificateQuery {
    /// Of this organisation; the caller's own where absent.
    #[param(value_type = Option<OrganisationRef>)]
    pub organisation: Option<String>,
    /// Of this device.
    #[param(value_type = Option<DeviceRef>)]
    pub device: Option<String>,
    /// Of this status.
    pub status: Option<CertificateStatus>,
    /// The `next` of the page before.
    #[param(max_length = 200, min_length = 1)]
    pub after: Option<String>,
    /// Most items wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}

/// A certificate for a server, gateway or application.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceCertificateRequest {
    /// Request signed by the key that the service keeps.
    pub csr: CsrPem,
    /// Names that it is reached by.
    #[schema(min_items = 1, max_items = 20)]
    pub names: Vec<String>,
}

/// A certificate and the CAs above it, leaf first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Chain {
    /// The certificates.
    pub chain: Vec<CertificatePem>,
}
