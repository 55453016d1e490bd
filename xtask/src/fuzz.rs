//! Fuzz targets: built once with libFuzzer's instrumentation, then run two at a time.
//!
//! The stable toolchain suffices: instrumentation is an LLVM pass that `-C passes` switches on,
//! and the code under test has no `unsafe`, so no sanitizer is needed.

use crate::{
    process::{cargo, command, must, output},
    test::Outcome,
    tools::debian,
};
use anyhow::{Context as _, Result, anyhow, bail};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

const MANIFEST: &str = "fuzz/Cargo.toml";
const TARGETS: &str = "fuzz/fuzz_targets";
/// Inputs that the run starts from, kept in the repository.
const SEEDS: &str = "fuzz/seeds";
/// Everything that a run leaves behind.
const OUT: &str = "target/fuzz";
/// Longest input tried, in bytes: over the 64 KiB at which most doors refuse.
const INPUT_BYTES_MAX: u32 = 80_000;
/// The smoke tries the same inputs each time, so that whether a tree passes is not a matter of
/// luck or of the machine; a search for more is a run of its own. (Where other threads have a part in
/// it, as in `mqtt_session`, what the fuzzer learns and so what it tries may differ.)
const SMOKE: Effort = Effort::Smoke { seed: 1, runs: 50_000 };
/// How many targets run at once.
const AT_ONCE: usize = 2;

/// How much is tried.
#[derive(Clone, Copy)]
pub(crate) enum Effort {
    /// so many inputs from a seed, beginning with those in the repository
    Smoke { seed: u32, runs: u32 },
    /// for so many seconds, beginning with all that earlier searches found
    Search { seconds: u32 },
}

const INSTRUMENTATION: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// The step of `cargo xtask test`.
pub(crate) fn step() -> Result<Outcome> {
    run(None, SMOKE)?;
    Ok(Outcome::Passed(format!("{} targets", targets()?.len())))
}

/// Checks that files and `[[bin]]` entries agree; with `write`, adds the entries that are missing.
pub(crate) fn list(write: bool) -> Result<()> {
    let manifest = fs::read_to_string(MANIFEST).context(MANIFEST)?;
    let files = targets()?;
    let bins = bins(&manifest);
    let missing: Vec<&String> = files.difference(&bins).collect();
    let stale: Vec<&String> = bins.difference(&files).collect();
    if !stale.is_empty() {
        bail!("{MANIFEST} names fuzz targets without a file: {stale:?}; hint: remove the entries");
    }
    if missing.is_empty() {
        return Ok(());
    }
    if !write {
        bail!("{MANIFEST} has no entry for {missing:?}; hint: run `cargo xtask fuzz-list --write`");
    }
    let mut manifest = manifest;
    for name in missing {
        manifest.push_str(&format!(
            "\n[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\ntest = false\ndoc = \
             false\nbench = false\n"
        ));
    }
    fs::write(MANIFEST, manifest).context(MANIFEST)
}

/// Builds all targets and runs each, or one.
pub(crate) fn run(only: Option<&str>, effort: Effort) -> Result<()> {
    list(false)?;
    let targets: Vec<String> =
        targets()?.into_iter().filter(|name| only.is_none_or(|only| only == name)).collect();
    if targets.is_empty() {
        bail!("no fuzz target {}", only.unwrap_or("at all"));
    }
    if !debian(&["g++"])? {
        bail!("libFuzzer is C++ and needs a compiler");
    }
    let host = host()?;
    build(&host)?;
    let mut broken = Vec::new();
    for pair in targets.chunks(AT_ONCE) {
        let running: Vec<(&String, Child)> = pair
            .iter()
            .map(|name| Ok((name, start(name, &host, effort)?)))
            .collect::<Result<_>>()?;
        for (name, mut child) in running {
            let status = child.wait()?;
            let log = fs::read_to_string(log(name)).unwrap_or_default();
            let last = log.lines().rfind(|line| line.starts_with("Done")).unwrap_or("no result");
            eprintln!("fuzz: {name}: {last}");
            if !status.success() {
                let tail: Vec<&str> = log.lines().collect();
                let from = tail.len().saturating_sub(40);
                eprintln!("{}", tail.get(from..).unwrap_or_default().join("\n"));
                broken.push(name.clone());
            }
        }
    }
    if !broken.is_empty() {
        bail!("found by the fuzzer: {}; inputs are in {OUT}/artifacts", broken.join(", "));
    }
    Ok(())
}

