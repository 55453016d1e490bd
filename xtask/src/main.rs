//! Chores of the workspace: `cargo xtask help` lists them.
//!
//! Depends on next to nothing, so that the first `cargo xtask` in a fresh clone starts soon.

mod arguments;
mod fuzz;
mod interop;
mod process;
mod release;
mod test;
mod tidy;
mod tools;

use anyhow::{Result, bail};
use std::{path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    match run(&given) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(given: &[String]) -> Result<()> {
    let arguments = arguments::parse(given)?;
    std::env::set_current_dir(root()?)?;
    match arguments {
        arguments::Arguments::Help => {
            print!("{}", arguments::HELP);
            Ok(())
        }
        arguments::Arguments::Tidy => {
            let findings = tidy::run()?;
            if findings > 0 {
                bail!("tidy: {findings} findings");
            }
            eprintln!("tidy: nothing found");
            Ok(())
        }
        arguments::Arguments::Test(selection) => test::run(&selection),
        arguments::Arguments::Fuzz { target, seconds } => {
            fuzz::run(target.as_deref(), fuzz::Effort::Search { seconds })
        }
        arguments::Arguments::FuzzList { write } => fuzz::list(write),
        arguments::Arguments::Interop { script } => interop::run(script.as_deref()),
        arguments::Arguments::Screens(pages) => interop::screens(&pages),
        arguments::Arguments::Bench(rest) => release::bench(&rest),
        arguments::Arguments::Release => release::release(),
    }
}

/// The workspace's root, wherever the command was started.
fn root() -> Result<PathBuf> {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let root = match &manifest {
        Some(xtask) => xtask.parent().map(PathBuf::from),
        None => Some(std::env::current_dir()?),
    };
    match root {
        Some(root) if root.join("crates").is_dir() => Ok(root),
        _ => bail!("cannot find the workspace; start this as `cargo xtask` inside it"),
    }
}
