//! What is answered and delivered within a connection.

use crate::{
    client::{
        CLEAN, Client, Packet, connect, connect_with, packet, publish, subscribe, text, unsubscribe,
    },
    world::World,
};

/// Options of a subscription (section 3.8.3.1).
const NO_LOCAL: u8 = 4;
const AS_PUBLISHED: u8 = 8;
const NOT_RETAINED: u8 = 0x20;
/// Flags of PUBLISH.
const QOS1: u8 = 2;
const QOS2: u8 = 4;
const RETAIN: u8 = 1;

#[tokio::test]
async fn every_request_has_its_answer() {
    let world = World::new().await;
    let device = world.device().await;
    // [MQTT-3.2.0-1], [MQTT-3.2.0-2], [MQTT-3.2.2-1]: CONNACK first, and once.
    let (mut client, welcome) = Client::welcome(&world, &device, &connect("c")).await;
    assert_eq!(welcome[0], 0);
    // [MQTT-3.12.4-1]
    client.is_quiet().await;
    // [MQTT-3.3.4-1], [MQTT-4.3.2-4]: PUBACK with the same id; QoS 0 has no answer.
    client.send(&publish(0, "me/up/q0", 0, &[], b"1")).await;
    let puback = client.ask(&publish(QOS1, "me/up/q1", 77, &[], b"1")).await;
    assert_eq!((puback.0, &puback.1[..2]), (0x40, &[0, 77][..]));
    assert!(puback.1.get(2).is_none_or(|code| *code == 0), "{puback:?}");
    // [MQTT-4.3.3-8], -10, -11, -12: PUBREC, again for what comes again, PUBREL, PUBCOMP.
    let exactly_once = publish(QOS2, "me/up/q2", 78, &[], b"1");
    for flags in [0, 8] {
        let mut again = exactly_once.clone();
        again[0] |= flags;
        let pubrec = client.ask(&again).await;
        assert_eq!((pubrec.0, &pubrec.1[..2]), (0x50, &[0, 78][..]));
    }
    let pubcomp = client.ask(&packet(0x62, &[&[0, 78]])).await;
    assert_eq!((pubcomp.0, &pubcomp.1[..2]), (0x70, &[0, 78][..]));
    // What is not under way is told so, or done again without effect (section 3.6.2.1).
    let pubcomp = client.ask(&packet(0x62, &[&[0, 79]])).await;
    assert_eq!((pubcomp.0, &pubcomp.1[..2]), (0x70, &[0, 79][..]));
    // [MQTT-2.2.1-5]: the id may be used anew once it is done.
    let pubrec = client.ask(&exactly_once).await;
    assert_eq!(pubrec.0, 0x50);
    // [MQTT-3.8.4-1], -2, -5, -6: SUBACK with the same id, a code for each filter, in order.
    let asked = subscribe(
        5,
        &[],
        &[
            ("me/a", 0),
            ("me/b", 1),
            ("me/c", 2),
            ("d/00000000000000000000000000000000/#", 1),
            ("a/#/b", 1),
            ("a+", 1),
            ("$share/g/me/x", 1),
            ("#", 0),
        ],
    );
    let suback = client.ask(&asked).await;
    let codes = [0, 1, 2, 0x87, 0x8f, 0x8f, 0x9e, 0x87];
    assert_eq!(suback, Packet(0x90, [&[0, 5, 0][..], &codes].concat()));
    // [MQTT-3.10.4-4], [MQTT-3.11.3-1], [MQTT-3.11.3-2]: UNSUBACK likewise.
    let unsuback = client.ask(&unsubscribe(6, &["me/a", "me/z", "me/b"])).await;
    assert_eq!(unsuback, Packet(0xb0, vec![0, 6, 0, 0, 0x11, 0]));
    // What the device may not send is refused by its reason, and the connection goes on.
    let foreign = publish(QOS1, "d/00000000000000000000000000000000/x", 9, &[], b"1");
    assert_eq!(client.ask(&foreign).await, Packet(0x40, vec![0, 9, 0x87]));
    let down = publish(QOS2, "me/down/x", 9, &[], b"1");
    assert_eq!(client.ask(&down).await, Packet(0x50, vec![0, 9, 0x87]));
    // [MQTT-3.3.2-4] and section 3.3.2.3.2: a payload that is no text though it is said to be one.
    let no_text = publish(QOS1, "me/up/t", 9, &[&[1, 1]], &[0xff]);
    assert_eq!(client.ask(&no_text).await, Packet(0x40, vec![0, 9, 0x99]));
    let kept = world.kept(&device).await;
    // QoS 0 is kept too, and nobody waits for it; what came twice under one id was done once.
    assert_eq!(kept.iter().filter(|topic| *topic == "up/q2").count(), 2, "{kept:?}");
    assert!(kept.contains(&"up/q1".to_owned()) && !kept.contains(&"up/t".to_owned()));
}

