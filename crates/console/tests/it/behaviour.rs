//! What devices usually do (LG-4).

use crate::stage::{Stage, is_sound};
use device::Language;
use http::StatusCode;
use service::{DoorSender, IncomingMessage, MessageDoor};

async fn says(stage: &Stage, sender: &DoorSender, topic: &str) {
    let service = &stage.world.service;
    let message = IncomingMessage {
        door: MessageDoor::Mqtt,
        topic: sender.space().absolute(admission::TopicName::new(topic).unwrap()).unwrap(),
        payload: b"21.5".as_slice().into(),
        media_type: None,
        made_at: None,
        counter: None,
        retain: None,
        expires_s: None,
        acknowledged: true,
    };
    service.take_message(sender, &message).await.unwrap();
    service.settle_messages().await.unwrap();
    while service.follow_alerts().await.unwrap() {}
}

#[tokio::test]
async fn a_profile_is_seen_watched_and_widened_by_hand() {
    let stage = Stage::new().await;
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await;
    let service = &stage.world.service;
    let certificate = &device.ldevid.certificate;
    let caller = service.identify_certificate(certificate).await.unwrap();
    let sender = service.door_sender(&caller, certificate).unwrap();
    let page = stage.get("owner-admin", "/behaviour").await;
    is_sound(&page, "/behaviour");
    assert!(page.html.contains("Nothing is learned yet"), "{}", page.html);
    says(&stage, &sender, "me/up/t").await;
    let list = stage.get("owner-admin", "/behaviour").await;
    let from = list.html.find("href=\"/behaviour/").unwrap() + "href=\"".len();
    let line: String = list.html[from..].chars().take_while(|c| *c != '"').collect();
    let own = format!("/devices/{}/behaviour", device.thing.id);
    let page = stage.post("owner-admin", &format!("{line}/to/watching"), "").await;
    assert_eq!(page.header("location"), line, "{}", page.html);
    says(&stage, &sender, "me/up/<b>shell").await;
    for language in Language::ALL.iter().copied() {
        for path in ["/behaviour", line.as_str(), own.as_str(), "/alerts"] {
            let page = stage.get_in("owner-admin", language, path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.html);
            is_sound(&page, path);
            assert!(!page.html.contains("<b>"), "{path}");
        }
    }
    let page = stage.get_in("owner-admin", Language::Ja, &own).await;
    assert!(page.html.contains("へのメッセージ。通常（") && page.html.contains("<svg"));
    let page = stage.get("owner-admin", &own).await;
    assert!(
        page.html.contains("a message to up/&#60;b&#62;shell; ordinary since"),
        "{}",
        page.html
    );
    // It is ordinary from now on, for this device.
    let fields = "aspect=topic&value=up%2F%3Cb%3Eshell";
    let page = stage.post("owner-admin", &format!("{own}/accept"), fields).await;
    assert_eq!(page.header("location"), own, "{}", page.html);
    let page = stage.post("owner-admin", &format!("{line}/accept"), "aspect=hour&value=25").await;
    assert!(page.status.is_client_error() && page.html.contains("hour"), "{}", page.html);
    let page = stage.post("owner-admin", &format!("{own}/relearn"), "").await;
    assert_eq!(page.header("location"), own, "{}", page.html);
    // Who may not read alerts does not, and nobody sees or changes another organisation's.
    for (who, path) in [("owner-reader", own.as_str()), ("maker-admin", &own), ("stranger", &line)]
    {
        let refused = stage.get(who, path).await.status;
        assert!(matches!(refused, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND), "{who} {path}");
    }
    let page = stage.post("maker-admin", &format!("{own}/relearn"), "").await;
    assert!(page.status.is_client_error(), "{}", page.status);
}
