//! Diagnoses through the doors.

use crate::world::{World, id, product};
use api::wire::{
    self, AnswerImportQuery, ChangeAnswer, DiagnosedItemQuery, DiagnosisEntry, DiagnosisEvidence,
    DiagnosisFileQuery, DiagnosisHistoryQuery, DiagnosisQuery, DiagnosisReportQuery, NewDiagnosis,
    ReportFormat, ReportLanguage, scalar::ProductRef,
};
use policy::{Role, Roles};

fn entry(answer: &str) -> DiagnosisEntry {
    DiagnosisEntry {
        answer: answer.into(),
        reason: None,
        evidence: Vec::new(),
        owner: None,
        due: None,
        comment: None,
    }
}

fn code<T: std::fmt::Debug>(outcome: Result<T, api::ClientError>) -> String {
    outcome.unwrap_err().problem().unwrap().code.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diagnosis_from_the_first_answer_to_the_proof() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate").await;
    let rest = world.rest(&maker.admin);
    let new = NewDiagnosis {
        product: ProductRef(product("gate")),
        subject: "firmware 1.0".into(),
        from: None,
    };
    let opened = rest.open_diagnosis(&id("maker"), &new).await.unwrap();
    let of = opened.id.as_str();
    let put = async |topic: &str, version, entry| {
        rest.answer_diagnosis(of, topic, &ChangeAnswer { version, entry }).await
    };
    let report = DiagnosisEvidence {
        what: "test report".into(),
        sha256: None,
        on: "2026-01-01".into(),
        until: None,
    };
    let met = DiagnosisEntry {
        evidence: vec![report],
        owner: Some("Sato".into()),
        due: Some("2026-12-01".into()),
        ..entry("met")
    };
    let answered = put("DEV-SWD-01", 0, Some(met.clone())).await.unwrap();
    assert_eq!(answered.entry.as_ref(), Some(&met));
    assert_eq!(code(put("DEV-SWD-01", 0, Some(entry("not-met"))).await), "diagnosis-changed");
    assert_eq!(code(put("DEV-SWD-02", 0, Some(entry("not-applicable"))).await), "answer");
    assert_eq!(code(put("DEV-SWD-02", 0, Some(entry("perhaps"))).await), "malformed-request");
    assert_eq!(code(put("DEV-SWD-02", 0, Some(entry("absent"))).await), "malformed-request");
    assert_eq!(code(put("DEV-SWD-999", 0, Some(entry("met"))).await), "topic");
    let clause = entry("partly");
    put("iec-62443-4-2:CR1.1-RE1", 0, Some(clause.clone())).await.unwrap();
    let found = rest.diagnosed(of, "iec-62443-4-2:CR1.1-RE1").await.unwrap();
    assert_eq!(found.entry, Some(clause));

    let figures = rest.diagnosis(of).await.unwrap();
    assert_eq!((figures.layers.len(), figures.phases.len()), (4, 10));
    assert!(figures.catalogues.len() > 10 && !figures.cells.is_empty());
    let query = DiagnosedItemQuery { state: Some("met".into()), ..Default::default() };
    let items = rest.diagnosed_items(of, &query).await.unwrap();
    assert_eq!(items.items.len(), 1);
    assert!(!items.items[0].criterion.ja.is_ascii());
    let wrong = DiagnosedItemQuery { layer: Some("basement".into()), ..Default::default() };
    assert_eq!(code(rest.diagnosed_items(of, &wrong).await), "invalid-parameter");
    let gaps = rest.diagnosis_gaps(of).await.unwrap();
    assert_eq!(gaps.len() + 1, usize::try_from(figures.diagnosis.total.items).unwrap());
    let clauses = rest.diagnosis_coverage(of, "jc-star-1").await.unwrap();
    assert_eq!(clauses.len(), 16);
    assert_eq!(code(rest.diagnosis_coverage(of, "nothing").await), "not-found");
    let history = rest.diagnosis_history(of, &DiagnosisHistoryQuery::default()).await.unwrap();
    assert_eq!(history.items.len(), 2);
    let query = DiagnosisQuery { product: Some(ProductRef(product("gate"))), ..Default::default() };
    assert_eq!(rest.diagnoses(&id("maker"), &query).await.unwrap().items.len(), 1);

    for (form, kind) in [
        ("yaml", "application/yaml"),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("oscal", "application/json"),
    ] {
        let query = DiagnosisFileQuery { format: Some(form.into()), ..Default::default() };
        let file = rest.diagnosis_file(of, &query).await.unwrap();
        let how = AnswerImportQuery { replace: Some(true), apply: None };
        let shown = rest.import_answers(of, &how, kind, file.to_vec()).await.unwrap();
        assert!(shown.changes.is_empty() && !shown.applied, "{form}: {shown:?}");
        assert!(shown.foreign.is_none(), "{form}: {shown:?}");
    }
    oscal(&rest, of).await;
    let how = AnswerImportQuery::default();
    let wrong = rest.import_answers(of, &how, "text/plain", b"x".to_vec()).await;
    assert_eq!(code(wrong), "unsupported-media-type");

    let content = figures.content.0;
    let asked = rest.sign_diagnosis(of, content).await.unwrap_err();
    let approval = asked.problem().unwrap().approval.clone().unwrap();
    let roles = Roles::of(&[Role::Administrator, Role::Operator]);
    let other = crate::world::member(&world.service, "maker", "second", roles).await;
    world.service.approve(&other.caller, &approval.parse().unwrap()).await.unwrap();
    let signed = rest.diagnosis(of).await.unwrap().diagnosis.signed.unwrap();
    assert_eq!((signed.content.0, signed.approved_by.as_str()), (content, "member maker/second"));
    world.service.integrate_now().await.unwrap();
    let proof = rest.diagnosis_proof(of).await.unwrap();
    let statement = assessment::DiagnosisStatement::parse(&proof.statement.0).unwrap();
    assert_eq!(statement.content, content);
    assert_eq!(code(rest.discard_diagnosis(of).await), "diagnosis-signed");
    let next = wire::NewDiagnosis { from: Some(of.into()), subject: "firmware 2".into(), ..new };
    let next = rest.open_diagnosis(&id("maker"), &next).await.unwrap();
    let compared = rest.compare_diagnoses(&next.id, None).await.unwrap();
    assert_eq!(compared.before, of);
    assert_eq!(compared.changes[0].direction, "worse", "evidence was for the version before");
    rest.discard_diagnosis(&next.id).await.unwrap();
    let reader = world.rest(&maker.reader);
    let change = ChangeAnswer { version: 0, entry: None };
    assert_eq!(code(reader.answer_diagnosis(of, "DEV-SWD-01", &change).await), "role");
}

