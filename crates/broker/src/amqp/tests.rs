use super::{frame::Frame, *};
use crypto::{Secret, UnixTime};
use proptest::prelude::*;

fn login(text: &str) -> Arc<Login> {
    Arc::new(Login::parse(&Secret::new(text.as_bytes().to_vec()), crate::Speaks::Amqp).unwrap())
}

fn to(exchange: Option<&str>) -> Queue {
    Queue { host: "/".into(), queue: "q".into(), exchange: exchange.map(str::to_owned) }
}

#[expect(clippy::needless_pass_by_value, reason = "a method is made where it is said")]
fn says(method: Method, channel: u16) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, METHOD, channel, &method.0);
    out
}

/// The methods that were said, by class and number, and what else stands in them.
fn said(amqp: &mut Amqp) -> Vec<((u16, u16), Vec<u8>)> {
    let bytes = amqp.output();
    let mut rest = bytes.strip_prefix(b"AMQP\0\0\x09\x01").unwrap_or(&bytes);
    let mut all = Vec::new();
    while let Some((Frame { kind, payload, .. }, size)) = frame::frame(rest).unwrap() {
        if kind == METHOD {
            let mut fields = Fields(&payload);
            all.push(((fields.u16().unwrap(), fields.u16().unwrap()), fields.0.to_vec()));
        }
        rest = &rest[size..];
    }
    all
}

fn names(amqp: &mut Amqp) -> Vec<(u16, u16)> {
    said(amqp).into_iter().map(|(name, _)| name).collect()
}

fn start(mechanisms: &str) -> Vec<u8> {
    says(Method::new(method::START).u16(9).long(b"").long(mechanisms.as_bytes()).long(b"en_US"), 0)
}

fn opened(exchange: Option<&str>) -> Amqp {
    let mut amqp = Amqp::new(to(exchange), login("ann:pw"));
    amqp.receive(&start("AMQPLAIN PLAIN")).unwrap();
    let all = said(&mut amqp);
    assert_eq!(all[0].0, method::START_OK);
    assert!(all[0].1.windows(13).any(|it| it == b"PLAIN\0\0\0\x07\0ann"), "{all:?}");
    amqp.receive(&says(Method::new(method::TUNE).u16(2047).u32(131_072).u16(60), 0)).unwrap();
    assert_eq!(names(&mut amqp), [method::TUNE_OK, method::OPEN]);
    amqp.receive(&says(Method::new(method::OPEN_OK).short(""), 0)).unwrap();
    assert_eq!(names(&mut amqp), [method::CHANNEL_OPEN]);
    amqp.receive(&says(Method::new(method::CHANNEL_OPEN_OK).long(b""), 1)).unwrap();
    assert_eq!(said(&mut amqp)[0].1, b"\0\0\x01q\x01\0\0\0\0");
    amqp
}

fn declared() -> Vec<u8> {
    says(Method::new(method::QUEUE_DECLARE_OK).short("q").u32(0).u32(0), 1)
}

fn close(code: u16, text: &str) -> Vec<u8> {
    says(Method::new(method::CHANNEL_CLOSE).u16(code).short(text).u16(0).u16(0), 1)
}

fn ready(exchange: Option<&str>) -> Amqp {
    let mut amqp = opened(exchange);
    amqp.receive(&declared()).unwrap();
    let all = said(&mut amqp);
    assert_eq!(all[0].0, method::QUEUE_DECLARE);
    assert!(all[0].1.ends_with(b"\x0cx-queue-typeS\0\0\0\x06quorum") && all[0].1[4] == 0b10);
    amqp.receive(&declared()).unwrap();
    if exchange.is_some() {
        assert_eq!(names(&mut amqp), [method::EXCHANGE_DECLARE]);
        amqp.receive(&says(Method::new(method::EXCHANGE_DECLARE_OK), 1)).unwrap();
    }
    assert_eq!(names(&mut amqp), [method::CONFIRM]);
    amqp.receive(&says(Method::new(method::CONFIRM_OK), 1)).unwrap();
    assert_eq!(amqp.event(), Some(Event::Ready));
    amqp
}

