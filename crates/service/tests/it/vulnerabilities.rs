//! What is known against software, from both sides, and what becomes of it.

use crate::world::{Org, TestClock, World, config, open, product};
use advisory::{CraItem, CraKind, CraStep, Purl, Status};
use crypto::UnixTime;
use device::{DeviceKind, Language};
use policy::{Role, Roles};
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use serde_json::{Value, json};
use service::{
    AdvisoryResult, Caller, CaseChange, Config, ErrorKind, ExposureStatus, FleetSide, NewCase,
    NewSbom, NewStatement, Page, Service, VexImport, VulnerabilityDetail, VulnerabilityQuery,
    VulnerabilityState, fault,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// An OSV record of a package of crates.io.
pub(crate) fn osv(id: &str, package: &str, fixed: &str, modified: i64) -> Value {
    json!({
        "schema_version": "1.7.0",
        "id": id,
        "modified": UnixTime(modified).to_string(),
        "summary": format!("{package} is broken"),
        "affected": [{
            "package": {"ecosystem": "crates.io", "name": package},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": fixed}]}],
        }],
    })
}

fn kev(names: &[&str], released: i64) -> Value {
    let list: Vec<Value> =
        names.iter().map(|name| json!({"cveID": name, "dateAdded": "2026-01-01"})).collect();
    json!({
        "catalogVersion": "1",
        "dateReleased": UnixTime(released).to_string(),
        "vulnerabilities": list,
    })
}

pub(crate) fn bom(packages: &[(&str, &str)]) -> Value {
    let components: Vec<Value> = packages
        .iter()
        .map(|(name, version)| {
            json!({"type": "library", "name": name, "version": version,
                "purl": format!("pkg:cargo/{name}@{version}")})
        })
        .collect();
    json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components})
}

async fn import(world: &World, org: &Org, document: &Value) -> AdvisoryResult {
    let bytes = vec![document.to_string().into_bytes()];
    let outcomes =
        world.service.import_advisories(&org.admin, &org.id, "test", bytes).await.unwrap();
    outcomes.into_iter().next().unwrap().result
}

pub(crate) async fn import_for_all(world: &World, document: &Value) -> AdvisoryResult {
    let platform = crate::world::id("platform");
    let bytes = vec![document.to_string().into_bytes()];
    let admin = &world.platform_admin;
    let outcomes = world.service.import_advisories(admin, &platform, "test", bytes).await.unwrap();
    outcomes.into_iter().next().unwrap().result
}

pub(crate) async fn attach(
    world: &World,
    org: &Org,
    line: &str,
    version: &str,
    name: &str,
    bom: &Value,
) {
    let new = NewSbom {
        organisation: org.id.clone(),
        product: product(line),
        version: version.into(),
        name: name.into(),
        bytes: bom.to_string().into_bytes(),
    };
    world.service.attach_sbom(&org.station, new).await.unwrap();
}

