//! OSCAL: NIST's samples come through whole, our exports come back.

use assessment::{
    AssessmentError, Basis, Coverage, Day, Diagnosis, Library, Outcome, State,
    oscal::{
        Document, DocumentKind, OscalExport, assessment_results, catalog, component_definition,
        control_id, diagnosis_from, plan_of_action, profile,
    },
};
use device::Language;
use proptest::prelude::*;
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::PathBuf};

/// NIST's samples, which are not in the repository; `None`, with a word on stderr, where they are
/// absent.
fn samples() -> Option<Vec<(PathBuf, Vec<u8>)>> {
    let root = std::env::var_os("TEGATA_TESTDATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/testdata"),
        PathBuf::from,
    );
    let root = root.join("oscal/examples");
    if !root.is_dir() {
        eprintln!("SKIPPED: {} is absent; set TEGATA_TESTDATA", root.display());
        return None;
    }
    let mut found = Vec::new();
    for kind in fs::read_dir(&root).unwrap() {
        for file in fs::read_dir(kind.unwrap().path().join("json")).unwrap() {
            let path = file.unwrap().path();
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    Some(found)
}

#[test]
fn samples_of_nist_come_through_whole() {
    let Some(samples) = samples() else { return };
    assert!(samples.len() >= 10, "{}", samples.len());
    let mut kinds = BTreeSet::new();
    for (path, bytes) in samples {
        let name = path.display().to_string();
        let mut document = Document::parse(&name, &bytes).unwrap();
        kinds.insert(document.kind());
        let before: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(document.to_value(), before, "{name}");
        let again = Document::parse(&name, document.to_json().as_bytes()).unwrap();
        assert_eq!(again, document, "{name}");
        // Changed in one place, it is the same in all others.
        document.set_metadata("title", "changed");
        assert_eq!(document.metadata("title"), Some("changed"));
        let mut expected = before;
        let title = format!("/{}/metadata/title", document.kind());
        *expected.pointer_mut(&title).unwrap() = "changed".into();
        assert_eq!(document.to_value(), expected, "{name}");
    }
    assert!(kinds.len() >= 5, "{kinds:?}");
}

fn diagnosis(library: &Library) -> Diagnosis {
    let page = include_str!("../../../../docs/assessment.md");
    let text = page.split("```yaml diagnosis\n").nth(1).unwrap().split("```").next().unwrap();
    Diagnosis::parse("d.yaml", text, library).unwrap()
}

fn export(library: &Library) -> OscalExport<'_> {
    OscalExport { library, on: Day::parse("2026-11-21").unwrap(), language: Language::Ja }
}

#[test]
fn every_record_is_a_control_with_an_id_of_its_own() {
    let library = Library::embedded().unwrap();
    let mut ids = BTreeSet::new();
    for one in library.catalogues() {
        let document = catalog(export(&library), one);
        assert_eq!(document.kind(), DocumentKind::Catalog);
        assert_eq!(document, catalog(export(&library), one), "the same each time");
        let groups = document.body()["groups"].as_array().unwrap();
        let controls: Vec<&Value> =
            groups.iter().flat_map(|group| group["controls"].as_array().unwrap()).collect();
        assert_eq!(controls.len(), one.records.len());
        for control in controls {
            let id = control["id"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
            assert!(id.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'));
            assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)), "{id}");
        }
    }
}

#[test]
fn results_come_back_and_nothing_becomes_better() {
    let library = Library::embedded().unwrap();
    let diagnosis = diagnosis(&library);
    let all: Vec<_> = library.catalogues().iter().collect();
    let document = assessment_results(export(&library), &diagnosis, &all);
    let read = Document::parse("r.json", document.to_json().as_bytes()).unwrap();
    assert_eq!(read, document);
    let back = diagnosis_from(&read, &library).unwrap();
    assert_eq!((back.unknown.len(), back.contradicted.len()), (0, 0));
    assert_eq!(back.diagnosis.product, diagnosis.product);
    assert_eq!((&back.diagnosis.subject, back.diagnosis.on), (&diagnosis.subject, diagnosis.on));
    let coverage = Coverage::of(&library, &diagnosis, export(&library).on);
    assert!(!back.diagnosis.clauses.is_empty());
    for (record, answer) in &back.diagnosis.clauses {
        let was = coverage.clause(record).unwrap().state.word();
        let is = match answer.outcome {
            Outcome::Met => ["met", "claimed"].contains(&was),
            other => other.word() == was,
        };
        assert!(is, "{record}: {was}, came back as {}", answer.outcome);
    }
    // It is a diagnosis like any other, and what was met with evidence elsewhere is a claim here.
    let text = back.diagnosis.to_yaml();
    assert_eq!(Diagnosis::parse("b.yaml", &text, &library).unwrap(), back.diagnosis);
    let claimed = Coverage::of(&library, &back.diagnosis, diagnosis.on);
    let own = claimed.catalogue(&library, &all[0].source.id).flat_map(|one| &one.basis);
    assert!(!own.into_iter().any(|basis| matches!(basis, Basis::Answer(State::Met))));
}

