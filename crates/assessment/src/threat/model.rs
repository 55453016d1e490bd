//! The model of a product: what it consists of, what flows, what is worth protecting.
//!
//! Read in `model_read`, written in `model_file`. The form is in `docs/threat-model.md`.

use crate::{
    Day, Threat,
    threat::{
        AssetKind, Authentication, Category, ElementKind, Encryption, Harm, Identity,
        InterfaceKind, InterfacePurpose, Place, Protocol, Purpose, Support, Trait, Verdict,
    },
};
use advisory::Score;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

/// Zones of one model.
pub const ZONES_MAX: usize = 64;
/// Elements of one model.
pub const ELEMENTS_MAX: usize = 500;
/// Interfaces of one element.
pub const INTERFACES_MAX: usize = 32;
/// Flows of one model.
pub const FLOWS_MAX: usize = 2_000;
/// Assets of one model.
pub const ASSETS_MAX: usize = 500;
/// Decisions of one model, and findings, and vulnerabilities.
pub const DECISIONS_MAX: usize = 5_000;
/// Names in one list: measures, assets, elements.
pub const NAMES_MAX: usize = 128;
/// The scale of impact and likelihood.
pub(crate) const SCALE: RangeInclusive<u8> = 1..=5;
/// What counts where nothing is said: the middle of the scale for what has no asset.
pub(crate) const UNSAID: u8 = 3;

/// How much harm is done when safety, confidentiality, integrity or availability is lost, 1 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rating {
    /// people and things
    pub safety: u8,
    /// secrets
    pub confidentiality: u8,
    /// correctness
    pub integrity: u8,
    /// being there
    pub availability: u8,
}

impl Rating {
    /// The worst: what counts for an asset that nobody rated.
    pub const WORST: Self = Self::all(5);

    /// The same for all four.
    pub(crate) const fn all(value: u8) -> Self {
        Self { safety: value, confidentiality: value, integrity: value, availability: value }
    }

    /// One of the four.
    pub fn of(&self, harm: Harm) -> u8 {
        match harm {
            Harm::Safety => self.safety,
            Harm::Confidentiality => self.confidentiality,
            Harm::Integrity => self.integrity,
            Harm::Availability => self.availability,
        }
    }

    /// The worse of both, each for itself.
    pub fn worse(self, other: Self) -> Self {
        Self {
            safety: self.safety.max(other.safety),
            confidentiality: self.confidentiality.max(other.confidentiality),
            integrity: self.integrity.max(other.integrity),
            availability: self.availability.max(other.availability),
        }
    }

    /// The impact of a threat that harms `harms`: the greatest of these, and never less than
    /// safety, whatever is harmed.
    pub fn impact(&self, harms: &[Harm]) -> u8 {
        harms.iter().map(|harm| self.of(*harm)).fold(self.safety, u8::max)
    }
}

/// Levels of IEC 62443, 0 to 4, for the foundational requirements FR 1 to FR 7.
pub type SecurityLevels = [u8; 7];

/// A group of elements that trust each other alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// stable name
    pub id: String,
    /// for people
    pub title: String,
    /// how much it is trusted: 1 not at all, 5 fully
    pub trust: u8,
    /// SL-T: what shall be reached
    pub target: Option<SecurityLevels>,
    /// SL-C: what its components can do
    pub capability: Option<SecurityLevels>,
    #[doc(hidden)]
    pub line: u64,
}

/// A way into an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// stable name within its element
    pub id: String,
    /// for people
    pub title: String,
    /// what it is
    pub kind: InterfaceKind,
    /// whether the product needs it
    pub purpose: InterfacePurpose,
    /// in place
    pub measures: BTreeSet<String>,
    /// decided
    pub planned: BTreeSet<String>,
    #[doc(hidden)]
    pub line: u64,
}

