//! Usage descriptions that the platform keeps, and what leaves them (docs/mud.md).

use crate::{
    cli::{
        Language, ServerArgs,
        mud::{MudKeptCommand, MudSuggestArgs},
    },
    output::Output,
    remote::Remote,
};
use anyhow::{Context as _, bail};
use api::{
    Rest,
    wire::{
        FlowsJudged, MudFile, MudSuggestionQuery, MudVersion, NewFlow, NewFlows, NewMud, NewMudUrl,
        OutsideMud, OutsideMudOfDevice,
        scalar::{Base64, DeviceRef},
    },
};
use behaviour::mud::{Direction, FLOWS_BYTES_MAX, FLOWS_MAX, Flow, MUD_BYTES_MAX, Mud, flows};
use pki::signed_data::SIGNATURE_BYTES_MAX;
use std::{fs::File, io::Read as _, path::Path, process::ExitCode};

/// Longest file of certificates, in bytes.
const ANCHORS_BYTES_MAX: usize = 64 * 1024;

/// Runs what of `tegata mud …` asks the server.
pub async fn run(
    command: MudKeptCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<ExitCode> {
    match command {
        MudKeptCommand::Put { server, line, file, signature, anchors, reason } => {
            let bytes = read(&file, MUD_BYTES_MAX)?;
            // What is wrong with it is said without a server.
            Mud::parse(&bytes).with_context(|| format!("{}", file.display()))?;
            let signature = match signature {
                Some(path) => Some(Base64(read(&path, SIGNATURE_BYTES_MAX)?)),
                None => None,
            };
            let mut certificates = String::new();
            for path in &anchors {
                let text = String::from_utf8(read(path, ANCHORS_BYTES_MAX)?);
                certificates
                    .push_str(&text.with_context(|| format!("{} is not PEM", path.display()))?);
                certificates.push('\n');
            }
            let anchors = Some(certificates).filter(|_| signature.is_some());
            let new = NewMud { file: Base64(bytes), signature, anchors, reason };
            let (rest, of) = (rest(&server, language)?, (&line.maker, &line.product));
            let made = rest.put_mud(of, &new).await?;
            output.one(&made, |made| {
                let signed = match &made.signer {
                    Some(signer) => format!(", signed by {signer}"),
                    None => String::new(),
                };
                format!(
                    "version {} is in force{signed}; where it is read: tegata mud kept {}/{}",
                    made.version, line.maker, line.product
                )
            })?;
        }
        MudKeptCommand::Kept { server, line, version, out, signature_out } => {
            let of = (&line.maker, &line.product);
            let found = rest(&server, language)?.mud(of, version).await?;
            if let Some(path) = out {
                std::fs::write(&path, &found.file.0)
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
            if let Some(path) = signature_out {
                let Some(signature) = &found.signature else {
                    bail!("no signature is kept with version {}", found.version.version);
                };
                std::fs::write(&path, &signature.0)
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
            output.one(&found, described)?;
        }
        MudKeptCommand::History { server, line } => {
            let (maker, product) = (&line.maker, &line.product);
            let path =
                format!("/v1/organisations/{maker}/products/{product}/mud/versions?limit=1000");
            let all: Vec<MudVersion> = Remote::open(&server, language)?.all(&path).await?;
            let head = ["version", "at", "by", "digest", "signer", "signed until", "why"];
            output.list(&all, &head, |it| {
                vec![
                    it.version.to_string(),
                    it.at.to_string(),
                    it.by.clone(),
                    it.digest.map_or_else(|| "withdrawn".to_owned(), |it| it.to_string()),
                    it.signer.clone().unwrap_or_default(),
                    it.signer_until.map(|it| it.to_string()).unwrap_or_default(),
                    it.reason.clone(),
                ]
            })?;
        }
        MudKeptCommand::Withdraw { server, line, reason } => {
            let of = (&line.maker, &line.product);
            let made = rest(&server, language)?.withdraw_mud(of, &reason).await?;
            output.one(&made, |_| "nothing is kept in force any more; versions stay".to_owned())?;
        }
        MudKeptCommand::Url { server, line, off: true, .. } => {
            rest(&server, language)?.end_mud_url((&line.maker, &line.product)).await?;
            output.line("IDevIDs that are issued from now on say nothing of a description")?;
        }
        MudKeptCommand::Url { server, line, set, signer, .. } => {
            let (rest, of) = (rest(&server, language)?, (&line.maker, &line.product));
            let found = match set {
                None => rest.mud_url(of).await?,
                Some(url) => {
                    let signer = signer.map(|path| {
                        let text = String::from_utf8(read(&path, ANCHORS_BYTES_MAX)?);
                        text.with_context(|| format!("{} is not PEM", path.display()))
                    });
                    rest.set_mud_url(of, &NewMudUrl { url, signer: signer.transpose()? }).await?
                }
            };
            output.one(&found, |found| {
                let signer = match &found.signer {
                    Some(signer) => format!(", signed by {signer}"),
                    None => String::new(),
                };
                format!("{}{signer}; set at {} by {}", found.url, found.at, found.by)
            })?;
        }
        MudKeptCommand::Observe { server, flows: path, organisation } => {
            let all = flows(&read(&path, FLOWS_BYTES_MAX)?)
                .with_context(|| format!("{}", path.display()))?;
            let rest = rest(&server, language)?;
            let mut sum = FlowsJudged::default();
            for part in all.chunks(FLOWS_MAX) {
                let part = NewFlows { flows: part.iter().map(wire).collect() };
                let judged = rest.report_flows(&organisation, &part).await?;
                sum.allowed = sum.allowed.saturating_add(judged.allowed);
                sum.unknown = sum.unknown.saturating_add(judged.unknown);
                sum.without = sum.without.saturating_add(judged.without);
                sum.outside.extend(judged.outside);
            }
            let outside = !sum.outside.is_empty();
            output.one(&sum, judged)?;
            return Ok(if outside { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
        MudKeptCommand::Outside { server, device: Some(device), .. } => {
            let all = rest(&server, language)?.outside_mud(&device).await?;
            output.list(&all, &OUTSIDE_HEAD, outside)?;
        }
        MudKeptCommand::Outside { organisation: None, .. } => bail!("name a device"),
        MudKeptCommand::Outside { server, organisation: Some(of), line, days, .. } => {
            let line = line.map(|it| format!("{}/{}", it.maker, it.product));
            if let Some(days) = days {
                let rest = rest(&server, language)?;
                let all = rest.outside_mud_days(&of, line.as_deref(), days).await?;
                output.list(&all, &["day", "by devices", "by the organisation"], |it| {
                    vec![it.day.to_string(), it.by_devices.to_string(), it.by_owner.to_string()]
                })?;
                return Ok(ExitCode::SUCCESS);
            }
            let line = line.map(|it| format!("&line={it}")).unwrap_or_default();
            let path = format!("/v1/organisations/{of}/outside-mud?limit=1000{line}");
            let all: Vec<OutsideMudOfDevice> = Remote::open(&server, language)?.all(&path).await?;
            let head: Vec<&str> =
                ["device", "serial number", "line"].into_iter().chain(OUTSIDE_HEAD).collect();
            output.list(&all, &head, |it| {
                let (device, line) = (it.device.to_string(), it.line.clone().unwrap_or_default());
                let mut row = vec![device, it.serial_number.clone(), line];
                row.extend(outside(&it.outside));
                row
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what is suggested by what devices were seen to do; beside it, on the other stream, what that was.
pub async fn suggest(
    args: MudSuggestArgs,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let Some(line) = args.line else { bail!("name a product line") };
    let organisation = args.organisation.unwrap_or_else(|| line.maker.clone());
    let how = MudSuggestionQuery {
        line: format!("{}/{}", line.maker, line.product),
        devices: args.devices,
        days: args.days,
        url: args.url,
    };
    let found = rest(&args.server, language)?.suggest_mud(&organisation, &how).await?;
    let text = String::from_utf8(found.file.0.clone()).context("what the server sent")?;
    Mud::parse(text.as_bytes()).context("what the server sent")?;
    output.one(&found, |_| text.trim_end().to_owned())?;
    eprintln!(
        "{} devices were looked at; an entry has what {} of them opened on {} days each",
        found.devices, found.needed, found.days
    );
    for it in &found.seen {
        eprintln!("{}: {} ({} devices, {} days)", it.taken, it.to, it.devices, it.days);
    }
    eprintln!("hint: look at it, change it, and sign it before it is kept: tegata mud put");
    Ok(())
}

const OUTSIDE_HEAD: [&str; 8] =
    ["connection", "times", "first", "last", "told by", "not by", "now", "once by"];

fn outside(it: &OutsideMud) -> Vec<String> {
    let version = |of: Option<u64>| of.map(|it| it.to_string()).unwrap_or_default();
    vec![
        it.connection.clone(),
        it.times.to_string(),
        it.first.to_string(),
        it.last.to_string(),
        it.told_by.clone(),
        version(it.version),
        it.now.clone(),
        version(it.allowed_by),
    ]
}

fn described(found: &MudFile) -> String {
    let mut out = format!(
        "version {}, {}: {}",
        found.version.version, found.version.at, found.version.reason
    );
    match &found.served_at {
        Some(at) => out.push_str(&format!("\nread at {at}")),
        None => out.push_str("\nread by nobody: the server has no console address"),
    }
    out.push_str(&format!("\ncalls itself {}", found.mud_url));
    if let Some(signer) = &found.version.signer {
        out.push_str(&format!("\nsigned by {signer}"));
    }
    for line in &found.allows {
        out.push_str(&format!("\n- {line}"));
    }
    out.push_str("\nanything else is not allowed");
    out
}

fn judged(sum: &FlowsJudged) -> String {
    let mut out = format!(
        "{} allowed, {} of which the description alone does not tell, {} of devices without one",
        sum.allowed, sum.unknown, sum.without
    );
    for it in &sum.outside {
        out.push_str(&format!("\nnot allowed: {} {}", it.device.0, it.connection));
    }
    out
}

fn wire(flow: &Flow) -> NewFlow {
    let told = flow.connection.to_string();
    let text = told.split_once(' ').map(|(_, text)| text.to_owned());
    let (to, from) = match flow.connection.opened_by {
        Direction::FromDevice => (text, None),
        Direction::ToDevice => (None, text),
    };
    NewFlow { device: DeviceRef(flow.device), to, from, count: Some(flow.times) }
}

fn read(path: &Path, most: usize) -> anyhow::Result<Vec<u8>> {
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(bound).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() > most {
        bail!("{} is longer than {most} bytes, which is the most that is taken", path.display());
    }
    Ok(bytes)
}

fn rest(server: &ServerArgs, language: Language) -> anyhow::Result<Rest> {
    Ok(Rest::new(Remote::open(server, language)?.client().clone()))
}
