//! Threats as SARIF 2.1.0, for tools that show findings of scanners.

use crate::threat::{Analysis, Band, Cause, State, ThreatInstance, silence_words};
use device::Language;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// All threats of an analysis. What is treated is there, too, as suppressed or as a pass; `file`
/// is the address of the model, relative to the repository.
pub fn sarif(analysis: &Analysis<'_>, file: &str, language: Language) -> Value {
    let mut rules: Vec<Value> = Vec::new();
    let mut index: BTreeMap<&str, usize> = BTreeMap::new();
    for one in &analysis.threats {
        let id = one.cause_id();
        if !index.contains_key(id) {
            index.insert(id, rules.len());
            rules.push(descriptor(analysis, one, language));
        }
    }
    let results: Vec<Value> = analysis
        .threats
        .iter()
        .map(|one| {
            let rule = index.get(one.cause_id()).copied();
            result(analysis, one, rule, file, language)
        })
        .collect();
    let tongue = match language {
        Language::En => "en",
        Language::Ja => "ja",
    };
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "tegata threat",
                "version": env!("CARGO_PKG_VERSION"),
                "language": tongue,
                "rules": rules,
            }},
            "language": tongue,
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn descriptor(analysis: &Analysis<'_>, one: &ThreatInstance<'_>, language: Language) -> Value {
    let mut descriptor = json!({
        "id": one.cause_id(),
        "shortDescription": {"text": one.title(language)},
        "properties": {"tags": [one.threat().word()]},
    });
    if let (Cause::Rule(rule), Some(fields)) = (one.cause, descriptor.as_object_mut()) {
        let references: Vec<String> = rule.reference.iter().map(ToString::to_string).collect();
        fields.insert("fullDescription".to_owned(), json!({"text": rule.text.of(language)}));
        fields.insert(
            "help".to_owned(),
            json!({"text": silence_words(rule, analysis.book, language)}),
        );
        fields.insert(
            "properties".to_owned(),
            json!({"tags": [rule.threat.word()], "references": references}),
        );
    }
    descriptor
}

fn result(
    analysis: &Analysis<'_>,
    one: &ThreatInstance<'_>,
    rule: Option<usize>,
    file: &str,
    language: Language,
) -> Value {
    let (kind, level) = match (one.state, one.risk.residual.band()) {
        (State::Mitigated | State::Handled, _) => ("pass", "none"),
        (State::Dismissed, _) => ("notApplicable", "none"),
        (_, Band::Critical | Band::High) => ("fail", "error"),
        (_, Band::Medium) => ("fail", "warning"),
        _ => ("fail", "note"),
    };
    let subject = one.subject.title(analysis.model);
    let message = match one.text(language) {
        "" => format!("{subject}: {}", one.title(language)),
        text => format!("{subject}: {} {text}", one.title(language)),
    };
    let levels = |level: crate::threat::Level| json!({"likelihood": level.likelihood, "impact": level.impact, "score": level.score()});
    let mut result = json!({
        "ruleId": one.cause_id(),
        "kind": kind,
        "level": level,
        "message": {"text": message},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": uri(file)},
                "region": {"startLine": one.subject.line(analysis.model).max(1)},
            },
            "logicalLocations": [{
                "fullyQualifiedName": one.subject.to_string(),
                "name": subject,
            }],
        }],
        "partialFingerprints": {"tegataThreat/v1": one.id.as_str()},
        "properties": {
            "state": one.state.word(),
            "inherent": levels(one.risk.inherent),
            "residual": levels(one.risk.residual),
            "target": levels(one.risk.target),
        },
    });
    if let Some(fields) = result.as_object_mut() {
        if let Some(rule) = rule {
            fields.insert("ruleIndex".to_owned(), json!(rule));
        }
        if let (State::Accepted | State::Transferred, Some(decision)) = (one.state, one.decision) {
            let accepted = json!([{
                "kind": "external", "status": "accepted", "justification": decision.reason,
            }]);
            fields.insert("suppressions".to_owned(), accepted);
        }
    }
    result
}

/// A relative reference (RFC 3986) of a file name.
fn uri(file: &str) -> String {
    let mut out = String::with_capacity(file.len());
    for byte in file.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            b'\\' => out.push('/'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}
