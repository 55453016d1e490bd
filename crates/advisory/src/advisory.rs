use crate::{
    AdvisoryError, Cpe, Ecosystem, EventRange, MatchKey, Remarks, Score, Vers, VulnerabilityId,
    csaf, json, json::Members as _, osv,
};
use crypto::UnixTime;

/// Largest advisory that is read, in bytes.
pub const ADVISORY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Longest summary that is kept, in characters.
pub const SUMMARY_CHARACTERS_MAX: usize = 300;
/// Most entries about affected products of one advisory.
pub const AFFECTED_MAX: usize = 100_000;

/// What somebody published about one vulnerability (or, in a distribution's bulletin, several).
#[derive(Debug, Clone, PartialEq)]
pub struct Advisory {
    /// the form it came in
    pub format: AdvisoryFormat,
    /// its id; in CSAF, that of the vulnerability, where it has one
    pub id: VulnerabilityId,
    /// the document, where it is not the id: a CSAF tracking id
    pub document: Option<String>,
    /// other ids of the same vulnerability
    pub aliases: Vec<VulnerabilityId>,
    /// vulnerabilities that it is about without being the same (OSV `upstream`)
    pub upstream: Vec<VulnerabilityId>,
    /// one line
    pub summary: String,
    /// when it was published
    pub published: Option<UnixTime>,
    /// when it was changed last
    pub modified: Option<UnixTime>,
    /// when it was withdrawn: it then says nothing any more
    pub withdrawn: Option<UnixTime>,
    /// scores for all that is affected
    pub scores: Vec<Score>,
    /// what is affected, fixed or not affected
    pub affected: Vec<Affected>,
    /// where to read more
    pub references: Vec<String>,
    /// what was not taken
    pub remarks: Remarks,
}

/// Forms of advisories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AdvisoryFormat {
    /// OSV 1.x
    Osv,
    /// CSAF 2.0, 2.1
    Csaf,
}

impl AdvisoryFormat {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Osv => "osv",
            Self::Csaf => "csaf",
        }
    }
}

/// What an advisory says about one product.
#[derive(Debug, Clone, PartialEq)]
pub struct Affected {
    /// the product
    pub target: Target,
    /// which of its versions
    pub versions: Versions,
    /// what is said about them
    pub claim: AffectedClaim,
    /// on which platform only (CSAF relationships): what it is called and its CPE name
    pub platform: Option<Platform>,
    /// scores for this product, where they differ
    pub scores: Vec<Score>,
    /// versions that have the fix
    pub fixed: Vec<String>,
    /// what the issuer advises
    pub remedy: Option<String>,
}

/// A product of an advisory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// a package of an ecosystem, perhaps of one release of a distribution
    Package {
        /// the ecosystem
        ecosystem: Ecosystem,
        /// the package's name as the ecosystem compares it
        name: String,
        /// the release of a distribution
        release: Option<String>,
    },
    /// a CPE name
    Cpe(Cpe),
    /// source code
    Repository(MatchKey),
}

impl Target {
    /// The keys under which a component finds it.
    pub fn keys(&self) -> Vec<MatchKey> {
        match self {
            Self::Package { ecosystem, name, .. } => vec![MatchKey::package(ecosystem, name)],
            Self::Cpe(cpe) => MatchKey::of_advisory_cpe(cpe),
            Self::Repository(key) => vec![key.clone()],
        }
    }
}

/// Where a product runs, as an advisory says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// name for people
    pub name: String,
    /// CPE name
    pub cpe: Option<Cpe>,
}

/// Versions of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Versions {
    /// every one
    All,
    /// one
    Exact(String),
    /// OSV's: ranges, and versions one by one (sorted)
    Events {
        /// the ranges
        ranges: Vec<EventRange>,
        /// single versions, each between line breaks, so that many cost one allocation
        listed: Box<str>,
    },
    /// a range
    Vers(Vers),
    /// words that cannot be evaluated
    Words(String),
}

impl Versions {
    /// Whether a version is listed one by one.
    pub(crate) fn lists(listed: &str, version: &str) -> bool {
        let needle = format!("\n{version}\n");
        listed.contains(&needle)
    }
}

/// What is said about versions of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AffectedClaim {
    /// they are affected
    Affected,
    /// it is being looked into
    UnderInvestigation,
    /// they have the fix
    Fixed,
    /// they are not affected
    NotAffected,
}

impl Advisory {
    /// Reads a document, told apart by its contents: an OSV record is one advisory, a CSAF document
    /// one for each of its vulnerabilities.
    ///
    /// # Errors
    /// [`AdvisoryError`].
    pub fn parse(bytes: &[u8]) -> Result<Vec<Self>, AdvisoryError> {
        let document = json::parse(bytes, ADVISORY_BYTES_MAX, "an advisory")?;
        if document.get("document").is_some_and(|inner| inner.get("csaf_version").is_some()) {
            return csaf::read(&document);
        }
        // Arrays of records are how some databases are exported.
        if let Some(list) = document.as_array() {
            return list.iter().map(osv::read).collect();
        }
        if document.text("id").is_some() {
            return Ok(vec![osv::read(&document)?]);
        }
        Err(AdvisoryError::Unsupported(
            "neither OSV (id, affected) nor CSAF (document.csaf_version)".to_owned(),
        ))
    }

    /// Every id of the same vulnerability: its own, its aliases, and the one vulnerability upstream
    /// where there is exactly one (`DEBIAN-CVE-2024-3094` is CVE-2024-3094 in Debian).
    pub fn ids(&self) -> Vec<VulnerabilityId> {
        let mut ids = vec![self.id.clone()];
        ids.extend(self.aliases.iter().cloned());
        if let [only] = self.upstream.as_slice() {
            ids.push(only.clone());
        }
        ids.sort();
        ids.dedup();
        ids
    }

    /// Every key under which a component finds it, each once.
    pub fn keys(&self) -> Vec<MatchKey> {
        let mut keys: Vec<MatchKey> =
            self.affected.iter().flat_map(|affected| affected.target.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}
