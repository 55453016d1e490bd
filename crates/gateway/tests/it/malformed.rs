//! What no client may send: each ends the connection, is told by an allowed code or by none, and
//! nothing of it is done.

use crate::{
    client::{
        CLEAN, Client, PING, Packet, connect, connect_with, packet, properties, publish, subscribe,
        text,
    },
    world::World,
};

/// A statement, what is wrong, and the bytes.
type Row = (&'static str, &'static str, Vec<u8>);

fn firsts() -> Vec<Row> {
    let name = text("c");
    let body = |flags: u8, rest: &[&[u8]]| connect_with(flags, 0, &[], rest);
    let with = |properties: &[u8]| connect_with(CLEAN, 0, &[properties], &[&name]);
    let protocol = |name: &[u8], version: u8| {
        packet(0x10, &[&text(name), &[version, CLEAN, 0, 0, 0], &text("c")])
    };
    let will = |options: u8, rest: &[&[u8]]| body(CLEAN | 4 | options, rest);
    let mut long = connect("c");
    long[1] += 1;
    long.push(0);
    vec![
        ("MQTT-3.1.0-1", "PINGREQ first", PING.to_vec()),
        ("MQTT-3.1.0-1", "PUBLISH first", publish(0, "me/up/x", 0, &[], b"1")),
        ("MQTT-3.1.0-1", "SUBSCRIBE first", subscribe(1, &[], &[("me/#", 0)])),
        ("MQTT-3.1.0-1", "DISCONNECT first", packet(0xe0, &[&[0]])),
        ("MQTT-3.1.0-1", "AUTH first", packet(0xf0, &[&[0x18, 0]])),
        ("MQTT-3.1.2-1", "another protocol", protocol(b"MQTX", 5)),
        ("MQTT-3.1.2-1", "the protocol in other letters", protocol(b"mqtt", 5)),
        ("MQTT-3.1.2-1", "the protocol of version 3.1", protocol(b"MQIsdp", 3)),
        ("MQTT-3.1.2-2", "version 6", protocol(b"MQTT", 6)),
        ("MQTT-3.1.2-2", "version 0", protocol(b"MQTT", 0)),
        ("MQTT-3.1.2-2", "version 0x84: a bridge of old", protocol(b"MQTT", 0x84)),
        ("MQTT-3.1.2-3", "the reserved flag", body(CLEAN | 1, &[&name])),
        ("MQTT-3.1.2-11", "a will's QoS without a will", body(CLEAN | 8, &[&name])),
        ("MQTT-3.1.2-13", "a will's retain without a will", body(CLEAN | 32, &[&name])),
        (
            "MQTT-3.1.2-12",
            "a will of QoS 3",
            will(0x18, &[&name, &[0], &text("me/up/w"), &text("x")]),
        ),
        ("MQTT-3.1.2-9", "a will without anything", will(0, &[&name])),
        ("MQTT-3.1.2-9", "a will without a payload", will(0, &[&name, &[0], &text("me/up/w")])),
        ("MQTT-3.1.2-17", "a user name that is not there", body(CLEAN | 128, &[&name])),
        ("MQTT-3.1.2-16", "a user name that was not announced", body(CLEAN, &[&name, &text("u")])),
        ("MQTT-3.1.2-19", "a password that is not there", body(CLEAN | 64, &[&name])),
        ("MQTT-3.1.3-1", "no client identifier", body(CLEAN, &[])),
        ("MQTT-3.1.4-1", "a byte too many", long),
        ("MQTT-2.1.3-1", "flags of CONNECT", {
            let mut bytes = connect("c");
            bytes[0] |= 1;
            bytes
        }),
        ("section 2.2.2.1", "properties longer than the packet", {
            packet(0x10, &[&text("MQTT"), &[5, CLEAN, 0, 0, 100], &text("c")])
        }),
        ("MQTT-3.1.4-1", "a property that there is not", with(&[0x7f, 1])),
        ("MQTT-3.1.4-1", "a property of PUBLISH", with(&[0x23, 0, 1])),
        ("MQTT-3.1.4-1", "a property twice", with(&[0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 1])),
        ("section 3.1.2.11.3", "a Receive Maximum of nothing", with(&[0x21, 0, 0])),
        ("section 3.1.2.11.4", "a Maximum Packet Size of nothing", with(&[0x27, 0, 0, 0, 0])),
        ("section 3.1.2.11.7", "Request Problem Information 2", with(&[0x17, 2])),
        ("section 3.1.2.11.6", "Request Response Information 2", with(&[0x19, 2])),
        ("section 3.1.2.11.10", "authentication data without a method", {
            with(&[&[0x16][..], &text("x")].concat())
        }),
        ("MQTT-1.5.4-1", "a client identifier that is no UTF-8", body(CLEAN, &[&text([0xff])])),
        ("MQTT-1.5.4-1", "half a surrogate pair", body(CLEAN, &[&text([0xed, 0xa0, 0x80])])),
        ("MQTT-1.5.4-2", "a zero in a client identifier", body(CLEAN, &[&text("a\0b")])),
        ("MQTT-1.5.5-1", "a length of five bytes", vec![0x10, 0xff, 0xff, 0xff, 0xff, 0x01]),
        ("section 2.1.2", "type 0", packet(0x00, &[&[0]])),
    ]
}

