//! Any bytes of a broker end a connection or not; nothing counts as taken that was not acknowledged by
//! a whole answer, and what is on its way is answered once.
#![no_main]

use broker::{Event, Login, Placed, Publication, Publisher, Speaks, Template, amqp, nats};
use crypto::{Secret, UnixTime};
use libfuzzer_sys::fuzz_target;
use std::{collections::BTreeSet, sync::Arc};

fn run(publisher: &mut dyn Publisher, bytes: &[u8]) {
    let (mut sent, mut answered) = (0_u64, BTreeSet::new());
    for part in bytes.chunks(64) {
        let ended = publisher.receive(part).is_err();
        while let Some(event) = publisher.event() {
            match event {
                Event::Ready => {
                    for number in sent..sent + 3 {
                        let id = format!("msg_{number}");
                        let at = UnixTime(0);
                        publisher.publish(
                            number,
                            &Publication { place: "t.x", id: &id, at, body: b"{}" },
                        );
                    }
                    sent += 3;
                }
                Event::Answer(number, _) => {
                    assert!(number < sent && answered.insert(number));
                }
            }
        }
        let _ = publisher.output();
        if ended {
            return;
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let secret = |text: &[u8]| Secret::new(text.to_vec());
    match kind % 4 {
        0 => {
            let login = Login::parse(&secret(b"a:b"), Speaks::Amqp).unwrap();
            let to = amqp::Queue { host: "/".into(), queue: "q".into(), exchange: None };
            run(&mut amqp::Amqp::new(to, Arc::new(login)), rest);
        }
        1 => {
            let mut publisher = nats::Nats::new("S", [0; 16]);
            let info = b"INFO {\"tls_required\":true,\"headers\":true,\"jetstream\":true}\r\n";
            publisher.greeted(info, &Login::default()).unwrap();
            run(&mut publisher, rest);
        }
        2 => {
            let mut publisher = nats::Nats::new("S", [0; 16]);
            let greeted = publisher.greeted(rest, &Login::default());
            assert_eq!(greeted.is_err(), publisher.output().is_empty());
            let _ = Login::parse(&secret(rest), Speaks::Nats);
            let _ = Login::parse(&secret(rest), Speaks::Amqp);
        }
        _ => {
            let text = String::from_utf8_lossy(rest);
            let (template, topic) = text.split_once('\n').unwrap_or((&text, "up/x"));
            if let Ok(template) = Template::parse(template) {
                let device = device::DeviceId::from_bytes([7; 16]);
                let placed = Placed { device, product: None, topic, door: "mqtt" };
                let filled = template.fill(&placed, usize::MAX).unwrap();
                assert!(filled.split('.').all(|level| !level.is_empty()));
                assert!(!filled.contains(['*', '>', '#', ' ', '$', '\r', '\n']));
            }
        }
    }
});
