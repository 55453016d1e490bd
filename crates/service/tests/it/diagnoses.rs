//! Diagnoses: answered by several people, counted, carried over, signed by two.

use crate::world::{Org, World, config, id, product};
use assessment::{Answer, Day, Diagnosis, Entry, Evidence, Outcome, State, Topic};
use crypto::UnixTime;
use device::{DeviceKind, Language, RootOfTrust};
use policy::{Role, Roles};
use proptest::prelude::*;
use service::{
    ApprovalState, Caller, DiagnosisId, DiagnosisImport, DiagnosisState, DiagnosisView, ImportForm,
    ItemQuery, NewDiagnosis, NewProduct, Page, ServiceError, check_sheet,
};

const ITEM: &str = "DEV-SWD-01";

pub(crate) fn code<T: std::fmt::Debug>(outcome: Result<T, ServiceError>) -> &'static str {
    outcome.unwrap_err().code()
}

pub(crate) fn answer(outcome: Outcome) -> Answer {
    Answer {
        outcome,
        reason: (outcome == Outcome::NotApplicable).then(|| "not built in".to_owned()),
        evidence: Vec::new(),
        owner: None,
        due: None,
        comment: None,
    }
}

fn said(outcome: Outcome) -> Option<Entry> {
    Some(Entry::Answer(answer(outcome)))
}

fn today(world: &World) -> Day {
    Day::of(service::Clock::now(world.clock.as_ref())).unwrap()
}

pub(crate) async fn opened(world: &World, maker: &Org, subject: &str) -> DiagnosisView {
    let new = NewDiagnosis {
        organisation: maker.id.clone(),
        product: product("gate"),
        subject: subject.into(),
        from: None,
    };
    world.service.open_diagnosis(&maker.admin, new).await.unwrap()
}

/// A second administrator of the maker.
pub(crate) async fn second(world: &World, maker: &Org) -> Caller {
    let roles = Roles::of(&[Role::Administrator, Role::Operator]);
    world.member(&maker.id, "second", roles).await.0
}

async fn maker() -> (World, Org) {
    let world = World::with(config()).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    (world, maker)
}

#[tokio::test]
async fn two_who_edit_do_not_overwrite_each_other() {
    let (world, maker) = maker().await;
    let (service, admin, other) = (&world.service, &maker.admin, &maker.station);
    let one = opened(&world, &maker, "firmware 1.0").await;
    assert_eq!((one.state, one.version, one.sheet_current), (DiagnosisState::Open, 1, true));
    assert_eq!(one.total.items, u32::try_from(check_sheet().unwrap().items().len()).unwrap());

    // Both read the same; the second is told, and nothing of theirs is lost.
    let read = service.diagnosed(admin, &one.id, ITEM).await.unwrap();
    assert_eq!((read.version, &read.entry), (0, &None));
    let first =
        service.answer_diagnosis(admin, &one.id, ITEM, 0, said(Outcome::Met)).await.unwrap();
    assert_eq!(first.version, 2);
    let late = service.answer_diagnosis(other, &one.id, ITEM, 0, said(Outcome::NotMet)).await;
    let error = late.unwrap_err();
    assert_eq!(error.code(), "diagnosis-changed");
    assert!(error.to_string().contains("member maker/admin"), "{error}");
    assert!(!error.message_ja().unwrap().is_ascii());
    // Another item is another matter, whatever the diagnosis's version.
    service.answer_diagnosis(other, &one.id, "DEV-SWD-02", 0, said(Outcome::Partly)).await.unwrap();
    let again =
        service.answer_diagnosis(other, &one.id, ITEM, 2, said(Outcome::NotMet)).await.unwrap();
    assert_eq!((again.version, again.changed_by.as_deref()), (4, Some("member maker/station")));
    // Taken away, it still has a version: who read it before is told.
    let gone = service.answer_diagnosis(admin, &one.id, ITEM, 4, None).await.unwrap();
    assert_eq!((gone.version, &gone.entry), (5, &None));
    let stale = service.answer_diagnosis(other, &one.id, ITEM, 0, said(Outcome::Met)).await;
    assert_eq!(code(stale), "diagnosis-changed");
    // The same again changes nothing.
    let same = service.answer_diagnosis(admin, &one.id, ITEM, 5, None).await.unwrap();
    assert_eq!(same.version, 5);

    let page = Page { after: None, limit: 2 };
    let history = service.diagnosis_history(admin, &one.id, Some(ITEM), &page).await.unwrap();
    let words: Vec<_> = history
        .items
        .iter()
        .map(|change| (change.version, change.by.as_str(), change.after.is_some()))
        .collect();
    assert_eq!(words, [(5, "member maker/admin", false), (4, "member maker/station", true)]);
    let page = Page { after: history.next, limit: 2 };
    let rest = service.diagnosis_history(admin, &one.id, Some(ITEM), &page).await.unwrap();
    assert_eq!(rest.items.len(), 1);
    assert_eq!(rest.items[0].after, said(Outcome::Met));
    // Each change is in the audit log.
    let local = service.local_administrator();
    let page = Page { after: None, limit: 1000 };
    let events = service.audit(&local, Some(&maker.id), None, &page).await.unwrap();
    let answered = events
        .items
        .iter()
        .filter(|view| view.event.details().any(|(_, what)| what == "diagnosis-answered"));
    assert_eq!(answered.count(), 4);
}