/// Waits until everything is judged.
pub(crate) async fn judged(service: &Service, org: &Org) {
    for _ in 0..6_000 {
        let known = service.advisory_knowledge(&org.admin, &org.id).await.unwrap();
        if known.waiting == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it is never judged");
}

async fn names(service: &Service, org: &Org, state: VulnerabilityState) -> Vec<String> {
    let wanted = VulnerabilityQuery { state, ..VulnerabilityQuery::default() };
    let (mut names, mut page) = (Vec::new(), Page { after: None, limit: 2 });
    loop {
        let found = service.vulnerabilities(&org.admin, &org.id, &wanted, &page).await.unwrap();
        names.extend(found.items.into_iter().map(|line| line.name));
        match found.next {
            Some(next) => page.after = Some(next),
            None => return names,
        }
    }
}

async fn detail(service: &Service, org: &Org, id: &str) -> VulnerabilityDetail {
    service.vulnerability(&org.admin, &org.id, id).await.unwrap()
}

fn statement(org: &Org, version: Option<&str>, id: &str, status: &str) -> NewStatement {
    NewStatement {
        organisation: org.id.clone(),
        product: product("gate"),
        version: version.map(str::to_owned),
        vulnerability: id.into(),
        component: None,
        status: status.into(),
        justification: (status == "not_affected").then(|| "vulnerable_code_not_present".into()),
        impact: None,
        action: None,
        expires: None,
    }
}

async fn maker() -> (World, Org) {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    (world, maker)
}

/// Until an exposure is as wanted: what depends on the time is found in the background.
async fn until(
    service: &Service,
    org: &Org,
    id: &str,
    wanted: impl Fn(&VulnerabilityDetail) -> bool,
) -> VulnerabilityDetail {
    for _ in 0..6_000 {
        let found = detail(service, org, id).await;
        if wanted(&found) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never comes to that");
}

#[tokio::test]
async fn software_and_advisories_find_each_other() {
    let (world, maker) = maker().await;
    let service = &world.service;
    // First the software, then what is known …
    attach(&world, &maker, "gate", "1.0", "os", &bom(&[("serde", "1.0.0"), ("rand", "0.8.0")]))
        .await;
    judged(service, &maker).await;
    assert!(names(service, &maker, VulnerabilityState::All).await.is_empty());
    let stored = import_for_all(&world, &osv("RUSTSEC-2026-0001", "serde", "1.0.1", 100)).await;
    assert_eq!(stored, AdvisoryResult::Stored { taken: 1, withdrawn: 0, remarks: 0 });
    judged(service, &maker).await;
    let found = detail(service, &maker, "RUSTSEC-2026-0001").await;
    assert_eq!(found.line.status, ExposureStatus::Affected);
    assert!(!found.line.private && found.exposures[0].certain && !found.exposures[0].judged);
    assert_eq!(found.exposures[0].version, "1.0");
    assert_eq!(found.exposures[0].components[0].label, "serde@1.0.0");
    assert_eq!(found.exposures[0].components[0].reasons[0].code, "version-in-range");
    assert_eq!(found.line.fixed, ["1.0.1"]);
    // … then other software.
    attach(&world, &maker, "gate", "2.0", "os", &bom(&[("serde", "1.0.0")])).await;
    attach(&world, &maker, "gate", "3.0", "os", &bom(&[("serde", "1.0.1")])).await;
    judged(service, &maker).await;
    let found = detail(service, &maker, "RUSTSEC-2026-0001").await;
    let versions: Vec<_> = found.exposures.iter().map(|at| at.version.as_str()).collect();
    assert_eq!(versions, ["1.0", "2.0"]);
    // The same bytes again, an older record, a newer one.
    let again = import_for_all(&world, &osv("RUSTSEC-2026-0001", "serde", "1.0.1", 100)).await;
    assert_eq!(again, AdvisoryResult::Unchanged);
    let older = import_for_all(&world, &osv("RUSTSEC-2026-0001", "serde", "0.5.0", 99)).await;
    assert_eq!(older, AdvisoryResult::Older);
    let mut newer = osv("RUSTSEC-2026-0001", "rand", "0.9.0", 101);
    newer["aliases"] = json!(["CVE-2026-1"]);
    import_for_all(&world, &newer).await;
    judged(service, &maker).await;
    let found = detail(service, &maker, "RUSTSEC-2026-0001").await;
    assert_eq!(found.line.name, "CVE-2026-1");
    assert_eq!((found.line.open, found.exposures.len()), (1, 1));
    assert_eq!(found.exposures[0].components[0].label, "rand@0.8.0");
    // Known to be exploited, and no more; withdrawn.
    import_for_all(&world, &kev(&["CVE-2026-1", "CVE-2026-2"], 50)).await;
    judged(service, &maker).await;
    assert!(detail(service, &maker, "CVE-2026-1").await.line.exploited.is_some());
    let gate = |version: &'static str| {
        let (service, maker) = (&world.service, &maker);
        async move {
            let product = product("gate");
            service.vulnerability_gate(&maker.admin, &maker.id, &product, version).await.unwrap()
        }
    };
    let blocked = gate("1.0").await;
    assert_eq!((blocked.sboms, blocked.waiting, blocked.blocking.len()), (1, 0, 1));
    assert!(!blocked.is_open() && gate("3.0").await.is_open());
    assert_eq!(import_for_all(&world, &kev(&[], 49)).await, AdvisoryResult::Older);
    import_for_all(&world, &kev(&["CVE-2026-2"], 51)).await;
    judged(service, &maker).await;
    assert_eq!(detail(service, &maker, "CVE-2026-1").await.line.exploited, None);
    newer["withdrawn"] = json!("2026-01-01T00:00:00Z");
    newer["modified"] = json!(UnixTime(102).to_string());
    import_for_all(&world, &newer).await;
    judged(service, &maker).await;
    assert!(names(service, &maker, VulnerabilityState::All).await.is_empty());
    let gone = detail(service, &maker, "CVE-2026-1").await;
    assert!(gone.exposures[0].closed_at.is_some());
    let notes: Vec<_> = gone.exposures[0].notes.iter().map(|note| note.1.as_str()).collect();
    assert_eq!(notes, ["gone", "exploited", "status", "found"]);
    // What nobody can read says so and stops nothing.
    let platform = crate::world::id("platform");
    let documents = vec![
        b"{".to_vec(),
        b"{\"id\": \"x y\"}".to_vec(),
        osv("A-1", "serde", "9.0.0", 1).to_string().into_bytes(),
    ];
    let outcomes = service
        .import_advisories(&world.platform_admin, &platform, "test", documents)
        .await
        .unwrap();
    assert!(matches!(outcomes[0].result, AdvisoryResult::Refused { .. }));
    assert!(matches!(outcomes[1].result, AdvisoryResult::Refused { .. }));
    assert!(matches!(outcomes[2].result, AdvisoryResult::Stored { .. }));
}

#[tokio::test]
async fn a_document_takes_back_what_it_leaves_out() {
    let (world, maker) = maker().await;
    let service = &world.service;
    attach(&world, &maker, "gate", "1.0", "os", &bom(&[("serde", "1.0.0")])).await;
    let csaf = |version: &str, date: &str, cves: &[&str]| {
        let vulnerabilities: Vec<Value> = cves
            .iter()
            .map(|cve| json!({"cve": cve, "product_status": {"known_affected": ["P"]}}))
            .collect();
        json!({
            "document": {
                "category": "csaf_security_advisory", "csaf_version": "2.0", "title": "t",
                "publisher": {"category": "vendor", "name": "V", "namespace": "https://v.example"},
                "tracking": {"id": "V-1", "status": "final", "version": version,
                    "initial_release_date": "2026-01-01T00:00:00Z",
                    "current_release_date": date, "revision_history": []},
            },
            "product_tree": {"full_product_names": [{"product_id": "P", "name": "serde",
                "product_identification_helper": {"purl": "pkg:cargo/serde@1.0.0"}}]},
            "vulnerabilities": vulnerabilities,
        })
    };
    let day = |day: u32| format!("2026-01-0{day}T00:00:00Z");
    import_for_all(&world, &csaf("1", &day(2), &["CVE-2026-1", "CVE-2026-2"])).await;
    judged(service, &maker).await;
    assert_eq!(names(service, &maker, VulnerabilityState::Open).await.len(), 2);
    let older = import_for_all(&world, &csaf("0", &day(1), &["CVE-2026-3"])).await;
    assert_eq!(older, AdvisoryResult::Older);
    import_for_all(&world, &csaf("2", &day(3), &["CVE-2026-2"])).await;
    judged(service, &maker).await;
    assert_eq!(names(service, &maker, VulnerabilityState::Open).await, ["CVE-2026-2"]);
}

#[tokio::test]
async fn what_is_dated_in_the_future_stands_in_the_way_of_nothing() {
    let (world, maker) = maker().await;
    let service = &world.service;
    attach(&world, &maker, "gate", "1.0", "os", &bom(&[("serde", "1.0.0")])).await;
    let far = service.now().plus(100 * 365 * 86_400).0;
    // Somebody who could write to the feed once says that all is well, for ever.
    let none = osv("X-1", "serde", "0.0.1", far);
    assert!(matches!(import_for_all(&world, &none).await, AdvisoryResult::Stored { .. }));
    import_for_all(&world, &kev(&["CVE-2026-9"], far)).await;
    world.clock.advance(3600);
    let now = service.now().0;
    let true_one = import_for_all(&world, &osv("X-1", "serde", "1.0.5", now - 60)).await;
    assert!(matches!(true_one, AdvisoryResult::Stored { .. }), "{true_one:?}");
    let true_one = import_for_all(&world, &kev(&["X-1"], now - 60)).await;
    assert!(matches!(true_one, AdvisoryResult::Stored { .. }), "{true_one:?}");
    judged(service, &maker).await;
    assert_eq!(names(service, &maker, VulnerabilityState::Open).await, ["X-1"]);
}

#[tokio::test]
async fn a_judgement_is_reopened_and_never_lost() {
    let (world, maker) = maker().await;
    let service = &world.service;
    attach(&world, &maker, "gate", "1.0", "os", &bom(&[("serde", "1.0.0")])).await;
    attach(&world, &maker, "gate", "2.0", "os", &bom(&[("serde", "1.0.0")])).await;
    let mut record = osv("CVE-2026-1", "serde", "1.0.1", 100);
    import_for_all(&world, &record).await;
    judged(service, &maker).await;

    // Who says nothing about why says nothing.
    let mut empty = statement(&maker, Some("1.0"), "CVE-2026-1", "not_affected");
    empty.justification = None;
    let refused = service.make_statement(&maker.admin, empty).await.unwrap_err();
    assert_eq!(refused.code(), "vex-refused");
    let nowhere = statement(&maker, None, "CVE-2026-77", "affected");
    let refused = service.make_statement(&maker.admin, nowhere).await.unwrap_err();
    assert_eq!(refused.code(), "vex-component");
    let wrong = statement(&maker, None, "CVE-2026-1", "fine");
    assert_eq!(service.make_statement(&maker.admin, wrong).await.unwrap_err().code(), "vex-status");

    let one = statement(&maker, Some("1.0"), "CVE-2026-1", "not_affected");
    let said = service.make_statement(&maker.admin, one.clone()).await.unwrap();
    assert!(said.own && said.said_by.starts_with("member maker/"));
    judged(service, &maker).await;
    let found = detail(service, &maker, "CVE-2026-1").await;
    let status: Vec<_> = found.exposures.iter().map(|at| at.status).collect();
    assert_eq!(status, [ExposureStatus::NotAffected, ExposureStatus::Affected]);
    assert!(found.exposures[0].judged && found.exposures[0].reopened_at.is_none());

    // A change that says nothing new reopens nothing; a worse one does.
    record["modified"] = json!(UnixTime(101).to_string());
    record["details"] = json!("a typing error less");
    import_for_all(&world, &record).await;
    judged(service, &maker).await;
    let found = detail(service, &maker, "CVE-2026-1").await;
    assert_eq!(found.exposures[0].status, ExposureStatus::NotAffected);
    record["modified"] = json!(UnixTime(102).to_string());
    record["severity"] =
        json!([{"type": "CVSS_V3", "score": "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]);
    import_for_all(&world, &record).await;
    judged(service, &maker).await;
    let found = detail(service, &maker, "CVE-2026-1").await;
    assert_eq!(found.exposures[0].status, ExposureStatus::UnderInvestigation);
    assert_eq!(found.exposures[0].reopened_why.as_deref(), Some("advisory-changed"));
    assert_eq!(found.exposures[0].said.len(), 1, "the judgement is still there to be seen");
    assert_eq!(names(service, &maker, VulnerabilityState::Reopened).await, ["CVE-2026-1"]);

    // Judged anew, until a time.
    world.clock.advance(10);
    let until_then = UnixTime(service.now().0 + 3_600);
    let again = NewStatement { expires: Some(until_then), ..one };
    let last = service.make_statement(&maker.admin, again).await.unwrap();
    judged(service, &maker).await;
    let found = detail(service, &maker, "CVE-2026-1").await;
    assert_eq!(found.exposures[0].status, ExposureStatus::NotAffected);
    assert!(found.exposures[0].reopened_at.is_none());
    service.withdraw_statement(&maker.admin, &maker.id, &said.id).await.unwrap();
    judged(service, &maker).await;
    let found = detail(service, &maker, "CVE-2026-1").await;
    assert_eq!(found.exposures[0].status, ExposureStatus::NotAffected, "the later one holds");
    world.clock.advance(3_600);
    let found = until(service, &maker, "CVE-2026-1", |found| {
        found.exposures[0].status == ExposureStatus::Affected
    })
    .await;
    assert_eq!(found.exposures[0].reopened_why.as_deref(), Some("no-longer-covered"));
    service.withdraw_statement(&maker.admin, &maker.id, &last.id).await.unwrap();
    let twice = service.withdraw_statement(&maker.admin, &maker.id, &last.id).await.unwrap_err();
    assert_eq!(twice.code(), "withdrawn");

    // Another vulnerability that is joined to it is not silenced with it.
    let all = statement(&maker, None, "CVE-2026-1", "not_affected");
    service.make_statement(&maker.admin, all).await.unwrap();
    judged(service, &maker).await;
    let found = detail(service, &maker, "CVE-2026-1").await;
    assert_eq!(found.line.open, 0);
    assert!(found.line.settled_at.is_some());
    record["modified"] = json!(UnixTime(103).to_string());
    record["aliases"] = json!(["CVE-2026-9"]);
    import_for_all(&world, &record).await;
    judged(service, &maker).await;
    let found = detail(service, &maker, "CVE-2026-1").await;
    assert_eq!((found.line.open, found.line.reopened), (2, 2));
    assert_eq!(found.line.status, ExposureStatus::Affected);

    // An SBOM that is replaced keeps what was said.
    let both = statement(&maker, None, "CVE-2026-9", "not_affected");
    service.make_statement(&maker.admin, both).await.unwrap();
    judged(service, &maker).await;
    let more = bom(&[("serde", "1.0.0"), ("rand", "1.0.0")]);
    attach(&world, &maker, "gate", "1.0", "os", &more).await;
    judged(service, &maker).await;
    let found = detail(service, &maker, "CVE-2026-1").await;
    assert_eq!((found.line.open, found.line.reopened), (0, 0), "{found:?}");
    let events = service
        .audit_trail(
            &maker.admin,
            &service::AuditQuery {
                organisation: Some(maker.id.clone()),
                kind: Some(audit::Kind::Vulnerability),
                ..service::AuditQuery::default()
            },
            &Page::default(),
        )
        .await
        .unwrap();
    let reopened = format!("{:?}", events.items).matches("judgement-reopened").count();
    assert_eq!(reopened, 4, "twice for 1.0 by itself, and once for each by the alias");
}

#[tokio::test]
async fn statements_go_out_and_come_in() {
    let (world, maker) = maker().await;
    let service = &world.service;
    attach(&world, &maker, "gate", "1.0", "os", &bom(&[("serde", "1.0.0"), ("rand", "1.0.0")]))
        .await;
    import_for_all(&world, &osv("CVE-2026-1", "serde", "1.0.1", 100)).await;
    import_for_all(&world, &osv("CVE-2026-2", "rand", "1.0.1", 100)).await;
    let said = |id: &str, component: Option<&str>| NewStatement {
        component: component.map(str::to_owned),
        ..statement(&maker, Some("1.0"), id, "not_affected")
    };
    service
        .make_statement(&maker.admin, said("CVE-2026-1", Some("pkg:cargo/serde")))
        .await
        .unwrap();
    service
        .make_statement(&maker.admin, said("CVE-2026-2", Some("pkg:cargo/serde")))
        .await
        .unwrap();
    judged(service, &maker).await;
    let open = names(service, &maker, VulnerabilityState::Open).await;
    assert_eq!(open, ["CVE-2026-2"], "a statement about another component says nothing");
    for format in advisory::VexFormat::ALL {
        let text = service
            .export_vex(&maker.admin, &maker.id, &product("gate"), Some("1.0"), format)
            .await
            .unwrap();
        let document = advisory::VexDocument::parse(text.as_bytes()).unwrap();
        assert_eq!(document.format, format);
        assert_eq!(document.statements.len(), 2, "{text}");
        for statement in &document.statements {
            assert!(matches!(statement.claim().status, Status::NotAffected { .. }));
        }
    }
    let none = service
        .export_vex(&maker.admin, &maker.id, &product("gate"), None, advisory::VexFormat::OpenVex)
        .await;
    assert!(none.is_ok(), "what is said of one version is among what is said of the product");

    // A supplier's document, and one's own word against it.
    let supplier = json!({
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://s.example/1",
        "author": "Supplier", "timestamp": "2026-01-01T00:00:00Z", "version": 1,
        "statements": [
            {"vulnerability": {"name": "CVE-2026-2"}, "status": "not_affected",
             "justification": "component_not_present", "timestamp": "2026-01-01T00:00:00Z",
             "products": [{"@id": "pkg:cargo/rand@1.0.0"}]},
            {"vulnerability": {"name": "CVE-2026-3"}, "status": "affected",
             "timestamp": "2026-01-01T00:00:00Z",
             "products": [{"@id": "pkg:cargo/rand"}]},
            {"vulnerability": {"name": "CVE-2026-4"}, "status": "not_affected",
             "products": [{"@id": "pkg:cargo/rand"}]},
        ],
    });
    let import = VexImport {
        organisation: maker.id.clone(),
        product: product("gate"),
        version: None,
        own: false,
        bytes: supplier.to_string().into_bytes(),
    };
    let (count, remarks) = service.import_vex(&maker.admin, import.clone()).await.unwrap();
    assert_eq!(count, 2);
    assert!(remarks.iter().any(|remark| remark.starts_with("refused")), "{remarks:?}");
    judged(service, &maker).await;
    assert_eq!(names(service, &maker, VulnerabilityState::Open).await, ["CVE-2026-3"]);
    let warned = detail(service, &maker, "CVE-2026-3").await;
    assert!(warned.line.private && !warned.exposures[0].said[0].own);
    service
        .make_statement(&maker.admin, statement(&maker, None, "CVE-2026-2", "affected"))
        .await
        .unwrap();
    judged(service, &maker).await;
    let found = detail(service, &maker, "CVE-2026-2").await;
    assert_eq!(found.line.status, ExposureStatus::Affected);
    assert!(found.exposures[0].judged);
    let empty = VexImport { bytes: b"{}".to_vec(), ..import };
    assert_eq!(service.import_vex(&maker.admin, empty).await.unwrap_err().code(), "vex");
}

#[tokio::test]
async fn what_is_ones_own_stays_so() {
    let (world, maker) = maker().await;
    let other = world.maker("other", "gate", DeviceKind::Device).await;
    let service = &world.service;
    for org in [&maker, &other] {
        attach(&world, org, "gate", "1.0", "os", &bom(&[("serde", "1.0.0")])).await;
    }
    // An organisation's own advisory concerns its own products alone.
    import(&world, &maker, &osv("MAKER-1", "serde", "2.0.0", 1)).await;
    import(&world, &maker, &kev(&["CVE-2026-5"], 1)).await;
    import_for_all(&world, &osv("CVE-2026-5", "serde", "2.0.0", 1)).await;
    judged(service, &maker).await;
    judged(service, &other).await;
    assert_eq!(names(service, &maker, VulnerabilityState::All).await, ["CVE-2026-5", "MAKER-1"]);
    assert_eq!(names(service, &other, VulnerabilityState::All).await, ["CVE-2026-5"]);
    let theirs = detail(service, &other, "CVE-2026-5").await;
    assert_eq!(theirs.line.exploited, None);
    assert!(detail(service, &maker, "MAKER-1").await.line.private);
    let hidden = service.vulnerability(&other.admin, &other.id, "MAKER-1").await.unwrap_err();
    assert_eq!(hidden.kind(), ErrorKind::NotFound);
    // Strangers are told nothing, readers change nothing.
    let denied = |caller: &Caller| {
        let (service, maker, caller) = (service.clone(), maker.id.clone(), caller.clone());
        async move {
            let page = Page::default();
            let wanted = VulnerabilityQuery::default();
            let list = service.vulnerabilities(&caller, &maker, &wanted, &page).await.unwrap_err();
            let one = service.vulnerability(&caller, &maker, "MAKER-1").await.unwrap_err();
            let known = service.advisory_knowledge(&caller, &maker).await.unwrap_err();
            let software = service.software(&caller, &maker, &product("gate"), &page).await;
            let said = service.statements(&caller, &maker, &page).await.unwrap_err();
            let kinds = [list, one, known, software.unwrap_err(), said].map(|error| error.kind());
            assert!(kinds.iter().all(|kind| *kind == kinds[0]), "{kinds:?}");
            kinds[0]
        }
    };
    assert_eq!(denied(&other.admin).await, ErrorKind::NotFound);
    let (station, _) = world.member(&maker.id, "only", Roles::of(&[Role::Station])).await;
    assert_eq!(denied(&station).await, ErrorKind::Forbidden);
    let said = statement(&maker, None, "MAKER-1", "not_affected");
    for caller in [&maker.reader, &other.admin, &world.platform_admin] {
        assert!(service.make_statement(caller, said.clone()).await.is_err());
        let none = service.import_advisories(caller, &maker.id, "test", Vec::new()).await;
        assert!(none.is_err());
    }
    let made = service.make_statement(&maker.admin, said).await.unwrap();
    let stolen = service.withdraw_statement(&other.admin, &other.id, &made.id).await.unwrap_err();
    assert_eq!(stolen.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_watched_folder_is_read_file_by_file() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("crates.io");
    std::fs::create_dir(&inner).unwrap();
    let write = |name: &str, text: &str| {
        // As whoever feeds the folder should: under another name first.
        std::fs::write(folder.path().join(".part"), text).unwrap();
        std::fs::rename(folder.path().join(".part"), folder.path().join(name)).unwrap();
    };
    write("crates.io/a.json", &osv("CVE-2026-1", "serde", "1.0.1", 100).to_string());
    write("bad.json", "{\"id\": ");
    write("ignored.txt", "nothing");
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link.json")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let config =
        Config { advisories: Some(folder.path().to_owned()), advisories_ms: 20, ..config() };
    let world = World::at(dir.path(), config.clone()).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let platform = crate::world::id("platform");
    let admin = world.platform_admin.clone();
    let known = async |documents: u64, troubled: u64| {
        for _ in 0..3_000 {
            let known = world.service.advisory_knowledge(&admin, &platform).await.unwrap();
            if (known.documents, known.troubled) == (documents, troubled) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("never {documents} documents and {troubled} in trouble");
    };
    known(1, 1).await;
    let page = Page::default();
    let troubled = world.service.troubled_files(&admin, &page).await.unwrap().items;
    assert_eq!(troubled[0].path, "bad.json");
    assert!(
        troubled[0].trouble.contains("JSON") || troubled[0].trouble.contains("not an advisory")
    );
    let denied = world.service.troubled_files(&maker.admin, &page).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Forbidden);
    // Mended, and another; nothing is taken twice.
    write("bad.json", &osv("CVE-2026-2", "serde", "1.0.1", 100).to_string());
    write("c.json", &osv("CVE-2026-3", "serde", "1.0.1", 100).to_string());
    known(3, 0).await;
    attach(&world, &maker, "gate", "1.0", "os", &bom(&[("serde", "1.0.0")])).await;
    judged(&world.service, &maker).await;
    assert_eq!(names(&world.service, &maker, VulnerabilityState::Open).await.len(), 3);
    // What is removed stays known: a folder that is empty for a moment takes no warning away.
    std::fs::remove_file(folder.path().join("c.json")).unwrap();
    write("d.json", &osv("CVE-2026-4", "rand", "1.0.1", 100).to_string());
    known(4, 0).await;
    drop(world);
    let clock = TestClock::new();
    let service = open(dir.path(), config, &clock);
    let known = service.advisory_knowledge(&admin, &platform).await.unwrap();
    assert_eq!(known.documents, 4);
    service.close();
}

/// Whatever was stored is judged, however often the process dies in between.
#[tokio::test]
async fn work_survives_every_death() {
    for point in [fault::BEFORE_COMPONENTS, fault::BEFORE_JUDGEMENT] {
        let dir = tempfile::tempdir().unwrap();
        let broken =
            Config { faults: Some(fault::Faults::injected(move |name| name == point)), ..config() };
        let world = World::at(dir.path(), broken).await;
        let maker = world.maker("maker", "gate", DeviceKind::Device).await;
        attach(&world, &maker, "gate", "1.0", "os", &bom(&[("serde", "1.0.0")])).await;
        import_for_all(&world, &osv("CVE-2026-1", "serde", "1.0.1", 100)).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let known = world.service.advisory_knowledge(&maker.admin, &maker.id).await.unwrap();
        assert!(known.waiting > 0, "{point}");
        drop(world);
        let service = open(dir.path(), config(), &TestClock::new());
        judged(&service, &maker).await;
        assert_eq!(names(&service, &maker, VulnerabilityState::Open).await, ["CVE-2026-1"]);
        service.close();
    }
}

#[tokio::test]
async fn from_a_vulnerability_to_exactly_its_devices() {
    let (world, maker) = maker().await;
    let owner = world.owner("owner").await;
    let service = &world.service;
    let fleet = crate::campaigns::devices(&world, &maker, 4).await;
    let says = |version: &str| service::DeviceSoftware {
        hardware_id: None,
        version: Some(version.to_owned()),
        release_counter: None,
        security_version: None,
        digest: None,
        confirmed: true,
    };
    for (device, version) in fleet.iter().zip(["1.0", "1.0", "2.0", "9.9"]) {
        service.poll_update(&device.1, &says(version)).await.unwrap();
    }
    attach(&world, &maker, "gate", "1.0", "os", &bom(&[("serde", "1.0.0")])).await;
    attach(&world, &maker, "gate", "2.0", "os", &bom(&[("serde", "1.0.1")])).await;
    import_for_all(&world, &osv("CVE-2026-1", "serde", "1.0.1", 100)).await;
    import(&world, &maker, &osv("MAKER-1", "serde", "1.0.1", 100)).await;
    judged(service, &maker).await;
    world.sell(&maker, &owner, &fleet[0].0).await;
    let all = async |org: &Org, side: FleetSide| {
        let (mut all, mut page) = (Vec::new(), Page { after: None, limit: 1 });
        loop {
            let found = service
                .vulnerable_devices(&org.admin, &org.id, side, "CVE-2026-1", &page)
                .await
                .unwrap();
            all.extend(found.items.into_iter().map(|one| one.device));
            match found.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        all.sort();
        all
    };
    let mut both = vec![fleet[0].0, fleet[1].0];
    both.sort();
    assert_eq!(all(&maker, FleetSide::Maker).await, both);
    assert_eq!(all(&maker, FleetSide::Owner).await, [fleet[1].0]);
    assert_eq!(all(&owner, FleetSide::Owner).await, [fleet[0].0]);
    let running =
        service.running_versions(&maker.admin, &maker.id, FleetSide::Maker, "CVE-2026-1").await;
    let running: Vec<_> = running
        .unwrap()
        .into_iter()
        .map(|one| (one.version, one.devices, one.status, one.known))
        .collect();
    let affected = Some(ExposureStatus::Affected);
    assert_eq!(
        running,
        [
            ("1.0".to_owned(), 2, affected, true),
            ("2.0".to_owned(), 1, None, true),
            ("9.9".to_owned(), 1, None, false),
        ]
    );
    // What the maker alone knows is not the owner's to see, and nobody sees strangers' devices.
    let seen = service.fleet_vulnerabilities(&owner.admin, &owner.id, &Page::default()).await;
    let seen: Vec<_> =
        seen.unwrap().items.into_iter().map(|(line, devices)| (line.name, devices)).collect();
    assert_eq!(seen, [("CVE-2026-1".to_owned(), 1)]);
    let page = Page::default();
    for (caller, of, id) in [
        (&owner.admin, &owner.id, "MAKER-1"),
        (&owner.admin, &maker.id, "CVE-2026-1"),
        (&maker.admin, &owner.id, "CVE-2026-1"),
    ] {
        for side in [FleetSide::Owner, FleetSide::Maker] {
            let list = service.vulnerable_devices(caller, of, side, id, &page).await;
            assert_eq!(list.unwrap_err().kind(), ErrorKind::NotFound, "{of} {id}");
            let curve = service.fix_history(caller, of, side, id).await;
            assert_eq!(curve.unwrap_err().kind(), ErrorKind::NotFound, "{of} {id}");
        }
    }
    let mut file = service
        .export_vulnerable(&owner.admin, &owner.id, FleetSide::Owner, "CVE-2026-1", false)
        .await
        .unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = file.next().await {
        bytes.extend(piece.unwrap());
    }
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains(&fleet[0].0.to_string()) && text.contains(",1.0,affected,"), "{text}");
    // The share that is mended, as it was counted.
    let counted = async |affected: u64| {
        for _ in 0..6_000 {
            let curve =
                service.fix_history(&maker.admin, &maker.id, FleetSide::Maker, "CVE-2026-1").await;
            let curve = curve.unwrap();
            if curve.days.last().is_some_and(|day| (day.affected, day.devices) == (affected, 4)) {
                return curve;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never {affected} affected");
    };
    assert_eq!(counted(2).await.time_to_fix_s, None);
    world.clock.advance(86_400);
    service.poll_update(&fleet[0].1, &says("2.0")).await.unwrap();
    service.poll_update(&fleet[1].1, &says("2.0")).await.unwrap();
    world.clock.advance(3_601);
    let curve = counted(0).await;
    assert_eq!(curve.days.len(), 2, "{curve:?}");
    assert_eq!(all(&maker, FleetSide::Maker).await, []);
}

/// A vulnerability is being judged, and not on record yet, when it becomes known to be exploited: the
/// news finds nothing that it concerns, and the duty to report begins all the same.
#[tokio::test]
async fn news_that_comes_while_a_component_is_judged_is_not_lost() {
    let (reached, holds) = std::sync::mpsc::channel();
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let (armed, wait) = (Arc::new(AtomicBool::new(false)), Mutex::new(wait));
    let arms = armed.clone();
    let faults = fault::Faults::injected(move |name| {
        if name == fault::BEFORE_JUDGEMENT && arms.swap(false, Ordering::SeqCst) {
            reached.send(()).unwrap();
            wait.lock().unwrap().recv().unwrap();
        }
        false
    });
    let dir = tempfile::tempdir().unwrap();
    let world = World::at(dir.path(), Config { faults: Some(faults), ..config() }).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let service = &world.service;
    attach(&world, &maker, "gate", "1.0", "os", &bom(&[("serde", "1.0.0")])).await;
    judged(service, &maker).await;
    armed.store(true, Ordering::SeqCst);
    import_for_all(&world, &osv("CVE-2026-1", "serde", "1.0.1", 100)).await;
    tokio::task::spawn_blocking(move || holds.recv().unwrap()).await.unwrap();
    import_for_all(&world, &kev(&["CVE-2026-1"], 50)).await;
    go_on.send(()).unwrap();
    judged(service, &maker).await;
    let page = Page::default();
    let cases = service.cases(&maker.admin, &maker.id, true, &page).await.unwrap().items;
    assert_eq!(cases.len(), 1);
    assert_eq!(cases[0].vulnerability.as_deref(), Some("CVE-2026-1"));
}

#[tokio::test]
async fn what_is_exploited_is_a_duty_with_clocks() {
    let (world, maker) = maker().await;
    let other = world.maker("other", "gate", DeviceKind::Device).await;
    let service = &world.service;
    attach(&world, &maker, "gate", "1.0", "os", &bom(&[("serde", "1.0.0")])).await;
    attach(&world, &maker, "gate", "2.0", "os", &bom(&[("serde", "1.0.1")])).await;
    let mut record = osv("CVE-2026-1", "serde", "1.0.1", 100);
    record["severity"] =
        json!([{"type": "CVSS_V3", "score": "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]);
    import_for_all(&world, &record).await;
    import_for_all(&world, &osv("CVE-2026-2", "serde", "1.0.1", 100)).await;
    judged(service, &maker).await;
    let harmless = statement(&maker, None, "CVE-2026-2", "not_affected");
    service.make_statement(&maker.admin, harmless).await.unwrap();
    judged(service, &maker).await;
    let cases = async || {
        let page = Page::default();
        service.cases(&maker.admin, &maker.id, true, &page).await.unwrap().items
    };
    assert!(cases().await.is_empty());
    let start = service.now();
    import_for_all(&world, &kev(&["CVE-2026-1", "CVE-2026-2", "CVE-2026-3"], 50)).await;
    judged(service, &maker).await;
    // One case, for the one that nobody calls harmless; the other judgement is reopened by the
    // news, and becomes a duty with it.
    let open = cases().await;
    let names: BTreeSet<_> = open.iter().filter_map(|case| case.vulnerability.clone()).collect();
    assert_eq!(names, ["CVE-2026-1".to_owned(), "CVE-2026-2".to_owned()].into());
    let case = open.into_iter().find(|case| case.vulnerability.as_deref() == Some("CVE-2026-1"));
    let case = case.unwrap();
    assert_eq!((case.aware, case.opened_by.as_str()), (start, "platform matching"));
    let due: Vec<_> = case.deadlines.iter().map(|(deadline, _)| deadline.due).collect();
    assert_eq!(due, [Some(start.plus(86_400)), Some(start.plus(3 * 86_400)), None]);
    let watch = service.case_watch(&maker.admin, &maker.id).await.unwrap();
    assert_eq!((watch.open, watch.soon, watch.overdue), (2, 2, 0));
    // The same news again opens nothing.
    import_for_all(&world, &kev(&["CVE-2026-1", "CVE-2026-2"], 51)).await;
    judged(service, &maker).await;
    assert_eq!(cases().await.len(), 2);

    let draft = async |step: CraStep, language: Language| {
        service.case_draft(&maker.admin, &maker.id, &case.id, step, language).await.unwrap()
    };
    let warning = draft(CraStep::EarlyWarning, Language::En).await;
    assert!(warning.missing.is_empty(), "{:?}", warning.missing);
    assert!(warning.text.contains("Gate (G4): 1.0"), "{}", warning.text);
    assert!(warning.text.contains("CVE-2026-1: serde is broken"), "{}", warning.text);
    let notification = draft(CraStep::Notification, Language::Ja).await;
    assert!(notification.text.contains("バージョン 2.0 への更新"), "{}", notification.text);
    assert!(notification.text.contains("CVSS 9.8") && notification.text.contains("要記入"));
    assert_eq!(notification.missing, [CraItem::MeasuresTaken, CraItem::Sensitivity]);
    let change = async |change: CaseChange| {
        service.change_case(&maker.admin, &maker.id, &case.id, change).await
    };
    let text = |item, text: &str| CaseChange {
        text: Some((item, Language::Ja, text.to_owned())),
        ..CaseChange::default()
    };
    change(text(CraItem::MeasuresTaken, "更新を配布")).await.unwrap();
    change(text(CraItem::Sensitivity, "TLP:AMBER")).await.unwrap();
    let notification = draft(CraStep::Notification, Language::En).await;
    assert!(notification.missing.is_empty() && notification.text.contains("更新を配布"));

    let submitted = |step, at| CaseChange { submitted: Some((step, at)), ..CaseChange::default() };
    let early = change(submitted(CraStep::Notification, None)).await.unwrap_err();
    assert_eq!(early.code(), "case-order");
    let future = change(submitted(CraStep::EarlyWarning, Some(start.plus(99)))).await.unwrap_err();
    assert_eq!(future.code(), "submitted");
    change(submitted(CraStep::EarlyWarning, None)).await.unwrap();
    let twice = change(submitted(CraStep::EarlyWarning, None)).await.unwrap_err();
    assert_eq!(twice.code(), "case-submitted");
    // Reminders come by themselves, once each.
    world.clock.advance(3 * 86_400 + 1);
    let mut view = service.case(&maker.admin, &maker.id, &case.id).await.unwrap();
    for _ in 0..6_000 {
        if view.acts.iter().any(|act| act.2 == "report-overdue") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        view = service.case(&maker.admin, &maker.id, &case.id).await.unwrap();
    }
    let overdue = view.acts.iter().filter(|act| act.2 == "report-overdue").count();
    assert_eq!(overdue, 1, "{:?}", view.acts);
    let corrected = CaseChange { corrected: Some(service.now()), ..CaseChange::default() };
    let line = change(corrected).await.unwrap();
    assert_eq!(line.deadlines[2].0.due, Some(service.now().plus(14 * 86_400)));
    let late = change(submitted(CraStep::Notification, None)).await.unwrap();
    assert_eq!(late.deadlines[1].1, advisory::CraState::DoneLate(1));
    assert_eq!(change(CaseChange::default()).await.unwrap_err().code(), "change");
    let over = CaseChange { closed: Some("reported".into()), ..CaseChange::default() };
    assert!(change(over.clone()).await.unwrap().closed_at.is_some());
    assert_eq!(change(over).await.unwrap_err().code(), "case-closed");
    assert_eq!(cases().await.len(), 1);

    // An incident by hand; strangers and readers see nothing.
    let incident = NewCase {
        organisation: maker.id.clone(),
        kind: CraKind::SevereIncident,
        vulnerability: None,
        title: "Signing key stolen".into(),
        aware: Some(start),
    };
    let opened = service.open_case(&maker.admin, incident.clone()).await.unwrap();
    let foreign = service.case(&other.admin, &other.id, &opened.id).await.unwrap_err();
    assert_eq!(foreign.kind(), ErrorKind::NotFound);
    let foreign = service.case(&other.admin, &maker.id, &opened.id).await.unwrap_err();
    assert_eq!(foreign.kind(), ErrorKind::NotFound);
    let reader = service.case(&maker.reader, &maker.id, &opened.id).await.unwrap_err();
    assert_eq!(reader.kind(), ErrorKind::Forbidden);
    let soon = NewCase { aware: Some(service.now().plus(60)), ..incident };
    assert_eq!(service.open_case(&maker.admin, soon).await.unwrap_err().code(), "aware");
    let about = NewCase {
        organisation: maker.id.clone(),
        kind: CraKind::ExploitedVulnerability,
        vulnerability: Some("CVE-2026-2".into()),
        title: "again".into(),
        aware: None,
    };
    assert_eq!(service.open_case(&maker.admin, about).await.unwrap_err().code(), "case-open");
}

/// What is done in one step of a case.
#[derive(Debug, Clone)]
enum Step {
    Attach { version: u8, name: u8, packages: Vec<(u8, u8)> },
    Advisory { id: u8, package: u8, fixed: u8, age: u8, withdrawn: bool, alias: Option<u8> },
    Exploited(Vec<u8>),
    Say { version: Option<u8>, cve: u8, silent: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let packages = proptest::collection::vec((0..4u8, 1..4u8), 0..5);
    let attach = (0..2u8, 0..2u8, packages).prop_map(|(version, name, packages)| Step::Attach {
        version,
        name,
        packages,
    });
    let advisory =
        (0..4u8, 0..4u8, 1..5u8, 0..3u8, prop::bool::weighted(0.15), prop::option::of(0..3u8))
            .prop_map(|(id, package, fixed, age, withdrawn, alias)| Step::Advisory {
                id,
                package,
                fixed,
                age,
                withdrawn,
                alias,
            });
    let exploited = proptest::collection::vec(0..3u8, 0..3).prop_map(Step::Exploited);
    let say = (prop::option::of(0..2u8), 0..3u8, any::<bool>())
        .prop_map(|(version, cve, silent)| Step::Say { version, cve, silent });
    let step = prop_oneof![3 => attach, 4 => advisory, 1 => exploited, 1 => say];
    proptest::collection::vec(step, 4..16)
}

/// What a version has: vulnerability, component, certain, silenced.
type Had = BTreeSet<(String, String, String, bool, bool)>;

/// The same steps by the crate that judges, without a store, from the final documents.
struct Model {
    line: String,
    sboms: BTreeMap<(u8, u8), Value>,
    advisories: BTreeMap<String, (i64, Value)>,
    exploited: BTreeSet<String>,
    said: Vec<(Option<u8>, advisory::Claim)>,
}

impl Model {
    fn had(&self, now: UnixTime) -> Had {
        let mut index = advisory::AdvisoryIndex::new();
        for (_, record) in self.advisories.values() {
            let read = advisory::Advisory::parse(record.to_string().as_bytes()).unwrap();
            read.into_iter().for_each(|advisory| assert!(index.insert(advisory)));
        }
        let mut exploited = advisory::KnownExploited::default();
        for name in &self.exploited {
            let id = advisory::VulnerabilityId::new(name).unwrap();
            let entry = advisory::Exploited { since: None, due: None, ransomware: false };
            exploited.insert(id, entry);
        }
        let mut had = Had::new();
        for ((version, _), value) in &self.sboms {
            let sbom = advisory::Sbom::parse(value.to_string().as_bytes()).unwrap();
            let mut statements = advisory::StatementSet::new();
            for (only, claim) in &self.said {
                if only.is_none_or(|only| only == *version) {
                    let mut claim = claim.clone();
                    claim.products[0].reference = sbom.serial.clone();
                    let statement = advisory::Statement::new(claim).unwrap();
                    statements.add(advisory::Origin::Own, [statement]);
                }
            }
            let context = advisory::CheckContext {
                exploited: &exploited,
                statements: &statements,
                embedded: advisory::Origin::Supplier,
                now,
            };
            let report = advisory::check(&sbom, &index, &context);
            for (silenced, list) in [(false, &report.findings), (true, &report.silenced)] {
                for finding in list {
                    had.insert((
                        format!("{version}.0"),
                        finding.id.to_string(),
                        sbom.components[finding.component].label(),
                        finding.verdict == advisory::Verdict::Affected,
                        silenced,
                    ));
                }
            }
        }
        had
    }
}

async fn run_case(world: &World, maker: &Org, case: u32, steps: &[Step]) {
    let line = format!("line-{case}");
    let new = service::NewProduct {
        organisation: maker.id.clone(),
        id: product(&line),
        name: "Gate".into(),
        model: "G4".into(),
        kind: DeviceKind::Device,
        root_of_trust: device::RootOfTrust::SecureElement,
        support_end: None,
        ldevid_validity_s: None,
    };
    world.service.create_product(&maker.admin, new).await.unwrap();
    let mut model = Model {
        line: line.clone(),
        sboms: BTreeMap::new(),
        advisories: BTreeMap::new(),
        exploited: BTreeSet::new(),
        said: Vec::new(),
    };
    // Packages and ids of each case are its own: the store is shared.
    let package = |number: u8| format!("p{number}-{case}");
    let cve = |number: u8| format!("CVE-{}-{number}", 3_000 + case);
    for (at, step) in steps.iter().enumerate() {
        let at = i64::try_from(at).unwrap();
        match step {
            Step::Attach { version, name, packages } => {
                let named: Vec<(String, String)> = packages
                    .iter()
                    .map(|(number, version)| (package(*number), format!("{version}.0.0")))
                    .collect();
                let list: Vec<(&str, &str)> =
                    named.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
                let mut value = bom(&list);
                value["serialNumber"] = json!(format!(
                    "urn:uuid:00000000-0000-4000-8000-{case:08x}{version:02x}{name:02x}"
                ));
                attach(world, maker, &line, &format!("{version}.0"), &format!("n{name}"), &value)
                    .await;
                model.sboms.insert((*version, *name), value);
            }
            Step::Advisory { id, package: number, fixed, age, withdrawn, alias } => {
                let id = format!("OWN-{case}-{id}");
                let modified = 1_000 + at - i64::from(*age) * 3;
                let mut record = osv(&id, &package(*number), &format!("{fixed}.0.0"), modified);
                if *withdrawn {
                    record["withdrawn"] = json!("2026-01-01T00:00:00Z");
                }
                if let Some(alias) = alias {
                    record["aliases"] = json!([cve(*alias)]);
                }
                import(world, maker, &record).await;
                let newer = model.advisories.get(&id).is_none_or(|(old, _)| modified >= *old);
                if newer {
                    model.advisories.insert(id, (modified, record));
                }
            }
            Step::Exploited(numbers) => {
                let names: Vec<String> = numbers.iter().map(|number| cve(*number)).collect();
                let list: Vec<&str> = names.iter().map(String::as_str).collect();
                // Of all cases, each later than the one before.
                import(world, maker, &kev(&list, i64::from(case) * 100 + at)).await;
                model.exploited = names.into_iter().collect();
            }
            Step::Say { version, cve: number, silent } => {
                let version =
                    version.filter(|version| model.sboms.keys().any(|(known, _)| known == version));
                let said = NewStatement {
                    product: product(&line),
                    version: version.map(|version| format!("{version}.0")),
                    vulnerability: cve(*number),
                    status: if *silent { "fixed" } else { "under_investigation" }.into(),
                    component: Some(format!("pkg:cargo/{}", package(0))),
                    ..statement(maker, None, "CVE-2026-1", "fixed")
                };
                world.service.make_statement(&maker.admin, said).await.unwrap();
                let purl: Purl = format!("pkg:cargo/{}", package(0)).parse().unwrap();
                let part = advisory::Product { purl: Some(purl), ..advisory::Product::default() };
                let whole = advisory::Product {
                    reference: Some("x".into()),
                    subcomponents: vec![part],
                    ..advisory::Product::default()
                };
                let claim = advisory::Claim {
                    vulnerability: advisory::VulnerabilityId::new(&cve(*number)).unwrap(),
                    aliases: Vec::new(),
                    products: vec![whole],
                    status: if *silent { Status::Fixed } else { Status::UnderInvestigation },
                    author: "maker".into(),
                    at: Some(world.service.now()),
                    expires: None,
                    detail: None,
                };
                model.said.push((version, claim));
            }
        }
    }
    judged(&world.service, maker).await;
    let wanted = VulnerabilityQuery {
        state: VulnerabilityState::All,
        product: Some(product(&line)),
        ..VulnerabilityQuery::default()
    };
    let page = Page { after: None, limit: 1_000 };
    let service = &world.service;
    let list = service.vulnerabilities(&maker.admin, &maker.id, &wanted, &page).await.unwrap();
    let mut had = Had::new();
    for item in &list.items {
        let detail = service.vulnerability(&maker.admin, &maker.id, &item.name).await.unwrap();
        let exploited = detail.line.ids.iter().any(|id| model.exploited.contains(id));
        assert_eq!(detail.line.exploited.is_some(), exploited, "{}", item.name);
        for at in detail.exposures.iter().filter(|at| at.closed_at.is_none()) {
            assert_eq!(at.product.as_str(), model.line);
            for component in &at.components {
                had.insert((
                    at.version.clone(),
                    item.name.clone(),
                    component.label.clone(),
                    component.affected,
                    component.silenced,
                ));
            }
        }
    }
    assert_eq!(had, model.had(world.service.now()), "{steps:?}");
}

/// Whatever comes in whatever order: what was found step by step is what a rescan of everything
/// finds.
#[tokio::test(flavor = "multi_thread")]
async fn step_by_step_is_as_good_as_a_rescan() {
    let (world, maker) = maker().await;
    let world = Arc::new(world);
    let mut runner = TestRunner::deterministic();
    let strategy = steps();
    for case in 1..=24 {
        let steps = strategy.new_tree(&mut runner).unwrap().current();
        run_case(&world, &maker, case, &steps).await;
    }
}

/// Whoever may make statements would otherwise publish alone what a second person must look at.
#[tokio::test]
async fn a_statement_alone_does_not_pass_the_gate_of_a_release() {
    let (world, maker) = maker().await;
    let (service, admin) = (&world.service, &maker.admin);
    let gate = service::Gate { not_exploited: true, ..service::Gate::default() };
    service.set_release_gate(admin, &maker.id, &product("gate"), gate).await.unwrap();
    let release = crate::releases::draft(service, admin, "1.0", 1).await.id;
    attach(&world, &maker, "gate", "1.0", "os", &bom(&[("serde", "1.0.0")])).await;
    import_for_all(&world, &osv("CVE-2026-1", "serde", "1.0.1", 100)).await;
    import_for_all(&world, &kev(&["CVE-2026-1"], 50)).await;
    let item = async || {
        judged(service, &maker).await;
        let items = service.check_release(&maker.reader, &release).await.unwrap();
        let item = items.into_iter().find(|item| item.code == "exploited").unwrap();
        (item.met, item.overrulable, item.text)
    };
    let (met, _, text) = item().await;
    assert!(!met && text.contains("nobody says"), "{text}");
    for status in ["not_affected", "fixed"] {
        let said = statement(&maker, Some("1.0"), "CVE-2026-1", status);
        let said = service.make_statement(admin, said).await.unwrap();
        let (met, overrulable, text) = item().await;
        assert!(!met && overrulable && text.contains("CVE-2026-1"), "{text}");
        assert!(text.contains("statement alone"), "{text}");
        let refused = service.publish_release(admin, &release, None).await.unwrap_err();
        assert_eq!(refused.code(), "gate");
        if status == "not_affected" {
            service.withdraw_statement(admin, &maker.id, &said.id).await.unwrap();
        }
    }
    let why = Some("the code is not built in; reviewed");
    let published = service.publish_release(admin, &release, why).await.unwrap();
    assert_eq!(published.overruled, ["exploited"]);
}
