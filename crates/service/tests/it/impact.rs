//! Impact assessments on the platform: answered step by step, concluded, opened again by what changes.

use crate::{
    diagnoses::code,
    world::{Org, World, config, product},
};
use assessment::threat::{Impact, QuestionKind, scia};
use device::{DeviceKind, Language};
use service::{
    AuditQuery, FormStanding, ImpactLooked, NewImpactAnswers, NewThreatModel, Page, ServiceError,
    rule_book,
};
use std::collections::BTreeMap;

async fn maker() -> (World, Org) {
    let world = World::with(config()).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    (world, maker)
}

fn said(version: u64, answers: &[(&str, Option<&str>)]) -> NewImpactAnswers {
    let answers = answers
        .iter()
        .map(|(question, answer)| ((*question).to_owned(), answer.map(str::to_owned)))
        .collect();
    NewImpactAnswers { version, answers }
}

async fn answer(
    world: &World,
    maker: &Org,
    form: &str,
    new: NewImpactAnswers,
) -> Result<u64, ServiceError> {
    world.service.answer_impact(&maker.admin, &maker.id, &product("gate"), form, new).await
}

/// Where a form stands, with its answers.
async fn stands(
    world: &World,
    maker: &Org,
    form: &str,
) -> (FormStanding, BTreeMap<String, String>) {
    let form = form.to_owned();
    let look = move |looked: &ImpactLooked<'_>| {
        (looked.standing[&form].clone(), looked.answers[&form].clone())
    };
    let line = product("gate");
    world.service.look_at_impact(&maker.reader, &maker.id, &line, look).await.unwrap()
}

async fn put(world: &World, maker: &Org, version: u64, text: &str) {
    let new = NewThreatModel { version, text: text.into(), note: None };
    let line = product("gate");
    world.service.put_threat_model(&maker.admin, &maker.id, &line, new).await.unwrap();
}

/// Some answer to every question of a form.
fn all(form: &str) -> Vec<(String, Option<String>)> {
    let form = rule_book().unwrap().form(form).unwrap();
    let some = form.questions().map(|one| {
        let answer = match &one.kind {
            QuestionKind::Words => "because".to_owned(),
            QuestionKind::One(choices) | QuestionKind::Several(choices) => choices[0].word.clone(),
        };
        (one.id.clone(), Some(answer))
    });
    some.collect()
}

#[tokio::test]
async fn drafts_are_kept_and_nobody_overwrites_them_unseen() {
    let (world, maker) = maker().await;
    let (standing, answers) = stands(&world, &maker, "privacy").await;
    assert_eq!((standing, answers.len()), (FormStanding::default(), 0), "without a model as well");
    let first = said(0, &[("personal", Some("some")), ("data", Some(" Names \nand places"))]);
    assert_eq!(answer(&world, &maker, "privacy", first.clone()).await.unwrap(), 1);
    // The same again is the same; who read an older version is told so.
    let again = NewImpactAnswers { version: 1, ..first.clone() };
    assert_eq!(answer(&world, &maker, "privacy", again).await.unwrap(), 1);
    let late = answer(&world, &maker, "privacy", said(0, &[("purpose", Some("late"))])).await;
    let error = late.unwrap_err();
    assert_eq!(error.code(), "impact-changed");
    assert!(error.problem().message_ja.as_ref().is_some_and(|text| !text.is_ascii()));
    let more = said(1, &[("kinds", Some("health,identity")), ("data", None)]);
    assert_eq!(answer(&world, &maker, "privacy", more).await.unwrap(), 2);
    let (standing, answers) = stands(&world, &maker, "privacy").await;
    assert_eq!(standing.version, 2);
    assert_eq!(standing.changed.unwrap().0, maker.admin.to_string());
    assert_eq!(answers["kinds"], "identity, health", "in the order of the choices");
    assert!(!answers.contains_key("data"), "taken back");
    // The other forms are untouched; the history has it all, page by page.
    assert_eq!(stands(&world, &maker, "safety").await.0.version, 0);
    let (service, line) = (&world.service, product("gate"));
    let mut after = None;
    let mut lines = Vec::new();
    loop {
        let page = Page { after, limit: 3 };
        let part = service
            .impact_history(&maker.reader, &maker.id, &line, "privacy", &page)
            .await
            .unwrap();
        lines.extend(part.items);
        match part.next {
            None => break,
            next => after = next,
        }
    }
    assert_eq!(lines.len(), 4);
    assert_eq!(lines.iter().filter(|one| one.answer.is_none()).count(), 1);
    let query = AuditQuery { organisation: Some(maker.id.clone()), ..AuditQuery::default() };
    let events = service.audit_trail(&maker.admin, &query, &Page::default()).await.unwrap();
    let told: Vec<String> = events
        .items
        .iter()
        .map(|one| format!("{one:?}"))
        .filter(|one| one.contains("impact-answered"))
        .collect();
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|one| !one.contains("Names")), "answers stay out of the log");
}

