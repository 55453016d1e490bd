//! The tests against software that others wrote: the scripts in `interop/`.
//!
//! Each script prints one line per case, `ok …`, `FAIL …` or `SKIPPED …`, and exits non-zero when
//! a case failed. A script that needs a running platform starts its own, on free ports of the
//! loopback, in its own folder. As many scripts run at once as the machine has cores: most of their time
//! they wait for each other's programs. What each one said is printed when it has ended, in one piece.

use crate::{
    process::{must, timed},
    test::{Outcome, programs},
    tools::{debian, python},
};
use anyhow::{Context as _, Result, bail};
use std::{
    collections::VecDeque,
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

const FOLDER: &str = "interop";
const OUT: &str = "target/interop";
const VENV: &str = "target/interop-venv";
/// However many cores there are: each script may run a browser, a broker and platforms.
const AT_ONCE_MAX: usize = 4;
/// Those that look at the clock: what must be so within a second is not asked of a machine that is busy with
/// something else.
const ALONE: &[&str] = &["test_consent", "test_cut_off", "test_policy"];
/// What the scripts call, as Debian packages it.
const PACKAGES: &[&str] = &[
    "chromium",
    "chromium-driver",
    "cpio",
    "curl",
    "dmtx-utils",
    "faketime",
    "fonts-noto-cjk",
    "g++",
    "gnutls-bin",
    "libcoap3-bin",
    "libstrongswan-standard-plugins",
    "mosquitto-clients",
    "nats-server",
    "openssl",
    "poppler-utils",
    "python3",
    "python3-venv",
    "rabbitmq-server",
    "rauc",
    "rpm",
    "rsyslog",
    "rsyslog-openssl",
    "squashfs-tools",
    "strongswan-pki",
    "swupdate",
    "zbar-tools",
];

#[derive(Default)]
struct Count {
    passed: usize,
    failed: usize,
    skipped: usize,
}

/// Installs what the scripts call; `false` where it is missing and we may not, which is no excuse
/// for a machine that checks submissions.
pub(crate) fn packages() -> Result<bool> {
    let installed = debian(PACKAGES)?;
    if !installed && std::env::var_os("CI").is_some() {
        bail!("the foreign software is missing and cannot be installed");
    }
    Ok(installed)
}

impl Count {
    fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// The step of `cargo xtask test`.
pub(crate) fn step() -> Result<Outcome> {
    all(None)
}

/// Runs one script, or all.
pub(crate) fn run(only: Option<&str>) -> Result<()> {
    match all(only)? {
        Outcome::Passed(note) | Outcome::Skipped(note) => eprintln!("interop: {note}"),
    }
    Ok(())
}

/// Where the pictures of the pages go.
const SCREENS: &str = "target/screens";

/// Writes a picture of every page, or of those named, to `target/screens`.
pub(crate) fn screens(pages: &[String]) -> Result<()> {
    if !packages()? {
        bail!("Chromium is missing and may not be installed");
    }
    let root = fs::canonicalize(".")?;
    let python = root.join(environment()?);
    programs()?;
    let out = root.join(SCREENS);
    fs::create_dir_all(&out)?;
    fs::create_dir_all(OUT)?;
    keep_ports()?;
    let mut command = Command::new(&python);
    command
        .arg(Path::new(FOLDER).join("screens.py"))
        .args(pages)
        .env("ROOT", &root)
        .env("OUT", &out)
        .env("PORTS", root.join(ports()))
        .env("TEGATA", root.join("target/debug/tegata"))
        .env("PROFILES", root.join("target/debug/examples/profiles"));
    must(&mut command)
}

/// The interpreter with the Python packages of the scripts.
fn environment() -> Result<PathBuf> {
    let lists = ["requirements.txt", "requirements-alone.txt"];
    let [whole, alone] = lists.map(|list| Path::new(FOLDER).join(list));
    python(Path::new(VENV), &whole, &alone)
}

fn all(only: Option<&str>) -> Result<Outcome> {
    let scripts = scripts(only)?;
    if !packages()? {
        eprintln!("SKIPPED: interop: the foreign software is missing and may not be installed");
        return Ok(Outcome::Skipped("foreign software is missing".into()));
    }
    let python = fs::canonicalize(".")?.join(environment()?);
    programs()?;
    let (alone, others) = scripts.into_iter().partition(|script| {
        let name = script.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        ALONE.contains(&&*name)
    });
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut total = run_scripts(others, cores.min(AT_ONCE_MAX), &python)?;
    total.add(&run_scripts(alone, 1, &python)?);
    let note = format!("{} passed, {} skipped", total.passed, total.skipped);
    if total.failed > 0 {
        bail!("{} of the cases failed, {note}", total.failed);
    }
    if total.skipped > 0 {
        return Ok(Outcome::Skipped(note));
    }
    Ok(Outcome::Passed(note))
}

fn scripts(only: Option<&str>) -> Result<Vec<PathBuf>> {
    let mut scripts = Vec::new();
    for entry in fs::read_dir(FOLDER).with_context(|| format!("cannot read {FOLDER}"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // `test_*.py` and `test_*.sh` are tests, the rest is what they share.
        let stem = name.strip_prefix("test_").and_then(|rest| rest.split_once('.'));
        if let Some((stem, "py" | "sh")) = stem
            && only.is_none_or(|only| only == stem)
        {
            scripts.push(path);
        }
    }
    scripts.sort();
    if scripts.is_empty() {
        bail!("no test {} in {FOLDER}", only.unwrap_or("at all"));
    }
    Ok(scripts)
}

/// Runs the scripts, several at once, and prints what each said.
fn run_scripts(scripts: Vec<PathBuf>, at_once: usize, python: &Path) -> Result<Count> {
    fs::create_dir_all(OUT)?;
    keep_ports()?;
    let waiting = Mutex::new(VecDeque::from(scripts));
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let (done, ended) = mpsc::channel::<(PathBuf, Result<Said>)>();
    thread::scope(|scope| {
        for _ in 0..at_once {
            let (done, next) = (done.clone(), &next);
            scope.spawn(move || {
                while let Some(script) = next() {
                    eprintln!("interop: {} begins", script.display());
                    let said = run_script(&script, python);
                    if done.send((script, said)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        let mut total = Count::default();
        for (script, said) in ended {
            let Said { text, count, took } = said?;
            eprintln!(
                "\n-- {name}\n{text}interop: {name}: {} passed, {} failed, {} skipped in {:.1} s",
                count.passed,
                count.failed,
                count.skipped,
                took.as_secs_f64(),
                name = script.display(),
            );
            total.add(&count);
        }
        Ok(total)
    })
}

/// What a script printed, on both streams.
struct Said {
    text: String,
    count: Count,
    took: Duration,
}

/// Where the port that was given last stands: shared by all scripts that run at once, whoever started them.
fn ports() -> PathBuf {
    Path::new(OUT).join("ports")
}

fn keep_ports() -> Result<()> {
    fs::OpenOptions::new().create(true).append(true).open(ports())?;
    Ok(())
}

fn run_script(script: &Path, python: &Path) -> Result<Said> {
    let root = fs::canonicalize(".")?;
    let stem = script.file_stem().unwrap_or_default();
    let out = root.join(OUT).join(stem);
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    fs::create_dir_all(&out)?;
    let interpreter = match script.extension().and_then(|extension| extension.to_str()) {
        Some("py") => python.to_path_buf(),
        _ => PathBuf::from("bash"),
    };
    let (log, complaints) = (out.with_extension("log"), out.with_extension("err"));
    let (stdout, stderr) = (fs::File::create(&log)?, fs::File::create(&complaints)?);
    let mut command = Command::new(interpreter);
    command
        .arg(script)
        .env("ROOT", &root)
        .env("OUT", &out)
        .env("PORTS", root.join(ports()))
        .env("TEGATA", root.join("target/debug/tegata"))
        .env("PROFILES", root.join("target/debug/examples/profiles"))
        .env("PYTHON", python)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr);
    let (status, took) = timed(|| command.status());
    let status = status.with_context(|| format!("cannot start {}", script.display()))?;
    let said = fs::read(&log)?;
    let mut count = counted(&String::from_utf8_lossy(&said));
    let all = [said, fs::read(&complaints)?].concat();
    let mut text = String::from_utf8_lossy(&all).into_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    if !status.success() && count.failed == 0 {
        text.push_str(&format!("FAIL {} ended with {status}\n", script.display()));
        count.failed += 1;
    }
    if count.passed + count.failed + count.skipped == 0 {
        text.push_str(&format!("FAIL {} tested nothing\n", script.display()));
        count.failed += 1;
    }
    Ok(Said { text, count, took })
}

fn counted(text: &str) -> Count {
    let mut count = Count::default();
    for line in text.lines() {
        match line.split_whitespace().next() {
            Some("ok") => count.passed += 1,
            Some("FAIL") => count.failed += 1,
            Some("SKIPPED") => count.skipped += 1,
            _ => {}
        }
    }
    count
}
