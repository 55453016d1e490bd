//! Any text is a condition or not; any payload has an envelope; and asking one of the other ends.
//! The first line is the condition, the second the media type, the rest the payload.
#![no_main]

use admission::route::{CONDITION_BYTES_MAX, Condition, Envelope, RoutedMessage};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(3, |byte| *byte == b'\n');
    let text = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let media_type = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let payload = parts.next().unwrap_or_default();
    let envelope = Envelope::of(&RoutedMessage {
        device: device::DeviceId::from_bytes([7; 16]),
        product: None,
        topic: "up/x",
        door: "mqtt",
        received_at: crypto::UnixTime(0),
        media_type: (!media_type.is_empty()).then_some(media_type.as_str()),
        payload,
    });
    assert!(envelope.value().get("payload").is_some());
    match Condition::parse(&text) {
        Ok(condition) => {
            let once = condition.holds(&envelope);
            assert_eq!(condition.holds(&envelope), once);
            assert!(text.len() <= CONDITION_BYTES_MAX);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
