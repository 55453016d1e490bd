//! Threat models on the platform: kept with their versions, decided about, traced to verdicts.

use crate::{
    diagnoses::{answer, code, opened},
    world::{Org, World, config, product},
};
use assessment::{
    Day, Entry, Evidence, LinkGap, Outcome, TraceVerdict,
    threat::{State, Verdict},
};
use device::{DeviceKind, Language};
use policy::{Role, Roles};
use service::{
    AuditQuery, Caller, NewThreatDecision, NewThreatModel, Page, ThreatModelPut, ThreatsLooked,
    TraceLooked,
};

/// A lock with one thing of everything that these tests look at.
const MODEL: &str = "tegata: threat-model/1
name: Gate
category: [consumer]
elements:
  - id: gate
    title: Gate
    kind: device
    place: public
    identity: unique
    traits: [updatable, actuator]
    measures: [unique-keys, key-store]
";

async fn maker() -> (World, Org) {
    let world = World::with(config()).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    (world, maker)
}

async fn put(world: &World, maker: &Org, version: u64, text: &str) -> ThreatModelPut {
    let new = NewThreatModel { version, text: text.into(), note: None };
    let line = product("gate");
    world.service.put_threat_model(&maker.admin, &maker.id, &line, new).await.unwrap()
}

fn decision(version: u64, verdict: Option<Verdict>, until: Option<&str>) -> NewThreatDecision {
    NewThreatDecision {
        version,
        verdict,
        reason: "the flap is sealed".into(),
        until: until.map(|day| Day::parse(day).unwrap()),
        measures: Vec::new(),
        likelihood: None,
        impact: None,
    }
}

/// The threat of a rule, and where it stands.
async fn threat(world: &World, maker: &Org, rule: &'static str) -> Option<(String, State)> {
    let look = move |looked: &ThreatsLooked<'_>| {
        let one = looked.analysis.threats.iter().find(|one| one.cause_id() == rule)?;
        Some((one.id.to_string(), one.state))
    };
    let line = product("gate");
    world.service.look_at_threats(&maker.admin, &maker.id, &line, look).await.unwrap()
}

fn day_after(world: &World, days: i64) -> String {
    let now = service::Clock::now(world.clock.as_ref());
    Day::of(now.plus(days * 86_400)).unwrap().to_string()
}

#[tokio::test]
async fn a_model_is_kept_with_its_versions_and_nobody_overwrites_it_unseen() {
    let (world, maker) = maker().await;
    let (service, admin, of, line) = (&world.service, &maker.admin, &maker.id, product("gate"));
    assert_eq!(code(service.threat_model(admin, of, &line, None).await), "not-found");
    let shown = service.preview_threat_model(admin, of, &line, MODEL.into()).await.unwrap();
    assert_eq!((shown.version, shown.changes.vanished.len()), (0, 0));
    assert!(!shown.changes.appeared.is_empty() && shown.changes.same == 0);
    assert_eq!(code(service.threat_model(admin, of, &line, None).await), "not-found", "only shown");
    let first = put(&world, &maker, 0, MODEL).await;
    assert_eq!((first.version.version, &first.changes), (1, &shown.changes));
    assert_eq!(first.version.digest, crypto::sha256(MODEL.as_bytes()));
    // The same again is the same.
    assert_eq!(put(&world, &maker, 1, MODEL).await.version, first.version);

    // Who comes second is told so, and nothing is lost.
    let more = format!("{MODEL}    support_until: 2031-12-31\n");
    let second = put(&world, &maker, 1, &more).await;
    assert_eq!(second.version.version, 2);
    assert!(!second.changes.vanished.is_empty(), "the end of support is stated now");
    assert!(second.changes.appeared.is_empty() && second.changes.same > 0);
    let late = NewThreatModel { version: 1, text: format!("{MODEL}# late\n"), note: None };
    let late = service.put_threat_model(admin, of, &line, late).await;
    assert_eq!(code(late), "threat-model-changed");
    let now = service.threat_model(&maker.reader, of, &line, None).await.unwrap();
    assert_eq!((now.version.version, now.text.as_deref()), (2, Some(more.as_str())));
    let before = service.threat_model(admin, of, &line, Some(1)).await.unwrap();
    assert_eq!(before.text.as_deref(), Some(MODEL), "as it was handed in, to the byte");
    assert_eq!(code(service.threat_model(admin, of, &line, Some(3)).await), "not-found");
    let page = Page { after: None, limit: 1 };
    let newest = service.threat_model_history(admin, of, &line, &page).await.unwrap();
    assert_eq!((newest.items[0].version, newest.next.as_deref()), (2, Some("2")));
    let page = Page { after: newest.next, limit: 1 };
    let oldest = service.threat_model_history(admin, of, &line, &page).await.unwrap();
    assert_eq!((oldest.items[0].version, oldest.next), (1, None));

    // The log of security events has each change, and none of what was only shown or refused.
    let query = AuditQuery { organisation: Some(of.clone()), ..AuditQuery::default() };
    let events = service.audit_trail(admin, &query, &Page::default()).await.unwrap();
    let changed =
        events.items.iter().filter(|one| format!("{one:?}").contains("threat-model-changed"));
    assert_eq!(changed.count(), 2);
}

