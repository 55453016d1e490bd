//! Commands of the device's maker at the steps of an update: run without a shell, with an
//! environment of their own, within a time.

use crate::{Failure, engine::Slot};
use std::{
    io::Read as _,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Longest output that is kept, in bytes.
const OUTPUT_MAX: u64 = 4096;
/// How often a running command is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What a command is told: in its arguments as `{slot}`, `{image}`, `{version}`, and as variables
/// `TEGATA_SLOT`, `TEGATA_IMAGE`, `TEGATA_VERSION`.
#[derive(Clone, Debug)]
pub(crate) struct Said<'a> {
    /// the slot that it is about
    pub(crate) slot: Slot,
    /// its name, as the boot loader knows it
    pub(crate) name: &'a str,
    /// where the image is
    pub(crate) image: &'a Path,
    /// version for people
    pub(crate) version: &'a str,
}

/// Runs a command to its end.
///
/// # Errors
/// `hook-failed` where it says no, `hook-timeout`, `hook-missing`.
pub(crate) fn run(words: &[String], said: &Said<'_>, timeout_s: u64) -> Result<(), Failure> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Failure::malformed("configuration", "a hook without a program"));
    };
    let image = said.image.to_string_lossy();
    let fill = |word: &String| {
        word.replace("{slot}", said.name)
            .replace("{image}", &image)
            .replace("{version}", said.version)
    };
    let mut command = Command::new(program);
    command
        .args(arguments.iter().map(fill))
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("TEGATA_SLOT", said.name)
        .env("TEGATA_SLOT_LETTER", said.slot.to_string())
        .env("TEGATA_IMAGE", said.image)
        .env("TEGATA_VERSION", said.version)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // A group of its own, so that nothing of it outlives its time.
        .process_group(0);
    let mut child = command.spawn().map_err(|error| {
        Failure::unavailable("hook-missing", format!("cannot start {program}: {error}"))
    })?;
    // Read beside the wait: a command that says much must not stop at a full pipe.
    let errors = child.stderr.take().map(|pipe| {
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            let mut pipe = pipe;
            let _ = pipe.by_ref().take(OUTPUT_MAX).read_to_end(&mut kept);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
            kept
        })
    });
    let rounds = timeout_s.saturating_mul(1000) / u64::try_from(LOOK.as_millis()).unwrap_or(1);
    for _ in 0..=rounds {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(LOOK),
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => {
                // What it left running holds the pipe open.
                kill_group(&mut child);
                let kept = errors.and_then(|thread| thread.join().ok()).unwrap_or_default();
                let kept = String::from_utf8_lossy(&kept);
                let detail = format!("{program} ended with {status}: {}", kept.trim());
                return Err(Failure::refused("hook-failed", detail));
            }
            Err(error) => {
                return Err(Failure::unavailable("hook-missing", format!("{program}: {error}")));
            }
        }
    }
    kill_group(&mut child);
    let _ = child.wait();
    let detail = format!("{program} took more than {timeout_s} s and was killed");
    Err(Failure::refused("hook-timeout", detail))
}

fn kill_group(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, timeout_s: u64) -> Result<(), Failure> {
        let words = ["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned()];
        let said = Said {
            slot: Slot::B,
            name: "rootfs.1",
            image: Path::new("/images/b"),
            version: "2.0; reboot",
        };
        run(&words, &said, timeout_s)
    }

    #[test]
    fn commands_are_told_and_their_word_counts() {
        shell(
            "test \"$TEGATA_SLOT\" = rootfs.1 && test \"$TEGATA_IMAGE\" = /images/b && \
             test \"$TEGATA_VERSION\" = '2.0; reboot' && test -z \"$HOME\"",
            60,
        )
        .unwrap();
        let failure = shell("echo no such slot >&2; exit 3", 60).unwrap_err();
        assert_eq!(failure.code, "hook-failed");
        assert!(failure.detail.contains("no such slot"), "{failure}");
        // More than a pipe holds.
        shell("head -c 300000 /dev/zero >&2", 60).unwrap();
        let failure = shell("sleep 600 & sleep 600", 1).unwrap_err();
        assert_eq!(failure.code, "hook-timeout");
        let nothing = ["/nonexistent".to_owned()];
        let said = Said { slot: Slot::A, name: "a", image: Path::new("/"), version: "" };
        assert_eq!(run(&nothing, &said, 1).unwrap_err().code, "hook-missing");
    }
}
