//! From an SBOM and advisories to what is affected, and why.

use crate::world::{NOW, found, index, of_purls, osv, report, report_with, sbom};
use advisory::{
    Advisory, AdvisoryIndex, Blind, ComponentIndex, Exploited, Judge, KnownExploited, Origin,
    Rating, StatementSet, Verdict, VexDocument, VulnerabilityId,
};
use crypto::UnixTime;
use proptest::prelude::*;
use serde_json::{Value, json};

fn id(text: &str) -> VulnerabilityId {
    VulnerabilityId::new(text).unwrap()
}

#[test]
fn each_ecosystem_by_its_own_order() {
    let check =
        |ecosystem: &str, name: &str, events: &[(&str, &str)], purl: &str, expected: &[&str]| {
            let report = report(&of_purls(&[purl]), &index(&[osv("T-1", ecosystem, name, events)]));
            assert_eq!(found(&report), expected, "{purl}");
        };
    let range = "T-1 affected version-in-range";
    let fix: &[(&str, &str)] = &[("introduced", "0"), ("fixed", "1.10.0")];
    check("crates.io", "demo_one", fix, "pkg:cargo/demo-one@1.9.9", &[range]);
    check("crates.io", "demo_one", fix, "pkg:cargo/demo-one@1.10.0", &[]);
    check("npm", "@scope/a", fix, "pkg:npm/%40scope/a@1.10.0-rc.1", &[range]);
    check(
        "PyPI",
        "Zope.Interface",
        &[("introduced", "0"), ("fixed", "2.0rc1")],
        "pkg:pypi/zope-interface@2.0b9",
        &[range],
    );
    check(
        "Go",
        "github.com/a/b",
        &[("introduced", "0"), ("fixed", "1.2.4")],
        "pkg:golang/github.com/a/b@v1.2.4-0.20191109021931-daa7c04131f5",
        &[range],
    );
    check(
        "Maven",
        "org.x:y",
        &[("introduced", "2.0-beta9"), ("fixed", "2.15.0")],
        "pkg:maven/org.x/y@2.0-rc1",
        &[range],
    );
    check(
        "RubyGems",
        "rack",
        &[("introduced", "0"), ("fixed", "2.2.3.1")],
        "pkg:gem/rack@2.2.3",
        &[range],
    );
    check(
        "Packagist",
        "a/b",
        &[("introduced", "0"), ("fixed", "1.0.0")],
        "pkg:composer/a/b@1.0.0-RC2",
        &[range],
    );
    check(
        "NuGet",
        "Newtonsoft.Json",
        &[("introduced", "0"), ("fixed", "13.0.1")],
        "pkg:nuget/newtonsoft.json@12.0.3",
        &[range],
    );
    check(
        "Debian:12",
        "openssl",
        &[("introduced", "0"), ("fixed", "3.0.11-1~deb12u2")],
        "pkg:deb/debian/openssl@3.0.11-1~deb12u1?distro=debian-12",
        &[range],
    );
    check(
        "Debian:12",
        "openssl",
        &[("introduced", "0"), ("fixed", "3.0.11-1~deb12u2")],
        "pkg:deb/debian/openssl@3.0.11-1~deb12u2?distro=bookworm",
        &[],
    );
    // Another release of the same distribution is another product.
    check(
        "Debian:11",
        "openssl",
        &[("introduced", "0"), ("fixed", "9")],
        "pkg:deb/debian/openssl@3.0.1-1?distro=debian-12",
        &[],
    );
    // Nobody says which release: it is that of the one entry.
    check(
        "Debian:12",
        "openssl",
        &[("introduced", "0"), ("fixed", "9")],
        "pkg:deb/debian/openssl@3.0.1-1",
        &[range],
    );
    check(
        "Alpine:v3.18",
        "musl",
        &[("introduced", "0"), ("fixed", "1.2.4-r1")],
        "pkg:apk/alpine/musl@1.2.4-r0?distro=alpine-3.18.4",
        &[range],
    );
    check(
        "Rocky Linux:9",
        "kernel",
        &[("introduced", "0"), ("fixed", "1:5.14-3.el9")],
        "pkg:rpm/rocky/kernel@5.14-9.el9?epoch=1&distro=rocky-9.2",
        &[],
    );
    check(
        "Rocky Linux:9",
        "kernel",
        &[("introduced", "0"), ("fixed", "1:5.14-3.el9")],
        "pkg:rpm/rocky/kernel@5.14-2.el9?epoch=1&distro=rocky-9.2",
        &[range],
    );
    // A binary package of another name, by its source.
    check(
        "Debian:12",
        "openssl",
        &[("introduced", "0"), ("fixed", "3.0.11-1")],
        "pkg:deb/debian/libssl3@3.0.9-1?distro=debian-12&upstream=openssl",
        &[range],
    );
    check(
        "Rocky Linux:9",
        "openssl",
        &[("introduced", "0"), ("fixed", "3.0.7-25.el9")],
        "pkg:rpm/rocky/openssl-libs@3.0.7-24.el9?distro=rocky-9&upstream=openssl-3.0.7-24.el9.src.rpm",
        &[range],
    );
}

