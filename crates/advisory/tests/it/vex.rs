//! Statements in all three forms and from one to the others.

use crate::world::sbom;
use advisory::{
    Claim, DocumentInfo, Justification, Product, Statement, Status, VersionClaim, VexDocument,
    VexFormat, VulnerabilityId,
};
use crypto::UnixTime;
use proptest::prelude::*;
use serde_json::{Value, json};

fn info() -> DocumentInfo {
    DocumentInfo {
        id: "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79".into(),
        author: "Maker".into(),
        author_url: "https://maker.example/".into(),
        at: UnixTime(1_795_000_000),
    }
}

fn claim(status: Status) -> Claim {
    Claim {
        vulnerability: VulnerabilityId::new("CVE-2026-1").unwrap(),
        aliases: vec![VulnerabilityId::new("GHSA-aaaa-bbbb-cccc").unwrap()],
        products: vec![Product {
            purl: Some("pkg:cargo/a@1.0.0".parse().unwrap()),
            ..Product::default()
        }],
        status,
        author: "Maker".into(),
        at: Some(UnixTime(1_795_000_000)),
        expires: None,
        detail: None,
    }
}

fn there_and_back(format: VexFormat, statement: &Statement) -> Vec<Statement> {
    let text = VexDocument::write(format, &info(), std::slice::from_ref(statement)).unwrap();
    let document = VexDocument::parse(text.as_bytes()).unwrap();
    assert_eq!(document.format, format);
    assert_eq!(document.remarks.list(), [], "{text}");
    document.statements
}

#[test]
fn every_form_comes_back() {
    let not_affected = |justification, impact: Option<&str>| Status::NotAffected {
        justification,
        impact: impact.map(str::to_owned),
    };
    for status in [
        not_affected(Some(Justification::VulnerableCodeNotPresent), Some("not built")),
        not_affected(None, Some("not built")),
        not_affected(Some(Justification::VulnerableCodeNotPresent), None),
        Status::Affected { action: Some("update".into()) },
        Status::Fixed,
        Status::UnderInvestigation,
    ] {
        let statement = Statement::new(claim(status)).unwrap();
        for format in VexFormat::ALL {
            let [back] = there_and_back(format, &statement).try_into().unwrap();
            let (a, b) = (statement.claim(), back.claim());
            assert_eq!(
                (&a.vulnerability, &a.aliases, &a.status),
                (&b.vulnerability, &b.aliases, &b.status)
            );
            assert_eq!((&a.author, a.at), (&b.author, b.at), "{}", format.name());
            assert_eq!(a.products[0].purl, b.products[0].purl);
        }
    }
}

#[test]
fn every_justification_has_its_nearest_word() {
    for justification in Justification::all() {
        let statement = Statement::new(claim(Status::NotAffected {
            justification: Some(justification),
            impact: None,
        }))
        .unwrap();
        for format in VexFormat::ALL {
            let [back] = there_and_back(format, &statement).try_into().unwrap();
            let Status::NotAffected { justification: Some(found), .. } = back.claim().status else {
                panic!("{justification:?} got lost in {}", format.name());
            };
            match format {
                VexFormat::CycloneDx => assert_eq!(found.cyclonedx(), justification.cyclonedx()),
                _ => assert_eq!(found.openvex(), justification.openvex()),
            }
        }
    }
    assert_eq!(
        Justification::from_spdx("componentNotPresent"),
        Some(Justification::ComponentNotPresent)
    );
    assert_eq!(Justification::from_openvex("because"), None);
}

#[test]
fn parts_of_products_and_versions() {
    let part = Product { purl: Some("pkg:cargo/a".parse().unwrap()), ..Product::default() };
    let mut with_parts = claim(Status::Fixed);
    with_parts.products = vec![Product {
        purl: Some("pkg:generic/gate@2.4.1".parse().unwrap()),
        subcomponents: vec![part.clone()],
        ..Product::default()
    }];
    let statement = Statement::new(with_parts).unwrap();
    for format in [VexFormat::OpenVex, VexFormat::Csaf] {
        let [back] = there_and_back(format, &statement).try_into().unwrap();
        assert_eq!(back.claim().products, statement.claim().products);
    }
    let mut ranged = claim(Status::Fixed);
    ranged.products =
        vec![Product { versions: vec![VersionClaim::Range("vers:cargo/<2.0.0".into())], ..part }];
    let statement = Statement::new(ranged).unwrap();
    for format in [VexFormat::CycloneDx, VexFormat::Csaf] {
        let [back] = there_and_back(format, &statement).try_into().unwrap();
        assert_eq!(back.claim().products[0].versions, statement.claim().products[0].versions);
    }
}

