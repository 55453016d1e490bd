//! Alerts and their rules (docs/alerts.md).

use crate::{
    cli::{
        Language,
        alert::{
            AlertActArgs, AlertArgs, AlertCommand, AlertLanguageArg, AlertReceiverCommand,
            AlertRulesCommand, AlertSeverityArg, WhoseArgs,
        },
    },
    output::Output,
    remote::Remote,
};
use anyhow::Context as _;
use api::{
    client::{Call, percent_encode},
    wire::{
        Alert, AlertAutomatic, AlertDetail, AlertLanguage, AlertQuarantine, AlertReceiver,
        AlertReceiverPut, AlertReceiverRetried, AlertRule, AlertRuleStands, AlertSettings,
        AlertSeverity, AlertState, AlertWords, NewAlertReceiver,
    },
};
use http::Method;
use serde::Serialize;
use std::{io::Read as _, path::Path};

/// Runs `tegata alert …`.
pub async fn run(command: AlertCommand, output: Output, language: Language) -> anyhow::Result<()> {
    match command {
        AlertCommand::List { whose, state, all, severity, rule, device, limit } => {
            let mut path = format!("{}?limit=1000", of(&whose, "alerts"));
            let mut add = |name: &str, value: Option<String>| {
                if let Some(value) = value {
                    path.push_str(&format!("&{name}={}", percent_encode(&value)));
                }
            };
            add("at_work", (state.is_none() && !all).then(|| "true".to_owned()));
            add("state", state.map(|state| state.name().to_owned()));
            add("severity", severity.map(|severity| severity.name().to_owned()));
            add("rule", rule);
            add("device", device.map(|device| device.to_string()));
            let remote = Remote::open(&whose.server, language)?;
            let alerts: Vec<Alert> = remote.some(&path, limit).await?;
            let head = ["alert", "severity", "state", "rule", "about", "count", "first", "last"];
            output.list(&alerts, &head, |alert| {
                vec![
                    alert.id.to_string(),
                    name(&alert.severity),
                    name(&alert.state),
                    alert.rule.clone(),
                    alert.about.clone(),
                    alert.count.to_string(),
                    alert.first.to_string(),
                    alert.last.to_string(),
                ]
            })
        }
        AlertCommand::Show { which } => {
            let remote = Remote::open(&which.whose.server, language)?;
            let found: AlertDetail = remote.get(&path_of(&which)).await?;
            output.one(&found, |found| describe(found, language))
        }
        AlertCommand::Acknowledge { act } => done(act, "acknowledge", output, language).await,
        AlertCommand::Close { act } => done(act, "close", output, language).await,
        AlertCommand::Quarantine { act } => done(act, "quarantine", output, language).await,
        AlertCommand::Release { act } => done(act, "release", output, language).await,
        AlertCommand::Rules(command) => rules(command, output, language).await,
        AlertCommand::Receiver(command) => receivers(command, output, language).await,
        AlertCommand::Limit { whose, set } => {
            let remote = Remote::open(&whose.server, language)?;
            let path = of(&whose, "alert-settings");
            let settings: AlertSettings = match set {
                None => remote.get(&path).await?,
                Some(quarantine_per_hour) => {
                    let wanted = AlertSettings { quarantine_per_hour };
                    let call = Call::new(Method::PUT, path).json(&wanted)?;
                    remote.client().call(call).await?.json()?
                }
            };
            output.one(&settings, |settings| {
                format!(
                    "at most {} devices go into quarantine by themselves within an hour",
                    settings.quarantine_per_hour
                )
            })
        }
    }
}

