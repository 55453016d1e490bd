//! `cargo xtask test`: everything that must hold before a change lands.

use crate::{
    fuzz, interop,
    process::{cargo, command, must, output, succeeds, timed, watch},
    tidy,
    tools::{DENY, NEXTEST, cargo_tool},
};
use anyhow::{Context as _, Result, bail};
use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// Names what `third_party/` carries, as the registry has it.
const RELEASED: &str = "third_party/released/Cargo.toml";

/// Which steps to run: all, unless some are named.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) only: Vec<String>,
    pub(crate) skip: Vec<String>,
    pub(crate) list: bool,
}

/// One step of the test.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    what: &'static str,
    run: fn() -> Result<Outcome>,
}

/// How a step ended, when it did not fail.
pub(crate) enum Outcome {
    /// Passed, with a line for the summary.
    Passed(String),
    /// Passed in part: what was left out, and why.
    Skipped(String),
}

/// In the order in which they run: what fails soonest first, and the tests before what needs the
/// binary that they build.
pub(crate) const STEPS: &[Step] = &[
    Step { name: "tools", what: "what the other steps call is installed", run: tools_step },
    Step { name: "fmt", what: "rustfmt finds nothing to change", run: fmt },
    Step { name: "tidy", what: "directions, invariants and documents", run: tidy_step },
    Step { name: "clippy", what: "no warning in any target or feature", run: clippy },
    Step { name: "deny", what: "licences, bans, sources, advisories", run: deny },
    Step { name: "nextest", what: "unit, integration and property tests", run: nextest },
    Step { name: "doctest", what: "examples in the documentation", run: doctest },
    Step {
        name: "doc",
        what: "documentation builds without a warning, and the programs alone",
        run: doc,
    },
    Step { name: "commands", what: "commands in the documents exist", run: commands },
    Step { name: "interop", what: "foreign software against ours", run: interop::step },
    Step { name: "fuzz", what: "the same 50,000 inputs to every fuzz target", run: fuzz::step },
];

struct Row {
    step: &'static Step,
    took: Duration,
    result: Result<Outcome>,
}

