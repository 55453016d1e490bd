//! Raw public keys in DTLS 1.2 (RFC 7250), as our door speaks it: both sides in memory, and hellos by hand.

use crate::world::{Thing, World, copy};
use audit::Kind;
use crypto::{
    KeyAlgorithm, Signer as _, SoftwareKey, UnixTime,
    dtls::{Keys, RawKey, SUITES, associate},
    tls::signing_key,
};
use dimpl::{
    Config, ConfigBuilder, Dtls, Error, Output, RawPublicKey,
    crypto::{CryptoProvider, aws_lc_rs::default_provider},
};
use pki::{IssuerInfo, Profile, Request, Serial, Subject};
use proptest::prelude::*;
use rustls::{pki_types::CertificateDer, sign::CertifiedKey};
use service::AuditQuery;
use std::{
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};
use tokio::net::UdpSocket;

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// One end, with both of what it may show.
struct End {
    key: Arc<SoftwareKey>,
    raw: RawKey,
    certified: CertifiedKey,
}

fn end() -> End {
    let certified = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let (subject, from, to) = (Subject::named("end"), UnixTime(0), UnixTime(900_000_000));
    let public = certified.public_key().clone();
    let issuer = IssuerInfo::self_signed(&subject, &public, from, to).unwrap();
    let request = Request::new(Serial::from_random([7; 16]), subject, public, (from, to));
    let prepared = pki::prepare(Profile::Root, &issuer, &request).unwrap();
    let certificate = CertificateDer::from(prepared.sign(&certified).unwrap().der().to_vec());
    let key = Arc::new(SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap());
    let raw = RawKey::new(key.clone()).unwrap();
    let certified = CertifiedKey::new(vec![certificate], signing_key(Arc::new(certified)));
    End { key, raw, certified }
}

static CLIENT: LazyLock<End> = LazyLock::new(end);
static SERVER: LazyLock<End> = LazyLock::new(end);

fn configured() -> ConfigBuilder {
    let provider = CryptoProvider { key_provider: &Keys, ..default_provider() };
    Config::builder()
        .with_crypto_provider(provider)
        .dtls12_cipher_suites(&SUITES)
        .use_server_cookie(false)
}

/// With a raw key of its own, and taking the other side's.
fn of(end: &End, raw: bool, accepts: bool) -> Dtls {
    let config = configured().accept_raw_public_keys(accepts);
    let config = if raw { config.with_raw_public_key(end.raw.to_configure()) } else { config };
    let raw = raw.then_some(&end.raw);
    associate(Arc::new(config.build().unwrap()), &end.certified, raw, now()).unwrap()
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    certificate: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    connected: bool,
    data: Vec<Vec<u8>>,
}

/// What it says, and what it has seen.
fn drain(dtls: &mut Dtls, seen: &mut Seen) -> Vec<Vec<u8>> {
    let (mut buffer, mut said) = (vec![0; 8192], Vec::new());
    loop {
        match dtls.poll_output(&mut buffer) {
            Output::Packet(packet) => said.push(packet.to_vec()),
            Output::PeerCert(certificate) => seen.certificate = Some(certificate.to_vec()),
            Output::PeerRawPublicKey(key) => seen.key = Some(key.to_vec()),
            Output::Connected => seen.connected = true,
            Output::ApplicationData(data) => seen.data.push(data.to_vec()),
            Output::Timeout(_) => return said,
            _ => {}
        }
    }
}

/// A handshake to its end: what the client has seen, and what the server has.
fn shake(client: &mut Dtls, server: &mut Dtls) -> Result<(Seen, Seen), Error> {
    let (mut by_client, mut by_server) = (Seen::default(), Seen::default());
    let now = now();
    client.set_active(true);
    client.handle_timeout(now)?;
    server.handle_timeout(now)?;
    for _ in 0..10 {
        for packet in drain(client, &mut by_client) {
            server.handle_packet(&packet)?;
        }
        for packet in drain(server, &mut by_server) {
            client.handle_packet(&packet)?;
        }
    }
    Ok((by_client, by_server))
}