async fn rules(
    command: AlertRulesCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    match command {
        AlertRulesCommand::List { whose } => {
            let remote = Remote::open(&whose.server, language)?;
            let rules: Vec<AlertRuleStands> = remote.all(&of(&whose, "alert-rules")).await?;
            let head = ["rule", "severity", "more than", "seconds", "per", "automatic", "origin"];
            output.list(&rules, &head, |stands| {
                let rule = &stands.rule;
                let off = if rule.off { ", off" } else { "" };
                vec![
                    rule.name.clone(),
                    name(&rule.severity),
                    rule.threshold.to_string(),
                    rule.window_s.to_string(),
                    name(&rule.group),
                    name(&rule.automatic),
                    format!("{}{off}", name(&stands.origin)),
                ]
            })
        }
        AlertRulesCommand::Show { whose, name } => {
            let remote = Remote::open(&whose.server, language)?;
            let stands = rule(&remote, &whose, &name).await?;
            output.one(&stands.rule, |rule| serde_json::to_string_pretty(rule).unwrap_or_default())
        }
        AlertRulesCommand::Put { whose, file } => {
            let json = text(&file)?;
            // Read here too, so that what is wrong is told without a server.
            let read = alert::Rule::parse(&json)?;
            let wire: AlertRule = serde_json::from_str(&read.json())?;
            put(&whose, &wire, output, language).await
        }
        AlertRulesCommand::Off { whose, name } => {
            change(&whose, &name, |rule| rule.off = true, output, language).await
        }
        AlertRulesCommand::On { whose, name } => {
            change(&whose, &name, |rule| rule.off = false, output, language).await
        }
        AlertRulesCommand::Automatic { whose, name, none } => {
            let to = if none { AlertAutomatic::None } else { AlertAutomatic::Quarantine };
            change(&whose, &name, |rule| rule.automatic = to, output, language).await
        }
        AlertRulesCommand::Reset { whose, name } => {
            let remote = Remote::open(&whose.server, language)?;
            remote.delete(&rule_path(&whose, &name)).await?;
            output.one(&name, |name| format!("rule {name} is as it was before, or gone"))
        }
    }
}

async fn receivers(
    command: AlertReceiverCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let path = |whose: &WhoseArgs, name: &str| {
        format!("{}/{}", of(whose, "alert-receivers"), percent_encode(name))
    };
    match command {
        AlertReceiverCommand::List { whose } => {
            let remote = Remote::open(&whose.server, language)?;
            let all: Vec<AlertReceiver> = remote.all(&of(&whose, "alert-receivers")).await?;
            let head = ["name", "target", "severity", "waiting", "delivered", "dead", "state"];
            output.list(&all, &head, |receiver| {
                vec![
                    receiver.name.clone(),
                    receiver.target.clone(),
                    name(&receiver.severity),
                    receiver.waiting.to_string(),
                    receiver.delivered.to_string(),
                    receiver.dead.to_string(),
                    stands(receiver),
                ]
            })
        }
        AlertReceiverCommand::Put {
            whose,
            name,
            to,
            mail_from,
            mail_to,
            mail_language,
            severity,
            receiver_ca,
            secret,
            paused,
        } => {
            let new = NewAlertReceiver {
                target: to,
                mail_from,
                mail_to,
                language: match mail_language {
                    AlertLanguageArg::En => AlertLanguage::En,
                    AlertLanguageArg::Ja => AlertLanguage::Ja,
                },
                severity: match severity {
                    AlertSeverityArg::Informational => AlertSeverity::Informational,
                    AlertSeverityArg::Low => AlertSeverity::Low,
                    AlertSeverityArg::Medium => AlertSeverity::Medium,
                    AlertSeverityArg::High => AlertSeverity::High,
                    AlertSeverityArg::Critical => AlertSeverity::Critical,
                },
                roots: receiver_ca.as_deref().map(whole).transpose()?,
                secret: secret
                    .as_deref()
                    .map(|path| whole(path).map(|text| text.trim().to_owned()))
                    .transpose()?,
                paused,
            };
            let remote = Remote::open(&whose.server, language)?;
            let call = Call::new(Method::PUT, path(&whose, &name)).json(&new)?;
            let put: AlertReceiverPut = remote.client().call(call).await?.json()?;
            output.one(&put, |put| {
                let mut out = format!("alerts go to {}", put.receiver.target);
                if let Some(secret) = &put.secret {
                    out.push_str(&format!(
                        "\nkey of the web hook, shown this once: {secret}\nhint: give it to the \
                         receiver; it verifies by it what comes from here"
                    ));
                }
                out
            })
        }
        AlertReceiverCommand::End { whose, name } => {
            let remote = Remote::open(&whose.server, language)?;
            remote.delete(&path(&whose, &name)).await?;
            output.one(&name, |name| format!("no alerts go to {name} any more"))
        }
        AlertReceiverCommand::Retry { whose, name } => {
            let remote = Remote::open(&whose.server, language)?;
            let path = format!("{}/retry", path(&whose, &name));
            let retried: AlertReceiverRetried = remote.post_empty(&path).await?;
            output.one(&retried, |retried| format!("{} wait again", retried.count))
        }
    }
}

