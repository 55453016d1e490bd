use super::scalar::{CertificatePem, Digest, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A key that devices of an organisation encrypt messages for, or did (docs/cose.md).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MessageKey {
    /// SHA-256 of the public key: its name in messages (`kid`).
    pub key: Digest,
    /// Its certificate, then the one of the CA.
    pub chain: Vec<CertificatePem>,
    /// When it was made.
    pub made: Timestamp,
    /// By whom.
    pub made_by: String,
    /// Why.
    pub reason: String,
    /// Of a former one: until when what is encrypted for it is taken. Without: devices encrypt for this one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub accepted_until: Option<Timestamp>,
    /// When its private half was destroyed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub destroyed: Option<Timestamp>,
}

/// Another key for messages.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMessageKey {
    /// Why, for the audit log.
    #[schema(min_length = 1, max_length = 300)]
    pub reason: String,
    /// For how many seconds what is encrypted for former keys is still taken, at most; then they are destroyed.
    /// 0: at once. Without: 30 days.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(maximum = 31_622_400)]
    pub accept_former_s: Option<u32>,
}