#[tokio::test]
async fn who_begins_wrongly_is_turned_away() {
    let world = World::new().await;
    let device = world.device().await;
    let mut went_on = Vec::new();
    for (statement, name, bytes) in firsts() {
        let mut client = Client::new(&world, &device);
        client.send(&bytes).await;
        // Whoever was let in would answer this.
        client.send(&PING).await;
        client.finish().await;
        let heard = client.last_words().await;
        let told = match heard.as_slice() {
            [] => true,
            // Refused: no session, and a code that says so (MQTT-3.2.2-6, MQTT-3.2.2-8). Before it
            // nothing else may be said (MQTT-3.14.0-1).
            [Packet(0x20, body)] => body[0] == 0 && body[1] >= 0x80 || body[..] == [0, 1],
            _ => false,
        };
        if !told {
            went_on.push(format!("[{statement}] {name}: {heard:02x?}"));
        }
    }
    assert!(went_on.is_empty(), "{went_on:#?}");
    assert!(world.kept(&device).await.is_empty());
}

/// What is wrong from somebody who is in, and the codes that may be said of it.
fn later() -> Vec<(Row, &'static [u8])> {
    const MALFORMED: &[u8] = &[0x81, 0x82];
    let x = |flags: u8, with: &[&[u8]]| publish(flags, "me/up/x", 1, with, b"1");
    let topic = |topic: &str| publish(2, topic, 1, &[], b"1");
    let raw = |topic: &[u8]| packet(0x32, &[&text(topic), &[0, 1, 0], b"1"]);
    let row = |statement, name, bytes| ((statement, name, bytes), MALFORMED);
    let mut rows = vec![
        row("MQTT-3.1.0-2", "a second CONNECT", connect("c")),
        row("MQTT-3.3.1-4", "QoS 3", x(6, &[])),
        row("MQTT-3.3.1-2", "a duplicate of QoS 0", x(8, &[])),
        row("MQTT-2.2.1-3", "PUBLISH with id 0", publish(2, "me/up/x", 0, &[], b"1")),
        row("MQTT-2.2.1-3", "SUBSCRIBE with id 0", subscribe(0, &[], &[("me/#", 0)])),
        row("MQTT-2.2.1-3", "UNSUBSCRIBE with id 0", packet(0xa2, &[&[0, 0, 0], &text("me/#")])),
        row("MQTT-1.5.4-1", "a topic that is no UTF-8", raw(b"me/up/\xc3\x28")),
        row("MQTT-3.3.4-6", "a Subscription Identifier from a client", x(2, &[&[0x0b, 1]])),
        row("section 3.3.2.3.2", "Payload Format Indicator 2", x(2, &[&[1, 2]])),
        row("section 3.3.2.3.4", "Topic Alias twice", x(2, &[&[0x23, 0, 1, 0x23, 0, 1]])),
        row("section 3.3.2.3", "a property of CONNECT", x(2, &[&[0x21, 0, 1]])),
        row("MQTT-3.8.3-2", "SUBSCRIBE to nothing", subscribe(1, &[], &[])),
        row("MQTT-3.8.3-5", "reserved bits of an option", subscribe(1, &[], &[("me/#", 0xc0)])),
        row("section 3.8.3.1", "an option of QoS 3", subscribe(1, &[], &[("me/#", 3)])),
        row("section 3.8.3.1", "Retain Handling 3", subscribe(1, &[], &[("me/#", 0x30)])),
        row("MQTT-3.8.3-4", "No Local and shared", subscribe(1, &[], &[("$share/g/me/#", 4)])),
        row("section 3.8.2.1.2", "Subscription Identifier 0", {
            subscribe(1, &[&[0x0b, 0]], &[("me/#", 0)])
        }),
        row("MQTT-3.8.3-1", "a filter that is no UTF-8", {
            packet(0x82, &[&[0, 1, 0], &text([0xff]), &[0]])
        }),
        row("MQTT-3.10.3-2", "UNSUBSCRIBE from nothing", packet(0xa2, &[&[0, 1, 0]])),
        row("section 3.14.2.2.2", "a session that was not to be kept is to be now", {
            packet(0xe0, &[&[0], &properties(&[&[0x11, 0, 0, 0, 9]])])
        }),
        row("section 3.14.2.1", "DISCONNECT for a reason that there is not", packet(0xe0, &[&[3]])),
        row("section 3.15", "AUTH without a method", packet(0xf0, &[&[0x18, 0]])),
        row(
            "MQTT-3.4.2-1",
            "PUBACK for a reason that there is not",
            packet(0x40, &[&[0, 1, 0x7f]]),
        ),
        row("MQTT-1.5.5-1", "a length of five bytes", vec![0x30, 0xff, 0xff, 0xff, 0xff, 0x01]),
        row("MQTT-4.13.1-1", "PUBLISH that ends within its topic", packet(0x30, &[&[0, 9], b"me"])),
        (("MQTT-4.7.3-1", "no topic and no alias", topic("")), &[0x81, 0x82, 0x90, 0x94]),
        (("MQTT-3.3.2-8", "Topic Alias 0", x(2, &[&[0x23, 0, 0]])), &[0x81, 0x82, 0x94]),
        (("MQTT-3.3.2-9", "Topic Alias 17", x(2, &[&[0x23, 0, 17]])), &[0x94]),
        (
            ("section 3.3.2.3.4", "a Topic Alias that stands for nothing", {
                publish(2, "", 1, &[&[0x23, 0, 5]], b"1")
            }),
            &[0x82, 0x94],
        ),
        (
            ("section 3.1.2.11.4", "a packet of more than 128 KiB", {
                publish(2, "me/up/x", 1, &[], &[b'x'; 140_000])
            }),
            &[0x95],
        ),
    ];
    // [MQTT-2.1.3-1] and what each packet says of its own flags.
    for (statement, first, body) in [
        ("MQTT-3.8.1-1", 0x80, &subscribe(1, &[], &[("me/#", 0)])[2..]),
        ("MQTT-3.10.1-1", 0xa0, &[0, 1, 0, 0, 1, b'x'][..]),
        ("MQTT-3.6.1-1", 0x60, &[0, 1][..]),
        ("MQTT-2.1.3-1", 0x41, &[0, 1][..]),
        ("MQTT-2.1.3-1", 0x52, &[0, 1][..]),
        ("MQTT-2.1.3-1", 0x74, &[0, 1][..]),
        ("MQTT-2.1.3-1", 0xc1, &[][..]),
        ("MQTT-3.14.1-1", 0xe1, &[0][..]),
        ("MQTT-3.15.1-1", 0xf1, &[0x18, 0][..]),
    ] {
        rows.push(row(statement, "flags that are reserved", packet(first, &[body])));
    }
    // Section 2.1.2: what only a server sends, and what nobody does.
    for (first, body) in [
        (0x00, &[0_u8, 0][..]),
        (0x20, &[0, 0, 0][..]),
        (0x90, &[0, 1, 0, 0][..]),
        (0xb0, &[0, 1, 0, 0][..]),
        (0xd0, &[][..]),
    ] {
        rows.push(row("section 2.1.2", "a packet that no client sends", packet(first, &[body])));
    }
    for name in ["me/up/+", "me/up/#", "#", "me/+/x", "me/up/a+"] {
        rows.push((("MQTT-3.3.2-2", "a wildcard to publish to", topic(name)), &[0x81, 0x82, 0x90]));
    }
    rows.push((("MQTT-4.7.3-2", "a zero in a topic", topic("me/up/\0")), &[0x81, 0x82, 0x90]));
    rows
}

#[tokio::test]
async fn what_is_wrong_ends_the_connection_and_is_not_done() {
    let world = World::new().await;
    let device = world.device().await;
    let mut went_on = Vec::new();
    for ((statement, name, bytes), codes) in later() {
        let (mut client, _) = Client::welcome(&world, &device, &connect("c")).await;
        client.send(&bytes).await;
        client.send(&PING).await;
        client.finish().await;
        let mut told = Vec::new();
        while let Some(packet) = client.next().await {
            told.push(packet);
            if told.len() > 1 {
                break;
            }
        }
        let good = match told.as_slice() {
            [] => true,
            [last @ Packet(0xe0, _)] => codes.contains(&last.goodbye()),
            _ => false,
        };
        if !good {
            went_on.push(format!("[{statement}] {name}: {told:02x?}"));
        }
    }
    assert!(went_on.is_empty(), "{went_on:#?}");
    let kept = world.kept(&device).await;
    assert!(kept.is_empty(), "{kept:?}");
}
