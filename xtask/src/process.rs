//! Running other programs, and measuring how long they take.

use anyhow::{Context as _, Result, bail};
use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// A command from a program and its arguments.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    // Set by the outer `cargo run`; they would make the inner cargo rebuild or misplace things.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_NAME", "CARGO_PKG_VERSION"]
    {
        command.env_remove(name);
    }
    // A machine that checks a tree builds it once: what would speed up the next build of the same
    // tree is several gigabytes that nobody reads.
    if std::env::var_os("CI").is_some() {
        command.env("CARGO_INCREMENTAL", "0");
    }
    command
}

/// The cargo that started us.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    command(&cargo, arguments)
}

/// Runs with our own output streams; an error when it does not succeed.
pub(crate) fn must(command: &mut Command) -> Result<()> {
    announce(command);
    let status = command.status().with_context(|| format!("cannot start {}", line(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", line(command));
    }
    Ok(())
}

/// Runs quietly and gives standard output; an error with both outputs when it does not succeed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {}", line(command)))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed: {}\n{text}{errors}", line(command), output.status);
    }
    Ok(text)
}

/// Whether it starts and succeeds, quietly.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs, passes standard error on line by line and gives the last line that contains `wanted`,
/// with whether the command succeeded.
pub(crate) fn watch(command: &mut Command, wanted: &str) -> Result<(bool, Option<String>)> {
    announce(command);
    let mut child = command
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", line(command)))?;
    let mut found = None;
    if let Some(stderr) = child.stderr.take() {
        for text in BufReader::new(stderr).lines() {
            let text = text?;
            eprintln!("{text}");
            if text.contains(wanted) {
                found = Some(text);
            }
        }
    }
    Ok((child.wait()?.success(), found))
}

/// The result of `work` and how long it took.
#[expect(clippy::disallowed_methods, reason = "a chore measures itself; nothing decides by it")]
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

fn announce(command: &Command) {
    eprintln!("$ {}", line(command));
}

fn line(command: &Command) -> String {
    let mut words = vec![short(&command.get_program().to_string_lossy())];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

fn short(program: &str) -> String {
    program.rsplit('/').next().unwrap_or(program).to_owned()
}
