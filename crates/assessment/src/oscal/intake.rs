use super::{
    Document, DocumentKind,
    answers::{list, read_absent, read_answer, read_signatures, said},
    export::controls,
};
use crate::{
    Answer, AssessmentError, Day, Diagnosis, Entry, Library, Outcome, Refusal, Topic,
    diagnosis::FORM, text,
};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

/// Answers that assessment results give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedResults {
    /// of others: a diagnosis with answers to clauses; without evidence, so that they are claims
    pub diagnosis: Diagnosis,
    /// whether they hold a whole diagnosis, as [`diagnosis_results`](super::diagnosis_results) writes
    /// it: as good as its file
    pub whole: bool,
    /// findings about controls, items and features that we do not know
    pub unknown: Vec<String>,
    /// controls with findings that contradict each other: the worse one was taken
    pub contradicted: Vec<String>,
}

/// Reads assessment results as a diagnosis. What [`diagnosis_results`](super::diagnosis_results) wrote
/// is the diagnosis that it was, whoever carried it in between. The documents of others prove nothing
/// here: controls are known by the ids that [`control_id`](super::control_id) gives, and what they call
/// satisfied is claimed.
///
/// # Errors
/// [`AssessmentError::Refused`] for other kinds of documents, without a title or day, and for answers
/// that the rules of a diagnosis do not allow.
pub fn diagnosis_from(
    document: &Document,
    library: &Library,
) -> Result<ImportedResults, AssessmentError> {
    if document.kind() != DocumentKind::Results {
        return Err(AssessmentError::Refused(Refusal::NotResults(document.kind())));
    }
    let results = list(document.body().get("results"));
    let mut ours = results.iter().filter_map(|one| Some((one, said(one, "form")?)));
    let whole = match (ours.next(), ours.next()) {
        (None, _) => None,
        (Some((one, FORM)), None) => Some(one),
        _ => return Err(AssessmentError::Refused(Refusal::OtherForm)),
    };
    let property = |name: &str| results.iter().find_map(|one| said(one, name));
    let day = |text: &str| text.get(..10).and_then(Day::parse);
    let start = results.first().and_then(|one| one.get("start")).and_then(Value::as_str);
    let on = property("on").and_then(day).or_else(|| start.and_then(day));
    let on = on.ok_or(AssessmentError::Refused(Refusal::NoStart))?;
    let product = property("product").or_else(|| document.metadata("title")).unwrap_or("product");
    let subject = property("subject").or_else(|| document.metadata("version")).unwrap_or("-");
    let (mut unknown, mut contradicted) = (Vec::new(), Vec::new());
    let mut diagnosis = match whole {
        None => Diagnosis::new(&shortened(product), &shortened(subject), on)?,
        Some(result) => {
            let mut diagnosis = Diagnosis::new(product, subject, on)?;
            unknown = own_answers(result, library, &mut diagnosis)?;
            diagnosis
        }
    };
    let known = controls(library);
    for finding in results.iter().flat_map(|one| list(one.get("findings"))) {
        // An answer of ours was read, and what we derived from answers is derived again.
        if whole.is_some() && said(finding, "state").is_some() {
            continue;
        }
        let target = finding.get("target");
        let field = |name: &str| target.and_then(|one| one.get(name));
        let Some(id) = field("target-id").and_then(Value::as_str) else { continue };
        let Some(record) = known.get(id.trim_end_matches("_smt")) else {
            unknown.push(shortened(id));
            continue;
        };
        let state = field("status").and_then(|one| one.get("state")).and_then(Value::as_str);
        let ours = said(finding, "state");
        let outcome = match (state, ours) {
            (Some("satisfied"), Some("not-applicable")) => Outcome::NotApplicable,
            (Some("satisfied"), _) => Outcome::Met,
            (_, Some("partly")) => Outcome::Partly,
            (_, Some("claimed")) => Outcome::Met,
            _ => Outcome::NotMet,
        };
        let about = finding.get("description").and_then(Value::as_str).map(shortened);
        let about = about.filter(|text| text::fault(text).is_none());
        let answer = Answer {
            outcome,
            reason: (outcome == Outcome::NotApplicable)
                .then(|| about.clone().unwrap_or_else(|| "OSCAL".to_owned())),
            evidence: Vec::new(),
            owner: None,
            due: None,
            comment: about.filter(|_| outcome != Outcome::NotApplicable),
        };
        match diagnosis.clauses.get(*record) {
            Some(other) if other.outcome != outcome => {
                contradicted.push(id.to_owned());
                if weight(outcome) > weight(other.outcome) {
                    diagnosis.clauses.insert((*record).clone(), answer);
                }
            }
            Some(_) => {}
            None => drop(diagnosis.clauses.insert((*record).clone(), answer)),
        }
    }
    Ok(ImportedResults { diagnosis, whole: whole.is_some(), unknown, contradicted })
}

/// Puts what a whole diagnosis says into `diagnosis`; what is about nothing that we know.
fn own_answers(
    result: &Value,
    library: &Library,
    diagnosis: &mut Diagnosis,
) -> Result<Vec<String>, AssessmentError> {
    let mut unknown = read_absent(result, library, diagnosis)?;
    let mut observations: HashMap<&str, &Value> = list(result.get("observations"))
        .iter()
        .filter_map(|one| Some((one.get("uuid")?.as_str()?, one)))
        .collect();
    let mut seen = BTreeSet::new();
    for finding in list(result.get("findings")) {
        let Some(name) = said(finding, "topic") else { continue };
        let Some(topic) = Topic::find(library, name) else {
            unknown.push(shortened(name));
            continue;
        };
        if !seen.insert(topic.clone()) {
            let twice = Refusal::Finding(shortened(name), "topic");
            return Err(AssessmentError::Refused(twice));
        }
        let answer = read_answer(finding, &mut observations)?;
        diagnosis.put(library, &topic, Some(Entry::Answer(answer)))?;
    }
    diagnosis.signatures.extend(read_signatures(result)?);
    Ok(unknown)
}

/// What is worse weighs more.
fn weight(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::NotApplicable => 0,
        Outcome::Met => 1,
        Outcome::Partly => 2,
        Outcome::NotMet => 3,
    }
}

/// One line that our form takes.
pub(super) fn shortened(text: &str) -> String {
    text.chars().filter(|c| text::prints(*c) && *c != '\n').take(1_000).collect()
}
