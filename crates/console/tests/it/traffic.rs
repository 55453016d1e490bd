//! What goes through the doors.

use crate::stage::{Stage, is_sound};
use admission::{Refusal, TopicName};
use device::Language;
use http::StatusCode;
use service::{IncomingMessage, MessageDoor};

#[tokio::test]
async fn what_goes_through_the_doors_is_drawn() {
    let stage = Stage::new().await;
    let device = stage.world.working(&stage.maker, "gate", &stage.owner).await;
    let service = &stage.world.service;
    for language in Language::ALL.iter().copied() {
        let page = stage.get_in("owner-admin", language, "/traffic").await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        is_sound(&page, "/traffic");
    }
    let certificate = &device.ldevid.certificate;
    let caller = service.identify_certificate(certificate).await.unwrap();
    let sender = service.door_sender(&caller, certificate).unwrap();
    for door in MessageDoor::ALL {
        let message = IncomingMessage {
            door,
            topic: sender.space().absolute(TopicName::new("me/up/t").unwrap()).unwrap(),
            payload: b"21.5".as_slice().into(),
            media_type: None,
            made_at: None,
            counter: None,
            retain: None,
            expires_s: None,
            acknowledged: true,
        };
        service.take_message(&sender, &message).await.unwrap();
    }
    for _ in 0..7 {
        service.refuse_message(&sender, MessageDoor::Coap, Refusal::Malformed, "");
    }
    service.settle_messages().await.unwrap();
    for (language, words) in [(Language::En, "Admitted"), (Language::Ja, "受け入れ")] {
        for path in ["/traffic", "/traffic?hours=168", "/traffic?hours=5"] {
            let page = stage.get_in("owner-admin", language, path).await;
            is_sound(&page, path);
            assert!(page.html.contains(words) && page.html.contains("<svg"), "{}", page.html);
            // In words beside the picture, for who does not see it.
            assert!(page.html.contains(">7<") && page.html.contains(">4<"), "{}", page.html);
        }
    }
    let others = stage.get("stranger", "/traffic").await;
    assert!(!others.html.contains(">7<"), "another organisation's traffic");
}