#[test]
fn what_cannot_be_decided_is_a_finding() {
    let check = |record: Value, purl: &str, expected: &str| {
        let report = report(&of_purls(&[purl]), &index(&[record]));
        assert_eq!(found(&report), [expected], "{purl}");
    };
    let fix: &[(&str, &str)] = &[("introduced", "0"), ("fixed", "2.0")];
    check(osv("T-1", "Nowhere", "a", fix), "pkg:nowhere/a@1.0", "T-1 undecided order-not-known");
    check(osv("T-1", "crates.io", "a", fix), "pkg:cargo/a", "T-1 undecided version-not-known");
    check(osv("T-1", "crates.io", "a", fix), "pkg:cargo/a@main", "T-1 undecided order-not-known");
    check(
        osv("T-1", "PyPI", "a", &[("introduced", "0"), ("fixed", "soon")]),
        "pkg:pypi/a@1.0",
        "T-1 undecided order-not-known",
    );
    let bare = json!({"id": "T-1", "affected": [{"package": {"ecosystem": "npm", "name": "a"}}]});
    check(bare, "pkg:npm/a@1.0.0", "T-1 undecided no-versions");
    let strange = json!({"id": "T-1", "affected": [{"package": {"ecosystem": "npm", "name": "a"},
        "ranges": [{"type": "FUTURE", "events": [{"introduced": "0"}]}], "versions": ["9.0.0"]}]});
    check(strange, "pkg:npm/a@1.0.0", "T-1 undecided range-not-readable");
    // Affected in one release, fixed in another, and the SBOM does not say which.
    let mut two = osv("T-1", "Debian:11", "a", &[("introduced", "0"), ("fixed", "1.0-1")]);
    let other = osv("T-1", "Debian:12", "a", &[("introduced", "0"), ("fixed", "3.0-1")]);
    two["affected"].as_array_mut().unwrap().push(other["affected"][0].clone());
    check(two, "pkg:deb/debian/a@2.0-1", "T-1 undecided release-not-known");
    // Commits without the history.
    let git = json!({"id": "T-1", "affected": [{"ranges": [{"type": "GIT", "repo": "https://github.com/a/b",
        "events": [{"introduced": "0"}, {"fixed": "f".repeat(40)}]}]}]});
    check(git.clone(), "pkg:github/a/b@v1.0", "T-1 undecided commit-range");
    let mut listed = git;
    listed["affected"][0]["versions"] = json!(["v0.9", "v1.0"]);
    check(listed.clone(), "pkg:github/a/b@1.0", "T-1 affected version-listed");
    assert!(report(&of_purls(&["pkg:github/a/b@v2.0"]), &index(&[listed])).findings.is_empty());
}

