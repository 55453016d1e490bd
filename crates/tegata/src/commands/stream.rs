//! Security events to receivers outside (docs/stream.md).

use crate::{
    cli::{Language, ServerArgs, StreamCommand},
    output::Output,
    remote::Remote,
};
use anyhow::Context as _;
use api::{
    client::percent_encode,
    wire::{
        AuditStream, AuditStreamPause, DeliveredEvent, NewAuditStream, scalar::OrganisationRef,
    },
};
use audit::stream::{Expected, Received, Reconciliation};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

/// Runs `tegata audit stream …`.
pub async fn run(command: StreamCommand, output: Output, language: Language) -> anyhow::Result<()> {
    let of = |name: &str| format!("/v1/audit/streams/{}", percent_encode(name));
    match command {
        StreamCommand::Begin {
            server,
            name,
            to,
            organisation,
            receiver_ca,
            authorization,
            from_beginning,
        } => {
            let remote = Remote::open(&server, language)?;
            let new = NewAuditStream {
                name,
                organisation: organisation.map(OrganisationRef),
                target: to,
                roots: receiver_ca.as_deref().map(text).transpose()?,
                authorization: authorization
                    .as_deref()
                    .map(|path| text(path).map(|text| text.trim_end().to_owned()))
                    .transpose()?,
                from_beginning,
            };
            let begun: AuditStream = remote.post("/v1/audit/streams", &new).await?;
            output.one(&begun, describe)
        }
        StreamCommand::List { server } => {
            let remote = Remote::open(&server, language)?;
            let all: Vec<AuditStream> = remote.all("/v1/audit/streams").await?;
            output.list(&all, &["name", "receiver", "delivered", "waiting", "state"], |stream| {
                vec![
                    stream.name.clone(),
                    stream.target.clone(),
                    stream.number.to_string(),
                    stream.behind.to_string(),
                    state(stream),
                ]
            })
        }
        StreamCommand::Show { server, name } => {
            let remote = Remote::open(&server, language)?;
            let stream: AuditStream = remote.get(&of(&name)).await?;
            output.one(&stream, describe)
        }
        StreamCommand::Pause { server, name } => {
            pause(&server, &name, true, output, language).await
        }
        StreamCommand::Resume { server, name } => {
            pause(&server, &name, false, output, language).await
        }
        StreamCommand::End { server, name } => {
            let remote = Remote::open(&server, language)?;
            remote.delete(&of(&name)).await?;
            output.one(&name, |name| format!("stream {name} ended"))
        }
    }
}

/// Runs `tegata audit reconcile`.
pub async fn reconcile(
    server: &ServerArgs,
    stream: &str,
    files: &[PathBuf],
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let remote = Remote::open(server, language)?;
    // What was delivered is asked for first: what comes while files are read is not missing in them.
    let path = format!("/v1/audit/streams/{}/delivered?limit=1000", percent_encode(stream));
    let delivered: Vec<DeliveredEvent> = remote.all(&path).await?;
    let mut received = Received::new(stream);
    for file in files {
        let told = || format!("cannot read {}", file.display());
        if file.as_os_str() == "-" {
            read(std::io::stdin().lock(), &mut received).with_context(told)?;
        } else {
            let opened = std::fs::File::open(file).with_context(told)?;
            read(BufReader::new(opened), &mut received).with_context(told)?;
        }
    }
    let last = delivered.last().map_or(0, |event| event.number);
    let log = delivered
        .into_iter()
        .map(|event| Expected { number: event.number, digest: event.digest.0 });
    let mut found = received.reconcile(log);
    // What came after the question is the receiver's to have.
    found.foreign.retain(|number| *number <= last);
    let report: serde_json::Map<_, _> = (&found).into();
    output.one(&report, |_| words(&found))?;
    anyhow::ensure!(
        found.is_whole(),
        "the receiver does not have what it was sent; `tegata audit list` has all of it, and a new \
         stream with --from-beginning sends it again"
    );
    Ok(())
}

async fn pause(
    server: &ServerArgs,
    name: &str,
    paused: bool,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let remote = Remote::open(server, language)?;
    let path = format!("/v1/audit/streams/{}/pause", percent_encode(name));
    remote.put(&path, &AuditStreamPause { paused }).await?;
    output.one(&name, |name| {
        format!("stream {name} {}", if paused { "stands still" } else { "goes on" })
    })
}

fn read(mut from: impl BufRead, into: &mut Received) -> std::io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = u64::try_from(audit::stream::LINE_BYTES_MAX).unwrap_or(u64::MAX);
        // A line without an end does not become one without a limit.
        let count = std::io::Read::take(&mut from, limit + 1).read_until(b'\n', &mut line)?;
        if count == 0 {
            return Ok(());
        }
        into.line(&line);
    }
}

fn text(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn state(stream: &AuditStream) -> String {
    match (&stream.failure, &stream.failing_since) {
        _ if stream.paused => "paused".into(),
        (Some(why), Some(since)) => format!("fails since {since}: {why}"),
        _ => "delivers".into(),
    }
}

fn describe(stream: &AuditStream) -> String {
    let whose = stream.organisation.as_ref().map_or("all".to_owned(), |whose| whose.0.to_string());
    format!(
        "{} to {}\nevents of: {whose}\n{} delivered, {} wait\n{}",
        stream.name,
        stream.target,
        stream.number,
        stream.behind,
        state(stream)
    )
}

fn words(found: &Reconciliation) -> String {
    let list = |numbers: &[u64]| {
        let shown: Vec<String> = numbers.iter().take(20).map(u64::to_string).collect();
        let more = if numbers.len() > 20 { ", …" } else { "" };
        format!("{}{more}", shown.join(", "))
    };
    let mut out = format!("{} events sent, {} received", found.expected, found.received);
    if found.repeated > 0 {
        out.push_str(&format!(", {} of them again", found.repeated));
    }
    let missing: u64 = found.missing.iter().map(|(from, to)| to - from + 1).sum();
    if missing > 0 {
        let ranges: Vec<String> = found
            .missing
            .iter()
            .take(20)
            .map(|(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") })
            .collect();
        let more = if found.missing.len() > 20 { ", …" } else { "" };
        out.push_str(&format!("\nmissing: {missing} ({}{more})", ranges.join(", ")));
    }
    if !found.altered.is_empty() {
        out.push_str(&format!("\naltered: {}", list(&found.altered)));
    }
    if !found.foreign.is_empty() {
        out.push_str(&format!("\nnever sent: {}", list(&found.foreign)));
    }
    if found.other_lines > 0 {
        out.push_str(&format!("\nlines of something else: {}", found.other_lines));
    }
    if found.is_whole() {
        out.push_str("\nnothing is missing, nothing was changed");
    }
    out
}