fn publish(amqp: &mut Amqp, number: u64, body: &[u8]) {
    let id = format!("msg_{number}-aa");
    let at = UnixTime(1_700_000_000);
    amqp.publish(number, &Publication { place: "k", id: &id, at, body });
}

fn ack(number: u64, several: bool) -> Vec<u8> {
    let mut method = Method::new(method::ACK);
    method.0.extend_from_slice(&number.to_be_bytes());
    says(method.u8(several.into()), 1)
}

#[test]
fn a_message_is_taken_when_it_is_confirmed() {
    let mut amqp = ready(None);
    for number in 10..14 {
        publish(&mut amqp, number, b"{}");
    }
    let all = said(&mut amqp);
    assert_eq!(all[0], (method::PUBLISH, b"\0\0\0\x01k\x01".to_vec()));
    amqp.receive(&ack(2, false)).unwrap();
    amqp.receive(&ack(3, true)).unwrap();
    amqp.receive(&ack(3, true)).unwrap();
    amqp.receive(&ack(99, false)).unwrap();
    let mut refused = Method::new(method::NACK);
    refused.0.extend_from_slice(&4_u64.to_be_bytes());
    amqp.receive(&says(refused.u8(0), 1)).unwrap();
    for number in [11, 10, 12] {
        assert_eq!(amqp.event(), Some(Event::Answer(number, Verdict::Taken)));
    }
    assert!(matches!(amqp.event(), Some(Event::Answer(13, Verdict::Refused(_)))));
    assert_eq!(amqp.event(), None);
}

#[test]
fn a_body_goes_in_frames_and_has_its_properties() {
    let mut amqp = ready(None);
    amqp.frame_max = 4096;
    publish(&mut amqp, 1, &[b'x'; 10_000]);
    let bytes = amqp.output();
    let (mut rest, mut body, mut header) = (&bytes[..], Vec::new(), Vec::new());
    while let Some((Frame { kind, payload, .. }, size)) = frame::frame(rest).unwrap() {
        assert!(size <= 4096);
        match kind {
            BODY => body.extend(payload),
            HEADER => header = payload,
            _ => {}
        }
        rest = &rest[size..];
    }
    assert_eq!((body.len(), &header[4..12]), (10_000, &10_000_u64.to_be_bytes()[..]));
    assert_eq!(message_id(&mut Fields(&header[12..])).unwrap().as_deref(), Some("msg_1-aa"));
}

#[test]
fn what_comes_back_is_not_taken() {
    let mut amqp = ready(Some("e"));
    publish(&mut amqp, 1, b"{}");
    publish(&mut amqp, 2, b"{}");
    let sent = amqp.output();
    // The broker gives back the header and body as it got them.
    let back =
        says(Method::new(method::RETURN).u16(312).short("NO_ROUTE").short("e").short("k"), 1);
    amqp.receive(&back).unwrap();
    let mut rest = &sent[..];
    for _ in 0..3 {
        let (frame, size) = frame::frame(rest).unwrap().unwrap();
        if frame.kind != METHOD {
            amqp.receive(&rest[..size]).unwrap();
        }
        rest = &rest[size..];
    }
    amqp.receive(&ack(2, true)).unwrap();
    assert!(matches!(amqp.event(), Some(Event::Answer(1, Verdict::Refused(why)))
        if why.contains("NO_ROUTE") && why.contains("bind")));
    assert_eq!(amqp.event(), Some(Event::Answer(2, Verdict::Taken)));
    // Contents that nobody announced.
    let mut stray = Vec::new();
    put(&mut stray, BODY, 1, b"x");
    assert!(amqp.receive(&stray).is_err());
}

