//! Every form of SBOM becomes the same type.

use crate::world::sbom;
use advisory::{AdvisoryError, RemarkKind, SBOM_BYTES_MAX, Sbom, SbomFormat};
use serde_json::{Value, json};

fn remarks(sbom: &Sbom) -> Vec<String> {
    let line = |remark: &advisory::Remark| format!("{} {}", remark.kind.name(), remark.place);
    sbom.remarks.list().iter().map(line).collect()
}

fn cyclonedx() -> Value {
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
        "version": 1,
        "metadata": {
            "timestamp": "2026-11-20T10:00:00Z",
            "tools": {"components": [{"type": "application", "name": "syft", "version": "1.9"}]},
            "component": {"type": "firmware", "bom-ref": "gate", "name": "gate", "version": "2.4.1"},
        },
        "components": [
            {
                "type": "library", "bom-ref": "ssl", "name": "openssl", "version": "3.0.8",
                "supplier": {"name": "OpenSSL Project"},
                "cpe": "cpe:2.3:a:openssl:openssl:3.0.8:*:*:*:*:*:*:*",
                "purl": "pkg:generic/openssl@3.0.8",
                "hashes": [{"alg": "SHA-256", "content": "AB".repeat(32)}, {"alg": "MD5", "content": "no"}],
                "licenses": [{"license": {"id": "Apache-2.0"}}, {"expression": "MIT OR ISC"}],
                "externalReferences": [{"type": "vcs", "url": "https://github.com/openssl/openssl"}],
                "components": [{"type": "library", "name": "inner", "purl": "pkg:cargo/inner@1.0.0"}],
            },
            {"type": "library", "bom-ref": "ssl", "name": "second"},
            {"type": "library", "bom-ref": "bad", "name": "bad", "purl": "not a purl", "cpe": "cpe:/x"},
            {"type": "library"},
            {"type": "library", "name": "bare"},
        ],
        "services": [{"name": "cloud"}],
        "dependencies": [{"ref": "gate", "dependsOn": ["ssl", "ghost"]}, {"ref": "ghost", "dependsOn": []}],
        "compositions": [{"aggregate": "incomplete", "assemblies": ["gate"]}],
    })
}

#[test]
fn cyclonedx_json() {
    let sbom = sbom(&cyclonedx());
    assert_eq!(sbom.format, SbomFormat::CycloneDxJson("1.6".into()));
    assert_eq!(sbom.name.as_deref(), Some("gate"));
    assert_eq!(sbom.creators, ["syft 1.9"]);
    assert_eq!(sbom.subject().map(|subject| subject.label()).as_deref(), Some("gate@2.4.1"));
    assert_eq!(sbom.components.len(), 6, "{:?}", sbom.components);
    let ssl = &sbom.components[1];
    assert_eq!(
        ssl.purl.as_ref().map(ToString::to_string).as_deref(),
        Some("pkg:generic/openssl@3.0.8")
    );
    assert_eq!(ssl.cpes.len(), 1);
    assert_eq!(ssl.hashes, [("sha-256".to_owned(), "ab".repeat(32))]);
    assert_eq!(ssl.licences, ["Apache-2.0", "MIT OR ISC"]);
    assert_eq!(ssl.repositories, ["https://github.com/openssl/openssl"]);
    assert_eq!(sbom.components[2].parent, Some(1));
    assert_eq!(sbom.dependencies, [(0, vec![1])]);
    assert!(sbom.is_declared_incomplete());
    assert_eq!(
        remarks(&sbom),
        [
            "malformed components[0]",
            "duplicate components[1]",
            "malformed components[2].purl",
            "malformed components[2].cpe",
            "malformed components[3]",
            "not-used services[0]",
            "dangling dependencies[0]",
            "dangling dependencies[1]",
        ]
    );
}

