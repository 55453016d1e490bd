//! Commands and settings of devices: parts of `tegata device`.

use crate::{output::Output, remote::Remote};
use admission::{CommandId, PARAMETERS_BYTES_MAX, SETTINGS_BYTES_MAX, canonical_object};
use anyhow::Context as _;
use api::{
    Rest,
    wire::{
        ConfigurationVersion, DeviceCommand, DeviceConfiguration, HandedInErasure,
        NewDeviceCommand, NewDeviceConfiguration, scalar::Base64,
    },
};
use device::DeviceId;
use serde_json::{Map, Value};
use std::{io::Read as _, path::Path};

/// As much as a file of settings may hold.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Runs `tegata device command`.
pub async fn give(
    remote: &Remote,
    device: DeviceId,
    (name, parameters): (String, &str),
    (reason, lifetime_s): (String, u32),
    output: Output,
) -> anyhow::Result<()> {
    let parameters = object(parameters.as_bytes(), PARAMETERS_BYTES_MAX)
        .context("--parameters: hint: quote it, as in --parameters '{\"delay_s\": 5}'")?;
    let new = NewDeviceCommand { name, parameters, reason, lifetime_s };
    let given = Rest::new(remote.client().clone()).give_command(&device, &new).await?;
    output.one(&given, |given| {
        format!("command {} waits for the device until {}", given.id, given.expires)
    })
}

/// Runs `tegata device commands`.
pub async fn list(remote: &Remote, device: DeviceId, output: Output) -> anyhow::Result<()> {
    let all: Vec<DeviceCommand> =
        remote.all(&format!("/v1/devices/{device}/commands?limit=1000")).await?;
    let head = ["command", "name", "state", "given", "by", "answered", "why", "detail"];
    output.list(&all, &head, |command| {
        vec![
            command.id.clone(),
            command.name.clone(),
            command.state.clone(),
            command.issued.to_string(),
            command.issued_by.clone(),
            command.answered.as_ref().map(ToString::to_string).unwrap_or_default(),
            command.reason.clone(),
            command.detail.clone().unwrap_or_default(),
        ]
    })
}

/// Runs `tegata device cancel-command`.
pub async fn cancel(
    remote: &Remote,
    device: DeviceId,
    command: CommandId,
    output: Output,
) -> anyhow::Result<()> {
    let rest = Rest::new(remote.client().clone());
    let taken = rest.cancel_command(&device, &command.to_string()).await?;
    output.one(&taken, |taken| match taken.sent {
        None => format!("command {} is cancelled; no door had given it to the device", taken.id),
        Some(at) => format!(
            "command {} is cancelled; the device has had it since {at}, and may do it all the same",
            taken.id
        ),
    })
}

/// Runs `tegata device hand-in-erasure`.
pub async fn hand_in(
    remote: &Remote,
    device: DeviceId,
    command: CommandId,
    file: &Path,
    output: Output,
) -> anyhow::Result<()> {
    let text = String::from_utf8(read(file)?).unwrap_or_default();
    let statement =
        text.trim().parse::<Base64>().map_err(anyhow::Error::msg).with_context(|| {
            let shown = file.display();
            format!("{shown} is no base64: hint: take it from what tegata-agent status shows")
        })?;
    let rest = Rest::new(remote.client().clone());
    let proof = HandedInErasure { statement };
    let done = rest.hand_in_erasure(&device, &command.to_string(), &proof).await?;
    output.one(&done, |done| {
        let digest = done.erasure.as_ref().map(|proof| proof.digest.to_string());
        let digest = digest.unwrap_or_default();
        format!("the proof is verified and kept, its certificates are revoked; SHA-256 {digest}")
    })
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = match file == Path::new("-") {
        true => std::io::stdin().take(FILE_BYTES_MAX).read_to_end(&mut bytes),
        false => std::fs::File::open(file)
            .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)),
    };
    read.with_context(|| format!("cannot read {}", file.display()))?;
    Ok(bytes)
}

/// Runs `tegata device configure`.
pub async fn configure(
    remote: &Remote,
    device: DeviceId,
    file: &Path,
    (reason, replaces): (String, Option<u64>),
    output: Output,
) -> anyhow::Result<()> {
    let bytes = read(file)?;
    let settings = object(&bytes, SETTINGS_BYTES_MAX)
        .with_context(|| format!("{}: settings", file.display()))?;
    let new = NewDeviceConfiguration { settings, reason, replaces };
    let set = Rest::new(remote.client().clone()).configure_device(&device, &new).await?;
    output.one(&set, |set| format!("version {} is wanted of the device", set.version))
}

/// Runs `tegata device configuration`.
pub async fn configuration(
    remote: &Remote,
    device: DeviceId,
    versions: bool,
    output: Output,
) -> anyhow::Result<()> {
    if versions {
        let path = format!("/v1/devices/{device}/configuration/versions?limit=1000");
        let all: Vec<ConfigurationVersion> = remote.all(&path).await?;
        let head = ["version", "set", "by", "why", "settings"];
        return output.list(&all, &head, |version| {
            vec![
                version.version.to_string(),
                version.set.to_string(),
                version.set_by.clone(),
                version.reason.clone(),
                version.settings.to_string(),
            ]
        });
    }
    let found = Rest::new(remote.client().clone()).configuration(&device).await?;
    output.one(&found, describe)
}

fn describe(found: &DeviceConfiguration) -> String {
    let wanted = match &found.wanted {
        None => "wanted: nothing".to_owned(),
        Some(it) => format!(
            "wanted: version {} of {} by {}, because “{}”\n  {}",
            it.version, it.set, it.set_by, it.reason, it.settings
        ),
    };
    let reported = match &found.reported {
        None => "reported: nothing".to_owned(),
        Some(it) => format!("reported: version {} at {}\n  {}", it.version, it.at, it.settings),
    };
    let settled = if found.settled {
        "the device runs with what is wanted"
    } else {
        "the device does not say that it runs with what is wanted"
    };
    format!("{wanted}\n{reported}\n{settled}")
}

/// An object of JSON, refused here where the server would refuse it: with each name once.
fn object(bytes: &[u8], bytes_max: usize) -> anyhow::Result<Map<String, Value>> {
    Ok(serde_json::from_str(&canonical_object(bytes, bytes_max)?)?)
}
