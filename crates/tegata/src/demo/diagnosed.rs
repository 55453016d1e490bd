//! A product is modelled, diagnosed and gated: its threat model with a decision, a diagnosis with what
//! the platform sees for itself, the trace from threats to verdicts, the gate of a pipeline, and its
//! impact assessments.
//!
//! The fleet of [`Line::Gate`] is the one that lives beside it: what collectors find is real.

use crate::demo::{
    impact,
    people::{Line, Who},
    rows::Check,
    world::World,
};
use anyhow::Context as _;
use api::{
    Rest,
    wire::{
        ChangeAnswer, DecideThreat, DiagnosedItemQuery, DiagnosisEntry, DiagnosisEvidence,
        EvidenceQuery, NewDiagnosis, ProductTrace, ThreatModelQuery, ThreatQuery,
        scalar::ProductRef,
    },
};
use assessment::Day;
use serde::Serialize;
use std::{path::PathBuf, process::Stdio};

/// A gateway in a waterworks.
const MODEL: &str = include_str!("gateway.yaml");
/// Which version is diagnosed.
const VERSION: &str = "3.0";
/// What the pipeline asks for.
const POLICY: &str = "tegata: gate/1\nitems: {also: [DEV-ARC-04, DEV-HWD-03]}\ntests: {least: 3}\n";
/// Results of a build's tests.
const TESTS: &str = "<testsuites><testsuite name=\"gateway\" tests=\"3\"><testcase name=\"boots\"/>\
     <testcase name=\"updates\"/><testcase name=\"refuses\"/></testsuite></testsuites>";

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Diagnosed {
    pub(super) checks: Vec<Check>,
    pub(super) summary: Summary,
}

/// As `--json` prints it.
#[derive(Debug, Default, Clone, Serialize)]
pub(super) struct Summary {
    pub(super) threats: u64,
    pub(super) shown: u64,
    pub(super) missing_links: u64,
    pub(super) live_checks: u64,
    pub(super) live_failures: u64,
    /// concluded
    pub(super) impact_assessments: u64,
    pub(super) checks: usize,
    pub(super) checks_held: usize,
}

fn count(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}

fn verdict<'a>(trace: &'a ProductTrace, id: &str) -> &'a str {
    trace.threats.iter().find(|one| one.id == id).map_or("gone", |one| one.verdict.as_str())
}