#[test]
fn each_side_shows_its_key_where_both_want_that_and_its_certificate_where_not() {
    for bits in 0..16_u8 {
        let [own, takes, server_own, server_takes] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
        let mut client = of(&CLIENT, own, takes);
        let mut server = of(&SERVER, server_own, server_takes);
        let (by_client, by_server) = shake(&mut client, &mut server).unwrap();
        assert!(by_client.connected && by_server.connected, "{bits:04b}");
        for (seen, end, raw) in
            [(&by_client, &SERVER, takes && server_own), (&by_server, &CLIENT, own && server_takes)]
        {
            let key = raw.then(|| end.key.public_key().spki().to_vec());
            let certificate = (!raw).then(|| end.certified.cert[0].to_vec());
            assert_eq!((&seen.key, &seen.certificate), (&key, &certificate), "{bits:04b}");
        }
        client.send_application_data(b"hello").unwrap();
        let mut heard = Seen::default();
        for packet in drain(&mut client, &mut Seen::default()) {
            server.handle_packet(&packet).unwrap();
        }
        drain(&mut server, &mut heard);
        assert_eq!(heard.data, [b"hello"], "{bits:04b}");
    }
}

#[test]
fn nobody_poses_as_the_holder_of_a_key() {
    let stranger = end();
    let posing = RawPublicKey {
        public_key: CLIENT.key.public_key().spki().to_vec(),
        private_key: stranger.key.public_key().spki().to_vec(),
    };
    let posing = |accepts| {
        let config = configured().with_raw_public_key(posing.clone());
        let config = Arc::new(config.accept_raw_public_keys(accepts).build().unwrap());
        associate(config, &stranger.certified, Some(&stranger.raw), now()).unwrap()
    };
    // As a client by CertificateVerify, as a server by ServerKeyExchange.
    let error = shake(&mut posing(true), &mut of(&SERVER, true, true)).unwrap_err();
    assert!(matches!(error, Error::CryptoError(_)), "{error}");
    let error = shake(&mut of(&SERVER, true, true), &mut posing(true)).unwrap_err();
    assert!(matches!(error, Error::CryptoError(_)), "{error}");
}

#[test]
fn a_key_that_is_not_the_configured_one_makes_no_association() {
    let config =
        Arc::new(configured().with_raw_public_key(SERVER.raw.to_configure()).build().unwrap());
    let now = now();
    assert!(associate(config.clone(), &SERVER.certified, None, now).is_none());
    assert!(associate(config, &SERVER.certified, Some(&CLIENT.raw), now).is_none());
    let plain = Arc::new(configured().build().unwrap());
    assert!(associate(plain, &SERVER.certified, Some(&SERVER.raw), now).is_none());
    let other = SoftwareKey::generate(KeyAlgorithm::EcdsaP384).unwrap();
    assert!(RawKey::new(Arc::new(other)).is_none());
}

/// A device that shows its key alone to a running server, and shakes hands.
pub(crate) async fn knock(world: &World, thing: &Thing) {
    let key = Arc::new(copy(&thing.key));
    let device = End { raw: RawKey::new(key.clone()).unwrap(), key, certified: end().certified };
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let coap = world.running.as_ref().unwrap().coap_address().unwrap();
    socket.connect(coap).await.unwrap();
    let (mut dtls, mut seen, mut packet) = (of(&device, true, true), Seen::default(), [0; 4096]);
    dtls.set_active(true);
    while !seen.connected {
        dtls.handle_timeout(now()).unwrap();
        for packet in drain(&mut dtls, &mut seen) {
            socket.send(&packet).await.unwrap();
        }
        let heard = socket.recv(&mut packet);
        if let Ok(heard) = tokio::time::timeout(Duration::from_millis(200), heard).await {
            dtls.handle_packet(&packet[..heard.unwrap()]).unwrap();
        }
    }
}

/// Shows its key until the record says that of it: the record is written after the device was answered.
async fn knock_until(world: &World, thing: &Thing, kind: Kind, words: &[&str]) {
    for _ in 0..50 {
        knock(world, thing).await;
        if recorded(world, kind, words).await > 0 {
            return;
        }
    }
    panic!("the record has no {words:?}");
}

