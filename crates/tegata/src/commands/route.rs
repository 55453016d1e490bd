//! Routes of messages (docs/routes.md).

use crate::{
    cli::{
        Language,
        route::{DeadArgs, RouteArgs, RouteCommand, RuleArgs, TrafficArgs, WhenFullArg},
    },
    output::Output,
    remote::Remote,
};
use admission::{
    TopicName,
    route::{Candidate, RoutedMessage},
};
use anyhow::Context as _;
use api::{
    client::{Call, percent_encode},
    wire::{
        DeadLetter, DeadLetterChoice, DoorTraffic, NewRoute, Page, Route, RouteCount, RoutePause,
        RoutePut, RouteRow, RouteRule, RouteTrial, RouteTried, WhenFull,
        scalar::{DeviceRef, Timestamp},
    },
};
use device::DeviceId;
use http::Method;
use serde::Deserialize;
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Read},
    path::Path,
};

/// Longest line of a file of samples, in bytes.
const LINE_BYTES_MAX: u64 = 256 * 1024;
/// Most samples.
const SAMPLES_MAX: usize = 10_000;

/// Runs `tegata traffic`.
pub async fn traffic(args: TrafficArgs, output: Output, language: Language) -> anyhow::Result<()> {
    let TrafficArgs { server, organisation, hours } = args;
    let remote = Remote::open(&server, language)?;
    let path = format!("/v1/organisations/{organisation}/traffic?hours={hours}");
    let all: Vec<DoorTraffic> = remote.get(&path).await?;
    output.list(&all, &["from", "door", "admitted", "refused"], |row| {
        vec![
            row.at.to_string(),
            row.door.clone(),
            row.admitted.to_string(),
            row.refused.to_string(),
        ]
    })
}

