//! Test results, provenance and release statements: any bytes are an error or add up.
#![no_main]

use advisory::{Provenance, SUBJECTS_MAX, TestReport};
use libfuzzer_sys::fuzz_target;
use update::ReleaseStatement;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(report) = TestReport::parse(bytes) {
        assert_eq!(report.has_failed(), report.failures > 0 || report.errors > 0);
        assert!(report.failed.is_empty() || report.has_failed());
        assert!(report.failed.iter().all(|name| !name.chars().any(char::is_control)));
    }
    if let Ok(provenance) = Provenance::parse(bytes) {
        let subjects = provenance.subjects().count();
        assert!((1..=SUBJECTS_MAX).contains(&subjects));
        assert!(provenance.subjects().all(|(_, digest)| provenance.is_about(digest)));
    }
    if let Ok(statement) = ReleaseStatement::parse(bytes) {
        assert_eq!(statement.to_bytes().expect("it was read"), bytes);
    }
});
