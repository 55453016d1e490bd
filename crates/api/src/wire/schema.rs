use super::{
    policy_set::PolicySetTested,
    scalar::{Base64, DeviceRef, Timestamp},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// In which language a schema is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SchemaKind {
    /// JSON Schema 2020-12 or draft-07, for JSON.
    JsonSchema,
    /// CDDL (RFC 8610), for CBOR.
    Cddl,
    /// A descriptor set of Protobuf and the name of a message.
    Protobuf,
}

/// How a schema is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SchemaMode {
    /// What does not follow it is refused.
    Enforce,
    /// What does not follow it is counted, and taken.
    Observe,
}

/// A version of a schema for payloads (docs/schemas.md).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSchema {
    /// In which language it is written.
    pub kind: SchemaKind,
    /// The schema: a text of at most 64 KiB in UTF-8, or a descriptor set of at most 256 KiB.
    pub schema: Base64,
    /// Where it begins: a rule of CDDL (without: its first), or the full name of a message of Protobuf.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 256, example = "plant.Reading")]
    pub root: Option<String>,
    /// Whether fields and values of enumerations that a Protobuf message does not know are taken.
    #[serde(default)]
    pub unknown_fields: bool,
    /// Of which topics it speaks: a filter below a device's space.
    #[schema(min_length = 1, max_length = 1024, example = "up/telemetry/+")]
    pub topic: String,
    /// Of which product line's devices, as maker/product; without: of all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 200, example = "maker-a/sensor")]
    pub product: Option<String>,
    /// Cases that try it, in YAML or JSON: at most 128 KiB and 100 cases.
    #[schema(min_length = 1, max_length = 131_072)]
    pub cases: String,
    /// Why. Stays with the version.
    #[schema(min_length = 1, max_length = 300)]
    pub reason: String,
}

/// A version of a schema.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SchemaVersion {
    /// What the schema is called.
    pub name: String,
    /// Number of the version.
    pub version: u64,
    /// `draft`, `tested`, `active` or `former`.
    #[schema(example = "tested")]
    pub state: String,
    /// How it is in force, where it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mode: Option<SchemaMode>,
    /// In which language it is written.
    pub kind: SchemaKind,
    /// The media types by which senders name it.
    pub media_types: Vec<String>,
    /// Where it begins.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub root: Option<String>,
    /// Whether unknown fields of Protobuf are taken.
    pub unknown_fields: bool,
    /// Of which topics it speaks.
    pub topic: String,
    /// Of which product line's devices; without: of all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub product: Option<String>,
    /// Why it was put in.
    pub reason: String,
    /// By whom.
    pub made_by: String,
    /// When.
    pub made: Timestamp,
    /// How many cases it has.
    pub cases: u64,
    /// What came of its cases when they were tried last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tested: Option<PolicySetTested>,
}

/// What came of the cases.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SchemaReport {
    /// Whether every case came out as expected.
    pub passed: bool,
    /// One by one.
    pub cases: Vec<TriedSchemaCase>,
}

/// What came of a case.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TriedSchemaCase {
    /// Its name.
    pub name: String,
    /// Whether it came out as expected.
    pub passed: bool,
    /// Whether the payload was accepted.
    pub accepted: bool,
    /// Where it breaks which rule, where it was not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
    /// What was expected instead, where it did not pass.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub instead: Option<String>,
    /// Steps that it took, of 1,000,000 that a check may take.
    pub steps: u64,
}

/// What came of payloads by one rule.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SchemaFound {
    /// Which rule was broken; without: none, those payloads followed the schema.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = "/properties/celsius/maximum")]
    pub rule: Option<String>,
    /// How often.
    pub count: u64,
    /// When last.
    pub last: Timestamp,
    /// Where in that payload; empty: all of it.
    #[schema(example = "/celsius")]
    pub place: String,
    /// Its topic, absolute.
    pub topic: String,
    /// The device that sent it.
    pub device: DeviceRef,
}

/// A version with its texts.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SchemaDetail {
    /// Which.
    pub version: SchemaVersion,
    /// The schema, as it was put in.
    pub schema: Base64,
    /// The cases, likewise.
    pub cases: String,
    /// What looks like a mistake in it.
    pub warnings: Vec<String>,
    /// What comes of the cases now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub report: Option<SchemaReport>,
    /// What came of payloads while it was in force, the most frequent first.
    pub found: Vec<SchemaFound>,
}

/// A version after its cases were tried.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SchemaTest {
    /// The version, as it stands now.
    pub version: SchemaVersion,
    /// What came of its cases.
    pub report: SchemaReport,
}

/// What is to be in force.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActivateSchema {
    /// A version that was tested, or an older one again; without: none, so that the schema is retired.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(minimum = 1)]
    pub version: Option<u64>,
    /// How.
    #[serde(default = "enforced")]
    pub mode: SchemaMode,
    /// Why.
    #[schema(min_length = 1, max_length = 300)]
    pub reason: String,
}

fn enforced() -> SchemaMode {
    SchemaMode::Enforce
}

/// What was put in force.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SchemaActivation {
    /// Which schema.
    pub name: String,
    /// The version; without: none has been in force since.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<u64>,
    /// How.
    pub mode: SchemaMode,
    /// Why.
    pub reason: String,
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Whether only topics with a schema are taken.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetStrictness {
    /// Of which product line's devices, as maker/product; without: of all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 200, example = "maker-a/sensor")]
    pub product: Option<String>,
    /// Whether only topics with a schema are taken.
    pub strict: bool,
    /// Why.
    #[schema(min_length = 1, max_length = 300)]
    pub reason: String,
}

/// A product line of which only topics with a schema are taken.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Strictness {
    /// As maker/product; without: every one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub product: Option<String>,
    /// Why.
    pub reason: String,
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
}
