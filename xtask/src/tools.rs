//! Tools that the tests need, installed when they are missing and we may.

use crate::process::{cargo, command, must, output, succeeds};
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};

/// A cargo subcommand that comes from the registry.
pub(crate) struct CargoTool {
    subcommand: &'static str,
    package: &'static str,
    version: &'static str,
    /// what `cargo install` is told of its features
    features: &'static [&'static str],
}

/// Licences, bans, sources, advisories.
pub(crate) const DENY: CargoTool =
    CargoTool { subcommand: "deny", package: "cargo-deny", version: "0.20.2", features: &[] };
/// The test runner, without its own update, which nobody here asks for.
pub(crate) const NEXTEST: CargoTool = CargoTool {
    subcommand: "nextest",
    package: "cargo-nextest",
    version: "0.9.143",
    features: &["--no-default-features", "--features", "default-no-update"],
};

/// Builds the tool where it is missing.
pub(crate) fn cargo_tool(tool: &CargoTool) -> Result<()> {
    let CargoTool { subcommand, package, version, features } = tool;
    if succeeds(&mut cargo(&[subcommand, "--version"])) {
        return Ok(());
    }
    eprintln!("{package} is missing; building it takes a few minutes, once");
    // Not optimised: these read and start, and building them takes longer than they ever run.
    let mut install = cargo(&["install", package, "--locked", "--debug", "--version", version]);
    for setting in ["DEBUG", "DEBUG_ASSERTIONS", "OVERFLOW_CHECKS"] {
        install.env(format!("CARGO_PROFILE_DEV_{setting}"), "false");
    }
    must(install.args(*features))
}

/// Makes sure that these Debian packages are installed. `Ok(false)`: some are missing and we may
/// not install them.
pub(crate) fn debian(packages: &[&str]) -> Result<bool> {
    let missing: Vec<&str> =
        packages.iter().copied().filter(|package| !installed(package)).collect();
    if missing.is_empty() {
        return Ok(true);
    }
    let root = output(&mut command("id", &["-u"])).is_ok_and(|id| id.trim() == "0");
    if !root || !succeeds(&mut command("apt-get", &["--version"])) {
        eprintln!("missing Debian packages: {}", missing.join(" "));
        eprintln!("hint: apt-get install --no-install-recommends {}", missing.join(" "));
        return Ok(false);
    }
    must(&mut command("apt-get", &["-q", "update"]))?;
    let mut install =
        vec!["-q", "-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends"];
    install.extend(&missing);
    must(command("apt-get", &install).env("DEBIAN_FRONTEND", "noninteractive"))?;
    Ok(true)
}

fn installed(package: &str) -> bool {
    let query = ["-W", "-f", "${db:Status-Status}", package];
    output(&mut command("dpkg-query", &query)).is_ok_and(|status| status == "installed")
}

/// A Python virtual environment in `folder` with what `whole` lists and what that depends on, and with
/// exactly what `alone` lists; gives its interpreter. Made anew when a list changes.
pub(crate) fn python(folder: &Path, whole: &Path, alone: &Path) -> Result<PathBuf> {
    let read = |list: &Path| {
        std::fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))
    };
    let wanted = read(whole)? + &read(alone)?;
    let stamp = folder.join("installed.txt");
    let interpreter = folder.join("bin/python");
    if std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(interpreter);
    }
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    must(command("python3", &["-m", "venv"]).arg(folder))?;
    let pip = interpreter.to_string_lossy();
    must(command(&pip, &["-m", "pip", "-q", "install", "-r"]).arg(whole))?;
    must(command(&pip, &["-m", "pip", "-q", "install", "--no-deps", "-r"]).arg(alone))?;
    if !interpreter.exists() {
        bail!("{} has no interpreter after its installation", folder.display());
    }
    std::fs::write(stamp, wanted)?;
    Ok(interpreter)
}
