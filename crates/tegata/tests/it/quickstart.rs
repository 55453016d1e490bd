//! Runs every command of docs/quickstart.md, in order, as a newcomer would.

use std::{fmt::Write as _, net::TcpListener, path::Path, process::Command};

#[test]
fn every_command_of_the_quickstart_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/quickstart.md")).unwrap();
    let mut script = String::from("set -eu\n");
    let mut inside = false;
    let mut commands = 0;
    for line in page.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside => {
                commands += 1;
                writeln!(script, "{line}").unwrap();
            }
            _ => {}
        }
    }
    assert!(commands > 30, "the page has lost its commands");
    let dir = tempfile::tempdir().unwrap();
    let (tls, public) = free_ports();
    let bin = Path::new(env!("CARGO_BIN_EXE_tegata")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-m", "-c", &script])
        .current_dir(dir.path())
        .env("PATH", path)
        .env("TEGATA_LISTEN", format!("127.0.0.1:{tls}"))
        .env("TEGATA_LISTEN_PUBLIC", format!("127.0.0.1:{public}"))
        .env("TEGATA_CONSOLE", "127.0.0.1:0")
        .env("TEGATA_SERVER", format!("https://localhost:{tls}"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    for expected in ["credential-issued", "genuine", "真正", "chain whole", "log and store agree"]
    {
        assert!(said.contains(expected), "{expected:?} is missing in:\n{said}\n{complained}");
    }
}

/// Two ports that were free a moment ago, below those that the system gives to whoever asks for any
/// (32768 and up on Linux): nobody takes them meanwhile by accident.
fn free_ports() -> (u16, u16) {
    let mut free = std::iter::repeat_with(|| {
        let [high, low] = crypto::random::bytes();
        let port = 10_000 + u16::from_be_bytes([high, low]) % 20_000;
        TcpListener::bind(("127.0.0.1", port)).ok()
    })
    .flatten();
    let (tls, public) = (free.next().unwrap(), free.next().unwrap());
    (tls.local_addr().unwrap().port(), public.local_addr().unwrap().port())
}