#[test]
fn versions_one_by_one_and_everything() {
    let record = json!({"id": "T-1", "affected": [{"package": {"ecosystem": "PyPI", "name": "a"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "2.0"}, {"fixed": "2.1"}]}],
        "versions": ["1.0", "1.5.0"]}]});
    let index_of = index(&[record]);
    let check = |version: &str, affected: bool| {
        let report = report(&of_purls(&[&format!("pkg:pypi/a@{version}")]), &index_of);
        assert_eq!(!report.findings.is_empty(), affected, "{version}");
    };
    check("1.0", true);
    check("1.0.0", true);
    check("1.5", true);
    check("1.1", false);
    check("2.0.7", true);
    check("2.1", false);
    let everything = osv("MAL-1", "npm", "evil", &[("introduced", "0")]);
    let report = report(&of_purls(&["pkg:npm/evil"]), &index(&[everything]));
    assert_eq!(found(&report), ["MAL-1 affected every-version"]);
}

#[test]
fn aliases_become_one_finding_and_bulletins_do_not() {
    let mut ghsa =
        osv("GHSA-aaaa-bbbb-cccc", "PyPI", "a", &[("introduced", "0"), ("fixed", "2.0")]);
    ghsa["aliases"] = json!(["CVE-2026-1"]);
    ghsa["severity"] =
        json!([{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]);
    ghsa["summary"] = json!("a flaw");
    let mut pysec = osv("PYSEC-2026-9", "PyPI", "a", &[("introduced", "0"), ("fixed", "2.0.1")]);
    pysec["aliases"] = json!(["CVE-2026-1"]);
    let bulletin = {
        let mut record = osv("DSA-1", "PyPI", "a", &[("introduced", "0"), ("fixed", "3.0")]);
        record["upstream"] = json!(["CVE-2026-1", "CVE-2026-2"]);
        record
    };
    let withdrawn = {
        let mut record = osv("GHSA-gone", "PyPI", "a", &[("introduced", "0")]);
        record["withdrawn"] = json!("2026-02-01T00:00:00Z");
        record
    };
    let report =
        report(&of_purls(&["pkg:pypi/a@1.0"]), &index(&[ghsa, pysec, bulletin, withdrawn]));
    assert_eq!(report.findings.len(), 2, "{:?}", found(&report));
    let first = &report.findings[0];
    assert_eq!(first.id, id("CVE-2026-1"));
    assert_eq!(first.ids.len(), 3);
    assert_eq!(first.fixed, ["2.0", "2.0.1"]);
    assert_eq!(first.score.as_ref().map(|score| score.tenths), Some(98));
    assert_eq!(first.summary, "a flaw");
    assert_eq!(report.findings[1].id, id("DSA-1"));
    assert_eq!(report.findings[1].gathers.len(), 2);
}

#[test]
fn yocto_components_are_matched_by_cpe() {
    let yocto = sbom(&json!({"bomFormat": "CycloneDX", "specVersion": "1.4", "components": [
        {"type": "library", "name": "openssl", "version": "3.0.8", "cpe": "cpe:2.3:*:*:openssl:3.0.8:*:*:*:*:*:*:*"},
        {"type": "library", "name": "openssh", "version": "8.9p1", "cpe": "cpe:2.3:*:openbsd:openssh:8.9:p1:*:*:*:*:*:*"},
        {"type": "library", "name": "plugin", "version": "1", "cpe": "cpe:2.3:a:v:plugin:1:*:*:*:*:*:*:*"}]}));
    let csaf = |id: &str, name: &str, cpe: &str| {
        json!({
            "document": {"category": "csaf_security_advisory", "csaf_version": "2.0", "title": id,
                "publisher": {"category": "vendor", "name": "V", "namespace": "https://v.example"},
                "tracking": {"id": id, "status": "final", "version": "1", "initial_release_date": "2026-01-01T00:00:00Z",
                    "current_release_date": "2026-01-01T00:00:00Z", "revision_history": []}},
            "product_tree": {"branches": [{"category": "vendor", "name": "V", "branches": [
                {"category": "product_name", "name": "P", "branches": [
                    {"category": if name.contains("vers:") { "product_version_range" } else { "product_version" }, "name": name,
                     "product": {"name": "P", "product_id": "P1", "product_identification_helper": {"cpe": cpe}}}]}]}]},
            "vulnerabilities": [{"cve": id, "product_status": {"known_affected": ["P1"]}}],
        })
    };
    let report = report(
        &yocto,
        &index(&[
            csaf(
                "CVE-1",
                "vers:openssl/>=3.0.0|<3.0.9",
                "cpe:2.3:a:openssl:openssl:*:*:*:*:*:*:*:*",
            ),
            csaf("CVE-2", "vers:openssl/<3.0.8", "cpe:2.3:a:openssl:openssl:*:*:*:*:*:*:*:*"),
            csaf("CVE-3", "8.9p1", "cpe:/a:openbsd:openssh:8.9:p1"),
            csaf("CVE-4", "8.9p2", "cpe:/a:openbsd:openssh:8.9:p2"),
            csaf("CVE-5", "1", "cpe:2.3:a:v:plugin:1:*:*:*:*:wordpress:*:*"),
            csaf("CVE-6", "all up to the newest", "cpe:2.3:a:*:plugin:*:*:*:*:*:*:*:*"),
        ]),
    );
    let mut lines = found(&report);
    lines.sort();
    assert_eq!(
        lines,
        [
            "CVE-1 affected version-in-range",
            "CVE-3 affected version-listed",
            "CVE-5 undecided cpe-less-specific",
            "CVE-6 undecided order-not-known",
        ]
    );
}

#[test]
fn what_was_not_looked_at_is_told() {
    let mixed = sbom(&json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
        {"type": "library", "name": "a", "purl": "pkg:cargo/a@1.0.0"},
        {"type": "library", "name": "b", "purl": "pkg:hex/b@1.0.0"},
        {"type": "library", "name": "c", "version": "1"},
        {"type": "library", "name": "d", "purl": "pkg:cargo/d"}]}));
    let index = index(&[osv("T-1", "crates.io", "z", &[("introduced", "0")])]);
    let report = report(&mixed, &index);
    assert_eq!(report.findings, []);
    assert_eq!(
        report.blind,
        [(1, Blind::NoAdvisories), (2, Blind::NotIdentified), (3, Blind::NoVersion)]
    );
    assert_eq!(report.uncovered(&mixed).into_iter().collect::<Vec<_>>(), [("Hex".to_owned(), 1)]);
}

