//! Streams of security events: places in the audit log that move on when events were taken.

use crate::{
    people::code,
    world::{World, config, id, open},
};
use audit::stream::{Expected, Received, digest};
use crypto::Secret;
use device::DeviceKind;
use policy::Caller;
use service::{AuditQuery, NewAuditStream, Page, STREAMS_MAX, StreamPlace};

const DELIVERER: Caller = Caller::Platform { task: "audit-stream" };

fn to_file(name: &str) -> NewAuditStream {
    NewAuditStream {
        name: name.to_owned(),
        organisation: None,
        target: "file".to_owned(),
        roots: None,
        authorization: None,
        from_beginning: true,
    }
}

async fn kinds(world: &World, kind: audit::Kind) -> Vec<audit::Outcome> {
    let local = world.service.local_administrator();
    let query = AuditQuery { kind: Some(kind), ..AuditQuery::default() };
    let page = Page { after: None, limit: 100 };
    let found = world.service.audit_trail(&local, &query, &page).await.unwrap();
    found.items.into_iter().map(|view| view.event.outcome()).collect()
}

#[tokio::test]
async fn a_stream_is_a_place_that_moves_on_once() {
    let world = World::new().await;
    world.maker("maker", "gate", DeviceKind::Device).await;
    let (service, local) = (&world.service, world.service.local_administrator());
    service.begin_audit_stream(&local, to_file("all")).await.unwrap();
    let of_maker = NewAuditStream { organisation: Some(id("maker")), ..to_file("of-maker") };
    service.begin_audit_stream(&local, of_maker).await.unwrap();
    let live = service.live_streams(&DELIVERER).unwrap();
    assert_eq!(live.len(), 2);
    for (stream, revision) in live {
        let opened = service.open_stream(&DELIVERER, stream).unwrap();
        let beginning = StreamPlace { sequence: 0, number: 0 };
        assert_eq!((opened.revision, opened.place), (revision, beginning));
        let name = opened.name.as_str();
        // In small steps and in one: the same events under the same numbers.
        let all = service.next_of_stream(&DELIVERER, stream, beginning, 1_000).unwrap();
        let mut steps = Vec::new();
        let mut place = beginning;
        loop {
            let step = service.next_of_stream(&DELIVERER, stream, place, 3).unwrap();
            let Some(last) = step.last() else { break };
            place = last.place();
            steps.extend(step);
        }
        assert_eq!(steps, all);
        assert!(all.len() > 3 && all.iter().map(|event| event.number).eq(1..=all.len() as u64));
        if name == "of-maker" {
            assert!(all.iter().all(|event| event.event.organisation_of() == Some("maker")));
        }
        // Nothing counts as delivered before it is said to be.
        assert!(service.delivered_events(&local, name, None, 1_000).await.unwrap().is_empty());
        let third = all[2].place();
        assert!(service.stream_reached(&DELIVERER, stream, beginning, third).await.unwrap());
        // Who delivers beside it moves nothing.
        assert!(!service.stream_reached(&DELIVERER, stream, beginning, place).await.unwrap());
        let delivered = service.delivered_events(&local, name, None, 1_000).await.unwrap();
        assert_eq!(delivered, all[..3]);
        let rest = service.delivered_events(&local, name, Some(all[0].place()), 1).await.unwrap();
        assert_eq!(rest, all[1..2]);
        let view = service.audit_stream(&local, name).await.unwrap();
        assert_eq!((view.number, view.sequence), (3, third.sequence));
        assert!(view.behind >= all.len() as u64 - 3);
        // What a receiver wrote is held against what was delivered.
        let mut received = Received::new(name);
        for event in &all[..3] {
            received.line(event.json(name).as_bytes());
        }
        let log = delivered
            .iter()
            .map(|event| Expected { number: event.number, digest: digest(&event.object(name)) });
        assert!(received.reconcile(log).is_whole());
    }
}

#[tokio::test]
async fn a_receiver_that_fails_is_one_event_and_so_is_its_return() {
    let world = World::new().await;
    let (service, local) = (&world.service, world.service.local_administrator());
    service.begin_audit_stream(&local, to_file("all")).await.unwrap();
    let (stream, _) = service.live_streams(&DELIVERER).unwrap()[0];
    for why in ["down\u{1b}[31m", "down\u{1b}[31m", "still down"] {
        service.stream_failed(&DELIVERER, stream, why).await.unwrap();
    }
    let view = service.audit_stream(&local, "all").await.unwrap();
    assert_eq!(view.failure.as_deref(), Some("still down"));
    assert!(view.failing_since.is_some());
    assert_eq!(kinds(&world, audit::Kind::Delivery).await, [audit::Outcome::Failure]);
    let from = StreamPlace { sequence: 0, number: 0 };
    let to = StreamPlace { sequence: 1, number: 1 };
    assert!(service.stream_reached(&DELIVERER, stream, from, to).await.unwrap());
    let view = service.audit_stream(&local, "all").await.unwrap();
    assert_eq!((view.failure, view.failing_since), (None, None));
    let told = kinds(&world, audit::Kind::Delivery).await;
    assert_eq!(told, [audit::Outcome::Success, audit::Outcome::Failure]);
    // A stream that has ended meanwhile is nobody's trouble.
    service.end_audit_stream(&local, "all").await.unwrap();
    service.stream_failed(&DELIVERER, stream, "down").await.unwrap();
    assert!(!service.stream_reached(&DELIVERER, stream, to, to).await.unwrap());
    assert_eq!(code(service.next_of_stream(&DELIVERER, stream, to, 1)), "not-found");
}