#[test]
fn a_queue_is_made_or_has_to_be_a_quorum_queue() {
    let mut amqp = opened(None);
    amqp.receive(&close(404, "NOT_FOUND - no queue")).unwrap();
    assert_eq!(names(&mut amqp), [method::CHANNEL_CLOSE_OK, method::CHANNEL_OPEN]);
    amqp.receive(&says(Method::new(method::CHANNEL_OPEN_OK).long(b""), 1)).unwrap();
    assert_eq!(said(&mut amqp)[0].1[4], 0b10);
    let mut amqp = opened(None);
    amqp.receive(&declared()).unwrap();
    let fault = amqp.receive(&close(406, "inequivalent arg 'x-queue-type'")).unwrap_err();
    assert!(fault.to_string().contains("no quorum queue"), "{fault}");
}

#[test]
fn errors_say_what_to_do() {
    let ends = |code, text| ready(None).receive(&close(code, text)).unwrap_err();
    assert!(matches!(ends(406, "message size 9 is larger than 8"), Fault::Message(_)));
    assert!(matches!(ends(406, "something else"), Fault::Refused(_)));
    // Of one message, perhaps, and never its end: somebody may permit it.
    let refused = ends(403, "no access");
    assert!(matches!(&refused, Fault::NotPermitted(why) if why.contains("`write`")));
    let closes = |code: u16| says(Method::new(method::CLOSE).u16(code).short("x").u16(0).u16(0), 0);
    let mut amqp = Amqp::new(to(None), login("ann:pw"));
    amqp.receive(&start("PLAIN")).unwrap();
    let fault = amqp.receive(&closes(403)).unwrap_err().to_string();
    assert!(fault.contains("secret of the route"), "{fault}");
    assert!(Amqp::new(to(None), login("ann:pw")).receive(&start("EXTERNAL")).is_err());
    let mut amqp = ready(None);
    let blocked = Method::new(method::BLOCKED).short("low on disk");
    amqp.receive(&says(blocked, 0)).unwrap();
    assert!(amqp.held_up().unwrap().contains("low on disk"));
    amqp.receive(&says(Method::new(method::UNBLOCKED), 0)).unwrap();
    assert_eq!(amqp.held_up(), None);
}

#[test]
fn a_broker_has_no_room_in_our_memory() {
    let mut head = vec![METHOD, 0, 0];
    head.extend((FRAME_BYTES_MAX + 1).to_be_bytes());
    assert!(Amqp::new(to(None), login("a:b")).receive(&head).is_err());
    assert!(Amqp::new(to(None), login("a:b")).receive(b"AMQP\0\0\0\x09").is_err());
    let mut amqp = ready(None);
    publish(&mut amqp, 1, b"{}");
    amqp.receive(&says(Method::new(method::RETURN).u16(312).short("").short("").short("k"), 1))
        .unwrap();
    let mut header = Vec::new();
    let mut payload = vec![0, 60, 0, 0];
    payload.extend(u64::MAX.to_be_bytes());
    payload.extend([0, 0]);
    put(&mut header, HEADER, 1, &payload);
    assert!(amqp.receive(&header).is_err());
}

proptest! {
    #[test]
    fn any_bytes_in_any_parts_end_the_same(
        parts in prop::collection::vec(prop_oneof![
            Just(ack(1, true)), Just(declared()), Just(close(404, "x")), Just(start("PLAIN")),
            prop::collection::vec(any::<u8>(), 0..12),
            (0_u8..9, prop::collection::vec(any::<u8>(), 0..12)).prop_map(|(kind, payload)| {
                let mut out = Vec::new();
                put(&mut out, kind, 1, &payload);
                out
            }),
        ], 0..6),
        size in 1_usize..9,
    ) {
        let bytes = parts.concat();
        let run = |size: usize| {
            let mut amqp = ready(None);
            publish(&mut amqp, 7, b"{}");
            let mut ended = Ok(());
            for part in bytes.chunks(size) {
                ended = amqp.receive(part);
                if ended.is_err() {
                    break;
                }
            }
            (ended, std::iter::from_fn(|| amqp.event()).collect::<Vec<_>>())
        };
        prop_assert_eq!(run(size), run(bytes.len().max(1)));
    }
}
