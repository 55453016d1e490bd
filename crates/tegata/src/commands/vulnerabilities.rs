mod draft;

use crate::{
    cli::{
        Language,
        vulnerabilities::{
            AttachArgs, CaseArgs, CaseCommand, SayArgs, VexArgs, VulnerabilityCommand,
            VulnerabilityImportArgs, VulnerabilityListArgs, VulnerableArgs,
        },
    },
    output::Output,
    remote::Remote,
};
use anyhow::Context as _;
use api::{
    client::{Call, percent_encode},
    wire::{
        AdvisoryKnowledge, CaseChange, Exposure, FixHistory, FleetVulnerability, ImportedDocument,
        ImportedDocuments, NewReportCase, NewVexStatement, ReportCase, ReportCaseDetail,
        ReportDraft, RunningVersion, Software, TakenVex, TroubledFile, VexStatement, Vulnerability,
        VulnerabilityDetail, VulnerabilityGate, VulnerableDevice,
    },
};
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Bytes and documents that are sent at once.
const BATCH: (usize, usize) = (8 * 1024 * 1024, 500);
/// Deepest folder that is looked into.
const DEPTH_MAX: usize = 8;

/// Runs `tegata vulnerability …`.
pub async fn run(
    command: VulnerabilityCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<ExitCode> {
    match command {
        VulnerabilityCommand::List(args) => list(&args, output, language).await?,
        VulnerabilityCommand::Show { server, organisation, id } => {
            let path =
                format!("/v1/organisations/{organisation}/vulnerabilities/{}", percent_encode(&id));
            let found: VulnerabilityDetail = Remote::open(&server, language)?.get(&path).await?;
            output.one(&found, show)?;
        }
        VulnerabilityCommand::Devices(args) => devices(&args, output, language).await?,
        VulnerabilityCommand::Campaign(args) => draft::run(&args, output, language).await?,
        VulnerabilityCommand::Fleet { server, organisation } => {
            let path = format!("/v1/organisations/{organisation}/fleet-vulnerabilities?limit=1000");
            let all: Vec<FleetVulnerability> = Remote::open(&server, language)?.all(&path).await?;
            output.list(&all, &["id", "score", "exploited", "devices", "summary"], |one| {
                let line = &one.vulnerability;
                vec![
                    line.name.clone(),
                    line.score.clone().unwrap_or_else(|| "?".to_owned()),
                    if line.exploited.is_some() { "yes" } else { "" }.to_owned(),
                    one.devices.to_string(),
                    line.summary.chars().take(60).collect(),
                ]
            })?;
        }
        VulnerabilityCommand::History { server, organisation, id, side } => {
            let path = format!(
                "/v1/organisations/{organisation}/vulnerabilities/{}/history?side={}",
                percent_encode(&id),
                percent_encode(&side)
            );
            let found: FixHistory = Remote::open(&server, language)?.get(&path).await?;
            output.one(&found, |found| {
                let mut text = format!("first seen {}", found.first_seen);
                if let (Some(at), Some(seconds)) = (&found.settled, found.time_to_fix_s) {
                    text.push_str(&format!(", settled {at} after {seconds} s"));
                }
                for day in &found.days {
                    text.push_str(&format!(
                        "\n{}  {} of {} devices affected",
                        day.day, day.affected, day.devices
                    ));
                }
                text
            })?;
        }
        VulnerabilityCommand::Cases { server, organisation, all } => {
            let path = format!("/v1/organisations/{organisation}/cases?limit=1000&all={all}");
            let found: Vec<ReportCase> = Remote::open(&server, language)?.all(&path).await?;
            let head = ["id", "kind", "vulnerability", "next report", "due", "state", "title"];
            output.list(&found, &head, |case| {
                let next = case.reports.iter().find(|report| report.submitted.is_none());
                let next = next.filter(|_| case.closed.is_none());
                let due = next.and_then(|next| next.due.as_ref());
                vec![
                    case.id.clone(),
                    case.kind.clone(),
                    case.vulnerability.clone().unwrap_or_default(),
                    next.map(|next| next.step.clone()).unwrap_or_default(),
                    due.map(ToString::to_string).unwrap_or_default(),
                    next.map_or("closed", |next| next.state.as_str()).to_owned(),
                    case.title.clone(),
                ]
            })?;
        }
        VulnerabilityCommand::Case(command) => case(command, output, language).await?,
        VulnerabilityCommand::Import(args) => return import(&args, output, language).await,
        VulnerabilityCommand::Status { server, organisation } => {
            let path = format!("/v1/organisations/{organisation}/advisories");
            let known: AdvisoryKnowledge = Remote::open(&server, language)?.get(&path).await?;
            output.one(&known, |known| {
                format!(
                    "{} advisories in {} documents, {} vulnerabilities known to be exploited\n{} \
                     components wait to be judged\n{} files could not be taken",
                    known.advisories,
                    known.documents,
                    known.exploited,
                    known.waiting,
                    known.troubled
                )
            })?;
        }
        VulnerabilityCommand::Troubles { server } => {
            let remote = Remote::open(&server, language)?;
            let files: Vec<TroubledFile> = remote.all("/v1/advisory-files?limit=1000").await?;
            output.list(&files, &["file", "why", "read"], |file| {
                vec![file.path.clone(), file.trouble.clone(), file.read_at.to_string()]
            })?;
        }
        VulnerabilityCommand::Attach(args) => attach(&args, output, language).await?,
        VulnerabilityCommand::Software { server, organisation, product } => {
            let path =
                format!("/v1/organisations/{organisation}/products/{product}/software?limit=1000");
            let all: Vec<Software> = Remote::open(&server, language)?.all(&path).await?;
            output.list(&all, &["version", "SBOMs", "components", "waiting"], |software| {
                let names: Vec<&str> =
                    software.sboms.iter().map(|sbom| sbom.name.as_str()).collect();
                let components: u64 = software.sboms.iter().map(|sbom| sbom.components).sum();
                vec![
                    software.version.clone(),
                    names.join(" "),
                    components.to_string(),
                    software.waiting.to_string(),
                ]
            })?;
        }
        VulnerabilityCommand::Gate { server, organisation, product, version } => {
            let path = format!(
                "/v1/organisations/{organisation}/products/{product}/software/{}/gate",
                percent_encode(&version)
            );
            let gate: VulnerabilityGate = Remote::open(&server, language)?.get(&path).await?;
            output.one(&gate, describe_gate)?;
            return Ok(ExitCode::from(if gate.open { 0 } else { 2 }));
        }
        VulnerabilityCommand::Say(args) => say(args, output, language).await?,
        VulnerabilityCommand::Statements { server, organisation } => {
            let path = format!("/v1/organisations/{organisation}/statements?limit=1000");
            let all: Vec<VexStatement> = Remote::open(&server, language)?.all(&path).await?;
            let head = [
                "id",
                "vulnerability",
                "product",
                "version",
                "status",
                "why",
                "by",
                "until",
                "withdrawn",
            ];
            output.list(&all, &head, |said| {
                let time = |at: &Option<api::wire::scalar::Timestamp>| {
                    at.as_ref().map(ToString::to_string).unwrap_or_default()
                };
                vec![
                    said.id.clone(),
                    said.vulnerability.clone(),
                    said.product.to_string(),
                    said.version.clone().unwrap_or_else(|| "every".to_owned()),
                    said.status.clone(),
                    said.justification.clone().or_else(|| said.words.clone()).unwrap_or_default(),
                    said.said_by.clone(),
                    time(&said.expires),
                    time(&said.withdrawn),
                ]
            })?;
        }
        VulnerabilityCommand::Withdraw { server, organisation, statement } => {
            let path = format!("/v1/organisations/{organisation}/statements/{statement}");
            let call = Call::new(http::Method::DELETE, path);
            let remote = Remote::open(&server, language)?;
            let said: VexStatement = remote.client().send(call).await?.json()?;
            output.one(&said, |said| {
                format!(
                    "{} is withdrawn: what it said of {} no longer holds",
                    said.id, said.vulnerability
                )
            })?;
        }
        VulnerabilityCommand::Vex(args) => vex(&args, output, language).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(
    args: &VulnerabilityListArgs,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let mut path = format!(
        "/v1/organisations/{}/vulnerabilities?limit={}&state={}",
        args.organisation,
        args.most.clamp(1, 1000),
        percent_encode(&args.state)
    );
    for (name, value) in [("rating", &args.rating), ("product", &args.product)] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", percent_encode(value)));
        }
    }
    if args.exploited {
        path.push_str("&exploited=true");
    }
    let remote = Remote::open(&args.server, language)?;
    let all: Vec<Vulnerability> = remote.some(&path, args.most.max(1)).await?;
    let head = ["id", "score", "exploited", "status", "open", "reopened", "fixed in", "summary"];
    output.list(&all, &head, |line| {
        vec![
            line.name.clone(),
            line.score.clone().unwrap_or_else(|| "?".to_owned()),
            if line.exploited.is_some() { "yes" } else { "" }.to_owned(),
            line.status.clone(),
            format!("{}/{}", line.open, line.exposures),
            line.reopened.to_string(),
            line.fixed.iter().take(3).cloned().collect::<Vec<_>>().join(" "),
            line.summary.chars().take(60).collect(),
        ]
    })
}

fn show(found: &VulnerabilityDetail) -> String {
    let line = &found.vulnerability;
    let mut text = format!("{}  {}\n", line.name, line.summary);
    let others: Vec<&str> =
        line.ids.iter().map(String::as_str).filter(|id| *id != line.name).collect();
    if !others.is_empty() {
        text.push_str(&format!("also known as {}\n", others.join(", ")));
    }
    if let (Some(score), Some(vector)) = (&line.score, &line.vector) {
        text.push_str(&format!("score {score} ({vector})\n"));
    }
    if line.exploited.is_some() {
        text.push_str("KNOWN TO BE EXPLOITED\n");
    }
    if let Some(remedy) = &found.remedy {
        text.push_str(&format!("advice: {remedy}\n"));
    }
    for exposure in &found.exposures {
        describe(&mut text, exposure);
    }
    text.trim_end().to_owned()
}

fn describe(text: &mut String, exposure: &Exposure) {
    let gone = if exposure.closed.is_some() { " (gone)" } else { "" };
    text.push_str(&format!(
        "{} {}: {}{gone}\n",
        exposure.product, exposure.version, exposure.status
    ));
    if let (Some(at), Some(why)) = (&exposure.reopened, &exposure.reopened_why) {
        text.push_str(&format!("  judged before, to be looked at again since {at}: {why}\n"));
    }
    for said in &exposure.said {
        let why = said.justification.as_ref().or(said.words.as_ref());
        text.push_str(&format!(
            "  {} says {}{}\n",
            said.author,
            said.status,
            why.map(|why| format!(": {why}")).unwrap_or_default()
        ));
    }
    for component in &exposure.components {
        let verdict = if component.affected { "affected" } else { "undecided" };
        text.push_str(&format!("  {} {verdict}", component.label));
        if !component.fixed.is_empty() {
            text.push_str(&format!(", fixed in {}", component.fixed.join(", ")));
        }
        text.push('\n');
        for reason in &component.reasons {
            text.push_str(&format!(
                "    {} by {}: {}\n",
                reason.code, reason.advisory, reason.detail
            ));
        }
    }
}

fn describe_gate(gate: &VulnerabilityGate) -> String {
    let mut text = if gate.open { "open" } else { "closed" }.to_owned();
    if gate.sboms == 0 {
        text.push_str("\n  no SBOM is attached: nothing is known");
    }
    if gate.waiting > 0 {
        text.push_str(&format!("\n  {} components wait to be judged", gate.waiting));
    }
    for blocking in &gate.blocking {
        text.push_str(&format!(
            "\n  {} {}{}",
            blocking.name,
            blocking.score.as_deref().unwrap_or("?"),
            if blocking.exploited { " exploited" } else { "" }
        ));
    }
    text
}

/// Every JSON file of the paths.
fn files(path: &Path, depth: usize, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let unreadable = || format!("cannot read {}", path.display());
    if !path.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> = std::fs::read_dir(path)
        .with_context(unreadable)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .with_context(unreadable)?;
    entries.sort();
    for entry in entries {
        let hidden = entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let json = entry.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("json"));
        if hidden || entry.is_symlink() {
            continue;
        }
        if entry.is_dir() && depth < DEPTH_MAX {
            files(&entry, depth + 1, found)?;
        } else if json {
            found.push(entry);
        }
    }
    Ok(())
}

