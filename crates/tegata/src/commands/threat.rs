//! `tegata threat put|get|history|product|decide|decisions|trace`: threat models on a server.

use crate::{
    cli::{
        Language,
        threat_kept::{DecideArgs, KeptThreatCommand, ProductArgs, ThreatVerdict},
    },
    output::{Output, table},
    remote::Remote,
};
use anyhow::Context as _;
use api::{
    Rest,
    client::percent_encode,
    wire::{
        BothLanguages, DecideThreat, DrawingQuery, PageQuery, ProductThreat, ProductTrace,
        ThreatChange, ThreatChanges, ThreatDecision, ThreatModelQuery, ThreatModelVersion,
        TracedCheck,
    },
};
use device::{Language as Tongue, OrganisationId, ProductId};
use std::{collections::BTreeMap, fmt::Write as _, io::Write as _};

/// Runs the commands of `tegata threat` that talk to a server.
pub async fn run(
    command: KeptThreatCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let tongue = Tongue::from(language);
    match command {
        KeptThreatCommand::Put { of, file, preview, after, note } => {
            let (rest, organisation, product) = open(&of, language)?;
            let text =
                std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let apply = match (preview, after) {
                (true, _) => None,
                (false, Some(after)) => Some(after),
                (false, None) => {
                    let newest = PageQuery { after: None, limit: Some(1) };
                    let all = rest.threat_model_history(&organisation, &product, &newest).await?;
                    Some(all.items.first().map_or(0, |one| one.version))
                }
            };
            let how = ThreatModelQuery { apply, note };
            let done = rest.put_threat_model(&organisation, &product, &how, text).await?;
            output.one(&done, |done| changes(done, tongue))?;
        }
        KeptThreatCommand::Get { of, version } => {
            let (rest, organisation, product) = open(&of, language)?;
            let text = rest.threat_model(&organisation, &product, version).await?;
            std::io::stdout().lock().write_all(&text)?;
        }
        KeptThreatCommand::History { of } => {
            let all: Vec<ThreatModelVersion> =
                remote(&of, language)?.all(&path(&of, "threat-model/history")).await?;
            output.list(&all, &["version", "at", "by", "sha256", "note"], |one| {
                vec![
                    one.version.to_string(),
                    one.at.to_string(),
                    one.by.clone(),
                    one.sha256.to_string().chars().take(16).collect(),
                    one.note.clone().unwrap_or_default(),
                ]
            })?;
        }
        KeptThreatCommand::Product { of, all } => {
            let mut found: Vec<ProductThreat> =
                remote(&of, language)?.all(&path(&of, "threats?limit=1000")).await?;
            found.retain(|one| all || ["open", "planned"].contains(&one.state.as_str()));
            let head = match tongue {
                Tongue::En => ["id", "risk", "target", "state", "subject", "threat", "decided"],
                Tongue::Ja => ["ID", "リスク", "目標", "状態", "対象", "脅威", "決定"],
            };
            output.list(&found, &head, |one| {
                let decided = one.decision.as_ref().map(|decision| {
                    let until =
                        decision.until.as_ref().map_or_else(String::new, |day| format!(" – {day}"));
                    format!("{} ({}{until})", decision.verdict, decision.by)
                });
                vec![
                    one.id.clone(),
                    format!("{} {}", one.residual.score, one.residual.band),
                    one.target.score.to_string(),
                    one.state.clone(),
                    one.subject.clone(),
                    text(&one.title, tongue).to_owned(),
                    decided.unwrap_or_default(),
                ]
            })?;
        }
        KeptThreatCommand::Decide(args) => {
            let done = decide(&args, language).await?;
            output.one(&done, |done| {
                format!(
                    "{}: {} by {}{}",
                    done.threat,
                    done.verdict.as_deref().unwrap_or("taken back"),
                    done.by,
                    done.until.as_ref().map_or_else(String::new, |day| format!(" until {day}"))
                )
            })?;
        }
        KeptThreatCommand::Decisions { of, threat } => {
            let mut path = path(&of, "threat-decisions");
            if let Some(threat) = threat {
                write!(path, "?threat={}", percent_encode(&threat))?;
            }
            let all: Vec<ThreatDecision> = remote(&of, language)?.all(&path).await?;
            output.list(&all, &["at", "threat", "verdict", "until", "by", "reason"], |one| {
                vec![
                    one.at.to_string(),
                    one.threat.clone(),
                    one.verdict.clone().unwrap_or_else(|| "taken back".to_owned()),
                    one.until.clone().unwrap_or_default(),
                    one.by.clone(),
                    one.reason.clone(),
                ]
            })?;
        }
        KeptThreatCommand::Impact(command) => {
            crate::commands::impact::run(command, output, language).await?;
        }
        KeptThreatCommand::Trace { of, gaps, draw } => {
            let (rest, organisation, product) = open(&of, language)?;
            if let Some(threat) = draw {
                let which = DrawingQuery {
                    what: Some("trace".to_owned()),
                    threat: Some(threat),
                    ..DrawingQuery::default()
                };
                let svg = rest.threat_drawing(&organisation, &product, &which).await?;
                std::io::stdout().lock().write_all(&svg)?;
                return Ok(());
            }
            let found = rest.trace(&organisation, &product).await?;
            if gaps {
                let head = match tongue {
                    Tongue::En => ["missing link", "at", "threats"],
                    Tongue::Ja => ["欠けているもの", "場所", "脅威"],
                };
                output.list(&found.gaps, &head, |gap| {
                    vec![
                        text(&gap.title, tongue).to_owned(),
                        gap.at.clone(),
                        gap.threats.len().to_string(),
                    ]
                })?;
            } else {
                output.one(&found, |found| matrix(found, tongue))?;
            }
        }
    }
    Ok(())
}

