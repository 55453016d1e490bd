//! `tegata policy …`: an organisation's policies for the doors.

use crate::{
    cli::{
        Language, ServerArgs,
        policy::{PolicyAct, PolicyCommand, PolicyText},
    },
    output::{Output, table},
    remote::Remote,
};
use anyhow::Context as _;
use api::{
    Rest,
    wire::{
        ActivatePolicies, NewPolicySet, PolicyAction, PolicyActivation, PolicyDecision,
        PolicyQuestion, PolicyReport, PolicySet, PolicySetDetail, TriedPolicyCase,
        scalar::DeviceRef,
    },
};
use permission::{CASES_BYTES_MAX, Cases, Policies, TEXT_BYTES_MAX};
use std::{fmt::Write as _, io::Read as _, path::Path, process::ExitCode};

/// Some cases do not come out as expected.
const FAILED: u8 = 2;

/// Runs `tegata policy …`.
pub async fn run(
    command: PolicyCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<ExitCode> {
    match command {
        PolicyCommand::Put { server, policies, cases, reason } => {
            let (policies, cases) = texts(&policies, &cases)?;
            let new = NewPolicySet { policies, cases, reason };
            let made = rest(&server, language)?.put_policies(&new).await?;
            output.one(&made, |made| {
                format!(
                    "version {} is a draft with {} cases; try them: tegata policy test --version {}",
                    made.version, made.cases, made.version
                )
            })?;
        }
        PolicyCommand::Test { policies: Some(policies), cases: Some(cases), .. } => {
            let report = try_files(&policies, &cases)?;
            output.one(&report, tried)?;
            return Ok(code(&report));
        }
        PolicyCommand::Test { server, version, .. } => {
            let version = version.context("name two files or --version")?;
            let tested = rest(&server, language)?.test_policies(version).await?;
            output.one(&tested, |tested| tried(&tested.report))?;
            return Ok(code(&tested.report));
        }
        PolicyCommand::Activate { server, version, reason, .. } => {
            let wanted = ActivatePolicies { version, reason };
            let done = rest(&server, language)?.activate_policies(&wanted).await?;
            output.one(&done, |done| match done.version {
                Some(version) => format!("version {version} is in force at every door"),
                None => "no policies are in force: each device has its own space".to_owned(),
            })?;
        }
        PolicyCommand::List { server } => {
            let path = "/v1/policies/versions?limit=1000";
            let all: Vec<PolicySet> = Remote::open(&server, language)?.all(path).await?;
            let head = ["version", "state", "cases", "failed", "made", "by", "why"];
            output.list(&all, &head, |set| {
                vec![
                    set.version.to_string(),
                    set.state.clone(),
                    set.cases.to_string(),
                    set.tested.as_ref().map(|it| it.failures.to_string()).unwrap_or_default(),
                    set.made.to_string(),
                    set.made_by.clone(),
                    set.reason.clone(),
                ]
            })?;
        }
        PolicyCommand::History { server } => {
            let path = "/v1/policies/activations?limit=1000";
            let all: Vec<PolicyActivation> = Remote::open(&server, language)?.all(path).await?;
            output.list(&all, &["version", "at", "by", "why"], |done| {
                vec![
                    done.version.map_or_else(|| "none".to_owned(), |it| it.to_string()),
                    done.at.to_string(),
                    done.by.clone(),
                    done.reason.clone(),
                ]
            })?;
        }
        PolicyCommand::Show { server, version, only } => {
            let found = rest(&server, language)?.policies(version).await?;
            match only {
                Some(PolicyText::Policies) => output.line(found.policies.trim_end())?,
                Some(PolicyText::Cases) => output.line(found.cases.trim_end())?,
                None => output.one(&found, detail)?,
            }
        }
        PolicyCommand::Explain { server, device, action, topic, version } => {
            let action = match action {
                PolicyAct::Publish => PolicyAction::Publish,
                PolicyAct::Subscribe => PolicyAction::Subscribe,
                PolicyAct::Receive => PolicyAction::Receive,
            };
            let question = PolicyQuestion { device: DeviceRef(device), action, topic, version };
            let found = rest(&server, language)?.explain_policy(&question).await?;
            output.one(&found, explained)?;
        }
        PolicyCommand::Schema => output.line(permission::SCHEMA.trim_end())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn rest(server: &ServerArgs, language: Language) -> anyhow::Result<Rest> {
    Ok(Rest::new(Remote::open(server, language)?.client().clone()))
}

fn texts(policies: &Path, cases: &Path) -> anyhow::Result<(String, String)> {
    Ok((text(policies, TEXT_BYTES_MAX)?, text(cases, CASES_BYTES_MAX)?))
}

/// A file, or as much of it as shows that it is too long.
fn text(path: &Path, most: usize) -> anyhow::Result<String> {
    let mut text = String::new();
    let most = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let file = std::fs::File::open(path);
    file.and_then(|file| file.take(most).read_to_string(&mut text))
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(text)
}

/// Tries files as a server would.
fn try_files(policies: &Path, cases: &Path) -> anyhow::Result<PolicyReport> {
    let (text, tried) = texts(policies, cases)?;
    let set = Policies::parse(&text).with_context(|| policies.display().to_string())?;
    for warning in set.warnings() {
        eprintln!("{}: {warning}", policies.display());
    }
    let cases = Cases::parse(&tried).with_context(|| cases.display().to_string())?;
    let report = cases.run(&set);
    Ok(PolicyReport {
        passed: report.passed(),
        cases: report
            .cases
            .into_iter()
            .map(|case| TriedPolicyCase {
                name: case.name,
                passed: case.passed,
                allowed: case.allowed,
                because: case.because,
                instead: case.instead,
            })
            .collect(),
        untried: report.untried,
    })
}

fn code(report: &PolicyReport) -> ExitCode {
    if report.passed { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

fn by(because: &[String]) -> String {
    if because.is_empty() { "nothing".to_owned() } else { because.join(", ") }
}

fn tried(report: &PolicyReport) -> String {
    let rows = report.cases.iter().map(|case| {
        vec![
            if case.passed { "passed" } else { "FAILED" }.to_owned(),
            case.name.clone(),
            if case.allowed { "allowed" } else { "refused" }.to_owned(),
            by(&case.because),
            case.instead.clone().unwrap_or_default(),
        ]
    });
    let mut text = table(&["", "case", "came out", "by", "expected"], rows);
    let failed = report.cases.iter().filter(|case| !case.passed).count();
    // Writing to a String cannot fail.
    let _ = write!(text, "\n{} cases, {failed} failed", report.cases.len());
    if !report.untried.is_empty() {
        let _ = write!(text, "\nno case is decided by: {}", report.untried.join(", "));
    }
    text
}

fn detail(found: &PolicySetDetail) -> String {
    let set = &found.set;
    let mut text = format!(
        "version {} is {}; put in at {} by {}, because “{}”\n",
        set.version, set.state, set.made, set.made_by, set.reason
    );
    if let Some(tested) = &set.tested {
        let _ =
            writeln!(text, "tested at {} by {}: {} failed", tested.at, tested.by, tested.failures);
    }
    for effect in &found.effects {
        let what = if effect.permits { "permits" } else { "forbids" };
        let _ = writeln!(text, "{}: {what}", effect.id);
    }
    for warning in &found.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    if let Some(report) = &found.report {
        let _ = writeln!(text, "{}", tried(report));
    }
    let _ = write!(text, "\n{}", found.policies.trim_end());
    text
}

fn explained(found: &PolicyDecision) -> String {
    let mut text = format!(
        "{} by {}: {}\n",
        if found.allowed { "allowed" } else { "refused" },
        by(&found.because),
        found.topic
    );
    let _ = match found.version {
        Some(version) => write!(text, "policies of version {version}"),
        None => write!(text, "no policies are in force"),
    };
    for failed in &found.failed {
        let _ = write!(text, "\nfailed: {failed}");
    }
    if found.broken {
        text.push_str("\nthat version cannot be read: each device has its own space");
    }
    text
}
