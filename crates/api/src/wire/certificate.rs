use super::scalar::{CertificatePem, CsrPem, DeviceRef, Digest, OrganisationRef, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// An issued certificate.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CertificateView {
    /// The authority that issued it, as in the URL of its CRL.
    pub authority: String,
    /// Serial number in lower-case hexadecimal.
    pub serial: String,
    /// SHA-256 of its DER.
    pub fingerprint: Digest,
    /// Whose it is.
    pub organisation: OrganisationRef,
    /// Its profile: chip, idevid, ldevid, service, operator, …
    pub profile: String,
    /// Its device, where it is a device's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<DeviceRef>,
    /// Where its maker says what the device connects to (id-pe-mud-url, RFC 8520).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mud_url: Option<String>,
    /// Name of who signs that (id-pe-mudsigner).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mud_signer: Option<String>,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// Status now, its dates apart.
    pub status: CertificateStatus,
    /// Since when it is revoked or suspended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revoked: Option<Timestamp>,
    /// Why it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<RevocationReason>,
    /// The certificate; in lists it is left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub certificate: Option<CertificatePem>,
}

/// A certificate's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateStatus {
    /// works, while its dates allow
    Good,
    /// not for the time being
    Suspended,
    /// never again
    Revoked,
}

impl CertificateStatus {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
    }
}

/// Why a certificate is revoked (RFC 5280 section 5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RevocationReason {
    /// nobody says why
    Unspecified,
    /// the key is known to others
    KeyCompromise,
    /// the authority's key is known to others
    CaCompromise,
    /// it belongs to somebody else now
    AffiliationChanged,
    /// there is a newer one
    Superseded,
    /// out of use
    CessationOfOperation,
    /// suspended
    CertificateHold,
    /// no longer entitled
    PrivilegeWithdrawn,
}

/// Why a certificate is to be revoked.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonGiven {
    /// Reason, for CRL and OCSP. A suspension is asked for elsewhere.
    pub reason: RevocationReason,
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
    #[param(pattern = "^[0-9]{1,18}$")]
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
    /// Host names and IP addresses that it is reached by.
    #[schema(min_items = 1, max_items = 20)]
    pub names: Vec<String>,
}

/// A certificate and the CAs above it, leaf first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Chain {
    /// The certificates.
    pub chain: Vec<CertificatePem>,
}