#[tokio::test]
async fn streams_are_the_platforms_and_wrong_ones_are_refused() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let (service, local) = (&world.service, world.service.local_administrator());
    let member = &maker.admin;
    assert!(service.begin_audit_stream(member, to_file("mine")).await.is_err());
    assert!(service.audit_streams(member).await.is_err());
    assert!(service.live_streams(member).is_err());
    assert!(service.audit_streams(&local).await.unwrap().is_empty());
    let begin = |new: NewAuditStream| service.begin_audit_stream(&local, new);
    assert_eq!(code(begin(to_file("Über")).await), "stream-name");
    assert_eq!(code(begin(to_file(&"a".repeat(33))).await), "stream-name");
    let to = |target: &str| NewAuditStream { target: target.into(), ..to_file("siem") };
    assert_eq!(code(begin(to("http://a.example/")).await), "stream-target");
    assert_eq!(code(begin(to("https://a.example/")).await), "stream-roots");
    let rooted = |pem: &str| NewAuditStream { roots: Some(pem.into()), ..to("https://a.example/") };
    assert_eq!(code(begin(rooted("nothing")).await), "stream-roots");
    let root = service.trust_store().await.unwrap().roots[0].to_pem();
    let secret = |text: &str| Some(Secret::new(text.as_bytes().to_vec()));
    let with = |text: &str| NewAuditStream { authorization: secret(text), ..rooted(&root) };
    assert_eq!(code(begin(with("a\r\nHost: b")).await), "stream-authorization");
    let syslog = NewAuditStream { target: "syslog-tls://a.example".into(), ..with("Bearer x") };
    assert_eq!(code(begin(syslog).await), "stream-authorization");
    let nobody = NewAuditStream { organisation: Some(id("nobody")), ..to_file("siem") };
    assert_eq!(code(begin(nobody).await), "not-found");
    begin(with("Bearer the secret")).await.unwrap();
    assert_eq!(code(begin(to_file("siem")).await), "stream-exists");
    for n in 1..STREAMS_MAX {
        begin(to_file(&format!("s{n}"))).await.unwrap();
    }
    assert_eq!(code(begin(to_file("one-more")).await), "too-many-streams");
    service.pause_audit_stream(&local, "siem", true).await.unwrap();
    assert_eq!(service.live_streams(&DELIVERER).unwrap().len(), STREAMS_MAX - 1);
    assert_eq!(code(service.pause_audit_stream(&local, "nobody", true).await), "not-found");
}

/// The place and the secret outlive a restart; the secret is not in the file as it is.
#[tokio::test]
async fn streams_outlive_a_restart() {
    let world = World::new().await;
    let local = world.service.local_administrator();
    let root = world.service.trust_store().await.unwrap().roots[0].to_pem();
    let new = NewAuditStream {
        target: "https://a.example/x".into(),
        roots: Some(root),
        authorization: Some(Secret::new(b"Bearer the secret".to_vec())),
        from_beginning: false,
        ..to_file("siem")
    };
    let begun = world.service.begin_audit_stream(&local, new).await.unwrap();
    assert!(begun.starts_after > 0, "from now on");
    let (stream, _) = world.service.live_streams(&DELIVERER).unwrap()[0];
    let from = StreamPlace { sequence: begun.starts_after, number: 0 };
    let next = world.service.next_of_stream(&DELIVERER, stream, from, 1).unwrap();
    assert_eq!(next[0].number, 1, "its own beginning is the first event");
    let to = next[0].place();
    assert!(world.service.stream_reached(&DELIVERER, stream, from, to).await.unwrap());
    let (dir, clock) = (world.path().to_owned(), world.clock.clone());
    world.service.close();
    for file in std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()) {
        if file.is_file() {
            let bytes = std::fs::read(&file).unwrap();
            assert!(!bytes.windows(10).any(|window| window == b"the secret"), "{}", file.display());
        }
    }
    let again = open(&dir, config(), &clock);
    let opened = again.open_stream(&DELIVERER, stream).unwrap();
    assert_eq!(opened.place, to);
    assert_eq!(opened.authorization.unwrap().expose(), b"Bearer the secret");
    again.close();
}
