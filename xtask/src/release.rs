//! The optimised build, with what is shipped beside it.

use crate::process::{cargo, command, must, output};
use anyhow::{Context as _, Result, ensure};
use std::{fs, path::Path};

/// What goes to devices, and how large it may be.
const AGENT: &str = "tegata-agent";
const AGENT_BYTES_MAX: u64 = 12 * 1024 * 1024;

/// `tegata bench` as it goes out.
pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    let mut command = cargo(&["run", "--profile", "shipped", "-p", "tegata", "--", "bench"]);
    must(command.args(arguments))
}

/// The binaries, completions and manual pages, licences and checksums in `target/dist`.
pub(crate) fn release() -> Result<()> {
    must(&mut cargo(&["build", "--profile", "shipped", "--locked", "-p", "tegata"]))?;
    // By itself: features that others need must not grow what goes to devices.
    must(&mut cargo(&["build", "--profile", "shipped", "--locked", "-p", "agent"]))?;
    let dist = Path::new("target/dist");
    if dist.exists() {
        fs::remove_dir_all(dist)?;
    }
    fs::create_dir_all(dist.join("completions"))?;
    let binary = dist.join("tegata");
    fs::copy("target/shipped/tegata", &binary).context("the build left no binary")?;
    let agent = dist.join(AGENT);
    fs::copy(Path::new("target/shipped").join(AGENT), &agent).context("the build left no agent")?;
    let bytes = fs::metadata(&agent)?.len();
    ensure!(
        bytes <= AGENT_BYTES_MAX,
        "{AGENT} has {bytes} bytes, at most {AGENT_BYTES_MAX} may be"
    );
    for name in ["agent.toml", "tegata-agent.service"] {
        fs::copy(Path::new("crates/agent/systemd").join(name), dist.join(name))?;
    }
    let tegata = binary.to_string_lossy().into_owned();
    for shell in ["bash", "zsh", "fish"] {
        let text = output(&mut command(&tegata, &["completions", shell]))?;
        fs::write(dist.join("completions").join(format!("tegata.{shell}")), text)?;
    }
    let man = dist.join("man");
    fs::create_dir_all(&man)?;
    must(command(&tegata, &["man"]).arg(&man))?;
    for text in ["README.md", "SECURITY.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"] {
        fs::copy(text, dist.join(text)).with_context(|| format!("cannot copy {text}"))?;
    }
    let sums = output(command("sha256sum", &["tegata", AGENT]).current_dir(dist))?;
    fs::write(dist.join("SHA256SUMS"), sums)?;
    eprintln!("release: in {}", dist.display());
    Ok(())
}
