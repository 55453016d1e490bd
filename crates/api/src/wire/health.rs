use super::scalar::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether the platform works.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// All is well.
    pub ok: bool,
    /// The platform's clock.
    pub time: Timestamp,
    /// Commands are taken.
    pub writer: bool,
    /// Size of the published log.
    pub tree_size: u64,
    /// Entries that wait to be published.
    pub waiting: u64,
    /// When entries were published last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub integrated: Option<Timestamp>,
    /// Version of the program.
    pub version: String,
}