/// How many events of this kind the record has with all these words.
async fn recorded(world: &World, kind: Kind, words: &[&str]) -> usize {
    let local = world.service.local_administrator();
    let page = service::Page { after: None, limit: 200 };
    let query = AuditQuery::default();
    let events = world.service.audit_trail(&local, &query, &page).await.unwrap().items;
    let said = events
        .iter()
        .filter(|view| view.event.kind() == kind)
        .map(|view| format!("{:?}", view.event));
    said.filter(|event| words.iter().all(|word| event.contains(word))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_key_it_is_that_is_turned_away_is_on_record() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate").await;
    let thing = world.made(&maker, "gate").await;
    let identity = world.idevid(&maker, "gate", &thing).await;
    let (admin, cause) = (&maker.admin.caller, device::Cause::Anomaly);
    world.service.suspend_device(admin, &thing.id, cause).await.unwrap();
    let key = thing.key.public_key().fingerprint().to_string();
    let (device, certificate) = (thing.id.to_string(), identity.chain[0].fingerprint().to_string());
    let words = ["revoked or suspended", &key, &device, &certificate];
    knock_until(&world, &thing, Kind::Authentication, &words).await;
    let stranger = || Thing { id: thing.id, serial: String::new(), key: crate::world::key() };
    let name = |one: &Thing| one.key.public_key().fingerprint().to_string();
    let (first, second) = (stranger(), stranger());
    let unknown = ["raw-key-unknown", &name(&first)];
    knock_until(&world, &first, Kind::Authentication, &unknown).await;
    // Nobody failed to prove anything where the store cannot say who it is.
    let store = rusqlite::Connection::open(world.path().join("tegata.db")).unwrap();
    store.execute_batch("ALTER TABLE certificate RENAME TO away").unwrap();
    knock_until(&world, &second, Kind::Connection, &["the store"]).await;
    store.execute_batch("ALTER TABLE away RENAME TO certificate").unwrap();
    assert_eq!(recorded(&world, Kind::Authentication, &[&name(&second)]).await, 0);
}

const CLIENT_TYPE: u16 = 19;
const SERVER_TYPE: u16 = 20;

/// A handshake message in one record.
fn record(kind: u8, sequence: u8, message: u8, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len()).unwrap().to_be_bytes();
    let mut bytes = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, sequence];
    bytes.extend(u16::try_from(body.len() + 12).unwrap().to_be_bytes());
    bytes.push(kind);
    bytes.extend(&size[1..]);
    bytes.extend([0, message, 0, 0, 0]);
    bytes.extend(&size[1..]);
    bytes.extend(body);
    bytes
}

/// A ClientHello with what the door asks for, and these extensions.
fn hello(extensions: &[(u16, &[u8])]) -> Vec<u8> {
    let own: [(u16, &[u8]); 3] = [(23, &[]), (10, &[0, 2, 0, 23]), (13, &[0, 2, 4, 3])];
    let mut written = Vec::new();
    for (number, data) in own.iter().chain(extensions) {
        written.extend(number.to_be_bytes());
        written.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        written.extend(*data);
    }
    let mut body = vec![0xfe, 0xfd];
    body.extend([9; 32]);
    body.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
    body.extend(u16::try_from(written.len()).unwrap().to_be_bytes());
    body.extend(written);
    record(1, 0, 0, &body)
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Nothing,
    Alert(u8),
    /// types in the ServerHello, of client and server
    Hello(Option<u8>, Option<u8>),
}