#[tokio::test]
async fn what_is_no_model_is_refused_with_its_place() {
    let (world, maker) = maker().await;
    let (service, admin, of, line) = (&world.service, &maker.admin, &maker.id, product("gate"));
    for (text, wanted) in [
        ("a: b\n".to_owned(), "model:1:"),
        (format!("{MODEL}    zone: nowhere\n"), "model:12:"),
        ("\u{0}".to_owned(), "model:"),
        (format!("{MODEL}#{}", "x".repeat(600_000)), "bytes"),
    ] {
        let new = NewThreatModel { version: 0, text: text.clone(), note: None };
        let refused = service.put_threat_model(admin, of, &line, new).await.unwrap_err();
        assert_eq!(refused.code(), "threat-model");
        assert!(refused.to_string().contains(wanted), "{refused}");
        let japanese = refused.message_ja().unwrap();
        assert!(japanese.chars().any(|c| matches!(c, '\u{3041}'..='\u{9fff}')), "{japanese}");
        let shown = service.preview_threat_model(admin, of, &line, text).await;
        assert_eq!(code(shown), "threat-model");
    }
    let refused = service.preview_threat_model(admin, of, &line, format!("{MODEL}    zone: x\n"));
    assert!(
        refused
            .await
            .unwrap_err()
            .message_ja()
            .unwrap()
            .contains("12行11桁：ゾーン「x」はありません")
    );
    // So many elements that nobody could look at all that follows.
    let mut many = "tegata: threat-model/1\nname: Many\nelements:\n".to_owned();
    let ways: Vec<String> = (0..30).map(|way| format!("{{id: i{way}, kind: debug}}")).collect();
    for number in 0..500 {
        let ways = ways.join(", ");
        many.push_str(&format!(
            "  - {{id: e{number}, title: E, kind: device, interfaces: [{ways}]}}\n"
        ));
    }
    let new = NewThreatModel { version: 0, text: many, note: None };
    let refused = service.put_threat_model(admin, of, &line, new).await;
    assert_eq!(code(refused), "threat-model-large");
    let new = NewThreatModel { version: 0, text: MODEL.into(), note: Some("two\nlines".into()) };
    assert_eq!(code(service.put_threat_model(admin, of, &line, new).await), "threat-note");
    // A file that decides by itself does not decide here.
    let id = {
        put(&world, &maker, 0, MODEL).await;
        threat(&world, &maker, "update-rollback").await.unwrap().0
    };
    let forged = format!(
        "{MODEL}decisions:\n  - {{threat: {id}, verdict: dismissed, reason: r, by: Director, on: 2020-01-01}}\n"
    );
    let put = put(&world, &maker, 1, &forged).await;
    assert_eq!(put.changes.ignored_decisions, 1);
    assert_eq!(threat(&world, &maker, "update-rollback").await.unwrap().1, State::Open);
}