#[tokio::test]
async fn the_rules_of_answers_hold() {
    let (world, maker) = maker().await;
    let (service, admin) = (&world.service, &maker.admin);
    let one = opened(&world, &maker, "firmware 1.0").await;
    let put = async |topic: &str, entry| {
        service.answer_diagnosis(admin, &one.id, topic, 0, Some(entry)).await
    };
    let without = Answer { reason: None, ..answer(Outcome::NotApplicable) };
    assert_eq!(code(put(ITEM, Entry::Answer(without)).await), "answer");
    let reason = Answer { reason: Some("why".into()), ..answer(Outcome::Met) };
    assert_eq!(code(put(ITEM, Entry::Answer(reason)).await), "answer");
    let tomorrow = Day::of(UnixTime(crate::world::NOW + 86_400)).unwrap();
    let piece = Evidence { what: "report".into(), sha256: None, on: tomorrow, until: None };
    let early = Answer { evidence: vec![piece.clone()], ..answer(Outcome::Met) };
    assert_eq!(code(put(ITEM, Entry::Answer(early)).await), "answer");
    let many = Evidence { on: today(&world), ..piece };
    let many = Answer { evidence: vec![many; 65], ..answer(Outcome::Met) };
    assert_eq!(code(put(ITEM, Entry::Answer(many)).await), "answer");
    let hidden = Answer { comment: Some("a\u{202e}b".into()), ..answer(Outcome::Met) };
    assert_eq!(code(put(ITEM, Entry::Answer(hidden)).await), "answer");
    assert_eq!(code(put(ITEM, Entry::Absent("none".into())).await), "answer");
    assert_eq!(code(put("NO-SUCH-99", Entry::Absent("none".into())).await), "topic");

    // A feature that the product does not have answers what depends on it, and contradicts.
    let library = check_sheet().unwrap();
    let item = library.items().iter().find(|item| !item.when.is_empty()).unwrap();
    let feature = item.when[0].as_str();
    put(item.id.as_str(), Entry::Answer(answer(Outcome::Met))).await.unwrap();
    assert_eq!(code(put(feature, Entry::Absent("no room".into())).await), "answer");
    service.answer_diagnosis(admin, &one.id, item.id.as_str(), 2, None).await.unwrap();
    put(feature, Entry::Absent("no room".into())).await.unwrap();
    let contrary =
        service.answer_diagnosis(admin, &one.id, item.id.as_str(), 3, said(Outcome::Met)).await;
    assert_eq!(code(contrary), "answer");
    let query = ItemQuery { state: Some(State::NotApplicable), ..ItemQuery::default() };
    let found = service.diagnosed_items(admin, &one.id, &query, &Page::default()).await.unwrap();
    assert!(found.items.iter().all(|one| one.absent.is_some()) && !found.items.is_empty());
    let view = service.diagnosis(admin, &one.id).await.unwrap();
    assert_eq!(usize::try_from(view.total.not_applicable).unwrap(), found.items.len());
}

