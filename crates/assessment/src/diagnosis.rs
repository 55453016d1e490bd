//! A diagnosis: the answers of people about one version of one product, with what supports them.
//!
//! Read here; written in `diagnosis_file`. The file is YAML, canonical when we write it.

use crate::{
    AssessmentError, Check, Day, Fault, FeatureId, ItemId, Library, RecordRef, Refusal,
    named::words,
    text,
    yaml::{inconsistent, parse},
};
use crypto::{Sha256, sha256_of};
use serde::Deserialize;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

/// Pieces of evidence of one answer.
pub const EVIDENCE_MAX: usize = 64;
/// Signatures of one diagnosis, those of earlier contents included.
pub const SIGNATURES_MAX: usize = 64;
/// The form of the file.
pub(crate) const FORM: &str = "diagnosis/1";

words! {
    /// What was found. Words that YAML takes for nothing else.
    Outcome {
        /// As the criterion asks.
        Met "met" "met" "適合",
        /// In part.
        Partly "partly" "partly" "一部適合",
        /// Not.
        NotMet "not-met" "not met" "不適合",
        /// It does not concern this product; a reason is given.
        NotApplicable "not-applicable" "not applicable" "対象外",
    }
}

/// What supports an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// what it is, and where
    pub what: String,
    /// digest of the document, where there is one
    pub sha256: Option<Sha256>,
    /// day from which it is
    pub on: Day,
    /// last day on which it counts
    pub until: Option<Day>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// what was found
    pub outcome: Outcome,
    /// why it does not concern the product; only with [`Outcome::NotApplicable`]
    pub reason: Option<String>,
    /// what supports it
    pub evidence: Vec<Evidence>,
    /// who sees to what is missing
    pub owner: Option<String>,
    /// until when
    pub due: Option<Day>,
    /// anything else
    pub comment: Option<String>,
}

/// Somebody stands for a content. In a file it is a name; who may give it is for the platform to
/// check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// who
    pub by: String,
    /// when
    pub on: Day,
    /// digest of the content, see [`Diagnosis::content`]
    pub content: Sha256,
}

/// How far the sign-off is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignOff {
    /// Nobody has signed.
    Draft,
    /// One person stands for it as it is now.
    Once(String),
    /// Two different persons, or more, stand for it as it is now.
    Signed(Vec<String>),
    /// It was signed and has changed since.
    Changed,
}

