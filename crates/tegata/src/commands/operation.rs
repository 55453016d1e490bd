//! `tegata operation …`: the gate of operation and live evidence on a server.

use crate::{
    cli::{
        Language, ServerArgs,
        operation::{EvidenceKind, OperationCommand},
    },
    output::Output,
    remote::Remote,
};
use anyhow::Context as _;
use api::{
    Rest,
    client::percent_encode,
    wire::{
        ApprovedComponents, EnterOperation, EvidenceQuery, LiveEvidence, Operation,
        OperationChange, OverruleOperation,
    },
};
use std::fmt::Write as _;

/// Runs `tegata operation …`.
pub async fn run(
    command: OperationCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    match command {
        OperationCommand::Show { server, organisation, product } => {
            let rest = rest(&server, language)?;
            let found = rest.operation(&organisation.parse()?, &product.parse()?).await?;
            output.one(&found, text)?;
        }
        OperationCommand::Enter { server, organisation, product, overrule, until } => {
            let overrule = match overrule.zip(until) {
                None => None,
                Some((reason, until)) => {
                    let until = serde_json::from_value(serde_json::Value::String(until))
                        .context("a time is like 2026-12-31T00:00:00Z")?;
                    Some(OverruleOperation { reason, until })
                }
            };
            let rest = rest(&server, language)?;
            let how = EnterOperation { overrule };
            let done =
                rest.enter_operation(&organisation.parse()?, &product.parse()?, &how).await?;
            output.one(&done, text)?;
        }
        OperationCommand::Leave { server, organisation, product, reason } => {
            let rest = rest(&server, language)?;
            let (of, product) = (organisation.parse()?, product.parse()?);
            output.one(&rest.leave_operation(&of, &product, &reason).await?, text)?;
        }
        OperationCommand::Policy { server, organisation, required, weight, items, signed } => {
            let rest = rest(&server, language)?;
            let of = organisation.parse()?;
            let now = rest.operation_policy(&of).await?;
            let mut wanted = now.clone();
            wanted.required = required.unwrap_or(now.required);
            wanted.weight = weight.unwrap_or(now.weight);
            wanted.signed = signed.unwrap_or(now.signed);
            if !items.is_empty() {
                wanted.items = items;
            }
            let policy = match wanted == now {
                true => now,
                false => rest.set_operation_policy(&of, &wanted).await?,
            };
            output.one(&policy, |policy| match policy.required {
                false => "nothing is asked of product lines before operation".to_owned(),
                true => format!(
                    "items of weight {} and more{}{}",
                    policy.weight,
                    policy.items.iter().map(|item| format!(", {item}")).collect::<String>(),
                    if policy.signed { ", of a diagnosis that two people signed" } else { "" }
                ),
            })?;
        }
        OperationCommand::History { server, organisation } => {
            let path =
                format!("/v1/organisations/{}/operation-history", percent_encode(&organisation));
            let all: Vec<OperationChange> = Remote::open(&server, language)?.all(&path).await?;
            output.list(&all, &["at", "by", "product", "what", "detail"], |one| {
                vec![
                    one.at.to_string(),
                    one.by.clone(),
                    one.product.as_ref().map(ToString::to_string).unwrap_or_default(),
                    one.what.clone(),
                    one.detail.clone(),
                ]
            })?;
        }
        OperationCommand::Evidence { server, organisation, product, collect } => {
            let rest = rest(&server, language)?;
            let (of, product) = (organisation.parse()?, product.parse()?);
            let found = match collect {
                true => rest.collect_evidence(&of, &product).await?,
                false => rest.evidence(&of, &product).await?,
            };
            let head = ["collector", "of", "verdict", "figures", "expires"];
            output.list(&found, &head, |one| {
                vec![
                    one.collector.clone(),
                    one.subject.clone().unwrap_or_else(|| "platform".to_owned()),
                    one.verdict.clone(),
                    figures(one),
                    one.expires.to_string(),
                ]
            })?;
        }
        OperationCommand::Add { server, organisation, product, kind, file, subject, name } => {
            let bytes =
                std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let about = EvidenceQuery { subject: Some(subject), name: Some(name) };
            let rest = rest(&server, language)?;
            let (of, product) = (organisation.parse()?, product.parse()?);
            let added = rest.add_evidence(&of, &product, collector(kind), &about, bytes).await?;
            output.one(&added, |one| {
                format!("{}: {} ({})", one.collector, one.verdict, figures(one))
            })?;
        }
        OperationCommand::Approve { server, organisation, file } => {
            let rest = rest(&server, language)?;
            let of = organisation.parse()?;
            let list = match file {
                None => rest.approved_components(&of).await?,
                Some(file) => {
                    let text = std::fs::read_to_string(&file)
                        .with_context(|| format!("cannot read {}", file.display()))?;
                    let components = text
                        .lines()
                        .map(str::trim)
                        .filter(|line| !line.is_empty() && !line.starts_with('#'))
                        .map(str::to_owned)
                        .collect();
                    rest.approve_components(&of, &ApprovedComponents { components }).await?
                }
            };
            output.one(&list, |list| list.components.join("\n"))?;
        }
    }
    Ok(())
}

fn rest(server: &ServerArgs, language: Language) -> anyhow::Result<Rest> {
    Ok(Rest::new(Remote::open(server, language)?.client().clone()))
}

fn collector(kind: EvidenceKind) -> &'static str {
    match kind {
        EvidenceKind::Tests => "tests",
        EvidenceKind::Coverage => "coverage",
        EvidenceKind::Findings => "findings",
        EvidenceKind::Components => "components",
        EvidenceKind::Provenance => "provenance",
    }
}

fn figures(one: &LiveEvidence) -> String {
    let figures: Vec<String> =
        one.figures.iter().map(|figure| format!("{} {}", figure.name, figure.value)).collect();
    figures.join(", ")
}

fn text(found: &Operation) -> String {
    let mut text = format!("{}/{}: {}", found.organisation, found.product, found.state);
    if let Some(since) = &found.since {
        let _ = write!(text, " since {since}");
    }
    if let (Some(until), Some(reason)) = (&found.until, &found.reason) {
        let _ = write!(text, " until {until}, because “{reason}”");
    }
    let _ = write!(text, "\n{} of {} required items are open", found.open.len(), found.required);
    for one in &found.open {
        let _ = write!(text, "\n  {}  {}", one.item, one.state);
    }
    text
}