#[test]
fn the_other_models_hold_what_they_should() {
    let library = Library::embedded().unwrap();
    let diagnosis = diagnosis(&library);
    let star = library.catalogue("jc-star-1").unwrap();
    let chosen = profile(export(&library), &diagnosis, star);
    assert!(chosen.to_json().contains("jc-star-1_S1.1-01"));
    let poam = plan_of_action(export(&library), &diagnosis);
    let gaps = diagnosis.gaps(&library, export(&library).on);
    assert_eq!(poam.body()["poam-items"].as_array().unwrap().len(), gaps.len());
    let component = component_definition(export(&library), &diagnosis, &[star]).to_json();
    let open = &star.records[4].reference;
    assert!(component.contains(&control_id(open)), "S1.1-05 is answered in the page");
}

#[test]
fn results_of_others_are_claims_and_the_worse_one_counts() {
    let library = Library::embedded().unwrap();
    let finding = |id: &str, state: &str| serde_json::json!({"target": {"type": "objective-id", "target-id": id, "status": {"state": state}}});
    let text = serde_json::json!({"assessment-results": {
        "metadata": {"title": "Meter", "version": "2"},
        "results": [{"start": "2026-11-01T00:00:00Z", "findings": [
            finding("jc-star-1_S1.1-01", "satisfied"), finding("jc-star-1_S1.1-01", "not-satisfied"),
            finding("jc-star-1_S1.1-02", "satisfied"), finding("ac-1", "satisfied"),
        ]}],
    }});
    let document = Document::parse("r.json", text.to_string().as_bytes()).unwrap();
    let back = diagnosis_from(&document, &library).unwrap();
    assert_eq!(back.unknown, ["ac-1"]);
    assert_eq!(back.contradicted, ["jc-star-1_S1.1-01"]);
    let outcomes: Vec<Outcome> = back.diagnosis.clauses.values().map(|one| one.outcome).collect();
    assert_eq!(outcomes, [Outcome::NotMet, Outcome::Met]);
    let plan = plan_of_action(export(&library), &back.diagnosis);
    assert!(matches!(diagnosis_from(&plan, &library), Err(AssessmentError::Refused(_))));
}

#[test]
fn what_is_no_document_is_refused() {
    for text in [
        "",
        "{}",
        "[]",
        "{\"catalog\": 1}",
        "{\"catalog\": {}}",
        "{\"catalog\": {\"metadata\": {}}, \"profile\": {}}",
    ] {
        let error = Document::parse("x.json", text.as_bytes()).unwrap_err();
        assert!(matches!(error, AssessmentError::Malformed { .. }), "{text}: {error}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Document::parse("x.json", &bytes);
    }

    /// Any findings, whatever they hold, are answers, unknown, or refused.
    #[test]
    fn any_findings_are_taken(id in "[a-z0-9_.-]{0,30}", state in "\\PC{0,20}", text in "\\PC{0,40}", start in "\\PC{0,12}") {
        let library = Library::build(&assessment::LibraryFiles {
            features: assessment::LibraryFile { name: "f", text: crate::world::FEATURES },
            catalogues: &[], mappings: &[], sheets: &[],
        }).unwrap();
        let value = serde_json::json!({"assessment-results": {
            "metadata": {"title": text, "version": state},
            "results": [{"start": start, "findings": [{"description": text, "target": {"target-id": id, "status": {"state": state}}}]}],
        }});
        if let Ok(document) = Document::parse("x.json", value.to_string().as_bytes()) {
            prop_assert_eq!(document.to_value(), value);
            let _ = diagnosis_from(&document, &library);
        }
    }
}