fn remote(of: &ProductArgs, language: Language) -> anyhow::Result<Remote> {
    Remote::open(&of.server, language)
}

fn open(of: &ProductArgs, language: Language) -> anyhow::Result<(Rest, OrganisationId, ProductId)> {
    let rest = Rest::new(remote(of, language)?.client().clone());
    Ok((rest, of.organisation.parse()?, of.product.parse()?))
}

fn path(of: &ProductArgs, rest: &str) -> String {
    let (organisation, product) = (percent_encode(&of.organisation), percent_encode(&of.product));
    format!("/v1/organisations/{organisation}/products/{product}/{rest}")
}

async fn decide(args: &DecideArgs, language: Language) -> anyhow::Result<ThreatDecision> {
    let (rest, organisation, product) = open(&args.of, language)?;
    let which = api::wire::ThreatDecisionQuery {
        threat: Some(args.threat.clone()),
        limit: Some(1),
        ..api::wire::ThreatDecisionQuery::default()
    };
    let before = rest.threat_decisions(&organisation, &product, &which).await?;
    let verdict = match args.verdict {
        ThreatVerdict::Accepted => Some("accepted"),
        ThreatVerdict::Transferred => Some("transferred"),
        ThreatVerdict::Measures => Some("measures"),
        ThreatVerdict::Handled => Some("handled"),
        ThreatVerdict::Dismissed => Some("dismissed"),
        ThreatVerdict::Rated => Some("rated"),
        ThreatVerdict::TakenBack => None,
    };
    let decision = DecideThreat {
        version: before.items.first().map_or(0, |one| one.version),
        verdict: verdict.map(str::to_owned),
        reason: args.reason.clone(),
        until: args.until.map(|day| day.to_string()),
        measures: args.measures.clone(),
        likelihood: args.likelihood,
        impact: args.impact,
    };
    Ok(rest.decide_threat(&organisation, &product, &args.threat, &decision).await?)
}

fn text(both: &BothLanguages, language: Tongue) -> &str {
    match language {
        Tongue::En => &both.en,
        Tongue::Ja => &both.ja,
    }
}