/// Runs `tegata route …`.
pub async fn run(command: RouteCommand, output: Output, language: Language) -> anyhow::Result<()> {
    match command {
        RouteCommand::Put {
            route,
            rule,
            purpose,
            to,
            receiver_ca,
            secret,
            when_full,
            queue_messages,
            queue_bytes,
            attempts,
            retention_days,
        } => {
            let new = NewRoute {
                product: rule.product,
                topic: rule.topic,
                condition: rule.condition,
                purpose,
                target: to,
                roots: receiver_ca.as_deref().map(text).transpose()?,
                secret: secret
                    .as_deref()
                    .map(|path| text(path).map(|text| text.trim().to_owned()))
                    .transpose()?,
                when_full: match when_full {
                    WhenFullArg::Refuse => WhenFull::Refuse,
                    WhenFullArg::DropOldest => WhenFull::DropOldest,
                },
                queue_messages,
                queue_bytes,
                attempts,
                retention_days,
            };
            let call = Call::new(Method::PUT, of(&route)).json(&new)?;
            let remote = Remote::open(&route.server, language)?;
            let put: RoutePut = remote.client().call(call).await?.json()?;
            output.one(&put, |put| {
                let mut out = describe(&put.route);
                if let Some(secret) = &put.secret {
                    out.push_str(&format!(
                        "\nkey of the web hook, shown this once: {secret}\nhint: give it to the \
                         receiver; it verifies by it what comes from here"
                    ));
                }
                out
            })
        }
        RouteCommand::List { server, organisation } => {
            let remote = Remote::open(&server, language)?;
            let all: Vec<Route> =
                remote.all(&format!("/v1/organisations/{organisation}/routes")).await?;
            let head = ["name", "target", "waiting", "delivered", "dead", "dropped", "state"];
            output.list(&all, &head, |route| {
                vec![
                    route.name.clone(),
                    route.target.clone(),
                    route.waiting.to_string(),
                    route.delivered.to_string(),
                    route.dead.to_string(),
                    route.dropped.to_string(),
                    state(route),
                ]
            })
        }
        RouteCommand::Show { route } => {
            let remote = Remote::open(&route.server, language)?;
            let found: Route = remote.get(&of(&route)).await?;
            output.one(&found, describe)
        }
        RouteCommand::Test { rule, samples: Some(path), .. } => offline(&rule, &path, output),
        RouteCommand::Test { rule, server, organisation: Some(organisation), last, .. } => {
            let rule =
                RouteRule { product: rule.product, topic: rule.topic, condition: rule.condition };
            let trial = RouteTrial { rule, samples: Vec::new(), last };
            let remote = Remote::open(&server, language)?;
            let path = format!("/v1/organisations/{organisation}/route-trials");
            let tried: Vec<RouteTried> = remote.post(&path, &trial).await?;
            show(&tried, output)
        }
        RouteCommand::Test { .. } => anyhow::bail!("give --samples or --organisation"),
        RouteCommand::Pause { route } => pause(&route, true, output, language).await,
        RouteCommand::Resume { route } => pause(&route, false, output, language).await,
        RouteCommand::End { route, discard } => {
            let remote = Remote::open(&route.server, language)?;
            remote.delete(&format!("{}?discard={discard}", of(&route))).await?;
            output.one(&route.name, |name| format!("route {name} ended"))
        }
        RouteCommand::Dead { route, limit } => {
            let remote = Remote::open(&route.server, language)?;
            let path = format!("{}/dead?limit=1000", of(&route));
            let all: Vec<DeadLetter> = remote.some(&path, limit).await?;
            output.list(&all, &["message", "device", "topic", "received", "dead", "why"], |it| {
                vec![
                    it.id.to_string(),
                    it.device.0.to_string(),
                    it.topic.clone(),
                    it.received.to_string(),
                    it.dead.to_string(),
                    it.why.clone(),
                ]
            })
        }
        RouteCommand::Retry { route, which } => {
            dead(&route, &which, ("retry", "wait again"), output, language).await
        }
        RouteCommand::Discard { route, which } => {
            dead(&route, &which, ("discard", "discarded"), output, language).await
        }
        RouteCommand::Rows { route, device, topic, from, until, limit } => {
            let mut path = format!("{}/rows?limit=1000", of(&route));
            let mut add = |name: &str, value: Option<String>| {
                if let Some(value) = value {
                    path.push_str(&format!("&{name}={}", percent_encode(&value)));
                }
            };
            add("device", device.map(|device| device.to_string()));
            add("topic", topic);
            add("from", from.map(|at: Timestamp| at.to_string()));
            add("until", until.map(|at: Timestamp| at.to_string()));
            let remote = Remote::open(&route.server, language)?;
            let rows = rows(&remote, &path, limit).await?;
            output.list(&rows, &["received", "device", "topic", "payload"], |row| {
                vec![
                    row.received.to_string(),
                    row.device.0.to_string(),
                    row.topic.clone(),
                    row.envelope.get("payload").map(Value::to_string).unwrap_or_default(),
                ]
            })
        }
    }
}

/// Rows over pages; a page may be empty although more come, where a filter likes few.
async fn rows(remote: &Remote, path: &str, limit: usize) -> anyhow::Result<Vec<RouteRow>> {
    let mut all = Vec::new();
    let mut at = path.to_owned();
    while all.len() < limit {
        let page: Page<RouteRow> = remote.get(&at).await?;
        all.extend(page.items);
        let Some(next) = page.next else { break };
        at = format!("{path}&after={next}");
    }
    all.truncate(limit);
    Ok(all)
}

fn of(route: &RouteArgs) -> String {
    let name = percent_encode(&route.name);
    format!("/v1/organisations/{}/routes/{name}", route.organisation)
}

fn text(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

async fn pause(
    route: &RouteArgs,
    paused: bool,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let remote = Remote::open(&route.server, language)?;
    remote.put(&format!("{}/pause", of(route)), &RoutePause { paused }).await?;
    output.one(&route.name, |name| {
        format!("route {name} {}", if paused { "stands still; messages wait" } else { "goes on" })
    })
}

async fn dead(
    route: &RouteArgs,
    which: &DeadArgs,
    (act, done): (&str, &str),
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let remote = Remote::open(&route.server, language)?;
    let choice = DeadLetterChoice { message: which.message };
    let count: RouteCount = remote.post(&format!("{}/dead/{act}", of(route)), &choice).await?;
    output.one(&count, |count| format!("{} messages {done}", count.count))
}

/// A line of a file of samples.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SampleLine {
    device: Option<DeviceRef>,
    product: Option<String>,
    topic: String,
    media_type: Option<String>,
    /// a text is sent as it is, anything else as JSON
    payload: Value,
}

