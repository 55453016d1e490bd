//! CSAF advisories: the tree, statuses, platforms, what cannot be matched.

use crate::world::{found, index, of_purls, report, sbom};
use advisory::{Advisory, AdvisoryError, AdvisoryFormat};
use serde_json::{Value, json};

fn document(tree: Value, vulnerabilities: Value) -> Value {
    json!({
        "document": {"category": "csaf_security_advisory", "csaf_version": "2.0", "title": "A title",
            "publisher": {"category": "vendor", "name": "V", "namespace": "https://v.example"},
            "tracking": {"id": "V-2026-1", "status": "final", "version": "1",
                "initial_release_date": "2026-01-01T00:00:00Z", "current_release_date": "2026-01-02T00:00:00Z",
                "revision_history": []}},
        "product_tree": tree,
        "vulnerabilities": vulnerabilities,
    })
}

fn parse(value: &Value) -> Vec<Advisory> {
    Advisory::parse(value.to_string().as_bytes()).unwrap()
}

fn product(id: &str, purl: &str) -> Value {
    json!({"name": id, "product_id": id, "product_identification_helper": {"purl": purl}})
}

#[test]
fn a_document_is_one_advisory_per_vulnerability() {
    let all = parse(&document(
        json!({"full_product_names": [product("A", "pkg:cargo/a@1.0.0"), {"name": "bare", "product_id": "B"}]}),
        json!([
            {"cve": "CVE-2026-1", "title": "one", "ids": [{"system_name": "x", "text": "12345"},
                {"system_name": "GitHub", "text": "GHSA-aaaa-bbbb-cccc"}],
             "product_status": {"known_affected": ["A", "B", "C"]},
             "scores": [{"products": ["A"], "cvss_v3": {"vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}}],
             "remediations": [{"category": "vendor_fix", "details": "take 1.0.1", "product_ids": ["A"]},
                {"category": "mitigation", "details": "unplug", "product_ids": ["A"]}]},
            {"product_status": {"known_affected": ["A"]}},
        ]),
    ));
    assert_eq!(all.len(), 2);
    let first = &all[0];
    assert_eq!(first.format, AdvisoryFormat::Csaf);
    assert_eq!((first.id.as_str(), first.document.as_deref()), ("CVE-2026-1", Some("V-2026-1")));
    // A bug's bare number is no id: it would join what is not one.
    assert_eq!(first.aliases.len(), 1);
    assert_eq!(first.affected.len(), 1);
    assert_eq!(first.affected[0].remedy.as_deref(), Some("take 1.0.1"));
    assert_eq!(first.affected[0].scores[0].tenths, 98);
    let kinds: Vec<&str> = first.remarks.list().iter().map(|remark| remark.kind.name()).collect();
    assert_eq!(kinds, ["not-used", "dangling"]);
    assert_eq!(all[1].id.as_str(), "V-2026-1#1");
}

#[test]
fn ranges_of_branches() {
    let check = |category: &str, name: &str, purl: &str, version: &str, expected: Option<&str>| {
        let tree = json!({"branches": [{"category": "vendor", "name": "V", "branches": [
            {"category": "product_name", "name": "a", "branches": [
                {"category": category, "name": name, "product": product("A", purl)}]}]}]});
        let value =
            document(tree, json!([{"cve": "CVE-1", "product_status": {"known_affected": ["A"]}}]));
        let report = report(&of_purls(&[&format!("pkg:npm/a@{version}")]), &index(&[value]));
        assert_eq!(found(&report).first().map(String::as_str), expected, "{name} {version}");
    };
    let range = Some("CVE-1 affected version-in-range");
    check("product_version_range", "vers:npm/>=1.0.0|<2.0.0", "pkg:npm/a", "1.5.0", range);
    check("product_version_range", "vers:npm/>=1.0.0|<2.0.0", "pkg:npm/a", "2.0.0", None);
    check("product_version_range", "< 2.0.0", "pkg:npm/a", "1.5.0", range);
    check("product_version_range", "<= 2.0.0", "pkg:npm/a", "2.0.1", None);
    check(
        "product_version_range",
        "vers:all/*",
        "pkg:npm/a",
        "9.0.0",
        Some("CVE-1 affected every-version"),
    );
    check(
        "product_version_range",
        "all before two",
        "pkg:npm/a",
        "9.0.0",
        Some("CVE-1 undecided range-not-readable"),
    );
    check("product_version_range", "vers:strange/<2", "pkg:npm/a", "1.0.0", range);
    check("product_version", "1.0.0", "pkg:npm/a", "1.0.0", Some("CVE-1 affected version-listed"));
    check("product_version", "1.0.0", "pkg:npm/a", "1.0.1", None);
    check(
        "product_version",
        "x",
        "pkg:npm/a@3.0.0",
        "3.0.0",
        Some("CVE-1 affected version-listed"),
    );
}

#[test]
fn statuses_and_their_ends() {
    let check = |status: Value, version: &str, expected: Option<&str>| {
        let versions = ["1.0.0", "1.5.0", "2.0.0", "3.0.0"];
        let mut products: Vec<Value> = versions
            .iter()
            .map(|version| product(version, &format!("pkg:npm/a@{version}")))
            .collect();
        products.push(product("all", "pkg:npm/a"));
        let value = document(
            json!({"full_product_names": products}),
            json!([{"cve": "CVE-1", "product_status": status}]),
        );
        let report = report(
            &of_purls(&[&format!("pkg:npm/a@{version}")]),
            &index(std::slice::from_ref(&value)),
        );
        assert_eq!(found(&report).first().map(String::as_str), expected, "{status} {version}");
    };
    let range = Some("CVE-1 affected version-in-range");
    let ends = json!({"first_affected": ["1.0.0"], "last_affected": ["2.0.0"]});
    check(ends.clone(), "0.9.0", None);
    check(ends.clone(), "1.7.0", range);
    check(ends.clone(), "2.0.0", range);
    check(ends, "2.0.1", None);
    // One end alone leaves the other open.
    check(json!({"last_affected": ["2.0.0"]}), "0.1.0", range);
    check(json!({"first_affected": ["2.0.0"]}), "9.0.0", range);
    check(
        json!({"under_investigation": ["1.0.0"]}),
        "1.0.0",
        Some("CVE-1 undecided under-investigation"),
    );
    check(json!({"known_affected": ["all"]}), "1.7.0", Some("CVE-1 affected every-version"));
    // The version itself, said to be fixed or safe, outranks "all".
    check(json!({"known_affected": ["all"], "fixed": ["2.0.0"]}), "2.0.0", None);
    check(json!({"known_affected": ["all"], "known_not_affected": ["2.0.0"]}), "2.0.0", None);
    check(
        json!({"known_affected": ["all"], "fixed": ["2.0.0"]}),
        "1.7.0",
        Some("CVE-1 affected every-version"),
    );
    // But not the version itself, said to be affected.
    check(
        json!({"known_affected": ["2.0.0"], "fixed": ["2.0.0"]}),
        "2.0.0",
        Some("CVE-1 affected version-listed"),
    );
    // Only fixes are named.
    check(json!({"fixed": ["2.0.0"]}), "1.7.0", Some("CVE-1 undecided older-than-fix"));
    check(json!({"fixed": ["2.0.0"]}), "2.0.0", None);
    check(json!({"fixed": ["1.5.0", "3.0.0"]}), "2.0.0", Some("CVE-1 undecided older-than-fix"));
    check(json!({"fixed": ["1.5.0", "2.0.0"]}), "3.0.0", None);
    check(json!({"known_not_affected": ["2.0.0"]}), "1.7.0", None);
    check(json!({"recommended": ["2.0.0"]}), "1.7.0", None);
}

#[test]
fn a_platform_counts() {
    let value = document(
        json!({
            "full_product_names": [
                {"name": "Linux 9", "product_id": "L9", "product_identification_helper": {"cpe": "cpe:/o:redhat:enterprise_linux:9::baseos"}},
                product("ssl", "pkg:rpm/redhat/openssl"),
            ],
            "relationships": [{"category": "default_component_of", "product_reference": "ssl",
                "relates_to_product_reference": "L9", "full_product_name": {"name": "openssl on Linux 9", "product_id": "L9:ssl"}}],
        }),
        json!([{"cve": "CVE-1", "product_status": {"known_affected": ["L9:ssl"]}}]),
    );
    let index = index(&[value]);
    let check = |purl: &str, expected: &[&str]| {
        assert_eq!(found(&report(&of_purls(&[purl]), &index)), expected, "{purl}");
    };
    check("pkg:rpm/redhat/openssl@3.0.7-1.el9?distro=rhel-9.2", &["CVE-1 affected every-version"]);
    check("pkg:rpm/redhat/openssl@1.1.1k-1.el8?distro=rhel-8.9", &[]);
    // The only entry: where it is not said which platform it is, it is this one.
    check("pkg:rpm/redhat/openssl@3.0.7-1.el9", &["CVE-1 affected every-version"]);
    let by_cpe = sbom(&json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
        {"type": "operating-system", "name": "rhel", "version": "8.9", "cpe": "cpe:2.3:o:redhat:enterprise_linux:8:*:baseos:*:*:*:*:*"},
        {"type": "library", "name": "openssl", "purl": "pkg:rpm/redhat/openssl@1.1.1k-1.el8"}]}));
    assert_eq!(found(&report(&by_cpe, &index)), Vec::<String>::new());
}

