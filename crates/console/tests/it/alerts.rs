//! Alerts (LG-4).

use crate::stage::{Stage, is_sound};
use admission::TopicName;
use device::{DeviceId, Language};
use http::StatusCode;
use service::{IncomingMessage, MessageDoor};

async fn probes(stage: &Stage, device: &crate::world::Working) {
    let service = &stage.world.service;
    let certificate = &device.ldevid.certificate;
    let caller = service.identify_certificate(certificate).await.unwrap();
    let sender = service.door_sender(&caller, certificate).unwrap();
    for n in 0..12 {
        let topic = format!("d/{}/up/<b>{n}", DeviceId::from_bytes([9; 16]));
        let message = IncomingMessage {
            door: MessageDoor::Mqtt,
            topic: TopicName::new(topic).unwrap(),
            payload: b"x".as_slice().into(),
            media_type: None,
            made_at: None,
            counter: None,
            retain: None,
            expires_s: None,
            acknowledged: true,
        };
        service.take_message(&sender, &message).await.unwrap_err();
    }
    service.settle_messages().await.unwrap();
    while service.follow_alerts().await.unwrap() {}
}

#[tokio::test]
async fn an_alert_is_read_acted_upon_and_closed() {
    let stage = Stage::new().await;
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await;
    let page = stage.get("owner-admin", "/alerts").await;
    is_sound(&page, "/alerts");
    assert!(page.html.contains("No alert"), "{}", page.html);
    probes(&stage, &device).await;
    let page = stage.get("owner-admin", "/alerts").await;
    let from = page.html.find("href=\"/alerts/").unwrap() + "href=\"".len();
    let path: String = page.html[from..].chars().take_while(|c| *c != '"').collect();
    for language in Language::ALL.iter().copied() {
        for path in ["/alerts", "/alerts?state=all&severity=high", "/alert-rules", &path] {
            let page = stage.get_in("owner-admin", language, path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.html);
            is_sound(&page, path);
            assert!(!page.html.contains("<b>"), "{path}");
        }
    }
    let page = stage.get("owner-admin", &path).await;
    assert!(page.html.contains(&device.thing.id.to_string()) && page.html.contains("<svg"));
    // Who may not read alerts does not, and nobody reads another organisation's.
    for (who, path) in [("owner-reader", "/alerts"), ("maker-admin", path.as_str())] {
        let refused = stage.get(who, path).await.status;
        assert!(matches!(refused, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND), "{who} {path}");
    }
    let page = stage.post("owner-admin", &format!("{path}/quarantine"), "note=look+at+it").await;
    assert_eq!(page.header("location"), path, "{}", page.html);
    let page = stage.get("owner-admin", &path).await;
    is_sound(&page, &path);
    assert!(page.html.contains("look at it") && page.html.contains(&format!("{path}/release")));
    stage.post("owner-admin", &format!("{path}/release"), "").await;
    stage.post("owner-admin", &format!("{path}/acknowledge"), "").await;
    stage.post("owner-admin", &format!("{path}/close"), "note=done").await;
    let page = stage.get("owner-admin", &path).await;
    assert!(!page.html.contains(&format!("{path}/close")), "{}", page.html);
    let refused = stage.post("owner-reader", &format!("{path}/close"), "").await.status;
    assert!(matches!(refused, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND));
    // Rules are switched by administrators.
    let page = stage.post("owner-admin", "/alert-rules/topic-probing/off", "").await;
    assert_eq!(page.header("location"), "/alert-rules");
    let page = stage.get("owner-admin", "/alert-rules").await;
    is_sound(&page, "/alert-rules");
    assert!(page.html.contains("/alert-rules/topic-probing/on"), "{}", page.html);
    stage.post("owner-admin", "/alert-rules/topic-probing/reset", "").await;
    let page = stage.get("owner-admin", "/alert-rules").await;
    assert!(page.html.contains("/alert-rules/topic-probing/off"));
}
