use crate::{
    cli::{
        Language, ServerArgs,
        fleet::{ActArgs, CsvArgs, JobArgs, JobCommand, OverviewArgs, SearchArgs, ViewCommand},
    },
    output::Output,
    remote::Remote,
};
use anyhow::Context as _;
use api::{
    client::percent_encode,
    wire::{
        ActPreview, ActWanted, DeviceLine, DeviceList, Job, JobPreview, NamedCount, NewJob,
        NewView, Overview, PartNode, Recorded, SavedView,
        scalar::{CauseName, DeviceRef, OrganisationRef},
    },
};
use device::DeviceId;
use std::io::Write as _;

/// Most lines that a search prints; an export has no such limit.
const LINES_MAX: usize = 10_000;

fn query(args: &SearchArgs) -> String {
    let days = args.days.map(|days| days.to_string());
    let mut out = String::new();
    for (name, value) in [
        ("relation", &args.relation),
        ("product", &args.product),
        ("maker", &args.maker),
        ("phase", &args.phase),
        ("standing", &args.standing),
        ("verdict", &args.verdict),
        ("owner", &args.owner),
        ("attention", &args.attention),
        ("days", &days),
        ("text", &args.text),
    ] {
        if let Some(value) = value {
            out.push_str(&format!("&{name}={}", percent_encode(value)));
        }
    }
    out
}

/// Runs `tegata device search`.
pub async fn search(
    server: &ServerArgs,
    args: &SearchArgs,
    by_serial: bool,
    most: usize,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let remote = Remote::open(server, language)?;
    let most = most.clamp(1, LINES_MAX);
    let order = if by_serial { "serial" } else { "newest" };
    let base = format!("/v1/devices/search?order={order}&limit={}{}", most.min(1000), query(args));
    let (mut all, mut path): (Vec<DeviceLine>, _) = (Vec::new(), base.clone());
    loop {
        let list: DeviceList = remote.get(&path).await?;
        all.extend(list.items);
        match list.next {
            Some(next) if all.len() < most => {
                path = format!("{base}&after={}", percent_encode(&next));
            }
            next => {
                if next.is_some() || all.len() > most {
                    eprintln!("there are more; give --most or use: tegata device export");
                }
                break;
            }
        }
    }
    all.truncate(most);
    let head = ["id", "product", "serial number", "phase", "standing", "verdict", "owner"];
    output.list(&all, &head, |line| {
        let device = &line.device;
        vec![
            device.id.to_string(),
            device.product.as_ref().map(ToString::to_string).unwrap_or_default(),
            device.serial_number.clone(),
            device.phase.as_ref().map(ToString::to_string).unwrap_or_default(),
            device.standing.to_string(),
            line.verdict.as_ref().map(|verdict| verdict.outcome.to_string()).unwrap_or_default(),
            device.owner.to_string(),
        ]
    })
}

/// Runs `tegata device export`.
pub async fn export(
    server: &ServerArgs,
    args: &SearchArgs,
    csv: &CsvArgs,
    language: Language,
) -> anyhow::Result<()> {
    let remote = Remote::for_files(server, language)?;
    let bytes = remote.bytes(&format!("/v1/devices/export?bom={}{}", csv.bom, query(args))).await?;
    write(csv, &bytes)
}

fn write(csv: &CsvArgs, bytes: &[u8]) -> anyhow::Result<()> {
    match &csv.out {
        Some(path) => std::fs::write(path, bytes)
            .with_context(|| format!("cannot write the file {}", path.display())),
        None => Ok(std::io::stdout().lock().write_all(bytes)?),
    }
}

/// Runs `tegata device parts`.
pub async fn parts(
    server: &ServerArgs,
    device: DeviceId,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let remote = Remote::open(server, language)?;
    let parts: Vec<PartNode> = remote.get(&format!("/v1/devices/{device}/parts")).await?;
    output.one(&parts, |parts| {
        let mut text = String::new();
        for part in parts {
            tree(&mut text, part, 0);
        }
        text.trim_end().to_owned()
    })
}