#[tokio::test]
async fn who_may_look_change_and_decide() {
    let (world, maker) = maker().await;
    let (service, of, line) = (&world.service, &maker.id, product("gate"));
    put(&world, &maker, 0, MODEL).await;
    let (id, _) = threat(&world, &maker, "update-rollback").await.unwrap();
    let new = || NewThreatModel { version: 1, text: format!("{MODEL}# x\n"), note: None };
    let reader = &maker.reader;
    assert_eq!(code(service.put_threat_model(reader, of, &line, new()).await), "role");
    assert_eq!(code(service.preview_threat_model(reader, of, &line, MODEL.into()).await), "role");
    let operator: Caller = world.member(of, "op", Roles::of(&[Role::Operator])).await.0;
    let until = day_after(&world, 30);
    let accept = decision(0, Some(Verdict::Accepted), Some(&until));
    let refused = service.decide_threat(&operator, of, &line, &id, accept.clone()).await;
    assert_eq!(code(refused), "role", "to accept is for administrators");
    // To plan a measure is not; what an administrator decided stays with administrators.
    let mut plan = decision(0, Some(Verdict::Measures), None);
    plan.measures = vec!["rollback-counter".into()];
    service.decide_threat(&operator, of, &line, &id, plan.clone()).await.unwrap();
    assert_eq!(threat(&world, &maker, "update-rollback").await.unwrap().1, State::Planned);
    let accept = NewThreatDecision { version: 1, ..accept };
    service.decide_threat(&maker.admin, of, &line, &id, accept).await.unwrap();
    plan.version = 2;
    assert_eq!(code(service.decide_threat(&operator, of, &line, &id, plan).await), "role");
    let back = decision(2, None, None);
    assert_eq!(code(service.decide_threat(&operator, of, &line, &id, back).await), "role");
    assert_eq!(threat(&world, &maker, "update-rollback").await.unwrap().1, State::Accepted);
    // Others see nothing at all, not even that there is something.
    let other = world.maker("other", "gate", DeviceKind::Device).await;
    let look = |_: &ThreatsLooked<'_>| ();
    let spied = service.look_at_threats(&other.admin, of, &line, look).await;
    assert_eq!(code(spied), "not-found");
    let spied = service.look_at_trace(&other.admin, of, &line, |_: &TraceLooked<'_>| ()).await;
    assert_eq!(code(spied), "not-found");
}

#[tokio::test]
async fn decisions_survive_edits_and_end() {
    let (world, maker) = maker().await;
    let (service, admin, of, line) = (&world.service, &maker.admin, &maker.id, product("gate"));
    put(&world, &maker, 0, MODEL).await;
    let (id, state) = threat(&world, &maker, "update-rollback").await.unwrap();
    assert_eq!(state, State::Open);
    let until = day_after(&world, 30);
    for (wrong, why) in [
        (decision(0, Some(Verdict::Accepted), None), "no end"),
        (decision(0, Some(Verdict::Accepted), Some(&day_after(&world, -1))), "over"),
        (decision(0, Some(Verdict::Accepted), Some(&day_after(&world, 400))), "too long"),
        (decision(0, Some(Verdict::Measures), None), "no measures"),
        (decision(0, Some(Verdict::Rated), None), "no rating"),
        (
            NewThreatDecision { reason: " ".into(), ..decision(0, Some(Verdict::Dismissed), None) },
            "no reason",
        ),
        (
            NewThreatDecision {
                measures: vec!["guards".into()],
                ..decision(0, Some(Verdict::Measures), None)
            },
            "a measure that does nothing against it",
        ),
        (
            NewThreatDecision { likelihood: Some(6), ..decision(0, Some(Verdict::Rated), None) },
            "beyond the scale",
        ),
    ] {
        let refused = service.decide_threat(admin, of, &line, &id, wrong).await;
        assert_eq!(code(refused), "threat-decision", "{why}");
    }
    let accept = decision(0, Some(Verdict::Accepted), Some(&until));
    let nowhere = "T-0000000000000000";
    let refused = service.decide_threat(admin, of, &line, nowhere, accept.clone()).await;
    assert_eq!(code(refused), "not-found");
    let back = service.decide_threat(admin, of, &line, &id, decision(0, None, None)).await;
    assert_eq!(code(back), "not-found", "there is nothing to take back");
    service.decide_threat(admin, of, &line, &id, accept.clone()).await.unwrap();
    let late = service.decide_threat(admin, of, &line, &id, accept).await;
    assert_eq!(code(late), "threat-decided");

    // The gate is renamed for people, moved and gets a sibling: the decision stays.
    let edited = MODEL
        .replace("title: Gate", "title: Turnstile")
        .replace("elements:\n", "elements:\n  - {id: other, title: Other, kind: app}\n");
    put(&world, &maker, 1, &edited).await;
    assert_eq!(
        threat(&world, &maker, "update-rollback").await,
        Some((id.clone(), State::Accepted))
    );
    // The threat goes and comes back: the decision waits for it.
    let without = put(&world, &maker, 2, &edited.replace("updatable, ", "")).await;
    assert_eq!(without.changes.without_threat, [id.as_str()]);
    assert_eq!(threat(&world, &maker, "update-rollback").await, None);
    put(&world, &maker, 3, &edited).await;
    assert_eq!(
        threat(&world, &maker, "update-rollback").await,
        Some((id.clone(), State::Accepted))
    );
    // On the last day it counts, on the next it does not.
    world.clock.advance(30 * 86_400);
    assert_eq!(threat(&world, &maker, "update-rollback").await.unwrap().1, State::Accepted);
    world.clock.advance(86_400);
    assert_eq!(threat(&world, &maker, "update-rollback").await.unwrap().1, State::Open);
    let look = |looked: &TraceLooked<'_>| {
        looked.trace.gaps.iter().filter(|gap| gap.kind == LinkGap::Ended).count()
    };
    assert_eq!(service.look_at_trace(admin, of, &line, look).await.unwrap(), 1);
    service.decide_threat(admin, of, &line, &id, decision(1, None, None)).await.unwrap();
    let all =
        service.threat_decisions(admin, of, &line, Some(&id), &Page::default()).await.unwrap();
    let verdicts: Vec<_> = all.items.iter().map(|one| one.verdict).collect();
    assert_eq!(verdicts, [None, Some(Verdict::Accepted)]);
    assert_eq!(all.items[1].by, admin.to_string());
}

