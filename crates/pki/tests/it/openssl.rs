//! The `openssl` command as an independent reader. Absent, the test says so and passes.

use std::{path::Path, process::Command};

pub(crate) fn is_there() -> bool {
    let there = Command::new("openssl").arg("version").output().is_ok_and(|o| o.status.success());
    if !there {
        eprintln!("SKIPPED: the openssl command is absent");
    }
    there
}

/// Runs `openssl` in `folder`; whether it succeeded, and all that it said.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("openssl")
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("openssl can be run");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}