/// What a server says to a hello.
fn answer(server: &mut Dtls, hello: &[u8]) -> Answer {
    server.handle_timeout(now()).unwrap();
    let heard = server.handle_packet(hello);
    let said = drain(server, &mut Seen::default());
    let Some(first) = said.first() else { return Answer::Nothing };
    if first[0] == 21 {
        assert!(heard.is_err() && first[13] == 2 && said.len() == 1);
        return Answer::Alert(first[14]);
    }
    heard.unwrap();
    assert_eq!((first[0], first[13]), (22, 2));
    let length = usize::from(u16::from_be_bytes([first[11], first[12]]));
    let body = &first[25..13 + length];
    let mut at = 35 + usize::from(body[34]) + 3 + 2;
    let (mut client, mut server) = (None, None);
    while at < body.len() {
        let number = u16::from_be_bytes([body[at], body[at + 1]]);
        let length = usize::from(u16::from_be_bytes([body[at + 2], body[at + 3]]));
        let data = &body[at + 4..at + 4 + length];
        match number {
            CLIENT_TYPE => client = Some(data[0]),
            SERVER_TYPE => server = Some(data[0]),
            _ => {}
        }
        assert!(![CLIENT_TYPE, SERVER_TYPE].contains(&number) || length == 1);
        at += 4 + length;
    }
    Answer::Hello(client, server)
}

const UNSUPPORTED: Answer = Answer::Alert(43);

#[test]
fn certificate_types_are_negotiated_as_rfc_7250_says() {
    let both =
        |extensions: &[(u16, &[u8])]| answer(&mut of(&SERVER, true, true), &hello(extensions));
    let client = |types: &[u8]| both(&[(CLIENT_TYPE, types)]);
    let server = |types: &[u8]| both(&[(SERVER_TYPE, types)]);
    assert_eq!(both(&[]), Answer::Hello(None, None), "who asks for nothing hears of nothing");
    assert_eq!(client(&[1, 2]), Answer::Hello(Some(2), None));
    assert_eq!(server(&[1, 2]), Answer::Hello(None, Some(2)));
    assert_eq!(client(&[3, 0, 2, 1]), Answer::Hello(Some(0), None), "the client's preference");
    assert_eq!(server(&[4, 3, 1, 2, 0]), Answer::Hello(None, Some(2)));
    let mix = both(&[(CLIENT_TYPE, &[1, 2]), (SERVER_TYPE, &[1, 0])]);
    assert_eq!(mix, Answer::Hello(Some(2), Some(0)));
    // OpenPGP, 1609.2 and what nobody knows.
    assert_eq!(client(&[1, 1]), UNSUPPORTED);
    assert_eq!(server(&[3, 1, 3, 200]), UNSUPPORTED);
    // A server that has no key of its own, and one that takes none.
    let wants = [(SERVER_TYPE, [1, 2].as_slice()), (CLIENT_TYPE, [1, 2].as_slice())];
    assert_eq!(answer(&mut of(&SERVER, false, true), &hello(&wants[..1])), UNSUPPORTED);
    assert_eq!(answer(&mut of(&SERVER, true, false), &hello(&wants[1..])), UNSUPPORTED);
    // One that knows nothing of all this.
    assert_eq!(answer(&mut of(&SERVER, false, false), &hello(&wants)), Answer::Hello(None, None));
}

#[test]
fn what_is_no_list_of_types_is_not_answered() {
    for number in [CLIENT_TYPE, SERVER_TYPE] {
        for wrong in [&[][..], &[0], &[2, 2], &[1, 2, 0], &[255, 2]] {
            let said = answer(&mut of(&SERVER, true, true), &hello(&[(number, wrong)]));
            assert_eq!(said, Answer::Nothing, "{number}: {wrong:?}");
        }
        let twice = [(number, [1, 2].as_slice()), (number, [1, 2].as_slice())];
        assert_eq!(answer(&mut of(&SERVER, true, true), &hello(&twice)), Answer::Nothing);
    }
}

/// A server that waits for a client's raw key.
fn waiting() -> Dtls {
    let mut server = of(&SERVER, true, true);
    let said = answer(&mut server, &hello(&[(CLIENT_TYPE, &[1, 2])]));
    assert_eq!(said, Answer::Hello(Some(2), None));
    server
}

fn certificate(length: usize, body: &[u8]) -> Vec<u8> {
    let mut message = u32::try_from(length).unwrap().to_be_bytes()[1..].to_vec();
    message.extend(body);
    record(11, 1, 1, &message)
}

