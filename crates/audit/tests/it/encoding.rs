use crate::example;
use audit::{
    AuditError, DETAILS_MAX, Door, EVENT_BYTES_MAX, Kind, Outcome, SecurityEvent, Severity,
};
use crypto::UnixTime;
use proptest::prelude::*;

fn any_event() -> impl Strategy<Value = SecurityEvent> {
    let text = || proptest::option::of(any::<String>());
    (
        any::<i64>(),
        0..Kind::ALL.len(),
        0..Outcome::ALL.len(),
        0..Door::ALL.len(),
        0..Severity::ALL.len(),
        (text(), text(), text()),
        proptest::option::of(any::<std::net::IpAddr>()),
        proptest::collection::vec((any::<String>(), ".{0,400}"), 0..20),
    )
        .prop_map(|(at, kind, outcome, door, severity, texts, source, details)| {
            let mut event =
                SecurityEvent::new(UnixTime(at), Kind::ALL[kind], Outcome::ALL[outcome])
                    .door(Door::ALL[door])
                    .severity(Severity::ALL[severity]);
            if let Some(text) = texts.0 {
                event = event.organisation(&text);
            }
            if let Some(text) = texts.1 {
                event = event.actor(&text);
            }
            if let Some(text) = texts.2 {
                event = event.subject(&text);
            }
            if let Some(source) = source {
                event = event.source(source);
            }
            for (key, value) in details {
                event = event.detail(&key, &value);
            }
            event
        })
}

proptest! {
    #[test]
    fn every_event_comes_back(event in any_event()) {
        let bytes = event.encode();
        prop_assert!(bytes.len() <= EVENT_BYTES_MAX);
        prop_assert_eq!(SecurityEvent::decode(&bytes).unwrap(), event);
    }

    #[test]
    fn any_change_of_the_bytes_is_refused_or_another_event(
        event in any_event(),
        at in any::<prop::sample::Index>(),
        flip in 1u8..,
    ) {
        let mut bytes = event.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(other) = SecurityEvent::decode(&bytes) {
            prop_assert_ne!(&other, &event);
            prop_assert_eq!(other.encode(), bytes);
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(event) = SecurityEvent::decode(&bytes) {
            prop_assert_eq!(event.encode(), bytes);
        }
    }

    #[test]
    fn lines_stay_one_line(event in any_event()) {
        prop_assert!(!event.english().chars().any(char::is_control));
        prop_assert!(!event.japanese().chars().any(char::is_control));
    }
}

#[test]
fn other_encodings_of_the_same_event_are_refused() {
    let bytes = example().encode();
    let check = |change: &dyn Fn(&mut Vec<u8>), why: &str| {
        let mut other = bytes.clone();
        change(&mut other);
        assert!(
            matches!(SecurityEvent::decode(&other), Err(AuditError::Malformed(_))),
            "{why} was accepted"
        );
    };
    assert_eq!(bytes[..3], [0xaa, 0x01, 0x1a]);
    check(&|b| b.push(0), "a byte after the end");
    check(&|b| _ = b.pop(), "a cut-off end");
    check(&|b| _ = b.splice(1..2, [0x18, 0x01]), "a field number in two bytes");
    check(&|b| _ = b.splice(2..3, [0x1b, 0, 0, 0, 0]), "a time in eight bytes");
    check(&|b| _ = b.splice(0..1, [0xbf]), "a map of unknown length");
    check(&|b| b[0] = 0xa9, "one field fewer than there are");
    check(&|b| b[1] = 0x02, "a field twice");
    let at = bytes.windows(7).position(|window| window == b"maker-a").unwrap();
    check(&|b| b[at] = b'\n', "a line break in a text");
}

#[test]
fn details_are_limited_and_the_loss_is_marked() {
    let mut event = example();
    for number in 0..40 {
        event = event.detail(&format!("key{number}"), "value");
    }
    assert_eq!(event.details().count(), DETAILS_MAX);
    assert!(event.details().any(|(key, _)| key == "more"));
    assert_eq!(SecurityEvent::decode(&event.encode()).unwrap(), event);
    assert_eq!(
        SecurityEvent::decode(&vec![0; EVENT_BYTES_MAX + 1]),
        Err(AuditError::TooLong { found: EVENT_BYTES_MAX + 1, most: EVENT_BYTES_MAX })
    );
}

#[test]
fn lines_read_well() {
    assert_eq!(
        example().english(),
        "authentication: failure by anonymous on SN-0001; attempts_left=4, reason=code-wrong"
    );
    assert_eq!(
        example().japanese(),
        "認証: 拒否・失敗 実行者 anonymous 対象 SN-0001; attempts_left=4, reason=code-wrong"
    );
}
