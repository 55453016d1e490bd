use crate::{
    AssessmentError, Bilingual, FeatureId, ItemId, RecordRef, Relation,
    catalogue::features,
    named::words,
    yaml::{inconsistent, parse},
};
use serde::Deserialize;
use serde_saphyr::Spanned;

/// Items of one check sheet.
pub const ITEMS_MAX: usize = 5_000;
/// Clauses that one item may name.
const CLAUSES_MAX: usize = 32;

words! {
    /// Where in a system an item belongs.
    Layer {
        /// What people and other systems use.
        Service "service" "service" "サービス",
        /// What connects and manages devices.
        Platform "platform" "platform" "プラットフォーム",
        /// What carries the data, gateways included.
        Network "network" "network" "ネットワーク",
        /// The thing itself.
        Device "device" "device" "デバイス",
    }
}

words! {
    /// When in the life of a product an item is looked at.
    Phase {
        /// What is to be made, for whom, against whom.
        Planning "planning" "planning" "企画",
        /// How the parts work together.
        Architecture "architecture" "architecture design" "アーキテクチャ設計",
        /// Circuits, chips, housing.
        HardwareDesign "hardware-design" "H/W design" "H/W設計",
        /// Programs on paper.
        SoftwareDesign "software-design" "S/W design" "S/W設計",
        /// Boards up to the prototype.
        HardwareDevelopment "hardware-development" "H/W development" "H/W開発",
        /// Programs written, built and tested.
        SoftwareDevelopment "software-development" "S/W development" "S/W開発",
        /// Up to the prototype that is released for production.
        Manufacture "manufacture" "manufacture" "製造",
        /// The goods.
        MassProduction "mass-production" "mass production" "量産",
        /// In the field.
        Operation "operation" "operation" "運用",
        /// The end.
        Disposal "disposal" "disposal" "廃棄",
    }
}

words! {
    /// What an item protects against: STRIDE, and what STRIDE leaves out.
    Threat {
        /// Somebody passes for somebody else.
        Spoofing "spoofing" "spoofing" "なりすまし",
        /// Data or programs are changed.
        Tampering "tampering" "tampering" "改ざん",
        /// An act cannot be proven.
        Repudiation "repudiation" "repudiation" "否認",
        /// Somebody learns what they should not.
        Disclosure "disclosure" "information disclosure" "情報漏えい",
        /// The service stops.
        Denial "denial" "denial of service" "サービス妨害",
        /// Somebody may do more than they should.
        Elevation "elevation" "elevation of privilege" "権限昇格",
        /// Hands on the device.
        Physical "physical" "bypass of physical security" "物理的な攻撃",
        /// What is built in was bad before.
        SupplyChain "supply-chain" "supply chain" "サプライチェーン",
        /// People or things come to harm.
        Safety "safety" "harm to people and things" "安全への影響",
        /// Persons can be watched.
        Privacy "privacy" "privacy" "プライバシー",
        /// Nobody decided, knew or followed up.
        Governance "governance" "governance" "管理の不備",
    }
}

/// A clause of a catalogue, and how the item relates to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// the clause
    pub record: RecordRef,
    /// how the item relates to it
    pub relation: Relation,
}

/// One item of the check sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// stable id
    pub id: ItemId,
    /// where
    pub layer: Layer,
    /// when
    pub phase: Phase,
    /// against what
    pub threat: Threat,
    /// what must be so
    pub criterion: Bilingual,
    /// interpretation: the attack that is expected
    pub attack: Bilingual,
    /// interpretation: what is done against it
    pub measure: Bilingual,
    /// verification: which clauses this is
    pub clauses: Vec<Clause>,
    /// how to find out
    pub check: Bilingual,
    /// what counts as evidence
    pub evidence: Bilingual,
    /// how much it counts, 1 to 5
    pub weight: u8,
    /// applies only where the product has all of these
    pub when: Vec<FeatureId>,
    pub(crate) line: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSheet {
    items: Vec<RawItem>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawItem {
    id: Spanned<String>,
    layer: Layer,
    phase: Phase,
    threat: Threat,
    weight: u8,
    #[serde(default)]
    when: Vec<String>,
    criterion: Bilingual,
    interpretation: RawInterpretation,
    verification: Vec<Spanned<String>>,
    check: Bilingual,
    evidence: Bilingual,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInterpretation {
    attack: Bilingual,
    measure: Bilingual,
}

impl Item {
    /// Reads a file of items.
    ///
    /// # Errors
    /// [`AssessmentError::Malformed`] and [`AssessmentError::Inconsistent`] with the line,
    /// [`AssessmentError::TooLarge`] beyond [`ITEMS_MAX`].
    pub fn parse(file: &str, text: &str) -> Result<Vec<Self>, AssessmentError> {
        let raw: RawSheet = parse(file, text)?;
        if raw.items.len() > ITEMS_MAX {
            return Err(AssessmentError::TooLarge {
                file: file.to_owned(),
                what: "items",
                found: raw.items.len(),
                most: ITEMS_MAX,
            });
        }
        raw.items.into_iter().map(|item| item.item(file)).collect()
    }

    /// The texts of the item, by the name of the field.
    pub fn texts(&self) -> [(&'static str, &Bilingual); 5] {
        [
            ("criterion", &self.criterion),
            ("attack", &self.attack),
            ("measure", &self.measure),
            ("check", &self.check),
            ("evidence", &self.evidence),
        ]
    }
}

impl RawItem {
    fn item(self, file: &str) -> Result<Item, AssessmentError> {
        let at = &self.id;
        let id = ItemId::parse(&at.value).ok_or_else(|| {
            inconsistent(file, at, "an id is capital letters, digits and hyphens: DEV-SWD-03")
        })?;
        if !(1..=5).contains(&self.weight) {
            return Err(inconsistent(file, at, "a weight is 1 to 5"));
        }
        if self.verification.is_empty() || self.verification.len() > CLAUSES_MAX {
            let detail = format!("an item names 1 to {CLAUSES_MAX} clauses under `verification`");
            return Err(inconsistent(file, at, detail));
        }
        let clauses = self
            .verification
            .iter()
            .map(|words| clause(file, words))
            .collect::<Result<Vec<_>, _>>()?;
        let item = Item {
            id,
            layer: self.layer,
            phase: self.phase,
            threat: self.threat,
            criterion: self.criterion,
            attack: self.interpretation.attack,
            measure: self.interpretation.measure,
            clauses,
            check: self.check,
            evidence: self.evidence,
            weight: self.weight,
            when: features(file, at, &self.when)?,
            line: at.referenced.line(),
        };
        for (field, text) in item.texts() {
            if let Some(fault) = text.fault() {
                return Err(inconsistent(file, at, format!("{}, {field}: {fault}", item.id)));
            }
        }
        Ok(item)
    }
}

/// Reads `source:id` or `source:id relation`; without a word the two overlap.
fn clause(file: &str, words: &Spanned<String>) -> Result<Clause, AssessmentError> {
    let (reference, relation) = match words.value.split_once(' ') {
        None => (words.value.as_str(), Relation::Intersect),
        Some((reference, word)) => {
            let relation = Relation::of_word(word.trim()).ok_or_else(|| {
                let detail = format!("{word:?} is none of equal, subset, superset, intersect");
                inconsistent(file, words, detail)
            })?;
            (reference, relation)
        }
    };
    let record = RecordRef::parse(reference).ok_or_else(|| {
        inconsistent(
            file,
            words,
            format!("{reference:?} is no reference; it has the form source:id"),
        )
    })?;
    Ok(Clause { record, relation })
}
