//! `tegata gate` as a pipeline calls it, on files and against a server, and `tegata threat` with a
//! server: exit codes, forms of output, what is refused.

use crate::second_person::{Server, run, text};
use serde_json::Value;
use std::{fs, path::Path, process::Output};

/// What `gate` says: its exit code and what it printed.
fn said(output: &Output) -> (i32, String, String) {
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn gate(dir: &Path, rest: &str) -> (i32, String, String) {
    said(&run(dir, None, &format!("gate --policy policy.yaml --at 2026-11-21 {rest}")))
}

const JUNIT: &str = "<testsuites><testsuite name=\"a\" tests=\"2\"><testcase name=\"x\"/><testcase name=\"y\"/></testsuite></testsuites>";
const BROKEN: &str = "<testsuites><testsuite name=\"a\" tests=\"2\" failures=\"1\"><testcase name=\"x\"/>\
     <testcase name=\"y\"><failure message=\"no\"/></testcase></testsuite></testsuites>";

fn diagnosis(answer: &str) -> String {
    format!(
        "tegata: diagnosis/1\nproduct: maker/gate\nsubject: \"1.0\"\non: 2026-11-01\nanswers:\n  \
         DEV-SWD-02:\n    answer: {answer}\n    evidence: [{{what: report, on: 2026-10-01, until: \
         2026-12-31}}]\n"
    )
}

#[test]
fn the_gate_answers_a_pipeline_with_its_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let write = |name: &str, text: &str| fs::write(dir.join(name), text).unwrap();
    write("policy.yaml", "tegata: gate/1\nitems: {also: [DEV-SWD-02]}\ntests: {least: 2}\n");
    write("good.xml", JUNIT);
    write("bad.xml", BROKEN);
    write("met.yaml", &diagnosis("met"));
    write("not-met.yaml", &diagnosis("not-met"));

    // 0: open.
    let (code, out, wrong) = gate(dir, "--diagnosis met.yaml --tests good.xml");
    assert_eq!((code, wrong.as_str()), (0, ""), "{out}");
    assert!(out.contains("open: 2/2 (2026-11-21)"), "{out}");
    // 2: closed, with what stands in the way; what nobody handed in is no pass.
    let (code, out, _) = gate(dir, "--diagnosis met.yaml");
    assert_eq!(code, 2);
    assert!(out.contains("tests") && out.contains("closed: 1/2"), "{out}");
    let (code, out, _) = gate(dir, "--diagnosis not-met.yaml --tests bad.xml");
    assert_eq!(code, 2);
    assert!(out.contains("item/DEV-SWD-02") && out.contains("closed: 0/2"), "{out}");
    let (code, out, _) = gate(dir, "--diagnosis met.yaml --tests bad.xml --language ja");
    assert_eq!(code, 2);
    assert!(out.contains("不通過: 1/2"), "{out}");
    // One bad report among good ones closes it.
    let (code, ..) = gate(dir, "--diagnosis met.yaml --tests good.xml --tests bad.xml");
    assert_eq!(code, 2);
    // Evidence that has run out verifies nothing.
    let late = "gate --policy policy.yaml --at 2027-01-01 --diagnosis met.yaml --tests good.xml";
    assert_eq!(run(dir, None, late).status.code(), Some(2));

    // The same as JSON, and as SARIF with a result for each demand that is not met.
    let (code, out, _) = gate(dir, "--diagnosis met.yaml --tests bad.xml --json");
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["open"], &json["as_of"]), (2, &false.into(), &"2026-11-21".into()));
    let states: Vec<&str> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["pass", "fail"]);
    assert!(!json["findings"][1]["text"]["ja"].as_str().unwrap().is_ascii());
    let (code, out, _) = gate(dir, "--diagnosis met.yaml --tests bad.xml --format sarif");
    let sarif: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &sarif["version"]), (2, &"2.1.0".into()));
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let failed: Vec<&str> = results
        .iter()
        .filter(|one| one["kind"] != "pass")
        .map(|one| one["ruleId"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["tests"]);

    // 1: the question itself is wrong, and the answer says where. Never 0, never 2.
    for (policy, wanted) in [
        ("tegata: gate/2\ntests: {least: 1}\n", "gate/1"),
        ("tegata: gate/1\n", "nothing"),
        ("tegata: gate/1\nitems: {weight: 6}\n", "1 to 5"),
        ("tegata: gate/1\nitems: {also: [DEV-XXX-99]}\n", "DEV-XXX-99"),
        ("tegata: gate/1\nsigend: true\n", "sigend"),
        ("tegata: gate/1\ntests: [\n", "policy.yaml:"),
        ("", "policy.yaml"),
    ] {
        write("policy.yaml", policy);
        let (code, out, wrong) = gate(dir, "--diagnosis met.yaml --tests good.xml");
        assert_eq!((code, out.as_str()), (1, ""), "{policy:?}: {wrong}");
        assert!(wrong.contains(wanted), "{policy:?}: {wrong}");
    }
    write("policy.yaml", "tegata: gate/1\ntests: {least: 2}\n");
    for (arguments, wanted) in [
        ("--tests missing.xml", "missing.xml"),
        ("--tests met.yaml", "met.yaml"),
        ("--diagnosis good.xml --tests good.xml", "good.xml"),
    ] {
        let (code, _, wrong) = gate(dir, arguments);
        assert_eq!(code, 1, "{arguments}: {wrong}");
        assert!(wrong.contains(wanted), "{arguments}: {wrong}");
    }
}

const MODEL: &str = "tegata: threat-model/1
name: Gate
category: [consumer]
elements:
  - {id: gate, title: Gate, kind: device, identity: per-class, traits: [updatable], measures: [unique-keys]}
";

