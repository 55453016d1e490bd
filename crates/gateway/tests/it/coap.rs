//! Conversations by CoAP: datagrams in the clear, as they come out of an association.

use crate::world::{Thing, World};
use futures_util::FutureExt as _;
use gateway::{Conversation, Unwelcome};
use std::time::Duration;

const POST: u8 = 2;
const GET: u8 = 1;
const CHANGED: u8 = 0x44;
const CONTENT: u8 = 0x45;
const CONTINUE: u8 = 0x5f;

/// A confirmable request with a token of two bytes.
fn request(id: u16, code: u8, options: &[(u16, &[u8])], payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x42, code];
    bytes.extend(id.to_be_bytes());
    bytes.extend(*b"tk");
    let mut last = 0;
    for (number, value) in options {
        let nibble = |it: usize| match it {
            0..13 => (u8::try_from(it).unwrap(), Vec::new()),
            _ => (13, vec![u8::try_from(it - 13).unwrap()]),
        };
        let (delta, more) = nibble(usize::from(number - last));
        let (length, longer) = nibble(value.len());
        bytes.push((delta << 4) | length);
        bytes.extend(more);
        bytes.extend(longer);
        bytes.extend(*value);
        last = *number;
    }
    if !payload.is_empty() {
        bytes.push(0xff);
        bytes.extend(payload);
    }
    bytes
}

fn to(path: &str) -> Vec<(u16, &[u8])> {
    path.split('/').map(|level| (11, level.as_bytes())).collect()
}

/// An answer's code, options in the order in which they stand, and payload.
#[derive(Debug)]
struct Answer {
    code: u8,
    id: u16,
    options: Vec<(u16, Vec<u8>)>,
    payload: Vec<u8>,
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        assert_eq!(bytes[0], 0x62, "an acknowledgement with the token");
        assert_eq!(&bytes[4..6], b"tk");
        let (mut at, mut number, mut options) = (6, 0_u16, Vec::new());
        while at < bytes.len() && bytes[at] != 0xff {
            let (delta, length) = (bytes[at] >> 4, bytes[at] & 15);
            at += 1;
            let mut long = |nibble: u8| match nibble {
                13 => {
                    at += 1;
                    u16::from(bytes[at - 1]) + 13
                }
                other => u16::from(other),
            };
            number += long(delta);
            let length = usize::from(long(length));
            options.push((number, bytes[at..at + length].to_vec()));
            at += length;
        }
        let payload = bytes.get(at + 1..).unwrap_or_default().to_vec();
        Self { code: bytes[1], id: u16::from_be_bytes([bytes[2], bytes[3]]), options, payload }
    }

    fn option(&self, number: u16) -> Option<&[u8]> {
        self.options.iter().find(|(known, _)| *known == number).map(|(_, value)| value.as_slice())
    }
}

async fn begin(world: &World, thing: &Thing) -> Conversation {
    world.gateway.coap(&thing.certificate, [127, 0, 0, 1].into()).await.unwrap()
}

async fn ask(conversation: &mut Conversation, bytes: &[u8]) -> Answer {
    let reply = conversation.hear(bytes).await;
    assert!(!reply.ends);
    Answer::read(&reply.datagram.unwrap())
}

#[tokio::test]
async fn a_message_is_taken_once_however_often_it_comes() {
    let world = World::new().await;
    let thing = world.device().await;
    let mut conversation = begin(&world, &thing).await;
    let bytes = request(7, POST, &to("me/up/t"), b"21.5");
    let answer = ask(&mut conversation, &bytes).await;
    assert_eq!((answer.code, answer.id), (CHANGED, 7));
    assert_eq!(ask(&mut conversation, &bytes).await.code, CHANGED, "the answer was lost");
    assert_eq!(world.kept(&thing).await, ["up/t"]);
    let other = request(8, POST, &to("me/up/t"), b"21.5");
    ask(&mut conversation, &other).await;
    assert_eq!(world.kept(&thing).await, ["up/t", "up/t"]);
    // One that is not confirmable is answered by one that is not, either.
    let mut free = request(9, POST, &to("me/up/n"), b"1");
    free[0] = 0x52;
    let reply = conversation.hear(&free).await.datagram.unwrap();
    assert_eq!((reply[0], reply[1], &reply[4..6]), (0x52, CHANGED, b"tk".as_slice()));
    assert_eq!(world.kept(&thing).await.len(), 3);
}