#[test]
fn exploited_first_then_score_then_fix() {
    let scored = |id: &str, vector: &str, fixed: bool| {
        let events: &[(&str, &str)] =
            if fixed { &[("introduced", "0"), ("fixed", "2.0.0")] } else { &[("introduced", "0")] };
        let mut record = osv(id, "crates.io", "a", events);
        if !vector.is_empty() {
            record["severity"] = json!([{"type": "CVSS_V3", "score": vector}]);
        }
        record
    };
    let high = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
    let low = "CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N";
    let index = index(&[
        scored("CVE-1", "", true),
        scored("CVE-2", low, false),
        scored("CVE-3", high, false),
        scored("CVE-4", high, true),
        scored("CVE-5", low, true),
    ]);
    let catalogue = json!({"catalogVersion": "1", "vulnerabilities": [
        {"cveID": "CVE-5", "dateAdded": "2026-01-02", "dueDate": "2026-01-23", "knownRansomwareCampaignUse": "Known"},
        {"vendor": "none"}]});
    assert!(KnownExploited::is_catalogue(catalogue.to_string().as_bytes()));
    let mut exploited = KnownExploited::parse(catalogue.to_string().as_bytes()).unwrap();
    assert_eq!(exploited.remarks.count(), 1);
    exploited.insert(id("CVE-99"), Exploited { since: None, due: None, ransomware: false });
    let report =
        report_with(&of_purls(&["pkg:cargo/a@1.0.0"]), &index, &exploited, &StatementSet::new());
    let order: Vec<&str> = report.findings.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(order, ["CVE-5", "CVE-4", "CVE-3", "CVE-2", "CVE-1"]);
    assert!(report.findings[0].exploited.as_ref().is_some_and(|exploited| exploited.ransomware));
    // Unscored and exploited findings are never below a threshold.
    let above: Vec<&str> =
        report.at_least(Rating::High).map(|finding| finding.id.as_str()).collect();
    assert_eq!(above, ["CVE-5", "CVE-4", "CVE-3", "CVE-1"]);
}

