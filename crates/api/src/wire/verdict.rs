use super::scalar::{Base64, CertificatePem, DeviceRef, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a verdict is asked about.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerificationRequest {
    /// The device's answer to a challenge: a COSE_Sign1 by its key (docs/event.md).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 87384)]
    pub proof: Option<Base64>,
    /// The certificates that the device showed, its own first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[schema(max_items = 8)]
    pub presented: Vec<CertificatePem>,
}

/// The justified answer to: is it genuine, and fit to be trusted now?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    /// The device.
    pub device: DeviceRef,
    /// genuine, suspect or rejected.
    pub outcome: String,
    /// Why, the gravest first.
    pub reasons: Vec<Reason>,
    /// When it was given.
    pub at: Timestamp,
    /// Until when it may be relied on; after that it is stale.
    pub expires: Timestamp,
}

/// One reason of a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// Stable word.
    pub code: String,
    /// What it leads to by itself: genuine, suspect or rejected.
    pub outcome: String,
    /// In English.
    pub en: String,
    /// In Japanese.
    pub ja: String,
    /// What shows it, in words that name documents and digests.
    pub evidence: Vec<String>,
}