#[test]
fn every_version_of_cyclonedx_is_read() {
    for version in ["1.3", "1.4", "1.5", "1.6", "1.7"] {
        let sbom = sbom(&json!({"bomFormat": "CycloneDX", "specVersion": version, "components": [
            {"type": "library", "name": "a", "purl": "pkg:cargo/a@1.0.0"}]}));
        assert!(sbom.remarks.is_empty() && sbom.components.len() == 1);
    }
    let later = sbom(&json!({"bomFormat": "CycloneDX", "specVersion": "2.0", "components": []}));
    assert_eq!(remarks(&later), ["not-used specVersion"]);
    let old = sbom(&json!({"bomFormat": "CycloneDX", "specVersion": "1.4",
        "metadata": {"tools": [{"vendor": "aquasecurity", "name": "trivy", "version": "0.50"}]}}));
    assert_eq!(old.creators, ["aquasecurity trivy 0.50"]);
}

#[test]
fn cyclonedx_xml_is_the_same() {
    let xml = r#"<?xml version="1.0" encoding="UTF-8"?>
<bom xmlns="http://cyclonedx.org/schema/bom/1.4" serialNumber="urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79" version="1">
  <metadata><timestamp>2026-11-20T10:00:00Z</timestamp>
    <tools><tool><vendor>v</vendor><name>maker</name><version>1</version></tool></tools>
    <component type="firmware" bom-ref="gate"><name>gate</name><version>2.4.1</version></component></metadata>
  <components>
    <component type="library" bom-ref="ssl"><supplier><name>OpenSSL</name></supplier>
      <name>openssl</name><version>3.0.8</version>
      <hashes><hash alg="SHA-256">abababababababababababababababababababababababababababababababab</hash></hashes>
      <licenses><license><id>Apache-2.0</id></license></licenses>
      <cpe>cpe:2.3:a:openssl:openssl:3.0.8:*:*:*:*:*:*:*</cpe><purl>pkg:generic/openssl@3.0.8</purl>
      <externalReferences><reference type="vcs"><url>https://github.com/openssl/openssl</url></reference></externalReferences>
      <components><component type="library"><name>inner</name><purl>pkg:cargo/inner@1.0.0</purl></component></components>
    </component>
  </components>
  <dependencies><dependency ref="gate"><dependency ref="ssl"/></dependency></dependencies>
  <compositions><composition><aggregate>complete</aggregate><assemblies><assembly ref="gate"/></assemblies></composition></compositions>
  <vulnerabilities><vulnerability><id>CVE-2023-0464</id>
    <analysis><state>not_affected</state><justification>code_not_reachable</justification><detail>no policies</detail></analysis>
    <affects><target><ref>ssl</ref></target></affects></vulnerability></vulnerabilities>
</bom>"#;
    let sbom = Sbom::parse(xml.as_bytes()).unwrap();
    assert_eq!(sbom.format, SbomFormat::CycloneDxXml("1.4".into()));
    assert_eq!(sbom.remarks.list(), []);
    assert_eq!(sbom.creators, ["v maker 1"]);
    assert_eq!(sbom.components.len(), 3);
    let ssl = &sbom.components[1];
    assert_eq!((ssl.cpes.len(), ssl.hashes.len(), ssl.repositories.len()), (1, 1, 1));
    assert_eq!(ssl.licences, ["Apache-2.0"]);
    assert_eq!(ssl.kind, "library");
    assert_eq!(sbom.components[2].parent, Some(1));
    assert_eq!(sbom.dependencies, [(0, vec![1])]);
    assert_eq!(sbom.compositions, [("complete".to_owned(), 1)]);
    assert_eq!(sbom.statements.len(), 1);
    for wrong in [
        "<bom/>",
        "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'/>",
        "<!DOCTYPE bom [<!ENTITY a 'aaaa'>]><bom xmlns='http://cyclonedx.org/schema/bom/1.4'>&a;</bom>",
        "<bom xmlns='http://cyclonedx.org/schema/bom/1.4'>",
    ] {
        assert!(Sbom::parse(wrong.as_bytes()).is_err(), "{wrong}");
    }
    let deep = format!(
        "<bom xmlns='http://cyclonedx.org/schema/bom/1.4'>{}{}</bom>",
        "<components><component>".repeat(60_000),
        "</component></components>".repeat(60_000)
    );
    assert!(Sbom::parse(deep.as_bytes()).is_err());
}