#[tokio::test]
async fn what_is_heard_is_what_was_said() {
    let world = World::new().await;
    let device = world.device().await;
    let (mut hears, _) = Client::welcome(&world, &device, &connect("hears")).await;
    let (mut says, _) = Client::welcome(&world, &device, &connect("says")).await;
    let suback = hears.ask(&subscribe(1, &[&[0x0b, 7]], &[("me/up/p", 2)])).await;
    assert_eq!(suback.1, [0, 1, 0, 2]);
    // [MQTT-3.3.2-4], -15, -16, -17, -18, -20: these go on as they are, user properties in order.
    let forwarded = [
        [&[0x01, 1][..]].concat(),
        [&[0x03][..], &text("text/plain")].concat(),
        [&[0x08][..], &text("me/down/answer")].concat(),
        [&[0x09][..], &text([0xfe, 0, 0xff])].concat(),
        [&[0x26][..], &text("b"), &text("2")].concat(),
        [&[0x26][..], &text("a"), &text("1")].concat(),
        [&[0x26][..], &text("b"), &text("2")].concat(),
    ];
    let parts: Vec<&[u8]> = forwarded.iter().map(Vec::as_slice).collect();
    // A topic alias does not go on: it is one connection's (MQTT-3.1.2-27).
    let with: Vec<&[u8]> = parts.iter().copied().chain([&[0x23, 0, 1][..]]).collect();
    says.ask(&publish(QOS1, "me/up/p", 1, &with, b"hello")).await;
    let heard = hears.message().await;
    assert_eq!((heard.topic.as_str(), &heard.payload[..]), ("me/up/p", &b"hello"[..]));
    // Subscribed for 2, sent with 1 (MQTT-3.8.4-8); neither DUP nor RETAIN (MQTT-3.3.1-3, -12).
    assert_eq!(heard.flags, QOS1);
    for part in &forwarded {
        assert!(heard.properties.windows(part.len()).any(|it| it == *part), "{part:02x?}");
    }
    let users = parts[4..].concat();
    assert!(
        heard.properties.windows(users.len()).any(|it| it == users),
        "user properties in order"
    );
    assert!(heard.properties.windows(2).any(|it| it == [0x0b, 7]), "the subscription's identifier");
    let bytes: usize = forwarded.iter().map(Vec::len).sum::<usize>() + 2;
    assert_eq!(heard.properties.len(), bytes, "nothing else: {:02x?}", heard.properties);
    hears.send(&packet(0x40, &[&heard.id.unwrap().to_be_bytes()])).await;
    // [MQTT-3.3.2-6]: what is left of its time; what has none left is not delivered (-5).
    says.ask(&publish(QOS1, "me/up/p", 1, &[&[0x02, 0, 1, 0, 0]], b"soon")).await;
    let heard = hears.message().await;
    let left = heard.properties.windows(5).find(|it| it[0] == 2).expect("an expiry");
    let left = u32::from_be_bytes([left[1], left[2], left[3], left[4]]);
    // However slow this machine is.
    assert!((60_000..=65_536).contains(&left), "{left}");
    hears.send(&packet(0x40, &[&heard.id.unwrap().to_be_bytes()])).await;
    // An alias stands for its topic as long as the connection (MQTT-3.3.2-12); an empty payload is one.
    says.ask(&publish(QOS1, "me/up/p", 1, &[&[0x23, 0, 3]], b"")).await;
    says.ask(&publish(QOS1, "", 1, &[&[0x23, 0, 3]], b"alias")).await;
    for expected in [&b""[..], b"alias"] {
        let heard = hears.message().await;
        assert_eq!((heard.topic.as_str(), &heard.payload[..]), ("me/up/p", expected));
        hears.send(&packet(0x40, &[&heard.id.unwrap().to_be_bytes()])).await;
    }
    says.cut();
    // [MQTT-3.3.2-7]: not beyond it.
    let (mut says, _) = Client::welcome(&world, &device, &connect("says")).await;
    says.send(&publish(QOS1, "", 1, &[&[0x23, 0, 3]], b"alias")).await;
    assert!(says.last_words().await.iter().all(|it| [0x82, 0x94].contains(&it.goodbye())));
}

