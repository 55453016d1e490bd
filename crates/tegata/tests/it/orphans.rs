//! A bench that is ended from outside leaves no server behind.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

const WAIT_MAX: Duration = Duration::from_secs(120);

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `tegata serve` as a child of the process `parent`.
fn server_of(parent: u32) -> Option<u32> {
    fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (_, fields) = stat.rsplit_once(") ")?;
        let of: u32 = fields.split(' ').nth(1)?.parse().ok()?;
        let command = fs::read_to_string(entry.path().join("cmdline")).ok()?;
        (of == parent && command.split('\0').any(|word| word == "serve")).then_some(pid)
    })
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < WAIT_MAX, "{what}");
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_bench_that_is_killed_takes_its_server_along() {
    for signal in ["TERM", "KILL"] {
        let dir = tempfile::tempdir().unwrap();
        let mut bench = Ended(
            Command::new(env!("CARGO_BIN_EXE_tegata"))
                .args(["bench", "ocsp", "--devices", "20", "--dir"])
                .arg(dir.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        let server = until("the bench starts no server", || server_of(bench.0.id()));
        let killed =
            Command::new("kill").args(["-s", signal, &bench.0.id().to_string()]).status().unwrap();
        assert!(killed.success());
        until("the bench does not end", || bench.0.try_wait().unwrap());
        // Reparented, so that nobody but the system waits for it: gone, or a zombie.
        until(&format!("the server outlives the bench after SIG{signal}"), || {
            let stat = fs::read_to_string(Path::new("/proc").join(server.to_string()).join("stat"));
            match stat {
                Err(_) => Some(()),
                Ok(stat) => {
                    stat.rsplit_once(") ").filter(|(_, state)| state.starts_with('Z')).map(|_| ())
                }
            }
        });
    }
}
