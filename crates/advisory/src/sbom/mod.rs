//! Software bills of materials: what a release is made of.

mod cyclonedx;
mod cyclonedx_xml;
mod spdx2;
mod spdx2_tag;
mod spdx3;

use crate::{
    AdvisoryError, Attribute, Cpe, Purl, Remarks, json, json::Members as _, remark::RemarkKind,
    text, vex::Statement,
};
use crypto::UnixTime;
use std::{collections::HashMap, fmt};

pub(crate) use cyclonedx::statements_of as cyclonedx_statements;

/// Largest SBOM that is read, in bytes.
pub const SBOM_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most components of an SBOM; further ones make it unreadable, because an SBOM that is read in part
/// would miss vulnerabilities in silence.
pub const COMPONENTS_MAX: usize = 200_000;
/// Longest name, version, supplier, reference, in characters.
pub const NAME_CHARACTERS_MAX: usize = 512;
/// Most CPE names, hashes, licences, repositories of one component.
pub const PER_COMPONENT_MAX: usize = 64;

/// A software bill of materials, of whatever form it came in.
#[derive(Debug, Clone, PartialEq)]
pub struct Sbom {
    /// the form
    pub format: SbomFormat,
    /// name of the document or of what it describes
    pub name: Option<String>,
    /// CycloneDX `serialNumber`, SPDX namespace or document id
    pub serial: Option<String>,
    /// when it was made
    pub created: Option<UnixTime>,
    /// who and what made it
    pub creators: Vec<String>,
    /// the component that the document describes
    pub subject: Option<usize>,
    /// what it is made of, the subject included
    pub components: Vec<Component>,
    /// which component needs which others, by index
    pub dependencies: Vec<(usize, Vec<usize>)>,
    /// what the producer says about completeness (CycloneDX `compositions[].aggregate`), and of how
    /// many components
    pub compositions: Vec<(String, usize)>,
    /// statements about vulnerabilities that the document carries
    pub statements: Vec<Statement>,
    /// what was not taken
    pub remarks: Remarks,
}

/// Forms of SBOMs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SbomFormat {
    /// CycloneDX in JSON, with its version
    CycloneDxJson(String),
    /// CycloneDX in XML, with its version
    CycloneDxXml(String),
    /// SPDX 2 in JSON, with its version
    Spdx2Json(String),
    /// SPDX 2 as tags and values, with its version
    Spdx2Tag(String),
    /// SPDX 3 in JSON-LD, with its version
    Spdx3(String),
}

impl fmt::Display for SbomFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CycloneDxJson(version) => write!(f, "CycloneDX {version} JSON"),
            Self::CycloneDxXml(version) => write!(f, "CycloneDX {version} XML"),
            Self::Spdx2Json(version) => write!(f, "SPDX {version} JSON"),
            Self::Spdx2Tag(version) => write!(f, "SPDX {version} tag-value"),
            Self::Spdx3(version) => write!(f, "SPDX {version} JSON-LD"),
        }
    }
}

/// Part of a release.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Component {
    /// the document's name for it (`bom-ref`, `SPDXID`), or `#` and its number
    pub reference: String,
    /// the component that contains it, by index
    pub parent: Option<usize>,
    /// `library`, `application`, `operating-system`, `firmware`, …
    pub kind: String,
    /// group or vendor before the name
    pub group: Option<String>,
    /// name
    pub name: String,
    /// version
    pub version: Option<String>,
    /// who supplies it
    pub supplier: Option<String>,
    /// package URL
    pub purl: Option<Purl>,
    /// CPE names
    pub cpes: Vec<Cpe>,
    /// hash algorithm (lower case, `sha-256`) and hexadecimal digest
    pub hashes: Vec<(String, String)>,
    /// licence expressions or names
    pub licences: Vec<String>,
    /// URLs of version control
    pub repositories: Vec<String>,
}

impl Component {
    /// Name and version for people.
    pub fn label(&self) -> String {
        let group = self.group.as_ref().map_or_else(String::new, |group| format!("{group}/"));
        let version = self.version_text().map_or_else(String::new, |version| format!("@{version}"));
        format!("{group}{}{version}", self.name)
    }

