//! The main job: the whole demo through the binary.

use serde_json::Value;
use std::process::Command;

/// Every reason that the product promises to tell apart, by its code.
const PROMISED: [&str; 16] = [
    "genuine",
    "unknown-maker",
    "no-possession",
    "key-copied",
    "expired",
    "revoked",
    "suspended",
    "wrong-owner",
    "part-duplicated",
    "illegal-state",
    "retired-reappeared",
    "disposed-reappeared",
    "history-altered",
    "stale-evidence",
    "weak-root-of-trust",
    "clock-untrusted",
];

/// The others that the attackers provoke.
const ALSO: [&str; 6] = [
    "history-incomplete",
    "history-foreign",
    "replayed",
    "statement-untrusted",
    "log-unverified",
    "witnesses-missing",
];

#[test]
fn a_fleet_and_its_attackers_are_judged_right() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tegata"))
        .args(["--json", "demo", "--devices", "12", "--dir"])
        .arg(dir.path().join("demo"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "one object on one line: {text}");
    let summary: Value = serde_json::from_str(&text).unwrap();

    let mut keys: Vec<_> = summary.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let mut expected = [
        "devices",
        "judged_right",
        "judged_wrong",
        "reasons",
        "ledger",
        "updates",
        "assessment",
        "seconds",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    let number = |value: &Value| value.as_u64().unwrap();
    assert_eq!(number(&summary["judged_wrong"]), 0, "{errors}");
    assert_eq!(summary["judged_right"], summary["devices"]);
    assert!(number(&summary["devices"]) >= 12);
    let reasons = &summary["reasons"];
    for code in PROMISED.iter().chain(&ALSO) {
        assert!(reasons.get(code).is_some_and(|count| number(count) > 0), "{code}: {reasons}");
    }
    // Nine at work, one retired and one disposed of among the first twelve; more among the cast.
    assert!(number(&reasons["genuine"]) >= 9, "{reasons}");
    let root = summary["ledger"]["root"].as_str().unwrap();
    assert!(root.len() == 64 && root.bytes().all(|byte| byte.is_ascii_hexdigit()), "{root}");
    assert!(number(&summary["ledger"]["entries"]) > 12 * 9);
    updates_are_shown(&summary["updates"]);
    let assessment = &summary["assessment"];
    assert_eq!(assessment["checks"], assessment["checks_held"], "{errors}");
    assert!(number(&assessment["checks"]) >= 9, "{assessment}");
    for counted in ["threats", "shown", "missing_links", "live_failures"] {
        assert!(number(&assessment[counted]) > 0, "{counted}: {assessment}");
    }
    assert_eq!(number(&assessment["live_checks"]), 13);
    assert_eq!(number(&assessment["impact_assessments"]), 3);
    let seconds = summary["seconds"].as_object().unwrap();
    assert!(seconds.len() > 5 && seconds.values().all(Value::is_f64), "{seconds:?}");

    the_passports_are_worth_something_elsewhere(&dir.path().join("demo"));
}

/// What mirrors and others may try, by the code that devices refuse it with.
const REFUSED: [&str; 9] = [
    "wrong-software",
    "endless-data",
    "altered-metadata",
    "wrong-keys",
    "mix-and-match",
    "missing-metadata",
    "rollback",
    "freeze",
    "expired",
];

/// A good release everywhere, a bad one nowhere, and every lie under its own name.
fn updates_are_shown(updates: &Value) {
    assert_eq!(updates["checks"], updates["checks_held"], "{updates}");
    let [good, bad] = updates["campaigns"].as_array().unwrap().as_slice() else {
        panic!("two campaigns: {updates}");
    };
    let number = |campaign: &Value, field: &str| campaign[field].as_u64().unwrap();
    assert_eq!((&good["state"], &bad["state"]), (&"finished".into(), &"rolled-back".into()));
    assert_eq!(number(good, "succeeded"), number(good, "members"), "{good}");
    assert_eq!(number(bad, "members"), number(good, "members"));
    assert_eq!(number(bad, "succeeded"), 0, "nobody is left with the bad release: {bad}");
    assert_eq!(number(bad, "rolled_back"), 1);
    assert!(number(bad, "failed") > 0 && number(bad, "waiting") > 0, "{bad}");
    for code in REFUSED {
        assert!(
            updates["refused"][code].as_u64().is_some_and(|count| count > 0),
            "{code}: {updates}"
        );
    }
    assert!(updates["refused"]["security-rollback"].as_u64().is_some_and(|count| count == 2));
}

/// What the demo left behind is judged again by the command that anybody would use.
fn the_passports_are_worth_something_elsewhere(dir: &std::path::Path) {
    let mut codes = std::collections::BTreeMap::<i32, usize>::new();
    for file in std::fs::read_dir(dir.join("passports")).unwrap() {
        let status = Command::new(env!("CARGO_BIN_EXE_tegata"))
            .args(["--json", "verify", "--trust"])
            .arg(dir.join("trust.json"))
            .arg(file.unwrap().path())
            .output()
            .unwrap()
            .status;
        *codes.entry(status.code().unwrap()).or_default() += 1;
    }
    // 0 genuine, 2 suspect, 3 rejected: the fleet and the cast have all of them, and nothing else.
    assert_eq!(codes.keys().copied().collect::<Vec<_>>(), [0, 2, 3], "{codes:?}");
    assert!(codes[&0] >= 9, "{codes:?}");
    use std::os::unix::fs::PermissionsExt as _;
    for file in std::fs::read_dir(dir.join("credentials")).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is not private", file.path().display());
    }
}
