//! Schemas of payloads (GW-7).

use crate::stage::{Stage, is_sound};
use device::Language;
use http::StatusCode;

fn encoded(fields: &[(&str, &str)]) -> String {
    serde_html_form::to_string(fields).unwrap()
}

const SCHEMA: &str =
    "{\"title\": \"<b>reading</b>\",\r\n \"properties\": {\"celsius\": {\"maximum\": 125}}}";

fn cases(hot: &str) -> String {
    format!(
        "cases:\r\n  - {{ name: <i>warm</i>, text: '{{\"celsius\": 20}}', expect: accepted }}\r\n  \
         - {{ name: hot, text: '{{\"celsius\": 900}}', expect: {hot} }}\r\n  \
         - {{ name: no, text: '{{\"celsius\": 901}}', expect: refused }}\r\n"
    )
}

fn put<'a>(schema: &'a str, cases: &'a str, topic: &'a str, reason: &'a str) -> String {
    encoded(&[
        ("name", "reading"),
        ("kind", "json-schema"),
        ("schema", schema),
        ("unknown", "no"),
        ("topic", topic),
        ("cases", cases),
        ("reason", reason),
    ])
}

#[tokio::test]
async fn a_schema_is_put_in_tried_observed_and_retired_without_a_script() {
    let stage = Stage::new().await;
    let pages = ["/schemas", "/schemas/new", "/schemas/strict", "/schemas/activate?schema=a"];
    for path in pages {
        for language in Language::ALL.iter().copied() {
            let page = stage.get_in("owner-admin", language, path).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.html);
            is_sound(&page, path);
        }
        let refused = stage.get("owner-reader", path).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
    }
    // What is wrong stands at its field with its place, and what was typed stays.
    let (good, wrong) = (cases("refused"), cases("accepted"));
    for (fields, told) in [
        (put("{\"type\": \"float\"}", &good, "up/t", "why"), "there is no such type"),
        (put(SCHEMA, "cases: []", "up/t", "why"), "here are 0 cases"),
        (put(SCHEMA, &good, "d/x", "why"), "space"),
        (put(SCHEMA, &good, "up/t", " "), "Say why"),
    ] {
        let page = stage.post("owner-admin", "/schemas/new", &fields).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.html);
        assert!(page.html.contains(told), "{told}: {}", page.html);
        is_sound(&page, "/schemas/new");
    }
    let made =
        stage.post("owner-operator", "/schemas/new", &put(SCHEMA, &wrong, "up/t", "first")).await;
    assert_eq!(made.header("location"), "/schemas/reading/1", "{}", made.html);
    stage.post("owner-operator", "/schemas/new", &put(SCHEMA, &good, "up/t", "second")).await;
    for (version, notice) in [("1", "/schemas/reading/1"), ("2", "/schemas/reading/2")] {
        let path = format!("/schemas/reading/{version}");
        let tested = stage.post("owner-operator", &format!("{path}/test"), "").await;
        assert_eq!(tested.header("location"), notice, "{}", tested.html);
        for language in Language::ALL.iter().copied() {
            let page = stage.get_in("owner-admin", language, &path).await;
            is_sound(&page, &path);
            assert!(
                !page.html.contains("<b>reading") && !page.html.contains("<i>warm"),
                "not escaped"
            );
            assert!(page.html.contains("/celsius: /properties/celsius/maximum"), "{}", page.html);
        }
    }
    let activate = |version: &str, mode: &str| {
        encoded(&[("schema", "reading"), ("version", version), ("mode", mode), ("reason", "go")])
    };
    let at = "/schemas/activate";
    let refused = stage.post("owner-admin", at, &activate("1", "enforce")).await;
    assert_ne!(refused.status, StatusCode::SEE_OTHER, "{}", refused.html);
    let refused = stage.post("owner-operator", at, &activate("2", "observe")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let done = stage.post("owner-admin", at, &activate("2", "observe")).await;
    assert_eq!(done.header("location"), "/schemas/reading", "{}", done.html);
    for path in ["/schemas", "/schemas/reading"] {
        let page = stage.get("owner-admin", path).await;
        is_sound(&page, path);
        assert!(page.html.contains("Observed") && page.html.contains("up/t"), "{}", page.html);
    }
    let done = stage.post("owner-admin", at, &activate("", "")).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.html);
    let strict = encoded(&[("product", "maker/gate"), ("strict", "on"), ("reason", "now")]);
    let done = stage.post("owner-admin", "/schemas/strict", &strict).await;
    assert_eq!(done.header("location"), "/schemas", "{}", done.html);
    let page = stage.get("owner-admin", "/schemas").await;
    assert!(page.html.contains("maker/gate"), "{}", page.html);
    assert_eq!(stage.get("stranger", "/schemas/reading/2").await.status, StatusCode::NOT_FOUND);
}
