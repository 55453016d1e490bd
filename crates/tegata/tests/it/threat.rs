//! `tegata threat` and OSCAL on files, in both languages.

use serde_json::Value;
use std::{fs, process::Command, process::Output};

const PAGE: &str = include_str!("../../../../docs/threat-model.md");
const DIAGNOSIS: &str = include_str!("../../../../docs/assessment.md");

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        let block = |page: &str, mark: &str| {
            let (_, rest) = page.split_once(mark).unwrap();
            rest.split_once("```").unwrap().0.to_owned()
        };
        desk.write("lock.yaml", &block(PAGE, "```yaml threat-model\n"));
        desk.write("d.yaml", &block(DIAGNOSIS, "```yaml diagnosis\n"));
        desk
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tegata"))
            .args(arguments)
            .current_dir(self.0.path())
            .env_remove("TEGATA_LANGUAGE")
            .output()
            .unwrap()
    }

    fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {wrong}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        let mut all = vec!["--json"];
        all.extend(arguments);
        self.text(&all).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

const AT: [&str; 2] = ["--at", "2026-11-21"];

#[test]
fn threats_are_listed_shown_and_exported() {
    let desk = Desk::new();
    let open = desk.lines(&["threat", "list", "lock.yaml", AT[0], AT[1]]);
    let all = desk.lines(&["threat", "list", "lock.yaml", "--all", AT[0], AT[1]]);
    assert!(all.len() > open.len() && open.len() > 20);
    for one in &all {
        assert!(one["id"].as_str().unwrap().starts_with("T-"));
        assert!(one["residual"]["score"].as_u64() <= one["inherent"]["score"].as_u64());
    }
    let id = open[0]["id"].as_str().unwrap();
    let shown = desk.text(&["--language", "ja", "threat", "show", "lock.yaml", id, AT[0], AT[1]]);
    assert!(shown.contains("解消条件") && shown.contains(id), "{shown}");
    let refused = desk.run(&["threat", "show", "lock.yaml", "T-0"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("tegata threat list"));
    let log: Value = serde_json::from_str(&desk.text(&[
        "threat",
        "export",
        "lock.yaml",
        "--format",
        "sarif",
        AT[0],
        AT[1],
    ]))
    .unwrap();
    assert_eq!(log["runs"][0]["results"].as_array().unwrap().len(), all.len());
    let table = desk.text(&["threat", "export", "lock.yaml", "--format", "csv", AT[0], AT[1]]);
    assert_eq!(csv::Reader::from_reader(table.as_bytes()).records().count(), all.len());
    let risk = &desk.lines(&["threat", "risk", "lock.yaml", AT[0], AT[1]])[0];
    assert_eq!(risk["vulnerabilities"][0]["score"], 8.7);
    assert!(!risk["zones"][1]["missed"].as_array().unwrap().is_empty());
}

#[test]
fn drawings_rules_forms_and_schema_are_printed() {
    let desk = Desk::new();
    for arguments in [
        &["threat", "diagram", "lock.yaml"][..],
        &["threat", "diagram", "lock.yaml", "--theme", "dark"],
        &["threat", "tree", "lock.yaml", "--asset", "unlock"],
    ] {
        let svg = desk.text(arguments);
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    }
    assert!(!desk.run(&["threat", "tree", "lock.yaml"]).status.success());
    assert!(desk.lines(&["threat", "rules"]).len() >= 80);
    assert!(desk.lines(&["threat", "rules", "--measures"]).len() >= 80);
    let forms = desk.lines(&["threat", "forms", "lock.yaml"]);
    assert!(forms.iter().any(|one| one["answer"].is_string()));
    let schema: Value = serde_json::from_str(&desk.text(&["threat", "schema"])).unwrap();
    assert_eq!(schema["properties"]["tegata"]["const"], "threat-model/1");
    assert!(desk.text(&["threat", "check", "lock.yaml", AT[0], AT[1]]).contains("Door lock"));
}

#[test]
fn models_of_others_become_ours_and_errors_name_the_place() {
    let desk = Desk::new();
    desk.write("otm.yaml", include_str!("../../../assessment/tests/testdata/threat/otm.yaml"));
    let output = desk.run(&["threat", "import", "otm.yaml"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("/project/owner"));
    fs::write(desk.0.path().join("ours.yaml"), output.stdout).unwrap();
    assert!(desk.lines(&["threat", "list", "ours.yaml"]).len() > 5);
    desk.write(
        "bad.yaml",
        "tegata: threat-model/1\nname: x\nelements:\n  - {id: a, kind: devise}\n",
    );
    let refused = desk.run(&["threat", "check", "bad.yaml"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("bad.yaml:4:"), "{said}");
}

#[test]
fn a_diagnosis_becomes_oscal_and_comes_back() {
    let desk = Desk::new();
    for model in ["results", "poam", "component"] {
        let text = desk.text(&["checksheet", "oscal", "d.yaml", "--model", model, AT[0], AT[1]]);
        assert!(text.contains("\"oscal-version\": \"1.2.0\""), "{model}");
        desk.write(&format!("{model}.json"), &text);
    }
    let profile = ["checksheet", "oscal", "d.yaml", "--model", "profile"];
    assert!(!desk.run(&profile).status.success());
    let one = [&profile[..], &["--catalogue", "jc-star-1"]].concat();
    assert!(desk.text(&one).contains("jc-star-1_S1.1-01"));
    assert!(desk.text(&["catalogue", "oscal", "jc-star-1"]).contains("jc-star-1_S1.1-01"));
    let back = desk.text(&["checksheet", "from-oscal", "results.json"]);
    assert!(back.contains("Smart meter M1") && back.contains("jc-star-1:S1.1-05"), "{back}");
    desk.write("back.yaml", &back);
    desk.text(&["catalogue", "coverage", "back.yaml", AT[0], AT[1]]);
    assert!(!desk.run(&["checksheet", "from-oscal", "poam.json"]).status.success());
}