#[tokio::test]
async fn what_is_no_answer_is_refused_in_both_languages() {
    let (world, maker) = maker().await;
    let long = "x".repeat(4_001);
    for (question, answered, english, japanese) in [
        ("personal", "perhaps", "personal: perhaps is none", "選択肢にありません"),
        ("personal", "some, none", "personal: choose one", "一つだけ"),
        ("sharing", "none, abroad", "goes with no other choice", "同時に選べません"),
        ("data", long.as_str(), "4000 characters", "4000文字"),
        ("data", "a\u{7}b", "U+0007", "U+0007"),
        ("colour", "red", "no question colour", "質問 colour はありません"),
    ] {
        let new = said(0, &[("purpose", Some("kept or not")), (question, Some(answered))]);
        let error = answer(&world, &maker, "privacy", new).await.unwrap_err();
        assert_eq!(error.code(), "impact-answer", "{question}");
        let text = error.problem().message.to_string();
        assert!(text.contains(english), "{text}");
        let text = error.problem().message_ja.clone().unwrap();
        assert!(text.contains(japanese), "{text}");
    }
    let (standing, answers) = stands(&world, &maker, "privacy").await;
    assert_eq!((standing.version, answers.len()), (0, 0), "all of it or nothing");
    let unknown = answer(&world, &maker, "taste", said(0, &[])).await;
    assert_eq!(code(unknown), "not-found");
}

#[tokio::test]
async fn a_conclusion_holds_until_something_changes() {
    let (world, maker) = maker().await;
    let (service, admin, of, line) = (&world.service, &maker.admin, &maker.id, product("gate"));
    let conclude =
        async |version| service.conclude_impact(admin, of, &line, "safety", version).await;
    let open = conclude(0).await.unwrap_err();
    assert_eq!(open.code(), "impact-open");
    let first = rule_book().unwrap().form("safety").unwrap().steps[0].questions[0].ask.clone();
    assert!(open.problem().message.contains(first.of(Language::En)));
    assert!(open.problem().message_ja.as_ref().unwrap().contains(first.of(Language::Ja)));
    let new = NewImpactAnswers { version: 0, answers: all("safety").into_iter().collect() };
    answer(&world, &maker, "safety", new).await.unwrap();
    assert_eq!(code(conclude(0).await), "impact-changed");
    // An operator answers, and only an administrator concludes.
    let operator = world.member(of, "op", policy::Roles::of(&[policy::Role::Operator])).await.0;
    let refused = service.conclude_impact(&operator, of, &line, "safety", 1).await;
    assert_eq!(code(refused), "role");
    conclude(1).await.unwrap();
    let (standing, _) = stands(&world, &maker, "safety").await;
    assert_eq!(standing.concluded.as_ref().unwrap().0, admin.to_string());
    assert!(!standing.reopened && standing.version == 1);
    // Another answer opens it, the old one closes it again: a conclusion is for what was said.
    let other = said(1, &[("dependents", Some("somebody else"))]);
    service.answer_impact(&operator, of, &line, "safety", other).await.unwrap();
    let (standing, _) = stands(&world, &maker, "safety").await;
    assert!(standing.reopened && standing.concluded.is_none());
    let back = said(2, &[("dependents", Some("because"))]);
    service.answer_impact(&operator, of, &line, "safety", back).await.unwrap();
    assert!(stands(&world, &maker, "safety").await.0.concluded.is_some());
    // So does a model that contradicts an answer.
    let none = said(3, &[("acts", Some("none"))]);
    service.answer_impact(&operator, of, &line, "safety", none).await.unwrap();
    conclude(4).await.unwrap();
    let text = "tegata: threat-model/1\nname: Gate\nelements:\n  - {id: m, title: Motor, kind: device, \
                traits: [actuator]}\n";
    put(&world, &maker, 0, text).await;
    assert!(stands(&world, &maker, "safety").await.0.reopened);
    let refused = conclude(4).await.unwrap_err();
    assert_eq!(refused.code(), "impact-open");
    // What it says counts for the product: the worst of all, never less than safety says.
    let look = |looked: &ImpactLooked<'_>| {
        let form = looked.analysis.book.form("safety").unwrap();
        let impact = Impact::of(form, &looked.answers["safety"], looked.analysis);
        let threats = impact.threats.iter().any(|(one, _)| one.cause_id() == "actuator-driven");
        let levels = scia(looked.analysis.model, looked.analysis.book, looked.answers);
        (threats, levels.into_iter().map(|(_, level, _)| level).collect::<Vec<_>>())
    };
    let (threats, levels) = service.look_at_impact(admin, of, &line, look).await.unwrap();
    assert!(threats);
    assert_eq!(levels, [1, 0, 1, 1]);
}

