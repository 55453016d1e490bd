//! `tegata demo`: the whole life of a fleet through a real server, with everybody who takes part
//! and a cast of attackers.
//!
//! Everything goes through the doors: REST over mutual TLS with each organisation's own
//! credentials, EST with the devices' own, OCSP, CRLs and tiles over plain HTTP. Only the root
//! ceremony happens where it belongs, away from the server.

mod ask;
mod attacks;
mod crowd;
mod diagnosed;
mod doors;
mod forgeries;
mod impact;
mod life;
mod log;
mod people;
mod plan;
mod refusals;
pub mod rogue;
mod rows;
mod stage;
mod stay;
mod thing;
mod updates;
mod world;

use crate::{
    cli::{DemoArgs, Language},
    output::{Output, progress},
};
use anyhow::Context as _;
use ask::{Question, offline};
use attacks::Attack;
use crowd::each;
use device::{Purpose, ReasonCode};
use indicatif::ProgressBar;
use life::Life;
use plan::{Fate, Plan};
use rows::{Check, Expected, Part, Row};
use serde::Serialize;
use std::{collections::BTreeMap, path::PathBuf, process::ExitCode, sync::Arc};
use thing::Thing;
use tokio::time::Instant;
use world::World;

/// Passports exported and judged offline at most; more show nothing new.
const PASSPORTS_MAX: usize = 2_000;

/// Runs `tegata demo`: success only where every verdict was as expected and every check held.
pub async fn run(args: &DemoArgs, output: Output, language: Language) -> anyhow::Result<ExitCode> {
    let folder = Folder::new(args)?;
    let mut clock = Steps::new(output);
    let (world, running) = world::build(&folder.path(), language.into()).await?;
    clock.lap("setup");
    let world = Arc::new(world);
    let played = play(&world, args, &mut clock).await;
    // What was learnt is shown even where the play broke off.
    let code = match &played {
        Ok(outcome) => {
            show(outcome, &clock, output)?;
            outcome.code()
        }
        Err(_) => ExitCode::FAILURE,
    };
    if args.stay
        && let Ok(outcome) = &played
    {
        let links = running.links().await?;
        stay::wait(&world.site, &outcome.example, &links, output).await?;
    }
    drop(world);
    running.stop().await?;
    played.map(|_| code)
}

/// What came of it.
struct Outcome {
    rows: Vec<Row>,
    checks: Vec<Check>,
    updates: updates::Played,
    diagnosed: diagnosed::Diagnosed,
    entries: u64,
    root: crypto::Sha256,
    /// a genuine device to look at
    example: Thing,
}

impl Outcome {
    fn wrong(&self) -> usize {
        self.rows.iter().filter(|row| !row.right()).count()
    }

    fn all_checks(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().chain(&self.updates.checks).chain(&self.diagnosed.checks)
    }

