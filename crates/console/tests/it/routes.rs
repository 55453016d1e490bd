//! Routes of messages (GW-5).

use crate::stage::{Stage, is_sound};
use admission::TopicName;
use device::Language;
use http::StatusCode;
use policy::Caller;
use service::{IncomingMessage, LaneOutcome, MessageDoor};
use std::collections::HashSet;

const DELIVERER: Caller = Caller::Platform { task: "route" };
const NEW: &str = "name=hook&target=https%3A%2F%2Fhooks.example%2Fin&topic=up%2F%23&full=refuse\
                   &messages=100&bytes=100000&attempts=3&days=30";

async fn says(stage: &Stage, device: &crate::world::Working, topic: &str, payload: &[u8]) {
    let service = &stage.world.service;
    let certificate = &device.ldevid.certificate;
    let caller = service.identify_certificate(certificate).await.unwrap();
    let sender = service.door_sender(&caller, certificate).unwrap();
    let message = IncomingMessage {
        door: MessageDoor::Mqtt,
        topic: sender.space().absolute(TopicName::new(topic).unwrap()).unwrap(),
        payload: payload.into(),
        media_type: None,
        made_at: None,
        counter: None,
        retain: None,
        expires_s: None,
        acknowledged: true,
    };
    service.take_message(&sender, &message).await.unwrap();
}

