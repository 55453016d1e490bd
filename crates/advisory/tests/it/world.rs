//! What the tests share.

use advisory::{
    Advisory, AdvisoryIndex, CheckContext, KnownExploited, Origin, Report, Sbom, StatementSet,
    check,
};
use crypto::UnixTime;
use serde_json::{Value, json};

pub(crate) const NOW: UnixTime = UnixTime(1_795_000_000);

pub(crate) fn sbom(value: &Value) -> Sbom {
    Sbom::parse(value.to_string().as_bytes()).unwrap()
}

/// A CycloneDX document of components given as package URLs.
pub(crate) fn of_purls(purls: &[&str]) -> Sbom {
    let components: Vec<Value> = purls
        .iter()
        .map(|purl| json!({"type": "library", "name": "component", "bom-ref": purl, "purl": purl}))
        .collect();
    sbom(&json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components}))
}

pub(crate) fn index(records: &[Value]) -> AdvisoryIndex {
    let mut index = AdvisoryIndex::new();
    for record in records {
        for advisory in Advisory::parse(record.to_string().as_bytes()).unwrap() {
            index.insert(advisory);
        }
    }
    index
}

/// An OSV record with one package and the events of one range.
pub(crate) fn osv(id: &str, ecosystem: &str, name: &str, events: &[(&str, &str)]) -> Value {
    let kind = match ecosystem {
        "npm" | "crates.io" | "Go" => "SEMVER",
        _ => "ECOSYSTEM",
    };
    let events: Vec<Value> = events.iter().map(|(key, version)| json!({*key: version})).collect();
    json!({
        "schema_version": "1.7.0",
        "id": id,
        "modified": "2026-01-01T00:00:00Z",
        "affected": [{
            "package": {"ecosystem": ecosystem, "name": name},
            "ranges": [{"type": kind, "events": events}],
        }],
    })
}

pub(crate) fn report(sbom: &Sbom, index: &AdvisoryIndex) -> Report {
    report_with(sbom, index, &KnownExploited::default(), &StatementSet::new())
}

pub(crate) fn report_with(
    sbom: &Sbom,
    index: &AdvisoryIndex,
    exploited: &KnownExploited,
    statements: &StatementSet,
) -> Report {
    check(
        sbom,
        index,
        &CheckContext { exploited, statements, embedded: Origin::Supplier, now: NOW },
    )
}

/// `id verdict first-reason` of each finding.
pub(crate) fn found(report: &Report) -> Vec<String> {
    let line = |finding: &advisory::Finding| {
        let code = finding.reasons.first().map_or("?", |(_, reason)| reason.code.name());
        format!("{} {} {code}", finding.id, finding.verdict.name())
    };
    report.findings.iter().map(line).collect()
}
