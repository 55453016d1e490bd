use crate::{
    AdvisoryError, Component, Cpe, CpeRelation, Purl, Sbom, VulnerabilityId,
    range::{Inclusion, Vers},
};
use crypto::UnixTime;

/// Most products of one statement.
const PRODUCTS_MAX: usize = 10_000;

/// What somebody claims about a vulnerability in products. A [`Statement`] is a claim that was
/// checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// the vulnerability
    pub vulnerability: VulnerabilityId,
    /// other ids of the same vulnerability
    pub aliases: Vec<VulnerabilityId>,
    /// what it is about
    pub products: Vec<Product>,
    /// what is claimed
    pub status: Status,
    /// who claims it
    pub author: String,
    /// since when it holds
    pub at: Option<UnixTime>,
    /// from when on it must be looked at again
    pub expires: Option<UnixTime>,
    /// further words
    pub detail: Option<String>,
}

/// A claim that is complete: about something, and with a reason where it says "not affected".
#[derive(Debug, Clone, PartialEq)]
pub struct Statement(Claim);

/// Status of a product under a vulnerability (the VEX minimum requirements, CISA 2023).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// nothing needs to be done; says why by justification, impact statement, or both
    NotAffected {
        /// the reason as one of the agreed words
        justification: Option<Justification>,
        /// the reason in words
        impact: Option<String>,
    },
    /// something should be done
    Affected {
        /// what
        action: Option<String>,
    },
    /// these versions contain the fix
    Fixed,
    /// not yet known
    UnderInvestigation,
}

impl Status {
    /// Stable name, as OpenVEX writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotAffected { .. } => "not_affected",
            Self::Affected { .. } => "affected",
            Self::Fixed => "fixed",
            Self::UnderInvestigation => "under_investigation",
        }
    }

    /// Whether a finding need not stand any longer.
    pub fn silences(&self) -> bool {
        matches!(self, Self::NotAffected { .. } | Self::Fixed)
    }
}

/// Why a product is not affected: the words of OpenVEX and CSAF, and those of CycloneDX that say
/// more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Justification {
    /// the component is not in the product
    ComponentNotPresent,
    /// the code is not in the component
    VulnerableCodeNotPresent,
    /// the code is never run
    VulnerableCodeNotInExecutePath,
    /// nobody who attacks can bring it about
    VulnerableCodeCannotBeControlledByAdversary,
    /// something built in prevents it
    InlineMitigationsAlreadyExist,
    /// only under settings that are not set
    RequiresConfiguration,
    /// only with another component that is not there
    RequiresDependency,
    /// only in an environment that it is not in
    RequiresEnvironment,
    /// a compiler's option prevents it
    ProtectedByCompiler,
    /// something at run time prevents it
    ProtectedAtRuntime,
    /// something at the perimeter prevents it
    ProtectedAtPerimeter,
    /// another measure prevents it
    ProtectedByMitigatingControl,
}

/// Every justification with its word in OpenVEX and CSAF, and in CycloneDX.
const JUSTIFICATIONS: [(Justification, &str, &str); 12] = [
    (Justification::ComponentNotPresent, "component_not_present", "code_not_present"),
    (Justification::VulnerableCodeNotPresent, "vulnerable_code_not_present", "code_not_present"),
    (
        Justification::VulnerableCodeNotInExecutePath,
        "vulnerable_code_not_in_execute_path",
        "code_not_reachable",
    ),
    (
        Justification::VulnerableCodeCannotBeControlledByAdversary,
        "vulnerable_code_cannot_be_controlled_by_adversary",
        "code_not_reachable",
    ),
    (
        Justification::InlineMitigationsAlreadyExist,
        "inline_mitigations_already_exist",
        "protected_by_mitigating_control",
    ),
    (
        Justification::RequiresConfiguration,
        "vulnerable_code_cannot_be_controlled_by_adversary",
        "requires_configuration",
    ),
    (
        Justification::RequiresDependency,
        "vulnerable_code_cannot_be_controlled_by_adversary",
        "requires_dependency",
    ),
    (
        Justification::RequiresEnvironment,
        "vulnerable_code_cannot_be_controlled_by_adversary",
        "requires_environment",
    ),
    (
        Justification::ProtectedByCompiler,
        "inline_mitigations_already_exist",
        "protected_by_compiler",
    ),
    (Justification::ProtectedAtRuntime, "inline_mitigations_already_exist", "protected_at_runtime"),
    (
        Justification::ProtectedAtPerimeter,
        "inline_mitigations_already_exist",
        "protected_at_perimeter",
    ),
    (
        Justification::ProtectedByMitigatingControl,
        "inline_mitigations_already_exist",
        "protected_by_mitigating_control",
    ),
];