#[test]
fn a_certificate_message_is_of_the_type_that_was_negotiated() {
    let spki = CLIENT.key.public_key().spki();
    let seen = |packet: &[u8]| {
        let (mut server, mut seen) = (waiting(), Seen::default());
        let heard = server.handle_packet(packet);
        drain(&mut server, &mut seen);
        (heard.is_ok(), seen.key, seen.certificate)
    };
    assert_eq!(seen(&certificate(spki.len(), spki)), (true, Some(spki.to_vec()), None));
    // A list of certificates as long as it says is a key of nobody's; never a certificate.
    let listed = [&[0, 0, 91], spki].concat();
    assert_eq!(seen(&certificate(listed.len(), &listed)), (true, Some(listed.clone()), None));
    // A byte too much or too little, and more than any key has.
    for (length, body) in [(91, &listed[..]), (92, spki), (90, spki), (0, spki)] {
        assert_eq!(seen(&certificate(length, body)), (true, None, None), "{length}");
    }
    assert_eq!(seen(&certificate(513, &[0; 513])), (true, None, None));
    // None at all.
    assert_eq!(seen(&certificate(0, &[])), (false, None, None));
    // A key where certificates were negotiated is no list.
    let (mut server, mut other) = (of(&SERVER, true, true), Seen::default());
    assert_eq!(answer(&mut server, &hello(&[])), Answer::Hello(None, None));
    server.handle_packet(&certificate(spki.len(), spki)).unwrap();
    drain(&mut server, &mut other);
    assert_eq!(other, Seen::default());
}

#[test]
fn no_key_is_believed_without_its_proof() {
    let spki = CLIENT.key.public_key().spki();
    let point = &spki[spki.len() - 65..];
    let shown = || {
        let mut server = waiting();
        server.handle_packet(&certificate(spki.len(), spki)).unwrap();
        server.handle_packet(&record(16, 2, 2, &[&[65], point].concat())).unwrap();
        server
    };
    // The whole flight but CertificateVerify: the server goes on waiting for it.
    let (mut server, mut seen) = (shown(), Seen::default());
    let _ = server.handle_packet(&[20, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 3, 0, 1, 1]);
    let _ = server.handle_packet(&record(20, 4, 3, &[0; 12]));
    drain(&mut server, &mut seen);
    assert_eq!((seen.key.as_deref(), seen.connected), (Some(spki), false));
    // A signature that is none ends it.
    let verify = [&[4, 3, 0, 8][..], &[0x30, 6, 2, 1, 1, 2, 1, 1]].concat();
    assert!(shown().handle_packet(&record(15, 3, 3, &verify)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_extensions_are_answered_by_what_they_ask_for_or_not_at_all(
        client in proptest::collection::vec(0..5_u8, 0..6),
        server in proptest::collection::vec(any::<u8>(), 0..6),
        proper: bool,
    ) {
        let list = |types: &[u8]| {
            let length = u8::try_from(types.len()).unwrap();
            if proper { [&[length], types].concat() } else { types.to_vec() }
        };
        let (of_client, of_server) = (list(&client), list(&server));
        let hello = hello(&[(CLIENT_TYPE, &of_client), (SERVER_TYPE, &of_server)]);
        match answer(&mut of(&SERVER, true, true), &hello) {
            Answer::Hello(chosen, shown) => {
                prop_assert!(of_client[1..].contains(&chosen.unwrap()));
                prop_assert!(of_server[1..].contains(&shown.unwrap()));
            }
            Answer::Alert(alert) => prop_assert_eq!(alert, 43),
            Answer::Nothing => prop_assert!(!proper || client.is_empty() || server.is_empty()),
        }
    }

    #[test]
    fn any_certificate_message_is_one_key_or_nothing(
        body in proptest::collection::vec(any::<u8>(), 0..600),
        length: Option<u16>,
    ) {
        let (mut server, mut seen) = (waiting(), Seen::default());
        let length = length.map_or(body.len(), usize::from);
        let _ = server.handle_packet(&certificate(length, &body));
        drain(&mut server, &mut seen);
        let one = length == body.len() && (1..=512).contains(&length);
        prop_assert_eq!(seen.key, one.then_some(body));
        prop_assert!(seen.certificate.is_none() && !seen.connected);
    }
}
