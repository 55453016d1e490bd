//! A light client of MQTT 5 over whatever stream: no more than benches and simulated devices need, with
//! one message in flight where an answer is waited for.

use anyhow::Context as _;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};

/// Longest packet that is read.
const PACKET_MAX: usize = 256 * 1024;
/// Seconds without a word after which the server may end the connection.
const KEEP_ALIVE_S: u16 = 1200;

/// A connection that is welcome.
pub struct Mqtt<S> {
    stream: BufReader<S>,
    id: u16,
}

/// What a server may say to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// it has it
    Acknowledged,
    /// not this one
    Refused(u8),
}

/// What a server says to a connection.
pub enum Welcome<S> {
    /// come in
    Yes(Mqtt<S>),
    /// no, with the reason code
    No(u8),
}

/// A packet of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// a message; answered where `id` is there
    Message {
        /// its topic
        topic: String,
        /// its payload
        payload: Vec<u8>,
        /// its packet identifier, of QoS 1
        id: Option<u16>,
    },
    /// of a message of ours
    Acknowledged {
        /// which
        id: u16,
        /// what it says to it
        said: Said,
    },
    /// the server ends the connection
    Disconnect(u8),
    /// anything else
    Other(u8),
}

/// A message of ours.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// where
    pub topic: &'a str,
    /// what
    pub payload: &'a [u8],
    /// its counter, as the platform reads it
    pub counter: Option<u64>,
    /// whether an acknowledgement is wanted (QoS 1)
    pub acknowledged: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Mqtt<S> {
    /// Says who it is and hears the answer. Buffers are small: there are many of them.
    pub async fn open(stream: S, client: &str) -> anyhow::Result<Welcome<S>> {
        let mut mqtt = Self { stream: BufReader::with_capacity(512, stream), id: 0 };
        let mut body = b"\0\x04MQTT\x05\x02".to_vec();
        body.extend_from_slice(&KEEP_ALIVE_S.to_be_bytes());
        body.push(0);
        text(&mut body, client)?;
        mqtt.write(0x10, &body).await?;
        let (first, body) = mqtt.read().await?;
        anyhow::ensure!(first == 0x20, "{first:#x} instead of CONNACK");
        match body.get(1).copied().unwrap_or(0xff) {
            0 => Ok(Welcome::Yes(mqtt)),
            code => Ok(Welcome::No(code)),
        }
    }

    /// Sends a message of QoS 1 and does not wait.
    pub async fn send(&mut self, topic: &str, payload: &[u8]) -> anyhow::Result<()> {
        let message = Message { topic, payload, counter: None, acknowledged: true };
        self.publish(&message).await.map(|_| ())
    }

    /// Sends a message and does not wait; its packet identifier.
    pub async fn publish(&mut self, message: &Message<'_>) -> anyhow::Result<u16> {
        let mut packet = Vec::with_capacity(message.payload.len() + message.topic.len() + 48);
        self.write_message(&mut packet, message)?;
        self.write_raw(&packet).await?;
        Ok(self.id)
    }

    /// Writes a message behind others.
    pub fn write_message(
        &mut self,
        packets: &mut Vec<u8>,
        message: &Message<'_>,
    ) -> anyhow::Result<()> {
        let mut body = Vec::with_capacity(message.payload.len() + message.topic.len() + 48);
        text(&mut body, message.topic)?;
        if message.acknowledged {
            self.id = self.id.checked_add(1).unwrap_or(1);
            body.extend_from_slice(&self.id.to_be_bytes());
        }
        match message.counter {
            None => body.push(0),
            Some(counter) => {
                let mut property = vec![0x26];
                text(&mut property, "tegata-counter")?;
                text(&mut property, &counter.to_string())?;
                body.push(u8::try_from(property.len())?);
                body.append(&mut property);
            }
        }
        body.extend_from_slice(message.payload);
        packets.push(if message.acknowledged { 0x32 } else { 0x30 });
        length(packets, body.len())?;
        packets.append(&mut body);
        Ok(())
    }

    /// Asks to hear a topic, and waits for nothing.
    pub async fn subscribe(&mut self, filter: &str) -> anyhow::Result<()> {
        self.id = self.id.checked_add(1).unwrap_or(1);
        let mut body = self.id.to_be_bytes().to_vec();
        body.push(0);
        text(&mut body, filter)?;
        body.push(1);
        self.write(0x82, &body).await
    }

    /// Says that a message of the server has come.
    pub async fn heard(&mut self, id: u16) -> anyhow::Result<()> {
        self.write(0x40, &id.to_be_bytes()).await
    }

    /// Says that it is still there.
    pub async fn ping(&mut self) -> anyhow::Result<()> {
        self.write(0xc0, &[]).await
    }

    /// Takes its leave.
    pub async fn disconnect(&mut self) -> anyhow::Result<()> {
        self.write(0xe0, &[]).await?;
        Ok(self.stream.shutdown().await?)
    }

    /// Writes bytes as they are.
    pub async fn write_raw(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }

    /// Waits until there is something to read; may be given up at any time.
    pub async fn readable(&mut self) -> anyhow::Result<()> {
        anyhow::ensure!(!self.stream.fill_buf().await?.is_empty(), "the connection ended");
        Ok(())
    }

    /// Waits for the next acknowledgement; anything else is an error.
    pub async fn acknowledged(&mut self) -> anyhow::Result<Said> {
        match self.next().await? {
            Packet::Acknowledged { said, .. } => Ok(said),
            other => anyhow::bail!("{other:?} instead of PUBACK"),
        }
    }

    /// Waits for the next packet.
    pub async fn next(&mut self) -> anyhow::Result<Packet> {
        let (first, body) = self.read().await?;
        let number = |at: usize| {
            let bytes = body.get(at..at.checked_add(2)?)?;
            Some(u16::from_be_bytes(bytes.try_into().ok()?))
        };
        match first & 0xf0 {
            0x30 => message(first, &body).context("a message that cannot be read"),
            0x40 => {
                let said = match body.get(2).copied().unwrap_or(0) {
                    0 | 0x10 => Said::Acknowledged,
                    code => Said::Refused(code),
                };
                Ok(Packet::Acknowledged { id: number(0).context("a PUBACK of nothing")?, said })
            }
            0xe0 => Ok(Packet::Disconnect(body.first().copied().unwrap_or(0))),
            _ => Ok(Packet::Other(first)),
        }
    }

    /// Waits until the connection ends.
    pub async fn ended(&mut self) {
        while self.read().await.is_ok() {}
    }

    async fn write(&mut self, first: u8, body: &[u8]) -> anyhow::Result<()> {
        let mut packet = vec![first];
        length(&mut packet, body.len())?;
        packet.extend_from_slice(body);
        self.write_raw(&packet).await
    }

    async fn read(&mut self) -> anyhow::Result<(u8, Vec<u8>)> {
        let first = self.stream.read_u8().await?;
        let (mut length, mut shift) = (0_usize, 0_u32);
        loop {
            let byte = self.stream.read_u8().await?;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
            anyhow::ensure!(shift < 28, "a length that is none");
        }
        anyhow::ensure!(length <= PACKET_MAX, "a long packet");
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok((first, body))
    }
}