/// Plays it.
pub(super) async fn play(world: &World) -> anyhow::Result<Diagnosed> {
    let maker = world.of(Who::Yamato)?;
    let rest = Rest::new(maker.administrator.client().clone());
    let (of, line) = (&maker.id, Line::Gate.id()?);
    let now = crate::clock::now();
    let day = |at| Day::of(at).context("the clock shows no day of our time");
    let (today, end) = (day(now)?, day(now.plus(30 * 86_400))?);
    let mut played = Diagnosed::default();
    let mut check = |what: &str, expected: &str, given: String, holds: bool| {
        played.checks.push(Check::new(what, expected, given, holds));
    };

    let how = |apply| ThreatModelQuery { apply, note: None };
    let text = MODEL.as_bytes().to_vec();
    let shown = rest.put_threat_model(of, &line, &how(None), text.clone()).await?;
    let kept = rest.put_threat_model(of, &line, &how(Some(0)), text).await?;
    let appeared = kept.appeared.len();
    check(
        "a threat model raises what its preview showed",
        "the same threats",
        format!("{appeared}"),
        kept.applied && appeared > 0 && kept.appeared == shown.appeared,
    );
    let by_rule = |rule: &'static str| {
        let found = kept.appeared.iter().find(|one| one.cause == rule);
        found.map(|one| one.id.clone()).with_context(|| format!("no threat of {rule}"))
    };
    let accepted = by_rule("radio-jamming")?;
    let decision = DecideThreat {
        version: 0,
        verdict: Some("accepted".to_owned()),
        reason: "the valve stays as it is without radio".to_owned(),
        until: Some(end.to_string()),
        ..DecideThreat::default()
    };
    rest.decide_threat(of, &line, &accepted, &decision).await?;
    let edited = MODEL.replace("title: Gateway", "title: Gateway at the pump");
    rest.put_threat_model(of, &line, &how(Some(kept.version)), edited.into_bytes()).await?;
    let after = rest.threat(of, &line, &accepted).await?;
    check(
        "a decision survives an edit of the model",
        "accepted",
        after.state.clone(),
        after.state == "accepted",
    );
    let before = rest.trace(of, &line).await?;
    let shown = before.threats.iter().filter(|one| one.verdict == "shown").count();
    check("nothing is shown without a diagnosis", "0 shown", format!("{shown}"), shown == 0);

    let new =
        NewDiagnosis { product: ProductRef(line.clone()), subject: VERSION.to_owned(), from: None };
    let diagnosis = rest.open_diagnosis(of, &new).await?.id;
    let live = rest.collect_evidence(of, &line).await?;
    let failing = live.iter().filter(|one| one.verdict == "fail").count();
    for item in ["DEV-HWD-03", "DEV-PLN-04"] {
        let piece = DiagnosisEvidence {
            what: "review of the design".to_owned(),
            sha256: None,
            on: today.to_string(),
            until: None,
        };
        let entry = DiagnosisEntry {
            answer: "met".to_owned(),
            reason: None,
            evidence: vec![piece],
            owner: None,
            due: None,
            comment: None,
        };
        let change = ChangeAnswer { version: 0, entry: Some(entry) };
        rest.answer_diagnosis(&diagnosis, item, &change).await?;
    }
    let states = async |state: &str| -> anyhow::Result<Vec<String>> {
        let query = DiagnosedItemQuery {
            state: Some(state.to_owned()),
            limit: Some(1000),
            ..Default::default()
        };
        let found = rest.diagnosed_items(&diagnosis, &query).await?;
        Ok(found.items.into_iter().map(|one| one.answer.topic).collect())
    };
    let met = states("met").await?;
    let alone = met.iter().any(|item| item == "DEV-ARC-04");
    check(
        "the platform answers an item that it sees all of",
        "DEV-ARC-04 met",
        if alone { "met" } else { "not met" }.to_owned(),
        alone,
    );
    let not_met = states("not-met").await?;
    let beaten = not_met.iter().any(|item| item == "DEV-PLN-04");
    check(
        "a live check that fails beats a document",
        "DEV-PLN-04 not met: no support is promised",
        if beaten { "not met" } else { "met" }.to_owned(),
        beaten,
    );

    let trace = rest.trace(of, &line).await?;
    let found = verdict(&trace, &by_rule("secrets-extractable")?).to_owned();
    check(
        "keys are in hardware: a document and the platform show it",
        "shown",
        found.clone(),
        found == "shown",
    );
    let threats =
        rest.threats(of, &line, &ThreatQuery { limit: Some(1000), ..Default::default() }).await?;
    let everything =
        threats.items.iter().all(|one| trace.threats.iter().any(|two| two.id == one.id));
    check(
        "no threat is lost on the way to the verdicts",
        "all of them",
        format!("{} of {}", trace.threats.len(), threats.items.len()),
        everything && trace.threats.len() == threats.items.len(),
    );

    let closed = gate(world).await?;
    check(
        "the gate of the pipeline is closed without tests",
        "exit 2",
        format!("exit {closed}"),
        closed == 2,
    );
    let about = EvidenceQuery { subject: Some(VERSION.to_owned()), name: Some("build".to_owned()) };
    rest.add_evidence(of, &line, "tests", &about, TESTS.as_bytes().to_vec()).await?;
    let open = gate(world).await?;
    check("and opens when they are handed in", "exit 0", format!("exit {open}"), open == 0);

    let concluded = impact::play(&rest, of, &line, &mut played.checks).await?;
    impact::reported(&rest, &diagnosis, &mut played.checks).await?;

    let held = played.checks.iter().filter(|check| check.holds).count();
    played.summary = Summary {
        threats: count(trace.threats.len()),
        shown: count(trace.threats.iter().filter(|one| one.verdict == "shown").count()),
        missing_links: count(trace.gaps.len()),
        live_checks: count(live.len()),
        live_failures: count(failing),
        impact_assessments: concluded,
        checks: played.checks.len(),
        checks_held: held,
    };
    Ok(played)
}

/// The exit code of `tegata gate`, as a pipeline calls it.
async fn gate(world: &World) -> anyhow::Result<i32> {
    let policy: PathBuf = world.site.dir.join("gate.yaml");
    std::fs::write(&policy, POLICY)?;
    let maker = Who::Yamato.slug();
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command
        .args(["gate", "--product", &format!("{maker}/{}", Line::Gate.slug()), "--policy"])
        .arg(&policy)
        .args(["--server", &world.site.tls_url])
        .arg("--credential")
        .arg(world.site.credentials.join(format!("{maker}-administrator.pem")))
        .arg("--roots")
        .arg(world.site.dir.join("root.pem"))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let status = tokio::task::spawn_blocking(move || command.status()).await??;
    status.code().context("the gate was killed")
}
