//! What devices send to the doors for messages: topics and filters, subscriptions, payloads of each
//! encoding, counters. Any bytes are a refusal or what they say they are; what a device may not touch
//! it does not reach by any spelling; no counter is heard twice.
#![no_main]

use admission::{
    Direction, Encoding, FormatRule, FreshnessRule, OwnSpaceOnly, ReplayWindow, Space,
    Subscription, TopicFilter, TopicName, decide,
};
use crypto::UnixTime;
use device::DeviceId;
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;

fuzz_target!(|bytes: &[u8]| {
    let Some((which, rest)) = bytes.split_first() else { return };
    match which % 4 {
        0 => topics(rest),
        1 => payload(rest, Encoding::Json),
        2 => payload(rest, Encoding::Cbor),
        _ => counters(rest),
    }
});

/// Two texts with a line break between them: what somebody listens to, and where somebody publishes.
fn topics(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (asked, sent) = text.split_once('\n').unwrap_or((text, text));
    let space = Space::of(&DeviceId::from_bytes([7; 16]));
    let own = format!("{}/", space.root());
    if let Ok(name) = TopicName::new(sent) {
        let exact = TopicFilter::new(sent).expect("a name is a filter");
        assert!(exact.is_exact() && exact.matches(&name) && exact.covers(&exact));
        if let Ok(absolute) = space.absolute(name)
            && decide(&space, &OwnSpaceOnly, Direction::Publish, absolute.as_str()).allowed
        {
            let below = absolute.as_str().strip_prefix(&own).expect("in its own space");
            assert!(below != "down" && !below.starts_with("down/"));
        }
    }
    let Ok(subscription) = Subscription::new(asked) else { return };
    let Ok(meant) = space.absolute_filter(subscription.filter.clone()) else { return };
    let Ok(name) = TopicName::new(sent).and_then(|name| space.absolute(name)) else { return };
    let granted = decide(&space, &OwnSpaceOnly, Direction::Receive, meant.as_str()).allowed;
    let heard = decide(&space, &OwnSpaceOnly, Direction::Receive, name.as_str()).allowed;
    assert_eq!(meant.covers(&TopicFilter::from(name.clone())), meant.matches(&name));
    if granted && meant.matches(&name) {
        // What a granted filter matches is the device's own, asked by its name as well.
        assert!(heard);
        assert!(name.as_str() == space.root() || name.as_str().starts_with(&own));
        let heard_as = space.heard_as(&subscription.filter, &name);
        assert!(subscription.filter.matches(&heard_as), "it hears what it asked for");
    }
}

fn payload(bytes: &[u8], encoding: Encoding) {
    let Some((depth, bytes)) = bytes.split_first() else { return };
    let rule = FormatRule { encoding, bytes_max: 65_536, depth_max: *depth };
    if rule.check(bytes).is_ok() {
        match encoding {
            Encoding::Json => {
                // Two readers see one thing.
                serde_json::from_slice::<serde_json::Value>(bytes).expect("it is JSON");
            }
            Encoding::Cbor => {
                let mut reader = minicbor::Decoder::new(bytes);
                reader.skip().expect("it is CBOR");
                assert_eq!(reader.position(), bytes.len(), "one item and nothing after it");
            }
            Encoding::Bytes | Encoding::Text => {}
        }
    }
    let text = FormatRule { encoding: Encoding::Text, ..rule }.check(bytes).is_ok();
    assert_eq!(text, std::str::from_utf8(bytes).is_ok());
}

/// Counters of eight bytes each, with a time before.
fn counters(bytes: &[u8]) {
    let Some((time, rest)) = bytes.split_first_chunk::<8>() else { return };
    let made_at = UnixTime(i64::from_be_bytes(*time));
    let now = UnixTime(1_795_000_000);
    let rule = FreshnessRule { age_s: Some(300), ahead_s: 60, counter: true };
    let mut window = ReplayWindow::default();
    let mut heard = BTreeSet::new();
    for counter in rest.as_chunks::<8>().0 {
        let counter = u64::from_be_bytes(*counter);
        let before = window;
        match rule.check(Some(made_at), Some(counter), &window, now) {
            Ok(next) => {
                assert!((now.0 - 300..=now.0 + 60).contains(&made_at.0));
                assert!(heard.insert(counter), "a counter was heard twice");
                window = next;
            }
            Err(_) => assert_eq!(before, window),
        }
        let (highest, bits) = window.parts();
        assert_eq!(ReplayWindow::restore(highest, bits), window);
    }
}
