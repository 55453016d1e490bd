//! `tegata catalogue` and `tegata checksheet` on files, in both languages.

use serde_json::Value;
use std::{
    fs,
    process::{Command, Output},
};

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
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

    /// One object per line.
    fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        let mut all = vec!["--json"];
        all.extend(arguments);
        self.text(&all).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

#[test]
fn catalogues_print_one_record_per_line_with_language_source_and_licence() {
    let desk = Desk::new();
    let records = desk.lines(&["catalogue", "list"]);
    assert!(records.len() > 400);
    for record in &records {
        for field in ["title", "text"] {
            for language in ["en", "ja"] {
                assert!(!record[field][language].as_str().unwrap().is_empty(), "{record}");
            }
        }
        assert!(record["url"].as_str().unwrap().starts_with("https://"));
        assert!(
            ["free", "own-words", "share-alike"].contains(&record["licence"].as_str().unwrap())
        );
        // Nobody has compared a record with its original so far, and none says otherwise.
        assert_eq!(record["checked"], Value::Null);
    }
    let one = desk.lines(&["catalogue", "show", "jc-star-1:S1.1-04"]);
    assert_eq!(one[0]["related"][0]["record"], "etsi-en-303-645:5.1-5");
    let japanese = desk.text(&["--lang", "ja", "catalogue", "show", "jc-star-1:S1.1-04"]);
    assert!(japanese.contains("総当たり攻撃への耐性") && japanese.contains("未照合"), "{japanese}");
    let missing = desk.lines(&["catalogue", "diff", "jc-star-1", "etsi-en-303-645"]);
    let covered = |id: &str| {
        let found = missing.iter().find(|one| one["record"] == id).unwrap();
        found["covered"].as_str().unwrap().to_owned()
    };
    assert_eq!(covered("etsi-en-303-645:5.1-5"), "met");
    assert_eq!(covered("etsi-en-303-645:5.3-10"), "partly");
    assert_eq!(covered("etsi-en-303-645:5.10-1"), "missing");
    assert!(desk.refused(&["catalogue", "show", "jc-star-1:99"]).contains("no record"));
    assert!(desk.refused(&["catalogue", "diff", "jc-star-1", "jc-star-9"]).contains("jc-star-1"));
}

#[test]
fn items_print_one_per_line() {
    let desk = Desk::new();
    let items = desk.lines(&["checksheet", "items"]);
    assert!(items.len() >= 250);
    for item in &items {
        assert!(!item["verification"].as_array().unwrap().is_empty());
        assert!(!item["interpretation"]["attack"]["ja"].as_str().unwrap().is_empty());
    }
    let some = desk.lines(&["checksheet", "items", "--layer", "device", "--phase", "disposal"]);
    assert!(!some.is_empty() && some.len() < 30);
    let shown = desk.text(&["--lang", "ja", "checksheet", "show", "DEV-SWD-01"]);
    assert!(shown.contains("デバイス / S/W設計 / なりすまし"), "{shown}");
}