#[tokio::test]
async fn subscriptions_match_replace_overlap_and_end() {
    let world = World::new().await;
    let device = world.device().await;
    let (mut client, _) = Client::welcome(&world, &device, &connect("c")).await;
    // [MQTT-4.7.1-2], -3 and section 4.7.1: what each filter matches, by one message to each topic.
    let topics = ["me/up", "me/up/a", "me/up/a/b", "me/up//b", "me/up/ä€😀", "me/up/a/"];
    for (filter, matched) in [
        ("me/up/#", &topics[..]),
        ("me/up", &["me/up"]),
        ("me/+", &["me/up"]),
        ("me/up/+", &["me/up/a", "me/up/ä€😀"]),
        ("me/up/+/b", &["me/up/a/b", "me/up//b"]),
        ("me/up/+/+", &["me/up/a/b", "me/up//b", "me/up/a/"]),
        ("me/up/a", &["me/up/a"]),
        ("me/up/A", &[]),
        ("me/up/ä€😀", &["me/up/ä€😀"]),
    ] {
        let suback = client.ask(&subscribe(1, &[], &[(filter, 0)])).await;
        assert_eq!(suback.1[3], 0, "{filter}");
        for topic in topics {
            client.send(&publish(0, topic, 0, &[], b"1")).await;
        }
        for topic in matched {
            assert_eq!(client.message().await.topic, *topic, "{filter}");
        }
        client.is_quiet().await;
        // [MQTT-3.10.4-1], -2, -3: compared by its characters, and nothing new after it.
        assert_eq!(client.ask(&unsubscribe(2, &[filter])).await.1[3], 0);
    }
    // A new device has a rate of its own.
    let device = world.device().await;
    let (mut client, _) = Client::welcome(&world, &device, &connect("c")).await;
    // [MQTT-3.8.4-3]: the second takes the first one's place.
    for qos in [2, 0] {
        client.ask(&subscribe(1, &[], &[("me/up/r", qos)])).await;
    }
    client.send(&publish(QOS1, "me/up/r", 1, &[], b"1")).await;
    let both = [client.next().await.unwrap(), client.next().await.unwrap()];
    let heard = both.iter().find(|it| it.0 >> 4 == 3).expect("a message").message();
    assert_eq!(heard.flags, 0, "QoS 0 was asked for last");
    client.is_quiet().await;
    client.ask(&unsubscribe(2, &["me/up/r"])).await;
    // [MQTT-3.3.4-2], -3, -4, -5: one copy, by the highest QoS, with all identifiers.
    for (identifier, filter, qos) in [(1, "me/up/o", 0), (2, "me/up/+", 1), (3, "me/#", 0)] {
        client.ask(&subscribe(1, &[&[0x0b, identifier]], &[(filter, qos)])).await;
    }
    client.send(&publish(QOS1, "me/up/o", 1, &[], b"1")).await;
    let both = [client.next().await.unwrap(), client.next().await.unwrap()];
    let heard = both.iter().find(|it| it.0 >> 4 == 3).expect("a message").message();
    assert_eq!(heard.flags, QOS1);
    let mut identifiers: Vec<_> = heard.properties.chunks(2).map(|it| (it[0], it[1])).collect();
    identifiers.sort_unstable();
    assert_eq!(identifiers, [(0x0b, 1), (0x0b, 2), (0x0b, 3)]);
    client.send(&packet(0x40, &[&heard.id.unwrap().to_be_bytes()])).await;
    client.is_quiet().await;
    // [MQTT-3.8.3-3]: no local.
    client.ask(&unsubscribe(2, &["me/up/o", "me/up/+", "me/#"])).await;
    client.ask(&subscribe(1, &[], &[("me/up/#", NO_LOCAL)])).await;
    client.send(&publish(0, "me/up/a", 0, &[], b"mine")).await;
    let (mut other, _) = Client::welcome(&world, &device, &connect("other")).await;
    // By its long name, which is the same topic.
    other.ask(&publish(QOS1, &format!("d/{}/up/a", device.id), 1, &[], b"2")).await;
    let heard = client.message().await;
    assert_eq!((heard.topic.as_str(), &heard.payload[..]), ("me/up/a", &b"2"[..]));
}