#[test]
fn a_product_is_modelled_diagnosed_and_gated_on_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let write = |name: &str, text: &str| fs::write(dir.join(name), text).unwrap();
    write("pass", "correct horse battery staple\n");
    let made = run(dir, None, "init --dir data --root root --root-passphrase-file pass");
    assert!(made.status.success(), "{}", text(&made.stderr));
    let server = Server::start(dir, None);
    let admin = |command: &str| server.run(dir, "admin.pem", command);
    let maker = |command: &str| server.run(dir, "maker.pem", command);
    admin("org create maker --name Maker --role maker");
    admin("org add-member maker --name aki --role administrator --role operator --out maker.pem");
    maker("org add-member maker --name eyes --role reader --out reader.pem");
    maker("product create maker gate --name Gate --model G --root-of-trust software");

    // The model: looked at, kept, changed, read again as it was handed in.
    write("model.yaml", MODEL);
    write("wrong.yaml", "tegata: threat-model/1\nname: X\nelements: [{id: A}]\n");
    assert!(server.refused(dir, "maker.pem", "threat get maker gate").contains("threat model"));
    let shown = maker("threat put maker gate model.yaml --preview");
    assert_eq!((&shown[0]["applied"], &shown[0]["version"]), (&false.into(), &0.into()));
    let kept = maker("threat put maker gate model.yaml --note first");
    assert_eq!((&kept[0]["applied"], &kept[0]["version"]), (&true.into(), &1.into()));
    assert_eq!(kept[0]["appeared"], shown[0]["appeared"]);
    let wrong = server.refused(dir, "maker.pem", "threat put maker gate wrong.yaml");
    assert!(wrong.contains("model:3:"), "{wrong}");
    let late = server.refused(dir, "maker.pem", "threat put maker gate wrong.yaml --after 0");
    assert!(late.contains("model:3:") || late.contains("version"), "{late}");
    let refused = server.refused(dir, "reader.pem", "threat put maker gate model.yaml");
    assert!(refused.contains("role"), "{refused}");
    let file = server.try_run(dir, "reader.pem", "threat get maker gate");
    assert_eq!(text(&file.stdout), MODEL);
    assert_eq!(maker("threat history maker gate").len(), 1);
    // The server and the command line see the same threats in the same file.
    let there = maker("threat product maker gate --all");
    let here = run(dir, None, "threat list model.yaml --all --json");
    let here: Vec<Value> =
        text(&here.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids = |all: &[Value]| all.iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&there), ids(&here));
    let id = there.iter().find(|one| one["rule"] == "update-rollback").unwrap()["id"].clone();
    let id = id.as_str().unwrap();
    let decided = maker(&format!("threat decide maker gate {id} dismissed --reason sealed"));
    assert_eq!(decided[0]["verdict"], "dismissed");
    let refused = server.refused(
        dir,
        "maker.pem",
        &format!("threat decide maker gate {id} accepted --reason endless"),
    );
    assert!(refused.contains("until"), "{refused}");
    maker(&format!("threat decide maker gate {id} taken-back --reason wrong"));
    assert_eq!(maker("threat decisions maker gate").len(), 2);

    // The trace: nothing is shown without a diagnosis, and every missing link is named.
    let trace = maker("threat trace maker gate");
    assert!(trace[0]["verdicts"].as_array().unwrap().iter().all(|one| one["verdict"] != "shown"));
    let gaps = maker("threat trace maker gate --gaps");
    assert!(gaps.iter().any(|gap| gap["kind"] == "not-answered"));
    let drawn = server.try_run(dir, "maker.pem", &format!("threat trace maker gate --draw {id}"));
    assert!(text(&drawn.stdout).starts_with("<svg "));
    let table = server.try_run(dir, "maker.pem", "threat trace maker gate --language ja");
    assert!(text(&table.stdout).contains("欠けているつながり"));

    // The gate takes from the server what no file is given for.
    write(
        "policy.yaml",
        "tegata: gate/1\nitems: {also: [DEV-MSP-01]}\ntests: {least: 2}\nsigned: false\n",
    );
    write("good.xml", JUNIT);
    let ask = |rest: &str| {
        let command = format!("gate --policy policy.yaml --product maker/gate{rest}");
        said(&server.try_run(dir, "maker.pem", &command))
    };
    let (code, out, _) = ask("");
    assert_eq!(code, 2, "there is no diagnosis: {out}");
    let opened = maker("diagnosis open maker --product gate --subject 1.0");
    let of = opened[0]["id"].as_str().unwrap().to_owned();
    maker(&format!("diagnosis answer {of} DEV-MSP-01 --as met --evidence report --on 2026-01-01"));
    let (code, out, _) = ask("");
    assert_eq!(code, 2, "nobody handed tests in: {out}");
    maker("operation add maker gate tests good.xml --subject 0.9");
    let (code, out, _) = ask("");
    assert_eq!(code, 2, "those are the tests of another version: {out}");
    maker("operation add maker gate tests good.xml --subject 1.0");
    let (code, out, _) = ask("");
    assert_eq!(code, 0, "{out}");
    let (code, out, _) = ask(" --json");
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["open"]), (0, &true.into()));
    // A product that is not there, or not ours, opens no gate.
    for product in ["maker/nothing", "other/gate", "gate"] {
        let command = format!("gate --policy policy.yaml --product {product}");
        let (code, _, wrong) = said(&server.try_run(dir, "maker.pem", &command));
        assert_eq!(code, 1, "{product}: {wrong}");
    }
    // A server that is away opens none, either.
    drop(server);
    let gone = run(dir, Some((1, "maker.pem")), "gate --policy policy.yaml --product maker/gate");
    assert_eq!(gone.status.code(), Some(1));
}