fn changes(done: &ThreatChanges, language: Tongue) -> String {
    let mut out = match (done.applied, language) {
        (true, Tongue::En) => format!("version {}", done.version),
        (true, Tongue::Ja) => format!("第{}版", done.version),
        (false, Tongue::En) => format!("nothing kept; it would follow version {}", done.version),
        (false, Tongue::Ja) => format!("保存していません。第{}版の次になります", done.version),
    };
    let sign = |mark: &str, all: &[ThreatChange]| {
        let mut lines = String::new();
        for one in all {
            let before = one
                .state_before
                .as_ref()
                .zip(one.score_before)
                .map_or_else(String::new, |(state, score)| format!(" ({score} {state})"));
            let _ = write!(
                lines,
                "\n{mark} {}  {:>2} {}{before}  {}  {}",
                one.id,
                one.score,
                one.state,
                one.subject,
                text(&one.title, language)
            );
        }
        lines
    };
    out.push_str(&sign("+", &done.appeared));
    out.push_str(&sign("-", &done.vanished));
    out.push_str(&sign("~", &done.moved));
    let _ = match language {
        Tongue::En => write!(out, "\n{} threats as before", done.same),
        Tongue::Ja => write!(out, "\n変化のない脅威: {}件", done.same),
    };
    if done.ignored_decisions > 0 {
        let _ = match language {
            Tongue::En => write!(
                out,
                "\n{} decisions of the file do not count on the server; use `tegata threat decide`",
                done.ignored_decisions
            ),
            Tongue::Ja => write!(
                out,
                "\nファイル内の決定{}件はサーバーでは使われません。`tegata threat decide` で決定してください",
                done.ignored_decisions
            ),
        };
    }
    for id in &done.without_threat {
        let _ = match language {
            Tongue::En => write!(out, "\ndecision without a threat now: {id}"),
            Tongue::Ja => write!(out, "\n該当する脅威がなくなった決定: {id}"),
        };
    }
    out
}

/// A line for each way from a threat to a check.
fn matrix(found: &ProductTrace, language: Tongue) -> String {
    let checks: BTreeMap<&str, &TracedCheck> =
        found.checks.iter().map(|check| (check.id.as_str(), check)).collect();
    let controls: BTreeMap<&str, _> =
        found.controls.iter().map(|control| (control.id.as_str(), control)).collect();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for threat in &found.threats {
        let mut first = true;
        let mut lead = |rows: &mut Vec<Vec<String>>, rest: [String; 5]| {
            let head = match std::mem::take(&mut first) {
                true => [threat.id.clone(), threat.verdict.clone()],
                false => [String::new(), String::new()],
            };
            rows.push(head.into_iter().chain(rest).collect());
        };
        let with = [("+", &threat.in_place), ("o", &threat.planned), ("-", &threat.missing)];
        let mut any = false;
        for (mark, ids) in with {
            for control in ids.iter().filter_map(|id| controls.get(id.as_str())) {
                any = true;
                let name = format!("{mark} {}", control.id);
                let requirements = control.requirements.join(" ");
                if control.checks.is_empty() {
                    let none = ["–".to_owned(), String::new(), String::new()];
                    let [a, b, c] = none;
                    lead(&mut rows, [requirements.clone(), name.clone(), a, b, c]);
                }
                for check in control.checks.iter().filter_map(|id| checks.get(id.as_str())) {
                    let counts =
                        check.evidence.iter().filter(|one| one.standing == "counts").count();
                    lead(
                        &mut rows,
                        [
                            requirements.clone(),
                            name.clone(),
                            check.id.clone(),
                            format!("{counts}/{}", check.evidence.len()),
                            check.gap.clone().unwrap_or_else(|| check.state.clone()),
                        ],
                    );
                }
            }
        }
        if !any {
            let gaps = threat.gaps.join(" ");
            let empty = String::new;
            lead(&mut rows, [empty(), "–".to_owned(), empty(), empty(), gaps]);
        }
    }
    let head = match language {
        Tongue::En => {
            ["threat", "verdict", "requirements", "control", "check", "evidence", "stands"]
        }
        Tongue::Ja => ["脅威", "判定", "要件", "対策", "確認項目", "証跡", "状態"],
    };
    let counts: Vec<String> =
        found.verdicts.iter().map(|one| format!("{} {}", one.verdict, one.threats)).collect();
    let mut out = table(&head, rows.into_iter());
    let _ = match language {
        Tongue::En => {
            write!(
                out,
                "\n{}; {} missing links ({})",
                counts.join(", "),
                found.gaps.len(),
                found.as_of
            )
        }
        Tongue::Ja => write!(
            out,
            "\n{}・欠けているつながり{}件（{}）",
            counts.join("、"),
            found.gaps.len(),
            found.as_of
        ),
    };
    out
}