impl Justification {
    /// Every justification.
    pub fn all() -> impl Iterator<Item = Self> {
        JUSTIFICATIONS.iter().map(|(justification, _, _)| *justification)
    }

    fn words(self) -> (&'static str, &'static str) {
        JUSTIFICATIONS
            .iter()
            .find(|(justification, _, _)| *justification == self)
            .map_or(("", ""), |(_, openvex, cyclonedx)| (openvex, cyclonedx))
    }

    /// The word of OpenVEX and CSAF; the nearest where they have none.
    pub fn openvex(self) -> &'static str {
        self.words().0
    }

    /// The word of CycloneDX; the nearest where it has none.
    pub fn cyclonedx(self) -> &'static str {
        self.words().1
    }

    /// Reads the word of OpenVEX and CSAF.
    pub fn from_openvex(word: &str) -> Option<Self> {
        JUSTIFICATIONS.iter().find(|(_, openvex, _)| *openvex == word).map(|found| found.0)
    }

    /// Reads the word of CycloneDX.
    pub fn from_cyclonedx(word: &str) -> Option<Self> {
        // "code_not_present" is said of code, and "protected_by_mitigating_control" is its own.
        match word {
            "code_not_present" => Some(Self::VulnerableCodeNotPresent),
            "protected_by_mitigating_control" => Some(Self::ProtectedByMitigatingControl),
            word => JUSTIFICATIONS.iter().find(|(_, _, cdx)| *cdx == word).map(|found| found.0),
        }
    }

    /// Reads the word of SPDX 3, which is OpenVEX's without underscores.
    pub fn from_spdx(word: &str) -> Option<Self> {
        JUSTIFICATIONS
            .iter()
            .find(|(_, openvex, _)| openvex.replace('_', "").eq_ignore_ascii_case(word))
            .map(|found| found.0)
    }
}

/// What a statement is about. Every way of naming it that is given must fit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Product {
    /// by package URL; version and qualifiers that it leaves out may be anything
    pub purl: Option<Purl>,
    /// by CPE name
    pub cpe: Option<Cpe>,
    /// by hash: algorithm and digest, lower case
    pub hashes: Vec<(String, String)>,
    /// by the name in its SBOM: a `bom-ref`, a BOM link, a document's URI
    pub reference: Option<String>,
    /// only these versions; every version where it is empty
    pub versions: Vec<VersionClaim>,
    /// only these components in it
    pub subcomponents: Vec<Product>,
}

/// Versions of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionClaim {
    /// one version
    Exact(String),
    /// a range in `vers:` notation
    Range(String),
}

impl Statement {
    /// Checks a claim.
    ///
    /// # Errors
    /// [`AdvisoryError::Refused`]: "not affected" without justification and impact statement (who
    /// reads it could not check it), or a claim about nothing.
    pub fn new(claim: Claim) -> Result<Self, AdvisoryError> {
        let refuse = |why: String| Err(AdvisoryError::Refused(why));
        if let Status::NotAffected { justification: None, impact } = &claim.status
            && impact.as_ref().is_none_or(|impact| impact.trim().is_empty())
        {
            return refuse(format!(
                "{} is said to be not_affected without justification or impact statement",
                claim.vulnerability
            ));
        }
        let nameless = |product: &Product| {
            product.purl.is_none()
                && product.cpe.is_none()
                && product.hashes.is_empty()
                && product.reference.is_none()
        };
        if claim.products.is_empty() || claim.products.iter().any(nameless) {
            return refuse(format!(
                "a statement about {} names no product that can be recognised",
                claim.vulnerability
            ));
        }
        if claim.products.len() > PRODUCTS_MAX {
            return refuse(format!("more than {PRODUCTS_MAX} products in one statement"));
        }
        Ok(Self(claim))
    }

