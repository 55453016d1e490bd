use super::scalar::{
    Base64, CertificatePem, DeviceRef, OrganisationRef, OutcomeName, PurposeName, Timestamp,
};
use device::Language;
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
    /// What the verdict is wanted for; to inspect it where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub purpose: Option<PurposeName>,
    /// The organisation that presents the device as its own, where one does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub presented_by: Option<OrganisationRef>,
}

/// The justified answer to: is it genuine, and fit to be trusted now?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    /// The device.
    pub device: DeviceRef,
    /// The verdict in a word.
    pub outcome: OutcomeName,
    /// Why, the heaviest first.
    pub reasons: Vec<Reason>,
    /// When it was given.
    pub judged_at: Timestamp,
    /// Until when it may be relied on; after that it is stale.
    pub expires: Timestamp,
}

/// One reason of a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// Stable word (docs/verdict.md).
    pub code: String,
    /// What it is about: chip, board, device, firmware, owner, service.
    pub layer: String,
    /// What it leads to by itself.
    pub outcome: OutcomeName,
    /// In English.
    pub en: String,
    /// In Japanese.
    pub ja: String,
    /// What it rests on, in words that name documents and digests.
    pub evidence: Vec<String>,
}

impl From<&device::Verdict> for Verdict {
    fn from(verdict: &device::Verdict) -> Self {
        Self {
            device: DeviceRef(verdict.device),
            outcome: OutcomeName(verdict.outcome),
            reasons: verdict.reasons.iter().map(Reason::from).collect(),
            judged_at: verdict.judged_at.into(),
            expires: verdict.expires.into(),
        }
    }
}

impl From<&device::Reason> for Reason {
    fn from(reason: &device::Reason) -> Self {
        Self {
            code: reason.code.to_string(),
            layer: reason.layer.to_string(),
            outcome: OutcomeName(reason.severity.into()),
            en: reason.text(Language::En).to_owned(),
            ja: reason.text(Language::Ja).to_owned(),
            evidence: reason.evidence.iter().map(ToString::to_string).collect(),
        }
    }
}
