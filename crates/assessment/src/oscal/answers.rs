//! What people answered, in assessment results and back: a round trip changes nothing.
//!
//! OSCAL has places for most of it: a finding for each answer, an observation for each piece of
//! evidence, an attestation for each signature. What it has no place for stands in properties of our
//! namespace, as OSCAL wants it. A property's value is one line; a text that is none stands whole in
//! its `remarks`.

use super::export::{NAMESPACE, one_line, own, stamp, stamp_end, uuid};
use crate::{
    Answer, AssessmentError, Day, Diagnosis, EVIDENCE_MAX, Entry, Evidence, Library, Outcome,
    Refusal, SIGNATURES_MAX, Signature, Topic, diagnosis::FORM, text,
};
use crypto::Sha256;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// The role of who stands for a diagnosis.
pub(super) const SIGNER: &str = "signer";

/// A property that holds `value` as it is.
pub(super) fn told(name: &str, value: &str) -> Value {
    let mut property = own(name, value);
    if one_line(value) != value
        && let Some(fields) = property.as_object_mut()
    {
        fields.insert("remarks".to_owned(), json!(value));
    }
    property
}

/// Properties of the result: what the diagnosis is about, and what the product does not have.
pub(super) fn front(diagnosis: &Diagnosis) -> Vec<Value> {
    let mut props = vec![
        own("form", FORM),
        told("product", &diagnosis.product),
        told("subject", &diagnosis.subject),
        own("on", &diagnosis.on.to_string()),
    ];
    props.extend(diagnosis.absent.iter().map(|(feature, reason)| {
        let mut property = own("absent", feature.as_str());
        if let Some(fields) = property.as_object_mut() {
            fields.insert("remarks".to_owned(), json!(reason));
        }
        property
    }));
    props
}

/// Properties of the finding about `topic`.
pub(super) fn answered(topic: &Topic, answer: &Answer) -> Vec<Value> {
    let mut props = vec![own("topic", &topic.to_string()), own("answer", answer.outcome.word())];
    let texts =
        [("reason", &answer.reason), ("owner", &answer.owner), ("comment", &answer.comment)];
    props.extend(texts.iter().filter_map(|(name, text)| Some(told(name, text.as_deref()?))));
    props.extend(answer.due.map(|due| own("due", &due.to_string())));
    props
}

/// Observations for the evidence of the answer to `topic`, in its order.
pub(super) fn observations(content: &str, topic: &Topic, answer: &Answer) -> Vec<Value> {
    let one = |(number, piece): (usize, &Evidence)| {
        let id = uuid(&["evidence", content, &topic.to_string(), &number.to_string()]);
        let mut props = vec![own("on", &piece.on.to_string())];
        props.extend(piece.until.map(|until| own("until", &until.to_string())));
        props.extend(piece.sha256.map(|digest| own("sha256", &digest.to_string())));
        let mut observation = json!({
            "uuid": id,
            "description": piece.what,
            "props": props,
            "methods": ["EXAMINE"],
            "relevant-evidence": [{"description": piece.what}],
            "collected": stamp(piece.on),
        });
        if let (Some(until), Some(fields)) = (piece.until, observation.as_object_mut()) {
            fields.insert("expires".to_owned(), json!(stamp_end(until)));
        }
        observation
    };
    answer.evidence.iter().enumerate().map(one).collect()
}

/// Attestations for the signatures.
pub(super) fn attestations(diagnosis: &Diagnosis) -> Vec<Value> {
    let one = |signature: &Signature| {
        json!({
            "responsible-parties": [{"role-id": SIGNER, "party-uuids": [party_id(&signature.by)]}],
            "parts": [{
                "name": "signature",
                "ns": NAMESPACE,
                "title": one_line(&signature.by),
                "props": [
                    told("by", &signature.by),
                    own("on", &signature.on.to_string()),
                    own("content", &signature.content.to_string()),
                ],
                "prose": format!("{}: {}", signature.on, signature.by),
            }],
        })
    };
    diagnosis.signatures.iter().map(one).collect()
}

/// Who signed, for the metadata: roles and parties.
pub(super) fn parties(diagnosis: &Diagnosis, role: &str, metadata: &mut Map<String, Value>) {
    let mut people: Vec<&str> = diagnosis.signatures.iter().map(|one| one.by.as_str()).collect();
    people.sort_unstable();
    people.dedup();
    if people.is_empty() {
        return;
    }
    let party = |by: &str| json!({"uuid": party_id(by), "type": "person", "name": one_line(by)});
    metadata.insert("roles".to_owned(), json!([{"id": SIGNER, "title": role}]));
    let parties: Vec<Value> = people.into_iter().map(party).collect();
    metadata.insert("parties".to_owned(), Value::Array(parties));
}

