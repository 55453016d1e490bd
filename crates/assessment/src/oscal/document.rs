use crate::{AssessmentError, named::words};
use serde_json::{Map, Value};

/// Longest document, in bytes: NIST SP 800-53 as JSON has 10 MB.
pub const OSCAL_BYTES_MAX: usize = 32 * 1024 * 1024;

words! {
    /// The models of OSCAL.
    DocumentKind {
        /// Controls.
        Catalog "catalog" "catalogue" "カタログ",
        /// A choice of controls.
        Profile "profile" "profile" "プロファイル",
        /// Mappings between catalogues.
        Mapping "mapping-collection" "mapping" "対応表",
        /// What components do for controls.
        Component "component-definition" "component definition" "コンポーネント定義",
        /// How a system meets controls.
        SystemPlan "system-security-plan" "system security plan" "システムセキュリティ計画",
        /// What will be assessed.
        AssessmentPlan "assessment-plan" "assessment plan" "評価計画",
        /// What was found.
        Results "assessment-results" "assessment results" "評価結果",
        /// What will be done.
        ActionPlan "plan-of-action-and-milestones" "plan of action and milestones" "是正計画",
    }
}

/// An OSCAL document in JSON, whole: fields that we do not know stay as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    kind: DocumentKind,
    body: Map<String, Value>,
    /// `$schema` and whatever else stands beside the model
    beside: Map<String, Value>,
}

impl Document {
    /// Reads a document; `file` is its name in errors.
    ///
    /// # Errors
    /// [`AssessmentError::Malformed`] with line and column for what is no JSON, no model of OSCAL,
    /// or has no metadata; [`AssessmentError::TooLarge`] beyond [`OSCAL_BYTES_MAX`].
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, AssessmentError> {
        if bytes.len() > OSCAL_BYTES_MAX {
            return Err(AssessmentError::TooLarge {
                file: file.to_owned(),
                what: "bytes",
                found: bytes.len(),
                most: OSCAL_BYTES_MAX,
            });
        }
        let malformed = |line: usize, column: usize, detail: String| AssessmentError::Malformed {
            file: file.to_owned(),
            line: u64::try_from(line).unwrap_or(0),
            column: u64::try_from(column).unwrap_or(0),
            detail,
        };
        let mut beside: Map<String, Value> = serde_json::from_slice(bytes)
            .map_err(|error| malformed(error.line(), error.column(), error.to_string()))?;
        let mut kinds =
            DocumentKind::ALL.iter().copied().filter(|kind| beside.contains_key(kind.word()));
        let (Some(kind), None) = (kinds.next(), kinds.next()) else {
            let all: Vec<&str> = DocumentKind::ALL.iter().map(|kind| kind.word()).collect();
            let detail = format!("an OSCAL document holds exactly one of {}", all.join(", "));
            return Err(malformed(1, 1, detail));
        };
        let Some(Value::Object(body)) = beside.remove(kind.word()) else {
            return Err(malformed(1, 1, format!("{kind} is no object")));
        };
        if !body.get("metadata").is_some_and(Value::is_object) {
            return Err(malformed(1, 1, format!("{kind} has no metadata")));
        }
        Ok(Self { kind, body, beside })
    }

    pub(crate) fn new(kind: DocumentKind, body: Map<String, Value>) -> Self {
        Self { kind, body, beside: Map::new() }
    }

    /// What it is.
    pub fn kind(&self) -> DocumentKind {
        self.kind
    }

    /// The model itself.
    pub fn body(&self) -> &Map<String, Value> {
        &self.body
    }

    /// A text of the metadata: `title`, `version`, `last-modified`, `oscal-version`.
    pub fn metadata(&self, field: &str) -> Option<&str> {
        self.body.get("metadata")?.get(field)?.as_str()
    }

    /// Sets a text of the metadata and leaves everything else as it is.
    pub fn set_metadata(&mut self, field: &str, value: &str) {
        if let Some(metadata) = self.body.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert(field.to_owned(), Value::String(value.to_owned()));
        }
    }

    /// The whole document.
    pub fn to_value(&self) -> Value {
        let mut all = self.beside.clone();
        all.insert(self.kind.word().to_owned(), Value::Object(self.body.clone()));
        Value::Object(all)
    }

    /// The whole document as a file.
    pub fn to_json(&self) -> String {
        let mut text = format!("{:#}", self.to_value());
        text.push('\n');
        text
    }
}
