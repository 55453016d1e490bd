//! Documents by accident and by intent: no bytes panic, and damage is told.

use crate::world::{found, index, of_purls, osv, report};
use advisory::{Advisory, Cpe, KnownExploited, Purl, Sbom, Score, Vers, VexDocument};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

/// JSON in which the words of all forms stand in any places.
fn value() -> impl Strategy<Value = Value> {
    let word = select(vec![
        "CycloneDX",
        "1.6",
        "SPDX-2.3",
        "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
        "https://openvex.dev/ns/v0.2.0",
        "2.0",
        "pkg:cargo/a@1.0.0",
        "cpe:2.3:a:a:b:1:*:*:*:*:*:*:*",
        "a",
        "software_Package",
        "security_VexFixedVulnAssessmentRelationship",
        "CVE-1",
        "vers:npm/<1|>2",
        "fixed",
        "not_affected",
        "SEMVER",
        "GIT",
        "0",
        "1.0.0",
        "npm",
        "SPDXRef-DOCUMENT",
        "DESCRIBES",
        "contains",
        "",
    ]);
    let key = select(vec![
        "bomFormat",
        "specVersion",
        "components",
        "metadata",
        "component",
        "name",
        "purl",
        "cpe",
        "bom-ref",
        "dependencies",
        "ref",
        "dependsOn",
        "vulnerabilities",
        "id",
        "analysis",
        "state",
        "affects",
        "versions",
        "range",
        "status",
        "spdxVersion",
        "packages",
        "externalRefs",
        "referenceType",
        "referenceLocator",
        "relationships",
        "spdxElementId",
        "relatedSpdxElement",
        "relationshipType",
        "@context",
        "@graph",
        "type",
        "spdxId",
        "from",
        "to",
        "affected",
        "package",
        "ecosystem",
        "ranges",
        "events",
        "introduced",
        "fixed",
        "limit",
        "last_affected",
        "document",
        "csaf_version",
        "tracking",
        "product_tree",
        "branches",
        "product",
        "product_id",
        "product_identification_helper",
        "product_status",
        "known_affected",
        "first_affected",
        "category",
        "full_product_names",
        "product_reference",
        "relates_to_product_reference",
        "full_product_name",
        "statements",
        "vulnerability",
        "products",
        "subcomponents",
        "@id",
        "cve",
        "ids",
        "text",
        "aliases",
        "hashes",
    ]);
    let leaf = prop_oneof![
        8 => word.prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<String>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(6, 80, 8, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((key.clone().prop_map(str::to_owned), inner), 0..8)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn try_all(bytes: &[u8]) {
    let sbom = Sbom::parse(bytes);
    if let Ok(advisories) = Advisory::parse(bytes) {
        let mut all = advisory::AdvisoryIndex::new();
        for advisory in advisories {
            all.insert(advisory);
        }
        let _ = report(&of_purls(&["pkg:npm/a@1.0.0", "pkg:cargo/a"]), &all);
        if let Ok(sbom) = &sbom {
            let _ = report(sbom, &all);
        }
    }
    if let Ok(sbom) = sbom {
        let _ = report(&sbom, &index(&[osv("T-1", "crates.io", "a", &[("introduced", "0")])]));
        assert!(
            sbom.components
                .iter()
                .all(|component| component.parent.is_none_or(|at| at < sbom.components.len()))
        );
    }
    let _ = VexDocument::parse(bytes);
    let _ = KnownExploited::parse(bytes);
}

proptest! {
    #[test]
    fn any_bytes(bytes in any::<Vec<u8>>(), text in any::<String>()) {
        try_all(&bytes);
        let _ = (text.parse::<Purl>(), text.parse::<Cpe>(), text.parse::<Vers>(), Score::parse(&text));
        try_all(format!("SPDXVersion: SPDX-2.3\n{text}").as_bytes());
        try_all(format!("<bom xmlns='http://cyclonedx.org/schema/bom/1.4'>{text}</bom>").as_bytes());
    }

    #[test]
    fn any_json(mut value in value(), head in 0_usize..7) {
        if !value.is_object() {
            value = json!({"components": value});
        }
        match head {
            0 => { value["bomFormat"] = json!("CycloneDX"); }
            1 => { value["spdxVersion"] = json!("SPDX-2.3"); }
            2 => { value["@context"] = json!("https://spdx.org/rdf/3.0.1/spdx-context.jsonld"); }
            3 => { value["@context"] = json!("https://openvex.dev/ns/v0.2.0"); }
            4 => { value["id"] = json!("T-1"); }
            5 => { value["document"] = json!({"csaf_version": "2.0", "tracking": {"id": "a"}}); }
            _ => {}
        }
        try_all(value.to_string().as_bytes());
    }

    /// A purl has one canonical form, which reads as the same purl.
    #[test]
    fn purls_come_back(name in "[ -~]{1,12}", namespace in "[ -~]{0,12}", version in "[ -~]{0,8}", kind in "[a-z]{1,6}") {
        let mut text = format!("pkg:{kind}/");
        let part = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        if !namespace.is_empty() {
            text += &(part(&namespace) + "/");
        }
        text += &part(&name);
        if !version.is_empty() {
            text += &("@".to_owned() + &part(&version));
        }
        if let Ok(purl) = text.parse::<Purl>() {
            prop_assert_eq!(purl.to_string().parse::<Purl>(), Ok(purl));
        }
    }

    /// So does a name that was a URI, whatever it encodes.
    #[test]
    fn cpe_uris_come_back(parts in vec("([ -9;-~]|%[0-7][0-9a-fA-F]|%C[3-5]%[89AB][0-9A-F]){0,6}", 1..7), packed: bool) {
        let edition = if packed { "~~%2d~%41~ ~%20" } else { "" };
        let text = format!("cpe:/a:{}:{edition}", parts.join(":"));
        if let Ok(cpe) = text.parse::<Cpe>() {
            prop_assert_eq!(cpe.to_string().parse::<Cpe>(), Ok(cpe.clone()));
            prop_assert_eq!(cpe.relation(&cpe), advisory::CpeRelation::Covers);
        }
    }

    #[test]
    fn cpes_come_back(parts in vec(select(vec!["*", "-", "a", "1.0", "b\\:c", "d\\*", "?x", "e*", "f\\\\g"]), 10)) {
        let text = format!("cpe:2.3:a:{}", parts.join(":"));
        if let Ok(cpe) = text.parse::<Cpe>() {
            prop_assert_eq!(cpe.to_string().parse::<Cpe>(), Ok(cpe.clone()));
            prop_assert_eq!(cpe.relation(&cpe), advisory::CpeRelation::Covers);
        }
    }
}

/// Names that grow when they are written in full are refused, not kept in a form that nobody reads.
#[test]
fn names_that_grow_too_long_are_refused() {
    let cpe = |length: usize| format!("cpe:/a:{}", "!".repeat(length)).parse::<Cpe>();
    assert!(cpe(400).is_ok() && cpe(1_000).is_err());
    let purl = |length: usize| format!("pkg:generic/{}", "!".repeat(length)).parse::<Purl>();
    assert!(purl(600).is_ok() && purl(2_000).is_err());
}

#[test]
fn damage_never_reads_as_safe() {
    // Each entry is damaged in one way; the version is one that the undamaged entry affects.
    let check = |affected: Value| {
        let record = json!({"id": "T-1", "affected": [affected]});
        let report = report(&of_purls(&["pkg:npm/a@1.0.0"]), &index(std::slice::from_ref(&record)));
        assert_eq!(report.findings.len(), 1, "{record}: {:?}", found(&report));
    };
    let package = json!({"ecosystem": "npm", "name": "a"});
    let with = |ranges: Value| json!({"package": package, "ranges": ranges});
    check(with(json!([{"type": "SEMVER", "events": [{"fixed": "2.0.0"}]}])));
    check(with(json!([{"type": "SEMVER", "events": []}])));
    check(with(json!([{"type": "SEMVER"}])));
    check(with(json!([{"events": [{"introduced": "0"}]}])));
    check(with(json!([{"type": "SEMVER", "events": [{"introduced": "0"}, {"begun": "1"}]}])));
    check(with(json!([{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": 2}]}])));
    check(with(json!([{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "two"}]}])));
    check(with(json!([{"type": "SEMVER", "events": [{"introduced": "\u{202e}0"}]}])));
    check(with(json!([])));
    check(json!({"package": {"purl": "pkg:npm/a"}, "versions": ["1.0.0"]}));
    check(json!({"package": {"ecosystem": "npm", "name": "A"}, "versions": ["v1.0.0"]}));
}