fn party_id(by: &str) -> String {
    uuid(&["party", by])
}

/// What our property `name` says; that of others with the same name is not ours.
pub(super) fn said<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    list(object.get("props")).iter().filter(|one| is_own(one, name)).find_map(|one| {
        one.get("remarks").and_then(Value::as_str).or_else(|| one.get("value")?.as_str())
    })
}

fn is_own(property: &Value, name: &str) -> bool {
    let field = |of: &str| property.get(of).and_then(Value::as_str);
    field("ns") == Some(NAMESPACE) && field("name") == Some(name)
}

pub(super) fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Features that the product does not have; the second is what our catalogues do not know.
pub(super) fn read_absent(
    result: &Value,
    library: &Library,
    diagnosis: &mut Diagnosis,
) -> Result<Vec<String>, AssessmentError> {
    let mut unknown = Vec::new();
    for property in list(result.get("props")).iter().filter(|one| is_own(one, "absent")) {
        let field = |name: &str| property.get(name).and_then(Value::as_str);
        let feature = field("value").unwrap_or_default();
        let Some(known) = library.feature(feature) else {
            unknown.push(super::intake::shortened(feature));
            continue;
        };
        let reason = field("remarks").unwrap_or_default().to_owned();
        let topic = Topic::Absent(known.id.clone());
        diagnosis.put(library, &topic, Some(Entry::Absent(reason)))?;
    }
    Ok(unknown)
}

/// The answer that a finding of ours holds. What it takes of `observations` is gone from there: each is
/// evidence once, so that a small document makes no large diagnosis.
///
/// # Errors
/// [`Refusal::Finding`] for what cannot be read as an answer.
pub(super) fn read_answer(
    finding: &Value,
    observations: &mut HashMap<&str, &Value>,
) -> Result<Answer, AssessmentError> {
    let damaged = |what: &'static str| {
        let id = said(finding, "topic").map(super::intake::shortened).unwrap_or_default();
        AssessmentError::Refused(Refusal::Finding(id, what))
    };
    let day = |object: &Value, name: &'static str| match said(object, name) {
        None => Ok(None),
        Some(text) => Day::parse(text).map(Some).ok_or_else(|| damaged(name)),
    };
    let word = said(finding, "answer").unwrap_or_default();
    let outcome = Outcome::of_word(word).ok_or_else(|| damaged("answer"))?;
    let mut evidence = Vec::new();
    for related in list(finding.get("related-observations")) {
        let id = related.get("observation-uuid").and_then(Value::as_str);
        // What the finding rests on besides evidence is no piece of it.
        let Some(id) = id.filter(|id| {
            observations.get(id).is_some_and(|one| one.get("relevant-evidence").is_some())
        }) else {
            continue;
        };
        let Some(piece) = observations.remove(id) else { continue };
        if evidence.len() >= EVIDENCE_MAX {
            return Err(AssessmentError::Refused(Refusal::TooMuchEvidence));
        }
        let digest = match said(piece, "sha256") {
            None => None,
            Some(hex) => Some(Sha256::from_hex(hex).ok_or_else(|| damaged("sha256"))?),
        };
        let what = piece.get("description").and_then(Value::as_str);
        evidence.push(Evidence {
            what: what.ok_or_else(|| damaged("description"))?.to_owned(),
            sha256: digest,
            on: day(piece, "on")?.ok_or_else(|| damaged("on"))?,
            until: day(piece, "until")?,
        });
    }
    let text = |name: &str| said(finding, name).map(str::to_owned);
    Ok(Answer {
        outcome,
        reason: text("reason"),
        evidence,
        owner: text("owner"),
        due: day(finding, "due")?,
        comment: text("comment"),
    })
}

/// The signatures of a result.
pub(super) fn read_signatures(result: &Value) -> Result<Vec<Signature>, AssessmentError> {
    let refused = |why: Refusal| Err(AssessmentError::Refused(why));
    let mut found = Vec::new();
    let parts = list(result.get("attestations")).iter().flat_map(|one| list(one.get("parts")));
    for part in parts.filter(|part| part.get("name").and_then(Value::as_str) == Some("signature")) {
        let (Some(by), Some(on), Some(content)) =
            (said(part, "by"), said(part, "on"), said(part, "content"))
        else {
            continue;
        };
        if let Some(fault) = text::refusal(by) {
            return refused(fault);
        }
        if found.len() >= SIGNATURES_MAX {
            return refused(Refusal::TooManySignatures);
        }
        let (Some(on), Some(content)) = (Day::parse(on), Sha256::from_hex(content)) else {
            return refused(Refusal::Finding(super::intake::shortened(by), "signature"));
        };
        found.push(Signature { by: by.to_owned(), on, content });
    }
    Ok(found)
}
