use crate::support::{continuations, events, id, key, org, product};
use crypto::{Sha256, Signer as _, UnixTime, cose::CoseError, sha256};
use device::{
    Build, CborError, DeviceKind, Event, EventError, EventKind, EvidenceDigest, Kind, Part,
    RootOfTrust, SignedEvent,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// The example of docs/event.md.
pub(crate) fn example() -> Event {
    Event {
        device: "0f1e2d3c4b5a69788796a5b4c3d2e1f0".parse().unwrap(),
        sequence: 0,
        previous: None,
        kind: EventKind::Assembled {
            kind: DeviceKind::Device,
            build: Build::MassProduction,
            product: product("gate-7"),
            root_of_trust: Some(RootOfTrust::SecureElement),
            key: Some(sha256(b"public key of the device")),
            parts: vec![Part {
                device: "00112233445566778899aabbccddeeff".parse().unwrap(),
                kind: DeviceKind::Chip,
            }],
        },
        at: UnixTime(1_795_000_000),
        reporter: org("barrier"),
        actor: Some("station 3".into()),
        place: Some("JP-13".into()),
        evidence: vec![EvidenceDigest {
            label: "test report".into(),
            sha256: sha256(b"all tests passed"),
        }],
        on_behalf: None,
        reason: None,
    }
}

#[test]
fn the_documents_example_is_what_the_code_makes() {
    let signed = SignedEvent::sign(&key(0x42), &example()).unwrap();
    let document = crate::documents::read("event.md");
    let blocks = crate::documents::hex_blocks(&document);
    assert_eq!(blocks[0], hex::encode(example().encode()), "payload");
    assert_eq!(blocks[1], hex::encode(signed.as_bytes()), "COSE_Sign1");
    let salt = [0x5a; 32];
    assert!(document.contains(&signed.commitment(&salt).0.to_string()), "commitment");
    assert!(document.contains(&key(0x42).public_key().fingerprint().to_string()), "key id");
    let read = SignedEvent::parse(&hex::decode(&blocks[1]).unwrap()).unwrap();
    assert_eq!(*read.verify(key(0x42).public_key()).unwrap(), example());
}

#[test]
fn a_wrong_key_and_a_wrong_content_type_are_refused() {
    let signed = SignedEvent::sign(&key(1), &example()).unwrap();
    assert!(matches!(
        signed.verify(key(2).public_key()),
        Err(EventError::Cose(CoseError::OtherKey { .. }))
    ));
    let other = crypto::cose::Sign1::sign(&key(1), "text/plain", &example().encode(), b"").unwrap();
    assert_eq!(
        SignedEvent::parse(&other).unwrap_err(),
        EventError::ContentType("text/plain".into())
    );
}

#[test]
fn what_is_not_an_event_is_refused_with_its_reason() {
    let good = example().encode();
    let check = |bytes: &[u8], want: CborError| {
        assert_eq!(Event::decode(bytes), Err(want), "{}", hex::encode(bytes));
    };
    check(b"", CborError::NotAMap);
    check(b"\x80", CborError::NotAMap);
    check(&vec![0; 20_000], CborError::TooLong(16_384));
    let trailing = [&good[..], b"\x00"].concat();
    check(&trailing, CborError::NotDeterministic);
    // version 2
    let mut version = good.clone();
    assert_eq!(version[1..3], [1, 1]);
    version[2] = 2;
    check(&version, CborError::Version(2));
    // version 1 in two bytes: longer than needed
    let long = [&good[..2], b"\x18\x01", &good[3..]].concat();
    check(&long, CborError::NotDeterministic);
    // one field more, unknown
    let mut more = good.clone();
    more[0] += 1;
    more.extend(b"\x18\x20\x00");
    check(&more, CborError::Unknown(32));
    // sequence 1 without the previous commitment
    let mut sequence = good;
    let at = 1 + 2 + 1 + 17 + 1;
    assert_eq!(sequence[at], 0);
    sequence[at] = 1;
    assert!(matches!(Event::decode(&sequence), Err(CborError::Value { field: 4, .. })));
}

#[test]
fn texts_and_lists_have_limits() {
    let refused = |change: &dyn Fn(&mut Event)| {
        let mut event = example();
        change(&mut event);
        assert!(matches!(
            SignedEvent::sign(&key(1), &event),
            Err(EventError::Payload(CborError::Value { .. }))
        ));
    };
    refused(&|event| event.actor = Some(String::new()));
    refused(&|event| event.actor = Some("a\nb".into()));
    refused(&|event| event.place = Some("x".repeat(201)));
    refused(&|event| event.evidence = vec![event.evidence[0].clone(); 17]);
    refused(&|event| {
        let part = |byte| Part { device: id(byte), kind: DeviceKind::Chip };
        let EventKind::Assembled { parts, .. } = &mut event.kind else { panic!() };
        *parts = vec![part(2), part(1)];
    });
    refused(&|event| event.kind = EventKind::Erased { sequences: vec![] });
}

#[test]
fn numbers_and_names_of_kinds_are_unique() {
    let names: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    let codes: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.code()).collect();
    assert_eq!((names.len(), codes.len()), (Kind::ALL.len(), Kind::ALL.len()));
}

proptest! {
    #[test]
    fn events_survive_encoding(event in events()) {
        let bytes = event.encode();
        prop_assert_eq!(Event::decode(&bytes), Ok(event));
    }

    #[test]
    fn every_decodable_change_is_another_event(event in events(), at in any::<prop::sample::Index>(), flip in 1u8..=255) {
        let bytes = event.encode();
        let mut other = bytes.clone();
        other[at.index(bytes.len())] ^= flip;
        if let Ok(read) = Event::decode(&other) {
            prop_assert_eq!(read.encode(), other);
            prop_assert_ne!(read, event);
        }
    }

    #[test]
    fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Event::decode(&bytes);
        let _ = SignedEvent::parse(&bytes);
    }

    #[test]
    fn signed_events_are_bound_to_salt_and_contents(kind in continuations(), salt in any::<[u8; 32]>()) {
        let event = Event { kind, ..example() };
        let signed = SignedEvent::sign(&key(7), &event).unwrap();
        prop_assert!(signed.verify(key(7).public_key()).is_ok());
        prop_assert_eq!(signed.commitment(&salt), ledger::commit(&salt, signed.as_bytes()));
        prop_assert_ne!(signed.commitment(&salt).0, Sha256::default());
    }
}
