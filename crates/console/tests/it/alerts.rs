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

#[tokio::test]
async fn receivers_of_alerts_are_made_changed_and_ended() {
    const NEW: &str = "name=desk&target=https%3A%2F%2Fhooks.example%2Fin&severity=high&language=en";
    const MAIL: &str = "name=night&target=smtps%3A%2F%2Fmail.example&severity=low&language=ja\
                        &mail_from=tegata%40example.org&mail_to=a%40example.org%0D%0Ab%40example.org\
                        &secret=user%3As3cr3t&paused=yes";
    let stage = Stage::new().await;
    let page = stage.get("owner-admin", "/alerts").await;
    assert!(page.html.contains("href=\"/alert-receivers\""), "{}", page.html);
    for language in Language::ALL.iter().copied() {
        for path in ["/alert-receivers", "/new-alert-receiver"] {
            let page = stage.get_in("owner-admin", language, path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.html);
            is_sound(&page, path);
        }
    }
    let page = stage.post("owner-admin", "/new-alert-receiver", NEW).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    is_sound(&page, "/new-alert-receiver");
    assert!(page.html.contains("whsec_"), "{}", page.html);
    // What is wrong stands at its field, what was typed stays, and a secret comes back nowhere.
    for (fields, wrong) in [
        (NEW.to_owned(), "There is a receiver of this name"),
        (MAIL.replace("smtps%3A", "ftp%3A"), "https://HOST/PATH, smtp://HOST"),
        (MAIL.replace("a%40example", "a+example"), "1 to 8 recipients"),
        (MAIL.replace("user%3A", ""), "USER:PASSWORD"),
        (format!("{MAIL}&roots=nothing"), "certificate"),
    ] {
        let page = stage.post("owner-admin", "/new-alert-receiver", &fields).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields}: {}", page.html);
        is_sound(&page, "/new-alert-receiver");
        assert!(
            page.html.contains(wrong) && !page.html.contains("s3cr3t"),
            "{wrong}: {}",
            page.html
        );
    }
    let page = stage.post("owner-admin", "/new-alert-receiver", MAIL).await;
    assert_eq!(page.header("location"), "/alert-receivers", "{}", page.html);
    for language in Language::ALL.iter().copied() {
        for path in ["/alert-receivers", "/alert-receivers/night", "/alert-receivers/night/end"] {
            let page = stage.get_in("owner-admin", language, path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.html);
            is_sound(&page, path);
            assert!(page.html.contains("night") && !page.html.contains("s3cr3t"), "{path}");
        }
    }
    let form = stage.get("owner-admin", "/alert-receivers/night").await.html;
    for part in ["smtps://mail.example", "a@example.org", "b@example.org", "tegata@example.org"] {
        assert!(form.contains(part), "{part}: {form}");
    }
    // The login stays where it was given for.
    let change = MAIL.replace("&secret=user%3As3cr3t&paused=yes", "");
    let page = stage.post("owner-admin", "/alert-receivers/night", &change).await;
    assert_eq!(page.header("location"), "/alert-receivers", "{}", page.html);
    let elsewhere = change.replace("mail.example", "evil.example");
    let page = stage.post("owner-admin", "/alert-receivers/night", &elsewhere).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.html);
    assert!(page.html.contains("not sent to another server"), "{}", page.html);
    stage.post("owner-admin", "/alert-receivers/night/retry", "").await;
    stage.post("owner-admin", "/alert-receivers/night/end", "").await;
    let gone = stage.get("owner-admin", "/alert-receivers/night").await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    // Nobody else's, and for administrators alone.
    for (who, path) in [
        ("owner-reader", "/alert-receivers"),
        ("owner-reader", "/new-alert-receiver"),
        ("maker-admin", "/alert-receivers/desk"),
        ("maker-admin", "/alert-receivers/desk/end"),
    ] {
        let refused = stage.get(who, path).await.status;
        assert!(matches!(refused, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND), "{who} {path}");
    }
    for (who, path) in [
        ("owner-reader", "/new-alert-receiver"),
        ("owner-reader", "/alert-receivers/desk"),
        ("owner-reader", "/alert-receivers/desk/retry"),
        ("maker-admin", "/alert-receivers/desk/end"),
    ] {
        let refused = stage.post(who, path, NEW).await.status;
        assert!(matches!(refused, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND), "{who} {path}");
    }
    let page = stage.get("owner-admin", "/alert-receivers").await;
    assert!(page.html.contains("desk") && !page.html.contains("night"), "{}", page.html);
}