#[tokio::test]
async fn what_the_models_file_answers_counts_until_somebody_answers_here() {
    let (world, maker) = maker().await;
    let text = "tegata: threat-model/1\nname: Gate\nforms:\n  privacy:\n    personal: some\n    data: Names\n";
    put(&world, &maker, 0, text).await;
    let (standing, answers) = stands(&world, &maker, "privacy").await;
    assert_eq!(answers["data"], "Names");
    assert_eq!(standing.from_file.len(), 2);
    assert_eq!(standing.version, 0);
    let here = said(0, &[("data", Some("Places")), ("personal", None)]);
    answer(&world, &maker, "privacy", here).await.unwrap();
    let (standing, answers) = stands(&world, &maker, "privacy").await;
    assert_eq!(answers, BTreeMap::from([("data".to_owned(), "Places".to_owned())]));
    assert!(standing.from_file.is_empty());
}

#[tokio::test]
async fn readers_read_stations_do_not_and_strangers_find_nothing() {
    let (world, maker) = maker().await;
    let (service, of, line) = (&world.service, &maker.id, product("gate"));
    let refused = service.answer_impact(&maker.reader, of, &line, "safety", said(0, &[])).await;
    assert_eq!(code(refused), "role");
    let station = world.member(of, "st", policy::Roles::of(&[policy::Role::Station])).await.0;
    let look = |looked: &ImpactLooked<'_>| looked.answers.len();
    assert_eq!(code(service.look_at_impact(&station, of, &line, look).await), "role");
    let stranger = world.maker("other", "door", DeviceKind::Device).await;
    let strange = &stranger.admin;
    let page = Page::default();
    for found in [
        code(service.look_at_impact(strange, of, &line, look).await),
        code(service.answer_impact(strange, of, &line, "safety", said(0, &[])).await),
        code(service.conclude_impact(strange, of, &line, "safety", 0).await),
        code(service.impact_history(strange, of, &line, "safety", &page).await),
    ] {
        assert_eq!(found, "not-found");
    }
}

#[tokio::test]
async fn old_answers_are_pruned_and_the_newest_stay() {
    let (world, maker) = maker().await;
    answer(&world, &maker, "safety", said(0, &[("law", Some("stays"))])).await.unwrap();
    for version in 1..=205u64 {
        let text = format!("answer {version}");
        let new = said(version, &[("dependents", Some(text.as_str()))]);
        answer(&world, &maker, "safety", new).await.unwrap();
    }
    let (standing, answers) = stands(&world, &maker, "safety").await;
    assert_eq!(standing.version, 206);
    assert_eq!((answers["law"].as_str(), answers["dependents"].as_str()), ("stays", "answer 205"));
    let page = Page { after: None, limit: 1_000 };
    let (service, line) = (&world.service, product("gate"));
    let kept =
        service.impact_history(&maker.admin, &maker.id, &line, "safety", &page).await.unwrap();
    assert_eq!(kept.items.len(), 201, "200 versions, and what still stands");
}
