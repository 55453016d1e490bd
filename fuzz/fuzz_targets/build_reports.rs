//! What builds hand in as evidence: any bytes are an error or figures that add up; and the policy of
//! the pipeline's gate, which closes where nothing was handed in.
#![no_main]

use advisory::{CodeCoverage, ScanReport};
use assessment::{Day, DiagnosisStatement, GateFacts, GatePolicy, Library, is_open};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static LIBRARY: LazyLock<Library> =
    LazyLock::new(|| Library::embedded().expect("the tests have seen these files"));

fuzz_target!(|bytes: &[u8]| {
    if let Ok(report) = CodeCoverage::parse(bytes) {
        assert!(report.lines_reached <= report.lines);
        assert!(report.branches_reached <= report.branches);
    }
    if let Ok(report) = ScanReport::parse(bytes) {
        assert!(!report.tools.is_empty());
    }
    if let Ok(statement) = DiagnosisStatement::parse(bytes) {
        assert_eq!(statement.to_bytes(), bytes);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(policy) = GatePolicy::parse("gate.yaml", text, &LIBRARY) else { return };
    let today = Day::parse("2026-11-21").expect("it is a day");
    assert!(!is_open(&policy.judge(&LIBRARY, &GateFacts::default(), today)));
});
