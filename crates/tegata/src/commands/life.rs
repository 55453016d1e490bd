//! A device's life as people read it: parts of `tegata device`.

use crate::{output::Output, remote::Remote};
use api::wire::{DeviceState, OwnerSince, TimelineEvent};
use device::DeviceId;

/// Runs `tegata device timeline`.
pub async fn timeline(remote: &Remote, device: DeviceId, output: Output) -> anyhow::Result<()> {
    let all: Vec<TimelineEvent> =
        remote.all(&format!("/v1/devices/{device}/timeline?limit=1000")).await?;
    let head = ["event", "at", "kind", "whose", "actor", "reason", "proof"];
    output.list(&all, &head, |event| {
        let whose = event.on_behalf_of.as_ref().unwrap_or(&event.reporter);
        let said = |text: &Option<String>| match text {
            Some(text) => text.clone(),
            None if event.erased => "erased".to_owned(),
            None => String::new(),
        };
        vec![
            event.sequence.to_string(),
            event.at.to_string(),
            event.kind.to_string(),
            whose.to_string(),
            said(&event.actor),
            said(&event.reason),
            event.proof.clone(),
        ]
    })
}

/// Runs `tegata device owners`.
pub async fn owners(remote: &Remote, device: DeviceId, output: Output) -> anyhow::Result<()> {
    let all: Vec<OwnerSince> = remote.get(&format!("/v1/devices/{device}/owners")).await?;
    output.list(&all, &["owner", "since", "event"], |one| {
        vec![
            one.owner.as_ref().map_or_else(|| "erased".to_owned(), ToString::to_string),
            one.since.to_string(),
            one.sequence.to_string(),
        ]
    })
}

/// Runs `tegata device state`.
pub async fn state(remote: &Remote, device: DeviceId, output: Output) -> anyhow::Result<()> {
    let state: DeviceState = remote.get(&format!("/v1/devices/{device}/state")).await?;
    output.one(&state, |state| {
        if state.events == 0 {
            return "its history has not begun".to_owned();
        }
        let mut text = format!("events      {}", state.events);
        let mut line = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                text.push_str(&format!("\n{name:<12}{value}"));
            }
        };
        line("phase", state.phase.as_ref().map(ToString::to_string));
        line("standing", state.standing.as_ref().map(ToString::to_string));
        line("cause", state.cause.as_ref().map(ToString::to_string));
        line("held by", state.held_by.as_ref().map(ToString::to_string));
        line("owner", state.owner.as_ref().map(ToString::to_string));
        line("holder", state.holder.as_ref().map(ToString::to_string));
        line("shipped to", state.shipped_to.as_ref().map(ToString::to_string));
        line("offered to", state.offered_to.as_ref().map(ToString::to_string));
        line("repairer", state.repairer.as_ref().map(ToString::to_string));
        line("built into", state.installed_in.as_ref().map(ToString::to_string));
        for key in &state.copied_keys {
            line("copied key", Some(key.to_string()));
        }
        for part in &state.duplicated_parts {
            line("part twice", Some(part.to_string()));
        }
        line("alarm", state.reappeared.then(|| "came back after its end".to_owned()));
        line("last event", state.last.as_ref().map(ToString::to_string));
        text
    })
}
