//! A device's connection while it is open: sends, hears, answers.

use super::{
    http::Http,
    net::{Doors, From, Stream, reason},
    scenario::{Door, Format},
};
use crate::{
    clock,
    coap::Coap,
    mqtt::{Message, Mqtt, Packet, Said, Welcome},
};
use anyhow::{Context as _, bail};
use api::client::percent_encode;
use serde_json::{Value, json};
use std::time::Duration;

/// How long an acknowledgement may take.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// Commands that wait to be answered.
const WAITING_MAX: usize = 64;

/// A connection.
pub enum Session {
    /// of either MQTT door
    Mqtt {
        /// the client
        client: Mqtt<Stream>,
        /// topics and payloads that were heard and wait for an answer
        heard: Vec<(String, Vec<u8>)>,
    },
    /// for HTTP
    Http(Box<Http>),
    /// for CoAP
    Coap(Box<Coap>),
}

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// the platform has it
    Acknowledged,
    /// it said no, and why as far as it tells a device
    Refused(String),
}

/// What a device says.
#[derive(Debug, Clone, Copy)]
pub struct Saying<'a> {
    /// where
    pub topic: &'a str,
    /// what
    pub payload: &'a [u8],
    /// its form
    pub format: Format,
    /// its counter
    pub counter: Option<u64>,
}

impl Session {
    /// Opens one. A refusal is an error, as it is for a device.
    pub async fn open(
        doors: &Doors,
        door: Door,
        credential: &super::net::Credential,
        client: &str,
        from: From,
    ) -> anyhow::Result<Self> {
        Ok(Self::open_timed(doors, door, credential, client, from).await?.0)
    }

    /// The same, and how long it took once it was its turn.
    pub async fn open_timed(
        doors: &Doors,
        door: Door,
        credential: &super::net::Credential,
        client: &str,
        from: From,
    ) -> anyhow::Result<(Self, Duration)> {
        let _turn = doors.turn().await?;
        let asked = clock::instant();
        let session = match door {
            Door::Http => Self::Http(Box::new(doors.http_now(credential, from).await?)),
            Door::Coap | Door::CoapRawKey => {
                let by_key = door == Door::CoapRawKey;
                Self::Coap(Box::new(doors.coap_now(credential, by_key, from).await?))
            }
            door => match doors.mqtt_now(door, credential, client, from).await? {
                Welcome::Yes(client) => Self::Mqtt { client, heard: Vec::new() },
                Welcome::No(code) => bail!("CONNACK {code:#04x}"),
            },
        };
        Ok((session, asked.elapsed()))
    }

    /// Listens for commands and settings.
    pub async fn listen(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Mqtt { client, .. } => client.subscribe("me/down/#").await,
            Self::Http(_) | Self::Coap(_) => Ok(()),
        }
    }

    /// Sends a message and waits for its answer.
    pub async fn send(&mut self, saying: &Saying<'_>) -> anyhow::Result<Sent> {
        let said = async {
            match self {
                Self::Mqtt { client, heard } => by_mqtt(client, heard, saying).await,
                Self::Http(http) => by_http(http, saying).await,
                Self::Coap(coap) => by_coap(coap, saying).await,
            }
        };
        tokio::time::timeout(ANSWER_MAX, said).await.context("no answer in time")?
    }

    /// Waits until the server says something; may be given up at any time.
    pub async fn readable(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Mqtt { client, .. } => client.readable().await,
            Self::Http(_) => std::future::pending().await,
            Self::Coap(coap) => coap.ended().await,
        }
    }

    /// Takes what the server said.
    pub async fn take(&mut self) -> anyhow::Result<()> {
        let Self::Mqtt { client, heard } = self else { return Ok(()) };
        let packet =
            tokio::time::timeout(ANSWER_MAX, client.next()).await.context("half a packet")??;
        take(client, heard, packet).await
    }

    /// Hears what the server has to say until it is quiet for so long.
    pub async fn hear(&mut self, quiet: Duration) -> anyhow::Result<()> {
        while let Ok(ready) = tokio::time::timeout(quiet, self.readable()).await {
            ready?;
            self.take().await?;
        }
        Ok(())
    }

    /// Answers what was heard; how many answers there were.
    pub async fn answer(&mut self) -> anyhow::Result<u64> {
        let mut answered = 0;
        loop {
            let Self::Mqtt { heard, .. } = self else { return Ok(answered) };
            let Some((topic, payload)) = heard.pop() else { return Ok(answered) };
            let Some((topic, payload)) = answer_to(&topic, &payload) else { continue };
            let saying =
                Saying { topic: &topic, payload: &payload, format: Format::Json, counter: None };
            self.send(&saying).await?;
            answered += 1;
        }
    }

    /// Says that it is still there.
    pub async fn ping(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Mqtt { client, .. } => client.ping().await,
            Self::Http(_) | Self::Coap(_) => Ok(()),
        }
    }

    /// Takes its leave.
    pub async fn close(self) {
        match self {
            Self::Mqtt { mut client, .. } => drop(client.disconnect().await),
            Self::Coap(coap) => coap.close().await,
            Self::Http(_) => {}
        }
    }
}

