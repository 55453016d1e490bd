//! VEX: who says what about a vulnerability in a product.

mod csaf;
mod openvex;
mod set;
mod statement;
mod write;

use crate::{AdvisoryError, Remarks, json, json::Members as _, sbom::cyclonedx_statements};
use crypto::UnixTime;

pub(crate) use set::Voices;
pub use set::{Origin, StatementSet};
pub use statement::{Claim, Justification, Product, Statement, Status, VersionClaim};

/// Largest VEX document that is read, in bytes.
pub const VEX_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Forms of VEX documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VexFormat {
    /// OpenVEX 0.2.0
    OpenVex,
    /// CycloneDX with `vulnerabilities[].analysis`
    CycloneDx,
    /// CSAF 2.0, profile 5 (VEX)
    Csaf,
}

impl VexFormat {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::OpenVex, Self::CycloneDx, Self::Csaf];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenVex => "openvex",
            Self::CycloneDx => "cyclonedx",
            Self::Csaf => "csaf",
        }
    }

    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// A VEX document.
#[derive(Debug, Clone, PartialEq)]
pub struct VexDocument {
    /// the form it came in
    pub format: VexFormat,
    /// what it says
    pub statements: Vec<Statement>,
    /// what was not taken, refused statements among it
    pub remarks: Remarks,
}

/// Who makes a document, when, and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentInfo {
    /// a URI that names the document; a `urn:uuid:` for CycloneDX
    pub id: String,
    /// who makes it
    pub author: String,
    /// a URI of who makes it, for CSAF's publisher
    pub author_url: String,
    /// when
    pub at: UnixTime,
}

impl VexDocument {
    /// Reads a document of any form, told apart by its contents.
    ///
    /// # Errors
    /// [`AdvisoryError`]. A statement that nobody may make is no error of the document: it is left
    /// out and remarked.
    pub fn parse(bytes: &[u8]) -> Result<Self, AdvisoryError> {
        let document = json::parse(bytes, VEX_BYTES_MAX, "a VEX document")?;
        let context = document.text("@context").unwrap_or_default();
        let (format, (statements, remarks)) = if context.contains("openvex.dev") {
            (VexFormat::OpenVex, openvex::read(&document))
        } else if document.text("bomFormat") == Some("CycloneDX") {
            (VexFormat::CycloneDx, cyclonedx_statements(&document)?)
        } else if document.get("document").is_some_and(|inner| inner.get("csaf_version").is_some())
        {
            (VexFormat::Csaf, csaf::read(&document)?)
        } else {
            return Err(AdvisoryError::Unsupported(
                "neither OpenVEX (@context), CycloneDX (bomFormat) nor CSAF (csaf_version)"
                    .to_owned(),
            ));
        };
        Ok(Self { format, statements, remarks })
    }

    /// Writes statements in any form. What a form cannot say is said in its nearest words, and
    /// where it cannot be said at all the answer is an error (docs/advisory.md).
    ///
    /// # Errors
    /// [`AdvisoryError::Refused`].
    pub fn write(
        format: VexFormat,
        info: &DocumentInfo,
        statements: &[Statement],
    ) -> Result<String, AdvisoryError> {
        if statements.is_empty() {
            return Err(AdvisoryError::Refused("a VEX document says something".to_owned()));
        }
        let value = match format {
            VexFormat::OpenVex => write::openvex(info, statements),
            VexFormat::CycloneDx => write::cyclonedx(info, statements),
            VexFormat::Csaf => write::csaf(info, statements)?,
        };
        serde_json::to_string_pretty(&value)
            .map_err(|error| AdvisoryError::malformed("JSON", error.to_string()))
    }
}
