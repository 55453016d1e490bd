//! Threat models through the doors.

use crate::world::{World, id, product};
use api::wire::{
    DecideThreat, DrawingQuery, PageQuery, ThreatDecisionQuery, ThreatModelQuery, ThreatQuery,
};

const MODEL: &str = "tegata: threat-model/1
name: Gate
assets:
  - {id: key, title: Key, kind: key}
elements:
  - {id: gate, title: Gate, kind: device, traits: [updatable], holds: [key]}
";

fn code<T: std::fmt::Debug>(outcome: Result<T, api::ClientError>) -> String {
    outcome.unwrap_err().problem().unwrap().code.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_from_the_first_look_to_the_trace() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate").await;
    let (rest, of, line) = (world.rest(&maker.admin), id("maker"), product("gate"));
    let how = |apply: Option<u64>| ThreatModelQuery { apply, note: None };
    let put = async |apply, text: &str| {
        rest.put_threat_model(&of, &line, &how(apply), text.as_bytes().to_vec()).await
    };
    assert_eq!(code(rest.threat_model(&of, &line, None).await), "not-found");
    assert_eq!(code(rest.trace(&of, &line).await), "not-found");
    let shown = put(None, MODEL).await.unwrap();
    assert!(!shown.applied && shown.version == 0 && !shown.appeared.is_empty());
    let kept = put(Some(0), MODEL).await.unwrap();
    assert!(kept.applied && kept.version == 1);
    assert_eq!(kept.appeared, shown.appeared);
    assert!(kept.assumptions.iter().any(|one| one.kind == "unrated" && one.at == "key"));
    assert_eq!(
        code(put(Some(0), "tegata: threat-model/1\nname: Late\n").await),
        "threat-model-changed"
    );
    let refused = put(Some(1), "tegata: threat-model/1\nname: X\nflows: 3\n").await.unwrap_err();
    let problem = refused.problem().unwrap();
    assert_eq!(problem.code, "threat-model");
    assert!(format!("{problem:?}").contains("model:3:"), "{problem:?}");
    let file = rest.threat_model(&of, &line, Some(1)).await.unwrap();
    assert_eq!(file.as_ref(), MODEL.as_bytes());
    let history = rest.threat_model_history(&of, &line, &PageQuery::default()).await.unwrap();
    assert_eq!(history.items.len(), 1);

    let query = ThreatQuery { limit: Some(3), ..Default::default() };
    let first = rest.threats(&of, &line, &query).await.unwrap();
    assert_eq!(first.items.len(), 3);
    let mut all = first.items;
    let mut next = first.next;
    while let Some(after) = next {
        let query = ThreatQuery { after: Some(after), limit: Some(3), ..Default::default() };
        let page = rest.threats(&of, &line, &query).await.unwrap();
        all.extend(page.items);
        next = page.next;
    }
    assert_eq!(all.len(), kept.appeared.len(), "every threat once");
    let wrong = ThreatQuery { state: Some("asleep".into()), ..Default::default() };
    assert_eq!(code(rest.threats(&of, &line, &wrong).await), "invalid-parameter");
    let one = &all[0];
    assert_eq!(rest.threat(&of, &line, &one.id).await.unwrap(), *one);
    assert_eq!(code(rest.threat(&of, &line, "T-0").await), "not-found");
    assert!(!one.title.ja.is_ascii() && one.decision_version == 0);

    let decide = |verdict: Option<&str>, version| DecideThreat {
        version,
        verdict: verdict.map(str::to_owned),
        reason: "not built in".into(),
        ..Default::default()
    };
    let asleep = decide(Some("asleep"), 0);
    assert_eq!(code(rest.decide_threat(&of, &line, &one.id, &asleep).await), "malformed-request");
    let made =
        rest.decide_threat(&of, &line, &one.id, &decide(Some("dismissed"), 0)).await.unwrap();
    assert_eq!((made.version, made.verdict.as_deref()), (1, Some("dismissed")));
    let after = rest.threat(&of, &line, &one.id).await.unwrap();
    assert_eq!((after.state.as_str(), after.decision_version), ("dismissed", 1));
    let again = decide(Some("handled"), 0);
    assert_eq!(code(rest.decide_threat(&of, &line, &one.id, &again).await), "threat-decided");
    rest.decide_threat(&of, &line, &one.id, &decide(None, 1)).await.unwrap();
    let about = ThreatDecisionQuery { threat: Some(one.id.clone()), ..Default::default() };
    assert_eq!(rest.threat_decisions(&of, &line, &about).await.unwrap().items.len(), 2);

    for which in [
        DrawingQuery::default(),
        DrawingQuery { theme: Some("dark".into()), ..Default::default() },
        DrawingQuery {
            what: Some("tree".into()),
            threat: Some(one.id.clone()),
            ..Default::default()
        },
        DrawingQuery { what: Some("tree".into()), asset: Some("key".into()), ..Default::default() },
        DrawingQuery {
            what: Some("trace".into()),
            threat: Some(one.id.clone()),
            ..Default::default()
        },
    ] {
        let svg = rest.threat_drawing(&of, &line, &which).await.unwrap();
        assert!(svg.starts_with(b"<svg "), "{which:?}");
    }
    let wrong = DrawingQuery { what: Some("trace".into()), ..Default::default() };
    assert_eq!(code(rest.threat_drawing(&of, &line, &wrong).await), "invalid-parameter");
    let nobody =
        DrawingQuery { what: Some("tree".into()), asset: Some("x".into()), ..Default::default() };
    assert_eq!(code(rest.threat_drawing(&of, &line, &nobody).await), "not-found");
    let trace = rest.trace(&of, &line).await.unwrap();
    assert_eq!(trace.threats.len(), all.len());
    assert!(!trace.gaps.is_empty() && !trace.checks.is_empty() && trace.diagnosis.is_none());
    for check in &trace.checks {
        assert_eq!(check.gap.as_deref(), Some("not-answered"));
    }
}