async fn by_mqtt(
    client: &mut Mqtt<Stream>,
    heard: &mut Vec<(String, Vec<u8>)>,
    saying: &Saying<'_>,
) -> anyhow::Result<Sent> {
    let message = Message {
        topic: saying.topic,
        payload: saying.payload,
        counter: saying.counter,
        acknowledged: true,
    };
    let ours = client.publish(&message).await?;
    loop {
        match client.next().await? {
            Packet::Acknowledged { id, said } if id == ours => {
                return Ok(match said {
                    Said::Acknowledged => Sent::Acknowledged,
                    Said::Refused(code) => Sent::Refused(format!("PUBACK {code:#04x}")),
                });
            }
            other => take(client, heard, other).await?,
        }
    }
}

async fn take(
    client: &mut Mqtt<Stream>,
    heard: &mut Vec<(String, Vec<u8>)>,
    packet: Packet,
) -> anyhow::Result<()> {
    match packet {
        Packet::Message { topic, payload, id } => {
            if let Some(id) = id {
                client.heard(id).await?;
            }
            if heard.len() < WAITING_MAX {
                heard.push((topic, payload));
            }
            Ok(())
        }
        Packet::Disconnect(code) => bail!("DISCONNECT {code:#04x}"),
        Packet::Acknowledged { .. } | Packet::Other(_) => Ok(()),
    }
}

async fn by_http(http: &mut Http, saying: &Saying<'_>) -> anyhow::Result<Sent> {
    let mut path = format!("/v1/messages?topic={}", percent_encode(saying.topic));
    if let Some(counter) = saying.counter {
        path.push_str(&format!("&counter={counter}"));
    }
    let media = match saying.format {
        Format::Json => "application/json",
        Format::Cbor => "application/cbor",
    };
    Ok(match http.post(&path, media, saying.payload).await? {
        200..=299 => Sent::Acknowledged,
        status => Sent::Refused(format!("HTTP {status}")),
    })
}

async fn by_coap(coap: &mut Coap, saying: &Saying<'_>) -> anyhow::Result<Sent> {
    let counter: Vec<String> =
        saying.counter.map(|counter| format!("counter={counter}")).into_iter().collect();
    let format = match saying.format {
        Format::Json => 50,
        Format::Cbor => 60,
    };
    let code = coap.post(saying.topic, &counter, format, saying.payload).await?;
    Ok(match code.as_str() {
        "2.04" => Sent::Acknowledged,
        code => Sent::Refused(format!("CoAP {code}")),
    })
}

/// What a device says to a command or to settings (docs/command.md).
fn answer_to(topic: &str, payload: &[u8]) -> Option<(String, Vec<u8>)> {
    let said: Value = serde_json::from_slice(payload).ok()?;
    if let Some((_, id)) = topic.split_once("/down/commands/") {
        let refused = matches!(said.get("name")?.as_str()?, "factory-reset" | "erase-keys");
        let (state, detail) = match refused {
            true => ("rejected", "a simulated device has nothing to erase"),
            false => ("done", "simulated"),
        };
        let answer = json!({"state": state, "detail": detail});
        return Some((format!("me/up/commands/{id}"), answer.to_string().into_bytes()));
    }
    if topic.ends_with("/down/configuration") {
        let answer = json!({"version": said.get("version")?, "settings": said.get("settings")?});
        return Some(("me/up/configuration".to_owned(), answer.to_string().into_bytes()));
    }
    None
}

/// The reason for counting, where a session or its beginning failed.
pub fn why(error: &anyhow::Error) -> String {
    reason(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_settings_have_their_answers() {
        let (topic, answer) =
            answer_to("me/down/commands/0a", br#"{"id":"0a","name":"blink"}"#).unwrap();
        assert_eq!(topic, "me/up/commands/0a");
        assert_eq!(serde_json::from_slice::<Value>(&answer).unwrap()["state"], "done");
        let (_, answer) =
            answer_to("d/00/down/commands/0a", br#"{"id":"0a","name":"erase-keys"}"#).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&answer).unwrap()["state"], "rejected");
        let settings = br#"{"version":3,"settings":{"a":1}}"#;
        let (topic, answer) = answer_to("me/down/configuration", settings).unwrap();
        assert_eq!(topic, "me/up/configuration");
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer, serde_json::from_slice::<Value>(settings).unwrap());
        assert_eq!(answer_to("me/down/other", b"{}"), None);
        assert_eq!(answer_to("me/down/commands/0a", b"no"), None);
    }
}
