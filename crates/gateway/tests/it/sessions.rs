//! What outlives a connection: sessions, wills, and how connections end.

use crate::{
    client::{
        CLEAN, Client, PING, PONG, Packet, connect, connect_kept, connect_with, packet, properties,
        publish, subscribe, text,
    },
    world::{Thing, World},
};
use futures_util::FutureExt as _;
use gateway::GatewayLimits;
use std::{collections::HashSet, time::Duration};
use tokio::{sync::watch, time::timeout};

const QOS1: u8 = 2;

#[tokio::test]
async fn a_session_goes_on_where_it_was_or_is_new() {
    let world = World::new().await;
    let device = world.device().await;
    // [MQTT-3.2.2-2], [MQTT-3.1.2-6]: nothing was there.
    let (mut client, welcome) =
        Client::welcome(&world, &device, &connect_kept("s", false, 100)).await;
    assert_eq!(welcome[0], 0);
    client.ask(&subscribe(1, &[], &[("me/up/#", 1)])).await;
    let (mut says, _) = Client::welcome(&world, &device, &connect("says")).await;
    says.ask(&publish(QOS1, "me/up/a", 1, &[], b"1")).await;
    let first = client.message().await;
    assert_eq!(first.flags, QOS1);
    // Not acknowledged; and another one while nobody is there.
    client.cut();
    says.ask(&publish(QOS1, "me/up/b", 1, &[], b"2")).await;
    // [MQTT-3.1.2-5], [MQTT-3.2.2-3], [MQTT-4.4.0-1], [MQTT-3.3.1-1]: the same id, marked as sent before.
    let (mut client, welcome) =
        Client::welcome(&world, &device, &connect_kept("s", false, 100)).await;
    assert_eq!(welcome[0], 1);
    let again = client.message().await;
    assert_eq!((again.flags, again.id, &again.payload), (QOS1 | 8, first.id, &first.payload));
    let mut ids = HashSet::from([again.id.unwrap()]);
    let second = client.message().await;
    assert_eq!(second.payload, b"2");
    assert!(ids.insert(second.id.unwrap()), "an id in use");
    for id in ids {
        client.send(&packet(0x40, &[&id.to_be_bytes()])).await;
    }
    client.is_quiet().await;
    // [MQTT-3.1.4-3]: another connection of the client ends this one.
    let (mut taker, welcome) =
        Client::welcome(&world, &device, &connect_kept("s", false, 100)).await;
    assert_eq!(welcome[0], 1);
    assert_eq!(client.last_words().await.pop().expect("told").goodbye(), 0x8e);
    // What was acknowledged is not sent again.
    taker.is_quiet().await;
    taker.cut();
    // [MQTT-3.1.2-4]: a clean start forgets it.
    let (mut client, welcome) =
        Client::welcome(&world, &device, &connect_kept("s", true, 100)).await;
    assert_eq!(welcome[0], 0);
    says.ask(&publish(QOS1, "me/up/c", 1, &[], b"3")).await;
    client.is_quiet().await;
    // DISCONNECT may say that it is not to be kept after all (section 3.14.2.2.2).
    client.send(&packet(0xe0, &[&[0], &properties(&[&[0x11, 0, 0, 0, 0]])])).await;
    assert!(client.last_words().await.is_empty(), "MQTT-3.14.4-2");
    let (_, welcome) = Client::welcome(&world, &device, &connect_kept("s", false, 0)).await;
    assert_eq!(welcome[0], 0, "MQTT-3.1.2-23");
}

#[tokio::test]
async fn a_kept_session_outlives_the_renewal_of_its_devices_certificate() {
    let world = World::new().await;
    let device = world.joined(&world.device().await).await;
    let kept = connect_kept("s", false, 100);
    let (mut client, _) = Client::welcome(&world, &device, &kept).await;
    client.ask(&subscribe(1, &[], &[("me/up/#", 1)])).await;
    client.send(&packet(0xe0, &[])).await;
    assert!(client.last_words().await.is_empty());
    let (mut says, _) = Client::welcome(&world, &device, &connect("says")).await;
    says.ask(&publish(QOS1, "me/up/a", 1, &[], b"1")).await;
    let renewed = world.renewed(&device).await;
    // Somebody who is here by a key hears of the same change, and of others after it: by then it was looked.
    let spki = renewed.certificate.spki_der().to_vec();
    let from = [127, 0, 0, 1].into();
    let by_key = world.gateway.coap_by_key(&spki, &renewed.certificate, from).await.unwrap();
    world.renewed(&renewed).await;
    timeout(Duration::from_secs(20), by_key.changed()).await.unwrap();
    says.ask(&publish(QOS1, "me/up/b", 2, &[], b"2")).await;
    let (mut client, welcome) = Client::welcome(&world, &renewed, &kept).await;
    assert_eq!(welcome[0], 1, "the session was there");
    let heard = [client.message().await.payload, client.message().await.payload];
    assert_eq!(heard, [b"1", b"2"]);
}

