//! What devices usually do (docs/behaviour.md).

use crate::{
    cli::{
        Language,
        alert::WhoseArgs,
        behaviour::{AspectArg, LineArgs, ProfileCommand},
    },
    output::Output,
    remote::Remote,
};
use api::{
    client::{Call, percent_encode},
    wire::{
        BehaviourAspect, BehaviourChange, BehaviourDevice, BehaviourPhase, BehaviourProfile,
        BehaviourSettings, BehaviourValue,
    },
};
use http::Method;
use serde::{Serialize, de::DeserializeOwned};

/// Runs `tegata profile …`.
pub async fn run(
    command: ProfileCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    use BehaviourPhase::{Frozen, Learning, Off, Watching};
    match command {
        ProfileCommand::List { whose } => {
            let remote = Remote::open(&whose.server, language)?;
            let all: Vec<BehaviourProfile> = remote.all(&of(&whose)).await?;
            let head = ["profile", "phase", "since", "until", "devices", "an hour", "bytes"];
            output.list(&all, &head, |one| {
                let bound = |aspect| {
                    let found = one.ordinary.iter().find(|it| it.aspect == aspect);
                    found.and_then(|it| it.bound).map(|it| it.to_string()).unwrap_or_default()
                };
                vec![
                    one.line.clone(),
                    name(&one.phase),
                    one.since.to_string(),
                    one.until.as_ref().map(ToString::to_string).unwrap_or_default(),
                    one.devices.to_string(),
                    bound(BehaviourAspect::Rate),
                    bound(BehaviourAspect::Size),
                ]
            })
        }
        ProfileCommand::Show { which } => {
            let remote = Remote::open(&which.whose.server, language)?;
            let found: BehaviourProfile = remote.get(&path(&which)).await?;
            output.one(&found, profile)
        }
        ProfileCommand::Devices { which } => {
            let remote = Remote::open(&which.whose.server, language)?;
            let all: Vec<BehaviourDevice> =
                remote.all(&format!("{}/devices", path(&which))).await?;
            let head = ["device", "last", "this hour", "an hour", "bytes", "hourly", "deviations"];
            output.list(&all, &head, |one| {
                let number = |of: Option<u32>| of.map(|it| it.to_string()).unwrap_or_default();
                vec![
                    one.device.to_string(),
                    one.last_seen.to_string(),
                    one.recent.last().map(ToString::to_string).unwrap_or_default(),
                    number(one.rate),
                    number(one.size),
                    one.hourly.to_string(),
                    one.deviations.len().to_string(),
                ]
            })
        }
        ProfileCommand::Learn { which, days, seconds } => {
            let seconds = seconds.or(days.map(|days| days.saturating_mul(86_400)));
            change(&which, (Learning, seconds), output, language).await
        }
        ProfileCommand::Watch { which } => change(&which, (Watching, None), output, language).await,
        ProfileCommand::Freeze { which } => change(&which, (Frozen, None), output, language).await,
        ProfileCommand::Off { which } => change(&which, (Off, None), output, language).await,
        ProfileCommand::Set {
            which,
            learn_seconds,
            factor_percent,
            devices,
            bits_v4,
            bits_v6,
            without,
            all,
        } => {
            let remote = Remote::open(&which.whose.server, language)?;
            let found: BehaviourProfile = remote.get(&path(&which)).await?;
            let before = found.settings;
            let off = match (all, without.is_empty()) {
                (true, _) => Vec::new(),
                (false, true) => before.off,
                (false, false) => without.into_iter().map(aspect).collect(),
            };
            let wanted = BehaviourSettings {
                learn_s: learn_seconds.unwrap_or(before.learn_s),
                factor_percent: factor_percent.unwrap_or(before.factor_percent),
                devices_min: devices.unwrap_or(before.devices_min),
                place_bits_v4: bits_v4.unwrap_or(before.place_bits_v4),
                place_bits_v6: bits_v6.unwrap_or(before.place_bits_v6),
                off,
            };
            let path = format!("{}/settings", path(&which));
            let found: BehaviourProfile = put(&remote, path, &wanted).await?;
            output.one(&found, profile)
        }
        ProfileCommand::Accept { what } => {
            let remote = Remote::open(&what.line.whose.server, language)?;
            let path = format!("{}/accepted", path(&what.line));
            let wanted = BehaviourValue { aspect: aspect(what.aspect), value: what.value };
            let found: BehaviourProfile = put(&remote, path, &wanted).await?;
            output.one(&found, profile)
        }
        ProfileCommand::TakeBack { what } => {
            let remote = Remote::open(&what.line.whose.server, language)?;
            let path = format!("{}/take-back", path(&what.line));
            let wanted = BehaviourValue { aspect: aspect(what.aspect), value: what.value };
            let found: BehaviourProfile = remote.post(&path, &wanted).await?;
            output.one(&found, profile)
        }
        ProfileCommand::Device { server, device } => {
            let remote = Remote::open(&server, language)?;
            let found: BehaviourDevice =
                remote.get(&format!("/v1/devices/{device}/behaviour")).await?;
            output.one(&found, one)
        }
        ProfileCommand::AcceptDevice { what } => {
            let remote = Remote::open(&what.server, language)?;
            let path = format!("/v1/devices/{}/behaviour/accepted", what.device);
            let wanted = BehaviourValue { aspect: aspect(what.aspect), value: what.value };
            let found: BehaviourDevice = put(&remote, path, &wanted).await?;
            output.one(&found, one)
        }
        ProfileCommand::TakeBackDevice { what } => {
            let remote = Remote::open(&what.server, language)?;
            let path = format!("/v1/devices/{}/behaviour/take-back", what.device);
            let wanted = BehaviourValue { aspect: aspect(what.aspect), value: what.value };
            let found: BehaviourDevice = remote.post(&path, &wanted).await?;
            output.one(&found, one)
        }
        ProfileCommand::Relearn { server, device } => {
            let remote = Remote::open(&server, language)?;
            let path = format!("/v1/devices/{device}/behaviour/relearn");
            let found: BehaviourDevice = remote.post_empty(&path).await?;
            output.one(&found, one)
        }
    }
}