fn tree(text: &mut String, part: &PartNode, depth: usize) {
    let of = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
    text.push_str(&format!(
        "{}{} {}  {} {} {}{}\n",
        "  ".repeat(depth),
        part.kind,
        part.device,
        part.serial_number.as_deref().unwrap_or("-"),
        of(part.phase.as_ref().map(ToString::to_string)),
        of(part.standing.as_ref().map(ToString::to_string)),
        if part.claimed_elsewhere > 0 { "  CLAIMED BY ANOTHER DEVICE" } else { "" },
    ));
    for part in &part.parts {
        tree(text, part, depth + 1);
    }
    if part.cut {
        text.push_str(&format!("{}…\n", "  ".repeat(depth + 1)));
    }
}

fn wanted(args: &ActArgs) -> ActWanted {
    ActWanted {
        act: args.act.clone(),
        cause: args.cause.map(CauseName),
        to: args.to.clone().map(OrganisationRef),
        reason: args.reason.clone(),
    }
}

/// Runs `tegata device act`.
pub async fn act(args: &ActArgs, output: Output, language: Language) -> anyhow::Result<()> {
    let remote = Remote::open(&args.server, language)?;
    let path = format!("/v1/devices/{}/acts", args.device);
    let recorded: Recorded = remote.post(&path, &wanted(args)).await?;
    output.one(&recorded, |recorded| format!("{}: event {}", args.act, recorded.sequence))
}

/// Runs `tegata device preview`.
pub async fn preview(args: &ActArgs, output: Output, language: Language) -> anyhow::Result<()> {
    let remote = Remote::open(&args.server, language)?;
    let path = format!("/v1/devices/{}/acts/preview", args.device);
    let preview: ActPreview = remote.post(&path, &wanted(args)).await?;
    output.one(&preview, |preview| {
        let mut text = match &preview.refusal {
            Some(refusal) => format!("refused ({}): {}", refusal.code, refusal.text),
            None => "allowed".to_owned(),
        };
        for consequence in &preview.consequences {
            let said = match language {
                Language::Ja => &consequence.ja,
                Language::En => &consequence.en,
            };
            text.push_str(&format!("\n  {}: {said}", consequence.code));
        }
        text
    })
}

/// Runs `tegata view …`.
pub async fn view(command: ViewCommand, output: Output, language: Language) -> anyhow::Result<()> {
    match command {
        ViewCommand::List { server } => {
            let views: Vec<SavedView> = Remote::open(&server, language)?.get("/v1/views").await?;
            output.list(&views, &["name", "query", "saved"], |view| {
                vec![view.name.clone(), view.query.clone(), view.saved_at.to_string()]
            })
        }
        ViewCommand::Save { server, name, query } => {
            let new = NewView { name, query };
            let view: SavedView = Remote::open(&server, language)?.post("/v1/views", &new).await?;
            output.one(&view, |view| format!("{}  {}", view.name, view.query))
        }
        ViewCommand::Delete { server, name } => {
            let path = format!("/v1/views/{}", percent_encode(&name));
            Remote::open(&server, language)?.delete(&path).await?;
            output.one(&name, |name| format!("{name} is deleted"))
        }
    }
}

fn new_job(args: &JobArgs) -> NewJob {
    let devices: Vec<DeviceRef> = args.devices.iter().copied().map(DeviceRef).collect();
    NewJob {
        act: args.act.clone(),
        cause: args.cause.map(CauseName),
        lifetime_s: args.lifetime_s,
        devices: (!devices.is_empty()).then_some(devices),
        search: args.search.clone(),
        reason: args.reason.clone(),
    }
}

