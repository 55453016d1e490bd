use super::{Document, DocumentKind, export::controls};
use crate::{Answer, AssessmentError, Day, Diagnosis, Library, Outcome, Refusal, text};
use serde_json::Value;

/// Answers that assessment results of others give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedResults {
    /// a diagnosis with answers to clauses; without evidence, so that they are claims
    pub diagnosis: Diagnosis,
    /// findings about controls that we do not know
    pub unknown: Vec<String>,
    /// controls with findings that contradict each other: the worse one was taken
    pub contradicted: Vec<String>,
}

/// Reads assessment results as a diagnosis. Controls are known by the ids that
/// [`control_id`](super::control_id) gives. The documents of others prove nothing here: what they
/// call satisfied is claimed.
///
/// # Errors
/// [`AssessmentError::Refused`] for other kinds of documents, or without a title or day.
pub fn diagnosis_from(
    document: &Document,
    library: &Library,
) -> Result<ImportedResults, AssessmentError> {
    if document.kind() != DocumentKind::Results {
        let kind = document.kind().to_string();
        return Err(AssessmentError::Refused(Refusal::NotResults(kind)));
    }
    let results = list(document.body().get("results"));
    let property = |name: &str| {
        results.iter().flat_map(|one| list(one.get("props"))).find_map(|one| {
            let found = one.get("name")?.as_str()? == name;
            found.then(|| one.get("value")?.as_str()).flatten()
        })
    };
    let day = |text: &str| text.get(..10).and_then(Day::parse);
    let start = results.first().and_then(|one| one.get("start")).and_then(Value::as_str);
    let on = property("on").and_then(day).or_else(|| start.and_then(day));
    let on = on.ok_or(AssessmentError::Refused(Refusal::NoStart))?;
    let product = property("product").or_else(|| document.metadata("title")).unwrap_or("product");
    let subject = property("subject").or_else(|| document.metadata("version")).unwrap_or("-");
    let mut diagnosis = Diagnosis::new(&shortened(product), &shortened(subject), on)?;
    let (mut unknown, mut contradicted) = (Vec::new(), Vec::new());
    let known = controls(library);
    for finding in results.iter().flat_map(|one| list(one.get("findings"))) {
        let target = finding.get("target");
        let field = |name: &str| target.and_then(|one| one.get(name));
        let Some(id) = field("target-id").and_then(Value::as_str) else { continue };
        let Some(record) = known.get(id.trim_end_matches("_smt")) else {
            unknown.push(shortened(id));
            continue;
        };
        let state = field("status").and_then(|one| one.get("state")).and_then(Value::as_str);
        let ours = list(finding.get("props")).iter().find_map(|one| {
            (one.get("name")?.as_str()? == "state").then(|| one.get("value")?.as_str()).flatten()
        });
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
    Ok(ImportedResults { diagnosis, unknown, contradicted })
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

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// One line that our form takes.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| text::prints(*c) && *c != '\n').take(1_000).collect()
}