async fn put<T: DeserializeOwned>(
    remote: &Remote,
    path: String,
    wanted: &impl Serialize,
) -> anyhow::Result<T> {
    let call = Call::new(Method::PUT, path).json(wanted)?;
    Ok(remote.client().call(call).await?.json()?)
}

async fn change(
    which: &LineArgs,
    (phase, seconds): (BehaviourPhase, Option<u32>),
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let remote = Remote::open(&which.whose.server, language)?;
    let path = format!("{}/phase", path(which));
    let found: BehaviourProfile = put(&remote, path, &BehaviourChange { phase, seconds }).await?;
    output.one(&found, profile)
}

fn of(whose: &WhoseArgs) -> String {
    format!("/v1/organisations/{}/behaviour", whose.organisation)
}

fn path(which: &LineArgs) -> String {
    let (maker, product) = which.line.split_once('/').unwrap_or((&which.line, "-"));
    format!("{}/{}/{}", of(&which.whose), percent_encode(maker), percent_encode(product))
}

fn aspect(aspect: AspectArg) -> BehaviourAspect {
    match aspect {
        AspectArg::Rate => BehaviourAspect::Rate,
        AspectArg::Size => BehaviourAspect::Size,
        AspectArg::Hour => BehaviourAspect::Hour,
        AspectArg::Place => BehaviourAspect::Place,
        AspectArg::Door => BehaviourAspect::Door,
        AspectArg::Topic => BehaviourAspect::Topic,
        AspectArg::Firmware => BehaviourAspect::Firmware,
        AspectArg::Silence => BehaviourAspect::Silence,
    }
}

/// A value as JSON names it.
fn name(of: &impl Serialize) -> String {
    let value = serde_json::to_value(of).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn profile(found: &BehaviourProfile) -> String {
    let mut out = format!(
        "{}: {} since {}, learned of {} devices from {}",
        found.line,
        name(&found.phase),
        found.since,
        found.devices,
        found.learned_from,
    );
    if let Some(until) = &found.until {
        out.push_str(&format!("\nit learns until {until}; nothing deviates before"));
    }
    for ordinary in &found.ordinary {
        let values = match (&ordinary.bound, ordinary.values.is_empty()) {
            (Some(bound), _) => format!("{bound} at most"),
            (None, true) => "nothing is ordinary for all".to_owned(),
            (None, false) => ordinary.values.join(", "),
        };
        let off = found.settings.off.contains(&ordinary.aspect);
        let off = if off { " (not watched)" } else { "" };
        out.push_str(&format!("\n{:<9} {values}{off}", name(&ordinary.aspect)));
    }
    let few: Vec<_> =
        found.shown.iter().filter(|it| it.devices < found.settings.devices_min).collect();
    if !few.is_empty() {
        let least = found.settings.devices_min;
        out.push_str(&format!(
            "\nshown by fewer than {least} devices, so ordinary for those alone:"
        ));
        for it in few.iter().take(20) {
            let aspect = name(&it.aspect);
            out.push_str(&format!("\n  {aspect:<9} {} ({} devices)", it.value, it.devices));
        }
    }
    for it in &found.accepted {
        let aspect = name(&it.aspect);
        out.push_str(&format!("\naccepted: {aspect} {} by {} at {}", it.value, it.by, it.at));
    }
    out
}

fn one(found: &BehaviourDevice) -> String {
    let number = |of: Option<u32>| of.map_or("unknown".to_owned(), |it| it.to_string());
    let mut out = format!(
        "device {} of {} ({}), seen {} to {}\nordinary: {} messages an hour, {} bytes a message{}",
        found.device,
        found.line,
        name(&found.phase),
        found.first_seen,
        found.last_seen,
        number(found.rate),
        number(found.size),
        if found.hourly { ", something each hour" } else { "" },
    );
    for it in &found.shown {
        out.push_str(&format!("\n{:<9} {} (since {})", name(&it.aspect), it.value, it.first));
    }
    for it in &found.accepted {
        let aspect = name(&it.aspect);
        out.push_str(&format!("\naccepted: {aspect} {} by {} at {}", it.value, it.by, it.at));
    }
    if !found.deviations.is_empty() {
        out.push_str("\nleft what is ordinary:");
    }
    for it in &found.deviations {
        let aspect = name(&it.aspect);
        let hours = it.count;
        out.push_str(&format!("\n  {} {aspect}: {} ({hours} times)", it.last, it.explanation));
    }
    out
}
