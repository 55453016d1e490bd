//! Reading a model, with line, column and what to do.

use crate::{
    AssessmentError, Day, Detail, Fault, Threat, text,
    threat::{
        Asset, AssetKind, Authentication, Category, Decision, Element, ElementKind, Encryption,
        Finding, Flow, Harm, Identity, Interface, InterfaceKind, InterfacePurpose, Model, Place,
        Protocol, Purpose, Rating, RuleBook, SecurityLevels, Trait, Verdict, Vulnerability, Zone,
        model::{
            ASSETS_MAX, DECISIONS_MAX, ELEMENTS_MAX, FLOWS_MAX, INTERFACES_MAX, NAMES_MAX, SCALE,
            ZONES_MAX,
        },
    },
    yaml::parse,
};
use advisory::{Score, ScoreSystem};
use serde::Deserialize;
use serde_saphyr::Spanned;
use std::collections::{BTreeMap, BTreeSet};
use strsim::osa_distance;

/// The form of the file.
pub(crate) const FORM: &str = "threat-model/1";
/// Longest name of an element, flow, asset or zone, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 64;

type Names = Vec<Spanned<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawModel {
    tegata: Option<Spanned<String>>,
    name: Option<Spanned<String>>,
    summary: Option<Spanned<String>>,
    #[serde(default)]
    category: Vec<Category>,
    #[serde(default)]
    zones: Vec<RawZone>,
    #[serde(default)]
    assets: Vec<RawAsset>,
    #[serde(default)]
    elements: Vec<RawElement>,
    #[serde(default)]
    flows: Vec<RawFlow>,
    #[serde(default)]
    measures: Names,
    #[serde(default)]
    planned: Names,
    #[serde(default)]
    findings: Vec<RawFinding>,
    #[serde(default)]
    vulnerabilities: Vec<RawVulnerability>,
    #[serde(default)]
    decisions: Vec<RawDecision>,
    #[serde(default)]
    forms: BTreeMap<String, BTreeMap<String, Spanned<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawZone {
    id: Spanned<String>,
    title: Option<Spanned<String>>,
    trust: Spanned<u8>,
    target: Option<Spanned<Vec<u8>>>,
    capability: Option<Spanned<Vec<u8>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAsset {
    id: Spanned<String>,
    title: Option<Spanned<String>>,
    kind: AssetKind,
    rating: Option<RawRating>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRating {
    safety: Spanned<u8>,
    confidentiality: Spanned<u8>,
    integrity: Spanned<u8>,
    availability: Spanned<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawElement {
    id: Spanned<String>,
    title: Option<Spanned<String>>,
    kind: ElementKind,
    zone: Option<Spanned<String>>,
    part_of: Option<Spanned<String>>,
    place: Option<Place>,
    identity: Option<Identity>,
    #[serde(default)]
    traits: Vec<Trait>,
    #[serde(default)]
    holds: Names,
    #[serde(default)]
    interfaces: Vec<RawInterface>,
    support_until: Option<Spanned<String>>,
    #[serde(default)]
    measures: Names,
    #[serde(default)]
    planned: Names,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInterface {
    id: Spanned<String>,
    title: Option<Spanned<String>>,
    kind: InterfaceKind,
    purpose: Option<InterfacePurpose>,
    #[serde(default)]
    measures: Names,
    #[serde(default)]
    planned: Names,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFlow {
    id: Spanned<String>,
    title: Option<Spanned<String>>,
    from: Spanned<String>,
    to: Spanned<String>,
    #[serde(default)]
    via: Names,
    purpose: Option<Purpose>,
    protocol: Option<Protocol>,
    authentication: Option<Authentication>,
    encryption: Option<Encryption>,
    #[serde(default)]
    carries: Names,
    #[serde(default)]
    measures: Names,
    #[serde(default)]
    planned: Names,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFinding {
    id: Spanned<String>,
    title: Spanned<String>,
    text: Option<Spanned<String>>,
    threat: Threat,
    subject: Spanned<String>,
    likelihood: Spanned<u8>,
    harms: Vec<Harm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVulnerability {
    id: Spanned<String>,
    title: Spanned<String>,
    elements: Names,
    cvss: Spanned<String>,
    fixed_on: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDecision {
    threat: Spanned<String>,
    verdict: Spanned<Verdict>,
    reason: Spanned<String>,
    by: Spanned<String>,
    on: Spanned<String>,
    until: Option<Spanned<String>>,
    likelihood: Option<Spanned<u8>>,
    impact: Option<Spanned<u8>>,
    #[serde(default)]
    measures: Names,
}

impl Model {
    /// Reads a model and checks it against the measures and forms of `rules`; `file` is its name
    /// in errors.
    ///
    /// # Errors
    /// [`AssessmentError::Malformed`] with line, column and what to do for anything that is not
    /// the form of `docs/threat-model.md`, or names what does not exist;
    /// [`AssessmentError::TooLarge`] beyond a limit.
    pub fn parse(file: &str, text: &str, rules: &RuleBook) -> Result<Self, AssessmentError> {
        let raw: RawModel = parse(file, text)?;
        let reader = Reader { file, rules };
        match &raw.tegata {
            Some(form) if form.value == FORM => {}
            Some(form) => {
                return Err(reader.fault(form, Fault::Form(form.value.clone(), FORM)));
            }
            None => return Err(reader.missing(Fault::NoForm)),
        }
        if raw.name.is_none() {
            return Err(reader.missing(Fault::NoName));
        }
        reader.model(raw)
    }
}

/// The example of a rule: a model without a head.
pub(crate) fn example(
    file: &str,
    raw: RawModel,
    rules: &RuleBook,
) -> Result<Model, AssessmentError> {
    Reader { file, rules }.model(raw)
}

struct Reader<'a> {
    file: &'a str,
    rules: &'a RuleBook,
}

impl Reader<'_> {
    fn model(&self, raw: RawModel) -> Result<Model, AssessmentError> {
        self.count("zones", raw.zones.len(), ZONES_MAX)?;
        self.count("assets", raw.assets.len(), ASSETS_MAX)?;
        self.count("elements", raw.elements.len(), ELEMENTS_MAX)?;
        self.count("flows", raw.flows.len(), FLOWS_MAX)?;
        self.count("decisions", raw.decisions.len(), DECISIONS_MAX)?;
        self.count("findings", raw.findings.len(), DECISIONS_MAX)?;
        self.count("vulnerabilities", raw.vulnerabilities.len(), DECISIONS_MAX)?;
        // Elements and flows share their names: a decision or finding names either.
        let mut seen = BTreeMap::new();
        for zone in &raw.zones {
            self.fresh(&mut seen, "zone", &zone.id)?;
        }
        for asset in &raw.assets {
            self.fresh(&mut seen, "asset", &asset.id)?;
        }
        for element in &raw.elements {
            self.fresh(&mut seen, "element or flow", &element.id)?;
        }
        for flow in &raw.flows {
            self.fresh(&mut seen, "element or flow", &flow.id)?;
        }
        let ids = |kind: &str| -> Vec<&str> {
            seen.keys().filter(|(of, _)| *of == kind).map(|(_, id)| id.as_str()).collect()
        };
        let element_ids: Vec<String> =
            raw.elements.iter().map(|one| one.id.value.clone()).collect();
        let elements: Vec<&str> = element_ids.iter().map(String::as_str).collect();
        let (zones, assets) = (ids("zone"), ids("asset"));
        let subjects = ids("element or flow");
        let model = Model {
            name: match &raw.name {
                Some(name) => self.text(name)?,
                None => String::new(),
            },
            summary: raw.summary.as_ref().map(|one| self.text(one)).transpose()?,
            category: raw.category.into_iter().collect(),
            zones: raw.zones.iter().map(|one| self.zone(one)).collect::<Result<_, _>>()?,
            assets: raw.assets.iter().map(|one| self.asset(one)).collect::<Result<_, _>>()?,
            elements: raw
                .elements
                .iter()
                .map(|one| self.element(one, &elements, &zones, &assets))
                .collect::<Result<_, _>>()?,
            flows: raw
                .flows
                .iter()
                .map(|one| self.flow(one, &elements, &assets))
                .collect::<Result<_, _>>()?,
            measures: self.measures(&raw.measures)?,
            planned: self.measures(&raw.planned)?,
            findings: self.findings(&raw.findings, &subjects)?,
            vulnerabilities: raw
                .vulnerabilities
                .iter()
                .map(|one| self.vulnerability(one, &elements))
                .collect::<Result<_, _>>()?,
            decisions: self.decisions(raw.decisions)?,
            forms: self.forms(raw.forms)?,
        };
        self.acyclic(&raw.elements, &model)?;
        Ok(model)
    }

    fn zone(&self, raw: &RawZone) -> Result<Zone, AssessmentError> {
        Ok(Zone {
            id: raw.id.value.clone(),
            title: self.title(raw.title.as_ref(), &raw.id)?,
            trust: self.scale(&raw.trust)?,
            target: raw.target.as_ref().map(|one| self.levels(one)).transpose()?,
            capability: raw.capability.as_ref().map(|one| self.levels(one)).transpose()?,
            line: raw.id.referenced.line(),
        })
    }

    fn levels(&self, raw: &Spanned<Vec<u8>>) -> Result<SecurityLevels, AssessmentError> {
        SecurityLevels::try_from(raw.value.as_slice())
            .ok()
            .filter(|levels| levels.iter().all(|level| *level <= 4))
            .ok_or_else(|| self.fault(raw, Fault::Levels))
    }

    fn asset(&self, raw: &RawAsset) -> Result<Asset, AssessmentError> {
        let rating = match &raw.rating {
            None => None,
            Some(rating) => Some(Rating {
                safety: self.scale(&rating.safety)?,
                confidentiality: self.scale(&rating.confidentiality)?,
                integrity: self.scale(&rating.integrity)?,
                availability: self.scale(&rating.availability)?,
            }),
        };
        Ok(Asset {
            id: raw.id.value.clone(),
            title: self.title(raw.title.as_ref(), &raw.id)?,
            kind: raw.kind,
            rating,
            line: raw.id.referenced.line(),
        })
    }

    fn element(
        &self,
        raw: &RawElement,
        elements: &[&str],
        zones: &[&str],
        assets: &[&str],
    ) -> Result<Element, AssessmentError> {
        self.count("interfaces of one element", raw.interfaces.len(), INTERFACES_MAX)?;
        let mut seen = BTreeMap::new();
        for interface in &raw.interfaces {
            self.fresh(&mut seen, "interface", &interface.id)?;
        }
        // What nobody guards is open to everybody, until somebody says otherwise.
        let open =
            matches!(raw.kind, ElementKind::Device | ElementKind::Part | ElementKind::Gateway);
        let default = if open { Place::Public } else { Place::Guarded };
        Ok(Element {
            id: raw.id.value.clone(),
            title: self.title(raw.title.as_ref(), &raw.id)?,
            kind: raw.kind,
            zone: raw.zone.as_ref().map(|one| self.one_of(one, "zone", zones)).transpose()?,
            part_of: raw
                .part_of
                .as_ref()
                .map(|one| self.one_of(one, "element", elements))
                .transpose()?,
            place: raw.place.unwrap_or(default),
            identity: raw.identity.unwrap_or(Identity::None),
            traits: raw.traits.iter().copied().collect(),
            holds: self.some_of(&raw.holds, "asset", assets)?.into_iter().collect(),
            interfaces: raw
                .interfaces
                .iter()
                .map(|one| self.interface(one))
                .collect::<Result<_, _>>()?,
            support_until: raw.support_until.as_ref().map(|one| self.day(one)).transpose()?,
            measures: self.measures(&raw.measures)?,
            planned: self.measures(&raw.planned)?,
            line: raw.id.referenced.line(),
        })
    }

    fn interface(&self, raw: &RawInterface) -> Result<Interface, AssessmentError> {
        Ok(Interface {
            id: raw.id.value.clone(),
            title: self.title(raw.title.as_ref(), &raw.id)?,
            kind: raw.kind,
            purpose: raw.purpose.unwrap_or(InterfacePurpose::Used),
            measures: self.measures(&raw.measures)?,
            planned: self.measures(&raw.planned)?,
            line: raw.id.referenced.line(),
        })
    }

    fn flow(
        &self,
        raw: &RawFlow,
        elements: &[&str],
        assets: &[&str],
    ) -> Result<Flow, AssessmentError> {
        Ok(Flow {
            id: raw.id.value.clone(),
            title: self.title(raw.title.as_ref(), &raw.id)?,
            from: self.one_of(&raw.from, "element", elements)?,
            to: self.one_of(&raw.to, "element", elements)?,
            via: self.some_of(&raw.via, "element", elements)?,
            purpose: raw.purpose.unwrap_or(Purpose::Data),
            protocol: raw.protocol.unwrap_or(Protocol::Other),
            authentication: raw.authentication.unwrap_or(Authentication::None),
            encryption: raw.encryption.unwrap_or(Encryption::None),
            carries: self.some_of(&raw.carries, "asset", assets)?.into_iter().collect(),
            measures: self.measures(&raw.measures)?,
            planned: self.measures(&raw.planned)?,
            line: raw.id.referenced.line(),
        })
    }

    fn findings(
        &self,
        raw: &[RawFinding],
        subjects: &[&str],
    ) -> Result<Vec<Finding>, AssessmentError> {
        let mut seen = BTreeMap::new();
        let mut findings = Vec::with_capacity(raw.len());
        for one in raw {
            self.fresh(&mut seen, "finding", &one.id)?;
            if one.harms.is_empty() {
                return Err(self.fault(&one.id, Fault::NoHarms));
            }
            findings.push(Finding {
                id: one.id.value.clone(),
                title: self.text(&one.title)?,
                text: one.text.as_ref().map(|text| self.text(text)).transpose()?,
                threat: one.threat,
                subject: self.one_of(&one.subject, "element or flow", subjects)?,
                likelihood: self.scale(&one.likelihood)?,
                harms: one.harms.clone(),
                line: one.id.referenced.line(),
            });
        }
        Ok(findings)
    }

    fn vulnerability(
        &self,
        raw: &RawVulnerability,
        elements: &[&str],
    ) -> Result<Vulnerability, AssessmentError> {
        let score = Score::parse(&raw.cvss.value).filter(|one| one.system == ScoreSystem::V4);
        let score = score.ok_or_else(|| self.fault(&raw.cvss, Fault::Cvss))?;
        Ok(Vulnerability {
            id: self.text(&raw.id)?,
            title: self.text(&raw.title)?,
            elements: self.some_of(&raw.elements, "element", elements)?,
            score,
            fixed_on: raw.fixed_on.as_ref().map(|one| self.day(one)).transpose()?,
            line: raw.id.referenced.line(),
        })
    }

    fn decisions(
        &self,
        raw: Vec<RawDecision>,
    ) -> Result<BTreeMap<String, Decision>, AssessmentError> {
        let mut decisions = BTreeMap::new();
        for one in raw {
            let id = self.text(&one.threat)?;
            let verdict = one.verdict.value;
            if verdict.ends() && one.until.is_none() {
                return Err(self.fault(&one.verdict, Fault::NoEnd));
            }
            if (verdict == Verdict::Measures) == one.measures.is_empty() {
                return Err(self.fault(&one.verdict, Fault::Measures));
            }
            if verdict == Verdict::Rated && one.likelihood.is_none() && one.impact.is_none() {
                return Err(self.fault(&one.verdict, Fault::NoRating));
            }
            let decision = Decision {
                verdict,
                reason: self.text(&one.reason)?,
                by: self.text(&one.by)?,
                on: self.day(&one.on)?,
                until: one.until.as_ref().map(|until| self.day(until)).transpose()?,
                likelihood: one.likelihood.as_ref().map(|one| self.scale(one)).transpose()?,
                impact: one.impact.as_ref().map(|one| self.scale(one)).transpose()?,
                measures: self.measures(&one.measures)?,
                line: one.threat.referenced.line(),
            };
            if decision.until.is_some_and(|until| until < decision.on) {
                return Err(self.fault(&one.on, Fault::EndsEarly));
            }
            if decisions.insert(id, decision).is_some() {
                return Err(self.fault(&one.threat, Fault::DecidedTwice));
            }
        }
        Ok(decisions)
    }

    fn forms(
        &self,
        raw: BTreeMap<String, BTreeMap<String, Spanned<String>>>,
    ) -> Result<BTreeMap<String, BTreeMap<String, String>>, AssessmentError> {
        let mut forms = BTreeMap::new();
        for (form, answers) in raw {
            let Some(known) = self.rules.form(&form) else {
                let fault = Fault::NoQuestions(form, self.rules.form_ids());
                return Err(match answers.values().next() {
                    Some(answer) => self.fault(answer, fault),
                    None => self.missing(fault),
                });
            };
            let questions: Vec<&str> = known.questions().map(|one| one.id.as_str()).collect();
            let mut read = BTreeMap::new();
            for (question, answer) in answers {
                let Some(asked) = known.question(&question) else {
                    let near = near(&question, &questions);
                    return Err(self.fault(&answer, Fault::NoQuestion { form, question, near }));
                };
                let said = asked.read(&answer.value).map_err(|why| {
                    let choices = asked.choices().iter().map(|one| one.word.clone()).collect();
                    self.fault(&answer, Fault::Answer { question: question.clone(), why, choices })
                })?;
                read.insert(question, said);
            }
            forms.insert(form, read);
        }
        Ok(forms)
    }

    /// A part that is, through others, a part of itself.
    fn acyclic(&self, raw: &[RawElement], model: &Model) -> Result<(), AssessmentError> {
        for one in raw {
            let mut at = one.id.value.as_str();
            for _ in 0..=model.elements.len() {
                match model.element(at).and_then(|element| element.part_of.as_deref()) {
                    None => break,
                    Some(above) if above == one.id.value => {
                        let place = one.part_of.as_ref().unwrap_or(&one.id);
                        return Err(self.fault(place, Fault::Cycle));
                    }
                    Some(above) => at = above,
                }
            }
        }
        Ok(())
    }

    fn measures(&self, names: &Names) -> Result<BTreeSet<String>, AssessmentError> {
        let known: Vec<&str> = self.rules.measures().iter().map(|one| one.id.as_str()).collect();
        Ok(self.some_of(names, "measure", &known)?.into_iter().collect())
    }

    fn some_of(
        &self,
        names: &Names,
        kind: &'static str,
        known: &[&str],
    ) -> Result<Vec<String>, AssessmentError> {
        self.count("names in one list", names.len(), NAMES_MAX)?;
        let mut found: Vec<String> = Vec::with_capacity(names.len());
        for name in names {
            let name_read = self.one_of(name, kind, known)?;
            if found.contains(&name_read) {
                return Err(self.fault(name, Fault::Twice(name_read)));
            }
            found.push(name_read);
        }
        Ok(found)
    }

    fn one_of(
        &self,
        name: &Spanned<String>,
        kind: &'static str,
        known: &[&str],
    ) -> Result<String, AssessmentError> {
        if known.contains(&name.value.as_str()) {
            return Ok(name.value.clone());
        }
        let near = near(&name.value, known);
        Err(self.fault(name, Fault::Unknown { kind, name: name.value.clone(), near }))
    }

    fn fresh(
        &self,
        seen: &mut BTreeMap<(&'static str, String), u64>,
        kind: &'static str,
        id: &Spanned<String>,
    ) -> Result<(), AssessmentError> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let good = !id.value.is_empty()
            && id.value.len() <= NAME_BYTES_MAX
            && id.value.chars().all(allowed);
        if !good {
            return Err(self.fault(id, Fault::Id(id.value.clone())));
        }
        match seen.insert((kind, id.value.clone()), id.referenced.line()) {
            None => Ok(()),
            Some(line) => Err(self.fault(id, Fault::Exists { kind, id: id.value.clone(), line })),
        }
    }

    fn title(
        &self,
        title: Option<&Spanned<String>>,
        id: &Spanned<String>,
    ) -> Result<String, AssessmentError> {
        title.map_or_else(|| Ok(id.value.clone()), |title| self.text(title))
    }

    fn text(&self, value: &Spanned<String>) -> Result<String, AssessmentError> {
        match text::refusal(&value.value) {
            None => Ok(value.value.clone()),
            Some(fault) => Err(self.fault(value, fault)),
        }
    }

    fn day(&self, value: &Spanned<String>) -> Result<Day, AssessmentError> {
        Day::parse(&value.value).ok_or_else(|| self.fault(value, Fault::Day(value.value.clone())))
    }

    fn scale(&self, value: &Spanned<u8>) -> Result<u8, AssessmentError> {
        if SCALE.contains(&value.value) {
            return Ok(value.value);
        }
        Err(self.fault(value, Fault::Scale(value.value)))
    }

    fn count(&self, what: &'static str, found: usize, most: usize) -> Result<(), AssessmentError> {
        if found <= most {
            return Ok(());
        }
        Err(AssessmentError::TooLarge { file: self.file.to_owned(), what, found, most })
    }

    fn fault<T>(&self, at: &Spanned<T>, detail: impl Into<Detail>) -> AssessmentError {
        AssessmentError::Malformed {
            file: self.file.to_owned(),
            line: at.referenced.line(),
            column: at.referenced.column(),
            detail: detail.into(),
        }
    }

    fn missing(&self, what: Fault) -> AssessmentError {
        AssessmentError::Malformed {
            file: self.file.to_owned(),
            line: 1,
            column: 1,
            detail: what.into(),
        }
    }
}

/// The known name that may have been meant.
pub(crate) fn near(name: &str, known: &[&str]) -> Option<String> {
    let most = (name.len() / 3).max(1);
    known
        .iter()
        .filter(|one| one.len().abs_diff(name.len()) <= most)
        .map(|one| (osa_distance(name, one), *one))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, one)| one.to_owned())
}

/// "; did you mean …?" where a known name is close.
pub(crate) fn nearest(name: &str, known: &[&str]) -> String {
    near(name, known).map_or_else(String::new, |one| format!("; did you mean {one:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_guessed_only_when_it_is_near() {
        assert_eq!(nearest("lok", &["lock", "app"]), "; did you mean \"lock\"?");
        // Two letters that changed places are one mistake.
        assert_eq!(nearest("lokc", &["lock", "app"]), "; did you mean \"lock\"?");
        assert_eq!(nearest("gateway", &["lock", "app"]), "");
    }
}
