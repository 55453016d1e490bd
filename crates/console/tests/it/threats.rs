//! Threat models in the console: drawn, edited with a preview, decided about, traced.

use crate::stage::{CAST, Stage, is_sound};
use device::{Language, ProductId};
use http::StatusCode;
use service::{NewThreatModel, ThreatsLooked};

const MODEL: &str = "tegata: threat-model/1
name: '<b>Gate</b>'
category: [consumer]
zones:
  - {id: street, title: '<script>alert(1)</script>', trust: 1}
  - {id: house, title: House, trust: 4}
assets:
  - {id: key, title: Key, kind: key}
elements:
  - {id: gate, title: '門', kind: device, zone: house, traits: [updatable], holds: [key], identity: unique, measures: [unique-keys]}
  - {id: app, title: App, kind: app, zone: street}
flows:
  - {id: open, title: Open, from: app, to: gate, purpose: command, protocol: https, authentication: certificate, encryption: transport, carries: [key]}
findings:
  - {id: found, title: 'Lid <i>opens</i>', threat: physical, subject: gate, likelihood: 3, harms: [integrity]}
";
const BASE: &str = "/products/maker/gate/threats";

fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn edit(version: u64, text: &str, act: &str) -> String {
    format!("version={version}&text={}&act={act}", encoded(text))
}

async fn kept(stage: &Stage) -> String {
    let line = ProductId::new("gate").unwrap();
    let new = NewThreatModel { version: 0, text: MODEL.into(), note: Some("first".into()) };
    let (service, admin, of) = (&stage.world.service, &stage.maker.admin, &stage.maker.id);
    service.put_threat_model(admin, of, &line, new).await.unwrap();
    let look = |looked: &ThreatsLooked<'_>| {
        let found = |rule| looked.analysis.threats.iter().find(|one| one.cause_id() == rule);
        found("update-rollback").unwrap().id.to_string()
    };
    service.look_at_threats(admin, of, &line, look).await.unwrap()
}

