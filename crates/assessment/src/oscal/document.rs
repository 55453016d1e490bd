use crate::{AssessmentError, Refusal, named::words};
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
    /// [`AssessmentError::Refused`] for what is no JSON, with line and column, no model of OSCAL, or has
    /// no metadata; [`AssessmentError::TooLarge`] beyond [`OSCAL_BYTES_MAX`].
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, AssessmentError> {
        if bytes.len() > OSCAL_BYTES_MAX {
            return Err(AssessmentError::TooLarge {
                file: file.to_owned(),
                what: "bytes",
                found: bytes.len(),
                most: OSCAL_BYTES_MAX,
            });
        }
        let refused = |why: Refusal| AssessmentError::Refused(why);
        let mut beside: Map<String, Value> = serde_json::from_slice(bytes).map_err(|error| {
            refused(Refusal::NoJson { line: error.line(), column: error.column() })
        })?;
        let mut kinds =
            DocumentKind::ALL.iter().copied().filter(|kind| beside.contains_key(kind.word()));
        let (Some(kind), None) = (kinds.next(), kinds.next()) else {
            return Err(refused(Refusal::NotOscal));
        };
        let Some(Value::Object(body)) = beside.remove(kind.word()) else {
            return Err(refused(Refusal::NoMetadata(kind)));
        };
        if !body.get("metadata").is_some_and(Value::is_object) {
            return Err(refused(Refusal::NoMetadata(kind)));
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
