//! OSV, CSAF and KEV: any bytes are an error or advisories that are found by their own keys and
//! can be judged.
#![no_main]

use advisory::{Advisory, AdvisoryIndex, Judge, KnownExploited, Sbom};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SBOM: LazyLock<Sbom> = LazyLock::new(|| {
    Sbom::parse(
        br#"{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
        {"type": "library", "name": "a", "purl": "pkg:cargo/a@1.0.0"},
        {"type": "library", "name": "a", "purl": "pkg:npm/a@1.0.0-rc.1"},
        {"type": "library", "name": "a", "purl": "pkg:maven/a/a@1.0-rc1"},
        {"type": "library", "name": "a", "purl": "pkg:deb/debian/a@1:1.0-1?distro=debian-12"},
        {"type": "library", "name": "a", "purl": "pkg:rpm/redhat/a@1.0-1.el9?epoch=1"},
        {"type": "library", "name": "a", "cpe": "cpe:2.3:*:*:a:1.0:*:*:*:*:*:*:*"}]}"#,
    )
    .expect("a good SBOM")
});

fuzz_target!(|bytes: &[u8]| {
    let _ = KnownExploited::parse(bytes);
    let Ok(advisories) = Advisory::parse(bytes) else { return };
    let judge = Judge::of(&SBOM);
    let mut index = AdvisoryIndex::new();
    for advisory in advisories {
        for component in &SBOM.components {
            if let Some(judgement) = judge.judge(&advisory, component) {
                assert!(!judgement.reasons.is_empty(), "a judgement without a reason");
            }
        }
        assert!(!advisory.ids().is_empty());
        index.insert(advisory);
    }
    for component in &SBOM.components {
        for advisory in index.candidates(component) {
            assert!(!advisory.keys().is_empty());
        }
    }
});