    /// The claim.
    pub fn claim(&self) -> &Claim {
        &self.0
    }

    /// Whether it is about a vulnerability, under any of its ids.
    pub fn is_about(&self, id: &VulnerabilityId) -> bool {
        self.0.vulnerability == *id || self.0.aliases.contains(id)
    }

    /// Whether it is about a component of an SBOM. `embedded`: the statement stands in that SBOM,
    /// so that plain references are its own.
    pub fn covers(&self, sbom: &Sbom, component: &Component, embedded: bool) -> bool {
        self.0.products.iter().any(|product| {
            if product.subcomponents.is_empty() {
                return product.is(sbom, component, embedded) || product.is_whole(sbom, embedded);
            }
            let part = product.subcomponents.iter().any(|part| part.is(sbom, component, embedded));
            part && product.is_whole(sbom, embedded)
        })
    }

    /// Whether it names a component itself, not only the whole that it is a part of.
    pub fn names(&self, sbom: &Sbom, component: &Component, embedded: bool) -> bool {
        self.0.products.iter().any(|product| {
            if product.subcomponents.is_empty() {
                return product.is(sbom, component, embedded);
            }
            let part = product.subcomponents.iter().any(|part| part.is(sbom, component, embedded));
            part && product.is_whole(sbom, embedded)
        })
    }
}

impl Product {
    /// Whether this is what the SBOM describes.
    fn is_whole(&self, sbom: &Sbom, embedded: bool) -> bool {
        let serial = sbom.serial.as_deref();
        if self.reference.is_some() && self.reference.as_deref() == serial {
            return true;
        }
        sbom.subject().is_some_and(|subject| self.is(sbom, subject, embedded))
    }

    fn is(&self, sbom: &Sbom, component: &Component, embedded: bool) -> bool {
        let mut named = false;
        if let Some(purl) = &self.purl {
            if !component.purl.as_ref().is_some_and(|theirs| theirs.is_a(purl)) {
                return false;
            }
            named = true;
        }
        if let Some(cpe) = &self.cpe {
            let fits = |theirs: &Cpe| {
                cpe.relation(theirs) == CpeRelation::Covers
                    && cpe.version_covers(theirs) == Some(true)
            };
            if !component.cpes.iter().any(fits) {
                return false;
            }
            named = true;
        }
        if !self.hashes.is_empty() {
            let same = |hash| component.hashes.contains(hash);
            let known = |(name, _): &&(String, String)| {
                component.hashes.iter().any(|(other, _)| other == name)
            };
            let shared: Vec<_> = self.hashes.iter().filter(known).collect();
            if shared.is_empty() || !shared.into_iter().all(same) {
                return false;
            }
            named = true;
        }
        if let Some(reference) = &self.reference {
            let own = embedded && *reference == component.reference;
            // urn:cdx:SERIAL/VERSION#bom-ref
            let linked = reference.strip_prefix("urn:cdx:").and_then(|link| {
                let (document, fragment) = link.split_once('#')?;
                let serial = document.split('/').next()?;
                let ours = sbom.serial.as_deref()?.strip_prefix("urn:uuid:")?;
                Some(serial.eq_ignore_ascii_case(ours) && fragment == component.reference)
            });
            if own || linked == Some(true) {
                named = true;
            } else if !named || embedded {
                return false;
            }
        }
        named && self.versions_cover(component)
    }

    fn versions_cover(&self, component: &Component) -> bool {
        if self.versions.is_empty() {
            return true;
        }
        let Some(version) = component.version_text() else { return false };
        self.versions.iter().any(|claim| match claim {
            VersionClaim::Exact(exact) => exact == version,
            VersionClaim::Range(range) => range
                .parse::<Vers>()
                .is_ok_and(|range| range.includes(version) == Inclusion::Inside),
        })
    }
}
