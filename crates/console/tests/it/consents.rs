//! What data is for, and who agreed to it (PR-2).

use crate::stage::{Stage, is_sound};
use device::Language;
use http::StatusCode;

fn encoded(fields: &[(&str, &str)]) -> String {
    serde_html_form::to_string(fields).unwrap()
}

fn purpose<'a>(name: &'a str, topics: &'a str, basis: &'a str) -> String {
    encoded(&[
        ("name", name),
        ("title_en", "<b>Better routes</b>"),
        ("title_ja", "経路の<i>改善</i>"),
        ("explanation_en", "Where it was.\r\nAnd when."),
        ("explanation_ja", "位置です。"),
        ("topics", topics),
        ("recipients", "Maker A\r\nMaker B"),
        ("retention_days", "30"),
        ("legal_basis", basis),
    ])
}

#[tokio::test]
async fn a_purpose_is_declared_agreed_to_and_withdrawn_without_a_script() {
    let stage = Stage::new().await;
    let at = "/products/maker/gate/purposes";
    for path in [at, &format!("{at}/new")] {
        for language in Language::ALL.iter().copied() {
            let page = stage.get_in("maker-admin", language, path).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.html);
            is_sound(&page, path);
        }
    }
    let new = format!("{at}/new");
    assert_eq!(stage.get("owner-admin", &new).await.status, StatusCode::FORBIDDEN);
    for (fields, told) in [
        (purpose("routes", "down/x", ""), "filter below a device"),
        (purpose("Routes", "up/location", ""), "begins with a letter"),
    ] {
        let page = stage.post("maker-admin", &new, &fields).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.html);
        assert!(page.html.contains(told), "{told}: {}", page.html);
        is_sound(&page, &new);
    }
    let done = stage.post("maker-admin", &new, &purpose("routes", "up/location\r\nup/x", "")).await;
    assert_eq!(done.header("location"), at, "{}", done.html);
    stage.post("maker-admin", &new, &purpose("care", "up/state", "contract")).await;
    for path in [at.to_owned(), format!("{at}/new?name=routes"), format!("{at}/end?name=routes")] {
        let page = stage.get("maker-admin", &path).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        is_sound(&page, &path);
        assert!(!page.html.contains("<b>Better"), "not escaped");
    }
    // The owner decides, for all of its devices and for one.
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await.thing.id.to_string();
    let of_device = format!("/devices/{device}/consents");
    let decision = |device: &str, version: &str, decision: &str| {
        encoded(&[
            ("maker", "maker"),
            ("product", "gate"),
            ("purpose", "routes"),
            ("version", version),
            ("device", device),
            ("decision", decision),
        ])
    };
    for path in ["/consents", &of_device] {
        for language in Language::ALL.iter().copied() {
            let page = stage.get_in("owner-admin", language, path).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.html);
            is_sound(&page, path);
            assert!(page.html.contains("up/location") && !page.html.contains("<i>改善"));
        }
    }
    let refused = stage.post("owner-operator", "/consents", &decision("", "1", "given")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let done = stage.post("owner-admin", "/consents", &decision("", "1", "given")).await;
    assert_eq!(done.header("location"), "/consents", "{}", done.html);
    let page = stage.get("owner-admin", "/consents").await;
    assert!(page.html.contains("Consent given") && page.html.contains("Withdraw consent"));
    let done = stage.post("owner-admin", "/consents", &decision(&device, "1", "withdrawn")).await;
    assert_eq!(done.header("location"), of_device, "{}", done.html);
    let page = stage.get("owner-admin", &of_device).await;
    assert!(page.html.contains("No consent") && page.html.contains("Decide as for all devices"));
    is_sound(&page, &of_device);
    let page = stage.get("owner-admin", "/consents").await;
    assert!(page.html.contains("1 withdrawn"), "{}", page.html);
    // A text that changed meanwhile is not agreed to by an older page.
    let changed = purpose("routes", "up/location", "");
    stage.post("maker-admin", &new, &changed).await;
    let late = stage.post("owner-admin", "/consents", &decision("", "1", "given")).await;
    assert_ne!(late.status, StatusCode::SEE_OTHER, "{}", late.html);
    assert_eq!(stage.get("stranger", &of_device).await.status, StatusCode::NOT_FOUND);
    assert_eq!(stage.get("stranger", at).await.status, StatusCode::NOT_FOUND);
    let ended =
        stage.post("maker-admin", &format!("{at}/end"), &encoded(&[("name", "routes")])).await;
    assert_eq!(ended.header("location"), at, "{}", ended.html);
}
