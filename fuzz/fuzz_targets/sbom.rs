//! SBOMs of every form: any bytes are an error or a bill whose places all exist, and a check of it
//! ends.
#![no_main]

use advisory::{Advisory, AdvisoryIndex, CheckContext, KnownExploited, Origin, Sbom, StatementSet};
use crypto::UnixTime;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static INDEX: LazyLock<AdvisoryIndex> = LazyLock::new(|| {
    let mut index = AdvisoryIndex::new();
    let records = br#"[{"id": "CVE-1", "affected": [{"package": {"ecosystem": "crates.io", "name": "a"},
        "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.0.0"}]}]}]},
        {"id": "CVE-2", "affected": [{"package": {"ecosystem": "Debian:12", "name": "a"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.0-1"}]}]}]}]"#;
    for advisory in Advisory::parse(records).expect("good records") {
        index.insert(advisory);
    }
    index
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(sbom) = Sbom::parse(bytes) else { return };
    let count = sbom.components.len();
    assert!(sbom.subject.is_none_or(|at| at < count));
    assert!(sbom.components.iter().all(|component| component.parent.is_none_or(|at| at < count)));
    for (from, on) in &sbom.dependencies {
        assert!(*from < count && on.iter().all(|on| *on < count));
    }
    let (exploited, statements) = (KnownExploited::default(), StatementSet::new());
    let context = CheckContext {
        exploited: &exploited,
        statements: &statements,
        embedded: Origin::Supplier,
        now: UnixTime(1_795_000_000),
    };
    let report = advisory::check(&sbom, &INDEX, &context);
    assert!(report.findings.iter().all(|finding| !finding.reasons.is_empty()));
});