fn stands(receiver: &AlertReceiver) -> String {
    match (&receiver.failure, &receiver.failing_since) {
        _ if receiver.paused => "paused".to_owned(),
        (Some(why), Some(since)) => format!("fails since {since}: {why}"),
        _ => "delivers".to_owned(),
    }
}

fn whole(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

async fn rule(remote: &Remote, whose: &WhoseArgs, name: &str) -> anyhow::Result<AlertRuleStands> {
    remote.get(&rule_path(whose, name)).await
}

async fn change(
    whose: &WhoseArgs,
    name: &str,
    how: impl FnOnce(&mut AlertRule),
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let remote = Remote::open(&whose.server, language)?;
    let mut wire = rule(&remote, whose, name).await?.rule;
    how(&mut wire);
    put(whose, &wire, output, language).await
}

async fn put(
    whose: &WhoseArgs,
    rule: &AlertRule,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let remote = Remote::open(&whose.server, language)?;
    let call = Call::new(Method::PUT, rule_path(whose, &rule.name)).json(rule)?;
    let put: AlertRuleStands = remote.client().call(call).await?.json()?;
    output.one(&put, |put| {
        let state = if put.rule.off { "is off" } else { "holds" };
        format!("rule {} {state}; change {}", put.rule.name, put.revision)
    })
}

async fn done(
    act: AlertActArgs,
    what: &str,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let remote = Remote::open(&act.which.whose.server, language)?;
    let words = AlertWords { note: act.note };
    let path = format!("{}/{what}", path_of(&act.which));
    let found: AlertDetail = remote.post(&path, &words).await?;
    output.one(&found, |found| {
        let standing = found.standing.as_ref();
        let standing = standing.map(|it| format!(", the device is {}", name(it)));
        let state = name(&found.alert.state);
        format!("alert {} is {state}{}", found.alert.id, standing.unwrap_or_default())
    })
}

fn of(whose: &WhoseArgs, what: &str) -> String {
    format!("/v1/organisations/{}/{what}", whose.organisation)
}

fn path_of(which: &AlertArgs) -> String {
    format!("{}/{}", of(&which.whose, "alerts"), which.alert)
}

fn rule_path(whose: &WhoseArgs, name: &str) -> String {
    format!("{}/{}", of(whose, "alert-rules"), percent_encode(name))
}

/// The stable name of something that the interface writes as one.
fn name<T: Serialize>(of: &T) -> String {
    match serde_json::to_value(of) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

fn text(path: &Path) -> anyhow::Result<String> {
    let told = || format!("cannot read {}", path.display());
    let most = alert::RULE_BYTES_MAX as u64 + 1;
    let mut text = String::new();
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(most).read_to_string(&mut text).with_context(told)?;
    } else {
        let file = std::fs::File::open(path).with_context(told)?;
        file.take(most).read_to_string(&mut text).with_context(told)?;
    }
    Ok(text)
}

fn describe(found: &AlertDetail, language: Language) -> String {
    let alert = &found.alert;
    let title = match language {
        Language::Ja => &alert.title_ja,
        Language::En => &alert.title,
    };
    let mut out = format!(
        "alert {}, {}, {}: {title}\nrule {}, about {}\n{} from {} to {}, raised {}\n{}",
        alert.id,
        name(&alert.severity),
        name(&alert.state),
        alert.rule,
        alert.about,
        alert.count,
        alert.first,
        alert.last,
        alert.raised,
        alert.suggestion,
    );
    if let Some(standing) = &found.standing {
        out.push_str(&format!("\nthe device is {}", name(standing)));
    }
    if alert.quarantine != AlertQuarantine::NotAsked {
        out.push_str(&format!("\nquarantine by itself: {}", name(&alert.quarantine)));
    }
    out.push_str("\nrests on:");
    for event in &found.evidence {
        let details: Vec<String> =
            event.details.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let from = event.source.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
        out.push_str(&format!(
            "\n  {} {} {}{from} {}",
            event.sequence,
            event.at,
            event.kind,
            details.join(" ")
        ));
    }
    for note in &found.notes {
        let words = note.note.as_ref().map(|words| format!(": {words}")).unwrap_or_default();
        out.push_str(&format!("\n{} {} by {}{words}", note.at, note.what, note.who));
    }
    if alert.state != AlertState::Closed {
        out.push_str(&format!(
            "\nhint: tegata alert acknowledge, quarantine, release or close {}",
            alert.id
        ));
    }
    out
}
