//! `tegata gate`: what a policy says of a version, from files, or from a server where no file is given.

use super::{bounded, library, today};
use crate::{
    cli::{
        Language,
        operation::{GateArgs, GateFormat},
    },
    output::{Output, table},
    remote::Remote,
};
use advisory::{CodeCoverage, Provenance, Purl, Sbom, ScanReport, TestReport, unapproved};
use anyhow::Context as _;
use api::{
    Rest,
    wire::{DiagnosisFileQuery, DiagnosisQuery, LiveEvidence, scalar::ProductRef},
};
use assessment::{
    Bilingual, CheckVerdict, Collected, Collector, Day, Diagnosis, GateFacts, GateFinding,
    GatePolicy, GateState, Library, SignOff, is_open,
};
use device::Language as Tongue;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Exit status where the gate is closed.
const CLOSED: u8 = 2;

/// What was read.
#[derive(Default)]
struct Known {
    diagnosis: Option<(Diagnosis, bool)>,
    tests: Option<(u64, u64)>,
    coverage: Option<(u64, u64)>,
    findings: Option<(u64, u64, bool)>,
    unapproved: Option<Vec<String>>,
    provenance: Option<(u64, u64)>,
}

/// Runs `tegata gate`.
pub async fn run(args: &GateArgs, output: Output, language: Language) -> anyhow::Result<ExitCode> {
    let library = library()?;
    let today = today(args.at)?;
    let text = String::from_utf8(bounded(&args.policy)?).context("the policy is not UTF-8")?;
    let policy = GatePolicy::parse(&args.policy.display().to_string(), &text, &library)?;
    let mut known = files(args, &policy, &library)?;
    if let Some(product) = &args.product {
        from_server(args, product, &library, &mut known, language).await?;
    }
    let facts = GateFacts {
        diagnosis: known.diagnosis.as_ref().map(|(one, signed)| (one, *signed)),
        tests: known.tests,
        coverage: known.coverage,
        findings: known.findings,
        unapproved: known.unapproved,
        provenance: known.provenance,
    };
    let found = policy.judge(&library, &facts, today);
    let format = if output.json { GateFormat::Json } else { args.format };
    print(&found, &args.policy, today, format, output, Tongue::from(language))?;
    Ok(if is_open(&found) { ExitCode::SUCCESS } else { ExitCode::from(CLOSED) })
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Reads several documents of one kind; `None` where none is given.
fn each<T>(
    paths: &[PathBuf],
    parse: impl Fn(&[u8]) -> Result<T, advisory::AdvisoryError>,
) -> anyhow::Result<Option<Vec<T>>> {
    if paths.is_empty() {
        return Ok(None);
    }
    let one = |path: &PathBuf| {
        parse(&read(path)?).with_context(|| format!("{} cannot be used", path.display()))
    };
    Ok(Some(paths.iter().map(one).collect::<anyhow::Result<_>>()?))
}

fn files(args: &GateArgs, policy: &GatePolicy, library: &Library) -> anyhow::Result<Known> {
    let mut known = Known::default();
    if let Some(path) = &args.diagnosis {
        let diagnosis = super::read(path, library)?;
        let signed = matches!(diagnosis.sign_off(), SignOff::Signed(_));
        known.diagnosis = Some((diagnosis, signed));
    }
    if let Some(reports) = each(&args.tests, TestReport::parse)? {
        let sum = |of: fn(&TestReport) -> u64| reports.iter().map(of).sum::<u64>();
        let failed = sum(|one| one.failures.saturating_add(one.errors));
        known.tests = Some((sum(|one| one.tests.saturating_sub(one.skipped)), failed));
    }
    if let Some(reports) = each(&args.coverage, CodeCoverage::parse)? {
        let sum = |of: fn(&CodeCoverage) -> u64| reports.iter().map(of).sum::<u64>();
        known.coverage = Some((sum(|one| one.lines), sum(|one| one.lines_reached)));
    }
    if let Some(reports) = each(&args.findings, ScanReport::parse)? {
        let sum = |of: fn(&ScanReport) -> u64| reports.iter().map(of).sum::<u64>();
        let aborted = reports.iter().any(|one| one.aborted);
        known.findings = Some((sum(|one| one.errors), sum(|one| one.warnings), aborted));
    }
    if let (Some(sboms), Some(list)) = (each(&args.sbom, Sbom::parse)?, &policy.components) {
        let approved = list
            .iter()
            .map(|one| one.parse::<Purl>().with_context(|| format!("approved component {one:?}")))
            .collect::<anyhow::Result<Vec<_>>>()?;
        known.unapproved = Some(sboms.iter().flat_map(|one| unapproved(one, &approved)).collect());
    }
    if let Some(documents) = each(&args.provenance, Provenance::parse)? {
        let mut covered = 0_u64;
        for path in &args.artifact {
            let digest = crypto::sha256(&read(path)?);
            covered += u64::from(documents.iter().any(|one| one.is_about(&digest)));
        }
        known.provenance = Some((u64::try_from(args.artifact.len())?, covered));
    }
    Ok(known)
}

/// Takes from the server what no file was given for: the newest diagnosis with its checks, and
/// evidence about the version of the diagnosis.
async fn from_server(
    args: &GateArgs,
    product: &str,
    library: &Library,
    known: &mut Known,
    language: Language,
) -> anyhow::Result<()> {
    let (organisation, product) =
        product.split_once('/').context("a product line is given as organisation/product")?;
    let (of, product) = (organisation.parse()?, product.parse()?);
    let rest = Rest::new(Remote::open(&args.server, language)?.client().clone());
    let evidence = rest.evidence(&of, &product).await?;
    if known.diagnosis.is_none() {
        let which = DiagnosisQuery {
            product: Some(ProductRef(product.clone())),
            limit: Some(1),
            ..DiagnosisQuery::default()
        };
        let newest = rest.diagnoses(&of, &which).await?.items.into_iter().next();
        if let Some(newest) = newest {
            let file = rest.diagnosis_file(&newest.id, &DiagnosisFileQuery::default()).await?;
            let text = String::from_utf8(file.to_vec()).context("the diagnosis is not UTF-8")?;
            let diagnosis = Diagnosis::parse("diagnosis", &text, library)?;
            known.diagnosis = Some((diagnosis, newest.signed.is_some()));
        }
    }
    let Some((diagnosis, _)) = &mut known.diagnosis else { return Ok(()) };
    let checks: Vec<Collected> = evidence.iter().filter_map(collected).collect();
    diagnosis.take_checks(library, &checks);
    let subject = diagnosis.subject.clone();
    let about = |collector: &str| {
        let mine: Vec<&LiveEvidence> = evidence
            .iter()
            .filter(|one| one.collector == collector && one.subject.as_ref() == Some(&subject))
            .collect();
        mine
    };
    let sum = |of: &[&LiveEvidence], name: &str| -> u64 {
        of.iter().map(|one| figure(one, name)).fold(0, u64::saturating_add)
    };
    let tests = about("tests");
    if known.tests.is_none() && !tests.is_empty() {
        let ran = sum(&tests, "tests").saturating_sub(sum(&tests, "skipped"));
        known.tests = Some((ran, sum(&tests, "failures").saturating_add(sum(&tests, "errors"))));
    }
    let coverage = about("coverage");
    if known.coverage.is_none() && !coverage.is_empty() {
        known.coverage = Some((sum(&coverage, "lines"), sum(&coverage, "lines-reached")));
    }
    let findings = about("findings");
    if known.findings.is_none() && !findings.is_empty() {
        let errors = sum(&findings, "errors");
        // A scanner that broke off fails without an error of its own.
        let aborted =
            findings.iter().any(|one| one.verdict == "fail" && figure(one, "errors") == 0);
        known.findings = Some((errors, sum(&findings, "warnings"), aborted));
    }
    let provenance = about("provenance");
    if known.provenance.is_none() && !provenance.is_empty() {
        let covered = provenance.iter().map(|one| figure(one, "covered")).max().unwrap_or(0);
        known.provenance =
            Some((provenance.first().map_or(0, |one| figure(one, "files")), covered));
    }
    Ok(())
}

fn figure(one: &LiveEvidence, name: &str) -> u64 {
    let found = one.figures.iter().find(|figure| figure.name == name);
    found.and_then(|figure| figure.value.parse().ok()).unwrap_or(0)
}

fn collected(one: &LiveEvidence) -> Option<Collected> {
    Some(Collected {
        collector: Collector::of_word(&one.collector)?,
        subject: one.subject.clone(),
        verdict: CheckVerdict::of_word(&one.verdict)?,
        until: Day::of(one.expires.0)?,
    })
}

fn print(
    found: &[GateFinding],
    policy: &Path,
    today: Day,
    format: GateFormat,
    output: Output,
    language: Tongue,
) -> anyhow::Result<()> {
    match format {
        GateFormat::Table => {
            let open: Vec<&GateFinding> =
                found.iter().filter(|one| one.state != GateState::Pass).collect();
            let passed = found.len().saturating_sub(open.len());
            let word = match (open.is_empty(), language) {
                (true, Tongue::En) => "open",
                (true, Tongue::Ja) => "通過",
                (false, Tongue::En) => "closed",
                (false, Tongue::Ja) => "不通過",
            };
            if !open.is_empty() {
                let rows = open.iter().map(|one| {
                    vec![
                        one.id.clone(),
                        one.state.title(language).to_owned(),
                        one.text.of(language).to_owned(),
                    ]
                });
                output.line(&table(&["demand", "", "why"], rows))?;
            }
            output.line(&format!("{word}: {passed}/{} ({today})", found.len()))
        }
        GateFormat::Json => {
            let findings: Vec<Value> = found
                .iter()
                .map(
                    |one| json!({"id": one.id, "state": one.state.word(), "text": both(&one.text)}),
                )
                .collect();
            output.line(&serde_json::to_string(&json!({
                "open": is_open(found), "as_of": today.to_string(), "findings": findings,
            }))?)
        }
        GateFormat::Sarif => output.line(&serde_json::to_string(&sarif(found, policy, language))?),
    }
}

fn both(text: &Bilingual) -> Value {
    json!({"en": text.en, "ja": text.ja})
}

/// The findings as SARIF: a rule for each demand, a result for each that is not met.
fn sarif(found: &[GateFinding], policy: &Path, language: Tongue) -> Value {
    let rules: Vec<Value> = found
        .iter()
        .map(|one| json!({"id": one.id, "shortDescription": {"text": one.text.of(language)}}))
        .collect();
    let results: Vec<Value> = found
        .iter()
        .enumerate()
        .filter(|(_, one)| one.state != GateState::Pass)
        .map(|(index, one)| {
            json!({
                "ruleId": one.id, "ruleIndex": index, "level": "error",
                "message": {"text": one.text.of(language)},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": policy.to_string_lossy()},
                }}],
            })
        })
        .collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "tegata gate", "version": env!("CARGO_PKG_VERSION"), "rules": rules,
            }},
            "results": results,
        }],
    })
}