/// Something that the product consists of or deals with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// stable name
    pub id: String,
    /// for people
    pub title: String,
    /// what it is
    pub kind: ElementKind,
    /// zone
    pub zone: Option<String>,
    /// element that it is a part of
    pub part_of: Option<String>,
    /// who can put hands on it
    pub place: Place,
    /// what proves who it is
    pub identity: Identity,
    /// what else matters
    pub traits: BTreeSet<Trait>,
    /// assets that it holds
    pub holds: BTreeSet<String>,
    /// ways in
    pub interfaces: Vec<Interface>,
    /// last day of support
    pub support_until: Option<Day>,
    /// in place
    pub measures: BTreeSet<String>,
    /// decided
    pub planned: BTreeSet<String>,
    #[doc(hidden)]
    pub line: u64,
}

impl Element {
    /// What is known about its support on a day.
    pub fn support(&self, on: Day) -> Support {
        match self.support_until {
            None => Support::Unknown,
            Some(until) if until < on => Support::Ended,
            Some(_) => Support::Stated,
        }
    }
}

/// Something that goes from one element to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// stable name
    pub id: String,
    /// for people
    pub title: String,
    /// element that sends
    pub from: String,
    /// element that receives
    pub to: String,
    /// elements on the way that unpack it
    pub via: Vec<String>,
    /// what it is for
    pub purpose: Purpose,
    /// what it speaks
    pub protocol: Protocol,
    /// how the sender proves who it is
    pub authentication: Authentication,
    /// how far it is encrypted
    pub encryption: Encryption,
    /// assets that it carries
    pub carries: BTreeSet<String>,
    /// in place
    pub measures: BTreeSet<String>,
    /// decided
    pub planned: BTreeSet<String>,
    #[doc(hidden)]
    pub line: u64,
}

/// Something worth protecting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// stable name
    pub id: String,
    /// for people
    pub title: String,
    /// what it is
    pub kind: AssetKind,
    /// how much harm; `None` counts as [`Rating::WORST`]
    pub rating: Option<Rating>,
    #[doc(hidden)]
    pub line: u64,
}

/// A threat that people found: in a review, a penetration test, another tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// stable name
    pub id: String,
    /// for people
    pub title: String,
    /// what is known, and what is to be done
    pub text: Option<String>,
    /// what kind of threat
    pub threat: Threat,
    /// element or flow
    pub subject: String,
    /// 1 to 5
    pub likelihood: u8,
    /// what suffers
    pub harms: Vec<Harm>,
    #[doc(hidden)]
    pub line: u64,
}

/// A concrete vulnerability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vulnerability {
    /// CVE or other name
    pub id: String,
    /// what it is
    pub title: String,
    /// elements that have it
    pub elements: Vec<String>,
    /// CVSS 4.0
    pub score: Score,
    /// the day from which it is fixed
    pub fixed_on: Option<Day>,
    #[doc(hidden)]
    pub line: u64,
}

/// What somebody decided about one threat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// what was decided
    pub verdict: Verdict,
    /// why
    pub reason: String,
    /// who
    pub by: String,
    /// when
    pub on: Day,
    /// last day on which it counts; always there for [`Verdict::Accepted`] and
    /// [`Verdict::Transferred`]
    pub until: Option<Day>,
    /// measures that are decided; never empty for [`Verdict::Measures`]
    pub measures: BTreeSet<String>,
    /// likelihood as people see it
    pub likelihood: Option<u8>,
    /// impact as people see it; counts only where it is not below safety
    pub impact: Option<u8>,
    #[doc(hidden)]
    pub line: u64,
}

/// The model of one product.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Model {
    /// the product
    pub name: String,
    /// what it is for
    pub summary: Option<String>,
    /// what kind of product it is
    pub category: BTreeSet<Category>,
    /// zones
    pub zones: Vec<Zone>,
    /// assets
    pub assets: Vec<Asset>,
    /// elements
    pub elements: Vec<Element>,
    /// flows
    pub flows: Vec<Flow>,
    /// in place everywhere
    pub measures: BTreeSet<String>,
    /// decided for everywhere
    pub planned: BTreeSet<String>,
    /// what people found
    pub findings: Vec<Finding>,
    /// concrete vulnerabilities
    pub vulnerabilities: Vec<Vulnerability>,
    /// what was decided, by the id of the threat
    pub decisions: BTreeMap<String, Decision>,
    /// answers of the guided forms: form, question, answer
    pub forms: BTreeMap<String, BTreeMap<String, String>>,
}