#[tokio::test]
async fn a_route_is_made_tried_paused_and_ended() {
    let stage = Stage::new().await;
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await;
    for language in Language::ALL.iter().copied() {
        for path in ["/routes", "/new-route", "/route-trial"] {
            let page = stage.get_in("owner-admin", language, path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.html);
            is_sound(&page, path);
        }
    }
    for (who, path) in [("owner-reader", "/routes"), ("owner-reader", "/new-route")] {
        let refused = stage.get(who, path).await.status;
        assert!(matches!(refused, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND), "{who} {path}");
        let refused = stage.post(who, "/new-route", NEW).await.status;
        assert!(matches!(refused, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND), "{who}");
    }
    says(&stage, &device, "me/up/t", br#"{"celsius": 31, "x": "<b>"}"#).await;
    let page =
        stage.get("owner-admin", "/route-trial?condition=%24%5B%3F%40.celsius+%3E+30%5D").await;
    is_sound(&page, "/route-trial");
    assert!(page.html.contains("1 of 1 messages would go by the route"), "{}", page.html);
    assert!(!page.html.contains("<b>"));
    assert!(page.html.contains("/new-route?condition=%24%5B%3F%40.celsius"), "{}", page.html);
    let page = stage.get("owner-admin", "/route-trial?condition=%24%5B").await;
    is_sound(&page, "/route-trial");
    assert!(page.html.contains("JSONPath (RFC 9535)") && page.html.contains("character 2"));
    // What is wrong stands at its field, and what was typed stays.
    for (fields, wrong) in [
        (NEW.replace("topic=up%2F%23", "topic=up%2F%23%2Fx"), "up/+/temperature or up/#"),
        (NEW.replace("https%3A", "http%3A"), "table, file or topic:DEVICE"),
        (NEW.replace("messages=100&", "messages=many&"), "1 to 1,000,000 messages"),
    ] {
        let page = stage.post("owner-admin", "/new-route", &fields).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.html);
        is_sound(&page, "/new-route");
        assert!(page.html.contains(wrong), "{wrong}: {}", page.html);
    }
    // A broker: its subject and its secret stand at their fields, and the secret comes back nowhere.
    let broker = NEW
        .replace("https%3A%2F%2Fhooks.example%2Fin", "nats%3A%2F%2Fn.example%2FS%2Ft.%7Btopic%7D");
    for (fields, wrong) in [
        (broker.replace("%7Btopic%7D", "%3E"), "in levels between single dots"),
        (
            format!(
                "{broker}&secret=-----BEGIN+CERTIFICATE-----%0As3cr3t%0A-----END+CERTIFICATE-----"
            ),
            "private key",
        ),
    ] {
        let page = stage.post("owner-admin", "/new-route", &fields).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.html);
        is_sound(&page, "/new-route");
        assert!(
            page.html.contains(wrong) && !page.html.contains("s3cr3t"),
            "{wrong}: {}",
            page.html
        );
    }
    let fields = format!("{}&secret=ann%3As3cr3t", broker.replace("name=hook", "name=broker"));
    let page = stage.post("owner-admin", "/new-route", &fields).await;
    assert_eq!(page.header("location"), "/routes/broker", "{}", page.html);
    for path in ["/routes", "/routes/broker", "/routes/broker/change"] {
        let page = stage.get("owner-admin", path).await;
        is_sound(&page, path);
        assert!(page.html.contains("n.example") && !page.html.contains("s3cr3t"), "{path}");
    }
    stage.post("owner-admin", "/routes/broker/end", "").await;
    let page = stage.post("owner-admin", "/new-route", NEW).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    is_sound(&page, "/new-route");
    assert!(page.html.contains("whsec_"));
    let again = stage.post("owner-admin", "/new-route", NEW).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "a name is taken once");
    let change = format!("{NEW}&condition=%24.payload.celsius");
    let page = stage.post("owner-admin", "/routes/hook/change", &change).await;
    assert_eq!(page.header("location"), "/routes/hook");
    for language in Language::ALL.iter().copied() {
        for path in ["/routes", "/routes/hook", "/routes/hook/change", "/routes/hook/end"] {
            let page = stage.get_in("owner-admin", language, path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.html);
            is_sound(&page, path);
            assert!(!page.html.contains("whsec_A") && page.html.contains("hook"), "{path}");
        }
    }
    stage.post("owner-admin", "/routes/hook/pause", "").await;
    assert!(stage.get("owner-admin", "/routes/hook").await.html.contains("/routes/hook/resume"));
    stage.post("owner-admin", "/routes/hook/resume", "").await;
    let page = stage.post("owner-admin", "/routes/hook/end", "").await;
    assert_eq!(page.header("location"), "/routes");
    assert_eq!(stage.get("owner-admin", "/routes/hook").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn dead_messages_are_looked_after_and_rows_are_found() {
    let stage = Stage::new().await;
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await;
    stage.post("owner-admin", "/new-route", NEW).await;
    let table =
        NEW.replace("name=hook", "name=rows").replace("https%3A%2F%2Fhooks.example%2Fin", "table");
    let page = stage.post("owner-admin", "/new-route", &table).await;
    assert_eq!(page.header("location"), "/routes/rows", "{}", page.html);
    for payload in [b"<script>alert(1)</script>".as_slice(), &[0xff, 0, 1]] {
        says(&stage, &device, "me/up/t", payload).await;
    }
    let service = &stage.world.service;
    let (route, _) = service.live_routes(&DELIVERER).unwrap()[0];
    let lanes = service.due_lanes(&DELIVERER, route, &HashSet::new(), 16).unwrap();
    let dead = lanes[0].messages.iter().map(|it| (it.id, "answered <410>".to_owned())).collect();
    let outcome = LaneOutcome { dead, ..LaneOutcome::default() };
    service.settle_lane(&DELIVERER, route, (lanes[0].device, 0), outcome).await.unwrap();
    let page = stage.get("owner-admin", "/routes/hook").await;
    is_sound(&page, "/routes/hook");
    for part in ["&#60;script&#62;", "3 bytes that are no text", "answered &#60;410&#62;"] {
        assert!(page.html.contains(part), "{part}: {}", page.html);
    }
    let one = format!("/routes/hook/dead/discard?message={}", lanes[0].messages[0].id);
    for path in [one.as_str(), "/routes/hook/dead/discard"] {
        let page = stage.get("owner-admin", path).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        is_sound(&page, path);
    }
    let fields = format!("message={}", lanes[0].messages[0].id);
    stage.post("owner-admin", "/routes/hook/dead/retry", &fields).await;
    stage.post("owner-admin", "/routes/hook/dead/discard", "").await;
    let owner = &stage.owner;
    let view = service.route(&owner.admin, &owner.id, "hook").await.unwrap();
    assert_eq!((view.waiting, view.dead), (1, 0));
    for language in Language::ALL.iter().copied() {
        for (query, found) in [("", true), ("?topic=up%2Fx", false), ("?from=2001-01-01", true)] {
            let path = format!("/routes/rows/rows{query}");
            let page = stage.get_in("owner-admin", language, &path).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.html);
            is_sound(&page, &path);
            assert_eq!(page.html.contains("&#60;script&#62;"), found, "{path}: {}", page.html);
        }
    }
    for who in ["maker-admin", "stranger"] {
        let page = stage.get(who, "/routes/rows/rows").await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{who}");
    }
}