#[tokio::test]
async fn what_is_not_admitted_is_refused_by_the_code_of_the_table() {
    let world = World::new().await;
    let (thing, other) = (world.device().await, world.device().await);
    let mut conversation = begin(&world, &thing).await;
    let foreign = format!("d/{}/up/t", other.id);
    let mut code = async |id, options: &[(u16, &[u8])]| {
        ask(&mut conversation, &request(id, POST, options, b"x")).await.code
    };
    assert_eq!(code(1, &to(&foreign)).await, 0x83, "a foreign space");
    assert_eq!(code(2, &to("me/down/commands/x")).await, 0x83, "what only the owner says");
    assert_eq!(code(3, &to("me/up/#")).await, 0x80, "a wildcard");
    let with = |more: &[(u16, &'static [u8])]| [to("me/up/t"), more.to_vec()].concat();
    assert_eq!(code(4, &with(&[(12, &[99])])).await, 0x8f, "a format that nobody knows");
    assert_eq!(code(5, &with(&[(15, b"when=1")])).await, 0x80);
    assert_eq!(code(6, &with(&[(15, b"counter=5")])).await, CHANGED);
    assert_eq!(code(7, &with(&[(15, b"counter=5")])).await, 0x80, "a replay");
    assert_eq!(code(8, &[(1, b"x"), (11, b"me")]).await, 0x82, "If-Match");
    assert_eq!(world.kept(&thing).await, ["up/t"]);
    assert!(world.kept(&other).await.is_empty());
    let refused = world.refused(&thing).await;
    for reason in ["topic", "malformed", "replayed"] {
        assert!(refused.iter().any(|(known, _)| *known == reason), "{reason} in {refused:?}");
    }
}

#[tokio::test]
async fn what_is_no_message_is_reset_and_who_floods_is_told_less() {
    let world = World::new().await;
    let thing = world.device().await;
    let mut conversation = begin(&world, &thing).await;
    let ping = conversation.hear(&[0x40, 0, 1, 2]).await;
    assert_eq!(ping.datagram.as_deref(), Some([0x70, 0, 1, 2].as_slice()));
    let broken = conversation.hear(&[0x40, 2, 1, 3, 0xff]).await;
    assert_eq!(broken.datagram.as_deref(), Some([0x70, 0, 1, 3].as_slice()));
    assert_eq!(conversation.hear(&[1, 2]).await, gateway::Reply::default());
    let mut answers = Vec::new();
    for id in 100..300 {
        let bytes = request(id, POST, &to("me/up/t"), b"x");
        answers.push(ask(&mut conversation, &bytes).await);
    }
    let last = answers.last().unwrap();
    assert_eq!(last.code, 0x9d, "4.29");
    assert_eq!(last.option(14), Some([1].as_slice()), "when to come again");
    let silent = conversation.hear(&[0x40, 0, 1, 4]).await;
    assert_eq!(silent.datagram, None, "not even a ping is answered");
    assert!(!silent.pause.is_zero() && !silent.meant);
    let taken = answers.iter().filter(|answer| answer.code == CHANGED).count();
    assert_eq!(world.kept(&thing).await.len(), taken);
    assert!(taken < 130, "{taken}");
}

#[tokio::test]
async fn a_long_message_comes_in_blocks_and_whole() {
    let world = World::new().await;
    let thing = world.device().await;
    let mut conversation = begin(&world, &thing).await;
    let body: Vec<u8> = (0..=255).cycle().take(2500).collect();
    let mut id = 0;
    for (number, part) in body.chunks(1024).enumerate() {
        let more = if number < 2 { 8 } else { 0 };
        let block = [u8::try_from(number << 4).unwrap() | more | 6];
        let options = [to("me/up/long"), vec![(12, &[42][..]), (27, &block[..])]].concat();
        id += 1;
        let answer = ask(&mut conversation, &request(id, POST, &options, part)).await;
        assert_eq!(answer.code, if more > 0 { CONTINUE } else { CHANGED });
        assert_eq!(answer.option(27), Some(block.as_slice()));
        assert_eq!(world.kept(&thing).await.len(), usize::from(more == 0));
    }
    // One block of another body, out of nowhere.
    let options = [to("me/up/long"), vec![(27, &[0x1e][..])]].concat();
    let answer = ask(&mut conversation, &request(50, POST, &options, &[0; 1024])).await;
    assert_eq!(answer.code, 0x88, "4.08");
}

#[tokio::test]
async fn a_device_asks_what_it_is_to_hear() {
    let world = World::new().await;
    let thing = world.device().await;
    let mut conversation = begin(&world, &thing).await;
    let links = ask(&mut conversation, &request(1, GET, &to(".well-known/core"), b"")).await;
    assert_eq!((links.code, links.option(12)), (CONTENT, Some([40].as_slice())));
    assert!(String::from_utf8(links.payload).unwrap().contains("</me/down>"));
    let nothing = ask(&mut conversation, &request(2, GET, &to("me/down"), b"")).await;
    assert_eq!((nothing.code, nothing.payload.as_slice()), (CONTENT, b"[]".as_slice()));
    let reason = "n".repeat(900);
    for _ in 0..2 {
        world.command(&thing, &reason).await;
    }
    // More than one block: the parts are of one answer, even if something new comes between them.
    let first = ask(&mut conversation, &request(3, GET, &to("me/down"), b"")).await;
    assert_eq!((first.payload.len(), first.option(23)), (1024, Some([0x0e].as_slice())));
    world.command(&thing, "late").await;
    let options = [to("me/down"), vec![(23, &[0x16][..])]].concat();
    let second = ask(&mut conversation, &request(4, GET, &options, b"")).await;
    assert_eq!(first.option(4), second.option(4), "of one body");
    let options = [to("me/down"), vec![(23, &[0x26][..])]].concat();
    let third = ask(&mut conversation, &request(5, GET, &options, b"")).await;
    let whole = [first.payload, second.payload, third.payload].concat();
    let commands: Vec<serde_json::Value> = serde_json::from_slice(&whole).unwrap();
    assert_eq!(commands.len(), 2);
    assert!(commands[0]["topic"].as_str().unwrap().starts_with("me/down/commands/"));
    assert_eq!(commands[0]["payload"]["name"], "restart");
    let options = [to("me/down"), vec![(17, &[60][..])]].concat();
    assert_eq!(ask(&mut conversation, &request(6, GET, &options, b"")).await.code, 0x86);
    assert_eq!(ask(&mut conversation, &request(7, GET, &to("me/up"), b"")).await.code, 0x85);
}

#[tokio::test]
async fn a_device_has_so_many_conversations_and_not_more() {
    let world = World::new().await;
    let thing = world.device().await;
    let mut all = Vec::new();
    for id in 0..4 {
        let mut conversation = begin(&world, &thing).await;
        ask(&mut conversation, &request(id, POST, &to("me/up/t"), b"x")).await;
        all.push(conversation);
    }
    // The first one says something more: the second is the one that was heard of longest ago.
    ask(&mut all[0], &request(9, POST, &to("me/up/t"), b"x")).await;
    let mut fifth = begin(&world, &thing).await;
    tokio::time::timeout(Duration::from_secs(20), all[1].changed()).await.unwrap();
    assert!(!all[1].look_again().await);
    for at in [0, 2, 3] {
        assert!(all[at].look_again().await, "{at}");
    }
    ask(&mut fifth, &request(10, POST, &to("me/up/t"), b"x")).await;
}

#[tokio::test]
async fn an_identifier_may_be_used_again_for_something_else() {
    let world = World::new().await;
    let thing = world.device().await;
    let mut conversation = begin(&world, &thing).await;
    ask(&mut conversation, &request(7, POST, &to("me/up/a"), b"x")).await;
    ask(&mut conversation, &request(7, POST, &to("me/up/b"), b"x")).await;
    assert_eq!(world.kept(&thing).await, ["up/b", "up/a"]);
}

#[tokio::test]
async fn who_may_not_be_here_any_more_is_told_nothing_more() {
    let world = World::new().await;
    let thing = world.device().await;
    let mut conversation = begin(&world, &thing).await;
    ask(&mut conversation, &request(1, POST, &to("me/up/t"), b"x")).await;
    world.suspend(&thing).await;
    // It is told without asking, and soon.
    tokio::time::timeout(Duration::from_secs(20), conversation.changed()).await.unwrap();
    assert!(!conversation.look_again().await);
    assert!(world.gateway.coap(&thing.certificate, [127, 0, 0, 1].into()).await.is_err());
    assert_eq!(world.kept(&thing).await.len(), 1);
}

#[tokio::test]
async fn a_key_by_itself_is_here_as_long_as_it_means_the_certificate() {
    let world = World::new().await;
    let (thing, other) = (world.device().await, world.device().await);
    let from = [127, 0, 0, 1].into();
    let spki = thing.certificate.spki_der().to_vec();
    let foreign = world.gateway.coap_by_key(&spki, &other.certificate, from).await;
    assert!(matches!(foreign, Err(Unwelcome::Renewed)), "it stands for another certificate");
    let mut conversation =
        world.gateway.coap_by_key(&spki, &thing.certificate, from).await.unwrap();
    ask(&mut conversation, &request(1, POST, &to("me/up/t"), b"x")).await;
    assert_eq!(world.kept(&thing).await, ["up/t"]);
    world.suspend(&thing).await;
    tokio::time::timeout(Duration::from_secs(20), conversation.changed()).await.unwrap();
    assert!(!conversation.look_again().await);
    assert!(world.gateway.coap_by_key(&spki, &thing.certificate, from).await.is_err());
}

#[tokio::test]
async fn a_key_by_itself_goes_with_the_certificate_that_another_one_replaces() {
    let world = World::new().await;
    let thing = world.joined(&world.device().await).await;
    let from = [127, 0, 0, 1].into();
    let spki = thing.certificate.spki_der().to_vec();
    let mut by_key = world.gateway.coap_by_key(&spki, &thing.certificate, from).await.unwrap();
    let mut certified = begin(&world, &thing).await;
    for (id, conversation) in [(1, &mut by_key), (2, &mut certified)] {
        ask(conversation, &request(id, POST, &to("me/up/t"), b"x")).await;
    }
    let renewed = world.renewed(&thing).await;
    tokio::time::timeout(Duration::from_secs(20), by_key.changed()).await.unwrap();
    assert!(!by_key.look_again().await);
    assert!(world.gateway.coap_by_key(&spki, &thing.certificate, from).await.is_err());
    // The certificate is good for some weeks still: it is not even looked at.
    assert!(certified.changed().now_or_never().is_none());
    assert!(certified.look_again().await);
    ask(&mut certified, &request(3, POST, &to("me/up/t"), b"x")).await;
    let spki = renewed.certificate.spki_der().to_vec();
    let mut newer = world.gateway.coap_by_key(&spki, &renewed.certificate, from).await.unwrap();
    ask(&mut newer, &request(4, POST, &to("me/up/t"), b"x")).await;
    assert_eq!(world.kept(&thing).await.len(), 4);
}

#[tokio::test]
async fn a_key_by_itself_goes_on_with_a_certificate_that_is_renewed_for_it() {
    let world = World::new().await;
    let thing = world.joined(&world.device().await).await;
    let from = [127, 0, 0, 1].into();
    let spki = thing.certificate.spki_der().to_vec();
    let mut by_key = world.gateway.coap_by_key(&spki, &thing.certificate, from).await.unwrap();
    let renewed = world.renewed_for(&thing, thing.key.clone()).await;
    tokio::time::timeout(Duration::from_secs(20), by_key.changed()).await.unwrap();
    assert!(by_key.look_again().await);
    // Whatever becomes of the former certificate: it is here by the newer one.
    world.revoke(&thing).await;
    ask(&mut by_key, &request(1, POST, &to("me/up/t"), b"x")).await;
    assert_eq!(world.kept(&thing).await, ["up/t"]);
    assert!(world.refused(&thing).await.is_empty());
    world.revoke(&renewed).await;
    tokio::time::timeout(Duration::from_secs(20), by_key.changed()).await.unwrap();
    assert!(!by_key.look_again().await);
    assert_eq!(world.refused(&thing).await, [("revoked", 1)]);
}

#[tokio::test]
async fn who_is_not_welcome_is_told_apart() {
    let world = World::new().await;
    let made = world.device().await;
    let (first, from) = (world.joined(&made).await, [127, 0, 0, 1].into());
    let spki = first.certificate.spki_der().to_vec();
    let begin = async |by_key: bool| {
        let begun = match by_key {
            true => world.gateway.coap_by_key(&spki, &first.certificate, from).await,
            false => world.gateway.coap(&first.certificate, from).await,
        };
        match begun {
            Ok(_) => panic!("welcome"),
            Err(Unwelcome::Unknown(error)) => (error.code(), error.is_no_answer()),
            Err(other) => panic!("{other}"),
        }
    };
    world.break_reads(true);
    for by_key in [true, false] {
        assert!(begin(by_key).await.1, "the store cannot say who it is");
    }
    world.break_reads(false);
    let newer = world.renewed(&first).await;
    assert_eq!(begin(true).await, ("raw-key-former", false));
    world.suspend(&newer).await;
    assert_eq!(begin(false).await, ("certificate-revoked", false));
}

#[tokio::test]
async fn where_it_cannot_be_looked_it_is_looked_again_and_not_at_once() {
    let world = World::new().await;
    let thing = world.device().await;
    let from = [127, 0, 0, 1].into();
    let spki = thing.certificate.spki_der().to_vec();
    let mut conversation =
        world.gateway.coap_by_key(&spki, &thing.certificate, from).await.unwrap();
    world.suspend(&thing).await;
    tokio::time::timeout(Duration::from_secs(20), conversation.changed()).await.unwrap();
    world.break_reads(true);
    tokio::time::pause();
    assert!(conversation.look_again().await, "it may be here still");
    assert!(conversation.look_again().await, "nothing is asked");
    assert!(conversation.changed().now_or_never().is_none(), "it is not looked at once");
    world.break_reads(false);
    assert!(conversation.look_again().await, "nothing is asked yet");
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    conversation.changed().await;
    assert!(!conversation.look_again().await);
}