async fn import(
    args: &VulnerabilityImportArgs,
    output: Output,
    language: Language,
) -> anyhow::Result<ExitCode> {
    let remote = Remote::for_files(&args.server, language)?;
    let mut paths = Vec::new();
    for path in &args.paths {
        files(path, 0, &mut paths)?;
    }
    let to = format!(
        "/v1/organisations/{}/advisories?source={}",
        args.organisation,
        percent_encode(&args.source)
    );
    let total = u64::try_from(paths.len()).unwrap_or(u64::MAX);
    let bar = crate::output::progress(total, "sending advisories", output.json);
    let (mut waiting, mut body) = (Vec::new(), Vec::new());
    let (mut all, mut refused): (Vec<ImportedDocument>, usize) = (Vec::new(), 0);
    for path in paths {
        let bytes = std::fs::read(&path)
            .with_context(|| format!("cannot read the file {}", path.display()))?;
        if !waiting.is_empty() && (body.len() + bytes.len() > BATCH.0 || waiting.len() >= BATCH.1) {
            let some = send(&remote, &to, &mut waiting, &mut body, &mut refused).await?;
            bar.inc(u64::try_from(some.len()).unwrap_or(u64::MAX));
            all.extend(some);
        }
        body.push(0x1e);
        body.extend(bytes);
        body.push(b'\n');
        waiting.push(path);
    }
    if !waiting.is_empty() {
        all.extend(send(&remote, &to, &mut waiting, &mut body, &mut refused).await?);
    }
    bar.finish_and_clear();
    if output.json {
        for one in &all {
            output.line(&serde_json::to_string(one)?)?;
        }
    } else {
        let count = |result: &str| all.iter().filter(|one| one.result == result).count();
        output.line(&format!(
            "{} documents: {} stored, {} unchanged, {} older than what is known, {refused} refused",
            all.len(),
            count("stored"),
            count("unchanged"),
            count("older"),
        ))?;
    }
    Ok(if refused > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Sends documents as a JSON text sequence; each refusal is said with its file.
async fn send(
    remote: &Remote,
    to: &str,
    waiting: &mut Vec<PathBuf>,
    body: &mut Vec<u8>,
    refused: &mut usize,
) -> anyhow::Result<Vec<ImportedDocument>> {
    let call = Call::new(http::Method::POST, to.to_owned())
        .body("application/json-seq", std::mem::take(body));
    let outcome: ImportedDocuments = remote.client().send(call).await?.json()?;
    for (path, one) in waiting.drain(..).zip(&outcome.items) {
        if let Some(why) = &one.why {
            *refused += 1;
            let hint = one.hint.as_deref().unwrap_or_default();
            eprintln!("{}: {why}; {hint}", path.display());
        }
    }
    Ok(outcome.items)
}

async fn attach(args: &AttachArgs, output: Output, language: Language) -> anyhow::Result<()> {
    let bytes = std::fs::read(&args.file)
        .with_context(|| format!("cannot read the file {}", args.file.display()))?;
    let path = format!(
        "/v1/organisations/{}/products/{}/software/{}/sbom?name={}",
        args.organisation,
        args.product,
        percent_encode(&args.version),
        percent_encode(&args.name)
    );
    let call = Call::new(http::Method::PUT, path).body("application/octet-stream", bytes);
    let remote = Remote::for_files(&args.server, language)?;
    let software: Software = remote.client().send(call).await?.json()?;
    output.one(&software, |software| {
        let mut text = format!("{} {}", software.product, software.version);
        for sbom in &software.sboms {
            text.push_str(&format!(
                "\n  {}: {}, {} components, {} of them without a name that advisories use, {} \
                 without a version",
                sbom.name, sbom.form, sbom.components, sbom.nameless, sbom.versionless
            ));
        }
        text
    })
}

async fn say(args: SayArgs, output: Output, language: Language) -> anyhow::Result<()> {
    let new = NewVexStatement {
        product: args.product.parse()?,
        version: args.version,
        vulnerability: args.vulnerability,
        component: args.component,
        status: args.status,
        justification: args.justification,
        impact: args.impact,
        action: args.action,
        expires: args.expires,
    };
    let path = format!("/v1/organisations/{}/statements", args.organisation);
    let said: VexStatement = Remote::open(&args.server, language)?.post(&path, &new).await?;
    output.one(&said, |said| {
        format!("{}: {} is {} in {}", said.id, said.vulnerability, said.status, said.product)
    })
}

async fn vex(args: &VexArgs, output: Output, language: Language) -> anyhow::Result<()> {
    let remote = Remote::for_files(&args.server, language)?;
    let mut path =
        format!("/v1/organisations/{}/products/{}/vex?", args.organisation, args.product);
    if let Some(version) = &args.version {
        path.push_str(&format!("version={}&", percent_encode(version)));
    }
    if let Some(file) = &args.import {
        let bytes = std::fs::read(file)
            .with_context(|| format!("cannot read the file {}", file.display()))?;
        path.push_str(&format!("own={}", args.own));
        let call = Call::new(http::Method::POST, path).body("application/json", bytes);
        let taken: TakenVex = remote.client().send(call).await?.json()?;
        for remark in &taken.remarks {
            eprintln!("{remark}");
        }
        return output.one(&taken, |taken| format!("{} statements are taken", taken.statements));
    }
    path.push_str(&format!("format={}", percent_encode(&args.format)));
    let text = remote.bytes(&path).await?;
    match &args.out {
        Some(file) => std::fs::write(file, text)
            .with_context(|| format!("cannot write the file {}", file.display())),
        None => Ok(std::io::stdout().lock().write_all(&text)?),
    }
}

async fn devices(args: &VulnerableArgs, output: Output, language: Language) -> anyhow::Result<()> {
    let base = format!(
        "/v1/organisations/{}/vulnerabilities/{}",
        args.organisation,
        percent_encode(&args.id)
    );
    let side = percent_encode(&args.side);
    if let Some(file) = &args.out {
        let remote = Remote::for_files(&args.server, language)?;
        let bytes = remote.bytes(&format!("{base}/devices.csv?side={side}")).await?;
        return std::fs::write(file, bytes)
            .with_context(|| format!("cannot write the file {}", file.display()));
    }
    let remote = Remote::open(&args.server, language)?;
    if args.count {
        let all: Vec<RunningVersion> = remote.get(&format!("{base}/versions?side={side}")).await?;
        return output.list(&all, &["product", "version", "status", "devices"], |one| {
            let unknown = if one.known { "-" } else { "no SBOM" };
            vec![
                format!("{}/{}", one.maker, one.product),
                one.version.clone(),
                one.status.clone().unwrap_or_else(|| unknown.to_owned()),
                one.devices.to_string(),
            ]
        });
    }
    let path = format!("{base}/devices?side={side}&limit={}", args.most.clamp(1, 1000));
    let all: Vec<VulnerableDevice> = remote.some(&path, args.most.max(1)).await?;
    let head = ["device", "product", "serial number", "owner", "version", "status", "seen"];
    output.list(&all, &head, |one| {
        vec![
            one.device.to_string(),
            one.product.to_string(),
            one.serial_number.clone(),
            one.owner.to_string(),
            one.version.clone(),
            one.status.clone(),
            one.seen.to_string(),
        ]
    })
}

async fn case(command: CaseCommand, output: Output, language: Language) -> anyhow::Result<()> {
    let path = |args: &CaseArgs| {
        format!("/v1/organisations/{}/cases/{}", args.organisation, percent_encode(&args.case))
    };
    let (args, change) = match command {
        CaseCommand::Show(args) => {
            let found: ReportCaseDetail =
                Remote::open(&args.server, language)?.get(&path(&args)).await?;
            return output.one(&found, |found| {
                let mut text = describe_case(&found.case);
                for one in &found.texts {
                    text.push_str(&format!("\n{} ({}): {}", one.item, one.language, one.text));
                }
                for act in &found.acts {
                    text.push_str(&format!(
                        "\n{}  {}  {} {}",
                        act.at, act.by, act.what, act.detail
                    ));
                }
                text
            });
        }
        CaseCommand::Open { server, organisation, title, kind, vulnerability, aware } => {
            let new = NewReportCase { kind, vulnerability, title, aware };
            let path = format!("/v1/organisations/{organisation}/cases");
            let opened: ReportCase = Remote::open(&server, language)?.post(&path, &new).await?;
            return output.one(&opened, describe_case);
        }
        CaseCommand::Draft { case, report } => {
            let to = format!("{}/drafts/{}", path(&case), percent_encode(&report));
            let draft: ReportDraft = Remote::open(&case.server, language)?.get(&to).await?;
            if !draft.missing.is_empty() {
                eprintln!("still to be written: {}", draft.missing.join(", "));
            }
            return output.one(&draft, |draft| draft.text.clone());
        }
        CaseCommand::Write { case, item, text, text_language } => {
            let (item, language, text) = (Some(item), Some(text_language), Some(text));
            (case, CaseChange { item, language, text, ..CaseChange::default() })
        }
        CaseCommand::Submitted { case, report, at } => {
            let (submitted, submitted_at) = (Some(report), at);
            (case, CaseChange { submitted, submitted_at, ..CaseChange::default() })
        }
        CaseCommand::Times { case, corrected, aware } => {
            (case, CaseChange { corrected, aware, ..CaseChange::default() })
        }
        CaseCommand::Close { case, why } => {
            (case, CaseChange { closed: Some(why), ..CaseChange::default() })
        }
    };
    let call = Call::new(http::Method::PATCH, path(&args)).json(&change)?;
    let remote = Remote::open(&args.server, language)?;
    let changed: ReportCase = remote.client().send(call).await?.json()?;
    output.one(&changed, describe_case)
}

fn describe_case(case: &ReportCase) -> String {
    let mut text = format!("{}  {}\n{}", case.id, case.kind, case.title);
    text.push_str(&format!("\naware since {}", case.aware));
    for report in &case.reports {
        let due = report.due.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        text.push_str(&format!("\n{}: due {due}, {}", report.step, report.state));
        if let Some(at) = &report.submitted {
            text.push_str(&format!(", submitted {at}"));
        }
    }
    if let (Some(at), Some(why)) = (&case.closed, &case.closed_why) {
        text.push_str(&format!("\nclosed {at}: {why}"));
    }
    text
}