/// Names of the targets that have a file.
pub(crate) fn targets() -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(TARGETS).with_context(|| format!("cannot read {TARGETS}"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let stem = path.file_stem().ok_or_else(|| anyhow!("a file without a name"))?;
            names.insert(stem.to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// Names of the `[[bin]]` entries.
fn bins(manifest: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut in_bin = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_bin = line.trim() == "[[bin]]";
        } else if let Some(name) = line.strip_prefix("name = ").filter(|_| in_bin) {
            names.insert(name.trim().trim_matches('"').to_owned());
        }
    }
    names
}

fn build(host: &str) -> Result<()> {
    let mut build = cargo(&["build", "--release", "--bins", "--manifest-path", MANIFEST]);
    // Naming the target keeps the flags away from build scripts and macros.
    build.args(["--target", host, "--target-dir", OUT]).env("RUSTFLAGS", INSTRUMENTATION);
    must(build.args(crate::test::locked()))
}

fn start(name: &str, host: &str, effort: Effort) -> Result<Child> {
    let corpus = match effort {
        Effort::Smoke { .. } => {
            let empty = PathBuf::from(OUT).join("smoke").join(name);
            if empty.exists() {
                fs::remove_dir_all(&empty)?;
            }
            empty
        }
        Effort::Search { .. } => PathBuf::from(OUT).join("corpus").join(name),
    };
    let artifacts = PathBuf::from(OUT).join("artifacts");
    // A fuzzer ends without a word to what it runs: whose folders are left are ours to empty.
    let temporary = std::env::current_dir()?.join(OUT).join("temporary").join(name);
    if temporary.exists() {
        fs::remove_dir_all(&temporary)?;
    }
    fs::create_dir_all(&temporary)?;
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let output = fs::File::create(log(name))?;
    let binary = format!("{OUT}/{host}/release/{name}");
    let mut fuzz = command(&binary, &[]);
    fuzz.env("TMPDIR", &temporary)
        .arg(format!("-max_len={INPUT_BYTES_MAX}"))
        .args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"])
        .arg(format!("-artifact_prefix={}/{name}-", artifacts.display()))
        .arg(&corpus);
    match effort {
        Effort::Smoke { seed, runs } => {
            fuzz.args([format!("-seed={seed}"), format!("-runs={runs}")])
        }
        Effort::Search { seconds } => fuzz.arg(format!("-max_total_time={seconds}")),
    };
    let seeds = Path::new(SEEDS).join(name);
    if seeds.is_dir() {
        fuzz.arg(seeds);
    }
    fuzz.stdout(Stdio::null())
        .stderr(output)
        .spawn()
        .with_context(|| format!("cannot start {binary}"))
}

fn log(name: &str) -> PathBuf {
    PathBuf::from(OUT).join(format!("{name}.log"))
}

fn host() -> Result<String> {
    let version = output(&mut command("rustc", &["-vV"]))?;
    version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| anyhow!("rustc does not name its host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_bins_of_a_manifest() {
        let manifest = "[package]\nname = \"fuzz\"\n[[bin]]\nname = \"csr\"\n[[bin]]\nname = \
                        \"tile\"\npath = \"x\"\n[lib]\nname = \"z\"\n";
        let found: Vec<String> = bins(manifest).into_iter().collect();
        assert_eq!(found, ["csr", "tile"]);
    }
}