    fn code(&self) -> ExitCode {
        let broken = self.all_checks().any(|check| !check.holds);
        if self.wrong() > 0 || broken { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

async fn play(world: &Arc<World>, args: &DemoArgs, clock: &mut Steps) -> anyhow::Result<Outcome> {
    let begin = log::checkpoint(world).await?;
    let genuine = usize::try_from(args.devices)?;
    let lives = grow(world, genuine, clock).await?;
    let mut fleet = lives;
    let bar = clock.bar(1, "updated");
    let updates = Box::pin(updates::play(world, &mut fleet, &bar)).await.context("updates")?;
    clock.done(&bar, "updates");
    let bar = clock.bar(1, "diagnosed");
    let diagnosed = Box::pin(diagnosed::play(world)).await.context("diagnosis")?;
    clock.done(&bar, "diagnosis");
    let cast = fleet.split_off(genuine);

    let bar = clock.bar(fleet.len(), "judged");
    let judged = step(world, fleet, &bar, |world, mut life| async move {
        let row = judge(&world, &mut life).await?;
        Ok((life, row))
    });
    let (mut fleet, mut rows): (Vec<Life>, Vec<Row>) = judged.await?.into_iter().unzip();
    clock.done(&bar, "verdicts");

    log::settle(world).await?;
    let exported = fleet.len().min(PASSPORTS_MAX);
    let bar = clock.bar(exported, "passports judged offline");
    let some: Vec<Life> = fleet.iter().take(exported).cloned().collect();
    let verdicts = step(world, some, &bar, |world, life| async move {
        let purpose = purpose(life.plan.fate);
        let verdict = offline(&world, life.owner(&world)?, life.thing.id, purpose).await?;
        Ok(rows::Given::from(&verdict))
    });
    for (row, given) in rows.iter_mut().zip(verdicts.await?) {
        row.offline = Some(given);
    }
    clock.done(&bar, "passports");

    let bar = clock.bar(cast.len() + 1, "attacks");
    let attackers: Vec<(Attack, Life)> = Attack::ALL.into_iter().zip(cast).collect();
    let former = attackers.iter().find_map(|(_, life)| life.former.clone());
    let shared = Arc::clone(world);
    let attacked = each(attackers, &bar, move |(attack, life)| attack.play(shared.clone(), life));
    let mut checks = Vec::new();
    for (its_rows, its_checks) in attacked.await? {
        rows.extend(its_rows);
        checks.extend(its_checks);
    }
    let mut at_work = fleet.iter_mut().filter(|life| life.plan.fate == Fate::Works);
    let (Some(first), Some(second)) = (at_work.next(), at_work.next()) else {
        anyhow::bail!("the fleet is too small")
    };
    rows.extend(forgeries::play(world, first, second).await?);
    let example = first.thing.clone();
    let certificate = example.certificate()?.clone();
    clock.done(&bar, "attacks");

    let bar = clock.bar(3, "revocation, log, witness");
    let by_code = fleet.iter().find(|life| life.plan.fate == Fate::Works && life.code.is_some());
    let by_code = by_code.context("nothing was enrolled by a code")?;
    checks.extend(doors::strangers(world, &by_code.thing, by_code.code.as_deref()).await?);
    let former = former.context("nothing was sold again")?;
    checks.extend(doors::revocation(world, &certificate, &former).await?);
    bar.inc(1);
    let end = log::settle(world).await?;
    checks.extend(log::audit(world, &begin.head, &end.head).await?);
    bar.inc(1);
    checks.extend(log::witness(world, &begin).await?);
    clock.done(&bar, "log");
    let (entries, root) = (end.head.size, end.head.root);
    Ok(Outcome { rows, checks, updates, diagnosed, entries, root, example })
}

/// Makes the fleet and the attackers' victims, and lets them live.
async fn grow(world: &Arc<World>, genuine: usize, clock: &mut Steps) -> anyhow::Result<Vec<Life>> {
    let mut plans: Vec<Plan> = (0..genuine).map(Plan::of).collect();
    plans.extend(Attack::ALL.into_iter().map(Attack::plan));
    let wanted = plans.len() + plans.iter().filter(|plan| plan.repaired).count();

    let bar = clock.bar(wanted, "chips made");
    let chips = life::make_chips(world, wanted, &bar).await?;
    clock.done(&bar, "chips");

    let bar = clock.bar(plans.len(), "devices made");
    let lives = life::make_devices(world, plans, chips, &bar).await?;
    clock.done(&bar, "devices");

    let bar = clock.bar(lives.len(), "delivered");
    let lives = step(world, lives, &bar, |world, mut life| async move {
        life::deliver(&world, &mut life).await?;
        Ok(life)
    });
    let lives = lives.await?;
    clock.done(&bar, "delivery");

    let bar = clock.bar(lives.len(), "onboarded");
    let mut codes = life::vouch(world, &lives).await?;
    let lives = lives.into_iter().map(|life| Life { code: codes.remove(&life.thing.id), ..life });
    let lives = step(world, lives.collect(), &bar, |world, mut life| async move {
        if life.plan.fate != Fate::Shelved {
            life::commission(&world, &mut life).await?;
        }
        Ok(life)
    });
    let lives = lives.await?;
    clock.done(&bar, "onboarding");

    let bar = clock.bar(lives.len(), "renewed, repaired, sold");
    let lives = step(world, lives, &bar, |world, mut life| async move {
        life::age(&world, &mut life).await?;
        Ok(life)
    });
    let lives = lives.await?;
    clock.done(&bar, "service life");
    Ok(lives)
}

/// One step in the life of many.
async fn step<R, F, W>(
    world: &Arc<World>,
    lives: Vec<Life>,
    bar: &ProgressBar,
    work: F,
) -> anyhow::Result<Vec<R>>
where
    R: Send + 'static,
    F: Fn(Arc<World>, Life) -> W,
    W: Future<Output = anyhow::Result<R>> + Send + 'static,
{
    each(lives, bar, |life| {
        let what = format!("{} ({})", life.thing.serial_number, life.plan.story());
        let work = work(Arc::clone(world), life);
        async move { work.await.context(what) }
    })
    .await
}

/// The platform's verdict on a genuine device: at work it proves itself, at its end it is silent.
async fn judge(world: &World, life: &mut Life) -> anyhow::Result<Row> {
    let owner = life.owner(world)?;
    let question = Question::new(owner, life.thing.id);
    let (expected, verdict) = match life.plan.fate {
        Fate::Works => {
            let question = question.at_work_for(&owner.id).answered_by(&mut life.thing).await?;
            (Expected::GENUINE, question.verdict().await?)
        }
        Fate::Retired => (Expected::rejected(ReasonCode::Retired), question.verdict().await?),
        Fate::Disposed => (Expected::rejected(ReasonCode::Disposed), question.verdict().await?),
        Fate::Shelved => (Expected::GENUINE, question.verdict().await?),
    };
    let row = Row::attack(life.thing.id, life.plan.story(), expected).online(&verdict);
    Ok(Row { part: Part::Fleet, ..row })
}

fn purpose(fate: Fate) -> Purpose {
    if fate == Fate::Works { Purpose::Operate } else { Purpose::Inspect }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Summary {
    /// cases judged: genuine devices, and what attackers brought
    devices: usize,
    judged_right: usize,
    judged_wrong: usize,
    /// in how many cases a reason was given; *genuine* counts those that were
    reasons: BTreeMap<String, u64>,
    ledger: Ledger,
    updates: Updates,
    /// a product's threats, and what shows that they are treated
    assessment: diagnosed::Summary,
    /// per step, and in all
    seconds: BTreeMap<String, f64>,
}

/// Campaigns over the fleet, and what devices refused.
#[derive(Serialize)]
struct Updates {
    campaigns: Vec<updates::Summary>,
    /// how often a device refused something, by code
    refused: BTreeMap<String, u64>,
    checks: usize,
    checks_held: usize,
}

#[derive(Serialize)]
struct Ledger {
    entries: u64,
    root: String,
}

/// Prints what came of it.
fn show(outcome: &Outcome, clock: &Steps, output: Output) -> anyhow::Result<()> {
    let wrong = outcome.wrong();
    let right = outcome.rows.len() - wrong;
    if output.json {
        let summary = Summary {
            devices: outcome.rows.len(),
            judged_right: right,
            judged_wrong: wrong,
            reasons: rows::reasons(&outcome.rows),
            ledger: Ledger { entries: outcome.entries, root: outcome.root.to_string() },
            updates: Updates {
                campaigns: outcome.updates.campaigns.clone(),
                refused: outcome.updates.refused.clone(),
                checks: outcome.updates.checks.len(),
                checks_held: held(&outcome.updates.checks),
            },
            assessment: outcome.diagnosed.summary.clone(),
            seconds: clock.seconds(),
        };
        output.line(&serde_json::to_string(&summary)?)?;
        for check in outcome.all_checks().filter(|check| !check.holds) {
            eprintln!("{}: expected {}, found {}", check.what, check.expected, check.given);
        }
        for row in outcome.rows.iter().filter(|row| !row.right()) {
            eprintln!("{row:?}");
        }
        return Ok(());
    }
    output.line("The fleet")?;
    output.line(&rows::rows_table(&outcome.rows, Part::Fleet))?;
    output.line("\nThe attackers, and what is told apart")?;
    output.line(&rows::rows_table(&outcome.rows, Part::Attack))?;
    output.line("\nUpdates: a campaign, a bad release, and who lies about them")?;
    output.line(&rows::checks_table(&outcome.updates.checks))?;
    output.line("\nA product diagnosed: threats, evidence, the gate")?;
    output.line(&rows::checks_table(&outcome.diagnosed.checks))?;
    output.line("\nBeside the verdicts")?;
    output.line(&rows::checks_table(&outcome.checks))?;
    let seconds: Vec<String> =
        clock.laps.iter().map(|(step, seconds)| format!("{step} {seconds:.2}")).collect();
    output.line(&format!(
        "\n{right} of {} judged as expected, {} of {} checks hold\nlog of {} entries, root {}\n\
         seconds: {}; in all {:.2}",
        outcome.rows.len(),
        outcome.all_checks().filter(|check| check.holds).count(),
        outcome.all_checks().count(),
        outcome.entries,
        outcome.root,
        seconds.join(", "),
        clock.start.elapsed().as_secs_f64(),
    ))
}

fn held(checks: &[Check]) -> usize {
    checks.iter().filter(|check| check.holds).count()
}

/// How long each step took.
struct Steps {
    output: Output,
    start: Instant,
    last: Instant,
    laps: Vec<(&'static str, f64)>,
}

impl Steps {
    fn new(output: Output) -> Self {
        let now = Instant::now();
        Self { output, start: now, last: now, laps: Vec::new() }
    }

    fn bar(&self, length: usize, what: &'static str) -> ProgressBar {
        progress(length as u64, what, self.output.json)
    }

    fn done(&mut self, bar: &ProgressBar, step: &'static str) {
        bar.finish_and_clear();
        self.lap(step);
    }

    fn lap(&mut self, step: &'static str) {
        let now = Instant::now();
        let seconds = now.duration_since(self.last).as_secs_f64();
        self.last = now;
        self.laps.push((step, seconds));
        if !self.output.json {
            eprintln!("{step:14} {seconds:7.2} s");
        }
    }

    fn seconds(&self) -> BTreeMap<String, f64> {
        let round = |seconds: f64| (seconds * 1000.0).round() / 1000.0;
        let total = ("total", self.start.elapsed().as_secs_f64());
        self.laps
            .iter()
            .chain([&total])
            .map(|(step, seconds)| (step.replace(' ', "_"), round(*seconds)))
            .collect()
    }
}

/// The folder of the demo: the one asked for, or one that goes when the demo ends.
enum Folder {
    Kept(PathBuf),
    Passing(tempfile::TempDir),
}

impl Folder {
    fn new(args: &DemoArgs) -> anyhow::Result<Self> {
        let folder = match &args.dir {
            Some(dir) => Self::Kept(std::path::absolute(dir)?),
            None => Self::Passing(tempfile::Builder::new().prefix("tegata-demo-").tempdir()?),
        };
        let passports = folder.path().join("passports");
        std::fs::create_dir_all(&passports)
            .with_context(|| format!("cannot make the folder {}", passports.display()))?;
        Ok(folder)
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Kept(path) => path.clone(),
            Self::Passing(folder) => folder.path().to_owned(),
        }
    }
}