/// Runs the selected steps, all of them even after a failure, and sums up.
pub(crate) fn run(selection: &Selection) -> Result<()> {
    if selection.list {
        for step in STEPS {
            println!("{:10} {}", step.name, step.what);
        }
        return Ok(());
    }
    let mut rows = Vec::new();
    for step in STEPS.iter().filter(|step| selection.wants(step.name)) {
        eprintln!("\n==== {}: {}", step.name, step.what);
        let (result, took) = timed(step.run);
        if let Err(error) = &result {
            eprintln!("{}: {error:#}", step.name);
        }
        rows.push(Row { step, took, result });
    }
    summary(&rows);
    let failed: Vec<&str> =
        rows.iter().filter(|row| row.result.is_err()).map(|row| row.step.name).collect();
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

impl Selection {
    fn wants(&self, name: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|listed| listed == name);
        (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
    }
}

/// The seed of the property tests, unless the caller sets one: a run of this command tells about the
/// tree, not about luck. Other cases are looked for on purpose: CONTRIBUTING.md says how.
const PROPTEST_SEED: (&str, &str) = ("PROPTEST_RNG_SEED", "20261121");

/// The table, and as the very last line what nextest counted, where a reader looks for it.
fn summary(rows: &[Row]) {
    eprintln!("\n==== summary");
    let mut total = Duration::ZERO;
    let mut counted = None;
    for Row { step, took, result } in rows {
        total += *took;
        let (mark, note) = match result {
            Ok(Outcome::Passed(note)) => ("ok", note.clone()),
            Ok(Outcome::Skipped(note)) => ("SKIPPED", note.clone()),
            Err(error) => ("FAILED", first_line(&format!("{error:#}"))),
        };
        eprintln!("{:10} {:>7.1} s  {mark:8} {note}", step.name, took.as_secs_f64());
        if step.name == "nextest" {
            counted = Some(note);
        }
    }
    eprintln!("{:10} {:>7.1} s", "total", total.as_secs_f64());
    if let Some(counted) = counted {
        eprintln!("{counted}");
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(160).collect()
}

fn passed(note: &str) -> Result<Outcome> {
    Ok(Outcome::Passed(note.into()))
}

/// `--locked` where a machine checks a submission: there the lock file must fit as it stands.
pub(crate) fn locked() -> &'static [&'static str] {
    if std::env::var_os("CI").is_some() { &["--locked"] } else { &[] }
}

/// What building and testing everything writes, from an empty target folder.
const ROOM_GIB: u64 = 24;

/// Says so where the disk has less: what fails for it later, fails for reasons that name no disk.
fn room() {
    let free = output(&mut command("df", &["--output=avail", "--block-size=1G", "."]));
    let free = free.ok().and_then(|it| it.lines().last()?.trim().parse::<u64>().ok());
    if let Some(free) = free {
        eprintln!("free on the disk: {free} GiB");
        if free < ROOM_GIB {
            eprintln!("WARNING: an empty target folder grows to {ROOM_GIB} GiB: free some first");
        }
    }
}

fn tools_step() -> Result<Outcome> {
    room();
    cargo_tool(&DENY)?;
    cargo_tool(&NEXTEST)?;
    if interop::packages()? {
        return passed("");
    }
    Ok(Outcome::Skipped("foreign software is missing and may not be installed".into()))
}

fn fmt() -> Result<Outcome> {
    must(&mut cargo(&["fmt", "--all", "--check"]))?;
    must(&mut cargo(&["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]))?;
    passed("")
}

fn tidy_step() -> Result<Outcome> {
    match tidy::run()? {
        0 => passed(""),
        findings => bail!("{findings} findings, printed above"),
    }
}

fn clippy() -> Result<Outcome> {
    let mut command = cargo(&["clippy", "--workspace", "--all-targets", "--all-features"]);
    must(command.args(locked()).args(["--", "--deny", "warnings"]))?;
    passed("")
}

fn deny() -> Result<Outcome> {
    cargo_tool(&DENY)?;
    must(&mut cargo(&["deny", "--all-features", "check", "bans", "licenses", "sources"]))?;
    released()?;
    // The advisories are a git repository elsewhere, which not every machine reaches.
    if succeeds(&mut cargo(&["deny", "fetch", "db"])) {
        must(&mut cargo(&["deny", "--all-features", "check", "advisories"]))?;
        // What is carried here has no source, and nothing would be said of it.
        must(&mut cargo(&["deny", "--manifest-path", RELEASED, "check", "advisories"]))?;
        return passed("");
    }
    eprintln!("SKIPPED: advisories: their database cannot be fetched from here");
    Ok(Outcome::Skipped("advisories only: their database cannot be fetched from here".into()))
}

/// The digests that tidy compares with are those of the registry's release, which cargo holds against the
/// checksum of the lock file.
fn released() -> Result<()> {
    let all = ["metadata", "--format-version", "1", "--locked", "--manifest-path", RELEASED];
    let all: serde_json::Value = serde_json::from_str(&output(&mut cargo(&all))?)?;
    let text = |it: &serde_json::Value, of: &str| it.get(of)?.as_str().map(str::to_owned);
    let is_it = |it: &&serde_json::Value| {
        text(it, "name").as_deref() == Some("dimpl") && text(it, "source").is_some()
    };
    let found = all.get("packages").and_then(|it| it.as_array()).into_iter().flatten().find(is_it);
    let manifest = found.and_then(|it| text(it, "manifest_path"));
    let manifest = manifest.context("the registry's dimpl is not in the metadata")?;
    let folder = Path::new(&manifest).parent().context("a manifest without a folder")?;
    let sums = std::env::current_dir()?.join(tidy::RELEASED_DIGESTS);
    let sums = sums.to_string_lossy();
    must(command("sha256sum", &["--check", "--quiet", "--strict", &sums]).current_dir(folder))
}

/// Whether this run built all tests, and the programs that they start.
static BUILT: AtomicBool = AtomicBool::new(false);

/// Makes the programs and the example that foreign software meets. After the tests they are there: what
/// tests ask for more of libraries (tokio's clock that can be stopped) would else have most of it built
/// again without. That it compiles without is checked by the step `doc`.
pub(crate) fn programs() -> Result<()> {
    if BUILT.load(Ordering::Relaxed) {
        let all = ["test", "--quiet", "--no-run", "--workspace", "--all-features"];
        return output(cargo(&all).args(locked())).map(drop);
    }
    output(cargo(&["build", "--quiet", "-p", "tegata", "-p", "agent"]).args(locked()))?;
    output(cargo(&["build", "--quiet", "-p", "pki", "--example", "profiles"]).args(locked()))?;
    Ok(())
}

fn nextest() -> Result<Outcome> {
    cargo_tool(&NEXTEST)?;
    let mut command = cargo(&["nextest", "run", "--workspace", "--all-features", "--no-fail-fast"]);
    let (name, seed) = PROPTEST_SEED;
    if std::env::var_os(name).is_none() {
        command.env(name, seed);
    }
    let (ok, summary) =
        watch(command.args(locked()).env("NEXTEST_NO_INPUT_HANDLER", "1"), "Summary [")?;
    let Some(summary) = summary else {
        bail!("nextest ran nothing; the build failed");
    };
    BUILT.store(true, Ordering::Relaxed);
    if !ok {
        bail!("{}", summary.trim());
    }
    passed(summary.trim())
}

fn doctest() -> Result<Outcome> {
    let mut command = cargo(&["test", "--quiet", "--doc", "--workspace", "--all-features"]);
    must(command.args(locked()))?;
    passed("")
}

fn doc() -> Result<Outcome> {
    let mut command = cargo(&["doc", "--quiet", "--no-deps", "--workspace", "--all-features"]);
    must(command.args(locked()).env("RUSTDOCFLAGS", "--deny warnings"))?;
    // And the programs compile without what tests ask for more of libraries. Most of it was checked for this.
    must(cargo(&["check", "--quiet", "-p", "tegata", "-p", "agent"]).args(locked()))?;
    must(cargo(&["check", "--quiet", "-p", "pki", "--example", "profiles"]).args(locked()))?;
    passed("")
}

fn commands() -> Result<Outcome> {
    programs()?;
    let (findings, checked) = tidy::commands()?;
    if findings > 0 {
        bail!("{findings} findings, printed above");
    }
    passed(&format!("{checked} commands"))
}