#[tokio::test]
async fn what_is_retained_comes_when_it_is_asked_for() {
    let world = World::new().await;
    let device = world.device().await;
    let (mut client, _) = Client::welcome(&world, &device, &connect("c")).await;
    // [MQTT-3.3.1-5], -6, -7, -8: the last one stays, an empty one takes it away, others do not.
    for (flags, topic, payload) in [
        (QOS1 | RETAIN, "me/state/a", &b"old"[..]),
        (QOS1 | RETAIN, "me/state/a", b"new"),
        (QOS1, "me/state/a", b"passing"),
        (QOS1 | RETAIN, "me/state/gone", b"x"),
        (QOS1 | RETAIN, "me/state/gone", b""),
    ] {
        assert_eq!(client.ask(&publish(flags, topic, 1, &[], payload)).await.0, 0x40);
    }
    // [MQTT-3.3.1-9], -10, -11: retain handling 0 always, 1 for a new subscription alone, 2 never.
    for (handling, again, heard) in [
        (2_u8, false, false),
        (0, true, true),
        (1, true, false),
        (1, false, true),
        (0, false, true),
    ] {
        if !again {
            client.ask(&unsubscribe(2, &["me/state/+"])).await;
        }
        client.ask(&subscribe(1, &[], &[("me/state/+", handling << 4)])).await;
        if heard {
            let heard = client.message().await;
            assert_eq!((heard.topic.as_str(), &heard.payload[..]), ("me/state/a", &b"new"[..]));
            assert_eq!(heard.flags, RETAIN, "handling {handling}");
        }
        client.is_quiet().await;
    }
    // [MQTT-3.3.1-12], -13: retain as published.
    for (options, flags) in [(NOT_RETAINED, 0), (NOT_RETAINED | AS_PUBLISHED, RETAIN)] {
        client.ask(&unsubscribe(2, &["me/state/+", "me/up/+"])).await;
        client.ask(&subscribe(1, &[], &[("me/up/+", options)])).await;
        client.send(&publish(RETAIN, "me/up/r", 0, &[], b"1")).await;
        assert_eq!(client.message().await.flags, flags);
        client.ask(&publish(QOS1 | RETAIN, "me/up/none", 1, &[], b"")).await;
        assert_eq!(client.message().await.payload, b"");
    }
}

#[tokio::test]
async fn a_clients_limits_are_kept() {
    let world = World::new().await;
    let device = world.device().await;
    // [MQTT-3.1.2-24], -25: what is larger than it takes is left out, as if it had been sent.
    let small = connect_with(CLEAN, 0, &[&[0x27, 0, 0, 0, 60]], &[&text("small")]);
    let (mut client, _) = Client::welcome(&world, &device, &small).await;
    client.ask(&subscribe(1, &[], &[("me/up/#", 1)])).await;
    let (mut says, _) = Client::welcome(&world, &device, &connect("says")).await;
    for payload in [&[b'x'; 100][..], b"fits"] {
        says.ask(&publish(QOS1, "me/up/x", 1, &[], payload)).await;
    }
    let heard = client.message().await;
    assert_eq!(heard.payload, b"fits");
    client.send(&packet(0x40, &[&heard.id.unwrap().to_be_bytes()])).await;
    client.is_quiet().await;
    client.cut();
    // [MQTT-3.3.4-9], [MQTT-4.9.0-2]: Receive Maximum 2: two at a time, in order (MQTT-4.6.0-5).
    let two = connect_with(CLEAN, 0, &[&[0x21, 0, 2]], &[&text("two")]);
    let (mut client, _) = Client::welcome(&world, &device, &two).await;
    client.ask(&subscribe(1, &[], &[("me/up/#", 1)])).await;
    for number in 0..6_u8 {
        says.ask(&publish(QOS1, "me/up/x", 1, &[], &[number])).await;
    }
    let mut waiting = std::collections::VecDeque::new();
    for number in 0..2 {
        let heard = client.message().await;
        assert_eq!(heard.payload, [number]);
        waiting.push_back(heard.id.unwrap());
    }
    client.is_quiet().await;
    for number in 2..6 {
        let done = waiting.pop_front().unwrap();
        let heard = client.ask(&packet(0x40, &[&done.to_be_bytes()])).await.message();
        assert_eq!(heard.payload, [number]);
        // [MQTT-2.2.1-4]: an id that is not in use.
        assert!(!waiting.contains(&heard.id.unwrap()));
        waiting.push_back(heard.id.unwrap());
    }
    // [MQTT-3.3.4-7]: ours is 32; the one beyond it ends the connection.
    let (mut client, _) = Client::welcome(&world, &device, &connect("many")).await;
    for id in 1..=33 {
        client.send(&publish(QOS2, "me/up/y", id, &[], b"1")).await;
    }
    let last = client.last_words().await.pop().expect("a word");
    assert_eq!(last.goodbye(), 0x93);
}

