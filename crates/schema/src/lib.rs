//! What the payloads of a topic must be (GW-2, GW-7): JSON Schema (2020-12 and draft-07), CDDL
//! (RFC 8610) for CBOR, and Protobuf messages of a descriptor set. docs/schemas.md.
//!
//! A schema is written by a member of an organisation and a payload by a device, and neither may cost
//! the platform more than it gives: compiling is bounded by the schema's size, and checking by a budget
//! of [`Steps`], which every recursion, alternative, comparison and character of a pattern takes from.
//! Nothing is fetched: a schema is one document.
//!
//! Deliberately absent: storage and versions (`service`); JSON Schema's embedded resources, regular
//! expressions that look around or back; CDDL's sockets and control operators beyond those listed.
//!
//! ```
//! use schema::{Broken, Definition, Kind, Schema, Steps};
//! let text = br#"{"type": "object", "properties": {"celsius": {"type": "number", "maximum": 125}}}"#;
//! let definition = Definition::new(Kind::JsonSchema, text.to_vec());
//! let schema = Schema::compile(&definition)?;
//! assert_eq!(schema.check(br#"{"celsius": 21.5}"#, &mut Steps::new(1_000)), Ok(()));
//! let hot = schema.check(br#"{"celsius": 900}"#, &mut Steps::new(1_000));
//! let Err(Broken::Violation(found)) = hot else { panic!("it is too hot") };
//! assert_eq!((found.place.as_str(), found.rule.as_str()), ("/celsius", "/properties/celsius/maximum"));
//! # Ok::<(), admission::Problems>(())
//! ```

mod cases;
mod cddl;
mod format;
mod json;
mod pattern;
mod place;
mod protobuf;
mod steps;

pub use cases::{CASES_BYTES_MAX, CASES_MAX, Cases, Report, Tried};
pub use place::{PLACE_CHARACTERS_MAX, Violation};
pub use steps::{Exhausted, STEPS_AT_ONCE, STEPS_MAX, Steps};

use admission::{Encoding, FormatError, FormatRule, Problem, Problems};

/// Longest JSON Schema or CDDL, in bytes.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Longest descriptor set of Protobuf, in bytes.
pub const DESCRIPTORS_BYTES_MAX: usize = 256 * 1024;
/// Longest payload that a schema looks at, in bytes: the same as any payload may have.
pub const PAYLOAD_BYTES_MAX: u32 = 65_536;
/// How deep a payload may nest that a schema looks at.
pub const DEPTH_MAX: u8 = 32;

/// In which language a schema is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// JSON Schema 2020-12 or draft-07, for JSON
    JsonSchema,
    /// CDDL (RFC 8610), for CBOR
    Cddl,
    /// a descriptor set and the name of a message, for Protobuf
    Protobuf,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::JsonSchema, Self::Cddl, Self::Protobuf];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::JsonSchema => "json-schema",
            Self::Cddl => "cddl",
            Self::Protobuf => "protobuf",
        }
    }

    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The media types that name it; the first is the one to use. Those that end in `+json` and `+cbor`
    /// are taken too.
    pub fn media_types(self) -> &'static [&'static str] {
        match self {
            Self::JsonSchema => &["application/json"],
            Self::Cddl => &["application/cbor"],
            Self::Protobuf => &[
                "application/protobuf",
                "application/x-protobuf",
                "application/vnd.google.protobuf",
            ],
        }
    }

    /// Whether a sender's media type is one of these. Who names none is taken at the schema's word.
    pub fn takes(self, media_type: Option<&str>) -> bool {
        let Some(named) = media_type else { return true };
        let essence = named.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        // RFC 6839 section 3: what ends so is that, and something more.
        let suffix = match self {
            Self::JsonSchema => Some("+json"),
            Self::Cddl => Some("+cbor"),
            Self::Protobuf => None,
        };
        self.media_types().contains(&essence.as_str())
            || suffix.is_some_and(|suffix| essence.ends_with(suffix))
    }
}