/// Tries a rule on a file, with the code that a door uses.
fn offline(rule: &RuleArgs, path: &Path, output: Output) -> anyhow::Result<()> {
    let rule = service::read_rule(
        rule.product.as_deref(),
        rule.topic.as_deref(),
        rule.condition.as_deref(),
    )?;
    let told = || format!("cannot read {}", path.display());
    let reader: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(path).with_context(told)?)
    };
    let mut reader = BufReader::new(reader);
    let (mut line, mut number, mut tried) = (Vec::new(), 0_usize, Vec::new());
    loop {
        line.clear();
        let count = Read::take(&mut reader, LINE_BYTES_MAX + 1)
            .read_until(b'\n', &mut line)
            .with_context(told)?;
        if count == 0 {
            break;
        }
        number += 1;
        anyhow::ensure!(
            count as u64 <= LINE_BYTES_MAX && number <= SAMPLES_MAX,
            "line {number}: a sample has 256 KiB at most, and a file 10,000 of them"
        );
        if line.trim_ascii().is_empty() {
            continue;
        }
        let sample: SampleLine = serde_json::from_slice(&line).with_context(|| {
            format!(
                "line {number} is no sample; hint: one is {{\"topic\": \"up/temperature\", \
                 \"payload\": {{\"celsius\": 31}}}}"
            )
        })?;
        TopicName::new(sample.topic.clone())
            .with_context(|| format!("line {number}: the topic"))?;
        let payload = match &sample.payload {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let message = RoutedMessage {
            device: sample.device.map_or(DeviceId::from_bytes([0; 16]), |device| device.0),
            product: sample.product.as_deref(),
            topic: &sample.topic,
            door: "mqtt",
            received_at: crypto::UnixTime(0),
            media_type: sample.media_type.as_deref(),
            payload: payload.as_bytes(),
        };
        let candidate = Candidate::new(&message);
        tried.push(RouteTried {
            device: DeviceRef(message.device),
            topic: sample.topic.clone(),
            received: message.received_at.into(),
            takes: rule.takes(&candidate),
            sent: candidate.envelope().value().clone(),
        });
    }
    show(&tried, output)
}

fn show(tried: &[RouteTried], output: Output) -> anyhow::Result<()> {
    output.list(tried, &["takes", "device", "topic", "sent"], |message| {
        vec![
            if message.takes { "yes" } else { "no" }.to_owned(),
            message.device.0.to_string(),
            message.topic.clone(),
            message.sent.to_string(),
        ]
    })
}

fn state(route: &Route) -> String {
    match (&route.failure, &route.failing_since) {
        _ if route.paused => "paused".into(),
        (Some(why), Some(since)) => format!("fails since {since}: {why}"),
        _ if route.target == "table" => format!("{} rows", route.rows),
        _ => "delivers".into(),
    }
}

fn describe(route: &Route) -> String {
    let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "any".to_owned());
    let full = match route.when_full {
        WhenFull::Refuse => "doors refuse",
        WhenFull::DropOldest => "the oldest go",
    };
    format!(
        "{} to {}\nproduct: {}, topic: {}, condition: {}, purpose: {}\n{} delivered, {} wait, {} dead, {} dropped, {} withheld\n\
         at most {} messages and {} bytes; when it is full, {full}\n{}",
        route.name,
        route.target,
        or(&route.product),
        or(&route.topic),
        or(&route.condition),
        or(&route.purpose),
        route.delivered,
        route.waiting,
        route.dead,
        route.dropped,
        route.withheld,
        route.queue_messages,
        route.queue_bytes,
        state(route)
    )
}