/// Where reads of certificates fail, and it must be looked whether a device may still be here, which it may.
async fn unsure() -> (World, Thing, Client, watch::Sender<bool>) {
    let world = World::quiet(GatewayLimits::default()).await;
    let device = world.device().await;
    let stop = watch::Sender::new(false);
    let mut client = Client::until(&world, &device, stop.subscribe());
    client.send(&connect_kept("s", false, 100)).await;
    client.is_welcome().await;
    client.ask(&subscribe(1, &[], &[("me/up/#", 1)])).await;
    assert_eq!(client.ask(&publish(QOS1, "me/up/a", 1, &[], b"1")).await.0, 0x40);
    assert_eq!(client.message().await.payload, b"1");
    let mut following = world.follow();
    assert!(following.as_mut().now_or_never().is_none());
    world.suspend(&device).await;
    world.release(&device).await;
    world.break_reads(true);
    tokio::time::pause();
    drop(tokio::spawn(following));
    (world, device, client, stop)
}

#[tokio::test]
async fn while_it_cannot_be_looked_nothing_is_heard_and_nothing_told() {
    let (world, _, mut client, _stop) = unsure().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    client.send(&PING).await;
    assert!(timeout(Duration::from_secs(1), client.next()).await.is_err());
    world.break_reads(false);
    assert_eq!(client.next().await, Some(PONG));
    tokio::time::resume();
    assert_eq!(client.ask(&publish(QOS1, "me/up/b", 2, &[], b"2")).await.0, 0x40);
    assert_eq!(client.message().await.payload, b"2");
}

#[tokio::test]
async fn where_it_cannot_be_looked_a_session_is_nobodys_fault_and_is_kept() {
    let (world, device, mut client, _stop) = unsure().await;
    assert_eq!(client.last_words().await.pop().expect("told").goodbye(), 0x89);
    let kept = connect_kept("s", false, 100);
    let refused = Client::new(&world, &device).ask(&kept).await;
    assert_eq!((refused.0, &refused.1[..2]), (0x20, &[0, 0x88][..]));
    tokio::time::resume();
    world.break_reads(false);
    let (mut client, welcome) = Client::welcome(&world, &device, &kept).await;
    assert_eq!(welcome[0], 1, "the session was there");
    let again = client.message().await;
    assert_eq!((again.flags, &again.payload[..]), (QOS1 | 8, &b"1"[..]));
    client.send(&packet(0x40, &[&again.id.unwrap().to_be_bytes()])).await;
    assert_eq!(client.ask(&publish(QOS1, "me/up/b", 2, &[], b"2")).await.0, 0x40);
    assert_eq!(client.message().await.payload, b"2");
    assert!(world.refused(&device).await.is_empty(), "it did nothing wrong");
}

#[tokio::test]
async fn a_server_that_stops_waits_for_no_look_at_a_device() {
    let (_world, _, mut client, stop) = unsure().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let began = tokio::time::Instant::now();
    stop.send_replace(true);
    let heard = client.last_words().await;
    assert_eq!(heard.iter().map(Packet::goodbye).collect::<Vec<_>>(), [0x8b]);
    assert!(began.elapsed() < Duration::from_millis(500), "by the clock that stands still");
}

/// Lets everybody go on until they wait.
async fn others_go_on() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_comes_back_and_cannot_be_looked_at_loses_nothing() {
    let (world, device, mut first, stop) = unsure().await;
    let kept = connect_kept("s", false, 100);
    // Between two looks, and by the clock it stays there: it does not go on while something runs elsewhere.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let (goes_on, still) = std::sync::mpsc::channel::<()>();
    let clock = tokio::task::spawn_blocking(move || still.recv().is_err());
    world.break_reads(false);
    // The device is known, and waits for what its first connection leaves.
    let mut second = Client::new(&world, &device);
    second.send(&kept).await;
    others_go_on().await;
    // Who may be here has changed by the time it has it, and who that is cannot be said.
    world.suspend(&device).await;
    world.release(&device).await;
    world.break_reads(true);
    stop.send_replace(true);
    assert_eq!(first.last_words().await.pop().expect("told").goodbye(), 0x8b);
    drop(goes_on);
    assert!(clock.await.unwrap());
    // [MQTT-3.14.0-1]: no DISCONNECT before CONNACK.
    assert!(second.last_words().await.is_empty());
    world.break_reads(false);
    tokio::time::resume();
    let (mut third, welcome) = Client::welcome(&world, &device, &kept).await;
    assert_eq!(welcome[0], 1, "the session was there");
    let again = third.message().await;
    assert_eq!((again.flags, &again.payload[..]), (QOS1 | 8, &b"1"[..]));
    third.send(&packet(0x40, &[&again.id.unwrap().to_be_bytes()])).await;
    third.is_quiet().await;
}