    /// The version: of the package URL, else as written, else of the CPE name.
    pub fn version_text(&self) -> Option<&str> {
        let purl = self.purl.as_ref().and_then(|purl| purl.version.as_deref());
        purl.or(self.version.as_deref()).or_else(|| {
            self.cpes.iter().find_map(|cpe| match cpe.version() {
                Attribute::Text(version) => Some(version.as_str()),
                _ => None,
            })
        })
    }

    /// The source package that a distribution built this one from, and its version where it is
    /// another (purl qualifier `upstream`, as SBOM tools write it).
    pub fn source_package(&self) -> Option<(&str, Option<&str>)> {
        let purl = self.purl.as_ref()?;
        let source = purl.qualifier("upstream").or_else(|| purl.qualifier("source"))?;
        // rpm names its source as a file: openssl-3.0.7-24.el9.src.rpm
        if let Some(file) = source.strip_suffix(".src.rpm") {
            let (rest, _release) = file.rsplit_once('-')?;
            let (name, _version) = rest.rsplit_once('-')?;
            let version = file.get(name.len() + 1..);
            return Some((name, version));
        }
        Some(match source.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (source, None),
        })
    }

    /// Whether anything names it in a way that advisories use.
    pub fn is_identified(&self) -> bool {
        self.purl.is_some() || !self.cpes.is_empty()
    }
}

impl Sbom {
    /// Reads an SBOM of any form, told apart by its contents.
    ///
    /// # Errors
    /// [`AdvisoryError`]: too large, malformed, or of no form that is read.
    pub fn parse(bytes: &[u8]) -> Result<Self, AdvisoryError> {
        if bytes.len() > SBOM_BYTES_MAX {
            return Err(AdvisoryError::TooLarge {
                what: "bytes of an SBOM",
                found: bytes.len(),
                most: SBOM_BYTES_MAX,
            });
        }
        let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
        if start.starts_with(b"<") {
            return cyclonedx_xml::read(bytes);
        }
        if start.starts_with(b"SPDXVersion:") || start.starts_with(b"#") {
            return spdx2_tag::read(bytes);
        }
        let document = json::parse(bytes, SBOM_BYTES_MAX, "an SBOM")?;
        let context = document.text("@context").unwrap_or_default();
        if document.text("bomFormat") == Some("CycloneDX") || document.get("specVersion").is_some()
        {
            let version = text::line(document.text("specVersion").unwrap_or("?"), 10);
            cyclonedx::read(&document, SbomFormat::CycloneDxJson(version))
        } else if let Some(version) = document.text("spdxVersion") {
            let version = text::line(version.trim_start_matches("SPDX-"), 10);
            spdx2::read(&document, SbomFormat::Spdx2Json(version))
        } else if context.contains("spdx") || document.get("@graph").is_some() {
            spdx3::read(&document)
        } else {
            Err(AdvisoryError::Unsupported(
                "neither CycloneDX (bomFormat) nor SPDX (spdxVersion, @context)".to_owned(),
            ))
        }
    }

    /// The subject, where the document says which component it describes.
    pub fn subject(&self) -> Option<&Component> {
        self.subject.and_then(|index| self.components.get(index))
    }

    /// Whether the producer itself says that something is missing.
    pub fn is_declared_incomplete(&self) -> bool {
        self.compositions.iter().any(|(aggregate, _)| aggregate.starts_with("incomplete"))
    }
}

/// Gathers components: references, duplicates, limits in one place for all forms.
struct Builder {
    components: Vec<Component>,
    by_reference: HashMap<String, usize>,
    seen: HashMap<(String, String, String, Option<usize>), usize>,
    remarks: Remarks,
}

impl Builder {
    fn new() -> Self {
        Self {
            components: Vec::new(),
            by_reference: HashMap::new(),
            seen: HashMap::new(),
            remarks: Remarks::default(),
        }
    }

