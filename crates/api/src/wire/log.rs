use super::scalar::{CertificatePem, Digest, OrganisationRef};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What an outsider needs to check everything else.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TrustBundle {
    /// The platform's own organisation.
    pub platform: OrganisationRef,
    /// Root certificates.
    pub roots: Vec<CertificatePem>,
    /// The log's verifier key (C2SP signed-note).
    pub log_key: String,
    /// The witnesses' verifier keys.
    pub witness_keys: Vec<String>,
    /// How many witnesses must have cosigned a checkpoint.
    pub quorum: u32,
}

/// Proof that an entry is in the log.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InclusionProof {
    /// Index of the entry.
    pub leaf: u64,
    /// Size of the tree that the proof is for.
    pub size: u64,
    /// Sibling hashes, from the leaf up (RFC 6962 section 2.1.1).
    pub hashes: Vec<Digest>,
    /// The signed checkpoint of that tree (C2SP tlog-checkpoint).
    pub checkpoint: String,
}

/// Proof that the log only grew.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ConsistencyProof {
    /// Size of the earlier tree.
    pub old: u64,
    /// Size of the later tree.
    pub new: u64,
    /// Hashes (RFC 6962 section 2.1.2).
    pub hashes: Vec<Digest>,
}

/// Two sizes of the log.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ConsistencyQuery {
    /// Size of the earlier tree.
    #[param(minimum = 0)]
    pub old: u64,
    /// Size of the later tree.
    #[param(minimum = 0)]
    pub new: u64,
}

/// What an audit of the whole log against the store found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LogCheck {
    /// Entries checked.
    pub entries: u64,
    /// Root of the tree.
    pub root: Digest,
    /// Entries that wait to be published.
    pub pending: u64,
    /// Events whose commitment was computed again.
    pub events_checked: u64,
    /// Events whose contents were erased.
    pub events_erased: u64,
    /// Heads of the chain of security events that were held against their entry.
    pub audit_heads_checked: u64,
    /// What does not fit; empty where all is well.
    pub problems: Vec<String>,
}

/// How far the log is published.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Integrated {
    /// Size of the published tree.
    pub tree_size: u64,
}