/// Runs `tegata job …`.
pub async fn job(command: JobCommand, output: Output, language: Language) -> anyhow::Result<()> {
    match command {
        JobCommand::Preview(args) => {
            let remote = Remote::open(&args.server, language)?;
            let preview: JobPreview = remote.post("/v1/jobs/preview", &new_job(&args)).await?;
            output.one(&preview, |preview| {
                let mut text = format!(
                    "{} devices; of the first {}, {} would be done",
                    preview.devices, preview.tried, preview.allowed
                );
                for refusal in &preview.refusals {
                    text.push_str(&format!(
                        "\n  {} refused ({}): {}",
                        refusal.count, refusal.code, refusal.text
                    ));
                }
                text
            })
        }
        JobCommand::Start(args) => {
            let remote = Remote::open(&args.server, language)?;
            let job: Job = remote.post("/v1/jobs", &new_job(&args)).await?;
            output.one(&job, describe)
        }
        JobCommand::List { server } => {
            let jobs: Vec<Job> =
                Remote::open(&server, language)?.all("/v1/jobs?limit=1000").await?;
            let head = ["id", "act", "state", "done", "refused", "of", "by", "reason"];
            output.list(&jobs, &head, |job| {
                vec![
                    job.id.clone(),
                    job.act.clone(),
                    job.state.clone(),
                    job.done.to_string(),
                    job.failed.to_string(),
                    job.total.to_string(),
                    job.started_by.clone(),
                    job.reason.clone(),
                ]
            })
        }
        JobCommand::Show { server, job } => {
            let path = format!("/v1/jobs/{}", percent_encode(&job));
            let job: Job = Remote::open(&server, language)?.get(&path).await?;
            output.one(&job, describe)
        }
        JobCommand::Cancel { server, job } => {
            let path = format!("/v1/jobs/{}/cancel", percent_encode(&job));
            let job: Job = Remote::open(&server, language)?.post_empty(&path).await?;
            output.one(&job, describe)
        }
        JobCommand::Result { server, job, csv } => {
            let remote = Remote::for_files(&server, language)?;
            let path = format!("/v1/jobs/{}/result?bom={}", percent_encode(&job), csv.bom);
            write(&csv, &remote.bytes(&path).await?)
        }
    }
}

fn describe(job: &Job) -> String {
    let mut text = format!(
        "{}  {} {}: {} of {} done, {} of these refused",
        job.id, job.act, job.state, job.done, job.total, job.failed
    );
    if let Some(note) = &job.note {
        text.push_str(&format!("\n  {note}"));
    }
    text
}

/// Runs `tegata overview`.
pub async fn overview(
    args: &OverviewArgs,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let remote = Remote::open(&args.server, language)?;
    let path = match &args.organisation {
        Some(organisation) => format!("/v1/overview?organisation={organisation}"),
        None => "/v1/overview".to_owned(),
    };
    let overview: Overview = remote.get(&path).await?;
    output.one(&overview, |overview| {
        let counts = |counts: &[NamedCount]| {
            let one = |n: &NamedCount| {
                format!("{} {}{}", n.name, n.count, if n.at_least { "+" } else { "" })
            };
            counts.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        let mut text = format!(
            "{} devices as of {}\nphases: {}\nstandings: {}\nlast verdicts: {}\nattention: {}\n\
             log: {} leaves, {} waiting",
            overview.devices,
            overview.as_of,
            counts(&overview.phases),
            counts(&overview.standings),
            counts(&overview.outcomes),
            counts(&overview.attention),
            overview.log.size,
            overview.log.waiting,
        );
        for witness in &overview.log.witnesses {
            let at = witness.cosigned_at.map_or("not yet".to_owned(), |at| at.to_string());
            text.push_str(&format!("\nwitness {}: {at}", witness.name));
        }
        for event in &overview.newest {
            let behalf = if event.on_behalf { " (signed by the platform)" } else { "" };
            text.push_str(&format!(
                "\n{}  {}  {}  {}{behalf}",
                event.at, event.device, event.kind, event.organisation
            ));
        }
        text
    })
}
