//! Messages, commands and settings of a device (GW-8).

use crate::stage::{Stage, is_sound};
use admission::TopicName;
use device::Language;
use http::StatusCode;
use service::{IncomingMessage, MessageDoor, Page};

#[tokio::test]
async fn a_devices_messages_are_shown_as_text_and_never_as_markup() {
    let stage = Stage::new().await;
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await;
    let path = format!("/devices/{}/messages", device.thing.id);
    let service = &stage.world.service;
    let certificate = &device.ldevid.certificate;
    let caller = service.identify_certificate(certificate).await.unwrap();
    let sender = service.door_sender(&caller, certificate).unwrap();
    for language in Language::ALL.iter().copied() {
        let page = stage.get_in("owner-admin", language, &path).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        is_sound(&page, &path);
        assert!(page.html.contains("me/up/…"), "an empty page says how to begin");
    }
    let says = |topic: &str, payload: &[u8]| IncomingMessage {
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
    service.take_message(&sender, &says("me/up/a", b"<script>alert(1)</script>")).await.unwrap();
    service.take_message(&sender, &says("me/up/b", &[0xff, 0, 1])).await.unwrap();
    service.take_message(&sender, &says("me/up/c", "x".repeat(500).as_bytes())).await.unwrap();
    let stranger = TopicName::new("d/00000000000000000000000000000000/up/x").unwrap();
    let foreign = IncomingMessage { topic: stranger, ..says("me/up/a", b"x") };
    service.take_message(&sender, &foreign).await.unwrap_err();
    service.settle_messages().await.unwrap();
    let page = stage.get("owner-admin", &path).await;
    is_sound(&page, &path);
    for part in ["&#60;script&#62;", "3 bytes that are no text", "… there is more", "Refused"] {
        assert!(page.html.contains(part), "{part}: {}", page.html);
    }
    assert!(!page.html.contains("<script>alert"));
    // Neither who made it nor a stranger reads what it says.
    for who in ["maker-admin", "stranger"] {
        let page = stage.get(who, &path).await;
        assert!(matches!(page.status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN), "{who}");
        assert!(!page.html.contains("script&#62;"), "{who}");
    }
    let link = format!("href=\"{path}\"");
    let passport = format!("/devices/{}", device.thing.id);
    assert!(stage.get("owner-admin", &passport).await.html.contains(&link));
    assert!(!stage.get("maker-admin", &passport).await.html.contains(&link));
}

#[tokio::test]
async fn a_command_is_given_and_taken_back_and_settings_are_wanted() {
    let stage = Stage::new().await;
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await.thing.id;
    let (path, new) =
        (format!("/devices/{device}/messages"), format!("/devices/{device}/commands/new"));
    for language in Language::ALL.iter().copied() {
        let page = stage.get_in("owner-admin", language, &new).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        is_sound(&page, &new);
        assert!(page.html.contains("erase-keys"));
    }
    for who in ["owner-reader", "maker-admin", "stranger"] {
        let refused = stage.get(who, &new).await.status;
        assert!(matches!(refused, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND), "{who}");
        let fields = "name=restart&reason=a&lifetime=day";
        let refused = stage.post(who, &new, fields).await.status;
        assert!(matches!(refused, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND), "{who}");
    }
    // What is wrong stands at its field, and what was typed stays.
    for (fields, field) in [
        ("name=restart&reason=+&lifetime=day&parameters=%7B%7D", "reason"),
        ("name=restart&reason=why&lifetime=day&parameters=%5B%5D", "parameters"),
        ("name=other&other=Not+a+name&reason=why&lifetime=day", "other"),
    ] {
        let page = stage.post("owner-admin", &new, fields).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields}");
        assert!(page.html.contains(&format!("id=\"{field}-error\"")), "{}", page.html);
        is_sound(&page, &new);
    }
    let fields = "name=restart&reason=firmware+hangs&lifetime=hour&parameters=";
    let given = stage.post("owner-admin", &new, fields).await;
    assert_eq!(given.status, StatusCode::SEE_OTHER, "{}", given.html);
    assert_eq!(given.header("location"), format!("{path}#commands"));
    let page = stage.get("owner-admin", &path).await;
    is_sound(&page, &path);
    assert!(page.html.contains("firmware hangs") && page.html.contains("waiting"));
    let service = &stage.world.service;
    let all = service.commands(&stage.owner.admin, &device, &Page::default()).await.unwrap();
    let cancel = format!("/devices/{device}/commands/{}/cancel", all.items[0].id);
    assert!(page.html.contains(&format!("href=\"{cancel}\"")));
    let ask = stage.get("owner-admin", &cancel).await;
    is_sound(&ask, &cancel);
    assert!(ask.html.contains("has not heard of it"));
    let done = stage.post("owner-admin", &cancel, "").await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.html);
    let page = stage.get("owner-admin", &path).await;
    assert!(page.html.contains("taken back") && !page.html.contains(&cancel));

    let settings = format!("/devices/{device}/configuration");
    let form = stage.get("owner-admin", &settings).await;
    is_sound(&form, &settings);
    assert!(form.html.contains("name=\"replaces\" value=\"0\""));
    let fields = "settings=%7B%22a%22%3A1%7D&reason=winter&replaces=0";
    let wanted = stage.post("owner-admin", &settings, fields).await;
    assert_eq!(wanted.status, StatusCode::SEE_OTHER, "{}", wanted.html);
    // Somebody else was faster.
    let late = stage.post("owner-admin", &settings, fields).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    is_sound(&late, &settings);
    assert!(late.html.contains("decide again"), "{}", late.html);
    let page = stage.get_in("owner-admin", Language::Ja, &path).await;
    assert!(page.html.contains("機器に未反映") && page.html.contains("第1版"), "{}", page.html);
}