/// A schema as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// in which language
    pub kind: Kind,
    /// the text, or the bytes of a descriptor set
    pub source: Vec<u8>,
    /// where it begins: the name of a rule of CDDL (without: its first), or of a message of Protobuf
    pub root: Option<String>,
    /// whether fields that a Protobuf message does not know are taken
    pub unknown_fields: bool,
}

impl Definition {
    /// A schema that begins at its beginning.
    pub fn new(kind: Kind, source: Vec<u8>) -> Self {
        Self { kind, source, root: None, unknown_fields: false }
    }
}

/// Why a payload is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// it is not JSON, CBOR or Protobuf at all, or goes beyond the bounds that hold for all
    #[error(transparent)]
    Format(#[from] FormatError),
    /// it does not follow the schema
    #[error("{0}")]
    Violation(Violation),
    /// finding out takes more steps than there are
    #[error("the payload takes more steps to check than it may")]
    Costly,
}

impl From<Exhausted> for Broken {
    fn from(_: Exhausted) -> Self {
        Self::Costly
    }
}

/// A schema, ready to be asked.
#[derive(Debug)]
pub struct Schema {
    kind: Kind,
    inner: Inner,
    warnings: Vec<String>,
}

#[derive(Debug)]
enum Inner {
    Json(json::JsonSchema),
    Cddl(cddl::Cddl),
    Protobuf(protobuf::Protobuf),
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// [`Problems`], with places and hints.
    pub fn compile(definition: &Definition) -> Result<Self, Problems> {
        let kind = definition.kind;
        if kind != Kind::Protobuf && definition.unknown_fields {
            let hint = "say additionalProperties in JSON Schema, and * any => any in CDDL";
            let message = "unknown fields are a setting of Protobuf alone";
            return Err(Problem::new((0, 0), message, hint).into());
        }
        let mut warnings = Vec::new();
        let inner = match kind {
            Kind::JsonSchema => {
                if definition.root.is_some() {
                    let message = "a JSON Schema begins at its beginning";
                    let hint = "name no root; write {\"$ref\": \"#/$defs/…\"} at the top instead";
                    return Err(Problem::new((0, 0), message, hint).into());
                }
                Inner::Json(json::compile(text(definition)?, &mut warnings)?)
            }
            Kind::Cddl => {
                Inner::Cddl(cddl::compile(text(definition)?, definition.root.as_deref())?)
            }
            Kind::Protobuf => Inner::Protobuf(protobuf::compile(definition)?),
        };
        Ok(Self { kind, inner, warnings })
    }

    /// In which language it is written.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What is allowed and yet looks like a mistake.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether a payload follows it.
    ///
    /// # Errors
    /// [`Broken`]; where more than one thing is wrong, the first that is found.
    pub fn check(&self, payload: &[u8], steps: &mut Steps) -> Result<(), Broken> {
        let rule =
            |encoding| FormatRule { encoding, bytes_max: PAYLOAD_BYTES_MAX, depth_max: DEPTH_MAX };
        // Reading costs too, and comes first.
        steps.take(steps::of_bytes(payload.len()))?;
        match &self.inner {
            Inner::Json(schema) => {
                rule(Encoding::Json).check(payload)?;
                let value = serde_json::from_slice(payload).map_err(|_| FormatError::Malformed)?;
                schema.check(&value, steps)
            }
            Inner::Cddl(schema) => {
                rule(Encoding::Cbor).check(payload)?;
                schema.check(payload, steps)
            }
            Inner::Protobuf(schema) => {
                rule(Encoding::Bytes).check(payload)?;
                schema.check(payload, steps)
            }
        }
    }
}

fn text(definition: &Definition) -> Result<&str, Problems> {
    let found = std::str::from_utf8(&definition.source).map_err(|_| {
        Problem::new(
            (0, 0),
            "the schema is not text",
            "save it in UTF-8, without anything before it",
        )
    })?;
    if found.len() > TEXT_BYTES_MAX {
        let message = format!("the schema has {} bytes, and {TEXT_BYTES_MAX} at most", found.len());
        return Err(Problem::new((0, 0), message, "write what is repeated once").into());
    }
    Ok(found)
}