#[test]
fn a_diagnosis_goes_from_an_empty_file_to_two_signatures() {
    let desk = Desk::new();
    let path = |name: &str| desk.0.path().join(name);
    let new = ["checksheet", "new", "--product", "Meter", "--subject", "1.0", "--on", "2020-01-02"];
    let empty = desk.text(&new);
    fs::write(path("a.yaml"), &empty).unwrap();
    let score =
        |file: &str| desk.lines(&["checksheet", "score", file, "--at", "2020-01-03"]).remove(0);
    assert_eq!(score("a.yaml")["total"]["answered_percent"], 0);
    assert_eq!(score("a.yaml")["sign_off"]["state"], "draft");
    // The marks taken away, every item is answered.
    let (head, answers) = empty.split_once("\n# answers:\n").unwrap();
    let answers: String =
        answers.lines().map(|line| format!("{}\n", line.strip_prefix("# ").unwrap())).collect();
    fs::write(path("b.yaml"), format!("{head}\nanswers:\n{answers}")).unwrap();
    let total = &score("b.yaml")["total"];
    assert_eq!((&total["fulfilled_percent"], &total["claimed_percent"]), (&0.into(), &100.into()));
    let evidence = "{answer: met, evidence: [{what: report, on: 2020-01-01}]}";
    let shown = answers.replace("{answer: met}", evidence);
    fs::write(path("c.yaml"), format!("{head}\nanswers:\n{shown}")).unwrap();
    assert_eq!(score("c.yaml")["total"]["fulfilled_percent"], 100);
    assert!(desk.lines(&["checksheet", "gaps", "c.yaml"]).is_empty());
    assert!(desk.lines(&["checksheet", "gaps", "b.yaml"]).len() >= 250);
    let changes = desk.lines(&["checksheet", "compare", "b.yaml", "c.yaml"]);
    assert!(changes.iter().all(|one| one["direction"] == "better"));
    let met = |file: &str| {
        desk.lines(&["catalogue", "coverage", file, "--at", "2020-01-03"])
            .iter()
            .filter(|clause| clause["state"] == "met")
            .count()
    };
    assert_eq!((met("a.yaml"), met("b.yaml")), (0, 0));
    assert!(met("c.yaml") > 20);
    let japanese = desk.text(&["--lang", "ja", "checksheet", "score", "c.yaml"]);
    assert!(japanese.contains("S/W設計") && japanese.contains("適合 100%"), "{japanese}");

    // Through Excel and back.
    desk.text(&["--lang", "ja", "checksheet", "export", "c.yaml", "--out", "c.xlsx"]);
    fs::write(path("again.yaml"), desk.text(&["checksheet", "import", "c.xlsx"])).unwrap();
    assert_eq!(score("again.yaml")["content"], score("c.yaml")["content"]);
    let twice = desk.refused(&["checksheet", "export", "c.yaml", "--out", "c.xlsx"]);
    assert!(twice.contains("must not exist yet"), "{twice}");
    assert!(desk.refused(&["checksheet", "import", "c.yaml"]).contains("no XLSX workbook"));

    // The clock of the machine gives the day of a signature; it is after the diagnosis.
    desk.text(&["checksheet", "sign", "c.yaml", "--as", "Sato"]);
    assert!(
        desk.refused(&["checksheet", "sign", "c.yaml", "--as", "SATO"]).contains("another person")
    );
    assert_eq!(score("c.yaml")["sign_off"]["state"], "once");
    desk.text(&["checksheet", "sign", "c.yaml", "--as", "Suzuki"]);
    assert_eq!(score("c.yaml")["sign_off"]["state"], "signed");
    let signed = fs::read_to_string(path("c.yaml")).unwrap();
    fs::write(path("c.yaml"), signed.replacen("\"met\"", "\"not-met\"", 1)).unwrap();
    assert_eq!(score("c.yaml")["sign_off"]["state"], "changed");
}

#[test]
fn a_broken_diagnosis_is_refused_with_line_and_hint() {
    let desk = Desk::new();
    let head = "tegata: diagnosis/1\nproduct: Meter\nsubject: '1'\non: 2020-01-02\nanswers:\n";
    fs::write(desk.0.path().join("d.yaml"), format!("{head}  DEV-SWD-99: {{answer: met}}\n"))
        .unwrap();
    let error = desk.refused(&["checksheet", "score", "d.yaml"]);
    assert!(
        error.contains("d.yaml:6: no item \"DEV-SWD-99\"") && error.contains("hint:"),
        "{error}"
    );
    fs::write(desk.0.path().join("e.yaml"), [0xff, 0xfe]).unwrap();
    assert!(desk.refused(&["checksheet", "gaps", "e.yaml"]).contains("UTF-8"));
    assert!(desk.refused(&["checksheet", "gaps", "none.yaml"]).contains("cannot read"));
}

/// Tegata by its own check sheet: the page is what the command makes of the answers, and every test that
/// the answers name exists.
#[test]
fn the_page_of_our_own_diagnosis_is_up_to_date_and_names_what_exists() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let answers = root.join("docs/self-assessment/answers.yaml");
    let desk = Desk::new();
    let made = desk.text(&["checksheet", "page", answers.to_str().unwrap(), "--at", "2026-11-21"]);
    let kept = fs::read_to_string(root.join("docs/self-assessment.md")).unwrap();
    assert_eq!(
        made, kept,
        "run `tegata checksheet page docs/self-assessment/answers.yaml --at 2026-11-21 > \
         docs/self-assessment.md`"
    );
    let text = fs::read_to_string(&answers).unwrap();
    let mut named = 0;
    for rest in text.split("what: \"").skip(1) {
        let what = rest.split('"').next().unwrap();
        let path = what.split([':', ' ']).next().unwrap();
        let file = fs::read_to_string(root.join(path));
        let file = file.unwrap_or_else(|_| panic!("{path} is named and is not there"));
        if let Some((_, test)) = what.split_once("::") {
            assert!(file.contains(&format!("fn {test}(")), "there is no test {what}");
        }
        named += 1;
    }
    assert!(named > 40);
    // What stands as met has evidence: nothing is only claimed.
    let claimed =
        desk.lines(&["checksheet", "score", answers.to_str().unwrap(), "--at", "2026-11-21"]);
    assert_eq!(claimed[0]["total"]["claimed_percent"], 0);
}