#[tokio::test]
async fn figures_expire_with_the_evidence_and_lists_count_the_same() {
    let (world, maker) = maker().await;
    let (service, admin) = (&world.service, &maker.admin);
    let one = opened(&world, &maker, "firmware 1.0").await;
    let until = Day::of(UnixTime(crate::world::NOW + 10 * 86_400)).unwrap();
    let piece = Evidence {
        what: "test report T-117".into(),
        sha256: Some(crypto::sha256(b"T-117")),
        on: today(&world),
        until: Some(until),
    };
    let met = Answer { evidence: vec![piece], ..answer(Outcome::Met) };
    let items = check_sheet().unwrap().items();
    for (place, item) in items.iter().enumerate().take(40) {
        let entry = match place % 4 {
            0 => Entry::Answer(met.clone()),
            1 => Entry::Answer(answer(Outcome::Met)),
            2 => Entry::Answer(answer(Outcome::Partly)),
            _ => Entry::Answer(answer(Outcome::NotMet)),
        };
        service.answer_diagnosis(admin, &one.id, item.id.as_str(), 0, Some(entry)).await.unwrap();
    }
    let check = async || {
        let figures = service.diagnosis_figures(admin, &one.id).await.unwrap();
        let layers = figures.layers.iter().map(|(_, score)| score.fulfilled_halves).sum::<u32>();
        let phases = figures.phases.iter().map(|(_, score)| score.fulfilled_halves).sum::<u32>();
        let cells = figures.cells.iter().map(|(_, _, score)| score.fulfilled_halves).sum::<u32>();
        let total = figures.view.total;
        assert_eq!([layers, phases, cells], [total.fulfilled_halves; 3]);
        let list = service.diagnoses(admin, &maker.id, None, &Page::default()).await.unwrap().items;
        assert_eq!(list[0].total, total);
        let product = product("gate");
        let of = service.diagnoses(admin, &maker.id, Some(&product), &Page::default()).await;
        assert_eq!(of.unwrap().items[0].total, total);
        assert_eq!(figures.catalogues.len(), check_sheet().unwrap().catalogues().len());
        let gaps = service.diagnosis_gaps(admin, &one.id).await.unwrap();
        let expired = gaps.iter().filter(|gap| gap.state == State::Expired).count();
        (total, gaps.len(), expired)
    };
    let (before, gaps, expired) = check().await;
    assert_eq!((gaps, expired), (items.len() - 10, 0));
    world.clock.advance(11 * 86_400);
    let (after, more, expired) = check().await;
    assert_eq!((more, expired), (items.len(), 10));
    assert!(after.fulfilled_halves < before.fulfilled_halves && after.answered < before.answered);

    // Pages in the order of the sheet, every item once.
    let (mut seen, mut page) = (Vec::new(), Page { after: None, limit: 37 });
    loop {
        let query = ItemQuery::default();
        let found = service.diagnosed_items(admin, &one.id, &query, &page).await.unwrap();
        seen.extend(found.items.into_iter().map(|one| one.answer.topic.to_string()));
        match found.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    let all: Vec<String> = items.iter().map(|item| item.id.to_string()).collect();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn a_file_shows_what_it_changes_before_it_does() {
    let (world, maker) = maker().await;
    let (service, admin) = (&world.service, &maker.admin);
    let one = opened(&world, &maker, "firmware 1.0").await;
    service.answer_diagnosis(admin, &one.id, ITEM, 0, said(Outcome::Met)).await.unwrap();
    let library = check_sheet().unwrap();
    let import =
        |form, bytes: Vec<u8>, replace, apply| DiagnosisImport { form, bytes, replace, apply };
    // What is exported changes nothing, in both forms.
    let yaml = service.diagnosis_file(admin, &one.id).await.unwrap();
    let book = service.diagnosis_workbook(admin, &one.id, Language::Ja).await.unwrap();
    for (form, bytes) in [(ImportForm::Yaml, &yaml), (ImportForm::Xlsx, &book)] {
        let shown =
            service.import_answers(admin, &one.id, import(form, bytes.clone(), true, None)).await;
        let shown = shown.unwrap();
        assert_eq!((shown.version, shown.applied, shown.changes.len()), (2, false, 0));
    }
    // Another answer, one more, and a feature that makes an answer contradictory on the way.
    let item = library.items().iter().find(|item| !item.when.is_empty()).unwrap();
    service
        .answer_diagnosis(admin, &one.id, item.id.as_str(), 0, said(Outcome::Met))
        .await
        .unwrap();
    let yaml = service.diagnosis_file(admin, &one.id).await.unwrap();
    let text = String::from_utf8(yaml).unwrap();
    let mut file = Diagnosis::parse("x", &text, library).unwrap();
    file.answers.remove(&item.id);
    file.answers.insert(
        Topic::find(library, "DEV-SWD-02")
            .map(|topic| match topic {
                Topic::Item(id) => id,
                other => panic!("{other}"),
            })
            .unwrap(),
        answer(Outcome::Partly),
    );
    file.answers.insert(item.id.clone(), answer(Outcome::NotApplicable));
    file.absent.insert(item.when[0].clone(), "no room".into());
    let bytes = file.to_yaml().into_bytes();
    let shown = service
        .import_answers(admin, &one.id, import(ImportForm::Yaml, bytes.clone(), false, None))
        .await
        .unwrap();
    assert_eq!((shown.changes.len(), shown.version), (3, 3));
    assert_eq!(service.diagnosis(admin, &one.id).await.unwrap().version, 3);
    // Somebody else is quicker.
    service.answer_diagnosis(admin, &one.id, "DEV-SWD-03", 0, said(Outcome::Met)).await.unwrap();
    let apply = import(ImportForm::Yaml, bytes.clone(), false, Some(shown.version));
    assert_eq!(code(service.import_answers(admin, &one.id, apply).await), "diagnosis-changed");
    let apply = import(ImportForm::Yaml, bytes.clone(), false, Some(4));
    let done = service.import_answers(admin, &one.id, apply).await.unwrap();
    assert_eq!((done.version, done.applied, done.changes.len()), (5, true, 3));
    let kept = service.diagnosed(admin, &one.id, "DEV-SWD-03").await.unwrap();
    assert_eq!(kept.entry, said(Outcome::Met), "what the file does not answer stays");
    let apply = import(ImportForm::Yaml, bytes, true, Some(5));
    let done = service.import_answers(admin, &one.id, apply).await.unwrap();
    assert_eq!(done.changes.len(), 1, "and goes where the file replaces");
    assert_eq!(service.diagnosed(admin, &one.id, "DEV-SWD-03").await.unwrap().entry, None);

    let other = text.replace("firmware 1.0", "firmware 2.0").into_bytes();
    let apply = import(ImportForm::Yaml, other, false, None);
    assert_eq!(code(service.import_answers(admin, &one.id, apply).await), "other-diagnosis");
    for (form, bytes) in [(ImportForm::Yaml, b"a: [".to_vec()), (ImportForm::Xlsx, b"PK".to_vec())]
    {
        let apply = import(form, bytes, false, None);
        assert_eq!(code(service.import_answers(admin, &one.id, apply).await), "diagnosis-file");
    }
    let reader = import(ImportForm::Yaml, Vec::new(), false, None);
    assert_eq!(code(service.import_answers(&maker.reader, &one.id, reader).await), "role");
}

#[tokio::test]
async fn two_people_sign_and_the_log_commits() {
    let (world, maker) = maker().await;
    let (service, admin) = (&world.service, &maker.admin);
    let one = opened(&world, &maker, "firmware 1.0").await;
    service.answer_diagnosis(admin, &one.id, ITEM, 0, said(Outcome::Met)).await.unwrap();
    let content =
        async |id: &DiagnosisId| service.diagnosis_figures(admin, id).await.unwrap().content;
    let read = content(&one.id).await;
    let wrong = service.sign_diagnosis(admin, &one.id, crypto::sha256(b"x")).await;
    assert_eq!(code(wrong), "diagnosis-changed");
    assert_eq!(code(service.sign_diagnosis(&maker.reader, &one.id, read).await), "role");
    assert_eq!(code(service.diagnosis_proof(admin, &one.id).await), "diagnosis-unsigned");
    // One alone does not, however often.
    let asked = service.sign_diagnosis(admin, &one.id, read).await.unwrap_err();
    assert_eq!(asked.code(), "needs-second-person");
    let approval = asked.approval().unwrap();
    assert_eq!(code(service.approve(admin, &approval).await), "own-request");
    let again = service.sign_diagnosis(admin, &one.id, read).await.unwrap_err();
    assert_eq!(again.approval(), Some(approval));
    // What changes meanwhile is not what was asked for.
    let other = second(&world, &maker).await;
    service.answer_diagnosis(admin, &one.id, "DEV-SWD-02", 0, said(Outcome::Met)).await.unwrap();
    let view = service.approve(&other, &approval).await.unwrap();
    assert_eq!(
        (view.state, view.outcome.as_deref()),
        (ApprovalState::Failed, Some("diagnosis-changed"))
    );
    assert_eq!(service.diagnosis(admin, &one.id).await.unwrap().state, DiagnosisState::Open);
    // Again, as it is now.
    let read = content(&one.id).await;
    let approval =
        service.sign_diagnosis(admin, &one.id, read).await.unwrap_err().approval().unwrap();
    let view = service.approve(&other, &approval).await.unwrap();
    assert_eq!(view.state, ApprovalState::Done, "{view:?}");
    let signed = service.diagnosis(&maker.reader, &one.id).await.unwrap();
    let by = signed.signed.unwrap();
    assert_eq!(
        (by.by.as_str(), by.approved_by.as_str()),
        ("member maker/admin", "member maker/second")
    );
    assert_eq!((signed.state, by.content), (DiagnosisState::Signed, read));
    // The file is what they signed for, and does not change with the day.
    world.clock.advance(86_400);
    let file = service.diagnosis_file(admin, &one.id).await.unwrap();
    let text = String::from_utf8(file).unwrap();
    let parsed = Diagnosis::parse("x", &text, check_sheet().unwrap()).unwrap();
    assert_eq!(parsed.content(), read);
    assert_eq!(content(&one.id).await, read);
    let change = service.answer_diagnosis(admin, &one.id, ITEM, 2, None).await;
    assert_eq!(code(change), "diagnosis-signed");
    assert_eq!(code(service.discard_diagnosis(admin, &one.id).await), "diagnosis-signed");
    assert_eq!(code(service.sign_diagnosis(admin, &one.id, read).await), "diagnosis-signed");
    // The log holds it.
    service.integrate_now().await.unwrap();
    let proof = service.diagnosis_proof(&maker.reader, &one.id).await.unwrap();
    let statement = assessment::DiagnosisStatement::parse(&proof.statement).unwrap();
    assert_eq!((statement.content, statement.subject.as_str()), (read, "firmware 1.0"));
    assert_eq!(statement.sheet, check_sheet().unwrap().digest());
    // A day has passed, and the platform may have more to log meanwhile: both are of the same tree soon.
    let mut same = Ok(());
    for _ in 0..20 {
        let check = service.check_log(&service.local_administrator()).await.unwrap();
        assert!(check.problems.is_empty() && check.statements_checked == 1, "{check:?}");
        let now = service.diagnosis_proof(admin, &one.id).await.unwrap();
        let commitment = ledger::commit(&now.salt, &now.statement);
        same = ledger::verify_inclusion(&commitment, &now.proof, &check.root);
        if same.is_ok() {
            break;
        }
    }
    same.unwrap();

    // The next version begins with what was said; what rested on evidence is claimed only.
    let next = NewDiagnosis {
        organisation: maker.id.clone(),
        product: product("gate"),
        subject: "firmware 2.0".into(),
        from: Some(one.id),
    };
    // Of another product line nothing goes over, and that is said in both languages.
    let lamp = NewProduct {
        organisation: maker.id.clone(),
        id: product("lamp"),
        name: "Lamp".into(),
        model: "L1".into(),
        kind: DeviceKind::Device,
        root_of_trust: RootOfTrust::SecureElement,
        support_end: None,
        ldevid_validity_s: None,
    };
    service.create_product(admin, lamp).await.unwrap();
    let other = NewDiagnosis { product: product("lamp"), ..next.clone() };
    let error = service.open_diagnosis(admin, other).await.unwrap_err();
    assert_eq!(error.code(), "other-product");
    assert!(error.message_ja().unwrap().contains("回答を引き継げる"), "{error:?}");
    let next = service.open_diagnosis(admin, next).await.unwrap();
    let carried = service.diagnosed(admin, &next.id, ITEM).await.unwrap();
    assert_eq!((carried.version, carried.entry), (1, said(Outcome::Met)));
    service.answer_diagnosis(admin, &next.id, ITEM, 1, said(Outcome::NotMet)).await.unwrap();
    let compared = service.compare_diagnoses(admin, &next.id, None).await.unwrap();
    assert_eq!(compared.before, one.id);
    assert_eq!(compared.changes[0].item.as_str(), ITEM);
    assert_eq!(code(service.compare_diagnoses(admin, &one.id, None).await), "no-earlier-diagnosis");
    service.discard_diagnosis(admin, &next.id).await.unwrap();
    assert_eq!(code(service.diagnosis(admin, &next.id).await), "not-found");
}

/// An answer of some 260 KB.
fn long(seed: usize, on: Day) -> Option<Entry> {
    let what = format!("{seed:04}{}", "x".repeat(3_996));
    let piece = Evidence { what, sha256: None, on, until: None };
    Some(Entry::Answer(Answer { evidence: vec![piece; 64], ..answer(Outcome::Met) }))
}

#[tokio::test]
async fn a_diagnosis_has_a_size_and_its_pages_too() {
    let (world, maker) = maker().await;
    let (service, admin) = (&world.service, &maker.admin);
    let one = opened(&world, &maker, "firmware 1.0").await;
    let today = today(&world);
    let items = check_sheet().unwrap().items();
    let put = async |id: &DiagnosisId, place: usize, version, entry| {
        let item = items[place].id.as_str();
        service.answer_diagnosis(admin, id, item, version, entry).await
    };
    // 16 fit into 4 MiB, as JSON.
    for place in 0..16 {
        put(&one.id, place, 0, long(place, today)).await.unwrap();
    }
    let refused = put(&one.id, 16, 0, long(16, today)).await.unwrap_err();
    assert_eq!(refused.code(), "diagnosis-size");
    assert!(!refused.message_ja().unwrap().is_ascii());
    // What is replaced and what is taken away makes room.
    put(&one.id, 0, 2, said(Outcome::Met)).await.unwrap();
    put(&one.id, 16, 0, long(16, today)).await.unwrap();
    assert_eq!(code(put(&one.id, 0, 18, long(0, today)).await), "diagnosis-size");
    put(&one.id, 1, 3, None).await.unwrap();
    put(&one.id, 0, 18, long(0, today)).await.unwrap();
    // Neither does a file bring more.
    let text = String::from_utf8(service.diagnosis_file(admin, &one.id).await.unwrap()).unwrap();
    let mut file = Diagnosis::parse("x", &text, check_sheet().unwrap()).unwrap();
    let Some(Entry::Answer(more)) = long(1, today) else { panic!("an answer") };
    file.answers.insert(items[1].id.clone(), more);
    file.answers.retain(|id, _| *id != items[2].id);
    let bytes = file.to_yaml().into_bytes();
    let import = |apply| {
        let bytes = bytes.clone();
        DiagnosisImport { form: ImportForm::Yaml, bytes, replace: false, apply: Some(apply) }
    };
    let version = service.diagnosis(admin, &one.id).await.unwrap().version;
    let import = service.import_answers(admin, &one.id, import(version)).await;
    assert_eq!(code(import), "diagnosis-size");
    assert_eq!(service.diagnosis(admin, &one.id).await.unwrap().version, version);

    // Every change is on some page, and no page is longer than anybody can take.
    let (mut seen, mut page) = (Vec::new(), Page { after: None, limit: 1000 });
    loop {
        let found = service.diagnosis_history(admin, &one.id, None, &page).await.unwrap();
        let length = |entry: &Option<Entry>| match entry {
            Some(Entry::Answer(answer)) => {
                answer.evidence.iter().map(|piece| piece.what.len()).sum::<usize>()
            }
            _ => 0,
        };
        let whole = found.items.iter().map(|one| length(&one.before) + length(&one.after));
        assert!(whole.sum::<usize>() <= 4 << 20);
        seen.extend(found.items.iter().map(|change| change.version));
        match found.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, (2..=version).rev().collect::<Vec<_>>());

    // All of it goes over, and is counted there as well.
    let next = NewDiagnosis {
        organisation: maker.id.clone(),
        product: product("gate"),
        subject: "firmware 1.0".into(),
        from: Some(one.id),
    };
    let next = service.open_diagnosis(admin, next).await.unwrap();
    let carried = service.diagnosed(admin, &next.id, items[2].id.as_str()).await.unwrap();
    assert_eq!((carried.version, carried.entry), (1, long(2, today)));
    assert_eq!(code(put(&next.id, 1, 0, long(1, today)).await), "diagnosis-size");
}

#[tokio::test]
async fn what_is_kept_of_diagnoses_is_limited() {
    let mut config = config();
    config.limits.document_bytes_per_organisation = 16 << 10;
    let world = World::with(config).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let other = world.maker("other", "gate", DeviceKind::Device).await;
    let (service, admin) = (&world.service, &maker.admin);
    let one = opened(&world, &maker, "firmware 1.0").await;
    let (mut version, mut outcome) = (0, Outcome::Met);
    let refused = loop {
        outcome = if outcome == Outcome::Met { Outcome::Partly } else { Outcome::Met };
        match service.answer_diagnosis(admin, &one.id, ITEM, version, said(outcome)).await {
            Ok(view) => version = view.version,
            Err(error) => break error,
        }
        assert!(version < 100, "history has an end");
    };
    assert_eq!(refused.code(), "quota");
    assert!(!refused.message_ja().unwrap().is_ascii());
    // Nothing stayed of what was refused, and taking away is always possible.
    assert_eq!(service.diagnosed(admin, &one.id, ITEM).await.unwrap().version, version);
    service.answer_diagnosis(admin, &one.id, ITEM, version, None).await.unwrap();
    // To discard it brings nothing back: its history stays.
    service.discard_diagnosis(admin, &one.id).await.unwrap();
    let new = |of: &Org| NewDiagnosis {
        organisation: of.id.clone(),
        product: product("gate"),
        subject: "firmware 1.0".into(),
        from: None,
    };
    assert_eq!(code(service.open_diagnosis(admin, new(&maker)).await), "quota");
    // Others have their own.
    service.open_diagnosis(&other.admin, new(&other)).await.unwrap();
}

#[tokio::test]
async fn strangers_see_nothing() {
    let (world, maker) = maker().await;
    let stranger = world.maker("stranger", "lamp", DeviceKind::Device).await;
    let service = &world.service;
    let one = opened(&world, &maker, "firmware 1.0").await;
    let of = |caller: &Caller, product_id: &str, from| {
        let new = NewDiagnosis {
            organisation: stranger.id.clone(),
            product: product(product_id),
            subject: "x".into(),
            from,
        };
        let (caller, service) = (caller.clone(), service.clone());
        async move { service.open_diagnosis(&caller, new).await }
    };
    let spy = &stranger.admin;
    assert_eq!(code(of(spy, "lamp", Some(one.id)).await), "not-found");
    assert_eq!(code(of(spy, "gate", None).await), "not-found");
    assert_eq!(code(service.diagnosis(spy, &one.id).await), "not-found");
    assert_eq!(code(service.diagnosis_file(spy, &one.id).await), "not-found");
    let put = service.answer_diagnosis(spy, &one.id, ITEM, 0, said(Outcome::Met)).await;
    assert_eq!(code(put), "not-found");
    assert_eq!(code(service.diagnoses(spy, &maker.id, None, &Page::default()).await), "not-found");
    let own = of(spy, "lamp", None).await.unwrap();
    assert_eq!(code(service.compare_diagnoses(spy, &own.id, Some(&one.id)).await), "not-found");
    assert_eq!(
        service.diagnoses(spy, &id("stranger"), None, &Page::default()).await.unwrap().items.len(),
        1
    );
    assert_eq!(
        code(service.answer_diagnosis(&maker.reader, &one.id, ITEM, 0, said(Outcome::Met)).await),
        "role"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However two diagnoses differ, making the changes one by one turns one into the other.
    #[test]
    fn changes_lead_from_one_to_the_other(
        before in prop::collection::btree_map(0_usize..60, 0_usize..4, 0..20),
        after in prop::collection::btree_map(0_usize..60, 0_usize..4, 0..20),
    ) {
        let library = check_sheet().unwrap();
        let on = Day::parse("2026-11-21").unwrap();
        let make = |chosen: &std::collections::BTreeMap<usize, usize>| {
            let mut one = Diagnosis::new("maker/gate", "1", on).unwrap();
            for (place, outcome) in chosen {
                one.answers.insert(library.items()[*place].id.clone(), answer(Outcome::ALL[*outcome]));
            }
            one
        };
        let (mut from, to) = (make(&before), make(&after));
        for change in from.changes_to(&to) {
            from.put(library, &change.topic, change.after).unwrap();
        }
        prop_assert_eq!(from, to);
    }
}