    /// Adds a component; its index.
    fn add(&mut self, mut component: Component, place: &str) -> Result<usize, AdvisoryError> {
        let index = self.components.len();
        if index >= COMPONENTS_MAX {
            return Err(AdvisoryError::TooLarge {
                what: "components of an SBOM",
                found: index + 1,
                most: COMPONENTS_MAX,
            });
        }
        if component.reference.is_empty() {
            component.reference = format!("#{index}");
        }
        if let Some(first) = self.by_reference.get(&component.reference) {
            let detail = format!(
                "the reference {:?} is component {first} already; this one is kept, but nothing can \
                 point at it",
                component.reference
            );
            self.remarks.add(RemarkKind::Duplicate, place, detail);
            component.reference = format!("#{index}");
        }
        let in_purl = component.purl.as_ref().and_then(|purl| purl.version.as_deref());
        if let (Some(in_purl), Some(version)) = (in_purl, component.version.as_deref())
            && !in_purl.contains(version)
            && !version.contains(in_purl)
        {
            let detail = format!(
                "the version {version:?} is not that of the package URL, {in_purl:?}, which counts"
            );
            self.remarks.add(RemarkKind::NotUsed, place, detail);
        }
        let identity = (
            component.purl.as_ref().map(ToString::to_string).unwrap_or_default(),
            component.group.clone().unwrap_or_default() + "/" + &component.name,
            component.version.clone().unwrap_or_default(),
            component.parent,
        );
        if let Some(first) = self.seen.get(&identity) {
            let detail =
                format!("{} is component {first} already; both are kept", component.label());
            self.remarks.add(RemarkKind::Duplicate, place, detail);
        } else {
            self.seen.insert(identity, index);
        }
        self.by_reference.insert(component.reference.clone(), index);
        self.components.push(component);
        Ok(index)
    }

    /// The component that a reference names; a remark where there is none.
    fn resolve(&mut self, reference: &str, place: &str) -> Option<usize> {
        let found = self.by_reference.get(reference).copied();
        if found.is_none() {
            let detail = format!("{reference:?} names no component of this document");
            self.remarks.add(RemarkKind::Dangling, place, detail);
        }
        found
    }

    fn purl(&mut self, text: Option<&str>, place: &str) -> Option<Purl> {
        match text?.parse() {
            Ok(purl) => Some(purl),
            Err(error) => {
                let error: AdvisoryError = error;
                self.remarks.add(RemarkKind::Malformed, place, error.to_string());
                None
            }
        }
    }

    fn cpe(&mut self, text: Option<&str>, place: &str) -> Option<Cpe> {
        match text?.parse() {
            Ok(cpe) => Some(cpe),
            Err(error) => {
                let error: AdvisoryError = error;
                self.remarks.add(RemarkKind::Malformed, place, error.to_string());
                None
            }
        }
    }

    /// Adds to a list of a component within its limit.
    fn push<T: PartialEq>(&mut self, list: &mut Vec<T>, value: T, place: &str) {
        if list.contains(&value) {
            return;
        }
        if list.len() >= PER_COMPONENT_MAX {
            let detail = format!("more than {PER_COMPONENT_MAX} entries in one list");
            self.remarks.add(RemarkKind::TooMuch, place, detail);
            return;
        }
        list.push(value);
    }

    /// A digest, if it is one.
    fn hash(&mut self, algorithm: &str, digest: &str, place: &str) -> Option<(String, String)> {
        let digest = digest.trim().to_ascii_lowercase();
        let good =
            (8..=256).contains(&digest.len()) && digest.bytes().all(|b| b.is_ascii_hexdigit());
        if !good {
            self.remarks.add(RemarkKind::Malformed, place, format!("the digest {digest:?}"));
            return None;
        }
        Some((hash_name(algorithm), digest))
    }
}

/// One spelling of a hash algorithm: `SHA-256`, `SHA256`, `sha256` are `sha-256`.
pub(crate) fn hash_name(text: &str) -> String {
    let lower = text::line(&text.to_ascii_lowercase(), 24);
    match lower.strip_prefix("sha") {
        Some(bits) if bits.starts_with(|first: char| first.is_ascii_digit()) => {
            let bits = bits.replace('_', "-");
            match bits.strip_prefix('3').filter(|rest| rest.starts_with('-')) {
                Some(rest) => format!("sha3{rest}"),
                None => format!("sha-{bits}"),
            }
        }
        _ => lower,
    }
}

/// Names and versions as they are kept.
fn name(text: Option<&str>) -> Option<String> {
    text.map(|text| text::line(text, NAME_CHARACTERS_MAX)).filter(|text| !text.is_empty())
}
