//! Tokens of devices that have no certificate, and how devices come through the hawkBit DDI door.

use crate::{
    cli::{Language, update_token::UpdateTokenCommand},
    output::Output,
    remote::Remote,
};
use api::wire::{
    IssuedUpdateToken, NewGatewayToken, NewTargetToken, UpdateDoor, UpdateToken, scalar::DeviceRef,
};

/// Runs `tegata device update-token …`.
pub async fn run(
    command: UpdateTokenCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    match command {
        UpdateTokenCommand::New { server, device, days } => {
            let remote = Remote::open(&server, language)?;
            let path = format!("/v1/devices/{device}/update-tokens");
            let issued: IssuedUpdateToken = remote.post(&path, &NewTargetToken { days }).await?;
            output.one(&issued, |issued| issued.token.clone())
        }
        UpdateTokenCommand::Gateway { server, organisation, name, devices, days } => {
            let remote = Remote::open(&server, language)?;
            let devices = devices.into_iter().map(DeviceRef).collect();
            let path = format!("/v1/organisations/{organisation}/update-tokens");
            let new = NewGatewayToken { name, devices, days };
            let issued: IssuedUpdateToken = remote.post(&path, &new).await?;
            output.one(&issued, |issued| issued.token.clone())
        }
        UpdateTokenCommand::List { server, organisation } => {
            let remote = Remote::open(&server, language)?;
            let path = format!("/v1/organisations/{organisation}/update-tokens");
            let all: Vec<UpdateToken> = remote.all(&path).await?;
            output.list(&all, &["id", "gateway", "devices", "expires"], |token| {
                vec![
                    token.id.to_string(),
                    token.name.clone(),
                    token.devices.len().to_string(),
                    token.expires.to_string(),
                ]
            })
        }
        UpdateTokenCommand::Revoke { server, id } => {
            let remote = Remote::open(&server, language)?;
            let path = format!("/v1/update-tokens/{}", api::client::percent_encode(&id));
            remote.delete(&path).await?;
            output.one(&id, |id| format!("token {id} ended"))
        }
        UpdateTokenCommand::Door { server, organisation, tokens, closed_confirms, poll_s } => {
            let remote = Remote::open(&server, language)?;
            let path = format!("/v1/organisations/{organisation}/update-door");
            let now: UpdateDoor = remote.get(&path).await?;
            let wanted = UpdateDoor {
                tokens: tokens.unwrap_or(now.tokens),
                closed_confirms: closed_confirms.unwrap_or(now.closed_confirms),
                poll_s: poll_s.unwrap_or(now.poll_s),
            };
            if tokens.is_some() || closed_confirms.is_some() || poll_s.is_some() {
                remote.put(&path, &wanted).await?;
            }
            output.one(&wanted, |door| {
                format!(
                    "tokens: {}\nclosed with success confirms a boot: {}\npolls every {} s",
                    if door.tokens { "accepted" } else { "not accepted" },
                    if door.closed_confirms { "yes" } else { "no" },
                    door.poll_s
                )
            })
        }
    }
}