/// The answers about one version of one product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// the product
    pub product: String,
    /// which version of it was looked at
    pub subject: String,
    /// when
    pub on: Day,
    /// features that the product does not have, each with a reason
    pub absent: BTreeMap<FeatureId, String>,
    /// answers to items of the check sheet
    pub answers: BTreeMap<ItemId, Answer>,
    /// answers to clauses of catalogues themselves
    pub clauses: BTreeMap<RecordRef, Answer>,
    /// who stands for it
    pub signatures: Vec<Signature>,
    /// what collectors found; no part of the file, nor of what people sign for
    pub checks: BTreeMap<ItemId, Vec<Check>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDiagnosis {
    tegata: Spanned<String>,
    product: Spanned<String>,
    subject: Spanned<String>,
    on: Spanned<String>,
    #[serde(default)]
    absent: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    answers: BTreeMap<String, Spanned<RawAnswer>>,
    #[serde(default)]
    clauses: BTreeMap<String, Spanned<RawAnswer>>,
    #[serde(default)]
    signatures: Vec<RawSignature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnswer {
    answer: Outcome,
    reason: Option<String>,
    #[serde(default)]
    evidence: Vec<RawEvidence>,
    owner: Option<String>,
    due: Option<Spanned<String>>,
    comment: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEvidence {
    what: Spanned<String>,
    sha256: Option<Spanned<String>>,
    on: Spanned<String>,
    until: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSignature {
    by: Spanned<String>,
    on: Spanned<String>,
    content: Spanned<String>,
}

impl Diagnosis {
    /// A diagnosis without answers.
    ///
    /// # Errors
    /// [`AssessmentError::Refused`] for names that are empty, too long or do not print.
    pub fn new(product: &str, subject: &str, on: Day) -> Result<Self, AssessmentError> {
        for name in [product, subject] {
            if let Some(refusal) = text::refusal(name) {
                return Err(AssessmentError::Refused(refusal));
            }
        }
        Ok(Self {
            product: product.to_owned(),
            subject: subject.to_owned(),
            on,
            absent: BTreeMap::new(),
            answers: BTreeMap::new(),
            clauses: BTreeMap::new(),
            signatures: Vec::new(),
            checks: BTreeMap::new(),
        })
    }

    /// Reads a diagnosis and checks it against `library`; `file` is its name in errors.
    ///
    /// # Errors
    /// [`AssessmentError::Malformed`] for what is not the form of `docs/assessment.md`,
    /// [`AssessmentError::Inconsistent`] for items, clauses and features that do not exist, "not
    /// applicable" without a reason, evidence from after the diagnosis, and answers about features
    /// that the product does not have; [`AssessmentError::TooLarge`] beyond a limit.
    pub fn parse(file: &str, text: &str, library: &Library) -> Result<Self, AssessmentError> {
        let raw: RawDiagnosis = parse(file, text)?;
        if raw.tegata.value != FORM {
            let found = raw.tegata.value.clone();
            return Err(inconsistent(file, &raw.tegata, Fault::Form(found, FORM)));
        }
        let on = day(file, &raw.on)?;
        let mut diagnosis = Self {
            product: checked(file, &raw.product)?,
            subject: checked(file, &raw.subject)?,
            on,
            absent: BTreeMap::new(),
            answers: BTreeMap::new(),
            clauses: BTreeMap::new(),
            signatures: Vec::new(),
            checks: BTreeMap::new(),
        };
        for (feature, reason) in raw.absent {
            let known = library.features().iter().find(|one| one.id.as_str() == feature);
            let Some(known) = known else {
                return Err(inconsistent(file, &reason, unknown("feature", &feature)));
            };
            diagnosis.absent.insert(known.id.clone(), checked(file, &reason)?);
        }
        for (id, answer) in raw.answers {
            let Some(item) = library.item(&id) else {
                return Err(inconsistent(file, &answer, unknown("item", &id)));
            };
            let at = answer.clone_place();
            let answer = answer.value.answer(file, &at, on)?;
            diagnosis.agree(file, &at, &item.when, &answer)?;
            diagnosis.answers.insert(item.id.clone(), answer);
        }
        for (reference, answer) in raw.clauses {
            let record = RecordRef::parse(&reference).and_then(|one| library.record(&one));
            let Some(record) = record else {
                return Err(inconsistent(file, &answer, unknown("record", &reference)));
            };
            let at = answer.clone_place();
            let answer = answer.value.answer(file, &at, on)?;
            diagnosis.agree(file, &at, &record.when, &answer)?;
            diagnosis.clauses.insert(record.reference.clone(), answer);
        }
        if raw.signatures.len() > SIGNATURES_MAX {
            return Err(AssessmentError::TooLarge {
                file: file.to_owned(),
                what: "signatures",
                found: raw.signatures.len(),
                most: SIGNATURES_MAX,
            });
        }
        for one in raw.signatures {
            let content = Sha256::from_hex(&one.content.value)
                .ok_or_else(|| inconsistent(file, &one.content, Fault::Digest))?;
            let signature =
                Signature { by: checked(file, &one.by)?, on: day(file, &one.on)?, content };
            diagnosis.signatures.push(signature);
        }
        Ok(diagnosis)
    }

    /// The reason why an item or a record with these features does not concern the product.
    pub fn absence(&self, when: &[FeatureId]) -> Option<(&FeatureId, &str)> {
        when.iter()
            .find_map(|one| self.absent.get_key_value(one))
            .map(|(feature, reason)| (feature, reason.as_str()))
    }

    /// The digest for which people sign: everything but the signatures.
    pub fn content(&self) -> Sha256 {
        let unsigned = Self { signatures: Vec::new(), ..self.clone() };
        sha256_of(&[b"tegata/diagnosis/v1\0", unsigned.to_yaml().as_bytes()])
    }

    /// Adds a signature for the content as it is.
    ///
    /// # Errors
    /// [`AssessmentError::Refused`] where this person stands for this content already, signs before
    /// the day of the diagnosis, or has a name that does not print.
    pub fn sign(&mut self, by: &str, on: Day) -> Result<(), AssessmentError> {
        if let Some(refusal) = text::refusal(by) {
            return Err(AssessmentError::Refused(refusal));
        }
        if on < self.on {
            return Err(AssessmentError::Refused(Refusal::SignedEarly(self.on)));
        }
        let content = self.content();
        let mut standing = self.signatures.iter().filter(|one| one.content == content);
        if standing.any(|one| same_person(&one.by, by)) {
            return Err(AssessmentError::Refused(Refusal::SignedAlready(by.trim().to_owned())));
        }
        if self.signatures.len() >= SIGNATURES_MAX {
            return Err(AssessmentError::Refused(Refusal::TooManySignatures));
        }
        self.signatures.push(Signature { by: by.trim().to_owned(), on, content });
        Ok(())
    }

    /// How far the sign-off is. A signature for another content does not count.
    pub fn sign_off(&self) -> SignOff {
        let content = self.content();
        let mut people: Vec<String> = Vec::new();
        for one in self.signatures.iter().filter(|one| one.content == content) {
            if !people.iter().any(|other| same_person(other, &one.by)) {
                people.push(one.by.clone());
            }
        }
        match people.len() {
            0 if self.signatures.is_empty() => SignOff::Draft,
            0 => SignOff::Changed,
            1 => people.pop().map_or(SignOff::Draft, SignOff::Once),
            _ => SignOff::Signed(people),
        }
    }

    fn agree(
        &self,
        file: &str,
        at: &Spanned<()>,
        when: &[FeatureId],
        answer: &Answer,
    ) -> Result<(), AssessmentError> {
        match self.absence(when) {
            Some((feature, _)) if answer.outcome != Outcome::NotApplicable => {
                let (outcome, feature) = (answer.outcome, feature.clone());
                Err(inconsistent(file, at, Fault::Absent { outcome, feature }))
            }
            _ => Ok(()),
        }
    }
}

impl Answer {
    /// What is wrong with it in a diagnosis of the day `on`, if anything.
    pub(crate) fn fault(&self, on: Day) -> Option<Refusal> {
        if (self.outcome == Outcome::NotApplicable) != self.reason.is_some() {
            return Some(Refusal::Reason);
        }
        if self.evidence.len() > EVIDENCE_MAX {
            return Some(Refusal::TooMuchEvidence);
        }
        let texts = [&self.reason, &self.owner, &self.comment];
        let fault = texts.into_iter().flatten().find_map(|one| text::refusal(one));
        fault.or_else(|| self.evidence.iter().find_map(|piece| piece.fault(on)))
    }
}

impl Evidence {
    /// What is wrong with it in a diagnosis of the day `on`, if anything.
    fn fault(&self, on: Day) -> Option<Refusal> {
        if self.on > on {
            return Some(Refusal::FutureEvidence { evidence: self.on, diagnosis: on });
        }
        if self.until.is_some_and(|until| until < self.on) {
            return Some(Refusal::EvidenceEnds);
        }
        text::refusal(&self.what)
    }
}

impl RawAnswer {
    fn answer(self, file: &str, at: &Spanned<()>, on: Day) -> Result<Answer, AssessmentError> {
        if self.evidence.len() > EVIDENCE_MAX {
            return Err(AssessmentError::TooLarge {
                file: file.to_owned(),
                what: "pieces of evidence of one answer",
                found: self.evidence.len(),
                most: EVIDENCE_MAX,
            });
        }
        let evidence = self
            .evidence
            .into_iter()
            .map(|one| one.evidence(file, on))
            .collect::<Result<_, _>>()?;
        let answer = Answer {
            outcome: self.answer,
            reason: self.reason,
            evidence,
            owner: self.owner,
            due: self.due.map(|due| day(file, &due)).transpose()?,
            comment: self.comment,
        };
        match answer.fault(on) {
            None => Ok(answer),
            Some(fault) => Err(inconsistent(file, at, fault)),
        }
    }
}

impl RawEvidence {
    fn evidence(self, file: &str, diagnosis: Day) -> Result<Evidence, AssessmentError> {
        let on = day(file, &self.on)?;
        let until = match &self.until {
            None => None,
            Some(until) => Some(day(file, until)?),
        };
        let sha256 = match &self.sha256 {
            None => None,
            Some(hex) => Some(
                Sha256::from_hex(&hex.value)
                    .ok_or_else(|| inconsistent(file, hex, Fault::Digest))?,
            ),
        };
        let evidence = Evidence { what: self.what.value, sha256, on, until };
        match evidence.fault(diagnosis) {
            None => Ok(evidence),
            Some(fault) => Err(inconsistent(file, &self.on, fault)),
        }
    }
}

/// Where a value stands, without the value.
trait Place {
    fn clone_place(&self) -> Spanned<()>;
}

impl<T> Place for Spanned<T> {
    fn clone_place(&self) -> Spanned<()> {
        Spanned { value: (), referenced: self.referenced, defined: self.defined }
    }
}

fn unknown(kind: &'static str, name: &str) -> Fault {
    Fault::Unknown { kind, name: name.to_owned(), near: None }
}

fn checked(file: &str, value: &Spanned<String>) -> Result<String, AssessmentError> {
    match text::refusal(&value.value) {
        None => Ok(value.value.clone()),
        Some(fault) => Err(inconsistent(file, value, fault)),
    }
}

fn day(file: &str, value: &Spanned<String>) -> Result<Day, AssessmentError> {
    Day::parse(&value.value)
        .ok_or_else(|| inconsistent(file, value, Fault::Day(value.value.clone())))
}

/// Names differ in more than case and spaces.
fn same_person(a: &str, b: &str) -> bool {
    let plain = |name: &str| -> String {
        name.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
    };
    plain(a) == plain(b)
}
