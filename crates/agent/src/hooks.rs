//! Commands of the device's maker at the steps of an update, and for what its owner tells it: run
//! without a shell, with an environment of their own, within a time.

use crate::{Failure, engine::Slot};
use std::{
    ffi::OsString,
    io::Read,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

/// Longest output that is kept, in bytes.
const OUTPUT_MAX: usize = 4096;
/// How often a running command is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// Looks for the end of its output after a command has ended.
const LOOKS_AFTER_END: u32 = 25;

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

impl Said<'_> {
    fn variables(&self) -> [(&'static str, OsString); 4] {
        [
            ("SLOT", self.name.into()),
            ("SLOT_LETTER", self.slot.to_string().into()),
            ("IMAGE", self.image.into()),
            ("VERSION", self.version.into()),
        ]
    }
}

/// Runs a command to its end.
///
/// # Errors
/// `hook-failed` where it says no, `hook-timeout`, `hook-missing`.
pub(crate) fn run(words: &[String], said: &Said<'_>, timeout_s: u64) -> Result<(), Failure> {
    call(words, &said.variables(), timeout_s).map(|_| ())
}

/// Runs a command to its end; the beginning of what it says on its standard output. Each variable is
/// there as `TEGATA_NAME`, and in arguments as `{name}`.
///
/// # Errors
/// As [`run`].
pub(crate) fn call(
    words: &[String],
    variables: &[(&'static str, OsString)],
    timeout_s: u64,
) -> Result<Vec<u8>, Failure> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Failure::malformed("configuration", "a hook without a program"));
    };
    let fill = |word: &String| filled(word, variables);
    let mut command = Command::new(program);
    command
        .args(arguments.iter().map(fill))
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .envs(variables.iter().map(|(name, value)| (format!("TEGATA_{name}"), value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own, so that nothing of it outlives its time.
        .process_group(0);
    let mut child = command.spawn().map_err(|error| {
        Failure::unavailable("hook-missing", format!("cannot start {program}: {error}"))
    })?;
    let output = child.stdout.take().map(Heard::of);
    let errors = child.stderr.take().map(Heard::of);
    let rounds = timeout_s.saturating_mul(1000) / u64::try_from(LOOK.as_millis()).unwrap_or(1);
    for _ in 0..=rounds {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(LOOK),
            Ok(Some(status)) if status.success() => {
                return Ok(output.map(Heard::end).unwrap_or_default());
            }
            Ok(Some(status)) => {
                // What it left running holds the pipe open.
                kill_group(&mut child);
                let kept = errors.map(Heard::end).unwrap_or_default();
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

/// A word with its variables in place. What a variable says is not looked through again.
fn filled(word: &str, variables: &[(&'static str, OsString)]) -> String {
    let mut left = word;
    let mut whole = String::new();
    while let Some((before, after)) = left.split_once('{') {
        whole.push_str(before);
        let found = variables.iter().find_map(|(name, value)| {
            let name = format!("{}}}", name.to_ascii_lowercase());
            after.strip_prefix(&name).map(|rest| (value, rest))
        });
        match found {
            Some((value, rest)) => {
                whole.push_str(&value.to_string_lossy());
                left = rest;
            }
            None => {
                whole.push('{');
                left = after;
            }
        }
    }
    whole + left
}

/// What comes out of a pipe, read beside the wait: a command that says much must not stop at a full
/// pipe, and one that leaves somebody behind who holds it open must not hold up the agent.
struct Heard {
    kept: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Heard {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&kept);
        let thread = std::thread::spawn(move || {
            let mut pipe = pipe;
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = pipe.read(&mut buffer) {
                let Ok(mut kept) = into.lock() else { return };
                let room = OUTPUT_MAX.saturating_sub(kept.len()).min(read);
                kept.extend_from_slice(buffer.get(..room).unwrap_or_default());
            }
        });
        Self { kept, thread }
    }

    fn end(self) -> Vec<u8> {
        for _ in 0..LOOKS_AFTER_END {
            if self.thread.is_finished() {
                break;
            }
            std::thread::sleep(LOOK);
        }
        self.kept.lock().map(|mut kept| std::mem::take(&mut *kept)).unwrap_or_default()
    }
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

    #[test]
    fn what_a_command_says_is_heard_as_far_as_there_is_room() {
        let call = |script: &str| {
            let words = ["/bin/sh", "-c", script, "sh", "{name}"].map(str::to_owned);
            call(&words, &[("NAME", "a {name} {more}".into()), ("MORE", "x".into())], 60)
        };
        assert_eq!(call("echo \"$1 $TEGATA_NAME\"").unwrap(), b"a {name} {more} a {name} {more}\n");
        assert_eq!(call("head -c 300000 /dev/zero").unwrap().len(), OUTPUT_MAX);
        // Who is left behind with the pipe holds nobody up.
        assert_eq!(call("echo so; sleep 20 &").unwrap(), b"so\n");
    }
}