impl Model {
    /// The element `id`.
    pub fn element(&self, id: &str) -> Option<&Element> {
        self.elements.iter().find(|one| one.id == id)
    }

    /// The flow `id`.
    pub fn flow(&self, id: &str) -> Option<&Flow> {
        self.flows.iter().find(|one| one.id == id)
    }

    /// The asset `id`.
    pub fn asset(&self, id: &str) -> Option<&Asset> {
        self.assets.iter().find(|one| one.id == id)
    }

    /// The zone `id`.
    pub fn zone(&self, id: &str) -> Option<&Zone> {
        self.zones.iter().find(|one| one.id == id)
    }

    /// Flows that begin, end or are unpacked at `element`.
    pub fn flows_of<'a>(&'a self, element: &'a str) -> impl Iterator<Item = &'a Flow> {
        self.flows.iter().filter(move |flow| {
            flow.from == element || flow.to == element || flow.via.iter().any(|one| one == element)
        })
    }

    /// Assets that `element` holds, sends, receives or unpacks.
    pub fn assets_of(&self, element: &Element) -> Vec<&Asset> {
        let mut ids: BTreeSet<&str> = element.holds.iter().map(String::as_str).collect();
        for flow in self.flows_of(&element.id) {
            ids.extend(flow.carries.iter().map(String::as_str));
        }
        self.named(&ids)
    }

    /// Assets that `flow` carries.
    pub fn carried(&self, flow: &Flow) -> Vec<&Asset> {
        self.named(&flow.carries.iter().map(String::as_str).collect())
    }

    /// Whether both ends are in zones, and in different ones.
    pub fn crosses(&self, flow: &Flow) -> bool {
        let zone = |id: &str| self.element(id).and_then(|one| one.zone.as_deref());
        matches!((zone(&flow.from), zone(&flow.to)), (Some(from), Some(to)) if from != to)
    }

    /// In the order of the model.
    fn named(&self, ids: &BTreeSet<&str>) -> Vec<&Asset> {
        self.assets.iter().filter(|one| ids.contains(one.id.as_str())).collect()
    }

    /// What is incomplete, and therefore judged by assumption.
    pub fn gaps(&self) -> Vec<Gap<'_>> {
        let mut gaps = Vec::new();
        if self.category.is_empty() {
            gaps.push(Gap::NoCategory);
        }
        gaps.extend(self.assets.iter().filter(|one| one.rating.is_none()).map(Gap::Unrated));
        gaps.extend(self.elements.iter().filter(|one| one.zone.is_none()).map(Gap::NoZone));
        gaps.extend(
            self.flows.iter().filter(|one| one.carries.is_empty()).map(Gap::CarriesNothing),
        );
        let used: BTreeSet<&str> = self
            .elements
            .iter()
            .flat_map(|one| &one.holds)
            .chain(self.flows.iter().flat_map(|one| &one.carries))
            .map(String::as_str)
            .collect();
        gaps.extend(
            self.assets.iter().filter(|one| !used.contains(one.id.as_str())).map(Gap::Nowhere),
        );
        gaps
    }
}

/// Something that a model does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap<'a> {
    /// no category: rules for some categories only are applied all the same
    NoCategory,
    /// an asset without a rating: the worst is assumed
    Unrated(&'a Asset),
    /// an element outside of every zone: its flows cross no border
    NoZone(&'a Element),
    /// a flow that carries no asset: the middle of the scale is assumed
    CarriesNothing(&'a Flow),
    /// an asset that no element holds and no flow carries
    Nowhere(&'a Asset),
}

/// The worst of some assets; the middle where there are none.
pub(crate) fn worst<'a>(assets: impl IntoIterator<Item = &'a Asset>) -> Rating {
    assets
        .into_iter()
        .map(|asset| asset.rating.unwrap_or(Rating::WORST))
        .reduce(Rating::worse)
        .unwrap_or(Rating::all(UNSAID))
}
