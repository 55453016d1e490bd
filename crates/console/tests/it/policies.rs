//! Policies for the doors (GW-2, AU-6).

use crate::stage::{Stage, is_sound};
use device::Language;
use http::StatusCode;

fn encoded(fields: &[(&str, &str)]) -> String {
    serde_html_form::to_string(fields).unwrap()
}

const POLICIES: &str = "@id(\"hears\")\r\npermit(principal, action in Action::\"hear\", resource)\r\n\
                        when { resource.branch == \"<up>\" };\r\n";

fn cases(expect: &str) -> String {
    format!(
        "organisation: owner\r\ndevices: {{ one: {{}} }}\r\ncases:\r\n  - {{ name: <b>own</b>, by: one, \
         does: publish, topic: me/up/x, expect: {expect} }}\r\n"
    )
}

#[tokio::test]
async fn a_version_is_put_in_tried_and_put_in_force_without_a_script() {
    let stage = Stage::new().await;
    for path in ["/policies", "/policies/new", "/policies/activate"] {
        for language in Language::ALL.iter().copied() {
            let page = stage.get_in("owner-admin", language, path).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.html);
            is_sound(&page, path);
        }
        let refused = stage.get("owner-reader", path).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
    }
    // What is wrong stands at its field with its place, and what was typed stays.
    let (good, wrong) = (cases("allowed"), cases("refused"));
    for (policies, tried, reason, field, told) in [
        ("permit(principal);", good.as_str(), "why", "policies", "line 1"),
        (POLICIES, "organisation: owner", "why", "cases", "cases"),
        (POLICIES, good.as_str(), " ", "reason", "Say why"),
    ] {
        let fields = encoded(&[("policies", policies), ("cases", tried), ("reason", reason)]);
        let page = stage.post("owner-admin", "/policies/new", &fields).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.html);
        assert!(page.html.contains(&format!("id=\"{field}-error\"")), "{}", page.html);
        assert!(page.html.contains(told), "{told}: {}", page.html);
        is_sound(&page, "/policies/new");
    }
    let fields = encoded(&[("policies", POLICIES), ("cases", &wrong), ("reason", "first")]);
    let put = stage.post("owner-operator", "/policies/new", &fields).await;
    assert_eq!(put.header("location"), "/policies/1", "{}", put.html);
    let fields = encoded(&[("policies", POLICIES), ("cases", &good), ("reason", "second")]);
    stage.post("owner-operator", "/policies/new", &fields).await;
    for (version, failed) in [(1, true), (2, false)] {
        let path = format!("/policies/{version}");
        let tested = stage.post("owner-operator", &format!("{path}/test"), "").await;
        assert_eq!(tested.status, StatusCode::SEE_OTHER, "{}", tested.html);
        for language in Language::ALL.iter().copied() {
            let page = stage.get_in("owner-admin", language, &path).await;
            is_sound(&page, &path);
            assert!(page.html.contains("&#60;b&#62;own") && !page.html.contains("<b>own"));
            assert!(page.html.contains("entity Device in [Product, Organisation]"));
        }
        let page = stage.get("owner-admin", &path).await;
        assert_eq!(page.html.contains("1 failed"), failed, "{}", page.html);
        let link = format!("/policies/activate?version={version}");
        assert_eq!(page.html.contains(&link), !failed, "what failed is not offered");
        assert!(!stage.get("owner-operator", &path).await.html.contains(&link));
    }
    let activate = |version: &str| encoded(&[("version", version), ("reason", "line 3")]);
    let refused = stage.post("owner-admin", "/policies/activate", &activate("1")).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let refused = stage.post("owner-operator", "/policies/activate", &activate("2")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let done = stage.post("owner-admin", "/policies/activate", &activate("2")).await;
    assert_eq!(done.header("location"), "/policies", "{}", done.html);
    let page = stage.get("owner-admin", "/policies").await;
    is_sound(&page, "/policies");
    assert!(page.html.contains("Version 2 is in force") && page.html.contains("line 3"));
    // Others neither see nor touch any of it.
    assert_eq!(stage.get("stranger", "/policies/2").await.status, StatusCode::NOT_FOUND);
    assert!(!stage.get("stranger", "/policies").await.html.contains("line 3"));
    // Why: for a device of one's own, and for nobody else's.
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await.thing.id;
    let ask = |who: &'static str, topic: &str| {
        let asked = [
            ("device", device.to_string()),
            ("action", "receive".to_owned()),
            ("topic", topic.to_owned()),
        ];
        let path = format!("/policies?{}", serde_html_form::to_string(asked).unwrap());
        let stage = &stage;
        async move {
            let page = stage.get(who, &path).await;
            is_sound(&page, &path);
            page.html
        }
    };
    assert!(ask("owner-admin", "me/up/x").await.contains("<code>own-space</code>"));
    assert!(
        ask("owner-admin", "d/00000000000000000000000000000000/x")
            .await
            .contains("Nothing allows it")
    );
    assert!(ask("owner-admin", "a/#").await.contains("id=\"topic-error\""));
    assert!(ask("stranger", "me/up/x").await.contains("id=\"device-error\""));
    let done = stage.post("owner-admin", "/policies/activate", &activate("")).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.html);
    let page = stage.get_in("owner-admin", Language::Ja, "/policies").await;
    assert!(page.html.contains("適用中のポリシーはありません"), "{}", page.html);
}