#[tokio::test]
async fn every_page_is_sound_in_both_languages_and_for_everybody() {
    let stage = Stage::new().await;
    for path in [BASE, "/products/maker/gate/trace"] {
        let page = stage.get("maker-reader", path).await;
        assert_eq!(page.status, StatusCode::OK);
        is_sound(&page, path);
        assert!(page.html.contains("No threat model yet"));
    }
    let id = kept(&stage).await;
    let paths = [
        BASE.to_owned(),
        format!("{BASE}?state=open&band=high"),
        format!("{BASE}/history"),
        format!("{BASE}/edit"),
        format!("{BASE}/one/{id}"),
        format!("{BASE}/one/{id}/decide"),
        format!("{BASE}/asset/key"),
        "/products/maker/gate/trace".to_owned(),
        "/products/maker/gate/trace?verdict=open".to_owned(),
        format!("/products/maker/gate/trace/{id}"),
    ];
    for path in &paths {
        for (who, organisation, _) in CAST {
            for language in Language::ALL.iter().copied() {
                let page = stage.get_in(who, language, path).await;
                let allowed = match (*organisation, *who) {
                    ("maker", "maker-station") => page.status == StatusCode::FORBIDDEN,
                    ("maker", "maker-reader" | "maker-auditor")
                        if path.ends_with("/edit") || path.ends_with("/decide") =>
                    {
                        page.status == StatusCode::FORBIDDEN
                    }
                    ("maker", _) => page.status == StatusCode::OK,
                    _ => page.status == StatusCode::NOT_FOUND,
                };
                assert!(allowed, "{who} {path}: {}", page.status);
                is_sound(&page, path);
                assert!(!page.html.contains("<script>alert"), "{path}");
                assert!(
                    !page.html.contains("<i>opens") && !page.html.contains("<b>Gate"),
                    "{path}"
                );
                assert!(!page.html.contains(">threats-"), "{who} {path}: a text is missing");
            }
        }
    }
    for path in [
        format!("{BASE}?state=asleep"),
        format!("{BASE}?after=x"),
        "/products/maker/gate/trace?verdict=x".to_owned(),
    ] {
        assert_eq!(stage.get("maker-admin", &path).await.status, StatusCode::BAD_REQUEST, "{path}");
    }
    for path in [
        format!("{BASE}/one/T-0000000000000000"),
        format!("{BASE}/asset/nothing"),
        "/products/maker/gate/trace/T-0".to_owned(),
        "/products/maker/nothing/threats".to_owned(),
        "/products/maker/nothing/trace".to_owned(),
    ] {
        assert_eq!(stage.get("maker-admin", &path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    // Drawings are in the page, and the same is said in words.
    let page = stage.get("maker-reader", BASE).await.html;
    assert!(page.contains("class=\"drawing\"") && page.contains("&lt;script&gt;"));
    let page = stage.get("maker-reader", &format!("/products/maker/gate/trace/{id}")).await.html;
    assert!(page.contains("class=\"drawing\"") && page.contains("The same in words"));
}

#[tokio::test]
async fn a_change_is_looked_at_before_it_is_kept() {
    let stage = Stage::new().await;
    let path = format!("{BASE}/edit");
    let page = stage.get("maker-operator", &path).await;
    assert!(page.html.contains("tegata: threat-model/1"), "something to begin with");
    let shown = stage.post("maker-operator", &path, &edit(0, MODEL, "preview")).await;
    assert_eq!(shown.status, StatusCode::OK);
    is_sound(&shown, &path);
    assert!(shown.html.contains("Threats that appear"));
    assert!(stage.get("maker-reader", BASE).await.html.contains("No threat model yet"));
    // What is wrong is told with its line; what was typed stays.
    let wrong = format!(
        "{MODEL}  - {{id: x, title: X, threat: physical, subject: nowhere, likelihood: 3, harms: [integrity]}}\n"
    );
    let refused = stage.post("maker-operator", &path, &edit(0, &wrong, "keep")).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    is_sound(&refused, &path);
    assert!(refused.html.contains("odel:16:"), "{}", refused.html);
    assert!(refused.html.contains("subject: nowhere"));
    for who in ["maker-reader", "maker-station"] {
        let refused = stage.post(who, &path, &edit(0, MODEL, "keep")).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{who}");
    }
    let forged = stage.post_raw("maker-operator", &path, &edit(0, MODEL, "keep")).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN, "a form without its token");
    // Browsers end lines with CR LF; what is kept does not.
    let typed = MODEL.replace('\n', "\r\n");
    let kept = stage.post("maker-operator", &path, &edit(0, &typed, "keep")).await;
    assert_eq!(kept.status, StatusCode::SEE_OTHER);
    let line = ProductId::new("gate").unwrap();
    let (service, of) = (&stage.world.service, &stage.maker.id);
    let view = service.threat_model(&stage.maker.admin, of, &line, None).await.unwrap();
    assert_eq!(view.text.as_deref(), Some(MODEL));
    // Who edited an older version is told so.
    let late = stage.post("maker-admin", &path, &edit(0, MODEL, "keep")).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    let less = MODEL.replace("traits: [updatable], ", "");
    let shown = stage.post("maker-admin", &path, &edit(1, &less, "preview")).await;
    assert!(shown.html.contains("Threats that vanish"));
}

#[tokio::test]
async fn decisions_are_made_by_those_who_may() {
    let stage = Stage::new().await;
    let id = kept(&stage).await;
    let path = format!("{BASE}/one/{id}/decide");
    let page = stage.get("maker-operator", &path).await.html;
    assert!(page.contains("value=\"measures\"") && !page.contains("value=\"accepted\""));
    let accept = "version=0&verdict=accepted&reason=small&until=";
    let refused = stage.post("maker-operator", &path, &format!("{accept}2027-01-01")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let plan = "version=0&verdict=measures&reason=next%20release&measures=rollback-counter";
    let done = stage.post("maker-operator", &path, plan).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    let page = stage.get("maker-reader", &format!("{BASE}/one/{id}")).await.html;
    assert!(page.contains("treat by measures") && page.contains("next release"));
    let again = stage.post("maker-admin", &path, &format!("{accept}2027-01-01")).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "somebody decided since");
    let endless = stage.post("maker-admin", &path, "version=1&verdict=accepted&reason=x").await;
    assert_eq!(endless.status, StatusCode::UNPROCESSABLE_ENTITY, "no end");
    let unclear = stage.post("maker-admin", &path, "version=1&verdict=perhaps&reason=x").await;
    assert_eq!(unclear.status, StatusCode::UNPROCESSABLE_ENTITY);
    let dismissed = "version=1&verdict=dismissed&reason=not%20built%20in";
    let done = stage.post("maker-admin", &path, dismissed).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    let back = stage.post("maker-admin", &path, "version=2&verdict=taken-back&reason=wrong").await;
    assert_eq!(back.status, StatusCode::SEE_OTHER);
    let page = stage.get("maker-reader", &format!("{BASE}/history")).await.html;
    assert!(page.contains("taken back") && page.contains("first"));
}
