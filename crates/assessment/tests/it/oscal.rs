//! OSCAL: NIST's samples come through whole, our exports come back.

use assessment::{
    AssessmentError, Basis, Coverage, Day, Diagnosis, Library, Outcome, State,
    oscal::{
        Document, DocumentKind, OscalExport, assessment_results, catalog, component_definition,
        control_id, diagnosis_from, diagnosis_results, plan_of_action, profile, sheet_catalog,
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
        assert!(matches!(error, AssessmentError::Refused(_)), "{text}: {error}");
    }
}

fn there_and_back(library: &Library, diagnosis: &Diagnosis, language: Language) -> Diagnosis {
    let export = OscalExport { language, ..export(library) };
    let document = diagnosis_results(export, diagnosis);
    let read = Document::parse("r.json", document.to_json().as_bytes()).unwrap();
    let found = diagnosis_from(&read, library).unwrap();
    assert!(found.whole && found.unknown.is_empty() && found.contradicted.is_empty());
    found.diagnosis
}

#[test]
fn a_whole_diagnosis_comes_back_as_it_was() {
    let library = Library::embedded().unwrap();
    let mut diagnosis = diagnosis(&library);
    diagnosis.sign("鈴木 一郎", diagnosis.on).unwrap();
    diagnosis.sign("Sato", diagnosis.on).unwrap();
    for language in [Language::En, Language::Ja] {
        let back = there_and_back(&library, &diagnosis, language);
        assert_eq!(back, diagnosis);
        assert_eq!(back.sign_off(), diagnosis.sign_off());
        let export = OscalExport { language, ..export(&library) };
        assert_eq!(diagnosis_results(export, &back), diagnosis_results(export, &diagnosis));
    }
}

/// Whether findings are of ours is said by our namespace alone, and what cannot be read is refused
/// with the place.
#[test]
fn what_somebody_changed_in_a_whole_diagnosis_is_seen() {
    let library = Library::embedded().unwrap();
    let diagnosis = diagnosis(&library);
    let text = diagnosis_results(export(&library), &diagnosis).to_json();
    let read = |text: &str| {
        let document = Document::parse("r.json", text.as_bytes()).unwrap();
        diagnosis_from(&document, &library)
    };
    let foreign = text.replace("https://tegata.example/ns/oscal", "https://other.example/ns");
    let foreign = read(&foreign).unwrap();
    assert!(!foreign.whole && foreign.diagnosis.answers.is_empty());
    assert!(foreign.diagnosis.clauses.values().all(|answer| answer.evidence.is_empty()));
    let cases = [
        ("\"value\": \"diagnosis/1\"", "\"value\": \"diagnosis/9\"", "another version"),
        ("\"value\": \"partly\"", "\"value\": \"mostly\"", "`answer`"),
        ("\"name\": \"reason\"", "\"name\": \"raison\"", "reason"),
    ];
    for (from, to, says) in cases {
        assert!(text.contains(from), "{from} is not there:\n{text}");
        let error = read(&text.replace(from, to)).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    // An answer by somebody who knows nothing of us, beside ours: the worse one counts, as a claim.
    let mut value: Value = serde_json::from_str(&text).unwrap();
    let findings = value.pointer_mut("/assessment-results/results/0/findings").unwrap();
    findings.as_array_mut().unwrap().push(serde_json::json!({
        "uuid": "1b7e0ac8-2f6b-4ac4-9a2e-0d9a3d2f5c11", "title": "x", "description": "found on site",
        "target": {"type": "objective-id", "target-id": "jc-star-1_S1.1-02", "status": {"state": "not-satisfied"}},
    }));
    let with = read(&value.to_string()).unwrap();
    assert!(with.whole);
    let clause =
        with.diagnosis.clauses.iter().find(|(id, _)| id.to_string() == "jc-star-1:S1.1-02");
    assert_eq!(clause.unwrap().1.outcome, Outcome::NotMet);
    // The same evidence twice would make a large diagnosis of a small file.
    let observations = value.pointer_mut("/assessment-results/results/0/observations").unwrap();
    let evidence = observations
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one.get("relevant-evidence").is_some());
    assert!(evidence.count() > 0);
}

#[test]
fn the_check_sheet_is_a_catalogue_whose_controls_results_name() {
    let library = Library::embedded().unwrap();
    let sheet = sheet_catalog(export(&library)).to_json();
    assert_eq!(sheet.matches("\"name\": \"statement\"").count(), library.items().len());
    let results = diagnosis_results(export(&library), &diagnosis(&library));
    let value = results.to_value();
    let controls = value
        .pointer(
            "/assessment-results/results/0/reviewed-controls/control-selections/0/include-controls",
        )
        .unwrap();
    let mut seen = BTreeSet::new();
    for control in controls.as_array().unwrap() {
        let id = control["control-id"].as_str().unwrap();
        assert!(seen.insert(id.to_owned()), "{id} twice");
        let item = id.starts_with("check-sheet_");
        assert!(!item || sheet.contains(&format!("\"id\": \"{id}\"")), "{id}");
    }
    assert!(seen.iter().any(|id| id.starts_with("check-sheet_")));
}

proptest! {
    /// Whatever people type comes back, and is signed for as before.
    #[test]
    fn any_diagnosis_survives_oscal(diagnosis in crate::diagnosis::a_diagnosis(), japanese: bool) {
        let library = crate::diagnosis::small();
        let language = if japanese { Language::Ja } else { Language::En };
        prop_assert_eq!(there_and_back(&library, &diagnosis, language), diagnosis);
    }

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