#[tokio::test]
async fn who_brings_a_signed_message_again_is_acknowledged_where_there_is_no_refusal() {
    let world = World::new().await;
    let device = world.device().await;
    let says = admission::SignedMessage {
        device: device.id,
        certificate: device.certificate.fingerprint(),
        counter: 1,
        made_at: None,
        topic: admission::TopicName::new("up/meter").unwrap(),
        media_type: None,
        payload: b"7".to_vec(),
    };
    let signed = says.sign(&*device.key).unwrap();
    let of_3 = |flags: u8, id: u16| {
        packet(0x30 | flags, &[&text("me/up/signed"), &id.to_be_bytes(), &signed])
    };
    let connect = packet(0x10, &[&text("MQTT"), &[4, CLEAN, 0, 0], &text("c")]);
    let (mut client, _) = Client::welcome(&world, &device, &connect).await;
    for id in [1, 2] {
        assert_eq!(client.ask(&of_3(QOS1, id)).await, Packet(0x40, vec![0, id as u8]));
    }
    assert_eq!(client.ask(&of_3(QOS2, 3)).await, Packet(0x50, vec![0, 3]));
    assert_eq!(client.ask(&packet(0x62, &[&[0, 3]])).await, Packet(0x70, vec![0, 3]));
    assert_eq!(world.kept(&device).await, ["up/meter"]);
    // With MQTT 5 it hears why.
    let (mut client, _) = Client::welcome(&world, &device, &self::connect("d")).await;
    let puback = client.ask(&publish(QOS1, "me/up/signed", 4, &[], &signed)).await;
    assert_eq!(puback.1.get(2), Some(&0x99));
    assert_eq!(world.refused(&device).await, [("replayed", 3)]);
}

/// Where a device listens to nothing nobody is looked for when it speaks: whoever comes to listen is found,
/// and so is who comes to speak after that.
#[tokio::test]
async fn who_listens_is_found_whenever_it_comes() {
    let world = World::new().await;
    let device = world.device().await;
    let said = |what: &str| publish(QOS1, "me/up/a", 1, &[], what.as_bytes());
    let (mut says, _) = Client::welcome(&world, &device, &connect("says")).await;
    says.ask(&said("nobody")).await;
    // What is told to the device is not what it says.
    let (mut told, _) = Client::welcome(&world, &device, &connect("told")).await;
    told.ask(&subscribe(1, &[], &[("me/down/#", 1)])).await;
    says.ask(&said("nobody still")).await;
    told.is_quiet().await;
    let (mut hears, _) = Client::welcome(&world, &device, &connect("hears")).await;
    hears.ask(&subscribe(1, &[], &[("me/up/#", 0)])).await;
    says.ask(&said("one")).await;
    assert_eq!(hears.message().await.payload, b"one");
    let (mut later, _) = Client::welcome(&world, &device, &connect("later")).await;
    later.ask(&said("two")).await;
    assert_eq!(hears.message().await.payload, b"two");
    // Nobody is left of those who knew it then; the next one asks by itself.
    for client in [says, told, hears, later] {
        client.cut();
    }
    let (mut says, _) = Client::welcome(&world, &device, &connect("says")).await;
    says.ask(&said("nobody")).await;
    says.ask(&subscribe(1, &[], &[("me/+/a", 0)])).await;
    says.send(&said("three")).await;
    let both = [says.next().await.unwrap(), says.next().await.unwrap()];
    let heard = both.iter().find(|it| it.0 >> 4 == 3).expect("a message").message();
    assert_eq!(heard.payload, b"three");
    // What it says to others in its short and in its long name.
    let long = format!("d/{}/up/a", device.id);
    let (mut other, _) = Client::welcome(&world, &device, &connect("other")).await;
    other.ask(&publish(QOS1, &long, 1, &[], b"four")).await;
    assert_eq!(says.message().await.payload, b"four");
}