#[tokio::test]
async fn what_somebody_asks_for_who_was_displaced_is_nobodys_subscription() {
    let world = World::new().await;
    let device = world.device().await;
    let kept = connect_kept("s", false, 100);
    let (mut first, _) = Client::welcome(&world, &device, &kept).await;
    let (mut says, _) = Client::welcome(&world, &device, &connect("says")).await;
    // It waits for the disk, with its wish behind it.
    let writes = world.hold_writes();
    let message = publish(QOS1, "me/up/a", 1, &[], b"1");
    first.send(&[message, subscribe(2, &[], &[("me/up/#", 1)])].concat()).await;
    others_go_on().await;
    let mut second = Client::new(&world, &device);
    second.send(&kept).await;
    others_go_on().await;
    drop(writes);
    let heard = first.last_words().await;
    assert!(
        matches!(&heard[..], [ack, bye] if ack.0 == 0x40 && bye.goodbye() == 0x8e),
        "{heard:?}"
    );
    assert_eq!(second.is_welcome().await[0], 1, "the session was there");
    assert_eq!(says.ask(&publish(QOS1, "me/up/b", 1, &[], b"2")).await.0, 0x40);
    second.is_quiet().await;
}

#[tokio::test]
async fn names_and_what_a_server_may_say_of_them() {
    let world = World::new().await;
    let device = world.device().await;
    // [MQTT-3.1.3-5]: letters and digits, up to 23 bytes; more than 128 are refused (-8).
    for name in ["a", "0123456789ABCDEFabcdefg", "ä-€ 😀"] {
        Client::welcome(&world, &device, &connect(name)).await;
    }
    Client::welcome(&world, &device, &connect(&"x".repeat(128))).await;
    let mut client = Client::new(&world, &device);
    let refused = client.ask(&connect(&"x".repeat(129))).await;
    assert_eq!((refused.0, &refused.1[..2]), (0x20, &[0, 0x85][..]));
    assert_eq!(client.next().await, None);
    // [MQTT-3.1.3-6], -7, [MQTT-3.2.2-16]: without a name, one that nobody has.
    let mut names = HashSet::new();
    for _ in 0..3 {
        let (_, welcome) = Client::welcome(&world, &device, &connect("")).await;
        let at = welcome.iter().position(|byte| *byte == 0x12).expect("a name");
        let length = usize::from(welcome[at + 2]);
        assert!(names.insert(welcome[at + 3..at + 3 + length].to_vec()) && length > 8);
    }
    // A user name and a password say nothing here, whatever they are (section 3.1.3.5).
    let user = connect_with(CLEAN | 0xc0, 0, &[], &[&text("u"), &text("admin"), &text([0, 0xff])]);
    Client::welcome(&world, &device, &user).await;
    // Enhanced authentication is not offered: 0x8C.
    let method = [&[0x15][..], &text("SCRAM")].concat();
    let mut client = Client::new(&world, &device);
    let refused = client.ask(&connect_with(CLEAN, 0, &[&method], &[&text("c")])).await;
    assert_eq!((refused.0, &refused.1[..2]), (0x20, &[0, 0x8c][..]));
    assert_eq!(client.next().await, None, "MQTT-3.2.2-7");
    // [MQTT-3.1.2-21], [MQTT-3.2.2-22]: nobody is silent for ever: Server Keep Alive, 1200 seconds.
    let (_, welcome) = Client::welcome(&world, &device, &connect("c")).await;
    assert!(welcome.windows(3).any(|it| it == [0x13, 4, 0xb0]), "{welcome:02x?}");
    let sixty = connect_with(CLEAN, 60, &[], &[&text("c")]);
    let (_, welcome) = Client::welcome(&world, &device, &sixty).await;
    assert!(!welcome.windows(2).any(|it| it == [0x13, 0]), "{welcome:02x?}");
    // A session is kept for a day at most, and the client is told.
    let (_, welcome) = Client::welcome(&world, &device, &connect_kept("c", true, u32::MAX)).await;
    assert!(welcome.windows(5).any(|it| it == [0x11, 0, 1, 0x51, 0x80]), "{welcome:02x?}");
}