/// Which models go out, what is refused, and what results of others are.
async fn oscal(rest: &api::Rest, of: &str) {
    let file = |model: &str, catalogue: Option<&str>| DiagnosisFileQuery {
        format: Some("oscal".into()),
        model: Some(model.into()),
        catalogue: catalogue.map(str::to_owned),
    };
    let text = async |model: &str, catalogue: Option<&str>| {
        let bytes = rest.diagnosis_file(of, &file(model, catalogue)).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    for (model, catalogue) in [
        ("assessment-results", None),
        ("assessment-results", Some("jc-star-1")),
        ("plan-of-action-and-milestones", None),
        ("component-definition", None),
        ("profile", Some("jc-star-1")),
    ] {
        let document = text(model, catalogue).await;
        let read = assessment::oscal::Document::parse(model, document.as_bytes()).unwrap();
        assert_eq!(read.kind().word(), model);
    }
    for (model, catalogue, wrong) in [
        ("catalog", None, "invalid-parameter"),
        ("profile", None, "oscal-model"),
        ("plan-of-action-and-milestones", Some("jc-star-1"), "oscal-model"),
        ("profile", Some("nothing"), "not-found"),
    ] {
        let found = rest.diagnosis_file(of, &file(model, catalogue)).await;
        assert_eq!(code(found), wrong, "{model} {catalogue:?}");
    }
    let how = AnswerImportQuery::default();
    let import = async |bytes: String| {
        rest.import_answers(of, &how, "application/json", bytes.into_bytes()).await
    };
    // An extract has no answers: it comes back as claims, as results of other tools do.
    let extract = import(text("assessment-results", Some("jc-star-1")).await).await.unwrap();
    assert!(extract.foreign.is_some());
    let whole = text("assessment-results", None).await;
    let other = whole.replace("\"maker/gate\"", "\"maker/other\"");
    assert_ne!(other, whole);
    assert_eq!(code(import(other).await), "other-diagnosis");
    for (bytes, says) in [
        ("<system/>".to_owned(), "JSON"),
        ("{\"a\": 1}".to_owned(), "no OSCAL"),
        (text("component-definition", None).await, "holds no answers"),
        (whole.replace("diagnosis/1", "diagnosis/2"), "another version"),
    ] {
        let error = import(bytes).await.unwrap_err();
        let problem = error.problem().unwrap();
        assert_eq!(problem.code, "diagnosis-file", "{problem:?}");
        let detail = problem.detail.clone().unwrap();
        assert!(detail.contains(says), "{detail}");
    }
}

/// A font that cannot be used is the operator's to mend, and is said so; it is no failure of ours.
#[tokio::test(flavor = "multi_thread")]
async fn a_font_that_cannot_be_used_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let font = dir.path().join("font.ttf");
    std::fs::write(&font, b"no font at all").unwrap();
    let config = service::Config { report_font: Some(font), ..crate::world::config() };
    let world = World::set_up(crate::world::limits(), config).await;
    let maker = world.maker("maker", "gate").await;
    let rest = world.rest(&maker.admin);
    let new = NewDiagnosis {
        product: ProductRef(product("gate")),
        subject: "firmware 1.0".into(),
        from: None,
    };
    let of = rest.open_diagnosis(&id("maker"), &new).await.unwrap().id;
    let how = DiagnosisReportQuery {
        format: Some(ReportFormat::Pdf),
        lang: Some(ReportLanguage::Ja),
        ..Default::default()
    };
    let error = rest.diagnosis_report(&of, &how).await.unwrap_err();
    let problem = error.problem().unwrap();
    assert_eq!((problem.code.as_str(), problem.status), ("report-font", 503), "{problem:?}");
    let detail = problem.detail.clone().unwrap();
    assert!(
        detail.contains("the font cannot be read") && detail.contains("--report-font"),
        "{detail}"
    );
    let page = DiagnosisReportQuery { format: Some(ReportFormat::Html), ..how };
    rest.diagnosis_report(&of, &page).await.unwrap();
}
