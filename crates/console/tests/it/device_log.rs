//! The log that a device handed over (LG-5).

use crate::stage::{Stage, is_sound};
use admission::{
    TopicName,
    device_log::{LogEntry, LogId, LogKind, LogOutcome, LogPlace, LogSeverity, encode_segment},
};
use device::Language;
use http::StatusCode;
use service::{IncomingMessage, MessageDoor};

#[tokio::test]
async fn a_log_is_shown_and_what_is_missing_is_marked() {
    let stage = Stage::new().await;
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await;
    let path = format!("/devices/{}/log", device.thing.id);
    let service = &stage.world.service;
    let certificate = &device.ldevid.certificate;
    let caller = service.identify_certificate(certificate).await.unwrap();
    let sender = service.door_sender(&caller, certificate).unwrap();
    for language in Language::ALL.iter().copied() {
        let page = stage.get_in("owner-admin", language, &path).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        is_sound(&page, &path);
        assert!(page.html.contains("me/up/log"), "an empty page says how to begin");
    }
    let log = LogId([1; 8]);
    let (mut places, mut bytes) = (vec![LogPlace::start(&log)], Vec::new());
    for number in 0..4 {
        let mut entry = LogEntry::new(
            1_795_000_000 + number,
            LogKind::LocalLogin,
            LogSeverity::Medium,
            LogOutcome::Failure,
        );
        entry.actor = Some("<script>alert(1)</script>".into());
        let (place, encoded) = places.last().unwrap().append(&entry).unwrap();
        places.push(place);
        bytes.push(encoded);
    }
    for (from, to, whole) in [(0, 2, true), (3, 4, false)] {
        let message = IncomingMessage {
            door: MessageDoor::Http,
            topic: sender.space().absolute(TopicName::new("me/up/log").unwrap()).unwrap(),
            payload: encode_segment(&log, &places[from], 0, &bytes[from..to]).into(),
            media_type: None,
            made_at: None,
            counter: None,
            retain: None,
            expires_s: None,
            acknowledged: true,
        };
        service.take_message(&sender, &message).await.unwrap();
        for language in Language::ALL.iter().copied() {
            let page = stage.get_in("owner-admin", language, &path).await;
            is_sound(&page, &path);
            let (words, marks) = match language {
                Language::En => ("Nothing is missing", "1 entries before number 4"),
                Language::Ja => ("欠落はありません", "番号 4 の前の 1 件"),
            };
            assert_eq!(page.html.contains(words), whole, "{}", page.html);
            assert_eq!(page.html.contains(marks), !whole, "{}", page.html);
            assert!(page.html.contains("&#60;script&#62;"));
        }
    }
    for who in ["maker-admin", "stranger"] {
        let page = stage.get(who, &path).await;
        assert!(matches!(page.status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN), "{who}");
    }
    let link = format!("href=\"{path}\"");
    let passport = format!("/devices/{}", device.thing.id);
    assert!(stage.get("owner-admin", &passport).await.html.contains(&link));
    assert!(!stage.get("maker-admin", &passport).await.html.contains(&link));
}