fn vex(status: Value, products: Value, vulnerability: &str) -> VexDocument {
    let mut statement = json!({"vulnerability": {"name": vulnerability}, "products": products});
    statement.as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
    let document = json!({"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://a.example/1",
        "author": "A", "timestamp": "2026-11-01T00:00:00Z", "version": 1, "statements": [statement]});
    VexDocument::parse(document.to_string().as_bytes()).unwrap()
}

#[test]
fn statements_silence_by_rank_time_and_reason() {
    let sbom = of_purls(&["pkg:cargo/a@1.0.0"]);
    let index = index(&[osv("CVE-1", "crates.io", "a", &[("introduced", "0")])]);
    let not_affected =
        json!({"status": "not_affected", "justification": "vulnerable_code_not_present"});
    let affected = json!({"status": "affected", "action_statement": "update"});
    let dated = |status: &Value, at: &str| {
        let mut status = status.clone();
        status["timestamp"] = json!(at);
        status
    };
    let product = json!([{"@id": "pkg:cargo/a@1.0.0"}]);
    let check = |statements: &[(Origin, Value)], silent: bool| {
        let mut set = StatementSet::new();
        for (origin, status) in statements {
            set.add(*origin, vex(status.clone(), product.clone(), "CVE-1").statements);
        }
        let report = report_with(&sbom, &index, &KnownExploited::default(), &set);
        assert_eq!(
            (report.silenced.len(), report.findings.len()),
            if silent { (1, 0) } else { (0, 1) }
        );
        report
    };
    let silenced = check(&[(Origin::Supplier, not_affected.clone())], true);
    let (origin, claim) = silenced.silenced[0].said.as_ref().unwrap();
    assert_eq!((*origin, claim.author.as_str()), (Origin::Supplier, "A"));
    // The own word outranks the supplier's, even an older one.
    check(
        &[
            (Origin::Own, dated(&affected, "2026-01-01T00:00:00Z")),
            (Origin::Supplier, not_affected.clone()),
        ],
        false,
    );
    check(&[(Origin::Own, not_affected.clone()), (Origin::Supplier, affected.clone())], true);
    // The later word of one origin.
    check(
        &[
            (Origin::Own, not_affected.clone()),
            (Origin::Own, dated(&affected, "2026-11-02T00:00:00Z")),
        ],
        false,
    );
    check(
        &[
            (Origin::Own, dated(&not_affected, "2026-11-02T00:00:00Z")),
            (Origin::Own, affected.clone()),
        ],
        true,
    );
    // Two at once: the one that warns.
    check(&[(Origin::Own, not_affected.clone()), (Origin::Own, affected.clone())], false);
    // From the future.
    check(&[(Origin::Own, dated(&not_affected, "2027-01-01T00:00:00Z"))], false);
    check(&[(Origin::Own, json!({"status": "under_investigation"}))], false);
    check(&[(Origin::Own, json!({"status": "fixed"}))], true);
    // Without a reason it is no statement.
    let refused = vex(json!({"status": "not_affected"}), product.clone(), "CVE-1");
    assert_eq!((refused.statements.len(), refused.remarks.list()[0].kind.name()), (0, "refused"));
    let blank = vex(json!({"status": "not_affected", "impact_statement": "  "}), product, "CVE-1");
    assert_eq!(blank.statements.len(), 0);
}