#[test]
fn what_nobody_may_say_is_refused() {
    let refused = |claim: Claim| Statement::new(claim).unwrap_err().to_string();
    let silent = claim(Status::NotAffected { justification: None, impact: None });
    assert!(refused(silent).contains("without justification or impact"));
    let mut nothing = claim(Status::Fixed);
    nothing.products.clear();
    assert!(refused(nothing).contains("names no product"));
    let mut nameless = claim(Status::Fixed);
    nameless.products = vec![Product::default()];
    assert!(refused(nameless).contains("names no product"));
    assert!(VexDocument::write(VexFormat::OpenVex, &info(), &[]).is_err());
    // CSAF cannot hold two opinions about one product, nor name one by its document alone.
    let both = [
        Statement::new(claim(Status::Fixed)).unwrap(),
        Statement::new(claim(Status::UnderInvestigation)).unwrap(),
    ];
    assert!(VexDocument::write(VexFormat::Csaf, &info(), &both).is_err());
    assert!(VexDocument::write(VexFormat::OpenVex, &info(), &both).is_ok());
    let mut by_name = claim(Status::Fixed);
    by_name.products =
        vec![Product { reference: Some("https://gate.example/".into()), ..Product::default() }];
    let statement = [Statement::new(by_name).unwrap()];
    assert!(VexDocument::write(VexFormat::Csaf, &info(), &statement).is_err());
}

#[test]
fn cyclonedx_analyses() {
    let document = |analysis: Value, affects: Value| {
        sbom(&json!({"bomFormat": "CycloneDX", "specVersion": "1.6",
            "metadata": {"timestamp": "2026-11-01T00:00:00Z", "supplier": {"name": "S"}},
            "components": [{"type": "library", "name": "a", "bom-ref": "a", "purl": "pkg:cargo/a@1.0.0"}],
            "vulnerabilities": [{"id": "CVE-1", "analysis": analysis, "affects": affects}]}))
    };
    let here = json!([{"ref": "a"}]);
    let status = |analysis: Value| {
        document(analysis, here.clone())
            .statements
            .first()
            .map(|statement| statement.claim().status.clone())
    };
    let why = Some("because".to_owned());
    assert_eq!(
        status(
            json!({"state": "not_affected", "justification": "requires_configuration", "detail": "because"})
        ),
        Some(Status::NotAffected {
            justification: Some(Justification::RequiresConfiguration),
            impact: why.clone()
        })
    );
    assert_eq!(
        status(json!({"state": "false_positive", "detail": "because"})),
        Some(Status::NotAffected { justification: None, impact: why })
    );
    assert_eq!(
        status(json!({"state": "exploitable", "response": ["update", "workaround_available"]})),
        Some(Status::Affected { action: Some("update, workaround_available".into()) })
    );
    assert_eq!(status(json!({"state": "resolved"})), Some(Status::Fixed));
    assert_eq!(status(json!({"state": "in_triage"})), Some(Status::UnderInvestigation));
    for wrong in [json!({"state": "not_affected"}), json!({"state": "fine"}), json!({}), json!("x")]
    {
        assert_eq!(status(wrong), None);
    }
    // Versions said to be affected are not what "not affected" is about.
    let affects = json!([{"ref": "a", "versions": [{"version": "1.0.0", "status": "affected"}]}]);
    assert_eq!(document(json!({"state": "not_affected", "detail": "x"}), affects).statements, []);
    let elsewhere = document(json!({"state": "resolved"}), json!([{"ref": "nowhere"}]));
    assert_eq!(elsewhere.statements, []);
    assert_eq!(elsewhere.remarks.list()[0].kind.name(), "dangling");
}

proptest! {
    /// Whatever is said in words comes back as it was said, as one line.
    #[test]
    fn words_come_back(impact in "[ -~あ-ん]{1,60}", id in "[A-Z]{2,5}-[0-9]{1,6}") {
        prop_assume!(!impact.trim().is_empty());
        let mut said = claim(Status::NotAffected { justification: None, impact: Some(impact.trim().to_owned()) });
        said.vulnerability = VulnerabilityId::new(&id).unwrap();
        said.aliases.clear();
        let statement = Statement::new(said).unwrap();
        for format in VexFormat::ALL {
            let back = there_and_back(format, &statement);
            prop_assert_eq!(&back[0].claim().status, &statement.claim().status);
            prop_assert_eq!(&back[0].claim().vulnerability, &statement.claim().vulnerability);
        }
    }
}