#[tokio::test]
async fn evidence_decides_and_a_live_failure_beats_a_document() {
    let (world, maker) = maker().await;
    let (service, admin, of, line) = (&world.service, &maker.admin, &maker.id, product("gate"));
    put(&world, &maker, 0, &MODEL.replace("identity: unique", "identity: per-class")).await;
    // A threat that this model silences with `unique-keys` alone, whose check a collector sees.
    let find = |looked: &TraceLooked<'_>| {
        let one = looked.trace.threats.iter().find(|one| {
            one.threat.state == State::Mitigated && one.threat.in_place.contains("unique-keys")
        })?;
        let checks: Vec<String> = one
            .threat
            .in_place
            .iter()
            .flat_map(|id| &looked.trace.controls[id].checks)
            .map(ToString::to_string)
            .collect();
        Some((one.threat.id.to_string(), checks))
    };
    let found = service.look_at_trace(admin, of, &line, find).await.unwrap();
    let (id, checks) = found.expect("the model silences a threat with unique keys");
    assert!(checks.iter().any(|check| check == "DEV-MSP-01"), "{checks:?}");
    let verdict = async || {
        let id = id.clone();
        let look = move |looked: &TraceLooked<'_>| {
            let live =
                looked.trace.gaps.iter().filter(|gap| gap.kind == LinkGap::LiveFails).count();
            let graph = looked.trace.graph(&id, assessment::threat::Theme::Light, Language::En);
            assert!(graph.is_some_and(|graph| graph.svg.contains("DEV-MSP-01")));
            (looked.trace.threat(&id).unwrap().verdict, live, looked.diagnosis.is_some())
        };
        service.look_at_trace(admin, of, &line, look).await.unwrap()
    };
    assert_eq!(verdict().await, (TraceVerdict::Claimed, 0, false), "said, and shown by nobody");
    let one = opened(&world, &maker, "1.0").await;
    let on = Day::of(service::Clock::now(world.clock.as_ref())).unwrap();
    let end = Day::parse(&day_after(&world, 60)).unwrap();
    for check in &checks {
        let piece = Evidence { what: "report".into(), sha256: None, on, until: Some(end) };
        let met = assessment::Answer { evidence: vec![piece], ..answer(Outcome::Met) };
        let entry = Some(Entry::Answer(met));
        service.answer_diagnosis(admin, &one.id, check, 0, entry).await.unwrap();
    }
    assert_eq!(verdict().await, (TraceVerdict::Shown, 0, true));
    // A device without a credential of its own: the platform sees it.
    let thing = world.made(&maker, "gate", Vec::new()).await;
    service.collect_evidence(admin, of, &line).await.unwrap();
    let (beaten, live, _) = verdict().await;
    assert_eq!(beaten, TraceVerdict::Contradicted, "the document said otherwise");
    assert!(live > 0);
    world.idevid(&maker, "gate", &thing).await;
    service.collect_evidence(admin, of, &line).await.unwrap();
    let (mended, _, _) = verdict().await;
    assert_eq!(mended, TraceVerdict::Shown);
    // Evidence runs out.
    world.clock.advance(61 * 86_400);
    service.collect_evidence(admin, of, &line).await.unwrap();
    let (after, _, _) = verdict().await;
    assert_eq!(after, TraceVerdict::Claimed);
    // What was answered by whom is told.
    let look = |looked: &TraceLooked<'_>| {
        let check = looked.trace.checks.values().find(|one| one.item.id.as_str() == "DEV-MSP-01");
        check.and_then(|check| check.answered_by.clone())
    };
    let by = service.look_at_trace(admin, of, &line, look).await.unwrap();
    assert_eq!(by.as_deref(), Some(admin.to_string().as_str()));
}