#[test]
fn spdx_2_in_json_and_as_tags_are_the_same() {
    let json = sbom(&json!({
        "spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "image",
        "documentNamespace": "https://example.com/image-1",
        "creationInfo": {"created": "2026-11-20T10:00:00Z", "creators": ["Tool: create-spdx"]},
        "documentDescribes": ["SPDXRef-image"],
        "packages": [
            {"SPDXID": "SPDXRef-image", "name": "image", "versionInfo": "1", "downloadLocation": "NOASSERTION"},
            {"SPDXID": "SPDXRef-busybox", "name": "busybox", "versionInfo": "1.36.1",
             "supplier": "Organization: OpenEmbedded", "licenseConcluded": "GPL-2.0-only",
             "downloadLocation": "git+https://git.busybox.net/busybox.git",
             "checksums": [{"algorithm": "SHA256", "checksumValue": "cd".repeat(32)}],
             "externalRefs": [
                {"referenceCategory": "SECURITY", "referenceType": "http://spdx.org/rdf/references/cpe23Type",
                 "referenceLocator": "cpe:2.3:*:*:busybox:1.36.1:*:*:*:*:*:*:*"},
                {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                 "referenceLocator": "pkg:generic/busybox@1.36.1"}]},
            {"SPDXID": "SPDXRef-none"},
        ],
        "relationships": [
            {"spdxElementId": "SPDXRef-image", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-busybox"},
            {"spdxElementId": "SPDXRef-busybox", "relationshipType": "BUILD_DEPENDENCY_OF", "relatedSpdxElement": "SPDXRef-image"},
            {"spdxElementId": "SPDXRef-image", "relationshipType": "DEPENDS_ON", "relatedSpdxElement": "SPDXRef-gone"},
        ],
    }));
    let tags = Sbom::parse(
        format!(
            "# a comment\nSPDXVersion: SPDX-2.3\nSPDXID: SPDXRef-DOCUMENT\nDocumentName: image\n\
             DocumentNamespace: https://example.com/image-1\nCreator: Tool: create-spdx\n\
             Created: 2026-11-20T10:00:00Z\nDocumentComment: <text>two\nlines</text>\n\n\
             PackageName: image\nSPDXID: SPDXRef-image\nPackageVersion: 1\n\
             PackageDownloadLocation: NOASSERTION\n\
             PackageName: busybox\nSPDXID: SPDXRef-busybox\nPackageVersion: 1.36.1\n\
             PackageSupplier: Organization: OpenEmbedded\nPackageLicenseConcluded: GPL-2.0-only\n\
             PackageDownloadLocation: git+https://git.busybox.net/busybox.git\n\
             PackageChecksum: SHA256: {}\n\
             ExternalRef: SECURITY cpe23Type cpe:2.3:*:*:busybox:1.36.1:*:*:*:*:*:*:*\n\
             ExternalRef: PACKAGE-MANAGER purl pkg:generic/busybox@1.36.1\n\
             FileName: ./a\nSPDXID: SPDXRef-File-a\n\
             Relationship: SPDXRef-DOCUMENT DESCRIBES SPDXRef-image\n\
             Relationship: SPDXRef-image CONTAINS SPDXRef-busybox\n\
             Relationship: SPDXRef-busybox BUILD_DEPENDENCY_OF SPDXRef-image\n",
            "cd".repeat(32)
        )
        .as_bytes(),
    )
    .unwrap();
    assert_eq!(json.components, tags.components);
    assert_eq!((json.subject, tags.subject), (Some(0), Some(0)));
    assert_eq!(json.dependencies, [(0, vec![1])]);
    assert_eq!(json.dependencies, tags.dependencies);
    assert_eq!(json.components[1].parent, Some(0));
    assert_eq!(json.components[1].supplier.as_deref(), Some("OpenEmbedded"));
    assert_eq!(remarks(&json), ["malformed packages[2]", "dangling relationships[2]"]);
    assert_eq!(remarks(&tags), ["not-used files"]);
    assert_eq!(tags.format, SbomFormat::Spdx2Tag("2.3".into()));
    assert!(Sbom::parse(b"SPDXVersion: SPDX-2.3\nPackageComment: <text>no end\n").is_err());
}

#[test]
fn spdx_3() {
    let sbom = sbom(&json!({
        "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
        "@graph": [
            {"type": "CreationInfo", "@id": "_:c", "specVersion": "3.0.1", "created": "2026-11-20T10:00:00Z",
             "createdBy": ["https://example.com/a"]},
            {"type": "Organization", "spdxId": "https://example.com/a", "name": "Maker", "creationInfo": "_:c"},
            {"type": "SpdxDocument", "spdxId": "https://example.com/d", "name": "image",
             "rootElement": ["https://example.com/s"], "creationInfo": "_:c"},
            {"type": "software_Sbom", "spdxId": "https://example.com/s", "rootElement": ["https://example.com/image"]},
            {"type": "software_Package", "spdxId": "https://example.com/image", "name": "image"},
            {"type": "software_Package", "spdxId": "https://example.com/zlib", "name": "zlib",
             "software_packageVersion": "1.3", "software_packageUrl": "pkg:generic/zlib@1.3",
             "externalIdentifier": [{"type": "ExternalIdentifier", "externalIdentifierType": "cpe23",
                "identifier": "cpe:2.3:*:*:zlib:1.3:*:*:*:*:*:*:*"}],
             "verifiedUsing": [{"type": "Hash", "algorithm": "sha256", "hashValue": "ef".repeat(32)}]},
            {"type": "software_File", "spdxId": "https://example.com/f", "name": "f"},
            {"type": "Relationship", "spdxId": "https://example.com/r", "from": "https://example.com/image",
             "relationshipType": "contains", "to": ["https://example.com/zlib"]},
            {"type": "security_Vulnerability", "spdxId": "https://example.com/v",
             "externalIdentifier": [{"externalIdentifierType": "cve", "identifier": "CVE-2023-45853"}]},
            {"type": "security_VexNotAffectedVulnAssessmentRelationship", "spdxId": "https://example.com/x",
             "creationInfo": "_:c", "from": "https://example.com/v", "relationshipType": "doesNotAffect",
             "security_justificationType": "vulnerableCodeNotPresent", "to": ["https://example.com/zlib"]},
            {"type": "security_VexNotAffectedVulnAssessmentRelationship", "spdxId": "https://example.com/y",
             "creationInfo": "_:c", "from": "https://example.com/v", "relationshipType": "doesNotAffect",
             "to": ["https://example.com/zlib"]},
        ],
    }));
    assert_eq!(sbom.format, SbomFormat::Spdx3("3.0.1".into()));
    assert_eq!(sbom.creators, ["Maker"]);
    assert_eq!(sbom.components.len(), 2);
    assert_eq!(sbom.subject, Some(0));
    assert_eq!(sbom.components[1].parent, Some(0));
    assert_eq!(sbom.components[1].cpes.len(), 1);
    assert_eq!(sbom.components[1].hashes.len(), 1);
    assert_eq!(sbom.statements.len(), 1);
    assert_eq!(sbom.statements[0].claim().author, "Maker");
    assert_eq!(remarks(&sbom), ["not-used @graph", "refused @graph[10]"]);
}

#[test]
fn what_is_no_sbom_is_refused_with_a_hint() {
    for (text, unsupported) in [
        ("{}", true),
        ("[]", true),
        ("{\"a\":1,\"a\":2}", false),
        ("", false),
        ("{", false),
        ("# only a comment", true),
        ("{\"@context\":\"https://spdx.org/\",\"@graph\":[]}", true),
    ] {
        let error = Sbom::parse(text.as_bytes()).unwrap_err();
        assert_eq!(matches!(error, AdvisoryError::Unsupported(_)), unsupported, "{text}: {error}");
        assert!(!error.hint().is_empty());
    }
    let large = vec![b' '; SBOM_BYTES_MAX + 1];
    assert!(matches!(Sbom::parse(&large), Err(AdvisoryError::TooLarge { .. })));
}

#[test]
fn remarks_are_bounded_and_counted() {
    let components: Vec<Value> = (0..1_500).map(|_| json!({"type": "library"})).collect();
    let sbom =
        sbom(&json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components}));
    assert_eq!(sbom.remarks.count(), 1_500);
    assert_eq!(sbom.remarks.list().len(), 1_000);
    assert!(sbom.remarks.list().iter().all(|remark| remark.kind == RemarkKind::Malformed));
}