#[test]
fn metrics_of_csaf_2_1_and_withdrawn_documents() {
    let mut value = document(
        json!({"full_product_names": [{"name": "A", "product_id": "A",
            "product_identification_helper": {"purls": ["pkg:cargo/a@1.0.0", "pkg:npm/a@1.0.0"]}}]}),
        json!([{"cve": "CVE-1", "product_status": {"known_affected": ["A"]},
            "metrics": [{"products": ["A"], "content": {"cvss_v4":
                {"vectorString": "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H"}}}]}]),
    );
    value["document"]["csaf_version"] = json!("2.1");
    let report_of = report(&of_purls(&["pkg:npm/a@1.0.0"]), &index(std::slice::from_ref(&value)));
    assert_eq!(report_of.findings[0].score.as_ref().map(|score| score.tenths), Some(100));
    value["document"]["category"] = json!("csaf_withdrawn");
    assert!(
        report(&of_purls(&["pkg:npm/a@1.0.0"]), &index(std::slice::from_ref(&value)))
            .findings
            .is_empty()
    );
    value["document"]["csaf_version"] = json!("3.0");
    let error = Advisory::parse(value.to_string().as_bytes()).unwrap_err();
    assert!(matches!(error, AdvisoryError::Unsupported(_)), "{error}");
    assert!(Advisory::parse(b"{\"document\":{\"csaf_version\":\"2.0\"}}").is_err());
}