/// CONNECT with a will for `me/up/will`.
fn with_will(name: &str, flags: u8, with: &[&[u8]], more: &[&[u8]], payload: &str) -> Vec<u8> {
    let will = [properties(with), text("me/up/will"), text(payload)].concat();
    connect_with(CLEAN | 4 | flags, 0, more, &[&text(name), &will])
}

#[tokio::test]
async fn a_will_is_published_for_those_who_say_no_goodbye() {
    let world = World::new().await;
    let device = world.device().await;
    let (mut hears, _) = Client::welcome(&world, &device, &connect("hears")).await;
    // With RETAIN as it was published.
    hears.ask(&subscribe(1, &[], &[("me/up/will", 8)])).await;
    let goodbye = |code: u8| packet(0xe0, &[&[code]]);
    // [MQTT-3.14.4-3], [MQTT-3.1.2-10]: a goodbye takes it away.
    let (mut rude, _) = Client::welcome(&world, &device, &with_will("r", 0, &[], &[], "no")).await;
    rude.send(&goodbye(0)).await;
    assert!(rude.last_words().await.is_empty());
    // [MQTT-3.1.2-8]: a connection that breaks off, a goodbye that asks for it, a protocol error.
    let (rude, _) = Client::welcome(&world, &device, &with_will("r", 0, &[], &[], "cut")).await;
    rude.cut();
    assert_eq!(hears.message().await.payload, b"cut");
    for (name, bytes) in [("asked for", goodbye(4)), ("error", publish(6, "me/up/x", 1, &[], b""))]
    {
        let (mut rude, _) =
            Client::welcome(&world, &device, &with_will("r", 0, &[], &[], name)).await;
        rude.send(&bytes).await;
        assert_eq!(hears.message().await.payload, name.as_bytes());
    }
    // [MQTT-3.1.2-14], -15 and section 3.1.3.2: retained where it was to be, with its properties.
    let with = [
        [&[0x03][..], &text("text/plain")].concat(),
        [&[0x26][..], &text("k"), &text("v")].concat(),
    ];
    let with: Vec<&[u8]> = with.iter().map(Vec::as_slice).collect();
    for (flags, retained) in [(0x20, 1), (0, 0)] {
        let connect = with_will("r", flags, &with, &[], "props");
        let (rude, _) = Client::welcome(&world, &device, &connect).await;
        rude.cut();
        let heard = hears.message().await;
        assert_eq!((heard.flags, heard.properties), (retained, with.concat()));
    }
    // [MQTT-3.1.3-9]: who is back before its delay is over has not gone.
    let delay = [0x18, 0, 0, 0, 100];
    let kept = [0x11, 0, 0, 0, 200];
    let connect = with_will("late", 0, &[&delay], &[&kept], "late");
    let (late, _) = Client::welcome(&world, &device, &connect).await;
    late.cut();
    let (back, _) = Client::welcome(&world, &device, &connect_kept("late", false, 0)).await;
    hears.is_quiet().await;
    back.cut();
    // The end of its session does not wait for the delay.
    let connect = with_will("over", 0, &[&delay], &[&[0x11, 0, 0, 0, 0]], "over");
    let (over, _) = Client::welcome(&world, &device, &connect).await;
    over.cut();
    assert_eq!(hears.message().await.payload, b"over");
    // A will may go nowhere that its sender may not.
    let foreign = [&[0][..], &text("d/00000000000000000000000000000000/x"), &text("w")].concat();
    let foreign = connect_with(CLEAN | 4, 0, &[], &[&text("f"), &foreign]);
    let (foreign, _) = Client::welcome(&world, &device, &foreign).await;
    foreign.cut();
    hears.is_quiet().await;
}

#[tokio::test]
async fn who_is_silent_for_too_long_is_gone() {
    let world = World::new().await;
    let device = world.device().await;
    // [MQTT-3.1.2-22]: one and a half times a second.
    let began = tokio::time::Instant::now();
    let one = connect_with(CLEAN, 1, &[], &[&text("silent")]);
    let (mut silent, _) = Client::welcome(&world, &device, &one).await;
    let last = silent.last_words().await;
    assert!(began.elapsed() >= std::time::Duration::from_millis(1400), "too soon");
    assert!(last.iter().all(|packet| packet.goodbye() == 0x8d), "{last:?}");
}

#[tokio::test]
async fn a_server_that_stops_says_so_and_publishes_no_wills() {
    let world = World::new().await;
    let device = world.device().await;
    let connect = with_will("c", 0, &[], &[], "will");
    let (mut client, _) = Client::welcome(&world, &device, &connect).await;
    world.stop();
    let heard = client.last_words().await;
    assert!(matches!(&heard[..], [it @ Packet(..)] if it.goodbye() == 0x8b), "{heard:?}");
    assert!(world.kept(&device).await.is_empty());
}
