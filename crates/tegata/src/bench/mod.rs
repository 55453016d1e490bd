//! `tegata bench`: each figure beside its limit, both measured in the same run on the same machine.
//!
//! docs/performance.md explains every figure, its limit, and how to read the ratio.

mod assessment;
mod child;
mod console;
mod director;
mod est;
mod figure;
mod gateway;
mod issue;
mod ledger;
mod load;
mod machine;
mod ocsp;
mod pages;
mod polls;
mod update;
mod verdict;
mod world;

use crate::{
    cli::{BenchArgs, BenchWhat},
    commands::serve::told_to_stop,
    output::{Output, progress},
};
use anyhow::Context as _;
use figure::Figure;
pub use load::{drive, pieces};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Runs `tegata bench …` until it is done or told to stop.
pub async fn run(args: &BenchArgs, output: Output) -> anyhow::Result<()> {
    let (what, bench) = (args.what, Bench::new(args, output)?);
    // In a task of its own: a signal is heard also while it computes.
    let mut measuring = tokio::spawn(async move { measure(what, &bench).await });
    tokio::select! {
        measured = &mut measuring => measured?,
        told = told_to_stop() => {
            told?;
            // It ends where it waits next; servers and temporary folders end with it.
            measuring.abort();
            let _ = tokio::time::timeout(STOP_MAX, measuring).await;
            anyhow::bail!("stopped before the end");
        }
    }
}

async fn measure(what: BenchWhat, bench: &Bench) -> anyhow::Result<()> {
    match what {
        BenchWhat::Issue => issue::run(bench).await,
        BenchWhat::Est => est::run(bench).await,
        BenchWhat::Ocsp => ocsp::run(bench).await,
        BenchWhat::Ledger => ledger::run(bench).await,
        BenchWhat::Verdict => verdict::run(bench).await,
        BenchWhat::Console => console::run(bench).await,
        BenchWhat::Assessment => assessment::run(bench).await,
        BenchWhat::Update => update::run(bench).await,
        BenchWhat::Gateway => gateway::run(bench).await,
    }
}

/// How long a bench that is told to stop may take to clean up.
const STOP_MAX: Duration = Duration::from_secs(10);

/// One run: where its data is, how much is asked for, where figures go.
struct Bench {
    output: Output,
    dir: PathBuf,
    devices: Option<u32>,
    goosebit: Option<PathBuf>,
    /// removes the folder at the end, where it was ours
    _temporary: Option<tempfile::TempDir>,
}

impl Bench {
    fn new(args: &BenchArgs, output: Output) -> anyhow::Result<Self> {
        let (dir, temporary) = match &args.dir {
            Some(dir) => {
                std::fs::create_dir_all(dir)
                    .with_context(|| format!("cannot make the folder {}", dir.display()))?;
                (dir.clone(), None)
            }
            None => {
                let temporary = tempfile::Builder::new().prefix("tegata-bench-").tempdir()?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        if cfg!(debug_assertions) {
            eprintln!("warning: this is a debug build; figures are worth nothing, add --release");
        }
        let (devices, goosebit) = (args.devices, args.goosebit.clone());
        Ok(Self { output, dir, devices, goosebit, _temporary: temporary })
    }

    fn dir(&self) -> &Path {
        &self.dir
    }

    /// A virtual environment with goosebit, to be measured beside ours.
    fn goosebit(&self) -> Option<&Path> {
        self.goosebit.as_deref()
    }

    /// How many, where the caller did not say.
    fn count(&self, default: usize) -> usize {
        self.devices.map_or(default, |count| usize::try_from(count).unwrap_or(default)).max(1)
    }

    fn progress(&self, length: usize, what: &'static str) -> indicatif::ProgressBar {
        progress(u64::try_from(length).unwrap_or(u64::MAX), what, false)
    }

    /// Prints a figure as soon as it is known.
    fn show(&self, figure: &Figure) -> anyhow::Result<()> {
        self.output.one(figure, |figure| {
            format!(
                "{:8} {:>14} {:6} {:.3} × {} {} ({}): {}",
                figure.bench,
                figure.figure,
                figure.unit,
                figure.ratio,
                figure.limit,
                figure.unit,
                figure.limit_is,
                figure.what,
            )
        })
    }
}
