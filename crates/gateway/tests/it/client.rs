//! A client that sends whatever bytes it is told to.

use crate::world::{Thing, World};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    sync::watch,
    time::timeout,
};

/// Longest that an answer may take; what comes at once is waited for no longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// A packet: its first byte, and what follows the length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet(pub(crate) u8, pub(crate) Vec<u8>);

/// A packet's bytes.
pub(crate) fn packet(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut length = body.len();
    let mut bytes = vec![first];
    loop {
        let (more, low) = (length / 128, u8::try_from(length % 128).unwrap());
        bytes.push(if more > 0 { low | 128 } else { low });
        length = more;
        if length == 0 {
            break;
        }
    }
    bytes.extend(body);
    bytes
}

/// A string or binary data with its length (sections 1.5.4, 1.5.6).
pub(crate) fn text(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// Properties with their length, which is below 128 here.
pub(crate) fn properties(parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&[u8::try_from(body.len()).unwrap()][..], &body].concat()
}

pub(crate) const PING: [u8; 2] = [0xc0, 0];
pub(crate) const PONG: Packet = Packet(0xd0, Vec::new());
pub(crate) const CLEAN: u8 = 2;

/// CONNECT of MQTT 5: flags, keep alive, properties, and the payload's parts.
pub(crate) fn connect_with(flags: u8, keep_alive: u16, with: &[&[u8]], rest: &[&[u8]]) -> Vec<u8> {
    let head = [&text("MQTT")[..], &[5, flags], &keep_alive.to_be_bytes()].concat();
    packet(0x10, &[&head, &properties(with), &rest.concat()])
}

pub(crate) fn connect(name: &str) -> Vec<u8> {
    connect_with(CLEAN, 0, &[], &[&text(name)])
}

/// CONNECT of one whose session is kept for so many seconds.
pub(crate) fn connect_kept(name: &str, clean: bool, seconds: u32) -> Vec<u8> {
    let expiry = [&[0x11][..], &seconds.to_be_bytes()].concat();
    connect_with(if clean { CLEAN } else { 0 }, 0, &[&expiry], &[&text(name)])
}

/// PUBLISH: the first byte's flags, the id where the QoS has one, properties.
pub(crate) fn publish(flags: u8, topic: &str, id: u16, with: &[&[u8]], payload: &[u8]) -> Vec<u8> {
    let id = if flags & 6 == 0 { Vec::new() } else { id.to_be_bytes().to_vec() };
    packet(0x30 | flags, &[&text(topic), &id, &properties(with), payload])
}

pub(crate) fn subscribe(id: u16, with: &[&[u8]], filters: &[(&str, u8)]) -> Vec<u8> {
    let filters: Vec<_> = filters
        .iter()
        .flat_map(|(filter, options)| [text(filter), vec![*options]].concat())
        .collect();
    packet(0x82, &[&id.to_be_bytes(), &properties(with), &filters])
}

pub(crate) fn unsubscribe(id: u16, filters: &[&str]) -> Vec<u8> {
    let filters: Vec<_> = filters.iter().flat_map(text).collect();
    packet(0xa2, &[&id.to_be_bytes(), &[0], &filters])
}

/// A PUBLISH as a client hears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) flags: u8,
    pub(crate) topic: String,
    pub(crate) id: Option<u16>,
    pub(crate) properties: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

impl Packet {
    /// The message of a PUBLISH of version 5.
    pub(crate) fn message(&self) -> Message {
        let Packet(first, body) = self;
        assert_eq!(first >> 4, 3, "{self:?} is no PUBLISH");
        let flags = first & 15;
        let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let topic = String::from_utf8(body[2..2 + length].to_vec()).unwrap();
        let mut rest = &body[2 + length..];
        let mut id = None;
        if flags & 6 != 0 {
            id = Some(u16::from_be_bytes([rest[0], rest[1]]));
            rest = &rest[2..];
        }
        assert!(rest[0] < 128, "short properties");
        let (properties, payload) = rest[1..].split_at(rest[0].into());
        Message { flags, topic, id, properties: properties.to_vec(), payload: payload.to_vec() }
    }

    /// The reason code of DISCONNECT.
    pub(crate) fn goodbye(&self) -> u8 {
        assert_eq!(self.0, 0xe0, "{self:?} is no DISCONNECT");
        self.1.first().copied().unwrap_or(0)
    }
}

pub(crate) struct Client {
    stream: DuplexStream,
}

impl Client {
    pub(crate) fn new(world: &World, thing: &Thing) -> Self {
        Self { stream: world.connect(thing) }
    }

    /// One that the server ends by itself when this says so.
    pub(crate) fn until(world: &World, thing: &Thing, stop: watch::Receiver<bool>) -> Self {
        Self { stream: world.connect_until(thing, stop) }
    }

    /// One that is welcome; the rest of its CONNACK: flags, code, properties.
    pub(crate) async fn welcome(world: &World, thing: &Thing, connect: &[u8]) -> (Self, Vec<u8>) {
        let mut client = Self::new(world, thing);
        client.send(connect).await;
        let flags = client.is_welcome().await;
        (client, flags)
    }

    /// The rest of its CONNACK: flags, code, properties.
    pub(crate) async fn is_welcome(&mut self) -> Vec<u8> {
        let Packet(first, body) = self.next().await.expect("no CONNACK");
        assert_eq!((first, body[1]), (0x20, 0), "not welcome");
        body
    }

    /// Sends it; the other end may be gone.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _gone = timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("not read");
    }

    /// The next packet; `None` where the connection has ended.
    pub(crate) async fn next(&mut self) -> Option<Packet> {
        timeout(PATIENCE, self.read()).await.expect("nothing came, and nothing ended")
    }

    async fn read(&mut self) -> Option<Packet> {
        let first = self.stream.read_u8().await.ok()?;
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.stream.read_u8().await.expect("cut in two");
            length |= usize::from(byte & 127) << shift;
            shift += 7;
            if byte < 128 {
                break;
            }
            assert!(shift < 28, "a length of five bytes");
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.expect("cut in two");
        Some(Packet(first, body))
    }

    /// Sends, and gives the answer.
    pub(crate) async fn ask(&mut self, bytes: &[u8]) -> Packet {
        self.send(bytes).await;
        self.next().await.expect("the connection has ended")
    }

    /// Nothing comes any more that was on its way.
    pub(crate) async fn is_quiet(&mut self) {
        assert_eq!(self.ask(&PING).await, PONG);
    }

    /// What is heard until the connection ends.
    pub(crate) async fn last_words(&mut self) -> Vec<Packet> {
        let mut heard = Vec::new();
        while let Some(packet) = self.next().await {
            heard.push(packet);
        }
        heard
    }

    /// The next message.
    pub(crate) async fn message(&mut self) -> Message {
        self.next().await.expect("the connection has ended").message()
    }

    /// Nothing more will come from here.
    pub(crate) async fn finish(&mut self) {
        let _gone = self.stream.shutdown().await;
    }

    /// The connection breaks off.
    pub(crate) fn cut(self) {}
}
