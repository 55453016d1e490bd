//! Messages of devices: parts of `tegata device`.

use crate::{cli::Language, output::Output, remote::Remote};
use admission::Refusal;
use api::wire::{DeviceMessage, RefusedMessages};
use device::DeviceId;

/// Longest part of a message in a table, in characters.
const SHOWN: usize = 60;

/// Runs `tegata device messages`.
pub async fn list(remote: &Remote, device: DeviceId, output: Output) -> anyhow::Result<()> {
    let all: Vec<DeviceMessage> =
        remote.all(&format!("/v1/devices/{device}/messages?limit=1000")).await?;
    let head =
        ["message", "received", "door", "topic", "payload", "signed by", "carried by", "encrypted"];
    output.list(&all, &head, |message| {
        vec![
            message.id.to_string(),
            message.received.to_string(),
            message.door.clone(),
            message.topic.clone(),
            shown(&message.payload.0),
            message.signed_by.as_deref().and_then(|it| it.get(..16)).unwrap_or_default().to_owned(),
            message.carrier.as_ref().map(|it| it.0.to_string()).unwrap_or_default(),
            if message.encrypted { "yes" } else { "" }.to_owned(),
        ]
    })
}

/// Text as text, as far as a table has room; how many bytes otherwise.
fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => text.chars().take(SHOWN).collect(),
        _ => format!("{} bytes", bytes.len()),
    }
}

/// Runs `tegata device refused-messages`.
pub async fn refused(
    remote: &Remote,
    device: DeviceId,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let all: Vec<RefusedMessages> =
        remote.get(&format!("/v1/devices/{device}/messages/refused")).await?;
    output.list(
        &all,
        &["reason", "door", "count", "last", "topic", "where", "what to do"],
        |line| {
            let text = match (Refusal::from_code(&line.reason), language) {
                (Some(reason), Language::Ja) => reason.japanese().to_owned(),
                (Some(reason), _) => reason.english().to_owned(),
                (None, _) => line.text.clone(),
            };
            vec![
                line.reason.clone(),
                line.door.clone(),
                line.count.to_string(),
                line.last.to_string(),
                line.topic.clone(),
                line.detail.clone().or_else(|| line.policies.clone()).unwrap_or_default(),
                text,
            ]
        },
    )
}