fn text(out: &mut Vec<u8>, text: &str) -> anyhow::Result<()> {
    out.extend_from_slice(&u16::try_from(text.len())?.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// A length of the protocol (section 1.5.5): seven bits a byte, the low ones first.
fn length(out: &mut Vec<u8>, mut length: usize) -> anyhow::Result<()> {
    anyhow::ensure!(length < 1 << 28, "a packet that is too long");
    loop {
        let byte = u8::try_from(length & 0x7f)?;
        length >>= 7;
        out.push(if length > 0 { byte | 0x80 } else { byte });
        if length == 0 {
            return Ok(());
        }
    }
}

/// Reads PUBLISH of QoS 0 or 1.
fn message(first: u8, body: &[u8]) -> Option<Packet> {
    let (length, rest) = body.split_first_chunk::<2>()?;
    let (topic, mut rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    let mut id = None;
    if first & 0x06 != 0 {
        let (number, after) = rest.split_first_chunk::<2>()?;
        id = Some(u16::from_be_bytes(*number));
        rest = after;
    }
    let (mut properties, mut shift) = (0_usize, 0_u32);
    loop {
        let (byte, after) = rest.split_first()?;
        properties |= usize::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        rest = after;
        if byte & 0x80 == 0 {
            break;
        }
        if shift >= 28 {
            return None;
        }
    }
    let payload = rest.get(properties..)?.to_vec();
    Some(Packet::Message { topic: std::str::from_utf8(topic).ok()?.to_owned(), payload, id })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[tokio::test]
    async fn packets_of_all_lengths_come_through() {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        let mut mqtt = Mqtt { stream: BufReader::new(ours), id: 0 };
        for size in [0, 1, 100, 127, 128, 16_383, 16_384, 70_000] {
            let payload = vec![b'x'; size];
            let message = Message {
                topic: "me/up/t",
                payload: &payload,
                counter: Some(7),
                acknowledged: true,
            };
            mqtt.publish(&message).await.unwrap();
            let mut back = Mqtt { stream: BufReader::new(&mut theirs), id: 0 };
            let Packet::Message { topic, payload, id } = back.next().await.unwrap() else {
                panic!("no message");
            };
            assert_eq!((topic.as_str(), payload.len()), ("me/up/t", size));
            back.heard(id.unwrap()).await.unwrap();
            drop(back);
            assert_eq!(mqtt.acknowledged().await.unwrap(), Said::Acknowledged);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_none(first in 0x30..0x40_u8, body in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = message(first, &body);
        }
    }
}