#[test]
fn a_statement_ends_when_it_expires() {
    let sbom = of_purls(&["pkg:cargo/a@1.0.0"]);
    let index = index(&[osv("CVE-1", "crates.io", "a", &[("introduced", "0")])]);
    let document = vex(json!({"status": "fixed"}), json!([{"@id": "pkg:cargo/a"}]), "CVE-1");
    for (expires, silent) in [(NOW.plus(1), true), (NOW, false), (UnixTime(0), false)] {
        let mut claim = document.statements[0].claim().clone();
        claim.expires = Some(expires);
        let mut set = StatementSet::new();
        set.add(Origin::Own, [advisory::Statement::new(claim).unwrap()]);
        let report = report_with(&sbom, &index, &KnownExploited::default(), &set);
        assert_eq!(report.findings.is_empty(), silent);
    }
}

#[test]
fn statements_reach_only_what_they_name() {
    let product = sbom(&json!({"bomFormat": "CycloneDX", "specVersion": "1.6",
        "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
        "metadata": {"component": {"type": "firmware", "name": "gate", "bom-ref": "gate", "purl": "pkg:generic/gate@2.4.1"}},
        "components": [{"type": "library", "name": "a", "bom-ref": "a", "purl": "pkg:cargo/a@1.0.0",
            "hashes": [{"alg": "SHA-256", "content": "ab".repeat(32)}]}]}));
    let index = index(&[osv("CVE-1", "crates.io", "a", &[("introduced", "0")])]);
    let check = |products: Value, silent: bool| {
        let mut set = StatementSet::new();
        let status = json!({"status": "not_affected", "impact_statement": "not called"});
        set.add(Origin::Own, vex(status, products.clone(), "CVE-1").statements);
        let report = report_with(&product, &index, &KnownExploited::default(), &set);
        assert_eq!(report.findings.is_empty(), silent, "{products}");
    };
    check(json!([{"@id": "pkg:cargo/a@1.0.0"}]), true);
    check(json!([{"@id": "pkg:cargo/a@1.0.1"}]), false);
    check(json!([{"@id": "pkg:cargo/b@1.0.0"}]), false);
    check(json!([{"@id": "pkg:generic/gate@2.4.1"}]), true);
    check(json!([{"@id": "pkg:generic/gate@2.4.0"}]), false);
    check(
        json!([{"@id": "pkg:generic/gate@2.4.1", "subcomponents": [{"@id": "pkg:cargo/a"}]}]),
        true,
    );
    check(
        json!([{"@id": "pkg:generic/gate@2.4.1", "subcomponents": [{"@id": "pkg:cargo/b"}]}]),
        false,
    );
    check(json!([{"@id": "pkg:generic/other", "subcomponents": [{"@id": "pkg:cargo/a"}]}]), false);
    // Parts that cannot be read do not become all parts.
    check(
        json!([{"@id": "pkg:generic/gate@2.4.1", "subcomponents": [{"@id": "pkg:broken"}]}]),
        false,
    );
    check(json!([{"@id": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79"}]), true);
    check(json!([{"@id": "https://elsewhere.example/"}]), false);
    check(json!([{"hashes": {"sha-256": "ab".repeat(32)}}]), true);
    check(json!([{"hashes": {"sha-256": "cd".repeat(32)}}]), false);
    check(json!([{"@id": "pkg:cargo/a@1.0.0", "hashes": {"sha-256": "cd".repeat(32)}}]), false);
    check(json!([{"identifiers": {"cpe23": "cpe:2.3:a:a:a:*:*:*:*:*:*:*:*"}}]), false);
}

#[test]
fn a_list_of_aliases_carries_nothing_away() {
    // Somebody joins two vulnerabilities; a statement about one must not silence the other.
    let mut joined = osv("GHSA-joined", "crates.io", "a", &[("introduced", "0")]);
    joined["aliases"] = json!(["CVE-1", "CVE-2"]);
    let index = index(&[joined, osv("CVE-2", "crates.io", "a", &[("introduced", "0")])]);
    let sbom = of_purls(&["pkg:cargo/a@1.0.0"]);
    let fixed =
        |id| vex(json!({"status": "fixed"}), json!([{"@id": "pkg:cargo/a"}]), id).statements;
    let mut set = StatementSet::new();
    set.add(Origin::Own, fixed("CVE-1"));
    set.add(Origin::Own, fixed("GHSA-joined"));
    assert_eq!(report_with(&sbom, &index, &KnownExploited::default(), &set).findings.len(), 1);
    set.add(Origin::Own, fixed("CVE-2"));
    assert_eq!(report_with(&sbom, &index, &KnownExploited::default(), &set).findings.len(), 0);
}

#[test]
fn what_a_statement_calls_affected_is_a_finding() {
    let sbom = of_purls(&["pkg:cargo/a@1.0.0", "pkg:cargo/b@1.0.0"]);
    let mut set = StatementSet::new();
    let products = json!([{"@id": "pkg:cargo/a@1.0.0"}]);
    set.add(
        Origin::Supplier,
        vex(json!({"status": "affected", "action_statement": "update"}), products, "CVE-1")
            .statements,
    );
    let report = report_with(&sbom, &AdvisoryIndex::new(), &KnownExploited::default(), &set);
    assert_eq!(found(&report), ["CVE-1 affected said-affected"]);
    assert_eq!(report.findings[0].remedy.as_deref(), Some("update"));
    assert_eq!(report.findings[0].component, 0);
}

#[test]
fn both_directions_find_the_same() {
    let sboms = [
        of_purls(&["pkg:cargo/a@1.0.0", "pkg:cargo/b@1.0.0"]),
        of_purls(&["pkg:cargo/a@2.0.0", "pkg:deb/debian/libssl3@1?upstream=openssl"]),
    ];
    let mut components = ComponentIndex::new();
    for (owner, sbom) in sboms.iter().enumerate() {
        components.insert(&owner, sbom);
    }
    let record = osv("CVE-1", "crates.io", "A", &[("introduced", "0"), ("fixed", "2.0.0")]);
    let advisory = &Advisory::parse(record.to_string().as_bytes()).unwrap()[0];
    let candidates = components.candidates(advisory);
    assert_eq!(candidates.into_iter().collect::<Vec<_>>(), [(0, vec![0]), (1, vec![0])]);
    let verdict = |owner: usize| {
        Judge::of(&sboms[owner])
            .judge(advisory, &sboms[owner].components[0])
            .map(|judgement| judgement.verdict)
    };
    assert_eq!((verdict(0), verdict(1)), (Some(Verdict::Affected), Some(Verdict::NotAffected)));
    components.remove(&0, &sboms[0]);
    assert_eq!(components.candidates(advisory).len(), 1);
}

#[test]
fn a_newer_advisory_replaces_an_older_one() {
    let version = |modified: &str, name: &str| {
        let mut record = osv("CVE-1", "crates.io", name, &[("introduced", "0")]);
        record["modified"] = json!(modified);
        Advisory::parse(record.to_string().as_bytes()).unwrap().remove(0)
    };
    let mut index = AdvisoryIndex::new();
    assert!(index.insert(version("2026-02-01T00:00:00Z", "a")));
    assert!(!index.insert(version("2026-01-01T00:00:00Z", "b")), "an older one comes too late");
    assert!(index.insert(version("2026-03-01T00:00:00Z", "c")));
    assert_eq!(index.len(), 1);
    let affected = |purl: &str| report(&of_purls(&[purl]), &index).findings.len();
    assert_eq!(
        (
            affected("pkg:cargo/a@1.0.0"),
            affected("pkg:cargo/b@1.0.0"),
            affected("pkg:cargo/c@1.0.0")
        ),
        (0, 0, 1)
    );
    assert_eq!(index.spaces().get("crates.io"), Some(&1));
}

proptest! {
    /// What OSV's algorithm says is what comes out, for versions and events in any order.
    #[test]
    fn osv_evaluation(
        version in 0_u32..40,
        cuts in proptest::collection::btree_set(1_u32..40, 0..6),
        inclusive in any::<bool>(),
        order in any::<prop::sample::Index>(),
    ) {
        let cuts: Vec<u32> = cuts.into_iter().collect();
        let mut events = vec![json!({"introduced": "0"})];
        let mut affected = true;
        let mut expected = true;
        for cut in &cuts {
            if affected {
                let key = if inclusive { "last_affected" } else { "fixed" };
                events.push(json!({key: format!("{cut}.0.0")}));
            } else {
                events.push(json!({"introduced": format!("{cut}.0.0")}));
            }
            let reached = if affected && inclusive { version > *cut } else { version >= *cut };
            affected = !affected;
            if reached {
                expected = affected;
            }
        }
        let turn = order.index(events.len());
        events.rotate_left(turn);
        let record = json!({"id": "T-1", "affected": [{"package": {"ecosystem": "npm", "name": "a"},
            "ranges": [{"type": "SEMVER", "events": events}]}]});
        let report = report(&of_purls(&[&format!("pkg:npm/a@{version}.0.0")]), &index(&[record]));
        prop_assert_eq!(report.findings.len(), usize::from(expected));
    }
}

#[test]
fn only_what_speaks_of_a_component_is_weighed() {
    let mut index = AdvisoryIndex::new();
    for number in 0..3_000 {
        let record = osv(
            &format!("T-{number}"),
            "npm",
            &format!("p{}", number % 1_000),
            &[("introduced", "0")],
        );
        index.insert(Advisory::parse(record.to_string().as_bytes()).unwrap().remove(0));
    }
    let report =
        report(&of_purls(&["pkg:npm/p7@1.0.0", "pkg:npm/q@1.0.0", "pkg:cargo/p7@1.0.0"]), &index);
    assert_eq!((report.weighed, report.findings.len()), (3, 3));
}

#[test]
fn a_component_known_as_two_products_has_two_versions() {
    let sbom = sbom(&json!({"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "packages": [
        {"SPDXID": "SPDXRef-a", "name": "a", "externalRefs": [
            {"referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a:v:a:1.0:*:*:*:*:*:*:*"},
            {"referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a:v:b:2.0:*:*:*:*:*:*:*"}]}]}));
    let document = |affected: &str, fixed: &str| {
        json!({
            "document": {"csaf_version": "2.0", "tracking": {"id": "A"}},
            "product_tree": {"full_product_names": [
                {"product_id": "all", "name": "all", "product_identification_helper": {"cpe": affected}},
                {"product_id": "new", "name": "new", "product_identification_helper": {"cpe": fixed}}]},
            "vulnerabilities": [{"cve": "CVE-1", "product_status": {"known_affected": ["all"], "fixed": ["new"]}}],
        })
    };
    let found_with = |fixed| found(&report(&sbom, &index(&[document("cpe:/a:v:a", fixed)])));
    assert_eq!(found_with("cpe:/a:v:a:2.0"), ["CVE-1 affected every-version"]);
    assert_eq!(found_with("cpe:/a:v:a:1.0"), Vec::<String>::new());
}

#[test]
fn two_versions_of_one_component_are_remarked() {
    let sbom = sbom(&json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
        {"type": "library", "name": "a", "version": "9.9.9", "purl": "pkg:cargo/a@1.0.0"},
        {"type": "library", "name": "b", "version": "1.0", "purl": "pkg:deb/debian/b@1.0-1"}]}));
    let index = index(&[osv("T-1", "crates.io", "a", &[("introduced", "0"), ("fixed", "2.0.0")])]);
    assert_eq!(found(&report(&sbom, &index)), ["T-1 affected version-in-range"]);
    assert_eq!(sbom.remarks.count(), 1);
}
